"""The engine `litert` against the network itself, and what it must not cost."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from archives import station, write_sds
from fresh import FRAMEWORKS, run_without
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from networks import network, noise, random_weights
from obspy import Stream
from records import write_station

from phasenet_keras import PhaseNet, PhaseNetConfig, Picker, read_picks
from phasenet_keras.cli import main
from phasenet_keras.io.waveforms import read_waveforms
from phasenet_keras.models.inference import compile_forward
from phasenet_keras.models.litert import LiteRTForward, NetworkWeights
from phasenet_keras.models.presets import check_preset
from phasenet_keras.picking.archive import network_facts, pick_archive
from phasenet_keras.picking.parts import PartFolder
from phasenet_keras.types import ConfigError, ShapeError

pytest.importorskip("ai_edge_litert", reason="needs the extra 'fast'")

TOLERANCE = 1e-5


def with_usual_logits(config, weights):
    """The same with logits that spread by 1.

    Rounding errors grow with the logits. Random weights give some up to 60, and float32 then leaves
    the network itself 1e-5 from the exact answer; the official weights give 21 on records.
    """
    x = noise(4 * config.grid_samples, len(config.channels))
    logits = np.log(np.maximum(network(config, weights)(x), 1e-20))
    return weights | {"output_conv/kernel": weights["output_conv/kernel"] / logits.std()}


def by_last_bits(x):
    """Return samples that are one rounding away, up or down."""
    signs = np.random.default_rng(0).choice([-1, 1], x.shape)
    return np.nextafter(x, np.where(signs > 0, np.float32(np.inf), np.float32(-np.inf)))


@settings(max_examples=25)
@given(data=st.data())
def test_any_network_at_any_length(data):
    config = PhaseNetConfig(
        channels=data.draw(st.sampled_from(["Z", "ZN", "ENZ", ("A", "B", "C", "D")])),
        phases=data.draw(st.sampled_from([("N", "P", "S"), ("N", "P"), ("N", "P", "S", "X")])),
        depth=data.draw(st.integers(2, 5)),
        filters_root=data.draw(st.sampled_from([1, 3, 8])),
    )
    weights = with_usual_logits(config, random_weights(config, data.draw(st.integers(0, 99))))
    window = data.draw(st.integers(1, 2 * config.grid_samples))
    forward, net = LiteRTForward(weights, config, window), network(config, weights)
    for more in data.draw(st.lists(st.integers(0, 20), min_size=1, max_size=3)):
        x = noise(window + more * config.grid_samples, len(config.channels), batch=2)
        expected = np.asarray(net(x))
        # Where the last bit of the input moves the answer so far, float32 leaves none to agree on.
        assume(np.abs(np.asarray(net(by_last_bits(x))) - expected).max() < TOLERANCE / 4)
        assert np.abs(forward(x) - expected).max() < TOLERANCE


@pytest.mark.parametrize("window", [3000, 1500, 256, 3001])
def test_default_network_in_pieces_of_many_lengths(random_net, window):
    forward = compile_forward(random_net, window, engine="litert")
    for more in (0, 3072, 256, 24 * 256, 512 * 256, 256):
        x = noise(window + more)
        expected = np.asarray(random_net(x))
        assert np.ptp(expected) > 0.1
        assert np.abs(forward(x) - expected).max() < TOLERANCE, x.shape


@pytest.mark.shared
def test_official_weights_on_real_records(ncedc, shared):
    parity = np.load(shared / "fixtures/official_phasenet_parity.npz")
    x = parity["x3000"].reshape(-1, 3000, 3)
    official = parity["prob3000"].reshape(-1, 3000, 3)
    y = compile_forward(ncedc, engine="litert")(x)
    assert np.abs(y - official).max() < TOLERANCE


@pytest.mark.parametrize("scale", [1e3, 1e6])
def test_large_logits_do_not_overflow(random_net, scale):
    weights = random_net.get_weight_set()
    weights["output_conv/kernel"] = weights["output_conv/kernel"] * scale
    y = LiteRTForward(weights, random_net.config, 256)(noise(512))
    assert np.isfinite(y).all()
    assert np.allclose(y.sum(axis=-1), 1.0, atol=1e-5)
    expected = np.asarray(network(random_net.config, weights)(noise(512)))
    assert np.array_equal(y.argmax(axis=-1), expected.argmax(axis=-1))


def test_threads_share_it(random_net):
    forward = compile_forward(random_net, engine="litert")
    pieces = [noise(3000 + 256 * (number % 7)) for number in range(40)]
    expected = [forward(piece) for piece in pieces]
    with ThreadPoolExecutor(4) as pool:
        for y, one in zip(pool.map(forward, pieces), expected, strict=True):
            assert np.array_equal(y, one)


def test_the_whole_network_is_run_by_its_fast_kernels(random_net):
    """XNNPACK takes every operation; what it leaves would be run by slow ones."""
    forward = compile_forward(random_net, 3001, engine="litert")
    [runner] = forward._idle
    runner.run(noise(3001)[0], np.empty((3001, 3), "float32"))
    details = runner._interpreter._get_ops_details()
    [delegate] = [item for item in details if item["op_name"] == "DELEGATE"]
    assert runner._input in delegate["inputs"]
    assert list(delegate["outputs"]) == [runner._output]


def test_picks_of_an_archive(preset, tmp_path):
    stream = Stream()
    for name in ("AA", "BBB"):
        stream += station(name)
    folder = write_sds(tmp_path / "sds", stream)
    found = {}
    for engine in ("keras", "litert"):
        picker = Picker.from_preset(preset, engine=engine, chunk_samples=2048)
        parts = PartFolder(tmp_path / engine)
        list(pick_archive(picker, [folder], parts, part_s=120, block_bytes=4096))
        found[engine] = parts.picks()
    assert len(found["keras"]) == 8
    assert [(p.station, p.phase, p.sample) for p in found["keras"]] == [
        (p.station, p.phase, p.sample) for p in found["litert"]
    ]
    for one, other in zip(found["keras"], found["litert"], strict=True):
        assert abs(one.probability - other.probability) < TOLERANCE


def test_a_run_goes_on_with_the_other_engine(preset, tmp_path):
    folder = write_sds(tmp_path / "sds", station("AA"))
    pickers = [Picker.from_preset(preset, engine=name) for name in ("keras", "litert")]
    assert network_facts(pickers[0]) == network_facts(pickers[1])
    options = {"part_s": 30, "block_bytes": 4096}
    whole, both = PartFolder(tmp_path / "whole"), PartFolder(tmp_path / "both")
    list(pick_archive(pickers[0], [folder], whole, **options))
    run = pick_archive(pickers[0], [folder], both, **options)
    for _ in range(5):
        next(run)
    run.close()
    list(pick_archive(pickers[1], [folder], both, **options))
    assert [p.sample for p in both.picks()] == [p.sample for p in whole.picks()]
    assert len(whole.picks()) == 4


def test_the_command_line_picks_without_tensorflow(preset, tmp_path):
    record = write_station(tmp_path / "a.mseed")
    picked = [tmp_path / f"{engine}.csv" for engine in ("keras", "litert")]
    options = ["pick", record, "--preset", preset, "--output"]
    assert main([*options, str(picked[0])]) == 0
    command = [*options, str(picked[1]), "--engine", "litert"]
    code = f"from phasenet_keras.cli import main\nassert main({command}) == 0"
    assert "XNNPACK" not in run_without(FRAMEWORKS, code)
    ours, theirs = (read_picks(path) for path in picked)
    assert [(p.phase, p.sample) for p in ours] == [(p.phase, p.sample) for p in theirs]
    assert len(ours) == 1


def test_annotations_and_channels(preset, tmp_path):
    record = write_station(tmp_path / "a.mseed", channels="Z")
    waves = read_waveforms(record)
    one, other = (
        Picker.from_preset(preset, engine=engine, channels="Z").annotate(waves)[0].probabilities
        for engine in ("keras", "litert")
    )
    assert np.abs(one - other).max() < TOLERANCE


def test_workers_run_it_without_tensorflow(preset, tmp_path):
    pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    from phasenet_keras.picking.cluster import open_client, pick_over_dask

    folder = write_sds(tmp_path / "sds", station("AA"))
    picker = Picker.from_preset(preset, engine="litert")
    alone, both = PartFolder(tmp_path / "alone"), PartFolder(tmp_path / "both")
    list(pick_archive(picker, [folder], alone))
    with open_client("local:1") as client:
        list(pick_over_dask(client, picker, [folder], both))
        loaded = client.run(lambda: sorted({"tensorflow", "keras"} & set(sys.modules)))
    assert list(loaded.values()) == [[]]
    assert both.picks() == alone.picks()
    assert alone.picks()


def test_weights_alone_are_saved_like_a_network(preset, tmp_path):
    net = NetworkWeights.from_preset(preset)
    net.save_preset(tmp_path / "copy", name="copy")
    assert check_preset(tmp_path / "copy") < TOLERANCE
    again = NetworkWeights.from_preset(tmp_path / "copy")
    assert again.preset.name == "copy"
    assert all(np.array_equal(again.weights[name], net.weights[name]) for name in net.weights)


def test_wrong_use_is_refused(random_net, preset):
    with pytest.raises(ConfigError, match=r"one of keras, litert, received .litret..*litert"):
        Picker(random_net, engine="litret")
    with pytest.raises(ConfigError, match="leave out follow"):
        Picker(random_net, engine="litert", follow=True)
    with pytest.raises(ConfigError, match=r"PhaseNet\.from_preset"):
        Picker(NetworkWeights.from_preset(preset))
    with pytest.raises(ConfigError, match="kernel_size=5; the engine 'keras' runs any"):
        compile_forward(PhaseNet(kernel_size=5, depth=2), engine="litert")
    forward = compile_forward(random_net, engine="litert")
    with pytest.raises(ShapeError, match="congruent to 3000 modulo 256, received"):
        forward(noise(3072))
    with pytest.raises(ShapeError, match="samples, 3"):
        forward(noise(3000, 1))
