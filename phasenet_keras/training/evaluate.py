"""Scores: picks against labels, one to one, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from phasenet_keras.types import ConfigError, LabelledWaveform, Pick

if TYPE_CHECKING:
    from phasenet_keras.picking.picker import Picker

__all__ = [
    "PhaseScores",
    "RecordMatches",
    "choose_thresholds",
    "evaluate",
    "markdown_table",
    "match_picks",
    "matches_by_phase",
    "score_matches",
]

# Candidates for a threshold.
THRESHOLDS = tuple(round(0.05 * n, 2) for n in range(1, 17))


@dataclass(frozen=True)
class RecordMatches:
    """Labels, picks and matches of one phase in one record.

    Attributes:
        n_true: labels.
        n_pred: picks.
        residuals_s: pick minus label of each match, in seconds.
        event: what the record belongs to, for the bootstrap; records without one stand alone.
    """

    n_true: int
    n_pred: int
    residuals_s: tuple[float, ...]
    event: str


@dataclass(frozen=True)
class PhaseScores:
    """Scores of one phase; ``f1_interval`` is the 95 % bootstrap interval by event.

    ``residual_*_s`` and ``mae_s`` are over the matches, in seconds; NaN without any.
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

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def match_picks(
    picked: Sequence[float], labels: Sequence[float], tolerance: float
) -> list[tuple[int, int]]:
    """Match picks and labels one to one, the closest pairs first.

    Args:
        picked: times or samples of the picks.
        labels: the same of the labels.
        tolerance: greatest distance of a match, inclusive, in the same unit.

    Returns:
        ``(pick, label)`` indices of each match.

    Example:
        >>> match_picks([10.0, 12.0], [11.5], tolerance=2)
        [(1, 0)]
    """
    if not len(picked) or not len(labels):
        return []
    distance = np.abs(np.subtract.outer(np.asarray(picked, float), np.asarray(labels, float)))
    matches: list[tuple[int, int]] = []
    for flat in np.argsort(distance, axis=None, kind="stable"):
        pick, label = divmod(int(flat), len(labels))
        # 1e-9: a tolerance of 0.1 s includes ten samples of 0.01 s.
        if distance[pick, label] > tolerance + 1e-9:
            break
        if all(pick != p and label != q for p, q in matches):
            matches.append((pick, label))
    return sorted(matches)


def evaluate(
    picker: Picker,
    records: Sequence[LabelledWaveform],
    *,
    tolerance_s: float | None = None,
    tolerance_samples: float | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
) -> dict[str, PhaseScores]:
    """Pick labelled records and score the picks.

    A record counts for a phase only if the phase was labelled in it.

    Args:
        picker: with the thresholds to be scored.
        records: with labels in samples of their own sampling rate.
        tolerance_s: greatest residual of a match, in seconds. The PhaseNet paper's 0.1 s is the
            default.
        tolerance_samples: the same in samples of the records, instead.
        bootstrap: number of bootstrap samples for the interval; 0 for none.
        seed: of the bootstrap.

    Returns:
        The scores of each phase that the picker picks.

    Raises:
        ConfigError: for two tolerances, or no records.
    """
    if not records:
        raise ConfigError("there are no records to evaluate")
    if tolerance_s is not None and tolerance_samples is not None:
        raise ConfigError("give tolerance_s or tolerance_samples, not both")
    rate = records[0].waveform.sampling_rate
    if tolerance_samples is not None:
        tolerance_s = tolerance_samples / rate
    tolerance_s = 0.1 if tolerance_s is None else tolerance_s
    return {
        phase: score_matches(phase, found, tolerance_s, bootstrap, seed)
        for phase, found in matches_by_phase(picker, records, tolerance_s).items()
        if found
    }


def matches_by_phase(
    picker: Picker, records: Sequence[LabelledWaveform], tolerance_s: float
) -> dict[str, list[RecordMatches]]:
    """Pick labelled records and match picks and labels; one entry a record with the phase known."""
    return {
        phase: [_match_record(picks, record, phase, tolerance_s) for picks, record in picked]
        for phase, picked in _picked_by_phase(picker, records).items()
    }


