"""The figure of a geophone line: seismograms by offset with picks, and labels where there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from phasenet_keras.data.settings import checked_items
from phasenet_keras.io.parts import check_records
from phasenet_keras.io.times import seconds_after
from phasenet_keras.io.wording import some
from phasenet_keras.plot import color_of, plain, without_offsets
from phasenet_keras.plot_gather import draw_wiggles
from phasenet_keras.types import ConfigError, LabelledWaveform, Pick

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_line"]

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
    from matplotlib.figure import Figure

    records = list(check_records(records, "records of a line"))
    picks = checked_items(picks, Pick, "picks of a line", "Picker.pick gives such")
    waves = {record.waveform.station: record.waveform for record in records}
    offsets_m = {name: wave.offset_m for name, wave in waves.items() if wave.offset_m is not None}
    if not waves or len(offsets_m) < len(waves):
        raise ConfigError("a line is drawn over offsets: each of its records needs one")
    if others := {pick.station for pick in picks} - set(waves):
        raise ConfigError(f"there are picks of {some(sorted(others))}, of which no record is given")
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    axis = figure.subplots()
    times_ms = {name: 1e3 * np.arange(w.n_samples) / w.sampling_rate for name, w in waves.items()}
    draw_wiggles(
        axis, [(offsets_m[name], times_ms[name], w.data[:, -1]) for name, w in waves.items()]
    )
    last_ms = 0.0
    for phase in dict.fromkeys(("P", "S", *(pick.phase for pick in picks))):
        color = color_of(phase)
        # Where there is no label the line is broken.
        labels_ms = [
            1e3 * (r.arrivals.get(phase) or (np.nan,))[0] / r.waveform.sampling_rate
            for r in records
        ]
        axis.plot(
            list(offsets_m.values()), labels_ms, "--", color=color, linewidth=1.0, zorder=4,
            label=f"{phase} onset",
        )  # fmt: skip
        found = [pick for pick in picks if pick.phase == phase]
        begins = [waves[pick.station].start_time for pick in found]
        found_ms = [1e3 * seconds_after(p.time, t) for p, t in zip(found, begins, strict=True)]
        axis.scatter(
            [offsets_m[pick.station] for pick in found], found_ms,
            s=[LARGEST * pick.probability for pick in found], facecolor="none", edgecolor=color,
            linewidth=1.4, zorder=6, label=f"{phase} pick",
        )  # fmt: skip
        last_ms = max(last_ms, np.nanmax([*labels_ms, 0.0]), *found_ms)
    longest_ms = max(float(times[-1]) for times in times_ms.values())
    axis.set_ylim(min((1 + TAIL) * last_ms or longest_ms, longest_ms), 0.0)
    axis.set_xlabel("offset (m)")
    axis.set_ylabel("time (ms)")
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_title(plain(title), fontsize=11, loc="left")
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return without_offsets(figure)
