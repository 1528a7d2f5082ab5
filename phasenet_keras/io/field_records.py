"""Which shot each trace of a SEG-Y or SU file of several is of; what stations are called so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from obspy import Trace

__all__ = [
    "SHOT_HEADERS",
    "TRACE_HEADER",
    "header_of",
    "shot_of_all",
    "shots_of_traces",
    "stations_of_gather",
]

# What tables call a shot: the field record (FFID), or the number of the source point.
SHOT_HEADERS = ("original_field_record_number", "energy_source_point_number")
TRACE_HEADER = "trace_number_within_the_original_field_record"


def stations_of_gather(stem: str, traces: Sequence[Trace]) -> list[str]:
    """Return what the stations of a gather's traces are called: its file and their numbers.

    Where the headers tell several shots in it apart, the shot stands between: ``line-0101-0003``.
    The number is then that of the header, or counted in the shot where headers have 0 or one twice.
    Numbers have four digits, or as many as the largest in the file, so that names sort as they do.
    The source point is a shot only where no field record is given: one record may have several.

    Example:
        >>> from obspy import Trace
        >>> stations_of_gather("shot7", [Trace(), Trace()])
        ['shot7-0001', 'shot7-0002']
    """
    shots = next(iter(shots_of_traces(traces)), [])
    is_one_record = bool(shot_of_all(traces, SHOT_HEADERS[0]))
    is_one_shot = len({*shots} - {"0"}) < 2  # of others are auxiliary traces
    if is_one_record or is_one_shot or min(map(int, shots)) < 0:
        return [f"{stem}-{n}" for n in _padded(range(1, len(traces) + 1))]
    numbers = header_of(traces, TRACE_HEADER)
    if min(numbers) < 1 or len({*zip(shots, numbers, strict=True)}) < len(traces):
        seen: Counter[str] = Counter()
        numbers = [seen.update([shot]) or seen[shot] for shot in shots]
    pairs = zip(_padded(map(int, shots)), _padded(numbers), strict=True)
    return [f"{stem}-{shot}-{number}" for shot, number in pairs]


def _padded(numbers: Iterable[int]) -> list[str]:
    """Return numbers with zeros in front, so that names sort as they do: four digits or more."""
    numbers = list(numbers)
    width = max([4, *map(len, map(str, numbers))])
    return [f"{number:0{width}d}" for number in numbers]


def shot_of_all(traces: Sequence[Trace], header: str) -> str:
    """Return the shot that a header gives to all traces; empty where it gives several, or none."""
    shots = {*header_of(traces, header)}
    return str(shots.pop()) if len(shots) == 1 and shots != {0} else ""


def shots_of_traces(traces: Sequence[Trace]) -> list[list[str]]:
    """Return the shots of all traces, by each header that tells several in the file apart."""
    found = []
    for name in SHOT_HEADERS:
        shots = [str(number) for number in header_of(traces, name)]
        # A number of its own in each trace is no shot; a source point that comes and goes is a kind
        # of source, or the like.
        comes_back = name != SHOT_HEADERS[0] and len([*groupby(shots)]) > len(set(shots))
        if 1 < len(set(shots)) <= len(shots) / 2 and not comes_back:
            found.append(shots)
    return found


def header_of(traces: Sequence[Trace], name: str) -> list[int]:
    """Return a header of SEG-Y or SU of each trace; none where traces have no such headers."""
    headers = [trace.stats.get("segy") or trace.stats.get("su") for trace in traces]
    return [getattr(h.trace_header, name) for h in headers] if all(headers) else []
