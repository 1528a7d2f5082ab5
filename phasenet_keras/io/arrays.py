"""Plain arrays: PhaseNet's npz files, and text of columns (time, and one amplitude or several)."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phasenet_keras.io.channels import COMPONENTS, components_of
from phasenet_keras.io.no_waveforms import OTHER_SHAPES, metadata_kind
from phasenet_keras.io.rates import (
    DEFAULT_RATE_HZ,
    may_say_rate,
    one_rate,
    rates_in,
    said_of_no_rate,
    says_rate,
    says_step,
)
from phasenet_keras.io.record_names import has_date
from phasenet_keras.io.registry import HEAD_BYTES, FormatNote, Reader, register_reader, say
from phasenet_keras.io.text_columns import (
    TextColumns,
    are_even,
    columns_of,
    without_comment,
)
from phasenet_keras.io.times import START_TIMES, date_time
from phasenet_keras.io.wording import some
from phasenet_keras.types import FormatError

if TYPE_CHECKING:
    from obspy import Stream

__all__ = ["TIMES", "header_of", "header_of_times"]

# What a vector of the times of the samples may be called, in s.
TIMES = ("t", "time", "time_s")
NPZ_FIELDS = ("data", *TIMES, *START_TIMES, "t0", "station_id", "channels", "components")
# How far comments at the start of a text file may go.
COMMENT_BYTES = 1 << 18
# As many are not between time 0 and a record's begin, but for those since 1970: a day at MHz.
MOST_SAMPLES_BEFORE = 1e11
# AA.S0001.BXZ.semd, perhaps with a prefix.
_SPECFEM_NAME = re.compile(r"(?:(.+)\.)?(\w+)\.(\w+)\.(\w{3})\.sem[dvap]")


def _is_npz(path: Path, head: bytes) -> bool:
    return head.startswith(b"PK") and path.suffix.lower() == ".npz"


def _read_npz(path: Path, headers_only: bool) -> Stream:
    """Read PhaseNet's layout: ``data`` of ``(samples, 3)`` or ``(samples, 1, 3)``, E, N, Z.

    A channel that is all zero is a missing one; ``stats.file_channels`` has it, too.
    ``sampling_rate`` or ``dt`` (and what `says_rate` knows), or ``t`` (`TIMES`), ``begin_time`` (or
    `START_TIMES`, ``t0``), ``channels`` (all of them, where they are in another order) and
    ``station_id`` are used where the file has them; else 100 Hz, 1970, its name. Where the file is
    not in PhaseNet's layout, or has an array that may be the rate, it is said that 100 Hz is
    assumed.
    """
    from obspy import Stream, Trace

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
        header = _npz_header(fields, names, len(data))
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise FormatError(f"{path}: its sampling rate or start time is no such: {error}") from error
    components = _components(fields, data.shape[1])
    station = " ".join(_texts(fields, "station_id")) or path.stem
    live = np.any((data != 0) & ~np.isnan(data.astype(np.float64)), axis=0)
    keep = live if live.any() else np.ones_like(live)
    stream = Stream()
    for column in np.flatnonzero(keep):
        trace = Trace(np.ascontiguousarray(data[:, column]), header=dict(header))
        trace.stats.channel = components[column]
        trace.stats.station_name = station
        trace.stats.file_channels = components
        stream.append(trace)
    return stream


def _npz_header(
    fields: Mapping[str, np.ndarray], names: Sequence[str], n_samples: int
) -> dict[str, Any]:
    """Return rate and start of the samples of an npz file."""
    vectors = (fields[name] for name in TIMES if name in fields)
    times = next((array for array in vectors if array.shape == (n_samples,)), None)
    header = header_of(times, fields, lambda name: float(fields[name]))
    if header["sampling_rate"] is None:
        # PhaseNet's own files say none: they have three channels, and are of 100 Hz.
        if fields["data"].shape[-1] != len(COMPONENTS) or any(map(may_say_rate, names)):
            say(said_of_no_rate("npz", names), FormatNote)
        header["sampling_rate"] = DEFAULT_RATE_HZ
    start = next((fields[name] for name in (*START_TIMES, "t0") if name in fields), None)
    if start is None:
        return header
    return {"sampling_rate": header["sampling_rate"], "starttime": date_time(str(start[()]))}


def _components(fields: Mapping[str, np.ndarray], n_columns: int) -> tuple[str, ...]:
    """Return the component of each column: PhaseNet's, but where all are named as others."""
    for name in ("channels", "components"):
        codes = re.findall(r"[^\W_]+", "_".join(_texts(fields, name)))
        codes = [*codes[0]] if len(codes) == 1 and len(codes[0]) == n_columns else codes
        found = components_of(codes)
        # Horizontals with numbers are in PhaseNet's columns as they come: 1, 2, Z.
        if len(found) == len(codes) == n_columns and not codes[0][-1].isdecimal():
            return tuple(found[code] for code in codes)
    return COMPONENTS if n_columns == len(COMPONENTS) else ("Z",)


def _texts(fields: Mapping[str, np.ndarray], name: str) -> list[str]:
    """Return the texts in an array; none where there is no such."""
    items = np.ravel(fields.get(name, ())).tolist()
    return [i.decode("utf-8", "replace") if isinstance(i, bytes) else str(i) for i in items]


def _is_text(path: Path, head: bytes) -> bool:
    found = _columns_of(path, head)
    return found is not None and (len(found.values) == 1 or bool(found.components))


def _is_text_of_sensors(path: Path, head: bytes) -> bool:
    found = _columns_of(path, head)
    return found is not None and len(found.values) > 1 and not found.components


