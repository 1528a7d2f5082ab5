"""Picks of a table or a catalogue: which records they are of."""

from __future__ import annotations

from dataclasses import replace

import h5py
import pytest
from obspy import Stream, Trace, UTCDateTime
from sources import noise, write_text_files
from table_picks import samples_of, written
from training_runs import onsets

from phasenet_keras import (
    PrepareSettings,
    prepare,
)
from phasenet_keras.io.record_picks import picks_of_records
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.seisbench import read_dataset, write_dataset
from phasenet_keras.types import ConfigError, FormatError

T0 = UTCDateTime("2020-01-01T00:00:00")


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


def test_samples_of_a_file_that_is_not_known_are_of_no_record_of_its_station(tmp_path):
    dataset, records = events(tmp_path / "raw")
    table = "fname,station,itp\nev0.mseed,A,50\nev7.mseed,A,70\n"
    found = picks_of_records(written(tmp_path / "p.csv", table), records[:1], dataset)
    assert samples_of(found) == [{"P": [50]}]
    assert found.text == "1 of 2 picks are in 1 of 1 records"


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
