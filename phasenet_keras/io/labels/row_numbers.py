"""What the numbers in a table of arrivals stand for, and which stand for none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from phasenet_keras.io.labels.row_columns import AFTER_TRIGGER
from phasenet_keras.io.registry import say
from phasenet_keras.io.text_tables import NO_SAMPLES, NOT_A_NUMBER, are_fillers, number_of
from phasenet_keras.types import FormatError

if TYPE_CHECKING:
    from phasenet_keras.io.labels.rows import LabelTable

__all__ = ["filler_in", "numbers_in", "values_in", "warn_of_fillers", "warn_of_thousands"]

# What may be one number, or several.
_THOUSANDS = re.compile(r"\d{1,3}(?: \d{3})+(?:\.\d*)?")


def warn_of_fillers(table: LabelTable) -> None:
    """Say where a number, such as -1, -999 or 0, may stand for no arrival, and where there is none.

    Warns:
        RecordWarning: for each column of arrivals whose negative numbers are all one and whole,
            in which a number is taken for no arrival, or which has cells without an arrival.
    """
    for phase, column in table.sample_columns.items():
        values = values_in(table, column)
        filler, of_rows = filler_in(values, column), f"of {len(table.rows)} rows"
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
            say(f"{table.path}: {column} is {text}")


def warn_of_thousands(table: LabelTable) -> None:
    """Say where blanks in cells may be signs of thousands, which are read as between arrivals.

    Warns:
        RecordWarning: for each column of which all cells with blanks look so, and no other number
            has thousands.
    """
    for column in table.sample_columns.values():
        cells = [row[column].strip("[]() ") for row in table.rows if column in row]
        several = [cell for cell in cells if " " in cell]
        numbers = [number for found in values_in(table, column) for number in found or ()]
        if several and all(map(_THOUSANDS.fullmatch, several)) and max(numbers) < 1000:
            say(
                f"{table.path}: {column} has several arrivals, with blanks between them, in "
                f"{len(several)} of {len(cells)} rows, such as '{several[0]}': if the blank is a "
                "sign of thousands, take it out"
            )


def values_in(table: LabelTable, column: str) -> list[tuple[float, ...] | None]:
    """Return the numbers in each row of a column; None where there is no cell, or it holds text."""
    found: list[tuple[float, ...] | None] = []
    for row in table.rows:
        try:
            found.append(numbers_in(row[column], column) if column in row else None)
        except FormatError:
            found.append(None)
    return found


def filler_in(values: Sequence[tuple[float, ...] | None], column: str) -> float | None:
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
