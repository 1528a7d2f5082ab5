"""Rounds of self-training: what each came to, which is the best, whether to go on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from phasenet_keras.io.new_files import read_json, write_json
from phasenet_keras.short_repr import ShortRepr
from phasenet_keras.training.score_table import markdown_table
from phasenet_keras.training.scores import PhaseScores
from phasenet_keras.training.survey import HOW

__all__ = [
    "SelfTrainRound",
    "best_round",
    "goes_on",
    "read_rounds",
    "rounds_report",
    "verdict_of",
    "write_rounds",
]


@dataclass(frozen=True, repr=False)
class SelfTrainRound(ShortRepr):
    """What a round came to; round 0 is the parent.

    Attributes:
        number: of the round.
        dev_f1: F1 on the validation records, mean of the phases, of the network as it would be
            used, with its own thresholds; what rounds are judged by.
        scores: on the test records, by phase.
        counts: of pseudo labels: by phase those ``chosen`` and how all were got, and ``weight``,
            the mean of the chosen ones.
    """

    number: int
    dev_f1: float
    scores: Mapping[str, PhaseScores]
    counts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the round, as in tables."""
        return f"round {self.number}" if self.number else "before"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SelfTrainRound:
        """Build from plain values, as `write_rounds` writes them."""
        scores = {}
        for phase, score in values["scores"].items():
            plain: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value
                for name, value in score.items()
            }
            scores[phase] = PhaseScores(**plain)
        return cls(values["number"], values["dev_f1"], scores, values["counts"])


def best_round(dev_f1s: Sequence[float]) -> int:
    """Return the number of the round with the highest validation F1, of equals the first.

    Example:
        >>> best_round([0.6, 0.8, float("nan"), 0.8])
        1
    """
    values = [-math.inf if math.isnan(value) else value for value in dev_f1s]
    return values.index(max(values))


def goes_on(dev_f1s: Sequence[float], rounds: int) -> bool:
    """Tell if another round is worth it: there may be one, and the last one was the best so far.

    Example:
        >>> goes_on([0.6, 0.8], rounds=3), goes_on([0.6, 0.8, 0.8], rounds=3)
        (True, False)
    """
    return len(dev_f1s) <= rounds and best_round(dev_f1s) == len(dev_f1s) - 1


def verdict_of(rounds: Sequence[SelfTrainRound]) -> str:
    """Say in a sentence whether self-training helped.

    Example:
        >>> verdict_of([SelfTrainRound(0, 0.6, {}), SelfTrainRound(1, 0.8, {})])
        'validation F1 0.800 after round 1, 0.600 before'
    """
    before, last = rounds[0].dev_f1, rounds[-1]
    best = rounds[best_round([item.dev_f1 for item in rounds])]
    if not best.number:
        return (
            f"self-training did not help: validation F1 {before:.3f} before, "
            f"{last.dev_f1:.3f} after round {last.number}; the parent is kept"
        )
    text = f"validation F1 {best.dev_f1:.3f} after round {best.number}, {before:.3f} before"
    if last.number > best.number:
        text += f"; round {last.number} no longer helped ({last.dev_f1:.3f})"
    return text


def read_rounds(path: Path) -> list[SelfTrainRound]:
    """Read the rounds that were finished; none where there is no such file or it cannot be read."""
    try:
        return [SelfTrainRound.from_dict(item) for item in read_json(path)]
    except (ValueError, KeyError, TypeError):
        return []


def write_rounds(rounds: Sequence[SelfTrainRound], path: Path) -> None:
    """Write all rounds for `read_rounds`."""
    write_json([asdict(item) for item in rounds], path, indent=1)


def rounds_report(rounds: Sequence[SelfTrainRound]) -> str:
    """Return the report of a run as Markdown: the verdict, test scores, pseudo labels."""
    verdict = verdict_of(rounds)
    lines = [
        "# Self-training",
        "",
        f"{verdict[0].upper()}{verdict[1:]}.",
        "",
        "Scores on the labelled test records:",
        "",
        markdown_table({item.name: item.scores for item in rounds}),
        "| round | validation F1 | phase | pseudo labels | mean weight | " + " | ".join(HOW) + " |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for item in rounds[1:]:
        for phase, counts in item.counts.items():
            got = " | ".join(f"{counts[how]:.0f}" for how in HOW)
            lines.append(
                f"| {item.number} | {item.dev_f1:.3f} | {phase} | {counts['chosen']:.0f} | "
                f"{counts['weight']:.2f} | {got} |"
            )
    return "\n".join(lines) + "\n"
