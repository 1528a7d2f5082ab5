"""A network being trained, epoch by epoch; every step is a function of (seed, epoch, index).

Whatever an epoch needs is in a file after the one before, so that a killed run goes on where it was
and ends with the same weights as one that was never killed.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import keras
import numpy as np

from phasenet_keras.data.examples import ExampleMaker
from phasenet_keras.io.new_files import beside_then_rename
from phasenet_keras.models.contract import Preset
from phasenet_keras.models.loss import MaskedCrossEntropy
from phasenet_keras.models.phasenet import PhaseNet
from phasenet_keras.picking.picker import Picker
from phasenet_keras.training.config import TrainConfig
from phasenet_keras.training.devices import built_for_devices, made_repeatable
from phasenet_keras.training.evaluate import evaluate
from phasenet_keras.training.freezing import (
    StageAdam,
    apply_phase,
    build_optimizer,
    initial_weights,
)
from phasenet_keras.training.scores import as_good_as, mean_f1
from phasenet_keras.training.splits import spread
from phasenet_keras.training.teacher import Teacher
from phasenet_keras.training.transfer import TransferStrategy
from phasenet_keras.types import ConfigError, LabelledWaveform

__all__ = ["EpochReport", "Learner", "beats", "best_epoch", "is_over"]

Item = TypeVar("Item")
Made = TypeVar("Made")

STATE, HISTORY = "last.npz", "history.csv"
# The learning rate of the last epoch, as a part of the first one's, along the cosine.
FINAL_RATE = 0.01
# Picking more validation records than this after each epoch would cost more than it tells.
MAX_DEV_RECORDS = 128


@dataclass(frozen=True)
class EpochReport:
    """What an epoch came to.

    Attributes:
        epoch: from 0.
        learning_rate: of the epoch.
        train_loss, dev_loss: mean loss on training windows and validation windows, in nats a
            sample; NaN without validation records.
        dev_f1: F1 on the validation records, mean of the phases that are labelled there.
    """

    epoch: int
    learning_rate: float
    train_loss: float
    dev_loss: float
    dev_f1: float


def best_epoch(history: Sequence[EpochReport], n_labels: int) -> int | None:
    """Return the last epoch whose F1 is within one standard error of the highest; None without.

    Few validation labels tell epochs apart but roughly, and the later one has learnt more.
    """
    rated = [report for report in history if math.isfinite(report.dev_f1)]
    if not rated:
        return None
    least = as_good_as(max(report.dev_f1 for report in rated), n_labels)
    return max(report.epoch for report in rated if report.dev_f1 >= least)


def beats(report: EpochReport, parent_loss: float, parent_f1: float) -> bool:
    """Tell if an epoch is better than the parent: in F1, or where that is equal in loss.

    Where neither finds a label, a lower loss is no success.
    """
    if math.isnan(parent_f1) or report.dev_f1 > parent_f1:
        return True
    return 0 < report.dev_f1 == parent_f1 and report.dev_loss < parent_loss


def is_over(history: Sequence[EpochReport], patience: int) -> bool:
    """Tell if neither F1 nor loss has been as good as its best for long enough."""
    if not history:
        return False
    best = max(history, key=lambda report: (report.dev_f1, report.epoch))
    lowest = int(np.argmin([report.dev_loss for report in history]))
    return len(history) - 1 - max(best.epoch, lowest) >= patience


class Learner:
    """A network and all that trains it.

    Args:
        parent: the network to start from; it is not changed.
        train_records: to learn from.
        dev_records: to validate on; none in a refit.
        strategy: what is loaded, what is frozen and when.
        config: the settings.
        contract: what the trained network is to be fed; its thresholds score validation picks.
        weights: how far the labels of training records are to be trusted, as in `ExampleMaker`.
        teacher: whose answers are a part of the targets; validation has the labels alone.
    """

    def __init__(
        self,
        parent: PhaseNet,
        train_records: Sequence[LabelledWaveform],
        dev_records: Sequence[LabelledWaveform],
        strategy: TransferStrategy,
        config: TrainConfig,
        contract: Preset,
        weights: Mapping[str, Mapping[str, float]] | None = None,
        teacher: Teacher | None = None,
    ) -> None:
        made_repeatable(config.seed)
        self.weights, self.teacher = weights, teacher
        self.parent, self.strategy, self.config, self.contract = parent, strategy, config, contract
        phases = parent.config.phases
        self.loss = MaskedCrossEntropy(len(phases), config.class_weights or None)
        with built_for_devices(config.precision) as self.devices:
            self.net = PhaseNet(parent.config)
            self.net.compile(
                StageAdam(config.learning_rate), self._loss_of_device, jit_compile=False
            )
            self.start = initial_weights(self.net, parent.get_weight_set(), strategy)
            self.net.set_weight_set(self.start)
            build_optimizer(self.net)
        common: dict[str, Any] = {
            "channels": parent.config.channels,
            "phases": phases,
            "window_samples": config.window_samples,
            "label": config.label,
            "shift_samples": config.shift_samples,
            "mask_unknown": config.mask_unknown,
            "normalization": contract.normalization,
        }
        self.examples = ExampleMaker(
            train_records,
            steps=config.steps,
            alpha=config.alpha,
            seed=config.seed,
            weights={} if weights is None else weights,
            **common,
        )
        if self.devices.strategy:  # Keras builds its loss from whole batches only
            self.net.test_on_batch(*self.examples.batch(0, [0]))
        self.dev_records = spread(dev_records, MAX_DEV_RECORDS)
        self.n_dev_labels = sum(
            len(samples) for record in self.dev_records for samples in record.arrivals.values()
        )
        # Of each phase, the most labels that the parent or the network after an epoch found.
        self.dev_found = dict.fromkeys(phases[1:], 0)
        self.dev_x, self.dev_y = np.empty((0, 0, 0)), np.empty((0, 0, 0))
        if dev_records:
            dev = ExampleMaker(dev_records, alpha=1.0, seed=config.seed, **common)
            self.dev_x, self.dev_y = dev.batch(0, range(min(2 * len(dev_records), 512)))
        self._picker = Picker(self.net, preset=contract, sampling="reinterpret", follow=True)
        self._phase_start = -1

    def anew(self, records: Sequence[LabelledWaveform], contract: Preset) -> Learner:
        """Return what trains by the same settings from the start, on other records, all of them."""
        again = (self.parent, records, (), self.strategy, self.config, contract)
        return Learner(*again, self.weights, self.teacher)

    def parent_scores(self) -> tuple[float, float]:
        """Return validation loss and F1 of the parent; NaN if nothing of it is loaded."""
        if not self.strategy.load or not self.dev_records:
            return (math.nan, math.nan)
        contract = self.parent.preset or self.contract
        picker = Picker(self.parent, preset=contract, sampling="reinterpret")
        return self._loss_of(self.parent), self._f1_of(picker)

    def run_epoch(self, epoch: int) -> EpochReport:
        """Train for one epoch and validate."""
        phase = self.strategy.at(epoch)
        if phase.start_epoch != self._phase_start:
            apply_phase(self.net, phase)
            self.net.make_train_function(force=True)
            self._phase_start = phase.start_epoch
        rate = self.learning_rate(epoch)
        self.net.optimizer.learning_rate = rate
        n_examples = len(self.examples.records) * self.config.windows_of(len(self.examples.records))
        rng = np.random.default_rng((self.config.seed, epoch))
        order = rng.permutation(n_examples).tolist()
        size = self.devices.batch_size(min(self.config.batch_size, n_examples))
        chosen = [order[begin : begin + size] for begin in range(0, n_examples - size + 1, size)]
        losses = [self._train_on(x, y) for x, y in _ahead(partial(self._batch, epoch), chosen)]
        dev_loss, dev_f1 = math.nan, math.nan
        if self.dev_records:
            dev_loss, dev_f1 = self._loss_of(self.net), self._f1_of(self._picker)
        return EpochReport(epoch, rate, float(np.mean(losses)), dev_loss, dev_f1)

    def _batch(self, epoch: int, indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        x, y = self.examples.batch(epoch, indices)
        return x, self.teacher.targets(x, y) if self.teacher else y

    def learning_rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch by the configured schedule."""
        if self.config.schedule == "constant":
            return self.config.learning_rate
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
            found = list(self.dev_found.values())
            np.savez(file, history=rows, dev_found=found, **weights, **optimizer)
        with beside_then_rename(folder / HISTORY) as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(asdict(history[0]))
            writer.writerows(asdict(report).values() for report in history)

    def resume(self, folder: Path) -> list[EpochReport]:
        """Load the state of an unfinished run, if there is one; return its history.

        Raises:
            ConfigError: if it cannot be read: files are whole once they have their name, so that
                only a copy is cut short, and the whole one may be somewhere.
        """
        path = folder / STATE
        if not path.is_file():
            return []
        try:
            return self._load(path)
        except (OSError, EOFError, BadZipFile, KeyError, ValueError) as error:
            raise ConfigError(
                f"{path}, the state of an unfinished run, cannot be read ({error}): put a whole "
                "copy in its place, or remove it, and the run begins anew"
            ) from error

    def _load(self, path: Path) -> list[EpochReport]:
        with np.load(path) as state:
            self.net.set_weight_set(
                {name[4:]: state[name] for name in state.files if name.startswith("net/")}
            )
            for number, variable in enumerate(self.net.optimizer.variables):
                variable.assign(state[f"optimizer/{number}"])
            rows = state["history"]
            if "dev_found" in state.files:  # not in runs that were begun before it was kept
                self._note_found(
                    dict(zip(self.dev_found, state["dev_found"].tolist(), strict=True))
                )
        return [EpochReport(int(row[0]), *map(float, row[1:])) for row in rows]

    def _train_on(self, x: np.ndarray, y: np.ndarray) -> float:
        self.net.reset_metrics()  # Keras 3.8 gives the mean of all batches so far
        return float(self.net.train_on_batch(self.devices.share(x), self.devices.share(y)))

    def _loss_of_device(self, y_true: Any, y_pred: Any) -> Any:
        """Return what a device adds to the loss; Keras adds up those of all."""
        loss = keras.ops.mean(self.loss.call(y_true, y_pred))
        return loss / self.devices.n if self.devices.strategy else loss

    def _loss_of(self, net: PhaseNet) -> float:
        size = self.config.batch_size
        total = 0.0
        for begin in range(0, len(self.dev_x), size):
            x, y = self.dev_x[begin : begin + size], self.dev_y[begin : begin + size]
            total += float(self.loss(y, net(x, training=False))) * len(x)
        return total / len(self.dev_x)

    def _f1_of(self, picker: Picker) -> float:
        scores = evaluate(
            picker, self.dev_records, tolerance_samples=self.config.tolerance_samples, bootstrap=0
        )
        self._note_found({phase: score.n_matched for phase, score in scores.items()})
        return mean_f1(scores)

    def _note_found(self, found: Mapping[str, int]) -> None:
        self.dev_found = {p: max(n, found.get(p, 0)) for p, n in self.dev_found.items()}


def _ahead(make: Callable[[Item], Made], items: Sequence[Item]) -> Iterator[Made]:
    """Yield what is made of each item, in order; the next is made while this one is used."""
    with ThreadPoolExecutor(max_workers=1) as worker:
        following = worker.submit(make, items[0])
        for item in items[1:]:
            made = following.result()
            following = worker.submit(make, item)
            yield made
        yield following.result()
