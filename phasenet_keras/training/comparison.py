"""What the runs of a comparison came to, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from phasenet_keras.short_repr import ShortRepr
from phasenet_keras.training.difference import Difference, f1_difference
from phasenet_keras.training.label_offset import LabelOffset, constant_offset
from phasenet_keras.training.learner import EpochReport
from phasenet_keras.training.matching import tolerance_of
from phasenet_keras.training.picked import RecordTimes
from phasenet_keras.training.scores import PhaseScores, RecordMatches, score_matches
from phasenet_keras.training.triggers import TRIGGER
from phasenet_keras.types import ConfigError, nearest_name

__all__ = ["RUNS", "ZERO_SHOT", "Comparison", "Run", "RunResult"]

ZERO_SHOT = "zero-shot"
# The folder of the runs, in that of a comparison.
RUNS = "runs"


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
        triggered: labels of the test records and picks of the trigger that does best on those
            learnt from, by phase; see `fitted_trigger`.

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
    triggered: Mapping[str, tuple[RecordTimes, ...]] = field(default_factory=dict)
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
        return self._scores_of(self.neighbours)

    def trigger_scores(self) -> dict[str, PhaseScores]:
        """Return the scores of `triggered`; empty where no trigger could be fitted."""
        return self._scores_of(self.triggered)

    @property
    def rows(self) -> dict[str, dict[str, PhaseScores]]:
        """Return the scores of all that was compared by name, a trigger first."""
        trigger = {TRIGGER: self.trigger_scores()} if self.triggered else {}
        return trigger | {name: self.scores(name) for name in self.strategies}

    def _scores_of(self, times: Mapping[str, Sequence[RecordTimes]]) -> dict[str, PhaseScores]:
        found = {}
        for phase, rows in times.items():
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
        times: dict[str, list[RecordTimes]] = {}
        for result in self.results:
            if result.run.strategy == ZERO_SHOT:
                for phase, rows in result.times.items():
                    times.setdefault(phase, []).extend(rows)
        return _offsets(self.scores(ZERO_SHOT), times)

    def trigger_offsets(self) -> dict[str, LabelOffset]:
        """Return the same as `offsets` of `triggered`."""
        return _offsets(self.trigger_scores(), self.triggered)

    @property
    def strategies(self) -> tuple[str, ...]:
        """Return all strategies, zero-shot first, then in the order of their runs."""
        return tuple(dict.fromkeys(result.run.strategy for result in self.results))


def _offsets(
    scores: Mapping[str, PhaseScores], times: Mapping[str, Sequence[RecordTimes]]
) -> dict[str, LabelOffset]:
    found = {}
    for phase, score in scores.items():
        rows = times.get(phase, ())
        if offset := constant_offset(score, rows, [score.tolerance_s] * len(rows)):
            found[phase] = offset
    return found
