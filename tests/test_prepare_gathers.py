"""Tables of samples whose rows are of traces of gathers, or of records in a file a channel."""

from __future__ import annotations

import numpy as np
import pytest
from obspy import Stream, Trace
from sources import T0, noise

from phasenet_keras.io.parts import BadRow
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.sources import read_labelled
from phasenet_keras.types import FormatError


def write_gathers(folder, n_traces=4):
    folder.mkdir()
    for shot in (2, 10):
        data = [noise(n)[:, 0].clip(-1, 1) * (100 * shot + n) for n in range(1, n_traces + 1)]
        traces = [Trace(values, {"sampling_rate": 1000.0}) for values in data]
        Stream(traces).write(str(folder / f"line1_shot{shot:03d}.su"), format="SU")


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("fname,trace", "line1_shot{shot:03d}.su,{trace}"),
        ("fname,receiver", "line1_shot{shot:03d},{trace}"),
        ("shot,trace_number", "{shot},{trace}"),
        ("shot,channel_number", "line1_shot{shot:03d},{trace}"),
        ("fname", "line1_shot{shot:03d}.su"),
        ("shot", "{shot}"),
    ],
)
def test_rows_are_of_traces_of_gathers(tmp_path, header, row):
    write_gathers(tmp_path / "in")
    rows = [(shot, trace) for trace in range(1, 5) for shot in (10, 2)]
    text = "\n".join(row.format(shot=s, trace=t) + f",{10 * s + t}" for s, t in rows)
    (tmp_path / "l.csv").write_text(f"{header},itp\n{text}\n")
    records = list(read_labelled(tmp_path / "in", tmp_path / "l.csv"))
    assert len(records) == 8
    for record in records:
        [sample] = record.arrivals["P"]
        shot, trace = divmod(round(sample), 10)
        assert record.waveform.data.max() == pytest.approx(100 * shot + trace)
        assert record.waveform.station == f"line1_shot{shot:03d}-{trace:04d}"
        by_shot = (f"shot {shot}", f"shot line1_shot{shot:03d}")
        assert record.gather in (by_shot if "shot" in header else f"line1_shot{shot:03d}")


def test_gathers_of_one_name_are_told_apart_by_their_folders(tmp_path):
    rows = ["station,phase,time"]
    for shot in (2, 10):
        (tmp_path / f"in/s{shot}").mkdir(parents=True)
        traces = [Trace(noise(n)[:, 0], {"sampling_rate": 1000.0}) for n in (1, 2)]
        for number, trace in enumerate(traces, start=1):
            trace.stats.starttime = T0 + 60 * shot
            rows.append(f"line-{number:04d},P,{trace.stats.starttime + 0.1}")
        Stream(traces).write(str(tmp_path / f"in/s{shot}/line.su"), format="SU")
    (tmp_path / "l.csv").write_text("\n".join(rows))
    records = list(read_labelled(tmp_path / "in", tmp_path / "l.csv"))
    found = {(r.gather, r.waveform.station, r.waveform.start_time - T0) for r in records}
    assert found == {
        (f"s{shot}/line", f"line-{number:04d}", 60.0 * shot)
        for shot in (2, 10)
        for number in (1, 2)
    }


def test_rows_that_are_of_no_trace_are_named(tmp_path):
    write_gathers(tmp_path / "in")
    table = tmp_path / "l.csv"

    def said(text):
        table.write_text(text)
        items = list(read_labelled(tmp_path / "in", table))
        return [str(item) for item in items if isinstance(item, BadRow)], len(items)

    (text,), n_items = said("fname,trace,itp\nline1_shot002.su,1,9\nline1_shot002.su,5,9\n")
    assert (n_items, text.startswith("row 2: trace should be the number of a trace")) == (2, True)
    assert "line1_shot002.su, 1 to 4, received '5'" in text
    # Receivers of other numbers than the traces have: which trace is which is not known.
    texts, n_items = said("fname,receiver,itp\nline1_shot002.su,2,9\nline1_shot002.su,5,9\n")
    assert (n_items, len(texts)) == (2, 2)
    assert "rows of line1_shot002.su are not numbered as its traces are, from 1" in texts[1]
    texts, n_items = said("fname,trace,itp\nline1_shot002.su,0,9\nline1_shot002.su,1,9\n")
    assert (n_items, len(texts)) == (2, 2)
    assert "from 1 on (trace)" in texts[1]
    text_file = tmp_path / "in" / "shot_003.txt"
    np.savetxt(text_file, np.stack([np.arange(300) / 1000, noise(1, 300)[:, 0]], axis=1))
    with pytest.raises(FormatError, match="has 1 rows and no column of file names"):
        said("shot,trace,itp\n3,1,9\n")  # not all are gathers: shots name no files
    texts, _ = said("fname,itp\nline1_shot002.su,1\nline1_shot002.su,2\n")
    assert "holds 4 traces and has 2 rows: give one a trace, or its number" in texts[0]


