"""Which traces of an archive are wanted: patterns of codes and a span of time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.io.channels import seed_codes
from phasenet_keras.types import ConfigError

if TYPE_CHECKING:
    from obspy import Trace, UTCDateTime

    from phasenet_keras.io.instruments import Heard

__all__ = ["CODES", "Selection", "parse_time"]

CODES = ("network", "station", "location", "channel")
# NET.STA.LOC.CHAN.TYPE.YEAR.DOY, as the SeisComP data structure names its day files.
SDS_NAME = re.compile(r"^(\w*)\.(\w+)\.(\w*)\.(\w+)\.[A-Z]\.(\d{4})\.(\d{3})$")
DAY_S = 86_400.0


@dataclass(frozen=True)
class Selection:
    """Patterns (``*``, ``?``; several with commas) that codes must match, and a span of time.

    Attributes:
        network, station, location, channel: patterns; None takes all. A location of ``--`` is the
            empty one.
        start: UTC time of the first sample wanted.
        end: UTC time before which the samples wanted end.

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
        s = trace.stats
        return self.takes_codes(
            s.network, s.station or s.get("station_name", ""), s.location, s.channel
        )

    def takes_heard(self, heard: Heard) -> bool:
        """Tell if the codes of what is heard of match."""
        network, station, location, _ = seed_codes(heard.key[0])
        return self.takes_codes(network, station, location, heard.code)

    def takes_time(self, start: UTCDateTime, end: UTCDateTime) -> bool:
        """Tell if a span of time has a part in the one wanted."""
        too_early = self.start is not None and end < self.start
        return not too_early and not (self.end is not None and start >= self.end)

    def takes_header(self, trace: Trace) -> bool:
        """Tell if something of a trace is wanted."""
        return self.takes_channel(trace) and self.takes_time(
            trace.stats.starttime, trace.stats.endtime
        )

    def takes_name(self, path: Path) -> bool:
        """Tell if a file may hold something wanted, by its name: True but for SDS day files."""
        from obspy import UTCDateTime

        match = SDS_NAME.match(path.name)
        if match is None:
            return True
        *codes, year, day = match.groups()
        if not 1 <= int(day) <= 366:
            return True
        begin = UTCDateTime(int(year), 1, 1) + (int(day) - 1) * DAY_S
        # Records reach over midnight.
        near = self.takes_time(begin - DAY_S, begin + 2 * DAY_S)
        return near and self.takes_codes(*codes)

    def cut(self, trace: Trace) -> Trace | None:
        """Return what is wanted of a trace, None for nothing."""
        if not self.takes_header(trace):
            return None
        if self.start is None and self.end is None:
            return trace
        # The end is exclusive; ObsPy's is not.
        end = None if self.end is None else self.end - 1e-6
        part = trace.slice(self.start, end, nearest_sample=False)
        return part if part.stats.npts else None


def parse_time(text: str, option: str) -> UTCDateTime:
    """Return a time that a person gives, UTC.

    Raises:
        ConfigError: if it is none; it names the option.

    Example:
        >>> parse_time("2024-02-29", "--start")
        UTCDateTime(2024, 2, 29, 0, 0)
    """
    from obspy import UTCDateTime

    try:
        return UTCDateTime(text)
    except Exception as error:  # ObsPy raises what its parsing leads to
        raise ConfigError(
            f"{option} is a time such as 2024-02-29 or 2024-02-29T12:30:00, received '{text}'"
        ) from error


def _matches(wanted: str | None, code: str) -> bool:
    if wanted is None:
        return True
    return any(
        fnmatchcase(code.upper(), "" if item == "--" else item.upper())
        for item in map(str.strip, wanted.split(","))
    )
