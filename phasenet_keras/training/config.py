"""`TrainConfig`: everything that a training run depends on, beside its data and its strategy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from os import PathLike
from pathlib import Path
from typing import Any

from phasenet_keras.data.augment import (
    Augmentation,
    Clip,
    DropChannels,
    Gap,
    Polarity,
    WhiteNoise,
)
from phasenet_keras.data.labels import LabelShape
from phasenet_keras.types import ConfigError, refuse_unknown

__all__ = ["TrainConfig", "read_config"]

STEPS = {step.__name__: step for step in (Clip, DropChannels, Gap, Polarity, WhiteNoise)}


@dataclass(frozen=True)
class TrainConfig:
    """Settings of a training run; JSON takes them and gives them back.

    Attributes:
        epochs: passes over the training records.
        batch_size: windows a step.
        windows_per_record: windows drawn from each record in an epoch.
        learning_rate: of Adam at the start; it falls to a hundredth along a cosine.
        window_samples: of the training windows; a multiple of 256 needs no padding later.
        label_sigma_samples: standard deviation of the Gaussian that stands for an arrival; it is
            cut off at 2.5 times that.
        alpha: rate of windows that hold the arrivals.
        shift_samples: how far a window may begin before a record or end after it.
        augmentation: name and settings of each step, in order.
        class_weights: factor of each phase's term in the loss; empty is 1 for all.
        mask_unknown: treat a phase that was not labelled as unknown, not as absent.
        tolerance_samples: greatest residual of a match when thresholds are chosen on the
            validation records.
        patience: epochs without a better validation loss after which training ends.
        seed: of weights, order and windows.

    Raises:
        ConfigError: for a value out of range, or an unknown augmentation or setting of one.
    """

    epochs: int = 60
    batch_size: int = 16
    windows_per_record: int = 4
    learning_rate: float = 1e-3
    window_samples: int = 3072
    label_sigma_samples: float = 6.0
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
        for name in ("learning_rate", "label_sigma_samples", "tolerance_samples"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is above 0, received {getattr(self, name)!r}")
        object.__setattr__(self, "augmentation", tuple(dict(s) for s in self.augmentation))
        object.__setattr__(self, "class_weights", tuple(self.class_weights))
        object.__setattr__(self, "steps", tuple(_step(item) for item in self.augmentation))

    @property
    def label(self) -> LabelShape:
        """The shape of an arrival in the target."""
        sigma = self.label_sigma_samples
        return LabelShape(sigma_samples=sigma, reach_samples=2.5 * sigma)

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


def read_config(path: str | PathLike[str] | None) -> TrainConfig:
    """Read a configuration from JSON; None gives the defaults.

    Raises:
        ConfigError: for a file that cannot be read, unknown keys or impossible values.
    """
    if path is None:
        return TrainConfig()
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} is no readable JSON: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} should hold a JSON object, it holds a {type(values).__name__}")
    return TrainConfig.from_dict(values)


def _step(item: Mapping[str, Any]) -> Augmentation:
    settings = dict(item)
    name = settings.pop("name", None)
    refuse_unknown({str(name): None}, STEPS, "augmentation")
    step: Any = STEPS[str(name)]
    refuse_unknown(settings, [field.name for field in fields(step)], f"augmentation {name}")
    return step(**settings)
