"""Comparing strategies: every one on the same untouched records, with intervals.

Each run (strategy, fold, seed, number of training records) has a folder of its own and is not run
again when its result is there. Picks are scored on test records that neither trained the network
nor chose its epoch or thresholds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from phasenet_keras.data.settings import SEED, Kind, settled, whole
from phasenet_keras.io.new_files import folder_to_write, read_json, write_json
from phasenet_keras.io.parts import check_records
from phasenet_keras.io.wording import counted
from phasenet_keras.models.phasenet import PhaseNet
from phasenet_keras.models.preset_places import RUN_SETTINGS
from phasenet_keras.picking.picker import Picker
from phasenet_keras.training.claim import claim, parent_facts, records_digest
from phasenet_keras.training.comparison import (
    RUNS,
    ZERO_SHOT,
    Comparison,
    Run,
    RunResult,
)
from phasenet_keras.training.config import TrainConfig, config_of
from phasenet_keras.training.demands import check_labelled, check_network, check_training
from phasenet_keras.training.evaluate import pick_records
from phasenet_keras.training.grouping import tied_groups
from phasenet_keras.training.matching import tolerance_of
from phasenet_keras.training.neighbours import foretold
from phasenet_keras.training.picked import PickedRecord, RecordTimes, times_of
from phasenet_keras.training.splits import (
    LEAST_GROUPS_FOR_TWO,
    choose_split_by,
    digests_of,
    drawn_groups,
    facts_of,
    kept_together,
    spread,
)
from phasenet_keras.training.train import train
from phasenet_keras.training.transfer import STRATEGIES, TransferStrategy, strategy_of
from phasenet_keras.training.triggers import PHASE, fitted_trigger
from phasenet_keras.types import SPLITS, ConfigError, LabelledWaveform

__all__ = ["compare", "fold_splits", "said_of_others"]

RESULT = "result.json"
# Of the groups that are not for test, one in this many validates.
GROUPS_A_DEV_GROUP = 6
# Of how folds are made: runs of another rule had other records.
FOLD_RULE = 2


def compare(
    parent: PhaseNet,
    records: Sequence[LabelledWaveform],
    folder: str | PathLike[str],
    *,
    strategies: str | Sequence[str] = tuple(STRATEGIES),
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
        strategies: names or JSON, or one; zero-shot is always scored.
        folds: number of folds.
        seeds: of the training; scores are those of the median seed.
        sizes: numbers of training records for a learning curve; all are always run, too.
        config: of every run.
        tolerance_samples: greatest residual of a match, one for all or by phase; None takes the
            configuration's. It scores only: other tolerances need no new runs.
        on_run: called before each run that is not finished, with its number and how many there are.

    Returns:
        The results of all runs, with their scores; its ``folder`` is that of the comparison.

    Raises:
        ConfigError: for an unknown strategy, two of one name, a parent with layers frozen by hand,
            no test records, copies of others among them, no label to train on or to test by, or a
            folder of other settings, records or parent.
    """
    check_network(parent)
    folder = folder_to_write(folder)
    records = list(check_records(records))
    seeds = settled("seeds", _several(SEED), seeds)
    sizes = settled("sizes", _several(whole(1)), sizes)
    plans = _plans([strategies] if isinstance(strategies, str) else strategies)
    config = config_of(config)
    parts = fold_splits(records, folds)
    _check_parts(parts, parent, config, sizes)
    # As `train` would settle it: the records of a test have no part in it.
    config = config.settled(parts[0]["train"], parts[0]["dev"])
    rate = records[0].waveform.sampling_rate
    if tolerance_samples is None:
        tolerance_samples = config.tolerance_samples
    tolerances_s = _tolerances(tolerance_samples, parent, rate)
    for plan in plans.values():
        plan.check(parent.stages)
    settings = {
        "config": {k: v for k, v in config.to_dict().items() if k != "seed"},
        **parent_facts(parent),
        "records": records_digest(records),
        "folds": len(parts),
        **({"fold_rule": FOLD_RULE} if len(parts) > 1 else {}),
    }
    claim(folder / "settings.json", settings, "a comparison")
    todo = list(_runs(parts, tuple(plans), seeds, sizes))
    results = []
    for number, run in enumerate(todo):
        of_run = plans.get(run.strategy)
        place = run.folder_in(folder)
        result = _finished(place, of_run)
        if result is None:
            if on_run:
                on_run(run, number, len(todo))
            result = _result(run, parent, of_run, parts[run.fold], place, config)
            place.mkdir(parents=True, exist_ok=True)
            write_json(result.to_dict(), place / RESULT, sort_keys=False)
        results.append(result)
    told, triggered = _neighbours(parts, tolerances_s), _triggered(parts, tolerances_s)
    return Comparison(tuple(results), tolerances_s, folder, told, triggered)


