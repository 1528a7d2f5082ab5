"""Augmentations of one window; windows without arrivals; recipes and settings."""

from __future__ import annotations

import json
import pickle
from dataclasses import fields

import numpy as np
import pytest
from augmenting import CHANNELS, PHASES, labelled, pool, record, rng, spikes
from hypothesis import given, settings
from hypothesis import strategies as st

from phasenet_keras.data.augment import (
    Clip,
    DropChannels,
    Gap,
    Polarity,
    TimeStretch,
    WhiteNoise,
    augment,
    recipe,
)
from phasenet_keras.data.examples import ExampleMaker
from phasenet_keras.data.field import FieldNoise, RandomResponse, TimeGain, TimeWarp
from phasenet_keras.data.labels import LABEL_SHAPES, LabelShape, label_of
from phasenet_keras.data.mixing import (
    BlendRecords,
    RecordedNoise,
    RotateHorizontals,
    StackEvents,
)
from phasenet_keras.training.config import STEPS, TrainConfig
from phasenet_keras.types import ConfigError

ALL_STEPS = (
    TimeStretch(0.8, 1.2, 0.8),
    TimeWarp(probability=0.8),
    RandomResponse(probability=0.8),
    TimeGain(),
    FieldNoise(probability=0.8),
    StackEvents(0.2, 1.0, 0.8),
    BlendRecords(probability=0.8),
    RotateHorizontals(0.8),
    Polarity(),
    RecordedNoise(probability=0.8),
    WhiteNoise(),
    DropChannels(),
    Gap(),
    Clip(),
)

# Stretched time


@settings(max_examples=60)
@given(factor=st.floats(0.4, 2.5), where=st.floats(0.02, 0.98), seed=st.integers(0, 9))
def test_stretch_moves_a_spike_with_its_label(factor, where, seed):
    sample = int(where * 2000)
    data = spikes(sample, n_samples=2000)
    step = TimeStretch(factor, factor, 1.0)
    stretched, arrivals = step(data, {"P": (float(sample),), "S": ()}, rng(seed))
    assert stretched.shape == data.shape
    assert arrivals["S"] == ()
    moved = arrivals["P"][0]
    assert moved == pytest.approx(factor * sample, abs=0.01 * sample + 1e-9)
    if moved <= 1990:
        assert abs(int(stretched[:, 0].argmax()) - moved) <= 0.5 + 1e-6


def test_stretch_keeps_what_is_slow_and_takes_out_what_would_alias():
    time = np.arange(3000)
    slow = np.sin(2 * np.pi * 0.01 * time)[:, None]
    for factor in (0.7, 0.93, 1.2):
        stretched, _ = TimeStretch(factor, factor, 1.0)(slow, {}, rng())
        ratio = TimeStretch(factor, factor, 1.0)(slow, {"P": (1000.0,)}, rng())[1]["P"][0] / 1000
        expected = np.sin(2 * np.pi * 0.01 * time / ratio)
        middle = slice(100, int(3000 * min(1, ratio)) - 100)
        assert np.abs(stretched[middle, 0] - expected[middle]).max() < 5e-3
    fast = np.cos(2 * np.pi * 0.45 * time)[:, None]
    squeezed, _ = TimeStretch(0.7, 0.7, 1.0)(fast, {}, rng())
    assert np.abs(squeezed[100:2000]).max() < 0.01


def test_squeezing_leaves_no_arrival_beyond_the_data():
    data = rng().standard_normal((1000, 1))
    squeezed, arrivals = TimeStretch(0.8, 0.8, 1.0)(data, {"P": (-10, 500, 999, 1003)}, rng())
    assert arrivals["P"] == pytest.approx((-8, 400, 799.2))
    assert (squeezed[800:] == 0).all()
    _, arrivals = TimeStretch(1.25, 1.25, 1.0)(data, {"P": (500, 1003)}, rng())
    assert arrivals["P"] == pytest.approx((625, 1253.75))


# Gaps


@given(seed=st.integers(0, 10_000), samples=st.lists(st.floats(0, 499), max_size=4))
def test_arrivals_in_a_gap_are_gone_but_their_phase_is_known(seed, samples):
    data = np.ones((500, 1))
    gapped, left = Gap(0.9, 1.0)(data, {"P": tuple(samples)}, rng(seed))
    zeros = np.flatnonzero(gapped[:, 0] == 0)
    kept = tuple(s for s in samples if not zeros[0] <= s < zeros[-1] + 1)
    assert left == {"P": kept}


