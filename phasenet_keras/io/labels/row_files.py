"""Which files the rows of a table of samples are of.

1. A column of a known name (``fname``, …) names the file, or any column most cells of which are
   names of files, but not two that name different ones: the very name, the name without its ending,
   or what the files of one record's channels have in common. Folders count as far as files here are
   in such, and, but for those of another machine that all begin with, where files or cells have one
   name in several. Rows of one channel, or of several with the same labels, are of all channels of
   their record.
2. Else ``network`` and ``station``, or a column such as ``id`` most cells of which are stations
   of the files, name all files that hold such a station. It may be a SEED id; a network that is
   empty, in the row or in the files, fits any.
3. Else a shot names its gather, if all files are gathers, but for those of no known format: by the
   headers of a file of several, or by the file's name or the last number in it. Where the headers
   of files of one shot each have all shots, too, and give them to other files, the table is refused
   if it names field records (FFID), if names have fewer of the shots, or if the names of such files
   have these numbers as well; a mere counter in the headers says nothing. Where no shot is in a
   name they are those of such headers. A shot does not name a file of one trace for several rows of
   one phase; and if there are as many rows as files all shots have to name one.
4. Else all are of the only file, if it is a gather; or rows are in the order of the files, if they
   are as many and no column says otherwise.
5. Otherwise the table is refused. A row of no file, or of more than one, is refused alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING
from unicodedata import is_normalized, normalize

from phasenet_keras.io.channel_files import ChannelFiles, channel_files
from phasenet_keras.io.field_records import SHOT_HEADERS, shot_of_all, shots_of_traces
from phasenet_keras.io.index import natural_key
from phasenet_keras.io.labels.first_breaks import FIRST_BREAK_COLUMNS, with_files
from phasenet_keras.io.labels.row_columns import (
    FIELD_RECORD_COLUMNS,
    GATHER_COLUMNS,
    TRACE_IN_FILE,
)
from phasenet_keras.io.labels.row_order import against_order, columns_of_names, name_in
from phasenet_keras.io.labels.row_stations import Find, files_by, stations_of_rows
from phasenet_keras.io.labels.row_traces import names_of, shot_in
from phasenet_keras.io.labels.rows import LabelTable, Rows, numbered_rows
from phasenet_keras.io.labels.understood import said_of_columns
from phasenet_keras.io.no_waveforms import said_of_metadata
from phasenet_keras.io.registry import (
    NoWaveformError,
    Reader,
    UnknownFormatError,
    headers_of,
    reader_of,
    say,
)
from phasenet_keras.io.selection import Selection
from phasenet_keras.io.text_tables import name_key
from phasenet_keras.io.wording import some
from phasenet_keras.types import FormatError

if TYPE_CHECKING:
    from obspy import Trace

__all__ = ["FileRows", "check_order", "rows_by_files"]


@dataclass(eq=False)
class FileRows:
    """Rows of a table that are of the same files.

    Attributes:
        rows: cells by column, by the row's number.
        files: the only one, or those of a record's channels, or of a station; none if they are not
            known.
        problem: what to say where there are no files.
    """

    rows: Rows
    files: list[Path]
    problem: str = ""


def rows_by_files(table: LabelTable, paths: Sequence[Path], selection: Selection) -> list[FileRows]:
    """Return the rows of a table by the files that they are of.

    Raises:
        FormatError: if neither names nor numbers nor order bring rows and files together.

    Warns:
        RecordWarning: for files without a row, and rows that are taken in the order of the files.
    """
    table = _with_gathers(table, paths)
    rows = _spelt_as(paths, numbered_rows(table))
    cells = [row for _, row in rows]
    channels = channel_files(paths)
    names = {name for path in paths for name in (path.name, path.stem)}
    names |= {name for record in channels for name in record.names}
    columns = [table.file_column] if table.file_column else columns_of_names(cells, names)
    if columns:
        asked = {name_in(row[column]).name for row in cells for column in columns}
        records = [r for r in channels if asked & r.all_names and r.are_one_record()]
        finders = {c: _finder_by_name([r[c] for r in cells], paths, records) for c in columns}
        column, *others = columns
        for other in others:
            pairs = ((finders[column](r[column])[0], finders[other](r[other])[0]) for r in cells)
            if _differ(pairs, channels):
                raise FormatError(
                    f"{table.path}: columns '{column}' and '{other}' both hold names of files, and "
                    "of different ones: call that of the records fname"
                )
        groups = _grouped(rows, (row[column] for row in cells), finders[column])
        _join_channels(groups, records, [*table.sample_columns.values()])
        groups = [group for group in groups if group.rows]
        _warn_of_unused(paths, groups)
        return groups
    if found := stations_of_rows(table, rows, paths, selection):
        return _grouped(rows, *found)
    shot_column = table.first_of(GATHER_COLUMNS)
    readers, are_gathers = _readers(paths, shot_column, len(rows))
    paths = sorted(readers, key=natural_key)
    if shot_column and are_gathers:
        traces = {path: headers_of(path) for path in paths}
        named = list(map(shot_in, cells))
        groups = _grouped(rows, named, _finder_by_shot(named, traces, shot_column))
        for group in groups:
            if group.files and len(traces[group.files[0]]) == 1:
                _check_one_trace(group, [*table.sample_columns.values()])
        if len(rows) != len(paths) or all(group.files for group in groups):
            return groups
    return _in_order(table, rows, paths, are_gathers=are_gathers)


def _with_gathers(table: LabelTable, paths: Sequence[Path]) -> LabelTable:
    """Name file and trace of each first break of an sgt file; other tables stay as they are."""
    if not {*FIRST_BREAK_COLUMNS} <= {*table.columns}:
        return table
    readers, _ = _readers(paths, FIRST_BREAK_COLUMNS[0], len(table.rows))
    n_traces = {path: len(headers_of(path)) for path in sorted(readers, key=natural_key)}
    rows = with_files(table.path, table.rows, n_traces)
    return replace(table, rows=tuple(rows), columns=(*table.columns, "fname", TRACE_IN_FILE))


def _spelt_as(paths: Sequence[Path], rows: Rows) -> Rows:
    """Return rows with letters such as ö in one sign or two (macOS), whichever files have.

    Where some have one and some two, a cell is spelt as the file of its name.
    """
    known = {name for path in paths for name in (path.name, path.stem) if not name.isascii()}
    is_plain = all(is_normalized("NFC", str(path)) for path in paths)

    def spelt(cell: str) -> str:
        forms = (normalize("NFC", cell), normalize("NFD", cell))
        named = (form for form in forms if name_in(form).name in known)
        return cell if cell.isascii() else next(named, forms[0 if is_plain else 1])

    return [(number, {k: spelt(v) for k, v in row.items()}) for number, row in rows]


def _grouped(rows: Rows, names: Iterable[str], find: Find) -> list[FileRows]:
    """Group rows by the files that their names are of."""
    groups: dict[tuple[Path, ...] | str, FileRows] = {}
    for item, name in zip(rows, names, strict=True):
        files, problem = find(name)
        groups.setdefault(tuple(files) or problem, FileRows([], files, problem)).rows.append(item)
    return list(groups.values())


def _finder_by_name(
    cells: Iterable[str], paths: Sequence[Path], records: Sequence[ChannelFiles]
) -> Find:
    """Find files by their names; those of a record's channels by what they have in common."""
    by_name = files_by(pair for path in paths for pair in ((path.name, path), (path.stem, path)))
    common = files_by((name, record.files[0]) for record in records for name in record.names)
    by_name = common | by_name
    names = [*map(name_in, dict.fromkeys(cells))]
    folders: dict[str, set[Path]] = {}
    for name in names:
        folders.setdefault(name.name, {Path()}).add(name.parent)
    here = {path.parts[n:-1] for path in paths for n in range(len(path.parts))}
    # Folders may be those of another machine, but not where they tell files apart.
    told_apart = {n for n, named_in in folders.items() if len(named_in) > 2}
    told_apart |= {name for name, named in by_name.items() if len(named) > 1}
    n_foreign = _n_foreign([n.parts[:-1] for n in names if n.name in told_apart], here)

    @cache
    def by_folder(name: str) -> dict[tuple[str, ...], list[Path]]:
        named = by_name.get(name, [])
        return files_by((path.parts[n:-1], path) for path in named for n in range(len(path.parts)))

    @cache
    def find(cell: str) -> tuple[list[Path], str]:
        name = name_in(cell)
        if name.name in told_apart:
            folder = name.parts[n_foreign:-1]
        else:
            tails = (name.parts[n:-1] for n in range(len(name.parts)))
            folder = next((tail for tail in tails if tail in here), ())
        found = by_folder(name.name).get(folder, [])
        if len(found) > 1:
            # A file of that very name comes before one that has it as its stem.
            found = [path for path in found if path.name == name.name] or found
        if len(found) > 1:
            return [], f"{len(found)} files are named {name}: name their folders too"
        if not cell:
            return [], "it names no file"
        hint = "" if cell.isascii() else ": is the table in UTF-8?"
        return found, f"there is no file of this name or station ({name}){hint}"

    return find


