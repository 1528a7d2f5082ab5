"""The SeisBench dataset folder: `metadata.csv` and `waveforms.hdf5`, read and written.

SeisBench users keep their data sets, and ours open there. What SeisBench has no column for is in
columns of our own: ``trace_labelled_phases`` (which phases were looked for) and ``trace_gather``.
A data set in chunks has files `metadata<chunk>.csv` and `waveforms<chunk>.hdf5`, and perhaps a
file `chunks` that lists them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phasenet_keras.io.parts import BadRow, Item, Part, RecordFacts, blocks
from phasenet_keras.io.times import exact_time, iso_time
from phasenet_keras.types import (
    ConfigError,
    FormatError,
    LabelledWaveform,
    ShapeError,
    Waveform,
)

if TYPE_CHECKING:
    import h5py

__all__ = [
    "METADATA",
    "SPLITS",
    "WAVEFORMS",
    "dataset_chunks",
    "dataset_parts",
    "facts_of_row",
    "metadata_row",
    "read_dataset",
    "read_facts",
    "write_dataset",
    "write_layout",
    "write_metadata",
]

METADATA, WAVEFORMS = "metadata.csv", "waveforms.hdf5"
SPLITS = ("train", "dev", "test")
# Of records without a time.
NO_TIME = "1970-01-01"
# Names, of which some look like numbers: location code 00.
TEXT_COLUMNS = (
    *("trace_name", "split", "trace_start_time", "trace_labelled_phases", "trace_gather"),
    *("source_id", "station_network_code", "station_code", "station_location_code"),
    *("trace_channel", "trace_category", "trace_component_order"),
)
# Pg, Pn, Sn … are P and S here; a record's second P is in a column of its own.
ARRIVAL = re.compile(r"trace_([PSps])[A-Za-z0-9_]*?_arrival_sample$")
# The place of a record in a bucket: its number, and perhaps its extent: "bucket0$3,:3,:400".
BUCKET = re.compile(r"^(?P<bucket>[^$]+)\$(?P<index>\d+)(?:.*,\s*:(?P<npts>\d+)$)?")


def write_dataset(records: Iterable[LabelledWaveform], folder: str | PathLike[str]) -> int:
    """Write labelled records as a SeisBench dataset folder.

    The files appear when they are complete.

    Args:
        records: all of one set of channels; names must differ.
        folder: it is made if needed.

    Returns:
        The number of records written.

    Raises:
        ConfigError: for no records, channels that differ, or a name used twice.
    """
    import h5py

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    names: set[str] = set()
    channels: tuple[str, ...] = ()
    beside = folder / f".{WAVEFORMS}-part"
    try:
        with h5py.File(beside, "w") as file:
            for number, record in enumerate(records):
                name = record.name or f"record_{number:06d}"
                channels = channels or record.waveform.channels
                if record.waveform.channels != channels:
                    raise ConfigError(
                        f"a data set has one set of channels: {name} has "
                        f"{','.join(record.waveform.channels)}, the first {','.join(channels)}"
                    )
                if name in names:
                    raise ConfigError(f"two records are named '{name}'")
                names.add(name)
                file.create_dataset(f"data/{name}", data=record.waveform.data.T, compression="gzip")
                rows.append(metadata_row(name, record))
            if not rows:
                raise ConfigError("there are no records to write")
            write_layout(file, channels)
        beside.replace(folder / WAVEFORMS)
        write_metadata(rows, folder)
    finally:
        beside.unlink(missing_ok=True)
    return len(rows)


def write_layout(file: h5py.File, channels: Iterable[str]) -> None:
    """Write how the records lie in the file, as SeisBench does."""
    layout = {"component_order": "".join(channels), "dimension_order": "CW"}
    for key, value in layout.items():
        file[f"data_format/{key}"] = value


def write_metadata(rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Write the table of a data set; it appears when it is complete."""
    import pandas as pd

    table = folder / f".{METADATA}-part"
    pd.DataFrame(rows).to_csv(table, index=False)
    table.replace(folder / METADATA)


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
        rows = _rows(table)
        if not waveforms.is_file():
            raise FormatError(f"{table} belongs to {waveforms.name}, which is not there")
        parts += [
            partial(_read_rows, rows[block.start : block.stop], block.start, waveforms)
            for block in blocks(len(rows))
        ]
    return parts


