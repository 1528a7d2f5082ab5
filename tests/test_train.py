"""Training on synthetic records: it learns, resumes bit for bit, and never hides a failure."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from texts import unaligned
from training_runs import CONFIG, onsets, same, small_parent

from phasenet_keras import PhaseNet, Picker
from phasenet_keras.training.config import TrainConfig, read_config
from phasenet_keras.training.evaluate import evaluate
from phasenet_keras.training.learnt import learnt_of, read_learnt, write_learnt
from phasenet_keras.training.rounds import write_rounds
from phasenet_keras.training.teacher import Teacher
from phasenet_keras.training.train import train
from phasenet_keras.types import ConfigError, PresetError


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
    assert list(result.proof.scores) == ["small", "regional", "STA/LTA", "trained"]
    assert result.proof.scores["trained"] == scores
    assert result.proof.scores["small"]["P"].n_true == 20
    report = (tmp_path / "run" / "report.md").read_text()
    assert f"| trained | P | {scores['P'].f1:.3f} " in unaligned(report)


def test_the_same_settings_give_the_same_weights(tmp_path):
    parent = small_parent()

    def run(name, seed):
        random.seed(name)  # what was drawn before is no part of a run
        config = replace(CONFIG, epochs=2, refit=False, seed=seed)
        records = onsets(8), onsets(4, 50)
        return train(parent, *records, tmp_path / name, strategy="scratch", config=config)

    one, again, other = run("a", 3), run("b", 3), run("c", 4)
    assert one.history == again.history
    assert same(one.net, again.net)
    assert one.history[0].train_loss != other.history[0].train_loss


def in_two_phases(folder, on_epoch):
    """Train all but the decoder frozen at first: the run that is killed, and that which is not."""
    strategy = {
        "name": "two",
        "freeze": [{"trainable": ["output", "up*"]}, {"start_epoch": 3, "trainable": ["*"]}],
    }
    train(
        small_parent(), onsets(8), onsets(4, 50), folder, strategy=strategy, on_epoch=on_epoch,
        config=replace(CONFIG, epochs=8, learning_rate=1e-2),
    )  # fmt: skip


TO_BE_KILLED = """
import sys, time
sys.path.insert(0, sys.argv[1])
from test_train import in_two_phases
in_two_phases(sys.argv[2], lambda r: (print(r.epoch, flush=True), time.sleep(0.3)))
"""


def test_killed_and_resumed_ends_with_the_same_weights(tmp_path):
    whole, epochs = [], []
    in_two_phases(tmp_path / "whole", lambda report: whole.append(report.epoch))
    assert whole == [*range(8), *range(max(whole[8:]) + 1)]  # the refit's follow
    command = [sys.executable, "-c", TO_BE_KILLED, str(Path(__file__).parent)]
    killed = subprocess.Popen(
        [*command, str(tmp_path / "killed")], stdout=subprocess.PIPE, text=True
    )
    seen = " "
    while seen and seen.strip() != "4":  # nothing once it has ended
        seen = killed.stdout.readline()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    assert seen.strip() == "4"
    in_two_phases(tmp_path / "killed", lambda report: epochs.append(report.epoch))
    assert epochs[0] in (5, 6)  # what was done is not done again
    assert epochs == whole[epochs[0] :]
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
    others = [
        made("ps", result.net, "PS", refit=False),
        made("absent", result.net, "P", refit=False, mask_unknown=False),
    ]
    for other in others:
        assert other.net.preset.thresholds["S"] == 0.3
        assert "a phase was not taught" not in [finding.name for finding in other.findings]
    teacher = Teacher(small_parent(2), share=0.5)
    taught = train(
        result.net, onsets(8), onsets(4, 50), tmp_path / "taught", teacher=teacher,
        keep_parent=False, config=replace(CONFIG, refit=False),
    )  # fmt: skip
    assert taught.net.preset.unpicked == ()


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
        config = replace(CONFIG, precision=precision, epochs=3, learning_rate=1e-2, refit=False)
        result = train(
            small_parent(), onsets(8), onsets(4, 50), tmp_path / precision, config=config
        )
        assert keras.config.dtype_policy().name == "float32"
        assert result.history[-1].train_loss < result.history[0].train_loss
        assert {a.dtype.name for a in result.net.get_weight_set().values()} == {"float32"}


def test_tensorboard_files_hold_the_history(tmp_path):
    config = replace(CONFIG, tensorboard=True, epochs=2, refit=False)
    train(small_parent(), onsets(4), onsets(2, 50), tmp_path / "run", config=config)
    [file] = (tmp_path / "run" / "tensorboard").iterdir()
    content = file.read_bytes()
    assert b"train_loss" in content
    assert b"dev_f1" in content


def test_tensorboard_that_cannot_be_leaves_the_folder_unclaimed(tmp_path, monkeypatch):
    monkeypatch.setattr("phasenet_keras.training.journal.find_spec", lambda name: None)
    config = replace(CONFIG, tensorboard=True)
    with pytest.raises(ConfigError, match="pip install tensorboard"):
        train(small_parent(), onsets(4), onsets(2, 50), tmp_path / "run", config=config)
    assert not (tmp_path / "run").exists()


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
