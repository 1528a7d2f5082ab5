"""Normalisation, resampling, lengths and peaks: official outputs, analytic cases, properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from phasenet_keras import detect_peaks
from phasenet_keras.data.preprocess import (
    normalize,
    normalize_moving,
    normalize_record,
    resample,
)
from phasenet_keras.data.windows import chunks, padded_length
from phasenet_keras.types import ConfigError, ShapeError

# -- normalisation --------------------------------------------------------------------------------


@pytest.fixture
def official(shared):
    return np.load(shared / "fixtures/official_normalize.npz")


@pytest.mark.shared
def test_official_normalization_of_a_window(official):
    difference = normalize(official["raw9000"]) - official["normalize_9000"]
    assert np.abs(difference).max() < 1.1e-4  # values reach 25: float32 sums of the original


@pytest.mark.shared
@pytest.mark.parametrize("length", [9000, 7500, 4600, 3000, 2000, 1501])
def test_official_moving_normalization(official, length):
    ours = normalize_moving(official["raw9000"][:length], 3000)
    theirs = official[f"normalize_long_{length}"]
    assert np.allclose(ours, theirs, rtol=5e-6, atol=1e-5)


@pytest.mark.shared
def test_official_moving_normalization_of_special_records(official):
    raw = official["raw9000"]
    vertical, gap = raw.copy(), raw.copy()
    vertical[:, :2] = 0
    gap[2000:6500] = 0
    cases = {
        "normalize_long_9001": official["raw9001"],
        "normalize_long_9000_f64in": raw.astype(np.float64),
        "normalize_long_9000_onlyZ": vertical,
        "normalize_long_9000_gap2000_6500": gap,
    }
    for name, record in cases.items():
        ours, _ = normalize_record(record, 3000)
        assert np.allclose(ours, official[name], rtol=5e-6, atol=6e-5), name


@pytest.mark.shared
def test_constant_tail(official):
    """The deviation goes to 0 at sample 9000, linearly; ours is the exact quotient.

    The official float32 deviation of a constant window is rounding noise in place of 0, so the
    official output is off by noise over distance from the end, and by 1 at the last sample.
    """
    raw, theirs = official["raw_consttail_9001"], official["normalize_long_consttail_9001"]
    ours, _ = normalize_record(raw, 3000)
    to_the_end = (9000 - np.arange(9000))[:, None]
    assert (np.abs(ours - theirs)[:9000] < 1e-4 + 0.05 / to_the_end).all()
    assert np.allclose(ours[7500:9000], ours[7500], atol=1e-5)
    assert (ours[9000] == 0).all()


@pytest.mark.shared
def test_a_large_offset_costs_no_precision(official):
    """float32 input at 1e5 is itself good to 0.004 counts; the original's sums lose more."""
    raw = official["raw9000"] + np.float32(1e5)
    ours, _ = normalize_record(raw, 3000)
    exact, _ = normalize_record(raw.astype(np.float64) - 1e5, 3000)
    assert np.abs(ours - exact).max() < 2e-5
    assert np.abs(ours - official["normalize_long_9000_offset1e5"]).max() < 0.03


@settings(max_examples=25, deadline=None)
@given(
    n_samples=st.integers(151, 2000),
    scale=st.floats(1e-6, 1e6),
    offset=st.floats(-10, 10),
)
def test_normalization_knows_neither_scale_nor_offset(n_samples, scale, offset):
    record = np.random.default_rng(n_samples).standard_normal((n_samples, 2))
    for function in (normalize, lambda x: normalize_moving(x, 300)):
        assert np.allclose(function(record), function((record + offset) * scale), atol=1e-4)


def test_normalized_noise_has_mean_0_and_deviation_1():
    record = 7 + 3 * np.random.default_rng(0).standard_normal((50_000, 3))
    for normalized in (normalize(record), normalize_moving(record, 3000)):
        assert np.allclose(normalized.mean(axis=0), 0, atol=0.01)
        assert np.allclose(normalized.std(axis=0), 1, atol=0.01)
        assert normalized.dtype == np.float32


def test_dead_channels_are_zero_and_the_others_make_up_for_them():
    record = np.random.default_rng(0).standard_normal((400, 3)).astype("float32")
    alone = normalize(record)[:, 2]
    record[:, 0], record[:, 1] = 5.0, 0.0
    normalized, is_live = normalize_record(record, 3000)
    assert is_live.tolist() == [False, False, True]
    assert (normalized[:, :2] == 0).all()
    assert np.allclose(normalized[:, 2], 3 * alone, atol=1e-6)


# -- resampling -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("old", "new"), [(200, 100), (40, 100), (2000, 100), (250, 100)])
def test_resampling_keeps_phase_and_amplitude(old, new):
    duration = 20
    time_s = np.arange(duration * old) / old
    out = resample(np.sin(2 * np.pi * 5 * time_s)[:, None], old, new)[:, 0]
    assert len(out) == duration * new
    expected = np.sin(2 * np.pi * 5 * np.arange(len(out)) / new)
    inner = slice(2 * new, -2 * new)
    assert np.abs(out[inner] - expected[inner]).max() < 0.01


def test_what_the_new_rate_cannot_hold_is_filtered_out():
    tone = np.sin(2 * np.pi * 80 * np.arange(20_000) / 1000)[:, None]
    assert np.abs(resample(tone, 1000, 100)[200:-200]).max() < 0.01


# -- lengths --------------------------------------------------------------------------------------


@given(n=st.integers(1, 10**7), window=st.integers(1, 20_000), power=st.integers(0, 5))
def test_padded_lengths_are_congruent_to_the_window_and_least(n, window, power):
    grid = 4**power
    length = padded_length(n, window, grid)
    assert length % grid == window % grid
    assert length >= max(n, window)
    assert length - grid < n or length == window


