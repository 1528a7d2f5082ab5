"""Figures of a line: seismograms side by side with picks, and labels where there are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from phasenet_keras.data.settings import checked_items
from phasenet_keras.io.annotations import file_stem
from phasenet_keras.io.gather_names import own_names
from phasenet_keras.io.geometry import Geometry
from phasenet_keras.io.parts import check_records
from phasenet_keras.io.times import residual_unit, seconds_after
from phasenet_keras.io.wording import free_name, some
from phasenet_keras.plot import save_figure
from phasenet_keras.plot_gather import draw_wiggles
from phasenet_keras.plot_style import color_of, plain, without_offsets
from phasenet_keras.types import ConfigError, LabelledWaveform, Pick

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from phasenet_keras.picking.files import StationResult

__all__ = ["plot_line", "plot_traces", "save_traces", "trace_of"]

# What follows the last label or pick is shown for so much of the time before it.
TAIL = 0.6
# A pick of probability 1 is drawn so large, in points squared; smaller ones in proportion.
LARGEST = 60.0


def plot_line(records: Sequence[LabelledWaveform], picks: Sequence[Pick], title: str) -> Figure:
    """Draw the records of a line by offset; picks are circles, labels a dashed line.

    A circle's area is the probability of the pick. Of several labels of a phase the first is drawn.

    Args:
        records: with offsets, one a station, by offset.
        picks: of the same stations.
        title: of the figure.

    Returns:
        A Matplotlib figure, not shown.

    Raises:
        ConfigError: for no records, one without an offset, or picks of other stations.
    """
    records = list(check_records(records, "records of a line"))
    picks = checked_items(picks, Pick, "picks of a line", "Picker.pick gives such")
    waves = {record.waveform.station: record.waveform for record in records}
    offsets_m = {name: wave.offset_m for name, wave in waves.items() if wave.offset_m is not None}
    if not waves or len(offsets_m) < len(waves):
        raise ConfigError("a line is drawn over offsets: each of its records needs one")
    if others := {pick.station for pick in picks} - set(waves):
        raise ConfigError(f"there are picks of {some(sorted(others))}, of which no record is given")
    return _plot(records, picks, offsets_m, "offset (m)", title)


def trace_of(result: StationResult) -> tuple[str, int] | None:
    """Return file and number of a station that is a trace of a gather (SEG-Y, SU, SEG-2).

    The file's name has that of the shot at its end where it holds several.
    """
    source = result.records[0].waveform.source if result.records else ""
    own = own_names(source, result.station, Geometry())
    if own is None:
        return None
    shot = f"-{own.gather.rpartition('-')[2]}" if own.shot else ""
    return f"{source}{shot}", int(own.trace)


def plot_traces(results: Sequence[StationResult]) -> Figure:
    """Draw the traces of one file side by side, by number, with picks as in `plot_line`.

    Args:
        results: of which `trace_of` tells the number; of each the first record is drawn.

    Returns:
        A Matplotlib figure, not shown.
    """
    numbers = {r.station: number for r in results for _, number in filter(None, [trace_of(r)])}
    records = [LabelledWaveform(result.records[0].waveform, {}) for result in results]
    records.sort(key=lambda record: numbers[record.waveform.station])
    picks = [pick for result in results for pick in result.picks]
    phases = dict.fromkeys(("P", "S", *(pick.phase for pick in picks)))
    counts = ", ".join(f"{sum(p.phase == phase for p in picks)} {phase}" for phase in phases)
    name, _ = trace_of(results[0]) or ("", 0)
    title = f"{name}: {len(records)} traces, {counts}"
    figure = _plot(records, picks, numbers, "trace", title)
    figure.axes[0].set_xlim(min(numbers.values()) - 0.6, max(numbers.values()) + 0.6)
    figure.axes[0].locator_params(axis="x", integer=True)
    return figure


def save_traces(
    results: Sequence[StationResult], folder: Path, taken: Collection[str] = ()
) -> Path:
    """Draw the traces of one file and save them as ``<file>.png``; see `plot_traces`.

    Of a file of several shots it is ``<file>-<shot>.png``.

    Args:
        results: as in `plot_traces`.
        folder: it must exist.
        taken: stems of figures of this run, which are not written over.

    Returns:
        The file's path.
    """
    stem = results[0].station.rpartition("-")[0]
    path = folder / f"{free_name(file_stem(stem), taken)}.png"
    save_figure(plot_traces(results), path)
    return path


def _plot(
    records: Sequence[LabelledWaveform],
    picks: Sequence[Pick],
    places: Mapping[str, float],
    across: str,
    title: str,
) -> Figure:
    """Draw records at the places of their stations; times count from the first sample of each."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6.5), layout="constrained")
    axis = figure.subplots()
    waves = {record.waveform.station: record.waveform for record in records}
    picked_s = {
        phase: [
            seconds_after(pick.time, waves[pick.station].start_time)
            for pick in picks
            if pick.phase == phase
        ]
        for phase in dict.fromkeys(("P", "S", *(pick.phase for pick in picks)))
    }
    labels_s = {  # where there is no label the line is broken
        phase: [(r.arrivals.get(phase) or (np.nan,))[0] / r.waveform.sampling_rate for r in records]
        for phase in picked_s
    }
    onsets_s = [t for of_phase in (picked_s, labels_s) for ts in of_phase.values() for t in ts]
    longest_s = max((wave.n_samples - 1) / wave.sampling_rate for wave in waves.values())
    end_s = min((1 + TAIL) * float(np.nanmax([*onsets_s, 0.0])) or longest_s, longest_s)
    unit = residual_unit(end_s)
    traces = [
        (
            places[name],
            unit.per_s * np.arange(wave.n_samples) / wave.sampling_rate,
            wave.data[:, -1],
        )
        for name, wave in waves.items()
    ]
    draw_wiggles(axis, traces)
    for phase, times_s in picked_s.items():
        color = color_of(phase)
        if np.isfinite(labels_s[phase]).any():
            axis.plot(
                [place for place, _, _ in traces], unit.per_s * np.array(labels_s[phase]), "--",
                color=color, linewidth=1.0, zorder=4, label=f"{phase} onset",
            )  # fmt: skip
        found = [pick for pick in picks if pick.phase == phase]
        if found:
            axis.scatter(
                [places[pick.station] for pick in found], unit.per_s * np.array(times_s),
                s=[LARGEST * pick.probability for pick in found], facecolor="none",
                edgecolor=color, linewidth=1.4, zorder=6, label=f"{phase} pick",
            )  # fmt: skip
    axis.set_ylim(unit.per_s * end_s, 0.0)
    axis.set_xlabel(across)
    axis.set_ylabel(f"time ({unit.symbol})")
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_title(plain(title), fontsize=11, loc="left")
    if axis.get_legend_handles_labels()[0]:
        figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return without_offsets(figure)
