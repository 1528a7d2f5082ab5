"""Tables of labels: at which rate samples are, and since when they and times count."""

from __future__ import annotations

import numpy as np
import pytest
from obspy import Stream, Trace, UTCDateTime
from sources import T0, noise, write_stations, write_text_files

from phasenet_keras import Pick, read_labelled, write_picks
from phasenet_keras.io.registry import noted


@pytest.mark.parametrize(
    ("header", "cell"),
    [("sampling_rate", "1000"), ("dt_s", "0.001"), ("Sampling Rate (Hz)", "1e3"), ("fs", "1000.0")],
)
def test_samples_of_another_rate_than_the_records_are_refused(tmp_path, header, cell):
    write_text_files(tmp_path / "raw", ["t0.txt"])  # at 2 kHz
    path = tmp_path / "labels.csv"
    path.write_text(f"fname,itp,{header}\nt0.txt,100,{cell}\n")
    [bad] = read_labelled(tmp_path / "raw", path)
    assert bad.text.startswith("its samples are at 1000 Hz, the record has 2000 Hz: give samples")
    for text in (
        f"fname,p_ms,{header}\nt0.txt,50,{cell}\n",  # times are of any rate
        "fname,itp,dt,fs\nt0.txt,100,-0.02,\n",  # a residual, and nothing
        "fname,itp,fs\nt0.txt,100,2\n",  # kHz
        "fname,itp,sample_interval\nt0.txt,100,500\n",  # us, as SEG-Y has it
        "fname,itp,dt_s,fs\nt0.txt,100,0.0005,2001\n",
    ):
        path.write_text(text)
        [record] = read_labelled(tmp_path / "raw", path)
        assert record.arrivals == {"P": (100.0,)}


def test_a_rate_of_the_table_is_to_be_in_a_file_that_says_none(tmp_path):
    np.savez(tmp_path / "a.npz", data=noise(1, 3000))
    (tmp_path / "labels.csv").write_text("fname,itp,fs\na.npz,500,500\n")
    [bad] = read_labelled(tmp_path / "a.npz", tmp_path / "labels.csv")
    assert "its samples are at 500 Hz, the record has 100 Hz: " in bad.text
    assert bad.text.endswith(
        "where its file says no rate that is assumed: write it there (sampling_rate)"
    )


@pytest.mark.parametrize(
    ("begin", "is_refused"),
    [
        ("2020-01-01T00:00:02", True),
        ("2020-01-01 00:00:00.02+00:00", True),
        ("2020-01-01T00:00:00.01", False),  # a sample
        ("2019-12-30", True),
        ("2020-01-01T01:00:00", True),
        ("2019-12-31T23:58", True),
        ("1577836802.5", True),
        ("2020-01-01", False),  # of few digits
        ("2019-12-31T23:59", False),
        ("1970-01-01T00:00:00.000", False),
        ("", False),
    ],
)
def test_samples_from_another_time_than_the_records_begin_are_refused(tmp_path, begin, is_refused):
    write_stations(tmp_path / "in", stations="A")
    path = tmp_path / "labels.csv"
    path.write_text(f"station,begin_time,phase_index,phase_type\nA,{begin},700,P\n")
    [item] = read_labelled(tmp_path / "in", path)
    if is_refused:
        said = begin[:18].replace(" ", "T").replace("1577836802.5", "2020-01-01T00:00:02.5")
        assert item.text.startswith(f"its arrivals count from {said}")
        assert "the record begins at 2020-01-01T00:00:00.000000Z: give those of the" in item.text
        assert ("local time? They should be in UTC" in item.text) == ("01:00" in begin)
    else:
        assert item.arrivals == {"P": (700.0,)}
        return
    path.write_text(path.read_text().replace("begin_time", "starttime"))
    [item] = read_labelled(tmp_path / "in", path)
    assert item.text.startswith("its arrivals count from")


