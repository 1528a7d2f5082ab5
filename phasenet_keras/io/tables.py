"""`write_picks` and `read_picks`; CSV with PhaseNet's own columns first, ours after them."""

from __future__ import annotations

import csv
import math
import numbers
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from os import PathLike
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from phasenet_keras.io.index import check_path
from phasenet_keras.io.new_files import beside_then_rename, check_folder
from phasenet_keras.io.pick_formats import (
    PickFormat,
    pick_format_of,
    pick_formats,
    register_pick_format,
)
from phasenet_keras.io.times import EPOCH, exact_time, iso_time
from phasenet_keras.types import ConfigError, FormatError, Pick, nearest_name, refuse_unknown

if TYPE_CHECKING:
    from obspy import UTCDateTime

__all__ = [
    "PICK_COLUMNS",
    "PICK_FIELDS",
    "check_pick_path",
    "check_table_path",
    "picks_of_csv",
    "print_picks",
    "read_picks",
    "write_picks",
    "write_rows",
]

# What of a pick each column holds, in their order.
PICK_FIELDS = {
    "station_id": "station",
    "begin_time": "start_time",
    "phase_index": "sample",
    "phase_time": "time",
    "phase_score": "probability",
    "phase_type": "phase",
    "file_name": "source",
    "phase_amplitude": "amplitude",
    "amplitude_units": "units",
    "sampling_rate_hz": "sampling_rate",
    "preset": "preset",
    "snr_db": "snr_db",
}
PICK_COLUMNS = tuple(PICK_FIELDS)
USUAL_PHASES = ("P", "S")
# Tables of earlier versions lack them.
LATER_COLUMNS = {"snr_db"}

MICROSECOND = timedelta(microseconds=1)


def write_picks(
    picks: Iterable[Pick],
    path: str | PathLike[str],
    format: str | None = None,
    *,
    time_errors_s: Mapping[str, float] | None = None,
    are_ordered: bool = False,
) -> int:
    """Write picks, ordered by time; the file appears when it is complete.

    Columns of a CSV: ``station_id, begin_time, phase_index, phase_time, phase_score, phase_type,
    file_name`` as PhaseNet writes them, then ``phase_amplitude, amplitude_units,
    sampling_rate_hz, preset, snr_db``. ``phase_index`` counts samples of ``sampling_rate_hz``
    from ``begin_time``. Times are UTC, ISO 8601 with microseconds, above 100 kHz nanoseconds. The
    other formats are listed
    by `phasenet_keras.io.pick_formats.pick_formats`.

    Args:
        picks: any number, also none.
        path: its ending says the format: ``.csv``, ``.parquet``, ``.xml`` (QuakeML), ``.obs``
            (NonLinLoc), ``.markers`` (Snuffler), ``.gamma.csv``, ``.pyocto.csv``; its folder must
            exist.
        format: name of the format, for any ending.
        time_errors_s: standard deviation of the times of each phase, where known (e.g. from
            `evaluate`), for QuakeML and NonLinLoc.
        are_ordered: they come by time. Then they are not held: any number can be written as
            ``.csv``, ``.parquet``, ``.gamma.csv`` and ``.pyocto.csv``.

    Returns:
        The number of picks written.

    Raises:
        ConfigError: for what is no pick, an unknown ending or format, a folder that does not exist,
            or errors that are none, of a phase that no pick is of, or that the format cannot hold.
        MissingExtraError: if a package is missing that the format needs.

    Warns:
        RecordWarning: where a station's name had to be changed for the format.

    Example:
        >>> write_picks([], "/tmp/picks.csv")
        0
    """
    path, picks = check_path(path, "a file"), _checked(picks)
    pick_format = check_pick_path(path, format, time_errors_s=time_errors_s)
    if time_errors_s:  # formats that hold them take all picks at once
        picks = list(picks)
        known = sorted({*USUAL_PHASES, *(pick.phase for pick in picks)})
        refuse_unknown(time_errors_s, known, "the time errors of these picks")
    count = 0

    def counted() -> Iterator[Pick]:
        nonlocal count
        for pick in picks if are_ordered else sorted(picks):
            count += 1
            yield pick

    pick_format.write(counted(), path, dict(time_errors_s or {}))
    return count


def _checked(picks: object) -> Iterator[Pick]:
    """Yield picks as they are, as long as they are some."""
    for pick in picks if isinstance(picks, Iterable) else [picks]:
        if not isinstance(pick, Pick):
            raise ConfigError(
                f"picks to be written are Pick, received {type(pick).__name__}: Picker.pick and "
                "read_picks give such; a table of another kind is written by pandas"
            )
        yield pick


def print_picks(picks: Iterable[Pick], file: IO[str], *, is_exact: bool = False) -> None:
    """Write the table of `write_picks` to an open file, e.g. standard output; in their order.

    Args:
        picks: any number.
        file: open for text.
        is_exact: numbers are not rounded for readers: they are read back as they were.
    """
    write_rows(file, PICK_COLUMNS, (_row(pick, is_exact) for pick in picks))


