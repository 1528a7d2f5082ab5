"""The signal-to-noise ratio of a pick: a pure function of a record's samples."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["snr_db_at"]

# Of fewer than this part of a window there is no rms to speak of.
LEAST_SNR_PART = 0.1


def snr_db_at(data: np.ndarray, begin: int, length: int) -> float | None:
    """Return the rms after a sample over that before, in dB.

    ``20 log10(rms(after) / rms(before))``, where an rms is over all samples and channels, each
    channel less its mean in the window. ``after`` begins with the sample.

    Args:
        data: ``(n_samples, n_channels)``.
        begin: the sample.
        length: samples of each window; windows end where the record does.

    Returns:
        None where a window has fewer than a tenth of its samples, or holds no signal.

    Example:
        >>> record = np.array([[1.0], [-1.0], [10.0], [-10.0]])
        >>> snr_db_at(record, 2, 2)
        20.0
    """
    windows = data[max(0, begin - length) : begin], data[begin : begin + length]
    if min(map(len, windows)) < max(2, LEAST_SNR_PART * length):
        return None
    noise, signal = (_power(window) for window in windows)
    return 10.0 * math.log10(signal / noise) if signal > 0.0 and noise > 0.0 else None


def _power(window: np.ndarray) -> float:
    """Return the variance, mean over channels; `var` takes twice as long."""
    rows = np.array(window.T, np.float64, order="C")
    rows -= np.add.reduce(rows, axis=1, keepdims=True) / rows.shape[1]
    return float(np.vdot(rows, rows)) / rows.size
