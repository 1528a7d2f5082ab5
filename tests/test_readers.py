"""Files of every format: the right samples, or a FormatError that names the file."""

from __future__ import annotations

import pickle
import struct
import warnings
from pathlib import Path

import numpy as np
import obspy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from obspy import Stream, Trace, UTCDateTime

from phasenet_keras import read_waveforms
from phasenet_keras.io.registry import RecordWarning, read_stream, readers
from phasenet_keras.types import FormatError

START = UTCDateTime("2022-03-04T05:06:07.89")
OBSPY_DATA = sorted(Path(obspy.__file__).parent.glob("io/*/tests/data/**/*"))


def noise(n_samples, seed=0, scale=1000.0):
    return scale * np.random.default_rng(seed).standard_normal(n_samples)


def trace(data, channel="HHZ", *, rate=100.0, start=START, **codes):
    codes = {"network": "XX", "station": "AA", **codes}
    header = {"channel": channel, "sampling_rate": rate, "starttime": start, **codes}
    return Trace(np.asarray(data), header)


def refused(path, words=None):
    """Assert that reading fails with a FormatError that says the words and names the file."""
    with pytest.raises(FormatError, match=words) as error:
        read_waveforms(path)
    assert str(path) in str(error.value)


def read_or_refusal(path):
    """Return the waveforms, or none if a FormatError that names the file says why."""
    try:
        return read_waveforms(path)
    except FormatError as error:
        message = str(error)
    assert str(path) in message
    return None


def write_seg2(path, traces, interval_s):
    """Write SEG-2, revision 1: float32 traces that begin on 2022-03-04 at 05:06:07."""

    def strings(*pairs):
        texts = [f"{name} {value}".encode() + b"\0" for name, value in pairs]
        found = b"".join(struct.pack("<H", len(text) + 2) + text for text in texts)
        return found + bytes(2 + -len(found) % 4 + 2)

    when = strings(("ACQUISITION_DATE", "04/Mar/2022"), ("ACQUISITION_TIME", "05:06:07"))
    blocks = []
    for data in traces:
        text = strings(("SAMPLE_INTERVAL", interval_s))
        n_bytes = 4 * len(data)
        head = struct.pack("<HHLLB19x", 0x4422, 32 + len(text), n_bytes, len(data), 4)
        blocks.append(head + text + np.asarray(data, "<f4").tobytes())
    pointers, at = [], 32 + 4 * len(blocks) + len(when)
    for block in blocks:
        pointers.append(at)
        at += len(block)
    descriptor = struct.pack(
        "<HHHHBBBBBB18x", 0x3A55, 1, 4 * len(blocks), len(blocks), 1, 0, 0, 1, 10, 0
    )
    path.write_bytes(
        descriptor + struct.pack(f"<{len(blocks)}L", *pointers) + when + b"".join(blocks)
    )


KNET = """Origin Time       2022/03/04 05:06:00
Lat.              38.920
Long.             140.630
Depth. (km)       7
Mag.              5.9
Station Code      AKT013
Station Lat.      39.6069
Station Long.     140.3213
Station Height(m) 34
Record Time       2022/03/04 05:06:22
Sampling Freq(Hz) 100Hz
Duration Time(s)  4
Dir.              {}
Scale Factor      2000(gal)/8388608
Max. Acc. (gal)   4.383
Last Correction   2022/03/04 05:00:00
Memo.             none
"""


