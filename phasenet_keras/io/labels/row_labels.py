"""What the rows of one record say of it: its arrivals, event, gather, split and distance.

Times count from the first sample, or from the time 0 of the file: trigger or shot.
"""

from __future__ import annotations

import re
import warnings
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from phasenet_keras.io.labels.rows import (
    AFTER_TRIGGER,
    DISTANCE_COLUMNS,
    SAMPLE_COLUMNS,
    SHOT_COLUMNS,
    SPLIT_NAMES,
    TIME_COLUMNS_S,
    UNITS_S,
    Rows,
    numbers_in,
)
from phasenet_keras.io.labels.timed import ONE_ONSET_SAMPLES
from phasenet_keras.io.parts import BadRow, Item
from phasenet_keras.io.rates import rate_of
from phasenet_keras.io.record_names import is_dated
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.text_tables import event_in, first_cell, name_key, number_of
from phasenet_keras.io.times import exact_time, seconds_after
from phasenet_keras.types import FormatError, LabelledWaveform, ShapeError, Waveform

if TYPE_CHECKING:
    from obspy import UTCDateTime

__all__ = ["labelled_by_row", "labelled_by_rows", "samples_of_times"]

# A time 0 so far from the first sample is said.
LEAST_OFFSET_SAMPLES = 0.5
# Rates written with few digits differ by less.
SAME_RATE = 0.005
# The time that samples count from, as PhaseNet and SeisBench call it.
BEGIN_COLUMNS = ("begin_time", "trace_start_time")
# Times that others count from.
ZERO_COLUMNS = ("trigger_time", "origin_time", "shot_time")

Label = Callable[[Mapping[str, str]], LabelledWaveform]


def labelled_by_rows(rows: Rows, label: Label) -> Iterator[Item]:
    """Yield the rows of a record that cannot be used, and the record with the arrivals of the rest.

    Args:
        rows: all of one record.
        label: gives the record what one row says; see `labelled_by_row`.

    Warns:
        RecordWarning: for rows that repeat others, say another split or distance, or may be second
            picks of an onset.
    """
    found: LabelledWaveform | None = None
    samples: dict[str, list[float]] = {}  # of all rows, in order: a record may have thousands
    for number, row in rows:
        try:
            record = label(row)
            both = record if found is None else _merged(found, record)
        except (FormatError, ShapeError) as error:
            yield BadRow(number, str(error))
            continue
        if found is not None:
            _warn_of_others(number, record, found)
            _warn_of_earlier(number, record, samples)
        for phase, of_row in record.arrivals.items():
            earlier = samples.setdefault(phase, [])
            for sample in of_row:
                at = bisect_left(earlier, sample)
                if earlier[at : at + 1] != [sample]:
                    earlier.insert(at, sample)
        found = both
    if found is not None:
        yield replace(found, arrivals={phase: tuple(all_of) for phase, all_of in samples.items()})


def labelled_by_row(
    wave: Waveform, row: Mapping[str, str], columns: Mapping[str, str], name: str = ""
) -> LabelledWaveform:
    """Give a record the arrivals of a row, its event, gather, split and distance.

    Args:
        wave: the record.
        row: cells by column; an arrival is a number of samples, or several (``"100 900"``, or
            ``"100, 900"``).
        columns: the column of each phase. An empty cell is a phase that was looked for and not
            found; a phase without a column one that was not looked for.
        name: of the record; else its station's.

    Raises:
        FormatError: for a cell that is not a number, samples of another rate than the record's, or
            an arrival outside of the record.
    """
    name = name or wave.station
    shot, gather = (
        cell if cell.isdecimal() else name_key(cell)  # 11.0 is 11; 007 keeps its zeros
        for cell in (first_cell(row, SHOT_COLUMNS), row.get("gather", ""))
    )
    split = row.get("split", "").lower()
    if split and split not in SPLIT_NAMES:
        raise FormatError(f"split should be train, dev or test, received '{split}'")
    if not set(columns.values()) <= TIME_COLUMNS_S.keys():
        _check_rate(row, wave)
    if not any(AFTER_TRIGGER in column for column in columns.values()):
        _check_begin(row, wave)
    arrivals = {
        phase: _arrivals(row[column], column, wave, f"record {name}: the {phase} arrival")
        for phase, column in columns.items()
        if column in row
    }
    _warn_of_other_columns(wave, row, columns, arrivals)
    if columns and not arrivals:
        raise FormatError(f"it has no arrival in {' or '.join(columns.values())}")
    record = LabelledWaveform(
        wave,
        arrivals,
        name=name,
        event=event_in(row),
        gather=f"shot {shot}" if shot else gather,
        split=SPLIT_NAMES.get(split, ""),
    )
    offset = first_cell(row, DISTANCE_COLUMNS)
    station, network = row.get("station", ""), row.get("network", "")
    if offset:
        wave = replace(wave, offset_m=number_of("distance_m", offset))
    if station and "." not in wave.station:
        wave = replace(wave, station=f"{network}.{station}.." if network else station)
    return replace(record, waveform=wave)


