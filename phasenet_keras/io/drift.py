"""Where samples lie whose count drifts from the clock that their file has for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from obspy import Trace, UTCDateTime

__all__ = [
    "Clock",
    "clock_of",
    "due_ns_of",
    "follows",
    "note_clock",
    "shifts",
    "slice_by_clock",
    "spread",
]

# A clock that is off by less than this between two traces makes no gap and no overlap.
CLOCK_JITTER_SAMPLES = 0.75
# Of one record it may be off by this much more: a clock that jitters has not drifted.
MORE_OF_ONE_SAMPLES = 0.25
# So many records tell how far it has drifted.
N_TOGETHER = 8


class Clock(NamedTuple):
    """When samples of a trace are by the clock of its file.

    Attributes:
        sample: numbers in the trace, the first is 0, ``(n,)``, int64.
        time_ns: of these, in ns since 1970, ``(n,)``, int64.
    """

    sample: np.ndarray
    time_ns: np.ndarray


def clock_of(trace: Trace) -> Clock:
    """Return the clock of a trace: what `note_clock` has noted, or its start alone.

    Example:
        >>> from obspy import read
        >>> clock_of(read()[0]).sample
        array([0])
    """
    start_ns = trace.stats.starttime.ns
    if "clock_ns" not in trace.stats:
        return Clock(np.zeros(1, np.int64), np.array([start_ns]))
    count_ns, time_ns = trace.stats.clock_ns
    sample = np.rint((count_ns - start_ns) * (trace.stats.sampling_rate / 1e9)).astype(np.int64)
    begin = max(0, int(np.searchsorted(sample, 0, "right")) - 1)
    end = int(np.searchsorted(sample, trace.stats.npts))
    sample, time_ns = sample[begin:end].copy(), time_ns[begin:end].copy()
    time_ns[0] += start_ns - count_ns[begin]
    sample[0] = 0
    return Clock(sample, time_ns)


def due_ns_of(trace: Trace) -> int:
    """Return when the sample after a trace's last is due, in ns, by the clock of its file.

    That is in ``stats.next_ns`` where no clock is noted.
    """
    stats = trace.stats
    if "clock_ns" not in stats:
        return int(stats.get("next_ns", stats.endtime.ns + round(1e9 * stats.delta)))
    clock = clock_of(trace)
    return int(clock.time_ns[-1]) + round(1e9 * (stats.npts - clock.sample[-1]) * stats.delta)


def slice_by_clock(trace: Trace, start: UTCDateTime | None, end: UTCDateTime | None) -> Trace:
    """Return what of a trace is from one time to another, by the clock of its file; None: all.

    Example:
        >>> from obspy import read
        >>> trace = read()[0]
        >>> len(slice_by_clock(trace, trace.stats.starttime + 10, None))
        2000
    """
    from obspy import UTCDateTime

    by_count = (None if time is None else _time_by_count(trace, time) for time in (start, end))
    part = trace.slice(*by_count, nearest_sample=False)
    if "clock_ns" in part.stats and part.stats.npts:
        clock = clock_of(part)
        part.stats.starttime = UTCDateTime(ns=int(clock.time_ns[0]))
        note_clock(part, clock)
    return part


def _time_by_count(trace: Trace, time: UTCDateTime) -> UTCDateTime:
    """Return when a time of the clock is by the count of a trace's samples."""
    from obspy import UTCDateTime

    if "clock_ns" not in trace.stats:
        return time
    count_ns, time_ns = trace.stats.clock_ns
    number = max(0, int(np.searchsorted(time_ns, time.ns, "right")) - 1)
    return UTCDateTime(ns=time.ns + int(count_ns[number] - time_ns[number]))


def note_clock(trace: Trace, clock: Clock) -> None:
    """Write into the header of a trace when its samples are.

    In ``stats.clock_ns`` are times by their count, and by the clock, in ns, ``(2, n)``: these say
    the same of a slice.
    """
    count_ns = np.rint(clock.sample * (1e9 / trace.stats.sampling_rate)).astype(np.int64)
    trace.stats.clock_ns = np.stack([clock.time_ns[0] + count_ns, clock.time_ns])


