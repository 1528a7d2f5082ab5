"""What a run says to a person: progress, the table of stations, the list of problems."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from phasenet_keras.cli.bars import CountBar
from phasenet_keras.cli.console import say
from phasenet_keras.io.no_waveforms import said_of_metadata
from phasenet_keras.io.wording import counted
from phasenet_keras.picking.files import FileReport, Progress, StationResult, StationSummary

if TYPE_CHECKING:
    from pandas import DataFrame

    from phasenet_keras.io.parts import RecordFacts
    from phasenet_keras.models.contract import Preset

__all__ = [
    "RunReport",
    "correction_table",
    "dataset_table",
    "preset_table",
]

# A run over thousands of stations ends with a table that can still be read.
MAX_ROWS = 200
# Where all records are shorter, their lengths are told in seconds: 36 s are 0.010 hours.
HOURS_FROM_H = 0.01
RULES = {
    "median_residual": "median |residual| of kept",
    "p_before_s": "broken: P before S (traces)",
    "vp_vs": "broken: Vp/Vs (gathers)",
    "monotone": "broken: later with offset (picks)",
    "reciprocity": "broken: reciprocity (pairs)",
}


class RunReport:
    """Follows a run over files: a bar while it runs, a table when it is done.

    Args:
        console: where to print; the bar shows on terminals only.
        phases: the phases to count.
        named: files that a person named: those that are no waveforms have failed. Others, met in
            folders, are passed over, which is said once.
    """

    def __init__(
        self, console: Console, phases: Iterable[str], named: Iterable[str | PathLike[str]] = ()
    ) -> None:
        self.console = console
        self.phases = tuple(phases)
        self.rows: list[tuple[str, ...]] = []
        self._hours: list[tuple[float, float]] = []  # of each row: read, picked
        self.problems: list[FileReport] = []
        self._named = set(map(Path, named))
        self._passed_over: dict[Path, str] = {}
        self._notes: set[str] = set()  # what is said of several files is said once
        self.n_failed = 0
        self.n_done = 0
        self.n_picks = 0

    @contextmanager
    def bar(self) -> Iterator[None]:
        """Show a progress bar, on a terminal only."""
        with CountBar(self.console, "picking") as self._bar:
            yield

    def take(self, event: StationResult | StationSummary | FileReport | Progress) -> None:
        """Note one event of `pick_files` or `pick_archive`."""
        if isinstance(event, Progress):
            self._bar.take(event.done, event.total, event.what)
        elif isinstance(event, FileReport):
            if event.kind and event.path in self._named:
                event = replace(event, failed=True)
            elif event.kind:
                self._passed_over[event.path] = event.kind
                return
            if event.failed or event.text not in self._notes:
                self.problems.append(event)
            self._notes.add(event.text)
            self.n_failed += event.failed
        else:
            station = event.summary() if isinstance(event, StationResult) else event
            counts = [str(station.counts.get(phase, 0)) for phase in self.phases]
            gaps = str(max(0, station.n_records - 1))
            self.rows.append((station.station, gaps, *counts, station.reason))
            self._hours.append((station.hours, station.hours_picked))
            self.n_failed += station.failed
            self.n_done += station.n_picked > 0
            self.n_picks += sum(station.counts.values())

    def print(self) -> None:
        """Print the table of stations, then what went wrong."""
        if self.rows:
            in_hours = max(map(max, self._hours)) >= HOURS_FROM_H
            unit = "hours" if in_hours else "seconds"
            numbers = (f"{unit} read", f"{unit} picked", "gaps", *self.phases)
            table = _table(["station"], numbers)
            table.add_column("why no picks", overflow="fold")
            for (station, *row), hours in zip(self.rows[:MAX_ROWS], self._hours, strict=False):
                lengths = [f"{h:.3f}" if in_hours else f"{3600 * h:.4g}" for h in hours]
                table.add_row(*map(escape, (station, *lengths, *row)))
            self.console.print(table)
            if len(self.rows) > MAX_ROWS:
                self.console.print(f"… and {len(self.rows) - MAX_ROWS} more")
        problems = list(self.problems)
        if self._passed_over:
            path = next(iter(self._passed_over))
            problems.append(FileReport(path, said_of_metadata(self._passed_over), failed=False))
        for problem in problems:
            label = "[bold red]failed[/]" if problem.failed else "[yellow]note[/]"
            say(self.console, problem.text, label)
        failed = f", {self.n_failed} failed" if self.n_failed else ""
        # Records without a time have a row each, also those of one station.
        n_stations = len({row[0] for row in self.rows})
        text = f"{counted(n_stations, 'station')}, {counted(self.n_picks, 'pick')}{failed}"
        self.console.print(text, highlight=False)


def _table(texts: Iterable[str], numbers: Iterable[str] = ()) -> Table:
    """Return a table with columns of texts, then of numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in texts:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def dataset_table(facts: Sequence[RecordFacts]) -> Table:
    """Return the counts of a data set: records and arrivals in each split, and channels."""
    numbers = ("records", "P", "S", "P unknown", "S unknown", "rate (Hz)")
    table = _table(["split"], numbers)
    for split in sorted({fact.split for fact in facts}):
        inside = [fact.arrivals or {} for fact in facts if fact.split == split]
        arrivals = [sum(len(item.get(p, ())) for item in inside) for p in ("P", "S")]
        unknown = [sum(p not in item for item in inside) for p in ("P", "S")]
        rates = sorted({f"{fact.sampling_rate:g}" for fact in facts if fact.split == split})
        counts = map(str, (len(inside), *arrivals, *unknown))
        table.add_row(split or "(none)", *counts, ", ".join(rates))
    return table


def correction_table(summary: DataFrame) -> Table:
    """Return what became of the picks of each phase, as `summary_of` counts it."""
    table = _table([""], [escape(str(phase)) for phase in summary.index])
    for name in summary.columns:
        text, cells = RULES.get(name, str(name)), [f"{value:.0f}" for value in summary[name]]
        if name == "median_residual":  # samples, or seconds
            cells = [f"{v:.2g}" if 0 < v < 0.01 else f"{v:.2f}" for v in summary[name]]
        table.add_row(escape(text), *cells)
    return table


def preset_table(presets: Sequence[tuple[str, Preset, str]]) -> Table:
    """Return a table of presets: what each is called, what it is, and where."""
    table = _table(("name", "channels", "rate (Hz)", "window", "phases", "licence", "weights"))
    for name, preset, where in presets:
        table.add_row(
            escape(name),
            ",".join(preset.config.channels),
            f"{preset.sampling_rate:g}",
            str(preset.window_samples),
            ",".join(preset.config.phases),
            escape(preset.license),
            escape(where),
        )
    return table
