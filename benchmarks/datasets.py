"""The labelled records that the benchmarks train and test on, from the shared data folder."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from obspy import UTCDateTime

from phasenet_keras import Waveform, read_waveforms
from phasenet_keras.data.augment import add_white_noise
from phasenet_keras.training.survey import signed_offsets
from phasenet_keras.types import LabelledWaveform

__all__ = ["near_surface", "pyrefra", "specfem2d", "with_noise"]

SPLITS = ("train", "dev", "test")
NEAR_SURFACE_BLOCK = 8
# The shots of the refraction survey that train and validate; all others test.
PYREFRA_TRAIN, PYREFRA_DEV, PYREFRA_RECORDS = 5, 2, 100


def near_surface(data: Path, dev_block: int = 3) -> list[LabelledWaveform]:
    """Return 96 real vertical records at 2 kHz: every third block of 8 receivers is for test.

    Of the 64 others one block validates, the rest trains.
    """
    folder = data / "near_surface"
    with (folder / "labels_shot01.csv").open(newline="") as file:
        labels = [(float(row["itp"]), float(row["its"])) for row in csv.DictReader(file)]
    records = []
    for number, path in enumerate(sorted((folder / "raw").glob("*.txt"))):
        [wave] = read_waveforms(path)
        block = number // NEAR_SURFACE_BLOCK
        split = "test" if block % 3 == 2 else "dev" if block == dev_block else "train"
        p, s = labels[number]
        records.append(
            LabelledWaveform(
                wave, {"P": (p,), "S": (s,)}, f"r{number + 1:02d}", event=f"block {block}",
                split=split,
            )
        )  # fmt: skip
    return records


def specfem2d(data: Path, family: str, channels: str = "Z") -> list[LabelledWaveform]:
    """Return simulated records, split by model; labels that cannot be seen are unknown.

    Each has its gather, and an offset with a sign.
    """
    with h5py.File(data / "specfem2d" / f"specfem2d_{family}.h5") as file:
        samples = file["data"][()]
        table = {
            name: file[name][()]
            for name in (
                *("p_index", "s_index", "p_ok", "s_ok", "split", "model_id", "source", "receiver"),
                *("source_x", "source_z", "receiver_x", "receiver_z"),
            )
        }
        names = str(file.attrs["model_names"]).split(",")
        rate = float(file.attrs["sampling_rate_hz"])
    columns = [{"X": 0, "Z": 1}[channel] for channel in channels]
    components = tuple({"X": "E", "Z": "Z"}[channel] for channel in channels)
    offsets = offsets_of(table)
    records = []
    for number in range(len(samples)):
        row = {name: values[number] for name, values in table.items()}
        arrivals = {
            phase: (float(row[f"{phase.lower()}_index"]),)
            for phase in "PS"
            if row[f"{phase.lower()}_ok"]
        }
        model = names[int(row["model_id"])]
        wave = Waveform(
            # In units of the record's peak: displacements of 1e-6 m are near nothing to float32.
            samples[number][:, columns] / np.abs(samples[number]).max(),
            rate,
            UTCDateTime(0),
            components,
            f"{model}.{row['source']}.{row['receiver']}",
            offset_m=float(offsets[number]),
        )
        records.append(
            LabelledWaveform(
                wave,
                arrivals,
                f"{model}-{number}",
                event=model,
                gather=f"{model}.{row['source']}",
                split=SPLITS[int(row["split"])],
            )
        )
    return records


def offsets_of(table: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the signed offset of each simulated record, in metres."""
    offsets = np.full(len(table["source"]), np.nan)
    for rows in pd.DataFrame(table).groupby(["model_id", "source"]).indices.values():
        at = [
            np.stack([table[f"{what}_x"], 0 * table[f"{what}_x"], table[f"{what}_z"]], axis=1)[rows]
            for what in ("source", "receiver")
        ]
        offsets[rows] = signed_offsets(at[0][0], at[1])
    return offsets


def pyrefra(data: Path) -> list[LabelledWaveform]:
    """Return real first breaks at 4 kHz: P only; 100 records of a few shots train."""
    records = []
    with h5py.File(data / "records" / "pyrefra_first_breaks.h5") as file:
        for name, group in file.items():
            wave = Waveform(
                group["data"][()],
                float(group.attrs["sampling_rate_hz"]),
                UTCDateTime(0),
                ("Z",),
                name,
            )
            shot = f"shot {group.attrs['shot']:02d}"
            arrivals = {"P": (float(group.attrs["p_index"]),)}
            records.append(LabelledWaveform(wave, arrivals, name, event=shot))
    shots = sorted({record.event for record in records})
    order = np.random.default_rng(0).permutation(len(shots))
    train = {shots[i] for i in order[:PYREFRA_TRAIN]}
    dev = {shots[i] for i in order[PYREFRA_TRAIN : PYREFRA_TRAIN + PYREFRA_DEV]}
    split = {shot: "train" if shot in train else "dev" if shot in dev else "test" for shot in shots}
    chosen = [replace(record, split=split[record.event]) for record in records]
    learn = [record for record in chosen if record.split == "train"]
    kept = {learn[i].name for i in np.linspace(0, len(learn) - 1, PYREFRA_RECORDS).astype(int)}
    return [record for record in chosen if record.split != "train" or record.name in kept]


def with_noise(
    records: Sequence[LabelledWaveform], snr_db: float, seed: int = 0
) -> list[LabelledWaveform]:
    """Return the records with white noise at a signal-to-noise ratio, the same at every call."""
    noisy = []
    for number, record in enumerate(records):
        rng = np.random.default_rng((seed, number))
        data = add_white_noise(record.waveform.data, snr_db, rng)
        noisy.append(replace(record, waveform=replace(record.waveform, data=data)))
    return noisy
