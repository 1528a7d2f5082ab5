"""Applying a strategy to a Keras network: flags, optimizer, compiled step.

Keras 3 has traps here, each of which was measured: flags flipped after `fit` do nothing until the
training step is made anew; an optimizer built on the frozen subset knows nothing of the rest; a
learning rate of 0 does not stop batch-norm statistics.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from phasenet_keras.models.phasenet import PhaseNet
from phasenet_keras.training.transfer import FreezePhase, TransferStrategy, matching_stages

__all__ = ["StageAdam", "apply_phase", "build_optimizer", "initial_weights"]


@keras.saving.register_keras_serializable(package="phasenet_keras")
class StageAdam(keras.optimizers.Adam):
    """Adam whose learning rate has a factor for each stage.

    Scaling gradients would do nothing, for Adam divides by their size; here the step itself is
    scaled, so that steps are exactly in the ratio asked for.

    Attributes:
        stage_scales: factor by the variable's layer; 1 where there is none. It is read when the
            training step is compiled.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stage_scales: dict[str, float] = {}

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Apply one step with the factor of the variable's stage."""
        # TensorFlow's trainer hands over its own variables, which have a name but no path.
        path = getattr(variable, "path", None) or variable.name
        layer = path.split("/")[-2]
        super().update_step(gradient, variable, learning_rate * self.stage_scales.get(layer, 1.0))


def apply_phase(net: PhaseNet, phase: FreezePhase) -> None:
    """Set what may learn, and how fast. Call it after `build_optimizer`, before the step is made.

    Frozen batch norms run in inference mode: their statistics stay, too.
    """
    learning = matching_stages(phase.trainable, net.stages)
    scales: dict[str, float] = {}
    for stage in net.stages:
        for layer in net.stage_layers(stage):
            layer.trainable = stage in learning
            scales[layer.name] = phase.scale_of(stage)
    # Under float16, Keras wraps the optimizer in one that scales the loss.
    optimizer = getattr(net.optimizer, "inner_optimizer", net.optimizer)
    if isinstance(optimizer, StageAdam):
        optimizer.stage_scales = scales


def build_optimizer(net: PhaseNet) -> None:
    """Give the optimizer its state for all variables, frozen ones as well."""
    frozen = [layer for layer in net.layers if not layer.trainable]
    for layer in frozen:
        layer.trainable = True
    net.optimizer.build(net.trainable_variables)
    for layer in frozen:
        layer.trainable = False


def initial_weights(
    net: PhaseNet, parent: Mapping[str, np.ndarray], strategy: TransferStrategy
) -> dict[str, np.ndarray]:
    """Return the weights to start from: the parent's in the loaded stages, the net's elsewhere."""
    loaded = {
        layer.name for stage in strategy.loaded(net.stages) for layer in net.stage_layers(stage)
    }
    return {
        name: parent[name] if name.split("/")[0] in loaded else array
        for name, array in net.get_weight_set().items()
    }
