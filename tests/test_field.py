"""Steps that make simulations look like the field: onsets stay with their labels."""

from __future__ import annotations

import numpy as np
import pytest
from augmenting import rng
from hypothesis import given, settings
from hypothesis import strategies as st

from phasenet_keras.data.field import FieldNoise, RandomResponse, TimeGain, TimeWarp
from phasenet_keras.types import ConfigError


def hump(n_samples, sample, width=6.0):
    """A smooth bump that a spline reproduces."""
    return np.exp(-(((np.arange(n_samples) - sample) / width) ** 2))[:, None]


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), sample=st.floats(50, 1950), octaves=st.floats(0, 2))
def test_a_warp_moves_a_wave_with_its_label(seed, sample, octaves):
    step = TimeWarp(octaves, 0.3, 200.0, 1.0)
    warped, arrivals = step(hump(2000, sample, 12.0), {"P": (sample,), "S": ()}, rng(seed))
    assert warped.shape == (2000, 1)
    assert arrivals["S"] == ()
    [moved] = arrivals["P"]
    assert 0.01 * 2000 - 1 <= moved <= 0.9 * 2000 + 1
    assert abs(int(warped[:, 0].argmax()) - moved) <= 1.5


def test_a_warp_is_one_factor_where_it_does_not_change():
    factors, first = [], []
    for seed in range(60):
        step = TimeWarp(2.0, 0.0, probability=1.0)
        _, moved = step(hump(2000, 800), {"P": (800.0,), "S": (900.0, 1000.0)}, rng(seed))
        [p], (s, late) = moved["P"], moved["S"]
        assert late - p == pytest.approx(2 * (s - p))
        factors.append((s - p) / 100.0)
        first.append(p)
    assert 0.25 <= min(factors) < 0.3
    assert 3.3 < max(factors) <= 4.0
    assert min(first) < 100
    assert max(first) > 1600


def test_a_warp_changes_the_time_between_arrivals_and_drops_those_without_data():
    gaps = []
    for seed in range(40):
        step = TimeWarp(0.0, 0.5, 200.0, 1.0)
        _, moved = step(hump(2000, 600), {"P": (600.0,), "S": (900.0, 2001.0)}, rng(seed))
        [p], [s] = moved["P"], moved["S"]
        gaps.append(s - p)
    assert min(gaps) < 270 < 330 < max(gaps)


def test_beyond_its_data_a_warped_window_goes_on_as_it_ends():
    data = np.full((1000, 2), 3.0)
    warped, _ = TimeWarp(2.0, 0.5, probability=1.0)(data, {"P": (10.0,)}, rng(1))
    assert np.allclose(warped, 3.0, atol=1e-5)


def test_gain_is_smooth_and_as_large_as_stated():
    ends = []
    for seed in range(60):
        step = TimeGain(20.0, 0.0, probability=1.0)
        gained, arrivals = step(np.ones((501, 2)), {"P": (3.0,)}, rng(seed))
        decibel = 20 * np.log10(gained[:, 0])
        assert np.abs(np.diff(decibel, 2)).max() < 1e-4
        assert arrivals == {"P": (3.0,)}
        ends.append(decibel[-1] - decibel[0])
    assert -20 <= min(ends) < -15
    assert 15 < max(ends) <= 20
    bumpy, _ = TimeGain(0.0, 6.0, 50.0, 1.0)(np.ones((501, 1)), {}, rng())
    assert 3 < np.abs(20 * np.log10(bumpy)).max() <= 6


