"""Pseudo labels: how they are weighted, and which are chosen. The network is set by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from unlabelled import GIVEN, N, gather, load, onset, spike, traces_of

from phasenet_keras import Picker
from phasenet_keras.data.examples import ExampleMaker
from phasenet_keras.io.geometry import Geometry
from phasenet_keras.training.physics import reciprocity_weights
from phasenet_keras.training.pseudo_records import (
    GatherTrace,
    PseudoSettings,
    pseudo_labels,
    pseudo_records,
)
from phasenet_keras.training.survey import record_offsets
from phasenet_keras.types import ConfigError, LabelledWaveform


def test_examples_carry_the_weights_of_their_records():
    records = gather(1)[:2]
    maker = ExampleMaker(records, ("Z",), ("N", "P", "S"), 256, weights={"1_1": {"P": 0.4}})
    np.testing.assert_allclose(maker.example(0, 0)[1][0, 3:], [1, 0.4, 0])
    np.testing.assert_allclose(maker.example(0, 1)[1][0, 3:], [1, 1, 0])
    with pytest.raises(ConfigError, match="from 0 to 1"):
        ExampleMaker(records, ("Z",), ("N", "P", "S"), 256, weights={"1_1": {"P": 1.5}})


def around(n):
    """The nine of N records that are nearest to the n-th; of two as near, the left one."""
    return sorted(range(N), key=lambda m: (abs(m - n), m))[:9]


def test_pseudo_labels_are_corrected_weighted_and_chosen(finder):
    traces = traces_of([1], wrong={6: 300, 10: None})
    done = []
    picker = Picker(load(finder))
    table = pseudo_labels(picker, traces, GIVEN, on_record=lambda *n: done.append(n))
    assert done == [(n, N) for n in range(1, N + 1)]
    p = table[table["phase"] == "P"].reset_index(drop=True)
    assert p["how"].value_counts().to_dict() == {"kept": 14, "moved": 1, "filled": 1}
    assert (p["how"][5], p["how"][9]) == ("moved", "filled")
    kept = p["how"] == "kept"
    probability = np.where(kept, p["probability"], 0.0)
    support = [probability[around(n)].mean() for n in range(N)]
    expected = np.where(kept, p["probability"], support) * support
    expected = expected / (1 + (p["uncertainty_samples"] / 6) ** 2)
    np.testing.assert_allclose(p["weight"], expected)
    assert p["weight"][[5, 9]].max() < p["weight"][kept].min()
    assert table[table["phase"] == "S"]["weight"].max() < PseudoSettings().least_weight
    records, weights = pseudo_records(table, traces, PseudoSettings(least_weight=0.3))
    assert len(records) == N
    found = [record.arrivals["P"][0] for record in records]
    np.testing.assert_allclose(found, [onset(1, n + 1) for n in range(N)], atol=2.5)
    assert (records[5].name, records[5].gather) == ("unlabelled/5", "unlabelled/1")
    assert "S" not in records[5].arrivals
    assert weights["unlabelled/5"] == {"P": pytest.approx(p["weight"][5])}


def test_only_labels_of_enough_weight_are_chosen(finder):
    traces = traces_of([1])
    table = pseudo_labels(Picker(load(finder)), traces, GIVEN)
    at = np.flatnonzero(table["phase"] == "P")
    table.loc[at, "weight"] = np.linspace(0.1, 0.85, N)
    records, weights = pseudo_records(table, traces, PseudoSettings(least_weight=0.5))
    chosen = [n for n in range(N) if table["weight"][at[n]] >= 0.5]
    assert 0 < len(chosen) < N
    assert [record.name for record in records] == [f"unlabelled/{n}" for n in chosen]
    assert list(weights) == [record.name for record in records]
    assert pseudo_records(table, traces, PseudoSettings(least_weight=0.9)) == ([], {})


def test_mirrored_and_hopeless_gathers_give_no_labels(finder):
    hopeless = traces_of([2], wrong=dict.fromkeys(range(1, N + 1)))
    left = [GatherTrace("1", f"l{n}", -float(n + 1), gather(4)[n]) for n in range(3)]
    both = [*traces_of([1]), *left, *hopeless]
    table = pseudo_labels(Picker(load(finder)), both, GIVEN)
    mirrored = table[table["mirrored"] & (table["phase"] == "P")]
    assert len(mirrored) == 3
    assert (mirrored["weight"] == 0).all()
    assert (table[table["shot"] == "2"]["weight"] == 0).all()
    assert len(pseudo_records(table, both, PseudoSettings(least_weight=0.3))[0]) == N


def test_reciprocity_weighs_labels(finder):
    shots = (1, 6, 11, N)
    traces = [
        GatherTrace(
            str(shot), str(r), float(r - shot), LabelledWaveform(spike(at, r, (shot, r)), {})
        )
        for shot in shots
        for r in range(1, N + 1)
        # Shot 1 is late: its curve is as smooth as the others', but disagrees with them.
        for at in [100 + 6 * abs(r - shot) + 12 * (shot == 1)]
    ]
    weights = {}
    for correction in (GIVEN, replace(GIVEN, reciprocity=True)):
        table = pseudo_labels(Picker(load(finder)), traces, correction)
        weights[correction.reciprocity] = table["weight"].to_numpy()
    agreement = reciprocity_weights(table, least_spread=1.5)
    paired = np.isfinite(agreement)
    assert (paired & (table["phase"] == "P")).sum() == 12
    # Of the six pairs three are of shot 1 and 12 samples apart: less than 3 sigma, to a median.
    sigma = 1.4826 * np.median([12, 12, 12, 0, 0, 0])
    worst = 1 / (1 + (12 / (3 * sigma)) ** 2)
    assert agreement[paired].min() == pytest.approx(worst, abs=0.05)
    ratio = weights[True][paired] / weights[False][paired]
    np.testing.assert_allclose(ratio, agreement[paired], atol=0.02)


@pytest.mark.parametrize(
    "wrong", [{"least_weight": 1.5}, {"least_probability": -1}, {"half_weight_samples": 0}]
)
def test_settings_are_checked(wrong):
    with pytest.raises(ConfigError):
        PseudoSettings(**wrong)


def test_offsets_of_records():
    geometry = Geometry({"A": (3.0, 0.0, 0.0)}, {"1": (5.0, 0.0, 0.0)})
    assert record_offsets(["1"], ["A"], geometry) == [-2.0]
    assert record_offsets(["1"], ["A"], known=[7.0]) == [7.0]
    with pytest.raises(ConfigError, match="need offsets"):
        record_offsets(["1"], ["A"], known=[None])
    with pytest.raises(ConfigError, match="no record is of a shot"):
        record_offsets(["1"], ["B"], geometry)