def _plans(strategies: Sequence[str | TransferStrategy]) -> dict[str, TransferStrategy]:
    """Return strategies by name; refuse a name that another has, which its runs would be called."""
    plans: dict[str, TransferStrategy] = {}
    for plan in map(strategy_of, strategies):
        if plan.name == ZERO_SHOT or plans.setdefault(plan.name, plan) != plan:
            raise ConfigError(
                f"two of what is compared are called '{plan.name}' ({ZERO_SHOT} is the parent as "
                "it is): give each strategy a name of its own"
            )
    return plans


def _check_parts(
    parts: Sequence[Mapping[str, Sequence[LabelledWaveform]]],
    parent: PhaseNet,
    config: TrainConfig,
    sizes: Sequence[int],
) -> None:
    """Refuse records that could not be trained on, or say nothing of what was trained."""
    phases = parent.config.phases[1:]
    for part in parts:
        check_training(parent, config, part["train"], part["dev"], part["test"])
        for n in sizes:
            check_labelled(spread(part["train"], n), phases)
    check_labelled([record for part in parts for record in part["test"]], phases, "to test")


def said_of_others(comparison: Comparison) -> str:
    """Say which finished runs in a comparison's folder are not among its results; empty if none."""
    shown = {result.run.folder_in(comparison.folder) for result in comparison.results}
    there = (comparison.folder / RUNS).glob(f"*/{RESULT}")
    others = sorted(path.parent.name for path in there if path.parent not in shown)
    if not others:
        return ""
    names = ", ".join(dict.fromkeys(name.rsplit("-", 3)[0] for name in others))
    return (
        f"left out of this table: {counted(len(others), 'finished run')} in the folder, of "
        f"{names}: give --strategies, --sizes and --seeds of these, too; none is run again"
    )


def fold_splits(
    records: Sequence[LabelledWaveform], folds: int = 1
) -> list[dict[str, list[LabelledWaveform]]]:
    """Return the records of train, dev and test for each fold.

    Args:
        records: a data set.
        folds: 1 takes the splits that the records have; with more, each record is in test once.
            What stays together is chosen as for splits, see `choose_split_by`; copies, and records
            of one station that overlap, do as well. Of five or more groups two validate.

    Raises:
        ConfigError: for a split without records, fewer groups than ``folds + 2``, or a record of
            none (without event, of no time, where others have one).

    Example:
        >>> fold_splits([], 1)
        Traceback (most recent call last):
        ...
        phasenet_keras.types.ConfigError: no record is in the split 'train': prepare the data set \
with splits, or ask for folds
    """
    folds = settled("folds", whole(1), folds)
    if folds == 1:
        parts = {part: [r for r in records if r.split == part] for part in SPLITS}
        for part, inside in parts.items():
            if not inside:
                raise ConfigError(
                    f"no record is in the split '{part}': prepare the data set with splits, or "
                    "ask for folds"
                )
        return [parts]
    facts = [replace(facts_of(record), digests=digests_of(record)) for record in records]
    by = choose_split_by(facts)
    groups = tied_groups(facts, by)
    if "" in groups:
        raise ConfigError(
            f"record {groups.index('') + 1} has no {by}, as others have: folds need one of each"
        )
    groups = kept_together(groups, facts)
    names = sorted(set(groups))
    if len(names) < folds + 2:
        raise ConfigError(f"{folds} folds need {folds + 2} groups at least, there are {len(names)}")
    order = np.random.default_rng(0).permutation(len(names)).tolist()
    found = []
    for fold in range(folds):
        rest = [names[i] for rank, i in enumerate(order) if rank % folds != fold]
        step = GROUPS_A_DEV_GROUP
        if len(rest) <= step:  # one of them, or two
            step = math.ceil(len(rest) / (2 if len(rest) >= LEAST_GROUPS_FOR_TWO else 1))
        of_group = dict.fromkeys(rest, "train") | dict.fromkeys(rest[::step], "dev")
        parts = {part: [] for part in SPLITS}
        for record, group in zip(records, groups, strict=True):
            parts[of_group.get(group, "test")].append(record)
        found.append(parts)
    return found


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


