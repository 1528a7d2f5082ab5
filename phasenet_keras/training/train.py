"""Training: one plain loop, whose every step is a function of (seed, epoch, index).

After each epoch the run folder holds all that the next one needs, so that a killed run goes on
where it was and ends with the same weights as one that was never killed.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np

from phasenet_keras.data.examples import ExampleMaker
from phasenet_keras.io.tables import beside_then_rename
from phasenet_keras.models.contract import Preset
from phasenet_keras.models.phasenet import PhaseNet
from phasenet_keras.picking.picker import Picker
from phasenet_keras.training.config import TrainConfig
from phasenet_keras.training.doctor import Finding, run_report
from phasenet_keras.training.evaluate import choose_thresholds
from phasenet_keras.training.examination import Examination, examine
from phasenet_keras.training.freezing import (
    StageAdam,
    apply_phase,
    build_optimizer,
    initial_weights,
)
from phasenet_keras.training.loss import masked_cross_entropy
from phasenet_keras.training.transfer import TransferStrategy, strategy_of
from phasenet_keras.types import ConfigError, LabelledWaveform

__all__ = ["EpochReport", "TrainResult", "train"]

CONFIG, STATE, HISTORY, BEST = "config.json", "last.npz", "history.csv", "best"
REPORT = "report.md"
# As the official post-processing: 50 samples between two picks of one phase.
MIN_DISTANCE_SAMPLES = 50
FINAL_RATE = 0.01


@dataclass(frozen=True)
class EpochReport:
    """What an epoch came to; losses in nats a sample."""

    epoch: int
    learning_rate: float
    train_loss: float
    dev_loss: float


@dataclass(frozen=True)
class TrainResult:
    """What a run came to.

    Attributes:
        net: the best network on the validation records: the trained one, or its parent.
        history: of all epochs.
        best_epoch: the epoch of the best network; None if the parent was never beaten.
        parent_dev_loss: validation loss of the parent; NaN where nothing was loaded.
        folder: the run folder.
        findings: what the doctor found wrong with the run; empty if it is well.
    """

    net: PhaseNet
    history: tuple[EpochReport, ...]
    best_epoch: int | None
    parent_dev_loss: float
    folder: Path
    findings: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> str:
        """Whether training helped, in a sentence."""
        if self.best_epoch is None:
            return (
                "training did not beat the parent on the validation records (loss "
                f"{self.parent_dev_loss:.4f}): the parent is kept"
            )
        best = self.history[self.best_epoch].dev_loss
        before = "" if math.isnan(self.parent_dev_loss) else f", parent {self.parent_dev_loss:.4f}"
        return f"best validation loss {best:.4f} after epoch {self.best_epoch}{before}"


def train(
    parent: PhaseNet,
    train_records: Sequence[LabelledWaveform],
    dev_records: Sequence[LabelledWaveform],
    folder: str | PathLike[str],
    *,
    strategy: str | TransferStrategy = "finetune",
    config: TrainConfig | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
) -> TrainResult:
    """Train a network by a strategy, starting from a parent.

    Args:
        parent: with weights; load it with ``rebalance=True``, so that one learning rate suits
            all of them. It is not changed.
        train_records: to learn from.
        dev_records: to choose the best epoch by; of other events than ``train_records``.
        folder: the run folder. If it holds an unfinished run of the same settings, that goes on.
        strategy: name, value or JSON of a strategy.
        config: the settings.
        on_epoch: called after each epoch, e.g. to show progress.

    Returns:
        The best network and how it came about. In ``folder``: ``config.json``, ``history.csv``,
        ``last.npz`` (weights and optimizer of the last epoch), ``best``, a preset folder (of the
        parent, if it was not beaten), and ``report.md``, with what the doctor found.

    Raises:
        ConfigError: for an unknown strategy, no records, an event on both sides, or a folder that
            holds a run of other settings.
    """
    config, strategy = config or TrainConfig(), strategy_of(strategy)
    strategy.check(parent.stages)
    check_no_leak(train_records, dev_records)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _claim(folder, parent, strategy, config)
    _make_repeatable(config.seed)

    learner = _Learner(parent, train_records, dev_records, strategy, config)
    history = learner.resume(folder)
    parent_loss = learner.parent_loss()
    best = min((r.dev_loss for r in history), default=math.inf)
    best = min(best, math.inf if math.isnan(parent_loss) else parent_loss)
    contract = _contract(parent, train_records[0], config, folder)
    for epoch in range(len(history), config.epochs):
        if _is_over(history, config.patience):
            break
        report = learner.run_epoch(epoch)
        history.append(report)
        if report.dev_loss < best:
            best = report.dev_loss
            learner.net.save_preset(folder / BEST, contract)
        learner.save(folder, history)
        if on_epoch:
            on_epoch(report)
    best_epoch = next((r.epoch for r in history if r.dev_loss == best), None)
    if best_epoch is None:
        net = parent
        parent.save_preset(folder / BEST, _kept_contract(parent, contract))
    else:
        _set_thresholds(folder / BEST, dev_records, config)
        net = PhaseNet.from_preset(folder / BEST)
    found = learner.findings(history, dev_records)
    result = TrainResult(net, tuple(history), best_epoch, parent_loss, folder, found)
    _write_report(result, strategy, config)
    return result


def check_no_leak(
    train_records: Sequence[LabelledWaveform], dev_records: Sequence[LabelledWaveform]
) -> None:
    """Refuse an event or a gather, or a record by name, on both sides.

    Raises:
        ConfigError: naming the first few.
    """
    if not train_records or not dev_records:
        raise ConfigError("training needs records to learn from and others to validate on")
    for field in ("event", "gather", "name"):
        ours = {getattr(record, field) for record in train_records} - {""}
        both = sorted(ours & {getattr(record, field) for record in dev_records})
        if both:
            raise ConfigError(
                f"{len(both)} {field}s are in training and validation, e.g. {', '.join(both[:3])}"
            )


def _set_thresholds(
    folder: Path, dev_records: Sequence[LabelledWaveform], config: TrainConfig
) -> None:
    """Write the thresholds that are best on the validation records into a preset."""
    net = PhaseNet.from_preset(folder)
    chosen = choose_thresholds(Picker(net), dev_records, config.tolerance_samples)
    net.save_preset(folder, thresholds=chosen)


class _Learner:
    """A network being trained: the one thing here that changes."""

    def __init__(
        self,
        parent: PhaseNet,
        train_records: Sequence[LabelledWaveform],
        dev_records: Sequence[LabelledWaveform],
        strategy: TransferStrategy,
        config: TrainConfig,
    ) -> None:
        self.parent, self.strategy, self.config = parent, strategy, config
        self.net = PhaseNet(parent.config)
        self.start = initial_weights(self.net, parent.get_weight_set(), strategy)
        self.net.set_weight_set(self.start)
        phases = parent.config.phases
        self.loss = masked_cross_entropy(len(phases), config.class_weights or None)
        self.net.compile(StageAdam(config.learning_rate), self.loss, jit_compile=False)
        build_optimizer(self.net)
        common: dict[str, Any] = {
            "channels": parent.config.channels,
            "phases": phases,
            "window_samples": config.window_samples,
            "label": config.label,
            "shift_samples": config.shift_samples,
            "mask_unknown": config.mask_unknown,
        }
        self.examples = ExampleMaker(
            train_records, steps=config.steps, alpha=config.alpha, seed=config.seed, **common
        )
        dev = ExampleMaker(dev_records, alpha=1.0, seed=config.seed, **common)
        self.dev_x, self.dev_y = dev.batch(0, range(2 * len(dev_records)))
        self.phase_start = -1

    def parent_loss(self) -> float:
        """Return the parent's validation loss; NaN if nothing of it is loaded."""
        if not self.strategy.load:
            return float("nan")
        return self._loss_of(self.parent)

    def run_epoch(self, epoch: int) -> EpochReport:
        """Train for one epoch and validate."""
        phase = self.strategy.at(epoch)
        if phase.start_epoch != self.phase_start:
            apply_phase(self.net, phase)
            self.net.make_train_function(force=True)
            self.phase_start = phase.start_epoch
        rate = self.learning_rate(epoch)
        self.net.optimizer.learning_rate = rate
        n_examples = len(self.examples.records) * self.config.windows_per_record
        rng = np.random.default_rng((self.config.seed, epoch))
        order = rng.permutation(n_examples).tolist()
        size = min(self.config.batch_size, n_examples)
        losses = []
        for begin in range(0, n_examples - size + 1, size):
            x, y = self.examples.batch(epoch, order[begin : begin + size])
            losses.append(float(self.net.train_on_batch(x, y)))
        return EpochReport(epoch, rate, float(np.mean(losses)), self._loss_of(self.net))

    def learning_rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch: a cosine from all to a hundredth."""
        part = epoch / max(1, self.config.epochs - 1)
        factor = FINAL_RATE + (1 - FINAL_RATE) * (1 + math.cos(math.pi * part)) / 2
        return self.config.learning_rate * factor

    def save(self, folder: Path, history: Sequence[EpochReport]) -> None:
        """Write all that the next epoch needs, and the history."""
        weights: dict[str, Any] = {
            f"net/{name}": a for name, a in self.net.get_weight_set().items()
        }
        optimizer: dict[str, Any] = {
            f"optimizer/{number}": keras.ops.convert_to_numpy(variable)
            for number, variable in enumerate(self.net.optimizer.variables)
        }
        with beside_then_rename(folder / STATE, "wb") as file:
            rows = np.array([list(asdict(report).values()) for report in history])
            np.savez(file, history=rows, **weights, **optimizer)
        with beside_then_rename(folder / HISTORY) as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(asdict(history[0]))
            writer.writerows(asdict(report).values() for report in history)

    def resume(self, folder: Path) -> list[EpochReport]:
        """Load the state of an unfinished run, if there is one; return its history."""
        if not (folder / STATE).is_file():
            return []
        with np.load(folder / STATE) as state:
            self.net.set_weight_set(
                {name[4:]: state[name] for name in state.files if name.startswith("net/")}
            )
            for number, variable in enumerate(self.net.optimizer.variables):
                variable.assign(state[f"optimizer/{number}"])
            rows = state["history"]
        return [EpochReport(int(row[0]), *map(float, row[1:])) for row in rows]

    def findings(
        self, history: Sequence[EpochReport], dev_records: Sequence[LabelledWaveform]
    ) -> tuple[Finding, ...]:
        """Return what is wrong with the run so far."""
        return examine(
            Examination(
                net=self.net,
                parent=self.parent,
                start=self.start,
                strategy=self.strategy,
                learning_rates=[report.learning_rate for report in history],
                train_losses=[report.train_loss for report in history],
                dev_losses=[report.dev_loss for report in history],
                train_records=self.examples.records,
                dev_records=dev_records,
                x=self.dev_x,
                y=self.dev_y,
                loss=self.loss,
            )
        )

    def _loss_of(self, net: PhaseNet) -> float:
        size = self.config.batch_size
        total = 0.0
        for begin in range(0, len(self.dev_x), size):
            x, y = self.dev_x[begin : begin + size], self.dev_y[begin : begin + size]
            total += float(self.loss(y, net(x, training=False))) * len(x)
        return total / len(self.dev_x)


def _claim(folder: Path, parent: PhaseNet, strategy: TransferStrategy, config: TrainConfig) -> None:
    """Write the settings of a run, or refuse a folder that holds a run of other settings."""
    settings = {
        "config": config.to_dict(),
        "strategy": strategy.to_dict(),
        "network": parent.config.to_dict(),
        "parent": None if parent.preset is None else parent.preset.name,
    }
    text = json.dumps(settings, indent=2, sort_keys=True) + "\n"
    path = folder / CONFIG
    if path.is_file() and path.read_text(encoding="utf-8") != text:
        raise ConfigError(
            f"{folder} holds a run of other settings: name another folder, or remove it"
        )
    with beside_then_rename(path) as file:
        file.write(text)


def _make_repeatable(seed: int) -> None:
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def _is_over(history: Sequence[EpochReport], patience: int) -> bool:
    if not history:
        return False
    best = min(history, key=lambda report: report.dev_loss)
    return len(history) - 1 - best.epoch >= patience


def _contract(
    parent: PhaseNet, record: LabelledWaveform, config: TrainConfig, folder: Path
) -> Preset:
    rate = record.waveform.sampling_rate
    changes: dict[str, Any] = {
        "name": folder.resolve().name,
        "sampling_rate": rate,
        "window_samples": config.window_samples,
        "min_distance_s": MIN_DISTANCE_SAMPLES / rate,
        "rebalance": False,
    }
    if parent.preset is None:
        return Preset(config=parent.config, **changes)
    origin = {k: v for k, v in parent.preset.source.items() if k != "url"}
    source = {**origin, "fine_tuned_from": parent.preset.name}
    text = f"fine-tuned from {parent.preset.name}"
    return replace(parent.preset, source=source, description=text, **changes)


def _kept_contract(parent: PhaseNet, contract: Preset) -> Preset:
    """Return the contract of a parent that was not beaten, at the rate that it was compared at."""
    own = parent.preset
    note = "kept, for training did not beat it on the validation records"
    if own is None:
        return replace(contract, description=f"the parent, {note}")
    return replace(
        own,
        sampling_rate=contract.sampling_rate,
        min_distance_s=own.min_distance_s * own.sampling_rate / contract.sampling_rate,
        source={key: value for key, value in own.source.items() if key != "url"},
        description=f"{own.name} at {contract.sampling_rate:g} Hz, {note}",
    )


def _write_report(result: TrainResult, strategy: TransferStrategy, config: TrainConfig) -> None:
    settings = {"strategy": strategy.name, **config.to_dict()}
    rows = [asdict(report) for report in result.history]
    with beside_then_rename(result.folder / REPORT) as file:
        file.write(run_report(result.verdict, result.findings, settings, rows))
