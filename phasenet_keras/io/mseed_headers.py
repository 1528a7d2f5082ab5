"""What miniSEED's record headers claim, compared with the bytes that the records have."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator

import numpy as np

from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.types import FormatError

__all__ = ["whole_records"]

FIXED_HEADER_BYTES = 48
LEAST_RECORD_BYTES, LARGEST_RECORD_BYTES = 128, 1 << 20
QUALITIES = tuple(b"DRQM")
# Of the fixed header (SEED manual 2.4, "fixed section of data header"), and of blockette 1000.
FIELDS = {"year": 20, "day": 22, "n_samples": 30, "data_offset": 44, "blockette": 46}
FORMAT_BLOCKETTE = 1000
# Bytes of a sample for the encodings that are not compressed: text, whole numbers, floats,
# GEOSCOPE, CDSN, SRO, DWWSSN. The decoders of the others know where their bytes end.
SAMPLE_BYTES = {0: 1, 1: 2, 3: 4, 4: 4, 5: 8, 12: 3, 13: 2, 14: 2, 16: 2, 30: 2, 32: 2}

Extent = tuple[int, int]  # offset and length in bytes
Numbers = np.ndarray | int


def whole_records(content: bytes | np.ndarray) -> bytes | None:
    """Leave out the records that claim more samples than their bytes can hold.

    ObsPy's decoders of what is not compressed believe the header. They would read on into the
    next records, or past the end, which can end the process.

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
    data = np.frombuffer(content, np.uint8) if isinstance(content, bytes) else content
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


def _bad_of_one_form(data: np.ndarray) -> list[Extent] | None:
    """Return the bad records if all look like the first, looked at all at once; else None.

    A day of a station has ten thousands, and they nearly always do.
    """
    first = _record(data, 0)
    if first is None or first[0] > len(data):
        return None
    length, encoding, at = first
    end = len(data) - len(data) % length
    if at + 8 > LEAST_RECORD_BYTES or (_record(data, end) or first)[0] != length:
        return None
    heads = data[:end].reshape(-1, length)[:, :LEAST_RECORD_BYTES]
    order = _byte_order(data, 0)
    fields = np.dtype(
        {
            "names": list(FIELDS),
            "formats": [f"{order}u2"] * len(FIELDS),
            "offsets": list(FIELDS.values()),
            "itemsize": LEAST_RECORD_BYTES,
        }
    )
    claims = np.ascontiguousarray(heads).view(fields)[:, 0]
    same = [*range(46, 48), *range(at, at + 2), *range(at + 4, at + 7)]
    is_alike = (
        np.isin(heads[:, 6], QUALITIES).all()
        and np.all(_is_date(claims["year"], claims["day"]))
        and np.all(heads[:, same] == heads[0, same])
    )
    if not is_alike:
        return None
    is_bad = _claims_too_much(
        claims["n_samples"].astype(int), claims["data_offset"].astype(int), encoding, length
    )
    return [(int(number) * length, length) for number in np.flatnonzero(is_bad)]


def _bad_of_any_form(data: np.ndarray) -> Iterator[Extent]:
    """Yield the bad records, going from one to the next; what is no record is passed over."""
    offset = 0
    while offset + LEAST_RECORD_BYTES <= len(data):
        record = _record(data, offset)
        if record is None:
            offset += LEAST_RECORD_BYTES
            continue
        length, encoding, _ = record
        [n_samples] = _numbers(data, offset, FIELDS["n_samples"])
        [data_offset] = _numbers(data, offset, FIELDS["data_offset"])
        is_whole = offset + length <= len(data)
        if is_whole and _claims_too_much(n_samples, data_offset, encoding, length):
            yield offset, length
        offset += length


def _claims_too_much(
    n_samples: Numbers, data_offset: Numbers, encoding: int, length: int
) -> Numbers:
    ends_at = data_offset + n_samples * SAMPLE_BYTES.get(encoding, 0)
    is_outside = (data_offset < FIXED_HEADER_BYTES) | (data_offset >= length)
    return (n_samples > 0) & (is_outside | (ends_at > length))


def _record(data: np.ndarray, offset: int) -> tuple[int, int, int] | None:
    """Return length and encoding of a record, and where the blockette that says so begins.

    None if there is no record, or no such blockette: that is decoded as compressed.
    """
    is_header = (
        len(data) - offset >= LEAST_RECORD_BYTES
        and bytes(data[offset : offset + 6]).replace(b" ", b"0").replace(b"\0", b"0").isdigit()
        and data[offset + 6] in QUALITIES
    )
    if not is_header:
        return None
    [at] = _numbers(data, offset, FIELDS["blockette"])
    while at > 0 and offset + at + 8 <= len(data):
        kind, following = _numbers(data, offset, at, 2)
        if kind == FORMAT_BLOCKETTE:
            encoding, _, exponent = (int(data[offset + at + place]) for place in (4, 5, 6))
            length = 1 << exponent
            if LEAST_RECORD_BYTES <= length <= LARGEST_RECORD_BYTES:
                return length, encoding, at
            return None
        at = following if following > at else 0
    return None


def _numbers(data: np.ndarray, offset: int, place: int, count: int = 1) -> tuple[int, ...]:
    begin = offset + place
    order = _byte_order(data, offset)
    return struct.unpack(f"{order}{count}H", data[begin : begin + 2 * count].tobytes())


def _byte_order(data: np.ndarray, offset: int) -> str:
    """Return the order in which the date is one, as libmseed decides it: little-endian first."""
    place = offset + FIELDS["year"]
    year, day = struct.unpack("<2H", data[place : place + 4].tobytes())
    return "<" if _is_date(year, day) else ">"


def _is_date(year: Numbers, day: Numbers) -> Numbers:
    return (year >= 1900) & (year <= 2100) & (day >= 1) & (day <= 366)
