"""Picks as lists for locators and associators: NonLinLoc, GaMMA, PyOcto."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from phasenet_keras.io.arrival_formats import codes_of
from phasenet_keras.io.channels import seed_codes
from phasenet_keras.io.new_files import beside_then_rename
from phasenet_keras.io.pick_formats import PickFormat, register_pick_format
from phasenet_keras.io.registry import say
from phasenet_keras.io.station_names import with_plain_stations
from phasenet_keras.io.tables import write_rows
from phasenet_keras.io.times import iso_time, time_decimals
from phasenet_keras.io.wording import free_name, some
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

    NonLinLoc locates one event a block: picks of many events are to be associated first. It knows
    no networks: a station is its code, and NET_STA where several networks have that code. Where a
    station has several instruments, their column has location and codes: ``10HN``.

    Args:
        picks: any number, also none: then the file is empty.
        path: of the file; it appears when it is complete.
        time_errors_s: standard deviation by phase; where it is not known, 5 samples of the
            network for P and 8 for S.

    Warns:
        RecordWarning: that stations are written as NET_STA.
    """
    picks = with_plain_stations(picks)
    columns = _nonlinloc_columns({pick.station for pick in picks})
    with beside_then_rename(path) as file:
        for pick in picks:
            station, instrument = columns[pick.station]
            time = pick.time.datetime
            seconds = iso_time(pick.time, pick.sampling_rate).rpartition(":")[2]
            error_s = (time_errors_s or {}).get(pick.phase) or _usual_error_s(pick)
            # Component, onset and first motion are not known; no coda, no amplitude.
            file.write(
                f"{station:<6} {instrument:<4} ?    ? {pick.phase:<6} ? "
                f"{time.year:04d}{time:%m%d %H%M} {seconds} GAU {error_s:9.2e} "
                f"{-1:9.2e} {-1:9.2e} {-1:9.2e}\n"
            )


def _nonlinloc_columns(ids: Collection[str]) -> dict[str, tuple[str, str]]:
    """Return station and instrument as NonLinLoc is told them, by SEED id."""
    instruments = Counter(map(codes_of, ids))
    networks = Counter(code for _, code in instruments)
    names: dict[tuple[str, str], str] = {}
    for network, code in sorted(instruments, key=lambda codes: (networks[codes[1]], codes)):
        wanted = code if networks[code] == 1 else f"{network}_{code}".lstrip("_")
        names[network, code] = free_name(wanted, names.values())
    changed = [f"{'.'.join(codes)} is {n}" for codes, n in sorted(names.items()) if n != codes[1]]
    if changed:
        say(
            "NonLinLoc knows no networks, and several have a station of one code: "
            f"{some(changed)}; name them so in its list of stations (GTSRCE)"
        )
    return {
        name: (
            names[codes_of(name)],
            ("".join(seed_codes(name)[2:]) if instruments[codes_of(name)] > 1 else "") or "?",
        )
        for name in ids
    }


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
            pick.station.rpartition(".")[0] if pick.station.count(".") == 3 else pick.station,
            pick.phase,
            f"{Decimal(pick.time.ns).scaleb(-9):.{time_decimals(pick.sampling_rate)}f}",
        )
        for pick in picks
    )
    _write_rows(("station", "phase", "time"), rows, path)


def _write_rows(columns: Sequence[str], rows: Iterable[Sequence[str]], path: Path) -> None:
    with beside_then_rename(path) as file:
        write_rows(file, columns, rows)


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
