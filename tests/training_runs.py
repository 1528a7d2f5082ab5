"""Runs of training that tests make: records, a small network, settings."""

from __future__ import annotations

import keras
import numpy as np
from obspy import UTCDateTime

from phasenet_keras import PhaseNet, Preset, Waveform
from phasenet_keras.training.comparison import ZERO_SHOT, Run, RunResult
from phasenet_keras.training.config import TrainConfig
from phasenet_keras.training.picked import RecordTimes
from phasenet_keras.types import LabelledWaveform

CONFIG = TrainConfig(
    epochs=4, batch_size=4, windows_per_record=2, window_samples=256, shift_samples=64, seed=3
)


def onsets(count, first=0, phases="P", **fields):
    """Noise in which a decaying 10 Hz signal sets in."""
    records = []
    for n in range(first, first + count):
        rng = np.random.default_rng(n)
        data = 0.1 * rng.standard_normal((400, 1))
        at = int(rng.integers(100, 250))
        t = np.arange(400 - at) / 100.0
        data[at:, 0] += np.exp(-t) * np.cos(2 * np.pi * 10 * t)
        wave = Waveform(data, 100.0, UTCDateTime(0), ("Z",), f"S{n}")
        arrivals = {phase: (at,) if phase == "P" else () for phase in phases}
        records.append(LabelledWaveform(wave, arrivals, name=f"r{n}", **fields))
    return records


def small_parent(seed=1, depth=2):
    keras.utils.set_random_seed(seed)
    net = PhaseNet(channels="Z", depth=depth, filters_root=4)
    return net.with_preset(
        Preset(name="small", config=net.config, sampling_rate=100.0, window_samples=256)
    )


def same(one, two):
    a, b = one.get_weight_set(), two.get_weight_set()
    return all(np.array_equal(a[name], b[name]) for name in a)


def made(strategy, hits, n_records=64, n=20, seed=0):
    """Return a run of a comparison: of so many events a pick is at its label, or 2 s away."""
    times = tuple(RecordTimes(f"e{i}", (1.0,), (1.0 if i < hits else 3.0,)) for i in range(n))
    return RunResult(
        Run(strategy, 0 if strategy == ZERO_SHOT else n_records, 0, seed), {"P": times}
    )
