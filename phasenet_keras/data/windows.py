"""The length rule: how a record of any length is fed to a network that has strides.

With ``same`` padding at every stride, the output at a sample depends on the
input's length modulo ``stride ** (depth - 1)`` (256). A network works best at the remainder that
it was trained at, so a record is padded with zeros at its end to a length congruent to the
training window (official weights, 3001 samples as they are: picks late by 2.7 samples).
"""

from __future__ import annotations

import numpy as np

__all__ = ["pad_to", "padded_length"]


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
