"""The table of a data set: what a row says of a record, and the row of a record.

What SeisBench has no column for is in columns of our own: ``trace_labelled_phases`` (which phases
were looked for; letters, or longer names with a comma after each) and ``trace_gather``.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from phasenet_keras.io.catalogs import phase_of, warn_of_left_out
from phasenet_keras.io.label_rows import SPLIT_NAMES
from phasenet_keras.io.parts import RecordFacts
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.types import ConfigError, FormatError, LabelledWaveform

__all__ = [
    "METADATA",
    "arrivals_of_row",
    "facts_of_row",
    "metadata_row",
    "number_in",
    "read_rows",
    "split_of_row",
    "station_of_row",
    "text_in",
    "warn_of_rows",
    "write_metadata",
]

METADATA = "metadata.csv"
# Names, of which some look like numbers: location code 00.
TEXT_COLUMNS = (
    *("trace_name", "split", "trace_start_time", "trace_labelled_phases", "trace_gather"),
    *("source_id", "station_network_code", "station_code", "station_location_code"),
    *("trace_channel", "trace_category", "trace_component_order", "trace_unit"),
)
# A record's second P is in a column of its own.
ARRIVAL = re.compile(r"trace_(?P<phase>.+?)(?:_\d+)?_arrival_sample")
# Names of phases that come back from the names of their columns, and from a list.
PHASE_NAME = re.compile(r"(?!.*_\d+$)[^\s,]+")


def write_metadata(rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Write the table of a data set; it appears when it is complete."""
    import pandas as pd

    table = folder / f".{METADATA}-part"
    pd.DataFrame(rows).to_csv(table, index=False)
    table.replace(folder / METADATA)


def read_rows(table: Path) -> list[dict[str, Any]]:
    """Read the rows of a table.

    Raises:
        FormatError: if it cannot be read, or is no table of a data set.
    """
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


def warn_of_rows(rows: Sequence[Mapping[str, Any]], table: Path) -> None:
    """Say what of some rows of a table is not used.

    Warns:
        RecordWarning: for arrivals of other phases than P and S that the table does not name as
            those of the data set, and for splits of other names.
    """
    others: Counter[str] = Counter()
    splits: dict[str, None] = {}
    for row in rows:
        known = _phases_known(row)
        for column, value in row.items():
            name, phase = _phase_of_column(column)
            is_other = name and phase is None and name not in known
            if is_other and number_in(value) is not None:
                others[name] += 1
        split = text_in(row.get("split"))
        if split and not split_of_row(row):
            splits[split] = None
    warn_of_left_out(table, [], others)
    if splits:
        names = ", ".join([*splits][:3])
        text = f"{table}: splits are train, dev and test; {names} are taken for none"
        warnings.warn(text, RecordWarning, stacklevel=3)


def metadata_row(name: str, record: LabelledWaveform) -> dict[str, Any]:
    """Return the row of a record in the table of a data set.

    Raises:
        ConfigError: for the name of a phase that could not be read back.
    """
    wave = record.waveform
    parts = wave.station.split(".")
    network, station, location, channel = parts if len(parts) == 4 else ("", wave.station, "", "")
    row: dict[str, Any] = {
        "trace_name": name,
        "split": record.split,
        "trace_sampling_rate_hz": wave.sampling_rate,
        "trace_npts": wave.n_samples,
        "trace_start_time": str(wave.start_time),
        "trace_unit": wave.units,
        "trace_labelled_phases": _phase_list(name, record.arrivals),
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


def facts_of_row(row: Mapping[str, Any], digest: str = "") -> RecordFacts:
    """Return what a row of the table says of a record."""
    from obspy import UTCDateTime

    n_samples = int(number_in(row.get("trace_npts")) or 0)
    rate = number_in(row.get("trace_sampling_rate_hz")) or 0.0
    return RecordFacts(
        name=text_in(row["trace_name"]),
        split=split_of_row(row),
        event=text_in(row.get("source_id")),
        gather=text_in(row.get("trace_gather")),
        station=station_of_row(row),
        arrivals=arrivals_of_row(row, n_samples),
        sampling_rate=rate,
        channels=tuple(text_in(row.get("trace_component_order"))),
        digest=digest,
        start_s=float(UTCDateTime(text_in(row.get("trace_start_time")) or 0)),
        duration_s=n_samples / rate if rate else 0.0,
    )


def arrivals_of_row(row: Mapping[str, Any], n_samples: int) -> dict[str, tuple[float, ...]]:
    """Return the arrivals inside of a record: of the phases that were looked for, and P and S."""
    arrivals: dict[str, list[float]] = {phase: [] for phase in _phases_known(row)}
    for column, value in row.items():
        name, direct = _phase_of_column(column)
        phase = name if name in arrivals else direct
        sample = number_in(value) if phase else None
        if phase and sample is not None and 0 <= sample <= n_samples - 1:
            arrivals.setdefault(phase, []).append(sample)
    return {phase: tuple(samples) for phase, samples in arrivals.items()}


def split_of_row(row: Mapping[str, Any]) -> str:
    """Return the split of a record; empty for one of another name.

    Example:
        >>> split_of_row({"split": "validation"}), split_of_row({"split": "fold 3"})
        ('dev', '')
    """
    return SPLIT_NAMES.get(text_in(row.get("split")).lower(), "")


def station_of_row(row: Mapping[str, Any]) -> str:
    """Return the station of a record, as `Waveform` has it."""
    names = ("station_network_code", "station_code", "station_location_code", "trace_channel")
    network, station, location, channel = (text_in(row.get(name)) for name in names)
    return f"{network}.{station}.{location}.{channel}" if network else station or "station"


def text_in(value: Any) -> str:
    """Return the text of a cell, empty for a missing one."""
    return "" if value is None or value != value else str(value)


def number_in(value: Any) -> float | None:
    """Return the number in a cell, None for a missing one and for text."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return None if number != number else number


@lru_cache(maxsize=1024)
def _phase_of_column(column: str) -> tuple[str, str | None]:
    """Return the name in a column of arrivals, empty for another column; and P, S or None."""
    match = ARRIVAL.fullmatch(column)
    return (match["phase"], phase_of(match["phase"])) if match else ("", None)


def _phases_known(row: Mapping[str, Any]) -> Sequence[str]:
    """Return the phases that were looked for in a record, as far as the table says it."""
    if text_in(row.get("trace_category")).lower() == "noise":
        return "PS"
    listed = text_in(row.get("trace_labelled_phases"))
    return [name for name in listed.split(",") if name] if "," in listed else listed


def _phase_list(record: str, phases: Mapping[str, Any]) -> str:
    """Return names as a cell: letters one after the other, longer names with a comma each."""
    names = sorted(phases)
    for name in names:
        if not PHASE_NAME.fullmatch(name):
            raise ConfigError(
                f"record {record}: phase {name!r} could not be read back: a name has no blanks "
                "and no commas, and does not end in _2 or another number"
            )
    return "".join(names if all(len(name) == 1 for name in names) else [f"{n}," for n in names])
