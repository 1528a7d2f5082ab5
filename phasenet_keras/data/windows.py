"""Lengths and chunks: how a record of any length is fed to a network that has strides.

**The length rule.** With ``same`` padding at every stride, the output at a sample depends on the
input's length modulo ``stride ** (depth - 1)`` (256). A network works best at the remainder that
it was trained at, so a record is padded with zeros at its end to a length congruent to the
training window (official weights, 3001 samples as they are: picks late by 2.7 samples).

**Chunks.** A long record is run in pieces that start at multiples of 256 and carry a halo as wide
as the receptive field; they agree with the whole record to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

__all__ = ["Chunk", "chunks", "pad_to", "padded_length"]


@dataclass(frozen=True)
class Chunk:
    """A piece of a padded record, and the part of it whose output is kept.

    Attributes:
        begin, end: samples of the padded record that are fed to the network.
        keep_begin, keep_end: samples of the padded record whose output counts.
    """

    begin: int
    end: int
    keep_begin: int
    keep_end: int


def padded_length(n_samples: int, window_samples: int, grid_samples: int) -> int:
    """Return the least length that holds a record, is a window at least, and is congruent to it.

    Args:
        n_samples: of the record.
        window_samples: of the training windows.
        grid_samples: of the network, `PhaseNetConfig.grid_samples`.

    Example:
        >>> padded_length(3001, 3000, 256)
        3256
        >>> padded_length(20, 3000, 256)
        3000
    """
    too_long = max(0, n_samples - window_samples)
    return window_samples + -(-too_long // grid_samples) * grid_samples


def pad_to(data: np.ndarray, n_samples: int) -> np.ndarray:
    """Append zeros (the mean, after normalisation) to ``(samples, channels)`` up to a length."""
    if data.shape[0] == n_samples:
        return data
    padded = np.zeros((n_samples, *data.shape[1:]), data.dtype)  # np.pad costs 0.1 ms a call
    padded[: data.shape[0]] = data
    return padded


def chunks(
    n_padded: int, window_samples: int, grid_samples: int, halo_samples: int, core_samples: int
) -> Iterator[Chunk]:
    """Cut a padded record into pieces whose kept parts tile it.

    Args:
        n_padded: length of the record as `padded_length` gives it.
        window_samples: of the training windows.
        grid_samples: of the network.
        halo_samples: context on each side; a multiple of ``grid_samples``.
        core_samples: kept samples a chunk, rounded up to a multiple of ``grid_samples``.

    Yields:
        Chunks that begin at multiples of ``grid_samples`` and whose lengths are congruent to
        ``window_samples``; the last one ends where the record ends.

    Example:
        >>> [(c.begin, c.end) for c in chunks(3000 + 256 * 40, 3000, 256, 1792, 8192)]
        [(0, 10168), (6400, 13240)]
    """
    core = -(-core_samples // grid_samples) * grid_samples
    remainder = n_padded % grid_samples
    for keep_begin in range(0, n_padded, core):
        keep_end = min(keep_begin + core, n_padded)
        begin = max(0, keep_begin - halo_samples)
        need = keep_end + halo_samples
        end = min(n_padded, -(-(need - remainder) // grid_samples) * grid_samples + remainder)
        yield Chunk(begin, end, keep_begin, keep_end)
