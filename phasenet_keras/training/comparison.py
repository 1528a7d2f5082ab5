"""What the runs of a comparison came to, and what follows from them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from phasenet_keras.short_repr import ShortRepr
from phasenet_keras.training.difference import Difference, f1_difference
from phasenet_keras.training.label_offset import LabelOffset, constant_offset
from phasenet_keras.training.learner import EpochReport
from phasenet_keras.training.matching import tolerance_of
from phasenet_keras.training.neighbours import LEAST_BESIDE
from phasenet_keras.training.picked import RecordTimes
from phasenet_keras.training.score_table import with_interval
from phasenet_keras.training.scores import PhaseScores, RecordMatches, mean_f1, score_matches
from phasenet_keras.types import ConfigError, nearest_name

__all__ = ["RUNS", "ZERO_SHOT", "Comparison", "Run", "RunResult", "recommendation"]

ZERO_SHOT = "zero-shot"
# The folder of the runs, in that of a comparison.
RUNS = "runs"
# A smaller gain in F1 than this is no reason to label more records.
WORTH_LABELLING = 0.02
_mean_f1 = partial(mean_f1, without=0.0)


@dataclass(frozen=True, order=True)
class Run:
    """One training run of a comparison; ``n_records`` is the number of training records."""

    strategy: str
    n_records: int
    fold: int
    seed: int

    @property
    def name(self) -> str:
        """Return the name of its folder."""
        return f"{self.strategy}-n{self.n_records}-fold{self.fold}-seed{self.seed}"

    def folder_in(self, folder: Path) -> Path:
        """Return its folder in that of the comparison."""
        return folder / RUNS / self.name


@dataclass(frozen=True, repr=False)
class RunResult(ShortRepr):
    """What a run came to on its test records.

    Attributes:
        run: which it is.
        times: labels and picks of each test record in which the phase is known, by phase.
        history: of its epochs; empty for zero-shot.
        verdict: of its training, in a sentence.
        findings: of the doctor, one sentence each.
    """

    run: Run
    times: Mapping[str, tuple[RecordTimes, ...]]
    history: tuple[EpochReport, ...] = ()
    verdict: str = ""
    findings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunResult:
        """Build from the values of `to_dict`."""
        return cls(
            run=Run(**values["run"]),
            times={
                phase: tuple(
                    RecordTimes(row["event"], tuple(row["labels_s"]), tuple(row["picks_s"]))
                    for row in rows
                )
                for phase, rows in values["times"].items()
            },
            history=tuple(EpochReport(**report) for report in values["history"]),
            verdict=values["verdict"],
            findings=tuple(values["findings"]),
        )


@dataclass(frozen=True, repr=False)
class Comparison(ShortRepr):
    """All results, and what follows from them.

    Attributes:
        results: one a run.
        tolerances_s: greatest residual of a match, in seconds, by phase.
        folder: where ``compare`` put the runs and the command the tables: each run has a folder
            ``runs/<strategy>-n<records>-fold<k>-seed<s>``, which serves as a preset.
        neighbours: labels of the test records and what those learnt from tell of them without a
            look at a waveform, by phase; see `foretold`.

    Example:
        >>> comparison = compare(parent, read_dataset("set"), "compared")  # doctest: +SKIP
        >>> comparison.scores("finetune")["P"].f1  # doctest: +SKIP
        0.91
        >>> run = comparison.results[-1].run.folder_in(comparison.folder)  # doctest: +SKIP
        >>> Picker.from_preset(run)  # doctest: +SKIP
    """

    results: tuple[RunResult, ...]
    tolerances_s: Mapping[str, float]
    folder: Path
    neighbours: Mapping[str, tuple[RecordTimes, ...]] = field(default_factory=dict)
    _scored: dict[tuple[str, int], dict[str, list[PhaseScores]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def sizes(self) -> tuple[int, ...]:
        """Return the numbers of training records, ascending."""
        return tuple(sorted({r.run.n_records for r in self.results if r.run.n_records}))

    def scores(self, strategy: str, n_records: int | None = None) -> dict[str, PhaseScores]:
        """Return the scores of a strategy: all folds together, the median seed.

        Args:
            strategy: its name, or ``"zero-shot"``.
            n_records: number of training records, one of ``sizes``; None takes the largest.

        Raises:
            ConfigError: for a strategy or a number of records that was not compared.
        """
        scored = self.scores_by_seed(strategy, n_records)
        return {
            phase: sorted(scores, key=lambda score: score.f1)[(len(scores) - 1) // 2]
            for phase, scores in scored.items()
        }

    def scores_by_seed(
        self, strategy: str, n_records: int | None = None
    ) -> dict[str, list[PhaseScores]]:
        """Return the scores of every seed of a strategy, all folds together; see `scores`."""
        if strategy not in self.strategies:
            there = ", ".join(self.strategies)
            raise ConfigError(
                f"strategy {strategy!r} is not in this comparison, which has {there}."
                f"{nearest_name(strategy, self.strategies)}"
            )
        if n_records is not None and n_records not in (0, *self.sizes):
            there = ", ".join(map(str, self.sizes))
            raise ConfigError(f"{n_records!r} training records were not compared, but {there}")
        size = 0 if strategy == ZERO_SHOT else n_records or max(self.sizes)
        if (strategy, size) not in self._scored:  # each takes a thousand bootstrap samples
            scored: dict[str, list[PhaseScores]] = {}
            for phase, matches in self._matches(strategy, size).items():
                size_s = self.tolerances_s[phase]
                rule = tolerance_of(tolerance_s=size_s)
                scored[phase] = [score_matches(phase, m, size_s, tolerance=rule) for m in matches]
            self._scored[strategy, size] = scored
        return self._scored[strategy, size]

    def _matches(self, strategy: str, size: int) -> dict[str, list[list[RecordMatches]]]:
        """Return the matches of each record, by phase, for each seed in order.

        Not every fold has labels of every phase.
        """
        chosen = [r for r in self.results if r.run.strategy == strategy and r.run.n_records == size]
        seeds = sorted({result.run.seed for result in chosen})
        return {
            phase: [
                [
                    record.matches(self.tolerances_s[phase])
                    for result in chosen
                    if result.run.seed == seed
                    for record in result.times.get(phase, ())
                ]
                for seed in seeds
            ]
            for phase in sorted({phase for result in chosen for phase in result.times})
        }

    def neighbour_scores(self) -> dict[str, PhaseScores]:
        """Return the scores of `neighbours`; empty where no record has any."""
        found = {}
        for phase, rows in self.neighbours.items():
            size_s = self.tolerances_s[phase]
            found[phase] = score_matches(phase, [row.matches(size_s) for row in rows], size_s)
        return found

    def gains(self, strategy: str, over: str) -> tuple[Difference, ...]:
        """Return how much higher a strategy's F1 is than another's: of median seeds, as `scores`.

        Args:
            strategy: its name.
            over: name of the other one.

        Returns:
            A difference for each phase that has labels, drawn with the same events for both.

        Raises:
            ConfigError: for a strategy that was not compared.
        """
        sides = []
        for name in (strategy, over):
            median, scored = self.scores(name), self.scores_by_seed(name)
            matches = self._matches(name, 0 if name == ZERO_SHOT else max(self.sizes))
            sides.append({p: matches[p][scored[p].index(median[p])] for p in matches})
        ours, theirs = sides
        return tuple(
            f1_difference(phase, ours[phase], theirs[phase])
            for phase in ours
            if any(match.n_true for match in ours[phase])
        )

    def offsets(self) -> dict[str, LabelOffset]:
        """Return the phases whose picks, as they are, would be right if they were moved.

        By a constant time each, found in the test records; see `constant_offset`.
        """
        found = {}
        for phase, score in self.scores(ZERO_SHOT).items():
            as_it_is = [r.times for r in self.results if r.run.strategy == ZERO_SHOT]
            rows = [row for times in as_it_is for row in times.get(phase, ())]
            offset = constant_offset(score, rows, [score.tolerance_s] * len(rows))
            if offset:
                found[phase] = offset
        return found

    @property
    def strategies(self) -> tuple[str, ...]:
        """Return all strategies, zero-shot first, then in the order of their runs."""
        return tuple(dict.fromkeys(result.run.strategy for result in self.results))


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
