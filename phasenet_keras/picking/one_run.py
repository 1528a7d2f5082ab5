"""One run at a time in a folder of parts: a second one would lose what the first removes."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from phasenet_keras.types import ConfigError

__all__ = ["LOCK", "only_run"]

LOCK = "run.lock"
# Others may remove the folder, or the lock of a dead run, between two steps.
ATTEMPTS = 10


@contextmanager
def only_run(folder: Path) -> Iterator[None]:
    """Hold a folder of parts, which is made where it does not exist, and goes where it is empty.

    The lock of a run that was killed on this machine is taken over.

    Raises:
        ConfigError: if another run holds it.
        OSError: if it cannot be written.
    """
    lock = folder / LOCK
    _take(lock)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        with suppress(OSError):  # parts are in it, or it is gone
            folder.rmdir()


def _take(lock: Path) -> None:
    pid = os.getpid()
    own = json.dumps({"began": _began(pid), "host": socket.gethostname(), "pid": pid})
    for _ in range(ATTEMPTS):
        with suppress(FileNotFoundError):
            with suppress(FileExistsError):  # or it was there when it was asked for
                lock.parent.mkdir(parents=True)
            try:
                _create(lock, f"{own}\n")
                return
            except FileExistsError:
                _remove_dead(lock)
    raise _taken(lock, "other runs")


def _create(lock: Path, text: str) -> None:
    with ExitStack() as undo, lock.open("x", encoding="utf-8") as file:
        undo.callback(lock.unlink)  # where the disk is full
        file.write(text)
        file.flush()
        undo.pop_all()


def _remove_dead(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    owner = _owner(text)
    if not _is_dead(owner):
        who = f"process {owner['pid']} on {owner['host']}" if owner else "another run"
        raise _taken(lock, who)
    aside = lock.with_name(f"{LOCK}.{socket.gethostname()}.{os.getpid()}")
    lock.rename(aside)
    if aside.read_text(encoding="utf-8") != text:  # another run was first
        aside.rename(lock)
    aside.unlink(missing_ok=True)


def _owner(text: str) -> dict[str, Any]:
    """Return what a lock says, nothing for one that is not whole."""
    with suppress(ValueError):
        owner = json.loads(text)
        if isinstance(owner, dict) and owner.keys() == {"began", "host", "pid"}:
            return owner
    return {}


def _is_dead(owner: dict[str, Any]) -> bool:
    # Of other machines nothing is known; where there is no POSIX, asking would end the process.
    if not owner or owner["host"] != socket.gethostname() or os.name != "posix":
        return False
    try:
        os.kill(owner["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it is another user's
        pass
    return owner["began"] != _began(owner["pid"])  # the number is another process's by now


def _began(pid: int) -> str | None:
    """Return when a process began, in ticks since the machine did; None where Linux is not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    return None


def _taken(lock: Path, who: str) -> ConfigError:
    output = lock.parent.name.removesuffix(".parts")
    return ConfigError(
        f"{lock.parent.with_name(output)} is being written by {who}: wait until that is done, or "
        f"name another --output. If that run is over, remove {lock} and give the command again"
    )
