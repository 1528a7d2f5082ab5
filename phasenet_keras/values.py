"""Values as the nouns of the project keep them: samples that nobody can write to, UTC times."""

from __future__ import annotations

from datetime import MAXYEAR, MINYEAR, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from obspy import UTCDateTime

__all__ = ["as_float32", "frozen_samples", "time_type", "utc_time"]

# float32 counts exactly up to here.
FLOAT32_EXACT = 2.0**24
# So many times what is left without it, an offset that is less than that is large.
LARGE_OFFSET = 100.0
FINER_THAN_US = ("ns", "ps", "fs", "as")


def frozen_samples(given: Any, array: np.ndarray) -> np.ndarray:
    """Return samples as float32 that nobody can write to; they are copied if somebody could.

    A large offset of a channel is taken off, see `as_float32`.

    Args:
        given: the samples; those under a mask become NaN.
        array: the same without the mask, real numbers.

    Example:
        >>> x = np.arange(3, dtype=np.float32)
        >>> frozen_samples(np.ma.masked_equal(x, 1.0), x)
        array([ 0., nan,  2.], dtype=float32)
    """
    array = np.where(np.ma.getmask(given), np.nan, array) if np.ma.is_masked(given) else array
    data = as_float32(array)
    data = data.copy() if np.may_share_memory(data, array) and not _is_frozen(data) else data
    data.flags.writeable = False
    return data


def as_float32(array: np.ndarray) -> np.ndarray:
    """Return samples as float32, a channel less its mean where float32 would not keep the rest.

    Channels that float32 holds exactly are left as they are, and so are those whose mean is no
    large offset: beyond 2^24 not twice what is left without it, below not a hundred times.

    Args:
        array: real numbers, ``(samples,)`` or ``(samples, channels)``.

    Example:
        >>> as_float32(np.array([1e9, 1e9 + 0.5])), as_float32(np.array([1e9, 2.0]))
        (array([-0.25,  0.25], dtype=float32), array([1.e+09, 2.e+00], dtype=float32))
    """
    with np.errstate(over="ignore", invalid="ignore"):
        single = np.ascontiguousarray(array, dtype=np.float32)
        if np.can_cast(array.dtype, np.float32) or not array.size or np.array_equal(single, array):
            return single
        values = array.astype(np.float64, copy=False)
        centred = values - values.mean(axis=0)
        largest, spread = np.abs(values).max(axis=0), np.abs(centred).max(axis=0)
        n_times = np.where(largest > FLOAT32_EXACT, 2.0, LARGE_OFFSET)
        is_offset = (n_times * spread < largest) & (spread > 1e-12 * largest)  # more than rounding
        is_offset &= (single != array).any(axis=0)
        return np.where(is_offset, centred, values).astype(np.float32)


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
    """Return a time with its nanoseconds, in which NumPy can count from 1678 to 2262 alone."""
    if np.isnat(value):
        return None
    if np.datetime_data(value.dtype)[0] in FINER_THAN_US:
        return time_type()(ns=value.astype("M8[ns]").item())
    if MINYEAR <= 1970 + value.astype("M8[Y]").astype(int) <= MAXYEAR:
        return time_type()(value.astype("M8[us]").item())
    return None
