"""Records on their way into a data set: kept on disk in parts, so that a stopped run goes on."""

from __future__ import annotations

import math
import re
import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from phasenet_keras.io.channels import COMPONENTS, components_of
from phasenet_keras.io.dataset_table import NOT_IN_NAMES, metadata_row
from phasenet_keras.io.hdf5_files import new_hdf5
from phasenet_keras.io.new_files import read_json, write_json
from phasenet_keras.io.parts import BadRow, Item, JoinedRecord, Part
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.seisbench import write_layout
from phasenet_keras.training.onsets import count_growth
from phasenet_keras.training.splits import digests_of
from phasenet_keras.types import PhaseNetKerasError

if TYPE_CHECKING:
    import h5py

__all__ = ["ORDER", "STAGE", "Stage"]

STAGE, ORDER = ".prepare", "order.json"
RECORDS_A_FILE = 200
# Names that pandas reads as numbers or as missing, and SeisBench with it.
NO_NAME = re.compile(
    r"[+-]?[\d.]+(?:e[+-]?\d+)?|nan|na|n/a|null|none|<na>|[+-]?inf(?:inity)?|", re.I
)


class Stage:
    """Records of an unfinished data set, in a folder of their own.

    Args:
        folder: what lies there of the same order is gone on with, all else is removed.
        order: what was asked for, as JSON can hold it.

    Attributes:
        rows: one a record: ``meta`` (of the data set's table), ``channels``, and
            ``digests`` and ``growth``, which stages of earlier versions lack.
        bad: rows and files that cannot be used.
        notes: warnings, each once.
        n_unlabelled: records left out since no phase of them is labelled.
        n_unsure: records with a phase that is not labelled of all events in them.

    As a context it is removed at its end, but stays for a later run after an error of the disk.
    """

    def __init__(self, folder: Path, order: Mapping[str, Any]) -> None:
        self.folder = folder
        self.rows: list[dict[str, Any]] = []
        self.bad: list[BadRow] = []
        self.notes: dict[str, None] = {}
        self.n_unlabelled = 0
        self.n_unsure = 0
        self._keep_unlabelled = True
        self._names: set[str] = set()
        self._n_parts = 0
        self._files: list[Path] = []
        if read_json(folder / ORDER) == order:
            self._go_on()
        else:
            self.remove()
            folder.mkdir(parents=True)
            write_json(order, folder / ORDER)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, PhaseNetKerasError):
            self.remove()
        elif isinstance(error, OSError) and self._files:
            error.add_note(f"What was read until then is kept in {self.folder}")

    def fill(
        self,
        parts: Sequence[Part],
        finish: Callable[[Iterable[Item]], Iterable[Item]],
        *,
        channels: str | None = None,
        keep_unlabelled: bool = True,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Read the parts that are not here yet, and finish the items of each.

        Records that have more channels give those that are wanted, e.g. ``"NZ"``. Without
        ``keep_unlabelled`` those are left out no phase of which is labelled.
        """
        self._keep_unlabelled = keep_unlabelled
        while self._n_parts < len(parts):
            self._fill_file(parts, lambda items: _chosen(finish(items), channels), on_progress)
        if on_progress:
            on_progress(len(parts), len(parts))

    def write(self, path: Path, names: Iterable[str], channels: Sequence[str]) -> None:
        """Bring the samples of these records together in one new file.

        Raises:
            OSError: naming the file, if there is no room for it.
        """
        import h5py

        wanted = set(names)
        with new_hdf5(path) as new:
            group = new.file.create_group("data")
            for part in self._files:
                with h5py.File(part) as source:
                    for name in source["data"]:
                        if name in wanted:
                            source.copy(f"data/{name}", group)
                            new.check()
            write_layout(new.file, channels)

    def remove(self) -> None:
        """Remove the folder and all in it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):  # it holds a data set
            self.folder.parent.rmdir()

    def _go_on(self) -> None:
        """Take up the complete files, and remove what was being written."""
        while True:
            path = self._file(len(self._files))
            state = read_json(path.with_suffix(".json"))
            if state is None or not path.is_file():
                break
            self._files.append(path)
            self._n_parts = state["n_parts"]
            self.n_unlabelled = state["n_unlabelled"]
            self.n_unsure = state["n_unsure"]
            self.rows += state["rows"]
            self.bad += [BadRow(*item) for item in state["bad"]]
            self.notes.update(dict.fromkeys(state["notes"]))
        self._names = {row["meta"]["trace_name"] for row in self.rows}
        kept = {self.folder / ORDER, *self._files, *(p.with_suffix(".json") for p in self._files)}
        for path in set(self.folder.iterdir()) - kept:
            path.unlink()

    def _file(self, number: int) -> Path:
        return self.folder / f"part{number:05d}.hdf5"

    def _fill_file(
        self,
        parts: Sequence[Part],
        finish: Callable[[Iterable[Item]], Iterable[Item]],
        on_progress: Callable[[int, int], None] | None,
    ) -> None:
        """Read parts into one file; the state beside it says that it is complete."""
        n_rows, n_bad, known = len(self.rows), len(self.bad), set(self.notes)
        path = self._file(len(self._files))
        with new_hdf5(path) as new:
            new.file.create_group("data")
            while self._n_parts < len(parts) and len(self.rows) - n_rows < RECORDS_A_FILE:
                with warnings.catch_warnings(record=True, action="always") as caught:
                    for item in finish(parts[self._n_parts]()):
                        self._take(item, new.file)
                        new.check()
                self.note(caught)
                self._n_parts += 1
                if on_progress:
                    on_progress(self._n_parts, len(parts))
        state = {
            "n_parts": self._n_parts,
            "n_unlabelled": self.n_unlabelled,
            "n_unsure": self.n_unsure,
            "rows": self.rows[n_rows:],
            "bad": [(item.row, item.text) for item in self.bad[n_bad:]],
            "notes": [text for text in self.notes if text not in known],
        }
        # Unsorted: the rows keep the order of the table's columns.
        write_json(state, path.with_suffix(".json"), sort_keys=False)
        self._files.append(path)

    def note(self, caught: Iterable[warnings.WarningMessage]) -> None:
        """Keep warnings of records, and let all others go their way."""
        for warning in caught:
            if issubclass(warning.category, RecordWarning):
                self.notes[str(warning.message)] = None
            else:
                warnings.warn_explicit(
                    warning.message, warning.category, warning.filename, warning.lineno
                )

    def _take(self, item: Item, file: h5py.File) -> None:
        self.n_unsure += isinstance(item, JoinedRecord) and bool(item.unsure)
        if isinstance(item, BadRow):
            self.bad.append(item)
        elif not item.arrivals and not self._keep_unlabelled:
            self.n_unlabelled += 1
        elif any(item.arrivals.values()) and _is_constant(item.waveform.data):
            text = f"{item.name}: dead: every channel is constant, and it has labels"
            self.bad.append(BadRow(None, text))
        else:
            name = self._free_name(item.name)
            data = item.waveform.data
            file.create_dataset(f"data/{name}", data=data.T, compression="gzip")
            meta = {key: _plain(value) for key, value in metadata_row(name, item).items()}
            channels = list(item.waveform.channels)
            row = {"meta": meta, "channels": channels, "digests": digests_of(item)}
            self.rows.append({**row, "growth": count_growth(item)})

    def _free_name(self, wanted: str) -> str:
        """Return a name that is not taken yet and that SeisBench can find again."""
        base = NOT_IN_NAMES.sub("_", wanted.strip()).strip(".")
        if NO_NAME.fullmatch(base):
            base = f"record_{base}" if base else f"record_{len(self._names):06d}"
        name, count = base, 1
        while name in self._names:
            count += 1
            name = f"{base}_{count}"
        self._names.add(name)
        return name


def _chosen(items: Iterable[Item], wanted: str | None) -> Iterator[Item]:
    """Yield the items, records with their channels as E, N, Z, in this order, or those wanted."""
    for item in items:
        if isinstance(item, BadRow):
            yield item
            continue
        wave = item.waveform
        components = components_of(wave.channels)
        if len(components) < len(wave.channels):
            yield item
            continue
        columns = {component: wave.channels.index(c) for c, component in components.items()}
        names = tuple(name for name in COMPONENTS if name in columns)
        if wanted and set(wanted) <= set(names):
            names = tuple(wanted)
        data = wave.data[:, [columns[name] for name in names]]
        yield replace(item, waveform=replace(wave, data=data, channels=names))


def _plain(value: Any) -> Any:
    """Return a value that is equal to itself after JSON."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.item() if hasattr(value, "item") else value


def _is_constant(data: np.ndarray) -> bool:
    return bool((data == data[:1]).all())
