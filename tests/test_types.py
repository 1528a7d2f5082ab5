"""Waveforms and labelled ones: what they take, what they refuse, and whose samples theirs are."""

from __future__ import annotations

import pickle
from copy import deepcopy
from dataclasses import FrozenInstanceError, replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from obspy import UTCDateTime

from phasenet_keras.types import (
    ConfigError,
    LabelledWaveform,
    Pick,
    ShapeError,
    Waveform,
)

START = UTCDateTime("2022-03-04T05:06:07.89")


def make_waveform(data, channels=("Z",), rate=100.0):
    return Waveform(data, rate, START, channels, "XX.AA..HH")


# -- waveforms ------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_sample_that_is_not_finite_is_refused(bad, dtype):
    data = np.zeros((300, 2), dtype)
    data[299, 1] = bad
    with pytest.raises(ShapeError, match=r"XX.AA..HH holds NaN or infinite .* read_waveforms"):
        make_waveform(data, ("N", "Z"))


def test_nanoseconds_of_numpys_times_are_kept():
    """A sample of a laboratory's record at 10 MHz is 100 ns."""
    times = np.datetime64("2024-01-01T00:00:00.000000", "ns") + np.arange(3) * 100
    x = np.ones((10, 1))
    found = [Waveform(x, 1e7, time, ("Z",), "XX.A..HH").start_time.ns for time in times]
    assert np.diff(found).tolist() == [100, 100]


def test_what_is_under_a_mask_is_no_sample():
    x = np.ones((300, 1))
    x[100:200] = -99999.0
    with pytest.raises(ShapeError, match=r"or masked ones: split it there, as .* Stream\.split"):
        make_waveform(np.ma.masked_equal(x, -99999.0))
    for dtype in ("c8", "U3"):  # refused for what they are, masked or not
        with pytest.raises(ShapeError, match="holds real numbers"):
            make_waveform(np.ma.masked_equal(x, -99999.0).astype(dtype))
    nothing_masked = np.ma.masked_equal(x, 7.0)
    assert np.array_equal(make_waveform(nothing_masked).data, x)


def test_float64_beyond_float32_is_refused_without_a_warning(recwarn):
    with pytest.raises(ShapeError, match="NaN or infinite"):
        make_waveform(np.full((10, 1), 1e39))
    assert len(recwarn) == 0
    assert make_waveform(np.full((10, 1), 3e38)).data.max() == np.float32(3e38)


@pytest.mark.parametrize(
    ("shape", "channels"),
    [
        ((0, 1), ("Z",)),
        ((0, 3), ("E", "N", "Z")),
        ((10,), ("Z",)),
        ((10, 2), ("Z",)),
        ((10, 1), ("E", "N", "Z")),
        ((3, 10), ("E", "N", "Z")),
        ((1, 10, 1), ("Z",)),
        ((10, 0), ()),
    ],
)
def test_wrong_shapes_are_refused_with_both_shapes_named(shape, channels):
    with pytest.raises(ShapeError) as error:
        make_waveform(np.zeros(shape), channels)
    assert f"(n_samples, {len(channels)}), received {shape}" in str(error.value)


def test_each_channel_comes_once():
    with pytest.raises(ShapeError, match="each channel once, received E,Z,Z"):
        make_waveform(np.zeros((10, 3)), ("E", "Z", "Z"))


@pytest.mark.parametrize("data", [np.zeros((9, 1), complex), [["a"], ["b"]], [[None], [1]]])
def test_only_real_numbers_are_samples(data):
    with pytest.raises(ShapeError, match="real numbers, received dtype"):
        make_waveform(data)


def test_channels_are_of_one_length():
    with pytest.raises(ShapeError, match=r"as many samples in each channel: .*inhomogeneous"):
        make_waveform([[1, 2], [3]], ("N", "Z"))


@pytest.mark.parametrize("rate", [0, -100.0, np.nan, np.inf])
def test_sampling_rates_are_above_zero(rate):
    with pytest.raises(ShapeError, match="above 0 Hz"):
        make_waveform(np.zeros((10, 1)), rate=rate)


