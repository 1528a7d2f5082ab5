"""Presets whose weights are somebody else's: fetched once, converted, kept in the cache."""

from __future__ import annotations

from pathlib import Path

from phasenet_keras.models.contract import Preset
from phasenet_keras.models.preset_places import CACHE_VARIABLE
from phasenet_keras.models.presets import completed_place, read_preset, sha256_of
from phasenet_keras.types import FormatError, PresetError, ShapeError

__all__ = ["completed_folder"]


def completed_folder(preset: Preset, folder: Path) -> Path:
    """Return a cached copy of a preset with its weights, making it on first use.

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
    place = complete.parent
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PresetError(
            f"the cache folder {place} cannot be written ({error.strerror}): set {CACHE_VARIABLE} "
            "to one that can"
        ) from error
    if not _is_of(complete, preset):
        files = [_fetched(preset, name, digest, place) for name, digest in _files(preset)]
        _convert(preset, files, complete)
    return complete


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
    except (OSError, requests.RequestException) as error:
        wanted = "\n  ".join(f"{file}  SHA-256 {sha}" for file, sha in _files(preset))
        raise PresetError(
            f"preset '{preset.name}' needs one download and {url} cannot be reached "
            f"({type(error).__name__}). Without a network, put these files into {place} "
            f"(or into {preset.name}/ below the folder that {CACHE_VARIABLE} names), or take a "
            "preset that comes with the program, such as regional, or a folder of your own:\n  "
            f"{wanted}"
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
