"""Augmentations that need other records: recorded noise, and events on top of each other.

Such a step is a recipe without data. `ExampleMaker` binds it once to its own records, by
``step.bind(pool)``; what comes back is an augmentation like any other, and draws from the pool by
the generator that it is given alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn, Protocol, runtime_checkable

import numpy as np

from phasenet_keras.data.augment import (
    Augmentation,
    check_order,
    check_settings,
    power_of,
)
from phasenet_keras.data.pool import Arrivals, RecordPool, Stretch, rows_of
from phasenet_keras.types import ConfigError

__all__ = ["NeedsRecords", "RecordedNoise", "StackEvents", "add_noise", "bind_steps"]


@runtime_checkable
class NeedsRecords(Protocol):
    """An augmentation that must be bound to records before it is applied."""

    def bind(self, pool: RecordPool) -> Augmentation:
        """Return the augmentation with ``pool`` to draw from."""
        ...


def bind_steps(steps: Sequence[Augmentation], pool: RecordPool) -> tuple[Augmentation, ...]:
    """Return steps that can be applied: those that need other records are given ``pool``.

    Raises:
        ConfigError: if the pool has not what a step needs.
    """
    return tuple(step.bind(pool) if isinstance(step, NeedsRecords) else step for step in steps)


def add_noise(data: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """Add noise, scaled channel by channel to a power below the record's own.

    ``SNR = 10 log10(mean(signal ** 2) / mean(noise ** 2))``, over the whole window, as in
    `phasenet_keras.data.augment.add_white_noise`. The noise's own mean is taken off.

    Args:
        data: ``(samples, channels)``.
        noise: of the same shape. Where a channel of it is constant, nothing is added.
        snr_db: signal-to-noise ratio in dB.
    """
    rows = rows_of(noise)
    rows -= rows.mean(axis=1, keepdims=True)
    power, noise_power = power_of(data), np.mean(np.square(rows), axis=1)
    has_noise = noise_power > 0
    ratio = np.where(has_noise, power, 0.0) / np.where(has_noise, noise_power, 1.0)
    rows *= np.sqrt(ratio / 10.0 ** (snr_db / 10.0))[:, None]
    return (data + rows.T).astype(np.float32)


@dataclass(frozen=True)
class RecordedNoise:
    """Add a random stretch of recorded noise at an SNR drawn between two values, in dB.

    Noise comes from records labelled as noise, and from before the first arrival of the others
    (see `RecordPool.noise_stretches`). A stretch that is shorter than the window is mirrored.

    Attributes:
        least_snr_db, greatest_snr_db: of the ratio, drawn uniformly.
        probability: of a window to get noise.
        least_samples: shorter stretches are not used.
        margin_samples: left out before an arrival, for an onset that was labelled late.

    Raises:
        ConfigError: for a value out of range; by `bind`, if there is no noise.
    """

    least_snr_db: float = 10.0
    greatest_snr_db: float = 40.0
    probability: float = 0.5
    least_samples: int = 256
    margin_samples: int = 50

    def __post_init__(self) -> None:
        check_settings(self)
        check_order(self, "least_snr_db", "greatest_snr_db")
        counts = (self.least_samples, self.margin_samples)
        if not all(isinstance(n, int) for n in counts) or counts[0] < 1 or counts[1] < 0:
            raise ConfigError(
                "least_samples and margin_samples are whole numbers from 1 and 0 on, received "
                f"{counts[0]!r} and {counts[1]!r}"
            )

    def __call__(self, data: np.ndarray, arrivals: Arrivals, rng: np.random.Generator) -> NoReturn:
        """Refuse: it is not bound to records."""
        _refuse_unbound(self)

    def bind(self, pool: RecordPool) -> Augmentation:
        """Return the augmentation with ``pool`` to draw from."""
        stretches = pool.noise_stretches(self.least_samples, self.margin_samples)
        if not stretches:
            raise ConfigError(
                f"RecordedNoise needs a stretch of {self.least_samples} samples before the first "
                f"arrival less {self.margin_samples}, or a record labelled as noise; the "
                f"{len(pool.records)} records have none. Add noise records, lower least_samples, "
                "or use WhiteNoise."
            )
        return partial(self._apply, pool=pool, stretches=stretches)

    def _apply(
        self,
        data: np.ndarray,
        arrivals: Arrivals,
        rng: np.random.Generator,
        *,
        pool: RecordPool,
        stretches: Sequence[Stretch],
    ) -> tuple[np.ndarray, Arrivals]:
        if rng.random() >= self.probability:
            return data, arrivals
        snr_db = rng.uniform(self.least_snr_db, self.greatest_snr_db)
        number, begin, end = stretches[int(rng.integers(len(stretches)))]
        n_samples = data.shape[0]
        begin += int(rng.integers(max(0, end - begin - n_samples) + 1))
        noise = pool.data(number)[begin : min(end, begin + n_samples)]
        if noise.shape[0] < n_samples:
            noise = np.pad(noise, ((0, n_samples - noise.shape[0]), (0, 0)), "symmetric")
        return add_noise(data, noise, snr_db), arrivals


@dataclass(frozen=True)
class StackEvents:
    """Add a second event to a window that holds an arrival.

    The second record is shifted so that its first arrival falls on a random sample of the window.
    A phase that is unknown in either record is unknown in the sum. Windows without an arrival are
    left alone, so that the rate of noise-only windows stays what it is; so are dead channels.

    Attributes:
        least_ratio, greatest_ratio: of the second's largest excursion from its mean, over all
            channels, to the window's; drawn uniformly in the logarithm.
        probability: of a window with an arrival to get a second event.

    Raises:
        ConfigError: for a value out of range; by `bind`, if no record has an arrival.
    """

    least_ratio: float = 0.2
    greatest_ratio: float = 1.0
    probability: float = 0.2

    def __post_init__(self) -> None:
        check_settings(self)
        check_order(self, "least_ratio", "greatest_ratio")
        if not self.least_ratio > 0:
            raise ConfigError(f"least_ratio is above 0, received {self.least_ratio!r}")

    def __call__(self, data: np.ndarray, arrivals: Arrivals, rng: np.random.Generator) -> NoReturn:
        """Refuse: it is not bound to records."""
        _refuse_unbound(self)

    def bind(self, pool: RecordPool) -> Augmentation:
        """Return the augmentation with ``pool`` to draw from."""
        numbers = pool.with_arrivals()
        if not numbers:
            raise ConfigError(
                f"StackEvents needs records with arrivals of {', '.join(pool.phases[1:])}; the "
                f"{len(pool.records)} records have none. Leave it out."
            )
        return partial(self._apply, pool=pool, numbers=numbers)

    def _apply(
        self,
        data: np.ndarray,
        arrivals: Arrivals,
        rng: np.random.Generator,
        *,
        pool: RecordPool,
        numbers: Sequence[int],
    ) -> tuple[np.ndarray, Arrivals]:
        n_samples = data.shape[0]
        inside = (0 <= s < n_samples for samples in arrivals.values() for s in samples)
        if not any(inside) or rng.random() >= self.probability:
            return data, arrivals
        number = numbers[int(rng.integers(len(numbers)))]
        first = min(s for samples in pool.arrivals(number).values() for s in samples)
        begin = int(first) - int(rng.integers(n_samples))
        ratio = np.exp(rng.uniform(np.log(self.least_ratio), np.log(self.greatest_ratio)))
        other, others = pool.window(number, begin, n_samples)
        ours, theirs = rows_of(data), rows_of(other)
        is_live = ours.max(axis=1, keepdims=True) > ours.min(axis=1, keepdims=True)
        theirs = (theirs - theirs.mean(axis=1, keepdims=True)) * is_live
        peak = np.abs(theirs).max()
        if peak == 0:
            return data, arrivals
        scale = ratio * np.abs(ours - ours.mean(axis=1, keepdims=True)).max() / peak
        known_in_both = [phase for phase in arrivals if phase in others]
        merged = {phase: tuple(sorted(arrivals[phase] + others[phase])) for phase in known_in_both}
        return (ours + scale * theirs).T.astype(np.float32, order="C"), merged


def _refuse_unbound(step: Any) -> NoReturn:
    raise ConfigError(
        f"{type(step).__name__} draws from other records: apply what step.bind(RecordPool(...)) "
        "returns, as ExampleMaker does"
    )
