"""Which shot and which receiver the names of files and stations of gathers stand for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from phasenet_keras.io.geometry import Geometry
from phasenet_keras.io.text_tables import name_key
from phasenet_keras.types import ConfigError

__all__ = ["fitting_names", "names_in", "own_names", "read_names", "shots_of_files"]


def read_names(names: str | None) -> re.Pattern[str] | None:
    """Compile a pattern of names; see `read_gather_picks`.

    Raises:
        ConfigError: if it is no regular expression, or has neither of the two groups.

    Example:
        >>> pattern = read_names(r"time_(?P<shot>[0-9]+)_(?P<receiver>[0-9]+)_")
        >>> pattern.search("Uz_time_01_42_.npz").groupdict()
        {'shot': '01', 'receiver': '42'}
    """
    if names is None:
        return None
    try:
        pattern = re.compile(names)
    except re.error as error:
        raise ConfigError(f"names is a regular expression, received {names!r}: {error}") from error
    if not {"shot", "receiver"} & set(pattern.groupindex):
        raise ConfigError(
            f"names has groups (?P<shot>…) and (?P<receiver>…), one or both, received {names!r}"
        )
    return pattern


def fitting_names(texts: Iterable[str]) -> str:
    r"""Return a pattern of names, see `read_names`, that reads all of some names.

    It tells them apart by two numbers that follow one another; without such there is an example.

    Example:
        >>> fitting_names(["Uz_time_01_02_", "Uz_time_01_13_"])
        '_(?P<shot>\\d+)_(?P<receiver>\\d+)_'
        >>> fitting_names(["XX.A..HH"])
        '(?P<shot>\\d+)-(?P<receiver>\\d+)'
    """
    shot, receiver = r"(?P<shot>\d+)", r"(?P<receiver>\d+)"
    names = sorted(set(texts))
    first = names[0] if names else ""
    for (a, b), (c, d) in pairwise(match.span() for match in re.finditer(r"\d+", first)):
        before, between, after = map(re.escape, (first[a - 1 : a], first[b:c], first[d : d + 1]))
        pattern = f"{before}{shot}{between}{receiver}{after}"
        found = [match.groups() for name in names if (match := re.search(pattern, name))]
        if len(set(found)) == len(names):
            return pattern
    return f"{shot}-{receiver}"


def names_in(texts: Iterable[str], pattern: re.Pattern[str] | None) -> dict[str, str]:
    """Return the shot and the receiver, or the one, that a pattern finds in the first of texts.

    Example:
        >>> names_in(["x", "line_3"], read_names("_(?P<shot>[0-9]+)"))
        {'shot': '3'}
    """
    matches = (pattern.search(text) for text in texts) if pattern else ()
    found = next(filter(None, matches), None)
    return {k: v for k, v in found.groupdict().items() if v} if found else {}


def own_names(file: str, station: str, geometry: Geometry | None) -> tuple[str, str] | None:
    """Return file and trace number that a station is called after, as readers of gathers do.

    Of a file of several shots the first has the shot's number at its end.

    Args:
        file: its name, with or without an ending.
        station: of the record.
        geometry: that says where receivers of such numbers are; None: the numbers may be no places
            in a line. A receiver of the station's very name in it counts first.

    Example:
        >>> geometry = Geometry(receivers={"3": (6.0, 0.0, 0.0)})
        >>> own_names("shot_007.sgy", "shot_007-0003", geometry)
        ('shot_007', '3')
        >>> own_names("line.sgy", "line-0007-0003", geometry)
        ('line-0007', '3')
    """
    if geometry is None:
        return None
    stems = "|".join(map(re.escape, (file, Path(file).stem)))
    match = re.fullmatch(rf"((?:{stems})(?:-\d+)?)-(\d+)", station) if file else None
    if match is None or geometry.receiver_names([station]) != [None]:
        return None
    return match[1], name_key(match[2])


def shots_of_files(stems: Iterable[str], geometry: Geometry | None) -> dict[str, str]:
    """Return the shot that each file of a gather is of.

    It is called as the file where the geometry knows one of these names, else as the last number
    in it, as in tables of labels; as the file, too, where two files have that number. A file of
    several shots is here by the names of these, see `own_names`.

    Example:
        >>> shots_of_files(["shot_007", "shot_012"], Geometry())
        {'shot_007': '7', 'shot_012': '12'}
    """
    stems = sorted(set(stems))
    numbers = {stem: name_key([stem, *re.findall(r"\d+", stem)][-1]) for stem in stems}
    known = geometry.sources if geometry else {}
    if any(name_key(stem) in known for stem in stems) or len({*numbers.values()}) < len(stems):
        return {stem: name_key(stem) for stem in stems}
    return numbers
