"""`TrainConfig`: everything that a training run depends on, beside its data and its strategy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from os import PathLike
from typing import Any

import numpy as np

from phasenet_keras.data.augment import (
    Augmentation,
    Clip,
    DropChannels,
    Gap,
    Polarity,
    TimeStretch,
    WhiteNoise,
)
from phasenet_keras.data.field import FieldNoise, RandomResponse, TimeGain, TimeWarp
from phasenet_keras.data.labels import LabelShape, label_of
from phasenet_keras.data.mixing import (
    BlendRecords,
    RecordedNoise,
    RotateHorizontals,
    StackEvents,
    p_and_s,
)
from phasenet_keras.data.settings import (
    FLAG,
    SEED,
    TEXT,
    Kind,
    by_name,
    choice,
    class_factors,
    number,
    optional,
    settle,
    settled,
    whole,
)
from phasenet_keras.io.new_files import read_settings
from phasenet_keras.models.contract import WINDOW_RANGE
from phasenet_keras.types import ConfigError, LabelledWaveform, refuse_unknown

__all__ = ["PRECISIONS", "TrainConfig", "choose_window", "config_of", "read_config"]

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
SCHEDULES = ("cosine", "constant")
LEAST_WINDOWS = 256
REFIT_BELOW = 300
# Up to 86 real records gained by it on the whole, 193 did not (one seed each).
BLENDED_BELOW = 150
GRID, LONGEST_WINDOW = 256, 3072

STEPS: Mapping[str, type] = {
    step.__name__: step
    for step in (
        BlendRecords,
        Clip,
        DropChannels,
        FieldNoise,
        Gap,
        Polarity,
        RandomResponse,
        RecordedNoise,
        RotateHorizontals,
        StackEvents,
        TimeGain,
        TimeStretch,
        TimeWarp,
        WhiteNoise,
    )
}
USUAL_STEPS = ({"name": "Polarity"}, {"name": "WhiteNoise"})
BLENDING = ({"name": "BlendRecords"},)
LEAST_BLENDED = 0.25
DEFAULT_SIGMA_SAMPLES, DEFAULT_REACH = 6.0, 2.5

# What each setting may be; the lists are checked by themselves.
KINDS: Mapping[str, Kind] = {
    "epochs": whole(1),
    "batch_size": whole(1),
    "windows_per_record": whole(),
    "learning_rate": number(above=0),
    "schedule": choice(SCHEDULES),
    "window_samples": whole(),
    "label_shape": TEXT,
    "label_sigma_samples": number(above=0, most=LONGEST_WINDOW),
    "label_reach": number(above=0),
    "alpha": number(0, 1),
    "shift_samples": whole(),
    "mask_unknown": FLAG,
    "tolerance_samples": number(above=0),
    "patience": whole(1),
    "refit": optional(FLAG),
    "precision": choice(PRECISIONS),
    "tensorboard": FLAG,
    "seed": SEED,
}


@dataclass(frozen=True)
class TrainConfig:
    """Settings of a training run; JSON takes them and gives them back.

    Attributes:
        epochs: passes over the training records.
        batch_size: windows a step.
        windows_per_record: windows drawn from each record in an epoch; 0 draws so many that an
            epoch has 256 windows at least, so that few records are not few steps.
        learning_rate: of Adam at the start.
        schedule: ``"cosine"`` lets the learning rate fall to a hundredth, ``"constant"`` keeps it.
        window_samples: of the training windows; a multiple of 256 needs no padding later. 0 chooses
            the least one, up to 3072, that holds the longest record: picking shows the network
            1,791 samples to each side, and training should, too.
        label_shape: name of what stands for an arrival, a key of `LABEL_SHAPES`; empty is a
            Gaussian by the next two.
        label_sigma_samples: standard deviation of the Gaussian.
        label_reach: the Gaussian is cut off at this many standard deviations.
        alpha: rate of windows that hold the arrivals; the others hold none where there is room.
        shift_samples: how far a window may begin before a record or end after it.
        augmentation: name and settings of each step, in order; None takes polarity and white noise,
            and before them `BlendRecords` where there are fewer than 150 records and a quarter of
            those to train on or more have one P and one S.
        class_weights: factor of each phase's term in the loss; empty is 1 for all.
        mask_unknown: treat a phase that was not labelled as unknown, not as absent.
        tolerance_samples: greatest residual of a match when thresholds are chosen on the
            validation records.
        patience: epochs without a validation F1 as high as the best or a lower loss, after which
            training ends.
        refit: train anew on all records, validation included, up to the best epoch; None does so
            where they are fewer than 300.
        precision: ``"float32"``, ``"mixed_bfloat16"`` or ``"mixed_float16"``, for GPUs.
        tensorboard: write ``tensorboard/`` in the run folder, beside ``history.csv``.
        seed: of weights, order and windows.

    Raises:
        ConfigError: for a value of another type or out of range, an unknown label, augmentation
            or setting of one, or a label given both by name and by width.

    Example:
        >>> config = TrainConfig(epochs=20, augmentation=({"name": "WhiteNoise"},))
        >>> TrainConfig.from_dict(config.to_dict()) == config
        True
    """

    epochs: int = 40
    batch_size: int = 16
    windows_per_record: int = 0
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    window_samples: int = 0
    label_shape: str = ""
    label_sigma_samples: float = DEFAULT_SIGMA_SAMPLES
    label_reach: float = DEFAULT_REACH
    alpha: float = 0.95
    shift_samples: int = 512
    augmentation: tuple[Mapping[str, Any], ...] | None = None
    class_weights: tuple[float, ...] = ()
    mask_unknown: bool = True
    tolerance_samples: float = 10.0
    patience: int = 20
    refit: bool | None = None
    precision: str = "float32"
    tensorboard: bool = False
    seed: int = 0
    steps: tuple[Augmentation, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        settle(self, KINDS)
        if self.window_samples:
            settled("window_samples, where it is not 0,", whole(*WINDOW_RANGE), self.window_samples)
        self._check_label()
        if self.augmentation is not None:
            object.__setattr__(self, "augmentation", _steps(self.augmentation))
        object.__setattr__(self, "class_weights", class_factors(self.class_weights))
        steps = USUAL_STEPS if self.augmentation is None else self.augmentation
        object.__setattr__(self, "steps", tuple(_step(item) for item in steps))

    @property
    def label(self) -> LabelShape:
        """The shape of an arrival in the target."""
        if self.label_shape:
            return label_of(self.label_shape, self.window_samples)
        sigma = self.label_sigma_samples
        return LabelShape(sigma_samples=sigma, reach_samples=self.label_reach * sigma)

    def settled(
        self,
        records: Sequence[LabelledWaveform],
        dev_records: Sequence[LabelledWaveform] = (),
    ) -> TrainConfig:
        """Return a copy in which what was left open is chosen from the records."""
        n_records = len(records) + len(dev_records)
        augmentation = self.augmentation
        if augmentation is None:
            n_both = sum(p_and_s(record.arrivals) is not None for record in records)
            is_enough = n_both >= max(1, LEAST_BLENDED * len(records))
            blends = n_records < BLENDED_BELOW and is_enough
            augmentation = (*BLENDING, *USUAL_STEPS) if blends else USUAL_STEPS
        return replace(
            self,
            augmentation=augmentation,
            refit=n_records < REFIT_BELOW if self.refit is None else self.refit,
            window_samples=self.window_samples or choose_window([*records, *dev_records]),
        )

    def windows_of(self, n_records: int) -> int:
        """Return the windows drawn from each record in an epoch, for a number of records."""
        return self.windows_per_record or max(1, math.ceil(LEAST_WINDOWS / n_records))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as `from_dict` and JSON take them."""
        values = asdict(self)
        del values["steps"]
        augmentation = None if self.augmentation is None else list(values["augmentation"])
        lists = {"augmentation": augmentation, "class_weights": list(values["class_weights"])}
        return values | lists

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainConfig:
        """Build from plain values.

        Raises:
            ConfigError: for unknown keys or impossible values.
        """
        return cls(**by_name(values, cls, "a training configuration"))

    def _check_label(self) -> None:
        if not self.label_shape:
            return
        label_of(self.label_shape, self.window_samples or LONGEST_WINDOW)
        given = (self.label_sigma_samples, self.label_reach)
        if given != (DEFAULT_SIGMA_SAMPLES, DEFAULT_REACH):
            raise ConfigError(
                f"label_shape {self.label_shape!r} has its own width, received also "
                f"label_sigma_samples {given[0]:g} and label_reach {given[1]:g}: leave out either"
            )


