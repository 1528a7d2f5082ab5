"""A day of continuous record with arrivals at known times, and how many of them are found."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from obspy import Stream, Trace, UTCDateTime

__all__ = ["RATE_HZ", "TOLERANCES_S", "build_day", "recall"]

RATE_HZ = 100
START = UTCDateTime("2024-01-01")
NOISE_STD, NOISE_SAMPLES, TAPER_SAMPLES = 200.0, 2500, 200
INTERVAL_S = 180
TOLERANCES_S = (0.1, 0.5)


def build_day(data: Path, hours: float, path: Path) -> list[tuple[str, float]]:
    """Write the day; return phase and time in seconds of the inserted arrivals."""
    from scipy.signal import lfilter

    rng = np.random.default_rng(0)
    n_samples = round(hours * 3600 * RATE_HZ)
    # Noise of the earth is red: each sample remembers the one before.
    day = lfilter([1.0], [1.0, -0.8], rng.standard_normal((3, n_samples)))
    day *= NOISE_STD / day.std()
    arrivals = []
    with (data / "ncedc" / "waveform.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for number, begin_s in enumerate(range(10, round(hours * 3600) - 100, INTERVAL_S)):
        row = rows[number % len(rows)]
        record = np.load(data / "ncedc" / "waveform" / row["fname"])["data"].astype(np.float64)
        begin = begin_s * RATE_HZ + int(rng.integers(0, 60 * RATE_HZ))
        end = min(begin + len(record), n_samples)
        day[:, begin:end] += _inserted(record)[:, : end - begin]
        for phase, name in (("P", "itp"), ("S", "its")):
            if begin + float(row[name]) < end:
                arrivals.append((phase, (begin + float(row[name])) / RATE_HZ))
    header = {"network": "XX", "station": "DAY", "sampling_rate": float(RATE_HZ)}
    traces = [
        Trace(channel.round().astype("int32"), {**header, "starttime": START, "channel": f"HH{c}"})
        for channel, c in zip(np.clip(day, -(2**30), 2**30), "ENZ", strict=True)
    ]
    Stream(traces).write(str(path), format="MSEED", reclen=4096, encoding="STEIM2")
    return arrivals


def _inserted(record: np.ndarray) -> np.ndarray:
    """Return ``(channels, samples)``, scaled to the day's noise, its ends let down to zero."""
    record = record.T - record.mean(axis=0)[:, None]
    level = record[:, :NOISE_SAMPLES].std(axis=1).max()
    ramp = np.sin(np.linspace(0, np.pi / 2, TAPER_SAMPLES)) ** 2
    record[:, :TAPER_SAMPLES] *= ramp
    record[:, -TAPER_SAMPLES:] *= ramp[::-1]
    return record * (NOISE_STD / level)


def recall(picks: list[tuple[str, float]], arrivals: list[tuple[str, float]], phase: str) -> str:
    times = np.sort([time for of, time in picks if of == phase] or [np.inf])
    wanted = np.array([time for of, time in arrivals if of == phase])
    after = np.searchsorted(times, wanted).clip(1, max(1, len(times) - 1))
    near = np.minimum(abs(times[after - 1] - wanted), abs(times[after % len(times)] - wanted))
    return " / ".join(f"{np.mean(near <= tolerance + 1e-6):.3f}" for tolerance in TOLERANCES_S)
