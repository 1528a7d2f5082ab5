"""Splitting records into train, dev and test, so that no group is on two sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from phasenet_keras.types import ConfigError, LabelledWaveform, nearest_name

__all__ = ["SPLIT_BY", "assign_splits", "group_names"]

SPLIT_BY = ("event", "gather", "station", "block")
# Neighbouring receivers record nearly the same: blocks of this many stay together, fewer where
# there would not be six blocks.
BLOCK_RECORDS = 8
LEAST_BLOCKS = 6
NAMES = ("train", "dev", "test")


def assign_splits(
    records: Sequence[LabelledWaveform],
    by: str = "block",
    fractions: tuple[float, float, float] = (0.6, 0.1, 0.3),
    seed: int = 0,
) -> list[LabelledWaveform]:
    """Return the records with their splits.

    Args:
        records: in order of their receivers, for ``"block"``.
        by: ``"event"``, ``"gather"`` or ``"station"`` keep each of these together; ``"block"``
            keeps eight neighbouring records together (fewer in a small set).
        fractions: of train, dev and test, by number of groups; each part gets one at least.
        seed: of the drawing.

    Raises:
        ConfigError: for an unknown ``by``, fractions that do not add up to 1, records without the
            group's name, or fewer than three groups.
    """
    if by not in SPLIT_BY:
        raise ConfigError(f"split by {', '.join(SPLIT_BY)}.{nearest_name(by, SPLIT_BY)}")
    if abs(sum(fractions) - 1.0) > 1e-6 or min(fractions) <= 0:
        raise ConfigError(f"three fractions above 0 that add up to 1, received {fractions}")
    groups = group_names(records, by)
    names = sorted(set(groups))
    if len(names) < 3:
        raise ConfigError(f"there are {len(names)} {by}s, three at least are needed")
    order = np.random.default_rng(seed).permutation(len(names))
    n_dev, n_test = (max(1, round(part * len(names))) for part in fractions[1:])
    split_of = {
        names[index]: "test" if rank < n_test else "dev" if rank < n_test + n_dev else "train"
        for rank, index in enumerate(order.tolist())
    }
    return [
        replace(record, split=split_of[group])
        for record, group in zip(records, groups, strict=True)
    ]


def group_names(records: Sequence[LabelledWaveform], by: str = "") -> list[str]:
    """Return the name of the group of each record, that is never split.

    Args:
        records: in order of their receivers, for ``"block"``.
        by: as in `assign_splits`; empty takes events where all records have one, else gathers
            where there are three, else blocks.

    Raises:
        ConfigError: for records without the group's name.
    """
    if not by:
        has_events = all(r.event for r in records) and len({r.event for r in records}) > 2
        has_gathers = all(r.gather for r in records) and len({r.gather for r in records}) > 2
        by = "event" if has_events else "gather" if has_gathers else "block"
    block = max(1, min(BLOCK_RECORDS, len(records) // LEAST_BLOCKS))
    groups = [_group(record, number // block, by) for number, record in enumerate(records)]
    if "" in groups:
        raise ConfigError(f"record {groups.index('') + 1} has no {by}: split by something else")
    return groups


def _group(record: LabelledWaveform, block: int, by: str) -> str:
    if by == "block":
        return f"{block:06d}"
    return record.waveform.station if by == "station" else getattr(record, by)
