"""Channels of pressure (hydrophones, infrasound): a vertical only where a station has no other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from phasenet_keras.io.channels import (
    claims_of,
    components_of,
    is_of_seismometer,
    is_pressure,
    seed_codes,
)
from phasenet_keras.io.instruments import Heard, record_key
from phasenet_keras.io.registry import say

if TYPE_CHECKING:
    from obspy import Trace

    from phasenet_keras.io.blocks import Block
    from phasenet_keras.io.selection import Selection

__all__ = [
    "blocks_without_pressure",
    "heard_of",
    "pressure_left_out",
    "station_of",
    "without_pressure",
]


def without_pressure(traces: Sequence[Trace]) -> list[Trace]:
    """Return traces, those of pressure only where their station has no vertical.

    Warns:
        RecordWarning: for channels of pressure, whether they are left out or taken.

    Example:
        >>> from obspy import Stream, Trace
        >>> header = {"network": "XO", "station": "OBS1"}
        >>> codes = ("HDH", "HHZ")
        >>> stream = Stream(Trace(header={**header, "channel": code}) for code in codes)
        >>> import warnings
        >>> with warnings.catch_warnings(action="ignore"):
        ...     [trace.id for trace in without_pressure(stream)]
        ['XO.OBS1..HHZ']
    """
    if not any(is_pressure(trace.stats.channel) for trace in traces):
        return list(traces)
    heard = [heard_of(trace) for trace in traces]
    left_out = pressure_left_out(heard)
    return [trace for trace, item in zip(traces, heard, strict=True) if item not in left_out]


def heard_of(trace: Trace) -> Heard:
    """Return what there is of a trace, and when."""
    stats = trace.stats
    return Heard(record_key(trace), stats.channel, stats.starttime.ns, stats.endtime.ns)


def pressure_left_out(heard: Sequence[Heard]) -> frozenset[Heard]:
    """Return channels of pressure whose station has a vertical.

    Warns:
        RecordWarning: for channels of pressure, whether they are left out or taken.
    """
    left_out = _beside_verticals(heard)
    for text in _said_of(heard, left_out):
        say(text)
    return left_out


def blocks_without_pressure(
    files: Sequence[Sequence[Block]], selection: Selection
) -> tuple[list[list[Block]], list[str]]:
    """Leave out what is of pressure in the blocks of files, beside a vertical in any of them.

    Args:
        files: the blocks of each.
        selection: what is wanted; other channels do not count.

    Returns:
        The blocks of each file that are left, and what there is to say of channels of pressure.
    """
    heard = {
        item
        for blocks in files
        for block in blocks
        for item in block.codes
        if item.key[0] in block.stations and selection.takes_heard(item)
    }
    left_out = _beside_verticals(heard)
    found = []
    for blocks in files:
        kept = []
        for block in blocks:
            others = {item.key[0] for item in block.codes & heard - left_out}
            names = {item.key[0] for item in block.codes & left_out} - others
            if block.stations - names:
                kept.append(replace(block, stations=block.stations - names))
        found.append(kept)
    return found, _said_of(heard, left_out)


def _beside_verticals(heard: Iterable[Heard]) -> frozenset[Heard]:
    """Return channels of pressure whose station has a seismometer's vertical, at whatever time.

    Were it only near in time, what is picked would depend on how the files are cut.
    """
    heard = list(heard)
    pressure = [item for item in heard if is_pressure(item.code)]
    codes: dict[tuple[str, str], set[str]] = {}
    for item in heard:
        codes.setdefault(item.key[:2], set()).add(item.code)
    claims = {record: claims_of(sorted(found)) for record, found in codes.items()}
    with_vertical = {
        station_of(item)
        for item in heard
        if is_of_seismometer(item.code) and claims[item.key[:2]].get(item.code) == "Z"
    }
    return frozenset(item for item in pressure if station_of(item) in with_vertical)


def _said_of(heard: Iterable[Heard], left_out: frozenset[Heard]) -> list[str]:
    """Return what there is to say of channels of pressure: which are left out, which are taken."""
    pressure = {item for item in heard if is_pressure(item.code)}
    of_records: dict[tuple[str, str], set[str]] = {}
    for item in pressure - left_out:
        of_records.setdefault(item.key[:2], set()).add(item.code)
    # Of several channels of one instrument one is the vertical.
    taken = {code for codes in of_records.values() for code in components_of(sorted(codes))}
    return [
        f"{code} (pressure, as of a hydrophone) is left out where the station has a seismometer's "
        f"vertical; --channel {code} takes it alone"
        for code in sorted({item.code for item in pressure & left_out})
    ] + [
        f"{code} (pressure, as of a hydrophone) is taken as the vertical where the station has no "
        "other"
        for code in sorted(taken)
    ]


def station_of(heard: Heard) -> tuple[str, str, str]:
    """Return network and station code, and the file of a record that has no time."""
    name, record, _ = heard.key
    network, station, _, _ = seed_codes(name)
    return network, station, record
