"""Which shot and which receiver the names of files and stations of gathers stand for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

from phasenet_keras.io.geometry import Geometry
from phasenet_keras.io.registry import say
from phasenet_keras.io.text_tables import name_key
from phasenet_keras.io.wording import some
from phasenet_keras.types import ConfigError

__all__ = [
    "OwnNames",
    "fitting_names",
    "names_in",
    "own_names",
    "own_names_of_record",
    "read_names",
    "shots_of_gathers",
]


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


def fitting_names(names: Iterable[Sequence[str]]) -> str:
    r"""Return a pattern of names, see `read_names`, that reads shot and receiver of all.

    It tells them apart by two numbers that follow one another; without such there is an example.

    Args:
        names: of the file and the station of each, as a pattern is searched in them.

    Example:
        >>> fitting_names([["Uz_time_01_02_"], ["Uz_time_01_13_"]])
        '_(?P<shot>\\d+)_(?P<receiver>\\d+)_'
        >>> fitting_names([("day_2024_03", "S_1_7"), ("day_2024_04", "S_1_8")])
        'S_(?P<shot>\\d+)_(?P<receiver>\\d+)'
        >>> fitting_names([["XX.A..HH"]])
        '(?P<shot>\\d+)-(?P<receiver>\\d+)'
    """
    shot, receiver = r"(?P<shot>\d+)", r"(?P<receiver>\d+)"
    rows = sorted({tuple(row) for row in names})
    texts = rows[0] if rows else ()
    for place in reversed(range(len(texts))):  # the station is in the name of a file, too
        for match in re.finditer(r"(\D*)\d+(?=(\D+)\d+(\D?))", texts[place]):
            before, between, after = map(re.escape, match.groups())
            for near in (re.escape(match[1][-1:]), before):
                pattern = re.compile(f"{near}{shot}{between}{receiver}{after}")
                found = [names_in(row, pattern) for row in rows]
                are_own = found == [names_in(row[place : place + 1], pattern) for row in rows]
                if are_own and all(found) and len({*map(str, found)}) == len(rows):
                    return pattern.pattern
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


class OwnNames(NamedTuple):
    """What a station of a gather's file is called after.

    Attributes:
        gather: the file, with the folders that its name is given with, and the shot where it holds
            several.
        shot: by the headers of such a file; empty where all is of one.
        trace: its number.
    """

    gather: str
    shot: str
    trace: str


def own_names(file: str, station: str, geometry: Geometry | None) -> OwnNames | None:
    """Return the file, shot and trace number that a station is called after, as readers do.

    Args:
        file: its name, with or without an ending.
        station: of the record.
        geometry: that says where receivers of such numbers are; None: the numbers may be no places
            in a line. A receiver of the station's very name in it counts first.

    Example:
        >>> geometry = Geometry(receivers={"3": (6.0, 0.0, 0.0)})
        >>> own_names("shot_007.sgy", "shot_007-0003", geometry)
        OwnNames(gather='shot_007', shot='', trace='3')
        >>> own_names("line.sgy", "line-0007-0003", geometry)
        OwnNames(gather='line-0007', shot='7', trace='3')
        >>> own_names("shot_7/line.sgy", "line-0003", geometry).gather
        'shot_7/line'
    """
    if geometry is None:
        return None
    stems = "|".join(map(re.escape, (Path(file).name, Path(file).stem)))
    match = re.fullmatch(rf"((?:{stems})(?:-(\d+))?)-(\d+)", station) if file else None
    if match is None or geometry.receiver_names([station]) != [None]:
        return None
    return OwnNames(str(Path(file).parent / match[1]), name_key(match[2] or ""), name_key(match[3]))


def own_names_of_record(station: str, geometry: Geometry | None) -> OwnNames | None:
    """Return what `own_names` does where it is not known any more what file a record is from.

    Example:
        >>> own_names_of_record("line-0007-0003", Geometry(receivers={"3": (6.0, 0.0, 0.0)}))
        OwnNames(gather='line-0007', shot='7', trace='3')
    """
    match = re.fullmatch(r"(.+?)(?:-\d{4,})?-\d{4,}", station)
    return own_names(match[1], station, geometry) if match else None


def shots_of_gathers(gathers: Mapping[str, str], geometry: Geometry | None) -> dict[str, str]:
    """Return the shot that each gather is of.

    It is the gather's name where the geometry knows that, and where two gathers have one number;
    else the number by its headers, or the last one in the name of its file, as in tables of labels;
    with that of its folder, where files of several folders have one name.
    That one is a guess: it does not count for any file where it is not a shot of its own, or the
    geometry knows one of the files by its name.

    Args:
        gathers: the shot by the headers of each gather's traces, see `OwnNames`; empty where
            only the name of its file says it.
        geometry: whose shots have these names or numbers.

    Warns:
        RecordWarning: if two gathers have one number, and the geometry knows only that.

    Example:
        >>> shots_of_gathers({"shot_007": "", "shot_012": ""}, Geometry())
        {'shot_007': '7', 'shot_012': '12'}
        >>> shots_of_gathers({"a-0007": "7", "b-0007": "7", "b-0008": "8"}, Geometry())
        {'a-0007': 'a-0007', 'b-0007': 'b-0007', 'b-0008': '8'}
    """
    numbers = {
        name: name_key(shot or [name, *re.findall(r"\d+", "/".join(Path(name).parts[-2:]))][-1])
        for name, shot in sorted(gathers.items())
    }
    of_number: dict[str, list[str]] = {}
    for name, number in numbers.items():
        of_number.setdefault(number, []).append(name)
    known = geometry.sources if geometry else {}
    named = {name for name in numbers if name_key(name) in known}
    shared = {name for names in of_number.values() for name in names if len(names) > 1}
    of_files = {name for name, shot in gathers.items() if not shot}
    by_name = named | shared | (of_files if of_files & (named | shared) else set())
    if geometry is not None and not geometry.start_times:
        _say_shared({n: names for n, names in of_number.items() if n in known}, named)
    return {name: name_key(name) if name in by_name else n for name, n in numbers.items()}


def _say_shared(of_number: Mapping[str, Sequence[str]], named: AbstractSet[str]) -> None:
    for number, names in of_number.items():
        if len(names) > 1 and not named & {*names}:
            say(
                f"shot {number} of the geometry may be any of {some(names)}, and is taken for "
                "none: call them so in the geometry, or give its shots a start_time"
            )
