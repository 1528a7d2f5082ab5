"""`phasenet-keras`: the parser of all verbs, and what becomes of errors."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Sequence

from phasenet_keras.cli.annotate import add_annotate
from phasenet_keras.cli.common import EXIT_CODES, EXIT_INTERRUPTED, EXIT_NOTHING_DONE
from phasenet_keras.cli.compare import add_compare
from phasenet_keras.cli.console import leave_output, said_of_error
from phasenet_keras.cli.convert import add_convert
from phasenet_keras.cli.correct import add_correct
from phasenet_keras.cli.dataset import add_prepare
from phasenet_keras.cli.demo import add_demo
from phasenet_keras.cli.options import HelpText, join_empty_location
from phasenet_keras.cli.pick import add_pick
from phasenet_keras.cli.presets import add_presets
from phasenet_keras.cli.scores import add_evaluate
from phasenet_keras.cli.selftrain import add_selftrain
from phasenet_keras.cli.training import add_train
from phasenet_keras.types import PhaseNetKerasError

__all__ = ["build_parser", "main"]

DESCRIPTION = """\
P and S arrivals with PhaseNet in Keras: pick records, adapt weights to one or two channels,
fine-tune on labelled records of your own, and see if it helped.

  phasenet-keras demo
  phasenet-keras pick day.mseed records/*.npz --output picks.csv --plot figures/
  phasenet-keras prepare line/ --labels labels.csv --output lines/
  phasenet-keras train lines/ --channels Z --output run/
  phasenet-keras pick new/*.txt --preset run/ --output picks.csv
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    _obey_sigterm_as_process_1()
    arguments = build_parser().parse_args(
        join_empty_location(sys.argv[1:] if argv is None else argv)
    )
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # file names may hold bytes that are no text
            stream.reconfigure(errors="backslashreplace")
    try:
        return arguments.run(arguments)
    except BrokenPipeError:
        # The reader of our output has gone, e.g. `| head`: nothing is wrong.
        leave_output()
        return 0
    except (PhaseNetKerasError, OSError) as error:
        print(f"phasenet-keras: error: {said_of_error(error)}", file=sys.stderr)  # noqa: T201
        return EXIT_NOTHING_DONE
    except KeyboardInterrupt:
        print("phasenet-keras: interrupted", file=sys.stderr)  # noqa: T201
        return EXIT_INTERRUPTED


def _obey_sigterm_as_process_1() -> None:
    """Let SIGTERM end us in a container, where the kernel withholds its default action."""
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda number, frame: os._exit(128 + number))


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all verbs; what it parses has the verb's ``run``."""
    from phasenet_keras import __version__

    parser = argparse.ArgumentParser(
        prog="phasenet-keras",
        description=DESCRIPTION,
        epilog=EXIT_CODES,
        formatter_class=HelpText,
    )
    parser.add_argument("--version", action="version", version=__version__)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    add_demo(verbs)
    add_pick(verbs)
    add_annotate(verbs)
    add_prepare(verbs)
    add_train(verbs)
    add_evaluate(verbs)
    add_compare(verbs)
    add_correct(verbs)
    add_selftrain(verbs)
    add_presets(verbs)
    add_convert(verbs)
    for verb in verbs.choices.values():
        verb.formatter_class = HelpText
    return parser
