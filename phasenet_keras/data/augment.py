"""Augmentations: each a small value that prints as its recipe and works on one window.

An augmentation takes ``(samples, channels)`` data, the arrivals in it and a random generator, and
returns new data and arrivals; labels are drawn afterwards, so that none is lost at an edge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any, ClassVar, cast

import numpy as np

from phasenet_keras.data.pool import Arrivals, rows_of
from phasenet_keras.data.resampling import resample
from phasenet_keras.data.settings import Kind, number, settle
from phasenet_keras.types import ConfigError

__all__ = [
    "Augmentation",
    "Clip",
    "DropChannels",
    "Gap",
    "Polarity",
    "Step",
    "TimeStretch",
    "WhiteNoise",
    "Window",
    "add_white_noise",
    "augment",
    "power_of",
    "recipe",
]

Window = tuple[np.ndarray, Arrivals]
Augmentation = Callable[[np.ndarray, Arrivals, np.random.Generator], Window]

# Of a factor of time: the filter has twenty times as many coefficients.
LARGEST_DENOMINATOR = 200


def augment(
    data: np.ndarray,
    arrivals: Arrivals,
    steps: Sequence[Augmentation],
    rng: np.random.Generator,
) -> Window:
    """Apply augmentations in order."""
    for step in steps:
        data, arrivals = step(data, arrivals, rng)
    return data, arrivals


def recipe(steps: Sequence[Augmentation]) -> str:
    """Return a pipeline as text, one numbered line a step.

    Example:
        >>> print(recipe([Polarity(), Clip(0.5)]))
        1. Polarity(probability=0.5)
        2. Clip(least_fraction=0.5, probability=0.1)
    """
    lines = [f"{number}. {step!r}" for number, step in enumerate(steps, start=1)]
    return "\n".join(lines) or "no augmentation"


def power_of(data: np.ndarray) -> np.ndarray:
    """Return the mean square of each channel of ``(samples, channels)``, in float64."""
    return np.mean(np.square(rows_of(data)), axis=1)


def add_white_noise(data: np.ndarray, snr_db: float, rng: np.random.Generator) -> np.ndarray:
    """Add white Gaussian noise of a power below the record's own, channel by channel.

    ``SNR = 10 log10(mean(signal ** 2) / mean(noise ** 2))``, over the whole window.

    Args:
        data: ``(samples, channels)``.
        snr_db: signal-to-noise ratio in dB.
        rng: random generator.
    """
    deviation = np.sqrt(power_of(data) / 10.0 ** (snr_db / 10.0))
    return (data + deviation * rng.standard_normal(data.shape)).astype(np.float32)


class Step:
    """What the augmentations share: settings that are numbers, and how often one is applied.

    Attributes:
        ranges: what a setting may be, where not any number will do. Of two settings ``least_x``
            and ``greatest_x`` the first is up to the second.
        probability: of a window to be changed.

    Raises:
        ConfigError: for a setting that is no number, or out of its range.
    """

    ranges: ClassVar[Mapping[str, Kind]] = {}
    probability: float

    def __post_init__(self) -> None:
        names = [item.name for item in fields(cast(Any, self))]
        what = f"{type(self).__name__}: "
        kinds = dict.fromkeys(names, number()) | {"probability": number(0, 1)}
        settle(self, kinds | dict(self.ranges), what)
        for least in names:
            greatest = least.replace("least_", "greatest_")
            if greatest == least or greatest not in names:
                continue
            low, high = getattr(self, least), getattr(self, greatest)
            if low > high:
                raise ConfigError(
                    f"{what}{least} is up to {greatest}, received {low!r} and {high!r}"
                )

    def __call__(self, data: np.ndarray, arrivals: Arrivals, rng: np.random.Generator) -> Window:
        """Apply it to one window, with its probability."""
        return self._change(data, arrivals, rng) if self._is_drawn(rng) else (data, arrivals)

    def _change(self, data: np.ndarray, arrivals: Arrivals, rng: np.random.Generator) -> Window:
        raise NotImplementedError

    def _is_drawn(self, rng: np.random.Generator) -> bool:
        return rng.random() < self.probability


@dataclass(frozen=True)
class Polarity(Step):
    """Turn all channels upside down with a probability."""

    probability: float = 0.5

    def _change(self, data: np.ndarray, arrivals: Arrivals, rng: np.random.Generator) -> Window:
        return -data, arrivals


@dataclass(frozen=True)
class WhiteNoise(Step):
    """Add white noise at a signal-to-noise ratio drawn between two values, in dB."""

    least_snr_db: float = 10.0
    greatest_snr_db: float = 40.0
    probability: float = 0.5

    def _change(self, data: np.ndarray, arrivals: Arrivals, rng: np.random.Generator) -> Window:
        snr_db = rng.uniform(self.least_snr_db, self.greatest_snr_db)
        return add_white_noise(data, snr_db, rng), arrivals


@dataclass(frozen=True)
class DropChannels(Step):
    """Set channels to zero with a probability, never all of them."""

    probability: float = 0.2

    def __call__(self, data: np.ndarray, arrivals: Arrivals, rng: np.random.Generator) -> Window:
        """Apply it to one window, if that has channels to spare."""
        return super().__call__(data, arrivals, rng) if data.shape[1] > 1 else (data, arrivals)

    def _change(self, data: np.ndarray, arrivals: Arrivals, rng: np.random.Generator) -> Window:
        n_channels = data.shape[1]
        dropped = rng.permutation(n_channels)[: rng.integers(1, n_channels)]
        data = data.copy()
        data[:, dropped] = 0.0
        return data, arrivals


@dataclass(frozen=True)
class Gap(Step):
    """Set a random stretch to zero on all channels, with a probability.

    Arrivals inside of it are gone from the labels, too; their phases stay known.
    """

    ranges: ClassVar = {"greatest_fraction": number(above=0, below=1)}
    greatest_fraction: float = 0.2
    probability: float = 0.1

    def _change(self, data: np.ndarray, arrivals: Arrivals, rng: np.random.Generator) -> Window:
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
class Clip(Step):
    """Clip at a fraction of the window's peak, with a probability."""

    ranges: ClassVar = {"least_fraction": number(above=0, most=1)}
    least_fraction: float = 0.2
    probability: float = 0.1

    def _change(self, data: np.ndarray, arrivals: Arrivals, rng: np.random.Generator) -> Window:
        level = rng.uniform(self.least_fraction, 1.0) * np.abs(data).max()
        return np.clip(data, -level, level), arrivals


