"""Augmentations that draw from other records, and turned horizontals."""

from __future__ import annotations

import numpy as np
import pytest
from augmenting import CHANNELS, PHASES, labelled, pool, record, rng, spikes

from phasenet_keras.data.examples import ExampleMaker
from phasenet_keras.data.mixing import (
    BlendRecords,
    RecordedNoise,
    RotateHorizontals,
    StackEvents,
    add_noise,
    stretch_after,
)
from phasenet_keras.data.pool import Stretch

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
