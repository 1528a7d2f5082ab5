"""Which traces are of one record, and which component each of them is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from phasenet_keras.io.channels import are_sensors, claims_of, component_prefix
from phasenet_keras.io.record_names import own_record
from phasenet_keras.io.registry import say
from phasenet_keras.types import FormatError

if TYPE_CHECKING:
    from obspy import Trace

__all__ = [
    "Company",
    "Heard",
    "RecordKey",
    "RecordKeys",
    "are_one_rate",
    "check_are_of_one",
    "record_key",
    "station_id",
    "with_components",
]

RecordKey = tuple[str, str, float]

# Of two sampling rates; miniSEED's readers, too, take such for one.
SAME_RATE = 1e-4
MOST_OFF_SAMPLES = 0.5
# What a code stands for depends on others that were heard of so recently.
COMPANY_NS = 2 * 86_400 * 10**9
# Spans of a code that are no further apart are one: packets of a second would be many.
NEAR_NS = 60 * 10**9


def station_id(trace: Trace) -> str:
    """Return the SEED id without the component, or the station's name where there is no id.

    Example:
        >>> from obspy import read
        >>> station_id(read()[0])
        'BW.RJOB..EH'
    """
    stats = trace.stats
    name = stats.get("station_name")
    if name:
        return name
    return f"{stats.network}.{stats.station}.{stats.location}.{component_prefix(stats.channel)}"


def record_key(trace: Trace) -> RecordKey:
    """Return what traces of one record share: station, file and sampling rate in Hz."""
    # Rates that differ by header rounding are one rate.
    rate = float(f"{trace.stats.sampling_rate:.6g}")
    return station_id(trace), own_record(trace), rate


def are_one_rate(rates_hz: Iterable[float]) -> bool:
    """Tell if sampling rates are one but for the drift of clocks.

    Example:
        >>> are_one_rate([2000.0, 2000.02]), are_one_rate([2000.0, 2001.0]), are_one_rate([])
        (True, False, True)
    """
    rates = list(rates_hz)
    return max(rates, default=1.0) <= (1 + SAME_RATE) * min(rates, default=1.0)


class Heard(NamedTuple):
    """From when to when, in ns, a channel code of a record is in some part of an archive."""

    key: RecordKey
    code: str
    start_ns: int
    end_ns: int


class RecordKeys:
    """Keys in which rates that are nearly the same are one: a digitiser's clock drifts."""

    def __init__(self) -> None:
        self._rates: dict[tuple[str, str], list[float]] = {}

    def of(self, key: RecordKey, n_samples: int = 1) -> RecordKey:
        """Return a known key of the same station and, within 1e-4, the same rate.

        Times follow from the rate: it is not taken for another that would move a sample by half of
        one or more.

        Args:
            key: as `record_key` gives it; is known from then on, unless another stands for it.
            n_samples: of the trace.

        Example:
            >>> keys = RecordKeys()
            >>> [keys.of(("XX.A..HH", "", rate), 9000)[2] for rate in (100.0, 99.9987, 99.991)]
            [100.0, 100.0, 99.991]
        """
        station, path, rate = key
        known = self._rates.setdefault((station, path), [])
        for same in known:
            off = abs(rate / same - 1.0)
            if off <= SAME_RATE and off * n_samples < MOST_OFF_SAMPLES:
                return station, path, same
        known.append(rate)
        return key


class Company:
    """The channel codes of one instrument as they come and go over the years.

    Attributes:
        spans: when there are traces of each code, in ns.
    """

    def __init__(self) -> None:
        self.spans: dict[str, list[tuple[int, int]]] = {}

    def announce(self, code: str, start_ns: int, end_ns: int) -> None:
        """Note from when to when there is a code, whose traces may be yet to come."""
        spans = self.spans.setdefault(code, [])
        for number in reversed(range(len(spans))):
            start, end = spans[number]
            if start_ns <= end + NEAR_NS and start <= end_ns + NEAR_NS:
                spans[number] = min(start, start_ns), max(end, end_ns)
                return
        spans.append((start_ns, end_ns))

    def join(self, traces: Sequence[Trace]) -> None:
        """Note traces, and forget what is long over.

        That is what ended two days before them; a code is forgotten if another that stands for the
        same component has taken its place. One that is only silent still says what others are.
        """
        if not traces:
            return
        for code in {trace.stats.channel for trace in traces}:
            of_code = [trace.stats for trace in traces if trace.stats.channel == code]
            start_ns = min(stats.starttime.ns for stats in of_code)
            self.announce(code, start_ns, max(stats.endtime.ns for stats in of_code))
        since = min(trace.stats.starttime for trace in traces).ns - COMPANY_NS
        claims = claims_of(sorted(self.spans))
        last = {code: max(spans, key=lambda span: span[1]) for code, spans in self.spans.items()}
        living = {claims.get(code) for code, (_, end) in last.items() if end >= since}
        self.spans = {
            code: [span for span in spans if span[1] >= since] or [last[code]]
            for code, spans in self.spans.items()
            if last[code][1] >= since or claims.get(code) not in living or code not in claims
        }


