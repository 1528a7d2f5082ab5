"""How was the preset `near-surface` made? Trains it from random weights on our simulations.

Both families of the SPECFEM2D data, models of the train split; those of the val split choose the
epoch and the thresholds. Records of any other place are not touched here:
`benchmarks/near_surface_scores.py` scores the result.

    python benchmarks/preset_near_surface.py --data ../shared/data --output near-surface-run/
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from datasets import specfem2d, with_noise
from publishing import publish

from phasenet_keras import PhaseNet, PhaseNetConfig, TrainConfig, train
from phasenet_keras.data.augment import augment
from phasenet_keras.data.field import FieldNoise, RandomResponse, TimeGain
from phasenet_keras.data.pool import cut_window
from phasenet_keras.data.resampling import resample
from phasenet_keras.training.learner import EpochReport
from phasenet_keras.types import LabelledWaveform

WINDOW_SAMPLES = 2048
# Zeros before and after the simulated second, of which the last samples fade.
PADDING_SAMPLES, FADE_SAMPLES = 1024, 200
CHANNELS = ("E", "Z")
# Of what stands for X and Z, turned from them; X alone, nearly, is one more trace of Z.
GREATEST_TILT_DEGREES = 30.0
TILTS_OF_Z_DEGREES = (25.0, -25.0, 70.0)
# Of the validation records' rates.
FACTORS = (0.35, 0.6, 1.0, 1.7, 2.8)
CONFIG = TrainConfig(
    epochs=60,
    batch_size=32,
    learning_rate=3e-3,
    window_samples=WINDOW_SAMPLES,
    shift_samples=PADDING_SAMPLES,
    alpha=0.92,
    windows_per_record=1,
    augmentation=(
        {"name": "BlendRecords", "probability": 0.4},
        {"name": "StackEvents", "probability": 0.05},
        {"name": "TimeWarp", "greatest_octaves": 1.25},
        {"name": "RandomResponse", "probability": 0.8},
        # Real ground attenuates: P of real records is not the weakest of all.
        {"name": "TimeGain", "loss_db": 12.0, "probability": 0.8},
        {"name": "Polarity"},
        {"name": "FieldNoise", "least_snr_db": 15.0, "greatest_snr_db": 60.0},
        {"name": "Clip", "least_fraction": 0.05, "probability": 0.15},
        {"name": "Gap", "probability": 0.05},
    ),
    refit=False,
    patience=1000,  # the schedule is for all epochs
)
FACTS = {
    "description": "Near-surface lines, vertical with or without in-line, 2 kHz; from simulations",
    "license": "MIT",
    "source": {
        "origin": "trained from random weights on 25 SPECFEM2D models of phasenet_keras "
        "(benchmarks/preset_near_surface.py)"
    },
}


def simulated(data: Path, split: str) -> list[LabelledWaveform]:
    """Return both families' two-component records of a split."""
    families = ("flat", "topo")
    return [r for family in families for r in specfem2d(data, family, "XZ") if r.split == split]


def tilted(record: LabelledWaveform, degrees: float) -> LabelledWaveform:
    """Return the component of a two-component record at an angle from the vertical, as Z."""
    wave, angle = record.waveform, np.deg2rad(degrees)
    data = wave.data @ np.array([[np.sin(angle)], [np.cos(angle)]], np.float32)
    return replace(
        record,
        waveform=replace(wave, data=data, channels=("Z",)),
        name=f"{record.name} at {degrees:g}",
    )


def turned(record: LabelledWaveform, degrees: float, side: float) -> LabelledWaveform:
    """Return a two-component record turned in its plane; of a side of -1 its mirror image."""
    wave, angle = record.waveform, np.deg2rad(degrees)
    mirrored = wave.data * np.array([side, 1.0], np.float32)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]], np.float32)
    return replace(
        record,
        waveform=replace(wave, data=mirrored @ turn, channels=CHANNELS),
        name=f"{record.name} turned {degrees:g} {side:+g}",
    )


