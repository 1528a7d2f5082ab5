"""Picks of shot gathers as tables, in three layouts: what the correction of picks starts from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phasenet_keras.io.arrival_formats import COLUMNS
from phasenet_keras.io.assembly import position_of
from phasenet_keras.io.gather_names import (
    OwnNames,
    names_in,
    own_names,
    own_names_of_record,
    read_names,
    shots_of_gathers,
)
from phasenet_keras.io.geometry import RECEIVER, Geometry, rows_of_csv
from phasenet_keras.io.labels.row_columns import (
    AFTER_TRIGGER,
    FILE_COLUMNS,
    GATHER_COLUMNS,
    TIME_COLUMNS_S,
    UNITS_S,
    VALUE_COLUMNS,
)
from phasenet_keras.io.labels.rows import LabelTable
from phasenet_keras.io.parts import BadRow
from phasenet_keras.io.text_tables import first_cell, name_key, number_of
from phasenet_keras.io.times import date_time, time_in
from phasenet_keras.types import ConfigError, FormatError

if TYPE_CHECKING:
    from obspy import UTCDateTime
    from pandas import DataFrame

__all__ = [
    "GatherPicks",
    "read_gather_picks",
]

# Of tables of one pick a row, in the order in which they are looked for.
VALUES = tuple(name for name in VALUE_COLUMNS if AFTER_TRIGGER not in name)
CANDIDATES: Mapping[str, str] = {"P": "itp_pred", "S": "its_pred"}
OWN = ("station_id", "phase_time", "phase_type")
ONE_SHOT, RATE = "1", "sampling_rate_hz"


@dataclass
class GatherPicks:
    """Picks by shot, receiver and phase.

    Attributes:
        table: one row a pick: ``shot, receiver, phase``, ``sample`` or ``time_s`` (NaN where
            there is no pick), and perhaps ``probability, offset_m, station_id, start_time``
            (the UTC time that sample 0 of the row's gather stands for).
        rows: number of the file's row of each row of the table, from 1.
        bad: the rows that could not be used.
        sampling_rate: of the samples in Hz, where the file says it.
        names: of file and station of each row of the table, as ``names`` is searched in them.
    """

    table: DataFrame
    rows: np.ndarray
    bad: list[BadRow] = field(default_factory=list)
    sampling_rate: float | None = None
    names: list[tuple[str, ...]] = field(default_factory=list)


def read_gather_picks(
    path: str | PathLike[str],
    *,
    geometry: Geometry | None = None,
    names: str | None = None,
    shots: int = 0,
    receivers: int = 0,
) -> GatherPicks:
    r"""Read picks of shot gathers from CSV; the layout is recognised by its columns.

    - `write_picks`' own: ``station_id, phase_time, phase_type``. A pick belongs to the shot that
      ``names`` or a column ``shot`` says, else to that of its file where this is a gather
      (SEG-Y, SU, SEG-2; of several shots by their headers) and the geometry knows it, else to the
      last shot of the geometry that was fired before it, else to its record's ``begin_time``; with
      one source there is one shot.
    - ``shot`` (or ``gather``, ``ffid``), ``receiver`` (or ``station``, ``trace``, ``channel``),
      ``phase``, and ``sample``, ``time_s``, ``time_ms`` or ``time_us``; or in place of the last two
      a column a phase (``p_sample, p_time_s, p_ms``), as in tables of labels; perhaps
      ``probability, offset_m, sampling_rate_hz``. An empty cell is no pick. All times become
      ``time_s``. Rows without a shot are of that of their file where they name several gathers.
    - ``fname, itp_pred, itp_pred_prob, its_pred, its_pred_prob``: lists of candidates, of which
      the most probable counts. Rows are in the order shot, receiver (``shots`` and
      ``receivers`` count them), or ``names`` reads both from ``fname``.

    Args:
        path: of the table.
        geometry: tells shots apart by their times.
        names: regular expression with groups ``shot`` and ``receiver``, one or both, searched
            in ``file_name`` or ``fname``, then in the station's name.
        shots: number of shots, where rows are counted.
        receivers: the same of receivers.

    Raises:
        FormatError: if it cannot be read, is of another layout, or holds no row that can be used.
        ConfigError: for a pattern without the groups, or counts that do not fit the rows.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "picks.csv"
        ...     _ = path.write_text("shot,receiver,phase,sample\n1,4,P,90\n1,5,P,x\n")
        ...     found = read_gather_picks(path)
        >>> found.table["sample"].tolist(), str(found.bad[0])
        ([90.0], "row 2: sample should be a number, received 'x'")
    """
    import pandas as pd

    header, rows, bad = rows_of_csv(path)
    pattern = read_names(names)
    columns = set(header)
    if set(CANDIDATES.values()) & columns:
        found = _candidates(rows, pattern, shots, receivers, path)
    elif set(OWN) <= columns:
        found = _own(rows, pattern, geometry)
    elif columns & set(RECEIVER) and (values := _columns_of_values(path, header)):
        found = _plain(rows, header, values, pattern, geometry)
    else:
        raise FormatError(
            f"{path} is no table of picks: columns shot, receiver (or channel, trace), phase, "
            "sample or time_s, time_ms, time_us; or shot, receiver, p_sample or p_time_s, p_ms, "
            f"p_us and so for S; or {', '.join(OWN)}; or fname, itp_pred, its_pred; received "
            f"{', '.join(header)}"
        )
    items = list(found)
    bad += [item for item in items if isinstance(item, BadRow)]
    good = [item for item in items if not isinstance(item, BadRow)]
    if not good:
        said = f": {bad[0]}" if bad else ""
        raise FormatError(f"{path}: none of its {len(rows) + len(bad)} rows can be used{said}")
    table = pd.DataFrame(good)
    numbers = table.pop("row").to_numpy(int)
    texts = [*table.pop("names")]
    rate = _one_rate(table.pop("sampling_rate"), path) if "sampling_rate" in table else None
    if "time" in table:
        table = _samples_of_times(table, rate, geometry)
    for name in ("shot", "receiver"):
        if table[name].str.fullmatch(r"-?\d+").all():
            table[name] = table[name].astype(int)
    bad.sort(key=lambda item: int(item.row or 0))
    return GatherPicks(table, numbers, bad, rate, texts)


Found = Iterator[dict[str, Any] | BadRow]
Rows = Sequence[tuple[int, dict[str, str]]]


def _columns_of_values(path: str | PathLike[str], header: Sequence[str]) -> dict[str, str]:
    """Return the column of each phase; under an empty name that of tables of one pick a row.

    Raises:
        FormatError: for samples of one phase and times of another.
    """
    table = LabelTable(Path(path), (), tuple(header))
    value = table.first_of(VALUES)
    if value and table.first_of(COLUMNS["phase"]):
        return {"": value}
    columns = {phase: c for phase, c in table.sample_columns.items() if AFTER_TRIGGER not in c}
    if len({_unit(column)[0] for column in columns.values()}) > 1:
        raise FormatError(
            f"{path}: picks of a table are samples, or times, received "
            f"{' and '.join(columns.values())}: leave out what is not wanted"
        )
    return columns


def _unit(column: str) -> tuple[str, float]:
    """Return what a column of picks becomes, ``sample`` or ``time_s``, and its unit in that."""
    unit_s = TIME_COLUMNS_S.get(column, UNITS_S.get(column.removeprefix("time_")))
    return ("sample", 1.0) if unit_s is None else ("time_s", unit_s)


def _plain(
    rows: Rows,
    header: Sequence[str],
    values: Mapping[str, str],
    pattern: re.Pattern[str] | None,
    geometry: Geometry | None,
) -> Found:
    numeric = [name for name in ("probability", "offset_m") if name in header]
    by_file = {} if pattern or set(header) & {*GATHER_COLUMNS} else _shots_by_file(rows, geometry)
    # A file whose name has no shot where others have one is not of the only shot.
    default_shot = "" if pattern and "shot" in pattern.groupindex else ONE_SHOT
    for number, row in rows:
        station, file = first_cell(row, RECEIVER), first_cell(row, FILE_COLUMNS)
        names = (file, station)
        named = names_in(names, pattern)
        shot = first_cell(row, GATHER_COLUMNS) or by_file.get(Path(file).stem, default_shot)
        found: dict[str, Any] = {
            "row": number,
            "names": names,
            "shot": name_key(named.get("shot", shot)),
            "receiver": name_key(named.get("receiver", station)),
        }
        try:
            found |= {name: number_of(name, row[name]) for name in numeric}
            if RATE in row:
                found["sampling_rate"] = number_of(RATE, row[RATE])
            if "start_time" in row:
                found["start_time"] = _utc(row["start_time"]) if row["start_time"] else None
            picks = {
                phase or first_cell(row, COLUMNS["phase"]): number_of(column, row[column])
                for phase, column in values.items()
            }
        except FormatError as error:
            yield BadRow(number, str(error))
            continue
        if not found["receiver"]:
            yield BadRow(number, "it names no receiver")
            continue
        for (phase, value), column in zip(picks.items(), values.values(), strict=True):
            unit, scale = _unit(column)
            yield {**found, "phase": phase, unit: value * scale}


def _shots_by_file(rows: Rows, geometry: Geometry | None) -> dict[str, str]:
    """Return the shots of rows that name several files, if these are gathers; none otherwise."""
    receivers: dict[str, set[str]] = {}
    for _, row in rows:
        stem = Path(first_cell(row, FILE_COLUMNS)).stem
        receivers.setdefault(stem, set()).add(first_cell(row, RECEIVER))
    are_gathers = len(receivers) > 1 and any(len(names) > 1 for names in receivers.values())
    return shots_of_gathers(dict.fromkeys(receivers, ""), geometry) if are_gathers else {}


def _candidates(
    rows: Rows,
    pattern: re.Pattern[str] | None,
    shots: int,
    receivers: int,
    path: str | PathLike[str],
) -> Found:
    if pattern is None and shots * receivers != len(rows):
        raise ConfigError(
            f"{path} has {len(rows)} rows in the order shot, receiver: say how many shots and "
            f"receivers they are of, received {shots} times {receivers}; or give names, a "
            "pattern that finds both in file names"
        )
    for number, row in rows:
        shot, receiver = divmod(number - 1, receivers or 1)
        names = (row.get("fname", ""),)
        named = names_in(names, pattern)
        if pattern is not None and len(named) < 2:
            yield BadRow(number, f"names finds no shot and receiver in '{names[0]}'")
            continue
        shot_name = named.get("shot", str(shot + 1))
        receiver_name = named.get("receiver", str(receiver + 1))
        for phase, column in CANDIDATES.items():
            try:
                sample, probability = _best(row.get(column, ""), row.get(f"{column}_prob", ""))
            except FormatError as error:
                yield BadRow(number, f"{column}: {error}")
                continue
            yield {
                "row": number,
                "names": names,
                "shot": name_key(shot_name),
                "receiver": name_key(receiver_name),
                "phase": phase,
                "sample": sample,
                "probability": probability,
            }


def _best(samples: str, probabilities: str) -> tuple[float, float]:
    """Return sample and probability of the most probable candidate; NaN without any."""
    try:
        picks, weights = (
            [float(item) for item in json.loads(text or "[]")] for text in (samples, probabilities)
        )
    except (TypeError, ValueError) as error:
        raise FormatError(
            f"it should be a list of numbers such as [43, 60], received '{samples}' and "
            f"'{probabilities}'"
        ) from error
    if weights and len(weights) != len(picks):
        raise FormatError(f"{len(picks)} candidates have {len(weights)} probabilities")
    if not picks:
        return np.nan, np.nan
    best = int(np.argmax(weights)) if weights else 0
    return picks[best], weights[best] if weights else np.nan


def _own(rows: Rows, pattern: re.Pattern[str] | None, geometry: Geometry | None) -> Found:
    own = {
        number: found
        for number, row in rows
        if (found := _own_names(row.get("file_name", ""), row["station_id"], geometry))
    }
    own = {} if pattern else own
    with_shot = {number for number, row in rows if first_cell(row, GATHER_COLUMNS)}
    of_files = {number: names for number, names in own.items() if number not in with_shot}
    shots = shots_of_gathers({names.gather: names.shot for names in of_files.values()}, geometry)
    if geometry is not None:
        _refuse_several_shots([*of_files.values()], shots, geometry)
    for number, row in rows:
        names = (row.get("file_name", ""), row["station_id"])
        named = names_in(names, pattern)
        if number in own:
            named["receiver"] = own[number].trace
        shot = shots[of_files[number].gather] if number in of_files else ""
        if shot and geometry is not None and geometry.source_of(shot):
            named["shot"] = shot
        try:
            time = _utc(row["phase_time"])
            begin = _utc(row["begin_time"]) if row.get("begin_time") else None
            probability = number_of("phase_score", row.get("phase_score", ""))
            rate = number_of(RATE, row.get(RATE, ""))
        except FormatError as error:
            yield BadRow(number, str(error))
            continue
        shot = named.get("shot", first_cell(row, GATHER_COLUMNS)) or _shot_at(time, begin, geometry)
        yield {
            "row": number,
            "names": names,
            "shot": name_key(shot),
            "receiver": name_key(named.get("receiver", row["station_id"])),
            "phase": row["phase_type"].strip(),
            "probability": probability,
            "station_id": row["station_id"],
            "time": time,
            "begin": begin,
            "sampling_rate": rate,
        }


def _own_names(file: str, station: str, geometry: Geometry | None) -> OwnNames | None:
    if Path(file).name == station:  # of a data set: it does not say what file the record was of
        return own_names_of_record(station, geometry)
    return own_names(file, station, geometry)


def _refuse_several_shots(
    gathers: Sequence[OwnNames], shots: Mapping[str, str], geometry: Geometry
) -> None:
    """Refuse files that are of one shot by their names, and of several by their many traces."""
    n_receivers = len(geometry.receivers)
    most = 2 * max([n_receivers, *map(int, filter(str.isdecimal, geometry.receivers))])
    for stem, by_headers, trace in gathers:
        if not by_headers and int(trace) >= most and geometry.source_of(shots[stem]):
            raise ConfigError(
                f"{stem} would be shot {shots[stem]} by its name, but has a trace {trace}, and "
                f"the geometry {n_receivers} receivers: if it holds several shots, of which its "
                "headers say nothing, split it by shot; else give all receivers, or a column shot"
            )


def _shot_at(time: UTCDateTime, begin: UTCDateTime | None, geometry: Geometry | None) -> str:
    if geometry is not None and geometry.start_times:
        fired = [(at, shot) for shot, at in geometry.start_times.items() if at <= time]
        if fired:
            return max(fired)[1]
    if geometry is not None and len(geometry.sources) == 1:
        [only] = geometry.sources
        return only if only != Geometry.ANY_SHOT else ONE_SHOT
    return str(begin) if begin is not None else ONE_SHOT


def _samples_of_times(table: DataFrame, rate: float | None, geometry: Geometry | None) -> DataFrame:
    """Count samples from the shot's time, or else from the earliest record of the gather."""
    if rate is None:
        raise FormatError("picks with times need sampling_rate_hz: add the column")
    times, begins = table.pop("time"), table.pop("begin")
    known = geometry.start_times if geometry else {}
    zero = {}
    for shot, rows in table.groupby("shot").groups.items():
        given = [t for t in begins[rows] if t is not None and t == t]
        zero[shot] = known.get(str(shot)) or min(given or list(times[rows]))
    zeros = [zero[shot] for shot in table["shot"]]
    samples = [position_of(t, z, rate) for t, z in zip(times, zeros, strict=True)]
    return table.assign(sample=samples, start_time=zeros)


def _one_rate(rates: Any, path: str | PathLike[str]) -> float | None:
    known = sorted({float(f"{rate:.6g}") for rate in rates if rate == rate})
    if len(known) > 1:
        listed = ", ".join(f"{rate:g}" for rate in known)
        raise FormatError(f"{path}: the picks of a survey have one sampling rate, not {listed} Hz")
    return known[0] if known else None


def _utc(text: str) -> UTCDateTime:
    return time_in(text, "a time", date_time)
