"""GSE files are text: is what their headers claim there, in lines as long as they may be?"""

from __future__ import annotations

import re
from pathlib import Path

from phasenet_keras.types import FormatError

__all__ = ["check_gse"]

# Type of the data and number of samples in the first line of a trace, by its first word.
HEADERS = {b"WID1": (slice(74, 78), slice(27, 35)), b"WID2": (slice(44, 47), slice(48, 56))}
COMPRESSED = (b"CM6", b"CMP6")
MOST_LINE_BYTES = 82
# With a blank behind it, which no encoded line has within: one in some millions begins so, too.
TRACE, CHECKSUM = re.compile(rb"^WID[12] ", re.M), re.compile(rb"^CHK[12] ", re.M)
DATA = re.compile(rb"^DAT[12]", re.M)
# The first line may be empty.
ENCODED_LINES = re.compile(rb"(?:[ \r]*\n)?(?:[-+0-9A-Za-z]{1,80}[ \r]*(?:\n|\Z))*")
# A sample is some characters of 32 or more (U to Z, a to z) and one below.
LAST_OF_SAMPLE = bytes(sorted(b"+-0123456789ABCDEFGHIJKLMNOPQRST"))


def check_gse(path: Path) -> None:
    """Refuse a GSE1 or GSE2 file whose compressed samples ObsPy's C code would not survive.

    Up to the last sample it writes lines of more than 82 bytes past the end of its own; where
    samples are lacking it reads on into the next trace; it takes a single sample for two.

    Raises:
        FormatError: naming the trace by its number, and what is wrong.
    """
    content = path.read_bytes()
    begins = [found.start() for found in TRACE.finditer(content)]
    for number, (begin, end) in enumerate(
        zip(begins, [*begins[1:], len(content)], strict=True), start=1
    ):
        wrong = _wrong_with(content[begin:end])
        if wrong:
            raise FormatError(f"{path} is damaged: its trace {number} {wrong}")


def _wrong_with(trace: bytes) -> str | None:
    """Say what is wrong with a trace, from its first line on; None if nothing is."""
    header, _, rest = trace.partition(b"\n")
    where_type, where_count = HEADERS[header[:4]]
    if header[where_type].strip() not in COMPRESSED:
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
    if longest > MOST_LINE_BYTES:
        return f"has a line of {longest} bytes, of which there can be {MOST_LINE_BYTES}"
    found = ENCODED_LINES.match(rest, begin, end)
    encoded = found.group() if found else b""
    n_there = len(encoded) - len(encoded.translate(None, LAST_OF_SAMPLE))
    if n_there < n_claimed:
        return f"claims {n_claimed} samples and holds {n_there}"
    return None
