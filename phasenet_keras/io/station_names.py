"""Stations of picks as codes that other programs take."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from phasenet_keras.io.arrival_formats import codes_of
from phasenet_keras.io.catalogs import Arrival
from phasenet_keras.io.registry import say
from phasenet_keras.io.wording import free_name, some
from phasenet_keras.types import FormatError, Pick

__all__ = ["ANY", "codes_of_pick", "with_plain_stations"]

ANY = "*"
# Blanks separate the fields of a line, commas the ids; the rest would be patterns.
_NO_CODE = re.compile(r"[\s,*?\[\].]")
# Also what would begin a comment, or be refused in XML.
_NOT_PLAIN = re.compile(r"[^\w-]")


def codes_of_pick(pick: Pick | Arrival) -> tuple[str, str, str, str]:
    """Return network, station, location and channel; patterns where they are not known.

    Raises:
        FormatError: for a name that files of codes cannot hold.

    Example:
        >>> from obspy import UTCDateTime
        >>> codes_of_pick(Pick(UTCDateTime(0), "CX.PB01..HH", "P", 0.9))
        ('CX', 'PB01', '', 'HH*')
    """
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


def with_plain_stations(picks: Iterable[Pick]) -> list[Pick]:
    """Return picks whose stations are codes of letters, digits, ``_`` and ``-``.

    Other characters become ``_``; two stations never become one.

    Warns:
        RecordWarning: that names were changed, and how.

    Example:
        >>> from obspy import UTCDateTime
        >>> import warnings
        >>> with warnings.catch_warnings(action="ignore"):
        ...     [pick] = with_plain_stations([Pick(UTCDateTime(0), "line 7 (west)", "P", 0.9)])
        >>> pick.station
        'line_7__west_'
    """
    picks = list(picks)
    names = sorted({pick.station for pick in picks})
    plain = {name: name for name in names if _plain(name) == name}
    for name in names:
        if name not in plain:
            plain[name] = free_name(_plain(name), plain.values())
    changed = [f"'{old}' is '{new}'" for old, new in plain.items() if old != new]
    if changed:
        say(f"stations are written as codes of letters, digits, _ and -: {some(changed)}")
    return [
        pick if plain[pick.station] == pick.station else replace(pick, station=plain[pick.station])
        for pick in picks
    ]


def _plain(name: str) -> str:
    network, station = codes_of(name)
    if (network, station) == ("", name):
        return _NOT_PLAIN.sub("_", name) or "_"
    parts = [_NOT_PLAIN.sub("_", part) for part in name.split(".")]
    return ".".join([parts[0], parts[1] or "_", *parts[2:]])
