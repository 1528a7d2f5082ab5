"""MATLAB's files of versions 5 to 7: their variables that are arrays of real numbers.

scipy.io.loadmat reads more, but ends the process at some that are damaged.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

__all__ = ["MAGIC", "MAGIC_7_3", "arrays_in"]

# How files of version 5 to 7 begin, and of 7.3, which are HDF5 behind such a text.
MAGIC_7_3 = b"MATLAB 7.3 MAT-file"
MAGIC = (b"MATLAB 5.0 MAT-file", MAGIC_7_3)

HEADER_BYTES, TAG_BYTES = 128, 8
BYTE_ORDERS = {b"IM": "<", b"MI": ">"}
MATRIX, COMPRESSED = 14, 15
# What numbers are kept as, which may be shorter than their class.
TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
# Double, single and integers; others are cells, structs, text, sparse, or of programs.
CLASSES = range(6, 16)
COMPLEX = 0x800


class Element(NamedTuple):
    """One of the pieces that a file, or a variable, is made of, and where the next begins."""

    kind: int
    content: memoryview
    end: int


def arrays_in(content: bytes) -> dict[str, np.ndarray]:
    """Return the variables of a file that are arrays of real numbers, by name.

    Cells, structs, text, sparse and complex arrays are left out, as is what has no name.

    Raises:
        ValueError: if it is damaged, or of another version.
    """
    order = BYTE_ORDERS.get(content[HEADER_BYTES - 2 : HEADER_BYTES], "")
    if not order:
        raise ValueError("its header does not say the order of bytes")
    found = {}
    for kind, item, _ in _elements(memoryview(content)[HEADER_BYTES:], order):
        if kind == COMPRESSED:
            kind, item = _inflated(item, order)
        if kind != MATRIX:
            raise ValueError(f"an element of type {kind} is no variable")
        name, array = _variable(item, order)
        if name and array is not None:
            found[name] = array
    return found


def _elements(content: memoryview, order: str) -> Iterator[Element]:
    at = 0
    while at < len(content):
        element = _element(content, at, order)
        yield element
        at = element.end


def _element(content: memoryview, at: int, order: str) -> Element:
    if at + TAG_BYTES > len(content):
        raise ValueError("it ends too early")
    kind, size = struct.unpack_from(f"{order}II", content, at)
    begin, end = at + TAG_BYTES, 0
    if kind >> 16:  # up to four bytes are in the tag itself
        kind, size, begin, end = kind & 0xFFFF, kind >> 16, at + TAG_BYTES // 2, at + TAG_BYTES
    if begin + size > (end or len(content)):
        raise ValueError("it ends too early")
    padded = 0 if kind == COMPRESSED else -size % TAG_BYTES
    return Element(kind, content[begin : begin + size], end or begin + size + padded)


def _inflated(item: memoryview, order: str) -> tuple[int, memoryview]:
    """Return the type and the content of a compressed element: no more than it says it holds."""
    try:
        inflater = zlib.decompressobj()
        kind, size = struct.unpack(f"{order}II", inflater.decompress(item, TAG_BYTES))
        content = inflater.decompress(inflater.unconsumed_tail, size + 1)
    except (zlib.error, struct.error) as error:
        raise ValueError(f"a compressed variable is damaged: {error}") from error
    if len(content) != size or not inflater.eof:  # at its end the sum of its bytes is checked
        raise ValueError(f"a compressed variable of {size} bytes holds {len(content)} or is cut")
    return kind, memoryview(content)


def _variable(item: memoryview, order: str) -> tuple[str, np.ndarray | None]:
    """Return the name of a variable and its array; None where it is none of real numbers."""
    flags, begin = _numbers(item, 0, order)
    if len(flags) != 2 or int(flags[0]) & 0xFF not in CLASSES or int(flags[0]) & COMPLEX:
        return "", None
    shape, begin = _numbers(item, begin, order)
    _, text, begin = _element(item, begin, order)
    name = bytes(text).decode("latin-1")
    if not name:  # what objects of other variables are kept in
        return "", None
    values, _ = _numbers(item, begin, order)
    sides = [int(side) for side in shape]
    if min(sides, default=-1) < 0 or math.prod(sides) != len(values):
        raise ValueError(f"{name} holds {len(values)} numbers, and should be of {sides}")
    return name, values.reshape(sides, order="F")


def _numbers(item: memoryview, at: int, order: str) -> tuple[np.ndarray, int]:
    kind, content, end = _element(item, at, order)
    if kind not in TYPES:
        raise ValueError(f"numbers are of an unknown type {kind}")
    return np.frombuffer(content, order + TYPES[kind]), end
