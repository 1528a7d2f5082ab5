"""Would `near-surface` be better with plane layers? Trains it, and publishes nothing.

The SPECFEM2D models of the train split and 2,000 random models of plane layers
(`benchmarks/plane_layer_records.py`); then, as a second run, six epochs of the SPECFEM2D models
alone. Epoch and thresholds are chosen as for the preset, whose card says what came of both.

    python benchmarks/preset_near_surface_planes.py --data ../shared/data --output planes-run/
    python benchmarks/near_surface_scores.py near-surface planes-run/run planes-run/second
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from datasets import specfem2d
from plane_layer_records import cached
from preset_near_surface import CONFIG, SECOND, TILTS_DEGREES, padded, say, tilted, to_choose_by
from preset_near_surface import to_learn as preset_to_learn

from phasenet_keras import PhaseNet, PhaseNetConfig, train
from phasenet_keras.types import LabelledWaveform

PLANE_MODELS, SEED = 2000, 0
# The steps of the preset's second run, from the beginning.
PLANES = replace(CONFIG, epochs=20, augmentation=SECOND.augmentation)
SPECFEM2D_ALONE = replace(PLANES, epochs=6, learning_rate=1e-3, seed=1)


def to_learn(
    flat: Sequence[LabelledWaveform],
    rough: Sequence[LabelledWaveform],
    planes: Sequence[LabelledWaveform],
) -> list[LabelledWaveform]:
    """Return training records of one component: those over topography at all angles.

    Plane layers are plenty: each record is shown at an angle drawn for it.
    """
    plane = [*flat, *planes]
    angles = np.random.default_rng(SEED).choice(TILTS_DEGREES, len(plane))
    shown = [tilted(record, angle) for record, angle in zip(plane, angles, strict=True)]
    shown += [tilted(record, angle) for angle in TILTS_DEGREES for record in rough]
    return [padded(record) for record in shown]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--output", type=Path, default=Path("planes-run"))
    given = parser.parse_args()
    flat, rough = (
        [r for r in specfem2d(given.data, family, "XZ") if r.split == "train"]
        for family in ("flat", "topo")
    )
    planes = cached(given.output / "plane-layers.npz", PLANE_MODELS, SEED)
    # The parent gives its shape alone, but a run that was ended goes on only from the same one.
    keras.utils.set_random_seed(PLANES.seed)
    by = to_choose_by(given.data)
    result = train(
        PhaseNet(PhaseNetConfig(channels=("Z",))),
        to_learn(flat, rough, planes),
        by,
        given.output / "run",
        strategy="scratch",
        config=PLANES,
        on_epoch=say,
    )
    print(result.verdict)
    second = given.output / "second"
    alone = preset_to_learn(given.data)
    result = train(result.net, alone, by, second, config=SPECFEM2D_ALONE, on_epoch=say)
    print(result.verdict)


if __name__ == "__main__":
    main()
