"""Arrivals foretold without a look at a waveform: from the labels of the records beside it.

Receivers of one gather have nearly the same arrivals as those beside them, and records that were
cut about their arrivals have them at nearly the same sample. A network is good for something where
it finds more than that.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from phasenet_keras.io.index import natural_key
from phasenet_keras.training.picked import PickedRecord
from phasenet_keras.training.splits import drawn_groups, is_lone
from phasenet_keras.types import LabelledWaveform, Pick

__all__ = ["LEAST_BESIDE", "NEIGHBOURS", "foretold"]

NEIGHBOURS = "labels of neighbours"
# A lower mean F1 is nothing that a reader would take for a success.
LEAST_BESIDE = 0.5
# Where in the line a label is, and its time in seconds, by phase.
Points = dict[str, tuple[list[int], list[float]]]


def foretold(
    records: Sequence[LabelledWaveform], known: Sequence[LabelledWaveform]
) -> list[PickedRecord]:
    """Pick records by straight lines through the labels of others, in the order of their names.

    The others are those of the record's event, gather or moment (`drawn_groups`). Where no record
    has any of these, all are taken for neighbours. The first arrival of a phase counts; beyond the
    first and the last known record its time is that of the nearest.

    Args:
        records: to be picked.
        known: whose labels are known.

    Returns:
        The records, each with a pick of each phase that its neighbours have; nothing where none has
        neighbours.

    Example:
        >>> from phasenet_keras.types import Waveform
        >>> wave = Waveform(np.ones((300, 1)), 100.0, "1970-01-01", ("Z",), "XX.A..HH")
        >>> line = [LabelledWaveform(wave, {"P": 60 + 2 * n}, f"r{n}") for n in (9, 10, 11)]
        >>> foretold(line[1:2], line[::2])[0].picks[0].time
        UTCDateTime(1970, 1, 1, 0, 0, 0, 800000)
    """
    everything = [*records, *known]
    groups = drawn_groups(everything)
    if is_lone(everything, groups):
        groups = [""] * len(everything)
    ours, others = groups[: len(records)], groups[len(records) :]
    if not set(ours) & set(others):
        return []
    order = sorted(range(len(everything)), key=lambda number: natural_key(everything[number].name))
    places = np.argsort(order)
    points = _points(known, others, places[len(records) :])
    return [
        PickedRecord(record, _picks(record, place, points.get(group, {})), 0.0)
        for record, group, place in zip(records, ours, places, strict=False)
    ]


def _points(
    known: Sequence[LabelledWaveform], groups: Sequence[str], places: np.ndarray
) -> dict[str, Points]:
    """Return the labels of each group, by phase, in the order of the records."""
    points: dict[str, Points] = {}
    for number in np.argsort(places):
        record = known[number]
        for phase, (sample, *_) in ((p, at) for p, at in record.arrivals.items() if at):
            of_phase = points.setdefault(groups[number], {}).setdefault(phase, ([], []))
            of_phase[0].append(places[number])
            of_phase[1].append(sample / record.waveform.sampling_rate)
    return points


def _picks(record: LabelledWaveform, place: int, points: Points) -> tuple[Pick, ...]:
    wave, picks = record.waveform, []
    for phase, (places, times_s) in sorted(points.items()):
        time_s = float(np.interp(place, places, times_s))
        if time_s < wave.duration_s:
            time = wave.start_time + time_s
            picks.append(Pick(time, wave.station, phase, probability=1.0, preset=NEIGHBOURS))
    return tuple(picks)
