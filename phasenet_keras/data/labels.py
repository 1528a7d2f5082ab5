"""From arrivals to what the network is to answer: a probability of each phase at each sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from phasenet_keras.data.settings import choice, number, optional, settle, settled

__all__ = ["LABEL_SHAPES", "LabelShape", "draw_labels", "label_of"]

KINDS = {
    "kernel": choice(("gaussian", "triangle", "box")),
    "sigma_samples": number(above=0),
    "reach_samples": optional(number(0)),
}


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
        settle(self, KINDS, "a label's ")

    @classmethod
    def ancestor(cls, n_samples: int) -> LabelShape:
        """Return the label of the source report for windows of ``n_samples``.

        The report states a scale of ``d = n_samples / 100`` samples and zero beyond ``2 d``. That
        ``d`` is the standard deviation of a Gaussian is our reading: no reference arrays are at
        hand. Unlike the report's, a label near an edge is kept.
        """
        scale = n_samples / 100
        return cls(sigma_samples=scale, reach_samples=2 * scale)

    @property
    def support_samples(self) -> float:
        """How far from its arrival a bump counts, to its end; three sigmas if it has none."""
        reach = self.reach_samples
        if reach is None:
            reach = self.sigma_samples * (3.0 if self.kernel == "gaussian" else 1.0)
        return reach + self.on_grid

    def piece(self, n_samples: int, arrival: float) -> tuple[slice, np.ndarray]:
        """Return where in a window the bump of an arrival is not zero, and its values there.

        Args:
            n_samples: of the window.
            arrival: in samples from the window's first; may be outside of the window.
        """
        centre = float(np.floor(arrival)) if self.on_grid else arrival
        begin, end = 0, n_samples
        if self.reach_samples is not None:
            begin = min(n_samples, max(0, int(centre - self.reach_samples)))
            end = max(begin, min(n_samples, int(centre + self.reach_samples) + 2))
        distance = np.abs(np.arange(begin, end) - centre)
        if self.kernel == "gaussian":
            values = np.exp(-((distance / self.sigma_samples) ** 2) / 2)
        elif self.kernel == "triangle":
            values = np.maximum(0.0, 1.0 - distance / self.sigma_samples)
        else:
            values = (distance <= self.sigma_samples).astype(np.float64)
        if self.reach_samples is not None:
            values[distance > self.reach_samples] = 0.0
        return slice(begin, end), values


def _official(width_samples: int, kernel: str = "gaussian") -> LabelShape:
    # The official label_width w: sigma w / 5, nothing beyond w / 2.
    sigma = width_samples / 5 if kernel == "gaussian" else width_samples / 2
    return LabelShape(kernel, sigma, width_samples // 2, on_grid=True)


# Some depend on the window: those are functions of its length in samples.
LABEL_SHAPES: Mapping[str, LabelShape | Callable[[int], LabelShape]] = {
    "official": _official(30),
    "official_20": _official(20),
    "official_triangle": _official(30, "triangle"),
    "ancestor": LabelShape.ancestor,
}


def label_of(name: str, n_samples: int) -> LabelShape:
    """Return the label of a name for windows of ``n_samples``.

    Raises:
        ConfigError: for an unknown name, with those that there are.

    Example:
        >>> label_of("ancestor", 1500).reach_samples
        30.0
    """
    shape = LABEL_SHAPES[settled("a label", choice(LABEL_SHAPES), name)]
    return shape if isinstance(shape, LabelShape) else shape(n_samples)


def draw_labels(
    n_samples: int,
    arrivals: Mapping[str, Sequence[float]],
    phases: Sequence[str],
    shape: LabelShape | Callable[[int], LabelShape],
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
        shape: of one arrival's bump; a value of `LABEL_SHAPES`.

    Returns:
        ``(n_samples, len(phases))`` float32; rows sum to 1.

    Example:
        >>> draw_labels(5, {"P": [2]}, "NPS", LabelShape(sigma_samples=1))[:, 1].round(2)
        array([0.14, 0.61, 1.  , 0.61, 0.14], dtype=float32)
    """
    if not isinstance(shape, LabelShape):
        shape = shape(n_samples)
    # One row a phase: sums over short rows would cost four times as much.
    target = np.zeros((len(phases), n_samples))
    for row, phase in zip(target[1:], phases[1:], strict=True):
        for arrival in arrivals.get(phase, ()):
            if np.isfinite(arrival):
                part, piece = shape.piece(n_samples, arrival)
                np.maximum(row[part], piece, out=row[part])
    total = target[1:].sum(axis=0)
    target[1:] /= np.maximum(total, 1.0)
    np.maximum(0.0, 1.0 - total, out=target[0])
    return target.T.astype(np.float32, order="C")
