"""Which columns of a text are time and amplitudes, which line they begin in, and in which unit."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from phasenet_keras.io.channels import COMPONENTS, components_of
from phasenet_keras.io.text_tables import with_point

__all__ = ["TextColumns", "are_even", "columns_of", "without_comment"]

# Lines of numbers are alike in so many, and begin within so many.
LOOKED_AT_LINES, LINES_OF_HEADER = 20, 80
LEAST_LINES, LEAST_LINES_BELOW_NAMES = 2, 8
# Times written with few digits jitter; more than this part of a sample is an uneven record.
TIME_JITTER = 0.25
_OF_S = {"": 1.0, "m": 1e-3, "milli": 1e-3, "u": 1e-6, "micro": 1e-6, "n": 1e-9, "nano": 1e-9}
UNITS_S = {
    **{
        f"{prefix}{name}": unit_s
        for prefix, unit_s in _OF_S.items()
        for name in ("s", "sec", "secs", "second", "seconds")
    },
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
    **dict.fromkeys(("day", "days"), 86400.0),
    **dict.fromkeys(("year", "years"), 31_557_600.0),
}
_WORD = re.compile(r"[^\W\d_]{2,}")
MOST_LETTERS_OF_UNIT = 3
TIMES = {"time", "t", "zeit", "temps", "tiempo", "tempo", "sec", "second", "seconds"}
# Columns before that of the times count the rows.
COUNTS = {"i", "n", "no", "nr", "number", "index"}
COUNTS |= {"sample", "samples", "point", "points", "step", "steps"}
_MICRO = str.maketrans("\u00b5\u03bc", "uu")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?")
# What stands for no amplitude: beyond the range of an oscilloscope, for one.
_NO_AMPLITUDE = re.compile(r"nan|[+-]?(?:inf|\u221e)", re.IGNORECASE)
# What oscilloscopes write beside the numbers where no line of names is above them.
SETTINGS_OF_TIME = {"sample interval", "horizontal units"}
# Columns called so are components of one sensor, not sensors: E, "vel Z (m/s)", HHN, Ux.
_COMPONENT = re.compile(r"(?:.*[^a-z]|[a-z][hnlp]|[uv])?([enzuxyrt])", re.IGNORECASE)
# The same in words, as blast monitors have them: Tran, Vert, Long (along the line to the source).
_IN_WORDS = re.compile(
    r"(?:.*[^a-z])?(trans?(?:vers(?:e|al))?|vert(?:ical)?|long(?:itudinal)?|rad(?:ial)?|north|east|up)",
    re.IGNORECASE,
)
OTHER_LETTERS = {"V": "Z", "L": "R"}


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
        left_out: names of columns beside three components, such as that of a microphone.
    """

    first_line: int
    separator: str | None
    has_comma: bool
    time: int = 0
    values: tuple[int, ...] = (1,)
    is_all: bool = True
    components: tuple[str, ...] = ()
    unit_s: float = 1.0
    left_out: tuple[str, ...] = ()


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
        separator, has_comma = _separator_of("\n".join(block))
        rows = [_cells(line, separator) for line in block]
        numbers = _columns_of_numbers(rows, has_comma)
        if len(block) >= LEAST_LINES and len(numbers) > 1:
            begin = TextColumns(first, separator, has_comma)
            found = _found(lines[:first], rows, numbers, begin)
            # The first line may still be one of names: of sensors by number.
            below = _columns_of_numbers(rows[1:], has_comma)
            if found or len(below) == len(numbers):
                return found
    return None


def _separator_of(text: str) -> tuple[str | None, bool]:
    """Return what separates the cells of lines, and if a comma is their decimal sign."""
    if ";" in text:
        return ";", "," in text
    if "\t" in text and "," in text:
        return "\t", True
    cells = text.split()
    are_several = len(cells) > len(text.splitlines())
    has_blanks = "," not in text or (are_several and "," not in "".join(map(with_point, cells)))
    return (None, "," in text) if has_blanks else (",", False)


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
    n_columns = len(rows[0])
    is_bare = all(is_comment for is_comment, _ in header) and n_columns == 2
    units_s = _units_of_times(header, n_columns)
    settings = {row[0].lower() for row in (*rows, *(cells for _, cells in header))}
    are_beside = bool(settings & SETTINGS_OF_TIME)
    said = [n for n in numbers if n in units_s]
    if not (said or is_bare or are_beside):
        return None
    time = said[0] if said else numbers[0]
    values = tuple(n for n in numbers if n > time)
    times = [_float(row[time]) for row in rows]
    if not is_bare and (len(rows) < LEAST_LINES_BELOW_NAMES or not are_even(times)):
        return None
    if not values or not (are_beside or _are_counts(header, rows, time)):
        return None
    components, left_out = _components_of(header, values) if len(values) > 1 else ({}, ())
    values = (*components,) or values
    return replace(
        found,
        time=time,
        values=values,
        is_all=n_columns == 1 + len(values),
        components=(*components.values(),),
        unit_s=units_s.get(time) or 1.0,
        left_out=left_out,
    )


