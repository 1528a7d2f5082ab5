"""Traces that tests make, and what became of them."""

from __future__ import annotations

import warnings

import numpy as np
from obspy import Stream, Trace, UTCDateTime

from phasenet_keras.io.waveforms import waveforms_of

START = UTCDateTime("2022-03-04T05:06:07.89")


def noise(n_samples, seed=0):
    return (1000 * np.random.default_rng(seed).standard_normal(n_samples)).astype("float32")


def trace(data, channel="HHZ", *, lag_s=0.0, rate=100.0, **codes):
    codes = {"network": "XX", "station": "AA", **codes}
    header = {"channel": channel, "sampling_rate": rate, "starttime": START + lag_s, **codes}
    return Trace(np.ma.array(data) if np.ma.isMA(data) else np.asarray(data), header)


def quietly(*traces):
    """Return the waveforms of traces; any warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return waveforms_of(Stream(traces))


def spans(waves):
    """Return channels, first sample after START at 100 Hz, and length of each waveform."""
    return [("".join(w.channels), round((w.start_time - START) * 100), w.n_samples) for w in waves]
