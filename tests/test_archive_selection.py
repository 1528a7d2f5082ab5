"""What is wanted of an archive: codes, spans of time, one of several sensors."""

from __future__ import annotations

import numpy as np
import pytest
from archives import MIDNIGHT, failures, keys, run, station, write_sds
from obspy import Stream, read

from phasenet_keras import Picker
from phasenet_keras.cli import main
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.selection import Selection
from phasenet_keras.io.tables import read_picks
from phasenet_keras.io.waveforms import read_waveforms
from phasenet_keras.picking.archive import StationSummary
from phasenet_keras.picking.files import pick_files
from phasenet_keras.types import ConfigError


@pytest.mark.parametrize("code", ["S01", "S02", "S05"])
def test_one_of_counted_sensors_is_taken_as_a_vertical(picker, tmp_path, code):
    stream = station(channels=("Z",) * 6)
    for number, trace in enumerate(stream):
        trace.stats.channel = f"S0{number + 1}"
        trace.data = np.roll(trace.data, 5000 * number)
    stream.write(str(tmp_path / "a.mseed"), format="MSEED", reclen=512)
    wanted = Selection(channel=code)
    alone = stream.select(channel=code)[0].copy()
    alone.stats.channel = "S0Z"
    whole = picker.pick(Stream([alone]))
    assert len(whole) >= 3
    for source in (tmp_path / "a.mseed", stream):
        [wave] = read_waveforms(source, selection=wanted)
        assert wave.channels == ("Z",)
        assert np.array_equal(wave.data[:, 0], alone.data)
    ours, events = run(
        picker, [tmp_path / "a.mseed"], tmp_path / "p", block_bytes=4096, selection=wanted
    )
    assert keys(ours) == keys(whole)
    assert not failures(events)
    drawn = [e for e in pick_files(picker, [tmp_path / "a.mseed"], wanted) if hasattr(e, "picks")]
    assert [keys(result.picks) for result in drawn] == [keys(whole)]
    for source in (tmp_path / "a.mseed", stream):
        with pytest.warns(RecordWarning, match="S01, S02 left out: numbers but 1, 2 and 3 are of"):
            assert read_waveforms(source, selection=Selection(channel="S01,S02")) == []


@pytest.mark.parametrize("code", ["S01", "S03", "S05"])
@pytest.mark.parametrize("name", ["{}.mseed", "XX.AA..{}.D.2024.061"])
def test_one_of_counted_sensors_is_a_vertical_in_a_file_of_its_own(make_net, tmp_path, code, name):
    net = make_net()
    weights = net.get_weight_set()
    weights["input_conv/kernel"][:, :2] = 0.0  # of E and N nothing is picked
    net.set_weight_set(weights)
    picker = Picker(net)
    (tmp_path / "in").mkdir()
    stream = station(channels=("Z",) * 6)
    for number, trace in enumerate(stream):
        trace.stats.channel = f"S0{number + 1}"
        trace.data = np.roll(trace.data, 5000 * number)
        trace.write(str(tmp_path / "in" / name.format(trace.stats.channel)), format="MSEED")
    wanted = Selection(channel=code)
    alone = stream.select(channel=code)[0].copy()
    alone.stats.channel = "S0Z"
    whole = keys(picker.pick(Stream([alone])))
    assert len(whole) >= 3
    ours, events = run(picker, [tmp_path / "in"], tmp_path / "p", selection=wanted)
    assert (keys(ours), failures(events)) == (whole, [])
    drawn = [e for e in pick_files(picker, [tmp_path / "in"], wanted) if hasattr(e, "picks")]
    assert [keys(result.picks) for result in drawn] == [whole]


@pytest.mark.parametrize(
    ("options", "stations"),
    [
        ({"station": "A*"}, {"AA"}),
        ({"station": "AA,BB?"}, {"AA", "BBB"}),
        ({"network": "YY"}, set()),
        ({"channel": "??Z", "station": "b*"}, {"BBB"}),
        ({"location": "--"}, {"AA", "BBB"}),
        ({"location": "00"}, set()),
        ({"end": MIDNIGHT - 301}, set()),
    ],
)
def test_filters_on_sds_and_on_plain_files(picker, tmp_path, options, stations):
    stream = station(n_samples=40_000) + station("BBB", channels="Z", n_samples=40_000)
    root = write_sds(tmp_path / "sds", stream)
    stream.write(str(tmp_path / "all.mseed"), format="MSEED")
    for source in (root, tmp_path / "all.mseed"):
        ours, events = run(
            picker, [source], tmp_path / f"p{source.name}", selection=Selection(**options)
        )
        assert {pick.station.split(".")[1] for pick in ours} == stations
        assert len([e for e in events if isinstance(e, StationSummary)]) == len(stations)


