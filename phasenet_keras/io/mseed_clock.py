"""The clock of miniSEED's records, from which the count of their samples may drift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from phasenet_keras.io.assembly import COARSE_STEP_NS, FINE_STEP_NS
from phasenet_keras.io.drift import Clock, clock_of, follows, note_clock, shifts
from phasenet_keras.io.mseed_headers import RecordTimes, record_times
from phasenet_keras.io.registry import FormatNote, say

if TYPE_CHECKING:
    from obspy import Stream, Trace

__all__ = ["Records", "follow_clock", "note_times", "warn_of_drift"]

# Records that are off by less keep the count.
LEAST_OFF_SAMPLES = 0.25
NOTE = (
    "miniSEED: the times of records drift from the count of their samples; times are the records', "
    "so that now and then a sample is left out or repeated"
)


def follow_clock(stream: Stream, content: np.ndarray) -> None:
    """Give traces, in place, the clock of their records.

    ObsPy joins records that each follow on the one before within half a sample, and keeps the time
    of the first alone: of a clock that drifts by 10 ppm a day's last sample is 0.9 s off. So a
    trace gets ``stats.next_ns``, when the sample after its last is due, or, where a record is off
    by a quarter sample, the times of all (`note_clock`). Traces become one where the clock but
    jitters between them.

    Args:
        stream: all or some of the traces that ObsPy has read from these bytes.
        content: miniSEED that begins with a record: uint8.

    Warns:
        FormatNote: if the times of records drift by a sample.

    Example:
        >>> from obspy import read
        >>> stream = read()
        >>> follow_clock(stream, np.zeros(512, np.uint8))  # no records of theirs
        >>> len(stream)
        3
    """
    channels = {codes: Records(times) for codes, times in record_times(content).items()}
    runs: list[_Run] = []
    last: dict[tuple[str, ...], _Run] = {}
    for trace in stream:
        codes = _codes_of(trace)
        has_rate = np.isfinite(trace.stats.sampling_rate) and trace.stats.sampling_rate > 0
        records = channels[codes].take(trace) if has_rate and codes in channels else None
        if records is None:
            runs.append(_Run([trace], None, slice(0)))
        elif codes not in last or not last[codes].add(trace, records):
            last[codes] = _Run([trace], channels[codes], records)
            runs.append(last[codes])
    stream.traces = [run.joined() for run in runs]
    warn_of_drift(stream)


def warn_of_drift(stream: Stream) -> None:
    """Say, with a `FormatNote`, if samples of a trace by itself are left out, or there twice."""
    if any(map(_has_drifted, stream)):
        say(NOTE, FormatNote)


def _codes_of(trace: Trace) -> tuple[str, ...]:
    stats = trace.stats
    quality = stats.get("mseed", {}).get("dataquality", "")
    return quality, stats.station, stats.location, stats.channel, stats.network


class Records:
    """The times of the records of a channel, in their order in the file."""

    def __init__(self, times: RecordTimes) -> None:
        self.start_ns = times.start_ns
        self.sample = np.concatenate([[0], times.n_samples.cumsum()])  # of the first, and behind
        self._reached = 0
        self._follows: dict[float, np.ndarray] = {}  # by rate, in Hz

    def take(self, trace: Trace) -> slice | None:
        """Return which records a trace was joined from; None if none fit.

        ObsPy gives the traces of a channel in the order of their records.
        """
        start_ns, begin = trace.stats.starttime.ns, self._reached
        if begin == len(self.start_ns) or self.start_ns[begin] != start_ns:
            begins = np.flatnonzero(self.start_ns[begin:] == start_ns)
            if not len(begins):
                return None
            begin += int(begins[0])
        due = self.sample[begin] + trace.stats.npts
        end = int(np.searchsorted(self.sample, due))
        if end == len(self.sample) or self.sample[end] != due:
            return None
        self._reached = end
        return slice(begin, end)

    def off_samples(self, records: slice, rate_hz: float) -> np.ndarray:
        """Return how much later records are than the first of them and their samples say."""
        after_ns = self.start_ns[records] - self.start_ns[records.start]
        return after_ns * (rate_hz / 1e9) - (self.sample[records] - self.sample[records.start])

    def follows_on(self, number: int, rate_hz: float) -> bool:
        """Tell if a record follows on the one before; see `follows`."""
        if rate_hz not in self._follows:
            off_samples = self.off_samples(slice(0, len(self.start_ns)), rate_hz)
            self._follows[rate_hz] = follows(off_samples)
        return bool(self._follows[rate_hz][number - 1])


@dataclass
class _Run:
    """Traces each of which follows on the one before, and their records; None: not known."""

    traces: list[Trace]
    channel: Records | None
    records: slice

    def add(self, trace: Trace, records: slice) -> bool:
        """Take another trace of the channel, if it follows on; tell if it does."""
        last = self.traces[-1]
        is_next = (
            self.channel is not None
            and self.records.stop == records.start
            and last.data.dtype == trace.data.dtype
            and last.stats.sampling_rate == trace.stats.sampling_rate
            and self.channel.follows_on(records.start, trace.stats.sampling_rate)
        )
        if is_next:
            self.traces.append(trace)
            self.records = slice(self.records.start, records.stop)
        return is_next

    def joined(self) -> Trace:
        """Return the traces as one, with its clock."""
        trace = self.traces[0]
        if len(self.traces) > 1:
            trace.data = np.concatenate([part.data for part in self.traces])
        if self.channel is not None:
            note_times(trace, self.channel, self.records)
        return trace


def note_times(trace: Trace, channel: Records, records: slice) -> None:
    """Write into the header of a trace when its records are, and when the next one is due."""
    rate_hz = trace.stats.sampling_rate
    start_ns, off_samples = channel.start_ns[records], channel.off_samples(records, rate_hz)
    most = _least_off_samples(start_ns, rate_hz)
    if np.all(np.abs(off_samples) <= most):  # as nearly all are
        if most <= LEAST_OFF_SAMPLES:  # else the count is finer than the headers' times
            last_ns = (
                1e9 * (channel.sample[records.stop] - channel.sample[records.stop - 1]) / rate_hz
            )
            trace.stats.next_ns = int(start_ns[-1]) + round(last_ns)
        return
    sample = channel.sample[records] - channel.sample[records.start]
    note_clock(trace, Clock(sample, start_ns))


def _least_off_samples(start_ns: np.ndarray, rate_hz: float) -> float:
    """Return from when on a record is off: a quarter sample, or what steps of two times allow."""
    step_ns = FINE_STEP_NS if np.any(start_ns % COARSE_STEP_NS) else COARSE_STEP_NS
    return max(LEAST_OFF_SAMPLES, 2 * step_ns * rate_hz / 1e9)


def _has_drifted(trace: Trace) -> bool:
    clock = clock_of(trace)
    after_ns = clock.time_ns - clock.time_ns[0]
    return bool(shifts(after_ns * (trace.stats.sampling_rate / 1e9) - clock.sample).any())