def test_what_comes_after_the_first_arrival_is_lost_steadily():
    losses = []
    for seed in range(60):
        step = TimeGain(0.0, 0.0, loss_db=12.0, probability=1.0)
        gained, _ = step(np.ones((501, 1)), {"P": (200.0,), "S": (-5.0, 300.0)}, rng(seed))
        decibel = 20 * np.log10(gained[:, 0])
        assert np.abs(decibel[:201]).max() < 1e-5
        assert np.abs(np.diff(decibel[200:], 2)).max() < 1e-4
        losses.append(decibel[200] - decibel[300])
    assert 0 <= min(losses) < 0.1
    assert 10 < max(losses) <= 12
    kept, _ = TimeGain(0.0, 0.0, loss_db=12.0, probability=1.0)(np.ones((501, 1)), {}, rng())
    assert (kept == 1).all()


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000))
def test_a_response_answers_at_once_and_not_before(seed):
    data = np.zeros((1024, 1))
    data[300:, 0] = rng(seed).standard_normal(724)
    filtered, arrivals = RandomResponse(probability=1.0)(data, {"P": (300.0,)}, rng(seed))
    assert arrivals == {"P": (300.0,)}
    peak = float(np.abs(filtered).max())
    assert np.abs(filtered[:300]).max() < 1e-4 * peak
    # The first sample of the answer is that of the input: no delay.
    assert filtered[300, 0] == pytest.approx(data[300, 0], abs=1e-4 * peak)


def test_a_response_of_order_one_is_a_difference():
    data = np.cumsum(rng().standard_normal((1024, 1)), axis=0)
    seen = []
    for seed in range(30):
        filtered, _ = RandomResponse(1.0, 1.0, -200.0, 1.0)(data, {}, rng(seed))
        difference = np.diff(data, axis=0)[200:]
        seen.append(np.corrcoef(filtered[201:, 0], difference[:, 0])[0, 1])
    assert max(seen) > 0.99


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), snr_db=st.floats(0, 60))
def test_noise_has_the_stated_power(seed, snr_db):
    data = hump(2048, 700.0, 60.0)
    noisy, arrivals = FieldNoise(snr_db, snr_db, 0.5, 0.5, 1.0)(data, {"P": (600.0,)}, rng(seed))
    added = noisy.astype(float) - data
    ratio = 10 * np.log10(np.mean(data**2) / np.mean(added**2))
    assert ratio == pytest.approx(snr_db, abs=0.05)
    assert arrivals == {"P": (600.0,)}


def test_a_window_of_nothing_becomes_noise_and_a_dead_channel_stays_dead():
    nothing, _ = FieldNoise(probability=0.0)(np.zeros((512, 2)), {}, rng())
    assert nothing.std(axis=0) == pytest.approx([1.0, 1.0], abs=1e-3)
    half = np.concatenate([np.zeros((512, 1)), hump(512, 200)], axis=1)
    noisy, _ = FieldNoise(probability=1.0)(half, {}, rng())
    assert (noisy[:, 0] == 0).all()
    assert (noisy[:, 1] != half[:, 1]).all()


def test_hum_is_a_line_in_the_spectrum():
    step = FieldNoise(10.0, 10.0, 1.0, 0.0, 1.0)
    spectra = [np.abs(np.fft.rfft(step.noise(4096, rng(seed)))) ** 2 for seed in range(20)]
    assert np.median([s.max() / s.sum() for s in spectra]) > 0.1


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (lambda: TimeWarp(-1), r"\[0, 3\]"),
        (lambda: TimeWarp(knot_samples=0), "knot_samples is at least 1"),
        (lambda: TimeGain(knot_samples=0), "knot_samples is at least 1"),
        (lambda: TimeGain(loss_db=-1), "loss_db is at least 0"),
        (lambda: RandomResponse(2.0, 1.0), "least_order is up to"),
        (lambda: RandomResponse(-3.0, 1.0), r"\[-2, 3\]"),
        (lambda: FieldNoise(5.0, 1.0), "least_snr_db is up to"),
        (lambda: FieldNoise(hum=2.0), r"hum is in \[0, 1\]"),
    ],
)
def test_mistakes_are_refused(mistake, words):
    with pytest.raises(ConfigError, match=words):
        mistake()
