"""The SeisBench dataset folder: `metadata.csv` and `waveforms.hdf5`, read and written.

SeisBench users keep their data sets, and ours open there; `dataset_table` has the table's columns.
A data set in chunks has files `metadata<chunk>.csv` and `waveforms<chunk>.hdf5`, and perhaps a
file `chunks` that lists them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phasenet_keras.io.channels import components_of
from phasenet_keras.io.dataset_samples import waveform_of_row
from phasenet_keras.io.dataset_table import (
    METADATA,
    NOT_IN_NAMES,
    arrivals_of_row,
    facts_of_row,
    metadata_row,
    name_of_row,
    new_metadata,
    read_rows,
    samples_of_row,
    split_of_row,
    text_in,
    warn_of_outside,
    warn_of_rows,
)
from phasenet_keras.io.hdf5_files import DAMAGE, new_hdf5, opened
from phasenet_keras.io.new_files import folder_to_write
from phasenet_keras.io.parts import BadRow, Item, Part, RecordFacts, blocks, check_records
from phasenet_keras.types import (
    SPLITS,
    ConfigError,
    FormatError,
    LabelledWaveform,
    ShapeError,
    nearest_name,
)

if TYPE_CHECKING:
    import h5py

__all__ = [
    "PREPARED",
    "WAVEFORMS",
    "dataset_chunks",
    "dataset_parts",
    "holds_dataset",
    "lacks_splits",
    "put_in_place",
    "read_dataset",
    "read_facts",
    "source_files",
    "write_dataset",
    "write_layout",
]

WAVEFORMS = "waveforms.hdf5"
# A file in every data set that `phasenet-keras prepare` has made.
PREPARED = "prepare.json"


def write_dataset(
    records: Iterable[LabelledWaveform], folder: str | PathLike[str], *, overwrite: bool = False
) -> int:
    """Write labelled records as a SeisBench dataset folder.

    The files appear when they are complete. `read_dataset` gives the records back as they were,
    but for the name of the file that each came from; channels of more than one letter (``HHZ``)
    become components.

    Args:
        records: all of one set of channels; names must differ.
        folder: it is made if needed.
        overwrite: True takes the place of another data set.

    Returns:
        The number of records written.

    Raises:
        ConfigError: for no records, channels that differ, a name used twice, a folder that holds
            a data set, and names of records, channels and phases that could not be read back.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import numpy as np
        >>> from obspy import UTCDateTime
        >>> from phasenet_keras import Waveform
        >>> wave = Waveform(np.ones((300, 1)), 100.0, UTCDateTime(0), ("HHZ",), "XX.A..HH")
        >>> with TemporaryDirectory() as folder:
        ...     _ = write_dataset([LabelledWaveform(wave, {"P": 120}, name="r1")], folder)
        ...     [record] = read_dataset(folder)
        >>> record.name, record.waveform.channels, record.arrivals
        ('r1', ('Z',), {'P': (120.0,)})
    """
    folder = folder_to_write(folder)
    if holds_dataset(folder) and not overwrite:
        raise ConfigError(
            f"{folder} holds another data set: name another folder, or pass overwrite=True, which "
            "removes that one"
        )
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    names: set[str] = set()
    channels: tuple[str, ...] = ()
    beside = folder / f".{WAVEFORMS}-part"
    try:
        with new_hdf5(beside) as new:
            for number, record in enumerate(check_records(records)):
                name = record.name or f"record_{number:06d}"
                own = _letters(record.waveform.channels, name)
                channels = channels or own
                if own != channels:
                    raise ConfigError(
                        f"a data set has one set of channels: {name} has "
                        f"{','.join(own)}, the first {','.join(channels)}"
                    )
                _check_name(name, names)
                names.add(name)
                data = record.waveform.data.T
                new.file.create_dataset(f"data/{name}", data=data, compression="gzip")
                new.check()
                rows.append(metadata_row(name, record))
            if not rows:
                raise ConfigError("there are no records to write")
            write_layout(new.file, channels)
        put_in_place(beside, rows, folder)
    finally:
        beside.unlink(missing_ok=True)
    return len(rows)


def put_in_place(beside: Path, rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Give a finished file of waveforms its name, and write its table, in place of any other set.

    The other set's table goes first, and the new one comes last: waveforms without a table are no
    data set, while one set's samples under the other's labels would be read.
    """
    with new_metadata(rows, folder):
        _remove_tables(folder)
        beside.replace(folder / WAVEFORMS)


