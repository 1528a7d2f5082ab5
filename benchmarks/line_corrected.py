"""What does moveout add to a fine-tuned network? Picks of the near-surface line, corrected.

A network is fine-tuned with some records of one shot, picks all 96, and the picks are corrected by
moveout. F1 on the test blocks, which had no part in the training: before and after, beside what the
same correction makes of the labels alone that the network learnt from (before it: straight lines
from one to the next), and of the parent's picks.
Prints a Markdown table: the median over seeds and its range.

    python benchmarks/line_corrected.py --data ../shared/data --output transfer/
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))
from datasets import near_surface
from transfer import TOLERANCES, case_of, run, smaller

from phasenet_keras import PhaseNet, Picker
from phasenet_keras.training.neighbours import foretold
from phasenet_keras.training.picked import RecordTimes
from phasenet_keras.training.pseudolabels import correct_picks
from phasenet_keras.training.scores import score_matches
from phasenet_keras.types import LabelledWaveform

NAMES = ("near-surface", "near-surface-16")
Scores = Mapping[str, float]


def receiver_of(record: LabelledWaveform) -> int:
    return int(record.name.removeprefix("r"))


def as_table(times: Mapping[int, Sequence[tuple[str, float, float]]]) -> pd.DataFrame:
    """Return (phase, sample, probability) by receiver as `correct_picks` takes them."""
    rows = [
        {"shot": 1, "receiver": n, "phase": phase, "sample": sample, "probability": probability}
        for n, found in times.items()
        for phase, sample, probability in found
    ]
    return pd.DataFrame(rows, columns=["shot", "receiver", "phase", "sample", "probability"])


def labels_of(records: Sequence[LabelledWaveform]) -> pd.DataFrame:
    return as_table(
        {
            receiver_of(record): [(p, s, 1.0) for p, of in record.arrivals.items() for s in of]
            for record in records
        }
    )


def picks_of(picker: Picker, records: Sequence[LabelledWaveform]) -> pd.DataFrame:
    results = picker.pick_each([record.waveform for record in records])
    return as_table(
        {
            receiver_of(record): [(p.phase, p.sample, p.probability) for p in result.picks]
            for record, result in zip(records, results, strict=True)
        }
    )


def corrected(table: pd.DataFrame, n_receivers: int) -> pd.DataFrame:
    """Return the times after correction, of every receiver of the line."""
    if table.empty:
        return table
    line = pd.DataFrame({"shot": 1, "receiver": range(1, n_receivers + 1)})
    every = line.merge(pd.DataFrame({"phase": sorted(table["phase"].unique())}), how="cross")
    found = correct_picks(pd.concat([table, every], ignore_index=True))
    found = found[found["corrected_sample"].notna()]
    found = found.drop_duplicates(["receiver", "phase"])
    return found.assign(sample=found["corrected_sample"])


def scores(table: pd.DataFrame, test: Sequence[LabelledWaveform]) -> Scores:
    """Return F1 by phase."""
    found = {}
    for phase, tolerance in zip("PS", TOLERANCES["near-surface"], strict=True):
        of_phase = table[table["phase"] == phase]
        times = []
        for record in test:
            rate = record.waveform.sampling_rate
            picks = of_phase.loc[of_phase["receiver"] == receiver_of(record), "sample"]
            labels_s = tuple(sample / rate for sample in record.arrivals[phase])
            times.append(RecordTimes(record.name, labels_s, tuple(picks / rate)))
        matches = [one.matches(tolerance / rate) for one in times]
        found[phase] = score_matches(phase, matches, tolerance / rate, bootstrap=0).f1
    return found


def straight_lines(
    known: Sequence[LabelledWaveform], test: Sequence[LabelledWaveform]
) -> pd.DataFrame:
    """Return what the labels of neighbours tell, as `train` has it in its table."""
    told = foretold(*([replace(record, event="") for record in of] for of in (test, known)))
    return as_table(
        {
            receiver_of(one.record): [
                (p.phase, (p.time - wave.start_time) * wave.sampling_rate, 1.0) for p in one.picks
            ]
            for one in told
            for wave in (one.record.waveform,)
        }
    )


def row(name: str, what: str, before: Sequence[Scores], after: Sequence[Scores]) -> str:
    cells = []
    for found in (before, after):
        for phase in "PS":
            f1s = sorted(score[phase] for score in found)
            spread = f" [{f1s[0]:.3f}, {f1s[-1]:.3f}]" if len(f1s) > 1 else ""
            cells.append(f"{median(f1s):.3f}{spread}")
    return f"| {name} | {what} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--output", type=Path, default=Path("transfer"))
    parser.add_argument("--preset", default="ncedc")
    parser.add_argument("--seeds", default="0,1,2")
    given = parser.parse_args()
    seeds = [int(seed) for seed in given.seeds.split(",")]
    records = near_surface(given.data)
    test = [record for record in records if record.split == "test"]
    print("| records | what | P F1 | S F1 | P F1 corrected | S F1 corrected |")
    print("|---|---|---|---|---|---|")
    for name in given.names:
        case = case_of(name, given.data)
        known = smaller(records, case.n_records) if case.n_records else records
        learnt = [record for record in known if record.split != "test"]
        before = scores(straight_lines(learnt, test), test)
        after = scores(corrected(labels_of(learnt), len(records)), test)
        print(row(name, "labels alone: straight lines, and the curve", [before], [after]))
        parent = PhaseNet.from_preset(given.preset, channels="Z")
        networks = {"as it is": [Picker(parent, sampling="reinterpret")]}
        run(case, given.preset, seeds, ["finetune"], given.output)
        folders = [
            best
            for seed in seeds
            for best in (given.output / name).glob(f"runs/finetune-n*-seed{seed}/best")
        ]
        networks["fine-tuned"] = [Picker.from_preset(folder) for folder in folders]
        for what, pickers in networks.items():
            tables = [picks_of(picker, records) for picker in pickers]
            alone = [scores(table, test) for table in tables]
            moved = [scores(corrected(table, len(records)), test) for table in tables]
            print(row(name, f"{given.preset} {what}", alone, moved), flush=True)


if __name__ == "__main__":
    main()
