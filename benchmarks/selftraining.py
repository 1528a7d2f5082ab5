"""Does self-training help on simulated gathers? Prints Markdown tables.

A preset is fine-tuned on the labels of two SPECFEM2D models; all other training models are without
labels. F1 on the test models before, after each round, and with the true labels of all; how good
the pseudo labels are; and how much of the gap is closed. The validation models have their labels in
all three; they choose epochs, thresholds and rounds. A run that was interrupted goes on.

    python benchmarks/selftraining.py --data ../shared/data --output selftraining/ --seeds 0,1
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))
from datasets import specfem2d, with_noise

from phasenet_keras import PhaseNet, Picker, TrainConfig
from phasenet_keras.training.evaluate import evaluate
from phasenet_keras.training.learner import EpochReport
from phasenet_keras.training.pseudo_records import GatherTrace, PseudoSettings
from phasenet_keras.training.rounds import SelfTrainRound
from phasenet_keras.training.score_table import markdown_table
from phasenet_keras.training.scores import PhaseScores
from phasenet_keras.training.selftrain import self_train
from phasenet_keras.training.train import train
from phasenet_keras.types import LabelledWaveform

TOLERANCE_SAMPLES = 10.0
OFFSETS_M = (0, 20, 40, 60, 110)


@dataclass(frozen=True)
class Case:
    """Who has labels: records of two models, traces of the others, and those that judge."""

    models: tuple[str, ...]
    labelled: Sequence[LabelledWaveform]
    unlabelled: Sequence[GatherTrace]
    dev: Sequence[LabelledWaveform]
    test: Sequence[LabelledWaveform]

    @property
    def everything(self) -> list[LabelledWaveform]:
        """All training records with their true labels."""
        return [*self.labelled, *(trace.record for trace in self.unlabelled)]


def case_of(args: argparse.Namespace, seed: int) -> Case:
    records = with_noise(specfem2d(args.data, args.family, args.channels), args.snr_db)
    records = [r for r in records if int(r.waveform.station.split(".")[-1]) % args.thin == 0]
    of = {s: [r for r in records if r.split == s] for s in ("train", "dev", "test")}
    models = sorted({record.event for record in of["train"]})
    drawn = np.random.default_rng(seed).permutation(len(models))[: args.models]
    known = tuple(sorted(models[n] for n in drawn))
    traces = [
        GatherTrace(r.gather, r.waveform.station, float(r.waveform.offset_m or 0.0), r)
        for r in of["train"]
        if r.event not in known
    ]
    labelled = [r for r in of["train"] if r.event in known]
    return Case(known, labelled, traces, of["dev"], of["test"])


def config_of(args: argparse.Namespace, seed: int) -> TrainConfig:
    # The records have their noise already, as in transfer.py.
    return TrainConfig(
        epochs=args.epochs,
        learning_rate=2e-3,
        shift_samples=128,
        augmentation=({"name": "Polarity"},),
        tolerance_samples=TOLERANCE_SAMPLES,
        refit=False,
        seed=seed,
    )


def run(case: Case, args: argparse.Namespace, seed: int) -> None:
    folder = args.output / f"{args.family}-{args.channels}-{args.snr_db:g}db-seed{seed}"
    base = PhaseNet.from_preset(
        args.preset, channels=args.channels.replace("X", "E"), rebalance=True
    )
    config = config_of(args, seed)
    # As many windows an epoch for two models as for all.
    often = round(len(case.everything) / len(case.labelled))
    print(
        f"\n# {folder.name}\n\nLabels of {', '.join(case.models)}: {len(case.labelled)} records; "
        f"without labels: {len(case.unlabelled)}; {len(case.dev)} validate, {len(case.test)} test; "
        f"a pick is right within {TOLERANCE_SAMPLES:g} samples",
        flush=True,
    )
    say = Say()
    two = replace(config, windows_per_record=often)
    parent = train(
        base, case.labelled, case.dev, folder / "two", config=two, on_epoch=say.epoch
    ).net
    say(f"two models, {len(case.labelled)} records", scores_of(parent, case))
    top = scores_of(
        train(
            base, case.everything, case.dev, folder / "all", config=config, on_epoch=say.epoch
        ).net,
        case,
    )
    say("true labels of all", top)
    result = self_train(
        parent,
        [*case.labelled, *case.dev, *case.test],
        case.unlabelled,
        folder / "rounds",
        rounds=args.rounds,
        config=config,
        on_round=lambda item: say(item.name, item.scores),
        on_epoch=say.epoch,
    )
    report(result.rounds, result.best, {"as it is": scores_of(base, case), "all": top})
    print(f"\n{result.verdict}; {say.seconds:.0f} s\n")
    for show in (quality, by_offset):
        show(folder / "rounds", case.unlabelled, PseudoSettings().least_weight)


def scores_of(net: PhaseNet, case: Case) -> dict[str, PhaseScores]:
    picker = Picker(net, sampling="reinterpret")
    return evaluate(picker, case.test, tolerance_samples=TOLERANCE_SAMPLES)


class Say:
    """Says on standard error how far a run is."""

    def __init__(self) -> None:
        self.began = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.began

    def __call__(self, name: str, scores: Mapping[str, PhaseScores]) -> None:
        f1s = ", ".join(f"{phase} {score.f1:.3f}" for phase, score in scores.items())
        print(f"{self.seconds:.0f} s, {name}: {f1s}", file=sys.stderr, flush=True)

    def epoch(self, report: EpochReport) -> None:
        text = f"loss {report.train_loss:.4f}, {report.dev_loss:.4f}; F1 {report.dev_f1:.3f}"
        print(f"{self.seconds:.0f} s, epoch {report.epoch}: {text}", file=sys.stderr, flush=True)


def report(
    rounds: Sequence[SelfTrainRound], best: int, others: Mapping[str, Mapping[str, PhaseScores]]
) -> None:
    by_name = {item.name: item.scores for item in rounds}
    print("\n## F1 on the test models\n")
    print(
        markdown_table(
            {"as it is": others["as it is"], **by_name, "true labels of all": others["all"]}
        )
    )
    print("| phase | before | best round | true labels of all | part of the gap closed |")
    print("|---|---|---|---|---|")
    for phase, score in others["all"].items():
        first, last = (rounds[n].scores[phase].f1 for n in (0, best))
        gap = score.f1 - first
        closed = f"{(last - first) / gap:.0%}" if gap > 0 else "no gap"
        print(f"| {phase} | {first:.3f} | {last:.3f} | {score.f1:.3f} | {closed} |")


def quality(folder: Path, traces: Sequence[GatherTrace], least: float) -> None:
    """Print how far pseudo labels are from the true ones, where the arrival can be seen."""
    print("## Pseudo labels beside the true labels, in samples\n")
    print("| round | phase | visible | picks within 10 | corrected within 10 | chosen | median "
          "| within 3 | within 10 | chosen where not visible |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|")
    for path in sorted(folder.glob("round_*/pseudo_labels.csv")):
        table = pd.read_csv(path)
        for phase, rows in table.groupby("phase"):
            true = np.array(
                [traces[n].record.arrivals.get(phase, (np.nan,))[0] for n in rows["trace"]]
            )
            seen = np.isfinite(true)
            chosen = (rows["weight"] >= least).to_numpy()
            raw, mended = (
                np.abs(rows[name].to_numpy() - true) for name in ("sample", "corrected_sample")
            )
            away = mended[chosen & seen]
            cells = [
                *(f"{np.mean(values[seen] <= 10):.3f}" for values in (raw, mended)),
                str(len(away)),
                f"{np.median(away) if away.size else np.nan:.1f}",
                *(f"{np.mean(away <= n) if away.size else np.nan:.3f}" for n in (3, 10)),
                f"{(chosen & ~seen).sum()} of {(~seen).sum()}",
            ]
            print(f"| {path.parent.name[6:]} | {phase} | {seen.sum()} | {' | '.join(cells)} |")


def by_offset(folder: Path, traces: Sequence[GatherTrace], least: float) -> None:
    """Print where along the line the first round's picks and pseudo labels are right."""
    table = pd.read_csv(folder / "round_1/pseudo_labels.csv")
    true = [
        traces[n].record.arrivals.get(phase, (np.nan,))[0]
        for n, phase in zip(table["trace"], table["phase"], strict=True)
    ]
    table = table.assign(
        right=(table["sample"] - true).abs() <= TOLERANCE_SAMPLES,
        chosen=table["weight"] >= least,
        chosen_right=(table["corrected_sample"] - true).abs() <= TOLERANCE_SAMPLES,
        offset=pd.cut(table["offset_m"].abs(), OFFSETS_M),
    )[np.isfinite(true)]
    print("\n## Round 1 by offset\n")
    print("| phase | offset (m) | visible | picks right | chosen | right of these |")
    print("|---|---|---|---|---|---|")
    for (phase, offset), rows in table.groupby(["phase", "offset"], observed=True):
        chosen = rows[rows["chosen"]]
        print(
            f"| {phase} | {offset.left:g}-{offset.right:g} | {len(rows)} "
            f"| {rows['right'].mean():.2f} | {len(chosen)} | {chosen['chosen_right'].mean():.2f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--family", default="flat", choices=("flat", "topo"))
    parser.add_argument("--channels", default="Z", choices=("Z", "XZ"))
    parser.add_argument("--snr-db", type=float, default=30.0)
    parser.add_argument("--preset", default="ncedc", help="what all networks start from")
    parser.add_argument("--models", type=int, default=2, help="with labels")
    parser.add_argument("--thin", type=int, default=1, help="take every n-th receiver")
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", default="0")
    args = parser.parse_args()
    for seed in map(int, args.seeds.split(",")):
        run(case_of(args, seed), args, seed)


if __name__ == "__main__":
    main()
