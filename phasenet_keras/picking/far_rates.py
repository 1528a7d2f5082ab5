"""Records of far another sampling rate than the network's, in words."""

from __future__ import annotations

from collections.abc import Iterable

from phasenet_keras.data.preprocess import LEAST_RATE

__all__ = ["said_of_far_rates"]

# What the presets are made for is within: 20 to 250 Hz for 100 Hz, 0.5 to 8 kHz for 2 kHz.
FAR_ABOVE, FAR_BELOW = 4.0, 0.2
# Clocks drift: 8000.04 Hz are four times 2000 Hz.
CLOCK = 1e-3


def said_of_far_rates(rates_hz: Iterable[float], network_hz: float, sampling: str) -> str:
    """Say that records are resampled from far another rate; empty where none is.

    Records that are refused, of less than a tenth of the network's rate, say so themselves.

    Args:
        rates_hz: of the records.
        network_hz: that of the network.
        sampling: as in `Picker`.

    Example:
        >>> said_of_far_rates((100.0, 200.0, 20.0), 100.0, "resample")
        ''
        >>> said_of_far_rates((2000.0,), 100.0, "reinterpret")
        ''
        >>> said_of_far_rates((2000.0, 6000.0), 100.0, "resample")[:66]
        'records of 2000, 6000 Hz are resampled to the 100 Hz of the preset'
    """
    if sampling != "resample":
        return ""
    ratios = {rate: rate / network_hz for rate in sorted(set(rates_hz))}
    far = [
        rate
        for rate, ratio in ratios.items()
        if ratio > FAR_ABOVE * (1 + CLOCK) or LEAST_RATE <= ratio < FAR_BELOW * (1 - CLOCK)
    ]
    if not far:
        return ""
    listed = ", ".join(f"{rate:g}" for rate in far)
    remedy = (
        "onsets may be gone: take a preset made for such rates (near-surface from 500 Hz on), or "
        "--sampling reinterpret"
        if far[-1] > network_hz
        else "take a preset made for such rates (regional from 20 Hz on)"
    )
    return (
        f"records of {listed} Hz are resampled to the {network_hz:g} Hz of the preset, far from "
        f"their own; {remedy} (docs/how-to/khz.md)"
    )
