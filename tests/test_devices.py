"""Training on several devices, tried on a CPU that is taken for two."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from training_runs import CONFIG, onsets, small_parent

from phasenet_keras import PhaseNet
from phasenet_keras.training.devices import Devices
from phasenet_keras.training.train import train
from phasenet_keras.types import ConfigError

SCRIPT = """
import json, sys
import numpy as np

folder, strategy, n_devices = sys.argv[1], sys.argv[2], int(sys.argv[3])
import keras
if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    [cpu] = tf.config.list_physical_devices("CPU")
    parts = [tf.config.LogicalDeviceConfiguration() for _ in range(n_devices)]
    tf.config.set_logical_device_configuration(cpu, parts)
from obspy import UTCDateTime
from phasenet_keras import LabelledWaveform, PhaseNet, Preset, TrainConfig, Waveform
from phasenet_keras.training import devices
from phasenet_keras.training.learner import Learner
from phasenet_keras.training.transfer import strategy_of

devices.DEVICE_KIND = "CPU"
rng = np.random.default_rng(0)
records = []
for number in range(8):
    data, p = rng.normal(size=(512, 1)), 100 + 20 * number
    t = np.arange(512 - p)
    data[p:, 0] += 5 * np.exp(-t / 40) * np.sin(t / 3)
    wave = Waveform(data, 100.0, UTCDateTime(0), ("Z",), f"A{number}")
    records.append(LabelledWaveform(wave, {"P": (p,), "S": (p + 60,)}, event=str(number)))
net = PhaseNet(channels=("Z",), filters_root=2)
weights = net.get_weight_set()
kernels = {n: rng.normal(0, 0.1, a.shape).astype("f") for n, a in weights.items() if "kernel" in n}
net.set_weight_set(weights | kernels)
config = TrainConfig(
    epochs=2, batch_size=int(sys.argv[4]), windows_per_record=2, window_samples=512, augmentation=()
)
learner = Learner(
    net, records, records[:2], strategy_of(strategy), config, Preset("x", net.config, 100.0, 512)
)
given = []
train_on_batch = learner.net.train_on_batch


def noted(x, y):
    strategy = learner.devices.strategy
    parts = strategy.experimental_local_results(x) if strategy else [x]
    given.append([len(part) for part in parts])
    return train_on_batch(x, y)


learner.net.train_on_batch = noted
losses = [learner.run_epoch(epoch).train_loss for epoch in range(2)]
np.savez(f"{folder}/{n_devices}.npz", **learner.net.get_weight_set())
print(json.dumps({"n": learner.devices.n, "losses": losses, "given": given}))
"""


def train_on(n_devices, batch_size, backend, folder):
    flags = f"--xla_force_host_platform_device_count={n_devices}"
    environment = {**os.environ, "KERAS_BACKEND": backend, "XLA_FLAGS": flags}
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), "gradual", str(n_devices), str(batch_size)],
        capture_output=True, text=True, check=False, timeout=300, env=environment,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-2000:]
    said = json.loads(result.stdout.splitlines()[-1])
    assert said["n"] == n_devices
    with np.load(folder / f"{n_devices}.npz") as weights:
        return said["losses"], dict(weights), said["given"]


@pytest.mark.parametrize(
    "backend",
    ["tensorflow", pytest.param("jax", marks=[pytest.mark.jax, pytest.mark.slow])],
)
def test_two_devices_train_as_one(backend, tmp_path):
    # At first `gradual` freezes all batch norms: on TensorFlow each device takes their statistics
    # over its own part of a batch. A batch of 5 is one of 4 for two devices.
    losses, weights, given = train_on(2, 5, backend, tmp_path)
    alone, expected, _ = train_on(1, 4, backend, tmp_path)
    # Keras itself shares batches on JAX. On TensorFlow each device would train on all of them
    # with the same result.
    assert given == [[2, 2] if backend == "tensorflow" else [4]] * 8
    assert losses == pytest.approx(alone, rel=1e-5)
    moved = max(np.abs(expected[name] - weights[name]).max() for name in expected)
    assert moved < 1e-5


def losses_of_a_run(parent, folder):
    net = PhaseNet.from_preset(parent, rebalance=True)
    strategy = {"name": "two", "freeze": [{"trainable": ["output"]}, {"start_epoch": 1}]}
    config = replace(CONFIG, epochs=2, refit=False)
    result = train(net, onsets(8), onsets(4, 50), folder, strategy=strategy, config=config)
    return [report.train_loss for report in result.history]


UNDER_JAX = """
import sys
sys.path.insert(0, sys.argv[1])
import keras
from test_devices import losses_of_a_run
print(keras.backend.backend(), *losses_of_a_run(*sys.argv[2:]))
"""


@pytest.mark.jax
def test_a_run_on_a_cpu_under_jax_is_that_under_tensorflow(tmp_path):
    if importlib.util.find_spec("jax") is None:
        pytest.skip("JAX is not installed")
    small_parent().save_preset(tmp_path / "parent")
    arguments = (Path(__file__).parent, tmp_path / "parent", tmp_path / "jax")
    result = subprocess.run(
        [sys.executable, "-c", UNDER_JAX, *map(str, arguments)],
        env={**os.environ, "KERAS_BACKEND": "jax"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-2000:]
    backend, *said = result.stdout.split()
    losses = list(map(float, said))
    assert backend == "jax"
    assert losses == pytest.approx(
        losses_of_a_run(tmp_path / "parent", tmp_path / "tensorflow"), rel=1e-4
    )
    assert losses[0] != losses[1]


def test_a_batch_is_shared_evenly():
    assert [Devices(4).batch_size(n) for n in (4, 7, 16)] == [4, 4, 16]
    with pytest.raises(ConfigError, match="a batch of 3 cannot be shared among 4 GPUs"):
        Devices(4).batch_size(3)
