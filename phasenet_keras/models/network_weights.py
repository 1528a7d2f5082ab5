"""`NetworkWeights`: what a picker needs of a network, without Keras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import Any

import numpy as np

from phasenet_keras.models.config import PhaseNetConfig
from phasenet_keras.models.contract import Preset
from phasenet_keras.models.litert import LiteRTForward
from phasenet_keras.models.presets import load_preset, write_preset
from phasenet_keras.models.weights import WeightSet
from phasenet_keras.short_repr import ShortRepr

__all__ = ["NetworkWeights"]


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
