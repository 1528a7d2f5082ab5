"""`phasenet-keras prepare` of runs of SPECFEM2D: stations, channels and labels of each."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sources import by_name, noise, run, splits_of, write_text_files

from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.seisbench import read_dataset
from phasenet_keras.io.sources import open_source, read_labelled
from phasenet_keras.types import FormatError


def test_a_named_seismogram_of_specfem_brings_its_other_channels(tmp_path, recwarn):
    names = [f"s{n}.AA.S1.BX{letter}.semd" for n in range(3) for letter in "XZ"]
    write_text_files(tmp_path / "raw", [*names, "s0.AA.S1.BXX.semv"])
    labels = tmp_path / "labels.csv"
    rows = ["s0.AA.S1.BXZ.semd,10", "s1.AA.S1.BXZ,11", "s2.AA.S1.BXZ.semd,12"]
    labels.write_text("fname,itp\n" + "\n".join([*rows, "s2.AA.S1.BXX.semd,13\n"]))
    records = list(read_labelled(tmp_path / "raw", labels))
    assert [(r.name, r.waveform.channels, r.arrivals["P"]) for r in records] == [
        ("AA.s0_S1..BX", ("E", "Z"), (10.0,)),
        ("AA.s1_S1..BX", ("E", "Z"), (11.0,)),
        ("AA.s2_S1..BX", ("Z",), (12.0,)),  # where both are named, both are records
        ("AA.s2_S1..BX", ("E",), (13.0,)),
    ]
    np.testing.assert_allclose(records[0].waveform.data[:, 0], noise(0)[:, 0], atol=1e-5)
    said = [str(warning.message) for warning in recwarn]
    assert said == ["1 files have no row and are left out: s0.AA.S1.BXX.semv"]


def write_run(folder, seed, stations=("S0001", "S0002")):
    (folder / "DATA").mkdir(parents=True)
    (folder / "OUTPUT_FILES").mkdir()
    (folder / "DATA/Par_file").write_text(
        "NSTEP = 400\nDT = 5.d-4\nUSER_T0 = 0.05d0\nNTSTEP_BETWEEN_OUTPUT_SAMPLE = 1\n"
        "NSOURCES = 1\nsave_ASCII_seismograms = .true.\n"
    )
    (folder / "DATA/SOURCE").write_text("xs = 0.\nzs = 0.\nf0 = 60.\ntshift = 0.\n")
    (folder / "DATA/STATIONS").write_text(
        "".join(f"{s} AA {5.0 * (n + 1)} 0. 0. 0.\n" for n, s in enumerate(stations))
    )
    rows = []
    for n, station in enumerate(stations):
        for axis in "XZ":
            values = noise(1000 * seed + 10 * n + ord(axis))[:, 0]
            lines = (f"{k * 5e-4 - 0.05:.6e} {v:.6e}" for k, v in enumerate(values))
            path = folder / f"OUTPUT_FILES/AA.{station}.BX{axis}.semd"
            path.write_text("\n".join(lines) + "\n")
        rows.append(f"{seed},AA,{station},{100 + 10 * n}.5,{150 + seed}\n")
    (folder / "labels.csv").write_text("source,network,station,p_index,s_index\n" + "".join(rows))


def test_runs_with_the_same_stations_do_not_clash(tmp_path, capsys):
    for seed in range(1, 5):
        write_run(tmp_path / f"runs/run{seed}", seed)
    with (tmp_path / "runs/run2/labels.csv").open("a") as file:
        file.write("2,AA,S0099,10,20\n")
    assert run(tmp_path / "runs", "--output", tmp_path / "set") == 1
    said = " ".join(capsys.readouterr().out.split())
    assert re.search(r"skipped row 3: \S+run2 holds 0 records of AA\.S0099, .* \(run run2\)", said)
    assert "8 records (split by event)" in said
    records = by_name(tmp_path / "set")
    assert records["run2.AA.S0002"].arrivals == {"P": (110.5,), "S": (152.0,)}
    assert records["run2.AA.S0002"].event == "run2"
    assert records["run2.AA.S0002"].gather == "run2 source 2"
    assert records["run2.AA.S0002"].waveform.offset_m == pytest.approx(10.0)
    assert len(splits_of(records.values(), lambda r: r.event)) == 4
    assert all(len(s) == 1 for s in splits_of(records.values(), lambda r: r.event).values())
    table = "run,station,p_index\nrun1,S0001,50\nrun3,S0002,60\n"
    (tmp_path / "all.csv").write_text(table)
    with pytest.warns(RecordWarning, match="1 of 2 stations have no labels"):
        items = list(read_labelled(tmp_path / "runs/run[13]", tmp_path / "all.csv"))
    assert [(r.name, r.arrivals["P"]) for r in items] == [
        ("run1.AA.S0001", (50.0,)),
        ("run3.AA.S0002", (60.0,)),
    ]
    with pytest.warns(RecordWarning, match=r"of other runs \(run3\) are left out; those here"):
        [record] = read_labelled(tmp_path / "runs/run1", tmp_path / "all.csv")
    assert record.arrivals["P"] == (50.0,)
    (tmp_path / "all.csv").write_text("run,p_index\nrun1,50\nrun1,60\n")
    with pytest.warns(RecordWarning, match="in the order of STATIONS, the first for AA.S0001"):
        items = list(read_labelled(tmp_path / "runs/run[13]", tmp_path / "all.csv"))
    assert [r.arrivals["P"] for r in items[:2]] == [(50.0,), (60.0,)]
    (tmp_path / "all.csv").write_text("run,geophone,p_index\nrun1,S0002,60\nrun1,S0001,50\n")
    item, *_ = read_labelled(tmp_path / "runs/run[13]", tmp_path / "all.csv")
    assert "by its column 'geophone' the rows may be in another order than STATIONS" in str(item)
    (tmp_path / "all.csv").write_text("station,p_index\nS0001,50\n")
    with pytest.raises(FormatError, match="no column 'run' and there are 4 runs"):
        open_source(tmp_path / "runs", tmp_path / "all.csv")


def test_a_station_of_two_networks_of_a_run_is_not_the_last(tmp_path):
    write_run(tmp_path / "run1", 1)
    for axis in "XZ":
        path = tmp_path / f"run1/OUTPUT_FILES/AA.S0002.BX{axis}.semd"
        path.rename(path.with_name(f"BB.S0001.BX{axis}.semd"))
    stations = tmp_path / "run1/DATA/STATIONS"
    stations.write_text(stations.read_text().replace("S0002 AA", "S0001 BB"))
    (tmp_path / "l.csv").write_text("station,p_index\nS0001,50\n")
    [bad] = read_labelled(tmp_path / "run1", tmp_path / "l.csv")
    assert re.search(r"row 1: .* holds 2 records of S0001, .* name it by station, net", str(bad))
    (tmp_path / "l.csv").write_text("network,station,p_index\nAA,S0001,50\n")
    with pytest.warns(RecordWarning, match="1 of 2 stations have no labels"):
        [record] = read_labelled(tmp_path / "run1", tmp_path / "l.csv")
    assert (record.name, record.arrivals["P"]) == ("run1.AA.S0001", (50.0,))


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "count", "first", "p", "s", "rate_hz"),
    [
        ("run1_flat_ascii", 16, "AA.S0001", 32.50, 43.53, 2000),
        ("run2_topo_ascii", 16, "AA.S0001", 180.00, 270.03, 2000),
        ("run3_flat_binary", 24, "AA.S0001", 87.67, 99.33, 2000),
        ("run4_topo_su", 24, "AA.S0001", 216.49, 354.24, 2000),
        ("run5_flat_ascii_velocity", 12, "AA.S0001", 59.72, 77.50, 4000),
        ("run6_topo_own_stations", 12, "GD.G01", 167.72, 251.09, 2000),
    ],
)
def test_native_specfem_runs(shared, tmp_path, name, count, first, p, s, rate_hz):
    """The second call of the issue, and the other runs."""
    folder = shared / "data/specfem2d/native" / name
    assert run(folder, "--labels", folder / "labels.csv", "--output", tmp_path / "sim") == 0
    records = read_dataset(tmp_path / "sim")
    assert len(records) == count
    assert records[0].name == f"{name}.{first}"
    assert records[0].arrivals == {"P": (p,), "S": (s,)}
    assert records[0].waveform.channels == ("E", "Z")
    assert records[0].waveform.sampling_rate == pytest.approx(rate_hz)
    assert {record.gather for record in records} == {f"{name} source 1"}
    assert {record.split for record in records} == {"train", "dev", "test"}


@pytest.mark.shared
def test_a_folder_of_native_runs(shared, tmp_path):
    out = tmp_path / "set"
    assert run(shared / "data/specfem2d/native", "--output", out) == 1  # run5 has another rate
    records = read_dataset(out)
    assert len(records) == 16 + 16 + 24 + 24 + 12
    assert all(len(s) == 1 for s in splits_of(records, lambda r: r.event).values())
