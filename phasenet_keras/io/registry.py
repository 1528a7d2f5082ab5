"""File formats: what can be read, how it is recognised, who reads it.

A reader turns one file into ObsPy traces. New formats register themselves here; the first one
whose sniffer says yes reads the file.
"""

from __future__ import annotations

import math
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from glob import has_magic
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.io.field_records import name_components, stations_of_gather
from phasenet_keras.io.no_waveforms import (
    OTHER_SHAPES,
    array_kind,
    metadata_kind,
    packing_of,
    specfem_kind,
)
from phasenet_keras.io.record_names import note_source
from phasenet_keras.io.wording import some
from phasenet_keras.types import FormatError, PhaseNetKerasError, TextOnlyError

if TYPE_CHECKING:
    from obspy import Stream, Trace

__all__ = [
    "FormatNote",
    "LostNote",
    "LostRecord",
    "NoWaveformError",
    "Reader",
    "RecordWarning",
    "UnknownFormatError",
    "check_header",
    "gather_of",
    "headers_of",
    "holds_records",
    "naming",
    "noted",
    "read_stream",
    "reader_of",
    "readers",
    "register_reader",
    "say",
    "with_numbers",
]

HEAD_BYTES = 4096
# Modules whose lines no warning is shown at; `naming` is gone on with by contextlib.
OWN_MODULES = (f"{__name__.partition('.')[0]}.", "contextlib")
# So many formats are named where a file is of none: many files may be.
MOST_FORMATS = 6
# Integers, floats and booleans; miniSEED may also hold log messages, which are letters.
NUMBER_KINDS = "iufb"
TEXT_KINDS = "SU"
FOR_PROGRAMMERS = (DeprecationWarning, FutureWarning, ResourceWarning)


class RecordWarning(UserWarning):
    """A record was read, but not all of it: truncated, conflicting, not understood in part."""


class FormatNote(RecordWarning):
    """What is to be known of files of a format: it names none of them, and is said once for all."""


class LostRecord(RecordWarning):
    """A record or a block of a file could not be read at all; the others were."""


class LostNote(str):
    """What a `LostRecord` said."""


