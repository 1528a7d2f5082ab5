"""Where sources and receivers stand: `read_geometry` and the names by which they are found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, ClassVar

from phasenet_keras.io.arrival_formats import codes_of
from phasenet_keras.io.labels.row_columns import GATHER_COLUMNS, TRACE_COLUMNS, TRACE_IN_FILE
from phasenet_keras.io.parts import BadRow
from phasenet_keras.io.text_tables import (
    first_cell,
    name_key,
    number_of,
    read_table,
)
from phasenet_keras.io.times import time_in
from phasenet_keras.types import FormatError

if TYPE_CHECKING:
    from obspy import UTCDateTime

__all__ = ["Geometry", "Xyz", "read_geometry", "rows_of_csv"]

Xyz = tuple[float, float, float]
# As in tables of labels, but for numbers through a file; names of receivers come first.
RECEIVER = tuple(
    dict.fromkeys(
        ("receiver", "station", "station_id", *(n for n in TRACE_COLUMNS if n != TRACE_IN_FILE))
    )
)
AXES = ("x", "y", "z")


@dataclass
class Geometry:
    """Coordinates in metres, by name; names are as `name_key` gives them.

    Attributes:
        receivers: of each receiver.
        sources: of each shot; the one source of all shots is under `ANY_SHOT`.
        start_times: UTC time of sample 0 of each shot's records, where given.
        bad: the rows that could not be used.
    """

    receivers: dict[str, Xyz] = field(default_factory=dict)
    sources: dict[str, Xyz] = field(default_factory=dict)
    start_times: dict[str, UTCDateTime] = field(default_factory=dict)
    bad: list[BadRow] = field(default_factory=list)

    ANY_SHOT: ClassVar[str] = "*"

    def source_of(self, shot: object) -> Xyz | None:
        """Return where a shot was, None if that is not known."""
        return self.sources.get(name_key(str(shot)), self.sources.get(self.ANY_SHOT))

    def receiver_names(self, names: Sequence[object]) -> list[str | None]:
        """Return under which name each receiver stands in here, None for those that do not.

        A SEED id matches as a whole, by network and station, or by station alone, the first of
        these that one receiver has.
        """
        found: dict[str, set[str]] = {}
        for name in self.receivers:
            for form in _forms(name):
                found.setdefault(form, set()).add(name)
        known = {}
        for name in map(str, names):
            matches = [found.get(form, set()) for form in _forms(name_key(name))]
            single = next((match for match in matches if len(match) == 1), set())
            known[name] = next(iter(single), None)
        return [known[str(name)] for name in names]


def read_geometry(path: str | PathLike[str]) -> Geometry:
    r"""Read coordinates of receivers and sources from CSV, in metres.

    Rows with ``receiver`` (or ``station``, ``trace``, ``channel``, …, as in tables of labels) are
    receivers at ``x, y, z``. Sources are rows with ``shot`` (or ``ffid``, …) and without receiver,
    at ``x, y, z``; or columns ``source_x, source_y, source_z`` of receivers' rows, of the shot in
    column ``shot``, or of all shots where there is none. Missing axes are 0. ``start_time`` (UTC)
    of a shot's row is the time of sample 0 of its records.

    Raises:
        FormatError: if it cannot be read, or names no receiver or no source.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "line.csv"
        ...     _ = path.write_text("shot,receiver,x,z\n,A,4,1.5\n7,,0,0\n")
        ...     geometry = read_geometry(path)
        >>> geometry.receivers, geometry.source_of(7)
        ({'A': (4.0, 0.0, 1.5)}, (0.0, 0.0, 0.0))
    """
    header, rows, bad = rows_of_csv(path)
    geometry = Geometry(bad=bad)
    if "x" not in header:
        raise FormatError(f"{path} has no column x: it is no geometry; {_EXPECTED}")
    for number, row in rows:
        try:
            _take(row, geometry)
        except FormatError as error:
            bad.append(BadRow(number, str(error)))
    for what, found in (("receivers", geometry.receivers), ("sources", geometry.sources)):
        if not found:
            said = f" The first bad row is {bad[0]}" if bad else ""
            raise FormatError(f"{path} names no {what}; {_EXPECTED}.{said}")
    return geometry


_EXPECTED = (
    "expected are columns receiver, x, y, z with sources in rows shot, x, y, z without receiver, "
    "or in columns source_x, source_y, source_z"
)


def _take(row: Mapping[str, str], geometry: Geometry) -> None:
    receiver, shot = (name_key(first_cell(row, names)) for names in (RECEIVER, GATHER_COLUMNS))
    if receiver:
        _place(geometry.receivers, receiver, _xyz(row, ""), "receiver")
        if row.get("source_x", "").strip():
            at = _xyz(row, "source_")
            _place(geometry.sources, shot or Geometry.ANY_SHOT, at, "shot")
    elif shot:
        _place(geometry.sources, shot, _xyz(row, ""), "shot")
    else:
        raise FormatError("it names neither a receiver nor a shot")
    if shot and row.get("start_time", "").strip():
        geometry.start_times[shot] = time_in(row["start_time"], "start_time")


def _place(places: dict[str, Xyz], name: str, at: Xyz, what: str) -> None:
    if places.setdefault(name, at) != at:
        raise FormatError(f"{what} {name} stands at {places[name]} before, here at {at}")


def _xyz(row: Mapping[str, str], prefix: str) -> Xyz:
    values = [number_of(prefix + axis, row.get(prefix + axis, "0")) for axis in AXES]
    if values[0] != values[0]:
        raise FormatError(f"{prefix}x is empty")
    x, y, z = (0.0 if value != value else value for value in values)
    return (x, y, z)


def rows_of_csv(
    path: str | PathLike[str],
) -> tuple[tuple[str, ...], list[tuple[int, dict[str, str]]], list[BadRow]]:
    """Read a table; return columns in lower case, filled rows by their number, and the bad rows.

    Raises:
        FormatError: if it cannot be read, is empty, or has a column twice.
    """
    header, lines = read_table(path)
    if not header:
        raise FormatError(f"{path} is empty")
    rows, bad = [], []
    for number, cells in enumerate(lines, start=1):
        if not any(cells):
            continue
        if len(cells) == len(header):
            rows.append((number, dict(zip(header, cells, strict=True))))
        else:
            bad.append(BadRow(number, f"it has {len(cells)} cells, the header {len(header)}"))
    return header, rows, bad


def _forms(name: str) -> list[str]:
    network, station = codes_of(name)
    return list(dict.fromkeys((name, f"{network}.{station}", station)))
