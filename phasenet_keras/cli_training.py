"""The verbs of the command line that build data sets, train and score."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from phasenet_keras.cli_common import ADAPT_HELP, EXIT_NOTHING_DONE, load_picker, open_console
from phasenet_keras.quiet import quiet_start

__all__ = ["add_training_verbs"]


def add_training_verbs(verbs: argparse._SubParsersAction) -> None:
    """Add `prepare`, `train` and `evaluate` to the parser."""
    _add_prepare(verbs)
    _add_train(verbs)
    _add_evaluate(verbs)


def _add_prepare(verbs: argparse._SubParsersAction) -> None:
    verb = verbs.add_parser(
        "prepare",
        help="build a data set from waveforms and labels",
        description="Build a data set (a SeisBench folder) from waveform files and a CSV of "
        "arrivals in samples: columns itp, its or p_index, s_index; fname, or network and station, "
        "where rows and files are not in the same order.",
        epilog="exit status: 0 all well, 1 some rows were skipped, 2 nothing could be done",
    )
    verb.add_argument("waveforms", metavar="WAVEFORMS", help="folder, file or quoted pattern")
    verb.add_argument("--labels", type=Path, required=True, metavar="FILE.csv")
    verb.add_argument("--output", type=Path, required=True, metavar="DIR", help="data set folder")
    verb.add_argument(
        "--split-by",
        choices=("event", "gather", "station", "block"),
        default="block",
        help="what is never split; block: eight neighbouring records (default: %(default)s)",
    )
    verb.add_argument("--seed", type=int, default=0, help="of the split (default: %(default)s)")
    verb.set_defaults(run=_run_prepare)


def _add_train(verbs: argparse._SubParsersAction) -> None:
    verb = verbs.add_parser(
        "train",
        help="fine-tune a preset on a data set",
        description="Fine-tune a preset on a data set. The run folder then serves as a preset; a "
        "run that was interrupted goes on if the same command is given again.",
    )
    verb.add_argument("dataset", type=Path, metavar="DATASET", help="of phasenet-keras prepare")
    verb.add_argument("--preset", default="ncedc", metavar="NAME|DIR", help="parent")
    verb.add_argument("--channels", metavar="Z…", help="adapt the parent to these channels")
    verb.add_argument("--adapt", **ADAPT_HELP)
    verb.add_argument(
        "--strategy", default="finetune", metavar="NAME|JSON", help="(default: %(default)s)"
    )
    verb.add_argument("--config", type=Path, metavar="FILE.json", help="training configuration")
    verb.add_argument("--output", type=Path, required=True, metavar="RUN", help="run folder")
    verb.set_defaults(run=_run_train)


def _add_evaluate(verbs: argparse._SubParsersAction) -> None:
    verb = verbs.add_parser(
        "evaluate", help="score a preset on a data set", description="Score picks against labels."
    )
    verb.add_argument("preset", metavar="NAME|DIR", help="preset or run folder")
    verb.add_argument("dataset", type=Path, metavar="DATASET")
    verb.add_argument("--split", default="test", choices=("train", "dev", "test"))
    verb.add_argument("--channels", metavar="Z…", help="adapt the preset to these channels")
    verb.add_argument("--adapt", **ADAPT_HELP)
    verb.add_argument(
        "--sampling", choices=("resample", "reinterpret"), default="resample", help="as in pick"
    )
    tolerance = verb.add_mutually_exclusive_group()
    tolerance.add_argument("--tolerance-s", type=float, metavar="SECONDS", help="default: 0.1")
    tolerance.add_argument("--tolerance-samples", type=float, metavar="SAMPLES")
    verb.add_argument("--output", type=Path, metavar="FILE.json", help="write the scores here, too")
    verb.set_defaults(run=_run_evaluate)


def _run_prepare(arguments: argparse.Namespace) -> int:
    from phasenet_keras.io.labels_csv import read_labelled_records
    from phasenet_keras.io.seisbench import write_dataset
    from phasenet_keras.report import dataset_table
    from phasenet_keras.training.splits import assign_splits

    records, bad = read_labelled_records(arguments.waveforms, arguments.labels)
    console = open_console(False)
    for item in bad:
        text = f"row {item.row}: {item.text}"
        console.print("[yellow]skipped[/]", end=" ")
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    if not records:
        return EXIT_NOTHING_DONE
    if not all(record.split for record in records):
        records = assign_splits(records, by=arguments.split_by, seed=arguments.seed)
    write_dataset(records, arguments.output)
    console.print(dataset_table(records))
    return 1 if bad else 0


def _run_train(arguments: argparse.Namespace) -> int:
    from phasenet_keras.io.seisbench import read_dataset

    train_records = read_dataset(arguments.dataset, "train")
    dev_records = read_dataset(arguments.dataset, "dev")
    with quiet_start():
        from phasenet_keras.models.phasenet import PhaseNet
        from phasenet_keras.report import EpochBar
        from phasenet_keras.training.config import TrainConfig
        from phasenet_keras.training.train import train

        parent = PhaseNet.from_preset(
            arguments.preset, channels=arguments.channels, adapt=arguments.adapt, rebalance=True
        )
    settings = json.loads(arguments.config.read_text()) if arguments.config else {}
    config = TrainConfig.from_dict(settings)
    console = open_console(False)
    with EpochBar(console, config.epochs) as bar:
        result = train(
            parent,
            train_records,
            dev_records,
            arguments.output,
            strategy=arguments.strategy,
            config=config,
            on_epoch=bar.take,
        )
    for finding in result.findings:
        console.print(f"[yellow]doctor[/] {finding.name}: {finding.text}", highlight=False)
    console.print(result.verdict, highlight=False)
    return 0 if result.best_epoch is not None else 1


def _run_evaluate(arguments: argparse.Namespace) -> int:
    from phasenet_keras.io.seisbench import read_dataset
    from phasenet_keras.io.tables import beside_then_rename
    from phasenet_keras.training.evaluate import evaluate, markdown_table

    records = read_dataset(arguments.dataset, arguments.split)
    scores = evaluate(
        load_picker(arguments),
        records,
        tolerance_s=arguments.tolerance_s,
        tolerance_samples=arguments.tolerance_samples,
    )
    table = markdown_table({f"{arguments.preset}, {arguments.split}": scores})
    open_console(False).print(table, markup=False, highlight=False, soft_wrap=True, end="")
    if arguments.output:
        values = {phase: score.to_dict() for phase, score in scores.items()}
        with beside_then_rename(arguments.output) as file:
            json.dump(values, file, indent=2, sort_keys=True)
            file.write("\n")
    return 0
