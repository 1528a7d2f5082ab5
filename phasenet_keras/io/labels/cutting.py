"""Short records around the arrivals of long ones."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from phasenet_keras.io.parts import JoinedRecord, joint_event
from phasenet_keras.types import ConfigError, LabelledWaveform

__all__ = ["cut_around_arrivals"]

# Arrivals further apart than this part of the window get windows of their own.
LARGEST_SPREAD = 0.8
# Of a window: less holds no onset with something before and after it.
MIN_SAMPLES = 16


def cut_around_arrivals(
    record: LabelledWaveform, window_s: float, *, complete: bool = False, seed: int | None = None
) -> Iterator[LabelledWaveform]:
    """Cut windows around the arrivals of a record.

    Arrivals closer than 0.8 windows share one; every arrival in a window is a label of it. A
    phase without an arrival in a window is unknown there, unless ``complete``. A record that is
    not longer than the window stays as it is; one without arrivals is cut once, if its phases are
    known to be absent. Of several events a window names those whose arrivals are in it.

    Args:
        record: of any length.
        window_s: length in seconds.
        complete: True says that all arrivals in the record are labelled.
        seed: the windows then lie at random about their arrivals, the same at each call with a
            record of this name; None puts the arrivals in the middle.

    Raises:
        ConfigError: for windows of fewer than 16 samples.

    Example:
        >>> from obspy import UTCDateTime
        >>> from phasenet_keras.types import Waveform
        >>> wave = Waveform(np.ones((6000, 1)), 100.0, UTCDateTime(0), ("Z",), "XX.A..HH")
        >>> record = LabelledWaveform(wave, {"P": (1000, 5000), "S": (1400,)}, "day")
        >>> [(r.name, dict(r.arrivals)) for r in cut_around_arrivals(record, 10.0)]
        [('day_700', {'P': (300.0,), 'S': (700.0,)}), ('day_4500', {'P': (500.0,)})]
    """
    wave = record.waveform
    n_samples = round(window_s * wave.sampling_rate)
    if n_samples < MIN_SAMPLES:
        raise ConfigError(
            f"a window of {window_s:g} s has {n_samples} samples at {wave.sampling_rate:g} Hz: "
            f"give at least {MIN_SAMPLES / wave.sampling_rate:g} s"
        )
    if wave.n_samples <= n_samples:
        yield record
        return
    rng = None if seed is None else np.random.default_rng([seed, zlib.crc32(record.name.encode())])
    groups = _groups(record, n_samples)
    if not groups and not record.arrivals:
        yield record
        return
    for first, last in groups or [(0.0, wave.n_samples - 1.0)]:
        begin = _begin(first, last, n_samples, wave.n_samples, rng)
        inside = {
            phase: tuple(s - begin for s in samples if 0 <= s - begin <= n_samples - 1)
            for phase, samples in record.arrivals.items()
        }
        part = replace(
            record,
            waveform=replace(
                wave,
                data=wave.data[begin : begin + n_samples],
                start_time=wave.start_time + begin / wave.sampling_rate,
            ),
            arrivals={
                phase: samples
                for phase, samples in inside.items()
                if samples or complete or not record.arrivals[phase]
            },
            name=f"{record.name}_{begin}",
        )
        yield _with_own_events(part, begin) if isinstance(part, JoinedRecord) else part


def _with_own_events(part: JoinedRecord, begin: int) -> JoinedRecord:
    """Return a window that begins at this sample of its record with the events inside it."""
    origins = tuple(
        (phase, sample - begin, event)
        for phase, sample, event in part.origins
        if 0 <= sample - begin <= part.waveform.n_samples - 1
    )
    return replace(part, event=joint_event(event for _, _, event in origins), origins=origins)


def _groups(record: LabelledWaveform, n_samples: int) -> list[tuple[float, float]]:
    """Return the first and last arrival of each window."""
    groups: list[tuple[float, float]] = []
    for sample in sorted(s for samples in record.arrivals.values() for s in samples):
        if groups and sample - groups[-1][0] <= LARGEST_SPREAD * n_samples:
            groups[-1] = (groups[-1][0], sample)
        else:
            groups.append((sample, sample))
    return groups


def _begin(
    first: float, last: float, n_samples: int, n_total: int, rng: np.random.Generator | None
) -> int:
    """Return the first sample of a window that holds the arrivals and lies inside the record."""
    if rng is None:
        begin = round((first + last - n_samples) / 2)
    else:
        low, high = sorted((int(np.ceil(last)) - n_samples + 1, int(first)))
        begin = int(rng.integers(low, high + 1))
    return min(max(0, begin), n_total - n_samples)
