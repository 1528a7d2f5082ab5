"""Texts that are times, and those that might be several."""

from __future__ import annotations

import pytest
from obspy import UTCDateTime

from phasenet_keras.io.catalogs import read_arrivals
from phasenet_keras.io.times import (
    date_time,
    exact_time,
    iso_time,
    residual_unit,
    span_text,
    step_of_time,
    time_decimals,
    time_in,
    unit_of_span,
)
from phasenet_keras.types import FormatError

TIME = UTCDateTime(2009, 8, 24, 0, 20, 7, 710000)


@pytest.mark.parametrize(
    "text",
    [
        "2009-08-24T00:20:07.71",
        "2009-08-24T00:20:07.710000Z",
        " 2009-08-24 00:20:07,71 ",
        "2009-08-24  0:20:7.71",
        "2009/8/24 0:20:07.71",
        "2009-236T0:20:07.71",
        "2009/236 00:20:07.71",
        "20090824T002007.71",
        "2009236T002007.71Z",
        "2009-08-24_00:20:07.71",
        "2009-08-24 01:50:07.71+01:30",
        "2009-08-23T23:20:07.71-01",
        "2009-08-24 02:20:07.71 +0200",
    ],
)
def test_forms_of_times(text):
    assert exact_time(text) == date_time(text) == TIME


def test_times_of_few_digits():
    assert exact_time("2009-236") == exact_time("20090824") == UTCDateTime(2009, 8, 24)
    assert exact_time("2009-236 00:20") == exact_time("2009-08-24T0020") == TIME - 7.71
    assert exact_time("20090824002007") == exact_time("2009-08-24T00:20:07.") == TIME - 0.71
    assert exact_time("2009-08-24T13") == UTCDateTime(2009, 8, 24, 13)
    assert exact_time("2012-366") == UTCDateTime(2012, 12, 31)
    assert exact_time("1969-12-31T23:59:59.999999999").ns == -1


@pytest.mark.parametrize(
    "text",
    [
        "2009-08-24T00.20.07",
        "2009/ 8/ 4 9:5:07,71",
        "2010-5T13:00",
        "2009-08-24T00:20:07.71.5",
        "2020-01-02T01:20.15",
        "2009-08/24T00:20:07",
        "2009-366",
        "2009-000",
        "9999-366",
        "2009-08-24T00:20:07+24:00",
        "2009-02-30",
        "2009-08-24T24:20:07",
        "09-08-24T00:20:07",
        "1577836810.25",
        "2009",
        "",
    ],
)
def test_what_might_be_another_time_is_refused(text):
    with pytest.raises(FormatError, match="a time should be ISO 8601, received"):
        time_in(text, "a time")


@pytest.mark.parametrize(
    ("date", "clock", "time"),
    [
        ("2020-002", "1:20:15.50", UTCDateTime(2020, 1, 2, 1, 20, 15, 500000)),
        ("2020/01/02", "9:5:7", UTCDateTime(2020, 1, 2, 9, 5, 7)),
        ("2020-01-02", "01:20.15", None),
    ],
)
def test_date_and_time_of_two_columns(tmp_path, date, clock, time):
    path = tmp_path / "a.csv"
    path.write_text(f"station,phase,date,time\nA,P,{date},{clock}\n")
    if time:
        assert [arrival.time for arrival in read_arrivals(path)] == [time]
        return
    with pytest.raises(FormatError, match=r"'2020-01-02T01:20.15' should be .*, such as 2020-"):
        read_arrivals(path)


def test_the_sixtieth_second_is_a_leap_second():
    assert exact_time("2016-12-31T23:59:60.5") == UTCDateTime(2017, 1, 1, 0, 0, 0, 500000)
    with pytest.raises(ValueError, match="a minute has no second 61"):
        exact_time("2016-12-31T23:59:61")


@pytest.mark.parametrize("text", ["20090824", "2009236", "20090824002007", "1577836810", "2009.5"])
def test_a_bare_number_is_no_time_where_it_could_be_of_anything(text):
    with pytest.raises(ValueError, match=f"'{text}' is not a date"):
        date_time(text)


def test_the_last_digit_of_whole_seconds_is_of_one():
    assert step_of_time("2024-03-01T10:05:07") == 1.0


def test_times_have_microseconds_up_to_100_khz_and_nanoseconds_above():
    assert [time_decimals(rate_hz) for rate_hz in (0.0, 1e5, 100_001.0)] == [6, 6, 9]
    assert iso_time(TIME, 1e5) == "2009-08-24T00:20:07.710000"
    assert iso_time(UTCDateTime(ns=TIME.ns + 9), 1e6) == "2009-08-24T00:20:07.710000009"
    assert iso_time(UTCDateTime(ns=-1), 1e6) == "1969-12-31T23:59:59.999999999"


def test_a_span_of_one_has_the_unit():
    assert [unit_of_span(span_s).symbol for span_s in (1.0, 0.999, 1e-3, 0.999e-3)] == [
        "s",
        "ms",
        "ms",
        "µs",
    ]
    assert [residual_unit(s).symbol for s in (0.0, 0.99e-4, 1e-4)] == ["ms", "µs", "ms"]
    assert [span_text(s) for s in (1e-2, 0.99e-2, 1e-3)] == ["0.01 s", "9.9 ms", "1 ms"]
