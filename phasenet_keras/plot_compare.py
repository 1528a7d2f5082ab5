"""Figures of a comparison: scores with intervals, loss curves, learning curves."""

from __future__ import annotations

import math
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.data.settings import checked_type
from phasenet_keras.plot import save_figure
from phasenet_keras.plot_style import color_of, tolerance_text, without_offsets
from phasenet_keras.training.comparison import ZERO_SHOT, Comparison
from phasenet_keras.training.score_table import shown_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_learning_curve", "plot_losses", "plot_scores", "save_comparison_figures"]

# Okabe-Ito, without the colours of P and S; strategies repeat them with other line styles.
STRATEGY_COLORS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#0072B2", "#D55E00")


def save_comparison_figures(comparison: Comparison, folder: str | PathLike[str]) -> list[Path]:
    """Save ``scores.png``, ``losses.png`` and, for several sizes, ``learning_curve.png``."""
    figures = {"scores": plot_scores(comparison), "losses": plot_losses(comparison)}
    if len(comparison.sizes) > 1:
        figures["learning_curve"] = plot_learning_curve(comparison)
    paths = []
    for name, figure in figures.items():
        paths.append(Path(folder) / f"{name}.png")
        save_figure(figure, paths[-1])
    return paths


def plot_scores(comparison: Comparison) -> Figure:
    """Draw the F1 of each strategy with its interval, a panel a phase."""
    from matplotlib.figure import Figure

    _check(comparison)
    names = list(comparison.strategies)
    scores = {name: comparison.scores(name) for name in names}
    phases = list(dict.fromkeys(phase for of_name in scores.values() for phase in of_name))
    figure: Figure = Figure(
        figsize=(1.5 + 4.0 * len(phases), 1.2 + 0.4 * len(names)), layout="constrained"
    )
    axes = figure.subplots(1, len(phases), sharey=True, squeeze=False)[0]
    has_intervals = False
    for axis, phase in zip(axes, phases, strict=True):
        for row, name in enumerate(names):
            score = scores[name].get(phase)
            if score is None:
                continue
            interval = shown_interval(score)
            if interval:
                axis.plot(interval, [row, row], color="#999999", linewidth=3, zorder=1)
                has_intervals = True
            axis.plot(score.f1, row, "o", color=color_of(phase), zorder=2)
            axis.annotate(
                f"{score.f1:.3f}", (score.f1, row), (0, 6), textcoords="offset points",
                ha="center", fontsize=8,
            )  # fmt: skip
        axis.set_yticks(range(len(names)), names)
        axis.set_ylim(len(names) - 0.5, -0.7)
        axis.set_xlim(-0.02, 1.04)
        axis.set_xlabel(f"F1 of {phase}, {tolerance_text(comparison.tolerances_s[phase])}")
        axis.grid(axis="x", color="#dddddd", linewidth=0.6)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    intervals = ", with 95 % intervals" if has_intervals else ""
    figure.suptitle(f"F1 on untouched records{intervals}", fontsize=11)
    return without_offsets(figure)


def plot_losses(comparison: Comparison) -> Figure:
    """Draw training and validation loss of every run with all records, a panel a strategy."""
    from matplotlib.figure import Figure

    _check(comparison)
    names = [name for name in comparison.strategies if name != ZERO_SHOT]
    n_columns = min(4, max(1, len(names)))
    n_rows = -(-len(names) // n_columns)
    figure: Figure = Figure(figsize=(3.2 * n_columns, 2.6 * n_rows + 0.4), layout="constrained")
    axes = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False).ravel()
    largest = max(comparison.sizes, default=0)
    for axis, name in zip(axes, names, strict=False):
        labels = {"train_loss": "training", "dev_loss": "validation"}
        for result in comparison.results:
            if result.run.strategy != name or result.run.n_records != largest:
                continue
            epochs = [report.epoch for report in result.history]
            for field, color in (("train_loss", "#999999"), ("dev_loss", "#000000")):
                values = [getattr(report, field) for report in result.history]
                label = labels.pop(field, None)
                # Of a single epoch there is no line.
                axis.plot(epochs, values, ".-", color=color, lw=0.9, ms=3, label=label)
        axis.set_yscale("log")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.set_title(name, fontsize=9)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[len(names) :]:
        axis.set_visible(False)
    for axis in axes[max(0, len(names) - n_columns) : len(names)]:
        axis.tick_params(labelbottom=True)  # also where there is no panel below
    if names:
        figure.legend(
            *axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=8,
            frameon=False,
        )  # fmt: skip
        figure.supxlabel("epoch", fontsize=9)
        figure.supylabel("loss (nats a sample)", fontsize=9)
    return without_offsets(figure)


def plot_learning_curve(comparison: Comparison) -> Figure:
    """Draw F1 against the number of training records, a panel a phase."""
    from matplotlib.figure import Figure

    _check(comparison)
    names = [name for name in comparison.strategies if name != ZERO_SHOT]
    phases = list(dict.fromkeys(p for name in names for p in comparison.scores(name)))
    figure: Figure = Figure(figsize=(2.4 + 4.5 * len(phases), 3.6), layout="constrained")
    axes = figure.subplots(1, len(phases), sharey=True, squeeze=False)[0]
    for axis, phase in zip(axes, phases, strict=True):
        for number, name in enumerate(names):
            sizes = [n for n in comparison.sizes if phase in comparison.scores(name, n)]
            scores = [comparison.scores(name, n)[phase] for n in sizes]
            color = STRATEGY_COLORS[number % len(STRATEGY_COLORS)]
            axis.plot(sizes, [s.f1 for s in scores], "o-", color=color, label=name, markersize=4)
            ends = [shown_interval(score) or (math.nan, math.nan) for score in scores]
            low, high = zip(*ends, strict=True)
            axis.fill_between(sizes, low, high, color=color, alpha=0.1, linewidth=0)
        axis.set_xscale("log", base=2)
        axis.set_xticks(comparison.sizes, [str(n) for n in comparison.sizes])
        axis.set_ylim(0, 1.02)
        within = tolerance_text(comparison.tolerances_s[phase])
        axis.set_title(f"{phase}, {within}", fontsize=10)
        axis.set_xlabel("labelled training records")
        axis.grid(color="#dddddd", linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("F1 on untouched records")
    figure.legend(
        *axes[-1].get_legend_handles_labels(), loc="outside right upper", fontsize=8, frameon=False
    )
    return without_offsets(figure)


def _check(given: object) -> None:
    hint = "compare gives one, also of a folder with its finished runs"
    checked_type(given, Comparison, "what is to be drawn", hint)
