"""Files of one record, a channel each: their names differ in the component, their headers agree."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from phasenet_keras.io.instruments import station_id
from phasenet_keras.io.registry import read_stream
from phasenet_keras.types import FormatError

__all__ = ["ChannelFiles", "channel_files"]

# A channel's code at the end of a file's name, before the ending: BHZ, HH1 or Z.
CHANNEL_IN_NAME = re.compile(
    r"(?P<common>.+)[._-](?P<band>[a-z]{2})?(?P<component>(?(band)[enzrtuvxy123]|[enzrtuvxy]))"
    r"(?P<ending>\.[^.]+)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class ChannelFiles:
    """Files whose names differ in the component.

    Attributes:
        names: what they have in common: ``m0.AA.S1`` and ``m0.AA.S1.BX`` of ``m0.AA.S1.BXZ.sac``.
        files: of the channels.
    """

    names: frozenset[str]
    files: tuple[Path, ...]

    @property
    def all_names(self) -> set[str]:
        """What a table may call them: what they have in common, or one file, without its ending."""
        return {*self.names, *(name for path in self.files for name in (path.name, path.stem))}

    def are_one_record(self) -> bool:
        """Tell by the headers if these are channels of one station that begin and end together."""
        heads, channels = set(), set()
        try:
            with warnings.catch_warnings(action="ignore"):  # reading the samples warns as well
                traces = [(p, t) for p in self.files for t in read_stream(p, headers_only=True)]
        except FormatError:
            return False
        for path, trace in traces:
            stats = trace.stats
            # What is named after its file is a record of its own.
            own = path if stats.get("station_name") else None
            channels.add(stats.channel)
            heads.add((station_id(trace), stats.starttime.ns, stats.npts, stats.delta, own))
        return len(heads) == 1 and len(channels) == len(self.files)


def channel_files(paths: Iterable[Path]) -> list[ChannelFiles]:
    """Return the files that may be channels of one record, by their names.

    Example:
        >>> [found] = channel_files(map(Path, ("q1.A.BHZ.sac", "q1.A.BHN.sac", "q1.A.txt")))
        >>> [path.name for path in found.files], sorted(found.names)
        (['q1.A.BHZ.sac', 'q1.A.BHN.sac'], ['q1.A', 'q1.A.BH'])
    """
    found: dict[tuple[Path, str, str], list[Path]] = {}
    names: dict[tuple[Path, str, str], set[str]] = {}
    for path in paths:
        match = CHANNEL_IN_NAME.fullmatch(path.name)
        if match:
            key = (path.parent, path.name[: match.start("component")], match["ending"] or "")
            found.setdefault(key, []).append(path)
            names[key] = {match["common"], key[1].rstrip("._-")}
    return [
        ChannelFiles(frozenset(names[key]), tuple(files))
        for key, files in found.items()
        if len(files) > 1
    ]
