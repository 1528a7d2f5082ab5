"""Arrivals of stations with several sensors."""

from __future__ import annotations

import pytest
from obspy import Trace
from sources import T0, noise, write_stations

from phasenet_keras.io.registry import noted
from phasenet_keras.io.selection import Selection
from phasenet_keras.io.sources import open_source, read_labelled


def write_sensors(folder, ids, at_s):
    """A file a sensor of a station, a minute each; SAC has the P of its own at ``at_s``."""
    folder.mkdir()
    for n, (name, own_s) in enumerate(zip(ids, at_s, strict=True)):
        network, station, location, channel = name.split(".")
        header = {"network": network, "station": station, "location": location, "starttime": T0}
        header |= {"channel": channel, "sampling_rate": 100.0, "sac": {"a": own_s, "ka": "P"}}
        Trace(noise(n, 6000)[:, 0].astype("f4"), header).write(f"{folder}/{n}.sac", format="SAC")


def by_sensor(items):
    return {record.waveform.station: record.arrivals.get("P") for record in items}


@pytest.mark.parametrize(
    ("records", "named"),
    [
        (["XX.A.00.HHZ", "XX.A.10.HHZ"], ["XX.A.00.HH", "XX.A.10.HHZ"]),
        (["XX.A.00.HHZ", "XX.A.10.HNZ"], ["XX.A.0", "XX.A.10"]),
        (["BO.A..UD1", "BO.A..UD2"], ["BO.A..1", "BO.A..UD2"]),
        (["XX.A..HHZ", "XX.A.10.HHZ"], ["XX.A.--.HHZ", "XX.A.10.HHZ"]),
    ],
)
def test_arrivals_of_several_sensors_of_a_station_go_to_their_own(tmp_path, records, named):
    """They are 0.25 s apart: two picks of one onset, were they of one sensor."""
    write_sensors(tmp_path / "in", records, (10.0, 10.25))
    rows = [f"{name},P,{T0 + at}\n" for name, at in zip(named, (10.0, 10.25), strict=True)]
    (tmp_path / "l.csv").write_text("trace_id,phase,time\n" + "".join(rows))
    with noted() as said:
        of_table = list(by_sensor(read_labelled(tmp_path / "in", tmp_path / "l.csv")).values())
        of_headers = list(by_sensor(read_labelled(tmp_path / "in")).values())
    assert (of_table, of_headers, said) == ([(1000.0,), (1025.0,)], [(1000.0,), (1025.0,)], [])


def test_a_sensor_without_arrivals_of_its_own_takes_those_of_the_station(tmp_path):
    ids = ["XX.A.00.HHZ", "XX.A.10.HHZ", "XX.A.20.HHZ"]
    write_sensors(tmp_path / "in", ids, (-12345.0,) * 3)
    names = [name[:-1] for name in ids]
    for named, samples in (
        ({"XX.A.00": 10.0}, [1000.0] * 3),
        ({"XX.A.99": 10.0}, [1000.0] * 3),  # of no record
        ({"XX.A": 10.0, "XX.A.10": 10.0}, [1000.0] * 3),
        ({"XX.A.99": 10.0, "XX.A.10": 20.0}, [(1000.0, 2000.0)] * 3),
        ({"XX.A.00": 10.0, "XX.A.10": 20.0}, [1000.0, 2000.0, (1000.0, 2000.0)]),
    ):
        rows = "".join(f"{name},P,{T0 + at}\n" for name, at in named.items())
        (tmp_path / "l.csv").write_text("trace_id,phase,time\n" + rows)
        found = by_sensor(read_labelled(tmp_path / "in", tmp_path / "l.csv"))
        wanted = [value if isinstance(value, tuple) else (value,) for value in samples]
        assert found == dict(zip(names, wanted, strict=True))


@pytest.mark.parametrize("code", ["S03", "S05"])  # a 3 alone would be an E
def test_a_sensor_that_is_counted_is_a_vertical_in_a_file_of_its_own(tmp_path, code):
    write_sensors(tmp_path / "in", [f"XX.A..S0{n}" for n in range(1, 8)], [10.0] * 7)
    (tmp_path / "times.csv").write_text(f"station,phase,time\nA,P,{T0 + 10}\n")
    (tmp_path / "samples.csv").write_text("station,itp\nA,1000\n")
    for labels in (tmp_path / "times.csv", tmp_path / "samples.csv", None):
        source = open_source(tmp_path / "in", labels, selection=Selection(channel=code))
        [record] = [item for part in source.parts for item in part()]
        assert record.waveform.channels == ("Z",)
        assert record.arrivals == {"P": (1000.0,)}


def test_p_and_s_of_two_sensors_are_labels_of_both(tmp_path):
    """But where an event has a phase of each sensor each is of its own."""
    write_sensors(tmp_path / "in", ["XX.A.00.HHZ", "XX.A.10.HHZ"], (-12345.0,) * 2)
    rows = [("00", "P", 10, "a"), ("10", "S", 14, "a"), ("10", "P", 30, "b"), ("00", "S", 34, "b")]
    rows += [("00", "P", 50, "c"), ("10", "P", 50.25, "c")]
    text = "".join(f"XX.A.{loc},{phase},{T0 + at},{event}\n" for loc, phase, at, event in rows)
    (tmp_path / "l.csv").write_text(f"trace_id,phase,time,event\n{text}")
    one, other = read_labelled(tmp_path / "in", tmp_path / "l.csv")
    assert one.arrivals == {"P": (1000.0, 3000.0, 5000.0), "S": (1400.0, 3400.0)}
    assert other.arrivals == {"P": (1000.0, 3000.0, 5025.0), "S": (1400.0, 3400.0)}


def test_codes_of_hypodd_have_the_network_in_front(tmp_path):
    times = write_stations(tmp_path / "in", stations=["WEL", "NZWEX"])
    at = times["WEL", "P"]
    head = f"# {at.year} {at.month} {at.day} {at.hour} {at.minute} 0.00 -41.3 174.8 9 2 0 0 0 7\n"
    lines = "".join(f"{code} {at.second + 0.254:.3f} 1 P\n" for code in ("XXWEL", "NZWEX", "XXWE"))
    (tmp_path / "h.pha").write_text(head + lines)
    with noted() as notes:
        [record] = [r for r in read_labelled(tmp_path / "in", tmp_path / "h.pha") if r.arrivals]
    assert (record.waveform.station, record.arrivals) == ("XX.WEL..HH", {"P": (1025.4,)})
    said = "h.pha: codes of network and station in one word are taken for these: XXWEL for XX.WEL"
    assert any(note.endswith(said) for note in notes)
    assert any("2 of 3 arrivals are in no record" in note for note in notes)


def test_a_column_of_locations_says_the_sensor(tmp_path):
    write_sensors(tmp_path / "in", ["BO.A.00.HHZ", "BO.A.10.HHZ"], [9, 9])
    header, at = "network,station,location,phase,time", [str(T0 + s) for s in (10, 20, 30)]
    rows = [f"BO,A,{place},P,{time}" for place, time in zip(("0", "10", "hill"), at, strict=True)]
    (tmp_path / "l.csv").write_text("\n".join([header, *rows]))
    assert by_sensor(read_labelled(tmp_path / "in", tmp_path / "l.csv")) == {
        "BO.A.00.HH": (1000.0, 3000.0),
        "BO.A.10.HH": (2000.0, 3000.0),
    }
