"""`Preset`: the signal contract of a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from phasenet_keras.data.scaling import NORMALIZATIONS
from phasenet_keras.data.settings import (
    FLAG,
    TABLE,
    TEXT,
    by_name,
    choice,
    number,
    settle,
    settled,
    whole,
)
from phasenet_keras.models.config import PhaseNetConfig
from phasenet_keras.short_repr import ShortRepr
from phasenet_keras.types import ConfigError, PresetError, refuse_unknown

__all__ = ["NEVER", "Preset"]

# Shorter ones have no statistics to speak of, longer ones fit no memory.
WINDOW_RANGE = (16, 10_000_000)
# The threshold of a phase that nobody taught.
NEVER = 1.0
# Of these no default would be right.
NEEDED = ("name", "sampling_rate", "window_samples")
KINDS = {
    "architecture": choice(("phasenet",)),
    "normalization": choice(NORMALIZATIONS),
    "sampling_rate": number(above=0),
    "window_samples": whole(*WINDOW_RANGE),
    "min_distance_s": number(above=0),
    "rebalance": FLAG,
    "source": TABLE,
    "thresholds": TABLE,
    **dict.fromkeys(("name", "description", "license", "citation"), TEXT),
}


@dataclass(frozen=True, repr=False)
class Preset(ShortRepr):
    """The signal contract of a network: what it must be fed, and what its output means.

    Attributes:
        name: of the preset.
        config: the architecture, channel order and phase order.
        sampling_rate: in Hz, that the network was trained at.
        window_samples: length of the training windows; records of any length are padded to
            lengths congruent to it, see `phasenet_keras.data.windows`.
        normalization: the mean removed, and divided, channel by channel, by the standard deviation
            (``"std"``) or by the greatest distance from the mean (``"peak"``).
        thresholds: default probability threshold of each phase but noise; 1 for one that was not
            taught.
        min_distance_s: default least time between two picks of one phase, in seconds.
        architecture: ``"phasenet"``.
        rebalance: True if weights are to be re-balanced on loading, for training.
        description: one line, for lists.
        source: where the weights come from: ``origin``, and for a download ``url``, ``files``
            (name to SHA-256).
        license, citation: of the weights.

    Raises:
        PresetError: for values that no network could satisfy.

    Example:
        >>> from phasenet_keras import PhaseNetConfig
        >>> mine = Preset("mine", PhaseNetConfig(channels=("Z",)), 2000.0, window_samples=1280)
        >>> mine.thresholds
        {'P': 0.3, 'S': 0.3}
    """

    name: str
    config: PhaseNetConfig
    sampling_rate: float
    window_samples: int
    normalization: str = "std"
    thresholds: Mapping[str, float] = field(default_factory=dict)
    min_distance_s: float = 0.5
    architecture: str = "phasenet"
    rebalance: bool = False
    description: str = ""
    source: Mapping[str, Any] = field(default_factory=dict, repr=False)
    license: str = "not stated"
    citation: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        settle(self, KINDS, f"preset '{self.name}': ", PresetError)
        thresholds = dict.fromkeys(self.config.phases[1:], 0.3) | dict(self.thresholds)
        refuse_unknown(thresholds, self.config.phases[1:], f"thresholds of preset '{self.name}'")
        of_phase = f"preset '{self.name}': threshold of"
        checked = {
            phase: settled(f"{of_phase} {phase}", number(0, 1), value, PresetError)
            for phase, value in thresholds.items()
        }
        object.__setattr__(self, "thresholds", checked)
        object.__setattr__(self, "sampling_rate", float(self.sampling_rate))

    @property
    def unpicked(self) -> tuple[str, ...]:
        """Phases whose threshold is `NEVER`: nobody taught them."""
        return tuple(phase for phase, value in self.thresholds.items() if value >= NEVER)

    @property
    def origin(self) -> dict[str, Any]:
        """The source of what is made of these weights: without the download's address."""
        return {key: value for key, value in self.source.items() if key != "url"}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as `from_dict` and JSON take them."""
        return {**asdict(self), "config": self.config.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preset:
        """Build from plain values.

        Raises:
            PresetError: for unknown, missing or impossible values.
        """
        name = values.get("name", "(no name)")
        try:
            given = by_name(values, cls, "a preset")
            if missing := [key for key in NEEDED if key not in given]:
                raise ConfigError(f"it lacks {', '.join(missing)}, which every preset states")
            given["config"] = PhaseNetConfig.from_dict(given.get("config", {}))
            return cls(**given)
        except (ConfigError, TypeError, AttributeError) as error:
            raise PresetError(f"preset '{name}': {error}") from error

    def check_network(self, config: PhaseNetConfig) -> None:
        """Refuse a network of other phases, order, channels or size.

        Raises:
            PresetError: naming each setting that differs.
        """
        ours, theirs = self.config.to_dict(), config.to_dict()
        wrong = [
            f"{key}: preset {ours[key]}, network {theirs[key]}"
            for key in ours
            if ours[key] != theirs[key] and key != "dropout_rate"
        ]
        if wrong:
            raise PresetError(f"preset '{self.name}' is not for this network: {'; '.join(wrong)}")
