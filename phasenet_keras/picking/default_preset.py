"""Which preset picks records when none was named."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from contextlib import suppress
from os import PathLike

from phasenet_keras.io.blocks import blocks_of
from phasenet_keras.io.index import expand_paths
from phasenet_keras.io.selection import Selection
from phasenet_keras.types import FormatError

__all__ = ["NEAR_SURFACE", "REGIONAL", "default_preset", "first_rate_hz"]

# Both are shipped: they need no network. Stations that record regional earthquakes have at most
# 250 samples a second, geophone lines and mines at least 500.
REGIONAL, NEAR_SURFACE = "regional", "near-surface"
NEAR_SURFACE_FROM_HZ = 400.0


def default_preset(rate_hz: float | None) -> str:
    """Return the name of the shipped preset for records of a sampling rate.

    Example:
        >>> default_preset(100.0), default_preset(2000.0), default_preset(None)
        ('regional', 'near-surface', 'regional')
    """
    return NEAR_SURFACE if rate_hz is not None and rate_hz >= NEAR_SURFACE_FROM_HZ else REGIONAL


def first_rate_hz(
    sources: Iterable[str | PathLike[str]], selection: Selection | None = None
) -> float | None:
    """Return the sampling rate of the first record that is wanted and can be read, or None.

    Only headers are read, those of a long miniSEED file not all.

    Args:
        sources: files, folders and patterns.
        selection: what is wanted; None for all.

    Raises:
        ConfigError: for an empty name.
    """
    selection = selection or Selection()
    for path in selection.by_name(expand_paths(sources)):
        # What is wrong is said when records are read.
        with warnings.catch_warnings(action="ignore"), suppress(FormatError):
            for _, traces in blocks_of(path):
                for trace in traces:
                    if selection.takes_header(trace):
                        return float(trace.stats.sampling_rate)
    return None
