"""Before and after: what a parent and the network made of it find in records that neither saw.

"Before" is all that one has without training: the parent both ways, the shipped preset that `pick`
takes for such records, the picks that one used so far, each of these moved by a constant time,
where the labels are of another definition, and the labels of neighbouring records, where these
alone tell more than any of the others. What a network gains over that is what training was good
for.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from phasenet_keras.data.resampling import SAME_RATE
from phasenet_keras.io.times import residual_unit
from phasenet_keras.models.preset_places import list_presets
from phasenet_keras.picking.default_preset import default_preset
from phasenet_keras.picking.picker import Picker
from phasenet_keras.picking.table_picker import TablePicker
from phasenet_keras.short_repr import ShortRepr
from phasenet_keras.training.difference import Difference, f1_difference
from phasenet_keras.training.doctor import Finding
from phasenet_keras.training.evaluate import pick_records, score_picked
from phasenet_keras.training.label_offset import label_offsets, moved
from phasenet_keras.training.matching import Tolerance, tolerance_of
from phasenet_keras.training.neighbours import LEAST_BESIDE, NEIGHBOURS, foretold
from phasenet_keras.training.own_picks import lost_to_table
from phasenet_keras.training.picked import PickedRecord, matches_of
from phasenet_keras.training.score_table import markdown_table
from phasenet_keras.training.scores import PhaseScores, RecordMatches, mean_f1
from phasenet_keras.training.splits import drawn_groups, is_lone, spread
from phasenet_keras.types import LabelledWaveform, PhaseNetKerasError

if TYPE_CHECKING:
    from phasenet_keras.models.phasenet import PhaseNet

__all__ = ["NOT_KEPT", "TRAINED", "Proof", "Way", "before_and_after"]

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
NO_WAVEFORM = (
    f"'{NEIGHBOURS}' looks at no waveform: straight lines through the labels learnt from, in the "
    "order of the records' names"
)
# What a network is to beat: a table may have fewer phases than networks.
BEFORE = (("parent", "preset"), ("table",))
Whose = Literal["parent", "preset", "table", "neighbours", "ours"]
# The name of a way to pick, whose it is, and what picks.
NamedPicker = tuple[str, Whose, Picker | TablePicker]
# Records of a rate so many times the parent's are not shown resampled: nothing is left of them.
FARTHEST = 50
# A smaller mean F1 than this is no reason to begin with another preset.
WORTH_CHANGING = 0.02


@dataclass(frozen=True, repr=False)
class Way(ShortRepr):
    """A way to pick, and what it finds.

    Attributes:
        name: what it is called.
        whose: the parent's, those of the preset that `pick` takes, of a table of picks, of
            neighbouring labels, or of the network that came of the parent.
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
        """Return how much higher its F1 is than another's."""
        pairs = ((p, self.matches[p], m) for p, m in other.matches.items() if p in self.matches)
        return tuple(f1_difference(*pair) for pair in pairs)

    def f1_beside(self, other: Way) -> float:
        """Return the mean of the phases that another has, too: a table may have P alone."""
        return mean_f1({p: score for p, score in self.scores.items() if p in other.scores}, 0.0)


