"""Training: from a parent and labelled records to a preset of one's own, or an honest no.

The run folder holds everything that is needed to repeat the run, to go on with it and to use its
result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from phasenet_keras.data.settings import checked_type
from phasenet_keras.io.new_files import beside_then_rename, folder_to_write
from phasenet_keras.io.parts import check_records
from phasenet_keras.io.wording import counted
from phasenet_keras.models.contract import NEVER, Preset
from phasenet_keras.models.phasenet import PhaseNet
from phasenet_keras.models.preset_places import BEST, RUN_SETTINGS, VALIDATED
from phasenet_keras.picking.picker import Picker
from phasenet_keras.picking.table_picker import TablePicker
from phasenet_keras.short_repr import ShortRepr
from phasenet_keras.training.checks_data import untaught_phases
from phasenet_keras.training.claim import claim, parent_facts, records_digest, values_digest
from phasenet_keras.training.config import TrainConfig, config_of
from phasenet_keras.training.demands import check_network, check_training
from phasenet_keras.training.devices import generators_kept
from phasenet_keras.training.doctor import Finding
from phasenet_keras.training.evaluate import choose_thresholds
from phasenet_keras.training.examination import examine
from phasenet_keras.training.journal import open_journal
from phasenet_keras.training.learner import EpochReport, Learner, beats, best_epoch, is_over
from phasenet_keras.training.learnt import carry_learnt, learnt_of, write_learnt
from phasenet_keras.training.proof import Proof, before_and_after
from phasenet_keras.training.run_report import facts_of_run, run_report
from phasenet_keras.training.teacher import Teacher
from phasenet_keras.training.transfer import TransferStrategy, strategy_of
from phasenet_keras.types import LabelledWaveform, PhaseNetKerasError

__all__ = ["TrainResult", "kept_contract", "train"]

REPORT = "report.md"
# The network trained anew.
REFIT = "refit"
# As the official post-processing: 50 samples between two picks of one phase.
MIN_DISTANCE_SAMPLES = 50


class _Sets(NamedTuple):
    """The records of a run."""

    train: list[LabelledWaveform]
    dev: list[LabelledWaveform]
    test: list[LabelledWaveform]

    @property
    def known(self) -> list[LabelledWaveform]:
        """Those that the network learns from or is chosen by."""
        return [*self.train, *self.dev]


@dataclass(frozen=True, repr=False)
class TrainResult(ShortRepr):
    """What a run came to.

    Attributes:
        net: the best network on the validation records: the trained one, or its parent.
        history: of all epochs.
        best_epoch: the epoch of the best network; None if the parent was never beaten.
        parent_dev_loss, parent_dev_f1: of the parent on the validation records; NaN where nothing
            of it was loaded.
        folder: the run folder.
        n_refitted: number of records that the network was trained on anew, validation records
            included; 0 if it was not.
        findings: what the doctor found wrong with the run; empty if it is well.
        proof: what the parent and the network find in the test records; empty without any.
    """

    net: PhaseNet
    history: tuple[EpochReport, ...]
    best_epoch: int | None
    parent_dev_loss: float
    parent_dev_f1: float
    folder: Path
    n_refitted: int = 0
    findings: tuple[Finding, ...] = ()
    proof: Proof = field(default_factory=Proof, repr=False)  # the report shows it

    @property
    def has_helped(self) -> bool:
        """True if the network is a trained one that finds labels of the validation records."""
        return self.best_epoch is not None and self.history[self.best_epoch].dev_f1 > 0

    @property
    def verdict(self) -> str:
        """Whether training helped, in a sentence."""
        found_none = not any(report.dev_f1 > 0 for report in self.history)
        if found_none and (self.parent_dev_f1 == 0 or self.best_epoch is not None):
            who = "neither the parent nor the network" if self.parent_dev_f1 == 0 else "no network"
            kept = "the parent" if self.best_epoch is None else "the trained network"
            return (
                f"{who} after any epoch finds a label of the validation records (F1 0), so that "
                f"nothing was gained: {kept} is kept; look at the findings and the labels"
            )
        if self.best_epoch is None:
            return (
                "training did not beat the parent on the validation records (whose F1 is "
                f"{self.parent_dev_f1:.3f}, loss {self.parent_dev_loss:.4f}): the parent is kept"
            )
        best = self.history[self.best_epoch]
        before = "" if math.isnan(self.parent_dev_f1) else f" (parent {self.parent_dev_f1:.3f})"
        after = (
            f"; then trained anew on all {self.n_refitted} records, validation included, for "
            f"{counted(best.epoch + 1, 'epoch')}"
            if self.n_refitted
            else ""
        )
        return f"validation F1 {best.dev_f1:.3f} after epoch {best.epoch}{before}{after}"


@generators_kept()
def train(
    parent: PhaseNet,
    train_records: Sequence[LabelledWaveform],
    dev_records: Sequence[LabelledWaveform],
    folder: str | PathLike[str],
    *,
    strategy: str | TransferStrategy = "finetune",
    config: TrainConfig | None = None,
    weights: Mapping[str, Mapping[str, float]] | None = None,
    teacher: Teacher | None = None,
    keep_parent: bool = True,
    test_records: Sequence[LabelledWaveform] = (),
    baselines: Sequence[TablePicker] = (),
    on_epoch: Callable[[EpochReport], None] | None = None,
) -> TrainResult:
    """Train a network by a strategy, starting from a parent.

    The best epoch is the last one whose F1 on the validation records is within one standard error
    of the highest. With few records (`TrainConfig.refit`) the network is then trained anew on all
    records, validation included, up to the best epoch.

    A run seeds what it draws from. The global generators of `random` and NumPy are given back as
    they were; Keras and TensorFlow stay seeded by the run, and TensorFlow keeps to operations whose
    result does not depend on timing (``enable_op_determinism``) for the rest of the process.

    Args:
        parent: with weights; load it with ``rebalance=True``, so that one learning rate suits
            all of them. It is not changed. What is frozen the strategy says: a parent with layers
            that were frozen by hand (``layer.trainable = False``) is refused.
        train_records: to learn from; one at least has an arrival, unless there is a teacher.
        dev_records: to choose the best epoch and the thresholds by; of other events than
            ``train_records``.
        folder: the run folder. If it holds an unfinished run of the same settings, that goes on.
        strategy: name, value or JSON of a strategy.
        config: the settings.
        weights: by name of a record and phase, how far a label of ``train_records`` is to be
            trusted, from 0 to 1; default 1.
        teacher: another network, whose answers to the training windows are a part of the targets.
        keep_parent: return the parent where it was not beaten on the validation records, with the
            rate of the records in its contract; False returns the trained network in any case,
            for others to judge.
        test_records: untouched by training and choices; parent and network are scored on them when
            all is done.
        baselines: picks that one used so far, looked up for all of these records: they are scored
            beside the network, and are no part of what the folder belongs to.
        on_epoch: called after each epoch, e.g. to show progress.

    Returns:
        The best network and how it came about. In ``folder``: ``config.json``, ``history.csv``,
        ``last.npz`` (weights and optimizer of the last epoch), ``best``, a preset folder (of the
        parent, if it was not beaten) with ``learnt.csv``, which records trained it or the parent
        that it was made of, and ``report.md``, with what the doctor found and the scores before
        and after.

    Raises:
        ConfigError: for an unknown strategy, frozen layers, no records, no arrival to learn or to
            validate on, an event on two sides, test records that are copies of others, several
            sampling rates, or a folder that holds a run of other settings, records or parent, or a
            state that cannot be read. A call that is refused leaves a new folder unclaimed.
    """
    sets = _Sets(
        list(check_records(train_records, "records to train on")),
        list(check_records(dev_records, "records to validate on")),
        list(check_records(test_records, "records to test")),
    )
    folder = folder_to_write(folder)
    check_network(parent)
    learnt = learnt_of(parent)
    learner = _claimed(parent, sets, folder, strategy, config, weights, teacher)
    result = _trained(learner, sets, folder, keep_parent, on_epoch, baselines)
    if result.best_epoch is None or learner.strategy.load:
        carry_learnt(learnt, folder)
    return result


def _claimed(
    parent: PhaseNet,
    sets: _Sets,
    folder: Path,
    strategy: str | TransferStrategy,
    config: TrainConfig | None,
    weights: Mapping[str, Mapping[str, float]] | None,
    teacher: Teacher | None,
) -> Learner:
    """Return what trains, and claim the folder for it.

    The claim is last of what may fail: a call that is corrected and given again finds it free.
    """
    strategy = strategy_of(strategy)
    strategy.check(parent.stages)
    config = config_of(config)
    check_training(parent, config, *sets, has_teacher=teacher is not None)
    config = config.settled(sets.train, sets.dev)
    untaught = untaught_phases(sets.known, parent.config.phases[1:])
    if teacher is not None or not config.mask_unknown:
        untaught = []
    contract = _contract(parent, sets.train[0], config, folder, untaught)
    if teacher is not None:
        checked_type(teacher, Teacher, "teacher", "Teacher(net, share=0.7)").check(
            parent.config, contract.normalization
        )
    learner = Learner(parent, sets.train, sets.dev, strategy, config, contract, weights, teacher)
    facts = {
        "config": config.to_dict(),
        "strategy": strategy.to_dict(),
        **parent_facts(parent),
        "train_records": records_digest(sets.train),
        "dev_records": records_digest(sets.dev),
        "label_weights": None if weights is None else values_digest(learner.examples.weights),
    }
    if teacher is not None:
        facts["teacher"] = teacher.facts()
    claim(folder / RUN_SETTINGS, facts, "a run")
    return learner


def _trained(
    learner: Learner,
    sets: _Sets,
    folder: Path,
    keep_parent: bool,
    on_epoch: Callable[[EpochReport], None] | None,
    baselines: Sequence[TablePicker],
) -> TrainResult:
    """Train to the end, choose, and write what came of it."""
    parent, config = learner.parent, learner.config
    parent_loss, parent_f1 = learner.parent_scores()
    history = _run(learner, folder, on_epoch)
    best = best_epoch(history, learner.n_dev_labels)
    if keep_parent and best is not None and not beats(history[best], parent_loss, parent_f1):
        best = None
    findings = examine(learner, history, sets.dev, best)
    net, n_refitted = parent, 0
    if best is None:
        kept = kept_contract(parent.preset, learner.contract)
        parent.save_preset(folder / BEST, kept)
        if parent.preset is None or parent.preset.sampling_rate != kept.sampling_rate:
            net = PhaseNet.from_preset(folder / BEST)  # at the rate that it was compared at
    else:
        n_refitted = len(sets.known) if config.refit else 0
        net = _result_of(learner, best, sets, folder, on_epoch)
    proof = before_and_after(
        parent,
        _rejected(folder) if best is None else net,
        sets.test,
        config.tolerance_samples,
        is_kept=best is not None,
        known=sets.known,
        tables=baselines,
    )
    findings += proof.findings(was_validated=not math.isnan(parent_f1))
    result = TrainResult(
        net, tuple(history), best, parent_loss, parent_f1, folder, n_refitted, findings, proof
    )
    report = run_report(
        result.verdict,
        findings,
        {"strategy": learner.strategy.name, **config.to_dict()},
        [asdict(epoch) for epoch in history],
        proof.text,
        kept_epoch=best,
        facts=facts_of_run(parent, net.preset or learner.contract, sets),
    )
    with beside_then_rename(folder / REPORT) as file:
        file.write(report)
    return result


def _rejected(folder: Path) -> PhaseNet | None:
    """Return the best trained network of a run that kept its parent, if there is one."""
    with suppress(PhaseNetKerasError):
        return PhaseNet.from_preset(folder / VALIDATED)
    return None


def _run(
    learner: Learner,
    folder: Path,
    on_epoch: Callable[[EpochReport], None] | None,
    n_epochs: int | None = None,
) -> list[EpochReport]:
    """Train from where the folder's state is to the end; keep the best network by the way."""
    folder.mkdir(parents=True, exist_ok=True)
    config = learner.config
    history = learner.resume(folder)
    with open_journal(folder, config.tensorboard) as journal:
        for epoch in range(len(history), n_epochs or config.epochs):
            if n_epochs is None and is_over(history, config.patience):
                break
            report = learner.run_epoch(epoch)
            history.append(report)
            if n_epochs is None and best_epoch(history, learner.n_dev_labels) == epoch:
                learner.net.save_preset(folder / VALIDATED, learner.contract)
            learner.save(folder, history)
            journal(report)
            if on_epoch:
                on_epoch(report)
    return history


