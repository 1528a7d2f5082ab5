"""Presets: a folder with weights and the whole signal contract that they need.

``preset.json`` (the contract), ``model.weights.h5``, ``golden.npz`` (an input and its output) and
``README.md`` (the model card). A folder without weights but with a download source, as that of
the official ``ncedc``, is completed in the cache on first use.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phasenet_keras.models.config import PhaseNetConfig
from phasenet_keras.models.weights import adapt_channels, check_weight_set, rebalance_kernels
from phasenet_keras.types import (
    ConfigError,
    PresetError,
    ShapeError,
    nearest_name,
    refuse_unknown,
)

if TYPE_CHECKING:
    from phasenet_keras.models.phasenet import PhaseNet

__all__ = [
    "CACHE_VARIABLE",
    "PRESETS_VARIABLE",
    "Preset",
    "cache_folder",
    "find_preset",
    "list_presets",
    "load_preset",
    "read_preset",
    "write_preset",
]

PRESETS_VARIABLE = "PHASENET_KERAS_PRESETS"
CACHE_VARIABLE = "PHASENET_KERAS_CACHE"
CONTRACT, WEIGHTS, GOLDEN, CARD = "preset.json", "model.weights.h5", "golden.npz", "README.md"
NORMALIZATIONS = ("std",)
GOLDEN_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Preset:
    """The signal contract of a network: what it must be fed, and what its output means.

    Attributes:
        name: of the preset.
        config: the architecture, channel order and phase order.
        sampling_rate: in Hz, that the network was trained at.
        window_samples: length of the training windows; records of any length are padded to
            lengths congruent to it, see `phasenet_keras.data.windows`.
        normalization: ``"std"``: mean removed and divided by the standard deviation, channel by
            channel.
        thresholds: default probability threshold of each phase but noise.
        min_distance_s: default least time between two picks of one phase, in seconds.
        architecture: ``"phasenet"``.
        rebalance: True if weights are to be re-balanced on loading, for training.
        description: one line, for lists.
        source: where the weights come from: ``origin``, and for a download ``url``, ``files``
            (name to SHA-256).
        license, citation: of the weights.

    Raises:
        PresetError: for values that no network could satisfy.
    """

    name: str
    config: PhaseNetConfig
    sampling_rate: float
    window_samples: int
    normalization: str = "std"
    thresholds: Mapping[str, float] = field(default_factory=dict)
    min_distance_s: float = 0.5
    architecture: str = "phasenet"
    rebalance: bool = False
    description: str = ""
    source: Mapping[str, Any] = field(default_factory=dict)
    license: str = "not stated"
    citation: str = ""

    def __post_init__(self) -> None:
        if self.architecture != "phasenet":
            raise PresetError(f"preset '{self.name}': unknown architecture '{self.architecture}'")
        if self.normalization not in NORMALIZATIONS:
            raise PresetError(
                f"preset '{self.name}': normalization is one of {', '.join(NORMALIZATIONS)}, "
                f"received {self.normalization!r}"
            )
        for name, value in (
            ("sampling_rate", self.sampling_rate),
            ("window_samples", self.window_samples),
            ("min_distance_s", self.min_distance_s),
        ):
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                raise PresetError(f"preset '{self.name}': {name} is above 0, received {value!r}")
        if int(self.window_samples) != self.window_samples:
            raise PresetError(f"preset '{self.name}': window_samples is whole")
        thresholds = {phase: 0.3 for phase in self.config.phases[1:]} | dict(self.thresholds)
        refuse_unknown(thresholds, self.config.phases[1:], f"thresholds of preset '{self.name}'")
        for phase, value in thresholds.items():
            if not 0.0 <= value <= 1.0:
                raise PresetError(f"preset '{self.name}': threshold of {phase} is in [0, 1]")
        object.__setattr__(self, "thresholds", thresholds)
        object.__setattr__(self, "sampling_rate", float(self.sampling_rate))
        object.__setattr__(self, "window_samples", int(self.window_samples))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as `from_dict` and JSON take them."""
        return {**asdict(self), "config": self.config.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preset:
        """Build from plain values.

        Raises:
            PresetError: for unknown, missing or impossible values.
        """
        name = values.get("name", "(no name)")
        try:
            refuse_unknown(values, [item.name for item in fields(cls)], "a preset")
            given = dict(values)
            given["config"] = PhaseNetConfig.from_dict(given.get("config", {}))
            return cls(**given)
        except (ConfigError, TypeError, AttributeError) as error:
            raise PresetError(f"preset '{name}': {error}") from error

    def check_network(self, config: PhaseNetConfig) -> None:
        """Refuse a network of other phases, order, channels or size.

        Raises:
            PresetError: naming each setting that differs.
        """
        ours, theirs = self.config.to_dict(), config.to_dict()
        wrong = [
            f"{key}: preset {ours[key]}, network {theirs[key]}"
            for key in ours
            if ours[key] != theirs[key] and key != "dropout_rate"
        ]
        if wrong:
            raise PresetError(f"preset '{self.name}' is not for this network: {'; '.join(wrong)}")


def cache_folder() -> Path:
    """Return the folder for downloads: ``PHASENET_KERAS_CACHE``, or the user's cache."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "phasenet_keras"


def preset_roots() -> list[Path]:
    """Return the folders that hold presets, the first to be searched first."""
    named = [Path(p).expanduser() for p in os.environ.get(PRESETS_VARIABLE, "").split(os.pathsep) if p]
    package = Path(__file__).resolve().parents[1]
    # Installed, the presets are a sub-package; in a checkout they stand beside the package.
    return [*named, package / "pretrained", package.parent / "pretrained"]


def list_presets() -> dict[str, Path]:
    """Return every preset that can be named, with its folder.

    Example:
        >>> "ncedc" in list_presets()
        True
    """
    found: dict[str, Path] = {}
    for root in preset_roots():
        for contract in sorted(root.glob(f"*/{CONTRACT}")):
            found.setdefault(contract.parent.name, contract.parent)
    return found


def find_preset(name_or_path: str | os.PathLike[str]) -> Path:
    """Return the folder of a preset: a path first, then a name.

    Raises:
        PresetError: if there is none; it names the nearest and all known ones.
    """
    path = Path(name_or_path).expanduser()
    if (path / CONTRACT).is_file():
        return path
    known = list_presets()
    name = os.fspath(name_or_path)
    if name in known:
        return known[name]
    if path.is_dir():
        raise PresetError(f"folder {path} is no preset: it has no {CONTRACT}")
    raise PresetError(
        f"no preset '{name}'.{nearest_name(name, known)} Known: {', '.join(known) or 'none'}; a folder "
        f"with a {CONTRACT} serves too, and {PRESETS_VARIABLE} names folders to search."
    )


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
            f"{','.join(phases)} was asked for"
        )
    if not (folder / WEIGHTS).is_file():
        from phasenet_keras.models.fetch import completed_folder

        folder = completed_folder(preset, folder)
        preset = _read_contract(folder)
    weights = _read_weights(folder, preset)
    if channels is not None:
        preset, weights = _with_channels(preset, weights, tuple(channels), adapt)
    if preset.rebalance if rebalance is None else rebalance:
        weights = rebalance_kernels(weights, preset.config)
    return preset, weights


def write_preset(
    net: PhaseNet, path: str | os.PathLike[str], *, preset: Preset | None = None, **changes: Any
) -> Preset:
    """Write a network as a preset folder; see `PhaseNet.save_preset`."""
    path = Path(path)
    preset = preset or net.preset
    if preset is None:
        raise PresetError(
            "this network has no signal contract: pass preset=Preset(name, config, sampling_rate, "
            "window_samples, …)"
        )
    preset.check_network(net.config)
    refuse_unknown(changes, [item.name for item in fields(Preset)], "a preset")
    preset = replace(preset, config=net.config, **changes)
    if path.exists() and not (path / CONTRACT).is_file() and (
        not path.is_dir() or any(path.iterdir())
    ):
        raise PresetError(f"{path} exists and is no preset: choose an empty or a new folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        _write_weights(net.get_weight_set(), beside / WEIGHTS)
        golden = golden_input(preset)
        np.savez_compressed(beside / GOLDEN, x=golden, y=np.asarray(net.predict_on_batch(golden)))
        (beside / CARD).write_text(_model_card(preset), encoding="utf-8")
        _write_contract(preset, beside)
        beside.chmod(0o755)
        if path.exists():
            shutil.rmtree(path)
        beside.replace(path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return preset


def check_golden(net: PhaseNet, folder: str | os.PathLike[str]) -> float:
    """Run a preset's golden input and return the largest difference of a probability.

    Raises:
        PresetError: if it exceeds 1e-5, or ``golden.npz`` cannot be read.
    """
    path = Path(folder) / GOLDEN
    try:
        with np.load(path) as golden:
            x, y = golden["x"], golden["y"]
    except (OSError, KeyError, ValueError) as error:
        raise PresetError(f"{path} cannot be read: {error}") from error
    difference = float(np.abs(np.asarray(net.predict_on_batch(x)) - y).max())
    if not difference <= GOLDEN_TOLERANCE:
        raise PresetError(
            f"preset {folder} does not reproduce its golden output on this machine: probabilities "
            f"differ by {difference:.2g}, allowed {GOLDEN_TOLERANCE:g}"
        )
    return difference


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
    source = {**preset.source, "adapted": f"{adapt} {''.join(preset.config.channels)}"}
    return replace(preset, config=config, source=source), {**weights, "input_conv/kernel": kernel}


def _read_contract(folder: Path) -> Preset:
    values = _contract_values(folder)
    values.pop("files_sha256", None)
    return Preset.from_dict(values)


def _contract_values(folder: Path) -> dict[str, Any]:
    path = folder / CONTRACT
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
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
    stated = _contract_values(folder).get("files_sha256", {}).get(WEIGHTS)
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
    import h5py

    with h5py.File(path, "w") as file:
        for name, array in weights.items():
            file.create_dataset(name, data=array, track_times=False)


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
| least distance of two picks | {preset.min_distance_s:g} s |
| origin | {origin} |
| licence | {preset.license} |
| citation | {preset.citation or "none"} |
"""
