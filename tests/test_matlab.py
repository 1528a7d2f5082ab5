"""MATLAB's files of an array of sensors and samples, as laboratories have them."""

from __future__ import annotations

import struct
import zlib

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from phasenet_keras import read_labelled, read_waveforms
from phasenet_keras.io.registry import noted
from phasenet_keras.types import FormatError

N_SENSORS, N_SAMPLES = 4, 600
DATA = np.random.default_rng(1).normal(size=(N_SENSORS, N_SAMPLES)).astype("f4")
SENSORS = np.array(["S1", "S2", "S3", "S4"], dtype=object)


def write(path, version, **variables):
    """A file as MATLAB's save makes it; 7.3 is HDF5 with sides reversed, behind 512 bytes."""
    path.parent.mkdir(exist_ok=True)
    if version == 5:
        savemat(path, variables)
        return
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in variables.items():
            kind = b"cell" if np.asarray(value).dtype == object else b"double"
            values = np.zeros((1, 4)) if kind == b"cell" else np.atleast_2d(value).T
            file.create_dataset(name, data=values).attrs["MATLAB_class"] = np.bytes_(kind)
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512)
    path.write_bytes(head + path.read_bytes()[512:])


@pytest.mark.parametrize("version", [5, 7.3])
def test_an_array_is_a_gather_of_its_sensors(tmp_path, version):
    write(tmp_path / "in/e1.mat", version, data=DATA, fs=1e6, sensors=SENSORS)
    write(tmp_path / "in/e2.mat", version, data=DATA.T, dt=2e-6, xyz=np.ones((N_SENSORS, 3)))
    with noted() as said:
        waves = read_waveforms(tmp_path / "in")
    names = [f"{event}-000{n}" for event in ("e1", "e2") for n in range(1, N_SENSORS + 1)]
    assert [wave.station for wave in waves] == names
    assert [wave.sampling_rate for wave in waves] == [1e6] * N_SENSORS + [5e5] * N_SENSORS
    for number, wave in enumerate(waves):
        np.testing.assert_array_equal(wave.data[:, 0], DATA[number % N_SENSORS])
    assert {*said} == {"MATLAB: the longer side of an array is taken for the samples of sensors"}


@pytest.mark.parametrize("version", [5, 7.3])
def test_a_table_names_files_and_sensors_and_times_count_from_the_trigger(tmp_path, version):
    t = -50e-6 + np.arange(N_SAMPLES) * 1e-6
    write(tmp_path / "in/e1.mat", version, u=DATA, t=t)
    text = "file,sensor,p_after_trigger_us\ne1.mat,2,70.5\ne1.mat,4,91\n"
    (tmp_path / "picks.csv").write_text(text)
    found = {r.name: r.arrivals for r in read_labelled(tmp_path / "in", tmp_path / "picks.csv")}
    assert found == {"e1-0002": {"P": (120.5,)}, "e1-0004": {"P": (141.0,)}}


def test_text_and_objects_of_version_7_3_are_no_samples(tmp_path):
    write(tmp_path / "a.mat", 7.3, d=DATA, fs=1e6, name=np.zeros(N_SAMPLES), day=np.zeros(9999))
    with h5py.File(tmp_path / "a.mat", "r+") as file:
        file["name"].attrs["MATLAB_class"] = "char"
        file["day"].attrs["MATLAB_class"] = np.bytes_(b"datetime")
    assert [wave.n_samples for wave in read_waveforms(tmp_path / "a.mat")] == [600] * 4


def test_a_table_may_begin_with_the_name_of_matlab(tmp_path):
    write(tmp_path / "in/MATLAB 1.mat", 5, data=DATA, fs=1e6)
    (tmp_path / "l.csv").write_text("MATLAB file,trace,p_us\nMATLAB 1.mat,2,70\n")
    [record] = read_labelled(tmp_path / "in", tmp_path / "l.csv")
    assert (record.name, record.arrivals) == ("MATLAB 1-0002", {"P": (70.0,)})


def test_more_sensors_than_samples_need_times(tmp_path):
    write(tmp_path / "das.mat", 5, x=DATA, t=np.arange(N_SENSORS) / 500.0)
    assert {wave.n_samples for wave in read_waveforms(tmp_path / "das.mat")} == {N_SENSORS}
    assert len(read_waveforms(tmp_path / "das.mat")) == N_SAMPLES


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"data": DATA}, r"no sampling rate: save it in a variable fs, in Hz, .*'-append'"),
        ({"data": DATA, "raw": DATA, "fs": 1e6}, r"one array .*data \(4, 600\), raw \(4, 600\)"),
        ({"fs": 1e6, "name": "AE"}, r"one array .* holds these arrays of numbers: none"),
        ({"data": np.ones((300, 300)), "fs": 1e6}, r"data \(300, 300\) should be of sensors and"),
    ],
)
def test_variables_that_are_no_gather_are_refused(tmp_path, variables, words):
    write(tmp_path / "a.mat", 5, **variables)
    with pytest.raises(FormatError, match=words):
        read_waveforms(tmp_path / "a.mat")


