"""Picks corrected by moveout: known gathers, properties, edge cases, and the shared data."""

from __future__ import annotations

import json
import time

import numpy as np
import pandas as pd
import pytest
from gathers import linear, survey
from hypothesis import given, settings
from hypothesis import strategies as st

from phasenet_keras.training.correction import REPORT, CorrectionConfig
from phasenet_keras.training.physics import check_physics, reciprocity
from phasenet_keras.training.pseudolabels import correct_picks
from phasenet_keras.training.robust import PhaseCorrection, choose_settings, correct_gather
from phasenet_keras.training.survey import unused_rows
from phasenet_keras.types import ShapeError

GIVEN = CorrectionConfig(choose="given")
OFFSETS = np.arange(-46.0, 48.0, 2.0)


def hyperbola(offsets, depth=6.0, speed=0.25, start=60.0):
    """Return samples: a reflection of two-way path sqrt(offset² + 4 depth²), metres a sample."""
    return start + np.sqrt(offsets**2 + 4 * depth**2) / speed


def with_outliers(times, rng, rate=0.3, high=2000.0):
    times = times.copy()
    hit = rng.permutation(len(times))[: round(rate * len(times))]
    times[hit] = rng.uniform(0, high, len(hit))
    return times, hit


# Known gathers


@pytest.mark.parametrize("moveout", [linear, hyperbola])
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.3])
def test_known_moveout_is_recovered(moveout, rate, rng):
    truth = moveout(OFFSETS)
    picks, hit = with_outliers(truth, rng, rate)
    found = correct_gather(OFFSETS, picks)
    assert np.abs(found.time - truth).max() < 2.5
    assert np.median(np.abs(found.time - truth)) < 0.6
    far = hit[np.abs(picks - truth)[hit] > 20]
    assert (found.how[far] == "moved").all()
    assert found.is_outlier[far].all()
    good = np.setdiff1d(np.arange(len(truth)), hit)
    assert (found.how[good] == "kept").all()
    np.testing.assert_allclose(found.residual, picks - found.time)


def test_missing_picks_are_filled_and_less_certain():
    truth = linear(OFFSETS)
    picks = truth.copy()
    picks[30:35] = np.nan
    found = correct_gather(OFFSETS, picks)
    assert (found.how[30:35] == "filled").all()
    assert np.abs(found.time - truth).max() < 2
    assert np.isnan(found.residual[30:35]).all()
    assert found.uncertainty[32] > 1.5 * found.uncertainty[27]


def test_report_recovers_noisy_moveout(rng):
    truth = linear(OFFSETS, 5.0)
    picks = truth + rng.normal(0, 2, len(truth))
    picks[[3, 40]] = [590, 20]
    found = correct_gather(OFFSETS, picks, REPORT.phases["S"])
    assert set(np.flatnonzero(found.is_outlier)) >= {3, 40}
    assert np.abs(found.time - truth)[np.abs(OFFSETS) > 15].max() < 6
    # One curve for both sides rounds off the kink at the source.
    assert (found.time - truth)[OFFSETS == 0] > 10


def test_a_poor_side_takes_the_other_ones_curve():
    offsets = np.r_[-6.0, -4.0, -2.0, np.arange(0.0, 60.0, 2.0)]
    truth = linear(offsets)
    picks = truth.copy()
    picks[0] += 300
    found = correct_gather(offsets, picks)
    assert found.mirrored.tolist() == [True] * 3 + [False] * 30
    assert found.how[:3].tolist() == ["filled", "kept", "kept"]
    np.testing.assert_allclose(found.time[:3], truth[:3], atol=2)
    assert not found.is_outlier[:3].any()
    alone = correct_gather(offsets, picks, PhaseCorrection(mirror=False))
    assert (alone.how[:3] == "dropped").all()
    assert np.isnan(alone.time[:3]).all()


