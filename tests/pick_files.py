"""Picks that tests write, and files of picks read as a stranger would."""

from __future__ import annotations

import csv
from pathlib import Path

from obspy import UTCDateTime, read_events

from phasenet_keras import Pick, read_picks
from phasenet_keras.io.catalogs import read_arrivals
from phasenet_keras.io.pick_formats import (
    pick_format_of,
    pick_formats,
)

T0 = UTCDateTime("2020-01-01T00:00:00.123")
NAMES = [item.name for item in pick_formats()]
FULL = Pick(
    T0 + 13.04, "CX.PB01..HH", "P", 0.98765432, 1234.5678, "m/s", "ncedc", 1304, 100.0, T0, "a.ms",
    12.345,
)  # fmt: skip


def usual(name, folder):
    return folder / f"picks{pick_format_of(Path('x'), name).endings[0]}"


def times_and_stations(path, name):
    """Read a file as a stranger would: no code of ours for what a library reads."""
    if name in ("csv", "parquet"):
        return [(pick.time, pick.station, pick.phase) for pick in read_picks(path, name)]
    if name in ("gamma", "pyocto"):
        with path.open(newline="") as file:
            rows = [tuple(row.values()) for row in csv.DictReader(file)]
        if name == "gamma":
            return [(UTCDateTime(time), at, phase.upper()) for at, time, _, phase in rows]
        return [(UTCDateTime(float(time)), at, phase) for at, phase, time in rows]
    if name == "quakeml":
        picks = [pick for event in read_events(str(path)) for pick in event.picks]
        return [(p.time, p.waveform_id.station_code, p.phase_hint) for p in picks]
    if not path.read_text():
        return []
    return [(item.time, item.station, item.phase) for item in read_arrivals(path)]
