"""Figures of scores: residuals, precision against recall, the worst records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from phasenet_keras.data.settings import checked_items, checked_table
from phasenet_keras.io.times import residual_unit, seconds_after, unit_of_span
from phasenet_keras.picking.table_picker import TablePicker
from phasenet_keras.plot import View, draw_channels, draw_probabilities
from phasenet_keras.plot_style import color_of, plain, shortened, tolerance_text, without_offsets
from phasenet_keras.training.checks_data import name_of
from phasenet_keras.training.demands import check_picker
from phasenet_keras.training.picked import RecordErrors
from phasenet_keras.training.score_table import mean_and_std, unit_of_scores
from phasenet_keras.training.scores import PhaseScores, ScoreCurve
from phasenet_keras.types import Annotation, ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from phasenet_keras.picking.picker import Picker

__all__ = ["plot_curves", "plot_residuals", "plot_worst"]

GRID_COLOR, MARK_COLOR = "#dddddd", "#777777"
# Odd, so that the middle one is around zero.
HISTOGRAM_BINS = 61
# Drawn on the precision-recall plane.
EQUAL_F1 = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
# Of the axis; shorter ones are corners.
SHORTEST_LINE = 0.05
MAX_NAME = 40
# A view reaches this far beyond arrivals and picks: a share of what they span, at least so many
# tolerances.
VIEW_SHARE, VIEW_TOLERANCES = 0.25, 15.0


def plot_residuals(
    residuals_s: Mapping[str, Sequence[float]], scores: Mapping[str, PhaseScores]
) -> Figure:
    """Draw a histogram of residuals for each phase, with the tolerance and mean ± std.

    Args:
        residuals_s: pick minus label in seconds, by phase, also beyond the tolerance:
            `phasenet_keras.training.picked.residuals_by_phase`.
        scores: of the same records; they give the tolerance and the statistics.

    Returns:
        A Matplotlib figure, not shown; one panel a phase.

    Raises:
        ConfigError: for what are no residuals and scores by phase, or none.
    """
    from matplotlib.figure import Figure

    checked_table(residuals_s, object, "residuals", "residuals_by_phase gives such")
    _check(scores)
    figure: Figure = Figure(figsize=(0.6 + 4.6 * len(scores), 3.6), layout="constrained")
    axes = figure.subplots(1, len(scores), squeeze=False)[0]
    for axis, (phase, score) in zip(axes, scores.items(), strict=True):
        values_s = np.asarray(residuals_s.get(phase, ()), float)
        reach_s = 1.05 * np.abs(values_s).max(initial=0.0)
        if not 0.0 < reach_s < score.tolerance_s / HISTOGRAM_BINS:  # else all were in one bar
            reach_s = max(1.3 * score.tolerance_s, reach_s) or 1.0
        unit = residual_unit(reach_s)
        values, reach, tolerance = (unit.per_s * s for s in (values_s, reach_s, score.tolerance_s))
        axis.hist(values, HISTOGRAM_BINS, range=(-reach, reach), color=color_of(phase))
        axis.axvspan(-tolerance, tolerance, color="#000000", alpha=0.06, linewidth=0, zorder=0)
        for side in (-tolerance, tolerance):
            axis.axvline(side, color=MARK_COLOR, linewidth=1.0, linestyle="--")
        if not math.isnan(score.residual_mean_s):
            mean, std = unit.per_s * score.residual_mean_s, unit.per_s * score.residual_std_s
            top = axis.get_ylim()[1]
            axis.errorbar(mean, 1.06 * top, xerr=std, fmt="o", color="black", capsize=4)
            axis.set_ylim(0, 1.14 * top)
            small = unit_of_scores([score])
            text = f"mean {mean_and_std(score, small)} {small.symbol}, "
            text += f"MAE {small.per_s * score.mae_s:.2f} {small.symbol}"
        else:
            axis.set_ylim(0, 1)
            text = "no pick near a label"
        within = tolerance_text(score.tolerance_s)
        found = f"{score.n_matched} of {score.n_true} labels found {within}"
        axis.set_title(f"{phase}: {found}\n{text}", fontsize=10)
        axis.set_xlim(-reach, reach)
        axis.locator_params(axis="x", nbins=7)
        axis.yaxis.get_major_locator().set_params(integer=True)
        ends = "dashed: tolerance" if tolerance <= reach else "the tolerance is beyond the view"
        axis.set_xlabel(f"pick minus label ({unit.symbol}); {ends}")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("picks")
    return without_offsets(figure)


def plot_curves(curves: Mapping[str, ScoreCurve], scores: Mapping[str, PhaseScores]) -> Figure:
    """Draw precision against recall for each phase, with the threshold that is used.

    Args:
        curves: by phase.
        scores: by phase, at the thresholds that are used.

    Returns:
        A Matplotlib figure, not shown, of one panel.

    Raises:
        ConfigError: for what are no curves and scores by phase.
    """
    from matplotlib.figure import Figure

    checked_table(curves, ScoreCurve, "curves", "score_curves gives such")
    _check(scores)
    figure: Figure = Figure(figsize=(6.2, 5.8), layout="constrained")
    axis: Axes = figure.subplots()
    shown = []
    for row, (phase, curve) in enumerate(curves.items()):
        # Without labels there is no recall; without picks, no precision.
        points = [
            (curve.recall[n], curve.precision[n], curve.thresholds[n])
            for n in range(len(curve.thresholds))
            if curve.n_true and curve.n_pred[n]
        ]
        shown += [point[:2] for point in points]
        if not points:
            continue
        recall, precision, thresholds = zip(*points, strict=True)
        color = color_of(phase)
        # Of phases that score alike the first must be seen behind the next.
        width, size = (2.0, 14) if row == 0 else (1.2, 9)
        axis.plot(recall, precision, ".-", color=color, ms=5, linewidth=width, clip_on=False)
        for end in dict.fromkeys((0, len(points) - 1)):
            # Below the line, clear of the frame, the marks, and the numbers of other phases.
            offset = (0, -15 - 10 * row)
            at = recall[end], precision[end]
            _note(axis, at, f"{thresholds[end]:g}", color, offset, ha="center")
        score = scores.get(phase)
        if score is None or not score.n_pred:
            continue
        shown.append((score.recall, score.precision))
        axis.plot(
            score.recall,
            score.precision,
            "o",
            markersize=size,
            markerfacecolor="white",
            markeredgewidth=2.0,
            color=color,
            clip_on=False,
            label=f"{phase} at the threshold used, {score.threshold:.2g}: F1 {score.f1:.3f}",
        )
    _draw_equal_f1(axis, shown)
    axis.set_xlabel("recall")
    axis.set_ylabel("precision")
    axis.set_title("Precision and recall; the numbers are thresholds", fontsize=10)
    if axis.get_legend_handles_labels()[0]:
        figure.legend(loc="outside lower center", fontsize=9, edgecolor="none")
    axis.spines[["top", "right"]].set_visible(False)
    return without_offsets(figure)


def plot_worst(
    errors: Sequence[RecordErrors],
    scores: Mapping[str, PhaseScores],
    picker: Picker | TablePicker,
) -> Figure:
    """Draw records with their probabilities, labels and picks, two panels each.

    Picks of a table have no probabilities between them: there is one panel.

    Args:
        errors: of `phasenet_keras.training.picked.worst_records`; one or more.
        scores: they give thresholds and tolerances.
        picker: gives the probabilities.

    Returns:
        A Matplotlib figure, not shown.

    Raises:
        ConfigError: for no records with their errors, no scores by phase, or no picker.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    errors = checked_items(errors, RecordErrors, "records to be drawn", "worst_records gives such")
    if not errors:
        raise ConfigError("there are no records to be drawn")
    _check(scores)
    check_picker(picker)
    n_columns = 2 if len(errors) > 1 else 1
    n_rows = -(-len(errors) // n_columns)
    figure: Figure = Figure(figsize=(6.4 * n_columns, 3.0 * n_rows + 0.5), layout="constrained")
    annotate = None if isinstance(picker, TablePicker) else picker.annotate
    heights = (3, 2) if annotate else (1,)
    parts: Any = figure.subfigures(n_rows, n_columns, squeeze=False).ravel()
    for part, error in zip(parts, errors, strict=False):
        axes = part.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)
        axes = axes.ravel()
        view = _view(error, scores)
        draw_channels(axes[0], error.picked.record.waveform, view)
        if annotate:
            _draw_probabilities(axes[1], annotate(error.picked.record.waveform), view, scores)
        _draw_arrivals(axes, error, scores, view)
        name = shortened(name_of(error.picked.record), MAX_NAME)
        axes[0].set_title(plain(f"{name}: {error.text}"), fontsize=9, loc="left", pad=9)
        axes[-1].set_xlabel(view.label, fontsize=8)
        axes[-1].set_xlim(*view.limits)
    styles: list[Line2D] = []
    for phase in scores:
        color = color_of(phase)
        if any(error.picked.record.arrivals.get(phase) for error in errors):
            label = f"{phase} label"
            styles.append(Line2D([], [], color=color, linewidth=5, alpha=0.35, label=label))
        if any(pick.phase == phase for error in errors for pick in error.picked.picks):
            marks: dict[str, Any] = {"linewidth": 1.3, "linestyle": "--", "marker": "v"}
            styles.append(Line2D([], [], color=color, label=f"{phase} pick", **marks))
    if annotate:
        styles.append(Line2D([], [], color=MARK_COLOR, linestyle=":", label="threshold"))
    figure.legend(handles=styles, loc="outside lower center", ncols=len(styles), fontsize=9)
    return without_offsets(figure)


