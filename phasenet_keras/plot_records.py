"""The figure of a station that has short records, long after one another: a panel each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from phasenet_keras.io.record_names import is_dated
from phasenet_keras.io.times import seconds_after, unit_of_span
from phasenet_keras.plot import (
    View,
    close_up,
    counts_of,
    draw_channels,
    draw_picks,
    draw_probabilities,
)
from phasenet_keras.plot_style import plain, shortened, without_offsets

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from phasenet_keras.picking.files import StationResult
    from phasenet_keras.picking.picker import RecordResult

__all__ = ["are_scattered", "plot_records"]

# Records that cover less of the time between the first and the last would be hairlines.
LEAST_COVERED = 0.1
MOST_RECORDS = 6
MAX_NAME = 40


def are_scattered(records: Sequence[RecordResult]) -> bool:
    """Tell if one axis of time is no place for records: they are short, or all of 1970."""
    waves = [record.waveform for record in records]
    if len(waves) < 2:
        return False
    first = min(wave.start_time for wave in waves)
    span_s = max(seconds_after(wave.start_time, first) + wave.duration_s for wave in waves)
    covered = sum(wave.duration_s for wave in waves) / span_s
    return covered < LEAST_COVERED or (covered > 1.0 and not is_dated(first))


def plot_records(result: StationResult, window_s: float | None = None) -> Figure:
    """Draw up to six records of a station, those with the surest picks, in panels of their own.

    Args:
        result: of the station.
        window_s: as in `phasenet_keras.plot.plot_station`; of a longer record one window is shown.

    Returns:
        A Matplotlib figure, not shown.
    """
    from matplotlib.figure import Figure

    n_all = len(result.records)
    surest = sorted(result.records, key=_surest, reverse=True)[:MOST_RECORDS]
    records = [record for record in result.records if record in surest]
    records.sort(key=lambda record: record.waveform.start_time)
    n_columns = min(2, len(records))
    n_rows = -(-len(records) // n_columns)
    figure: Figure = Figure(figsize=(6.4 * n_columns, 3.0 * n_rows + 0.7), layout="constrained")
    parts: Any = figure.subfigures(n_rows, n_columns, squeeze=False).ravel()
    legend: dict[str, Any] = {}
    for part, record in zip(parts, records, strict=False):
        wave = record.waveform
        whole = (0.0, wave.duration_s)
        shown = close_up(record.picks, wave.start_time, wave.duration_s, window_s) or whole
        view = View(wave.start_time, *shown, unit_of_span(shown[1] - shown[0]))
        axes = part.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        draw_channels(axes[0], wave, view)
        draw_probabilities(axes[1], [record.annotation], view)
        # Not below, too: there a line would hide how high its peak is.
        draw_picks(axes[0], record.picks, view)
        axes[1].set_xlim(*view.limits)
        axes[1].tick_params(labelsize=8)
        axes[1].spines[["top", "right"]].set_visible(False)
        axes[1].set_ylabel("probability", fontsize=8)
        axes[1].set_xlabel(f"{view.unit.name} after the record's start", fontsize=8)
        begin = [view.start_text] if is_dated(wave.start_time) else []
        title = ", ".join([*begin, shortened(wave.source, MAX_NAME)]).removesuffix(", ")
        axes[0].set_title(plain(title), fontsize=9, loc="left")
        handles, labels = axes[1].get_legend_handles_labels()
        legend.update(zip(labels, handles, strict=True))
    if legend:
        figure.legend(
            legend.values(), legend.keys(), loc="outside lower center", ncols=len(legend),
            frameon=False, fontsize=9,
        )  # fmt: skip
    shown_of_all = f"{n_all} records"
    if len(records) < n_all:
        which = "those with the surest picks" if any(r.picks for r in records) else "the first"
        shown_of_all = f"{len(records)} of {n_all} records, {which}"
    figure.suptitle(plain(f"{counts_of(result)}; {shown_of_all}"), fontsize=11)
    return without_offsets(figure)


def _surest(record: RecordResult) -> float:
    return max((pick.probability for pick in record.picks), default=0.0)
