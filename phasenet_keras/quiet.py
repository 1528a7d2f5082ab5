"""Loading TensorFlow without its start-up chatter."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from phasenet_keras.types import ConfigError, PhaseNetKerasError

__all__ = ["quiet_start"]


@contextmanager
def quiet_start() -> Iterator[None]:
    """Hold back what native code prints on standard error, unless something goes wrong.

    TensorFlow announces its processor features and missing GPUs whatever the settings say.

    Raises:
        ConfigError: if Keras cannot be imported with the backend that is asked for.

    Example:
        >>> with quiet_start():
        ...     import keras
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        stderr = os.dup(2)
    except OSError:  # there is no standard error, as under some servers
        yield
        return
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            yield
        except PhaseNetKerasError:
            raise
        except BaseException as error:
            backend = os.environ.get("KERAS_BACKEND")
            if (
                isinstance(error, ImportError | ValueError)
                and backend
                and "keras" not in sys.modules
            ):
                raise ConfigError(
                    f"Keras does not start with KERAS_BACKEND={backend}: {error}. Leave the "
                    "variable out (TensorFlow), or name a backend that is installed"
                ) from error
            chatter.seek(0)
            os.write(stderr, chatter.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