@dataclass(frozen=True)
class Proof:
    """Scores before and after.

    Attributes:
        ways: those of before, and last the network, where it could be scored.
        is_kept: False says that the network was not kept.
        left_out: why a way to pick is not among them, a sentence for each.
        remarks: what else there is to know of the ways, a sentence for each.
        advice: how to be surer.
    """

    ways: tuple[Way, ...] = ()
    is_kept: bool = True
    left_out: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    advice: str = ""

    @property
    def scores(self) -> dict[str, Mapping[str, PhaseScores]]:
        """The scores of each way, by its name, by phase."""
        return {way.name: way.scores for way in self.ways}

    @property
    def text(self) -> str:
        """The scores as a Markdown table, what follows from it, and what is left out."""
        table = markdown_table(self.scores) if any(self.scores.values()) else ""
        ours = self._ours
        lines = [
            *(
                f"F1 of '{ours.name}' less that of '{way.name}': {_said(ours.over(way))}"
                for way in self.ways
                if ours and way is not ours and way.matches
            ),
            *(
                f"'{way.name}': {way.shift}, which is how far its picks are from the labels learnt "
                "from"
                for way in self.ways
                if way.shift
            ),
            *self.remarks,
            *self.left_out,
        ]
        if self._is_unsure:
            lines.append(f"More test records would tell more; {self.advice}")
        return "\n".join([table, *(f"{line}.\n" for line in lines)]).lstrip()

    @property
    def _ours(self) -> Way | None:
        return next((way for way in self.ways if way.whose == "ours"), None)

    @property
    def _is_unsure(self) -> bool:
        """Whether what the kept network has over the best that there was before may be chance."""
        ours = self._ours
        if not (ours and self.is_kept):
            return False
        before = ([w for w in self.ways if w.whose in of and w.matches] for of in BEFORE)
        best = (max(ways, key=lambda way: way.f1) for ways in before if ways)
        return not all(one.is_sure for way in best for one in ours.over(way))

    def findings(self, *, was_validated: bool = True) -> tuple[Finding, ...]:
        """Say what these records say against what was kept.

        Args:
            was_validated: whether the parent was scored on the validation records, too.
        """
        ours = self._ours
        of_parent = [way for way in self.ways if way.whose == "parent"]
        plain = max((w for w in of_parent if not w.shift), key=lambda w: w.f1, default=None)
        held = "the trained network" if self.is_kept else "the parent, which is kept"
        found = lost_to_table(ours if self.is_kept else plain, self.ways, held, self.advice)
        if ours is None or plain is None:
            return tuple(found)
        best = max(of_parent, key=lambda way: way.f1)
        plain_f1 = plain.f1
        if self.is_kept and ours.f1 < best.f1:
            found.append(self._lost_to(best, ours, was_validated))
        elif not self.is_kept and ours.f1 > plain_f1:
            text = (
                "the network that was not kept finds more in the test records than the parent "
                f"(mean F1 {ours.f1:.3f}, {plain_f1:.3f}), though not in the validation "
                f"records; {self.advice}; the network is in the run's folder 'validated'"
            )
            found.append(Finding("test and validation disagree", text))
        kept_f1 = ours.f1 if self.is_kept else plain_f1
        for way in self.ways:
            if way.whose == "neighbours" and way.f1 >= max(kept_f1, LEAST_BESIDE):
                text = BESIDE_RECORDS.format(beside=way.f1, kept=kept_f1)
                found.append(Finding("neighbours say as much", text))
        for way in self.ways:
            if way.whose == "preset" and not way.shift and way.f1 > kept_f1 + WORTH_CHANGING:
                text = (
                    f"'{way.name}' as it is, which `pick` takes for such records when none is "
                    f"named, finds more in the test records than {held} (mean F1 {way.f1:.3f}, "
                    f"{kept_f1:.3f}): begin with it (--preset {way.name}), or use it as it is"
                )
                found.append(Finding("another preset is better", text))
        return tuple(found)

    def _lost_to(self, best: Way, ours: Way, was_validated: bool) -> Finding:
        """Say that a way of the parent finds more than what was made of it."""
        gains = ours.over(best)
        text = (
            f"the trained network finds less in the test records than '{best.name}' (mean F1 "
            f"{ours.f1:.3f}, {best.f1:.3f}; F1 less that of it: {_said(gains)})"
        )
        if best.shift:
            text += (
                f": picks of the parent moved by a constant time ({best.shift}) do more "
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
    tables: Sequence[TablePicker] = (),
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
        tables: picks that one used so far, looked up for ``records`` and ``known``.
    """
    if not records:
        return Proof()
    tolerance = tolerance_of(tolerance_samples=tolerance_samples)
    pickers = [*_ways_of(parent, records), *_of_itself(parent, records)]
    pickers += [(table.name, "table", table) for table in tables if table.finds_any(records)]
    ways, left_out = _scored(pickers, records, known, tolerance)
    remarks = [LONE] * is_lone(records, drawn_groups(records))
    remarks += [table.said_of(records) for table in tables]
    thresholds = dict.fromkeys(parent.config.phases[1:], 1.0)
    beside = _way(NEIGHBOURS, "neighbours", foretold(records, known), thresholds, tolerance)
    if beside.f1 > max([LEAST_BESIDE, *(way.f1 for way in ways)]):
        ways.append(beside)
        remarks.append(NO_WAVEFORM)
    if trained is not None:
        picker = Picker(trained, sampling="reinterpret")
        name = TRAINED if is_kept else NOT_KEPT
        found, why_not = _scored([(name, "ours", picker)], records, (), tolerance)
        ways, left_out = ways + found, left_out + why_not
    advice = _advice(parent, [*known, *records])
    return Proof(tuple(ways), is_kept, tuple(left_out), tuple(remarks), advice)


def _scored(
    pickers: Iterable[NamedPicker],
    records: Sequence[LabelledWaveform],
    known: Sequence[LabelledWaveform],
    tolerance: Tolerance,
) -> tuple[list[Way], list[str]]:
    """Score each, as it is and moved to fit known labels; say which could not pick the records."""
    ways, left_out = [], []
    for name, whose, picker in pickers:
        try:
            picked = pick_records(picker, records)
            by_s = _shifts(picker, known, tolerance)
        except PhaseNetKerasError as error:  # of a rate too far for resampling: a run is not lost
            left_out.append(f"{name} has no scores: {error}")
            continue
        ways.append(_way(name, whose, picked, picker.thresholds, tolerance))
        if by_s:
            shifted = [moved(one, by_s) for one in picked]
            of_moved = _way(name + MOVED, whose, shifted, picker.thresholds, tolerance)
            ways.append(replace(of_moved, shift=_in_words(by_s)))
    return ways, left_out


def _way(
    name: str,
    whose: Whose,
    picked: Sequence[PickedRecord],
    thresholds: Mapping[str, float],
    tolerance: Tolerance,
) -> Way:
    scores = score_picked(picked, thresholds, tolerance)
    groups = drawn_groups(one.record for one in picked)
    matches = {
        phase: matches_of(picked, phase, thresholds[phase], tolerance, groups)
        for phase, score in scores.items()
        if score.n_true
    }
    return Way(name, whose, scores, matches)


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


def _ways_of(parent: PhaseNet, records: Sequence[LabelledWaveform]) -> list[NamedPicker]:
    """Return the ways to pick with a parent: pickers with their names."""
    if parent.preset is None:
        return []
    name, rate = _name_of(parent), parent.preset.sampling_rate
    factors = [record.waveform.sampling_rate / rate for record in records]
    if all(abs(factor - 1) <= SAME_RATE for factor in factors):
        return [(name, "parent", Picker(parent))]
    resampled = Picker(parent)
    as_they_are = copy(resampled)  # one compiled network serves both
    as_they_are.sampling = "reinterpret"
    ways: list[NamedPicker] = [
        (f"{name}, resampled to {rate:g} Hz", "parent", resampled),
        (f"{name}, samples as they are", "parent", as_they_are),
    ]
    return ways[1:] if max(factors) > FARTHEST else ways


def _of_itself(parent: PhaseNet, records: Sequence[LabelledWaveform]) -> list[NamedPicker]:
    """Return what `pick` takes for such records, where it is not the parent and has its phases."""
    from phasenet_keras.models.phasenet import PhaseNet

    name = default_preset(records[0].waveform.sampling_rate)
    if parent.preset is None or name == parent.preset.name:
        return []
    try:
        net = PhaseNet.from_preset(name, channels=parent.config.channels)
    except PhaseNetKerasError:  # of other channels
        return []
    return [(name, "preset", Picker(net))] if net.config.phases == parent.config.phases else []


def _shifts(
    picker: Picker | TablePicker, known: Sequence[LabelledWaveform], tolerance: Tolerance
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


def _name_of(parent: PhaseNet) -> str:
    """Return what a parent is called in a proof: never as another way."""
    name = "" if parent.preset is None else parent.preset.name
    return f"parent {name}" if name in (TRAINED, NOT_KEPT, NEIGHBOURS) else name
