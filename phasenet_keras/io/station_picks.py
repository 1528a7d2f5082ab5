"""Picks as lists for locators and associators: NonLinLoc, GaMMA, PyOcto."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from phasenet_keras.io.arrival_formats import codes_of
from phasenet_keras.io.new_files import beside_then_rename
from phasenet_keras.io.pick_formats import PickFormat, register_pick_format
from phasenet_keras.io.station_names import with_plain_stations
from phasenet_keras.io.tables import write_rows
from phasenet_keras.io.times import iso_time, time_decimals
from phasenet_keras.types import Pick

__all__ = ["ERROR_SAMPLES", "write_gamma", "write_nonlinloc", "write_pyocto"]

# NonLinLoc wants an error. Where none is known: the residuals that the paper of PhaseNet gives for
# P and S at 100 Hz, in samples of the network.
ERROR_SAMPLES = {"P": 5.0, "S": 8.0}
PAPER_RATE_HZ = 100.0


def write_nonlinloc(
    picks: Iterable[Pick], path: Path, time_errors_s: Mapping[str, float] | None = None
) -> None:
    """Write picks as observations of NonLinLoc (``NLLOC_OBS``): one block, by time.

    NonLinLoc locates one event a block: picks of many events are to be associated first.

    Args:
        picks: any number, also none: then the file is empty.
        path: of the file; it appears when it is complete.
        time_errors_s: standard deviation by phase; where it is not known, 5 samples of the
            network for P and 8 for S.
    """
    with beside_then_rename(path) as file:
        for pick in with_plain_stations(picks):
            time = pick.time.datetime
            seconds = iso_time(pick.time, pick.sampling_rate).rpartition(":")[2]
            error_s = (time_errors_s or {}).get(pick.phase) or _usual_error_s(pick)
            # Instrument, component, onset and first motion are not known; no coda, no amplitude.
            file.write(
                f"{codes_of(pick.station)[1]:<6} ?    ?    ? {pick.phase:<6} ? "
                f"{time.year:04d}{time:%m%d %H%M} {seconds} GAU {error_s:9.2e} "
                f"{-1:9.2e} {-1:9.2e} {-1:9.2e}\n"
            )


def write_gamma(
    picks: Iterable[Pick], path: Path, time_errors_s: Mapping[str, float] | None = None
) -> None:
    """Write picks as a CSV that GaMMA takes: ``id, timestamp, prob, type``; types are lower case.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from obspy import UTCDateTime
        >>> with TemporaryDirectory() as folder:
        ...     write_gamma([Pick(UTCDateTime(9), "CX.PB01..HH", "P", 0.9)], Path(folder) / "a")
        ...     (Path(folder) / "a").read_text().splitlines()[1]
        'CX.PB01..HH,1970-01-01T00:00:09.000000,0.9000,p'
    """
    rows = (
        (
            pick.station,
            iso_time(pick.time, pick.sampling_rate),
            f"{pick.probability:.4f}",
            pick.phase.lower(),
        )
        for pick in picks
    )
    _write_rows(("id", "timestamp", "prob", "type"), rows, path)


def write_pyocto(
    picks: Iterable[Pick], path: Path, time_errors_s: Mapping[str, float] | None = None
) -> None:
    """Write picks as a CSV that PyOcto takes: ``station, phase, time`` in seconds since 1970.

    Of a SEED id network, station and location are written, as its stations are named that come
    from an ObsPy inventory.
    """
    rows = (
        (
            _without_channel(pick.station),
            pick.phase,
            f"{Decimal(pick.time.ns).scaleb(-9):.{time_decimals(pick.sampling_rate)}f}",
        )
        for pick in picks
    )
    _write_rows(("station", "phase", "time"), rows, path)


def _write_rows(columns: Sequence[str], rows: Iterable[Sequence[str]], path: Path) -> None:
    with beside_then_rename(path) as file:
        write_rows(file, columns, rows)


def _without_channel(station: str) -> str:
    parts = station.split(".")
    return ".".join(parts[:3]) if len(parts) == 4 else station


def _usual_error_s(pick: Pick) -> float:
    is_known = math.isfinite(pick.sampling_rate) and pick.sampling_rate > 0
    samples = ERROR_SAMPLES.get(pick.phase, max(ERROR_SAMPLES.values()))
    return samples / (pick.sampling_rate if is_known else PAPER_RATE_HZ)


register_pick_format(
    PickFormat(
        name="nonlinloc",
        endings=(".obs",),
        content="NonLinLoc's observations (`NLLOC_OBS`)",
        write=write_nonlinloc,
        holds_time_errors=True,
    )
)
register_pick_format(
    PickFormat(
        name="gamma",
        endings=(".gamma.csv",),
        content="GaMMA's columns `id,timestamp,prob,type`",
        write=write_gamma,
    )
)
register_pick_format(
    PickFormat(
        name="pyocto",
        endings=(".pyocto.csv",),
        content="PyOcto's columns `station,phase,time`, seconds since 1970",
        write=write_pyocto,
    )
)
