"""Files of labels, one or many: which they are, and the arrivals of all of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

from phasenet_keras.io.catalogs import Arrival, Span, arrivals_of, warn_of_left_out
from phasenet_keras.io.index import as_list, check_path, expand_paths, natural_key
from phasenet_keras.io.labels.first_breaks import FIRST_BREAK_COLUMNS
from phasenet_keras.io.labels.rows import (
    LabelTable,
    is_label_table,
    no_direct_phase,
    read_label_table,
)
from phasenet_keras.io.obspy_events import NoLabelsError, NoPicksError
from phasenet_keras.io.record_names import is_dated, shown_names
from phasenet_keras.io.registry import say
from phasenet_keras.io.wording import first_of, some
from phasenet_keras.short_repr import three_digits
from phasenet_keras.types import ConfigError, FormatError

__all__ = [
    "Labels",
    "given_labels",
    "label_files",
    "label_table",
    "said_of_files",
    "scan_arrivals",
    "warn_of_coarse_times",
    "warn_of_one_time",
]

Labels = str | PathLike[str] | Sequence[str | PathLike[str]]

# Steps that times are written in, in nanoseconds: a minute, and from a second to a microsecond.
STEPS_NS = (60 * 10**9, *(10**power for power in range(9, 2, -1)))
# Files whose arrivals of one name are no further apart mean one event: S is not later than P by
# more, up to distances where there is no direct S.
ONE_EVENT_S = 600
# As many times do not all end in zeros by chance.
LEAST_TIMES = 10


def label_files(labels: Labels | None) -> list[Path]:
    """Return the files that labels are in: of a file, a folder, a pattern, or several of these.

    Example:
        >>> label_files("picks.csv"), label_files(["a.obs", "b.obs"]), label_files(None)
        ([PosixPath('picks.csv')], [PosixPath('a.obs'), PosixPath('b.obs')], [])
    """
    return sorted(expand_paths(given_labels(labels)), key=natural_key)


def given_labels(labels: Labels | None) -> list[str | PathLike[str]]:
    """Return what was given for labels, as a list.

    Raises:
        ConfigError: for an empty list.

    Example:
        >>> given_labels("picks/"), given_labels(None)
        (['picks/'], [])
    """
    if labels is None:
        return []
    items = as_list(labels)
    if not items:
        raise ConfigError("labels are files, folders or patterns; received an empty list")
    for item in items:
        check_path(item)
    return items


def said_of_files(files: Sequence[Path]) -> str:
    """Return what messages call the files that labels are in."""
    return str(files[0]) if len(files) == 1 else f"{len(files)} files of labels"


def label_table(labels: Labels) -> LabelTable:
    """Read a table of samples, or several with the same columns as one.

    What is not named itself, but met in a folder or by a pattern, is passed over if it has no
    columns of labels.

    Raises:
        FormatError: if one is no table, or they have different columns.

    Warns:
        RecordWarning: for files that are passed over.
    """
    files, named = label_files(labels), _named(labels)
    meant = [path for path in files if path in named or is_label_table(path)]
    meant = meant or list(files)
    among = set(meant)
    _say_passed_over([path for path in files if path not in among])
    tables = [read_label_table(path) for path in meant]
    if len(tables) > 1 and {*FIRST_BREAK_COLUMNS} <= {*tables[0].columns}:
        raise FormatError(
            f"{said_of_files(meant)}: each sgt file numbers its own shots, give one at a time"
        )
    for table in tables[1:]:
        if table.columns != tables[0].columns:
            raise FormatError(
                f"{table.path} has columns {', '.join(table.columns)}, {tables[0].path} "
                f"{', '.join(tables[0].columns)}: give tables with the same columns, or only "
                "files of times"
            )
    if len(tables) == 1:
        return tables[0]
    names = {path: path.name for path in meant} | shown_names(meant)
    rows = tuple(row for table in tables for row in table.rows)
    numbers = tuple(f"{n} of {names[table.path]}" for table in tables for n in table.numbers)
    return replace(tables[0], path=Path(said_of_files(meant)), rows=rows, numbers=numbers)


def scan_arrivals(labels: Labels) -> tuple[list[Arrival], list[str]]:
    """Read the arrivals of files one after the other, and say what of them cannot be used.

    An event's name that files use for arrivals far apart in time is several events: they get the
    names of their files. Else it is one event, whose phases, stations or pickers have a file each.
    What is not named itself, but met in a folder or by a pattern, is passed over if it is no table
    or catalogue, or a catalogue without picks.

    Raises:
        FormatError: if no file can be read, see `read_arrivals`, or there are arrivals but none is
            a P or an S.

    Warns:
        RecordWarning: for rejected picks, other phases, and files that are passed over.
    """
    files, named = label_files(labels), _named(labels)
    found: dict[Path, list[Arrival]] = {}
    bad: list[str] = []
    passed_over: dict[Path, FormatError] = {}
    others: Counter[str] = Counter()
    for path in files:
        try:
            found[path], damaged, of_file = arrivals_of(path)
        except FormatError as error:
            if len(files) == 1:
                raise
            if isinstance(error, NoLabelsError | NoPicksError) and path not in named:
                passed_over[path] = error
            else:
                bad.append(str(error))
            continue
        bad += [f"{path.name}, {text}" for text in damaged]
        others += of_file
    where = said_of_files(files)
    if not found:
        without_picks = _of_kind(passed_over, NoPicksError)
        meant = [*bad, *(passed_over[path] for path in without_picks)]
        text = f"none of {where} can be used; {first_of(meant or [*passed_over.values()])}"
        raise FormatError(text) if meant else NoLabelsError(text)
    _say_passed_over(_of_kind(passed_over, NoLabelsError))
    _say_passed_over(_of_kind(passed_over, NoPicksError), "of events without picks")
    if others and not any(found.values()):
        raise no_direct_phase(where, others)
    warn_of_left_out(where, [], others)
    return _with_own_events(found), bad


def warn_of_coarse_times(arrivals: Sequence[Arrival], spans: Sequence[Span], where: str) -> None:
    """Say by how many samples labels may be off, where their times have few digits.

    Warns:
        RecordWarning: if all times are multiples of a step of more than a sample of the fastest
            records.
    """
    times_ns = [arrival.time.ns for arrival in arrivals]
    step_ns = next((s for s in STEPS_NS if all(t % s == 0 for t in times_ns)), 0)
    rate_hz = max((span.sampling_rate for span in spans), default=0.0)
    n_samples = step_ns * rate_hz / 1e9
    if len(times_ns) >= LEAST_TIMES and n_samples > 1:
        say(
            f"{where}: all times are multiples of {step_ns / 1e6:g} ms, which are "
            f"{three_digits(n_samples)} samples at {rate_hz:g} Hz: labels may be off by as many, "
            "and no picker can be better"
        )


def warn_of_one_time(arrivals: Sequence[Arrival], where: str) -> None:
    """Say where times may be those of origins, which all stations of an event have.

    Warns:
        RecordWarning: if each arrival has the very time of one at another station.
    """
    stations: dict[tuple[str, int], set[str]] = {}
    for arrival in filter(lambda arrival: is_dated(arrival.time), arrivals):
        stations.setdefault((arrival.phase, arrival.time.ns), set()).add(arrival.station)
    is_of_all = stations and all(len(of_time) > 1 for of_time in stations.values())
    if len(arrivals) >= LEAST_TIMES and is_of_all:
        say(
            f"{where}: all {len(arrivals)} arrivals are at the very time of another station's: are "
            "these times of origins?"
        )


def _named(labels: Labels) -> set[Path]:
    """Return what of labels was named itself: other files are met in a folder, or by a pattern."""
    return {Path(item) for item in given_labels(labels)}


def _of_kind(errors: Mapping[Path, FormatError], kind: type[FormatError]) -> list[Path]:
    return [path for path, error in errors.items() if isinstance(error, kind)]


def _say_passed_over(files: Sequence[Path], what: str = "no table or catalogue") -> None:
    if files:
        say(
            f"--labels: {len(files)} {'files are' if len(files) > 1 else 'file is'} {what}, "
            f"and passed over: {some(path.name for path in files)}"
        )


def _with_own_events(found: dict[Path, list[Arrival]]) -> list[Arrival]:
    """Return all arrivals; different events of one name are named by their files, too."""
    stems = Counter(path.stem for path in found)
    times_ns: dict[str, dict[str, list[int]]] = {}
    named = []
    for path, arrivals in found.items():
        file = path.stem if stems[path.stem] == 1 else path.as_posix()
        for arrival in arrivals:
            by_file = times_ns.setdefault(arrival.event, {})
            by_file.setdefault(file, []).append(arrival.time.ns)
            named.append((file, arrival))
    times_ns.pop("", None)
    own = {event: _files_of_events(by_file) for event, by_file in times_ns.items()}
    return [
        replace(arrival, event=f"{own[arrival.event][file]}/{arrival.event}")
        if len({*own.get(arrival.event, {}).values()}) > 1
        else arrival
        for file, arrival in named
    ]


def _files_of_events(times_ns: Mapping[str, Sequence[int]]) -> dict[str, str]:
    """Return for each file that uses a name the first file that means the same event by it.

    Example:
        >>> hour_ns = 3600 * 10**9
        >>> _files_of_events({"P": [0], "S": [9 * 10**9], "later": [hour_ns]})
        {'P': 'P', 'S': 'P', 'later': 'later'}
    """
    first: dict[str, str] = {}
    of_event, end_ns = "", -math.inf
    for file, own_ns in sorted(times_ns.items(), key=lambda item: min(item[1])):
        if min(own_ns) - end_ns > ONE_EVENT_S * 1e9:
            of_event = file
        first[file] = of_event
        end_ns = max(end_ns, *own_ns)
    return first
