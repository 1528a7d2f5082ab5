"""The peaks of a record's probabilities, and what is measured of each: amplitude and ratio."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from phasenet_keras.picking.peaks import PeakFinder

__all__ = ["Found", "PickSearch", "snr_db_at"]

# The amplitude is read in this many samples of the network's rate from the pick on: 3 s at 100 Hz;
# from the mean of the half window before and that after the pick, or of a record that is not longer
# than a window.
AMPLITUDE_WINDOW_SAMPLES = 300
# Of fewer than this part of a window there is no rms to speak of.
LEAST_SNR_PART = 0.1


@dataclass(frozen=True, order=True)
class Found:
    """A pick, in samples.

    Attributes:
        sample: of the probabilities, from the record's first.
        column: of the phase.
        probability: at the sample.
        amplitude, snr_db: as in `phasenet_keras.types.Pick`.
    """

    sample: int
    column: int
    probability: float
    amplitude: float
    snr_db: float | None = None


class PickSearch:
    """The peaks of a record's probabilities, measured on its samples; both may come in pieces.

    Args:
        thresholds: least probability by column; other columns are not picked.
        mpd: least distance of two peaks, in samples of the probabilities.
        window_samples: of the network's training.
        scale: samples of the record in one of the probabilities.
    """

    def __init__(
        self, thresholds: Mapping[int, float], mpd: int, window_samples: int, scale: float
    ) -> None:
        self._scale = scale
        self._reach = round(window_samples // 2 * scale)
        self._length = round(AMPLITUDE_WINDOW_SAMPLES * scale)
        self._finders = {c: PeakFinder(t, mpd) for c, t in thresholds.items()}
        # The record's own samples, as far back as an amplitude may be wanted.
        self._raw = _Tail()
        self._waiting: list[tuple[int, int, float]] = []
        self.n_samples = 0  # of the probabilities

    @property
    def highest(self) -> dict[int, float]:
        """The highest probability of each column so far; 0 before the first."""
        return {column: max(0.0, finder.highest) for column, finder in self._finders.items()}

    def add(self, data: np.ndarray) -> None:
        """Take the next samples of the record, ``(n, channels)``, not to be changed afterwards."""
        self._raw.add(data)

    def feed(self, probabilities: np.ndarray) -> None:
        """Take the next probabilities, ``(n, phases)``."""
        self.n_samples += probabilities.shape[0]
        for column, finder in self._finders.items():
            self._wait(column, finder.feed(probabilities[:, column]))

    def settled(self) -> list[Found]:
        """Return the peaks that are certain and whose samples are there; drop old samples."""
        n_samples, ahead = self._raw.n_samples, max(self._reach, self._length)
        found, waiting = [], []
        for peak in self._waiting:
            begin = self._begin(peak[0])
            if begin + ahead <= n_samples and n_samples > 2 * self._reach:
                found.append(self._measured(*peak))
            else:
                waiting.append(peak)
        self._waiting = waiting
        self._forget()
        return found

    def finish(self) -> list[Found]:
        """Return the peaks that are left: the record has ended."""
        for column, finder in self._finders.items():
            self._wait(column, finder.finish())
        waiting, self._waiting = self._waiting, []
        return [self._measured(*peak) for peak in waiting]

    def _wait(self, column: int, peaks: list[tuple[int, float]]) -> None:
        self._waiting += [(sample, column, height) for sample, height in peaks]

    def _begin(self, sample: int) -> int:
        """Return the sample of the record at one of the probabilities."""
        return min(round(sample * self._scale), self._raw.n_samples - 1)

    def _measured(self, sample: int, column: int, height: float) -> Found:
        begin = self._begin(sample)
        return Found(sample, column, height, self._amplitude(begin), self._snr_db(begin))

    def _amplitude(self, begin: int) -> float:
        """Return the largest excursion, over all channels, from the mean about a sample."""
        n_samples = self._raw.n_samples
        low, high = max(0, begin - self._reach), begin + self._reach
        if n_samples <= 2 * self._reach:
            low, high = 0, n_samples
        mean = self._raw.between(low, high).mean(axis=0, dtype=np.float64)
        return float(np.abs(self._raw.between(begin, begin + self._length) - mean).max())

    def _snr_db(self, begin: int) -> float | None:
        low = max(0, begin - self._length)
        part = self._raw.between(low, begin + self._length)
        return snr_db_at(part, begin - low, self._length)

    def _forget(self) -> None:
        samples = [finder.oldest for finder in self._finders.values()]
        samples += [sample for sample, _, _ in self._waiting]
        oldest = round(min(samples, default=self.n_samples) * self._scale) - 1
        if self._raw.n_samples > 2 * self._reach:
            self._raw.forget(oldest - max(self._reach, self._length))


class _Tail:
    """The last samples of a record, in the pieces in which they came."""

    def __init__(self) -> None:
        self.n_samples = 0
        self._pieces: deque[tuple[int, np.ndarray]] = deque()

    def add(self, data: np.ndarray) -> None:
        self._pieces.append((self.n_samples, data))
        self.n_samples += data.shape[0]

    def between(self, low: int, high: int) -> np.ndarray:
        """Return the samples from ``low`` to ``high``, as far as they are there."""
        return np.concatenate(
            [data[max(0, low - begin) : max(0, high - begin)] for begin, data in self._pieces]
        )

    def forget(self, before: int) -> None:
        while self._pieces and self._pieces[0][0] < before:
            begin, data = self._pieces.popleft()
            if begin + data.shape[0] > before:
                self._pieces.appendleft((before, data[before - begin :]))


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
    if min(map(len, windows)) < LEAST_SNR_PART * length:
        return None
    noise, signal = (_power(window) for window in windows)
    return 10.0 * math.log10(signal / noise) if signal > 0.0 and noise > 0.0 else None


def _power(window: np.ndarray) -> float:
    """Return the variance, mean over channels; `var` takes twice as long."""
    rows = np.array(window.T, np.float64, order="C")
    rows -= np.add.reduce(rows, axis=1, keepdims=True) / rows.shape[1]
    return float(np.vdot(rows, rows)) / rows.size
