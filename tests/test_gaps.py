"""From traces to waveforms: where a record is cut, and which samples it keeps."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from obspy import Stream
from traces import START, noise, quietly, spans, trace

from phasenet_keras import Waveform, read_waveforms
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.waveforms import waveforms_of

# -- gaps, NaN and masks --------------------------------------------------------------------------


@pytest.mark.parametrize("gap", [1, 2, 3, 10, 500, 10**8])
def test_a_gap_splits_at_its_exact_time(gap):
    waves = quietly(trace(noise(2000)), trace(noise(500, 1), lag_s=20 + gap / 100))
    assert spans(waves) == [("Z", 0, 2000), ("Z", 2000 + gap, 500)]
    assert waves[1].start_time == START + 20 + gap / 100
    assert np.array_equal(waves[0].data[:, 0], noise(2000))
    assert np.array_equal(waves[1].data[:, 0], noise(500, 1))


def test_a_gap_of_all_channels_splits_all():
    parts = [trace(noise(1000, n), f"HH{name}", lag_s=0) for n, name in enumerate("ENZ")]
    parts += [trace(noise(700, n), f"HH{name}", lag_s=15) for n, name in enumerate("ENZ")]
    assert spans(quietly(*parts)) == [("ENZ", 0, 1000), ("ENZ", 1500, 700)]


def test_a_long_gap_of_one_channel_leaves_the_others():
    parts = [trace(noise(5000, n), f"HH{name}") for n, name in enumerate("EN")]
    parts += [trace(noise(1000)), trace(noise(2000), lag_s=30)]
    waves = quietly(*parts)
    assert spans(waves) == [("ENZ", 0, 1000), ("EN", 1000, 2000), ("ENZ", 3000, 2000)]
    assert np.array_equal(waves[1].data[:, 1], noise(5000, 1)[1000:3000])


@pytest.mark.parametrize(("gap", "n_waves"), [(1, 2), (255, 2), (256, 3), (257, 3)])
def test_a_short_gap_of_one_channel_is_cut_out_of_all(gap, n_waves):
    parts = [trace(noise(5000, 1), "HHN"), trace(noise(1000))]
    parts.append(trace(noise(4000 - gap), lag_s=10 + gap / 100))
    waves = quietly(*parts)
    assert len(waves) == n_waves
    assert spans(waves)[0] == ("NZ", 0, 1000)
    assert spans(waves)[-1] == ("NZ", 1000 + gap, 4000 - gap)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_split(bad):
    data = noise(3000).astype("float64")
    data[0] = data[1000:1010] = data[2000] = data[-1] = bad
    waves = quietly(trace(data))
    assert spans(waves) == [("Z", 1, 999), ("Z", 1010, 990), ("Z", 2001, 998)]
    assert [wave.start_time for wave in waves] == [START + 0.01, START + 10.1, START + 20.01]
    assert np.array_equal(waves[1].data[:, 0], noise(3000)[1010:2000])


def test_samples_too_large_for_float32_are_left_out_and_counted():
    data = noise(3000).astype("float64")
    data[1000:1010], data[2000] = 1e39, np.nan
    with pytest.warns(RecordWarning, match=r"XX\.AA\.\.HHZ.* 10 samples are too large") as said:
        waves = waveforms_of(Stream([trace(data)]))
    assert len(said) == 1
    assert spans(waves) == [("Z", 0, 1000), ("Z", 1010, 990), ("Z", 2001, 999)]


def test_samples_of_which_an_offset_is_taken_off_fit_float32():
    data = np.full(3000, -1.6e38)
    data[1000:1010], data[2000] = 1.6e38, 1.8e38
    with pytest.warns(RecordWarning, match=r" 1 samples are too large for .* \(from 1\.7e\+38"):
        waves = waveforms_of(Stream([trace(data)]))
    assert spans(waves) == [("Z", 0, 2000), ("Z", 2001, 999)]
    assert np.ptp(waves[0].data) == pytest.approx(3.2e38, rel=1e-6)


def test_nan_alone_is_no_record():
    with pytest.warns(RecordWarning, match=r"no record of XX\.AA\.\.HH: .* none but NaN"):
        assert waveforms_of([trace(np.full(100, np.nan))]) == []


@pytest.mark.parametrize("dtype", ["int32", "float32", "float64"])
def test_masked_samples_split(dtype):
    data = np.ma.array(noise(3000).astype(dtype), mask=False)
    data[1000:1500] = np.ma.masked
    waves = quietly(trace(data))
    assert spans(waves) == [("Z", 0, 1000), ("Z", 1500, 1500)]
    assert np.array_equal(waves[1].data[:, 0], noise(3000).astype(dtype)[1500:].astype("float32"))


def test_merged_streams_and_loose_traces_are_the_same():
    parts = [trace(noise(2000)), trace(noise(500, 1), lag_s=25), trace(noise(700, 2), lag_s=40)]
    loose = quietly(*parts)
    merged = quietly(*Stream([part.copy() for part in parts]).merge())
    assert spans(merged) == spans(loose) == [("Z", 0, 2000), ("Z", 2500, 500), ("Z", 4000, 700)]
    assert all(np.array_equal(a.data, b.data) for a, b in zip(loose, merged, strict=True))


def test_a_mask_of_no_sample_and_of_all():
    assert spans(quietly(trace(np.ma.array(noise(300), mask=False)))) == [("Z", 0, 300)]
    with pytest.warns(RecordWarning, match=r"no record of XX\.AA\.\.HH: .* and masked ones"):
        assert waveforms_of([trace(np.ma.array(noise(300), mask=True))]) == []


def test_traces_without_samples_do_not_count():
    with pytest.warns(RecordWarning, match=r"no record of XX\.AA\.\.HH: there is no sample"):
        assert waveforms_of([trace([])]) == []
    assert spans(quietly(trace([], lag_s=-5), trace(noise(300)), trace([], "HHE"))) == [
        ("Z", 0, 300)
    ]


# -- overlaps and clocks --------------------------------------------------------------------------


@pytest.mark.parametrize("overlap", [1, 2, 500, 1999, 2000])
def test_an_overlap_of_equal_samples_is_silent(overlap):
    data = noise(4000)
    begin = 2000 - overlap
    [wave] = quietly(trace(data[:2000]), trace(data[begin:], lag_s=begin / 100))
    assert np.array_equal(wave.data[:, 0], data)


@pytest.mark.parametrize("overlap", [2, 500, 1999])
def test_in_a_conflict_the_later_trace_wins_and_it_is_said(overlap):
    data = noise(4000)
    begin = 2000 - overlap
    traces = [trace(data[:2000]), trace(data[begin:] + 1, lag_s=begin / 100)]
    for order in (traces, traces[::-1]):
        with pytest.warns(RecordWarning, match=f"{overlap} overlapping samples differ"):
            [wave] = waveforms_of(order)
        assert np.array_equal(wave.data[:begin, 0], data[:begin])
        assert np.array_equal(wave.data[begin:, 0], data[begin:] + 1)


def test_a_trace_inside_of_another_replaces_that_stretch_only():
    traces = [trace(noise(4000)), trace(noise(500, 1), lag_s=10)]
    with pytest.warns(RecordWarning, match="500 overlapping"):
        [wave] = waveforms_of(traces)
    expected = noise(4000)
    expected[1000:1500] = noise(500, 1)
    assert np.array_equal(wave.data[:, 0], expected)


def test_nan_does_not_win_an_overlap():
    later = noise(4000)[1500:].copy()
    later[:100] = np.nan
    [wave] = quietly(trace(noise(4000)[:2000]), trace(later, lag_s=15))
    assert np.array_equal(wave.data[:, 0], noise(4000))


def test_an_overlap_of_one_component_names_it():
    traces = [trace(noise(3000)), trace(noise(2000), "HHE"), trace(noise(2000, 1), "HHE", lag_s=10)]
    with pytest.warns(RecordWarning, match=r"XX\.AA\.\.HH E: 1000 overlapping") as caught:
        [wave] = waveforms_of(traces)
    assert len(caught) == 1
    assert np.array_equal(wave.data[:, 1], noise(3000))


def test_conflicting_traces_of_one_start_give_the_same_in_any_order():
    a, b = trace(noise(1000)), trace(noise(1500, 1))
    with pytest.warns(RecordWarning, match="1000 overlapping"):
        [first] = waveforms_of([a, b])
    with pytest.warns(RecordWarning, match="1000 overlapping"):
        [second] = waveforms_of([b, a])
    assert np.array_equal(first.data, second.data)


@pytest.mark.parametrize("jitter_s", [-0.004, -1e-6, 1e-6, 2e-3, 0.004])
def test_a_clock_that_is_a_little_off_makes_no_gap(jitter_s):
    data = noise(4000)
    [wave] = quietly(trace(data[:2000]), trace(data[2000:], lag_s=20 + jitter_s))
    assert np.array_equal(wave.data[:, 0], data)
    assert wave.start_time == START


def test_jitter_of_a_microsecond_in_many_pieces_and_channels():
    rng = np.random.default_rng(1)
    parts = [
        trace(noise(50_000, n)[a : a + 500], f"HH{name}", lag_s=a / 100 + rng.integers(-1, 2) / 1e6)
        for n, name in enumerate("ENZ")
        for a in range(0, 50_000, 500)
    ]
    [wave] = quietly(*(parts[n] for n in rng.permutation(len(parts))))
    assert np.array_equal(wave.data, np.stack([noise(50_000, n) for n in range(3)], axis=1))
    assert abs(wave.start_time - START) <= 1e-6


def test_channels_sampled_at_a_fraction_of_a_sample_apart_are_one_record():
    [wave] = quietly(trace(noise(1000), "HHE"), trace(noise(1000, 1), lag_s=0.003))
    assert spans([wave]) == [("EZ", 0, 1000)]


# -- channels that begin and end apart ------------------------------------------------------------


@pytest.mark.parametrize("lag", [1, 100, 255])
def test_a_channel_that_begins_a_little_later_shortens_all(lag):
    parts = [trace(noise(5000, n), f"HH{name}") for n, name in enumerate("NZ")]
    [wave] = quietly(*parts, trace(noise(5000 - lag, 2), "HHE", lag_s=lag / 100))
    assert spans([wave]) == [("ENZ", lag, 5000 - lag)]
    assert wave.start_time == START + lag / 100
    assert np.array_equal(wave.data[:, 1], noise(5000, 0)[lag:])


@pytest.mark.parametrize("lag", [256, 1000])
def test_a_channel_that_begins_much_later_leaves_a_record_of_two(lag):
    parts = [trace(noise(5000, n), f"HH{name}") for n, name in enumerate("NZ")]
    waves = quietly(*parts, trace(noise(5000 - lag, 2), "HHE", lag_s=lag / 100))
    assert spans(waves) == [("NZ", 0, lag), ("ENZ", lag, 5000 - lag)]
    assert np.array_equal(waves[0].data[:, 1], noise(5000, 1)[:lag])
    assert np.array_equal(waves[1].data[:, 0], noise(5000 - lag, 2))


@pytest.mark.parametrize(("rest", "expected"), [(255, 1), (256, 2)])
def test_channels_that_end_apart(rest, expected):
    waves = quietly(trace(noise(3000 + rest)), trace(noise(3000), "HHE"))
    assert spans(waves) == [("EZ", 0, 3000), ("Z", 3000, rest)][:expected]


def test_a_short_record_of_some_channels_alone_is_kept():
    assert spans(quietly(trace(noise(20)), trace(noise(20), "HHE"))) == [("EZ", 0, 20)]
    waves = quietly(trace(noise(3000)), trace(noise(20), "HHE", lag_s=100))
    assert spans(waves) == [("Z", 0, 3000), ("E", 10_000, 20)]


# -- memory and precision -------------------------------------------------------------------------


def test_two_records_a_year_apart_do_not_allocate_a_year():
    year_s = 365 * 86400
    traces = [
        trace(noise(3000, n), f"HH{name}", lag_s=lag)
        for n, name in enumerate("ENZ")
        for lag in (0, year_s)
    ]
    tracemalloc.start()
    waves = waveforms_of(traces)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert spans(waves) == [("ENZ", 0, 3000), ("ENZ", 100 * year_s, 3000)]
    assert peak < 20e6  # a year of one channel is 25 GB


@pytest.mark.parametrize("offset", [0.0, 1e4, 1e7, -1e7, 1e9, -1e9, 1e12])
def test_an_offset_costs_no_signal(offset):
    signal = np.random.default_rng(0).standard_normal(3000)
    [wave] = quietly(trace(signal + offset))
    found = wave.data[:, 0].astype(np.float64)
    assert np.abs((found - found.mean()) - (signal - signal.mean())).max() < 1e-3


@pytest.mark.parametrize("data", [[12.5], [0.1] * 300, [1e6 + 0.25] * 300])
def test_a_single_sample_and_a_constant_channel_keep_their_value(data):
    [wave] = quietly(trace(np.array(data)))
    assert wave.data[:, 0].tolist() == np.array(data, "float32").tolist()


@pytest.mark.parametrize("offset", [2**24 - 5000, 2**30 + 7, -(2**31) + 5000])
def test_counts_of_integers_survive(offset):
    signal = np.random.default_rng(0).integers(-4000, 4000, 3000)
    [wave] = quietly(trace((signal + offset).astype("int32")))
    found = np.diff(wave.data[:, 0].astype(np.float64))
    assert np.abs(found - np.diff(signal)).max() < 1e-3


def test_counts_up_to_two_to_the_24_are_left_as_they_are():
    data = np.array([0, 2**24, -(2**24), 12_345_677], np.int32)
    [wave] = quietly(trace(data))
    assert wave.data[:, 0].astype(int).tolist() == data.tolist()


@pytest.mark.parametrize("dtype", ["int32", "float32", "float64"])
@pytest.mark.parametrize("offset", [0.0, 1e4, 1e6, 2**24 - 2000, 2**30 + 7, -2e9])
@pytest.mark.parametrize("size", [0.5, 1e3, 3e7])
def test_records_of_files_and_of_arrays_have_the_same_values(tmp_path, dtype, offset, size):
    samples = (np.random.default_rng(0).standard_normal(3000) * size + offset).astype(dtype)
    trace(samples).write(str(tmp_path / "a.mseed"), format="MSEED")
    [read] = read_waveforms(tmp_path / "a.mseed")
    made = Waveform(samples[:, None], 100.0, START, ("Z",), read.station)
    assert np.array_equal(read.data, made.data)
    # Of the samples themselves nothing is lost beside their size, but what float32 had not.
    found = np.diff(made.data[:, 0].astype(np.float64))
    assert np.abs(found - np.diff(samples.astype(np.float64))).max() < 1e-5 * (size + 1)


# -- properties -----------------------------------------------------------------------------------


@settings(max_examples=60)
@given(
    cuts=st.lists(st.integers(1, 2999), max_size=12, unique=True),
    order=st.randoms(use_true_random=False),
    dtype=st.sampled_from(["int32", "float32", "float64"]),
    rate=st.sampled_from([100.0, 40.0, 1 / 0.003, 2000.0]),
)
def test_pieces_without_gaps_are_one_waveform(cuts, order, dtype, rate):
    data = noise(3000).astype(dtype)
    edges = [0, *sorted(cuts), 3000]
    pieces = [trace(data[a:b], lag_s=a / rate, rate=rate) for a, b in itertools.pairwise(edges)]
    order.shuffle(pieces)
    [wave] = quietly(*pieces)
    assert np.array_equal(wave.data[:, 0], data.astype("float32"))
    assert wave.start_time == START


@settings(max_examples=60)
@given(
    runs=st.lists(st.tuples(st.integers(1, 400), st.integers(0, 400)), min_size=1, max_size=10),
    order=st.randoms(use_true_random=False),
    masked=st.booleans(),
)
def test_the_samples_kept_are_exactly_those_present(runs, order, masked):
    """Runs are (samples present, samples missing), one after another."""
    n_samples = sum(here + gone for here, gone in runs)
    data, present, traces, at = noise(n_samples), np.zeros(n_samples, bool), [], 0
    for here, gone in runs:
        present[at : at + here] = True
        traces.append(trace(data[at : at + here], lag_s=at / 100))
        at += here + gone
    order.shuffle(traces)
    if masked:
        traces = [trace(np.ma.array(data, mask=~present))]
    waves = quietly(*traces)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], present, [0]])))
    expected = [("Z", int(a), int(b - a)) for a, b in edges.reshape(-1, 2)]
    assert spans(waves) == expected
    for wave, (_, begin, length) in zip(waves, expected, strict=True):
        assert np.array_equal(wave.data[:, 0], data[begin : begin + length])
        assert abs(wave.start_time - (START + begin / 100)) < 1e-9


@settings(max_examples=60)
@given(
    stretches=st.lists(
        st.tuples(st.sampled_from("ENZ"), st.integers(0, 2000), st.integers(1, 1500)),
        min_size=1,
        max_size=8,
    ),
    order=st.randoms(use_true_random=False),
)
def test_any_set_of_traces_gives_true_samples_once(stretches, order):
    """Overlaps agree here: every sample kept is the one recorded, at its time, once."""
    data = {name: noise(4000, seed) for seed, name in enumerate("ENZ")}
    present = {name: np.zeros(4000, bool) for name in "ENZ"}
    traces = []
    for name, begin, length in stretches:
        piece = slice(begin, begin + length)
        present[name][piece] = True
        traces.append(trace(data[name][piece], f"HH{name}", lag_s=begin / 100))
    order.shuffle(traces)
    seen = np.zeros(4000, int)
    for wave in quietly(*traces):
        begin = round((wave.start_time - START) * 100)
        here = slice(begin, begin + wave.n_samples)
        seen[here] += 1
        for column, name in enumerate(wave.channels):
            assert np.array_equal(wave.data[:, column], data[name][here])
            assert present[name][here].all()
        assert not any(present[name][here].any() for name in set("ENZ") - set(wave.channels))
    assert seen.max() == 1
    everywhere = np.logical_and.reduce([present[n] for n in "ENZ" if present[n].any()])
    assert (seen[everywhere] == 1).all()
