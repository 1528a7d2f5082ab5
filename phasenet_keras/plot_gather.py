"""Figures of shot gathers: picks before and after their correction, over the seismograms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phasenet_keras.data.settings import checked_table, checked_type
from phasenet_keras.io.annotations import file_stem
from phasenet_keras.io.times import residual_unit, seconds_after
from phasenet_keras.io.wording import some
from phasenet_keras.plot import save_figure
from phasenet_keras.plot_style import color_of, plain, without_offsets
from phasenet_keras.training.physics import shot_column
from phasenet_keras.training.survey import HOW
from phasenet_keras.types import ConfigError, LabelledWaveform

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame, Series

__all__ = ["draw_wiggles", "plot_gather", "save_gather"]

TRACE_COLOR = "#777777"
# More traces than this are drawn as an image.
MOST_WIGGLES = 120
# A wiggle reaches over this much of the median distance between traces.
REACH = 0.8
# Share of the curves' range that is shown above and below them; picks farther off go to the edge.
MARGIN = 0.2
LEAST_MARGIN_SAMPLES = 25.0
# The same above time 0, for the circles of picks there.
ROOM = 0.02
CLIP_PERCENTILE = 98.0
# Of a table: of each pick, and before, after and uncertainty of its time.
COLUMNS = ("phase", "how", "is_outlier", "mirrored")
IN_SECONDS = ("time_s", "corrected_s", "uncertainty_s")
IN_SAMPLES = ("sample", "corrected_sample", "uncertainty_samples")


@dataclass(frozen=True)
class _Units:
    """What the axes count in: ``scale`` turns the table's times into those of the figure.

    ``per_s`` does it with seconds; NaN where the figure's times are samples.
    """

    time: str
    scale: float
    per_s: float
    offset: str
    before: str
    after: str
    uncertainty: str


def plot_gather(
    rows: DataFrame,
    waveforms: Mapping[str, LabelledWaveform] | None = None,
    sampling_rate_hz: float | None = None,
) -> Figure:
    """Draw one gather: picks before (circles, outliers crossed) and after (curves).

    A band about a curve is twice the uncertainty; where a time was filled in or is of the other
    side, the curve's points are hollow squares. Picks outside of the view are triangles at its
    edge. With waveforms the gather lies underneath, each trace scaled by itself.

    Args:
        rows: of one shot, as `correct_picks` returns them.
        waveforms: the record of each receiver, by the receiver's name in the table.
        sampling_rate_hz: turns samples into milliseconds or microseconds.

    Returns:
        A Matplotlib figure, not shown.

    Raises:
        ConfigError: for another table, other records, several shots, or if no row has an offset.
    """
    from matplotlib.figure import Figure

    _check(rows, waveforms)
    units = _units(rows, sampling_rate_hz)
    rows = rows.assign(place=_places(rows))
    rows = rows[np.isfinite(rows["place"])].sort_values("place", kind="stable")
    if rows.empty:
        raise ConfigError("a gather is drawn over offsets: none of its rows has one")
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    axis = figure.subplots()
    view = _view(rows, units)
    if waveforms:
        _draw_waveforms(axis, rows, waveforms, units, view)
    for phase, of_phase in rows.groupby("phase"):
        _draw_phase(axis, of_phase, str(phase), units, view)
    axis.set_ylim(view[1], view[0])
    reach = np.ptp(rows["place"]) or 1.0
    axis.set_xlim(rows["place"].min() - 0.02 * reach, rows["place"].max() + 0.02 * reach)
    axis.set_xlabel(units.offset)
    axis.set_ylabel(units.time)
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_title(_title(rows), fontsize=11, loc="left")
    _legend(figure, rows, units, view)
    return without_offsets(figure)


def save_gather(
    rows: DataFrame,
    folder: str | PathLike[str],
    waveforms: Mapping[str, LabelledWaveform] | None = None,
    sampling_rate_hz: float | None = None,
) -> Path | None:
    """Draw one gather and save it as ``gather_<shot>.png``; None where no row has an offset.

    Args:
        rows: as in `plot_gather`.
        folder: it must exist.
        waveforms: as in `plot_gather`.
        sampling_rate_hz: as in `plot_gather`.

    Returns:
        The file's path.
    """
    _check(rows, waveforms)
    if not np.isfinite(_places(rows)).any():
        return None
    shot = rows[shot_column(rows)].iloc[0]
    path = Path(folder) / f"gather_{file_stem(str(shot))}.png"
    save_figure(plot_gather(rows, waveforms, sampling_rate_hz), path)
    return path


def _check(rows: Any, waveforms: Any) -> None:
    import pandas as pd

    checked_type(rows, pd.DataFrame, "a gather", "correct_picks returns one, of all shots")
    shot, has_seconds = shot_column(rows), "corrected_s" in rows
    missing = [
        name
        for name in (shot, "receiver", *COLUMNS, *(IN_SECONDS if has_seconds else IN_SAMPLES))
        if name not in rows
    ]
    if missing:
        raise ConfigError(
            f"a gather is a table of correct_picks; {', '.join(missing)} is missing, received "
            f"{some(map(str, rows.columns), 9) or 'no columns'}"
        )
    if rows[shot].nunique() > 1:
        raise ConfigError(
            f"a gather is of one shot, received {some(map(str, rows[shot].unique()))}: "
            f"for {shot}, rows in table.groupby('{shot}')"
        )
    hint = "{receiver: LabelledWaveform(waveform, {})}"
    checked_table(waveforms or {}, LabelledWaveform, "waveforms", hint)


def _units(rows: DataFrame, rate_hz: float | None) -> _Units:
    in_metres = "offset_m" in rows
    offset = "offset (m)" if in_metres else "receiver minus shot number"
    if "corrected_s" in rows:
        unit = residual_unit(_span_of(rows["corrected_s"]))
        return _Units(f"time ({unit.symbol})", unit.per_s, unit.per_s, offset, *IN_SECONDS)
    if rate_hz is None:
        return _Units("time (samples)", 1.0, math.nan, offset, *IN_SAMPLES)
    unit = residual_unit(_span_of(rows["corrected_sample"]) / rate_hz)
    return _Units(f"time ({unit.symbol})", unit.per_s / rate_hz, unit.per_s, offset, *IN_SAMPLES)


def _span_of(times: Series) -> float:
    return float(times.max() - times.min())


def _places(rows: DataFrame) -> np.ndarray:
    if "offset_m" in rows:
        return rows["offset_m"].to_numpy(float)
    return (rows["receiver"] - rows[shot_column(rows)]).to_numpy(float)


def _view(rows: DataFrame, units: _Units) -> tuple[float, float]:
    """Return the times shown: those of the curves and a margin, or of the picks without any."""
    times = rows[units.after].to_numpy(float)
    if not np.isfinite(times).any():
        times = rows[units.before].to_numpy(float)
    times = times[np.isfinite(times)] * units.scale
    if not times.size:
        return 0.0, 1.0
    least = LEAST_MARGIN_SAMPLES * units.scale if units.before == "sample" else 0.0
    margin = max(MARGIN * np.ptp(times), least, 1e-6)
    first, last = float(times.min()), float(times.max())
    # Before the record there is nothing to see.
    begin = max(first - margin, -ROOM * (last - first)) if first >= 0.0 else first - margin
    return begin, last + margin


def _draw_phase(
    axis: Axes, rows: DataFrame, phase: str, units: _Units, view: tuple[float, float]
) -> None:
    color = color_of(phase)
    x = rows["place"].to_numpy()
    before, after, sigma = (
        rows[name].to_numpy(float) * units.scale
        for name in (units.before, units.after, units.uncertainty)
    )
    known = np.isfinite(after)
    for side in _sides(x):
        on = side & known
        axis.plot(x[on], after[on], color=color, linewidth=1.4, zorder=5)
        axis.fill_between(
            x[on], (after - 2 * sigma)[on], (after + 2 * sigma)[on], color=color, alpha=0.18, lw=0
        )
    filled = known & _is_filled(rows)
    style: dict[str, Any] = {"linestyle": "none", "color": color, "zorder": 6}
    axis.plot(x[filled], after[filled], marker="s", ms=4.5, mfc="white", **style)
    good, crossed, above, below = _kinds_of_picks(rows, before, view)
    axis.plot(x[good], before[good], marker="o", ms=4, mfc="none", mew=0.9, **style)
    axis.plot(x[crossed], before[crossed], marker="x", ms=6, mew=1.6, **style)
    for on, edge, marker in ((above, view[0], "^"), (below, view[1], "v")):
        if on.any():  # an empty line that is not clipped would widen the margins
            at = np.full(on.sum(), edge)
            axis.plot(x[on], at, marker=marker, ms=7, mew=1.2, clip_on=False, **style)


def _kinds_of_picks(
    rows: DataFrame, times: np.ndarray, view: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return which are good, which are outliers in view, and which are such above and below it."""
    outlier = rows["is_outlier"].to_numpy(bool)
    above, below = outlier & (times < view[0]), outlier & (times > view[1])
    return ~outlier, outlier & (times >= view[0]) & (times <= view[1]), above, below


