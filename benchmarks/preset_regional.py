"""Makes the preset `regional`: trains it from random weights, scores it, writes its folder.

    python benchmarks/preset_regional.py train --output regional/run
    python benchmarks/preset_regional.py write --output regional/run
    python benchmarks/preset_regional.py level
    python benchmarks/preset_regional.py score --noise pretrained/regional ncedc

The official network (`ncedc`) is the teacher: of each window its answer is 70 % of the target, the
label the rest; what was not labelled has its word alone. Training has stages, each begun with the
weights of the one before: first records of many speeds, responses and kinds, then such as the
picker is made for. A run that was ended goes on. `level` then moves the answers so that the
threshold of 0.3 is the one that serves best on what validates. `score` prints Markdown tables, on
the stations that were held out (``--split dev``: those that validate).
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from publishing import publish
from regional_records import ncedc, noise, simulations, stead, stretched, unlabelled, vertical

from phasenet_keras import PhaseNet, Picker, TrainConfig, read_labelled
from phasenet_keras.quiet import quiet_start
from phasenet_keras.training.evaluate import evaluate
from phasenet_keras.training.learner import EpochReport
from phasenet_keras.training.scores import PhaseScores
from phasenet_keras.training.teacher import Teacher
from phasenet_keras.training.train import train
from phasenet_keras.types import LabelledWaveform


@dataclass(frozen=True)
class Stage:
    """A run of the training.

    Attributes:
        epochs: of the run.
        windows: of each record in an epoch.
        learning_rate: at the beginning; it falls as half a cosine.
        seed: of the run.
        labelled_factors: of time, one copy of each labelled record for each.
        unlabelled_factors: the same of records without labels.
        with_simulations: whether simulations are among the records.
        augmentation: comes before what all stages have.
        more_noise: comes after the channels that are dropped.
    """

    epochs: int
    windows: int
    learning_rate: float
    seed: int
    labelled_factors: tuple[float, ...]
    unlabelled_factors: tuple[float, ...]
    with_simulations: bool = False
    augmentation: tuple[Mapping[str, Any], ...] = ()
    more_noise: tuple[Mapping[str, Any], ...] = ()


WIDE = Stage(
    epochs=100,
    windows=2,
    learning_rate=4e-3,
    seed=0,
    labelled_factors=(0.35, 0.5, 0.7, 0.85, 1.0, 1.2, 1.45, 1.8, 2.3),
    unlabelled_factors=(0.5, 0.75, 1.0, 1.3),
    with_simulations=True,
    augmentation=(
        {"name": "BlendRecords", "probability": 0.25},
        {"name": "RandomResponse", "greatest_order": 1.0, "probability": 0.4},
    ),
    more_noise=({"name": "FieldNoise", "least_snr_db": 5.0, "probability": 0.15},),
)
STAGES = {
    "wide": WIDE,
    "wider": replace(WIDE, epochs=40, learning_rate=2e-3, seed=3),
    "near": Stage(
        epochs=20,
        windows=3,
        learning_rate=1e-3,
        seed=4,
        labelled_factors=(0.7, 0.8, 0.9, 1.0, 1.12, 1.25, 1.4),
        unlabelled_factors=(1.0, 1.2),
    ),
}
TEACHER, TEACHER_SHARE = "ncedc", 0.7
THRESHOLDS = {"P": 0.3, "S": 0.3}
# That `level` tries, for one phase as for the other.
LEVELS = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
# Labelled records of other regions and networks; the labels of some are 0.09 s early.
OTHERS = ("eqcorrscan_nz_alpine", "quakemigrate_vt_iceland", "scdetect_switzerland")
OTHERS_TOLERANCE_S = 0.2
LICENCE = "MIT"
DESCRIPTION = "Local earthquakes, three channels or one, 100 Hz; made to need no download"
CITATION = (
    "The network and the teacher: Zhu, W. & Beroza, G. C. (2019). PhaseNet. Geophysical Journal "
    "International, 216(1), 261-273. https://doi.org/10.1093/gji/ggy423. A part of the records: "
    "Mousavi, S. M., Sheng, Y., Zhu, W. & Beroza, G. C. (2019). STEAD. IEEE Access, 7, "
    "179464-179476. https://doi.org/10.1109/ACCESS.2019.2947848"
)
ORIGIN = "trained from random weights by benchmarks/preset_regional.py"


def config_of(stage: Stage) -> TrainConfig:
    return TrainConfig(
        epochs=stage.epochs,
        batch_size=16,
        windows_per_record=stage.windows,
        learning_rate=stage.learning_rate,
        window_samples=3072,
        alpha=0.85,
        shift_samples=256,
        augmentation=(
            *stage.augmentation,
            {"name": "RotateHorizontals"},
            {"name": "Polarity"},
            {
                "name": "StackEvents",
                "least_ratio": 0.1,
                "greatest_ratio": 1.0,
                "probability": 0.3,
            },
            {
                "name": "RecordedNoise",
                "least_snr_db": 3.0,
                "greatest_snr_db": 30.0,
                "least_samples": 512,
            },
            {"name": "DropChannels", "probability": 0.4},
            *stage.more_noise,
            {"name": "WhiteNoise", "least_snr_db": 5.0, "probability": 0.2},
            {"name": "Gap", "greatest_fraction": 0.3},
            {"name": "Clip", "probability": 0.05},
        ),
        patience=1000,  # the schedule is for all epochs
        refit=False,
        seed=stage.seed,
    )


def learn(args: argparse.Namespace) -> None:
    with quiet_start():
        import keras

        teacher = PhaseNet.from_preset(TEACHER)
    labelled = [
        *ncedc(args.data / "ncedc"),
        *ncedc(args.data / "ncedc_p_only"),
        *stead(args.data / "records" / "eqt_stead50.h5"),
    ]
    of = {split: [r for r in labelled if r.split == split] for split in ("train", "dev", "test")}
    others = unlabelled(args.data / "continuous", Picker(teacher))
    n_quiet = sum("P" in record.arrivals for record in others)
    print(
        f"{len(of['train'])} labelled records train, {len(of['dev'])} validate, {len(of['test'])} "
        f"are held out; {len(others)} pieces without labels, {n_quiet} of them noise",
        flush=True,
    )
    net = PhaseNet()
    for number, (name, stage) in enumerate(STAGES.items()):
        records = [
            *stretched(of["train"], stage.labelled_factors),
            *stretched(others, stage.unlabelled_factors),
            *(simulations(args.data) if stage.with_simulations else ()),
        ]
        print(f"stage {name}: {len(records)} records train", flush=True)
        keras.utils.set_random_seed(stage.seed)
        result = train(
            net,
            records,
            of["dev"],
            args.output / name,
            strategy="finetune" if number else "scratch",
            config=config_of(stage),
            teacher=Teacher(teacher, TEACHER_SHARE),
            keep_parent=False,
            on_epoch=say,
        )
        print(result.verdict, flush=True)
        net = PhaseNet.from_preset(args.output / name / "validated")


def say(report: EpochReport) -> None:
    text = f"loss {report.train_loss:.4f}, {report.dev_loss:.4f}; F1 {report.dev_f1:.3f}"
    print(f"{time.strftime('%H:%M:%S')}: epoch {report.epoch}, {text}", flush=True)


def write(args: argparse.Namespace) -> None:
    """Write the best network of a run, also of one that was ended, as the preset."""
    publish(
        PhaseNet.from_preset(args.output / list(STAGES)[-1] / "validated"),
        {f"{name}-": args.output / name for name in STAGES},
        args.preset,
        description=DESCRIPTION,
        thresholds=THRESHOLDS,
        license=LICENCE,
        source={"origin": ORIGIN, "teacher": TEACHER},
    )


@dataclass(frozen=True)
class Scored:
    """Records that are scored together; ``tolerance_s`` is None for that of the rule."""

    title: str
    records: Sequence[LabelledWaveform]
    tolerance_s: float | None = None


def scored_sets(data: Path, split: str, *, elsewhere: bool) -> list[Scored]:
    """Return what is scored: a split with three channels and with one; and other regions."""
    labelled = [record for record in with_s(data) if record.split == split]
    n_groups = len({record.event for record in labelled})
    count = f"{len(labelled)} records of {n_groups} stations (STEAD: records)"
    sets = [
        Scored(f"E,N,Z: {count}", labelled),
        Scored(f"Z alone: {count}", vertical(labelled)),
    ]
    for name in OTHERS if elsewhere else ():
        records = [*read_labelled(data / "records" / f"{name}.h5")]
        title = f"{name}: {len(records)} records, within {OTHERS_TOLERANCE_S} s"
        sets.append(Scored(title, records, OTHERS_TOLERANCE_S))
    return sets


def with_s(data: Path) -> list[LabelledWaveform]:
    """Return the records with P and S; of STEAD none is held out."""
    return [*ncedc(data / "ncedc"), *stead(data / "records" / "eqt_stead50.h5")]


def level(args: argparse.Namespace) -> None:
    """Move the answers of the preset so that the best thresholds of validation become 0.3.

    Of each phase it is the threshold of the highest mean F1 that counts, over the sets that
    `score --split dev --elsewhere` prints. An odds ratio at the softmax is a constant in the bias.
    """
    net = PhaseNet.from_preset(args.preset)
    sets = scored_sets(args.data, "dev", elsewhere=True)
    means = {phase: np.zeros(len(LEVELS)) for phase in THRESHOLDS}
    for column, threshold in enumerate(LEVELS):
        picker = Picker(net, thresholds=dict.fromkeys(THRESHOLDS, threshold))
        for one in sets:
            scores = evaluate(picker, one.records, tolerance_s=one.tolerance_s, bootstrap=0)
            for phase, found in scores.items():
                means[phase][column] += found.f1 / len(sets)
    print(f"| phase | {' | '.join(f'{level:g}' for level in LEVELS)} |")
    print("|---" * (1 + len(LEVELS)) + "|")
    weights = net.get_weight_set()
    bias = weights["output_conv/bias"].copy()
    for phase, f1s in means.items():
        print(f"| {phase} | {' | '.join(f'{f1:.3f}' for f1 in f1s)} |")
        best = LEVELS[int(np.argmax(f1s))]
        bias[net.config.phases.index(phase)] -= log_odds(best) - log_odds(THRESHOLDS[phase])
    net.set_weight_set({**weights, "output_conv/bias": bias})
    publish(net, {}, args.preset)


def log_odds(probability: float) -> float:
    return math.log(probability / (1.0 - probability))


def score(args: argparse.Namespace) -> None:
    with quiet_start():
        nets = {Path(name).name: PhaseNet.from_preset(name) for name in args.presets}
    pickers = {name: Picker(net, thresholds=THRESHOLDS) for name, net in nets.items()}
    f1s: dict[str, list[float]] = {name: [] for name in pickers}
    for one in scored_sets(args.data, args.split, elsewhere=args.elsewhere):
        print(f"\n{one.title}\n")
        print_table(pickers, one.records, one.tolerance_s, f1s)
    for name, found in f1s.items():
        print(f"\n{name}: the mean of these {len(found)} F1 is {sum(found) / len(found):.3f}")
    if args.noise:
        quiet = [*with_s(args.data), *ncedc(args.data / "ncedc_p_only")]
        print("\n| noise | hours | preset | P an hour | S an hour |\n|---|---|---|---|---|")
        for what, waves in noise(args.data, [r for r in quiet if r.split == args.split]).items():
            hours = sum(wave.duration_s for wave in waves) / 3600.0
            for name, picker in pickers.items():
                picks = [pick.phase for wave in waves for pick in picker.pick(wave)]
                rates = " | ".join(f"{picks.count(phase) / hours:.1f}" for phase in "PS")
                print(f"| {what} | {hours:.2f} | {name} | {rates} |", flush=True)


def print_table(
    pickers: Mapping[str, Picker],
    records: Sequence[LabelledWaveform],
    tolerance_s: float | None,
    f1s: Mapping[str, list[float]],
) -> None:
    """Print the scores of each picker, and add its F1 to those that it has."""
    print("| preset | phase | F1 (95 %) | precision | recall | bias (s) | MAE (s) |")
    print("|---|---|---|---|---|---|---|")
    for name, picker in pickers.items():
        scores = evaluate(picker, records, tolerance_s=tolerance_s, bootstrap=2000)
        f1s[name].extend(score.f1 for score in scores.values())
        print("\n".join(row(name, phase, score) for phase, score in scores.items()), flush=True)


def row(name: str, phase: str, score: PhaseScores) -> str:
    low, high = score.f1_interval
    return (
        f"| {name} | {phase} | {score.f1:.3f} ({low:.2f}-{high:.2f}) | {score.precision:.3f} "
        f"| {score.recall:.3f} | {score.residual_mean_s:+.3f} | {score.mae_s:.3f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(required=True, dest="verb")
    for verb in ("train", "write", "level", "score"):
        one = verbs.add_parser(verb)
        one.add_argument("--data", type=Path, default=Path("../shared/data"))
        if verb == "score":
            one.add_argument("presets", nargs="+", help="names or folders")
            one.add_argument("--split", default="test", choices=("dev", "test"))
            one.add_argument(
                "--elsewhere", action="store_true", help="records of other networks, too"
            )
            one.add_argument("--noise", action="store_true", help="count false picks, too")
            continue
        if verb != "level":
            one.add_argument("--output", type=Path, required=True, help="folder of the runs")
        one.add_argument("--preset", type=Path, default=Path("pretrained/regional"))
    args = parser.parse_args()
    {"train": learn, "write": write, "level": level, "score": score}[args.verb](args)


if __name__ == "__main__":
    main()
