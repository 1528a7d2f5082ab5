from __future__ import annotations

import json
import pickle
from dataclasses import fields

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
    TimeStretch,
    WhiteNoise,
    augment,
    recipe,
)
from phasenet_keras.data.examples import ExampleMaker
from phasenet_keras.data.field import FieldNoise, RandomResponse, TimeGain, TimeWarp
from phasenet_keras.data.labels import LABEL_SHAPES, LabelShape, draw_labels, label_of
from phasenet_keras.data.mixing import (
    BlendRecords,
    RecordedNoise,
    RotateHorizontals,
    StackEvents,
    add_noise,
    stretch_after,
)
from phasenet_keras.data.pool import RecordPool, Stretch
from phasenet_keras.training.config import STEPS, TrainConfig
from phasenet_keras.types import ConfigError, LabelledWaveform, Waveform

PHASES = ("N", "P", "S")
CHANNELS = ("E", "N", "Z")
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


def labelled(data, arrivals, channels=CHANNELS):
    wave = Waveform(data, 100.0, UTCDateTime(0), channels[-data.shape[1] :], "A")
    return LabelledWaveform(wave, arrivals)


def record(arrivals=None, n_samples=2000, n_channels=3, seed=0):
    data = np.random.default_rng(seed).standard_normal((n_samples, n_channels))
    return labelled(data, {"P": (900,), "S": (1100.5,)} if arrivals is None else arrivals)


def pool(*records, channels=CHANNELS, mask_unknown=True):
    return RecordPool(records, channels, PHASES, mask_unknown)


def rng(seed=0):
    return np.random.default_rng(seed)


# Labels


def test_ancestor_label_scales_with_the_window():
    shape = LabelShape.ancestor(1500)
    assert (shape.sigma_samples, shape.reach_samples) == (15.0, 30.0)
    drawn = draw_labels(1500, {"P": (700,)}, PHASES, LABEL_SHAPES["ancestor"])
    assert np.array_equal(drawn, draw_labels(1500, {"P": (700,)}, PHASES, shape))
    assert np.flatnonzero(drawn[:, 1])[[0, -1]].tolist() == [670, 730]
    assert drawn[715, 1] == pytest.approx(np.exp(-0.5), abs=1e-6)


def test_ancestor_label_at_the_edge_is_kept():
    inside = draw_labels(3000, {"P": (0,)}, PHASES, LabelShape.ancestor(3000))
    assert inside[0, 1] == 1.0
    assert (inside[:61, 1] > 0).all()
    beyond = draw_labels(3000, {"P": (3020,)}, PHASES, LabelShape.ancestor(3000))
    assert np.flatnonzero(beyond[:, 1]).tolist() == list(range(2960, 3000))


@given(
    p=st.floats(-20, 420),
    distance=st.floats(0, 12),
    name=st.sampled_from(sorted(LABEL_SHAPES)),
)
def test_phases_closer_than_the_width_share_it(p, distance, name):
    drawn = draw_labels(400, {"P": (p,), "S": (p + distance,)}, PHASES, LABEL_SHAPES[name])
    assert (drawn >= 0).all()
    assert np.allclose(drawn.sum(axis=1), 1.0, atol=1e-6)
    shape = label_of(name, 400)
    ours, theirs = shape.bump(400, p), shape.bump(400, p + distance)
    both = ours + theirs > 1
    assert np.allclose(drawn[both, 1], (ours / np.maximum(ours + theirs, 1))[both], atol=1e-6)
    assert (drawn[both, 0] == 0).all()


@given(
    arrival=st.floats(-100, 500),
    reach=st.floats(0, 60) | st.none(),
    kernel=st.sampled_from(["gaussian", "triangle", "box"]),
    on_grid=st.booleans(),
)
def test_the_piece_of_a_bump_is_all_of_it(arrival, reach, kernel, on_grid):
    shape = LabelShape(kernel, 6.0, reach, on_grid)
    distance = np.abs(np.arange(400) - (np.floor(arrival) if on_grid else arrival))
    whole = {
        "gaussian": np.exp(-((distance / 6.0) ** 2) / 2),
        "triangle": np.maximum(0.0, 1.0 - distance / 6.0),
        "box": (distance <= 6.0) * 1.0,
    }[kernel]
    expected = whole if reach is None else np.where(distance > reach, 0.0, whole)
    assert np.array_equal(shape.bump(400, arrival), expected)