def _several(kind: Kind) -> Kind:
    """Return the kind of a list of whole numbers."""

    def take(values: Any) -> tuple[int, ...]:
        return tuple(kind.take(value) for value in values)

    return Kind(f"a list of which each is {kind.words}", take)


def _tolerances(
    samples: float | Mapping[str, float], parent: PhaseNet, rate: float
) -> dict[str, float]:
    phases = parent.config.phases[1:]
    by_phase = samples if isinstance(samples, Mapping) else dict.fromkeys(phases, samples)
    if set(by_phase) != set(phases):
        raise ConfigError(f"a tolerance for each of {', '.join(phases)}, received {by_phase}")
    return {phase: tolerance_of(tolerance_samples=by_phase[phase]).at(rate) for phase in phases}


def _picked(run: Run, net: PhaseNet, records: Sequence[LabelledWaveform]) -> RunResult:
    # Reinterpreted, as in training: the samples as they are, whatever the preset's rate.
    picker = Picker(net, sampling="reinterpret")
    return RunResult(run, _times(pick_records(picker, records), picker.thresholds))


def _neighbours(
    parts: Sequence[Mapping[str, Sequence[LabelledWaveform]]], phases: Iterable[str]
) -> dict[str, tuple[RecordTimes, ...]]:
    """Return what the labels learnt from tell of the test records of all folds, if of any."""
    told = [foretold(part["test"], [*part["train"], *part["dev"]]) for part in parts]
    return _times([one for of_fold in told for one in of_fold], dict.fromkeys(phases, 0.0))


def _triggered(
    parts: Sequence[Mapping[str, Sequence[LabelledWaveform]]], tolerances_s: Mapping[str, float]
) -> dict[str, tuple[RecordTimes, ...]]:
    """Return what a trigger finds in the test records of all folds, fitted to what is learnt."""
    if PHASE not in tolerances_s:
        return {}
    tolerance, picked = tolerance_of(tolerance_s=tolerances_s[PHASE]), []
    for part in parts:
        trigger = fitted_trigger([*part["train"], *part["dev"]], tolerance)
        picked += trigger.pick(part["test"]) if trigger else []
    return _times(picked, {PHASE: 1.0})


def _times(
    picked: Sequence[PickedRecord], thresholds: Mapping[str, float]
) -> dict[str, tuple[RecordTimes, ...]]:
    """Return labels and picks of each phase, by phase."""
    times: dict[str, list[RecordTimes]] = {}
    groups = drawn_groups(one.record for one in picked)
    for one, group in zip(picked, groups, strict=True):
        for phase in sorted(set(one.record.arrivals) & set(thresholds)):
            times.setdefault(phase, []).append(times_of(one, phase, thresholds[phase], group))
    return {phase: tuple(rows) for phase, rows in sorted(times.items())}


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
        if strategy and strategy_of(read_json(place / RUN_SETTINGS)["strategy"]) != strategy:
            return None  # of the same name: training there will be refused
        return RunResult.from_dict(read_json(place / RESULT))
    except (ValueError, KeyError, TypeError):
        return None
