"""File names of SPECFEM's seismograms: ``AA.S0001.BXZ.semd``, perhaps with a prefix."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

__all__ = ["other_channels", "specfem_codes"]

_NAME = re.compile(r"(?:(.+)\.)?(\w+)\.(\w+)\.(\w{3})\.sem[dvap]")


def specfem_codes(name: str) -> tuple[str, str, str] | None:
    """Return network, station and channel; None for a name of another kind.

    What comes before, such as the model and the shot, is a part of the station, so that equal
    stations of two runs stay two.

    Example:
        >>> specfem_codes("AA.S0001.BXZ.semd"), specfem_codes("m0s1.AA.S0001.BXZ.semd")
        (('AA', 'S0001', 'BXZ'), ('AA', 'm0s1_S0001', 'BXZ'))
    """
    match = _NAME.fullmatch(name)
    if not match:
        return None
    prefix, network, station, channel = match.groups()
    return network, f"{prefix.replace('.', '_')}_{station}" if prefix else station, channel


def other_channels(paths: Sequence[Path], named: Collection[str]) -> dict[Path, list[Path]]:
    """Return the seismograms beside each named one that are its station's, and not named too.

    Args:
        paths: of all files.
        named: names of files, with or without their ending.

    Example:
        >>> paths = [Path(f"AA.S1.BX{letter}.semd") for letter in "XZ"]
        >>> other_channels(paths, {"AA.S1.BXZ.semd"})
        {PosixPath('AA.S1.BXZ.semd'): [PosixPath('AA.S1.BXX.semd')]}
    """
    leading: dict[tuple[object, ...], list[Path]] = {}
    others: dict[tuple[object, ...], list[Path]] = {}
    for path in paths:
        codes = specfem_codes(path.name)
        if codes:
            is_named = path.name in named or path.stem in named
            key = (path.parent, codes[:2], path.suffix)
            (leading if is_named else others).setdefault(key, []).append(path)
    return {found[0]: others[key] for key, found in leading.items() if key in others}
