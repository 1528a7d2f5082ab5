"""All that ObsPy reads: miniSEED, SAC, SEG-Y, SU, SEG-2, GSE2 and the rest."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phasenet_keras.io.mseed3 import READER as MINISEED_3_READER
from phasenet_keras.io.mseed_clock import follow_clock
from phasenet_keras.io.mseed_damage import read_undamaged
from phasenet_keras.io.mseed_headers import whole_records
from phasenet_keras.io.record_names import is_dated
from phasenet_keras.io.registry import FormatNote, Reader, register_reader, say
from phasenet_keras.io.specfem_su import name_traces
from phasenet_keras.io.unsafe_headers import (
    check_dmx,
    check_gse,
    check_time_slices,
    with_possible_longitudes,
)
from phasenet_keras.types import FormatError

if TYPE_CHECKING:
    from obspy import Stream
    from obspy.core.trace import Stats

__all__ = ["obspy_formats", "read_as"]

# ObsPy would unpickle any file to see if it is one of its own, and a pickle can run any code.
REFUSED = ("PICKLE",)
# What refuses headers that a reader would not survive.
CHECKS = {"GSE1": check_gse, "GSE2": check_gse, "RG16": check_time_slices, "DMX": check_dmx}
# Gathers: their traces have numbers, not SEED ids.
GATHERS = {"SEGY": "SEG-Y", "SU": "SU", "SEG2": "SEG-2", "RG16": "Fairfield RG-1.6"}
# How ObsPy says that it rounded the sample interval of a SAC file; a float32 is as exact as this.
SAC_ROUNDING, FLOAT32_PART = "Sample spacing read from SAC file", 2e-7
# How it says of any SEG-2 file what makers may do, and of a DELAY that it does not know it.
SEG2_TEXTS = ("Many companies use custom defined SEG2", "Non-zero value found in Trace's 'DELAY'")
MARKED = ("SEG2", "WAV")
# Formats of steps in whole microseconds, and what rates of recorders are multiples of, in Hz; steps
# that are multiples of so many microseconds are meant.
WHOLE_STEPS, ROUND_HZ, MEANT_US = ("SEGY", "SU"), (1000, 500), 5
# What SEG-Y's times of a trace may be multiplied by, or divided where it is negative.
TIME_SCALARS = (10, 100, 1000, 10_000)
EXTENSIONS = {
    "MSEED": (".mseed", ".msd", ".miniseed"),
    "SAC": (".sac",),
    "GSE2": (".gse2", ".gse"),
    "SEGY": (".segy", ".sgy"),
    "SU": (".su",),
    "SEG2": (".seg2", ".sg2", ".dat"),
    "WAV": (".wav",),
    "KNET": (".EW", ".NS", ".UD"),
}
NAMES = {"MSEED": "miniSEED", **GATHERS}


def _register_all() -> None:
    # SU has no mark of its own and any bytes may pass for one: it is tried last. Samples may pass
    # for SEG-Y, too: files that begin with a mark of their own are known before.
    formats = [name for name in obspy_formats() if name not in (*REFUSED, *MARKED, "SU")]
    at = formats.index("SEGY")
    register_reader(MINISEED_3_READER)
    for name in (*formats[:at], *MARKED, *formats[at:], "SU"):
        register_reader(
            Reader(
                name=NAMES.get(name, name),
                extensions=EXTENSIONS.get(name, ()),
                sniff=partial(_is_of_format, format_name=name),
                read=partial(_read, format_name=name),
                one_trace_one_station=name in GATHERS,
            )
        )


def obspy_formats() -> tuple[str, ...]:
    """Return ObsPy's names of the waveform formats that it reads here."""
    from obspy.core.util.base import ENTRY_POINTS

    return tuple(ENTRY_POINTS["waveform"])


def read_as(
    source: str | bytes, format_name: str, headers_only: bool = False, **options: Any
) -> Stream:
    """Read a file or bytes of a format that is known, as `obspy.read` does.

    That parses the metadata of ObsPy's installation at every call (3 ms, as long as it takes to
    read a megabyte), and looks for archives and patterns first.

    Args:
        source: name of a file, or its content.
        format_name: as ObsPy spells it.
        headers_only: leave out the samples.
        options: of that format's reader.

    Raises:
        Exception: whatever ObsPy's reader leads to.

    Warns:
        RecordWarning: for miniSEED records that are left out; see `whole_records` and
            `read_undamaged`.
    """
    read = partial(_plugin(format_name, "readFormat"), **options)
    if format_name == "MSEED":
        stream = _read_miniseed(source, headers_only, read)
    else:
        file = source if isinstance(source, str) else io.BytesIO(source)
        stream = read(file, headonly=headers_only)
    for trace in stream:
        trace.stats._format = format_name
    return stream


def _read_miniseed(source: str | bytes, headers_only: bool, read: Callable[..., Stream]) -> Stream:
    content = np.memmap(source, np.uint8, "r") if isinstance(source, str) else source
    whole = whole_records(content)
    if whole is not None:
        source = content = whole
    try:
        stream = read(
            source if isinstance(source, str) else io.BytesIO(source), headonly=headers_only
        )
    except Exception:  # whatever ObsPy's C code and the headers lead to
        stream = read_undamaged(
            content, headers_only, lambda part, bare: read(io.BytesIO(part), headonly=bare)
        )
        if stream is None:
            raise
    if not headers_only:
        follow_clock(stream, np.frombuffer(content, np.uint8))
    return stream


