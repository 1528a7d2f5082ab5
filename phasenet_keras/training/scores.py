"""Scores of picks against labels, with intervals. Numbers only, no network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from phasenet_keras.short_repr import ShortRepr
from phasenet_keras.training.matching import Tolerance
from phasenet_keras.types import ConfigError

__all__ = [
    "THRESHOLDS",
    "PhaseScores",
    "RecordMatches",
    "ScoreCurve",
    "as_good_as",
    "mean_f1",
    "score_curve",
    "score_matches",
]

# Of the curves, and candidates for a threshold.
THRESHOLDS = tuple(round(0.05 * n, 2) for n in range(1, 20))
# Bootstrap samples are drawn in parts of about this many events.
EVENTS_AT_ONCE = 1_000_000
NO_INTERVAL = (math.nan, math.nan)


@dataclass(frozen=True)
class RecordMatches:
    """Labels, picks and matches of one phase in one record.

    Attributes:
        n_true: labels.
        n_pred: picks.
        residuals_s: pick minus label of each match, in seconds.
        event: what the record is drawn with in the bootstrap, see
            `phasenet_keras.training.grouping.drawn_with`.
        near_residuals_s: the same of the pairs within the rule's window of residuals; None if that
            is the tolerance.
        quiet_s: how much of the record is further than the tolerance from any arrival of any
            phase, in seconds; all of it where the phase has none.
        n_quiet: picks in there: all are false.
    """

    n_true: int
    n_pred: int
    residuals_s: tuple[float, ...]
    event: str
    near_residuals_s: tuple[float, ...] | None = None
    quiet_s: float = 0.0
    n_quiet: int = 0

    @property
    def rated_residuals_s(self) -> tuple[float, ...]:
        """Return the residuals that the statistics are of."""
        return self.residuals_s if self.near_residuals_s is None else self.near_residuals_s


@dataclass(frozen=True, eq=False, repr=False)
class PhaseScores(ShortRepr):
    """Scores of one phase; ``*_interval`` are 95 % bootstrap intervals by event.

    The statistics of residuals are over the pairs that the rule takes, in seconds; NaN without
    any. An interval is NaN where nothing was drawn, where there is but one event to draw, and
    where none of the bootstrap samples has a value.

    Attributes:
        phase: its name.
        tolerance_s: greatest distance of a match, in seconds; that of the first record, if it was
            given in samples and sampling rates differ.
        n_true: labels.
        n_pred: picks.
        n_matched: matches.
        precision: matches over picks; 0 without picks.
        recall: matches over labels; 0 without labels.
        f1: twice the matches over labels and picks together.
        f1_interval: of ``f1``.
        residual_mean_s: mean of pick minus label.
        residual_std_s: standard deviation of the same.
        mae_s: mean of its absolute values.
        precision_interval: of ``precision``.
        recall_interval: of ``recall``.
        residual_mean_interval_s: of ``residual_mean_s``.
        mae_interval_s: of ``mae_s``.
        rule: name of the rule; empty if none was named.
        tolerance_samples: the tolerance, if it was given in samples.
        residual_window_s: residuals are of the pairs up to this far apart; None: of the matches.
        threshold: least probability of a pick; NaN if not known.
        n_records: records in which the phase was labelled, also as not there.
        n_events: groups that the bootstrap drew from.
        false_picks_per_hour: picks in records that have no arrival of the phase, an hour of these
            records; NaN if there are none.
        noise_hours: hours of these records.
        false_picks_per_hour_between: picks in the other records that are further than the
            tolerance from any arrival of any phase, an hour of these parts. Arrivals that nobody
            labelled count as false here: it is an upper bound.
        hours_between: hours of these parts.
    """

    phase: str
    tolerance_s: float
    n_true: int
    n_pred: int
    n_matched: int
    precision: float
    recall: float
    f1: float
    f1_interval: tuple[float, float]
    residual_mean_s: float
    residual_std_s: float
    mae_s: float
    precision_interval: tuple[float, float] = NO_INTERVAL
    recall_interval: tuple[float, float] = NO_INTERVAL
    residual_mean_interval_s: tuple[float, float] = NO_INTERVAL
    mae_interval_s: tuple[float, float] = NO_INTERVAL
    rule: str = ""
    tolerance_samples: float | None = None
    residual_window_s: float | None = None
    threshold: float = math.nan
    n_records: int = 0
    n_events: int = 0
    false_picks_per_hour: float = math.nan
    noise_hours: float = 0.0
    false_picks_per_hour_between: float = math.nan
    hours_between: float = 0.0

    @property
    def tolerance(self) -> Tolerance:
        """Return how the rule was applied."""
        seconds = self.tolerance_s if self.tolerance_samples is None else None
        return Tolerance(self.rule, seconds, self.tolerance_samples, self.residual_window_s)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, which has no NaN: None in its place."""
        return {name: _plain(value) for name, value in asdict(self).items()}

    def __eq__(self, other: object) -> bool:
        """Tell if all is the same; what has no value (NaN) is like itself."""
        return isinstance(other, PhaseScores) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.phase, self.n_true, self.n_pred, self.n_matched))


