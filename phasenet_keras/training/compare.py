"""Comparing strategies: every one on the same untouched records, with intervals.

Each run (strategy, fold, seed, number of training records) has a folder of its own and is not run
again when its result is there. Picks are scored on test records that neither trained the network
nor chose its epoch or thresholds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from statistics import median
from typing import Any

from phasenet_keras.io.tables import beside_then_rename
from phasenet_keras.models.phasenet import PhaseNet
from phasenet_keras.picking.picker import Picker
from phasenet_keras.training.config import TrainConfig
from phasenet_keras.training.evaluate import (
    PhaseScores,
    RecordMatches,
    matches_by_phase,
    score_matches,
)
from phasenet_keras.training.folds import fold_splits, spread
from phasenet_keras.training.train import EpochReport, train
from phasenet_keras.training.transfer import STRATEGIES, strategy_of
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
class RunResult:
    """What a run came to on its test records.

    Attributes:
        run: which it is.
        matches: labels, picks and matches of each test record, by phase.
        history: of its epochs; empty for zero-shot.
        verdict: of its training, in a sentence.
        findings: of the doctor, one sentence each.
    """

    run: Run
    matches: Mapping[str, tuple[RecordMatches, ...]]
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
            matches={
                phase: tuple(
                    RecordMatches(**{**row, "residuals_s": tuple(row["residuals_s"])})
                    for row in rows
                )
                for phase, rows in values["matches"].items()
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
        tolerance_s: greatest residual of a match, in seconds.
        folder: where runs and tables are.
    """

    results: tuple[RunResult, ...]
    tolerance_s: float
    folder: Path

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
        size = 0 if strategy == ZERO_SHOT else n_records or max(self.sizes)
        chosen = [r for r in self.results if r.run.strategy == strategy and r.run.n_records == size]
        found: dict[str, PhaseScores] = {}
        for phase in chosen[0].matches if chosen else ():
            seeds = sorted({result.run.seed for result in chosen})
            scored = [
                score_matches(
                    phase,
                    [m for r in chosen if r.run.seed == seed for m in r.matches[phase]],
                    self.tolerance_s,
                )
                for seed in seeds
            ]
            scored.sort(key=lambda score: score.f1)
            found[phase] = scored[(len(scored) - 1) // 2]
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
    tolerance_samples: float | None = None,
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
        tolerance_samples: greatest residual of a match; None takes the configuration's.
        on_run: called before each run with the run, its number and how many there are.

    Returns:
        The results of all runs.

    Raises:
        ConfigError: for an unknown strategy, no test records, or a folder of other settings.
    """
    config = (config or TrainConfig()).settled(records)
    folder = Path(folder)
    rate = records[0].waveform.sampling_rate if records else 1.0
    tolerance_s = (tolerance_samples or config.tolerance_samples) / rate
    plans = {strategy_of(item).name: strategy_of(item) for item in strategies}
    parts = fold_splits(records, folds)
    _claim(folder, parent, records, config, tolerance_s, folds)
    todo = list(_runs(parts, tuple(plans), seeds, sizes))
    results = []
    for number, run in enumerate(todo):
        if on_run:
            on_run(run, number, len(todo))
        place = folder / "runs" / run.name
        result = _finished(place)
        if result is None:
            splits = parts[run.fold]
            if run.strategy == ZERO_SHOT:
                result = _scored(run, parent, splits["test"], tolerance_s)
            else:
                chosen = spread(splits["train"], run.n_records)
                trained = train(
                    parent,
                    chosen,
                    splits["dev"],
                    place,
                    strategy=plans[run.strategy],
                    config=replace(config, seed=run.seed),
                )
                result = replace(
                    _scored(run, trained.net, splits["test"], tolerance_s),
                    history=trained.history,
                    verdict=trained.verdict,
                    findings=tuple(f"{item.name}: {item.text}" for item in trained.findings),
                )
            place.mkdir(parents=True, exist_ok=True)
            with beside_then_rename(place / RESULT) as file:
                json.dump(result.to_dict(), file)
        results.append(result)
    return Comparison(tuple(results), tolerance_s, folder)


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
        f"{phase} F1 {score.f1:.3f} ({score.f1_interval[0]:.3f}-{score.f1_interval[1]:.3f})"
        for phase, score in scores.items()
        if score.n_true
    )


def _overlap(one: Mapping[str, PhaseScores], best: Mapping[str, PhaseScores]) -> bool:
    return all(one[phase].f1 >= best[phase].f1_interval[0] for phase in best if phase in one)


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


def _scored(
    run: Run, net: PhaseNet, records: Sequence[LabelledWaveform], tolerance_s: float
) -> RunResult:
    # Reinterpreted, as in training: the samples as they are, whatever the preset's rate.
    matches = matches_by_phase(Picker(net, sampling="reinterpret"), records, tolerance_s)
    return RunResult(run, {phase: tuple(found) for phase, found in matches.items() if found})


def _finished(place: Path) -> RunResult | None:
    try:
        values = json.loads((place / RESULT).read_text(encoding="utf-8"))
        return RunResult.from_dict(values)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _claim(
    folder: Path,
    parent: PhaseNet,
    records: Sequence[LabelledWaveform],
    config: TrainConfig,
    tolerance_s: float,
    folds: int,
) -> None:
    """Write what all runs have in common, or refuse a folder of other settings."""
    settings = {
        "config": {k: v for k, v in config.to_dict().items() if k != "seed"},
        "parent": None if parent.preset is None else parent.preset.name,
        "network": parent.config.to_dict(),
        "records": [record.name for record in records],
        "tolerance_s": tolerance_s,
        "folds": folds,
    }
    text = json.dumps(settings, indent=2, sort_keys=True) + "\n"
    path = folder / "settings.json"
    if path.is_file() and path.read_text(encoding="utf-8") != text:
        raise ConfigError(
            f"{folder} holds a comparison of other settings or records: name another folder, or "
            "remove it"
        )
    folder.mkdir(parents=True, exist_ok=True)
    with beside_then_rename(path) as file:
        file.write(text)


def seeds_spread(comparison: Comparison, strategy: str, phase: str) -> tuple[float, float, float]:
    """Return the least, the median and the greatest F1 over the seeds, all records."""
    size = 0 if strategy == ZERO_SHOT else max(comparison.sizes)
    chosen = [
        r
        for r in comparison.results
        if r.run.strategy == strategy and r.run.n_records == size and phase in r.matches
    ]
    values = []
    for seed in sorted({result.run.seed for result in chosen}):
        rows = [m for r in chosen if r.run.seed == seed for m in r.matches[phase]]
        values.append(score_matches(phase, rows, comparison.tolerance_s, bootstrap=0).f1)
    if not values:
        return (math.nan, math.nan, math.nan)
    return (min(values), median(values), max(values))
