"""Picks that one used so far: which records they are of, and what they score beside a network."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import h5py
import pytest
from obspy import Stream, Trace, UTCDateTime
from sources import noise, write_text_files
from texts import unaligned
from training_runs import onsets, small_parent

from phasenet_keras import (
    PrepareSettings,
    TrainConfig,
    evaluate,
    prepare,
    read_picks,
    train,
    write_picks,
)
from phasenet_keras.cli import main
from phasenet_keras.cli.common import read_tables
from phasenet_keras.cli.console import open_console
from phasenet_keras.io.example import EXAMPLE_FOLDER
from phasenet_keras.io.record_picks import picks_of_records
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.seisbench import read_dataset, write_dataset
from phasenet_keras.picking.table_picker import TablePicker
from phasenet_keras.training.proof import Proof, before_and_after
from phasenet_keras.training.scores import RecordMatches, score_matches
from phasenet_keras.training.triggers import TRIGGER
from phasenet_keras.training.ways import TRAINED, Way
from phasenet_keras.types import ConfigError, FormatError, Pick

T0 = UTCDateTime("2020-01-01T00:00:00")


def run(*arguments):
    assert main([*map(str, arguments)]) == 0


def scored(capsys, *arguments):
    """Evaluate by the command; return what it said, and the numbers in its table."""
    capsys.readouterr()
    run("evaluate", *arguments)
    said = unaligned(capsys.readouterr().out)
    rows = [line.split(" | ")[1:] for line in said.splitlines() if line.startswith("| ")]
    return said, rows[1:]


def samples_of(found, rate_hz=100.0):
    """Samples by phase of the picks of each record, with the probability where it is not 1."""
    return [
        {phase: [round((p.time - p.start_time) * rate_hz, 3) for p in of if p.phase == phase]
         for phase in sorted({p.phase for p in of})}
        for of in found.picks
    ]  # fmt: skip


def written(path, text):
    path.write_text(text)
    return path


def forms(folder, rate_hz):
    """Write the picks of ``own.csv`` as tables of samples and of times since the first sample."""
    picks = read_picks(folder / "own.csv")
    names = sorted({(pick.source, pick.station) for pick in picks})
    with (folder / "samples.csv").open("w") as file:
        file.write("fname,station,itp,its\n")
        for source, station in names:
            own = [p for p in picks if (p.source, p.station) == (source, station)]
            samples = [
                " ".join(f"{(p.time - p.start_time) * rate_hz:g}" for p in own if p.phase == phase)
                for phase in "PS"
            ]
            file.write(f"{source},{station},{','.join(samples)}\n")
    with (folder / "times.csv").open("w") as file:
        file.write("fname,station,phase,time_s,probability\n")
        for p in picks:
            row = (p.source, p.station, p.phase, p.time - p.start_time, p.probability)
            file.write(",".join(map(str, row)) + "\n")


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """The line that the package carries, prepared, and the picks of `pick` in many forms."""
    folder = tmp_path_factory.mktemp("line")
    run("prepare", EXAMPLE_FOLDER / "line.mseed", "--labels", EXAMPLE_FOLDER / "line.csv",
        "--output", folder / "set", "--split-by", "block")  # fmt: skip
    for name in ("own.csv", "own.xml", "own.markers", "own.obs"):
        run("pick", EXAMPLE_FOLDER / "line.mseed", "--preset", "near-surface",
            "--output", folder / name)  # fmt: skip
    run("pick", folder / "set", "--preset", "near-surface", "--output", folder / "named.csv")
    forms(folder, 2000.0)
    return folder


@pytest.mark.parametrize(
    "name",
    ["own.csv", "own.xml", "own.markers", "own.obs", "named.csv", "samples.csv", "times.csv"],
)
def test_the_picks_of_a_preset_score_as_the_preset_does(line, name, capsys):
    rule = ("--tolerance-samples", 2)
    _, expected = scored(capsys, "near-surface", line / "set", *rule)
    said, rows = scored(capsys, line / name, line / "set", *rule)
    assert rows == expected
    assert 0.5 < float(expected[0][1].split(" ")[0]) < 1
    stem = name.partition(".")[0]
    assert f"'picks of {stem}': " in said
    assert "98 of 98 picks are in 48 of 48 records, " in said
    assert " of them in 16 of these 16." in said


def test_labels_are_right_and_moved_ones_are_not(line, tmp_path, capsys):
    said, rows = scored(capsys, EXAMPLE_FOLDER / "line.csv", line / "set", "--tolerance-samples", 0)
    assert [row[1].split(" ")[0] for row in rows] == ["1.000", "1.000"]
    late = written(tmp_path / "late.csv", "station,p_sample\n" + "".join(
        f"{r.waveform.station},{r.arrivals['P'][0] + 8}\n" for r in read_dataset(line / "set")
    ))  # fmt: skip
    said, rows = scored(capsys, late, line / "set", "--tolerance-samples", 3)
    assert [row[:2] for row in rows] == [["P", "0.000"]]
    assert "48 of 48 picks are in 48 of 48 records, 16 of them in 16 of these 16" in said
    assert "; the table has no S, which is left out." in said
    assert "P: 16 picks are 4 ms after their labels, all alike" in said


@pytest.mark.parametrize("kind", ["npz", "text"])
def test_picks_of_real_records_score_as_their_preset_does(kind, shared, tmp_path, capsys):
    waveforms = shared / "data/near_surface/raw"
    labels, preset, rate_hz = shared / "data/near_surface/labels_shot01.csv", "near-surface", 2000.0
    rule = ("--tolerance-samples", 10)
    if kind == "npz":
        waveforms, labels = shared / "data/ncedc/waveform", shared / "data/ncedc/waveform.csv"
        preset, rate_hz, rule = "regional", 100.0, ()
    assert main(["prepare", str(waveforms), "--labels", str(labels),
                 "--output", str(tmp_path / "set")]) in (0, 1)  # fmt: skip
    for name in ("own.csv", "own.xml"):
        run("pick", waveforms, "--preset", preset, "--output", tmp_path / name)
    forms(tmp_path, rate_hz)
    _, expected = scored(capsys, preset, tmp_path / "set", *rule)
    assert 0.5 < float(expected[0][1].split(" ")[0]) < 1
    for name in ("own.csv", "own.xml", "samples.csv", "times.csv"):
        assert scored(capsys, tmp_path / name, tmp_path / "set", *rule)[1] == expected


def events(folder, dated=True):
    """Files of one station, an event each, and a data set of them with a P each."""
    folder.mkdir()
    for n in range(4):
        start = T0 + 600 * n if dated else UTCDateTime(0)
        header = {"network": "XX", "station": "A", "channel": "HHZ", "starttime": start}
        trace = Trace(noise(n)[:, 0], header={**header, "sampling_rate": 100.0})
        trace.write(str(folder / f"ev{n}.mseed"), "MSEED")
    rows = "".join(f"ev{n}.mseed,{100 + n}\n" for n in range(4))
    labels = written(folder.parent / "labels.csv", f"fname,itp\n{rows}")
    prepare(folder, folder.parent / "set", labels, PrepareSettings(split_by="block"))
    return folder.parent / "set", read_dataset(folder.parent / "set")


@pytest.mark.parametrize("dated", [True, False])
def test_files_are_known_though_records_have_the_name_of_their_station(dated, tmp_path):
    dataset, records = events(tmp_path / "raw", dated)
    assert [r.name for r in records] == ["XX.A..HH", "XX.A..HH_2", "XX.A..HH_3", "XX.A..HH_4"]
    picks = written(tmp_path / "picks.csv", "fname,itp\n/d/ev2.mseed,50\nev1,60\nev7.mseed,70\n")
    found = picks_of_records(picks, records, dataset)
    assert samples_of(found) == [{}, {"P": [60]}, {"P": [50]}, {}]
    assert found.text == "2 of 3 picks are in 2 of 4 records"


def test_times_tell_dated_records_and_no_undated_ones_of_one_station(tmp_path):
    dataset, records = events(tmp_path / "raw")
    table = "station,phase,time,prob\n"
    table += f"A,S,{T0 + 600 + 1.5},0.4\nA,Pn,{T0 + 601},2\nA,P,{T0 + 300},0.3\nB,P,{T0 + 1},1\n"
    found = picks_of_records(written(tmp_path / "t.csv", table), records, dataset)
    assert samples_of(found) == [{}, {"P": [100], "S": [150]}, {}, {}]
    twice = written(tmp_path / "twice.csv", f"station,phase,time\nA,P,{T0 + 1}\nXX.A,Pg,{T0 + 1}\n")
    assert samples_of(picks_of_records(twice, records, dataset))[0] == {"P": [100]}
    assert [p.probability for p in found.picks[1]] == [1.0, 0.4]
    assert found.text == "2 of 4 picks are in 1 of 4 records"
    (tmp_path / "undated").mkdir()
    dataset, records = events(tmp_path / "undated" / "raw", dated=False)
    undated = written(tmp_path / "u.csv", "station,phase,time\nA,P,1970-01-01T00:00:01.5\n")
    with pytest.raises(FormatError, match="1 of its 1 arrivals may be of several records"):
        picks_of_records(undated, records, dataset)
    table = "station,phase,time,file_name\nA,P,1970-01-01T00:00:01.5,ev3.mseed\n"
    table += "A,P,1970-01-01T00:00:01.6,ev9.mseed\n"
    found = picks_of_records(written(tmp_path / "f.csv", table), records, dataset)
    assert samples_of(found) == [{}, {}, {}, {"P": [150]}]
    assert found.text == "1 of 2 picks are in 1 of 4 records"


def test_times_without_a_network_are_of_all_and_it_is_said(tmp_path):
    [one] = onsets(1)
    records = [
        replace(one, waveform=replace(one.waveform, station=f"{n}.A..HH", start_time=T0), name=n)
        for n in ("XX", "YY")
    ]
    table = written(tmp_path / "p.csv", f"station,phase,time\nA,P,{T0 + 1}\n")
    with pytest.warns(RecordWarning) as caught:
        found = picks_of_records(table, records)
    assert samples_of(found) == [{"P": [100]}, {"P": [100]}]
    [said] = [str(item.message) for item in caught]
    assert "arrivals of A name no network, and are of all records of XX.A, YY.A" in said


def test_a_picker_that_knows_no_dates_counts_from_the_record(tmp_path):
    dataset, records = events(tmp_path / "raw")
    table = "file_name,begin_time,station_id,phase_index,phase_time,phase_score,phase_type\n"
    row = "1970-01-01T00:00:00.000,ev1.mseed,150,1970-01-01T00:00:01.500,0.9,P\n"
    found = picks_of_records(
        written(tmp_path / "p.csv", f"{table}ev1.mseed,{row}"), records, dataset
    )
    assert samples_of(found) == [{}, {"P": [150]}, {}, {}]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("fname,trace,itp\nshot_7.su,2,50\n/a/shot_8.su,2,6\n", {
            "shot_7-0002": 50, "shot_8-0002": 6,
        }),
        ("shot,trace,phase,sample\n7,3,P,50\n8,1,P,60\n", {"shot_7-0003": 50, "shot_8-0001": 60}),
        ("ffid,channel,p_ms\n8,3,25\n", {"shot_8-0003": 50}),
        ("trace_name,itp\nshot_8-0002,50\n", {"shot_8-0002": 50}),
        ("itp\n50\n51\n52\n53\n-1\n55\n", {
            "shot_7-0001": 50, "shot_7-0002": 51, "shot_7-0003": 52, "shot_8-0001": 53,
            "shot_8-0003": 55,
        }),
    ],
)  # fmt: skip
def test_traces_of_gathers_are_told_by_file_or_shot_and_number(table, expected, tmp_path):
    (tmp_path / "raw").mkdir()
    for shot in (7, 8):
        traces = [Trace(noise(n)[:, 0], {"sampling_rate": 2000.0}) for n in range(3)]
        Stream(traces).write(str(tmp_path / "raw" / f"shot_{shot}.su"), "SU")
    labels = "fname,trace,itp\n" + "".join(
        f"shot_{s}.su,{n},99\n" for s in (7, 8) for n in (1, 2, 3)
    )
    settings = PrepareSettings(split_by="block")
    prepare(tmp_path / "raw", tmp_path / "set", written(tmp_path / "labels.csv", labels), settings)
    records = read_dataset(tmp_path / "set")
    found = picks_of_records(written(tmp_path / "picks.csv", table), records, tmp_path / "set")
    samples = zip(records, samples_of(found, 2000.0), strict=True)
    assert {r.name: of["P"][0] for r, of in samples if of} == expected


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("fname,station,itp\nev1.mseed,A,50\nev1.mseed,XX.B..HH,60\nev1.mseed,B,61\n", [50]),
        ("file_name,station_id,phase,time\nev1.mseed,XX.A..HH,P,{at}\nev1.mseed,XX.B..HH,P,{later}\n",
         [50]),
        ("fname,station_id,itp\nev1.mseed,ev1.mseed,50\n", [50]),
        ("fname,itp\nev1.mseed,50\nev1.mseed,60\n", [50, 60]),
    ],
)  # fmt: skip
def test_picks_of_other_stations_of_a_file_are_not_those_of_its_only_record_here(
    table, expected, tmp_path
):
    """Files hold B, too, which has no labels and so is not in the data set."""
    (tmp_path / "raw").mkdir()
    for n in range(3):
        header = {"network": "XX", "channel": "HHZ", "starttime": T0 + 600 * n}
        codes = [{**header, "station": code, "sampling_rate": 100.0} for code in "AB"]
        stream = Stream([Trace(noise(n)[:, 0], of_code) for of_code in codes])
        stream.write(str(tmp_path / f"raw/ev{n}.mseed"), "MSEED")
    rows = "".join(f"ev{n}.mseed,A,100\n" for n in range(3))
    labels = written(tmp_path / "labels.csv", f"fname,station,itp\n{rows}")
    prepare(tmp_path / "raw", tmp_path / "set", labels, PrepareSettings(split_by="block"))
    records = read_dataset(tmp_path / "set")
    own = written(tmp_path / "own.csv", table.format(at=T0 + 600.5, later=T0 + 601))
    found = picks_of_records(own, records, tmp_path / "set")
    assert samples_of(found) == [{}, {"P": expected}, {}]


def test_picks_of_other_traces_of_a_file_are_not_those_of_its_only_record_here(tmp_path):
    [record] = [replace(r, name="shot_7-0002") for r in onsets(1)]
    table = written(tmp_path / "p.csv", "fname,trace,itp\nshot_7.su,2,50\nshot_7.su,3,60\n")
    found = picks_of_records(table, [record])
    assert (samples_of(found), found.text) == ([{"P": [50]}], "1 of 2 picks are in 1 of 1 records")


def test_numbers_of_traces_from_0_are_refused(tmp_path):
    records = [replace(r, name=f"shot_7-{n:04d}") for n, r in enumerate(onsets(3), 1)]
    table = written(tmp_path / "p.csv", "fname,trace,itp\nshot_7.su,0,50\nshot_7.su,1,60\n")
    with pytest.raises(FormatError, match=r"p\.csv: row 1 is of trace 0, and traces of the data s"):
        picks_of_records(table, records)


def test_a_pick_of_another_split_is_no_pick_of_the_one_that_is_scored(tmp_path, capsys):
    """Station A has a record in each: nothing says which of the two a sample is of."""
    dataset, splits = tmp_path / "set", ("train", "test", "test")
    records = [
        replace(r, split=split, waveform=replace(r.waveform, station=f"XX.{code}..HH"))
        for r, split, code in zip(onsets(3), splits, "AAB", strict=True)
    ]
    write_dataset(records, dataset)
    table = written(tmp_path / "p.csv", "station,itp\nA,100\nB,100\n")
    said, _ = scored(capsys, table, dataset)
    assert "'picks of p': 1 of 2 picks are in 1 of 3 records, 1 of them in 1 of these 2" in said
    table.write_text("fname,itp\nr0,100\n")
    assert main(["evaluate", str(table), str(dataset)]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "no pick is in split 'test'; 'picks of p': 1 of 1 picks are in 1 of 3 records" in error


def test_a_data_set_without_splits_is_said_to_be_prepared_first(tmp_path, capsys):
    write_dataset(onsets(2), tmp_path / "set")
    own = own_picks(onsets(2), tmp_path / "own.csv")
    assert main(["evaluate", str(own), str(tmp_path / "set")]) == 2
    error = " ".join(capsys.readouterr().err.split())
    words = "its records are in no split: `phasenet-keras prepare"
    assert words in error


def test_records_of_hdf5_are_known_by_their_whole_names(tmp_path):
    (tmp_path / "raw").mkdir()
    for file in ("a", "b"):
        with h5py.File(tmp_path / "raw" / f"{file}.h5", "w") as new:
            for n in range(3):
                new[f"quake/{n}"] = noise(n)
                about = {"p_sample": 100, "sampling_rate_hz": 100.0, "station": f"S{n}"}
                new[f"quake/{n}"].attrs.update(about)
    prepare(tmp_path / "raw", tmp_path / "set", None, PrepareSettings(split_by="station"))
    records = [r for r in read_dataset(tmp_path / "set") if r.name[-1] != "2"]
    assert [r.name for r in records] == ["a.quake_0", "a.quake_1", "b.quake_0", "b.quake_1"]
    table = "file_name,station_id,phase_type,phase_time\n"
    table += "b.h5/quake/1,S1,P,1970-01-01T00:00:01\nc.h5/quake/0,S0,P,1970-01-01T00:00:01\n"
    found = picks_of_records(written(tmp_path / "p.csv", table), records, tmp_path / "set")
    assert samples_of(found) == [{}, {}, {}, {"P": [100]}]


def test_in_records_that_were_cut_out_picks_count_inside_alone(tmp_path):
    (tmp_path / "raw").mkdir()
    header = {"network": "XX", "station": "A", "channel": "HHZ", "starttime": T0}
    trace = Trace(noise(1, 60_000)[:, 0], header={**header, "sampling_rate": 100.0})
    trace.write(str(tmp_path / "raw/day.mseed"), "MSEED")
    rows = "".join(f"A,P,{T0 + at}\n" for at in (100, 300, 500))
    labels = written(tmp_path / "labels.csv", f"station,phase,time\n{rows}")
    settings = PrepareSettings(window_s=20.0, split_by="block")
    prepare(tmp_path / "raw", tmp_path / "set", labels, settings)
    records = read_dataset(tmp_path / "set")
    rows = "".join(f"XX.A..HH,P,{T0 + at},day.mseed\n" for at in (101, 200, 309, 311))
    own = written(tmp_path / "own.csv", f"station_id,phase_type,phase_time,file_name\n{rows}")
    found = picks_of_records(own, records, tmp_path / "set")
    assert samples_of(found) == [{"P": [1100]}, {"P": [1900]}, {}]
    assert found.text == "2 of 4 picks are in 2 of 3 records"
    of_file = written(tmp_path / "file.csv", "fname,itp\nday.mseed,1000\n")
    with pytest.raises(
        FormatError, match=r"none of its 1 pick is in a record\. Records are called"
    ):
        picks_of_records(of_file, records, tmp_path / "set")
    by_name = written(tmp_path / "name.csv", f"fname,itp\n{records[2].name},1000\n")
    assert samples_of(picks_of_records(by_name, records, tmp_path / "set"))[2] == {"P": [1000]}


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("fname,itp\ng1.txt,100\n", "nothing says at which rate itp count"),
        ("fname,itp,fs\ng1.txt,100,2000\n", "its samples are at 2000 Hz, the record has 1000 Hz"),
        ("fname,itp,fs\ng1.txt,50,1000\n", 50),
        ("fname,p_ms\ng1.txt,50\n", 50),
        ("station,phase,time\ng1,P,1970-01-01T00:00:00.05\n", 50),
    ],
)
def test_samples_of_resampled_records_have_to_say_their_rate(table, expected, tmp_path):
    write_text_files(tmp_path / "raw", [f"g{n}.txt" for n in range(3)])
    labels = written(tmp_path / "labels.csv", "itp\n100\n100\n100\n")
    settings = PrepareSettings(resample_hz=1000.0, split_by="block")
    prepare(tmp_path / "raw", tmp_path / "set", labels, settings)
    records = read_dataset(tmp_path / "set")
    picks = written(tmp_path / "picks.csv", table)
    if isinstance(expected, str):
        with pytest.raises((ConfigError, FormatError), match=expected):
            picks_of_records(picks, records, tmp_path / "set")
    else:
        found = picks_of_records(picks, records, tmp_path / "set")
        assert samples_of(found, 1000.0) == [{}, {"P": [expected]}, {}]


def test_what_was_predicted_counts_where_labels_stand_beside_it(tmp_path):
    records = onsets(2, phases="PS")
    table = "fname,itp,its,itp_pred,itp_pred_prob,its_pred,its_pred_prob\n"
    table += '/x/r0.npz,1,2,"[300, 60]","[0.9, 0.25]",[],[]\n/x/r1.npz,1,2,[70],[0.5],[80],\n'
    found = picks_of_records(written(tmp_path / "p.csv", table), records)
    assert samples_of(found) == [{"P": [60, 300]}, {"P": [70], "S": [80]}]
    assert [p.probability for p in found.picks[0]] == [0.25, 0.9]
    assert [p.probability for p in found.picks[1]] == [0.5, 1.0]


def test_rows_that_cannot_be_used_are_said_and_no_others_are_lost(tmp_path):
    records = onsets(3, phases="PS")
    table = "fname,itp,its\nr0,100,-1\nr1,900,150\nr2,abc,160\n"
    with pytest.warns(RecordWarning) as caught:
        found = picks_of_records(written(tmp_path / "p.csv", table), records)
    assert samples_of(found) == [{"P": [100]}, {"S": [150]}, {"S": [160]}]
    assert found.text == "3 of 5 picks are in 3 of 3 records"
    said = " ".join(str(item.message) for item in caught)
    assert "row 2: record r1: the P arrival at sample 900 is outside of its 400 samples" in said
    assert "row 3: itp should be a number, received 'abc'" in said


@pytest.mark.filterwarnings("error")
def test_cells_without_a_pick_say_nothing_and_one_given_twice_is_one(tmp_path):
    table = "fname,itp,its\nr0,100,\nr1,nan,-1\nr2,-999,60\nr0,100,70\n"
    found = picks_of_records(written(tmp_path / "p.csv", table), onsets(4, phases="PS"))
    assert samples_of(found) == [{"P": [100], "S": [70]}, {}, {"S": [60]}, {}]
    assert found.text == "4 of 4 picks are in 2 of 4 records"


def test_rows_in_order_are_as_many_as_the_records_of_the_data_set(tmp_path):
    records = onsets(3)
    dataset = tmp_path / "set"
    write_dataset([replace(r, split="train") for r in records], dataset)
    rows = written(tmp_path / "p.csv", "itp\n100\n101\n")
    for some in (records[1:], records[:1]):  # as many as the rows, and one that may have them all
        with pytest.raises(FormatError, match=r"its 2 rows name no record, .* which has 3: name"):
            picks_of_records(rows, some, dataset)
    alone = picks_of_records(rows, records[:1])
    assert samples_of(alone) == [{"P": [100, 101]}]


def test_a_station_of_several_records_is_said_to_be_so_in_the_data_set(tmp_path):
    one, two = (replace(r, waveform=replace(r.waveform, station="XX.A..HH")) for r in onsets(2))
    rows = written(tmp_path / "p.csv", "station,itp\nA,100\n")
    with pytest.raises(FormatError, match="row 1: the data set holds 2 records of A, one is"):
        picks_of_records(rows, [one, two])


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("station,phase,time\nZZ.Q,P,2020-01-01T00:00:01\n", "picks are of ZZ.Q at 2020-01-01T0"),
        ("fname,itp\nx.sac,5\n", "picks are of x.sac. A pick finds"),
        ("fname,onset\nr0,5\n", "Or a table with a column of picks in samples"),
        ("station,phase,time\n", "holds no picks of P or S"),
        ("fname,itp\nr0,-1\n", "holds no picks of P or S"),
    ],
)
def test_a_table_of_other_records_is_an_error_with_the_names_of_both(table, words, tmp_path):
    with pytest.raises(FormatError, match=words) as error:
        picks_of_records(written(tmp_path / "p.csv", table), onsets(2))
    is_of_others = "finds" in str(error.value)
    assert (
        "Records are called r0, r1, are of S0, S1, and begin from" in str(error.value)
    ) == is_of_others


def own_picks(records, path, by_samples=0, every=1):
    """Write picks that are so many samples after the P of records."""
    picks = [
        Pick(r.waveform.start_time + (r.arrivals["P"][0] + by_samples) / 100.0,
             r.waveform.station, "P", 0.5, sampling_rate=100.0)
        for r in records[::every]
    ]  # fmt: skip
    write_picks(picks, path)
    return path


def test_a_python_program_scores_a_table_as_a_picker(tmp_path):
    records = onsets(6)
    table = TablePicker(own_picks(records, tmp_path / "half.csv", every=2), records)
    with pytest.warns(RecordWarning, match="'picks of half': 3 of 3 picks are in 3 of 6 records$"):
        score = evaluate(table, records, tolerance_samples=5)["P"]
    assert (score.n_true, score.n_pred, score.recall, score.precision) == (6, 3, 0.5, 1.0)
    assert table.thresholds == {"P": 0.0}
    table.thresholds["P"] = 0.6
    assert evaluate(table, records, tolerance_samples=5)["P"].n_pred == 0
    with pytest.raises(ConfigError, match="record r9: picks of half were not looked up"):
        evaluate(table, onsets(1, 9), tolerance_samples=5)


def test_files_of_scores_have_the_figures_that_a_table_can_give(tmp_path, capsys):
    records = [replace(r, split="test", event=r.name) for r in onsets(6)]
    write_dataset(records, tmp_path / "set")
    plain = "fname,itp\n" + "".join(f"{r.name},{r.arrivals['P'][0] + 2}\n" for r in records)
    written(tmp_path / "plain.csv", plain)
    own_picks(records, tmp_path / "own.csv", 2)
    for name, has_curve in (("plain", False), ("own", True)):
        out = tmp_path / name
        scored(capsys, tmp_path / f"{name}.csv", tmp_path / "set", "--output", out)
        files = {path.name for path in out.iterdir()}
        assert files >= {"scores.json", "scores.md", "residuals.png", "worst_records.png"}
        assert ("precision_recall.png" in files) is has_curve
        values = json.loads((out / "scores.json").read_text())
        assert values["P"]["residual_mean_s"] == pytest.approx(0.02)
        assert (
            f"'picks of {name}': 6 of 6 picks are in 6 of 6 records"
            in (out / "scores.md").read_text()
        )


@pytest.mark.parametrize(
    ("tables", "names"),
    [
        (("a/p.csv", "a/p.csv"), ["picks of p"]),
        (("a/p.csv", "b/p.csv"), ["picks of a/p.csv", "picks of b/p.csv"]),
        (("a/*.csv", "a/p.csv"), ["picks of a/*.csv", "picks of p"]),
        (("a",), ["picks of a"]),
        (("b/q[1].csv",), ["picks of q[1]"]),
    ],
)
def test_tables_are_called_by_what_tells_them_apart(tables, names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        own_picks(onsets(2), tmp_path / folder / "p.csv")
    own_picks(onsets(2), tmp_path / "b" / "q[1].csv")
    found = read_tables(open_console(False), tables, onsets(2), tmp_path)
    assert [table.name for table in found] == names


def test_a_preset_whose_name_looks_like_a_pattern_is_a_preset(parent, tmp_path, capsys):
    """A folder with an ending, and with brackets."""
    write_dataset([replace(r, split="test") for r in onsets(6)], tmp_path / "set")
    shutil.copytree(parent, tmp_path / "run[1].csv")
    _, expected = scored(capsys, parent, tmp_path / "set")
    assert scored(capsys, tmp_path / "run[1].csv", tmp_path / "set")[1] == expected


def test_a_file_beside_does_not_hide_a_preset_of_its_name(tmp_path, capsys, monkeypatch):
    write_dataset([replace(r, split="test") for r in onsets(2)], tmp_path / "set")
    _, expected = scored(capsys, "regional", tmp_path / "set")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "regional").write_text("notes")
    assert scored(capsys, "regional", tmp_path / "set")[1] == expected


def test_options_of_networks_are_refused_beside_a_table(tmp_path, capsys):
    write_dataset([replace(r, split="test") for r in onsets(2)], tmp_path / "set")
    own_picks(onsets(2), tmp_path / "own.csv")
    assert (
        main(["evaluate", str(tmp_path / "own.csv"), str(tmp_path / "set"), "--channels", "Z"]) == 2
    )
    assert "holds picks, and --channels are for networks" in " ".join(
        capsys.readouterr().err.split()
    )


def test_samples_of_a_file_that_is_not_known_are_of_no_record_of_its_station(tmp_path):
    dataset, records = events(tmp_path / "raw")
    table = "fname,station,itp\nev0.mseed,A,50\nev7.mseed,A,70\n"
    found = picks_of_records(written(tmp_path / "p.csv", table), records[:1], dataset)
    assert samples_of(found) == [{"P": [50]}]
    assert found.text == "1 of 2 picks are in 1 of 1 records"


CONFIG = TrainConfig(
    epochs=12, batch_size=8, windows_per_record=16, window_samples=256, learning_rate=1e-2
)


def test_a_run_has_them_in_its_table_as_they_are_and_moved(tmp_path):
    sets = onsets(24), onsets(8, 50), onsets(8, 90)
    records = [record for of_set in sets for record in of_set]
    late = TablePicker(own_picks(records, tmp_path / "late.csv", 20), records)
    known = TablePicker(own_picks(sets[0], tmp_path / "known.csv"), records)
    config = replace(CONFIG, epochs=1, learning_rate=1e-6)
    strangers = TablePicker(tmp_path / "late.csv", records[:1])
    strangers.name = "picks of strangers"
    result = train(
        small_parent(), *sets[:2], tmp_path / "run", config=config,
        test_records=sets[2], baselines=[late, known],
    )  # fmt: skip
    scores = result.proof.scores
    assert list(scores)[:4] == ["small", "regional", "picks of late", "picks of late, moved"]
    assert (scores["picks of late"]["P"].f1, scores["picks of late, moved"]["P"].f1) == (0.0, 1.0)
    assert {*scores} - {*list(scores)[:4]} <= {
        TRIGGER,
        f"{TRIGGER}, moved",
        TRAINED,
        "trained, not kept",
    }
    report = (tmp_path / "run" / "report.md").read_text()
    assert "'picks of late, moved': P by -200 ms" in report
    assert (
        "'picks of late': 40 of 40 picks are in 40 of 40 records, 8 of them in 8 of these 8."
        in report
    )
    assert (
        "'picks of known': 24 of 24 picks are in 24 of 40 records, 0 of them in 0 of these 8."
        in report
    )
    [finding] = [f for f in result.findings if f.name == "what you had is better"]
    words = "'picks of late, moved' (P by -200 ms): more is found in the test records than by the "
    assert finding.text.startswith(words)
    assert f"- **what you had is better**: {finding.text}." in report
    proof = before_and_after(small_parent(), small_parent(2), sets[2], 10, tables=[strangers])
    assert "picks of strangers" not in proof.scores
    assert "'picks of strangers': 1 of 40 picks are in 1 of 1 records" in proof.text


def ways(f1_of, phases="P"):
    found = []
    for name, (whose, f1) in f1_of.items():
        matches = [RecordMatches(1, 1, (0.0,) * (n < 10 * f1), f"e{n}") for n in range(10)]
        of = "PS" if whose in ("ours", "parent") else phases
        scores = {p: score_matches(p, matches, 0.1, bootstrap=0) for p in of}
        shift = "P by +1 s" if "moved" in name else ""
        found.append(Way(name, whose, scores, dict.fromkeys(of, matches), shift))
    return tuple(found)


@pytest.mark.parametrize(
    ("ours", "table", "words"),
    [
        (0.9, 0.8, None),
        (0.8, 0.8, None),
        (0.3, 0.9, "(mean F1 0.900, 0.300; F1 of the network less that of these: P -0.600 (-0.900 "
         "to -0.300)): keep to these picks, and label more records; look again"),
        (0.8, 0.9, "P -0.100 (-0.300 to +0.000, may be chance)): too few records to tell"),
    ],
)  # fmt: skip
def test_a_network_that_finds_less_than_what_there_was_is_said_to(ours, table, words):
    f1_of = {"a": ("parent", 0.2), "picks of x": ("table", table), TRAINED: ("ours", ours)}
    found = Proof(ways(f1_of), advice="look again").findings()
    assert [finding.name for finding in found] == ["what you had is better"] * (words is not None)
    assert (words or "") in " ".join(finding.text for finding in found)
    f1_of["a"], f1_of[TRAINED] = f1_of[TRAINED], ("ours", 0.1)
    kept = Proof(ways({**f1_of, "a": ("parent", ours)}), is_kept=False, advice="x").findings()
    assert [finding.name for finding in kept] == [finding.name for finding in found]
    assert ("than by the parent, which is kept" in " ".join(f.text for f in kept)) == bool(found)
    lone = Proof(ways({"picks of x": ("table", table), TRAINED: ("ours", ours)})).findings()
    assert [finding.name for finding in lone] == [finding.name for finding in found]


def test_a_table_of_p_alone_is_compared_by_p_alone():
    [before, table, ours] = ways(
        {"a": ("parent", 0.2), "picks of x": ("table", 0.6), TRAINED: ("ours", 0.5)}
    )
    worse_s = ways({"x": ("ours", 0.1)})[0]
    ours = replace(ours, scores={**ours.scores, "S": worse_s.scores["S"]})
    words = "than by the trained network (mean F1 0.600, 0.500; F1 of"
    assert words in Proof((before, table, ours)).findings()[0].text
    better = replace(ours, scores={**ours.scores, "P": ways({"x": ("ours", 0.7)})[0].scores["P"]})
    assert Proof((before, table, better)).findings() == ()


def started(*arguments):
    return subprocess.Popen([sys.executable, "-m", "phasenet_keras", *map(str, arguments)])


def test_a_killed_run_comes_to_the_same_report_and_another_table_trains_nothing_anew(
    parent, tmp_path
):
    records = [
        replace(r, split=split)
        for split, count, first in (("train", 16, 0), ("dev", 8, 50), ("test", 8, 90))
        for r in onsets(count, first)
    ]
    write_dataset(records, tmp_path / "set")
    own_picks(records, tmp_path / "own.csv", 3)
    own_picks(records, tmp_path / "other.csv", every=2)
    written(
        tmp_path / "config.json",
        json.dumps({"window_samples": 256, "epochs": 15, "windows_per_record": 2}),
    )
    command = ["train", tmp_path / "set", "--preset", parent, "--config", tmp_path / "config.json"]
    command += ["--baseline", tmp_path / "own.csv", "--output"]
    process = started(*command, tmp_path / "run")
    while not (tmp_path / "run" / "last.npz").exists() and process.poll() is None:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "run" / "report.md").exists()
    assert main([*map(str, command), str(tmp_path / "run")]) in (0, 1)
    assert main([*map(str, command), str(tmp_path / "whole")]) in (0, 1)
    report = (tmp_path / "run" / "report.md").read_text()
    assert report == (tmp_path / "whole" / "report.md").read_text()
    assert "| picks of own " in report
    last = tmp_path / "run" / "last.npz"
    before = last.stat().st_mtime_ns, last.read_bytes()
    command[command.index(tmp_path / "own.csv")] = tmp_path / "other.csv"
    assert main([*map(str, command), str(tmp_path / "run")]) in (0, 1)
    assert (last.stat().st_mtime_ns, last.read_bytes()) == before
    other = (tmp_path / "run" / "report.md").read_text()
    assert "| picks of other " in other
    assert "picks of own" not in other


def test_tables_that_cannot_be_scored_are_refused_before_any_work(parent, tmp_path, capsys):
    write_dataset([replace(r, split="train") for r in onsets(3)], tmp_path / "set")
    command = [
        "train",
        str(tmp_path / "set"),
        "--preset",
        parent,
        "--output",
        str(tmp_path / "run"),
    ]
    assert main([*command, "--baseline", str(tmp_path / "none.csv")]) == 2
    assert "none.csv: there is no such file of picks" in " ".join(capsys.readouterr().err.split())
    own = str(own_picks(onsets(3), tmp_path / "own.csv"))
    assert main([*command, "--baseline", own, "--all-records"]) == 2
    assert "of which --all-records leaves none" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "name", ["ev{}.A.BHZ.sac", "/d/ev{}.A.BHN.sac", "ev{}.A.BH*.sac", "ev{}.A"]
)
def test_a_record_of_a_file_a_channel_is_known_by_each_of_these(name, tmp_path):
    (tmp_path / "raw").mkdir()
    for n in range(3):
        for code in ("BHE", "BHN", "BHZ"):
            header = {"network": "XX", "station": "A", "channel": code, "starttime": T0 + 600 * n}
            trace = Trace(noise(n)[:, 0], {**header, "sampling_rate": 100.0})
            trace.write(str(tmp_path / "raw" / f"ev{n}.A.{code}.sac"), "SAC")
    rows = "".join(f"ev{n}.A.BHZ.sac,100\n" for n in range(3))
    labels = written(tmp_path / "labels.csv", f"fname,itp\n{rows}")
    prepare(tmp_path / "raw", tmp_path / "set", labels, PrepareSettings(split_by="block"))
    records = read_dataset(tmp_path / "set")
    table = written(tmp_path / "p.csv", f"fname,itp\n{name.format(1)},50\n{name.format(7)},60\n")
    found = picks_of_records(table, records, tmp_path / "set")
    assert samples_of(found) == [{}, {"P": [50]}, {}]
