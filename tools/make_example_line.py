"""Make the geophone line that the package carries, from the simulations of the project.

    python tools/make_example_line.py ../shared/data phasenet_keras/io/example_line

One shot of a topography model of the test split, which no shipped network was trained on: vertical
component, white noise at 25 dB, 16-bit miniSEED, and a table of receivers, offsets and onsets.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import numpy as np
import obspy

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from datasets import specfem2d, with_noise

MODEL, SHOT, SNR_DB, N_SAMPLES = "T06", "0", 25.0, 1200
START = obspy.UTCDateTime(2024, 3, 1)


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="the project's shared data")
    parser.add_argument("output", type=Path, help="folder to write to")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--shot", default=SHOT)
    given = parser.parse_args()
    family = "flat" if given.model.startswith("F") else "topo"
    records = [
        r for r in specfem2d(given.data, family) if r.gather == f"{given.model}.{given.shot}"
    ]
    stream, rows = obspy.Stream(), []
    for number, record in enumerate(with_noise(records, SNR_DB), start=1):
        data = record.waveform.data[:N_SAMPLES, 0]
        counts = np.round(data / np.abs(data).max() * 20_000).astype(np.int32)
        header = {
            "network": "XX", "station": f"R{number:02d}", "channel": "GHZ",
            "sampling_rate": record.waveform.sampling_rate, "starttime": START,
        }  # fmt: skip
        stream.append(obspy.Trace(counts, header))
        p, s = (record.arrivals.get(phase, (float("nan"),))[0] for phase in "PS")
        offset_m = record.waveform.offset_m
        rows.append([f"XX.R{number:02d}..GH", f"{offset_m:.2f}", f"{p:.1f}", f"{s:.1f}"])
    given.output.mkdir(parents=True, exist_ok=True)
    stream.write(str(given.output / "line.mseed"), format="MSEED", encoding="STEIM2", reclen=512)
    with (given.output / "line.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["station", "offset_m", "itp", "its"])
        writer.writerows(rows)


if __name__ == "__main__":
    main()
