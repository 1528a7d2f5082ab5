"""Before and after: what a parent and the network made of it find in records that neither saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from phasenet_keras.picking.picker import Picker
from phasenet_keras.training.evaluate import pick_records, score_picked
from phasenet_keras.training.matching import tolerance_of
from phasenet_keras.training.score_table import markdown_table
from phasenet_keras.training.scores import PhaseScores
from phasenet_keras.types import LabelledWaveform, PhaseNetKerasError

if TYPE_CHECKING:
    from phasenet_keras.models.phasenet import PhaseNet

__all__ = ["TRAINED", "Proof", "before_and_after"]

TRAINED = "trained"


@dataclass(frozen=True)
class Proof:
    """Scores before and after.

    Attributes:
        scores: by phase, by a name for each way to pick; of the phases that have labels.
        left_out: why a way to pick is not among them, a sentence for each.
    """

    scores: Mapping[str, Mapping[str, PhaseScores]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The scores as a Markdown table, and what is left out; empty where nothing is scored."""
        table = markdown_table(self.scores) if any(self.scores.values()) else ""
        return "\n".join([table, *(f"{reason}.\n" for reason in self.left_out)]).lstrip()


def before_and_after(
    parent: PhaseNet,
    trained: PhaseNet | None,
    records: Sequence[LabelledWaveform],
    tolerance_samples: float,
) -> Proof:
    """Score a parent and the network that came of it on the same records.

    Where the records have another rate than the parent, it is scored both ways: on records
    resampled to its rate, as it would pick them, and on the samples as they are, as it was trained.

    Args:
        parent: as it was; one that has no preset has no weights to speak of, and is left out.
        trained: what came of it; None where the parent was kept.
        records: of which neither has learnt, nor had its epoch or thresholds chosen by.
        tolerance_samples: greatest residual of a match, in samples of the records.
    """
    pickers: dict[str, Picker] = {}
    if parent.preset is not None:
        name, rate = parent.preset.name, parent.preset.sampling_rate
        if all(record.waveform.sampling_rate == rate for record in records):
            pickers[name] = Picker(parent)
        else:
            pickers[f"{name}, resampled to {rate:g} Hz"] = Picker(parent)
            pickers[f"{name}, samples as they are"] = Picker(parent, sampling="reinterpret")
    if trained is not None:
        pickers[TRAINED] = Picker(trained, sampling="reinterpret")
    tolerance = tolerance_of(tolerance_samples=tolerance_samples)
    scores, left_out = {}, []
    for name, picker in pickers.items():
        try:
            picked = pick_records(picker, records)
        except PhaseNetKerasError as error:  # of a rate too far for resampling: a run is not lost
            left_out.append(f"{name} has no scores: {error}")
            continue
        scores[name] = score_picked(picked, picker.thresholds, tolerance)
    return Proof(scores, tuple(left_out))
