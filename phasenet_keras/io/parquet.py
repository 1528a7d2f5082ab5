"""Picks as Parquet: the columns of the CSV, with types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phasenet_keras.io.new_files import NO_TEXT, beside_then_rename
from phasenet_keras.io.pick_formats import PickFormat, register_pick_format
from phasenet_keras.io.tables import PICK_FIELDS
from phasenet_keras.types import FormatError, MissingExtraError, Pick

if TYPE_CHECKING:
    from obspy import UTCDateTime

__all__ = ["read_parquet", "write_parquet"]

NS_PER_US = 1000
# Written at once; more are not held.
GROUP_ROWS = 1 << 17
UTC = "UTC"
# What columns hold that is no text.
KINDS: Mapping[str, Any] = {
    **dict.fromkeys(("begin_time", "phase_time"), UTC),
    "phase_index": int,
    **dict.fromkeys(("phase_score", "phase_amplitude", "sampling_rate_hz", "snr_db"), float),
}


def write_parquet(
    picks: Iterable[Pick], path: Path, time_errors_s: Mapping[str, float] | None = None
) -> None:
    """Write picks as Parquet: columns as in `write_picks`' CSV, times in UTC with microseconds.

    Raises:
        MissingExtraError: without pyarrow.
    """
    arrow, parquet = _pyarrow()
    schema = _schema(arrow)
    rows = map(attrgetter(*PICK_FIELDS.values()), picks)
    with beside_then_rename(path, "wb") as file, parquet.ParquetWriter(file, schema) as writer:
        while group := list(islice(rows, GROUP_ROWS)):
            columns = zip(schema.names, schema.types, zip(*group, strict=True), strict=True)
            arrays = [arrow.array(_cells(name, values), kind) for name, kind, values in columns]
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
        columns = [_values(name, table.column(name), arrow) for name in PICK_FIELDS]
    except (OSError, arrow.ArrowException) as error:
        raise FormatError(f"{path} is no readable table of picks: {error}") from error
    fields = PICK_FIELDS.values()
    rows = zip(*columns, strict=True)
    return [Pick(**dict(zip(fields, row, strict=True))) for row in rows]


def _schema(arrow: Any) -> Any:
    time = arrow.timestamp("us", tz="UTC")
    types = {UTC: time, int: arrow.int64(), float: arrow.float64(), str: arrow.string()}
    return arrow.schema([(name, types[KINDS.get(name, str)]) for name in PICK_FIELDS])


def _cells(name: str, values: Iterable[Any]) -> list[Any]:
    """Return what a column holds of picks."""
    kind = KINDS.get(name, str)
    convert = {str: _text, UTC: _microseconds}.get(kind, kind)
    return [None if value is None else convert(value) for value in values]


def _text(text: str) -> str:
    # File names may hold bytes that are no text; they are spelt out, as in the CSV.
    return text.encode("utf-8", NO_TEXT).decode("utf-8")


def _values(name: str, column: Any, arrow: Any) -> list[Any]:
    """Return what a column says of picks."""
    if KINDS.get(name) != UTC:
        return column.to_pylist()
    whole = column.cast(arrow.int64()).to_pylist()  # which have no limits
    return [None if value is None else _time(value) for value in whole]


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