def read_facts(folder: str | PathLike[str]) -> list[RecordFacts]:
    """Return what the table of a data set says of its records.

    Raises:
        FormatError: if there is none.
    """
    return [facts_of_row(row) for row in _rows(Path(folder) / METADATA)]


def facts_of_row(row: Mapping[str, Any], digest: str = "") -> RecordFacts:
    """Return what a row of the table says of a record."""
    from obspy import UTCDateTime

    n_samples = int(_number(row.get("trace_npts")) or 0)
    rate = _number(row.get("trace_sampling_rate_hz")) or 0.0
    return RecordFacts(
        name=_text(row["trace_name"]),
        split=_text(row.get("split")),
        event=_text(row.get("source_id")),
        gather=_text(row.get("trace_gather")),
        station=_station(row),
        arrivals=_arrivals(row, n_samples),
        sampling_rate=rate,
        channels=tuple(_text(row.get("trace_component_order"))),
        digest=digest,
        start_s=float(UTCDateTime(_text(row.get("trace_start_time")) or 0)),
        duration_s=n_samples / rate if rate else 0.0,
    )


def read_dataset(
    folder: str | PathLike[str],
    splits: Sequence[str] | str | None = None,
    names: Sequence[str] | None = None,
) -> list[LabelledWaveform]:
    """Read a SeisBench dataset folder, in chunks or not.

    A phase without an arrival is unknown, unless ``trace_labelled_phases`` names it or
    ``trace_category`` is ``noise``.

    Args:
        folder: with ``metadata.csv`` and ``waveforms.hdf5``.
        splits: the ones wanted; None reads all.
        names: of the records wanted; None reads all.

    Returns:
        The records, in the order of the table.

    Raises:
        FormatError: if the folder is no such data set, or a row has no waveform.
        ConfigError: for an unknown split.
    """
    import h5py

    folder = Path(folder)
    wanted = (splits,) if isinstance(splits, str) else splits
    if wanted is not None and set(wanted) - set(SPLITS):
        raise ConfigError(f"splits are {', '.join(SPLITS)}; received {', '.join(wanted)}")
    chunks = dataset_chunks(folder) or [(folder / METADATA, folder / WAVEFORMS)]
    if not any(path.exists() for pair in chunks for path in pair):
        raise FormatError(
            f"{folder} is no data set, which has {METADATA} and {WAVEFORMS}: `phasenet-keras "
            "prepare` makes one of waveforms and labels"
        )
    found = []
    for table, waveforms in chunks:
        try:
            rows = _rows(table)
            file = h5py.File(waveforms)
        except (OSError, FormatError) as error:
            raise FormatError(
                f"{folder} is no data set ({METADATA} and {WAVEFORMS}): {error}"
            ) from error
        with file:
            if wanted is not None and rows and "split" not in rows[0]:
                raise FormatError(f"{table} has no column 'split'")
            found += [
                _record(row, file, waveforms)
                for row in rows
                if (wanted is None or row["split"] in wanted)
                and (names is None or row["trace_name"] in names)
            ]
    return found


def _rows(table: Path) -> list[dict[str, Any]]:
    import pandas as pd

    try:
        # Only empty cells are missing ones: NA is the code of a network.
        frame = pd.read_csv(
            table,
            dtype=dict.fromkeys(TEXT_COLUMNS, str),
            keep_default_na=False,
            na_values=[""],
            low_memory=False,
        )
    except (OSError, ValueError) as error:
        raise FormatError(f"{table} is no readable table: {error}") from error
    if "trace_name" not in frame:
        raise FormatError(f"{table} has no column 'trace_name': it is no table of a data set")
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def _read_rows(rows: Sequence[dict[str, Any]], before: int, waveforms: Path) -> Iterator[Item]:
    import h5py

    try:
        file = h5py.File(waveforms)
    except OSError as error:
        raise FormatError(f"{waveforms} is no readable HDF5 file: {error}") from error
    with file:
        for number, row in enumerate(rows, start=before + 1):
            try:
                yield _record(row, file, waveforms)
            except (FormatError, ShapeError) as error:
                yield BadRow(number, f"{error} ({waveforms.name})")


