"""Presets: a folder with weights and the whole signal contract that they need.

``preset.json`` (the contract), ``model.weights.h5``, ``golden.npz`` (an input and its output),
``README.md`` (the model card), of a run ``learnt.csv`` (what trained it). A folder without weights
but with a download source, as the official ``ncedc``, is completed in the cache on first use.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phasenet_keras.data.settings import by_name
from phasenet_keras.io.channels import channel_names
from phasenet_keras.io.hdf5_files import new_hdf5
from phasenet_keras.io.index import check_path
from phasenet_keras.io.new_files import folder_to_write, json_of
from phasenet_keras.models.contract import Preset
from phasenet_keras.models.preset_places import (
    CONTRACT,
    cache_folder,
    comes_with_program,
    find_preset,
)
from phasenet_keras.models.weights import adapt_channels, check_weight_set, rebalance_kernels
from phasenet_keras.short_repr import three_digits
from phasenet_keras.types import ConfigError, PresetError, ShapeError

if TYPE_CHECKING:
    from phasenet_keras.models.litert import NetworkWeights
    from phasenet_keras.models.phasenet import PhaseNet

__all__ = [
    "FILES",
    "LEARNT",
    "check_golden",
    "check_preset",
    "completed_place",
    "load_preset",
    "preset_place",
    "read_preset",
    "write_preset",
]

WEIGHTS, GOLDEN, CARD = "model.weights.h5", "golden.npz", "README.md"
LEARNT = "learnt.csv"
FILES = (CONTRACT, WEIGHTS, GOLDEN, CARD, LEARNT)
GOLDEN_TOLERANCE = 1e-5


def completed_place(preset: Preset) -> Path:
    """Return where in the cache a preset that is a download is put together."""
    return cache_folder() / preset.name / "preset"


def preset_place(folder: Path) -> str:
    """Say where a preset's weights are: here, in its folder, the cache, or still to be fetched."""
    if (folder / WEIGHTS).is_file():
        return "come with the program" if comes_with_program(folder) else str(folder)
    preset = _read_contract(folder)
    if (completed_place(preset) / WEIGHTS).is_file():
        return str(cache_folder() / preset.name)
    return "fetched on first use" if preset.source.get("url") else "no weights"


def read_preset(name_or_path: str | os.PathLike[str]) -> Preset:
    """Read a preset's contract, without its weights and without Keras.

    Raises:
        PresetError: if there is no such preset or its ``preset.json`` is damaged.
    """
    return _read_contract(find_preset(name_or_path))


def load_preset(
    name_or_path: str | os.PathLike[str],
    *,
    channels: str | Sequence[str] | None = None,
    phases: Sequence[str] | None = None,
    adapt: str = "select",
    rebalance: bool | None = None,
) -> tuple[Preset, dict[str, np.ndarray]]:
    """Read contract and weights; see `PhaseNet.from_preset` for the arguments.

    Raises:
        PresetError: if there is no such preset, it is damaged, cannot be fetched, or has other
            phases than asked for.
    """
    folder = find_preset(name_or_path)
    preset = _read_contract(folder)
    if phases is not None and tuple(phases) != preset.config.phases:
        raise PresetError(
            f"preset '{preset.name}' gives phases {','.join(preset.config.phases)} in this order; "
            f"{','.join(phases)} was asked for. They are not changed: take the picks of the phases "
            "wanted from all, or train a network of these, PhaseNet(phases=…), anew"
        )
    folder = _complete(folder, preset)
    weights = _read_weights(folder, preset)
    if channels is not None:
        wanted = channel_names(channels, preset.config.channels)
        preset, weights = _with_channels(preset, weights, wanted, adapt)
    if preset.rebalance if rebalance is None else rebalance:
        weights = rebalance_kernels(weights, preset.config)
    return preset, weights


