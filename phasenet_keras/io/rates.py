"""The sampling rate among named values: attributes of HDF5, arrays of npz."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from phasenet_keras.io.wording import some
from phasenet_keras.types import FormatError

__all__ = [
    "DEFAULT_RATE_HZ",
    "SAME_RATE",
    "may_say_rate",
    "one_rate",
    "rate_of",
    "rates_in",
    "said_of_no_rate",
    "says_rate",
    "says_step",
]

# PhaseNet's, where nothing says another.
DEFAULT_RATE_HZ = 100.0
# As far rates are one; steps may have few digits.
SAME_RATE = 0.005
_RATE_NAMES = ("sampling_rate", "sample_rate", "sampling_frequency", "sample_frequency", "fs")
_STEP_NAMES = ("dt", "sampling_interval", "sample_interval", "sampling_period", "sample_period")


@lru_cache(1024)
def _plain(name: str) -> str:
    """Return a name as it is compared: SamplingRate is sampling_rate."""
    return re.sub(r"[^a-z0-9]", "", name.lower().replace("µ", "u").replace("μ", "u"))


def _with_units(names: Iterable[str], units: Mapping[str, float]) -> dict[str, float]:
    return {_plain(name + unit): value for name in names for unit, value in units.items()}


# Hz a unit, and seconds a unit, by plain name.
RATES_HZ = _with_units(_RATE_NAMES, {"hz": 1.0, "": 1.0, "khz": 1e3, "mhz": 1e6})
STEPS_S = _with_units(_STEP_NAMES, {"s": 1.0, "": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9})
# What else may be one.
_LIKE_ONE = re.compile(r"rate|sampling|freq|hz|^dt|delta|step|interval|period|^fs|^sr$|^sps")


def says_rate(name: str) -> bool:
    """Tell if a value of this name is a sampling rate, or the step of one sample.

    Example:
        >>> says_rate("SamplingRate"), says_rate("dt_us"), says_rate("station")
        (True, True, False)
    """
    return _plain(name) in RATES_HZ.keys() | STEPS_S.keys()


def says_step(name: str) -> bool:
    """Tell if it is the step of one sample: in few digits, often."""
    return _plain(name) in STEPS_S


def may_say_rate(name: str) -> bool:
    """Tell if a value of this name may be a rate or a step, though no name that is known.

    Example:
        >>> may_say_rate("df_hz"), may_say_rate("station")
        (True, False)
    """
    return bool(_LIKE_ONE.search(_plain(name)))


def rate_of(names: Iterable[str], number_of: Callable[[str], float | None]) -> float | None:
    """Return the sampling rate in Hz that the values say; None where none does.

    Args:
        names: of all values.
        number_of: the number in the value of a name; None for one that is not there after all.

    Raises:
        FormatError: for a rate or step that is not above 0, and for several that differ.

    Example:
        >>> rate_of(["data", "sampling_rate_MHz"], {"sampling_rate_MHz": 10.0}.get)
        10000000.0
    """
    return one_rate(rates_in(names, number_of))


def rates_in(names: Iterable[str], number_of: Callable[[str], float | None]) -> dict[str, float]:
    """Return the sampling rate by each name whose value says one, or a step; see `rate_of`."""
    rates = {}
    for name in sorted(filter(says_rate, names), key=says_step):
        plain, number = _plain(name), number_of(name)
        if number is None:
            continue
        if not 0 < number < math.inf:
            unit = "Hz" if plain in RATES_HZ else "s"
            raise FormatError(f"{name} should be above 0 {unit}, received {number}")
        if plain in RATES_HZ:
            rates[name] = number * RATES_HZ[plain]
        else:  # single precision steps: 0.01 is 100 Hz
            rates[name] = float(f"{1.0 / (number * STEPS_S[plain]):.7g}")
    return rates


def one_rate(rates: Mapping[str, float]) -> float | None:
    """Return the first of rates by what says them; None without any.

    Raises:
        FormatError: if they differ.

    Example:
        >>> one_rate({"fs": 30.0, "dt": 30.03}), one_rate({})
        (30.0, None)
    """
    first = next(iter(rates.values()), None)
    if first and any(abs(rate / first - 1) > SAME_RATE for rate in rates.values()):
        said = ", ".join(f"{rate:g} Hz by {of}" for of, rate in rates.items())
        raise FormatError(f"it is of {said}: keep what is right alone, times in s")
    return first


def said_of_no_rate(where: str, names: Iterable[str]) -> str:
    """Return the note that a rate is assumed, with the names that may be one.

    Example:
        >>> said_of_no_rate("a.h5", ["station", "df_hz"])
        'a.h5: no sampling rate (sampling_rate_hz, dt_s), 100 Hz is assumed: is it df_hz?'
    """
    like_one = sorted({*filter(may_say_rate, names)})
    said = f"{where}: no sampling rate (sampling_rate_hz, dt_s), {DEFAULT_RATE_HZ:g} Hz is assumed"
    return f"{said}: is it {some(like_one)}?" if like_one else said
