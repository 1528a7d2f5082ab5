"""Which traces are of one record, and which component each of them is."""

from __future__ import annotations

import warnings
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from phasenet_keras.io.channels import claims_of, component_prefix
from phasenet_keras.io.registry import RecordWarning

if TYPE_CHECKING:
    from obspy import Trace, UTCDateTime

__all__ = ["Company", "RecordKey", "RecordKeys", "record_key", "station_id", "with_components"]

RecordKey = tuple[str, str, float]

# Of two sampling rates; miniSEED's readers, too, take such for one.
SAME_RATE = 1e-4
# What a code stands for depends on others that were heard of so recently.
COMPANY_S = 2 * 86_400.0


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


def record_key(trace: Trace) -> tuple[str, str, float]:
    """Return what traces of one record share: station, file and sampling rate in Hz."""
    # Rates that differ by header rounding are one rate.
    rate = float(f"{trace.stats.sampling_rate:.6g}")
    # What is named after its file is a record of its own: equal names are chance.
    path = trace.stats.get("source_path", "") if trace.stats.get("station_name") else ""
    return station_id(trace), path, rate


class RecordKeys:
    """Keys in which rates that are nearly the same are one: a digitiser's clock drifts."""

    def __init__(self) -> None:
        self._rates: dict[tuple[str, str], list[float]] = {}

    def of(self, key: RecordKey) -> RecordKey:
        """Return the first key of the same station and, within 1e-4, the same rate.

        Example:
            >>> keys = RecordKeys()
            >>> [keys.of(("XX.A..HH", "", rate))[2] for rate in (100.0, 99.9987, 50.0)]
            [100.0, 100.0, 50.0]
        """
        station, path, rate = key
        known = self._rates.setdefault((station, path), [])
        for same in known:
            if abs(rate / same - 1.0) <= SAME_RATE:
                return station, path, same
        known.append(rate)
        return key


class Company:
    """The channel codes of one instrument as they come and go over the years."""

    def __init__(self) -> None:
        self._heard: dict[str, UTCDateTime] = {}
        self._ends: dict[str, UTCDateTime] = {}

    def announce(self, code: str, time: UTCDateTime) -> None:
        """Note a code that was heard of at a time, whose traces may be yet to come."""
        self._heard[code] = max(time, self._heard.get(code, time))

    def join(self, traces: Sequence[Trace]) -> None:
        """Note traces; codes that were not heard of for two days before them are forgotten."""
        for trace in traces:
            code, end = trace.stats.channel, trace.stats.endtime
            self.announce(code, end)
            self._ends[code] = max(end, self._ends.get(code, end))
        if traces:
            since = min(trace.stats.starttime for trace in traces) - COMPANY_S
            self._heard = {code: time for code, time in self._heard.items() if time >= since}
            self._ends = {code: end for code, end in self._ends.items() if code in self._heard}

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes that were heard of lately."""
        return tuple(self._heard)

    def ends(self) -> dict[str, UTCDateTime]:
        """Return when each code's traces end that have come."""
        return dict(self._ends)


def with_components(
    station: str,
    traces: Sequence[Trace],
    codes: Iterable[str] = (),
    ends: Mapping[str, UTCDateTime] | None = None,
) -> list[tuple[Trace, str]]:
    """Return the traces of known components, each with its own.

    Where at one time two codes stand for one component, the plainer one (see `claims_of`) counts.
    Codes that follow one another, as 1 and 2 and then N and E, do not disturb each other.

    Args:
        station: for the warning.
        traces: of one record.
        codes: more channel codes of the record, which decide what others stand for.
        ends: of earlier traces, by code.

    Warns:
        RecordWarning: for channels whose code cannot be understood.
    """
    claims = claims_of(sorted({trace.stats.channel for trace in traces} | set(codes)))
    order = list(claims)
    rivals = {
        code: [other for other in order[:place] if claims[other] == claims[code]]
        for place, code in enumerate(order)
    }
    spans = {
        code: _Spans([t for t in traces if t.stats.channel == code], (ends or {}).get(code))
        for code in {other for others in rivals.values() for other in others}
    }
    pairs, left_out = [], set()
    for trace in traces:
        code = trace.stats.channel
        if code in claims and not any(spans[other].meet(trace) for other in rivals[code]):
            pairs.append((trace, claims[code]))
        else:
            left_out.add(code)
    if left_out:
        known = ", ".join(dict.fromkeys(trace.stats.channel for trace, _ in pairs))
        warnings.warn(
            f"{station}: channels {', '.join(sorted(left_out))} left out: no known component, or "
            f"another channel is that component ({known or 'none is known'})",
            RecordWarning,
            stacklevel=3,
        )
    return pairs


class _Spans:
    """When there are traces of a code."""

    def __init__(self, traces: Sequence[Trace], last_end: UTCDateTime | None) -> None:
        spans = sorted((t.stats.starttime.ns, t.stats.endtime.ns) for t in traces)
        self._last_end = None if last_end is None else last_end.ns
        self._starts = [start for start, _ in spans]
        self._latest_ends = list(accumulate((end for _, end in spans), max))

    def meet(self, trace: Trace) -> bool:
        """Tell if one of them has a time in common with a trace."""
        start = trace.stats.starttime.ns
        if self._last_end is not None and self._last_end >= start:
            return True
        number = bisect_right(self._starts, trace.stats.endtime.ns)
        return number > 0 and self._latest_ends[number - 1] >= start
