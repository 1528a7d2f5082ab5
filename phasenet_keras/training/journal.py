"""TensorBoard's view of a run, where it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.types import ConfigError

if TYPE_CHECKING:
    from phasenet_keras.training.learner import EpochReport

__all__ = ["check_journal", "open_journal"]


def check_journal(enabled: bool) -> None:
    """Refuse TensorBoard where it cannot be.

    Raises:
        ConfigError: on a backend other than TensorFlow, or without the package tensorboard.
    """
    if not enabled:
        return
    import keras  # not for those who only ask about records

    if keras.backend.backend() != "tensorflow" or find_spec("tensorboard") is None:
        raise ConfigError(
            "tensorboard needs Keras' TensorFlow backend and the package tensorboard "
            "(pip install tensorboard); history.csv has the same numbers"
        )


@contextmanager
def open_journal(folder: Path, enabled: bool) -> Iterator[Callable[[EpochReport], None]]:
    """Give a function that writes an epoch to ``folder/tensorboard``, or does nothing."""
    if not enabled:
        yield lambda report: None
        return
    import tensorflow as tf

    writer = tf.summary.create_file_writer(str(folder / "tensorboard"))

    def note(report: EpochReport) -> None:
        with writer.as_default(step=report.epoch):
            for name, value in asdict(report).items():
                if name != "epoch":
                    tf.summary.scalar(name, value)
        writer.flush()

    try:
        yield note
    finally:
        writer.close()
