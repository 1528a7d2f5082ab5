"""Where and how the command line speaks to a person."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["leave_output", "open_console", "said_of_error", "say", "say_some"]

# Of a disk that takes no more, of this person or at all.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


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


def said_of_error(error: Exception) -> str:
    """Return what to say of an error that ended a verb: of a full disk also how much room is left.

    Example:
        >>> said_of_error(OSError(errno.ENOSPC, "No space left on device", "/none/a.npz"))
        '/none/a.npz cannot be written, its disk is full: make room and give the same command again'
    """
    text = str(error)
    if isinstance(error, OSError) and error.errno in NO_ROOM and error.filename:
        left = ""
        with suppress(OSError):
            free_mb = shutil.disk_usage(Path(error.filename).parent).free / 1e6
            left = f" ({free_mb:.3g} MB were left for it)"
        text = f"{error.filename} cannot be written, its disk is full{left}: make room and give "
        text += "the same command again"
    return ". ".join([text, *getattr(error, "__notes__", ())])


def leave_output() -> None:
    """Let go of standard output, which takes no more: what is left for it would be an error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
