"""What a data set of `prepare` says of itself: what it was made from, and whether it is whole."""

from __future__ import annotations

import csv
import shutil
from collections import deque
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from phasenet_keras.io.dataset_table import METADATA
from phasenet_keras.io.index import check_path
from phasenet_keras.io.labels.files import Labels, given_labels, label_files
from phasenet_keras.io.new_files import folder_to_write, others_in, read_json
from phasenet_keras.io.seisbench import PREPARED, WAVEFORMS, dataset_chunks, holds_dataset
from phasenet_keras.io.sources import input_files
from phasenet_keras.io.wording import some
from phasenet_keras.picking.one_run import LOCK
from phasenet_keras.training.staging import ORDER, STAGE
from phasenet_keras.types import ConfigError

__all__ = [
    "check_output",
    "damage_of",
    "keep_table",
    "order_of",
    "read_note",
    "refuse_no_dataset",
    "refuse_other",
    "whole_marks",
]

# A change of this number makes finished data sets be built anew.
LAYOUT = 5


def order_of(
    waveforms: str | PathLike[str],
    labels: Labels | None,
    output: Path,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what was asked for, with the sizes and times of the inputs, as JSON can hold it."""
    paths = [*input_files(waveforms, labels, output), *label_files(labels)]
    inputs = {}
    for path in paths:
        if path.is_file():
            about = path.stat()
            inputs[str(path.resolve())] = [about.st_size, about.st_mtime_ns]
    return {
        "inputs": inputs,
        "labels": _said(labels),
        "layout": LAYOUT,
        # Without those that are not set: a new one leaves the data sets of before as they are.
        "settings": {name: value for name, value in settings.items() if value is not None},
        "waveforms": str(Path(waveforms).resolve()),
    }


def _said(labels: Labels | None) -> str | None:
    """Return where labels are as one text; None where the waveforms hold them."""
    return ", ".join(str(Path(item).resolve()) for item in given_labels(labels)) or None


def check_output(waveforms: str | PathLike[str], labels: Labels | None, output: Path) -> None:
    """Refuse a folder that a data set cannot be put in, before any work is done.

    Raises:
        ConfigError: if it cannot be written, or if waveforms or labels are in it, which would be
            lost; and if the waveforms have no name.
    """
    if check_path(waveforms).resolve() == output.resolve():
        raise ConfigError(f"{output} is the source itself: write elsewhere")
    folder_to_write(output)
    for given in (waveforms, *given_labels(labels)):
        if output.resolve() in (Path(given).resolve(), *Path(given).resolve().parents):
            raise ConfigError(
                f"{given} is in {output}, where the data set takes the place of what is there: "
                "name a folder of its own with --output (in Python output=)"
            )


def refuse_no_dataset(output: Path) -> None:
    """Refuse a folder that holds files of others, with or without --overwrite.

    What lies beside a data set stays as it is.

    Raises:
        ConfigError: naming some of what is there.
    """
    stage = output / STAGE
    is_begun = read_json(stage / ORDER) is not None
    if not is_begun and others_in(stage):
        raise ConfigError(
            f"{stage} is not of prepare, which would remove it: name another folder with --output "
            "(in Python output=)"
        )
    others = others_in(output, {LOCK})
    if others and not (is_begun or read_note(output) or _is_dataset(output)):
        raise ConfigError(
            f"{output} holds what is no data set ({some(others)}): name an empty or a new folder "
            "with --output (in Python output=)"
        )


def _is_dataset(folder: Path) -> bool:
    """Tell if the files of a data set are that, and not others of these names."""
    tables = [table for table, _ in dataset_chunks(folder)]
    return bool(tables) and all(map(_has_traces, tables))


def _has_traces(table: Path) -> bool:
    """Tell if a table has a column of SeisBench's: all that it needs begin so."""
    try:
        with table.open(encoding="utf-8", errors="replace") as file:
            return "trace_" in file.readline()
    except OSError:
        return False


def read_note(output: Path) -> dict[str, Any] | None:
    """Return what `prepare` has left beside a data set, None where there is none."""
    note = read_json(output / PREPARED)
    return note if isinstance(note, dict) and isinstance(note.get("order"), dict) else None


def whole_marks(output: Path, n_records: int) -> dict[str, int]:
    """Return what tells, later, if the files of a finished data set are still whole."""
    return {"n_records": n_records, "waveform_bytes": (output / WAVEFORMS).stat().st_size}


def damage_of(output: Path, note: Mapping[str, Any]) -> str:
    """Say which file of a data set is not as it was written; empty if both are.

    A table that was edited is none: its rows may be others, but they are whole.
    """
    table, waveforms = output / METADATA, output / WAVEFORMS
    missing = [path for path in (table, waveforms) if not path.is_file()]
    if missing:
        return f"{missing[0]} was not there"
    size, written = waveforms.stat().st_size, note.get("waveform_bytes")
    if size != written:
        return f"{waveforms} had {size} bytes, {written} were written"
    return "" if _ends_whole(table) else f"{table} ended in the midst of a row"


def _ends_whole(table: Path) -> bool:
    """Tell if the last row is whole; editors may leave out the end of its line."""
    with table.open("rb") as file:
        file.seek(max(0, table.stat().st_size - 1))
        if file.read() == b"\n":
            return True
    with table.open(newline="", encoding="utf-8", errors="replace") as file:
        rows = csv.reader(file, strict=True)
        try:
            header, last = next(rows, []), deque(rows, maxlen=1)
        except csv.Error:  # within quotes
            return False
    return bool(last) and len(last[0]) == len(header)


def keep_table(output: Path) -> str:
    """Copy the table of a data set that is built anew, for it may have been edited; say so."""
    table = output / METADATA
    if not table.is_file():
        return ""
    kept = table.with_name(f"{METADATA}.old")
    shutil.copy2(table, kept)
    return f"; the table that was there is kept as {kept}"


def refuse_other(
    output: Path, note: Mapping[str, Any] | None, order: Mapping[str, Any], *, begun: Any
) -> None:
    """Refuse a folder that holds another data set than the one asked for.

    An ended run that had begun with the same order there was allowed to.

    Raises:
        ConfigError: saying what differs.
    """
    if begun == order or not (note or holds_dataset(output)):
        return
    if note is not None and note["order"] == order:
        return
    why = "which was not made by prepare" if note is None else _difference(note["order"], order)
    raise ConfigError(
        f"{output} holds another data set ({why}): name another folder, or prepare --overwrite "
        "(in Python overwrite=True)"
    )


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Say how the order of a data set differs from this one."""
    old, new = before.get("settings", {}), now["settings"]
    for name in ("waveforms", "labels"):
        if before.get(name) != now[name]:
            return f"its {name} are {before.get(name)}"
    for name in {**new, **old}:
        if old.get(name) != new.get(name):
            return f"its {name} is {old.get(name)}, not {new.get(name)}"
    if before.get("layout") != now["layout"]:
        return "made by another version of this program"
    inputs = before.get("inputs", {})
    changed = sorted(
        Path(path).name
        for path in {*inputs, *now["inputs"]}
        if inputs.get(path) != now["inputs"].get(path)
    )
    return f"{len(changed)} of its inputs have changed: {some(changed)}"
