"""Comparisons: untouched test records, nothing run twice, sentences that follow from numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from obspy import UTCDateTime
from training_runs import made, onsets, small_parent

from phasenet_keras import PhaseNet
from phasenet_keras.training import compare as module
from phasenet_keras.training.compare import compare, fold_splits
from phasenet_keras.training.comparison import (
    ZERO_SHOT,
    Comparison,
)
from phasenet_keras.training.config import TrainConfig
from phasenet_keras.training.evaluate import score_picked
from phasenet_keras.training.learner import EpochReport
from phasenet_keras.training.matching import tolerance_of
from phasenet_keras.training.picked import RecordTimes
from phasenet_keras.training.recommendation import recommendation
from phasenet_keras.training.splits import spread
from phasenet_keras.training.triggers import TRIGGER, fitted_trigger
from phasenet_keras.types import ConfigError

CONFIG = TrainConfig(
    epochs=6, batch_size=8, windows_per_record=2, window_samples=256, shift_samples=64,
    learning_rate=1e-2, refit=False,
)  # fmt: skip


def with_splits():
    return onsets(16, split="train") + onsets(4, 100, split="dev") + onsets(6, 200, split="test")


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison")
    parent = small_parent()
    result = compare(
        parent, with_splits(), folder, strategies=("scratch", "finetune"), sizes=(4,), seeds=(0, 1),
        config=CONFIG,
    )  # fmt: skip
    return parent, result, folder


def test_numpy_s_whole_numbers_are_as_good(compared):
    parent, result, folder = compared
    again = compare(
        parent, with_splits(), folder, strategies=("scratch", "finetune"), config=CONFIG,
        folds=np.int64(1), sizes=np.array([4]), seeds=np.arange(2),
    )  # fmt: skip
    assert again.results == result.results


def test_every_run_is_there_and_scored_on_the_test_records_alone(compared):
    _, result, folder = compared
    assert result.strategies == (ZERO_SHOT, "scratch", "finetune")
    assert result.sizes == (4, 16)
    assert len(result.results) == 1 + 2 * 2 * 2
    for run in result.results:
        assert {m.event for m in run.times["P"]} == {f"r{n}" for n in range(200, 206)}
        assert (folder / "runs" / run.run.name / "result.json").is_file()
    assert result.scores("finetune")["P"].n_true == 6
    f1s = [score.f1 for score in result.scores_by_seed("finetune")["P"]]
    assert len(f1s) == 2
    assert result.scores("finetune")["P"].f1 == min(f1s)


def test_finished_runs_are_not_run_again(compared, monkeypatch):
    parent, result, folder = compared

    def fail(*args, **kwargs):
        raise AssertionError("trained again")

    monkeypatch.setattr(module, "train", fail)
    again = compare(
        parent, with_splits(), folder, strategies=("scratch", "finetune"), sizes=(4,), seeds=(0, 1),
        config=CONFIG,
    )  # fmt: skip
    assert again.results == result.results
    wider = compare(
        parent, with_splits(), folder, strategies=("finetune",), config=CONFIG,
        tolerance_samples={"P": 200, "S": 1},
    )  # fmt: skip
    assert wider.scores("finetune")["P"].n_matched >= result.scores("finetune")["P"].n_matched
    with pytest.raises(ConfigError, match="a tolerance for each of P, S"):
        compare(parent, with_splits(), folder, config=CONFIG, tolerance_samples={"P": 2})


def test_another_parent_records_or_strategy_is_not_answered_with_the_old_result(compared):
    _, result, folder = compared
    with pytest.raises(ConfigError, match=r"a comparison of other settings \(records\)"):
        compare(small_parent(), with_splits()[:-1], folder, strategies=("scratch",), config=CONFIG)
    moved = with_splits()
    moved[3] = replace(moved[3], arrivals={"P": (120.0,)})
    with pytest.raises(ConfigError, match=r"other settings \(records\)"):
        compare(small_parent(), moved, folder, strategies=("scratch",), config=CONFIG)
    with pytest.raises(ConfigError, match=r"other settings \(parent_weights\)"):
        compare(small_parent(5), with_splits(), folder, strategies=("scratch",), config=CONFIG)
    mine = '{"name": "scratch", "load": ["input"]}'
    with pytest.raises(ConfigError, match=r"\(strategy\.description, strategy\.load\)"):
        compare(small_parent(), with_splits(), folder, strategies=(mine,), config=CONFIG)
    assert compare(
        small_parent(), with_splits(), folder, strategies=("scratch",), config=CONFIG
    ).scores("scratch") == result.scores("scratch")  # fmt: skip


@pytest.mark.parametrize("name", ["finetune", ZERO_SHOT])
def test_two_of_one_name_are_refused(name, tmp_path):
    """The last one was run alone, in the place of both."""
    mine = f'{{"name": "{name}", "load": ["down*"]}}'
    with pytest.raises(ConfigError, match=f"two of what is compared are called '{name}'"):
        compare(small_parent(), with_splits(), tmp_path, strategies=("finetune", mine))


def test_test_records_without_a_label_are_refused_before_anything_is_run(tmp_path):
    records = [replace(r, arrivals={}) if r.split == "test" else r for r in with_splits()]
    with pytest.raises(ConfigError, match="none of the 6 records to test has an arrival of P or S"):
        compare(small_parent(), records, tmp_path / "all", config=CONFIG)
    assert not (tmp_path / "all").exists()


def test_folds_test_each_record_once_and_keep_groups_together():
    records = [r for g in range(8) for r in onsets(4, 4 * g, gather=f"shot {g}")]
    parts = fold_splits(records, 4)
    tested = [record.name for part in parts for record in part["test"]]
    assert sorted(tested) == sorted(record.name for record in records)
    for part in parts:
        gathers = [{record.gather for record in part[name]} for name in ("train", "dev", "test")]
        assert all(gathers)
        assert not gathers[0] & gathers[1] | gathers[0] & gathers[2] | gathers[1] & gathers[2]
        assert sum(len(part[name]) for name in part) == len(records)
    assert fold_splits(records, np.int64(4)) == parts


@pytest.mark.parametrize(
    ("folds", "words"), [(0, "whole number"), (1, "no record is in the split"), (9, "9 folds need")]
)
def test_impossible_folds_are_refused(folds, words):
    with pytest.raises(ConfigError, match=words):
        fold_splits([r for g in range(4) for r in onsets(2, 2 * g, gather=str(g))], folds)


def test_tensorboard_that_cannot_be_leaves_the_folder_unclaimed(tmp_path, monkeypatch):
    monkeypatch.setattr("phasenet_keras.training.journal.find_spec", lambda name: None)
    config = TrainConfig.from_dict({**CONFIG.to_dict(), "tensorboard": True})
    with pytest.raises(ConfigError, match="pip install tensorboard"):
        compare(small_parent(), with_splits(), tmp_path / "all", config=config)
    assert not (tmp_path / "all").exists()


def test_folds_keep_overlaps_of_a_station_and_copies_together():
    records = []
    for pair in range(6):
        at = UTCDateTime(2024, 1, 1 + pair)
        for number, (record, off_s) in enumerate(zip(onsets(2, 2 * pair), (0, 1), strict=True)):
            wave = replace(record.waveform, start_time=at + off_s, station="A")
            records.append(replace(record, waveform=wave, event=f"e{pair}-{number}"))
    copy = replace(records[0], name="copy", event="another")
    wave = replace(copy.waveform, start_time=UTCDateTime(2024, 3, 1))
    records.append(replace(copy, waveform=wave))
    for part in fold_splits(records, 3):
        place = {record.name: name for name, inside in part.items() for record in inside}
        pairs = [(records[2 * n].name, records[2 * n + 1].name) for n in range(6)]
        assert all(place[one] == place[other] for one, other in pairs)
        assert place["copy"] == place[records[0].name]


@pytest.mark.parametrize(("n_groups", "n_validate"), [(5, 1), (8, 2), (12, 2), (24, 3)])
def test_of_the_groups_of_a_fold_two_validate_where_there_are_five(n_groups, n_validate):
    records = [r for g in range(n_groups) for r in onsets(1, g, gather=f"shot {g}")]
    for part in fold_splits(records, 3):
        assert len({record.gather for record in part["dev"]}) == n_validate


def test_folds_need_a_group_of_each_record():
    records = [r for g in range(4) for r in onsets(2, 2 * g, gather=str(g))]
    with pytest.raises(ConfigError, match="record 9 has no gather, as others have"):
        fold_splits([*records, *onsets(1, 90)], 2)


def test_smaller_sets_are_spread_over_the_line():
    assert spread(list(range(64)), 16)[0] == 0
    assert spread(list(range(64)), 16)[-1] == 63
    assert np.ptp(np.diff(spread(list(range(64)), 16))) <= 1
    assert spread([1, 2], 5) == [1, 2]


def test_the_recommendation_follows_the_numbers(tmp_path):
    results = (made(ZERO_SHOT, 2), made("scratch", 8), made("finetune", 19), made("gradual", 18))
    said = recommendation(Comparison(results, {"P": 0.01}, tmp_path))
    assert said.startswith("Take finetune: P F1 0.950")
    assert "zero-shot P F1 0.100" in said
    assert "Within its interval: gradual" in said
    assert "scratch P F1 0.400" in said
    # By hand: 17 of 20 events more; each is drawn for both.
    [before] = Comparison(results, {"P": 0.01}, tmp_path).gains("finetune", ZERO_SHOT)
    assert (before.phase, before.f1, before.n_events) == ("P", pytest.approx(0.85), 20)
    assert 0.6 < before.interval[0] < 0.85 < before.interval[1] <= 1
    assert f"F1 of finetune less that of zero-shot: {before.text}. " in said
    assert "F1 of finetune less that of scratch: P +0.550 (" in said
    results = (made(ZERO_SHOT, 20), made("finetune", 19))
    said = recommendation(Comparison(results, {"P": 0.01}, tmp_path))
    assert said.startswith("Keep the network as it is")


@pytest.mark.parametrize("folds", [(0, 1), (1, 0)])
def test_a_phase_that_one_fold_alone_has_labels_of_is_scored_on_that_fold(folds, tmp_path):
    results = []
    for fold in folds:
        for run in (made(ZERO_SHOT, 2), made("finetune", 19)):
            times = run.times if fold else {"P": run.times["P"], "S": run.times["P"][:15]}
            results.append(replace(run, run=replace(run.run, fold=fold), times=times))
    comparison = Comparison(tuple(results), {"P": 0.01, "S": 0.01}, tmp_path)
    found = {p: (s.n_true, s.n_matched) for p, s in comparison.scores("finetune").items()}
    assert found == {"P": (40, 38), "S": (15, 15)}
    assert [gain.phase for gain in comparison.gains("finetune", ZERO_SHOT)] == ["P", "S"]
    assert recommendation(comparison).startswith("Take finetune: P F1 0.950")


def shifted(strategy, by_s, n=20):
    """Results of which all picks but two are away from their labels by a constant time."""
    result = made(strategy, n)
    times = tuple(
        RecordTimes(t.event, t.labels_s, (t.labels_s[0] + (by_s if i > 1 else 3.0),))
        for i, t in enumerate(result.times["P"])
    )
    return replace(result, times={"P": times})


@pytest.mark.parametrize(
    ("n_hits", "words"),
    [
        (
            12,
            "Keep the network as it is and move its picks: no strategy beats that; finetune: P F1",
        ),
        (19, "Take finetune: P F1 0.950"),
    ],
)
def test_picks_that_are_a_constant_time_away_need_no_training(n_hits, words, tmp_path):
    results = (shifted(ZERO_SHOT, -0.04), made("finetune", n_hits))
    comparison = Comparison(results, {"P": 0.01}, tmp_path)
    [offset] = comparison.offsets().values()
    assert (offset.n_pairs, offset.f1, offset.f1_moved) == (18, 0.0, 0.9)
    assert offset.offset_s == pytest.approx(-0.04)
    said = recommendation(comparison)
    assert said.startswith(words)
    assert "Of zero-shot, P: 18 picks are 40 ms before their labels, all alike" in said
    far = Comparison((shifted(ZERO_SHOT, -0.06), results[1]), {"P": 0.01}, tmp_path)
    assert far.offsets() == {}
    assert recommendation(far).startswith("Take finetune")


@pytest.mark.parametrize(
    ("triggered", "words"),
    [
        (made("t", 16), "STA/LTA, fitted to the same records: P F1 0.800 (0."),
        (made("t", 20), "P F1 1.000; no network here finds more."),
        (shifted("t", 0.04), "P F1 0.000, with its picks moved by -40 ms 0.900."),
    ],
)
def test_what_a_trigger_finds_is_said_beside_the_best_strategy(triggered, words, tmp_path):
    results = (made(ZERO_SHOT, 2), made("finetune", 19))
    comparison = Comparison(results, {"P": 0.01}, tmp_path, triggered=triggered.times)
    assert words in recommendation(comparison)
    assert list(comparison.rows) == [TRIGGER, ZERO_SHOT, "finetune"]
    without = Comparison(results, {"P": 0.01}, tmp_path)
    assert TRIGGER not in recommendation(without)
    assert list(without.rows) == [ZERO_SHOT, "finetune"]


def test_a_trigger_is_fitted_to_what_each_fold_learns_from(compared):
    _, result, _ = compared
    everything, tolerance = with_splits(), tolerance_of(tolerance_s=result.tolerances_s["P"])
    trigger = fitted_trigger([r for r in everything if r.split != "test"], tolerance)
    found = score_picked(
        trigger.pick([r for r in everything if r.split == "test"]), {"P": 1.0}, tolerance
    )
    assert result.trigger_scores()["P"].f1 == found["P"].f1 > 0.8


def test_the_picker_that_is_recommended_can_be_found(compared, tmp_path):
    _, result, folder = compared
    name, _, place = recommendation(result).partition(" Its picker: --preset ")
    strategy = name.removeprefix("Take ").split(":")[0]
    assert place == f"{folder}/runs/{strategy}-n16-fold0-seed0."
    assert PhaseNet.from_preset(place[:-1]).preset.name == f"{strategy}-n16-fold0-seed0"
    kept = (made(ZERO_SHOT, 20), made("finetune", 19))
    assert "--preset" not in recommendation(Comparison(kept, {"P": 0.01}, tmp_path))
    won = made("finetune", 19)
    folds = [
        replace(r, run=replace(r.run, fold=k)) for r in (made(ZERO_SHOT, 2), won) for k in (0, 1)
    ]
    said = recommendation(Comparison(tuple(folds), {"P": 0.01}, tmp_path))
    assert "--preset" not in said
    train = "`phasenet-keras train RECORDS --output RUN --strategy finetune --all-records`"
    assert said.endswith(f"{train} makes one of all.")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"tolerance_samples": -1}, "tolerance_samples is a number of 0 or more, received -1"),
        ({"tolerance_samples": float("nan")}, "tolerance_samples is a number of 0 or more"),
        ({"tolerance_samples": {"P": 1, "S": -1}}, "tolerance_samples is a number of 0 or more"),
        (
            {"sizes": (8, -3)},
            r"sizes is a list of which each is a whole number from 1 on.*\(8, -3\)",
        ),
        ({"sizes": 8}, "sizes is a list of which each is a whole number from 1 on, received 8"),
        ({"seeds": (-1,)}, "seeds is a list of which each is a whole number from 0 to 4294967295"),
        ({"seeds": 0}, "seeds is a list of which .* received 0"),
        ({"strategies": "fine"}, "no strategy 'fine'"),
        ({"strategies": ({"name": "a", "load": ["dwn*"]},)}, r"'dwn\*' matches no stage"),
        ({"config": replace(CONFIG, class_weights=(1,))}, "factor for each of N, P, S, received 1"),
    ],
)
def test_impossible_comparisons_are_refused_before_any_run(given, words, tmp_path):
    settings = {"strategies": "scratch", "config": CONFIG, **given}
    with pytest.raises(ConfigError, match=words):
        compare(small_parent(), with_splits(), tmp_path / "c", **settings)
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("few", "words"), [(12, "Label more: from 16 to 64"), (19, "Stop labelling")]
)
def test_more_labels_or_not(few, words, tmp_path):
    results = (made(ZERO_SHOT, 0), made("finetune", few, 16), made("finetune", 19))
    assert words in recommendation(Comparison(results, {"P": 0.01}, tmp_path))


def epochs(*dev_f1):
    return tuple(EpochReport(n, 1e-3, 1.0, 1.0, f1) for n, f1 in enumerate(dev_f1))


@pytest.mark.parametrize(
    ("zero_shot", "history", "words"),
    [
        (19, epochs(0.5, 0.4), "If more labels help is not known, for training beats nothing"),
        (0, epochs(0.5), "Train longer before you judge: validation F1 rose to the end"),
        (0, epochs(0.2, 0.4, 0.5), "Train longer"),
        (0, epochs(0.2, 0.5, 0.5), "Stop labelling records of this kind"),
        (0, epochs(1.0), "Stop labelling records of this kind"),
    ],
)
def test_a_flat_curve_of_runs_that_learnt_little_is_no_reason_to_stop(
    zero_shot, history, words, tmp_path
):
    runs = (replace(made("finetune", 19, n), history=history) for n in (16, 64))
    said = recommendation(Comparison((made(ZERO_SHOT, zero_shot), *runs), {"P": 0.01}, tmp_path))
    assert words in said
    assert ("Stop labelling" in said) == words.startswith("Stop")
    assert "from 16 to 64 training records the mean F1 changed by +0.000." in said


def test_the_median_seed_counts(tmp_path):
    results = tuple(made("finetune", hits, seed=seed) for seed, hits in enumerate((10, 20, 14)))
    comparison = Comparison(results, {"P": 0.01}, tmp_path)
    assert comparison.scores("finetune")["P"].f1 == pytest.approx(0.7)
    by_seed = comparison.scores_by_seed("finetune")["P"]
    assert [score.f1 for score in by_seed] == pytest.approx([0.5, 1.0, 0.7])


def test_scores_of_what_was_not_compared_are_refused(tmp_path):
    results = (made(ZERO_SHOT, 2), made("scratch", 5, 16), made("finetune", 19))
    comparison = Comparison(results, {"P": 0.01}, tmp_path)
    for name, hint in (("fine-tune", r"\. Did you mean 'finetune'\?$"), ("nope", r"finetune\.$")):
        with pytest.raises(ConfigError, match=f"'{name}' is not in this .* zero-shot, .*{hint}"):
            comparison.scores(name)
    with pytest.raises(ConfigError, match="32 training records were not compared, but 16, 64"):
        comparison.scores("scratch", 32)
    assert comparison.scores("scratch", 64) == {}  # a run that is yet to come
    assert comparison.scores("scratch", 16)["P"].f1 == pytest.approx(0.25)