@dataclass(frozen=True, repr=False)
class ScoreCurve(ShortRepr):
    """Scores of one phase at many thresholds, ascending; each sequence has a value a threshold.

    Attributes:
        phase: its name.
        n_true: labels.
        thresholds: least probabilities of a pick.
        n_pred: picks.
        n_matched: matches.
        precision: matches over picks; 0 without picks.
        recall: matches over labels; 0 without labels. It never rises with the threshold.
        f1: twice the matches over labels and picks together.
    """

    phase: str
    n_true: int
    thresholds: tuple[float, ...]
    n_pred: tuple[int, ...]
    n_matched: tuple[int, ...]
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    f1: tuple[float, ...]

    def best_threshold(self, near: float) -> float:
        """Return the threshold nearest to ``near`` among those as good as the best.

        As good is an F1 within one standard error of the highest, see `as_good_as`: few labels are
        no reason to go far from a threshold that is known to work. NaN if the highest F1 is 0.
        """
        highest = max(self.f1, default=0.0)
        if not highest > 0:
            return math.nan
        least = as_good_as(highest, self.n_true)
        good = [t for t, f1 in zip(self.thresholds, self.f1, strict=True) if f1 >= least]
        return min(good, key=lambda threshold: abs(threshold - near))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def score_matches(
    phase: str,
    matches: Sequence[RecordMatches],
    tolerance_s: float,
    bootstrap: int = 1000,
    seed: int = 0,
    *,
    noise: Sequence[RecordMatches] = (),
    tolerance: Tolerance | None = None,
    threshold: float = math.nan,
) -> PhaseScores:
    """Add up the matches of many records.

    Args:
        phase: name of the phase.
        matches: one a record.
        tolerance_s: that they were matched with, in seconds.
        bootstrap: number of bootstrap samples for the intervals; 0 for none.
        seed: of the bootstrap.
        noise: more records without an arrival, which count for the false picks an hour only.
        tolerance: the rule that they were matched by, where there was one.
        threshold: least probability of the picks.

    Raises:
        ConfigError: for a negative number of bootstrap samples.
    """
    if bootstrap < 0:
        raise ConfigError(f"bootstrap is a number of samples, 0 or more; received {bootstrap}")
    tolerance = tolerance or Tolerance("", tolerance_s)
    rows = np.array([_row(match) for match in matches], float).reshape(-1, 6)
    n_true, n_pred, n_matched = (int(total) for total in rows[:, :3].sum(axis=0))
    residuals = np.array([r for match in matches for r in match.rated_residuals_s], float)
    names, of_event = np.unique(np.array([m.event for m in matches], str), return_inverse=True)
    by_event = np.zeros((len(names), rows.shape[1]))
    np.add.at(by_event, of_event, rows)
    quiet = [match for match in matches if not match.n_true] + list(noise)
    noise_rate, noise_hours = _false_rate(quiet)
    rate_between, hours_between = _false_rate([match for match in matches if match.n_true])
    return PhaseScores(
        phase=phase,
        tolerance_s=tolerance_s,
        n_true=n_true,
        n_pred=n_pred,
        n_matched=n_matched,
        precision=n_matched / n_pred if n_pred else 0.0,
        recall=n_matched / n_true if n_true else 0.0,
        f1=2.0 * n_matched / (n_true + n_pred) if n_true + n_pred else 0.0,
        residual_mean_s=float(residuals.mean()) if residuals.size else math.nan,
        residual_std_s=float(residuals.std()) if residuals.size else math.nan,
        mae_s=float(np.abs(residuals).mean()) if residuals.size else math.nan,
        **_intervals(by_event, bootstrap, seed),
        rule=tolerance.rule,
        tolerance_samples=tolerance.samples,
        residual_window_s=tolerance.window_s,
        threshold=threshold,
        n_records=len(matches),
        n_events=len(names),
        false_picks_per_hour=noise_rate,
        noise_hours=noise_hours,
        false_picks_per_hour_between=rate_between,
        hours_between=hours_between,
    )


