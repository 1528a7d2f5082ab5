"""Training on synthetic records: it learns, resumes bit for bit, and never hides a failure."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import keras
import numpy as np
import pytest
from obspy import UTCDateTime
from texts import unaligned

from phasenet_keras import PhaseNet, Picker, Preset, Waveform
from phasenet_keras.models.loss import MaskedCrossEntropy
from phasenet_keras.training.config import TrainConfig, choose_window, read_config
from phasenet_keras.training.evaluate import evaluate
from phasenet_keras.training.learner import EpochReport, beats, best_epoch
from phasenet_keras.training.learnt import learnt_of, read_learnt, write_learnt
from phasenet_keras.training.proof import Proof
from phasenet_keras.training.rounds import write_rounds
from phasenet_keras.training.teacher import Teacher
from phasenet_keras.training.train import TrainResult, kept_contract, train
from phasenet_keras.types import ConfigError, LabelledWaveform, PresetError

CONFIG = TrainConfig(
    epochs=4, batch_size=4, windows_per_record=2, window_samples=256, shift_samples=64, seed=3
)


def onsets(count, first=0, phases="P", **fields):
    """Noise in which a decaying 10 Hz signal sets in."""
    records = []
    for n in range(first, first + count):
        rng = np.random.default_rng(n)
        data = 0.1 * rng.standard_normal((400, 1))
        at = int(rng.integers(100, 250))
        t = np.arange(400 - at) / 100.0
        data[at:, 0] += np.exp(-t) * np.cos(2 * np.pi * 10 * t)
        wave = Waveform(data, 100.0, UTCDateTime(0), ("Z",), f"S{n}")
        arrivals = {phase: (at,) if phase == "P" else () for phase in phases}
        records.append(LabelledWaveform(wave, arrivals, name=f"r{n}", **fields))
    return records


def small_parent(seed=1):
    keras.utils.set_random_seed(seed)
    net = PhaseNet(channels="Z", depth=3, filters_root=4)
    return net.with_preset(
        Preset(name="small", config=net.config, sampling_rate=100.0, window_samples=256)
    )


def same(one, two):
    a, b = one.get_weight_set(), two.get_weight_set()
    return all(np.array_equal(a[name], b[name]) for name in a)


def test_a_small_network_learns_onsets_and_becomes_a_preset(tmp_path):
    config = TrainConfig(
        epochs=25, batch_size=8, window_samples=256, learning_rate=1e-2, shift_samples=64
    )
    result = train(
        small_parent(), onsets(40), onsets(10, 100), tmp_path / "run", strategy="scratch",
        config=config, test_records=onsets(20, 200),
    )  # fmt: skip
    assert result.history[0].train_loss > 2 * result.history[-1].train_loss
    net = PhaseNet.from_preset(tmp_path / "run" / "best")
    assert same(net, result.net)
    assert [finding.name for finding in result.findings] == ["a phase was not taught"]  # S
    assert net.preset.name == "run"
    assert net.preset.window_samples == 256
    assert evaluate(Picker(net), onsets(20, 200), tolerance_samples=5)["P"].f1 > 0.9
    scores = evaluate(Picker(net), onsets(20, 200), tolerance_samples=config.tolerance_samples)
    assert list(result.proof.scores) == ["small", "regional", "trained"]
    assert result.proof.scores["trained"] == scores
    assert result.proof.scores["small"]["P"].n_true == 20
    report = (tmp_path / "run" / "report.md").read_text()
    assert f"| trained | P | {scores['P'].f1:.3f} " in unaligned(report)


def test_the_same_settings_give_the_same_weights(tmp_path):
    runs = [
        train(small_parent(), onsets(8), onsets(4, 50), tmp_path / name, config=CONFIG)
        for name in ("a", "b")
    ]
    assert [r.train_loss for r in runs[0].history] == [r.train_loss for r in runs[1].history]
    other = train(
        small_parent(), onsets(8), onsets(4, 50), tmp_path / "c",
        config=TrainConfig.from_dict({**CONFIG.to_dict(), "seed": 4}),
    )  # fmt: skip
    assert runs[0].history[0].train_loss != other.history[0].train_loss


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from test_train import *
strategy = {"name": "two", "freeze": [{"start_epoch": 0, "trainable": ["output", "up*"]},
                                      {"start_epoch": 3, "trainable": ["*"]}]}
from phasenet_keras.training.transfer import strategy_of
import time
slow = float(sys.argv[3])
train(small_parent(), onsets(8), onsets(4, 50), sys.argv[2], strategy=strategy_of(strategy),
      config=TrainConfig.from_dict({**CONFIG.to_dict(), "epochs": 8, "learning_rate": 1e-2}),
      on_epoch=lambda report: (print(report.epoch, flush=True), time.sleep(slow)))
"""


