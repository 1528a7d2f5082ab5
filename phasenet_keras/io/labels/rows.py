"""Tables of arrivals in samples: the columns that are known, and the rows."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from os import PathLike
from pathlib import Path

from phasenet_keras.io.arrival_formats import COLUMNS, has_times
from phasenet_keras.io.catalogs import listed, phase_of, warn_of_left_out
from phasenet_keras.io.labels.first_breaks import first_breaks
from phasenet_keras.io.labels.row_columns import (
    ARRIVAL_COLUMNS,
    FILE_COLUMNS,
    FIRST_BREAK,
    NUMBER_COLUMNS,
    SAMPLE_COLUMNS,
    TIME_NAMES_S,
    VALUE_COLUMNS,
)
from phasenet_keras.io.labels.row_numbers import check_points, rows_without_fillers
from phasenet_keras.io.no_waveforms import NOTE, metadata_kind
from phasenet_keras.io.registry import say
from phasenet_keras.io.text_tables import (
    decoded,
    first_cell,
    first_words,
    has_sign_in_number,
    read_table,
    split_table,
    warn_of_weights,
)
from phasenet_keras.io.times import NO_TIME
from phasenet_keras.io.wording import first_of
from phasenet_keras.types import FormatError

__all__ = [
    "LabelTable",
    "Rows",
    "is_label_table",
    "no_direct_phase",
    "numbered_rows",
    "read_label_table",
]

# Cells by column of rows, with the row's number in its file from 1, empty rows counted; where there
# are several files it is followed by the name, "3 of a.csv".
Rows = list[tuple[int | str, Mapping[str, str]]]


@dataclass(frozen=True)
class LabelTable:
    """A table of labels, all cells text.

    Attributes:
        path: of its file, or how messages call several.
        rows: cells by lower-case column name; without the header.
        columns: names, lower case.
        phase_column: of a table of one arrival a row.
        numbers: as in `Rows`; none: they count from 1.
        column_of_p: of such a table without a column of phases; its arrivals are P.
    """

    path: Path
    rows: tuple[Mapping[str, str], ...]
    columns: tuple[str, ...]
    phase_column: str | None = None
    numbers: tuple[int | str, ...] = ()
    column_of_p: str | None = None

    def numbered(self, rows: Iterable[Mapping[str, str]]) -> Rows:
        """Return rows, as many as the table has, with their numbers."""
        return list(zip(self.numbers or count(1), rows, strict=False))

    @property
    def sample_columns(self) -> dict[str, str]:
        """The column of the arrivals of each phase that has one, in samples or by time."""
        found = {phase: self.first_of(names) for phase, names in ARRIVAL_COLUMNS.items()}
        return {phase: column for phase, column in found.items() if column}

    @property
    def file_column(self) -> str | None:
        """The column of file names."""
        return self.first_of(FILE_COLUMNS)

    def first_of(self, names: Sequence[str]) -> str | None:
        """Return the first of these columns that is there."""
        return next((name for name in names if name in self.columns), None)


def read_label_table(path: str | PathLike[str]) -> LabelTable:
    r"""Read a table separated by commas, semicolons, tabs or blanks.

    Rows of one arrival each (``phase`` and ``sample``, or ``time_s``) get columns of their phases,
    all that of P without ``phase``. A row of empty cells is none, but for tables of arrivals alone,
    whose rows are in order.

    Raises:
        FormatError: if it cannot be read as text, has a column twice, or a row has cells beyond
            the header's.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "labels.csv"
        ...     _ = path.write_text("fname,ITP\na.npz,100\n")
        ...     table = read_label_table(path)
        >>> table.sample_columns, table.rows[0]["itp"]
        ({'P': 'itp'}, '100')
    """
    columns, cells = _first_breaks(path) or read_table(path)
    is_bare = {*columns} <= {*NUMBER_COLUMNS, ""}
    numbered = [(n, row) for n, row in enumerate(cells, 1) if any(row) or (row and is_bare)]
    n_columns = f"the header {len(columns)}"
    wide = [
        f"row {n} has {len(r)} cells, {n_columns}" for n, r in numbered if any(r[len(columns) :])
    ]
    if wide:
        raise FormatError(
            f"{path}: {first_of(wide)}: a comma in a number or a name? Quote such cells, or "
            "separate by semicolons"
        )
    filled = ((*row, *[""] * len(columns)) for _, row in numbered)
    rows = tuple(dict(zip(columns, row, strict=False)) for row in filled)
    numbers = tuple(number for number, _ in numbered)
    return _by_phase(LabelTable(Path(path), rows, columns, numbers=numbers))


def _first_breaks(path: str | PathLike[str]) -> tuple[tuple[str, ...], list[list[str]]] | None:
    """Return what `read_table` does, of an sgt file; None for others."""
    with suppress(OSError):  # said when it is read as another table
        try:
            return first_breaks(decoded(Path(path).read_bytes()))
        except FormatError as error:
            raise FormatError(f"{path}: {error}") from error
    return None


def is_label_table(path: Path) -> bool:
    """Tell by its columns if a file is a table of labels, or is to be one and is damaged."""
    try:
        content = path.read_bytes()
        text = decoded(content)
        if "\0" in text or metadata_kind(path, content) == NOTE:
            return False
        if first_breaks(text):
            return True
        table = _by_phase(LabelTable(path, (), split_table(text)[0]))
    except (OSError, FormatError):  # reading it says what is wrong
        return True
    except csv.Error:
        return bool(first_words(content) & {*NUMBER_COLUMNS, *FILE_COLUMNS})
    return bool(table.sample_columns or table.file_column or has_times(table.columns))


def _by_phase(table: LabelTable) -> LabelTable:
    """Give rows of one arrival each the column of their phase; other tables stay as they are."""
    phase_column = table.first_of(COLUMNS["phase"])
    # A sample without a phase may be one of rock. By what they are: of two names the first counts.
    known = VALUE_COLUMNS if phase_column else dict(zip(TIME_NAMES_S, TIME_NAMES_S, strict=True))
    values = {kind: name for name, kind in reversed([*known.items()]) if name in table.columns}
    if table.sample_columns or not values or _has_dates(table):
        return table
    prefixes = {phase: f"{phase.lower()}_" for phase in SAMPLE_COLUMNS}
    names = {
        phase: {f"{prefix}{kind}": column for kind, column in values.items()}
        for phase, prefix in (prefixes if phase_column else {"P": FIRST_BREAK}).items()
    }
    rows = []
    for row in table.rows:
        own = names.get(phase_of(row[phase_column]) or "" if phase_column else "P", {})
        rows.append({**row, **{name: row[column] for name, column in own.items()}})
    columns = (*table.columns, *(name for of_phase in names.values() for name in of_phase))
    found = replace(table, rows=tuple(rows), columns=columns, phase_column=phase_column)
    return found if phase_column else replace(found, column_of_p=values[next(iter(values))])


def _has_dates(table: LabelTable) -> bool:
    """Tell if arrivals are there by time: PhaseNet writes times of 1970 for arrays without one.

    Their rows find their files by name, but for traces of gathers, which are stations.
    """
    names = [name for role in ("time", "P", "S") for name in COLUMNS[role]]
    cells = [row[name] for name in names if name in table.columns for row in table.rows]
    are_undated = any(cells) and all(cell.startswith(NO_TIME) for cell in cells if cell)
    are_traces = any(
        first_cell(row, COLUMNS["station"]).startswith(f"{Path(row[table.file_column]).stem}-")
        for row in table.rows
        if table.file_column
    )
    by_file = are_undated and table.file_column is not None and not are_traces
    return has_times(table.columns) and not by_file


def numbered_rows(table: LabelTable) -> Rows:
    """Return the rows of a table with their numbers in the file, but those of other phases.

    Where a number stands for no arrival the cell is left out: the phase is not known there.

    Raises:
        FormatError: if there are rows, and all are of other phases, or there is a comma, a
            no-break blank or a point of thousands in a number.

    Warns:
        RecordWarning: for rows of other phases, for phases that no column tells, for columns of
            weights, and as `rows_without_fillers`.
    """
    _refuse_signs(table)
    check_points(table)
    cells = [[row.get(name, "") for name in table.columns] for row in table.rows]
    warn_of_weights(table.path, table.columns, cells)
    rows = rows_without_fillers(table)
    numbered = table.numbered(rows)
    if table.column_of_p:
        say(
            f"{table.path}: no column tells the phase (phase): all arrivals ({table.column_of_p}) "
            "are taken for P"
        )
    if table.phase_column is None:
        return numbered
    phases = [row[table.phase_column] for row in rows]
    others = Counter(phase for phase in phases if phase_of(phase) is None)
    if others and others.total() == len(rows):
        raise no_direct_phase(str(table.path), others)
    warn_of_left_out(table.path, [], others)
    return [item for item, phase in zip(numbered, phases, strict=True) if phase_of(phase)]


def _refuse_signs(table: LabelTable) -> None:
    """Refuse commas and no-break blanks in numbers that are left.

    Those of decimals, thousands and lists look alike.
    """
    columns = [column for column in table.columns if column in NUMBER_COLUMNS]
    for number, row in table.numbered(table.rows):
        for column in columns:
            cell = row.get(column, "")
            if has_sign_in_number(cell):
                text = f"{table.path}: {column} of row {number} should be a number, received "
                text += f"{cell!r}: write decimals with a point (12.5), thousands without a sign "
                text += "(1234)"
                if column in table.sample_columns.values():
                    text += ", and several arrivals with blanks between them (12.5 40)"
                raise FormatError(text)


def no_direct_phase(where: str, others: Counter[str]) -> FormatError:
    """Return the error for labels that are all of other phases."""
    return FormatError(
        f"{where}: none of its arrivals is a P or an S, they are of {listed(others)}: write P, Pg, "
        "Pn, S, Sg or Sn"
    )
