"""Waveform files, or records of HDF5, and a table of arrivals in samples: labelled records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from functools import partial
from pathlib import Path

from phasenet_keras.io.hdf5_files import record_names
from phasenet_keras.io.labels.hdf5 import records_named
from phasenet_keras.io.labels.npz import is_npz, npz_arrivals, npz_sizes
from phasenet_keras.io.labels.row_columns import FILE_COLUMNS, SAMPLE_COLUMNS_IN_WORDS
from phasenet_keras.io.labels.row_files import FileRows, rows_by_files
from phasenet_keras.io.labels.row_labels import labelled_by_rows
from phasenet_keras.io.labels.row_records import rows_by_record
from phasenet_keras.io.labels.row_traces import numbers_of_traces
from phasenet_keras.io.labels.rows import LabelTable, Rows, numbered_rows
from phasenet_keras.io.no_waveforms import MOST_RECORDS, OTHER_SHAPES, check_are_channels
from phasenet_keras.io.parts import BadRow, Item, Part
from phasenet_keras.io.record_names import is_dated, stems_of
from phasenet_keras.io.registry import say
from phasenet_keras.io.selection import Selection
from phasenet_keras.io.wording import some
from phasenet_keras.types import FormatError, LabelledWaveform, ShapeError, Waveform

__all__ = ["csv_parts", "hdf5_table_parts", "npz_parts"]


def csv_parts(paths: Sequence[Path], table: LabelTable, selection: Selection) -> list[Part]:
    """Plan the reading of files and their labels, one part the files that some rows are of.

    Which files a row is of, which record in these and which trace of a gather, say the modules
    `row_files`, `row_records` and `row_traces`, each with its rules in their order. Arrivals are
    columns ``itp``, ``its`` (or ``p_index``, ``s_index``, ``p_sample``, ``s_sample``), in samples,
    or ``p_time_s``, ``p_ms``, …, by time since the first sample, or ``p_after_trigger_ms``, …,
    since the time 0 of the file; an empty field is a phase that was looked for and not found, a
    missing column one that was not looked for. Several rows of one record are several arrivals.
    ``event``, ``shot`` (or ``source``), ``gather`` and ``split`` are used where they are there. npz
    files may hold the arrivals themselves; the table then only lists them. Of the files' channels
    those count that ``selection`` takes.

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
    groups = rows_by_files(table, paths, selection)
    names = stems_of({file for group in groups for file in group.files[:1]})
    numbers = numbers_of_traces([row for group in groups for _, row in group.rows])
    own = [names[group.files[0]] if group.files else "" for group in groups]
    pairs = zip(groups, own, strict=True)
    return [partial(_read, group, columns, selection, numbers, name) for group, name in pairs]


