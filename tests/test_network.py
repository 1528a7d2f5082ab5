"""The network against the official graph's outputs, its shapes, and saved networks."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import TOLERANCE, official_cases

from phasenet_keras import PhaseNet, PhaseNetConfig
from phasenet_keras.models.weights import BATCH_NORM_EPSILON
from phasenet_keras.types import ConfigError, ShapeError


@pytest.mark.shared
def test_official_probabilities_at_every_length(shared, ncedc):
    lengths = []
    for x, official in official_cases(shared):
        assert np.abs(np.asarray(ncedc(x)) - official).max() < TOLERANCE, x.shape
        lengths.append(x.shape[1])
    assert (min(lengths), max(lengths), len(lengths)) == (1, 9000, 25)


@pytest.mark.shared
def test_the_official_outputs_are_those_of_our_epsilon(shared, use_ncedc):
    """A fifth more or less is within the tolerance, but several times farther off."""
    x, official = next(case for case in official_cases(shared) if case[0].shape[1] == 3000)
    errors = []
    for factor in (0.8, 1.0, 1.2):
        net = PhaseNet.from_preset("ncedc")
        norms = [layer for stage in net.stages for layer in net.stage_layers(stage)]
        for norm in (n for n in norms if isinstance(n, keras.layers.BatchNormalization)):
            norm.epsilon = factor * BATCH_NORM_EPSILON
        # The largest is of single precision, and another on another processor.
        errors.append(np.abs(np.asarray(net(x)) - official).mean())
    assert 3 * errors[1] < min(errors[0], errors[2])


@pytest.mark.shared
@pytest.mark.jax
def test_official_probabilities_under_jax(shared, ncedc_cache):
    if importlib.util.find_spec("jax") is None:
        pytest.skip("JAX is not installed")
    code = """
import sys, keras, numpy as np
from phasenet_keras import PhaseNet, Picker, read_waveforms
assert keras.backend.backend() == "jax"
net = PhaseNet.from_preset("ncedc")
folder = sys.argv[1]
odd = np.load(folder + "/official_phasenet_odd_lengths.npz")
for n in (1, 3, 64, 257, 1023, 2999, 4200):
    y = np.asarray(net(odd["x"][None, :n]))[0]
    assert np.abs(y - odd[f"prob_{n}"]).max() < 1e-5, n
parity = np.load(folder + "/official_phasenet_parity.npz")
for n in ("3000", "3001", "9000"):
    x, y = parity["x" + n], parity["prob" + n]
    assert np.abs(np.asarray(net(x if x.ndim == 3 else x[None])) - y).max() < 1e-5, n
