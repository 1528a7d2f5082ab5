"""Hydrophones: a vertical only where a station has no other; and the channels that are wanted."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from archives import keys, run, station
from obspy import Stream, Trace
from sources import T0, by_name
from sources import run as prepare

from phasenet_keras.cli import main
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.selection import Selection
from phasenet_keras.io.tables import read_picks
from phasenet_keras.io.waveforms import read_waveforms
from phasenet_keras.picking.archive import plan_archive
from phasenet_keras.picking.files import FileReport

LEFT_OUT = "HDH (pressure, as of a hydrophone) is left out where the station has a seismometer's"
TAKEN = "HDH (pressure, as of a hydrophone) is taken as the vertical where the station has no other"


def ocean_bottom(codes, name="OBS1", start=T0):
    """Channels of a station with a spike at sample 700."""
    stream = Stream()
    for number, code in enumerate(codes):
        data = (
            np.random.default_rng([number, *name.encode()])
            .normal(500, 20, 3000)
            .round()
            .astype("int32")
        )
        data[700] += 1500
        header = {"network": "XO", "station": name, "channel": code, "sampling_rate": 100.0}
        stream.append(Trace(data, {**header, "starttime": start}))
    return stream


def write(folder, stream):
    """One file a channel."""
    folder.mkdir(exist_ok=True)
    for trace in stream:
        trace.write(str(folder / f"{trace.id}.mseed"), format="MSEED")
    return folder


@pytest.mark.parametrize("is_in_one_file", [True, False])
def test_pressure_beside_a_vertical_is_not_picked(picker, is_in_one_file, tmp_path):
    stream = ocean_bottom(["HHZ", "HDH"]) + ocean_bottom(["HDH"], "OBS2")
    if is_in_one_file:
        (tmp_path / "in").mkdir()
        stream.write(str(tmp_path / "in" / "all.mseed"), format="MSEED")
    else:
        write(tmp_path / "in", stream)
    picks, events = run(picker, [tmp_path / "in"], tmp_path / "parts")
    assert {(p.station, p.sample) for p in picks} == {("XO.OBS1..HH", 700), ("XO.OBS2..HD", 700)}
    texts = [e.text for e in events if isinstance(e, FileReport)]
    assert len(texts) == 2
    assert texts[0].startswith(LEFT_OUT)
    assert texts[0].endswith("--channel HDH takes it alone")
    assert texts[1] == TAKEN
    with pytest.warns(RecordWarning, match="HDH"):
        assert keys(picks) == keys(picker.pick(stream))
    alone = Selection(channel="HDH")
    picks, _ = run(picker, [tmp_path / "in"], tmp_path / "parts2", selection=alone)
    assert {p.station for p in picks} == {"XO.OBS1..HD", "XO.OBS2..HD"}


@pytest.mark.parametrize("block_bytes", [1 << 13, 1 << 21])
@pytest.mark.parametrize("is_cut", [True, False])
def test_what_is_left_out_does_not_depend_on_how_a_record_is_cut(
    picker, is_cut, block_bytes, tmp_path
):
    vertical, pressure = ocean_bottom(["HHZ", "HDH"])
    pressure.data = np.tile(pressure.data, 10)
    pressure.stats.sampling_rate = vertical.stats.sampling_rate = 0.05  # a week
    parts = [pressure]
    if is_cut:
        parts = [pressure.slice(T0 + n * 86_400, T0 + n * 86_400 + 86_399) for n in range(7)]
    (tmp_path / "in").mkdir()
    for number, trace in enumerate([vertical, *parts]):
        trace.write(str(tmp_path / "in" / f"{number}.mseed"), format="MSEED", reclen=512)
    plan = plan_archive(picker, [tmp_path / "in"], block_bytes=block_bytes)
    texts = []
    while True:
        try:
            event = next(plan)
        except StopIteration as end:
            stations = {name for job in end.value for b in job.blocks for name in b.stations}
            break
        texts += [event.text] if isinstance(event, FileReport) else []
    assert stations == {"XO.OBS1..HH"}
    assert [text[:30] for text in texts] == [LEFT_OUT[:30]]
    with pytest.warns(RecordWarning, match="HDH"):
        waves = read_waveforms(tmp_path / "in")
    assert [wave.station for wave in waves] == ["XO.OBS1..HH"]


@pytest.mark.parametrize("other", ["LKO", "VMZ", "HHF", "HHE"])
def test_what_is_no_seismometers_vertical_leaves_pressure_alone(other):
    with pytest.warns(RecordWarning) as caught:
        waves = read_waveforms(ocean_bottom(["BDF", other]))
    assert ("XO.OBS1..BD", ("Z",)) in [(wave.station, wave.channels) for wave in waves]
    assert [str(w.message) for w in caught] == [TAKEN.replace("HDH", "BDF")]


def test_of_two_channels_of_pressure_one_is_the_vertical():
    stream = ocean_bottom(["BDF", "BDO"])
    with pytest.warns(RecordWarning) as caught:
        [wave] = read_waveforms(stream)
    assert (wave.station, wave.channels) == ("XO.OBS1..BD", ("Z",))
    assert np.array_equal(wave.data[:, 0], stream[0].data)
    assert str(caught[0].message) == TAKEN.replace("HDH", "BDF")
    assert "channels BDO left out" in str(caught[1].message)
    assert len(caught) == 2


def test_a_strange_code_is_no_pressure():
    # Neither a vertical of a borehole in Japan, nor a strange letter of a seismometer, is pressure.
    others = ocean_bottom(["UD2", "EW2", "NS2"], "KIK")
    with warnings.catch_warnings(action="error"):
        [wave] = read_waveforms(others)
    assert wave.channels == ("E", "N", "Z")


@pytest.mark.parametrize("options", [[], ["--plot", "figures"]])
def test_the_command_says_it_once(preset, options, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = ("OBS1", "OBS2", "OBS3")
    stream = sum((ocean_bottom(["HHZ", "HDH"], name) for name in names), Stream())
    write(tmp_path / "in", stream)
    order = ["pick", "in", "--preset", preset, "--output", "p.csv", *options]
    assert main(order) == 0
    assert {p.station for p in read_picks("p.csv")} == {f"XO.{name}..HH" for name in names}
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("note") == said.count(LEFT_OUT) == 1


def test_data_sets_hold_no_pressure_beside_a_vertical(tmp_path, capsys):
    names = [f"OBS{number}" for number in range(6)]
    stream = Stream()
    for number, name in enumerate(names):
        codes = ["HHZ", "HDH"] if number < 3 else ["HDH"]
        stream += ocean_bottom(codes, name, T0 + 1000 * number)
    write(tmp_path / "in", stream)
    rows = [f"XO,{name},P,{T0 + 1000 * number + 7}" for number, name in enumerate(names)]
    times = tmp_path / "times.csv"
    times.write_text("\n".join(["network,station,phase,time", *rows]) + "\n")
    samples = tmp_path / "samples.csv"
    samples.write_text("\n".join(["network,station,itp", *(f"XO,{n},700" for n in names)]) + "\n")
    for number, labels in enumerate((times, samples)):
        output = tmp_path / f"set{number}"
        assert prepare(tmp_path / "in", "--labels", labels, "--output", output) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert said.count(LEFT_OUT) == said.count(TAKEN) == 1
        found = {r.waveform.station for r in by_name(output).values()}
        expected = {f"XO.{name}..H{'H' if n < 3 else 'D'}" for n, name in enumerate(names)}
        assert found == expected
        output = tmp_path / f"pressure{number}"
        order = ["--labels", labels, "--output", output, "--channel", "HDH"]
        assert prepare(tmp_path / "in", *order) == 0
        assert {r.waveform.station for r in by_name(output).values()} == {
            f"XO.{name}..HD" for name in names
        }
        # Another selection is another data set.
        assert prepare(tmp_path / "in", *order[:-1], "HHZ") == 2
        assert "its channel is HDH, not HHZ" in capsys.readouterr().err


def test_what_is_whole_has_no_channels_to_select(tmp_path, capsys):
    write(tmp_path / "in", station(n_samples=600, channels="Z"))
    (tmp_path / "l.csv").write_text("network,station,phase,time\nXX,AA,P,2021-05-06T23:55:02\n")
    order = [tmp_path / "in", "--labels", tmp_path / "l.csv", "--output", tmp_path / "set"]
    assert prepare(*order, "--station", "BB*") == 2
    assert "no record is of station 'BB*'. There are AA\n" in capsys.readouterr().err
    assert prepare(*order, "--station", "AA", "--channel", "EHZ") == 2
    assert "no record is of channel 'EHZ'. Did you mean 'HHZ'?\n" in capsys.readouterr().err
    np.savez(tmp_path / "a.npz", data=np.zeros((600, 1)), itp=3)
    assert prepare(tmp_path / "a.npz", "--output", tmp_path / "set", "--channel", "Z") == 2
    assert "npz: its records are whole" in capsys.readouterr().err
