"""From archives of any size to parts of picks: day files, long files, files of one channel.

Files that share a station are a group; records without a time share theirs with no other file. A
group is read block by block in order of time, whatever file a block is in, so that nothing is lost
or doubled where one file ends and the next begins, and so that memory depends on the number of
stations in the group, not on its length.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phasenet_keras.io.blocks import BLOCK_BYTES, Block, blocks_of, read_block
from phasenet_keras.io.channel_files import said_of_channels
from phasenet_keras.io.channels import is_for_picks
from phasenet_keras.io.index import Paths, tie_together
from phasenet_keras.io.instruments import Heard, station_id
from phasenet_keras.io.pressure import blocks_without_pressure
from phasenet_keras.io.record_names import name_source, shown_names
from phasenet_keras.io.registry import noted
from phasenet_keras.io.selection import DAY_S, Selection, channel_of
from phasenet_keras.models.weights import weights_digest
from phasenet_keras.picking.far_rates import said_of_far_rates
from phasenet_keras.picking.files import (
    FileReport,
    Progress,
    StationSummary,
    chosen_paths,
    notes_on,
)
from phasenet_keras.picking.parts import GroupParts, PartFolder, digest_of, digest_of_code
from phasenet_keras.picking.station_stream import Stretch, TraceStream
from phasenet_keras.picking.stream_state import CHUNKS_AHEAD
from phasenet_keras.types import FormatError, Pick

if TYPE_CHECKING:
    from obspy import Trace

    from phasenet_keras.picking.picker import Picker

__all__ = [
    "GroupJob",
    "GroupRun",
    "by_group",
    "network_facts",
    "options_of",
    "pick_archive",
    "plan_archive",
    "said_of",
]

# Options that are no part of what picks depend on: `network_facts` has the preset, and the weights
# as they are; engines differ by rounding.
BESIDE = ("preset", "follow", "engine")


@dataclass(frozen=True)
class GroupJob:
    """All that it takes to pick a group of files, or to go on with it, anywhere.

    Attributes:
        name: of its parts; it stands for the files, the picker and the settings.
        paths: the files.
        blocks: of all files, by time.
        notes: what was found wrong with the files.
        shown: names of files whose last part alone would not tell them from others.
        selection: what is wanted.
        part_s: a part is written when so many seconds of record have been read.
    """

    name: str
    paths: tuple[Path, ...]
    blocks: tuple[Block, ...]
    notes: tuple[FileReport, ...]
    shown: Mapping[Path, str]
    selection: Selection
    part_s: float

    def absolute(self) -> GroupJob:
        """Return the same for a process that has another working folder."""
        return replace(
            self,
            paths=tuple(path.absolute() for path in self.paths),
            blocks=tuple(replace(block, path=block.path.absolute()) for block in self.blocks),
            shown={path.absolute(): name for path, name in self.shown.items()},
        )


def pick_archive(
    picker: Picker,
    sources: Paths,
    parts: PartFolder,
    *,
    selection: Selection | None = None,
    part_s: float = DAY_S,
    block_bytes: int = BLOCK_BYTES,
) -> Generator[StationSummary | FileReport | Progress, None, None]:
    """Pick files, folders and patterns; write the picks in parts, going on where a run stopped.

    Args:
        picker: what they are picked with.
        sources: files, folders (an SDS archive is one) and patterns, or one of them.
        parts: where the parts are; `PartFolder.picks` then gives the picks of this run, also of
            parts that an earlier one had finished.
        selection: what is wanted; None for all.
        part_s: a part is written when so many seconds of record have been read.
        block_bytes: miniSEED is read in pieces of so many bytes.

    Yields:
        A `StationSummary` a station, a `FileReport` for each file with a problem, and a `Progress`
        at each file whose headers are read, and after each block that was picked.

    Raises:
        PhaseNetKerasError: if a part cannot be written.
    """
    parts.begin()
    jobs = yield from plan_archive(picker, sources, selection, part_s, block_bytes)
    done, total = 0, sum(len(job.blocks) for job in jobs)
    yield Progress(0, total)
    for group in by_group(jobs):
        for job in group:
            for _ in GroupRun(picker, job, parts.folder_of(job.name)).run():
                done += 1
                yield Progress(done, total)
        yield from said_of(group, parts)


def plan_archive(
    picker: Picker,
    sources: Paths,
    selection: Selection | None = None,
    part_s: float = DAY_S,
    block_bytes: int = BLOCK_BYTES,
) -> Generator[FileReport | Progress, None, list[GroupJob]]:
    """Find what there is to do, from the headers; arguments as in `pick_archive`.

    Yields:
        A `FileReport` for each file that cannot be used, and a `Progress` before each file.

    Returns:
        A job for each group of files that share a station, or each block of named records.
    """
    selection = selection or Selection()
    paths, channels, said = chosen_paths(sources, selection)
    yield from said
    shown = shown_names(paths)
    read: list[tuple[Path, list[Block], list[FileReport]]] = []
    for number, path in enumerate(paths):
        yield Progress(number, len(paths), "reading headers")
        try:
            blocks, notes = _read_headers(path, selection, block_bytes, channels)
        except FormatError as error:
            yield FileReport.of_error(path, error)
            continue
        if blocks:
            read.append((path, blocks, notes))
        else:
            yield from notes
    selection = selection.knowing(channels)
    settings = _settings_of(picker, selection, part_s, block_bytes)
    of_files, texts = blocks_without_pressure([blocks for _, blocks, _ in read], selection)
    wanted = [h for _, bs, _ in read for b in bs for h in filter(selection.takes_heard, b.codes)]
    texts += said_of_channels(wanted)
    rates_hz = {heard.key[2] for heard in wanted if is_for_picks(heard.key[0])}
    if far := said_of_far_rates(rates_hz, picker.preset.sampling_rate, picker.sampling):
        texts.append(far)
    read = [(path, b, notes) for (path, _, notes), b in zip(read, of_files, strict=True) if b]
    yield from (FileReport(paths[0], text, failed=False) for text in texts)
    stations = [
        {heard.key[:2] for b in blocks for heard in b.codes if heard.key[0] in b.stations}
        for _, blocks, _ in read
    ]
    jobs: list[GroupJob] = []
    for numbers in tie_together(stations):
        order = {read[number][0]: number for number in sorted(numbers)}
        blocks = [block for number in numbers for block in read[number][1]]
        files = [(p.absolute(), p.stat().st_size, p.stat().st_mtime_ns) for p in order]
        job = GroupJob(
            name=digest_of([*settings, *files]),
            paths=tuple(order),
            blocks=tuple(sorted(blocks, key=lambda b: (b.start, order[b.path], b.offset))),
            notes=tuple(note for number in numbers for note in read[number][2]),
            shown={path: shown[path] for path in order if path in shown},
            selection=selection,
            part_s=part_s,
        )
        jobs += _by_block(job) if blocks[0].is_of_records else [job]
    return jobs


def _by_block(job: GroupJob) -> Iterator[GroupJob]:
    """Yield a job for each block of a file of named records: none goes on in another block."""
    for number, block in enumerate(job.blocks):
        # A data set's table may change beside its samples.
        facts = block.offset, block.size, sorted(block.codes)
        notes = job.notes if number == 0 else ()
        yield replace(job, name=digest_of([job.name, *facts]), blocks=(block,), notes=notes)


def by_group(jobs: Iterable[GroupJob]) -> list[list[GroupJob]]:
    """Return the jobs of each group of files together, which `said_of` is told at once."""
    return [list(group) for _, group in groupby(jobs, key=lambda job: job.paths)]


def _read_headers(
    path: Path, selection: Selection, block_bytes: int, channels: set[tuple[str, str]]
) -> tuple[list[Block], list[FileReport]]:
    """Return the wanted blocks of a file, and what is wrong with it; add all of its channels."""
    blocks = []
    with noted() as texts:
        for block, traces in blocks_of(path, block_bytes):
            channels |= {channel_of(trace) for trace in traces}
            wanted = frozenset(station_id(t) for t in traces if selection.takes_header(t))
            if wanted:
                blocks.append(replace(block, stations=wanted))
    # A block that cannot be read is a failure; a missing end, and records of no rate, are not.
    return blocks, notes_on(path, texts)


def _settings_of(
    picker: Picker, selection: Selection, part_s: float, block_bytes: int
) -> list[object]:
    """Return all that picks depend on but the files."""
    network = (digest_of_code(), *network_facts(picker))
    sensors = sorted((selection.sensors or {}).items())
    return [network, options_of(picker), selection, sensors, part_s, block_bytes]


def options_of(picker: Picker) -> tuple[tuple[str, Any], ...]:
    """Return all options of a picker that picks depend on beside its network, by name."""
    options = {**picker.options(), "thresholds": tuple(sorted(picker.thresholds.items()))}
    return tuple((name, value) for name, value in options.items() if name not in BESIDE)


def network_facts(picker: Picker) -> tuple[object, ...]:
    """Return what tells a picker's network and its contract from others."""
    return picker.preset, weights_digest(picker.net.get_weight_set())


