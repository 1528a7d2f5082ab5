"""The records of the preset `regional`: who trains, who validates, who is held out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from datasets import specfem2d
from obspy import UTCDateTime

from phasenet_keras import Picker, Waveform, read_labelled, read_waveforms
from phasenet_keras.data.resampling import resample
from phasenet_keras.types import LabelledWaveform

__all__ = [
    "fold_of",
    "ncedc",
    "noise",
    "simulations",
    "stead",
    "stretched",
    "unlabelled",
    "vertical",
]

RATE_HZ = 100.0
CHANNELS = ("E", "N", "Z")
# Continuous records of licences that allow weights to be shipped: MIT, MIT, MIT, CC0.
UNLABELLED = ("luhu_rockfall/*.sac", "PB.B91*.mseed", "BH.CHKH.*.sac", "oklahoma/*.msd")
# The pieces that continuous records are cut into, as long as the labelled ones.
PIECE_SAMPLES, LEAST_SAMPLES = 9001, 3072
# The end of this one is kept for the count of false picks.
ROCKFALL, ROCKFALL_TRAINS_S = "luhu_rockfall/*.sac", 3600.0
# A piece in which the teacher sees less than this everywhere is noise.
QUIET_PROBABILITY = 0.1
NOISE_MARGIN_SAMPLES = 100
# Of simulations of 40 to 77 Hz at 2 kHz: their dominant frequencies are then 2 to 13 Hz.
SIMULATION_FACTORS = (0.3, 0.6, 1.0)


def fold_of(station: str) -> str:
    """Return the split of a station, by the SHA-256 of its code without the network's.

    Its remainder of 5: 0 and 1 are held out. The rest trains, but for remainders of 10 of 4 and
    7, which validate.
    """
    number = int(hashlib.sha256(station.encode()).hexdigest(), 16)
    if number % 5 < 2:
        return "test"
    return "dev" if number % 10 in (4, 7) else "train"


def ncedc(folder: Path) -> list[LabelledWaveform]:
    """Return analyst-labelled records of Northern California, each with its station's split.

    In ``ncedc_p_only`` S was not labelled: it is unknown there.
    """
    records = []
    for record in read_labelled(folder / "waveform", folder / "waveform.csv"):
        station = record.name.split("_")[1]
        wave = replace(record.waveform, station=station)
        split = fold_of(station)
        records.append(replace(record, waveform=wave, event=station, split=split))
    return records


def stead(path: Path) -> list[LabelledWaveform]:
    """Return 50 STEAD records of one station; every second one validates."""
    return [
        replace(
            record,
            waveform=replace(record.waveform, start_time=UTCDateTime(0)),
            event=record.name,
            split="dev" if number % 2 else "train",
        )
        for number, record in enumerate(read_labelled(path))
    ]


def unlabelled(folder: Path, teacher: Picker) -> list[LabelledWaveform]:
    """Return pieces of continuous records that nobody labelled, for training.

    Where the teacher is sure that there is nothing, P and S are absent: a source of noise. Where
    it is not both are unknown.
    """
    records = []
    for pattern in UNLABELLED:
        for wave in read_waveforms(sorted(folder.glob(pattern))):
            if len(wave.channels) < len(CHANNELS):
                continue
            data, _ = resample(wave.data, wave.sampling_rate, RATE_HZ)
            end = int(ROCKFALL_TRAINS_S * RATE_HZ) if pattern == ROCKFALL else len(data)
            at_rate = replace(
                wave, data=data[:end], sampling_rate=RATE_HZ, start_time=UTCDateTime(0)
            )
            for number, piece in enumerate(pieces(at_rate)):
                [answer] = teacher.annotate(piece)
                arrivals = (
                    {}
                    if answer.probabilities[:, 1:].max() >= QUIET_PROBABILITY
                    else {"P": (), "S": ()}
                )
                name = f"{wave.station} {wave.sampling_rate:g} Hz {wave.start_time} {number}"
                records.append(LabelledWaveform(piece, arrivals, name, event=name, split="train"))
    return records


def simulations(data: Path, every: int = 3) -> list[LabelledWaveform]:
    """Return some of the simulations that train `near-surface`, as if recorded at 100 Hz.

    P and S are unknown: a teacher's word on records like no other, not the simulation's truth.
    """
    records = [
        record
        for family in ("flat", "topo")
        for record in specfem2d(data, family, "XZ")
        if record.split == "train"
    ]
    shown = []
    for number, record in enumerate(records[::every]):
        x, z = record.waveform.data.T
        data_enz = np.stack([x, np.zeros_like(x), z], axis=1)
        wave = replace(
            record.waveform,
            data=data_enz,
            channels=CHANNELS,
            sampling_rate=RATE_HZ,
            start_time=UTCDateTime(0),
        )
        name = f"simulation {number}"
        one = replace(record, waveform=wave, arrivals={}, name=name, event=name, split="train")
        shown += stretched([one], [SIMULATION_FACTORS[number % len(SIMULATION_FACTORS)]])
    return shown


def pieces(wave: Waveform, n_samples: int = PIECE_SAMPLES) -> list[Waveform]:
    """Cut a record into pieces; what is too short for a window is left out."""
    cuts = [wave.data[b : b + n_samples] for b in range(0, wave.n_samples, n_samples)]
    return [replace(wave, data=cut) for cut in cuts if len(cut) >= LEAST_SAMPLES]


def stretched(
    records: Iterable[LabelledWaveform], factors: Sequence[float]
) -> list[LabelledWaveform]:
    """Return each record once for each factor of time, at the sampling rate that it had.

    The augmentation `TimeStretch` does so to each window; copies cost nothing while training.
    """
    copies = []
    for record in records:
        wave = record.waveform
        for wanted in factors:
            data, factor = resample(wave.data, 1.0, wanted) if wanted != 1 else (wave.data, 1.0)
            arrivals = {p: tuple(factor * s for s in at) for p, at in record.arrivals.items()}
            copies.append(
                replace(
                    record,
                    waveform=replace(wave, data=data),
                    arrivals=arrivals,
                    name=f"{record.name} x{wanted:g}",
                )
            )
    return copies


def noise(data: Path, held_out: Iterable[LabelledWaveform]) -> dict[str, list[Waveform]]:
    """Return records for the count of false picks, of which none trained anything.

    What is before P at the held-out stations; the end of 80 minutes with rockfalls and vehicles
    and few earthquakes; a day of one vertical channel with whatever earthquakes are in it.
    """
    before = [
        replace(r.waveform, data=r.waveform.data[: int(r.arrivals["P"][0]) - NOISE_MARGIN_SAMPLES])
        for r in held_out
    ]
    folder = data / "continuous"
    [rockfall] = read_waveforms(sorted(folder.glob(ROCKFALL)))
    rest = rockfall.data[int(ROCKFALL_TRAINS_S * RATE_HZ) :]
    return {
        "before P, held-out stations": before,
        "rockfalls, last 20 min": [replace(rockfall, data=rest)],
        "TA.C26K, a day, Z, 40 Hz": read_waveforms(folder.glob("TA.C26K*")),
    }


def vertical(records: Iterable[LabelledWaveform]) -> list[LabelledWaveform]:
    """Return the records with Z only."""
    return [
        replace(
            record,
            waveform=replace(
                record.waveform, data=record.waveform.data[:, -1:], channels=CHANNELS[-1:]
            ),
        )
        for record in records
    ]
