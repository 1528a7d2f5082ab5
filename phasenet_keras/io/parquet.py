"""Picks as Parquet: the columns of the CSV, with types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phasenet_keras.io.new_files import NO_TEXT, beside_then_rename
from phasenet_keras.io.pick_formats import PickFormat, register_pick_format
from phasenet_keras.io.tables import PICK_COLUMNS
from phasenet_keras.types import FormatError, MissingExtraError, Pick

if TYPE_CHECKING:
    from obspy import UTCDateTime

__all__ = ["read_parquet", "write_parquet"]

NS_PER_US = 1000
# Written at once; more are not held.
GROUP_ROWS = 1 << 17


def write_parquet(
    picks: Iterable[Pick], path: Path, time_errors_s: Mapping[str, float] | None = None
) -> None:
    """Write picks as Parquet: columns as in `write_picks`' CSV, times in UTC with microseconds.

    Raises:
        MissingExtraError: without pyarrow.
    """
    arrow, parquet = _pyarrow()
    schema = _schema(arrow)
    rows = map(_values, picks)
    with beside_then_rename(path, "wb") as file, parquet.ParquetWriter(file, schema) as writer:
        while group := list(islice(rows, GROUP_ROWS)):
            columns = zip(zip(*group, strict=True), schema, strict=True)
            arrays = [arrow.array(column, field.type) for column, field in columns]
            writer.write_table(arrow.table(arrays, schema=schema))


def read_parquet(path: Path) -> list[Pick]:
    """Read picks that `write_parquet` wrote.

    Raises:
        FormatError: if it cannot be read, or lacks a column.
        MissingExtraError: without pyarrow.
    """
    arrow, parquet = _pyarrow()
    schema = _schema(arrow)
    try:
        with path.open("rb") as file:
            table = parquet.read_table(file)
        missing = set(schema.names) - set(table.column_names)
        if missing:
            raise FormatError(f"{path} has no columns {', '.join(sorted(missing))}")
        table = table.select(schema.names).cast(schema)
        for number, field in enumerate(schema):
            if arrow.types.is_timestamp(field.type):  # as whole numbers, which have no limits
                whole = table.column(number).cast(arrow.int64())
                table = table.set_column(number, field.name, whole)
    except (OSError, arrow.ArrowException) as error:
        raise FormatError(f"{path} is no readable table of picks: {error}") from error
    return [_pick(row) for row in table.to_pylist()]


def _schema(arrow: Any) -> Any:
    time = arrow.timestamp("us", tz="UTC")
    types = {
        "begin_time": time,
        "phase_time": time,
        "phase_index": arrow.int64(),
        **dict.fromkeys(
            ("phase_score", "phase_amplitude", "sampling_rate_hz", "snr_db"), arrow.float64()
        ),
    }
    return arrow.schema([(name, types.get(name, arrow.string())) for name in PICK_COLUMNS])


def _values(pick: Pick) -> tuple[object, ...]:
    """Return what the columns of `PICK_COLUMNS` hold."""
    return (
        _text(pick.station),
        None if pick.start_time is None else _microseconds(pick.start_time),
        int(pick.sample),
        _microseconds(pick.time),
        float(pick.probability),
        _text(pick.phase),
        _text(pick.source),
        None if pick.amplitude is None else float(pick.amplitude),
        None if pick.units is None else _text(pick.units),
        float(pick.sampling_rate),
        _text(pick.preset),
        None if pick.snr_db is None else float(pick.snr_db),
    )


def _text(text: str) -> str:
    # File names may hold bytes that are no text; they are spelt out, as in the CSV.
    return text.encode("utf-8", NO_TEXT).decode("utf-8")


def _pick(row: dict[str, Any]) -> Pick:
    begin = row["begin_time"]
    return Pick(
        time=_time(row["phase_time"]),
        station=row["station_id"],
        phase=row["phase_type"],
        probability=row["phase_score"],
        amplitude=row["phase_amplitude"],
        units=row["amplitude_units"],
        preset=row["preset"],
        sample=row["phase_index"],
        sampling_rate=row["sampling_rate_hz"],
        start_time=None if begin is None else _time(begin),
        source=row["file_name"],
        snr_db=row["snr_db"],
    )


def _microseconds(time: UTCDateTime) -> int:
    return (time.ns + NS_PER_US // 2) // NS_PER_US


def _time(microseconds: int) -> UTCDateTime:
    from obspy import UTCDateTime

    return UTCDateTime(ns=microseconds * NS_PER_US)


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("picks as Parquet", "pyarrow", "parquet", error) from error
    return pyarrow, pyarrow.parquet


register_pick_format(
    PickFormat(
        name="parquet",
        endings=(".parquet", ".pq"),
        content="the columns of the CSV with types (`pip install 'phasenet-keras[parquet]'`)",
        write=write_parquet,
        read=read_parquet,
        check=_pyarrow,
    )
)
