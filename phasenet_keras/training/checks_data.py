"""What the doctor sees in records, in the sets of them and in what is labelled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from phasenet_keras.data.preprocess import arrange_channels
from phasenet_keras.io.channels import components_of
from phasenet_keras.io.parts import RecordFacts
from phasenet_keras.io.wording import counted
from phasenet_keras.training.doctor import Finding, listed
from phasenet_keras.training.grouping import NAMED, groups_of, names_of
from phasenet_keras.training.splits import digests_of, facts_of
from phasenet_keras.types import LabelledWaveform, Waveform, nearest_name

__all__ = [
    "UNLABELLED",
    "axis_of",
    "channels_there",
    "check_channels",
    "check_split",
    "check_taught",
    "check_variety",
    "identical_records",
    "name_of",
    "one_moment",
    "shared_groups",
    "unknown_labels",
    "untaught_phases",
]

GROUPS = (*NAMED, "name")
# What names and gathers of pseudo labelled records begin with.
UNLABELLED = "unlabelled/"


def channels_there(records: Iterable[LabelledWaveform], channels: Sequence[str]) -> tuple[str, ...]:
    """Return those of a network's channels that some record has, and not constant.

    All are returned where records have others, or none of them.

    Example:
        >>> channels_there([], ["E", "N", "Z"])
        ('E', 'N', 'Z')
    """
    there: set[str] = set()
    for wave in (record.waveform for record in records):
        for name, component in components_of(wave.channels).items():
            column = wave.data[:, wave.channels.index(name)]
            if component not in there and np.ptp(column) > 0:
                there.add(component)
    return tuple(c for c in channels if c in there or not there or not there < set(channels))


def check_channels(records: Sequence[LabelledWaveform], channels: Sequence[str]) -> list[Finding]:
    """Look for channels that are dead in most records. Scale is normalised away, and harmless."""
    alive = [np.ptp(arrange_channels(r.waveform, channels), axis=0) > 0 for r in records]
    n_dead = len(records) - np.sum(alive, axis=0)
    good = "".join(name for name, n in zip(channels, n_dead, strict=True) if 2 * n <= len(records))
    advice = f"train with --channels {good}" if good else "check the records"
    return [
        Finding(
            "dead channel",
            f"channel {name} is missing or constant in {n} of {len(records)} training records and "
            f"teaches next to nothing: {advice}, or mend the records",
        )
        for name, n in zip(channels, n_dead.tolist(), strict=True)
        if 2 * n > len(records)
    ]


def unknown_labels(records: Sequence[LabelledWaveform], phases: Sequence[str]) -> str:
    """Say which arrivals are of phases that the network does not have; empty where none are.

    Example:
        >>> unknown_labels([], ["P", "S"])
        ''
    """
    given = {phase for record in records for phase, at in record.arrivals.items() if at}
    unknown = sorted(given - set(phases))
    if not unknown:
        return ""
    return (
        f"arrivals of {', '.join(unknown)} are ignored, the network's phases are "
        f"{', '.join(phases)}: rename them.{nearest_name(unknown[0], phases)}"
    )


def untaught_phases(records: Sequence[LabelledWaveform], phases: Sequence[str]) -> list[str]:
    """Return the phases that are unknown in all records: no record teaches anything of them.

    Example:
        >>> untaught_phases([], ["P", "S"])
        ['P', 'S']
    """
    return [phase for phase in phases if not any(phase in r.arrivals for r in records)]


@listed
def check_taught(untaught: Sequence[str], *, has_parent: bool) -> Iterator[Finding]:
    """Say which phases were not taught, and that they are not picked.

    Args:
        untaught: the phases, of `untaught_phases`.
        has_parent: whether the network began with the weights of a parent.
    """
    for phase in untaught:
        text = f"no record has a label of {phase}, so {phase} is not picked (its threshold is 1): "
        text += "label some"
        if has_parent:
            option = f"--{phase.lower()}-threshold 0.3, " if phase in ("P", "S") else ""
            text += f", or ask for what the parent's weights make of it ({option}in Python "
            text += f'thresholds={{"{phase}": 0.3}})'
        yield Finding("a phase was not taught", text)


@listed
def check_split(
    train_records: Sequence[LabelledWaveform], dev_records: Sequence[LabelledWaveform]
) -> Iterator[Finding]:
    """Look for events, gathers, names or waveforms that are in training and validation."""
    for field, names in shared_groups(train_records, dev_records).items():
        there = {getattr(record, field) for record in (*train_records, *dev_records)}
        is_one = len(there) == 1 and field in NAMED  # of which no split can make two
        remedy = f"label records of other {field}s" if is_one else f"split by {field}"
        yield Finding(
            f"{field}s in two splits",
            f"{counted(len(names), field)} in both training and validation, e.g. "
            f"{', '.join(names[:3])}, so that the validation loss says too little: {remedy}",
        )
    same = identical_records(train_records, dev_records)
    if same:
        pairs = ", ".join(f"{one} and {other}" for one, other in same[:3])
        yield Finding(
            "waveforms in two splits",
            f"{counted(len(same), 'validation record')} with the same samples as training records, "
            f"e.g. {pairs}: remove the copies, and split anew",
        )


def check_variety(dev_records: Sequence[LabelledWaveform]) -> list[Finding]:
    """Look whether all validation records are of one event, as far as names or times are known."""
    n = len(dev_records)
    moment = one_moment([facts_of(record) for record in dev_records])
    if moment is None and n != 1:
        return []
    by, name = moment or ("event", "")
    of_one = ""
    if by == "time":
        of_one = f"{' overlap in time' if n > 1 else ''}, {name}: one moment (one earthquake, one "
        of_one += "shot)"
    elif name:
        of_one = f"{' are' if n > 1 else ','} of 1 {by}, {name}"
    records = f"all {n} validation records" if n > 1 else "there is 1 validation record"
    return [
        Finding(
            f"validation of one {'moment' if by == 'time' else by}",
            f"{records}{of_one}, so that F1, best epoch and thresholds say nothing of others: "
            f"label records of other {'events' if by == 'time' else f'{by}s'}, or move some of "
            f"training to validation (of five or more, phasenet-keras prepare --split-by {by} "
            "takes two)",
        )
    ]


def one_moment(facts: Sequence[RecordFacts]) -> tuple[str, str] | None:
    """Return the one event that all records are of, else the one gather, else the one time.

    Of one time are records that overlap, each with another, at whatever station. None is returned
    where names tell several, and where neither names nor times tell of all.
    """
    names = {by: [names_of(fact, by) for fact in facts] for by in NAMED}
    # What an earthquake is, names say better than times.
    if any(len({n for of_fact in found for n in of_fact}) > 1 for found in names.values()):
        return None
    for by, found in names.items():
        if found and all(found):
            return by, found[0][0]
    spans = set(groups_of(facts, "time"))
    if len(spans) != 1 or "" in spans:
        return None
    begin_s = min(fact.start_s for fact in facts)
    length_s = max(fact.start_s + fact.duration_s for fact in facts) - begin_s
    begin = datetime.fromtimestamp(begin_s, UTC)
    return "time", f"{length_s:.3g} s from {begin:%Y-%m-%dT%H:%M:%S} on"


def shared_groups(
    one: Sequence[LabelledWaveform], other: Sequence[LabelledWaveform]
) -> dict[str, list[str]]:
    """Return the events, gathers and names that two sets share, sorted; only what they do share.

    A name counts where station, time and arrivals are the same, too: records of two data sets may
    be numbered alike.

    Example:
        >>> shared_groups([], [])
        {}
    """
    shared = {}
    for field in GROUPS:
        both = {_key(r, field) for r in one} & {_key(r, field) for r in other}
        names = {name for name, *_ in both if name}
        if names:
            shared[field] = sorted(names)
    return shared


def _key(record: LabelledWaveform, field: str) -> tuple[Any, ...]:
    name, wave = getattr(record, field), record.waveform
    if field != "name":
        return (name,)
    return name, wave.station, wave.start_time.ns, tuple(sorted(record.arrivals.items()))


def identical_records(
    one: Sequence[LabelledWaveform], other: Sequence[LabelledWaveform]
) -> list[tuple[str, str]]:
    """Return the records of two sets that are copies, see `digests_of`.

    Returns:
        The names of each pair, or the stations where records have no names; one pair for each
        record of ``other`` that has a copy.
    """
    ours = {digest: name_of(record) for record in one for digest in digests_of(record)}
    pairs = []
    for record in other:
        copies = [ours[digest] for digest in digests_of(record) if digest in ours]
        if copies:
            pairs.append((copies[0], name_of(record)))
    return pairs


def axis_of(record: LabelledWaveform | RecordFacts) -> RecordFacts | Waveform:
    """Return what has a record's sampling rate, duration and station."""
    return record if isinstance(record, RecordFacts) else record.waveform


def name_of(record: LabelledWaveform | RecordFacts) -> str:
    """Return what messages call a record: its name, or its station."""
    return record.name or axis_of(record).station