def _result_of(
    learner: Learner,
    best: int,
    sets: _Sets,
    folder: Path,
    on_epoch: Callable[[EpochReport], None] | None,
) -> PhaseNet:
    """Choose thresholds for the best network, train it anew where asked, and save it."""
    net, config = PhaseNet.from_preset(folder / VALIDATED), learner.config
    chosen = choose_thresholds(Picker(net), sets.dev, config.tolerance_samples)
    contract = replace(learner.contract, thresholds=chosen)
    if config.refit:
        learner = learner.anew(sets.known, contract)
        _run(learner, folder / REFIT, on_epoch, n_epochs=best + 1)
        net = learner.net
    net.save_preset(folder / BEST, contract)
    write_learnt(folder / BEST, learner.examples.records)
    return PhaseNet.from_preset(folder / BEST)


def _contract(
    parent: PhaseNet,
    record: LabelledWaveform,
    config: TrainConfig,
    folder: Path,
    untaught: Sequence[str],
) -> Preset:
    rate, own = record.waveform.sampling_rate, parent.preset
    # What the parent was not taught may be taught now.
    thresholds = {p: t for p, t in own.thresholds.items() if t < NEVER} if own else {}
    changes: dict[str, Any] = {
        "name": folder.resolve().name,
        "sampling_rate": rate,
        "window_samples": config.window_samples,
        "thresholds": {**thresholds, **dict.fromkeys(untaught, NEVER)},
        "min_distance_s": MIN_DISTANCE_SAMPLES / rate,
        "rebalance": False,
    }
    if own is None:
        return Preset(config=parent.config, **changes)
    source = {**own.origin, "fine_tuned_from": own.name}
    return replace(own, source=source, description=f"fine-tuned from {own.name}", **changes)


def kept_contract(own: Preset | None, contract: Preset) -> Preset:
    """Return the contract of a parent that was not beaten, at the rate that it was compared at."""
    note = "kept, for training did not beat it on the validation records"
    if own is None:
        taught = {phase: t for phase, t in contract.thresholds.items() if t < NEVER}
        return replace(contract, thresholds=taught, description=f"the parent, {note}")
    return replace(
        own,
        sampling_rate=contract.sampling_rate,
        min_distance_s=own.min_distance_s * own.sampling_rate / contract.sampling_rate,
        source=own.origin,
        description=f"{own.name} at {contract.sampling_rate:g} Hz, {note}",
    )
