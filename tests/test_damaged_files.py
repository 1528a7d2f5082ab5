"""Files that are no waveform, cut short or damaged: a FormatError that names the file."""

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
from obspy import Stream, UTCDateTime
from reading import changes_of, damage, noise, read_or_refusal, refused, trace, write_seg2

from phasenet_keras import read_waveforms
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.unsafe_headers import check_gse

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


@settings(max_examples=100)
@given(
    changes=changes_of(240),
    keep=st.one_of(st.just(10**6), st.integers(1, 6000)),
    kind=st.sampled_from(
        ["MSEED float32", "MSEED float64", "MSEED int32", "SAC float32", "SEGY float32"]
        + ["SU float32", "SEG2 float32", "GSE2 int32"]
    ),
)
def test_damaged_files_never_escape_our_errors(tmp_path_factory, changes, keep, kind):
    format_name, dtype = kind.split()
    path = tmp_path_factory.mktemp("damaged") / "a.dat"
    data = noise(1000).astype(dtype)
    if format_name == "SEG2":
        write_seg2(path, [data], 0.001)
    else:
        options = {"SEGY": {"data_encoding": 5}, "MSEED": {"reclen": 512}}.get(format_name, {})
        trace(data).write(str(path), format=format_name, **options)
    damage(path, changes, keep)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        waves = read_or_refusal(path)
    for wave in waves or []:
        assert np.isfinite(wave.data).all()
        assert str(wave.start_time)


# -- GSE: text that ObsPy's C code would not survive -----------------------------------------------


@pytest.fixture
def gse(tmp_path):
    """Two traces of compressed samples, as lines that end with a newline."""
    path = tmp_path / "a.gse"
    traces = [trace(noise(400, seed).astype("int32"), station=f"A{seed}") for seed in range(2)]
    Stream(traces).write(str(path), format="GSE2")
    assert [wave.n_samples for wave in read_waveforms(path)] == [400, 400]
    return path


def change(path, function):
    """Write the file's lines as a function of the list of lines leaves them."""
    lines = path.read_bytes().splitlines(keepends=True)
    function(lines)
    path.write_bytes(b"".join(lines))


def line_of(lines, word):
    return next(number for number, line in enumerate(lines) if line.startswith(word))


def test_gse_with_two_lines_in_one_is_refused(gse):
    def join(lines):
        number = line_of(lines, b"DAT2") + 1
        lines[number] = lines[number].rstrip()

    change(gse, join)
    refused(gse, r"its trace 1 has a line of 16\d bytes, of which there can be 82")


def test_gse_with_fewer_samples_than_it_claims_is_refused(gse):
    change(gse, lambda lines: lines.pop(line_of(lines, b"DAT2") + 2))
    refused(gse, r"its trace 1 claims 400 samples and holds \d+")


def test_gse_without_the_end_of_its_samples_is_refused(gse):
    def lose(lines):
        number = line_of(lines, b"CHK2")
        del lines[number - 1 : number + 1]

    change(gse, lose)
    refused(gse, r"its trace 1 claims 400 samples and holds \d+")


@pytest.mark.parametrize(("claimed", "words"), [(1, "claims 1 samples"), (-3, "claims -3 samples")])
def test_gse_of_so_few_samples_is_refused(gse, claimed, words):
    gse.write_bytes(gse.read_bytes().replace(b"     400", f"{claimed:8d}".encode()))
    refused(gse, f"its trace 1 {words}")


def test_gse_without_data_is_refused(gse):
    change(gse, lambda lines: lines.pop(line_of(lines, b"DAT2")))
    refused(gse, "its trace 1 has no line that says DAT1 or DAT2")


def with_comment(lines):
    """Behind the samples, in letters of another alphabet, longer than a line of samples."""
    lines.insert(line_of(lines, b"CHK2") + 1, "COMM Göttingen ".encode("latin-1") * 9 + b"\n")


def with_long_station_line(lines):
    number = line_of(lines, b"STA2")
    lines[number] = lines[number].rstrip().ljust(100) + b"\n"


def with_empty_line(lines):
    lines.insert(line_of(lines, b"DAT2") + 1, b"\n")


@pytest.mark.parametrize("function", [with_comment, with_long_station_line, with_empty_line])
def test_gse_that_obspy_can_read_is_read(gse, function):
    before = read_waveforms(gse)
    change(gse, function)
    for wave, same in zip(read_waveforms(gse), before, strict=True):
        assert np.array_equal(wave.data, same.data)


