"""A survey's table of picks around its correction: offsets, receivers without picks, a summary."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from phasenet_keras.io.arrival_formats import codes_of
from phasenet_keras.io.catalogs import Arrival, phase_of
from phasenet_keras.io.geometry import Geometry
from phasenet_keras.types import ConfigError, ShapeError

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "HOW",
    "OUT_OF_ORDER",
    "PICK_KEPT",
    "Point",
    "arrivals_of",
    "filled_up",
    "record_offsets",
    "signed_offsets",
    "summary_of",
    "unused_rows",
    "with_offsets",
    "with_phases",
    "with_times",
]

Point = float | Sequence[float]

HOW = ("kept", "moved", "filled", "dropped")
# Notes of rows whose curves put S before P.
PICK_KEPT, OUT_OF_ORDER = "the pick is the time", "S would be before P"
# What a row is not used for without anything being wrong with it.
HARMLESS = ("", "no curve here", "duplicate", PICK_KEPT, OUT_OF_ORDER)


def signed_offsets(source_xyz: Point, receivers_xyz: Sequence[Point] | np.ndarray) -> np.ndarray:
    """Return the distance of each receiver, negative on one side of the source.

    The distance is straight, in all coordinates given. Its sign is that of the receiver's
    projection on the line's horizontal direction: the first principal component of the
    receivers, turned so that its larger part points to greater x or y.

    Args:
        source_xyz: x, or x and y, or x, y and z, in metres.
        receivers_xyz: one row a receiver, with the same coordinates.

    Returns:
        One offset in metres a receiver.

    Raises:
        ShapeError: if the coordinates do not match.

    Example:
        >>> signed_offsets((10.0, 0.0, 0.0), [(7.0, 0.0, 4.0), (16.0, 0.0, 0.0)])
        array([-5.,  6.])
    """
    source = np.atleast_1d(np.asarray(source_xyz, float))
    receivers = np.asarray(receivers_xyz, float)
    receivers = receivers[:, None] if receivers.ndim == 1 else receivers
    if receivers.ndim != 2 or source.shape != (receivers.shape[1],) or not 1 <= len(source) <= 3:
        raise ShapeError(
            "offsets need x, (x, y) or (x, y, z) of the source and of every receiver, received "
            f"arrays of shape {source.shape} and {receivers.shape}"
        )
    away = receivers - source
    ground = receivers[:, :2]
    known = ground[np.isfinite(ground).all(axis=1)]
    direction = np.eye(1, ground.shape[1])[0]
    if len(known) > 1 and np.ptp(known, axis=0).any():
        direction = np.linalg.svd(known - known.mean(axis=0), full_matrices=False)[2][0]
        direction = direction * np.sign(direction[np.argmax(np.abs(direction))])
    side = np.where(away[:, :2] @ direction < 0, -1.0, 1.0)
    return side * np.sqrt((away**2).sum(axis=1))


def with_offsets(table: DataFrame, geometry: Geometry) -> DataFrame:
    """Return a copy with ``offset_m``, the signed distance of each row in metres.

    NaN where the geometry has no such receiver or no such shot.

    Example:
        >>> import pandas as pd
        >>> geometry = Geometry({"A": (7.0, 0.0, 0.0), "B": (16.0, 0.0, 0.0)}, {"1": (10.0, 0, 0)})
        >>> picks = pd.DataFrame({"shot": 1, "receiver": ["A", "B"]})
        >>> with_offsets(picks, geometry)["offset_m"].tolist()
        [-3.0, 6.0]
    """
    points = list(geometry.receivers.values())
    place = {name: n for n, name in enumerate(geometry.receivers)}
    names = geometry.receiver_names(table["receiver"].tolist())
    offsets = np.full(len(table), np.nan)
    for shot, rows in table.groupby("shot").indices.items():
        source = geometry.source_of(shot)
        if source is None:
            continue
        at = signed_offsets(source, points)
        offsets[rows] = [np.nan if names[n] is None else at[place[names[n] or ""]] for n in rows]
    return table.assign(offset_m=offsets)


def with_phases(table: DataFrame, known: Collection[str]) -> DataFrame:
    """Return a copy whose phases have the names of the settings: Pg, Pn and p are P, if P is one.

    Example:
        >>> import pandas as pd
        >>> with_phases(pd.DataFrame({"phase": ["p", "Sg", "pP"]}), ["P", "S"])["phase"].tolist()
        ['P', 'S', 'pP']
    """
    names = {
        name: phase_of(str(name)) if name not in known else name for name in table["phase"].unique()
    }
    names = {name: phase if phase in known else name for name, phase in names.items()}
    return table.assign(phase=table["phase"].map(names))


def filled_up(table: DataFrame, geometry: Geometry | None = None) -> DataFrame:
    """Add a row without a time for every receiver of a shot that has no pick of a phase.

    Receivers are those of the geometry, or else all that the table names; phases those of the
    table. The rows of the table come first, in their order.

    Example:
        >>> import pandas as pd
        >>> picks = pd.DataFrame({"shot": [1, 1], "receiver": [1, 2], "phase": ["P", "S"]})
        >>> len(filled_up(picks.assign(sample=[1.0, 2.0])))
        4
    """
    import pandas as pd

    keys = ["shot", "receiver", "phase"]
    known = table["receiver"].unique().tolist()
    if geometry is not None:
        named = {name for name in geometry.receiver_names(known) if name is not None}
        of_type = int if table["receiver"].dtype.kind == "i" else str
        rest = [name for name in geometry.receivers if name not in named]
        if of_type is str or all(name.removeprefix("-").isdecimal() for name in rest):
            known += [of_type(name) for name in rest]
    phases = sorted(table["phase"].unique())
    wanted = pd.MultiIndex.from_product([table["shot"].unique(), known, phases], names=keys)
    missing = wanted.difference(pd.MultiIndex.from_frame(table[keys]), sort=False)
    added = missing.to_frame(index=False)
    if "start_time" in table:
        starts = table.drop_duplicates("shot").set_index("shot")["start_time"]
        added["start_time"] = added["shot"].map(starts)
    return pd.concat([table, added], ignore_index=True) if len(added) else table


def record_offsets(
    shots: Sequence[str],
    receivers: Sequence[str],
    geometry: Geometry | None = None,
    known: Sequence[float | None] = (),
) -> list[float]:
    """Return the offset of each record: by coordinates, as the record says, or by numbers.

    Args:
        shots: name of each record's shot.
        receivers: name of each record's receiver.
        geometry: coordinates; NaN for names that it does not have.
        known: offset in metres of each record, taken where there is no geometry and all have one.

    Returns:
        Metres; without coordinates receiver number minus shot number.

    Raises:
        ConfigError: if none of the three says it.

    Example:
        >>> record_offsets(["4", "4"], ["1", "9"])
        [-3.0, 5.0]
    """
    import pandas as pd

    if geometry is not None:
        table = pd.DataFrame({"shot": shots, "receiver": receivers})
        offsets = with_offsets(table, geometry)["offset_m"]
        if not offsets.notna().any():
            raise ConfigError(
                f"no record is of a shot and a receiver of the geometry: the first is of shot "
                f"'{shots[0]}' and receiver '{receivers[0]}'"
            )
        return offsets.tolist()
    given = [value for value in known if value is not None]
    if given and len(given) == len(shots):
        return given
    try:
        return [float(int(r) - int(s)) for s, r in zip(shots, receivers, strict=True)]
    except ValueError as error:
        raise ConfigError(
            "records need offsets: give a geometry, or shots and receivers that are numbers; the "
            f"first are '{shots[0]}' and '{receivers[0]}'"
        ) from error


def summary_of(corrected: DataFrame, broken: DataFrame) -> DataFrame:
    """Count what became of the picks of each phase, and the rules that they break.

    Returns:
        One row a phase: ``picks`` (rows with a time), ``kept, moved, filled, dropped``,
        ``median_residual`` (absolute, of kept picks, in the unit of the times), and a column a
        rule.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"phase": ["P"], "sample": [1.0], "how": ["kept"],
        ...                       "residual_samples": [-0.5]})
        >>> rules = pd.DataFrame({"rule": [], "phase": []})
        >>> summary_of(table, rules).loc["P", ["picks", "kept", "median_residual"]].tolist()
        [1.0, 1.0, 0.5]
    """
    import pandas as pd

    time = "sample" if "sample" in corrected else "time_s"
    residual = "residual_samples" if "residual_samples" in corrected else "residual_s"
    lines = {}
    for phase, rows in corrected.groupby("phase"):
        kept = rows[rows["how"] == "kept"]
        line: dict[str, object] = {"picks": int(rows[time].notna().sum())}
        line |= {how: int((rows["how"] == how).sum()) for how in HOW}
        line["median_residual"] = float(kept[residual].abs().median())
        for rule in broken["rule"].unique():
            at = broken[broken["rule"] == rule]["phase"]
            line[rule] = int(at.map(lambda name, phase=phase: str(phase) in str(name)).sum())
        lines[phase] = line
    return pd.DataFrame.from_dict(lines, orient="index")


def unused_rows(corrected: DataFrame) -> list[tuple[int, str]]:
    """Return place and note of each row that could not be used for a reason to be looked at.

    Duplicates and receivers out of reach of a curve are none of these.
    """
    notes = corrected["note"].tolist()
    return [(n, note) for n, note in enumerate(notes) if note.split(":")[0] not in HARMLESS]


def with_times(
    corrected: DataFrame, geometry: Geometry | None = None, sampling_rate_hz: float | None = None
) -> DataFrame:
    """Add ``corrected_time`` (UTC) where the time of sample 0 of a gather is known.

    Args:
        corrected: of `correct_picks`; its column ``start_time`` counts before the geometry's.
        geometry: with ``start_times``.
        sampling_rate_hz: of the samples.

    Returns:
        A copy with the column, or the table itself where no time is known.

    Example:
        >>> import pandas as pd
        >>> from obspy import UTCDateTime
        >>> table = pd.DataFrame({"corrected_sample": [50.0], "start_time": [UTCDateTime(0)]})
        >>> str(with_times(table, sampling_rate_hz=100.0)["corrected_time"][0])
        '1970-01-01T00:00:00.500000Z'
    """
    starts = corrected["start_time"].tolist() if "start_time" in corrected else None
    if starts is None and geometry is not None and geometry.start_times:
        starts = [geometry.start_times.get(str(shot)) for shot in corrected["shot"]]
    if starts is None or ("corrected_sample" in corrected and sampling_rate_hz is None):
        return corrected
    times = [
        None if start is None or start != start or after != after else start + after
        for start, after in zip(starts, _seconds(corrected, sampling_rate_hz), strict=True)
    ]
    attrs = corrected.attrs
    corrected = corrected.assign(start_time=starts, corrected_time=times)
    corrected.attrs = attrs
    return corrected


def arrivals_of(
    corrected: DataFrame, sampling_rate_hz: float | None = None
) -> tuple[list[Arrival], list[int]]:
    """Return corrected times as arrivals, and of each the place of its ``how`` in `HOW`.

    Without ``corrected_time`` the records of a single shot are taken to begin at 1970-01-01, as
    readers of files without a date do. The event of an arrival is ``shot-`` and the shot.

    Raises:
        ConfigError: for several shots, or samples without a rate, where no times are known.

    Example:
        >>> import pandas as pd
        >>> row = {"shot": 1, "receiver": 7, "phase": "P", "corrected_sample": 50.0, "how": "kept"}
        >>> arrivals, kinds = arrivals_of(pd.DataFrame([row]), 100.0)
        >>> arrivals[0].station, str(arrivals[0].time), arrivals[0].event, kinds
        ('7', '1970-01-01T00:00:00.500000Z', 'shot-1', [0])
    """
    from obspy import UTCDateTime

    if "corrected_time" in corrected:
        times = corrected["corrected_time"].tolist()
    else:
        if corrected["shot"].nunique() > 1:
            raise ConfigError(
                "absolute times of several shots need the time of each: add a column start_time "
                "to the shots' rows of the geometry"
            )
        if "corrected_sample" in corrected and sampling_rate_hz is None:
            raise ConfigError("absolute times need the sampling rate: give sampling_rate_hz")
        seconds = _seconds(corrected, sampling_rate_hz)
        times = [UTCDateTime(0) + after if after == after else None for after in seconds]
    arrivals, kinds = [], []
    for time, row in zip(times, corrected.to_dict("records"), strict=True):
        if time is None or time != time:
            continue
        station = row.get("station_id")
        network, code = codes_of(station if isinstance(station, str) else str(row["receiver"]))
        arrivals.append(Arrival(time, row["phase"], network, code, f"shot-{row['shot']}"))
        kinds.append(HOW.index(row["how"]))
    return arrivals, kinds


def _seconds(corrected: DataFrame, rate_hz: float | None) -> list[float]:
    if "corrected_s" in corrected:
        return corrected["corrected_s"].tolist()
    return (corrected["corrected_sample"] / rate_hz).tolist()
