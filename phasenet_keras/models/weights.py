"""Weights as named arrays, and the pure functions on them: checking, channels, re-balancing.

A weight set is ``{"layer/variable": array}``, e.g. ``"input_conv/kernel"``. Nothing here needs
Keras: converters fill such a set, `PhaseNet.set_weight_set` takes it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from phasenet_keras.data.settings import choice, settled
from phasenet_keras.models.config import PhaseNetConfig
from phasenet_keras.models.stages import convolutions
from phasenet_keras.types import ConfigError, ShapeError

__all__ = [
    "BATCH_NORM_EPSILON",
    "WeightSet",
    "adapt_channels",
    "check_weight_set",
    "expected_shapes",
    "infer_config",
    "rebalance_kernels",
    "weights_digest",
]

WeightSet = Mapping[str, np.ndarray]

# As in the official graph; 1e-5 instead changes probabilities by 3e-5.
BATCH_NORM_EPSILON = 1e-3
BATCH_NORM_VARIABLES = ("gamma", "beta", "moving_mean", "moving_variance")
FIRST_KERNEL = "input_conv/kernel"
ADAPT_RULE = choice(("select", "sum", "mean"))


def expected_shapes(config: PhaseNetConfig) -> dict[str, tuple[int, ...]]:
    """Return the name and shape of every array of a network.

    Example:
        >>> expected_shapes(PhaseNetConfig())["input_conv/kernel"]
        (7, 3, 8)
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for conv in convolutions(config):
        shapes[f"{conv.name}/kernel"] = conv.kernel_shape
        if conv.use_bias:
            shapes[f"{conv.name}/bias"] = (conv.n_out,)
        if conv.norm:
            shapes |= {f"{conv.norm}/{name}": (conv.n_out,) for name in BATCH_NORM_VARIABLES}
    return shapes


def check_weight_set(weights: WeightSet, config: PhaseNetConfig, source: str = "these") -> None:
    """Refuse weights that do not fit a network.

    Raises:
        ShapeError: for what is no mapping; listing every missing name, every name too many, every
            shape that differs, with its stage, and every array with NaN or infinite values, or with
            variances below 0.
    """
    if not isinstance(weights, Mapping):
        raise ShapeError(
            f"weights are arrays by name, such as {FIRST_KERNEL}, received "
            f"{type(weights).__name__}: PhaseNet.from_preset loads a preset folder, phasenet-keras "
            "convert makes one of other files, get_weight_set gives those of a network"
        )
    expected = expected_shapes(config)
    wrong = []
    for name, shape in expected.items():
        of_stage = f"stage {name.split('_')[0]}, {name}"
        if name not in weights:
            wrong.append(f"missing: {name} {shape}")
        elif not hasattr(weights[name], "shape"):
            wrong.append(f"{of_stage}: expected an array, received {type(weights[name]).__name__}")
        elif weights[name].shape != shape:
            wrong.append(f"{of_stage}: expected shape {shape}, received {weights[name].shape}")
        elif not np.isfinite(weights[name]).all():
            wrong.append(f"{of_stage}: holds NaN or infinite values")
        elif name.endswith("/moving_variance") and np.min(weights[name]) < 0:
            least = np.min(weights[name])
            wrong.append(f"{of_stage}: a variance is at least 0, received {least:g}")
    wrong += [f"not in the network: {name}" for name in weights if name not in expected]
    if wrong:
        listed = "\n  ".join(wrong)
        raise ShapeError(f"{source} weights do not fit the network:\n  {listed}")


def infer_config(
    weights: WeightSet,
    channels: Sequence[str] | None = None,
    phases: Sequence[str] = ("N", "P", "S"),
) -> PhaseNetConfig:
    """Read the hyper-parameters off the arrays' names and shapes; of a stride of 4.

    Args:
        weights: a weight set of `PhaseNet`'s names.
        channels: names of the input channels; None means E, N, Z for three and Z for one.
        phases: names of the outputs.

    Raises:
        ShapeError: if the names are not those of a `PhaseNet`, or the numbers of channels or
            phases differ from the names given.
        ConfigError: for names that are none.
    """
    kernel = weights.get(FIRST_KERNEL)
    if kernel is None or kernel.ndim != 3:
        raise ShapeError(f"no {FIRST_KERNEL} of three dimensions: not a PhaseNet's weights")
    kernel_size, n_channels, filters_root = kernel.shape
    if channels is None:
        channels = {3: ("E", "N", "Z"), 1: ("Z",)}.get(n_channels)
        if channels is None:
            raise ShapeError(f"the weights take {n_channels} channels: name them with channels=")
    phases = tuple(phases) if isinstance(phases, str) else phases
    config = PhaseNetConfig.from_dict({"channels": channels, "phases": phases})
    if len(config.channels) != n_channels:
        names = ",".join(config.channels)
        raise ShapeError(
            f"the weights take {n_channels} channels, received names {names}: name {n_channels} "
            "(--channels, in Python channels=)"
        )
    n_phases = weights.get("output_conv/bias", np.empty(0)).shape[0]
    if n_phases != len(config.phases):
        names = ",".join(config.phases)
        raise ShapeError(
            f"the weights give {n_phases} phases, received names {names}: name {n_phases} "
            "(--phases, in Python phases=)"
        )
    levels = {int(m[1]) for name in weights if (m := re.match(r"down(\d+)_conv/", name))}
    config = replace(
        config,
        depth=max(levels, default=0) + 1,
        filters_root=filters_root,
        kernel_size=kernel_size,
    )
    check_weight_set(weights, config)
    return config


