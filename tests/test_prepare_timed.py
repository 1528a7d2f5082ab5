"""`phasenet-keras prepare` with arrivals that have times: catalogues, tables, markers, headers."""

from __future__ import annotations

import re

import pytest
from obspy import Stream, Trace, read
from obspy.core.event import Arrival as LocatedArrival
from obspy.core.event import Catalog, Event, Origin, Pick, WaveformStreamID
from sources import T0, by_name, noise, run, write_stations

from phasenet_keras.cli import main
from phasenet_keras.io.registry import RecordWarning, noted
from phasenet_keras.io.seisbench import read_dataset
from phasenet_keras.io.sources import open_source, read_labelled


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
    assert "note left out: 1 record without a labelled arrival" in said
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


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("A a 0b 01", "3 of 4 arrivals are in no record: no record has the 3 stations 0b, 01, a "),
        (
            "A a B Z.B",
            r"2 of 4 .*: no record has the 2 stations Z.B, a \(records have XX.A, XX.B\)",
        ),
        ("A a B", r"1 of 3 .*: no record has the station a \(records have A, B\)"),
        ("A a B+", r"2 of 3 .*: .* a \(records have A, B\); the other 1 are at other times"),
        ("A B+", r"1 of 2 arrivals are in no record: B P 2020-01-31T"),
    ],
)
def test_stations_of_labels_that_no_record_has_are_named(tmp_path, rows, said):
    times = write_stations(tmp_path / "in", stations="AB")
    lines = ["station,p_time\n"]
    for row in rows.split():
        later_s = 30 * 86400 if "+" in row else 0
        time = times["B" if "B" in row else "A", "P"]
        lines.append(f"{row.strip('+')},{time + later_s}\n")
    (tmp_path / "l.csv").write_text("".join(lines))
    with noted() as texts:
        list(read_labelled(tmp_path / "in", tmp_path / "l.csv"))
    assert re.search(said, " ".join(texts))


def test_two_picks_of_one_onset_are_one_label(tmp_path):
    times = write_stations(tmp_path / "in", stations="AB")

    def pick(station, phase, later_s, mode=None):
        seed = WaveformStreamID("XX", station, None, "HHZ")
        time = times[station, phase] + later_s
        return Pick(time=time, phase_hint=phase, waveform_id=seed, evaluation_mode=mode)

    picks = [pick("A", "P", -0.2, "automatic"), pick("A", "P", 0, "manual"), pick("A", "P", 0.6)]
    picks += [pick("A", "S", 0.1), pick("A", "S", 0), pick("B", "S", -0.1), pick("B", "S", 0)]
    located = [LocatedArrival(pick_id=picks[-1].resource_id, phase="S")]
    origins = [Origin(time=T0, arrivals=located), Origin(time=T0)]
    event = Event(picks=picks, origins=origins, preferred_origin_id=origins[0].resource_id)
    others = [pick("A", phase, 0.3, "manual") for phase in "PS"]  # of another earthquake
    Catalog([event, Event(picks=others)]).write(str(tmp_path / "c.xml"), format="QUAKEML")
    with pytest.warns(RecordWarning, match="3 arrivals have another of their station, phase and"):
        one, two = list(read_labelled(tmp_path / "in", tmp_path / "c.xml"))
    assert one.arrivals["P"] == pytest.approx((1025.4, 1055.4, 1085.4))
    assert one.arrivals["S"] == pytest.approx((1400.0, 1430.0))
    assert two.arrivals["S"] == pytest.approx((1400.0,))


def write_quakes(path, *quakes):
    """A table of times at station A: phases and seconds after T0 of each event."""
    rows = [
        f"XX.A,{phase},{T0 + at},e{number}"
        for number, arrivals in enumerate(quakes)
        for phase, at in arrivals.items()
    ]
    path.write_text("station,phase,time,event\n" + "\n".join(rows) + "\n")
    return path


