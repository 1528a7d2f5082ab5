"""Records picked as they come in, against the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from obspy import Stream, read
from streams import START, assert_same, cut, picker_of, record, run, trace_of

from phasenet_keras.io.assembly import Assembler
from phasenet_keras.picking.peaks import PeakFinder, detect_peaks
from phasenet_keras.picking.station_stream import TraceStream

QUICK = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def decided_by_rounding(peaks, threshold, distance_s, rounding=5e-7):
    """Whether two runs that differ by rounding may pick differently: of all peaks, near and low."""
    for phase in "PS":
        of_phase = [peak for peak in peaks if peak.phase == phase]
        time_s = np.array([peak.time - START for peak in of_phase])
        height = np.array([peak.probability for peak in of_phase])
        apart_s = np.abs(time_s[:, None] - time_s)
        rivals = (apart_s > 0) & (apart_s <= distance_s + 0.01)
        if np.any(np.abs(height - threshold) < rounding) or np.any(
            rivals & (np.abs(height[:, None] - height) < rounding)
        ):
            return True
    return False


SPIKES = st.lists(
    st.tuples(st.integers(0, 30_000), st.sampled_from([-1.3, -1, 0.7, 1, 1.2])), max_size=12
)


CUTS = st.lists(st.integers(1, 30_000), max_size=12)


GAPS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 30_000), st.sampled_from([1, 3, 200, 300, 4000])),
    max_size=4,
)


@QUICK
@given(
    n_samples=st.integers(10, 30_000),
    spikes=SPIKES,
    cuts=CUTS,
    gaps=GAPS,
    core=st.sampled_from([256, 1024, 5000, 131_072]),
    per_feed=st.integers(1, 5),
    n_ahead=st.sampled_from([0, 3, 8]),
    seed=st.integers(0, 9),
)
def test_any_cut_gives_the_picks_of_the_whole(
    spike_net, n_samples, spikes, cuts, gaps, core, per_feed, n_ahead, seed
):
    stream = record(n_samples, seed, spikes)
    pieces = cut(stream, cuts, gaps)
    if pieces:
        ours, stretches = run(picker_of(spike_net, core), pieces, per_feed, n_ahead)
        assert_same(ours, picker_of(spike_net).pick(cut(stream, [], gaps)))
        assert sum(sum(s.counts.values()) for s in stretches) == len(ours)
        assert all(bool(s.counts) != bool(s.reason) for s in stretches)


@settings(max_examples=12)
@given(
    n_samples=st.integers(3001, 25_000),
    cuts=CUTS,
    gaps=GAPS,
    core=st.sampled_from([256, 2048, 131_072]),
    distance=st.sampled_from([0.0, 0.5, 3.0]),
)
def test_a_random_network_has_many_picks(random_net, n_samples, cuts, gaps, core, distance):
    """Peaks everywhere, near the threshold and near each other."""
    options = {"thresholds": {"P": 0.55, "S": 0.55}, "min_distance_s": distance}
    stream = record(n_samples, n_samples)
    lower = {"thresholds": {"P": 0.5499, "S": 0.5499}, "min_distance_s": 0.0}
    peaks = picker_of(random_net, **lower).pick(cut(stream, [], gaps))
    assume(not decided_by_rounding(peaks, 0.55, distance))
    ours, _ = run(picker_of(random_net, core, **options), cut(stream, cuts, gaps))
    whole = picker_of(random_net, **options).pick(cut(stream, [], gaps))
    assert gaps or len(whole) > 5
    assert_same(ours, whole)


@settings(max_examples=10)
@given(cuts=CUTS, rate=st.sampled_from([40.0, 200.0, 99.7, 75.19]), seed=st.integers(0, 9))
def test_resampled_records(spike_net, cuts, rate, seed):
    stream = record(20_000, seed, [(3000, 20), (9000, -20), (15_000, 20)], rate=rate)
    ours, _ = run(picker_of(spike_net), cut(stream, cuts))
    whole = picker_of(spike_net).pick(stream)
    assert len(whole) >= 3
    assert_same(ours, whole)


@settings(max_examples=15)
@given(cuts=CUTS, dead=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 20_000)), max_size=4))
def test_channels_that_are_dead_in_part(spike_net, cuts, dead):
    stream = record(20_000, 1, [(4000, 1), (12_000, 1), (19_000, -1)])
    for channel, begin in dead:
        stream[channel].data[begin : begin + 8000] = 12
    ours, _ = run(picker_of(spike_net, 2048), cut(stream, cuts))
    assert_same(ours, picker_of(spike_net).pick(stream))


@pytest.mark.parametrize("rate", [100.0, 75.19])
def test_whole_numbers_are_kept_as_they_are_up_to_the_largest(spike_net, rate):
    """Differences of int32 that do not fit into int32; a float trace may follow at any time."""
    stream = record(20_000, 0, rate=rate)
    for trace in stream:
        trace.data[:] *= 100_000
        trace.data[[5000, 13_000]] = np.iinfo(np.int32).min, np.iinfo(np.int32).max
    floats = stream.copy()
    for trace in floats:
        trace.data = trace.data.astype(np.float64)
    ours, _ = run(picker_of(spike_net), cut(stream, [6000, 11_000]))
    whole, _ = run(picker_of(spike_net), cut(floats, [6000, 11_000]))
    pieces = cut(stream, [6000, 11_000])
    for trace in pieces[4:]:
        trace.data = trace.data.astype(np.float64)
    mixed, _ = run(picker_of(spike_net), pieces)
    assert len(whole) >= 2
    assert max(pick.amplitude for pick in whole) > 2.4e9
    assert ours == whole == mixed


def test_what_is_held_of_whole_numbers_is_int32():
    pairs = [(trace, trace.stats.channel[-1]) for trace in record(1000)]
    assembler = Assembler("XX.AA..HH")
    [piece] = assembler.feed(pairs, START + 10.0)
    assert piece.data.dtype == np.int32
    assert np.array_equal(piece.data[:, 0], pairs[0][0].data[:998])
    after = trace_of(np.full(4000, 0.25, np.float32), "Z", 1000)
    rest = [*assembler.feed([(after, "Z")], None), *assembler.finish()]
    assert np.array_equal(rest[0].data[:, 2], pairs[2][0].data[998:])
    assert rest[-1].channels == ("Z",)
    assert rest[-1].data.dtype == np.float64
    assert (rest[-1].data == 0.25).all()


def test_ratios_whose_window_is_longer_than_the_networks(make_net):
    """What is kept for them: 300 samples to each side, the network's half window is 128."""
    net = make_net(window_samples=256)
    stream = record(6000, 0, [(310, 1), (2000, 1), (5000, -1), (5990, 1)])
    ours, _ = run(picker_of(net, 256), cut(stream, range(100, 2000, 37)))
    whole = picker_of(net).pick(stream)
    assert [pick.snr_db is None for pick in whole] == [False, False, False, True]
    assert_same(ours, whole)


