"""`TrainConfig`: everything that a training run depends on, beside its data and its strategy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from phasenet_keras.data.augment import (
    Augmentation,
    Clip,
    DropChannels,
    Gap,
    Polarity,
    TimeStretch,
    WhiteNoise,
)
from phasenet_keras.data.labels import LabelShape, label_of
from phasenet_keras.data.mixing import RecordedNoise, StackEvents
from phasenet_keras.types import ConfigError, refuse_unknown

__all__ = ["TrainConfig"]

STEPS: Mapping[str, type] = {
    step.__name__: step
    for step in (
        Clip,
        DropChannels,
        Gap,
        Polarity,
        RecordedNoise,
        StackEvents,
        TimeStretch,
        WhiteNoise,
    )
}
DEFAULT_SIGMA_SAMPLES, DEFAULT_REACH = 6.0, 2.5


@dataclass(frozen=True)
class TrainConfig:
    """Settings of a training run; JSON takes them and gives them back.

    Attributes:
        epochs: passes over the training records.
        batch_size: windows a step.
        windows_per_record: windows drawn from each record in an epoch.
        learning_rate: of Adam at the start; it falls to a hundredth along a cosine.
        window_samples: of the training windows; a multiple of 256 needs no padding later.
        label_shape: name of what stands for an arrival, a key of `LABEL_SHAPES`; empty is a
            Gaussian by the next two.
        label_sigma_samples: standard deviation of the Gaussian.
        label_reach: the Gaussian is cut off at this many standard deviations.
        alpha: rate of windows that hold the arrivals; the others hold none where there is room.
        shift_samples: how far a window may begin before a record or end after it.
        augmentation: name and settings of each step, in order.
        class_weights: factor of each phase's term in the loss; empty is 1 for all.
        mask_unknown: treat a phase that was not labelled as unknown, not as absent.
        tolerance_samples: greatest residual of a match when thresholds are chosen on the
            validation records.
        patience: epochs without a better validation loss after which training ends.
        seed: of weights, order and windows.

    Raises:
        ConfigError: for a value out of range, an unknown label, augmentation or setting of one,
            or a label given both by name and by width.
    """

    epochs: int = 60
    batch_size: int = 16
    windows_per_record: int = 4
    learning_rate: float = 1e-3
    window_samples: int = 3072
    label_shape: str = ""
    label_sigma_samples: float = DEFAULT_SIGMA_SAMPLES
    label_reach: float = DEFAULT_REACH
    alpha: float = 0.95
    shift_samples: int = 512
    augmentation: tuple[Mapping[str, Any], ...] = (
        {"name": "Polarity"},
        {"name": "WhiteNoise"},
    )
    class_weights: tuple[float, ...] = ()
    mask_unknown: bool = True
    tolerance_samples: float = 10.0
    patience: int = 20
    seed: int = 0
    steps: tuple[Augmentation, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "windows_per_record", "window_samples", "patience"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigError(f"{name} is a whole number from 1 on, received {value!r}")
        for name in ("learning_rate", "label_sigma_samples", "label_reach", "tolerance_samples"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is above 0, received {getattr(self, name)!r}")
        self._check_label()
        object.__setattr__(self, "augmentation", tuple(dict(s) for s in self.augmentation))
        object.__setattr__(self, "class_weights", tuple(self.class_weights))
        object.__setattr__(self, "steps", tuple(_step(item) for item in self.augmentation))

    @property
    def label(self) -> LabelShape:
        """The shape of an arrival in the target."""
        if self.label_shape:
            return label_of(self.label_shape, self.window_samples)
        sigma = self.label_sigma_samples
        return LabelShape(sigma_samples=sigma, reach_samples=self.label_reach * sigma)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as `from_dict` and JSON take them."""
        values = asdict(self)
        del values["steps"]
        lists = {name: list(values[name]) for name in ("augmentation", "class_weights")}
        return values | lists

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainConfig:
        """Build from plain values.

        Raises:
            ConfigError: for unknown keys or impossible values.
        """
        known = [item.name for item in fields(cls) if item.init]
        refuse_unknown(values, known, "a training configuration")
        return cls(**values)

    def _check_label(self) -> None:
        if not self.label_shape:
            return
        label_of(self.label_shape, self.window_samples)
        given = (self.label_sigma_samples, self.label_reach)
        if given != (DEFAULT_SIGMA_SAMPLES, DEFAULT_REACH):
            raise ConfigError(
                f"label_shape {self.label_shape!r} has its own width, received also "
                f"label_sigma_samples {given[0]:g} and label_reach {given[1]:g}: leave out either"
            )


def _step(item: Mapping[str, Any]) -> Augmentation:
    settings = dict(item)
    name = settings.pop("name", None)
    refuse_unknown({str(name): None}, STEPS, "augmentation")
    step: Any = STEPS[str(name)]
    refuse_unknown(settings, [field.name for field in fields(step)], f"augmentation {name}")
    return step(**settings)
