"""From traces to `Waveform`: channels of a station together, gaps and NaN cut out."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from phasenet_keras.io.channel_files import said_of_channels
from phasenet_keras.io.channels import COMPONENTS
from phasenet_keras.io.index import as_list, expand_paths
from phasenet_keras.io.instruments import (
    RecordKey,
    RecordKeys,
    record_key,
    station_id,
    with_components,
)
from phasenet_keras.io.metadata_files import said_of_metadata
from phasenet_keras.io.pressure import heard_of, without_pressure
from phasenet_keras.io.registry import (
    NoWaveformError,
    RecordWarning,
    check_header,
    is_text,
    read_stream,
    with_numbers,
)
from phasenet_keras.io.wording import some
from phasenet_keras.types import FormatError, TextOnlyError, Waveform

if TYPE_CHECKING:
    from obspy import Trace, UTCDateTime
    from obspy.core.trace import Stats

    from phasenet_keras.io.selection import Selection

__all__ = [
    "ends_before",
    "follows_on",
    "position_of",
    "read_waveforms",
    "time_step_s",
    "trace_order",
    "usable_samples",
    "waveforms_of",
]

# Channels start and end a little apart: so short a stretch of some of them is cut off.
MIN_PARTIAL_SAMPLES = 256
# A clock that is off by less than this between two traces makes no gap and no overlap.
CLOCK_JITTER_SAMPLES = 0.75
# miniSEED 2 has the times of its records in steps of 1 us, without blockette 1001 of 100 us.
FINE_STEP_NS, COARSE_STEP_NS = 1_000, 100_000
# float32 counts exactly up to here; a larger offset is taken off before the conversion, and so is
# one that is so many times the deviation of values that are not whole.
FLOAT32_EXACT = 2.0**24
LARGE_OFFSET = 1e3
# Of float32 half, so that an offset can be taken off.
LARGEST = float(np.finfo(np.float32).max) / 2


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
        FormatError: if a file is missing, empty, damaged or of no known format, or a trace has no
            sampling rate.

    Warns:
        RecordWarning: for files of folders that are no waveforms, and as `waveforms_of`.

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
    wanted = stream if selection is None else filter(selection.takes_channel, stream)
    return waveforms_of(wanted)


def _traces_of(paths: Iterable[tuple[Path, bool]]) -> list[Trace]:
    """Read files, each of which is named itself (True), or is one of those of a folder."""
    traces: list[Trace] = []
    passed_over: dict[Path, str] = {}
    for path, is_named in paths:
        try:
            traces += read_stream(path)
        except TextOnlyError:  # a logger's
            if is_named:
                raise
        except NoWaveformError as error:
            if is_named:
                raise
            passed_over[path] = error.kind
    if passed_over and not traces:
        raise FormatError(said_of_metadata(passed_over))
    if passed_over:
        warnings.warn(said_of_metadata(passed_over), RecordWarning, stacklevel=3)
    return traces


def waveforms_of(stream: Iterable[Trace]) -> list[Waveform]:
    """Bring the traces of a stream together to waveforms; see `read_waveforms`.

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
        warnings.warn(text, RecordWarning, stacklevel=2)
    for trace in sorted(without_pressure(traces), key=trace_order):
        groups.setdefault(keys.of(record_key(trace), trace.stats.npts), []).append(trace)
    found = []
    for (station, _, _), traces in groups.items():
        pairs = with_components(station, traces)
        for span in _connected_spans(sorted(pairs, key=lambda pair: trace_order(pair[0]))):
            waves = _cut(station, span)
            found += waves
            without += [] if waves else [trace for trace, _ in span]
    there = {wave.station for wave in found}
    if lost := dict.fromkeys(name for name in map(station_id, without) if name not in there):
        warnings.warn(
            f"no record of {some(name.strip('.') or 'a trace without codes' for name in lost)}: "
            "there is no sample, or none but NaN and masked ones",
            RecordWarning,
            stacklevel=2,
        )
    return sorted(found, key=lambda wave: (wave.station, wave.start_time))


