"""Files of nodes by serial number and component, without codes of network and station."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from obspy import Trace, UTCDateTime

from phasenet_keras.io.blocks import blocks_of, read_block
from phasenet_keras.io.instruments import record_key
from phasenet_keras.io.sources import read_labelled
from phasenet_keras.io.waveforms import read_waveforms

BEGIN = UTCDateTime(2024, 1, 2)
N_SAMPLES, RATE_HZ = 2000, 2.0
NODES = ("453000123", "453000207")
NAME = "{node}.1.{day}.00.00.00.000.{letter}.miniseed"


def values_of(node, letter):
    rng = np.random.default_rng([int(node), ord(letter)])
    return rng.integers(-999, 999, N_SAMPLES, "int32")


def write(path, data, begin=BEGIN, channel="", **options):
    header = {"sampling_rate": RATE_HZ, "starttime": begin, "channel": channel}
    Trace(data, header).write(str(path), format="MSEED", **options)


def write_nodes(folder, has_channel, letters="ENZ", begin=BEGIN):
    folder.mkdir()
    for node in NODES:
        for letter in letters:
            path = folder / NAME.format(node=node, day=begin.strftime("%Y.%m.%d"), letter=letter)
            write(path, values_of(node, letter), begin, letter if has_channel else "")
    return folder


@pytest.mark.parametrize("begin", [BEGIN, UTCDateTime(0)])
@pytest.mark.parametrize("has_channel", [True, False])
def test_components_of_a_node_are_one_record(tmp_path, has_channel, begin):
    waves = read_waveforms(write_nodes(tmp_path / "in", has_channel, begin=begin))
    assert [wave.station for wave in waves] == [f"{node}.1" for node in NODES]
    for node, wave in zip(NODES, waves, strict=True):
        assert wave.channels == ("E", "N", "Z")
        assert np.array_equal(wave.data, np.stack([values_of(node, c) for c in "ENZ"], axis=1))


def test_labels_by_serial_number_and_time_and_by_file_are_of_all_components(tmp_path):
    write_nodes(tmp_path / "in", has_channel=False)
    onsets = {node: 7 + n for n, node in enumerate(NODES)}
    files = {node: NAME.format(node=node, day="2024.01.02", letter="Z") for node in NODES}
    for name, rows in (
        ("times.csv", [("station", "p_time"), *((f"{n}.1", BEGIN + s) for n, s in onsets.items())]),
        ("files.csv", [("fname", "p_time_s"), *((files[n], s) for n, s in onsets.items())]),
    ):
        with (tmp_path / name).open("w", newline="") as file:
            csv.writer(file).writerows(rows)
        records = read_labelled(tmp_path / "in", tmp_path / name)
        found = {r.waveform.station: (r.waveform.channels, r.arrivals["P"]) for r in records}
        assert found == {f"{n}.1": (("E", "N", "Z"), (RATE_HZ * s,)) for n, s in onsets.items()}


@pytest.mark.parametrize("days", [
    ("2024-01-02", "2024-01-03"),
    ("2024.01.02.23.43.20.000", "2024.01.03.00.00.00.000"),
    ("2024.01.03_074320", "2024.01.03_080000"),  # eight hours east
])  # fmt: skip
def test_days_of_a_node_go_on_but_for_those_of_other_folders(tmp_path, days):
    midnight = BEGIN + 86_400
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for day, begin in zip(days, (midnight - N_SAMPLES / RATE_HZ, midnight), strict=True):
            write(tmp_path / folder / f"9.{day}.mseed", values_of("9", "Z"), begin)
    waves = read_waveforms(tmp_path)
    assert [(wave.station, wave.n_samples) for wave in waves] == [("9", 2 * N_SAMPLES)] * 2


@pytest.mark.parametrize("names", [
    ("x.2024.01.02_01.mseed", "x.2024.01.02_02.mseed"),  # two sensors, not two days
    ("dome_N.mseed", "dome_E.mseed", "dome_S.mseed", "dome_W.mseed"),
    ("a.2024.13.02.mseed", "a.2024.14.02.mseed"),
])  # fmt: skip
def test_other_names_are_those_of_stations(tmp_path, names):
    for number, name in enumerate(names):
        write(tmp_path / name, values_of(str(number), "Z"))
    waves = read_waveforms(tmp_path)
    assert [(wave.channels, wave.n_samples) for wave in waves] == [(("Z",), N_SAMPLES)] * len(names)
    assert len({wave.station for wave in waves}) == len(names)


@pytest.mark.parametrize(("rate_hz", "begin", "names"), [
    (1.0, BEGIN + 4100, ("ev_2024.01.02_0301.sac", "ev_2024.01.02_0302.sac")),  # no minutes
    (1.0, UTCDateTime(2000, 1, 1), ("ev.2024.01.02.sac", "ev.2024.01.03.sac")),  # no clock
    (100.0, BEGIN, ("ev_2024-01-02T00-00-00.sac", "ev_2024-01-02T00-00-01.sac")),  # events
])  # fmt: skip
def test_days_and_times_in_names_tell_records_apart_that_are_short_or_begin_at_others(
    tmp_path, rate_hz, begin, names
):
    for number, name in enumerate(names):
        header = {"sampling_rate": rate_hz, "starttime": begin}
        Trace(values_of(str(number), "Z"), header).write(str(tmp_path / name), format="SAC")
    waves = read_waveforms(tmp_path)
    assert [wave.station for wave in waves] == [name.removesuffix(".sac") for name in names]
    for number, wave in enumerate(waves):
        assert np.array_equal(wave.data[:, 0], values_of(str(number), "Z"))


@pytest.mark.parametrize(("names", "code", "stations"), [
    (("PFZ", "KRZ", "JAZZ"), "Z", ["JAZZ", "KRZ", "PFZ"]),
    (("PFE", "PFN", "PFZ", "KRE", "KRN", "KRZ"), "", ["KR", "PF"]),
    (("n1.DPZ", "n2.DPZ"), "DPZ", ["n1", "n2"]),
    (("x.UD2", "x.EW2", "x.NS2"), "", ["x.2"]),
])  # fmt: skip
def test_a_letter_is_of_a_component_by_itself_or_beside_others(tmp_path, names, code, stations):
    for name in names:
        word = name.rpartition(".")[2]
        channel = code or (word if word[-1].isdecimal() else word[-1])
        write(tmp_path / f"{name}.mseed", values_of("1", name[-1]), channel=channel)
    assert sorted(wave.station for wave in read_waveforms(tmp_path)) == stations


def test_channels_of_a_folder_are_called_after_it_from_inside_too(tmp_path, monkeypatch):
    (tmp_path / "ev1").mkdir()
    for letter in "ENZ":
        write(tmp_path / "ev1" / f"BH{letter}.mseed", values_of("1", letter), channel=f"BH{letter}")
    monkeypatch.chdir(tmp_path / "ev1")
    [wave] = read_waveforms("*.mseed")
    assert (wave.station, wave.channels) == ("ev1", ("E", "N", "Z"))


def test_each_block_of_a_long_file_is_of_the_record_of_the_file(tmp_path):
    for letter in "ENZ":
        write(tmp_path / f"7.2024.01.02.{letter}.mseed", np.arange(30_000), reclen=512)
    path = tmp_path / "7.2024.01.02.N.mseed"
    blocks = [block for block, _ in blocks_of(path, 1 << 13)]
    assert len(blocks) > 2
    keys = {record_key(trace) for block in blocks for trace in read_block(block)}
    assert keys == {heard.key for block in blocks for heard in block.codes}
    assert keys == {("7", str(tmp_path / "7.*.mseed"), RATE_HZ)}


def test_components_x_y_and_z_are_one_record_too(tmp_path):
    for letter in "XYZ":
        write(tmp_path / f"8_{letter}.mseed", values_of("8", letter))
    [wave] = read_waveforms(tmp_path)
    assert (wave.station, wave.channels) == ("8", ("E", "N", "Z"))
    assert np.array_equal(wave.data, np.stack([values_of("8", c) for c in "XYZ"], axis=1))