def say(text: str, category: type[RecordWarning] = RecordWarning) -> None:
    """Warn, at the line outside of this package that led here.

    Example:
        >>> with noted() as texts:
        ...     say("truncated")
        >>> texts
        ['truncated']
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(OWN_MODULES):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, category, stacklevel=level)


class NoWaveformError(FormatError):
    """A file is known to be no waveform: station metadata, a catalogue, a table, a note.

    Attributes:
        kind: in words.
    """

    def __init__(self, path: object, kind: str) -> None:
        self.kind = kind
        super().__init__(f"{path} is no waveform, but {kind}")


class UnknownFormatError(FormatError):
    """A file is of no format known here: it is packed, or nothing says what it is."""


@dataclass(frozen=True)
class Reader:
    """One format.

    Attributes:
        name: as shown to people.
        extensions: usual ones, for the documentation; files are recognised by content.
        sniff: told the path and the first 4096 bytes, says if the file is of this format.
        read: returns the traces; with True as its second argument headers alone will do.
        one_trace_one_station: True for gathers, whose traces carry no SEED id of their own.
        records: for files of many records that have names, each of which is a record of its own:
            told which of them, by number, and if headers will do, yields the traces of each, or why
            it is lost.
    """

    name: str
    extensions: tuple[str, ...]
    sniff: Callable[[Path, bytes], bool]
    read: Callable[[Path, bool], Stream]
    one_trace_one_station: bool = False
    records: Callable[[Path, slice, bool], Iterator[list[Trace] | str]] | None = None


_READERS: dict[str, Reader] = {}


def register_reader(reader: Reader) -> Reader:
    """Add a format; a later one of the same name takes the place of the earlier."""
    _READERS[reader.name] = reader
    return reader


def readers() -> tuple[Reader, ...]:
    """Return all formats, in the order in which they are tried."""
    from phasenet_keras.io import (  # noqa: F401 - they register themselves
        arrays,
        hdf5_records,
        obspy_formats,
        sensor_arrays,
    )

    return tuple(_READERS.values())


def read_stream(path: str | PathLike[str], headers_only: bool = False) -> Stream:
    """Read one file of any known format as ObsPy traces.

    Every trace carries ``stats.source_file`` (the file's name) and ``stats.station_name`` (the
    station that it belongs to where its codes do not say it).

    Raises:
        FormatError: if the file does not exist, is empty, is of no known format, or is damaged.
    """
    path = Path(path)
    if not path.is_file():
        # A pipe or a device would be waited for.
        raise FormatError(_why_no_file(path))
    reader = reader_of(path)
    with naming(str(path)):
        try:
            stream = reader.read(path, headers_only)
        except PhaseNetKerasError:
            raise
        except Exception as error:  # a damaged file may make any library raise anything
            raise FormatError(f"{path} cannot be read as {reader.name}: {error}") from error
    keep_usable_traces(stream, str(path), headers_only)
    _name_stations(stream, path, reader)
    return stream


def headers_of(path: Path) -> list[Trace]:
    """Return the traces of a file without samples; none, and no word, if it cannot be read.

    What is wrong is said when it is read for good.
    """
    with warnings.catch_warnings(action="ignore"):
        try:
            return list(read_stream(path, headers_only=True))
        except FormatError:
            return []


def holds_records(path: Path) -> bool:
    """Tell if a file holds many records that have names, each of which is one of its own."""
    try:
        return path.is_file() and reader_of(path).records is not None
    except FormatError:
        return False


def gather_of(path: Path, station: str) -> str:
    """Return the gather that a station of a file is of: the file's name without its ending.

    Of a file of several shots it has the shot's number at its end, see `stations_of_gather`. Empty
    is a file of another format, or of a single trace, and a station that is not named after it.
    """
    is_named_so = station.startswith(f"{path.stem}-")
    is_gather = is_named_so and reader_of(path).one_trace_one_station
    return station.rpartition("-")[0] if is_gather else ""


def _why_no_file(path: Path) -> str:
    if path.is_dir():
        return f"{path} is a folder without files, or one is wanted"
    if path.exists():
        return f"{path} is no regular file"
    if has_magic(str(path)):
        return f"no file matches {path}"
    return f"{path} cannot be read: no such file"


def reader_of(path: Path) -> Reader:
    """Return the format of a file, by its content.

    Raises:
        NoWaveformError: if it is known to be none.
        UnknownFormatError: if it is of no known format.
        FormatError: if it cannot be opened, or is empty.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise FormatError(f"{path} cannot be read: {error.strerror or error}") from error
    if not head:
        raise FormatError(f"{path} is empty")
    kind = specfem_kind(path, head)  # columns of numbers may pass for waveforms
    if not kind:
        for reader in readers():
            if reader.sniff(path, head):
                return reader
        kind = metadata_kind(path, head)
    if kind:
        raise NoWaveformError(path, kind)
    if packing := packing_of(head):
        raise UnknownFormatError(f"{path} is packed ({packing}): unpack it first")
    arrays = array_kind(head)
    if arrays:
        raise UnknownFormatError(f"{path} is of no format known here, but {arrays}; {OTHER_SHAPES}")
    # Without versions, and kinds of one.
    names = dict.fromkeys(re.sub(r" \d$|, .*", "", item.name) for item in readers())
    known = some(names, MOST_FORMATS)
    raise UnknownFormatError(
        f"{path} is of no format known here ({known}; docs/reference/formats.md lists all)"
    )


@contextmanager
def noted() -> Iterator[list[str]]:
    """Give a list that holds, when this is over, what each `RecordWarning` said meanwhile."""
    texts: list[str] = []
    with warnings.catch_warnings(record=True, action="always", category=RecordWarning) as caught:
        yield texts
    for item in caught:
        if issubclass(item.category, RecordWarning):
            note = LostNote if issubclass(item.category, LostRecord) else str
            texts.append(note(item.message))


@contextmanager
def naming(where: str) -> Iterator[None]:
    """Say where that is what warnings say meanwhile; a `FormatNote` is of no place.

    Warnings for programmers are dropped: the network's thread may raise some of any file.
    """
    with warnings.catch_warnings(record=True, action="always") as caught:
        yield
    for item in caught:
        if issubclass(item.category, FormatNote):
            say(str(item.message), FormatNote)
        elif not issubclass(item.category, FOR_PROGRAMMERS):
            is_lost = issubclass(item.category, LostRecord)
            say(f"{where}: {item.message}", LostRecord if is_lost else RecordWarning)


