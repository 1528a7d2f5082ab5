"""Files about gathers: settings, geometry, names, markers and QuakeML, there and back."""

from __future__ import annotations

import os
import re

import numpy as np
import pandas as pd
import pytest
from gathers import T0, table_of, write
from reading import noise, write_seg2
from row_tables import write_line

from phasenet_keras.cli.gather_options import read_correction
from phasenet_keras.cli.parser import main
from phasenet_keras.io.catalogs import Arrival, read_arrivals
from phasenet_keras.io.gather_names import read_names
from phasenet_keras.io.gathers import read_gather_picks
from phasenet_keras.io.geometry import Geometry, read_geometry
from phasenet_keras.io.markers import write_markers
from phasenet_keras.io.quakeml import write_quakeml
from phasenet_keras.io.registry import RecordWarning, noted
from phasenet_keras.io.seisbench import write_dataset
from phasenet_keras.io.survey_waveforms import read_gather_records
from phasenet_keras.io.tables import write_picks
from phasenet_keras.io.waveforms import read_waveforms
from phasenet_keras.training.survey import filled_up, with_offsets
from phasenet_keras.types import ConfigError, FormatError, LabelledWaveform, Pick, Waveform

# Settings and parts


def test_settings_from_a_file(tmp_path):
    path = write(tmp_path / "c.json", '{"choose": "given", "phases": {"P": {"svr_c": 50}}}')
    config = read_correction(path, {"P": (0.0, 9.0), "S": None}, 500.0)
    assert (config.phases["P"].svr_c, config.phases["P"].latest) == (50, 9.0)
    assert config.sampling_rate_hz == 500.0
    with pytest.raises(ConfigError, match="have no such phase"):
        read_correction(path, {"S": (0.0, 9.0)})
    with pytest.raises(ConfigError, match="cannot be read: no such file"):
        read_correction(str(tmp_path / "none.json"), {})
    with pytest.raises(ConfigError, match="JSON object"):
        read_correction(write(tmp_path / "l.json", "[]"), {})


def test_settings_from_a_file_of_any_name_and_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "report"):
        write(tmp_path / name, '{"choose": "given", "phases": {"P": {"svr_c": 50}}}')
    read_end, write_end = os.pipe()
    os.write(write_end, b'{"phases": {"P": {"svr_c": 50}}}')
    os.close(write_end)
    for settings in ("mine", f"/dev/fd/{read_end}"):
        assert read_correction(settings, {}).phases["P"].svr_c == 50
    os.close(read_end)
    assert read_correction("report", {}).phases["P"].svr_c != 50
    with pytest.raises(ConfigError, match=r"'repot'. Did you mean 'report'"):
        read_correction("repot", {})


def test_geometries(tmp_path):
    text = "station,x,y,source_x,source_y,source_z\nXX.A,0,1,5,0,-1\nXX.B,3,1,5,0,-1\n"
    one = read_geometry(write(tmp_path / "one.csv", text))
    assert one.source_of("any shot") == (5.0, 0.0, -1.0)
    assert one.receiver_names(["XX.B..HH", "B", "YY.B", "C"]) == ["XX.B", "XX.B", "XX.B", None]
    text = "shot,receiver,x,source_x\n1,1,0,5\n1,2,3,5\n2,2,3,9\n2,1,1,9\n"
    many = read_geometry(write(tmp_path / "many.csv", text))
    assert many.sources == {"1": (5.0, 0.0, 0.0), "2": (9.0, 0.0, 0.0)}
    assert [str(item) for item in many.bad] == [
        "row 4: receiver 1 stands at (0.0, 0.0, 0.0) before, here at (1.0, 0.0, 0.0)"
    ]
    with pytest.raises(FormatError, match="names no sources"):
        read_geometry(write(tmp_path / "none.csv", "receiver,x\n1,0\n"))
    twins = Geometry({"XX.A": (0.0, 0.0, 0.0), "YY.A": (1.0, 0.0, 0.0)}, {"1": (0.0, 0.0, 0.0)})
    assert twins.receiver_names(["A", "YY.A..HH"]) == [None, "YY.A"]
    offsets = with_offsets(pd.DataFrame({"shot": [1, 2], "receiver": "YY.A"}), twins)["offset_m"]
    assert offsets[0] == 1
    assert np.isnan(offsets[1])


def test_filling_up_keeps_the_table_first():
    table = table_of(shots=(1,)).iloc[:3]
    full = filled_up(table)
    pd.testing.assert_frame_equal(full, table)
    geometry = Geometry({"1": (0.0, 0, 0), "40": (9.0, 0, 0)}, {"1": (0.0, 0, 0)})
    full = filled_up(table, geometry)
    assert full["receiver"].tolist() == [1, 2, 3, 40]
    assert np.isnan(full["sample"].iloc[-1])


