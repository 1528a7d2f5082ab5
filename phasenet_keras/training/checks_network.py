"""What the doctor sees in the layers of a network: dead and exploding filters, stale statistics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import ops

from phasenet_keras.models.phasenet import PhaseNet
from phasenet_keras.training.doctor import Finding

__all__ = ["check_batch_norms", "check_filters"]

# More would only cost time: the statistics of 64 windows are good to a percent.
CHECKED_WINDOWS = 64
# How much larger the loss may be with the stored statistics: by this factor, and by this (nats).
STALE_FACTOR, STALE_MARGIN = 1.5, 0.01
DEAD_SHARE = 0.5
DEAD_GAMMA = 1e-3
# The official network's activations reach 150 on records that it was not made for.
EXPLODED_ACTIVATION = 1e4


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


def check_filters(net: PhaseNet, x: np.ndarray) -> list[Finding]:
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
    found = []
    if dead:
        found.append(
            Finding(
                "dead filters",
                f"filters are zero for all validation records: {', '.join(dead)}; lower "
                "learning_rate, or start these stages from the parent's weights",
            )
        )
    if huge:
        found.append(
            Finding(
                "exploding filters",
                f"activations are above {EXPLODED_ACTIVATION:g} in {', '.join(huge)}: lower "
                "learning_rate, or load the parent with rebalance=True",
            )
        )
    return found


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
