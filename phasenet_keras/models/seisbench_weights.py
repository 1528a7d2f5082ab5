"""SeisBench's PhaseNet: its names of our arrays, and what its JSON says of the signal.

SeisBench keeps a network as ``name.pt`` and ``name.json`` (with ``.v2`` behind, in its cache). Its
`PhaseNet` does at 3001 samples what the official code does, so a network of it runs here as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from phasenet_keras.data.settings import FLAG, NAMES, TABLE, Kind, number, optional, settled
from phasenet_keras.io.channels import COMPONENTS, components_of
from phasenet_keras.io.new_files import json_of
from phasenet_keras.models.config import NOISE
from phasenet_keras.models.stages import ConvSpec
from phasenet_keras.types import FormatError, PresetError

__all__ = [
    "for_our_deviation",
    "json_beside",
    "keras_arrays",
    "seisbench_contract",
    "seisbench_layers",
]

# The length of its windows; it has no other.
WINDOW_SAMPLES = 3001
# What a file that does not say otherwise goes by.
DEFAULTS = {
    **{"sampling_rate": 100.0, "phases": "NPS", "component_order": "ZNE"},
    **{"norm": "std", "norm_amp_per_comp": False},
}
LETTERS = Kind("a text, a letter a name, or a list of names", lambda x: NAMES.take([*x]))
KINDS = {
    # A network may have none: it is asked for then.
    "sampling_rate": Kind("above 0 and finite", optional(number(above=0)).take),
    "phases": LETTERS,
    "component_order": LETTERS,
    "norm_amp_per_comp": FLAG,
}
# Settings that make another signal or another network, and the values at which they do not.
NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "filter_args": (None, [], {}),
    "filter_kwargs": (None, [], {}),
    "norm_detrend": (False,),
    # Of its VariableLengthPhaseNet alone, whose padding no length here has.
    "in_samples": (),
    "output_activation": (),
    "norm_axis": (),
}
# Of a network that is shown one channel at a time, which has no order of components.
EACH_CHANNEL = {"grouping": "channel", "component_order": None}
THRESHOLD = "_threshold"
BATCH_NORM = {"bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


def keras_arrays(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return a state dict's arrays with Keras' names of variables, and its order of axes.

    Args:
        state: ``{"down_branch.0.0.weight": …}``.

    Returns:
        ``{"down_branch.0.0/kernel": …}``.

    Example:
        >>> made = keras_arrays({"inc.weight": np.zeros((8, 3, 7)), "inc.bias": np.zeros(8)})
        >>> {name: array.shape for name, array in made.items()}
        {'inc/kernel': (7, 3, 8), 'inc/bias': (8,)}
    """
    arrays = {}
    for name, array in state.items():
        layer, _, variable = name.rpartition(".")
        if variable == "num_batches_tracked":
            continue
        if variable == "weight":
            variable = "gamma" if array.ndim == 1 else "kernel"
        elif f"{layer}.running_mean" in state:
            variable = BATCH_NORM.get(variable, variable)
        # Time comes first, and of the other two the one that came first comes last.
        arrays[f"{layer}/{variable}"] = array.transpose()
    return arrays


def seisbench_layers(specs: tuple[ConvSpec, ...]) -> Iterator[tuple[ConvSpec, str, str | None]]:
    """Yield each convolution with SeisBench's names of it and of its batch norm."""
    n_up = sum(spec.transposed for spec in specs)
    down, up = {"conv": 0, "stride": 2}, {"transpose": 0, "conv": 2}
    for spec in specs:
        if spec.stage == "input":
            yield spec, "inc", "in_bn"
        elif spec.stage == "output":
            yield spec, "out", None
        else:
            is_up = spec.stage.startswith("up")
            level = int(spec.stage.lstrip("downup"))
            branch = f"up_branch.{n_up - 1 - level}" if is_up else f"down_branch.{level}"
            part = (up if is_up else down)[spec.name.split("_")[1]]
            yield spec, f"{branch}.{part}", f"{branch}.{part + 1}"


def for_our_deviation(kernel: np.ndarray, window_samples: int) -> np.ndarray:
    """Return a first kernel that takes samples divided by NumPy's standard deviation.

    PyTorch's, by which SeisBench divides, has one sample less in its denominator.

    Args:
        kernel: ``(kernel_size, n_channels, filters)``, of a network whose records SeisBench divides
            by the deviation.
        window_samples: length of the windows that the deviation is of.

    Example:
        >>> for_our_deviation(np.ones(2), 4).round(4)
        array([0.866, 0.866])
    """
    return (kernel * np.sqrt(1 - 1 / window_samples)).astype(kernel.dtype)


def seisbench_contract(path: Path) -> dict[str, Any]:
    """Return what the JSON beside a file of weights says, as `convert_preset` takes it.

    Args:
        path: of the weights, see `json_beside`.

    Returns:
        Rate, window, channels, phases, normalisation, thresholds and a description; empty where
        there is no JSON.

    Raises:
        FormatError: if the JSON cannot be read, or says nothing of a network.
        PresetError: for what a preset cannot state: a filter, another normalisation, a hydrophone.
    """
    described = json_beside(path)
    if not described.is_file():
        return {}
    try:
        content = settled("it", TABLE, json_of(described.read_bytes()))
        said = {**DEFAULTS, **settled("model_args", TABLE, content.get("model_args"))}
        if said.items() >= EACH_CHANNEL.items():
            said["component_order"] = "Z"
        said |= {key: settled(key, kind, said[key]) for key, kind in KINDS.items()}
        defaults = settled("default_args", TABLE, content.get("default_args") or {})
        names = {phase: phase + THRESHOLD for phase in said["phases"] if phase != NOISE}
        thresholds = {
            phase: settled(name, number(0, 1), defaults[name])
            for phase, name in names.items()
            if name in defaults
        }
    except (OSError, ValueError) as error:
        raise FormatError(
            f"{described}, beside the weights, is not what SeisBench writes ({error}): mend it, "
            "or remove it and say what it would"
        ) from error
    for key, values in NEUTRAL.items():
        if key in said and said[key] not in values:
            raise PresetError(
                f"{described}: {key} is {said[key]!r}, which a preset cannot state: use these "
                "weights in SeisBench"
            )
    return {
        "sampling_rate": said["sampling_rate"],
        "window_samples": WINDOW_SAMPLES,
        "channels": _channels(said["component_order"], described),
        "phases": said["phases"],
        "normalization": "peak" if said["norm_amp_per_comp"] else said["norm"],
        "thresholds": thresholds,
        "description": " ".join(str(content.get("docstring") or "").split()),
    }


def json_beside(path: Path) -> Path:
    """Return where SeisBench keeps what it says of a file of weights.

    Example:
        >>> json_beside(Path("stead.pt")).name, json_beside(Path("stead.pt.v2")).name
        ('stead.json', 'stead.json.v2')
    """
    version = path.suffix if re.fullmatch(r"\.v\d+", path.suffix) else ""
    weights = path.with_suffix("") if version else path
    return weights.with_suffix(f".json{version}")


def _channels(order: Sequence[str], described: Path) -> tuple[str, ...]:
    """Return the components that the letters of SeisBench's order stand for."""
    components = components_of(order)
    channels = tuple(components.get(letter, letter) for letter in order)
    unknown = [name for name in channels if name not in COMPONENTS]
    if unknown:
        raise PresetError(
            f"{described}: component_order is {''.join(order)}, and {unknown[0]} is none of "
            f"{', '.join(COMPONENTS)}: use these weights in SeisBench"
        )
    return channels
