"""Tables of rows that tests make beside files and gathers, and what is read of them."""

from __future__ import annotations

import warnings

from obspy import Stream, Trace
from obspy.io.segy.segy import SEGYTraceHeader
from sources import noise

from phasenet_keras.io.labels.rows import read_label_table
from phasenet_keras.io.parts import BadRow
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.sources import read_labelled

SENSORS = [(event, sensor) for event in (2, 10) for sensor in ("S1", "S2", "S3")]
SHUFFLED = [SENSORS[n] for n in (4, 0, 5, 2, 1, 3)]
TRACES = [(shot, n) for shot in (1002, 1001) for n in (4, 2, 3, 1)]


def table_of(tmp_path, text):
    path = tmp_path / "labels.csv"
    path.write_text(text)
    return read_label_table(path)


def label(event, sensor):
    return 10.0 * event + int(sensor[1:])


def read(folder, header, rows):
    (folder.parent / "l.csv").write_text(f"{header}\n" + "\n".join(rows) + "\n")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        items = list(read_labelled(folder, folder.parent / "l.csv"))
    said = [str(item.message) for item in caught if item.category is RecordWarning]
    bad = [str(item) for item in items if isinstance(item, BadRow)]
    return [item for item in items if not isinstance(item, BadRow)], bad, said


def write_line(folder, shots=(1001, 1002), n_traces=4, first=1, **header):
    """All shots in one SU file; the largest sample of a trace is 10 * shot + its number there."""
    folder.mkdir()
    stream = Stream()
    for shot in shots:
        for number in range(n_traces):
            data = noise(number, 300)[:, 0].clip(-1, 1) * (10 * shot + number + 1)
            trace = Trace(data.astype("f4"), {"sampling_rate": 1000.0})
            trace.stats.su = {"trace_header": SEGYTraceHeader(endian="<")}
            values = {"original_field_record_number": shot}
            values["trace_number_within_the_original_field_record"] = number + first
            for name, value in {**values, **header}.items():
                setattr(trace.stats.su.trace_header, name, value)
            stream.append(trace)
    stream.write(str(folder / "line.su"), format="SU")


def are_right(records, n):
    """Tell if all labels are 10 * shot + trace, as the data say."""
    found = [round(float(r.waveform.data.max())) % 1000 for r in records]
    assert [r.arrivals["P"] for r in records] == [(float(value),) for value in found]
    return len(set(found)) == n
