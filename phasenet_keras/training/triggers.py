"""P without a network: STA/LTA triggers, also refined by AIC, as most programs pick first arrivals.

Who trains a network has most often picked so before. The settings are those that do best on records
whose labels are known, so that a network is compared with the best that such a trigger can do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from obspy.signal.trigger import aic_simple, recursive_sta_lta, trigger_onset
from scipy.signal import butter, sosfilt

from phasenet_keras.short_repr import ShortRepr
from phasenet_keras.training.evaluate import score_picked
from phasenet_keras.training.label_offset import label_offsets
from phasenet_keras.training.matching import Tolerance
from phasenet_keras.training.picked import PickedRecord
from phasenet_keras.training.splits import spread
from phasenet_keras.types import LabelledWaveform, Pick, Waveform

__all__ = ["PHASE", "TRIGGER", "Trigger", "fitted_trigger"]

TRIGGER = "STA/LTA"
PHASE = "P"  # a trigger cannot tell phases apart: what comes first is taken for P
# What is tried. Corners of a high pass are parts of the sampling rate: none, and 2 Hz at 100 Hz.
CORNERS = (0.0, 0.02)
STA_SAMPLES = (5, 10, 20, 50)
LTA_PER_STA = (5, 10, 20)
RATIOS = (1.5, 2.0, 3.0, 5.0, 8.0)
# A trigger ends where the ratio has fallen to so much of what began it.
OFF_PER_ON = 0.5
# Fewer records say nothing of which settings are the best; more, or longer ones, take too long.
LEAST_KNOWN, MOST_KNOWN, MOST_SAMPLES = 8, 128, 1_000_000


@dataclass(frozen=True, repr=False)
class Trigger(ShortRepr):
    """A recursive STA/LTA trigger on the vertical, whose onsets AIC may refine.

    Both are ObsPy's (`obspy.signal.trigger`).

    Attributes:
        sta_samples: length of the short average.
        lta_samples: length of the long average.
        ratio: of the two, at which it triggers.
        is_refined: whether a pick is where AIC splits noise and signal about the trigger.
        corner: of the high pass before it, as a part of the sampling rate; 0 for none.
        most: how many picks a record may have: the first ones.

    Example:
        >>> from phasenet_keras.io.example import read_example_line
        >>> line = read_example_line()
        >>> picked = Trigger(sta_samples=5, lta_samples=100, ratio=5.0).pick(line)
        >>> len(line), sum(len(one.picks) for one in picked)
        (48, 48)
    """

    sta_samples: int
    lta_samples: int
    ratio: float
    is_refined: bool = True
    corner: float = 0.0
    most: int = 1

    @property
    def text(self) -> str:
        """Its settings in words."""
        passed = f", high pass at {self.corner:g} of the sampling rate" if self.corner else ""
        refined = ", onsets by AIC" if self.is_refined else ""
        return (
            f"averages of {self.sta_samples} and {self.lta_samples} samples, ratio {self.ratio:g}"
            f"{passed}{refined}"
        )

    def pick(self, records: Sequence[LabelledWaveform]) -> list[PickedRecord]:
        """Pick P; a record that is no longer than the long average has no picks."""
        return [PickedRecord(record, self._picks(record.waveform), 0.0) for record in records]

    def _picks(self, wave: Waveform) -> tuple[Pick, ...]:
        trace = _vertical(wave)
        if self.corner:
            trace = sosfilt(_high_pass(self.corner), trace)
        if len(trace) <= self.lta_samples or not np.ptp(trace):
            return ()
        ratio = recursive_sta_lta(trace, self.sta_samples, self.lta_samples)
        found = trigger_onset(ratio, self.ratio, OFF_PER_ON * self.ratio)[: self.most]
        onsets = [self._refined(trace, int(on)) if self.is_refined else int(on) for on, _ in found]
        return tuple(
            Pick(
                wave.start_time + onset / wave.sampling_rate,
                wave.station,
                PHASE,
                probability=1.0,
                preset=TRIGGER,
            )
            for onset in onsets
        )

    def _refined(self, trace: np.ndarray, onset: int) -> int:
        """Return the first sample of the signal, by AIC of what is around a trigger."""
        first = max(0, onset - self.lta_samples // 2)
        # Without the ends, where a part has no variance. Before a signal without noise all are
        # minima, without end: the last one is before the onset.
        values = aic_simple(trace[first : onset + self.sta_samples])[1:-2]
        if not len(values):
            return onset
        before = len(values) - int(np.argmin(values[::-1]))
        return first + before + 1


@cache
def _high_pass(corner: float) -> np.ndarray:
    """Return two poles as second-order sections; the corner is a part of the sampling rate."""
    return butter(2, 2 * corner, "highpass", output="sos")


def _vertical(wave: Waveform) -> np.ndarray:
    """Return the vertical without its mean; the first live channel where it is dead or missing."""
    data = wave.data.astype(float)
    order = sorted(range(data.shape[1]), key=lambda at: wave.channels[at] != "Z")
    at = next((at for at in order if np.ptp(data[:, at])), order[0])
    return data[:, at] - data[:, at].mean()


def fitted_trigger(known: Sequence[LabelledWaveform], tolerance: Tolerance) -> Trigger | None:
    """Return the trigger that finds most P of labelled records.

    As it is, or with all its picks moved by a constant time (`label_offsets`): labels may be of
    another definition. Of equals the first is taken.

    Args:
        known: the records; some of them are looked at, evenly spread.
        tolerance: when a pick is right.

    Returns:
        The trigger; None where fewer than eight records have a P.
    """
    labelled = [record for record in known if record.arrivals.get(PHASE)]
    if len(labelled) < LEAST_KNOWN:
        return None
    n_samples = sum(len(record.waveform.data) for record in labelled)
    affordable = MOST_SAMPLES * len(labelled) // n_samples
    labelled = spread(labelled, min(len(labelled), max(LEAST_KNOWN, min(affordable, MOST_KNOWN))))
    most = max(len(record.arrivals[PHASE]) for record in labelled)
    tried = (
        Trigger(sta, per * sta, ratio, is_refined, corner, most)
        for is_refined, corner, sta, per, ratio in product(
            (True, False), CORNERS, STA_SAMPLES, LTA_PER_STA, RATIOS
        )
    )
    return max(tried, key=lambda trigger: _best_f1(trigger.pick(labelled), tolerance))


def _best_f1(picked: Sequence[PickedRecord], tolerance: Tolerance) -> float:
    scores = score_picked(picked, {PHASE: 1.0}, tolerance, bootstrap=0)
    moved = [offset.f1_moved for offset in label_offsets(picked, scores).values()]
    return max([scores[PHASE].f1, *moved])