def _check_name(name: str, taken: Iterable[str]) -> None:
    if name in taken:
        raise ConfigError(f"two records are named '{name}'")
    if NOT_IN_NAMES.search(name) or not name.strip("."):
        raise ConfigError(
            f"a record named {name!r} could not be read back: a name has no / and no $, and not "
            "dots alone"
        )


def _letters(channels: tuple[str, ...], record: str) -> tuple[str, ...]:
    """Return the channels as a data set names them: by one letter each."""
    if all(len(name) == 1 for name in channels):
        return channels
    components = components_of(channels)
    if len(components) < len(channels):
        raise ConfigError(
            f"record {record}: channels {','.join(channels)} could not be read back: a data set "
            "has one letter a channel; name them E, N, Z, or by codes that stand for these, each "
            "for another (HHE, HHN, HHZ)"
        )
    return tuple(components[name] for name in channels)


def holds_dataset(folder: Path) -> bool:
    """Tell if there is a data set in a folder, in chunks or not, or a part of one."""
    files = (folder / METADATA, folder / WAVEFORMS)
    return bool(dataset_chunks(folder)) or any(path.exists() for path in files)


def lacks_splits(folder: Path) -> bool:
    """Tell if there is a data set in a folder of which no record is in a split."""
    rows = [row for table, _ in dataset_chunks(folder) for row in read_rows(table)]
    return bool(rows) and not any(map(split_of_row, rows))


def _remove_tables(folder: Path) -> None:
    """Remove what makes a folder a data set, and its chunks, which would be read in its place."""
    chunks = {path for pair in dataset_chunks(folder) for path in pair} - {folder / WAVEFORMS}
    for path in (folder / PREPARED, folder / METADATA, *chunks, folder / "chunks"):
        path.unlink(missing_ok=True)


def write_layout(file: h5py.File, channels: Iterable[str]) -> None:
    """Write how the records lie in the file, as SeisBench does."""
    layout = {"component_order": "".join(channels), "dimension_order": "CW"}
    for key, value in layout.items():
        file[f"data_format/{key}"] = value


def dataset_chunks(folder: str | PathLike[str]) -> list[tuple[Path, Path]]:
    """Return the table and the waveform file of each chunk of a data set; none if it is none."""
    folder = Path(folder)
    stem, ending = WAVEFORMS.split(".")
    names = [path.name[len(stem) : -len(ending) - 1] for path in folder.glob(f"{stem}*.{ending}")]
    if "" in names:
        names = [""]
    try:
        listed = (folder / "chunks").read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        listed = []
    pairs = [
        (folder / f"metadata{name}.csv", folder / f"{stem}{name}.{ending}")
        for name in sorted(listed or names)
    ]
    return [pair for pair in pairs if listed or pair[0].is_file()]


def dataset_parts(folder: str | PathLike[str]) -> list[Part]:
    """Plan the reading of a data set in parts of some hundred records; see `read_dataset`.

    Raises:
        FormatError: if a chunk has no table or no waveforms.
    """
    parts: list[Part] = []
    for table, waveforms in dataset_chunks(folder):
        rows = read_rows(table)
        if not waveforms.is_file():
            raise FormatError(f"{table} belongs to {waveforms.name}, which is not there")
        warn_of_rows(rows, table)
        parts += [
            partial(_read_rows, rows[block.start : block.stop], block.start, waveforms)
            for block in blocks(len(rows))
        ]
    return parts


def read_facts(folder: str | PathLike[str]) -> list[RecordFacts]:
    """Return what the table of a data set says of its records.

    Raises:
        FormatError: if there is none, or a row cannot be used.
    """
    table = Path(folder) / METADATA
    facts = []
    for row in read_rows(table):
        try:
            facts.append(facts_of_row(row))
        except FormatError as error:
            raise FormatError(f"{table}: record '{name_of_row(row)}': {error}") from error
    return facts


def source_files(folder: str | PathLike[str]) -> dict[str, str]:
    """Return the file that each record of a data set came from, by its name; empty if not known.

    Raises:
        FormatError: for a table that cannot be read.
    """
    rows = (row for table, _ in dataset_chunks(folder) for row in read_rows(table))
    return {name_of_row(row): text_in(row.get("trace_source_file")) for row in rows}


