"""Figures: a station's record, probabilities and picks. Only `plot` modules import Matplotlib.

A function ``plot_…`` returns a Matplotlib figure and shows nothing: ``figure.savefig`` writes it.
After ``%matplotlib inline`` a notebook draws it as the last line of a cell.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phasenet_keras.data.settings import checked_items
from phasenet_keras.io.annotations import file_stem
from phasenet_keras.io.new_files import beside_then_rename, folder_to_write
from phasenet_keras.io.record_names import is_dated
from phasenet_keras.io.times import TimeUnit, iso_time, seconds_after, unit_of_span
from phasenet_keras.io.wording import free_name, some
from phasenet_keras.plot_style import (
    TRACE_COLOR,
    color_of,
    plain,
    shortened,
    style_of,
    without_offsets,
)
from phasenet_keras.types import ConfigError, Pick, Waveform

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from obspy import UTCDateTime

    from phasenet_keras.picking.files import StationResult
    from phasenet_keras.picking.picker import RecordResult
    from phasenet_keras.types import Annotation

__all__ = [
    "View",
    "close_up",
    "counts_of",
    "draw_channels",
    "draw_onsets",
    "draw_picks",
    "draw_probabilities",
    "plot_station",
    "save_figure",
    "save_station_figure",
    "visible_part",
]

# A record is drawn as its envelope when it has many more samples than the figure has pixels.
MAX_POINTS = 4000
# Records longer than this many windows get a second row of panels around the best pick.
ZOOM_FROM_WINDOWS = 4
# With more picks than this the lines would hide the record, as one hides its earthquake in a day:
# short marks on top instead, so high as a share of the axis.
MAX_LINES = 40
MARK = 0.12
MAX_NAME = 60
# A close-up whose axis would have larger numbers counts from its own left end.
MOST_COUNTED = 1e5
# Of records of such rates times are told to the nanosecond.
MOST_HZ = 1e9


@dataclass(frozen=True)
class View:
    """What panels show of records: seconds after a time, in a unit."""

    start: UTCDateTime
    left_s: float
    right_s: float
    unit: TimeUnit

    @property
    def limits(self) -> tuple[float, float]:
        """Ends of the axis of time."""
        return self.left_s * self.unit.per_s, self.right_s * self.unit.per_s

    @property
    def label(self) -> str:
        """Return the axis label; a time has three decimals more than the unit."""
        after = self.start_text if is_dated(self.start) else "the record's start"
        return f"{self.unit.name} after {after}"

    @property
    def start_text(self) -> str:
        """Return the time that is counted from."""
        text = iso_time(self.start, MOST_HZ).replace("T", " ")
        places = 3 + round(math.log10(self.unit.per_s))
        return f"{text[: len('2024-01-01 00:00:00.') + places]} UTC"

    def place(self, time: UTCDateTime) -> float:
        """Return where a time is on the axis."""
        return seconds_after(time, self.start) * self.unit.per_s

    def from_its_left(self) -> View:
        """Return the same view, which counts from its left end."""
        return View(self.start + self.left_s, 0.0, self.right_s - self.left_s, self.unit)

    def part(
        self, values: np.ndarray, rate_hz: float, begin: UTCDateTime
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return places and values of what is seen of a series, see `visible_part`."""
        offset_s = seconds_after(begin, self.start)
        time_s, values = visible_part(values, rate_hz, offset_s, (self.left_s, self.right_s))
        return time_s * self.unit.per_s, values


