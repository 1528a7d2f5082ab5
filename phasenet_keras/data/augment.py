"""Augmentations: each a small value that prints as its recipe and works on one window.

An augmentation takes ``(samples, channels)`` data, the arrivals in it and a random generator, and
returns new data and arrivals; labels are drawn afterwards, so that none is lost at an edge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from phasenet_keras.types import ConfigError

__all__ = [
    "Arrivals",
    "Augmentation",
    "Clip",
    "DropChannels",
    "Gap",
    "Polarity",
    "WhiteNoise",
    "add_white_noise",
    "augment",
]

Arrivals = Mapping[str, tuple[float, ...]]
Augmentation = Callable[[np.ndarray, Arrivals, np.random.Generator], tuple[np.ndarray, Arrivals]]


def augment(
    data: np.ndarray,
    arrivals: Arrivals,
    steps: Sequence[Augmentation],
    rng: np.random.Generator,
) -> tuple[np.ndarray, Arrivals]:
    """Apply augmentations in order."""
    for step in steps:
        data, arrivals = step(data, arrivals, rng)
    return data, arrivals


def add_white_noise(data: np.ndarray, snr_db: float, rng: np.random.Generator) -> np.ndarray:
    """Add white Gaussian noise of a power below the record's own, channel by channel.

    ``SNR = 10 log10(mean(signal ** 2) / mean(noise ** 2))``, over the whole window.

    Args:
        data: ``(samples, channels)``.
        snr_db: signal-to-noise ratio in dB.
        rng: random generator.
    """
    power = np.mean(np.square(data, dtype=np.float64), axis=0)
    deviation = np.sqrt(power / 10.0 ** (snr_db / 10.0))
    return (data + deviation * rng.standard_normal(data.shape)).astype(np.float32)


@dataclass(frozen=True)
class Polarity:
    """Turn all channels upside down with a probability."""

    probability: float = 0.5

    def __post_init__(self) -> None:
        _check_probability(self)

    def __call__(
        self, data: np.ndarray, arrivals: Arrivals, rng: np.random.Generator
    ) -> tuple[np.ndarray, Arrivals]:
        """Apply it to one window."""
        return (-data if rng.random() < self.probability else data), arrivals


@dataclass(frozen=True)
class WhiteNoise:
    """Add white noise at a signal-to-noise ratio drawn between two values, in dB."""

    least_snr_db: float = 10.0
    greatest_snr_db: float = 40.0
    probability: float = 0.5

    def __post_init__(self) -> None:
        _check_probability(self)
        if self.least_snr_db > self.greatest_snr_db:
            raise ConfigError("least_snr_db is not above greatest_snr_db")

    def __call__(
        self, data: np.ndarray, arrivals: Arrivals, rng: np.random.Generator
    ) -> tuple[np.ndarray, Arrivals]:
        """Apply it to one window."""
        if rng.random() >= self.probability:
            return data, arrivals
        snr_db = rng.uniform(self.least_snr_db, self.greatest_snr_db)
        return add_white_noise(data, snr_db, rng), arrivals


@dataclass(frozen=True)
class DropChannels:
    """Set channels to zero with a probability, never all of them."""

    probability: float = 0.2

    def __post_init__(self) -> None:
        _check_probability(self)

    def __call__(
        self, data: np.ndarray, arrivals: Arrivals, rng: np.random.Generator
    ) -> tuple[np.ndarray, Arrivals]:
        """Apply it to one window."""
        n_channels = data.shape[1]
        if n_channels == 1 or rng.random() >= self.probability:
            return data, arrivals
        dropped = rng.permutation(n_channels)[: rng.integers(1, n_channels)]
        data = data.copy()
        data[:, dropped] = 0.0
        return data, arrivals


@dataclass(frozen=True)
class Gap:
    """Set a stretch without arrivals to zero on all channels, with a probability.

    Arrivals inside of it are gone from the labels, too.
    """

    greatest_fraction: float = 0.2
    probability: float = 0.1

    def __post_init__(self) -> None:
        _check_probability(self)
        if not 0.0 < self.greatest_fraction < 1.0:
            raise ConfigError(f"greatest_fraction is in (0, 1): {self.greatest_fraction!r}")

    def __call__(
        self, data: np.ndarray, arrivals: Arrivals, rng: np.random.Generator
    ) -> tuple[np.ndarray, Arrivals]:
        """Apply it to one window."""
        if rng.random() >= self.probability:
            return data, arrivals
        n_samples = data.shape[0]
        length = int(rng.integers(1, max(2, int(self.greatest_fraction * n_samples))))
        begin = int(rng.integers(0, n_samples - length + 1))
        data = data.copy()
        data[begin : begin + length] = 0.0
        left = {
            phase: tuple(s for s in samples if not begin <= s < begin + length)
            for phase, samples in arrivals.items()
        }
        return data, left


@dataclass(frozen=True)
class Clip:
    """Clip at a fraction of the window's peak, with a probability."""

    least_fraction: float = 0.2
    probability: float = 0.1

    def __post_init__(self) -> None:
        _check_probability(self)
        if not 0.0 < self.least_fraction <= 1.0:
            raise ConfigError(f"least_fraction is in (0, 1]: {self.least_fraction!r}")

    def __call__(
        self, data: np.ndarray, arrivals: Arrivals, rng: np.random.Generator
    ) -> tuple[np.ndarray, Arrivals]:
        """Apply it to one window."""
        if rng.random() >= self.probability:
            return data, arrivals
        level = rng.uniform(self.least_fraction, 1.0) * np.abs(data).max()
        return np.clip(data, -level, level), arrivals


def _check_probability(step: Polarity | WhiteNoise | DropChannels | Gap | Clip) -> None:
    if not 0.0 <= step.probability <= 1.0:
        raise ConfigError(f"a probability is in [0, 1], received {step.probability!r}")
