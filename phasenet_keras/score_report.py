"""Scores as files: `scores.json`, `scores.md`, and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phasenet_keras.io.new_files import beside_then_rename, folder_to_write, write_json
from phasenet_keras.training.label_offset import LabelOffset, label_offsets
from phasenet_keras.training.picked import PickedRecord, residuals_by_phase, worst_records
from phasenet_keras.training.score_table import (
    LEAST_HOURS,
    counted_picks,
    has_intervals,
    markdown_table,
)
from phasenet_keras.training.scores import PhaseScores, ScoreCurve
from phasenet_keras.types import ConfigError

if TYPE_CHECKING:
    from phasenet_keras.picking.picker import Picker
    from phasenet_keras.picking.table_picker import TablePicker

__all__ = ["write_score_values", "write_scores"]

VALUES, TABLE = "scores.json", "scores.md"
FIGURES = {
    "residuals.png": "Residuals",
    "precision_recall.png": "Precision against recall",
    "worst_records.png": "Records with the most missed and false picks",
}
NO_ERRORS = "Records with the largest residuals: no pick is missed or false"


def write_scores(
    folder: str | PathLike[str],
    scores: Mapping[str, PhaseScores],
    curves: Mapping[str, ScoreCurve],
    *,
    picked: Sequence[PickedRecord] = (),
    offsets: Mapping[str, LabelOffset] | None = None,
    picker: Picker | TablePicker | None = None,
    preset: str = "",
    split: str = "",
    n_worst: int = 6,
    notes: Sequence[str] = (),
) -> list[Path]:
    """Write scores as JSON, as a Markdown table and as figures.

    Args:
        folder: it is made if needed; files of the same names are replaced.
        scores: by phase.
        curves: by phase; without any there is no precision-recall curve.
        picked: the records that were scored; without any there are neither residuals nor worst
            records as figures.
        offsets: by phase, of `label_offsets`; None looks for them in ``picked``.
        picker: gives the probabilities of the worst records; without it they are not drawn.
        preset: name of what was scored.
        split: name of the records.
        n_worst: number of records in the figure of the worst.
        notes: what else is to be said of the scores in ``scores.md``, a sentence each.

    Returns:
        The files: ``scores.json``, ``scores.md``, and of ``residuals.png``,
        ``precision_recall.png``, ``worst_records.png`` those that could be drawn.

    Raises:
        ConfigError: for no scores.
    """
    from phasenet_keras.plot import save_figure
    from phasenet_keras.plot_scores import plot_curves, plot_residuals, plot_worst

    if not scores:
        raise ConfigError("there are no scores to write: no phase was labelled in a record")
    folder = folder_to_write(folder)
    folder.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Any] = {}
    # The numbers go first: a figure must not cost them.
    write_score_values(folder / VALUES, scores, curves, preset=preset, split=split)
    if picked:
        figures["residuals.png"] = plot_residuals(residuals_by_phase(picked, scores), scores)
    if curves:
        figures["precision_recall.png"] = plot_curves(curves, scores)
    headings = dict(FIGURES)
    errors = worst_records(picked, scores, n_worst)
    if not any(error.n_missed or error.n_false for error in errors):
        headings["worst_records.png"] = NO_ERRORS
    if errors and picker is not None:
        figures["worst_records.png"] = plot_worst(errors, scores, picker)
    for name, figure in figures.items():
        save_figure(figure, folder / name)
    if offsets is None:
        offsets = label_offsets(picked, scores)
    said = [*notes, *(offset.text for offset in offsets.values())]
    with beside_then_rename(folder / TABLE) as file:
        file.write(_page(scores, preset, split, {name: headings[name] for name in figures}, said))
    return [folder / name for name in (VALUES, TABLE, *figures)]


def write_score_values(
    path: Path,
    scores: Mapping[str, PhaseScores],
    curves: Mapping[str, ScoreCurve],
    *,
    preset: str = "",
    split: str = "",
) -> None:
    """Write scores as JSON with sorted keys: those of each phase by its name, the rest beside.

    ``evaluation`` holds preset, split, rule, tolerance, thresholds and counts; ``curves`` the
    scores at many thresholds. What is not a number is None.
    """
    values: dict[str, Any] = {phase: score.to_dict() for phase, score in scores.items()}
    first = next(iter(scores.values()))
    counts = ("n_records", "n_events", "n_true", "n_pred", "n_matched")
    values["evaluation"] = {
        "preset": preset,
        "split": split,
        "rule": first.rule,
        "rule_in_words": first.tolerance.text,
        "tolerance_s": first.tolerance_s,
        "tolerance_samples": first.tolerance_samples,
        "thresholds": {phase: values[phase]["threshold"] for phase in scores},
        "counts": {phase: {name: values[phase][name] for name in counts} for phase in scores},
    }
    values["curves"] = {phase: curve.to_dict() for phase, curve in curves.items()}
    write_json(values, path, indent=2, allow_nan=False)


def _page(
    scores: Mapping[str, PhaseScores],
    preset: str,
    split: str,
    figures: Mapping[str, str],
    said: Sequence[str],
) -> str:
    name = ", ".join(part for part in (preset, split) if part) or "scores"
    details = [
        f"- {phase}: threshold {score.threshold:.2g}; {score.n_true} labels, {score.n_pred} picks, "
        f"{score.n_matched} matches in {score.n_records} records of {score.n_events} events; "
        f"{_noise(score)}"
        for phase, score in scores.items()
    ]
    pictures = [f"## {heading}\n\n![{heading}]({name})" for name, heading in figures.items()]
    parts = [f"# {name}", markdown_table({name: scores}).rstrip()]
    if has_intervals(scores.values()):
        parts.append("Intervals are 95 % bootstrap intervals by event.")
    notes = [f"{text}." for text in said]
    return "\n\n".join((*parts, "\n".join(details), *notes, *pictures)) + "\n"


def _noise(score: PhaseScores) -> str:
    between = "no record with an arrival"
    rate, hours = score.false_picks_per_hour_between, score.hours_between
    if hours >= LEAST_HOURS:
        between = f"{rate:.1f} false picks an hour between arrivals ({hours:.3g} hours)"
    elif hours:
        between = f"{counted_picks(rate, hours, ' false pick')} between arrivals"
    rate, hours = score.false_picks_per_hour, score.noise_hours
    if not hours:
        return f"{between}; no record without an arrival"
    if hours < LEAST_HOURS:
        return f"{between}; {counted_picks(rate, hours)} of records without one"
    return f"{between}; {rate:.1f} an hour in records without one ({hours:.3g} hours)"
