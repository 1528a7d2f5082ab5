"""`phasenet-keras prepare` of SeisBench folders, and SeisBench reading ours."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pytest
from sources import labelled, noise, run, write_text_files

from phasenet_keras.io.seisbench import read_dataset, write_dataset


def test_a_seisbench_folder_is_split_anew_on_demand(tmp_path):
    records = [labelled(n, split="train" if n < 20 else "test") for n in range(24)]
    write_dataset(records, tmp_path / "in")
    assert run(tmp_path / "in", "--output", tmp_path / "same") == 0
    assert [r.split for r in read_dataset(tmp_path / "same")] == [r.split for r in records]
    assert run(tmp_path / "in", "--split-by", "block", "--output", tmp_path / "new") == 0
    after = read_dataset(tmp_path / "new")
    assert {r.split for r in after} == {"train", "dev", "test"}
    for before, now in zip(records, after, strict=True):
        assert now.arrivals == before.arrivals
        assert np.array_equal(now.waveform.data, before.waveform.data)
    assert run(tmp_path / "in", "--output", tmp_path / "in") == 2


@pytest.mark.parametrize("lists_chunks", [True, False])
def test_a_seisbench_folder_in_chunks(tmp_path, lists_chunks):
    (tmp_path / "in").mkdir()
    for number, chunk in enumerate(("_a", "_b")):
        with h5py.File(tmp_path / f"in/waveforms{chunk}.hdf5", "w") as file:
            file["data/bucket0"] = np.stack([noise(number * 3 + k, 200, 3).T for k in range(3)])
            file["data_format/component_order"] = "ZNE"
            file["data_format/dimension_order"] = "CW"
        pd.DataFrame(
            {
                "trace_name": [f"bucket0${k},:3,:{200 - k}" for k in range(3)],
                "trace_dt_s": 0.02,
                "trace_P_arrival_sample": [10.0 * number + k for k in range(3)],
                "station_code": ["NA", "B", "C"],
            }
        ).to_csv(tmp_path / f"in/metadata{chunk}.csv", index=False)
    if lists_chunks:
        (tmp_path / "in/chunks").write_text("_a\n_b\n")
    assert run(tmp_path / "in", "--output", tmp_path / "set") == 0
    records = read_dataset(tmp_path / "set")
    assert [r.name for r in records] == [
        f"bucket0_{k},:3,:{200 - k}{end}" for end in ("", "_2") for k in range(3)
    ]
    assert [r.arrivals["P"] for r in records] == [(v,) for v in (0, 1, 2, 10, 11, 12)]
    assert records[4].waveform.channels == ("E", "N", "Z")
    assert records[4].waveform.sampling_rate == 50.0
    assert records[4].waveform.n_samples == 199
    assert np.array_equal(records[4].waveform.data, noise(4, 200, 3)[:199, ::-1])
    assert records[3].waveform.station == "NA"
    assert len(read_dataset(tmp_path / "in")) == 6


def test_seisbench_finds_in_ours_what_it_looks_for(tmp_path):
    """The rules of its reader, one after the other: it is not among our dependencies."""
    write_text_files(tmp_path / "raw", [f"{n}.txt" for n in range(1, 8)])
    labels = tmp_path / "labels.csv"
    labels.write_text("itp\n" + "90\n" * 7)
    assert run(tmp_path / "raw", "--labels", labels, "--output", tmp_path / "set") == 0
    types = {"trace_sampling_rate_hz": float, "trace_dt_s": float}
    table = pd.read_csv(tmp_path / "set/metadata.csv", dtype=types)
    assert table["trace_sampling_rate_hz"].to_list() == [2000.0] * 7
    assert set(table["split"]) == {"train", "dev", "test"}
    assert table["trace_P_arrival_sample"].to_list() == [90.0] * 7
    with h5py.File(tmp_path / "set/waveforms.hdf5") as file:
        form = {key: item[()].decode() for key, item in file["data_format"].items()}
        assert form == {"component_order": "Z", "dimension_order": "CW"}
        for name, count in zip(table["trace_name"], table["trace_npts"], strict=True):
            assert "$" not in name  # as text: numbers would be no names to it
            assert file["data"][name].shape == (1, count)


def test_seisbench_itself_opens_ours(tmp_path):
    seisbench = pytest.importorskip("seisbench.data")
    write_text_files(tmp_path / "raw", [f"{n}.txt" for n in range(1, 8)])
    (tmp_path / "labels.csv").write_text("itp\n" + "90\n" * 7)
    labels = ["--labels", tmp_path / "labels.csv"]
    assert run(tmp_path / "raw", *labels, "--output", tmp_path / "set") == 0
    data = seisbench.WaveformDataset(tmp_path / "set", component_order="Z")
    assert data.get_waveforms(0).shape == (1, 400)


def test_prepare_takes_a_folder_with_chunks_for_a_data_set(tmp_path, capsys):
    write_dataset([labelled(n, split="train") for n in range(3)], tmp_path / "in")
    (tmp_path / "out").mkdir()
    write_dataset([labelled(9)], tmp_path / "out")
    for name, chunk in (("metadata.csv", "metadata0.csv"), ("waveforms.hdf5", "waveforms0.hdf5")):
        (tmp_path / "out" / name).rename(tmp_path / "out" / chunk)
    (tmp_path / "out/chunks").write_text("0\n")
    assert run(tmp_path / "in", "--output", tmp_path / "out") == 2
    assert "holds another data set" in capsys.readouterr().err
    assert run(tmp_path / "in", "--output", tmp_path / "out", "--overwrite") == 0
    assert len(read_dataset(tmp_path / "out")) == 3
