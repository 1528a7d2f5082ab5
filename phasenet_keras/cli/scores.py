"""The verb of the command line that scores."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from glob import has_magic
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.cli.common import exit_status, load_picker, make_folder, read_tables
from phasenet_keras.cli.console import open_console, say
from phasenet_keras.cli.options import (
    ADAPT,
    add_channel_options,
    add_engine_option,
    add_sampling_option,
)
from phasenet_keras.io.index import is_folder_name
from phasenet_keras.models.preset_places import list_presets
from phasenet_keras.types import SPLITS, ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from phasenet_keras.picking.picker import Picker
    from phasenet_keras.picking.table_picker import TablePicker
    from phasenet_keras.types import LabelledWaveform

__all__ = ["add_evaluate"]

DESCRIPTION = """\
Score picks against labels: those of a network, or those of a table or a catalogue, all of which
count whatever their probability. A pick and a label match if they are within the tolerance, one to
one, the closest pairs first. The default rule is that of the PhaseNet paper: 0.1 s.
"""


def add_evaluate(verbs: argparse._SubParsersAction) -> None:
    """Add `evaluate` to the parser."""
    verb = verbs.add_parser(
        "evaluate",
        help="score a preset, or picks, on a data set",
        description=DESCRIPTION,
        epilog=exit_status(),
    )
    verb.add_argument(
        "preset",
        metavar="NAME|DIR|PICKS",
        help="preset or run folder; or picks of any picker: a table, a catalogue or whatever else "
        "--labels takes (a file, or a quoted pattern)",
    )
    verb.add_argument("dataset", type=Path, metavar="DATASET", help="of phasenet-keras prepare")
    verb.add_argument(
        "--split", default="test", choices=SPLITS, help="scored (default: %(default)s)"
    )
    add_channel_options(verb)
    add_sampling_option(verb)
    add_engine_option(verb)
    verb.add_argument(
        "--rule", default="phasenet", metavar="NAME", help="of a match (default: %(default)s)"
    )
    tolerance = verb.add_mutually_exclusive_group()
    tolerance.add_argument(
        "--tolerance-s", type=float, metavar="SECONDS", help="in place of the rule's"
    )
    tolerance.add_argument(
        "--tolerance-samples",
        type=float,
        metavar="SAMPLES",
        help="the same in samples of the records",
    )
    verb.add_argument(
        "--bootstrap",
        type=int,
        default=1000,
        metavar="N",
        help="draws for the intervals, which are by event; 0 for none (default: %(default)s)",
    )
    verb.add_argument(
        "--output",
        metavar="DIR|FILE.json",
        help="write scores.json, scores.md and figures into a folder, or the scores alone",
    )
    verb.set_defaults(run=_run_evaluate)


def _run_evaluate(arguments: argparse.Namespace) -> int:
    from phasenet_keras.cli.bars import CountBar
    from phasenet_keras.training.evaluate import (
        far_rates,
        pick_records,
        score_curves,
        score_picked,
        wide_tolerance,
    )
    from phasenet_keras.training.label_offset import label_offsets
    from phasenet_keras.training.learnt import said_of_learnt
    from phasenet_keras.training.matching import tolerance_of
    from phasenet_keras.training.score_table import markdown_table
    from phasenet_keras.training.scores import THRESHOLDS

    tolerance = tolerance_of(arguments.rule, arguments.tolerance_s, arguments.tolerance_samples)
    if arguments.bootstrap < 0:
        raise ConfigError(f"--bootstrap is 0 or more, received {arguments.bootstrap}")
    is_one_file = _settle_output(arguments)
    _refuse_exchanged(arguments.preset, arguments.dataset)
    place = Path(arguments.preset)
    is_table = place.is_file() or (has_magic(arguments.preset) and not place.exists())
    is_table = is_table and arguments.preset not in list_presets()
    there, records = _read(arguments.dataset, arguments.split, is_whole=is_table)
    console = open_console(False)
    picker: Picker | TablePicker
    if is_table:
        picker, about = _table(arguments, console, there, records)
    else:
        picker, about = load_picker(arguments), said_of_learnt(arguments.preset, records)
    if not any(phase in record.arrivals for record in records for phase in picker.thresholds):
        raise ConfigError(
            f"no record in split '{arguments.split}' of {arguments.dataset} has labels of "
            f"{' or '.join(picker.thresholds)}, the phases of {arguments.preset}"
        )
    # Curves need all picks from the lowest threshold up; without them the picker's own will do.
    lowest = min(THRESHOLDS) if arguments.output else None
    with CountBar(console, "picking") as bar:
        picked = pick_records(picker, records, lowest=lowest, on_record=bar.take)
    scores = score_picked(picked, picker.thresholds, tolerance, bootstrap=arguments.bootstrap)
    table = markdown_table({f"{arguments.preset}, {arguments.split}": scores})
    say(console, table, end="")
    notes = (about, far_rates(picker, records), wide_tolerance(tolerance, records))
    for note in filter(None, notes):
        say(console, f"{note}.", "\n[yellow]note[/]")
    offsets = label_offsets(picked, scores)
    for offset in offsets.values():
        say(console, f"\n{offset.text}.")
    if not arguments.output:
        return 0
    from phasenet_keras.score_report import write_score_values, write_scores

    has_curve = picker.has_probabilities
    curves = score_curves(picked, picker.thresholds, tolerance) if has_curve else {}
    names = {"preset": arguments.preset, "split": arguments.split}
    if is_one_file:
        write_score_values(arguments.output, scores, curves, **names)
    else:
        write_scores(
            arguments.output,
            scores,
            curves,
            picked=picked,
            offsets=offsets,
            picker=picker,
            notes=[about] if about else [],
            **names,
        )
    return 0


def _table(
    arguments: argparse.Namespace,
    console: Console,
    there: Sequence[LabelledWaveform],
    records: Sequence[LabelledWaveform],
) -> tuple[TablePicker, str]:
    """Return a table whose picks are looked up in all that is there, and what is said of it.

    Raises:
        ConfigError: for options of networks, and where no pick is in the records to be scored.
    """
    usual = {"channels": None, "adapt": ADAPT, "sampling": "resample", "engine": "auto"}
    given = [f"--{name}" for name, value in usual.items() if getattr(arguments, name) != value]
    if given:
        raise ConfigError(
            f"{arguments.preset} holds picks, and {' and '.join(given)} are for networks: leave "
            "them out"
        )
    [table] = read_tables(console, [arguments.preset], there, arguments.dataset)
    about = table.said_of(records)
    if not table.finds_any(records):
        raise ConfigError(f"no pick is in split '{arguments.split}'; {about}: see --split")
    return table, about


def _settle_output(arguments: argparse.Namespace) -> bool:
    """Refuse an output that cannot be written, before any work; tell if it is a file, no folder."""
    from phasenet_keras.io.new_files import check_folder

    given = arguments.output
    if given is None:
        return False
    arguments.output = Path(given)
    is_one_file = arguments.output.suffix.lower() == ".json" and not is_folder_name(given)
    check = check_folder if is_one_file else make_folder
    check(arguments.output)
    return is_one_file


def _refuse_exchanged(preset: str, dataset: Path) -> None:
    from phasenet_keras.io.seisbench import dataset_chunks

    if dataset_chunks(preset) and not dataset_chunks(dataset):
        raise ConfigError(
            f"{preset} is a data set and {dataset} is none: are the arguments exchanged? The "
            "preset comes first"
        )


def _read(
    dataset: Path, split: str, *, is_whole: bool
) -> tuple[list[LabelledWaveform], list[LabelledWaveform]]:
    """Return what is there, of the whole data set or of a split, and the records of the split."""
    from phasenet_keras.io.seisbench import read_dataset

    there = read_dataset(dataset, None if is_whole else split)
    records = [record for record in there if record.split == split]
    if not records:
        found = {record.split for record in read_dataset(dataset)} - {""}
        are_in = (
            f"{', '.join(sorted(found))}: name another with --split"
            if found
            else f"no split: `phasenet-keras prepare {dataset} --output DIR` makes splits"
        )
        raise ConfigError(
            f"{dataset} has no record in split '{split}'; its records are in {are_in}"
        )
    return there, records
