"""Which traces of an archive are wanted: patterns of codes and a span of time."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.io.channels import are_sensors, component_prefix, seed_codes
from phasenet_keras.io.drift import slice_by_clock
from phasenet_keras.io.instruments import station_id
from phasenet_keras.io.registry import headers_of
from phasenet_keras.io.times import TIME_IN_WORDS, exact_time
from phasenet_keras.io.wording import some
from phasenet_keras.types import ConfigError, nearest_name

if TYPE_CHECKING:
    from obspy import Trace, UTCDateTime

    from phasenet_keras.io.instruments import Heard

__all__ = ["CODES", "Selection", "channel_of", "channels_in_names", "parse_time", "said_of_codes"]

CODES = ("network", "station", "location", "channel")
# NET.STA.LOC.CHAN.TYPE.YEAR.DOY, as the SeisComP data structure names its day files.
SDS_NAME = re.compile(r"^(\w*)\.(\w+)\.(\w*)\.(\w+)\.[A-Z]\.(\d{4})\.(\d{3})$")
DAY_S = 86_400.0
DAY_NS = 86_400 * 10**9
# So many files are opened to find what the codes of an archive are.
MOST_ASKED = 1000
EPOCH_DAY = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Selection:
    """Patterns (``*``, ``?``; several with commas) that codes must match, and a span of time.

    Attributes:
        network, station, location, channel: patterns; None takes all. A location of ``--`` is the
            empty one.
        start: UTC time of the first sample wanted.
        end: UTC time before which the samples wanted end.
        sensors: as `sensors_of` gives them, where more channels are known than are read together.

    Raises:
        ConfigError: if the span ends before it starts, or a pattern is no text.

    Example:
        >>> Selection(station="PB*", channel="HH?").takes_codes("CX", "PB01", "", "HHZ")
        True
    """

    network: str | None = None
    station: str | None = None
    location: str | None = None
    channel: str | None = None
    start: UTCDateTime | None = None
    end: UTCDateTime | None = None
    sensors: Mapping[tuple[str, str], str] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        for name in CODES:
            if not isinstance(getattr(self, name), str | None):
                raise ConfigError(
                    f"{name} is a pattern such as 'A*,B?', received {getattr(self, name)!r}"
                )
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ConfigError(
                f"--end is after --start, received {self.start} to {self.end}: nothing is between"
            )

    @property
    def is_all(self) -> bool:
        """True if nothing is left out."""
        return self == Selection()

    def takes_codes(self, network: str, station: str, location: str, channel: str) -> bool:
        """Tell if the codes of a trace match."""
        wanted = (self.network, self.station, self.location, self.channel)
        codes = (network, station, location, channel)
        return all(map(_matches, wanted, codes))

    def takes_channel(self, trace: Trace) -> bool:
        """Tell if the codes of a trace match, or its station's name where it has none."""
        return self.takes_codes(*_codes_of(trace))

    def takes_heard(self, heard: Heard) -> bool:
        """Tell if the codes of what is heard of match."""
        network, station, location, _ = seed_codes(heard.key[0])
        return self.takes_codes(network, station, location, heard.code)

    def sensors_of(self, channels: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Return what wanted channels are that count sensors: one that is wanted alone is a Z.

        Args:
            channels: station, as `station_id` gives it, and code of all that there are.

        Returns:
            Components by channel; empty where several of an instrument are wanted.

        Example:
            >>> there = [("XX.A..S0", f"S0{n}") for n in range(1, 8)]
            >>> Selection(channel="S05").sensors_of(there)
            {('XX.A..S0', 'S05'): 'Z'}
        """
        codes: dict[str, set[str]] = {}
        for station, code in channels:
            codes.setdefault(station, set()).add(code)
        found: dict[tuple[str, str], str] = {}
        for station, of_station in codes.items():
            if are_sensors(of_station):
                of_id = seed_codes(station)[:3]
                wanted = [code for code in of_station if self.takes_codes(*of_id, code)]
                component = "Z" if len(wanted) == 1 else ""
                found |= {(station, code): component for code in wanted}
        return found

    def knowing(self, channels: Iterable[tuple[str, str]]) -> Selection:
        """Return the selection with the sensors among all channels that there are.

        Example:
            >>> there = [("XX.A..S0", f"S0{n}") for n in range(1, 8)]
            >>> Selection(channel="S03").knowing(there).sensors
            {('XX.A..S0', 'S03'): 'Z'}
        """
        return replace(self, sensors=self.sensors_of(channels))

    def wanted_of(self, traces: Iterable[Trace]) -> list[Trace]:
        """Return the traces of those that were read together whose codes match."""
        return [trace for trace in self._settled(traces) if self.takes_channel(trace)]

    def _settled(self, traces: Iterable[Trace]) -> Iterator[Trace]:
        """Yield traces, those of counted sensors with their component: see `with_components`."""
        traces = list(traces)
        sensors = self.sensors
        if sensors is None:
            sensors = self.sensors_of(map(channel_of, traces))
        for trace in traces:
            component = sensors.get(channel_of(trace))
            if component is not None:
                trace = type(trace)(trace.data, trace.stats)  # the caller's own stays as it is
                trace.stats.of_component = component
            yield trace

    def takes_header(self, trace: Trace) -> bool:
        """Tell if something of a trace is wanted: of such codes, in the span of time."""
        is_early = self.start is not None and trace.stats.endtime < self.start
        is_late = self.end is not None and trace.stats.starttime >= self.end
        return self.takes_channel(trace) and not is_early and not is_late

    def by_name(self, paths: Iterable[Path]) -> list[Path]:
        """Return the files that may hold something wanted: all but SDS day files of others.

        Their names are believed, so that not 100,000 are opened. But of each channel the last one
        that begins before the span is taken, however long before: it may be of a month.

        Example:
            >>> names = [f"XX.A..HHZ.D.2024.{day:03d}" for day in (1, 32, 61, 99)] + ["b.mseed"]
            >>> wanted = Selection(start=parse_time("2024-03-05", "--start"))
            >>> [path.name for path in wanted.by_name(map(Path, names))]
            ['XX.A..HHZ.D.2024.061', 'XX.A..HHZ.D.2024.099', 'b.mseed']
        """
        paths = list(paths)
        if self.is_all:
            return paths
        first = -math.inf if self.start is None else self.start.ns / DAY_NS
        end = math.inf if self.end is None else self.end.ns / DAY_NS
        taken: set[int] = set()
        days: dict[tuple[str, ...], list[tuple[int, int]]] = {}
        for number, path in enumerate(paths):
            match = SDS_NAME.match(path.name)
            if match is None or match[5] == "0000" or not 1 <= int(match[6]) <= 366:
                taken.add(number)
            elif self.takes_codes(*match.group(1, 2, 3, 4)):
                day = date(int(match[5]), 1, 1).toordinal() - EPOCH_DAY + int(match[6]) - 1
                days.setdefault(match.group(1, 2, 3, 4), []).append((day, number))
        for of_channel in days.values():
            # Two folders may each have a file of the last day's name.
            last = max((day for day, _ in of_channel if day <= first), default=None)
            for day, number in of_channel:
                # Records reach over midnight.
                if day == last or (first <= day + 2 and day - 1 < end):
                    taken.add(number)
        return [path for number, path in enumerate(paths) if number in taken]

    def cut(self, traces: Iterable[Trace]) -> list[Trace]:
        """Return what is wanted of traces that were read together, cut to the span of time."""
        wanted = [trace for trace in self._settled(traces) if self.takes_header(trace)]
        if self.start is None and self.end is None:
            return wanted
        # The end is exclusive; ObsPy's is not.
        end = None if self.end is None else self.end - 1e-6
        parts = [slice_by_clock(trace, self.start, end) for trace in wanted]
        return [part for part in parts if part.stats.npts]


def channels_in_names(paths: Iterable[Path]) -> set[tuple[str, str]]:
    """Return the channels that names of SDS day files are of: station, without component, and code.

    Example:
        >>> channels_in_names([Path("XX.A..S05.D.2024.061"), Path("b.mseed")])
        {('XX.A..S0', 'S05')}
    """
    codes = {m.group(1, 2, 3, 4) for path in paths if (m := SDS_NAME.match(path.name))}
    return {(".".join((*of_id, component_prefix(code))), code) for *of_id, code in codes}


def said_of_codes(selection: Selection, paths: Iterable[Path]) -> str:
    """Say which code wanted is in none of the first thousand files, and the nearest that is.

    Returns:
        Of the first such code; empty where each is there, but not with the others, or not then.
    """
    found: set[tuple[str, ...]] = set()
    for path in islice(paths, MOST_ASKED):
        if match := SDS_NAME.match(path.name):
            found.add(match.group(1, 2, 3, 4))
        else:
            found |= {_codes_of(trace) for trace in headers_of(path)}
    for name, there in zip(CODES, map(set, zip(*found, strict=True)), strict=False):
        wanted = getattr(selection, name)
        if wanted is not None and not any(_matches(wanted, code) for code in there):
            known = sorted(code or "--" for code in there)
            hints = (nearest_name(item.strip(), known) for item in wanted.split(","))
            hint = next(filter(None, hints), f" There are {some(known)}")
            return f"no record is of {name} '{wanted}'.{hint}"
    return ""


def parse_time(text: str, option: str) -> UTCDateTime:
    """Return a time that a person gives, UTC.

    Raises:
        ConfigError: if it is none; it names the option.

    Example:
        >>> parse_time("2024-02-29", "--start")
        UTCDateTime(2024, 2, 29, 0, 0)
    """
    try:
        return exact_time(text)
    except ValueError as error:
        raise ConfigError(f"{option} should be {TIME_IN_WORDS}, received '{text}'") from error


def _codes_of(trace: Trace) -> tuple[str, str, str, str]:
    s = trace.stats
    return s.network, s.station or s.get("station_name", ""), s.location, s.channel


def channel_of(trace: Trace) -> tuple[str, str]:
    """Return the station of a trace, without component, and its code."""
    return station_id(trace), trace.stats.channel


def _matches(wanted: str | None, code: str) -> bool:
    if wanted is None:
        return True
    return any(
        fnmatchcase(code.upper(), "" if item == "--" else item.upper())
        for item in map(str.strip, wanted.split(","))
    )
