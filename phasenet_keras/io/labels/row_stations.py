"""Rows of a table of samples that name a station: in which column, and which files are of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from phasenet_keras.io.arrival_formats import COLUMNS
from phasenet_keras.io.labels.rows import LabelTable, Rows
from phasenet_keras.io.registry import headers_of
from phasenet_keras.io.selection import Selection
from phasenet_keras.io.text_tables import first_cell, name_key
from phasenet_keras.io.wording import some

__all__ = ["Find", "files_by", "stations_of_rows"]

Item = TypeVar("Item")
# Gives the files that a row's name, station or shot is of, and what is wrong if there are none.
Find = Callable[[str], tuple[list[Path], str]]


def files_by(pairs: Iterable[tuple[Item, Path]]) -> dict[Item, list[Path]]:
    """Return the files of each item."""
    found: dict[Item, list[Path]] = {}
    for key, path in dict.fromkeys(pairs):
        found.setdefault(key, []).append(path)
    return found


def stations_of_rows(
    table: LabelTable, rows: Rows, paths: Sequence[Path], selection: Selection
) -> tuple[list[str], Find] | None:
    """Return the station of each row, and what finds its files; None if no column says it.

    A column of another name than ``station``, such as ``trace_id`` or ``id``, counts if most of its
    cells are stations of the files, and rows as many as files are not in their order already. Bare
    numbers may count something else: they do in a column such as ``station_code``, if all are such.
    """
    asked = [name for name in COLUMNS["station"] if name in table.columns]
    if not asked:
        return None
    find = _finder_by_station(paths, selection)
    for column in sorted(asked, key="station".__ne__):
        cells = [row[column] for _, row in rows]
        named = [f"{first_cell(row, COLUMNS['network'])}.{row[column]}" for _, row in rows]
        if column == "station":
            return named, find
        names = {name for name, cell in zip(named, cells, strict=True) if cell}
        files = {name: set(find(name)[0]) for name in names}
        found = [files.get(name, set()) for name in named]
        in_order = len(rows) == len(paths) and all(map(set.__contains__, found, paths))
        are_stations = 2 * sum(map(bool, found)) > len(rows)
        if any(name_key(cell).isdecimal() for cell in cells):
            are_stations = column.startswith("station") and all(found)
        if are_stations and not in_order:
            return named, find
    return None


def _finder_by_station(paths: Sequence[Path], selection: Selection) -> Find:
    """Find files by ``network.station``, or a SEED id; what is no waveform is passed over."""
    by_code = files_by(
        (f"{trace.stats.network}.{trace.stats.station}", path)
        for path in paths
        for trace in filter(selection.takes_channel, headers_of(path))
    )
    networks: dict[str, set[str]] = {}
    for code in by_code:
        network, _, station = code.partition(".")
        networks.setdefault(station, set()).add(network)

    def find(code: str) -> tuple[list[Path], str]:
        network, _, station = code.partition(".")
        parts = station.split(".")
        if station not in networks and 2 <= len(parts) <= 4:  # of a SEED id
            network, station = parts[0] or network, parts[1]
        there = networks.get(station, set())
        fit = [own for own in there if own == network] or [
            own for own in there if station and not (own and network)
        ]
        if len(fit) > 1:
            return [], f"stations of {some(sorted(fit))} are called {station}: name the network"
        problem = "there is no file of this station: name the file (column fname)"
        return by_code[f"{fit[0]}.{station}"] if fit else [], problem

    return find
