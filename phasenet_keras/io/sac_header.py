"""Longitudes in the header of a SAC file that are none."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

from phasenet_keras.io.registry import RecordWarning

__all__ = ["with_possible_longitudes"]

HEADER_BYTES = 632
UNDEFINED = -12345.0
# Words of the header (SAC manual, "SAC data file format"); ObsPy takes any version below 20.
VERSION_WORD, NO_VERSION = 76, 20
LONGITUDE_WORDS = {"stlo": 32, "evlo": 36}
# Beyond metres of any grid, which some write there.
MOST = 1e8


def with_possible_longitudes(path: Path) -> bytes | None:
    """Return a SAC file without longitudes that are none; None if there are none, or it is no SAC.

    ObsPy goes round the Earth until it is at such a longitude: to 1e30 it never gets.

    Args:
        path: of the file.

    Raises:
        OSError: if it cannot be read.

    Warns:
        RecordWarning: for each that is left out.
    """
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES)
    if len(head) < HEADER_BYTES:
        return None
    orders = [o for o in "<>" if 0 < _number(head, o, "i", VERSION_WORD) < NO_VERSION]
    if not orders:
        return None
    [order] = orders
    found = {name: _number(head, order, "f", word) for name, word in LONGITUDE_WORDS.items()}
    wrong = {name: value for name, value in found.items() if abs(value) > MOST}
    if not wrong:
        return None
    content = bytearray(path.read_bytes())
    for name, value in wrong.items():
        text = f"its header has {name} = {value:g}, which is no longitude: left out"
        warnings.warn(text, RecordWarning, stacklevel=3)
        struct.pack_into(f"{order}f", content, 4 * LONGITUDE_WORDS[name], UNDEFINED)
    return bytes(content)


def _number(head: bytes, order: str, kind: str, word: int) -> float:
    return struct.unpack_from(f"{order}{kind}", head, 4 * word)[0]
