"""A trained network as a preset of the repository: its folder, its runs, its model card."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from phasenet_keras import PhaseNet

__all__ = ["publish"]

RUN_RECORD = ("config.json", "history.csv")


def publish(net: PhaseNet, runs: Mapping[str, Path], folder: Path, **facts: Any) -> None:
    """Write a preset folder; a model card that is there stays.

    Args:
        net: with a contract.
        runs: the run folders, by what their names in the preset folder begin with.
        folder: of the preset, which is named after it.
        **facts: changes of the contract.
    """
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8") if card.is_file() else None
    net.save_preset(folder, name=folder.name, **facts)
    if text is not None:
        card.write_text(text, encoding="utf-8")
    for prefix, run in runs.items():
        for name in RUN_RECORD:
            shutil.copyfile(run / name, folder / f"{prefix}{name}")
