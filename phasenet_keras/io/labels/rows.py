"""Tables of arrivals in samples: the columns that are known, and the rows."""

from __future__ import annotations

import csv
import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

from phasenet_keras.io.arrival_formats import COLUMNS, has_times
from phasenet_keras.io.catalogs import PHASES, listed, phase_of, warn_of_left_out
from phasenet_keras.io.no_waveforms import NOTE, metadata_kind
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.text_tables import (
    NO_SAMPLES,
    NOT_A_NUMBER,
    are_fillers,
    decoded,
    first_cell,
    first_words,
    has_sign_in_number,
    number_of,
    read_table,
    split_table,
    warn_of_weights,
    with_point,
)
from phasenet_keras.io.times import NO_TIME
from phasenet_keras.types import FormatError

__all__ = [
    "AFTER_TRIGGER",
    "DISTANCE_COLUMNS",
    "FIELD_RECORD_COLUMNS",
    "FILE_COLUMNS",
    "GATHER_COLUMNS",
    "NUMBER_COLUMNS",
    "RECEIVER_COLUMNS",
    "SAMPLE_COLUMNS",
    "SAMPLE_COLUMNS_IN_WORDS",
    "SHOT_COLUMNS",
    "SPLIT_NAMES",
    "TIME_COLUMNS_IN_WORDS",
    "TIME_COLUMNS_S",
    "TRACE_COLUMNS",
    "TRACE_IN_FILE",
    "UNITS_S",
    "LabelTable",
    "Rows",
    "is_label_table",
    "no_direct_phase",
    "numbered_rows",
    "numbers_in",
    "read_label_table",
    "warn_of_fillers",
]

# Cells by column of rows, with the row's number in its table from 1.
Rows = list[tuple[int, Mapping[str, str]]]

# Columns of an arrival in samples, by phase, in the order in which they are looked for.
SAMPLE_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "P": ("p_sample", "p_index", "itp", "p_idx", "p_arrival_sample", "trace_p_arrival_sample"),
    "S": ("s_sample", "s_index", "its", "s_idx", "s_arrival_sample", "trace_s_arrival_sample"),
}
MOST_NAMED = 4
SAMPLE_COLUMNS_IN_WORDS = "; ".join(
    f"{phase}: {', '.join(names[:MOST_NAMED])}" for phase, names in SAMPLE_COLUMNS.items()
)
TIME_COLUMNS_IN_WORDS = (
    "p_time_s, p_ms, p_us and so for S, or phase with sample, time_s, time_ms or time_us"
)
# Before the unit in the name of a column whose times count from the file's own time 0.
AFTER_TRIGGER = "after_trigger_"
UNITS_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
# What follows the phase in a column's name, and its unit in seconds; time_ may be left out.
TIME_NAMES_S: Mapping[str, float] = {
    f"time_{since}{unit}": unit_s
    for since in ("", AFTER_TRIGGER)
    for unit, unit_s in UNITS_S.items()
}
# By column, in the order in which they are looked for.
TIME_COLUMNS_S: Mapping[str, float] = {
    f"{phase.lower()}_{name.removeprefix(left_out)}": unit_s
    for phase in PHASES
    for left_out in ("", "time_")
    for name, unit_s in TIME_NAMES_S.items()
}
# Columns of tables with one arrival a row, beside that of its phase, and what they are by phase.
VALUE_COLUMNS: Mapping[str, str] = {
    **dict.fromkeys(("sample", "phase_sample", "phase_index"), "sample"),
    **{name: name for name in TIME_NAMES_S},
}
FILE_COLUMNS = ("fname", "file_name", "filename", "file", "trace_name")
# A shot by its name or number, or by the field record of its traces' headers.
FIELD_RECORD_COLUMNS = ("ffid", "fldr", "field_record")
SHOT_COLUMNS = ("shot", *FIELD_RECORD_COLUMNS, "source")
GATHER_COLUMNS = (*SHOT_COLUMNS, "gather")
# The number of a trace in its file, or in its shot where the file holds several.
TRACE_IN_FILE = "trace_in_file"
# A seismograph's channels, and what stands on the ground, may be numbered in another way.
RECEIVER_COLUMNS = ("channel_number", "receiver", "channel", "chan", "geophone")
TRACE_COLUMNS = ("trace", "trace_number", TRACE_IN_FILE, *RECEIVER_COLUMNS)
DISTANCE_COLUMNS = ("offset_m", "distance_m")
NUMBER_COLUMNS = {
    name
    for names in (*SAMPLE_COLUMNS.values(), DISTANCE_COLUMNS, TIME_COLUMNS_S, VALUE_COLUMNS)
    for name in names
}
SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("dev", "val", "valid", "validation"), "dev"),
    **dict.fromkeys(("test", "testing"), "test"),
}


