"""Files of arrivals as other programs write them: what each line says, not yet checked."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from phasenet_keras.io.channels import sensor_of
from phasenet_keras.io.labels.row_columns import FILE_COLUMNS
from phasenet_keras.io.obspy_events import (
    ACCEPTED,
    Entry,
    NoLabelsError,
    catalogue_entries,
    no_picks,
)
from phasenet_keras.io.text_tables import (
    EVENT_COLUMNS,
    NOT_A_NUMBER,
    decoded,
    event_in,
    first_words,
    name_key,
    split_table,
    warn_of_weights,
)
from phasenet_keras.types import FormatError

__all__ = ["LOCATION", "codes_of", "entries_of", "has_times"]

SNUFFLER_MAGIC = "# Snuffler Markers File Version"
# Columns of a table, in the order in which they are looked for; capitals do not matter.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "time": ("phase_time", "arrival_time", "pick_time", "peak_time", "time", "timestamp"),
    "phase": ("phase_type", "phase", "phase_hint", "type"),
    "station": ("station_id", "station", "station_code", "id", "trace_id", "seed_id", "sensor"),
    "network": ("network", "network_code"),
    "location": ("location", "location_code"),
    "event": EVENT_COLUMNS,
    # Of times that are hours, minutes and seconds alone.
    "date": ("date",),
    # Of both phases in one row; an empty cell is no arrival.
    "P": ("p_time", "p_arrival_time"),
    "S": ("s_time", "s_arrival_time"),
}
# What picks of a table may have beside these; the probability by phase where both are in one row.
PROBABILITY_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "": ("phase_score", "probability", "phase_prob", "prob", "peak_value", "score"),
    "P": ("p_probability", "p_prob", "tp_prob", "itp_prob", "itp_pred_prob"),
    "S": ("s_probability", "s_prob", "ts_prob", "its_prob", "its_pred_prob"),
}
OF_PICKS = {"file": FILE_COLUMNS, **{f"score{p}": n for p, n in PROBABILITY_COLUMNS.items()}}
ONE_A_ROW = ("station", "phase", "time")
# Columns of lists of events, where time, type and id are those of an event.
OF_EVENTS = {"id", "time", "type", "latitude", "longitude", "depth"}
PHASE_TIMES = ("P", "S")
NO_TIME = {"", "nat", *NOT_A_NUMBER}
# Of SEED, as `name_key` leaves it; a column of that name may hold words, such as names of places.
LOCATION = re.compile(r"(?!NA)[A-Z\d]{1,2}", re.IGNORECASE)
_CLOCK = re.compile(r"\d{1,2}:\d")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}$")
# Station, instrument, component, onset, phase, first motion, date, hour and minute, seconds, error
# (kind and size), coda, amplitude, period, and perhaps a weight before any location.
_NLLOC_LINE = re.compile(
    r"(?P<station>\S+)\s+\S+\s+\S+\s+\S+\s+(?P<phase>\S+)\s+\S+\s+"
    r"(?P<date>\d{8})\s+(?P<hour>\d{2})(?P<minute>\d{2})\s+(?P<second>\d+\.?\d*)\s+[A-Z]{3}\s"
    r"(?:\s*\S+){0,4}\s*(?P<weight>\S*)"
)


def entries_of(content: bytes, path: Path) -> Iterator[Entry]:
    r"""Return what a file says of each arrival; its format is recognised by its content.

    Args:
        content: of the whole file.
        path: its name, for messages and for events without a name.

    Raises:
        NoLabelsError: if it is of no known format.
        NoPicksError: if it is a catalogue without picks.
        FormatError: if it is damaged.

    Example:
        >>> table = b"station,phase,time\nXX.A,Pg,2020-01-01T00:00:10\n"
        >>> [entry] = entries_of(table, Path("picks.csv"))
        >>> entry.where, entry.network, entry.station, entry.phase
        ('row 1', 'XX', 'A', 'Pg')
    """
    text = decoded(content)
    if text.startswith(SNUFFLER_MAGIC):
        return _snuffler_entries(text)
    if _is_nlloc(text):
        return _nlloc_entries(text, path)
    try:
        table = _table_entries(text, path)
    except csv.Error as error:  # the first line of a Nordic file may have a number twice
        return _catalogue_or_raise(content, path, error)
    return catalogue_entries(content, path) if table is None else table


def codes_of(station: str) -> tuple[str, str]:
    """Split a SEED id, whole or the first part of one; a name without codes is a station's."""
    parts = station.split(".")
    return (parts[0], parts[1]) if 2 <= len(parts) <= 4 else ("", station)


