"""Training examples: windows drawn from labelled records, seeded by (seed, epoch, index)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from phasenet_keras.data.augment import Augmentation, augment, recipe
from phasenet_keras.data.labels import LabelShape, draw_labels
from phasenet_keras.data.mixing import bind_steps
from phasenet_keras.data.pool import Arrivals, RecordPool, channel_means
from phasenet_keras.data.preprocess import normalize_record
from phasenet_keras.data.scaling import NORMALIZATIONS
from phasenet_keras.data.settings import choice, number, settle, settled, whole
from phasenet_keras.io.instruments import are_one_rate
from phasenet_keras.types import ConfigError, LabelledWaveform, ShapeError, nearest_name

__all__ = ["ExampleMaker", "known_phases", "label_weights"]

SHOWN = 3
KINDS = {"window_samples": whole(1), "alpha": number(0, 1), "normalization": choice(NORMALIZATIONS)}
TRUST = replace(number(0, 1), words="a number from 0 to 1")


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
        steps: augmentations, in order; those that need other records draw from ``records``. They
            get windows without mean, so that an offset counts neither as signal nor as a step.
        alpha: rate of windows that hold the arrivals. The others hold none, nor a part of one's
            label, and at least half of them is record; where a record has no room for that, they
            are drawn anywhere, with labels as they fall.
        shift_samples: how far a window may begin before a record, or end after it; what is
            outside of the record is zero.
        mask_unknown: treat a phase that was not labelled as unknown, not as absent.
        seed: of all random choices.
        weights: by the name of a record, how far its labels of each phase are to be trusted, from
            0 (as if unknown) to 1; what is not named has 1. For pseudo labels.
        normalization: as in `Preset`.

    Raises:
        ConfigError: for no records, several sampling rates, a value out of range, or weights of a
            record or a phase that is not there.
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
    weights: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    normalization: str = "std"
    pool: RecordPool = field(init=False, repr=False, compare=False)
    bound_steps: tuple[Augmentation, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.records:
            raise ConfigError("there are no records to train on")
        rates = {record.waveform.sampling_rate for record in self.records}
        if not are_one_rate(rates):
            raise ConfigError(f"records have different sampling rates: {sorted(rates)} Hz")
        settle(self, KINDS)
        object.__setattr__(self, "weights", label_weights(self.weights))
        names = {record.name for record in self.records}
        _refuse_others(self.weights, names, "weights are by the name of a training record")
        for of_record in self.weights.values():
            _refuse_others(of_record, self.phases, "weights of a record are by phase")
        pool = RecordPool(self.records, self.channels, self.phases, self.mask_unknown)
        object.__setattr__(self, "pool", pool)
        object.__setattr__(self, "bound_steps", bind_steps(self.steps, pool))

    def example(self, epoch: int, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return one window and its target.

        Returns:
            ``(window, channels)`` and ``(window, 2 * phases)``: the target, then for each phase
            its weight, which is 1 without ``weights``, where it is known and 0 where it is not.
        """
        rng = np.random.default_rng((self.seed, epoch, index))
        number = index % len(self.records)
        begin = self._begin(self.records[number], rng)
        arrivals: Arrivals
        window, arrivals = self.pool.window(number, begin, self.window_samples)
        if self.bound_steps:
            window = (window - channel_means(window)).astype(np.float32)
            window, arrivals = augment(window, arrivals, self.bound_steps, rng)
            if not np.isfinite(window).all():
                raise ShapeError(f"samples are not finite after the steps:\n{recipe(self.steps)}")
        x, _ = normalize_record(window, self.window_samples, self.normalization)
        n_phases = len(self.phases)
        y = np.empty((self.window_samples, 2 * n_phases), np.float32)
        y[:, :n_phases] = draw_labels(self.window_samples, arrivals, self.phases, self.label)
        known = known_phases(arrivals, self.phases, self.mask_unknown)
        weights = self.weights.get(self.records[number].name)
        if weights:
            known *= [weights.get(phase, 1.0) for phase in self.phases]
        y[:, n_phases:] = known
        return x, y

    def batch(self, epoch: int, indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return several examples, stacked."""
        shape = (len(indices), self.window_samples)
        x = np.empty((*shape, len(self.channels)), np.float32)
        y = np.empty((*shape, 2 * len(self.phases)), np.float32)
        for row, index in enumerate(indices):
            x[row], y[row] = self.example(epoch, int(index))
        return x, y

    def _begin(self, record: LabelledWaveform, rng: np.random.Generator) -> int:
        n_samples = record.waveform.n_samples
        earliest = -self.shift_samples
        latest = max(earliest, n_samples - self.window_samples + self.shift_samples)
        samples = [s for phase in record.arrivals.values() for s in phase]
        if samples and rng.random() >= self.alpha:
            quiet = self._quiet_begins(samples, n_samples, earliest, latest)
            if quiet:
                return _draw_from(quiet, rng)
        elif samples:
            # Hold the first arrival, and the last one where both fit.
            latest = min(latest, int(min(samples)))
            after_last = int(np.ceil(max(samples))) - self.window_samples + 1
            earliest = max(earliest, min(after_last, latest))
        return int(rng.integers(earliest, max(earliest, latest) + 1))

    def _quiet_begins(
        self, samples: Sequence[float], n_samples: int, earliest: int, latest: int
    ) -> list[range]:
        """Return where windows may begin that hold neither an arrival nor a part of its label."""
        margin, size = self.label.support_samples, self.window_samples
        begin = max(earliest, -(size // 2))
        end = min(latest, n_samples - size // 2) + 1
        quiet = []
        for sample in sorted(samples):
            # A window of [b, b + size) is clear of it if b + size - 1 < sample - margin ...
            quiet.append(range(begin, min(end, int(np.ceil(sample - margin)) - size + 1)))
            # ... or if b > sample + margin.
            begin = max(begin, int(np.floor(sample + margin)) + 1)
        quiet.append(range(begin, end))
        return [stretch for stretch in quiet if len(stretch)]


def label_weights(given: Any) -> dict[str, dict[str, float]]:
    """Return how far labels are to be trusted, as plain values by record and phase.

    Args:
        given: None is no weights.

    Raises:
        ConfigError: for anything but numbers from 0 to 1 by phase, these by the name of a record.

    Example:
        >>> label_weights({"r7": {"P": np.float64(0.5)}})
        {'r7': {'P': 0.5}}
    """
    given = {} if given is None else given
    is_by_phase = isinstance(given, Mapping) and all(isinstance(v, Mapping) for v in given.values())
    if not is_by_phase:
        raise ConfigError(
            "weights say how far labels are to be trusted, by record and phase, such as "
            f"{{'r7': {{'P': 0.5}}}}; received {given!r}. Those of a network come with it: "
            "PhaseNet.from_preset"
        )
    return {
        name: {
            phase: settled(f"the weight of {phase} of record '{name}'", TRUST, value)
            for phase, value in of_record.items()
        }
        for name, of_record in given.items()
    }


def _refuse_others(given: Mapping[str, object], known: Collection[str], what: str) -> None:
    for name in given:
        if name not in known:
            hint = nearest_name(name, known) or f" Known: {', '.join(sorted(known)[:SHOWN])}, …"
            raise ConfigError(f"{what}, received '{name}'.{hint}")


def _draw_from(stretches: Sequence[range], rng: np.random.Generator) -> int:
    """Draw one of all numbers in some ranges, each as likely as any other."""
    drawn = int(rng.integers(sum(map(len, stretches))))
    for stretch in stretches:
        if drawn < len(stretch):
            return stretch[drawn]
        drawn -= len(stretch)
    raise AssertionError("a number below the sum of lengths is in one of the ranges")


def known_phases(arrivals: Arrivals, phases: Sequence[str], mask_unknown: bool) -> np.ndarray:
    """Return 1 for each phase that was looked for in a record, 0 for those that were not.

    Noise is always known: it is what is left.
    """
    known = [phase in arrivals or not mask_unknown for phase in phases]
    known[0] = True
    return np.array(known, np.float32)
