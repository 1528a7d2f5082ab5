"""Augmentations that make clean simulated records look like records of the field.

A simulation has one wavelet, one instrument, no noise and few models. These steps show it at other
rates, through other sources, instruments and ground, at other amplitudes along the record, and in
noise. They keep onsets where they are: every filter is causal and answers at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from phasenet_keras.data.augment import Step, Window, power_of
from phasenet_keras.data.mixing import add_noise
from phasenet_keras.data.pool import Arrivals, rows_of
from phasenet_keras.data.settings import number

__all__ = ["FieldNoise", "RandomResponse", "TimeGain", "TimeWarp"]

# Where a warped window's first arrival may come to lie, as parts of the window.
EARLIEST, LATEST = 0.01, 0.9
# How far the poles of a geophone and of a ringing response lie within the unit circle.
DAMPING, RINGING = (0.006, 0.05), (0.02, 0.3)


@dataclass(frozen=True)
class TimeWarp(Step):
    """Show a window at another rate, which changes smoothly along it, with a probability.

    A wave field of velocities ``v`` and frequency ``f``, stretched by ``a``, is that of ``v / a``
    and ``f / a``; where ``a`` changes along the window, so do the times from P to S and the ratio
    of their periods. So a few simulated models stand for many, and one sampling rate for others.
    The first arrival of the window then comes anywhere between 1 % and 90 % of it, more often early
    than late: records begin with the shot.

    Values between samples are from cubic splines: there is no anti-alias filter, for records that
    are well sampled and hold no noise yet (see `TimeStretch` for others). Beyond the window's data
    its first and last value go on, and arrivals beyond its end are dropped.

    Attributes:
        greatest_octaves: of the factor for the whole window: its logarithm to base 2 is drawn
            uniformly from minus this to this.
        local_octaves: the same of each knot, on top.
        knot_samples: distance of knots; the factor's logarithm is linear between them.
        probability: of a window to be warped.

    Raises:
        ConfigError: for a value out of range.
    """

    ranges: ClassVar = {
        "greatest_octaves": number(0, 3),
        "local_octaves": number(0, 3),
        "knot_samples": number(1),
    }
    greatest_octaves: float = 2.0
    local_octaves: float = 0.3
    knot_samples: float = 256.0
    probability: float = 0.9

    def _change(self, data: np.ndarray, arrivals: Arrivals, rng: np.random.Generator) -> Window:
        from scipy.ndimage import map_coordinates

        n_samples = data.shape[0]
        new = np.arange(n_samples)
        knots = _knots(n_samples, self.knot_samples, rng)
        whole = rng.uniform(-self.greatest_octaves, self.greatest_octaves)
        octaves = whole + self.local_octaves * rng.uniform(-1.0, 1.0, len(knots))
        # The old time of each new sample; the pivot's is known.
        pace = 2.0 ** -np.interp(new, knots, octaves)
        old = np.concatenate([[0.0], np.cumsum(pace[:-1])])
        pivot = min(_inside(arrivals, n_samples), default=n_samples / 2)
        place = EARLIEST + (LATEST - EARLIEST) * rng.random() ** 2
        old += pivot - np.interp(place * n_samples, new, old)
        warped = [map_coordinates(row, old[None], order=3, mode="nearest") for row in rows_of(data)]
        moved = {
            phase: tuple(_moved(s, old, pace) for s in samples if s <= n_samples - 1)
            for phase, samples in arrivals.items()
        }
        return np.stack(warped, axis=1).astype(np.float32), moved


def _knots(n_samples: int, distance_samples: float, rng: np.random.Generator) -> np.ndarray:
    """Return evenly spaced samples from a random one at or before the first to after the last."""
    knots = np.arange(-rng.random() * distance_samples, n_samples, distance_samples)
    return np.append(knots, knots[-1] + distance_samples)


def _inside(arrivals: Arrivals, n_samples: int) -> list[float]:
    return [s for samples in arrivals.values() for s in samples if 0 <= s < n_samples]


def _moved(sample: float, old: np.ndarray, pace: np.ndarray) -> float:
    """Return when an old time is, in new samples; beyond the window its ends' pace goes on."""
    inside = float(np.interp(sample, old, np.arange(len(old))))
    before, after = min(sample - old[0], 0.0), max(sample - old[-1], 0.0)
    return inside + before / float(pace[0]) + after / float(pace[-1])


