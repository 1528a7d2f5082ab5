"""Gathers that tests make."""

from __future__ import annotations

import numpy as np
import pandas as pd
from obspy import UTCDateTime

T0 = UTCDateTime("2024-05-06T07:08:09.25")
STEP = {"P": 3.0, "S": 8.0}
LINE = 24


def survey(shots=(1, 12, 24), receivers=24, phases=("P", "S"), step=(3.0, 8.0)):
    rows = [
        {"shot": s, "receiver": r, "phase": p, "sample": 60.0 + k * abs(r - s)}
        for s in shots
        for p, k in zip(phases, step, strict=False)
        for r in range(1, receivers + 1)
    ]
    return pd.DataFrame(rows)


def write(path, text):
    path.write_text(text)
    return str(path)


def table_of(shots=(1, 12), outlier=(1, 10, "P", 400.0)):
    rows = [
        {"shot": s, "receiver": r, "phase": p, "sample": 60.0 + k * abs(r - s)}
        for s in shots
        for p, k in STEP.items()
        for r in range(1, LINE + 1)
    ]
    table = pd.DataFrame(rows)
    shot, receiver, phase, sample = outlier
    hit = (table[["shot", "receiver", "phase"]] == [shot, receiver, phase]).all(axis=1)
    table.loc[hit, "sample"] = sample
    return table


def linear(offsets, slowness=5.0, start=60.0):
    return start + slowness * np.abs(offsets)
