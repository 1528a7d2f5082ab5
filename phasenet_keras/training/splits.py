"""Splitting records into train, dev and test, so that no group is on two sides."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from phasenet_keras.io.parts import RecordFacts
from phasenet_keras.io.wording import counted, some
from phasenet_keras.training.grouping import (
    NAMED,
    copies_of,
    drawn_with,
    groups_of,
    joined,
    names_of,
    overlaps_of,
    tied_groups,
    twice_named,
    unsure_spans,
)
from phasenet_keras.types import ConfigError, LabelledWaveform, nearest_name

__all__ = [
    "SPLIT_BY",
    "are_long",
    "assign_splits",
    "check_leakage",
    "choose_split_by",
    "digests_of",
    "drawn_groups",
    "facts_of",
    "is_lone",
    "kept_together",
    "split_facts",
    "spread",
]

Item = TypeVar("Item")

SPLIT_BY = ("event", "gather", "station", "time", "block")
LEAST_GROUPS = 3
# Of so many events, gathers or times two validate: one says nothing of others.
LEAST_GROUPS_FOR_TWO = 5
MOMENTS = (*NAMED, "time")
# A pulse has two steps; the ground moves all the time.
MOST_STEPS = 4
# Records of so many windows, of so many seconds, are long.
USUAL_WINDOW_S, LONG_WINDOWS = 30, 10
# Of the records; the others train.
DEV_FRACTION, TEST_FRACTION = 0.1, 0.3
REMEDIES = {
    # Split by station events are on two sides, which training refuses.
    "station": " (scores will be of known stations)",
    "time": " (one earthquake may be on two sides; phasenet-keras prepare --split-by time keeps "
    "them apart)",
}
NAMES_OF_SEVERAL = {"time": "spans of overlapping records"}


def assign_splits(
    records: Sequence[LabelledWaveform], by: str = "", seed: int = 0
) -> list[LabelledWaveform]:
    """Return the records with their splits.

    Args:
        records: in order of their receivers, for ``"block"``.
        by: as in `split_facts`; empty chooses, see `choose_split_by`.
        seed: of the drawing.

    Raises:
        ConfigError: for an unknown ``by``, no record with such a group, or fewer than three.
    """
    facts = [replace(facts_of(record), digests=digests_of(record)) for record in records]
    splits = split_facts(facts, by or choose_split_by(facts), seed)
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


def split_facts(facts: Sequence[RecordFacts], by: str, seed: int = 0) -> list[str]:
    """Return the split of each record.

    Copies (`digests_of`), and records of one station that overlap in time, are never on two
    sides, whatever they are split by; split by event (gather), nor are records that have one of
    several events in common, nor what overlaps in time with a record of no event and no gather.

    Args:
        facts: of the records, in their order.
        by: ``"event"``, ``"gather"`` or ``"station"`` keep each of these together; ``"time"``
            what overlaps in time, at whatever station; ``"block"`` eight neighbouring records
            (fewer in a small set). A record without event (gather) that overlaps with none is a
            group of its own, where others have one.
        seed: of the drawing.

    Returns:
        Six in ten records train, one validates, three test; each part has one group at least,
        train the largest, and dev two of five or more events, gathers or times.

    Raises:
        ConfigError: for an unknown ``by``, no record with such a group, or fewer than three.
    """
    if by not in SPLIT_BY:
        raise ConfigError(f"split by {', '.join(SPLIT_BY)}.{nearest_name(by, SPLIT_BY)}")
    groups = tied_groups(facts, by)
    if not any(groups_of(facts, by)):
        raise ConfigError(
            f"no record names its {by}: split by something else (--split-by block, in Python "
            "split_by='block')"
        )
    groups = [group or f"record {number}" for number, group in enumerate(groups)]
    return _draw(kept_together(groups, facts), by, seed, can_be_cut=are_long(facts))


def kept_together(groups: Sequence[str], facts: Sequence[RecordFacts]) -> list[str]:
    """Return the groups, those as one that share samples: copies, or one station's overlaps."""
    return joined(groups, [*copies_of(facts), *overlaps_of(facts)])


def drawn_groups(records: Iterable[LabelledWaveform]) -> list[str]:
    """Return what each record is drawn with in a bootstrap: event, gather, time, or itself."""
    return drawn_with([facts_of(record) for record in records])


