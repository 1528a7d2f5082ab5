"""The loss: cross-entropy that leaves out what nobody labelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

__all__ = ["masked_cross_entropy"]


def masked_cross_entropy(
    n_phases: int, class_weights: tuple[float, ...] | None = None
) -> Callable[[Any, Any], Any]:
    """Return a loss for targets with a mask, as `ExampleMaker` makes them.

    A phase that was not labelled in a record is unknown: it may be where noise is said to be. Its
    probability therefore counts as noise there, so that nothing is learnt about it, neither that
    it is there nor that it is not.

    A phase may be known in part, with a weight between 0 and 1, as a pseudo label is: its arrivals
    count with that weight, and the rest of its probability counts as noise. Noise itself is known.

    Args:
        n_phases: of the network, noise first.
        class_weights: factor of each phase's term; None is 1 for all.

    Returns:
        ``loss(y_true, y_pred)`` with ``y_true`` of ``(batch, samples, 2 * n_phases)``: target,
        then how far each phase is known, from 0 to 1. The loss is the mean over batch and samples,
        in nats: at first it is about ``ln(n_phases)``.
    """
    weights = ops.convert_to_tensor(class_weights or (1.0,) * n_phases, "float32")

    def loss(y_true: Any, y_pred: Any) -> Any:
        target, known = y_true[..., :n_phases], y_true[..., n_phases:]
        unknown = ops.sum((1.0 - known) * y_pred, axis=-1, keepdims=True)
        noise = y_pred[..., :1] + unknown
        merged = ops.concatenate([noise, y_pred[..., 1:]], axis=-1)
        logs = ops.log(ops.clip(merged, keras.config.epsilon(), 1.0))
        return -ops.mean(ops.sum(weights * known * target * logs, axis=-1))

    return loss