# Recorded noise


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 10.0, 40.0])
def test_recorded_noise_has_the_stated_ratio(snr_db):
    data = rng(1).standard_normal((3000, 3)) * [1, 100, 1e4]
    for arrivals in ({"P": (), "S": ()}, {"P": (1500,)}):
        step = RecordedNoise(snr_db, snr_db, 1.0).bind(pool(record(arrivals, 4000, seed=2)))
        noisy, left = step(data, {"P": (3.0,)}, rng())
        noise = noisy - data
        ratio_db = 10 * np.log10(np.mean(data**2, axis=0) / np.mean(noise**2, axis=0))
        assert np.allclose(ratio_db, snr_db, atol=0.1)
        assert left == {"P": (3.0,)}


def test_noise_is_a_stretch_of_the_record():
    source = record({"P": (1600,), "S": (1700,)})
    step = RecordedNoise(0, 0, 1.0, least_samples=100, margin_samples=40).bind(pool(source))
    data = rng(1).standard_normal((500, 3))
    noise = step(data, {}, rng(3))[0] - data
    likeness = [
        np.corrcoef(noise[:, 0], source.waveform.data[begin : begin + 500, 0])[0, 1]
        for begin in range(1501)
    ]
    assert max(likeness) > 0.9999
    assert int(np.argmax(likeness)) <= 1560 - 500


def test_noise_comes_from_where_there_is_none_but_noise():
    records = (
        record({"P": (900,), "S": (1100,)}),  # before P
        record({"P": (), "S": ()}),  # all of it
        record({"P": (), "S": (800,)}),  # before S, as P was looked for
        record({"S": (1100,)}),  # P unknown: may be anywhere before
        record({"P": ()}),  # S unknown
        record({}),
        record({"P": (240,)}),  # too short
    )
    expected = [Stretch(0, 0, 850), Stretch(1, 0, 2000), Stretch(2, 0, 750)]
    assert pool(*records).noise_stretches(200, 50) == expected
    taken_as_absent = pool(*records, mask_unknown=False).noise_stretches(200, 50)
    assert [stretch.number for stretch in taken_as_absent] == [0, 1, 2, 3, 4, 5]


def test_short_noise_is_mirrored_and_dead_channels_stay_dead():
    noise_record = record({"P": (400,)}, n_samples=1000)
    step = RecordedNoise(10, 10, 1.0).bind(pool(noise_record))
    data = rng(1).standard_normal((1500, 3)).astype(np.float32)
    data[:, 1] = 0.0
    noise = step(data, {}, rng())[0] - data
    assert np.allclose(noise[350:700], noise[:350][::-1], atol=1e-6)
    assert (noise[:, 1] == 0).all()
    assert (noise[:, [0, 2]].std(axis=0) > 0).all()


def test_noise_without_power_adds_nothing():
    data = np.ones((100, 2), np.float32)
    noise = np.stack([np.full(100, 7.1), rng().standard_normal(100)], axis=1)
    noisy = add_noise(data, noise, 0.0)
    assert (noisy[:, 0] == 1).all()
    assert noisy[:, 1].std() == pytest.approx(1.0, abs=1e-4)


# Stacked events


def spikes(*samples, n_samples=600, height=1.0):
    data = np.zeros((n_samples, 1), np.float32)
    data[list(samples)] = height
    return data


def test_stacking_keeps_both_arrivals_and_superposes_exactly():
    second = labelled(spikes(100, 150, n_samples=900, height=40.0), {"P": (100,), "S": (150,)})
    step = StackEvents(0.5, 0.5, 1.0).bind(pool(second, channels=("Z",)))
    window, arrivals = spikes(200, 260), {"P": (200.0,), "S": (260.0,)}
    for seed in range(30):
        data, merged = step(window, arrivals, rng(seed))
        (new_p,) = [s for s in merged["P"] if s != 200.0] or [200.0]
        assert set(merged["P"]) == {200.0, new_p}
        assert set(merged["S"]) == {260.0, new_p + 50}
        assert 0 <= new_p < 600
        added = data - window
        begin = 100 - int(new_p)
        expected = np.zeros((600, 1))
        inside = slice(max(0, begin), begin + 600)
        piece = second.waveform.data[inside]
        expected[inside.start - begin :][: len(piece)] = piece
        expected[: inside.start - begin] = piece.mean()
        expected[inside.start - begin + len(piece) :] = piece.mean()
        expected -= expected.mean()
        scale = 0.5 * np.abs(window - window.mean()).max() / np.abs(expected).max()
        assert np.allclose(added, scale * expected, atol=1e-6)


