"""Transfer strategies: which stages take over weights, which are frozen, and when.

A strategy is a value; `TransferStrategy.at` is a pure function of the epoch, so that a resumed run
needs nothing but the epoch. Applying it to a network is `apply_phase`; per-stage learning rates are
in `StageAdam`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from phasenet_keras.data.settings import (
    FOLDER_NAME,
    NAMES,
    TEXT,
    by_name,
    number,
    settle,
    settled,
    whole,
)
from phasenet_keras.io.new_files import json_of
from phasenet_keras.types import ConfigError, nearest_name

__all__ = [
    "STRATEGIES",
    "FreezePhase",
    "FreezeSchedule",
    "TransferStrategy",
    "matching_stages",
    "strategy_of",
]

GLOBS = replace(NAMES, words="a list of globs")
SCALE = replace(
    number(above=0),
    words="above 0 (0 is not freezing, the batch-norm statistics would still move: leave the stage "
    "out of trainable)",
)


@dataclass(frozen=True)
class FreezePhase:
    """What may learn from an epoch on.

    Attributes:
        start_epoch: the first epoch of the phase, from 0.
        trainable: globs of stages that learn; all others are frozen, batch-norm statistics too.
        lr_scale: factor of the learning rate, by glob of stages; the first that matches counts,
            1 where none does.

    Raises:
        ConfigError: for a start that is no whole number, globs that are one string, or a factor
            that is not above 0.

    Example:
        >>> phase = FreezePhase(10, ("up*", "down*"), lr_scale={"down*": 0.2})
        >>> phase.scale_of("down3"), phase.scale_of("up0")
        (0.2, 1.0)
    """

    start_epoch: int = 0
    trainable: tuple[str, ...] = ("*",)
    lr_scale: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        settle(self, {"start_epoch": whole(), "trainable": GLOBS})
        if not isinstance(self.lr_scale, Mapping):
            raise ConfigError(f"lr_scale has a factor by glob, received {self.lr_scale!r}")
        scale = {
            glob: settled(f"lr_scale of '{glob}'", SCALE, factor)
            for glob, factor in self.lr_scale.items()
        }
        object.__setattr__(self, "lr_scale", scale)

    def scale_of(self, stage: str) -> float:
        """Return the factor of a stage's learning rate."""
        matches = (f for glob, f in self.lr_scale.items() if fnmatchcase(stage, glob))
        return float(next(matches, 1.0))


@dataclass(frozen=True)
class FreezeSchedule:
    """Phases, the first of which starts at epoch 0.

    Raises:
        ConfigError: for no phases, or phases that do not start at 0 and then later and later.

    Example:
        >>> schedule = FreezeSchedule((FreezePhase(0, ("output",)), FreezePhase(5)))
        >>> schedule.at(4).trainable, schedule.at(5).trainable
        (('output',), ('*',))
    """

    phases: tuple[FreezePhase, ...] = (FreezePhase(),)

    def __post_init__(self) -> None:
        phases = self.phases
        is_list = isinstance(phases, Sequence)
        if not is_list or not all(isinstance(phase, FreezePhase) for phase in phases):
            raise ConfigError(f"phases are a list of FreezePhase, received {phases!r}")
        object.__setattr__(self, "phases", tuple(phases))
        starts = [phase.start_epoch for phase in self.phases]
        if not starts or starts[0] != 0 or starts != sorted(set(starts)):
            raise ConfigError(f"phases start at epoch 0 and then later and later: {starts}")

    def at(self, epoch: int) -> FreezePhase:
        """Return the phase that an epoch is in."""
        return [phase for phase in self.phases if phase.start_epoch <= epoch][-1]