@dataclass(frozen=True)
class TimeGain(Step):
    """Amplify or weaken parts of the record, with a probability.

    The gain is a line in dB between knots: as with more or less spreading P grows or shrinks
    against S and the surface wave. From the window's first arrival on there may be a steady loss,
    as of a wave in ground that attenuates: ``27.3 f / Q`` dB a second at the frequency ``f``.

    Attributes:
        greatest_db: of the gain from one end of the window to the other, drawn uniformly from minus
            this to this.
        local_db: of the gain at each knot, on top.
        knot_samples: distance of knots.
        loss_db: per 100 samples after the first arrival, at the most; small ones are drawn more
            often, as the square of a uniform number.
        probability: of a window to be changed.

    Raises:
        ConfigError: for a value that is no number, or out of range.
    """

    ranges: ClassVar = {"knot_samples": number(1), "loss_db": number(0)}
    greatest_db: float = 30.0
    local_db: float = 6.0
    knot_samples: float = 256.0
    loss_db: float = 0.0
    probability: float = 0.7

    def _change(self, data: np.ndarray, arrivals: Arrivals, rng: np.random.Generator) -> Window:
        n_samples = data.shape[0]
        knots = _knots(n_samples, self.knot_samples, rng)
        slope = self.greatest_db * rng.uniform(-1.0, 1.0) / n_samples
        gain_db = slope * knots + self.local_db * rng.uniform(-1.0, 1.0, len(knots))
        new = np.arange(n_samples)
        all_db = np.interp(new, knots, gain_db)
        inside = _inside(arrivals, n_samples)
        if inside:
            loss_db = self.loss_db * rng.random() ** 2
            all_db -= loss_db / 100.0 * np.maximum(0.0, new - min(inside))
        gain = 10.0 ** (all_db / 20.0)
        return (data * gain[:, None]).astype(np.float32), arrivals


