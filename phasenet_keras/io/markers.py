"""Picks for other programs: marker files of Snuffler, and QuakeML; `read_arrivals` reads both."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.io.arrival_formats import SNUFFLER_MAGIC, codes_of
from phasenet_keras.io.catalogs import Arrival
from phasenet_keras.io.tables import beside_then_rename
from phasenet_keras.types import ConfigError, FormatError, Pick

if TYPE_CHECKING:
    from obspy import UTCDateTime

__all__ = ["write_markers", "write_quakeml"]

VERSION = "0.2"
NO_VALUE = "None"
ANY = "*"
# Snuffler's colours go round after six kinds.
KINDS = range(6)
# Blanks separate the fields of a line, commas the ids; the rest would be patterns.
_NO_CODE = re.compile(r"[\s,*?\[\].]")


def write_markers(
    picks: Iterable[Pick | Arrival], path: str | PathLike[str], *, kinds: Sequence[int] = ()
) -> int:
    r"""Write picks as phase markers of Snuffler, pyrocko's trace viewer.

    A marker shows on all channels of its station: location and channel, where a station id does
    not say them, are patterns. Times have microseconds, the order is that of the picks.

    Args:
        picks: any number, also none. The event of an `Arrival` is written as its event's hash.
        path: of the file; it appears when it is complete.
        kinds: Snuffler's kind (colour) of each pick, 0 to 5; default 0 for all.

    Returns:
        The number of markers written.

    Raises:
        FormatError: for a station or an event whose name a marker file cannot hold.
        ConfigError: if there are not as many kinds as picks, or one is out of range.

    Example:
        >>> from obspy import UTCDateTime
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "a.markers"
        ...     _ = write_markers([Arrival(UTCDateTime(1.5), "P", "XX", "A")], path)
        ...     path.read_text().splitlines()[1].split()[:5]
        ['phase:', '1970-01-01', '00:00:01.500000', '0', 'XX.A.*.*']
    """
    picks = list(picks)
    kinds = list(kinds) or [0] * len(picks)
    if len(kinds) != len(picks) or not set(kinds) <= set(KINDS):
        raise ConfigError(
            f"kinds are whole numbers from 0 to {KINDS[-1]}, one a pick: received {len(kinds)} "
            f"for {len(picks)} picks"
        )
    lines = [_line(pick, kind) for pick, kind in zip(picks, kinds, strict=True)]
    with beside_then_rename(Path(path)) as file:
        file.write("\n".join([f"{SNUFFLER_MAGIC} {VERSION}", *lines]) + "\n")
    return len(lines)


def write_quakeml(picks: Iterable[Pick | Arrival], path: str | PathLike[str]) -> int:
    """Write picks as QuakeML: an event for each event named, one for all picks without any.

    Args:
        picks: any number, also none.
        path: of the file; it appears when it is complete.

    Returns:
        The number of picks written.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     write_quakeml([], Path(folder) / "picks.xml")
        0
    """
    from obspy.core.event import Catalog, Event, ResourceIdentifier, WaveformStreamID
    from obspy.core.event import Pick as QuakePick

    events: dict[str, Event] = {}
    count = 0
    for count, pick in enumerate(picks, start=1):
        name = _event_of(pick)
        if name not in events:
            safe = re.sub(r"[^\w.-]", "_", name or "picks")
            events[name] = Event(resource_id=ResourceIdentifier(f"smi:local/{safe}"))
        network, station, location, channel = _codes(pick)
        events[name].picks.append(
            QuakePick(
                resource_id=ResourceIdentifier(f"smi:local/pick/{count}"),
                time=pick.time,
                phase_hint=pick.phase,
                evaluation_mode="automatic",
                waveform_id=WaveformStreamID(
                    network_code=network,
                    station_code=station,
                    location_code=None if location == ANY else location,
                    channel_code=None if channel == ANY else channel.rstrip(ANY),
                ),
            )
        )
    with beside_then_rename(Path(path), "wb") as file:
        Catalog(events=list(events.values())).write(file, format="QUAKEML")
    return count


def _line(pick: Pick | Arrival, kind: int) -> str:
    ids, event = ".".join(_codes(pick)), _event_of(pick).replace(" ", "_") or NO_VALUE
    if re.search(r"\s", event):
        raise FormatError(f"an event's name in a marker file has no blanks, received {event!r}")
    # Event's hash and time, phase, polarity, and whether it was picked automatically.
    rest = f"{event:<14} {NO_VALUE} {NO_VALUE} {pick.phase:<8} {NO_VALUE} True"
    return f"phase: {_time(pick.time)}  {kind} {ids:<15} {rest}"


def _event_of(pick: Pick | Arrival) -> str:
    return pick.event if isinstance(pick, Arrival) else ""


def _codes(pick: Pick | Arrival) -> tuple[str, str, str, str]:
    """Return network, station, location and channel; patterns where they are not known."""
    location, channel = ANY, ANY
    if isinstance(pick, Arrival):
        network, station = pick.network, pick.station
    else:
        network, station = codes_of(pick.station)
        parts = pick.station.split(".")
        if len(parts) == 4:
            location, channel = parts[2], f"{parts[3]}{ANY}"
    if not station or _NO_CODE.search(station) or _NO_CODE.search(network):
        raise FormatError(
            f"a station in a marker file or a catalogue has a name without blanks, dots, commas "
            f"and *?[], received '{network}.{station}': rename it"
        )
    return network, station, location, channel


def _time(time: UTCDateTime) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S.%f")
