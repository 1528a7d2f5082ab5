"""What the rows of one record say of it: its arrivals, event, gather, split and distance."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from phasenet_keras.io.labels.rows import (
    DISTANCE_COLUMNS,
    SHOT_COLUMNS,
    SPLIT_NAMES,
    Rows,
    numbers_in,
)
from phasenet_keras.io.labels.time_origin import TIME_COLUMNS_S, samples_of_times
from phasenet_keras.io.labels.timed import ONE_ONSET_SAMPLES
from phasenet_keras.io.parts import BadRow, Item
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.text_tables import event_in, first_cell, name_key, number_of
from phasenet_keras.types import FormatError, LabelledWaveform, ShapeError, Waveform

__all__ = ["labelled_by_row", "labelled_by_rows"]

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
    for number, row in rows:
        try:
            record = label(row)
            both = _merged([record] if found is None else [found, record])
            if found is not None:
                _warn_of_others(number, record, found)
            if found is not None and both.arrivals == found.arrivals:
                text = f"row {number} repeats an earlier one of {both.name}"
                warnings.warn(text, RecordWarning, stacklevel=2)
            elif found is not None:
                _warn_of_one_onset(number, record, found)
            found = both
        except (FormatError, ShapeError) as error:
            yield BadRow(number, str(error))
    if found is not None:
        yield found


def labelled_by_row(
    wave: Waveform, row: Mapping[str, str], columns: Mapping[str, str], name: str = ""
) -> LabelledWaveform:
    """Give a record the arrivals of a row, its event, gather, split and distance.

    Args:
        wave: the record.
        row: cells by column; an arrival is a number of samples, or several (``"100 900"``, or
            ``"100,900"``, which only a table separated by commas can hold).
        columns: the column of each phase. An empty cell is a phase that was looked for and not
            found; a phase without a column one that was not looked for.
        name: of the record; else its station's.

    Raises:
        FormatError: for a cell that is not a number.
        ShapeError: for an arrival outside of the record.
    """
    shot, gather = (
        cell if cell.isdecimal() else name_key(cell)  # 11.0 is 11; 007 keeps its zeros
        for cell in (first_cell(row, SHOT_COLUMNS), row.get("gather", ""))
    )
    split = row.get("split", "").lower()
    if split and split not in SPLIT_NAMES:
        raise FormatError(f"split should be train, dev or test, received '{split}'")
    arrivals = {
        phase: _arrivals(row[column], column, wave)
        for phase, column in columns.items()
        if column in row
    }
    if columns and not arrivals:
        raise FormatError(f"it has no arrival in {' or '.join(columns.values())}")
    record = LabelledWaveform(
        wave,
        arrivals,
        name=name or wave.station,
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


def _merged(records: Sequence[LabelledWaveform]) -> LabelledWaveform:
    """Bring the arrivals of several rows of one record together.

    Raises:
        ShapeError: if they do not agree on the event or the gather.
    """
    first = records[0]
    arrivals: dict[str, set[float]] = {}
    for record in records:
        if (record.event, record.gather) != (first.event, first.gather):
            raise ShapeError(
                f"record {first.name}: its rows name different events or shots "
                f"({record.event or record.gather} and {first.event or first.gather}): "
                "give each a file of its own (column fname)"
            )
        for phase, samples in record.arrivals.items():
            arrivals.setdefault(phase, set()).update(samples)
    return replace(
        first,
        waveform=next(
            (r.waveform for r in records if r.waveform.offset_m is not None), first.waveform
        ),
        arrivals={phase: tuple(values) for phase, values in arrivals.items()},
        split=next((record.split for record in records if record.split), ""),
    )


def _arrivals(cell: str, column: str, wave: Waveform) -> tuple[float, ...]:
    """Return the arrivals of a cell in samples, also of a column of times."""
    values = numbers_in(cell, column)
    return samples_of_times(values, column, wave) if column in TIME_COLUMNS_S else values


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


def _warn_of_one_onset(number: int, record: LabelledWaveform, others: LabelledWaveform) -> None:
    """Say where a row and an earlier one may be two picks of one onset."""
    for phase, samples in record.arrivals.items():
        pairs = [(abs(a - b), b) for a in samples for b in others.arrivals.get(phase, ()) if a != b]
        apart, at = min(pairs, default=(ONE_ONSET_SAMPLES, 0.0))
        if apart < ONE_ONSET_SAMPLES:
            warnings.warn(
                f"row {number} has a {phase} of {record.name} {apart:g} samples from that of an "
                f"earlier row, at sample {at:g}: both are labels; if they are two picks of one "
                "onset, leave one out",
                RecordWarning,
                stacklevel=3,
            )
