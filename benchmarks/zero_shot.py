"""How good are given weights on labelled records, as they are?

Prints a Markdown table: F1, precision, recall and bias of P and S. Windows are drawn at random so
that they hold both arrivals where they fit; one pick matches one label within the tolerance.

    python benchmarks/zero_shot.py --data ../shared/data
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from obspy import UTCDateTime

from phasenet_keras import PhaseNet, Picker, Waveform, read_waveforms
from phasenet_keras.quiet import quiet_start

# Samples between a window's edge and an arrival in it.
MARGIN = 100


@dataclass
class Tally:
    """Labels, picks and matches of one phase."""

    n_true: int = 0
    n_pred: int = 0
    n_matched: int = 0
    residuals: list[float] = field(default_factory=list)

    def add(self, picked: Sequence[float], label: float | None, tolerance: float) -> None:
        self.n_pred += len(picked)
        if label is None:
            return
        self.n_true += 1
        near = [pick - label for pick in picked if abs(pick - label) <= tolerance]
        if near:
            self.n_matched += 1
            self.residuals.append(min(near, key=abs))

    @property
    def f1(self) -> float:
        return 2 * self.n_matched / max(1, self.n_true + self.n_pred)

    @property
    def bias(self) -> float:
        return float(np.mean(self.residuals)) if self.residuals else float("nan")

    def row(self) -> str:
        precision = self.n_matched / max(1, self.n_pred)
        recall = self.n_matched / max(1, self.n_true)
        return f"{self.f1:.3f} | {precision:.3f} | {recall:.3f} | {self.bias:+.2f}"


def ncedc_records(folder: Path) -> list[tuple[np.ndarray, int, int]]:
    """Return ``(data, p_sample, s_sample)`` of each labelled NCEDC record."""
    with (folder / "waveform.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [
        (
            np.load(folder / "waveform" / row["fname"])["data"].astype(np.float32),
            int(row["itp"]),
            int(row["its"]),
        )
        for row in rows
    ]


def windows(
    records: Sequence[tuple[np.ndarray, int, int]], n_samples: int, n_draws: int, seed: int = 0
) -> Iterator[tuple[Waveform, dict[str, int | None]]]:
    """Draw windows that hold the P arrival, and the S arrival where both fit."""
    rng = np.random.default_rng(seed)
    for data, p_sample, s_sample in records:
        latest = min(len(data) - n_samples, p_sample - MARGIN)
        earliest = min(max(0, s_sample - n_samples + MARGIN), max(latest, 0))
        for _ in range(n_draws):
            begin = int(rng.integers(earliest, max(latest, earliest) + 1))
            piece = data[begin : begin + n_samples]
            labels = {"P": p_sample - begin, "S": s_sample - begin}
            yield (
                Waveform(piece, 100.0, UTCDateTime(0), ("E", "N", "Z"), "record"),
                {p: s if 0 <= s < len(piece) else None for p, s in labels.items()},
            )


def score(
    picker: Picker, cases: Iterator[tuple[Waveform, dict[str, float | None]]], tolerance: float
) -> dict[str, Tally]:
    """Pick every case and count, in samples."""
    tallies = {"P": Tally(), "S": Tally()}
    for wave, labels in cases:
        picks = picker.pick(wave)
        for phase, tally in tallies.items():
            picked = [pick.sample for pick in picks if pick.phase == phase]
            tally.add(picked, labels[phase], tolerance)
    return tallies


def near_surface_cases(folder: Path, n_samples: int) -> Iterator[tuple[Waveform, dict[str, float]]]:
    """Give the 96 vertical records of shot 1, cut to a length, with their labels."""
    with (folder / "labels_shot01.csv").open() as file:
        rows = list(csv.DictReader(file))
    for path, row in zip(sorted((folder / "raw").glob("*.txt")), rows, strict=True):
        [wave] = read_waveforms(path)
        cut = Waveform(
            wave.data[:n_samples], wave.sampling_rate, wave.start_time, ("Z",), wave.station
        )
        yield cut, {"P": float(row["itp"]), "S": float(row["its"])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--draws", type=int, default=6, help="windows a record")
    arguments = parser.parse_args()
    with quiet_start():
        picker = Picker(PhaseNet.from_preset("ncedc"))
        vertical = Picker(PhaseNet.from_preset("ncedc", channels="Z"), sampling="reinterpret")

    print("| records | window | phase | F1 | precision | recall | bias (samples) |")
    print("|---|---|---|---|---|---|---|")
    records = ncedc_records(arguments.data / "ncedc")
    for n_samples in (3000, 3001, 3100, 6000, 9001):
        draws = 1 if n_samples >= 9001 else arguments.draws
        tallies = score(picker, windows(records, n_samples, draws), tolerance=10)
        for phase, tally in tallies.items():
            print(f"| NCEDC, 100 Hz, ±0.1 s | {n_samples} | {phase} | {tally.row()} |")
    for phase, tolerance in (("P", 5), ("S", 10)):
        cases = near_surface_cases(arguments.data / "near_surface", 1500)
        tally = score(vertical, cases, tolerance)[phase]
        what = f"near-surface, Z, 2 kHz, ±{tolerance} samples"
        print(f"| {what} | 1500 | {phase} | {tally.row()} |")


if __name__ == "__main__":
    main()