# -- formats that ObsPy reads ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format_name", "dtype", "options"),
    [
        ("MSEED", "int16", {"encoding": "INT16"}),
        ("MSEED", "int32", {}),
        ("MSEED", "int32", {"encoding": "STEIM1", "reclen": 512}),
        ("MSEED", "float32", {"byteorder": "<"}),
        ("MSEED", "float64", {}),
        ("SAC", "float32", {}),
        ("SAC", "float32", {"byteorder": ">"}),
        ("SAC", "int32", {}),
        ("GSE2", "int32", {}),
        ("SLIST", "int32", {}),
        ("TSPAIR", "float32", {}),
        ("SH_ASC", "float32", {}),
    ],
)
def test_samples_times_and_codes_come_back(tmp_path, format_name, dtype, options):
    data = noise(3000).astype(dtype)
    path = tmp_path / "file"
    trace(data, "HHN").write(str(path), format=format_name, **options)
    [wave] = read_waveforms(path)
    assert wave.data.dtype == np.float32
    assert np.allclose(wave.data[:, 0], data, rtol=1e-6, atol=0)
    assert abs(wave.start_time - START) < 1e-3
    assert wave.sampling_rate == pytest.approx(100.0)
    assert wave.channels == ("N",)
    assert "AA" in wave.station
    assert wave.source == "file"


@pytest.mark.parametrize("dtype", ["int16", "int32", "float32"])
@pytest.mark.parametrize("format_name", ["SEGY", "SU"])
def test_every_trace_of_a_gather_is_a_station(tmp_path, format_name, dtype):
    traces = [trace(noise(400, n).astype(dtype), "", rate=2000.0) for n in range(3)]
    codes = {"int16": 3, "int32": 2, "float32": 5}
    options = {"data_encoding": codes[dtype]} if format_name == "SEGY" else {}
    if format_name == "SU":
        for item in traces:
            item.data = item.data.astype("float32")
    path = tmp_path / "line.dat"
    Stream(traces).write(str(path), format=format_name, byteorder=">", **options)
    waves = read_waveforms(path)
    assert [wave.station for wave in waves] == ["line-0001", "line-0002", "line-0003"]
    for wave, original in zip(waves, traces, strict=True):
        assert np.array_equal(wave.data[:, 0], original.data)
        assert (wave.sampling_rate, wave.channels) == (2000.0, ("Z",))


def test_seg2(tmp_path):
    traces = [noise(480, n).astype("float32") for n in range(3)]
    write_seg2(tmp_path / "shot.seg2", traces, 0.00025)
    with pytest.warns(RecordWarning, match="SEG2 header"):
        waves = read_waveforms(tmp_path / "shot.seg2")
    assert [wave.station for wave in waves] == ["shot-0001", "shot-0002", "shot-0003"]
    for wave, data in zip(waves, traces, strict=True):
        assert np.array_equal(wave.data[:, 0], data)
        assert wave.sampling_rate == pytest.approx(4000.0)
        assert wave.start_time == UTCDateTime("2022-03-04T05:06:07")


