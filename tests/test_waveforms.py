"""From traces to waveforms: what belongs together."""

from __future__ import annotations

import itertools
import re
import warnings

import numpy as np
import pytest
from obspy import Stream, Trace, read
from traces import START, noise, quietly, spans, trace

from phasenet_keras import read_waveforms
from phasenet_keras.io.channel_files import said_of_channels
from phasenet_keras.io.instruments import Heard, station_id
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.waveforms import waveforms_of
from phasenet_keras.types import FormatError, PhaseNetKerasError, TextOnlyError

# -- what belongs together ------------------------------------------------------------------------


def test_three_files_of_one_channel_come_together(tmp_path):
    data = {name: noise(3000, seed) for seed, name in enumerate("ENZ")}
    for name, format_name in (("N", "MSEED"), ("Z", "SAC"), ("E", "MSEED")):
        path = str(tmp_path / f"{name}.dat")
        trace(data[name], f"HH{name}").write(path, format=format_name)
    paths = [tmp_path / f"{name}.dat" for name in "NZE"]
    for order in itertools.permutations(paths):
        [wave] = read_waveforms(order)
        assert (wave.station, wave.channels) == ("XX.AA..HH", ("E", "N", "Z"))
        assert np.array_equal(wave.data, np.stack([data[name] for name in "ENZ"], axis=1))
        assert abs(wave.start_time - START) < 1e-3
        assert wave.source == "Z.dat"


def test_a_multiplexed_file_of_several_stations(tmp_path):
    traces = [
        trace(noise(2000, 3 * number + column), f"HH{name}", station=station)
        for number, station in enumerate(["CC", "AA", "BB"])
        for column, name in enumerate("ZNE")
    ]
    Stream(traces).write(str(tmp_path / "all.mseed"), format="MSEED")
    waves = read_waveforms(tmp_path / "all.mseed")
    assert [wave.station for wave in waves] == ["XX.AA..HH", "XX.BB..HH", "XX.CC..HH"]
    assert all(wave.channels == ("E", "N", "Z") for wave in waves)
    assert np.array_equal(waves[2].data[:, 2], traces[0].data)
    assert np.array_equal(waves[0].data[:, 0], traces[5].data)


@pytest.mark.parametrize(
    "codes",
    ["HHE HHN HHZ", "EH2 EH1 EHZ", "Ch3 Ch2 Ch1", "HHU HHV HHZ", "HHT HHR HHZ", "BXX BXY BXZ",
     "EW NS UD", "EW1 NS1 UD1", "e n z"],
)  # fmt: skip
def test_aliases_make_one_station_in_canonical_order(codes):
    traces = [trace(np.full(300, n + 1.0), code) for n, code in enumerate(codes.split())]
    for order in itertools.permutations(traces):
        [wave] = quietly(*order)
        assert wave.channels == ("E", "N", "Z")
        assert wave.data[0].tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    "other",
    [
        {"location": "10"},
        {"station": "BB"},
        {"network": "YY"},
        {"channel": "BHZ"},
    ],
)
def test_other_codes_stay_apart(other):
    waves = quietly(trace(noise(600)), trace(noise(600, 1), **other))
    assert len(waves) == 2
    assert sorted(wave.data[0, 0] for wave in waves) == sorted([noise(1)[0], noise(1, 1)[0]])
    assert [wave.station for wave in waves] == sorted(wave.station for wave in waves)


def test_different_rates_of_one_station_keep_their_samples_and_are_said():
    vertical, east = trace(noise(600)), trace(noise(1200, 1), "HHE", rate=200.0)
    with pytest.warns(RecordWarning, match=r"XX\.AA\.\.HH has .*\(HHZ 100 Hz, HHE 200 Hz\)"):
        waves = waveforms_of(Stream([vertical, east]))
    later = trace(noise(1200, 1), lag_s=6.0, rate=200.0)
    assert len(quietly(vertical, later)) == 2  # a logger was set anew: nothing is there twice
    at_its_end = trace(noise(1200, 1), lag_s=5.99, rate=200.0)
    assert len(quietly(vertical, at_its_end)) == 2
    before_its_end = trace(noise(1200, 1), lag_s=5.98, rate=200.0)
    with pytest.warns(RecordWarning, match="different rates at one time"):
        waveforms_of(Stream([vertical, before_its_end]))
    assert {(w.sampling_rate, w.channels, w.n_samples) for w in waves} == {
        (100.0, ("Z",), 600),
        (200.0, ("E",), 1200),
    }


