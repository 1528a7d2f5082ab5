"""One run at a time in a folder of parts: a second one would lose what the first removes."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from phasenet_keras.types import ConfigError

__all__ = ["LOCK", "only_run"]

LOCK = "run.lock"
# What file systems say that know no locks: there, nobody is kept out.
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)


@contextmanager
def only_run(folder: Path) -> Iterator[None]:
    """Hold a folder of parts, which is made where it does not exist, and goes where it is empty.

    The lock is the operating system's, on a file in the folder: it ends with the process that
    holds it, however that ends, and in whatever container.

    Raises:
        ConfigError: if another run holds it.
        OSError: if it cannot be written.
    """
    lock = folder / LOCK
    held = _take(lock)
    try:
        yield
    finally:
        with suppress(PermissionError):  # of Windows, while it is open
            lock.unlink(missing_ok=True)
        os.close(held)
        with suppress(OSError):  # parts are in it, or it is gone
            folder.rmdir()


def _take(lock: Path) -> int:
    """Return the open file of a lock that is held."""
    while True:
        lock.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # the run that was there before removes the folder
            held = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                _lock(held, lock)
                # The run before may have removed the file that was opened.
                if os.path.samestat(os.fstat(held), lock.stat()):
                    return held
            except BaseException:
                os.close(held)
                raise
            os.close(held)


def _lock(held: int, lock: Path) -> None:
    try:
        import fcntl
    except ImportError:  # no POSIX, no such locks
        return
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        output = lock.parent.with_name(lock.parent.name.removesuffix(".parts"))
        raise ConfigError(
            f"{output} is being written by another run: wait until that is done, or name another "
            "--output (in Python another place)"
        ) from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
