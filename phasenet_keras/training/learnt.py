"""Which records a network has learnt from: a table in its preset's folder."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.io.new_files import beside_then_rename
from phasenet_keras.models.preset_places import find_preset
from phasenet_keras.models.presets import LEARNT
from phasenet_keras.training.splits import digests_of
from phasenet_keras.types import LabelledWaveform, PresetError

if TYPE_CHECKING:
    from phasenet_keras.models.phasenet import PhaseNet

__all__ = ["carry_learnt", "learnt_of", "read_learnt", "said_of_learnt", "write_learnt"]

DIGEST = "samples_sha256"


def write_learnt(folder: Path, records: Sequence[LabelledWaveform]) -> None:
    """Write into a preset's folder which records trained it, by name and digests of the samples."""
    _write(folder, [(record.name, " ".join(digests_of(record))) for record in records])


def read_learnt(preset: str) -> list[tuple[str, str]]:
    """Return name and digests of the records that are known to have trained a preset.

    Raises:
        PresetError: for a table that cannot be read.
    """
    path = find_preset(preset) / LEARNT
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [(row["name"], row[DIGEST]) for row in csv.DictReader(file)]
    except (OSError, ValueError, KeyError) as error:
        raise PresetError(f"{path} cannot be read ({error!r}): remove it, or train anew") from error


def learnt_of(net: PhaseNet) -> list[tuple[str, str]]:
    """Return what trained a network, as far as the folder that it was loaded from still tells.

    Raises:
        PresetError: for a table that cannot be read.
    """
    if net.origin is None or not (net.origin / LEARNT).is_file():
        return []
    return read_learnt(str(net.origin))


def carry_learnt(learnt: Sequence[tuple[str, str]], run: Path) -> None:
    """Add what a parent had learnt to the table of the network that was made of it."""
    if learnt:
        rows = dict.fromkeys((*read_learnt(str(run)), *learnt))
        _write(find_preset(run), list(rows))


def said_of_learnt(preset: str, records: Sequence[LabelledWaveform]) -> str:
    """Say how many of some records trained a preset, or those that it was fine-tuned from.

    Args:
        preset: name, or folder.
        records: to be scored.

    Returns:
        A sentence; empty where none did, or nothing tells.

    Raises:
        PresetError: for a table that cannot be read.
    """
    learnt = {digest for _, digests in read_learnt(preset) for digest in digests.split()}
    n_learnt = sum(not learnt.isdisjoint(digests_of(record)) for record in records)
    if not n_learnt:
        return ""
    return (
        f"{n_learnt} of {len(records)} records trained this network or what it was made "
        "from: their scores say nothing of others"
    )


def _write(folder: Path, rows: Sequence[tuple[str, str]]) -> None:
    with beside_then_rename(folder / LEARNT) as file:
        csv.writer(file, lineterminator="\n").writerows([("name", DIGEST), *rows])
