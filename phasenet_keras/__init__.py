"""P and S picking with PhaseNet in Keras 3, on records that official weights were not made for.

Names are resolved on first use: importing this package loads neither Keras nor ObsPy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phasenet_keras.io.annotations import annotations_to_stream
    from phasenet_keras.io.quakeml import picks_to_catalog
    from phasenet_keras.io.seisbench import read_dataset, write_dataset
    from phasenet_keras.io.sources import read_labelled
    from phasenet_keras.io.tables import read_picks, write_picks
    from phasenet_keras.io.waveforms import read_waveforms
    from phasenet_keras.models.config import PhaseNetConfig
    from phasenet_keras.models.contract import Preset
    from phasenet_keras.models.phasenet import PhaseNet
    from phasenet_keras.models.preset_places import list_presets
    from phasenet_keras.picking.peaks import detect_peaks
    from phasenet_keras.picking.picker import Picker
    from phasenet_keras.training.compare import compare
    from phasenet_keras.training.config import TrainConfig
    from phasenet_keras.training.correction import CorrectionConfig
    from phasenet_keras.training.evaluate import evaluate
    from phasenet_keras.training.prepare import PrepareSettings, prepare
    from phasenet_keras.training.pseudolabels import correct_picks
    from phasenet_keras.training.splits import assign_splits
    from phasenet_keras.training.train import train
    from phasenet_keras.training.transfer import FreezePhase, FreezeSchedule, TransferStrategy
    from phasenet_keras.types import Annotation, LabelledWaveform, Pick, Waveform

__version__ = "0.1.0.dev1"

_HOMES = {
    "Annotation": "types",
    "CorrectionConfig": "training.correction",
    "FreezePhase": "training.transfer",
    "FreezeSchedule": "training.transfer",
    "LabelledWaveform": "types",
    "PhaseNet": "models.phasenet",
    "PhaseNetConfig": "models.config",
    "Pick": "types",
    "Picker": "picking.picker",
    "PrepareSettings": "training.prepare",
    "Preset": "models.contract",
    "TrainConfig": "training.config",
    "TransferStrategy": "training.transfer",
    "Waveform": "types",
    "annotations_to_stream": "io.annotations",
    "assign_splits": "training.splits",
    "compare": "training.compare",
    "correct_picks": "training.pseudolabels",
    "detect_peaks": "picking.peaks",
    "evaluate": "training.evaluate",
    "list_presets": "models.preset_places",
    "picks_to_catalog": "io.quakeml",
    "prepare": "training.prepare",
    "read_dataset": "io.seisbench",
    "read_labelled": "io.sources",
    "read_picks": "io.tables",
    "read_waveforms": "io.waveforms",
    "train": "training.train",
    "write_dataset": "io.seisbench",
    "write_picks": "io.tables",
}

__all__ = [
    "Annotation",
    "CorrectionConfig",
    "FreezePhase",
    "FreezeSchedule",
    "LabelledWaveform",
    "PhaseNet",
    "PhaseNetConfig",
    "Pick",
    "Picker",
    "PrepareSettings",
    "Preset",
    "TrainConfig",
    "TransferStrategy",
    "Waveform",
    "__version__",
    "annotations_to_stream",
    "assign_splits",
    "compare",
    "correct_picks",
    "detect_peaks",
    "evaluate",
    "list_presets",
    "picks_to_catalog",
    "prepare",
    "read_dataset",
    "read_labelled",
    "read_picks",
    "read_waveforms",
    "train",
    "write_dataset",
    "write_picks",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'phasenet_keras' has no attribute '{name}'")
    return getattr(import_module(f"phasenet_keras.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
