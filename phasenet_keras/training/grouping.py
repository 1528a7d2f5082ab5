"""Which records belong together: by their names, by what they overlap with, by their samples.

And which events of two names look like one earthquake, as a catalogue that has it twice says.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median

from phasenet_keras.io.arrival_formats import codes_of
from phasenet_keras.io.labels.timed import ONE_ONSET_SAMPLES
from phasenet_keras.io.parts import RecordFacts, events_in
from phasenet_keras.io.record_names import has_date

__all__ = [
    "NAMED",
    "copies_of",
    "drawn_with",
    "event_length_s",
    "groups_of",
    "joined",
    "names_of",
    "overlaps_of",
    "tied_groups",
    "twice_named",
    "unsure_spans",
]

NAMED = ("event", "gather")
# Neighbouring receivers record nearly the same: blocks of this many stay together, fewer where
# there would not be six blocks.
BLOCK_RECORDS = 8
LEAST_BLOCKS = 6
# All arrivals of one earthquake come within this many times its longest S-P after its origin time,
# for vP/vS of 1.73 (Wadati): 1 + 1 / (1.73 - 1).
EVENT_LENGTH = 2.4
# Which of the times from P to S is taken as the longest: some S have lost their P.
LONGEST_OF_USUAL = 0.9
# Where fewer spans are left, as of a swarm whose earthquakes follow closely, overlap alone counts.
LEAST_SPANS = 3
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


def groups_of(facts: Sequence[RecordFacts], by: str) -> list[str]:
    """Return the name of the group of each record, empty where it has none."""
    block = max(1, min(BLOCK_RECORDS, len(facts) // LEAST_BLOCKS))
    if by == "block":
        return [f"{number // block:06d}" for number in range(len(facts))]
    if by == "time":
        return _spans(facts, _reaches_s(facts))
    return [getattr(fact, by) for fact in facts]


def names_of(fact: RecordFacts, by: str) -> list[str]:
    """Return the events, the gather or the station of a record."""
    name = getattr(fact, by)
    return events_in(name) if by == "event" else [name] if name else []


def tied_groups(facts: Sequence[RecordFacts], by: str) -> list[str]:
    """Return the group of each record; events (gathers) that have records in common are one.

    So is what overlaps in time with a record without a name; empty is one that has no time either.
    """
    groups = groups_of(facts, by)
    if by not in NAMED or not any(groups):
        return groups
    other = NAMED[1 - NAMED.index(by)]
    pairs = _sharing([names_of(fact, by) or names_of(fact, other) for fact in facts])
    pairs += _meetings(facts)
    known = {number for pair in pairs for number in pair}
    groups = [group or f"record {number}" for number, group in enumerate(groups)]
    groups = joined(groups, pairs)
    return [group if number in known else "" for number, group in enumerate(groups)]


def drawn_with(facts: Sequence[RecordFacts]) -> list[str]:
    """Return what each record is drawn with in a bootstrap.

    Its event, else its gather, else all of its time (which arrivals may still come in, however few
    spans are left), else itself. Events that have records in common are one, and so is what
    overlaps in time with a record of theirs and has no name.

    Example:
        >>> facts = [RecordFacts(n, station=n, start_s=1e9, duration_s=9.0) for n in "ab"]
        >>> drawn_with([*facts, RecordFacts("c", event="quake"), RecordFacts("d")])
        ['2001-09-09T01:46:40.000000+00:00', '2001-09-09T01:46:40.000000+00:00', 'quake', 'd']
    """
    tied = tied_groups(facts, "event")
    named = {group for group, fact in zip(tied, facts, strict=True) if fact.event}
    ways = (
        [group if group in named else "" for group in tied],
        [fact.gather for fact in facts],
        _spans(facts, _arrivals_end_s(facts)),
        [fact.name or f"record {number}" for number, fact in enumerate(facts)],
    )
    return [next(filter(None, names)) for names in zip(*ways, strict=True)]


def unsure_spans(facts: Sequence[RecordFacts]) -> list[str]:
    """Return when the span of what overlaps with an unnamed record begins; empty for all else."""
    pairs = _meetings(facts)
    roots = joined([str(number) for number in range(len(facts))], pairs)
    begins_s: dict[str, float] = {}
    for number in {number for pair in pairs for number in pair}:
        begin_s = begins_s.get(roots[number], math.inf)
        begins_s[roots[number]] = min(begin_s, facts[number].start_s)
    return [_said_time(begins_s[root]) if root in begins_s else "" for root in roots]


def copies_of(facts: Sequence[RecordFacts]) -> list[tuple[int, int]]:
    """Return the numbers of records that have the samples of a channel in common, in pairs."""
    pairs = _sharing([fact.digests for fact in facts])
    return list(dict.fromkeys(pair for pair in pairs if pair[0] != pair[1]))


def overlaps_of(facts: Sequence[RecordFacts]) -> list[tuple[int, int]]:
    """Return the numbers of records of one station that overlap in time, in pairs."""
    known = [n for n, fact in enumerate(facts) if has_date(fact.start_s)]
    known.sort(key=lambda number: (facts[number].station, facts[number].start_s))
    pairs = []
    last = None
    for number in known:
        fact = facts[number]
        if last is not None and facts[last].station == fact.station:
            end_s = facts[last].start_s + facts[last].duration_s
            if fact.start_s < end_s:
                pairs.append((last, number))
                if fact.start_s + fact.duration_s <= end_s:
                    continue
        last = number
    return pairs


def _sharing(names: Sequence[Sequence[str]]) -> list[tuple[int, int]]:
    """Return each number that has a name, once a name, paired with the first that has it."""
    first: dict[str, int] = {}
    return [
        (first.setdefault(name, number), number)
        for number, of_one in enumerate(names)
        for name in of_one
    ]


def joined(groups: Sequence[str], pairs: Iterable[tuple[int, int]]) -> list[str]:
    """Return the groups, those that such pairs tie together under one name."""
    names = {group: group for group in groups}

    def name_of(group: str) -> str:
        while names[group] != group:
            names[group] = group = names[names[group]]
        return group

    for one, other in pairs:
        names[name_of(groups[other])] = name_of(groups[one])
    return [name_of(group) for group in groups]


def event_length_s(facts: Sequence[RecordFacts]) -> float:
    """Return how long the arrivals of one earthquake may take, by the times from P to S.

    These are from each P to the next arrival at its station, where that is an S. 0 without any.

    Example:
        >>> fact = RecordFacts("r", arrivals={"P": (100.0,), "S": (600.0,)}, sampling_rate=100.0)
        >>> event_length_s([fact])
        12.0
    """
    by_station: dict[str, set[tuple[float, str]]] = {}
    for fact in facts:
        by_station.setdefault(fact.station, set()).update(_arrivals_of(fact))
    found = sorted(
        later - earlier
        for arrivals in map(sorted, by_station.values())
        for (earlier, first), (later, second) in pairwise(arrivals)
        if (first, second) == ("P", "S")
    )
    if not found:
        return 0.0
    return EVENT_LENGTH * found[math.ceil(LONGEST_OF_USUAL * len(found)) - 1]


def _spans(facts: Sequence[RecordFacts], ends_s: Sequence[float]) -> list[str]:
    """Return for each record when the span of records begins that overlap; empty without a time."""
    names = [""] * len(facts)
    for begin_s, _, numbers in _stretches(facts, range(len(facts)), ends_s):
        for number in numbers:
            names[number] = _said_time(begin_s)
    return names


def _reaches_s(facts: Sequence[RecordFacts]) -> list[float]:
    """Return until when each record is of one time with what begins, so that spans can be split."""
    reaches_s = _arrivals_end_s(facts)
    are_enough = len(_stretches(facts, range(len(facts)), reaches_s)) >= LEAST_SPANS
    return reaches_s if are_enough else [fact.start_s + fact.duration_s for fact in facts]


def _arrivals_end_s(facts: Sequence[RecordFacts]) -> list[float]:
    """Return until when arrivals of the earthquakes in each record may come, at any station.

    Not before the record ends. So windows that are shorter than an earthquake's arrivals take, and
    begin before its last one may come, are of one time, though they do not overlap.
    """
    length_s = event_length_s(facts)
    ends_s = [fact.start_s + fact.duration_s for fact in facts]
    return [
        max([end_s, *(length_s + time_s for time_s, _ in _arrivals_of(fact))])
        for fact, end_s in zip(facts, ends_s, strict=True)
    ]


def _arrivals_of(fact: RecordFacts) -> list[tuple[float, str]]:
    """Return the times in s and the phases of a record's arrivals."""
    return [
        (fact.start_s + sample / fact.sampling_rate, phase)
        for phase, samples in (fact.arrivals or {}).items()
        for sample in samples
    ]


