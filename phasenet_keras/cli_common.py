"""What several verbs of the command line share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phasenet_keras.quiet import quiet_start
from phasenet_keras.types import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from phasenet_keras.picking.picker import Picker

__all__ = [
    "ADAPT_HELP",
    "EXIT_NOTHING_DONE",
    "EXIT_SOME_FAILED",
    "load_picker",
    "make_folder",
    "open_console",
]

EXIT_SOME_FAILED = 1
EXIT_NOTHING_DONE = 2
ADAPT_HELP: dict[str, Any] = {
    "choices": ("select", "sum", "mean"),
    "default": "select",
    "help": "how --channels changes the first kernel: keep the rows of these channels, or give "
    "each channel the sum or the mean of all rows (default: %(default)s)",
}


def load_picker(arguments: argparse.Namespace, **options: Any) -> Picker:
    """Load the preset that the arguments name, as a picker."""
    with quiet_start():
        from phasenet_keras.models.phasenet import PhaseNet
        from phasenet_keras.picking.picker import Picker

        net = PhaseNet.from_preset(
            arguments.preset, channels=arguments.channels, adapt=arguments.adapt
        )
        return Picker(net, sampling=arguments.sampling, **options)


def open_console(output_is_stdout: bool) -> Console:
    """Return where people read: standard error where standard output takes the result."""
    from rich.console import Console

    class GentleConsole(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would end the process

    return GentleConsole(stderr=output_is_stdout)


def make_folder(folder: Path) -> None:
    """Make a folder for results, before any work is done.

    Raises:
        ConfigError: if it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"folder {folder} cannot be made: {error.strerror}") from error
