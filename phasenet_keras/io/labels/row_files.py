"""Which files the rows of a table of samples are of."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from phasenet_keras.io.channel_files import channel_files
from phasenet_keras.io.index import natural_key
from phasenet_keras.io.labels.field_records import shots_in
from phasenet_keras.io.labels.gather_rows import TRACE_COLUMNS, Rows
from phasenet_keras.io.labels.row_order import (
    against_order,
    column_of_names,
    name_in,
    plain,
)
from phasenet_keras.io.labels.rows import SHOT_COLUMNS, LabelTable, numbered_rows
from phasenet_keras.io.metadata_files import said_of_metadata
from phasenet_keras.io.registry import (
    NoWaveformError,
    RecordWarning,
    headers_of,
    read_stream,
    reader_of,
)
from phasenet_keras.io.selection import Selection
from phasenet_keras.io.wording import some
from phasenet_keras.types import FormatError

__all__ = ["paired"]


def paired(
    table: LabelTable, paths: Sequence[Path], selection: Selection
) -> list[tuple[Rows, list[Path], str]]:
    """Return the rows of each record with its files, and what is wrong where there are none.

    Raises:
        FormatError: if neither names nor numbers nor order bring rows and files together.

    Warns:
        RecordWarning: for files without a row, and rows that are taken in the order of the files.
    """
    numbered = numbered_rows(table)
    column = table.file_column or _column_of_files(numbered, paths)
    if column:
        return _paired_by_name(numbered, paths, column, table.sample_columns)
    if "station" in table.columns:
        by_station = _files_by_station(paths, selection)
        groups: dict[str, Rows] = {}
        for number, row in numbered:
            key = f"{row.get('network', '')}.{row['station']}"
            groups.setdefault(key, []).append((number, row))
        missing = "there is no file of this station: name the file (column fname)"
        return [(rows, by_station.get(key, []), missing) for key, rows in groups.items()]
    paths = sorted(_without_metadata(paths), key=natural_key)
    shot = table.first_of((*SHOT_COLUMNS, "gather"))
    if shot and all(map(_is_of_gathers, paths)):
        by_shot = _paired_by_shot(numbered, paths, shot)
        if len(numbered) != len(paths) or all(_may_hold(files, rows) for rows, files, _ in by_shot):
            return by_shot
    if len(numbered) != len(paths):
        raise FormatError(
            f"{table.path} has {len(numbered)} rows and no column of file names (fname) or "
            f"stations; there are {len(paths)} files: name them in the table, or give as many"
        )
    _check_order(table, numbered, paths)
    return [([item], [path], "") for item, path in zip(numbered, paths, strict=True)]


def _column_of_files(numbered: Rows, paths: Sequence[Path]) -> str | None:
    """Return the column that names the files, though it is not called so."""
    names = {name for path in paths for name in (path.name, path.stem)}
    names |= {name for record in channel_files(paths) for name in record.names}
    others = (*SHOT_COLUMNS, "gather", *TRACE_COLUMNS, "station", "network")
    return column_of_names([row for _, row in numbered], names, others)


def _check_order(table: LabelTable, numbered: Rows, paths: Sequence[Path]) -> None:
    """Refuse rows whose order may not be that of the files; say that it is taken to be."""
    column = against_order([row for _, row in numbered], [path.stem for path in paths])
    if column:
        raise FormatError(
            f"{table.path} has no column of file names (fname), and by its column '{column}' the "
            "rows may be in another order than the files: name the files in a column fname, or "
            f"take '{column}' out if they are in the order of the files"
        )
    if len(paths) > 1:
        (first, _), (last, _) = numbered[0], numbered[-1]
        warnings.warn(
            f"{table.path}: no column names the files (fname): rows are taken in the order of "
            f"these, row {first} for {paths[0].name}, row {last} for {paths[-1].name}",
            RecordWarning,
            stacklevel=4,
        )


def _paired_by_name(
    numbered: Rows, paths: Sequence[Path], column: str, columns: Mapping[str, str]
) -> list[tuple[Rows, list[Path], str]]:
    by_name: dict[str, list[Path]] = {}
    for path in paths:
        by_name.setdefault(path.name, []).append(path)
    for path in paths:  # names without their ending, where no file has that very name
        by_name.setdefault(path.stem, []).append(path)
    asked = {name_in(row[column]).name for _, row in numbered}
    records = [r for r in channel_files(paths) if asked & r.all_names and r.are_one_record()]
    files = dict.fromkeys(by_name)  # a file of that very name comes first
    for common, path in [(name, r.files[0]) for r in records for name in sorted(r.names)]:
        if common not in files:
            by_name.setdefault(common, []).append(path)
    groups: dict[Path | int, tuple[Rows, list[Path], str]] = {}
    for number, row in numbered:
        name = name_in(row[column])
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


def _join_channels(
    groups: dict[Path | int, tuple[Rows, list[Path], str]],
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


def _may_hold(files: Sequence[Path], rows: Rows) -> bool:
    """Tell if a file was found and has more than one trace for more than one row."""
    return bool(files) and (len(rows) == 1 or len(headers_of(files[0])) > 1)


def _paired_by_shot(
    numbered: Rows, paths: Sequence[Path], column: str
) -> list[tuple[Rows, list[Path], str]]:
    """Pair rows with the file that their shot names, whole or by the last number in its name.

    But files of several shots with the one whose headers hold it, whatever they are called.
    """
    by_shot: dict[str, list[Path]] = {}
    for path in paths:
        digits = re.findall(r"\d+", path.stem)
        for name in {path.stem, *(str(int(number)) for number in digits[-1:])}:
            by_shot.setdefault(name, []).append(path)
    by_header: dict[str, list[Path]] = {}
    for path in paths:
        for shot in shots_in(path):
            by_header.setdefault(shot, []).append(path)
    are_named = {plain(row[column]) for _, row in numbered} <= by_shot.keys()
    # A number that several hold, such as a kind of source, says less than names of files.
    by_shot |= {shot: held for shot, held in by_header.items() if len(held) == 1 or not are_named}
    groups: dict[Path | str, tuple[Rows, list[Path], str]] = {}
    for number, row in numbered:
        shot = row[column]
        files = by_shot.get(plain(shot), [])
        problem = f"{len(files)} files are named after shot '{shot}', or hold it: name the file"
        found = files if len(files) == 1 else []
        group = groups.setdefault(
            found[0] if found else shot, ([], found, f"{problem} (column fname)")
        )
        group[0].append((number, row))
    return list(groups.values())


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
