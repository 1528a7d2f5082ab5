"""Weights of SeisBench: the same answers, whatever its JSON says, and files that are none."""

from __future__ import annotations

import io
import json
import lzma
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from obspy import UTCDateTime

from phasenet_keras import PhaseNet, Picker, TrainConfig, Waveform, train
from phasenet_keras.cli import main
from phasenet_keras.data.examples import ExampleMaker
from phasenet_keras.models.convert import convert_preset, read_foreign_weights
from phasenet_keras.models.torch_files import read_state_dict
from phasenet_keras.training.teacher import Teacher
from phasenet_keras.types import ConfigError, FormatError, LabelledWaveform, PresetError, ShapeError

# By `benchmarks/seisbench_network.py`.
MADE = Path(__file__).parent / "made_by_seisbench"
WEIGHTS = lzma.decompress((MADE / "random.pt.xz").read_bytes())
DESCRIBED = json.loads((MADE / "random.json").read_text())


@pytest.fixture
def weights(tmp_path):
    return write(tmp_path)


def write(folder, version="", **model_args):
    """Write weights and JSON as SeisBench does; its cache has a version behind."""
    folder.mkdir(exist_ok=True)
    (folder / f"random.pt{version}").write_bytes(WEIGHTS)
    said = {**DESCRIBED, "model_args": {**DESCRIBED["model_args"], **model_args}}
    (folder / f"random.json{version}").write_text(json.dumps(said))
    return folder / f"random.pt{version}"


def record(samples, channels="ZNE"):
    start = UTCDateTime(2024, 5, 6)
    return Waveform(samples.astype(np.float32), 100.0, start, tuple(channels), "XX.AA..HH")


@pytest.fixture(scope="module")
def answer():
    with np.load(MADE / "random.npz") as made:
        return made["samples_zne"], made["probabilities_psn"]


@pytest.mark.parametrize("version", ["", ".v2"])
def test_what_seisbench_answers_is_what_is_answered_here(tmp_path, answer, version):
    samples, probabilities = answer
    preset = convert_preset(write(tmp_path / "in", version), tmp_path / "mine")
    [annotation] = Picker(PhaseNet.from_preset(tmp_path / "mine")).annotate(record(samples))
    assert annotation.phases == ("N", "P", "S")
    assert np.abs(annotation.probabilities - probabilities[:, [2, 0, 1]]).max() < 2e-6
    # The peak is what matters: by the deviation the answers are others.
    convert_preset(tmp_path / f"in/random.pt{version}", tmp_path / "std", normalization="std")
    [other] = Picker(PhaseNet.from_preset(tmp_path / "std")).annotate(record(samples))
    assert np.abs(other.probabilities - annotation.probabilities).max() > 0.01
    assert preset.to_dict() | {"config": None, "source": None} == {
        "name": "mine", "config": None, "sampling_rate": 100.0, "window_samples": 3001,
        "normalization": "peak", "thresholds": {"P": 0.25, "S": 0.3}, "min_distance_s": 0.5,
        "architecture": "phasenet", "rebalance": False,
        "description": "Random weights. For tests.", "source": None,
        "license": "not stated", "citation": "",
    }  # fmt: skip
    assert (preset.config.channels, preset.config.filters_root) == (("Z", "N", "E"), 8)


def test_the_deviation_is_that_of_seisbench(tmp_path, answer):
    """PyTorch's has one sample less below the line: left out, answers are 2e-4 off."""
    weights = write(tmp_path / "in", norm="std")
    with np.load(MADE / "random.npz") as made:
        probabilities = made["every_20th_by_std_psn"][:, [2, 0, 1]]
    for rebalance in (False, True):
        folder = tmp_path / f"mine-{rebalance}"
        convert_preset(weights, folder, rebalance=rebalance)
        [annotation] = Picker(PhaseNet.from_preset(folder)).annotate(record(answer[0]))
        assert np.abs(annotation.probabilities[::20] - probabilities).max() < 1e-5


