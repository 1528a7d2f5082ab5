"""Picks written part by part, so that a run that is killed goes on where it was.

A part holds what became certain in about a day of record of a group of files; it is written
beside and then renamed, the picks before the facts that say that the part is whole. A state goes
with the last part of a group that is not finished: the next run begins there.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import shutil
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import cache
from heapq import heappop, heappush
from os import PathLike
from pathlib import Path
from typing import Any

from phasenet_keras.io.new_files import beside_then_rename, write_json
from phasenet_keras.io.tables import picks_of_csv, print_picks, read_picks
from phasenet_keras.picking.one_run import LOCK, only_run
from phasenet_keras.types import PhaseNetKerasError, Pick

__all__ = ["GroupParts", "PartFolder", "digest_of", "digest_of_code", "in_order", "room_wanted"]

# What a state may be made of: nothing that could run a command.
SAFE_MODULES = {
    *(
        "phasenet_keras.data.moving",
        "phasenet_keras.data.scaling",
        "phasenet_keras.data.resampling",
    ),
    "phasenet_keras.io.assembly",
    *("phasenet_keras.models.config", "phasenet_keras.picking.peaks", "phasenet_keras.types"),
    *("phasenet_keras.io.instruments", "phasenet_keras.io.pieces"),
    "phasenet_keras.picking.batches",
    *("phasenet_keras.picking.station_stream", "phasenet_keras.picking.stream_state"),
    "phasenet_keras.picking.search",
    *("obspy.core.utcdatetime", "obspy.core.trace", "obspy.core.util.attribdict"),
    "collections",
}
SAFE_NAMES = {
    *("builtins.set", "builtins.frozenset", "numpy.dtype", "numpy.ndarray"),
    *("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"),
    *("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"),
    *("numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer"),
}


def digest_of(items: Iterable[object]) -> str:
    """Return a name for what a group's picks depend on.

    Example:
        >>> digest_of(["a", 1])
        'b343590635d7675b'
    """
    return hashlib.sha256(json.dumps([str(item) for item in items]).encode()).hexdigest()[:16]


@cache
def digest_of_code() -> str:
    """Return what tells this code from any other: a state is for the code that has left it.

    The version does not: it is the same from one commit to the next.
    """
    package = Path(__file__).parents[1]
    sources = sorted(package.rglob("*.py"))
    return digest_of([(path.relative_to(package), path.read_bytes()) for path in sources])


class PartFolder:
    """The folder of a run's parts; `held` keeps other runs out of it.

    Args:
        folder: is made where it does not exist.
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        self.folder = Path(folder)
        self._names: dict[str, None] = {}
        self._finished: set[str] = set()
        self._has_begun = False

    def begin(self) -> None:
        """Begin a run: what belonged to an earlier one of this object does not belong to it."""
        self._names, self._finished, self._has_begun = {}, set(), True

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other runs out of the folder, from before the first part until all is removed.

        Raises:
            ConfigError: if another run is in it.
            PhaseNetKerasError: if it cannot be written to.
        """
        with ExitStack() as stack:
            with room_wanted(self.folder):
                stack.enter_context(only_run(self.folder))
            yield

    def folder_of(self, name: str) -> Path:
        """Make the folder for the parts of a group, which then belong to this run.

        Args:
            name: stands for its files and settings.

        Raises:
            PhaseNetKerasError: if it cannot be made.
        """
        with room_wanted(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        self._has_begun = True
        self._names[name] = None
        return self.folder

    def group(self, name: str) -> GroupParts:
        """Return the parts of a group as they are now."""
        return GroupParts(self.folder, name)

    def note_finished(self, name: str) -> None:
        """Note that nothing of a group is left to do: its parts must be there from now on."""
        self._finished.add(name)

    def __iter__(self) -> Iterator[Pick]:
        """Yield the picks of all finished parts of this run's groups, by time.

        A part is read when its first pick is due, so that those of about a day are held.

        Raises:
            PhaseNetKerasError: if a group that was finished is not there any more, or before a run
                if the folder holds parts: of which files and settings, only a run knows.
        """
        if not self._has_begun and any(self.folder.glob("*.csv")):
            raise PhaseNetKerasError(
                f"{self.folder} holds parts, but no run of this object: give pick_archive the same "
                "picker, sources and settings again with it; finished parts are not picked again"
            )
        return in_order(path for name in self._names for path in self._paths(name))

    def _paths(self, name: str) -> list[Path]:
        group = self.group(name)
        if name in self._finished and not group.is_done:
            raise PhaseNetKerasError(
                f"finished parts are gone from {self.folder}: another program removed them, and "
                "their picks are lost. Give the same command again"
            )
        return group.paths()

    def picks(self) -> list[Pick]:
        """Return the picks of all finished parts of this run's groups, by time.

        Raises:
            PhaseNetKerasError: if finished parts are gone, or some are there but was no run.
        """
        return list(self)

    def has_any(self) -> bool:
        """Return whether a part of this run's groups holds a pick."""
        return next(iter(self), None) is not None

    def remove(self) -> None:
        """Remove all parts: their picks are in one table. The lock of `held` goes last."""
        with suppress(OSError):
            for path in self.folder.iterdir():
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                elif path.name != LOCK:
                    with suppress(OSError):
                        path.unlink()
            self.folder.rmdir()  # unless it is held


