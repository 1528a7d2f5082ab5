"""Fixtures. `shared` is the one place that knows where the project's shared data are."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import hypothesis
import numpy as np
import pytest

# No test is a matter of time: machines are slow when others work beside.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

ROOT = Path(__file__).resolve().parents[1]
CHECKPOINT_FILES = ("model_95.ckpt.index", "model_95.ckpt.data-00000-of-00001")


def shared_folder() -> Path | None:
    folder = Path(os.environ.get("PHASENET_KERAS_SHARED", ROOT.parent / "shared"))
    return folder if (folder / "ARCHITECTURE.md").is_file() else None


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared data; skips where there are none."""
    folder = shared_folder()
    if folder is None:
        pytest.skip("no shared data: set PHASENET_KERAS_SHARED to its folder")
    return folder


@pytest.fixture(scope="session")
def ncedc_cache(shared, tmp_path_factory) -> Path:
    """A cache folder that holds the two official checkpoint files."""
    cache = tmp_path_factory.mktemp("cache")
    (cache / "ncedc").mkdir()
    for name in CHECKPOINT_FILES:
        shutil.copyfile(shared / "weights/ncedc-190703-214543" / name, cache / "ncedc" / name)
    return cache


@pytest.fixture(scope="session")
def ncedc(ncedc_cache):
    """The official network."""
    from phasenet_keras import PhaseNet

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PHASENET_KERAS_CACHE", str(ncedc_cache))
        return PhaseNet.from_preset("ncedc")


@pytest.fixture
def use_ncedc(ncedc_cache, monkeypatch):
    """Let `from_preset("ncedc")` and sub-processes find the official weights."""
    monkeypatch.setenv("PHASENET_KERAS_CACHE", str(ncedc_cache))


def make_spike_net(channels=("E", "N", "Z"), sampling_rate=100.0, window_samples=3000, depth=5):
    """Return a PhaseNet set by hand: P at upward spikes, S at downward ones.

    With it the main path is tested without any shared data. Only the outermost skip carries
    something: relu(x - 12) and relu(-x - 12), x being the sum of the channels, which is more than
    noise of one sigma a channel comes to, also where one channel stands for three.
    """
    from phasenet_keras import PhaseNet, Preset

    net = PhaseNet(channels=channels, filters_root=2, depth=depth)
    weights = {name: np.zeros_like(array) for name, array in net.get_weight_set().items()}
    for name in weights:
        if name.endswith(("gamma", "moving_variance")):
            weights[name] += 1.0
    weights["input_conv/kernel"][3, :, 0] = 1.0
    weights["input_conv/kernel"][3, :, 1] = -1.0
    weights["input_conv/bias"][:] = -12.0
    for name in ("down0_conv", "up0_conv"):
        weights[f"{name}/kernel"][3, 0, 0] = 1.0
        weights[f"{name}/kernel"][3, 1, 1] = 1.0
    weights["output_conv/kernel"][0, 0, 1] = 2.0
    weights["output_conv/kernel"][0, 1, 2] = 2.0
    weights["output_conv/bias"][0] = 1.0
    net.set_weight_set(weights)
    preset = Preset(
        name="spikes",
        config=net.config,
        sampling_rate=sampling_rate,
        window_samples=window_samples,
        description="P at upward spikes, S at downward ones",
        license="MIT",
    )
    return net.with_preset(preset)


@pytest.fixture(scope="session")
def spike_net():
    """The network of `make_spike_net` for three channels at 100 Hz."""
    return make_spike_net()


@pytest.fixture(scope="session")
def picker(spike_net):
    """Its picker, of chunks so short that a record of some minutes has several."""
    from phasenet_keras import Picker

    return Picker(spike_net, chunk_samples=2048)


@pytest.fixture(scope="session")
def make_net():
    """`make_spike_net` itself, for other channels, rates, windows and depths."""
    return make_spike_net


@pytest.fixture(scope="session")
def random_net():
    """A default PhaseNet of random weights, batch-norm statistics included, with a contract."""
    from phasenet_keras import PhaseNet, Preset

    net = PhaseNet()
    rng = np.random.default_rng(7)
    weights = net.get_weight_set()
    for name, array in weights.items():
        if name.endswith("/kernel"):
            fan_in = array.shape[0] * array.shape[1]
            weights[name] = rng.normal(0, (2 / fan_in) ** 0.5, array.shape).astype("float32")
        elif name.endswith(("gamma", "moving_variance")):
            weights[name] = rng.uniform(0.5, 1.5, array.shape).astype("float32")
        else:
            weights[name] = rng.normal(0, 0.2, array.shape).astype("float32")
    net.set_weight_set(weights)
    return net.with_preset(
        Preset(name="random", config=net.config, sampling_rate=100.0, window_samples=3000)
    )


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(12345)


@pytest.fixture(scope="session")
def preset(make_net, tmp_path_factory) -> str:
    """A preset folder whose network picks P at upward spikes."""
    folder = tmp_path_factory.mktemp("presets") / "spikes"
    make_net().save_preset(folder)
    return str(folder)


@pytest.fixture(scope="session")
def finder(make_net, tmp_path_factory) -> str:
    """A preset of Z that finds every spike: no training can do better."""
    folder = tmp_path_factory.mktemp("finder") / "spikes"
    make_net(("Z",), window_samples=256, depth=2).save_preset(folder)
    return str(folder)


@pytest.fixture
def parent(tmp_path) -> str:
    """A preset folder of a small network of random weights, of Z at 100 Hz."""
    from training_runs import small_parent

    small_parent().save_preset(tmp_path / "small")
    return str(tmp_path / "small")
