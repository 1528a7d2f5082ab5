"""Arrivals of other programs' files, brought to the records that they fall in."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from obspy import Trace, UTCDateTime, read
from obspy.core.event import Arrival as LocatedArrival
from obspy.core.event import Catalog, Event, Origin, Pick, ResourceIdentifier, WaveformStreamID
from obspy.core.event.catalog import EVENT_ENTRY_POINTS_WRITE

from phasenet_keras import Waveform
from phasenet_keras.io.catalogs import (
    Arrival,
    label_by_time,
    phase_of,
    read_arrivals,
    unmatched_arrivals,
)
from phasenet_keras.io.labels.cutting import cut_around_arrivals
from phasenet_keras.io.labels.files import scan_arrivals
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.sac_markers import sac_arrivals
from phasenet_keras.io.tables import write_picks
from phasenet_keras.io.waveforms import read_waveforms
from phasenet_keras.types import FormatError
from phasenet_keras.types import Pick as OurPick

T0 = UTCDateTime("2012-01-01T00:00:00")
MARKERS = """# Snuffler Markers File Version 0.2
event: 2012-01-01 00:00:01.5000  0 4342fb5oj726   51.41 12.13  29344.7 3.2 None  a name None
phase: 2012-01-01 00:00:10.1234  0 XX.A..BHZ    4342fb5oj726   2012-01-01   00:00:01.5000 P  None False
phase: 2012-01-01 00:00:12.5000 2012-01-01 00:00:12.7000 0.2  0 XX.A..BHN,XX.A..BHE  None 2012-01-01 00:00:01.5000 Sg 1 False
phase: 2012-01-01 00:00:13.0000 2012-01-01 00:00:13.1000 1 .B..BHZ None None None S None True
phase: 2012-01-01 00:00:10.1234  0 XX.A..BHZ    None None None None None False
phase: 2012-01-01 00:00:20.0000  0 None    None None None P None False
phase: 2012-01-01 00:99:20.0000  0 XX.A..BHZ    None None None P None False
phase: 2012-01-01
2012-01-01 00:00:13.9964  0 XX.A..BHE
"""  # noqa: E501
OBS = """# a comment
A      ?    ?    ? Pn     ? 20120101 0000   10.1234 GAU  1.00e-02 -1.00e+00 -1.00e+00 -1.00e+00
B      ?    ?    i S      U 20120101 0059   61.5000 GAU  1.00e-02 -1.00e+00 -1.00e+00 -1.00e+00 1.0
B      ?    ?    ? IAML   ? 20120101 0000   10.0000 GAU  1.00e-02 -1.00e+00 -1.00e+00 -1.00e+00
"""


def make_wave(station="XX.A..BH", start=T0, seconds=60, rate=100.0):
    data = np.random.default_rng(0).standard_normal((int(seconds * rate), 3))
    return Waveform(data, rate, start, ("E", "N", "Z"), station)


def make_pick(at_s, station="A", network="XX", **settings):
    seed = WaveformStreamID(network_code=network, station_code=station, channel_code="BHZ")
    return Pick(time=T0 + at_s, waveform_id=seed, **settings)


def facts(arrivals):
    return [(round(a.time - T0, 4), a.phase, a.network, a.station, a.event) for a in arrivals]


def write_text(path, text):
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("names", "phase"),
    [
        (["P", "p", "Pg", "Pn", "P*", "PN", "Pdiff", "iP", "EP", "IPU0", "P1", " P "], "P"),
        (["S", "s", "Sg", "Sn", "Sb", "SG", "eS", "ES2"], "S"),
        (["pP", "sP", "PP", "PcP", "PKP", "SKS", "ScS", "SS", "Lg", "IAML", "AML", "Ps", ""], None),
    ],
)
def test_names_of_phases(names, phase):
    assert {name: phase_of(name) for name in names} == dict.fromkeys(names, phase)


def test_quakeml(tmp_path):
    located = make_pick(30.25)
    origin = Origin(time=T0, arrivals=[LocatedArrival(pick_id=located.resource_id, phase="Sn")])
    first = Event(
        resource_id=ResourceIdentifier("smi:net/one"),
        origins=[origin],
        picks=[
            make_pick(10.1234, phase_hint="Pg"),
            located,
            make_pick(12, phase_hint="pP"),
            make_pick(13, phase_hint="IAML"),
            make_pick(14, phase_hint="IAML"),
            make_pick(15, phase_hint="P", evaluation_status="rejected"),
            make_pick(16),
        ],
    )
    second = Event(
        resource_id=ResourceIdentifier("smi:net/two"),
        picks=[make_pick(20, phase_hint="P", network="", station="B")],
    )
    path = tmp_path / "events [1].xml"
    Catalog([first, second]).write(str(path), format="QUAKEML")
    with pytest.warns(RecordWarning, match=r"5 of other phases \(IAML 2, pP 1, P rejected 1, "):
        arrivals = read_arrivals(path)
    assert facts(arrivals) == [
        (10.1234, "P", "XX", "A", "smi:net/one"),
        (30.25, "S", "XX", "A", "smi:net/one"),
        (20.0, "P", "", "B", "smi:net/two"),
    ]


@pytest.mark.parametrize(("weights", "kept"), [((1, 0), 1), ((0, 0), 2), ((None, 0), 1)])
def test_picks_of_weight_0_in_the_location_are_left_out_if_others_have_more(
    tmp_path, weights, kept
):
    picks = [make_pick(10 + n, phase_hint="P") for n in range(2)]
    located = [
        LocatedArrival(pick_id=pick.resource_id, phase="P", time_weight=weight)
        for pick, weight in zip(picks, weights, strict=True)
    ]
    event = Event(picks=picks, origins=[Origin(time=T0, arrivals=located)])
    Catalog([event]).write(str(tmp_path / "c.xml"), format="QUAKEML")
    with warnings.catch_warnings(record=True, action="always") as caught:
        assert len(read_arrivals(tmp_path / "c.xml")) == kept
    said = " ".join(str(item.message) for item in caught)
    assert ("P of weight 0 1" in said) == (kept == 1)


def test_a_nordic_file_whose_first_line_has_a_number_twice(tmp_path):
    time = UTCDateTime("2024-05-07T18:07:49.4")
    origin = Origin(time=time, latitude=64.1, longitude=-21.2, depth=5000.0)
    pick = make_pick(0, phase_hint="P")
    pick.time = time + 2.5
    event = Event(origins=[origin], picks=[pick])
    Catalog([event]).write(str(tmp_path / "c.nor"), format="NORDIC", userid="TEST", evtype="L")
    assert (tmp_path / "c.nor").read_text().split("\n")[0].split().count("7") == 2
    [arrival] = read_arrivals(tmp_path / "c.nor")
    assert (arrival.station, arrival.phase, arrival.time) == ("A", "P", time + 2.5)
    (tmp_path / "c.csv").write_text("a,a\n1,2\n")
    with pytest.raises(FormatError, match=r"c\.csv is no readable table .* 'a' is there twice"):
        read_arrivals(tmp_path / "c.csv")


def test_an_event_without_an_id_has_the_same_name_at_every_reading(tmp_path):
    pick = make_pick(1, phase_hint="P")
    origin = Origin(time=T0, arrivals=[LocatedArrival(pick_id=pick.resource_id, phase="P")])
    event = Event(picks=[pick], origins=[origin])
    name = "SCML" if "SCML" in EVENT_ENTRY_POINTS_WRITE else "SC3ML"  # of ObsPy 1.4
    Catalog([event]).write(str(tmp_path / "quakes.scml"), format=name)
    Catalog([event]).write(str(tmp_path / "quakes.xml"), format="QUAKEML")
    for name in ("quakes.scml", "quakes.xml"):
        assert [a.event for a in read_arrivals(tmp_path / name)] == ["quakes-1"]


def test_a_catalogue_without_picks_says_how_to_get_them(tmp_path):
    Catalog([Event()]).write(str(tmp_path / "events.xml"), format="QUAKEML")
    with pytest.raises(FormatError, match=r"1 event and no picks.*includearrivals"):
        read_arrivals(tmp_path / "events.xml")


def test_snuffler_markers(tmp_path):
    path = write_text(tmp_path / "a.markers", MARKERS)
    with pytest.warns(RecordWarning) as caught:
        arrivals = read_arrivals(path)
    assert facts(arrivals) == [
        (10.1234, "P", "XX", "A", "4342fb5oj726"),
        (12.5, "S", "XX", "A", "4342fb5oj726"),
        (13.0, "S", "", "B", ""),
    ]
    [text] = [str(warning.message) for warning in caught]
    assert "3 damaged, the first is line 7: it names no station" in text
    assert "2 of other phases (None 1, marker of no phase 1)" in text
    path.write_text("".join(line for line in MARKERS.splitlines(True) if "phase:" not in line))
    with pytest.raises(FormatError, match="they are of marker of no phase 1: write P"):
        scan_arrivals(path)


def test_a_pick_of_seisans_weight_4_is_left_out_before_any_location(tmp_path):
    head = " 2012  1 1  0 0  0.0 L".ljust(79) + "1"
    head += "\n STAT SP IPHASW D HRMM SECON CODA AMPLIT PERI AZIMU VELO AIN AR TRES W  DIS CAZ7\n"
    lines = [f" A{n}   SZ IP   {weight}    0 0 {10 + n:5.2f}" for n, weight in enumerate(" 1349")]
    write_text(tmp_path / "s", head + "".join(f"{line:<80}\n" for line in lines) + " " * 80 + "\n")
    with pytest.warns(RecordWarning, match=r"left out: 1 of other phases \(P of weight 0 1\)"):
        arrivals = read_arrivals(tmp_path / "s")
    assert facts(arrivals) == [(10.0 + n, "P", "", f"A{n}", "s-1") for n in (0, 1, 2, 4)]


def test_a_list_of_events_has_no_picks(tmp_path):
    text = "time,latitude,longitude,depth,mag,magType,id,place,type\n"
    text += "2012-01-01T00:00:00.040Z,42,13,10,2.1,ml,us7,Here,earthquake\n"
    with pytest.raises(FormatError, match=r"events\.csv holds 1 event and no picks: ask for them"):
        read_arrivals(write_text(tmp_path / "events.csv", text))
    # A table of picks may say where its stations are.
    rows = (
        "time,latitude,longitude,depth,station,phase,type\n2012-01-01T00:00:07,1,2,0,A,Pg,manual\n"
    )
    arrivals = read_arrivals(write_text(tmp_path / "picks.csv", rows))
    assert facts(arrivals) == [(7.0, "P", "", "A", "")]
    rows = "station,time,type,latitude,longitude,depth,id\nA,2012-01-01T00:00:07,P,1,2,0,9\n"
    assert facts(read_arrivals(write_text(tmp_path / "picks.csv", rows))) == facts(arrivals)


def test_nonlinloc_observations(tmp_path):
    with pytest.warns(RecordWarning, match="IAML 1"):
        arrivals = read_arrivals(write_text(tmp_path / "a.obs", OBS))
    assert facts(arrivals) == [(10.1234, "P", "", "A", ""), (3601.5, "S", "", "B", "")]


@pytest.mark.parametrize(("weights", "kept"), [("01", "BD"), ("00", "ABCD"), ("11", "ABCD")])
def test_observations_of_weight_0_are_left_out_if_others_have_more(tmp_path, weights, kept):
    line = "XX.{} ? ? ? P ? 20120101 0000 10.12 GAU 1.00e-02 -1.00e+00 -1.00e+00 -1.00e+00 {}.0\n"
    lines = [line.format(name, weight) for name, weight in zip("ABCD", weights * 2, strict=True)]
    with warnings.catch_warnings(record=True, action="always") as caught:
        arrivals = read_arrivals(write_text(tmp_path / "a.obs", "".join(lines)))
    # A station with its network in front is that station.
    assert facts(arrivals) == [(10.12, "P", "XX", name, "") for name in kept]
    said = [str(item.message) for item in caught]
    assert [text.endswith("2 of other phases (P of weight 0 2)") for text in said] == [True] * (
        len(kept) == 2
    )


def test_a_station_of_a_catalogue_may_have_its_network_in_front(tmp_path):
    event = Event(picks=[make_pick(1, "XX.A", network=None, phase_hint="P")])
    Catalog([event]).write(str(tmp_path / "c.xml"), format="QUAKEML")
    [arrival] = read_arrivals(tmp_path / "c.xml")
    assert (arrival.network, arrival.station) == ("XX", "A")


@pytest.mark.parametrize(
    "text",
    [
        "network,station,phase,time,event\nXX,A,Pg,2012-01-01T00:00:10.1234Z,7\n",
        "Event_ID;Station_ID;Phase_Type;Phase_Time\r\n7;XX.A..BHZ;P;2012-01-01 00:00:10.1234\r\n",
        "event_index\tid\ttype\ttimestamp\n7\tXX.A\tp\t2012-01-01T02:00:10.1234+02:00\n\n",
    ],
)
def test_tables(tmp_path, text):
    [arrival] = read_arrivals(write_text(tmp_path / "a.csv", "\ufeff" + text))
    assert facts([arrival]) == [(10.1234, "P", "XX", "A", "7")]


def test_our_own_picks_also_none(tmp_path):
    picks = [OurPick(T0 + 10.5, "XX.A..BH", "P", 0.9), OurPick(T0 + 11, "trace_001", "S", 0.8)]
    write_picks(picks, tmp_path / "picks.csv")
    assert facts(read_arrivals(tmp_path / "picks.csv")) == [
        (10.5, "P", "XX", "A", ""),
        (11.0, "S", "", "trace_001", ""),
    ]
    write_picks([], tmp_path / "none.csv")
    assert read_arrivals(tmp_path / "none.csv") == []


def test_damaged_rows_are_left_out_and_named(tmp_path):
    rows = ["XX.A,P,2012-01-01T00:00:10", "XX.A,P,12.5", "XX.A,P", ",P,2012-01-01T00:00:10"]
    path = write_text(tmp_path / "a.csv", "\n".join(["station,phase,time", *rows]))
    with pytest.warns(RecordWarning, match=r"3 damaged, the first is row 2: the time '12\.5'"):
        assert len(read_arrivals(path)) == 1
    path = write_text(tmp_path / "b.csv", "\n".join(["station,phase,time", *rows[1:]]))
    with pytest.raises(FormatError, match="none of its 3 rows can be used; row 1: the time"):
        read_arrivals(path)


@pytest.mark.parametrize(
    "content",
    [
        b"hello\nworld\n",
        b"station,phase\nA,P\n",
        b"\x00\x01\x02" * 2000,
        b"\xef\xbb\xbf \n",
        b"<?xml version='1.0'?><q:quakeml xmlns:q='http://quakeml.org/xmlns/quakeml/1.2'><ev",
    ],
)
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"Accepted are.*QuakeML.*Snuffler.*station, .*begins"):
        read_arrivals(path)


def test_missing_and_empty_files_are_refused(tmp_path):
    with pytest.raises(FormatError, match="cannot be read"):
        read_arrivals(tmp_path / "none.xml")
    with pytest.raises(FormatError, match="cannot be read"):
        read_arrivals(tmp_path)
    with pytest.raises(FormatError, match="is empty"):
        read_arrivals(write_text(tmp_path / "empty", "\n"))


def write_sac(path, **headers):
    header = {"network": "XX", "station": "A", "channel": "BHZ", "sampling_rate": 100.0}
    trace = Trace(np.ones(6000, "f4"), header={**header, "starttime": T0 + 0.25})
    trace.stats.sac = headers
    trace.write(str(path), format="SAC")
    return read(str(path))[0]


def test_sac_headers(tmp_path):
    trace = write_sac(
        tmp_path / "a.sac",
        **{"b": -5.0, "a": 1.5, "t0": 4.125, "kt0": "S", "t1": 6.0, "t2": 7.0, "kt2": "pP"},
        **{"t3": -12345.0, "kt3": "P", "t9": 3.0, "kt9": "IPU0", "kevnm": "a quake"},
    )
    expected = [
        (6.75, "P", "XX", "A", "a quake"),
        (8.25, "P", "XX", "A", "a quake"),
        (9.375, "S", "XX", "A", "a quake"),
    ]
    assert facts(sac_arrivals(trace)) == expected
    trace.trim(T0 + 5)
    assert facts(sac_arrivals(trace)) == expected
    waves = read_waveforms(tmp_path / "a.sac")
    [record] = label_by_time(waves, sac_arrivals(read(str(tmp_path / "a.sac"))[0]))
    np.testing.assert_allclose(record.arrivals["P"], [650, 800], atol=1e-3)
    np.testing.assert_allclose(record.arrivals["S"], [912.5], atol=1e-3)


def test_sac_name_of_a_counts_and_nothing_is_nothing(tmp_path):
    trace = write_sac(tmp_path / "a.sac", a=1.5, ka="S")
    assert [a.phase for a in sac_arrivals(trace)] == ["S"]
    assert sac_arrivals(write_sac(tmp_path / "b.sac", a=-12345.0)) == []
    assert sac_arrivals(Trace()) == []


def test_label_by_time_takes_what_is_in_the_span():
    waves = [make_wave(), make_wave("XX.A..BH", T0 + 60), make_wave("YY.A..BH"), make_wave("B")]
    arrivals = [
        Arrival(T0 + 10.12345, "P", "XX", "A", "one"),
        Arrival(T0 + 40, "P", "XX", "A", "two"),
        Arrival(T0 + 12.5, "S", "XX", "A", "one"),
        Arrival(T0 + 12.5, "S", "XX", "A", "one"),
        Arrival(T0, "S", "YY", "A", "one"),
        Arrival(T0 + 59.99, "S", "YY", "A", "one"),
        Arrival(T0 + 59.995, "S", "YY", "A", "one"),
        Arrival(T0 - 0.01, "P", "YY", "A"),
        Arrival(T0 + 1, "P", "ZZ", "A"),
        Arrival(T0 + 70, "P", "", "A", "three"),
    ]
    records = label_by_time(waves, arrivals)
    assert [record.waveform for record in records] == waves
    np.testing.assert_allclose(records[0].arrivals["P"], [1012.345, 4000], atol=1e-3)
    np.testing.assert_allclose(records[0].arrivals["S"], [1250], atol=1e-3)
    assert records[1].arrivals == {"P": (1000.0,)}
    assert records[2].arrivals == {"S": (0.0, 5999.0)}
    assert records[3].arrivals == {}
    assert [record.event for record in records] == ["one + two", "three", "one", ""]
    unnamed = [*arrivals, Arrival(T0 + 50, "P", "XX", "A")]
    assert label_by_time(waves, unnamed)[0].event == ""
    windows = list(cut_around_arrivals(records[0], 20.0))
    assert [window.event for window in windows] == ["one", "two"]
    both = list(cut_around_arrivals(records[0], 45.0))
    assert [window.event for window in both] == ["one + two"]
    assert unmatched_arrivals(waves, arrivals) == arrivals[6:9]


def test_unknown_is_not_absent():
    wave = make_wave()
    arrivals = [Arrival(T0 + 10, "P", "XX", "A")]
    assert label_by_time([wave], arrivals)[0].arrivals == {"P": (1000.0,)}
    assert label_by_time([wave], [])[0].arrivals == {}


def test_a_missing_network_matches_any_on_either_side():
    waves = [make_wave("XX.A..BH"), make_wave(".A..BH"), make_wave("A")]
    arrivals = [Arrival(T0 + 1, "P", "", "A"), Arrival(T0 + 2, "S", "XX", "A")]
    for record in label_by_time(waves, arrivals):
        assert record.arrivals == {"P": (100.0,), "S": (200.0,)}


def test_names_are_unique():
    names = [record.name for record in label_by_time([make_wave(), make_wave()], [])]
    assert names == ["XX.A..BH_20120101T000000.000000", "XX.A..BH_20120101T000000.000000_2"]


def test_last_sample_of_an_odd_rate_is_inside():
    wave = make_wave(rate=77.7, seconds=100)
    last = T0 + (wave.n_samples - 1) / wave.sampling_rate
    [record] = label_by_time([wave], [Arrival(last, "P", "XX", "A")])
    assert record.arrivals["P"][0] == pytest.approx(wave.n_samples - 1, abs=1e-3)


def test_nothing_is_said_of_whole_files(tmp_path):
    path = write_text(tmp_path / "a.csv", "station,phase,time\nA,P,2012-01-01T00:00:10\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read_arrivals(path)) == 1
