"""The loss: cross-entropy that leaves out what nobody labelled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from phasenet_keras.data.settings import class_factors, settled, whole
from phasenet_keras.types import ShapeError

__all__ = ["MaskedCrossEntropy"]


@keras.saving.register_keras_serializable(package="phasenet_keras")
class MaskedCrossEntropy(keras.losses.Loss):
    """Cross-entropy for targets with a mask, as `ExampleMaker` makes them.

    A phase that was not labelled in a record is unknown: it may be where noise is said to be. Its
    probability therefore counts as noise there, so that nothing is learnt about it, neither that
    it is there nor that it is not.

    A phase may be known in part, with a weight between 0 and 1, as a pseudo label is: its arrivals
    count with that weight, and the rest of its probability counts as noise. Noise itself is known.

    ``y_true`` is ``(batch, samples, 2 * n_phases)``: target, then how far each phase is known, from
    0 to 1. The loss is the mean over batch and samples, in nats: at first it is about
    ``ln(n_phases)``.

    Args:
        n_phases: of the network, noise first.
        class_weights: factor of each phase's term; None is 1 for all.
        name: as in Keras.
        reduction: as in Keras.

    Raises:
        ConfigError: for another number of factors, or impossible ones.
        ShapeError: when called, for targets that do not fit.

    Example:
        >>> import numpy as np
        >>> target = np.array([[[0.0, 1.0, 0.0]]])
        >>> y = np.concatenate([target, np.ones_like(target)], axis=-1)
        >>> loss = MaskedCrossEntropy(3)
        >>> round(float(loss(y, np.array([[[0.3, 0.6, 0.1]]]))), 4)  # -ln(0.6)
        0.5108
    """

    def __init__(
        self,
        n_phases: int,
        class_weights: Sequence[float] | None = None,
        name: str = "masked_cross_entropy",
        reduction: str = "sum_over_batch_size",
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype="float32")
        self.n_phases = settled("n_phases", whole(2), n_phases)
        factors = (1.0,) * self.n_phases if class_weights is None else class_weights
        self.class_weights = class_factors(factors, self.n_phases)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each sample, ``(batch, samples)``."""
        self._check_shapes(tuple(y_true.shape), tuple(y_pred.shape))
        # The network's output is float32; Keras casts it to its `floatx`.
        y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
        target, known = y_true[..., : self.n_phases], y_true[..., self.n_phases :]
        unknown = ops.sum((1.0 - known) * y_pred, axis=-1, keepdims=True)
        noise = y_pred[..., :1] + unknown
        merged = ops.concatenate([noise, y_pred[..., 1:]], axis=-1)
        logs = ops.log(ops.clip(merged, keras.config.epsilon(), 1.0))
        weights = ops.convert_to_tensor(self.class_weights, "float32")
        return -ops.sum(weights * known * target * logs, axis=-1)

    def _check_shapes(self, y_true: tuple[int | None, ...], y_pred: tuple[int | None, ...]) -> None:
        """Refuse what would be broadcast; sizes that are not known yet fit."""
        n = self.n_phases
        expected = (*y_pred[:-1], 2 * n)
        if (
            y_pred[-1] != n
            or len(y_true) != len(expected)
            or any(
                None not in pair and pair[0] != pair[1]
                for pair in zip(y_true, expected, strict=True)
            )
        ):
            raise ShapeError(
                f"for {n} phases a prediction is (batch, samples, {n}) and its target (batch, "
                f"samples, {2 * n}): labels, then how far each phase is known (1 where it was "
                f"looked for), received {y_pred} and {y_true}"
            )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, from which Keras makes the loss of a saved model."""
        settings = {"n_phases": self.n_phases, "class_weights": list(self.class_weights)}
        return {**settings, "name": self.name, "reduction": self.reduction}
