"""Gaps, overlaps, NaN, odd channels, clocks, rates and names: the right answer or a clear error."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from obspy import Stream, Trace, UTCDateTime, read

from phasenet_keras import Picker, Waveform, read_waveforms
from phasenet_keras.io.registry import RecordWarning, read_stream
from phasenet_keras.types import FormatError, ShapeError

START = UTCDateTime("2022-01-01T00:00:00")


def trace(data, channel="HHZ", start=START, rate=100.0, station="AA", **header):
    stats = {"network": "XX", "station": station, "channel": channel, "sampling_rate": rate}
    return Trace(np.asarray(data), {**stats, "starttime": start, **header})


def noise(n_samples, seed=0):
    return np.random.default_rng(seed).standard_normal(n_samples)


def test_files_of_one_name_in_two_folders_are_two_records(tmp_path, spike_net):
    for number, folder in enumerate(("shot1", "shot2")):
        (tmp_path / folder).mkdir()
        lines = (f"{n * 0.01:.2f} {v:.4f}" for n, v in enumerate(noise(300, number)))
        (tmp_path / folder / "trace.txt").write_text("\n".join(lines))
    files = [tmp_path / folder / "trace.txt" for folder in ("shot1", "shot2")]
    first, second = read_waveforms(files)
    assert np.allclose(first.data[:, 0], noise(300, 0), atol=1e-4)
    assert np.allclose(second.data[:, 0], noise(300, 1), atol=1e-4)


def test_impossible_times_are_refused(tmp_path):
    late = trace(noise(500), start=UTCDateTime("9999-12-31T23:59:59"))
    late.write(str(tmp_path / "late.mseed"), format="MSEED")
    with pytest.raises(FormatError, match=r"late\.mseed"):
        read_waveforms(tmp_path / "late.mseed")


def test_nan_and_infinite_samples_are_cut_out():
    data = noise(3000)
    data[1000:1010] = np.nan
    data[2000] = np.inf
    waves = read_waveforms(Stream([trace(data)]))
    assert [wave.n_samples for wave in waves] == [1000, 990, 999]
    assert [wave.start_time - START for wave in waves] == [0.0, 10.1, 20.01]
    assert read_waveforms(Stream([trace(np.full(100, np.nan))])) == []


def test_waveform_refuses_what_breaks_its_promise():
    for data in (np.full((10, 1), np.nan), np.zeros((0, 1)), np.zeros(10), np.zeros((10, 2))):
        with pytest.raises(ShapeError):
            Waveform(data, 100.0, START, ("Z",), "A")
    with pytest.raises(ShapeError, match="real numbers"):
        Waveform(np.zeros((10, 1), complex), 100.0, START, ("Z",), "A")
    with pytest.raises(ShapeError, match="above 0 Hz"):
        Waveform(np.zeros((10, 1)), 0.0, START, ("Z",), "A")


def test_gaps_split_and_masked_arrays_are_gaps():
    data = noise(5000)
    parts = [trace(data[:2000]), trace(data[2500:], start=START + 25)]
    waves = read_waveforms(Stream(parts))
    assert [(w.n_samples, w.start_time - START) for w in waves] == [(2000, 0.0), (2500, 25.0)]
    masked = Stream(parts).merge()
    again = read_waveforms(masked)
    assert all(np.array_equal(a.data, b.data) for a, b in zip(waves, again, strict=True))


def test_overlaps_equal_and_conflicting():
    data = noise(3000).astype("float32")
    equal = Stream([trace(data[:2000]), trace(data[1500:], start=START + 15)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        [wave] = read_waveforms(equal)
    assert np.array_equal(wave.data[:, 0], data)
    other = Stream([trace(data[:2000]), trace(data[1500:] + 1, start=START + 15)])
    with pytest.warns(RecordWarning, match="500 overlapping samples differ"):
        [wave] = read_waveforms(other)
    assert np.array_equal(wave.data[1500:, 0], data[1500:] + 1)
    assert np.array_equal(wave.data[:1500, 0], data[:1500])


def test_conflicting_traces_give_the_same_in_any_order():
    one, two = trace(noise(300, 1)), trace(noise(300, 2))
    with pytest.warns(RecordWarning, match="300 overlapping samples differ"):
        waves = [read_waveforms(Stream(pair))[0] for pair in ([one, two], [two, one])]
    assert np.array_equal(waves[0].data, waves[1].data)


def test_an_overlap_of_one_sample_stays_in_place():
    data = noise(4000).astype("float32")
    files = [trace(data[:2001]), trace(data[2000:], start=START + 20)]
    [wave] = read_waveforms(Stream(files))
    assert np.array_equal(wave.data[:, 0], data)


@pytest.mark.parametrize("jitter_s", [-0.004, 1e-6, 0.004])
def test_clock_jitter_is_neither_gap_nor_overlap(jitter_s):
    data = noise(4000).astype("float32")
    files = [trace(data[:2000]), trace(data[2000:], start=START + 20 + jitter_s)]
    [wave] = read_waveforms(Stream(files))
    assert np.array_equal(wave.data[:, 0], data)


@settings(max_examples=40)
@given(
    cuts=st.lists(st.integers(1, 2999), max_size=8, unique=True),
    dropped=st.sets(st.integers(0, 8)),
    order=st.randoms(use_true_random=False),
)
def test_pieces_come_together_and_lost_ones_are_gaps(cuts, dropped, order):
    data = noise(3000).astype("float32")
    edges = [0, *sorted(cuts), 3000]
    pieces = list(pairwise(edges))
    kept = [piece for number, piece in enumerate(pieces) if number not in dropped]
    traces = [trace(data[a:b], start=START + a / 100) for a, b in kept]
    order.shuffle(traces)
    present = np.zeros(3000, bool)
    for wave in read_waveforms(Stream(traces)):
        begin = round((wave.start_time - START) * 100)
        here = slice(begin, begin + wave.n_samples)
        assert np.array_equal(wave.data[:, 0], data[here])
        assert not present[here].any()
        present[here] = True
    expected = np.zeros(3000, bool)
    for a, b in kept:
        expected[a:b] = True
    assert np.array_equal(present, expected)


def test_channels_that_start_apart():
    def stations(lag):
        east = trace(noise(5000)[lag:], "HHE", START + lag / 100)
        return read_waveforms(Stream([trace(noise(5000), "HHN"), trace(noise(5000)), east]))

    [short] = stations(100)
    assert (short.channels, short.n_samples) == (("E", "N", "Z"), 4900)
    first, second = stations(1000)
    assert (first.channels, first.n_samples) == (("N", "Z"), 1000)
    assert (second.channels, second.n_samples) == (("E", "N", "Z"), 4000)


@pytest.mark.parametrize(
    "codes", ["HHE HHN HHZ", "EH2 EH1 EHZ", "Ch3 Ch2 Ch1", "HHU HHV HHZ", "EW NS UD", "e n z",
              "BXX BXY BXZ", "HHT HHR HHZ"],
)  # fmt: skip
def test_channel_names(codes):
    traces = [trace(np.full(300, n + 1.0), code) for n, code in enumerate(codes.split())]
    [wave] = read_waveforms(Stream(traces[::-1]))
    assert wave.channels == ("E", "N", "Z")
    assert wave.data[0].tolist() == [1.0, 2.0, 3.0]


def test_unknown_channels():
    [wave] = read_waveforms(Stream([trace(noise(300), "HDH")]))
    assert wave.channels == ("Z",)
    with pytest.warns(RecordWarning, match="HHQ left out"):
        [wave] = read_waveforms(Stream([trace(noise(300), "HHQ"), trace(noise(300), "HHZ")]))
    assert wave.channels == ("Z",)


def test_stations_locations_rates_and_years_stay_apart():
    traces = [
        trace(noise(300)),
        trace(noise(300), station="BB"),
        trace(noise(300), location="10"),
        trace(noise(600), rate=200.0),
        trace(noise(300), start=START + 3 * 365 * 86400),
    ]
    waves = read_waveforms(Stream(traces))
    found = sorted((w.station, w.sampling_rate, w.start_time.year) for w in waves)
    assert found == [
        ("XX.AA..HH", 100.0, 2022),
        ("XX.AA..HH", 100.0, 2024),
        ("XX.AA..HH", 200.0, 2022),
        ("XX.AA.10.HH", 100.0, 2022),
        ("XX.BB..HH", 100.0, 2022),
    ]


@pytest.mark.parametrize("offset", [1e5, 1e7, -1e9])
def test_a_large_offset_costs_no_signal(offset):
    signal = noise(3000)
    [wave] = read_waveforms(Stream([trace(signal + offset)]))
    assert np.abs(wave.data[:, 0] - (signal - signal.mean())).max() < 1e-3


@pytest.mark.parametrize("rate", [40.0, 99.9, 100.0, 200.0, 250.0])
@pytest.mark.parametrize("dtype", ["int32", "float64"])
def test_an_onset_is_picked_at_its_time_at_any_rate(spike_net, rate, dtype):
    """A pulse smooth enough for 40 Hz: the middle of the response is where the pulse is."""
    time_s = np.arange(round(60 * rate)) / rate
    pulse = np.exp(-(((time_s - 23.45) / 0.025) ** 2))
    data = (1e6 * pulse + 1000 * noise(len(time_s))).astype(dtype)
    [annotation] = Picker(spike_net).annotate(Stream([trace(data, rate=rate)]))
    high = np.flatnonzero(annotation.probabilities[:, 1] > 0.5)
    assert np.ptp(high) < 15
    assert high.mean() / annotation.sampling_rate == pytest.approx(23.45, abs=0.006)


def test_example_record_is_untouched():
    before = read()
    read_waveforms(before)
    assert all(a == b for a, b in zip(before, read(), strict=True))
    assert read_stream.__doc__