def test_what_is_said_counts_before_what_the_json_says(weights, tmp_path, capsys):
    order = ["convert", str(weights), str(tmp_path / "mine")]
    assert main(order) == 0
    assert "channels Z,N,E, 100 Hz, window 3001" in capsys.readouterr().out
    assert main([*order, "--overwrite", "--sampling-rate-hz", "50", "--license", "MIT"]) == 0
    assert "channels Z,N,E, 50 Hz, window 3001" in capsys.readouterr().out
    assert main(["presets", "--check", str(tmp_path / "mine")]) == 0


def test_weights_without_json_need_to_be_described(weights, tmp_path, answer, capsys):
    weights.with_suffix(".json").unlink()
    order = ["convert", str(weights), str(tmp_path / "mine")]
    assert main(order) == 2
    assert "these weights do not say it (--sampling-rate-hz)" in capsys.readouterr().err
    assert main([*order, "--sampling-rate-hz", "100"]) == 2
    assert "these weights do not say it (--window)" in capsys.readouterr().err
    order += ["--sampling-rate-hz", "100", "--window", "3001", "--channels", "ZNE"]
    assert main([*order, "--phases", "PSN", "--normalization", "peak"]) == 0
    assert "100 Hz, window 3001, normalization peak" in capsys.readouterr().out
    [annotation] = Picker(PhaseNet.from_preset(tmp_path / "mine")).annotate(record(answer[0]))
    assert np.abs(annotation.probabilities - answer[1][:, [2, 0, 1]]).max() < 2e-6


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"filter_args": ["highpass"]}, r"filter_args is \['highpass'\], which a preset cannot"),
        ({"norm_detrend": True}, "norm_detrend is True"),
        ({"in_samples": 3001}, "in_samples is 3001"),
        ({"output_activation": "sigmoid"}, "output_activation is 'sigmoid'"),
        ({"norm": "rms"}, "normalization is one of std, peak, received 'rms'"),
        ({"component_order": "Z12H"}, "component_order is Z12H, and H is none of E, N, Z"),
    ],
)
def test_what_a_preset_cannot_state_is_refused(tmp_path, said, words):
    weights = write(tmp_path / "in", **said)
    with pytest.raises(PresetError, match=words):
        convert_preset(weights, tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_letters_in_a_name_are_no_ending(tmp_path):
    weights = write(tmp_path / "in")
    for path in (weights, weights.with_suffix(".json")):
        path.rename(path.with_stem("a.ptest"))
    assert convert_preset(tmp_path / "in/a.ptest.pt", tmp_path / "mine").sampling_rate == 100


def test_a_peak_of_each_component_and_numbered_components_are_understood(tmp_path):
    said = {"norm": "std", "norm_amp_per_comp": True, "component_order": "Z12"}
    preset = convert_preset(write(tmp_path / "in", **said), tmp_path / "mine")
    assert (preset.normalization, preset.config.channels) == ("peak", ("Z", "N", "E"))


def test_a_network_of_single_channels_is_one_of_the_vertical(tmp_path):
    """Its JSON has no order; the weights here take three channels, and so say that it counts."""
    weights = write(tmp_path / "in", grouping="channel", component_order=None)
    with pytest.raises(ShapeError, match=r"take 3 channels, received names Z: name 3 \(--channels"):
        convert_preset(weights, tmp_path / "mine")


@pytest.mark.parametrize("said", [{"component_order": None}, {"phases": None}])
def test_what_no_network_of_seisbench_lacks_is_no_crash(tmp_path, said):
    with pytest.raises(FormatError, match=r"random\.json, beside the weights, is not what"):
        convert_preset(write(tmp_path / "in", **said), tmp_path / "mine")


def test_a_rate_that_a_network_does_not_have_is_asked_for(tmp_path):
    weights = write(tmp_path / "in", sampling_rate=None)
    words = r"these weights do not say it \(--sampling-rate-hz\)"
    with pytest.raises(ConfigError, match=words) as asked:
        convert_preset(weights, tmp_path / "mine")
    assert "is beside them" not in str(asked.value)  # the JSON is there
    made = convert_preset(weights, tmp_path / "mine", sampling_rate=50)
    assert made.sampling_rate == 50


@pytest.mark.parametrize("text", ["{", "[]", '{"model_args": 3}', '{"docstring": ""}'])
def test_a_json_that_is_none_of_seisbench_is_named(weights, tmp_path, text):
    weights.with_suffix(".json").write_text(text)
    with pytest.raises(FormatError, match=r"random\.json, beside the weights, is not what"):
        convert_preset(weights, tmp_path / "mine")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"sampling_rate": "100"}, "sampling_rate is above 0 and finite, received '100'"),
        ({"sampling_rate": True}, "sampling_rate is above 0 and finite, received True"),
        ({"phases": None}, "phases is a text, a letter a name, or a list of names, received None"),
        ({"phases": ["P", 1, "N"]}, r"phases is .*, or a list of names, received \['P', 1, 'N'\]"),
        ({"component_order": None}, "component_order is a text, .*, received None"),
        ({"norm_amp_per_comp": "false"}, "norm_amp_per_comp is true or false, received 'false'"),
    ],
)
def test_what_a_json_says_has_its_type(tmp_path, said, words):
    weights = write(tmp_path / "in", **said)
    where = r"random\.json, beside the weights, is not what SeisBench writes"
    with pytest.raises(FormatError, match=rf"{where} \({words}\): mend it, or remove it"):
        convert_preset(weights, tmp_path / "mine")


