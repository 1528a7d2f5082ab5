"""From files to picks, station by station: bad files are reported and skipped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phasenet_keras.io.blocks import Block, blocks_of, read_block
from phasenet_keras.io.channels import is_for_picks
from phasenet_keras.io.index import Paths, expand_paths, group_by_station
from phasenet_keras.io.record_names import name_source, shown_names
from phasenet_keras.io.registry import (
    LostNote,
    NoWaveformError,
    headers_of,
    holds_records,
    noted,
    read_stream,
)
from phasenet_keras.io.selection import Selection, channel_of, channels_in_names
from phasenet_keras.io.waveforms import waveforms_of
from phasenet_keras.io.wording import counted
from phasenet_keras.picking.far_rates import said_of_far_rates
from phasenet_keras.short_repr import ShortRepr
from phasenet_keras.types import FormatError, Pick, TextOnlyError, Waveform

if TYPE_CHECKING:
    from phasenet_keras.picking.picker import Picker, RecordResult

__all__ = [
    "FileReport",
    "Progress",
    "StationResult",
    "StationSummary",
    "chosen_paths",
    "notes_on",
    "pick_files",
]


@dataclass(frozen=True)
class FileReport:
    """Something to be said of a file: that it could not be read, or not all of it.

    Attributes:
        path: of the file.
        text: to be said.
        failed: True if it could not be used.
        kind: what it is, where it is known to be no waveform.
    """

    path: Path
    text: str
    failed: bool
    kind: str = ""

    @classmethod
    def of_error(cls, path: Path, error: FormatError) -> FileReport:
        """Return the report of a file that could not be read."""
        if isinstance(error, NoWaveformError):
            return cls(path, str(error), failed=False, kind=error.kind)
        return cls(path, str(error), failed=not isinstance(error, TextOnlyError))


@dataclass
class StationSummary:
    """What became of one station, in numbers.

    Attributes:
        station: SEED id without component.
        n_records: stretches of record, between which there are gaps.
        n_picked: those that could be run.
        hours, hours_picked: length of all stretches, and of those that could be run.
        counts: picks by phase.
        failed: True if a stretch could not be run, of an instrument that is to be picked.
        reason: why there is no pick, or why a stretch could not be run; the longest one's.
    """

    station: str
    n_records: int = 0
    n_picked: int = 0
    hours: float = 0.0
    hours_picked: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    failed: bool = False
    reason: str = ""
    _longest: tuple[bool, float] = (False, -1.0)

    def add(
        self, duration_s: float, counts: Mapping[str, int], *, failed: bool, reason: str
    ) -> None:
        """Count a stretch."""
        hours = duration_s / 3600.0
        self.n_records += 1
        self.hours += hours
        self.counts.update(counts)
        self.failed |= failed and is_for_picks(self.station)
        if not failed:
            self.n_picked += 1
            self.hours_picked += hours
        if reason and (failed, hours) > self._longest:
            self._longest = (failed, hours)
            self.reason = reason

    def join(self, other: StationSummary) -> None:
        """Add what became of others of its stretches."""
        self.n_records += other.n_records
        self.n_picked += other.n_picked
        self.hours += other.hours
        self.hours_picked += other.hours_picked
        self.counts.update(other.counts)
        self.failed |= other.failed
        if other._longest > self._longest:
            self._longest, self.reason = other._longest, other.reason

    @classmethod
    def of(cls, fact: dict[str, Any]) -> StationSummary:
        """Return what the fields of another say, after JSON, too."""
        longest = tuple(fact["_longest"])
        return cls(**{**fact, "counts": Counter(fact["counts"]), "_longest": longest})

    def closed(self) -> StationSummary:
        """Settle the reason: all stretches are counted."""
        if self.counts and not self.failed:
            self.reason = ""
        elif self.n_records > 1:
            self.reason += f" (and {counted(self.n_records - 1, 'more record')})"
        return self


@dataclass(frozen=True, eq=False, repr=False)
class StationResult(ShortRepr):
    """What became of one station.

    Attributes:
        station: SEED id without component.
        records: one result for each stretch of record, by time.
        name: of the record in its file, where it has one (HDF5).
    """

    station: str
    records: list[RecordResult]
    name: str = ""

    @property
    def picks(self) -> list[Pick]:
        """All picks, by time."""
        return sorted(pick for record in self.records for pick in record.picks)

    def summary(self) -> StationSummary:
        """Count the records and their picks."""
        summary = StationSummary(self.station)
        for record in self.records:
            counts = Counter(pick.phase for pick in record.picks)
            summary.add(
                record.waveform.duration_s, counts, failed=record.failed, reason=record.reason
            )
        return summary.closed()


@dataclass(frozen=True)
class Progress:
    """How far a run over files is: so many of what it counts are done, and how many there are."""

    done: int
    total: int
    what: str = "picking"


def pick_files(
    picker: Picker,
    sources: Paths,
    selection: Selection | None = None,
) -> Iterator[StationResult | FileReport | Progress]:
    """Pick files, folders and patterns; channels of a station in several files come together.

    Args:
        picker: what they are picked with.
        sources: files, folders and patterns, or one of them.
        selection: what is wanted; None for all.

    Yields:
        A `StationResult` a station, or a named record (HDF5), a `FileReport` for each file with a
        problem, and a `Progress` after each group of files that belong together. Only one group is
        in memory at a time, of named records a block.
    """
    selection = selection or Selection()
    paths, channels, notes = chosen_paths(sources, selection)
    yield from notes
    if selection.channel is not None:  # of counted sensors it may be one, in a file of its own
        traces = (trace for path in paths for trace in headers_of(path))
        selection = selection.knowing(channels | {channel_of(trace) for trace in traces})
    shown = shown_names(paths)
    if not paths:
        return
    with noted() as texts:
        groups = group_by_station(paths)
    yield from notes_on(paths[0], texts)
    yield Progress(0, len(groups))
    rates_hz: set[float] = set()
    for done, group in enumerate(groups, start=1):
        for items in _read_at_once(group):
            for event in _pick_group(picker, items, shown, selection):
                if isinstance(event, StationResult) and is_for_picks(event.station):
                    rates_hz |= {record.waveform.sampling_rate for record in event.records}
                yield event
        yield Progress(done, len(groups))
    if far := said_of_far_rates(rates_hz, picker.preset.sampling_rate, picker.sampling):
        yield FileReport(paths[0], far, failed=False)


def chosen_paths(
    sources: Paths, selection: Selection
) -> tuple[list[Path], set[tuple[str, str]], list[FileReport]]:
    """Return the files that may hold something wanted; of the others channels and what to say."""
    paths = expand_paths(sources)
    chosen = selection.by_name(paths)
    if len(chosen) == len(paths):
        return chosen, set(), []
    text = (
        f"{len(paths) - len(chosen)} of {len(paths)} files left out unread: by their names "
        "(NET.STA.LOC.CHAN.D.YEAR.DAY) they are of other codes or days; one that is not is read "
        "under any other name"
    )
    others = channels_in_names({*paths} - {*chosen})
    return chosen, others, [FileReport(paths[0], text, failed=False)]


def _read_at_once(paths: list[Path]) -> Iterator[Sequence[Path | Block]]:
    """Yield the files of a group, or block after block of one of named records."""
    if len(paths) > 1 or not holds_records(paths[0]):
        yield paths
        return
    try:
        for block, _ in blocks_of(paths[0]):
            yield [block]
    except FormatError:  # said where it is read
        yield paths


def _pick_group(
    picker: Picker, items: Sequence[Path | Block], shown: Mapping[Path, str], selection: Selection
) -> Iterator[StationResult | FileReport]:
    from obspy import Stream

    stream, sources = Stream(), []
    for item in items:
        path = item.path if isinstance(item, Block) else item
        with noted() as texts:
            try:
                traces = read_block(item) if isinstance(item, Block) else read_stream(item)
                if path in shown:
                    name_source(traces, shown[path])
                stream.extend(traces)
                sources.append(path)
            except FormatError as error:
                yield FileReport.of_error(path, error)
        yield from notes_on(path, texts)
    stream.traces = selection.cut(stream)
    if not stream:
        return
    with noted() as texts:
        waveforms = waveforms_of(stream)
    yield from notes_on(sources[0], texts)
    if not waveforms:
        yield FileReport(sources[0], f"{sources[0]} holds no usable samples", failed=True)
    file = f"{shown.get(sources[0], sources[0].name)}/" if isinstance(items[0], Block) else None

    def of_one(wave: Waveform) -> tuple[str, str]:
        return wave.station, wave.source.removeprefix(file) if file else ""

    for (station, name), records in groupby(waveforms, key=of_one):
        yield StationResult(station, list(picker.pick_each(records)), name)


def notes_on(path: Path, texts: Sequence[str]) -> list[FileReport]:
    """Return what was `noted` of a file; what is lost of it is a failure."""
    return [FileReport(path, text, failed=isinstance(text, LostNote)) for text in texts]
