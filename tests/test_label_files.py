"""Several files of labels, what is said of many that fail, and labels beside HDF5."""

from __future__ import annotations

import h5py
import pytest
from obspy import read
from obspy.core.event import Catalog, Event, Pick, WaveformStreamID
from sources import T0, by_name, noise, run, splits_of, write_stations, write_text_files

from phasenet_keras.io.labels.files import scan_arrivals, warn_of_one_time
from phasenet_keras.io.labels.rows import read_label_table
from phasenet_keras.io.parts import BadRow
from phasenet_keras.io.registry import RecordWarning, noted
from phasenet_keras.io.sources import read_labelled
from phasenet_keras.types import ConfigError, FormatError


def write_events(folder, times, ids=""):
    """A QuakeML file for each station's event, as SEISAN and SeisComP keep them."""
    folder.mkdir()
    for station in sorted({station for station, _ in times}):
        picks = [
            Pick(
                time=times[station, phase],
                phase_hint=phase,
                waveform_id=WaveformStreamID("XX", station),
            )
            for phase in "PS"
        ]
        event = Event(picks=picks, resource_id=f"smi:test/{ids or station}")
        Catalog([event]).write(str(folder / f"ev{station}.xml"), format="QUAKEML")


def test_a_folder_a_pattern_and_several_files_of_labels(tmp_path):
    times = write_stations(tmp_path / "in")
    write_events(tmp_path / "in/labels", times)
    labels = tmp_path / "in/labels"
    given = {
        "folder": [labels],
        "pattern": [f"{labels}/*.xml"],
        "several": [labels / "evA.xml", f"{labels}/ev[BCD].xml"],
    }
    for name, paths in given.items():
        options = [word for path in paths for word in ("--labels", path)]
        out = tmp_path / name
        assert run(tmp_path / "in", *options, "--output", out) == 0
        records = by_name(out).values()
        assert {record.event for record in records} == {f"smi:test/{s}" for s in "ABCD"}
        assert all(r.arrivals["P"] == pytest.approx((1025.4,)) for r in records)
        assert all(r.arrivals["S"] == pytest.approx((1400.0,)) for r in records)
    names = {f"ev{station}.xml" for station in "ABCD"}
    inputs = (tmp_path / "several/prepare.json").read_text()
    assert all(f"labels/{name}" in inputs for name in names)  # a change of one is noticed


def test_a_bad_file_among_others_is_skipped_and_counted(tmp_path, capsys):
    write_events(tmp_path / "labels", write_stations(tmp_path / "in"))
    (tmp_path / "labels/notes.txt").write_text("no arrivals\n")
    labels = ["--labels", tmp_path / "labels/notes.txt", "--labels", tmp_path / "labels"]
    assert run(tmp_path / "in", *labels, "--output", tmp_path / "set") == 1
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("skipped") == 1
    assert "labels/notes.txt is no file of arrivals known here" in said
    assert "4 records (split by event)" in said


