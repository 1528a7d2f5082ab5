from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from obspy import UTCDateTime

from phasenet_keras.data.augment import (
    Clip,
    DropChannels,
    Gap,
    Polarity,
    WhiteNoise,
    add_white_noise,
    augment,
)
from phasenet_keras.data.examples import ExampleMaker, known_phases
from phasenet_keras.data.pool import cut_window
from phasenet_keras.types import ConfigError, LabelledWaveform, ShapeError, Waveform

PHASES = ("N", "P", "S")


def record(n_samples=1000, arrivals=None, n_channels=3, seed=0):
    data = np.random.default_rng(seed).standard_normal((n_samples, n_channels))
    channels = ("E", "N", "Z")[-n_channels:]
    wave = Waveform(data, 100.0, UTCDateTime(0), channels, "A")
    return LabelledWaveform(wave, {"P": (300,), "S": (450,)} if arrivals is None else arrivals)


def maker(records, **options):
    options = {"window_samples": 512, **options}
    return ExampleMaker(records, ("E", "N", "Z"), PHASES, **options)


def test_an_example_depends_on_seed_epoch_and_index_alone():
    steps = (Polarity(), WhiteNoise(), DropChannels(), Gap(), Clip())
    one = maker([record(seed=0), record(seed=1)], steps=steps, seed=5)
    two = maker([record(seed=0), record(seed=1)], steps=steps, seed=5)
    one.example(0, 0)
    for epoch, index in ((0, 0), (3, 1), (3, 7)):
        for a, b in zip(one.example(epoch, index), two.example(epoch, index), strict=True):
            assert np.array_equal(a, b)
    assert not np.array_equal(one.example(0, 0)[0], one.example(1, 0)[0])
    other = maker([record(seed=0), record(seed=1)], steps=steps, seed=6)
    assert not np.array_equal(one.example(0, 0)[0], other.example(0, 0)[0])


@settings(max_examples=40)
@given(seed=st.integers(0, 1000), shift=st.integers(0, 300), p=st.integers(0, 800))
def test_windows_hold_both_arrivals_where_they_fit(seed, shift, p):
    source = record(arrivals={"P": (p,), "S": (p + 150,)})
    examples = maker([source], alpha=1.0, shift_samples=shift, seed=seed)
    _, y = examples.example(0, 0)
    assert y[:, 1].max() == 1.0
    assert y[:, 2].max() == 1.0
    assert abs(int(y[:, 2].argmax()) - int(y[:, 1].argmax()) - 150) <= 1


def test_targets_follow_the_samples():
    data = np.zeros((1000, 1), np.float32)
    data[300] = 1.0
    source = LabelledWaveform(
        Waveform(data, 100.0, UTCDateTime(0), ("Z",), "A"), {"P": (300,), "S": ()}
    )
    examples = ExampleMaker([source], ("Z",), PHASES, 256, shift_samples=100)
    for index in range(20):
        x, y = examples.example(index, 0)
        if y[:, 1].max() == 1.0:
            assert x[:, 0].argmax() == y[:, 1].argmax()


def test_unknown_is_not_noise():
    assert known_phases({"P": (3,)}, PHASES, True).tolist() == [1, 1, 0]
    assert known_phases({"P": (3,)}, PHASES, False).tolist() == [1, 1, 1]
    assert known_phases({"P": (), "S": ()}, PHASES, True).tolist() == [1, 1, 1]
    _, y = maker([record(arrivals={"P": (300,)})]).example(0, 0)
    assert y.shape == (512, 6)
    assert (y[:, 3:] == [1, 1, 0]).all()


def test_records_shorter_than_the_window_are_padded_with_their_mean():
    window, arrivals = cut_window(np.full((10, 2), 7.0), {"P": (3,)}, -4, 20)
    assert window.shape == (20, 2)
    assert (window == 7.0).all()
    assert arrivals == {"P": (7,)}


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 30.0])
def test_noise_has_the_stated_ratio(snr_db):
    rng = np.random.default_rng(0)
    signal = np.stack([np.sin(np.arange(200_000) / 7), 100 * np.cos(np.arange(200_000))], 1)
    noise = add_white_noise(signal, snr_db, rng) - signal
    ratio_db = 10 * np.log10(np.mean(signal**2, axis=0) / np.mean(noise**2, axis=0))
    assert np.allclose(ratio_db, snr_db, atol=0.1)


def test_each_augmentation_does_what_it_says():
    rng = np.random.default_rng(0)
    data, arrivals = np.random.default_rng(1).standard_normal((500, 3)), {"P": (100.0,)}
    turned, _ = augment(data, arrivals, [Polarity(1.0)], rng)
    assert np.array_equal(turned, -data)
    for _ in range(20):
        dropped, _ = augment(data, arrivals, [DropChannels(1.0)], rng)
        assert 1 <= (dropped == 0).all(axis=0).sum() <= 2
        clipped, _ = augment(data, arrivals, [Clip(0.3, 1.0)], rng)
        assert 0.3 * np.abs(data).max() <= np.abs(clipped).max() <= np.abs(data).max()
        gapped, left = augment(data, arrivals, [Gap(0.9, 1.0)], rng)
        assert left["P"] == (() if (gapped[100] == 0).all() else (100.0,))
        assert (gapped == 0).all(axis=1).any()
    assert (data != 0).all()  # the input is never changed


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_step_that_gives_no_finite_samples_is_refused(bad):
    def step(data, arrivals, rng):
        data = data.copy()
        data[100, 1] = bad
        return data, arrivals

    with pytest.raises(ShapeError, match=r"not finite after the steps:\n1\. Polarity.*\n2\. <func"):
        maker([record()], steps=(Polarity(), step)).example(0, 0)


def test_windows_are_a_whole_number_of_samples():
    for value in (0, -512, 512.5, "512", np.nan):
        with pytest.raises(ConfigError, match="window_samples is a whole number from 1 on"):
            maker([record()], window_samples=value)
    x, y = maker([record()], window_samples=512.0).example(0, 0)
    again = maker([record()], window_samples=np.int64(512)).example(0, 0)
    assert x.shape == (512, 3)
    assert np.array_equal(x, again[0])
    assert np.array_equal(y, again[1])


def test_recipes_are_printed_and_mistakes_refused():
    assert repr(WhiteNoise(10, 40, 0.5)) == (
        "WhiteNoise(least_snr_db=10, greatest_snr_db=40, probability=0.5)"
    )
    for wrong in (
        lambda: Polarity(2),
        lambda: WhiteNoise(30, 10),
        lambda: Gap(1.5),
        lambda: Clip(0),
        lambda: maker([]),
        lambda: maker([record()], alpha=3),
    ):
        with pytest.raises(ConfigError):
            wrong()


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"north": {"P": 0.0}}, r"by the name of a training record, received 'north'\. Known: r0"),
        ({"R0": {"P": 0.0}}, r"received 'R0'\. Did you mean 'r0'\?"),
        ({"r0": {"p": 0.0}}, "weights of a record are by phase, received 'p'"),
        ({"r0": {"P": 0.0}, "zz": {}}, "received 'zz'"),
    ],
)
def test_weights_of_what_is_not_there_are_refused(weights, words):
    named = replace(record(), name="r0")
    with pytest.raises(ConfigError, match=words):
        maker([named], weights=weights)
    y = maker([named], weights={"r0": {"P": 0.25}}).example(0, 0)[1]
    assert y[0, 3:].tolist() == [1.0, 0.25, 1.0]
