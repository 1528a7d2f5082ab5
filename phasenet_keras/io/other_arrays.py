"""Arrays that are no records: of several sensors or events, or of another program."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from phasenet_keras.types import FormatError

__all__ = ["MOST_RECORDS", "OTHER_SHAPES", "array_kind", "check_are_channels"]

# What messages name for data that are no records.
OTHER_SHAPES = '"Arrays of another shape" in docs/how-to/labels.md shows how to make records of it'
# So many records are looked at; of fewer than this nothing is concluded.
MOST_RECORDS, LEAST_RECORDS = 100, 3
LEAST_SHARE = 0.9
# A line of names, and some of comment, may come first.
LOOKED_AT_LINES = 20
MAGIC = {
    b"MATLAB 5.0": "a MATLAB file, which scipy.io.loadmat reads",
    b"\x93NUMPY": "a NumPy array, which numpy.load reads",
}


def array_kind(head: bytes) -> str:
    r"""Return what a file is that holds arrays of no known layout, in words; empty for all others.

    Args:
        head: its first bytes.

    Example:
        >>> array_kind(b"time;S1;S2\n0,1;5,0;6\n"), array_kind(b"\x93NUMPY\x01"), array_kind(b"a b")
        ('text of 3 columns', 'a NumPy array, which numpy.load reads', '')
    """
    for magic, kind in MAGIC.items():
        if head.startswith(magic):
            return kind
    for line in head.decode("latin-1").splitlines()[:LOOKED_AT_LINES]:
        cells = re.split(r"\s*[;\t]\s*" if re.search(r"[;\t]", line) else r"[,\s]+", line.strip())
        if len(cells) > 2 and all(re.fullmatch(r"[-+\d.,eE]+", cell) for cell in cells):
            return f"text of {len(cells)} columns"
    return ""


def check_are_channels(
    records: Iterable[tuple[int, Mapping[str, Sequence[float]]]], where: str
) -> None:
    """Refuse records of which nearly each has as many arrivals of a phase as nameless channels.

    Args:
        records: number of channels and arrivals by phase; of channels that have no names.
        where: they are, for the error.

    Raises:
        FormatError: if each channel seems to be a sensor, with its own arrival.

    Example:
        >>> check_are_channels([(3, {"P": (410.0,)})] * 5, "a.h5")
        >>> check_are_channels([(3, {"P": (410.0, 415.0, 422.0)})] * 5, "a.h5")
        Traceback (most recent call last):
        ...
        phasenet_keras.types.FormatError: a.h5: 5 of 5 records have 3 channels without names and 3 \
arrivals of P: are these 3 sensors? A record is of one sensor; "Arrays of another shape" in \
docs/how-to/labels.md shows how to make records of it
    """
    found = list(records)
    for phase in sorted({phase for _, arrivals in found for phase in arrivals}):
        alike = [n for n, arrivals in found if n > 1 and len(arrivals.get(phase, ())) == n]
        if len(alike) >= max(LEAST_RECORDS, LEAST_SHARE * len(found)):
            raise FormatError(
                f"{where}: {len(alike)} of {len(found)} records have {alike[0]} channels without "
                f"names and {alike[0]} arrivals of {phase}: are these {alike[0]} sensors? A record "
                f"is of one sensor; {OTHER_SHAPES}"
            )
