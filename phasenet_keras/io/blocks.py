"""Files read piece by piece: blocks of miniSEED or of named records, other formats as a whole."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from phasenet_keras.io.instruments import Heard, RecordKey, record_key, station_id
from phasenet_keras.io.mseed3 import MINISEED_3, bytes_of_whole_records_3, read_records_3
from phasenet_keras.io.mseed_headers import (
    LARGEST_RECORD_BYTES,
    LEAST_RECORD_BYTES,
    bytes_of_whole_records,
)
from phasenet_keras.io.no_waveforms import said_of_no_record
from phasenet_keras.io.record_names import is_dated, note_source
from phasenet_keras.io.registry import (
    LostRecord,
    Reader,
    headers_of,
    keep_usable_traces,
    naming,
    read_stream,
    reader_of,
    say,
)
from phasenet_keras.types import FormatError, TextOnlyError

if TYPE_CHECKING:
    from obspy import Stream, Trace, UTCDateTime

__all__ = ["BLOCK_BYTES", "Block", "blocks_of", "read_block"]

# Half a day of one channel, or less: a few times as much is held while channels come together.
BLOCK_BYTES = 1 << 21
# Of a record that is held, whatever the file has.
SAMPLE_BYTES = 4
BytesOfWhole = Callable[[bytes], int]


@dataclass(frozen=True)
class Block:
    """A part of a file that is read at once.

    Attributes:
        path: of the file.
        offset: of the part, in bytes; of named records their number.
        size: in bytes, or records; None for the whole file.
        start: of its earliest trace, UTC.
        codes: record keys and channel codes of its traces, and from when to when there are any.
        stations: SEED ids without component of its traces; `read_block` gives those of no others.
        is_of_records: True if the part is so many records that have names, which have nothing in
            common with those of other blocks.
    """

    path: Path
    offset: int
    size: int | None
    start: UTCDateTime
    codes: frozenset[Heard]
    stations: frozenset[str]
    is_of_records: bool = False


def blocks_of(path: Path, block_bytes: int = BLOCK_BYTES) -> Iterator[tuple[Block, list[Trace]]]:
    """Yield the blocks of a file, each with the headers of its traces.

    miniSEED of more than ``block_bytes`` is cut between records, of whatever lengths; what is
    damaged is left out with a warning. Files of records that have names (HDF5) are cut between
    these; one that cannot be used is in some block, and said when that is read.

    Raises:
        FormatError: if the file cannot be read at all.

    Warns:
        LostRecord: for a block that cannot be read.
        RecordWarning: for traces of blocks that have no sampling rate, and a last record that is
            not whole.
    """
    reader = reader_of(path) if path.is_file() else None
    if reader and reader.records:
        yield from _blocks_of_records(path, reader, block_bytes)
        return
    is_long = reader and path.stat().st_size > block_bytes
    whole = _whole_of(path, reader.name) if reader and is_long else None
    if whole is None:
        with warnings.catch_warnings(action="ignore"):  # said when it is read for good
            traces = list(read_stream(path, headers_only=True))
        yield _block(path, 0, None, traces), traces
    else:
        yield from _blocks_of_miniseed(path, block_bytes, whole)


def _blocks_of_miniseed(
    path: Path, block_bytes: int, whole: BytesOfWhole
) -> Iterator[tuple[Block, list[Trace]]]:
    offset, has_text, is_readable = 0, False, False
    with path.open("rb") as file:
        while content := _whole_records(file, offset, block_bytes, whole):
            try:
                traces = list(_read(path, offset, content, headers_only=True))
            except TextOnlyError:
                has_text = True
            except FormatError as error:
                say(str(error), LostRecord)
            else:
                is_readable = True
                yield _block(path, offset, len(content), traces), traces
            offset += len(content)
    if not is_readable and has_text:
        raise TextOnlyError(f"{path} holds no samples, but a logger's messages (miniSEED)")
    if not is_readable:
        raise FormatError(f"{path} is damaged or no miniSEED: none of its blocks can be read")
    if left := path.stat().st_size - offset:
        say(f"{path}: truncated: its last record has {left} bytes only and is left out")


def _blocks_of_records(
    path: Path, reader: Reader, block_bytes: int
) -> Iterator[tuple[Block, list[Trace]]]:
    """Yield blocks of so many bytes of samples, or of one record; each holds a usable one."""
    begin, end, n_bytes = 0, 0, 0
    traces: list[Trace] = []
    lost: list[str] = []
    for item in _items(path, reader, slice(None), headers_only=True):
        if isinstance(item, str):
            lost.append(item)
        else:
            of_item = SAMPLE_BYTES * sum(trace.stats.npts for trace in item)
            if traces and n_bytes + of_item > block_bytes:
                yield _block(path, begin, end - begin, traces, is_of_records=True), traces
                begin, n_bytes, traces = end, 0, []
            traces += item
            n_bytes += of_item
        end += 1
    if not traces:
        raise FormatError(said_of_no_record(path, lost))
    yield _block(path, begin, end - begin, traces, is_of_records=True), traces


def _items(
    path: Path, reader: Reader, which: slice, *, headers_only: bool
) -> Iterator[list[Trace] | str]:
    """Yield the records of a file as traces of it; where headers will do nothing else is said."""
    items = reader.records(path, which, headers_only) if reader.records else iter(())
    while True:
        # Not around the yield: warnings of those who take the items are theirs.
        with warnings.catch_warnings(action="ignore") if headers_only else nullcontext():
            item = next(items, None)
        if item is None:
            return
        if not isinstance(item, str):
            note_source(item, path)
        yield item


def read_block(block: Block) -> list[Trace]:
    """Read the traces of a block's stations.

    Raises:
        FormatError: if it cannot be read.

    Warns:
        LostRecord: for records that cannot be read, where it is of such.
    """
    if block.is_of_records:
        return _read_records(block)
    keys = {heard.key for heard in block.codes}
    is_all = block.stations == {station for station, _, _ in keys}
    if block.size is None:
        stream = read_stream(block.path)
    else:
        options = {} if is_all else _records_of(block.stations, keys)
        with block.path.open("rb") as file:
            file.seek(block.offset)
            content = file.read(block.size)
        stream = _read(block.path, block.offset, content, False, **options)
        # What the file is named after, the whole of it decides, not the block.
        records = {station: record for station, record, _ in keys if record}
        for trace in stream:
            trace.stats.source_record = records.get(station_id(trace), "")
    return [trace for trace in stream if is_all or station_id(trace) in block.stations]


def _read_records(block: Block) -> list[Trace]:
    which = slice(block.offset, block.offset + (block.size or 0))
    traces: list[Trace] = []
    for item in _items(block.path, reader_of(block.path), which, headers_only=False):
        if isinstance(item, str):
            say(f"{block.path}: {item}", LostRecord)
        else:
            traces += [trace for trace in item if station_id(trace) in block.stations]
    return traces


@lru_cache(16)
def _every_trace(path: Path, mtime_ns: int) -> list[Trace]:
    """Return the headers of a whole file; none if it cannot be read at once."""
    return headers_of(path)


def _records_of(stations: frozenset[str], keys: set[RecordKey]) -> dict[str, str]:
    """Return the option that leaves the records of other stations as they are, not decoded.

    There is none for several stations, and for one that the records do not name.
    """
    has_codes = all(not path for station, path, _ in keys if station in stations)
    return {"sourcename": f"{next(iter(stations))}*"} if len(stations) == 1 and has_codes else {}


def _block(
    path: Path,
    offset: int,
    size: int | None,
    traces: list[Trace],
    is_of_records: bool = False,
) -> Block:
    return Block(
        path,
        offset,
        size,
        min(trace.stats.starttime for trace in traces),
        frozenset(_heard(traces)),
        frozenset(station_id(trace) for trace in traces),
        is_of_records,
    )


def _heard(traces: list[Trace]) -> Iterator[Heard]:
    found: dict[tuple[RecordKey, str], list[Trace]] = {}
    for trace in traces:
        found.setdefault((record_key(trace), trace.stats.channel), []).append(trace)
    for (key, code), of_code in found.items():
        start_ns = min(trace.stats.starttime.ns for trace in of_code)
        yield Heard(key, code, start_ns, max(trace.stats.endtime.ns for trace in of_code))


def _whole_of(path: Path, format_name: str) -> BytesOfWhole | None:
    """Return what says where the last whole record of bytes ends; None: they are not cut so."""
    if format_name == MINISEED_3:
        return bytes_of_whole_records_3
    if format_name != "miniSEED":
        return None
    from obspy.io.mseed.util import get_record_information

    try:
        with path.open("rb") as file:
            length = int(get_record_information(file)["record_length"])
    except Exception:  # whatever a damaged record leads to; the reader will say what is wrong
        return None
    is_length = LEAST_RECORD_BYTES <= length <= LARGEST_RECORD_BYTES
    return partial(bytes_of_whole_records, length=length) if is_length else None


def _whole_records(file: BinaryIO, offset: int, n_bytes: int, whole: BytesOfWhole) -> bytes:
    """Return whole records from an offset on, about so many bytes; none at the file's end.

    Args:
        file: miniSEED.
        offset: of a record.
        n_bytes: more of them where not one record fits.
        whole: says of how many bytes the whole records are.
    """
    while True:
        file.seek(offset)
        content = file.read(n_bytes)
        size = whole(content)
        if size or len(content) < n_bytes:
            return content[:size]
        n_bytes *= 2


def _read(path: Path, offset: int, content: bytes, headers_only: bool, **options: str) -> Stream:
    from phasenet_keras.io.obspy_formats import read_as

    where = f"{path}, bytes {offset} to {offset + len(content)}"
    try:
        # Where headers will do it is said when the samples are read.
        with warnings.catch_warnings(action="ignore") if headers_only else naming(where):
            if reader_of(path).name == MINISEED_3:
                stream = read_records_3(content, headers_only, **options)
            else:
                stream = read_as(content, "MSEED", headers_only, **options)
    except Exception as error:  # ObsPy raises what its C code and headers lead to
        raise FormatError(f"{where}: damaged or no miniSEED: {error}") from error
    # That of rates was said with the headers, of all stations.
    keep_usable_traces(stream, where, headers_only, is_said=headers_only)
    is_told = all(trace.stats.station and is_dated(trace.stats.starttime) for trace in stream)
    note_source(stream, path, None if is_told else _every_trace(path, path.stat().st_mtime_ns))
    return stream
