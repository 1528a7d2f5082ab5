"""Picks of shot gathers as tables, in three layouts: what the correction of picks starts from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phasenet_keras.io.assembly import position_of
from phasenet_keras.io.geometry import RECEIVER, Geometry, rows_of_csv
from phasenet_keras.io.parts import BadRow
from phasenet_keras.io.text_tables import first_cell, name_key, number_of
from phasenet_keras.io.times import date_time, time_in
from phasenet_keras.types import ConfigError, FormatError

if TYPE_CHECKING:
    from obspy import UTCDateTime
    from pandas import DataFrame

__all__ = [
    "GatherPicks",
    "fitting_names",
    "names_in",
    "own_names",
    "read_gather_picks",
    "read_names",
    "shots_of_files",
]

CANDIDATES: Mapping[str, str] = {"P": "itp_pred", "S": "its_pred"}
SHOT = ("shot", "gather")
PHASE = ("phase", "phase_type")
OWN = ("station_id", "phase_time", "phase_type")
ONE_SHOT = "1"


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
    """

    table: DataFrame
    rows: np.ndarray
    bad: list[BadRow] = field(default_factory=list)
    sampling_rate: float | None = None


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
      (SEG-Y, SU, SEG-2) and the geometry knows it, else to the last shot of the geometry that was
      fired before it, else to its record's ``begin_time``; with one source there is one shot.
    - ``shot`` (or ``gather``), ``receiver`` (or ``station``), ``phase``, and ``sample`` or
      ``time_s``; perhaps ``probability, offset_m``. An empty cell is no pick.
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
    elif columns & set(RECEIVER) and columns & set(PHASE) and columns & {"sample", "time_s"}:
        found = _plain(rows, header, pattern)
    else:
        raise FormatError(
            f"{path} is no table of picks: columns shot, receiver, phase, sample or time_s; or "
            f"{', '.join(OWN)}; or fname, itp_pred, its_pred; received {', '.join(header)}"
        )
    items = list(found)
    bad += [item for item in items if isinstance(item, BadRow)]
    good = [item for item in items if not isinstance(item, BadRow)]
    if not good:
        said = f": {bad[0]}" if bad else ""
        raise FormatError(f"{path}: none of its {len(rows) + len(bad)} rows can be used{said}")
    table = pd.DataFrame(good)
    numbers = table.pop("row").to_numpy(int)
    rate = _one_rate(table.pop("sampling_rate"), path) if "sampling_rate" in table else None
    if "time" in table:
        table = _samples_of_times(table, rate, geometry)
    for name in ("shot", "receiver"):
        if table[name].str.fullmatch(r"-?\d+").all():
            table[name] = table[name].astype(int)
    bad.sort(key=lambda item: item.row or 0)
    return GatherPicks(table, numbers, bad, rate)


def read_names(names: str | None) -> re.Pattern[str] | None:
    """Compile a pattern of names; see `read_gather_picks`.

    Raises:
        ConfigError: if it is no regular expression, or has neither of the two groups.

    Example:
        >>> pattern = read_names(r"time_(?P<shot>[0-9]+)_(?P<receiver>[0-9]+)_")
        >>> pattern.search("Uz_time_01_42_.npz").groupdict()
        {'shot': '01', 'receiver': '42'}
    """
    if names is None:
        return None
    try:
        pattern = re.compile(names)
    except re.error as error:
        raise ConfigError(f"names is a regular expression, received {names!r}: {error}") from error
    if not {"shot", "receiver"} & set(pattern.groupindex):
        raise ConfigError(
            f"names has groups (?P<shot>…) and (?P<receiver>…), one or both, received {names!r}"
        )
    return pattern


def fitting_names(texts: Iterable[str]) -> str:
    r"""Return a pattern of names, see `read_names`, that reads all of some names.

    It tells them apart by two numbers that follow one another; without such there is an example.

    Example:
        >>> fitting_names(["Uz_time_01_02_", "Uz_time_01_13_"])
        '_(?P<shot>\\d+)_(?P<receiver>\\d+)_'
        >>> fitting_names(["XX.A..HH"])
        '(?P<shot>\\d+)-(?P<receiver>\\d+)'
    """
    shot, receiver = r"(?P<shot>\d+)", r"(?P<receiver>\d+)"
    names = sorted(set(texts))
    first = names[0] if names else ""
    for (a, b), (c, d) in pairwise(match.span() for match in re.finditer(r"\d+", first)):
        before, between, after = map(re.escape, (first[a - 1 : a], first[b:c], first[d : d + 1]))
        pattern = f"{before}{shot}{between}{receiver}{after}"
        found = [match.groups() for name in names if (match := re.search(pattern, name))]
        if len(set(found)) == len(names):
            return pattern
    return f"{shot}-{receiver}"