def _is_filled(rows: DataFrame) -> np.ndarray:
    return ((rows["how"] == "filled") | rows["mirrored"]).to_numpy(bool)


def _sides(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows are on each side, both with what stands at the source."""
    at_source = x == 0
    return (x < 0) | (at_source & (x < 0).any()), x >= 0


def _draw_waveforms(
    axis: Axes,
    rows: DataFrame,
    waveforms: Mapping[str, LabelledWaveform],
    units: _Units,
    view: tuple[float, float],
) -> None:
    traces = []
    by_name = {str(name): record for name, record in waveforms.items()}
    for row in rows.drop_duplicates("receiver").to_dict("records"):
        record = by_name.get(str(row["receiver"]))
        if record is None:
            continue
        wave = record.waveform
        start = row.get("start_time")
        dated = start is not None and start == start
        shift_s = seconds_after(wave.start_time, start) if dated else 0.0
        seconds = shift_s + np.arange(wave.n_samples) / wave.sampling_rate
        in_samples = math.isnan(units.per_s)
        times = seconds * (wave.sampling_rate if in_samples else units.per_s)
        shown = (times >= view[0]) & (times <= view[1])
        # The last channel: Z, where there is one.
        values = wave.data[shown, -1].astype(float)
        if values.size:
            traces.append((float(row["place"]), times[shown], values))
    draw_wiggles(axis, traces)


def draw_wiggles(axis: Axes, traces: Sequence[tuple[float, np.ndarray, np.ndarray]]) -> None:
    """Draw traces along time, each scaled by itself; many of them as an image.

    Args:
        axis: to draw on; offset across, time up.
        traces: offset, times, values.
    """
    scaled = []
    for place, times, values in traces:
        centred = values - np.median(values)
        clip = float(np.percentile(np.abs(centred), CLIP_PERCENTILE)) or 1.0
        scaled.append((place, times, np.clip(centred / clip, -1.2, 1.2)))
    if len(scaled) > MOST_WIGGLES and len({len(trace[1]) for trace in scaled}) == 1:
        places = np.array([place for place, _, _ in scaled])
        image = np.stack([values for _, _, values in scaled], axis=1)
        axis.pcolormesh(
            places, scaled[0][1], image, cmap="Greys", vmin=-1.5, vmax=2.5, shading="nearest",
            rasterized=True,
        )  # fmt: skip
        return
    steps = np.diff(np.unique([place for place, _, _ in scaled]))
    scale = REACH * float(np.median(steps)) / 2 if steps.size else 0.5
    for place, times, values in scaled:
        wiggle = place + scale * values
        axis.plot(wiggle, times, color=TRACE_COLOR, linewidth=0.5, zorder=1)
        axis.fill_betweenx(times, place, wiggle, where=values > 0, color=TRACE_COLOR, alpha=0.45,
                           lw=0, zorder=1)  # fmt: skip


def _title(rows: DataFrame) -> str:
    shot = rows[shot_column(rows)].iloc[0]
    said = []
    for phase, of_phase in rows.groupby("phase"):
        counts = of_phase["how"].value_counts()
        parts = [f"{counts[how]} {how}" for how in HOW if how in counts]
        said.append(f"{phase} {', '.join(parts)}")
    return plain(f"shot {shot}: {'; '.join(said)}")


def _legend(figure: Figure, rows: DataFrame, units: _Units, view: tuple[float, float]) -> None:
    """Name what is drawn, and nothing else."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Line2D | Patch] = [
        Line2D([], [], color=color_of(phase), lw=2, label=f"{phase} corrected")
        for phase in sorted(rows["phase"].unique())
    ]
    style: dict[str, Any] = {"color": "black", "linestyle": "none"}
    before = rows[units.before].to_numpy(float) * units.scale
    good, crossed, above, below = _kinds_of_picks(rows, before, view)
    filled = np.isfinite(rows[units.after].to_numpy(float)) & _is_filled(rows)
    marks: tuple[tuple[np.ndarray, dict[str, Any]], ...] = (
        (good, {"marker": "o", "ms": 4, "mfc": "none", "label": "pick"}),
        (crossed, {"marker": "x", "ms": 6, "mew": 1.6, "label": "outlier"}),
        (above | below, {"marker": "v", "ms": 7, "label": "outlier beyond the view"}),
        (filled, {"marker": "s", "ms": 4.5, "mfc": "white", "label": "filled or mirrored"}),
    )
    handles += [Line2D([], [], **style, **mark) for is_so, mark in marks if is_so.any()]
    handles.append(Patch(color="black", alpha=0.18, lw=0, label="± 2 uncertainties"))
    figure.legend(
        handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=9
    )
