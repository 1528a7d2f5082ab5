"""Files of arrivals as other programs write them: what each line says, not yet checked."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.types import FormatError

if TYPE_CHECKING:
    from obspy import UTCDateTime
    from obspy.core.event import Event, Pick

__all__ = ["Entry", "codes_of", "entries_of"]

SNUFFLER_MAGIC = "# Snuffler Markers File Version"
# Columns of a table, in the order in which they are looked for; capitals do not matter.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "time": ("phase_time", "time", "arrival_time", "pick_time", "timestamp"),
    "phase": ("phase_type", "phase", "phase_hint", "type"),
    "station": ("station_id", "station", "station_code", "id"),
    "network": ("network", "network_code"),
    "event": ("event", "event_id", "event_index"),
}
NEEDED_COLUMNS = ("station", "phase", "time")

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}$")
_GENERATED_ID = re.compile(r"smi:local/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Station, instrument, component, onset, phase, first motion, date, hour and minute, seconds.
_NLLOC_LINE = re.compile(
    r"(?P<station>\S+)\s+\S+\s+\S+\s+\S+\s+(?P<phase>\S+)\s+\S+\s+"
    r"(?P<date>\d{8})\s+(?P<hour>\d{2})(?P<minute>\d{2})\s+(?P<second>\d+\.?\d*)\s+[A-Z]{3}\s"
)


@dataclass(frozen=True)
class Entry:
    """What a file says of one arrival, before it is checked; ``rank`` as in `Arrival`."""

    where: str
    time: UTCDateTime | str
    phase: str = ""
    network: str = ""
    station: str = ""
    event: str = ""
    rank: int = 0


def entries_of(content: bytes, path: Path) -> Iterator[Entry]:
    r"""Return what a file says of each arrival; its format is recognised by its content.

    Args:
        content: of the whole file.
        path: its name, for messages and for events without a name.

    Raises:
        FormatError: if it is of no known format, or a catalogue without picks.

    Example:
        >>> table = b"station,phase,time\nXX.A,Pg,2020-01-01T00:00:10\n"
        >>> [entry] = entries_of(table, Path("picks.csv"))
        >>> entry.where, entry.network, entry.station, entry.phase
        ('row 1', 'XX', 'A', 'Pg')
    """
    text = content.decode("utf-8-sig", errors="replace")
    if text.startswith(SNUFFLER_MAGIC):
        return _snuffler_entries(text)
    if _is_nlloc(text):
        return _nlloc_entries(text)
    columns = _columns(text)
    if columns is not None:
        return _table_entries(text, columns, path)
    return _catalogue_entries(content, path)


def codes_of(station: str) -> tuple[str, str]:
    """Split a SEED id, whole or the first part of one; a name without codes is a station's."""
    parts = station.split(".")
    return (parts[0], parts[1]) if 2 <= len(parts) <= 4 else ("", station)


def _snuffler_entries(text: str) -> Iterator[Entry]:
    """Read the phase markers; those without an event's hash find it by the event's time."""
    lines = [line.split() for line in text.splitlines()]
    events = {tuple(f[1:3]): f[4] for f in lines if f[:1] == ["event:"] and len(f) > 4}
    for number, fields in enumerate(lines, start=1):
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
        for network, station in sorted({codes_of(item) for item in stations.split(",")}):
            known = "" if station in ("None", "*") else station
            yield Entry(where, time, phase, network.replace("*", ""), known, event)


def _is_nlloc(text: str) -> bool:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return bool(lines) and any(_NLLOC_LINE.match(line) for line in lines[:2])


def _nlloc_entries(text: str) -> Iterator[Entry]:
    from obspy import UTCDateTime

    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith(("#", "PUBLIC_ID")):
            continue
        where, match = f"line {number}", _NLLOC_LINE.match(line + " ")
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
        yield Entry(where, time, match["phase"], "", match["station"])


