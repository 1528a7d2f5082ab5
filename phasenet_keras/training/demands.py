"""What a run demands of its network and records, before a folder is claimed or anything is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from phasenet_keras.data.settings import class_factors
from phasenet_keras.io.instruments import are_one_rate
from phasenet_keras.io.wording import counted, some
from phasenet_keras.training.checks_data import (
    UNLABELLED,
    identical_records,
    shared_groups,
    unknown_labels,
)
from phasenet_keras.training.journal import check_journal
from phasenet_keras.training.splits import LEAST_GROUPS
from phasenet_keras.types import ConfigError, LabelledWaveform

if TYPE_CHECKING:
    from phasenet_keras.models.phasenet import PhaseNet
    from phasenet_keras.training.config import TrainConfig

__all__ = [
    "check_labelled",
    "check_network",
    "check_no_leak",
    "check_one_rate",
    "check_picker",
    "check_test",
    "check_training",
]


def check_network(net: Any) -> None:
    """Refuse what is no network to train, and one that says itself what is frozen.

    Raises:
        ConfigError: saying how to load one, or how a run is told what is frozen.
    """
    if hasattr(net, "stages") and hasattr(net, "preset"):
        _check_thawed(net)
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
    *,
    has_teacher: bool = False,
) -> None:
    """Refuse a run that could not be trained, or whose validation would say nothing.

    With a teacher its answers may be learnt in place of labels.

    Raises:
        ConfigError: for no records, no arrival to learn or to validate on, an event on two sides,
            test records that are copies of others, several sampling rates, settings for another
            number of phases, or TensorBoard where it cannot be.
    """
    check_journal(config.tensorboard)
    phases = parent.config.phases
    if config.class_weights:
        class_factors(config.class_weights, phases)
    parts = {"learn from (split 'train')": train_records, "validate on (split 'dev')": dev_records}
    lacking = [what for what, records in parts.items() if not records]
    if lacking:
        raise ConfigError(
            "training needs records to learn from and others to validate on, there are none to "
            f"{' or '.join(lacking)}: `phasenet-keras prepare DATASET --output OTHER` splits a "
            "data set anew"
        )
    if not has_teacher:
        check_labelled(train_records, phases[1:], "to train on")
    check_labelled(dev_records, phases[1:], "to validate on")
    check_no_leak(train_records, dev_records)
    check_one_rate({"to train on": train_records, "to validate on": dev_records})
    check_test([*train_records, *dev_records], test_records)


def check_test(known: Sequence[LabelledWaveform], test_records: Sequence[LabelledWaveform]) -> None:
    """Refuse test records that say nothing of others: known, of known events, of another rate.

    Raises:
        ConfigError: saying what they share, or their rates.
    """
    check_no_leak(known, test_records, "test")
    copies = identical_records(known, test_records)
    if copies:
        pairs = some([f"{name} of {of}" for of, name in copies])
        raise ConfigError(
            f"{counted(len(copies), 'test record')} with the same samples as records to train or "
            f"validate on, of which no score tells anything of new records: {pairs}; remove the "
            "copies from either side"
        )
    check_one_rate({"to train and validate on": known, "to test": test_records})


def check_one_rate(parts: Mapping[str, Sequence[LabelledWaveform]]) -> None:
    """Refuse records of several sampling rates: samples are taken as they are.

    Raises:
        ConfigError: naming the rates of each part.
    """
    rates = {what: sorted({r.waveform.sampling_rate for r in part}) for what, part in parts.items()}
    all_rates = [rate for of_part in rates.values() for rate in of_part]
    # Clocks drift: such are one rate where records are read, too.
    if not are_one_rate(all_rates):
        listed = "; ".join(
            f"{what} {', '.join(f'{rate:.9g}' for rate in of_part)} Hz"
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
        names = {name for name in names if not name.startswith(UNLABELLED)}
        if kind == "name" or len(names) >= LEAST_GROUPS:
            are = f"{kind} is" if len(both) == 1 else f"{kind}s are"
            raise ConfigError(
                f"{len(both)} {are} in training and {what}, e.g. {', '.join(both[:3])}: give "
                "each to one split"
            )


def check_labelled(
    records: Sequence[LabelledWaveform], phases: Sequence[str], what: str = "to train on"
) -> None:
    """Refuse records without a single arrival: they teach nothing, and choose nothing.

    Raises:
        ConfigError: saying which labels they have, if any.
    """
    if any(record.arrivals.get(phase) for record in records for phase in phases):
        return
    unknown = unknown_labels(records, phases)
    raise ConfigError(
        f"none of the {len(records)} records {what} has an arrival of {' or '.join(phases)}: label "
        f"some, or split anew{f'; {unknown}' if unknown else ''}"
    )


def _check_thawed(net: PhaseNet) -> None:
    """Refuse flags that a run would not heed: what is frozen in it, its strategy says alone."""
    layers = {stage: net.stage_layers(stage) for stage in net.stages}
    frozen = [layer.name for of in layers.values() for layer in of if not layer.trainable]
    if not frozen:
        return
    learning = [stage for stage, of in layers.items() if all(layer.trainable for layer in of)]
    plan = {"name": "mine", "freeze": [{"trainable": learning}]}
    # `parent.trainable = True` alone thaws none where it is True already: under TensorFlow Keras
    # passes over the setting of an attribute to what it is.
    raise ConfigError(
        f"layers of the parent are frozen ({some(frozen)}), but what learns in a run its strategy "
        "says, stage by stage: thaw them (for layer in parent.layers: layer.trainable = True), and "
        "name what learns in a strategy, such as "
        f"strategy={plan if learning else 'freeze_encoder'!r}"
    )
