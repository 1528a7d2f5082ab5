"""What several verbs of the command line share."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from phasenet_keras.quiet import quiet_start
from phasenet_keras.types import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from phasenet_keras.data.settings import Kind
    from phasenet_keras.io.selection import Selection
    from phasenet_keras.models.phasenet import PhaseNet
    from phasenet_keras.picking.picker import Picker
    from phasenet_keras.report import RunReport
    from phasenet_keras.training.config import TrainConfig

__all__ = [
    "EXIT_CODES",
    "EXIT_INTERRUPTED",
    "EXIT_NOTHING_DONE",
    "EXIT_SOME_FAILED",
    "HelpText",
    "add_channel_options",
    "add_code_options",
    "add_engine_option",
    "add_preset_option",
    "add_record_options",
    "add_sampling_option",
    "add_selection_options",
    "add_training_options",
    "join_empty_location",
    "leave_output",
    "load_parent",
    "load_picker",
    "make_folder",
    "open_console",
    "read_training_config",
    "refuse_empty",
    "refuse_overwriting",
    "say",
    "say_some",
    "selection_of",
    "settle_inputs",
    "settle_preset",
    "stop_when_asked",
    "until_asked",
    "whole_number",
]

Event = TypeVar("Event")

EXIT_SOME_FAILED = 1
EXIT_NOTHING_DONE = 2
EXIT_INTERRUPTED = 130
EXIT_CODES = "exit status: 0 all well, 1 some files failed, 2 nothing could be done"


class HelpText(argparse.HelpFormatter):
    """Help in which no name is broken at its hyphen, and what is indented stays as it is."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        blocks = text.strip("\n").split("\n\n")
        return "\n\n".join(
            block if block.startswith(" ") else "\n".join(self._split_lines(block, width))
            for block in blocks
        )


def add_preset_option(verb: argparse.ArgumentParser) -> None:
    """Add the option that names the weights to start from."""
    verb.add_argument(
        "--preset",
        default="ncedc",
        metavar="NAME|DIR",
        help="preset or run folder (default: %(default)s)",
    )


def settle_preset(arguments: argparse.Namespace, selection: Selection | None = None) -> None:
    """Choose a shipped preset by the records where none was named, and say which."""
    if arguments.preset is not None:
        return
    from phasenet_keras.picking.default_preset import default_preset, first_rate_hz

    rate_hz = first_rate_hz(arguments.files, selection)
    arguments.preset = default_preset(rate_hz)
    of_rate = "" if rate_hz is None else f" for records of {rate_hz:g} Hz"
    text = f"preset {arguments.preset}, the default{of_rate}; --preset names another"
    print(f"phasenet-keras: {text}", file=sys.stderr)  # noqa: T201


def add_channel_options(verb: argparse.ArgumentParser) -> None:
    """Add the options that adapt a network to other channels."""
    verb.add_argument(
        "--channels",
        metavar="ZN…",
        help="adapt the network to these channels, e.g. Z (default: the preset's; channels that a "
        "record lacks are padded)",
    )
    verb.add_argument(
        "--adapt",
        choices=("select", "sum", "mean"),
        default="select",
        help="how --channels changes the first kernel: keep the rows of these channels, or give "
        "each channel the sum or the mean of all rows (default: %(default)s)",
    )


def add_code_options(verb: argparse.ArgumentParser) -> None:
    """Add the options that say which channels of files are wanted, by their codes."""
    from phasenet_keras.io.selection import CODES

    for name in CODES:
        empty = "; -- is the empty one" if name == "location" else ""
        verb.add_argument(
            f"--{name}",
            metavar="PATTERN",
            help=f"{name} codes wanted, with * and ?; also A,B{empty}",
        )


def join_empty_location(arguments: Iterable[str]) -> list[str]:
    """Return arguments in which ``--location --`` is one: `argparse` knows another ``--``.

    Example:
        >>> join_empty_location(["pick", "a", "--location", "--", "--start", "2024-01-01"])
        ['pick', 'a', '--location=', '--start', '2024-01-01']
    """
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] == "--location" and argument.split(",")[0] == "--":
            argument = f"{joined.pop()}={argument}"
        joined.append("--location=" if argument == "--location=--" else argument)
    return joined


