"""The verb of the command line that trains on gathers without labels."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.cli.common import EXIT_SOME_FAILED, exit_status, load_parent, make_folder
from phasenet_keras.cli.console import open_console, say, say_some
from phasenet_keras.cli.gather_options import add_gather_options, read_correction
from phasenet_keras.cli.options import add_channel_options
from phasenet_keras.quiet import quiet_start
from phasenet_keras.training.transfer import strategy_of

if TYPE_CHECKING:
    from rich.console import Console

    from phasenet_keras.training.pseudo_records import GatherTrace
    from phasenet_keras.training.rounds import SelfTrainRound

__all__ = ["add_selftrain"]

# Of what is noted of waveforms.
MAX_LINES = 20
DESCRIPTION = """\
Train on shot gathers without labels: predict, correct the picks by moveout, choose and weight them,
retrain with the labelled records kept, and again, as long as the validation F1 rises. UNLABELLED is
a data set folder, whose gathers are shots and whose labels are not looked at, or waveform files
with --names. Offsets come from --geometry, from the data set (if these have no sign, both sides of
a source count as one), or from receiver minus shot number. STATIONS.csv and the correction are
those of phasenet-keras correct.

The run folder then serves as a preset; a run that was interrupted goes on if the same command is
given again."""


def add_selftrain(verbs: argparse._SubParsersAction) -> None:
    """Add `selftrain` to the parser."""
    verb = verbs.add_parser(
        "selftrain",
        help="train on shot gathers without labels, beside labelled records",
        description=DESCRIPTION,
        epilog=exit_status("it did not", zero="it helped"),
    )
    verb.add_argument("unlabelled", nargs="+", metavar="UNLABELLED", help="data set or waveforms")
    verb.add_argument(
        "--parent", dest="preset", required=True, metavar="PRESET|RUN", help="to start from"
    )
    verb.add_argument(
        "--labelled",
        type=Path,
        required=True,
        metavar="DATASET",
        help="data set folder with the splits train, dev (chooses) and test (is reported on)",
    )
    verb.add_argument(
        "--rounds", type=int, default=3, metavar="N", help="at most (default: %(default)s)"
    )
    add_channel_options(verb, trains=True)
    verb.add_argument(
        "--strategy",
        default="finetune",
        metavar="NAME|JSON",
        help="which weights learn, as in train (default: %(default)s)",
    )
    verb.add_argument("--config", type=Path, metavar="FILE.json", help="training configuration")
    add_gather_options(verb)
    verb.add_argument(
        "--least-weight",
        type=float,
        default=0.7,
        metavar="W",
        help="of a pseudo label that is taken, from 0 to 1 (default: %(default)s)",
    )
    verb.add_argument("--output", type=Path, required=True, metavar="DIR", help="run folder")
    verb.set_defaults(run=_run_selftrain)


def _run_selftrain(arguments: argparse.Namespace) -> int:
    from phasenet_keras.io.seisbench import read_dataset

    labelled = read_dataset(arguments.labelled)
    console = open_console(False)
    traces = _traces(arguments, console)
    bounds = {"P": arguments.p_bounds, "S": arguments.s_bounds}
    correction = read_correction(arguments.settings, bounds, reciprocity=arguments.reciprocity)
    make_folder(arguments.output)
    with quiet_start():
        from phasenet_keras.cli.bars import EpochBar
        from phasenet_keras.training.config import read_config
        from phasenet_keras.training.pseudo_records import PseudoSettings
        from phasenet_keras.training.selftrain import self_train

    config, strategy = read_config(arguments.config), strategy_of(arguments.strategy)
    parent = load_parent(arguments, [*labelled, *(t.record for t in traces)], console)
    with EpochBar(console, config.epochs) as bar:
        result = self_train(
            parent,
            labelled,
            traces,
            arguments.output,
            rounds=arguments.rounds,
            strategy=strategy,
            config=config,
            correction=correction,
            pseudo=PseudoSettings(least_weight=arguments.least_weight),
            on_round=lambda item: _say(console, item),
            on_record=bar.picking,
            on_epoch=bar.take,
        )
    say(console, result.verdict)
    return 0 if result.best else EXIT_SOME_FAILED


def _traces(arguments: argparse.Namespace, console: Console) -> list[GatherTrace]:
    from phasenet_keras.io.geometry import read_geometry
    from phasenet_keras.io.registry import noted
    from phasenet_keras.io.survey_waveforms import read_gather_records
    from phasenet_keras.training.survey import record_offsets
    from phasenet_keras.types import ConfigError

    geometry = read_geometry(arguments.geometry) if arguments.geometry else None
    with noted() as notes:
        found = read_gather_records(arguments.unlabelled, arguments.names, geometry)
    say_some(console, list(dict.fromkeys(notes)), "[cyan]note[/]", MAX_LINES)
    if not found:
        raise ConfigError("there are no records without labels: name a data set or waveforms")
    with quiet_start():
        from phasenet_keras.training.pseudo_records import GatherTrace

    shots, receivers, records = map(list, zip(*found, strict=True))
    known = [record.waveform.offset_m for record in records]
    offsets = record_offsets(shots, receivers, geometry, known)
    return [GatherTrace(*item) for item in zip(shots, receivers, offsets, records, strict=True)]


def _say(console: Console, item: SelfTrainRound) -> None:
    tests = ", ".join(f"{phase} {score.f1:.3f}" for phase, score in item.scores.items())
    chosen = ", ".join(f"{c['chosen']:.0f} {phase}" for phase, c in item.counts.items())
    text = f"{item.name}: validation F1 {item.dev_f1:.3f}; test F1 {tests}"
    if chosen:
        text += f"; pseudo labels {chosen}"
    say(console, text)
