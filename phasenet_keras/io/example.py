"""The geophone line that the package carries, to try things on."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

from phasenet_keras.io.waveforms import read_waveforms
from phasenet_keras.types import LabelledWaveform

__all__ = ["EXAMPLE_FOLDER", "read_example_line"]

# line.mseed, and its receivers, offsets and onsets in line.csv.
EXAMPLE_FOLDER = Path(__file__).parent / "example_line"


def read_example_line() -> list[LabelledWaveform]:
    """Read one simulated shot: 48 vertical geophones 2 m apart, 0.6 s at 2 kHz, with its onsets.

    It is SPECFEM2D's P-SV wave field of a layer over a half-space with topography, with white
    noise at 25 dB. The onsets are travel times of an eikonal solver less 0.6 periods of the source;
    an S that cannot be seen is not among them. It is the only file of its kind with labels that
    needs no download; `obspy.read()` gives a record of an earthquake.

    Returns:
        The records by offset, of one gather.

    Example:
        >>> line = read_example_line()
        >>> len(line), line[0].waveform.sampling_rate, line[0].arrivals
        (48, 2000.0, {'P': (111.0,), 'S': (132.7,)})
    """
    waves = {wave.station: wave for wave in read_waveforms(EXAMPLE_FOLDER / "line.mseed")}
    records = []
    with (EXAMPLE_FOLDER / "line.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            onsets = {phase: float(row[f"it{phase.lower()}"]) for phase in "PS"}
            records.append(
                LabelledWaveform(
                    replace(waves[row["station"]], offset_m=float(row["offset_m"])),
                    {phase: (at,) for phase, at in onsets.items() if not math.isnan(at)},
                    name=row["station"],
                    event="example line",
                    gather="example line",
                )
            )
    return records
