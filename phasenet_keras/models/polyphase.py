"""The polyphase form: a network whose outermost level works on blocks of samples, not on samples.

Time is folded into channels: ``(samples, C)`` is, in memory, ``(samples / B, B * C)``. Seen so, a
convolution over samples is one over blocks of B samples, with the same weights rearranged: tap t,
which reads the sample at offset ``t - half``, leads from sample p of a block to sample q of the
block d before it where ``d * B + p - q`` is that offset (Vaidyanathan 1990, Multirate digital
filters, filter banks, polyphase networks, and applications, Proc. IEEE 78, 56-93).
Between blocks of four, the outermost level's strided and transposed convolutions have stride 1. It
pays because that level has 8 channels, and a processor multiplies 16 numbers at a time.

**What was measured** (TensorFlow 2.21, two Zen 5 cores, CPU seconds a million samples,
``benchmarks/polyphase.py``): network 0.32, batch norms folded 0.25, polyphase 0.19 with blocks of
2 for the convolutions of stride 1, 0.21 with blocks of 4 (kernel 3, 32 channels) or of 1. Wider
blocks run at more flop/s but multiply by more zeros. Blocks in the levels below did not pay: their
16 channels and more fill a register. Of the 0.04 s of a softmax over three channels, exponentials
of differences of logits save 0.03.

**Lengths.** Only the outermost level is rearranged, so only the length modulo 4 enters here; the
levels below keep ``same`` padding, as in `PhaseNet`, and fixed crops. With the offsets of the
training window the result is the network's at every length congruent to the window modulo 256, at
the borders too. A length that is not a multiple of 4 is padded, and what the outermost level
computes for the padding is set to zero, since ``same`` padding holds zeros there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers, ops

from phasenet_keras.models.config import PhaseNetConfig
from phasenet_keras.models.folding import (
    FoldedLayers,
    LevelOffsets,
    fold_batch_norms,
    level_offsets,
    window_of,
)
from phasenet_keras.models.weights import WeightSet
from phasenet_keras.types import ConfigError

if TYPE_CHECKING:
    from phasenet_keras.models.phasenet import PhaseNet

__all__ = ["BLOCK_SAMPLES", "build_polyphase", "polyphase_weights"]

STRIDE = 4
KERNEL_SIZE = 7
# The fastest; see above.
BLOCK_SAMPLES = 2
# exp(80) = 5.5e34 leaves room below float32's 3.4e38 for the sum over phases.
LARGEST_EXPONENT = 80.0


def polyphase_weights(
    weights: WeightSet,
    config: PhaseNetConfig,
    window_samples: int | None = None,
    block_samples: int = BLOCK_SAMPLES,
) -> dict[str, np.ndarray]:
    """Fold the batch norms and rearrange the kernels of the outermost level.

    Args:
        weights: a weight set of `PhaseNet`'s names.
        config: of its network: stride 4, kernel 7, two levels and two phases or more.
        window_samples: a length whose offsets hold; None stands for multiples of the grid.
        block_samples: samples a block of the convolutions of stride 1: 1, 2 or 4.

    Returns:
        ``layer/kernel`` (blocks, in, out) and ``layer/bias`` (out,), float32, where in and out
        count the samples of a block times the channels. The layers of the levels below are those
        of `fold_batch_norms`. ``output_conv`` gives differences of logits, and ``output_sum``
        sums their exponentials.

    Raises:
        ConfigError: if the network has another stride or kernel, fewer levels or phases.
        ShapeError: if the weights do not fit ``config``.

    Example:
        >>> from phasenet_keras import PhaseNet
        >>> net = PhaseNet()
        >>> rearranged = polyphase_weights(net.get_weight_set(), net.config, block_samples=4)
        >>> [rearranged[f"{name}/kernel"].shape for name in ("down0_conv", "down0_stride")]
        [(3, 32, 32), (3, 32, 8)]
    """
    _check(config, block_samples)
    window = config.grid_samples if window_samples is None else window_samples
    outer = level_offsets(window, config)[0]
    arranged = fold_batch_norms(weights, config)
    for name in ("input_conv", "down0_conv", "up0_conv"):
        kernel = arranged[f"{name}/kernel"]
        arranged[f"{name}/kernel"] = _unit_stride_kernel(kernel, block_samples)
        arranged[f"{name}/bias"] = np.tile(arranged[f"{name}/bias"], block_samples)
    arranged["down0_stride/kernel"] = _strided_kernel(arranged["down0_stride/kernel"], outer)
    arranged["up0_transpose/kernel"] = _transposed_kernel(arranged["up0_transpose/kernel"], outer)
    arranged["up0_transpose/bias"] = np.tile(arranged["up0_transpose/bias"], STRIDE)
    return arranged | _head_weights(
        arranged["output_conv/kernel"][0], arranged["output_conv/bias"], block_samples
    )


def build_polyphase(
    net: PhaseNet, window_samples: int | None = None, block_samples: int = BLOCK_SAMPLES
) -> keras.Model:
    """Return a network in polyphase form, as plain Keras layers, for inference in float32.

    The input is not folded by the caller: folding is a change of shape without a copy.

    Args:
        net: a `PhaseNet` of stride 4, kernel 7, two levels and two phases or more; its weights
            are copied.
        window_samples: the model takes lengths congruent to this one modulo
            ``net.config.grid_samples`` and fails at others. None takes the window of the
            network's contract, without one multiples of the grid.
        block_samples: samples a block of the convolutions of stride 1: 1, 2 or 4. It changes
            nothing but speed.

    Returns:
        ``(batch, samples, channels)`` to probabilities ``(batch, samples, phases)``: those of
        ``net`` within 1e-5.

    Raises:
        ConfigError: if the network has another stride or kernel, fewer levels or phases.

    Example:
        >>> import numpy as np
        >>> from phasenet_keras import PhaseNet
        >>> build_polyphase(PhaseNet(depth=3))(np.zeros((1, 160, 3), "float32")).shape
        TensorShape([1, 160, 3])
    """
    config = net.config
    window = window_of(net, window_samples)
    weights = polyphase_weights(net.get_weight_set(), config, window, block_samples)
    offsets = level_offsets(window, config)
    build = _PolyphaseLayers(weights, config, offsets, block_samples)
    x = keras.Input((None, len(config.channels)), name="waveform")
    y = layers.ZeroPadding1D((0, offsets[0].excess))(x) if offsets[0].excess else x
    y = build.unit_stride(y, "input_conv", len(config.channels))
    y = build.outer(build.without_tail(y))
    y = build.head(y)
    if offsets[0].excess:
        y = layers.Cropping1D((0, offsets[0].excess))(y)
    return build.model(x, y, f"{net.name}_polyphase")


class _PolyphaseLayers(FoldedLayers):
    """The outermost level over blocks; a `view` changes the number of samples a block."""

    def __init__(
        self,
        weights: dict[str, np.ndarray],
        config: PhaseNetConfig,
        offsets: tuple[LevelOffsets, ...],
        block_samples: int,
    ) -> None:
        super().__init__(weights, config, offsets)
        self.block_samples = block_samples

    def view(self, x: Any, n_samples: int, n_channels: int) -> Any:
        """Return ``(batch, 1, blocks, n_samples * n_channels)``: the same numbers in memory."""
        return layers.Reshape((1, -1, n_samples * n_channels))(x)

    def unit_stride(self, x: Any, name: str, n_channels: int) -> Any:
        """Apply a convolution of stride 1 in blocks of ``block_samples``."""
        return self.conv(self.view(x, self.block_samples, n_channels), name)

    def without_tail(self, x: Any) -> Any:
        """Set the samples to zero that were padded to fill the last block of four."""
        excess, filters = self.offsets[0].excess, self.config.filters_root
        if not excess:
            return x
        x = layers.Cropping2D(((0, 0), (0, excess)))(self.view(x, 1, filters))
        return layers.ZeroPadding2D(((0, 0), (0, excess)))(x)

    def outer(self, x: Any) -> Any:
        """Apply the outermost level and what is below it."""
        filters = self.config.filters_root
        skip = self.without_tail(self.unit_stride(x, "down0_conv", filters))
        up = self.inner(self.conv(self.view(skip, STRIDE, filters), "down0_stride"), 1)
        up = self.without_tail(self.conv(up, "up0_transpose"))
        both = [self.view(part, 1, filters) for part in (skip, up)]
        joined = layers.Concatenate(name="up0_skip")(both)
        return self.unit_stride(joined, "up0_conv", 2 * filters)

    def head(self, x: Any) -> Any:
        """Return probabilities, ``p_k = 1 / (1 + sum over j of exp(l_j - l_k))``."""
        differences = self.conv(x, "output_conv", activation=None)
        # A product of infinity and a zero of the sum's kernel would be NaN.
        ratios = ops.exp(ops.minimum(differences, LARGEST_EXPONENT))
        probabilities = 1.0 / self.conv(ratios, "output_sum", activation=None)
        return layers.Reshape((-1, len(self.config.phases)))(probabilities)


def _check(config: PhaseNetConfig, block_samples: int) -> None:
    if (config.stride, config.kernel_size) != (STRIDE, KERNEL_SIZE):
        raise ConfigError(
            f"the polyphase form is of networks with stride={STRIDE} and kernel_size="
            f"{KERNEL_SIZE}, received stride={config.stride} and kernel_size={config.kernel_size}: "
            "use build_folded, which takes any"
        )
    if config.depth < 2 or len(config.phases) < 2:
        raise ConfigError(
            "the polyphase form is of networks with two levels and two phases or more, received "
            f"depth={config.depth} and phases={','.join(config.phases)}: use build_folded"
        )
    if block_samples not in (1, 2, STRIDE):
        raise ConfigError(f"block_samples is 1, 2 or {STRIDE}, received {block_samples!r}")


def _unit_stride_kernel(kernel: np.ndarray, block: int) -> np.ndarray:
    """Rearrange ``(7, in, out)`` for blocks: ``(blocks, block * in, block * out)``."""
    size, n_in, n_out = kernel.shape
    half = size // 2
    reach = -(-half // block)
    arranged = np.zeros((2 * reach + 1, block, n_in, block, n_out), kernel.dtype)
    for shift, p, q in np.ndindex(2 * reach + 1, block, block):
        tap = (shift - reach) * block + p - q + half
        if 0 <= tap < size:
            arranged[shift, p, :, q] = kernel[tap]
    return arranged.reshape(2 * reach + 1, block * n_in, block * n_out)


def _strided_kernel(kernel: np.ndarray, outer: LevelOffsets) -> np.ndarray:
    """Rearrange ``(7, in, out)`` of stride 4 for blocks of 4: ``(3, 4 * in, out)``."""
    size, n_in, n_out = kernel.shape
    arranged = np.zeros((3, STRIDE, n_in, n_out), kernel.dtype)
    for shift, p in np.ndindex(3, STRIDE):
        tap = (shift - 1) * STRIDE + p + outer.pad_left
        if 0 <= tap < size:
            arranged[shift, p] = kernel[tap]
    return arranged.reshape(3, STRIDE * n_in, n_out)


def _transposed_kernel(kernel: np.ndarray, outer: LevelOffsets) -> np.ndarray:
    """Rearrange ``(7, out, in)`` of stride 4, and its crop: ``(3, in, 4 * out)``.

    Input sample i of the transposed convolution reaches output ``4 * i + tap - pad``, where pad is
    half of kernel less stride, rounded down: the gradient of a strided convolution whose length is
    a multiple of the stride.
    """
    size, n_out, n_in = kernel.shape
    pad = (size - STRIDE) // 2
    arranged = np.zeros((3, n_in, STRIDE, n_out), kernel.dtype)
    for shift, q in np.ndindex(3, STRIDE):
        tap = q + outer.crop_left + pad - (shift - 1) * STRIDE
        if 0 <= tap < size:
            arranged[shift, :, q] = kernel[tap].T
    return arranged.reshape(3, n_in, STRIDE * n_out)


def _head_weights(kernel: np.ndarray, bias: np.ndarray, block: int) -> dict[str, np.ndarray]:
    """Return the two 1x1 convolutions of the softmax from ``(in, phases)`` and ``(phases,)``."""
    n_phases = len(bias)
    pairs = [(k, j) for k in range(n_phases) for j in range(n_phases) if j != k]
    less = np.stack([kernel[:, j] - kernel[:, k] for k, j in pairs], axis=-1)
    of_phase = np.array([[k == phase for phase in range(n_phases)] for k, _ in pairs])
    each = np.eye(block, dtype=kernel.dtype)
    return {
        "output_conv/kernel": np.kron(each, less)[None],
        "output_conv/bias": np.tile([bias[j] - bias[k] for k, j in pairs], block),
        "output_sum/kernel": np.kron(each, of_phase.astype(kernel.dtype))[None],
        "output_sum/bias": np.ones(block * n_phases, kernel.dtype),
    }
