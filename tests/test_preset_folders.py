"""Presets: folders, contracts, the cache and the download."""

from __future__ import annotations

import errno
import functools
import http.server
import json
import os
import shutil
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest

from phasenet_keras import PhaseNet, PhaseNetConfig, Picker, list_presets
from phasenet_keras.cli import main
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.models.preset_places import find_preset
from phasenet_keras.models.presets import check_golden, check_preset, read_preset
from phasenet_keras.types import ConfigError, PresetError

FILES = {"preset.json", "model.weights.h5", "golden.npz", "README.md"}


@pytest.fixture
def folder(spike_net, tmp_path):
    spike_net.save_preset(tmp_path / "mine" / "spikes")
    return tmp_path / "mine" / "spikes"


def edit(folder, **changes):
    path = folder / "preset.json"
    values = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(values))


def test_round_trip_is_exact(spike_net, folder):
    assert {path.name for path in folder.iterdir()} == FILES
    again = PhaseNet.from_preset(folder)
    assert again.preset == spike_net.preset
    for name, array in spike_net.get_weight_set().items():
        assert np.array_equal(again.get_weight_set()[name], array)
    assert check_golden(again, folder) < 1e-6
    assert "P at upward spikes" in (folder / "README.md").read_text()


def test_the_card_has_few_digits(spike_net, tmp_path):
    spike_net.save_preset(tmp_path / "mine", min_distance_s=25 / 3000)
    card = (tmp_path / "mine" / "README.md").read_text()
    assert "| least distance of two picks | 0.00833 s |" in card


def test_contract_is_sorted_json_and_whole(folder):
    text = (folder / "preset.json").read_text()
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"
    assert set(json.loads(text)) >= {
        *("architecture", "config", "sampling_rate", "window_samples", "normalization"),
        *("thresholds", "source", "license", "citation", "files_sha256"),
    }


def test_found_by_path_by_variable_and_in_the_package(folder, monkeypatch):
    monkeypatch.setenv("PHASENET_KERAS_PRESETS", str(folder.parent))
    assert set(list_presets()) >= {"spikes", "ncedc"}
    assert PhaseNet.from_preset("spikes").preset.name == "spikes"
    assert read_preset("ncedc").license == "MIT"
    with pytest.raises(PresetError, match=r"no preset 'spike'. Did you mean 'spikes'"):
        PhaseNet.from_preset("spike")


def test_a_run_has_a_name_too_once_it_has_ended(folder, tmp_path, monkeypatch, capsys):
    shutil.copytree(folder, tmp_path / "line 7" / "best")
    (tmp_path / "ongoing").mkdir()
    monkeypatch.setenv("PHASENET_KERAS_PRESETS", str(tmp_path))
    assert list_presets()["line 7"] == find_preset("line 7") == tmp_path / "line 7" / "best"
    assert "ongoing" not in list_presets()
    assert main(["presets"]) == 0
    text = "".join(capsys.readouterr())
    assert "\nline 7 " in text  # the network in it is called spikes
    assert "\nspikes" not in text


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "^a text or a Path names a preset, received NoneType$"),
        (3, "^a text or a Path names a preset, received int$"),
        (["ncedc"], "^a text or a Path names a preset, received list$"),
        ("", "^a file name is empty"),
        ("x" * 5000, "^a name of 5000 bytes is too long for a preset"),
    ],
)
def test_what_is_no_name_of_a_preset_is_refused(given, words):
    for load in (Picker.from_preset, PhaseNet.from_preset, read_preset):
        with pytest.raises(ConfigError, match=words):
            load(given)


@pytest.mark.parametrize(
    ("given", "meant"),
    [("NCEDC", "ncedc"), ("Near_Surface", "near-surface"), ("regionl", "regional")],
)
def test_a_preset_in_capitals_or_misspelt_is_told_the_nearest(given, meant):
    with pytest.raises(PresetError, match=f"^no preset '{given}'. Did you mean '{meant}'"):
        read_preset(given)


def test_a_home_of_nobody_is_a_name_as_any_other():
    with pytest.raises(PresetError, match=r"^no preset '~nobody-of-this-name/run'"):
        read_preset("~nobody-of-this-name/run")