def in_order(paths: Iterable[Path]) -> Iterator[Pick]:
    """Yield the picks of tables by time, each of which holds its own by time.

    A table is read when its first pick is due, and let go after its last.
    """
    firsts = [(pick, path) for path in paths if (pick := _first(path)) is not None]
    waiting = deque(sorted(firsts))
    # The next pick of each open table; the number settles which of two equal ones is first.
    fronts: list[tuple[Pick, int, Iterator[Pick]]] = []
    number = 0
    while waiting or fronts:
        while waiting and (not fronts or not fronts[0][0] < waiting[0][0]):
            picks = iter(read_picks(waiting.popleft()[1]))
            heappush(fronts, (next(picks), number, picks))
            number += 1
        pick, of_table, picks = heappop(fronts)
        yield pick
        following = next(picks, None)
        if following is not None:
            heappush(fronts, (following, of_table, picks))


def _first(path: Path) -> Pick | None:
    with closing(picks_of_csv(path)) as picks:
        return next(picks, None)


class GroupParts:
    """The parts of one group of files.

    Attributes:
        n_blocks: blocks of the group that need not be read again.
        is_done: nothing is left to do.
        facts: what is to be said of the finished parts, as it was given with the last one.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._n_parts = 0
        self.n_blocks = 0
        self.is_done = False
        self.facts: list[dict[str, Any]] = []
        progress = folder / f"{name}.json"
        if progress.is_file():
            content = json.loads(progress.read_text(encoding="utf-8"))
            self._n_parts, self.n_blocks = content["n_parts"], content["n_blocks"]
            self.is_done, self.facts = content["is_done"], content["facts"]

    def paths(self) -> list[Path]:
        """Return the tables of the finished parts, each of picks by time."""
        return [self._part(number) for number in range(self._n_parts)]

    def state(self, known: Sequence[object]) -> Any:
        """Return the state after the last finished part; ``known`` as it was in `save`."""
        content = (self._folder / f"{self._name}-{self._n_parts:05d}.state").read_bytes()
        return _Loader(io.BytesIO(content), known).load()

    def save(
        self,
        picks: Sequence[Pick],
        facts: Sequence[dict[str, Any]],
        n_blocks: int,
        state: object | None,
        known: Sequence[object] = (),
    ) -> None:
        """Write a part and what the next one needs.

        Args:
            picks: of this part.
            facts: of all parts so far, plain values: sums, since they are written with each part.
            n_blocks: blocks of the group that were read.
            state: of the stream after them; None says that the group is finished.
            known: objects that are not written with the state, but given again at `state`.

        Raises:
            PhaseNetKerasError: if it cannot be written; the finished parts stay valid.
        """
        done = self._n_parts
        with room_wanted(self._folder):
            with beside_then_rename(self._part(done)) as file:
                print_picks(sorted(picks), file, is_exact=True)
            if state is not None:
                path = self._folder / f"{self._name}-{done + 1:05d}.state"
                with beside_then_rename(path, "wb") as file:
                    _Saver(file, known).dump(state)
            content: dict[str, Any] = {
                "facts": list(facts),
                "is_done": state is None,
                "n_blocks": n_blocks,
                "n_parts": done + 1,
            }
            write_json(content, self._folder / f"{self._name}.json")
        self._n_parts, self.n_blocks, self.is_done = done + 1, n_blocks, state is None
        self.facts = content["facts"]
        (self._folder / f"{self._name}-{done:05d}.state").unlink(missing_ok=True)

    def _part(self, number: int) -> Path:
        return self._folder / f"{self._name}-{number:05d}.csv"


@contextmanager
def room_wanted(folder: Path) -> Iterator[None]:
    """Turn what the system says of a folder that cannot be written into advice."""
    try:
        yield
    except OSError as error:
        raise PhaseNetKerasError(
            f"a part cannot be written to {folder}: {error.strerror or error}. The finished parts "
            "are kept there: make room and give the same command again"
        ) from error


class _Saver(pickle.Pickler):
    """Writes a state without the picker and its network."""

    def __init__(self, file: Any, known: Sequence[object]) -> None:
        super().__init__(file, protocol=5)
        self._known = {id(item): number for number, item in enumerate(known)}

    def persistent_id(self, obj: object) -> int | None:
        return self._known.get(id(obj))


class _Loader(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, known: Sequence[object]) -> None:
        super().__init__(file)
        self._known = known

    def persistent_load(self, pid: int) -> object:
        return self._known[pid]

    def find_class(self, module: str, name: str) -> Any:
        found = super().find_class(module, name)
        is_class_of = isinstance(found, type) and found.__module__ == module in SAFE_MODULES
        if not is_class_of and f"{module}.{name}" not in SAFE_NAMES:
            raise pickle.UnpicklingError(f"a state does not hold {module}.{name}")
        return found