@pytest.mark.parametrize(
    ("defaults", "words"),
    [
        ({"P_threshold": "high"}, r"P_threshold is in \[0, 1\], received 'high'"),
        ({"S_threshold": None}, r"S_threshold is in \[0, 1\], received None"),
        ([0.3], r"default_args is a mapping by name, received \[0\.3\]"),
    ],
)
def test_thresholds_of_a_json_are_numbers(weights, tmp_path, defaults, words):
    said = json.dumps({**DESCRIBED, "default_args": defaults})
    weights.with_suffix(".json").write_text(said)
    with pytest.raises(FormatError, match=words):
        convert_preset(weights, tmp_path / "mine")


def test_names_in_lists_are_as_names_of_a_letter(tmp_path):
    said = {"phases": ["P", "S", "N"], "component_order": ["Z", "N", "E"]}
    preset = convert_preset(write(tmp_path / "in", **said), tmp_path / "mine")
    assert (preset.config.channels, preset.config.phases) == (("Z", "N", "E"), ("N", "P", "S"))


def test_weights_of_other_endings_have_their_json_beside_them(weights, tmp_path):
    for name in ("random.pth", "random.PT", "random"):
        weights = weights.rename(weights.with_name(name))
        preset = convert_preset(weights, tmp_path / "mine", overwrite=True)
        assert (preset.normalization, preset.sampling_rate) == ("peak", 100)
    weights.with_name("random.json").unlink()
    with pytest.raises(ConfigError, match=r"\(--sampling-rate-hz\), and no random\.json is beside"):
        convert_preset(weights, tmp_path / "other")


# -- training goes on with its normalisation -------------------------------------------------------


def test_a_network_that_is_taught_keeps_the_normalisation(weights, tmp_path):
    convert_preset(weights, tmp_path / "parent")
    parent = PhaseNet.from_preset(tmp_path / "parent", channels="Z", rebalance=True)
    rng = np.random.default_rng(0)
    records = [
        LabelledWaveform(
            record(1e4 + 100 * rng.standard_normal((512, 1)), "Z"),
            {"P": (200.0,)}, name=f"r{n}", event=f"e{n}",
        )
        for n in range(4)
    ]  # fmt: skip
    config = TrainConfig(epochs=1, window_samples=256, windows_per_record=2, refit=False)
    x, _ = ExampleMaker(records, ("Z",), ("N", "P"), 256, normalization="peak").example(0, 0)
    assert np.abs(x).max() == pytest.approx(1.0)
    sets = parent, records[:3], records[3:]
    made = train(*sets, tmp_path / "run", config=config, keep_parent=False)
    assert made.net.preset.normalization == "peak"
    teacher = Teacher(PhaseNet(channels="Z"))
    with pytest.raises(ConfigError, match="the teacher's normalization is 'std', that of the net"):
        train(*sets, tmp_path / "other", config=config, teacher=teacher)


