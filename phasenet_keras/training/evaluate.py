"""Evaluation: a picker is run over labelled records once, and scored at one or many thresholds.

One pass at the lowest threshold serves all higher ones. Picks of one phase keep a least distance,
and the highest peak goes first: what a peak removes is lower than itself, so that leaving out the
picks below a threshold gives just the picks of that threshold. (Peaks of exactly one height closer
than that distance may differ: see `phasenet_keras.picking.peaks.detect_peaks`.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING

import numpy as np

from phasenet_keras.io.parts import check_records
from phasenet_keras.io.registry import say
from phasenet_keras.io.times import span_text
from phasenet_keras.picking.table_picker import TablePicker
from phasenet_keras.training.checks_data import name_of, unknown_labels
from phasenet_keras.training.demands import check_picker
from phasenet_keras.training.matching import RULES, Tolerance, tolerance_of
from phasenet_keras.training.picked import PickedRecord, matches_of
from phasenet_keras.training.scores import (
    THRESHOLDS,
    PhaseScores,
    ScoreCurve,
    score_curve,
    score_matches,
)
from phasenet_keras.training.splits import drawn_groups
from phasenet_keras.types import ConfigError, LabelledWaveform, Waveform

if TYPE_CHECKING:
    from phasenet_keras.picking.picker import Picker

__all__ = [
    "choose_thresholds",
    "evaluate",
    "far_rates",
    "pick_records",
    "score_curves",
    "score_picked",
    "wide_tolerance",
]

# A tolerance above these tells little: of the records' length, and in samples.
WIDE_PART, WIDE_SAMPLES = 0.05, 50.0
# Training takes samples as they are: where rates differ by more than this, what is scored after
# resampling looks otherwise than what was learnt. `pick` asks if onsets survive (`far_rates.py`).
FAR_FACTOR = 2.0


def evaluate(
    picker: Picker | TablePicker,
    records: Sequence[LabelledWaveform],
    *,
    rule: str = "phasenet",
    tolerance_s: float | None = None,
    tolerance_samples: float | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
    noise_records: Iterable[Waveform | LabelledWaveform] = (),
    on_record: Callable[[int, int], None] | None = None,
) -> dict[str, PhaseScores]:
    """Pick labelled records and score the picks.

    The rule ``"phasenet"`` is that of the PhaseNet paper: a pick is right within 0.1 s of a label,
    and residual statistics are over the pairs within 0.5 s; here one to one, the closest pairs
    first (`phasenet_keras.training.matching`). A record counts for a phase only if the phase was
    labelled in it.

    Args:
        picker: with the thresholds to be scored; a `TablePicker` has those of a table.
        records: with labels in samples of their own sampling rate; a generator is listed first.
        rule: a name in `RULES`.
        tolerance_s: greatest residual of a match in seconds, in place of the rule's; residual
            statistics are then over the matches.
        tolerance_samples: the same in samples of each record.
        bootstrap: number of bootstrap samples for the intervals; 0 for none.
        seed: of the bootstrap.
        noise_records: more records in which nothing arrives, for the false picks an hour. They
            do not count for the precision.
        on_record: is called with the number of records that are done, and of all.

    Returns:
        The scores of each phase that the picker picks and that was labelled in a record.

    Raises:
        ConfigError: for no records, arrivals of other phases alone, an unknown rule, two
            tolerances, or noise with arrivals.
        PhaseNetKerasError: if a record cannot be run; it names the record.

    Warns:
        RecordWarning: for arrivals of phases that the picker does not pick, the rule's tolerance
            where it is too wide for the records, and records resampled to far another rate. That
            records trained the network the command `evaluate` says, which knows its folder.
    """
    check_picker(picker)
    tolerance = tolerance_of(rule, tolerance_s, tolerance_samples)
    records = list(check_records(records))
    if not records:
        raise ConfigError("there are no records to evaluate")
    unknown = _unknown_phases(records, [*picker.thresholds])
    about = picker.said_of(records) if isinstance(picker, TablePicker) else unknown
    for text in filter(
        None, (about, far_rates(picker, records), wide_tolerance(tolerance, records))
    ):
        say(text)
    noise = [_without_arrivals(record, picker.thresholds) for record in noise_records]
    picked = pick_records(picker, [*records, *noise], on_record=on_record)
    return score_picked(
        picked[: len(records)],
        picker.thresholds,
        tolerance,
        bootstrap=bootstrap,
        seed=seed,
        noise=picked[len(records) :],
    )


def choose_thresholds(
    picker: Picker,
    records: Sequence[LabelledWaveform],
    tolerance_samples: float,
) -> dict[str, float]:
    """Choose the threshold of each phase by its F1, see `ScoreCurve.best_threshold`.

    Choose on records that are neither trained on nor reported.

    Args:
        picker: of equally good thresholds, those nearest to its own are chosen.
        records: the validation records.
        tolerance_samples: greatest residual of a match, in samples of the records.

    Returns:
        A threshold for each phase; the picker's where no record says anything.
    """
    picked = pick_records(picker, records, lowest=min(THRESHOLDS))
    tolerance = tolerance_of(tolerance_samples=tolerance_samples)
    own = picker.thresholds
    curves = score_curves(picked, own, tolerance)
    best = {phase: curve.best_threshold(own[phase]) for phase, curve in curves.items()}
    return {**own, **{phase: t for phase, t in best.items() if t == t}}


def pick_records(
    picker: Picker | TablePicker,
    records: Sequence[LabelledWaveform],
    *,
    lowest: float | None = None,
    on_record: Callable[[int, int], None] | None = None,
) -> list[PickedRecord]:
    """Pick every record once.

    Args:
        picker: its thresholds are lowered for this, if needed, and left as they are.
        records: to be picked.
        lowest: probability from which all picks are wanted; None takes the picker's thresholds.
        on_record: is called with the number of records that are done, and of all.

    Raises:
        PhaseNetKerasError: if a record cannot be run; it names the record.
    """
    bounds = [*picker.thresholds.values(), *([] if lowest is None else [lowest])]
    low = copy(picker)
    low.thresholds = dict.fromkeys(picker.thresholds, min(bounds, default=0.0))
    picked = []
    results = low.pick_each(record.waveform for record in records)
    for number, (record, result) in enumerate(zip(records, results, strict=True), start=1):
        if result.error:
            raise type(result.error)(f"record {name_of(record)}: {result.error}") from result.error
        picked.append(PickedRecord(record, tuple(result.picks), min(bounds, default=0.0)))
        if on_record:
            on_record(number, len(records))
    return picked


def score_picked(
    picked: Sequence[PickedRecord],
    thresholds: Mapping[str, float],
    tolerance: Tolerance,
    *,
    bootstrap: int = 1000,
    seed: int = 0,
    noise: Sequence[PickedRecord] = (),
) -> dict[str, PhaseScores]:
    """Score what `pick_records` picked; see `evaluate`.

    Raises:
        ConfigError: for a threshold below the one that was picked at.
    """
    groups = drawn_groups(one.record for one in picked)
    found = {}
    for phase, threshold in thresholds.items():
        matches = matches_of(picked, phase, threshold, tolerance, groups)
        if not matches:
            continue
        rate = next(p.record.waveform.sampling_rate for p in picked if phase in p.record.arrivals)
        found[phase] = score_matches(
            phase,
            matches,
            tolerance.at(rate),
            bootstrap,
            seed,
            noise=matches_of(noise, phase, threshold, tolerance),
            tolerance=tolerance,
            threshold=threshold,
        )
    return found


def score_curves(
    picked: Sequence[PickedRecord],
    phases: Iterable[str],
    tolerance: Tolerance,
) -> dict[str, ScoreCurve]:
    """Score what `pick_records` picked at many thresholds: the precision-recall curve.

    Returns:
        A curve for each phase that was labelled in a record.

    Raises:
        ConfigError: for a threshold below the one that was picked at.
    """
    return {
        phase: score_curve(phase, {t: matches_of(picked, phase, t, tolerance) for t in THRESHOLDS})
        for phase in phases
        if any(phase in one.record.arrivals for one in picked)
    }


def wide_tolerance(tolerance: Tolerance, records: Sequence[LabelledWaveform]) -> str:
    """Say that a rule's tolerance is too wide for records, by their medians; empty where it is not.

    One that was given in place of the rule's is as it was wanted.

    Example:
        >>> from obspy import UTCDateTime
        >>> wave = Waveform(np.ones((2000, 1)), 2000.0, UTCDateTime(0), ("Z",), "A")
        >>> wide_tolerance(tolerance_of(), [LabelledWaveform(wave, {"P": (300,)})])[:51]
        'the tolerance of 0.1 s is 200 samples of these reco'
    """
    if tolerance != RULES[tolerance.rule]:
        return ""
    rate = float(np.median([record.waveform.sampling_rate for record in records]))
    length_s = float(np.median([record.waveform.duration_s for record in records]))
    size_s = tolerance.at(rate)
    if size_s <= WIDE_PART * length_s and round(size_s * rate, 6) <= WIDE_SAMPLES:
        return ""
    return (
        f"the tolerance of {span_text(size_s)} is {size_s * rate:.0f} samples of these records and "
        f"{size_s / length_s:.0%} of their length, so that picks may be right by chance: state one "
        "with --tolerance-samples, e.g. 10 (in Python tolerance_samples=10)"
    )


def _unknown_phases(records: Sequence[LabelledWaveform], phases: Sequence[str]) -> str:
    """Return what labels are not scored, in words; refuse where there are such alone."""
    unknown = unknown_labels(records, phases)
    if unknown and not any(phase in record.arrivals for record in records for phase in phases):
        raise ConfigError(f"no record has labels of {' or '.join(phases)}: {unknown}")
    return unknown


def far_rates(picker: Picker | TablePicker, records: Sequence[LabelledWaveform]) -> str:
    """Say that records were resampled to far another rate; empty where none were."""
    if isinstance(picker, TablePicker):
        return ""
    own = picker.preset.sampling_rate
    rates = sorted({record.waveform.sampling_rate for record in records})
    far = [rate for rate in rates if not own / FAR_FACTOR <= rate <= own * FAR_FACTOR]
    if picker.sampling != "resample" or not far:
        return ""
    listed = ", ".join(f"{rate:g}" for rate in far)
    return (
        f"records of {listed} Hz were resampled to the {own:g} Hz of '{picker.preset.name}'; "
        "--sampling reinterpret takes the samples as they are, as training does (in Python "
        "sampling='reinterpret')"
    )


def _without_arrivals(
    record: Waveform | LabelledWaveform, phases: Iterable[str]
) -> LabelledWaveform:
    if isinstance(record, Waveform):
        return LabelledWaveform(record, dict.fromkeys(phases, ()), name=record.station)
    arrivals = [phase for phase, samples in record.arrivals.items() if samples]
    if arrivals:
        raise ConfigError(
            f"record {name_of(record)} is no noise: it has arrivals of {', '.join(arrivals)}"
        )
    return LabelledWaveform(record.waveform, dict.fromkeys(phases, ()), name=record.name)
