"""Files of many records that have names, as traces: HDF5, and SeisBench's data sets.

Each record stays one of its own, whatever its station and its time, as it is where records are
labelled: windows of one station may overlap, and those of shots all begin in 1970.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phasenet_keras.io.channels import seed_codes
from phasenet_keras.io.dataset_samples import waveform_of_row
from phasenet_keras.io.dataset_table import METADATA, name_of_row, read_rows
from phasenet_keras.io.hdf5_files import DAMAGE, attributes_of, opened, record_names
from phasenet_keras.io.labels.hdf5 import waveform_named
from phasenet_keras.io.no_waveforms import said_of_no_record
from phasenet_keras.io.registry import LostRecord, Reader, register_reader, say
from phasenet_keras.io.seisbench import dataset_chunks
from phasenet_keras.types import FormatError, ShapeError, Waveform

if TYPE_CHECKING:
    from obspy import Stream, Trace

SIGNATURE = b"\x89HDF\r\n\x1a\n"
# A record's name, and what reads it.
Named = tuple[str, Callable[[], Waveform]]


def _is_hdf5(path: Path, head: bytes) -> bool:
    return head.startswith(SIGNATURE)


def _is_of_dataset(path: Path, head: bytes) -> bool:
    return _is_hdf5(path, head) and _table_of(path) is not None


def _table_of(path: Path) -> Path | None:
    """Return the table of a data set's file of waveforms, None where it is no such."""
    return next((table for table, file in dataset_chunks(path.parent) if file == path), None)


def _named_in_hdf5(path: Path, which: slice, headers_only: bool) -> Iterator[Named]:
    names = _names(path, path.stat().st_mtime_ns)
    with opened(path) as file:
        for name in names[which]:
            yield name, partial(waveform_named, file, name, path.name, headers_only)


def _named_in_dataset(path: Path, which: slice, headers_only: bool) -> Iterator[Named]:
    table = _table_of(path) or path.with_name(METADATA)
    rows = _rows(table, table.stat().st_mtime_ns)
    with opened(path) as file:
        for row in rows[which]:
            yield name_of_row(row), partial(waveform_of_row, row, file, headers_only)


# A file is read in blocks, one after the other: its list of records is made once.
@lru_cache(maxsize=1)
def _names(path: Path, mtime_ns: int) -> list[str]:
    with opened(path) as file:
        if str(attributes_of(file).get("file_format", "")).strip("b'") == "ASDF":
            raise FormatError(f"{path} is ASDF: write its waveforms as miniSEED (pyasdf, ObsPy)")
        if "data_format" in file:
            raise FormatError(
                f"{path} is of a data set, whose table {METADATA} is not beside it: bring it there"
            )
    return record_names(path)


@lru_cache(maxsize=1)
def _rows(table: Path, mtime_ns: int) -> list[dict[str, Any]]:
    return read_rows(table)


def _records(
    path: Path,
    which: slice,
    headers_only: bool,
    named_in: Callable[[Path, slice, bool], Iterator[Named]],
) -> Iterator[list[Trace] | str]:
    for name, read in named_in(path, which, headers_only):
        try:
            yield _traces_of(name, read(), headers_only)
        except (FormatError, ShapeError, *DAMAGE) as error:
            yield f"record '{name}' is left out: {error}"


def _traces_of(name: str, wave: Waveform, headers_only: bool) -> list[Trace]:
    from obspy import Trace

    network, station, location, instrument = seed_codes(wave.station)
    codes = {"network": network, "station": station, "location": location}
    times = {"sampling_rate": wave.sampling_rate, "starttime": wave.start_time}
    traces = []
    for component, column in zip(wave.channels, wave.data.T, strict=True):
        data = np.zeros(0, np.float32) if headers_only else np.ascontiguousarray(column)
        header = {**codes, **times, "npts": wave.n_samples, "channel": f"{instrument}{component}"}
        trace = Trace(data, header=header)
        trace.stats.station_name = wave.station
        trace.stats.record_name = name
        if wave.units:
            trace.stats.units = wave.units
        traces.append(trace)
    return traces


def _read(
    path: Path,
    headers_only: bool,
    records: Callable[[Path, slice, bool], Iterator[list[Trace] | str]],
) -> Stream:
    from obspy import Stream

    stream, lost = Stream(), list[str]()
    for item in records(path, slice(None), headers_only):
        if isinstance(item, str):
            lost.append(item)
        else:
            stream.extend(item)
    if not stream:
        raise FormatError(said_of_no_record(path, lost))
    for text in lost:
        say(text, LostRecord)
    return stream


for name, extensions, sniff, named_in in (
    ("SeisBench", (".hdf5",), _is_of_dataset, _named_in_dataset),
    ("HDF5", (".h5", ".hdf5"), _is_hdf5, _named_in_hdf5),
):
    records = partial(_records, named_in=named_in)
    read = partial(_read, records=records)
    register_reader(Reader(name, extensions, sniff, read, records=records))
