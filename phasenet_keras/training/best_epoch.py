"""Which epoch is the best, whether it beats the parent, and when there is no better to come."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from phasenet_keras.training.learner import EpochReport

__all__ = ["beats", "best_epoch", "is_over"]


def best_epoch(history: Sequence[EpochReport], n_labels: int) -> int | None:
    """Return the last epoch whose F1 is within one standard error of the highest; None without.

    Few validation labels tell epochs apart but roughly, and the later one has learnt more. The
    error is that of a proportion, ``sqrt(F1 (1 - F1) / n_labels)``.
    """
    rated = [report for report in history if math.isfinite(report.dev_f1)]
    if not rated:
        return None
    highest = max(report.dev_f1 for report in rated)
    error = math.sqrt(highest * (1.0 - highest) / max(1, n_labels))
    return max(report.epoch for report in rated if report.dev_f1 >= highest - error)


def beats(report: EpochReport, parent_loss: float, parent_f1: float) -> bool:
    """Tell if an epoch is better than the parent: in F1, or where that is equal in loss.

    Where neither finds a label, a lower loss is no success.
    """
    if math.isnan(parent_f1) or report.dev_f1 > parent_f1:
        return True
    return 0 < report.dev_f1 == parent_f1 and report.dev_loss < parent_loss


def is_over(history: Sequence[EpochReport], patience: int) -> bool:
    """Tell if neither F1 nor loss has been as good as its best for long enough."""
    if not history:
        return False
    best = max(history, key=lambda report: (report.dev_f1, report.epoch))
    lowest = int(np.argmin([report.dev_loss for report in history]))
    return len(history) - 1 - max(best.epoch, lowest) >= patience
