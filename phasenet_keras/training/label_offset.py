"""Picks that are right but for a constant time: labels of another definition, or another clock.

An analyst may label the first break, the first peak, or a time that a clock shifted. A picker that
was taught another of them scores near nothing although it finds every arrival, and who sees only
that score throws a good picker away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from phasenet_keras.io.times import residual_unit
from phasenet_keras.training.picked import FAR, PickedRecord, RecordTimes, times_of
from phasenet_keras.training.scores import PhaseScores

__all__ = ["LabelOffset", "constant_offset", "label_offsets", "moved"]

# What is said must be worth saying: arrivals enough, and scores that change by more than chance.
LEAST_PAIRS = 8
LEAST_GAIN = 0.2


@dataclass(frozen=True)
class LabelOffset:
    """A constant time between the picks and the labels of a phase.

    Attributes:
        phase: its name.
        offset_s: median of pick minus label, in seconds, of the pairs that agree with each other.
        n_pairs: number of these pairs: within the tolerance of the median.
        f1: as it was scored.
        f1_moved: the same with the picks moved by that time.
    """

    phase: str
    offset_s: float
    n_pairs: int
    f1: float
    f1_moved: float

    @property
    def text(self) -> str:
        """Return the same in words, with what to do."""
        side = "before" if self.offset_s < 0 else "after"
        unit = residual_unit(abs(self.offset_s))
        away = f"{unit.per_s * abs(self.offset_s):.3g} {unit.symbol}"
        return (
            f"{self.phase}: {self.n_pairs} picks are {away} {side} "
            f"their labels, all alike: moved by that, F1 would be {self.f1_moved:.3f} in place of "
            f"{self.f1:.3f}. The labels seem to mark another part of the wave (onset, first peak), "
            "or times are shifted. Fine-tuned on some of these records, picks follow the labels"
        )


def label_offsets(
    picked: Sequence[PickedRecord], scores: Mapping[str, PhaseScores]
) -> dict[str, LabelOffset]:
    """Find the phases whose picks would be right if they were moved by a constant time.

    Returns:
        By phase, see `constant_offset`; nothing for phases whose labels and picks agree, or differ
        without a rule.

    Example:
        >>> label_offsets([], {})
        {}
    """
    found = {}
    for phase, score in scores.items():
        labelled = [one for one in picked if phase in one.record.arrivals]
        rows = [times_of(one, phase, score.threshold) for one in labelled]
        near_s = [score.tolerance.at(one.record.waveform.sampling_rate) for one in labelled]
        if offset := constant_offset(score, rows, near_s):
            found[phase] = offset
    return found


def constant_offset(
    score: PhaseScores, rows: Sequence[RecordTimes], near_s: Sequence[float]
) -> LabelOffset | None:
    """Return the constant time between picks and labels of a phase; None where it explains little.

    The time is the median of the residuals in that window of twice the tolerance which holds most
    of them. It is reported if F1 would rise by 0.2 and eight pairs agree.

    Args:
        score: of the phase in these records.
        rows: labels and picks of each.
        near_s: the tolerance in each, in seconds.
    """
    pairs = list(zip(rows, near_s, strict=True))
    residuals_s = [s for row, size_s in pairs for s in row.matches(FAR * size_s).residuals_s]
    offset_s = _commonest(residuals_s, score.tolerance_s)
    fitted = [row.moved(-offset_s).matches(size_s) for row, size_s in pairs]
    n_pairs = sum(len(match.residuals_s) for match in fitted)
    f1 = 2 * n_pairs / max(1, score.n_true + score.n_pred)
    if n_pairs < LEAST_PAIRS or f1 < score.f1 + LEAST_GAIN:
        return None
    return LabelOffset(score.phase, offset_s, n_pairs, score.f1, f1)


def _commonest(residuals_s: Sequence[float], tolerance_s: float) -> float:
    """Return the median of the fullest window of twice the tolerance, in seconds; 0 for none."""
    residuals = np.sort(residuals_s)
    if not len(residuals):
        return 0.0
    ends = np.searchsorted(residuals, residuals + 2 * tolerance_s, side="right")
    first = int(np.argmax(ends - np.arange(len(residuals))))
    return float(np.median(residuals[first : ends[first]]))


def moved(picked: PickedRecord, by_s: Mapping[str, float]) -> PickedRecord:
    """Return a record whose picks are moved in time, in seconds by phase; others stay."""
    picks = (replace(pick, time=pick.time + by_s.get(pick.phase, 0.0)) for pick in picked.picks)
    return replace(picked, picks=tuple(picks))