def test_a_file_of_the_very_name_comes_before_one_that_is_called_after_it(tmp_path):
    write_gathers(tmp_path / "in", n_traces=1)
    names = ["line1_shot002.su", "line1_shot010.su"]
    for name in names:
        (tmp_path / "in" / f"{name}.json").write_text("{}")
    rows = "".join(f"{name},{n}\n" for n, name in enumerate(names, start=5))
    (tmp_path / "l.csv").write_text(f"fname,itp\n{rows}")
    records = list(read_labelled(tmp_path / "in", tmp_path / "l.csv"))
    assert [record.arrivals["P"] for record in records] == [(5.0,), (6.0,)]


def write_channels(folder):
    """Records of two shots at one station, a file a channel; one shot begins later in a channel."""
    folder.mkdir()
    for shot in range(3):
        for number, channel in enumerate("XZ"):
            trace = Trace(noise(2 * shot + number, 500)[:, 0], {"network": "AA", "station": "S3"})
            trace.stats.update({"channel": f"BX{channel}", "sampling_rate": 100.0})
            trace.stats.starttime = T0 + 100 * shot + (shot == 2) * number
            trace.write(str(folder / f"m{shot}.AA.S3.BX{channel}.sac"), format="SAC")


@pytest.mark.parametrize(
    "names",
    [
        ["m{}.AA.S3"],
        ["m{}.AA.S3.BX"],
        ["m{}.AA.S3.BXZ.sac"],
        ["m{}.AA.S3.BXX"],
        ["m{}.AA.S3.BXX.sac", "m{}.AA.S3.BXZ.sac"],
    ],
)
def test_a_row_of_one_channel_is_of_all_channels_of_its_record(tmp_path, names, recwarn):
    write_channels(tmp_path / "in")
    rows = [f"{name.format(shot)},{10 * shot + 1}" for shot in range(2) for name in names]
    (tmp_path / "l.csv").write_text("fname,itp\n" + "\n".join(rows) + "\n")
    records = list(read_labelled(tmp_path / "in", tmp_path / "l.csv"))
    assert [record.arrivals for record in records] == [{"P": (1.0,)}, {"P": (11.0,)}]
    for shot, record in enumerate(records):
        assert record.waveform.channels == ("E", "Z")
        np.testing.assert_array_equal(record.waveform.data[:, 1], noise(2 * shot + 1, 500)[:, 0])
    assert [str(w.message) for w in recwarn] == [
        "2 files have no row and are left out: m2.AA.S3.BXX.sac, m2.AA.S3.BXZ.sac"
    ]


def test_channels_that_differ_in_labels_or_begin_are_records_of_their_own(tmp_path):
    write_channels(tmp_path / "in")
    rows = ["m0.AA.S3.BXX.sac,5", "m0.AA.S3.BXZ.sac,9", "m2.AA.S3.BXZ.sac,7", "m2.AA.S3,8"]
    (tmp_path / "l.csv").write_text("fname,itp\n" + "\n".join(rows) + "\n")
    with pytest.warns(RecordWarning, match="3 files have no row"):
        *records, bad = read_labelled(tmp_path / "in", tmp_path / "l.csv")
    found = [(record.waveform.channels, record.arrivals["P"]) for record in records]
    assert found == [(("E",), (5.0,)), (("Z",), (9.0,)), (("Z",), (7.0,))]
    assert str(bad) == "row 4: there is no file of this name or station (m2.AA.S3)"


def test_several_records_of_a_station_are_said_to_be_several_files(tmp_path):
    write_channels(tmp_path / "in")
    (tmp_path / "l.csv").write_text("network,station,itp\nAA,S3,5\n")
    [bad] = read_labelled(tmp_path / "in", tmp_path / "l.csv")
    assert "6 files of AA.S3..BX hold " in str(bad)
    assert "name the file of each row (column fname)" in str(bad)
