"""A PyTorch file of weights, read without PyTorch.

`torch.save` of a state dict leaves a zip of a pickle, which names tensors, and of their bytes.
Pickles can run code: from this one nothing is let through but what a state dict is made of.
"""

from __future__ import annotations

import math
import pickle
import struct
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile, ZipFile, is_zipfile

import numpy as np

from phasenet_keras.types import FormatError

__all__ = ["is_torch_file", "read_state_dict"]

PICKLE = "/data.pkl"
# PyTorch's storages, and the type of their values.
STORAGES = {
    **{"FloatStorage": "f4", "DoubleStorage": "f8", "HalfStorage": "f2"},
    **{"LongStorage": "i8", "IntStorage": "i4", "ShortStorage": "i2", "CharStorage": "i1"},
    **{"ByteStorage": "u1", "BoolStorage": "?"},
}
DAMAGE = (
    *(BadZipFile, zlib.error, EOFError, OSError, struct.error, pickle.UnpicklingError),
    *(ArithmeticError, AttributeError, IndexError, KeyError, MemoryError, NotImplementedError),
    *(RecursionError, RuntimeError, TypeError, ValueError),
)


def is_torch_file(path: str | Path) -> bool:
    """Tell if a file is a zip with a pickle in it, as `torch.save` writes."""
    try:
        if not is_zipfile(path):
            return False
        with ZipFile(path) as archive:
            return any(name.endswith(PICKLE) for name in archive.namelist())
    except (OSError, BadZipFile):
        return False


def read_state_dict(path: str | Path) -> dict[str, np.ndarray]:
    """Read the arrays of a state dict, by their names.

    Args:
        path: what ``torch.save(model.state_dict(), path)`` left.

    Raises:
        FormatError: if it cannot be read, or is more than a state dict: a whole model, a
            checkpoint of a trainer.

    Example:
        >>> read_state_dict("setup.cfg")
        Traceback (most recent call last):
            ...
        phasenet_keras.types.FormatError: setup.cfg is no PyTorch file of weights: File is not a \
zip file
    """
    try:
        with ZipFile(path) as archive:
            (name,) = [name for name in archive.namelist() if name.endswith(PICKLE)]
            with archive.open(name) as file:
                found = _Unpickler(file, archive, name.removesuffix(PICKLE)).load()
    except DAMAGE as error:
        raise FormatError(f"{path} is no PyTorch file of weights: {error}") from error
    if not isinstance(found, dict) or not all(
        isinstance(key, str) and isinstance(value, np.ndarray) for key, value in found.items()
    ):
        raise FormatError(
            f"{path} holds more than the names and arrays of a network: save "
            "model.state_dict(), or use SeisBench's model.save(path)"
        )
    return dict(found)


class _Storage:
    """Stands for a type of values in the pickle."""

    def __init__(self, code: str) -> None:
        self.code = code


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: IO[bytes], archive: ZipFile, root: str) -> None:
        super().__init__(file)
        self._archive, self._root = archive, root
        order = f"{root}/byteorder"
        is_big = order in archive.namelist() and archive.read(order).strip() == b"big"
        self._order = ">" if is_big else "<"

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _array
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _data_of
        if module == "torch" and name in STORAGES:
            return _Storage(STORAGES[name])
        raise pickle.UnpicklingError(
            f"it holds {module}.{name}, which no state dict does: save model.state_dict(), or use "
            "SeisBench's model.save(path)"
        )

    def persistent_load(self, pid: Any) -> np.ndarray:
        kind, storage, key, *_ = pid
        if kind != "storage" or not isinstance(storage, _Storage):
            raise pickle.UnpicklingError(f"it refers to {kind!r}, where a storage is expected")
        values = self._archive.read(f"{self._root}/data/{key}")
        return np.frombuffer(values, self._order + storage.code)


def _array(
    values: np.ndarray, offset: int, shape: Sequence[int], strides: Sequence[int], *_: object
) -> np.ndarray:
    """Return a tensor's array: a view of its storage, of strides in values."""
    ends = [(n - 1) * stride for n, stride in zip(shape, strides, strict=True)]
    is_inside = math.prod(shape) <= values.size and offset + sum(ends) < values.size
    if min([offset, *shape, *strides]) < 0 or not is_inside:
        raise pickle.UnpicklingError(f"an array of {tuple(shape)} in {values.size} values")
    steps = [stride * values.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(values[offset:], shape, steps).copy()


def _data_of(array: np.ndarray, *_: object) -> np.ndarray:
    return array