def test_a_phase_that_one_of_several_events_lacks_is_not_known(tmp_path):
    write_stations(tmp_path / "in", stations="A")
    quakes = [{"P": 5.0, "S": 7.0}, {"S": 27.0}, {"P": 45.0, "S": 47.0}, {"P": -1.0, "S": 1.0}]
    labels = write_quakes(tmp_path / "l.csv", *quakes)
    for complete in (False, True):
        [record] = read_labelled(tmp_path / "in", labels, complete=complete)
        assert record.arrivals == {"P": (500.0, 4500.0), "S": (100.0, 700.0, 2700.0, 4700.0)}
        assert record.event == "e0 + e1 + e2 + e3"
        assert record.unsure == (() if complete else ("P",))
    # A window without that event knows the phase, and so does one that its P is too early for.
    windows = list(read_labelled(tmp_path / "in", labels, window_s=10.0))
    assert [sorted(window.arrivals) for window in windows] == [["P", "S"], ["S"], ["P", "S"]]
    assert [window.event for window in windows] == ["e0 + e3", "e1", "e2"]


def test_how_many_records_lack_a_phase_is_said(tmp_path, capsys):
    write_stations(tmp_path / "in", stations="A", seconds=600)
    pairs = [[{"P": at, "S": at + 2.0}, {"S": at + 6.0}] for at in range(20, 600, 100)]
    labels = write_quakes(tmp_path / "l.csv", *[quake for pair in pairs for quake in pair])
    options = ["--labels", labels, "--window-s", 20]
    assert run(tmp_path / "in", *options, "--output", tmp_path / "set") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "note 6 records with several events, of which some" in said
    assert "that phase is not known there" in said
    assert all(set(record.arrivals) == {"S"} for record in read_dataset(tmp_path / "set"))
    assert run(tmp_path / "in", *options, "--complete", "--output", tmp_path / "all") == 0
    assert "with several events" not in capsys.readouterr().out
    assert all(len(record.arrivals["P"]) == 1 for record in read_dataset(tmp_path / "all"))


def test_markers_of_two_channels_of_a_sac_record_are_one_label(tmp_path):
    (tmp_path / "in").mkdir()
    for number, channel in enumerate("ENZ"):
        trace = Trace(noise(number, 3000)[:, 0], {"network": "XX", "station": "A"})
        trace.stats.update({"channel": f"HH{channel}", "sampling_rate": 100.0, "starttime": T0})
        trace.stats.sac = {"a": 10.04 - 0.02 * number, "t0": 12.0 + 0.05 * number, "kt0": "S"}
        trace.write(str(tmp_path / "in" / f"{channel}.sac"), format="SAC")
    with pytest.warns(RecordWarning, match="SAC headers: 4 arrivals have another"):
        [record] = read_labelled(tmp_path / "in")
    assert record.arrivals["P"] == pytest.approx((1000.0,), abs=1e-3)
    assert record.arrivals["S"] == pytest.approx((1200.0,), abs=1e-3)


