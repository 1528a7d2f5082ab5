"""What a folder of results belongs to: the settings, records and weights that it came from.

A run that is asked for again goes on, or is not run again; it must then be the same one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import numpy as np

from phasenet_keras.io.new_files import others_in, read_json, write_json
from phasenet_keras.io.wording import some
from phasenet_keras.models.weights import weights_digest
from phasenet_keras.types import ConfigError, LabelledWaveform

if TYPE_CHECKING:
    from phasenet_keras.models.phasenet import PhaseNet

__all__ = ["claim", "parent_facts", "records_digest", "refuse_strangers", "values_digest"]

DIGEST = re.compile("[0-9a-f]{64}")
# What all settings have, whatever they are of.
IN_ALL = "parent_weights"
# What lies in a run's folder before it is claimed: a data set of waveforms, pseudo labels.
BEFORE = ("dataset", "pseudo_labels.csv")
# Longest value that messages show.
SHOWN = 100


def claim(path: Path, settings: Mapping[str, Any], what: str) -> None:
    """Write the settings of what a folder holds, or refuse a folder that holds another.

    Raises:
        ConfigError: naming the settings that differ, with the values there and those asked for; or
            what is there of something else.
    """
    settings = json.loads(json.dumps(settings))
    refuse_strangers(path.parent, (path.name,))
    old = read_json(path)
    if old is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(settings, path, indent=2)
    elif old != settings:
        differ = _differing(settings, old)
        said = "".join(f"; {text}" for text in map(_change, differ) if text)
        raise ConfigError(
            f"{path.parent} holds {what} of other settings "
            f"({', '.join(name for name, *_ in differ)}): name another folder, or remove it{said}"
        )


def refuse_strangers(folder: Path, names: Sequence[str] = ("config.json", "settings.json")) -> None:
    """Refuse a folder that holds files, but no settings of ours: they are somebody else's.

    Args:
        folder: to be written to.
        names: of the settings.

    Raises:
        ConfigError: naming some of what is there.
    """
    found = [read_json(folder / name) for name in names]
    others = others_in(folder, BEFORE)
    if others and not any(isinstance(old, dict) and IN_ALL in old for old in found):
        raise ConfigError(
            f"{folder} holds what is of no such run ({some(others)}): name an empty or a new folder"
        )


def _differing(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return the names of values that differ, ``table.name`` in tables, with old and new value."""
    found = []
    for key in sorted({*new, *old}):
        one, other = old.get(key), new.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            found += [(f"{key}.{name}", *values) for name, *values in _differing(other, one)]
        elif one != other:
            found.append((key, one, other))
    return found


def _change(difference: tuple[str, Any, Any]) -> str:
    """Return old and new value of a setting in words; a digest says nothing to a person."""
    name, *values = difference
    if any(isinstance(value, str) and DIGEST.fullmatch(value) for value in values):
        return ""
    old, new = (shorten(json.dumps(value), SHOWN, placeholder=" …") for value in values)
    return f"{name} is {old} there, {new} here"


def records_digest(records: Sequence[LabelledWaveform]) -> str:
    """Return the SHA-256 of labelled records: samples, arrivals, names, groups and splits.

    Example:
        >>> records_digest([])[:8]
        'e3b0c442'
    """
    digest = hashlib.sha256()
    for record in records:
        wave = record.waveform
        arrivals = {phase: list(map(float, at)) for phase, at in record.arrivals.items()}
        facts: list[Any] = [record.name, record.event, record.gather, record.split, arrivals]
        facts += [wave.station, wave.channels, wave.sampling_rate, str(wave.start_time)]
        facts += [wave.data.shape]
        digest.update(json.dumps(facts, sort_keys=True).encode())
        digest.update(np.ascontiguousarray(wave.data).tobytes())
    return digest.hexdigest()


def parent_facts(parent: PhaseNet) -> dict[str, Any]:
    """Return what tells a network to start from: hyper-parameters, name, SHA-256 of its weights."""
    return {
        "network": parent.config.to_dict(),
        "parent": None if parent.preset is None else parent.preset.name,
        IN_ALL: weights_digest(parent.get_weight_set()),
    }


def values_digest(values: Any) -> str:
    """Return the SHA-256 of plain values.

    Example:
        >>> values_digest({"b": 1, "a": 2}) == values_digest({"a": 2, "b": 1})
        True
    """
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
