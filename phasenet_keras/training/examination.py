"""All of the doctor's checks of one training run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from phasenet_keras.models.phasenet import PhaseNet
from phasenet_keras.training.checks_data import (
    check_channels,
    check_labels,
    check_split,
    check_variety,
)
from phasenet_keras.training.checks_network import check_batch_norms, check_filters
from phasenet_keras.training.doctor import (
    Finding,
    check_found,
    check_history,
    check_label_order,
    check_losses,
    check_outputs,
    check_regularizer,
    check_weights,
)
from phasenet_keras.training.freezing import apply_phase
from phasenet_keras.training.transfer import TransferStrategy
from phasenet_keras.types import LabelledWaveform

__all__ = ["Examination", "examine"]

BATCH = 64


@dataclass(frozen=True, eq=False)
class Examination:
    """What the doctor is shown.

    Attributes:
        net: as it is after the last epoch.
        parent: that it started from.
        start: the weights that training started from.
        strategy: of the run.
        learning_rates, train_losses, dev_losses: of each epoch; losses in nats a sample.
        kept_epoch: that the result is of; None where the parent is kept.
        train_records, dev_records: to learn from, and to validate on.
        x: validation windows, ``(batch, samples, channels)``.
        y: their targets, as ``loss`` takes them: the labels are the first columns.
        loss: ``loss(y_true, y_pred)``, without regularisers.
        dev_found: the most labels of each phase that the parent or the network after an epoch
            found in ``scored_records``, the validation records that are picked after each epoch.
        tolerance_samples: greatest distance of a pick and its label there.
    """

    net: PhaseNet
    parent: PhaseNet
    start: Mapping[str, np.ndarray]
    strategy: TransferStrategy
    learning_rates: Sequence[float]
    train_losses: Sequence[float]
    dev_losses: Sequence[float]
    kept_epoch: int | None
    train_records: Sequence[LabelledWaveform]
    dev_records: Sequence[LabelledWaveform]
    x: np.ndarray
    y: np.ndarray
    loss: Callable[[Any, Any], Any]
    scored_records: Sequence[LabelledWaveform]
    dev_found: Mapping[str, int]
    tolerance_samples: float


def examine(run: Examination) -> tuple[Finding, ...]:
    """Return what is wrong with a run; nothing if it is well.

    The network's layers get the flags of the last epoch, which a resumed run has not set yet.
    """
    apply_phase(run.net, run.strategy.at(len(run.dev_losses) - 1))
    return (*_of_history(run), *_of_data(run), *_of_scores(run), *_of_network(run))


def _of_history(run: Examination) -> list[Finding]:
    n_phases = len(run.net.config.phases)
    alike = np.full((*run.y.shape[:2], n_phases), 1 / n_phases, np.float32)
    found = check_history(
        run.train_losses[0], run.learning_rates, n_phases, float(run.loss(run.y, alike))
    )
    if math.isfinite(run.train_losses[0]):
        found += check_losses(run.train_losses, run.dev_losses, run.kept_epoch)
    return found + check_regularizer(run.dev_losses[-1], float(sum(run.net.losses)))


def _of_data(run: Examination) -> list[Finding]:
    config = run.net.config
    return [
        *check_channels(run.train_records, config.channels),
        *check_labels([*run.train_records, *run.dev_records], config.phases),
        *check_split(run.train_records, run.dev_records),
        *check_variety(run.dev_records),
    ]


def _of_scores(run: Examination) -> list[Finding]:
    if not run.strategy.load:  # there is no parent, and a short run finds nothing
        return []
    n_labels = {
        phase: sum(len(record.arrivals.get(phase, ())) for record in run.scored_records)
        for phase in run.net.config.phases[1:]
    }
    return check_found(n_labels, run.dev_found, run.tolerance_samples)


def _of_network(run: Examination) -> list[Finding]:
    answers = _answers(run.net, run.x)
    labelled = {p for record in run.dev_records for p, at in record.arrivals.items() if at}
    weights, n_epochs = run.net.get_weight_set(), len(run.dev_losses)
    found = check_weights(run.start, weights, run.strategy, run.net.stages, n_epochs)
    phases = run.net.config.phases
    found += check_outputs(answers, phases, labelled)
    swapped: list[Finding] = []
    if run.strategy.load:
        swapped = check_label_order(_answers(run.parent, run.x), run.y, phases)
    # What was learnt from labels in order does not fit validation labels that are not.
    found += swapped or check_label_order(answers, run.y, phases)
    if np.isfinite(answers).all():
        found += check_filters(run.net, run.x)
        found += check_batch_norms(run.net, run.x, run.y, run.loss)
    return found


def _answers(net: PhaseNet, x: np.ndarray) -> np.ndarray:
    parts = [net(x[begin : begin + BATCH], training=False) for begin in range(0, len(x), BATCH)]
    return np.concatenate([ops.convert_to_numpy(part) for part in parts])