@pytest.mark.parametrize(
    ("stations", "said"),
    [("AAA", r"\.A\.\.BH has"), ("ABBA", "BH and 1 more station has"), ("ABC", "2 more stations")],
)
def test_stations_are_counted_not_their_files(stations, said):
    heard = [
        Heard((f".{name}..BH", f"/d/q{number}", rate_hz), "BHZ", 0, 9)
        for number, name in enumerate(stations)
        for rate_hz in (50.0, 100.0)
    ]
    [text] = said_of_channels(heard)
    assert re.search(said, text)


def test_rates_that_differ_by_rounding_are_one():
    east = trace(noise(3000), "HHE", rate=1 / np.float32(0.01))
    [wave] = quietly(trace(noise(3000, 1)), east)
    assert (wave.channels, wave.n_samples) == (("E", "Z"), 3000)


def test_a_channel_that_stands_for_the_same_component_is_left_out_and_named():
    traces = [trace(noise(300)), trace(noise(300, 1), "HHE"), trace(noise(300, 2), "HH2")]
    with pytest.warns(RecordWarning, match=r"XX\.AA\.\.HH: channels HH2 left out"):
        [wave] = waveforms_of(traces)
    assert wave.channels == ("E", "Z")
    assert np.array_equal(wave.data[:, 0], noise(300, 1))


def test_a_channel_that_stands_for_no_component_is_left_out_and_named():
    with pytest.warns(RecordWarning, match="HHQ left out"):
        [wave] = waveforms_of([trace(noise(300), "HHQ"), trace(noise(300), "HHZ")])
    assert wave.channels == ("Z",)


def test_a_single_channel_of_any_name_is_vertical():
    with pytest.warns(RecordWarning, match="HDH .* is taken as the vertical"):
        [wave] = waveforms_of([trace(noise(300), "HDH")])
    assert wave.channels == ("Z",)
    [wave] = quietly(trace(noise(300), ""))
    assert wave.channels == ("Z",)


