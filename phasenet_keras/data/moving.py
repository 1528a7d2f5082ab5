"""The moving normalisation, of a record as a whole or as it comes in.

The official code defines it: statistics of windows of the training length, centred every half
window (the record mirrored at its end), the first window's and the last one's also at the ends,
linear in between; a deviation of 0 counts as 1. Here it is made from sums over half windows
("blocks") of what is left without a block's first sample, so that a large offset costs no
precision. What becomes of a block depends on it and on its two neighbours alone, so that a record
can be normalised as it comes in. What takes the deviation's place is in `scaling`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phasenet_keras.data.scaling import SCALES, Scale, Statistics

__all__ = [
    "STEP_SAMPLES",
    "MovingNormalizer",
    "make_up_for_dead",
    "normalize_whole",
]

# Of all channels, 400 kB: larger temporaries cost more time to get than to fill.
TILE_VALUES = 98_304
# Two such whole numbers have a difference that is one.
SAFE_INT32 = 1 << 30
SINGLE_PRECISION = (np.dtype(np.float32), np.dtype(np.int32))
# Mean squares that float32 can sum, and how much of one the square of the mean may be: each sum
# is right to 3e-7, a deviation then to 1e-6.
LEAST_SQUARE, MOST_SQUARE, MOST_OF_SQUARE = 1e-25, 1e35, 0.9
# Of a record, to be fed at once: what is made of them stays in a processor's cache.
STEP_SAMPLES = 65_536


def normalize_whole(data: np.ndarray, normalization: str = "std") -> tuple[np.ndarray, np.ndarray]:
    """Remove the mean and divide by the standard deviation or the peak, channel by channel.

    Args:
        data: ``(..., n_samples, n_channels)``; statistics are over the samples, in float64.
        normalization: ``"std"`` or ``"peak"``, as in `Preset`.

    Returns:
        float32 of the same shape, in which a constant channel is zero; and which channels are
        constant, ``(..., n_channels)``.

    Example:
        >>> normalize_whole(np.array([[1.0], [1.0], [1.0], [5.0]]))[0].ravel().round(3)
        array([-0.577, -0.577, -0.577,  1.732], dtype=float32)
        >>> normalize_whole(np.array([[1.0], [1.0], [1.0], [5.0]]), "peak")[0].ravel().round(3)
        array([-0.333, -0.333, -0.333,  1.   ], dtype=float32)
    """
    # One row a channel: sums over contiguous samples cost a fifth of those over strided ones.
    rows = np.array(np.swapaxes(data, -1, -2), np.float64, order="C")
    is_constant = rows.max(axis=-1) == rows.min(axis=-1)
    rows -= rows.mean(axis=-1, keepdims=True)
    rows /= np.where(is_constant, 1.0, SCALES[normalization].of_whole(rows))[..., None]
    rows[is_constant] = 0.0
    return np.swapaxes(rows, -1, -2).astype(np.float32, order="C"), is_constant


def normalize_parts(
    parts: Sequence[np.ndarray],
    half: int,
    before: Statistics,
    *,
    is_end: bool,
    normalization: str = "std",
) -> tuple[np.ndarray, np.ndarray, Statistics]:
    """Normalise blocks that follow one another.

    Args:
        parts: of a record, ``(n_samples, n_channels)`` each, whole blocks; two or more in all, or
            one that is neither the first nor, without ``is_end``, the last.
        half: samples a block.
        before: statistics of the block before them; empty where they begin the record.
        is_end: they end the record; else the last block is not normalised, but lends its
            statistics to the one before it.
        normalization: ``"std"`` or ``"peak"``, as in `Preset`.

    Returns:
        The normalised samples, ``(n_samples, n_channels)`` in float32; for each of their blocks
        which channels hold a signal, ``(n_blocks, n_channels)``; the statistics of all blocks and
        of the one before them.
    """
    scale = SCALES[normalization]
    blocks, measured = _measure(parts, half, scale)
    known = Statistics(
        np.concatenate([before.mean, measured.mean]),
        np.concatenate([before.spread, measured.spread], axis=1),
    )
    centres, widths = _windows(known, scale, is_begin=not len(before.mean), is_end=is_end)
    normalized = _normalize(blocks, centres, widths)
    return normalized, (widths[:-1] > 0) | (widths[1:] > 0), known


def mirrored_end(data: np.ndarray, half: int) -> np.ndarray:
    """Return the samples from the last block on that is not full, and a mirror image to fill it.

    Args:
        data: the end of a record, ``(n_samples, n_channels)``, from the begin of a block on;
            longer than a block.
        half: samples a block.
    """
    lacking = -data.shape[0] % half
    last = data[data.shape[0] // half * half :]
    return np.concatenate([last, data[-2 : -2 - lacking : -1]]) if lacking else last


@dataclass(frozen=True, eq=False)
class _Blocks:
    """Blocks of a record, each channel's samples less the first of the block.

    What is left is some deviations, and float32 will do for it where it would not for the samples.
    Where it is more than that the block's mean takes the place of its first sample. A constant's
    variance is exactly 0.

    Attributes:
        first: ``(n_channels, n_blocks)`` in float64; or the mean.
        away: ``(n_channels, n_blocks, half)``, in float32 where samples have no more precision.
    """

    first: np.ndarray
    away: np.ndarray


def _measure(parts: Sequence[np.ndarray], half: int, scale: Scale) -> tuple[_Blocks, Statistics]:
    """Return whole blocks, and their statistics."""
    n_channels, n_blocks = parts[0].shape[1], sum(len(part) // half for part in parts)
    first, shift, variance = (np.empty((n_channels, n_blocks)) for _ in range(3))
    is_single = all(part.dtype in SINGLE_PRECISION for part in parts)
    away = np.empty((n_channels, n_blocks, half), np.float32 if is_single else np.float64)
    done = 0
    for part in parts:
        series = _subtractable(part).T.reshape(n_channels, -1, half)
        into = np.s_[:, done : done + series.shape[1]]
        first[into] = series[:, :, 0]
        np.subtract(series, series[:, :, :1], out=away[into], casting="same_kind")
        shift[into], variance[into] = _moments(away[into])
        if is_single:
            _measure_again(series, first[into], away[into], shift[into], variance[into])
        done += series.shape[1]
    spread = np.stack([value.T for value in scale.of_blocks(first, away, variance)])
    return _Blocks(first, away), Statistics((first + shift).T, spread)


def _subtractable(part: np.ndarray) -> np.ndarray:
    """Return samples whose differences are right in their own type: float64 for most types."""
    is_safe = part.dtype in SINGLE_PRECISION
    if part.dtype == np.int32 and part.size:
        is_safe = part.min() >= -SAFE_INT32 and part.max() < SAFE_INT32
    return part if is_safe else part.astype(np.float64, copy=False)


def _moments(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance of rows, ``(..., half)``, in float64."""
    half = rows.shape[-1]
    with np.errstate(over="ignore", invalid="ignore"):
        mean = rows.sum(axis=-1).astype(np.float64) / half
        # The product of each row with itself: no array of squares.
        square = (rows[..., None, :] @ rows[..., :, None])[..., 0, 0].astype(np.float64) / half
        return mean, np.maximum(0.0, square - mean**2)


