"""What several verbs of the command line share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from phasenet_keras.quiet import quiet_start

if TYPE_CHECKING:
    from rich.console import Console

    from phasenet_keras.picking.picker import Picker

__all__ = ["EXIT_NOTHING_DONE", "load_picker", "open_console"]

EXIT_NOTHING_DONE = 2


def load_picker(arguments: argparse.Namespace, **options: Any) -> Picker:
    """Load the preset that the arguments name, as a picker."""
    with quiet_start():
        from phasenet_keras.models.phasenet import PhaseNet
        from phasenet_keras.picking.picker import Picker

        net = PhaseNet.from_preset(arguments.preset, channels=arguments.channels)
        return Picker(net, sampling=arguments.sampling, **options)


def open_console(output_is_stdout: bool) -> Console:
    """Return where people read: standard error where standard output takes the result."""
    from rich.console import Console

    return Console(stderr=output_is_stdout)
