"""Which rules of physics picks break, and how far reciprocal paths agree."""

from __future__ import annotations

import numpy as np
import pytest
from gathers import survey

from phasenet_keras.training.correction import CorrectionConfig
from phasenet_keras.training.physics import check_physics, reciprocity, reciprocity_weights
from phasenet_keras.training.pseudolabels import correct_picks
from phasenet_keras.training.robust import correct_gather
from phasenet_keras.types import ConfigError, ShapeError


def test_sound_picks_break_no_rule():
    assert check_physics(survey(), vp_vs=(1.4, 6.0)).empty


def test_each_rule_names_its_breaker():
    table = survey(shots=(1, 12))
    table.loc[(table.shot == 1) & (table.receiver == 4) & (table.phase == "S"), "sample"] = 65.0
    table.loc[(table.shot == 1) & (table.receiver == 12) & (table.phase == "P"), "sample"] = 110.0
    broken = check_physics(table).set_index("rule")
    assert broken.loc["p_before_s", ["shot", "receiver", "value"]].tolist() == [1, 4, -4.0]
    assert broken.loc["reciprocity", ["shot", "receiver", "value"]].tolist() == [1, 12, 17.0]
    named = broken.loc[["monotone"], ["shot", "receiver", "phase"]].to_numpy().tolist()
    assert sorted(named) == [[1, 4, "S"], [1, 12, "P"]]


def test_vp_vs_of_gathers():
    wrong = survey(shots=(1,), step=(3.0, 3.6))
    of_gather = check_physics(wrong)
    assert of_gather["rule"].tolist() == ["vp_vs"]
    assert of_gather["value"].tolist() == pytest.approx([1.2])
    with pytest.raises(ConfigError, match="least and greatest ratio"):
        check_physics(wrong, vp_vs=(2.0, 1.5))


def test_reciprocity_pairs():
    table = survey(shots=(1, 12, 24))
    pairs = reciprocity(table)
    assert len(pairs) == 6
    assert (pairs["difference"] == 0).all()


def test_pairs_of_paths_of_other_lengths_are_not_reciprocal():
    table = survey(shots=(1, 12))
    beside = table["receiver"] - table["shot"]
    # Each shot stands half a line away from the receiver of its number.
    assert len(reciprocity(table.assign(offset_m=beside + 12.0))) == 0
    assert len(reciprocity(table.assign(offset_m=beside + 0.1))) == 2


def test_weights_fall_with_the_difference_from_the_reciprocal_pick():
    table = survey(shots=(1, 12, 24), phases=("P",))
    late = (table.shot == 1) & (table.receiver == 12)
    table.loc[late, "sample"] += 6.0
    weights = reciprocity_weights(table, least_spread=2.0)
    assert weights[late] == pytest.approx([0.5])
    assert weights[(table.shot == 12) & (table.receiver == 1)] == pytest.approx([0.5])
    assert weights[(table.shot == 24) & (table.receiver == 1)] == [1.0]
    assert np.isnan(weights[table.receiver == 5]).all()
    # Without a least spread: that of the differences, 0 here, so that any difference is too much.
    assert reciprocity_weights(table)[late] == [0.0]


def test_reciprocity_mends_what_one_gather_alone_cannot_see():
    true = survey(shots=range(1, 25), phases=("P",))
    # The far third of a gather was picked a cycle late: a moveout as smooth as the true one.
    late = (true.shot == 1) & (true.receiver >= 17)
    picks = true.assign(sample=true["sample"] + np.where(late, 20.0, 0.0))
    worst = {}
    for weighed in (False, True):
        config = CorrectionConfig(choose="given", reciprocity=weighed)
        result = correct_picks(picks, config)
        worst[weighed] = (result["corrected_sample"] - true["sample"])[late].abs().max()
    assert worst[False] > 15
    assert worst[True] < 1
    assert result.loc[late, "reciprocity_weight"].max() < 0.1
    assert "reciprocity_weight" not in correct_picks(picks, CorrectionConfig(choose="given"))


def test_reciprocity_needs_shots_that_recorded_each_other():
    config = CorrectionConfig(choose="given", reciprocity=True)
    with pytest.raises(ConfigError, match="no two shots recorded each other"):
        correct_picks(survey(shots=(1,)), config)


def test_weights_of_picks(rng):
    offset = np.arange(1.0, 31.0)
    times = 40 + 4 * offset + rng.normal(0, 1, 30)
    plain = correct_gather(offset, times)
    same = correct_gather(offset, times, weights=np.ones(30))
    np.testing.assert_array_equal(plain.time, same.time)
    weights = np.where(offset > 20, 0.05, 1.0)
    less = correct_gather(offset, times, weights=weights)
    assert (less.uncertainty > plain.uncertainty)[offset > 20].all()
    for wrong in (0.0, 1.5, np.nan):
        with pytest.raises(ConfigError, match="above 0 and up to 1"):
            correct_gather(offset, times, weights=np.full(30, wrong))
    with pytest.raises(ShapeError, match="one a time"):
        correct_gather(offset, times, weights=[1.0])
