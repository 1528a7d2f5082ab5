"""STA/LTA triggers refined by AIC, beside which a network is shown."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_runs import onsets

from phasenet_keras.io.example import read_example_line
from phasenet_keras.training.evaluate import score_picked
from phasenet_keras.training.label_offset import label_offsets
from phasenet_keras.training.matching import tolerance_of
from phasenet_keras.training.triggers import Trigger, fitted_trigger
from phasenet_keras.types import LabelledWaveform, Waveform

RATE_HZ = 100.0
TRIGGER = Trigger(sta_samples=5, lta_samples=50, ratio=5.0)


def record(onset_samples, noise=0.01, n_samples=600, channels=("Z",), **fields):
    """Noise in which bursts of 60 samples set in."""
    rng = np.random.default_rng(0)
    data = noise * rng.normal(size=(n_samples, len(channels)))
    for at in onset_samples:
        data[at : at + 60] += rng.choice((-1.0, 1.0), size=(60, 1))
    wave = Waveform(data, RATE_HZ, "2024-01-01", channels, "XX.A..HH")
    return LabelledWaveform(wave, {"P": tuple(onset_samples)}, **fields)


def samples_of(trigger, one):
    [picked] = trigger.pick([one])
    assert all((p.phase, p.station) == ("P", "XX.A..HH") for p in picked.picks)
    return [round((p.time - one.waveform.start_time) * RATE_HZ) for p in picked.picks]


@pytest.mark.parametrize("noise", [0.0, 0.01])
@pytest.mark.parametrize("at", [120, 200, 333])
def test_a_pick_is_the_first_sample_of_the_signal(at, noise):
    assert samples_of(TRIGGER, record([at], noise)) == [at]


@given(scale=st.floats(1e-9, 1e9), offset=st.floats(-1e3, 1e3))
def test_neither_the_unit_nor_an_offset_moves_a_pick(scale, offset):
    one = record([200])
    data = scale * (one.waveform.data.astype(float) + offset)
    # What float32 leaves of the noise beside the offset is still noise.
    assert samples_of(TRIGGER, replace(one, waveform=replace(one.waveform, data=data))) == [200]


@pytest.mark.parametrize(("ratio", "n_samples"), [(2.0, 1), (3.0, 2), (3.6, 4)])
def test_without_aic_a_pick_is_where_the_ratio_is_reached(ratio, n_samples):
    """By hand, n samples into a power of 1 after one of 0.1: the short and the long average."""
    averages = [(1 - 0.9 * 0.8**n) / (1 - 0.9 * 0.98**n) for n in range(1, 6)]
    assert next(n for n, value in enumerate(averages, start=1) if value > ratio) == n_samples
    signs = np.tile([1.0, -1.0], 300)[:, None]
    data = signs * np.where(np.arange(600) < 200, 0.1**0.5, 1.0)[:, None]
    one = replace(record([200]), waveform=replace(record([200]).waveform, data=data))
    assert samples_of(Trigger(5, 50, ratio, is_refined=False), one) == [200 + n_samples - 1]


def test_a_record_has_as_many_picks_as_it_may_the_first_ones():
    one = record([120, 500, 900], n_samples=1200)
    assert samples_of(TRIGGER, one) == [120]
    assert samples_of(replace(TRIGGER, most=2), one) == [120, 500]


def test_a_high_pass_takes_away_what_is_slow():
    one = record([300])
    slow = 20 * np.sin(2 * np.pi * 0.3 * np.arange(600) / RATE_HZ)[:, None]
    swaying = replace(one, waveform=replace(one.waveform, data=one.waveform.data + slow))
    [at] = samples_of(replace(TRIGGER, corner=0.05), swaying)
    assert abs(at - 300) <= 1
    assert samples_of(TRIGGER, swaying) != [at]


def test_the_vertical_counts_and_another_channel_where_it_is_dead():
    one = record([200], channels=("E", "N", "Z"))
    noise = one.waveform.data.copy()
    noise[:, :2] = np.random.default_rng(1).normal(size=(600, 2))
    assert samples_of(TRIGGER, replace(one, waveform=replace(one.waveform, data=noise))) == [200]
    dead = one.waveform.data.copy()
    dead[:, 2] = 7.0
    assert samples_of(TRIGGER, replace(one, waveform=replace(one.waveform, data=dead))) == [200]


@pytest.mark.parametrize("data", [np.zeros((600, 1)), np.ones((600, 1)), np.ones((20, 1))])
def test_nothing_is_picked_where_nothing_is(data):
    one = record([10])
    assert samples_of(TRIGGER, replace(one, waveform=replace(one.waveform, data=data))) == []


def test_the_best_trigger_finds_most_of_a_line_of_which_it_knows_a_third():
    """AIC sets in some samples after the onsets of this noisy line, by nearly the same time."""
    line, tolerance = read_example_line(), tolerance_of(tolerance_samples=5)
    trigger = fitted_trigger(line[::3], tolerance)
    picked = trigger.pick([one for n, one in enumerate(line) if n % 3])
    scores = score_picked(picked, {"P": 1.0}, tolerance)
    assert scores["P"].f1 < 0.6
    assert label_offsets(picked, scores)["P"].f1_moved > 0.9
    assert trigger == fitted_trigger(line[::3], tolerance)


def test_a_trigger_is_fitted_to_labels_of_another_definition_as_well():
    """Labels 20 samples late: the same settings are the best, and the offset is not theirs."""
    tolerance = tolerance_of(tolerance_samples=5)
    known = onsets(12)
    late = [replace(r, arrivals={"P": (r.arrivals["P"][0] + 20,)}) for r in known]
    assert fitted_trigger(late, tolerance) == fitted_trigger(known, tolerance)


def test_few_records_fit_nothing():
    tolerance = tolerance_of(tolerance_samples=5)
    unknown = [replace(r, arrivals={"P": ()}) for r in onsets(9)]
    assert fitted_trigger([*onsets(7), *unknown], tolerance) is None
    assert fitted_trigger([*onsets(8), *unknown], tolerance) is not None


def test_records_may_have_several_events():
    known = [record([120, 300], name=f"r{n}") for n in range(8)]
    assert fitted_trigger(known, tolerance_of(tolerance_samples=5)).most == 2


def test_one_long_record_does_not_leave_out_most_of_the_others():
    """That the second record was looked at is seen by how many picks a record may have."""
    known = [record([120, 300] if n == 1 else [120], name=f"r{n}") for n in range(20)]
    known.append(record([120], n_samples=1_000_000, name="long"))
    assert fitted_trigger(known, tolerance_of(tolerance_samples=5)).most == 2
