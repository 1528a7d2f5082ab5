"""Picks as tables: CSV with PhaseNet's own columns first, ours after them."""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from phasenet_keras.types import ConfigError, FormatError, Pick, nearest_name

if TYPE_CHECKING:
    from obspy import UTCDateTime

__all__ = [
    "PICK_COLUMNS",
    "beside_then_rename",
    "check_pick_path",
    "print_picks",
    "read_picks",
    "write_picks",
]

PICK_COLUMNS = (
    "station_id",
    "begin_time",
    "phase_index",
    "phase_time",
    "phase_score",
    "phase_type",
    "file_name",
    "phase_amplitude",
    "amplitude_units",
    "sampling_rate_hz",
    "preset",
)

NO_TEXT = "backslashreplace"


def write_picks(picks: Iterable[Pick], path: str | PathLike[str]) -> int:
    """Write picks as CSV, ordered by time; the file appears when it is complete.

    Columns: ``station_id, begin_time, phase_index, phase_time, phase_score, phase_type,
    file_name`` as PhaseNet writes them, then ``phase_amplitude, amplitude_units,
    sampling_rate_hz, preset``. ``phase_index`` counts samples of ``sampling_rate_hz`` from
    ``begin_time``. Times are UTC, ISO 8601 with microseconds.

    Args:
        picks: any number, also none.
        path: ends in ``.csv``; its folder must exist.

    Returns:
        The number of picks written.

    Raises:
        ConfigError: for another ending, or a folder that does not exist.

    Example:
        >>> write_picks([], "/tmp/picks.csv")
        0
    """
    path = Path(path)
    check_pick_path(path)
    picks = list(picks)
    with beside_then_rename(path) as file:
        print_picks(picks, file)
    return len(picks)


def print_picks(picks: Iterable[Pick], file: IO[str]) -> None:
    """Write the table of `write_picks` to an open file, e.g. standard output."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(PICK_COLUMNS)
    writer.writerows(_row(pick) for pick in sorted(picks))


def check_pick_path(path: Path) -> None:
    """Refuse a path that picks cannot be written to, before any work is done.

    Raises:
        ConfigError: for an ending other than ``.csv``, or a folder that does not exist or cannot
            be written to.
    """
    if path.suffix.lower() != ".csv":
        hint = nearest_name(path.suffix, [".csv"])
        raise ConfigError(f"picks are written as .csv, received '{path.name}'.{hint}")
    if not path.parent.is_dir():
        raise ConfigError(f"folder {path.parent} does not exist: make it, or write elsewhere")
    if path.is_dir():
        raise ConfigError(f"{path} is a folder, a file is wanted")
    if not os.access(path.parent, os.W_OK):
        raise ConfigError(f"folder {path.parent} cannot be written to")


def read_picks(path: str | PathLike[str]) -> list[Pick]:
    """Read picks that `write_picks` wrote.

    Raises:
        FormatError: if it cannot be read, a column is missing, or a cell is no such value; it
            names the line.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            table = csv.DictReader(file)
            missing = set(PICK_COLUMNS) - set(table.fieldnames or ())
            if missing:
                raise FormatError(f"{path} has no columns {', '.join(sorted(missing))}")
            return [_pick(row, f"{path}, line {table.line_num}") for row in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"{path} is no readable table of picks: {error}") from error


def _pick(row: dict[str, str], where: str) -> Pick:
    from obspy import UTCDateTime

    try:
        return Pick(
            time=UTCDateTime(row["phase_time"]),
            station=row["station_id"],
            phase=row["phase_type"],
            probability=float(row["phase_score"]),
            amplitude=float(row["phase_amplitude"]) if row["phase_amplitude"] else None,
            units=row["amplitude_units"] or None,
            preset=row["preset"],
            sample=int(row["phase_index"]),
            sampling_rate=float(row["sampling_rate_hz"]),
            start_time=UTCDateTime(row["begin_time"]) if row["begin_time"] else None,
            source=row["file_name"],
        )
    except (TypeError, ValueError) as error:
        raise FormatError(f"{where}: a cell is no time or no number: {error}") from error


def _row(pick: Pick) -> tuple[object, ...]:
    return (
        pick.station,
        "" if pick.start_time is None else _iso(pick.start_time),
        pick.sample,
        _iso(pick.time),
        f"{pick.probability:.4f}",
        pick.phase,
        pick.source.replace("\r", "\\r"),  # csv would not quote it
        "" if pick.amplitude is None else f"{pick.amplitude:.6g}",
        pick.units or "",
        f"{pick.sampling_rate:.9g}",
        pick.preset,
    )


def _iso(time: UTCDateTime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.%f")


@contextmanager
def beside_then_rename(path: Path, mode: str = "w") -> Iterator[IO]:
    """Open a temporary sibling for writing and give it the name when it is complete."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    # File names may hold bytes that are no text; they are spelt out.
    text: dict[str, Any] = {"encoding": "utf-8", "newline": "", "errors": NO_TEXT}
    try:
        with os.fdopen(handle, mode, **({} if "b" in mode else text)) as file:
            yield file
        Path(name).chmod(0o644)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