def start(folder, slow):
    tests = os.path.dirname(__file__)  # noqa: PTH120
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, tests, str(folder), str(slow)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_killed_and_resumed_ends_with_the_same_weights(tmp_path):
    undisturbed = start(tmp_path / "whole", 0)
    _, errors = undisturbed.communicate(timeout=200)
    assert undisturbed.returncode == 0, errors
    killed = start(tmp_path / "killed", 0.3)
    deadline = time.monotonic() + 100
    seen = ""
    while seen.strip() != "4" and time.monotonic() < deadline:
        seen = killed.stdout.readline()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    resumed = start(tmp_path / "killed", 0)
    printed, errors = resumed.communicate(timeout=200)
    assert resumed.returncode == 0, errors
    assert printed.split()[0] in ("5", "6")  # what was done is not done again
    assert "7" in printed.split()
    for state in ("last.npz", "refit/last.npz"):
        with np.load(tmp_path / "whole" / state) as a, np.load(tmp_path / "killed" / state) as b:
            assert a.files == b.files
            for name in a.files:
                assert np.array_equal(a[name], b[name], equal_nan=True), name
    learnt = [(tmp_path / name / "best/learnt.csv").read_text() for name in ("whole", "killed")]
    assert learnt[0] == learnt[1]
    names = [line.partition(",")[0] for line in learnt[0].splitlines()]
    assert names == ["name", *(f"r{n}" for n in (*range(8), *range(50, 54)))]  # validation, too
    assert same(*(PhaseNet.from_preset(tmp_path / name) for name in ("whole", "killed")))


def good_parent(folder):
    config = TrainConfig(
        epochs=15, batch_size=8, window_samples=256, learning_rate=1e-2, shift_samples=64
    )
    return train(small_parent(), onsets(30), onsets(8, 50), folder, config=config).net


def test_a_parent_that_is_not_beaten_is_kept_and_said_so(tmp_path):
    parent = good_parent(tmp_path / "good")
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


def test_a_parent_that_is_kept_picks_at_the_rate_that_it_was_compared_at(tmp_path):
    def fast(records):
        return [replace(r, waveform=replace(r.waveform, sampling_rate=500.0)) for r in records]

    parent = good_parent(tmp_path / "good")
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


