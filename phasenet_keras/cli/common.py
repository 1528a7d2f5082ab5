"""What several verbs of the command line share."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from phasenet_keras.cli.console import open_console, say, say_some
from phasenet_keras.quiet import quiet_start
from phasenet_keras.types import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from phasenet_keras.cli.report import RunReport
    from phasenet_keras.io.selection import Selection
    from phasenet_keras.models.phasenet import PhaseNet
    from phasenet_keras.picking.picker import Picker
    from phasenet_keras.picking.table_picker import TablePicker
    from phasenet_keras.training.config import TrainConfig
    from phasenet_keras.types import LabelledWaveform

__all__ = [
    "EXIT_CODES",
    "EXIT_INTERRUPTED",
    "EXIT_NOTHING_DONE",
    "EXIT_SOME_FAILED",
    "concluded",
    "exit_status",
    "load_parent",
    "load_picker",
    "make_folder",
    "note_unpicked",
    "read_tables",
    "read_training_config",
    "refuse_overwriting",
    "selection_of",
    "settle_preset",
    "settled_inputs",
    "stop_when_asked",
    "until_asked",
]

Event = TypeVar("Event")

EXIT_SOME_FAILED = 1
EXIT_NOTHING_DONE = 2
EXIT_INTERRUPTED = 130
MAX_NOTES = 20


def exit_status(one: str = "", zero: str = "all well") -> str:
    """Return what the help of a verb says of its exit status.

    Example:
        >>> exit_status("some files failed")
        'exit status: 0 all well, 1 some files failed, 2 nothing could be done'
    """
    known = (f"0 {zero}", f"1 {one}" if one else "", "2 nothing could be done")
    return f"exit status: {', '.join(filter(None, known))}"


# Of verbs that go through files.
EXIT_CODES = exit_status("some files failed")


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


def concluded(
    report: RunReport, selection: Selection, files: Sequence[str | Path], *, is_stopped: bool
) -> int:
    """Print what came of a run over files, and return its exit status.

    Raises:
        ConfigError: for codes and times that no record has.
    """
    from phasenet_keras.io.index import expand_paths
    from phasenet_keras.io.selection import said_of_codes

    report.print()
    if not selection.is_all and not report.rows and not report.n_failed:
        said = said_of_codes(selection, expand_paths(files))
        raise ConfigError(said or "no record has such codes and times: see --network to --end")
    if is_stopped:
        return EXIT_INTERRUPTED
    if not report.n_done:
        return EXIT_NOTHING_DONE
    return EXIT_SOME_FAILED if report.n_failed else 0


def read_training_config(arguments: argparse.Namespace) -> TrainConfig:
    """Return the training configuration, with the epochs and the seed that are given."""
    from phasenet_keras.training.config import read_config

    given = {name: getattr(arguments, name, None) for name in ("epochs", "seed")}
    changed = {name: value for name, value in given.items() if value is not None}
    return replace(read_config(arguments.config), **changed)


def load_parent(
    arguments: argparse.Namespace, records: Iterable[LabelledWaveform], console: Console
) -> PhaseNet:
    """Load the preset that the arguments name, balanced for training.

    Without ``--channels`` it is adapted to those of its channels that the records have.
    """
    from phasenet_keras.models.presets import read_preset
    from phasenet_keras.training.checks_data import channels_there

    channels = arguments.channels
    if channels is None:
        own = read_preset(arguments.preset).config.channels
        channels = channels_there(records, own)
        if channels != own:
            it = "it" if len(channels) == 1 else "them"
            text = f"records have {' and '.join(channels)} alone: the network is adapted to {it}"
            say(console, f"{text} (--channels {''.join(own)} pads them)", "[cyan]note[/]")
    with _loading():
        from phasenet_keras.models.phasenet import PhaseNet

        return PhaseNet.from_preset(
            arguments.preset, channels=channels, adapt=arguments.adapt, rebalance=True
        )


def load_picker(arguments: argparse.Namespace, **options: Any) -> Picker:
    """Load the preset that the arguments name, as a picker."""
    with _loading():
        from phasenet_keras.picking.picker import Picker

        return Picker.from_preset(
            arguments.preset,
            engine=arguments.engine,
            channels=arguments.channels,
            adapt=arguments.adapt,
            sampling=arguments.sampling,
            **options,
        )


@contextmanager
def _loading() -> Iterator[None]:
    """Hold back TensorFlow's chatter, and say what is noted of a preset."""
    from phasenet_keras.io.registry import noted

    with noted() as notes, quiet_start():
        yield
    say_some(open_console(True), notes, "[cyan]note[/]", MAX_NOTES)


def read_tables(
    console: Console,
    tables: Iterable[str],
    records: Sequence[LabelledWaveform],
    dataset: Path,
) -> list[TablePicker]:
    """Look up the picks of tables for records, and say what of them cannot be used.

    One that is named twice counts once; files of one name are called by the whole of their paths.
    """
    from phasenet_keras.io.registry import noted
    from phasenet_keras.picking.table_picker import TablePicker

    with noted() as notes:
        pickers = {table: TablePicker(table, records, dataset) for table in dict.fromkeys(tables)}
    names = [picker.name for picker in pickers.values()]
    for table, picker in pickers.items():
        if names.count(picker.name) > 1:
            picker.name = f"picks of {table}"
    say_some(console, list(dict.fromkeys(notes)), "[cyan]note[/]", MAX_NOTES)
    return [*pickers.values()]


def note_unpicked(picker: Picker, report: RunReport, preset: str) -> None:
    """Note in a run's report which phases a preset was not taught, where nothing else was asked."""
    from phasenet_keras.models.contract import NEVER
    from phasenet_keras.picking.files import FileReport

    for phase in picker.preset.unpicked:
        if picker.thresholds[phase] >= NEVER:
            text = f"{phase} is not picked: its threshold is 1"
            report.take(FileReport(Path(preset), text, failed=False))


def settled_inputs(
    files: Sequence[str | Path], written: Iterable[Path], parts: Path | None = None
) -> Sequence[str | Path]:
    """Return the files to be read, before any work is done: none that will be written.

    What an earlier run wrote is left out of folders and patterns.

    Args:
        files: as they were named: files, folders and patterns.
        written: files that will be written, whatever they are called.
        parts: a folder of the run's own.

    Raises:
        ConfigError: if a file that is named, or that holds a record, would be written over.
    """
    from phasenet_keras.io.index import expand_paths
    from phasenet_keras.picking.default_preset import first_rate_hz

    there = {os.path.realpath(path) for path in written if path.exists()}
    own = [*map(Path, there), *([] if parts is None else [parts])]
    left = expand_paths(files, own) if own else files
    named = {os.path.realpath(path) for path in left}
    for path in expand_paths(files) if there else ():
        real = os.path.realpath(path)
        if real in there and (real in named or first_rate_hz([path]) is not None):
            refuse_overwriting([path], [path])
    return left


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
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"folder {folder} cannot be made: {folder} is a file or a device")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"folder {folder} cannot be made: {error.strerror}") from error


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
