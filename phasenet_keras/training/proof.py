"""Before and after: what a parent and the network made of it find in records that neither saw.

"Before" is all that one has without training: the parent both ways, the shipped preset that `pick`
takes for such records, the parent's picks moved by a constant time, where the labels are of
another definition, and the labels of neighbouring records, where these alone tell more than any of
the others. What a network gains over that is what training was good for.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.data.resampling import SAME_RATE
from phasenet_keras.io.times import residual_unit
from phasenet_keras.models.preset_places import list_presets
from phasenet_keras.picking.default_preset import default_preset
from phasenet_keras.picking.picker import Picker
from phasenet_keras.training.difference import Difference, f1_difference
from phasenet_keras.training.doctor import Finding
from phasenet_keras.training.evaluate import pick_records, score_picked
from phasenet_keras.training.label_offset import label_offsets, moved
from phasenet_keras.training.matching import Tolerance, tolerance_of
from phasenet_keras.training.neighbours import LEAST_BESIDE, NEIGHBOURS, foretold
from phasenet_keras.training.picked import PickedRecord, matches_of
from phasenet_keras.training.score_table import markdown_table
from phasenet_keras.training.scores import PhaseScores, mean_f1
from phasenet_keras.training.splits import drawn_groups, is_lone, spread
from phasenet_keras.types import LabelledWaveform, PhaseNetKerasError

if TYPE_CHECKING:
    from phasenet_keras.models.phasenet import PhaseNet

__all__ = ["NOT_KEPT", "TRAINED", "Proof", "before_and_after"]

TRAINED, NOT_KEPT = "trained", "trained, not kept"
MOVED = ", moved"
# Of the records that a constant time is found in.
MOST_KNOWN = 128
BESIDE_RECORDS = (
    "the labels of neighbouring records alone, without a look at a waveform, give a mean F1 of "
    "{beside:.3f} in the test records, the network that is kept {kept:.3f}: they stand beside "
    "records that were learnt from, or were cut at one time before their arrivals, and tell little "
    "of how well the network picks others. Label some of another shot or event and name these (a "
    "column 'event' in the table), so that it is tested on one that it has not seen"
)
# So many events, shots or blocks make three folds.
LEAST_FOR_FOLDS = 5
LONE = (
    "Nothing says which records are of one event or shot: intervals draw each record by itself, "
    "and are too narrow if some are"
)
BESIDE = (
    f"'{NEIGHBOURS}' looks at no waveform: straight lines through the labels learnt from, in the "
    "order of the records' names"
)
# The thresholds of a way to pick, and what it picked.
Found = tuple[Mapping[str, float], Sequence[PickedRecord]]
# Records of a rate so many times the parent's are not shown resampled: nothing is left of them.
FARTHEST = 50
# A smaller mean F1 than this is no reason to begin with another preset.
WORTH_CHANGING = 0.02


@dataclass(frozen=True)
class Proof:
    """Scores before and after.

    Attributes:
        scores: by phase, by a name for each way to pick; of the phases that have labels.
        left_out: why a way to pick is not among them, a sentence for each.
        remarks: what else there is to know of the ways, a sentence for each.
        gains: of the trained network over each other way, by its name.
        parent: what the names of the parent's ways begin with.
        shifts: by how much the picks of a way that is "moved" are, in words, by its name.
        advice: how to be surer.
    """

    scores: Mapping[str, Mapping[str, PhaseScores]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    gains: Mapping[str, tuple[Difference, ...]] = field(default_factory=dict)
    parent: str = ""
    shifts: Mapping[str, str] = field(default_factory=dict)
    advice: str = ""

    @property
    def text(self) -> str:
        """The scores as a Markdown table, what follows from it, and what is left out."""
        table = markdown_table(self.scores) if any(self.scores.values()) else ""
        lines = [
            *(
                f"F1 of '{self._trained}' less that of '{n}': {_said(g)}"
                for n, g in self.gains.items()
            ),
            *(
                f"'{name}': {shift}, which is how far its picks are from the labels learnt from"
                for name, shift in self.shifts.items()
            ),
            *self.remarks,
            *self.left_out,
        ]
        if self._is_unsure:
            lines.append(f"More test records would tell more; {self.advice}")
        return "\n".join([table, *(f"{line}.\n" for line in lines)]).lstrip()

    @property
    def _trained(self) -> str:
        return TRAINED if TRAINED in self.scores else NOT_KEPT

    @property
    def _means(self) -> dict[str, float]:
        return {name: mean_f1(scores, 0.0) for name, scores in self.scores.items()}

    @property
    def _is_unsure(self) -> bool:
        """Whether what the kept network has over the best that there was before may be chance."""
        networks = self.gains.keys() - {NEIGHBOURS}
        before = {name: mean for name, mean in self._means.items() if name in networks}
        if self._trained == NOT_KEPT or not before:
            return False
        return not all(one.is_sure for one in self.gains[max(before, key=before.__getitem__)])

    def findings(self, *, was_validated: bool = True) -> tuple[Finding, ...]:
        """Say what these records say against what was kept.

        Args:
            was_validated: whether the parent was scored on the validation records, too.
        """
        means = self._means
        ours = means.pop(self._trained, None)
        beside = means.pop(NEIGHBOURS, 0.0)
        of_parent = {name: m for name, m in means.items() if _is_of(name, self.parent)}
        if ours is None or not of_parent:
            return ()
        plain = max(mean for name, mean in of_parent.items() if not name.endswith(MOVED))
        is_kept = self._trained == TRAINED
        found = []
        if is_kept and ours < max(of_parent.values()):
            best = max(of_parent, key=of_parent.__getitem__)
            found.append(self._lost_to(best, ours, of_parent[best], was_validated))
        elif not is_kept and ours > plain:
            text = (
                "the network that was not kept finds more in the test records than the parent "
                f"(mean F1 {ours:.3f}, {plain:.3f}), though not in the validation "
                f"records; {self.advice}; the network is in the run's folder 'validated'"
            )
            found.append(Finding("test and validation disagree", text))
        kept = ours if is_kept else plain
        if beside >= max(kept, LEAST_BESIDE):
            text = BESIDE_RECORDS.format(beside=beside, kept=kept)
            found.append(Finding("neighbours say as much", text))
        others = {n: m for n, m in means.items() if n not in of_parent and not n.endswith(MOVED)}
        name = max(others, key=others.__getitem__, default="")
        if name and others[name] > kept + WORTH_CHANGING:
            held = "the trained network" if is_kept else "the parent, which is kept"
            text = (
                f"'{name}' as it is, which `pick` takes for such records when none is named, finds "
                f"more in the test records than {held} (mean F1 {others[name]:.3f}, {kept:.3f}): "
                f"begin with it (--preset {name}), or use it as it is"
            )
            found.append(Finding("another preset is better", text))
        return tuple(found)

    def _lost_to(self, best: str, ours: float, before: float, was_validated: bool) -> Finding:
        """Say that a way of the parent finds more than what was made of it."""
        gains = self.gains.get(best, ())
        text = (
            f"the trained network finds less in the test records than '{best}' (mean F1 "
            f"{ours:.3f}, {before:.3f}; F1 less that of it: {_said(gains)})"
        )
        if best in self.shifts:
            text += (
                f": picks of the parent moved by a constant time ({self.shifts[best]}) do more "
                "than training did; move them, label more records, or train for more epochs"
            )
            return Finding("moved picks are better", text)
        if was_validated:
            text += ", though more in the validation records"
        is_worse = any(one.is_sure and one.f1 < 0 for one in gains)
        remedy = "use the parent, and label more records" if is_worse else "too few records to tell"
        text += f": {remedy}; {self.advice}"
        name = "test and validation disagree" if was_validated else "the parent is better"
        return Finding(name, text)


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
    resampled to its rate, as it would pick them (up to `FARTHEST` times its own), and on the
    samples as they are, as it was trained.

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
    found: dict[str, Found] = {}
    left_out, shifts = [], {}
    pickers = {**_ways_of(parent, records), **_of_itself(parent, records)}
    for name, picker in pickers.items():
        try:
            picked = pick_records(picker, records)
            by_s = _shifts(picker, known, tolerance)
        except PhaseNetKerasError as error:  # of a rate too far for resampling: a run is not lost
            left_out.append(f"{name} has no scores: {error}")
            continue
        found[name] = (picker.thresholds, picked)
        if by_s:
            found[name + MOVED] = (picker.thresholds, [moved(one, by_s) for one in picked])
            shifts[name + MOVED] = _in_words(by_s)
    scores = {name: _scored(one, tolerance) for name, one in found.items()}
    groups = drawn_groups(records)
    remarks = [LONE] * is_lone(records, groups)
    beside = (dict.fromkeys(parent.config.phases[1:], 1.0), foretold(records, known))
    told = _scored(beside, tolerance)
    before = max((mean_f1(of, 0.0) for of in scores.values()), default=0.0)
    if mean_f1(told, 0.0) > max(before, LEAST_BESIDE):
        found[NEIGHBOURS], scores[NEIGHBOURS] = beside, told
        remarks.append(BESIDE)
    if trained is not None:
        ours, picker = TRAINED if is_kept else NOT_KEPT, Picker(trained, sampling="reinterpret")
        try:
            found[ours] = (picker.thresholds, pick_records(picker, records))
            scores[ours] = _scored(found[ours], tolerance)
        except PhaseNetKerasError as error:
            left_out.append(f"{ours} has no scores: {error}")
    return Proof(
        scores,
        tuple(left_out),
        tuple(remarks),
        {} if trained is None else _gains(found, scores, tolerance, groups),
        _name_of(parent),
        shifts,
        _advice(parent, [*known, *records]),
    )


def _scored(found: Found, tolerance: Tolerance) -> dict[str, PhaseScores]:
    thresholds, picked = found
    return score_picked(picked, thresholds, tolerance)


def _advice(parent: PhaseNet, records: Sequence[LabelledWaveform]) -> str:
    """Say how to be surer of scores."""
    n_groups = len(set(drawn_groups(records)))
    if n_groups < LEAST_FOR_FOLDS:
        return f"events or shots in all: {n_groups}; label records of others"
    words = ["phasenet-keras", "compare", "RECORDS"]
    if parent.preset:
        name = parent.preset.name
        is_named = parent.origin in (None, list_presets().get(name, Path()).resolve())
        words += ["--preset", name if is_named else str(parent.origin)]
    words += ["--channels", "".join(parent.config.channels), "--strategies", "finetune"]
    return f"`{shlex.join([*words, '--folds', '3', '--output', 'DIR'])}` tests each record once"


def _ways_of(parent: PhaseNet, records: Sequence[LabelledWaveform]) -> dict[str, Picker]:
    """Return the ways to pick with a parent, by name."""
    if parent.preset is None:
        return {}
    name, rate = _name_of(parent), parent.preset.sampling_rate
    factors = [record.waveform.sampling_rate / rate for record in records]
    if all(abs(factor - 1) <= SAME_RATE for factor in factors):
        return {name: Picker(parent)}
    resampled = Picker(parent)
    as_they_are = copy(resampled)  # one compiled network serves both
    as_they_are.sampling = "reinterpret"
    ways = {f"{name}, samples as they are": as_they_are}
    if max(factors) > FARTHEST:
        return ways
    return {f"{name}, resampled to {rate:g} Hz": resampled, **ways}


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


def _said(gains: Sequence[Difference]) -> str:
    return ", ".join(one.text for one in gains)


def _in_words(shifts: Mapping[str, float]) -> str:
    words = []
    for phase, by_s in shifts.items():
        unit = residual_unit(abs(by_s))
        words.append(f"{phase} by {unit.per_s * by_s:+.3g} {unit.symbol}")
    return " and ".join(words)


def _gains(
    found: Mapping[str, Found],
    scores: Mapping[str, Mapping[str, PhaseScores]],
    tolerance: Tolerance,
    groups: Sequence[str],
) -> dict[str, tuple[Difference, ...]]:
    ours = next((name for name in (TRAINED, NOT_KEPT) if name in found), None)
    matches = {
        name: {
            phase: matches_of(picked, phase, thresholds[phase], tolerance, groups)
            for phase, score in scores[name].items()
            if score.n_true
        }
        for name, (thresholds, picked) in found.items()
    }
    return {
        name: tuple(f1_difference(p, matches[ours][p], m) for p, m in of_phases.items())
        for name, of_phases in matches.items()
        if ours is not None and name != ours and of_phases
    }


def _name_of(parent: PhaseNet) -> str:
    """Return what a parent is called in a proof: never as the network that came of it."""
    name = "" if parent.preset is None else parent.preset.name
    return f"parent {name}" if name in (TRAINED, NOT_KEPT) else name


def _is_of(name: str, parent: str) -> bool:
    """Tell if a way to pick is one of the parent's."""
    return bool(parent) and (name == parent or name.startswith(f"{parent}, "))