def test_run_folder_repeats_the_run_and_refuses_another(tmp_path):
    train(small_parent(), onsets(8), onsets(4, 50), tmp_path / "run", config=CONFIG)
    settings = json.loads((tmp_path / "run" / "config.json").read_text())
    assert TrainConfig.from_dict(settings["config"]) == CONFIG.settled(onsets(12))
    assert read_config(tmp_path / "run" / "config.json") == CONFIG.settled(onsets(12))
    assert settings["config"]["refit"] is True
    assert settings["strategy"]["name"] == "finetune"
    lines = (tmp_path / "run" / "history.csv").read_text().splitlines()
    assert lines[0] == "epoch,learning_rate,train_loss,dev_loss,dev_f1"
    assert len(lines) == 5
    with pytest.raises(ConfigError, match="holds a run of other settings") as other:
        train(
            small_parent(), onsets(8), onsets(4, 50), tmp_path / "run", strategy="scratch",
            config=replace(CONFIG, epochs=6, augmentation=None, alpha=0.5),
        )  # fmt: skip
    for change in ("epochs is 4 there, 6 here", "alpha is 0.95 there, 0.5 here"):
        assert f"; config.{change}" in str(other.value)
    assert '; strategy.name is "finetune" there, "scratch" here' in str(other.value)
    loud = [replace(r, waveform=replace(r.waveform, data=2 * r.waveform.data)) for r in onsets(8)]
    weights = {"r0": {"P": 0.5}}
    for parent, records, dev, given, differ in (
        (small_parent(2), onsets(8), onsets(4, 50), None, "parent_weights"),
        (small_parent(), loud, onsets(4, 50), None, "train_records"),
        (small_parent(), onsets(8), onsets(4, 51), None, "dev_records"),
        (small_parent(), onsets(8), onsets(4, 50), weights, "label_weights"),
    ):
        # Digests say nothing to a person.
        with pytest.raises(ConfigError, match=rf"a run of other settings \({differ}\): [^;]*$"):
            train(parent, records, dev, tmp_path / "run", config=CONFIG, weights=given)


def test_a_phase_that_nobody_taught_is_not_picked(tmp_path):
    """Until it is: a network that is made of this one, of records that say something of S."""

    def made(name, parent, phases, **settings):
        config = TrainConfig.from_dict({**CONFIG.to_dict(), **settings})
        records, dev = onsets(8, phases=phases), onsets(4, 50, phases=phases)
        return train(parent, records, dev, tmp_path / name, config=config, keep_parent=False)

    result = made("p", small_parent(), "P")
    assert result.net.preset.thresholds["S"] == 1.0
    assert result.net.preset.thresholds["P"] < 1.0
    assert PhaseNet.from_preset(tmp_path / "p").preset.unpicked == ("S",)
    [text] = [f.text for f in result.findings if f.name == "a phase was not taught"]
    assert text == (
        "no record has a label of S, so S is not picked (its threshold is 1): label some, or ask "
        "for what the parent's weights make of it (--s-threshold 0.3, in Python "
        'thresholds={"S": 0.3})'
    )
    others = [made("ps", result.net, "PS"), made("absent", result.net, "P", mask_unknown=False)]
    for other in others:
        assert other.net.preset.thresholds["S"] == 0.3
        assert "a phase was not taught" not in [finding.name for finding in other.findings]
    teacher = Teacher(small_parent(2), share=0.5)
    taught = train(
        result.net, onsets(8), onsets(4, 50), tmp_path / "taught", config=CONFIG, teacher=teacher,
        keep_parent=False,
    )  # fmt: skip
    assert taught.net.preset.unpicked == ()


def test_unknown_phases_teach_nothing():
    """The loss does not change when probability moves between noise and an unknown phase."""
    loss = MaskedCrossEntropy(3)
    target = np.array([[[1, 0, 0], [0.2, 0.8, 0]]], "float32")
    known, unknown = np.ones_like(target), np.ones_like(target)
    unknown[..., 2] = 0
    one = np.array([[[0.6, 0.1, 0.3], [0.1, 0.7, 0.2]]], "float32")
    other = np.array([[[0.8, 0.1, 0.1], [0.3, 0.7, 0.0]]], "float32")
    masked = [float(loss(np.concatenate([target, unknown], -1), y)) for y in (one, other)]
    plain = [float(loss(np.concatenate([target, known], -1), y)) for y in (one, other)]
    assert masked[0] == pytest.approx(masked[1], rel=1e-6)
    expected = -(np.log(0.9) + 0.2 * np.log(0.3) + 0.8 * np.log(0.7)) / 2
    assert masked[0] == pytest.approx(expected, rel=1e-5)
    assert plain[0] != pytest.approx(plain[1], rel=1e-2)


