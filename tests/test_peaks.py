"""`detect_peaks`: the original's outputs, analytic cases, and a slow reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phasenet_keras import detect_peaks
from phasenet_keras.types import ConfigError, ShapeError


def peaks(x, **options):
    return detect_peaks(np.asarray(x), **options).tolist()


# -- the original ---------------------------------------------------------------------------------


def sorts_ties_as_then():
    """Tell if `numpy.argsort` orders ties as on the processor that made the fixture."""
    if np.__version__.startswith("1."):
        return False
    from numpy._core._multiarray_umath import __cpu_features__

    return bool(__cpu_features__.get("AVX512_SKX", False))


def assert_thinned(x, everything, kept, mpd, kpsh=False):
    """Whatever the order of ties: who stays has no higher one near, who goes has one near."""
    assert set(kept) <= set(everything)
    for i in everything:
        near = [j for j in kept if j != i and abs(i - j) <= mpd]
        if i in kept:
            assert all(x[j] == x[i] for j in near)
            assert kpsh or not near
        else:
            assert any(x[j] > x[i] or (not kpsh and x[j] == x[i]) for j in near)


@pytest.fixture(scope="module")
def official(shared):
    return np.load(shared / "fixtures/official_detect_peaks.npz")


@pytest.mark.shared
@pytest.mark.parametrize("mpd", [1, 50])
@pytest.mark.parametrize("mph", [None, 0.3, 0.1])
@pytest.mark.parametrize(
    "family",
    ["smooth", "plateau", "nan", "ties", "edge_first", "edge_last", "flat", "prob_P", "prob_S"],
)
def test_official_peaks(official, family, mph, mpd):
    x, case = official[f"x_{family}"], f"{family}_mph{mph}_mpd{mpd}"
    found = detect_peaks(x, mph=mph, mpd=mpd)
    heights = official[f"p_{case}"]
    if family in ("ties", "plateau") and mpd == 50 and not sorts_ties_as_then():
        # Which of several equal peaks stays depends on the processor's sort, and with it which
        # others go: without AVX-512 the plateaus come to 48 peaks in place of 49.
        assert_thinned(x, peaks(x, mph=mph), found.tolist(), mpd)
        if np.__version__.startswith("1."):
            pytest.skip("NumPy 1 has another sort: the same rule, other peaks of equal ones")
        assert len(found) == pytest.approx(len(heights), abs=1)
        assert x[found].max() == np.float32(heights.max())
        return
    assert found.tolist() == official[f"i_{case}"].tolist()
    assert np.array_equal(x[found], heights.astype("float32"))


@pytest.mark.shared
def test_every_official_case_is_among_these(official):
    assert len([name for name in official.files if name.startswith("i_")]) == 9 * 3 * 2


# -- a slow reference -----------------------------------------------------------------------------


def reference(x, mph=None, mpd=1, threshold=0.0, edge="rising", valley=False):
    """The docstring of `detect_peaks`, word by word; heights are distinct or mpd is 1."""
    x = [-float(value) for value in x] if valley else [float(value) for value in x]
    least = None if mph is None else (-mph if valley else mph)
    found = []
    for i in range(1, len(x) - 1):
        before, here, after = x[i - 1 : i + 2]
        if any(value != value for value in (before, here, after)):
            continue
        is_peak = before < here > after
        if edge in ("rising", "both"):
            is_peak = is_peak or before < here >= after
        if edge in ("falling", "both"):
            is_peak = is_peak or before <= here > after
        is_high = least is None or here >= least
        if is_peak and is_high and min(here - before, here - after) >= threshold:
            found.append(i)
    kept = []
    for i in sorted(found, key=lambda i: -x[i]):
        if mpd <= 1 or all(abs(i - j) > mpd for j in kept):
            kept.append(i)
    return sorted(kept)


MPH = st.sampled_from([None, -20, 0.0, 0.5, 6])
THRESHOLD = st.sampled_from([0.0, 0.5, 2])
EDGE = st.sampled_from([None, "rising", "falling", "both"])


@settings(max_examples=300)
@given(
    values=st.lists(st.integers(-10_000, 10_000), max_size=60, unique=True),
    nan_at=st.sets(st.integers(0, 59), max_size=4),
    mph=MPH,
    mpd=st.sampled_from([0, 1, 2, 3, 10, 1000]),
    threshold=THRESHOLD,
    edge=EDGE,
    valley=st.booleans(),
)
def test_series_of_distinct_heights(values, nan_at, mph, mpd, threshold, edge, valley):
    x = np.array(values) / 1000
    x[[n for n in nan_at if n < len(x)]] = np.nan
    options = {"mph": mph, "mpd": mpd, "threshold": threshold, "edge": edge, "valley": valley}
    assert peaks(x, **options) == reference(x, **options)


@settings(max_examples=300)
@given(
    x=st.lists(st.sampled_from([0, 1, 2, 4, 7, 8, 9]), max_size=40),
    mph=MPH,
    threshold=THRESHOLD,
    edge=EDGE,
    valley=st.booleans(),
)
def test_series_with_plateaus(x, mph, threshold, edge, valley):
    options = {"mph": mph, "threshold": threshold, "edge": edge, "valley": valley}
    assert peaks(x, **options) == reference(x, **options)


@settings(max_examples=200)
@given(
    x=st.lists(st.sampled_from([0, 1, 2, 3]), max_size=80),
    mpd=st.sampled_from([2, 3, 10]),
    kpsh=st.booleans(),
)
def test_thinning_among_ties_keeps_what_it_must(x, mpd, kpsh):
    assert_thinned(x, peaks(x), peaks(x, mpd=mpd, kpsh=kpsh), mpd, kpsh)


# -- analytic cases -------------------------------------------------------------------------------

REPORT = [0, 7, 0, 5, 0, 8, 7, 9, 0, 6, 0]


def test_height_6_distance_3_and_threshold_2():
    assert peaks(REPORT) == [1, 3, 5, 7, 9]
    assert peaks(REPORT, mph=6) == [1, 5, 7, 9]
    assert peaks(REPORT, mpd=3) == [1, 7]
    assert peaks(REPORT, threshold=2) == [1, 3, 7, 9]
    assert peaks(REPORT, mph=6, mpd=3, threshold=2) == [1, 7]


def test_a_height_is_inclusive_and_in_double_precision():
    x = np.zeros(9, np.float32)
    x[[2, 5]] = 0.3, 0.5
    # The float32 nearest to 0.3 is above it, that nearest to 0.7 is below.
    assert peaks(x, mph=0.3) == [2, 5]
    assert peaks(x, mph=0.5) == [5]
    assert peaks(x, mph=np.nextafter(0.5, 1)) == []
    x[5] = 0.7
    assert peaks(x, mph=0.7) == []


def test_a_distance_is_inclusive():
    x = np.zeros(30)
    x[[5, 8]] = 1.0, 0.9
    assert peaks(x, mpd=2) == [5, 8]
    assert peaks(x, mpd=3) == [5]
    assert peaks(x, mpd=1) == peaks(x, mpd=0) == [5, 8]


def test_a_removed_peak_removes_none():
    x = np.zeros(30)
    x[[5, 8, 11]] = 3.0, 2.0, 1.0
    assert peaks(x, mpd=3) == [5, 11]
    x[[5, 8, 11]] = 1.0, 2.0, 3.0
    assert peaks(x, mpd=3) == [5, 11]
    x[[5, 8, 11]] = 1.0, 3.0, 2.0
    assert peaks(x, mpd=3) == [8]


def test_a_threshold_is_to_both_neighbours_and_inclusive():
    x = [0, 5, 4, 0, 3, 0, 2, 4, 3.5, 0]
    assert peaks(x) == [1, 4, 7]
    assert peaks(x, threshold=0.5) == [1, 4, 7]
    assert peaks(x, threshold=1) == [1, 4]
    assert peaks(x, threshold=3) == [4]
    assert peaks(x, threshold=3.01) == []


@pytest.mark.parametrize(
    ("edge", "expected"),
    [("rising", [1, 6, 10]), ("falling", [3, 7, 10]), ("both", [1, 3, 6, 7, 10]), (None, [10])],
)
def test_edges_of_plateaus(edge, expected):
    x = [0, 1, 1, 1, 0, 0, 2, 2, 0, 0, 3, 0]
    assert peaks(x, edge=edge) == expected


@pytest.mark.parametrize(
    ("edge", "rise", "fall"),
    [("rising", [1], []), ("falling", [], [2]), ("both", [1], [2]), (None, [], [])],
)
def test_steps_count_by_their_edge(edge, rise, fall):
    """As the original: a step up is a rising edge, also where no fall follows at once."""
    assert peaks([0, 1, 1, 2], edge=edge) == rise
    assert peaks([2, 1, 1, 0], edge=edge) == fall


def test_a_constant_series_has_no_peak():
    for edge in ("rising", "falling", "both", None):
        assert peaks(np.ones(50), edge=edge) == []


def test_kpsh_keeps_equal_heights_and_removes_lower_ones():
    x = np.zeros(30)
    x[[5, 8, 10]] = 1.0, 1.0, 0.5
    assert len(peaks(x, mpd=3)) == 1 + (peaks(x, mpd=3) == [5, 10])
    assert peaks(x, mpd=3, kpsh=True) == [5, 8]
    assert peaks(x, mpd=1, kpsh=True) == [5, 8, 10]


def test_valleys():
    x = [9, 1, 5, -3, 5, 2, 9]
    assert peaks(x, valley=True) == [1, 3, 5]
    assert peaks(x, valley=True, mph=1) == [1, 3]
    assert peaks(x, valley=True, mph=0) == [3]
    assert peaks(x, valley=True, mpd=2) == [3]
    assert peaks(x, valley=True, threshold=7) == [3]
    assert peaks(np.array([9, 1, 5, 253, 5, 2, 9], np.uint8), valley=True) == [1, 5]


def test_no_peak_is_at_a_nan_or_beside_one():
    nan = np.nan
    assert peaks([0, 2, nan, 3, 0, 1, 0]) == [5]
    assert peaks([nan, 2, 0, 3, 0, 1, nan]) == [3]
    assert peaks([0, nan, 5, nan, 0]) == peaks([nan] * 5) == []
    assert peaks([0, 2, nan, 3, 0, 1, 0], valley=True) == [4]
    assert peaks([nan, 1, 0, 1, 0, nan, 0, 9, 0], mpd=3) == [3, 7]


def test_infinite_values_are_high():
    assert peaks([0, np.inf, 0, 1, 0, -np.inf, 0]) == [1, 3]
    assert peaks([0, np.inf, 0, 1, 0], mph=2) == [1]


def test_the_first_and_the_last_sample_are_never_peaks():
    assert peaks([3, 2, 1]) == peaks([1, 2, 3]) == peaks([9, 0, 9]) == []
    assert peaks([5, 5, 0, 5, 5], edge="both") == [1, 3]


@pytest.mark.parametrize("n_samples", [0, 1, 2])
def test_series_too_short_for_a_peak(n_samples):
    found = detect_peaks(np.arange(n_samples, dtype=float), mph=0.1, mpd=5)
    assert found.shape == (0,)
    assert found.dtype.kind == "i"


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "bool", "float16", "float32"])
def test_numbers_of_every_kind(dtype):
    assert peaks(np.array([0, 1, 0, 1, 1, 0], dtype)) == [1, 3]


def test_lists_are_taken_and_input_is_left_alone():
    x = np.array([0.0, 2, 0, 1, np.nan, 0])
    before = x.copy()
    assert detect_peaks(x.tolist()).tolist() == [1]
    detect_peaks(x, valley=True, mph=1, mpd=3)
    assert np.array_equal(x, before, equal_nan=True)


@pytest.mark.parametrize("shape", [(), (5, 1), (1, 5), (2, 3, 4)])
def test_one_dimension_is_wanted(shape):
    with pytest.raises(ShapeError, match="one dimension, received shape"):
        detect_peaks(np.zeros(shape))


@pytest.mark.parametrize("edge", ["up", "", "Rising", 1])
def test_an_unknown_edge_is_refused_with_those_that_there_are(edge):
    with pytest.raises(ConfigError, match="None, rising, falling, both; received"):
        detect_peaks(np.zeros(5), edge=edge)


def test_a_long_series_of_many_peaks_is_fast():
    """Linear in length: a day at 100 Hz takes a second at most, not the square of its peaks."""
    import time

    x = np.random.default_rng(0).random(1_000_000).astype("float32")
    started = time.perf_counter()
    found = detect_peaks(x, mph=0.3, mpd=50)
    assert time.perf_counter() - started < 5.0
    assert np.diff(found).min() > 50
