"""Which shot each trace of a SEG-Y or SU file of several is of; what stations are called so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from obspy import Trace

__all__ = [
    "SHOT_HEADERS",
    "TRACE_HEADER",
    "header_of",
    "name_components",
    "shot_of_all",
    "shots_of_traces",
    "stations_of_gather",
]

# What tables call a shot: the field record (FFID), or the number of the source point.
SHOT_HEADERS = ("original_field_record_number", "energy_source_point_number")
TRACE_HEADER = "trace_number_within_the_original_field_record"
COMPONENT_HEADER = "trace_identification_code"
# The component by that code: vertical, across and along the line; the same once they are turned.
COMPONENTS = {12: "Z", 13: "E", 14: "N", 15: "Z", 16: "E", 17: "N"}
LONE_COMPONENTS = (
    "the headers name several components (trace identification code), but not of all traces, or "
    "not of receivers at one place each: each trace is taken for a vertical"
)
# Where a receiver is: its components are at one place.
PLACE_HEADERS = (
    *("receiver_group_elevation", "group_coordinate_x", "group_coordinate_y"),
    "distance_from_center_of_the_source_point_to_the_center_of_the_receiver_group",
)


def stations_of_gather(stem: str, traces: Sequence[Trace]) -> list[str]:
    """Return what the stations of a gather's traces are called: its file and their numbers.

    Where the headers tell several shots in it apart, the shot stands between: ``line-0101-0003``.
    The number is then that of the header, or counted in the shot where headers have 0 or one twice.
    Numbers have four digits, or as many as the largest in the file, so that names sort as they do.
    The traces of one receiver's components have one name: its number. The source point is a shot
    only where no field record is given: one record may have several.

    Example:
        >>> from obspy import Trace
        >>> stations_of_gather("shot7", [Trace(), Trace()])
        ['shot7-0001', 'shot7-0002']
    """
    shots = next(iter(shots_of_traces(traces)), [])
    is_one_record = bool(shot_of_all(traces, SHOT_HEADERS[0]))
    is_one_shot = len({*shots} - {"0"}) < 2  # of others are auxiliary traces
    letters = _components_of(traces)
    if is_one_record or is_one_shot or min(map(int, shots)) < 0:
        counted = _counted(letters) if letters else range(1, len(traces) + 1)
        return [f"{stem}-{n}" for n in _padded(counted)]
    numbers = header_of(traces, TRACE_HEADER)
    if letters:
        numbers = _counted([*zip(shots, letters, strict=True)])
    elif min(numbers) < 1 or len({*zip(shots, numbers, strict=True)}) < len(traces):
        numbers = _counted(shots)
    pairs = zip(_padded(map(int, shots)), _padded(numbers), strict=True)
    return [f"{stem}-{shot}-{number}" for shot, number in pairs]


def _components_of(traces: Sequence[Trace]) -> list[str]:
    """Return the component of each trace of SEG-Y or SU; none where headers do not say it of all.

    The first traces of all components are those of the first receiver, the second ones of the
    second, whether components or receivers follow one another; each receiver has all, at one place.
    Where those of a receiver do not follow one another, places have to tell receivers apart.
    """
    letters = _letters(traces)
    if len({*letters}) < 2 or "" in letters:
        return []
    shots = next(iter(shots_of_traces(traces)), [""] * len(traces))
    receivers = [*zip(shots, _counted([*zip(shots, letters, strict=True)]), strict=True)]
    places = [*zip(*(header_of(traces, name) for name in PLACE_HEADERS), strict=True)]
    n_receivers, n_components = len({*receivers}), len({*letters})
    are_whole = len(receivers) == n_receivers * n_components
    are_at_one_place = len({*zip(receivers, places, strict=True)}) == n_receivers
    are_told = len([*groupby(receivers)]) == n_receivers or len({*places}) > 1
    return letters if are_whole and are_at_one_place and are_told else []


def name_components(traces: Sequence[Trace]) -> str:
    """Call traces by their components; say where headers name several in vain."""
    letters = _components_of(traces)
    for letter, trace in zip(letters, traces, strict=False):
        trace.stats.channel = letter
    return "" if letters or len({*_letters(traces)} - {""}) < 2 else LONE_COMPONENTS


def _letters(traces: Sequence[Trace]) -> list[str]:
    return [COMPONENTS.get(code, "") for code in header_of(traces, COMPONENT_HEADER)]


def _counted(items: Iterable[Hashable]) -> list[int]:
    """Return how many like each have come so far, and it: from 1."""
    seen: Counter[Hashable] = Counter()
    return [seen.update([item]) or seen[item] for item in items]


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
