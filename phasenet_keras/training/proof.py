"""Before and after: what a parent and the network made of it find in records that neither saw.

"Before" is all that one has without training: the parent both ways, the shipped preset that `pick`
takes for such records, and the parent's picks moved by a constant time, where the labels are of
another definition. What a network gains over that is what training was good for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from phasenet_keras.io.times import residual_unit
from phasenet_keras.picking.default_preset import default_preset
from phasenet_keras.picking.picker import Picker
from phasenet_keras.training.difference import Difference, f1_difference
from phasenet_keras.training.doctor import Finding
from phasenet_keras.training.evaluate import pick_records, score_picked
from phasenet_keras.training.folds import spread
from phasenet_keras.training.label_offset import label_offsets, moved
from phasenet_keras.training.matching import Tolerance, tolerance_of
from phasenet_keras.training.picked import PickedRecord, matches_of
from phasenet_keras.training.score_table import markdown_table
from phasenet_keras.training.scores import PhaseScores, mean_f1
from phasenet_keras.training.splits import drawn_groups
from phasenet_keras.types import LabelledWaveform, PhaseNetKerasError

if TYPE_CHECKING:
    from phasenet_keras.models.phasenet import PhaseNet

__all__ = ["NOT_KEPT", "TRAINED", "Proof", "before_and_after"]

TRAINED, NOT_KEPT = "trained", "trained, not kept"
MOVED = ", moved"
# Of the records that a constant time is found in.
MOST_KNOWN = 128
FOLDS = "`phasenet-keras compare` with --strategies finetune --folds 3 tests each record once"


@dataclass(frozen=True)
class Proof:
    """Scores before and after.

    Attributes:
        scores: by phase, by a name for each way to pick; of the phases that have labels.
        left_out: why a way to pick is not among them, a sentence for each.
        remarks: what else there is to know of the ways, a sentence for each.
        gains: of the trained network over each other way, by its name.
    """

    scores: Mapping[str, Mapping[str, PhaseScores]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    gains: Mapping[str, tuple[Difference, ...]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The scores as a Markdown table, what follows from it, and what is left out."""
        table = markdown_table(self.scores) if any(self.scores.values()) else ""
        said = [
            f"F1 of '{self._trained}' less that of '{name}': {', '.join(d.text for d in gains)}"
            for name, gains in self.gains.items()
        ]
        lines = [f"{line}.\n" for line in (*said, *self.remarks, *self.left_out)]
        return "\n".join([table, *lines]).lstrip()

    @property
    def _trained(self) -> str:
        return TRAINED if TRAINED in self.scores else NOT_KEPT

    def findings(self, parent: str) -> tuple[Finding, ...]:
        """Say where these records contradict what validation has decided.

        Args:
            parent: name of the parent's preset.
        """
        means = {name: mean_f1(scores, 0.0) for name, scores in self.scores.items()}
        ours = means.pop(self._trained, None)
        of_parent = [m for name, m in means.items() if _is_of(name, parent)]
        found: list[Finding] = []
        if ours is None or not of_parent:
            return ()
        before = max(of_parent)
        rest = f"so few test and validation records do not tell which is better: {FOLDS}"
        if self._trained == TRAINED and ours < before:
            text = (
                f"on the test records the mean F1 is {ours:.3f}, where the parent has "
                f"{before:.3f}, though it is higher on the validation records: {rest}"
            )
            found.append(Finding("test and validation disagree", text))
        elif self._trained == NOT_KEPT and ours > before:
            text = (
                f"on the test records the network that was not kept has a mean F1 of {ours:.3f}, "
                f"the parent {before:.3f}, though it is not higher on the validation records: "
                f"{rest}; the network is in the run's folder 'validated'"
            )
            found.append(Finding("test and validation disagree", text))
        others = {n: m for n, m in means.items() if not _is_of(n, parent) and m > ours}
        if others:
            name = max(others, key=others.__getitem__)
            text = (
                f"'{name}' as it is, which `pick` takes for such records when none is named, finds "
                f"more in the test records than the trained network (mean F1 {others[name]:.3f}, "
                f"{ours:.3f}): begin with it (--preset {name}), or use it as it is"
            )
            found.append(Finding("another preset is better", text))
        return tuple(found)


