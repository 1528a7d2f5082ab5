"""Which columns of a text are time and amplitudes, which line they begin in, and in which unit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

__all__ = ["TextColumns", "are_even", "columns_of", "without_comment"]

# Lines of numbers are alike in so many, and begin within so many.
LOOKED_AT_LINES, LINES_OF_HEADER = 20, 80
LEAST_LINES, LEAST_LINES_BELOW_NAMES = 2, 8
# Times written with few digits jitter; more than this part of a sample is an uneven record.
TIME_JITTER = 0.25
UNITS_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_MICRO = str.maketrans("\u00b5\u03bc", "uu")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?")
# What stands for no amplitude: beyond the range of an oscilloscope, for one.
_NO_AMPLITUDE = re.compile(r"nan|[+-]?(?:inf|\u221e)", re.IGNORECASE)
_TIME = re.compile(r"(?:time|t|zeit|temps|tiempo|tempo)(?![a-z])", re.IGNORECASE)
# "Time (us)", "t_us", "t/us"; or the unit alone, in a line below the names.
_UNIT = re.compile(r"(?:.*[\s_(\[/])?([mun]?s|sec|seconds?)[)\]]?", re.IGNORECASE)
_UNIT_ALONE = re.compile(r"[(\[]?([mun]?s|sec|seconds?)[)\]]?", re.IGNORECASE)
# What oscilloscopes write beside the numbers where no line of names is above them.
SETTINGS_OF_TIME = {"sample interval", "horizontal units"}
# Columns called so are components of one sensor, not sensors: E, "vel Z (m/s)", HHN, Ux.
_COMPONENT = re.compile(r"(?:.*[^a-z]|[a-z][hnlp]|[uv])?([enzxyrt])", re.IGNORECASE)


@dataclass(frozen=True)
class TextColumns:
    """Where the numbers of a text are.

    Attributes:
        first_line: that they begin in, from 0.
        separator: of cells; None: blanks.
        has_comma: if it is the decimal sign.
        time: the column of times, from 0.
        values: the columns of amplitudes.
        is_all: if there are no other columns.
        components: letter of each column of amplitudes, where they are those of one sensor.
        unit_s: of the times.
    """

    first_line: int
    separator: str | None
    has_comma: bool
    time: int = 0
    values: tuple[int, ...] = (1,)
    is_all: bool = True
    components: tuple[str, ...] = ()
    unit_s: float = 1.0


def without_comment(line: str) -> str:
    """Return a line without what follows a ``#``."""
    return line.split("#")[0]


def columns_of(lines: Sequence[str]) -> TextColumns | None:
    """Find time and amplitudes in the first lines of a text; None if nothing says that it has them.

    Two columns of numbers need no names. Where lines come before them, or other columns are beside
    them, one has to be called a time, or have its unit; lines of comment (``#``) may say it, too.

    Example:
        >>> rows = [f"{n / 10:.1f};3.5".replace(".", ",") for n in range(20)]
        >>> found = columns_of(["Zeit;Kanal A", "(us);(mV)", "", *rows])
        >>> found.first_line, found.has_comma, found.time, found.values, found.unit_s
        (3, True, 0, (1,), 1e-06)
        >>> columns_of(["offset,amplitude", "0,1", "1,1"]) is None
        True
    """
    filled = [n for n, line in enumerate(lines) if without_comment(line).strip()]
    for place, first in enumerate(filled[:LINES_OF_HEADER]):
        block = [without_comment(lines[n]) for n in filled[place : place + LOOKED_AT_LINES]]
        separator, has_comma = _separator_of(block[0])
        rows = [_cells(line, separator) for line in block]
        numbers = _columns_of_numbers(rows, has_comma)
        if len(block) >= LEAST_LINES and len(numbers) > 1:
            return _found(lines[:first], rows, numbers, TextColumns(first, separator, has_comma))
    return None


def _separator_of(line: str) -> tuple[str | None, bool]:
    """Return what separates the cells of a line, and if a comma is its decimal sign."""
    if ";" in line:
        return ";", "," in line
    if "," in line:
        return ("\t", True) if "\t" in line else (",", False)
    return None, False


def _cells(line: str, separator: str | None) -> list[str]:
    return [cell.strip(' \t"') for cell in line.split(separator)]