def test_no_s_is_corrected_to_before_its_p():
    """Left of the source S has its curve and P two picks, of which one is wrong.

    The other side's P is later, so that its mirror is 1 sample after S here.
    """
    right, left = np.arange(0, 30), np.arange(-30, 0)
    rows = [("P", r, 67.0 + 2 * r) for r in right] + [("P", -3, 64.0), ("P", -1, 300.0)]
    rows += [("S", r, 72.0 + 2 * r) for r in right] + [("S", r, 66.0 - 2 * r) for r in left]
    table = pd.DataFrame(rows, columns=["phase", "receiver", "sample"]).assign(shot=0)
    result = correct_picks(table, GIVEN).set_index(["phase", "receiver"])
    in_order = result.loc[[("P", -3), ("S", -3)]]
    assert in_order["corrected_sample"].tolist() == [64.0, 72.0]
    assert in_order["residual_samples"].tolist() == [0.0, 0.0]
    assert in_order["how"].tolist() == ["kept", "kept"]
    assert in_order["note"].str.startswith("the pick is the time").all()
    p, s = result.loc[("P", -1)], result.loc[("S", -1)]
    assert (p["how"], s["how"]) == ("dropped", "kept")
    assert np.isnan(p["corrected_sample"])
    assert s["corrected_sample"] == pytest.approx(68.0, abs=1)
    assert p["note"].startswith("S would be before P")
    assert check_physics(result.reset_index())["rule"].tolist().count("p_before_s") == 0
    assert unused_rows(result) == []


def test_a_mirrored_time_does_not_reach_beyond_the_other_side():
    offsets = np.r_[-90.0, np.arange(0.0, 60.0, 2.0)]
    found = correct_gather(offsets, np.r_[np.nan, linear(offsets[1:])])
    assert found.how[0] == "dropped"


def test_bounds():
    settings = PhaseCorrection(earliest=0, latest=250)
    picks = linear(OFFSETS)
    picks[20] = -5
    found = correct_gather(OFFSETS, picks, settings)
    assert found.how[20] == "moved"
    assert found.is_outlier[20]
    assert (found.how[picks > 260] == "dropped").all()
    assert np.nanmax(found.time) <= 250


@pytest.mark.parametrize("choice", [GIVEN, REPORT, CorrectionConfig()])
def test_survey_of_three_shots(choice):
    table = survey()
    table.loc[5, "sample"] = 140.0
    result = correct_picks(table, choice)
    assert result.loc[5, "how"] == "moved"
    assert (result["how"] != "dropped").all()
    assert list(result.index) == list(table.index)
    assert result.attrs["settings"]["P"]["svr_c"] > 0


# Properties


@given(seed=st.integers(0, 10**6))
@settings(max_examples=10)
def test_order_of_rows_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    table = survey(shots=(3, 15))
    table["sample"], _ = with_outliers(table["sample"].to_numpy(), rng, 0.2, 400)
    table["probability"] = rng.uniform(size=len(table))
    table = pd.concat([table, table.iloc[:4].assign(probability=0.0, sample=70.0)])
    table = table.reset_index(drop=True)
    shuffled = table.sample(frac=1, random_state=seed)
    one, two = (correct_picks(t, GIVEN) for t in (table, shuffled))
    pd.testing.assert_frame_equal(one, two.sort_index(), check_exact=False, rtol=1e-9)


@given(seed=st.integers(0, 10**6), shift=st.floats(-500, 500))
@settings(max_examples=15)
def test_a_shift_of_all_times_shifts_the_result(seed, shift):
    rng = np.random.default_rng(seed)
    picks, _ = with_outliers(hyperbola(OFFSETS) + rng.normal(0, 1, len(OFFSETS)), rng, 0.2)
    one, two = correct_gather(OFFSETS, picks), correct_gather(OFFSETS, picks + shift)
    assert (one.how == two.how).all()
    np.testing.assert_allclose(two.time - shift, one.time, atol=0.1)


