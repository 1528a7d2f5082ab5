"""The verb of the command line that builds data sets; verbs that train do it by the way."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.cli.common import EXIT_NOTHING_DONE, EXIT_SOME_FAILED, exit_status
from phasenet_keras.cli.console import open_console, say, say_some
from phasenet_keras.cli.options import add_code_options, whole_number
from phasenet_keras.data.settings import SEED
from phasenet_keras.io.wording import counted
from phasenet_keras.types import ConfigError, FormatError

if TYPE_CHECKING:
    from rich.console import Console

    from phasenet_keras.training.prepare import Prepared, PrepareSettings

__all__ = ["add_prepare", "settle_dataset"]

DESCRIPTION = """\
Build a data set (a SeisBench folder) from waveforms and labels. Accepted are

  a SeisBench data set, also in chunks
  a SPECFEM2D run, or a folder of runs, each with a labels.csv (network,
      station, p_index, s_index)
  HDF5 with the labels in the attributes of its records, or a table of
      samples with the records' names (fname)
  npz of PhaseNet, with itp and its in a table (fname, itp, its) or in the
      files
  any waveforms and a table of arrivals in samples (itp, its or p_index,
      s_index) or times from the record's start (p_time_s, p_ms, p_us) or from
      its trigger (p_after_trigger_ms): by the column fname, with station where
      a file holds several, by network and station, or in the order of the
      files; of gathers (SEG-Y, SU, SEG-2) also trace, from 1
  any waveforms and arrivals with absolute times: QuakeML and other
      catalogues, NonLinLoc, Snuffler, CSV
  SAC with arrivals in the headers

