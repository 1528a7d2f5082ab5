"""SeisBench folders that are damaged, or say what cannot be: named, skipped, counted."""

from __future__ import annotations

import shutil

import h5py
import numpy as np
import pandas as pd
import pytest
from sources import labelled, run

from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.seisbench import dataset_parts, read_dataset, read_facts, write_dataset
from phasenet_keras.training.prepare import prepare
from phasenet_keras.types import FormatError

N = 6
BAD = 2


@pytest.fixture
def folder(tmp_path):
    write_dataset([labelled(n, split="train") for n in range(N)], tmp_path / "in")
    return tmp_path / "in"


def set_cell(folder, column, value, row=BAD):
    table = pd.read_csv(folder / "metadata.csv", dtype=object)
    table.loc[row, column] = value
    table.to_csv(folder / "metadata.csv", index=False)


def set_data(folder, make):
    """Put what is made of the samples of the bad record in their place."""
    with h5py.File(folder / "waveforms.hdf5", "r+") as file:
        old = file[f"data/r{BAD}"][()]
        del file[f"data/r{BAD}"]
        make(file, f"data/r{BAD}", old)


def spoilt(value):
    def make(file, name, old):
        file[name] = np.where(np.arange(old.size).reshape(old.shape) == 7, value, old)

    return make


DAMAGE = {
    "cell": (lambda f: set_cell(f, "trace_P_arrival_sample", "abc"), "received 'abc'"),
    "time": (lambda f: set_cell(f, "trace_start_time", "garbage"), "should be ISO 8601"),
    "npts": (lambda f: set_cell(f, "trace_npts", "inf"), "should be a number of samples"),
    "short": (lambda f: set_cell(f, "trace_npts", 301), "it has 300 samples, its row says 301"),
    "rate": (lambda f: set_cell(f, "trace_sampling_rate_hz", -1), "above 0 Hz, received -1"),
    "name": (lambda f: set_cell(f, "trace_name", "other"), "the file has no such record"),
    "group": (lambda f: set_data(f, lambda file, n, old: file.create_group(n)), "be read"),
    "null": (lambda f: set_data(f, lambda file, n, old: file.create_dataset(n, dtype="f4")),
             "shape"),
    "scalar": (lambda f: set_data(f, lambda file, n, old: file.create_dataset(n, data=1.0)),
               "shape"),
    "inf": (lambda f: set_data(f, spoilt(np.inf)), "NaN or infinite samples"),
    "nan": (lambda f: set_data(f, spoilt(np.nan)), "NaN or infinite samples"),
    "all nan": (lambda f: set_data(f, lambda file, n, old: file.create_dataset(
        n, data=np.full_like(old, np.nan))), "NaN or infinite samples"),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGE)
def test_one_bad_record_is_named_and_skipped(folder, tmp_path, kind, capsys):
    do, said = DAMAGE[kind]
    do(folder)
    assert run(folder, "--output", tmp_path / "set") == 1
    out = capsys.readouterr().out
    name = "other" if kind == "name" else f"r{BAD}"
    assert f"skipped row {BAD + 1}: {folder / 'waveforms.hdf5'}: record '{name}'" in out
    assert said in out
    kept = read_dataset(tmp_path / "set")
    assert [record.name for record in kept] == [f"r{n}" for n in range(N) if n != BAD]
    with pytest.raises(FormatError, match=rf"hdf5: record '{name}'.*prepare` makes a data set"):
        read_dataset(folder)
    if kind in ("cell", "time", "npts"):
        with pytest.raises(FormatError, match=f"record '{name}'"):
            read_facts(folder)


def test_a_chunk_that_cannot_be_read_is_one_record(folder, tmp_path):
    with h5py.File(folder / "waveforms.hdf5") as file:
        place = file[f"data/r{BAD}"].id.get_chunk_info(0)
    content = bytearray((folder / "waveforms.hdf5").read_bytes())
    content[place.byte_offset : place.byte_offset + place.size] = bytes(place.size)
    (folder / "waveforms.hdf5").write_bytes(content)
    made = prepare(folder, tmp_path / "set")
    assert len(made.facts) == N - 1
    [bad] = made.bad
    assert bad.row == BAD + 1
    assert f"record 'r{BAD}' cannot be read: " in bad.text


def test_a_channel_of_nan_is_a_missing_one(folder):
    def without_first(file, name, old):
        file[name] = np.where(np.arange(3)[:, None] == 0, np.nan, old)

    before = read_dataset(folder)[BAD].waveform.data
    set_data(folder, without_first)
    after = read_dataset(folder)[BAD].waveform.data
    assert not after[:, 0].any()
    assert np.array_equal(after[:, 1:], before[:, 1:])


@pytest.mark.parametrize("value", [-5, "inf", 300])
def test_labels_outside_of_the_record_are_unknown(folder, tmp_path, value, capsys):
    set_cell(folder, "trace_P_arrival_sample", value)
    set_cell(folder, "trace_labelled_phases", "PS")
    set_cell(folder, "trace_S_arrival_sample", 299)
    with pytest.warns(RecordWarning, match=f"1 arrivals are outside of .*r{BAD} P at "):
        record = read_dataset(folder)[BAD]
    assert record.arrivals == {"S": (299.0,)}
    assert run(folder, "--output", tmp_path / "set") == 0
    assert "arrivals are outside of their records" in capsys.readouterr().out
    assert read_dataset(tmp_path / "set")[BAD].arrivals == {"S": (299.0,)}


def test_one_of_two_arrivals_outside_is_left_out(folder):
    set_cell(folder, "trace_P_2_arrival_sample", 5000)
    with pytest.warns(RecordWarning, match="1 arrivals are outside"):
        assert read_dataset(folder)[BAD].arrivals == {"P": (float(BAD),)}


def test_rows_that_are_there_twice_are_said(folder):
    table = pd.read_csv(folder / "metadata.csv")
    pd.concat([table, table[:2]]).to_csv(folder / "metadata.csv", index=False)
    with pytest.warns(RecordWarning, match="2 rows name a record that a row before names"):
        assert len(read_dataset(folder)) == N + 2
    with pytest.warns(RecordWarning, match="2 rows name a record"):
        dataset_parts(folder)


def test_writing_over_a_data_set_leaves_no_chunks_of_it(folder):
    for name in ("metadata", "waveforms"):
        ending = "csv" if name == "metadata" else "hdf5"
        shutil.move(folder / f"{name}.{ending}", folder / f"{name}_a.{ending}")
    assert len(read_dataset(folder)) == N
    write_dataset([labelled(9)], folder, overwrite=True)
    assert [record.name for record in read_dataset(folder)] == ["r9"]
    assert {path.name for path in folder.iterdir()} == {"metadata.csv", "waveforms.hdf5"}
