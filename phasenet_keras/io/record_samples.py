"""Picks in samples, and the record of a data set that each row of them is of.

1. Of several records of the file that a row names, and where no file is named, that is the only
   one that shot and trace, else the codes of the row tell.
2. Where no column tells, rows are in the order of the data set's records, and have to be as many.
3. Samples count from the first of a record, at its rate. Where records were cut out of longer ones
   they are not known by their files; where they were resampled rows have to say their rate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from phasenet_keras.io.arrival_formats import COLUMNS, PROBABILITY_COLUMNS, has_times
from phasenet_keras.io.catalogs import probability_in
from phasenet_keras.io.labels.files import Labels, label_table
from phasenet_keras.io.labels.row_columns import (
    AFTER_TRIGGER,
    DISTANCE_COLUMNS,
    GATHER_COLUMNS,
    TIME_COLUMNS_S,
    TRACE_COLUMNS,
)
from phasenet_keras.io.labels.row_files import check_order
from phasenet_keras.io.labels.row_labels import labelled_by_rows
from phasenet_keras.io.labels.row_numbers import numbers_in
from phasenet_keras.io.labels.row_order import columns_of_names
from phasenet_keras.io.labels.row_records import STATION_COLUMNS, rows_by_codes
from phasenet_keras.io.labels.row_traces import names_of, shot_in
from phasenet_keras.io.labels.rows import LabelTable, Rows, numbered_rows, read_label_table
from phasenet_keras.io.new_files import read_json
from phasenet_keras.io.parts import BadRow, by_reason
from phasenet_keras.io.rates import says_rate
from phasenet_keras.io.record_places import TRACE_NAME, Places, RecordPicks
from phasenet_keras.io.seisbench import PREPARED
from phasenet_keras.io.text_tables import first_cell, name_key
from phasenet_keras.io.wording import counted
from phasenet_keras.types import ConfigError, FormatError, LabelledWaveform, Pick

__all__ = ["picks_in_samples", "sample_table"]

# What PhaseNet picked, where labels are beside it: lists of candidates.
PREDICTED = {"itp_pred": "itp", "its_pred": "its"}
# What else than a name tells the record of a row.
TELLING = (*COLUMNS["station"], *GATHER_COLUMNS, *TRACE_COLUMNS)
# What is of labels.
NOT_OF_PICKS = {*DISTANCE_COLUMNS, "split"}


def sample_table(file: Path, labels: Labels) -> LabelTable | None:
    """Return a table of samples, or of times since the first; None where picks have a date.

    What was predicted stands in the place of labels, where a table has both.

    Args:
        file: the first of them.
        labels: all files.
    """
    try:
        columns = read_label_table(file).columns
    except FormatError:
        if file.exists():  # a catalogue need not be text
            return None
        raise
    if has_times(columns) and {*COLUMNS["station"]} & {*columns}:
        return None
    table = label_table(labels)
    names = {name: of for name, of in PREDICTED.items() if name in columns}
    if names:
        kept = {c: c for c in columns if c not in table.sample_columns.values()} | names
        rows = ({name: row[c] for c, name in kept.items()} for row in table.rows)
        table = replace(table, rows=tuple(rows), columns=tuple(kept.values()))
    return table if table.sample_columns else None


def picks_in_samples(table: LabelTable, places: Places, dataset: Path) -> RecordPicks:
    """Find the records of picks in samples.

    Raises:
        ConfigError: for samples of records that were resampled, if they do not say their rate.
        FormatError: where rows name no record, and are not as many as the data set has.
    """
    places = _where_samples_count(table, places, dataset)
    columns, bad = table.sample_columns, list[BadRow]()
    rows = numbered_rows(_without_empty_cells(table))
    cells = [row for _, row in rows]
    given = {p: sum(len(_numbers(row, c)) for row in cells) for p, c in columns.items()}
    of_names = table.file_column or next(
        iter(columns_of_names(cells, {*places.by_name, *places.by_file})), ""
    )
    names = [row.get(of_names, "") for row in cells]
    if not of_names and len(places.order) > 1 and not table.first_of(TELLING):
        if len(rows) != len(places.order):
            raise FormatError(
                f"{table.path}: its {counted(len(rows), 'row')} name no record, and are not in the "
                f"order of {dataset}, which has {len(places.order)}: name the record of each, or "
                "the file that it came from (column fname)"
            )
        check_order(table, rows, [*map(Path, places.order)])
        names = [*places.order]
    found = RecordPicks(
        [[] for _ in places.records],
        phases={phase for phase, n_given in given.items() if n_given},
        n_given=sum(given.values()),
        called=[first_cell(row, (of_names, *TELLING)) or "no name" for row in cells],
    )
    named = zip(names, rows, strict=True)
    for numbers, is_named, of_group in places.grouped(named, have_times=False):
        records = [places.records[number] for number in numbers]
        if is_named and len(numbers) == 1:
            by_place, others = {0: _of_only(of_group, places, numbers[0])}, list[BadRow]()
        else:
            by_place, others = _by_place(of_group, records, dataset, table.path)
        bad += others
        for place, of_record in by_place.items():
            for phase, column in columns.items():
                of_phase = _picks_in(of_record, records[place], phase, column, bad)
                found.picks[numbers[place]] += of_phase
                found.n_found += len(of_phase)
    found.bad = by_reason(bad)
    return found


def _without_empty_cells(table: LabelTable) -> LabelTable:
    """Leave out the cells without a pick: what they say of labels they do not of picks."""
    columns = {*table.sample_columns.values()}
    rows = (
        {name: cell for name, cell in row.items() if name not in columns or _numbers(row, name)}
        for row in table.rows
    )
    return replace(table, rows=tuple(rows))


def _where_samples_count(table: LabelTable, places: Places, dataset: Path) -> Places:
    """Return the places by which samples are found that still count as in the files."""
    note = read_json(dataset / PREPARED)
    settings = note["order"]["settings"] if isinstance(note, dict) and "order" in note else {}
    rate_hz = settings.get("resample_hz")
    samples = {*table.sample_columns.values()} - {*TIME_COLUMNS_S}
    if rate_hz and samples and not any(map(says_rate, table.columns)):
        raise ConfigError(
            f"{table.path}: records of {dataset} were brought to {rate_hz:g} Hz, and nothing says "
            f"at which rate {' and '.join(sorted(samples))} count: give times (p_time_s, s_time_s; "
            "or station, phase and time), or the rate in a column sampling_rate_hz"
        )
    return replace(places, by_file={}, order=()) if settings.get("window_s") else places


def _of_only(rows: Rows, places: Places, number: int) -> Rows:
    """Return the rows of a record that is the only one here of the file that they name."""
    own = _trace_keys(places.records[number])
    found: Rows = []
    for n, row in rows:
        trace = name_key(first_cell(row, TRACE_COLUMNS))
        is_other_trace = own and trace.isdecimal() and (shot_in(row), trace) not in own
        station = first_cell(row, STATION_COLUMNS)
        if not is_other_trace and not places.is_of_another(number, station):
            found.append((n, row))
    return found


def _by_place(
    rows: Rows, records: Sequence[LabelledWaveform], dataset: Path, table: Path
) -> tuple[dict[int, Rows], list[BadRow]]:
    """Return rows by the place of the one of these records that they are of, and those of none."""
    traces: dict[tuple[str, str], list[int]] = {}
    for place, record in enumerate(records):
        for key in _trace_keys(record):
            traces.setdefault(key, []).append(place)
    by_place: dict[int, Rows] = {}
    others: Rows = []
    for number, row in rows:
        key = shot_in(row), name_key(first_cell(row, TRACE_COLUMNS))
        places = traces.get(key, [])
        if key[1] == "0" and traces and not places:
            raise FormatError(
                f"{table}: row {number} is of trace 0, and traces of {dataset} count from 1: add 1 "
                "to all"
            )
        of_one = by_place.setdefault(places[0], []) if len(places) == 1 else others
        of_one.append((number, row))
    waves = [record.waveform for record in records]
    by_code, bad = rows_by_codes(others, waves, dataset)
    for place, of_record in by_code.items():
        by_place.setdefault(place, []).extend(of_record)
    return by_place, bad


def _trace_keys(record: LabelledWaveform) -> set[tuple[str, str]]:
    """Return shot and number of a trace, as rows may call them; a shot may be left out."""
    match = TRACE_NAME.fullmatch(record.name)
    if not match:
        return set()
    shots = {"", name_key(record.gather.removeprefix("shot ")), name_key(match["shot"] or "")}
    if not match["shot"]:
        shots |= {*names_of(Path(f"{match['file']}.x"))}
    return {(shot, name_key(match["trace"])) for shot in shots}


def _picks_in(
    rows: Rows, record: LabelledWaveform, phase: str, column: str, bad: list[BadRow]
) -> list[Pick]:
    """Return the picks of a phase that rows of a record have; add the rows that cannot be used."""
    wave, found = record.waveform, list[Pick]()
    plain = LabelledWaveform(wave, {}, record.name)
    scored_in = (*PROBABILITY_COLUMNS[phase], *PROBABILITY_COLUMNS[""])
    for number, row in rows:
        given = _numbers(row, column)
        if not given:
            continue
        of_pick = {name: cell for name, cell in row.items() if name not in NOT_OF_PICKS}
        [item] = labelled_by_rows([(number, of_pick)], plain, {phase: column})
        if isinstance(item, BadRow):
            bad.append(item)
            continue
        scores = _numbers({column: first_cell(row, scored_in)}, column)
        score_of = dict(zip(given, scores, strict=False))
        for sample, value in zip(item.arrivals[phase], sorted({*given}), strict=True):
            time = wave.start_time + sample / wave.sampling_rate
            probability = probability_in(str(score_of.get(value, "")))
            found.append(Pick(time, wave.station, phase, probability, start_time=wave.start_time))
    return found


def _numbers(row: Mapping[str, str], column: str) -> tuple[float, ...]:
    """Return the numbers in a cell, NaN for text; none where there is no pick (-1), or no cell."""
    try:
        numbers = numbers_in(row.get(column, ""), column)
    except FormatError:  # said where the row is read
        return (math.nan,)
    return numbers if AFTER_TRIGGER in column or max(numbers, default=-1.0) >= 0 else ()