def choose_thresholds(
    picker: Picker,
    records: Sequence[LabelledWaveform],
    tolerance_samples: float,
) -> dict[str, float]:
    """Choose the threshold of each phase that gives the highest F1.

    Where several are equally good, the middle one is chosen: it is the least likely to be so by
    chance. Choose on records that are neither trained on nor reported.

    Args:
        picker: its own thresholds do not matter.
        records: the validation records.
        tolerance_samples: greatest residual of a match, in samples of the records.

    Returns:
        A threshold for each phase; the picker's where no record says anything.
    """
    low = copy(picker)
    low.thresholds = dict.fromkeys(picker.thresholds, min(THRESHOLDS))
    chosen = dict(picker.thresholds)
    for phase, picked in _picked_by_phase(low, records).items():
        scores = []
        for threshold in THRESHOLDS:
            matches = [
                _match_record(
                    [pick for pick in picks if pick.probability >= threshold],
                    record,
                    phase,
                    tolerance_samples / record.waveform.sampling_rate,
                )
                for picks, record in picked
            ]
            scores.append(score_matches(phase, matches, 0.0, bootstrap=0).f1 if matches else 0.0)
        best = [t for t, f1 in zip(THRESHOLDS, scores, strict=True) if f1 == max(scores)]
        if max(scores) > 0:
            chosen[phase] = best[(len(best) - 1) // 2]
    return chosen


def _picked_by_phase(
    picker: Picker, records: Sequence[LabelledWaveform]
) -> dict[str, list[tuple[list[Pick], LabelledWaveform]]]:
    """Pick every record once; a record is with those phases that were labelled in it."""
    picked: dict[str, list[tuple[list[Pick], LabelledWaveform]]] = {
        phase: [] for phase in picker.thresholds
    }
    for record in records:
        picks = picker.pick(record.waveform)
        for phase, pairs in picked.items():
            if phase in record.arrivals:
                pairs.append(([pick for pick in picks if pick.phase == phase], record))
    return picked


def _match_record(
    picks: Sequence[Pick], record: LabelledWaveform, phase: str, tolerance_s: float
) -> RecordMatches:
    wave = record.waveform
    picked = [pick.time - wave.start_time for pick in picks]
    labels = [sample / wave.sampling_rate for sample in record.arrivals[phase]]
    pairs = match_picks(picked, labels, tolerance_s)
    residuals = tuple(picked[pick] - labels[label] for pick, label in pairs)
    event = record.event or record.gather or record.name or wave.station
    return RecordMatches(len(labels), len(picked), residuals, event)


def score_matches(
    phase: str,
    matches: Sequence[RecordMatches],
    tolerance_s: float,
    bootstrap: int = 1000,
    seed: int = 0,
) -> PhaseScores:
    """Add up the matches of many records; see `evaluate`."""
    counts = np.array([[m.n_true, m.n_pred, len(m.residuals_s)] for m in matches])
    n_true, n_pred, n_matched = counts.sum(axis=0).tolist()
    residuals = np.array([r for m in matches for r in m.residuals_s])
    nan = float("nan")
    return PhaseScores(
        phase=phase,
        tolerance_s=tolerance_s,
        n_true=n_true,
        n_pred=n_pred,
        n_matched=n_matched,
        precision=n_matched / n_pred if n_pred else 0.0,
        recall=n_matched / n_true if n_true else 0.0,
        f1=_f1(n_true, n_pred, n_matched),
        f1_interval=_interval(counts, [m.event for m in matches], bootstrap, seed),
        residual_mean_s=float(residuals.mean()) if residuals.size else nan,
        residual_std_s=float(residuals.std()) if residuals.size else nan,
        mae_s=float(np.abs(residuals).mean()) if residuals.size else nan,
    )


def markdown_table(rows: Mapping[str, Mapping[str, PhaseScores]]) -> str:
    """Return named scores as a Markdown table."""
    lines = [
        "| what | phase | F1 (95 %) | precision | recall | residual mean ± std (ms) | labels |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, scores in rows.items():
        for phase, score in scores.items():
            low, high = score.f1_interval
            lines.append(
                f"| {name} | {phase} | {score.f1:.3f} ({low:.3f}-{high:.3f}) | "
                f"{score.precision:.3f} | {score.recall:.3f} | "
                f"{1000 * score.residual_mean_s:+.2f} ± {1000 * score.residual_std_s:.2f} | "
                f"{score.n_true} |"
            )
    return "\n".join(lines) + "\n"


def _f1(n_true: float, n_pred: float, n_matched: float) -> float:
    return 2.0 * n_matched / (n_true + n_pred) if n_true + n_pred else 0.0


def _interval(
    counts: np.ndarray, events: Sequence[str], bootstrap: int, seed: int
) -> tuple[float, float]:
    if not bootstrap:
        return (float("nan"), float("nan"))
    names, of_event = np.unique(np.asarray(events), return_inverse=True)
    by_event = np.zeros((len(names), 3))
    np.add.at(by_event, of_event, counts)
    rng = np.random.default_rng(seed)
    drawn = by_event[rng.integers(0, len(names), (bootstrap, len(names)))].sum(axis=1)
    values = [_f1(*row) for row in drawn]
    low, high = np.percentile(values, [2.5, 97.5])
    return (float(low), float(high))