def _differ(
    pairs: Iterable[tuple[Sequence[Path], Sequence[Path]]], records: Sequence[ChannelFiles]
) -> bool:
    """Tell if two columns name files of different records in any row where both name one."""
    firsts = {path: record.files[0] for record in records for path in record.files}
    return any(
        one and other and firsts.get(one[0], one[0]) != firsts.get(other[0], other[0])
        for one, other in pairs
    )


def _n_foreign(folders: Sequence[tuple[str, ...]], here: Collection[tuple[str, ...]]) -> int:
    """Return how many folders all paths begin with that are those of another machine."""
    if len(set(folders)) < 2:
        return 0
    shared = takewhile(lambda parts: len(set(parts)) == 1, zip(*folders, strict=False))
    counts = range(len([*shared]) + 1)
    return next((n for n in counts if any(f[n:] and f[n:] in here for f in folders)), 0)


def _join_channels(
    groups: Sequence[FileRows], records: Sequence[ChannelFiles], columns: Sequence[str]
) -> None:
    """Give the rows of one channel all of its record; rows of several, if their labels agree."""
    by_file = {group.files[0]: group for group in groups if group.files}
    for record in records:
        found = [by_file[path] for path in record.files if path in by_file]
        labels = [[[row.get(c) for c in columns] for _, row in group.rows] for group in found]
        if found and all(of_file == labels[0] for of_file in labels):
            found[0].files = list(record.files)
            for group in found[1:]:
                group.rows = []


