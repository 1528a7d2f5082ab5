"""`phasenet-keras prepare`: samples and labels of each kind of file, and what is wrong is said."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pytest
from obspy import Trace
from sources import T0, by_name, noise, run, splits_of, write_text_files

from phasenet_keras.io.seisbench import read_dataset

# --- text -----------------------------------------------------------------------------------


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
    assert "(itp '4000'): leave the cell empty where the phase is not there" in said
    assert "give ()" not in said  # which is for Python
    assert "skipped row 3: itp should be a number, received 'soon'" in said
    assert "skipped row 7: there is no file of this name or station (t9.txt)" in said
    assert "note 2 files have no row and are left out: t6.txt, t7.txt" in said
    records = by_name(tmp_path / "set")
    assert sorted(records) == ["t0", "t3", "t4", "t5"]
    assert records["t0"].arrivals == {"P": (100.0,), "S": ()}
    assert records["t3"].arrivals == {"P": (103.0, 250.0, 300.0), "S": (320.0,)}
    assert records["t3"].event == "e3"


def test_labels_that_are_exchanged_or_in_seconds_are_noted(tmp_path, capsys):
    names = [f"t{n}.txt" for n in range(4)]
    write_text_files(tmp_path / "raw", names)
    labels = tmp_path / "labels.csv"
    options = ["--labels", labels, "--output", tmp_path / "set", "--overwrite"]
    labels.write_text("fname,itp,its\n" + "".join(f"{name},300,200\n" for name in names))
    for _ in range(2):  # also where there is nothing left to do
        assert run(tmp_path / "raw", *options) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert "note S before P: the first S is before the first P in 4 of 4 records" in said
    labels.write_text("fname,itp,its\n" + "".join(f"{name},.05,.1\n" for name in names))
    assert run(tmp_path / "raw", *options) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "note labels look like seconds: of 8 arrivals 8 are before sample 2" in said
    assert "S before P" not in said


def test_records_with_s_before_p_are_counted_also_where_they_are_few(tmp_path, capsys):
    names = [f"t{n}.txt" for n in range(4)]
    write_text_files(tmp_path / "raw", names)
    labels = tmp_path / "labels.csv"
    # An S of an event before the record's own is no fault: t2 has two S.
    arrivals = ["100,200", "210,200", "200,100;300", "100,200"]
    lines = [f"{name},{at}\n" for name, at in zip(names, arrivals, strict=True)]
    labels.write_text("fname,itp,its\n" + "".join(lines).replace("100;300", '"[100, 300]"'))
    assert run(tmp_path / "raw", "--labels", labels, "--output", tmp_path / "set") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "note S before P in some records: it is in 1 of 4 that have both, t1: correct" in said


def test_a_number_that_stands_for_no_arrival_is_asked_about_once(tmp_path, capsys):
    names = [f"t{n}.txt" for n in range(6)]
    write_text_files(tmp_path / "raw", names)
    labels = tmp_path / "labels.csv"
    options = ["--labels", labels, "--output", tmp_path / "set", "--overwrite"]
    rows = [f"{name},{n},200\n" for n, name in enumerate(names, 100)]
    rows[0], rows[1] = "t0.txt,100,-999\n", "t1.txt,101,-999.0\n"
    labels.write_text("fname,itp,its\n" + "".join(rows))
    assert run(tmp_path / "raw", *options) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "its is -999 in 2 of 6 rows, which are skipped: if that stands for no S, leave" in said
    assert said.count("stands for no") == 1
    rows[1] = "t1.txt,101,-3\n"
    labels.write_text("fname,itp,its\n" + "".join(rows))
    assert run(tmp_path / "raw", *options) == 1
    assert "stands for no" not in capsys.readouterr().out


def test_labels_of_dead_records_are_no_labels(tmp_path, capsys):
    alive, half, zeros = noise(0, n_channels=3), noise(3, n_channels=3), np.zeros((400, 3), "f4")
    half[:, 1:] = 7.0
    records = [(alive, 100), (zeros, 0), (zeros + 7, 50), (zeros, np.nan), (half, 200)]
    with h5py.File(tmp_path / "in.h5", "w") as file:
        for number, (data, label) in enumerate(records):
            made = file.create_dataset(f"r{number}", data=data)
            made.attrs.update({"itp": label, "sampling_rate_hz": 100.0})
    assert run(tmp_path / "in.h5", "--complete", "--output", tmp_path / "set") == 1
    said = " ".join(capsys.readouterr().out.split())
    for name in ("r1", "r2"):
        assert f"skipped {name}: dead: every channel is constant, and it has labels" in said
    assert sorted(by_name(tmp_path / "set")) == ["r0", "r3", "r4"]


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
    error = " ".join(capsys.readouterr().err.split())
    assert "three blocks at least are needed" in error
    assert "2 rows or files were skipped: 9 records of E,N,Z at 100 Hz" in error
    assert "1 record of N,Z at 100 Hz: the data set holds E,N,Z at 200 Hz" in error
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
