"""Distillation: a trained network's word beside the labels, for records that are few.

What the teacher says of the very window that the student sees is a target of its own: it is there
for windows that nobody labelled, and says more than a label where an onset is doubtful.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from phasenet_keras.data.settings import checked_type, number, settle
from phasenet_keras.data.windows import padded_length
from phasenet_keras.models.folding import window_of
from phasenet_keras.models.inference import Forward, compile_forward
from phasenet_keras.models.weights import weights_digest
from phasenet_keras.short_repr import ShortRepr
from phasenet_keras.types import ConfigError

if TYPE_CHECKING:
    from phasenet_keras.models.config import PhaseNetConfig
    from phasenet_keras.models.phasenet import PhaseNet

__all__ = ["Teacher", "mix_targets"]


def mix_targets(y: np.ndarray, answer: np.ndarray, share: float) -> np.ndarray:
    """Blend labels with a teacher's probabilities; where there is no label the teacher's count.

    The target of a phase is ``share * answer + (1 - share) * label`` where the phase is known, and
    ``answer`` where it is not (in proportion where it is known in part); noise is the rest.

    Args:
        y: ``(..., 2 * phases)``, as `ExampleMaker` makes it: the labels, noise first, then how far
            each phase is known.
        answer: ``(..., phases)``, the teacher's probabilities.
        share: the teacher's part where the phase is known, from 0 to 1.

    Returns:
        ``(..., 2 * phases)`` float32 as ``y``, in which all phases are known.

    Example:
        >>> label, unknown = [0, 1, 0], [1, 1, 0]
        >>> mix_targets(np.array([label + unknown]), np.array([[0.3, 0.5, 0.2]]), 0.6).round(2)
        array([[0.1, 0.7, 0.2, 1. , 1. , 1. ]], dtype=float32)
    """
    n_phases = answer.shape[-1]
    trust = (1.0 - share) * y[..., n_phases + 1 :]
    arrivals = trust * y[..., 1:n_phases] + (1.0 - trust) * answer[..., 1:]
    total = arrivals.sum(axis=-1, keepdims=True)
    # Parts of a label and of an answer to another phase may come to more than 1 together.
    arrivals = arrivals / np.maximum(total, 1.0)
    noise = np.maximum(0.0, 1.0 - total)
    parts = [noise, arrivals, np.ones_like(answer)]
    return np.concatenate(parts, axis=-1).astype(np.float32)


@dataclass(frozen=True, eq=False, repr=False)
class Teacher(ShortRepr):
    """A network whose answers are a part of the targets that another one is trained on.

    Attributes:
        net: with weights; it is not changed. It is fed by the length rule of its own contract, and
            should be sampled as the student.
        share: its part of the target where a phase was labelled, from 0 to 1; the label has the
            rest. A phase that was not labelled has the teacher's word alone.

    Raises:
        ConfigError: for a share out of range, or what is no network.

    Example:
        >>> from phasenet_keras import PhaseNet
        >>> teacher = Teacher(PhaseNet(depth=2), share=0.5)
        >>> x, y = np.zeros((4, 64, 3), "float32"), np.ones((4, 64, 6), "float32")
        >>> teacher.targets(x, y).shape
        (4, 64, 6)
    """

    net: PhaseNet
    share: float = 0.7

    def __post_init__(self) -> None:
        from phasenet_keras.models.phasenet import PhaseNet  # late: it costs Keras

        checked_type(self.net, PhaseNet, "a teacher's net", "PhaseNet.from_preset(name) is one")
        settle(self, {"share": number(0, 1)}, "a teacher's ")

    def check(self, config: PhaseNetConfig, normalization: str = "std") -> None:
        """Refuse a student of other channels, phases or normalisation.

        Raises:
            ConfigError: naming both.
        """
        own = self.net.preset.normalization if self.net.preset else "std"
        if own != normalization:
            raise ConfigError(
                f"the teacher's normalization is '{own}', that of the network to be trained "
                f"'{normalization}': they must be the same"
            )
        for what in ("channels", "phases"):
            ours, theirs = getattr(self.net.config, what), getattr(config, what)
            if ours != theirs:
                raise ConfigError(
                    f"the teacher has {what} {','.join(ours)}, the network to be trained "
                    f"{','.join(theirs)}: they must be the same"
                )

    def facts(self) -> dict[str, Any]:
        """Return what tells a teacher: its name, SHA-256 of its weights, its share."""
        preset = self.net.preset
        return {
            "preset": None if preset is None else preset.name,
            "weights": weights_digest(self.net.get_weight_set()),
            "share": self.share,
        }

    def targets(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the targets of a batch, labels and answers mixed: see `mix_targets`.

        Args:
            x: ``(batch, samples, channels)``, normalised.
            y: ``(batch, samples, 2 * phases)``, as `ExampleMaker` makes it.
        """
        n_samples, grid = x.shape[1], self.net.config.grid_samples
        lacking = padded_length(n_samples, window_of(self.net, None), grid) - n_samples
        answer = self._forward(np.pad(x, ((0, 0), (0, lacking), (0, 0))))[:, :n_samples]
        return mix_targets(y, answer, self.share)

    @cached_property
    def _forward(self) -> Forward:
        return compile_forward(self.net)