def _columns_of(path: Path, head: bytes) -> TextColumns | None:
    """Return the columns of a text; None for all other files, and tables that are no waveforms."""
    if b"\0" in head:
        return None
    lines = _whole_lines(head)
    are_comments = not any(without_comment(line).strip() for line in lines[:-1])
    if len(head) == HEAD_BYTES and are_comments:
        with path.open("rb") as file:  # a long one comes first
            lines = _whole_lines(file.read(COMMENT_BYTES))
    found = columns_of(lines)
    if found is None:
        return None
    # Other lines may be settings, with whatever name, as may comments above two columns.
    is_comment = found.is_all and len(found.values) == 1 and lines[0].startswith("#")
    has_names_alone = found.first_line == 1 and not is_comment
    return None if has_names_alone and metadata_kind(path, head) else found


def _whole_lines(head: bytes) -> list[str]:
    lines = head.decode("utf-8-sig", "replace").splitlines()
    if len(head) in (HEAD_BYTES, COMMENT_BYTES):
        del lines[-1]  # cut in its middle
    return lines


def _read_text(path: Path, headers_only: bool) -> Stream:
    """Read columns of time and amplitudes; 1970 stands for time 0."""
    from obspy import Stream, Trace

    try:
        content = path.read_bytes()
        columns = _columns_of(path, content[:HEAD_BYTES]) or TextColumns(0, None, has_comma=False)
        table = _numbers_of(content, columns)
    except (OSError, ValueError) as error:
        raise FormatError(f"{path} is no table of time and amplitude: {error}") from error
    n_columns = 1 + len(columns.values)
    if table.shape[0] < 2 or table.shape[1] != n_columns:
        raise FormatError(
            f"{path} should have {n_columns} columns and two lines or more: {table.shape}"
        )
    time_s = table[:, 0] * columns.unit_s
    try:
        header = header_of_times(time_s)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error
    is_gather = len(columns.values) > 1 and not columns.components
    header |= {"channel": ""} if is_gather else _codes(path.name)
    names = columns.components or [header["channel"]] * len(columns.values)
    if columns.left_out:
        others = some(columns.left_out)
        say(f"columns beside three components are left out: {others}", FormatNote)
    return Stream(
        Trace(np.ascontiguousarray(values), header={**header, "channel": name})
        for name, values in zip(names, table.T[1:], strict=True)
    )


def header_of(
    times: np.ndarray | None, names: Iterable[str], number_of: Callable[[str], float | None]
) -> dict[str, Any]:
    """Return rate and start of samples by their times, and by what says a rate; None for no rate.

    Arguments and errors are those of `header_of_times` and of `rate_of`.
    """
    from obspy import UTCDateTime

    header = {"starttime": UTCDateTime(0)} if times is None else header_of_times(times)
    by_times = {"its times": header["sampling_rate"]} if times is not None else {}
    # Times since 1970 are less exact than a rate, and a step of few digits less than times.
    said = rates_in(names, number_of)
    exact = {name: rate for name, rate in said.items() if not says_step(name)}
    return {**header, "sampling_rate": one_rate(exact | by_times | said)}


def header_of_times(time_s: np.ndarray) -> dict[str, Any]:
    """Return the rate and the start of samples at even times, and the time 0 that these count from.

    Raises:
        FormatError: for times that do not grow by even steps, and for those of a rate that cannot
            be that of seconds: of days and years.

    Example:
        >>> header_of_times(np.array([-0.5, 0.0, 0.5]))["starttime"]
        UTCDateTime(1969, 12, 31, 23, 59, 59, 500000)
    """
    from obspy import UTCDateTime

    if len(time_s) < 2 or not are_even(np.asarray(time_s, np.float64)):
        raise FormatError("its times do not grow by even steps")
    begin_s, end_s = float(time_s[0]), float(time_s[-1])
    rate_hz = float(f"{(len(time_s) - 1) / (end_s - begin_s):.9g}")
    if begin_s * rate_hz > MOST_SAMPLES_BEFORE and not has_date(begin_s):
        raise FormatError(
            f"its times, from {begin_s:.9g} on in steps of {1 / rate_hz:.3g}, should be seconds, "
            "since 1970 or the begin: are they days? Write 86400 * (t - t[0])"
        )
    return {
        "sampling_rate": rate_hz,
        "starttime": UTCDateTime(0) + begin_s,
        # Seconds since 1970 are no times since a trigger.
        **({} if has_date(begin_s) else {"zero_time": UTCDateTime(0)}),
    }


def _numbers_of(content: bytes, columns: TextColumns) -> np.ndarray:
    """Return times and amplitudes of a text, a column each.

    Raises:
        ValueError: if there are other words in them.
    """
    text = content.decode("utf-8-sig", "replace").replace("\u221e", "inf")
    text = re.sub(r"(?<=[\d.])[dD](?=[+-]?\d)", "e", text)
    lines = text.splitlines()[columns.first_line :]
    if columns.has_comma:
        lines = [line.replace(",", ".") for line in lines]
    wanted = None if columns.is_all else (columns.time, *columns.values)
    return np.loadtxt(lines, ndmin=2, delimiter=columns.separator, usecols=wanted, quotechar='"')


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
    Reader(
        "text of columns",
        (".txt", ".ascii", ".csv", ".semd", ".semv", ".sema"),
        _is_text,
        _read_text,
    )
)
register_reader(
    Reader(
        "text of columns, a sensor each",
        (".csv", ".txt"),
        _is_text_of_sensors,
        _read_text,
        one_trace_one_station=True,
    )
)