@pytest.mark.parametrize("name", ["a.h5", "a.keras", "a.weights.h5", "a.txt"])
def test_a_file_is_no_preset(tmp_path, name):
    (tmp_path / name).write_text("no weights")
    words = rf"{name} is a file, a preset is a folder with a preset\.json: name its folder, or make"
    with pytest.raises(PresetError, match=words):
        Picker.from_preset(tmp_path / name)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_contract_of_another_encoding_is_read(folder, encoding):
    path = folder / "preset.json"
    path.write_text(path.read_text(), encoding=encoding)
    assert read_preset(folder).name == "spikes"


def test_saving_replaces_a_preset_and_nothing_else(spike_net, folder, tmp_path):
    spike_net.save_preset(folder, name="other")
    assert read_preset(folder).name == "other"
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "thesis.tex").touch()
    with pytest.raises(PresetError, match="is no preset: choose an empty or a new folder"):
        spike_net.save_preset(tmp_path / "notes")
    assert (tmp_path / "notes" / "thesis.tex").exists()
    with pytest.raises(ConfigError, match="Did you mean 'sampling_rate'"):
        spike_net.save_preset(tmp_path / "new", samplingrate=3)
    with pytest.raises(ConfigError, match="config is the network's own and stays: leave it out"):
        spike_net.save_preset(tmp_path / "new", config=PhaseNetConfig(channels="Z"))
    with pytest.raises(PresetError, match="no signal contract"):
        PhaseNet(filters_root=2).save_preset(tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: (f / "preset.json").write_text("{"), "preset.json cannot be read"),
        (lambda f: (f / "preset.json").write_text("[]"), "should hold a JSON object"),
        (
            lambda f: (f / "preset.json").write_text("[" * 100_000),
            "preset.json cannot be read: its brackets are nested too deeply",
        ),
        (
            lambda f: (f / "preset.json").write_text('{"sampling_rate": 100}'),
            r"preset\.json: preset '\(no name\)': it lacks name, window_samples, which every",
        ),
        (lambda f: edit(f, colour="red"), "has no setting 'colour'"),
        (lambda f: edit(f, sampling_rate=-5), "sampling_rate is above 0"),
        (lambda f: edit(f, sampling_rate="fast"), "sampling_rate is above 0"),
        (lambda f: edit(f, config=None), "preset 'spikes'"),
        (lambda f: edit(f, architecture="eqt"), "architecture is one of phasenet, received 'eqt'"),
        (lambda f: edit(f, normalization="rms"), "normalization is one of std, peak"),
        (lambda f: edit(f, thresholds={"Q": 0.5}), "has no setting 'Q'"),
        (lambda f: edit(f, files_sha256={}), "states no checksum"),
        (lambda f: edit(f, files_sha256=None), "states no checksum"),
        (lambda f: edit(f, window_samples=1), "window_samples is a whole number from 16"),
        (lambda f: edit(f, window_samples=10**12), "window_samples is a whole number from 16"),
        (lambda f: edit(f, sampling_rate=float("inf")), "sampling_rate is above 0"),
        (lambda f: (f / "model.weights.h5").unlink(), "has no weights"),
        (lambda f: (f / "model.weights.h5").write_bytes(b"x" * 5000), "damaged or was changed"),
        (lambda f: edit(f, config={"channels": ["Z"], "filters_root": 2}), "input_conv/kernel"),
    ],
)
def test_damaged_presets_are_refused(folder, damage, words):
    damage(folder)
    with pytest.raises(PresetError, match=words):
        PhaseNet.from_preset(folder)


def test_one_flipped_bit_in_the_weights_is_noticed(folder):
    path = folder / "model.weights.h5"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(PresetError, match=r"SHA-256 is not the one in preset\.json"):
        PhaseNet.from_preset(folder)


def test_golden_output_is_checked(spike_net, folder):
    golden = dict(np.load(folder / "golden.npz"))
    np.savez(folder / "golden.npz", x=golden["x"], y=golden["y"] + 0.01)
    with pytest.raises(PresetError, match="does not reproduce its golden output"):
        check_golden(spike_net, folder)


@pytest.mark.parametrize("content", [b"PK\x03\x04 no zip", b"", b"\x93NUMPY"])
def test_a_damaged_golden_file_is_refused(spike_net, folder, content):
    (folder / "golden.npz").write_bytes(content)
    with pytest.raises(PresetError, match=r"golden\.npz cannot be read"):
        check_golden(spike_net, folder)


