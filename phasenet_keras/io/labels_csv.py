"""Waveform files and a table of arrivals in samples, brought together to labelled records."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from phasenet_keras.io.channel_files import channel_files
from phasenet_keras.io.index import natural_key
from phasenet_keras.io.label_rows import (
    SAMPLE_COLUMNS_IN_WORDS,
    SHOT_COLUMNS,
    LabelTable,
    labelled_by_row,
    merged,
    numbered_rows,
    warn_of_fillers,
)
from phasenet_keras.io.metadata_files import said_of_metadata
from phasenet_keras.io.npz_labels import is_npz, npz_arrivals, npz_sizes, with_all_channels
from phasenet_keras.io.other_arrays import MOST_RECORDS, check_are_channels
from phasenet_keras.io.parts import BadRow, Item, Part
from phasenet_keras.io.registry import (
    NoWaveformError,
    RecordWarning,
    gather_of,
    read_stream,
    reader_of,
)
from phasenet_keras.io.row_records import record_of_row, several_records
from phasenet_keras.io.selection import Selection
from phasenet_keras.io.waveforms import read_waveforms
from phasenet_keras.io.wording import some
from phasenet_keras.types import FormatError, LabelledWaveform, ShapeError, Waveform

__all__ = ["csv_parts", "npz_parts"]

# Columns of the number of a trace in its file, from 1.
RECEIVERS = ("channel_number", "receiver")
TRACE_COLUMNS = ("trace", "trace_number", "trace_in_file", *RECEIVERS)
# Rows by number that belong to one record, and its files (none: there is no such file).
_Rows = list[tuple[int, Mapping[str, str]]]


def csv_parts(
    paths: Sequence[Path], table: LabelTable, selection: Selection | None = None
) -> list[Part]:
    """Plan the reading of files and their labels, one part a record.

    A row belongs to the file that its column ``fname`` (or ``file_name``) names, with the other
    channels of its record where each has a file, or to the station
    that ``network`` and ``station`` name; of the records of several stations in one file these
    choose one, with ``location`` and ``channel`` where needed. Where the table has neither, rows
    and files are paired in the natural order of the names (2 before 10), and their numbers
    must agree. Arrivals are columns ``itp``, ``its`` (or ``p_index``, ``s_index``, ``p_sample``,
    ``s_sample``), in samples, or ``p_time_s``, ``p_ms``, …, by time since the first sample, or
    ``p_after_trigger_ms``, …, since the time 0 of the file;
    an empty field is a phase that was looked for and not found, a missing column one that was not
    looked for. Several rows of one file are several arrivals of one record; in a gather (SEG-Y, SU,
    SEG-2) ``trace`` (or ``receiver``) is the number of a row's trace, from 1, and without it the
    rows are in the order of the traces. There ``shot`` stands for the file that it names or whose
    name ends in it, where there is no ``fname``. ``event``, ``shot``
    (or ``source``), ``gather`` and ``split`` are used where they are there. npz files may hold
    the arrivals themselves; the table then only lists them. Of the files' channels those count that
    ``selection`` takes.

    Raises:
        FormatError: if the table has no column of arrivals, or rows and files cannot be brought
            together.

    Warns:
        RecordWarning: for files without a row, and numbers that may stand for no arrival.
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
        for rows, files, problem in _paired(table, paths, selection)
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


def _paired(
    table: LabelTable, paths: Sequence[Path], selection: Selection
) -> list[tuple[_Rows, list[Path], str]]:
    """Return the rows of each record with its files, and what is wrong where there are none."""
    numbered = numbered_rows(table)
    if table.file_column:
        return _paired_by_name(numbered, paths, table.file_column, table.sample_columns)
    if "station" in table.columns:
        by_station = _files_by_station(paths, selection)
        groups: dict[str, _Rows] = {}
        for number, row in numbered:
            key = f"{row.get('network', '')}.{row['station']}"
            groups.setdefault(key, []).append((number, row))
        missing = "there is no file of this station"
        return [(rows, by_station.get(key, []), missing) for key, rows in groups.items()]
    paths = _without_metadata(paths)
    shot = table.first_of((*SHOT_COLUMNS, "gather"))
    if len(numbered) != len(paths) and shot and all(map(_is_of_gathers, paths)):
        return _paired_by_shot(numbered, paths, shot)
    if len(numbered) != len(paths):
        raise FormatError(
            f"{table.path} has {len(numbered)} rows and no column of file names (fname) or "
            f"stations; there are {len(paths)} files: name them in the table, or give as many"
        )
    ordered = sorted(paths, key=natural_key)
    return [([item], [path], "") for item, path in zip(numbered, ordered, strict=True)]


