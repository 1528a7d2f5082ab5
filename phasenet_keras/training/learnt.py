"""Which records a network has learnt from: a table in its preset's folder."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from phasenet_keras.io.new_files import beside_then_rename
from phasenet_keras.models.preset_places import find_preset
from phasenet_keras.models.presets import LEARNT
from phasenet_keras.training.splits import digest_of
from phasenet_keras.types import LabelledWaveform, PresetError

__all__ = ["carry_learnt", "said_of_learnt", "write_learnt"]

DIGEST = "samples_sha256"


def write_learnt(folder: Path, records: Sequence[LabelledWaveform]) -> None:
    """Write into a preset's folder which records trained it, by name and digest of the samples."""
    with beside_then_rename(folder / LEARNT) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("name", DIGEST))
        writer.writerows((record.name, digest_of(record)) for record in records)


def carry_learnt(preset: str, run: Path) -> None:
    """Copy the table of a parent that was kept into the run's folder: it is the same network."""
    table = find_preset(preset) / LEARNT
    if table.is_file():
        with beside_then_rename(find_preset(run) / LEARNT) as file:
            file.write(table.read_text(encoding="utf-8"))


def said_of_learnt(preset: str, records: Sequence[LabelledWaveform]) -> str:
    """Say how many of some records trained a preset; empty where none did, or nothing tells.

    Args:
        preset: name, or folder. What its parent had learnt is not known here.
        records: to be scored.

    Raises:
        PresetError: for a table that cannot be read.
    """
    path = find_preset(preset) / LEARNT
    if not path.is_file():
        return ""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            learnt = {row[DIGEST] for row in csv.DictReader(file)} - {""}
    except (OSError, ValueError, KeyError) as error:
        raise PresetError(f"{path} cannot be read ({error!r}): remove it, or train anew") from error
    n_learnt = sum(digest_of(record) in learnt for record in records)
    if not n_learnt:
        return ""
    return (
        f"{n_learnt} of {len(records)} records trained this network: their scores say nothing of "
        "others"
    )
