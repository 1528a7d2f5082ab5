"""MATLAB's files of an array of sensors and samples, and its rate: the traces of a gather."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phasenet_keras.io.arrays import TIMES, header_of
from phasenet_keras.io.hdf5_files import is_of_matlab, opened
from phasenet_keras.io.mat_files import MAGIC, arrays_in
from phasenet_keras.io.no_waveforms import OTHER_SHAPES
from phasenet_keras.io.registry import FormatNote, Reader, register_reader, say
from phasenet_keras.io.text_columns import are_even
from phasenet_keras.types import FormatError

if TYPE_CHECKING:
    from obspy import Stream

NUMBERS = "iufb"
_CLASS = re.compile(r"double|single|logical|u?int\d+")
# What is packed is no smaller than this part of what it holds: more is claimed, not held.
MOST_PACKED = 1100


def _variables(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of numbers in a file that are not empty, without sides of length 1."""
    if is_of_matlab(path):  # the sides are in the other order there
        most_bytes = MOST_PACKED * path.stat().st_size
        with opened(path) as hdf5:
            wanted = {name: item for name, item in hdf5.items() if _is_full(item, most_bytes)}
            arrays = {name: np.transpose(item[()]) for name, item in wanted.items()}
    else:
        arrays = arrays_in(path.read_bytes())
    return {name: np.squeeze(array) for name, array in arrays.items() if array.size}


def _is_full(item: Any, most_bytes: int) -> bool:
    """Tell if a node of HDF5 is a variable of MATLAB's that holds numbers; an empty one is none.

    Raises:
        ValueError: if it claims to hold more than these bytes.
    """
    dtype = getattr(item, "dtype", None)
    if dtype is None or dtype.kind not in NUMBERS or not item.size or "MATLAB_empty" in item.attrs:
        return False
    if item.nbytes > most_bytes:
        raise ValueError(f"{item.name} {item.shape} is larger than the file can hold")
    kind = item.attrs.get("MATLAB_class", "double")  # of text and of objects it is another
    return bool(_CLASS.fullmatch(kind.decode() if isinstance(kind, bytes) else str(kind)))


def _read(path: Path, headers_only: bool) -> Stream:
    """Read the array of the most samples; its longer side is that of the samples."""
    from obspy import Stream, Trace

    arrays = _variables(path)
    name, data, times = _record(arrays, path)
    scalars = {name: float(array) for name, array in arrays.items() if array.ndim == 0}
    try:
        header = header_of(times, scalars, scalars.get)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error
    if header["sampling_rate"] is None:
        raise FormatError(
            f"{path} has no sampling rate: save it in a variable fs, in Hz, beside {name} (in "
            f"MATLAB save('{path.name}', 'fs', '-append'))"
        )
    return Stream(Trace(np.ascontiguousarray(values), {"channel": "", **header}) for values in data)


def _record(
    arrays: Mapping[str, np.ndarray], path: Path
) -> tuple[str, np.ndarray, np.ndarray | None]:
    """Return the name of the array of a file's samples, it as (sensors, samples), and its times.

    Raises:
        FormatError: if there is none, or several may be meant.

    Warns:
        FormatNote: where nothing but its longer side tells which is that of the samples.
    """
    times = next((arrays[name] for name in arrays if _is_times(name, arrays[name])), None)
    n_samples = max((max(a.shape) for a in arrays.values() if a.ndim and a is not times), default=0)
    n_samples = n_samples if times is None else len(times)
    found = [n for n, a in arrays.items() if n_samples in a.shape and a is not times]
    if n_samples < 2 or len(found) != 1:
        shapes = ", ".join(f"{n} {a.shape}" for n, a in arrays.items() if a.ndim) or "none"
        raise FormatError(
            f"{path} should hold one array of sensors and samples, and its sampling rate, fs (or "
            f"t, its times in s, in even steps); it holds these arrays of numbers: {shapes} ("
            "fields of a struct s count when saved by save('a.mat', '-struct', 's'))"
        )
    [name] = found
    data = np.atleast_2d(arrays[name])
    if data.ndim > 2 or data.shape[0] == data.shape[1]:
        raise FormatError(
            f"{path}: {name} {data.shape} should be of sensors and more samples than these: "
            f"{OTHER_SHAPES}"
        )
    if data.shape[0] == n_samples:
        data = data.T
    if times is None and len(data) > 1:
        say("MATLAB: the longer side of an array is taken for the samples of sensors", FormatNote)
    return name, data, times


def _is_times(name: str, array: np.ndarray) -> bool:
    return name.lower() in TIMES and array.ndim == 1 and are_even(array.astype(np.float64))


register_reader(
    Reader(
        "MATLAB, a sensor each",
        (".mat",),
        lambda path, head: head.startswith(MAGIC),
        _read,
        one_trace_one_station=True,
    )
)
