"""Tables of samples whose rows are of traces of gathers, or of records in a file a channel."""

from __future__ import annotations

import numpy as np
import pytest
from obspy import Stream, Trace
from sources import noise

from phasenet_keras.io.parts import BadRow
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
    assert "receivers of line1_shot002.su are not numbered as its traces are" in texts[1]
    text_file = tmp_path / "in" / "shot_003.txt"
    np.savetxt(text_file, np.stack([np.arange(300) / 1000, noise(1, 300)[:, 0]], axis=1))
    with pytest.raises(FormatError, match="has 1 rows and no column of file names"):
        said("shot,trace,itp\n3,1,9\n")  # not all are gathers: shots name no files
    texts, _ = said("fname,itp\nline1_shot002.su,1\nline1_shot002.su,2\n")
    assert "holds 4 traces and has 2 rows: give one a trace, or its number" in texts[0]
