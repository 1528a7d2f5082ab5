"""The compiled forms of a network against the network itself."""

from __future__ import annotations

import logging
import sys

import keras
import numpy as np
import pytest
from obspy import read
from records import write_station

from phasenet_keras import PhaseNet, Picker
from phasenet_keras.cli import main
from phasenet_keras.data.preprocess import prepare
from phasenet_keras.io.waveforms import read_waveforms
from phasenet_keras.models.inference import compile_forward
from phasenet_keras.models.keras_forms import build_folded
from phasenet_keras.types import MissingExtraError


def noise(n_samples, n_channels=3):
    return np.random.default_rng(0).standard_normal((1, n_samples, n_channels)).astype("float32")


def assert_same(net, forward, x):
    assert np.abs(forward(x) - net.predict_on_batch(x)).max() < 1e-5


@pytest.mark.parametrize("n_samples", [3000, 3256, 12_216, 3072, 3001])
def test_any_length_gives_what_the_network_gives(random_net, n_samples):
    assert_same(random_net, compile_forward(random_net), noise(n_samples))


@pytest.mark.parametrize(
    "settings", [{"stride": 2, "depth": 3}, {"kernel_size": 5}, {"depth": 1}], ids=str
)
def test_networks_without_a_polyphase_form(settings):
    net = PhaseNet(filters_root=2, **settings)
    assert_same(net, compile_forward(net), noise(net.config.grid_samples * 12))
    assert_same(net, compile_forward(net, 201), noise(201 + net.config.grid_samples))


@pytest.fixture
def channels_first():
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format("channels_last")


def test_keras_s_image_format_is_no_matter(random_net, channels_first):
    x = noise(3072)
    y = random_net.predict_on_batch(x)
    net = PhaseNet(random_net.config)
    net.set_weight_set(random_net.get_weight_set())
    assert np.abs(net.predict_on_batch(x) - y).max() < 1e-6
    for form in (compile_forward(net), build_folded(net)):
        assert np.abs(form(x) - y).max() < 1e-5


def test_a_copy_stays_and_a_follower_follows(make_net):
    net = make_net()
    copy, follower = compile_forward(net), compile_forward(net, follow=True)
    x = noise(3000)
    before = copy(x)
    assert np.abs(follower(x) - before).max() < 1e-5
    net.set_weight_set({name: array * 0.9 for name, array in net.get_weight_set().items()})
    assert np.array_equal(copy(x), before)
    assert_same(net, follower, x)
    assert np.abs(follower(x) - before).max() > 1e-4


def test_without_litert_the_error_names_the_extra(preset, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)  # as if it were not installed
    monkeypatch.delitem(sys.modules, "phasenet_keras.models.litert_graph", raising=False)
    with pytest.raises(MissingExtraError, match=r"pip install 'phasenet-keras\[fast\]'"):
        Picker.from_preset(preset, engine="litert")
    record = write_station(tmp_path / "a.mseed")
    assert main(["pick", record, "--preset", preset, "--engine", "litert"]) == 2
    assert "phasenet-keras[fast]" in capsys.readouterr().err


@pytest.mark.shared
def test_official_weights_on_real_records(ncedc, shared):
    folder = shared / "fixtures"
    official = np.load(folder / "official_phasenet_parity.npz")
    forward = compile_forward(ncedc)
    assert_same(ncedc, forward, official["x3000"].reshape(-1, 3000, 3))
    [wave] = read_waveforms(read())
    x = prepare(wave, ("E", "N", "Z"), 100.0, 3000).data[None]
    assert_same(ncedc, forward, x)
    [ours] = Picker(ncedc).annotate(wave)
    assert np.abs(ours.probabilities - ncedc.predict_on_batch(x)[0]).max() < 1e-5


def test_many_networks_are_not_taken_for_one_that_is_traced_too_often():
    said = []
    handler = logging.Handler()
    handler.emit = said.append
    logger = logging.getLogger("tensorflow")
    logger.addHandler(handler)
    try:
        for _ in range(8):
            forward = compile_forward(PhaseNet(depth=2))
            for _ in range(2):
                forward(np.zeros((1, 64, 3), "float32"))
    finally:
        logger.removeHandler(handler)
    assert not said
