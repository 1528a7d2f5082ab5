"""What the doctor sees in arrivals: their order, their units, what stands for none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from phasenet_keras.io.labels.timed import ONE_ONSET_SAMPLES
from phasenet_keras.io.parts import RecordFacts
from phasenet_keras.io.text_tables import are_fillers
from phasenet_keras.io.wording import counted, some
from phasenet_keras.training.checks_data import axis_of, name_of, unknown_labels
from phasenet_keras.training.doctor import Finding, listed
from phasenet_keras.types import LabelledWaveform

__all__ = ["check_labels", "check_places"]

# Numbers of so many arrivals, and such a part of them, are no chance.
LEAST_ARRIVALS, NEARLY_ALL = 3, 0.9
# What no seismometer that is picked has, and 10 MHz in µs and 2 kHz in ms look like.
LOW_RATE_HZ = 20.0
FIRST_SAMPLES, FIRST_PART, LEAST_PART = 2, 0.01, 0.001


@listed
def check_labels(records: Sequence[LabelledWaveform], phases: Sequence[str]) -> Iterator[Finding]:
    """Look for labels that the network has no phase for, and for those of `check_places`."""
    if unknown := unknown_labels(records, phases[1:]):
        yield Finding("labels of unknown phases", unknown)
    yield from check_places(records)


@listed
def check_places(records: Sequence[LabelledWaveform | RecordFacts]) -> Iterator[Finding]:
    """Look for S before P, units that may be mistaken, and arrivals that may stand for none."""
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
        yield Finding(
            "S before P",
            f"the first S is before the first P in {len(early)} of {len(both)} records that "
            "have both: the columns of the labels are exchanged, or not in samples of the "
            "records",
        )
    elif sure:
        yield Finding(
            "S before P in some records",
            f"it is in {len(sure)} of {len(both)} that have both, {some(map(name_of, sure))}: "
            "correct or remove these labels, unless they are of two events",
        )
    n_same = sum(a["S"] == a["P"] for _, a in both)
    if n_same >= max(LEAST_ARRIVALS, NEARLY_ALL * len(both)):
        yield Finding(
            "S at P",
            f"S is at the very sample of P in {n_same} of {len(both)} records that have both: "
            "was one column copied to the other? Leave S out where it is not known",
        )
    yield from _check_rates(records) or _look_like_seconds(given)
    for phase in sorted({phase for arrivals, _ in given for phase in arrivals}):
        samples = [sample for arrivals, _ in given for sample in arrivals.get(phase, ())]
        if are_fillers(samples):
            yield Finding(
                "labels at sample 0",
                f"{samples.count(0)} of {len(samples)} arrivals of {phase} are at sample 0, "
                "all others well behind: does 0 stand for no pick? Leave the arrival out where "
                "there is none",
            )
    yield from _labelled_twice(records)


def _check_rates(records: Sequence[LabelledWaveform | RecordFacts]) -> list[Finding]:
    """Look for rates so low that times in the files may be in another unit than seconds."""
    rates_hz = sorted(axis_of(record).sampling_rate for record in records)
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
            f"{counted(len(names), 'record')} with two {phase} less than {ONE_ONSET_SAMPLES} "
            f"samples apart ({some(names)}), of which a pick can match one only: do two "
            "catalogues or agencies have one earthquake? Keep one of them",
        )
        for phase, names in sorted(near.items())
    ]


def _latest_in_seconds(record: LabelledWaveform | RecordFacts) -> float:
    """Return the highest number that an arrival in seconds can be; of slow records, a part.

    Of fast ones it is what a sample divided by 1000 can be: its point was one between thousands.
    """
    facts = axis_of(record)
    part = min(FIRST_PART, max(1.0 / facts.sampling_rate, LEAST_PART))
    return part * facts.duration_s * facts.sampling_rate
