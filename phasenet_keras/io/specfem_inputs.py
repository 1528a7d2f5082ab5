"""The inputs of a SPECFEM2D run: what Par_file, SOURCE and STATIONS say of its seismograms."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.io.registry import say
from phasenet_keras.types import FormatError

if TYPE_CHECKING:
    from obspy import UTCDateTime

__all__ = ["RunInputs", "Station", "input_path", "is_specfem_run", "read_inputs"]

# Older versions of the program call them otherwise.
TIME_STEP = ("DT", "deltat")
SAMPLE_EVERY = ("NTSTEP_BETWEEN_OUTPUT_SAMPLE", "subsamp_seismos", "NSTEP_BETWEEN_OUTPUT_SAMPLE")
# The program starts before its wavelet does, by so many periods 1/f0; by more for two of its
# kinds of time_function_type (5 Heaviside, 11 Ormsby), and not at all for another.
LEAD_PERIODS = 1.2
LEAD_PERIODS_OF_TYPE: Mapping[str, float] = {"5": 2.0, "11": 2.0}
TYPE_WITHOUT_LEAD = "10"
# Dates end somewhere; no simulation starts so far from its source.
LONGEST_LEAD_S = 1e9
USE_THE_RIGHT_FILE = "use the file that the simulation ran with"


@dataclass(frozen=True)
class Station:
    """One receiver, and its distance from the source in metres."""

    network: str
    name: str
    offset_m: float


@dataclass(frozen=True)
class RunInputs:
    """What the inputs of a run say of its seismograms.

    Attributes:
        outputs: the folder that they are in.
        stations: in the order of STATIONS.
        sampling_rate: of what is written, in Hz.
        n_samples: of each seismogram.
        start_time: of the first sample; time 0 of the simulation is 1970-01-01.
    """

    outputs: Path
    stations: Sequence[Station]
    sampling_rate: float
    n_samples: int
    start_time: UTCDateTime


def input_path(folder: Path, name: str) -> Path | None:
    """Return where an input of a run is: in its folder DATA, or else beside OUTPUT_FILES."""
    candidates = (folder / "DATA" / name, folder / name)
    return next((path for path in candidates if path.is_file()), None)


def is_specfem_run(folder: str | PathLike[str]) -> bool:
    """Say if a folder is one run of SPECFEM2D: a Par_file and a folder OUTPUT_FILES.

    Example:
        >>> is_specfem_run("no/such/folder")
        False
    """
    folder = Path(folder)
    return input_path(folder, "Par_file") is not None and (folder / "OUTPUT_FILES").is_dir()


def read_inputs(folder: Path) -> RunInputs:
    """Read Par_file, SOURCE and STATIONS of a run.

    Raises:
        FormatError: if one of them or OUTPUT_FILES is missing, or lacks what is needed.

    Warns:
        RecordWarning: for several sources.

    Example:
        >>> read_inputs(Path("run1")).sampling_rate  # doctest: +SKIP
        2000.0
    """
    from obspy import UTCDateTime

    paths = {name: input_path(folder, name) for name in ("Par_file", "SOURCE", "STATIONS")}
    missing = [f"DATA/{name}" for name, path in paths.items() if path is None]
    outputs = folder / "OUTPUT_FILES"
    if not outputs.is_dir():
        missing.append("OUTPUT_FILES")
    if missing:
        raise FormatError(
            f"{folder} should be a SPECFEM2D run with DATA/Par_file, DATA/SOURCE, DATA/STATIONS "
            f"and OUTPUT_FILES; it lacks {', '.join(missing)}: copy them from where the "
            "simulation ran"
        )
    par_path, source_path, stations_path = (path for path in paths.values() if path)
    par, source = _Parameters(par_path), _Parameters(source_path)
    n_sources = len(source.texts.get("xs", ()))
    if n_sources > 1:
        say(f"{source_path} has {n_sources} sources: times and distances are of the first")
    interval_s, n_samples = _sampling(par)
    start_s = _start_s(par, source)
    if abs(start_s) > LONGEST_LEAD_S:
        raise FormatError(
            f"{folder} should start near time 0, received {start_s:g} s: correct USER_T0 in "
            "Par_file, or f0 and tshift in SOURCE"
        )
    return RunInputs(
        outputs=outputs,
        stations=_stations(stations_path, _source_position(source, outputs)),
        sampling_rate=float(f"{1.0 / interval_s:.9g}"),
        n_samples=n_samples,
        start_time=UTCDateTime(0) + start_s,
    )


class _Parameters:
    """Lines of ``name = value # comment``; a name has a value for each of its lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.texts: dict[str, list[str]] = {}
        for line in _text(path).splitlines():
            name, equals, value = line.split("#")[0].partition("=")
            if equals:
                self.texts.setdefault(name.strip(), []).append(value.strip())

    def text(self, names: Sequence[str]) -> str:
        """Return the first value of the first name that is there, or an empty string."""
        return next((self.texts[name][0] for name in names if name in self.texts), "")

    def number(self, *names: str, default: float | None = None) -> float:
        text = self.text(names)
        if not text and default is not None:
            return default
        value = _fortran(text)
        if math.isnan(value):
            raise FormatError(
                f"{self.path} should set {' or '.join(names)} to a number, received "
                f"{repr(text) if text else 'nothing'}: {USE_THE_RIGHT_FILE}"
            )
        return value


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise FormatError(f"{path} cannot be read: {error.strerror or error}") from error


