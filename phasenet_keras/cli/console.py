"""Where and how the command line speaks to a person."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["leave_output", "open_console", "say", "say_some"]


def open_console(output_is_stdout: bool) -> Console:
    """Return where people read: standard error where standard output takes the result."""
    from rich.console import Console

    class GentleConsole(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would end the process

    return GentleConsole(stderr=output_is_stdout)


def say(console: Console, text: str, label: str = "", end: str = "\n") -> None:
    """Print a text as it is, names with brackets and all, behind a label in markup."""
    if label:
        console.print(label, end=" ")
    console.print(text, markup=False, highlight=False, soft_wrap=True, end=end)


def say_some(console: Console, texts: Sequence[str], label: str, most: int) -> None:
    """Print texts with a label each, and of more than ``most`` only how many there are."""
    for text in texts[:most]:
        say(console, text, label)
    if len(texts) > most:
        console.print(label, f"… and {len(texts) - most} more", highlight=False)


def leave_output() -> None:
    """Let go of standard output, which takes no more: what is left for it would be an error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