def follows(off_samples: np.ndarray) -> np.ndarray:
    """Tell of each record but the first if it follows on the one before, by a clock that jitters.

    Args:
        off_samples: how much later each is than the count of samples says, ``(n,)``.

    Returns:
        ``(n - 1,)``. One is off by more than a clock's jitter only beside records that, together,
        are not, and never by a sample.

    Example:
        >>> follows(np.array([0.0, 0.4, -0.4, 0.4, 0.0, 0.9, 0.9, 0.9]))
        array([ True,  True,  True,  True, False,  True,  True])
    """
    jumps = np.abs(np.diff(off_samples))
    sums = np.concatenate([[0.0], np.cumsum(off_samples)])
    number = np.arange(1, len(off_samples))
    before, after = (
        np.maximum(0, number - N_TOGETHER),
        np.minimum(len(jumps) + 1, number + N_TOGETHER),
    )
    before_mean = (sums[number] - sums[before]) / (number - before)
    after_mean = (sums[after] - sums[number]) / (after - number)
    is_jitter = np.abs(after_mean - before_mean) <= CLOCK_JITTER_SAMPLES
    most = np.where(is_jitter, CLOCK_JITTER_SAMPLES + MORE_OF_ONE_SAMPLES, CLOCK_JITTER_SAMPLES)
    return (jumps <= CLOCK_JITTER_SAMPLES) | (jumps < most)


def shifts(off_samples: np.ndarray, most_off_samples: float = CLOCK_JITTER_SAMPLES) -> np.ndarray:
    """Return by how many samples records are laid later than their count says, by their clock.

    Args:
        off_samples: how much later each is by the clock, ``(n,)``.
        most_off_samples: what records may be off together before they are shifted; one may be off
            by a quarter sample more.

    Returns:
        ``(n,)``, int64.

    Example:
        >>> shifts(np.array([0.0, 0.3, 0.6, 0.9, 1.2, 1.5, 1.8]))
        array([0, 0, 1, 1, 1, 1, 1])
        >>> shifts(np.array([0.0, 0.8, 0.1, 0.9, 0.0, 0.8, 0.0, 0.1]))
        array([0, 0, 0, 0, 0, 0, 0, 0])
    """
    if np.all(np.abs(off_samples) <= most_off_samples):  # as nearly all are
        return np.zeros(len(off_samples), np.int64)
    n_together = min(N_TOGETHER, len(off_samples))
    sums = np.concatenate([[0.0], np.cumsum(off_samples)])
    means = (sums[n_together:] - sums[:-n_together]) / n_together
    means = np.concatenate([means, means[-1:].repeat(n_together - 1)])
    shift, found = 0, []
    for off, mean in zip(off_samples.tolist(), means.tolist(), strict=True):
        left, left_together = off - shift, mean - shift
        is_drift = left * left_together > 0 and abs(left_together) > most_off_samples
        if is_drift or abs(left) > most_off_samples + MORE_OF_ONE_SAMPLES:
            shift += round(left)
        found.append(shift)
    return np.array(found)


def spread(values: np.ndarray, sample: np.ndarray, places: np.ndarray, begin: int) -> np.ndarray:
    """Return samples as they lie on an axis: some are there again, or left out, before others.

    Args:
        values: ``(n_samples,)``.
        sample: numbers of those that have a place, the first is 0, ``(n,)``.
        places: on the axis, ``(n,)``; those between follow on. Where they come after what is there
            already, a sample is repeated until then; where before, so many are left out.
        begin: the place of what is returned.

    Example:
        >>> spread(np.array([5, 6, 7, 8]), np.array([0, 2]), np.array([2, 5]), 1)
        array([5, 5, 6, 7, 7, 8])
        >>> spread(np.array([5, 6, 7, 8]), np.array([0, 2]), np.array([2, 3]), 2)
        array([5, 6, 8])
    """
    is_new = np.diff(places - sample, prepend=begin) != 0
    is_new[0] = True
    firsts, places = sample[is_new].tolist(), places[is_new].tolist()
    parts, reached = [], begin
    for first, end, place in zip(firsts, [*firsts[1:], len(values)], places, strict=True):
        if place > reached:
            parts.append(values[first : first + 1].repeat(place - reached))
            reached = place
        parts.append(values[first + reached - place : end])
        reached += len(parts[-1])
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
