"""Which rules of physics picks break, and how far reciprocal paths agree."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from gathers import survey
from hypothesis import given, settings
from hypothesis import strategies as st

from phasenet_keras.training.correction import CorrectionConfig
from phasenet_keras.training.physics import (
    check_physics,
    reciprocity,
    reciprocity_weights,
    said_of_speed,
    shot_column,
)
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
    for bounds in ((1.0, 2.0), (1.5, 1.5)):
        with pytest.raises(ConfigError, match="above 1, received"):
            check_physics(wrong, vp_vs=bounds)
    # Ratios as they may be by themselves, and times in s, less than one apart.
    for ratio, is_named in ((1.35, True), (1.45, False), (5.9, False), (6.1, True)):
        table = survey(shots=(1,), step=(3.0, 3.0 * ratio))
        of_gather = check_physics(table.assign(time_s=table.pop("sample") / 1000))
        assert of_gather["value"].tolist() == (pytest.approx([ratio]) if is_named else [])
        assert of_gather["limit"].tolist() == [1.4 if ratio < 2 else 6.0] * is_named
    exact = survey(shots=(1,), step=(2.0, 3.0))
    for bounds in ((1.5, 6.0), (1.2, 1.5)):
        assert check_physics(exact, bounds).empty
    assert check_physics(survey(shots=(1,), receivers=7, step=(3.0, 3.6))).empty
    assert len(check_physics(survey(shots=(1,), receivers=8, step=(3.0, 3.6)))) == 1


def line_of(times, shot=1):
    receivers = range(1, len(times) + 1)
    return pd.DataFrame({"shot": shot, "receiver": receivers, "phase": "P", "sample": times})


@pytest.mark.parametrize(
    ("times", "named", "value"),
    [
        ([10.0, 12.0, 30.0, 14.0, 16.0], 3, 16.0),  # above those that follow
        ([10.0, 20.0, 5.0, 30.0, 40.0], 3, 15.0),  # below those before
        ([25.0, 12.0, 13.0, 14.0, 16.0], 1, 13.0),  # at the source
        ([10.0, 12.0, 14.0, 16.0, 9.0], 5, 7.0),  # the last
    ],
)
def test_a_fall_is_the_greatest(times, named, value):
    broken = check_physics(line_of(times))
    said = broken[["rule", "receiver", "value", "limit"]].to_numpy().tolist()
    assert said == [["monotone", named, value, 0.0]]


def test_a_pick_at_the_source_is_of_one_side():
    table = line_of([20.0, 10.0, 25.0, 12.0, 14.0], shot=3)
    assert check_physics(table)["receiver"].tolist() == [3]


@settings(max_examples=40)
@given(times=st.lists(st.integers(0, 9), min_size=1, max_size=9))
def test_as_few_as_can_be_are_named(times):
    longest = [1] * len(times)
    for i in range(len(times)):
        longest[i] += max((longest[j] for j in range(i) if times[j] <= times[i]), default=0)
    named = check_physics(line_of([float(time) for time in times]))["receiver"].tolist()
    assert len(named) == len(times) - max(longest)
    left = [time for receiver, time in enumerate(times, 1) if receiver not in named]
    assert left == sorted(left)


def test_a_gather_is_a_shot_where_there_is_no_other():
    assert shot_column(pd.DataFrame(columns=["gather"])) == "gather"
    assert shot_column(pd.DataFrame(columns=["gather", "shot"])) == "shot"
    assert shot_column(pd.DataFrame(columns=["receiver"])) == "shot"


def test_columns_that_lack_are_named():
    with pytest.raises(ConfigError, match=r"times: add receiver, phase$"):
        check_physics(survey()[["shot", "sample"]])
    with pytest.raises(ConfigError, match=r"times: add sample or time_s$"):
        check_physics(survey().drop(columns="sample"))


@pytest.mark.parametrize(
    ("column", "scale", "least", "unit"),
    [("offset_m", 0.75, 10.0, "m/s"), ("receiver", 1.0, 1.0, "receivers a second")],
)
def test_how_slow_arrivals_may_be(column, scale, least, unit):
    table = line_of([0.0] * 4).assign(shot=0).drop(columns="sample")
    if column == "offset_m":
        table["offset_m"] = scale * table["receiver"]
    slow = table.assign(time_s=scale * table["receiver"] / (0.99 * least))
    assert f"would travel at {0.99 * least:.2g} {unit};" in said_of_speed(slow)
    assert said_of_speed(table.assign(time_s=scale * table["receiver"] / least)) == ""
    assert said_of_speed(slow.iloc[:3]) == ""  # too few
    assert said_of_speed(slow.assign(time_s=1.0)) == ""
    assert said_of_speed(slow.rename(columns={"time_s": "sample"})) == ""
    # A fifth of the times may be anything: the speed is that between the quartiles.
    line = pd.concat([slow.assign(receiver=slow["receiver"] + 4 * n) for n in range(5)])
    if column == "offset_m":
        line["offset_m"] = scale * line["receiver"]
    line["time_s"] = scale * line["receiver"] / (2.0 * least)
    line.iloc[[0, 19], line.columns.get_loc("time_s")] = [0.0, 1e6]
    assert said_of_speed(line) == ""


def test_reciprocity_pairs():
    table = survey(shots=(1, 12, 24))
    pairs = reciprocity(table)
    assert list(pairs) == ["shot", "receiver", "phase", "difference"]
    assert pairs.index.tolist() == list(range(6))
    assert (pairs["difference"] == 0).all()


@pytest.mark.parametrize(("late", "is_named"), [(8.5, False), (9.5, True)])
def test_reciprocal_picks_differ_by_three_deviations_at_most(late, is_named):
    table = survey(shots=range(1, 7), receivers=6, phases=("P",))
    pairs = table.index[table.shot < table.receiver]
    # Fifteen: their median is 1, the median distance from it 2, three deviations 8.9.
    table.loc[pairs, "sample"] += [*[1.0, -1.0] * 7, late]
    broken = check_physics(table).query("rule == 'reciprocity'")
    assert broken["value"].tolist() == [late] * is_named
    assert broken["limit"].tolist() == pytest.approx([3 * 1.4826 * 2] * is_named, rel=1e-4)


def test_speed_is_over_the_distance_from_the_shot():
    table = line_of([0.0] * 9, shot=5)
    times_s = (table["receiver"] - 5).abs() / 0.99
    assert "would travel at 0.99 receivers a second" in said_of_speed(table.assign(time_s=times_s))


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
    exactly = reciprocity_weights(table)
    assert exactly[late] == [0.0]
    assert exactly[(table.shot == 24) & (table.receiver == 1)] == [1.0]


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
