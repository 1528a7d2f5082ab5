"""Weights of other programs, by layer name, as weight sets of `PhaseNet`'s names.

One small converter an origin: the official TensorFlow 1 checkpoint, Keras 2 H5 files of the
earlier Keras port, and SeisBench's files. The first two store 2-D convolutions with kernels of
shape ``(7, 1, in, out)``; the unit axis is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from phasenet_keras.data.settings import FLAG, Kind, number, settled
from phasenet_keras.io.index import check_path
from phasenet_keras.io.new_files import folder_to_write
from phasenet_keras.models.config import NOISE, PhaseNetConfig
from phasenet_keras.models.contract import Preset
from phasenet_keras.models.presets import FILES, sha256_of
from phasenet_keras.models.seisbench_weights import (
    for_our_deviation,
    json_beside,
    keras_arrays,
    seisbench_contract,
    seisbench_layers,
)
from phasenet_keras.models.stages import ConvSpec, convolutions
from phasenet_keras.models.torch_files import is_torch_file, read_state_dict
from phasenet_keras.models.weights import (
    BATCH_NORM_VARIABLES,
    FIRST_KERNEL,
    infer_config,
    rebalance_kernels,
)
from phasenet_keras.types import ConfigError, FormatError, PresetError, ShapeError, refuse_unknown

__all__ = [
    "convert_preset",
    "read_foreign_weights",
    "read_keras2_h5",
    "read_seisbench_pt",
    "read_tf1_checkpoint",
]

# What optimizers leave in a checkpoint beside the weights.
NOT_WEIGHTS = ("/Adam", "/Momentum", "beta1_power", "beta2_power", "global_step")
# A wrong file must not make a network of a thousand levels.
MAX_DEPTH = 12
# Samples between two picks of one phase in the official code's post-processing.
OFFICIAL_MIN_DISTANCE = 50
NEEDED = {
    "sampling_rate": ("a sampling rate is above 0 Hz", "--sampling-rate-hz"),
    "window_samples": ("window_samples is the length of the training windows", "--window"),
}
RATE_HZ = Kind("above 0 Hz", number(above=0).take)


def read_foreign_weights(path: str | Path) -> dict[str, np.ndarray]:
    """Read a checkpoint, an H5 file or a PyTorch file, whichever it is.

    Args:
        path: an ``.h5``/``.hdf5`` file, a ``.pt`` of SeisBench's, any file of a TF1 checkpoint
            (``.index``, ``.data-…``), its prefix (``model_95.ckpt``), or a folder that holds
            exactly one checkpoint.

    Returns:
        ``{"layer/variable": float32 array}`` with `PhaseNet`'s names; the outputs as they are in
        the file, noise first or not.

    Raises:
        FormatError: if it is none of these, or cannot be read.
        ShapeError: if its names or shapes are not those of a PhaseNet; it lists what differs.
    """
    path = Path(path)
    if path.suffix.lower() in (".h5", ".hdf5"):
        return read_keras2_h5(path)
    if is_torch_file(path) or ".pt" in path.suffixes:
        return read_seisbench_pt(path)
    return read_tf1_checkpoint(path)


def convert_preset(
    weights_path: str | Path,
    folder: str | Path,
    *,
    sampling_rate: float | None = None,
    window_samples: int | None = None,
    channels: Sequence[str] | None = None,
    phases: Sequence[str] | None = None,
    name: str | None = None,
    rebalance: bool = False,
    overwrite: bool = False,
    **contract: Any,
) -> Preset:
    """Convert foreign weights into a preset folder.

    Args:
        weights_path: as in `read_foreign_weights`.
        folder: the preset folder to write.
        sampling_rate: of the training data, in Hz; None takes what the JSON beside SeisBench's
            weights says, as do the next three. Other weights have none.
        window_samples: length of the training windows.
        channels: names of the input channels, in order; None: E, N, Z for three, Z for one.
        phases: names of the outputs, in order; None: N, P, S. The preset has noise first.
        name: of the preset; None takes the folder's.
        rebalance: scale kernels to one rms, for training.
        overwrite: True takes the place of a preset in the folder; never of other files.
        **contract: other fields of `Preset`; ``min_distance_s`` defaults to 50 samples, as in
            the official code.

    Returns:
        The signal contract as written.

    Raises:
        FormatError, ShapeError: as in `read_foreign_weights`.
        PresetError: for an impossible contract, or a folder that holds anything.
        ConfigError: for no sampling rate or window, a rate that is none, a field that a contract
            does not have, or a place that cannot be written to.
    """
    from phasenet_keras.models.phasenet import PhaseNet

    own = {"name", "config", "sampling_rate", "window_samples"}
    refuse_unknown(contract, [f.name for f in fields(Preset) if f.name not in own], "a preset")
    check_path(weights_path, "a file")
    given = {
        "sampling_rate": sampling_rate,
        "window_samples": window_samples,
        "channels": channels,
        "phases": phases,
    }
    rebalance = settled("rebalance", FLAG, rebalance)
    _check_place(folder_to_write(folder), overwrite=settled("overwrite", FLAG, overwrite))
    weights = read_foreign_weights(weights_path)
    said = _stated(Path(weights_path), {**given, **contract})
    weights, phases = _noise_first(weights, said.pop("phases", ("N", "P", "S")))
    config = infer_config(weights, said.pop("channels", None), phases)
    source: dict[str, Any] = {"origin": f"converted from {Path(weights_path).name}"}
    if Path(weights_path).is_file():
        source["sha256"] = sha256_of(Path(weights_path))
    values: dict[str, Any] = {
        "min_distance_s": OFFICIAL_MIN_DISTANCE / said["sampling_rate"],
        "source": source,
        **said,
    }
    preset = Preset(
        name=name or Path(folder).resolve().name,
        config=config,
        **values,
    )
    if is_torch_file(weights_path) and preset.normalization == "std":
        kernel = for_our_deviation(weights[FIRST_KERNEL], preset.window_samples)
        weights = weights | {FIRST_KERNEL: kernel}
    if rebalance:
        weights = rebalance_kernels(weights, config)
    net = PhaseNet(config)
    net.set_weight_set(weights)
    return net.save_preset(folder, preset)


def _stated(path: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the contract that is given, and what a JSON beside the weights says besides.

    Raises:
        ConfigError: for a sampling rate that is none, or where it or the window is not said.
    """
    is_torch = is_torch_file(path)
    said = seisbench_contract(path) if is_torch else {}
    is_alone = is_torch and not said
    where = f", and no {json_beside(path).name} is beside them" if is_alone else ""
    said |= {key: value for key, value in given.items() if value is not None}
    for key, (what, flag) in NEEDED.items():
        if said.get(key) is None:
            raise ConfigError(f"{what}, received None: these weights do not say it ({flag}){where}")
    return said | {"sampling_rate": settled("a sampling rate", RATE_HZ, said["sampling_rate"])}


