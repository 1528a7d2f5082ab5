"""Presets whose weights are somebody else's: fetched once, converted, kept in the cache."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from phasenet_keras.io.new_files import folder_to_write
from phasenet_keras.io.registry import say
from phasenet_keras.models.contract import Preset
from phasenet_keras.models.preset_places import CACHE_VARIABLE
from phasenet_keras.models.presets import completed_place, read_preset, sha256_of
from phasenet_keras.types import ConfigError, FormatError, PresetError, ShapeError

__all__ = ["completed_folder"]


def completed_folder(preset: Preset, folder: Path) -> Path:
    """Return a cached copy of a preset with its weights, making it on first use.

    Of a cache that cannot be written to, such as one that many share, the copy is one of this
    process.

    Args:
        preset: the contract; its ``source`` has ``url`` (a folder) and ``files`` (SHA-256 of
            each).
        folder: where the contract was found, for the error message.

    Raises:
        PresetError: if the preset has no source, or a file can neither be found in the cache nor
            be fetched, or its checksum is wrong.
    """
    if not preset.source.get("files") or not preset.source.get("url"):
        raise PresetError(f"preset folder {folder} has no weights and names no source of any")
    complete = completed_place(preset)
    if _is_of(complete, preset):
        return complete
    place = complete.parent
    try:
        folder_to_write(complete)
    except ConfigError as error:
        complete = Path(_folder_of_this_process(place).name, complete.name)
        if _is_of(complete, preset):
            return complete
        if not all((place / name).is_file() for name, _ in _files(preset)):
            raise PresetError(
                f"preset '{preset.name}' is fetched once into the cache, and {error}: set "
                f"{CACHE_VARIABLE} to a folder that can be written to"
            ) from error
        say(
            f"{place} cannot be written to: what comes of its files is made anew each time, which "
            f"takes some seconds; 'phasenet-keras presets --check {preset.name}' by its owner "
            "leaves it there"
        )
    _convert(preset, [_fetched(preset, *file, place) for file in _files(preset)], complete)
    return complete


@cache
def _folder_of_this_process(_place: Path) -> TemporaryDirectory:
    return TemporaryDirectory(prefix="phasenet-keras-")


def _files(preset: Preset) -> list[tuple[str, str]]:
    return sorted(preset.source["files"].items())


def _is_of(complete: Path, preset: Preset) -> bool:
    """Tell if the cached copy was made from this contract, weights and all."""
    try:
        return read_preset(complete) == preset
    except PresetError:
        return False


def _fetched(preset: Preset, name: str, digest: str, place: Path) -> Path:
    path = place / name
    if path.is_file():
        if sha256_of(path) == digest:
            return path
        raise PresetError(
            f"{path} has the wrong checksum (SHA-256 {sha256_of(path)}, expected {digest}): "
            "delete it to have it fetched again, or put the right file there"
        )
    url = preset.source["url"].rstrip("/") + "/" + name
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")
    try:
        pooch.retrieve(url, known_hash=f"sha256:{digest}", fname=name, path=place)
    except requests.RequestException as error:
        with suppress(OSError):  # not empty
            place.rmdir()
        wanted = "\n  ".join(f"{file}  SHA-256 {sha}" for file, sha in _files(preset))
        raise PresetError(
            f"preset '{preset.name}' needs one download and {url} cannot be reached "
            f"({type(error).__name__}). Without a network, put these files into {place} "
            f"(or into {preset.name}/ below the folder that {CACHE_VARIABLE} names), or take a "
            "preset that comes with the program, such as regional, or a folder of your own:\n  "
            f"{wanted}"
        ) from error
    except OSError as error:  # a full disk, and what permissions do not tell
        raise PresetError(
            f"{path} cannot be written ({error.strerror or error}): set {CACHE_VARIABLE} to a "
            "folder that can be written to"
        ) from error
    except ValueError as error:
        raise PresetError(f"{url} gave a file with the wrong checksum: {error}") from error
    return path


def _convert(preset: Preset, files: list[Path], complete: Path) -> None:
    from phasenet_keras.models.convert import read_foreign_weights
    from phasenet_keras.models.phasenet import PhaseNet

    try:
        weights = read_foreign_weights(next(file for file in files if file.suffix != ".meta"))
        net = PhaseNet(preset.config)
        net.set_weight_set(weights)
    except (FormatError, ShapeError) as error:
        raise PresetError(f"preset '{preset.name}' cannot be converted: {error}") from error
    try:
        net.save_preset(complete, preset)
    except OSError:
        # Another process may have been first, with the same result.
        if not _is_of(complete, preset):
            raise
