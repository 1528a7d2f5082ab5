"""Normalisation: the official outputs and analytic cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records import noise, normalize, normalize_moving

from phasenet_keras.data.moving import MovingNormalizer
from phasenet_keras.data.preprocess import normalize_record

# -- normalisation: the official outputs ----------------------------------------------------------


@pytest.fixture(scope="module")
def official(shared):
    return np.load(shared / "fixtures/official_normalize.npz")


@pytest.mark.shared
def test_official_normalization_of_a_whole_record(official):
    theirs = official["normalize_9000"]
    # Values reach 25; the official sums are float32.
    assert np.allclose(normalize(official["raw9000"]), theirs, rtol=1e-5, atol=2e-5)
    assert np.abs(normalize(official["raw9000"]) - theirs).max() < 1.1e-4


@pytest.mark.shared
@pytest.mark.parametrize("length", [1501, 2000, 3000, 4600, 7500, 9000])
def test_official_moving_normalization(official, length):
    theirs = official[f"normalize_long_{length}"]
    ours = normalize_moving(official["raw9000"][:length], 3000)
    assert np.allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    assert np.abs(ours - theirs).max() < 1e-4


def special_records(official):
    raw = official["raw9000"]
    vertical, gap = raw.copy(), raw.copy()
    vertical[:, :2] = 0
    gap[2000:6500] = 0
    return {
        "9001": official["raw9001"],
        "9000_f64in": raw.astype(np.float64),
        "9000_onlyZ": vertical,
        "9000_gap2000_6500": gap,
    }


@pytest.mark.shared
@pytest.mark.parametrize("case", ["9001", "9000_f64in", "9000_onlyZ", "9000_gap2000_6500"])
def test_official_moving_normalization_of_special_records(official, case):
    ours, _ = normalize_record(special_records(official)[case], 3000)
    theirs = official[f"normalize_long_{case}"]
    # The gap: float32 sums in the windows that are zero but for a few samples.
    assert np.allclose(ours, theirs, rtol=1e-5, atol=6e-5)


@pytest.mark.shared
def test_official_output_of_double_precision_is_ours_to_rounding(official):
    """What the other cases differ by is the official float32 arithmetic, not the definition."""
    ours, _ = normalize_record(official["raw9000"].astype(np.float64), 3000)
    assert np.abs(ours - official["normalize_long_9000_f64in"]).max() < 1e-6


@pytest.mark.shared
def test_the_offset_that_costs_the_official_code_precision_costs_us_none(official):
    raw = official["raw9000"]
    ours, _ = normalize_record(raw + np.float32(1e5), 3000)
    without, _ = normalize_record(raw, 3000)
    assert np.abs(ours - without).max() < 2e-3
    theirs = official["normalize_long_9000_offset1e5"]
    assert np.abs(ours - theirs).max() < 0.03
    assert np.abs(theirs - without).max() > 0.01


@pytest.mark.shared
def test_a_constant_tail(official):
    """The last window is constant: its official deviation is rounding noise in place of 0.

    The deviation falls to it along a line, so the official output is off by more the nearer the
    end is: by 2e-4 at 120 samples from it and by 1e-3 at 30. Ours is the exact quotient.
    """
    raw, theirs = official["raw_consttail_9001"], official["normalize_long_consttail_9001"]
    ours, _ = normalize_record(raw, 3000)
    difference = np.abs(ours - theirs).max(axis=1)
    assert difference[:8870].max() < 2e-4
    assert difference[:8970].max() < 1e-3
    assert np.isfinite(ours).all()
    assert np.abs(ours[7500:9000] - ours[7500]).max() < 1e-5
    assert (ours[9000] == 0).all()


# -- normalisation: what it means -----------------------------------------------------------------


def peak(window):
    return np.abs(window - window.mean()).max()


def naive_moving(data, window, scale=np.std):
    """The definition in words: windows every half one, mirrored at the end, linear between."""
    half, n_samples = window // 2, len(data)
    n_blocks = -(-n_samples // half)
    mirrored = np.concatenate([data, data[-2 : -2 - (n_blocks * half - n_samples) : -1]])
    windows = [mirrored[n * half : n * half + window] for n in range(n_blocks - 1)]
    windows = [windows[0], *windows, windows[-1]]
    at = half * np.arange(n_blocks + 1)
    time = np.arange(n_samples)
    mean = np.interp(time, at, [window.mean() for window in windows])
    std = np.interp(time, at, [scale(window) for window in windows])
    return (data - mean) / np.where(std == 0, 1.0, std)


@settings(max_examples=40)
@given(n_samples=st.integers(101, 1500), half=st.integers(20, 100), trend=st.floats(-5, 5))
def test_moving_normalization_follows_its_definition(n_samples, half, trend):
    data = noise(n_samples, seed=n_samples) + trend * np.arange(n_samples) / 100
    ours = normalize_moving(data[:, None], 2 * half)[:, 0]
    assert np.abs(ours - naive_moving(data, 2 * half)).max() < 1e-5


@settings(max_examples=40)
@given(
    n_samples=st.integers(201, 1500),
    half=st.integers(20, 100),
    offset=st.sampled_from([0.0, -1e5]),
    cut=st.floats(0, 1),
    dtype=st.sampled_from(["float32", "float64", "int32"]),
)
def test_the_peak_takes_the_place_of_the_deviation(n_samples, half, offset, cut, dtype):
    data = (100 * noise(n_samples, 2, seed=n_samples) + offset).astype(dtype)
    data[: n_samples // 3, 1] = data[0, 1]  # a channel that is dead at first
    wanted = [naive_moving(x, 2 * half, peak) for x in data.astype(np.float64).T]
    moving = MovingNormalizer(2 * half, 2, "peak")
    at = int(cut * n_samples)
    ours = np.concatenate([moving.feed(data[:at]), moving.feed(data[at:]), moving.finish()])
    assert moving.is_live.all()
    both_live = slice((n_samples // 3 // half + 1) * half, None)
    assert np.allclose(ours[both_live], np.transpose(wanted)[both_live], atol=2e-6)
    # Before the other one lives, the first counts for both.
    one_live = slice(0, max(0, n_samples // 3 // half - 1) * half)
    assert np.allclose(ours[one_live, 0], 2 * wanted[0][one_live], atol=4e-6)
    assert not ours[one_live, 1].any()


def test_a_record_of_a_window_has_a_peak_of_one():
    record = 50 * noise(300, 3, seed=4) + [0.0, 1e6, -3.0]
    record[:, 2] = 7.0
    for n_samples in (10, 300):
        ours, is_live = normalize_record(record[:n_samples], 300, "peak")
        assert is_live.tolist() == [True, True, False]
        # Two of three channels live: the official rule for those that are missing.
        assert np.abs(ours).max(axis=0) == pytest.approx([1.5, 1.5, 0.0], rel=1e-6)


def hard_record(case, dtype):
    record = 100 * noise(1000, seed=3)
    if case == "offset":
        record += 2**23
    elif case == "step":  # the quiet half lies far from the mean that it begins with
        record[:450] += 1e7
    elif case == "glitch":  # the first sample of a block, which the others are taken from
        record[400] = 1e9
    elif case == "tiny":
        record *= 1e-38
    elif case == "full_scale":
        record[100:150], record[150:300] = -(2**31), 2**31 - 1
    elif case == "to_the_highest":  # from 0 each of these is an int32, from each other not
        record[400:450], record[450:500] = -(2**30), 2**31 - 1
    elif case == "to_the_lowest":
        record[400:450], record[450:500] = 2**30 - 1, -(2**31)
    return record.astype(dtype)


HARD_RECORDS = [
    ("tiny", "float32"),
    *((case, dtype) for case in ("offset", "step", "glitch") for dtype in ("int32", "float32")),
    *(("plain", "int16"), ("full_scale", "int32")),
    *(("to_the_highest", "int32"), ("to_the_lowest", "int32")),
]


@pytest.mark.parametrize(("case", "dtype"), HARD_RECORDS)
def test_samples_of_few_bits_are_normalized_as_double_precision_would_be(case, dtype):
    record = hard_record(case, dtype)
    wanted = naive_moving(record.astype(np.float64), 200)
    ours, _ = normalize_record(record[:, None], 200)
    assert np.allclose(ours[:, 0], wanted, rtol=1e-6, atol=2e-6)


@pytest.mark.parametrize("dtype", ["float32", "int32"])
@pytest.mark.parametrize("window", [3000, 30_000])
def test_a_glitch_that_begins_a_long_block_costs_no_precision(dtype, window):
    record = 10 * noise(3 * window, seed=15)
    record[window] = record[0] = 18_974_898
    record = record.astype(dtype)
    ours, _ = normalize_record(record[:, None], window)
    wanted = naive_moving(record.astype(np.float64), window)
    assert np.allclose(ours[:, 0], wanted, rtol=1e-6, atol=1e-6)


@settings(max_examples=40)
@given(
    n_samples=st.integers(151, 2000),
    scale=st.floats(1e-6, 1e6),
    offset=st.floats(-100, 100),
)
def test_neither_scale_nor_offset_matters(n_samples, scale, offset):
    record = noise(n_samples, 2, seed=n_samples)
    for function in (normalize, lambda x: normalize_moving(x, 300)):
        assert np.allclose(function(record), function((record + offset) * scale), atol=1e-4)


@settings(max_examples=40)
@given(exponent=st.floats(-30, 30), n_samples=st.sampled_from([200, 301, 3000]))
def test_float32_records_of_any_scale_are_normalized(exponent, n_samples):
    record = noise(n_samples, 3)
    scaled = (record * 10**exponent).astype("float32")
    ours, is_live = normalize_record(scaled, 300)
    assert is_live.all()
    assert np.abs(ours - normalize_record(record, 300)[0]).max() < 1e-4


def test_polarity_is_kept():
    record = noise(5000, 2)
    for function in (normalize, lambda x: normalize_moving(x, 3000)):
        assert np.abs(function(-record) + function(record)).max() < 1e-6


def test_channels_do_not_see_each_other():
    record = noise(5000, 3) * [1, 1e3, 1e-3]
    for function in (normalize, lambda x: normalize_moving(x, 3000)):
        alone = np.concatenate([function(record[:, [n]]) for n in range(3)], axis=1)
        assert np.array_equal(function(record), alone)


def test_a_batch_is_normalized_window_by_window():
    batch = noise(4, 500, 3) * np.arange(1, 5)[:, None, None]
    assert np.array_equal(normalize(batch), np.stack([normalize(window) for window in batch]))


def test_moments_are_0_and_1():
    record = 7 + 3 * noise(50_000, 3)
    assert np.allclose(normalize(record).mean(axis=0), 0, atol=1e-6)
    assert np.allclose(normalize(record).std(axis=0), 1, atol=1e-6)
    moving = normalize_moving(record, 3000)
    assert np.allclose(moving.std(axis=0), 1, atol=0.01)
    assert normalize(record).dtype == moving.dtype == np.float32


@pytest.mark.parametrize("n_samples", [100, 3000, 3001, 9000])
@pytest.mark.parametrize("level", [0.0, 5.0, -1e6, 0.1])
def test_a_constant_channel_is_zero(n_samples, level):
    record = noise(n_samples, 3).astype("float32")
    record[:, 1] = level
    normalized, is_live = normalize_record(record, 3000)
    assert (normalized[:, 1] == 0).all()
    assert is_live.tolist() == [True, False, True]
    assert np.isfinite(normalized).all()


@pytest.mark.parametrize("n_samples", [1000, 9000])
@pytest.mark.parametrize("dead", [(0,), (0, 1), (1, 2), (0, 1, 2), ()])
def test_the_live_channels_make_up_for_dead_ones(n_samples, dead):
    record = noise(n_samples, 3).astype("float32")
    whole, _ = normalize_record(record, 3000)
    record[:, list(dead)] = 0
    normalized, is_live = normalize_record(record, 3000)
    live = [n for n in range(3) if n not in dead]
    assert np.flatnonzero(is_live).tolist() == live
    assert (normalized[:, list(dead)] == 0).all()
    if live:
        assert np.allclose(normalized[:, live], 3 / len(live) * whole[:, live], rtol=1e-6)


def test_records_up_to_the_window_are_normalized_whole_and_longer_ones_moving():
    record = noise(3001, 1) * np.linspace(1, 10, 3001)[:, None]
    assert np.array_equal(normalize_record(record[:3000], 3000)[0], normalize(record[:3000]))
    moving = normalize_moving(record, 3000)
    assert np.array_equal(normalize_record(record, 3000)[0], moving)
    assert np.abs(moving - normalize(record)).max() > 0.01


@pytest.mark.parametrize("n_samples", [1, 2, 20])
def test_records_of_a_few_samples(n_samples):
    normalized, is_live = normalize_record(noise(n_samples, 3).astype("float32"), 3000)
    assert np.isfinite(normalized).all()
    assert is_live.all() == (n_samples > 1)


def test_normalization_leaves_its_input_alone():
    record = noise(9000, 3).astype("float32")
    before = record.copy()
    normalize_record(record, 3000)
    normalize_record(record[:2000], 3000)
    assert np.array_equal(record, before)
