"""What normalisation divides by: the standard deviation, or the peak.

Official networks want the deviation; the peak, the greatest distance from the mean, is what most
networks that were trained with SeisBench want. Both are known of a window from what is known of its
two halves ("blocks"), so that a record can be normalised as it comes in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["NORMALIZATIONS", "SCALES", "Scale", "Statistics"]


@dataclass(frozen=True, eq=False)
class Statistics:
    """Of blocks that follow one another, in float64.

    Attributes:
        mean: ``(n_blocks, n_channels)``.
        spread: ``(n_values, n_blocks, n_channels)``: the variance, or the greatest and the least
            sample.
    """

    mean: np.ndarray
    spread: np.ndarray

    @classmethod
    def of_none(cls, n_channels: int, normalization: str = "std") -> Statistics:
        """Return those of no block at all."""
        n_values = SCALES[normalization].n_values
        return cls(np.empty((0, n_channels)), np.empty((n_values, 0, n_channels)))

    @property
    def window_means(self) -> np.ndarray:
        """Of each two neighbouring blocks together."""
        return (self.mean[:-1] + self.mean[1:]) / 2


@dataclass(frozen=True)
class Scale:
    """One kind of what a record is divided by.

    Attributes:
        of_whole: from rows of a mean of zero, ``(..., n_samples)``, ``(...)``.
        of_blocks: what of each block its windows need, ``n_values`` arrays ``(n_channels,
            n_blocks)``: from where its samples are counted from, the samples from there on
            ``(n_channels, n_blocks, half)``, and their variance.
        of_windows: of each two neighbouring blocks together, ``(n_blocks - 1, n_channels)``; of a
            constant exactly 0.
    """

    of_whole: Callable[[np.ndarray], np.ndarray]
    of_blocks: Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, ...]]
    of_windows: Callable[[Statistics], np.ndarray]
    n_values: int


def _deviation(rows: np.ndarray) -> np.ndarray:
    return np.sqrt(np.mean(np.square(rows), axis=-1))


def _variances(
    _first: np.ndarray, _away: np.ndarray, variance: np.ndarray
) -> tuple[np.ndarray, ...]:
    return (variance,)


def _deviations(known: Statistics) -> np.ndarray:
    # The distance of the means adds to the variance.
    mean, variance = known.mean, known.spread[0]
    return np.sqrt((variance[:-1] + variance[1:]) / 2 + (mean[:-1] - mean[1:]) ** 2 / 4)


def _peak(rows: np.ndarray) -> np.ndarray:
    return np.abs(rows).max(axis=-1)


def _extremes(first: np.ndarray, away: np.ndarray, _variance: np.ndarray) -> tuple[np.ndarray, ...]:
    return first + away.max(axis=-1), first + away.min(axis=-1)


def _peaks(known: Statistics) -> np.ndarray:
    greatest, least = known.spread
    above = np.maximum(greatest[:-1], greatest[1:]) - known.window_means
    return np.maximum(above, known.window_means - np.minimum(least[:-1], least[1:]))


SCALES: Mapping[str, Scale] = {
    "std": Scale(_deviation, _variances, _deviations, 1),
    "peak": Scale(_peak, _extremes, _peaks, 2),
}
NORMALIZATIONS = tuple(SCALES)
