"""Values as the nouns of the project keep them: samples that nobody can write to, UTC times."""

from __future__ import annotations

from datetime import MAXYEAR, MINYEAR, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from obspy import UTCDateTime

__all__ = ["FLOAT32_EXACT", "frozen_samples", "time_type", "utc_time"]

# float32 counts exactly up to here; a larger offset is taken off before the conversion.
FLOAT32_EXACT = 2.0**24


def frozen_samples(given: Any, array: np.ndarray) -> np.ndarray:
    """Return samples as float32 that nobody can write to; they are copied if somebody could.

    The mean of a channel is taken off before, where float32 would round the rest away beside it.

    Args:
        given: the samples; those under a mask become NaN.
        array: the same without the mask, real numbers.

    Example:
        >>> x = np.arange(3, dtype=np.float32)
        >>> frozen_samples(np.ma.masked_equal(x, 1.0), x)
        array([ 0., nan,  2.], dtype=float32)
    """
    array = np.where(np.ma.getmask(given), np.nan, array) if np.ma.is_masked(given) else array
    with np.errstate(over="ignore"):
        data = np.ascontiguousarray(_as_small_as_exact(array), dtype=np.float32)
    data = data.copy() if np.may_share_memory(data, array) and not _is_frozen(data) else data
    data.flags.writeable = False
    return data


def _as_small_as_exact(array: np.ndarray) -> np.ndarray:
    if np.can_cast(array.dtype, np.float32) or not array.size or not np.isfinite(array).all():
        return array
    values = array.astype(np.float64)
    largest = np.abs(values).max(axis=0)
    if np.all(largest <= FLOAT32_EXACT):
        return array
    centred = values - values.mean(axis=0)
    spread = np.abs(centred).max(axis=0)
    is_more_than_rounding = spread > 1e-12 * largest
    is_offset = (largest > FLOAT32_EXACT) & is_more_than_rounding & (spread < largest / 2)
    return np.where(is_offset, centred, values)


def _is_frozen(array: Any) -> bool:
    """Tell if neither an array nor one that it is a view of can be written to."""
    while isinstance(array, np.ndarray) and not array.flags.writeable:
        array = array.base
    return array is None


@cache
def time_type() -> type[UTCDateTime]:
    """Return ObsPy's class of times, which is imported late: it takes half a second."""
    from obspy import UTCDateTime

    return UTCDateTime


def utc_time(value: Any) -> UTCDateTime | None:
    """Return a time as ObsPy has it, here alone others become one; None for what is no time.

    Example:
        >>> str(utc_time(np.datetime64("2300-01-01"))), utc_time(5.0)
        ('2300-01-01T00:00:00.000000Z', None)
    """
    if isinstance(value, time_type()):
        return value
    try:
        if isinstance(value, np.datetime64):
            return _of_numpy(value)
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return time_type()(moment) if isinstance(moment, datetime) else None
    except (TypeError, ValueError, OverflowError):
        return None


def _of_numpy(value: np.datetime64) -> UTCDateTime | None:
    """Return a time with its nanoseconds, which NumPy can count from 1678 to 2262 alone."""
    if np.isnat(value):
        return None
    year, in_ns = value.astype("M8[Y]"), value.astype("M8[ns]")
    if in_ns.astype("M8[Y]") == year:
        return time_type()(ns=in_ns.item())
    if MINYEAR <= 1970 + year.astype(int) <= MAXYEAR:
        return time_type()(value.astype("M8[us]").item())
    return None