@pytest.mark.parametrize(
    "dtype", ["int8", "int16", "int32", "int64", "uint8", "float16", "float64", "bool", ">f4"]
)
def test_samples_become_float32(dtype):
    data = np.array([[0, 1], [1, 0], [1, 1]], dtype)
    wave = make_waveform(data, ("N", "Z"))
    assert wave.data.dtype == np.dtype("float32")
    assert wave.data.dtype.isnative
    assert wave.data.tolist() == [[0, 1], [1, 0], [1, 1]]


def test_integers_up_to_two_to_the_24_survive():
    data = np.array([[2**24], [-(2**24)], [2**24 - 1]], np.int32)
    assert make_waveform(data).data.astype(np.int64).tolist() == data.tolist()


def test_samples_lie_in_order_in_memory():
    columns = np.arange(12.0, dtype=np.float32).reshape(3, 4).T
    wave = make_waveform(columns, ("E", "N", "Z"))
    assert wave.data.flags.c_contiguous
    assert np.array_equal(wave.data, columns)


def test_lists_and_numpy_scalars_are_taken():
    wave = Waveform([[1], [2], [3]], np.float32(50), START, ["Z"], "A")
    assert (wave.n_samples, wave.duration_s) == (3, 0.06)
    assert (wave.channels, type(wave.sampling_rate)) == (("Z",), float)


def test_a_waveform_cannot_be_changed_but_replaced():
    wave = make_waveform(np.zeros((10, 1)))
    with pytest.raises(FrozenInstanceError):
        wave.station = "B"
    assert replace(wave, station="B").station == "B"
    with pytest.raises(ShapeError):
        replace(wave, sampling_rate=0.0)


def test_arrivals_are_sorted_numbers_inside_of_their_record():
    wave = make_waveform(np.ones((100, 1)))
    record = LabelledWaveform(wave, {"P": (50, np.float32(2.5)), "S": []})
    assert record.arrivals == {"P": (2.5, 50.0), "S": ()}
    assert LabelledWaveform(wave, {"P": (0, 99)}).arrivals == {"P": (0.0, 99.0)}
    for sample in (-0.5, 99.5, 100, np.nan, np.inf):
        with pytest.raises(ShapeError, match=r"record r1: the P arrival .* outside of its 100"):
            LabelledWaveform(wave, {"P": (10, sample)}, name="r1")
    with pytest.raises(ShapeError, match=r"nan .*: leave out a phase that is not known, give \(\)"):
        LabelledWaveform(wave, {"S": np.nan})


@pytest.mark.parametrize("one", [498, 498.0, np.float64(498), np.int64(498), np.array(498)])
def test_one_number_is_one_arrival(one):
    wave = make_waveform(np.ones((600, 1)))
    assert LabelledWaveform(wave, {"P": one}).arrivals == {"P": (498.0,)}
    assert LabelledWaveform(wave, {"P": np.array([498, 2])}).arrivals == {"P": (2.0, 498.0)}


TIMES = [
    UTCDateTime(5),
    [UTCDateTime(5)],
    datetime(1970, 1, 1, 0, 0, 5),
    np.datetime64("1970-01-01T00:00:05"),
    np.array(["1970-01-01T00:00:05"], "M8[s]"),
    timedelta(seconds=5),
]


@pytest.mark.parametrize(
    "given", ["498", b"12", None, ("498",), (None,), [[1.0, 2.0]], True, np.array([True]), *TIMES]
)
def test_arrivals_that_are_no_numbers_are_refused(given):
    wave = make_waveform(np.ones((600, 1)))
    with pytest.raises(
        ShapeError, match=r"record r1, P: each arrival, in samples \(.*\), is a number"
    ):
        LabelledWaveform(wave, {"P": given}, name="r1")


def test_an_arrival_that_is_given_twice_is_one():
    wave = make_waveform(np.ones((600, 1)))
    record = LabelledWaveform(wave, {"P": (9.0, 5, np.float32(5), 5.25), "S": [7, 7]})
    assert record.arrivals == {"P": (5.0, 5.25, 9.0), "S": (7.0,)}