class GroupRun:
    """Goes on with a group, from its last part: reads the blocks that are left, writes parts.

    Args:
        picker: the one that the job's name stands for.
        job: the group.
        folder: of the parts.
    """

    def __init__(self, picker: Picker, job: GroupJob, folder: Path) -> None:
        self.parts = GroupParts(folder, job.name)
        self._picker = picker
        self._job = job
        self._known = picker.fixtures()
        self._picks: list[Pick] = []
        self._facts: list[dict[str, Any]] = []

    def run(self, n_parts: int | None = None) -> Iterator[None]:
        """Read block after block, and write so many parts at most; None for all.

        Yields:
            After each block that was read, also in an earlier run.

        Raises:
            PhaseNetKerasError: if a part cannot be written.
        """
        parts, blocks = self.parts, self._job.blocks
        yield from [None] * parts.n_blocks
        if parts.is_done:
            return
        stream = parts.state(self._known) if parts.n_blocks else TraceStream(self._picker)
        first = n_ahead = n_saved = number = parts.n_blocks
        begin, n_written = blocks[first].start, 0
        try:
            for number, block in enumerate(blocks[first:], start=first + 1):
                if block.start - begin >= self._job.part_s:
                    self._save(stream, number - 1)
                    n_saved, begin = number - 1, block.start
                    n_written += 1
                    if n_written == n_parts:
                        return
                codes: set[Heard] = set()
                while n_ahead < len(blocks) and blocks[n_ahead].start < block.start + DAY_S:
                    codes |= blocks[n_ahead].codes
                    n_ahead += 1
                until = blocks[number].start if number < len(blocks) else None
                with self._noted(block.path):
                    traces = self._wanted(block)
                    self._picks += stream.feed(traces, until, codes, CHUNKS_AHEAD)
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

    def _wanted(self, block: Block) -> list[Trace]:
        try:
            traces = read_block(block)
        except FormatError as error:
            self._note(block.path, str(error), failed=True)
            return []
        if block.path in self._job.shown:
            name_source(traces, self._job.shown[block.path])
        return self._job.selection.cut(traces)

    @contextmanager
    def _noted(self, path: Path) -> Iterator[None]:
        """Turn the warnings of records into notes on a file."""
        with noted() as texts:
            yield
        for report in notes_on(path, texts):
            self._note(path, report.text, failed=report.failed)

    def _note(self, path: Path, text: str, failed: bool) -> None:
        self._facts.append({"path": str(path), "text": text, "failed": failed})

    def _save(self, stream: TraceStream, n_blocks: int, is_done: bool = False) -> None:
        self._picks += stream.wait()
        stretches = [vars(_summary_of(stretch)) for stretch in stream.take_stretches()]
        reports, stations = _sums_of([*self.parts.facts, *self._facts, *stretches])
        facts = [*reports.values(), *map(vars, stations.values())]
        state = None if is_done else stream
        self.parts.save(self._picks, facts, n_blocks, state, self._known)
        self._picks, self._facts = [], []


