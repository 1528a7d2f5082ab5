"""Training examples: windows drawn from labelled records, seeded by (seed, epoch, index)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from phasenet_keras.data.augment import Arrivals, Augmentation, augment
from phasenet_keras.data.labels import LabelShape, draw_labels
from phasenet_keras.data.preprocess import arrange_channels, normalize_record
from phasenet_keras.types import ConfigError, LabelledWaveform

__all__ = ["ExampleMaker", "cut_window", "known_phases"]


@dataclass(frozen=True)
class ExampleMaker:
    """Makes batches of ``(x, y)`` out of labelled records.

    The same (seed, epoch, index) gives the same example, whatever was made before.

    Attributes:
        records: the labelled records; all of one sampling rate.
        channels: the network's, in order.
        phases: the network's, in order.
        window_samples: of the examples.
        label: the shape of an arrival in the target.
        steps: augmentations, in order.
        alpha: rate of windows that hold the arrivals; the others are drawn anywhere.
        shift_samples: how far a window may begin before a record, or end after it; what is
            outside of the record is zero.
        mask_unknown: treat a phase that was not labelled as unknown, not as absent.
        seed: of all random choices.
    """

    records: Sequence[LabelledWaveform]
    channels: tuple[str, ...]
    phases: tuple[str, ...]
    window_samples: int
    label: LabelShape = field(default_factory=LabelShape)
    steps: Sequence[Augmentation] = ()
    alpha: float = 0.9
    shift_samples: int = 0
    mask_unknown: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.records:
            raise ConfigError("there are no records to train on")
        rates = {record.waveform.sampling_rate for record in self.records}
        if len(rates) > 1:
            raise ConfigError(f"records have different sampling rates: {sorted(rates)} Hz")
        if not 0.0 <= self.alpha <= 1.0:
            raise ConfigError(f"alpha is in [0, 1], received {self.alpha!r}")

    def example(self, epoch: int, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return one window and its target.

        Returns:
            ``(window, channels)`` and ``(window, 2 * phases)``: the target, then for each phase 1
            where it is known and 0 where it is not.
        """
        rng = np.random.default_rng((self.seed, epoch, index))
        record = self.records[index % len(self.records)]
        data = arrange_channels(record.waveform, self.channels)
        begin = self._begin(record, rng)
        window, arrivals = cut_window(data, record.arrivals, begin, self.window_samples)
        window, left = augment(window, arrivals, self.steps, rng)
        x, _ = normalize_record(window, self.window_samples)
        y = draw_labels(self.window_samples, left, self.phases, self.label)
        known = known_phases(record.arrivals, self.phases, self.mask_unknown)
        return x, np.concatenate([y, np.broadcast_to(known, y.shape)], axis=1)

    def batch(self, epoch: int, indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return several examples, stacked."""
        pairs = [self.example(epoch, int(index)) for index in indices]
        return np.stack([x for x, _ in pairs]), np.stack([y for _, y in pairs])

    def _begin(self, record: LabelledWaveform, rng: np.random.Generator) -> int:
        n_samples = record.waveform.n_samples
        earliest = -self.shift_samples
        latest = max(earliest, n_samples - self.window_samples + self.shift_samples)
        samples = [s for phase in record.arrivals.values() for s in phase]
        if samples and rng.random() < self.alpha:
            # Hold the first arrival, and the last one where both fit.
            latest = min(latest, int(min(samples)))
            after_last = int(np.ceil(max(samples))) - self.window_samples + 1
            earliest = max(earliest, min(after_last, latest))
        return int(rng.integers(earliest, max(earliest, latest) + 1))


def cut_window(
    data: np.ndarray, arrivals: Arrivals, begin: int, n_samples: int
) -> tuple[np.ndarray, dict[str, tuple[float, ...]]]:
    """Cut a window, of which parts may be outside of the record: there it holds the record's mean.

    Args:
        data: ``(samples, channels)``.
        arrivals: in samples of the record.
        begin: the window's first sample, may be negative.
        n_samples: of the window.

    Returns:
        ``(n_samples, channels)`` and all arrivals, in samples of the window, also those outside:
        the part of their bump that is inside counts.
    """
    inside = slice(max(0, begin), max(0, min(data.shape[0], begin + n_samples)))
    piece = data[inside]
    mean = piece.mean(axis=0) if piece.size else np.zeros(data.shape[1], np.float32)
    window = np.tile(mean, (n_samples, 1)).astype(np.float32)
    window[inside.start - begin : inside.start - begin + piece.shape[0]] = piece
    moved = {phase: tuple(s - begin for s in samples) for phase, samples in arrivals.items()}
    return window, moved


def known_phases(arrivals: Arrivals, phases: Sequence[str], mask_unknown: bool) -> np.ndarray:
    """Return 1 for each phase that was looked for in a record, 0 for those that were not.

    Noise is always known: it is what is left.
    """
    known = [phase in arrivals or not mask_unknown for phase in phases]
    known[0] = True
    return np.array(known, np.float32)