def plot_station(
    result: StationResult | RecordResult | Iterable[RecordResult], window_s: float | None = None
) -> Figure:
    """Draw a station's records with picks above the probabilities, on one time axis.

    Short records, long after one another, get a panel each: see
    `phasenet_keras.plot_records.plot_records`.

    Args:
        result: of `Picker.pick_record`, or several of one station, as of `Picker.pick_each`; or of
            `phasenet_keras.picking.files.pick_files`.
        window_s: the network's window in seconds of the record; records longer than four of them
            get a close-up, one window long, around the pick of highest probability.

    Returns:
        A Matplotlib figure, not shown: ``figure.savefig("station.png")`` writes it, and after
        ``%matplotlib inline`` a notebook draws it as the last line of a cell.

    Raises:
        ConfigError: for what is no result, for none, or results of several stations.

    Example:
        >>> plot_station(picker.pick_record(stream))  # doctest: +SKIP
    """
    from matplotlib.figure import Figure

    from phasenet_keras.plot_records import are_scattered, plot_records

    result = _station_of(result)
    records = result.records
    if are_scattered(records):
        return plot_records(result, window_s)
    names = dict.fromkeys(name for record in records for name in record.waveform.channels)
    channels = sorted(names, key=lambda name: "ENZ".find(name) if name in "ENZ" else 3)
    start = min(record.waveform.start_time for record in records)
    end_s = max(
        seconds_after(r.waveform.start_time, start) + r.waveform.duration_s for r in records
    )
    best = close_up(result.picks, start, end_s, window_s)
    n_rows = len(channels) + 1
    figure: Figure = Figure(
        figsize=(11, 1.35 * n_rows * (2 if best else 1) + 1.0), layout="constrained"
    )
    parts: Any = figure.subfigures(2, 1) if best else [figure]
    views = [View(start, 0.0, end_s, unit_of_span(end_s))]
    if best:
        zoom = View(start, *best, unit_of_span(best[1] - best[0]))
        is_large = zoom.limits[1] > MOST_COUNTED and is_dated(start)
        views.append(zoom.from_its_left() if is_large else zoom)
    for part, view in zip(parts, views, strict=True):
        axes = part.subplots(n_rows, 1, sharex=True)
        for axis, channel in zip(axes, channels, strict=False):
            _draw_channel(axis, channel, records, view)
        draw_probabilities(axes[-1], [record.annotation for record in records], view)
        axes[-1].set_ylabel("probability", rotation=0, ha="right", va="center")
        handles, labels = axes[-1].get_legend_handles_labels()
        for axis in axes:
            draw_picks(axis, result.picks, view, as_marks=bool(best) and view is views[0])
            axis.set_xlim(*view.limits)
            axis.spines[["top", "right"]].set_visible(False)
        axes[-1].set_xlabel(view.label)
    if handles:  # the same in both parts; in a panel it would hide a part of it
        figure.legend(
            handles, labels, loc="outside lower center", ncols=len(labels), fontsize=9,
            frameon=False,
        )  # fmt: skip
    below = "; below: around the pick of highest probability" if best else ""
    # Without a time it is the file that tells a record from others of its station.
    sources = [] if is_dated(start) else sorted({r.waveform.source for r in records} - {""})
    of_files = f"; {shortened(some(sources), MAX_NAME)}" if sources else ""
    figure.suptitle(plain(f"{counts_of(result)}{of_files}{below}"), fontsize=11)
    return without_offsets(figure)


def counts_of(result: StationResult) -> str:
    """Return a station's name and its picks in numbers: the title of its figure."""
    counts = ", ".join(
        f"{sum(pick.phase == phase for pick in result.picks)} {phase}"
        for phase in _phases(result.records)
    )
    return f"{shortened(result.station, MAX_NAME)}: {counts or 'not picked'}"


def close_up(
    picks: Sequence[Pick], start: UTCDateTime, end_s: float, window_s: float | None
) -> tuple[float, float] | None:
    """Return the seconds after the start of a window around the best pick; None: all is shown."""
    if not (window_s and end_s > ZOOM_FROM_WINDOWS * window_s and picks):
        return None
    best = max(picks, key=lambda pick: pick.probability)
    left = min(max(seconds_after(best.time, start) - window_s / 3, 0.0), end_s - window_s)
    return left, left + window_s


def save_station_figure(
    result: StationResult | RecordResult | Iterable[RecordResult],
    folder: str | PathLike[str],
    window_s: float | None = None,
    taken: Collection[str] = (),
) -> Path:
    """Draw a station and save it as ``<station>.png``, a record of HDF5 under its own name.

    Args:
        result: as in `plot_station`.
        folder: it is made if needed.
        window_s: as in `plot_station`.
        taken: stems of figures of this run, which are not written over.

    Returns:
        The file's path.
    """
    folder = folder_to_write(folder)
    result = _station_of(result)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{free_name(file_stem(result.name or result.station), taken)}.png"
    save_figure(plot_station(result, window_s), path)
    return path


def save_figure(figure: Figure, path: Path) -> None:
    """Save a figure in the format of the name's ending; it appears when it is complete."""
    with beside_then_rename(path, "wb") as file:
        figure.savefig(file, format=path.suffix.removeprefix("."), dpi=110)


def _station_of(given: StationResult | RecordResult | Iterable[RecordResult]) -> StationResult:
    from phasenet_keras.picking.files import StationResult
    from phasenet_keras.picking.picker import RecordResult

    hint = "Picker.pick_record(waveform or stream) gives one"
    items = given.records if isinstance(given, StationResult) else given
    records = checked_items(items, RecordResult, "results to be drawn", hint)
    stations = sorted({record.waveform.station for record in records})
    if isinstance(given, StationResult) and records:
        return given
    if len(stations) != 1:
        found = some(stations) if stations else "none"
        raise ConfigError(f"a figure has the records of one station, received {found}")
    return StationResult(stations[0], records)