@cache
def _plugin(format_name: str, name: str) -> Callable[..., Any]:
    from importlib.metadata import entry_points

    group = f"obspy.plugin.waveform.{format_name}"
    return next(iter(entry_points(group=group, name=name))).load()


def _is_of_format(path: Path, head: bytes, format_name: str) -> bool:
    if format_name == "MSEED" and head[:6].isdigit() and head[6:7] in b"DRQM":
        return True
    try:
        return bool(_plugin(format_name, "isFormat")(str(path)))
    except Exception:  # a sniffer may fail in any way on a file that is not of its format
        return False


def _read(path: Path, headers_only: bool, format_name: str) -> Stream:
    if check := CHECKS.get(format_name):
        check(path)
    try:
        mended = with_possible_longitudes(path) if format_name == "SAC" else None
        # ObsPy rounds intervals to whole microseconds, of which above 2 MHz nothing is left.
        with warnings.catch_warnings(), np.errstate(divide="ignore"):
            for text in (SAC_ROUNDING, *SEG2_TEXTS):
                warnings.filterwarnings("ignore", text)
            stream = read_as(mended or str(path), format_name, headers_only)
    except Exception as error:  # ObsPy's readers raise what their C code and headers lead to
        name = NAMES.get(format_name, format_name)
        # Other libraries' words are of their calls, not of the file.
        why = f": {error}" if type(error).__module__.startswith(("obspy", "phasenet_keras")) else ""
        raise FormatError(f"{path} is damaged or no {name}{why}") from error
    if format_name == "SAC":
        _undo_rounding(stream)
    _note_zero_times(stream, format_name)
    if format_name == "SEG2":
        _say_delay(stream)
    _say_step(stream, format_name)
    if format_name == "SU":
        name_traces(stream, path)
    if format_name == "MSEED":
        _warn_if_truncated(path, stream)
    lengths = [trace.stats.npts for trace in stream]
    if format_name in GATHERS and len(lengths) > 1 and lengths[-1] < min(lengths[:-1]):
        say(
            f"its last trace has {lengths[-1]} samples, all others {min(lengths[:-1])} or more: "
            "truncated?"
        )
    return stream


def _undo_rounding(stream: Stream) -> None:
    """Give traces the rate that their files say, where ObsPy made whole microseconds of another.

    The header holds a float32, and ObsPy says so of each file, also where nothing is changed.
    """
    for trace in stream:
        delta_s = float(trace.stats.sac.delta)
        if delta_s > 0 and abs(trace.stats.delta / delta_s - 1.0) > FLOAT32_PART:
            trace.stats.sampling_rate = float(f"{1.0 / delta_s:.7g}")


def _note_zero_times(stream: Stream, format_name: str) -> None:
    """Write into the headers of traces when their file's own time 0 was, of trigger or shot."""
    from obspy import UTCDateTime

    for trace in stream:
        delay_s = _delay_s(trace.stats, format_name)
        if delay_s is not None:
            zero_ns = trace.stats.starttime.ns - round(1e9 * delay_s)
            trace.stats.zero_time = UTCDateTime(ns=zero_ns)


def _say_delay(stream: Stream) -> None:
    """Say that a delay is not in the times of SEG-2 records: whether it should be, no file says."""
    delays_s = [_delay_s(trace.stats, "SEG2") for trace in stream]
    delay_s = next(filter(None, delays_s), None)
    if delay_s is not None:
        say(
            f"SEG-2: a DELAY ({delay_s:g} s) is not added to times; that of a file is taken for "
            "its first sample's",
            FormatNote,
        )


def _say_step(stream: Stream, format_name: str) -> None:
    """Say where a step of whole microseconds may be that of a round rate, rounded or cut off."""
    steps_us = [round(1e6 * t.stats.delta) for t in stream[:1] if format_name in WHOLE_STEPS]
    step_us = next(iter(steps_us), 0)
    if step_us < 2 or step_us % MEANT_US == 0 or 10**6 % step_us == 0:
        return
    rate_hz = 1e6 / step_us
    for round_hz in (unit * round(rate_hz / unit) for unit in ROUND_HZ):
        if 1e6 / (step_us + 1) < round_hz < 1e6 / (step_us - 1):
            off = abs(rate_hz / round_hz - 1)
            say(
                f"{NAMES[format_name]}: its step of whole microseconds, {step_us}, stands for "
                f"{rate_hz:.6g} Hz: if records have {round_hz} Hz, their times, and those of "
                f"picks, are off by {off:.2g} of the time since the first sample (labels in "
                "samples are not)",
                FormatNote,
            )
            return


def _delay_s(stats: Stats, format_name: str) -> float | None:
    """Return how long after its file's time 0 a trace begins; None where there is no such time."""
    if format_name == "SAC" and not is_dated(stats.starttime):
        return float(stats.sac.get("b", 0.0))
    if format_name == "SEG2":
        return float(stats.seg2.get("DELAY", 0.0))
    if format_name not in ("SEGY", "SU"):
        return None
    header = stats[format_name.lower()].trace_header
    scalar = header.scalar_to_be_applied_to_times if format_name == "SEGY" else 1
    scale = float(scalar) if abs(scalar) in TIME_SCALARS else 1.0
    return header.delay_recording_time * (scale if scale > 0 else -1.0 / scale) / 1e3


def _warn_if_truncated(path: Path, stream: Stream) -> None:
    """ObsPy leaves out an incomplete last record, and mostly says nothing."""
    lengths = {trace.stats.mseed.record_length for trace in stream}
    left = path.stat().st_size % lengths.pop() if len(lengths) == 1 else 0
    if left:
        say(f"truncated: its last record has {left} bytes only and is left out")


_register_all()
