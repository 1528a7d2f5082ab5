"""The network and its weights against the official graph's outputs."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records import normalize

from phasenet_keras import PhaseNet, PhaseNetConfig
from phasenet_keras.models.convert import read_foreign_weights, read_keras2_h5
from phasenet_keras.models.stages import convolutions
from phasenet_keras.models.weights import (
    BATCH_NORM_EPSILON,
    BATCH_NORM_VARIABLES,
    adapt_channels,
    check_weight_set,
    infer_config,
    rebalance_kernels,
)
from phasenet_keras.types import ConfigError, FormatError, ShapeError

TOLERANCE = 1e-5


def official_cases(shared):
    odd = np.load(shared / "fixtures/official_phasenet_odd_lengths.npz")
    for name in odd.files:
        if name != "x":
            n_samples = int(name.removeprefix("prob_"))
            yield odd["x"][None, :n_samples], odd[name][None]
    parity = np.load(shared / "fixtures/official_phasenet_parity.npz")
    for length in ("3000", "3001", "9000"):
        x, y = parity[f"x{length}"], parity[f"prob{length}"]
        yield (x, y) if x.ndim == 3 else (x[None], y[None])


@pytest.mark.shared
def test_official_probabilities_at_every_length(shared, ncedc):
    lengths = []
    for x, official in official_cases(shared):
        assert np.abs(np.asarray(ncedc(x)) - official).max() < TOLERANCE, x.shape
        lengths.append(x.shape[1])
    assert (min(lengths), max(lengths), len(lengths)) == (1, 9000, 25)


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
    net = PhaseNet(channels="Z", filters_root=2, depth=3)
    net.compile(optimizer="adam", loss="categorical_crossentropy")
    if is_optimized:
        net.optimizer.build(net.trainable_variables)
    for layer in net.stage_layers("down2"):
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
    frozen = {layer.name for layer in net.stage_layers("down2")}
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


@pytest.mark.shared
def test_rebalanced_official_weights_keep_the_function(shared, ncedc):
    weights = ncedc.get_weight_set()
    balanced = rebalance_kernels(weights, ncedc.config)
    for conv in convolutions(ncedc.config):
        rms = float(np.sqrt(np.mean(balanced[f"{conv.name}/kernel"] ** 2)))
        expected = 0.1 if conv.norm else rms
        assert rms == pytest.approx(expected, rel=1e-5)
    assert np.array_equal(balanced["output_conv/kernel"], weights["output_conv/kernel"])
    net = PhaseNet(ncedc.config)
    net.set_weight_set(balanced)
    for x, _ in official_cases(shared):
        assert np.abs(np.asarray(net(x)) - np.asarray(ncedc(x))).max() < TOLERANCE


@given(scale=st.floats(1e-3, 1e3), rms=st.floats(0.01, 1.0))
def test_rebalancing_is_exact_for_any_scale(random_net, scale, rms):
    """In double precision, convolution and batch norm together are what they were."""
    conv = convolutions(random_net.config)[5]
    weights = {n: a.astype(np.float64) for n, a in random_net.get_weight_set().items()}
    weights[f"{conv.name}/kernel"] *= scale
    balanced = rebalance_kernels(weights, random_net.config, rms)

    def response(w):
        out = np.ones(conv.n_in * conv.kernel_size) @ w[f"{conv.name}/kernel"].reshape(
            -1, conv.n_out
        )
        norm = {n: w[f"{conv.norm}/{n}"] for n in BATCH_NORM_VARIABLES}
        deviation = np.sqrt(norm["moving_variance"] + BATCH_NORM_EPSILON)
        return norm["gamma"] * (out - norm["moving_mean"]) / deviation + norm["beta"]

    assert np.allclose(response(weights), response(balanced), rtol=1e-9, atol=1e-9)
    kernel = balanced[f"{conv.name}/kernel"]
    assert np.sqrt(np.mean(kernel**2)) == pytest.approx(rms)


def test_adaptation_rules():
    kernel = np.arange(6.0).reshape(1, 3, 2)
    assert adapt_channels(kernel, "ENZ", "Z").ravel().tolist() == [12.0, 15.0]
    assert adapt_channels(kernel, "ENZ", "ZN")[0].tolist() == [[6.0, 7.5], [3.0, 4.5]]
    assert adapt_channels(kernel, "ENZ", "Z", "sum").ravel().tolist() == [6.0, 9.0]
    assert adapt_channels(kernel, "ENZ", "Z", "mean").ravel().tolist() == [2.0, 3.0]
    one = kernel[:, 2:]
    assert adapt_channels(one, "Z", "ENZ")[0].tolist() == [[0, 0], [0, 0], [4, 5]]
    assert adapt_channels(one, "Z", "ENZ", "sum").sum(axis=1).tolist() == [[4.0, 5.0]]
    assert adapt_channels(one, "Z", "ENZ", "mean")[0].tolist() == [[4, 5]] * 3
    two = adapt_channels(kernel, "ENZ", "NZ")
    assert adapt_channels(two, "NZ", "ENZ")[0].tolist() == [[0, 0], [3, 4.5], [6, 7.5]]
    with pytest.raises(ConfigError, match="needs a common channel"):
        adapt_channels(one, "Z", "EN")
    with pytest.raises(ConfigError, match="Did you mean 'select'"):
        adapt_channels(one, "Z", "ENZ", "selct")


@pytest.mark.shared
@pytest.mark.parametrize("channels", ["Z", "ZN", "NEZ"])
def test_selected_network_equals_the_padded_one(shared, ncedc, use_ncedc, channels):
    adapted = PhaseNet.from_preset("ncedc", channels=channels)
    columns = ["ENZ".index(name) for name in channels]
    paths = sorted((shared / "data/ncedc/waveform").glob("*.npz"))[:8]
    for path in paths:
        x = normalize(np.load(path)["data"][2000:5000])[None]
        padded = np.zeros_like(x)
        padded[..., columns] = x[..., columns] * (3 / len(columns))
        difference = np.asarray(adapted(x[..., columns])) - np.asarray(ncedc(padded))
        assert np.abs(difference).max() < TOLERANCE


@pytest.mark.shared
def test_earlier_ports_weights_are_the_official_ones(shared, ncedc):
    official = ncedc.get_weight_set()
    port = read_foreign_weights(shared / "weights/ancestor-ncedc-1c/model.h5")
    assert infer_config(port) == PhaseNetConfig(channels=("Z",))
    assert np.array_equal(port["input_conv/kernel"], official["input_conv/kernel"][:, 2:])
    assert all(np.array_equal(port[n], official[n]) for n in port if n != "input_conv/kernel")


@pytest.mark.shared
def test_every_name_of_a_checkpoint_leads_to_it(shared):
    folder = shared / "weights/ncedc-190703-214543"
    names = ["", "model_95.ckpt", "model_95.ckpt.index", "model_95.ckpt.data-00000-of-00001"]
    sets = [read_foreign_weights(folder / name) for name in names]
    assert all(np.array_equal(s[n], sets[0][n]) for s in sets for n in sets[0])


@pytest.mark.shared
def test_h5_with_other_layers_is_refused_with_a_list(shared, tmp_path):
    path = tmp_path / "model.h5"
    shutil.copyfile(shared / "weights/ancestor-ncedc-1c/model.h5", path)
    path.chmod(0o644)
    with h5py.File(path, "a") as file:
        group = file["model_weights"]
        group.move("conv2d_3", "conv2d_77")
        del group["batch_normalization_5"]["batch_normalization_5"]["gamma:0"]
    with pytest.raises(ShapeError) as error:
        read_keras2_h5(path)
    for line in (
        "missing: conv2d_3/kernel",
        "missing: batch_normalization_5/gamma",
        "not in a PhaseNet: conv2d_77/kernel (7, 1, 8, 16)",
    ):
        assert line in str(error.value)


def test_other_files_are_no_weights(tmp_path):
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(FormatError, match=r"text\.h5 is no readable HDF5"):
        read_foreign_weights(tmp_path / "text.h5")
    with pytest.raises(FormatError, match=r"should hold one checkpoint .* found: none"):
        read_foreign_weights(tmp_path)
    (tmp_path / "cut.ckpt.index").write_bytes(b"\x00\x01")
    with pytest.raises(FormatError, match="no readable TensorFlow checkpoint"):
        read_foreign_weights(tmp_path / "cut.ckpt.index")
    with pytest.raises(FormatError, match=r"expected nothing\.ckpt\.index"):
        read_foreign_weights(tmp_path / "nothing.ckpt")


def test_a_wrong_set_lists_all_that_differs(spike_net):
    weights = spike_net.get_weight_set()
    del weights["up0_conv/kernel"]
    weights["down9_conv/kernel"] = np.zeros((7, 1, 1))
    weights["input_bn/gamma"] = np.zeros(5)
    weights["input_bn/beta"] = np.array([np.nan, 0.0])
    weights["input_bn/moving_variance"] = np.array([1.0, -0.5])
    with pytest.raises(ShapeError) as error:
        check_weight_set(weights, spike_net.config)
    for line in (
        "missing: up0_conv/kernel (7, 4, 2)",
        "not in the network: down9_conv/kernel",
        "stage input, input_bn/gamma: expected shape (2,), received (5,)",
        "stage input, input_bn/moving_variance: a variance is at least 0, received -0.5",
        "input_bn/beta: holds NaN",
    ):
        assert line in str(error.value)
    with pytest.raises(ShapeError, match="input_bn/beta: expected an array, received list"):
        spike_net.set_weight_set({**weights, "input_bn/beta": [0.0, 0.0]})


@pytest.mark.parametrize("given", ["nothing.h5", Path("nothing"), [np.ones(3)], np.ones(3), None])
def test_what_is_no_set_of_weights_is_refused_with_what_to_do(given, spike_net):
    said = f"arrays by name, such as input_conv/kernel, received {type(given).__name__}: PhaseNet"
    with pytest.raises(ShapeError, match=said):
        spike_net.set_weight_set(given)


@pytest.mark.parametrize(
    "config",
    [
        PhaseNetConfig(),
        PhaseNetConfig(channels=("Z",), depth=3, filters_root=4, kernel_size=5),
        PhaseNetConfig(channels=("X", "Z"), phases=("N", "P"), depth=1),
    ],
)
def test_config_is_read_off_the_weights(config):
    weights = PhaseNet(config).get_weight_set()
    assert infer_config(weights, config.channels, config.phases) == config
    with pytest.raises(ShapeError, match="received names A,B,C,D"):
        infer_config(weights, "ABCD", config.phases)
