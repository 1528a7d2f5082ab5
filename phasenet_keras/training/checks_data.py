"""What the doctor sees in records and labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np

from phasenet_keras.data.preprocess import arrange_channels
from phasenet_keras.io.channels import components_of
from phasenet_keras.io.labels.timed import ONE_ONSET_SAMPLES
from phasenet_keras.io.parts import RecordFacts
from phasenet_keras.io.text_tables import are_fillers
from phasenet_keras.io.wording import some
from phasenet_keras.training.doctor import Finding
from phasenet_keras.training.grouping import NAMED, groups_of, names_of
from phasenet_keras.training.splits import facts_of
from phasenet_keras.types import LabelledWaveform, Waveform, nearest_name

__all__ = [
    "UNLABELLED",
    "channels_there",
    "check_channels",
    "check_labels",
    "check_places",
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
# Numbers of so many arrivals, and such a part of them, are no chance.
LEAST_ARRIVALS, NEARLY_ALL = 3, 0.9
# What no seismometer that is picked has, and 10 MHz in µs and 2 kHz in ms look like.
LOW_RATE_HZ = 20.0
FIRST_SAMPLES, FIRST_PART, LEAST_PART = 2, 0.01, 0.001


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


def check_labels(records: Sequence[LabelledWaveform], phases: Sequence[str]) -> list[Finding]:
    """Look for labels that the network has no phase for, and for those of `check_places`."""
    unknown = unknown_labels(records, phases[1:])
    found = [Finding("labels of unknown phases", unknown)] if unknown else []
    return found + check_places(records)


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


def check_taught(untaught: Sequence[str], *, has_parent: bool) -> list[Finding]:
    """Say which phases were not taught, and that they are not picked.

    Args:
        untaught: the phases, of `untaught_phases`.
        has_parent: whether the network began with the weights of a parent.
    """
    found = []
    for phase in untaught:
        text = f"no record has a label of {phase}, so {phase} is not picked (its threshold is 1): "
        text += "label some"
        if has_parent:
            option = f"--{phase.lower()}-threshold 0.3, " if phase in ("P", "S") else ""
            text += f", or ask for what the parent's weights make of it ({option}in Python "
            text += f'thresholds={{"{phase}": 0.3}})'
        found.append(Finding("a phase was not taught", text))
    return found


def check_places(records: Sequence[LabelledWaveform | RecordFacts]) -> list[Finding]:
    """Look for S before P, units that may be mistaken, and arrivals that may stand for none."""
    found = []
    given = [(record.arrivals or {}, _latest_in_seconds(record)) for record in records]
    both = [
        (record, a)
        for record, (a, _) in zip(records, given, strict=True)
        if a.get("P") and a.get("S")
    ]
    early = [(record, a) for record, a in both if a["S"][0] < a["P"][0]]
    # Where a record has several, the first S may be of an event whose P was before the record.
    sure = [record for record, a in early if len(a["P"]) == len(a["S"]) == 1]
    if both and len(early) >= NEARLY_ALL * len(both):
        found.append(
            Finding(
                "S before P",
                f"the first S is before the first P in {len(early)} of {len(both)} records that "
                "have both: the columns of the labels are exchanged, or not in samples of the "
                "records",
            )
        )
    elif sure:
        found.append(
            Finding(
                "S before P in some records",
                f"it is in {len(sure)} of {len(both)} that have both, {some(map(name_of, sure))}: "
                "correct or remove these labels, unless they are of two events",
            )
        )
    n_same = sum(a["S"] == a["P"] for _, a in both)
    if n_same >= max(LEAST_ARRIVALS, NEARLY_ALL * len(both)):
        found.append(
            Finding(
                "S at P",
                f"S is at the very sample of P in {n_same} of {len(both)} records that have both: "
                "was one column copied to the other? Leave S out where it is not known",
            )
        )
    found += _check_rates(records) or _look_like_seconds(given)
    for phase in sorted({phase for arrivals, _ in given for phase in arrivals}):
        samples = [sample for arrivals, _ in given for sample in arrivals.get(phase, ())]
        if are_fillers(samples):
            found.append(
                Finding(
                    "labels at sample 0",
                    f"{samples.count(0)} of {len(samples)} arrivals of {phase} are at sample 0, "
                    "all others well behind: does 0 stand for no pick? Leave the arrival out where "
                    "there is none",
                )
            )
    return found + _labelled_twice(records)


def _check_rates(records: Sequence[LabelledWaveform | RecordFacts]) -> list[Finding]:
    """Look for rates so low that times in the files may be in another unit than seconds."""
    rates_hz = sorted(_facts_of(record).sampling_rate for record in records)
    if not rates_hz or rates_hz[int(NEARLY_ALL * (len(rates_hz) - 1))] >= LOW_RATE_HZ:
        return []
    return [
        Finding(
            "rate looks like ms or µs",
            f"records have {rates_hz[0]:g} Hz: are the times, or the sampling interval, in their "
            "files in ms or µs? They are read as seconds, and so are picks and tolerances: divide "
            "them, or write the rate in Hz",
        )
    ]


def _look_like_seconds(
    given: Sequence[tuple[Mapping[str, Sequence[float]], float]],
) -> list[Finding]:
    """Look for arrivals that may be in seconds, by record with the latest that such can be."""
    places = [
        (sample, latest)
        for arrivals, latest in given
        for samples in arrivals.values()
        for sample in samples
    ]
    n_first = sum(sample < FIRST_SAMPLES for sample, _ in places)
    why = ""
    if n_first >= NEARLY_ALL * len(places):
        why = f"of {len(places)} arrivals {n_first} are before sample {FIRST_SAMPLES}"
    elif all(sample <= latest for sample, latest in places):
        latest = max(sample for sample, _ in places)
        why = f"all {len(places)} arrivals are where records begin, the latest at sample {latest:g}"
    if why and len(places) >= LEAST_ARRIVALS:
        return [
            Finding(
                "labels look like seconds",
                f"{why}: are they in seconds? In a table call the column p_time_s (s_time_s), else "
                "multiply by the sampling rate",
            )
        ]
    return []


def _labelled_twice(records: Sequence[LabelledWaveform | RecordFacts]) -> list[Finding]:
    """Look for labels of one phase that are too near each other to be of two arrivals."""
    near: dict[str, list[str]] = {}
    for record in records:
        for phase, samples in (record.arrivals or {}).items():
            at = sorted(samples)
            if any(b - a < ONE_ONSET_SAMPLES for a, b in pairwise(at)):
                near.setdefault(phase, []).append(name_of(record))
    return [
        Finding(
            "labelled twice",
            f"{len(names)} records have two {phase} less than {ONE_ONSET_SAMPLES} samples apart "
            f"({some(names)}), of which a pick can match one only: do two catalogues or agencies "
            "have one earthquake? Keep one of them",
        )
        for phase, names in sorted(near.items())
    ]


def check_split(
    train_records: Sequence[LabelledWaveform], dev_records: Sequence[LabelledWaveform]
) -> list[Finding]:
    """Look for events, gathers, names or waveforms that are in training and validation."""
    found = []
    for field, names in shared_groups(train_records, dev_records).items():
        there = {getattr(record, field) for record in (*train_records, *dev_records)}
        is_one = len(there) == 1 and field in NAMED  # of which no split can make two
        remedy = f"label records of other {field}s" if is_one else f"split by {field}"
        found.append(
            Finding(
                f"{field}s in two splits",
                f"{len(names)} {field}s are in training and validation, e.g. "
                f"{', '.join(names[:3])}, so that the validation loss says too little: {remedy}",
            )
        )
    same = identical_records(train_records, dev_records)
    if same:
        pairs = ", ".join(f"{one} and {other}" for one, other in same[:3])
        found.append(
            Finding(
                "waveforms in two splits",
                f"{len(same)} validation records hold the same samples as training records, e.g. "
                f"{pairs}: remove the copies, and split anew",
            )
        )
    return found


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
    """Return the records of two sets that share a channel, sample by sample.

    Constant channels do not count. Copies that were cut, scaled or resampled are not found.

    Returns:
        The names of each pair, or the stations where records have no names; one pair for each
        record of ``other`` that has a copy.
    """
    ours = {digest: name_of(record) for record in one for digest in _digests(record)}
    pairs = []
    for record in other:
        copies = [ours[digest] for digest in _digests(record) if digest in ours]
        if copies:
            pairs.append((copies[0], name_of(record)))
    return pairs


def _latest_in_seconds(record: LabelledWaveform | RecordFacts) -> float:
    """Return the highest number that an arrival in seconds can be; of slow records, a part.

    Of fast ones it is what a sample divided by 1000 can be: its point was one between thousands.
    """
    facts = _facts_of(record)
    part = min(FIRST_PART, max(1.0 / facts.sampling_rate, LEAST_PART))
    return part * facts.duration_s * facts.sampling_rate


def _facts_of(record: LabelledWaveform | RecordFacts) -> RecordFacts | Waveform:
    return record if isinstance(record, RecordFacts) else record.waveform


def _digests(record: LabelledWaveform) -> list[bytes]:
    columns = [column for column in record.waveform.data.T if np.ptp(column) > 0]
    return [hashlib.sha256(np.ascontiguousarray(c).tobytes()).digest() for c in columns]


def name_of(record: LabelledWaveform | RecordFacts) -> str:
    """Return what messages call a record: its name, or its station."""
    return record.name or _facts_of(record).station
