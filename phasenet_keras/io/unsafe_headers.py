"""Headers that ObsPy's readers do not survive, or go on with for ever: GSE, SAC, RG-1.6, DMX."""

from __future__ import annotations

import re
import struct
from itertools import pairwise
from pathlib import Path

from phasenet_keras.io.registry import say
from phasenet_keras.types import FormatError

__all__ = [
    "SAC_UNDEFINED",
    "check_dmx",
    "check_gse",
    "check_time_slices",
    "with_possible_longitudes",
]

# GSE. Type of the data and number of samples in the first line of a trace, by its first word.
GSE_HEADERS = {b"WID1": (slice(74, 78), slice(27, 35)), b"WID2": (slice(44, 47), slice(48, 56))}
GSE_COMPRESSED = (b"CM6", b"CMP6")
GSE_LINE_BYTES = 82
# With a blank behind it, which no encoded line has within: one in some millions begins so, too.
TRACE, CHECKSUM = re.compile(rb"^WID[12] ", re.M), re.compile(rb"^CHK[12] ", re.M)
DATA = re.compile(rb"^DAT[12]", re.M)
# The first line may be empty.
ENCODED_LINES = re.compile(rb"(?:[ \r]*\n)?(?:[-+0-9A-Za-z]{1,80}[ \r]*(?:\n|\Z))*")
# A sample is some characters of 32 or more (U to Z, a to z) and one below.
LAST_OF_SAMPLE = bytes(sorted(b"+-0123456789ABCDEFGHIJKLMNOPQRST"))

SAC_HEADER_BYTES = 632
SAC_UNDEFINED = -12345.0
# Words of the header (SAC manual, "SAC data file format"); ObsPy takes any version below 20.
VERSION_WORD, NO_VERSION = 76, 20
LONGITUDE_WORDS = {"stlo": 32, "evlo": 36}
# Beyond metres of any grid, which some write there.
MOST_LONGITUDE = 1e8
# Of a Fairfield file: enough for the headers of 99 channel sets; the least trace header.
RG16_HEAD_BYTES, RG16_TRACE_BYTES = 4096, 20
# Of DMX, as ObsPy reads it. A block begins with its kind and the lengths of header and data; the
# header of a trace has the type and number of its samples.
DMX_BLOCK, DMX_TRACE, DMX_TRACE_KIND = struct.Struct("=2xhii"), struct.Struct("=22xc5xi32x"), 7
DMX_SAMPLE_BYTES = {b"2": 4, b"l": 4, b"f": 4, b"d": 8}  # of others 2


def check_gse(path: Path) -> None:
    """Refuse a GSE1 or GSE2 file whose compressed samples ObsPy's C code would not survive.

    Up to the last sample it writes lines of more than 82 bytes past the end of its own; where
    samples are lacking it reads on into the next trace; it takes a single sample for two.

    Raises:
        FormatError: naming the trace by its number, and what is wrong.
    """
    content = path.read_bytes()
    begins = [found.start() for found in TRACE.finditer(content)]
    for number, (begin, end) in enumerate(pairwise([*begins, len(content)]), start=1):
        wrong = _wrong_with(content[begin:end])
        if wrong:
            raise FormatError(f"{path} is damaged: its trace {number} {wrong}")


def _wrong_with(trace: bytes) -> str | None:
    """Say what is wrong with a trace, from its first line on; None if nothing is."""
    header, _, rest = trace.partition(b"\n")
    where_type, where_count = GSE_HEADERS[header[:4]]
    if header[where_type].strip() not in GSE_COMPRESSED:
        return None
    try:
        n_claimed = int(header[where_count])
    except ValueError:
        return "does not say how many samples it has"
    if n_claimed == 0:
        return None
    if n_claimed < 2:
        return f"claims {n_claimed} samples, and can have no fewer than 2"
    data = DATA.search(rest)
    if not data:
        return "has no line that says DAT1 or DAT2"
    begin = rest.find(b"\n", data.start()) + 1 or len(rest)
    checksum = CHECKSUM.search(rest, begin)
    end = checksum.start() if checksum else len(rest)
    lines = rest[:end].split(b"\n")
    if header.startswith(b"WID1") or rest.startswith(b"STA2"):  # read as a part of the header
        lines = lines[1:]
    longest = max(map(len, lines), default=0) + 1
    if longest > GSE_LINE_BYTES:
        return f"has a line of {longest} bytes, of which there can be {GSE_LINE_BYTES}"
    found = ENCODED_LINES.match(rest, begin, end)
    encoded = found.group() if found else b""
    n_there = len(encoded) - len(encoded.translate(None, LAST_OF_SAMPLE))
    if n_there < n_claimed:
        return f"claims {n_claimed} samples and holds {n_there}"
    return None


def with_possible_longitudes(path: Path) -> bytes | None:
    """Return a SAC file without longitudes that are none; None if there are none, or it is no SAC.

    ObsPy goes round the Earth until it is at such a longitude: to 1e30 it never gets.

    Raises:
        OSError: if it cannot be read.

    Warns:
        RecordWarning: for each that is left out.
    """
    with path.open("rb") as file:
        head = file.read(SAC_HEADER_BYTES)
    if len(head) < SAC_HEADER_BYTES:
        return None
    orders = [o for o in "<>" if 0 < _sac_number(head, o, "i", VERSION_WORD) < NO_VERSION]
    if not orders:
        return None
    [order] = orders
    found = {name: _sac_number(head, order, "f", word) for name, word in LONGITUDE_WORDS.items()}
    wrong = {name: value for name, value in found.items() if abs(value) > MOST_LONGITUDE}
    if not wrong:
        return None
    content = bytearray(path.read_bytes())
    for name, value in wrong.items():
        say(f"its header has {name} = {value:g}, which is no longitude: left out")
        struct.pack_into(f"{order}f", content, 4 * LONGITUDE_WORDS[name], SAC_UNDEFINED)
    return bytes(content)


def _sac_number(head: bytes, order: str, kind: str, word: int) -> float:
    return struct.unpack_from(f"{order}{kind}", head, 4 * word)[0]


def check_time_slices(path: Path) -> None:
    """Refuse a Fairfield file that claims more time slices than fit: ObsPy would look for each."""
    with path.open("rb") as file:
        head = file.read(RG16_HEAD_BYTES)
    n_channel_sets = 10 * (head[28] >> 4) + (head[28] & 15)
    at = 32 * (3 + n_channel_sets) + 16  # in the second extended header
    [n_slices] = struct.unpack(">I", head[at : at + 4].rjust(4, b"\0"))
    if n_slices * RG16_TRACE_BYTES > path.stat().st_size:
        raise FormatError(f"{path} is damaged: it claims {n_slices} time slices, too many for it")


def check_dmx(path: Path) -> None:
    """Refuse a DMX file in which a block leads back to where it begins, or before: for ever."""
    content = path.read_bytes()
    at = 0
    while at + DMX_BLOCK.size <= len(content):
        begin = at
        kind, n_header, n_data = DMX_BLOCK.unpack_from(content, at)
        at += DMX_BLOCK.size
        if kind != DMX_TRACE_KIND:
            at += n_header + n_data
        elif at + DMX_TRACE.size <= len(content):
            letter, n_samples = DMX_TRACE.unpack_from(content, at)
            at += DMX_TRACE.size + n_samples * DMX_SAMPLE_BYTES.get(letter, 2)
            if n_samples < 0:  # all that is left
                return
        if at <= begin:
            raise FormatError(f"{path} is damaged: its block at byte {begin} leads back to {at}")