@pytest.mark.parametrize("name", ["name", "event", "gather"])
def test_names_of_records_events_and_gathers_are_text(name):
    wave = make_waveform(np.ones((600, 1)))
    for value in (None, 5, np.int64(5), b"q1", ["q1"]):
        with pytest.raises(
            ShapeError, match=r"named by text \(empty where .*\), received"
        ) as error:
            LabelledWaveform(wave, {"P": 5}, **{name: value})
        assert repr(value) in str(error.value)
    assert getattr(LabelledWaveform(wave, {"P": 5}, **{name: np.str_("q1")}), name) == "q1"


@pytest.mark.parametrize("arrivals", [[498], None, "P", {5: (1,)}])
def test_arrivals_are_by_phase(arrivals):
    wave = make_waveform(np.ones((600, 1)))
    with pytest.raises(ShapeError, match=r"record r1: (arrivals are samples by phase|a phase is)"):
        LabelledWaveform(wave, arrivals, name="r1")


def test_a_record_has_a_waveform():
    with pytest.raises(ShapeError, match="has a Waveform, received ndarray"):
        LabelledWaveform(np.ones((600, 1)), {})


def test_splits_are_three():
    wave = make_waveform(np.ones((600, 1)))
    for split in ("train", "dev", "test", ""):
        assert LabelledWaveform(wave, {}, split=split).split == split
    with pytest.raises(
        ConfigError, match=r"one of train, dev, test, .* 'trian'\. Did you .*'train'"
    ):
        LabelledWaveform(wave, {}, split="trian")
    with pytest.raises(ConfigError, match="received 'val'"):
        LabelledWaveform(wave, {}, split="val")


@pytest.mark.parametrize("dtype", ["float64", "int32", "int64", "uint32"])
def test_a_large_offset_is_taken_off_before_samples_become_float32(dtype):
    signal = np.random.default_rng(0).integers(-100, 100, (500, 2))
    given = (signal + [10**9, 5]).astype(dtype if dtype != "uint32" else "int64")
    wave = Waveform((given + 100).astype(dtype), 100.0, UTCDateTime(0), ("N", "Z"), "A")
    offset = np.array([signal[:, 0].mean(), -105.0])
    np.testing.assert_allclose(wave.data, signal - offset, atol=1e-4)
    small = Waveform(signal.astype("int64") + 10**7, 100.0, UTCDateTime(0), ("N", "Z"), "A")
    np.testing.assert_array_equal(small.data, signal + 10**7)


def test_large_samples_about_zero_are_as_they_were():
    given = np.array([[1e9], [-1e9], [1.0]])
    np.testing.assert_array_equal(make_waveform(given).data, given.astype("float32"))


# -- whose samples they are -----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_a_buffer_that_is_used_again_changes_no_waveform(dtype):
    buffer, waves = np.empty((10, 1), dtype), []
    for number in range(3):
        buffer[:] = number
        waves += [make_waveform(buffer), make_waveform(buffer[:5])]
        frozen = buffer.view()
        frozen.flags.writeable = False
        waves.append(make_waveform(frozen))
    assert [wave.data[0, 0] for wave in waves] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert buffer.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        waves[0].data[0] = 5


def test_samples_of_a_waveform_are_not_copied_again():
    wave = make_waveform(np.zeros((10, 1)))
    assert replace(wave, station="B").data is wave.data
    assert np.shares_memory(replace(wave, data=wave.data[2:]).data, wave.data)


@pytest.mark.parametrize("copied", [deepcopy, lambda wave: pickle.loads(pickle.dumps(wave))])
def test_samples_of_a_copy_cannot_be_written_to(copied):
    wave = make_waveform(np.arange(10.0)[:, None])
    other = copied(wave)
    with pytest.raises(ValueError, match="read-only"):
        other.data[0] = 5
    assert np.array_equal(other.data, wave.data)
    assert (other.start_time, other.station, other.channels) == (START, "XX.AA..HH", ("Z",))


