"""Before and after: a parent and its child on records that neither has seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from training_runs import onsets, small_parent

from phasenet_keras import PhaseNet, Picker, TrainConfig, train
from phasenet_keras.cli.training import _untouched
from phasenet_keras.io.seisbench import write_dataset
from phasenet_keras.models.contract import Preset
from phasenet_keras.training.difference import Difference, f1_difference
from phasenet_keras.training.doctor import Finding
from phasenet_keras.training.evaluate import evaluate
from phasenet_keras.training.proof import Proof, before_and_after
from phasenet_keras.training.run_report import run_report
from phasenet_keras.training.scores import RecordMatches, score_matches
from phasenet_keras.training.triggers import TRIGGER
from phasenet_keras.training.ways import NOT_KEPT, TRAINED, Way


def at_rate(net, rate_hz):
    return net.with_preset(replace(net.preset, sampling_rate=rate_hz))


def test_a_parent_of_another_rate_is_scored_both_ways():
    parent, child, records = at_rate(small_parent(), 80.0), small_parent(2), onsets(6)
    proof = before_and_after(parent, child, records, 20)
    assert dict(proof.scores) == {
        "small, resampled to 80 Hz": evaluate(Picker(parent), records, tolerance_samples=20),
        "small, samples as they are": evaluate(
            Picker(parent, sampling="reinterpret"), records, tolerance_samples=20
        ),
        "regional": evaluate(
            Picker.from_preset("regional", channels="Z"), records, tolerance_samples=20
        ),
        TRAINED: evaluate(Picker(child), records, tolerance_samples=20),
    }
    assert proof.left_out == ()
    assert list(before_and_after(parent, None, records, 20).scores) == [*proof.scores][:3]
    assert before_and_after(parent, child, [], 20) == Proof()


@pytest.mark.parametrize(("factor", "is_shown"), [(50.0, True), (51.0, False)])
def test_records_of_which_resampling_leaves_nothing_are_not_shown_resampled(factor, is_shown):
    parent = at_rate(small_parent(), 100.0 / factor)
    proof = before_and_after(parent, None, onsets(3), 10)
    shown = [name for name in proof.scores if "resampled" in name]
    assert bool(shown or proof.left_out) is is_shown
    assert "small, samples as they are" in proof.scores


def test_a_parent_that_cannot_pick_such_records_costs_its_own_row_alone():
    parent, child, records = at_rate(small_parent(), 2000.0), small_parent(2), onsets(3)
    proof = before_and_after(parent, child, records, 10)
    assert list(proof.scores) == ["small, samples as they are", "regional", TRAINED]
    [why] = proof.left_out
    assert why.startswith("small, resampled to 2000 Hz has no scores: record r0")
    assert f"\n{why}.\n" in proof.text
    assert proof.text.endswith("events or shots in all: 3; label records of others.\n")


@pytest.mark.parametrize(
    ("event", "rate_hz", "words"),
    [
        ("e1", 100.0, "1 event is in training and test, e.g. e1"),
        ("e9", 50.0, "records have different sampling rates"),
        ("e9", 100.0, "no test record has a label"),
        (None, 100.0, "there is no test record"),
    ],
)
def test_why_there_are_no_test_records(event, rate_hz, words, tmp_path):
    known = [r for n in (1, 2, 3) for r in onsets(2, 10 * n, event=f"e{n}", split="train")]
    test = [] if event is None else onsets(2, 90, event=event, split="test")
    test = [replace(r, waveform=replace(r.waveform, sampling_rate=rate_hz)) for r in test]
    write_dataset([*known, *test], tmp_path / "set")
    records, why = _untouched(tmp_path / "set", known)
    assert words in why
    assert [r.name for r in records] == (["r90", "r91"] if words.startswith("no ") else [])


def test_a_damaged_test_split_is_a_reason(tmp_path):
    write_dataset(onsets(2, split="test"), tmp_path / "set")
    (tmp_path / "set" / "waveforms.hdf5").write_bytes(b"no HDF5")
    records, why = _untouched(tmp_path / "set", onsets(2, 10))
    assert records == []
    assert "waveforms.hdf5" in why


def test_what_pick_takes_by_itself_is_among_what_there_was_before():
    child, records = small_parent(2), onsets(3)
    shipped = PhaseNet.from_preset("regional", channels="Z")
    assert list(before_and_after(shipped, child, records, 10).scores) == ["regional", TRAINED]
    fast = [replace(r, waveform=replace(r.waveform, sampling_rate=2000.0)) for r in records]
    assert "near-surface" in before_and_after(small_parent(), child, fast, 10).scores
    other = PhaseNet(channels="Z", phases=("N", "P", "S", "Pg"), depth=3, filters_root=4)
    other = other.with_preset(Preset("other", other.config, 100.0, window_samples=256))
    assert list(before_and_after(other, child, records, 10).scores) == ["other", TRAINED]


def late(records, by_samples):
    """Records whose labels are later by a constant time."""
    return [
        replace(r, arrivals={p: tuple(s + by_samples for s in at) for p, at in r.arrivals.items()})
        for r in records
    ]


def test_labels_that_are_late_by_a_constant_time_need_no_training(tmp_path):
    config = TrainConfig(
        epochs=25, batch_size=8, window_samples=256, learning_rate=1e-2, refit=False
    )
    parent = train(
        small_parent(), onsets(40), onsets(10, 100), tmp_path / "run", strategy="scratch",
        config=config,
    ).net  # fmt: skip
    proof = before_and_after(
        parent, small_parent(2), late(onsets(12, 200), 20), 5, known=late(onsets(12, 300), 20)
    )
    as_it_is, moved = (proof.scores[name]["P"] for name in ("run", "run, moved"))
    right = evaluate(Picker(parent), onsets(12, 200), tolerance_samples=5)["P"]
    assert as_it_is.f1 == 0
    assert moved.f1 == pytest.approx(right.f1, abs=0.1)
    assert moved.f1 > 0.8
    [said] = [one.shift for one in proof.ways if one.name == "run, moved"]
    assert said.startswith("P by +")
    assert f"'run, moved': {said}, which is how far its picks are from the labels" in proof.text
    [lone, triggered] = proof.remarks
    assert lone.startswith("Nothing says which records are of one event or shot")
    assert triggered.startswith(f"'{TRIGGER}' has no network (averages of ")
    assert proof.scores[TRIGGER]["P"].f1 == 0
    assert proof.scores[f"{TRIGGER}, moved"]["P"].f1 > 0.8
    assert "regional, moved" not in proof.scores
    by_ms = float(said.removeprefix("P by +").removesuffix(" ms"))
    assert by_ms == pytest.approx(200, abs=20)
    without = before_and_after(parent, None, onsets(12, 200), 5, known=onsets(12, 300))
    assert list(without.scores) == ["run", "regional", TRIGGER]
    assert without.scores[TRIGGER]["P"].f1 > 0.8


def ways(f1_of):
    """Ways to pick ten records with one label each, of which a share is found, by name."""
    found = []
    for name, f1 in f1_of.items():
        whose = {"a": "parent", "b": "preset", "s": "trigger"}.get(name[0], "ours")
        found.append(way(name, whose, range(round(10 * f1))))
    return tuple(found)


def way(name, whose, hits):
    matches = [RecordMatches(1, 1, (0.0,) * (n in hits), f"e{n}") for n in range(10)]
    shift = "P by +0.4 s" if name.endswith("moved") else ""
    scores = {"P": score_matches("P", matches, 0.1, bootstrap=0)}
    return Way(name, whose, scores, {"P": matches}, shift)


DISAGREE = ["test and validation disagree"]


@pytest.mark.parametrize(
    ("f1_of", "was_validated", "names", "words"),
    [
        ({"a": 0.5, TRAINED: 0.8}, True, [], ""),
        ({"a": 0.8, TRAINED: 0.5}, True, DISAGREE, "(mean F1 0.500, 0.800"),
        (
            {"a": 0.8, TRAINED: 0.5},
            True,
            DISAGREE,
            "more in the validation",
        ),
        ({"a": 0.8, TRAINED: 0.5}, False, ["the parent is better"], "(mean F1 0.500, 0.800"),
        ({"a, x": 0.2, "a, y": 0.8, TRAINED: 0.5}, True, DISAGREE, "0.800"),
        (
            {"a": 0.2, "a, moved": 0.8, TRAINED: 0.5},
            True,
            ["moved picks are better"],
            "P by +0.4 s",
        ),
        ({"a": 0.5, NOT_KEPT: 0.4}, True, [], ""),
        ({"a": 0.5, NOT_KEPT: 0.7}, True, DISAGREE, "folder 'validated'"),
        (
            {"a": 0.5, "a, moved": 0.9, NOT_KEPT: 0.7},
            True,
            DISAGREE,
            "0.500",
        ),
        ({"a": 0.5, "b": 0.9, TRAINED: 0.7}, True, ["another preset is better"], "--preset b"),
        ({"a": 0.5, "b, moved": 0.9, TRAINED: 0.7}, True, [], ""),
        ({"a": 0.5, "b": 0.7, NOT_KEPT: 0.4}, True, ["another preset is better"], "which is kept"),
        ({"a": 0.8, "b": 0.8, NOT_KEPT: 0.4}, True, [], ""),
        ({"b": 0.9, TRAINED: 0.7}, True, [], ""),
        ({"a": 0.5, "s": 0.7, TRAINED: 0.7}, True, [], ""),
        (
            {"a": 0.5, "s": 0.7, "s, moved": 0.9, TRAINED: 0.8},
            True,
            ["a trigger finds more"],
            "'s, moved' (P by +0.4 s): more is found in the test records than by the trained "
            "network (mean F1 0.900, 0.800; F1 of the network less that of these: P -0.100",
        ),
        (
            {"a": 0.5, "s": 0.6, NOT_KEPT: 0.4},
            True,
            ["a trigger finds more"],
            "than by the parent, which is kept (mean F1 0.600, 0.500; F1 of the network less that "
            "of these: P -0.100",
        ),
        ({"a": 0.9}, True, [], ""),
    ],
)
def test_what_test_records_say_against_what_was_kept(f1_of, was_validated, names, words):
    proof = Proof(ways(f1_of), is_kept=NOT_KEPT not in f1_of)
    found = proof.findings(was_validated=was_validated)
    assert [finding.name for finding in found] == names
    assert words in " ".join(finding.text for finding in found)


@pytest.mark.parametrize(
    ("hits", "words", "is_unsure"),
    [
        (range(4), "P -0.500 (-0.800 to -0.200)), though {}: use the parent", False),
        (range(6, 10), "P -0.500 (-0.900 to +0.000, may be chance)), though {}: too few", True),
    ],
)
def test_what_is_more_than_chance_is_said_so(hits, words, is_unsure):
    before = way("a", "parent", range(9))
    proof = Proof((before, way(TRAINED, "ours", hits)), advice="look again")
    [finding] = proof.findings()
    assert words.format("more in the validation records") in finding.text
    assert ("More test records would tell more; look again" in proof.text) == is_unsure
    kept = replace(proof, is_kept=False)
    assert "look again" not in kept.text


def test_what_a_network_has_over_a_trigger_may_be_chance_too():
    parent, trained = way("a", "parent", range(1)), way(TRAINED, "ours", range(8))
    sure, unsure = way("s", "trigger", range(2)), way("s", "trigger", range(7))
    assert "look again" not in Proof((parent, sure, trained), advice="look again").text
    assert "look again" in Proof((parent, unsure, trained), advice="look again").text


def test_a_parent_that_is_called_trained_keeps_its_row():
    net = small_parent()
    parent = net.with_preset(replace(net.preset, name=TRAINED))
    proof = before_and_after(parent, small_parent(2), onsets(3), 10)
    assert list(proof.scores) == ["parent trained", "regional", TRAINED]
    for name in ("parent trained", "regional"):
        assert f"F1 of 'trained' less that of '{name}': P " in proof.text


def test_the_command_that_is_advised_names_a_parent_by_what_finds_it(tmp_path):
    small_parent().save_preset(tmp_path / "my run")
    parent, records = PhaseNet.from_preset(tmp_path / "my run"), onsets(5)
    proof = before_and_after(parent, None, records, 10)
    options = "--channels Z --strategies finetune --folds 3 --output DIR"
    folder = f"'{(tmp_path / 'my run').resolve()}'"
    assert proof.advice.startswith(f"`phasenet-keras compare RECORDS --preset {folder} {options}`")
    shipped = PhaseNet.from_preset("regional", channels="Z")
    advice = before_and_after(shipped, None, records, 10).advice
    assert advice.startswith(f"`phasenet-keras compare RECORDS --preset regional {options}`")


def test_a_difference_is_drawn_with_the_events_of_both():
    rng = np.random.default_rng(0)
    hard = rng.random(40) < 0.5  # neither finds these; ours finds all others, theirs three of four
    hits = {
        "ours": [not h for h in hard],
        "theirs": [not h and n % 4 > 0 for n, h in enumerate(hard)],
    }
    matches = {
        name: [RecordMatches(1, 1, (0.0,) * hit, f"e{n}") for n, hit in enumerate(found)]
        for name, found in hits.items()
    }
    gain = f1_difference("P", matches["ours"], matches["theirs"])
    alone = score_matches("P", matches["ours"], 0.1)
    lost = (sum(hits["ours"]) - sum(hits["theirs"])) / 40
    assert gain.f1 == pytest.approx(lost)
    low, high = gain.interval
    assert 0 <= low < lost < high
    assert high - low < alone.f1_interval[1] - alone.f1_interval[0]
    assert gain.n_events == 40
    same = f1_difference("P", matches["ours"], matches["ours"])
    assert (same.f1, same.interval) == (0.0, (0.0, 0.0))
    assert same.text == "P +0.000 (+0.000 to +0.000)"
    few, enough = (f1_difference("P", *(m[:n] for m in matches.values())) for n in (4, 5))
    assert np.isnan(few.interval).all()
    assert np.isfinite(enough.interval).all()
    nothing = [RecordMatches(0, 0, (), f"e{n}") for n in range(6)]
    none = f1_difference("P", nothing, nothing)
    assert (none.f1, none.interval) == (0.0, (0.0, 0.0))
    chance = Difference("S", -0.25, (-0.5, 0.0), 9)
    assert chance.text == "S -0.250 (-0.500 to +0.000, may be chance)"
    assert Difference("P", 0.25, (0.0, 0.5), 9).text.endswith("to +0.500, may be chance)")
    assert Difference("S", -0.25, (-0.5, -0.1), 9).text == "S -0.250 (-0.500 to -0.100)"
    assert few.text == f"P {few.f1:+.3f} (too few events)"


def test_a_report_says_which_epoch_is_kept_and_what_was_trained(tmp_path):
    config = TrainConfig(
        epochs=12, batch_size=8, windows_per_record=16, window_samples=256, learning_rate=1e-2
    )
    result = train(
        small_parent(), onsets(8, phases="PS"), onsets(4, 50), tmp_path / "run", config=config,
        test_records=onsets(3, 90),
    )  # fmt: skip
    report = (tmp_path / "run" / "report.md").read_text()
    assert result.best_epoch is not None
    assert f"Kept is epoch {result.best_epoch}: the last one" in report
    rows = [line for line in report.split("## Losses")[1].splitlines() if line.startswith("| ")]
    assert f"| {result.best_epoch} |" in " ".join(row[:8] for row in rows)
    assert f"for {result.best_epoch + 1} epochs" in result.verdict
    for row in (
        "| training | 8 records, 8 P |",
        "| test | 3 records, 3 P |",
        "| records | Z at 100 Hz; windows of 256 samples (2.56 s) |",
    ):
        assert row in report
    assert "| parent | small, weights " in report


def test_a_report_names_the_scores_and_each_finding():
    report = run_report("it helped", [Finding("x", "do y")], {"a": (), "b": {"c": 1}}, [], "| t |")
    assert "It helped." in report
    assert "- **x**: do y." in report
    assert "| a | none |\n| b | c 1 |" in report
    titles = [line for line in report.splitlines() if line.startswith("## ")]
    assert titles[:2] == ["## Before and after, on the test records", "## Findings"]
    assert "| t |" in report[: report.index("## Findings")]
    assert "Before and after" not in run_report("it helped", [], {}, [])
