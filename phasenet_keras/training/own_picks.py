"""What is said of a run whose network finds less than the picks that one had before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from phasenet_keras.training.doctor import Finding

if TYPE_CHECKING:
    from phasenet_keras.training.proof import Way

__all__ = ["lost_to_table"]


def lost_to_table(kept: Way | None, ways: Sequence[Way], who: str, advice: str) -> list[Finding]:
    """Say that picks of a table find more in the test records than the network that is kept.

    Args:
        kept: what it finds; None where it could not be scored.
        ways: all of a proof; of several tables the best counts, by the phases that it has.
        who: the network, in words.
        advice: how to be surer.
    """
    tables = [way for way in ways if way.whose == "table" and way.matches]
    if kept is None or not tables:
        return []
    best = max(tables, key=lambda way: way.f1 - kept.f1_beside(way))
    kept_f1 = kept.f1_beside(best)
    if best.f1 <= kept_f1:
        return []
    gains = kept.over(best)
    is_worse = any(one.is_sure and one.f1 < 0 for one in gains)
    moved = f" ({best.shift})" if best.shift else ""
    remedy = (
        "keep to these picks, and label more records" if is_worse else "too few records to tell"
    )
    text = (
        f"'{best.name}'{moved} find more in the test records than {who} (mean F1 {best.f1:.3f}, "
        f"{kept_f1:.3f}; F1 of the network less that of these: "
        f"{', '.join(one.text for one in gains)}): {remedy}; {advice}"
    )
    return [Finding("what you had is better", text)]
