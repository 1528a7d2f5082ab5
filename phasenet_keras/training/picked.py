"""Picked records: their matches, residuals and errors at any threshold above the lowest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import repeat

from phasenet_keras.io.times import TimeUnit, residual_unit, seconds_after
from phasenet_keras.short_repr import ShortRepr
from phasenet_keras.training.matching import ROUNDING, Tolerance, match_picks
from phasenet_keras.training.scores import PhaseScores, RecordMatches
from phasenet_keras.types import ConfigError, LabelledWaveform, Pick

__all__ = [
    "FAR",
    "PickedRecord",
    "RecordErrors",
    "RecordTimes",
    "matches_of",
    "residuals_by_phase",
    "times_of",
    "worst_records",
]

# Greatest distance of a pick from a label whose residual is looked at, in tolerances.
FAR = 5.0


@dataclass(frozen=True, eq=False, repr=False)
class PickedRecord(ShortRepr):
    """A labelled record and its picks, of all phases, from the probability ``lowest`` up."""

    record: LabelledWaveform
    picks: tuple[Pick, ...]
    lowest: float


@dataclass(frozen=True)
class RecordTimes:
    """Labels and picks of one phase in one record, in seconds from its first sample.

    ``event`` is what the record is drawn with in a bootstrap.
    """

    event: str
    labels_s: tuple[float, ...]
    picks_s: tuple[float, ...]

    def matches(self, tolerance_s: float) -> RecordMatches:
        """Match picks and labels within a tolerance."""
        pairs = match_picks(self.picks_s, self.labels_s, tolerance_s)
        residuals = tuple(self.picks_s[pick] - self.labels_s[label] for pick, label in pairs)
        return RecordMatches(len(self.labels_s), len(self.picks_s), residuals, self.event)

    def moved(self, by_s: float) -> RecordTimes:
        """Return the same with the picks moved, in seconds."""
        return replace(self, picks_s=tuple(time_s + by_s for time_s in self.picks_s))


@dataclass(frozen=True, eq=False, repr=False)
class RecordErrors(ShortRepr):
    """What is wrong with the picks of a record.

    Attributes:
        picked: the record and its picks, from the thresholds up.
        n_missed: labels without a match.
        n_false: picks without a match.
        largest_residual_s: of the matches, in seconds, without sign; 0 without any.
        text: the same in words, by phase.
    """

    picked: PickedRecord
    n_missed: int
    n_false: int
    largest_residual_s: float
    text: str


def matches_of(
    picked: Sequence[PickedRecord],
    phase: str,
    threshold: float,
    tolerance: Tolerance,
    groups: Iterable[str] = repeat(""),
) -> list[RecordMatches]:
    """Match the picks from a threshold up; one entry a record in which the phase was labelled.

    ``groups`` are what the records are drawn with in a bootstrap, if they are.
    """
    return [
        _match_record(times_of(one, phase, threshold, group), one.record, tolerance)
        for one, group in zip(picked, groups, strict=False)
        if phase in one.record.arrivals
    ]


def residuals_by_phase(
    picked: Sequence[PickedRecord], scores: Mapping[str, PhaseScores]
) -> dict[str, list[float]]:
    """Return the residuals, in seconds, of all pairs up to five times the tolerance apart.

    The scores, of the same records, say which phases, thresholds and tolerances.
    """
    found: dict[str, list[float]] = {}
    for phase, score in scores.items():
        matches = matches_of(picked, phase, score.threshold, score.tolerance.widened(FAR))
        found[phase] = [residual for match in matches for residual in match.residuals_s]
    return found


def worst_records(
    picked: Sequence[PickedRecord], scores: Mapping[str, PhaseScores], count: int = 6
) -> list[RecordErrors]:
    """Return the records with the most missed and false picks; of equals, the largest residuals."""
    errors = [_errors(one, scores) for one in picked if set(scores) & set(one.record.arrivals)]
    errors.sort(key=lambda e: (-(e[0].n_missed + e[0].n_false), -e[0].largest_residual_s))
    # One unit for all that is shown side by side.
    unit = residual_unit(max((e.largest_residual_s for e, _ in errors[:count]), default=0.0))
    return [replace(found, text=_in_words(said, unit)) for found, said in errors[:count]]


def _errors(
    picked: PickedRecord, scores: Mapping[str, PhaseScores]
) -> tuple[RecordErrors, list[tuple[str, int, int, float | None]]]:
    """Return what is wrong, and by phase: missed, false and the largest residual in seconds."""
    record = picked.record
    n_missed = n_false = 0
    largest, found = 0.0, []
    kept: list[Pick] = []
    for phase, score in scores.items():
        kept += _picks_of(picked, phase, score.threshold)
        if phase not in record.arrivals:
            continue
        match = _match_record(times_of(picked, phase, score.threshold), record, score.tolerance)
        missed, false = (n - len(match.residuals_s) for n in (match.n_true, match.n_pred))
        n_missed, n_false = n_missed + missed, n_false + false
        worst_s = max(match.residuals_s, key=abs, default=None)
        largest = max(largest, abs(worst_s or 0.0))
        found.append((phase, missed, false, worst_s))
    shown = PickedRecord(record, tuple(sorted(kept)), picked.lowest)
    return RecordErrors(shown, n_missed, n_false, largest, ""), found


def _in_words(found: Sequence[tuple[str, int, int, float | None]], unit: TimeUnit) -> str:
    words = []
    for phase, missed, false, worst_s in found:
        said = [f"{n} {what}" for n, what in ((missed, "missed"), (false, "false")) if n]
        if worst_s is not None:
            worst_s = round(worst_s, 9) + 0.0  # not a zero of many digits, or below zero
            said.append(f"{unit.per_s * worst_s:+.3g} {unit.symbol}")
        if said:
            words.append(f"{phase} {', '.join(said)}")
    return "; ".join(words) or "nothing to find"


def times_of(picked: PickedRecord, phase: str, threshold: float, group: str = "") -> RecordTimes:
    """Return labels and picks of a labelled phase, from a threshold up.

    Raises:
        ConfigError: for a threshold below the one that was picked at.
    """
    wave = picked.record.waveform
    return RecordTimes(
        group,
        tuple(sample / wave.sampling_rate for sample in picked.record.arrivals[phase]),
        tuple(
            seconds_after(pick.time, wave.start_time)
            for pick in _picks_of(picked, phase, threshold)
        ),
    )


def _picks_of(picked: PickedRecord, phase: str, threshold: float) -> list[Pick]:
    if threshold < picked.lowest:
        raise ConfigError(
            f"these records were picked from probability {picked.lowest:g} up, {phase} is wanted "
            f"from {threshold:g}: pick them again with lowest={threshold:g}"
        )
    return [p for p in picked.picks if p.phase == phase and p.probability >= threshold]


def _match_record(
    times: RecordTimes, record: LabelledWaveform, tolerance: Tolerance
) -> RecordMatches:
    wave = record.waveform
    nearest, window = tolerance.at(wave.sampling_rate), tolerance.window_at(wave.sampling_rate)
    # The closest pairs go first: those within the tolerance are the same with a wider window.
    wide = times.matches(window)
    near = wide.residuals_s
    quiet_s, n_quiet = wave.duration_s, wide.n_pred
    if times.labels_s:
        arrivals = [s / wave.sampling_rate for found in record.arrivals.values() for s in found]
        quiet_s -= _covered(arrivals, nearest, wave.duration_s)
        n_quiet = sum(min(abs(t - a) for a in arrivals) > nearest + ROUNDING for t in times.picks_s)
    return replace(
        wide,
        residuals_s=tuple(residual for residual in near if abs(residual) <= nearest + ROUNDING),
        near_residuals_s=None if tolerance.window_s is None else near,
        quiet_s=quiet_s,
        n_quiet=n_quiet,
    )


def _covered(times: Sequence[float], reach: float, end: float) -> float:
    """Return how much of 0 to ``end`` is within ``reach`` of one of the times, which are in it."""
    covered, last = 0.0, 0.0
    for time in sorted(times):
        left, right = max(time - reach, last), min(time + reach, end)
        covered += right - left
        last = right
    return covered