# What may be one number, or several.
_THOUSANDS = re.compile(r"\d{1,3}(?: \d{3})+(?:\.\d*)?")


@dataclass(frozen=True)
class LabelTable:
    """A table of labels, all cells text.

    Attributes:
        path: of its file.
        rows: cells by lower-case column name; without the header.
        columns: names, lower case.
        phase_column: of a table of one arrival a row.
    """

    path: Path
    rows: tuple[Mapping[str, str], ...]
    columns: tuple[str, ...]
    phase_column: str | None = None

    @property
    def sample_columns(self) -> dict[str, str]:
        """The column of the arrivals of each phase that has one, in samples or by time."""
        found = {
            phase: self.first_of([*names, *(c for c in TIME_COLUMNS_S if c[0].upper() == phase)])
            for phase, names in SAMPLE_COLUMNS.items()
        }
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

    Where commas do not separate, a comma between two digits of a number is a decimal comma. Rows
    of one arrival each (``phase`` and ``sample``, or ``time_s``) get columns of their phases.

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
    columns, cells, delimiter = read_table(path)
    for number, row in enumerate(cells, start=1):
        if any(row[len(columns) :]):
            raise FormatError(
                f"{path}: row {number} has {len(row)} cells, the header {len(columns)}: a comma in "
                "a number or a name? Quote such cells, or separate by semicolons"
            )
    warn_of_weights(path, columns, cells)
    rows = [dict(zip(columns, (*row, *[""] * len(columns)), strict=False)) for row in cells]
    if delimiter != ",":
        for named in rows:
            named.update({name: with_point(named[name]) for name in NUMBER_COLUMNS & named.keys()})
    return _by_phase(LabelTable(Path(path), tuple(rows), columns))


def is_label_table(path: Path) -> bool:
    """Tell by its columns if a file is a table of labels, or is to be one and is damaged."""
    try:
        content = path.read_bytes()
        text = decoded(content)
        if "\0" in text or metadata_kind(path, content) == NOTE:
            return False
        table = _by_phase(LabelTable(path, (), split_table(text)[0]))
    except OSError:  # reading it says what is wrong
        return True
    except csv.Error:
        return bool(first_words(content) & {*NUMBER_COLUMNS, *FILE_COLUMNS})
    return bool(table.sample_columns or table.file_column or has_times(table.columns))


def _by_phase(table: LabelTable) -> LabelTable:
    """Give rows of one arrival each the column of their phase; other tables stay as they are."""
    phase_column, value = table.first_of(COLUMNS["phase"]), table.first_of([*VALUE_COLUMNS])
    if table.sample_columns or not phase_column or not value or _has_dates(table):
        return table
    names = {phase: f"{phase.lower()}_{VALUE_COLUMNS[value]}" for phase in SAMPLE_COLUMNS}
    rows = []
    for row in table.rows:
        phase = phase_of(row[phase_column])
        rows.append({**row, names[phase]: row[value]} if phase else row)
    columns = (*table.columns, *names.values())
    return replace(table, rows=tuple(rows), columns=columns, phase_column=phase_column)


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
    """Return the rows of a table with their numbers, from 1, but those of other phases.

    Where a number stands for no arrival the cell is left out: the phase is not known there.

    Raises:
        FormatError: if there are rows, and all are of other phases, or there is a comma or a
            no-break blank in a number.

    Warns:
        RecordWarning: for rows of other phases, and as `warn_of_fillers`.
    """
    _refuse_signs(table)
    warn_of_fillers(table)
    _warn_of_thousands(table)
    rows = [dict(row) for row in table.rows]
    for column in table.sample_columns.values():
        values = _values(table, column)
        filler = _filler(values, column)
        for row, found in zip(rows, values, strict=True):
            if found and set(found) == {filler}:
                del row[column]
    numbered: Rows = list(enumerate(rows, start=1))
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
    for number, row in enumerate(table.rows, start=1):
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