@given(
    times=st.lists(
        st.one_of(st.none(), st.floats(-1e6, 1e6), st.just(float("inf"))), min_size=0, max_size=30
    ),
    same=st.booleans(),
)
@settings(max_examples=60)
def test_any_gather_gets_an_answer(times, same):
    offsets = np.full(len(times), 3.0) if same else np.arange(len(times)) - 10.0
    picks = np.array([np.nan if t is None else t for t in times], float)
    found = correct_gather(offsets, picks)
    assert set(found.how) <= {"kept", "moved", "filled", "dropped"}
    assert (np.isnan(found.time) == (found.how == "dropped")).all()
    assert (np.isnan(found.uncertainty) == np.isnan(found.time)).all()
    assert not found.is_outlier[~np.isfinite(picks)].any()


# Edge cases


def test_empty_single_and_tiny_gathers():
    assert correct_gather([], []).time.shape == (0,)
    assert correct_gather([5.0], [80.0]).how.tolist() == ["dropped"]
    assert set(correct_gather([1, 2, 3], [np.nan] * 3).how) == {"dropped"}
    empty = correct_picks(survey().iloc[:0])
    assert len(empty) == 0
    assert "how" in empty


def test_bad_rows_get_an_answer():
    table = survey(shots=(1,), phases=("P",))
    table["sample"] = table["sample"].astype(object)
    table.loc[3, "sample"] = "soon"
    table.loc[4, "sample"] = float("inf")
    table.loc[5, "phase"] = "Pn"
    table["receiver"] = table["receiver"].astype(float)
    table.loc[6, "receiver"] = np.nan
    result = correct_picks(table, GIVEN)
    assert result.loc[[3, 4], "how"].tolist() == ["filled", "filled"]
    assert "not a number" in result.loc[3, "note"]
    assert result.loc[[5, 6], "how"].tolist() == ["dropped", "dropped"]
    assert result.loc[5, "note"] == "no settings for this phase"
    assert result.loc[6, "note"] == "no receiver"
    assert (result.drop(index=[3, 4, 5, 6])["how"] == "kept").all()


def test_of_duplicates_the_more_probable_counts():
    table = survey(shots=(1,), phases=("P",)).assign(probability=0.5)
    twice = table.iloc[[7]].assign(sample=500.0, probability=0.9)
    result = correct_picks(pd.concat([twice, table], ignore_index=True), GIVEN)
    assert result.loc[0, "how"] == "moved"
    assert result.loc[8, "how"] == "dropped"
    assert result.loc[8, "note"].startswith("duplicate")


def test_cross_validation_prefers_the_stiff_curve_for_a_line(rng):
    picks = linear(OFFSETS) + rng.normal(0, 2, len(OFFSETS))
    chosen = choose_settings([(OFFSETS, picks)], PhaseCorrection(huber_epsilon=1.9))
    assert (chosen.huber_epsilon, chosen.kernel_width, chosen.svr_c) == (1.05, 1.5, 10.0)
    wavy = linear(OFFSETS) + 12 * np.sin(OFFSETS / 4)
    assert choose_settings([(OFFSETS, wavy)], PhaseCorrection()).kernel_width <= 0.4


def test_receivers_without_offset_choose_nothing(rng):
    picks = linear(OFFSETS) + 12 * np.sin(OFFSETS / 4) + rng.normal(0, 2, len(OFFSETS))
    offsets = np.concatenate([[np.inf], np.full(8, np.nan), OFFSETS])
    more = np.concatenate([np.full(9, 500.0), picks])
    chosen = choose_settings([(OFFSETS, picks)], PhaseCorrection())
    assert choose_settings([(offsets, more)], PhaseCorrection()) == chosen


def test_a_receiver_without_a_finite_offset_is_dropped():
    offsets = np.array([np.nan, *OFFSETS, np.inf, -np.inf])
    result = correct_gather(offsets, np.array([70.0, *linear(OFFSETS), 80.0, 90.0]))
    alone = correct_gather(OFFSETS, linear(OFFSETS))
    assert result.how[[0, -2, -1]].tolist() == ["dropped"] * 3
    assert np.isnan(result.time[[0, -2, -1]]).all()
    assert np.array_equal(result.time[1:-2], alone.time)