The same command given again goes on after an interruption, and does nothing when all is done."""
EXAMPLES = "examples.png"
# What is made of waveforms by a verb that trains, in its output folder.
DATASET = "dataset"
N_EXAMPLES = 9
MAX_LINES = 50


def add_prepare(verbs: argparse._SubParsersAction) -> None:
    """Add `prepare` to the parser."""
    verb = verbs.add_parser(
        "prepare",
        help="build a data set from waveforms and labels",
        description=DESCRIPTION,
        epilog=exit_status("some rows were skipped"),
    )
    verb.add_argument("waveforms", metavar="WAVEFORMS", help="folder, file or quoted pattern")
    verb.add_argument(
        "--labels",
        action="append",
        metavar="PATH",
        help="where the waveforms do not hold their own: file, folder or quoted pattern; several "
        "times for several files of one kind",
    )
    verb.add_argument("--output", type=Path, required=True, metavar="DIR", help="data set folder")
    verb.add_argument(
        "--split-by",
        choices=("event", "shot", "gather", "station", "time", "block"),
        help="what is never split; time: records that overlap in time; block: eight neighbouring "
        "records (default: the splits that the records have, else event, gather, time, block: the "
        "first of which there are three; time where there are several stations)",
    )
    verb.add_argument(
        "--seed",
        type=whole_number(SEED),
        default=0,
        metavar="N",
        help="of splits and windows (default: %(default)s)",
    )
    verb.add_argument(
        "--channels", metavar="Z…", help="of the data set (default: the most common set)"
    )
    add_code_options(verb)
    verb.add_argument(
        "--sampling-rate-hz",
        type=float,
        metavar="HZ",
        help="take the records of this rate (default: the most common one)",
    )
    verb.add_argument(
        "--resample-hz", type=float, metavar="HZ", help="bring all records to this rate instead"
    )
    verb.add_argument(
        "--complete",
        action="store_true",
        help="all arrivals are labelled: a phase without one is absent, not unknown",
    )
    verb.add_argument(
        "--window-s", type=float, metavar="S", help="cut longer records around their arrivals"
    )
    verb.add_argument(
        "--random-position", action="store_true", help="put the arrivals anywhere in these windows"
    )
    verb.add_argument(
        "--overwrite", action="store_true", help="put another data set in place of that in DIR"
    )
    verb.set_defaults(run=_run_prepare)


def _run_prepare(arguments: argparse.Namespace) -> int:
    from phasenet_keras.io.selection import CODES
    from phasenet_keras.training.prepare import PrepareSettings

    settings = PrepareSettings(
        split_by="gather" if arguments.split_by == "shot" else arguments.split_by,
        seed=arguments.seed,
        channels=arguments.channels,
        sampling_rate_hz=arguments.sampling_rate_hz,
        resample_hz=arguments.resample_hz,
        complete=arguments.complete,
        window_s=arguments.window_s,
        random_position=arguments.random_position,
        **{name: getattr(arguments, name) for name in CODES},
    )
    made = _build(
        open_console(False),
        arguments.waveforms,
        arguments.output,
        arguments.labels,
        settings,
        overwrite=arguments.overwrite,
    )
    if not made.facts:
        return EXIT_NOTHING_DONE
    return EXIT_SOME_FAILED if made.bad else 0


def _build(
    console: Console,
    waveforms: str,
    output: Path,
    labels: list[str] | None,
    settings: PrepareSettings,
    *,
    overwrite: bool = False,
) -> Prepared:
    """Build a data set while its progress is shown, print what came of it and draw some records."""
    from phasenet_keras.cli.bars import CountBar
    from phasenet_keras.training.prepare import prepare

    with CountBar(console, "reading") as bar:
        made = prepare(
            waveforms, output, labels, settings, overwrite=overwrite, on_progress=bar.take
        )
    _print(console, made, output)
    figure = output / EXAMPLES
    if made.facts and (made.is_new or not figure.exists()):
        _draw(made, figure, settings.seed)
    return made


def settle_dataset(
    arguments: argparse.Namespace, console: Console, *, needs_splits: bool = True
) -> Path:
    """Return the data set that a verb that trains is given; make one of waveforms, or with splits.

    Args:
        arguments: of a verb that trains.
        console: where to say what was made.
        needs_splits: False takes a data set of which no record is in a split as it is.

    Raises:
        ConfigError: if the output is in the folder of the waveforms, of which it would be one, or
            holds files of others.
        FormatError: if there is no labelled record.
        PresetError: if there is no such parent: that is not found out after hours of reading.
    """
    from phasenet_keras.io.seisbench import holds_dataset, lacks_splits
    from phasenet_keras.models.preset_places import find_preset
    from phasenet_keras.training.claim import refuse_strangers
    from phasenet_keras.training.prepare import PrepareSettings
    from phasenet_keras.training.splits import USUAL_WINDOW_S, are_long

    find_preset(arguments.preset)
    records = Path(arguments.records)
    has_all = holds_dataset(records) and not (needs_splits and lacks_splits(records))
    if has_all and not arguments.labels:
        return records
    if records.resolve() in arguments.output.resolve().parents:
        raise ConfigError(
            f"--output {arguments.output} is in {records}, all files of which are taken for "
            "waveforms: name a folder elsewhere"
        )
    refuse_strangers(arguments.output)
    dataset = arguments.output / DATASET
    settings = PrepareSettings(channels=arguments.channels)
    # Those that records lack are padded; what lacks the only one is of no use.
    if len(settings.channels or "") > 1:
        settings = replace(settings, fewer_channels=True)
    made = _build(console, arguments.records, dataset, arguments.labels, settings)
    if not made.facts:
        raise FormatError(
            f"{records}: there is no labelled record to train on; phasenet-keras prepare has "
            "options that choose, cut and resample records, and train takes its data set"
        )
    if are_long(made.facts):
        cut = f"{arguments.output}-windows"
        words = ["phasenet-keras", "prepare", arguments.records, "--output", cut]
        words += ["--window-s", str(USUAL_WINDOW_S)]
        words += [word for item in arguments.labels or () for word in ("--labels", str(item))]
        text = "records are long and hold several arrivals: windows around these may serve better, "
        say(console, f"{text}made by `{shlex.join(words)}`, to be given here", "[cyan]note[/]")
    return dataset


def _print(console: Console, made: Prepared, output: Path) -> None:
    from phasenet_keras.cli.report import dataset_table
    from phasenet_keras.io.parts import BadRow, by_reason

    skipped = by_reason(made.bad)
    leaks = [text.partition(": ")[2] for text in made.leaks]
    say_some(console, skipped, "[yellow]skipped[/]", MAX_LINES)
    notes = by_reason([BadRow(None, text) for text in made.notes])
    say_some(console, notes, "[cyan]note[/]", MAX_LINES)
    say_some(console, leaks, "[yellow]leak[/]", MAX_LINES)
    if not made.facts:
        console.print("there are no records: nothing is written")
        return
    console.print(dataset_table(made.facts))
    split = f"split by {made.split_by}" if made.split_by else "splits as given"
    n_records = counted(len(made.facts), "record")
    text = f"{n_records} ({split}) written to {output}"
    if not made.is_new:
        text = f"{output} is complete, nothing to do ({n_records}, {split})"
    say(console, text)
    if len(made.bad) > min(len(skipped), MAX_LINES):
        console.print(f"all that was skipped is in {output / 'prepare.json'}", highlight=False)


def _draw(made: Prepared, path: Path, seed: int) -> None:
    """Save a figure of some records drawn by lot, in the order of the data set."""
    import numpy as np

    from phasenet_keras.io.seisbench import read_dataset
    from phasenet_keras.plot import save_figure
    from phasenet_keras.plot_dataset import plot_examples

    count = min(N_EXAMPLES, len(made.facts))
    chosen = np.random.default_rng(seed).choice(len(made.facts), count, replace=False)
    names = [made.facts[number].name for number in sorted(chosen.tolist())]
    save_figure(plot_examples(read_dataset(path.parent, names=names)), path)
