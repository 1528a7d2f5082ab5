"""First breaks in pyGIMLi's unified data (.sgt): which file and trace a measurement is of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from phasenet_keras.io.labels.row_columns import AFTER_TRIGGER, TRACE_IN_FILE, UNITS_S
from phasenet_keras.io.registry import say
from phasenet_keras.types import FormatError

__all__ = ["FIRST_BREAK_COLUMNS", "first_breaks", "with_files"]

# The positions of shot and geophone by their numbers in the file's list.
FIRST_BREAK_COLUMNS = ("position_of_shot", "position_of_geophone")
INSTEAD = f"write a table with columns fname, trace and p_{AFTER_TRIGGER}ms instead"


def first_breaks(text: str) -> tuple[tuple[str, ...], list[list[str]]] | None:
    r"""Return columns and rows of the measurements of an sgt file; None for other text.

    Such a file has the number of positions and their list, then the number of measurements and
    these: shot and geophone by the numbers of their positions, and the time since the shot, in s
    unless its column says otherwise (``t/ms``). Those that are not ``valid`` are left out.

    Raises:
        FormatError: if there are fewer measurements than it says, or one is no row of numbers.

    Example:
        >>> text = "2 # shot/geophone points\n#x y\n0 0\n5 0\n1 # measurements\n#s g t\n1 2 0.013\n"
        >>> first_breaks(text)
        (('position_of_shot', 'position_of_geophone', 'p_after_trigger_s'), [['1', '2', '0.013']])
        >>> first_breaks("fname,itp\na.txt,100\n")
    """
    n_positions = _count([text.lstrip().partition("\n")[0]], 0)
    if n_positions < 1:
        return None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    positions = [number for number in range(1, len(lines)) if not lines[number].startswith("#")]
    if n_positions >= len(positions):
        return None
    at = positions[n_positions]
    n_rows = _count(lines, at)
    names = lines[at + 1].lstrip("# ").lower().split() if len(lines) > at + 1 else []
    tokens = [name.partition("/") for name in names]
    columns = [token for token, _, _ in tokens]
    if n_rows < 1 or not lines[at + 1].startswith("#") or not {"s", "g", "t"} <= {*columns}:
        return None
    unit = tokens[columns.index("t")][2] or "s"
    if unit not in UNITS_S:
        raise FormatError(f"its times should be in one of {', '.join(UNITS_S)}, received '{unit}'")
    rows = [line.partition("#")[0].split() for line in lines[at + 2 : at + 2 + n_rows]]
    if len(rows) < n_rows or any(len(row) < len(columns) for row in rows):
        raise FormatError(
            f"it should hold {n_rows} measurements of {' '.join(columns)}; received "
            f"{sum(len(row) >= len(columns) for row in rows)}"
        )
    kept = [dict(zip(columns, row, strict=False)) for row in rows]
    wanted = [[row["s"], row["g"], row["t"]] for row in kept if row.get("valid", "1") != "0"]
    return (*FIRST_BREAK_COLUMNS, f"p_{AFTER_TRIGGER}{unit}"), wanted


def _count(lines: Sequence[str], at: int) -> int:
    """Return the number that a block of lines begins with; 0 where there is none."""
    with suppress(ValueError, IndexError):
        return int(lines[at].partition("#")[0])
    return 0


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
    shots, geophones = (_in_order(path, rows, column) for column in FIRST_BREAK_COLUMNS)
    if list(dict.fromkeys(_numbers(path, rows, FIRST_BREAK_COLUMNS[0]))) != shots:
        raise FormatError(
            f"{path}: shots are measured in another order than that of their positions, which may "
            f"be that of the files: {INSTEAD}"
        )
    others = {count for count in n_traces.values() if count != len(geophones)}
    if len(shots) != len(n_traces) or others:
        traces = " or ".join(map(str, sorted({*n_traces.values()})))
        raise FormatError(
            f"{path} has {len(shots)} shots and {len(geophones)} geophones, there are "
            f"{len(n_traces)} files of {traces or 'no'} traces, and as many are wanted: {INSTEAD}"
        )
    files = list(n_traces)
    say(
        f"{path}: its shots are taken in the order of the files, position {shots[0]} for "
        f"{files[0].name}, position {shots[-1]} for {files[-1].name}, and its geophones in that of "
        f"the traces, position {geophones[0]} for the first, {geophones[-1]} for the last"
    )
    keys = zip(*(_numbers(path, rows, column) for column in FIRST_BREAK_COLUMNS), strict=True)
    return [
        {
            **row,
            "fname": str(files[shots.index(shot)]),
            TRACE_IN_FILE: str(geophones.index(geophone) + 1),
        }
        for row, (shot, geophone) in zip(rows, keys, strict=True)
    ]


def _in_order(path: Path, rows: Sequence[Mapping[str, str]], column: str) -> list[int]:
    return sorted({*_numbers(path, rows, column)})


def _numbers(path: Path, rows: Sequence[Mapping[str, str]], column: str) -> list[int]:
    try:
        return [int(float(row[column])) for row in rows]
    except ValueError as error:
        raise FormatError(
            f"{path}: {column.replace('_', ' ')} should be a number: {error}"
        ) from error