def as_good_as(f1: float, n_labels: int) -> float:
    """Return the F1 that is one standard error below another: few labels cannot tell the two.

    The error is that of a proportion, ``sqrt(F1 (1 - F1) / n_labels)``.

    Example:
        >>> round(as_good_as(0.8, 16), 3)
        0.7
    """
    return f1 - math.sqrt(f1 * (1.0 - f1) / max(1, n_labels))


def mean_f1(scores: Mapping[str, PhaseScores], without: float = math.nan) -> float:
    """Return the mean F1 of the phases that have labels, or what stands for it where none has."""
    values = [score.f1 for score in scores.values() if score.n_true]
    return sum(values) / len(values) if values else without


def score_curve(phase: str, matches: Mapping[float, Sequence[RecordMatches]]) -> ScoreCurve:
    """Add up the matches of many records at each of many thresholds."""
    thresholds = tuple(sorted(matches))
    scores = [score_matches(phase, matches[t], 0.0, bootstrap=0) for t in thresholds]
    return ScoreCurve(
        phase=phase,
        n_true=scores[0].n_true if scores else 0,
        thresholds=thresholds,
        n_pred=tuple(score.n_pred for score in scores),
        n_matched=tuple(score.n_matched for score in scores),
        precision=tuple(score.precision for score in scores),
        recall=tuple(score.recall for score in scores),
        f1=tuple(score.f1 for score in scores),
    )


def _row(match: RecordMatches) -> tuple[float, ...]:
    """Return what the scores of a record are made of: see `_ratios`."""
    rated = match.rated_residuals_s
    counts = (match.n_true, match.n_pred, len(match.residuals_s), len(rated))
    return (*counts, sum(rated), sum(map(abs, rated)))


def _ratios(totals: np.ndarray) -> dict[str, np.ndarray]:
    """Return scores of summed rows ``(n, 6)``; NaN where there is nothing to divide by."""
    n_true, n_pred, n_matched, n_rated, residuals, absolute = totals.T
    with np.errstate(divide="ignore", invalid="ignore"):
        both = n_true + n_pred
        return {
            "f1_interval": np.where(both > 0, 2.0 * n_matched / both, 0.0),
            "precision_interval": n_matched / n_pred,
            "recall_interval": n_matched / n_true,
            "residual_mean_interval_s": residuals / n_rated,
            "mae_interval_s": absolute / n_rated,
        }


def _intervals(by_event: np.ndarray, bootstrap: int, seed: int) -> dict[str, Any]:
    """Draw events with replacement and return the 95 % interval of each score."""
    n_events = len(by_event)
    rng = np.random.default_rng(seed)
    # Draws of one event are all alike.
    totals = drawn_sums(by_event, bootstrap if n_events > 1 else 0, rng)
    found = _ratios(totals).items()
    return {name: interval_of(values[np.isfinite(values)]) for name, values in found}


def interval_of(drawn: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of values that were drawn; NaN where none were."""
    if not drawn.size:
        return NO_INTERVAL
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def drawn_sums(by_event: np.ndarray, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    """Return sums over as many events as there are, drawn with replacement.

    Args:
        by_event: what is counted, ``(n_events, n_counts)``.
        n_draws: how often.
        rng: draws.

    Returns:
        A row a draw, ``(n_draws, n_counts)``; memory does not grow with events times draws.

    Example:
        >>> drawn_sums(np.array([[1.0, 2.0]]), 2, np.random.default_rng(0))
        array([[1., 2.],
               [1., 2.]])
    """
    n_events = len(by_event)
    left, totals = n_draws, [np.zeros((0, by_event.shape[1]))]
    while left:
        n = min(left, max(1, EVENTS_AT_ONCE // n_events))
        totals.append(by_event[rng.integers(0, n_events, (n, n_events))].sum(axis=1))
        left -= n
    return np.concatenate(totals)


def _false_rate(matches: Sequence[RecordMatches]) -> tuple[float, float]:
    """Return false picks an hour of quiet, and the hours."""
    hours = sum(match.quiet_s for match in matches) / 3600.0
    return (sum(match.n_quiet for match in matches) / hours if hours else math.nan, hours)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
