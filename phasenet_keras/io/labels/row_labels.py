"""What the rows of one record say of it: its arrivals, event, gather, split and distance."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from phasenet_keras.io.arrival_formats import COLUMNS
from phasenet_keras.io.labels.row_axes import check_begin, check_rate, samples_of_times, time_apart
from phasenet_keras.io.labels.row_columns import (
    AFTER_TRIGGER,
    ARRIVAL_COLUMNS,
    DISTANCE_COLUMNS,
    SHOT_COLUMNS,
    SPLIT_NAMES,
    TIME_COLUMNS_S,
)
from phasenet_keras.io.labels.row_numbers import numbers_in
from phasenet_keras.io.labels.rows import Rows
from phasenet_keras.io.labels.timed import ONE_ONSET_SAMPLES
from phasenet_keras.io.parts import BadRow, Item
from phasenet_keras.io.registry import say
from phasenet_keras.io.text_tables import event_in, first_cell, name_key, number_of
from phasenet_keras.types import FormatError, LabelledWaveform, ShapeError, Waveform

__all__ = ["are_other_arrivals", "labelled_by_rows", "warn_of_other_arrivals"]


def labelled_by_rows(
    rows: Rows, record: LabelledWaveform, columns: Mapping[str, str]
) -> Iterator[Item]:
    """Yield the rows of a record that cannot be used, and the record with what the rest says.

    That is arrivals, event, gather, split and distance; but for arrivals, what rows do not say is
    as it was.

    Args:
        rows: all of one record: cells by column; an arrival is a number of samples, or several
            (``"100 900"``, or ``"100, 900"``).
        record: with a name, and arrivals where the table has no column of any.
        columns: the column of each phase. An empty cell is a phase that was looked for and not
            found; a phase without a column one that was not looked for.

    Warns:
        RecordWarning: for rows that repeat others, say another split or distance, or may be second
            picks of an onset.
    """
    found: LabelledWaveform | None = None
    samples: dict[str, list[float]] = {}  # of all rows, in order: a record may have thousands
    for number, row in rows:
        try:
            own = _labelled_by_row(record, row, columns)
            both = own if found is None else _merged(found, own)
        except (FormatError, ShapeError) as error:
            yield BadRow(number, str(error))
            continue
        if found is not None:
            _warn_of_others(number, own, found)
            _warn_of_earlier(number, own, samples)
        for phase, of_row in own.arrivals.items():
            earlier = samples.setdefault(phase, [])
            for sample in of_row:
                at = bisect_left(earlier, sample)
                if earlier[at : at + 1] != [sample]:
                    earlier.insert(at, sample)
        found = both
    if found is not None:
        yield replace(found, arrivals={phase: tuple(all_of) for phase, all_of in samples.items()})


def _labelled_by_row(
    record: LabelledWaveform, row: Mapping[str, str], columns: Mapping[str, str]
) -> LabelledWaveform:
    """Give a record what one row says of it.

    Raises:
        FormatError: for a cell that is not a number, samples of another rate than the record's, or
            an arrival outside of the record.
    """
    wave, name = record.waveform, record.name
    shot, gather = (
        cell if cell.isdecimal() else name_key(cell)  # 11.0 is 11; 007 keeps its zeros
        for cell in (first_cell(row, SHOT_COLUMNS), row.get("gather", ""))
    )
    split = row.get("split", "").lower()
    if split and split not in SPLIT_NAMES:
        raise FormatError(f"split should be train, dev or test, received '{split}'")
    if not set(columns.values()) <= TIME_COLUMNS_S.keys():
        check_rate(row, wave)
    if not any(AFTER_TRIGGER in column for column in columns.values()):
        check_begin(row, wave)
    arrivals = {
        phase: _arrivals(row[column], column, wave, f"record {name}: the {phase} arrival")
        for phase, column in columns.items()
        if column in row
    }
    _warn_of_other_columns(wave, row, columns, arrivals)
    if columns and not arrivals:
        raise FormatError(f"it has no arrival in {' or '.join(columns.values())}")
    offset = first_cell(row, DISTANCE_COLUMNS)
    station, network = row.get("station", ""), row.get("network", "")
    if offset:
        wave = replace(wave, offset_m=number_of("distance_m", offset))
    if station and "." not in wave.station:
        wave = replace(wave, station=f"{network}.{station}.." if network else station)
    return LabelledWaveform(
        wave,
        arrivals if columns else record.arrivals,
        name=name,
        event=event_in(row) or record.event,
        gather=(f"shot {shot}" if shot else gather) or record.gather,
        split=SPLIT_NAMES.get(split, record.split),
    )


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
    if has_distance or (other.split and not first.split):
        wave = other.waveform if has_distance else first.waveform
        return replace(first, waveform=wave, split=first.split or other.split)
    return first


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
    """Say where another column of a row has other arrivals of a phase than the one that counts."""
    for phase, column in columns.items():
        own = arrivals.get(phase)
        if own is None:
            continue
        named = (name for name in ARRIVAL_COLUMNS[phase] if name != column and row.get(name))
        others = [name for name in named if _differs(row[name], name, own, wave)]
        if len(own) == 1:
            dated = (name for name in COLUMNS[phase] if row.get(name))
            others += [name for name in dated if time_apart(row, [name], wave, own[0])[1]]
        for name in others:
            warn_of_other_arrivals(f"columns {column} and {name} of the table", column, phase)


def _differs(cell: str, name: str, arrivals: Sequence[float], wave: Waveform) -> bool:
    """Tell if a cell has other arrivals, in samples or by time since the first or the trigger."""
    if AFTER_TRIGGER in name and wave.zero_time is None:
        return False
    try:
        others = _arrivals(cell, name, wave, name)
    except FormatError:  # of no number, or outside of the record
        others = ()
    return are_other_arrivals(others, [cell], name, arrivals, wave)


def are_other_arrivals(
    others: Sequence[float],
    texts: Sequence[str],
    name: str,
    arrivals: Sequence[float],
    wave: Waveform,
) -> bool:
    """Tell if a column has other arrivals of a phase than the one that counts, all in samples.

    Of one arrival are samples that differ by one, or by what a time's last decimal stands for.

    Args:
        others: of the column.
        texts: what stands there.
        name: of the column.
        arrivals: of the one that counts.
        wave: the record.

    Example:
        >>> import numpy as np
        >>> from obspy import UTCDateTime
        >>> wave = Waveform(np.ones((300, 1)), 100.0, UTCDateTime(0), ("Z",), "1")
        >>> are_other_arrivals([120.0], ["1.20"], "p_time_s", [121.0], wave)
        False
        >>> are_other_arrivals([90.0], ["0.90"], "p_time_s", [120.0], wave)
        True
    """
    step_s = 10.0 ** -max(len(text.partition(".")[2]) for text in texts)
    near = max(1.0, step_s * TIME_COLUMNS_S.get(name, 0.0) * wave.sampling_rate)
    pairs = zip(sorted(others), sorted(arrivals), strict=False)
    return len(others) != len(arrivals) or any(abs(a - b) > near for a, b in pairs)


def warn_of_other_arrivals(where: str, counts: str, phase: str) -> None:
    """Say which of two columns, or attributes, with different arrivals counts."""
    say(
        f"{where} have different arrivals of {phase}: {counts} counts; leave out the one that is "
        "wrong"
    )


def _warn_of_others(number: int | str, record: LabelledWaveform, others: LabelledWaveform) -> None:
    """Say where a row has another split or distance than an earlier one, which counts."""
    words = [
        (f"split {r.split}" if r.split else "", "" if o is None else f"distance {o:g} m")
        for r, o in ((r, r.waveform.offset_m) for r in (record, others))
    ]
    for of_row, of_others in zip(*words, strict=True):
        if of_row and of_others and of_row != of_others:
            say(
                f"row {number} gives {others.name} the {of_row}, an earlier row {of_others}, which "
                "counts"
            )


def _warn_of_earlier(
    number: int | str, record: LabelledWaveform, samples: Mapping[str, Sequence[float]]
) -> None:
    """Say where a row repeats earlier ones, or it and one of them may be two picks of one onset.

    The samples of earlier rows are in order.
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
        say(f"row {number} repeats an earlier one of {record.name}")
        return
    for phase, pairs in near.items():
        apart, at = min((p for p in pairs if p[0]), default=(ONE_ONSET_SAMPLES, 0.0))
        if apart < ONE_ONSET_SAMPLES:
            say(
                f"row {number} has a {phase} of {record.name} {apart:g} samples from that of an "
                f"earlier row, at sample {at:g}: both are labels; if they are two picks of one "
                "onset, leave one out"
            )


def _next_to(sample: float, samples: Sequence[float]) -> Sequence[float]:
    """Return a sample of those in order, if it is there, and those next to it."""
    at = bisect_left(samples, sample)
    return samples[max(at - 1, 0) : at + 2]
