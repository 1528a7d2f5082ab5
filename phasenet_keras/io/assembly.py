"""From traces to stretches of record without gaps: of a whole record, or as traces come in time.

A sample is settled when no trace that is yet to come can reach it. Settled samples leave at once,
so that what is held does not grow with the record.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from phasenet_keras.io.channels import COMPONENTS
from phasenet_keras.io.drift import (
    CLOCK_JITTER_SAMPLES,
    N_TOGETHER,
    clock_of,
    due_ns_of,
    shifts,
    spread,
)
from phasenet_keras.io.pieces import Piece, Runs
from phasenet_keras.io.registry import say

if TYPE_CHECKING:
    from obspy import Trace, UTCDateTime

__all__ = ["Assembler", "position_of", "trace_order"]

# miniSEED 2 has the times of its records in steps of 1 us, without blockette 1001 of 100 us.
FINE_STEP_NS, COARSE_STEP_NS = 1_000, 100_000
# Of float32 half, so that an offset can be taken off.
LARGEST = float(np.finfo(np.float32).max) / 2
# A trace may be laid this far before its own time, by the jitter of clocks.
SETTLING_SAMPLES = 2


class Assembler:
    """Lays the traces of one instrument on one time axis as they come.

    Args:
        label: of the instrument, for warnings.

    Example:
        >>> from obspy import read
        >>> assembler = Assembler("BW.RJOB..EH")
        >>> pairs = [(trace, trace.stats.channel[-1]) for trace in read()]
        >>> pieces = assembler.feed(pairs, None) + assembler.finish()
        >>> sum(len(piece.data) for piece in pieces), pieces[0].channels
        (3000, ('E', 'N', 'Z'))
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._span: _Span | None = None
        self._waiting: list[tuple[Trace, str]] = []

    def feed(self, pairs: Sequence[tuple[Trace, str]], until: UTCDateTime | None) -> list[Piece]:
        """Take traces with their components; return what is settled.

        Args:
            pairs: traces, none of which starts before those of earlier calls.
            until: no trace that is yet to come starts before; None stands for the last start.
        """
        self._waiting += pairs
        if until is None and pairs:
            until = max(trace.stats.starttime for trace, _ in pairs)
        if until is None:
            return []
        # What starts later waits: a trace before it, which bridges the gap, may yet come.
        # So does what starts then: another of the same start may come, and their order counts.
        due = [pair for pair in self._waiting if pair[0].stats.starttime < until]
        self._waiting = [pair for pair in self._waiting if pair[0].stats.starttime >= until]
        pieces = self._lay(due)
        if self._span is None:
            return pieces
        if self._span.is_over_from(until):
            return pieces + self._close()
        return pieces + self._span.settle(until)

    def finish(self, pairs: Sequence[tuple[Trace, str]] = ()) -> list[Piece]:
        """Take the last traces with their components; return all that is left."""
        due, self._waiting = [*self._waiting, *pairs], []
        return self._lay(due) + self._close()

    def _lay(self, pairs: Sequence[tuple[Trace, str]]) -> list[Piece]:
        pieces: list[Piece] = []
        for trace, component in sorted(pairs, key=lambda pair: trace_order(pair[0])):
            if self._span and self._span.is_over(trace.stats.starttime):
                pieces += self._close()
            if self._span is None:
                self._span = _Span(self._label, trace)
            self._span.lay(trace, component)
        return pieces

    def _close(self) -> list[Piece]:
        span, self._span = self._span, None
        return span.settle(None) if span else []


class _Laid(NamedTuple):
    """Where on the axis a trace is, in samples, and when it is by the clock of its file, in ns.

    Attributes:
        begin, end: of what is laid of it; in ``end`` the next trace is due.
        sample, places: those of its samples whose time is known, and where they are, ``(n,)``. One
            may be there before its place, too, or not at all: see `spread`.
        time_ns: when these are, ``(n,)``.
        due_ns: when the next trace is due.
    """

    begin: int
    end: int
    sample: np.ndarray
    places: np.ndarray
    time_ns: np.ndarray
    due_ns: int

    def place_of(self, time_ns: int, rate_hz: float) -> int:
        """Return where a sample of a time would be, were it of this trace."""
        number = max(0, int(np.searchsorted(self.time_ns, time_ns, "right")) - 1)
        after = round(int(time_ns - self.time_ns[number]) * rate_hz / 1e9)
        return int(self.places[number]) + after


