"""Which files belong together: paths given by a person, grouped by the stations in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from glob import glob
from os import PathLike
from pathlib import Path

from phasenet_keras.io.instruments import station_id
from phasenet_keras.io.registry import read_stream
from phasenet_keras.types import ConfigError, FormatError

__all__ = ["expand_paths", "group_by_station", "natural_key", "tie_together"]


def natural_key(path: str | PathLike[str]) -> tuple[tuple[int | str, ...], ...]:
    """Return what file names are sorted by so that 2 comes before 10.

    Example:
        >>> sorted(["10.txt", "1.txt", "2.txt"], key=natural_key)
        ['1.txt', '2.txt', '10.txt']
    """
    return tuple(
        tuple(int(text) if text.isdecimal() else text for text in re.split(r"(\d+)", part))
        for part in Path(path).parts
    )


def expand_paths(sources: Iterable[str | PathLike[str]]) -> list[Path]:
    """Resolve files, folders (all files below, hidden ones not) and patterns, without repeats.

    A name that is none of these, and a folder without files, is kept, so that reading it says what
    is wrong.

    Raises:
        ConfigError: for an empty name, which would stand for the working folder.
    """
    paths: dict[Path, None] = {}
    for source in sources:
        if not str(source):
            raise ConfigError("a file name is empty; '.' names the working folder")
        path = Path(source)
        if path.is_dir():
            inside = (item.relative_to(path) for item in sorted(path.rglob("*")))
            found = [
                path / item
                for item in inside
                if (path / item).is_file() and not any(p.startswith(".") for p in item.parts)
            ] or [path]
        elif path.exists():
            found = [path]
        else:
            # Not Path.glob: a pattern may be absolute.
            matches = sorted(glob(str(source), recursive=True))  # noqa: PTH207
            found = [Path(item) for item in matches] or [path]
            found = [item for item in found if not item.is_dir()]
        paths.update(dict.fromkeys(found))
    return list(paths)


def group_by_station(paths: Sequence[Path]) -> list[list[Path]]:
    """Group files that share a station, from their headers; order is that of the first files.

    Files that cannot be read stand alone: the error comes when they are read for good.
    """
    if len(paths) < 2:
        return [[path] for path in paths]
    stations = []
    for path in paths:
        try:
            stations.append({station_id(trace) for trace in read_stream(path, headers_only=True)})
        except FormatError:
            stations.append(set())
    return [[paths[number] for number in group] for group in tie_together(stations)]


def tie_together(stations: Sequence[set[str]]) -> list[list[int]]:
    """Group the numbers of sets that have something in common, directly or through others.

    Example:
        >>> tie_together([{"a"}, {"b"}, {"a", "c"}, {"c"}, set()])
        [[0, 2, 3], [1], [4]]
    """
    group_of_station: dict[str, int] = {}
    groups: dict[int, list[int]] = {}
    for number, names in enumerate(stations):
        target = number
        groups[number] = [number]
        for other in sorted({group_of_station[s] for s in names if s in group_of_station}):
            # The earlier group takes in this one and every other that it ties together.
            first, last = sorted((other, target))
            if first != last:
                groups[first] += groups.pop(last)
                group_of_station |= {s: first for s, g in group_of_station.items() if g == last}
                target = first
        group_of_station |= dict.fromkeys(names, target)
    return list(groups.values())