@dataclass(frozen=True)
class TransferStrategy:
    """Which stages take over weights and which are frozen.

    Attributes:
        name: of the strategy, and of folders of its runs.
        load: globs of stages that take over the parent's weights; the others start at random.
        freeze: what may learn, and when; a list of `FreezePhase` will do.
        description: one line.

    Raises:
        ConfigError: for globs that are one string, or a name that is none of a folder.

    Example:
        >>> STRATEGIES["freeze_encoder"].frozen_at(0, ("input", "down0", "up0", "output"))
        ('input', 'down0')
    """

    name: str
    load: tuple[str, ...] = ("*",)
    freeze: FreezeSchedule = FreezeSchedule()
    description: str = ""

    def __post_init__(self) -> None:
        settle(self, {"name": FOLDER_NAME, "load": GLOBS, "description": TEXT})
        if not isinstance(self.freeze, FreezeSchedule):
            object.__setattr__(self, "freeze", FreezeSchedule(self.freeze))

    def at(self, epoch: int) -> FreezePhase:
        """Return what may learn in an epoch (from 0)."""
        return self.freeze.at(epoch)

    def loaded(self, stages: Sequence[str]) -> tuple[str, ...]:
        """Return the stages that take over weights, in the network's order."""
        return matching_stages(self.load, stages)

    def frozen_at(self, epoch: int, stages: Sequence[str]) -> tuple[str, ...]:
        """Return the stages that are frozen in an epoch, in the network's order."""
        learning = matching_stages(self.at(epoch).trainable, stages)
        return tuple(stage for stage in stages if stage not in learning)

    def check(self, stages: Sequence[str]) -> None:
        """Refuse globs that match no stage.

        Raises:
            ConfigError: naming the glob and listing the stages.
        """
        self.loaded(stages)
        for phase in self.freeze.phases:
            matching_stages(phase.trainable, stages)
            matching_stages(tuple(phase.lr_scale), stages)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as `from_dict` and JSON take them."""
        return {
            "name": self.name,
            "load": list(self.load),
            "freeze": [asdict(phase) for phase in self.freeze.phases],
            "description": self.description,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TransferStrategy:
        """Build from plain values.

        Raises:
            ConfigError: for unknown keys or impossible values.
        """
        given = by_name(values, cls, "a strategy")
        phases = given.pop("freeze", [{}])
        if isinstance(phases, Mapping):
            phases = [phases]
        if not isinstance(phases, Sequence) or not all(isinstance(p, Mapping) for p in phases):
            raise ConfigError(f"freeze is a list of phases with settings, received {phases!r}")
        found = [FreezePhase(**by_name(phase, FreezePhase, "a freeze phase")) for phase in phases]
        try:
            schedule = FreezeSchedule(tuple(found))
            return cls(freeze=schedule, **given)
        except TypeError as error:
            raise ConfigError(f"this is no strategy: {error}") from error


def matching_stages(globs: Sequence[str], stages: Sequence[str]) -> tuple[str, ...]:
    """Return the stages that any glob matches, in the network's order.

    Raises:
        ConfigError: for a glob that matches none; it lists the stages.

    Example:
        >>> matching_stages(["down*", "output"], ["input", "down0", "down1", "up0", "output"])
        ('down0', 'down1', 'output')
    """
    for glob in globs:
        if not any(fnmatchcase(stage, glob) for stage in stages):
            raise ConfigError(
                f"'{glob}' matches no stage.{nearest_name(glob, stages)} "
                f"The stages are {', '.join(stages)}."
            )
    return tuple(stage for stage in stages if any(fnmatchcase(stage, glob) for glob in globs))


def strategy_of(strategy: str | Mapping[str, Any] | TransferStrategy) -> TransferStrategy:
    """Return a strategy by name, from plain values, or from JSON text.

    Raises:
        ConfigError: for an unknown name, or JSON that is no strategy.
    """
    if isinstance(strategy, TransferStrategy):
        return strategy
    if isinstance(strategy, Mapping):
        return TransferStrategy.from_dict(strategy)
    if not isinstance(strategy, str):
        raise ConfigError(
            f"a strategy is a name, JSON or a TransferStrategy, received {strategy!r}; names are "
            f"{', '.join(STRATEGIES)}"
        )
    if strategy in STRATEGIES:
        return STRATEGIES[strategy]
    if strategy.lstrip().startswith("{"):
        try:
            values = json_of(strategy)
        except ValueError as error:
            raise ConfigError(f"the strategy is no valid JSON: {error}") from error
        return TransferStrategy.from_dict(values)
    raise ConfigError(
        f"no strategy '{strategy}'.{nearest_name(strategy, STRATEGIES)} "
        f"Known: {', '.join(STRATEGIES)}; JSON defines others."
    )


def _gradual() -> TransferStrategy:
    """Return the strategy that thaws the output first, then the decoder upwards, then the rest.

    Three epochs lie between one thaw and the next. ``input`` and ``down*`` hold what carries over
    best, and learn more slowly.
    """
    steps = ("output", "up0", "up1", "up2", "up3", "down*", "input")
    scale = {"input": 0.3, "down*": 0.3}
    phases = tuple(
        FreezePhase(3 * number, steps[: number + 1], scale) for number in range(len(steps))
    )
    return TransferStrategy(
        "gradual", ("*",), FreezeSchedule(phases), "output first, then stage by stage"
    )


def _frozen(
    name: str, load: tuple[str, ...], learn: tuple[str, ...], text: str
) -> TransferStrategy:
    return TransferStrategy(name, load, FreezeSchedule((FreezePhase(trainable=learn),)), text)


# The six cases of the source report, for the default depth of five, and `gradual`.
ENDS = ("input", "down0", "down1", "down2", "down3", "up2", "up1", "up0", "output")
STRATEGIES: Mapping[str, TransferStrategy] = {
    item.name: item
    for item in (
        _frozen("scratch", (), ("*",), "random weights, the parent's architecture"),
        _frozen("finetune", ("*",), ("*",), "all weights loaded, all learn"),
        _frozen("freeze_deepest", ("*",), ENDS, "down4 and up3 stay as they are"),
        _frozen("reinit_ends", ("down*", "up*"), ENDS, "input and output new, down4 and up3 stay"),
        _frozen(
            "freeze_encoder", ("input", "down*"), ("up*", "output"), "a new decoder on the encoder"
        ),
        _frozen(
            "freeze_middle",
            ("*",),
            ("input", "down3", "down4", "up3", "output"),
            "down0 to down2 and up0 to up2 stay as they are",
        ),
        _gradual(),
    )
}