def _summary_of(stretch: Stretch) -> StationSummary:
    summary = StationSummary(stretch.station)
    counts, failed, reason = stretch.counts, stretch.failed, stretch.reason
    summary.add(stretch.duration_s, counts, failed=failed, reason=reason)
    return summary


def _sums_of(
    facts: Iterable[dict[str, Any]],
) -> tuple[dict[FileReport, dict[str, Any]], dict[str, StationSummary]]:
    """Return what is said of files, each once, and of stations, all that is said of each joined."""
    reports: dict[FileReport, dict[str, Any]] = {}
    stations: dict[str, StationSummary] = {}
    for fact in facts:
        if "text" in fact:
            report = FileReport(Path(fact["path"]), fact["text"], failed=fact["failed"])
            reports.setdefault(report, fact)
        else:
            name = fact["station"]
            stations.setdefault(name, StationSummary(name)).join(StationSummary.of(fact))
    return reports, stations


def said_of(jobs: Sequence[GroupJob], parts: PartFolder) -> Iterator[StationSummary | FileReport]:
    """Yield what a run says of a group whose jobs are finished, from the facts of their parts.

    Args:
        jobs: of the group: one, or one a station; what several say of a file is said once.
        parts: of the run.
    """
    for job in jobs:
        parts.note_finished(job.name)
    yield from dict.fromkeys(note for job in jobs for note in job.notes)
    reports, stations = _sums_of(fact for job in jobs for fact in parts.group(job.name).facts)
    yield from reports
    if not stations and not any(report.failed for report in reports):
        path = jobs[0].paths[0]
        yield FileReport(path, f"{path} holds no usable samples", failed=True)
    for name in sorted(stations):
        yield stations[name].closed()