# Windows


@settings(max_examples=60)
@given(
    arrivals=st.lists(st.floats(0, 1999), min_size=1, max_size=4),
    shift=st.integers(0, 900),
    window=st.integers(100, 1200),
    seed=st.integers(0, 100),
    name=st.sampled_from(sorted(LABEL_SHAPES)),
)
def test_noise_windows_hold_no_arrival_where_there_is_room(arrivals, shift, window, seed, name):
    shape = label_of(name, window)
    source = record({"P": tuple(arrivals)}, n_channels=1)
    maker = ExampleMaker(
        [source], ("Z",), PHASES, window, shape, alpha=0.0, shift_samples=shift, seed=seed
    )
    reach = shape.support_samples
    begins = np.arange(-min(shift, window // 2), 2000 - window + min(shift, window - window // 2))
    free = [
        not any(begin - reach <= s <= begin + window - 1 + reach for s in arrivals)
        for begin in begins
    ]
    _, y = maker.example(0, 0)
    assert np.allclose(y[:, :3].sum(axis=1), 1, atol=1e-6)
    if any(free):
        assert y[:, 1].max() == 0.0


def test_noise_windows_are_drawn_from_all_quiet_places():
    maker = ExampleMaker(
        [record({"P": (1000,), "S": (1010,)})], CHANNELS, PHASES, 512, alpha=0.0, seed=1
    )
    begins = [maker._begin(maker.records[0], rng(seed)) for seed in range(400)]
    before, after = [b for b in begins if b < 1000], [b for b in begins if b >= 1000]
    assert max(before) <= 1000 - 15 - 512
    assert min(after) >= 1010 + 15
    assert (min(before), max(after)) == pytest.approx((0, 2000 - 512), abs=20)
    assert len(before) / 400 == pytest.approx(474 / (474 + 463), abs=0.1)


def test_without_room_windows_come_from_anywhere():
    maker = ExampleMaker(
        [record({"P": (300,)}, n_samples=600)], CHANNELS, PHASES, 512, alpha=0.0, shift_samples=50
    )
    begins = {maker._begin(maker.records[0], rng(seed)) for seed in range(300)}
    assert min(begins) < -40
    assert max(begins) > 120
    assert all(maker.example(0, i)[1][:, 1].max() == 1.0 for i in range(20))


def test_rate_of_windows_with_arrivals_is_alpha():
    maker = ExampleMaker([record()], CHANNELS, PHASES, 512, alpha=0.7)
    held = [maker.example(epoch, 0)[1][:, 1].max() == 1.0 for epoch in range(600)]
    assert np.mean(held) == pytest.approx(0.7, abs=0.06)


# The whole


def test_examples_are_the_same_whatever_was_made_before():
    records = [record(seed=0), record({"P": (), "S": ()}, seed=1), record({"P": (900,)}, seed=2)]
    options = {"steps": ALL_STEPS, "alpha": 0.8, "shift_samples": 100, "seed": 3}
    one = ExampleMaker(records, CHANNELS, PHASES, 1024, **options)
    two = pickle.loads(pickle.dumps(ExampleMaker(records, CHANNELS, PHASES, 1024, **options)))
    one.batch(0, range(7))
    x, y = one.batch(2, [5, 1, 30])
    for row, index in enumerate((5, 1, 30)):
        for made, expected in zip(two.example(2, index), (x[row], y[row]), strict=True):
            assert np.array_equal(made, expected)
    assert not np.array_equal(x, one.batch(3, [5, 1, 30])[0])


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_whatever_the_steps_targets_are_distributions(seed):
    records = [record(seed=0), record({"P": (700,)}, n_channels=1, seed=1)]
    maker = ExampleMaker(
        records, CHANNELS, PHASES, 512, steps=ALL_STEPS, shift_samples=64, seed=seed
    )
    x, y = maker.batch(0, range(4))
    assert x.dtype == y.dtype == np.float32
    assert np.isfinite(x).all()
    assert (y >= 0).all()
    assert np.allclose(y[..., :3].sum(axis=-1), 1, atol=1e-6)
    assert (y[..., 3] == 1).all()
    assert (x[1::2, :, :2] == 0).all()  # Z alone stays Z alone


def test_an_offset_counts_neither_as_signal_nor_as_a_step():
    plain = record(n_channels=1)
    shifted = labelled(plain.waveform.data + 1000.0, plain.arrivals)
    steps = (StackEvents(1, 1, 1.0), WhiteNoise(5, 5, 1.0), Gap(0.2, 1.0), Clip(0.2, 1.0))
    one, two = (
        ExampleMaker([source], ("Z",), PHASES, 512, steps=steps, alpha=1.0)
        for source in (plain, shifted)
    )
    for index in range(5):
        assert np.allclose(one.example(index, 0)[0], two.example(index, 0)[0], atol=0.01)


# Recipes and settings


def test_a_pipeline_prints_its_recipe():
    assert recipe([TimeStretch(), StackEvents(), RecordedNoise()]) == (
        "1. TimeStretch(least_factor=0.9, greatest_factor=1.1, probability=0.5)\n"
        "2. StackEvents(least_ratio=0.2, greatest_ratio=1.0, probability=0.2)\n"
        "3. RecordedNoise(least_snr_db=10.0, greatest_snr_db=40.0, probability=0.5, "
        "least_samples=256, margin_samples=50)"
    )
    assert recipe([]) == "no augmentation"


@pytest.mark.parametrize("name", sorted(STEPS))
def test_steps_survive_json(name):
    step = STEPS[name](probability=0.25)
    settings = {field.name: getattr(step, field.name) for field in fields(step)}
    config = TrainConfig(augmentation=({"name": name, **settings},))
    back = TrainConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert back == config
    assert back.steps == (step,)
    with pytest.raises(ConfigError, match=r"probabilty.*Did you mean 'probability'"):
        TrainConfig(augmentation=({"name": name, "probabilty": 0.5},))
    with pytest.raises(ConfigError, match=r"received '0\.5'"):
        TrainConfig(augmentation=({"name": name, "probability": "0.5"},))


def test_labels_by_name_and_by_width():
    assert TrainConfig().label == LabelShape()
    assert TrainConfig(label_sigma_samples=4, label_reach=3).label.reach_samples == 12
    config = TrainConfig(label_shape="ancestor", window_samples=1536)
    assert config.label == LabelShape.ancestor(1536)
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))).label == config.label
    assert TrainConfig(label_shape="official_20").label == LABEL_SHAPES["official_20"]
    with pytest.raises(ConfigError, match="Did you mean 'ancestor'"):
        TrainConfig(label_shape="ancester")
    with pytest.raises(ConfigError, match="leave out either"):
        TrainConfig(label_shape="official", label_sigma_samples=3)


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (lambda: RecordedNoise(30, 10), "least_snr_db is up to greatest_snr_db"),
        (lambda: RecordedNoise(least_samples=0), "least_samples"),
        (lambda: RecordedNoise(margin_samples=2.5), "margin_samples is a whole number from 0"),
        (lambda: RecordedNoise(float("nan")), "finite number"),
        (lambda: StackEvents(0, 1), "least_ratio is above 0"),
        (lambda: StackEvents(2, 1), "least_ratio is up to"),
        (lambda: StackEvents(probability=-1), r"\[0, 1\]"),
        (lambda: RotateHorizontals(2), r"\[0, 1\]"),
        (lambda: RotateHorizontals().bind(pool(record(), channels=("Z",))), "channels E and N"),
        (lambda: augment(np.ones((9, 3)), {}, [RotateHorizontals()], rng()), "bind"),
        (lambda: BlendRecords(0.5), "greatest_ratio is at least 1"),
        (lambda: BlendRecords().bind(pool(record({"P": (3,)}))), "one P and one S"),
        (lambda: augment(np.ones((9, 1)), {}, [BlendRecords()], rng()), "bind"),
        (lambda: TimeStretch(1.2, 1.1), "least_factor is up to"),
        (lambda: TimeStretch(0, 1), r"\[0.1, 10\]"),
        (lambda: RecordedNoise().bind(pool(record({"P": (3,)}))), "Add noise records"),
        (lambda: StackEvents().bind(pool(record({"P": ()}))), "Leave it out"),
        (lambda: augment(np.ones((9, 1)), {}, [StackEvents()], rng()), "bind"),
        (lambda: augment(np.ones((9, 1)), {}, [RecordedNoise()], rng()), "bind"),
        (
            lambda: ExampleMaker([record({})], CHANNELS, PHASES, 512, steps=[RecordedNoise()]),
            "Add noise records",
        ),
    ],
)
def test_mistakes_are_refused_with_a_remedy(mistake, words):
    with pytest.raises(ConfigError, match=words):
        mistake()