# -- files that are no weights ---------------------------------------------------------------------


class Command:
    def __reduce__(self):
        return os.mkdir, ("made-by-a-pickle",)


def torch_file(path, content):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", pickle.dumps(content, protocol=2))
    return path


def test_no_pickle_runs_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FormatError, match=r"it holds \w+\.mkdir, which no state dict does"):
        read_state_dict(torch_file(tmp_path / "evil.pt", {"inc.weight": Command()}))
    assert [path.name for path in tmp_path.iterdir()] == ["evil.pt"]


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, {"state_dict": {}}, None])
def test_what_is_more_or_less_than_a_state_dict_is_refused(tmp_path, content):
    with pytest.raises(FormatError, match=r"save model\.state_dict\(\)"):
        read_state_dict(torch_file(tmp_path / "a.pt", content))


def test_files_of_other_kinds_are_named(tmp_path):
    (tmp_path / "text.pt").write_text("weights")
    for name, words in (("text.pt", "File is not a zip file"), ("none.pt", "No such file")):
        with pytest.raises(FormatError, match=f"{name} is no PyTorch file of weights: .*{words}"):
            read_foreign_weights(tmp_path / name)
    with pytest.raises(ShapeError, match=r"missing: down_branch\.0\.0/kernel"):
        read_foreign_weights(torch_file(tmp_path / "empty.pt", {}))


@settings(max_examples=60, deadline=None)
@given(at=st.floats(0, 1), byte=st.integers(0, 255), keep=st.sampled_from([1.0, 1.0, 0.999, 0.5]))
def test_a_damaged_file_is_an_error_or_arrays(tmp_path_factory, at, byte, keep):
    """Of the file, mostly its pickle and its list of contents: what could mislead."""
    content = bytearray(WEIGHTS[: int(keep * len(WEIGHTS))])
    edges = 14_000
    place = int(at * 2 * edges)
    content[place if place < edges else place - 2 * edges] = byte
    path = tmp_path_factory.mktemp("damaged") / "a.pt"
    path.write_bytes(content)
    try:
        found = read_state_dict(path)
    except FormatError:
        return
    assert all(array.size <= len(WEIGHTS) // 4 for array in found.values())


# -- the file format -------------------------------------------------------------------------------


def state_file(path, values, *, offset=0, shape=(), strides=(), order="little"):
    """Write one tensor as `torch.save` does, with text of pickle's first protocol."""
    text = "(dVx\nctorch._utils\n_rebuild_tensor_v2\n("
    text += f"(Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nI{values.size}\ntQI{offset}\n"
    for numbers in (shape, strides):
        text += "(" + "".join(f"I{number}\n" for number in numbers) + "t"
    text += "I00\nccollections\nOrderedDict\n)RtRs."
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("x/data.pkl", text.encode())
        archive.writestr("x/byteorder", order)
        archive.writestr("x/data/0", values.astype(">f4" if order == "big" else "<f4").tobytes())
    path.write_bytes(content.getvalue())
    return path


@pytest.mark.parametrize("order", ["little", "big"])
def test_tensors_are_views_of_their_storage(tmp_path, order):
    values = np.arange(20.0)
    path = state_file(
        tmp_path / "a.pt", values, offset=3, shape=(4, 2), strides=(1, 5), order=order
    )
    wanted = values[3:].reshape(-1)[np.arange(4)[:, None] + 5 * np.arange(2)]
    assert np.array_equal(read_state_dict(path)["x"], wanted)


@pytest.mark.parametrize(
    "view",
    [
        {"shape": (21,), "strides": (1,)},
        {"shape": (4, 2), "strides": (1, 5), "offset": 13},
        {"shape": (2,), "strides": (-1,), "offset": 3},
        {"shape": (1000, 1000), "strides": (0, 0)},
        {"shape": (-3,), "strides": (1,)},
    ],
)
def test_a_view_of_more_than_there_is_is_refused(tmp_path, view):
    path = state_file(tmp_path / "a.pt", np.arange(20.0), **view)
    with pytest.raises(FormatError, match=r"an array of .* in 20 values"):
        read_state_dict(path)