# -- times, rates, stations -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "time",
    [
        datetime(2022, 3, 4, 5, 6, 7, 890_000),
        datetime(2022, 3, 4, 6, 6, 7, 890_000, timezone(timedelta(hours=1))),
        "2022-03-04T05:06:07.89",
        "2022-03-04 05:06:07.890000+00:00",
        "2022-03-04T05:06:07.89Z",
        np.datetime64("2022-03-04T05:06:07.890000123"),
    ],
)
def test_datetimes_and_iso_text_become_times(time):
    wave = Waveform(np.ones((10, 1)), 100.0, time, ("Z",), "A")
    pick = Pick(time, "A", "P", 0.5, start_time=time)
    for found in (wave.start_time, pick.time, pick.start_time):
        assert type(found) is UTCDateTime
        assert found == START


@pytest.mark.parametrize("year", ["0001", "1600", "1677", "2262", "2300", "9999"])
@pytest.mark.parametrize("unit", ["D", "s", "ms", "us"])
def test_numpys_times_beyond_nanoseconds_keep_their_year(year, unit):
    time = np.datetime64(f"{year}-12-31", unit)
    found = Waveform(np.ones((10, 1)), 100.0, time, ("Z",), "A").start_time
    assert str(found) == f"{year}-12-31T00:00:00.000000Z"


@pytest.mark.parametrize("time", ["-0001-01-01", "0000-12-31", "10000-01-01", "99999999-01-01"])
def test_numpys_times_beyond_the_calendar_are_refused(time):
    with pytest.raises(ShapeError, match="of the years 1 to 9999"):
        Waveform(np.ones((10, 1)), 100.0, np.datetime64(time), ("Z",), "A")


@pytest.mark.parametrize(
    "time", [0.0, 5, None, np.datetime64("NaT"), "yesterday", "12", b"2024-01-01"]
)
def test_other_times_are_refused(time):
    with pytest.raises(ShapeError, match=r"a start time is a UTCDateTime, .* received"):
        Waveform(np.ones((10, 1)), 100.0, time, ("Z",), "A")
    with pytest.raises(ShapeError, match="the time of a pick is a UTCDateTime"):
        Pick(time, "A", "P", 0.5)


@pytest.mark.parametrize("rate", ["100", None, b"1", [100.0, 1.0]])
def test_rates_that_are_no_number_are_refused(rate):
    with pytest.raises(ShapeError, match="a sampling rate is a number, received"):
        make_waveform(np.ones((10, 1)), rate=rate)
    with pytest.raises(ShapeError, match="a sampling rate is a number, received"):
        Pick(START, "A", "P", 0.5, sampling_rate=rate)


@pytest.mark.parametrize("station", [None, 5, b"A"])
def test_stations_are_text(station):
    with pytest.raises(ShapeError, match="a station is named by text, received"):
        Waveform(np.ones((10, 1)), 100.0, START, ("Z",), station)
    with pytest.raises(ShapeError, match="a station is named by text, received"):
        Pick(START, station, "P", 0.5)


@pytest.mark.parametrize("channels", [5, None, (None,), (3,), b"Z", [["Z"]]])
def test_channels_are_names(channels):
    with pytest.raises(ShapeError, match=r"(channels are names|a channel is named by text), .*rec"):
        make_waveform(np.ones((10, 1)), channels)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("units", 5, "a unit is named by text, received 5"),
        ("offset_m", "5", "an offset in metres is a number, received '5'"),
        ("zero_time", 5.0, "a zero time is a UTCDateTime, .* received 5.0"),
    ],
)
def test_what_else_is_known_of_a_waveform_has_its_type(name, value, said):
    with pytest.raises(ShapeError, match=said):
        Waveform(np.ones((10, 1)), 100.0, START, ("Z",), "A", **{name: value})


def test_what_else_is_known_of_a_waveform_becomes_plain():
    known = {"offset_m": np.float32(2.5), "zero_time": "2022-03-04T05:06:07.89", "units": "M"}
    wave = Waveform(np.ones((10, 1)), 100.0, START, ("Z",), "A", **known)
    assert (wave.offset_m, wave.zero_time, wave.units) == (2.5, START, "M")
    assert type(wave.offset_m) is float


def test_channels_as_text_are_letters():
    assert make_waveform(np.ones((10, 2)), "NZ").channels == ("N", "Z")
    for n_channels in (1, 3):
        with pytest.raises(ShapeError, match=r"H,H,Z.*; a text is taken letter by letter"):
            make_waveform(np.ones((10, n_channels)), "HHZ")
