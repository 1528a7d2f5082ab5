"""The polyphase form, and folded batch norms, against the network itself."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from networks import network, noise, random_weights

from phasenet_keras import PhaseNet, PhaseNetConfig
from phasenet_keras.models.folding import fold_batch_norms, level_offsets
from phasenet_keras.models.keras_forms import build_folded, build_polyphase
from phasenet_keras.models.polyphase import polyphase_weights
from phasenet_keras.models.stages import convolutions
from phasenet_keras.models.weights import BATCH_NORM_EPSILON
from phasenet_keras.types import ConfigError, ShapeError

TOLERANCE = 1e-5


def randomized(**settings):
    config = PhaseNetConfig(**settings)
    return network(config, random_weights(config, 3))


def largest_error(model, net, x):
    ours, expected = np.asarray(model(x)), np.asarray(net(x))
    assert ours.shape == expected.shape
    assert expected.std() > 1e-3
    return np.abs(ours - expected).max()


@pytest.mark.parametrize("window_samples", [3000, 256, 1500])
def test_equals_the_network_at_every_congruent_length(random_net, window_samples):
    model = build_polyphase(random_net, window_samples)
    for more in (0, 256, 3072, 24 * 256):
        x = noise(window_samples + more, batch=2)
        assert largest_error(model, random_net, x) < TOLERANCE, x.shape


@pytest.mark.parametrize(
    "settings",
    [
        {"channels": "Z", "depth": 3, "filters_root": 5, "phases": ("N", "P")},
        {"channels": ("A", "B", "C", "D"), "depth": 4, "phases": ("N", "P", "S", "X")},
        {"channels": "ZN", "depth": 5, "filters_root": 3},
        {"depth": 2, "filters_root": 16},
    ],
    ids=str,
)
def test_other_networks_at_every_remainder(settings):
    net = randomized(**settings)
    grid = net.config.grid_samples
    n_channels = len(net.config.channels)
    windows = {*range(1, 5), grid, grid + 1, grid + 2, 2 * grid - 1, grid // 2}
    for window in sorted(windows):
        model = build_polyphase(net, window)
        for n_samples in (window, window + 3 * grid):
            x = noise(n_samples, n_channels)
            assert np.abs(np.asarray(model(x)) - np.asarray(net(x))).max() < TOLERANCE, x.shape


@pytest.mark.shared
def test_official_weights(ncedc):
    by_contract = build_polyphase(ncedc)
    for n_samples in (3000, 3256, 6072, 9144):
        assert largest_error(by_contract, ncedc, noise(n_samples)) < TOLERANCE
    on_grid = build_polyphase(ncedc, window_samples=256)
    for n_samples in (256, 3072, 9216):
        assert largest_error(on_grid, ncedc, noise(n_samples)) < TOLERANCE


@pytest.mark.shared
def test_official_weights_for_one_channel(ncedc, use_ncedc):
    net = PhaseNet.from_preset("ncedc", channels="Z")
    for window in (3000, 256):
        x = noise(window + 3072, 1)
        assert largest_error(build_polyphase(net, window), net, x) < TOLERANCE


@pytest.mark.shared
def test_official_outputs_on_a_record(shared, ncedc):
    parity = np.load(shared / "fixtures/official_phasenet_parity.npz")
    x = parity["x3000"].reshape(-1, 3000, 3)
    official = parity["prob3000"].reshape(-1, 3000, 3)
    assert np.abs(np.asarray(build_polyphase(ncedc)(x)) - official).max() < TOLERANCE
    assert np.abs(np.asarray(build_folded(ncedc)(x)) - official).max() < TOLERANCE


def test_one_graph_for_all_lengths(random_net):
    tf = pytest.importorskip("tensorflow")
    model = build_polyphase(random_net)
    graph = tf.function(
        lambda x: model(x, training=False),
        input_signature=[tf.TensorSpec((None, None, 3), tf.float32)],
    )
    for n_samples in (3000, 6072):
        assert largest_error(graph, random_net, noise(n_samples)) < TOLERANCE
    with pytest.raises(tf.errors.InvalidArgumentError):
        graph(tf.zeros((1, 3072, 3)))


def test_chunks_agree_with_the_whole(random_net):
    model = build_polyphase(random_net, 3000)
    x = noise(3000 + 256 * 30)
    whole = np.asarray(model(x))
    begin, end, halo = 256 * 9, 256 * 28 + 184, 1792
    part = np.asarray(model(x[:, begin:end]))
    inside = slice(begin + halo, end - halo)
    assert np.abs(part[:, halo:-halo] - whole[:, inside]).max() < TOLERANCE


def test_saved_and_loaded(random_net, tmp_path):
    model = build_polyphase(random_net, 3002)
    model.save(tmp_path / "polyphase.keras")
    again = keras.saving.load_model(tmp_path / "polyphase.keras")
    assert np.array_equal(np.asarray(again(noise(3002))), np.asarray(model(noise(3002))))
    assert not model.trainable_variables


@pytest.mark.parametrize("scale", [1e3, 1e6])
def test_large_logits_do_not_overflow(random_net, scale):
    weights = random_net.get_weight_set()
    weights["output_conv/kernel"] = weights["output_conv/kernel"] * scale
    net = network(random_net.config, weights)
    y = np.asarray(build_polyphase(net, 256)(noise(512)))
    assert np.isfinite(y).all()
    assert np.allclose(y.sum(axis=-1), 1.0, atol=1e-5)
    assert np.array_equal(y.argmax(axis=-1), np.asarray(net(noise(512))).argmax(axis=-1))


def test_probabilities_keep_their_precision_near_zero(random_net):
    expected = np.asarray(random_net(noise(3000)))
    y = np.asarray(build_polyphase(random_net)(noise(3000)))
    small = (expected > 1e-12) & (expected < 1e-2)
    assert small.any()
    assert np.allclose(y[small], expected[small], rtol=1e-3)


def test_shapes_of_the_rearranged_kernels(random_net):
    weights, config = random_net.get_weight_set(), random_net.config
    arranged = polyphase_weights(weights, config, 3000)
    shapes = {name: arranged[f"{name}/kernel"].shape for name in ("input_conv", "up0_conv")}
    assert shapes == {"input_conv": (8, 3, 16), "up0_conv": (8, 16, 16)}
    assert arranged["down0_stride/kernel"].shape == (11, 8, 16)
    assert polyphase_weights(weights, config, 1500)["down0_stride/kernel"].shape == (7, 8, 8)
    assert arranged["up0_transpose/kernel"].shape == (2, 16, 32)
    assert arranged["up3_transpose/kernel"].shape == (2, 128, 256)
    assert arranged["output_conv/kernel"].shape == (1, 16, 12)
    assert all(array.dtype == np.float32 for array in arranged.values())
    folded = fold_batch_norms(weights, config)
    assert np.array_equal(arranged["up1_conv/kernel"], folded["up1_conv/kernel"])
    for name, n_together in (("down0_conv", 2), ("down0_stride", 2), ("up0_transpose", 1)):
        tap_sum = folded[f"{name}/kernel"].sum(dtype="f8")
        of_all = arranged[f"{name}/kernel"].sum(dtype="f8")
        assert of_all == pytest.approx(n_together * tap_sum, rel=1e-6), name


def test_folding_alone(random_net):
    """A batch norm that does nothing but add the folded bias leaves the network as it was."""
    folded = fold_batch_norms(random_net.get_weight_set(), random_net.config)
    plain = random_net.get_weight_set()
    for conv in convolutions(random_net.config):
        plain[f"{conv.name}/kernel"] = folded[f"{conv.name}/kernel"]
        if conv.use_bias:
            plain[f"{conv.name}/bias"] = folded[f"{conv.name}/bias"]
        if conv.norm:
            ones = np.ones(conv.n_out, "float32")
            plain[f"{conv.norm}/gamma"] = ones
            plain[f"{conv.norm}/beta"] = 0 * ones
            plain[f"{conv.norm}/moving_variance"] = ones - np.float32(BATCH_NORM_EPSILON)
            bias = 0 * ones if conv.use_bias else folded[f"{conv.name}/bias"]
            plain[f"{conv.norm}/moving_mean"] = -bias
    net = network(random_net.config, plain)
    assert largest_error(net, random_net, noise(3001)) < TOLERANCE


@pytest.mark.parametrize(
    ("settings", "lengths"),
    [
        ({}, (3000, 256, 3001)),
        ({"depth": 3, "kernel_size": 5, "stride": 3, "filters_root": 4}, (9, 100, 101, 103)),
        ({"depth": 4, "kernel_size": 3, "stride": 5, "channels": "Z"}, (125, 301)),
        ({"depth": 3, "kernel_size": 2, "stride": 4, "phases": ("N", "P")}, (16, 37)),
        ({"depth": 1}, (7, 100)),
    ],
    ids=str,
)
def test_folded_network_of_any_kernel_and_stride(settings, lengths):
    net = randomized(**settings)
    for length in lengths:
        model = build_folded(net, length)
        x = noise(length + 2 * net.config.grid_samples, len(net.config.channels))
        assert np.abs(np.asarray(model(x)) - np.asarray(net(x))).max() < TOLERANCE, length


def test_offsets_of_the_training_window():
    config = PhaseNetConfig()
    official = level_offsets(3000, config)
    assert [(o.excess, o.pad_left, o.crop_left) for o in official] == [
        (0, 1, 0),
        (2, 2, 1),
        (0, 1, 0),
        (1, 2, 0),
    ]
    assert official == level_offsets(3000 + 256 * 7, config)
    assert len({level_offsets(n, config) for n in range(1, 600)}) == 256
    assert level_offsets(7, PhaseNetConfig(depth=1)) == ()


def test_wrong_use_is_refused(random_net):
    weights = random_net.get_weight_set()
    with pytest.raises(ConfigError, match="received stride=4 and kernel_size=5"):
        build_polyphase(PhaseNet(kernel_size=5, depth=2))
    with pytest.raises(ConfigError, match="received stride=2 and kernel_size=7"):
        build_polyphase(PhaseNet(stride=2, depth=2))
    with pytest.raises(ConfigError, match="received depth=1 and phases=N,P,S"):
        build_polyphase(PhaseNet(depth=1))
    with pytest.raises(ConfigError, match="depth=2 and phases=N"):
        build_polyphase(PhaseNet(depth=2, phases=("N",)))
    with pytest.raises(ConfigError, match="window_samples is 1 or more, received 0"):
        build_polyphase(random_net, 0)
    del weights["up0_bn/beta"]
    with pytest.raises(ShapeError, match="missing: up0_bn/beta"):
        fold_batch_norms(weights, random_net.config)
    with pytest.raises(ShapeError, match="missing: up0_bn/beta"):
        polyphase_weights(weights, random_net.config)