def _are_counts(
    header: Sequence[tuple[bool, Sequence[str]]], rows: Sequence[Sequence[str]], time: int
) -> bool:
    """Tell if all columns before that of the times count the rows: others are of a table."""
    above = (cells[:time] for _, cells in header if len(cells) == len(rows[0]))
    names = ({*re.findall(r"[^\W_]+", " ".join(cells).lower())} for cells in above)
    return next(filter(None, names), set()) <= COUNTS


def are_even(times: Sequence[float] | np.ndarray) -> bool:
    """Tell if times grow by even steps, but for what few digits leave of them.

    Example:
        >>> are_even([0.0, 0.33, 0.67, 1.0]), are_even([0.0, 0.1, 0.3])
        (True, False)
    """
    step = (times[-1] - times[0]) / (len(times) - 1)
    if not 0 < step < math.inf:
        return False
    jitter = np.abs(np.asarray(times) - times[0] - step * np.arange(len(times)))
    return bool(np.all(jitter <= TIME_JITTER * step))


def _float(cell: str) -> float:
    """Return the number in a cell; NaN for what stands for none."""
    number = cell.replace(",", ".")
    return float(re.sub("[dD]", "e", number)) if _NUMBER.fullmatch(number) else math.nan


def _units_of_times(
    header: Sequence[tuple[bool, Sequence[str]]], n_columns: int
) -> dict[int, float]:
    """Return the columns that a line above calls times, or has their unit for, and that in s."""
    found: dict[int, float] = {}
    for line, (is_comment, cells) in enumerate(header):
        numbers = [cell for cell in cells if _NUMBER.fullmatch(cell)]
        are_sensors = len(cells) == n_columns > 2 and all(map(str.isdecimal, numbers))
        if numbers and not are_sensors:
            continue  # a setting
        # A comment may be a sentence: but for its first word it has to have one for each column.
        named = cells if not is_comment or len(cells) == n_columns else cells[:1]
        # A unit alone stands below a name.
        are_units = not is_comment and line + 1 < len(header)
        for column, cell in enumerate(named):
            unit_s = _unit_s(cell, are_units)
            if unit_s is not None:
                found[column] = found.get(column) or unit_s
    return found


def _unit_s(cell: str, is_unit: bool) -> float | None:
    """Return the unit in s, or 0, of a column that a cell calls a time; None for all other cells.

    Args:
        cell: such as "Time (us)", "t_us", "t/us", "Time since trigger [ms]", "Zeit".
        is_unit: if it may be the unit alone, such as "(us)".
    """
    cell = cell.translate(_MICRO).lower().rstrip(" :")
    *words, last = re.split(r"[\s_/]+|(?<=\w)(?=[(\[])", cell)
    unit_s = UNITS_S.get(re.sub(r"^[(\[](.*)[)\]]$", r"\1", last), 0.0)
    if not words:
        return unit_s if last in TIMES or (is_unit and unit_s) else None
    # One letter or a number is what the time is of (t_p). Brackets hold a unit that is not known,
    # few letters are one (time_mjd), and counts have none (time index).
    behind = words[1:] if unit_s else [*words[1:], last]
    is_known = unit_s or (len(last) > MOST_LETTERS_OF_UNIT and last not in COUNTS)
    is_time = words[0] in TIMES and all(map(_WORD.fullmatch, behind))
    return unit_s if is_time and is_known else None


def _components_of(
    header: Sequence[tuple[bool, Sequence[str]]], values: Sequence[int]
) -> tuple[dict[int, str], tuple[str, ...]]:
    """Return the component that each column is called by, and the names of columns left out.

    None are where not all columns are called so, each by another, but for those beside three.
    """
    for _, cells in header:
        names = {n: re.split(r"[(\[]", cells[n])[0] for n in values if n < len(cells)}
        matches = {n: _COMPONENT.fullmatch(x) or _IN_WORDS.fullmatch(x) for n, x in names.items()}
        found = {n: match for n, match in matches.items() if match}
        letters = {n: match[1][0].upper() for n, match in found.items()}
        letters = {n: OTHER_LETTERS.get(letter, letter) for n, letter in letters.items()}
        others = tuple(names[n] for n in names if n not in found)
        are_all = len(found) == len(values) or _are_of_one(found.values(), letters.values(), others)
        if are_all and len({*letters.values()}) == len(found):
            return letters, others
    return {}, ()


def _are_of_one(
    found: Iterable[re.Match[str]], letters: Collection[str], others: Iterable[str]
) -> bool:
    """Tell if columns are three components of one sensor, and the others none of its like.

    Sensors may be called by letters, too: A, B, E, N, Z; line_N, line_E, line_S, line_Z.
    """
    begins = {match.string[: match.start(1)].lower() for match in found}
    alike = re.compile(re.escape(min(begins, default="")) + "[a-z]", re.IGNORECASE)
    are_three = len(letters) == len({*components_of(letters).values()}) == len(COMPONENTS)
    return are_three and len(begins) == 1 and not any(map(alike.fullmatch, others))
