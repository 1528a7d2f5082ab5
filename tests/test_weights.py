"""Sets of weights: re-balanced, adapted to channels, read from other programs' files, checked."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import TOLERANCE, official_cases
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


def test_kernels_of_zeros_are_left_as_they_are(spike_net):
    weights = spike_net.get_weight_set()
    balanced = rebalance_kernels(weights, spike_net.config)
    size = {name: np.sqrt(np.mean(array**2)) for name, array in balanced.items()}
    zeros = [
        name for name, array in weights.items() if name.endswith("/kernel") and not array.any()
    ]
    assert "down1_conv/kernel" in zeros
    for name, array in weights.items():
        if name in zeros:
            assert not balanced[name].any()
        elif name.endswith("/kernel") and not name.startswith("output"):
            assert size[name] == pytest.approx(0.1)
        assert np.isfinite(balanced[name]).all()
        assert balanced[name].dtype == array.dtype
    with pytest.raises(ShapeError, match="not in the network: mean"):
        rebalance_kernels({**weights, "mean": np.ones(1)}, spike_net.config)


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
    with pytest.raises(ShapeError, match="not in the network: mean"):
        infer_config({**weights, "mean": np.ones(1)}, config.channels, config.phases)
    with pytest.raises(ShapeError, match="received names A,B,C,D"):
        infer_config(weights, "ABCD", config.phases)
