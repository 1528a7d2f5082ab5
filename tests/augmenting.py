"""Records that tests of augmentations make."""

from __future__ import annotations

import numpy as np
from obspy import UTCDateTime

from phasenet_keras.data.pool import RecordPool
from phasenet_keras.types import LabelledWaveform, Waveform

PHASES = ("N", "P", "S")
CHANNELS = ("E", "N", "Z")


def labelled(data, arrivals, channels=CHANNELS):
    wave = Waveform(data, 100.0, UTCDateTime(0), channels[-data.shape[1] :], "A")
    return LabelledWaveform(wave, arrivals)


def record(arrivals=None, n_samples=2000, n_channels=3, seed=0):
    data = np.random.default_rng(seed).standard_normal((n_samples, n_channels))
    return labelled(data, {"P": (900,), "S": (1100.5,)} if arrivals is None else arrivals)


def pool(*records, channels=CHANNELS, mask_unknown=True):
    return RecordPool(records, channels, PHASES, mask_unknown)


def rng(seed=0):
    return np.random.default_rng(seed)


def spikes(*samples, n_samples=600, height=1.0):
    data = np.zeros((n_samples, 1), np.float32)
    data[list(samples)] = height
    return data
