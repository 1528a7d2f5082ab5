"""Self-training: predict on gathers without labels, correct, choose, retrain, as long as it helps.

Every round starts from the same parent, and the labelled records stay in. Rounds are judged by the
validation records; the test records are only reported on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.data.settings import checked_type, settled, whole
from phasenet_keras.io.new_files import beside_then_rename, folder_to_write
from phasenet_keras.io.parts import check_records
from phasenet_keras.models.phasenet import PhaseNet
from phasenet_keras.models.preset_places import BEST, ROUNDS
from phasenet_keras.models.presets import read_preset
from phasenet_keras.picking.picker import Picker
from phasenet_keras.short_repr import ShortRepr
from phasenet_keras.training.claim import claim, parent_facts, records_digest, values_digest
from phasenet_keras.training.config import TrainConfig, config_of
from phasenet_keras.training.correction import CorrectionConfig
from phasenet_keras.training.demands import check_network, check_one_rate, check_training
from phasenet_keras.training.evaluate import evaluate
from phasenet_keras.training.learner import EpochReport
from phasenet_keras.training.learnt import carry_learnt, learnt_of
from phasenet_keras.training.pseudo_records import (
    GatherTrace,
    PseudoSettings,
    gather_traces,
    pseudo_labels,
    pseudo_records,
)
from phasenet_keras.training.robust import one_thread
from phasenet_keras.training.rounds import (
    SelfTrainRound,
    best_round,
    goes_on,
    read_rounds,
    rounds_report,
    verdict_of,
    write_rounds,
)
from phasenet_keras.training.scores import mean_f1
from phasenet_keras.training.splits import digests_of
from phasenet_keras.training.survey import HOW
from phasenet_keras.training.train import kept_contract, train
from phasenet_keras.training.transfer import TransferStrategy, strategy_of
from phasenet_keras.types import SPLITS, ConfigError, LabelledWaveform

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["SelfTrainResult", "self_train"]

SETTINGS, REPORT = "settings.json", "report.md"
LABELS = "pseudo_labels.csv"
FROM_DICT = "CorrectionConfig.from_dict takes a mapping"


@dataclass(frozen=True, repr=False)
class SelfTrainResult(ShortRepr):
    """What self-training came to.

    Attributes:
        net: of the best round: the parent where no round helped.
        best: number of the best round, 0 is the parent.
        rounds: all that were run, the parent first.
        folder: the run folder; it serves as a preset.
    """

    net: PhaseNet
    best: int
    rounds: tuple[SelfTrainRound, ...]
    folder: Path

    @property
    def verdict(self) -> str:
        """Whether it helped, in a sentence."""
        return verdict_of(self.rounds)


def self_train(
    parent: PhaseNet,
    labelled: Sequence[LabelledWaveform],
    unlabelled: Sequence[GatherTrace],
    folder: str | PathLike[str],
    *,
    rounds: int = 3,
    strategy: str | TransferStrategy = "finetune",
    config: TrainConfig | None = None,
    correction: CorrectionConfig | None = None,
    pseudo: PseudoSettings | None = None,
    on_round: Callable[[SelfTrainRound], None] | None = None,
    on_record: Callable[[int, int], None] | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
) -> SelfTrainResult:
    """Train on labelled records and on pseudo labels of gathers without labels, round by round.

    In each round the best network so far picks ``unlabelled``, the picks are corrected by the
    moveout of their gathers and weighted (`pseudo_labels`), and the parent is trained on them and
    on the labelled training records. It ends after ``rounds``, or after a round that did not
    raise the F1 on the validation records. The parent should not have been trained on these, or
    no round can beat it; for the same reason no round trains on them, unless ``config.refit``.
    Nothing but the validation records chooses, and nothing but the test records is reported on.

    Args:
        parent: with weights and a preset; load it with ``rebalance=True``.
        labelled: records with splits ``train``, ``dev`` and ``test``.
        unlabelled: of the sampling rate of the labelled records, whose labels are not looked at.
            Those that are among the labelled records too have picks, which help their gathers'
            curves, but get no pseudo labels.
        folder: the run folder. If it holds an unfinished run of the same settings, that goes on.
        rounds: most rounds.
        strategy: as in `train`.
        config: as in `train`.
        correction: of the picks; bounds in samples.
        pseudo: how pseudo labels are chosen and weighted.
        on_round: called after each round, and first for the parent.
        on_record: called with the number of records picked in a round, and of all.
        on_epoch: called after each epoch of each round.

    Returns:
        The best network and all rounds. In ``folder``: ``round_1`` and so on, run folders of
        `train` with ``pseudo_labels.csv``; ``rounds.json``, ``best`` and ``report.md``.

    Raises:
        ConfigError: for a split without records or of other splits' events or copies, no record of
            ``unlabelled`` with an offset, a folder of other settings, or without scikit-learn.
    """
    config = config_of(config)
    rounds = settled("rounds", whole(1), rounds)
    labelled = list(check_records(labelled, "labelled records"))
    run = _Run(
        parent,
        {s: [r for r in labelled if r.split == s] for s in SPLITS},
        gather_traces(unlabelled),
        folder_to_write(folder),
        strategy_of(strategy),
        replace(config, refit=bool(config.refit)),
        checked_type(correction or CorrectionConfig(), CorrectionConfig, "correction", FROM_DICT),
        checked_type(pseudo or PseudoSettings(), PseudoSettings, "pseudo"),
    )
    _claim(run)
    done = read_rounds(run.folder / ROUNDS)
    if not done:
        done = [run.judged(0, run.parent)]
        write_rounds(done, run.folder / ROUNDS)
    if on_round:
        for item in done:
            on_round(item)
    while goes_on([item.dev_f1 for item in done], rounds):
        done.append(_round(run, len(done), run.net(len(done) - 1), on_record, on_epoch))
        write_rounds(done, run.folder / ROUNDS)
        if on_round:
            on_round(done[-1])
    best = best_round([item.dev_f1 for item in done])
    net = run.best_net(best)
    with beside_then_rename(run.folder / REPORT) as file:
        file.write(rounds_report(done))
    return SelfTrainResult(net, best, tuple(done), run.folder)


@dataclass(frozen=True)
class _Run:
    """What all rounds have in common."""

    parent: PhaseNet
    splits: Mapping[str, Sequence[LabelledWaveform]]
    unlabelled: Sequence[GatherTrace]
    folder: Path
    strategy: TransferStrategy
    config: TrainConfig
    correction: CorrectionConfig
    pseudo: PseudoSettings

    def net(self, number: int) -> PhaseNet:
        """Return the network of a round."""
        return PhaseNet.from_preset(self.folder / f"round_{number}") if number else self.parent

    def best_net(self, number: int) -> PhaseNet:
        """Write the network of a round as the result of the run, and return it."""
        net = self.net(number)
        kept = net.preset
        if not number:  # the parent's own rate may be another than that of the records
            kept = kept_contract(kept, read_preset(self.folder / "round_1"))
        net.save_preset(self.folder / BEST, kept)
        carry_learnt(learnt_of(net), self.folder)
        return PhaseNet.from_preset(self.folder / BEST)

    def judged(
        self, number: int, net: PhaseNet, counts: Mapping[str, Mapping[str, float]] | None = None
    ) -> SelfTrainRound:
        """Return what a network comes to on the validation and on the test records."""
        picker = Picker(net, sampling="reinterpret")
        dev, test = (
            evaluate(
                picker,
                self.splits[split],
                tolerance_samples=self.config.tolerance_samples,
                bootstrap=bootstrap,
            )
            for split, bootstrap in (("dev", 0), ("test", 1000))
        )
        return SelfTrainRound(number, mean_f1(dev), test, counts or {})


def _round(
    run: _Run,
    number: int,
    best: PhaseNet,
    on_record: Callable[[int, int], None] | None,
    on_epoch: Callable[[EpochReport], None] | None,
) -> SelfTrainRound:
    """Run one round, or go on with it."""
    place = run.folder / f"round_{number}"
    place.mkdir(exist_ok=True)
    table = _labels(place / LABELS, best, run, on_record)
    records, weights = pseudo_records(table, run.unlabelled, run.pseudo)
    result = train(
        run.parent,
        [*run.splits["train"], *records],
        run.splits["dev"],
        place,
        strategy=run.strategy,
        config=run.config,
        weights=weights,
        keep_parent=False,
        on_epoch=on_epoch,
    )
    return run.judged(number, result.net, _counts(table, weights))


def _labels(
    path: Path, net: PhaseNet, run: _Run, on_record: Callable[[int, int], None] | None
) -> DataFrame:
    """Make the pseudo labels of a round, or read them where the round was begun before."""
    import pandas as pd

    if not path.is_file():
        picker = Picker(net)
        table = pseudo_labels(picker, run.unlabelled, run.correction, run.pseudo, on_record)
        table.loc[table["trace"].isin(_labelled_too(run)), "weight"] = 0.0
        with beside_then_rename(path) as file:
            table.to_csv(file, index=False, lineterminator="\n")
    # Also when just written: a round that goes on gets the same numbers.
    return pd.read_csv(path)


def _labelled_too(run: _Run) -> set[int]:
    """Return the places of records without labels that are among the labelled ones, too."""
    labelled = [record for records in run.splits.values() for record in records]
    known = {digest for record in labelled for digest in digests_of(record)}
    digests = [digests_of(trace.record) for trace in run.unlabelled]
    return {number for number, own in enumerate(digests) if not known.isdisjoint(own)}


def _counts(
    table: DataFrame, weights: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    counts: dict[str, dict[str, float]] = {}
    for phase, rows in table.groupby("phase"):
        chosen = [of_record[phase] for of_record in weights.values() if phase in of_record]
        counts[str(phase)] = {
            "chosen": len(chosen),
            "weight": sum(chosen) / len(chosen) if chosen else math.nan,
            **{how: int((rows["how"] == how).sum()) for how in HOW},
        }
    return counts


def _check(run: _Run) -> None:
    check_network(run.parent)
    if run.parent.preset is None:
        raise ConfigError("self-training needs a parent with a preset: PhaseNet.from_preset")
    for split, records in run.splits.items():
        if not records:
            raise ConfigError(
                f"the labelled data set has no {split} records: self-training learns from train, "
                "chooses by dev and is scored on test"
            )
    run.strategy.check(run.parent.stages)
    check_training(run.parent, run.config, *(run.splits[split] for split in SPLITS))
    if not any(map(math.isfinite, (trace.offset for trace in run.unlabelled))):
        raise ConfigError(
            "none of the records without labels has an offset: a GatherTrace has the signed "
            "distance from its source, or receiver minus shot number"
        )
    unlabelled = [trace.record for trace in run.unlabelled]
    check_one_rate({"labelled": run.splits["train"], "without labels": unlabelled})
    if len(_labelled_too(run)) == len(run.unlabelled):
        raise ConfigError(
            f"all {len(run.unlabelled)} records without labels are in the labelled data set, too: "
            "name others"
        )
    with one_thread():  # without scikit-learn this refuses, before hours of work
        pass


def _claim(run: _Run) -> None:
    """Write the settings of a run that can be, or refuse a folder that holds one of others."""
    _check(run)
    places = [[str(t.shot), str(t.receiver), t.offset] for t in run.unlabelled]
    blind = [replace(trace.record, arrivals={}) for trace in run.unlabelled]
    settings = {
        "strategy": run.strategy.to_dict(),
        "config": run.config.to_dict(),
        "correction": run.correction.to_dict(),
        "pseudo": asdict(run.pseudo),
        **parent_facts(run.parent),
        "labelled": records_digest([r for records in run.splits.values() for r in records]),
        "unlabelled": records_digest(blind),
        "geometry": values_digest(places),
    }
    claim(run.folder / SETTINGS, settings, "a run")
