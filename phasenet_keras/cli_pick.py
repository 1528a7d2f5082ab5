"""`phasenet-keras pick`: argument parsing only."""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.cli_common import (
    EXIT_CODES,
    EXIT_INTERRUPTED,
    add_record_options,
    load_picker,
    make_folder,
    open_console,
    stop_when_asked,
    until_asked,
)
from phasenet_keras.types import ConfigError, FormatError, PhaseNetKerasError

if TYPE_CHECKING:
    from phasenet_keras.io.selection import Selection
    from phasenet_keras.picking.files import StationResult
    from phasenet_keras.picking.picker import Picker
    from phasenet_keras.report import RunReport
    from phasenet_keras.types import Pick

__all__ = ["add_pick"]

PATTERNS = ("network", "station", "location", "channel")


def add_pick(verbs: argparse._SubParsersAction) -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "pick",
        help="pick P and S in waveform files",
        description="Pick P and S in waveform files. Formats are recognised by content.",
        epilog=EXIT_CODES,
    )
    add_record_options(verb)
    verb.add_argument(
        "--p-threshold", type=float, metavar="P", help="least probability of a P pick"
    )
    verb.add_argument(
        "--s-threshold", type=float, metavar="P", help="least probability of an S pick"
    )
    verb.add_argument(
        "--min-distance-s",
        type=float,
        metavar="SECONDS",
        help="least time between two picks of one phase (default: the preset's)",
    )
    for name in PATTERNS:
        verb.add_argument(
            f"--{name}", metavar="PATTERN", help=f"{name} codes wanted, with * and ?; also A,B"
        )
    verb.add_argument("--start", metavar="TIME", help="first time wanted, UTC")
    verb.add_argument("--end", metavar="TIME", help="time before which to end, UTC")
    verb.add_argument(
        "--output",
        type=Path,
        metavar="FILE.csv|DIR",
        help="where picks go; a folder gets picks.csv (default: standard output). Until all is "
        "done, parts are kept beside: the same command again goes on where a run was ended",
    )
    verb.add_argument(
        "--plot", type=Path, metavar="DIR", help="write a figure a station here (no parts then)"
    )
    verb.set_defaults(run=_run_pick)


def _run_pick(arguments: argparse.Namespace) -> int:
    from phasenet_keras.report import RunReport, exit_status

    selection = _selection_of(arguments)
    output = _output_of(arguments.output)
    if arguments.plot:
        make_folder(arguments.plot)
    thresholds = {"P": arguments.p_threshold, "S": arguments.s_threshold}
    picker = load_picker(
        arguments,
        thresholds={phase: value for phase, value in thresholds.items() if value is not None},
        min_distance_s=arguments.min_distance_s,
    )
    phases = [phase for phase in picker.preset.config.phases if phase in picker.thresholds]
    report = RunReport(open_console(output is None), phases)
    run = _pick_and_plot if arguments.plot else _pick_in_parts
    stop = run(arguments, picker, selection, output, report)
    if not selection.is_all and not report.rows and not report.problems:
        raise ConfigError("no record has such codes and times: see --network to --end")
    report.print()
    return EXIT_INTERRUPTED if stop else exit_status(report)


def _selection_of(arguments: argparse.Namespace) -> Selection:
    from phasenet_keras.io.selection import Selection, parse_time

    times = {
        name: parse_time(value, f"--{name}")
        for name in ("start", "end")
        if (value := getattr(arguments, name)) is not None
    }
    return Selection(**{name: getattr(arguments, name) for name in PATTERNS}, **times)


def _output_of(output: Path | None) -> Path | None:
    """Return the file that picks go to, before any work is done."""
    from phasenet_keras.io.tables import check_pick_path

    if output is None:
        if sys.stdout is None:
            raise ConfigError("standard output is closed: name a file with --output")
        return None
    if output.is_dir() or not output.suffix:
        make_folder(output)
        output = output / "picks.csv"
    check_pick_path(output)
    return output


def _write(picks: list[Pick], output: Path | None) -> None:
    from phasenet_keras.io.tables import print_picks, write_picks

    if output is None:
        print_picks(picks, sys.stdout)
        return
    try:
        write_picks(picks, output)
    except OSError as error:
        raise FormatError(
            f"{output} cannot be written: {error.strerror or error}. Finished parts are kept: make "
            "room and give the same command again"
        ) from error


def _pick_in_parts(
    arguments: argparse.Namespace,
    picker: Picker,
    selection: Selection,
    output: Path | None,
    report: RunReport,
) -> list[str]:
    from phasenet_keras.picking.archive import pick_archive
    from phasenet_keras.picking.parts import PartFolder

    with tempfile.TemporaryDirectory() as own:
        folder = output.parent / f"{output.name}.parts" if output else Path(own) / "parts"
        parts = PartFolder(folder)
        is_kept = False
        try:
            with report.bar(), stop_when_asked() as stop:
                events = pick_archive(picker, arguments.files, parts, selection=selection)
                with closing(events):  # so that it saves where it is
                    for event in until_asked(stop, events):
                        report.take(event)
        except PhaseNetKerasError:  # a part could not be written: the others stay
            is_kept = output is not None
            raise
        finally:  # whatever else happens, what was picked is kept
            if not is_kept:
                _write(parts.picks(), output)
        if not stop:
            parts.remove()
    return stop


def _pick_and_plot(
    arguments: argparse.Namespace,
    picker: Picker,
    selection: Selection,
    output: Path | None,
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
        _write(picks, output)
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
