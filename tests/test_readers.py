"""Files that ObsPy reads: the right samples, times and codes, whatever the file is called."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import obspy
import pytest
from obspy import Stream, UTCDateTime
from obspy.io.segy.core import _is_segy
from reading import START, noise, read_or_refusal, refused, trace, write_seg2

from phasenet_keras import read_waveforms
from phasenet_keras.io.registry import Reader, noted, read_stream, readers

OBSPY_DATA = sorted(Path(obspy.__file__).parent.glob("io/*/tests/data/**/*"))
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
    rtol = 1e-6 if format_name in ("TSPAIR", "SH_ASC") else 0  # which write decimals
    assert np.allclose(wave.data[:, 0], data.astype("float32"), rtol=rtol, atol=0)
    assert abs(wave.start_time - START) < 1e-3
    assert wave.sampling_rate == pytest.approx(100.0)
    assert wave.channels == ("N",)
    assert "AA" in wave.station
    assert wave.source == "file"


@pytest.mark.parametrize("dtype", ["int16", "int32", "float32"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("format_name", ["SEGY", "SU"])
def test_every_trace_of_a_gather_is_a_station(tmp_path, format_name, byteorder, dtype):
    traces = [trace(noise(400, n).astype(dtype), "", rate=2000.0) for n in range(3)]
    codes = {"int16": 3, "int32": 2, "float32": 5}
    options = {"data_encoding": codes[dtype]} if format_name == "SEGY" else {}
    if format_name == "SU":
        for item in traces:
            item.data = item.data.astype("float32")
    path = tmp_path / "line.dat"
    Stream(traces).write(str(path), format=format_name, byteorder=byteorder, **options)
    waves = read_waveforms(path)
    assert [wave.station for wave in waves] == ["line-0001", "line-0002", "line-0003"]
    for wave, original in zip(waves, traces, strict=True):
        assert np.array_equal(wave.data[:, 0], original.data)
        assert (wave.sampling_rate, wave.channels) == (2000.0, ("Z",))


def test_seg2(tmp_path):
    traces = [noise(480, n).astype("float32") for n in range(3)]
    write_seg2(tmp_path / "shot.seg2", traces, 0.00025)
    with warnings.catch_warnings(action="error"):  # nothing is said of any SEG-2
        waves = read_waveforms(tmp_path / "shot.seg2")
    assert [wave.station for wave in waves] == ["shot-0001", "shot-0002", "shot-0003"]
    for wave, data in zip(waves, traces, strict=True):
        assert np.array_equal(wave.data[:, 0], data)
        assert wave.sampling_rate == pytest.approx(4000.0)
        assert wave.start_time == UTCDateTime("2022-03-04T05:06:07")


def test_samples_of_seg2_that_pass_for_a_header_of_segy_are_samples(tmp_path):
    path = tmp_path / "shot.dat"
    write_seg2(path, [np.zeros(2000, "float32")], 1 / 6000)
    content = bytearray(path.read_bytes())
    for at, value in ((3216, 166), (3220, 3000), (3224, 5)):  # step in us, length, kind of number
        content[at : at + 2] = value.to_bytes(2, "big")
    path.write_bytes(content)
    assert _is_segy(str(path))
    [wave] = read_waveforms(path)
    assert (wave.sampling_rate, wave.n_samples) == (pytest.approx(6000.0), 2000)


@pytest.mark.parametrize(
    ("step_us", "said"),
    [
        (166, "166, stands for 6024.1 Hz: if records have 6000 Hz, .* off by 0.004 of the time"),
        (62, "62, stands for 16129 Hz: if records have 16000 Hz, .* off by 0.0081 of the time"),
        (667, "667, stands for 1499.25 Hz: if records have 1500 Hz, .* off by 0.0005 of the time"),
        (250, ""),
        (75, ""),
        (128, ""),
    ],
)
@pytest.mark.parametrize("format_name", ["SEGY", "SU"])
def test_steps_of_whole_microseconds_that_may_be_of_a_round_rate(
    tmp_path, format_name, step_us, said
):
    for n in range(3):
        item = trace(noise(400, n).astype("float32"), "", rate=1e6 / (step_us + 0.2))
        Stream([item]).write(str(tmp_path / f"{n}.dat"), format=format_name, data_encoding=5)
    with noted() as notes:
        waves = read_waveforms(tmp_path)
    assert [wave.sampling_rate for wave in waves] == 3 * [pytest.approx(1e6 / step_us)]
    assert len(set(notes)) == bool(said)
    assert re.search(said, " ".join(notes))


def test_delays_of_seg2_are_said_once_and_in_short(tmp_path):
    for number in range(3):
        write_seg2(tmp_path / f"{number}.dat", [noise(480, number)], 0.00025, delay_s=-0.05)
    with noted() as notes:
        waves = read_waveforms(tmp_path)
    [note] = set(notes)
    assert "a DELAY (-0.05 s) is not added to times" in note
    assert len(note) < 120
    assert [wave.start_time for wave in waves] == 3 * [UTCDateTime("2022-03-04T05:06:07")]


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


@pytest.mark.parametrize("rate", [100.0, 3.0, 40.0, 6000.0, 10000 / 3, 30.0, 512.0])
def test_sac_keeps_any_rate_and_says_nothing_of_rounding(tmp_path, rate):
    path = tmp_path / "a.sac"
    trace(noise(500).astype("float32"), rate=rate).write(str(path), format="SAC")
    content = bytearray(path.read_bytes())  # some programs write the number before the nearest
    content[:4] = np.nextafter(np.float32(1 / rate), np.float32(0)).tobytes()
    (tmp_path / "b.sac").write_bytes(content)
    for name in ("a.sac", "b.sac"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            [wave] = read_waveforms(tmp_path / name)
        assert wave.sampling_rate == pytest.approx(rate, rel=3e-7)


def test_a_record_without_codes_is_called_after_its_file(tmp_path):
    trace(noise(500), network="", station="").write(str(tmp_path / "site 7.ms"), format="MSEED")
    assert read_waveforms(tmp_path / "site 7.ms")[0].station == "site 7"


def test_the_formats_of_the_readme_are_there_and_pickle_is_not():
    names = {reader.name for reader in readers()}
    assert {"PhaseNet npz", "text of columns", "miniSEED", "SAC", "SEG-Y", "SU", "SEG-2"} <= names
    assert not any("pickle" in name.lower() for name in names)


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
    found = [wave.station for wave in read_waveforms(tmp_path / "*.mseed")]
    assert found == ["XX.a..HH", "XX.ab..HH", "XX.b..HH"]


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


def test_what_is_collected_while_a_file_is_read_is_no_word_on_the_file(tmp_path, monkeypatch):
    def read(path, headers_only):
        warnings.warn("unclosed file <other.txt>", ResourceWarning, stacklevel=2)
        warnings.warn("truncated", UserWarning, stacklevel=2)
        return Stream([trace(noise(600))])

    path = tmp_path / "a.mseed"
    trace(noise(600)).write(str(path), format="MSEED")
    reader = Reader("miniSEED", (), lambda path, head: True, read)
    monkeypatch.setattr("phasenet_keras.io.registry.reader_of", lambda path: reader)
    with noted() as notes:
        read_stream(path)
    assert notes == [f"{path}: truncated"]
