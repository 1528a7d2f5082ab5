"""Plain arrays: PhaseNet's npz files, and two-column text (time in seconds, amplitude)."""

from __future__ import annotations

import math
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phasenet_keras.io.channels import COMPONENTS
from phasenet_keras.io.no_waveforms import OTHER_SHAPES
from phasenet_keras.io.rates import (
    DEFAULT_RATE_HZ,
    may_say_rate,
    rate_of,
    said_of_no_rate,
    says_rate,
)
from phasenet_keras.io.record_names import has_date
from phasenet_keras.io.registry import HEAD_BYTES, FormatNote, Reader, register_reader, say
from phasenet_keras.io.times import date_time
from phasenet_keras.types import FormatError

if TYPE_CHECKING:
    from obspy import Stream

NPZ_FIELDS = ("data", "begin_time", "t0", "station_id")
# How far comments at the start of a text file may go.
COMMENT_BYTES = 1 << 18
# Times written with few digits jitter; more than this part of a sample is an uneven record.
TIME_JITTER = 0.25
# AA.S0001.BXZ.semd, perhaps with a prefix.
_SPECFEM_NAME = re.compile(r"(?:(.+)\.)?(\w+)\.(\w+)\.(\w{3})\.sem[dvap]")

_NUMBER = rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?"
_PAIR = re.compile(rb"^\s*" + _NUMBER + rb"(?:\s*[,;]\s*|\s+)(?:" + _NUMBER + rb"|nan)\s*$", re.I)


def _is_npz(path: Path, head: bytes) -> bool:
    return head.startswith(b"PK") and path.suffix.lower() == ".npz"


def _read_npz(path: Path, headers_only: bool) -> Stream:
    """Read PhaseNet's layout: ``data`` of ``(samples, 3)`` or ``(samples, 1, 3)``, E, N, Z.

    A channel that is all zero is a missing one; ``stats.file_channels`` has it, too.
    ``sampling_rate`` or ``dt`` (and what `says_rate` knows), ``begin_time`` (or ``t0``) and
    ``station_id`` are used where the file has them; else 100 Hz, 1970, its name. Where the file is
    not in PhaseNet's layout, or has an array that may be the rate, it is said that 100 Hz is
    assumed.
    """
    from obspy import Stream, Trace, UTCDateTime

    try:
        with np.load(path, allow_pickle=False) as file:
            names = file.files
            fields = {n: file[n] for n in names if n in NPZ_FIELDS or says_rate(n)}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError, KeyError) as error:
        raise FormatError(f"{path} is no readable npz file: {error}") from error
    if "data" not in fields:
        raise FormatError(f"{path} has no array 'data'; it has: {', '.join(names) or 'nothing'}")
    data = fields["data"]
    if data.ndim == 3 and data.shape[1] == 1:
        data = data[:, 0]
    if data.ndim == 1:
        data = data[:, None]
    if data.ndim != 2 or data.shape[1] not in (1, 3) or data.dtype.kind not in "iufb":
        raise FormatError(
            f"{path}: 'data' should be numbers of shape (samples, 3), channels E, N, Z, or "
            f"(samples, 1); it is {data.dtype} of shape {fields['data'].shape}. If it is of events "
            f"or sensors: {OTHER_SHAPES}"
        )
    try:
        rate = _rate(fields, names)
        start = fields.get("begin_time", fields.get("t0"))
        start_time = UTCDateTime(0) if start is None else date_time(str(start[()]))
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise FormatError(f"{path}: its sampling rate or start time is no such: {error}") from error
    components = COMPONENTS if data.shape[1] == 3 else ("Z",)
    station = str(fields["station_id"][()]) if "station_id" in fields else path.stem
    live = np.any((data != 0) & ~np.isnan(data.astype(np.float64)), axis=0)
    keep = live if live.any() else np.ones_like(live)
    header: dict[str, Any] = {"sampling_rate": rate, "starttime": start_time}
    stream = Stream()
    for column in np.flatnonzero(keep):
        trace = Trace(np.ascontiguousarray(data[:, column]), header=dict(header))
        trace.stats.channel = components[column]
        trace.stats.station_name = station
        trace.stats.file_channels = components
        stream.append(trace)
    return stream


def _rate(fields: dict[str, np.ndarray], names: list[str]) -> float:
    rate = rate_of(fields, lambda name: float(fields[name]))
    if rate is None:
        # PhaseNet's own files say none: they have three channels, and are of 100 Hz.
        if fields["data"].shape[-1] != len(COMPONENTS) or any(map(may_say_rate, names)):
            say(said_of_no_rate("npz", names), FormatNote)
        return DEFAULT_RATE_HZ
    if not 0 < rate < math.inf:
        raise ValueError(f"a sampling rate is above 0 Hz, received {rate}")
    return rate


def _is_text(path: Path, head: bytes) -> bool:
    lines = _data_lines(head)
    if len(head) == HEAD_BYTES and len(lines) < 2:
        with path.open("rb") as file:  # a long comment comes first
            lines = _data_lines(file.read(COMMENT_BYTES))
    return len(lines) >= 2 and all(_PAIR.match(line) for line in lines[:20])


def _data_lines(head: bytes) -> list[bytes]:
    lines = head.splitlines()
    if len(head) in (HEAD_BYTES, COMMENT_BYTES):
        del lines[-1]  # cut in its middle
    lines = [line.split(b"#")[0] for line in lines]
    return [line for line in lines if line.strip()]


def _read_text(path: Path, headers_only: bool) -> Stream:
    """Read lines of time in seconds and amplitude; 1970 stands for time 0."""
    from obspy import Stream, Trace, UTCDateTime

    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        text = re.sub(r"(?<=[\d.])[dD](?=[+-]?\d)", "e", text).replace(",", " ").replace(";", " ")
        table = np.loadtxt(text.splitlines(), ndmin=2)
    except (OSError, ValueError) as error:
        raise FormatError(f"{path} is no table of time and amplitude: {error}") from error
    if table.shape[0] < 2 or table.shape[1] != 2:
        raise FormatError(f"{path} should have two columns and two lines or more: {table.shape}")
    time_s = table[:, 0]
    step_s = (time_s[-1] - time_s[0]) / (len(time_s) - 1)
    even = time_s[0] + step_s * np.arange(len(time_s))
    if not step_s > 0 or not np.all(np.abs(time_s - even) <= TIME_JITTER * step_s):
        raise FormatError(f"{path}: the times in its first column do not grow by even steps")
    header = {
        "sampling_rate": float(f"{1.0 / step_s:.9g}"),
        "starttime": UTCDateTime(0) + float(time_s[0]),
        # Seconds since 1970 are no times since a trigger.
        **({} if has_date(time_s[0]) else {"zero_time": UTCDateTime(0)}),
        **_codes(path.name),
    }
    return Stream([Trace(np.ascontiguousarray(table[:, 1]), header=header)])


def _codes(name: str) -> dict[str, str]:
    """Return the codes in a name as SPECFEM writes it; else the name, as that of a station.

    What comes before the codes, such as the model and the shot, is a part of the station, so that
    equal stations of two runs stay two.
    """
    match = _SPECFEM_NAME.fullmatch(name)
    if not match:
        return {"channel": "", "station_name": Path(name).stem}
    prefix, network, station, channel = match.groups()
    station = f"{prefix.replace('.', '_')}_{station}" if prefix else station
    return {"network": network, "station": station, "channel": channel}


register_reader(Reader("PhaseNet npz", (".npz",), _is_npz, _read_npz))
register_reader(
    Reader("two-column text", (".txt", ".ascii", ".semd", ".semv", ".sema"), _is_text, _read_text)
)
