"""miniSEED 3, which ObsPy does not read: records decoded by EarthScope's pymseed."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from phasenet_keras.io.drift import follows
from phasenet_keras.io.mseed_clock import Records, note_times, warn_of_drift
from phasenet_keras.io.mseed_headers import RecordTimes
from phasenet_keras.io.registry import Reader, UnknownFormatError, say
from phasenet_keras.types import FormatError

if TYPE_CHECKING:
    from obspy import Stream, Trace
    from pymseed import MS3Record

__all__ = ["MINISEED_3", "READER", "bytes_of_whole_records_3", "read_records_3"]

MINISEED_3 = "miniSEED 3"
MARK = b"MS\x03"
# Of the fixed header: where the lengths of identifier, extra headers and samples are.
HEADER_BYTES, LENGTHS_AT, LENGTHS = 40, 33, struct.Struct("<BHI")
LARGEST_RECORD_BYTES = 10 << 20  # as libmseed takes them
# Of the encodings whose samples are not int32.
SAMPLE_TYPES = {0: "S1", 4: "f4", 5: "f8"}


class _Kind(NamedTuple):
    """What records of one trace have in common."""

    codes: tuple[str, str, str, str]  # network, station, location, channel
    version: int
    rate: str
    sample_type: str

    @property
    def is_text(self) -> bool:
        return self.sample_type == SAMPLE_TYPES[0]


class _Record(NamedTuple):
    start_ns: int
    rate_hz: float
    n_samples: int
    samples: np.ndarray | None  # None: headers alone


def bytes_of_whole_records_3(content: bytes) -> int:
    """Return where the last whole record ends of bytes that begin with one.

    Example:
        >>> bytes_of_whole_records_3(b"MS" + bytes(98))
        98
    """
    offset = 0
    while offset + HEADER_BYTES <= len(content):
        length = _length_at(content, offset)
        if length is None:
            found = content.find(MARK, offset + 1)
            offset = found if found > 0 else len(content) - len(MARK) + 1
        elif offset + length > len(content):
            break
        else:
            offset += length
    return offset


def read_records_3(content: bytes, headers_only: bool = False, sourcename: str = "") -> Stream:
    """Read miniSEED 3: records that follow each other are one trace, with its clock.

    Args:
        content: of a file, or a part of it that begins with a record.
        headers_only: leave out the samples.
        sourcename: ``NET.STA.LOC.CHA*``: samples of other channels are not decoded, nor given.

    Raises:
        FormatError: if no record can be read.

    Warns:
        RecordWarning: for records that are damaged, or cut short at the end.
        FormatNote: if the times of records drift by a sample.
    """
    from obspy import Stream

    found: dict[_Kind, list[_Record]] = {}
    lost: list[tuple[int, str]] = []
    for offset, header in _headers_of(content):
        item = _content_of(header, headers_only, sourcename.rstrip("*"))
        if isinstance(item, str):
            lost.append((offset, item))
        elif item:
            found.setdefault(item[0], []).append(item[1])
    if lost and not found:
        raise FormatError(lost[0][1])
    if lost:
        text = f"damaged records, or cut short: {len(lost)}, from byte {lost[0][0]} on"
        say(f"{text} ({lost[0][1]}): left out")
    stream = Stream([trace for kind, records in found.items() for trace in _traces(kind, records)])
    warn_of_drift(stream)
    return stream


def _length_at(content: bytes, offset: int) -> int | None:
    """Return how many bytes a record has; None if none begins there."""
    if not content.startswith(MARK, offset):
        return None
    length = HEADER_BYTES + sum(LENGTHS.unpack_from(content, offset + LENGTHS_AT))
    return length if length <= LARGEST_RECORD_BYTES else None


def _headers_of(content: bytes) -> Iterator[tuple[int, MS3Record | str]]:
    """Yield where records are, and their headers, which the next ones overwrite, or what is wrong.

    After what is wrong it goes on where the next record may begin.
    """
    from pymseed import MiniSEEDError, MS3Record

    offset = 0
    while 0 <= offset < len(content):
        headers = MS3Record.from_buffer(memoryview(content)[offset:])
        while True:
            try:
                header = next(headers, None)
            except MiniSEEDError as error:
                yield offset, _said(error)
                break
            if header is None:
                return
            length = header.reclen
            yield offset, header
            offset += length
        offset = content.find(MARK, offset + 1)


def _content_of(
    header: MS3Record | str, headers_only: bool, wanted: str
) -> tuple[_Kind, _Record] | str | None:
    """Return what a record holds, or why it is lost; None: nothing that is wanted."""
    from pymseed import MiniSEEDError

    if isinstance(header, str):
        return header
    try:
        kind = _kind_of(header)
        if not header.samplecnt or not ".".join(kind.codes).startswith(wanted):
            return None
        return kind, _decoded(header, kind, headers_only)
    except (MiniSEEDError, UnicodeDecodeError) as error:
        return _said(error)


def _said(error: Exception) -> str:
    return str(error).partition(" :: ")[0].removeprefix("Error: ")


def _kind_of(record: MS3Record) -> _Kind:
    sample_type = SAMPLE_TYPES.get(record.encoding, "i4")
    codes = _codes_of(record.sourceid)
    return _Kind(codes, record.pubversion, f"{record.samprate:.6g}", sample_type)


@lru_cache(1024)
def _codes_of(source_id: str) -> tuple[str, str, str, str]:
    from pymseed import sourceid2nslc

    try:
        return sourceid2nslc(source_id)
    except ValueError:  # an identifier of another agency
        return "", source_id.replace(".", "_"), "", ""


def _decoded(record: MS3Record, kind: _Kind, headers_only: bool) -> _Record:
    """Return what a record holds; of text only that there is some.

    Raises:
        MiniSEEDError: if its samples cannot be decoded.
    """
    samples = None
    if kind.is_text:
        samples = np.zeros(1, kind.sample_type)
    elif not headers_only:
        record.unpack_data()
        samples = record.np_datasamples.copy()  # the record's memory is the next one's
    return _Record(record.starttime, record.samprate, record.samplecnt, samples)


def _traces(kind: _Kind, records: list[_Record]) -> Iterator[Trace]:
    """Yield traces, each of records that follow each other."""
    rate_hz = records[0].rate_hz
    start_ns = np.array([record.start_ns for record in records], np.int64)
    of_channel = Records(RecordTimes(start_ns, np.array([r.n_samples for r in records], np.int64)))
    has_rate = math.isfinite(rate_hz) and rate_hz > 0
    is_next = np.zeros(len(records) - 1, bool)
    if has_rate and not kind.is_text:
        is_next = follows(of_channel.off_samples(slice(0, len(records)), rate_hz))
    edges = [0, *(np.flatnonzero(~is_next) + 1).tolist(), len(records)]
    for begin, end in pairwise(edges):
        trace = _trace(kind, records[begin:end])
        if has_rate and not kind.is_text:
            note_times(trace, of_channel, slice(begin, end))
        yield trace


def _trace(kind: _Kind, records: list[_Record]) -> Trace:
    from obspy import Trace, UTCDateTime

    header: dict[str, Any] = dict(
        zip(("network", "station", "location", "channel"), kind.codes, strict=True)
    )
    header |= {
        "sampling_rate": records[0].rate_hz,
        "starttime": UTCDateTime(ns=records[0].start_ns),
    }
    header |= {"_format": "MSEED", "mseed": {"encoding": "ASCII"} if kind.is_text else {}}
    samples = [record.samples for record in records if record.samples is not None]
    if samples:
        return Trace(samples[0] if len(samples) == 1 else np.concatenate(samples), header)
    return Trace(header=header | {"npts": sum(record.n_samples for record in records)})


def _is_miniseed_3(path: Path, head: bytes) -> bool:
    if not head.startswith(MARK):
        return False
    if find_spec("pymseed") is None:
        raise UnknownFormatError(
            f"{path} is miniSEED 3, which ObsPy does not read: pip install "
            "'phasenet-keras[mseed3]', or make miniSEED 2 of it (mseedconvert, pymseed)"
        )
    return True


def _read(path: Path, headers_only: bool) -> Stream:
    try:
        return read_records_3(path.read_bytes(), headers_only)
    except FormatError as error:
        raise FormatError(f"{path} is damaged or no {MINISEED_3}: {error}") from error


# Registered beside miniSEED: this module is imported for other things, too, and the order counts.
READER = Reader(MINISEED_3, (".mseed3", ".ms3"), _is_miniseed_3, _read)