def trace_order(trace: Trace) -> tuple[UTCDateTime, int, str, float]:
    """Order traces by start; of two of the same start the longer is later, then by content."""
    sample = trace.data[0]
    first = 0.0 if sample is np.ma.masked or not math.isfinite(sample) else float(sample)
    return (trace.stats.starttime, trace.stats.npts, trace.stats.get("source_path", ""), first)


def _connected_spans(pairs: list[tuple[Trace, str]]) -> Iterator[list[tuple[Trace, str]]]:
    """Group traces, ordered by start, into stretches without a gap common to all channels."""
    span: list[tuple[Trace, str]] = []
    end: UTCDateTime | None = None
    for trace, component in pairs:
        start, first = trace.stats.starttime, span[0][0].stats if span else trace.stats
        step_s = time_step_s(first.get("_format"), first.starttime, start)
        if end is not None and ends_before(end, start, trace.stats.delta, step_s):
            yield span
            span, end = [], None
        span.append((trace, component))
        end = trace.stats.endtime if end is None else max(end, trace.stats.endtime)
    if span:
        yield span


def _cut(station: str, span: list[tuple[Trace, str]]) -> list[Waveform]:
    """Lay a stretch's channels on one time axis and cut it where the set of channels changes."""
    first = span[0][0].stats
    columns, presences, sources = {}, {}, {}
    n_samples = max(round(_position(trace, first)) + trace.stats.npts for trace, _ in span)
    n_samples += 2 + math.ceil(time_step_s(first.get("_format")) * first.sampling_rate)
    for component in COMPONENTS:
        traces = [trace for trace, of_trace in span if of_trace == component]
        if traces:
            label = f"{station} {component}"
            columns[component], presences[component] = _one_axis(label, traces, first, n_samples)
            sources[component] = traces[0].stats.get("source_file", "")
    waveforms = []
    for begin, end, present in _runs(np.stack(list(presences.values()), axis=1)):
        names = [name for name, is_here in zip(columns, present, strict=True) if is_here]
        data = np.stack([_to_float32(columns[name][begin:end]) for name in names], axis=1)
        data.flags.writeable = False  # a Waveform copies what could be written to
        waveforms.append(
            Waveform(
                data=data,
                sampling_rate=first.sampling_rate,
                start_time=first.starttime + begin / first.sampling_rate,
                channels=tuple(names),
                station=station,
                units=_units([trace for trace, _ in span]),
                source=sources[names[-1]],
                zero_time=first.get("zero_time"),
            )
        )
    return waveforms


def position_of(time: UTCDateTime, start: UTCDateTime, rate_hz: float) -> float:
    """Return the sample of a time; the difference of ObsPy's times is whole microseconds."""
    return (time.ns - start.ns) * rate_hz / 1e9


def _position(trace: Trace, first: Stats) -> float:
    return position_of(trace.stats.starttime, first.starttime, first.sampling_rate)


def time_step_s(file_format: str | None, *times: UTCDateTime) -> float:
    """Return the step of the times that a file of some format has, in seconds; 0: there is none.

    Times that are all whole steps of 100 us may have been written without the finer ones.

    Example:
        >>> from obspy import UTCDateTime
        >>> time_step_s("MSEED", UTCDateTime(ns=302_000)), time_step_s("SAC", UTCDateTime(0))
        (1e-06, 0.0)
    """
    if file_format != "MSEED":
        return 0.0
    is_coarse = all(time.ns % COARSE_STEP_NS == 0 for time in times)
    return (COARSE_STEP_NS if is_coarse else FINE_STEP_NS) / 1e9


def follows_on(off_samples: float, step_samples: float) -> bool:
    """Tell if a trace follows on what its channel has, though its time is off by some samples.

    Args:
        off_samples: of its begin, from the sample after the last.
        step_samples: `time_step_s` of the two times, in samples.
    """
    return abs(off_samples) <= CLOCK_JITTER_SAMPLES or abs(off_samples) < step_samples