def write_rows(file: IO[str], columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table whose cells are read back as they were, carriage returns too.

    Example:
        >>> import sys
        >>> write_rows(sys.stdout, ["station", "phase"], [("a,b", "P")])
        station,phase
        "a,b",P
    """
    usual = csv.writer(file, lineterminator="\n")
    # A carriage return ends a row for readers, but the usual writer does not quote it.
    quoting = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
    usual.writerow(columns)
    for row in rows:
        has_return = any(isinstance(cell, str) and "\r" in cell for cell in row)
        (quoting if has_return else usual).writerow(row)


def check_pick_path(
    path: Path, format: str | None = None, *, time_errors_s: Mapping[str, float] | None = None
) -> PickFormat:
    """Refuse what picks cannot be written to, before any work is done; return the format.

    Raises:
        ConfigError: as `write_picks`; also if the folder cannot be written to.
        MissingExtraError: if a package is missing that the format needs.
    """
    pick_format = pick_format_of(path, format)
    for phase, value in (time_errors_s or {}).items():
        if not (isinstance(value, numbers.Real) and 0 < value < math.inf):
            raise ConfigError(f"the time error of {phase} is above 0 seconds, received {value!r}")
    if time_errors_s and not pick_format.holds_time_errors:
        able = ", ".join(item.name for item in pick_formats() if item.holds_time_errors)
        raise ConfigError(f"format '{pick_format.name}' has no time errors; those that do: {able}")
    pick_format.check()
    check_folder(path)
    return pick_format


def check_table_path(path: Path) -> None:
    """Refuse a path that a CSV table cannot be written to, before any work is done.

    Raises:
        ConfigError: for an ending other than ``.csv``, or a folder that does not exist or cannot
            be written to.
    """
    if path.suffix.lower() != ".csv":
        hint = nearest_name(path.suffix, [".csv"])
        raise ConfigError(f"this table is written as .csv, received '{path.name}'.{hint}")
    check_folder(path)


def read_picks(path: str | PathLike[str], format: str | None = None) -> list[Pick]:
    """Read picks that `write_picks` wrote as CSV or Parquet.

    Picks in other formats have lost what they cannot hold; `read_arrivals` reads the times of
    most.

    Args:
        path: its ending says the format.
        format: name of the format, for any ending.

    Raises:
        ConfigError: for a format that cannot be read back.
        FormatError: if it cannot be read, a column is missing, or a cell is no such value; it
            names the line.

    Example:
        >>> _ = write_picks([], "/tmp/picks.csv")
        >>> read_picks("/tmp/picks.csv")
        []
    """
    path = check_path(path, "a file")
    pick_format = pick_format_of(path, format)
    if pick_format.read is None:
        able = ", ".join(item.name for item in pick_formats() if item.read)
        raise ConfigError(
            f"{path}: format '{pick_format.name}' does not hold all of a pick; those that can be "
            f"read back: {able}"
        )
    return pick_format.read(path)


def picks_of_csv(path: Path) -> Generator[Pick, None, None]:
    """Yield the picks of a CSV one by one; errors as from `read_picks`."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            table = csv.DictReader(file)
            missing = set(PICK_COLUMNS) - set(table.fieldnames or ()) - LATER_COLUMNS
            if missing:
                raise FormatError(f"{path} has no columns {', '.join(sorted(missing))}")
            for row in table:
                yield _pick(row, f"{path}, line {table.line_num}")
    except FileNotFoundError as error:
        raise FormatError(f"{path} cannot be read: no such file") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"{path} is no readable table of picks: {error}") from error


def _pick(row: dict[str, str], where: str) -> Pick:
    def value(column: str, convert: Callable[[str], Any], kind: str) -> Any:
        try:
            return convert(row[column])
        except (TypeError, ValueError) as error:
            raise FormatError(
                f"{where}: {column} should be {kind}, received '{row[column]}'"
            ) from error

    def number(column: str) -> float | None:
        return value(column, float, "a number") if row.get(column) else None

    time = "a time, ISO 8601 in UTC"
    return Pick(
        time=value("phase_time", _time, time),
        station=row["station_id"],
        phase=row["phase_type"],
        probability=value("phase_score", float, "a number"),
        amplitude=number("phase_amplitude"),
        units=row["amplitude_units"] or None,
        preset=row["preset"],
        sample=value("phase_index", int, "a whole number"),
        sampling_rate=value("sampling_rate_hz", float, "a number"),
        start_time=value("begin_time", _time, time) if row["begin_time"] else None,
        source=row["file_name"],
        snr_db=number("snr_db"),
    )


def _time(text: str) -> UTCDateTime:
    from obspy import UTCDateTime

    # Times as `iso_time` writes them; for those UTCDateTime takes five times as long by itself.
    if len(text) == 26 and text[10] == "T" and text[19] == "." and text[20:].isdigit():
        since = datetime.fromisoformat(text) - EPOCH
        return UTCDateTime(ns=1000 * (since // MICROSECOND))
    return exact_time(text)


def _row(pick: Pick, is_exact: bool) -> tuple[object, ...]:
    def number(value: float, spelling: str) -> str:
        return repr(float(value)) if is_exact else format(value, spelling)

    return (
        pick.station,
        "" if pick.start_time is None else iso_time(pick.start_time, pick.sampling_rate),
        pick.sample,
        iso_time(pick.time, pick.sampling_rate),
        number(pick.probability, ".4f"),
        pick.phase,
        pick.source,
        "" if pick.amplitude is None else number(pick.amplitude, ".6g"),
        pick.units or "",
        number(pick.sampling_rate, ".9g"),
        pick.preset,
        "" if pick.snr_db is None else number(pick.snr_db, ".2f"),
    )


def _write_csv(picks: Iterable[Pick], path: Path, time_errors_s: Mapping[str, float]) -> None:
    with beside_then_rename(path) as file:
        print_picks(picks, file)


register_pick_format(
    PickFormat(
        name="csv",
        endings=(".csv",),
        content="a table with PhaseNet's columns first",
        write=_write_csv,
        read=lambda path: list(picks_of_csv(path)),
    )
)
