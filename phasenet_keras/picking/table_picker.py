"""Picks that are there already, such as those that one used so far, in the place of a picker's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from glob import has_magic
from os import PathLike
from pathlib import Path

from phasenet_keras.io.labels.files import Labels, given_labels
from phasenet_keras.io.record_picks import picks_of_records
from phasenet_keras.picking.picker import RecordResult
from phasenet_keras.types import ConfigError, LabelledWaveform, Pick, Waveform

__all__ = ["TablePicker"]


class TablePicker:
    """Picks records by a table of picks or a catalogue, in which it looks them up.

    Args:
        table: as `phasenet_keras.io.record_picks.picks_of_records` takes it.
        records: all of the data set, also those that are not to be picked: else a pick of one of
            these may be taken for another's.
        dataset: the folder that they are of.

    Attributes:
        name: what rows of scores are called, ``picks of FILE``.
        thresholds: 0 of each phase that the table has: every pick counts. Others are not scored.
        has_probabilities: whether any pick has one; else all are 1.

    Raises:
        FormatError, ConfigError: see `picks_of_records`.

    Example:
        >>> TablePicker("eqt.csv", records).name  # doctest: +SKIP
        'picks of eqt'
    """

    def __init__(
        self,
        table: Labels,
        records: Sequence[LabelledWaveform],
        dataset: str | PathLike[str] | None = None,
    ) -> None:
        found = picks_of_records(table, records, dataset)
        waves = [record.waveform for record in records]
        self._picks: dict[Waveform, list[Pick]] = dict(zip(waves, found.picks, strict=True))
        first = Path(given_labels(table)[0])
        is_pattern = has_magic(str(first)) and not first.exists()
        self.name = f"picks of {first if is_pattern else first.stem}"
        self._text = found.text
        self.thresholds = dict.fromkeys(sorted(found.phases), 0.0)
        every = (pick for picks in found.picks for pick in picks)
        self.has_probabilities = any(pick.probability < 1 for pick in every)

    def said_of(self, records: Sequence[LabelledWaveform]) -> str:
        """Say how many picks and records found each other, and which phases the table lacks."""
        text = f"'{self.name}': {self._text}"
        if len(records) < len(self._picks):
            counts = [len(self._picks.get(record.waveform, [])) for record in records]
            text += f", {sum(counts)} of them in {sum(map(bool, counts))} of these {len(records)}"
        labelled = {phase for record in records for phase in record.arrivals}
        if lacking := sorted(labelled - self.thresholds.keys()):
            text += f"; the table has no {' and no '.join(lacking)}, which is left out"
        return text

    def finds_any(self, records: Sequence[LabelledWaveform]) -> bool:
        """Tell if a pick is in any of some records: else the table may be of others."""
        return any(self._picks.get(record.waveform) for record in records)

    def pick_each(self, waveforms: Iterable[Waveform]) -> Iterator[RecordResult]:
        """Yield what became of each record, as `phasenet_keras.Picker.pick_each` does."""
        for wave in waveforms:
            error = None
            if wave not in self._picks:
                text = f"{self.name} were not looked up for a record of {wave.station}: give it"
                error = ConfigError(f"{text} among the records")
            picks = [
                p for p in self._picks.get(wave, []) if p.probability >= self.thresholds[p.phase]
            ]
            yield RecordResult(wave, None, picks, error=error)
