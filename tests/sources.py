"""Sources of labelled records that tests make, and the command that takes them."""

from __future__ import annotations

import numpy as np
from obspy import Trace, UTCDateTime

from phasenet_keras import Waveform
from phasenet_keras.cli import main
from phasenet_keras.io.labels.hdf5 import hdf5_parts
from phasenet_keras.io.parts import BadRow
from phasenet_keras.io.seisbench import read_dataset
from phasenet_keras.types import LabelledWaveform

T0 = UTCDateTime("2020-01-01T00:00:00")


def noise(seed, n_samples=400, n_channels=1):
    return np.random.default_rng(seed).standard_normal((n_samples, n_channels)).astype("f4")


def run(*arguments):
    return main(["prepare", *map(str, arguments)])


def by_name(folder):
    return {record.name: record for record in read_dataset(folder)}


def splits_of(records, key):
    found = {}
    for record in records:
        found.setdefault(key(record), set()).add(record.split)
    return found


def read_hdf5(path):
    """Return the records of a file, and the bad ones."""
    items = [item for part in hdf5_parts(path) for item in part()]
    bad = [item for item in items if isinstance(item, BadRow)]
    return [item for item in items if item not in bad], bad


def write_text_files(folder, names):
    folder.mkdir()
    for seed, name in enumerate(names):
        lines = (f"{k / 2000:.4f} {v:.5f}" for k, v in enumerate(noise(seed)[:, 0]))
        (folder / name).write_text("\n".join(lines) + "\n")


def labelled(number, **fields):
    wave = Waveform(noise(number, 300, 3), 100.0, T0 + 1000 * number, tuple("ENZ"), "XX.A..HH")
    return LabelledWaveform(wave, {"P": (number,)}, name=f"r{number}", **fields)


def write_stations(folder, file_format="MSEED", stations="ABCD", seconds=60):
    """One file a channel; returns the arrivals: an event a minute, seen at each station."""
    folder.mkdir()
    for n, station in enumerate(stations):
        for channel in ("HHE", "HHN", "HHZ"):
            trace = Trace(noise(n * 3 + ord(channel[-1]), seconds * 100)[:, 0])
            trace.stats.update({"network": "XX", "station": station, "channel": channel})
            trace.stats.update({"sampling_rate": 100.0, "starttime": T0 + 1000 * n})
            trace.write(str(folder / f"{station}.{channel}"), format=file_format)
    return {
        (station, phase): T0 + 1000 * n + at
        for n, station in enumerate(stations)
        for phase, at in (("P", 10.254), ("S", 14.0))
    }