def names_in(texts: Iterable[str], pattern: re.Pattern[str] | None) -> dict[str, str]:
    """Return the shot and the receiver, or the one, that a pattern finds in the first of texts.

    Example:
        >>> names_in(["x", "line_3"], read_names("_(?P<shot>[0-9]+)"))
        {'shot': '3'}
    """
    matches = (pattern.search(text) for text in texts) if pattern else ()
    found = next(filter(None, matches), None)
    return {k: v for k, v in found.groupdict().items() if v} if found else {}


def own_names(file: str, station: str, geometry: Geometry | None) -> tuple[str, str] | None:
    """Return file and trace number that a station is called after, as readers of gathers do.

    Args:
        file: its name, with or without an ending.
        station: of the record.
        geometry: that says where receivers of such numbers are; None: the numbers may be no places
            in a line. A receiver of the station's very name in it counts first.

    Example:
        >>> geometry = Geometry(receivers={"3": (6.0, 0.0, 0.0)})
        >>> own_names("shot_007.sgy", "shot_007-0003", geometry)
        ('shot_007', '3')
    """
    if geometry is None:
        return None
    stem, _, number = station.rpartition("-")
    is_own = stem in (file, Path(file).stem) and number.isdecimal()
    if not stem or not is_own or geometry.receiver_names([station]) != [None]:
        return None
    return stem, name_key(number)


def shots_of_files(stems: Iterable[str], geometry: Geometry | None) -> dict[str, str]:
    """Return the shot that each file of a gather is of.

    It is called as the file where the geometry knows one of these names, else as the last number
    in it, as in tables of labels; as the file, too, where two files have that number.

    Example:
        >>> shots_of_files(["shot_007", "shot_012"], Geometry())
        {'shot_007': '7', 'shot_012': '12'}
    """
    stems = sorted(set(stems))
    numbers = {stem: name_key([stem, *re.findall(r"\d+", stem)][-1]) for stem in stems}
    known = geometry.sources if geometry else {}
    if any(name_key(stem) in known for stem in stems) or len({*numbers.values()}) < len(stems):
        return {stem: name_key(stem) for stem in stems}
    return numbers


Found = Iterator[dict[str, Any] | BadRow]
Rows = Sequence[tuple[int, dict[str, str]]]


def _plain(rows: Rows, header: Sequence[str], pattern: re.Pattern[str] | None) -> Found:
    unit = "sample" if "sample" in header else "time_s"
    numeric = [name for name in (unit, "probability", "offset_m") if name in header]
    # A file whose name has no shot where others have one is not of the only shot.
    default_shot = "" if pattern and "shot" in pattern.groupindex else ONE_SHOT
    for number, row in rows:
        station = first_cell(row, RECEIVER)
        named = names_in([row.get("file_name", row.get("fname", "")), station], pattern)
        found: dict[str, Any] = {
            "row": number,
            "shot": name_key(named.get("shot", first_cell(row, SHOT) or default_shot)),
            "receiver": name_key(named.get("receiver", station)),
            "phase": first_cell(row, PHASE),
        }
        try:
            found |= {name: number_of(name, row[name]) for name in numeric}
            if "start_time" in row:
                found["start_time"] = _utc(row["start_time"]) if row["start_time"] else None
        except FormatError as error:
            yield BadRow(number, str(error))
            continue
        yield found if found["receiver"] else BadRow(number, "it names no receiver")


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
        named = names_in([row.get("fname", "")], pattern)
        if pattern is not None and len(named) < 2:
            yield BadRow(number, f"names finds no shot and receiver in '{row.get('fname', '')}'")
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
        if (found := own_names(row.get("file_name", ""), row["station_id"], geometry))
    }
    own = {} if pattern else own
    shots = shots_of_files((stem for stem, _ in own.values()), geometry)
    for number, row in rows:
        named = names_in([row.get("file_name", ""), row["station_id"]], pattern)
        if number in own:
            stem, named["receiver"] = own[number]
            if geometry is None or geometry.source_of(shots[stem]):
                named["shot"] = first_cell(row, SHOT) or shots[stem]
        try:
            time = _utc(row["phase_time"])
            begin = _utc(row["begin_time"]) if row.get("begin_time") else None
            probability = number_of("phase_score", row.get("phase_score", ""))
            rate = number_of("sampling_rate_hz", row.get("sampling_rate_hz", ""))
        except FormatError as error:
            yield BadRow(number, str(error))
            continue
        shot = named.get("shot", first_cell(row, SHOT)) or _shot_at(time, begin, geometry)
        yield {
            "row": number,
            "shot": name_key(shot),
            "receiver": name_key(named.get("receiver", row["station_id"])),
            "phase": row["phase_type"].strip(),
            "probability": probability,
            "station_id": row["station_id"],
            "time": time,
            "begin": begin,
            "sampling_rate": rate,
        }


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