def _measure_again(
    series: np.ndarray,
    first: np.ndarray,
    away: np.ndarray,
    shift: np.ndarray,
    variance: np.ndarray,
) -> None:
    """Measure those blocks in float64, from their means on, that float32 will not do for; in place.

    Squares can leave its range, and where the first sample is far from all others, what is left of
    these is mostly its distance.
    """
    square = variance + shift**2
    with np.errstate(invalid="ignore"):
        is_right = (square > LEAST_SQUARE) & (square < MOST_SQUARE)
        is_right &= shift**2 < MOST_OF_SQUARE * square
    if is_right.all():
        return
    rows = series[~is_right].astype(np.float64)
    rows -= first[~is_right, None]
    mean = rows.mean(axis=-1)
    rows -= mean[:, None]
    first[~is_right] += mean
    away[~is_right] = rows
    shift[~is_right], variance[~is_right] = _moments(rows)


def _windows(
    known: Statistics, scale: Scale, *, is_begin: bool, is_end: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation, or peak, of the windows at the borders of blocks."""
    # Window i covers the half windows i - 1 and i.
    centres, widths = known.window_means, scale.of_windows(known)
    front, back = slice(0, int(is_begin)), slice(len(centres) - int(is_end), None)
    return (
        np.concatenate([centres[front], centres, centres[back]]),
        np.concatenate([widths[front], widths, widths[back]]),
    )


def _normalize(blocks: _Blocks, centres: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Normalise blocks between windows, ``(n_windows, n_channels)``: one fewer than these."""
    n_channels, n_blocks, half = len(blocks.away), len(centres) - 1, blocks.away.shape[2]
    normalized = np.empty((n_blocks * half, n_channels), np.float32)
    # What falls and what rises: begin and slope would cancel, behind a step, more than there is.
    rises = (np.arange(half) / half).astype(blocks.away.dtype)
    falls = (1.0 - np.arange(half) / half).astype(blocks.away.dtype)
    centre, width = _ends(centres, blocks.first[:, :n_blocks]), _ends(widths, 0.0)
    centre, width = (item.astype(blocks.away.dtype) for item in (centre, width))
    into = normalized.T.reshape(n_channels, n_blocks, half)
    count = max(1, TILE_VALUES // (n_channels * half))
    for begin in range(0, n_blocks, count):
        rows = slice(begin, min(begin + count, n_blocks))
        # What is away from a block's first sample is not needed again.
        tile = blocks.away[:, rows]
        tile -= _lines(centre[:, rows], falls, rises)
        divisor = _lines(width[:, rows], falls, rises)
        if not width[:, rows].all():
            divisor[divisor == 0] = 1.0
        np.divide(tile, divisor, out=into[:, rows], casting="same_kind")
    return normalized


def _lines(ends: np.ndarray, falls: np.ndarray, rises: np.ndarray) -> np.ndarray:
    """Return the line of each block, ``(n_channels, n_blocks, half)``, between its ends.

    Each value is rounded by itself. A product of matrices is not: how that sums is up to how many
    blocks there are, and to the processor.
    """
    line = ends[..., :1] * falls
    line += ends[..., 1:] * rises
    return line


def _ends(at_borders: np.ndarray, origins: np.ndarray | float) -> np.ndarray:
    """Return begin and end of each block's line, from an origin: ``(n_channels, n_blocks, 2)``."""
    begin, end = (values.T - origins for values in (at_borders[:-1], at_borders[1:]))
    return np.stack([begin, end], axis=2)


def make_up_for_dead(normalized: np.ndarray, half: int, is_live: np.ndarray) -> None:
    """Scale the live channels of each block by all / live, in place: the official rule.

    Args:
        normalized: ``(n_samples, n_channels)``.
        half: samples a block.
        is_live: ``(n_blocks, n_channels)``.
    """
    n_channels = is_live.shape[1]
    counts = is_live.sum(axis=1)
    for block in np.flatnonzero((counts > 0) & (counts < n_channels)).tolist():
        normalized[block * half : (block + 1) * half] *= np.float32(n_channels / counts[block])


class MovingNormalizer:
    """Normalises a record that comes in pieces: what `normalize_record` makes of the whole.

    A sample is given back when the half window after its own is complete, but not before the
    record is longer than a window: up to there a record is normalised as a whole.

    Args:
        window_samples: of the network's training; even.
        n_channels: of the record.
        normalization: ``"std"`` or ``"peak"``, as in `Preset`.

    Example:
        >>> record = np.random.default_rng(0).standard_normal((1000, 3))
        >>> moving = MovingNormalizer(200, 3)
        >>> pieces = [moving.feed(record[:700]), moving.feed(record[700:]), moving.finish()]
        >>> [len(piece) for piece in pieces]
        [600, 300, 100]
    """

    def __init__(self, window_samples: int, n_channels: int, normalization: str = "std") -> None:
        self._normalization = normalization
        self._window = window_samples
        self._half = window_samples // 2
        self._n_samples = 0
        # From the first block on that was not given back.
        self._held = np.empty((0, n_channels))
        self._before = Statistics.of_none(n_channels, normalization)
        self.is_live = np.zeros(n_channels, bool)

    def feed(self, data: np.ndarray) -> np.ndarray:
        """Take the next samples, ``(n, n_channels)``; return those that are settled, float32."""
        self._n_samples += data.shape[0]
        n_held, half = self._held.shape[0], self._half
        if self._n_samples <= self._window or n_held + data.shape[0] < 2 * half:
            self._held = np.concatenate([self._held, data]) if n_held else data
            return np.empty((0, data.shape[1]), np.float32)
        # Blocks that were begun are copied, the others are not.
        lacking = min(-n_held % half, data.shape[0])
        head = np.concatenate([self._held, data[:lacking]]) if n_held else data[:0]
        n_whole = [part.shape[0] // half * half for part in (head, data[lacking:])]
        parts = [head[: n_whole[0]], data[lacking : lacking + n_whole[1]]]
        last = parts[1] if n_whole[1] else parts[0]
        self._held = np.concatenate(
            [last[-half:], head[n_whole[0] :], data[lacking + n_whole[1] :]]
        )
        return self._normalized(parts, is_end=False)

    def finish(self) -> np.ndarray:
        """Return the last samples: the record has ended."""
        if self._n_samples > self._window:
            n_full = self._held.shape[0] // self._half * self._half
            parts = [self._held[:n_full], mirrored_end(self._held, self._half)]
            return self._normalized(parts, is_end=True)[: self._held.shape[0]]
        if not self._n_samples:
            return np.empty(self._held.shape, np.float32)
        normalized, is_constant = normalize_whole(self._held, self._normalization)
        self.is_live = ~is_constant
        make_up_for_dead(normalized, self._n_samples, self.is_live[None])
        return normalized

    def _normalized(self, parts: list[np.ndarray], is_end: bool) -> np.ndarray:
        normalized, is_live, known = normalize_parts(
            parts, self._half, self._before, is_end=is_end, normalization=self._normalization
        )
        make_up_for_dead(normalized, self._half, is_live)
        self.is_live |= is_live.any(axis=0)
        self._before = Statistics(known.mean[-2:-1], known.spread[:, -2:-1])
        return normalized
