"""Which shot each trace of a gather is of, by its header: SEG-Y and SU hold a line in one file."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from phasenet_keras.io.registry import read_stream
from phasenet_keras.types import FormatError

__all__ = ["FieldRecords", "field_records", "shots_in"]

# What tables call a shot: the field record (FFID), or the number of the source point.
SHOT_HEADERS = ("original_field_record_number", "energy_source_point_number")
TRACE_HEADER = "trace_number_within_the_original_field_record"


@dataclass(frozen=True)
class FieldRecords:
    """The traces of a file of several shots.

    Attributes:
        shots: of each trace, in the order of the file.
        numbers: of each trace in its shot, by its header; where these do not tell the traces of a
            shot apart, as they are counted.
        counted: of each trace in its shot, from 1, in the order of the file.
    """

    shots: tuple[str, ...]
    numbers: tuple[int, ...]
    counted: tuple[int, ...]


def field_records(path: Path, shots: Collection[str]) -> FieldRecords | None:
    """Return the shots of a file's traces, by the header that knows most of these; else None.

    Args:
        path: of a gather.
        shots: as a table names them; numbers without leading zeros.
    """
    known = [(len(set(shots) & set(found.shots)), found) for found in _all_records(path)]
    count, best = max(known, key=lambda item: item[0], default=(0, None))
    return best if count else None


def shots_in(path: Path) -> set[str]:
    """Return the numbers of shots in the headers of a file that holds several."""
    return {shot for found in _all_records(path) for shot in found.shots}


def _all_records(path: Path) -> list[FieldRecords]:
    with warnings.catch_warnings(action="ignore"):  # reading the samples warns as well
        try:
            traces = read_stream(path, headers_only=True)
        except FormatError:  # said where it is read
            return []
    headers = [(trace.stats.get("segy") or trace.stats.get("su")) for trace in traces]
    if not all(headers):
        return []
    found = []
    for name in SHOT_HEADERS:
        shots = [str(getattr(header.trace_header, name)) for header in headers]
        # A number of its own in each trace is no shot; a source point that comes and goes is a kind
        # of source, or the like.
        comes_back = name != SHOT_HEADERS[0] and len([*groupby(shots)]) > len(set(shots))
        if 1 < len(set(shots)) <= len(shots) / 2 and not comes_back:
            seen: Counter[str] = Counter()
            counted = tuple(seen.update([shot]) or seen[shot] for shot in shots)
            numbers = tuple(getattr(header.trace_header, TRACE_HEADER) for header in headers)
            are_distinct = len(set(zip(shots, numbers, strict=True))) == len(shots)
            found.append(FieldRecords(tuple(shots), numbers if are_distinct else counted, counted))
    return found
