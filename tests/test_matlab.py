"""MATLAB's files of an array of sensors and samples, as laboratories have them."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from phasenet_keras import read_labelled, read_waveforms
from phasenet_keras.io.registry import noted
from phasenet_keras.types import FormatError

N_SENSORS, N_SAMPLES = 4, 600
DATA = np.random.default_rng(1).normal(size=(N_SENSORS, N_SAMPLES)).astype("f4")
SENSORS = np.array(["S1", "S2", "S3", "S4"], dtype=object)


def write(path, version, **variables):
    """A file as MATLAB's save makes it; 7.3 is HDF5 with sides reversed, behind 512 bytes."""
    path.parent.mkdir(exist_ok=True)
    if version == 5:
        savemat(path, variables)
        return
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in variables.items():
            kind = b"cell" if np.asarray(value).dtype == object else b"double"
            values = np.zeros((1, 4)) if kind == b"cell" else np.atleast_2d(value).T
            file.create_dataset(name, data=values).attrs["MATLAB_class"] = np.bytes_(kind)
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512)
    path.write_bytes(head + path.read_bytes()[512:])


@pytest.mark.parametrize("version", [5, 7.3])
def test_an_array_is_a_gather_of_its_sensors(tmp_path, version):
    write(tmp_path / "in/e1.mat", version, data=DATA, fs=1e6, sensors=SENSORS)
    write(tmp_path / "in/e2.mat", version, data=DATA.T, dt=2e-6, xyz=np.ones((N_SENSORS, 3)))
    with noted() as said:
        waves = read_waveforms(tmp_path / "in")
    names = [f"{event}-000{n}" for event in ("e1", "e2") for n in range(1, N_SENSORS + 1)]
    assert [wave.station for wave in waves] == names
    assert [wave.sampling_rate for wave in waves] == [1e6] * N_SENSORS + [5e5] * N_SENSORS
    for number, wave in enumerate(waves):
        np.testing.assert_array_equal(wave.data[:, 0], DATA[number % N_SENSORS])
    assert {*said} == {"MATLAB: the longer side of an array is taken for the samples of sensors"}


@pytest.mark.parametrize("version", [5, 7.3])
def test_a_table_names_files_and_sensors_and_times_count_from_the_trigger(tmp_path, version):
    t = -50e-6 + np.arange(N_SAMPLES) * 1e-6
    write(tmp_path / "in/e1.mat", version, u=DATA, t=t)
    text = "file,sensor,p_after_trigger_us\ne1.mat,2,70.5\ne1.mat,4,91\n"
    (tmp_path / "picks.csv").write_text(text)
    found = {r.name: r.arrivals for r in read_labelled(tmp_path / "in", tmp_path / "picks.csv")}
    assert found == {"e1-0002": {"P": (120.5,)}, "e1-0004": {"P": (141.0,)}}


def test_more_sensors_than_samples_need_times(tmp_path):
    write(tmp_path / "das.mat", 5, x=DATA, t=np.arange(N_SENSORS) / 500.0)
    assert {wave.n_samples for wave in read_waveforms(tmp_path / "das.mat")} == {N_SENSORS}
    assert len(read_waveforms(tmp_path / "das.mat")) == N_SAMPLES


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"data": DATA}, r"no sampling rate: save it in a variable fs, in Hz, .*'-append'"),
        ({"data": DATA, "raw": DATA, "fs": 1e6}, r"one array .*data \(4, 600\), raw \(4, 600\)"),
        ({"fs": 1e6, "name": "AE"}, r"one array .* holds these arrays of numbers: none"),
        ({"data": np.ones((300, 300)), "fs": 1e6}, r"data \(300, 300\) should be of sensors and"),
    ],
)
def test_variables_that_are_no_gather_are_refused(tmp_path, variables, words):
    write(tmp_path / "a.mat", 5, **variables)
    with pytest.raises(FormatError, match=words):
        read_waveforms(tmp_path / "a.mat")


def test_a_damaged_file_is_refused_by_name(tmp_path):
    (tmp_path / "a.mat").write_bytes(b"MATLAB 5.0 MAT-file".ljust(128) + bytes(400))
    with pytest.raises(FormatError, match=r"a\.mat cannot be read as MATLAB"):
        read_waveforms(tmp_path / "a.mat")
