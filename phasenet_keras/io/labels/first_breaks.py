"""First breaks in pyGIMLi's unified data (.sgt): which file and trace a measurement is of."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from pathlib import Path

from phasenet_keras.io.labels.row_columns import AFTER_TRIGGER, TRACE_IN_FILE, UNITS_S
from phasenet_keras.io.registry import say
from phasenet_keras.io.text_tables import number_of
from phasenet_keras.io.wording import counted
from phasenet_keras.types import FormatError

__all__ = ["FIRST_BREAK_COLUMNS", "first_breaks", "with_files"]

# The positions of shot and geophone by their numbers in the file's list.
FIRST_BREAK_COLUMNS = ("position_of_shot", "position_of_geophone")
# A line of a number, perhaps below comments.
_BEGINNING = re.compile(r"(?:\s|#[^\n]*\n)*\d+[^\S\n]*[#\n]")
INSTEAD = f"write a table with columns fname, trace and p_{AFTER_TRIGGER}ms instead"


def first_breaks(text: str) -> tuple[tuple[str, ...], list[list[str]]] | None:
    r"""Return columns and rows of the measurements of an sgt file; None for other text.

    Such a file has the number of positions and their list, then the number of measurements and
    these: shot and geophone by the numbers of their positions, and the time since the shot, in s
    unless its column says otherwise (``t/ms``). Those that are not ``valid`` are rows without
    cells.

    Raises:
        FormatError: if there are fewer measurements than it says, one is of no position, or a
            column is there twice.

    Example:
        >>> text = "2 # shot/geophone points\n#x y\n0 0\n5 0\n1 # measurements\n#s g t\n1 2 0.013\n"
        >>> first_breaks(text)
        (('position_of_shot', 'position_of_geophone', 'p_after_trigger_s'), [['1', '2', '0.013']])
        >>> first_breaks("fname,itp\na.txt,100\n")
    """
    if not _BEGINNING.match(text):
        return None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    filled = [number for number, line in enumerate(lines) if not line.startswith("#")]
    n_positions = _count(lines[filled[0]])
    if n_positions < 1 or len(filled) < n_positions + 2:
        return None
    at = filled[n_positions + 1]
    n_rows = _count(lines[at])
    names = lines[at + 1].lower().split() if len(lines) > at + 1 else []
    tokens = [name.lstrip("#").partition("/") for name in names if name != "#"]
    columns = [token for token, _, _ in tokens]
    if n_rows < 1 or not {"s", "g", "t"} <= {*columns} or not names[0].startswith("#"):
        return None
    if len({*columns}) < len(columns):
        raise FormatError(f"its columns {' '.join(columns)} should be there once")
    unit = tokens[columns.index("t")][2] or "s"
    if unit not in UNITS_S:
        raise FormatError(f"its times should be in one of {', '.join(UNITS_S)}, received '{unit}'")
    cells = [lines[number].partition("#")[0].split() for number in filled[n_positions + 2 :]]
    rows = [dict(zip(columns, row, strict=False)) for row in cells[:n_rows]]
    n_whole = sum(len(row) == len(columns) for row in rows)
    if n_whole < n_rows:
        raise FormatError(
            f"it should hold {n_rows} measurements of {' '.join(columns)}; received {n_whole}"
        )
    known = {*map(str, range(1, n_positions + 1))}
    measured = [_measured(f"row {n}", row, known) for n, row in enumerate(rows, start=1)]
    return (*FIRST_BREAK_COLUMNS, f"p_{AFTER_TRIGGER}{unit}"), measured


def _count(line: str) -> int:
    """Return the number that a block of lines begins with; 0 where there is none."""
    with suppress(ValueError):
        return int(line.partition("#")[0])
    return 0


def _measured(where: str, row: Mapping[str, str], known: Set[str]) -> list[str]:
    """Return shot, geophone and time of a measurement; no cells where it is not valid."""
    if not number_of(f"{where}: valid", row.get("valid", "1")) > 0:
        return []
    if not {row["s"], row["g"]} <= known:
        raise FormatError(
            f"{where} is of shot {row['s']} and geophone {row['g']}: both should be numbers of its "
            f"{len(known)} positions, from 1 on"
        )
    return [row["s"], row["g"], row["t"]]


def with_files(
    path: Path, rows: Sequence[Mapping[str, str]], n_traces: Mapping[Path, int]
) -> list[dict[str, str]]:
    """Return measurements with the file and the trace that each is of.

    Shots are in the order of the files, geophones in that of the traces, both by their positions'
    numbers.

    Args:
        path: of the table, for messages.
        rows: of `first_breaks`, by column.
        n_traces: of the gathers, in their order.

    Raises:
        FormatError: if there are not as many shots as files, or geophones as traces, or shots are
            measured in another order than that of their positions.

    Warns:
        RecordWarning: which file is taken for which shot.

    Example:
        >>> rows = [{"position_of_shot": "2", "position_of_geophone": g} for g in ("1", "4")]
        >>> [(r["fname"], r["trace_in_file"]) for r in with_files(Path("a"), rows, {Path("7"): 2})]
        [('7', '1'), ('7', '2')]
    """
    shots, geophones = ([int(row[column]) for row in rows] for column in FIRST_BREAK_COLUMNS)
    files, of_shots, of_geophones = list(n_traces), sorted({*shots}), sorted({*geophones})
    if list(dict.fromkeys(shots)) != of_shots:
        raise FormatError(
            f"{path}: shots are measured in another order than that of their positions, which may "
            f"be that of the files: {INSTEAD}"
        )
    if len(of_shots) != len(files) or {*n_traces.values()} != {len(of_geophones)}:
        traces = " or ".join(map(str, sorted({*n_traces.values()})))
        raise FormatError(
            f"{path} has {counted(len(of_shots), 'shot')} and "
            f"{counted(len(of_geophones), 'geophone')}, there are {counted(len(files), 'file')} of "
            f"{traces or 'no'} traces, and as many are wanted: {INSTEAD}"
        )
    say(
        f"{path}: its shots are taken in the order of the files, position {of_shots[0]} for "
        f"{files[0].name}, position {of_shots[-1]} for {files[-1].name}, and its geophones in that "
        f"of the traces, position {of_geophones[0]} for the first, {of_geophones[-1]} for the last"
    )
    file_of = dict(zip(of_shots, map(str, files), strict=True))
    trace_of = {geophone: str(n) for n, geophone in enumerate(of_geophones, start=1)}
    return [
        {**row, "fname": file_of[shot], TRACE_IN_FILE: trace_of[geophone]}
        for row, shot, geophone in zip(rows, shots, geophones, strict=True)
    ]
