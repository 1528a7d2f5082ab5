"""Where presets are: folders that are named, those that come with the program, the cache."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from phasenet_keras.io.index import check_path
from phasenet_keras.io.new_files import read_json
from phasenet_keras.types import PresetError, nearest_name

__all__ = [
    "BEST",
    "CACHE_VARIABLE",
    "CONTRACT",
    "PRESETS_VARIABLE",
    "ROUNDS",
    "RUN_SETTINGS",
    "VALIDATED",
    "cache_folder",
    "comes_with_program",
    "find_preset",
    "list_presets",
]

PRESETS_VARIABLE = "PHASENET_KERAS_PRESETS"
CACHE_VARIABLE = "PHASENET_KERAS_CACHE"
CONTRACT = "preset.json"
# Of a training run: what it was begun with, its best network so far, and the one that it ends with.
RUN_SETTINGS, VALIDATED, BEST = "config.json", "validated", "best"
# Of self-training: the rounds that are done.
ROUNDS = "rounds.json"


def cache_folder() -> Path:
    """Return the folder for downloads: ``PHASENET_KERAS_CACHE``, or the user's cache."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "phasenet_keras"


def preset_roots() -> list[Path]:
    """Return the folders that hold presets, the first to be searched first."""
    variable = os.environ.get(PRESETS_VARIABLE, "")
    named = [Path(folder).expanduser() for folder in variable.split(os.pathsep) if folder]
    return [*named, *_own_roots()]


def comes_with_program(folder: Path) -> bool:
    """Tell if a preset's folder is one of the program's own."""
    return folder.parent in _own_roots()


def _own_roots() -> list[Path]:
    package = Path(__file__).resolve().parents[1]
    # Installed, the presets are a sub-package; in a checkout they stand beside the package.
    return [package / "pretrained", package.parent / "pretrained"]


def list_presets() -> dict[str, Path]:
    """Return every preset that can be named, with its folder; of a run that of its best network.

    Example:
        >>> "ncedc" in list_presets()
        True
    """
    found: dict[str, Path] = {}
    for root in preset_roots():
        for path in sorted(root.glob("*")):
            if folder := _preset_in(path):
                found.setdefault(path.name, folder)
    return found


def _preset_in(path: Path) -> Path | None:
    """Return the folder of the preset that a folder is or, of a run, holds: its best network."""
    folders = (path, path / BEST)
    return next((folder for folder in folders if (folder / CONTRACT).is_file()), None)


def find_preset(name_or_path: str | os.PathLike[str]) -> Path:
    """Return the folder of a preset: a path first, then a name.

    Raises:
        PresetError: if there is none; it names the nearest and all known ones.
        ConfigError: for what is no name.
    """
    path = check_path(name_or_path, "a preset")
    with suppress(RuntimeError):  # a home of nobody, which is then a name as any other
        path = path.expanduser()
    if folder := _preset_in(path):
        return folder
    known = list_presets()
    name = os.fspath(name_or_path)
    if name in known:
        return known[name]
    if path.is_dir():
        raise PresetError(f"folder {path} is no preset: {_why_none(path)}")
    if path.is_file():
        raise PresetError(
            f"{path} is a file, a preset is a folder with a {CONTRACT}: name its folder, or make "
            "one of weights of other programs by `phasenet-keras convert`, of a network in Python "
            "by its save_preset"
        )
    raise PresetError(
        f"no preset '{name}'.{nearest_name(name, known)} Known: {', '.join(known) or 'none'}; a "
        f"folder with a {CONTRACT} serves too, and {PRESETS_VARIABLE} names folders to search."
    )


def _why_none(folder: Path) -> str:
    """Say why a folder is no preset, and what to give in its place."""
    settings = read_json(folder / RUN_SETTINGS)
    is_run = isinstance(settings, dict) and "train_records" in settings
    if not is_run and not (folder / ROUNDS).is_file():
        return f"it has no {CONTRACT}"
    verb, best_so_far = ("train" if is_run else "selftrain"), folder / VALIDATED
    text = f"the run in it has not ended. Give the same {verb} command again, and it goes on"
    if (best_so_far / CONTRACT).is_file():
        text += f"; or take {best_so_far}, its best network so far"
    return text
