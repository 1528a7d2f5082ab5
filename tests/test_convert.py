"""`phasenet-keras convert`: what it writes over, and files that are no weights."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from phasenet_keras import PhaseNet
from phasenet_keras.cli import main
from phasenet_keras.models.convert import _keras2_names, convert_preset, read_tf1_checkpoint
from phasenet_keras.models.presets import read_preset
from phasenet_keras.models.stages import convolutions
from phasenet_keras.types import ConfigError, FormatError, PresetError

OPTIONS = ["--sampling-rate-hz", "100", "--window", "3000"]


@pytest.fixture
def weights(tmp_path):
    """A Keras 2 file as the earlier port wrote it: layers by number, kernels with a unit axis."""
    net = PhaseNet(channels="Z", filters_root=2)
    arrays = net.get_weight_set()
    with h5py.File(tmp_path / "model.h5", "w") as file:
        for spec, conv, norm in _keras2_names(convolutions(net.config)):
            for name, array in arrays.items():
                layer, variable = name.split("/")
                if layer == spec.name:
                    array = array[:, None] if variable == "kernel" else array
                    file[f"{conv}/{conv}/{variable}:0"] = array
                elif norm and layer == spec.norm:
                    file[f"{norm}/{norm}/{variable}:0"] = array
    return tmp_path / "model.h5"


def test_nothing_in_the_folder_is_lost(weights, tmp_path, capsys):
    command = ["convert", str(weights), str(tmp_path / "mine"), *OPTIONS]
    assert main(command) == 0
    assert main([*command, "--name", "other"]) == 2
    assert "holds a preset: name another folder, or --overwrite" in capsys.readouterr().err
    assert read_preset(tmp_path / "mine").name == "mine"
    assert main([*command, "--name", "other", "--overwrite"]) == 0
    assert read_preset(tmp_path / "mine").name == "other"
    (tmp_path / "mine/notes.txt").write_text("mine")
    assert main([*command, "--overwrite"]) == 2
    assert "holds notes.txt, which is no part of a preset" in capsys.readouterr().err
    assert (tmp_path / "mine/notes.txt").read_text() == "mine"
    assert read_preset(tmp_path / "mine").name == "other"


def test_files_beside_a_preset_stay_when_it_is_saved_anew(weights, tmp_path):
    assert main(["convert", str(weights), str(tmp_path / "mine"), *OPTIONS]) == 0
    (tmp_path / "mine/notes.txt").write_text("mine")
    (tmp_path / "mine/figures").mkdir()
    PhaseNet.from_preset(tmp_path / "mine").save_preset(tmp_path / "mine", name="anew")
    assert read_preset(tmp_path / "mine").name == "anew"
    assert (tmp_path / "mine/notes.txt").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"mine", "model.h5"}
    assert (tmp_path / "mine/figures").is_dir()


def test_what_is_no_weights_is_refused_in_one_line(weights, tmp_path, capsys):
    with h5py.File(tmp_path / "set.hdf5", "w") as file:
        file["data/r0"] = np.zeros((3, 10))
        file["data_format/component_order"] = "ENZ"
    for given in (tmp_path / "set.hdf5", tmp_path / "none.h5"):
        assert main(["convert", str(given), str(tmp_path / "p"), *OPTIONS]) == 2
        assert capsys.readouterr().err.startswith("phasenet-keras: error: ")
    command = ["convert", str(weights), str(tmp_path / "p"), "--window", "3000"]
    for rate in ("0", "nan", "-1"):
        assert main([*command, "--sampling-rate-hz", rate]) == 2
        assert "a sampling rate is above 0 Hz" in capsys.readouterr().err
    assert not (tmp_path / "p").exists()


def test_a_wrong_contract_is_refused_before_anything_is_written(weights, tmp_path):
    place, contract = tmp_path / "mine", {"sampling_rate": 100, "window_samples": 3000}
    for rate in ("100", None, float("nan")):
        with pytest.raises(ConfigError, match="a sampling rate is above 0 Hz, received"):
            convert_preset(weights, place, **{**contract, "sampling_rate": rate})
    with pytest.raises(ConfigError, match=r"no setting 'licence'\. Did you mean 'license'"):
        convert_preset(weights, place, **contract, licence="MIT")
    with pytest.raises(FormatError, match=r"nope\.h5 cannot be read: no such file$"):
        convert_preset(tmp_path / "nope.h5", place, **contract)
    assert not place.exists()
    assert convert_preset(weights, place, **contract, license="MIT").license == "MIT"
    with pytest.raises(PresetError, match=r"\(in Python overwrite=True\)"):
        convert_preset(weights, place, **contract)


def test_a_checkpoint_that_was_cut_short_is_refused(tmp_path):
    import tensorflow as tf

    prefix = tf.train.Checkpoint(x=tf.Variable(np.ones(5000, "f4"))).write(str(tmp_path / "m"))
    [data] = tmp_path.glob("m.data-*")
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(FormatError, match="is no readable TensorFlow checkpoint"):
        read_tf1_checkpoint(prefix)