def _snuffler_entries(text: str) -> Iterator[Entry]:
    """Read the phase markers; those without an event's hash find it by the event's time."""
    lines = [line.split() for line in text.splitlines()]
    events = {tuple(f[1:3]): f[4] for f in lines if f[:1] == ["event:"] and len(f) > 4}
    for number, fields in enumerate(lines, start=1):
        if fields and _DATE.match(fields[0]):  # a marker of no phase
            yield Entry(f"line {number}", " ".join(fields[:2]), "marker of no phase")
        if fields[:1] != ["phase:"]:
            continue
        where, time = f"line {number}", " ".join(fields[1:3])
        rest = fields[3:]
        if rest and _DATE.match(rest[0]):
            # A span: its end, and its length in seconds, which some writers leave out.
            rest = rest[3:] if rest[3:] and rest[3].isdigit() else rest[2:]
        if len(rest) < 6:
            yield Entry(where, " ".join(fields))
            continue
        _, stations, event, date, clock, phase = rest[:6]
        if event == "None":
            event = events.get((date, clock), "")
        ids = {(*codes_of(item), sensor_of(item)) for item in stations.split(",")}
        for network, station, sensor in sorted(ids):
            known = "" if station in ("None", "*") else station
            yield Entry(where, time, phase, network.replace("*", ""), known, event, 0, sensor)


def _is_nlloc(text: str) -> bool:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return bool(lines) and any(_NLLOC_LINE.match(line) for line in lines[:2])


def _nlloc_entries(text: str, path: Path) -> Iterator[Entry]:
    """Read the lines of phases; blank lines are between events, without them there are none."""
    from obspy import UTCDateTime

    lines = text.splitlines()
    blocks = _blocks_of_lines(lines)
    n_arrivals = sum(map(_is_phase_line, lines))
    is_of_events = 1 < max(blocks) < n_arrivals
    matches = [_NLLOC_LINE.match(line + " ") for line in lines]
    weights = [match["weight"] for match in matches if match]
    unused = {weight for weight in weights if _is_zero(weight)}
    unused = unused if len(unused) < len({*weights}) else set()
    for number, (line, block, match) in enumerate(zip(lines, blocks, matches, strict=True), 1):
        if not _is_phase_line(line):
            continue
        where = f"line {number}"
        if not match:
            yield Entry(where, line)
            continue
        try:
            # Seconds may be 60 or more: they count from the minute.
            minutes = 60 * int(match["hour"]) + int(match["minute"])
            time = UTCDateTime(match["date"]) + 60 * minutes + float(match["second"])
        except ValueError:
            yield Entry(where, match["date"])
            continue
        event = f"{path.stem}-{block}" if is_of_events else ""
        phase = f"{match['phase']} of weight 0" if match["weight"] in unused else match["phase"]
        yield Entry(where, time, phase, "", match["station"], event)


def _is_zero(text: str) -> bool:
    with suppress(ValueError):
        return float(text) == 0
    return False


def _is_phase_line(line: str) -> bool:
    return bool(line.strip()) and not line.startswith(("#", "PUBLIC_ID"))


