"""`PhaseNetConfig`: the hyper-parameters of a network and the names of its channels and phases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from phasenet_keras.data.settings import by_name, number, settle, whole
from phasenet_keras.types import ConfigError

__all__ = ["PhaseNetConfig"]

NOISE = "N"
KINDS = dict.fromkeys(("depth", "filters_root", "kernel_size", "stride"), whole(1))
KINDS["dropout_rate"] = number(0, below=1)


@dataclass(frozen=True)
class PhaseNetConfig:
    """Hyper-parameters of `PhaseNet`; the defaults are those of the PhaseNet paper's own code.

    Attributes:
        channels: name of each input column, in order. The official order is E, N, Z.
        phases: name of each output column, in order; noise is ``"N"`` and comes first.
        depth: levels of the U-Net; each but the deepest shortens time by ``stride``.
        filters_root: filters at the outermost level; they double at each level below.
        kernel_size: of every convolution but the last (which is 1), in samples.
        stride: of the strided and transposed convolutions.
        dropout_rate: after every activation, in training only. The official model used 0.

    Raises:
        ConfigError: for a value of the wrong type or range.

    Example:
        >>> PhaseNetConfig(channels=("Z",)).grid_samples
        256
    """

    channels: tuple[str, ...] = ("E", "N", "Z")
    phases: tuple[str, ...] = ("N", "P", "S")
    depth: int = 5
    filters_root: int = 8
    kernel_size: int = 7
    stride: int = 4
    dropout_rate: float = 0.0

    def __post_init__(self) -> None:
        for name in ("channels", "phases"):
            value = getattr(self, name)
            if isinstance(value, str):
                value = (value,) if name == "phases" else tuple(value)
            value = tuple(value) if isinstance(value, Iterable) else (value,)
            if not value or not all(map(_is_name, value)) or len(set(value)) != len(value):
                raise ConfigError(f"{name} are distinct names, at least one; received {value!r}")
            object.__setattr__(self, name, value)
        settle(self, KINDS)
        if self.phases[0] != NOISE:
            raise ConfigError(f"the first phase is noise, '{NOISE}'; received {self.phases!r}")
        if self.stride < 2 <= self.depth:
            raise ConfigError(f"a network of {self.depth} levels has a stride of 2 or more")

    @property
    def grid_samples(self) -> int:
        """Samples after which the network's strides repeat, ``stride ** (depth - 1)``."""
        return self.stride ** (self.depth - 1)

    @cached_property
    def halo_samples(self) -> int:
        """Samples of context beyond which the input has no influence, rounded up to the grid.

        A kernel reaches half its size to each side, in samples of its level: one kernel at the
        input, four at each level that is left and come back to, one at the deepest. With the
        defaults that is 1,791 samples, hence 1,792.
        """
        half = self.kernel_size // 2
        passed = sum(4 * self.stride**level for level in range(self.depth - 1))
        reach = half * (1 + passed + self.grid_samples)
        return -(-reach // self.grid_samples) * self.grid_samples

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as `from_dict` and JSON take them."""
        return {**asdict(self), "channels": list(self.channels), "phases": list(self.phases)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PhaseNetConfig:
        """Build from plain values.

        Raises:
            ConfigError: for a key that is not a field, or a value out of range.
        """
        return cls(**by_name(values, cls, "PhaseNetConfig"))


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value)
