"""Options of the verbs that correct picks by moveout: where picks belong, how to correct them."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.types import ConfigError

if TYPE_CHECKING:
    from phasenet_keras.training.correction import CorrectionConfig

__all__ = ["add_gather_options", "pair_of", "read_correction"]


def add_gather_options(verb: argparse.ArgumentParser) -> None:
    """Add what says where picks belong, and how they are corrected."""
    verb.add_argument(
        "--geometry", type=Path, metavar="STATIONS.csv", help="coordinates, see above"
    )
    verb.add_argument(
        "--names",
        metavar="REGEX",
        help="reads shot and receiver from names of files, then of stations, e.g. "
        r"'_(?P<shot>\d+)_(?P<receiver>\d+)_' (default: with --geometry a file of SEG-Y, SU or "
        "SEG-2 is the shot of its name or the last number in it, its traces are receivers 1, 2, …)",
    )
    verb.add_argument(
        "--settings",
        default="default",
        metavar="default|report|FILE",
        help="of the correction: chosen by cross-validation, those of Huynh (2021), or a file's "
        "(default: %(default)s)",
    )
    verb.add_argument(
        "--reciprocity",
        action="store_true",
        help="weigh each pick by how well it agrees with that of the reciprocal path; shot 5 "
        "stands at receiver 5",
    )
    for phase in "PS":
        verb.add_argument(
            f"--{phase.lower()}-bounds",
            type=pair_of,
            metavar="LOW,HIGH",
            help=f"{phase} picks lie between these samples",
        )


def pair_of(text: str) -> tuple[float, float]:
    """Read two numbers with a comma between them.

    Raises:
        ArgumentTypeError: for anything else, or if the first is not the lower one.
    """
    try:
        low, high = (float(item) for item in text.split(","))
    except ValueError:
        low, high = math.inf, -math.inf
    if not low < high:
        raise argparse.ArgumentTypeError(
            f"give a lower and a higher number with a comma between them, received '{text}'"
        )
    return low, high


def read_correction(
    settings: str,
    bounds: Mapping[str, tuple[float, float] | None],
    rate_hz: float | None = None,
    reciprocity: bool = False,
) -> CorrectionConfig:
    """Return the correction by name or from a JSON file, with other bounds (samples) and rate.

    ``reciprocity`` asks for weights by it; the file may, too.

    Raises:
        ConfigError: for an unknown name, an unreadable file or impossible values.
    """
    from phasenet_keras.io.new_files import read_settings
    from phasenet_keras.training.correction import CORRECTIONS, CorrectionConfig

    path = Path(settings)
    looks_like_file = path.suffix.lower() == ".json" or len(path.parts) > 1 or path.exists()
    if settings not in CORRECTIONS and looks_like_file:  # of any name: <(…) is /dev/fd/63
        config = CorrectionConfig.from_dict(read_settings(path))
    else:
        config = CorrectionConfig.from_name(settings)
    phases = dict(config.phases)
    for phase, pair in bounds.items():
        if pair is not None:
            if phase not in phases:
                raise ConfigError(f"bounds of {phase}: the settings have no such phase")
            phases[phase] = replace(phases[phase], earliest=pair[0], latest=pair[1])
    return replace(
        config,
        phases=phases,
        sampling_rate_hz=rate_hz or config.sampling_rate_hz,
        reciprocity=reciprocity or config.reciprocity,
    )
