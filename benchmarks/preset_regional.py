"""Makes the preset `regional`: trains it from random weights, scores it, writes its folder.

    python benchmarks/preset_regional.py train --output regional/run
    python benchmarks/preset_regional.py write --output regional/run
    python benchmarks/preset_regional.py score --noise pretrained/regional ncedc

The official network (`ncedc`) is the teacher: of each window its answer is 70 % of the target, the
label the rest; what was not labelled has its word alone. A run that was ended goes on. `score`
prints Markdown tables, on the stations that were held out (``--split dev``: those that validate).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from publishing import publish
from regional_records import ncedc, noise, stead, stretched, unlabelled, vertical

from phasenet_keras import PhaseNet, Picker, TrainConfig
from phasenet_keras.quiet import quiet_start
from phasenet_keras.training.evaluate import evaluate
from phasenet_keras.training.learner import EpochReport
from phasenet_keras.training.teacher import Teacher
from phasenet_keras.training.train import train
from phasenet_keras.types import LabelledWaveform

LABELLED_FACTORS = (0.7, 0.8, 0.9, 1.0, 1.12, 1.25, 1.4)
UNLABELLED_FACTORS = (1.0, 1.2)
TEACHER, TEACHER_SHARE = "ncedc", 0.7
THRESHOLDS = {"P": 0.3, "S": 0.3}
LICENCE = "MIT"
DESCRIPTION = "Local earthquakes, three channels or one, 100 Hz; made to need no download"
CITATION = (
    "The network and the teacher: Zhu, W. & Beroza, G. C. (2019). PhaseNet. Geophysical Journal "
    "International, 216(1), 261-273. https://doi.org/10.1093/gji/ggy423. A part of the records: "
    "Mousavi, S. M., Sheng, Y., Zhu, W. & Beroza, G. C. (2019). STEAD. IEEE Access, 7, "
    "179464-179476. https://doi.org/10.1109/ACCESS.2019.2947848"
)
ORIGIN = "trained from random weights by benchmarks/preset_regional.py"


def config_of(args: argparse.Namespace) -> TrainConfig:
    return TrainConfig(
        epochs=args.epochs,
        batch_size=16,
        windows_per_record=args.windows,
        learning_rate=4e-3,
        window_samples=3072,
        alpha=0.85,
        shift_samples=256,
        augmentation=(
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
            {"name": "WhiteNoise", "least_snr_db": 5.0, "probability": 0.2},
            {"name": "Gap", "greatest_fraction": 0.3},
            {"name": "Clip", "probability": 0.05},
        ),
        patience=1000,  # the schedule is for all epochs
        refit=False,
        seed=args.seed,
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
    records = [*stretched(of["train"], LABELLED_FACTORS), *stretched(others, UNLABELLED_FACTORS)]
    n_quiet = sum("P" in record.arrivals for record in others)
    print(
        f"{len(of['train'])} labelled records train, {len(of['dev'])} validate, {len(of['test'])} "
        f"are held out; {len(others)} pieces without labels, {n_quiet} of them noise; with copies "
        f"of other speeds {len(records)} train",
        flush=True,
    )
    began = time.perf_counter()

    def say(report: EpochReport) -> None:
        text = f"loss {report.train_loss:.4f}, {report.dev_loss:.4f}; F1 {report.dev_f1:.3f}"
        print(f"{time.perf_counter() - began:.0f} s, epoch {report.epoch}: {text}", flush=True)

    keras.utils.set_random_seed(args.seed)
    result = train(
        PhaseNet(),
        records,
        of["dev"],
        args.output,
        strategy="scratch",
        config=config_of(args),
        teacher=Teacher(teacher, TEACHER_SHARE),
        on_epoch=say,
    )
    print(result.verdict)


def write(args: argparse.Namespace) -> None:
    """Write the best network of a run, also of one that was ended, as the preset."""
    publish(
        PhaseNet.from_preset(args.output / "validated"),
        {"": args.output},
        args.preset,
        description=DESCRIPTION,
        thresholds=THRESHOLDS,
        license=LICENCE,
        source={"origin": ORIGIN, "teacher": TEACHER},
    )


def score(args: argparse.Namespace) -> None:
    labelled = [r for r in ncedc(args.data / "ncedc") if r.split == args.split]
    p_only = [r for r in ncedc(args.data / "ncedc_p_only") if r.split == args.split]
    with quiet_start():
        nets = {Path(name).name: PhaseNet.from_preset(name) for name in args.presets}
    pickers = {name: Picker(net, thresholds=THRESHOLDS) for name, net in nets.items()}
    for what, records in (("E,N,Z", labelled), ("Z alone", vertical(labelled))):
        n_stations = len({record.event for record in records})
        print(f"\n{what}: {len(records)} records of {n_stations} stations\n")
        print("| preset | phase | F1 (95 %) | precision | recall | bias (s) | MAE (s) |")
        print("|---|---|---|---|---|---|---|")
        for name, picker in pickers.items():
            print("\n".join(rows(name, picker, records)), flush=True)
    if args.noise:
        print("\n| noise | hours | preset | P an hour | S an hour |\n|---|---|---|---|---|")
        for what, waves in noise(args.data, [*labelled, *p_only]).items():
            hours = sum(wave.duration_s for wave in waves) / 3600.0
            for name, picker in pickers.items():
                picks = [pick.phase for wave in waves for pick in picker.pick(wave)]
                rates = " | ".join(f"{picks.count(phase) / hours:.1f}" for phase in "PS")
                print(f"| {what} | {hours:.2f} | {name} | {rates} |", flush=True)


def rows(name: str, picker: Picker, records: Sequence[LabelledWaveform]) -> list[str]:
    lines = []
    for phase, found in evaluate(picker, records, rule="phasenet", bootstrap=2000).items():
        low, high = found.f1_interval
        lines.append(
            f"| {name} | {phase} | {found.f1:.3f} ({low:.2f}-{high:.2f}) | {found.precision:.3f} "
            f"| {found.recall:.3f} | {found.residual_mean_s:+.3f} | {found.mae_s:.3f} |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(required=True, dest="verb")
    for verb in ("train", "write", "score"):
        one = verbs.add_parser(verb)
        one.add_argument("--data", type=Path, default=Path("../shared/data"))
        if verb == "score":
            one.add_argument("presets", nargs="+", help="names or folders")
            one.add_argument("--split", default="test", choices=("dev", "test"))
            one.add_argument("--noise", action="store_true", help="count false picks, too")
            continue
        one.add_argument("--output", type=Path, required=True, help="the run folder")
        one.add_argument("--preset", type=Path, default=Path("pretrained/regional"))
        one.add_argument("--epochs", type=int, default=54)
        one.add_argument("--windows", type=int, default=3, help="of each record in an epoch")
        one.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    {"train": learn, "write": write, "score": score}[args.verb](args)


if __name__ == "__main__":
    main()
