"""Records that tests of the doctor make, and what its findings are called."""

from __future__ import annotations

import numpy as np
from obspy import UTCDateTime

from phasenet_keras import Waveform
from phasenet_keras.types import LabelledWaveform


def names(findings):
    return [finding.name for finding in findings]


def shots(count, first=0, **fields):
    """Noise in which a P of 10 Hz sets in, and a stronger S of 3 Hz after it."""
    records = []
    for n in range(first, first + count):
        rng = np.random.default_rng(n)
        data = 0.1 * rng.standard_normal((400, 1))
        p = int(rng.integers(100, 200))
        s = p + int(rng.integers(50, 90))
        for at, size, hertz in ((p, 1.0, 10), (s, 3.0, 3)):
            t = np.arange(400 - at) / 100.0
            data[at:, 0] += size * np.exp(-3 * t) * np.cos(2 * np.pi * hertz * t)
        wave = Waveform(data, 100.0, UTCDateTime(0), ("Z",), f"S{n}")
        records.append(LabelledWaveform(wave, {"P": (p,), "S": (s,)}, name=f"r{n}", **fields))
    return records


def relabelled(records, arrivals):
    """The records with other arrivals."""
    return [LabelledWaveform(r.waveform, arrivals(r.arrivals), name=r.name) for r in records]