def test_settings_survive_json_and_mistakes_are_named():
    assert TrainConfig.from_dict(json.loads(json.dumps(CONFIG.to_dict()))) == CONFIG
    for given, words in (
        ({"epoch": 3}, "Did you mean 'epochs'"),
        ({"epochs": 0}, "from 1 on"),
        ({"learning_rate": -1}, "above 0"),
        ({"augmentation": [{"name": "WhiteNois"}]}, "Did you mean 'WhiteNoise'"),
        ({"augmentation": [{"name": "Polarity", "chance": 1}]}, "has no setting 'chance'"),
    ):
        with pytest.raises(ConfigError, match=words):
            TrainConfig.from_dict(given)


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


def both(count):
    """Records with a P and an S."""
    return [replace(r, arrivals={"P": (50.0,), "S": (90.0,)}) for r in onsets(count)]


def test_what_is_left_open_is_chosen_from_the_records():
    settled = TrainConfig().settled(onsets(20))
    assert (settled.refit, settled.window_samples) == (True, 512)
    assert not TrainConfig().settled(onsets(300)).refit
    assert TrainConfig(refit=False, window_samples=512).settled(onsets(3)).window_samples == 512
    blending = ["BlendRecords", "Polarity", "WhiteNoise"]
    usual = blending[1:]
    for learn, check, expected in (
        (both(20), [], blending),
        (both(5) + onsets(15), [], blending),  # a quarter of them
        (both(4) + onsets(15), [], usual),
        (onsets(20), both(20), usual),  # none to learn from
        (both(100), both(50), usual),  # many
    ):
        settled = TrainConfig().settled(learn, check)
        assert [step["name"] for step in settled.augmentation] == expected
        assert TrainConfig.from_dict(json.loads(json.dumps(settled.to_dict()))) == settled
    own = TrainConfig(augmentation=({"name": "Gap"},)).settled(both(20))
    assert [step["name"] for step in own.augmentation] == ["Gap"]
    assert TrainConfig.from_dict(TrainConfig().to_dict()) == TrainConfig()
    assert [TrainConfig().windows_of(n) for n in (10, 64, 256, 5000)] == [26, 4, 1, 1]
    wave = Waveform(np.ones((4000, 1)), 2000.0, UTCDateTime(0), ("Z",), "S")
    assert choose_window([LabelledWaveform(wave, {"P": (100,)})]) == 3072


def test_the_refit_knows_the_validation_records(tmp_path):
    learning = TrainConfig.from_dict({**CONFIG.to_dict(), "learning_rate": 1e-2, "epochs": 8})
    result = train(small_parent(), onsets(8), onsets(4, 50), tmp_path / "run", config=learning)
    assert result.n_refitted == 12
    assert "trained anew on all 12 records" in result.verdict
    assert not same(result.net, PhaseNet.from_preset(tmp_path / "run" / "validated"))
    config = TrainConfig.from_dict({**learning.to_dict(), "refit": False})
    result = train(small_parent(), onsets(8), onsets(4, 50), tmp_path / "plain", config=config)
    assert result.n_refitted == 0
    assert same(result.net, PhaseNet.from_preset(tmp_path / "plain" / "validated"))


def test_mixed_precision_trains_and_leaves_float32_weights(tmp_path):
    for precision in ("mixed_bfloat16", "mixed_float16"):
        config = TrainConfig.from_dict(
            {**CONFIG.to_dict(), "precision": precision, "epochs": 3, "learning_rate": 1e-2}
        )
        result = train(
            small_parent(), onsets(8), onsets(4, 50), tmp_path / precision, config=config
        )
        assert keras.config.dtype_policy().name == "float32"
        assert result.history[-1].train_loss < result.history[0].train_loss
        assert {a.dtype.name for a in result.net.get_weight_set().values()} == {"float32"}