def test_a_dead_record_has_no_picks_and_says_so(spike_net):
    stream = record(20_000)
    for trace in stream:
        trace.data[:] = 7
    ours, [stretch] = run(picker_of(spike_net), cut(stream, [5000]))
    assert ours == []
    assert "dead" in stretch.reason


@pytest.mark.parametrize("channels", ["Z", "12Z", "321", "NE"])
def test_other_sets_of_channels(spike_net, channels):
    stream = record(9000, 2, [(4000, 2), (6000, -2)], channels)
    ours, _ = run(picker_of(spike_net), cut(stream, [1000, 5000]), per_feed=len(channels))
    assert_same(ours, picker_of(spike_net).pick(stream))


def test_what_cannot_be_run_is_counted_and_does_not_stop_the_rest(spike_net):
    slow = record(4000, rate=1.0)
    for trace in slow:
        trace.stats.station = "SLOW"
    both = Stream(sorted(slow + record(4000, 0, [(1000, 1)]), key=lambda t: t.stats.starttime))
    ours, stretches = run(picker_of(spike_net), both)
    assert [(pick.station, pick.sample) for pick in ours] == [("XX.AA..HH", 1000)]
    assert {s.station: s.failed for s in stretches} == {"XX.AA..HH": False, "XX.SLOW..HH": True}
    assert [s.n_samples for s in stretches] == [4000, 4000]


def test_picks_come_as_soon_as_they_are_certain_and_little_is_held(spike_net):
    stream = record(60_000, 0, [(4000, 1), (50_000, 1)])
    pieces = cut(stream, range(0, 20_000, 500))
    engine = TraceStream(picker_of(spike_net, 1024))
    seen = []
    for piece in pieces:
        picks = engine.feed([piece])
        seen += [(pick.sample, piece.stats.starttime - START) for pick in picks]
    assert seen[0][0] == 4000
    assert seen[0][1] < 150
    assert seen[-1][0] == 50_000
    assert engine.finish() == []


@settings(max_examples=200)
@given(
    values=st.lists(st.integers(-9999, 9999), max_size=80, unique=True),
    cuts=st.lists(st.integers(0, 80), max_size=6),
    mpd=st.sampled_from([-2, 0, 1, 2, 3, 10]),
)
def test_peaks_in_pieces(values, cuts, mpd):
    x = np.array(values, float)
    finder = PeakFinder(-5000, mpd)
    found = []
    for piece in np.split(x, sorted(min(place, len(x)) for place in cuts)):
        oldest = finder.oldest
        new = finder.feed(piece)
        assert all(sample >= oldest for sample, _ in new)
        found += new
    oldest = finder.oldest
    new = finder.finish()
    assert all(sample >= oldest for sample, _ in new)
    found += new
    assert sorted(sample for sample, _ in found) == detect_peaks(x, mph=-5000, mpd=mpd).tolist()
    assert finder.highest == max(values, default=-np.inf)


@pytest.mark.shared
@pytest.mark.parametrize("core", [256, 131_072])
def test_official_weights(ncedc, core):
    stream = read()
    long = Stream()
    for trace in stream:
        data = np.tile(trace.data, 7) + np.random.default_rng(0).normal(0, 5, 21_000)
        long.append(trace_of(data.round().astype("int32"), trace.stats.channel[-1]))
    ours, _ = run(picker_of(ncedc, core), cut(long, [2000, 2345, 9000, 15_001]))
    whole = picker_of(ncedc).pick(long)
    assert len(whole) > 5
    assert_same(ours, whole)