def check_are_of_one(traces: Sequence[Trace]) -> None:
    """Refuse traces in order of time that no station's name tells apart, if they are of several.

    Such have one channel code, most of their time in common, and other samples. What overlaps
    less may be one that goes on.

    Raises:
        FormatError: saying how to name them.

    Example:
        >>> from obspy import Trace
        >>> check_are_of_one([Trace(np.zeros(9)), Trace(np.zeros(9))])
    """
    nameless: dict[str, list[Trace]] = {}
    for trace in traces:
        stats = trace.stats
        if not (stats.network or stats.station or stats.get("station_name")):
            nameless.setdefault(stats.channel, []).append(trace)
    for code, same in nameless.items():
        if any(_are_two(*pair) for pair in pairwise(same)):
            raise FormatError(
                f"{len(same)} traces without codes of network and station"
                f"{f', all of channel {code},' if code else ' or channel'} are of one time and "
                "have different samples, so that nothing tells whose they are: give each its "
                'trace.stats.station ("R001", "R002", …) or, if they are channels of one station, '
                'its trace.stats.channel ("Z", "N", "E")'
            )


def _are_two(one: Trace, next_one: Trace) -> bool:
    """Tell if a trace begins in the first half of another, and has other samples."""
    late_samples = round((next_one.stats.starttime - one.stats.starttime) / one.stats.delta)
    if 2 * late_samples >= one.stats.npts:
        return False
    n_samples = min(one.stats.npts - late_samples, next_one.stats.npts)
    first, second = one.data[late_samples:][:n_samples], next_one.data[:n_samples]
    return not np.array_equal(np.ma.filled(first, 0), np.ma.filled(second, 0), equal_nan=True)


def with_components(
    station: str,
    traces: Sequence[Trace],
    known: Mapping[str, Sequence[tuple[int, int]]] | None = None,
) -> list[tuple[Trace, str]]:
    """Return the traces of known components, each with its own.

    Where at one time two codes stand for one component, the plainer one (see `claims_of`) counts.
    Codes that follow one another, as 1 and 2 and then N and E, do not disturb each other.

    Args:
        station: for the warning.
        traces: of one record.
        known: the record's channel codes, those of more traces too, which decide what codes stand
            for, and from when to when there are traces of each, in ns; None: there are no more.

    Warns:
        RecordWarning: for channels whose code cannot be understood.
    """
    spans = {code: list(found) for code, found in (known or {}).items()}
    for trace in traces if known is None else ():
        span = trace.stats.starttime.ns, trace.stats.endtime.ns
        spans.setdefault(trace.stats.channel, []).append(span)
    claims = claims_of(sorted({trace.stats.channel for trace in traces} | set(spans)))
    order = list(claims)
    rivals = {
        code: [_Spans(spans[other]) for other in order[:place] if claims[other] == claims[code]]
        for place, code in enumerate(order)
    }
    pairs, left_out = [], set()
    for trace in traces:
        code = trace.stats.channel
        settled = trace.stats.get("of_component")  # of a counted sensor
        if settled:
            pairs.append((trace, settled))
        elif (
            settled is None
            and code in claims
            and not any(rival.meet(trace) for rival in rivals[code])
        ):
            pairs.append((trace, claims[code]))
        else:
            left_out.add(code)
    if left_out:
        disputed = {claims[code] for code in left_out & set(claims)}
        others = [code for code in order if claims[code] in disputed and code not in left_out]
        used = ", ".join(dict.fromkeys([*(trace.stats.channel for trace, _ in pairs), *others]))
        why = (
            f"no known component, or another channel is that component ({used or 'none is known'})"
        )
        if are_sensors(spans) or any("of_component" in trace.stats for trace in traces):
            why = "numbers but 1, 2 and 3 are of sensors, not of components: give each sensor a "
            why += "station code of its own (components codes that end in E, N, Z), or take one "
            why += "alone (--channel)"
        say(f"{station}: channels {', '.join(sorted(left_out))} left out: {why}")
    return pairs


class _Spans:
    """When there are traces of a code, in ns."""

    def __init__(self, spans: Iterable[tuple[int, int]]) -> None:
        spans = sorted(spans)
        self._starts = [start for start, _ in spans]
        self._latest_ends = list(accumulate((end for _, end in spans), max))

    def meet(self, trace: Trace) -> bool:
        """Tell if one of them has a time in common with a trace."""
        number = bisect_right(self._starts, trace.stats.endtime.ns)
        return number > 0 and self._latest_ends[number - 1] >= trace.stats.starttime.ns