def warn_of_fillers(table: LabelTable) -> None:
    """Say where a number, such as -1, -999 or 0, may stand for no arrival, and where there is none.

    Warns:
        RecordWarning: for each column of arrivals whose negative numbers are all one and whole,
            in which a number is taken for no arrival, or which has cells without an arrival.
    """
    for phase, column in table.sample_columns.items():
        values = _values(table, column)
        filler, of_rows = _filler(values, column), f"of {len(table.rows)} rows"
        negative = [number for found in values for number in found or () if number < 0]
        said = []
        if filler is not None:
            count = sum(set(found or ()) == {filler} for found in values)
            said.append(
                f"{filler:g} in {count} {of_rows}, all others are well above: taken for no {phase}"
                ", which is not known there; rows without another arrival are skipped. If it was "
                "looked for, leave the cells empty"
            )
        # A time before the trigger may well be in the record.
        if len(set(negative)) == 1 and negative[0].is_integer() and AFTER_TRIGGER not in column:
            said.append(
                f"{negative[0]:g} in {len(negative)} {of_rows}, which are skipped: if that stands "
                f"for no {phase}, leave the cells empty"
            )
        if () in values:
            said.append(
                f"empty, or NaN and such, in {values.count(())} {of_rows}: {phase} is taken as "
                "looked for and not there. Where nobody looked, leave the row out, or write one "
                "arrival a row (phase, sample)"
            )
        for text in said:
            warnings.warn(f"{table.path}: {column} is {text}", RecordWarning, stacklevel=3)


def _warn_of_thousands(table: LabelTable) -> None:
    """Say where blanks in cells may be signs of thousands, which are read as between arrivals.

    Warns:
        RecordWarning: for each column of which all cells with blanks look so, and no other number
            has thousands.
    """
    for column in table.sample_columns.values():
        cells = [row[column].strip("[]() ") for row in table.rows if column in row]
        several = [cell for cell in cells if " " in cell]
        numbers = [number for found in _values(table, column) for number in found or ()]
        if several and all(map(_THOUSANDS.fullmatch, several)) and max(numbers) < 1000:
            warnings.warn(
                f"{table.path}: {column} has several arrivals, with blanks between them, in "
                f"{len(several)} of {len(cells)} rows, such as '{several[0]}': if the blank is a "
                "sign of thousands, take it out",
                RecordWarning,
                stacklevel=3,
            )


def _values(table: LabelTable, column: str) -> list[tuple[float, ...] | None]:
    """Return the numbers in each row of a column; None where there is no cell, or it holds text."""
    found: list[tuple[float, ...] | None] = []
    for row in table.rows:
        try:
            found.append(numbers_in(row[column], column) if column in row else None)
        except FormatError:
            found.append(None)
    return found


def _filler(values: Sequence[tuple[float, ...] | None], column: str) -> float | None:
    """Return the number in a column of arrivals that stands for none; None without one.

    It is 0, or -1 and such among times after the trigger; elsewhere that is outside of any record.
    """
    numbers = [number for found in values for number in found or ()]
    negative = {number for number in numbers if number < 0}
    if AFTER_TRIGGER in column and len(negative) == 1 and negative <= NO_SAMPLES:
        return negative.pop()
    return 0.0 if are_fillers(numbers) else None


def numbers_in(cell: str, column: str) -> tuple[float, ...]:
    """Return the numbers of a cell: one, several, or none.

    Raises:
        FormatError: for a cell of other than numbers.

    Example:
        >>> numbers_in("100.5", "itp"), numbers_in("[100, 900]", "itp"), numbers_in("nan", "itp")
        ((100.5,), (100.0, 900.0), ())
    """
    with suppress(ValueError):  # nearly all are one number
        number = float(cell)
        return (number,) if number == number else ()
    # Blanks of ASCII alone: a no-break one may be a sign of thousands.
    texts = [part.strip() for part in re.split(r"(?a:[\s,;|]+)", cell.strip("[]() "))]
    texts = [text for text in texts if text]
    return tuple(number_of(column, text) for text in texts if text.lower() not in NOT_A_NUMBER)
