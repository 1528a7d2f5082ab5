"""HDF5 files being written, on disks that may be full."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import h5py

__all__ = ["NewHdf5", "new_hdf5"]


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
