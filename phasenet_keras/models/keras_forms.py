"""The fast forms of a network as plain Keras layers: batch norms folded, and polyphase."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers, ops

from phasenet_keras.models.folding import fold_batch_norms, level_offsets, window_of
from phasenet_keras.models.polyphase import LARGEST_EXPONENT, apply_polyphase, polyphase_weights

if TYPE_CHECKING:
    from phasenet_keras.models.phasenet import PhaseNet

__all__ = ["build_folded", "build_polyphase"]

# Of all tensors, whatever Keras's `image_data_format`.
LAYOUT = "channels_last"


class _KerasLayers:
    """Adds layers with given weights to a functional model.

    Tensors are ``(batch, 1, samples, channels)``: in TensorFlow ``Conv2D`` was 2 to 4 % faster
    than ``Conv1D``, which puts a squeeze between the convolution and its bias.

    Args:
        weights: ``layer/kernel`` (taps, in, out) and ``layer/bias``.
    """

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self._weights = weights

    def conv(
        self,
        x: Any,
        name: str,
        *,
        stride: int = 1,
        padding: str = "same",
        activation: str | None = "relu",
        transposed: bool = False,
    ) -> Any:
        kernel, bias = self._weights[f"{name}/kernel"], self._weights[f"{name}/bias"]
        layer_type = layers.Conv2DTranspose if transposed else layers.Conv2D
        layer = layer_type(
            len(bias),
            (1, len(kernel)),
            strides=(1, stride),
            padding=padding,
            data_format=LAYOUT,
            activation=activation,
            name=name,
            dtype="float32",
        )
        y = layer(x)
        layer.set_weights([kernel[None], bias])
        return y

    def pad(self, x: Any, left: int, right: int) -> Any:
        return layers.ZeroPadding2D(((0, 0), (left, right)), data_format=LAYOUT)(x)

    def cut(self, x: Any, left: int, right: int) -> Any:
        return layers.Cropping2D(((0, 0), (left, right)), data_format=LAYOUT)(x)

    def view(self, x: Any, n_channels: int) -> Any:
        return layers.Reshape((1, -1, n_channels))(x)

    def conv_both(self, x: Any, other: Any, name: str, *, stride: int = 1) -> Any:
        return self.conv(layers.Concatenate()([x, other]), name, stride=stride)

    def ratios(self, x: Any) -> Any:
        return ops.exp(ops.minimum(x, LARGEST_EXPONENT))

    def inverse(self, x: Any) -> Any:
        return 1.0 / x


def build_polyphase(net: PhaseNet, window_samples: int | None = None) -> keras.Model:
    """Return a network in polyphase form, as plain Keras layers, for inference in float32.

    Args:
        net: a `PhaseNet` of stride 4, kernel 7, two levels and two phases or more; its weights
            are copied.
        window_samples: the model takes lengths congruent to this one modulo
            ``net.config.grid_samples`` and fails at others. None takes the window of the
            network's contract, without one multiples of the grid.

    Returns:
        ``(batch, samples, channels)`` to probabilities ``(batch, samples, phases)``: those of
        ``net`` within 1e-5.

    Raises:
        ConfigError: if the network has another stride or kernel, fewer levels or phases.

    Example:
        >>> import numpy as np
        >>> from phasenet_keras import PhaseNet
        >>> build_polyphase(PhaseNet(depth=3))(np.zeros((1, 160, 3), "float32")).shape
        TensorShape([1, 160, 3])
    """
    config = net.config
    window = window_of(net, window_samples)
    build = _KerasLayers(polyphase_weights(net.get_weight_set(), config, window))
    x = keras.Input((None, len(config.channels)), name="waveform")
    y = apply_polyphase(build, build.view(x, len(config.channels)), config, window)
    return _model(x, y, len(config.phases), f"{net.name}_polyphase")


def build_folded(net: PhaseNet, window_samples: int | None = None) -> keras.Model:
    """Return any network with its batch norms folded; the rest as in `build_polyphase`.

    Raises:
        ConfigError: for a window below one sample.

    Example:
        >>> import numpy as np
        >>> from phasenet_keras import PhaseNet
        >>> build_folded(PhaseNet(depth=3, filters_root=2))(np.zeros((1, 32, 3), "float32")).shape
        TensorShape([1, 32, 3])
    """
    config = net.config
    offsets = level_offsets(window_of(net, window_samples), config)
    build = _KerasLayers(fold_batch_norms(net.get_weight_set(), config))

    def inner(x: Any, level: int) -> Any:
        x = build.conv(x, f"down{level}_conv")
        if level == config.depth - 1:
            return x
        up = inner(build.conv(x, f"down{level}_stride", stride=config.stride), level + 1)
        up = build.conv(up, f"up{level}_transpose", stride=config.stride, transposed=True)
        excess, left = offsets[level].excess, offsets[level].crop_left
        up = build.cut(up, left, excess - left) if excess else up
        return build.conv_both(x, up, f"up{level}_conv")

    x = keras.Input((None, len(config.channels)), name="waveform")
    y = build.conv(build.view(x, len(config.channels)), "input_conv")
    y = build.conv(inner(y, 0), "output_conv", activation=None)
    return _model(x, layers.Softmax()(y), len(config.phases), f"{net.name}_folded")


def _model(x: Any, y: Any, n_phases: int, name: str) -> keras.Model:
    """Return the model from ``x`` to ``y``, not trainable."""
    y = layers.Reshape((-1, n_phases), name="probabilities")(y)
    model = keras.Model(x, y, name=name)
    model.trainable = False
    return model
