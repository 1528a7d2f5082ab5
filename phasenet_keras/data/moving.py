"""The moving normalisation, of a record as a whole or as it comes in.

The official code defines it: statistics of windows of the training length, centred every half
window (the record mirrored at its end), the first window's and the last one's also at the ends,
linear in between; a deviation of 0 counts as 1. Here it is made from sums over half windows
("blocks"), combined in float64, so that a large offset costs no precision. What becomes of a block
depends on it and on its two neighbours alone, so that a record can be normalised as it comes in.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

__all__ = [
    "MovingNormalizer",
    "block_statistics",
    "make_up_for_dead",
    "normalize",
    "normalize_and_tell",
    "normalize_blocks",
]

# Of one channel, worked on at once: 400 kB in double precision.
TILE_SAMPLES = 49_152


def normalize(data: np.ndarray) -> np.ndarray:
    """Remove the mean and divide by the standard deviation, channel by channel.

    Args:
        data: ``(..., n_samples, n_channels)``; statistics are over the samples, in float64.

    Returns:
        float32 of the same shape; a constant channel becomes zero.

    Example:
        >>> normalize(np.array([[1.0], [3.0]])).ravel()
        array([-1.,  1.], dtype=float32)
    """
    return normalize_and_tell(data)[0]


def normalize_and_tell(data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Normalise as `normalize`; return also which channels are constant: ``(..., n_channels)``."""
    # One row a channel: sums over contiguous samples cost a fifth of those over strided ones.
    rows = np.array(np.swapaxes(data, -1, -2), np.float64, order="C")
    is_constant = rows.max(axis=-1) == rows.min(axis=-1)
    rows -= rows.mean(axis=-1, keepdims=True)
    std = np.sqrt(np.mean(np.square(rows), axis=-1))
    rows /= np.where(is_constant, 1.0, std)[..., None]
    rows[is_constant] = 0.0
    return np.swapaxes(rows, -1, -2).astype(np.float32, order="C"), is_constant