def test_forms_of_numbers_and_variables_of_others_do_not_matter(tmp_path):
    whole = (DATA * 30).astype("i2")
    empty = np.zeros((0, N_SAMPLES))
    savemat(tmp_path / "a.mat", {"d": whole, "e": empty, "fs": 1e6}, do_compression=True)
    body = matrix("d", whole, ">") + matrix("fs", np.array([[1e6]]), ">")
    # Objects of MATLAB's, such as strings and dates, are kept in bytes without a name.
    body += matrix("", np.zeros((1, 4 * N_SAMPLES)), ">") + matrix("z", whole, ">", flags=0x800)
    (tmp_path / "b.mat").write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\1\0MI" + body)
    for name in "ab":
        waves = read_waveforms(tmp_path / f"{name}.mat")
        assert [wave.sampling_rate for wave in waves] == [1e6] * N_SENSORS
        for wave, values in zip(waves, whole, strict=True):
            np.testing.assert_array_equal(wave.data[:, 0], values)


def element(kind, content, order):
    return struct.pack(f"{order}II", kind, len(content)) + content + bytes(-len(content) % 8)


def matrix(name, values, order="<", flags=0):
    parts = [
        element(6, struct.pack(f"{order}II", 6 + flags, 0), order),
        element(5, struct.pack(f"{order}ii", *values.shape), order),
        element(1, name.encode(), order),
        element(9, values.astype(f"{order}f8").tobytes("F"), order),
    ]
    return element(14, b"".join(parts), order)


def test_times_since_1970_are_of_no_trigger_and_rates_agree_with_times(tmp_path):
    t = 1.7e9 + np.arange(N_SAMPLES) / 100
    write(tmp_path / "a.mat", 5, d=DATA, t=t, fs=100.0)
    wave = read_waveforms(tmp_path / "a.mat")[0]
    assert (str(wave.start_time), wave.zero_time) == ("2023-11-14T22:13:20.000000Z", None)
    # Times since 1970 have few decimals left.
    write(tmp_path / "e.mat", 5, d=DATA, t=1.7e9 + np.arange(N_SAMPLES) / 3e3, fs=3e3)
    assert read_waveforms(tmp_path / "e.mat")[0].sampling_rate == 3e3
    write(tmp_path / "b.mat", 5, d=DATA, t=np.arange(N_SAMPLES) * 10.0, fs=100.0)
    with pytest.raises(FormatError, match=r"b\.mat: it is of 100 Hz by fs, 0\.1 Hz by its times: "):
        read_waveforms(tmp_path / "b.mat")
    write(tmp_path / "c.mat", 5, d=DATA, dt=0.5, fs=2000.0)
    with pytest.raises(FormatError, match=r"c\.mat: it is of 2000 Hz by fs, 2 Hz by dt: keep"):
        read_waveforms(tmp_path / "c.mat")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"fs": np.nan}, r"a\.mat: fs should be above 0 Hz, received nan"),
        ({"dt": -1e-6}, r"a\.mat: dt should be above 0 s, received -1e-06"),
        (
            {"t": np.arange(N_SAMPLES) ** 2.0},
            r"\(or t, its times in s, in even steps\); .*t \(600,",
        ),
        (
            {"t": 738_000 + np.arange(N_SAMPLES) / 8.64e6},  # MATLAB's days
            r"a\.mat: its times, from 738000 on in steps of 1\.16e-07, .*: are they days\?",
        ),
    ],
)
def test_rates_and_times_that_are_none_are_refused(tmp_path, variables, words):
    write(tmp_path / "a.mat", 5, d=DATA, **variables)
    with pytest.raises(FormatError, match=words):
        read_waveforms(tmp_path / "a.mat")


HEAD = b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM"
BODY = matrix("d", DATA)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (HEAD[:-2] + b"??" + BODY, "does not say the order of bytes"),
        (HEAD + BODY[:-100], "it ends too early"),
        (HEAD + element(15, zlib.compress(BODY)[:-1], "<"), "compressed variable of .* is cut"),
        (HEAD + element(15, zlib.compress(BODY)[:100] + BODY, "<"), "compressed variable is dam"),
        (HEAD + BODY[:56] + b"\x0a" + BODY[57:], "numbers are of an unknown type 10"),
        (HEAD + BODY[:32] + b"\5" + BODY[33:], r"d holds 2400 numbers, and should be of \[5, 600"),
    ],
)
def test_damage_is_told(tmp_path, content, words):
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(FormatError, match=rf"a\.mat cannot be read as MATLAB, .*{words}"):
        read_waveforms(tmp_path / "a.mat")


def test_a_file_that_claims_more_than_it_can_hold_is_refused_unread(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        file.create_dataset("d", (600, 10**9), "f8", chunks=(600, 10))
    content = (tmp_path / "a.mat").read_bytes()[512:]
    (tmp_path / "a.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(512) + content)
    with pytest.raises(FormatError, match=r"/d \(600, 1000000000\) is larger than the file can"):
        read_waveforms(tmp_path / "a.mat")


def test_a_damaged_file_is_refused_by_name(tmp_path):
    (tmp_path / "a.mat").write_bytes(b"MATLAB 5.0 MAT-file".ljust(128) + bytes(400))
    with pytest.raises(FormatError, match=r"a\.mat cannot be read as MATLAB"):
        read_waveforms(tmp_path / "a.mat")
