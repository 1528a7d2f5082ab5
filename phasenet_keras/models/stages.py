"""The U-Net as a list of named convolutions, grouped into stages.

This is the one description of the network: the Keras model is built from it, weights are checked
against it, converters and re-balancing walk it. A layer's name starts with its stage's name
(``down1_conv``), so freezing, loading and counting address layers by name, never by position.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from phasenet_keras.models.config import PhaseNetConfig

__all__ = ["ConvSpec", "convolutions", "stage_names"]


@dataclass(frozen=True)
class ConvSpec:
    """One convolution and, but for the last, the batch norm that follows it.

    Attributes:
        stage: the stage's name.
        name: of the convolution's layer.
        norm: name of the batch norm's layer, or None.
        n_in, n_out: channels in and out.
        kernel_size: in samples of the level at which the layer works.
        stride: 1, or the network's stride where time is shortened or stretched.
        transposed: True for a transposed convolution, which stretches time.
        use_bias: only where the official network has one: first and last.
    """

    stage: str
    name: str
    norm: str | None
    n_in: int
    n_out: int
    kernel_size: int
    stride: int = 1
    transposed: bool = False
    use_bias: bool = False

    @property
    def kernel_shape(self) -> tuple[int, int, int]:
        """Shape of the kernel as Keras stores it, with outputs before inputs in transposed ones."""
        if self.transposed:
            return (self.kernel_size, self.n_out, self.n_in)
        return (self.kernel_size, self.n_in, self.n_out)


def stage_names(depth: int) -> tuple[str, ...]:
    """Return the stages in the order in which data pass through them.

    Example:
        >>> stage_names(3)
        ('input', 'down0', 'down1', 'down2', 'up1', 'up0', 'output')
    """
    down = tuple(f"down{level}" for level in range(depth))
    up = tuple(f"up{level}" for level in reversed(range(depth - 1)))
    return ("input", *down, *up, "output")


def convolutions(config: PhaseNetConfig) -> tuple[ConvSpec, ...]:
    """Return the network's convolutions in the order in which data pass through them.

    Example:
        >>> [conv.name for conv in convolutions(PhaseNetConfig(depth=2))]
        ['input_conv', 'down0_conv', 'down0_stride', 'down1_conv', 'up0_transpose', 'up0_conv', \
'output_conv']
    """
    filters = [config.filters_root * 2**level for level in range(config.depth)]
    deepest = config.depth - 1

    def conv(stage: str, part: str, n_in: int, n_out: int, **options: Any) -> ConvSpec:
        name = f"{stage}_{part}"
        norm = f"{stage}_bn" if part == "conv" else f"{name}_bn"
        return ConvSpec(stage, name, norm, n_in, n_out, config.kernel_size, **options)

    specs = [conv("input", "conv", len(config.channels), filters[0], use_bias=True)]
    n_in = filters[0]
    for level, n_out in enumerate(filters):
        specs.append(conv(f"down{level}", "conv", n_in, n_out))
        if level < deepest:
            specs.append(conv(f"down{level}", "stride", n_out, n_out, stride=config.stride))
        n_in = n_out
    for level in reversed(range(deepest)):
        n_out = filters[level]
        stretch: dict[str, Any] = {"stride": config.stride, "transposed": True}
        specs.append(conv(f"up{level}", "transpose", n_in, n_out, **stretch))
        specs.append(conv(f"up{level}", "conv", 2 * n_out, n_out))
        n_in = n_out
    specs.append(
        ConvSpec("output", "output_conv", None, n_in, len(config.phases), 1, use_bias=True)
    )
    return tuple(specs)
