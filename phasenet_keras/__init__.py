"""P and S picking with PhaseNet in Keras 3, on records that official weights were not made for.

Names are resolved on first use: importing this package loads neither Keras nor ObsPy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phasenet_keras.io.tables import write_picks
    from phasenet_keras.io.waveforms import read_waveforms
    from phasenet_keras.models.config import PhaseNetConfig
    from phasenet_keras.models.contract import Preset
    from phasenet_keras.models.phasenet import PhaseNet
    from phasenet_keras.models.presets import list_presets
    from phasenet_keras.picking.peaks import detect_peaks
    from phasenet_keras.picking.picker import Picker
    from phasenet_keras.types import Annotation, Pick, Waveform

__version__ = "0.1.0.dev0"

_HOMES = {
    "Annotation": "types",
    "PhaseNet": "models.phasenet",
    "PhaseNetConfig": "models.config",
    "Pick": "types",
    "Picker": "picking.picker",
    "Preset": "models.contract",
    "Waveform": "types",
    "detect_peaks": "picking.peaks",
    "list_presets": "models.presets",
    "read_waveforms": "io.waveforms",
    "write_picks": "io.tables",
}

__all__ = [
    "Annotation",
    "PhaseNet",
    "PhaseNetConfig",
    "Pick",
    "Picker",
    "Preset",
    "Waveform",
    "__version__",
    "detect_peaks",
    "list_presets",
    "read_waveforms",
    "write_picks",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'phasenet_keras' has no attribute '{name}'")
    return getattr(import_module(f"phasenet_keras.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