assert [p.sample for p in Picker(net).pick(read_waveforms())] == [471, 568]
"""
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "PHASENET_KERAS_CACHE": str(ncedc_cache),
    }
    result = subprocess.run(
        [sys.executable, "-c", code, str(shared / "fixtures")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr[-2000:]


def test_size_and_names():
    net = PhaseNet()
    assert net.count_params() == 269_675
    assert net.stages == (
        *("input", "down0", "down1", "down2", "down3", "down4"),
        *("up3", "up2", "up1", "up0", "output"),
    )
    names = [layer.name for stage in net.stages for layer in net.stage_layers(stage)]
    assert len(names) == len(set(names)) == 37
    assert all(name.startswith(s) for s in net.stages for name in [net.stage_layers(s)[0].name])
    with pytest.raises(ConfigError, match="no stage 'down5'; the stages are input, down0"):
        net.stage_layers("down5")


@settings(max_examples=12)
@given(
    n_samples=st.integers(1, 700),
    channels=st.sampled_from([("Z",), ("Z", "N"), ("E", "N", "Z"), ("A", "B", "C", "D")]),
    phases=st.sampled_from([("N", "P"), ("N", "P", "S"), ("N", "P", "S", "X")]),
    depth=st.integers(1, 4),
    kernel_size=st.integers(1, 9),
    stride=st.integers(2, 5),
)
def test_any_length_and_any_shape_gives_a_distribution(
    n_samples, channels, phases, depth, kernel_size, stride
):
    net = PhaseNet(
        channels=channels,
        phases=phases,
        depth=depth,
        kernel_size=kernel_size,
        stride=stride,
        filters_root=3,
    )
    x = np.random.default_rng(0).standard_normal((2, n_samples, len(channels)))
    y = np.asarray(net(x.astype("float32")))
    assert y.shape == (2, n_samples, len(phases))
    assert np.allclose(y.sum(axis=-1), 1.0, atol=1e-5)


def test_receptive_field_is_what_the_halo_says(random_net):
    assert PhaseNetConfig().halo_samples == 1792
    x = np.random.default_rng(0).standard_normal((1, 8192, 3)).astype("float32")
    other = x.copy()
    other[0, 4096] += 100.0
    changed = np.abs(np.asarray(random_net(x)) - np.asarray(random_net(other))).max(axis=(0, 2))
    reached = np.flatnonzero(changed > 0)
    assert 4096 - 1792 < reached.min() < 4096 - 1000
    assert 4096 + 1000 < reached.max() < 4096 + 1792


def test_features_are_what_the_next_stage_is_given(random_net):
    n_channels = len(random_net.config.channels)
    x = np.random.default_rng(0).normal(size=(2, 700, n_channels)).astype("float32")
    output = keras.ops.softmax(random_net.output_conv(random_net.features(x, "up0")))
    np.testing.assert_allclose(output, random_net(x), atol=1e-6)
    for stage in random_net.stages[:-1]:
        found = np.asarray(random_net.features(x, stage))
        assert found.min() == 0.0  # behind its ReLU
        signal = keras.Input((700, n_channels))
        model = keras.Model(signal, random_net.features(signal, stage))
        np.testing.assert_allclose(model.predict(x, verbose=0), found, rtol=1e-4, atol=1e-5)
    with pytest.raises(ConfigError, match="no stage 'down9'"):
        random_net.features(x, "down9")
    with pytest.raises(ConfigError, match="'output', whose output is that of the network"):
        random_net.features(x, "output")


@pytest.mark.parametrize("dtype", ["int16", "int32", "int64", "uint8", "bool"])
def test_whole_numbers_are_samples_as_well(random_net, dtype):
    x = np.random.default_rng(0).integers(0, 100, (2, 300, 3)).astype(dtype)
    expected = np.asarray(random_net(x.astype("float32")))
    assert np.array_equal(np.asarray(random_net(x)), expected)
    assert np.array_equal(random_net.predict_on_batch(x), random_net.predict_on_batch(x * 1.0))


@pytest.mark.parametrize("shape", [(1, 100, 2), (100, 3), (3,), (1, 0, 3), (1, 1, 100, 3)])
def test_other_shapes_are_refused(spike_net, shape):
    said = rf"takes \(batch, samples, 3\) for channels E,N,Z, received {re.escape(str(shape))}"
    with pytest.raises(ShapeError, match=said):
        spike_net(np.zeros(shape, "float32"))


def test_wrong_use_is_refused():
    with pytest.raises(ConfigError, match="Did you mean 'depth'"):
        PhaseNet(depht=3)
    with pytest.raises(ConfigError, match="distinct names"):
        PhaseNet(channels="ZZ")


@pytest.mark.parametrize("is_optimized", [True, False])
def test_saved_while_frozen_reloads_whole(tmp_path, is_optimized):
    """Whether the optimizer has a state of the frozen layers, or was made when they were."""
    net = PhaseNet(channels="Z", filters_root=2, depth=2)
    net.compile(optimizer="adam", loss="categorical_crossentropy")
    if is_optimized:
        net.optimizer.build(net.trainable_variables)
    for layer in net.stage_layers("down1"):
        layer.trainable = False
    x = np.random.default_rng(0).standard_normal((4, 256, 1)).astype("float32")
    y = np.eye(3, dtype="float32")[np.zeros((4, 256), int)]
    net.fit(x, y, epochs=2, verbose=0)
    net.save(tmp_path / "net.keras")
    again = keras.saving.load_model(tmp_path / "net.keras")
    assert isinstance(again, PhaseNet)
    assert again.config == net.config
    assert np.array_equal(again.predict_on_batch(x), net.predict_on_batch(x))
    assert int(again.optimizer.iterations) == int(net.optimizer.iterations) == 2
    ours, theirs = net.optimizer.variables, again.optimizer.variables
    assert len(ours) == len(theirs) > 10
    for mine, other in zip(ours, theirs, strict=True):
        assert np.array_equal(np.asarray(mine), np.asarray(other))
    frozen = {layer.name for layer in net.stage_layers("down1")}
    for other in (again, keras.models.clone_model(net)):
        assert {layer.name for layer in other.layers if not layer.trainable} == frozen
    before = again.get_weight_set()
    again.fit(x, y, epochs=1, verbose=0)
    moved = {
        name.split("/")[0]
        for name, array in again.get_weight_set().items()
        if not np.array_equal(array, before[name])
    }
    assert moved == {layer.name for layer in net.layers if layer.variables} - frozen


def test_a_network_that_is_frozen_whole_reloads_with_the_optimizers_state(tmp_path):
    net = PhaseNet(channels="Z", filters_root=2, depth=3)
    net.compile(optimizer="adam", loss="categorical_crossentropy")
    net.optimizer.build(net.trainable_variables)
    net.optimizer.variables[-1].assign(net.optimizer.variables[-1] + 7.0)
    net.trainable = False
    net.save(tmp_path / "net.keras")
    again = keras.saving.load_model(tmp_path / "net.keras")
    assert not again.trainable
    assert not again.trainable_variables
    ours, theirs = net.optimizer.variables, again.optimizer.variables
    assert len(ours) == len(theirs) > 10
    assert np.array_equal(np.asarray(ours[-1]), np.asarray(theirs[-1]))


def test_of_which_all_learns_a_network_is_saved_as_by_earlier_versions():
    net = PhaseNet(channels="Z", filters_root=2, depth=3)
    net.compile(optimizer="adam", loss="categorical_crossentropy")
    net.optimizer.build(net.trainable_variables)
    assert set(net.get_compile_config()) == set(keras.Model.get_compile_config(net))
    net.stage_layers("down2")[0].trainable = False
    assert "down2_conv" in net.get_compile_config()["optimized"]


def test_saved_by_an_earlier_version_it_has_no_list_of_frozen_layers():
    config = {"config": PhaseNetConfig(channels="Z", depth=2).to_dict(), "trainable": True}
    assert PhaseNet.from_config(config).trainable_variables
    net = PhaseNet(channels="Z", depth=2)
    assert set(net.get_config()) == {"config", "name", "trainable"}