def test_the_three_files_of_a_knet_station_come_together(tmp_path):
    counts = {"EW": noise(400, 1).astype(int), "NS": noise(400, 2).astype(int)}
    counts["UD"] = noise(400, 3).astype(int)
    for name, direction in (("EW", "E-W"), ("NS", "N-S"), ("UD", "U-D")):
        rows = counts[name].reshape(-1, 8)
        text = "\n".join(" ".join(f"{value:8d}" for value in row) for row in rows)
        (tmp_path / f"AKT013.{name}").write_text(KNET.format(direction) + text + "\n")
    paths = sorted(tmp_path.iterdir(), reverse=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        [wave] = read_waveforms(paths)
    assert (wave.channels, wave.n_samples) == (("E", "N", "Z"), 400)
    expected = np.stack([counts[name] for name in ("EW", "NS", "UD")], axis=1)
    gain = wave.data[0, 0] / counts["EW"][0]
    assert np.allclose(wave.data, gain * expected, rtol=1e-5, atol=1e-5 * abs(gain))


def test_files_are_known_by_content_not_by_name(tmp_path):
    trace(noise(500)).write(str(tmp_path / "wrong.txt"), format="MSEED")
    trace(noise(500).astype("float32")).write(str(tmp_path / "wrong.mseed"), format="SAC")
    assert read_waveforms(tmp_path / "wrong.txt")[0].n_samples == 500
    assert read_waveforms(tmp_path / "wrong.mseed")[0].n_samples == 500


def test_headers_alone_say_the_codes(tmp_path):
    trace(noise(500).astype("float32")).write(str(tmp_path / "a.sac"), format="SAC")
    [header] = read_stream(tmp_path / "a.sac", headers_only=True)
    assert (header.id, header.stats.npts) == ("XX.AA..HHZ", 500)


def test_a_record_without_codes_is_called_after_its_file(tmp_path):
    trace(noise(500), network="", station="").write(str(tmp_path / "site 7.ms"), format="MSEED")
    assert read_waveforms(tmp_path / "site 7.ms")[0].station == "site 7"


def test_the_formats_of_the_readme_are_there_and_pickle_is_not():
    names = {reader.name for reader in readers()}
    assert {"PhaseNet npz", "two-column text", "miniSEED", "SAC", "SEG-Y", "SU", "SEG-2"} <= names
    assert not any("pickle" in name.lower() for name in names)


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
        ({"sampling_rate": 250, "dt": 0.01}, 250.0, 0, "a"),
        ({"begin_time": "2020-01-02T03:04:05.678"}, 100.0, "2020-01-02T03:04:05.678", "a"),
        ({"t0": "2020-01-02T03:04:05.678"}, 100.0, "2020-01-02T03:04:05.678", "a"),
        ({"t0": np.datetime64("2020-01-02")}, 100.0, "2020-01-02", "a"),
        ({"station_id": "NC.XYZ..HH"}, 100.0, 0, "NC.XYZ..HH"),
    ],
)
def test_npz_fields_count(tmp_path, fields, rate, start, station):
    np.savez(tmp_path / "a.npz", data=noise(300).reshape(100, 3), **fields)
    [wave] = read_waveforms(tmp_path / "a.npz")
    assert wave.sampling_rate == pytest.approx(rate, rel=1e-6)
    assert wave.start_time == UTCDateTime(start)
    assert wave.station == station


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
        ({"data": np.ones((10, 3)), "sampling_rate": "fast"}, "sampling rate"),
        ({"data": np.ones((10, 3)), "sampling_rate": 0}, "sampling rate"),
        ({"data": np.ones((10, 3)), "sampling_rate": -100.0}, "sampling rate"),
        ({"data": np.ones((10, 3)), "sampling_rate": np.nan}, "sampling rate"),
        ({"data": np.ones((10, 3)), "dt": 0.0}, "sampling rate"),
        ({"data": np.ones((10, 3)), "dt": -0.01}, "sampling rate"),
        ({"data": np.ones((10, 3)), "dt": np.nan}, "sampling rate"),
        ({"data": np.ones((10, 3)), "dt": [0.01, 0.01]}, "sampling rate"),
    ],
)
def test_npz_that_are_no_records(tmp_path, fields, words):
    np.savez(tmp_path / "a.npz", **fields)
    refused(tmp_path / "a.npz", words)


def test_npz_of_objects_is_not_unpickled(tmp_path):
    np.savez(tmp_path / "a.npz", data=np.array([[1.0, None, "x"]], dtype=object))
    refused(tmp_path / "a.npz", "allow_pickle=False")


@settings(max_examples=150, deadline=None)
@given(
    changes=st.lists(
        st.tuples(st.one_of(st.integers(0, 200), st.integers(0, 10**5)), st.integers(0, 255)),
        min_size=1,
        max_size=4,
    ),
    keep=st.one_of(st.just(10**6), st.integers(1, 3000)),
    save=st.sampled_from([np.savez, np.savez_compressed]),
)
def test_damaged_npz_never_escapes_our_errors(tmp_path_factory, changes, keep, save):
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    save(path, data=noise(300).reshape(100, 3), dt=0.01)
    damaged = bytearray(path.read_bytes())[:keep]
    for position, value in changes:
        damaged[position % len(damaged)] = value
    path.write_bytes(damaged)
    read_or_refusal(path)


