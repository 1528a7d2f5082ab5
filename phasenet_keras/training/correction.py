"""`CorrectionConfig`: how the picks of a survey are corrected, and the source report's way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from phasenet_keras.data.settings import FLAG, TEXT, by_name, number, optional, settle, whole
from phasenet_keras.training.robust import PhaseCorrection
from phasenet_keras.types import ConfigError, refuse_unknown

__all__ = ["CORRECTIONS", "REPORT", "CorrectionConfig"]

CHOICES = ("cross_validation", "given")
KINDS = {
    "choose": TEXT,
    "reciprocity": FLAG,
    "gathers_to_choose": whole(1),
    "sampling_rate_hz": optional(number(above=0)),
}


def _default_phases() -> Mapping[str, PhaseCorrection]:
    return {"P": PhaseCorrection(), "S": PhaseCorrection()}


@dataclass(frozen=True)
class CorrectionConfig:
    """How `correct_picks` works.

    Attributes:
        phases: settings of each phase; picks of other phases are dropped, and say so.
        choose: ``"cross_validation"`` chooses Huber's epsilon, C and kernel width of each phase;
            ``"given"`` takes them from ``phases``.
        reciprocity: weigh each pick by how well it agrees with that of the reciprocal path
            (`reciprocity_weights`); shot i stands at receiver i.
        gathers_to_choose: on how many gathers, evenly taken from those with at least half of the
            largest number of picks. What is chosen there serves all of them.
        sampling_rate_hz: turns times in seconds into samples; needed where the table has
            ``time_s``.

    Raises:
        ConfigError: for an unknown choice or a value out of range.

    Example:
        >>> CorrectionConfig.from_dict({"choose": "given", "phases": {"P": {"svr_c": 50}}}).choose
        'given'
    """

    phases: Mapping[str, PhaseCorrection] = field(default_factory=_default_phases)
    choose: str = "cross_validation"
    reciprocity: bool = False
    gathers_to_choose: int = 6
    sampling_rate_hz: float | None = None

    def __post_init__(self) -> None:
        settle(self, KINDS)
        refuse_unknown({self.choose: None}, CHOICES, "choose")
        if not isinstance(self.phases, Mapping):
            raise ConfigError(f"phases have settings by name, received {self.phases!r}")
        if not self.phases:
            raise ConfigError("a correction needs the settings of at least one phase")
        object.__setattr__(self, "phases", {p: _phase(p, s) for p, s in self.phases.items()})

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as `from_dict` takes them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CorrectionConfig:
        """Build from plain values.

        Raises:
            ConfigError: for unknown keys, with the nearest known name, or impossible values.
        """
        return cls(**by_name(values, cls, "a correction"))

    @classmethod
    def from_name(cls, name: str) -> CorrectionConfig:
        """Return the correction of that name: ``"default"`` or ``"report"``.

        Raises:
            ConfigError: for another name.
        """
        refuse_unknown({name: None}, CORRECTIONS, "the list of corrections")
        return CORRECTIONS[name]


def _phase(name: str, settings: Any) -> PhaseCorrection:
    if isinstance(settings, PhaseCorrection):
        return settings
    what = f"the correction of phase {name}"
    return PhaseCorrection(**by_name(settings, PhaseCorrection, what))


_AS_REPORTED: dict[str, Any] = {
    "svr_tube": 0.1,
    "kernel_width": 1.0,
    "svr_axis": "offset",
    "min_points": 8,
    "sides": "together",
    "staged": False,
}
# Huynh (2021), part IV. Bounds, epsilon and C are the report's; the rest is what its tool does.
REPORT = CorrectionConfig(
    phases={
        "P": PhaseCorrection(0, 160, 1.75, svr_c=200, axis="log_offset", **_AS_REPORTED),
        "S": PhaseCorrection(0, 600, 1.65, svr_c=800, axis="offset", **_AS_REPORTED),
    },
    choose="given",
)
CORRECTIONS: Mapping[str, CorrectionConfig] = {"default": CorrectionConfig(), "report": REPORT}
