"""What a run computes with: seeds, number formats, and several GPUs where there are any."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import keras

__all__ = ["built_for_devices", "made_repeatable"]


def made_repeatable(seed: int) -> None:
    """Seed everything, and let TensorFlow use no kernel whose result depends on timing."""
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


@contextmanager
def built_for_devices(precision: str = "float32") -> Iterator[int]:
    """Build a network inside of this for a number format and for all GPUs that there are.

    With several GPUs each batch is shared among them: by `tf.distribute.MirroredStrategy` on
    TensorFlow, by `keras.distribution.DataParallel` on JAX. Keras does the rest.

    Args:
        precision: ``"float32"``, or a mixed format: weights in float32, arithmetic in less.

    Yields:
        The number of devices that share a batch.
    """
    before = keras.config.dtype_policy()
    n_devices = 1
    with ExitStack() as stack:
        keras.config.set_dtype_policy(precision)
        stack.callback(keras.config.set_dtype_policy, before)
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            devices = tf.config.list_logical_devices("GPU")
            if len(devices) > 1:
                strategy = tf.distribute.MirroredStrategy([device.name for device in devices])
                stack.enter_context(strategy.scope())
                n_devices = len(devices)
        elif keras.backend.backend() == "jax":
            devices = keras.distribution.list_devices("gpu")
            if len(devices) > 1:
                keras.distribution.set_distribution(keras.distribution.DataParallel(devices))
                n_devices = len(devices)
        yield n_devices
