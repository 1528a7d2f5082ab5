"""Before and after: what a parent and the network made of it find in records that neither saw.

"Before" is all that one has without training: the parent both ways, the shipped preset that `pick`
takes for such records, the picks that one used so far, an STA/LTA trigger, each of these moved by a
constant time, where the labels are of another definition, and the labels of neighbouring records,
where these alone tell more than any network of before. What a network gains over that is what
training was good for.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.models.preset_places import list_presets
from phasenet_keras.picking.picker import Picker
from phasenet_keras.picking.table_picker import TablePicker
from phasenet_keras.training.difference import Difference
from phasenet_keras.training.doctor import Finding
from phasenet_keras.training.matching import tolerance_of
from phasenet_keras.training.neighbours import LEAST_BESIDE, NEIGHBOURS
from phasenet_keras.training.score_table import markdown_table
from phasenet_keras.training.scores import PhaseScores
from phasenet_keras.training.splits import drawn_groups, is_lone
from phasenet_keras.training.triggers import PHASE, TRIGGER, fitted_trigger
from phasenet_keras.training.ways import (
    NOT_KEPT,
    TRAINED,
    Way,
    Whose,
    by_neighbours,
    by_picker,
    by_trigger,
    of_itself,
    of_parent,
    scored,
)
from phasenet_keras.types import LabelledWaveform

if TYPE_CHECKING:
    from phasenet_keras.models.phasenet import PhaseNet

__all__ = ["Proof", "before_and_after"]

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
TRIGGERED = (
    f"'{TRIGGER}' has no network ({{settings}}: of those tried the one that does best on records "
    f"learnt from) and picks {PHASE} alone"
)
# A smaller mean F1 than this is no reason to begin with another preset.
WORTH_CHANGING = 0.02
# What one may have picked with before, and the finding where that is better.
USED: Mapping[Whose, str] = {"table": "what you had is better", "trigger": "a trigger finds more"}


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

    def _best_of(self, *whose: Whose) -> Way | None:
        """Return the way of the highest F1 that has labels to find."""
        ways = [way for way in self.ways if way.whose in whose and way.matches]
        return max(ways, key=lambda way: way.f1, default=None)

    @property
    def _is_unsure(self) -> bool:
        """Whether what the kept network has over the best that there was before may be chance."""
        ours = self._ours
        if ours is None or not self.is_kept:
            return False
        rivals = [self._best_of("parent", "preset"), *map(self._best_of, USED)]
        gains = [one for rival in rivals if rival for one in ours.over(rival)]
        return not all(one.is_sure for one in gains)

    def findings(self, *, was_validated: bool = True) -> tuple[Finding, ...]:
        """Say what these records say against what was kept.

        Args:
            was_validated: whether the parent was scored on the validation records, too.
        """
        ours = self._ours
        of_parent = [way for way in self.ways if way.whose == "parent"]
        plain = max((w for w in of_parent if not w.shift), key=lambda w: w.f1, default=None)
        kept = ours if self.is_kept else plain
        found = [*self._of_what_was_used(kept)] if kept else []
        if ours is None or plain is None or kept is None:
            return tuple(found)
        best = max(of_parent, key=lambda way: way.f1)
        if self.is_kept and ours.f1 < best.f1:
            found.append(self._lost_to(best, ours, was_validated))
        elif not self.is_kept and ours.f1 > plain.f1:
            text = (
                "the network that was not kept finds more in the test records than the parent "
                f"(mean F1 {ours.f1:.3f}, {plain.f1:.3f}), though not in the validation "
                f"records; {self.advice}; the network is in the run's folder 'validated'"
            )
            found.append(Finding("test and validation disagree", text))
        return (*found, *self._of_others(kept))

    @property
    def _held(self) -> str:
        return "the trained network" if self.is_kept else "the parent, which is kept"

    def _of_what_was_used(self, kept: Way) -> Iterator[Finding]:
        """Say which picks without a network are more than those of the one that is kept."""
        for whose, name in USED.items():
            ways = [way for way in self.ways if way.whose == whose and way.matches]
            best = max(ways, key=lambda way: way.f1 - kept.f1_beside(way), default=None)
            if best is None or best.f1 <= kept.f1_beside(best):
                continue
            gains = kept.over(best)
            is_worse = any(one.is_sure and one.f1 < 0 for one in gains)
            moved = f" ({best.shift})" if best.shift else ""
            remedy = (
                "keep to these picks, and label more records"
                if is_worse
                else "too few records to tell"
            )
            text = (
                f"'{best.name}'{moved}: more is found in the test records than by {self._held} "
                f"(mean F1 {best.f1:.3f}, {kept.f1_beside(best):.3f}; F1 of the network less that "
                f"of these: {_said(gains)}): {remedy}; {self.advice}"
            )
            yield Finding(name, text)

    def _of_others(self, kept: Way) -> Iterator[Finding]:
        """Say which ways without the parent find as much as the network that is kept."""
        for way in self.ways:
            if way.whose == "neighbours" and way.f1 >= max(kept.f1, LEAST_BESIDE):
                text = BESIDE_RECORDS.format(beside=way.f1, kept=kept.f1)
                yield Finding("neighbours say as much", text)
            if way.whose == "preset" and not way.shift and way.f1 > kept.f1 + WORTH_CHANGING:
                text = (
                    f"'{way.name}' as it is, which `pick` takes for such records when none is "
                    f"named, finds more in the test records than {self._held} (mean F1 "
                    f"{way.f1:.3f}, {kept.f1:.3f}): begin with it (--preset {way.name}), or use it "
                    "as it is"
                )
                yield Finding("another preset is better", text)

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
    ways, left_out = scored(
        [*of_parent(parent, records), *of_itself(parent, records)], records, known, tolerance
    )
    remarks = [LONE] * is_lone(records, drawn_groups(records))
    phases = parent.config.phases[1:]
    [beside], _ = scored([by_neighbours(known, phases)], records, (), tolerance)
    is_telling = beside.f1 > max([LEAST_BESIDE, *(way.f1 for way in ways)])
    used = [by_picker(t.name, "table", t) for t in tables if t.finds_any(records)]
    remarks += [table.said_of(records) for table in tables]
    if trigger := fitted_trigger(known, tolerance) if PHASE in phases else None:
        used.append(by_trigger(trigger))
        remarks.append(TRIGGERED.format(settings=trigger.text))
    ways += scored(used, records, known, tolerance)[0]
    if is_telling:
        ways.append(beside)
        remarks.append(NO_WAVEFORM)
    if trained is not None:
        name = TRAINED if is_kept else NOT_KEPT
        ours = by_picker(name, "ours", Picker(trained, sampling="reinterpret"))
        found, why_not = scored([ours], records, (), tolerance)
        ways, left_out = ways + found, left_out + why_not
    advice = _advice(parent, [*known, *records])
    return Proof(tuple(ways), is_kept, tuple(left_out), tuple(remarks), advice)


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


def _said(gains: Sequence[Difference]) -> str:
    return ", ".join(one.text for one in gains)
