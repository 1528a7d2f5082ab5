"""How much better one picker is than another on the same records: a difference, by event."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phasenet_keras.training.score_table import LEAST_EVENTS
from phasenet_keras.training.scores import RecordMatches, drawn_sums, interval_of

__all__ = ["Difference", "f1_difference"]

N_DRAWS = 1000


@dataclass(frozen=True)
class Difference:
    """F1 of one picker less that of another, for a phase.

    Attributes:
        phase: its name.
        f1: the difference.
        interval: 95 % bootstrap interval; both pickers are drawn with the same events, so that
            records that are hard for both do not widen it. NaN for fewer than five events.
        n_events: groups that the bootstrap drew from.
    """

    phase: str
    f1: float
    interval: tuple[float, float]
    n_events: int

    @property
    def is_sure(self) -> bool:
        """Whether there is an interval, and zero is not in it."""
        return math.prod(self.interval) > 0

    @property
    def text(self) -> str:
        """The same in a few words."""
        low, high = self.interval
        said = "too few events" if math.isnan(low) else f"{low:+.3f} to {high:+.3f}"
        if low <= 0 <= high and self.f1:
            said += ", may be chance"
        return f"{self.phase} {self.f1:+.3f} ({said})"


def f1_difference(
    phase: str, ours: Sequence[RecordMatches], theirs: Sequence[RecordMatches]
) -> Difference:
    """Return how much higher our F1 is than theirs: matches of the same records in one order.

    Example:
        >>> hit, miss = (RecordMatches(1, 1, found, "e") for found in [(0.0,), ()])
        >>> f1_difference("P", [hit, hit], [hit, miss]).text
        'P +0.500 (too few events)'
    """
    names, of_event = np.unique([match.event for match in ours], return_inverse=True)
    # By event: labels and picks, then matches, of ours and of theirs.
    sums = np.zeros((len(names), 4))
    for column, matches in ((0, ours), (2, theirs)):
        rows = [(m.n_true + m.n_pred, 2 * len(m.residuals_s)) for m in matches]
        np.add.at(sums[:, column : column + 2], of_event, rows)
    n_draws = N_DRAWS if len(names) >= LEAST_EVENTS else 0
    drawn = drawn_sums(sums, n_draws, np.random.default_rng(0))
    interval = interval_of(_less(drawn))
    return Difference(phase, float(_less(sums.sum(axis=0))), interval, len(names))


def _less(sums: np.ndarray) -> np.ndarray:
    both, found = sums[..., 0::2], sums[..., 1::2]
    f1 = np.divide(found, both, out=np.zeros_like(found), where=both > 0)
    return f1[..., 0] - f1[..., 1]
