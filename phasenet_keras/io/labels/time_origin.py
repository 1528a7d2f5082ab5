"""Arrivals by time in tables of labels: the names of such columns, and the samples they mean."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

from phasenet_keras.io.catalogs import PHASES
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.times import seconds_after
from phasenet_keras.types import FormatError, Waveform

__all__ = ["AFTER_TRIGGER", "TIME_COLUMNS_S", "TIME_NAMES_S", "samples_of_times"]

# Before the unit in the name of a column whose times count from the file's own time 0.
AFTER_TRIGGER = "after_trigger_"
_UNITS_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
# What follows the phase in a column's name, and its unit in seconds; time_ may be left out.
TIME_NAMES_S: Mapping[str, float] = {
    f"time_{since}{unit}": unit_s
    for since in ("", AFTER_TRIGGER)
    for unit, unit_s in _UNITS_S.items()
}
# By column, in the order in which they are looked for.
TIME_COLUMNS_S: Mapping[str, float] = {
    f"{phase.lower()}_{name.removeprefix(left_out)}": unit_s
    for phase in PHASES
    for left_out in ("", "time_")
    for name, unit_s in TIME_NAMES_S.items()
}
# A time 0 so far from the first sample is said.
LEAST_OFFSET_SAMPLES = 0.5


def samples_of_times(values: Sequence[float], column: str, wave: Waveform) -> tuple[float, ...]:
    """Return the samples of arrivals in a column of times.

    Args:
        values: of a cell, in the unit that the column's name ends in.
        column: one of `TIME_COLUMNS_S`.
        wave: the record.

    Raises:
        FormatError: if they count from the trigger, and the record does not say when that was.

    Warns:
        RecordWarning: if they count from the first sample, and the record has another time 0.

    Example:
        >>> import numpy as np
        >>> from obspy import UTCDateTime
        >>> start, zero = UTCDateTime(-0.05), UTCDateTime(0)
        >>> wave = Waveform(np.ones((900, 1)), 4e3, start, ("Z",), "1", zero_time=zero)
        >>> samples_of_times([20.0], "p_after_trigger_ms", wave)
        (280.0,)
    """
    zero_sample = _zero_sample(wave, column) if values else 0.0
    # Rounded: 0.0001005 s at 10 MHz is sample 1005.
    scale = TIME_COLUMNS_S[column] * wave.sampling_rate
    return tuple(round(zero_sample + value * scale, 6) for value in values)


def _zero_sample(wave: Waveform, column: str) -> float:
    """Return the sample that the times of a column count from."""
    is_after_trigger = AFTER_TRIGGER in column
    if wave.zero_time is None and is_after_trigger:
        raise FormatError(
            f"{column} counts from the trigger, and {wave.source or wave.station} does not say "
            f"when that was: give times since the first sample, {column.replace(AFTER_TRIGGER, '')}"
        )
    if wave.zero_time is None:
        return 0.0
    begin_s = seconds_after(wave.start_time, wave.zero_time)
    zero_sample = -begin_s * wave.sampling_rate
    if is_after_trigger:
        return zero_sample
    if abs(zero_sample) >= LEAST_OFFSET_SAMPLES:
        unit = column.rpartition("_")[2]
        warnings.warn(  # the same for P and S
            f"times in the table count from the first sample of a record, "
            f"{abs(begin_s) / _UNITS_S[unit]:.6g} {unit} ({abs(zero_sample):.6g} samples) "
            f"{'before' if begin_s < 0 else 'after'} the time 0 of its file: if yours count from "
            f"that (trigger or shot), name the column p_{AFTER_TRIGGER}{unit}",
            RecordWarning,
            stacklevel=4,
        )
    return 0.0