def _finder_by_shot(
    shots: Iterable[str], traces: Mapping[Path, Sequence[Trace]], column: str
) -> Find:
    """Find gathers by shots; those of several shots by their headers, whatever they are called."""
    by_name = files_by((name, path) for path in traces for name in names_of(path))
    by_header = files_by(
        (shot, path)
        for path, of_file in traces.items()
        for shots_of_file in shots_of_traces(of_file)
        for shot in shots_of_file
    )
    wanted = set(shots) - {""}
    by_name |= _by_headers_of_all(wanted, by_name, traces, column)
    are_named = by_name.keys() >= set(shots)
    # A number that several hold, such as a kind of source, says less than names of files.
    by_header = {s: held for s, held in by_header.items() if len(held) == 1 or not are_named}
    by_shot = by_name | by_header

    def find(shot: str) -> tuple[list[Path], str]:
        found = by_shot.get(shot, [])
        problem = f"{len(found)} files are named after shot '{shot}', or hold it: name the file"
        return found if len(found) == 1 else [], f"{problem} (column fname)"

    return find


def _by_headers_of_all(
    shots: Set[str],
    by_name: Mapping[str, Sequence[Path]],
    traces: Mapping[Path, Sequence[Trace]],
    column: str,
) -> dict[str, list[Path]]:
    """Return files of one shot each by their headers, where those have all shots and names none.

    Raises:
        FormatError: if headers give shots to other files than names do, and may be meant.
    """
    in_order = sorted(shots, key=natural_key)
    of_names = {s: by_name[s][0] for s in in_order if len(by_name.get(s, ())) == 1}
    for header in SHOT_HEADERS:
        held = files_by((shot_of_all(of_file, header), path) for path, of_file in traces.items())
        found = {s: held[s] for s in shots if len(held.get(s, ())) == 1}
        if not found.keys() >= of_names.keys():
            continue
        others = {s: path for s, path in of_names.items() if found[s] != [path]}
        are_meant = (
            column in FIELD_RECORD_COLUMNS
            or len(found) > len(of_names)
            or all(s in map(name_key, re.findall(r"\d+", found[s][0].stem)) for s in others)
        )
        if others and are_meant:
            shot, path = next(iter(others.items()))
            raise FormatError(
                f"{column} {shot} is {found[shot][0].name} by the headers of its traces ({header}),"
                f" and {path.name} by the name of the file: name the file of each row (column "
                "fname)"
            )
        if of_names or len(found) == len(shots):
            return {} if of_names else found
    return {}


