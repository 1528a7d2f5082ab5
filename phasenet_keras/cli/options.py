"""Options that several verbs of the command line share."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.io.index import is_folder_name

if TYPE_CHECKING:
    from phasenet_keras.data.settings import Kind

__all__ = [
    "ADAPT",
    "HelpText",
    "add_channel_options",
    "add_code_options",
    "add_engine_option",
    "add_record_options",
    "add_sampling_option",
    "add_selection_options",
    "add_training_options",
    "file_path",
    "join_empty_location",
    "names",
    "whole_number",
]

ADAPT = "select"


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


def file_path(text: str) -> Path:
    """Read the path of a file to write, as the type of an argument.

    Raises:
        ArgumentTypeError: for the path of a folder.
    """
    if is_folder_name(text):
        raise argparse.ArgumentTypeError(f"'{text}' names a folder, a file is wanted")
    return Path(text)


def add_channel_options(verb: argparse.ArgumentParser, *, trains: bool = False) -> None:
    """Add the options that adapt a network to other channels."""
    lacking = ", but those that all records to train on lack are left out" if trains else ""
    verb.add_argument(
        "--channels",
        metavar="ZN…",
        help="adapt the network to these channels, e.g. Z (default: the preset's; channels that a "
        f"record lacks are padded{lacking})",
    )
    verb.add_argument(
        "--adapt",
        choices=("select", "sum", "mean"),
        default=ADAPT,
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
        help="data set of phasenet-keras prepare; or what it takes, a data set without splits or "
        "waveforms (folder, file or quoted pattern), of which one is made by its defaults, and of "
        "the channels that --channels names where records have them, in the folder of --output",
    )
    verb.add_argument(
        "--labels",
        action="append",
        metavar="PATH",
        help="of waveforms that do not hold their own, as prepare takes them",
    )
    verb.add_argument(
        "--preset",
        default="ncedc",
        metavar="NAME|DIR",
        help="preset or run folder (default: %(default)s)",
    )
    add_channel_options(verb, trains=True)
    verb.add_argument(
        "--config",
        type=Path,
        metavar="FILE.json",
        help='settings, e.g. {"learning_rate": 0.0005}; a run\'s config.json has all of them',
    )
    verb.add_argument(
        "--epochs", type=int, metavar="N", help="in place of the configuration's (40 if unsaid)"
    )


def add_engine_option(verb: argparse.ArgumentParser) -> None:
    """Add the option that names what runs the network."""
    verb.add_argument(
        "--engine",
        choices=("auto", "keras", "litert"),
        default="auto",
        help="what runs the network: litert starts at once and takes less time and memory (needs "
        "pip install 'phasenet-keras[fast]'); auto, the default, is litert where it is installed "
        "and runs the network, and there is no GPU",
    )


def names(text: str) -> tuple[str, ...]:
    """Read names with commas between them, as the type of an argument."""
    return tuple(item.strip() for item in text.split(",") if item.strip())


def whole_number(kind: Kind) -> Callable[[str], int]:
    """Return the type of an argument that is a whole number of a kind."""

    def read(text: str) -> int:
        try:
            return int(kind.take(int(text)))
        except ValueError:
            raise argparse.ArgumentTypeError(f"{kind.words}, received '{text}'") from None

    return read


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
