"""A network as a plain function on arrays, compiled for whatever backend Keras runs on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from phasenet_keras.types import ConfigError

if TYPE_CHECKING:
    from phasenet_keras.models.phasenet import PhaseNet

__all__ = ["compile_forward"]

Forward = Callable[[np.ndarray], np.ndarray]


def compile_forward(
    net: PhaseNet, window_samples: int | None = None, *, follow: bool = False
) -> Forward:
    """Return ``(batch, samples, channels) -> (batch, samples, phases)`` on NumPy arrays.

    On TensorFlow it is one graph for all lengths, without XLA, which does not pay on a CPU and
    would compile anew for each length. The graph is made at the first call, from a copy of the
    weights with batch norms folded, in polyphase form where the network has one. Lengths that are
    not congruent to ``window_samples`` modulo ``net.config.grid_samples`` go to the network itself.

    Args:
        net: any `PhaseNet`.
        window_samples: the length to which those fed are congruent; None takes the window of the
            network's contract, without one multiples of the grid.
        follow: run the network itself, so that a later change of its weights counts.

    Example:
        >>> import numpy as np
        >>> from phasenet_keras import PhaseNet
        >>> compile_forward(PhaseNet(depth=2))(np.zeros((1, 64, 3), "float32")).shape
        (1, 64, 3)
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return net.predict_on_batch
    return _compiled(net, len(net.config.channels)) if follow else _Copy(net, window_samples)


class _Copy:
    """Runs a fast form of a network, made when it is first wanted."""

    def __init__(self, net: PhaseNet, window_samples: int | None) -> None:
        self._net = net
        self._window = window_samples
        self._fast: Forward | None = None
        self._plain: Forward | None = None
        self._remainder = 0

    def __call__(self, x: np.ndarray) -> np.ndarray:
        if self._fast is None:
            self._make()
        if x.shape[1] % self._net.config.grid_samples == self._remainder and self._fast:
            return self._fast(x)
        self._plain = self._plain or _compiled(self._net, x.shape[-1])
        return self._plain(x)

    def _make(self) -> None:
        # Keras is imported by these, and this module is not to cost it.
        from phasenet_keras.models.folding import build_folded, window_of
        from phasenet_keras.models.polyphase import build_polyphase

        window = window_of(self._net, self._window)
        self._remainder = window % self._net.config.grid_samples
        try:
            model = build_polyphase(self._net, window)
        except ConfigError:  # another stride or kernel
            model = build_folded(self._net, window)
        self._fast = _compiled(model, len(self._net.config.channels))


def _compiled(model: Any, n_channels: int) -> Forward:
    import tensorflow as tf

    graph = tf.function(
        lambda x: model(x, training=False),
        input_signature=[tf.TensorSpec((None, None, n_channels), tf.float32)],
    )
    return lambda x: graph(tf.constant(x)).numpy()
