"""The labels that PhaseNet keeps in its npz files, beside the samples."""

from __future__ import annotations

import zipfile
from os import PathLike
from pathlib import Path

import numpy as np

from phasenet_keras.io.channels import COMPONENTS
from phasenet_keras.io.labels.row_columns import SAMPLE_COLUMNS
from phasenet_keras.io.text_tables import NO_SAMPLES
from phasenet_keras.types import FormatError

__all__ = ["is_npz", "npz_arrivals", "npz_sizes"]


def is_npz(path: Path) -> bool:
    """Say if a file is an npz, by its name and first bytes."""
    return path.suffix.lower() == ".npz" and zipfile.is_zipfile(path)


def npz_arrivals(path: str | PathLike[str]) -> dict[str, tuple[float, ...]]:
    """Read the arrivals of an npz file: ``itp``, ``its`` or their other names, in samples.

    A phase whose array is missing, empty, NaN or a number such as -1 was not labelled.

    Raises:
        FormatError: if the file has no array of arrivals, or one of other than numbers.
    """
    found: dict[str, tuple[float, ...]] = {}
    try:
        with np.load(path, allow_pickle=False) as file:
            names = [n for group in SAMPLE_COLUMNS.values() for n in group if n in file.files]
            arrays = {name: np.ravel(file[name]) for name in names}
            samples = {name: array.astype(np.float64) for name, array in arrays.items()}
    except (OSError, ValueError, TypeError, zipfile.BadZipFile, EOFError) as error:
        raise FormatError(f"{path} has no readable labels: {error}") from error
    if not samples:
        raise FormatError(f"{path} has no array of arrivals (itp, its): give a table of labels")
    for phase, known in SAMPLE_COLUMNS.items():
        values = next((samples[name] for name in known if name in samples), np.empty(0))
        values = values[np.isfinite(values) & ~np.isin(values, [*NO_SAMPLES])]
        if values.size:
            found[phase] = tuple(values.tolist())
    return found


def npz_sizes(path: Path) -> tuple[int, dict[str, tuple[float, ...]]]:
    """Return number of channels and arrivals of an npz file; 1 where there are no more arrivals."""
    try:
        arrivals = npz_arrivals(path)
        if max(map(len, arrivals.values()), default=0) < len(COMPONENTS):
            return 1, arrivals
        with np.load(path, allow_pickle=False) as file:
            return file["data"].shape[-1], arrivals
    except (FormatError, OSError, ValueError, KeyError, IndexError):  # said where it is read
        return 1, {}
