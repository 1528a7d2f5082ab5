"""The SeisBench dataset folder: `metadata.csv` and `waveforms.hdf5`, read and written.

SeisBench users keep their data sets, and ours open there. What SeisBench has no column for is in
columns of our own: ``trace_labelled_phases`` (which phases were looked for) and ``trace_gather``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phasenet_keras.types import ConfigError, FormatError, LabelledWaveform, Waveform

if TYPE_CHECKING:
    import h5py

__all__ = ["SPLITS", "read_dataset", "write_dataset"]

METADATA, WAVEFORMS = "metadata.csv", "waveforms.hdf5"
SPLITS = ("train", "dev", "test")
# Names, of which some look like numbers: location code 00.
TEXT_COLUMNS = (
    *("trace_name", "split", "trace_start_time", "trace_labelled_phases", "trace_gather"),
    *("source_id", "station_network_code", "station_code", "station_location_code"),
    *("trace_channel", "trace_category", "trace_component_order"),
)
# Pg, Pn, Sn … are P and S here; a record's second P is in a column of its own.
ARRIVAL = re.compile(r"trace_([PSps])[A-Za-z0-9_]*?_arrival_sample$")
BUCKET = re.compile(r"^(?P<bucket>[^$]+)\$(?P<index>\d+)")


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
    import pandas as pd

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
                rows.append(_row(name, record))
            if not rows:
                raise ConfigError("there are no records to write")
            layout = {"component_order": "".join(channels), "dimension_order": "CW"}
            for key, value in layout.items():
                file[f"data_format/{key}"] = value
        table = folder / f".{METADATA}-part"
        pd.DataFrame(rows).to_csv(table, index=False)
        beside.replace(folder / WAVEFORMS)
        table.replace(folder / METADATA)
    finally:
        beside.unlink(missing_ok=True)
    return len(rows)


def read_dataset(
    folder: str | PathLike[str], splits: Sequence[str] | str | None = None
) -> list[LabelledWaveform]:
    """Read a SeisBench dataset folder.

    A phase without an arrival is unknown, unless ``trace_labelled_phases`` names it or
    ``trace_category`` is ``noise``.

    Args:
        folder: with ``metadata.csv`` and ``waveforms.hdf5``.
        splits: the ones wanted; None reads all.

    Returns:
        The records, in the order of the table.

    Raises:
        FormatError: if the folder is no such data set, or a row has no waveform.
        ConfigError: for an unknown split.
    """
    import h5py
    import pandas as pd

    folder = Path(folder)
    wanted = (splits,) if isinstance(splits, str) else splits
    if wanted is not None and set(wanted) - set(SPLITS):
        raise ConfigError(f"splits are {', '.join(SPLITS)}; received {', '.join(wanted)}")
    try:
        table = pd.read_csv(folder / METADATA, dtype=dict.fromkeys(TEXT_COLUMNS, str))
        file = h5py.File(folder / WAVEFORMS)
    except (OSError, ValueError) as error:
        raise FormatError(
            f"{folder} is no data set ({METADATA} and {WAVEFORMS}): {error}"
        ) from error
    with file:
        if wanted is not None:
            if "split" not in table:
                raise FormatError(f"{folder / METADATA} has no column 'split'")
            table = table[table["split"].isin(wanted)]
        return [_record(row, file, folder) for row in table.to_dict("records")]


def _row(name: str, record: LabelledWaveform) -> dict[str, Any]:
    wave = record.waveform
    parts = wave.station.split(".")
    network, station, location, channel = parts if len(parts) == 4 else ("", wave.station, "", "")
    row: dict[str, Any] = {
        "trace_name": name,
        "split": record.split,
        "trace_sampling_rate_hz": wave.sampling_rate,
        "trace_npts": wave.n_samples,
        "trace_start_time": str(wave.start_time),
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


def _record(row: dict[str, Any], file: h5py.File, folder: Path) -> LabelledWaveform:
    from obspy import UTCDateTime

    name = str(row["trace_name"])
    data, components = _samples(name, row, file, folder)
    rate = _number(row.get("trace_sampling_rate_hz")) or _layout(file, "sampling_rate")
    if not rate:
        raise FormatError(f"{folder}: record {name} has no sampling rate")
    distance_km = _number(row.get("path_ep_distance_km"))
    wave = Waveform(
        data=data,
        sampling_rate=float(rate),
        start_time=UTCDateTime(_text(row.get("trace_start_time")) or 0),
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
    name: str, row: dict[str, Any], file: h5py.File, folder: Path
) -> tuple[np.ndarray, str]:
    """Return ``(samples, channels)`` and the components; SeisBench may keep several in a bucket."""
    bucket = BUCKET.match(name)
    try:
        if bucket:
            block = file[f"data/{bucket['bucket']}"][int(bucket["index"])]
        else:
            block = file[f"data/{name}"][()]
    except (KeyError, ValueError) as error:
        raise FormatError(f"{folder / WAVEFORMS} has no record '{name}'") from error
    components = _text(row.get("trace_component_order")) or _layout(file, "component_order")
    if not components:
        components = "ZNE"[: min(block.shape)]
    if (_layout(file, "dimension_order") or "CW").upper() == "CW":
        block = block.T
    n_samples = int(_number(row.get("trace_npts")) or block.shape[0])
    return np.nan_to_num(block[:n_samples]), components


def _layout(file: h5py.File, key: str) -> Any:
    if f"data_format/{key}" not in file:
        return None
    value = file[f"data_format/{key}"][()]
    return value.decode() if isinstance(value, bytes) else value


def _arrivals(row: dict[str, Any], n_samples: int) -> dict[str, tuple[float, ...]]:
    is_noise = _text(row.get("trace_category")).lower() == "noise"
    known = "PS" if is_noise else _text(row.get("trace_labelled_phases"))
    arrivals: dict[str, list[float]] = {phase: [] for phase in known}
    for column, value in row.items():
        match = ARRIVAL.match(column)
        sample = _number(value) if match else None
        if match and sample is not None and 0 <= sample <= n_samples - 1:
            arrivals.setdefault(match[1].upper(), []).append(sample)
    return {phase: tuple(samples) for phase, samples in arrivals.items()}


def _station(row: dict[str, Any]) -> str:
    names = ("station_network_code", "station_code", "station_location_code", "trace_channel")
    network, station, location, channel = (_text(row.get(name)) for name in names)
    return f"{network}.{station}.{location}.{channel}" if network else station or "station"


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return None if number != number else number
