"""Times as text, with as many decimals as the samples of a record need, and units of spans."""

from __future__ import annotations

import re
from calendar import isleap
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from phasenet_keras.short_repr import three_digits
from phasenet_keras.types import FormatError

if TYPE_CHECKING:
    from obspy import UTCDateTime

__all__ = [
    "EPOCH",
    "NO_TIME",
    "START_TIMES",
    "TIME_IN_WORDS",
    "TimeUnit",
    "date_time",
    "exact_time",
    "iso_time",
    "residual_unit",
    "seconds_after",
    "span_text",
    "step_of_time",
    "time_decimals",
    "time_in",
    "unit_of_span",
]

EPOCH = datetime(1970, 1, 1)
# Of records without a time.
NO_TIME = "1970-01-01"
# What the time of the first sample is called, in the order in which names are looked for.
START_TIMES = ("start_time", "starttime", "begin_time", "trace_start_time")
# A microsecond is a tenth of a sample there.
MICROSECONDS_UP_TO_HZ = 1e5
# Seconds since 1970, from 2001 to 2033.
_POSIX = re.compile(r"(1\d{9})[.,](\d+)")
# All that is read as a time: ObsPy guesses at other text, and at hours of one digit, and errs. ISO
# 8601 has either sign before decimals.
_TIME = re.compile(
    r"""
    (?P<year>\d{4})
    (?: (?P<sign>[-/]) (?: (?P<month>\d{1,2}) (?P=sign) (?P<day>\d{1,2}) | (?P<of_year>\d{3}) )
      | (?P<month_2>\d\d) (?P<day_2>\d\d) | (?P<of_year_2>\d{3}) )
    (?: Z | (?:T|_|\ |(?<=\d{8})(?=\d{6}(?:\.|$)))\ *
        (?: (?P<hour>\d{1,2}) (?: :(?P<minute>\d{1,2}) (?: :(?P<second>\d{1,2})
              (?: \.(?P<part>\d*) | ,(?P<part_2>\d+) )? )? )?
          | (?P<hour_2>\d\d)(?P<minute_2>\d\d)
              (?: (?P<second_2>\d\d) (?: [.](?P<part_3>\d*) )? )? )
        (?: \ ?(?: [Zz] | (?P<east>[-+]) (?P<zone_h>[01]\d|2[0-3])
              (?: :?(?P<zone_min>[0-5]\d) )? ) )? )?
    """,
    re.VERBOSE | re.ASCII,
)
# Numbers of a time that other names have in `_TIME`, by their names.
_SAME = re.compile(r"_\d$")
TIME_IN_WORDS = "a date and time, ISO 8601, such as 2020-02-29T12:30:07.25"


@dataclass(frozen=True)
class TimeUnit:
    """A unit that figures and tables show: ``symbol``, ``name``, and how many are a second."""

    symbol: str
    name: str
    per_s: float


SECONDS = TimeUnit("s", "seconds", 1.0)
MILLISECONDS = TimeUnit("ms", "milliseconds", 1e3)
MICROSECONDS = TimeUnit("µs", "microseconds", 1e6)
# From here up an axis has at least 1 of the unit, and a residual shows two digits behind the point.
AXIS_IN_S_FROM, AXIS_IN_MS_FROM, RESIDUALS_IN_MS_FROM = 1.0, 1e-3, 1e-4
# Sentences have tolerances as people write them, 0.05 s, down to this.
TEXT_IN_S_FROM = 1e-2


def unit_of_span(span_s: float) -> TimeUnit:
    """Return the unit of an axis that is so long.

    Example:
        >>> [unit_of_span(span_s).symbol for span_s in (30.0, 0.5, 2e-4)]
        ['s', 'ms', 'µs']
    """
    if span_s >= AXIS_IN_S_FROM:
        return SECONDS
    return MILLISECONDS if span_s >= AXIS_IN_MS_FROM else MICROSECONDS


def residual_unit(largest_s: float) -> TimeUnit:
    """Return the unit of residuals of which the largest is given: ms, or µs below 0.1 ms.

    Example:
        >>> residual_unit(2.0).symbol, residual_unit(5e-6).symbol
        ('ms', 'µs')
    """
    return MICROSECONDS if 0 < largest_s < RESIDUALS_IN_MS_FROM else MILLISECONDS


def span_text(span_s: float) -> str:
    """Return a span in sentences: three digits in s, from 10 ms up, or in ms or µs.

    Example:
        >>> [span_text(span_s) for span_s in (0.1, 1 / 3000, 1e-5, 0)]
        ['0.1 s', '333 µs', '10 µs', '0 s']
    """
    unit = SECONDS if span_s >= TEXT_IN_S_FROM or not span_s else unit_of_span(span_s)
    return f"{three_digits(unit.per_s * span_s)} {unit.symbol}"


def iso_time(time: UTCDateTime, sampling_rate: float = 0.0) -> str:
    """Return a time as our tables have it: UTC, ISO 8601 with microseconds, or `time_decimals`.

    Example:
        >>> from obspy import UTCDateTime
        >>> iso_time(UTCDateTime(ns=97_400), 1e7), iso_time(UTCDateTime(1.5), 100.0)
        ('1970-01-01T00:00:00.000097400', '1970-01-01T00:00:01.500000')
    """
    if time_decimals(sampling_rate) == 6:
        return time.datetime.isoformat(timespec="microseconds")
    seconds, ns = divmod(time.ns, 10**9)
    return f"{(EPOCH + timedelta(seconds=seconds)).isoformat()}.{ns:09d}"


