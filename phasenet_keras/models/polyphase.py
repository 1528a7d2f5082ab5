"""The polyphase form: the same network with fewer, wider convolutions where it is narrow.

The outermost level has 8 channels, and a processor multiplies 16 numbers at a time. So each of its
convolutions gives two neighbouring samples at once: a kernel of 7 taps and stride 1 becomes one of
8 taps and stride 2 with twice as many outputs, of which one in eight weights is zero; the one of
stride 4 becomes one of 11 taps and stride 8. What comes out is, in memory, what the network gives:
``(samples / 2, 2 * C)`` is ``(samples, C)`` (Vaidyanathan 1990, Multirate digital filters, filter
banks, polyphase networks, and applications, Proc. IEEE 78, 56-93).

Transposed convolutions, of all levels, become ones of two taps and stride 1 that give four
neighbouring samples at once, of which a few are cut from either end.

The convolutions of the levels below run at 95 % of the rate of a matrix product, as they are. Of a
softmax over three channels, exponentials of differences of logits save three quarters of the time.

**Lengths.** With the offsets of the training window the result is the network's at every length
congruent to the window modulo 256, at the borders too: the levels below the outermost keep ``same``
padding, and all that is cut or padded are fixed amounts. A length that is not a multiple of 4 is
padded, and what the outermost level computes for the padding is set to zero, since ``same`` padding
holds zeros there.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

import numpy as np

from phasenet_keras.models.config import PhaseNetConfig
from phasenet_keras.models.folding import fold_batch_norms, level_offsets
from phasenet_keras.models.weights import WeightSet
from phasenet_keras.types import ConfigError

__all__ = [
    "LARGEST_EXPONENT",
    "Layers",
    "apply_polyphase",
    "has_polyphase_form",
    "polyphase_weights",
]

STRIDE = 4
KERNEL_SIZE = 7
# Neighbouring samples that a convolution of the outermost level gives.
TOGETHER = 2
# exp(80) = 5.5e34 leaves room below float32's 3.4e38 for the sum over phases.
LARGEST_EXPONENT = 80.0

Tensor = TypeVar("Tensor")


class Layers(Protocol[Tensor]):
    """What a network in polyphase form is made of; tensors are ``(…, samples, channels)``."""

    def conv(
        self,
        x: Tensor,
        name: str,
        *,
        stride: int = 1,
        padding: str = "same",
        activation: str | None = "relu",
    ) -> Tensor:
        """Apply the convolution of a name; padding is ``"same"`` or ``"valid"``."""

    def pad(self, x: Tensor, left: int, right: int) -> Tensor:
        """Put zeros before the first sample and after the last."""

    def cut(self, x: Tensor, left: int, right: int) -> Tensor:
        """Leave out samples at either end."""

    def view(self, x: Tensor, n_channels: int) -> Tensor:
        """Take the same numbers as samples of so many channels."""

    def conv_both(self, x: Tensor, other: Tensor, name: str, *, stride: int = 1) -> Tensor:
        """Apply the convolution of a name, and relu, to the channels of both, side by side."""

    def ratios(self, x: Tensor) -> Tensor:
        """Return ``exp(min(x, LARGEST_EXPONENT))``."""

    def inverse(self, x: Tensor) -> Tensor:
        """Return ``1 / x``."""


def polyphase_weights(
    weights: WeightSet, config: PhaseNetConfig, window_samples: int | None = None
) -> dict[str, np.ndarray]:
    """Fold the batch norms, and rearrange the outermost level and all transposed convolutions.

    Args:
        weights: a weight set of `PhaseNet`'s names.
        config: of its network: stride 4, kernel 7, two levels and two phases or more.
        window_samples: a length whose offsets hold; None stands for multiples of the grid.

    Returns:
        ``layer/kernel`` (taps, in, out) and ``layer/bias`` (out,), float32, where out counts the
        samples that are given at once times the channels. ``output_conv`` gives differences of
        logits, and ``output_sum`` sums their exponentials.

    Raises:
        ConfigError: if the network has another stride or kernel, fewer levels or phases.
        ShapeError: if the weights do not fit ``config``.

    Example:
        >>> from phasenet_keras.models.weights import expected_shapes
        >>> config = PhaseNetConfig()
        >>> zeros = {name: np.zeros(shape) for name, shape in expected_shapes(config).items()}
        >>> arranged = polyphase_weights(zeros, config)
        >>> [arranged[f"{name}/kernel"].shape for name in ("down0_conv", "up0_transpose")]
        [(8, 8, 16), (2, 16, 32)]
    """
    _check(config)
    window = config.grid_samples if window_samples is None else window_samples
    outer = level_offsets(window, config)[0]
    arranged = fold_batch_norms(weights, config)

    def rearrange(name: str, n_together: int, kernel: np.ndarray) -> None:
        arranged[f"{name}/kernel"] = kernel
        arranged[f"{name}/bias"] = np.tile(arranged[f"{name}/bias"], n_together)

    for name in ("input_conv", "down0_conv", "up0_conv"):
        kernel = arranged[f"{name}/kernel"]
        rearrange(name, TOGETHER, _side_by_side(kernel, TOGETHER, 1))
    n_together = _strided_together(config, window)
    kernel = _side_by_side(arranged["down0_stride/kernel"], n_together, STRIDE)
    # ``same`` padding puts half of what a kernel has more taps than its stride to the left.
    beyond = max(0, 2 * outer.pad_left - (KERNEL_SIZE - STRIDE))
    rearrange("down0_stride", n_together, np.pad(kernel, ((0, beyond), (0, 0), (0, 0))))
    for level in range(config.depth - 1):
        name = f"up{level}_transpose"
        rearrange(name, STRIDE, _transposed_kernel(arranged[f"{name}/kernel"]))
    return arranged | _head_weights(
        arranged["output_conv/kernel"][0], arranged["output_conv/bias"], TOGETHER
    )


def apply_polyphase(
    layers: Layers[Tensor], x: Tensor, config: PhaseNetConfig, window_samples: int
) -> Tensor:
    """Return the probabilities of ``x``, whose length is congruent to ``window_samples``.

    Args:
        layers: with the weights that `polyphase_weights` returns for the same window.
        x: ``(…, samples, channels)``.
        config: of the network.
        window_samples: of its training.
    """
    return _Polyphase(layers, config, window_samples).run(x)


class _Polyphase:
    """The network as steps on tensors of whatever kind."""

    def __init__(self, layers: Layers, config: PhaseNetConfig, window_samples: int) -> None:
        self._layers = layers
        self._config = config
        self._offsets = level_offsets(window_samples, config)
        self._strided_together = _strided_together(config, window_samples)

    def run(self, x: Tensor) -> Tensor:
        layers, filters = self._layers, self._config.filters_root
        excess = self._offsets[0].excess
        x = layers.pad(x, 0, excess) if excess else x
        x = self._without_tail(self._outer(x, "input_conv"))
        skip = self._without_tail(self._outer(x, "down0_conv"))
        y = layers.conv(skip, "down0_stride", stride=STRIDE * self._strided_together)
        up = self._come_back(self._inner(layers.view(y, filters), 1), 0)
        up = layers.pad(up, 0, excess) if excess else up
        y = layers.conv_both(skip, up, "up0_conv", stride=TOGETHER)
        y = layers.view(self._head(y), len(self._config.phases))
        return layers.cut(y, 0, excess) if excess else y

    def _outer(self, x: Tensor, name: str) -> Tensor:
        y = self._layers.conv(x, name, stride=TOGETHER)
        return self._layers.view(y, self._config.filters_root)

    def _without_tail(self, x: Tensor) -> Tensor:
        """Set the samples to zero that were padded to fill the last four."""
        excess = self._offsets[0].excess
        return self._layers.pad(self._layers.cut(x, 0, excess), 0, excess) if excess else x

    def _inner(self, x: Tensor, level: int) -> Tensor:
        """Apply the levels from ``level`` to the deepest, and come back."""
        layers = self._layers
        x = layers.conv(x, f"down{level}_conv")
        if level == self._config.depth - 1:
            return x
        up = self._inner(layers.conv(x, f"down{level}_stride", stride=STRIDE), level + 1)
        return layers.conv_both(x, self._come_back(up, level), f"up{level}_conv")

    def _come_back(self, x: Tensor, level: int) -> Tensor:
        """Apply a transposed convolution, and cut it to the level's length."""
        layers, offsets = self._layers, self._offsets[level]
        y = layers.conv(layers.pad(x, 1, 1), f"up{level}_transpose", padding="valid")
        left = (KERNEL_SIZE - STRIDE) // 2 + offsets.crop_left
        y = layers.view(y, self._config.filters_root * 2**level)
        return layers.cut(y, left, STRIDE + offsets.excess - left)

    def _head(self, x: Tensor) -> Tensor:
        """Return probabilities, ``p_k = 1 / (1 + sum over j of exp(l_j - l_k))``."""
        # A product of infinity and a zero of the sum's kernel would be NaN.
        ratios = self._layers.ratios(self._layers.conv(x, "output_conv", activation=None))
        return self._layers.inverse(self._layers.conv(ratios, "output_sum", activation=None))