def _blocks_of_lines(lines: Sequence[str]) -> list[int]:
    """Return for each line the number of its block, from 1; 0 before the first line of a phase."""
    numbers: list[int] = []
    block, is_new = 0, True
    for line in lines:
        if _is_phase_line(line):
            block += is_new
            is_new = False
        is_new = is_new or not line.strip()
        numbers.append(block)
    return numbers


def has_times(columns: Iterable[str]) -> bool:
    """Tell if a table has a column of arrivals by time.

    Example:
        >>> has_times(["station", "p_time"]), has_times(["station", "p_sample"])
        (True, False)
    """
    return any(set(columns) & set(COLUMNS[role]) for role in ("time", *PHASE_TIMES))


def _table_entries(text: str, path: Path) -> Iterator[Entry] | None:
    """Return what a table's rows say; None if this is no table of arrivals."""
    columns, rows = split_table(text)
    filled = list(filter(any, rows))
    found = {
        role: columns.index(next(name for name in known if name in columns))
        for role, known in {**COLUMNS, **OF_PICKS}.items()
        if set(known) & set(columns)
    }
    is_one_a_row = set(ONE_A_ROW) <= set(found)
    phases = [] if is_one_a_row else [phase for phase in PHASE_TIMES if phase in found]
    if not is_one_a_row and ("station" not in found or not phases):
        return None
    if is_one_a_row and {columns[found[role]] for role in ONE_A_ROW} < OF_EVENTS <= set(columns):
        raise no_picks(path, len(filled))
    warn_of_weights(path, columns, filled)
    return _row_entries(rows, found, phases, len(columns))


def _row_entries(
    rows: Iterable[Sequence[str]],
    columns: Mapping[str, int],
    phases: Sequence[str],
    n_cells: int,
) -> Iterator[Entry]:
    """Yield one arrival a row, or those of several phases, each in the column of its time."""
    for number, row in enumerate(rows, start=1):
        if not any(row):
            continue
        where = f"row {number}"
        if any(row[n_cells:]):  # a sign in a time or a name is one too many: all behind is moved
            where += f" has {len(row)} cells, the header {n_cells}"
            yield Entry(where, "", problem="quote those with a comma or blank in them")
            continue
        cells = {role: row[at] for role, at in columns.items() if at < len(row)}
        network, station = codes_of(cells.get("station", ""))
        location = name_key(cells.get("location", ""))
        has_location = location == "--" or LOCATION.fullmatch(location)
        sensor = sensor_of(cells.get("station", "")) or (
            sensor_of(f"..{location}.") if has_location else ""
        )
        network, event = network or cells.get("network", ""), event_in(cells, ("event",))
        if not phases:
            time, phase = _dated(cells, "time"), cells.get("phase", "")
            entry = Entry(where, time, phase, network, station, event, 0, sensor)
            yield replace(entry, file=cells.get("file", ""), score=cells.get("score", ""))
        for phase in phases:
            time, score = _dated(cells, phase), cells.get(f"score{phase}", "")
            if time.lower() not in NO_TIME:
                entry = Entry(where, time, phase, network, station, event, 0, sensor)
                yield replace(entry, file=cells.get("file", ""), score=score)


def _dated(cells: Mapping[str, str], role: str) -> str:
    """Return the time in a cell, with the date of the row where it has none."""
    time, date = cells.get(role, ""), cells.get("date", "")
    return f"{date}T{time}" if date and _CLOCK.match(time) else time


def _catalogue_or_raise(content: bytes, path: Path, error: csv.Error) -> Iterator[Entry]:
    """Yield the picks of a catalogue; what is none is a table that cannot be read, or a note."""
    try:
        yield from catalogue_entries(content, path)
    except NoLabelsError:
        is_table = first_words(content) & {name for names in COLUMNS.values() for name in names}
        raise (FormatError if is_table else NoLabelsError)(
            f"{path} is no readable table of arrivals: {error}. {ACCEPTED}"
        ) from error