def time_decimals(sampling_rate: float) -> int:
    """Return how many decimals of a second tell the samples of a record: 6, or 9 above 100 kHz.

    Example:
        >>> time_decimals(100.0), time_decimals(1e7)
        (6, 9)
    """
    return 9 if sampling_rate > MICROSECONDS_UP_TO_HZ else 6


def exact_time(text: str) -> UTCDateTime:
    """Return the time that a text stands for, to the nanosecond: ObsPy reads microseconds.

    The date has the day of a month or of the year (2009-08-24, 2009-236), also with slashes or
    without signs; hours, minutes and seconds may have one digit between colons. A blank may be
    between date and time, also before a zone, as pandas writes it; and a comma before decimals.

    Raises:
        ValueError: for any other text.

    Example:
        >>> exact_time("1970-01-01T00:00:00.0000974").ns
        97400
        >>> str(exact_time("1970-01-01 01:00:00,25+01:00"))
        '1970-01-01T00:00:00.250000Z'
        >>> str(exact_time("2009-236T0:20:07"))
        '2009-08-24T00:20:07.000000Z'
    """
    from obspy import UTCDateTime

    given = _parts_of(text)
    if not given:
        raise ValueError(f"'{text}' is not {TIME_IN_WORDS}")
    number = {name: int(part) for name, part in given.items() if part.isdigit()}
    year, day_of_year = number["year"], number.get("of_year", 1)
    if not 1 <= day_of_year <= 365 + isleap(year):
        raise ValueError(f"'{text}': {year} has no day {day_of_year}")
    hour, minute, second = (number.get(name, 0) for name in ("hour", "minute", "second"))
    moment = datetime(year, number.get("month", 1), number.get("day", 1), hour, minute)
    if second > 60:  # 60 in a leap second
        raise ValueError(f"'{text}': a minute has no second {second}")
    moment += timedelta(days=day_of_year - 1, seconds=second)
    zone = timedelta(hours=number.get("zone_h", 0), minutes=number.get("zone_min", 0))
    since = moment - EPOCH - (-zone if given.get("east") == "-" else zone)
    ns = int(given.get("part", "0")[:9].ljust(9, "0"))
    return UTCDateTime(ns=(since // timedelta(seconds=1)) * 10**9 + ns)


def step_of_time(text: str) -> float:
    """Return how many seconds the last digit of a time stands for; of a date alone a day.

    Example:
        >>> [step_of_time(f"2024-03-01{rest}") for rest in ("", "T10", " 10:05", "T10:05:07.25")]
        [86400.0, 3600.0, 60.0, 0.01]
    """
    posix = _POSIX.fullmatch(text.strip())
    given = {"part": posix[2]} if posix else _parts_of(text)
    if "part" in given:
        return float(10.0 ** -len(given["part"]))
    steps_s = {"second": 1.0, "minute": 60.0, "hour": 3600.0}
    return next((step_s for name, step_s in steps_s.items() if name in given), 86_400.0)


def _parts_of(text: str) -> dict[str, str]:
    """Return the parts of a time by their names in `_TIME`; none of other text."""
    match = _TIME.fullmatch(text.strip())
    named = match.groupdict() if match else {}
    return {_SAME.sub("", name): part for name, part in named.items() if part}


def date_time(text: str) -> UTCDateTime:
    """Return the time that a text stands for, as `exact_time`; a bare number could be of anything.

    But one of ten digits with decimals is taken for seconds since 1970, as associators write them.

    Raises:
        ValueError: for other numbers, and what is no time.

    Example:
        >>> str(date_time("1577836810.25"))
        '2020-01-01T00:00:10.250000Z'
    """
    from obspy import UTCDateTime

    posix = _POSIX.fullmatch(text.strip())
    if posix:
        return UTCDateTime(ns=int(posix[1] + posix[2][:9].ljust(9, "0")))
    if re.fullmatch(r"[\d.\s]*", text):
        raise ValueError(f"'{text}' is not {TIME_IN_WORDS}")
    return exact_time(text)


def time_in(text: str, what: str, parse: Callable[[str], UTCDateTime] = exact_time) -> UTCDateTime:
    """Return the time in a cell or an attribute.

    Args:
        text: of the cell.
        what: it should be, for the error.
        parse: `exact_time`, or `date_time`.

    Raises:
        FormatError: if it is none.

    Example:
        >>> time_in("yesterday", "start_time")
        Traceback (most recent call last):
        ...
        phasenet_keras.types.FormatError: start_time should be ISO 8601, received yesterday
    """
    try:
        return parse(text)
    except ValueError as error:
        raise FormatError(f"{what} should be ISO 8601, received {text}") from error


def seconds_after(time: UTCDateTime, start: UTCDateTime) -> float:
    """Return how many seconds a time is after another; ObsPy's difference is whole microseconds.

    Example:
        >>> from obspy import UTCDateTime
        >>> seconds_after(UTCDateTime(ns=97_400), UTCDateTime(0))
        9.74e-05
    """
    return (time.ns - start.ns) / 1e9
