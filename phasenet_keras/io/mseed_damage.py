"""miniSEED records that cannot be decoded: found, left out, and said."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from phasenet_keras.io.mseed_headers import Extent, record_extents, without
from phasenet_keras.io.registry import say

if TYPE_CHECKING:
    from obspy import Stream

__all__ = ["read_undamaged"]

MOST_CHANNELS = 6
# Decodes bytes, or reads their headers alone.
Decode = Callable[[bytes, bool], "Stream"]


def read_undamaged(
    content: bytes | np.ndarray, headers_only: bool, decode: Decode
) -> Stream | None:
    """Read miniSEED that ObsPy refused, without the records that cannot be decoded.

    One such record makes ObsPy refuse all that it is given. They are found by halves: what is
    decoded on the way is not kept, so that no more is held than without damage.

    Args:
        content: of a file, or a part of it that begins with a record: bytes or uint8.
        headers_only: leave out the samples.
        decode: ObsPy's reader.

    Returns:
        The others; None if there is none.

    Raises:
        Exception: what ObsPy's reader says, if it refuses records together, but none alone.

    Warns:
        RecordWarning: if some are left out: how many, of which channel, from when to when.
    """
    data = np.frombuffer(content, np.uint8)
    records = record_extents(data)
    bad = _undecodable(data, records, headers_only, decode)
    if len(bad) == len(records):
        return None
    stream = decode(without(data, bad), headers_only)
    if bad:
        say(f"damaged records left out: {_said_of(data, bad, decode)}")
    return stream


def _undecodable(
    data: np.ndarray, records: list[Extent], headers_only: bool, decode: Decode
) -> list[Extent]:
    if not records or _can_be_read(_bytes_of(data, records), headers_only, decode):
        return []
    if len(records) == 1:
        return records
    middle = len(records) // 2
    halves = (records[:middle], records[middle:])
    return [item for half in halves for item in _undecodable(data, half, headers_only, decode)]


def _bytes_of(data: np.ndarray, records: list[Extent]) -> bytes:
    """Return the bytes from the first of these records to the end of the last."""
    offset, length = records[-1]
    return data[records[0][0] : offset + length].tobytes()


def _can_be_read(content: bytes, headers_only: bool, decode: Decode) -> bool:
    with warnings.catch_warnings(action="ignore"):  # said when what is left is read
        try:
            decode(content, headers_only)
        except Exception:  # whatever ObsPy's C code and the headers lead to
            return False
    return True


def _said_of(data: np.ndarray, bad: list[Extent], decode: Decode) -> str:
    """Return how many records are of which channel, from when to when their headers say."""
    found: dict[str, list[tuple[int, str, str]]] = {}
    for number, record in enumerate(bad):
        with warnings.catch_warnings(action="ignore"):
            try:
                [trace] = decode(_bytes_of(data, [record]), True)
                begin, end = trace.stats.starttime, trace.stats.endtime
                item = begin.ns, str(begin), str(end)
                name = trace.id
            except Exception:  # its header is damaged, too
                item, name = (number, f"byte {record[0]}", f"{sum(record)}"), "unknown channels"
        found.setdefault(name, []).append(item)
    return "; ".join(
        f"{len(items)} of {name}, from {min(items)[1]} to {max(items)[2]}"
        for name, items in [*found.items()][:MOST_CHANNELS]
    ) + ("; …" if len(found) > MOST_CHANNELS else "")
