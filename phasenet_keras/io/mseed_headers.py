"""What miniSEED's record headers claim, compared with the bytes that the records have."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.types import FormatError

__all__ = [
    "LARGEST_RECORD_BYTES",
    "LEAST_RECORD_BYTES",
    "Extent",
    "bytes_of_whole_records",
    "record_extents",
    "whole_records",
]

FIXED_HEADER_BYTES = 48
LEAST_RECORD_BYTES, LARGEST_RECORD_BYTES = 128, 1 << 20
QUALITIES = tuple(b"DRQM")
# Of the fixed header (SEED manual 2.4, "fixed section of data header"), and of blockette 1000.
FIELDS = {"year": 20, "day": 22, "n_samples": 30, "data_offset": 44, "blockette": 46}
FORMAT_BLOCKETTE = 1000
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
    keep = np.ones(len(data), bool)
    for offset, length in bad:
        keep[offset : offset + length] = False
    if not keep.any():
        raise FormatError(f"{text}; no others are there")
    warnings.warn(f"{text}: left out", RecordWarning, stacklevel=3)
    return data[keep].tobytes()


def bytes_of_whole_records(content: bytes, length: int) -> int:
    """Return where the last record ends that is whole.

    Args:
        content: a part of a miniSEED file that begins with a record.
        length: of records, where none says its own.

    Example:
        >>> bytes_of_whole_records(b"no miniSEED", 4)
        8
    """
    view = memoryview(content)
    first = _record(view, 0)
    if first and first.length <= len(content) and _are_all_of_length(content, first):
        return len(content) - len(content) % first.length
    offset, n_records = 0, 0
    while offset + LEAST_RECORD_BYTES <= len(content):
        record = _record(view, offset)
        step = record.length if record else LEAST_RECORD_BYTES
        if offset + step > len(content):
            break
        offset += step
        n_records += record is not None
    return offset if n_records else len(content) - len(content) % length


def _are_all_of_length(content: bytes, first: _Record) -> bool:
    """Tell if a record of the first one's length is wherever there should be one."""
    n_records = len(content) // first.length
    heads = np.frombuffer(content, np.uint8, n_records * first.length).reshape(n_records, -1)
    exponent = heads[:, first.formats[0] + 6]
    return bool(np.isin(heads[:, 6], QUALITIES).all() and np.all(exponent == exponent[0]))


def _bad_of_one_form(data: np.ndarray) -> list[Extent] | None:
    """Return the bad records if all look like the first, looked at all at once; else None.

    A day of a station has ten thousands, and they nearly always do, but for their encoding.
    """
    view = data.data
    first = _record(view, 0)
    if first is None or first.length > len(data) or len(first.formats) > 1:
        return None
    length, [at] = first.length, first.formats
    end = len(data) - len(data) % length
    if max(first.chain) + 8 > LEAST_RECORD_BYTES or (_record(view, end) or first).length != length:
        return None
    heads = data[:end].reshape(-1, length)[:, :LEAST_RECORD_BYTES]
    fields = np.dtype(
        {
            "names": list(FIELDS),
            "formats": [f"{first.order}u2"] * len(FIELDS),
            "offsets": list(FIELDS.values()),
            "itemsize": LEAST_RECORD_BYTES,
        }
    )
    claims = np.ascontiguousarray(heads).view(fields)[:, 0]
    same = [46, 47, at + 6, *(place + n for place in first.chain for n in range(4))]
    is_alike = (
        np.isin(heads[:, 6], QUALITIES).all()
        and np.all(_is_date(claims["year"], claims["day"]))
        and np.all(heads[:, same] == heads[0, same])
    )
    if not is_alike:
        return None
    is_bad = _claims_too_much(
        claims["n_samples"].astype(int),
        claims["data_offset"].astype(int),
        BYTES_OF_ENCODING[heads[:, at + 4]],
        length,
    )
    return [(int(number) * length, length) for number in np.flatnonzero(is_bad)]


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
    chain, formats = [], []
    while at > 0 and offset + at + 8 <= len(view):
        kind, following = struct.unpack_from(f"{order}2H", view, offset + at)
        chain.append(at)
        if kind == FORMAT_BLOCKETTE:
            formats.append(at)
        at = following if following > at else 0
    if not formats:
        return None
    encoding, exponent = (view[offset + formats[0] + place] for place in (4, 6))
    length = 1 << exponent
    if not max(LEAST_RECORD_BYTES, formats[0] + 1) <= length <= LARGEST_RECORD_BYTES:
        return None
    chain, formats = ([at for at in places if at < length] for places in (chain, formats))
    return _Record(length, n_samples, data_offset, encoding, order, chain, formats)


def _is_date(year: Numbers, day: Numbers) -> Numbers:
    return (year >= 1900) & (year <= 2100) & (day >= 1) & (day <= 366)
