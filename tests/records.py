"""Records that tests make."""

from __future__ import annotations

import numpy as np
from obspy import Stream, Trace, UTCDateTime

from phasenet_keras import Waveform
from phasenet_keras.data.moving import mirrored_end, normalize_parts, normalize_whole
from phasenet_keras.data.scaling import Statistics
from phasenet_keras.types import LabelledWaveform

START = UTCDateTime("2021-05-06T07:08:09")


def write_station(
    path, station="AA", up=(1000,), channels="ENZ", n_samples=4000, height=30.0, **header
):
    rng = np.random.default_rng(0)
    stream = Stream()
    for channel in channels:
        data = 0.05 * rng.standard_normal(n_samples)
        data[list(up)] += height
        stats = {"network": "XX", "station": station, "channel": f"HH{channel}"}
        stream.append(Trace(data, {**stats, "sampling_rate": 100.0, "starttime": START, **header}))
    stream.write(str(path), format="MSEED")
    return str(path)


def past_headers(events):
    """Go through the events of an archive up to its first progress of picking; return that."""
    return next(event for event in events if getattr(event, "what", "") == "picking")


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def normalize(data):
    return normalize_whole(data)[0]


def normalize_moving(data, window_samples):
    """Return what the official code's moving normalisation does, to records of any length."""
    half = window_samples // 2
    if data.shape[0] <= half:
        return normalize(data)
    parts = [data[: data.shape[0] // half * half], mirrored_end(data, half)]
    normalized, _, _ = normalize_parts(parts, half, Statistics.of_none(data.shape[1]), is_end=True)
    return normalized[: data.shape[0]]


def records_with_spikes():
    """Ten records of 30 s: P right in eight, two samples late in one, missed in one; one decoy."""
    records = []
    for n in range(10):
        data = 0.05 * np.random.default_rng(n).standard_normal((3000, 3))
        at = 1000 + 10 * n
        if n != 4:
            data[at + 2 * (n == 3)] = 0.25
        if n == 5:
            data[2500] = 0.212
        wave = Waveform(data, 100.0, UTCDateTime(1000 * n), ("E", "N", "Z"), "XX.A..HH")
        record = LabelledWaveform(
            wave, {"P": (at,), "S": ()}, name=f"r{n}", event=f"e{n // 2}", split="test"
        )
        records.append(record)
    return records