@dataclass(frozen=True)
class TimeStretch(Step):
    """Stretch time about the window's first sample, with a probability.

    Sample ``t`` moves to ``factor * t``. Above 1 the window's end is lost; below 1 it is filled
    with zeros, and arrivals beyond the old end are dropped. The anti-alias filter is that of
    `phasenet_keras.data.resampling.resample`, which takes off the mean. The factor is the nearest
    fraction with a denominator up to 200, so that the filter stays short; arrivals move by it.

    Attributes:
        least_factor, greatest_factor: of the factor, drawn uniformly.
        probability: of a window to be stretched.

    Raises:
        ConfigError: for a value out of range.
    """

    ranges: ClassVar = dict.fromkeys(("least_factor", "greatest_factor"), number(0.1, 10))
    least_factor: float = 0.9
    greatest_factor: float = 1.1
    probability: float = 0.5

    def _change(self, data: np.ndarray, arrivals: Arrivals, rng: np.random.Generator) -> Window:
        drawn = rng.uniform(self.least_factor, self.greatest_factor)
        ratio = Fraction(drawn).limit_denominator(LARGEST_DENOMINATOR)
        n_samples, n_channels = data.shape
        stretched, factor = resample(data, 1.0, float(ratio))
        lacking = max(0, n_samples - stretched.shape[0])
        filled = np.concatenate([stretched, np.zeros((lacking, n_channels), np.float32)])
        moved = {
            phase: tuple(factor * s for s in samples if s <= n_samples - 1 or factor >= 1)
            for phase, samples in arrivals.items()
        }
        return filled[:n_samples], moved
