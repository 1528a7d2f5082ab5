"""`phasenet-keras presets`."""

from __future__ import annotations

import argparse

from phasenet_keras.cli.common import EXIT_SOME_FAILED, exit_status
from phasenet_keras.cli.console import open_console, say
from phasenet_keras.quiet import quiet_start
from phasenet_keras.types import PhaseNetKerasError

__all__ = ["add_presets"]


def add_presets(verbs: argparse._SubParsersAction) -> None:
    """Add `presets` to the parser."""
    verb = verbs.add_parser(
        "presets",
        help="list presets",
        description="List the presets that can be named, and which of them need no download.",
        epilog=exit_status("some are damaged"),
    )
    verb.add_argument(
        "--check", metavar="NAME|DIR", help="load one and compare with its golden output"
    )
    verb.set_defaults(run=_run_presets)


def _run_presets(arguments: argparse.Namespace) -> int:
    from phasenet_keras.cli.report import preset_table
    from phasenet_keras.models.preset_places import list_presets
    from phasenet_keras.models.presets import preset_place, read_preset

    console = open_console(False)
    if arguments.check:
        with quiet_start():
            from phasenet_keras.models.presets import check_preset

            difference = check_preset(arguments.check)
        text = f"{arguments.check}: golden output reproduced within {difference:.1g}"
        say(console, text)
        return 0
    found, damaged = [], []
    for name, folder in list_presets().items():
        try:
            found.append((name, read_preset(folder), preset_place(folder)))
        except PhaseNetKerasError as error:
            damaged.append(str(error))
    console.print(preset_table(found))
    for name, preset, _ in found:
        say(console, f"{name}: {preset.description}")
    for text in damaged:
        say(console, text, "[bold red]failed[/]")
    return EXIT_SOME_FAILED if damaged else 0