def _columns(text: str) -> dict[str, int] | None:
    """Return the place of each column, None if this is no table of arrivals."""
    names = [name.strip(' "').lower() for name in _header(text).split(_delimiter(text))]
    found = {
        role: names.index(next(name for name in known if name in names))
        for role, known in COLUMNS.items()
        if set(known) & set(names)
    }
    return found if set(NEEDED_COLUMNS) <= set(found) else None


def _delimiter(text: str) -> str:
    return max(",;\t", key=_header(text).count)


def _header(text: str) -> str:
    return text.split("\n", 1)[0].rstrip("\r")


def _table_entries(text: str, columns: Mapping[str, int], path: Path) -> Iterator[Entry]:
    try:
        rows = [row for row in csv.reader(text.splitlines(), delimiter=_delimiter(text)) if row]
    except csv.Error as error:
        raise FormatError(f"{path} is no readable table of arrivals: {error}") from error
    for number, row in enumerate(rows[1:], start=1):
        cells = {role: row[at].strip() for role, at in columns.items() if at < len(row)}
        network, station = codes_of(cells.get("station", ""))
        yield Entry(
            where=f"row {number}",
            time=cells.get("time", ""),
            phase=cells.get("phase", ""),
            network=network or cells.get("network", ""),
            station=station,
            event=cells.get("event", ""),
        )


def _catalogue_entries(content: bytes, path: Path) -> Iterator[Entry]:
    from obspy import read_events

    try:
        # As a file object: a path would be a pattern to ObsPy.
        catalogue = read_events(io.BytesIO(content))
    except Exception as error:  # a damaged file may make any library raise anything
        table = "; ".join(f"{role}: {', '.join(COLUMNS[role])}" for role in NEEDED_COLUMNS)
        raise FormatError(
            f"{path} is no file of arrivals known here. Accepted are catalogues that ObsPy reads "
            "(QuakeML, SeisComP, Nordic, NonLinLoc, …), NonLinLoc observations, Snuffler marker "
            f"files, and tables with columns {table}. It begins with {content[:40]!r}"
        ) from error
    if not any(event.picks for event in catalogue):
        raise FormatError(
            f"{path} holds {len(catalogue)} events and no picks: ask for them when you download "
            "a catalogue (includearrivals=true)"
        )
    for number, event in enumerate(catalogue, start=1):
        # ObsPy invents another id at every reading where the file has none.
        name = str(event.resource_id)
        for generated in _GENERATED_ID.findall(name):
            name = name.replace(generated, f"{path.stem}-{number}")
        located = {
            str(arrival.pick_id): arrival.phase
            for origin in event.origins
            for arrival in origin.arrivals
        }
        preferred = _preferred(event)
        for count, pick in enumerate(event.picks, start=1):
            phase = pick.phase_hint or located.get(str(pick.resource_id)) or ""
            if pick.evaluation_status == "rejected":
                phase = f"{phase} rejected"
            seed, where = pick.waveform_id, f"event {number}, pick {count}"
            network, station = (seed.network_code, seed.station_code) if seed else ("", "")
            # Some formats write blanks for a code that is not known, ObsPy's GSE2 reader XX.
            network = (network or "").strip()
            if network == "XX" and getattr(event, "_format", "") == "GSE2":
                network = ""
            station = (station or "").strip()
            rank = _rank(pick, preferred)
            yield Entry(where, pick.time or "", phase, network, station, name, rank)


def _preferred(event: Event) -> set[str]:
    """Return the picks of the preferred origin, or of the only one."""
    wanted = str(event.preferred_origin_id)
    origins = [origin for origin in event.origins if str(origin.resource_id) == wanted]
    if not origins and len(event.origins) == 1:
        origins = event.origins
    return {str(arrival.pick_id) for origin in origins for arrival in origin.arrivals}


def _rank(pick: Pick, preferred: set[str]) -> int:
    """Count a manual pick before others, then one of the preferred origin."""
    return 2 * (pick.evaluation_mode != "manual") + (str(pick.resource_id) not in preferred)
