"""`phasenet-keras`: argument parsing only; each verb hands over to the library."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.cli_common import (
    EXIT_CODES,
    EXIT_INTERRUPTED,
    EXIT_NOTHING_DONE,
    EXIT_SOME_FAILED,
    leave_output,
    load_picker,
    open_console,
    refuse_empty,
    say,
    selection_of,
    settle_inputs,
    settle_preset,
    stop_when_asked,
    until_asked,
)
from phasenet_keras.cli_compare import add_compare
from phasenet_keras.cli_correct import add_correct
from phasenet_keras.cli_dataset import add_prepare
from phasenet_keras.cli_demo import add_demo
from phasenet_keras.cli_options import (
    HelpText,
    add_record_options,
    add_selection_options,
    join_empty_location,
)
from phasenet_keras.cli_pick import add_pick
from phasenet_keras.cli_scores import add_evaluate
from phasenet_keras.cli_selftrain import add_selftrain
from phasenet_keras.cli_training import add_train
from phasenet_keras.quiet import quiet_start
from phasenet_keras.types import PhaseNetKerasError

if TYPE_CHECKING:
    from phasenet_keras.picking.files import FileReport, Progress, StationResult
    from phasenet_keras.report import RunReport
    from phasenet_keras.types import Annotation

__all__ = ["main"]

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
    arguments = _parser().parse_args(join_empty_location(sys.argv[1:] if argv is None else argv))
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
        print(f"phasenet-keras: error: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_NOTHING_DONE
    except KeyboardInterrupt:
        print("phasenet-keras: interrupted", file=sys.stderr)  # noqa: T201
        return EXIT_INTERRUPTED


def _obey_sigterm_as_process_1() -> None:
    """Let SIGTERM end us in a container, where the kernel withholds its default action."""
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda number, frame: os._exit(128 + number))


def _parser() -> argparse.ArgumentParser:
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
    _add_annotate(verbs)
    add_prepare(verbs)
    add_train(verbs)
    add_evaluate(verbs)
    add_compare(verbs)
    add_correct(verbs)
    add_selftrain(verbs)
    _add_presets(verbs)
    _add_convert(verbs)
    for verb in verbs.choices.values():
        verb.formatter_class = HelpText
    return parser


def _add_annotate(verbs: argparse._SubParsersAction) -> None:
    verb = verbs.add_parser(
        "annotate",
        help="write the probabilities of every sample",
        description="Write the probabilities of every sample, as miniSEED (channels PRN, PRP, "
        "PRS) or npz. Files that share a station are held together, 0.6 GB for each day of three "
        "channels at 100 Hz: take archives of many days piece by piece with --start and --end.",
        epilog=EXIT_CODES,
    )
    add_record_options(verb)
    add_selection_options(verb)
    verb.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="PATH",
        help="a .mseed file for all, a .npz file for one record, or a folder of npz files",
    )
    verb.set_defaults(run=_run_annotate)


def _add_presets(verbs: argparse._SubParsersAction) -> None:
    verb = verbs.add_parser(
        "presets",
        help="list presets",
        description="List the presets that can be named, and which of them need no download.",
    )
    verb.add_argument(
        "--check", metavar="NAME|DIR", help="load one and compare with its golden output"
    )
    verb.set_defaults(run=_run_presets)


def _add_convert(verbs: argparse._SubParsersAction) -> None:
    verb = verbs.add_parser(
        "convert",
        help="turn foreign weights into a preset",
        description="Turn an official TensorFlow 1 checkpoint, or a Keras 2 H5 file of the earlier "
        "Keras port, into a preset folder.",
    )
    verb.add_argument("weights", type=Path, metavar="WEIGHTS", help="model.h5, or a checkpoint")
    verb.add_argument("output", type=Path, metavar="DIR", help="preset folder to write")
    verb.add_argument(
        "--sampling-rate-hz", type=float, required=True, metavar="HZ", help="of the training data"
    )
    verb.add_argument(
        "--window", type=int, required=True, metavar="SAMPLES", help="of the training windows"
    )
    verb.add_argument("--channels", metavar="ENZ", help="in order (default: ENZ, or Z for one)")
    verb.add_argument("--phases", default="NPS", help="in order (default: %(default)s)")
    verb.add_argument("--name", help="of the preset (default: the folder's)")
    verb.add_argument("--license", default="not stated", help="of the weights")
    verb.add_argument(
        "--rebalance",
        action="store_true",
        help="scale kernels to one rms for training; the function stays the same",
    )
    verb.add_argument(
        "--overwrite", action="store_true", help="take the place of the preset in DIR"
    )
    verb.set_defaults(run=_run_convert)


def _run_annotate(arguments: argparse.Namespace) -> int:
    from phasenet_keras.io.annotations import check_annotation_path, files_at, write_annotations
    from phasenet_keras.io.registry import noted
    from phasenet_keras.picking.files import FileReport, pick_files
    from phasenet_keras.report import RunReport, exit_status

    selection, named = selection_of(arguments), list(arguments.files)
    check_annotation_path(arguments.output)
    settle_inputs(arguments, files_at(arguments.output))
    settle_preset(arguments, selection)
    picker = load_picker(arguments)
    report = RunReport(open_console(False), list(picker.thresholds), named)
    errors: list[BaseException] = []
    with report.bar(), stop_when_asked() as stop:
        events = until_asked(stop, pick_files(picker, arguments.files, selection))
        annotations = _annotations(events, report, errors)
        first = next(annotations, None)
        if first is not None:
            with noted() as texts:
                write_annotations(chain([first], annotations), arguments.output)
            for text in dict.fromkeys(texts):
                report.take(FileReport(arguments.output, text, failed=True))
    if errors:
        raise errors[0]
    refuse_empty(report, selection)
    report.print()
    return EXIT_INTERRUPTED if stop else exit_status(report)


def _annotations(
    events: Iterable[StationResult | FileReport | Progress],
    report: RunReport,
    errors: list[BaseException],
) -> Iterator[Annotation]:
    """Yield the annotations of a run as they come; what ends it is kept, so that they are, too."""
    from phasenet_keras.picking.files import StationResult

    try:
        for event in events:
            report.take(event)
            if isinstance(event, StationResult):
                yield from (record.annotation for record in event.records if record.annotation)
    except (Exception, KeyboardInterrupt) as error:  # whatever happens
        errors.append(error)


def _run_presets(arguments: argparse.Namespace) -> int:
    from phasenet_keras.models.presets import list_presets, preset_place, read_preset
    from phasenet_keras.report import preset_table

    console = open_console(False)
    if arguments.check:
        with quiet_start():
            from phasenet_keras.models.presets import check_preset

            difference = check_preset(arguments.check)
        text = f"{arguments.check}: golden output reproduced within {difference:.1g}"
        say(console, text)
        return 0
    found, damaged = [], []
    for folder in list_presets().values():
        try:
            found.append((read_preset(folder), preset_place(folder)))
        except PhaseNetKerasError as error:
            damaged.append(str(error))
    console.print(preset_table(found))
    for preset, _ in found:
        say(console, f"{preset.name}: {preset.description}")
    for text in damaged:
        say(console, text, "[bold red]failed[/]")
    return EXIT_SOME_FAILED if damaged else 0


def _run_convert(arguments: argparse.Namespace) -> int:
    with quiet_start():
        from phasenet_keras.models.convert import convert_preset

        preset = convert_preset(
            arguments.weights,
            arguments.output,
            sampling_rate=arguments.sampling_rate_hz,
            window_samples=arguments.window,
            channels=arguments.channels,
            phases=tuple(arguments.phases),
            name=arguments.name,
            rebalance=arguments.rebalance,
            overwrite=arguments.overwrite,
            license=arguments.license,
        )
    channels = ",".join(preset.config.channels)
    say(
        open_console(False),
        f"preset '{preset.name}' written to {arguments.output}: channels {channels}, "
        f"{preset.sampling_rate:g} Hz, window {preset.window_samples}",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
