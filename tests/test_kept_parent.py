"""Which epoch is kept, and the parent where training does not beat it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from training_runs import CONFIG, onsets, same, small_parent

from phasenet_keras import PhaseNet, Picker, Preset
from phasenet_keras.training.config import TrainConfig
from phasenet_keras.training.evaluate import evaluate
from phasenet_keras.training.learner import EpochReport, beats, best_epoch
from phasenet_keras.training.proof import Proof
from phasenet_keras.training.train import TrainResult, kept_contract, train


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A network that finds nearly all onsets."""
    folder = tmp_path_factory.mktemp("runs") / "good"
    config = TrainConfig(
        epochs=15, batch_size=8, window_samples=256, learning_rate=1e-2, shift_samples=64,
        refit=False,
    )  # fmt: skip
    return train(small_parent(), onsets(30), onsets(8, 50), folder, config=config).net


def test_a_parent_that_is_not_beaten_is_kept_and_said_so(good, tmp_path):
    parent = good
    ruined = TrainConfig.from_dict({**CONFIG.to_dict(), "learning_rate": 100.0, "epochs": 1})
    result = train(parent, onsets(8, 300), onsets(8, 50), tmp_path / "bad", config=ruined)
    assert result.best_epoch is None
    assert "output collapsed" in {finding.name for finding in result.findings}
    assert result.net is parent
    with_proof = replace(result, proof=Proof(advice="x" * 9999))
    assert len(repr(with_proof)) < 400
    assert "findings=<" in repr(with_proof)
    assert "did not beat the parent" in result.verdict
    kept = PhaseNet.from_preset(tmp_path / "bad")
    assert same(kept, parent)
    assert kept.preset.description == (
        "good at 100 Hz, kept, for training did not beat it on the validation records"
    )
    assert kept.preset.thresholds == parent.preset.thresholds
    assert "**output collapsed**" in (tmp_path / "bad" / "report.md").read_text()
    again = train(parent, onsets(8, 300), onsets(8, 50), tmp_path / "bad", config=ruined)
    assert again.net is parent
    assert same(PhaseNet.from_preset(tmp_path / "bad"), parent)
    left = train(
        parent, onsets(8, 300), onsets(8, 50), tmp_path / "left", config=ruined, keep_parent=False
    )
    assert left.best_epoch == 0
    assert not same(left.net, parent)


def test_a_kept_parent_is_of_the_rate_that_it_was_compared_at():
    parent = small_parent()
    parent.with_preset(
        replace(parent.preset, thresholds={"P": 0.2, "S": 0.4}, source={"url": "u", "origin": "o"})
    )
    contract = Preset(name="run", config=parent.config, sampling_rate=2000.0, window_samples=512)
    kept = kept_contract(parent.preset, contract)
    assert (kept.name, kept.sampling_rate, kept.window_samples) == ("small", 2000.0, 256)
    assert kept.min_distance_s == pytest.approx(0.025)
    assert kept.thresholds == {"P": 0.2, "S": 0.4}
    assert kept.source == {"origin": "o"}
    assert kept.description.startswith("small at 2000 Hz, kept, for training did not beat it")
    parent.preset = None
    untaught = replace(contract, thresholds={"P": 0.2, "S": 1.0})
    kept = kept_contract(parent.preset, untaught)
    assert kept.description.startswith("the parent, kept")
    assert kept.thresholds == {"P": 0.2, "S": 0.3}


def test_a_parent_that_is_kept_picks_at_the_rate_that_it_was_compared_at(good, tmp_path):
    parent = good

    def fast(records):
        return [replace(r, waveform=replace(r.waveform, sampling_rate=500.0)) for r in records]

    ruined = TrainConfig.from_dict({**CONFIG.to_dict(), "learning_rate": 100.0, "epochs": 1})
    result = train(
        parent, fast(onsets(8, 300)), fast(onsets(8, 50)), tmp_path / "bad", config=ruined
    )
    assert result.best_epoch is None
    assert (result.net.preset.sampling_rate, parent.preset.sampling_rate) == (500.0, 100.0)
    assert same(result.net, parent)
    score = evaluate(Picker(result.net), fast(onsets(12, 200)), tolerance_samples=5)["P"]
    assert (
        score
        == evaluate(
            Picker.from_preset(tmp_path / "bad"), fast(onsets(12, 200)), tolerance_samples=5
        )["P"]
    )
    assert score.f1 > 0.9
    assert "| records | Z at 500 Hz; " in (tmp_path / "bad" / "report.md").read_text()


def test_the_last_epoch_within_the_error_counts_and_a_parent_must_be_beaten():
    history = [
        EpochReport(epoch, 1e-3, 0.1, loss, f1)
        for epoch, (loss, f1) in enumerate([(0.2, 0.5), (0.1, 0.8), (0.3, 0.75), (0.4, 0.6)])
    ]
    assert best_epoch(history, 10_000) == 1
    assert best_epoch(history, 40) == 2  # 0.8 has an error of 0.063
    assert best_epoch(history, 3) == 3  # and here of 0.23
    assert best_epoch([], 10) is None
    nan = float("nan")
    assert beats(history[1], nan, nan)
    assert beats(history[1], 0.05, 0.79)
    assert not beats(history[1], 0.05, 0.8)
    assert beats(history[1], 0.35, 0.8)
    blind = EpochReport(0, 1e-3, 0.1, 0.1, 0.0)
    assert not beats(blind, 0.35, 0.0)  # neither finds a label
    assert beats(blind, nan, nan)


@pytest.mark.parametrize(
    ("best", "parent_f1", "f1", "words"),
    [
        (None, 0.0, 0.0, "neither the parent nor the network .* nothing was gained: the parent is"),
        (0, 0.0, 0.0, "neither the parent nor .* nothing was gained: the trained network is kept"),
        (0, float("nan"), 0.0, "no network after any epoch finds a label"),
        (None, 0.5, 0.0, r"did not beat the parent .*F1 is 0\.500"),
        (0, 0.0, 0.1, r"validation F1 0\.100 after epoch 0 \(parent 0\.000\)"),
    ],
)
def test_no_label_found_is_no_success(best, parent_f1, f1, words, tmp_path):
    history = (EpochReport(0, 1e-3, 0.1, 0.1, f1),)
    result = TrainResult(small_parent(), history, best, 0.2, parent_f1, tmp_path)
    assert result.has_helped is (f1 > 0)
    assert re.search(words, result.verdict)


def test_where_neither_finds_a_label_the_parent_is_kept(tmp_path):
    result = train(
        small_parent(), onsets(8), onsets(4, 50), tmp_path / "run",
        config=replace(CONFIG, learning_rate=1e-6, epochs=1, tolerance_samples=1e-3),
    )  # fmt: skip
    assert result.parent_dev_f1 == result.history[0].dev_f1 == 0.0
    assert result.best_epoch is None
    assert "neither the parent nor the network" in (tmp_path / "run" / "report.md").read_text()
