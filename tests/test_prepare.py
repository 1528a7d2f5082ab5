"""`phasenet-keras prepare`: every source becomes a data set, and what is wrong is said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from obspy import Stream, Trace, UTCDateTime
from obspy.core.event import Catalog, Event, Pick, WaveformStreamID

from phasenet_keras import Waveform
from phasenet_keras.cli import main
from phasenet_keras.io.parts import BadRow
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.seisbench import read_dataset, write_dataset
from phasenet_keras.io.sources import open_source, read_labelled
from phasenet_keras.training.prepare import PrepareSettings, prepare
from phasenet_keras.types import ConfigError, FormatError, LabelledWaveform

T0 = UTCDateTime("2020-01-01T00:00:00")


def noise(seed, n_samples=400, n_channels=1):
    return np.random.default_rng(seed).standard_normal((n_samples, n_channels)).astype("f4")


def run(*arguments):
    return main(["prepare", *map(str, arguments)])


def by_name(folder):
    return {record.name: record for record in read_dataset(folder)}


def splits_of(records, key):
    found = {}
    for record in records:
        found.setdefault(key(record), set()).add(record.split)
    return found


# --- text -----------------------------------------------------------------------------------


def write_text_files(folder, names):
    folder.mkdir()
    for seed, name in enumerate(names):
        lines = (f"{k / 2000:.4f} {v:.5f}" for k, v in enumerate(noise(seed)[:, 0]))
        (folder / name).write_text("\n".join(lines) + "\n")


def test_rows_go_to_files_in_their_natural_order(tmp_path, capsys):
    write_text_files(tmp_path / "raw", [f"trace{n}.txt" for n in range(1, 13)])
    labels = tmp_path / "labels.csv"
    labels.write_text("itp,its\n" + "".join(f"{100 + n},{200 + n}\n" for n in range(1, 13)))
    assert run(tmp_path / "raw", "--labels", labels, "--output", tmp_path / "set") == 0
    records = read_dataset(tmp_path / "set")
    assert [record.name for record in records] == [f"trace{n}" for n in range(1, 13)]
    for n, record in enumerate(records, start=1):  # 2 comes before 10
        assert record.arrivals == {"P": (100.0 + n,), "S": (200.0 + n,)}
    assert "12 records (split by block) written" in capsys.readouterr().out
    assert (tmp_path / "set/examples.png").stat().st_size > 10_000
    assert sorted(p.name for p in (tmp_path / "set").iterdir()) == [
        "examples.png",
        "metadata.csv",
        "prepare.json",
        "waveforms.hdf5",
    ]


def test_bad_rows_are_named_and_several_rows_are_one_record(tmp_path, capsys):
    write_text_files(tmp_path / "raw", [f"t{n}.txt" for n in range(8)])
    labels = tmp_path / "labels.csv"
    rows = [f"t{n}.txt,{100 + n},nan,e{n}" for n in range(6)]
    rows[1] = "t1.txt,4000,,e1"
    rows[2] = "t2.txt,soon,,e2"
    rows += ["t9.txt,1,2,e9", "t3.txt,250 300,320,e3"]
    labels.write_text("fname,itp,its,event\n" + "\n".join(rows) + "\n")
    assert run(tmp_path / "raw", "--labels", labels, "--output", tmp_path / "set") == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "skipped row 2: record t1: the P arrival at sample 4000 is outside" in said
    assert "skipped row 3: itp should be a number, received 'soon'" in said
    assert "skipped row 7: there is no file of this name or station (t9.txt)" in said
    assert "note 2 files have no row and are left out: t6.txt, t7.txt" in said
    records = by_name(tmp_path / "set")
    assert sorted(records) == ["t0", "t3", "t4", "t5"]
    assert records["t0"].arrivals == {"P": (100.0,), "S": ()}
    assert records["t3"].arrivals == {"P": (103.0, 250.0, 300.0), "S": (320.0,)}
    assert records["t3"].event == "e3"


def test_codes_that_look_like_numbers_or_nothing_stay_codes(tmp_path):
    for station in ("001", "002", "003"):
        trace = Trace(noise(int(station))[:, 0], {"network": "NA", "station": station})
        trace.stats.update({"channel": "HHZ", "sampling_rate": 100.0, "starttime": T0})
        trace.write(str(tmp_path / f"{station}.mseed"), format="MSEED")
    labels = tmp_path / "labels.csv"
    labels.write_text("network;station;p_index\n" + "".join(f"NA;00{n};{n}0\n" for n in (1, 2, 3)))
    assert run(tmp_path, "--labels", labels, "--output", tmp_path / "set") == 0
    records = by_name(tmp_path / "set")
    assert records["NA.002..HH"].arrivals == {"P": (20.0,)}
    assert records["NA.002..HH"].waveform.station == "NA.002..HH"


def test_nothing_usable_is_status_2_and_leaves_nothing(tmp_path, capsys):
    write_text_files(tmp_path / "raw", ["a.txt"])
    labels = tmp_path / "labels.csv"
    labels.write_text("fname,itp\nb.txt,1\n")
    assert run(tmp_path / "raw", "--labels", labels, "--output", tmp_path / "set") == 2
    assert "there are no records: nothing is written" in capsys.readouterr().out
    assert not (tmp_path / "set").exists()
    labels.write_text("colour,shape\nred,round\n")
    assert run(tmp_path / "raw", "--labels", labels, "--output", tmp_path / "set") == 2
    assert "table with a column of arrivals in samples" in capsys.readouterr().err
    assert run(tmp_path / "raw", "--output", tmp_path / "set") == 2
    assert "holds no labels" in capsys.readouterr().err
    assert run(tmp_path / "none", "--output", tmp_path / "set") == 2
    assert not (tmp_path / "set").exists()


@pytest.mark.shared
def test_near_surface_records(shared, tmp_path):
    """The first call of the issue."""
    data = shared / "data/near_surface"
    labels = data / "labels_shot01.csv"
    assert run(data / "raw", "--labels", labels, "--output", tmp_path / "lines") == 0
    records = read_dataset(tmp_path / "lines")
    assert len(records) == 96
    table = pd.read_csv(labels)
    assert [record.arrivals["P"] for record in records] == [(float(v),) for v in table["itp"]]
    assert [record.arrivals["S"] for record in records] == [(float(v),) for v in table["its"]]
    assert {record.waveform.sampling_rate for record in records} == {2000.0}
    for begin in range(0, 96, 8):
        assert len({record.split for record in records[begin : begin + 8]}) == 1
    assert {record.split for record in records} == {"train", "dev", "test"}


# --- npz ------------------------------------------------------------------------------------


def write_npz_files(folder, count=6):
    folder.mkdir(parents=True)
    for n in range(count):
        data = noise(n, 500, 3)
        if n % 2:
            data[:, :2] = 0.0
        fields = {"itp": 100 + n} | ({"its": [[180 + n, 300]]} if n < 4 else {})
        np.savez(folder / f"r{n}.npz", data=data, **fields)


def test_npz_with_a_table_and_with_their_own_labels(tmp_path):
    write_npz_files(tmp_path / "waveform")
    labels = tmp_path / "waveform.csv"
    labels.write_text(
        "fname\titp\tits\tchannels\n" + "".join(f"r{n}.npz\t{n}0\t{n}5\tEHZ\n" for n in range(6))
    )
    assert run(tmp_path / "waveform", "--labels", labels, "--output", tmp_path / "one") == 0
    records = by_name(tmp_path / "one")
    assert len(records) == 6
    assert records["r5"].arrivals == {"P": (50.0,), "S": (55.0,)}
    assert records["r5"].waveform.channels == ("E", "N", "Z")
    assert not records["r5"].waveform.data[:, :2].any()  # not recorded, kept as zeros
    assert run(tmp_path / "waveform", "--output", tmp_path / "own") == 0
    own = by_name(tmp_path / "own")
    assert own["r3"].arrivals == {"P": (103.0,), "S": (183.0, 300.0)}
    assert own["r4"].arrivals == {"P": (104.0,)}  # S was not labelled: unknown
    labels.write_text("fname\n" + "".join(f"r{n}.npz\n" for n in range(1, 5)))
    assert run(tmp_path / "waveform", "--labels", labels, "--output", tmp_path / "list") == 0
    assert sorted(by_name(tmp_path / "list")) == ["r1", "r2", "r3", "r4"]
    assert run(tmp_path / "waveform", "--channels", "z", "--output", tmp_path / "z") == 0
    assert by_name(tmp_path / "z")["r2"].waveform.data.shape == (500, 1)


@pytest.mark.shared
def test_ncedc_records(shared, tmp_path):
    data = shared / "data/ncedc"
    assert run(data, "--labels", data / "waveform.csv", "--output", tmp_path / "set") == 0
    records = by_name(tmp_path / "set")
    assert len(records) == 100
    assert records["NC_GDXB_2008072815280414"].arrivals == {"P": (3000.0,), "S": (3038.0,)}
    assert all(set(record.arrivals) == {"P", "S"} for record in records.values())
    assert {record.waveform.channels for record in records.values()} == {("E", "N", "Z")}


@pytest.mark.shared
def test_ncedc_records_with_p_only(shared, tmp_path, capsys):
    data = shared / "data/ncedc_p_only"
    assert run(data, "--labels", data / "waveform.csv", "--output", tmp_path / "set") == 0
    records = read_dataset(tmp_path / "set")
    # 75 rows of 74 files: one file is listed twice.
    assert len(records) == 74
    assert "row 75 repeats an earlier one" in " ".join(capsys.readouterr().out.split())
    assert all(set(record.arrivals) == {"P"} for record in records)


# --- SPECFEM2D ------------------------------------------------------------------------------


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
    assert "skipped row 3: there is no seismogram of station AA.S0099 (run run2)" in said
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
    (tmp_path / "all.csv").write_text("station,p_index\nS0001,50\n")
    with pytest.raises(FormatError, match="no column 'run' and there are 4 runs"):
        open_source(tmp_path / "runs", tmp_path / "all.csv")


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


# --- HDF5 -----------------------------------------------------------------------------------


def write_hdf5(path, count=12):
    with h5py.File(path, "w") as file:
        for n in range(count):
            shape = (300, 2) if n == 3 else (300, 3)
            record = file.create_dataset(f"r{n:02d}", data=noise(n, *shape))
            rate = 200.0 if n in (5, 7) else 100.0
            record.attrs.update(p_index=50.5 + n, s_index=np.nan if n < 6 else [90.0, 200.0 + n])
            record.attrs.update(shot=n // 3, sampling_rate_hz=rate)
            record.attrs["channels"] = "NZ" if n == 3 else "ENZ"


def test_hdf5_of_several_rates_and_channels(tmp_path, capsys):
    write_hdf5(tmp_path / "a.h5")
    assert run(tmp_path / "a.h5", "--output", tmp_path / "set") == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "skipped 1 record of N,Z at 100 Hz: the data set holds E,N,Z at 100 Hz" in said
    assert "skipped 2 records of E,N,Z at 200 Hz: the data set holds E,N,Z at 100 Hz" in said
    records = by_name(tmp_path / "set")
    assert len(records) == 9
    assert records["r04"].arrivals == {"P": (54.5,)}
    assert records["r08"].arrivals == {"P": (58.5,), "S": (90.0, 208.0)}
    assert records["r08"].gather == "shot 2"
    assert all(len(s) == 1 for s in splits_of(records.values(), lambda r: r.gather).values())
    options = ["--channels", "Z", "--sampling-rate-hz", "100"]
    assert run(tmp_path / "a.h5", *options, "--output", tmp_path / "z") == 1
    assert len(read_dataset(tmp_path / "z")) == 10  # the record of N and Z has a Z
    options = ["--sampling-rate-hz", "200", "--split-by", "block"]
    assert run(tmp_path / "a.h5", *options, "--output", tmp_path / "hz") == 2  # two records only
    assert "three at least" in capsys.readouterr().err
    assert run(tmp_path / "a.h5", "--labels", "x.csv", "--output", tmp_path / "x") == 2
    assert "hold their own labels" in capsys.readouterr().err


def test_names_of_several_files_do_not_clash(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        write_hdf5(tmp_path / f"in/{name}.h5", count=3)
    assert run(tmp_path / "in", "--output", tmp_path / "set") == 0
    assert sorted(by_name(tmp_path / "set")) == [f"{f}.r0{n}" for f in "ab" for n in range(3)]
    # The two files are copies: no record is on two sides.
    splits = {name[2:]: record.split for name, record in by_name(tmp_path / "set").items()}
    for name, record in by_name(tmp_path / "set").items():
        assert record.split == splits[name[2:]]


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "count", "first", "arrivals"),
    [
        ("pyrefra_first_breaks", 1259, "shot01_rec01", {"P": (799.32,)}),
        ("eqt_stead50", 50, "109C.TA_20060723155859_EV", {"P": (700.0,), "S": (1894.0,)}),
    ],
)
def test_shared_hdf5(shared, tmp_path, name, count, first, arrivals):
    assert run(shared / f"data/records/{name}.h5", "--output", tmp_path / "set") == 0
    records = by_name(tmp_path / "set")
    assert len(records) == count
    assert records[first].arrivals == arrivals
    if name == "pyrefra_first_breaks":
        assert all(len(s) == 1 for s in splits_of(records.values(), lambda r: r.gather).values())


# --- arrivals with times --------------------------------------------------------------------


def write_stations(folder, file_format="MSEED", stations="ABCD", seconds=60):
    """One file a channel; returns the arrivals: an event a minute, seen at each station."""
    folder.mkdir()
    for n, station in enumerate(stations):
        for channel in ("HHE", "HHN", "HHZ"):
            trace = Trace(noise(n * 3 + ord(channel[-1]), seconds * 100)[:, 0])
            trace.stats.update({"network": "XX", "station": station, "channel": channel})
            trace.stats.update({"sampling_rate": 100.0, "starttime": T0 + 1000 * n})
            trace.write(str(folder / f"{station}.{channel}"), format=file_format)
    return {
        (station, phase): T0 + 1000 * n + at
        for n, station in enumerate(stations)
        for phase, at in (("P", 10.254), ("S", 14.0))
    }


def test_quakeml(tmp_path, capsys):
    times = write_stations(tmp_path / "in")
    events = []
    for station in "ABC":
        picks = [
            Pick(
                time=times[station, phase],
                phase_hint=f"{phase}g",
                waveform_id=WaveformStreamID("XX", station, None, "HHZ"),
            )
            for phase in ("PS" if station != "B" else "P")
        ]
        events.append(Event(picks=picks, resource_id=f"smi:test/{station}"))
    outside = Pick(time=T0 + 9e5, phase_hint="P", waveform_id=WaveformStreamID("XX", "A"))
    Catalog([*events, Event(picks=[outside])]).write(str(tmp_path / "c.xml"), format="QUAKEML")
    labels = ["--labels", tmp_path / "c.xml"]
    assert run(tmp_path / "in", *labels, "--output", tmp_path / "set") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "1 of 6 arrivals are in no record: XX.A P 2020-01-11" in said
    assert "note 1 records without a labelled arrival are left out" in said
    assert "3 records (split by event)" in said
    records = by_name(tmp_path / "set")
    record = records["XX.A..HH_20200101T000000.000000"]
    assert record.arrivals["P"] == pytest.approx((1025.4,))
    assert record.arrivals["S"] == pytest.approx((1400.0,))
    assert record.waveform.channels == ("E", "N", "Z")
    assert record.event == "smi:test/A"
    assert "S" not in records["XX.B..HH_20200101T001640.000000"].arrivals
    assert run(tmp_path / "in", *labels, "--complete", "--output", tmp_path / "all") == 0
    records = by_name(tmp_path / "all")
    assert records["XX.B..HH_20200101T001640.000000"].arrivals["S"] == ()
    assert records["XX.D..HH_20200101T005000.000000"].arrivals == {"P": (), "S": ()}


def test_a_table_of_times_with_bad_rows_and_windows(tmp_path, capsys):
    times = write_stations(tmp_path / "in")
    labels = tmp_path / "picks.csv"
    rows = [f"XX.{station},{phase},{time}" for (station, phase), time in times.items()]
    rows[4] = "XX.C,P,yesterday"
    labels.write_text("station_id,phase_type,phase_time\n" + "\n".join(rows) + "\n")
    options = ["--labels", labels, "--window-s", 20]
    assert run(tmp_path / "in", *options, "--output", tmp_path / "set") == 1
    assert "skipped picks.csv, row 5: the time 'yesterday'" in capsys.readouterr().out
    records = by_name(tmp_path / "set")
    begin = round((1025.4 + 1400.0 - 2000) / 2)
    record = records[f"XX.A..HH_20200101T000000.000000_{begin}"]
    assert record.waveform.n_samples == 2000
    assert record.waveform.start_time == T0 + begin / 100
    assert record.arrivals["P"] == pytest.approx((1025.4 - begin,))
    options += ["--random-position", "--seed"]
    found = []
    for seed in (1, 1, 2):
        out = tmp_path / f"random{len(found)}"
        assert run(tmp_path / "in", *options, seed, "--output", out) == 1
        found.append({r.name: r.arrivals for r in read_dataset(out)})
    assert found[0] == found[1] != found[2]
    assert run(tmp_path / "in", "--labels", labels, "--window-s", -1, "--output", out) == 2
    labels.write_text(f"station,phase,time\nYY.A,P,{T0 + 1}\n")
    capsys.readouterr()
    assert run(tmp_path / "in", "--labels", labels, "--output", tmp_path / "none") == 2
    assert "none of its 1 arrivals is in a record" in capsys.readouterr().err


def test_snuffler_markers(tmp_path):
    times = write_stations(tmp_path / "in")
    lines = ["# Snuffler Markers File Version 0.2"]
    for (station, phase), at in times.items():
        stamp = at.strftime("%Y-%m-%d %H:%M:%S.%f")
        lines.append(f"phase: {stamp} 0 XX.{station}..HHZ None None None {phase} None False")
    (tmp_path / "a.markers").write_text("\n".join(lines) + "\n")
    out = tmp_path / "set"
    assert run(tmp_path / "in", "--labels", tmp_path / "a.markers", "--output", out) == 0
    records = read_dataset(out)
    assert len(records) == 4
    assert all(r.arrivals["P"] == pytest.approx((1025.4,)) for r in records)


def test_sac_headers(tmp_path):
    (tmp_path / "in").mkdir()
    for n in range(4):
        for channel in "ENZ":
            header = {"network": "XX", "station": f"S{n}", "channel": f"HH{channel}"}
            header |= {"sampling_rate": 100.0, "starttime": T0}
            trace = Trace(noise(n * 3 + ord(channel), 3000)[:, 0], header)
            trace.stats.sac = {"a": 5.0 + n, "ka": "P"} if channel == "Z" else {}
            if channel == "N" and n:
                trace.stats.sac = {"t0": 9.0, "kt0": "S"}
            trace.write(str(tmp_path / f"in/S{n}.{channel}.sac"), format="SAC")
    assert run(tmp_path / "in", "--output", tmp_path / "set") == 0
    records = read_dataset(tmp_path / "set")
    assert [r.waveform.station for r in records] == [f"XX.S{n}..HH" for n in range(4)]
    assert records[0].arrivals == {"P": (500.0,)}
    assert records[2].arrivals["P"] == pytest.approx((700.0,))
    assert records[2].arrivals["S"] == pytest.approx((900.0,))


def test_files_of_one_record_are_read_together_and_others_apart(tmp_path):
    """Two files that touch are one record; one of another day is read on its own."""
    for name, start in (("a", T0), ("b", T0 + 10), ("c", T0 + 86400)):
        header = {"network": "XX", "station": "A", "channel": "HHZ"}
        header |= {"sampling_rate": 100.0, "starttime": start}
        Stream([Trace(noise(ord(name), 1000)[:, 0], header)]).write(
            str(tmp_path / f"{name}.mseed"), format="MSEED"
        )
    labels = tmp_path / "picks.csv"
    labels.write_text(f"station,phase,time\nA,P,{T0 + 9.5}\nA,S,{T0 + 12}\nA,P,{T0 + 86405}\n")
    assert len(open_source(tmp_path, labels).parts) == 2
    one, two = read_labelled(tmp_path, labels)
    assert (one.waveform.n_samples, two.waveform.n_samples) == (2000, 1000)
    assert one.arrivals == {"P": (950.0,), "S": (1200.0,)}


# --- SeisBench ------------------------------------------------------------------------------


def labelled(number, **fields):
    wave = Waveform(noise(number, 300, 3), 100.0, T0 + 1000 * number, tuple("ENZ"), "XX.A..HH")
    return LabelledWaveform(wave, {"P": (number,)}, name=f"r{number}", **fields)


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


# --- again, and after a kill ----------------------------------------------------------------


@pytest.fixture
def lines(tmp_path):
    write_text_files(tmp_path / "raw", [f"t{n}.txt" for n in range(12)])
    (tmp_path / "l.csv").write_text("itp\n" + "100\n" * 12)
    return [tmp_path / "raw", "--labels", tmp_path / "l.csv", "--output", tmp_path / "set"]


def test_the_same_command_again_does_nothing(lines, tmp_path, capsys):
    assert run(*lines) == 0
    files = [tmp_path / "set" / name for name in ("metadata.csv", "waveforms.hdf5")]
    before = [path.stat().st_mtime_ns for path in files]
    capsys.readouterr()
    assert run(*lines) == 0
    assert "is complete, nothing to do (12 records, split by block)" in capsys.readouterr().out
    assert [path.stat().st_mtime_ns for path in files] == before
    made = prepare(tmp_path / "raw", tmp_path / "set", tmp_path / "l.csv")
    assert not made.is_new
    assert [fact.name for fact in made.facts] == [f"t{n}" for n in range(12)]
    assert run(*lines, "--seed", 5) == 2
    assert "holds another data set (its seed is 0, not 5)" in capsys.readouterr().err
    assert run(*lines, "--seed", 5, "--overwrite") == 0
    order = json.loads((tmp_path / "set/prepare.json").read_text())["order"]
    assert order["settings"]["seed"] == 5
    path = tmp_path / "raw/t3.txt"
    assert order["inputs"][str(path)] == [path.stat().st_size, path.stat().st_mtime_ns]
    path.write_text(path.read_text() + "0.2000 1.0\n")
    assert run(*lines, "--seed", 5) == 2
    assert "1 of its inputs have changed: t3.txt" in capsys.readouterr().err


def test_data_sets_among_the_files_are_no_input(lines, tmp_path):
    inside = tmp_path / "raw/set"
    assert run(*lines[:3], "--output", inside) == 0
    assert run(*lines[:3], "--output", inside) == 0
    assert run(*lines) == 0
    assert len(read_dataset(tmp_path / "set")) == 12


def test_what_prepare_did_not_make_is_left_alone(lines, tmp_path, capsys):
    write_dataset([labelled(1)], tmp_path / "set")
    assert run(*lines) == 2
    assert "which was not made by prepare" in capsys.readouterr().err
    assert len(read_dataset(tmp_path / "set")) == 1
    assert run(*lines, "--overwrite") == 0
    assert len(read_dataset(tmp_path / "set")) == 12


def test_settings_that_cannot_be():
    for wrong in ({"window_s": 0.0}, {"sampling_rate_hz": -1.0}, {"channels": "Q"}):
        with pytest.raises(ConfigError):
            PrepareSettings(**wrong)
    with pytest.raises(ConfigError, match="need a length"):
        PrepareSettings(random_position=True)
    assert str(BadRow(3, "no")) == "row 3: no"


def wait_for(path, process):
    deadline = time.monotonic() + 90
    while not path.exists():
        assert process.poll() is None, "it ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_killed_in_mid_run_it_goes_on(tmp_path, capsys):
    count = 700
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for n in range(count):
            record = file.create_dataset(f"r{n}", data=noise(n, 3000, 3))
            record.attrs.update(p_index=float(n), shot=n // 50)
    command = [sys.executable, "-m", "phasenet_keras.cli", "prepare", str(tmp_path / "a.h5")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    process = subprocess.Popen([*command, "--output", str(tmp_path / "set")], env=environment)
    stage = tmp_path / "set/.prepare"
    wait_for(stage / "part00000.json", process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "set/metadata.csv").exists()
    kept = (stage / "part00000.json").stat().st_mtime_ns
    made = []
    prepare(
        tmp_path / "a.h5",
        tmp_path / "set",
        on_progress=lambda *numbers: made.append(
            (*numbers, (stage / "part00000.json").stat().st_mtime_ns)
        ),
    )
    assert {moment for _, _, moment in made} == {kept}  # gone on with, not begun again
    assert made[0][0] > 1
    assert made[-1][:2] == (7, 7)
    assert not stage.exists()
    prepare(tmp_path / "a.h5", tmp_path / "whole")
    assert (tmp_path / "set/metadata.csv").read_bytes() == (
        tmp_path / "whole/metadata.csv"
    ).read_bytes()
    for one, other in zip(
        read_dataset(tmp_path / "set"), read_dataset(tmp_path / "whole"), strict=True
    ):
        assert np.array_equal(one.waveform.data, other.waveform.data)


def test_leftovers_of_another_command_are_cleared(lines, tmp_path):
    stage = tmp_path / "set/.prepare"
    stage.mkdir(parents=True)
    (stage / "order.json").write_text("{}\n")
    (stage / "part00000.hdf5").write_bytes(b"half")
    assert run(*lines) == 0
    assert not stage.exists()
    assert len(read_dataset(tmp_path / "set")) == 12


def test_prepare_loads_no_tensorflow(lines):
    code = (
        "import sys\nfrom phasenet_keras.cli import main\n"
        f"assert main(['prepare', *{[str(item) for item in lines]!r}]) == 0\n"
        "loaded = {'tensorflow', 'keras', 'jax', 'torch'} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