def add_selection_options(verb: argparse.ArgumentParser) -> None:
    """Add the options that say which channels of files are wanted, and from when to when."""
    add_code_options(verb)
    verb.add_argument("--start", metavar="TIME", help="first time wanted, UTC")
    verb.add_argument("--end", metavar="TIME", help="time before which to end, UTC")


def selection_of(arguments: argparse.Namespace) -> Selection:
    """Return what the options of `add_selection_options` say is wanted.

    Raises:
        ConfigError: for a time that is none, or a span that ends before it starts.
    """
    from phasenet_keras.io.selection import CODES, Selection, parse_time

    times = {
        name: parse_time(value, f"--{name}")
        for name in ("start", "end")
        if (value := getattr(arguments, name)) is not None
    }
    return Selection(**{name: getattr(arguments, name) for name in CODES}, **times)


def refuse_empty(report: RunReport, selection: Selection) -> None:
    """Refuse codes and times that no record has, once all files are gone through.

    Raises:
        ConfigError: saying so.
    """
    if not selection.is_all and not report.rows and not report.n_failed:
        report.print()
        raise ConfigError("no record has such codes and times: see --network to --end")


def add_sampling_option(verb: argparse.ArgumentParser) -> None:
    """Add the option that says what to do with other sampling rates."""
    verb.add_argument(
        "--sampling",
        choices=("resample", "reinterpret"),
        default="resample",
        help="bring records to the preset's sampling rate, or take their samples as they are "
        "(default: %(default)s)",
    )


def add_training_options(verb: argparse.ArgumentParser) -> None:
    """Add what verbs that train share: see `read_training_config` and `settle_dataset`."""
    verb.add_argument(
        "records",
        metavar="RECORDS",
        help="data set of phasenet-keras prepare; or waveforms as it takes them (folder, file or "
        "quoted pattern), of which a data set is made by its defaults, in the folder of --output",
    )
    verb.add_argument(
        "--labels",
        action="append",
        metavar="PATH",
        help="of waveforms that do not hold their own, as prepare takes them",
    )
    add_preset_option(verb)
    add_channel_options(verb)
    verb.add_argument(
        "--config",
        type=Path,
        metavar="FILE.json",
        help='settings, e.g. {"learning_rate": 0.0005}; a run\'s config.json has all of them',
    )
    verb.add_argument(
        "--epochs", type=int, metavar="N", help="in place of the configuration's (40 if unsaid)"
    )


def read_training_config(arguments: argparse.Namespace) -> TrainConfig:
    """Return the training configuration, with the epochs and the seed that are given."""
    from phasenet_keras.training.config import read_config

    given = {name: getattr(arguments, name, None) for name in ("epochs", "seed")}
    changed = {name: value for name, value in given.items() if value is not None}
    return replace(read_config(arguments.config), **changed)


def add_engine_option(verb: argparse.ArgumentParser) -> None:
    """Add the option that names what runs the network."""
    verb.add_argument(
        "--engine",
        choices=("keras", "litert"),
        default="keras",
        help="what runs the network: litert starts at once and takes less time and memory (needs "
        "pip install 'phasenet-keras[fast]'; default: %(default)s)",
    )


def whole_number(kind: Kind) -> Callable[[str], int]:
    """Return the type of an argument that is a whole number of a kind."""

    def read(text: str) -> int:
        try:
            return int(kind.take(int(text)))
        except ValueError:
            raise argparse.ArgumentTypeError(f"{kind.words}, received '{text}'") from None

    return read


def load_parent(arguments: argparse.Namespace) -> PhaseNet:
    """Load the preset that the arguments name, balanced for training."""
    with quiet_start():
        from phasenet_keras.models.phasenet import PhaseNet

        return PhaseNet.from_preset(
            arguments.preset, channels=arguments.channels, adapt=arguments.adapt, rebalance=True
        )


def load_picker(arguments: argparse.Namespace, **options: Any) -> Picker:
    """Load the preset that the arguments name, as a picker."""
    with quiet_start():
        from phasenet_keras.picking.picker import Picker

        return Picker.from_preset(
            arguments.preset,
            engine=arguments.engine,
            channels=arguments.channels,
            adapt=arguments.adapt,
            sampling=arguments.sampling,
            **options,
        )