def _check_rate(row: Mapping[str, str], wave: Waveform) -> None:
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
    if rate_hz and abs(rate_hz / wave.sampling_rate - 1) > SAME_RATE:
        raise FormatError(
            f"its samples are at {rate_hz:g} Hz, the record has {wave.sampling_rate:g} Hz: give "
            "samples of the record, or times (p_time_s)"
        )


def _check_begin(row: Mapping[str, str], wave: Waveform) -> None:
    """Refuse what a row says counts from another time than its record begins at, or ask.

    Raises:
        FormatError: if the row says when its record began, and it did not.

    Warns:
        RecordWarning: for the time of a trigger or an origin.
    """
    begin, apart_s = _time_apart(row, BEGIN_COLUMNS, wave)
    if apart_s:
        raise FormatError(
            f"its arrivals count from {begin}, the record begins at {wave.start_time}: give those "
            "of the record, or arrivals with date and time (station, phase, time)"
        )
    _, apart_s = _time_apart(row, ZERO_COLUMNS, wave)
    if apart_s:
        side = "before" if apart_s > 0 else "after"
        warnings.warn(
            f"arrivals in the table count from the first sample of a record, {abs(apart_s):.6g} s "
            f"{side} its {' or '.join(name for name in ZERO_COLUMNS if row.get(name))}: if yours "
            "count from that, give them with date and time (station, phase, time)",
            RecordWarning,
            stacklevel=3,
        )


def _time_apart(
    row: Mapping[str, str], columns: Sequence[str], wave: Waveform
) -> tuple[UTCDateTime | None, float]:
    """Return the time in the first of these columns, and how far it is after the first sample.

    That is 0 within a sample, or the last decimal of the time; and where either has no date.
    """
    cell = first_cell(row, columns)
    try:
        time = exact_time(cell)
    except ValueError:
        return None, 0.0
    decimals = re.search(r"[.,](\d+)", cell)
    least_s = max(1.0 / wave.sampling_rate, 10.0 ** -len(decimals[1] if decimals else ""))
    apart_s = seconds_after(time, wave.start_time)
    are_dated = is_dated(time) and is_dated(wave.start_time)
    return time, apart_s if are_dated and abs(apart_s) > least_s else 0.0


def _merged(first: LabelledWaveform, other: LabelledWaveform) -> LabelledWaveform:
    """Bring what two rows say of one record together, but for the arrivals.

    Raises:
        ShapeError: if they do not agree on the event or the gather.
    """
    if (other.event, other.gather) != (first.event, first.gather):
        raise ShapeError(
            f"record {first.name}: its rows name different events or shots "
            f"({other.event or other.gather} and {first.event or first.gather}): "
            "give each a file of its own (column fname)"
        )
    has_distance = other.waveform.offset_m is not None and first.waveform.offset_m is None
    wave = other.waveform if has_distance else first.waveform
    return replace(first, waveform=wave, split=first.split or other.split)


def _arrivals(cell: str, column: str, wave: Waveform, what: str) -> tuple[float, ...]:
    """Return the arrivals of a cell in samples, also of a column of times; what: for errors."""
    samples = numbers_in(cell, column)
    if column in TIME_COLUMNS_S:
        samples = samples_of_times(samples, column, wave)
    for sample in samples:
        if not 0 <= sample <= wave.n_samples - 1:
            raise FormatError(
                f"{what} at sample {sample:g} is outside of its {wave.n_samples} samples ({column} "
                f"'{cell}'): leave the cell empty where the phase is not there, the row out where "
                "nobody looked"
            )
    return samples


