"""What is measured of peaks: against the definitions, in pieces, as soon as may be."""

from __future__ import annotations

import math
import weakref
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records import noise

from phasenet_keras.picking.peaks import detect_peaks
from phasenet_keras.picking.search import PickSearch, snr_db_at

LENGTH, MPD = 300, 3


def power(window):
    return ((window - window.mean(axis=0)) ** 2).mean()


def by_definition(data, sample, scale, window_samples):
    """Return amplitude and ratio at one of the probabilities, as CONVENTIONS.md has them."""
    reach, length = round(window_samples // 2 * scale), round(LENGTH * scale)
    begin = min(round(sample * scale), len(data) - 1)
    is_short = len(data) <= 2 * reach
    about = data if is_short else data[max(0, begin - reach) : begin + reach]
    before, after = data[max(0, begin - length) : begin], data[begin : begin + length]
    snr_db = None
    if min(len(before), len(after)) >= length / 10:
        snr_db = 10 * math.log10(power(after) / power(before))
    return np.abs(after - about.mean(axis=0)).max(), snr_db


def run(data, probabilities, cuts=(), late=0, scale=1.0, window_samples=40):
    """Pick a record in pieces whose probabilities come ``late`` samples of it later."""
    search = PickSearch({1: 0.5, 2: 0.7}, MPD, window_samples, scale)
    found, n_fed = [], 0
    for begin, end in pairwise([0, *sorted(cuts), len(data)]):
        search.add(data[begin:end])
        n_ready = max(n_fed, min(len(probabilities), int((end - late) / scale)))
        search.feed(probabilities[n_fed:n_ready])
        n_fed = n_ready
        found += search.settled()
    search.feed(probabilities[n_fed:])
    return search, found + search.finish()


@settings(max_examples=200)
@given(
    n_samples=st.integers(2, 3000),
    peaks=st.lists(st.tuples(st.integers(-9, 3000), st.sampled_from([1, 2])), max_size=6),
    cuts=st.lists(st.floats(0, 1), max_size=8),
    late=st.sampled_from([0, 1, 100]),
    scale=st.sampled_from([1.0, 0.1, 0.333, 2.5]),
    window_samples=st.sampled_from([40, 1000]),
)
def test_any_cut_measures_what_the_definitions_say(
    n_samples, peaks, cuts, late, scale, window_samples
):
    data = 10 * noise(n_samples, 2, seed=n_samples) + [100.0, -3.0]
    probabilities = np.zeros((math.ceil(n_samples / scale), 3))
    for number, (place, column) in enumerate(peaks):
        probabilities[place % len(probabilities), column] = 0.6 + 0.05 * number
    cuts = [int(cut * n_samples) for cut in cuts]
    _, found = run(data, probabilities, cuts, late, scale, window_samples)
    for column, threshold in ((1, 0.5), (2, 0.7)):
        samples = detect_peaks(probabilities[:, column], threshold, MPD).tolist()
        assert sorted(pick.sample for pick in found if pick.column == column) == samples
    for pick in found:
        assert pick.probability == probabilities[pick.sample, pick.column]
        amplitude, snr_db = by_definition(data, pick.sample, scale, window_samples)
        assert pick.amplitude == pytest.approx(amplitude)
        assert pick.snr_db == (snr_db if snr_db is None else pytest.approx(snr_db))


def test_a_peak_that_rounds_to_the_end_of_the_record_is_at_its_last_sample():
    data, probabilities = noise(400, 1), np.zeros((4000, 3))
    probabilities[3998, 1] = 0.9
    search = PickSearch({1: 0.5}, MPD, 1000, 0.1)
    search.add(data)
    search.feed(probabilities)
    assert search.settled() == []
    [pick] = search.finish()
    assert (pick.amplitude, pick.snr_db) == (abs(data[399, 0] - data[349:].mean()), None)


def test_only_samples_that_may_be_wanted_are_held():
    search, pieces = PickSearch({1: 0.5}, MPD, 900, 1.0), []
    for _ in range(40):
        data = noise(100, 1)
        pieces.append(weakref.ref(data))
        search.add(data)
        del data
        search.feed(np.zeros((100, 2)))
        assert search.settled() == []
        # Half a window back from the last sample.
        assert sum(piece() is not None for piece in pieces) <= max(9, 450 // 100 + 1)
    assert pieces[-1]() is not None


def test_columns_have_their_thresholds_and_their_highest():
    probabilities = np.zeros((400, 3))
    probabilities[[100, 200], 1] = 0.5, 0.49
    probabilities[[150, 250], 2] = 0.7, 0.69
    search, found = run(noise(400, 1), probabilities)
    assert [(pick.sample, pick.column) for pick in sorted(found)] == [(100, 1), (150, 2)]
    assert search.highest == {1: 0.5, 2: 0.7}
    assert (search.n_samples, PickSearch({1: 0.5}, MPD, 40, 1.0).highest) == (400, {1: 0.0})


@pytest.mark.parametrize(("window_samples", "ahead"), [(40, 300), (900, 450)])
def test_a_pick_waits_for_its_amplitude_and_its_mean_and_no_longer(window_samples, ahead):
    data, probabilities = noise(2000, 1), np.zeros((2000, 2))
    probabilities[500, 1] = 0.9
    search = PickSearch({1: 0.5}, MPD, window_samples, 1.0)
    search.feed(probabilities)
    search.add(data[: 500 + ahead - 1])
    assert search.settled() == []
    search.add(data[500 + ahead - 1 : 500 + ahead])
    assert [pick.sample for pick in search.settled()] == [500]


def test_a_record_of_a_window_may_yet_end_so_that_its_picks_wait():
    """A record that is not longer than a window has the mean of all of it."""
    data, probabilities = noise(2000, 1), np.zeros((2000, 2))
    probabilities[50, 1] = 0.9
    search = PickSearch({1: 0.5}, MPD, 900, 1.0)
    search.feed(probabilities)
    search.add(data[:900])
    assert search.settled() == []
    search.add(data[900:901])
    assert [pick.sample for pick in search.settled()] == [50]


def test_the_mean_of_a_record_of_a_window_is_that_of_all_of_it():
    data, probabilities = noise(900, 2) + 5, np.zeros((900, 3))
    probabilities[890, 1] = 0.9
    search = PickSearch({1: 0.5}, MPD, 900, 1.0)
    search.add(data)
    search.feed(probabilities[:800])
    assert search.settled() == []
    search.feed(probabilities[800:])
    [pick] = search.finish()
    assert pick.amplitude == np.abs(data[890:] - data.mean(axis=0)).max()


def test_the_ratio_is_that_of_the_windows_that_are_there():
    data = noise(1000, 3) * np.where(np.arange(1000) < 500, 1.0, 10.0)[:, None] + 7.0
    wanted = 10 * math.log10(power(data[500:600]) / power(data[400:500]))
    assert snr_db_at(data, 500, 100) == pytest.approx(wanted, rel=1e-12)
    assert snr_db_at(1e-9 * data, 500, 100) == pytest.approx(wanted, rel=1e-9)  # metres, say
    assert snr_db_at(data[:510], 500, 100) is not None
    assert snr_db_at(data[:509], 500, 100) is None
    assert snr_db_at(data[490:], 10, 100) is not None
    assert snr_db_at(data[491:], 9, 100) is None
    # One sample is no signal, however short the windows are.
    assert snr_db_at(data[498:502], 2, 2) is not None
    assert snr_db_at(data[499:502], 1, 2) is None
    assert snr_db_at(data * [[0.0]], 500, 100) is None
    for still in (slice(500, None), slice(500)):
        record = data.copy()
        record[still] = 5.0
        assert snr_db_at(record, 500, 100) is None
