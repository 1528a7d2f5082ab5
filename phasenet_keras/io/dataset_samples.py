"""The samples of a data set: a row's record out of the file of waveforms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from phasenet_keras.io.dataset_table import (
    name_of_row,
    number_in,
    samples_of_row,
    start_of_row,
    station_of_row,
    text_in,
)
from phasenet_keras.io.hdf5_files import values_of
from phasenet_keras.types import FormatError, Waveform

if TYPE_CHECKING:
    import h5py

__all__ = ["waveform_of_row"]

# The place of a record in a bucket: its number, and perhaps its extent along both axes of the
# array: "bucket0$3,:3,:400".
BUCKET = re.compile(
    r"(?P<bucket>[^$]+)\$(?P<index>\d+)(?:,\s*:(?P<rows>\d*),\s*:(?P<columns>\d*)$)?"
)


def waveform_of_row(
    row: Mapping[str, Any], file: h5py.File, headers_only: bool = False
) -> Waveform:
    """Return the record of a row; what h5py raises for a damaged one is not caught.

    Of headers alone the samples are zeros.

    Raises:
        FormatError: saying what of it is missing or cannot be.
        ShapeError: as `Waveform`.
    """
    data, components = _samples(row, file, headers_only)
    step_s = number_in(row.get("trace_dt_s"))
    rate = number_in(row.get("trace_sampling_rate_hz")) or (1.0 / step_s if step_s else None)
    rate = rate or number_in(_layout(file, "sampling_rate"))
    if not rate:
        raise FormatError("it has no sampling rate")
    distance_km = number_in(row.get("path_ep_distance_km"))
    return Waveform(
        data=data,
        sampling_rate=rate,
        start_time=start_of_row(row),
        channels=tuple(components),
        station=station_of_row(row),
        units=text_in(row.get("trace_unit")) or _layout(file, "unit") or None,
        offset_m=None if distance_km is None else 1000.0 * distance_km,
        source=name_of_row(row),
    )


def _samples(row: Mapping[str, Any], file: h5py.File, headers_only: bool) -> tuple[np.ndarray, str]:
    """Return ``(samples, channels)`` and the components; SeisBench may keep several in a bucket."""
    name = text_in(row["trace_name"])
    bucket = BUCKET.match(name)
    place = f"data/{bucket['bucket'] if bucket else name}"
    if place not in file:
        raise FormatError("the file has no such record")
    block = values_of(file[place], int(bucket["index"]) if bucket else (), headers_only)
    components = text_in(row.get("trace_component_order")) or _layout(file, "component_order")
    if getattr(block, "ndim", 0) != 2:
        raise FormatError(
            "its samples should be numbers of shape (channels, samples), received "
            f"{getattr(block, 'shape', None) or type(block).__name__}"
        )
    named = bucket.group("rows", "columns") if bucket else (None, None)
    extent = [int(text or size) for text, size in zip(named, block.shape, strict=True)]
    if (_layout(file, "dimension_order") or "CW").upper() == "CW":
        block, extent = block.T, extent[::-1]
    n_samples, n_channels = samples_of_row(row) or extent[0], extent[1]
    if n_samples > block.shape[0]:
        raise FormatError(f"it has {block.shape[0]} samples, its row says {n_samples}")
    return _without_missing(block[:n_samples, :n_channels]), components or "ZNE"[:n_channels]


def _without_missing(block: np.ndarray) -> np.ndarray:
    """Return samples with zeros for a channel of NaN alone, which is a missing one."""
    if block.dtype.kind != "f":
        return block
    missing = np.isnan(block).all(axis=0)
    return np.where(missing, 0, block) if missing.any() and not missing.all() else block


def _layout(file: h5py.File, key: str) -> Any:
    if f"data_format/{key}" not in file:
        return None
    value = file[f"data_format/{key}"][()]
    return value.decode() if isinstance(value, bytes) else value
