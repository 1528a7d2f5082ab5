"""The verb of the command line that trains."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.cli.common import exit_status, load_parent, read_tables, read_training_config
from phasenet_keras.cli.console import open_console, say
from phasenet_keras.cli.dataset import settle_dataset
from phasenet_keras.cli.options import add_training_options, whole_number
from phasenet_keras.data.settings import SEED
from phasenet_keras.quiet import quiet_start
from phasenet_keras.training.transfer import STRATEGIES, strategy_of
from phasenet_keras.types import ConfigError, PhaseNetKerasError

if TYPE_CHECKING:
    from phasenet_keras.types import LabelledWaveform

__all__ = ["add_train"]

NO_SCORES = "no scores before and after"
NONE_LEFT = "no record is left to test this network on: compare --folds is its test"


def add_train(verbs: argparse._SubParsersAction) -> None:
    """Add `train` to the parser."""
    verb = verbs.add_parser(
        "train",
        help="fine-tune a preset on a data set or on labelled waveforms",
        description="Fine-tune a preset on a data set, or on labelled waveforms, which are made "
        "into one first; print what it and its parent find in the test records. The run folder "
        "then serves as a preset; a run that was interrupted goes on if the same command is given "
        "again.",
        epilog=f"strategies: {', '.join(STRATEGIES)}; JSON defines others\n\n"
        + exit_status(
            "it is not and is kept, or no label is found",
            zero="the parent is beaten on the validation records",
        ),
    )
    add_training_options(verb)
    verb.add_argument(
        "--strategy",
        default="finetune",
        metavar="NAME|JSON",
        help="which weights are taken over and which learn, see below (default: %(default)s)",
    )
    verb.add_argument(
        "--seed", type=whole_number(SEED), metavar="N", help="in place of the configuration's"
    )
    verb.add_argument(
        "--all-records",
        action="store_true",
        help="learn from the validation and test records as well, so that none is left to test the "
        "network on: for a strategy that compare --folds has tested",
    )
    verb.add_argument(
        "--baseline",
        action="append",
        default=[],
        metavar="PICKS",
        help="picks that you used so far (a table or a catalogue, as --labels takes them), scored "
        "beside the network on the test records; may be given several times",
    )
    verb.add_argument("--output", type=Path, required=True, metavar="RUN", help="run folder")
    verb.set_defaults(run=_run_train)


def _run_train(arguments: argparse.Namespace) -> int:
    from phasenet_keras.io.seisbench import read_dataset

    _check_baseline(arguments)
    config = read_training_config(arguments)
    strategy = strategy_of(arguments.strategy)
    console = open_console(False)
    dataset = settle_dataset(arguments, console)
    train_records = read_dataset(dataset, "train")
    dev_records = read_dataset(dataset, "dev")
    test_records: list[LabelledWaveform] = []
    why_none = NONE_LEFT
    if arguments.all_records:
        train_records += read_dataset(dataset, "test")
        config = replace(config, refit=True)
    else:
        test_records, why_none = _untouched(dataset, [*train_records, *dev_records])
    known = [*train_records, *dev_records]
    baselines = read_tables(console, arguments.baseline, [*known, *test_records], dataset)
    with quiet_start():
        from phasenet_keras.cli.bars import EpochBar
        from phasenet_keras.training.train import train

    parent = load_parent(arguments, [*known, *test_records], console)
    with EpochBar(console, config.epochs) as bar:
        result = train(
            parent,
            train_records,
            dev_records,
            arguments.output,
            strategy=strategy,
            config=config,
            test_records=test_records,
            baselines=baselines,
            on_epoch=bar.take,
        )
    for finding in result.findings:
        say(console, f"{finding.name}: {finding.text}", "[yellow]doctor[/]")
    say(console, result.verdict)
    if result.proof.text:
        say(console, f"\non the test records, before and after:\n\n{result.proof.text}")
    elif not arguments.all_records or result.best_epoch is not None:  # a kept parent learnt nothing
        say(console, why_none, "[yellow]note[/]")
    say(console, f"report: {arguments.output / 'report.md'}; the run folder serves as --preset")
    return 0 if result.has_helped else 1


def _check_baseline(arguments: argparse.Namespace) -> None:
    """Refuse tables that cannot be scored, before any work is done."""
    from phasenet_keras.io.labels.files import label_files

    if arguments.baseline and arguments.all_records:
        raise ConfigError(
            "--baseline is scored on the test records, of which --all-records leaves none: leave "
            "one of the two out"
        )
    for path in label_files(arguments.baseline or None):
        if not path.is_file():
            raise ConfigError(f"--baseline {path}: there is no such file of picks")


def _untouched(
    dataset: Path, known: Sequence[LabelledWaveform]
) -> tuple[list[LabelledWaveform], str]:
    """Return the test records of a data set, and why there are none: that stops no training."""
    from phasenet_keras.io.seisbench import read_dataset
    from phasenet_keras.training.demands import check_test

    try:
        records = read_dataset(dataset, "test")
        check_test(known, records)
    except PhaseNetKerasError as error:
        return [], f"{NO_SCORES}: {error}"
    why = "no test record has a label" if records else "there is no test record"
    return records, f"{NO_SCORES}: {why}"
