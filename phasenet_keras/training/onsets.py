"""Whether traces grow at their labels, as they do at an onset; labels in a wrong unit miss it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from phasenet_keras.training.doctor import Finding
from phasenet_keras.types import LabelledWaveform

__all__ = ["PHASE", "check_growth", "count_growth"]

# Of an S the P before it may be the greater.
PHASE = "P"
AFTER_SAMPLES, BEFORE_SAMPLES, LEAST_SAMPLES = 30, 100, 5
GROWN = 1.5
# Of right labels 0.66 to 1.00 grew in all sets that we have; 0.46 or less of the same labels
# multiplied by 0.25, 0.5 or 2, but for 0.55 of 11 in one set.
LEAST_LABELS, LEAST_PART = 10, 0.5


def count_growth(record: LabelledWaveform) -> tuple[int, int]:
    """Return at how many labels of P a record grows, and how many have samples on both sides.

    Example:
        >>> from obspy import UTCDateTime
        >>> from phasenet_keras import Waveform
        >>> data = np.random.default_rng(0).normal(size=(300, 1))
        >>> data[120:] *= 5
        >>> wave = Waveform(data, 100.0, UTCDateTime(0), ("Z",), "A")
        >>> count_growth(LabelledWaveform(wave, {"P": (2, 60, 120)}))
        (1, 2)
    """
    samples = record.arrivals.get(PHASE, ())
    if not samples:
        return 0, 0
    data = record.waveform.data
    mean = data.mean(axis=0, dtype=np.float64)
    grown = [growth for at in samples if (growth := _growth(data, mean, round(at))) is not None]
    return sum(growth > GROWN for growth in grown), len(grown)


def check_growth(counts: Iterable[tuple[int, int]]) -> list[Finding]:
    """Look for labels of P at most of which nothing begins.

    Args:
        counts: of `count_growth`, of each record.

    Example:
        >>> check_growth([(1, 2)] * 50)
        []
        >>> [finding.name for finding in check_growth([(1, 3)] * 50)]
        ['labels at no onset']
    """
    n_grown, n_labels = (sum(numbers) for numbers in zip((0, 0), *counts, strict=True))
    if n_labels < LEAST_LABELS or n_grown >= LEAST_PART * n_labels:
        return []
    return [
        Finding(
            "labels at no onset",
            f"at only {n_grown} of {n_labels} labels of {PHASE} does the trace grow (by half, "
            f"within {AFTER_SAMPLES} samples): are they samples from the record's first, and of "
            "these records? Look at examples.png; where onsets emerge slowly, all may be well",
        )
    ]


def _growth(data: np.ndarray, mean: np.ndarray, at: int) -> float | None:
    """Return the largest ratio of a channel's RMS after a sample to that before; None: no room."""
    before, after = data[max(0, at - BEFORE_SAMPLES) : at], data[at : at + AFTER_SAMPLES]
    if min(len(before), len(after)) < LEAST_SAMPLES:
        return None
    rms_before, rms_after = (
        np.sqrt(np.mean((part - mean) ** 2, axis=0)) for part in (before, after)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = rms_after / rms_before
    known = ratios[~np.isnan(ratios)]  # of a constant channel it is none
    return float(known.max()) if known.size else None
