"""From traces to `Waveform`: channels of a station together, gaps and NaN cut out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from phasenet_keras.io.assembly import Assembler, trace_order
from phasenet_keras.io.channel_files import said_of_channels
from phasenet_keras.io.index import as_list, expand_paths
from phasenet_keras.io.instruments import (
    RecordKey,
    RecordKeys,
    check_are_of_one,
    record_key,
    station_id,
    with_components,
)
from phasenet_keras.io.no_waveforms import said_of_metadata
from phasenet_keras.io.pieces import Piece
from phasenet_keras.io.pressure import heard_of, without_pressure
from phasenet_keras.io.record_names import name_source, shown_names
from phasenet_keras.io.registry import (
    NoWaveformError,
    check_header,
    is_text,
    read_stream,
    say,
    with_numbers,
)
from phasenet_keras.io.wording import some
from phasenet_keras.types import FormatError, TextOnlyError, Waveform
from phasenet_keras.values import as_float32

if TYPE_CHECKING:
    from obspy import Trace

    from phasenet_keras.io.selection import Selection

__all__ = ["read_waveforms", "waveforms_of"]

# So many errors are told where no file of a folder can be read.
MOST_SAID = 3


def read_waveforms(
    source: str | PathLike[str] | Trace | Iterable[str | PathLike[str] | Trace] | None = None,
    selection: Selection | None = None,
) -> list[Waveform]:
    """Read records of any known format; channels of a station are brought together.

    Args:
        source: a file, a folder, a pattern, several of these, an `obspy.Stream` or traces; None
            gives ObsPy's example record. All are read at once: of long archives
            `phasenet_keras.picking.archive.pick_archive` takes files one after the other.
        selection: channels that are wanted, by their codes; None for all.

    Returns:
        Waveforms ordered by station and time. Gaps, NaN and changes of the set of channels start
        a new one; overlapping samples are taken from the trace that starts later.

    Raises:
        FormatError: if a file that is named, or all in a folder, cannot be read: missing, empty,
            damaged, of no known format, without a sampling rate; if traces of one time have no
            codes to tell whose they are.

    Warns:
        RecordWarning: for files of folders and patterns that are no waveforms or cannot be read,
            which are passed over, and as `waveforms_of`.

    Example:
        >>> [wave] = read_waveforms()
        >>> wave.station, wave.channels, wave.data.shape
        ('BW.RJOB..EH', ('E', 'N', 'Z'), (3000, 3))
    """
    from obspy import Stream, Trace, read

    if source is None:
        stream = read()
    else:
        items = [source] if isinstance(source, Trace) else as_list(source)
        stream = Stream()
        paths: list[tuple[Path, bool]] = []
        for item in items:
            if isinstance(item, Trace | Stream):
                stream += item
            else:
                paths += [(path, path == Path(item)) for path in expand_paths([item])]
        stream.extend(_traces_of(paths))
    return waveforms_of(stream if selection is None else selection.wanted_of(stream))


def _traces_of(paths: Collection[tuple[Path, bool]]) -> list[Trace]:
    """Read files, each of which is named itself (True), or is one of those of a folder."""
    traces: list[Trace] = []
    passed_over: dict[Path, FormatError] = {}
    shown = shown_names({path for path, _ in paths})
    for path, is_named in paths:
        try:
            found = read_stream(path)
        except FormatError as error:
            if is_named:
                raise
            passed_over[path] = error
            continue
        if path in shown:
            name_source(found, shown[path])
        traces += found
    errors = passed_over.values()
    kinds = {path: e.kind for path, e in passed_over.items() if isinstance(e, NoWaveformError)}
    texts = [said_of_metadata(kinds)] if kinds else []
    texts += [str(e) for e in errors if not isinstance(e, NoWaveformError | TextOnlyError)]
    if texts and not traces:
        said = "; ".join(texts[:MOST_SAID]) + ("; …" if len(texts) > MOST_SAID else "")
        one = len(passed_over) == 1
        raise FormatError(said if one else f"none of {len(passed_over)} files can be read: {said}")
    for text in texts:
        say(text)
    return traces


def waveforms_of(stream: Iterable[Trace]) -> list[Waveform]:
    """Bring the traces of a stream together to waveforms; see `read_waveforms`.

    Raises:
        FormatError: as `read_waveforms`.

    Warns:
        RecordWarning: for channels whose code cannot be understood, samples that are no real
            numbers or too large for float32, channels of pressure, channels without a date that
            may be of one record, channels of a station with different rates at one time,
            overlaps with conflicting samples, and stations whose traces give no record.
    """
    groups: dict[RecordKey, list[Trace]] = {}
    keys = RecordKeys()
    stream = list(stream)
    without = [trace for trace in stream if not trace.data.size and not is_text(trace)]
    traces = with_numbers(stream)
    for trace in traces:
        check_header(trace)
    for text in said_of_channels(map(heard_of, traces)):
        say(text)
    for trace in sorted(without_pressure(traces), key=trace_order):
        groups.setdefault(keys.of(record_key(trace), trace.stats.npts), []).append(trace)
    found = []
    for (station, _, _), traces in groups.items():
        check_are_of_one(traces)
        pairs = with_components(station, traces)
        waves = list(_waveforms_of_pieces(station, Assembler(station).finish(pairs)))
        found += waves
        without += [] if waves else [trace for trace, _ in pairs]
    there = {wave.station for wave in found}
    if lost := dict.fromkeys(name for name in map(station_id, without) if name not in there):
        say(
            f"no record of {some(name.strip('.') or 'a trace without codes' for name in lost)}: "
            "there is no sample, or none but NaN and masked ones"
        )
    return sorted(found, key=lambda wave: (wave.station, wave.start_time))


def _waveforms_of_pieces(station: str, pieces: Iterable[Piece]) -> Iterator[Waveform]:
    """Yield a waveform for each stretch of record."""
    stretch: list[Piece] = []
    for piece in pieces:
        stretch.append(piece)
        if not piece.is_end:
            continue
        columns = zip(*(part.data.T for part in stretch), strict=True)
        data = np.stack([as_float32(np.concatenate(column)) for column in columns], axis=1)
        data.flags.writeable = False  # a Waveform copies what could be written to
        first, stretch = stretch[0], []
        yield Waveform(
            data=data,
            sampling_rate=first.sampling_rate,
            start_time=first.start_time,
            channels=first.channels,
            station=station,
            units=first.units,
            source=first.source,
            zero_time=first.zero_time,
        )
