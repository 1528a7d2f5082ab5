"""Figures of data sets: labelled records, drawn to be looked at before training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from phasenet_keras.io.parts import check_records
from phasenet_keras.io.record_names import is_dated
from phasenet_keras.io.times import TimeUnit, unit_of_span
from phasenet_keras.plot import draw_onsets, visible_part
from phasenet_keras.plot_style import (
    PHASE_COLORS,
    TRACE_COLOR,
    color_of,
    plain,
    style_of,
    without_offsets,
)
from phasenet_keras.types import LabelledWaveform

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_examples"]

COLUMNS = 3
MAX_NAME = 44
SPACING = 1.15
# How much of a record is shown about its arrivals: the rest says little about the labels. Of a long
# one, so many samples; arrivals that come more than the others after the first are shown until a
# phase comes again: then they are another event's.
MARGIN = 0.6
LEAST_SHARE, LEAST_SAMPLES, MOST_SAMPLES = 0.1, 300, 3000


def plot_examples(records: Sequence[LabelledWaveform]) -> Figure:
    """Draw records with their labels, three in a row.

    Each channel is scaled by itself, to the part that is shown: the arrivals and their
    surroundings, the whole record where it has no arrival. A phase that is unknown is named so.

    Args:
        records: nine or so.

    Returns:
        A Matplotlib figure, not shown.

    Raises:
        ConfigError: for what are no labelled records.

    Example:
        >>> plot_examples(read_dataset("set/")[:9])  # doctest: +SKIP
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    records = list(check_records(records, "records to be drawn"))
    n_rows = max(1, -(-len(records) // COLUMNS))
    figure = Figure(figsize=(12, 2.7 * n_rows + 0.5), layout="constrained")
    axes = figure.subplots(n_rows, COLUMNS, squeeze=False).ravel()
    spans_s = [np.ptp(_view(record)) / record.waveform.sampling_rate for record in records]
    unit = unit_of_span(max(spans_s, default=1.0))
    for axis, record in zip(axes, records, strict=False):
        _draw(axis, record, unit)
    for axis in axes[len(records) :]:
        axis.set_axis_off()
    labelled = {phase for record in records for phase, at in record.arrivals.items() if at}
    handles = [
        Line2D([], [], color=color_of(phase), linestyle=style_of(phase), label=f"{phase} label")
        for phase in sorted(labelled)
    ]
    if handles:
        figure.legend(handles=handles, loc="outside upper right", ncols=len(handles), frameon=False)
    figure.supxlabel(f"{unit.name} from the first sample", fontsize=10)
    return without_offsets(figure)


def _draw(axis: Axes, record: LabelledWaveform, unit: TimeUnit) -> None:
    wave = record.waveform
    begin, end = _view(record)
    rate_hz = wave.sampling_rate
    view = (begin / rate_hz, end / rate_hz)
    ticks = []
    for place, name in enumerate(wave.channels):
        values = wave.data[begin:end, place].astype(np.float64)
        values = values - np.median(values)
        peak = np.abs(values).max()
        level = -SPACING * place
        shown = level + 0.5 * values / (peak or 1.0)
        time_s, shown = visible_part(shown, rate_hz, view[0], view)
        axis.plot(unit.per_s * time_s, shown, color=TRACE_COLOR, linewidth=0.6)
        ticks.append((level, name))
    for phase, samples in record.arrivals.items():
        times = [unit.per_s * sample / rate_hz for sample in samples if begin <= sample < end]
        draw_onsets(axis, times, phase, linewidth=1.2, zorder=3)
    axis.set_yticks([level for level, _ in ticks], [name for _, name in ticks])
    axis.set_ylim(-SPACING * (len(ticks) - 1) - 0.6, 0.6)
    right_s = max(view[1] - 1 / rate_hz, view[0] + 1 / rate_hz)
    axis.set_xlim(unit.per_s * view[0], unit.per_s * right_s)
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_title(_title(record), fontsize=8.5, loc="left")


def _view(record: LabelledWaveform) -> tuple[int, int]:
    """Return the part of a record that is shown: from well before the arrivals to well after."""
    n_samples = record.waveform.n_samples
    samples = [sample for values in record.arrivals.values() for sample in values]
    if not samples:
        return 0, n_samples
    first = min(samples)
    again = min((sorted(v)[1] for v in record.arrivals.values() if len(v) > 1), default=math.inf)
    last = max(sample for sample in samples if sample <= first + MOST_SAMPLES or sample < again)
    spread = max(last - first, min(LEAST_SHARE * n_samples, LEAST_SAMPLES))
    begin = max(0, int(first - MARGIN * spread))
    return begin, min(n_samples, int(last + 2 * MARGIN * spread) + 2)


def _title(record: LabelledWaveform) -> str:
    name = record.name if len(record.name) <= MAX_NAME else f"…{record.name[-MAX_NAME:]}"
    unknown = [phase for phase in PHASE_COLORS if phase not in record.arrivals]
    absent = [phase for phase in PHASE_COLORS if record.arrivals.get(phase) == ()]
    start = record.waveform.start_time
    said = [f"{start.datetime:%Y-%m-%d %H:%M:%S}"] if is_dated(start) else []
    said += [record.split] if record.split else []
    said += [f"{' and '.join(unknown)} unknown"] if unknown else []
    said += [f"no {' and '.join(absent)}"] if absent else []
    return plain(f"{name}\n{', '.join(said)}")