def write_notes(folder):
    (folder / "README").write_text("time and station\nare columns of the tables here\n")
    (folder / "notes.txt").write_text("no arrivals\n")
    (folder / "log").write_text("this line is one that is no table\n")
    (folder / "sel.txt").write_text("1 2024 03 01 3 3\nXX A P 1 2 3\n")
    (folder / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    (folder / "stations.csv").write_text("station,latitude\nA,1\n")


def test_other_files_of_a_folder_are_passed_over_and_said_once(tmp_path, capsys):
    write_events(tmp_path / "labels", write_stations(tmp_path / "in"))
    write_notes(tmp_path / "labels")
    for name, labels in (("a", tmp_path / "labels"), ("b", f"{tmp_path}/labels/*")):
        out = ["--output", tmp_path / name]
        assert run(tmp_path / "in", "--labels", labels, *out) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert said.count("passed over") == 1
        assert "6 files are no table or catalogue, and passed over: README, log, logo.png, " in said
        assert "skipped" not in said
        assert "4 records (split by event)" in said
    (tmp_path / "labels/evA.xml").write_text("<quakeml><eventParameters>")  # damaged
    labels = ["--labels", tmp_path / "labels", "--output", tmp_path / "c"]
    assert run(tmp_path / "in", *labels) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("skipped") == 1
    assert "evA.xml is no file of arrivals known here" in said


def test_other_files_beside_tables_of_samples_are_passed_over(tmp_path):
    write_text_files(tmp_path / "in", [f"t{n}.txt" for n in range(2)])
    (tmp_path / "l").mkdir()
    (tmp_path / "l/t.csv").write_text("fname,itp\nt0.txt,100\nt1.txt,200\n")
    write_notes(tmp_path / "l")
    with pytest.warns(RecordWarning, match="6 files are no table or catalogue"):
        records = list(read_labelled(tmp_path / "in", tmp_path / "l"))
    assert [record.arrivals for record in records] == [{"P": (100.0,)}, {"P": (200.0,)}]
    with pytest.raises(FormatError, match=r"notes\.txt no, arrivals: give tables"):
        list(read_labelled(tmp_path / "in", [tmp_path / "l", tmp_path / "l/notes.txt"]))


def test_a_row_of_several_tables_is_called_by_its_file_and_its_number_there(tmp_path):
    write_text_files(tmp_path / "in", [f"t{n}.txt" for n in range(4)])
    (tmp_path / "l").mkdir()
    (tmp_path / "l/a.csv").write_text("fname,itp\nt0.txt,100\nt1.txt,0\nt2.txt,0\n")
    (tmp_path / "l/b.csv").write_text("fname,itp\n,\nt3.txt,abc\nt0.txt,100\n")
    with pytest.warns(RecordWarning) as caught:
        items = list(read_labelled(tmp_path / "in", tmp_path / "l"))
    said = [str(item.message) for item in caught]
    assert [str(item)[:18] for item in items if isinstance(item, BadRow)] == [
        "row 2 of a.csv: it",
        "row 3 of a.csv: it",
        "row 2 of b.csv: it",
    ]
    assert "row 3 of b.csv repeats an earlier one of t0" in said
    assert said[0].startswith("2 files of labels: itp is 0 in 2 of 5 rows")


def test_no_files_of_labels_are_refused(tmp_path):
    write_stations(tmp_path / "in")
    with pytest.raises(ConfigError, match="received an empty list"):
        list(read_labelled(tmp_path / "in", []))


def test_one_name_in_two_files_is_two_events(tmp_path):
    times = write_stations(tmp_path / "in")
    write_events(tmp_path / "labels", times, ids="1")
    (tmp_path / "labels/own.csv").write_text(f"station,phase,time,event\nXX.A,P,{T0 + 30},q\n")
    files = sorted((tmp_path / "labels").iterdir())
    arrivals, bad = scan_arrivals(files)
    assert bad == []
    wanted = {f"ev{station}/smi:test/1" for station in "ABCD"} | {"q"}
    assert {arrival.event for arrival in arrivals} == wanted
    (tmp_path / "other").mkdir()
    later = {key: time + 3600 for key, time in times.items() if "A" in key}
    write_events(tmp_path / "other/labels", later, "1")
    arrivals, _ = scan_arrivals([files[0], tmp_path / "other/labels/evA.xml"])
    assert len({arrival.event for arrival in arrivals}) == 2  # of files with the same name


def test_phases_and_stations_of_one_event_may_have_a_file_each(tmp_path):
    """An event that were two, of P and of S, would have no label in a window: each lacks one."""
    times = write_stations(tmp_path / "in")
    for (station, phase), time in times.items():
        row = f"XX.{station},{phase},{time},{'AB'.index(station) if station in 'AB' else 7}"
        (tmp_path / f"{station}{phase}.csv").write_text(f"station,phase,time,event\n{row}\n")
    files = [f"{tmp_path}/[A-D][PS].csv"]
    found = list(read_labelled(tmp_path / "in", files, window_s=8.0))
    assert [sorted(record.arrivals) for record in found] == [["P", "S"]] * 4
    assert {record.event for record in found} == {"0", "1", "CP/7", "DP/7"}


def test_tables_of_samples_are_one_table_if_their_columns_are_the_same(tmp_path, capsys):
    write_text_files(tmp_path / "in", [f"t{n}.txt" for n in range(6)])
    (tmp_path / "l").mkdir()
    for n in range(3):
        rows = f"fname,itp\nt{2 * n}.txt,{100 + n}\nt{2 * n + 1}.txt,{200 + n}\n"
        (tmp_path / f"l/{n}.csv").write_text(rows)
    records = list(read_labelled(tmp_path / "in", tmp_path / "l"))
    found = {record.name: record.arrivals["P"] for record in records}
    assert found == {f"t{2 * n + k}": (100.0 * (k + 1) + n,) for n in range(3) for k in (0, 1)}
    (tmp_path / "l/3.csv").write_text("fname,its\nt0.txt,100\n")
    assert run(tmp_path / "in", "--labels", tmp_path / "l", "--output", tmp_path / "set") == 2
    assert "give tables with the same columns" in capsys.readouterr().err


def test_one_reason_is_said_once_with_some_names(tmp_path, capsys):
    write_text_files(tmp_path / "in", [f"t{n}.txt" for n in range(6)])
    rows = [f"t{n}.txt,{100 if n < 6 else 5}" for n in range(66)]
    (tmp_path / "l.csv").write_text("fname,itp\n" + "\n".join(rows) + "\nt0.txt,9999\n")
    out = ["--output", tmp_path / "set"]
    assert run(tmp_path / "in", "--labels", tmp_path / "l.csv", *out) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("skipped row") == 2
    assert "(t6.txt) (and 59 others: row 8, row 9, row 10, …)" in said
    assert "sample 9999 is outside" in said
    assert "all that was skipped is in" in said


@pytest.mark.parametrize(("digits", "n_samples"), [(1, "10"), (2, None)])
def test_times_of_few_digits_are_said_in_samples(tmp_path, digits, n_samples):
    write_stations(tmp_path / "in", stations="A")
    at = [f"{5 + 2.1 * n + 0.01 * n * (digits == 2):.{digits}f}0" for n in range(12)]
    rows = "".join(f"XX.A,P,{T0 + float(time)}\n" for time in at)
    (tmp_path / "l.csv").write_text("station,phase,time\n" + rows)
    if n_samples is None:  # to a sample: as good as it can be
        [record] = read_labelled(tmp_path / "in", tmp_path / "l.csv")
        assert len(record.arrivals["P"]) == 12
        return
    words = "all times are multiples of 100 ms, which are 10 samples at 100 Hz: labels may be off"
    with pytest.warns(RecordWarning, match=words):
        list(read_labelled(tmp_path / "in", tmp_path / "l.csv"))


def test_times_of_whole_minutes_are_said_in_samples(tmp_path):
    """Excel shows no seconds, and saves what it shows."""
    write_stations(tmp_path / "in", stations="A", seconds=900)
    minutes = "".join(f"XX.A,P,2020-01-01 00:{n:02d}\n" for n in range(1, 12))
    (tmp_path / "l.csv").write_text("station,phase,time\n" + minutes)
    with pytest.warns(RecordWarning, match="multiples of 60000 ms, which are 6000 samples"):
        list(read_labelled(tmp_path / "in", tmp_path / "l.csv"))


def test_times_of_origins_are_asked_about(tmp_path):
    write_stations(tmp_path / "in")
    rows = [(station, phase, n) for n in range(3) for station in "ABCD" for phase in "PS"]
    for later_s, n_said in ((0.0, 1), (0.03, 0)):  # one of 24 differs: they may be arrivals
        times = [T0 + 10.25 + n + later_s * (n == 1 and s == "B") for s, _, n in rows]
        text = [f"XX.{s},{phase},{time}\n" for (s, phase, _), time in zip(rows, times, strict=True)]
        (tmp_path / "l.csv").write_text("station,phase,time\n" + "".join(text))
        arrivals, _ = scan_arrivals(tmp_path / "l.csv")
        with noted() as said:
            warn_of_one_time(arrivals, "l.csv")
        wanted = ["l.csv: all 24 arrivals are at the very time of another station's: are these tim"]
        assert [text[: len(wanted[0])] for text in said] == wanted[:n_said]


@pytest.mark.parametrize("network", ["", "XX."])
def test_stations_of_several_networks_and_arrivals_of_none_are_said(tmp_path, network):
    write_stations(tmp_path / "in", stations="AB")
    for path in (tmp_path / "in").glob("A.*"):
        other = read(str(path))
        other[0].stats.network = "YY"
        other.write(str(path.with_name(f"YY.{path.name}")), format="MSEED")
    rows = f"{network}A,P,{T0 + 10}\n{network}B,P,{T0 + 1010}\n"
    (tmp_path / "l.csv").write_text("station,phase,time\n" + rows)
    with noted() as said:
        found = list(read_labelled(tmp_path / "in", tmp_path / "l.csv"))
    labelled = [record.waveform.station for record in found if record.arrivals]
    text = "l.csv: arrivals of A name no network, and are of all records of XX.A, YY.A"
    if network:
        assert (labelled, said) == (["XX.A..HH", "XX.B..HH"], [])
    else:
        assert sorted(labelled) == ["XX.A..HH", "XX.B..HH", "YY.A..HH"]
        assert [one.endswith(text) for one in said] == [True]


# --- HDF5 ------------------------------------------------------------------------------------


def write_bare_hdf5(path, records=("q1/A", "q1/B", "q2/A", "q2/C"), first=0):
    with h5py.File(path, "w") as file:
        for seed, name in enumerate(records, start=first):
            file.create_dataset(name, data=noise(seed)[:, 0])
            file[name].attrs["sampling_rate"] = 1000.0


def test_hdf5_without_labels_takes_them_from_a_table(tmp_path, capsys):
    write_bare_hdf5(tmp_path / "a.h5")
    labels = tmp_path / "l.csv"
    labels.write_text("fname,itp,s_ms\nq1/A,100.5,200\nC,120,\nq2/A,90,150\nA,5,6\nD,1,2\n")
    records, bad = {}, []
    for item in read_labelled(tmp_path / "a.h5", labels):
        if isinstance(item, BadRow):
            bad.append(str(item))
        else:
            records[item.name] = item
    assert {name: r.arrivals for name, r in records.items()} == {
        "q1/A": {"P": (100.5,), "S": (200.0,)},
        "q2/A": {"P": (90.0,), "S": (150.0,)},
        "q2/C": {"P": (120.0,), "S": ()},
    }
    assert records["q1/A"].event == "q1"
    assert "row 4: 2 records of the HDF5 files are named 'A'" in bad[0]
    assert "row 5: 0 records of the HDF5 files are named 'D'" in bad[1]
    labels.write_text("station,itp\nA,100\n")
    assert run(tmp_path / "a.h5", "--labels", labels, "--output", tmp_path / "set") == 2
    assert "should name the record of each row in the HDF5 files, in a column fname" in (
        capsys.readouterr().err
    )
    assert run(tmp_path / "a.h5", "--output", tmp_path / "set") == 2
    said = " ".join(capsys.readouterr().out.split())
    assert "as attributes (p_sample, or p_time_s, p_ms, p_us), or in a table that names" in said
    assert said.count("holds no labelled record, but q1/A (400,)") == 1


@pytest.mark.parametrize("prefix", ["", "trace_"])
def test_tables_of_stead_and_seisbench_beside_records(tmp_path, prefix):
    write_bare_hdf5(tmp_path / "a.h5", ["data/A.XX_1_EV", "data/B.XX_1_EV"])
    labels = tmp_path / "l.csv"
    header = f"{prefix}p_arrival_sample,{prefix}s_arrival_sample,trace_name\n"
    labels.write_text(f"{header}120.5,180,B.XX_1_EV\n50,70,data\\A.XX_1_EV\n")
    found = {r.name: r.arrivals for r in read_labelled(tmp_path / "a.h5", labels)}
    assert found == {
        "data/A.XX_1_EV": {"P": (50.0,), "S": (70.0,)},
        "data/B.XX_1_EV": {"P": (120.5,), "S": (180.0,)},
    }


def test_files_of_one_record_are_named_by_their_files(tmp_path):
    (tmp_path / "in").mkdir()
    for n in range(4):
        write_bare_hdf5(tmp_path / f"in/e{n}.h5", ["waveform"], first=n)
    rows = "".join(f"e{n}.h5,{100 + n},q{n % 3}\n" for n in range(4))
    (tmp_path / "l.csv").write_text("fname,itp,event\n" + rows)
    options = ["--labels", tmp_path / "l.csv", "--output", tmp_path / "set"]
    assert run(tmp_path / "in", *options) == 0
    records = list(by_name(tmp_path / "set").values())
    assert sorted(r.arrivals["P"][0] for r in records) == [100.0, 101.0, 102.0, 103.0]
    assert sorted(splits_of(records, lambda r: r.event)) == ["q0", "q1", "q2"]


def test_a_row_that_repeats_another_of_a_record_in_hdf5_is_said(tmp_path):
    write_bare_hdf5(tmp_path / "a.h5")
    (tmp_path / "l.csv").write_text("fname,itp\nC,120\nq2/C,120\nC,300\n")
    with pytest.warns(RecordWarning, match="row 2 repeats an earlier one of q2/C"):
        [record] = read_labelled(tmp_path / "a.h5", tmp_path / "l.csv")
    assert record.arrivals == {"P": (120.0, 300.0)}


def test_rows_of_one_record_that_differ_in_split_or_distance_are_said(tmp_path):
    write_text_files(tmp_path / "in", ["a.txt", "b.txt"])
    rows = ["a,100,train,5", "a,200,val,5.0", "a,300,training,9", "b,100,,", "b,200,test,7"]
    (tmp_path / "l.csv").write_text("\n".join(["fname,itp,split,offset_m", *rows, "b,300,,"]))
    with pytest.warns(RecordWarning) as caught:
        a, b = read_labelled(tmp_path / "in", tmp_path / "l.csv")
    assert (a.split, a.waveform.offset_m, a.arrivals) == ("train", 5, {"P": (100.0, 200.0, 300.0)})
    assert (b.split, b.waveform.offset_m, b.arrivals) == ("test", 7, {"P": (100.0, 200.0, 300.0)})
    assert [str(warning.message) for warning in caught] == [
        "row 2 gives a the split dev, an earlier row split train, which counts",
        "row 3 gives a the distance 9 m, an earlier row distance 5 m, which counts",
    ]


def test_of_several_errors_the_first_is_told_and_how_many_there_are(tmp_path):
    (tmp_path / "in").mkdir()
    for name in "abc":
        (tmp_path / f"in/{name}.sac").write_bytes(b"no SAC")
    (tmp_path / "l.csv").write_text(f"station,phase,time\nA,P,{T0}\n")
    with pytest.raises(FormatError, match=r"no file can be read; .*a\.sac.* \(and 2 more\)$"):
        list(read_labelled(tmp_path / "in", tmp_path / "l.csv"))
    with pytest.raises(FormatError, match=r"holds no labels .*; .*a\.sac.* \(and 2 more\)$"):
        list(read_labelled(tmp_path / "in"))
    write_stations(tmp_path / "good", stations="A")
    (tmp_path / "labels").mkdir()
    for name in "ab":
        (tmp_path / f"labels/{name}.csv").write_text("station,phase,time\nA,P,noon\n")
    with pytest.raises(
        FormatError, match=r"none of 2 files of labels can .*a\.csv.* \(and 1 more\)"
    ):
        list(read_labelled(tmp_path / "good", tmp_path / "labels"))
    (tmp_path / "l.csv").write_text("fname,itp\na,1,5\nb,2\nc,3,5\n")
    with pytest.raises(
        FormatError, match=r"row 1 has 3 cells, the header 2 \(and 1 more\): a comma"
    ):
        read_label_table(tmp_path / "l.csv")
