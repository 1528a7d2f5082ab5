"""Labels in a CSV beside waveform files, brought together to labelled records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from phasenet_keras.io.index import expand_paths
from phasenet_keras.io.registry import read_stream
from phasenet_keras.io.waveforms import read_waveforms
from phasenet_keras.types import FormatError, LabelledWaveform, ShapeError, Waveform

__all__ = ["BadRow", "read_labelled_records"]

# Columns of an arrival in samples, by phase, in the order in which they are looked for.
SAMPLE_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "P": ("p_sample", "p_index", "itp", "p_idx"),
    "S": ("s_sample", "s_index", "its", "s_idx"),
}
FILE_COLUMNS = ("fname", "file_name", "file", "trace_name")


@dataclass(frozen=True)
class BadRow:
    """A row or a file that gave no record, and why. Rows count from 1, the header is not one."""

    row: int | None
    text: str


def read_labelled_records(
    waveforms: str | PathLike[str], labels: str | PathLike[str]
) -> tuple[list[LabelledWaveform], list[BadRow]]:
    """Read waveform files and their labels.

    A row belongs to the file that its column ``fname`` (or ``file_name``) names, or to the station
    that ``network`` and ``station`` name; where the table has neither, rows and files are paired
    in order, and their numbers must agree. Arrivals are columns ``itp``, ``its`` (or ``p_index``,
    ``s_index``, ``p_sample``, ``s_sample``), in samples; an empty field is a phase that was
    looked for and not found, a missing column one that was not looked for. ``event``, ``shot`` (or
    ``source``) and ``split`` are used where they are there.

    Args:
        waveforms: a folder, a file or a pattern.
        labels: the CSV.

    Returns:
        The records in the order of the table, and the rows that gave none.

    Raises:
        FormatError: if the table cannot be read, has no column of arrivals, or rows and files
            cannot be brought together.
    """
    import pandas as pd

    try:
        table = pd.read_csv(labels)
    except (OSError, ValueError) as error:
        raise FormatError(f"{labels} is no readable table: {error}") from error
    columns = {
        phase: next((name for name in names if name in table), None)
        for phase, names in SAMPLE_COLUMNS.items()
    }
    if not any(columns.values()):
        wanted = "; ".join(f"{p}: {', '.join(names)}" for p, names in SAMPLE_COLUMNS.items())
        raise FormatError(f"{labels} has no column of arrivals in samples ({wanted})")
    labels_path = Path(labels).resolve()
    paths = [path for path in expand_paths([waveforms]) if path.resolve() != labels_path]
    rows = table.to_dict("records")
    records, bad = [], []
    for number, (row, files) in enumerate(_paired(rows, paths, Path(labels)), start=1):
        try:
            records.append(_record(row, files, columns))
        except (FormatError, ShapeError) as error:
            bad.append(BadRow(number, str(error)))
    return records, bad


def _paired(
    rows: Sequence[Mapping[str, Any]], paths: Sequence[Path], labels: Path
) -> Iterator[tuple[Mapping[str, Any], list[Path]]]:
    """Yield each row with the files of its record."""
    file_column = next((name for name in FILE_COLUMNS if rows and name in rows[0]), None)
    if file_column:
        by_name = {path.name: path for path in paths}
        for row in rows:
            path = by_name.get(Path(str(row[file_column])).name)
            yield row, [path] if path else []
        return
    if rows and "station" in rows[0]:
        by_station = _files_by_station(paths)
        for row in rows:
            yield row, by_station.get(f"{row.get('network', '')}.{row['station']}", [])
        return
    if len(rows) != len(paths):
        raise FormatError(
            f"{labels} has {len(rows)} rows and no column of file names (fname) or stations; "
            f"there are {len(paths)} files: name them in the table, or give as many"
        )
    for row, path in zip(rows, paths, strict=True):
        yield row, [path]


def _files_by_station(paths: Sequence[Path]) -> dict[str, list[Path]]:
    """Return the files of each ``network.station``; what is no waveform is passed over."""
    found: dict[str, list[Path]] = {}
    for path in paths:
        try:
            traces = read_stream(path, headers_only=True)
        except FormatError:
            continue
        for name in {f"{trace.stats.network}.{trace.stats.station}" for trace in traces}:
            found.setdefault(name, []).append(path)
    return found


def _record(
    row: Mapping[str, Any], files: list[Path], columns: Mapping[str, str | None]
) -> LabelledWaveform:
    if not files:
        raise FormatError("there is no file of this name or station")
    waves = read_waveforms(files)
    if len(waves) != 1:
        raise FormatError(f"{files[0]} holds {len(waves)} records; one is wanted")
    [wave] = waves
    arrivals = {
        phase: () if row[column] != row[column] else (float(row[column]),)
        for phase, column in columns.items()
        if column is not None
    }
    shot = row.get("shot", row.get("source", ""))
    return LabelledWaveform(
        _with_offset(wave, row),
        arrivals,
        name=wave.station,
        event=str(row.get("event", "")),
        gather="" if shot == "" else f"shot {shot}",
        split=str(row.get("split", "")),
    )


def _with_offset(wave: Waveform, row: Mapping[str, Any]) -> Waveform:
    offset_m = row.get("offset_m", row.get("distance_m"))
    return wave if offset_m is None else replace(wave, offset_m=float(offset_m))