def metadata_row(name: str, record: LabelledWaveform) -> dict[str, Any]:
    """Return the row of a record in the table of a data set."""
    wave = record.waveform
    parts = wave.station.split(".")
    network, station, location, channel = parts if len(parts) == 4 else ("", wave.station, "", "")
    row: dict[str, Any] = {
        "trace_name": name,
        "split": record.split,
        "trace_sampling_rate_hz": wave.sampling_rate,
        "trace_npts": wave.n_samples,
        "trace_start_time": f"{iso_time(wave.start_time, wave.sampling_rate)}Z",
        "trace_labelled_phases": "".join(sorted(record.arrivals)),
        "trace_gather": record.gather,
        "source_id": record.event,
        "station_network_code": network,
        "station_code": station,
        "station_location_code": location,
        "trace_channel": channel,
        "path_ep_distance_km": None if wave.offset_m is None else wave.offset_m / 1000.0,
    }
    for phase, samples in record.arrivals.items():
        row.setdefault(f"trace_{phase}_arrival_sample", None)
        for number, sample in enumerate(samples):
            suffix = f"_{number + 1}" if number else ""
            row[f"trace_{phase}{suffix}_arrival_sample"] = sample
    return row


def _record(row: Mapping[str, Any], file: h5py.File, path: Path) -> LabelledWaveform:
    name = str(row["trace_name"])
    data, components = _samples(name, row, file, path)
    step_s = _number(row.get("trace_dt_s"))
    rate = _number(row.get("trace_sampling_rate_hz")) or (1.0 / step_s if step_s else None)
    rate = rate or _layout(file, "sampling_rate")
    if not rate:
        raise FormatError(f"{path}: record {name} has no sampling rate")
    distance_km = _number(row.get("path_ep_distance_km"))
    wave = Waveform(
        data=data,
        sampling_rate=float(rate),
        start_time=exact_time(_text(row.get("trace_start_time")) or NO_TIME),
        channels=tuple(components),
        station=_station(row),
        offset_m=None if distance_km is None else 1000.0 * distance_km,
        source=name,
    )
    return LabelledWaveform(
        wave,
        _arrivals(row, wave.n_samples),
        name=name,
        event=_text(row.get("source_id")),
        gather=_text(row.get("trace_gather")),
        split=_text(row.get("split")),
    )


def _samples(
    name: str, row: Mapping[str, Any], file: h5py.File, path: Path
) -> tuple[np.ndarray, str]:
    """Return ``(samples, channels)`` and the components; SeisBench may keep several in a bucket."""
    bucket = BUCKET.match(name)
    try:
        if bucket:
            block = file[f"data/{bucket['bucket']}"][int(bucket["index"])]
        else:
            block = file[f"data/{name}"][()]
    except (KeyError, ValueError) as error:
        raise FormatError(f"{path} has no record '{name}'") from error
    components = _text(row.get("trace_component_order")) or _layout(file, "component_order")
    if not components:
        components = "ZNE"[: min(block.shape)]
    if (_layout(file, "dimension_order") or "CW").upper() == "CW":
        block = block.T
    in_name = bucket["npts"] if bucket else None
    n_samples = int(_number(row.get("trace_npts")) or in_name or block.shape[0])
    return np.nan_to_num(block[:n_samples]), components


def _layout(file: h5py.File, key: str) -> Any:
    if f"data_format/{key}" not in file:
        return None
    value = file[f"data_format/{key}"][()]
    return value.decode() if isinstance(value, bytes) else value


def _arrivals(row: Mapping[str, Any], n_samples: int) -> dict[str, tuple[float, ...]]:
    is_noise = _text(row.get("trace_category")).lower() == "noise"
    known = "PS" if is_noise else _text(row.get("trace_labelled_phases"))
    arrivals: dict[str, list[float]] = {phase: [] for phase in known}
    for column, value in row.items():
        match = ARRIVAL.match(column)
        sample = _number(value) if match else None
        if match and sample is not None and 0 <= sample <= n_samples - 1:
            arrivals.setdefault(match[1].upper(), []).append(sample)
    return {phase: tuple(samples) for phase, samples in arrivals.items()}


def _station(row: Mapping[str, Any]) -> str:
    names = ("station_network_code", "station_code", "station_location_code", "trace_channel")
    network, station, location, channel = (_text(row.get(name)) for name in names)
    has_codes = network or location or channel
    return f"{network}.{station}.{location}.{channel}" if has_codes else station or "station"


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return None if number != number else number
