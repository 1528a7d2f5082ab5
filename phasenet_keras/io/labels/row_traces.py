"""Which trace of a gather each row of a table of samples is of.

1. A column of a known name has the numbers of traces; else one of any name does that counts the
   rows of each shot from 1, where there are as many rows as traces.
2. Where there is none, rows are in the order of the traces, if they are as many and no column says
   otherwise. So they are where a column of receivers counts up from any other number, which the
   headers do not have.
3. Of several shots in a file (SEG-Y and SU hold a line in one) the headers say which a trace is of.
   Its number is that of its header, that in the file, or counted in its shot: the first of these
   that all rows have, but for those that have none. Rows are refused that may have those of
   headers, or count other traces: in files of one shot in another order than its numbers, where
   headers count from 0, and where no one of these is that of all rows. Where no row names a shot of
   the headers the numbers are those in the file; they are refused if the rows name other shots than
   the whole file is of, and no number is beyond the traces of one shot.
4. A row of no trace is refused, with all others of the file where their numbers may have been meant
   in another way: in order, of receivers, or from 0 (as where any number of the table is 0, and
   none that of the last trace). Where neither is there, it is said that they count from 1.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.io.field_records import (
    SHOT_HEADERS,
    TRACE_HEADER,
    header_of,
    shot_of_all,
    shots_of_traces,
)
from phasenet_keras.io.labels.row_columns import (
    GATHER_COLUMNS,
    RECEIVER_COLUMNS,
    TRACE_COLUMNS,
    TRACE_IN_FILE,
)
from phasenet_keras.io.labels.row_order import against_order, counting_column, grid_of
from phasenet_keras.io.labels.rows import Rows
from phasenet_keras.io.parts import BadRow
from phasenet_keras.io.registry import say
from phasenet_keras.io.text_tables import first_cell, name_key
from phasenet_keras.io.wording import some
from phasenet_keras.types import FormatError

if TYPE_CHECKING:
    from obspy import Trace

__all__ = ["names_of", "numbers_of_traces", "rows_by_trace", "shot_in"]

# What a row says of its trace: the shot, empty where headers tell none apart, and the number.
Key = tuple[str, int | None]
Places = dict[Key, int]


def rows_by_trace(
    rows: Rows,
    numbers: Sequence[int],
    traces: Sequence[Trace],
    file: Path,
    of_table: Mapping[str, Set[int]],
) -> tuple[dict[int, Rows], list[BadRow]]:
    """Return the rows of each trace of a gather, by its number in the file, and those of none.

    Args:
        rows: all of the file.
        numbers: of the traces that are wanted, in order, from 1.
        traces: all of the file, for their headers.
        file: the gather.
        of_table: `numbers_of_traces` in all rows of the table.

    Raises:
        FormatError: if nothing says which trace a row is of, or its order may mean another.

    Warns:
        RecordWarning: for rows that are in order alone, or counted by a column of another name or
            from what may be 0.
    """
    cells = [row for _, row in rows]
    named = {shot_in(row) for row in cells} - {""}
    known = shots_of_traces(traces)
    shots = max(known, key=lambda of_header: len(named & set(of_header)), default=[])
    shots = [] if named.isdisjoint(shots) else shots
    headers = set(header_of(traces, TRACE_HEADER))
    column = _column_of_numbers(cells, numbers, file, headers, has_shots=bool(shots))
    given = [_number(row, column) for row in cells] if column else numbers
    keys = [(shot_in(row) if shots else "", n) for row, n in zip(cells, given, strict=True)]
    places = _places(traces, shots, set(keys), in_file=column in (None, TRACE_IN_FILE))
    if places is None:
        raise FormatError(
            f"rows of {file.name} may number its traces as their headers do, or count them, which "
            f"differ ({column}): give places in the file, from 1, in a column {TRACE_IN_FILE}"
        )
    wanted, there = set(numbers), some(dict.fromkeys(shots))
    found: dict[int, Rows] = {}
    bad = []
    for (number, row), (shot, n) in zip(rows, keys, strict=True):
        place = places.get((shot, n), 0)
        if place in wanted:
            found.setdefault(place, []).append((number, row))
        elif shots:
            text = f"by its headers {file.name} holds no trace {n} of shot {shot or '(none named)'}"
            text = f"{text}; its shots are {there}; {TRACE_IN_FILE} counts through the file, from 1"
            bad.append(BadRow(number, text))
        else:
            text = f"{column} should be the number of a trace in {file.name}, {numbers[0]} to "
            bad.append(BadRow(number, f"{text}{numbers[-1]}, received '{row[column or '']}'"))
    is_sure = column in TRACE_COLUMNS and column not in RECEIVER_COLUMNS
    counts_from_0 = any(key[1] == 0 and places.get(key) not in wanted for key in keys)
    in_all = of_table.get(column or "", set()) if column != TRACE_IN_FILE else set()
    most, last = max(in_all, default=0), len(traces)
    # Numbers beyond the last trace are of another file, and say nothing of this one.
    may_be_from_0 = not shots and headers <= {0} and most != last and last not in given
    counts_from_0 |= may_be_from_0 and 0 in in_all
    if counts_from_0 or (bad and not is_sure):
        text = f"rows of {file.name} are not numbered as its traces are, from 1 on"
        text = f"{text} ({column or 'they are in order'})"
        bad += [BadRow(number, text) for of_trace in found.values() for number, _ in of_trace]
        found = {}
    if known and found and not shots and column and column != TRACE_IN_FILE:
        _check_shots(known[0], named - _shots_of_file(traces, file), found, file)
    elif found and may_be_from_0 and 0 < most < last:
        say(
            f"rows of gathers name neither trace 0 nor the last one: their numbers ({column}) are "
            f"taken to count from 1; if they count from 0 add 1, else name them {TRACE_IN_FILE}"
        )
    return found, bad


def _check_shots(
    shots: Sequence[str], named: Set[str], found: Mapping[int, Rows], file: Path
) -> None:
    """Refuse numbers that may count the traces of shots that no header has; say so of no shots."""
    there = some(dict.fromkeys(shots))
    if max(found) > max(Counter(shots).values()):
        return
    if named:
        raise FormatError(
            f"{file.name} holds several shots by its headers ({there}), and rows name others "
            f"({some(sorted(named))}): name these in a column shot or ffid, or count the traces "
            f"through the file, from 1, in a column {TRACE_IN_FILE}"
        )
    n_several = sum(len(rows) > 1 for rows in found.values())  # of most: said with their arrivals
    if 2 * n_several <= len(found):
        say(
            f"{file.name} holds several shots by its headers ({there}), and "
            "rows name none of these (column shot or ffid): their numbers are taken to count the "
            "traces of the file"
        )


def shot_in(row: Mapping[str, str]) -> str:
    """Return the shot that a row names, numbers as `name_key`; empty where it names none.

    Example:
        >>> shot_in({"ffid": "0012.0"}), shot_in({"trace": "3"})
        ('12', '')
    """
    return name_key(first_cell(row, GATHER_COLUMNS))


def names_of(file: Path) -> tuple[str, ...]:
    """Return the shots that the name of a gather may stand for: itself, and its last number.

    Example:
        >>> names_of(Path("line1_shot007.su"))
        ('line1_shot007', '7')
    """
    return file.stem, *map(name_key, re.findall(r"\d+", file.stem)[-1:])


def _shots_of_file(traces: Sequence[Trace], file: Path) -> set[str]:
    """Return what may name all of a file as one shot: its name, a header alike in all traces."""
    return {*names_of(file), *(shot_of_all(traces, name) for name in SHOT_HEADERS)}


def _column_of_numbers(
    rows: Sequence[Mapping[str, str]],
    numbers: Sequence[int],
    file: Path,
    headers: Set[int],
    *,
    has_shots: bool,
) -> str | None:
    """Return the column of the numbers of traces; None where rows are in the order of these."""
    column = next((name for name in TRACE_COLUMNS if _numbers_traces(rows, name)), None)
    given = [_number(row, column) or 0 for row in rows] if column in RECEIVER_COLUMNS else []
    is_one_a_trace = len(given) == len(numbers) and given == sorted(set(given))
    is_of_headers = has_shots or headers >= set(given)
    if is_one_a_trace and given[0] > 0 and given[-1] > numbers[-1] and not is_of_headers:
        column = None  # stakes from 101 on
    elif column is None:
        column = counting_column(rows)
    if column in TRACE_COLUMNS:
        grid = grid_of(rows, column) if column != TRACE_IN_FILE else ""
        if grid:
            raise FormatError(
                f"rows of {file.name} are told apart by '{grid}' together, which its "
                f"traces are not: give places in the file, from 1, in a column {TRACE_IN_FILE}"
            )
        return column
    if len(rows) != len(numbers):
        raise FormatError(
            f"{file.name} holds {len(numbers)} traces and has {len(rows)} rows: give one a "
            f"trace, or its number from 1 in a column ({', '.join(TRACE_COLUMNS)})"
        )
    if column:
        text = f"have no column trace: '{column}' is taken for the number of the trace, since it "
        text += "counts them"
    else:
        against = against_order(rows, [])
        if against:
            raise FormatError(
                f"rows of {file.name} may be in another order than its traces, by their "
                f"column '{against}': give the number of the trace, from 1, in a column trace"
            )
        text = "have no number of a trace (column trace): they are taken in the order of the "
        text += "traces, the first row of a file for its first trace"
    say(f"rows of gathers {text}")
    return column


def _numbers_traces(rows: Sequence[Mapping[str, str]], column: str) -> bool:
    """Tell if a column of a known name has numbers; channels and sensors may have codes."""
    cells = [row[column] for row in rows if row.get(column)]
    return bool(cells) and (
        column not in ("channel", "sensor") or all(name_key(cell).isdecimal() for cell in cells)
    )


def _places(
    traces: Sequence[Trace], shots: Sequence[str], keys: set[Key], *, in_file: bool
) -> Places | None:
    """Return the places of traces in the file, from 1, by shot and number; None in doubt.

    The numbers are those of the headers, of the file, or of each shot as they are counted: the
    first that all rows have which have one of these.
    """
    of_traces = shots or [""] * len(traces)
    through_file: Places = {(shot, n): n for n, shot in enumerate(of_traces, start=1)}
    if in_file:
        return through_file
    seen: Counter[str] = Counter()
    by_count: Places = {
        (shot, seen.update([shot]) or seen[shot]): n for n, shot in enumerate(of_traces, start=1)
    }
    headers = header_of(traces, TRACE_HEADER) or [0] * len(traces)
    by_header: Places = {
        key: n for n, key in enumerate(zip(of_traces, headers, strict=True), start=1)
    }
    if len(by_header) < len(traces):  # they do not tell the traces of a shot apart
        by_header = by_count
    ways = (by_header, through_file, by_count)
    keys = keys & {key for way in ways for key in way}  # a blank says nothing of the others
    held = [way for way in ways if way.keys() >= keys]
    # In a shot whose traces are in another order the same numbers are those of the headers.
    is_told = bool(shots) and by_count.keys() == by_header.keys()
    is_either = by_header in held and by_count in held and not is_told
    if is_either and any(by_header[key] != by_count[key] for key in keys):
        return None
    return held[0] if held else None


def numbers_of_traces(rows: Sequence[Mapping[str, str]]) -> dict[str, set[int]]:
    """Return the numbers in each column of numbers of traces.

    Example:
        >>> numbers_of_traces([{"trace": "3"}, {"trace": "12.0", "itp": "7"}])["trace"]
        {3, 12}
    """
    cells = {name: [name_key(row.get(name, "")) for row in rows] for name in TRACE_COLUMNS}
    return {name: {int(cell) for cell in cells[name] if cell.isdecimal()} for name in cells}


def _number(row: Mapping[str, str], column: str) -> int | None:
    cell = name_key(row.get(column, ""))
    return int(cell) if cell.isdecimal() else None