def before_and_after(
    parent: PhaseNet,
    trained: PhaseNet | None,
    records: Sequence[LabelledWaveform],
    tolerance_samples: float,
    *,
    is_kept: bool = True,
    known: Sequence[LabelledWaveform] = (),
) -> Proof:
    """Score a parent and the network that came of it on the same records.

    Where the records have another rate than the parent, it is scored both ways: on records
    resampled to its rate, as it would pick them, and on the samples as they are, as it was trained.

    Args:
        parent: as it was; one that has no preset has no weights to speak of, and is left out.
        trained: what came of it; None where there is nothing.
        records: of which neither has learnt, nor had its epoch or thresholds chosen by.
        tolerance_samples: greatest residual of a match, in samples of the records.
        is_kept: False says that ``trained`` was not kept.
        known: records that were learnt from, which say if picks and labels are a constant time
            apart.
    """
    if not records:
        return Proof()
    tolerance = tolerance_of(tolerance_samples=tolerance_samples)
    pickers = {**_ways_of(parent, records), **_of_itself(parent, records)}
    if trained is not None:
        pickers[TRAINED if is_kept else NOT_KEPT] = Picker(trained, sampling="reinterpret")
    found: dict[str, tuple[Picker, list[PickedRecord]]] = {}
    left_out, remarks = [], []
    for name, picker in pickers.items():
        try:
            found[name] = (picker, pick_records(picker, records))
            shifts = _shifts(picker, known, tolerance) if _is_of(name, _name_of(parent)) else {}
        except PhaseNetKerasError as error:  # of a rate too far for resampling: a run is not lost
            left_out.append(f"{name} has no scores: {error}")
            continue
        if shifts:
            found[name + MOVED] = (picker, [moved(one, shifts) for one in found[name][1]])
            remarks.append(f"'{name}{MOVED}': {_said(shifts)}, as the labels learnt from say")
    scores = {
        name: score_picked(picked, picker.thresholds, tolerance)
        for name, (picker, picked) in found.items()
    }
    gains = {} if trained is None else _gains(found, scores, tolerance, drawn_groups(records))
    remarks += _undecided(gains)
    return Proof(scores, tuple(left_out), tuple(remarks), gains)


def _ways_of(parent: PhaseNet, records: Sequence[LabelledWaveform]) -> dict[str, Picker]:
    """Return the ways to pick with a parent, by name."""
    if parent.preset is None:
        return {}
    name, rate = parent.preset.name, parent.preset.sampling_rate
    if all(record.waveform.sampling_rate == rate for record in records):
        return {name: Picker(parent)}
    resampled = Picker(parent)
    as_they_are = copy(resampled)  # one compiled network serves both
    as_they_are.sampling = "reinterpret"
    return {
        f"{name}, resampled to {rate:g} Hz": resampled,
        f"{name}, samples as they are": as_they_are,
    }


def _of_itself(parent: PhaseNet, records: Sequence[LabelledWaveform]) -> dict[str, Picker]:
    """Return what `pick` takes for such records, where it is not the parent and has its phases."""
    from phasenet_keras.models.phasenet import PhaseNet

    name = default_preset(records[0].waveform.sampling_rate)
    if parent.preset is None or name == parent.preset.name:
        return {}
    try:
        net = PhaseNet.from_preset(name, channels=parent.config.channels)
    except PhaseNetKerasError:  # of other channels
        return {}
    return {name: Picker(net)} if net.config.phases == parent.config.phases else {}


def _shifts(
    picker: Picker, known: Sequence[LabelledWaveform], tolerance: Tolerance
) -> dict[str, float]:
    """Return by how much picks are to be moved to fit labels, in seconds by phase."""
    if not known:
        return {}
    picked = pick_records(picker, spread(known, min(len(known), MOST_KNOWN)))
    scores = score_picked(picked, picker.thresholds, tolerance, bootstrap=0)
    return {phase: -one.offset_s for phase, one in label_offsets(picked, scores).items()}


def _said(shifts: Mapping[str, float]) -> str:
    words = []
    for phase, by_s in shifts.items():
        unit = residual_unit(abs(by_s))
        words.append(f"{phase} by {unit.per_s * by_s:+.3g} {unit.symbol}")
    return " and ".join(words)


def _gains(
    found: Mapping[str, tuple[Picker, Sequence[PickedRecord]]],
    scores: Mapping[str, Mapping[str, PhaseScores]],
    tolerance: Tolerance,
    groups: Sequence[str],
) -> dict[str, tuple[Difference, ...]]:
    ours = next((name for name in (TRAINED, NOT_KEPT) if name in found), None)
    matches = {
        name: {
            phase: matches_of(picked, phase, picker.thresholds[phase], tolerance, groups)
            for phase, score in scores[name].items()
            if score.n_true
        }
        for name, (picker, picked) in found.items()
    }
    return {
        name: tuple(f1_difference(p, matches[ours][p], m) for p, m in of_phases.items())
        for name, of_phases in matches.items()
        if ours is not None and name != ours and of_phases
    }


def _undecided(gains: Mapping[str, Sequence[Difference]]) -> list[str]:
    """Say which phases the test records are too few for; empty if they are enough for all."""
    differences = [difference for of_way in gains.values() for difference in of_way]
    unsure = {one.phase for one in differences if not math.prod(one.interval) > 0}
    if not unsure:
        return []
    count = f"test events: {max(one.n_events for one in differences)}"
    return [f"What changed of {' and '.join(sorted(unsure))} may be chance ({count}); {FOLDS}"]


def _name_of(parent: PhaseNet) -> str:
    return "" if parent.preset is None else parent.preset.name


def _is_of(name: str, parent: str) -> bool:
    """Tell if a way to pick is one of the parent's."""
    return bool(parent) and (name == parent or name.startswith(f"{parent}, "))
