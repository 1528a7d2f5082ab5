"""`phasenet-keras annotate`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.cli.common import (
    EXIT_CODES,
    concluded,
    load_picker,
    note_unpicked,
    selection_of,
    settle_preset,
    settled_inputs,
    stop_when_asked,
    until_asked,
)
from phasenet_keras.cli.console import open_console
from phasenet_keras.cli.options import add_record_options, add_selection_options

if TYPE_CHECKING:
    from phasenet_keras.cli.report import RunReport
    from phasenet_keras.picking.files import FileReport, Progress, StationResult
    from phasenet_keras.types import Annotation

__all__ = ["add_annotate"]


def add_annotate(verbs: argparse._SubParsersAction) -> None:
    """Add `annotate` to the parser."""
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
        required=True,
        metavar="PATH",
        help="a .mseed file for all, a .npz file for one record, or a folder of npz files",
    )
    verb.set_defaults(run=_run_annotate)


def _run_annotate(arguments: argparse.Namespace) -> int:
    from phasenet_keras.cli.report import RunReport
    from phasenet_keras.io.annotations import check_annotation_path, files_at, write_annotations
    from phasenet_keras.io.registry import noted
    from phasenet_keras.picking.files import FileReport, pick_files

    selection, named = selection_of(arguments), list(arguments.files)
    check_annotation_path(arguments.output)
    arguments.files = settled_inputs(arguments.files, files_at(arguments.output))
    settle_preset(arguments, selection)
    picker = load_picker(arguments)
    report = RunReport(open_console(False), picker.thresholds, named)
    note_unpicked(picker, report, arguments.preset)
    errors: list[BaseException] = []
    with report.bar(), stop_when_asked() as stop:
        events = until_asked(stop, pick_files(picker, arguments.files, selection))
        annotations = _annotations(events, report, errors)
        first = next(annotations, None)
        if first is not None:
            with noted() as texts:
                write_annotations(chain([first], annotations), arguments.output)
            for text in dict.fromkeys(texts):
                report.take(FileReport(Path(arguments.output), text, failed=True))
    if errors:
        raise errors[0]
    return concluded(report, selection, arguments.files, is_stopped=bool(stop))


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
