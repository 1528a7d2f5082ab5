"""The verb of the command line that trains."""

from __future__ import annotations

import argparse
from pathlib import Path

from phasenet_keras.cli_common import ADAPT_HELP, open_console
from phasenet_keras.quiet import quiet_start

__all__ = ["add_train"]


def add_train(verbs: argparse._SubParsersAction) -> None:
    """Add `train` to the parser."""
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


def _run_train(arguments: argparse.Namespace) -> int:
    from phasenet_keras.io.seisbench import read_dataset

    train_records = read_dataset(arguments.dataset, "train")
    dev_records = read_dataset(arguments.dataset, "dev")
    with quiet_start():
        from phasenet_keras.models.phasenet import PhaseNet
        from phasenet_keras.report import EpochBar
        from phasenet_keras.training.config import read_config
        from phasenet_keras.training.train import train

        parent = PhaseNet.from_preset(
            arguments.preset, channels=arguments.channels, adapt=arguments.adapt, rebalance=True
        )
    config = read_config(arguments.config)
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
