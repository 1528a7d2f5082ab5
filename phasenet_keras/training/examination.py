"""The doctor's examination of a finished run: history, records, scores, answers, and layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from phasenet_keras.models.phasenet import PhaseNet
from phasenet_keras.training.checks_arrivals import check_labels
from phasenet_keras.training.checks_data import (
    check_channels,
    check_split,
    check_taught,
    check_variety,
)
from phasenet_keras.training.doctor import (
    Finding,
    check_found,
    check_history,
    check_label_order,
    check_losses,
    check_outputs,
    check_regularizer,
    check_weights,
    listed,
)
from phasenet_keras.training.freezing import apply_phase
from phasenet_keras.types import LabelledWaveform

if TYPE_CHECKING:
    from phasenet_keras.training.learner import EpochReport, Learner

__all__ = ["check_batch_norms", "check_filters", "examine"]

BATCH = 64
# More would only cost time: the statistics of 64 windows are good to a percent.
CHECKED_WINDOWS = 64
# How much larger the loss may be with the stored statistics: by this factor, and by this (nats).
STALE_FACTOR, STALE_MARGIN = 1.5, 0.01
DEAD_SHARE = 0.5
DEAD_GAMMA = 1e-3
# The official network's activations reach 150 on records that it was not made for.
EXPLODED_ACTIVATION = 1e4


def examine(
    run: Learner,
    history: Sequence[EpochReport],
    dev_records: Sequence[LabelledWaveform],
    kept_epoch: int | None,
) -> tuple[Finding, ...]:
    """Return what is wrong with a run; nothing if it is well.

    The network's layers get the flags of the last epoch, which a resumed run has not set yet.
    Without an epoch that is kept, the parent is.
    """
    apply_phase(run.net, run.strategy.at(len(history) - 1))
    return (
        *_of_history(run, history, kept_epoch),
        *_of_data(run, dev_records, kept_epoch is not None),
        *_of_scores(run),
        *_of_network(run, len(history), dev_records),
    )


def _of_history(
    run: Learner, history: Sequence[EpochReport], kept_epoch: int | None
) -> list[Finding]:
    n_phases = len(run.net.config.phases)
    alike = np.full((*run.dev_y.shape[:2], n_phases), 1 / n_phases, np.float32)
    rates, losses, dev_losses = (
        [getattr(report, name) for report in history]
        for name in ("learning_rate", "train_loss", "dev_loss")
    )
    return [
        *check_history(losses[0], rates, n_phases, float(run.loss(run.dev_y, alike))),
        *check_losses(losses, dev_losses, kept_epoch),
        *check_regularizer(dev_losses[-1], float(sum(run.net.losses))),
    ]


def _of_data(run: Learner, dev_records: Sequence[LabelledWaveform], is_kept: bool) -> list[Finding]:
    config, records = run.net.config, run.examples.records
    untaught = run.contract.unpicked if is_kept else ()  # a parent keeps its thresholds
    return [
        *check_taught(untaught, has_parent=bool(run.strategy.load)),
        *check_channels(records, config.channels),
        *check_labels([*records, *dev_records], config.phases),
        *check_split(records, dev_records),
        *check_variety(dev_records),
    ]


def _of_scores(run: Learner) -> list[Finding]:
    if not run.strategy.load:  # there is no parent, and a short run finds nothing
        return []
    n_labels = {
        phase: sum(len(record.arrivals.get(phase, ())) for record in run.dev_records)
        for phase in run.net.config.phases[1:]
    }
    return check_found(n_labels, run.dev_found, run.config.tolerance_samples)


def _of_network(
    run: Learner, n_epochs: int, dev_records: Sequence[LabelledWaveform]
) -> list[Finding]:
    x, y, phases = run.dev_x, run.dev_y, run.net.config.phases
    answers = _answers(run.net, x)
    labelled = {p for record in dev_records for p, at in record.arrivals.items() if at}
    weights = run.net.get_weight_set()
    found = check_weights(run.start, weights, run.strategy, run.net.stages, n_epochs)
    found += check_outputs(answers, phases, labelled)
    swapped: list[Finding] = []
    if run.strategy.load:
        swapped = check_label_order(_answers(run.parent, x), y, phases)
    # What was learnt from labels in order does not fit validation labels that are not.
    found += swapped or check_label_order(answers, y, phases)
    if np.isfinite(answers).all():
        found += check_filters(run.net, x)
        found += check_batch_norms(run.net, x, y, run.loss)
    return found


def _answers(net: PhaseNet, x: np.ndarray) -> np.ndarray:
    parts = [net(x[begin : begin + BATCH], training=False) for begin in range(0, len(x), BATCH)]
    return np.concatenate([ops.convert_to_numpy(part) for part in parts])


def check_batch_norms(
    net: PhaseNet, x: np.ndarray, y: np.ndarray, loss: Callable[[Any, Any], Any]
) -> list[Finding]:
    """Compare the stored statistics of batch norms that learn with those of the data.

    Stale ones show in the loss: it is far lower if the network is let use the batch's statistics.
    Frozen batch norms use their stored ones always, and are not judged.

    Args:
        net: after training, with the layers frozen that were. It is not changed.
        x: validation windows, ``(batch, samples, channels)``.
        y: their targets, as ``loss`` takes them.
        loss: ``loss(y_true, y_pred)``, the mean in nats a sample.
    """
    x, y = x[:CHECKED_WINDOWS], y[:CHECKED_WINDOWS]
    twin = _twin(net)
    norms = [norm for norm in _batch_norms(twin) if norm.trainable]
    if not norms:
        return []
    stored = float(loss(y, twin(x, training=False)))
    before = twin.get_weight_set()
    for norm in norms:
        # With momentum 0 the stored statistics become those of the batch.
        norm.momentum = 0.0
    of_batch = float(loss(y, twin(x, training=True)))
    if not stored > STALE_FACTOR * of_batch + STALE_MARGIN:
        return []
    after = twin.get_weight_set()
    far = {norm.name: _distance(norm, before, after) for norm in norms}
    worst = sorted(far, key=lambda name: -far[name])[:3]
    return [
        Finding(
            "batch-norm statistics stale",
            f"the validation loss is {stored:.3f} with the stored statistics and {of_batch:.3f} "
            f"with the data's own; farthest off are {', '.join(worst)}: train for more steps (the "
            "statistics follow by a hundredth a step), lower learning_rate, or freeze these stages",
        )
    ]


@listed
def check_filters(net: PhaseNet, x: np.ndarray) -> Iterator[Finding]:
    """Look for stages most of whose filters are dead, and for filters that explode.

    A filter is dead if it is zero after the ReLU for all windows, or its gamma is next to zero.

    Args:
        net: after training. It is not changed.
        x: validation windows, ``(batch, samples, channels)``.
    """
    peaks = _largest_activations(net, x[:CHECKED_WINDOWS])
    weights = net.get_weight_set()
    dead, huge = [], []
    for stage in net.stages:
        names = [layer.name for layer in net.stage_layers(stage) if layer.name in peaks]
        if not names:
            continue
        peak = np.concatenate([peaks[name] for name in names])
        gamma = np.concatenate([weights[f"{name}/gamma"] for name in names])
        is_dead = (peak <= 0) | (np.abs(gamma) < DEAD_GAMMA)
        if is_dead.mean() > DEAD_SHARE:
            dead.append(f"{int(is_dead.sum())} of {len(is_dead)} in {stage}")
        if not (peak < EXPLODED_ACTIVATION).all():
            huge.append(f"{stage} ({float(peak.max()):.1g})")
    if dead:
        yield Finding(
            "dead filters",
            f"filters are zero for all validation records: {', '.join(dead)}; lower "
            "learning_rate, or start these stages from the parent's weights",
        )
    if huge:
        yield Finding(
            "exploding filters",
            f"activations are above {EXPLODED_ACTIVATION:g} in {', '.join(huge)}: lower "
            "learning_rate, or load the parent with rebalance=True",
        )


def _largest_activations(net: PhaseNet, x: np.ndarray) -> dict[str, np.ndarray]:
    """Return the largest value of each filter of each batch norm, before the ReLU."""
    twin = _twin(net)
    inputs = keras.Input(x.shape[1:])
    # `call`, not the network itself: so its layers become nodes with outputs to be asked for.
    twin.call(inputs, training=False)
    norms = _batch_norms(twin)
    probe = keras.Model(inputs, [ops.max(norm.output, axis=1) for norm in norms])
    peaks = [ops.convert_to_numpy(peak) for peak in probe(x, training=False)]
    return {norm.name: peak.max(axis=0) for norm, peak in zip(norms, peaks, strict=True)}


def _distance(
    norm: keras.Layer, before: dict[str, np.ndarray], after: dict[str, np.ndarray]
) -> float:
    """Return how far stored statistics are off: of the means in standard deviations, and ratios."""
    mean, variance = (f"{norm.name}/moving_{what}" for what in ("mean", "variance"))
    size = np.sqrt(after[variance] + norm.epsilon)
    shift = np.abs(before[mean] - after[mean]) / size
    stretch = np.abs(np.log(np.sqrt(before[variance] + norm.epsilon) / size))
    return float(np.mean(shift + stretch))


def _batch_norms(net: PhaseNet) -> list[keras.layers.BatchNormalization]:
    layers = [layer for stage in net.stages for layer in net.stage_layers(stage)]
    return [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]


def _twin(net: PhaseNet) -> PhaseNet:
    """Return a copy to try things on: same weights, same frozen layers, no dropout."""
    twin = PhaseNet(replace(net.config, dropout_rate=0.0))
    twin.set_weight_set(net.get_weight_set())
    for stage in net.stages:
        for ours, theirs in zip(twin.stage_layers(stage), net.stage_layers(stage), strict=True):
            ours.trainable = theirs.trainable
    return twin