def _columns_of_numbers(rows: Sequence[Sequence[str]], has_comma: bool) -> list[int]:
    """Return the columns that have numbers in all rows; none if these differ in length."""
    if len({len(row) for row in rows}) != 1:
        return []
    return [
        n for n, cells in enumerate(zip(*rows, strict=True)) if _are_numbers(cells, has_comma, n)
    ]


def _are_numbers(cells: Sequence[str], has_comma: bool, column: int) -> bool:
    texts = (cell.replace(",", ".") if has_comma else cell for cell in cells)
    return all(
        _NUMBER.fullmatch(text) or (column > 0 and _NO_AMPLITUDE.fullmatch(text)) for text in texts
    )


def _header_of(lines: Sequence[str], separator: str | None) -> Iterator[tuple[bool, list[str]]]:
    """Yield the cells of the lines above the numbers, the nearest first, and if it is a comment."""
    for line in reversed(lines):
        text = re.sub(r"\s+(?=[(\[])", "", line.strip().lstrip("# "))
        if text:
            own = "\t" if "\t" in text else separator
            yield line.lstrip().startswith("#"), _cells(text, own)


def _found(
    above: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int], found: TextColumns
) -> TextColumns | None:
    """Return which of the columns of numbers is time; None where nothing says so.

    Args:
        above: the lines before the numbers.
        rows: cells of the first lines of numbers.
        numbers: the columns that have numbers in all of these.
        found: where they begin.
    """
    header = [*_header_of(above, found.separator)]
    is_bare = all(is_comment for is_comment, _ in header) and len(rows[0]) == 2
    settings = {row[0].lower() for row in (*rows, *(cells for _, cells in header))}
    said = [n for n in numbers if any(_says_time(*line, n) for line in header)]
    if not (said or is_bare or settings & SETTINGS_OF_TIME):
        return None
    time = said[0] if said else numbers[0]
    values = tuple(n for n in numbers if n > time)
    times = [_float(row[time]) for row in rows]
    if not is_bare and (len(rows) < LEAST_LINES_BELOW_NAMES or not are_even(times)):
        return None
    if not values:
        return None
    units = [_unit_s(line[1][time]) for line in header if _says_time(*line, time)]
    return replace(
        found,
        time=time,
        values=values,
        is_all=len(rows[0]) == 1 + len(values),
        components=_components_of(header, values) if len(values) > 1 else (),
        unit_s=next(filter(None, units), 1.0),
    )


def are_even(times: Sequence[float] | np.ndarray) -> bool:
    """Tell if times grow by even steps, but for what few digits leave of them.

    Example:
        >>> are_even([0.0, 0.33, 0.67, 1.0]), are_even([0.0, 0.1, 0.3])
        (True, False)
    """
    step = (times[-1] - times[0]) / (len(times) - 1)
    jitter = np.abs(np.asarray(times) - times[0] - step * np.arange(len(times)))
    return bool(step > 0 and np.all(jitter <= TIME_JITTER * step))


def _float(cell: str) -> float:
    return float(re.sub("[dD]", "e", cell.replace(",", ".")))


def _says_time(is_comment: bool, cells: Sequence[str], column: int) -> bool:
    """Tell if a cell above a column calls it a time, or is its unit."""
    cell = cells[column].translate(_MICRO) if column < len(cells) else ""
    return bool(_TIME.match(cell) or (not is_comment and _UNIT_ALONE.fullmatch(cell)))


def _unit_s(cell: str) -> float:
    """Return the unit in a cell in seconds; 0 where there is none."""
    unit = _UNIT.fullmatch(cell.translate(_MICRO))
    return UNITS_S.get(unit[1].lower(), 1.0) if unit else 0.0


def _components_of(
    header: Sequence[tuple[bool, Sequence[str]]], values: Sequence[int]
) -> tuple[str, ...]:
    """Return the components that columns are called by, each once; none if they are not."""
    for _, cells in header:
        names = [re.split(r"[(\[]", cells[n])[0] for n in values if n < len(cells)]
        found = [match[1].upper() for name in names if (match := _COMPONENT.fullmatch(name))]
        if len({*found}) == len(values):
            return tuple(found)
    return ()