def _check_place(path: Path, *, overwrite: bool) -> None:
    """Refuse a folder for a new preset that holds anything, or anything but a preset.

    Raises:
        PresetError: naming a file in it.
    """
    names = sorted(item.name for item in path.iterdir()) if path.is_dir() else []
    foreign = [name for name in names if name not in FILES]
    if foreign:
        raise PresetError(f"{path} holds {foreign[0]}, which is no part of a preset: name another")
    if names and not overwrite:
        raise PresetError(
            f"{path} holds a preset: name another folder, or --overwrite (in Python overwrite=True)"
        )


def read_tf1_checkpoint(path: str | Path) -> dict[str, np.ndarray]:
    """Read the weights of an official TensorFlow 1 checkpoint.

    Args:
        path: as in `read_foreign_weights`.

    Returns:
        ``{"layer/variable": float32 array}`` with `PhaseNet`'s names.

    Raises:
        FormatError: if there is no readable checkpoint.
        ShapeError: if its names or shapes are not those of the official network.
    """
    prefix = _checkpoint_prefix(Path(path))
    import tensorflow as tf

    try:
        reader = tf.train.load_checkpoint(str(prefix))
        arrays = {
            name: reader.get_tensor(name)
            for name in reader.get_variable_to_shape_map()
            if not any(part in name for part in NOT_WEIGHTS)
        }
    except (tf.errors.OpError, ValueError, LookupError) as error:
        raise FormatError(f"{prefix} is no readable TensorFlow checkpoint: {error}") from error
    return _rename(arrays, _official_names, str(prefix))