def test_what_is_unknown_in_either_is_unknown_in_the_sum():
    for ours, theirs, known in (
        (("P", "S"), ("P", "S"), ("P", "S")),
        (("P", "S"), ("P",), ("P",)),
        (("P",), ("P", "S"), ("P",)),
        (("P",), ("S",), ()),
    ):
        other = record(dict.fromkeys(theirs, (300,)))
        step = StackEvents(1, 1, 1.0).bind(pool(other))
        arrivals = dict.fromkeys(ours, (100.0,))
        _, merged = step(rng().standard_normal((600, 3)), arrivals, rng())
        assert tuple(merged) == known
        assert all(len(samples) == 2 for samples in merged.values())


@pytest.mark.parametrize("mask_unknown", [True, False])
def test_the_mask_follows_the_stack(mask_unknown):
    records = [record({"P": (900,), "S": (1000,)}), record({"P": (900,)}, seed=1)]
    maker = ExampleMaker(
        records,
        CHANNELS,
        PHASES,
        1024,
        steps=[StackEvents(1, 1, 1.0)],
        alpha=1.0,
        mask_unknown=mask_unknown,
    )
    known = np.stack([maker.example(epoch, 0)[1][0, 3:] for epoch in range(20)])
    if mask_unknown:
        assert set(known[:, 2]) == {0.0, 1.0}
        assert (known[:, :2] == 1).all()
    else:
        assert (known == 1).all()
        targets = [maker.example(epoch, 0)[1] for epoch in range(20)]
        assert all(y[:, 2].max() >= 0.5 for y in targets)  # less than 1 where a P overlaps


def test_windows_without_an_arrival_and_dead_channels_are_left_alone():
    step = StackEvents(1, 1, 1.0).bind(pool(record()))
    data = rng().standard_normal((600, 3)).astype(np.float32)
    assert step(data, {"P": (-5.0, 600.0)}, rng())[0] is data
    data[:, 2] = 0.0
    stacked, _ = step(data, {"P": (5.0,)}, rng())
    assert (stacked[:, 2] == 0).all()
    assert not np.array_equal(stacked[:, 0], data[:, 0])


# Blended records


def bumps(p, s, n_samples=1000, width=8.0):
    numbers = np.arange(n_samples)
    heights = [np.exp(-(((numbers - at) / width) ** 2)) for at in (p, s)]
    return (heights[0] - heights[1])[:, None].astype(np.float32)


def test_time_is_stretched_from_a_sample_on():
    data = bumps(200, 400)
    longer = stretch_after(data, 200.5, 1.5)
    assert np.array_equal(longer[:201], data[:201])
    assert np.argmin(longer) == pytest.approx(200.5 + 1.5 * 199.5, abs=0.5)
    shorter = stretch_after(data, 200.5, 0.5)
    assert np.argmin(shorter) == pytest.approx(200.5 + 0.5 * 199.5, abs=0.5)
    assert (shorter[601:] == 0).all()


def test_p_and_s_of_both_records_come_together_where_the_label_is():
    # The other record has its P elsewhere and half as long an interval.
    partner = labelled(bumps(310.3, 410.3), {"P": (310.3,), "S": (410.3,)})
    step = BlendRecords(probability=1.0).bind(pool(partner, channels=("Z",)))
    window, arrivals = bumps(200, 400), {"P": (200.0,), "S": (400.0,)}
    intervals = []
    for seed in range(40):
        data, moved = step(window, arrivals, rng(seed))
        assert data.shape == window.shape
        assert data.dtype == np.float32
        assert moved["P"] == (200.0,)
        assert np.argmax(data) == pytest.approx(200, abs=1)
        assert np.argmin(data) == pytest.approx(moved["S"][0], abs=1)
        intervals.append(moved["S"][0] - 200)
    assert 100 <= min(intervals) < 115
    assert 185 < max(intervals) <= 200
    assert np.mean(intervals) == pytest.approx(144, abs=10)  # 100 / ln(2): uniform in the logarithm


