"""When a pick is right: rules, tolerances, and one-to-one matching.

The PhaseNet paper's rule is ``RULES["phasenet"]``: a pick is right if it is within 0.1 s of a
label, and residual statistics are over the pairs within 0.5 s (Zhu & Beroza 2019,
doi:10.1093/gji/ggy423; both windows are in the evaluation of the authors' code). Two details are
ours: pairs are one to one, the closest first, where that code counts every pair, so that two picks
beside one label are one match and one false pick; and a distance of just the tolerance is a match.
The threshold of a pick is no part of a rule: it is the picker's. The paper's was 0.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from phasenet_keras.data.settings import number, settled
from phasenet_keras.io.times import span_text
from phasenet_keras.types import ConfigError, nearest_name

__all__ = ["RULES", "Tolerance", "match_picks", "tolerance_of"]

# A tolerance of 0.1 s includes ten samples of 0.01 s.
ROUNDING = 1e-9
SIZE = replace(number(0), words="a number of 0 or more")


@dataclass(frozen=True)
class Tolerance:
    """A rule as it is applied: `tolerance_of` makes it.

    Attributes:
        rule: name of the rule; empty for none.
        seconds: greatest distance of a match, in seconds; or None, for:
        samples: the same in samples of each record.
        window_s: residual statistics are over the pairs up to this far apart, in seconds; None
            takes the matches.
    """

    rule: str
    seconds: float | None
    samples: float | None = None
    window_s: float | None = None

    def at(self, sampling_rate: float) -> float:
        """Return the tolerance in seconds, for records of a sampling rate in Hz."""
        if self.samples is not None:
            return self.samples / sampling_rate
        return 0.0 if self.seconds is None else self.seconds

    def window_at(self, sampling_rate: float) -> float:
        """Return the window of residuals in seconds, for records of a sampling rate in Hz."""
        return max(self.at(sampling_rate), self.window_s or 0.0)

    def widened(self, times: float) -> Tolerance:
        """Return so many times the tolerance; residual statistics are over its matches."""
        if self.samples is not None:
            return Tolerance(self.rule, None, times * self.samples)
        return Tolerance(self.rule, times * (self.seconds or 0.0))

    @property
    def text(self) -> str:
        """Return the rule in words."""
        size = (
            span_text(self.seconds or 0.0) if self.samples is None else f"{self.samples:g} samples"
        )
        changed = self.rule in RULES and self.seconds != RULES[self.rule].seconds
        name = f"Rule {self.rule}, with a tolerance of {size}" if changed else f"Rule {self.rule}"
        within = "of the matches"
        if self.window_s is not None:
            within = f"of the pairs at most {span_text(self.window_s)} apart"
        return (
            f"{name if self.rule else 'Rule'}: a pick and a label of one phase match if they are "
            f"at most {size} apart, one to one, the closest pairs first. Residuals (pick minus "
            f"label) are {within}."
        )


# Rules by name, as they are applied where no other tolerance is given.
RULES: Mapping[str, Tolerance] = {"phasenet": Tolerance("phasenet", 0.1, window_s=0.5)}


def tolerance_of(
    rule: str = "phasenet",
    tolerance_s: float | None = None,
    tolerance_samples: float | None = None,
) -> Tolerance:
    """Return how a rule is applied.

    Args:
        rule: a name in `RULES`.
        tolerance_s: in seconds, in place of the rule's; residual statistics are then over the
            matches.
        tolerance_samples: the same in samples of each record.

    Raises:
        ConfigError: for an unknown rule, two tolerances, or one that is no number from 0 up.

    Example:
        >>> tolerance_of("phasenet").at(100.0), tolerance_of(tolerance_samples=5).at(2000.0)
        (0.1, 0.0025)
    """
    if rule not in RULES:
        hint = nearest_name(rule, RULES)
        raise ConfigError(f"there is no rule '{rule}'; known: {', '.join(RULES)}.{hint}")
    if tolerance_s is not None and tolerance_samples is not None:
        raise ConfigError("give tolerance_s or tolerance_samples, not both")
    if tolerance_s is not None:
        return Tolerance(rule, settled("tolerance_s", SIZE, tolerance_s))
    if tolerance_samples is not None:
        return Tolerance(rule, None, settled("tolerance_samples", SIZE, tolerance_samples))
    return RULES[rule]


def match_picks(
    picked: Sequence[float], labels: Sequence[float], tolerance: float
) -> list[tuple[int, int]]:
    """Match picks and labels one to one, the closest pairs first.

    Args:
        picked: times or samples of the picks.
        labels: the same of the labels.
        tolerance: greatest distance of a match, inclusive, in the same unit.

    Returns:
        ``(pick, label)`` indices of each match.

    Example:
        >>> match_picks([10.0, 12.0], [11.5], tolerance=2)
        [(1, 0)]
    """
    distance = np.abs(np.subtract.outer(np.asarray(picked, float), np.asarray(labels, float)))
    near = np.flatnonzero(distance.ravel() <= tolerance + ROUNDING)
    matches: dict[int, int] = {}
    taken: set[int] = set()
    for flat in near[np.argsort(distance.ravel()[near], kind="stable")].tolist():
        pick, label = divmod(flat, len(labels))
        if pick not in matches and label not in taken:
            matches[pick] = label
            taken.add(label)
    return sorted(matches.items())
