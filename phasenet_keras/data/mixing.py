"""Augmentations that need other records, or to know what the channels are.

Recorded noise, events added, records blended; horizontals turned.

Such a step is a recipe without data. `ExampleMaker` binds it once to its own records, by
``step.bind(pool)``; what comes back is an augmentation like any other, and draws from the pool by
the generator that it is given alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, NoReturn, Protocol, runtime_checkable

import numpy as np

from phasenet_keras.data.augment import Augmentation, Step, Window, power_of
from phasenet_keras.data.pool import Arrivals, RecordPool, Stretch, channel_means, rows_of
from phasenet_keras.data.settings import number, whole
from phasenet_keras.types import ConfigError

__all__ = [
    "BlendRecords",
    "NeedsRecords",
    "RecordedNoise",
    "RotateHorizontals",
    "StackEvents",
    "add_noise",
    "bind_steps",
    "p_and_s",
    "stretch_after",
]


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


class _Unbound(Step):
    """A step that draws from records: what `bind` returns can be applied, this cannot."""

    def __call__(self, data: np.ndarray, arrivals: Arrivals, rng: np.random.Generator) -> NoReturn:
        raise ConfigError(
            f"{type(self).__name__} draws from other records: apply what "
            "step.bind(RecordPool(...)) returns, as ExampleMaker does"
        )


@dataclass(frozen=True)
class RecordedNoise(_Unbound):
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

    ranges: ClassVar = {"least_samples": whole(1), "margin_samples": whole(0)}
    least_snr_db: float = 10.0
    greatest_snr_db: float = 40.0
    probability: float = 0.5
    least_samples: int = 256
    margin_samples: int = 50

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
    ) -> Window:
        if not self._is_drawn(rng):
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
class StackEvents(_Unbound):
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

    ranges: ClassVar = {"least_ratio": number(above=0)}
    least_ratio: float = 0.2
    greatest_ratio: float = 1.0
    probability: float = 0.2

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
    ) -> Window:
        n_samples = data.shape[0]
        inside = (0 <= s < n_samples for samples in arrivals.values() for s in samples)
        if not any(inside) or not self._is_drawn(rng):
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


def stretch_after(data: np.ndarray, begin: float, factor: float) -> np.ndarray:
    """Stretch time from a sample on: sample ``begin + t`` moves to ``begin + factor * t``.

    What was before stays; what is drawn in from beyond the end is zero. Samples are interpolated
    linearly, without an anti-alias filter: meant for factors near 1.

    Args:
        data: ``(samples, channels)``.
        begin: in samples, may be a fraction.
        factor: above 0.

    Returns:
        ``(samples, channels)`` float32, as long as ``data``.

    Example:
        >>> stretch_after(np.arange(6.0)[:, None], 1.0, 2.0)[:, 0]
        array([0. , 1. , 1.5, 2. , 2.5, 3. ], dtype=float32)
    """
    numbers = np.arange(data.shape[0], dtype=np.float64)
    from_sample = np.where(numbers > begin, begin + (numbers - begin) / factor, numbers)
    rows = [np.interp(from_sample, numbers, row, right=0.0) for row in rows_of(data)]
    return np.array(rows, np.float32).T.copy()


@dataclass(frozen=True)
class BlendRecords(_Unbound):
    """Blend a window with another record, so that S comes as long after P as in neither of them.

    A line of receivers has gaps, and a network that learnt S at some distances need not find it
    between them. Both records are stretched from P on until S is equally long after it, at an
    interval between their own; they are then scaled to one standard deviation and added up. The
    same random number from 0 to 1 is the weight of the other record and says how much of the
    interval, in its logarithm, is the other's: near 0 the window is hardly changed.

    Windows with other than one P and one S after it are left alone, and so are those without a
    partner, and dead channels. It says nothing about S that is not seen on a trace, and it assumes
    that records are of one place, where a wave changes slowly with distance.

    Attributes:
        greatest_ratio: between the S-P times of the two records.
        probability: of such a window to be blended.

    Raises:
        ConfigError: for a value out of range; by `bind`, if no record has one P and one S.
    """

    ranges: ClassVar = {"greatest_ratio": number(1)}
    greatest_ratio: float = 2.0
    probability: float = 0.7

    def bind(self, pool: RecordPool) -> Augmentation:
        """Return the augmentation with ``pool`` to draw from."""
        found = {n: p_and_s(pool.arrivals(n)) for n in range(len(pool.records))}
        pairs = {number: pair for number, pair in found.items() if pair}
        if not pairs:
            raise ConfigError(
                f"BlendRecords needs records with one P and one S; of the {len(pool.records)} "
                "records none has both. Leave it out."
            )
        intervals = np.array([s - p for p, s in pairs.values()])
        return partial(
            self._apply, pool=pool, pairs=pairs, numbers=np.array(list(pairs)), intervals=intervals
        )

    def _apply(
        self,
        data: np.ndarray,
        arrivals: Arrivals,
        rng: np.random.Generator,
        *,
        pool: RecordPool,
        pairs: Mapping[int, tuple[float, float]],
        numbers: np.ndarray,
        intervals: np.ndarray,
    ) -> Window:
        pair = p_and_s(arrivals)
        if pair is None or not self._is_drawn(rng):
            return data, arrivals
        p, interval = pair[0], pair[1] - pair[0]
        longer, shorter = np.maximum(intervals, interval), np.minimum(intervals, interval)
        partners = numbers[longer <= self.greatest_ratio * shorter]
        if not len(partners):
            return data, arrivals
        number = int(partners[int(rng.integers(len(partners)))])
        weight = rng.uniform()
        p2, s2 = pairs[number]
        blended_interval = interval ** (1 - weight) * (s2 - p2) ** weight
        # Whole samples are shifted; the rest of a sample is where the stretch of the other begins.
        begin = round(p2 - p)
        other, _ = pool.window(number, begin, data.shape[0])
        is_live = data.max(axis=0) > data.min(axis=0)
        other = (other - channel_means(other)) * is_live
        ours = stretch_after(data, p, blended_interval / interval)
        theirs = stretch_after(other, p2 - begin, blended_interval / (s2 - p2))
        scales = ours.std(), theirs.std()
        if not min(scales) > 0:
            return data, arrivals
        blended = (1 - weight) / scales[0] * ours + weight / scales[1] * theirs
        return blended.astype(np.float32), {**arrivals, "S": (p + blended_interval,)}


@dataclass(frozen=True)
class RotateHorizontals(_Unbound):
    """Turn E and N about the vertical by a random angle, as if the event were elsewhere.

    Windows in which one of them is dead are left alone.

    Attributes:
        probability: of a window to be turned.

    Raises:
        ConfigError: for a value out of range; by `bind`, without channels E and N.
    """

    probability: float = 0.5

    def bind(self, pool: RecordPool) -> Augmentation:
        """Return the augmentation for the channels of ``pool``."""
        if not {"E", "N"} <= set(pool.channels):
            raise ConfigError(
                f"RotateHorizontals needs channels E and N, the network has "
                f"{','.join(pool.channels)}. Leave it out."
            )
        columns = [pool.channels.index("E"), pool.channels.index("N")]
        return partial(self._apply, columns=columns)

    def _apply(
        self,
        data: np.ndarray,
        arrivals: Arrivals,
        rng: np.random.Generator,
        *,
        columns: Sequence[int],
    ) -> Window:
        if not self._is_drawn(rng):
            return data, arrivals
        angle = rng.uniform(0.0, 2.0 * np.pi)
        pair = data[:, columns]
        if (pair.max(axis=0) == pair.min(axis=0)).any():
            return data, arrivals
        cosine, sine = np.cos(angle), np.sin(angle)
        turned = data.astype(np.float32)
        turned[:, columns] = pair @ np.array([[cosine, -sine], [sine, cosine]], np.float32)
        return turned, arrivals


def p_and_s(arrivals: Arrivals) -> tuple[float, float] | None:
    """Return P and S, in samples, where there is just one of each and S is the later."""
    p, s = arrivals.get("P", ()), arrivals.get("S", ())
    return (p[0], s[0]) if len(p) == len(s) == 1 and s[0] > p[0] else None