def _paired_by_name(
    numbered: _Rows, paths: Sequence[Path], column: str, columns: Mapping[str, str]
) -> list[tuple[_Rows, list[Path], str]]:
    by_name: dict[str, list[Path]] = {}
    for path in paths:
        by_name.setdefault(path.name, []).append(path)
    for path in paths:  # names without their ending, where no file has that very name
        by_name.setdefault(path.stem, []).append(path)
    asked = {_path_in(row, column).name for _, row in numbered}
    records = [r for r in channel_files(paths) if asked & r.all_names and r.are_one_record()]
    files = dict.fromkeys(by_name)  # a file of that very name comes first
    for common, path in [(name, r.files[0]) for r in records for name in sorted(r.names)]:
        if common not in files:
            by_name.setdefault(common, []).append(path)
    groups: dict[Path | int, tuple[_Rows, list[Path], str]] = {}
    for number, row in numbered:
        name = _path_in(row, column)
        found = by_name.get(name.name, [])
        if len(found) > 1:
            tail = name.parts
            found = [path for path in found if path.parts[-len(tail) : -1] == tail[:-1]]
            # A file of that very name comes before one that has it as its stem.
            found = [path for path in found if path.name == name.name] or found
        problem = "" if found else f"there is no file of this name or station ({name})"
        if len(found) > 1:
            problem = f"{len(found)} files are named {name}: name their folders too"
            found = []
        key = found[0] if found else number
        groups.setdefault(key, ([], found, problem))[0].append((number, row))
    for record in records:
        _join_channels(groups, record.files, columns)
    used = {path for _, files, _ in groups.values() for path in files}
    unused = [path.name for path in paths if path not in used]
    if unused:
        warnings.warn(
            f"{len(unused)} files have no row and are left out: {some(unused)}",
            RecordWarning,
            stacklevel=4,
        )
    return list(groups.values())


def _path_in(row: Mapping[str, str], column: str) -> Path:
    return Path(row[column].replace("\\", "/"))


def _join_channels(
    groups: dict[Path | int, tuple[_Rows, list[Path], str]],
    files: Sequence[Path],
    columns: Mapping[str, str],
) -> None:
    """Give the rows of one channel all of its record; rows of several, if their labels agree."""
    named = [path for path in files if path in groups]
    rows_of = [groups[path][0] for path in named]
    labels = [[[row.get(c) for c in columns.values()] for _, row in rows] for rows in rows_of]
    if named and all(of_file == labels[0] for of_file in labels):
        for path in named[1:]:
            del groups[path]
        groups[named[0]] = (rows_of[0], list(files), "")


def _is_of_gathers(path: Path) -> bool:
    try:
        return reader_of(path).one_trace_one_station
    except FormatError:
        return False


def _paired_by_shot(
    numbered: _Rows, paths: Sequence[Path], column: str
) -> list[tuple[_Rows, list[Path], str]]:
    """Pair rows with the file that their shot names, whole or by the last number in its name."""
    by_shot: dict[str, list[Path]] = {}
    for path in paths:
        digits = re.findall(r"\d+", path.stem)
        for name in {path.stem, *(str(int(number)) for number in digits[-1:])}:
            by_shot.setdefault(name, []).append(path)
    groups: dict[str, _Rows] = {}
    for number, row in numbered:
        groups.setdefault(row[column], []).append((number, row))
    found = []
    for shot, rows in groups.items():
        files = by_shot.get(str(int(shot)) if shot.isdecimal() else shot, [])
        problem = f"{len(files)} files are named after shot '{shot}': name the file (column fname)"
        found.append((rows, files if len(files) == 1 else [], problem))
    return found


def _without_metadata(paths: Sequence[Path]) -> list[Path]:
    """Return the files that are not known to be no waveforms; the others have no row."""
    kinds: dict[Path, str] = {}
    for path in paths:
        try:
            reader_of(path)
        except NoWaveformError as error:
            kinds[path] = error.kind
        except FormatError:  # said of its row
            continue
    if kinds:
        warnings.warn(said_of_metadata(kinds), RecordWarning, stacklevel=4)
    return [path for path in paths if path not in kinds]


