"""A record normalised as it comes in, against the whole."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records import noise, normalize_moving

from phasenet_keras.data.moving import MovingNormalizer
from phasenet_keras.data.preprocess import normalize_record
from phasenet_keras.data.resampling import Resampler, resample_as_stream


def in_pieces(record, window, cuts):
    moving = MovingNormalizer(window, record.shape[1])
    edges = [0, *sorted(cut for cut in cuts if cut < len(record)), len(record)]
    pieces = [moving.feed(record[a:b]) for a, b in pairwise(edges)]
    return np.concatenate([*pieces, moving.finish()]), moving.is_live


@settings(max_examples=150)
@given(
    n_samples=st.integers(1, 2000),
    cuts=st.lists(st.integers(0, 2000), max_size=12),
    window=st.sampled_from([200, 300]),
    seed=st.integers(0, 9),
    dead=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1900)), max_size=3),
)
def test_pieces_make_the_whole(n_samples, cuts, window, seed, dead):
    rng = np.random.default_rng(seed)
    record = (rng.standard_normal((n_samples, 3)) * [1, 1e3, 1e-3] + 7).astype("float32")
    for channel, begin in dead:
        record[begin : begin + 700, channel] = 0.1
    whole, is_live = normalize_record(record, window)
    ours, ours_live = in_pieces(record, window, cuts)
    assert ours.dtype == np.float32
    assert np.array_equal(ours, whole)
    assert np.array_equal(ours_live, is_live)
    if n_samples > window and not dead:  # no channel to make up for
        assert np.array_equal(whole, normalize_moving(record, window))


@settings(max_examples=40)
@given(
    cuts=st.lists(st.integers(1, 3999), max_size=12),
    dtype=st.sampled_from(["float32", "int32", "float64"]),
)
def test_pieces_of_any_type_make_the_whole_to_the_last_bit(cuts, dtype):
    record = (1000 * noise(4000, 3)).astype(dtype)
    record[500], record[2222] = 2**30, -(2**31)  # some pieces hold such a value
    assert np.array_equal(in_pieces(record, 300, cuts)[0], normalize_record(record, 300)[0])


def test_an_empty_record_is_empty():
    assert MovingNormalizer(200, 3).finish().shape == (0, 3)


def test_a_channel_that_dies_counts_as_missing_from_there_on():
    record = np.random.default_rng(0).standard_normal((3000, 3)).astype("float32")
    alive, _ = normalize_record(record, 200)
    record[1500:, 2] = 4.0
    dying, is_live = normalize_record(record, 200)
    assert is_live.all()
    assert np.array_equal(dying[:1500, :2], alive[:1500, :2])
    assert dying[1700:, :2] == pytest.approx(1.5 * alive[1700:, :2], rel=1e-6)
    assert (dying[1700:, 2] == 0).all()


@settings(max_examples=60)
@given(
    n_samples=st.integers(1, 4000),
    cuts=st.lists(st.integers(0, 4000), max_size=12),
    rates=st.sampled_from([(200, 100), (40, 100), (75.19, 100), (100, 101), (2000, 100)]),
)
def test_resampling_in_pieces_makes_the_whole(n_samples, cuts, rates):
    record = np.random.default_rng(n_samples).standard_normal((n_samples, 2)) + 500
    whole, reached_hz = resample_as_stream(record, *rates)
    resampler = Resampler(*rates)
    edges = [0, *sorted(cut for cut in cuts if cut < n_samples), n_samples]
    pieces = [resampler.feed(record[a:b]) for a, b in pairwise(edges)]
    ours = np.concatenate([*pieces, resampler.finish(2)])
    assert resampler.reached_hz == reached_hz
    assert ours.shape == whole.shape
    assert np.abs(ours - whole).max() < 1e-6


@pytest.mark.parametrize("rates", [(200, 100), (40, 100), (75.19, 100)])
def test_an_offset_passes_unchanged(rates):
    record = np.random.default_rng(0).standard_normal((4000, 1))
    record[2000:] += 1e4
    plain, high = (resample_as_stream(record + offset, *rates)[0] for offset in (0, 1e6))
    assert np.abs((plain - plain[0]) - (high - high[0])).max() < 5e-3