def _draw_channel(axis: Axes, channel: str, records: Sequence[RecordResult], view: View) -> None:
    units = None
    for record in records:
        wave = record.waveform
        if channel not in wave.channels:
            continue
        units = units or wave.units
        column = wave.data[:, wave.channels.index(channel)]
        column = column - column.mean(dtype=np.float64)
        times, values = view.part(column, wave.sampling_rate, wave.start_time)
        axis.plot(times, values, color=TRACE_COLOR, linewidth=0.6)
    axis.set_ylabel(
        f"{channel}\n({units})" if units else channel, rotation=0, ha="right", va="center"
    )
    axis.ticklabel_format(axis="y", style="sci", scilimits=(-3, 4))
    axis.tick_params(labelsize=8)


def draw_channels(axis: Axes, wave: Waveform, view: View) -> None:
    """Draw a record's channels below one another, each as high as its largest excursion in view."""
    for row, column in enumerate(wave.data.T):
        column = column - column.mean(dtype=np.float64)
        times, values = view.part(column, wave.sampling_rate, wave.start_time)
        scale = np.abs(values).max(initial=0.0) or 1.0
        axis.plot(times, 0.45 * values / scale - row, color=TRACE_COLOR, linewidth=0.6)
    axis.set_yticks(-np.arange(len(wave.channels)), wave.channels, fontsize=9)
    axis.tick_params(axis="y", length=0)
    axis.set_ylim(0.55 - len(wave.channels), 0.55)
    axis.spines[["top", "right", "left"]].set_visible(False)


def draw_probabilities(
    axis: Axes,
    annotations: Iterable[Annotation | None],
    view: View,
    phases: Collection[str] | None = None,
) -> None:
    """Draw the probabilities of some phases, of None all; the first line of each has its label."""
    labelled = set()
    for annotation in filter(None, annotations):
        for column, phase in enumerate(annotation.phases):
            if phase == "N" or (phases is not None and phase not in phases):
                continue
            values = annotation.probabilities[:, column]
            times, values = view.part(values, annotation.sampling_rate, annotation.start_time)
            label = None if phase in labelled else phase
            labelled.add(phase)
            axis.plot(times, values, color=color_of(phase), linewidth=1.0, label=label)
    axis.set_ylim(0, 1.05)


def draw_picks(axis: Axes, picks: Sequence[Pick], view: View, *, as_marks: bool = False) -> None:
    """Draw the picks in view as lines; as marks, in a row a phase, where lines would hide much."""
    left, right = view.limits
    inside = [pick for pick in picks if left <= view.place(pick.time) <= right]
    as_marks |= len(inside) > MAX_LINES
    for row, phase in enumerate(sorted({pick.phase for pick in inside})):
        times = [view.place(pick.time) for pick in inside if pick.phase == phase]
        if as_marks:
            top = 1.0 - row * MARK
            draw_onsets(axis, times, phase, (top - MARK, top), linewidth=0.9, alpha=0.8)
        else:
            draw_onsets(axis, times, phase, linewidth=1.0, alpha=0.8)


def draw_onsets(
    axis: Axes,
    times: Sequence[float],
    phase: str,
    ends: tuple[float, float] = (0.0, 1.0),
    **style: Any,
) -> None:
    """Draw onsets as lines over a part of an axis's height; solid for P."""
    axis.vlines(
        times,
        *ends,
        transform=axis.get_xaxis_transform(),
        color=color_of(phase),
        linestyle=style_of(phase),
        **style,
    )


def visible_part(
    values: np.ndarray, sampling_rate: float, offset_s: float, view: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Return time and values inside a view, as an envelope where there are too many samples."""
    begin = max(0, int((view[0] - offset_s) * sampling_rate))
    end = min(len(values), int((view[1] - offset_s) * sampling_rate) + 2)
    values = values[begin : max(begin, end)]
    time_s = offset_s + (begin + np.arange(len(values))) / sampling_rate
    step = 2 * len(values) // MAX_POINTS
    if step < 2:
        return time_s, values
    # The last block is filled up with the last sample.
    padded = np.pad(values, (0, -len(values) % step), mode="edge")
    blocks = padded.reshape(-1, step)
    envelope = np.stack([blocks.min(axis=1), blocks.max(axis=1)], axis=1).ravel()
    middles = time_s[np.minimum(np.arange(len(blocks)) * step + step // 2, len(values) - 1)]
    return np.repeat(middles, 2), envelope


def _phases(records: Sequence[RecordResult]) -> list[str]:
    annotations = [record.annotation for record in records if record.annotation]
    return [phase for phase in annotations[0].phases if phase != "N"] if annotations else []