def adapt_channels(
    kernel: np.ndarray, old: Sequence[str], new: Sequence[str], rule: str = "select"
) -> np.ndarray:
    """Turn the first kernel from channels ``old`` into one for channels ``new``.

    ``select`` keeps the rows of the channels that both have, times ``len(old) / n_kept``: the
    official rule for missing channels (zeros, the others times 3 / n) moved into the kernel, so
    that the adapted network equals the padded one. Channels that only ``new`` has get zeros.
    ``sum`` gives every new channel the sum of the old rows times ``1 / len(new)``, as if the one
    new signal stood on every old channel; ``mean`` gives the average of the old rows, so that
    the response has the size that it had to one old channel.

    Args:
        kernel: ``(kernel_size, len(old), filters)``.
        old: names of the kernel's channels.
        new: names wanted, in order.
        rule: ``"select"``, ``"sum"`` or ``"mean"``.

    Returns:
        ``(kernel_size, len(new), filters)``, of the kernel's dtype.

    Raises:
        ConfigError: for an unknown rule, or ``select`` without a common channel.
        ShapeError: if the kernel is not of ``len(old)`` channels.

    Example:
        >>> kernel = np.arange(6.0).reshape(1, 3, 2)
        >>> adapt_channels(kernel, "ENZ", "Z")
        array([[[12., 15.]]])
        >>> adapt_channels(kernel, "ENZ", "Z", rule="mean")
        array([[[2., 3.]]])
    """
    settled("an adaptation rule", ADAPT_RULE, rule)
    if kernel.ndim != 3 or kernel.shape[1] != len(old):
        raise ShapeError(
            f"a first kernel of channels {','.join(old)} has shape (kernel_size, {len(old)}, "
            f"filters), received {kernel.shape}"
        )
    if tuple(old) == tuple(new):
        return kernel.copy()
    if rule != "select":
        row = kernel.sum(axis=1, keepdims=True) / len(new if rule == "sum" else old)
        return np.repeat(row, len(new), axis=1).astype(kernel.dtype)
    kept = [name for name in new if name in old]
    if not kept:
        raise ConfigError(
            f"'select' needs a common channel: the weights have {','.join(old)}, "
            f"{','.join(new)} was asked for; use adapt='sum' or adapt='mean'"
        )
    adapted = np.zeros((kernel.shape[0], len(new), kernel.shape[2]), kernel.dtype)
    for name in kept:
        adapted[:, tuple(new).index(name)] = kernel[:, tuple(old).index(name)]
    return adapted * kernel.dtype.type(len(old) / len(kept))


def rebalance_kernels(
    weights: WeightSet, config: PhaseNetConfig, rms: float = 0.1
) -> dict[str, np.ndarray]:
    """Scale every convolution that a batch norm follows to one rms, and keep the function.

    A batch norm undoes the scale of what comes in, so the scale of the kernel before it is free;
    but an optimizer with one learning rate moves a kernel of rms 1.2 (the official ones) twelve
    times less, relative to its size, than one of rms 0.1. The moving mean and variance scale with
    the kernel; ``gamma`` takes up what the batch norm's epsilon would otherwise change.

    Args:
        weights: a weight set; it is not changed.
        config: of its network.
        rms: root mean square that each such kernel gets.

    Returns:
        A new weight set with the same function (probabilities within 1e-5).

    Raises:
        ShapeError: if the weights do not fit ``config``.
    """
    check_weight_set(weights, config)
    balanced = {name: np.array(array) for name, array in weights.items()}
    for conv in convolutions(config):
        if conv.norm is None:
            continue
        kernel = balanced[f"{conv.name}/kernel"].astype(np.float64)
        size = np.sqrt(np.mean(kernel**2))
        if size == 0.0:
            continue
        scale = rms / size
        variance = balanced[f"{conv.norm}/moving_variance"].astype(np.float64)
        epsilon_change = np.sqrt(
            (scale**2 * variance + BATCH_NORM_EPSILON)
            / (scale**2 * (variance + BATCH_NORM_EPSILON))
        )
        factors = {
            f"{conv.name}/kernel": scale,
            f"{conv.norm}/moving_mean": scale,
            f"{conv.norm}/moving_variance": scale**2,
            f"{conv.norm}/gamma": epsilon_change,
        }
        if conv.use_bias:
            factors[f"{conv.name}/bias"] = scale
        for name, factor in factors.items():
            balanced[name] = (balanced[name] * factor).astype(weights[name].dtype)
    return balanced


def weights_digest(weights: WeightSet) -> str:
    """Return the SHA-256 of a weight set: names, shapes, types and values.

    Example:
        >>> ones = {"a": np.ones(2, "float32"), "b": np.ones(1, "float32")}
        >>> weights_digest(ones) == weights_digest(dict(reversed(ones.items())))
        True
    """
    digest = hashlib.sha256()
    for name, array in sorted(weights.items()):
        digest.update(f"{name} {array.shape} {array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
