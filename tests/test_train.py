"""Training on synthetic records: it learns, resumes bit for bit, and never hides a failure."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from obspy import UTCDateTime

from phasenet_keras import PhaseNet, Picker, Preset, Waveform
from phasenet_keras.training.config import TrainConfig
from phasenet_keras.training.evaluate import evaluate
from phasenet_keras.training.loss import masked_cross_entropy
from phasenet_keras.training.train import train
from phasenet_keras.types import ConfigError, LabelledWaveform

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


def small_parent():
    keras.utils.set_random_seed(1)
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
        config=config,
    )  # fmt: skip
    assert result.history[0].train_loss > 2 * result.history[-1].train_loss
    net = PhaseNet.from_preset(tmp_path / "run" / "best")
    assert same(net, result.net)
    assert result.findings == ()
    assert net.preset.name == "run"
    assert net.preset.window_samples == 256
    assert evaluate(Picker(net), onsets(20, 200), tolerance_samples=5)["P"].f1 > 0.9


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
      config=TrainConfig.from_dict({**CONFIG.to_dict(), "epochs": 8}),
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
    assert printed.split()[-1] == "7"
    assert len(printed.split()) <= 3  # what was done is not done again
    with (
        np.load(tmp_path / "whole" / "last.npz") as a,
        np.load(tmp_path / "killed" / "last.npz") as b,
    ):
        assert a.files == b.files
        for name in a.files:
            assert np.array_equal(a[name], b[name]), name


def test_a_parent_that_is_not_beaten_is_kept_and_said_so(tmp_path):
    parent = train(
        small_parent(), onsets(30), onsets(8, 50), tmp_path / "good",
        config=TrainConfig(epochs=15, batch_size=8, window_samples=256, learning_rate=1e-2,
                           shift_samples=64),
    ).net  # fmt: skip
    ruined = TrainConfig.from_dict({**CONFIG.to_dict(), "learning_rate": 100.0, "epochs": 1})
    result = train(parent, onsets(8, 300), onsets(8, 50), tmp_path / "bad", config=ruined)
    assert result.best_epoch is None
    assert "output collapsed" in {finding.name for finding in result.findings}
    assert result.net is parent
    assert "did not beat the parent" in result.verdict
    assert not (tmp_path / "bad" / "best").exists()


def test_run_folder_repeats_the_run_and_refuses_another(tmp_path):
    train(small_parent(), onsets(8), onsets(4, 50), tmp_path / "run", config=CONFIG)
    settings = json.loads((tmp_path / "run" / "config.json").read_text())
    assert TrainConfig.from_dict(settings["config"]) == CONFIG
    assert settings["strategy"]["name"] == "finetune"
    lines = (tmp_path / "run" / "history.csv").read_text().splitlines()
    assert lines[0] == "epoch,learning_rate,train_loss,dev_loss"
    assert len(lines) == 5
    with pytest.raises(ConfigError, match="holds a run of other settings"):
        train(
            small_parent(), onsets(8), onsets(4, 50), tmp_path / "run", strategy="scratch",
            config=CONFIG,
        )  # fmt: skip


def test_leaks_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"1 events are in training and validation, e\.g\. e1"):
        train(
            small_parent(), onsets(4, event="e1"), onsets(4, 50, event="e1"), tmp_path / "run",
            config=CONFIG,
        )  # fmt: skip
    with pytest.raises(ConfigError, match="2 names are in training and validation"):
        train(small_parent(), onsets(4), onsets(4, 2), tmp_path / "run", config=CONFIG)
    with pytest.raises(ConfigError, match="others to validate on"):
        train(small_parent(), onsets(4), [], tmp_path / "run", config=CONFIG)


def test_unknown_phases_teach_nothing():
    """The loss does not change when probability moves between noise and an unknown phase."""
    loss = masked_cross_entropy(3)
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
