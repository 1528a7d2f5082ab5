"""Streams that tests cut, how they are picked as they come in, and when picks are the same."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from obspy import Stream, Trace, UTCDateTime

from phasenet_keras import Picker
from phasenet_keras.picking.station_stream import TraceStream

START = UTCDateTime("2020-02-03T04:05:06.789")


def trace_of(data, channel, begin=0, rate=100.0, **header):
    stats = {"network": "XX", "station": "AA", "channel": f"HH{channel}", "sampling_rate": rate}
    return Trace(data, {**stats, "starttime": START + begin / rate, **header})


def record(n_samples, seed=0, spikes=(), channels="ENZ", rate=100.0):
    """Integers, as digitisers give them."""
    rng = np.random.default_rng(seed)
    stream = Stream()
    for channel in channels:
        data = rng.normal(5000, 100, n_samples)
        for sample, height in spikes:
            data[sample % n_samples] += 3000 * height
        stream.append(trace_of(data.round().astype("int32"), channel, rate=rate))
    return stream


def cut(stream, cuts, gaps=()):
    """Cut every trace, each at places of its own, and leave out the gaps: time order."""
    rate = stream[0].stats.sampling_rate
    pieces = []
    for number, trace in enumerate(stream):
        n_samples = trace.stats.npts
        keep = np.ones(n_samples, bool)
        for channel, begin, length in gaps:
            if channel in (number, 3):
                keep[begin : begin + length] = False
        edges = {0, n_samples, *np.flatnonzero(keep[1:] != keep[:-1]) + 1}
        edges |= {(place * (number + 1)) % n_samples for place in cuts}
        edges = sorted(edges)
        pieces += [
            trace_of(trace.data[a:b].copy(), trace.stats.channel[-1], a, rate)
            for a, b in pairwise(edges)
            if keep[a] and b > a
        ]
    return Stream(sorted(pieces, key=lambda piece: piece.stats.starttime))


PICKERS = {}


def picker_of(net, core=131_072, **options):
    """One picker a network and options: making the fast form takes a second."""
    key = (id(net), repr(options))
    picker = PICKERS.setdefault(key, Picker(net, **options))
    picker.chunk_samples = core
    return picker


def run(picker, stream, per_feed=1, n_ahead=0):
    engine = TraceStream(picker)
    picks = []
    for begin in range(0, len(stream), per_feed):
        picks += engine.feed(stream[begin : begin + per_feed], n_ahead=n_ahead)
    return sorted(picks + engine.finish()), engine.take_stretches()


def assert_same(ours, whole):
    assert [(p.time, p.phase, p.sample, p.start_time) for p in ours] == [
        (p.time, p.phase, p.sample, p.start_time) for p in whole
    ]
    for one, other in zip(ours, whole, strict=True):
        assert one.probability == pytest.approx(other.probability, abs=1e-5)
        assert one.amplitude == pytest.approx(other.amplitude, rel=1e-6)
        assert one.snr_db == (None if other.snr_db is None else pytest.approx(other.snr_db))
        assert (one.station, one.units, one.preset) == (other.station, other.units, other.preset)