def block_statistics(data: np.ndarray, half: int, *, is_end: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance of each half window, ``(n_blocks, n_channels)`` in float64.

    Args:
        data: ``(n_samples, n_channels)``, from the begin of a block on.
        half: samples a block.
        is_end: fill up the last block by mirroring the record at its end; else a last block that
            is not full is left out.
    """
    n_full = data.shape[0] // half * half
    lacking = -data.shape[0] % half
    parts = [data[:n_full]]
    if is_end and lacking:
        parts.append(np.concatenate([data[n_full:], data[-2 : -2 - lacking : -1]]))
    n_blocks = sum(len(part) for part in parts) // half
    mean, variance = np.empty((n_blocks, data.shape[1])), np.empty((n_blocks, data.shape[1]))
    for begin, part in zip((0, n_full // half), parts, strict=False):
        for channel in range(data.shape[1]):
            for tile, rows in _tiles(part[:, channel], half):
                # From the block's first sample. It is one of those summed, so that no more is
                # cancelled than a factor of ``half``, and a constant has a variance of exactly 0.
                first = tile[:, :1].astype(np.float64)
                away = np.subtract(tile, first, dtype=np.float64)
                shift = away.sum(axis=1) / half
                square = np.square(away, out=away).sum(axis=1) / half
                into = slice(begin + rows.start, begin + rows.stop)
                mean[into, channel] = first[:, 0] + shift
                variance[into, channel] = np.maximum(0.0, square - shift**2)
    return mean, variance


def _tiles(series: np.ndarray, half: int) -> Iterator[tuple[np.ndarray, slice]]:
    """Yield views of some whole blocks, a block a row, and which blocks they are.

    Full-length arrays in double precision would cost more time than the arithmetic: so many
    blocks stay in a processor's cache.
    """
    n_blocks, count = series.shape[0] // half, max(1, TILE_SAMPLES // half)
    for begin in range(0, n_blocks, count):
        end = min(begin + count, n_blocks)
        yield series[begin * half : end * half].reshape(-1, half), slice(begin, end)


def normalize_blocks(
    data: np.ndarray,
    half: int,
    mean: np.ndarray,
    variance: np.ndarray,
    *,
    is_begin: bool,
    is_end: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Normalise blocks whose statistics, and those of their neighbours, are known.

    Args:
        data: the blocks' samples, ``(n_samples, n_channels)``.
        half: samples a block.
        mean: of the blocks in order, with the one before them in front (unless they
            begin the record) and the one after them at the end (unless they end it).
        variance: of the same blocks.
        is_begin: the blocks begin the record.
        is_end: the blocks end the record.

    Returns:
        The normalised samples, float32, and for each block which channels hold a signal,
        ``(n_blocks, n_channels)``.
    """
    # Window i covers the half windows i - 1 and i: their means' distance adds to the variance.
    centres = (mean[:-1] + mean[1:]) / 2
    widths = np.sqrt((variance[:-1] + variance[1:]) / 2 + (mean[:-1] - mean[1:]) ** 2 / 4)
    front, back = slice(0, int(is_begin)), slice(len(centres) - int(is_end), None)
    centres = np.concatenate([centres[front], centres, centres[back]])
    widths = np.concatenate([widths[front], widths, widths[back]])

    n_samples, n_channels = data.shape
    n_full = n_samples // half * half
    normalized = np.empty(data.shape, np.float32)
    edges = ((0, n_full, half), (n_full, n_samples, max(1, n_samples - n_full)))
    for begin, end, length in edges:  # whole blocks, and what is left
        along = np.stack([np.ones(length), np.arange(length, dtype=np.float64) / half])
        for channel in range(n_channels):
            ends = _ends(centres[:, channel]), _ends(widths[:, channel])
            tiles = _tiles(data[begin:end, channel], length)
            outs = _tiles(normalized[begin:end, channel], length)
            for (tile, rows), (out, _) in zip(tiles, outs, strict=True):
                shifted = slice(rows.start + begin // half, rows.stop + begin // half)
                centre, width = (line[shifted] @ along for line in ends)
                np.subtract(tile, centre, out=centre)
                if not ends[1][shifted, 0].all():
                    width[width == 0] = 1.0
                np.divide(centre, width, out=out, casting="same_kind")
    n_blocks = -(-n_samples // half)
    return normalized, (widths[:n_blocks] > 0) | (widths[1 : n_blocks + 1] > 0)


def _ends(values: np.ndarray) -> np.ndarray:
    """Return begin and rise of the line through each block, ``(n_blocks, 2)``."""
    return np.stack([values[:-1], np.diff(values)], axis=1)


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

    Example:
        >>> record = np.random.default_rng(0).standard_normal((1000, 3))
        >>> moving = MovingNormalizer(200, 3)
        >>> pieces = [moving.feed(record[:700]), moving.feed(record[700:]), moving.finish()]
        >>> [len(piece) for piece in pieces]
        [600, 300, 100]
    """

    def __init__(self, window_samples: int, n_channels: int) -> None:
        self._window = window_samples
        self._half = max(1, window_samples // 2)
        self._n_samples = 0
        # From the first block on that was not given back.
        self._held = np.empty((0, n_channels))
        self._mean = np.empty((0, n_channels))
        self._variance = np.empty((0, n_channels))
        self._is_begin = True
        self.is_live = np.zeros(n_channels, bool)

    def feed(self, data: np.ndarray) -> np.ndarray:
        """Take the next samples, ``(n, n_channels)``; return those that are settled, float32."""
        self._n_samples += data.shape[0]
        self._held = np.concatenate([self._held, data]) if self._held.size else data
        n_ready = self._held.shape[0] // self._half - 1
        if self._n_samples <= self._window or n_ready < 1:
            return np.empty((0, data.shape[1]), np.float32)
        self._take_statistics(is_end=False)
        settled = self._normalize(n_ready * self._half, is_end=False)
        keep = self._mean.shape[0] - 2  # the block before the first held one, and the one held
        self._mean, self._variance = self._mean[keep:], self._variance[keep:]
        self._is_begin = False
        return settled

    def finish(self) -> np.ndarray:
        """Return the last samples: the record has ended."""
        if self._n_samples > self._window:
            self._take_statistics(is_end=True)
            return self._normalize(self._held.shape[0], is_end=True)
        if not self._n_samples:
            return np.empty(self._held.shape, np.float32)
        normalized, is_constant = normalize_and_tell(self._held)
        self.is_live = ~is_constant
        make_up_for_dead(normalized, self._n_samples, self.is_live[None])
        return normalized

    def _take_statistics(self, is_end: bool) -> None:
        """Add the statistics of the blocks that have become complete."""
        n_known = self._mean.shape[0] - (not self._is_begin)
        # The mirrored end of a short last block reaches back into the one before it.
        context = max(0, n_known - 1) if is_end else n_known
        mean, variance = block_statistics(
            self._held[context * self._half :], self._half, is_end=is_end
        )
        self._mean = np.concatenate([self._mean, mean[n_known - context :]])
        self._variance = np.concatenate([self._variance, variance[n_known - context :]])

    def _normalize(self, n_samples: int, is_end: bool) -> np.ndarray:
        normalized, is_live = normalize_blocks(
            self._held[:n_samples],
            self._half,
            self._mean,
            self._variance,
            is_begin=self._is_begin,
            is_end=is_end,
        )
        make_up_for_dead(normalized, self._half, is_live)
        self.is_live |= is_live.any(axis=0)
        self._held = self._held[n_samples:]
        return normalized
