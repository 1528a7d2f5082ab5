"""Clocks that drift: the rules by numbers, without files."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from obspy import Trace, UTCDateTime

from phasenet_keras.io.drift import (
    Clock,
    clock_of,
    due_ns_of,
    follows,
    note_clock,
    shifts,
    slice_by_clock,
    spread,
)

START = UTCDateTime(2024, 5, 6)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("off", "shift"),
    [
        ([0.8] * 7, [0] * 7),  # not eight together
        ([0.8] * 8, [1] * 8),
        ([0.75] * 20, [0] * 20),
        ([0.75] * 20 + [0.0] * 3 + [0.9], [0] * 24),
        ([0.0, 1.0, 0.0], [0, 0, 0]),  # a clock that jitters
        ([0.0, 1.01, 0.0], [0, 1, 0]),
        ([3.2, 3.2], [3, 3]),
        ([1.2] * 4 + [2.9] * 4, [1] * 4 + [3] * 4),
    ],
)
def test_records_are_shifted_where_eight_together_have_drifted(off, shift, sign):
    quiet = [0.0] * 30
    found = shifts(sign * np.array([*quiet, *off, *quiet]))
    assert found[30 : 30 + len(off)].tolist() == (sign * np.array(shift)).tolist()
    assert not found[:30].any()
    assert found.dtype == np.int64


@pytest.mark.parametrize("base", [0.0, -5.0])
@pytest.mark.parametrize(
    ("jump", "lasts", "is_one"),
    [
        (0.75, 20, True),
        (0.76, 20, False),
        (-0.75, 20, True),
        (-0.76, 20, False),
        (0.99, 1, True),
        (1.0, 1, False),  # never by a sample
        (0.8, 7, True),
        (0.8, 8, False),  # all eight that follow
    ],
)
def test_a_record_follows_where_eight_together_are_not_off(jump, lasts, is_one, base):
    off = np.full(60, base)
    off[20 : 20 + lasts] += jump
    found = follows(off)
    assert found[19] == is_one
    assert len(found) == 59
    assert found[:19].all()


def test_drift_from_the_first_record_on_is_followed():
    assert shifts(np.full(20, 3.1)).tolist() == [3] * 20


def test_few_records_at_an_end_are_judged_by_those_that_there_are():
    assert follows(np.array([0.0, 0.9, *[0.0] * 20])).all()
    assert follows(np.array([*[0.0] * 20, 0.9])).tolist() == [True] * 19 + [False]


def test_a_record_that_is_off_by_the_jitter_follows_whatever_comes():
    off = np.zeros(60)
    off[20], off[21:] = 0.75, 0.85
    assert follows(off).all()


@given(
    n_samples=st.integers(1, 40),
    marks=st.lists(st.tuples(st.integers(1, 39), st.integers(-3, 4)), max_size=4),
    lead=st.integers(0, 3),
)
def test_samples_are_repeated_or_left_out_until_the_next_has_its_place(n_samples, marks, lead):
    sample = np.array([0, *sorted({at for at, _ in marks if at < n_samples})])
    late = np.cumsum([0, *(more for _, more in marks)])[: len(sample)]
    places, begin = sample + late, -lead
    laid = []
    for number, (first, place) in enumerate(zip(sample, places, strict=True)):
        end = sample[number + 1] if number + 1 < len(sample) else n_samples
        laid += [first] * (place - begin - len(laid))
        for at in range(first, end):
            if place + at - first >= begin + len(laid):
                laid.append(at)
    assert spread(np.arange(n_samples), sample, places, begin).tolist() == laid


def trace_with_clock(n_samples=1000, rate_hz=100.0):
    """A trace of ten records, each a ms later by its clock than the count says."""
    trace = Trace(np.arange(n_samples), {"sampling_rate": rate_hz, "starttime": START})
    sample = np.arange(0, n_samples, n_samples // 10)
    late_ns = 1_000_000 * np.arange(10)
    note_clock(trace, Clock(sample, START.ns + sample * round(1e9 / rate_hz) + late_ns))
    return trace


def test_a_slice_has_the_clock_of_its_records():
    trace = trace_with_clock()
    assert np.array_equal(clock_of(trace).sample, np.arange(0, 1000, 100))
    assert due_ns_of(trace) == START.ns + 10_009_000_000
    # Sample 250 is 2 ms late by the clock of its record.
    part = slice_by_clock(trace, START + 2.502, START + 5.005)
    assert part.data.tolist() == list(range(250, 501))
    clock = clock_of(part)
    assert clock.sample.tolist() == [0, 50, 150, 250]
    assert (clock.time_ns - START.ns).tolist() == [
        2_502_000_000,
        3_003_000_000,
        4_004_000_000,
        5_005_000_000,
    ]
    assert part.stats.starttime == START + 2.502
    assert due_ns_of(part) == START.ns + 5_015_000_000
    assert slice_by_clock(trace, None, None).stats.npts == 1000
    again = slice_by_clock(part, START + 4.004, None)
    assert (again.data[0], clock_of(again).time_ns[0]) == (400, START.ns + 4_004_000_000)


def test_what_a_slice_begins_with_is_not_before_its_start():
    trace = trace_with_clock()
    assert slice_by_clock(trace, START + 2.504, START + 5.012).data[[0, -1]].tolist() == [251, 500]
    assert slice_by_clock(trace, START + 99, None).stats.npts == 0


def test_records_of_one_and_of_two_samples():
    clock = clock_of(trace_with_clock(10))
    assert clock.sample.tolist() == list(range(10))
    # The last two samples of 3 Hz are from 6 s and 9 ms on.
    assert due_ns_of(trace_with_clock(20, 3.0)) == START.ns + 6_009_000_000 + 666_666_667 - 6


def test_a_trace_without_a_clock_is_of_its_start():
    trace = Trace(np.arange(200), {"sampling_rate": 50.0, "starttime": START})
    assert clock_of(trace).time_ns.tolist() == [START.ns]
    assert due_ns_of(trace) == START.ns + 4_000_000_000
    trace.stats.next_ns = START.ns + 4_000_000_123
    assert due_ns_of(trace) == START.ns + 4_000_000_123
    part = slice_by_clock(trace, START + 1, START + 2)
    assert (part.data[0], part.data[-1], "clock_ns" in part.stats) == (50, 100, False)
    assert slice_by_clock(trace, START + 9, None).stats.npts == 0
