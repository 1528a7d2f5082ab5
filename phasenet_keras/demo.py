"""The two examples that come with the program, picked by the two presets that do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from phasenet_keras.io.example import read_example_line
from phasenet_keras.io.tables import write_picks
from phasenet_keras.io.times import seconds_after
from phasenet_keras.io.waveforms import read_waveforms
from phasenet_keras.picking.default_preset import NEAR_SURFACE, REGIONAL
from phasenet_keras.picking.picker import Picker
from phasenet_keras.plot import plot_station, save_figure
from phasenet_keras.plot_line import plot_line
from phasenet_keras.short_repr import three_digits
from phasenet_keras.training.matching import match_picks
from phasenet_keras.types import LabelledWaveform, Pick

__all__ = ["pick_line", "pick_record"]

TOLERANCE_SAMPLES = {"P": 5.0, "S": 10.0}


def pick_record(folder: Path) -> list[str]:
    """Pick and draw ObsPy's example record.

    Returns:
        What there is to say, in lines.
    """
    picker = Picker.from_preset(REGIONAL, engine="auto")
    [record] = read_waveforms()
    result = picker.pick_record(record)
    save_figure(plot_station(result), folder / "record.png")
    write_picks(result.picks, folder / "record.csv")
    return [
        f"preset {REGIONAL}: {record.station}, an earthquake, {record.duration_s:g} s from "
        f"{record.start_time}",
        *(f"  {p.phase}  {p.time}  probability {p.probability:.2f}" for p in result.picks),
        f"  {folder / 'record.png'}, {folder / 'record.csv'}",
    ]


def pick_line(folder: Path) -> list[str]:
    """Pick and draw the simulated geophone line.

    Returns:
        What there is to say, in lines.
    """
    picker = Picker.from_preset(NEAR_SURFACE, engine="auto")
    records = read_example_line()
    picks = picker.pick([record.waveform for record in records])
    write_picks(picks, folder / "line.csv")
    rate_hz = records[0].waveform.sampling_rate
    what = f"{len(records)} vertical geophones, {rate_hz:g} Hz"
    figure = plot_line(records, picks, f"{what}, preset {NEAR_SURFACE}")
    save_figure(figure, folder / "line.png")
    return [
        f"preset {NEAR_SURFACE}: a simulated line, {what}",
        *_scores(records, picks, rate_hz),
        f"  {folder / 'line.png'}, {folder / 'line.csv'}",
    ]


def _scores(
    records: Sequence[LabelledWaveform], picks: Sequence[Pick], rate_hz: float
) -> Iterator[str]:
    for phase, tolerance in TOLERANCE_SAMPLES.items():
        n_labels = n_picks = n_right = 0
        for record in records:
            wave = record.waveform
            labels = record.arrivals.get(phase, ())
            found = [
                seconds_after(pick.time, wave.start_time) * rate_hz
                for pick in picks
                if pick.phase == phase and pick.station == wave.station
            ]
            n_labels += len(labels)
            n_picks += len(found)
            n_right += len(match_picks(found, labels, tolerance))
        yield (
            f"  {phase}  {n_picks} picks; {n_right} of {n_labels} onsets within "
            f"{three_digits(1e3 * tolerance / rate_hz)} ms"
        )
