"""A network as a plain function on arrays, compiled for whatever backend Keras runs on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from phasenet_keras.models.phasenet import PhaseNet

__all__ = ["compile_forward"]


def compile_forward(net: PhaseNet) -> Callable[[np.ndarray], np.ndarray]:
    """Return ``(batch, samples, channels) -> (batch, samples, phases)`` on NumPy arrays.

    On TensorFlow it is one graph for all lengths and without XLA, which does not pay on a CPU and
    would compile anew for each length.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return net.predict_on_batch
    import tensorflow as tf

    graph = tf.function(
        lambda x: net(x, training=False),
        input_signature=[tf.TensorSpec((None, None, len(net.config.channels)), tf.float32)],
    )
    return lambda x: graph(tf.constant(x)).numpy()