@dataclass(frozen=True)
class RandomResponse(Step):
    """Filter all channels by a random causal response that answers at once, with a probability.

    It is a product of ``(1 - r/z) ** order``, a fractional derivative or integral (of order 1: from
    displacement to velocity; 0.5: from a line source in two dimensions to a point source), and,
    each with a probability of a half or less, a second-order high-pass as that of a geophone, a
    pair of poles that rings, and an echo of random samples that decay. What is before an onset
    stays as it was, but for what the record's beginning leaves.

    Attributes:
        least_order, greatest_order: of the derivative, drawn uniformly.
        echo_db: power of the echo's samples together against the direct answer's, at the most.
        probability: of a window to be filtered.

    Raises:
        ConfigError: for a value out of range.
    """

    ranges: ClassVar = dict.fromkeys(("least_order", "greatest_order"), number(-2, 3))
    least_order: float = -0.5
    greatest_order: float = 1.5
    echo_db: float = 0.0
    probability: float = 0.9

    def _change(self, data: np.ndarray, arrivals: Arrivals, rng: np.random.Generator) -> Window:
        n_samples = data.shape[0]
        # So long that no answer comes round to before its onset: P is weak.
        n_fft = 3 * n_samples
        response = self.response(n_fft, rng)
        rows = rows_of(data)
        # The record goes on before its first sample as it begins: no step is filtered.
        rows -= rows[:, :1]
        filtered = np.fft.irfft(np.fft.rfft(rows, n_fft, axis=1) * response, n_fft, axis=1)
        return filtered[:, :n_samples].T.astype(np.float32, order="C"), arrivals

    def response(self, n_fft: int, rng: np.random.Generator) -> np.ndarray:
        """Draw a response: its spectrum at ``n_fft // 2 + 1`` frequencies."""
        delay = np.exp(-2j * np.pi * np.arange(n_fft // 2 + 1) / n_fft)
        leak = 10.0 ** rng.uniform(-2.2, -0.7)
        order = rng.uniform(self.least_order, self.greatest_order)
        response = (1.0 - (1.0 - leak) * delay) ** order
        if rng.random() < 0.5:
            response = response * (1.0 - delay) ** 2 / _poles(rng, 0.001, 0.03, DAMPING, delay)
        if rng.random() < 0.3:
            response = response / _poles(rng, 0.01, 0.2, RINGING, delay)
        if rng.random() < 0.5:
            n_echo = n_fft // 2
            length = 10.0 ** rng.uniform(0.5, 2.7)
            echo = rng.standard_normal(n_echo) * np.exp(-np.arange(n_echo) / length)
            if rng.random() < 0.5:  # a few reflections rather than scattered waves
                echo *= rng.random(n_echo) < 0.1
            echo[0] = 0.0
            scale = 10.0 ** ((self.echo_db + rng.uniform(-25.0, 0.0)) / 20.0)
            echo *= scale / max(float(np.sqrt(np.sum(echo**2))), 1e-12)
            response = response * (1.0 + np.fft.rfft(echo, n_fft))
        return np.asarray(response)


def _poles(
    rng: np.random.Generator,
    least: float,
    greatest: float,
    distances: tuple[float, float],
    delay: np.ndarray,
) -> np.ndarray:
    """Return ``1 - 2 r cos(w) / z + (r / z) ** 2`` of a frequency drawn in cycles a sample."""
    frequency = np.exp(rng.uniform(np.log(least), np.log(greatest)))
    radius = 1.0 - np.exp(rng.uniform(*np.log(distances)))
    return 1.0 - 2 * radius * np.cos(2 * np.pi * frequency) * delay + (radius * delay) ** 2


@dataclass(frozen=True)
class FieldNoise(Step):
    """Add noise as in the field, at a signal-to-noise ratio drawn between two values, in dB.

    Its amplitude spectrum is a power of frequency, from that of white or blue noise to that of
    slow drift, in some windows of a random band; its loudness changes slowly. In some windows
    there is hum of a frequency and its harmonics, and short bursts. The ratio is that of powers
    over the whole window, as in `phasenet_keras.data.mixing.add_noise`. A window of nothing becomes
    noise.

    Attributes:
        least_snr_db, greatest_snr_db: of the ratio, drawn uniformly.
        hum, bursts: probability of each in a window with noise.
        probability: of a window to get noise.

    Raises:
        ConfigError: for a value out of range.
    """

    ranges: ClassVar = {"hum": number(0, 1), "bursts": number(0, 1)}
    least_snr_db: float = 10.0
    greatest_snr_db: float = 55.0
    hum: float = 0.15
    bursts: float = 0.1
    probability: float = 0.9

    def __call__(self, data: np.ndarray, arrivals: Arrivals, rng: np.random.Generator) -> Window:
        """Apply it to one window."""
        power = power_of(data)
        if not self._is_drawn(rng) and power.any():
            return data, arrivals
        snr_db = rng.uniform(self.least_snr_db, self.greatest_snr_db)
        noise = np.stack([self.noise(data.shape[0], rng) for _ in range(data.shape[1])], axis=1)
        if power.any():  # dead channels stay dead, unless all are
            return add_noise(data, noise, snr_db), arrivals
        return (data + noise).astype(np.float32), arrivals

    def noise(self, n_samples: int, rng: np.random.Generator) -> np.ndarray:
        """Draw noise of unit power, ``(n_samples,)``."""
        spectrum = np.fft.rfft(rng.standard_normal(n_samples))
        frequency = np.maximum(np.arange(len(spectrum)), 1.0) / n_samples
        # Flat below a corner: drift all of one period would be no noise but an offset.
        corner = 10.0 ** rng.uniform(-3.0, -1.0)
        steepness = rng.uniform(-2.0, 0.5) if rng.random() < 0.7 else 0.0
        spectrum *= (frequency**2 + corner**2) ** (steepness / 2)
        if rng.random() < 0.3:
            centre, width = 10.0 ** rng.uniform(-2.3, -0.5), rng.uniform(0.3, 1.5)
            spectrum *= np.exp(-((np.log(frequency / centre) / width) ** 2)) + 0.03
        noise = _unit(np.fft.irfft(spectrum, n_samples))
        loudness = 10.0 ** (rng.normal(0.0, 0.15, 8) * rng.random())
        noise *= np.interp(np.linspace(0, 7, n_samples), np.arange(8), loudness)
        if rng.random() < self.hum:
            noise = noise + rng.uniform(0.3, 3.0) * _hum(n_samples, rng)
        if rng.random() < self.bursts:
            noise = noise + _bursts(n_samples, rng)
        return _unit(noise)


def _hum(n_samples: int, rng: np.random.Generator) -> np.ndarray:
    # 50 or 60 Hz at 0.5 to 8 kHz, and some harmonics.
    frequency = np.exp(rng.uniform(np.log(0.006), np.log(0.12)))
    time = np.arange(n_samples)
    parts = [
        rng.random() ** number * np.sin(2 * np.pi * (number * frequency * time + rng.random()))
        for number in range(1, 1 + int(rng.integers(1, 5)))
        if number * frequency < 0.5
    ]
    return np.sum(parts, axis=0)


def _bursts(n_samples: int, rng: np.random.Generator) -> np.ndarray:
    # Steps on the ground, spikes of the line.
    noise = np.zeros(n_samples)
    for _ in range(int(rng.integers(1, 4))):
        begin, length = int(rng.integers(n_samples)), 10.0 ** rng.uniform(0.0, 1.7)
        decay = np.exp(-np.arange(n_samples - begin) / length)
        tone = np.cos(2 * np.pi * rng.uniform(0.0, 0.1) * np.arange(n_samples - begin))
        noise[begin:] += rng.uniform(2.0, 8.0) * rng.choice([-1.0, 1.0]) * decay * tone
    return noise


def _unit(noise: np.ndarray) -> np.ndarray:
    noise = noise - noise.mean()
    return noise / max(float(np.sqrt(np.mean(noise**2))), 1e-12)
