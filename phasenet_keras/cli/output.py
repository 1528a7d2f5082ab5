"""Where `phasenet-keras pick` puts its picks, and as what."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.cli.common import make_folder, settled_inputs
from phasenet_keras.cli.console import leave_output
from phasenet_keras.io.pick_formats import pick_format_of, pick_formats
from phasenet_keras.types import ConfigError, FormatError

if TYPE_CHECKING:
    from phasenet_keras.cli.report import RunReport
    from phasenet_keras.types import Pick

__all__ = ["add_output_options", "check_output", "parts_beside", "put_out"]


def add_output_options(verb: argparse.ArgumentParser) -> None:
    """Add the options to the verb."""
    formats = pick_formats()
    endings = ", ".join(item.endings[0] for item in formats)
    verb.add_argument(
        "--output",
        type=Path,
        metavar="FILE|DIR",
        help=f"where picks go, the ending says as what: {endings}; a folder gets a file called "
        "picks (default: a CSV table to standard output). Until all is done, parts are kept "
        "beside: the same command again goes on where a run was ended",
    )
    verb.add_argument(
        "--format",
        metavar="NAME",
        help=f"format of the output, whatever its ending: {', '.join(i.name for i in formats)}",
    )
    for phase in ("P", "S"):
        verb.add_argument(
            f"--{phase.lower()}-error-s",
            type=float,
            metavar="SECONDS",
            help=f"standard deviation of {phase} times, e.g. from `evaluate`, for "
            f"{' and '.join(item.name for item in formats if item.holds_time_errors)}",
        )


def check_output(arguments: argparse.Namespace) -> None:
    """Settle what is read and the file that picks go to, before any work; a folder gets ``picks``.

    Raises:
        ConfigError: saying what is wrong.
    """
    from phasenet_keras.io.tables import check_pick_path

    errors_s = _time_errors_s(arguments)
    output = arguments.output
    if output and (output.is_dir() or not (output.suffix or arguments.format)):
        make_folder(output)
        ending = pick_format_of(output, arguments.format or "csv").endings[0]
        arguments.output = output / f"picks{ending}"
    if arguments.output:
        check_pick_path(arguments.output, arguments.format, time_errors_s=errors_s)
        written = (arguments.output, _kept_beside(arguments.output))
        own = parts_beside(arguments.output)
        arguments.files = settled_inputs(arguments.files, written, own)
    elif arguments.format or errors_s:
        raise ConfigError(
            "--format and time errors are for a file: name one with --output; standard output "
            "takes a CSV table"
        )
    elif sys.stdout is None:
        raise ConfigError("standard output is closed: name a file with --output")


def put_out(picks: Iterable[Pick], arguments: argparse.Namespace, report: RunReport) -> None:
    """Write the picks; if their format fails they are kept as a CSV beside.

    Args:
        picks: by time; gone through once more where their format fails.
        arguments: of the verb.
        report: is told what had to be changed.

    Raises:
        FormatError: if they cannot be written, or naming the file that they were kept in.
        BrokenPipeError: if the reader of standard output has gone.
    """
    from phasenet_keras.io.tables import print_picks

    try:
        if arguments.output:
            _write(picks, arguments, report)
        else:
            print_picks(picks, sys.stdout)
            sys.stdout.flush()  # while an error can be said
    except BrokenPipeError:
        raise
    except OSError as error:
        why = f"cannot be written: {error.strerror or error}."
        if not arguments.output:
            leave_output()
            raise FormatError(f"standard output {why} Name a file with --output") from error
        kept = "Make" if arguments.plot else "Finished parts are kept: make"
        raise FormatError(
            f"{arguments.output} {why} {kept} room and give the same command again"
        ) from error


def _write(picks: Iterable[Pick], arguments: argparse.Namespace, report: RunReport) -> None:
    from phasenet_keras.io.registry import noted
    from phasenet_keras.io.tables import write_picks
    from phasenet_keras.picking.files import FileReport

    path = arguments.output
    with noted() as texts:
        try:
            errors_s = _time_errors_s(arguments)
            write_picks(picks, path, arguments.format, time_errors_s=errors_s, are_ordered=True)
        except OSError:  # the disk: a second file would fare no better
            raise
        except Exception as error:  # whatever a library raises must not cost the picks
            kept = _kept_beside(path)
            write_picks(picks, kept, "csv", are_ordered=True)
            raise FormatError(
                f"{path} could not be written: {error}. The picks are in {kept}"
            ) from error
    for text in texts:
        report.take(FileReport(path, f"{path}: {text}", failed=False))


def parts_beside(path: Path) -> Path:
    """Return the folder of a run's parts."""
    return path.with_name(f"{path.name}.parts")


def _kept_beside(path: Path) -> Path:
    """Return where picks go if their format fails."""
    return path.with_name(f"{path.name}.csv")


def _time_errors_s(arguments: argparse.Namespace) -> dict[str, float]:
    given = {"P": arguments.p_error_s, "S": arguments.s_error_s}
    return {phase: value for phase, value in given.items() if value is not None}
