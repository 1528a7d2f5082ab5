"""Parts of a data set for comparisons: folds that keep groups together, and smaller sets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from phasenet_keras.data.settings import settled, whole
from phasenet_keras.training.splits import group_names
from phasenet_keras.types import SPLITS, ConfigError, LabelledWaveform

__all__ = ["fold_splits", "spread"]

# Of the groups that are not for test, one in this many validates.
GROUPS_A_DEV_GROUP = 6


def fold_splits(
    records: Sequence[LabelledWaveform], folds: int = 1, by: str = "", seed: int = 0
) -> list[dict[str, list[LabelledWaveform]]]:
    """Return the records of train, dev and test for each fold.

    Args:
        records: a data set.
        folds: 1 takes the splits that the records have; with more, each record is in test once.
        by: what stays together, as in `assign_splits`; empty chooses, see `choose_split_by`.
        seed: of the drawing of groups.

    Raises:
        ConfigError: for a split without records, or fewer groups than ``folds + 2``.

    Example:
        >>> fold_splits([], 1)
        Traceback (most recent call last):
        ...
        phasenet_keras.types.ConfigError: no record is in the split 'train': prepare the data set \
with splits, or ask for folds
    """
    folds = settled("folds", whole(1), folds)
    if folds == 1:
        parts = {part: [r for r in records if r.split == part] for part in SPLITS}
        for part, inside in parts.items():
            if not inside:
                raise ConfigError(
                    f"no record is in the split '{part}': prepare the data set with splits, or "
                    "ask for folds"
                )
        return [parts]
    groups = group_names(records, by)
    names = sorted(set(groups))
    if len(names) < folds + 2:
        raise ConfigError(f"{folds} folds need {folds + 2} groups at least, there are {len(names)}")
    order = np.random.default_rng(seed).permutation(len(names)).tolist()
    found = []
    for fold in range(folds):
        rest = [names[i] for rank, i in enumerate(order) if rank % folds != fold]
        of_group = dict.fromkeys(rest, "train")
        of_group |= dict.fromkeys(rest[:: max(2, min(GROUPS_A_DEV_GROUP, len(rest)))], "dev")
        parts = {part: [] for part in SPLITS}
        for record, group in zip(records, groups, strict=True):
            parts[of_group.get(group, "test")].append(record)
        found.append(parts)
    return found


def spread(records: Sequence[LabelledWaveform], n_records: int) -> list[LabelledWaveform]:
    """Return some of the records, evenly spaced from the first to the last.

    Example:
        >>> spread(list(range(10)), 4)
        [0, 3, 6, 9]
    """
    if n_records >= len(records):
        return list(records)
    numbers = np.linspace(0, len(records) - 1, n_records).round().astype(int)
    return [records[number] for number in numbers]
