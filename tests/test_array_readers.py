"""npz and text of columns: the right samples, or a FormatError that names the file."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from obspy import UTCDateTime
from reading import changes_of, damage, noise, read_or_refusal, refused

from phasenet_keras import read_labelled, read_waveforms
from phasenet_keras.io.index import group_by_station
from phasenet_keras.io.registry import noted

# -- npz ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(300, 3), (300, 1, 3)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "int64"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_of_three_channels(tmp_path, shape, dtype, save):
    data = noise(900).reshape(300, 3).astype(dtype)
    save(tmp_path / "NC.A.npz", data=data.reshape(shape))
    [wave] = read_waveforms(tmp_path / "NC.A.npz")
    assert np.array_equal(wave.data, data.astype("float32"))
    assert (wave.channels, wave.sampling_rate) == (("E", "N", "Z"), 100.0)
    assert (wave.station, wave.start_time) == ("NC.A", UTCDateTime(0))


@pytest.mark.parametrize("shape", [(300,), (300, 1), (300, 1, 1)])
def test_npz_of_one_channel_is_vertical(tmp_path, shape):
    np.savez(tmp_path / "a.npz", data=noise(300).reshape(shape))
    [wave] = read_waveforms(tmp_path / "a.npz")
    assert (wave.channels, wave.data.shape) == (("Z",), (300, 1))
    assert np.array_equal(wave.data[:, 0], noise(300).astype("float32"))


@pytest.mark.parametrize(
    ("fields", "rate", "start", "station"),
    [
        ({"dt": 0.002}, 500.0, 0, "a"),
        ({"dt": np.float32(0.02)}, 50.0, 0, "a"),
        ({"sampling_rate": 120, "dt": 0.0083}, 120.0, 0, "a"),
        ({"begin_time": "2020-01-02T03:04:05.678"}, 100.0, "2020-01-02T03:04:05.678", "a"),
        ({"t0": "2020-01-02T03:04:05.678"}, 100.0, "2020-01-02T03:04:05.678", "a"),
        ({"starttime": "2020-01-02T03:04:05.678"}, 100.0, "2020-01-02T03:04:05.678", "a"),
        ({"t0": np.datetime64("2020-01-02")}, 100.0, "2020-01-02", "a"),
        ({"station_id": "NC.XYZ..HH"}, 100.0, 0, "NC.XYZ..HH"),
        ({"station_id": b"NC.XYZ..HH"}, 100.0, 0, "NC.XYZ..HH"),
        ({"t": np.arange(100) / 250}, 250.0, 0, "a"),
        ({"time": 1.7e9 + np.arange(100) / 4}, 4.0, "2023-11-14T22:13:20", "a"),
        ({"t": np.arange(100) / 250, "t0": "2020-01-02"}, 250.0, "2020-01-02", "a"),
    ],
)
def test_npz_fields_count(tmp_path, fields, rate, start, station):
    np.savez(tmp_path / "a.npz", data=noise(300).reshape(100, 3), **fields)
    [wave] = read_waveforms(tmp_path / "a.npz")
    assert wave.sampling_rate == pytest.approx(rate, rel=1e-6)
    assert wave.start_time == UTCDateTime(start)
    assert wave.station == station


@pytest.mark.parametrize(
    ("channels", "order"),
    [
        ("HHE_HHN_HHZ", (0, 1, 2)),
        ("EHZ", (0, 1, 2)),  # PhaseNet's, of three columns of which two are zeros
        ("EH1_EH2_EHZ", (0, 1, 2)),
        (["HHZ", "HHN", "HHE"], (2, 1, 0)),
        ("ZNE", (2, 1, 0)),
        ("Z, E, N", (1, 2, 0)),
        (["HHZ", "HH1", "HH2"], (2, 1, 0)),
        ("ZRT", (2, 1, 0)),
        ("ZXY", (1, 2, 0)),
    ],
)
def test_npz_channels_in_another_order(tmp_path, channels, order):
    data = noise(300).reshape(100, 3)
    np.savez(tmp_path / "a.npz", data=data, channels=channels)
    [wave] = read_waveforms(tmp_path / "a.npz")
    assert wave.channels == ("E", "N", "Z")
    assert np.allclose(wave.data, data[:, list(order)], atol=1e-6)


def test_npz_channels_of_zeros_are_missing_ones(tmp_path):
    data = noise(300).reshape(100, 3)
    data[:, 1] = 0
    np.savez(tmp_path / "a.npz", data=data)
    [wave] = read_waveforms(tmp_path / "a.npz")
    assert wave.channels == ("E", "Z")
    assert np.array_equal(wave.data, data[:, [0, 2]].astype("float32"))
    np.savez(tmp_path / "dead.npz", data=np.zeros((100, 3)))
    [wave] = read_waveforms(tmp_path / "dead.npz")
    assert wave.data.shape == (100, 3)


def test_npz_with_nan_is_cut(tmp_path):
    data = noise(3000).reshape(1000, 3)
    data[400:410] = np.nan
    np.savez(tmp_path / "a.npz", data=data)
    waves = read_waveforms(tmp_path / "a.npz")
    assert [(wave.n_samples, wave.start_time - UTCDateTime(0)) for wave in waves] == [
        (400, 0.0),
        (590, 4.1),
    ]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"waves": np.zeros((10, 3))}, "no array 'data'; it has: waves"),
        ({}, "no array 'data'; it has: nothing"),
        ({"data": np.zeros((10, 7))}, r"of shape \(10, 7\)"),
        ({"data": np.zeros((10, 2))}, r"of shape \(10, 2\)"),
        ({"data": np.zeros((2, 5, 3))}, r"of shape \(2, 5, 3\)"),
        ({"data": 3.0}, r"of shape \(\)"),
        ({"data": np.zeros((10, 3), complex)}, "complex128"),
        ({"data": np.array(["a", "b"])}, "<U1"),
        ({"data": np.zeros((0, 3))}, "no samples"),
        ({"data": np.ones((10, 3)), "t0": "yesterday"}, "start time is no such"),
        ({"data": np.ones((10, 3)), "t0": "2009-08-24-00:20:07"}, "ISO 8601, such as 2020-02-29"),
        ({"data": np.ones((10, 3)), "t0": 2009}, "'2009' is not a date and time, ISO 8601"),
        ({"data": np.ones((10, 3)), "sampling_rate": "fast"}, "sampling rate"),
        ({"data": np.ones((10, 3)), "sampling_rate": 0}, "sampling rate"),
        ({"data": np.ones((10, 3)), "sampling_rate": -100.0}, "sampling rate"),
        ({"data": np.ones((10, 3)), "sampling_rate": np.nan}, "sampling rate"),
        ({"data": np.ones((10, 3)), "fs": 250, "dt": 0.01}, "is of 250 Hz by fs, 100 Hz by dt"),
        (
            {"data": np.ones((10, 3)), "fs": 250, "t": np.arange(10)},
            "250 Hz by fs, 1 Hz by its time",
        ),
        ({"data": np.ones((10, 3)), "t": np.arange(10) ** 2}, "its times do not grow by even st"),
        ({"data": np.ones((10, 3)), "dt": 0.0}, "sampling rate"),
        ({"data": np.ones((10, 3)), "dt": -0.01}, "sampling rate"),
        ({"data": np.ones((10, 3)), "dt": np.nan}, "sampling rate"),
        ({"data": np.ones((10, 3)), "dt": np.inf}, "sampling rate"),
        ({"data": np.ones((10, 3)), "dt": [0.01, 0.01]}, "sampling rate"),
    ],
)
def test_npz_that_are_no_records(tmp_path, fields, words):
    np.savez(tmp_path / "a.npz", **fields)
    refused(tmp_path / "a.npz", words)


def test_npz_of_objects_is_not_unpickled(tmp_path):
    np.savez(tmp_path / "a.npz", data=np.array([[1.0, None, "x"]], dtype=object))
    refused(tmp_path / "a.npz", "allow_pickle=False")


@settings(max_examples=150)
@given(
    changes=changes_of(200),
    keep=st.one_of(st.just(10**6), st.integers(1, 3000)),
    save=st.sampled_from([np.savez, np.savez_compressed]),
)
def test_damaged_npz_never_escapes_our_errors(tmp_path_factory, changes, keep, save):
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    save(path, data=noise(300).reshape(100, 3), dt=0.01)
    damage(path, changes, keep)
    read_or_refusal(path)


# -- text of columns ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "{:.5f} {:.3f}",
        "   {:.5f}    {:.3f}   ",
        "{:.5f}\t{:.3f}",
        "{:.5f},{:.3f}",
        "{:.5f} , {:.3f}",
        "{:.5f};{:.3f}",
        "{:.9E} {:+.6E}",
        "+{:.5f} {:.3e}\r",
    ],
)
def test_two_columns(tmp_path, line):
    values = noise(50).round(3)
    text = "\n".join(line.format(0.0005 * n, value) for n, value in enumerate(values))
    (tmp_path / "geophone.txt").write_text(text, newline="")
    [wave] = read_waveforms(tmp_path / "geophone.txt")
    assert wave.sampling_rate == pytest.approx(2000.0, rel=1e-6)
    assert np.allclose(wave.data[:, 0], values, rtol=1e-3)
    assert (wave.channels, wave.station) == (("Z",), "geophone")


@pytest.mark.parametrize("name", ["r.txt", "r.ascii", "r.csv", "r"])
def test_text_is_known_whatever_its_name(tmp_path, name):
    (tmp_path / name).write_text("0 1\n0.1 2\n0.2 3\n0.3 4\n")
    assert read_waveforms(tmp_path / name)[0].data[:, 0].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "text",
    [
        "0.0D0 1.0D+00\n5.0D-01 2.0D0\n1.0D+00 0.3D1\n1.5d0 4.0d0\n",
        "0.0D0 1.D+00\n5.D-01 2.D0\n1.D0 3.D0\n1.5D0 4.D0\n",
        "0. 1.\n.5 2.\n1. 3.\n1.5 4.\n",
    ],
)
def test_numbers_as_fortran_writes_them(tmp_path, text):
    (tmp_path / "f.txt").write_text(text)
    [wave] = read_waveforms(tmp_path / "f.txt")
    assert wave.sampling_rate == pytest.approx(2.0)
    assert wave.data[:, 0].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "text",
    [
        "# time amplitude\n# 2 Hz\n0 1\n0.5 2\n1 3\n1.5 4\n",
        "\n\n0 1\n\n0.5 2\n1 3\n1.5 4\n\n",
        "0 1\n0.5 2\n# a pause\n1 3\n1.5 4\n",
        "0 1  # the first\n0.5 2\n1 3\n1.5 4  # the last\n",
        "# " + "a long story " * 400 + "\n0 1\n0.5 2\n1 3\n1.5 4\n",
        "# amplitude in µm/s\n0 1\n0.5 2\n1 3\n1.5 4\n",
    ],
    ids=["head", "blank", "between", "behind", "long", "unicode"],
)
def test_comments_and_blank_lines_do_not_count(tmp_path, text):
    (tmp_path / "c.txt").write_text(text, encoding="utf-8")
    [wave] = read_waveforms(tmp_path / "c.txt")
    assert wave.data[:, 0].tolist() == [1, 2, 3, 4]


def test_time_may_start_anywhere(tmp_path):
    for first in (-0.05, 12.5, 1_600_000_000.25):
        lines = [f"{first + 0.01 * n:.6f} {n}" for n in range(200)]
        (tmp_path / "t.txt").write_text("\n".join(lines))
        [wave] = read_waveforms(tmp_path / "t.txt")
        assert wave.start_time - UTCDateTime(0) == pytest.approx(first, abs=1e-5)
        assert wave.sampling_rate == pytest.approx(100.0, rel=1e-5)


def test_times_of_few_digits_are_even(tmp_path):
    for rate, digits in ((2000, 4), (3000, 5), (100, 2)):
        lines = [f"{n / rate:.{digits}f} {n}" for n in range(4000)]
        (tmp_path / "t.txt").write_text("\n".join(lines))
        [wave] = read_waveforms(tmp_path / "t.txt")
        assert wave.sampling_rate == pytest.approx(rate, rel=1e-5)


def test_a_line_of_nan_is_a_gap(tmp_path):
    (tmp_path / "n.txt").write_text("0 1\n0.1 NaN\n0.2 3\n0.3 4\n")
    assert [w.data[:, 0].tolist() for w in read_waveforms(tmp_path / "n.txt")] == [[1], [3, 4]]


def test_two_lines_are_a_record(tmp_path):
    (tmp_path / "two.txt").write_text("0 1\n0.1 2\n")
    [wave] = read_waveforms(tmp_path / "two.txt")
    assert (wave.data[:, 0].tolist(), wave.sampling_rate) == ([1, 2], 10.0)


def test_specfem_names_carry_codes(tmp_path):
    for channel, value in (("BXX", 1.0), ("BXZ", 2.0)):
        lines = [f"{-0.1 + 0.001 * n:.6E}  {value + n:.6E}" for n in range(300)]
        (tmp_path / f"AA.S0001.{channel}.semd").write_text("\n".join(lines))
    [wave] = read_waveforms(sorted(tmp_path.iterdir()))
    assert (wave.station, wave.channels) == ("AA.S0001..BX", ("E", "Z"))
    assert wave.data[0].tolist() == [1.0, 2.0]
    assert wave.start_time - UTCDateTime(0) == pytest.approx(-0.1)


def test_equal_stations_of_runs_with_prefixes_stay_apart(tmp_path):
    lines = [f"{0.001 * n:.6E}  {n:.6E}" for n in range(300)]
    for prefix in ("m0s0", "m0.s1"):
        for channel in ("BXX", "BXZ"):
            (tmp_path / f"{prefix}.AA.S0001.{channel}.semv").write_text("\n".join(lines))
    (tmp_path / "m0s0.AA.S0001.BXZ.txt").write_text("\n".join(lines))  # no name of SPECFEM's
    waves = read_waveforms(sorted(tmp_path.iterdir()))
    assert [(wave.station, wave.channels) for wave in waves] == [
        ("AA.m0_s1_S0001..BX", ("E", "Z")),
        ("AA.m0s0_S0001..BX", ("E", "Z")),
        ("m0s0.AA.S0001.BXZ", ("Z",)),
    ]
    groups = group_by_station(sorted(tmp_path.glob("*.semv")))  # as `pick` does
    assert [[path.name[:8] for path in group] for group in groups] == [
        ["m0.s1.AA"] * 2,
        ["m0s0.AA."] * 2,
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1.0\n2.0\n3.0\n4.0\n", "no format known"),
        ("0 1 2\n1 2 3\n2 3 4\n3 4 5\n", "no format known"),
        ("0 1\n", "no format known"),
        ("0.0 1\n0.1 2\n0.5 3\n0.6 4\n", "do not grow by even steps"),
        ("0.0 1\n0.1 2\n0.3 3\n0.4 4\n0.5 5\n", "do not grow by even steps"),
        ("3 1\n2 2\n1 3\n0 4\n", "do not grow by even steps"),
        ("1 1\n1 2\n1 3\n1 4\n", "do not grow by even steps"),
        ("0 1\n1 2\n2 3\n0 4\n1 5\n2 6\n", "do not grow by even steps"),
        ("".join(f"{n} {n}\n" for n in range(40)) + "40 four\n", "no table .* 'four'"),
        ("".join(f"{n} {n}\n" for n in range(40)) + "40 1 1\n", "no table of time"),
        ("".join(f"{n} {n}\n" for n in range(40)) + "nan 1\n", "do not grow by even steps"),
        ("To whom it may concern,\nthere is no waveform here.\n", "no format known"),
        ("time,amplitude\n0,a\n1,b\n", "no format known"),
        ("a,b\n1,2\n3,4\n", "no format known"),
        ("1e20 1\n2e20 2\n3e20 3\n4e20 4\n", "time"),
        ("0 1\n1e-320 2\n2e-320 3\n3e-320 4\n", "time|sampling rate"),
    ],
    ids=[
        "one_column", "three_columns", "one_line", "uneven", "lost_line", "decreasing", "equal",
        "starts_again", "word", "late_third_column", "nan_time", "prose", "words", "heading",
        "far_future", "tiny_step",
    ],
)  # fmt: skip
def test_text_that_is_no_record(tmp_path, text, words):
    (tmp_path / "bad.txt").write_text(text)
    refused(tmp_path / "bad.txt", words)


@pytest.mark.parametrize(
    ("fields", "rate_hz", "said"),
    [
        ({"fs": 1e7}, 1e7, None),
        ({"SamplingRate": 4000}, 4000.0, None),
        ({"sampling_rate_mhz": 10.0}, 1e7, None),
        ({"dt_us": 0.1}, 1e7, None),
        ({"itp": 100}, 100.0, None),  # PhaseNet's layout is of 100 Hz
        ({"df": 1e7, "freq": 1e7}, 100.0, "npz: no sampling rate .* is it freq?"),
    ],
)
def test_names_of_the_rate_in_npz(tmp_path, fields, rate_hz, said):
    np.savez(tmp_path / "a.npz", data=noise(300).reshape(100, 3), **fields)
    with noted() as notes:
        [wave] = read_waveforms(tmp_path / "a.npz")
    assert wave.sampling_rate == pytest.approx(rate_hz, rel=1e-7)
    assert [bool(re.search(said, note)) for note in notes] == [True] if said else not notes


def test_one_channel_in_npz_without_a_rate_is_said_once(tmp_path):
    for number in range(3):
        np.savez(tmp_path / f"{number}.npz", data=noise(300, number))
    with noted() as notes:
        waves = read_waveforms(tmp_path)
    assert {wave.sampling_rate for wave in waves} == {100.0}
    assert set(notes) == {"npz: no sampling rate (sampling_rate_hz, dt_s), 100 Hz is assumed"}


def test_channels_that_are_zero_in_a_labelled_npz_are_channels_of_its_record(tmp_path):
    data = np.zeros((600, 3), np.float32)
    data[:, 1] = np.random.default_rng(0).standard_normal(600)
    np.savez(tmp_path / "a.npz", data=data, itp=100)
    np.savez(tmp_path / "b.npz", data=data[:, 1:2], itp=100)
    assert read_waveforms(tmp_path / "a.npz")[0].channels == ("N",)
    records = {r.name: r.waveform for r in read_labelled(tmp_path)}
    assert {name: wave.channels for name, wave in records.items()} == {
        "a": ("E", "N", "Z"),
        "b": ("Z",),
    }
    assert np.array_equal(records["a"].data, data)