def read_keras2_h5(path: str | Path) -> dict[str, np.ndarray]:
    """Read the weights of a Keras 2 H5 file of the earlier Keras port, by layer name.

    The model's graph in the file is not read: Keras 3 cannot build it (``Conv2DTranspose`` gets
    an unknown ``groups``).

    Raises:
        FormatError: if the file is no HDF5 file or holds no Keras weights.
        ShapeError: if its names or shapes are not those of a PhaseNet; it lists what differs.
    """
    import h5py

    arrays: dict[str, np.ndarray] = {}

    def collect(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            # "conv2d/conv2d/kernel:0": layer, layer again, variable.
            layer, variable = name.split("/")[0], name.split("/")[-1]
            arrays[f"{layer}/{variable.removesuffix(':0')}"] = np.asarray(item[()])

    if not Path(path).is_file():
        raise FormatError(f"{path} cannot be read: no such file")
    try:
        with h5py.File(path) as file:
            group = file.get("model_weights", file)
            group.visititems(lambda n, i: None if n.startswith("optimizer") else collect(n, i))
    except (OSError, RuntimeError, LookupError, TypeError) as error:
        raise FormatError(f"{path} is no readable HDF5 file: {error}") from error
    return _rename(arrays, _keras2_names, str(path))


def read_seisbench_pt(path: str | Path) -> dict[str, np.ndarray]:
    """Read the weights of SeisBench's `PhaseNet`, from its ``.pt``; PyTorch is not needed.

    Args:
        path: what ``model.save(…)`` or ``torch.save(model.state_dict(), …)`` left, or a file of
            SeisBench's cache (``stead.pt.v2``).

    Returns:
        As `read_foreign_weights`.

    Raises:
        FormatError: if it is no PyTorch file of weights.
        ShapeError: if its names or shapes are not those of a PhaseNet; it lists what differs.
    """
    return _rename(keras_arrays(read_state_dict(path)), seisbench_layers, str(path))


def _noise_first(
    weights: dict[str, np.ndarray], phases: Sequence[str]
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Put the output of noise before the others, which stay in their order."""
    phases = tuple(phases)
    if NOISE not in phases or weights["output_conv/bias"].shape != (len(phases),):
        return weights, phases
    order = sorted(range(len(phases)), key=lambda number: phases[number] != NOISE)
    moved = {
        name: np.ascontiguousarray(weights[name][..., order])
        for name in ("output_conv/kernel", "output_conv/bias")
    }
    return weights | moved, tuple(phases[number] for number in order)


def _checkpoint_prefix(path: Path) -> Path:
    if path.is_dir():
        found = sorted(path.glob("*.index"))
        if len(found) != 1:
            names = ", ".join(file.name for file in found) or "none"
            raise FormatError(f"{path} should hold one checkpoint (*.index), found: {names}")
        path = found[0]
    prefix = path
    if ".data-" in path.name:
        prefix = path.with_name(path.name.split(".data-")[0])
    elif path.suffix == ".index":
        prefix = path.with_suffix("")
    if not prefix.with_name(prefix.name + ".index").is_file():
        raise FormatError(
            f"no checkpoint at {path}: expected {prefix.name}.index and "
            f"{prefix.name}.data-00000-of-00001 there"
        )
    return prefix


Names = Callable[[tuple[ConvSpec, ...]], Iterator[tuple[ConvSpec, str, str | None]]]


def _official_names(specs: tuple[ConvSpec, ...]) -> Iterator[tuple[ConvSpec, str, str | None]]:
    parts = {
        ("down", "conv"): ("DownConv", "down_conv1", "down_bn1"),
        ("down", "stride"): ("DownConv", "down_conv3", "down_bn3"),
        ("up", "transpose"): ("UpConv", "up_conv0", "up_bn0"),
        ("up", "conv"): ("UpConv", "up_conv1", "up_bn1"),
    }
    for spec in specs:
        if spec.stage == "input":
            yield spec, "Input/input_conv", "Input/input_bn"
        elif spec.stage == "output":
            yield spec, "Output/output_conv", None
        else:
            level = int(spec.stage.lstrip("downup"))
            part = spec.name.split("_")[1]
            scope, conv, norm = parts[spec.stage.rstrip("0123456789"), part]
            scope = f"{scope}_{level}"
            yield spec, f"{scope}/{conv}_{level + 1}", f"{scope}/{norm}_{level + 1}"


def _keras2_names(specs: tuple[ConvSpec, ...]) -> Iterator[tuple[ConvSpec, str, str | None]]:
    counts = {"conv2d": 0, "conv2d_transpose": 0, "batch_normalization": 0}

    def numbered(kind: str) -> str:
        number = counts[kind]
        counts[kind] += 1
        return f"{kind}_{number}" if number else kind

    for spec in specs:
        conv = numbered("conv2d_transpose" if spec.transposed else "conv2d")
        yield spec, conv, numbered("batch_normalization") if spec.norm else None


def _rename(arrays: dict[str, np.ndarray], names: Names, source: str) -> dict[str, np.ndarray]:
    """Give a foreign set our names; refuse it unless it has exactly the names of some depth."""
    is_transposed = re.compile(r"(transpose(_\d+)?|up_conv0_\d+|up_branch\.\d+\.0)/kernel$")
    depth = min(sum(bool(is_transposed.search(name)) for name in arrays) + 1, MAX_DEPTH)
    renamed: dict[str, np.ndarray] = {}
    expected: set[str] = set()
    for spec, conv, norm in names(convolutions(PhaseNetConfig(depth=depth))):
        pairs = [(f"{conv}/kernel", f"{spec.name}/kernel")]
        if spec.use_bias:
            pairs.append((f"{conv}/bias", f"{spec.name}/bias"))
        if norm:
            pairs += [(f"{norm}/{v}", f"{spec.norm}/{v}") for v in BATCH_NORM_VARIABLES]
        for theirs, ours in pairs:
            expected.add(theirs)
            if theirs in arrays:
                renamed[ours] = _without_unit_axis(arrays[theirs])
    wrong = [f"missing: {name}" for name in sorted(expected - set(arrays))]
    wrong += [
        f"not in a PhaseNet: {name} {arrays[name].shape}" for name in sorted(set(arrays) - expected)
    ]
    if wrong:
        listed = "\n  ".join(wrong)
        raise ShapeError(f"{source} does not hold a PhaseNet's weights:\n  {listed}")
    return renamed


def _without_unit_axis(array: np.ndarray) -> np.ndarray:
    if array.ndim == 4 and array.shape[1] == 1:
        array = array[:, 0]
    return np.ascontiguousarray(array, dtype=np.float32)