def is_lone(records: Sequence[LabelledWaveform], groups: Sequence[str]) -> bool:
    """Tell if each record is drawn by itself for want of any name or date; see `drawn_groups`."""
    names = [r.name or f"record {number}" for number, r in enumerate(records)]
    is_named = any(record.event or record.gather for record in records)
    return len(records) > 1 and not is_named and list(groups) == names


def spread(records: Sequence[Item], n_records: int) -> list[Item]:
    """Return some of the records, or of what else, evenly spaced from the first to the last.

    Example:
        >>> spread(list(range(10)), 4)
        [0, 3, 6, 9]
    """
    if n_records >= len(records):
        return list(records)
    numbers = np.linspace(0, len(records) - 1, n_records).round().astype(int)
    return [records[number] for number in numbers]


def check_leakage(facts: Sequence[RecordFacts]) -> list[str]:
    """Return what is in two splits and should not be.

    Args:
        facts: of the records of a data set, with their splits and digests.

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
    said = []
    twice = [name for name, count in Counter(fact.name for fact in facts).items() if count > 1]
    if twice:
        said.append(f"error: {counted(len(twice), 'name')} used by several records: {some(twice)}")
    copies = _across(facts, copies_of(facts))
    if copies:
        said.append(
            f"error: {counted(len(copies), 'pair')} of records in two splits that have the same "
            f"samples: {some(copies)}"
        )
    overlaps = _across(facts, overlaps_of(facts))
    if overlaps:
        said.append(
            f"warning: {counted(len(overlaps), 'pair')} of records in two splits that are of one "
            f"station and overlap in time: {some(overlaps)}"
        )
    if twice := _twice_named(facts):
        said.append(
            f"warning: {counted(len(twice), 'pair')} of events in two splits that seem to be one "
            f"earthquake, by their arrivals: {some(twice)} (name them alike, or phasenet-keras "
            "prepare --split-by time keeps them together)"
        )
    kinds = (*NAMED, "station", "time")
    return said + [text for by in kinds for text in _in_several(facts, by)]


def facts_of(record: LabelledWaveform) -> RecordFacts:
    """Return what there is to know of a record without its samples, nor digests of these."""
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
        start_s=float(wave.start_time),
        duration_s=wave.duration_s,
    )


def digests_of(record: LabelledWaveform) -> tuple[str, ...]:
    """Return a digest of each channel that tells of the ground: copies are records that share one.

    Channels of a few steps, as triggers and dead ones that are padded have, may be the same in
    records that have nothing else in common. Copies that were cut, scaled or resampled share none.
    """
    data = record.waveform.data
    n_steps = np.count_nonzero(data[1:] != data[:-1], axis=0)
    columns = data.T[n_steps > MOST_STEPS]
    # The shape is that of a record of one channel: so earlier runs have written its digest.
    said = [repr((len(column), 1)).encode() + column.tobytes() for column in columns]
    return tuple(hashlib.sha256(text).hexdigest()[:32] for text in said)


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


def _across(facts: Sequence[RecordFacts], pairs: Iterable[tuple[int, int]]) -> list[str]:
    """Return the pairs that are in two splits, in words."""
    found = [(facts[one], facts[other]) for one, other in pairs]
    return [
        f"{a.name} ({a.split}) and {b.name} ({b.split})" for a, b in found if a.split != b.split
    ]


def are_long(facts: Sequence[RecordFacts]) -> bool:
    """Tell if windows about the arrivals would make enough records of fewer, long ones."""
    return any(
        max(map(len, (fact.arrivals or {}).values()), default=0) >= LEAST_GROUPS
        for fact in facts
        if fact.duration_s >= LONG_WINDOWS * USUAL_WINDOW_S
    )


def _draw(groups: Sequence[str], by: str, seed: int, *, can_be_cut: bool) -> list[str]:
    sizes = Counter(groups)
    names = sorted(sizes)
    if len(names) < LEAST_GROUPS:
        others = " or ".join(f"--split-by {other}" for other in ("station", "block") if other != by)
        remedy = f"split by something else (phasenet-keras prepare {others}: scores are then of "
        remedy += "known events)"
        if can_be_cut:
            remedy = "cut the long records around their arrivals (phasenet-keras prepare "
            remedy += f"--window-s {USUAL_WINDOW_S}, in Python window_s={USUAL_WINDOW_S})"
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
    for split, fraction, n_to_leave in (("test", TEST_FRACTION, 1), ("dev", DEV_FRACTION, 0)):
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
