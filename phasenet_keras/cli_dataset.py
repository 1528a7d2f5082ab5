"""The verb of the command line that builds data sets."""

from __future__ import annotations

import argparse
from pathlib import Path

from phasenet_keras.cli_common import EXIT_NOTHING_DONE, open_console

__all__ = ["add_prepare"]


def add_prepare(verbs: argparse._SubParsersAction) -> None:
    """Add `prepare` to the parser."""
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
