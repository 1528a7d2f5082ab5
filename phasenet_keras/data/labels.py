"""From arrivals to what the network is to answer: a probability of each phase at each sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from phasenet_keras.types import ConfigError

__all__ = ["LABEL_SHAPES", "LabelShape", "draw_labels"]

KERNELS = ("gaussian", "triangle", "box")


@dataclass(frozen=True)
class LabelShape:
    """The bump that stands for one arrival.

    Attributes:
        kernel: ``"gaussian"``, ``"triangle"`` or ``"box"``.
        sigma_samples: standard deviation of a Gaussian; for a triangle and a box the half width
            at which it reaches zero.
        reach_samples: the bump is zero farther than this from the arrival; None: nowhere.
        on_grid: round arrivals down to whole samples first, as the official code does; False
            keeps the fraction of a sample.

    Raises:
        ConfigError: for an unknown kernel or a width that is not above 0.
    """

    kernel: str = "gaussian"
    sigma_samples: float = 6.0
    reach_samples: float | None = 15.0
    on_grid: bool = False

    def __post_init__(self) -> None:
        if self.kernel not in KERNELS:
            raise ConfigError(f"a label's kernel is one of {', '.join(KERNELS)}: {self.kernel!r}")
        if not self.sigma_samples > 0:
            raise ConfigError(f"sigma_samples is above 0, received {self.sigma_samples!r}")
        if self.reach_samples is not None and not self.reach_samples >= 0:
            raise ConfigError(f"reach_samples is 0 or more, received {self.reach_samples!r}")

    @classmethod
    def of_seconds(cls, sigma_s: float, sampling_rate: float, reach: float = 2.5) -> LabelShape:
        """Return a Gaussian of ``sigma_s`` seconds, cut off at ``reach`` sigmas."""
        sigma_samples = sigma_s * sampling_rate
        return cls(sigma_samples=sigma_samples, reach_samples=reach * sigma_samples)

    def bump(self, n_samples: int, arrival: float) -> np.ndarray:
        """Return the bump of one arrival over ``n_samples`` samples.

        Args:
            n_samples: of the window.
            arrival: in samples from the window's first; may be outside of the window.

        Returns:
            ``(n_samples,)`` float64, 1 at the arrival.
        """
        distance = np.abs(np.arange(n_samples) - (np.floor(arrival) if self.on_grid else arrival))
        if self.kernel == "gaussian":
            values = np.exp(-((distance / self.sigma_samples) ** 2) / 2)
        elif self.kernel == "triangle":
            values = np.maximum(0.0, 1.0 - distance / self.sigma_samples)
        else:
            values = (distance <= self.sigma_samples).astype(np.float64)
        if self.reach_samples is not None:
            values[distance > self.reach_samples] = 0.0
        return values


def _official(width_samples: int, kernel: str = "gaussian") -> LabelShape:
    # The official label_width w: sigma w / 5, nothing beyond w / 2.
    sigma = width_samples / 5 if kernel == "gaussian" else width_samples / 2
    return LabelShape(kernel, sigma, width_samples // 2, on_grid=True)


LABEL_SHAPES: Mapping[str, LabelShape] = {
    "official": _official(30),
    "official_20": _official(20),
    "official_triangle": _official(30, "triangle"),
}


def draw_labels(
    n_samples: int,
    arrivals: Mapping[str, Sequence[float]],
    phases: Sequence[str],
    shape: LabelShape,
) -> np.ndarray:
    """Draw the target of a window: a distribution over the phases at every sample.

    Where bumps of two phases overlap to more than 1 together they share it in proportion, so that
    noise never gets a negative probability; where bumps of one phase overlap the higher counts.
    Arrivals near or beyond the edge leave the part of their bump that is inside.

    Args:
        n_samples: of the window.
        arrivals: in samples from the window's first, by phase; NaN is no arrival. A phase that is
            missing gets an empty column: what is unknown is masked by `known_phases`.
        phases: the network's, noise first.
        shape: of one arrival's bump.

    Returns:
        ``(n_samples, len(phases))`` float32; rows sum to 1.

    Example:
        >>> draw_labels(5, {"P": [2]}, "NPS", LabelShape(sigma_samples=1))[:, 1].round(2)
        array([0.14, 0.61, 1.  , 0.61, 0.14], dtype=float32)
    """
    target = np.zeros((n_samples, len(phases)))
    for column, phase in enumerate(phases[1:], start=1):
        for arrival in arrivals.get(phase, ()):
            if np.isfinite(arrival):
                np.maximum(target[:, column], shape.bump(n_samples, arrival), out=target[:, column])
    total = target.sum(axis=1, keepdims=True)
    target /= np.maximum(total, 1.0)
    target[:, 0] = np.maximum(0.0, 1.0 - total[:, 0])
    return target.astype(np.float32)
