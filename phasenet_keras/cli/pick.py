"""`phasenet-keras pick`: where its picks go, and as what."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.cli.common import (
    EXIT_CODES,
    concluded,
    load_picker,
    make_folder,
    note_unpicked,
    selection_of,
    settle_preset,
    settled_inputs,
    stop_when_asked,
    until_asked,
)
from phasenet_keras.cli.console import leave_output, open_console
from phasenet_keras.cli.options import add_record_options, add_selection_options
from phasenet_keras.io.index import is_folder_name
from phasenet_keras.io.pick_formats import pick_format_of, pick_formats
from phasenet_keras.types import ConfigError, FormatError, PhaseNetKerasError

if TYPE_CHECKING:
    from phasenet_keras.cli.report import RunReport
    from phasenet_keras.io.selection import Selection
    from phasenet_keras.picking.files import StationResult
    from phasenet_keras.picking.picker import Picker
    from phasenet_keras.types import Pick

__all__ = ["add_pick"]

# So many traces of one file are drawn side by side.
LEAST_TRACES = 3


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
    _add_output_options(verb)
    verb.add_argument(
        "--dask",
        metavar="ADDRESS|local:N",
        help="pick on the workers of a Dask scheduler, e.g. tcp://10.0.0.1:8786, that see the same "
        "folders, or on N processes of this machine; stations run side by "
        "side, one on one worker: more workers than stations gain nothing",
    )
    verb.add_argument(
        "--plot",
        type=Path,
        metavar="DIR",
        help="write a figure a station, or a gather, here (no parts then)",
    )
    verb.set_defaults(run=_run_pick)


def _add_output_options(verb: argparse.ArgumentParser) -> None:
    """Add the options to the verb."""
    formats = pick_formats()
    endings = ", ".join(item.endings[0] for item in formats)
    verb.add_argument(
        "--output",
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


def _run_pick(arguments: argparse.Namespace) -> int:
    from phasenet_keras.cli.report import RunReport

    selection, named = selection_of(arguments), list(arguments.files)
    _check_dask(arguments)
    _check_output(arguments)
    if arguments.plot:
        make_folder(arguments.plot)
    thresholds = {"P": arguments.p_threshold, "S": arguments.s_threshold}
    settle_preset(arguments, selection)
    picker = load_picker(
        arguments,
        thresholds={phase: value for phase, value in thresholds.items() if value is not None},
        min_distance_s=arguments.min_distance_s,
    )
    report = RunReport(open_console(arguments.output is None), picker.thresholds, named)
    note_unpicked(picker, report, arguments.preset)
    run = _pick_and_plot if arguments.plot else _pick_in_parts
    stop = run(arguments, picker, selection, report)
    return concluded(report, selection, arguments.files, is_stopped=bool(stop))


def _check_dask(arguments: argparse.Namespace) -> None:
    if arguments.dask is None:
        return
    from phasenet_keras.picking.cluster import check_dask_address

    if not check_dask_address(arguments.dask) and arguments.engine == "auto":
        arguments.engine = "keras"  # what other machines have is not known
    if arguments.plot:
        raise ConfigError("--plot draws in one process: leave out --dask, or plot a station later")
    if arguments.output is None:
        raise ConfigError("--dask keeps its parts beside the picks: name a file with --output")


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
        parts = PartFolder(_parts_beside(output) if output else Path(own) / "parts")
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
    figures = _Figures(arguments.plot, picker, report)
    try:
        with report.bar(), stop_when_asked() as stop:
            for event in until_asked(stop, pick_files(picker, arguments.files, selection)):
                report.take(event)
                if isinstance(event, StationResult):
                    picks += event.picks
                    figures.take(event)
            figures.finish()
    finally:  # whatever happens, what was picked is kept
        if report.n_done:
            _put_out(sorted(picks), arguments, report)
    return stop


class _Figures:
    """Draws stations as they come; three or more traces of one gather in one figure."""

    def __init__(self, folder: Path, picker: Picker, report: RunReport) -> None:
        self._folder, self._picker, self._report = folder, picker, report
        self._drawn: list[str] = []
        self._file = ""
        self._traces: list[StationResult] = []

    def take(self, result: StationResult) -> None:
        """Draw a station, or keep it until all traces of its file are there."""
        from phasenet_keras.plot_line import trace_of

        trace = trace_of(result)
        if not trace or trace[0] != self._file:
            self.finish()
        self._file = trace[0] if trace else ""
        self._traces.append(result)
        if not trace:
            self.finish()

    def finish(self) -> None:
        """Draw what is kept."""
        from phasenet_keras.plot import save_station_figure
        from phasenet_keras.plot_line import save_traces

        results, self._traces = self._traces, []
        if len(results) >= LEAST_TRACES:
            if any(record.annotation for result in results for record in result.records):
                self._try(self._file, partial(save_traces, results, self._folder, self._drawn))
            return
        for result in results:
            annotation = next((r.annotation for r in result.records if r.annotation), None)
            if annotation is None:
                continue
            window_s = self._picker.preset.window_samples / annotation.sampling_rate
            draw = partial(save_station_figure, result, self._folder, window_s, self._drawn)
            self._try(result.station, draw)

    def _try(self, name: str, draw: Callable[[], Path]) -> None:
        from phasenet_keras.picking.files import FileReport

        try:
            self._drawn.append(draw().stem)
        except (OSError, ValueError, RuntimeError) as error:  # a figure must not cost the picks
            text = f"no figure of {name}: {error}"
            self._report.take(FileReport(self._folder, text, failed=True))


def _check_output(arguments: argparse.Namespace) -> None:
    """Settle what is read and the file that picks go to, before any work; a folder gets ``picks``.

    Raises:
        ConfigError: saying what is wrong.
    """
    from phasenet_keras.io.tables import check_pick_path

    errors_s = _time_errors_s(arguments)
    given = arguments.output
    output = arguments.output = None if given is None else Path(given)
    if output and (is_folder_name(given) or not (output.suffix or arguments.format)):
        ending = pick_format_of(output, arguments.format or "csv").endings[0]
        make_folder(output)
        arguments.output = output / f"picks{ending}"
    if arguments.output:
        check_pick_path(arguments.output, arguments.format, time_errors_s=errors_s)
        written = (arguments.output, _kept_beside(arguments.output))
        own = _parts_beside(arguments.output)
        arguments.files = settled_inputs(arguments.files, written, own)
    elif arguments.format or errors_s:
        raise ConfigError(
            "--format and time errors are for a file: name one with --output; standard output "
            "takes a CSV table"
        )
    elif sys.stdout is None:
        raise ConfigError("standard output is closed: name a file with --output")


def _put_out(picks: Iterable[Pick], arguments: argparse.Namespace, report: RunReport) -> None:
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


def _parts_beside(path: Path) -> Path:
    """Return the folder of a run's parts."""
    return path.with_name(f"{path.name}.parts")


def _kept_beside(path: Path) -> Path:
    """Return where picks go if their format fails."""
    return path.with_name(f"{path.name}.csv")


def _time_errors_s(arguments: argparse.Namespace) -> dict[str, float]:
    given = {"P": arguments.p_error_s, "S": arguments.s_error_s}
    return {phase: value for phase, value in given.items() if value is not None}
