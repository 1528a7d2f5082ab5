"""Resampling with a zero-phase anti-alias filter, of a record as a whole or as it comes in.

Polyphase filtering with a linear-phase FIR whose delay is taken out: sample 0 stays at its time.
The filter is the one that `scipy.signal.resample_poly` designs, but each of its branches is scaled
to a sum of 1, so that an offset passes unchanged and need not be known beforehand. At its ends the
record is continued by the mean of its first and its last samples, so that they do not ring.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

import numpy as np

from phasenet_keras.types import ConfigError, LabelledWaveform

__all__ = ["SAME_RATE", "Resampler", "resample", "resample_as_stream", "resample_record"]

# A stretch of time by less than this is nothing to a network; the pick times stay exact.
SAME_RATE = 0.005
# Of the ratio of two rates; the filter has twenty times as many coefficients.
LARGEST_FACTOR = 10_000
# The mean at an end is that of so many times the samples that the filter reaches.
MEAN_REACHES = 10


def resample(data: np.ndarray, old_hz: float, new_hz: float) -> tuple[np.ndarray, float]:
    """Bring ``(samples, channels)`` to another rate with a zero-phase anti-alias filter.

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
    resampled, reached_hz = resample_as_stream(data, old_hz, new_hz)
    mean = resampled.mean(axis=0, dtype=np.float64)
    return (resampled - mean).astype(np.float32), reached_hz


def resample_record(record: LabelledWaveform, rate_hz: float) -> LabelledWaveform:
    """Return a labelled record at another rate, its arrivals at the same times.

    Raises:
        ConfigError: as `resample`.

    Example:
        >>> from obspy import UTCDateTime
        >>> from phasenet_keras import Waveform
        >>> wave = Waveform(np.ones((400, 1)), 200.0, UTCDateTime(0), ("Z",), "XX.A..HH")
        >>> resample_record(LabelledWaveform(wave, {"P": (300.0,)}), 100.0).arrivals
        {'P': (150.0,)}
    """
    wave = record.waveform
    if wave.sampling_rate == rate_hz:
        return record
    data, reached_hz = resample(wave.data, wave.sampling_rate, rate_hz)
    ratio = reached_hz / wave.sampling_rate
    arrivals = {p: tuple(ratio * at for at in found) for p, found in record.arrivals.items()}
    return replace(
        record, waveform=replace(wave, data=data, sampling_rate=reached_hz), arrivals=arrivals
    )


def resample_as_stream(data: np.ndarray, old_hz: float, new_hz: float) -> tuple[np.ndarray, float]:
    """Resample as `resample` does, but take off the mean of the first samples only.

    It is what a `Resampler` gives, which cannot know the mean of a record before its end.
    """
    resampler = Resampler(old_hz, new_hz)
    parts = [resampler.feed(data), resampler.finish(data.shape[1])]
    return np.concatenate(parts), resampler.reached_hz


class Resampler:
    """Resamples a record that comes in pieces: what `resample_as_stream` makes of the whole.

    Args:
        old_hz: sampling rate of the record.
        new_hz: sampling rate wanted.

    Raises:
        ConfigError: if the rates are too far apart for a ratio of whole numbers up to 10,000.

    Example:
        >>> resampler = Resampler(200.0, 100.0)
        >>> [len(x) for x in (resampler.feed(np.ones((999, 1))), resampler.finish(1))]
        [490, 10]
    """

    def __init__(self, old_hz: float, new_hz: float) -> None:
        # The smaller over the larger: then neither number is above the limit.
        low_hz, high_hz = sorted((old_hz, new_hz))
        ratio = Fraction(low_hz / high_hz).limit_denominator(LARGEST_FACTOR)
        self._up, self._down = ratio.numerator, ratio.denominator
        if new_hz > old_hz:
            self._up, self._down = self._down, self._up
        self.reached_hz = old_hz * self._up / max(1, self._down)
        if abs(self.reached_hz / new_hz - 1.0) > SAME_RATE:
            raise ConfigError(
                f"{old_hz:g} Hz cannot be resampled to {new_hz:g} Hz: too far apart. "
                "sampling='reinterpret' takes the samples as they are"
            )
        # Of the filter, to each side, in samples of the record between which are `up - 1` zeros.
        self._half_taps = 10 * max(self._up, self._down)
        self._mean_samples = MEAN_REACHES * (self._half_taps // self._up + 1)
        self._offset: np.ndarray | None = None
        self._held: np.ndarray | None = None
        self._begin = 0  # of what is held: a multiple of `down`
        self._n_out = 0

    def feed(self, data: np.ndarray) -> np.ndarray:
        """Take the next samples; return those that are settled, float32."""
        self._held = data if self._held is None else np.concatenate([self._held, data])
        n_samples = self._begin + self._held.shape[0]
        if n_samples < self._mean_samples:
            return np.empty((0, data.shape[1]), np.float32)
        n_ready = (n_samples * self._up - 1 - self._half_taps) // self._down + 1
        settled = self._filtered(max(n_ready, self._n_out))
        first = (self._n_out * self._down - self._half_taps) // self._up - self._mean_samples
        begin = max(0, first) // self._down * self._down
        self._held, self._begin = self._held[begin - self._begin :].copy(), begin
        return settled

    def finish(self, n_channels: int) -> np.ndarray:
        """Return the last samples, ``(n, n_channels)``: the record has ended."""
        if self._held is None or not self._held.shape[0]:
            return np.empty((0, n_channels), np.float32)
        n_samples = self._begin + self._held.shape[0]
        reach = self._half_taps // self._up + 1
        after = np.repeat(_mean(self._held[-self._mean_samples :])[None], reach, axis=0)
        self._held = np.concatenate([self._held, after])
        return self._filtered(-(-n_samples * self._up // self._down))

    def _filtered(self, n_out: int) -> np.ndarray:
        """Return the samples up to ``n_out`` that were not given; what they need is held."""
        from scipy.signal import upfirdn

        assert self._held is not None
        if self._offset is None:
            self._offset = _mean(self._held[: self._mean_samples])
        centred = self._held - self._offset
        if n_out == self._n_out:
            return np.empty((0, centred.shape[1]), np.float32)
        taps, delay = _filter(self._up, self._down)
        skipped = self._begin // self._down * self._up - delay
        out = upfirdn(taps, centred, self._up, self._down, axis=0)
        settled = out[self._n_out - skipped : n_out - skipped].astype(np.float32)
        self._n_out = n_out
        return settled


def _mean(data: np.ndarray) -> np.ndarray:
    """Return the mean of each channel, of a constant one exactly."""
    return data[0] + np.subtract(data, data[0], dtype=np.float64).mean(axis=0)


@lru_cache(maxsize=64)
def _filter(up: int, down: int) -> tuple[np.ndarray, int]:
    """Return the filter's coefficients, and its delay in samples of the output."""
    from scipy.signal import firwin

    if up == down == 1:
        return np.ones(1), 0
    factor = max(up, down)
    taps = firwin(20 * factor + 1, 1 / factor, window=("kaiser", 5.0))
    for branch in range(up):
        taps[branch::up] /= taps[branch::up].sum()
    lacking = -(10 * factor) % down
    return np.concatenate([np.zeros(lacking), taps]), (10 * factor + lacking) // down
