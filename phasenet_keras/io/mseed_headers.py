"""What miniSEED's record headers claim, compared with the bytes that the records have."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from phasenet_keras.io.registry import say
from phasenet_keras.types import FormatError

__all__ = [
    "LARGEST_RECORD_BYTES",
    "LEAST_RECORD_BYTES",
    "Extent",
    "RecordTimes",
    "bytes_of_whole_records",
    "record_extents",
    "record_times",
    "whole_records",
    "without",
]

FIXED_HEADER_BYTES = 48
LEAST_RECORD_BYTES, LARGEST_RECORD_BYTES = 128, 1 << 20
QUALITIES = tuple(b"DRQM")
# Of the fixed header (SEED manual 2.4, "fixed section of data header"), and of blockette 1000.
FIELDS = {"year": 20, "day": 22, "n_samples": 30, "data_offset": 44, "blockette": 46}
FORMAT_BLOCKETTE, FINE_TIME_BLOCKETTE = 1000, 1001
TIME_FIELDS = {
    "year": (20, "u2"),
    "day": (22, "u2"),
    "hour": (24, "u1"),
    "minute": (25, "u1"),
    "second": (26, "u1"),
    "tenths_ms": (28, "u2"),
    "n_samples": (30, "u2"),
    "activity": (36, "u1"),
    "correction_tenths_ms": (40, "i4"),
}
IS_CORRECTED = 0x02  # of the activity flags: the time correction is in the time already
# Quality, station, location, channel and network.
CODES = {"quality": (6, 7), "station": (8, 13), "location": (13, 15)}
CODES |= {"channel": (15, 18), "network": (18, 20)}
# Bytes of a sample for the encodings that are not compressed: text, whole numbers, floats,
# GEOSCOPE, CDSN, SRO, DWWSSN. The decoders of the others know where their bytes end.
SAMPLE_BYTES = {0: 1, 1: 2, 3: 4, 4: 4, 5: 8, 12: 3, 13: 2, 14: 2, 16: 2, 30: 2, 32: 2}
BYTES_OF_ENCODING = np.array([SAMPLE_BYTES.get(code, 0) for code in range(256)])

Extent = tuple[int, int]  # offset and length in bytes
Numbers = np.ndarray | int


def whole_records(content: bytes | np.ndarray) -> bytes | None:
    """Leave out the records that claim more samples than their bytes can hold.

    ObsPy's decoders of what is not compressed believe the header. They would read on into the
    next records, or past the end, which can end the process. A record that names two encodings is
    left out, too: ObsPy finds its length by the first, and decodes by the last.

    Args:
        content: of a miniSEED file, or a part of it that begins with a record: bytes or uint8.

    Returns:
        What is left; None if nothing has to be left out.

    Raises:
        FormatError: if no record is left.

    Warns:
        RecordWarning: if some are left out, from which byte on.

    Example:
        >>> whole_records(b"no miniSEED") is None
        True
    """
    data = np.frombuffer(content, np.uint8)
    bad = _bad_of_one_form(data)
    if bad is None:
        bad = list(_bad_of_any_form(data))
    if not bad:
        return None
    text = f"records that claim more samples than they hold: {len(bad)}, from byte {bad[0][0]} on"
    others = without(data, bad)
    if not others:
        raise FormatError(f"{text}; no others are there")
    say(f"{text}: left out")
    return others


def without(data: np.ndarray, records: Iterable[Extent]) -> bytes:
    """Return what is left of bytes without some records.

    Example:
        >>> without(np.frombuffer(b"abcdef", np.uint8), [(1, 2)])
        b'adef'
    """
    keep = np.ones(len(data), bool)
    for offset, length in records:
        keep[offset : offset + length] = False
    return data[keep].tobytes()


def bytes_of_whole_records(content: bytes, length: int) -> int:
    """Return where the last whole record ends of bytes that begin with one.

    Args:
        content: of miniSEED.
        length: of records, where none says its own.

    Example:
        >>> bytes_of_whole_records(b"no miniSEED", 4)
        8
    """
    alike = _record_like_all(np.frombuffer(content, np.uint8))
    if alike:
        return len(content) - len(content) % alike[0].length
    view, offset, n_records = memoryview(content), 0, 0
    while offset + LEAST_RECORD_BYTES <= len(content):
        record = _record(view, offset)
        step = record.length if record else LEAST_RECORD_BYTES
        if offset + step > len(content):
            break
        offset += step
        n_records += record is not None
    return offset if n_records else len(content) - len(content) % length


def _bad_of_one_form(data: np.ndarray) -> list[Extent] | None:
    """Return the bad records if all look like the first, looked at all at once; else None.

    A day of a station has ten thousands, and they nearly always do, but for their encoding.
    """
    found = _record_like_all(data)
    if found is None:
        return None
    first, heads = found
    length, [at] = first.length, first.formats
    claims = _fields_of(heads, first.order, {name: (at, "u2") for name, at in FIELDS.items()})
    is_bad = _claims_too_much(
        claims["n_samples"].astype(int),
        claims["data_offset"].astype(int),
        BYTES_OF_ENCODING[heads[:, at + 4]],
        length,
    )
    return [(int(number) * length, length) for number in np.flatnonzero(is_bad)]


def _record_like_all(data: np.ndarray) -> tuple[_Record, np.ndarray] | None:
    """Return the first record, and the first bytes of all, if these are of its form.

    That is its length, byte order and blockettes; the bytes are as many as the shortest have.
    """
    view = data.data
    first = _record(view, 0)
    if first is None or first.length > len(data) or len(first.formats) > 1:
        return None
    length, [at] = first.length, first.formats
    end = len(data) - len(data) % length
    if max(first.chain) + 8 > LEAST_RECORD_BYTES or (_record(view, end) or first).length != length:
        return None
    heads = np.ascontiguousarray(data[:end].reshape(-1, length)[:, :LEAST_RECORD_BYTES])
    date = _fields_of(heads, first.order, TIME_FIELDS)
    same = [46, 47, at + 6, *(place + n for place in first.chain for n in range(4))]
    is_alike = (
        np.isin(heads[:, 6], QUALITIES).all()
        and np.all(_is_date(date["year"], date["day"]))
        and np.all(heads[:, same] == heads[0, same])
    )
    return (first, heads) if is_alike else None


def _fields_of(heads: np.ndarray, order: str, fields: dict[str, tuple[int, str]]) -> np.ndarray:
    """Return fields of headers, each named and of a place and a type, as a structured array."""
    places, kinds = zip(*fields.values(), strict=True)
    layout = np.dtype(
        {
            "names": list(fields),
            "formats": [order + kind for kind in kinds],
            "offsets": list(places),
            "itemsize": LEAST_RECORD_BYTES,
        }
    )
    return heads.view(layout)[:, 0]


class RecordTimes(NamedTuple):
    """What the headers of the records of one channel say, in their order in the file.

    Attributes:
        start_ns: of their first samples, in ns since 1970, ``(n_records,)``, int64.
        n_samples: of each, ``(n_records,)``, int64.
    """

    start_ns: np.ndarray
    n_samples: np.ndarray


def record_times(data: np.ndarray) -> dict[tuple[str, ...], RecordTimes]:
    """Return the times of whole records by quality, station, location, channel and network.

    Records without samples are passed over.

    The time correction and the microseconds of blockette 1001 are in them (SEED manual 2.4).

    Args:
        data: of a miniSEED file, or a part of it that begins with a record: uint8.

    Example:
        >>> record_times(np.zeros(512, np.uint8))
        {}
    """
    alike = _record_like_all(data)
    if alike:
        first, heads = alike
        offsets = np.arange(len(heads)) * first.length
        fine_at, orders = np.full(len(heads), first.fine_at), np.full(len(heads), first.order)
    else:
        found = list(_records_of(data))
        offsets = np.array([offset for offset, _ in found], int)
        fine_at = np.array([record.fine_at for _, record in found], int)
        orders = np.array([record.order for _, record in found], "U1")
        heads = data[offsets[:, None] + np.arange(LEAST_RECORD_BYTES)]
    start_ns, n_samples = np.zeros((2, len(heads)), np.int64)
    for order in set(orders.tolist()):
        which = orders == order
        fields = _fields_of(heads[which], order, TIME_FIELDS)
        start_ns[which], n_samples[which] = _start_ns(fields), fields["n_samples"]
    fine_us = data[offsets + fine_at + 5].view(np.int8).astype(np.int64)
    start_ns += 1_000 * np.where(fine_at > 0, fine_us, 0)
    with_samples = np.flatnonzero(n_samples)
    names = np.ascontiguousarray(heads[with_samples, 6:20]).view("S14")[:, 0]
    # Sorted once: a file may have thousands of channels.
    known, which = np.unique(names, return_inverse=True)
    by_name = np.split(with_samples[which.argsort(kind="stable")], np.bincount(which).cumsum()[:-1])
    return {
        _codes(name): RecordTimes(start_ns[of_name], n_samples[of_name])
        for name, of_name in zip(known.tolist(), by_name, strict=False)
    }


def _codes(name: bytes) -> tuple[str, ...]:
    """Return quality, station, location, channel and network from bytes 6 to 20 of a header."""
    text = name.decode("latin-1")
    return tuple(text[begin - 6 : end - 6].strip(" \0") for begin, end in CODES.values())


def _start_ns(fields: np.ndarray) -> np.ndarray:
    """Return the times of headers in ns since 1970, without the microseconds of blockette 1001."""
    years = (fields["year"].astype(np.int64) - 1970).astype("datetime64[Y]")
    days = years.astype("datetime64[D]").astype(np.int64) + fields["day"] - 1
    seconds = 86_400 * days + 3_600 * fields["hour"].astype(np.int64)
    seconds += 60 * fields["minute"].astype(np.int64) + fields["second"]
    is_due = fields["activity"] & IS_CORRECTED == 0
    tenths_ms = fields["tenths_ms"] + np.where(is_due, fields["correction_tenths_ms"], 0)
    return 1_000_000_000 * seconds + 100_000 * tenths_ms.astype(np.int64)


def record_extents(data: np.ndarray) -> list[Extent]:
    """Return where the whole records of miniSEED are that say their length.

    Example:
        >>> record_extents(np.zeros(512, np.uint8))
        []
    """
    return [(offset, record.length) for offset, record in _records_of(data)]


def _bad_of_any_form(data: np.ndarray) -> Iterator[Extent]:
    for offset, record in _records_of(data):
        sample_bytes = SAMPLE_BYTES.get(record.encoding, 0)
        if len(record.formats) > 1 or _claims_too_much(
            record.n_samples, record.data_offset, sample_bytes, record.length
        ):
            yield offset, record.length


def _records_of(data: np.ndarray) -> Iterator[tuple[int, _Record]]:
    """Yield the whole records, going from one to the next; what is no record is passed over."""
    view, offset = data.data, 0
    while offset + LEAST_RECORD_BYTES <= len(data):
        record = _record(view, offset)
        if record and offset + record.length <= len(data):
            yield offset, record
        offset += record.length if record else LEAST_RECORD_BYTES


def _claims_too_much(
    n_samples: Numbers, data_offset: Numbers, sample_bytes: Numbers, length: int
) -> Numbers:
    is_outside = (data_offset < FIXED_HEADER_BYTES) | (data_offset >= length)
    return (n_samples > 0) & (is_outside | (data_offset + n_samples * sample_bytes > length))


class _Record(NamedTuple):
    """What the header of a record says; all but the encoding and the count in bytes."""

    length: int
    n_samples: int
    data_offset: int
    encoding: int
    order: str
    chain: list[int]  # where the blockettes begin
    formats: list[int]  # of these, where those that say length and encoding do: one, if it is sound
    fine_at: int  # of these, where the one is that has the microseconds; 0: there is none


def _record(view: memoryview, offset: int) -> _Record | None:
    """Return what a record says of itself.

    None if there is no record, or no blockette 1000: that is decoded as compressed.
    """
    if len(view) - offset < LEAST_RECORD_BYTES or view[offset + 6] not in QUALITIES:
        return None
    number = bytes(view[offset : offset + 6])
    if not number.isdigit() and not number.replace(b" ", b"0").replace(b"\0", b"0").isdigit():
        return None
    # In the order in which the date is one, as libmseed decides it: little-endian first.
    order = "<" if _is_date(*struct.unpack_from("<2H", view, offset + FIELDS["year"])) else ">"
    [n_samples] = struct.unpack_from(f"{order}H", view, offset + FIELDS["n_samples"])
    data_offset, at = struct.unpack_from(f"{order}2H", view, offset + FIELDS["data_offset"])
    chain, formats, fine_at = [], [], 0
    while at > 0 and offset + at + 8 <= len(view):
        kind, following = struct.unpack_from(f"{order}2H", view, offset + at)
        chain.append(at)
        if kind == FORMAT_BLOCKETTE:
            formats.append(at)
        elif kind == FINE_TIME_BLOCKETTE:
            fine_at = at
        at = following if following > at else 0
    if not formats:
        return None
    encoding, exponent = (view[offset + formats[0] + place] for place in (4, 6))
    length = 1 << exponent
    if not max(LEAST_RECORD_BYTES, formats[0] + 1) <= length <= LARGEST_RECORD_BYTES:
        return None
    chain, formats = ([at for at in places if at < length] for places in (chain, formats))
    fine_at = fine_at if fine_at < length else 0
    return _Record(length, n_samples, data_offset, encoding, order, chain, formats, fine_at)


def _is_date(year: Numbers, day: Numbers) -> Numbers:
    return (year >= 1900) & (year <= 2100) & (day >= 1) & (day <= 366)
