"""Labelled records from SPECFEM2D runs: seismograms and the table of arrivals of each run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from glob import glob
from os import PathLike
from pathlib import Path

from phasenet_keras.io.channels import seed_codes
from phasenet_keras.io.index import natural_key
from phasenet_keras.io.labels.row_labels import labelled_by_rows
from phasenet_keras.io.labels.row_order import against_order
from phasenet_keras.io.labels.row_records import rows_by_codes
from phasenet_keras.io.labels.rows import LabelTable, Rows, numbered_rows, read_label_table
from phasenet_keras.io.parts import BadRow, Item, Part
from phasenet_keras.io.registry import say
from phasenet_keras.io.specfem import is_specfem_run, read_specfem_run
from phasenet_keras.io.wording import some
from phasenet_keras.types import FormatError, LabelledWaveform, Waveform

__all__ = ["find_specfem_runs", "specfem_parts"]

LABELS = "labels.csv"
RUN_COLUMNS = ("run", "model")


def find_specfem_runs(waveforms: str | PathLike[str]) -> dict[str, Path]:
    """Return the run folders that a path means, by name: itself, those below it, or a pattern's.

    Example:
        >>> find_specfem_runs("no/such/folder")
        {}
    """
    folder = Path(waveforms)
    if is_specfem_run(folder):
        return {folder.resolve().name: folder}
    if folder.is_dir():
        below = sorted((path.parent for path in folder.rglob("OUTPUT_FILES")), key=natural_key)
        return {path.relative_to(folder).as_posix(): path for path in below if is_specfem_run(path)}
    matches = sorted(map(Path, glob(str(waveforms))), key=natural_key)  # noqa: PTH207
    runs = [path for path in matches if is_specfem_run(path)]
    has_own_names = len({path.name for path in runs}) == len(runs)
    return {path.name if has_own_names else path.as_posix(): path for path in runs}


def specfem_parts(runs: Mapping[str, Path], table: LabelTable | None = None) -> list[Part]:
    """Plan the reading of runs and their labels, one part a run.

    Rows find their seismograms by ``network`` and ``station``, or, without these columns, in the
    order of STATIONS. The event is the run, the gather the run and its source's number, a record
    is named ``run.network.station``.

    Args:
        runs: folders by name.
        table: of one run, or with a column ``run``; None reads ``labels.csv`` in each folder.

    Raises:
        FormatError: if no run has labels, or a table for several runs has no column ``run``.
    """
    if table is None:
        if not any((folder / LABELS).is_file() for folder in runs.values()):
            raise FormatError(
                f"{', '.join(map(str, runs.values()))} should hold labels in a file {LABELS} "
                "(network, station, p_index, s_index): write it, or name one with --labels (in "
                "Python labels=)"
            )
        return [partial(_read_own, name, folder) for name, folder in runs.items()]
    _check(table)
    column = table.first_of(RUN_COLUMNS)
    if column is None and len(runs) > 1:
        raise FormatError(
            f"{table.path} has no column 'run' and there are {len(runs)} runs "
            f"({some(runs)}): add it, or keep a {LABELS} in each folder"
        )
    rows: dict[str, Rows] = {name: [] for name in runs}
    for item in numbered_rows(table):
        rows.setdefault(item[1][column] if column else next(iter(runs)), []).append(item)
    others = [name for name in rows if name not in runs]
    if others:
        text = f"{table.path}: rows of other runs ({some(others)}) are left out"
        say(f"{text}; those here are {some(runs)}")
    return [partial(_read, name, folder, rows[name], table) for name, folder in runs.items()]


def _check(table: LabelTable) -> None:
    if not table.sample_columns:
        raise FormatError(
            f"{table.path} should have columns p_index or s_index (samples from the first of the "
            f"seismogram), it has {', '.join(table.columns) or 'none'}"
        )


def _read_own(name: str, folder: Path) -> Iterator[Item]:
    try:
        table = read_label_table(folder / LABELS)
        _check(table)
        rows = numbered_rows(table)
    except FormatError as error:
        yield BadRow(None, f"run {name}: {error}")
        return
    yield from _read(name, folder, rows, table)


def _read(name: str, folder: Path, rows: Rows, table: LabelTable) -> Iterator[Item]:
    """Yield the records of a run in the order of its stations, after the rows that give none."""
    try:
        waves = read_specfem_run(folder)
        if "station" in table.columns:
            found, bad = rows_by_codes(rows, waves, folder)
        else:
            found, bad = _in_order(rows, waves, table), []
    except FormatError as error:
        yield BadRow(None, f"run {name}: {error}")
        return
    yield from (BadRow(item.row, f"{item.text} (run {name})") for item in bad)
    records = []
    for place in sorted(found):
        code = ".".join(seed_codes(waves[place].station)[:2])
        record = LabelledWaveform(waves[place], {}, f"{name}.{code}")
        lost = set()
        for item in labelled_by_rows(found[place], record, table.sample_columns):
            if isinstance(item, BadRow):
                lost.add(item.row)
                yield BadRow(item.row, f"{item.text} (run {name})")
                continue
            row = next(row for number, row in found[place] if number not in lost)
            source = row.get("source") or row.get("shot")
            gather = f"{name} source {source}" if source else name
            records.append(replace(item, event=name, gather=gather))
    if len(records) < len(waves):
        text = f"run {name}: {len(waves) - len(records)} of {len(waves)} stations have no labels"
        say(f"{text} and are left out")
    yield from records


def _in_order(rows: Rows, waves: Sequence[Waveform], table: LabelTable) -> dict[int, Rows]:
    """Return the row of each seismogram by its place, where no column names stations."""
    if len(rows) != len(waves):
        raise FormatError(
            f"{table.path} has {len(rows)} rows and no column 'station'; the run has "
            f"{len(waves)} seismograms: name the stations"
        )
    codes = [".".join(seed_codes(wave.station)[:2]) for wave in waves]
    column = against_order([row for _, row in rows], codes)
    if column:
        raise FormatError(
            f"{table.path} has no column 'station', and by its column '{column}' the rows may "
            "be in another order than STATIONS: name the stations"
        )
    say(
        f"{table.path} has no column 'station': rows are taken in the order of STATIONS, the "
        f"first for {codes[0]}"
    )
    return {place: [item] for place, item in enumerate(rows)}