def _check_one_trace(group: FileRows, columns: Sequence[str]) -> None:
    """Take the file from rows of which one trace cannot have all: several of one phase."""
    rows = [dict(cells) for cells in {tuple(row.items()) for _, row in group.rows}]
    if any(sum(bool(row.get(column)) for row in rows) > 1 for column in columns):
        group.problem = (
            f"{group.files[0].name} holds one trace, and {len(rows)} rows name its shot: name the "
            "file of each (column fname)"
        )
        group.files = []


def _readers(
    paths: Iterable[Path], shot_column: str | None, n_rows: int
) -> tuple[dict[Path, Reader | None], bool]:
    """Return the formats of files, and if all are gathers; what is no waveform is passed over.

    So is a file of no known format, but where it may have a row, in the order of the files. There
    it is None, as one that cannot be read: that is said of the row.
    """
    found: dict[Path, Reader | None] = {}
    kinds: dict[Path, str] = {}
    unknown: dict[Path, str] = {}
    for path in paths:
        try:
            found[path] = reader_of(path)
        except NoWaveformError as error:
            kinds[path] = error.kind
        except FormatError as error:
            found[path] = None
            if isinstance(error, UnknownFormatError):
                unknown[path] = "of no format known here"
    known = {path: reader for path, reader in found.items() if path not in unknown}
    are_gathers = all(reader and reader.one_trace_one_station for reader in known.values())
    if known and ((shot_column and are_gathers) or len(found) != n_rows):
        found, kinds = known, kinds | unknown
    if kinds:
        say(said_of_metadata(kinds))
    return found, are_gathers and found == known


def _warn_of_unused(paths: Sequence[Path], groups: Sequence[FileRows]) -> None:
    used = {path for group in groups for path in group.files}
    unused = [path.name for path in paths if path not in used]
    if unused:
        say(f"{len(unused)} files have no row and are left out: {some(unused)}")


def _in_order(
    table: LabelTable, rows: Rows, paths: Sequence[Path], *, are_gathers: bool
) -> list[FileRows]:
    """Return rows with the only gather, or in the order of the files; refuse others; say it."""
    if are_gathers and len(paths) == 1:
        return [FileRows(rows, [*paths])]
    if len(rows) != len(paths):
        raise FormatError(
            f"{table.path} has {len(rows)} rows and no column of file names (fname) or "
            f"stations; there are {len(paths)} files: name them in the table, or give as many. Of "
            f"its columns are {said_of_columns(table.columns)}"
        )
    check_order(table, rows, paths)
    return [FileRows([item], [path]) for item, path in zip(rows, paths, strict=True)]


def check_order(table: LabelTable, rows: Rows, paths: Sequence[Path]) -> None:
    """Refuse rows whose order may not be that of the files; say that it is taken to be."""
    column = against_order([row for _, row in rows], [path.stem for path in paths])
    if column:
        raise FormatError(
            f"{table.path} has no column of file names (fname), and by its column '{column}' the "
            "rows may be in another order than the files: name the files in a column fname, or "
            f"take '{column}' out if they are in the order of the files"
        )
    if len(paths) > 1:
        (first, _), (last, _) = rows[0], rows[-1]
        say(
            f"{table.path}: no column names the files (fname): rows are taken in the order of "
            f"these, row {first} for {paths[0].name}, row {last} for {paths[-1].name}"
        )