@pytest.mark.parametrize("shape", [(5,), (2, 100, 1), (2, 100, 4)])
def test_a_golden_file_of_another_network_is_refused(spike_net, folder, shape):
    np.savez(folder / "golden.npz", x=np.zeros(shape, "float32"), y=np.zeros((2, 100, 3)))
    with pytest.raises(PresetError, match="is for another network"):
        check_golden(spike_net, folder)


def test_saving_through_a_link_or_into_the_working_folder(spike_net, folder, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(folder)
    spike_net.save_preset(tmp_path / "link", name="other")
    assert (tmp_path / "link").is_symlink()
    assert read_preset(folder).name == "other"
    monkeypatch.chdir(folder)
    with pytest.raises(PresetError, match="is the working folder"):
        spike_net.save_preset(".")
    assert read_preset(folder).name == "other"
    assert [path.name for path in folder.parent.iterdir()] == ["spikes"]


def test_channels_by_other_names_are_the_same_channels(folder):
    plain = PhaseNet.from_preset(folder, channels="NEZ").get_weight_set()
    for names in ("12Z", "nez", "N,E,Z", ("NS", "EW", "UD")):
        net = PhaseNet.from_preset(folder, channels=names)
        assert net.config.channels == ("N", "E", "Z")
        assert np.array_equal(net.get_weight_set()["input_conv/kernel"], plain["input_conv/kernel"])
    with pytest.raises(ConfigError, match="components such as E,N,Z"):
        PhaseNet.from_preset(folder, channels="ENZH")


def test_the_contract_is_checked_against_what_is_asked(folder, make_net):
    with pytest.raises(PresetError, match="gives phases N,P,S in this order; N,S,P was asked"):
        PhaseNet.from_preset(folder, phases=("N", "S", "P"))
    with pytest.raises(PresetError, match=r"N,P was asked for\. .* take the picks of the phases"):
        PhaseNet.from_preset(folder, phases=("N", "P"))
    with pytest.raises(PresetError, match="channels: preset"):
        make_net(channels=("Z", "N", "E")).with_preset(read_preset(folder))
    assert PhaseNet.from_preset(folder, channels="Z").preset.config.channels == ("Z",)


def test_rebalanced_on_request(folder):
    plain, balanced = (PhaseNet.from_preset(folder, rebalance=flag) for flag in (False, True))
    x = np.random.default_rng(0).standard_normal((1, 3000, 3)).astype("float32")
    assert np.abs(np.asarray(plain(x)) - np.asarray(balanced(x))).max() < 1e-5
    kernel = balanced.get_weight_set()["input_conv/kernel"]
    assert np.sqrt(np.mean(kernel**2)) == pytest.approx(0.1, rel=1e-5)


# -- the download ---------------------------------------------------------------------------------


@pytest.fixture
def official_copy(tmp_path, monkeypatch):
    """A copy of the packaged `ncedc` contract that downloads from this machine, or nowhere."""

    def make(url="http://127.0.0.1:9/"):
        folder = tmp_path / "presets" / "ncedc"
        folder.mkdir(parents=True, exist_ok=True)
        values = json.loads((list_packaged() / "preset.json").read_text())
        values["source"]["url"] = url
        (folder / "preset.json").write_text(json.dumps(values))
        monkeypatch.setenv("PHASENET_KERAS_PRESETS", str(folder.parent))
        monkeypatch.setenv("PHASENET_KERAS_CACHE", str(tmp_path / "cache"))
        return tmp_path / "cache" / "ncedc"

    return make


def list_packaged():
    return Path(__file__).resolve().parents[1] / "pretrained" / "ncedc"


@pytest.fixture
def serve():
    """Serve a folder on the loopback interface."""
    servers = []

    def start(folder):
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
        handler.log_message = lambda *arguments: None
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_offline_the_error_names_the_files_and_the_folder(official_copy):
    cache = official_copy()
    with pytest.raises(PresetError) as error:
        PhaseNet.from_preset("ncedc")
    text = str(error.value)
    assert str(cache) in text
    assert "PHASENET_KERAS_CACHE" in text
    for name, digest in read_preset("ncedc").source["files"].items():
        assert f"{name}  SHA-256 {digest}" in text


@pytest.mark.shared
def test_downloaded_once_checked_and_cached(official_copy, serve, shared, ncedc):
    cache = official_copy(serve(shared / "weights/ncedc-190703-214543"))
    net = PhaseNet.from_preset("ncedc")
    for name, array in ncedc.get_weight_set().items():
        assert np.array_equal(net.get_weight_set()[name], array)
    assert {path.name for path in (cache / "preset").iterdir()} == FILES
    stamp = (cache / "preset" / "model.weights.h5").stat().st_mtime_ns
    again = PhaseNet.from_preset("ncedc", channels="Z")
    assert again.config.channels == ("Z",)
    assert (cache / "preset" / "model.weights.h5").stat().st_mtime_ns == stamp
    assert check_preset("ncedc") < 1e-6


def test_a_wrong_download_is_refused(official_copy, serve, tmp_path):
    (tmp_path / "web").mkdir()
    for name in ("model_95.ckpt.index", "model_95.ckpt.data-00000-of-00001"):
        (tmp_path / "web" / name).write_bytes(b"something else")
    cache = official_copy(serve(tmp_path / "web"))
    with pytest.raises(PresetError, match="wrong checksum"):
        PhaseNet.from_preset("ncedc")
    assert not (cache / "preset").exists()


@pytest.mark.shared
def test_a_wrong_file_in_the_cache_is_refused(official_copy, shared):
    cache = official_copy()
    cache.mkdir(parents=True)
    source = shared / "weights/ncedc-190703-214543"
    shutil.copyfile(source / "model_95.ckpt.index", cache / "model_95.ckpt.index")
    (cache / "model_95.ckpt.data-00000-of-00001").write_bytes(b"cut")
    with pytest.raises(PresetError, match=r"00001 has the wrong checksum .* delete it"):
        PhaseNet.from_preset("ncedc")


@pytest.mark.shared
def test_the_cached_copy_follows_the_contract(official_copy, ncedc_cache, tmp_path):
    cache = official_copy()
    shutil.copytree(ncedc_cache / "ncedc", cache, ignore=shutil.ignore_patterns("preset"))
    assert PhaseNet.from_preset("ncedc").preset.thresholds["P"] == 0.3
    edit(tmp_path / "presets" / "ncedc", thresholds={"P": 0.5, "S": 0.3})
    assert PhaseNet.from_preset("ncedc").preset.thresholds["P"] == 0.5


def test_a_cache_that_cannot_be_written_says_so(official_copy, monkeypatch, tmp_path):
    official_copy()
    (tmp_path / "file").touch()
    monkeypatch.setenv("PHASENET_KERAS_CACHE", str(tmp_path / "file"))
    with pytest.raises(PresetError, match=r"cannot be written.*PHASENET_KERAS_CACHE"):
        PhaseNet.from_preset("ncedc")


@pytest.mark.shared
def test_a_shared_cache_that_cannot_be_written_serves(
    official_copy, ncedc, ncedc_cache, monkeypatch
):
    cache = official_copy()
    shutil.copytree(ncedc_cache / "ncedc", cache, ignore=shutil.ignore_patterns("preset"))
    before = sorted(cache.iterdir())
    monkeypatch.setattr(os, "access", lambda path, mode: cache not in (path, *Path(path).parents))
    with pytest.warns(RecordWarning, match=f"{cache} cannot be written to: .* made anew"):
        net = PhaseNet.from_preset("ncedc")
    for name, array in ncedc.get_weight_set().items():
        assert np.array_equal(net.get_weight_set()[name], array)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # once a process
        assert check_preset("ncedc") < 1e-6
    assert sorted(cache.iterdir()) == before


def test_a_shared_cache_without_the_files_says_what_to_do(official_copy, monkeypatch):
    cache = official_copy()
    cache.mkdir(parents=True)
    monkeypatch.setattr(os, "access", lambda path, mode: cache not in (path, *Path(path).parents))
    with pytest.raises(PresetError, match=f"{cache} cannot be written to.*PHASENET_KERAS_CACHE"):
        PhaseNet.from_preset("ncedc")


def test_what_cannot_be_fetched_leaves_nothing_behind(official_copy):
    cache = official_copy()
    with pytest.raises(PresetError, match="cannot be reached"):
        PhaseNet.from_preset("ncedc")
    assert not cache.exists()


def test_a_full_disk_is_no_missing_network(official_copy, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    cache = official_copy()
    monkeypatch.setattr("pooch.retrieve", full)
    with pytest.raises(PresetError, match=rf"{cache}\S+ cannot be written \(No space left"):
        PhaseNet.from_preset("ncedc")