def _fortran(text: str) -> float:
    """Return a number as Fortran writes it (``2.5d-05``), NaN where it is none or infinite."""
    try:
        value = float(re.sub("[dD]", "e", text))
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _sampling(par: _Parameters) -> tuple[float, int]:
    """Return the interval in seconds between written samples, and how many there are."""
    step_s = par.number(*TIME_STEP)
    n_steps = int(par.number("NSTEP"))
    every = int(par.number(*SAMPLE_EVERY, default=1))
    if not (step_s > 0 and math.isfinite(1.0 / step_s) and n_steps >= every >= 1):
        raise FormatError(
            f"{par.path} should have a time step above 0 and at least one sample; received DT "
            f"{step_s:g}, NSTEP {n_steps}, NTSTEP_BETWEEN_OUTPUT_SAMPLE {every}: "
            f"{USE_THE_RIGHT_FILE}"
        )
    return step_s * every, n_steps // every


def _start_s(par: _Parameters, source: _Parameters) -> float:
    """Return the time in seconds of the first sample."""
    user_t0_s = par.number("USER_T0", default=0.0)
    if user_t0_s > 0:
        return -user_t0_s
    kind = source.text(("time_function_type",))
    if kind == TYPE_WITHOUT_LEAD:
        return 0.0
    f0_hz = source.number("f0")
    if not f0_hz > 0:
        raise FormatError(
            f"{source.path} should have an f0 above 0 Hz, received {f0_hz:g}: the times start at "
            "-1.2/f0 where USER_T0 is 0; correct f0, or set USER_T0 in Par_file"
        )
    periods = LEAD_PERIODS_OF_TYPE.get(kind, LEAD_PERIODS)
    return -(periods / f0_hz + source.number("tshift", default=0.0))


def _source_position(source: _Parameters, outputs: Path) -> tuple[float, float]:
    """Return x and z in metres of the first source."""
    x_m, z_m = source.number("xs"), source.number("zs")
    is_moved = source.text(("source_surf",)).lower().lstrip(".").startswith("t")
    used = outputs / "for_information_SOURCE_actually_used"
    if is_moved and used.is_file():
        # The program ignores zs then, and writes down where it found the surface.
        position = [_fortran(field) for field in _text(used).split()[:2]]
        if len(position) == 2 and not any(map(math.isnan, position)):
            x_m, z_m = position
    return x_m, z_m


def _stations(path: Path, source: tuple[float, float]) -> list[Station]:
    found: dict[tuple[str, str], Station] = {}
    for number, line in enumerate(_text(path).splitlines(), start=1):
        fields = line.split("#")[0].split()
        if not fields:
            continue
        x_m, z_m = [_fortran(field) for field in fields[2:4]] if len(fields) > 3 else [math.nan] * 2
        if math.isnan(x_m + z_m) or (fields[1], fields[0]) in found:
            raise FormatError(
                f"{path}, line {number}: a line should name a station of its own, its network, x "
                f"and z in metres; received '{line.strip()}': correct the line"
            )
        offset_m = math.hypot(x_m - source[0], z_m - source[1])
        found[fields[1], fields[0]] = Station(fields[1], fields[0], offset_m)
    if not found:
        raise FormatError(
            f"{path} should name at least one station, received none: {USE_THE_RIGHT_FILE}"
        )
    return list(found.values())