# -- two-column text ------------------------------------------------------------------------------


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
        ("1e20 1\n2e20 2\n3e20 3\n4e20 4\n", "time"),
        ("0 1\n1e-320 2\n2e-320 3\n3e-320 4\n", "time|sampling rate"),
    ],
    ids=[
        "one_column", "three_columns", "one_line", "uneven", "lost_line", "decreasing", "equal",
        "starts_again", "word", "late_third_column", "nan_time", "prose", "words", "far_future",
        "tiny_step",
    ],
)  # fmt: skip
def test_text_that_is_no_record(tmp_path, text, words):
    (tmp_path / "bad.txt").write_text(text)
    refused(tmp_path / "bad.txt", words)


# -- what is no waveform at all -------------------------------------------------------------------


def test_missing_files_and_folders(tmp_path):
    refused(tmp_path / "none.mseed", "no such file")
    refused(tmp_path, "is a folder")
    refused(tmp_path / "none" / "none.sac", "no such file")


@pytest.mark.parametrize("name", ["a.mseed", "a.npz", "a.txt", "a.sac", "a"])
def test_empty_files(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    refused(tmp_path / name, "is empty")


@pytest.mark.parametrize("name", ["a.mseed", "a.npz", "a.sac", "a.segy", "a"])
@pytest.mark.parametrize(
    "content",
    [
        bytes(10_000),
        b"\xff" * 10_000,
        bytes(range(256)) * 40,
        b"\x89PNG\r\n\x1a\n" + bytes(300),
        b"\x1f\x8b\x08\x00" + bytes(100),
        b"PK\x03\x04" + bytes(50),
        b"123456",
        b"000001D AA     HHZXX" + bytes(30),
        b"\n",
    ],
    ids=["zeros", "ones", "ramp", "png", "gzip", "zip", "digits", "cut_header", "newline"],
)
def test_binary_that_is_no_waveform(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name)


@pytest.mark.parametrize("seed", range(30))
def test_random_bytes(tmp_path, seed):
    rng = np.random.default_rng(seed)
    (tmp_path / "a.dat").write_bytes(rng.bytes(int(rng.integers(1, 20_000))))
    refused(tmp_path / "a.dat")


class Bomb:
    """Unpickling one creates the file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


@pytest.mark.parametrize("name", ["a.pickle", "a.mseed", "a.npz", "a.npy", "a"])
@pytest.mark.parametrize("protocol", [0, 2, pickle.HIGHEST_PROTOCOL])
def test_pickles_are_never_opened(tmp_path, name, protocol):
    path = tmp_path / name
    path.write_bytes(pickle.dumps(Bomb(tmp_path / "ran"), protocol))
    refused(path)
    assert not (tmp_path / "ran").exists()
    pickle.loads(path.read_bytes()).close()  # so that this test is one
    assert (tmp_path / "ran").exists()


def test_pickled_arrays_in_npz_are_never_opened(tmp_path):
    bombs = np.array([Bomb(tmp_path / "ran")], dtype=object)
    for number, fields in enumerate(
        [{"data": bombs}, {"data": noise(300), "meta": bombs}, {"data": noise(300), "dt": bombs}]
    ):
        np.savez(tmp_path / f"{number}.npz", **fields)
        read_or_refusal(tmp_path / f"{number}.npz")
        assert not (tmp_path / "ran").exists()


def test_obspys_own_pickles_are_refused(tmp_path):
    path = tmp_path / "a.pickle"
    Stream([trace(noise(500))]).write(str(path), format="PICKLE")
    refused(path, "no format known")


# -- truncated files ------------------------------------------------------------------------------


@pytest.fixture
def day(tmp_path):
    path = tmp_path / "day.mseed"
    trace(np.arange(20_000, dtype=np.int32)).write(str(path), format="MSEED", reclen=512)
    return path


@pytest.mark.parametrize("cut", [1, 100, 256, 511, 700, 5000])
def test_miniseed_cut_in_mid_record_gives_the_whole_records(day, cut):
    day.write_bytes(day.read_bytes()[:-cut])
    with pytest.warns(RecordWarning, match=r"day\.mseed.*truncated"):
        [wave] = read_waveforms(day)
    assert 10_000 < wave.n_samples < 20_000
    assert np.array_equal(wave.data[:, 0], np.arange(wave.n_samples))


def test_miniseed_cut_at_a_record_is_a_shorter_record(day):
    day.write_bytes(day.read_bytes()[: 512 * 5])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        [wave] = read_waveforms(day)
    assert np.array_equal(wave.data[:, 0], np.arange(wave.n_samples))


@pytest.mark.parametrize("keep", [1, 6, 7, 20, 47, 48, 100, 300, 511])
def test_miniseed_cut_in_its_first_record_is_refused(day, keep):
    day.write_bytes(day.read_bytes()[:keep])
    refused(day)


@pytest.mark.parametrize("part", [0.02, 0.3, 0.5, 0.99])
@pytest.mark.parametrize("format_name", ["SAC", "GSE2", "SEGY", "SU", "SEG2", "NPZ"])
def test_other_truncated_files_are_refused_or_said_to_be_so(tmp_path, format_name, part):
    path = tmp_path / "cut.npz" if format_name == "NPZ" else tmp_path / "cut.dat"
    data = noise(2000).astype("int32" if format_name == "GSE2" else "float32")
    if format_name == "NPZ":
        np.savez(path, data=data)
    elif format_name == "SEG2":
        write_seg2(path, [data, data], 0.001)
    else:
        options = {"data_encoding": 5} if format_name == "SEGY" else {}
        trace(data).write(str(path), format=format_name, **options)
    whole = path.read_bytes()
    path.write_bytes(whole[: -4 * round((1 - part) * len(whole) / 4)])  # whole float32 samples
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        waves = read_or_refusal(path)
    said = [str(item.message) for item in caught if item.category is RecordWarning]
    assert waves is None or any("truncated" in text.replace(str(path), "") for text in said)


@settings(max_examples=100, deadline=None)
@given(
    changes=st.lists(
        st.tuples(st.one_of(st.integers(0, 240), st.integers(0, 10**5)), st.integers(0, 255)),
        min_size=1,
        max_size=4,
    ),
    keep=st.one_of(st.just(10**6), st.integers(1, 6000)),
    # Not GSE2: ObsPy's C code can crash on a damaged one.
    format_name=st.sampled_from(["MSEED", "SAC", "SEGY", "SU", "SEG2"]),
)
def test_damaged_files_never_escape_our_errors(tmp_path_factory, changes, keep, format_name):
    path = tmp_path_factory.mktemp("damaged") / "a.dat"
    data = noise(1000).astype("float32")
    if format_name == "SEG2":
        write_seg2(path, [data], 0.001)
    else:
        options = {"SEGY": {"data_encoding": 5}, "MSEED": {"reclen": 512}}.get(format_name, {})
        trace(data).write(str(path), format=format_name, **options)
    damaged = bytearray(path.read_bytes())[:keep]
    for position, value in changes:
        damaged[position % len(damaged)] = value
    path.write_bytes(damaged)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        waves = read_or_refusal(path)
    for wave in waves or []:
        assert np.isfinite(wave.data).all()
        assert str(wave.start_time)


# -- headers that cannot be ------------------------------------------------------------------------


@pytest.mark.parametrize("delta", [0.0, -0.01, np.nan, np.inf])
def test_sac_with_an_impossible_step_is_refused(tmp_path, delta):
    path = tmp_path / "a.sac"
    trace(noise(500).astype("float32")).write(str(path), format="SAC", byteorder="<")
    data = bytearray(path.read_bytes())
    data[0:4] = struct.pack("<f", delta)
    path.write_bytes(data)
    refused(path)


def test_sac_of_a_time_beyond_the_calendar_is_refused(tmp_path):
    path = tmp_path / "a.sac"
    trace(noise(500).astype("float32")).write(str(path), format="SAC", byteorder="<")
    data = bytearray(path.read_bytes())
    data[20:24] = struct.pack("<f", 1e30)  # b: the begin, in seconds from the reference time
    path.write_bytes(data)
    refused(path)


def test_log_messages_in_miniseed_are_left_out(tmp_path):
    log = trace(np.frombuffer(b"clock locked; temperature 23 C", "|S1"), "LOG", rate=1.0)
    signal = trace(noise(3000).astype("int32"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Stream([signal, log]).write(str(tmp_path / "a.mseed"), format="MSEED")
        [wave] = read_waveforms(tmp_path / "a.mseed")
    assert np.array_equal(wave.data[:, 0], signal.data)


# -- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["a [1]", "[ab]", "st*r", "what?", "two words", "ü ñ", "-dash", "~home", "{x}", "%d"]
)
@pytest.mark.parametrize("ending", [".mseed", ".npz", ".txt"])
def test_odd_file_names(tmp_path, name, ending):
    path = tmp_path / "plain"
    if ending == ".mseed":
        trace(noise(500), station="").write(str(path), format="MSEED")
    elif ending == ".npz":
        with path.open("wb") as file:
            np.savez(file, data=noise(500))
    else:
        path.write_text("\n".join(f"{n / 100} {n}" for n in range(500)))
    path = path.rename(tmp_path / (name + ending))
    [wave] = read_waveforms(path)
    assert (wave.source, wave.station, wave.n_samples) == (name + ending, name, 500)
    assert read_waveforms(str(path))[0].n_samples == 500


def test_a_pattern_is_not_followed_where_a_file_is_named(tmp_path):
    """`[ab].mseed` is one file's name; ObsPy alone would read a.mseed."""
    for name in ("a", "b", "[ab]"):
        trace(noise(500), station=name.strip("[]")).write(str(tmp_path / "x"), format="MSEED")
        (tmp_path / "x").rename(tmp_path / f"{name}.mseed")
    [wave] = read_waveforms(tmp_path / "[ab].mseed")
    assert wave.station == "XX.ab..HH"
    refused(tmp_path / "[cd].mseed", "no file matches")
    refused(tmp_path / "*.mseed", "no file matches")


# -- files of others ------------------------------------------------------------------------------


@pytest.mark.skipif(not OBSPY_DATA, reason="this ObsPy comes without its test data")
def test_every_file_that_obspy_ships_is_read_or_refused():
    n_read, escaped = 0, []
    for path in OBSPY_DATA:
        if not path.is_file():
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                n_read += bool(read_or_refusal(path))
            except Exception as error:
                escaped.append(f"{path.name}: {error!r}")
    assert not escaped
    assert n_read > 20


@pytest.mark.shared
def test_real_files_of_every_kind(shared):
    files = {
        "continuous/BH.CHKH.HLZ.01.sac": ("BH.CHKH.01.Ch", None, 100.0),
        "continuous/Beijing_463135_1250.mseed": (None, ("E", "N", "Z"), 50.0),
        "continuous/PB.B916.2019-07-07T0750.mseed": ("PB.B916..EH", ("E", "N", "Z"), 100.0),
        "ncedc/waveform/BG_ACR_2012082505145960.npz": (None, None, 100.0),
        "near_surface/raw/NON_FILTERED_Uz_time_01_01_.txt": (
            "NON_FILTERED_Uz_time_01_01_", ("Z",), 2000.0,
        ),
    }  # fmt: skip
    for name, (station, channels, rate) in files.items():
        [wave] = read_waveforms(shared / "data" / name)
        assert station in (None, wave.station), wave.station
        assert channels in (None, wave.channels), name
        assert wave.sampling_rate == pytest.approx(rate, rel=1e-6)


@pytest.mark.shared
def test_near_surface_text_equals_numpys_reading(shared):
    path = shared / "data/near_surface/raw/NON_FILTERED_Uz_time_01_01_.txt"
    [wave] = read_waveforms(path)
    assert np.array_equal(wave.data[:, 0], np.loadtxt(path)[:, 1].astype("float32"))
    assert wave.n_samples == 4000