def test_tensorboard_files_hold_the_history(tmp_path):
    config = TrainConfig.from_dict({**CONFIG.to_dict(), "tensorboard": True, "epochs": 2})
    train(small_parent(), onsets(4), onsets(2, 50), tmp_path / "run", config=config)
    [file] = (tmp_path / "run" / "tensorboard").iterdir()
    content = file.read_bytes()
    assert b"train_loss" in content
    assert b"dev_f1" in content


def test_tensorboard_that_cannot_be_leaves_the_folder_unclaimed(tmp_path, monkeypatch):
    monkeypatch.setattr("phasenet_keras.training.journal.find_spec", lambda name: None)
    config = TrainConfig.from_dict({**CONFIG.to_dict(), "tensorboard": True})
    with pytest.raises(ConfigError, match="pip install tensorboard"):
        train(small_parent(), onsets(4), onsets(2, 50), tmp_path / "run", config=config)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schedule": "cosin"}, "Did you mean 'cosine'"),
        ({"precision": "float16"}, "precision is one of"),
        ({"window_samples": -1}, "from 0 on"),
        ({"epochs": 0}, "from 1 on"),
    ],
)
def test_impossible_settings_are_refused(change, words):
    with pytest.raises(ConfigError, match=words):
        TrainConfig(**change)


def kill(report):
    raise KeyboardInterrupt


def test_a_run_that_has_not_ended_says_what_to_give_in_its_place(tmp_path):
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(small_parent(), onsets(8), onsets(4, 50), run, config=CONFIG, on_epoch=kill)
    with pytest.raises(PresetError) as refused:
        PhaseNet.from_preset(run)
    assert str(refused.value) == (
        f"folder {run} is no preset: the run in it has not ended. Give the same train command "
        f"again, and it goes on; or take {run / 'validated'}, its best network so far"
    )
    assert PhaseNet.from_preset(run / "validated").preset.name == "run"
    shutil.rmtree(run / "validated")
    with pytest.raises(PresetError, match=r"the same train command again, and it goes on$"):
        PhaseNet.from_preset(run)
    (run / "config.json").write_text('{"model_type": "another program\'s"}')
    with pytest.raises(PresetError, match=r"is no preset: it has no preset\.json$"):
        PhaseNet.from_preset(run)
    write_rounds([], run / "rounds.json")
    with pytest.raises(PresetError, match=r"the same selftrain command again, and it goes on$"):
        PhaseNet.from_preset(run)


@pytest.mark.parametrize("strategy", ["finetune", "scratch"])
def test_what_a_parent_had_learnt_its_child_of_python_has_learnt(tmp_path, strategy):
    """From the folder that the parent was loaded from, if its weights are taken over."""
    small_parent().save_preset(tmp_path / "parent")
    parent, before = PhaseNet.from_preset(tmp_path / "parent"), onsets(2, first=90)
    write_learnt(tmp_path / "parent", before)
    config = replace(CONFIG, epochs=1, refit=False)
    records = onsets(4), onsets(2, first=50)
    result = train(
        parent, *records, tmp_path / "run", strategy=strategy, config=config, keep_parent=False
    )
    inherited = ["r90", "r91"] if strategy == "finetune" else []
    names = [name for name, _ in read_learnt(str(tmp_path / "run"))]
    assert names == ["r0", "r1", "r2", "r3", *inherited]
    assert learnt_of(result.net) == read_learnt(str(tmp_path / "run"))
    assert learnt_of(small_parent()) == []
    (tmp_path / "parent/learnt.csv").write_text("these,are\nno,digests\n")
    with pytest.raises(PresetError, match=r"learnt\.csv cannot be read"):
        train(parent, *records, tmp_path / "other", config=config)
    assert not (tmp_path / "other").exists()
    shutil.rmtree(tmp_path / "parent")
    assert learnt_of(parent) == []