def config_of(config: TrainConfig | None) -> TrainConfig:
    """Return a configuration, the default one for None.

    Raises:
        ConfigError: for anything else.
    """
    if config is not None and not isinstance(config, TrainConfig):
        raise ConfigError(
            f"config is a TrainConfig, received {type(config).__name__}: TrainConfig(epochs=20), "
            "or TrainConfig.from_dict of a mapping"
        )
    return config or TrainConfig()


def choose_window(records: Sequence[LabelledWaveform]) -> int:
    """Return the window length of `TrainConfig.window_samples` 0, in samples.

    Example:
        >>> choose_window([])
        256
    """
    longest = max((record.waveform.n_samples for record in records), default=GRID)
    return min(math.ceil(longest / GRID) * GRID, LONGEST_WINDOW)


def read_config(path: str | PathLike[str] | None) -> TrainConfig:
    """Read a configuration from JSON, or from a run's ``config.json``; None gives the defaults.

    Raises:
        ConfigError: for a file that cannot be read, unknown keys or impossible values.
    """
    if path is None:
        return TrainConfig()
    values = read_settings(path)
    return TrainConfig.from_dict(values.get("config", values))


def _steps(given: Any) -> tuple[Mapping[str, Any], ...]:
    """Return the steps of an augmentation as plain values."""
    is_list = isinstance(given, Sequence) and not isinstance(given, str)
    for item in given if is_list else [given]:
        if not (is_list and isinstance(item, Mapping) and isinstance(item.get("name"), str)):
            raise ConfigError(
                'augmentation is a list of steps, each a mapping with a name, such as {"name": '
                f'"Polarity"}}, received {item!r}'
            )
    return tuple(
        {key: v.item() if isinstance(v, np.generic) else v for key, v in item.items()}
        for item in given
    )


def _step(item: Mapping[str, Any]) -> Augmentation:
    settings = dict(item)
    name = settings.pop("name")
    refuse_unknown({name: None}, STEPS, "augmentation")
    step: Any = STEPS[name]
    return step(**by_name(settings, step, f"augmentation {name}"))
