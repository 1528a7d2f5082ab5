"""Ways to pick that stand beside a network: what they are, and what each finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from phasenet_keras.data.resampling import SAME_RATE
from phasenet_keras.io.times import residual_unit
from phasenet_keras.picking.default_preset import default_preset
from phasenet_keras.picking.picker import Picker
from phasenet_keras.picking.table_picker import TablePicker
from phasenet_keras.short_repr import ShortRepr
from phasenet_keras.training.difference import Difference, f1_difference
from phasenet_keras.training.evaluate import pick_records, score_picked
from phasenet_keras.training.label_offset import label_offsets, moved
from phasenet_keras.training.matching import Tolerance
from phasenet_keras.training.neighbours import NEIGHBOURS, foretold
from phasenet_keras.training.picked import PickedRecord, matches_of
from phasenet_keras.training.scores import PhaseScores, RecordMatches, mean_f1
from phasenet_keras.training.splits import drawn_groups, spread
from phasenet_keras.training.triggers import PHASE, TRIGGER, Trigger
from phasenet_keras.types import LabelledWaveform, PhaseNetKerasError

if TYPE_CHECKING:
    from phasenet_keras.models.phasenet import PhaseNet

__all__ = [
    "NOT_KEPT",
    "TRAINED",
    "Candidate",
    "Way",
    "Whose",
    "by_neighbours",
    "by_picker",
    "by_trigger",
    "of_itself",
    "of_parent",
    "scored",
]

TRAINED, NOT_KEPT = "trained", "trained, not kept"
MOVED = ", moved"
# Of the records that a constant time is found in.
MOST_KNOWN = 128
# Records of a rate so many times the parent's are not shown resampled: nothing is left of them.
FARTHEST = 50
Whose = Literal["parent", "preset", "table", "trigger", "neighbours", "ours"]


@dataclass(frozen=True, repr=False)
class Way(ShortRepr):
    """A way to pick, and what it finds.

    Attributes:
        name: what it is called.
        whose: the parent's, those of the preset that `pick` takes, of a table of picks, of a
            trigger, of neighbouring labels, or of the network that came of the parent.
        scores: by phase; of the phases that are known in some record.
        matches: of each record, by phase; of the phases that have labels.
        shift: by how much its picks are moved in time, in words; empty where they are not.
    """

    name: str
    whose: Whose
    scores: Mapping[str, PhaseScores]
    matches: Mapping[str, Sequence[RecordMatches]]
    shift: str = ""

    @property
    def f1(self) -> float:
        """The mean of the phases."""
        return mean_f1(self.scores, 0.0)

    def over(self, other: Way) -> tuple[Difference, ...]:
        """Return how much higher its F1 is than another's, of the phases that both pick."""
        pairs = ((p, self.matches[p], m) for p, m in other.matches.items() if p in self.matches)
        return tuple(f1_difference(*pair) for pair in pairs)

    def f1_beside(self, other: Way) -> float:
        """Return the mean of the phases that another has, too: a table may have P alone."""
        return mean_f1({p: score for p, score in self.scores.items() if p in other.scores}, 0.0)


@dataclass(frozen=True, repr=False)
class Candidate(ShortRepr):
    """A way to pick that is to be scored.

    Attributes:
        name: what it is called.
        whose: as `Way.whose`.
        pick: picks records.
        thresholds: probabilities from which picks count, by phase; of no others.
    """

    name: str
    whose: Whose
    pick: Callable[[Sequence[LabelledWaveform]], list[PickedRecord]]
    thresholds: Mapping[str, float]


def by_picker(name: str, whose: Whose, picker: Picker | TablePicker) -> Candidate:
    """Return what a network does, or picks that are there already."""
    return Candidate(name, whose, partial(pick_records, picker), picker.thresholds)


def by_trigger(trigger: Trigger) -> Candidate:
    """Return what a trigger does."""
    return Candidate(TRIGGER, "trigger", trigger.pick, {PHASE: 1.0})