def has_polyphase_form(config: PhaseNetConfig) -> bool:
    """Return whether `polyphase_weights` takes a network of this kind."""
    try:
        _check(config)
    except ConfigError:
        return False
    return True


def _check(config: PhaseNetConfig) -> None:
    if (config.stride, config.kernel_size) != (STRIDE, KERNEL_SIZE):
        raise ConfigError(
            f"the polyphase form is of networks with stride={STRIDE} and kernel_size="
            f"{KERNEL_SIZE}, received stride={config.stride} and kernel_size={config.kernel_size}"
        )
    if config.depth < 2 or len(config.phases) < 2:
        raise ConfigError(
            "the polyphase form is of networks with two levels and two phases or more, received "
            f"depth={config.depth} and phases={','.join(config.phases)}"
        )


def _strided_together(config: PhaseNetConfig, window_samples: int) -> int:
    """Return how many samples the outermost strided convolution gives at once."""
    at_once = STRIDE * TOGETHER
    n_samples = window_samples + level_offsets(window_samples, config)[0].excess
    return 1 if config.grid_samples % at_once or n_samples % at_once else TOGETHER


def _side_by_side(kernel: np.ndarray, n_together: int, stride: int) -> np.ndarray:
    """Rearrange ``(taps, in, out)`` for neighbouring samples: ``(more taps, in, n * out)``."""
    size, n_in, n_out = kernel.shape
    shifts = [stride * number for number in range(n_together)]
    arranged = np.zeros((size + shifts[-1], n_in, n_together, n_out), kernel.dtype)
    for number, shift in enumerate(shifts):
        arranged[shift : shift + size, :, number] = kernel
    return arranged.reshape(-1, n_in, n_together * n_out)


