"""Labelled records as windows are drawn from them: channels in the network's order, arrivals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from phasenet_keras.data.preprocess import arrange_channels
from phasenet_keras.types import LabelledWaveform

__all__ = ["Arrivals", "RecordPool", "Stretch", "channel_means", "cut_window", "rows_of"]

Arrivals = Mapping[str, tuple[float, ...]]


class Stretch(NamedTuple):
    """A part of a record: its number in the pool, first sample, sample after the last."""

    number: int
    begin: int
    end: int


@dataclass(frozen=True, eq=False)
class RecordPool:
    """The records of an `ExampleMaker`, and what augmentations may take from them.

    Attributes:
        records: the labelled records.
        channels: the network's, in order.
        phases: the network's, in order, noise first.
        mask_unknown: a phase that was not labelled is unknown; False: it is absent.
    """

    records: Sequence[LabelledWaveform]
    channels: tuple[str, ...]
    phases: tuple[str, ...]
    mask_unknown: bool = True

    def data(self, number: int) -> np.ndarray:
        """Return ``(samples, channels)`` of a record, in the network's order."""
        return arrange_channels(self.records[number].waveform, self.channels)

    def arrivals(self, number: int) -> Arrivals:
        """Return the arrivals of a record; a phase that is not a key is unknown."""
        arrivals = self.records[number].arrivals
        if self.mask_unknown:
            return arrivals
        return {phase: arrivals.get(phase, ()) for phase in self.phases[1:]}

    def window(
        self, number: int, begin: int, n_samples: int
    ) -> tuple[np.ndarray, dict[str, tuple[float, ...]]]:
        """Return a window of a record and its arrivals, as `cut_window` does."""
        return cut_window(self.data(number), self.arrivals(number), begin, n_samples)

    def with_arrivals(self) -> list[int]:
        """Return the numbers of the records that have an arrival of the network's phases."""
        numbers = range(len(self.records))
        return [n for n in numbers if any(self.arrivals(n).get(p) for p in self.phases[1:])]

    def noise_stretches(self, least_samples: int, margin_samples: int) -> list[Stretch]:
        """Return where there is noise alone.

        That is in records in which all phases were looked for and none is, and before the first
        arrival of records in which the first phase (P) was looked for.

        Args:
            least_samples: shorter ones are left out.
            margin_samples: between the end of a stretch and the first arrival.
        """
        stretches = []
        for number, record in enumerate(self.records):
            arrivals, end = self.arrivals(number), 0
            samples = [s for times in arrivals.values() for s in times]
            if samples and self.phases[1] in arrivals:
                end = int(min(samples)) - margin_samples
            elif not samples and all(phase in arrivals for phase in self.phases[1:]):
                end = record.waveform.n_samples
            if end >= least_samples:
                stretches.append(Stretch(number, 0, end))
        return stretches


def rows_of(data: np.ndarray) -> np.ndarray:
    """Return a copy of ``(samples, channels)`` as ``(channels, samples)`` in float64.

    Sums over contiguous samples cost a fifth of those over strided ones.
    """
    return np.array(data.T, np.float64, order="C")


def channel_means(data: np.ndarray) -> np.ndarray:
    """Return the mean of each channel of ``(samples, channels)`` in float64; 0 without samples."""
    if not data.size:
        return np.zeros(data.shape[1])
    return rows_of(data).mean(axis=1)


def cut_window(
    data: np.ndarray, arrivals: Arrivals, begin: int, n_samples: int
) -> tuple[np.ndarray, dict[str, tuple[float, ...]]]:
    """Cut a window, of which parts may be outside of the record: there it holds the mean.

    Args:
        data: ``(samples, channels)``.
        arrivals: in samples of the record.
        begin: the window's first sample, may be negative.
        n_samples: of the window.

    Returns:
        ``(n_samples, channels)`` and all arrivals, in samples of the window, also those outside:
        the part of their bump that is inside counts. The mean is of the part inside the record.
    """
    inside = slice(max(0, begin), max(0, min(data.shape[0], begin + n_samples)))
    piece = data[inside]
    moved = {phase: tuple(s - begin for s in samples) for phase, samples in arrivals.items()}
    if piece.shape[0] == n_samples:
        return piece.astype(np.float32), moved
    window = np.empty((n_samples, data.shape[1]), np.float32)
    window[:] = channel_means(piece)
    window[inside.start - begin : inside.start - begin + piece.shape[0]] = piece
    return window, moved
