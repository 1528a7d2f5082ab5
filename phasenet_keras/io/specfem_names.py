"""File names of SPECFEM's seismograms: ``AA.S0001.BXZ.semd``, perhaps with a prefix."""

from __future__ import annotations

import re

__all__ = ["specfem_codes"]

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
