"""Batch norms folded into kernels: the network as convolutions with a bias, for inference only.

At inference a batch norm is ``gamma * (y - mean) / sqrt(variance + epsilon) + beta``, which is
linear, as the convolution before it is (Ioffe & Szegedy 2015, section 3.1): the two are one
convolution with another kernel and another bias.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from phasenet_keras.models.config import PhaseNetConfig
from phasenet_keras.models.stages import convolutions
from phasenet_keras.models.weights import BATCH_NORM_EPSILON, WeightSet, check_weight_set
from phasenet_keras.types import ConfigError

if TYPE_CHECKING:
    from phasenet_keras.models.litert import NetworkWeights
    from phasenet_keras.models.phasenet import PhaseNet

__all__ = ["LevelOffsets", "fold_batch_norms", "level_offsets", "window_of"]


@dataclass(frozen=True)
class LevelOffsets:
    """What ``same`` padding does at one level that is left by a stride and come back to.

    Attributes:
        excess: samples by which ``stride * ceil(n / stride)`` exceeds the level's length n.
        pad_left: zeros that the strided convolution puts before the first sample.
        crop_left: samples cut from the start of the transposed convolution's output; the other
            ``excess - crop_left`` are cut from its end.
    """

    excess: int
    pad_left: int
    crop_left: int


def level_offsets(window_samples: int, config: PhaseNetConfig) -> tuple[LevelOffsets, ...]:
    """Return the offsets of every level but the deepest, from the outermost inwards.

    They depend on the length modulo ``config.grid_samples`` only, so those of the training window
    are those of every length congruent to it. A strided convolution with ``same`` padding gives
    ``m = ceil(n / stride)`` samples and pads ``(m - 1) * stride + kernel - n`` zeros in all, half
    of them, rounded down, before the first sample (TensorFlow's notes on padding).

    Args:
        window_samples: any of the lengths.
        config: of the network.

    Raises:
        ConfigError: for a length below one sample.

    Example:
        >>> [level.excess for level in level_offsets(3000, PhaseNetConfig())]
        [0, 2, 0, 1]
    """
    if isinstance(window_samples, bool) or window_samples < 1:
        raise ConfigError(f"window_samples is 1 or more, received {window_samples!r}")
    offsets = []
    length = window_samples
    for _ in range(config.depth - 1):
        shorter = -(-length // config.stride)
        excess = shorter * config.stride - length
        padded = max(config.kernel_size - config.stride + excess, 0)
        offsets.append(LevelOffsets(excess, padded // 2, excess // 2))
        length = shorter
    return tuple(offsets)


def fold_batch_norms(weights: WeightSet, config: PhaseNetConfig) -> dict[str, np.ndarray]:
    """Fold every batch norm into the kernel and the bias of the convolution before it.

    Args:
        weights: a weight set of `PhaseNet`'s names.
        config: of its network.

    Returns:
        ``layer/kernel`` (samples, in, out), transposed ones (samples, out, in), and ``layer/bias``
        (out,) of every convolution, float32; computed in float64.

    Raises:
        ShapeError: if the weights do not fit ``config``.

    Example:
        >>> from phasenet_keras import PhaseNet
        >>> net = PhaseNet(depth=1)
        >>> sorted(fold_batch_norms(net.get_weight_set(), net.config))[:2]
        ['down0_conv/bias', 'down0_conv/kernel']
    """
    check_weight_set(weights, config)
    folded = {}
    for conv in convolutions(config):
        kernel = weights[f"{conv.name}/kernel"].astype(np.float64)
        bias = np.zeros(conv.n_out)
        if conv.use_bias:
            bias += weights[f"{conv.name}/bias"]
        if conv.norm:
            gamma, beta, mean, variance = (
                weights[f"{conv.norm}/{name}"].astype(np.float64)
                for name in ("gamma", "beta", "moving_mean", "moving_variance")
            )
            scale = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
            kernel *= scale[:, None] if conv.transposed else scale
            bias = (bias - mean) * scale + beta
        folded[f"{conv.name}/kernel"] = kernel.astype(np.float32)
        folded[f"{conv.name}/bias"] = bias.astype(np.float32)
    return folded


def window_of(net: PhaseNet | NetworkWeights, window_samples: int | None) -> int:
    """Return the length asked for, else the contract's window, else the network's grid."""
    if window_samples is not None:
        return window_samples
    return net.preset.window_samples if net.preset else net.config.grid_samples