def _stretches(
    facts: Sequence[RecordFacts], numbers: Iterable[int], ends_s: Sequence[float]
) -> list[tuple[float, float, list[int]]]:
    """Return begin and end in s of each span of these records that overlap, and their numbers."""
    found: list[tuple[float, float, list[int]]] = []
    known = [number for number in numbers if has_date(facts[number].start_s)]
    for number in sorted(known, key=lambda n: facts[n].start_s):
        start_s, end_s = facts[number].start_s, ends_s[number]
        if found and start_s < found[-1][1]:
            begin_s, last_s, inside = found[-1]
            inside.append(number)
            found[-1] = (begin_s, max(last_s, end_s), inside)
        else:
            found.append((start_s, end_s, [number]))
    return found


def _meetings(facts: Sequence[RecordFacts]) -> list[tuple[int, int]]:
    """Return pairs of records that tie each without event and gather to all it overlaps with."""
    unnamed = [n for n, fact in enumerate(facts) if not (fact.event or fact.gather)]
    reaches_s = _reaches_s(facts)
    spans = _stretches(facts, unnamed, reaches_s)
    ends_s = [end_s for _, end_s, _ in spans]
    pairs = [(inside[0], number) for _, _, inside in spans for number in inside]
    for number in set(range(len(facts))) - set(unnamed):
        begin_s, end_s = facts[number].start_s, reaches_s[number]
        place = bisect_right(ends_s, begin_s)
        while place < len(spans) and spans[place][0] < end_s:
            pairs.append((spans[place][2][0], number))
            place += 1
    return pairs


def _said_time(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="microseconds")


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