def _files_by_station(paths: Sequence[Path], selection: Selection) -> dict[str, list[Path]]:
    """Return the files of each ``network.station``; what is no waveform is passed over."""
    found: dict[str, list[Path]] = {}
    for path in paths:
        try:
            traces = [*filter(selection.takes_channel, read_stream(path, headers_only=True))]
        except FormatError:
            continue
        for name in {f"{trace.stats.network}.{trace.stats.station}" for trace in traces}:
            found.setdefault(name, []).append(path)
    return found


def _read(
    rows: _Rows,
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
    groups: dict[int, _Rows] = {}
    bad = []
    for place, (number, row) in enumerate(rows):
        try:
            trace = _trace_of(row, place, len(rows), traces, files[0])
            groups.setdefault(trace, []).append((number, row))
        except FormatError as error:
            bad.append(BadRow(number, str(error)))
    yield from bad
    column = _trace_column(rows[0][1])
    counts_from_0 = column is not None and any(row.get(column) == "0" for _, row in rows)
    if bad and (column in RECEIVERS or counts_from_0):
        # One of a number that no trace has: the others may be of other traces, too.
        text = f"rows of {files[0].name} are not numbered as its traces are, from 1 on ({column})"
        for of_trace in groups.values():
            yield from (BadRow(number, text) for number, _ in of_trace)
        return
    for trace, of_trace in groups.items():
        yield from _labelled(of_trace, traces[trace], columns, files[0])


def _labelled(
    rows: _Rows, wave: Waveform, columns: Mapping[str, str], file: Path
) -> Iterator[Item]:
    """Yield one record with the arrivals of its rows, and those that cannot be used."""
    found: list[LabelledWaveform] = []
    for number, row in rows:
        try:
            record = labelled_by_row(wave, row, columns)
            record = replace(record, gather=record.gather or gather_of(file, wave.station))
            if not columns:
                record = replace(record, arrivals=npz_arrivals(file))
            both = merged([*found, record])
            if found and both.arrivals == found[0].arrivals:
                text = f"row {number} repeats an earlier one of {both.name}"
                warnings.warn(text, RecordWarning, stacklevel=2)
            found = [both]
        except (FormatError, ShapeError) as error:
            yield BadRow(number, str(error))
    yield from found


def _traces(files: list[Path], selection: Selection) -> dict[int, Waveform]:
    """Return the records of some files by number, those of a gather by that of their trace."""
    waves = read_waveforms(files, selection)
    if len(waves) == 1:
        return {1: _with_channels(waves[0], files[0])}
    if not waves:
        raise FormatError(f"{files[0]} holds no channel of the codes wanted")
    if not all(gather_of(files[0], wave.station) for wave in waves):
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


def _trace_of(
    row: Mapping[str, str], place: int, n_rows: int, traces: Mapping[int, Waveform], file: Path
) -> int:
    """Return the number of the trace that a row is of."""
    numbers = list(traces)
    if not all(gather_of(file, wave.station) for wave in traces.values()):
        return numbers[record_of_row(row, list(traces.values()), file)]
    if len(numbers) == 1:
        return numbers[0]
    column = _trace_column(row)
    if column is None and n_rows == len(numbers):
        return sorted(numbers)[place]
    if column is None:
        raise FormatError(
            f"{file.name} holds {len(numbers)} traces and has {n_rows} rows: give one a trace, or "
            f"its number from 1 in a column ({', '.join(TRACE_COLUMNS)})"
        )
    if not row[column].isdecimal() or int(row[column]) not in traces:
        raise FormatError(
            f"{column} should be the number of a trace in {file.name}, {min(numbers)} to "
            f"{max(numbers)}, received '{row[column]}'"
        )
    return int(row[column])


def _trace_column(row: Mapping[str, str]) -> str | None:
    return next((name for name in TRACE_COLUMNS if row.get(name)), None)


def _one_record(files: list[Path]) -> Waveform:
    waves = read_waveforms(files)
    if len(waves) != 1:
        raise FormatError(several_records(files, waves))
    return _with_channels(waves[0], files[0])


def _with_channels(wave: Waveform, file: Path) -> Waveform:
    return with_all_channels(wave, file) if is_npz(file) else wave