@pytest.mark.parametrize(("second", "n_said"), [("07.004", 0), ("07", 0), ("09.5", 1)])
def test_a_time_that_is_another_than_the_sample_beside_it_is_said(tmp_path, second, n_said):
    write_stations(tmp_path / "in", stations="A")
    path = tmp_path / "labels.csv"
    path.write_text(f"station,p_sample,p_time\nA,700,2020-01-01T00:00:{second}\n")
    with noted() as notes:
        [record] = read_labelled(tmp_path / "in", path)
    assert record.arrivals == {"P": (700.0,)}
    words = "columns p_sample and p_time of the table have different arrivals of P: p_sample counts"
    assert [words in note for note in notes].count(True) == n_said


@pytest.mark.parametrize("column", ["trigger_time", "Origin Time"])
def test_times_that_may_count_from_a_trigger_or_an_origin_are_asked_about(tmp_path, column):
    write_stations(tmp_path / "in", stations="AB")
    rows = f"A,{T0 + 5},7.5\nB,{T0 + 1012.5},7.5\n"
    (tmp_path / "l.csv").write_text(f"station,{column},p_time_s\n{rows}")
    with noted() as said:
        records = list(read_labelled(tmp_path / "in", tmp_path / "l.csv"))
    assert [record.arrivals for record in records] == [{"P": (750.0,)}] * 2
    name = column.lower().replace(" ", "_")
    text = "arrivals in the table count from the first sample of a record, {} s before its {}: if"
    wanted = [text.format(apart_s, name) for apart_s in ("5", "12.5")]
    assert [one[: len(words)] for one, words in zip(said, wanted, strict=True)] == wanted
    (tmp_path / "l.csv").write_text(f"station,{column},p_time_s\nA,{T0},7.5\n")
    with noted() as said:
        assert len(list(read_labelled(tmp_path / "in", tmp_path / "l.csv"))) == 1
    assert said == []


def test_phasenets_picks_of_arrays_without_a_date_are_labels_in_samples(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("NC.A..EH.1", "NC.A..EH.2"):
        np.savez(tmp_path / f"in/{name}.npz", data=np.random.default_rng(0).normal(size=(900, 3)))
    head = "file_name,begin_time,station_id,phase_index,phase_time,phase_score,phase_type\n"
    rows = [
        f"NC.A..EH.{n}.npz,1970-01-01T00:00:00.000,NC.A..EH.{n}.npz,{at},"
        f"1970-01-01T00:00:0{at / 100},0.9,{phase}\n"
        for n, at, phase in ((2, 200, "P"), (2, 312, "S"), (1, 100, "P"), (1, 207, "S"))
    ]
    (tmp_path / "picks.csv").write_text(head + "".join(rows))
    found = {r.name: r.arrivals for r in read_labelled(tmp_path / "in", tmp_path / "picks.csv")}
    assert found == {
        "NC.A..EH.1": {"P": (100.0,), "S": (207.0,)},
        "NC.A..EH.2": {"P": (200.0,), "S": (312.0,)},
    }


def test_our_picks_of_gathers_without_a_date_are_of_the_traces_that_they_name(tmp_path):
    (tmp_path / "in").mkdir()
    wave = np.random.default_rng(0).normal(size=900).astype("f4")
    traces = [Trace(wave, {"sampling_rate": 1000.0}) for _ in range(3)]
    Stream(traces).write(str(tmp_path / "in/shot1.su"), format="SU")
    picks = [
        Pick(UTCDateTime(at / 1000), f"shot1-000{n}", "P", 0.9, sample=at, source="shot1.su")
        for n, at in ((3, 50), (1, 70), (2, 90))
    ]
    write_picks(picks, tmp_path / "picks.csv")  # by time
    found = read_labelled(tmp_path / "in", tmp_path / "picks.csv")
    wanted = {"shot1-0001": (70.0,), "shot1-0002": (90.0,), "shot1-0003": (50.0,)}
    assert {r.waveform.station: r.arrivals["P"] for r in found} == wanted