def _read(
    group: FileRows,
    columns: Mapping[str, str],
    selection: Selection,
    numbers: Mapping[str, Set[int]],
    name: str,
) -> Iterator[Item]:
    """Yield the rows that cannot be used, and the records of the others.

    Args:
        group: the files, and their rows.
        columns: the column of each phase.
        selection: channels wanted.
        numbers: of traces, in the columns of the whole table.
        name: of the file, by which its gather or event is called.
    """
    try:
        if not group.files:
            raise FormatError(group.problem)
        file = group.files[0]
        found, bad, gather = rows_by_record(group.rows, group.files, selection, numbers)
        arrivals = {} if columns else npz_arrivals(file)
        records = []
        for wave, rows in found:
            shot = wave.station.rpartition("-")[0].removeprefix(file.stem)  # one of several
            own = gather and name + shot
            record = LabelledWaveform(wave, arrivals, name=wave.station, gather=own)
            records.append((record, rows))
    except (FormatError, ShapeError) as error:
        yield from (BadRow(number, str(error)) for number, _ in group.rows)
        return
    yield from bad
    are_of_event = not gather and _are_of_event([wave for wave, _ in found])
    items = [item for record, rows in records for item in labelled_by_rows(rows, record, columns)]
    items = [_with_event(item, name) for item in items] if are_of_event else items
    yield from items
    good = [item for item in items if isinstance(item, LabelledWaveform)]
    several = [record for record in good if len(record.arrivals.get("P", ())) > 1]
    if gather and len(several) > max(1, len(good) // 2):
        say(
            f"{file.name}: {len(several)} of {len(good)} traces have several P, such as "
            f"{several[0].name}: if they are of several shots, name these (column shot or ffid)"
        )


def _are_of_event(waves: Sequence[Waveform]) -> bool:
    """Tell if records of one file are of one event, which their times do not tell.

    Several stations' are of one trigger.
    """
    are_dated = any(is_dated(wave.start_time) for wave in waves)
    return not are_dated and len({wave.station for wave in waves}) > 1


def _with_event(item: Item, event: str) -> Item:
    """Give a record the event of its file, if its rows name neither event nor gather."""
    if isinstance(item, BadRow) or item.event or item.gather:
        return item
    return replace(item, event=event)


def npz_parts(paths: Sequence[Path]) -> list[Part]:
    """Plan the reading of npz files that hold their own labels, one part a file.

    Raises:
        FormatError: if their records are of several sensors; see `check_are_channels`.
    """
    check_are_channels(map(npz_sizes, paths[:MOST_RECORDS]), str(paths[0].parent))

    def read(path: Path) -> Iterator[Item]:
        for item in _read(FileRows([(0, {})], [path]), {}, Selection(), {}, path.stem):
            yield BadRow(None, item.text) if isinstance(item, BadRow) else item

    return [partial(read, path) for path in paths]


def hdf5_table_parts(paths: Sequence[Path], table: LabelTable) -> tuple[list[Part], list[BadRow]]:
    """Plan the reading of HDF5 files with a table, one part a file; records without a row are not.

    A row belongs to the record that its column ``fname`` names: by its whole name in the file
    (``quake/A``), with that of the file as picks have it (``a.h5/quake/A``), or by its last part,
    where only one record has it; or by its file, where there is no other record in it.

    Returns:
        The parts, and the rows of no record.

    Raises:
        FormatError: if the table has no such column, or none of arrivals in samples.
    """
    column = table.file_column
    if column is None or not table.sample_columns:
        raise FormatError(
            f"{table.path} should name the record of each row in the HDF5 files, in a column "
            f"{' or '.join(FILE_COLUMNS)}, and its arrivals in samples "
            f"({SAMPLE_COLUMNS_IN_WORDS}); it has columns {', '.join(table.columns)}. Or write "
            "them as attributes: dataset.attrs['p_sample'] = 100. If an array is of several events "
            f"or sensors: {OTHER_SHAPES}"
        )
    places: dict[str, list[tuple[Path, str]]] = {}
    rows: dict[Path, dict[str, Rows]] = {}
    for path in paths:
        names = record_names(path)
        rows[path] = {name: [] for name in names}
        for name in names:
            of_file = (path.name, path.stem) if len(names) == 1 else ()
            called = (name, name.rsplit("/", 1)[-1], f"{path.name}/{name}", *of_file)
            for key in dict.fromkeys(called):
                places.setdefault(key, []).append((path, name))
    bad = []
    for number, row in numbered_rows(table):
        found = places.get(row[column].replace("\\", "/").strip("/"), [])
        if len(found) == 1:
            path, name = found[0]
            rows[path][name].append((number, row))
        else:
            said = f"{len(found)} records of the HDF5 files are named '{row[column]}'"
            bad.append(BadRow(number, f"{said}, as {some(places)} are; one is wanted"))
    columns = table.sample_columns
    labelled = {path: {n: own for n, own in of.items() if own} for path, of in rows.items()}
    parts = [partial(_read_hdf5, path, of, columns) for path, of in labelled.items() if of]
    return [*parts], bad


def _read_hdf5(path: Path, rows: Mapping[str, Rows], columns: Mapping[str, str]) -> Iterator[Item]:
    for item in records_named(path, ((None, name) for name in rows), needs_labels=False):
        if isinstance(item, BadRow):
            yield BadRow(None, f"{item.text} ({path.name})")
        else:
            yield from labelled_by_rows(rows[item.name], item, columns)
