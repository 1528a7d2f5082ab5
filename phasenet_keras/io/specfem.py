"""SPECFEM2D runs: a folder of inputs and seismograms becomes one record a station."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from phasenet_keras.io.channels import components_of
from phasenet_keras.io.registry import read_stream, say
from phasenet_keras.io.specfem_inputs import RunInputs, Station, is_specfem_run, read_inputs
from phasenet_keras.io.specfem_su import SU_NAME
from phasenet_keras.io.wording import some
from phasenet_keras.types import FormatError, Waveform

if TYPE_CHECKING:
    from obspy import UTCDateTime

__all__ = ["is_specfem_run", "read_specfem_run"]

# In the order of preference.
PATTERNS: Mapping[str, re.Pattern[str]] = {
    "ascii": re.compile(
        r"^(?P<network>[^.]+)\.(?P<station>[^.]+)\.(?P<band>\w\w)(?P<axis>[XYZ])"
        r"\.sem(?P<quantity>[dva])$"
    ),
    "binary": re.compile(
        r"^U(?P<axis>[xyz])_file_(?P<precision>single|double)_(?P<quantity>[dva])\.bin$"
    ),
    "su": SU_NAME,
}
# By preference: name and units.
QUANTITIES: Mapping[str, tuple[str, str]] = {
    "d": ("displacement", "m"),
    "v": ("velocity", "m/s"),
    "a": ("acceleration", "m/s/s"),
}
# SPECFEM2D names its channels BXX, BXY, BXZ; binary and SU files leave that unsaid.
BAND = "BX"
SU_HEADER_BYTES = 240


@dataclass(frozen=True)
class _Output:
    """One file of seismograms, as its name tells."""

    path: Path
    axis: str
    quantity: str
    precision: str = ""
    network: str = ""
    station: str = ""
    band: str = BAND

    @property
    def codes(self) -> tuple[str, str]:
        """Network and station, where each has a file of its own."""
        return self.network, self.station


@dataclass(frozen=True)
class _Column:
    """One component of one station: ``values`` is ``(n_samples,)``."""

    values: np.ndarray
    sampling_rate: float
    start_time: UTCDateTime
    output: _Output


def read_specfem_run(folder: str | PathLike[str], *, kind: str | None = None) -> list[Waveform]:
    """Read the seismograms of one SPECFEM2D run.

    Units and channels follow the file names: X is E, Y is N. Distances are straight lines from
    the first source to DATA/STATIONS; a source that the program moved to the surface stands where
    the program says it put it. Where there are displacement, velocity and acceleration, the first
    of these is read; of single and double precision the double.

    Args:
        folder: of the run; it holds DATA (or the Par_file itself) and OUTPUT_FILES.
        kind: ``"ascii"``, ``"binary"`` or ``"su"``; None takes the first of these that is there.

    Returns:
        One `Waveform` a station in the order of DATA/STATIONS: ``(n_samples, n_channels)`` in m,
        m/s or m/s/s, ``offset_m`` in metres. Time 0 of the simulation is 1970-01-01. ASCII files
        carry their own times; for the others the axis starts at -USER_T0, or, where that is 0,
        at -(1.2/f0 + tshift).

    Raises:
        FormatError: if an input is missing or unreadable, there are no seismograms of the kind,
            a file does not have the size that Par_file and STATIONS ask for, the components of a
            station differ in length, or no station is left.

    Warns:
        RecordWarning: for several sources, several quantities, ASCII files shorter than the run,
            and stations left out: without a file, not in STATIONS, or with NaN or infinite values
            (an unstable simulation).

    Example:
        >>> waves = read_specfem_run("run1")  # doctest: +SKIP
        >>> waves[0].station, waves[0].channels, waves[0].offset_m  # doctest: +SKIP
        ('AA.S0001..BX', ('E', 'Z'), 4.0)
    """
    run = read_inputs(Path(folder))
    kind, outputs = _choose(run.outputs, kind)
    columns = _read_ascii(run, outputs) if kind == "ascii" else _read_arrays(run, outputs, kind)
    waves = []
    for station, parts in zip(run.stations, columns, strict=True):
        reason = _unusable(parts)
        if reason:
            say(f"{run.outputs}: station {station.network}.{station.name} left out: {reason}")
        else:
            waves.append(_waveform(station, parts))
    if not waves:
        raise FormatError(
            f"{run.outputs} should hold a usable seismogram of at least one of "
            f"{len(run.stations)} stations; none is: check the stability of the simulation (time "
            "step) and that STATIONS belongs to it"
        )
    return waves


def _choose(folder: Path, kind: str | None) -> tuple[str, list[_Output]]:
    """Return the kind of files to read and those of one quantity, in the order of their names."""
    if kind is not None and kind not in PATTERNS:
        raise FormatError(f"kind should be one of {', '.join(PATTERNS)} or None, received '{kind}'")
    try:
        names = sorted(path.name for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise FormatError(f"{folder} cannot be read: {error.strerror or error}") from error
    for candidate in PATTERNS if kind is None else (kind,):
        matches = [match for match in map(PATTERNS[candidate].match, names) if match]
        if matches:
            outputs = [_Output(folder / match.string, **match.groupdict()) for match in matches]
            return candidate, _of_one_quantity(folder, outputs)
    raise FormatError(
        f"{folder} should hold seismograms{f' of kind {kind}' if kind else ''} of displacement, "
        "velocity or acceleration (AA.S0001.BXZ.semd, Uz_file_single_d.bin or "
        f"Uz_file_single_d.su); it holds {some(names, 5) or 'nothing'}: run the solver to its "
        "end with save_ASCII_seismograms, save_binary_seismograms_single or SU_FORMAT"
    )


def _of_one_quantity(folder: Path, outputs: Sequence[_Output]) -> list[_Output]:
    there = [letter for letter in QUANTITIES if any(item.quantity == letter for item in outputs)]
    if len(there) > 1:
        names = [QUANTITIES[letter][0] for letter in there]
        say(f"{folder} holds {' and '.join(names)}: {names[0]} is read")
    return [item for item in outputs if item.quantity == there[0]]


def _read_ascii(run: RunInputs, outputs: Sequence[_Output]) -> list[list[_Column]]:
    """Return the columns of each station; one file is one column, with times of its own."""
    columns: dict[tuple[str, str], list[_Column]] = {
        (station.network, station.name): [] for station in run.stations
    }
    unknown = sorted({".".join(o.codes) for o in outputs if o.codes not in columns})
    if unknown:
        say(f"{run.outputs}: not in STATIONS and left out: {', '.join(unknown)}")
    short = 0
    for output in outputs:
        if output.codes in columns:
            trace = read_stream(output.path)[0]
            stats = trace.stats
            short += stats.npts < run.n_samples
            column = _Column(trace.data, stats.sampling_rate, stats.starttime, output)
            columns[output.codes].append(column)
    if short:
        say(
            f"{run.outputs}: {short} files have fewer than the {run.n_samples} samples of the "
            "Par_file: the simulation did not reach its end"
        )
    return list(columns.values())


def _read_arrays(run: RunInputs, outputs: Sequence[_Output], kind: str) -> list[list[_Column]]:
    """Return the columns of each station; one file holds a component of all stations."""
    # Both precisions are one seismogram; double is what the ASCII files hold.
    by_axis = {o.axis: o for o in sorted(outputs, key=lambda o: o.precision, reverse=True)}
    columns: list[list[_Column]] = [[] for _ in run.stations]
    for output in by_axis.values():
        values = _read_array(run, output, SU_HEADER_BYTES if kind == "su" else 0)
        for parts, row in zip(columns, values, strict=True):
            parts.append(_Column(row, run.sampling_rate, run.start_time, output))
    return columns


def _read_array(run: RunInputs, output: _Output, header_bytes: int) -> np.ndarray:
    """Return ``(n_stations, n_samples)`` of one file: for each station a header and its values."""
    number = np.dtype("<f8" if output.precision == "double" else "<f4")
    expected = len(run.stations) * (header_bytes + run.n_samples * number.itemsize)
    try:
        received = output.path.stat().st_size
        if received == expected:
            raw = np.fromfile(output.path, np.uint8).reshape(len(run.stations), -1)
            return np.ascontiguousarray(raw[:, header_bytes:]).view(number)
    except OSError as error:
        raise FormatError(f"{output.path} cannot be read: {error.strerror or error}") from error
    raise FormatError(
        f"{output.path} should have {expected} bytes ({len(run.stations)} stations of "
        f"{run.n_samples} samples), received {received} bytes: check that the simulation reached "
        "its end and that Par_file and STATIONS are those it ran with"
    )


def _unusable(parts: Sequence[_Column]) -> str:
    """Return why a station gives no record, or an empty string."""
    if not parts:
        return "it has no file"
    for part in parts:
        with np.errstate(over="ignore", invalid="ignore"):
            is_good = np.isfinite(part.values.astype(np.float32)).all()
        if not is_good:
            return f"NaN or infinite values in {part.output.path.name} (unstable simulation?)"
    return ""


def _waveform(station: Station, parts: Sequence[_Column]) -> Waveform:
    from obspy import UTCDateTime

    components = components_of(part.output.axis for part in parts)
    parts = sorted(parts, key=lambda part: components[part.output.axis])
    first, last = parts[0], parts[-1]
    extents = {(len(p.values), p.sampling_rate, p.start_time.ns) for p in parts}
    if len(extents) > 1 or len(components) < len(parts):
        raise FormatError(
            f"{first.output.path.parent}: the components of station {station.name} should be "
            "one file each, of one length and one time axis; received "
            + ", ".join(f"{p.output.path.name} ({len(p.values)} samples)" for p in parts)
            + ": remove what is left of an earlier run"
        )
    return Waveform(
        data=np.stack([part.values for part in parts], axis=1),
        sampling_rate=first.sampling_rate,
        start_time=first.start_time,
        channels=tuple(components[part.output.axis] for part in parts),
        station=f"{station.network}.{station.name}..{first.output.band}",
        units=QUANTITIES[first.output.quantity][1],
        offset_m=station.offset_m,
        source=last.output.path.name,
        zero_time=UTCDateTime(0),  # of the simulation
    )