def keep_usable_traces(
    stream: Stream, where: str, headers_only: bool = False, *, is_said: bool = True
) -> None:
    """Leave out traces without numbers, and of miniSEED those without a rate or time, in place.

    Args:
        stream: the traces of a file, or a part of it.
        where: they are, for errors and warnings.
        headers_only: the samples were not read.
        is_said: False if a warning of miniSEED's rates and times was given before.

    Raises:
        TextOnlyError: if there are a logger's messages alone.
        FormatError: if no trace is left, or one of another format has no sampling rate or time:
            places in a gather count.

    Warns:
        RecordWarning: for each channel of which traces are left out for their rate or time.
    """
    has_text_alone = bool(stream) and all(is_text(trace) for trace in stream)
    stream.traces = with_numbers(stream, headers_only)
    if has_text_alone:
        raise TextOnlyError(f"{where} holds no samples, but a logger's messages")
    if not stream:
        raise FormatError(f"{where} holds no samples")
    kept: list[Trace] = []
    left_out: dict[str, list[Trace]] = {}
    for trace in stream:
        try:
            check_header(trace)
        except FormatError as error:
            if trace.stats.get("_format") != "MSEED":
                raise FormatError(f"{where}: {error}") from error
            left_out.setdefault(str(error), []).append(trace)
        else:
            kept.append(trace)
    if not kept:
        raise FormatError(f"{where}: {next(iter(left_out))}")
    stream.traces = kept
    for text, traces in left_out.items() if is_said else ():
        say(f"{where}: {text}: {sum(trace.stats.npts for trace in traces)} samples left out")


def with_numbers(traces: Iterable[Trace], headers_only: bool = False) -> list[Trace]:
    """Return the traces that hold samples. Log messages and empty ones are passed over.

    Warns:
        RecordWarning: for samples that are neither real numbers nor text.
    """
    if headers_only:  # what a header claims stays where a reader found no samples at all
        return [trace for trace in traces if trace.stats.npts > 0 and not is_text(trace)]
    kept = []
    for trace in traces:
        kind = trace.data.dtype.kind
        if trace.data.size and kind in NUMBER_KINDS:
            kept.append(trace)
        elif trace.data.size and kind not in TEXT_KINDS:
            say(
                f"{trace.id}: samples of type {trace.data.dtype} are left out, real numbers are "
                "wanted"
            )
    return kept


def is_text(trace: Trace) -> bool:
    """Tell by its header if a miniSEED trace is a logger's messages; their rate may be 0."""
    return bool(trace.stats.get("mseed", {}).get("encoding") == "ASCII")


def check_header(trace: Trace) -> None:
    """Refuse a trace whose sampling rate or time is none.

    Raises:
        FormatError: naming the trace.
    """
    rate = trace.stats.sampling_rate
    if not (math.isfinite(rate) and rate > 0):
        raise FormatError(f"{trace.id} has a sampling rate of {rate} Hz")
    try:
        _ = (trace.stats.starttime.year, trace.stats.endtime.year)
    except (OverflowError, ValueError) as error:
        raise FormatError(f"the time of {trace.id} is no date: {error}") from error


def _name_stations(stream: Stream, path: Path, reader: Reader) -> None:
    is_gather = reader.one_trace_one_station
    has_codes = any(trace.stats.station or trace.stats.channel for trace in stream)
    # Of several lengths or starts, they follow one another, with gaps between them.
    are_channels = len({(t.stats.starttime.ns, t.stats.npts) for t in stream}) == 1
    if len(stream) > 1 and are_channels and not has_codes and not is_gather:
        for number, trace in enumerate(stream, start=1):
            trace.stats.channel = str(number)  # e.g. the two channels of a WAV file
    if is_gather and (said := name_components(stream)):
        say(f"{path}: {said}")
    names = stations_of_gather(path.stem, stream) if is_gather else []
    for name, trace in zip(names, stream, strict=False):
        if not trace.stats.get("is_named_by_run"):
            trace.stats.station_name = name if len(stream) > 1 else path.stem
    note_source(stream, path)
