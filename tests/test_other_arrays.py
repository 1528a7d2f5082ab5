"""Arrays that are no records: they are refused in words that say what to do."""

from __future__ import annotations

import tracemalloc

import h5py
import numpy as np
import pytest
from reading import noise
from scipy.io import savemat
from sources import read_hdf5, run

from phasenet_keras import read_waveforms
from phasenet_keras.types import FormatError

SECTION = '"Arrays of another shape" in docs/how-to/labels.md'
P = (410.0, 415.5, 422.0)


def write_records(path, n_records, p_index, **attributes):
    with h5py.File(path, "w") as file:
        for number in range(n_records):
            node = file.create_dataset(f"e{number}", data=noise(1800, number).reshape(3, 600))
            node.attrs.update(p_index=p_index(number), sampling_rate_hz=1e7, **attributes)
    return path


@pytest.mark.parametrize("n_records", [3, 20])
def test_three_sensors_are_not_taken_for_channels(n_records, tmp_path, capsys):
    path = write_records(tmp_path / "a.h5", n_records, lambda _: P)
    with pytest.raises(FormatError, match=f"{n_records} of {n_records} records have 3 channels"):
        read_hdf5(path)
    assert run(path, "--output", tmp_path / "set") == 2
    out = " ".join(capsys.readouterr().out.split())
    assert "3 arrivals of P: are these 3 sensors?" in out
    assert SECTION in out


def test_three_arrivals_in_some_records_or_of_named_channels_are_arrivals(tmp_path):
    some = write_records(tmp_path / "a.h5", 20, lambda number: P if number < 5 else 410.0)
    records, _ = read_hdf5(some)
    assert [len(record.arrivals["P"]) for record in records].count(3) == 5
    named = write_records(tmp_path / "b.h5", 20, lambda _: P, channels="ENZ")
    assert len(read_hdf5(named)[0]) == 20


def test_three_sensors_in_npz(tmp_path, capsys):
    (tmp_path / "raw").mkdir()
    for number in range(6):
        data = noise(1800, number).reshape(600, 3)
        np.savez(tmp_path / f"raw/e{number}.npz", data=data, itp=np.array(P))
    assert run(tmp_path / "raw", "--output", tmp_path / "set") == 2
    assert "6 of 6 records have 3 channels without names" in capsys.readouterr().err
    for number in range(6):  # PhaseNet's: three channels, an arrival of each phase
        data = noise(1800, number).reshape(600, 3)
        np.savez(tmp_path / f"raw/e{number}.npz", data=data, itp=[[400]], its=[[500]])
    assert run(tmp_path / "raw", "--output", tmp_path / "set", "--split-by", "block") in (0, 2)
    assert "sensors" not in capsys.readouterr().err


def test_hdf5_of_arrays_is_refused_once_and_says_what_it_holds(tmp_path, capsys):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["waveforms"] = np.zeros((20, 8, 600), "f4")
        file["p_index"] = np.zeros((20, 8))
    assert run(tmp_path / "a.h5", "--output", tmp_path / "set") == 2
    out = " ".join(capsys.readouterr().out.split())
    assert out.count("skipped") == 1
    assert "holds no labelled record, but p_index (20, 8), waveforms (20, 8, 600)" in out
    assert SECTION in out
    (tmp_path / "p.csv").write_text("event,sensor,p_index\n1,1,300\n")
    labels = ["--labels", tmp_path / "p.csv"]
    assert run(tmp_path / "a.h5", *labels, "--output", tmp_path / "set") == 2
    assert SECTION in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "write", "said"),
    [
        ("a.npz", lambda p: np.savez(p, data=np.ones((2, 8, 50))), r"of shape \(2, 8, 50\)"),
        (
            "a.npy",
            lambda p: np.save(p, np.ones((8, 50))),
            "here, but a NumPy array, which numpy.load",
        ),
        (
            "a.mat",
            lambda p: savemat(p, {"x": np.ones((2, 8, 50)), "fs": 1e6}),
            r"x \(2, 8, 50\) should be of sensors and more samples than these",
        ),
        (
            "a.csv",
            lambda p: p.write_text("x;S1;S2\n0,1;5,0;6\n0,2;4;3\n"),
            "here, but text of 3 columns",
        ),
        ("a.txt", lambda p: np.savetxt(p, np.ones((9, 5))), "here, but text of 5 columns"),
        (
            "b.csv",
            lambda p: p.write_text("Us,Ampl (V)\n0.0,1.5\n0.1,1.6\n"),
            r"but text of 2 columns \(read where a line above says which is time, such as",
        ),
    ],
)
def test_arrays_of_other_programs(name, write, said, tmp_path):
    write(tmp_path / name)
    with pytest.raises(FormatError, match=said) as refused:
        read_waveforms(tmp_path / name)
    assert SECTION in str(refused.value)
    assert "GSE2" not in str(refused.value)


@pytest.mark.parametrize("own", [{"fs": 500.0}, {"fs": 500.0, "p_sample": 100}, {}])
def test_a_large_array_is_refused_without_being_read(own, tmp_path, capsys):
    path = tmp_path / "das.h5"
    with h5py.File(path, "w") as file:  # 256 MB, none of which is in the file
        file.create_dataset("Raw", (4000, 16000), "f4", chunks=(1000, 1000)).attrs.update(own)
    tracemalloc.start()
    assert run(path, "--output", tmp_path / "set") == 2
    with pytest.raises(FormatError, match=r"shape \(4000, 16000\) do not fit channels") as error:
        read_waveforms(path)
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert SECTION in str(error.value)
    assert most_bytes < 32e6
