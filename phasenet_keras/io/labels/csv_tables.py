"""Waveform files and a table of arrivals in samples, brought together to labelled records."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from phasenet_keras.io.labels.gather_rows import GatherRows, Rows
from phasenet_keras.io.labels.npz import is_npz, npz_arrivals, npz_sizes, with_all_channels
from phasenet_keras.io.labels.row_files import paired
from phasenet_keras.io.labels.row_records import record_of_row, several_records
from phasenet_keras.io.labels.rows import (
    SAMPLE_COLUMNS_IN_WORDS,
    LabelTable,
    labelled_by_row,
    merged,
    warn_of_fillers,
)
from phasenet_keras.io.labels.timed import ONE_ONSET_SAMPLES
from phasenet_keras.io.other_arrays import MOST_RECORDS, check_are_channels
from phasenet_keras.io.parts import BadRow, Item, Part
from phasenet_keras.io.registry import RecordWarning, gather_of
from phasenet_keras.io.selection import Selection
from phasenet_keras.io.waveforms import read_waveforms
from phasenet_keras.types import FormatError, LabelledWaveform, ShapeError, Waveform

__all__ = ["csv_parts", "npz_parts"]


def csv_parts(
    paths: Sequence[Path], table: LabelTable, selection: Selection | None = None
) -> list[Part]:
    """Plan the reading of files and their labels, one part a record.

    A row belongs to the file that its column ``fname`` (or any other of such names) names, with the
    other channels of its record where each has a file, or to the station
    that ``network`` and ``station`` name; of the records of several stations in one file these
    choose one, with ``location`` and ``channel`` where needed. Where the table has neither, rows
    and files are paired in the natural order of the names (2 before 10), and their numbers
    must agree, and no column may say otherwise. Arrivals are columns ``itp``, ``its`` (or
    ``p_index``, ``s_index``, ``p_sample``, ``s_sample``), in samples, or ``p_time_s``, ``p_ms``, …,
    by time since the first sample, or ``p_after_trigger_ms``, …, since the time 0 of the file;
    an empty field is a phase that was looked for and not found, a missing column one that was not
    looked for. Several rows of one file are several arrivals of one record; in a gather (SEG-Y, SU,
    SEG-2) ``trace`` (or ``receiver``) is the number of a row's trace, from 1, and without it the
    rows are in the order of the traces. There ``shot`` stands for the file that it names or whose
    name ends in it, where there is no ``fname``; of several shots in a file the headers say which
    trace is which. ``event``, ``shot``
    (or ``source``), ``gather`` and ``split`` are used where they are there. npz files may hold
    the arrivals themselves; the table then only lists them. Of the files' channels those count that
    ``selection`` takes.

    Raises:
        FormatError: if the table has no column of arrivals, or rows and files cannot be brought
            together.

    Warns:
        RecordWarning: for files without a row, rows that are in order alone, and numbers that may
            stand for no arrival.
    """
    columns = table.sample_columns
    if not columns and not (table.file_column and any(map(is_npz, paths))):
        raise FormatError(
            f"{table.path} has no column of arrivals in samples ({SAMPLE_COLUMNS_IN_WORDS})"
        )
    warn_of_fillers(table)
    selection = selection or Selection()
    return [
        partial(_read, rows, files, columns, problem, selection)
        for rows, files, problem in paired(table, paths, selection)
    ]


def npz_parts(paths: Sequence[Path]) -> list[Part]:
    """Plan the reading of npz files that hold their own labels, one part a file.

    Raises:
        FormatError: if their records are of several sensors; see `check_are_channels`.
    """
    check_are_channels(map(npz_sizes, paths[:MOST_RECORDS]), str(paths[0].parent))

    def read(path: Path) -> Iterator[Item]:
        try:
            yield LabelledWaveform(wave := _one_record([path]), npz_arrivals(path), wave.station)
        except (FormatError, ShapeError) as error:
            yield BadRow(None, str(error))

    return [partial(read, path) for path in paths]


def _read(
    rows: Rows,
    files: list[Path],
    columns: Mapping[str, str],
    problem: str,
    selection: Selection,
) -> Iterator[Item]:
    """Yield the records of some rows, and the rows that cannot be used."""
    try:
        if not files:
            raise FormatError(problem)
        traces = _traces(files, selection)
    except (FormatError, ShapeError) as error:
        yield from (BadRow(number, str(error)) for number, _ in rows)
        return
    if _gather(files[0], [*traces.values()]):
        yield from _of_gather(rows, traces, columns, files[0])
        return
    groups: dict[int, Rows] = {}
    for number, row in rows:
        try:
            place = record_of_row(row, list(traces.values()), files[0])
            groups.setdefault(place, []).append((number, row))
        except FormatError as error:
            yield BadRow(number, str(error))
    for place, of_record in groups.items():
        yield from _labelled(of_record, [*traces.values()][place], columns, files[0], "")


def _of_gather(
    rows: Rows, traces: Mapping[int, Waveform], columns: Mapping[str, str], file: Path
) -> Iterator[Item]:
    """Yield the records of the rows of a gather, and the rows that cannot be used."""
    try:
        found, bad = GatherRows(rows, list(traces), file).by_trace()
    except FormatError as error:
        yield from (BadRow(number, str(error)) for number, _ in rows)
        return
    yield from bad
    records: list[Item] = []
    for trace, of_trace in found.items():
        records += _labelled(of_trace, traces[trace], columns, file, file.stem)
    yield from records
    good = [record for record in records if isinstance(record, LabelledWaveform)]
    several = [record for record in good if len(record.arrivals.get("P", ())) > 1]
    if len(several) > max(1, len(good) // 2):
        warnings.warn(
            f"{file.name}: {len(several)} of {len(good)} traces have several P, such as "
            f"{several[0].name}: if they are of several shots, name these (column shot or ffid)",
            RecordWarning,
            stacklevel=2,
        )


def _gather(file: Path, waves: Sequence[Waveform]) -> str:
    """Return the gather whose traces these all are, as `gather_of`; the file is looked at once."""
    are_named_so = all(wave.station.startswith(f"{file.stem}-") for wave in waves)
    return gather_of(file, waves[0].station) if are_named_so else ""


def _labelled(
    rows: Rows, wave: Waveform, columns: Mapping[str, str], file: Path, gather: str
) -> Iterator[Item]:
    """Yield one record with the arrivals of its rows, and those that cannot be used."""
    found: list[LabelledWaveform] = []
    for number, row in rows:
        try:
            record = labelled_by_row(wave, row, columns)
            record = replace(record, gather=record.gather or gather)
            if not columns:
                record = replace(record, arrivals=npz_arrivals(file))
            both = merged([*found, record])
            if found and both.arrivals == found[0].arrivals:
                text = f"row {number} repeats an earlier one of {both.name}"
                warnings.warn(text, RecordWarning, stacklevel=2)
            elif found:
                _warn_of_one_onset(number, record, found[0])
            found = [both]
        except (FormatError, ShapeError) as error:
            yield BadRow(number, str(error))
    yield from found


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


def _traces(files: list[Path], selection: Selection) -> dict[int, Waveform]:
    """Return the records of some files by number, those of a gather by that of their trace."""
    waves = read_waveforms(files, selection)
    if not waves:
        raise FormatError(f"{files[0]} holds no channel of the codes wanted")
    if not _gather(files[0], waves):
        if len(waves) == 1:
            return {1: _with_channels(waves[0], files[0])}
        if len(files) > 1:
            raise FormatError(several_records(files, waves))
        return dict(enumerate(waves, start=1))
    found = {}
    for wave in waves:
        number = int(wave.station.removeprefix(f"{files[0].stem}-"))
        if number in found:
            raise FormatError(several_records(files, waves))
        found[number] = wave
    return found


def _one_record(files: list[Path]) -> Waveform:
    waves = read_waveforms(files)
    if len(waves) != 1:
        raise FormatError(several_records(files, waves))
    return _with_channels(waves[0], files[0])


def _with_channels(wave: Waveform, file: Path) -> Waveform:
    return with_all_channels(wave, file) if is_npz(file) else wave
