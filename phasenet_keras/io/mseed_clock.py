"""The clock of miniSEED's records, from which the count of their samples may drift."""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from phasenet_keras.io.assembly import COARSE_STEP_NS, FINE_STEP_NS
from phasenet_keras.io.mseed_headers import RecordTimes, record_times
from phasenet_keras.io.registry import FormatNote

if TYPE_CHECKING:
    from obspy import Stream, Trace

__all__ = ["cut_by_clock"]

# With what laying a trace on an axis takes for jitter, no sample is then off by much more than one.
MOST_OFF_SAMPLES = 0.25
NOTE = (
    "miniSEED: the times of records drift from the count of their samples; times are the records', "
    "so that now and then a sample is left out or repeated"
)


def cut_by_clock(stream: Stream, content: np.ndarray) -> None:
    """Cut traces, in place, where a quarter of a sample is between their records' times and count.

    ObsPy joins records that each follow on the one before within half a sample, and keeps the time
    of the first alone: of a clock that drifts by 10 ppm a day's last sample is 0.9 s off. What is
    cut is no gap: each trace gets ``stats.next_ns``, when the sample after its last is due.

    Args:
        stream: all or some of the traces that ObsPy has read from these bytes.
        content: miniSEED that begins with a record: uint8.

    Warns:
        FormatNote: if there is such a drift.

    Example:
        >>> from obspy import read
        >>> stream = read()
        >>> cut_by_clock(stream, np.zeros(512, np.uint8))  # no records of theirs
        >>> len(stream)
        3
    """
    times = record_times(content)
    reached = dict.fromkeys(times, 0)
    traces: list[Trace] = []
    for trace in stream:
        key = _key_of(trace)
        has_rate = np.isfinite(trace.stats.sampling_rate) and trace.stats.sampling_rate > 0
        is_known = has_rate and key in times
        mine = _records_of(trace, times[key], reached[key]) if is_known else None
        if mine is None:
            traces.append(trace)
            continue
        reached[key] = mine.stop
        traces += _cut(trace, RecordTimes(*(values[mine] for values in times[key])))
    if len(traces) > len(stream):
        warnings.warn(NOTE, FormatNote, stacklevel=4)
    stream.traces = traces


def _key_of(trace: Trace) -> tuple[str, ...]:
    stats = trace.stats
    quality = stats.get("mseed", {}).get("dataquality", "")
    return quality, stats.station, stats.location, stats.channel, stats.network


def _records_of(trace: Trace, times: RecordTimes, reached: int) -> slice | None:
    """Return which records of its channel a trace was joined from; None if none fit.

    ObsPy gives the traces of a channel in the order of their records.
    """
    begins = np.flatnonzero(times.start_ns[reached:] == trace.stats.starttime.ns)
    if not len(begins):
        return None
    begin = reached + int(begins[0])
    n_samples = times.n_samples[begin:].cumsum()
    n_records = int(np.searchsorted(n_samples, trace.stats.npts)) + 1
    fits = n_records <= len(n_samples) and n_samples[n_records - 1] == trace.stats.npts
    return slice(begin, begin + n_records) if fits else None


def _cut(trace: Trace, times: RecordTimes) -> list[Trace]:
    """Return the parts of a trace, in which no record is off by more than a quarter sample."""
    from obspy import Trace, UTCDateTime

    rate_hz = trace.stats.sampling_rate
    first_sample = times.n_samples.cumsum() - times.n_samples
    off_samples = (times.start_ns - times.start_ns[0]) * (rate_hz / 1e9) - first_sample
    most = _most_off_samples(times, rate_hz)
    begins = _begins(off_samples, most)
    if len(begins) == 1 and most > MOST_OFF_SAMPLES:
        return [trace]  # the count is finer than the headers' times
    last_ns = int(times.start_ns[-1])
    next_ns = [*times.start_ns[begins[1:]], last_ns + round(1e9 * times.n_samples[-1] / rate_hz)]
    samples = [*first_sample[begins], trace.stats.npts]
    parts = [trace]
    if len(begins) > 1:
        pairs = pairwise(samples)
        parts = [Trace(trace.data[begin:end], trace.stats) for begin, end in pairs]
    for part, begin, due_ns in zip(parts, begins, next_ns, strict=True):
        part.stats.starttime = UTCDateTime(ns=int(times.start_ns[begin]))
        part.stats.next_ns = int(due_ns)
    return parts


def _most_off_samples(times: RecordTimes, rate_hz: float) -> float:
    """Return how far a record may be off: a quarter sample, or as steps of two times allow for."""
    step_ns = FINE_STEP_NS if np.any(times.start_ns % COARSE_STEP_NS) else COARSE_STEP_NS
    return max(MOST_OFF_SAMPLES, 2 * step_ns * rate_hz / 1e9)


def _begins(off_samples: np.ndarray, most: float) -> list[int]:
    """Return the records with which parts begin: the first, and each too far off its part's."""
    begins, begun = [0], float(off_samples[0])
    if np.all(np.abs(off_samples - begun) <= most):  # as nearly all are
        return begins
    for number, off in enumerate(off_samples.tolist()):
        if abs(off - begun) > most:
            begins.append(number)
            begun = off
    return begins