def test_names_are_checked():
    with pytest.raises(ConfigError, match="regular expression"):
        read_names("(")
    with pytest.raises(ConfigError, match="has groups"):
        read_names(r"(\d+)")


# Markers


def test_markers_come_back_to_the_microsecond(tmp_path):
    path = tmp_path / "a.markers"
    picks = [
        Pick(T0 + 1.000001, "CX.PB01..HH", "P", 0.9),
        Arrival(T0 + 2.5, "S", "", "station_7", "shot-3"),
    ]
    assert write_markers(picks, path, kinds=[1, 2]) == 2
    header, first, second = path.read_text().splitlines()
    assert header == "# Snuffler Markers File Version 0.2"
    assert first.split() == [
        *("phase:", "2024-05-06", "07:08:10.250001", "1", "CX.PB01..HH*"),
        *("None", "None", "None", "P", "None", "True"),
    ]
    assert second.split()[3:6] == ["2", ".station_7.*.*", "shot-3"]
    back = read_arrivals(path)
    assert [(a.time, a.phase, a.network, a.station, a.event) for a in back] == [
        (T0 + 1.000001, "P", "CX", "PB01", ""),
        (T0 + 2.5, "S", "", "station_7", "shot-3"),
    ]
    assert write_markers([], path) == 0
    assert read_arrivals(path) == []