def _warn_of_other_columns(
    wave: Waveform,
    row: Mapping[str, str],
    columns: Mapping[str, str],
    arrivals: Mapping[str, Sequence[float]],
) -> None:
    """Say where another column of a row has other arrivals of a phase than the one that counts.

    Of one arrival are samples that differ by one, or by what a time's last decimal stands for.
    """
    for phase, column in columns.items():
        times = [name for name in TIME_COLUMNS_S if name[0].upper() == phase]
        if wave.zero_time is None:
            times = [name for name in times if AFTER_TRIGGER not in name]
        for name in (*SAMPLE_COLUMNS[phase], *times):
            if name == column or not row.get(name) or phase not in arrivals:
                continue
            try:
                others = _arrivals(row[name], name, wave, name)
            except FormatError:  # of no number, or outside of the record
                others = ()
            step_s = 10.0 ** -len(row[name].partition(".")[2]) * TIME_COLUMNS_S.get(name, 0.0)
            near = max(1.0, step_s * wave.sampling_rate)
            pairs = zip(sorted(others), sorted(arrivals[phase]), strict=False)
            if len(others) != len(arrivals[phase]) or any(abs(a - b) > near for a, b in pairs):
                warnings.warn(
                    f"columns {column} and {name} of the table have different arrivals of {phase}: "
                    f"{column} counts; leave the other out, or rename the one that is to count "
                    f"{SAMPLE_COLUMNS[phase][0]}",
                    RecordWarning,
                    stacklevel=4,
                )


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
            f"{abs(begin_s) / UNITS_S[unit]:.6g} {unit} ({abs(zero_sample):.6g} samples) "
            f"{'before' if begin_s < 0 else 'after'} the time 0 of its file: if yours count from "
            f"that (trigger or shot), name the column p_{AFTER_TRIGGER}{unit}",
            RecordWarning,
            stacklevel=4,
        )
    return 0.0


def _warn_of_others(number: int, record: LabelledWaveform, others: LabelledWaveform) -> None:
    """Say where a row has another split or distance than an earlier one, which counts."""
    words = [
        (f"split {r.split}" if r.split else "", "" if o is None else f"distance {o:g} m")
        for r, o in ((r, r.waveform.offset_m) for r in (record, others))
    ]
    for of_row, of_others in zip(*words, strict=True):
        if of_row and of_others and of_row != of_others:
            warnings.warn(
                f"row {number} gives {others.name} the {of_row}, an earlier row {of_others}, which "
                "counts",
                RecordWarning,
                stacklevel=3,
            )


def _warn_of_earlier(
    number: int, record: LabelledWaveform, samples: Mapping[str, Sequence[float]]
) -> None:
    """Say where a row repeats earlier ones, or it and one of them may be two picks of one onset.

    Args:
        number: of the row.
        record: with the arrivals of the row.
        samples: of the earlier rows by phase, in order.
    """
    near = {
        phase: [
            (abs(sample - other), other) for sample in of_row for other in _next_to(sample, all_of)
        ]
        for phase, of_row in record.arrivals.items()
        if (all_of := samples.get(phase)) is not None
    }
    is_there = {
        phase: all(sample in _next_to(sample, samples[phase]) for sample in record.arrivals[phase])
        for phase in near
    }
    if len(is_there) == len(record.arrivals) and all(is_there.values()):
        text = f"row {number} repeats an earlier one of {record.name}"
        warnings.warn(text, RecordWarning, stacklevel=3)
        return
    for phase, pairs in near.items():
        apart, at = min((p for p in pairs if p[0]), default=(ONE_ONSET_SAMPLES, 0.0))
        if apart < ONE_ONSET_SAMPLES:
            warnings.warn(
                f"row {number} has a {phase} of {record.name} {apart:g} samples from that of an "
                f"earlier row, at sample {at:g}: both are labels; if they are two picks of one "
                "onset, leave one out",
                RecordWarning,
                stacklevel=3,
            )


def _next_to(sample: float, samples: Sequence[float]) -> Sequence[float]:
    """Return a sample of those in order, if it is there, and those next to it."""
    at = bisect_left(samples, sample)
    return samples[max(at - 1, 0) : at + 2]
