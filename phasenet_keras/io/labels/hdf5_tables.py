"""HDF5 files whose labels are in a table, by the names of their records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from phasenet_keras.io.labels.hdf5 import record_names, records_named
from phasenet_keras.io.labels.rows import (
    FILE_COLUMNS,
    SAMPLE_COLUMNS_IN_WORDS,
    LabelTable,
    labelled_by_row,
    merged,
    numbered_rows,
    warn_of_fillers,
)
from phasenet_keras.io.other_arrays import OTHER_SHAPES
from phasenet_keras.io.parts import BadRow, Item, Part
from phasenet_keras.io.wording import some
from phasenet_keras.types import FormatError, LabelledWaveform, ShapeError

__all__ = ["hdf5_table_parts"]

_Rows = list[tuple[int, Mapping[str, str]]]


def hdf5_table_parts(paths: Sequence[Path], table: LabelTable) -> tuple[list[Part], list[BadRow]]:
    """Plan the reading of HDF5 files with a table, one part a file; records without a row are not.

    A row belongs to the record that its column ``fname`` names: by its whole name in the file
    (``quake/A``), or by its last part, where only one record has it; or by its file, where there is
    no other record in it.

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
    warn_of_fillers(table)
    places: dict[str, list[tuple[Path, str]]] = {}
    for path in paths:
        names = record_names(path)
        for name in names:
            of_file = {path.name, path.stem} if len(names) == 1 else set()
            for key in {name, name.rsplit("/", 1)[-1], *of_file}:
                places.setdefault(key, []).append((path, name))
    rows: dict[Path, dict[str, _Rows]] = {path: {} for path in paths}
    bad = []
    for number, row in numbered_rows(table):
        found = places.get(row[column].strip("/"), [])
        if len(found) == 1:
            path, name = found[0]
            rows[path].setdefault(name, []).append((number, row))
        else:
            said = f"{len(found)} records of the HDF5 files are named '{row[column]}'"
            bad.append(BadRow(number, f"{said}, as {some(places)} are; one is wanted"))
    return [partial(_read, path, of_path, table) for path, of_path in rows.items() if of_path], bad


def _read(path: Path, rows: Mapping[str, _Rows], table: LabelTable) -> Iterator[Item]:
    for item in records_named(path, set(rows)):
        if isinstance(item, BadRow):
            yield item
            continue
        found: list[LabelledWaveform] = []
        for number, row in rows[item.name]:
            try:
                record = labelled_by_row(item.waveform, row, table.sample_columns, item.name)
                record = replace(
                    record,
                    event=record.event or item.event,
                    gather=record.gather or item.gather,
                    split=record.split or item.split,
                )
                found = [merged([*found, record])]
            except (FormatError, ShapeError) as error:
                yield BadRow(number, str(error))
        yield from found
