"""Tables whose rows name no record in a known column: what their other columns say of it.

That is first whether one holds names of files, or counts traces; then, where order alone is left,
whether one says that it is another order than that of the records.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, combinations
from pathlib import Path

from phasenet_keras.io.arrival_formats import COLUMNS
from phasenet_keras.io.channels import LETTERS, component_letter
from phasenet_keras.io.index import natural_key
from phasenet_keras.io.labels.row_columns import GATHER_COLUMNS, NUMBER_COLUMNS, TRACE_COLUMNS
from phasenet_keras.io.text_tables import EVENT_COLUMNS, name_key

__all__ = ["against_order", "columns_of_names", "counting_column", "grid_of", "name_in"]

Cells = Mapping[str, str]

GROUP_COLUMNS = (*EVENT_COLUMNS, *GATHER_COLUMNS)
# Columns that say something else of a record than which it is.
_OF_RECORDS = {*NUMBER_COLUMNS, *COLUMNS["phase"], "split", ""}
# Those that name something else than a file; one that a sensor has may be called after it.
_OF_OTHERS = {*GATHER_COLUMNS, *TRACE_COLUMNS, "station", "network"} - {"sensor"}
# What sensors and stations are called; times, words, remarks and hashes are no codes.
_CODE = re.compile(r"([A-Z\d]{1,2}\.)?([A-Z]{1,5}|[^\W\d_]{0,8}[-_.]?\d{1,4})")
# And files, or channels (XX.A..HHZ), which are not those here: their names tell them by then.
_DOTTED = re.compile(r"\S.*\.[^\W\d_]\w{0,7}")


def name_in(cell: str) -> Path:
    r"""Return the path in a cell, as Windows writes it, too.

    Example:
        >>> name_in(r"line\a.npz").name
        'a.npz'
    """
    return Path(cell.replace("\\", "/"))


def columns_of_names(rows: Sequence[Cells], names: Collection[str]) -> list[str]:
    """Return the columns whose cells are names of files, whatever they are called.

    Args:
        rows: cells by column.
        names: of the files, with and without their endings.

    Example:
        >>> columns_of_names([{"wave": "b.txt", "p_us": "7"}], {"a.txt", "b.txt"})
        ['wave']
    """
    found = []
    for column, cells in _columns(rows):
        n_names = sum(name_in(cell).name in names for cell in cells)
        # Numbers (events, qualities, depths) may be names of files such as 7.txt by chance.
        if (
            column not in _OF_OTHERS
            and 2 * n_names > len(cells)
            and not any(map(_is_number, cells))
        ):
            found.append(column)
    return found


def counting_column(rows: Sequence[Cells]) -> str | None:
    """Return the column that counts the rows of each event or shot from 1, in any order.

    None where several do so in different orders.

    Example:
        >>> counting_column([{"itp": "7", "geo": "2"}, {"itp": "9", "geo": "1"}])
        'geo'
    """
    found = {}
    for column, cells in _columns(rows):
        groups = _by_group(cells, rows)
        counts = all({*group} == {*map(str, range(1, len(group) + 1))} for group in groups)
        if counts and column not in GROUP_COLUMNS:
            found[column] = cells
    orders = [*found.values()]
    return next(iter(found), None) if all(order == orders[0] for order in orders) else None


def against_order(rows: Sequence[Cells], names: Sequence[str]) -> str:
    """Return a column by which rows may not be in the order of their records; empty without one.

    That is one whose cells are parts of the records' names and stand in rows of others, or one that
    tells the rows of an event or shot apart, by text or counting them, and is not in order; or two
    that do so together (`grid_of`), for either may come first.

    Args:
        rows: cells by column.
        names: of the records in their order; none where they have no names of their own.

    Example:
        >>> rows = [{"sensor": "S2", "p_us": "7"}, {"sensor": "S1", "p_us": "9"}]
        >>> against_order(rows, ["ev_S1", "ev_S2"]), against_order(rows[::-1], ["ev_S1", "ev_S2"])
        ('sensor', '')
    """
    others = []
    for column, cells in _columns(rows):
        if not all(cells) or len(set(cells)) == 1:
            continue
        parts = [part for part in _parts(names) if set(part) == set(cells)]
        if parts and cells not in parts:
            return column
        if parts or column in GROUP_COLUMNS:
            continue
        groups = _by_group(cells, rows)
        if all(map(_tell_apart, groups)) and any(g != sorted(g, key=natural_key) for g in groups):
            return column
        others.append(column)
    return grid_of(
        [{name: row[name] for name in (*GROUP_COLUMNS, *others) if name in row} for row in rows]
    )


def grid_of(rows: Sequence[Cells], column: str = "") -> str:
    """Return two columns that tell the rows of an event or shot apart together, and as a grid.

    A column that is named has to be one of them, and the other one of components.

    Example:
        >>> rows = [{"depth": z, "axis": axis, "p_ms": "7"} for z in "26" for axis in "XYZ"]
        >>> grid_of(rows), grid_of(rows[1:])
        ("depth' and 'axis", '')
    """
    found = {
        name: _by_group(cells, rows)
        for name, cells in _columns(rows)
        if name not in GROUP_COLUMNS and all(cells) and 1 < len({*cells}) < len(cells)
    }
    for one, other in combinations(found, 2):
        pairs = zip(found[one], found[other], strict=True)
        are_meant = not column or (column in (one, other) and _are_components(rows, {one, other}))
        if are_meant and all(_are_grid(*groups) for groups in pairs):
            return f"{one}' and '{other}"
    return ""


def _are_components(rows: Sequence[Cells], columns: Collection[str]) -> bool:
    """Tell if one of the columns has letters of components, or short codes that end in them."""
    return any(
        all(component_letter(row[name]) in LETTERS and len(row[name]) <= len("HHZ") for row in rows)
        for name in columns
    )


def _are_grid(one: Sequence[str], other: Sequence[str]) -> bool:
    n_places = len({*one}) * len({*other})
    n_pairs = len({*zip(one, other, strict=True)})
    return n_pairs == len(one) == n_places > max(len({*one}), len({*other}))


def _columns(rows: Sequence[Cells]) -> Iterator[tuple[str, list[str]]]:
    """Yield the columns that may say which record a row is of, and their cells."""
    for name in rows[0] if rows else ():
        if name not in _OF_RECORDS:
            yield name, [name_key(row.get(name, "")) for row in rows]


def _parts(names: Sequence[str]) -> Iterator[list[str]]:
    """Yield the parts of names, each of all of them: whole, word by word, number by number."""
    words, numbers = ([re.findall(p, name) for name in names] for p in (r"[^\W_]+", r"\d+"))
    alike = [found for found in (words, numbers) if len(set(map(len, found))) == 1]
    for part in chain([names], *(zip(*found, strict=True) for found in alike)):
        yield [name_key(text) for text in part]


def _by_group(cells: Sequence[str], rows: Sequence[Cells]) -> list[list[str]]:
    """Return the cells of the rows of each event or shot."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for cell, row in zip(cells, rows, strict=True):
        groups.setdefault(tuple(row.get(name, "") for name in GROUP_COLUMNS), []).append(cell)
    return list(groups.values())


def _tell_apart(cells: Sequence[str]) -> bool:
    """Tell if all cells differ and are codes, or numbers that count without a gap."""
    if len(set(cells)) < len(cells):
        return False
    if all(cell.isdecimal() for cell in cells):
        numbers = [int(cell) for cell in cells]
        return max(numbers) - min(numbers) == len(numbers) - 1
    names = (_CODE.fullmatch(cell) or _DOTTED.fullmatch(cell) for cell in cells)
    return all(names) and not any(map(_is_number, cells))


def _is_number(cell: str) -> bool:
    with suppress(ValueError):
        float(cell)
        return True
    return False
