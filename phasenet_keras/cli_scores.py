"""The verb of the command line that scores."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from phasenet_keras.cli_common import ADAPT_HELP, load_picker, open_console

__all__ = ["add_evaluate"]


def add_evaluate(verbs: argparse._SubParsersAction) -> None:
    """Add `evaluate` to the parser."""
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
