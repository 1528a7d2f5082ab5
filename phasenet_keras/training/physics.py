"""What picks of P and S must obey: order, Vp/Vs, moveout, reciprocity. It judges, and changes none.

Sample and second are both welcome; limits in time are in the unit of the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from phasenet_keras.training.curves import MAD_TO_SIGMA
from phasenet_keras.types import ConfigError

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["check_physics", "reciprocity", "reciprocity_weights", "said_of_speed", "shot_column"]

TIMES = ("corrected_sample", "corrected_s", "sample", "time_s")
FEWEST_FOR_WADATI = 8
# Two offsets are those of one path if they differ by no more than this part of the longer one.
SAME_PATH = 0.05
# No arrival is so slow, in m/s; or, where receivers are counted, in receivers a second.
LEAST_SPEED_M_S, LEAST_SPEED_RECEIVERS = 10.0, 1.0
FEWEST_FOR_SPEED = 4


def check_physics(table: DataFrame, vp_vs: tuple[float, float] = (1.4, 6.0)) -> DataFrame:
    """Return which picks break which rule; changes nothing.

    Rules, as named in column ``rule``:

    - ``p_before_s``: S of a trace is not earlier than its P; ``value`` is S minus P.
    - ``vp_vs``: the ratio of each gather lies within ``vp_vs``. It is 1 + the slope of S - P over
      P (Wadati 1933), by Theil and Sen's median of slopes, from 8 traces on, and means Vp/Vs where
      P and S take the same path; refracted P beside direct S gives more.
    - ``monotone``: times do not fall with offset. On each side of the source those picks are
      named that are not in the longest rising sequence; ``value`` is the greatest fall.
    - ``reciprocity``: shot i at receiver j and shot j at receiver i agree within three robust
      standard deviations of the phase's differences: see `reciprocity`.

    Args:
        table: as `correct_picks` takes or returns; corrected times are judged where there are
            any. ``offset_m``, or else receiver minus shot number, tells the sides.
        vp_vs: least and greatest ratio.

    Returns:
        A table ``rule, shot, receiver, phase, value, limit``; ``receiver`` is missing where a
        whole gather is meant.

    Raises:
        ConfigError: for missing columns or an impossible ``vp_vs``.

    Example:
        >>> import pandas as pd
        >>> picks = pd.DataFrame({"shot": 1, "receiver": [4, 4], "phase": ["P", "S"],
        ...                       "sample": [90.0, 80.0]})
        >>> check_physics(picks)["rule"].tolist()
        ['p_before_s']
    """
    import pandas as pd

    if not 1 < vp_vs[0] < vp_vs[1]:
        raise ConfigError(f"vp_vs is least and greatest ratio above 1, received {vp_vs!r}")
    picks = _picks(table)
    broken = [
        *_order(picks),
        *_ratio(picks, vp_vs),
        *_monotone(picks),
        *_reciprocal(picks),
    ]
    return pd.DataFrame(broken, columns=["rule", "shot", "receiver", "phase", "value", "limit"])


def said_of_speed(table: DataFrame) -> str:
    """Say that times in ``time_s`` look like ms, by how fast arrivals would travel; else nothing.

    Args:
        table: with ``shot, receiver, phase``, and ``offset_m``, or shots and receivers that are
            numbers.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"shot": 1, "receiver": range(9), "phase": "P"})
        >>> table["offset_m"], table["time_s"] = 10.0 * table["receiver"], 4.0 * table["receiver"]
        >>> said_of_speed(table).partition("; ")[0]
        'times in s look like ms: arrivals would travel at 2.5 m/s'
        >>> said_of_speed(table.assign(time_s=table["time_s"] / 1000))
        ''
    """
    if "time_s" not in table:
        return ""
    has_offsets = "offset_m" in table
    least = LEAST_SPEED_M_S if has_offsets else LEAST_SPEED_RECEIVERS
    offsets = table["offset_m"] if has_offsets else table["receiver"] - table["shot"]
    known = table.assign(offset=offsets.abs()).dropna(subset=["offset", "time_s"])
    speeds = []
    for _, rows in known.groupby(["shot", "phase"]):
        quartiles = rows[["offset", "time_s"]].quantile([0.25, 0.75])
        offset, time_s = quartiles.iloc[1] - quartiles.iloc[0]  # outliers apart
        if len(rows) >= FEWEST_FOR_SPEED and time_s > 0:
            speeds.append(offset / time_s)
    speed = float(np.median(speeds)) if speeds else np.inf
    if speed >= least:
        return ""
    unit = "m/s" if has_offsets else "receivers a second"
    return (
        f"times in s look like ms: arrivals would travel at {speed:.2g} {unit}; if they are, name "
        "the column time_ms (or p_ms, s_ms)"
    )


def reciprocity(table: DataFrame) -> DataFrame:
    """Return t(i, j) - t(j, i) of every pair of shots that recorded each other.

    Shot i stands at receiver i; where there is ``offset_m``, pairs whose offsets differ by more
    than 5 % are left out, for then it does not.

    Args:
        table: as for `check_physics`.

    Returns:
        A table ``shot, receiver, phase, difference`` with shot < receiver, in the unit of the
        times.

    Raises:
        ConfigError: for missing columns.

    Example:
        >>> import pandas as pd
        >>> picks = pd.DataFrame({"shot": [1, 4], "receiver": [4, 1], "phase": "P",
        ...                       "sample": [90.0, 92.0]})
        >>> reciprocity(picks)["difference"].tolist()
        [-2.0]
    """
    both = _both_ways(_picks(table))
    both = both[both["shot"] < both["receiver"]]
    return both[["shot", "receiver", "phase", "difference"]].reset_index(drop=True)


def reciprocity_weights(table: DataFrame, least_spread: float = 0.0) -> np.ndarray:
    """Return how far each pick is to be trusted by the pick of the reciprocal path.

    The weight is 1 / (1 + (d / 3 sigma)²), d being t(i, j) - t(j, i) and sigma the robust standard
    deviation of d in the phase. Which of the two picks is wrong it cannot tell: both count less.

    Args:
        table: as for `check_physics`.
        least_spread: sigma is never taken to be less, in the unit of the times.

    Returns:
        One weight a row of the table, from 0 to 1; NaN where there is no reciprocal pick.

    Raises:
        ConfigError: for missing columns.

    Example:
        >>> import pandas as pd
        >>> picks = pd.DataFrame({"shot": [1, 4, 1, 7, 4, 7], "receiver": [4, 1, 7, 1, 7, 4],
        ...                       "phase": "P", "sample": [90.0, 102.0, 120.0, 120.0, 88.0, 88.0]})
        >>> reciprocity_weights(picks, least_spread=4.0).tolist()
        [0.5, 0.5, 1.0, 1.0, 1.0, 1.0]
    """
    picks = _picks(table)
    both = _both_ways(picks)
    weights = np.full(len(table), np.nan)
    for _, pairs in both.groupby("phase"):
        d = pairs["difference"].to_numpy()
        # Every pair is here in both directions, so that the median is 0.
        reach = 3 * max(MAD_TO_SIGMA * float(np.median(np.abs(d))), least_spread)
        relative = np.divide(d, reach, out=np.where(d == 0, 0.0, np.inf), where=reach > 0)
        weights[pairs["row"]] = 1 / (1 + relative**2)
    return weights


def _both_ways(picks: DataFrame) -> DataFrame:
    """Return picks that have a reciprocal one, with the ``difference`` from it."""
    if picks["shot"].dtype != picks["receiver"].dtype:
        # Numbers and names: no shot is called like a receiver.
        return picks.iloc[:0].astype(object).assign(difference=np.empty(0))
    back = picks.rename(columns={"shot": "receiver", "receiver": "shot"})
    both = picks.merge(back, on=["shot", "receiver", "phase"], suffixes=("", "_back"))
    both = both[both["shot"] != both["receiver"]]
    there, again = both["offset"].abs(), both["offset_back"].abs()
    elsewhere = (there - again).abs() > SAME_PATH * np.maximum(there, again)
    both = both[~elsewhere]
    return both.assign(difference=both["time"] - both["time_back"])


def shot_column(table: DataFrame) -> str:
    """Return the column of a table of picks that names the shot: ``shot``, else ``gather``."""
    return "gather" if "gather" in table and "shot" not in table else "shot"


def _picks(table: DataFrame) -> DataFrame:
    shot = shot_column(table)
    missing = [name for name in (shot, "receiver", "phase") if name not in table]
    times = [name for name in TIMES if name in table]
    if missing or not times:
        lacking = ", ".join(missing or ["sample or time_s"])
        raise ConfigError(f"a table of picks has shot, receiver, phase and times: add {lacking}")
    picks = table[[shot, "receiver", "phase"]].rename(columns={shot: "shot"})
    picks = picks.assign(time=table[times[0]].astype(float), row=np.arange(len(table)))
    if "offset_m" in table:
        picks["offset"] = table["offset_m"].astype(float)
    elif all(picks[name].dtype.kind in "iuf" for name in ("shot", "receiver")):
        picks["offset"] = (picks["receiver"] - picks["shot"]).astype(float)
    else:
        picks["offset"] = np.nan
    picks = picks[np.isfinite(picks["time"])]
    return picks.drop_duplicates(["shot", "receiver", "phase"])


Broken = tuple[str, object, object, str, float, float]


def _pairs(picks: DataFrame) -> DataFrame:
    of_phase = {phase: picks[picks["phase"] == phase] for phase in "PS"}
    return of_phase["P"].merge(of_phase["S"], on=["shot", "receiver"], suffixes=("_p", "_s"))


def _order(picks: DataFrame) -> Iterator[Broken]:
    pairs = _pairs(picks)
    late = pairs["time_s"] - pairs["time_p"]
    for shot, receiver, value in zip(pairs["shot"], pairs["receiver"], late, strict=True):
        if value < 0:
            yield "p_before_s", shot, receiver, "PS", float(value), 0.0


def _ratio(picks: DataFrame, bounds: tuple[float, float]) -> Iterator[Broken]:
    from scipy.stats import theilslopes

    for shot, gather in _pairs(picks).groupby("shot"):
        p, s = (gather[f"time_{phase}"].to_numpy() for phase in "ps")
        if len(p) < FEWEST_FOR_WADATI or not np.ptp(p) > 0:
            continue
        value = 1 + float(theilslopes(s - p, p)[0])
        if not bounds[0] <= value <= bounds[1]:
            yield "vp_vs", shot, None, "PS", value, bounds[0] if value < bounds[0] else bounds[1]


def _monotone(picks: DataFrame) -> Iterator[Broken]:
    picks = picks[np.isfinite(picks["offset"])]
    for (shot, phase), gather in picks.groupby(["shot", "phase"]):
        for side in (gather[gather["offset"] >= 0], gather[gather["offset"] < 0]):
            side = side.iloc[np.lexsort((side["time"], side["offset"].abs()))]
            times = side["time"].to_numpy()
            rising = _longest_rising(times)
            for i in np.flatnonzero(~rising):
                value = max(times[: i + 1].max() - times[i], times[i] - times[i:].min())
                yield "monotone", shot, side["receiver"].iloc[i], phase, float(value), 0.0


def _longest_rising(times: np.ndarray) -> np.ndarray:
    """Tell which picks are in the longest sequence that does not fall."""
    length, before = np.ones(len(times), int), np.full(len(times), -1)
    for i in range(1, len(times)):
        fits = np.where(times[:i] <= times[i], length[:i], 0)
        j = int(np.argmax(fits))
        if fits[j]:
            length[i], before[i] = fits[j] + 1, j
    chosen = np.zeros(len(times), bool)
    i = int(np.argmax(length)) if len(times) else -1
    while i >= 0:
        chosen[i] = True
        i = int(before[i])
    return chosen


def _reciprocal(picks: DataFrame) -> Iterator[Broken]:
    both = _both_ways(picks)
    for phase, pairs in both[both["shot"] < both["receiver"]].groupby("phase"):
        differences = pairs["difference"]
        bound = 3 * (MAD_TO_SIGMA * float((differences - differences.median()).abs().median()))
        for row in pairs[differences.abs() > bound].itertuples(index=False):
            yield "reciprocity", row.shot, row.receiver, phase, float(row.difference), bound