@pytest.mark.parametrize("start", [None, T0])
def test_files_of_gathers_are_shots_with_dates_and_without(tmp_path, start, capsys):
    (tmp_path / "in").mkdir()
    rows = []
    for shot in range(6):
        traces = [Trace(noise(10 * shot + n, 400)[:, 0]) for n in range(7)]
        for n, trace in enumerate(traces, start=1):
            trace.stats.sampling_rate = 1000.0
            if start:
                trace.stats.starttime = start + 60 * shot
            rows.append(f"shot{shot}-{n:04d},P,{trace.stats.starttime + 0.2}")
        Stream(traces).write(str(tmp_path / "in" / f"shot{shot}.su"), format="SU")
    (tmp_path / "one").mkdir()
    traces[0].write(str(tmp_path / "one" / "a-1.su"), format="SU")
    labels = tmp_path / "times.csv"
    labels.write_text("station,phase,time\n" + "\n".join([*rows, f"a-1,{rows[-7][11:]}"]) + "\n")
    assert run(tmp_path / "in", "--labels", labels, "--output", tmp_path / "set") == 0
    assert "42 records (split by gather)" in " ".join(capsys.readouterr().out.split())
    records = read_dataset(tmp_path / "set")
    splits = {shot: {r.split for r in records if r.gather == f"shot{shot}"} for shot in range(6)}
    assert all(len(found) == 1 for found in splits.values())
    assert {split for found in splits.values() for split in found} == {"train", "dev", "test"}
    [record] = read_labelled(tmp_path / "one", labels)
    assert record.gather == ""  # a file a trace: neighbours belong together, files do not say how


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
    said = capsys.readouterr().err
    assert "none of its 1 arrivals is in a record" in said
    assert (
        "XX.A..HH, XX.B..HH, XX.C..HH, …, from 2020-01-01T00:00:00 to 2020-01-01T00:51:00" in said
    )
    assert "of YY.A, from 2020-01-01T00:00:01 to 2020-01-01T00:00:01: check codes" in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("station,phase,time\nA,first,{t}\nA,first,{t}\nA,PcP,{t}\n", "of first 2, PcP 1: write P"),
        ("station,phase,time\nA,P,noon\n", "none of its 1 rows can be used"),
        ("station,phase,time\n", "holds no arrivals"),
    ],
)
def test_tables_of_times_say_what_is_wrong_and_nothing_of_samples(tmp_path, capsys, text, words):
    write_stations(tmp_path / "in", stations="A")
    labels = tmp_path / "picks.csv"
    labels.write_text(text.replace("{t}", str(T0 + 1)))
    assert run(tmp_path / "in", "--labels", labels, "--output", tmp_path / "set") == 2
    said = capsys.readouterr().err
    assert words in said
    assert "arrivals in samples" not in said


def test_a_pick_of_no_event_beside_one_of_an_event_is_one_onset(tmp_path, capsys):
    write_stations(tmp_path / "in", stations="A")
    labels = tmp_path / "picks.csv"
    rows = [("e1", 10.0), ("", 10.08), ("e2", 10.2), ("", 15.0)]
    lines = [f"XX.A..HHZ,P,{T0 + at},{event}" for event, at in rows]
    labels.write_text("seed_id,phase,time,event\n" + "\n".join(lines) + "\n")
    with pytest.warns(RecordWarning, match="1 arrivals have another of their station"):
        [record] = read_labelled(tmp_path / "in", labels)
    begin = record.waveform.start_time
    found = [round((T0 + at) - begin, 3) for at in (10.0, 10.2, 15.0)]
    assert [round(s / record.waveform.sampling_rate, 3) for s in record.arrivals["P"]] == found


@pytest.mark.parametrize(("seconds", "is_long"), [(900, True), (200, False)])
def test_a_single_long_record_is_to_be_cut(tmp_path, seconds, is_long, capsys):
    write_stations(tmp_path / "in", stations="A", seconds=seconds)
    labels = tmp_path / "picks.csv"
    rows = [f"XX.A,{T0 + at}\n" for at in (30, 90, 150)]
    labels.write_text("station,p_time\n" + "".join(rows))
    options = ["--labels", labels, "--output", tmp_path / "set"]
    assert run(tmp_path / "in", *options) == 2
    said = capsys.readouterr().err
    assert "there is 1: label records of others, or " in said
    assert ("--window-s 30" in said, "--split-by station" in said) == (is_long, not is_long)
    assert run(tmp_path / "in", *options, "--window-s", 30) == 0


def test_exchanged_waveforms_and_labels_are_named(tmp_path, capsys):
    write_stations(tmp_path / "in", stations="A")
    labels = tmp_path / "picks.csv"
    labels.write_text(f"station,phase,time\nXX.A,P,{T0 + 1}\n")
    assert run(labels, "--labels", tmp_path / "in", "--output", tmp_path / "set") == 2
    assert "in is a folder: are waveforms and labels exchanged?" in capsys.readouterr().err
    options = ["--labels", labels, "--output", tmp_path / "set", "--channels", "Q"]
    assert run(tmp_path / "in", *options) == 2
    assert "of the letters E, N, Z, U, V, R, T, X, Y, 1, 2, 3, EW, NS, UD; received 'Q'" in (
        capsys.readouterr().err
    )