def test_a_span_of_time_is_cut_out(picker, tmp_path):
    root = write_sds(tmp_path / "sds", station())
    span = Selection(start=MIDNIGHT - 10, end=MIDNIGHT + 200)
    ours, [*_, summary] = run(picker, [root], tmp_path / "p", selection=span)
    assert keys(ours) == keys(picker.pick(station().slice(MIDNIGHT - 10, MIDNIGHT + 199.99)))
    assert summary.hours == pytest.approx(210 / 3600)


def test_filters_on_the_command_line(preset, tmp_path, capsys):
    root = str(write_sds(tmp_path / "sds", station() + station("BBB", channels="Z")))
    out = tmp_path / "out"
    base = ["pick", root, "--preset", preset, "--output", str(out)]
    assert main([*base, "--station", "B*", "--start", "2021-05-07"]) == 0
    picks = read_picks(out / "picks.csv")
    assert {pick.station for pick in picks} == {"XX.BBB..HH"}
    assert min(pick.time for pick in picks) > MIDNIGHT
    assert [path.name for path in out.iterdir()] == ["picks.csv"]
    said = capsys.readouterr().out
    assert "hours read" in said
    assert "gaps" in said
    for options, said in (
        (["--network", "ZZ"], "no record is of network 'ZZ'. There are XX\n"),
        (["--station", "bb"], "no record is of station 'bb'. Did you mean 'BBB'?\n"),
        (["--location", "00"], "no record is of location '00'. There are --\n"),
        (["--channel", "EHZ"], "no record is of channel 'EHZ'. Did you mean 'HHZ'?\n"),
        (["--start", "2031-01-01"], "no record has such codes and times: see --network to --end\n"),
    ):
        assert main([*base, *options]) == 2
        assert capsys.readouterr().err.endswith(f"error: {said}")
    assert main([*base, "--station", "bbb"]) == 0  # capitals are no difference
    words = "--start should be a date and time, ISO 8601, such as 2020-02-29T12:30:07.25, received "
    for text in ("yesterday", "2009-08-24-00:20:07", "2010-5T13:00", "2009-366"):
        assert main([*base, "--start", text]) == 2
        assert f"error: {words}'{text}'" in capsys.readouterr().err
    assert main([*base, "--start", "2021-05-07", "--end", "2021-05-06"]) == 2
    assert "--end is after --start" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["--location=--"], {""}),
        (["--location", "--"], {""}),
        (["--location", ""], {""}),
        (["--location", "--,10"], {"", "10"}),
        (["--location", "10,--"], {"", "10"}),
        (["--location", "10"], {"10"}),
    ],
)
def test_the_empty_location_on_the_command_line(preset, tmp_path, given, wanted):
    stream = station(channels="ZZZ")
    for trace, location in zip(stream, ("", "00", "10"), strict=True):
        trace.stats.location = location
    root, out = str(write_sds(tmp_path / "sds", stream)), tmp_path / "p.csv"
    assert main(["pick", root, *given, "--preset", preset, "--output", str(out)]) == 0
    assert {pick.station.split(".")[2] for pick in read_picks(out)} == wanted


def test_patterns_are_text():
    with pytest.raises(ConfigError, match=r"location is a pattern such as .*received \['', '10'\]"):
        Selection(location=["", "10"])


def test_annotate_takes_the_codes_and_times_that_pick_takes(preset, tmp_path, capsys):
    root = str(write_sds(tmp_path / "sds", station() + station("BBB", channels="Z")))
    out = tmp_path / "a.mseed"
    base = ["annotate", root, "--preset", preset, "--output", str(out)]
    end = MIDNIGHT + 20
    assert main([*base, "--station", "B*", "--start", str(MIDNIGHT), "--end", str(end)]) == 0
    stream = read(str(out))
    assert {trace.stats.station for trace in stream} == {"BBB"}
    assert all((t.stats.starttime, t.stats.npts) == (MIDNIGHT, 2000) for t in stream)
    assert main([*base, "--network", "ZZ"]) == 2
    assert "no record is of network 'ZZ'. There are XX" in capsys.readouterr().err
    assert read(str(out))[0].stats.station == "BBB"
