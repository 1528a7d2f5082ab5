"""What the numbers in a table of arrivals stand for, and which stand for none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from phasenet_keras.io.labels.row_columns import AFTER_TRIGGER
from phasenet_keras.io.registry import say
from phasenet_keras.io.text_tables import NO_SAMPLES, NOT_A_NUMBER, are_fillers, number_of
from phasenet_keras.types import FormatError

if TYPE_CHECKING:
    from phasenet_keras.io.labels.rows import LabelTable

__all__ = ["check_points", "numbers_in", "rows_without_fillers"]

# Of each row the numbers in a column; None where there is no cell, or it holds text.
Values = list[tuple[float, ...] | None]

# What may be one number, or several.
_THOUSANDS = re.compile(r"\d{1,3}(?: \d{3})+(?:\.\d*)?")
# A point in so many numbers, or so many without, may be chance.
_POINT_OF_THOUSANDS, LEAST_ALIKE = re.compile(r"[1-9]\d{0,2}\.\d{3}"), 2


def rows_without_fillers(table: LabelTable) -> list[dict[str, str]]:
    """Return the rows of a table; a cell whose number stands for no arrival is left out.

    Warns:
        RecordWarning: for each column of arrivals whose negative numbers are all one and whole,
            in which a number is taken for no arrival, or which has cells without an arrival; and
            for one of which all cells with blanks may be numbers with a sign of thousands.
    """
    rows = [dict(row) for row in table.rows]
    for phase, column in table.sample_columns.items():
        values = [_values_in(row, column) for row in rows]
        filler = _filler_in(values, column)
        for text in _said_of_values(values, filler, phase, column):
            say(f"{table.path}: {column} is {text}")
        _warn_of_thousands(table, column, values)
        for row, found in zip(rows, values, strict=True):
            if found and set(found) == {filler}:
                del row[column]
    return rows


def _said_of_values(values: Values, filler: float | None, phase: str, column: str) -> list[str]:
    """Say where a number, such as -1, -999 or 0, may stand for no arrival, and where none is."""
    of_rows = f"of {len(values)} rows"
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
    return said


def check_points(table: LabelTable) -> None:
    """Refuse columns in which points seem to be signs of thousands: 866 beside 1.023.

    Raises:
        FormatError: where the numbers with a point have three digits behind it, the others are
            whole, and all of these are greater than the former, read as decimals.
    """
    for column in table.sample_columns.values():
        cells = [row[column] for row in table.rows if row.get(column)]
        pointed = [cell for cell in cells if _POINT_OF_THOUSANDS.fullmatch(cell)]
        whole = [int(cell) for cell in cells if re.fullmatch(r"[1-9]\d{0,2}", cell)]
        are_all = len(pointed) + len(whole) == len(cells)
        if not are_all or min(len(pointed), len(whole)) < LEAST_ALIKE:
            continue
        if max(map(float, pointed)) < min(whole):
            raise FormatError(
                f"{table.path}: {column} has numbers such as {pointed[0]} beside greater ones "
                f"without a point, such as {whole[0]}: if the point is a sign of thousands, take "
                f"it out; else write decimals everywhere ({whole[0]}.0)"
            )


def _warn_of_thousands(table: LabelTable, column: str, values: Values) -> None:
    """Say where blanks in cells may be signs of thousands, which are read as between arrivals."""
    cells = [row[column].strip("[]() ") for row in table.rows if column in row]
    several = [cell for cell in cells if " " in cell]
    numbers = [number for found in values for number in found or ()]
    if several and all(map(_THOUSANDS.fullmatch, several)) and max(numbers) < 1000:
        say(
            f"{table.path}: {column} has several arrivals, with blanks between them, in "
            f"{len(several)} of {len(cells)} rows, such as '{several[0]}': if the blank is a "
            "sign of thousands, take it out"
        )


def _values_in(row: Mapping[str, str], column: str) -> tuple[float, ...] | None:
    """Return the numbers in a cell; None where there is none, or it holds text."""
    with suppress(FormatError, KeyError):
        return numbers_in(row[column], column)
    return None


def _filler_in(values: Values, column: str) -> float | None:
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