def ends_before(end: UTCDateTime, time: UTCDateTime, delta_s: float, step_s: float) -> bool:
    """Tell if there is a gap between the last sample of a stretch and a time."""
    longest_s = max(2 * delta_s, step_s + delta_s)
    # ObsPy compares whole microseconds, which allows for odd rates; fast ones need more.
    return time > end + longest_s if delta_s >= 1e-5 else time.ns - end.ns > 1e9 * longest_s


def _one_axis(
    label: str, traces: list[Trace], first: Stats, n_samples: int
) -> tuple[np.ndarray, np.ndarray]:
    """Write the traces of one channel onto one axis; the later trace wins an overlap."""
    column = np.zeros(n_samples, np.float64)
    is_present = np.zeros(n_samples, bool)
    expected = None
    for trace in traces:
        values, is_good = usable_samples(trace)
        position = _position(trace, first)
        begin = round(position)
        step_s = time_step_s(first.get("_format"), first.starttime, trace.stats.starttime)
        if expected is not None and follows_on(position - expected, step_s * first.sampling_rate):
            begin = expected
        end = begin + len(values)
        both = is_present[begin:end] & is_good
        if both.any() and not np.array_equal(column[begin:end][both], values[both]):
            warnings.warn(
                f"{label}: {int(both.sum())} overlapping samples differ, from "
                f"{trace.stats.starttime} on; those of the later trace are used",
                RecordWarning,
                stacklevel=5,
            )
        column[begin:end][is_good] = values[is_good]
        is_present[begin:end] |= is_good
        expected = end
    return column, is_present


def usable_samples(trace: Trace) -> tuple[np.ndarray, np.ndarray]:
    """Return the samples of a trace, whole numbers or float64, and which of them are usable.

    Not usable are those that are masked, not finite or too large for float32.
    """
    data = np.ma.asarray(trace.data)
    values = np.asarray(data.filled(0) if data.mask is not np.ma.nomask else data.data)
    if values.dtype.kind in "iub":
        return values, ~np.ma.getmaskarray(data)
    values = values.astype(np.float64)
    is_number = np.isfinite(values) & ~np.ma.getmaskarray(data)
    is_good = is_number & (np.abs(values) < LARGEST)
    if n_large := int(is_number.sum() - is_good.sum()):
        warnings.warn(
            f"{trace.id}: from {trace.stats.starttime} on {n_large} samples are too large for "
            f"float32 (from {LARGEST:.2g} on) and are left out: scale the record, in other units",
            RecordWarning,
            stacklevel=2,
        )
    return values, is_good


def _runs(presence: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield ``begin, end, channels present`` of each stretch with one set of channels.

    A stretch of less than `MIN_PARTIAL_SAMPLES` with some channels, beside one with more of
    them, is dropped.
    """
    changes = np.flatnonzero(np.any(presence[1:] != presence[:-1], axis=1)) + 1
    edges = [0, *changes.tolist(), presence.shape[0]]
    counts = [int(presence[begin].sum()) for begin in edges[:-1]]
    for number, (begin, end) in enumerate(pairwise(edges)):
        beside = max(counts[max(0, number - 1) : number + 2])
        too_short = end - begin < MIN_PARTIAL_SAMPLES and counts[number] < beside
        if counts[number] and not too_short:
            yield begin, end, presence[begin]


def _to_float32(values: np.ndarray) -> np.ndarray:
    centred = values - values.mean()
    is_fine = np.abs(values).max() <= FLOAT32_EXACT
    is_whole = is_fine and np.array_equal(values, np.rint(values))
    is_offset = 0 < LARGE_OFFSET * centred.std() < abs(values.mean())
    if not is_fine or (not is_whole and is_offset):
        values = centred
    return values.astype(np.float32)


def _units(span: list[Trace]) -> str | None:
    units = {trace.stats.get("units") for trace in span} - {None, ""}
    return units.pop() if len(units) == 1 else None
