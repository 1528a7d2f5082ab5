"""On which axis the numbers of a row are: at which rate, and since when.

Times count from the first sample, or from the time 0 of the file: trigger or shot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from phasenet_keras.io.labels.row_columns import AFTER_TRIGGER, FIRST_BREAK, TIME_COLUMNS_S, UNITS_S
from phasenet_keras.io.rates import DEFAULT_RATE_HZ, SAME_RATE, rate_of
from phasenet_keras.io.record_names import is_dated
from phasenet_keras.io.registry import say
from phasenet_keras.io.text_tables import first_cell, number_of
from phasenet_keras.io.times import START_TIMES, date_time, seconds_after, step_of_time
from phasenet_keras.types import FormatError, Waveform

if TYPE_CHECKING:
    from obspy import UTCDateTime

__all__ = ["check_begin", "check_rate", "samples_of_times", "time_apart"]

# A time 0 so far from the first sample is said.
LEAST_OFFSET_SAMPLES = 0.5
# Of rates and steps in another unit than their column's name says, or none: kHz, ms, us.
OTHER_UNITS = (1.0, 1e3, 1e6, 1e-3, 1e-6)
NO_RATE = "; where its file says no rate that is assumed: write it there (sampling_rate)"
# By how much local times are off.
TIME_ZONES_S = range(900, 14 * 3600 + 1, 900)
# Times that others count from.
ZERO_COLUMNS = ("trigger_time", "origin_time", "shot_time")


def check_rate(row: Mapping[str, str], wave: Waveform) -> None:
    """Refuse samples that a row says are of another rate than its record.

    Raises:
        FormatError: if they are.
    """

    def number_in(name: str) -> float | None:
        with suppress(FormatError):
            number = number_of(name, row[name])
            return number if number > 0 else None
        return None

    rate_hz = rate_of((name for name in row if name != "dt"), number_in)  # that may be a residual
    ratio = rate_hz / wave.sampling_rate if rate_hz else 1.0
    if all(abs(ratio * unit - 1) > SAME_RATE for unit in OTHER_UNITS):
        is_assumed = "" if wave.sampling_rate != DEFAULT_RATE_HZ else NO_RATE
        raise FormatError(
            f"its samples are at {rate_hz:g} Hz, the record has {wave.sampling_rate:g} Hz: give "
            f"samples of the record, or times (p_time_s){is_assumed}"
        )


def check_begin(row: Mapping[str, str], wave: Waveform) -> None:
    """Refuse what a row says counts from another time than its record begins at, or ask.

    Raises:
        FormatError: if the row says when its record began, and it did not.

    Warns:
        RecordWarning: for the time of a trigger or an origin.
    """
    begin, apart_s = time_apart(row, START_TIMES, wave)
    if apart_s:
        local = "; are those of the table in local time? They should be in UTC"
        raise FormatError(
            f"its arrivals count from {begin}, the record begins at {wave.start_time}: give those "
            "of the record, or arrivals with date and time (station, phase, time)"
            + (local if round(abs(apart_s)) in TIME_ZONES_S else "")
        )
    _, apart_s = time_apart(row, ZERO_COLUMNS, wave)
    if apart_s:
        side = "before" if apart_s > 0 else "after"
        say(
            f"arrivals in the table count from the first sample of a record, {abs(apart_s):.6g} s "
            f"{side} its {' or '.join(name for name in ZERO_COLUMNS if row.get(name))}: if yours "
            "count from that, give them with date and time (station, phase, time)"
        )


def time_apart(
    row: Mapping[str, str], columns: Sequence[str], wave: Waveform, sample: float = 0.0
) -> tuple[UTCDateTime | None, float]:
    """Return the time in the first of these columns, and how far it is after a sample, in s.

    That is 0 within a sample, or the last digit of the time; and where either has no date.
    """
    cell = first_cell(row, columns)
    if not cell:  # as in a million rows
        return None, 0.0
    try:
        time = date_time(cell)
    except ValueError:
        return None, 0.0
    least_s = max(1.0 / wave.sampling_rate, step_of_time(cell))
    apart_s = seconds_after(time, wave.start_time) - sample / wave.sampling_rate
    are_dated = is_dated(time) and is_dated(wave.start_time)
    return time, apart_s if are_dated and abs(apart_s) > least_s else 0.0


def samples_of_times(values: Sequence[float], column: str, wave: Waveform) -> tuple[float, ...]:
    """Return the samples of arrivals in a column of times.

    Args:
        values: of a cell, in the unit that the column's name ends in.
        column: one of `TIME_COLUMNS_S`.
        wave: the record.

    Raises:
        FormatError: if they count from the trigger, and the record does not say when that was; or
            nothing says what they count from, and it matters.

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
    unit = column.rpartition("_")[2]
    if abs(zero_sample) >= LEAST_OFFSET_SAMPLES and column.startswith(FIRST_BREAK):
        raise FormatError(
            f"nothing says what its time counts from: name the column p_{unit} (since the first "
            f"sample) or p_{AFTER_TRIGGER}{unit} (since trigger or shot), which are "
            f"{abs(begin_s) / UNITS_S[unit]:.6g} {unit} apart in {wave.source or wave.station}"
        )
    if abs(zero_sample) >= LEAST_OFFSET_SAMPLES:
        say(  # the same for P and S
            f"times in the table count from the first sample of a record, "
            f"{abs(begin_s) / UNITS_S[unit]:.6g} {unit} ({abs(zero_sample):.6g} samples) "
            f"{'before' if begin_s < 0 else 'after'} the time 0 of its file: if yours count from "
            f"that (trigger or shot), name the column p_{AFTER_TRIGGER}{unit}"
        )
    return 0.0