def test_gse_with_the_line_ends_of_windows_is_read(gse):
    [first, _] = read_waveforms(gse)
    gse.write_bytes(gse.read_bytes().replace(b"\n", b"\r\n"))
    assert np.array_equal(read_waveforms(gse)[0].data, first.data)


def test_gse_whose_samples_look_like_a_header_is_read(gse):
    """One line in some millions begins as the header of a trace does."""

    def look(lines):
        number = line_of(lines, b"DAT2") + 1
        lines[number] = b"WID2" + lines[number][4:]

    change(gse, look)
    check_gse(gse)


def test_gse_that_claims_integers_and_holds_none_is_refused(gse):
    def lose(lines):
        lines[:] = lines[: line_of(lines, b"CHK2")]
        lines[0] = lines[0].replace(b"CM6", b"INT")
        lines[line_of(lines, b"DAT2") :] = [b"DAx2\n", b"7 7 7\n", b"CHK2        0\n"]

    change(gse, lose)
    refused(gse, "holds no samples")


# -- headers that cannot be ------------------------------------------------------------------------


def test_fairfield_with_more_time_slices_than_fit_is_refused(tmp_path):
    example = Path(obspy.__file__).parent / "io/rg16/tests/data/one_channel_many_traces.fcnt"
    if not example.exists():
        pytest.skip("this ObsPy came without its example files")
    content = bytearray(example.read_bytes())
    assert content[144:148] == struct.pack(">I", 10)
    path = tmp_path / "a.fcnt"
    path.write_bytes(content)
    assert len(read_waveforms(path)) == 10
    content[144:148] = struct.pack(">I", 2**31)
    path.write_bytes(content)
    refused(path, "claims 2147483648 time slices, too many")


@pytest.mark.parametrize(("lengths", "to"), [((-12, 0), 156), ((64, -400), -168)])
def test_dmx_that_leads_back_is_refused(tmp_path, lengths, to):
    header = (b"XX", b"AB", b"Z", 0, 1e9, 0, b"2", b"0", 0, 0, 20, 50.0, 0.0, 0.0, 0.0, 0, 0.0, 0.0)
    trace = struct.pack("=4s5s1shdhcchhiffffidf", *header) + np.arange(20, dtype="<i4").tobytes()
    content = struct.pack("=2shii", b"SI", 7, 64, 80) + trace
    path = tmp_path / "a.dmx"
    path.write_bytes(content + struct.pack("=2shii", b"SI", 12, 4, 0) + b"more")
    [wave] = read_waveforms(path)
    assert wave.data[:, 0].tolist() == list(range(20))
    path.write_bytes(content + struct.pack("=2shii", b"SI", 12, *lengths) + b"more")
    refused(path, f"its block at byte 156 leads back to {to}")


@pytest.mark.parametrize("version", [6, 8, 19])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize(("field", "offset"), [("stlo", 128), ("evlo", 144)])
def test_sac_with_an_impossible_longitude_is_read_without_it(
    tmp_path, version, byteorder, field, offset
):
    path, data = tmp_path / "a.sac", noise(500).astype("float32")
    record = trace(data)
    record.stats.sac = {"stla": 47.0, "stlo": 11.0, "evla": 46.0, "evlo": 12.0}
    record.write(str(path), format="SAC", byteorder=byteorder)
    content = bytearray(path.read_bytes())
    content[offset : offset + 4] = struct.pack(f"{byteorder}f", -3e30)
    content[304:308] = struct.pack(f"{byteorder}i", version)
    path.write_bytes(content)
    # ObsPy would turn round the Earth until the number is a longitude: for ever.
    with pytest.warns(RecordWarning, match=rf"a\.sac: its header has {field} = -3e\+30"):
        [wave] = read_waveforms(path)
    assert np.array_equal(wave.data[:, 0], data)


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
        log.write(str(tmp_path / "log.mseed"), format="MSEED")
        refused(tmp_path / "log.mseed", "holds no samples")
    assert np.array_equal(wave.data[:, 0], signal.data)


def test_times_beyond_the_calendar_are_refused(tmp_path):
    late = trace(noise(500), start=UTCDateTime("9999-12-31T23:59:59"))
    late.write(str(tmp_path / "late.mseed"), format="MSEED")
    refused(tmp_path / "late.mseed")