def _draw_probabilities(
    axis: Axes, parts: Sequence[Annotation], view: View, scores: Mapping[str, PhaseScores]
) -> None:
    draw_probabilities(axis, parts, view, scores)
    for threshold in {score.threshold for score in scores.values()}:
        axis.axhline(threshold, color=MARK_COLOR, linewidth=0.9, linestyle=":")
    axis.set_ylabel("probability", fontsize=8)
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)


def _check(scores: Mapping[str, PhaseScores]) -> None:
    checked_table(scores, PhaseScores, "scores", "evaluate gives such")
    if not scores:
        raise ConfigError("there are no scores to be drawn: no phase was labelled in a record")


def _view(error: RecordErrors, scores: Mapping[str, PhaseScores]) -> View:
    """Return what is shown of a record: all labels and picks, and some beside them."""
    wave = error.picked.record.waveform
    times = [seconds_after(pick.time, wave.start_time) for pick in error.picked.picks]
    for phase in scores:
        times += [s / wave.sampling_rate for s in error.picked.record.arrivals.get(phase, ())]
    left, right = 0.0, wave.duration_s
    if times:
        widest = max(score.tolerance.at(wave.sampling_rate) for score in scores.values())
        margin = max(VIEW_SHARE * (max(times) - min(times)), VIEW_TOLERANCES * widest)
        left, right = max(left, min(times) - margin), min(right, max(times) + margin)
    if not right > left:
        left, right = 0.0, wave.duration_s
    return View(wave.start_time, left, right, unit_of_span(right - left))