def test_what_is_no_data_set_says_what_makes_one(tmp_path, capsys):
    write_stations(tmp_path / "in", stations="ABC")
    labels = tmp_path / "picks.csv"
    rows = [f"XX.{name},P,{T0 + 1000 * n + 10}\n" for n, name in enumerate("ABC")]
    labels.write_text("station,phase,time\n" + "".join(rows))
    made, raw = str(tmp_path / "set"), str(tmp_path / "in")
    assert run(raw, "--labels", labels, "--output", made) == 0
    capsys.readouterr()
    assert main(["train", raw, "--output", str(tmp_path / "run")]) == 2
    assert "in holds no labels" in (said := capsys.readouterr().err)
    assert "with --labels" in said
    assert main(["evaluate", "regional", raw]) == 2
    assert "in is no data set" in (said := capsys.readouterr().err)
    assert "`phasenet-keras prepare` makes one" in said
    assert main(["evaluate", made, raw]) == 2
    assert "set is a data set and" in (said := capsys.readouterr().err)
    assert "are the arguments exchanged?" in said


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


def test_sac_markers_without_a_name_are_counted(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    for n in range(4):
        header = {"network": "XX", "station": f"S{n}", "channel": "HHZ", "starttime": T0}
        trace = Trace(noise(n, 3000)[:, 0], header | {"sampling_rate": 100.0})
        trace.stats.sac = {"a": 5.0 + n, "t0": 9.0} | ({"t3": 9.5} if n == 2 else {})
        trace.write(str(tmp_path / f"in/S{n}.sac"), format="SAC")
    assert run(tmp_path / "in", "--output", tmp_path / "set") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "note SAC headers: T0 is set in 4 files without a name in KT0, and left out" in said
    assert "T3 is set in 1 file without a name in KT3" in said
    assert "note all splits are of one moment, 30 s from 2020-01-01T00:00:00" in said
    assert said.count("note") == 3
    assert read_dataset(tmp_path / "set")[1].arrivals == {"P": (600.0,)}
    times = tmp_path / "times.csv"
    times.write_text(f"station,phase,time\nS1,P,{T0 + 5}\nS2,P,{T0 + 6}\nS3,P,{T0 + 7}\n")
    run(tmp_path / "in", "--labels", times, "--output", tmp_path / "timed")
    assert "KT0" not in capsys.readouterr().out
    for path in (tmp_path / "in").iterdir():
        trace = read(str(path))[0]
        del trace.stats.sac["a"]
        trace.write(str(path), format="SAC")
    assert run(tmp_path / "in", "--output", tmp_path / "none") == 2
    assert "holds no labels" in (said := capsys.readouterr().err)
    assert "T0 is set in 4 files" in said


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


def test_a_set_of_one_dated_shot_is_said_to_be_one(tmp_path, capsys):
    rows = ["station,p_sample"]
    (tmp_path / "in").mkdir()
    for number in range(24):
        codes = {"network": "XX", "station": f"R{number:02d}", "channel": "GHZ"}
        trace = Trace(noise(number, 600)[:, 0], {"starttime": T0, "sampling_rate": 1000.0, **codes})
        trace.write(str(tmp_path / f"in/{number}.mseed"), format="MSEED")
        rows.append(f"R{number:02d},{200 + number}")
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    order = [tmp_path / "in", "--labels", tmp_path / "labels.csv", "--output", tmp_path / "set"]
    assert run(*order) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "24 records (split by block)" in said
    assert (
        "note all splits are of one moment, 0.6 s from 2020-01-01T00:00:00 on (one earthquake, one "
        "shot), so that scores say nothing of others: label records of others"
    ) in said
