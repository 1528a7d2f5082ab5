"""Records without labels become training records: picked, corrected, weighted, chosen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from phasenet_keras.data.settings import Kind, checked_type, number, settle
from phasenet_keras.short_repr import ShortRepr
from phasenet_keras.training.checks_data import UNLABELLED
from phasenet_keras.training.correction import CorrectionConfig
from phasenet_keras.training.physics import reciprocity_weights
from phasenet_keras.training.pseudolabels import LEAST_SPREAD_SAMPLES, correct_picks
from phasenet_keras.types import ConfigError, LabelledWaveform

if TYPE_CHECKING:
    from pandas import DataFrame

    from phasenet_keras.picking.picker import Picker

__all__ = ["GatherTrace", "PseudoSettings", "gather_traces", "pseudo_labels", "pseudo_records"]

# Whose picks support a label: so many records of its gather, the nearest along the line, itself
# included.
NEIGHBOURS = 9
KINDS = {
    "least_probability": number(0, 1),
    "half_weight_samples": number(above=0),
    "least_weight": number(0, 1),
}
OFFSET = Kind("a number, or None", lambda value: math.nan if value is None else float(value))


@dataclass(frozen=True, eq=False, repr=False)
class GatherTrace(ShortRepr):
    """A record of a shot gather without labels.

    Attributes:
        shot, receiver: names.
        offset: signed distance from the source, in metres or in receivers; None or NaN: not known.
        record: the record; labels that it may have are not looked at.

    Raises:
        ConfigError: for an offset that is no number, or another record.

    Example:
        >>> from obspy import UTCDateTime
        >>> from phasenet_keras import LabelledWaveform, Waveform
        >>> wave = Waveform(np.ones((300, 1)), 100.0, UTCDateTime(0), ("Z",), "XX.A..HH")
        >>> GatherTrace("shot 1", "A", -25.0, LabelledWaveform(wave, {})).offset
        -25.0
    """

    shot: str
    receiver: str
    offset: float
    record: LabelledWaveform

    def __post_init__(self) -> None:
        hint = "LabelledWaveform(waveform, {}) is one"
        checked_type(self.record, LabelledWaveform, "the record of a GatherTrace", hint)
        settle(self, {"offset": OFFSET})


@dataclass(frozen=True)
class PseudoSettings:
    """How pseudo labels are chosen and weighted.

    Attributes:
        least_probability: of a pick that enters the correction.
        half_weight_samples: uncertainty of a corrected time at which its weight is halved.
        least_weight: a label of less is left out: its phase is unknown in that record.

    Raises:
        ConfigError: for a value out of range.
    """

    least_probability: float = 0.1
    half_weight_samples: float = 6.0
    least_weight: float = 0.7

    def __post_init__(self) -> None:
        settle(self, KINDS)


def gather_traces(traces: Iterable[GatherTrace]) -> list[GatherTrace]:
    """Return records without labels as a list.

    Raises:
        ConfigError: for what is none, or no record.
    """
    if not isinstance(traces, Iterable):
        raise ConfigError(
            f"records without labels are a list of GatherTrace, received {type(traces).__name__}"
        )
    hint = "GatherTrace(shot, receiver, offset, record) is one"
    found = [checked_type(item, GatherTrace, "a record without labels", hint) for item in traces]
    if not found:
        raise ConfigError("there are no records without labels")
    return found


def pseudo_labels(
    picker: Picker,
    traces: Sequence[GatherTrace],
    correction: CorrectionConfig | None = None,
    settings: PseudoSettings | None = None,
    on_record: Callable[[int, int], None] | None = None,
) -> DataFrame:
    """Pick records, correct the picks by the moveout of their gathers, and weight them.

    Of each phase and record the most probable pick counts. The weight is confidence times support
    times certainty. Confidence is the probability of a pick that was kept; of a time that was moved
    or filled in it is its support. Support is the mean probability of the kept picks among the 9
    nearest records along the line, where there was none or it was moved counting 0: networks are
    wrong on stretches of a gather, and are less sure there. Certainty is
    1 / (1 + (uncertainty / ``half_weight_samples``)²). What was mirrored from the other side of the
    source has none. If ``correction.reciprocity``, the weight is multiplied by how well the
    corrected time agrees with that of the reciprocal path (`reciprocity_weights`).

    Args:
        picker: its thresholds do not matter. Samples are taken as they are, at any rate.
        traces: all of one sampling rate.
        correction: of the picks, in samples; default `CorrectionConfig()`.
        settings: default `PseudoSettings()`.
        on_record: called with the number of records picked and of all.

    Returns:
        The table of `correct_picks`, a row a record and phase in the order of ``traces``, with
        ``trace`` (the place in ``traces``) and ``weight``.

    Raises:
        ConfigError: for no traces.

    Example:
        >>> pseudo_labels(picker, traces)["how"].value_counts()  # doctest: +SKIP
    """
    import pandas as pd

    settings = settings or PseudoSettings()
    traces = gather_traces(traces)
    low = copy(picker)
    low.thresholds = dict.fromkeys(picker.thresholds, settings.least_probability)
    low.sampling = "reinterpret"
    rows = []
    results = low.pick_each(trace.record.waveform for trace in traces)
    for place, (trace, result) in enumerate(zip(traces, results, strict=True)):
        for phase in low.thresholds:
            found = [pick for pick in result.picks if pick.phase == phase]
            best = max(found, key=lambda pick: pick.probability, default=None)
            rows.append(
                {
                    "trace": place,
                    "shot": trace.shot,
                    "receiver": trace.receiver,
                    "offset_m": trace.offset,
                    "phase": phase,
                    "sample": math.nan if best is None else float(best.sample),
                    "probability": math.nan if best is None else best.probability,
                }
            )
        if on_record:
            on_record(place + 1, len(traces))
    table = correct_picks(pd.DataFrame(rows), correction)
    weights = _weights(table, settings)
    if correction is not None and correction.reciprocity:
        weights *= np.nan_to_num(reciprocity_weights(table, LEAST_SPREAD_SAMPLES), nan=1.0)
    return table.assign(weight=weights)


def pseudo_records(
    table: DataFrame, traces: Sequence[GatherTrace], settings: PseudoSettings | None = None
) -> tuple[list[LabelledWaveform], dict[str, dict[str, float]]]:
    """Turn pseudo labels into records to train on, with the weight of each label.

    Names and gathers begin with ``unlabelled/``, so that they are none of the labelled ones.

    Args:
        table: of `pseudo_labels`.
        traces: the same as there.
        settings: its ``least_weight`` chooses; default `PseudoSettings()`.

    Returns:
        The records with at least one label, and weights as `train` takes them.

    Example:
        >>> records, weights = pseudo_records(table, traces)  # doctest: +SKIP
    """
    least = (settings or PseudoSettings()).least_weight
    chosen = table[(table["weight"] >= least) & np.isfinite(table["corrected_sample"])]
    records, weights = [], {}
    for place, rows in chosen.groupby("trace", sort=True):
        trace = traces[int(place)]
        wave = trace.record.waveform
        inside = rows["corrected_sample"].between(0, wave.n_samples - 1)
        labels = {
            row.phase: (float(row.corrected_sample), float(row.weight))
            for row in rows[inside].itertuples(index=False)
        }
        if not labels:
            continue
        name = f"{UNLABELLED}{int(place)}"
        records.append(
            LabelledWaveform(
                wave,
                {phase: (sample,) for phase, (sample, _) in labels.items()},
                name=name,
                gather=f"{UNLABELLED}{trace.shot}",
                split="train",
            )
        )
        weights[name] = {phase: weight for phase, (_, weight) in labels.items()}
    return records, weights


def _weights(table: DataFrame, settings: PseudoSettings) -> np.ndarray:
    kept = (table["how"] == "kept").to_numpy()
    probability = np.where(kept, np.nan_to_num(table["probability"].to_numpy(float)), 0.0)
    support, offsets = np.zeros(len(table)), table["offset_m"].to_numpy(float)
    for rows in table.groupby(["shot", "phase"]).indices.values():
        support[rows] = _support(offsets[rows], probability[rows])
    confidence = np.where(kept, probability, support) * support
    away = table["uncertainty_samples"].to_numpy(float) / settings.half_weight_samples
    usable = np.isfinite(away) & ~table["mirrored"].to_numpy(bool)
    weights = np.where(usable, confidence / (1 + np.nan_to_num(away) ** 2), 0.0)
    return np.clip(weights, 0.0, 1.0)


def _support(offsets: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Return the mean probability of the nearest records of a gather, for each of them."""
    away = np.abs(offsets[:, None] - offsets)
    nearest = np.argsort(np.where(np.isnan(away), np.inf, away), axis=1, kind="stable")
    return probability[nearest[:, :NEIGHBOURS]].mean(axis=1)