def _draw_arrivals(
    axes: Sequence[Axes], error: RecordErrors, scores: Mapping[str, PhaseScores], view: View
) -> None:
    """Draw labels as bands as wide as the tolerance if they end in view, picks as dashed lines."""
    wave = error.picked.record.waveform
    left, right = view.limits
    per_s = view.unit.per_s
    for phase, score in scores.items():
        color, reach = color_of(phase), per_s * score.tolerance.at(wave.sampling_rate)
        samples = error.picked.record.arrivals.get(phase, ())
        labels = [per_s * sample / wave.sampling_rate for sample in samples]
        picks = [view.place(pick.time) for pick in error.picked.picks if pick.phase == phase]
        for axis in axes:
            for time in labels:
                if left < time - reach or time + reach < right:
                    axis.axvspan(time - reach, time + reach, color=color, alpha=0.25, linewidth=0)
                axis.axvline(time, color=color, linewidth=2.5, alpha=0.35)
            for time in picks:
                axis.axvline(time, color=color, linewidth=1.2, linestyle="--")
        if not picks:  # an empty line that is not clipped has no extent and upsets the layout
            continue
        axes[0].plot(
            picks,
            [1.0] * len(picks),
            "v",
            color=color,
            markersize=6,
            transform=axes[0].get_xaxis_transform(),
            clip_on=False,
        )


def _draw_equal_f1(axis: Axes, shown: Sequence[tuple[float, float]]) -> None:
    """Set the limits to what is shown, alike on both axes, and draw lines of equal F1."""
    least = min((min(point) for point in shown), default=0.0)
    low = max(0.0, math.floor(20 * least - 0.5) / 20)
    for f1 in EQUAL_F1:
        first = max(low, f1 / (2 - f1))  # precision is 1 there, or it is the left edge
        last = f1 * first / (2 * first - f1)  # the line is its own mirror image
        if last - first < SHORTEST_LINE * (1.0 - low):
            continue
        recall = np.linspace(first, last, 400)
        precision = f1 * recall / (2 * recall - f1)
        axis.plot(recall, precision, color=GRID_COLOR, linewidth=0.8, zorder=0)
        offset = (10, -3) if last > 1 - 1e-9 else (3, 4)
        _note(axis, (last, precision[-1]), f"F1 {f1:g}", MARK_COLOR, offset)
    high = 1.0 + 0.02 * (1.0 - low)
    axis.set_xlim(low, high)
    axis.set_ylim(low, high)


def _note(
    axis: Axes,
    at: tuple[float, float],
    text: str,
    color: str,
    offset: tuple[float, float],
    ha: str = "left",
) -> None:
    axis.annotate(text, at, offset, textcoords="offset points", color=color, fontsize=8, ha=ha)
