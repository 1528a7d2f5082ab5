"""From a `Waveform` to what a network is fed: channel order, sampling rate, normalisation.

The one place for these decisions: picking, training and evaluation all come through here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phasenet_keras.data.moving import STEP_SAMPLES, MovingNormalizer
from phasenet_keras.data.resampling import SAME_RATE, resample_as_stream
from phasenet_keras.data.settings import choice, settled
from phasenet_keras.io.channels import component_letter, components_of, is_for_picks
from phasenet_keras.io.registry import say
from phasenet_keras.short_repr import ShortRepr
from phasenet_keras.types import ConfigError, PresetError, Waveform

__all__ = [
    "LEAST_RATE",
    "MISSING",
    "SAMPLING",
    "Prepared",
    "arrange_channels",
    "arranged",
    "channel_columns",
    "normalize_record",
    "prepare",
    "wanted_rate",
]

# Ways to treat other sampling rates, and channels that a record lacks.
SAMPLING = choice(("resample", "reinterpret"))
MISSING = choice(("zero", "error"))
# Below this part of the network's rate, a record holds next to nothing of what it was trained on.
LEAST_RATE = 0.1


@dataclass(frozen=True, eq=False, repr=False)
class Prepared(ShortRepr):
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
    normalization: str = "std",
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
        normalization: as in `Preset`.

    Raises:
        ConfigError: for an unknown mode, or a record of far too low a sampling rate.
        PresetError: if the record has none of the channels, or not all with ``"error"``.
    """
    settled("sampling", SAMPLING, sampling)
    data = arrange_channels(waveform, channels, settled("missing", MISSING, missing))
    wanted = wanted_rate(waveform.sampling_rate, sampling_rate, sampling, waveform.station)
    rate = waveform.sampling_rate
    if wanted != rate:
        data, rate = resample_as_stream(data, rate, wanted)
    data, is_live = normalize_record(data, window_samples, normalization)
    live = tuple(name for name, alive in zip(channels, is_live, strict=True) if alive)
    return Prepared(data, rate, live)


def wanted_rate(old_hz: float, new_hz: float, sampling: str, station: str = "") -> float:
    """Return the rate that a record is resampled to, in Hz: its own where it is left alone.

    Args:
        old_hz: of the record.
        new_hz: of the network.
        sampling: as in `prepare`.
        station: for the error.

    Raises:
        ConfigError: for a record of far too low a rate.

    Example:
        >>> wanted_rate(200.0, 100.0, "resample"), wanted_rate(100.2, 100.0, "resample")
        (100.0, 100.2)
    """
    if sampling == "reinterpret" or abs(old_hz / new_hz - 1.0) <= SAME_RATE:
        return old_hz
    if old_hz < LEAST_RATE * new_hz:
        remedy = (
            "A preset of a lower rate is wanted, or sampling 'reinterpret', which takes samples as "
            "they are"
            if is_for_picks(station)
            else "By its channel code it is not to be picked: --channel chooses others"
        )
        raise ConfigError(
            f"{station} has {old_hz:g} Hz, the network was trained at {new_hz:g} Hz: too low to be "
            f"resampled. {remedy}"
        )
    return new_hz


def arrange_channels(
    waveform: Waveform, channels: Sequence[str], missing: str = "zero"
) -> np.ndarray:
    """Return ``(n_samples, len(channels))`` in the order asked for, zeros where there is none.

    Channels are known by component: aliases (1/2/Z, U/V/Z, EW/NS/UD, lower case …) are resolved,
    see `phasenet_keras.io.channels`.

    Raises:
        PresetError: as in `prepare`.
    """
    columns = channel_columns(waveform.channels, channels, missing, waveform.station)
    return arranged(waveform.data, columns)


def arranged(data: np.ndarray, columns: Sequence[int | None]) -> np.ndarray:
    """Return these columns of data in their order, zeros for None; all as they are: no copy."""
    if tuple(columns) == tuple(range(data.shape[1])):
        return data
    found = np.zeros((data.shape[0], len(columns)), data.dtype)
    for number, column in enumerate(columns):
        if column is not None:
            found[:, number] = data[:, column]
    return found


def channel_columns(
    names: Sequence[str], channels: Sequence[str], missing: str = "zero", station: str = ""
) -> tuple[int | None, ...]:
    """Return which column of a record each of the network's channels is, None where there is none.

    Args:
        names: of the record's columns.
        channels: the network's.
        missing: as in `prepare`.
        station: for the error.

    Raises:
        PresetError: as in `prepare`.

    Warns:
        RecordWarning: for channels of the record whose name is not understood.

    Example:
        >>> channel_columns(("1", "2", "Z"), "ENZ"), channel_columns("Z", "ENZ")
        ((1, 0, 2), (None, None, 0))
    """
    if tuple(names) == tuple(channels):
        return tuple(range(len(channels)))
    columns = {component: name for name, component in components_of(names).items()}
    left_out = [name for name in names if name not in columns.values()]
    if left_out and columns:
        say(
            f"{station}: channels {', '.join(left_out)} left out: no known component, or another "
            f"channel is that component ({', '.join(columns.values())})"
        )
    lacking = [name for name in channels if name not in columns]
    if lacking and (missing == "error" or len(lacking) == len(channels)):
        counted = ", ".join(
            f"{name} counts as {component}"
            for component, name in columns.items()
            if component_letter(name) != component
        )
        counted += "; if that is wrong, name it E, N or Z. " if counted else ""
        remedy = "Name the record's channels E, N or Z, or by a SEED code that ends so."
        if columns:
            pad = ', or missing="zero" to pad' if len(lacking) < len(channels) else ""
            own = "".join(columns)
            remedy = f'Pass channels="{own}" (--channels {own}) to adapt the network{pad}.'
        raise PresetError(
            f"the network expects channels {','.join(channels)}; station {station} has "
            f"{','.join(names)} only. {counted}{remedy}"
        )
    return tuple(list(names).index(columns[name]) if name in columns else None for name in channels)


def normalize_record(
    data: np.ndarray, window_samples: int, normalization: str = "std"
) -> tuple[np.ndarray, np.ndarray]:
    """Normalise a record of any length and make up for dead channels.

    Args:
        data: ``(n_samples, n_channels)``.
        window_samples: of the network's training.
        normalization: as in `Preset`.

    Returns:
        The normalised record, float32, its live channels scaled by all / live (the official rule
        for missing channels; of a long record half window by half window, so that a channel that
        dies counts as missing from there on), and a boolean for each channel: does it ever hold a
        signal?
    """
    moving = MovingNormalizer(window_samples, data.shape[1], normalization)
    normalized, done = np.empty(data.shape, np.float32), 0
    # Step by step: at once, what is worked with would be twice as large as the result.
    for begin in range(0, len(data), STEP_SAMPLES):
        piece = moving.feed(data[begin : begin + STEP_SAMPLES])
        normalized[done : done + len(piece)] = piece
        done += len(piece)
    normalized[done:] = moving.finish()
    return normalized, moving.is_live
