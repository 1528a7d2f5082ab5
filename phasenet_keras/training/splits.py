"""Splitting records into train, dev and test, so that no group is on two sides."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from phasenet_keras.io.parts import RecordFacts
from phasenet_keras.io.wording import some
from phasenet_keras.training.grouping import (
    NAMED,
    copies_of,
    drawn_with,
    groups_of,
    joined,
    names_of,
    overlaps_of,
    tied_groups,
    unsure_spans,
)
from phasenet_keras.training.twice_named import twice_named
from phasenet_keras.types import ConfigError, LabelledWaveform, nearest_name

__all__ = [
    "SPLIT_BY",
    "assign_splits",
    "check_leakage",
    "choose_split_by",
    "common_name",
    "common_span",
    "digest_of",
    "drawn_groups",
    "facts_of",
    "group_names",
    "is_lone",
    "split_facts",
]

SPLIT_BY = ("event", "gather", "station", "time", "block")
LEAST_GROUPS = 3
# Of so many events, gathers or times two validate: one says nothing of others.
LEAST_GROUPS_FOR_TWO = 5
MOMENTS = (*NAMED, "time")
# Records of so many windows, of so many seconds, are long.
USUAL_WINDOW_S, LONG_WINDOWS = 30, 10
FRACTIONS = (0.6, 0.1, 0.3)
REMEDIES = {
    "station": " (scores will be of known stations; phasenet-keras prepare --split-by station "
    "keeps them apart)",
    "time": " (one earthquake may be on two sides; phasenet-keras prepare --split-by time keeps "
    "them apart)",
}
NAMES_OF_SEVERAL = {"time": "spans of overlapping records"}


def assign_splits(
    records: Sequence[LabelledWaveform],
    by: str = "block",
    fractions: tuple[float, float, float] = FRACTIONS,
    seed: int = 0,
) -> list[LabelledWaveform]:
    """Return the records with their splits.

    Args:
        records: in order of their receivers, for ``"block"``.
        by: ``"event"``, ``"gather"`` or ``"station"`` keep each of these together; ``"time"``
            what overlaps in time, at whatever station; ``"block"`` eight neighbouring records
            (fewer in a small set).
        fractions: of train, dev and test, by number of records; each part gets one group at least,
            train the largest, and dev two of five or more events, gathers or times.
        seed: of the drawing.

    Raises:
        ConfigError: for an unknown ``by``, fractions that do not add up to 1, records without the
            group's name, or fewer than three groups.
    """
    _refuse_unknown(by)
    splits = _draw(group_names(records, by), by, fractions, seed)
    return [replace(record, split=split) for record, split in zip(records, splits, strict=True)]


def choose_split_by(facts: Sequence[RecordFacts]) -> str:
    """Return what to split by: events, gathers, times or blocks.

    The first of which there are three, that have nothing in common (see `split_facts`); times
    count only if there are several stations: one earthquake is then in several records.
    """
    for by in NAMED:
        tied = zip(tied_groups(facts, by), groups_of(facts, by), strict=True)
        if len({group for group, name in tied if name}) >= LEAST_GROUPS:
            return by
    times = groups_of(facts, "time")
    has_times = "" not in times and len(set(times)) >= LEAST_GROUPS
    return "time" if has_times and len(set(groups_of(facts, "station"))) > 1 else "block"


def group_names(records: Sequence[LabelledWaveform], by: str = "") -> list[str]:
    """Return the name of the group of each record, that is never split.

    Args:
        records: in order of their receivers, for ``"block"``.
        by: as in `assign_splits`; empty chooses, see `choose_split_by`.

    Raises:
        ConfigError: for an unknown ``by``, or records without the group's name; without event
            (gather) may be those that overlap in time with what has one, see `split_facts`.
    """
    facts = [facts_of(record, with_digest=False) for record in records]
    by = by or choose_split_by(facts)
    _refuse_unknown(by)
    groups = tied_groups(facts, by)
    if "" in groups:
        raise ConfigError(f"record {groups.index('') + 1} has no {by}: split by something else")
    return groups


def split_facts(facts: Sequence[RecordFacts], by: str, seed: int = 0) -> list[str]:
    """Return the split of each record.

    Records of the same samples, and records of one station that overlap in time, are never on two
    sides, whatever they are split by; split by event (gather), nor are records that have one of
    several events in common, nor what overlaps in time with a record of no event and no gather.

    Args:
        facts: of the records, in their order.
        by: as in `assign_splits`. A record without event (gather) that overlaps with none is a
            group of its own, where others have one.
        seed: of the drawing.

    Raises:
        ConfigError: for an unknown ``by``, no record with such a group, or fewer than three.
    """
    _refuse_unknown(by)
    groups = tied_groups(facts, by)
    if not any(groups_of(facts, by)):
        raise ConfigError(
            f"no record names its {by}: split by something else (--split-by block, in Python "
            "split_by='block')"
        )
    groups = [group or f"record {number}" for number, group in enumerate(groups)]
    groups = joined(groups, [*copies_of(facts), *overlaps_of(facts)])
    return _draw(groups, by, FRACTIONS, seed, are_long=_are_long(facts))


def drawn_groups(records: Iterable[LabelledWaveform]) -> list[str]:
    """Return what each record is drawn with in a bootstrap: event, gather, time, or itself."""
    return drawn_with([facts_of(record, with_digest=False) for record in records])


def is_lone(records: Sequence[LabelledWaveform], groups: Sequence[str]) -> bool:
    """Tell if each record is drawn by itself for want of any name or date; see `drawn_groups`."""
    names = [r.name or f"record {number}" for number, r in enumerate(records)]
    return len(records) > 1 and list(groups) == names


def common_name(records: Sequence[LabelledWaveform]) -> tuple[str, str] | None:
    """Return the one event that all records are of, or else the one gather, and which it is.

    Args:
        records: None is returned for those of several events or gathers, and those of which one
            has no name.

    Example:
        >>> common_name([]) is None
        True
    """
    facts = [facts_of(record, with_digest=False) for record in records]
    names = {by: [names_of(fact, by) for fact in facts] for by in NAMED}
    if any(len({n for of_fact in found for n in of_fact}) > 1 for found in names.values()):
        return None
    return next(((by, of[0][0]) for by, of in names.items() if of and all(of)), None)


def common_span(records: Sequence[LabelledWaveform]) -> tuple[datetime, float] | None:
    """Return the one span of time that all records are in: when it begins (UTC), its length in s.

    Records are of one span if they overlap, each with another, at whatever station.

    Args:
        records: None is returned for those of several spans, those of several events or gathers
            by their names, and those of which one has no true time.

    Example:
        >>> common_span([]) is None
        True
    """
    facts = [facts_of(record, with_digest=False) for record in records]
    spans = set(groups_of(facts, "time"))
    # What an earthquake is, names say better than times.
    are_several = any(len({n for fact in facts for n in names_of(fact, by)}) > 1 for by in NAMED)
    if len(spans) != 1 or "" in spans or are_several:
        return None
    begin_s = min(fact.start_s for fact in facts)
    end_s = max(fact.start_s + fact.duration_s for fact in facts)
    return datetime.fromtimestamp(begin_s, UTC), end_s - begin_s


def check_leakage(records: Iterable[LabelledWaveform | RecordFacts]) -> list[str]:
    """Return what is in two splits and should not be.

    Args:
        records: of a data set, with their splits; of each no more than a digest is kept.

    Returns:
        Sentences. Those that begin with ``error:`` are of names used twice and of records with
        the same samples in two splits, which make any score worthless; those that begin with
        ``warning:`` of records of one station that overlap in time, of events of two names that
        seem to be one earthquake, and of events, gathers, stations (where there are several), and
        what overlaps in time with a record that no name says an event of, in two splits.

    Example:
        >>> facts = [RecordFacts("a", "train", "quake"), RecordFacts("b", "test", "quake")]
        >>> check_leakage(facts)
        ['warning: 1 of 1 events is in several splits: quake (test, train)']
    """
    facts = [facts_of(r) if isinstance(r, LabelledWaveform) else r for r in records]
    said = []
    twice = [name for name, count in Counter(fact.name for fact in facts).items() if count > 1]
    if twice:
        said.append(f"error: {len(twice)} names are used by several records: {some(twice)}")
    copies = _across(facts, copies_of(facts))
    if copies:
        said.append(
            f"error: {len(copies)} pairs of records in two splits have the same samples: "
            f"{some(copies)}"
        )
    overlaps = _across(facts, overlaps_of(facts))
    if overlaps:
        said.append(
            f"warning: {len(overlaps)} pairs of records in two splits are of one station and "
            f"overlap in time: {some(overlaps)}"
        )
    if twice := _twice_named(facts):
        said.append(
            f"warning: {len(twice)} pairs of events in two splits seem to be one earthquake, by "
            f"their arrivals: {some(twice)} (name them alike, or phasenet-keras prepare "
            "--split-by time keeps them together)"
        )
    kinds = (*NAMED, "station", "time")
    return said + [text for by in kinds for text in _in_several(facts, by)]


def facts_of(record: LabelledWaveform, with_digest: bool = True) -> RecordFacts:
    """Return what there is to know of a record without its samples."""
    wave = record.waveform
    return RecordFacts(
        name=record.name,
        split=record.split,
        event=record.event,
        gather=record.gather,
        station=wave.station,
        arrivals=record.arrivals,
        sampling_rate=wave.sampling_rate,
        channels=wave.channels,
        digest=digest_of(record) if with_digest else "",
        start_s=float(wave.start_time),
        duration_s=wave.duration_s,
    )


def digest_of(record: LabelledWaveform) -> str:
    """Return a digest of the samples; empty for constant ones, which say nothing."""
    data = record.waveform.data
    if np.all(data == data[:1]):
        return ""
    return hashlib.sha256(repr(data.shape).encode() + data.tobytes()).hexdigest()[:32]


def _in_several(facts: Sequence[RecordFacts], by: str) -> list[str]:
    """Return a sentence on the events, gathers, stations or times that are in several splits."""
    splits: dict[str, set[str]] = {}
    # What an earthquake is, names say better than times.
    times = unsure_spans(facts) if by == "time" else []
    names = [[time] if time else [] for time in times] or [names_of(fact, by) for fact in facts]
    for fact, of_fact in zip(facts, names, strict=True):
        for name in of_fact:
            splits.setdefault(name, set()).add(fact.split)
    shared = [f"{name} ({', '.join(sorted(s))})" for name, s in splits.items() if len(s) > 1]
    is_one = len(splits) == 1 and all(names)
    if not shared or (by in ("station", "time") and is_one):
        return []
    verb = "is" if len(shared) == 1 else "are"
    what = NAMES_OF_SEVERAL.get(by, f"{by}s")
    said = f"{len(shared)} of {len(splits)} {what} {verb} in several splits: {some(shared)}"
    return [f"warning: {said}{REMEDIES.get(by, '')}"]


def _twice_named(facts: Sequence[RecordFacts]) -> list[str]:
    """Return the pairs of events that seem to be one and are in two splits, in words."""
    splits: dict[str, set[str]] = {}
    for fact in facts:
        splits.setdefault(fact.event, set()).add(fact.split)
    said = {name: f"{name} ({', '.join(sorted(found))})" for name, found in splits.items()}
    return [
        f"{said[one]} and {said[other]}"
        for one, other in twice_named(facts)
        if len(splits[one] | splits[other]) > 1
    ]


def _refuse_unknown(by: str) -> None:
    if by not in SPLIT_BY:
        raise ConfigError(f"split by {', '.join(SPLIT_BY)}.{nearest_name(by, SPLIT_BY)}")


def _across(facts: Sequence[RecordFacts], pairs: Iterable[tuple[int, int]]) -> list[str]:
    """Return the pairs that are in two splits, in words."""
    found = [(facts[one], facts[other]) for one, other in pairs]
    return [
        f"{a.name} ({a.split}) and {b.name} ({b.split})" for a, b in found if a.split != b.split
    ]


def _are_long(facts: Sequence[RecordFacts]) -> bool:
    """Tell if windows about the arrivals would make enough records of fewer, long ones."""
    counts: Counter[str] = Counter()
    for fact in facts:
        counts += Counter({phase: len(at) for phase, at in (fact.arrivals or {}).items()})
    has_long = any(fact.duration_s >= LONG_WINDOWS * USUAL_WINDOW_S for fact in facts)
    return has_long and max(counts.values(), default=0) >= LEAST_GROUPS


def _draw(
    groups: Sequence[str],
    by: str,
    fractions: tuple[float, float, float],
    seed: int,
    are_long: bool = False,
) -> list[str]:
    if abs(sum(fractions) - 1.0) > 1e-6 or min(fractions) <= 0:
        raise ConfigError(f"three fractions above 0 that add up to 1, received {fractions}")
    sizes = Counter(groups)
    names = sorted(sizes)
    if len(names) < LEAST_GROUPS:
        others = " or ".join(f"--split-by {other}" for other in ("station", "block") if other != by)
        remedy = f"split by something else (phasenet-keras prepare {others}: scores are then of "
        remedy += "known events)"
        if are_long:
            remedy = f"cut the long records around their arrivals (--window-s {USUAL_WINDOW_S}, in "
            remedy += f"Python window_s={USUAL_WINDOW_S})"
        is_one = len(names) == 1
        raise ConfigError(
            f"three {by}s at least are needed for three splits, there {'is' if is_one else 'are'} "
            f"{len(names)}: label records of others, or {remedy}"
        )
    order = [names[i] for i in np.random.default_rng(seed).permutation(len(names)).tolist()]
    # The largest trains: a swarm among a few other earthquakes is no test of much.
    largest = max(reversed(order), key=lambda name: sizes[name])
    left = [name for name in order if name != largest]
    split_of = {}
    for split, fraction, n_to_leave in (("test", fractions[2], 1), ("dev", fractions[1], 0)):
        wanted, count = fraction * len(groups), 0
        for name in list(left):
            if len(left) > n_to_leave and count + sizes[name] / 2 < wanted:
                split_of[name] = split
                count += sizes[name]
                left.remove(name)
        if not count:
            name = min(left, key=lambda name: sizes[name])
            split_of[name] = split
            left.remove(name)
    validating = [name for name, split in split_of.items() if split == "dev"]
    if by in MOMENTS and len(names) >= LEAST_GROUPS_FOR_TWO and len(validating) == 1:
        # From training, if it has another than the largest.
        spare = left or [name for name, split in split_of.items() if split == "test"]
        split_of[min(spare, key=lambda name: sizes[name])] = "dev"
    return [split_of.get(group, "train") for group in groups]
