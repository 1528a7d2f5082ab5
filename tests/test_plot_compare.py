"""Figures of comparisons show what their tables say."""

from __future__ import annotations

from dataclasses import replace

import pytest
from training_runs import made

from phasenet_keras.plot_compare import plot_learning_curve, plot_losses, plot_scores
from phasenet_keras.training.comparison import ZERO_SHOT, Comparison
from phasenet_keras.training.learner import EpochReport
from phasenet_keras.types import ConfigError


def test_the_loss_of_a_single_epoch_is_drawn(tmp_path):
    history = (EpochReport(0, 1e-3, 0.5, 0.25, 0.0),)
    results = (made(ZERO_SHOT, 2), replace(made("finetune", 19), history=history))
    figure = plot_losses(Comparison(results, {"P": 0.01}, tmp_path))
    points = [line for line in figure.axes[0].lines if line.get_marker() == "."]
    assert [line.get_xydata().tolist() for line in points] == [[[0, 0.5]], [[0, 0.25]]]
    assert all(line.get_markersize() >= 3 for line in points)
    assert figure.axes[0].get_legend() is None  # it would lie on the lines
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["training", "validation"]


def test_each_column_of_losses_has_its_epochs_below(tmp_path):
    history = tuple(EpochReport(n, 1e-3, 0.5, 0.25, 0.0) for n in range(9))
    names = ("scratch", "finetune", "gradual", "freeze_encoder", "freeze_deepest")
    results = tuple(replace(made(name, 5), history=history) for name in names)
    figure = plot_losses(Comparison((made(ZERO_SHOT, 2), *results), {"P": 0.01}, tmp_path))
    figure.canvas.draw()
    shown = [any(t.get_visible() for t in a.get_xticklabels()) for a in figure.axes[:5]]
    assert shown == [False, True, True, True, True]


@pytest.mark.parametrize("plot", [plot_scores, plot_losses, plot_learning_curve])
@pytest.mark.parametrize("given", ["compared", None, [made("finetune", 1)]])
def test_what_is_no_comparison_is_not_drawn(plot, given):
    with pytest.raises(
        ConfigError, match=r"what is to be drawn is a Comparison, received .*: compare"
    ):
        plot(given)


def drawn_intervals(figure):
    """Return the ends of the first panel's grey lines, and its bands."""
    axis = figure.axes[0]
    lines = [tuple(line.get_xdata()) for line in axis.lines if line.get_color() == "#999999"]
    bands = [item.get_paths()[0].vertices for item in axis.collections if item.get_paths()]
    return lines, bands


@pytest.mark.parametrize(("n_events", "is_drawn"), [(20, True), (4, False)])
def test_figures_draw_the_intervals_that_the_tables_show(tmp_path, n_events, is_drawn):
    results = [made("finetune", 3 * n_events // 4, size, n_events) for size in (16, 64)]
    comparison = Comparison((made(ZERO_SHOT, 0, n=n_events), *results), {"P": 5 / 3000}, tmp_path)
    scores = plot_scores(comparison)
    assert scores.axes[0].get_xlabel() == "F1 of P, within 1.67 ms"
    [interval] = drawn_intervals(scores)[0] or [None]
    assert ("intervals" in scores.get_suptitle()) is is_drawn
    assert interval == (comparison.scores("finetune")["P"].f1_interval if is_drawn else None)
    curve = plot_learning_curve(comparison)
    bands = drawn_intervals(curve)[1]
    assert bool(bands) is is_drawn
    assert [len(curve.legends), curve.axes[-1].get_legend()] == [1, None]  # beside the curves
