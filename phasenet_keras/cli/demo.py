"""`phasenet-keras demo`: argument parsing, and what it says."""

from __future__ import annotations

import argparse
from pathlib import Path

from phasenet_keras.cli.common import exit_status, make_folder
from phasenet_keras.cli.console import open_console, say
from phasenet_keras.quiet import quiet_start

__all__ = ["add_demo"]

DESCRIPTION = """\
Pick two examples that come with the program: ObsPy's record of an earthquake, with the preset
`regional`, and a simulated geophone line at 2 kHz, with `near-surface`. Needs no network.
"""


def add_demo(verbs: argparse._SubParsersAction) -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "demo",
        help="pick two examples and draw them",
        description=DESCRIPTION,
        epilog=exit_status(),
    )
    verb.add_argument(
        "--output",
        type=Path,
        default=Path("demo"),
        metavar="DIR",
        help="folder of picks and figures (default: %(default)s)",
    )
    verb.set_defaults(run=_run_demo)


def _run_demo(arguments: argparse.Namespace) -> int:
    make_folder(arguments.output)
    with quiet_start():
        from phasenet_keras.demo import pick_line, pick_record

        record = pick_record(arguments.output)
        line = pick_line(arguments.output)
    console = open_console(False)
    for text in (*record, "", *line, "", "On records of your own:"):
        say(console, text)
    say(console, "  phasenet-keras pick FILES --output picks.csv --plot figures/")
    return 0
