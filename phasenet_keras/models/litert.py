"""A network without TensorFlow or Keras: its weights and contract, run by LiteRT.

The probabilities are the same within 1e-5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from threading import Lock
from typing import Any

import numpy as np

from phasenet_keras.models.config import PhaseNetConfig
from phasenet_keras.models.contract import Preset
from phasenet_keras.models.presets import load_preset, write_preset
from phasenet_keras.models.weights import WeightSet
from phasenet_keras.short_repr import ShortRepr
from phasenet_keras.types import ConfigError, MissingExtraError, ShapeError

__all__ = ["LiteRTForward", "NetworkWeights", "load_litert"]


@dataclass(frozen=True, eq=False, repr=False)
class NetworkWeights(ShortRepr):
    """The weights and the signal contract of a preset; run by LiteRT, never by Keras.

    Attributes:
        preset: the signal contract.
        weights: a weight set of `PhaseNet`'s names.

    Example:
        >>> net = NetworkWeights.from_preset("ncedc")  # doctest: +SKIP
        >>> net.config.channels  # doctest: +SKIP
        ('E', 'N', 'Z')
    """

    preset: Preset
    weights: WeightSet

    @property
    def config(self) -> PhaseNetConfig:
        """The hyper-parameters."""
        return self.preset.config

    @classmethod
    def from_preset(
        cls,
        name_or_path: str | PathLike[str],
        *,
        channels: str | Sequence[str] | None = None,
        adapt: str = "select",
    ) -> NetworkWeights:
        """Load a preset; arguments and errors as in `PhaseNet.from_preset`.

        A preset that is a download is converted by Keras at its first use.
        """
        return cls(*load_preset(name_or_path, channels=channels, adapt=adapt))

    def get_weight_set(self) -> dict[str, np.ndarray]:
        """Return all weights as ``{"layer/variable": array}``."""
        return dict(self.weights)

    def save_preset(
        self, path: str | PathLike[str], preset: Preset | None = None, **changes: Any
    ) -> Preset:
        """Write a preset folder; see `PhaseNet.save_preset`."""
        return write_preset(self, path, preset=preset, **changes)

    def __call__(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """Return the probabilities of windows, ``(batch, samples, channels)``."""
        return self._forward(x)

    @cached_property
    def _forward(self) -> LiteRTForward:
        return LiteRTForward(self.weights, self.config, self.preset.window_samples)


def load_litert() -> None:
    """Import all that runs a network by LiteRT.

    Raises:
        MissingExtraError: if it is not installed, or is broken.

    Example:
        >>> load_litert()
    """
    try:
        import ai_edge_litert.interpreter  # noqa: F401

        import phasenet_keras.models.litert_graph  # noqa: F401
    except Exception as error:  # whatever a broken one, or one for another NumPy, raises
        raise MissingExtraError(
            "networks with the engine 'litert'", "ai-edge-litert", "fast", error
        ) from error


class LiteRTForward:
    """``(batch, samples, channels)`` to ``(batch, samples, phases)`` on one core a call.

    Calls may come from several threads at once, and run side by side.

    Args:
        weights: a weight set of `PhaseNet`'s names.
        config: of its network: stride 4, kernel 7, two levels and two phases or more.
        window_samples: the length to which those fed are congruent.

    Raises:
        MissingExtraError: if LiteRT is not installed, or is broken.
        ConfigError: if the network has another stride or kernel, fewer levels or phases.
    """

    def __init__(self, weights: WeightSet, config: PhaseNetConfig, window_samples: int) -> None:
        load_litert()
        from phasenet_keras.models.litert_graph import model_file

        try:
            self._file = model_file(weights, config, window_samples)
        except ConfigError as error:
            raise ConfigError(f"{error}; the engine 'keras' runs any") from error
        self._config = config
        self._window = window_samples
        self._lock = Lock()
        # One for each call that ran at the same time as others.
        self._idle: list[_Runner] = [_Runner(self._file)]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return the probabilities of ``x``, ``(batch, samples, channels)``.

        Raises:
            ShapeError: for another number of channels, or a length that is not congruent to the
                window.
        """
        config, n_samples = self._config, x.shape[1]
        if x.shape[2] != len(config.channels) or (n_samples - self._window) % config.grid_samples:
            raise ShapeError(
                f"this network takes (batch, samples, {len(config.channels)}) with samples "
                f"congruent to {self._window} modulo {config.grid_samples}, received {x.shape}"
            )
        y = np.empty((*x.shape[:2], len(config.phases)), np.float32)
        runner = self._taken(n_samples)
        for record, probabilities in zip(x, y, strict=True):
            runner.run(record, probabilities)
        with self._lock:
            self._idle.append(runner)
        return y

    def _taken(self, n_samples: int) -> _Runner:
        """Return a runner that is idle, best one that is set to this length."""
        with self._lock:
            fitting = [runner for runner in self._idle if runner.n_samples == n_samples]
            if fitting or self._idle:
                runner = (fitting or self._idle)[-1]
                self._idle.remove(runner)
                return runner
        return _Runner(self._file)


class _Runner:
    """One interpreter, which is set to one length at a time and runs on one core."""

    def __init__(self, file: bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter: Any = Interpreter(model_content=file, num_threads=1)
        # Here, not at the first record: LiteRT announces its kernels on standard error.
        self._interpreter.allocate_tensors()
        [x], [y] = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self._input, self._output = x["index"], y["index"]
        self.n_samples = int(x["shape"][2])

    def run(self, x: np.ndarray, y: np.ndarray) -> None:
        """Write the probabilities of ``x``, ``(samples, channels)``, into ``y``."""
        interpreter = self._interpreter
        if self.n_samples != x.shape[0]:
            interpreter.resize_tensor_input(self._input, (1, 1, *x.shape))
            interpreter.allocate_tensors()
            self.n_samples = x.shape[0]
        interpreter.set_tensor(self._input, np.ascontiguousarray(x[None, None], np.float32))
        interpreter.invoke()
        y[:] = interpreter.tensor(self._output)()[0, 0]