@pytest.mark.parametrize("name", ["a b", "a,b", "*", "", "a.b.c.d.e"])
def test_names_that_a_marker_cannot_hold_are_refused(tmp_path, name):
    with pytest.raises(FormatError, match="rename it"):
        write_markers([Arrival(T0, "P", "", name)], tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_kinds_are_checked(tmp_path):
    for kinds in ([1, 2], [6]):
        with pytest.raises(ConfigError, match="from 0 to 5"):
            write_markers([Arrival(T0, "P", "", "A")], tmp_path / "m", kinds=kinds)


def test_quakeml_has_an_event_a_shot(tmp_path):
    from obspy import read_events

    path = tmp_path / "a.xml"
    arrivals = [Arrival(T0 + n, "P", "XX", f"A{n}", f"shot-{n % 2}") for n in range(4)]
    assert write_quakeml(arrivals, path) == 4
    assert [len(event.picks) for event in read_events(str(path))] == [2, 2]
    assert {(a.station, a.network) for a in read_arrivals(path)} == {
        (f"A{n}", "XX") for n in range(4)
    }


@pytest.mark.parametrize(
    ("files", "sources", "wanted"),
    [
        (["shot_007.dat", "shot_012.dat"], ["7", "12"], {"7", "12"}),
        (["shot_007.dat", "shot_012.dat"], ["shot_007", "12"], {"shot_007", "shot_012"}),
        (["a_7.dat", "b_7.dat"], ["a_7", "b_7"], {"a_7", "b_7"}),
        (["a_7.dat", "b_7.dat"], ["7"], {"a_7", "b_7"}),  # two files, not one gather of both
        (["s7/line.dat", "s12/line.dat"], ["7", "12"], {"7", "12"}),
        (["7/shots/a.dat", "12/shots/a.dat"], ["7", "12"], {"{}/7/shots/a", "{}/12/shots/a"}),
    ],
)
def test_stations_called_after_file_and_trace_have_their_shot_and_receiver(
    files, sources, wanted, tmp_path
):
    wanted = {shot.format(tmp_path / "raw") for shot in wanted}
    for seed, name in enumerate(files):
        (tmp_path / "raw" / name).parent.mkdir(parents=True, exist_ok=True)
        write_seg2(tmp_path / "raw" / name, [noise(300, 9 * seed + n) for n in range(3)], 0.001)
    geometry = Geometry({str(n): (2.0 * n, 0.0, 0.0) for n in (1, 2, 3)})
    geometry.sources |= dict.fromkeys(sources, (0.0, 0.0, 0.0))
    found = read_gather_records([tmp_path / "raw"], geometry=geometry)
    assert {(shot, receiver) for shot, receiver, _ in found} == {
        (shot, receiver) for shot in wanted for receiver in "123"
    }
    waves = [record.waveform for _, _, record in found]
    picks = [Pick(w.start_time + 0.1, w.station, "P", 0.9, start_time=w.start_time,
                  sampling_rate=1000.0, source=w.source) for w in waves]  # fmt: skip
    write_picks(picks, tmp_path / "picks.csv")
    table = read_gather_picks(tmp_path / "picks.csv", geometry=geometry).table
    assert set(table["receiver"]) == {1, 2, 3}
    if wanted == set(sources):  # shots that the geometry does not know are found as without files
        assert set(map(str, table["shot"])) == wanted


def picks_of(folder, table):
    """Write picks as `pick` does, of all records of a folder, 10 ms after their beginning."""
    picks = [Pick(w.start_time + 0.01, w.station, "P", 0.9, start_time=w.start_time,
                  sampling_rate=1000.0, source=w.source)
             for w in read_waveforms(folder)]  # fmt: skip
    write_picks(picks, table)
    return [pick.station for pick in picks]


@pytest.mark.parametrize("first", [0, 1, 49])  # the number of a shot's first trace in its header
def test_traces_of_several_shots_in_a_file_are_those_of_their_shots(first, tmp_path):
    write_line(tmp_path / "in", shots=(101, 102, 103), n_traces=4, first=first)
    (tmp_path / "in/line.su").rename(tmp_path / "in/line101.su")  # not all is of shot 101
    stations = picks_of(tmp_path / "in", tmp_path / "p.csv")
    numbers = range(first or 1, (first or 1) + 4)
    wanted = [(shot, number) for shot in (101, 102, 103) for number in numbers]
    assert stations == [f"line101-{shot:04d}-{number:04d}" for shot, number in wanted]
    geometry = Geometry({str(n): (2.0 * n, 0.0, 0.0) for n in numbers})
    geometry.sources |= dict.fromkeys(("101", "102", "103"), (0.0, 0.0, 0.0))
    table = read_gather_picks(tmp_path / "p.csv", geometry=geometry).table
    assert [*zip(table["shot"], table["receiver"], strict=True)] == wanted
    found = read_gather_records([tmp_path / "in"], geometry=geometry)
    assert [(int(shot), int(n)) for shot, n, _ in found] == wanted


def test_shots_and_traces_above_9999_come_after_those_below(tmp_path, preset, capsys):
    write_line(tmp_path / "in", shots=(10000, 9999), n_traces=2, first=9999)
    wanted = [f"line-{shot}-{n}" for shot in ("09999", "10000") for n in ("09999", "10000")]
    assert [wave.station for wave in read_waveforms(tmp_path / "in")] == wanted
    pick = ["pick", str(tmp_path / "in"), "--preset", str(preset), "--output"]
    main([*pick, str(tmp_path / "p.csv")])
    shown = re.findall(r"^line-\S+", "".join(capsys.readouterr()), re.MULTILINE)
    assert shown == wanted


def test_a_shot_that_two_files_hold_is_of_neither_by_its_number(tmp_path):
    for name, shots in (("day1", (101, 102)), ("day2", (101, 103))):
        write_line(tmp_path / name, shots=shots, n_traces=2)
        (tmp_path / name / "line.su").rename(tmp_path / f"{name}.su")
        (tmp_path / name).rmdir()
    picks_of(tmp_path, tmp_path / "p.csv")
    geometry = Geometry({"1": (2.0, 0.0, 0.0), "2": (4.0, 0.0, 0.0)})
    geometry.sources |= dict.fromkeys(("101", "102", "103"), (0.0, 0.0, 0.0))
    files = [tmp_path / "day1.su", tmp_path / "day2.su"]
    said = (
        "shot 101 of the geometry may be any of day1-0101, day2-0101, and is taken for none: call "
        "them so in the geometry, or give its shots a start_time"
    )
    for its_101 in (["1970-01-01T00:00:00.000000Z"] * 2, ["day1-0101", "day2-0101"]):
        with noted() as notes:
            table = read_gather_picks(tmp_path / "p.csv", geometry=geometry).table
            records = read_gather_records(files, geometry=geometry)
        assert [*table["shot"][::2]] == [its_101[0], "102", its_101[1], "103"]
        shots = ["day1-0101", "102", "day2-0101", "103"]
        assert [shot for shot, _, _ in records[::2]] == shots
        assert [receiver for _, receiver, _ in records] == ["1", "2"] * 4
        assert notes == ([said] * 2 if "1970" in its_101[0] else [])
        geometry.sources |= dict.fromkeys(shots, (0.0, 0.0, 0.0))


@pytest.mark.parametrize("gather", ["shot 101", "101", "line-0101"])
def test_a_data_set_of_shots_of_one_file_has_receivers_by_their_numbers(tmp_path, gather):
    write_line(tmp_path / "in", shots=(101, 102), n_traces=2)
    labelled = [
        LabelledWaveform(w, {}, name=w.station, gather=gather.replace("101", w.station[6:9]))
        for w in read_waveforms(tmp_path / "in")
    ]
    write_dataset(labelled, tmp_path / "set")
    geometry = Geometry({"1": (2.0, 0.0, 0.0), "2": (4.0, 0.0, 0.0)})
    geometry.sources |= dict.fromkeys(("101", "102"), (0.0, 0.0, 0.0))
    found = read_gather_records([tmp_path / "set"], geometry=geometry)
    wanted = [("101", "1"), ("101", "2"), ("102", "1"), ("102", "2")]
    assert [(shot, receiver) for shot, receiver, _ in found] == wanted
    picks_of(tmp_path / "set", tmp_path / "p.csv")
    table = read_gather_picks(tmp_path / "p.csv", geometry=geometry).table
    names = zip(table["shot"].map(str), table["receiver"].map(str), strict=True)
    assert [*names] == wanted
    assert "waveforms.hdf5/line-0101-0001" in (tmp_path / "p.csv").read_text()


def test_stations_of_one_shot_have_no_number_of_it(tmp_path):
    many = {"original_field_record_number": 0, "energy_source_point_number": 0}
    for name, options in {
        "field": {"shots": [7]},
        "point": {"shots": [7], "original_field_record_number": 0, "energy_source_point_number": 5},
        "auxiliary": {"shots": (0, 7), "n_traces": 2},
        "none": {"shots": (7, 8), "n_traces": 2, **many},
        "same": {"shots": (7, 8), "n_traces": 2, "original_field_record_number": 7},
    }.items():
        write_line(tmp_path / name, **options)
        stations = [wave.station for wave in read_waveforms(tmp_path / name)]
        assert stations == [f"line-{n:04d}" for n in range(1, 5)]


def test_a_file_with_more_traces_than_receivers_is_not_of_the_shot_in_its_name(tmp_path):
    write_line(tmp_path / "in", shots=(1, 2), original_field_record_number=0)
    (tmp_path / "in/line.su").rename(tmp_path / "in/line101.su")
    picks_of(tmp_path / "in", tmp_path / "p.csv")
    geometry = Geometry({str(n): (2.0 * n, 0.0, 0.0) for n in range(1, 5)})
    geometry.sources["101"] = (0.0, 0.0, 0.0)
    said = "line101 would be shot 101 by its name, but has a trace 8, and the geometry 4 receivers"
    with pytest.raises(
        ConfigError, match=f"{said}: if it holds several shots, .* split it by shot"
    ):
        read_gather_picks(tmp_path / "p.csv", geometry=geometry)
    # A column of shots, and receivers enough, say more than the name.
    table = pd.read_csv(tmp_path / "p.csv")
    table.assign(shot=101).to_csv(tmp_path / "s.csv", index=False)
    geometry.receivers["9"] = (18.0, 0.0, 0.0)
    for name in ("s.csv", "p.csv"):
        found = read_gather_picks(tmp_path / name, geometry=geometry).table
        assert set(found["shot"]) == {101}


def test_a_receiver_of_the_stations_very_name_counts_and_without_geometry_no_number(tmp_path):
    (tmp_path / "raw").mkdir()
    write_seg2(tmp_path / "raw/7.dat", [noise(300, n) for n in range(2)], 0.001)
    names = {f"7-000{n}": (2.0 * n, 0.0, 0.0) for n in (1, 2)}
    for geometry in (Geometry(names, {"7": (0.0, 0.0, 0.0)}), None):
        found = read_gather_records([tmp_path / "raw"], geometry=geometry)
        assert [receiver for _, receiver, _ in found] == list(names)


def test_a_damaged_file_of_a_folder_is_passed_over_and_one_that_is_named_is_refused(tmp_path):
    write_line(tmp_path / "in", shots=[7], n_traces=3)
    damaged = tmp_path / "in/other.mseed"
    damaged.write_bytes(b"000001D " + bytes(90))
    with pytest.warns(RecordWarning, match=r"other.mseed is damaged or no miniSEED"):
        found = read_gather_records([tmp_path / "in"])
    assert [record.waveform.station for _, _, record in found] == [
        f"line-000{n}" for n in (1, 2, 3)
    ]
    with pytest.raises(FormatError, match=r"other.mseed is damaged or no miniSEED"):
        read_gather_records([tmp_path / "in/line.su", damaged])


def test_a_data_set_gives_its_gathers(tmp_path):
    wave = Waveform(np.ones((300, 1)), 100.0, T0, ("Z",), "XX.07..HH")
    write_dataset([LabelledWaveform(wave, {}, name="a", gather="shot 3")], tmp_path / "set")
    [(shot, receiver, record)] = read_gather_records([tmp_path / "set"])
    assert (shot, receiver, record.name) == ("3", "XX.07..HH", "a")
