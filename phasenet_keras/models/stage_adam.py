"""Adam whose steps have a factor for each stage, and that may leave out what is frozen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

__all__ = ["StageAdam"]


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
        layer = path.rpartition("/")[0].rpartition("/")[2]  # empty for a variable of no layer
        super().update_step(gradient, variable, learning_rate * self.stage_scales.get(layer, 1.0))

    def stateless_apply(
        self, optimizer_variables: Sequence[Any], grads: Sequence[Any], trainable_variables: Any
    ) -> tuple[list[Any], list[Any]]:
        """Apply one step, as JAX does it, to the variables that are not frozen.

        Keras's own takes gradients of all variables that the optimizer was built for, or none.
        """
        learning = [variable for variable in self._trainable_variables if variable.trainable]
        of_variables = zip(learning, trainable_variables, strict=True)
        of_optimizer = zip(self.variables, optimizer_variables, strict=True)
        with keras.StatelessScope(state_mapping=[*of_variables, *of_optimizer]) as scope:
            self.apply(grads, learning)
        return (
            [scope.get_current_value(variable) for variable in learning],
            [scope.get_current_value(variable) for variable in self.variables],
        )
