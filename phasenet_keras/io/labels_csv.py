"""Waveform files and a table of arrivals in samples, brought together to labelled records."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from phasenet_keras.io.index import natural_key
from phasenet_keras.io.label_rows import (
    SAMPLE_COLUMNS,
    LabelTable,
    labelled_by_row,
    merged,
    warn_of_fillers,
)
from phasenet_keras.io.npz_labels import is_npz, npz_arrivals, with_all_channels
from phasenet_keras.io.parts import BadRow, Item, Part
from phasenet_keras.io.registry import RecordWarning, read_stream
from phasenet_keras.io.specfem_names import other_channels
from phasenet_keras.io.waveforms import read_waveforms
from phasenet_keras.types import FormatError, LabelledWaveform, ShapeError, Waveform

__all__ = ["SAMPLE_COLUMNS", "BadRow", "csv_parts", "npz_parts"]

# Rows by number that belong to one record, and its files (none: there is no such file).
_Rows = list[tuple[int, Mapping[str, str]]]


def csv_parts(paths: Sequence[Path], table: LabelTable) -> list[Part]:
    """Plan the reading of files and their labels, one part a record.

    A row belongs to the file that its column ``fname`` (or ``file_name``) names, or to the station
    that ``network`` and ``station`` name; where the table has neither, rows and files are paired
    in the natural order of the names (2 before 10), and their numbers must agree. Arrivals are
    columns ``itp``, ``its`` (or ``p_index``, ``s_index``, ``p_sample``, ``s_sample``), in samples;
    an empty field is a phase that was looked for and not found, a missing column one that was not
    looked for. Several rows of one file are several arrivals of one record. ``event``, ``shot``
    (or ``source``), ``gather`` and ``split`` are used where they are there. npz files may hold
    the arrivals themselves; the table then only lists them. Of SPECFEM's seismograms, which are a
    file a channel, one that is named brings the others of its station along.

    Raises:
        FormatError: if the table has no column of arrivals, or rows and files cannot be brought
            together.

    Warns:
        RecordWarning: for files without a row, and numbers that may stand for no arrival.
    """
    columns = table.sample_columns
    if not columns and not (table.file_column and any(map(is_npz, paths))):
        wanted = "; ".join(f"{p}: {', '.join(names)}" for p, names in SAMPLE_COLUMNS.items())
        raise FormatError(f"{table.path} has no column of arrivals in samples ({wanted})")
    warn_of_fillers(table)
    column = table.file_column
    named = {Path(row[column].replace("\\", "/")).name for row in table.rows} if column else set()
    others = other_channels(paths, named)
    brought = {path for found in others.values() for path in found}
    leading = [path for path in paths if path not in brought]
    return [
        partial(_read, rows, [*files, *others.get(files[0], ())] if files else [], columns, problem)
        for rows, files, problem in _paired(table, leading)
    ]


def npz_parts(paths: Sequence[Path]) -> list[Part]:
    """Plan the reading of npz files that hold their own labels, one part a file."""

    def read(path: Path) -> Iterator[Item]:
        try:
            yield LabelledWaveform(wave := _one_record([path]), npz_arrivals(path), wave.station)
        except (FormatError, ShapeError) as error:
            yield BadRow(None, str(error))

    return [partial(read, path) for path in paths]


def _paired(table: LabelTable, paths: Sequence[Path]) -> list[tuple[_Rows, list[Path], str]]:
    """Return the rows of each record with its files, and what is wrong where there are none."""
    numbered = list(enumerate(table.rows, start=1))
    if table.file_column:
        return _paired_by_name(numbered, paths, table.file_column)
    if "station" in table.columns:
        by_station = _files_by_station(paths)
        groups: dict[str, _Rows] = {}
        for number, row in numbered:
            key = f"{row.get('network', '')}.{row['station']}"
            groups.setdefault(key, []).append((number, row))
        missing = "there is no file of this station"
        return [(rows, by_station.get(key, []), missing) for key, rows in groups.items()]
    if len(numbered) != len(paths):
        raise FormatError(
            f"{table.path} has {len(numbered)} rows and no column of file names (fname) or "
            f"stations; there are {len(paths)} files: name them in the table, or give as many"
        )
    ordered = sorted(paths, key=natural_key)
    return [([item], [path], "") for item, path in zip(numbered, ordered, strict=True)]


def _paired_by_name(
    numbered: _Rows, paths: Sequence[Path], column: str
) -> list[tuple[_Rows, list[Path], str]]:
    by_name: dict[str, list[Path]] = {}
    for path in paths:
        by_name.setdefault(path.name, []).append(path)
    for path in paths:  # names without their ending, where no file has that very name
        by_name.setdefault(path.stem, []).append(path)
    groups: dict[Path | int, tuple[_Rows, list[Path], str]] = {}
    for number, row in numbered:
        name = Path(row[column].replace("\\", "/"))
        found = by_name.get(name.name, [])
        if len(found) > 1:
            tail = name.parts
            found = [path for path in found if path.parts[-len(tail) :] == tail]
        problem = "" if found else f"there is no file of this name or station ({name})"
        if len(found) > 1:
            problem = f"{len(found)} files are named {name}: name their folders too"
            found = []
        key = found[0] if found else number
        groups.setdefault(key, ([], found, problem))[0].append((number, row))
    unused = [path.name for path in paths if path not in groups]
    if unused:
        warnings.warn(
            f"{len(unused)} files have no row and are left out: "
            f"{', '.join(unused[:3])}{', …' if len(unused) > 3 else ''}",
            RecordWarning,
            stacklevel=4,
        )
    return list(groups.values())


def _files_by_station(paths: Sequence[Path]) -> dict[str, list[Path]]:
    """Return the files of each ``network.station``; what is no waveform is passed over."""
    found: dict[str, list[Path]] = {}
    for path in paths:
        try:
            traces = read_stream(path, headers_only=True)
        except FormatError:
            continue
        for name in {f"{trace.stats.network}.{trace.stats.station}" for trace in traces}:
            found.setdefault(name, []).append(path)
    return found


def _read(
    rows: _Rows, files: list[Path], columns: Mapping[str, str], problem: str
) -> Iterator[Item]:
    """Yield the record of some rows, and the rows that cannot be used."""
    found: list[LabelledWaveform] = []
    wave = None
    for number, row in rows:
        try:
            if not files:
                raise FormatError(problem)
            wave = wave or _one_record(files)
            record = labelled_by_row(wave, row, columns)
            if not columns:
                record = replace(record, arrivals=npz_arrivals(files[0]))
            both = merged([*found, record])
            if found and both.arrivals == found[0].arrivals:
                text = f"row {number} repeats an earlier one of {both.name}"
                warnings.warn(text, RecordWarning, stacklevel=2)
            found = [both]
        except (FormatError, ShapeError) as error:
            yield BadRow(number, str(error))
    yield from found


def _one_record(files: list[Path]) -> Waveform:
    waves = read_waveforms(files)
    if len(waves) != 1:
        raise FormatError(f"{files[0]} holds {len(waves)} records; one is wanted")
    return with_all_channels(waves[0], files[0]) if is_npz(files[0]) else waves[0]
