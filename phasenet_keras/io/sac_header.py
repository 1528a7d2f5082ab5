"""Places in the header of a SAC file that are none."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

from phasenet_keras.io.registry import RecordWarning

__all__ = ["with_possible_places"]

HEADER_BYTES = 632
UNDEFINED = -12345.0
# Words of the header (SAC manual, "SAC data file format").
VERSION_WORD, LAST_VERSION = 76, 7
PLACE_WORDS = {"stla": 31, "stlo": 32, "evla": 35, "evlo": 36}
# Beyond metres of any grid, which some write there.
MOST = 1e8


def with_possible_places(path: Path) -> bytes | None:
    """Return a SAC file without places that are none; None if all are possible, or it is no SAC.

    ObsPy computes the distance from them, turn by turn round the Earth: with a longitude of 1e30 it
    never ends.

    Warns:
        RecordWarning: for each that is left out.
    """
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES)
    if len(head) < HEADER_BYTES:
        return None
    orders = [o for o in "<>" if 0 < _number(head, o, "i", VERSION_WORD) <= LAST_VERSION]
    if not orders:
        return None
    [order] = orders
    places = {name: _number(head, order, "f", word) for name, word in PLACE_WORDS.items()}
    wrong = {name: value for name, value in places.items() if abs(value) > MOST}
    if not wrong:
        return None
    content = bytearray(path.read_bytes())
    for name, value in wrong.items():
        text = f"its header has {name} = {value:g}, which is no place: left out"
        warnings.warn(text, RecordWarning, stacklevel=3)
        struct.pack_into(f"{order}f", content, 4 * PLACE_WORDS[name], UNDEFINED)
    return bytes(content)


def _number(head: bytes, order: str, kind: str, word: int) -> float:
    return struct.unpack_from(f"{order}{kind}", head, 4 * word)[0]
