"""Scores as a table: what of them is worth showing, and how."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from phasenet_keras.io.times import TimeUnit, residual_unit, unit_of_span
from phasenet_keras.training.scores import PhaseScores

__all__ = [
    "LEAST_EVENTS",
    "LEAST_HOURS",
    "counted_picks",
    "has_intervals",
    "interval_notes",
    "markdown_table",
    "mean_and_std",
    "shown_interval",
    "unit_of_scores",
    "with_interval",
]

# An interval that is drawn from fewer events is not shown. All draws of a sample are of one event
# with a probability of n ** -n, for two and three more than the 2.5 % of a tail: the ends are then
# the scores of the worst and the best event. Of normally distributed values the 95 % interval holds
# the mean in 50 % of cases with two events, 76 % with three, 81 % with four, 83 % with five.
LEAST_EVENTS = 5
# A rate of false picks in less, 3 minutes, says nothing of an hour: their number is given.
LEAST_HOURS = 0.05
# Scores that tables show with intervals.
WITH_INTERVALS = ("f1", "precision", "recall")
# In a table, where there is nothing to average.
NO_VALUE = "-"


def markdown_table(rows: Mapping[str, Mapping[str, PhaseScores]]) -> str:
    """Return named scores as a Markdown table, with the rules that they follow below it.

    Columns are as wide as their widest cell, to be read on a terminal as well; one in which no row
    has a value is left out.
    """
    scores = [score for of_phases in rows.values() for score in of_phases.values()]
    unit = unit_of_scores(scores)
    of_interval = " (95 %)" if has_intervals(scores) else ""
    table = [
        {
            "what": name,
            "phase": phase,
            f"F1{of_interval}": with_interval(score, "f1"),
            f"precision{of_interval}": with_interval(score, "precision"),
            f"recall{of_interval}": with_interval(score, "recall"),
            f"residual mean ± std ({unit.symbol})": mean_and_std(score, unit),
            f"MAE ({unit.symbol})": _or_none(unit.per_s * score.mae_s, ".2f"),
            "false picks an hour": _false_picks(score),
            "labels": str(score.n_true),
        }
        for name, of_phases in rows.items()
        for phase, score in of_phases.items()
    ]
    return "\n\n".join([_aligned(table), *_rules(scores), *interval_notes(scores)]) + "\n"


def _rules(scores: Sequence[PhaseScores]) -> list[str]:
    """Return the rules that scores follow in words, each with its phases if there are several."""
    phases: dict[str, dict[str, None]] = {}
    for score in scores:
        if score.rule:
            phases.setdefault(score.tolerance.text, {})[score.phase] = None
    if len(phases) < 2:
        return list(phases)
    return [f"{', '.join(of_rule)}: {text}" for text, of_rule in phases.items()]


def _aligned(table: Sequence[Mapping[str, str]]) -> str:
    """Return rows as Markdown, without the columns that have no value."""
    if not table:
        return "Nothing was scored."
    names = [name for name in table[0] if any(row[name] != NO_VALUE for row in table)]
    lines = [names, *([row[name] for name in names] for row in table)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    head, *body = (f"| {' | '.join(map(str.ljust, cells, widths))} |" for cells in lines)
    return "\n".join([head, f"|{'|'.join('-' * (width + 2) for width in widths)}|", *body])


def with_interval(score: PhaseScores, name: str = "f1") -> str:
    """Return F1, precision or recall as text, the interval in brackets where it says something."""
    interval = shown_interval(score, name)
    ends = "" if interval is None else f" ({interval[0]:.3f}-{interval[1]:.3f})"
    return f"{getattr(score, name):.3f}{ends}"


def shown_interval(score: PhaseScores, name: str = "f1") -> tuple[float, float] | None:
    """Return the interval of a score; None for too few events, or where it has no width."""
    low, high = getattr(score, f"{name}_interval")
    return None if _has_few_events(score) or not high > low else (low, high)


def has_intervals(scores: Iterable[PhaseScores]) -> bool:
    """Tell if `with_interval` shows one of these scores' intervals."""
    return any(shown_interval(score, name) for score in scores for name in WITH_INTERVALS)


def interval_notes(scores: Iterable[PhaseScores]) -> list[str]:
    """Return why intervals are missing in `with_interval`, in a sentence for each reason."""
    scores = list(scores)
    few = {score.n_events for score in scores if _has_few_events(score) and _was_asked(score)}
    notes = []
    if few:
        counts = " or ".join(f"{n} event{'s' * (n > 1)}" for n in sorted(few))
        notes.append(f"No interval is given for {counts}: it takes at least {LEAST_EVENTS}.")
    others = [score for score in scores if score.n_true and not _has_few_events(score)]
    intervals = [getattr(s, f"{name}_interval") for s in others for name in WITH_INTERVALS]
    if any(low == high for low, high in intervals):
        notes.append("No interval is given where all draws of events score alike: others may not.")
    return notes


def _has_few_events(score: PhaseScores) -> bool:
    """Tell if there are too few events for intervals; not of scores that do not count them."""
    return 0 < score.n_events < LEAST_EVENTS


def _was_asked(score: PhaseScores) -> bool:
    """Tell if intervals were wanted: they are NaN otherwise, and where there is but one event."""
    return score.n_events == 1 or not math.isnan(score.f1_interval[0])


def unit_of_scores(scores: Iterable[PhaseScores]) -> TimeUnit:
    """Return the unit in which the largest MAE of some scores shows digits."""
    return residual_unit(max((s.mae_s for s in scores if s.mae_s > 0), default=0.0))


def mean_and_std(score: PhaseScores, unit: TimeUnit) -> str:
    """Return the mean of the residuals of a phase and its standard deviation, as text."""
    mean = _or_none(unit.per_s * score.residual_mean_s, "+.2f")
    return f"{mean} ± {unit.per_s * score.residual_std_s:.2f}" if mean != NO_VALUE else mean


def counted_picks(per_hour: float, hours: float, what: str = "") -> str:
    """Return how many picks there were in less than `LEAST_HOURS`, as text.

    Example:
        >>> counted_picks(319.1, 11.28 / 3600, " false pick")
        '1 false pick in 11.3 s'
        >>> counted_picks(2 / 1e-5, 1e-5, " false pick")
        '2 false picks in 36 ms'
    """
    n, span_s = round(per_hour * hours), 3600 * hours
    unit, plural = unit_of_span(span_s), "s" if what and n != 1 else ""
    return f"{n}{what}{plural} in {unit.per_s * span_s:.3g} {unit.symbol}"


def _false_picks(score: PhaseScores) -> str:
    if 0 < score.noise_hours < LEAST_HOURS:
        return counted_picks(score.false_picks_per_hour, score.noise_hours)
    return _or_none(score.false_picks_per_hour, ".1f")


def _or_none(value: float, form: str) -> str:
    return NO_VALUE if math.isnan(value) else format(value, form)
