"""What a run computes with: seeds, number formats, and several GPUs where there are any."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from phasenet_keras.types import ConfigError

__all__ = ["Devices", "built_for_devices", "generators_kept", "made_repeatable"]

# What batches are shared among; a test takes the parts of a CPU.
DEVICE_KIND = "GPU"


def made_repeatable(seed: int) -> None:
    """Seed everything, and let TensorFlow use no kernel whose result depends on timing."""
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


@contextmanager
def generators_kept() -> Iterator[None]:
    """Give the global generators of `random` and NumPy back as they were.

    `made_repeatable` sets them, and Keras draws from them.
    """
    of_python, of_numpy = random.getstate(), np.random.get_state(legacy=False)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)  # noqa: NPY002


@dataclass(frozen=True)
class Devices:
    """What shares each batch.

    Attributes:
        n: number of devices.
        strategy: of TensorFlow; None where the backend shares batches by itself, and for one.
    """

    n: int = 1
    strategy: Any = None

    def batch_size(self, wanted: int) -> int:
        """Return the greatest batch, up to one wanted, that all devices can share evenly.

        Raises:
            ConfigError: if there are more devices than examples.
        """
        if wanted < self.n:
            raise ConfigError(
                f"a batch of {wanted} cannot be shared among {self.n} GPUs: raise batch_size, or "
                "name fewer GPUs in CUDA_VISIBLE_DEVICES"
            )
        return wanted - wanted % self.n

    def share(self, batch: np.ndarray) -> Any:
        """Give each device its part of a batch, as `train_on_batch` takes it."""
        if self.strategy is None:
            return batch
        from tensorflow import convert_to_tensor

        parts = np.split(batch, self.n)
        # Keras hands a plain array whole to every device.
        return self.strategy.experimental_distribute_values_from_function(
            lambda context: convert_to_tensor(parts[context.replica_id_in_sync_group])
        )


@contextmanager
def built_for_devices(precision: str = "float32") -> Iterator[Devices]:
    """Build a network and its optimizer inside of this for a number format and for all GPUs.

    With several GPUs each batch is shared among them: by `tf.distribute.MirroredStrategy` on
    TensorFlow, by `keras.distribution.DataParallel` on JAX. On TensorFlow each takes the
    statistics of its batch norms over its own part, and losses are added up: divide by ``n``.

    Args:
        precision: ``"float32"``, or a mixed format: weights in float32, arithmetic in less.

    Yields:
        What shares a batch.
    """
    before = keras.config.dtype_policy()
    devices = Devices()
    with ExitStack() as stack:
        keras.config.set_dtype_policy(precision)
        stack.callback(keras.config.set_dtype_policy, before)
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            names = [device.name for device in tf.config.list_logical_devices(DEVICE_KIND)]
            if len(names) > 1:
                strategy = tf.distribute.MirroredStrategy(names)
                stack.enter_context(strategy.scope())
                devices = Devices(len(names), strategy)
        elif keras.backend.backend() == "jax":
            # All devices, of which some may be GPUs: JAX raises if asked for GPUs on a CPU.
            listed = keras.distribution.list_devices()
            names = [name for name in listed if name.startswith(DEVICE_KIND.lower())]
            if len(names) > 1:
                keras.distribution.set_distribution(keras.distribution.DataParallel(devices=names))
                devices = Devices(len(names))
        yield devices