def _transposed_kernel(kernel: np.ndarray) -> np.ndarray:
    """Rearrange ``(7, out, in)`` of stride 4, without any padding: ``(2, in, 4 * out)``.

    Sample i of the input reaches samples 4 i to 4 i + 6 of the output, so that samples 4 i to
    4 i + 3 of the output come from samples i - 1 and i of the input.
    """
    size, n_out, n_in = kernel.shape
    arranged = np.zeros((2, n_in, STRIDE, n_out), kernel.dtype)
    for tap in range(size):
        arranged[1 - tap // STRIDE, :, tap % STRIDE] = kernel[tap].T
    return arranged.reshape(2, n_in, STRIDE * n_out)


def _head_weights(kernel: np.ndarray, bias: np.ndarray, n_together: int) -> dict[str, np.ndarray]:
    """Return the two 1x1 convolutions of the softmax from ``(in, phases)`` and ``(phases,)``."""
    n_phases = len(bias)
    pairs = [(k, j) for k in range(n_phases) for j in range(n_phases) if j != k]
    less = np.stack([kernel[:, j] - kernel[:, k] for k, j in pairs], axis=-1)
    of_phase = np.array([[k == phase for phase in range(n_phases)] for k, _ in pairs])
    each = np.eye(n_together, dtype=kernel.dtype)
    return {
        "output_conv/kernel": np.kron(each, less)[None],
        "output_conv/bias": np.tile([bias[j] - bias[k] for k, j in pairs], n_together),
        "output_sum/kernel": np.kron(each, of_phase.astype(kernel.dtype))[None],
        "output_sum/bias": np.ones(n_together * n_phases, kernel.dtype),
    }
