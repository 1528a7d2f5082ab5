"""File formats of picks: what can be written, how it is named, who writes it.

A format turns picks into one file. New formats register themselves here; the format of a file is
given by name or found by the ending of its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from phasenet_keras.types import ConfigError, Pick, nearest_name

__all__ = ["PickFormat", "pick_format_of", "pick_formats", "register_pick_format"]


@dataclass(frozen=True)
class PickFormat:
    """One format.

    Attributes:
        name: as it is given to ``--format``.
        endings: of file names, the usual one first; of two that fit, the longer one counts.
        content: what a file holds and who reads it, one line for the documentation.
        write: told the picks by time, to go through once, since there may be more than memory
            holds; the path; and standard deviations in seconds by phase (none where not known).
        read: the picks of a file, where all of a pick can be read back.
        holds_time_errors: it has a place for standard deviations.
        check: raises `ConfigError` if an optional package is missing that it needs.
    """

    name: str
    endings: tuple[str, ...]
    content: str
    write: Callable[[Iterable[Pick], Path, Mapping[str, float]], None]
    read: Callable[[Path], list[Pick]] | None = None
    holds_time_errors: bool = False
    check: Callable[[], object] = lambda: None


_FORMATS: dict[str, PickFormat] = {}


def register_pick_format(pick_format: PickFormat) -> PickFormat:
    """Add a format; a later one of the same name takes the place of the earlier."""
    _FORMATS[pick_format.name] = pick_format
    return pick_format


def pick_formats() -> tuple[PickFormat, ...]:
    """Return all formats.

    Example:
        >>> [item.name for item in pick_formats()][:3]
        ['csv', 'parquet', 'quakeml']
    """
    from phasenet_keras.io import (  # noqa: F401 - they register themselves
        markers,
        parquet,
        quakeml,
        station_picks,
        tables,
    )

    first = ("csv", "parquet", "quakeml")
    return tuple(sorted(_FORMATS.values(), key=lambda item: (item.name not in first, item.name)))


def pick_format_of(path: Path, name: str | None = None) -> PickFormat:
    """Return the format of a name, else that of a file's ending.

    Raises:
        ConfigError: for an unknown name or ending; it lists those known and says the nearest.

    Example:
        >>> pick_format_of(Path("day.xml")).name, pick_format_of(Path("day.gamma.csv")).name
        ('quakeml', 'gamma')
    """
    formats = pick_formats()
    if name is not None:
        named = {item.name: item for item in formats}
        if name not in named:
            hint = nearest_name(name.lower(), named)
            raise ConfigError(
                f"picks have no format '{name}'.{hint} Known: {', '.join(named)}. "
                "Register others with register_pick_format"
            )
        return named[name]
    endings = {ending: item for item in formats for ending in item.endings}
    fitting = [ending for ending in endings if path.name.lower().endswith(ending)]
    if not fitting:
        hint = nearest_name(path.suffix.lower(), endings)
        raise ConfigError(
            f"picks are written as {', '.join(endings)}, received '{path.name}'.{hint} "
            "A format by name takes any ending"
        )
    return endings[max(fitting, key=len)]
