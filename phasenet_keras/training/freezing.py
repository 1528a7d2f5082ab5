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
from phasenet_keras.models.stage_adam import StageAdam
from phasenet_keras.training.transfer import (
    FreezePhase,
    TransferStrategy,
    matching_stages,
    strategy_of,
)
from phasenet_keras.types import ConfigError

__all__ = ["FreezeCallback", "StageAdam", "apply_phase", "build_optimizer", "initial_weights"]


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
    optimizer = _inner(net.optimizer)
    if isinstance(optimizer, StageAdam):
        optimizer.stage_scales = scales


def _inner(optimizer: Any) -> Any:
    """Return the optimizer itself: under float16, Keras wraps it in one that scales the loss."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def build_optimizer(net: PhaseNet) -> None:
    """Give the optimizer its state for all variables, frozen ones as well."""
    frozen = [layer for layer in net.layers if not layer.trainable]
    for layer in frozen:
        layer.trainable = True
    net.optimizer.build(net.trainable_variables)
    for layer in frozen:
        layer.trainable = False


class FreezeCallback(keras.callbacks.Callback):
    """Lets a `fit` of your own follow a strategy: what learns, from which epoch on, and how fast.

    Weights are as you have loaded them; what the strategy says of loading is not done. It sets
    ``trainable`` of all layers, whatever that was; after the `fit` they are as the last epoch left
    them: frozen layers stay frozen, and `train` refuses such a network as a parent until they are
    thawed (``for layer in net.layers: layer.trainable = True``). The contract of the network stays
    its parent's: see ``docs/how-to/strategy.md``.

    Args:
        strategy: name, value or JSON of a strategy.

    Raises:
        ConfigError: when training begins, if the model is no `PhaseNet`, the strategy names no
            stage of it, or the optimizer is no `StageAdam` where it must be one: under JAX, and
            where the strategy has factors of the learning rate.

    Example:
        >>> from phasenet_keras import PhaseNet
        >>> x, y = np.ones((4, 64, 1)), np.full((4, 64, 3), 1 / 3)
        >>> net = PhaseNet(channels="Z", depth=3)
        >>> net.compile(StageAdam(1e-3), "categorical_crossentropy")
        >>> callbacks = [FreezeCallback("freeze_encoder")]
        >>> _ = net.fit(x, y, epochs=1, verbose=0, callbacks=callbacks)
        >>> [stage for stage in net.stages if net.stage_layers(stage)[0].trainable]
        ['up1', 'up0', 'output']
    """

    def __init__(self, strategy: str | TransferStrategy) -> None:
        super().__init__()
        self.strategy = strategy_of(strategy)
        self._phase: FreezePhase | None = None

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Check the strategy, and give the optimizer its state for all variables."""
        if not isinstance(self.model, PhaseNet):
            raise ConfigError(
                f"a strategy names stages of a PhaseNet, received a {type(self.model).__name__}"
            )
        self.strategy.check(self.model.stages)
        optimizer = _inner(self.model.optimizer)
        name = self.strategy.name
        needs = ""
        if any(phase.lr_scale for phase in self.strategy.freeze.phases):
            needs = f"strategy '{name}' has factors of the learning rate"
        elif keras.backend.backend() == "jax":
            needs = f"under JAX Keras's own optimizers cannot follow strategy '{name}'"
        if needs and not isinstance(optimizer, StageAdam):
            raise ConfigError(
                f"{needs}: compile with phasenet_keras.training.freezing.StageAdam, not "
                f"{type(optimizer).__name__}"
            )
        build_optimizer(self.model)
        self._phase = None

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Apply the epoch's phase, where it is a new one."""
        phase = self.strategy.at(epoch)
        if phase != self._phase:
            apply_phase(self.model, phase)
            self.model.make_train_function(force=True)
            self._phase = phase


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