@given(n=st.integers(1, 300_000), window=st.integers(1, 4000), core=st.integers(2048, 100_000))
def test_chunks_tile_the_record(n, window, core):
    n_padded = padded_length(n, window, 256)
    at = 0
    for piece in chunks(n_padded, window, 256, 1792, core):
        assert piece.keep_begin == at
        assert piece.begin % 256 == 0
        assert (piece.end - piece.begin) % 256 == window % 256
        assert piece.begin == max(0, piece.keep_begin - 1792)
        assert piece.end == n_padded or piece.end >= piece.keep_end + 1792
        at = piece.keep_end
    assert at == n_padded


# -- peaks ----------------------------------------------------------------------------------------


def has_the_fixtures_sort():
    """NumPy orders equal values by the processor's sort; the fixture was made with AVX-512."""
    from numpy._core._multiarray_umath import __cpu_features__

    return __cpu_features__.get("AVX512_SKX", False)


@pytest.mark.shared
def test_official_peaks(shared):
    fixture = np.load(shared / "fixtures/official_detect_peaks.npz")
    cases = [name[2:] for name in fixture.files if name.startswith("i_")]
    assert len(cases) > 30
    for case in cases:
        name, mph, mpd = case.rsplit("_", 2)
        mph = None if mph == "mphNone" else float(mph[3:])
        found = detect_peaks(fixture[f"x_{name}"], mph=mph, mpd=int(mpd[3:]))
        if "plateau" in case and "mpd50" in case and not has_the_fixtures_sort():
            # Ties: which of several equal peaks stays depends on the processor.
            assert abs(len(found) - len(fixture[f"i_{case}"])) <= 2
            continue
        assert np.array_equal(found, fixture[f"i_{case}"]), case
        assert np.allclose(fixture[f"x_{name}"][found], fixture[f"p_{case}"]), case


def reference(x, mph, mpd, threshold):
    """The definition, in words: slow and straight."""
    peaks = []
    for i in range(1, len(x) - 1):
        if np.isnan(x[i - 1 : i + 2]).any() or not (x[i] > x[i - 1] and x[i] >= x[i + 1]):
            continue
        if x[i] >= mph and min(x[i] - x[i - 1], x[i] - x[i + 1]) >= threshold:
            peaks.append(i)
    kept = []
    for i in sorted(peaks, key=lambda i: -x[i]):
        if mpd <= 1 or all(abs(i - j) > mpd for j in kept):
            kept.append(i)
    return sorted(kept)


@given(
    heights=st.lists(st.one_of(st.floats(-10, 10), st.just(float("nan"))), max_size=60),
    mph=st.sampled_from([-20.0, 0.0, 6.0]),
    mpd=st.sampled_from([1, 2, 3, 10]),
    threshold=st.sampled_from([0.0, 2.0]),
)
def test_peaks_follow_the_definition(heights, mph, mpd, threshold):
    finite = [value for value in heights if value == value]
    assume(len(set(finite)) == len(finite))  # ties are another matter
    found = detect_peaks(np.array(heights), mph=mph, mpd=mpd, threshold=threshold)
    assert found.tolist() == reference(np.array(heights), mph, mpd, threshold)


def test_reports_examples():
    """Height 6, distance 3 and threshold 2, each seen alone."""
    x = np.array([0, 7, 0, 5, 0, 8, 7, 9, 0, 6, 0], dtype=float)
    assert detect_peaks(x).tolist() == [1, 3, 5, 7, 9]
    assert detect_peaks(x, mph=6).tolist() == [1, 5, 7, 9]
    assert detect_peaks(x, mpd=3).tolist() == [1, 7]
    assert detect_peaks(x, threshold=2).tolist() == [1, 3, 7, 9]


def test_edges_of_plateaus():
    x = np.array([0, 1, 1, 1, 0, 2, 0])
    assert detect_peaks(x, edge="rising").tolist() == [1, 5]
    assert detect_peaks(x, edge="falling").tolist() == [3, 5]
    assert detect_peaks(x, edge="both").tolist() == [1, 3, 5]
    assert detect_peaks(x, edge=None).tolist() == [5]


def test_distance_is_inclusive_and_kpsh_keeps_equal_heights():
    x = np.zeros(20)
    x[[5, 8]] = 1.0, 0.9
    assert detect_peaks(x, mpd=3).tolist() == [5]
    assert detect_peaks(x, mpd=2).tolist() == [5, 8]
    x[8] = 1.0
    assert detect_peaks(x, mpd=3).size == 1
    assert detect_peaks(x, mpd=3, kpsh=True).tolist() == [5, 8]


def test_valleys_and_ends_and_nan():
    x = np.array([9, 1, 5, -3, 5, 2, 9], dtype=float)
    assert detect_peaks(x, valley=True).tolist() == [1, 3, 5]
    assert detect_peaks(x, valley=True, mph=0).tolist() == [3]
    assert detect_peaks(-x).tolist() == [1, 3, 5]
    assert detect_peaks(np.array([3, 2, 1])).size == 0
    assert detect_peaks(np.array([0, 1])).size == detect_peaks(np.array([])).size == 0
    assert detect_peaks(np.array([0, np.nan, 2, 0, 0, 1, 0])).tolist() == [5]


def test_peaks_refuse_what_they_cannot_use():
    with pytest.raises(ShapeError, match="one dimension"):
        detect_peaks(np.zeros((3, 3)))
    with pytest.raises(ConfigError, match="edge is one of"):
        detect_peaks(np.zeros(5), edge="up")