def padded(record: LabelledWaveform) -> LabelledWaveform:
    """Return a record with its end faded, and zeros around it."""
    data = record.waveform.data.copy()
    data[-FADE_SAMPLES:] *= (0.5 + 0.5 * np.cos(np.linspace(0, np.pi, FADE_SAMPLES)))[:, None]
    data = np.pad(data, ((PADDING_SAMPLES, PADDING_SAMPLES), (0, 0)))
    arrivals = {
        phase: tuple(s + PADDING_SAMPLES for s in samples)
        for phase, samples in record.arrivals.items()
    }
    return replace(record, waveform=replace(record.waveform, data=data), arrivals=arrivals)


def to_learn(data: Path, seed: int = 0) -> list[LabelledWaveform]:
    """Return each training record four times: twice both components, twice one."""
    rng = np.random.default_rng(seed)
    shown = []
    for record in simulated(data, "train"):
        side = float(rng.choice([-1.0, 1.0]))
        tilt = float(rng.uniform(-GREATEST_TILT_DEGREES, GREATEST_TILT_DEGREES))
        shown += [
            turned(record, 0.0, side),
            turned(record, tilt, -side),
            tilted(record, 0.0),
            tilted(record, float(rng.choice(TILTS_OF_Z_DEGREES))),
        ]
    return [padded(record) for record in shown]


def like_the_field(
    records: Sequence[LabelledWaveform], factor: float, n_samples: int, seed: int = 0
) -> list[LabelledWaveform]:
    """Return padded records as of another rate, through a response, in noise; the same each time.

    Args:
        records: the padded records.
        factor: samples for each one of them; 2 is what 4 kHz would have recorded.
        n_samples: of the result; P is in its first half.
        seed: of responses, noise and positions.
    """
    steps = (
        RandomResponse(probability=1.0),
        TimeGain(15.0, loss_db=12.0, probability=1.0),
        FieldNoise(15, 45),
    )
    made = []
    for number, record in enumerate(records):
        rng = np.random.default_rng((seed, number))
        data, factor = resample(record.waveform.data, 1.0, factor)
        arrivals = {p: tuple(factor * s for s in at) for p, at in record.arrivals.items()}
        begin = int(arrivals["P"][0] - rng.uniform(0.02, 0.5) * n_samples)
        data, arrivals = cut_window(data, arrivals, begin, n_samples)
        data, arrivals = augment(data, arrivals, steps, rng)
        inside = {p: tuple(s for s in at if s < n_samples) for p, at in arrivals.items()}
        made.append(replace(record, waveform=replace(record.waveform, data=data), arrivals=inside))
    return made


def to_choose_by(data: Path) -> list[LabelledWaveform]:
    """Return validation records: some as simulated, in noise, the rest like the field.

    Half of each have both components.
    """
    records = [record for record in simulated(data, "dev") if "P" in record.arrivals]
    chosen = []
    for odd in (0, 1):
        shown = [
            turned(record, 0.0, 1.0) if number % 2 == odd else tilted(record, 0.0)
            for number, record in enumerate(records)
        ]
        chosen += with_noise(shown[::8], 30.0)
        for number, factor in enumerate(FACTORS):
            part = [padded(record) for record in shown[number + 1 :: 40]]
            seed = number + odd * len(FACTORS)
            chosen += like_the_field(part, factor, 2 * WINDOW_SAMPLES, seed)
    order = np.random.default_rng(0).permutation(len(chosen))
    return [replace(chosen[i], name=f"{n} {chosen[i].name}") for n, i in enumerate(order)]


def say(report: EpochReport) -> None:
    print(
        f"{time.strftime('%H:%M:%S')}: epoch {report.epoch}, loss {report.train_loss:.5f}, "
        f"validation {report.dev_loss:.5f}, F1 {report.dev_f1:.3f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--output", type=Path, default=Path("near-surface-run"))
    parser.add_argument("--preset", type=Path, default=Path("pretrained/near-surface"))
    given = parser.parse_args()
    # The parent gives its shape alone, but a run that was ended goes on only from the same one.
    keras.utils.set_random_seed(CONFIG.seed)
    result = train(
        PhaseNet(PhaseNetConfig(channels=CHANNELS)),
        to_learn(given.data),
        to_choose_by(given.data),
        given.output,
        strategy="scratch",
        config=CONFIG,
        on_epoch=say,
    )
    print(result.verdict)
    publish(result.net, {"": given.output}, given.preset, **FACTS)


if __name__ == "__main__":
    main()
