"""What a run demands of its network and records, before a folder is claimed or anything is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from phasenet_keras.training.checks_data import shared_groups
from phasenet_keras.training.splits import LEAST_GROUPS
from phasenet_keras.types import ConfigError, LabelledWaveform

if TYPE_CHECKING:
    from phasenet_keras.models.phasenet import PhaseNet
    from phasenet_keras.training.config import TrainConfig

__all__ = [
    "check_network",
    "check_no_leak",
    "check_one_rate",
    "check_picker",
    "check_test",
    "check_training",
]


def check_network(net: Any) -> None:
    """Refuse what is no network to train.

    Raises:
        ConfigError: saying how to load one.
    """
    if hasattr(net, "stages") and hasattr(net, "preset"):
        return
    if isinstance(net, str | PathLike):
        name = str(net)
        raise ConfigError(
            f"the parent is a network, received the name '{name}': load it with "
            f"PhaseNet.from_preset('{name}', rebalance=True)"
        )
    hint = ": give its network, picker.net" if hasattr(net, "thresholds") else ""
    raise ConfigError(f"the parent is a PhaseNet, received {type(net).__name__}{hint}")


def check_picker(picker: Any) -> None:
    """Refuse what is no picker.

    Raises:
        ConfigError: saying how to make one.
    """
    if hasattr(picker, "thresholds") and hasattr(picker, "pick_each"):
        return
    if isinstance(picker, str | PathLike):
        name = str(picker)
        raise ConfigError(f"records are picked by a Picker: Picker.from_preset('{name}')")
    raise ConfigError(
        f"records are picked by a Picker, received {type(picker).__name__}; of a network: "
        "Picker(net)"
    )


def check_training(
    parent: PhaseNet,
    config: TrainConfig,
    train_records: Sequence[LabelledWaveform],
    dev_records: Sequence[LabelledWaveform],
    test_records: Sequence[LabelledWaveform] = (),
) -> None:
    """Refuse a run that could not be trained, or whose validation would say nothing.

    Raises:
        ConfigError: for no records, no arrival to validate on, an event on two sides, several
            sampling rates, or settings for another number of phases.
    """
    phases = parent.config.phases
    if config.class_weights and len(config.class_weights) != len(phases):
        raise ConfigError(
            f"class_weights has a factor for each of {', '.join(phases)}, received "
            f"{len(config.class_weights)}: {config.class_weights}"
        )
    _check_arrivals(train_records, dev_records, phases[1:])
    check_no_leak(train_records, dev_records)
    check_one_rate({"to train on": train_records, "to validate on": dev_records})
    check_test([*train_records, *dev_records], test_records)


def check_test(known: Sequence[LabelledWaveform], test_records: Sequence[LabelledWaveform]) -> None:
    """Refuse test records that say nothing of others: of known events, or of another rate.

    Args:
        known: records that train or validate.
        test_records: of the same kind, as they should be.

    Raises:
        ConfigError: saying what they share, or their rates.
    """
    check_no_leak(known, test_records, "test")
    check_one_rate({"to train and validate on": known, "to test": test_records})


def check_one_rate(parts: Mapping[str, Sequence[LabelledWaveform]]) -> None:
    """Refuse records of several sampling rates: samples are taken as they are.

    Args:
        parts: records by what they are for.

    Raises:
        ConfigError: naming the rates of each part.
    """
    rates = {what: sorted({r.waveform.sampling_rate for r in part}) for what, part in parts.items()}
    if len({rate for of_part in rates.values() for rate in of_part}) > 1:
        listed = "; ".join(
            f"{what} {', '.join(f'{rate:g}' for rate in of_part)} Hz"
            for what, of_part in rates.items()
            if of_part
        )
        raise ConfigError(
            f"records have different sampling rates ({listed}): bring them to one, as "
            "phasenet-keras prepare --resample-hz does (in Python PrepareSettings(resample_hz=…))"
        )


def check_no_leak(
    train_records: Sequence[LabelledWaveform],
    others: Sequence[LabelledWaveform],
    what: str = "validation",
) -> None:
    """Refuse a record, or an event or a gather where there are others, on both sides.

    Records of one single event can only be split inside of it: the doctor says so.

    Raises:
        ConfigError: naming the first few.
    """
    for kind, both in shared_groups(train_records, others).items():
        names = {getattr(record, kind) for record in (*train_records, *others)} - {""}
        if kind == "name" or len(names) >= LEAST_GROUPS:
            raise ConfigError(
                f"{len(both)} {kind}s are in training and {what}, e.g. {', '.join(both[:3])}: give "
                "each to one split"
            )


def _check_arrivals(
    train_records: Sequence[LabelledWaveform],
    dev_records: Sequence[LabelledWaveform],
    phases: Sequence[str],
) -> None:
    """Refuse to go without records, and validation without a single arrival: it chooses nothing."""
    parts = {"learn from (split 'train')": train_records, "validate on (split 'dev')": dev_records}
    lacking = [what for what, records in parts.items() if not records]
    if lacking:
        raise ConfigError(
            "training needs records to learn from and others to validate on, there are none to "
            f"{' or '.join(lacking)}: `phasenet-keras prepare DATASET --split-by event --output "
            "OTHER` (or by shot, time, block) splits a data set anew"
        )
    if not any(record.arrivals.get(phase) for record in dev_records for phase in phases):
        raise ConfigError(
            f"none of the {len(dev_records)} records to validate on has an arrival of "
            f"{' or '.join(phases)}: label some, or split anew"
        )
