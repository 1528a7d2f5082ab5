"""Labelled records from any source: which it is, is told by its content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from pathlib import Path

from phasenet_keras.io.arrival_formats import COLUMNS, has_times
from phasenet_keras.io.catalogs import PHASES
from phasenet_keras.io.hdf5_files import is_of_matlab
from phasenet_keras.io.index import check_path, expand_paths, natural_key
from phasenet_keras.io.labels.csv_tables import csv_parts, hdf5_table_parts, npz_parts
from phasenet_keras.io.labels.cutting import cut_around_arrivals
from phasenet_keras.io.labels.files import (
    Labels,
    given_labels,
    label_files,
    label_table,
    said_of_files,
    scan_arrivals,
    warn_of_coarse_times,
    warn_of_one_time,
)
from phasenet_keras.io.labels.hdf5 import hdf5_parts, holds_labels
from phasenet_keras.io.labels.npz import is_npz
from phasenet_keras.io.labels.row_columns import SAMPLE_COLUMNS_IN_WORDS, TIME_COLUMNS_IN_WORDS
from phasenet_keras.io.labels.rows import is_label_table, read_label_table
from phasenet_keras.io.labels.specfem import find_specfem_runs, specfem_parts
from phasenet_keras.io.labels.timed import HeaderScan, scan_headers, timed_parts
from phasenet_keras.io.labels.understood import said_of_columns, said_of_later_names
from phasenet_keras.io.obspy_events import NoLabelsError
from phasenet_keras.io.parts import BadRow, Item, JoinedRecord, Part
from phasenet_keras.io.registry import headers_of, say
from phasenet_keras.io.seisbench import PREPARED, dataset_chunks, dataset_parts
from phasenet_keras.io.selection import Selection, channel_of, said_of_codes
from phasenet_keras.io.text_tables import decoded
from phasenet_keras.io.wording import counted, first_of, some
from phasenet_keras.types import ConfigError, FormatError, LabelledWaveform

__all__ = ["Source", "input_files", "open_source", "read_labelled", "with_options"]


@dataclass(frozen=True)
class Source:
    """Where labelled records come from.

    Attributes:
        kind: in words.
        parts: read one after the other, each on its own.
        bad: what is known to be unusable before anything is read.
        says_all: False if most of the records may have no label at all, e.g. continuous records
            and a catalogue.
    """

    kind: str
    parts: tuple[Part, ...]
    bad: tuple[BadRow, ...] = ()
    says_all: bool = True


def read_labelled(
    waveforms: str | PathLike[str],
    labels: Labels | None = None,
    *,
    complete: bool = False,
    window_s: float | None = None,
    seed: int | None = None,
) -> Iterator[LabelledWaveform | BadRow]:
    """Read labelled records of any source, one after the other; see `open_source`.

    Args:
        waveforms: a folder, a file or a pattern.
        labels: a table or a catalogue, where the waveforms do not hold their labels themselves; or
            several files of one kind, a folder or a pattern.
        complete: True says that all arrivals are labelled: a phase without one is absent, not
            unknown.
        window_s: cuts records longer than this around their arrivals, in seconds.
        seed: windows lie at random about the arrivals; None puts these in the middle.

    In a window a phase that is labelled of some events and not of others is not known; a whole
    record keeps its labels, for it would lose most of them.

    Yields:
        Records, and the rows and files that cannot be used.

    Raises:
        FormatError: if the source is of no known kind, or waveforms and labels do not fit.
        ConfigError: for labels beside waveforms that hold their own.

    Example:
        >>> for item in read_labelled("waveform/", "waveform.csv"):  # doctest: +SKIP
        ...     print(item)
    """
    source = open_source(waveforms, labels)
    yield from source.bad
    for part in source.parts:
        yield from with_options(part(), complete=complete, window_s=window_s, seed=seed)


def with_options(
    items: Iterable[Item], *, complete: bool, window_s: float | None, seed: int | None
) -> Iterator[Item]:
    """Set phases that are absent or not known, and cut long records; see `read_labelled`."""
    for item in items:
        if isinstance(item, BadRow):
            yield item
            continue
        if complete:
            item = replace(item, arrivals={**dict.fromkeys(PHASES, ()), **item.arrivals})
        cut: Iterable[LabelledWaveform] = [item]
        if window_s is not None:
            cut = cut_around_arrivals(item, window_s, complete=complete, seed=seed)
        try:
            for record in cut:
                if isinstance(record, JoinedRecord) and not complete:
                    yield record.with_unsure(keep=window_s is None)
                else:
                    yield record
        except ConfigError as error:  # windows too short at this record's rate
            yield BadRow(None, f"{item.name}: {error}")


def input_files(
    waveforms: str | PathLike[str],
    labels: Labels | None = None,
    output: str | PathLike[str] | None = None,
) -> list[Path]:
    """Return the files of a source in their natural order.

    Left out are the labels, the output, and data sets of ours that lie among the files.
    """
    paths = expand_paths([waveforms])
    files = [*label_files(labels), *([] if output is None else [Path(output)])]
    left_out = {path.resolve() for path in files}
    left_out |= {path.parent.resolve() for path in paths if path.name == PREPARED}
    left_out -= {Path(waveforms).resolve()}
    return sorted(
        (path for path in paths if not left_out & {path.resolve(), *path.resolve().parents}),
        key=natural_key,
    )


def open_source(
    waveforms: str | PathLike[str],
    labels: Labels | None = None,
    output: str | PathLike[str] | None = None,
    selection: Selection | None = None,
) -> Source:
    """Tell what a source is by its content, and plan the reading of it.

    ======================  ===================================================================
    waveforms               labels
    ======================  ===================================================================
    SeisBench data set      its own
    SPECFEM2D run, or runs  ``labels.csv`` in each; or a table of network, station and samples
    HDF5                    attributes of its records; or a table with ``fname``, their names
    npz                     a table with ``fname``; or in the files
    any                     a table of samples: by ``fname``, by station, or in order
    any                     a table of times, a catalogue (QuakeML, …), Snuffler markers
    SAC                     in the headers
    ======================  ===================================================================

    Args:
        waveforms: a folder, a file or a pattern.
        labels: files, folders, patterns; None for waveforms that hold their labels.
        output: a folder that does not belong to the waveforms.
        selection: channels wanted of waveform files, by their codes; None for all.

    Raises:
        FormatError: if it is none of these, or waveforms and labels do not fit.
        ConfigError: for labels beside waveforms that hold their own, and for a selection where
            records are not made of waveform files.

    Warns:
        RecordWarning: for files without labels and arrivals without a record.
    """
    check_path(waveforms)
    selection = selection or Selection()
    if dataset_chunks(waveforms):
        _refuse_selection(selection, f"{waveforms} is a SeisBench data set: its records")
        _refuse_labels(labels, f"{waveforms} is a SeisBench data set and")
        return Source("SeisBench data set", tuple(dataset_parts(waveforms)))
    runs = find_specfem_runs(waveforms)
    if runs:
        _refuse_selection(selection, "SPECFEM2D runs: their records")
        table = None if labels is None else label_table(labels)
        return Source("SPECFEM2D runs", tuple(specfem_parts(runs, table)))
    paths = input_files(waveforms, labels, output)
    if not any(path.is_file() for path in paths):
        raise FormatError(f"there are no waveform files in {waveforms}: name a folder or files")
    files = label_files(labels)
    hdf5 = [path for path in paths if _is_hdf5(path)]
    if hdf5 and (labels is None or hdf5 == paths):
        if labels is not None and not any(map(holds_labels, hdf5)):
            parts, bad = hdf5_table_parts(hdf5, label_table(labels))
            return Source("HDF5 and a table of samples", tuple(parts), tuple(bad))
        _refuse_labels(labels, "HDF5 files")
        _refuse_selection(selection, "HDF5: its records")
        return _from_hdf5(hdf5)
    if selection.channel is not None:  # of counted sensors it may be one, in a file of its own
        traces = (trace for path in paths for trace in headers_of(path))
        selection = selection.knowing(map(channel_of, traces))
    if labels is None:
        return _from_own_labels(paths, waveforms, selection)
    if hdf5:
        paths = [path for path in paths if path not in hdf5]
        names = some(path.name for path in hdf5)
        say(f"{names}: HDF5 beside other waveforms is left out: give it alone, with its labels")
    if any(_is_of_samples(path, paths) for path in files):
        parts = csv_parts(paths, label_table(labels), selection)
        return Source("table of samples", tuple(parts))
    return _from_times(paths, files, labels, selection)


def _refuse_labels(labels: Labels | None, what: str) -> None:
    if labels is not None:
        said = ", ".join(map(str, given_labels(labels)))
        raise ConfigError(
            f"{what} hold their own labels: leave out --labels {said} (in Python labels=)"
        )


def _refuse_selection(selection: Selection, what: str) -> None:
    if not selection.is_all:
        raise ConfigError(
            f"{what} are whole: --network, --station, --location and --channel (in Python "
            "settings of these names) select channels of waveform files"
        )


def _from_hdf5(paths: Sequence[Path]) -> Source:
    parts: list[Part] = []
    bad = []
    for path in paths:
        try:
            found = hdf5_parts(path)
        except FormatError as error:
            bad.append(BadRow(None, str(error)))
            continue
        parts += [partial(_named, part, path) for part in found] if len(paths) > 1 else found
    return Source("HDF5 of labelled records", tuple(parts), tuple(bad))


def _named(part: Part, path: Path) -> Iterator[Item]:
    """Yield the items of one of several files, with its name."""
    for item in part():
        if isinstance(item, BadRow):
            yield BadRow(item.row, f"{item.text} ({path.name})")
        else:
            yield replace(item, name=f"{path.stem}.{item.name}")


def _from_own_labels(
    paths: Sequence[Path], waveforms: str | PathLike[str], selection: Selection
) -> Source:
    if any(map(is_npz, paths)):
        _refuse_selection(selection, "npz: its records")
        return Source("npz with labels", tuple(npz_parts([p for p in paths if is_npz(p)])))
    scan = _scan(paths, selection)
    nameless = [
        f"SAC headers: {marker} is set in {counted(count, 'file')} without a name in "
        f"K{marker}, and left out: write P or S there, or bring arrivals with --labels "
        "(in Python labels=)"
        for marker, count in sorted(scan.nameless.items())
    ]
    if not scan.arrivals:
        raise FormatError(
            f"{waveforms} holds no labels (no arrivals in SAC headers, HDF5 attributes or npz "
            f"arrays): name a table or a catalogue with --labels (in Python labels=)"
            + "".join(f"; {text}" for text in (*nameless, first_of(scan.bad)) if text)
        )
    for text in nameless:
        say(text)
    parts = timed_parts(scan, scan.arrivals, "SAC headers")
    return Source("SAC headers", tuple(parts), scan.bad, says_all=False)


def _scan(paths: Sequence[Path], selection: Selection) -> HeaderScan:
    scan = scan_headers(paths, selection)
    if not scan.spans and not scan.bad:
        raise ConfigError(
            said_of_codes(selection, paths)
            or "no channel has such codes: see --network to --channel (in Python settings of these "
            "names)"
        )
    return scan


def _from_times(
    paths: Sequence[Path], files: Sequence[Path], labels: Labels, selection: Selection
) -> Source:
    try:
        arrivals, damaged = scan_arrivals(labels)
    except FormatError as error:
        if isinstance(error, NoLabelsError) and (said := _said_of_table(files[0])):
            raise FormatError(said) from error
        raise FormatError(f"{error}{_hint_of_labels(files, labels)}") from error
    scan = _scan(paths, selection)
    if not scan.spans:
        raise FormatError(f"no file can be read; {first_of(scan.bad)}")
    where = said_of_files(files)
    warn_of_coarse_times(arrivals, scan.spans, where)
    warn_of_one_time(arrivals, where)
    bad = (*(BadRow(None, text) for text in damaged), *scan.bad)
    parts = timed_parts(scan, arrivals, where)
    return Source("arrivals by time", tuple(parts), bad, says_all=False)


def _said_of_table(file: Path) -> str:
    """Say what is wrong with a table, or which of its columns are understood; empty if none is."""
    try:
        said = said_of_columns(read_label_table(file).columns)
    except FormatError as error:
        if is_label_table(file):
            return str(error)
        said = ""
    said = said or said_of_later_names(decoded(file.read_bytes()))
    return f"{file}: {said}" if said else ""


def _hint_of_labels(files: Sequence[Path], labels: Labels) -> str:
    """Return what to look at where no arrival by time can be read."""
    folders = [str(item) for item in given_labels(labels) if Path(item).is_dir()]
    if folders and any(map(headers_of, files)):
        return f"; {folders[0]} is a folder: are waveforms and labels exchanged?"
    try:
        columns = read_label_table(files[0]).columns
    except FormatError:
        return ""
    is_by_station = has_times(columns) and bool(set(columns) & set(COLUMNS["station"]))
    if len(files) > 1 or len(columns) < 2 or is_by_station:
        return ""
    return (
        f". Or a table with a column of arrivals in samples ({SAMPLE_COLUMNS_IN_WORDS}), or by "
        f"time since the first sample ({TIME_COLUMNS_IN_WORDS}), and of files (fname) or shots and "
        "traces"
    )


def _is_of_samples(file: Path, paths: Sequence[Path]) -> bool:
    """Tell if labels are a table of samples, or of npz files with labels."""
    try:
        table = read_label_table(file)
    except FormatError:
        if file.exists():  # a catalogue need not be text
            return False
        raise
    lists_npz = bool(table.file_column) and not has_times(table.columns)
    return bool(table.sample_columns) or (lists_npz and any(map(is_npz, paths)))


def _is_hdf5(path: Path) -> bool:
    import h5py

    return path.is_file() and h5py.is_hdf5(path) and not is_of_matlab(path)
