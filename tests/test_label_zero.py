"""Times of labels that count from the first sample, and such that count from trigger or shot."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from obspy import Stream, Trace, UTCDateTime
from obspy.io.sac import SACTrace
from reading import noise, write_seg2
from sources import run

from phasenet_keras import LabelledWaveform, read_labelled, read_waveforms
from phasenet_keras.io.registry import noted

RATE_HZ, BEFORE_S = 4000.0, 0.05
# 0.05 s and 0.03 s; single precision in SAC.
WANTED = {"P": pytest.approx((320.0,), abs=1e-4)}


def write_text(path, begin_s=-BEFORE_S, seed=0):
    time_s = np.arange(900) / RATE_HZ + begin_s
    np.savetxt(path, np.stack([time_s, noise(900, seed)], axis=1))


def write_sac(path):
    trace = SACTrace(data=noise(900).astype("f4"), delta=1 / RATE_HZ, b=-BEFORE_S, kcmpnm="BHZ")
    trace.write(str(path))


def write_gather(path, scalar=0, delay_ms=-50):
    trace = Trace(noise(900).astype("f4"), {"sampling_rate": RATE_HZ})
    kind = "SU" if path.suffix == ".su" else "SEGY"
    with warnings.catch_warnings(action="ignore"):  # it makes a header
        Stream([trace]).write(str(path), kind, data_encoding=5, byteorder=">")
    head = bytearray(path.read_bytes())
    begin = 0 if kind == "SU" else 3600
    head[begin + 108 : begin + 110] = delay_ms.to_bytes(2, "big", signed=True)
    if kind == "SEGY":
        head[begin + 214 : begin + 216] = scalar.to_bytes(2, "big", signed=True)
    path.write_bytes(head)


def write_seg2_file(path):
    write_seg2(path, [noise(900).astype("f4")], 1 / RATE_HZ, delay_s=-BEFORE_S)


WRITERS = {
    "a.txt": write_text,
    "a.sac": write_sac,
    "a.sgy": write_gather,
    "a.su": write_gather,
    "a.dat": write_seg2_file,
}


def labelled(folder, name, column, value):
    (folder / "labels.csv").write_text(f"fname,{column}\n{name},{value}\n")
    with warnings.catch_warnings(record=True, action="always") as caught:
        [item] = read_labelled(folder / name, folder / "labels.csv")
    return item, [str(warning.message) for warning in caught]


@pytest.mark.parametrize("name", WRITERS)
def test_times_after_the_trigger(name, tmp_path):
    WRITERS[name](tmp_path / name)
    for column, value in (("p_after_trigger_ms", 30), ("p_after_trigger_s", 0.03),
                          ("p_time_after_trigger_us", 30_000)):  # fmt: skip
        record, notes = labelled(tmp_path, name, column, value)
        assert record.arrivals == WANTED
        assert not [text for text in notes if "times in the table" in text]


@pytest.mark.parametrize("name", WRITERS)
def test_times_since_the_first_sample_where_the_file_has_another_zero(name, tmp_path):
    WRITERS[name](tmp_path / name)
    record, notes = labelled(tmp_path, name, "p_ms", 80)
    assert record.arrivals == WANTED
    [note] = [text for text in notes if "times in the table" in text]
    assert "50 ms (200 samples) before the time 0 of its file" in note
    assert "p_after_trigger_ms" in note
    record, notes = labelled(tmp_path, name, "p_sample", 320)
    assert record.arrivals == WANTED
    assert not [text for text in notes if "times in the table" in text]


@pytest.mark.parametrize(
    ("scalar", "delay_ms", "begin_s"), [(-10, -500, -0.05), (10, 2, 0.02), (3, -50, -0.05)]
)
def test_segy_scales_its_delay(scalar, delay_ms, begin_s, tmp_path):
    write_gather(tmp_path / "a.sgy", scalar, delay_ms)
    [wave] = read_waveforms(tmp_path / "a.sgy")
    assert wave.start_time.ns - wave.zero_time.ns == round(1e9 * begin_s)


def test_where_no_trigger_is_known(tmp_path):
    trace = Trace(noise(900), {"sampling_rate": RATE_HZ, "starttime": UTCDateTime(2024, 1, 1)})
    trace.write(str(tmp_path / "a.mseed"), "MSEED")
    bad, _ = labelled(tmp_path, "a.mseed", "p_after_trigger_ms", 30)
    assert not isinstance(bad, LabelledWaveform)
    assert "a.mseed does not say when that was: give times since the first sample, p_ms" in str(bad)
    record, notes = labelled(tmp_path, "a.mseed", "p_ms", 80)
    assert (record.arrivals, notes) == (WANTED, [])


def test_it_is_said_once_for_all_records_and_phases(tmp_path, capsys):
    (tmp_path / "raw").mkdir()
    for number in range(8):
        write_text(tmp_path / f"raw/e{number}.txt", seed=number)
    rows = "".join(f"e{n}.txt,e{n},{phase},90\n" for n in range(8) for phase in "PS")
    (tmp_path / "labels.csv").write_text("fname,event,phase,time_ms\n" + rows)
    labels = ["--labels", tmp_path / "labels.csv"]
    assert run(tmp_path / "raw", *labels, "--output", tmp_path / "set") == 0
    out = capsys.readouterr().out
    assert out.count("times in the table count from the first sample") == 1
    (tmp_path / "labels.csv").write_text("fname,event,phase,time_after_trigger_ms\n" + rows)
    assert run(tmp_path / "raw", *labels, "--output", tmp_path / "set2") == 0
    assert "times in the table" not in capsys.readouterr().out


def test_notes_of_many_records_that_differ_in_numbers_are_one_line(tmp_path, capsys):
    (tmp_path / "raw").mkdir()
    for number in range(6):
        write_text(tmp_path / f"raw/e{number}.txt", number + 1.0, seed=number)
    rows = "".join(f"e{n}.txt,e{n},90\n" for n in range(6))
    (tmp_path / "labels.csv").write_text("fname,event,p_ms\n" + rows)
    labels = ["--labels", tmp_path / "labels.csv"]
    assert run(tmp_path / "raw", *labels, "--output", tmp_path / "set") == 0
    out = capsys.readouterr().out
    assert out.count("times in the table count from the first sample") == 1
    assert "1000 ms (4000 samples) after" in out
    assert "(and 5 others: 2000, 3000, 4000, …)" in out


def test_minus_one_after_the_trigger_is_no_arrival_before_it(tmp_path):
    (tmp_path / "raw").mkdir()
    for number in range(4):
        write_text(tmp_path / f"raw/e{number}.txt", seed=number)
    for cells, wanted in (
        ((30, -1, 31, -1), {"e0", "e2"}),
        ((30, -1, 31, -2), {"e0", "e1", "e2", "e3"}),
    ):
        rows = "".join(f"e{n}.txt,{cell}\n" for n, cell in enumerate(cells))
        (tmp_path / "labels.csv").write_text("fname,p_after_trigger_ms\n" + rows)
        with noted() as notes:
            items = list(read_labelled(tmp_path / "raw", tmp_path / "labels.csv"))
        assert {item.name for item in items if isinstance(item, LabelledWaveform)} == wanted
        assert any("p_after_trigger_ms is -1 in 2 of 4 rows" in text for text in notes) == (
            len(wanted) == 2
        )
        assert not any("are skipped: if that stands" in text for text in notes)


def test_seconds_since_1970_are_not_since_a_trigger(tmp_path):
    write_text(tmp_path / "a.txt", 1.7e9)
    assert read_waveforms(tmp_path / "a.txt")[0].zero_time is None
