"""Bars of long work, on a terminal only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

from phasenet_keras.cli.console import say

if TYPE_CHECKING:
    from phasenet_keras.training.comparison import Run
    from phasenet_keras.training.learner import EpochReport

__all__ = ["CountBar", "EpochBar", "RunsBar"]


class _Shown:
    """A bar that shows for a while, on a terminal only."""

    def __init__(self, console: Console, *columns: ProgressColumn, what: str = "") -> None:
        self._bar = Bar(
            *columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal
        )
        self._task = self._bar.add_task(what, total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if not self._bar.disable:  # rich before 14 prints an empty line even so
            self._bar.stop()


class EpochBar(_Shown):
    """Shows the epochs of a training run, of at most so many, and what is left."""

    def __init__(self, console: Console, epochs: int) -> None:
        columns = (TextColumn("epoch {task.completed}"), BarColumn())
        super().__init__(console, *columns, TextColumn("{task.description}"))
        self._bar.update(self._task, total=epochs)
        self._validated = 0

    def take(self, report: EpochReport) -> None:
        """Note an epoch."""
        text = f"loss {report.train_loss:.4f}"
        done = report.epoch + 1
        if report.dev_loss == report.dev_loss:
            self._validated = done
            text += f", validation {report.dev_loss:.4f}, F1 {report.dev_f1:.3f}"
        else:  # trained anew, for as many epochs at most
            self._bar.update(self._task, total=2 * self._validated or None)
            done += self._validated
            text += ", on all records"
        self._bar.update(self._task, completed=done, description=text)

    def picking(self, done: int, total: int) -> None:
        """Note how many records are picked, before the epochs of a round of self-training."""
        self._bar.update(self._task, completed=0, description=f"picking {done} of {total}")


class CountBar(_Shown):
    """Shows how many of something are done and how long the others take."""

    def __init__(self, console: Console, what: str) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        super().__init__(console, *columns, what=what)

    def take(self, done: int, total: int, what: str | None = None) -> None:
        """Note how many are done, and what is being done now if it is something else."""
        self._bar.update(self._task, completed=done, total=total, description=what)


class RunsBar(_Shown):
    """Shows which run of a comparison is under way: a bar on a terminal, a line a run elsewhere."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        super().__init__(console, *columns)
        self._console = console

    def take(self, run: Run, number: int, total: int) -> None:
        """Note that a run begins."""
        self._bar.update(self._task, completed=number, total=total, description=run.name)
        if not self._console.is_terminal:
            say(self._console, f"run {number + 1} of {total}: {run.name}")