def test_files_of_one_name_in_two_folders_are_not_mixed(tmp_path):
    """Receiver 1 of shot 1 and of shot 2: nothing but the folder tells them apart."""
    for number, shot in enumerate(("shot1", "shot2")):
        (tmp_path / shot).mkdir()
        lines = [f"{0.001 * n:.3f} {value:.4f}" for n, value in enumerate(noise(500, number))]
        (tmp_path / shot / "receiver1.txt").write_text("\n".join(lines))
    paths = [tmp_path / "shot1/receiver1.txt", tmp_path / "shot2/receiver1.txt"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        waves = read_waveforms(paths)
    assert len(waves) == 2
    firsts = sorted(wave.data[0, 0] for wave in waves)
    assert firsts == pytest.approx(sorted([noise(1, 0)[0], noise(1, 1)[0]]), abs=1e-3)


@pytest.mark.parametrize("format_name", ["SEGY", "SU"])
def test_traces_of_a_gather_are_stations_of_their_own(tmp_path, format_name):
    traces = [trace(noise(400, n), "", rate=1000.0, network="", station="") for n in range(12)]
    options = {"data_encoding": 5} if format_name == "SEGY" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Stream(traces).write(str(tmp_path / "g.x"), format=format_name, byteorder=">", **options)
    waves = read_waveforms(tmp_path / "g.x")
    assert [wave.station for wave in waves] == [f"g-{n:04d}" for n in range(1, 13)]
    assert all(np.array_equal(w.data[:, 0], t.data) for w, t in zip(waves, traces, strict=True))
    assert all(wave.channels == ("Z",) for wave in waves)


def test_a_gather_of_one_trace_is_called_after_its_file(tmp_path):
    trace(noise(400), "", rate=1000.0).write(
        str(tmp_path / "one.segy"), format="SEGY", data_encoding=5
    )
    assert [wave.station for wave in read_waveforms(tmp_path / "one.segy")] == ["one"]


def test_station_ids():
    assert station_id(trace(noise(9), location="00")) == "XX.AA.00.HH"
    assert station_id(trace(noise(9), "UD")) == "XX.AA.."
    named = trace(noise(9))
    named.stats.station_name = "geophone 7"
    assert station_id(named) == "geophone 7"


def test_a_stations_name_may_be_set_by_hand():
    traces = [trace(noise(300)), trace(noise(300, 1), "HHE")]
    for item in traces:
        item.stats.station_name = "geophone 7"
    [wave] = quietly(*traces)
    assert (wave.station, wave.channels) == ("geophone 7", ("E", "Z"))


def test_log_messages_in_a_stream_are_left_out():
    log = trace(np.frombuffer(b"clock locked", "|S1"), "LOG", rate=1.0)
    assert spans(waveforms_of([trace(noise(300)), log])) == [("Z", 0, 300)]


def test_stations_that_give_no_record_are_said():
    good, empty, nan = (trace(noise(600), station=name) for name in "ABC")
    empty.data = empty.data[:0]
    nan.data = np.full(600, np.nan)
    said = r"no record of XX\.B\.\.HH, XX\.C\.\.HH: there is no sample, or none but NaN"
    with pytest.warns(RecordWarning, match=said) as caught:
        [wave] = read_waveforms(Stream([good, empty, nan, nan.copy()]))
    assert (len(caught), wave.n_samples) == (1, 600)
    with pytest.warns(RecordWarning, match="no record of a trace without codes"):
        assert waveforms_of([Trace()]) == []
    # What is left of a record says by its channels and its length what is not there.
    beside, later = nan.copy(), nan.copy()
    beside.stats.update({"station": "A", "channel": "HHN"})
    later.stats.update({"station": "A", "starttime": later.stats.starttime + 60})
    assert [wave.channels for wave in quietly(good, beside, later)] == [("Z",)]


def test_a_trace_without_sampling_rate_is_refused_as_ours():
    bad = trace(noise(300))
    bad.stats.sampling_rate = 0.0
    with pytest.raises(PhaseNetKerasError, match=r"XX\.AA\.\.HH.*sampling rate"):
        waveforms_of([bad])


def test_streams_traces_files_and_nothing_are_sources(tmp_path):
    assert read_waveforms()[0].data.shape == (3000, 3)
    assert spans(read_waveforms(trace(noise(300)))) == [("Z", 0, 300)]
    assert spans(read_waveforms(Stream([trace(noise(300))]))) == [("Z", 0, 300)]
    assert read_waveforms([]) == read_waveforms(Stream()) == []
    trace(noise(300)).write(str(tmp_path / "a"), format="MSEED")
    assert len(read_waveforms(str(tmp_path / "a"))) == len(read_waveforms([tmp_path / "a"])) == 1
    assert len(read_waveforms(path for path in tmp_path.iterdir())) == 1


def test_reading_leaves_a_stream_as_it_was():
    stream = read()
    stream[0].data = np.ma.masked_less(stream[0].data, -1000.0)
    before = stream.copy()
    read_waveforms(stream)
    assert [item.id for item in stream] == [item.id for item in before]
    for item, old in zip(stream, before, strict=True):
        assert np.array_equal(np.ma.getmaskarray(item.data), np.ma.getmaskarray(old.data))
        assert np.array_equal(np.ma.getdata(item.data), np.ma.getdata(old.data))


# -- real records ---------------------------------------------------------------------------------


@pytest.mark.shared
def test_two_hour_files_of_three_channels_make_six_hours(shared):
    waves = read_waveforms(sorted((shared / "data/continuous/colombia").glob("CM.CHI*")))
    assert {wave.station for wave in waves} == {"CM.CHI.00.HH"}
    assert sum(wave.duration_s for wave in waves) == pytest.approx(6 * 3600, abs=40)
    assert all(wave.channels == ("E", "N", "Z") for wave in waves)


@pytest.mark.shared
def test_seven_stations_in_files_of_one_channel(shared):
    waves = read_waveforms(sorted((shared / "data/continuous/oklahoma").iterdir()))
    # U32A has two instruments; W35A a gap, after which N is back 4 s before the others.
    assert len({wave.station for wave in waves}) == 8
    found = [("".join(w.channels), w.n_samples) for w in waves if w.station == "OK.W35A..EH"]
    assert found == [("ENZ", 18_017), ("N", 277), ("ENZ", 15_359)]
    others = [wave for wave in waves if wave.station != "OK.W35A..EH"]
    assert all(wave.channels == ("E", "N", "Z") for wave in others)


# -- files, folders, patterns ---------------------------------------------------------------------


def test_folders_and_patterns_are_their_files(tmp_path, monkeypatch):
    (tmp_path / "in/deep").mkdir(parents=True)
    for name, path in (("AA", "a.msd"), ("BB", "deep/b.msd"), ("CC", "c.sac")):
        kind = "SAC" if path.endswith("sac") else "MSEED"
        trace(noise(600), station=name).write(str(tmp_path / "in" / path), format=kind)
    monkeypatch.chdir(tmp_path)

    def stations(source):
        return [wave.station[3:5] for wave in read_waveforms(source)]

    assert stations("in") == stations(tmp_path / "in") == ["AA", "BB", "CC"]
    assert stations("in/*.msd") == ["AA"]
    assert stations("in/**/*.msd") == stations(["in/a.msd", "in/deep", "in/a.msd"]) == ["AA", "BB"]
    with pytest.raises(FormatError, match=r"no file matches in/\*\.gse"):
        read_waveforms("in/*.gse")
    (tmp_path / "none").mkdir()
    with pytest.raises(FormatError, match="none is a folder without files"):
        read_waveforms("none")


def test_log_files_of_a_folder_are_passed_over(tmp_path):
    trace(noise(600)).write(str(tmp_path / "a.msd"), format="MSEED")
    text = np.frombuffer(b"battery 12.1 V " * 9, "S1")
    log = trace(text, "LOG")
    log.write(str(tmp_path / "log.msd"), format="MSEED", encoding="ASCII")
    assert len(read_waveforms(tmp_path)) == 1
    with pytest.raises(TextOnlyError, match="a logger's messages"):
        read_waveforms(tmp_path / "log.msd")


@pytest.mark.parametrize("dtype", [np.complex64, object])
def test_samples_that_are_no_real_numbers_are_said(dtype):
    with pytest.warns(RecordWarning, match=f"HHN: samples of type {np.dtype(dtype)} are left out"):
        [wave] = waveforms_of([trace(noise(600).astype(dtype), "HHN"), trace(noise(600), "HHZ")])
    assert wave.channels == ("Z",)
    assert quietly(trace(np.frombuffer(b"text" * 99, "S1"), "LOG")) == []


@pytest.mark.parametrize(("code", "said"), [("", " or channel are"), ("Z", ", all of channel Z,")])
def test_traces_of_one_time_that_nothing_tells_apart_are_refused(code, said):
    gather = [trace(noise(600, seed), code, network="", station="") for seed in range(50)]
    with pytest.raises(FormatError, match=f"^50 traces without codes of network and station{said}"):
        waveforms_of(Stream(gather))
    with pytest.raises(FormatError, match=r"give each its trace\.stats\.station"):
        waveforms_of([gather[0], trace(noise(600, 1), code, network="", station="", lag_s=2.99)])
    for number, item in enumerate(gather):
        item.stats.station = f"R{number:03d}"
    assert len(quietly(*gather)) == 50


def test_traces_without_codes_that_go_on_or_are_copies_are_one_record():
    data = noise(2000)
    parts = [
        trace(data[begin : begin + 600], "", network="", station="", lag_s=begin / 100)
        for begin in (0, 0, 200, 600, 1400)
    ]
    assert spans(quietly(*parts)) == [("Z", 0, 1200), ("Z", 1400, 600)]
    channels = [trace(noise(600, n), code, network="", station="") for n, code in enumerate("ZNE")]
    assert spans(quietly(*channels)) == [("ENZ", 0, 600)]


def test_of_a_folder_in_which_nothing_can_be_read_all_errors_are_told_up_to_three(tmp_path):
    for number, name in enumerate("abcd", start=1):
        (tmp_path / name).write_bytes(b"\x7fELF" + name.encode() * 40)
        with pytest.raises(FormatError) as caught:
            read_waveforms(tmp_path)
        said = [f"{tmp_path / n} is of no format known here" for n in "abcd"]
        assert [text in str(caught.value) for text in said] == [
            n < min(number, 3) for n in range(4)
        ]
        told = f"none of {number} files can be read: "
        assert str(caught.value).startswith(told if number > 1 else said[0])
        assert str(caught.value).endswith("; …") == (number == 4)
