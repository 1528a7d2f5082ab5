"""Which files belong together: paths given by a person, grouped by the stations in them."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Collection, Hashable, Iterable, Sequence, Set
from fnmatch import fnmatchcase
from glob import glob
from os import PathLike
from pathlib import Path
from typing import Any

from phasenet_keras.io.channel_files import said_of_lone_channels
from phasenet_keras.io.channels import is_pressure
from phasenet_keras.io.instruments import Heard
from phasenet_keras.io.pressure import heard_of, station_of
from phasenet_keras.io.registry import headers_of, say
from phasenet_keras.types import ConfigError

__all__ = [
    "Paths",
    "as_list",
    "check_path",
    "expand_paths",
    "group_by_station",
    "is_folder_name",
    "natural_key",
    "tie_together",
]

Paths = str | PathLike[str] | Iterable[str | PathLike[str]]

# What to do with what is in memory where a file is wanted.
_TRACES = (
    ": write it to one (.write('in/all.mseed', format='MSEED')), or give read_waveforms' records "
    "of it, each as a LabelledWaveform with its arrivals, to write_dataset"
)
IN_MEMORY = {
    "Stream": _TRACES,
    "Trace": _TRACES,
    "DataFrame": ": write it to one (.to_csv('labels.csv', index=False))",
}
# Two stars that stand for folders at any depth.
_RECURSIVE = re.compile(r"(?:^|(?<=/))\*\*(?:/|$)")


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


def expand_paths(sources: Paths, without: Iterable[Path] = ()) -> list[Path]:
    """Resolve files, folders and patterns, without repeats.

    Of a folder, named or matched by a pattern, all files below are taken, also behind links, but
    those of hidden folders not. A hidden file is taken if it is a waveform without a network code,
    whose name begins with that and its station (``.RJOB..EHZ.sac``). A file that is met under two
    names, or is a link to another, is taken once, by its first name. A name that is none of these,
    and a folder without files, is kept, so that reading it says what is wrong.

    Args:
        sources: files, folders and patterns, or one of them.
        without: files and folders that are taken only where they are named themselves.

    Raises:
        ConfigError: for an empty name, which would stand for the working folder, and for what is
            no name.
    """
    paths: dict[str, Path] = {}
    left_out = {os.path.realpath(path) for path in without}
    for source in as_list(sources):
        named, found = check_path(source), dict[str, Path]()
        for path in _found(named, str(source)):
            real = os.path.realpath(path)
            if path == named or not _is_below(real, left_out):
                found.setdefault(real, path)
        for real, path in (found or {os.path.realpath(named): named}).items():
            paths.setdefault(real, path)
    return list(paths.values())


def as_list(given: Any) -> list[Any]:
    """Return what was given as a list: one name, and not its letters, of which "/" is all there is.

    Example:
        >>> as_list("in/"), as_list(("a", "b")), as_list(3)
        (['in/'], ['a', 'b'], [3])
    """
    is_one = isinstance(given, str | bytes | PathLike) or not isinstance(given, Iterable)
    is_one |= type(given).__name__ == "DataFrame"  # and not the names of its columns
    return [given] if is_one else list(given)


def check_path(given: Any, what: str = "a file, a folder or a pattern ('in/*.sac')") -> Path:
    """Return a name as a path.

    Args:
        given: what should be a name.
        what: it names, for the error.

    Raises:
        ConfigError: for what is no name, one that no disk takes (too long, a NUL), and an empty
            one, which would stand for the working folder.

    Example:
        >>> check_path(["a", "b"], "a folder")
        Traceback (most recent call last):
        ...
        phasenet_keras.types.ConfigError: a text or a Path names a folder, received list
    """
    if not isinstance(given, str | PathLike):
        kind = type(given).__name__
        raise ConfigError(
            f"a text or a Path names {what}, received {kind}{IN_MEMORY.get(kind, '')}"
        )
    if not str(given):
        raise ConfigError("a file name is empty; '.' names the working folder")
    path = Path(given)
    if os.path.lexists(path):
        return path
    for name in (str(path), *path.parts):  # each part, for the first folder may not be there yet
        try:
            os.lstat(name)
        except ValueError as error:
            raise ConfigError(f"{str(path)!r} cannot be the name of {what}: {error}") from error
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                said = f"a name of {len(os.fsencode(name))} bytes is too long for {what}"
                raise ConfigError(f"{said}: {name[:60]}…") from error
    return path


def is_folder_name(given: str | PathLike[str]) -> bool:
    """Tell if a name is a folder's: one that is there, or by its last sign, which a `Path` forgets.

    Example:
        >>> is_folder_name("scores.json/"), is_folder_name("scores.json")
        (True, False)
    """
    return os.fspath(given).endswith(("/", os.sep)) or Path(given).is_dir()


def _is_below(real: str, folders: Collection[str]) -> bool:
    """Tell if a path is one of these, or in one of them."""
    return bool(folders) and any(str(p) in folders for p in (Path(real), *Path(real).parents))


def _found(path: Path, pattern: str) -> list[Path]:
    if path.is_dir():
        return _files_below(path) or [path]
    if path.exists():
        return [path]
    recursive = _RECURSIVE.search(pattern)
    if recursive and not _RECURSIVE.search(pattern, recursive.end()):
        base, tail = pattern[: recursive.start()], pattern[recursive.end() :].lstrip("/")
        return _files_at_any_depth(base or ".", tail) or [path]
    # Not Path.glob: a pattern may be absolute.
    matches = [Path(item) for item in sorted(glob(pattern, recursive=True))]  # noqa: PTH207
    matches += _hidden_files(pattern)
    files = [file for item in matches for file in (_files_below(item) if item.is_dir() else [item])]
    return sorted(set(files), key=str) or matches or [path]


def _hidden_files(pattern: str) -> list[Path]:
    """Return the hidden files that a pattern matches and `_is_taken`; `glob` gives none."""
    head, tail = os.path.split(pattern)
    folders = glob(head, recursive=True) if head else ["."]  # noqa: PTH207
    return [
        path
        for folder in map(Path, folders)
        for path in (folder.iterdir() if folder.is_dir() else ())
        if path.name.startswith(".") and fnmatchcase(path.name, tail) and _is_taken(path)
    ]


def _files_at_any_depth(base: str, tail: str) -> list[Path]:
    """Return what ``base/**/tail`` matches; `glob` would go round circles of links for ever."""
    files: list[Path] = []
    for folder in map(Path, sorted(glob(base))):  # noqa: PTH207
        for file in _files_below(folder) if folder.is_dir() else ():
            inside = file.relative_to(folder)
            if not tail or any(part.match(tail) for part in (inside, *inside.parents[:-1])):
                files.append(file)
    return files


def _files_below(folder: Path) -> list[Path]:
    """Return the files of a folder and of those in it; each folder once, whatever links to it."""
    files: list[Path] = []
    seen = {_identity(folder)}
    for name, folders, inside in os.walk(folder, followlinks=True):
        here, shown = Path(name), sorted(item for item in folders if not item.startswith("."))
        folders.clear()
        for item in shown:
            identity = _identity(here / item)
            if identity not in seen:
                seen.add(identity)
                folders.append(item)
        files += [here / item for item in inside]
    return sorted(file for file in files if file.is_file() and _is_taken(file))


def _is_taken(path: Path) -> bool:
    """Tell if a file is not hidden, or only so because it is named after an empty network code.

    What programs hide are copies on their way, locks and old versions.
    """
    if not path.name.startswith("."):
        return True
    if path.name.startswith(("..", "._")) or "." not in path.name[1:] or not path.is_file():
        return False
    heads = [trace.stats for trace in headers_of(path)]
    stations = {head.station for head in heads if not head.network and head.station}
    return any(path.name.startswith(f".{station}.") for station in stations)


def _identity(folder: Path) -> tuple[int, int]:
    facts = folder.stat()
    return facts.st_dev, facts.st_ino


def group_by_station(paths: Sequence[Path]) -> list[list[Path]]:
    """Group files that share a station, from their headers; order is that of the first files.

    Files of records without a time share none, but for the channels of one. Files that cannot be
    read stand alone: the error comes when they are read for good.

    Warns:
        RecordWarning: for channels without a time whose names do not tell if they are of one.
    """
    if len(paths) < 2:
        return [[path] for path in paths]
    heard = [{heard_of(trace) for trace in headers_of(path)} for path in paths]
    of_all = frozenset[Heard]().union(*heard)
    for text in said_of_lone_channels(of_all):
        say(text)
    # Whether pressure is wanted depends on the station's other instruments.
    with_pressure = {station_of(item) for item in of_all if is_pressure(item.code)}
    keys = [
        {item.key[:2] for item in of_file} | {station_of(item) for item in of_file} & with_pressure
        for of_file in heard
    ]
    return [[paths[number] for number in group] for group in tie_together(keys)]


def tie_together(stations: Sequence[Set[Hashable]]) -> list[list[int]]:
    """Group the numbers of sets that have something in common, directly or through others.

    Example:
        >>> tie_together([{"a"}, {"b"}, {"a", "c"}, {"c"}, set()])
        [[0, 2, 3], [1], [4]]
    """
    leaders = list(range(len(stations)))

    def leader(number: int) -> int:
        while leaders[number] != number:
            leaders[number] = number = leaders[leaders[number]]
        return number

    first: dict[Hashable, int] = {}
    for number, names in enumerate(stations):
        for name in names:
            one, other = sorted((leader(first.setdefault(name, number)), leader(number)))
            leaders[other] = one
    groups: dict[int, list[int]] = {}
    for number in range(len(stations)):
        groups.setdefault(leader(number), []).append(number)
    return list(groups.values())