def write_preset(
    net: PhaseNet | NetworkWeights,
    path: str | os.PathLike[str],
    *,
    preset: Preset | None = None,
    **changes: Any,
) -> Preset:
    """Write a network as a preset folder; see `PhaseNet.save_preset`."""
    # The folder itself, also for "." and links.
    path = check_path(path, "a folder").expanduser().resolve()
    preset = preset or net.preset
    if preset is None:
        raise PresetError(
            "this network has no signal contract: pass preset=Preset(name, config, sampling_rate, "
            "window_samples, …)"
        )
    preset.check_network(net.config)
    if "config" in changes:
        raise ConfigError(
            "config is the network's own and stays: leave it out, or save a network made with it"
        )
    preset = replace(preset, config=net.config, **by_name(changes, Preset, "a preset"))
    is_preset = (path / CONTRACT).is_file()
    if path.exists() and not is_preset and (not path.is_dir() or any(path.iterdir())):
        raise PresetError(f"{path} exists and is no preset: choose an empty or a new folder")
    if path == Path.cwd():
        raise PresetError(f"{path} is the working folder: name a folder in it")
    folder_to_write(path.parent).mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        _write_weights(net.get_weight_set(), beside / WEIGHTS)
        golden = golden_input(preset)
        np.savez_compressed(beside / GOLDEN, x=golden, y=_answer(net, golden))
        (beside / CARD).write_text(_model_card(preset), encoding="utf-8")
        _write_contract(preset, beside)
        beside.chmod(0o755)
        _put_in_place(beside, path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return preset


def _put_in_place(beside: Path, path: Path) -> None:
    """Rename a finished folder to ``path``; a preset there goes only then, other files stay."""
    if not path.exists():
        beside.replace(path)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{path.name}-old-", dir=path.parent))
    path.replace(old)
    try:
        beside.replace(path)
    except OSError:
        old.replace(path)
        raise
    for item in old.iterdir():
        if item.name not in FILES:
            item.replace(path / item.name)
    shutil.rmtree(old, ignore_errors=True)


def check_golden(net: PhaseNet, folder: str | os.PathLike[str]) -> float:
    """Run a preset's golden input and return the largest difference of a probability.

    Raises:
        PresetError: if it exceeds 1e-5, or ``golden.npz`` cannot be read.
    """
    path = Path(folder) / GOLDEN
    try:
        with np.load(path) as golden:
            x, y = golden["x"], golden["y"]
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise PresetError(f"{path} cannot be read: {error}") from error
    n_channels, n_phases = len(net.config.channels), len(net.config.phases)
    if x.ndim != 3 or x.shape[2] != n_channels or y.shape != (*x.shape[:2], n_phases):
        raise PresetError(f"{path} is for another network: x {x.shape}, y {y.shape}")
    difference = float(np.abs(_answer(net, x) - y).max())
    if not difference <= GOLDEN_TOLERANCE:
        raise PresetError(
            f"preset {folder} does not reproduce its golden output on this machine: probabilities "
            f"differ by {difference:.2g}, allowed {GOLDEN_TOLERANCE:g}"
        )
    return difference


def _answer(net: PhaseNet | NetworkWeights, x: np.ndarray) -> np.ndarray:
    # Not predict: it compiles anew for every network, and says so.
    y = net(x.astype(np.float32), training=False)
    if isinstance(y, np.ndarray):
        return y
    from keras import ops

    return ops.convert_to_numpy(y)


def check_preset(name_or_path: str | os.PathLike[str]) -> float:
    """Load a preset and compare with its golden output; see `check_golden`."""
    from phasenet_keras.models.phasenet import PhaseNet

    preset, weights = load_preset(name_or_path)
    net = PhaseNet(preset.config)
    net.set_weight_set(weights)
    return check_golden(net, _complete(find_preset(name_or_path), preset))


def _complete(folder: Path, preset: Preset) -> Path:
    """Return the folder with a preset's weights, which may first have to be fetched."""
    if (folder / WEIGHTS).is_file():
        return folder
    from phasenet_keras.models.fetch import completed_folder

    return completed_folder(preset, folder)


def golden_input(preset: Preset) -> np.ndarray:
    """Return ``(2, window, channels)``: noise with two onsets, the same in every version."""
    rng = np.random.default_rng(20190703)
    n, n_channels = preset.window_samples, len(preset.config.channels)
    x = rng.standard_normal((2, n, n_channels))
    for onset in (n // 3, n // 2):
        decay = np.exp(-np.arange(n - onset) / (0.1 * n))
        x[:, onset:] += 8.0 * decay[:, None] * rng.standard_normal((2, n - onset, n_channels))
    return ((x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)).astype(np.float32)


def _with_channels(
    preset: Preset, weights: dict[str, np.ndarray], channels: tuple[str, ...], adapt: str
) -> tuple[Preset, dict[str, np.ndarray]]:
    kernel = adapt_channels(weights["input_conv/kernel"], preset.config.channels, channels, adapt)
    if channels == preset.config.channels:
        return preset, weights
    config = replace(preset.config, channels=channels)
    source = {**preset.origin, "adapted": f"{adapt} {''.join(preset.config.channels)}"}
    return replace(preset, config=config, source=source), {**weights, "input_conv/kernel": kernel}


def _read_contract(folder: Path) -> Preset:
    values = _contract_values(folder)
    try:
        return Preset.from_dict({k: v for k, v in values.items() if k != "files_sha256"})
    except PresetError as error:
        raise PresetError(f"{folder / CONTRACT}: {error}") from error


def _contract_values(folder: Path) -> dict[str, Any]:
    path = folder / CONTRACT
    try:
        values = json_of(path.read_bytes())
    except (OSError, ValueError) as error:
        raise PresetError(f"{path} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise PresetError(f"{path} should hold a JSON object, it holds a {type(values).__name__}")
    return values


def _write_contract(preset: Preset, folder: Path) -> None:
    values = preset.to_dict()
    values["files_sha256"] = {name: sha256_of(folder / name) for name in (WEIGHTS, GOLDEN)}
    text = json.dumps(values, indent=2, sort_keys=True) + "\n"
    (folder / CONTRACT).write_text(text, encoding="utf-8")


def _read_weights(folder: Path, preset: Preset) -> dict[str, np.ndarray]:
    path = folder / WEIGHTS
    digests = _contract_values(folder).get("files_sha256")
    stated = digests.get(WEIGHTS) if isinstance(digests, dict) else None
    if stated is None:
        raise PresetError(f"{folder / CONTRACT} states no checksum of {WEIGHTS}")
    if sha256_of(path) != stated:
        raise PresetError(
            f"{path} is damaged or was changed: its SHA-256 is not the one in {CONTRACT}. "
            "Copy the preset again, or save the network anew with save_preset."
        )
    import h5py

    weights: dict[str, np.ndarray] = {}

    def collect(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            weights[name] = item[()]

    try:
        with h5py.File(path) as file:
            file.visititems(collect)
        check_weight_set(weights, preset.config, source=str(path))
    except OSError as error:
        raise PresetError(f"{path} is no readable HDF5 file: {error}") from error
    except ShapeError as error:
        raise PresetError(str(error)) from error
    return weights


def _write_weights(weights: Mapping[str, np.ndarray], path: Path) -> None:
    # By layer name: Keras' own weight files number most layers of a subclassed model.
    with new_hdf5(path) as new:
        for name, array in weights.items():
            new.file.create_dataset(name, data=array, track_times=False)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise PresetError(f"{path} cannot be read: {error}") from error


def _model_card(preset: Preset) -> str:
    thresholds = ", ".join(f"{phase} {value:g}" for phase, value in preset.thresholds.items())
    origin = preset.source.get("origin", "not stated")
    return f"""# {preset.name}

{preset.description or "A PhaseNet preset."}

| what | value |
|---|---|
| channels, in order | {", ".join(preset.config.channels)} |
| phases, in order | {", ".join(preset.config.phases)} |
| sampling rate | {preset.sampling_rate:g} Hz |
| training window | {preset.window_samples} samples |
| normalisation | {preset.normalization} |
| thresholds | {thresholds} |
| least distance of two picks | {three_digits(preset.min_distance_s)} s |
| origin | {origin} |
| licence | {preset.license} |
| citation | {preset.citation or "none"} |
"""
