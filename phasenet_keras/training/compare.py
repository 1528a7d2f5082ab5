"""Comparing strategies: every one on the same untouched records, with intervals.

Each run (strategy, fold, seed, number of training records) has a folder of its own and is not run
again when its result is there. Picks are scored on test records that neither trained the network
nor chose its epoch or thresholds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any

from phasenet_keras.io.tables import beside_then_rename
from phasenet_keras.models.phasenet import PhaseNet
from phasenet_keras.picking.picker import Picker
from phasenet_keras.training.claim import claim, parent_facts, records_digest
from phasenet_keras.training.config import TrainConfig
from phasenet_keras.training.evaluate import (
    PhaseScores,
    RecordMatches,
    match_picks,
    pick_records,
    score_matches,
)
from phasenet_keras.training.folds import fold_splits, spread
from phasenet_keras.training.picked import event_of, picks_of
from phasenet_keras.training.score_table import with_interval
from phasenet_keras.training.train import CONFIG, EpochReport, train
from phasenet_keras.training.transfer import STRATEGIES, TransferStrategy, strategy_of
from phasenet_keras.types import ConfigError, LabelledWaveform

__all__ = ["ZERO_SHOT", "Comparison", "Run", "RunResult", "compare", "recommendation"]

ZERO_SHOT = "zero-shot"
RESULT, TABLE = "result.json", "comparison.json"
# A smaller gain in F1 than this is no reason to label more records.
WORTH_LABELLING = 0.02


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


@dataclass(frozen=True)
class RecordTimes:
    """Labels and picks of one phase in one test record, in seconds from its first sample."""

    event: str
    labels_s: tuple[float, ...]
    picks_s: tuple[float, ...]

    def matches(self, tolerance_s: float) -> RecordMatches:
        """Match picks and labels within a tolerance."""
        pairs = match_picks(self.picks_s, self.labels_s, tolerance_s)
        residuals = tuple(self.picks_s[pick] - self.labels_s[label] for pick, label in pairs)
        return RecordMatches(len(self.labels_s), len(self.picks_s), residuals, self.event)


@dataclass(frozen=True)
class RunResult:
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


@dataclass(frozen=True)
class Comparison:
    """All results, and what follows from them.

    Attributes:
        results: one a run.
        tolerances_s: greatest residual of a match, in seconds, by phase.
        folder: where runs and tables are.
    """

    results: tuple[RunResult, ...]
    tolerances_s: Mapping[str, float]
    folder: Path
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
            n_records: number of training records; None takes the largest.
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
        size = 0 if strategy == ZERO_SHOT else n_records or max(self.sizes)
        if (strategy, size) not in self._scored:  # each takes a thousand bootstrap samples
            self._scored[strategy, size] = self._score(strategy, size)
        return self._scored[strategy, size]

    def _score(self, strategy: str, size: int) -> dict[str, list[PhaseScores]]:
        chosen = [r for r in self.results if r.run.strategy == strategy and r.run.n_records == size]
        found: dict[str, list[PhaseScores]] = {}
        for phase in chosen[0].times if chosen else ():
            tolerance_s = self.tolerances_s[phase]
            for seed in sorted({result.run.seed for result in chosen}):
                times = [t for r in chosen if r.run.seed == seed for t in r.times[phase]]
                matches = [record.matches(tolerance_s) for record in times]
                found.setdefault(phase, []).append(score_matches(phase, matches, tolerance_s))
        return found

    @property
    def strategies(self) -> tuple[str, ...]:
        """Return all strategies, zero-shot first, then in the order of their runs."""
        return tuple(dict.fromkeys(result.run.strategy for result in self.results))


def compare(
    parent: PhaseNet,
    records: Sequence[LabelledWaveform],
    folder: str | PathLike[str],
    *,
    strategies: Sequence[str] = tuple(STRATEGIES),
    folds: int = 1,
    seeds: Sequence[int] = (0,),
    sizes: Sequence[int] = (),
    config: TrainConfig | None = None,
    tolerance_samples: float | Mapping[str, float] | None = None,
    on_run: Callable[[Run, int, int], None] | None = None,
) -> Comparison:
    """Train by every strategy and score each on the same untouched records.

    Args:
        parent: the network to start from, loaded with ``rebalance=True``.
        records: a data set with splits. With one fold its own test records are the untouched
            ones; with more, each record is a test record once, and its groups stay together.
        folder: for runs and results. Runs that are finished there are not run again.
        strategies: names or JSON; zero-shot is always scored.
        folds: number of folds.
        seeds: of the training; scores are those of the median seed.
        sizes: numbers of training records for a learning curve; all are always run, too.
        config: of every run.
        tolerance_samples: greatest residual of a match, one for all or by phase; None takes the
            configuration's. It scores only: other tolerances need no new runs.
        on_run: called before each run that is not finished, with its number and how many there are.

    Returns:
        The results of all runs.

    Raises:
        ConfigError: for an unknown strategy, no test records, or a folder of other settings,
            records or parent.
    """
    parts = fold_splits(records, folds)
    # As `train` would settle it: the records of a test have no part in it.
    config = (config or TrainConfig()).settled(parts[0]["train"], parts[0]["dev"])
    folder = Path(folder)
    rate = records[0].waveform.sampling_rate if records else 1.0
    if tolerance_samples is None:
        tolerance_samples = config.tolerance_samples
    tolerances_s = _tolerances(tolerance_samples, parent, rate)
    plans = {strategy_of(item).name: strategy_of(item) for item in strategies}
    settings = {
        "config": {k: v for k, v in config.to_dict().items() if k != "seed"},
        **parent_facts(parent),
        "records": records_digest(records),
        "folds": folds,
    }
    claim(folder / "settings.json", settings, "a comparison")
    todo = list(_runs(parts, tuple(plans), seeds, sizes))
    results = []
    for number, run in enumerate(todo):
        plan = plans.get(run.strategy)
        place = folder / "runs" / run.name
        result = _finished(place, plan)
        if result is None:
            if on_run:
                on_run(run, number, len(todo))
            result = _result(run, parent, plan, parts[run.fold], place, config)
            place.mkdir(parents=True, exist_ok=True)
            with beside_then_rename(place / RESULT) as file:
                json.dump(result.to_dict(), file)
        results.append(result)
    return Comparison(tuple(results), tolerances_s, folder)


def recommendation(comparison: Comparison) -> str:
    """Say in two sentences which strategy to take, and if more labels would help.

    The first compares the best strategy with the network as it was and with training from
    scratch; the second compares the largest number of training records with the next smaller.
    """
    names = [name for name in comparison.strategies if name != ZERO_SHOT]
    best = max(names, key=lambda name: _mean_f1(comparison.scores(name)))
    said = [f"Take {best}: {_phrase(comparison.scores(best))}"]
    others = [name for name in (ZERO_SHOT, "scratch") if name in comparison.strategies]
    rivals = [f"{name} {_phrase(comparison.scores(name))}" for name in others if name != best]
    if _mean_f1(comparison.scores(ZERO_SHOT)) >= _mean_f1(comparison.scores(best)):
        said = [f"Keep the network as it is: no strategy beat it; {best} came nearest"]
    text = said[0] + (f" (against {'; '.join(rivals)})." if rivals else ".")
    equals = [
        name
        for name in names
        if name != best and _overlap(comparison.scores(name), comparison.scores(best))
    ]
    if equals:
        text += f" Within its interval: {', '.join(equals)}."
    return text + _label_more(comparison, best)


def _label_more(comparison: Comparison, best: str) -> str:
    sizes = [n for n in comparison.sizes if comparison.scores(best, n)]
    if len(sizes) < 2:
        return ""
    few, many = sizes[-2:]
    gain = _mean_f1(comparison.scores(best, many)) - _mean_f1(comparison.scores(best, few))
    change = f"from {few} to {many} training records the mean F1 changed by {gain:+.3f}"
    if gain > WORTH_LABELLING:
        return f" Label more: {change}."
    return f" Stop labelling records of this kind: {change}."


def _mean_f1(scores: Mapping[str, PhaseScores]) -> float:
    values = [score.f1 for score in scores.values() if score.n_true]
    return sum(values) / len(values) if values else 0.0


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


def _runs(
    parts: Sequence[Mapping[str, Sequence[LabelledWaveform]]],
    strategies: Sequence[str],
    seeds: Sequence[int],
    sizes: Sequence[int],
) -> Iterator[Run]:
    most = min(len(part["train"]) for part in parts)
    wanted = sorted({int(n) for n in sizes if n < most} | {most})
    for fold in range(len(parts)):
        yield Run(ZERO_SHOT, 0, fold, 0)
    for strategy in strategies:
        for n_records in reversed(wanted):
            for seed in seeds:
                for fold in range(len(parts)):
                    yield Run(strategy, n_records, fold, seed)


def _tolerances(
    samples: float | Mapping[str, float], parent: PhaseNet, rate: float
) -> dict[str, float]:
    phases = parent.config.phases[1:]
    by_phase = samples if isinstance(samples, Mapping) else dict.fromkeys(phases, samples)
    if set(by_phase) != set(phases):
        raise ConfigError(f"a tolerance for each of {', '.join(phases)}, received {by_phase}")
    return {phase: by_phase[phase] / rate for phase in phases}


def _picked(run: Run, net: PhaseNet, records: Sequence[LabelledWaveform]) -> RunResult:
    # Reinterpreted, as in training: the samples as they are, whatever the preset's rate.
    picker = Picker(net, sampling="reinterpret")
    times: dict[str, list[RecordTimes]] = {}
    for picked in pick_records(picker, records):
        record, wave = picked.record, picked.record.waveform
        for phase in sorted(set(record.arrivals) & set(picker.thresholds)):
            picks = picks_of(picked, phase, picker.thresholds[phase])
            found = tuple(pick.time - wave.start_time for pick in picks)
            labels = tuple(sample / wave.sampling_rate for sample in record.arrivals[phase])
            times.setdefault(phase, []).append(RecordTimes(event_of(record), labels, found))
    return RunResult(run, {phase: tuple(rows) for phase, rows in sorted(times.items())})


def _result(
    run: Run,
    parent: PhaseNet,
    plan: TransferStrategy | None,
    splits: Mapping[str, Sequence[LabelledWaveform]],
    place: Path,
    config: TrainConfig,
) -> RunResult:
    """Train by a plan, if there is one, and pick the test records."""
    if plan is None:
        return _picked(run, parent, splits["test"])
    trained = train(
        parent,
        spread(splits["train"], run.n_records),
        splits["dev"],
        place,
        strategy=plan,
        config=replace(config, seed=run.seed),
    )
    return replace(
        _picked(run, trained.net, splits["test"]),
        history=trained.history,
        verdict=trained.verdict,
        findings=tuple(f"{item.name}: {item.text}" for item in trained.findings),
    )


def _finished(place: Path, strategy: TransferStrategy | None) -> RunResult | None:
    """Return the result of a finished run; None if there is none, or of another strategy."""
    try:
        if strategy is not None:
            ran = json.loads((place / CONFIG).read_text(encoding="utf-8"))
            if strategy_of(ran["strategy"]) != strategy:
                return None  # of the same name: training there will be refused
        values = json.loads((place / RESULT).read_text(encoding="utf-8"))
        return RunResult.from_dict(values)
    except (OSError, ValueError, KeyError, TypeError):
        return None
