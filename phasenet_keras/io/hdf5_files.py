"""HDF5 files: what in one is a record, also where some are damaged; writing on a full disk."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phasenet_keras.io.mat_files import MAGIC_7_3
from phasenet_keras.types import FormatError

if TYPE_CHECKING:
    import h5py

__all__ = [
    "DAMAGE",
    "NewHdf5",
    "attributes_of",
    "is_of_matlab",
    "new_hdf5",
    "opened",
    "record_named",
    "record_names",
    "values_of",
]

# What h5py raises for files that are damaged, or are not what they should be.
DAMAGE = (OSError, RuntimeError, LookupError, TypeError, ValueError, AttributeError)
# Deeper than any layout; a link to a group above would have no end.
MAX_DEPTH = 6


def opened(path: Path) -> h5py.File:
    """Open a file for reading.

    Raises:
        FormatError: if it is no HDF5.
    """
    import h5py

    try:
        return h5py.File(path)
    except OSError as error:
        raise FormatError(f"{path} is no readable HDF5 file: {error}") from error


def is_of_matlab(path: Path) -> bool:
    """Tell by its first bytes if a file is MATLAB's, of version 7.3."""
    with path.open("rb") as file:
        return file.read(len(MAGIC_7_3)) == MAGIC_7_3


def record_names(path: Path) -> list[str]:
    """Return the names of all records, also of groups and datasets that are damaged.

    Raises:
        FormatError: if it is no HDF5.
    """
    with opened(path) as file:
        return list(_names_below(file, ""))


def _names_below(group: h5py.Group, prefix: str) -> Iterator[str]:
    import h5py

    try:
        attributes_of(group)  # which all records below it have
        keys = list(group)
    except DAMAGE:
        yield prefix.rstrip("/") or "/"
        return
    for key in keys:
        name = f"{prefix}{key}"
        try:
            # None for a link to what is not there; the record is then bad, not the file.
            node = group.get(key)
            is_record = not isinstance(node, h5py.Group) or isinstance(
                node.get("data"), h5py.Dataset
            )
        except DAMAGE:
            is_record = True
        if is_record:
            yield name
        elif name.count("/") < MAX_DEPTH:
            yield from _names_below(node, f"{name}/")


def record_named(file: h5py.File, name: str) -> tuple[h5py.Dataset, dict[str, Any], dict[str, Any]]:
    """Return the dataset of a record, its attributes, and these with those of the groups above it.

    The attributes of the dataset come before those of its own group.

    Raises:
        FormatError: if they cannot be read.
    """
    import h5py

    node, above = file, dict[str, Any]()
    try:
        for part in name.split("/"):
            above |= attributes_of(node)
            node = node.get(part)
        dataset = node["data"] if isinstance(node, h5py.Group) else node
        own = attributes_of(node) | attributes_of(dataset)
    except FormatError:
        raise
    except DAMAGE as error:
        raise FormatError(f"it cannot be read: {error}") from error
    if not isinstance(dataset, h5py.Dataset):
        raise FormatError("it is a link to nothing")
    return dataset, own, above | own


def values_of(dataset: Any, place: int | tuple[()] = (), headers_only: bool = False) -> Any:
    """Return the values of a dataset, or of one of the records in it; of headers alone zeros."""
    if headers_only:
        return np.broadcast_to(np.zeros((), dataset.dtype), dataset.shape)[place]
    return dataset[place]


def attributes_of(node: Any) -> dict[str, Any]:
    """Return the attributes of a group or dataset; those of types unknown to h5py are left out.

    Raises:
        FormatError: if they are damaged.
    """
    found = {}
    try:
        keys = list(getattr(node, "attrs", ()))
    except DAMAGE as error:
        raise FormatError(f"its attributes cannot be read: {error}") from error
    for key in keys:
        try:
            value = node.attrs[key]
        except (OSError, TypeError, ValueError, KeyError):
            continue
        if getattr(value, "shape", ()) is not None:  # an attribute may be there and hold nothing
            found[key] = value
    return found


class _DiskFile(io.FileIO):
    """A file that HDF5 writes to, which takes what the disk does not, and remembers that.

    HDF5 does not survive a write that fails: closing the file ends the process.
    """

    error: OSError | None = None

    def write(self, data: Any) -> int:
        left = memoryview(data).cast("B")
        size = len(left)
        while left and self.error is None:
            try:
                left = left[super().write(left) :]
            except OSError as error:
                self.error = error
        return size


class NewHdf5:
    """A file being written: ``file`` as h5py has it, and `check` between two records."""

    file: h5py.File

    def __init__(self, disk: Any) -> None:
        self._disk = disk

    def check(self) -> None:
        """Raise what the disk said since, so that nobody goes on in vain.

        Raises:
            OSError: naming the file.
        """
        if self._disk.error is not None:
            code = self._disk.error.errno or 0
            raise OSError(code, os.strerror(code), os.fspath(self._disk.name))


@contextmanager
def new_hdf5(path: Path) -> Iterator[NewHdf5]:
    """Open a new HDF5 file for writing; it is removed where it could not be written.

    Raises:
        OSError: naming the file, if the disk is full or fails.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder, new_hdf5(Path(folder) / "a.hdf5") as new:
        ...     new.file["x"] = [1.0, 2.0]
        ...     new.check()
        ...     new.file["x"].shape
        (2,)
    """
    import h5py

    with _DiskFile(path, "w+") as disk:
        new = NewHdf5(disk)
        try:
            with h5py.File(disk, "w") as new.file:
                yield new
            new.check()
        except Exception:
            path.unlink(missing_ok=True)
            new.check()  # what h5py says after a write that failed is of no use
            raise
