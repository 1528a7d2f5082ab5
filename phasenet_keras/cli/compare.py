"""The verb of the command line that compares strategies."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.cli.common import exit_status, load_parent, make_folder, read_training_config
from phasenet_keras.cli.console import open_console, say
from phasenet_keras.cli.dataset import settle_dataset
from phasenet_keras.cli.options import ADAPT, add_training_options, names, whole_number
from phasenet_keras.data.settings import SEED, Kind, whole
from phasenet_keras.quiet import quiet_start
from phasenet_keras.training.transfer import STRATEGIES, strategy_of

if TYPE_CHECKING:
    from phasenet_keras.models.phasenet import PhaseNet
    from phasenet_keras.training.comparison import Comparison

__all__ = ["add_compare"]

# The folder that is proposed for a network of all records, in that of the comparison.
ALL = "all"


def add_compare(verbs: argparse._SubParsersAction) -> None:
    """Add `compare` to the parser."""
    verb = verbs.add_parser(
        "compare",
        help="compare strategies on labelled records, and say which to take",
        description="Score a preset as it is, training from scratch and every strategy on the same "
        "untouched records; write a table with intervals, loss curves and a recommendation. Runs "
        "that are finished are not run again if the same command is given again.",
        epilog=exit_status(),
    )
    add_training_options(verb)
    verb.add_argument(
        "--strategies", type=names, metavar="A,B", help="names, with commas (default: all)"
    )
    verb.add_argument(
        "--folds",
        type=int,
        default=1,
        metavar="K",
        help="folds, so that each record is tested once (default: the data set's own test records)",
    )
    verb.add_argument(
        "--seeds", type=_numbers(SEED), default=(0,), metavar="0,1,2", help="seeds (default: 0)"
    )
    verb.add_argument(
        "--sizes",
        type=_numbers(whole(1)),
        default=(),
        metavar="16,32",
        help="numbers of training records for a learning curve, beside all of them",
    )
    verb.add_argument(
        "--tolerance-samples",
        type=float,
        metavar="SAMPLES",
        help="greatest distance of a pick from its label (default: the configuration's)",
    )
    verb.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder of results")
    verb.set_defaults(run=_run_compare)


def _numbers(kind: Kind) -> Callable[[str], tuple[int, ...]]:
    """Return the type of an argument of several whole numbers of a kind."""
    one = whole_number(kind)

    def read(text: str) -> tuple[int, ...]:
        items = text.split(",")
        if not all(item.strip().lstrip("-").isdecimal() for item in items):
            raise argparse.ArgumentTypeError(f"whole numbers with commas, received '{text}'")
        return tuple(one(item.strip()) for item in items)

    return read


def _run_compare(arguments: argparse.Namespace) -> int:
    from phasenet_keras.io.seisbench import read_dataset

    config = read_training_config(arguments)
    strategies = arguments.strategies or tuple(STRATEGIES)
    for strategy in strategies:  # a wrong one is not found out after hours of reading
        strategy_of(strategy)
    make_folder(arguments.output)
    console = open_console(False)
    # Folds are splits of their own.
    dataset = settle_dataset(arguments, console, needs_splits=arguments.folds == 1)
    records = read_dataset(dataset)
    with quiet_start():
        from phasenet_keras.cli.bars import RunsBar
        from phasenet_keras.training.compare import compare, said_of_others
        from phasenet_keras.training.recommendation import recommendation

    parent = load_parent(arguments, records, console)
    with RunsBar(console) as bar:
        comparison = compare(
            parent,
            records,
            arguments.output,
            strategies=strategies,
            folds=arguments.folds,
            seeds=arguments.seeds,
            sizes=arguments.sizes,
            config=config,
            tolerance_samples=arguments.tolerance_samples,
            on_run=bar.take,
        )
    advice = recommendation(comparison, _command(arguments, dataset, parent))
    others = said_of_others(comparison)
    table = _write(comparison, advice, others, arguments.output)
    say(console, table, end="")
    say(console, f"\n{advice}")
    if others:
        say(console, f"{others}.", "[cyan]note[/]")
    return 0


def _command(arguments: argparse.Namespace, dataset: Path, parent: PhaseNet) -> str:
    """Return the `train` that trains as the runs of a comparison, without its strategy."""
    given = {
        "--preset": arguments.preset,
        "--channels": "".join(parent.config.channels),
        "--adapt": None if arguments.adapt == ADAPT else arguments.adapt,
        "--config": arguments.config,
        "--epochs": arguments.epochs,
        "--output": arguments.output / ALL,
    }
    words = ["phasenet-keras", "train", str(dataset)]
    for option, value in given.items():
        words += [] if value is None else [option, str(value)]
    return shlex.join(words)


def _write(comparison: Comparison, advice: str, others: str, folder: Path) -> str:
    """Write tables, figures and what is said of them; return the table."""
    from phasenet_keras.io.new_files import beside_then_rename, write_json
    from phasenet_keras.plot_compare import save_comparison_figures
    from phasenet_keras.training.score_table import markdown_table

    table = markdown_table(comparison.rows)
    values = {
        name: {phase: score.to_dict() for phase, score in scores.items()}
        for name, scores in comparison.rows.items()
    }
    content = {"recommendation": advice, "scores": values}
    write_json(content, folder / "comparison.json", indent=2)
    with beside_then_rename(folder / "comparison.md") as file:
        file.write(f"{table}\n{advice}\n" + (f"\n{others}.\n" if others else ""))
    save_comparison_figures(comparison, folder)
    return table