def leave_output() -> None:
    """Let go of standard output, which takes no more: what is left for it would be an error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def open_console(output_is_stdout: bool) -> Console:
    """Return where people read: standard error where standard output takes the result."""
    from rich.console import Console

    class GentleConsole(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would end the process

    return GentleConsole(stderr=output_is_stdout)


def say(console: Console, text: str, label: str = "", end: str = "\n") -> None:
    """Print a text as it is, names with brackets and all, behind a label in markup."""
    if label:
        console.print(label, end=" ")
    console.print(text, markup=False, highlight=False, soft_wrap=True, end=end)


def say_some(console: Console, texts: Sequence[str], label: str, most: int) -> None:
    """Print texts with a label each, and of more than ``most`` only how many there are."""
    for text in texts[:most]:
        say(console, text, label)
    if len(texts) > most:
        console.print(label, f"… and {len(texts) - most} more", highlight=False)


def settle_inputs(
    arguments: argparse.Namespace, written: Iterable[Path], parts: Path | None = None
) -> None:
    """Settle the files to be read, before any work is done: none that will be written.

    What an earlier run wrote is left out of folders and patterns.

    Args:
        arguments: of a verb that reads files.
        written: files that will be written, whatever they are called.
        parts: a folder of the run's own.

    Raises:
        ConfigError: if a file that is named, or that holds a record, would be written over.
    """
    from phasenet_keras.io.index import expand_paths
    from phasenet_keras.picking.default_preset import first_rate_hz

    there = {os.path.realpath(path) for path in written if path.exists()}
    own = [*map(Path, there), *([] if parts is None else [parts])]
    files = expand_paths(arguments.files, own) if own else arguments.files
    among = expand_paths(arguments.files) if there else []
    named = {os.path.realpath(path) for path in files}
    for path in among:
        real = os.path.realpath(path)
        if real in there and (real in named or first_rate_hz([path]) is not None):
            refuse_overwriting([path], [path])
    arguments.files = files


def refuse_overwriting(read: Iterable[Path], written: Iterable[Path]) -> None:
    """Refuse to write over what is read, or twice to one file, before any work is done.

    Raises:
        ConfigError: naming the file.
    """
    inputs = {os.path.realpath(path) for path in read}
    outputs: set[str] = set()
    for path in written:
        real = os.path.realpath(path)
        if real in inputs:
            raise ConfigError(
                f"{path} is one of the files to be read, and would be written over: name another "
                "--output, or leave it out of the files"
            )
        if real in outputs:
            raise ConfigError(f"{path} would be written twice: name another file for one of them")
        outputs.add(real)


def make_folder(folder: Path) -> None:
    """Make a folder for results, before any work is done.

    Raises:
        ConfigError: if it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"folder {folder} cannot be made: {error.strerror}") from error


def add_record_options(verb: argparse.ArgumentParser) -> None:
    """Add what verbs that read records share."""
    verb.add_argument(
        "files", nargs="+", metavar="FILES", help="waveform files, folders or quoted patterns"
    )
    verb.add_argument(
        "--preset",
        metavar="NAME|DIR",
        help="preset or run folder (default: regional, or near-surface where the first record has "
        "400 samples a second or more; both come with the program)",
    )
    add_channel_options(verb)
    add_sampling_option(verb)
    add_engine_option(verb)


def until_asked(stop: list[str], events: Iterable[Event]) -> Iterator[Event]:
    """Yield events until ``stop`` is filled; the rest is then closed, so that it can save."""
    for event in events:
        yield event
        if stop:
            break


@contextmanager
def stop_when_asked() -> Iterator[list[str]]:
    """Give a list that is filled at Ctrl-C or SIGTERM; a second one ends at once.

    An exception in the midst of ObsPy's C code would end the process, picks and all.
    """
    asked: list[str] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, frame: object) -> None:
        asked.append("stop")
        restore()
        text = "stopping after this station; Ctrl-C again stops at once"
        print(f"phasenet-keras: {text}", file=sys.stderr)  # noqa: T201

    for number in before:
        signal.signal(number, note)
    try:
        yield asked
    finally:
        restore()
