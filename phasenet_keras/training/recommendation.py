"""What follows from a comparison, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from phasenet_keras.io.times import residual_unit
from phasenet_keras.training.comparison import ZERO_SHOT, Comparison
from phasenet_keras.training.label_offset import LabelOffset
from phasenet_keras.training.neighbours import LEAST_BESIDE
from phasenet_keras.training.score_table import with_interval
from phasenet_keras.training.scores import PhaseScores, mean_f1
from phasenet_keras.training.triggers import TRIGGER

__all__ = ["recommendation"]

# A smaller gain in F1 than this is no reason to label more records.
WORTH_LABELLING = 0.02
_mean_f1 = partial(mean_f1, without=0.0)


def recommendation(
    comparison: Comparison, command: str = "phasenet-keras train RECORDS --output RUN"
) -> str:
    """Say which strategy to take, if more labels would help, and where the picker lies.

    The first sentences compare the best strategy with the network as it was and with training from
    scratch, on the same events; another compares the largest number of training records with the
    next smaller.

    Args:
        comparison: of which.
        command: that trains as the runs did; it is named, where there were folds, with the strategy
            and ``--all-records``.
    """
    names = [name for name in comparison.strategies if name != ZERO_SHOT]
    best = max(names, key=lambda name: _mean_f1(comparison.scores(name)))
    score, before = _mean_f1(comparison.scores(best)), _mean_f1(comparison.scores(ZERO_SHOT))
    offsets = comparison.offsets()
    is_beaten = score > max(before, _moved_f1(comparison, offsets))
    if is_beaten:
        text = f"Take {best}: {_phrase(comparison.scores(best))}"
    elif score <= before:
        text = f"Keep the network as it is: no strategy beat it; {best} came nearest"
    else:
        text = f"Keep the network as it is and move its picks: no strategy beats that; {best}: "
        text += _phrase(comparison.scores(best))
    others = [name for name in (ZERO_SHOT, "scratch") if name in comparison.strategies]
    rivals = [f"{name} {_phrase(comparison.scores(name))}" for name in others if name != best]
    text += f" (against {'; '.join(rivals)})." if rivals else "."
    for name in others:
        if name != best:
            gains = ", ".join(gain.text for gain in comparison.gains(best, name))
            text += f" F1 of {best} less that of {name}: {gains}."
    for offset in offsets.values():
        text += f" Of zero-shot, {offset.text}."
    text += _of_trigger(comparison, comparison.scores(best))
    told = comparison.neighbour_scores()
    if _mean_f1(told) >= max(score, LEAST_BESIDE):
        text += (
            f" The labels of neighbouring records alone, without a look at a waveform, come to "
            f"{_phrase(told)}: test records of another shot or event, named in a column 'event', "
            "would say more of a network."
        )
    equals = [
        name
        for name in names
        if name != best and _overlap(comparison.scores(name), comparison.scores(best))
    ]
    if equals:
        text += f" Within its interval: {', '.join(equals)}."
    text += _label_more(comparison, best)
    return text + (_where(comparison, best, command) if is_beaten else "")


def _of_trigger(comparison: Comparison, best: Mapping[str, PhaseScores]) -> str:
    """Say what a trigger comes to beside the best strategy, as it is and moved."""
    text, offsets = "", comparison.trigger_offsets()
    for phase, score in comparison.trigger_scores().items():
        text += f" {TRIGGER}, fitted to the same records: {_phrase({phase: score})}"
        f1 = score.f1
        if phase in offsets:
            by_s, f1 = -offsets[phase].offset_s, offsets[phase].f1_moved
            unit = residual_unit(abs(by_s))
            text += f", with its picks moved by {unit.per_s * by_s:+.3g} {unit.symbol} {f1:.3f}"
        text += "; no network here finds more." if f1 > best[phase].f1 else "."
    return text


def _moved_f1(comparison: Comparison, offsets: Mapping[str, LabelOffset]) -> float:
    """Return the mean F1 of zero-shot, with its picks moved where that is worth saying."""
    scores = comparison.scores(ZERO_SHOT)
    moved = {
        p: offsets[p].f1_moved if p in offsets else s.f1 for p, s in scores.items() if s.n_true
    }
    return float(np.mean([*moved.values()])) if moved else 0.0


def _where(comparison: Comparison, best: str, command: str) -> str:
    """Say where the picker of a strategy lies, or with folds how to make one."""
    runs = sorted(
        result.run
        for result in comparison.results
        if result.run.strategy == best and result.run.n_records == comparison.sizes[-1]
    )
    if len({run.fold for run in runs}) > 1:
        return (
            " Each fold's network has learnt from a part of the records; "
            f"`{command} --strategy {best} --all-records` makes one of all."
        )
    return f" Its picker: --preset {runs[0].folder_in(comparison.folder)}."


def _label_more(comparison: Comparison, best: str) -> str:
    sizes = [n for n in comparison.sizes if comparison.scores(best, n)]
    if len(sizes) < 2:
        return ""
    few, many = sizes[-2:]
    gain = _mean_f1(comparison.scores(best, many)) - _mean_f1(comparison.scores(best, few))
    change = f"from {few} to {many} training records the mean F1 changed by {gain:+.3f}"
    if gain > WORTH_LABELLING:
        return f" Label more: {change}."
    if _mean_f1(comparison.scores(best, many)) <= _mean_f1(comparison.scores(ZERO_SHOT)):
        return f" If more labels help is not known, for training beats nothing yet: {change}."
    if _ends_early(comparison, best, (few, many)):
        return (
            f" Train longer before you judge: validation F1 rose to the end of the runs; {change}."
        )
    return f" Stop labelling records of this kind: {change}."


def _ends_early(comparison: Comparison, strategy: str, sizes: Sequence[int]) -> bool:
    """Tell if most runs ended at their highest validation F1, below 1, and higher than before."""
    rising = []
    for result in comparison.results:
        if result.run.strategy == strategy and result.run.n_records in sizes and result.history:
            *before, last = [report.dev_f1 for report in result.history]
            rising.append(last < 1.0 and all(last > f1 for f1 in before))
    return 2 * sum(rising) > len(rising)


def _phrase(scores: Mapping[str, PhaseScores]) -> str:
    return ", ".join(
        f"{phase} F1 {with_interval(score)}" for phase, score in scores.items() if score.n_true
    )


def _overlap(one: Mapping[str, PhaseScores], best: Mapping[str, PhaseScores]) -> bool:
    return all(one[phase].f1 >= _low_end(best[phase]) for phase in best if phase in one)


def _low_end(score: PhaseScores) -> float:
    """Return the lower end of the interval of F1; F1 itself where there is none."""
    low = score.f1_interval[0]
    return score.f1 if math.isnan(low) else low
