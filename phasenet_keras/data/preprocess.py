"""From a `Waveform` to what a network is fed: channel order, sampling rate, normalisation.

The one place for these decisions: picking, training and evaluation all come through here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from phasenet_keras.data.moving import (
    block_statistics,
    make_up_for_dead,
    normalize,
    normalize_and_tell,
    normalize_blocks,
)
from phasenet_keras.io.channels import components_of
from phasenet_keras.types import ConfigError, PresetError, Waveform, nearest_name

__all__ = [
    "SAMPLING_MODES",
    "Prepared",
    "arrange_channels",
    "check_modes",
    "normalize",
    "normalize_moving",
    "normalize_record",
    "prepare",
    "resample",
]

SAMPLING_MODES = ("resample", "reinterpret")
MISSING_MODES = ("zero", "error")
# A stretch of time by less than this is nothing to a network; the pick times stay exact.
SAME_RATE = 0.005
# Below this part of the network's rate, a record holds next to nothing of what it was trained on.
LEAST_RATE = 0.1
# Of the ratio of two rates; the filter has twenty times as many coefficients.
LARGEST_FACTOR = 10_000


@dataclass(frozen=True, eq=False)
class Prepared:
    """A record as the network takes it.

    Attributes:
        data: ``(n_samples, n_channels)`` float32, normalised, in the network's channel order.
        sampling_rate: of ``data``, in Hz: the one really reached, so that times stay exact.
        live_channels: the channels that hold a signal; the others are zero.
    """

    data: np.ndarray
    sampling_rate: float
    live_channels: tuple[str, ...]


def prepare(
    waveform: Waveform,
    channels: Sequence[str],
    sampling_rate: float,
    window_samples: int,
    *,
    sampling: str = "resample",
    missing: str = "zero",
) -> Prepared:
    """Order, resample and normalise a record.

    Args:
        waveform: the record.
        channels: the network's channels, in order.
        sampling_rate: the network's, in Hz.
        window_samples: the network's training window. Records up to this length are normalised
            as a whole, longer ones by the moving normalisation with this window.
        sampling: ``"resample"`` brings the record to the network's rate; ``"reinterpret"`` takes
            the samples as they are, for data whose waveforms look alike at another scale.
        missing: ``"zero"`` pads channels that the record lacks, by the official rule; ``"error"``
            refuses.

    Raises:
        ConfigError: for an unknown mode, or a record of far too low a sampling rate.
        PresetError: if the record has none of the channels, or not all with ``"error"``.
    """
    check_modes(sampling, missing)
    data = arrange_channels(waveform, channels, missing)
    rate = waveform.sampling_rate
    if sampling == "resample" and abs(rate / sampling_rate - 1.0) > SAME_RATE:
        if rate < LEAST_RATE * sampling_rate:
            raise ConfigError(
                f"{waveform.station} has {rate:g} Hz, the network was trained at "
                f"{sampling_rate:g} Hz: too low to be resampled. sampling='reinterpret' takes the "
                "samples as they are."
            )
        data, rate = resample(data, rate, sampling_rate)
    data, is_live = normalize_record(data, window_samples)
    live = tuple(name for name, alive in zip(channels, is_live, strict=True) if alive)
    return Prepared(data, rate, live)


def check_modes(sampling: str = "resample", missing: str = "zero") -> None:
    """Refuse unknown ways to treat sampling rates and missing channels.

    Raises:
        ConfigError: with those that there are.
    """
    for name, value, known in (
        ("sampling", sampling, SAMPLING_MODES),
        ("missing", missing, MISSING_MODES),
    ):
        if value not in known:
            hint = nearest_name(str(value), known)
            raise ConfigError(f"{name} is one of {', '.join(known)}, received {value!r}.{hint}")


def arrange_channels(
    waveform: Waveform, channels: Sequence[str], missing: str = "zero"
) -> np.ndarray:
    """Return ``(n_samples, len(channels))`` in the order asked for, zeros where there is none.

    Channels are known by component: aliases (1/2/Z, U/V/Z, EW/NS/UD, lower case …) are resolved,
    see `phasenet_keras.io.channels`.

    Raises:
        ConfigError: for an unknown ``missing``.
        PresetError: as in `prepare`.
    """
    check_modes(missing=missing)
    if waveform.channels == tuple(channels):
        return waveform.data
    columns = {component: column for column, component in components_of(waveform.channels).items()}
    lacking = [name for name in channels if name not in columns]
    if lacking and (missing == "error" or len(lacking) == len(channels)):
        remedy = (
            f'Pass channels="{"".join(columns)}" to adapt the network, or missing="zero" to pad.'
            if columns
            else "Name the record's channels E, N or Z, or by a SEED code that ends so."
        )
        raise PresetError(
            f"the network expects channels {','.join(channels)}; station {waveform.station} has "
            f"{','.join(waveform.channels)} only. {remedy}"
        )
    data = np.zeros((waveform.n_samples, len(channels)), np.float32)
    for number, name in enumerate(channels):
        if name in columns:
            data[:, number] = waveform.data[:, waveform.channels.index(columns[name])]
    return data


def resample(data: np.ndarray, old_hz: float, new_hz: float) -> tuple[np.ndarray, float]:
    """Bring ``(samples, channels)`` to another rate with a zero-phase anti-alias filter.

    Polyphase filtering with a linear-phase FIR whose delay is taken out (`scipy.signal`): sample
    0 stays at its time. Means are removed first, so that the ends do not ring.

    Args:
        data: ``(n_samples, n_channels)``.
        old_hz: sampling rate of ``data``.
        new_hz: sampling rate wanted.

    Returns:
        ``(ceil(n_samples * up / down), n_channels)`` float32, without mean, and the rate reached:
        ``old_hz * up / down`` with the ratio of whole numbers up to 10,000 that is nearest. It
        differs from ``new_hz`` by 1e-8 of it or less for any usual rate; count time by it.

    Raises:
        ConfigError: if the rates are too far apart for such a ratio.

    Example:
        >>> data, rate = resample(np.ones((400, 1)), 40.0, 100.0)
        >>> data.shape, rate
        ((1000, 1), 100.0)
    """
    from scipy.signal import resample_poly

    ratio = Fraction(new_hz / old_hz).limit_denominator(LARGEST_FACTOR)
    reached_hz = old_hz * ratio.numerator / max(1, ratio.denominator)
    if abs(reached_hz / new_hz - 1.0) > SAME_RATE or ratio.numerator > LARGEST_FACTOR:
        raise ConfigError(
            f"{old_hz:g} Hz cannot be resampled to {new_hz:g} Hz: too far apart. "
            "sampling='reinterpret' takes the samples as they are."
        )
    centred = data - data.mean(axis=0, dtype=np.float64)
    if ratio == 1:
        return centred.astype(np.float32), reached_hz
    up, down = ratio.numerator, ratio.denominator
    resampled = resample_poly(centred, up, down, axis=0, window=_lowpass(max(up, down)))
    return resampled.astype(np.float32), reached_hz


@lru_cache(maxsize=256)
def _lowpass(factor: int) -> np.ndarray:
    """Return the filter that `scipy.signal.resample_poly` designs for itself, and takes long to."""
    from scipy.signal import firwin

    return firwin(20 * factor + 1, 1 / factor, window=("kaiser", 5.0))


def normalize_record(data: np.ndarray, window_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Normalise a record of any length and make up for dead channels.

    Args:
        data: ``(n_samples, n_channels)``.
        window_samples: of the network's training.

    Returns:
        The normalised record, float32, its live channels scaled by all / live (the official rule
        for missing channels; of a long record half window by half window, so that a channel that
        dies counts as missing from there on), and a boolean for each channel: does it ever hold a
        signal?
    """
    if data.shape[0] <= window_samples:
        normalized, is_constant = normalize_and_tell(data)
        half, is_live = data.shape[0], ~is_constant[None]
    else:
        half = max(1, window_samples // 2)
        normalized, is_live = _normalize_moving(data, window_samples)
    make_up_for_dead(normalized, half, is_live)
    return normalized, is_live.any(axis=0)


def normalize_moving(data: np.ndarray, window_samples: int) -> np.ndarray:
    """Normalise a long record by the mean and deviation of a moving window.

    As the official code defines it: statistics of windows of ``window_samples`` centred every
    half window (the record mirrored at its end), the first window's and the last one's also at
    the ends, linear in between; a deviation of 0 counts as 1. `MovingNormalizer` does the same to
    a record that comes in pieces.

    Args:
        data: ``(n_samples, n_channels)``, longer than half a window.
        window_samples: even number of samples.

    Returns:
        float32 of the same shape. Dead channels are not made up for: `normalize_record` does.
    """
    return _normalize_moving(data, window_samples)[0]


def _normalize_moving(data: np.ndarray, window_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Normalise; return also which channels hold a signal in each block."""
    half = window_samples // 2
    if data.shape[0] <= half:
        normalized, is_constant = normalize_and_tell(data)
        return normalized, ~is_constant[None]
    mean, variance = block_statistics(data, half, is_end=True)
    return normalize_blocks(data, half, mean, variance, is_begin=True, is_end=True)