class _Span:
    """A stretch without a gap common to all channels; its axis starts with its first trace."""

    def __init__(self, label: str, first: Trace) -> None:
        self._label = label
        self._start = first.stats.starttime
        self._rate = first.stats.sampling_rate
        self._format = first.stats.get("_format")
        self._delta_s = first.stats.delta
        self._end = first.stats.endtime
        step_samples = time_step_s(self._format, self._start) * self._rate
        self._settling = max(SETTLING_SAMPLES, 1 + math.ceil(step_samples))
        self._base = 0  # samples before are settled
        # A row a channel: `_n_held` samples from `_first` on, before them those that were given
        # away as views, behind them room to grow.
        self._first = self._n_held = 0
        self._values = np.zeros((3, 0), np.int32)
        self._is_present = np.zeros((3, 0), bool)
        self._laid: dict[int, _Laid] = {}  # of each channel the trace that reaches furthest
        self._runs = Runs(self._start, self._rate, first.stats.get("zero_time"))

    def is_over(self, time: UTCDateTime) -> bool:
        """Tell if a trace that starts at a time belongs to another span."""
        return self._ends_before(time, time_step_s(self._format, self._start, time))

    def is_over_from(self, until: UTCDateTime) -> bool:
        """Tell if all traces that start at a time or later belong to another span."""
        return self._ends_before(until, time_step_s(self._format, self._start))

    def _ends_before(self, time: UTCDateTime, step_s: float) -> bool:
        """Tell if there is a gap between the last sample and a time."""
        longest_s = max(2 * self._delta_s, step_s + self._delta_s)
        # ObsPy compares whole microseconds, which allows for odd rates; fast ones need more.
        if self._delta_s >= 1e-5:
            return time > self._end + longest_s
        return time.ns - self._end.ns > 1e9 * longest_s

    def lay(self, trace: Trace, component: str) -> None:
        """Write a trace onto the axis; it wins over those before."""
        from obspy import UTCDateTime

        column = COMPONENTS.index(component)
        values, is_good = usable_samples(trace)
        last = self._laid.get(column)
        laid = self._place(trace, last)
        begin = laid.begin
        values, is_good = (spread(x, laid.sample, laid.places, begin) for x in (values, is_good))
        if last is None or begin + len(values) >= last.end:
            self._laid[column] = laid._replace(end=begin + len(values))
        self._end = max(self._end, UTCDateTime(ns=laid.due_ns - round(1e9 * trace.stats.delta)))
        self._runs.note(trace, column)
        late = max(0, self._base - begin)
        if 0 < min(len(values), self._settling + 1) <= late:
            n_late = min(late, len(values))
            self._warn(trace, component, f"{n_late} samples came too late", "they are left out")
        values, is_good = values[late:], is_good[late:]
        low = max(begin, self._base) - self._base
        high = low + len(values)
        if not np.can_cast(values.dtype, self._values.dtype):
            self._values = self._values.astype(np.float64)
        self._grow(high)
        into = slice(self._first + low, self._first + high)
        row, is_here = self._values[column, into], self._is_present[column, into]
        if is_here.any():
            both = is_here & is_good
            if not np.array_equal(row[both], values[both]):
                count = f"{int(both.sum())} overlapping samples differ"
                self._warn(trace, component, count, "those of the later trace are used")
        if is_good.all():
            row[:], is_here[:] = values, True
        else:
            row[is_good] = values[is_good]
            is_here |= is_good

    def _place(self, trace: Trace, last: _Laid | None) -> _Laid:
        """Return where a trace lies but for its end, which is for now its begin.

        Args:
            trace: to be laid.
            last: the trace of its channel that reaches furthest.
        """
        clock = clock_of(trace)
        # Of a single time: less than a step.
        step_samples = time_step_s(self._format, self._start, trace.stats.starttime) * self._rate
        most = max(CLOCK_JITTER_SAMPLES, step_samples * (1 - 1e-9))
        positions = (clock.time_ns - self._start.ns) * (self._rate / 1e9)
        begin = first = round(float(positions[0]))
        if last:
            start_ns = int(clock.time_ns[0])
            off_clock = (start_ns - last.due_ns) * self._rate / 1e9
            off_samples = (positions - clock.sample - last.end)[:N_TOGETHER]
            is_near = abs(off_clock) <= CLOCK_JITTER_SAMPLES and most <= CLOCK_JITTER_SAMPLES
            beside = last.place_of(start_ns, self._rate)
            # It follows on what its channel has, or does so by a clock that has drifted from that.
            if not shifts(off_samples, most)[0] or is_near:
                begin = first = last.end
            elif off_clock < 0 and abs(positions[0] - beside) <= CLOCK_JITTER_SAMPLES:
                # A copy lies where the trace does that it overlaps, and lacks what that lacks.
                begin, first = max(beside, last.begin), beside
        by_count = first + clock.sample
        places = by_count + shifts(positions - by_count, most)
        return _Laid(begin, begin, clock.sample, places, clock.time_ns, due_ns_of(trace))

    def settle(self, until: UTCDateTime | None) -> list[Piece]:
        """Give away what no trace that starts at ``until`` or later can reach; None: all."""
        n_samples = self._n_held
        if until is not None:
            reached = round(position_of(until, self._start, self._rate))
            settled = reached - self._settling - self._base
            n_samples = min(n_samples, max(0, settled))
            if not n_samples:
                return []
        settled_now = slice(self._first, self._first + n_samples)
        pieces = self._runs.feed(self._values[:, settled_now], self._is_present[:, settled_now])
        self._first += n_samples
        self._n_held -= n_samples
        self._base += n_samples
        return pieces + (self._runs.finish() if until is None else [])

    def _grow(self, n_samples: int) -> None:
        if self._first + n_samples > self._values.shape[1]:
            # Half as much again, so that many short traces do not cost a copy each.
            self._move(max(n_samples, self._n_held) * 3 // 2)
        self._n_held = max(self._n_held, n_samples)

    def _move(self, room: int) -> None:
        """Bring what is held to new arrays."""
        held = slice(self._first, self._first + self._n_held)
        values, is_present = (np.zeros((3, room), x) for x in (self._values.dtype, bool))
        values[:, : self._n_held] = self._values[:, held]
        is_present[:, : self._n_held] = self._is_present[:, held]
        self._values, self._is_present, self._first = values, is_present, 0

    def __getstate__(self) -> dict[str, object]:
        self._move(self._n_held)
        return self.__dict__

    def _warn(self, trace: Trace, component: str, what: str, outcome: str) -> None:
        say(f"{self._label} {component}: {what}, from {trace.stats.starttime} on; {outcome}")


def trace_order(trace: Trace) -> tuple[UTCDateTime, int, str, float]:
    """Order traces by start; of two of the same start the longer is later, then by content."""
    sample = trace.data[0]
    first = 0.0 if sample is np.ma.masked or not math.isfinite(sample) else float(sample)
    place = f"{trace.stats.get('source_path', '')}/{trace.stats.get('record_name', '')}"
    return (trace.stats.starttime, trace.stats.npts, place, first)


def position_of(time: UTCDateTime, start: UTCDateTime, rate_hz: float) -> float:
    """Return the sample of a time; the difference of ObsPy's times is whole microseconds."""
    return (time.ns - start.ns) * rate_hz / 1e9


def time_step_s(file_format: str | None, *times: UTCDateTime) -> float:
    """Return the step of the times that a file of some format has, in seconds; 0: there is none.

    Times that are all whole steps of 100 us may have been written without the finer ones.

    Example:
        >>> from obspy import UTCDateTime
        >>> time_step_s("MSEED", UTCDateTime(ns=302_000)), time_step_s("SAC", UTCDateTime(0))
        (1e-06, 0.0)
    """
    if file_format != "MSEED":
        return 0.0
    is_coarse = all(time.ns % COARSE_STEP_NS == 0 for time in times)
    return (COARSE_STEP_NS if is_coarse else FINE_STEP_NS) / 1e9


def usable_samples(trace: Trace) -> tuple[np.ndarray, np.ndarray]:
    """Return the samples of a trace, whole numbers or float64, and which of them are usable.

    Not usable are those that are masked, not finite or too large for float32.
    """
    data = np.ma.asarray(trace.data)
    values = np.asarray(data.filled(0) if data.mask is not np.ma.nomask else data.data)
    if values.dtype.kind in "iub":
        return values, ~np.ma.getmaskarray(data)
    values = values.astype(np.float64)
    is_number = np.isfinite(values) & ~np.ma.getmaskarray(data)
    is_good = is_number & (np.abs(values) < LARGEST)
    if n_large := int(is_number.sum() - is_good.sum()):
        say(
            f"{trace.id}: from {trace.stats.starttime} on {n_large} samples are too large for "
            f"float32 (from {LARGEST:.2g} on) and are left out: scale the record, in other units"
        )
    return values, is_good