def by_neighbours(known: Sequence[LabelledWaveform], phases: Iterable[str]) -> Candidate:
    """Return what the labels of neighbouring records foretell."""
    return Candidate(
        NEIGHBOURS, "neighbours", partial(foretold, known=known), dict.fromkeys(phases, 1.0)
    )


def of_parent(parent: PhaseNet, records: Sequence[LabelledWaveform]) -> list[Candidate]:
    """Return the ways to pick records with a parent: both, where these have another rate."""
    if parent.preset is None:
        return []
    name, rate = _name_of(parent), parent.preset.sampling_rate
    factors = [record.waveform.sampling_rate / rate for record in records]
    if all(abs(factor - 1) <= SAME_RATE for factor in factors):
        return [by_picker(name, "parent", Picker(parent))]
    resampled = Picker(parent)
    as_they_are = copy(resampled)  # one compiled network serves both
    as_they_are.sampling = "reinterpret"
    ways = [
        by_picker(f"{name}, resampled to {rate:g} Hz", "parent", resampled),
        by_picker(f"{name}, samples as they are", "parent", as_they_are),
    ]
    return ways[1:] if max(factors) > FARTHEST else ways


def of_itself(parent: PhaseNet, records: Sequence[LabelledWaveform]) -> list[Candidate]:
    """Return what `pick` takes for such records, where it is not the parent and has its phases."""
    from phasenet_keras.models.phasenet import PhaseNet

    name = default_preset(records[0].waveform.sampling_rate)
    if parent.preset is None or name == parent.preset.name:
        return []
    try:
        net = PhaseNet.from_preset(name, channels=parent.config.channels)
    except PhaseNetKerasError:  # of other channels
        return []
    if net.config.phases != parent.config.phases:
        return []
    return [by_picker(name, "preset", Picker(net))]


def scored(
    candidates: Iterable[Candidate],
    records: Sequence[LabelledWaveform],
    known: Sequence[LabelledWaveform],
    tolerance: Tolerance,
) -> tuple[list[Way], list[str]]:
    """Score each, as it is and moved to fit known labels; say which could not pick the records."""
    ways, left_out = [], []
    for one in candidates:
        try:
            picked = one.pick(records)
            by_s = _shifts(one, known, tolerance)
        except PhaseNetKerasError as error:  # of a rate too far for resampling: a run is not lost
            left_out.append(f"{one.name} has no scores: {error}")
            continue
        ways.append(_way(one, picked, tolerance))
        if by_s:
            of_moved = replace(one, name=one.name + MOVED)
            shifted = _way(of_moved, [moved(record, by_s) for record in picked], tolerance)
            ways.append(replace(shifted, shift=_in_words(by_s)))
    return ways, left_out


def _way(one: Candidate, picked: Sequence[PickedRecord], tolerance: Tolerance) -> Way:
    scores = score_picked(picked, one.thresholds, tolerance)
    groups = drawn_groups(record.record for record in picked)
    matches = {
        phase: matches_of(picked, phase, one.thresholds[phase], tolerance, groups)
        for phase, score in scores.items()
        if score.n_true
    }
    return Way(one.name, one.whose, scores, matches)


def _shifts(
    one: Candidate, known: Sequence[LabelledWaveform], tolerance: Tolerance
) -> dict[str, float]:
    """Return by how much picks are to be moved to fit labels, in seconds by phase."""
    if not known:
        return {}
    picked = one.pick(spread(known, min(len(known), MOST_KNOWN)))
    scores = score_picked(picked, one.thresholds, tolerance, bootstrap=0)
    return {phase: -found.offset_s for phase, found in label_offsets(picked, scores).items()}


def _in_words(shifts: Mapping[str, float]) -> str:
    words = []
    for phase, by_s in shifts.items():
        unit = residual_unit(abs(by_s))
        words.append(f"{phase} by {unit.per_s * by_s:+.3g} {unit.symbol}")
    return " and ".join(words)


def _name_of(parent: PhaseNet) -> str:
    """Return what a parent is called in a proof: never as another way."""
    name = "" if parent.preset is None else parent.preset.name
    return f"parent {name}" if name in (TRAINED, NOT_KEPT, NEIGHBOURS, TRIGGER) else name
