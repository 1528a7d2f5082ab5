"""`phasenet-keras pick`: argument parsing only."""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.cli.common import (
    EXIT_CODES,
    EXIT_INTERRUPTED,
    load_picker,
    make_folder,
    note_unpicked,
    refuse_empty,
    selection_of,
    settle_preset,
    stop_when_asked,
    until_asked,
)
from phasenet_keras.cli.console import leave_output, open_console
from phasenet_keras.cli.options import add_record_options, add_selection_options
from phasenet_keras.cli.output import add_output_options, check_output, parts_beside, put_out
from phasenet_keras.types import ConfigError, FormatError, PhaseNetKerasError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from phasenet_keras.cli.report import RunReport
    from phasenet_keras.io.selection import Selection
    from phasenet_keras.picking.files import StationResult
    from phasenet_keras.picking.picker import Picker
    from phasenet_keras.types import Pick

__all__ = ["add_pick"]


def add_pick(verbs: argparse._SubParsersAction) -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "pick",
        help="pick P and S in waveform files",
        description="Pick P and S in waveform files. Formats are recognised by content.",
        epilog=EXIT_CODES,
    )
    add_record_options(verb)
    for phase in ("P", "S"):
        verb.add_argument(
            f"--{phase.lower()}-threshold",
            type=float,
            metavar="PROBABILITY",
            help=f"least probability of a pick of {phase} (default: the preset's)",
        )
    verb.add_argument(
        "--min-distance-s",
        type=float,
        metavar="SECONDS",
        help="least time between two picks of one phase (default: the preset's)",
    )
    add_selection_options(verb)
    add_output_options(verb)
    verb.add_argument(
        "--dask",
        metavar="ADDRESS|local:N",
        help="pick on the workers of a Dask scheduler, e.g. tcp://10.0.0.1:8786, that see the same "
        "folders, or on N processes of this machine; stations run side by "
        "side, one on one worker: more workers than stations gain nothing",
    )
    verb.add_argument(
        "--plot", type=Path, metavar="DIR", help="write a figure a station here (no parts then)"
    )
    verb.set_defaults(run=_run_pick)


def _run_pick(arguments: argparse.Namespace) -> int:
    from phasenet_keras.cli.report import RunReport, exit_status

    selection, named = selection_of(arguments), list(arguments.files)
    _check_dask(arguments)
    check_output(arguments)
    if arguments.plot:
        make_folder(arguments.plot)
    thresholds = {"P": arguments.p_threshold, "S": arguments.s_threshold}
    settle_preset(arguments, selection)
    picker = load_picker(
        arguments,
        thresholds={phase: value for phase, value in thresholds.items() if value is not None},
        min_distance_s=arguments.min_distance_s,
    )
    phases = [phase for phase in picker.preset.config.phases if phase in picker.thresholds]
    report = RunReport(open_console(arguments.output is None), phases, named)
    note_unpicked(picker, report, arguments.preset)
    run = _pick_and_plot if arguments.plot else _pick_in_parts
    stop = run(arguments, picker, selection, report)
    refuse_empty(report, selection)
    report.print()
    return EXIT_INTERRUPTED if stop else exit_status(report)


def _check_dask(arguments: argparse.Namespace) -> None:
    if arguments.dask is None:
        return
    from phasenet_keras.picking.cluster import check_dask_address

    check_dask_address(arguments.dask)
    if arguments.plot:
        raise ConfigError("--plot draws in one process: leave out --dask, or plot a station later")
    if arguments.output is None:
        raise ConfigError("--dask keeps its parts beside the picks: name a file with --output")


def _put_out(picks: Iterable[Pick], arguments: argparse.Namespace, report: RunReport) -> None:
    try:
        put_out(picks, arguments, report)
    except BrokenPipeError:  # the reader of standard output has gone
        raise
    except OSError as error:
        if arguments.output is None:
            leave_output()
            raise FormatError(
                f"standard output cannot be written: {error.strerror or error}. Name a file with "
                "--output"
            ) from error
        raise FormatError(
            f"{arguments.output} cannot be written: {error.strerror or error}. Finished parts are "
            "kept: make room and give the same command again"
        ) from error


def _pick_in_parts(
    arguments: argparse.Namespace,
    picker: Picker,
    selection: Selection,
    report: RunReport,
) -> list[str]:
    from phasenet_keras.picking.archive import pick_archive
    from phasenet_keras.picking.cluster import open_client, pick_over_dask
    from phasenet_keras.picking.parts import PartFolder

    with tempfile.TemporaryDirectory() as own, ExitStack() as held:
        output = arguments.output
        parts = PartFolder(parts_beside(output) if output else Path(own) / "parts")
        held.enter_context(parts.held())
        is_kept = False
        try:
            with ExitStack() as stack:
                events = pick_archive(picker, arguments.files, parts, selection=selection)
                if arguments.dask:
                    client = stack.enter_context(open_client(arguments.dask))
                    events = pick_over_dask(
                        client, picker, arguments.files, parts, selection=selection
                    )
                stack.enter_context(report.bar())
                stop = stack.enter_context(stop_when_asked())
                with closing(events):  # so that it saves where it is
                    for event in until_asked(stop, events):
                        report.take(event)
        except PhaseNetKerasError:  # a part could not be written: the others stay
            is_kept = output is not None
            raise
        finally:  # whatever else happens, what was picked is kept
            if not is_kept and (report.n_done or parts.has_any()):
                _put_out(parts, arguments, report)
        if not stop:
            parts.remove()
    return stop


def _pick_and_plot(
    arguments: argparse.Namespace,
    picker: Picker,
    selection: Selection,
    report: RunReport,
) -> list[str]:
    from phasenet_keras.picking.files import StationResult, pick_files

    picks: list[Pick] = []
    drawn: list[str] = []
    try:
        with report.bar(), stop_when_asked() as stop:
            for event in until_asked(stop, pick_files(picker, arguments.files, selection)):
                report.take(event)
                if isinstance(event, StationResult):
                    picks += event.picks
                    _plot(event, arguments.plot, picker, drawn, report)
    finally:  # whatever happens, what was picked is kept
        if report.n_done:
            put_out(sorted(picks), arguments, report)
    return stop


def _plot(
    result: StationResult, folder: Path, picker: Picker, drawn: list[str], report: RunReport
) -> None:
    from phasenet_keras.picking.files import FileReport
    from phasenet_keras.plot import save_station_figure

    annotation = next((r.annotation for r in result.records if r.annotation), None)
    if annotation is None:
        return
    window_s = picker.preset.window_samples / annotation.sampling_rate
    try:
        drawn.append(save_station_figure(result, folder, window_s, drawn).stem)
    except (OSError, ValueError, RuntimeError) as error:  # a figure must not cost the picks
        text = f"no figure of {result.station}: {error}"
        report.take(FileReport(folder, text, failed=True))
