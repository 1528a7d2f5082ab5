"""Which events of two names look like one earthquake, as a catalogue that has it twice says."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from phasenet_keras.io.arrival_formats import codes_of
from phasenet_keras.io.labels.timed import ONE_ONSET_SAMPLES
from phasenet_keras.io.parts import RecordFacts, events_in
from phasenet_keras.io.record_names import has_date

__all__ = ["twice_named"]

# From origin to P in times of S-P, 1 / (vP/vS - 1): for vP/vS of 1.73, and how far that is from
# what 1.82 and 1.65 give.
P_TIME, P_TIME_MARGIN = 1.37, 0.15
# Network and station code, and phase.
Place = tuple[tuple[str, str], str]


@dataclass(frozen=True)
class _Event:
    """What the records of one event say of when it was.

    Attributes:
        name: of the event.
        onsets: time and sampling rate of the arrival at each place.
        origin_s: of the earthquake, by P and S; NaN where no record has both.
        longest_s: time from P to S.
    """

    name: str
    onsets: Mapping[Place, tuple[float, float]]
    origin_s: float
    longest_s: float


def twice_named(facts: Sequence[RecordFacts]) -> list[tuple[str, str]]:
    """Return pairs of names of events that seem to be one earthquake.

    Where both were recorded at one station, their arrivals there are as near as two picks of one
    onset; else their origin times are, by P and S, as near as these tell. Earthquakes of a swarm
    that follow each other by more are two. Nothing is known of records without a true time, nor
    of an event that has no P and S at one station, and no station in common with the other.

    Args:
        facts: of the records, with one event each; those of several are left out.

    Example:
        >>> at = dict(start_s=1e9, arrivals={"P": (100.0,), "S": (300.0,)}, sampling_rate=100.0)
        >>> twice_named([RecordFacts(n, event=n, station=n, **at) for n in "ab"])
        [('a', 'b')]
    """
    pairs = {
        (min(one.name, other.name), max(one.name, other.name))
        for one, other in _neighbours(_events(facts))
        if _are_one(one, other)
    }
    return sorted(pairs)


def _events(facts: Sequence[RecordFacts]) -> list[_Event]:
    onsets: dict[str, dict[Place, tuple[float, float]]] = defaultdict(dict)
    p_and_s: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for fact in facts:
        # Of several arrivals of a phase all but one are of others, which no name tells.
        samples = {phase: at[0] for phase, at in (fact.arrivals or {}).items() if len(at) == 1}
        if len(events_in(fact.event)) != 1 or not has_date(fact.start_s):
            continue
        times_s = {
            phase: fact.start_s + sample / fact.sampling_rate for phase, sample in samples.items()
        }
        for phase, time_s in times_s.items():
            place = codes_of(fact.station), phase
            onsets[fact.event].setdefault(place, (time_s, fact.sampling_rate))
        if times_s.get("S", -math.inf) > times_s.get("P", math.inf):
            p_and_s[fact.event].append((times_s["P"], times_s["S"]))
    return [
        _Event(
            name,
            of_event,
            median([p - P_TIME * (s - p) for p, s in p_and_s[name]] or [math.nan]),
            max((s - p for p, s in p_and_s[name]), default=0.0),
        )
        for name, of_event in onsets.items()
    ]


def _neighbours(events: Sequence[_Event]) -> Iterator[tuple[_Event, _Event]]:
    """Yield pairs of events that may be one: next to each other at a station, or by origin."""
    by_place: dict[Place, list[tuple[float, int]]] = defaultdict(list)
    for number, event in enumerate(events):
        for place, (time_s, _) in event.onsets.items():
            by_place[place].append((time_s, number))
    for arrivals in by_place.values():
        for (_, one), (_, other) in pairwise(sorted(arrivals)):
            yield events[one], events[other]
    located = [event for event in events if not math.isnan(event.origin_s)]
    yield from pairwise(sorted(located, key=lambda event: event.origin_s))


def _are_one(one: _Event, other: _Event) -> bool:
    """Tell if two events are as near in time as one earthquake's."""
    shared = one.onsets.keys() & other.onsets.keys()
    if shared:
        gaps = [abs(one.onsets[at][0] - other.onsets[at][0]) * one.onsets[at][1] for at in shared]
        return median(gaps) < ONE_ONSET_SAMPLES
    margin_s = P_TIME_MARGIN * max(one.longest_s, other.longest_s)
    return abs(one.origin_s - other.origin_s) <= margin_s
