"""From archives of any size to parts of picks: day files, long files, files of one channel.

Files that share a station are a group. A group is read block by block in order of time, whatever
file a block is in, so that nothing is lost or doubled where one file ends and the next begins, and
so that memory depends on the number of stations in the group, not on its length.
"""

from __future__ import annotations

import hashlib
import warnings
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import phasenet_keras
from phasenet_keras.io.blocks import BLOCK_BYTES, Block, blocks_of, read_block
from phasenet_keras.io.index import expand_paths, tie_together
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.selection import DAY_S, Selection
from phasenet_keras.picking.files import FileReport, Progress
from phasenet_keras.picking.parts import GroupParts, PartFolder, digest_of
from phasenet_keras.picking.station_stream import Stretch, TraceStream
from phasenet_keras.picking.stream_state import CHUNKS_AHEAD
from phasenet_keras.types import FormatError, Pick

if TYPE_CHECKING:
    from obspy import Trace

    from phasenet_keras.picking.picker import Picker

__all__ = ["StationSummary", "pick_archive"]


@dataclass
class StationSummary:
    """What became of one station of an archive.

    Attributes:
        station: SEED id without component.
        n_records: stretches of record, between which there are gaps.
        n_picked: those that could be run.
        hours: length of all stretches.
        hours_picked: of those that could be run.
        counts: picks by phase.
        failed: True if a stretch could not be run.
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

    def add(self, stretch: dict[str, Any]) -> None:
        """Count a stretch."""
        hours = stretch["duration_s"] / 3600.0
        self.n_records += 1
        self.hours += hours
        self.counts.update(stretch["counts"])
        self.failed |= stretch["failed"]
        if not stretch["failed"]:
            self.n_picked += 1
            self.hours_picked += hours
        if stretch["reason"] and (stretch["failed"], hours) > self._longest:
            self._longest = (stretch["failed"], hours)
            self.reason = stretch["reason"]

    def closed(self) -> StationSummary:
        """Settle the reason: all stretches are counted."""
        if self.counts and not self.failed:
            self.reason = ""
        elif self.n_records > 1:
            self.reason += f" (and {self.n_records - 1} more records)"
        return self


@dataclass
class _Group:
    paths: list[Path]
    blocks: list[Block]
    notes: list[FileReport]


def pick_archive(
    picker: Picker,
    sources: Iterable[str | PathLike[str]],
    parts: PartFolder,
    *,
    selection: Selection | None = None,
    part_s: float = DAY_S,
    block_bytes: int = BLOCK_BYTES,
) -> Generator[StationSummary | FileReport | Progress, None, None]:
    """Pick files, folders and patterns; write the picks in parts, going on where a run stopped.

    Args:
        picker: what they are picked with.
        sources: files, folders (an SDS archive is one) and patterns.
        parts: where the parts are; `PartFolder.picks` then gives the picks.
        selection: what is wanted; None for all.
        part_s: a part is written when so many seconds of record have been read.
        block_bytes: miniSEED is read in pieces of so many bytes.

    Yields:
        A `StationSummary` a station, a `FileReport` for each file with a problem, and a `Progress`
        after each block that was read.

    Raises:
        PhaseNetKerasError: if a part cannot be written.
    """
    selection = selection or Selection()
    paths = [path for path in expand_paths(sources) if selection.takes_name(path)]
    names = Counter(path.name for path in paths)
    repeated = {path for path in paths if names[path.name] > 1}
    groups = []
    for found in _index(paths, selection, block_bytes):
        if isinstance(found, FileReport):
            yield found
        else:
            groups.append(found)
    total = sum(len(group.blocks) for group in groups)
    yield Progress(0, total)
    done = 0
    settings = _settings_of(picker, selection, part_s, block_bytes) if groups else []
    for group in groups:
        files = [(path, path.stat().st_size, path.stat().st_mtime_ns) for path in group.paths]
        run = _GroupRun(picker, group, parts.group(digest_of([*settings, *files])), selection)
        for _ in run.run(repeated, part_s):
            done += 1
            yield Progress(done, total)
        yield from group.notes
        yield from _told(run.parts.facts, group)


def _index(
    paths: list[Path], selection: Selection, block_bytes: int
) -> Iterator[FileReport | _Group]:
    """Find the wanted blocks of each file and group the files that share a station."""
    read: list[tuple[Path, list[Block], list[FileReport]]] = []
    for path in paths:
        blocks = []
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", RecordWarning)
            try:
                for block, traces in blocks_of(path, block_bytes):
                    if any(selection.takes_header(trace) for trace in traces):
                        blocks.append(block)
            except FormatError as error:
                yield FileReport(path, str(error), failed=True)
                continue
        # A block that cannot be read is a failure, a missing end is not.
        notes = [
            FileReport(path, str(w.message), failed="truncated" not in str(w.message))
            for w in caught
            if issubclass(w.category, RecordWarning)
        ]
        if blocks:
            read.append((path, blocks, notes))
        else:
            yield from notes
    stations = [{key[0] for b in blocks for key, _ in b.codes} for _, blocks, _ in read]
    for numbers in tie_together(stations):
        order = {read[number][0]: number for number in sorted(numbers)}
        blocks = [block for number in numbers for block in read[number][1]]
        yield _Group(
            list(order),
            sorted(blocks, key=lambda b: (b.start, order[b.path], b.offset)),
            [note for number in numbers for note in read[number][2]],
        )


def _settings_of(
    picker: Picker, selection: Selection, part_s: float, block_bytes: int
) -> list[object]:
    """Return all that picks depend on but the files."""
    weights = hashlib.sha256()
    for name, array in sorted(picker.net.get_weight_set().items()):
        weights.update(name.encode() + array.tobytes())
    contract = (picker.preset.name, picker.preset.sampling_rate, picker.preset.window_samples)
    options = (picker.min_distance_s, picker.preset.min_distance_s, picker.sampling, picker.missing)
    thresholds = sorted(picker.thresholds.items())
    run = (phasenet_keras.__version__, weights.hexdigest(), picker.chunk_samples)
    return [run, contract, options, thresholds, selection, part_s, block_bytes]


class _GroupRun:
    """Reads the blocks of a group that are left, and writes parts."""

    def __init__(
        self, picker: Picker, group: _Group, parts: GroupParts, selection: Selection
    ) -> None:
        self.parts = parts
        self._picker = picker
        self._group = group
        self._selection = selection
        self._known = picker.fixtures()
        self._picks: list[Pick] = []
        self._facts: list[dict[str, Any]] = []

    def run(self, repeated: set[Path], part_s: float) -> Iterator[None]:
        """Read block after block; yields after each, also after those read by an earlier run."""
        parts, blocks = self.parts, self._group.blocks
        yield from [None] * parts.n_blocks
        if parts.is_done:
            return
        stream = parts.state(self._known) if parts.n_blocks else TraceStream(self._picker)
        first = n_ahead = n_saved = number = parts.n_blocks
        begin = blocks[first].start
        try:
            for number, block in enumerate(blocks[first:], start=first + 1):
                if block.start - begin >= part_s:
                    self._save(stream, number - 1)
                    n_saved, begin = number - 1, block.start
                codes: set[tuple[Any, str]] = set()
                while n_ahead < len(blocks) and blocks[n_ahead].start < block.start + DAY_S:
                    codes |= blocks[n_ahead].codes
                    n_ahead += 1
                self._take(stream, block, repeated, number, codes)
                if number < len(blocks):
                    yield
        except GeneratorExit:  # asked to stop: what is certain is kept
            if number > n_saved:
                self._save(stream, number)
            raise
        with self._noted(blocks[-1].path):
            self._picks += stream.finish()
        self._save(stream, len(blocks), is_done=True)
        yield

    def _take(
        self,
        stream: TraceStream,
        block: Block,
        repeated: set[Path],
        number: int,
        codes: set[tuple[Any, str]],
    ) -> None:
        blocks = self._group.blocks
        until = blocks[number].start if number < len(blocks) else None
        with self._noted(block.path):
            traces = self._wanted(block, repeated)
            self._picks += stream.feed(traces, until, codes, CHUNKS_AHEAD)

    def _wanted(self, block: Block, repeated: set[Path]) -> list[Trace]:
        try:
            traces = read_block(block)
        except FormatError as error:
            self._note(block.path, str(error), failed=True)
            return []
        if block.path in repeated:  # the name alone would not tell the file
            for trace in traces:
                trace.stats.source_file = str(block.path)
        wanted = [self._selection.cut(trace) for trace in traces]
        return [trace for trace in wanted if trace is not None]

    def _noted(self, path: Path) -> _Notes:
        return _Notes(self, path)

    def _note(self, path: Path, text: str, failed: bool) -> None:
        self._facts.append({"path": str(path), "text": text, "failed": failed})

    def _save(self, stream: TraceStream, n_blocks: int, is_done: bool = False) -> None:
        self._picks += stream.wait()
        facts = self._facts + [_facts_of(stretch) for stretch in stream.take_stretches()]
        state = None if is_done else stream
        self.parts.save(self._picks, facts, n_blocks, state, self._known)
        self._picks, self._facts = [], []


class _Notes(warnings.catch_warnings):
    """Turns the warnings of a block of code into notes on a file."""

    def __init__(self, run: _GroupRun, path: Path) -> None:
        super().__init__(record=True)
        self._run = run
        self._path = path

    def __enter__(self) -> Any:
        self._caught = super().__enter__()
        warnings.simplefilter("always", RecordWarning)
        return self._caught

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)
        for warning in self._caught or []:
            if issubclass(warning.category, RecordWarning):
                self._run._note(self._path, str(warning.message), failed=False)


def _facts_of(stretch: Stretch) -> dict[str, Any]:
    facts = asdict(stretch) | {"duration_s": stretch.duration_s}
    del facts["start_time"]
    return facts


def _told(facts: list[dict[str, Any]], group: _Group) -> Iterator[StationSummary | FileReport]:
    """Turn the facts of a group's parts into what a run says."""
    stations: dict[str, StationSummary] = {}
    n_failed = 0
    for fact in facts:
        if "text" in fact:
            n_failed += fact["failed"]
            yield FileReport(Path(fact["path"]), fact["text"], failed=fact["failed"])
        else:
            name = fact["station"]
            stations.setdefault(name, StationSummary(name)).add(fact)
    if not stations and not n_failed:
        path = group.paths[0]
        yield FileReport(path, f"{path} holds no usable samples", failed=True)
    for name in sorted(stations):
        yield stations[name].closed()