def test_a_partner_has_a_similar_interval_and_one_p_and_one_s():
    window, arrivals = bumps(200, 400), {"P": (200.0,), "S": (400.0,)}
    near = labelled(bumps(200, 500), {"P": (200,), "S": (500,)})
    far = labelled(bumps(200, 700), {"P": (200,), "S": (700,)})
    others = [
        labelled(bumps(200, 400), {"P": (200,)}),
        labelled(bumps(9, 400), {"P": (), "S": (9,)}),
    ]
    step = BlendRecords(1.6, 1.0).bind(pool(*others, far, near, channels=("Z",)))
    blended = [step(window, arrivals, rng(seed))[1]["S"][0] for seed in range(20)]
    assert all(400 <= s <= 500 for s in blended)
    assert max(blended) > 480
    alone = BlendRecords(1.6, 1.0).bind(pool(far, channels=("Z",)))
    assert alone(window, arrivals, rng())[0] is window


@pytest.mark.parametrize(
    "arrivals",
    [
        {"P": (200.0,)},
        {"P": (200.0,), "S": ()},
        {"P": (200.0, 300.0), "S": (400.0,)},
        {"P": (400.0,), "S": (200.0,)},
    ],
)
def test_windows_of_other_arrivals_are_not_blended(arrivals):
    step = BlendRecords(probability=1.0).bind(pool(record(n_channels=1), channels=("Z",)))
    window = bumps(200, 400)
    data, moved = step(window, arrivals, rng())
    assert data is window
    assert moved == arrivals


def test_blending_leaves_dead_channels_dead():
    step = BlendRecords(probability=1.0).bind(pool(record()))
    data = rng(1).standard_normal((1200, 3)).astype(np.float32)
    data[:, 1] = 0.0
    blended, _ = step(data, {"P": (300.0,), "S": (500.0,)}, rng())
    assert (blended[:, 1] == 0).all()
    assert not np.array_equal(blended[:, 0], data[:, 0])


# Turned horizontals


def test_turning_horizontals_keeps_z_the_power_and_every_angle_of_a_polarised_wave():
    step = RotateHorizontals(1.0).bind(pool(record()))
    data = rng().standard_normal((600, 3)).astype(np.float32)
    data[:, 1] = 0.5 * data[:, 0]  # linearly polarised
    angles = []
    for seed in range(200):
        turned, arrivals = step(data, {"P": (5.0,)}, rng(seed))
        assert arrivals == {"P": (5.0,)}
        assert np.array_equal(turned[:, 2], data[:, 2])
        power = np.square(turned[:, :2]).sum(axis=1)
        assert np.allclose(power, np.square(data[:, :2]).sum(axis=1), rtol=1e-4)
        assert abs(np.corrcoef(turned[:, 0], turned[:, 1])[0, 1]) > 0.999
        angles.append(np.arctan2(turned[7, 1], turned[7, 0]))
    assert np.histogram(angles, 4, (-np.pi, np.pi))[0].min() > 25


def test_horizontals_are_known_by_name_and_dead_ones_left_alone():
    step = RotateHorizontals(1.0).bind(pool(record(), channels=("Z", "N", "E")))
    data = rng().standard_normal((50, 3)).astype(np.float32)
    turned, _ = step(data, {}, rng())
    assert np.array_equal(turned[:, 0], data[:, 0])
    assert not np.allclose(turned[:, 1:], data[:, 1:])
    data[:, 2] = 0.0
    assert step(data, {}, rng())[0] is data
    assert RotateHorizontals(0.0).bind(pool(record()))(data, {}, rng())[0] is data


# Stretched time


@settings(max_examples=60, deadline=None)
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


@settings(max_examples=60, deadline=None)
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


@settings(max_examples=30, deadline=None)
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
        (lambda: RecordedNoise(margin_samples=2.5), "whole numbers"),
        (lambda: RecordedNoise(float("nan")), "finite number"),
        (lambda: StackEvents(0, 1), "least_ratio is above 0"),
        (lambda: StackEvents(2, 1), "least_ratio is up to"),
        (lambda: StackEvents(probability=-1), r"\[0, 1\]"),
        (lambda: RotateHorizontals(2), r"\[0, 1\]"),
        (lambda: RotateHorizontals().bind(pool(record(), channels=("Z",))), "channels E and N"),
        (lambda: augment(np.ones((9, 3)), {}, [RotateHorizontals()], rng()), "bind"),
        (lambda: BlendRecords(0.5), "greatest_ratio is 1 or more"),
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
