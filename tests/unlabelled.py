"""Surveys without labels that tests of self-training make, and the labelled records beside them."""

from __future__ import annotations

import numpy as np
from obspy import UTCDateTime

from phasenet_keras import PhaseNet, Waveform
from phasenet_keras.training.correction import CorrectionConfig
from phasenet_keras.training.pseudo_records import GatherTrace
from phasenet_keras.types import LabelledWaveform

GIVEN = CorrectionConfig(choose="given")
N, LENGTH = 16, 400


def spike(at, receiver, seed):
    """A record with an upward spike, which the network set by hand picks as P; none without at."""
    data = 0.5 * np.random.default_rng(seed).standard_normal((LENGTH, 1))
    if at is not None:
        data[at] = 50.0
    return Waveform(data, 100.0, UTCDateTime(0), ("Z",), str(receiver))


def onset(shot, receiver):
    return 100 + 6 * (receiver - 1) + shot % 7


def gather(shot, wrong=None, **fields):
    """Records of one shot at receiver 1: P grows with the distance, S is not labelled.

    ``wrong`` says of a receiver where its spike is in place of the onset.
    """
    records = []
    for receiver in range(1, N + 1):
        at = onset(shot, receiver)
        wave = spike((wrong or {}).get(receiver, at), receiver, (shot, receiver))
        records.append(
            LabelledWaveform(
                wave, {"P": (at,)}, name=f"{shot}_{receiver}", gather=f"shot {shot}", **fields
            )
        )
    return records


def traces_of(shots, wrong=None):
    return [
        GatherTrace(str(shot), record.waveform.station, float(number), record)
        for shot in shots
        for number, record in enumerate(gather(shot, wrong))
    ]


def labelled():
    return [*gather(1, split="train")[::4], *gather(2, split="dev"), *gather(3, split="test")]


def load(preset):
    return PhaseNet.from_preset(preset, rebalance=True)