def read_dataset(
    folder: str | PathLike[str],
    splits: Sequence[str] | str | None = None,
    names: Sequence[str] | str | None = None,
) -> list[LabelledWaveform]:
    """Read a SeisBench dataset folder, in chunks or not.

    Pg, Pn, p, Sg, … are P and S, by the table that catalogues are read by
    (`phasenet_keras.io.catalogs.phase_of`); other phases (pP, PcP, …) are left out, unless
    ``trace_labelled_phases`` names them. A phase without an arrival is unknown, unless that names
    it or ``trace_category`` is ``noise``. A record in a bucket has the name in
    ``trace_name_original``, or else that of its place, ``bucket0_3,:3,:400``.

    Args:
        folder: with ``metadata.csv`` and ``waveforms.hdf5``.
        splits: the ones wanted; None reads all. ``"validation"`` and such in the table are dev.
        names: of the records wanted, one or several; None reads all.

    Returns:
        The records, in the order of the table.

    Raises:
        FormatError: if the folder is no such data set, or a record cannot be read or used.
        ConfigError: for an unknown split, and for names that are not there.

    Warns:
        RecordWarning: for arrivals of other phases and arrivals outside of their records, for
            splits of other names, which are none, and for records that are there twice.
    """
    folder = Path(folder)
    names = (names,) if isinstance(names, str) else names
    wanted = (splits,) if isinstance(splits, str) else splits
    for name in wanted or ():
        if name not in SPLITS:
            meant = split_of_row({"split": name})
            hint = f", which is {meant}: ask for this" if meant else nearest_name(name, SPLITS)
            raise ConfigError(f"splits are {', '.join(SPLITS)}; received {name}{hint}")
    chunks = dataset_chunks(folder) or [(folder / METADATA, folder / WAVEFORMS)]
    if not any(path.exists() for pair in chunks for path in pair):
        raise FormatError(
            f"{folder} is no data set, which has {METADATA} and {WAVEFORMS}: `phasenet-keras "
            "prepare` makes one of waveforms and labels"
        )
    chosen_names = None if names is None else set(names)
    found, there = [], set[str]()
    for table, waveforms in chunks:
        try:
            rows, file = read_rows(table), opened(waveforms)
        except FormatError as error:
            raise FormatError(
                f"{folder} is no data set ({METADATA} and {WAVEFORMS}): {error}"
            ) from error
        with file:
            if wanted is not None and rows and "split" not in rows[0]:
                raise FormatError(
                    f"{table} has no column 'split': `phasenet-keras prepare {folder} --output "
                    "OTHER` makes a data set with splits"
                )
            chosen = [
                row
                for row in rows
                if (wanted is None or split_of_row(row) in wanted)
                and (chosen_names is None or not chosen_names.isdisjoint(_names_of(row)))
            ]
            there.update(name for row in chosen for name in _names_of(row))
            warn_of_rows(chosen, table)
            try:
                found += [_record(row, file, waveforms) for row in chosen]
            except FormatError as error:
                raise FormatError(
                    f"{error}; `phasenet-keras prepare` makes a data set of the others"
                ) from error
    _refuse_missing(names or (), there, folder)
    return found


def _names_of(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return the name of a record, and its place where that is in a bucket."""
    return name_of_row(row), text_in(row["trace_name"])


def _refuse_missing(names: Iterable[str], there: set[str], folder: Path) -> None:
    missing = [name for name in names if name not in there]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ConfigError(
            f"{folder} has no record '{missing[0]}'{more} among those that are wanted."
            f"{nearest_name(missing[0], sorted(there))}"
        )


def _read_rows(rows: Sequence[dict[str, Any]], before: int, waveforms: Path) -> Iterator[Item]:
    with opened(waveforms) as file:
        for number, row in enumerate(rows, start=before + 1):
            try:
                yield _record(row, file, waveforms)
            except FormatError as error:
                yield BadRow(number, str(error))


def _record(row: Mapping[str, Any], file: h5py.File, path: Path) -> LabelledWaveform:
    """Read the record of a row.

    Raises:
        FormatError: naming file and record, whatever cannot be read or used of it.
    """
    name = name_of_row(row)
    try:
        wave = waveform_of_row(row, file)
        arrivals = arrivals_of_row(row, wave.n_samples)
        if samples_of_row(row) is None:  # the table could not tell
            warn_of_outside([{**row, "trace_npts": wave.n_samples}], path)
        return LabelledWaveform(
            wave,
            arrivals,
            name=name,
            event=text_in(row.get("source_id")),
            gather=text_in(row.get("trace_gather")),
            split=split_of_row(row),
        )
    except (FormatError, ShapeError) as error:
        raise FormatError(f"{path}: record '{name}': {error}") from error
    except DAMAGE as error:
        raise FormatError(f"{path}: record '{name}' cannot be read: {error}") from error