def test_an_infinite_time_is_no_pick():
    times = linear(OFFSETS)
    times[[3, 30]] = np.nan
    missing = correct_gather(OFFSETS, times)
    times[[3, 30]] = np.inf, -np.inf
    infinite = correct_gather(OFFSETS, times)
    for name, values in vars(missing).items():
        assert np.array_equal(values, getattr(infinite, name), equal_nan=name not in ("how",))


@pytest.mark.parametrize(("shape", "other"), [((3,), (4,)), ((2, 3), (2, 3)), ((1, 3), (3,))])
def test_a_gather_is_one_offset_and_one_time_a_receiver(shape, other):
    with pytest.raises(ShapeError, match="one offset and one time a receiver, received arrays"):
        correct_gather(np.ones(shape), np.ones(other))


def test_nothing_is_chosen_from_too_few_picks():
    few = (OFFSETS[:3], linear(OFFSETS[:3]))
    start = PhaseCorrection(huber_epsilon=1.9, svr_c=33.0)
    assert choose_settings([few], start) == start
    assert choose_settings([], start) == start


# The shared data


def real_picks(shared):
    given = pd.read_csv(shared / "data/near_surface/picks_9216.csv")
    shot, receiver = np.divmod(np.arange(len(given)), 96)
    tables = []
    for phase, column in (("P", "itp_pred"), ("S", "its_pred")):
        first = [(json.loads(text) or [np.nan])[0] for text in given[column].fillna("[]")]
        columns = {"shot": shot + 1, "receiver": receiver + 1, "phase": phase, "sample": first}
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def test_report_parameters_give_the_ancestors_result(shared):
    began = time.process_time()
    result = correct_picks(real_picks(shared), REPORT)
    assert time.process_time() - began < 40
    ancestor = pd.read_csv(shared / "data/near_surface/picks_9216_corrected_by_ancestor.csv")
    for phase, column, bar in (("P", "itp", 1), ("S", "its", 2)):
        rows = result[result["phase"] == phase]
        two = rows["shot"].between(9, 88).to_numpy()
        away = np.abs(rows["corrected_sample"].round().to_numpy() - ancestor[column])[two]
        assert np.isfinite(away).all()
        assert np.median(away) <= bar
    before, after = reciprocity(real_picks(shared)), reciprocity(result)
    for phase in "PS":
        spread = [d[d["phase"] == phase]["difference"].std() for d in (before, after)]
        assert spread[1] < spread[0]


def simulated_gathers(shared):
    import h5py

    for name in ("flat", "topo"):
        with h5py.File(shared / f"data/specfem2d/specfem2d_{name}.h5") as file:
            keys = ("model_id", "source", "distance_m", "receiver_x", "source_x")
            model, shot, distance, receiver, source = (file[key][:] for key in keys)
            labels = {"P": file["p_index"][:], "S": file["s_index"][:]}
        offsets = np.where(receiver < source, -distance, distance).astype(float)
        for gather in np.unique(10 * model + shot):
            rows = 10 * model + shot == gather
            for phase, times in labels.items():
                yield phase, offsets[rows], times[rows].astype(float)


@pytest.mark.parametrize("kind", ["outliers", "dropped"])
def test_corrupted_simulated_gathers_are_mended(shared, kind, rng):
    errors = {"P": [], "S": []}
    for phase, offsets, truth in list(simulated_gathers(shared))[::5]:
        picks, hit = with_outliers(truth, rng, 0.3)
        if kind == "dropped":
            picks[hit] = np.nan
        errors[phase].append(np.abs(correct_gather(offsets, picks).time - truth))
    for phase in "PS":
        within = np.concatenate(errors[phase]) <= 3
        assert within.mean() >= 0.95, phase
