"""The table of a data set: what a row says of a record, and the row of a record.

What SeisBench has no column for is in columns of our own: ``trace_labelled_phases`` (which phases
were looked for; letters, or longer names with a comma after each), ``trace_gather`` and
``trace_source_file``.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phasenet_keras.io.catalogs import phase_of, warn_of_left_out
from phasenet_keras.io.channels import seed_codes
from phasenet_keras.io.labels.row_columns import SPLIT_NAMES
from phasenet_keras.io.new_files import beside_then_rename
from phasenet_keras.io.parts import RecordFacts
from phasenet_keras.io.registry import say
from phasenet_keras.io.text_tables import NOT_A_NUMBER
from phasenet_keras.io.times import NO_TIME, iso_time, time_in
from phasenet_keras.io.wording import some
from phasenet_keras.types import ConfigError, FormatError, LabelledWaveform

if TYPE_CHECKING:
    from obspy import UTCDateTime

__all__ = [
    "METADATA",
    "NOT_IN_NAMES",
    "arrivals_of_row",
    "facts_of_row",
    "metadata_row",
    "name_of_row",
    "new_metadata",
    "number_in",
    "read_rows",
    "samples_of_row",
    "split_of_row",
    "start_of_row",
    "station_of_row",
    "text_in",
    "warn_of_outside",
    "warn_of_rows",
]

METADATA = "metadata.csv"
# SeisBench takes what comes after $ for a place in a bucket, HDF5 what comes after / for a level.
NOT_IN_NAMES = re.compile(r"[/$\0]")
# Names, of which some look like numbers: location code 00.
TEXT_COLUMNS = (
    *("trace_name", "trace_name_original", "split", "trace_start_time", "trace_gather"),
    *("trace_labelled_phases", "source_id", "station_network_code", "station_code"),
    *("station_location_code", "trace_channel", "trace_category", "trace_component_order"),
    "trace_unit",
    "trace_source_file",
)
# A record's second P is in a column of its own.
ARRIVAL = re.compile(r"trace_(?P<phase>.+?)(?:_\d+)?_arrival_sample")
# Names of phases that come back from the names of their columns, and from a list.
PHASE_NAME = re.compile(r"(?!.*_\d+$)[^\s,]+")


@contextmanager
def new_metadata(rows: Sequence[Mapping[str, Any]], folder: Path) -> Iterator[None]:
    """Write the table of a data set, which gets its name when what is done meanwhile is done."""
    import pandas as pd

    with beside_then_rename(folder / METADATA) as file:
        pd.DataFrame(rows).to_csv(file, index=False, lineterminator="\n")
        file.flush()
        yield


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
            those of the data set, for arrivals outside of their records, for splits of other
            names, and for records that are named twice.
    """
    others: Counter[str] = Counter()
    splits: dict[str, None] = {}
    n_again = len(rows) - len({text_in(row["trace_name"]) for row in rows})
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
    said = []
    if splits:
        said.append(f"splits are train, dev and test; {some(splits)} are taken for none")
    if n_again:
        said.append(f"{n_again} rows name a record that a row before names: it counts again")
    for text in said:
        say(f"{table}: {text}")
    warn_of_outside(rows, table)


def warn_of_outside(rows: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Say which arrivals are outside of their records, as far as the rows say how long these are.

    Warns:
        RecordWarning: if there are any.
    """
    outside = [text for row in rows for text in _outside(row)]
    if outside:
        say(
            f"{path}: {len(outside)} arrivals are outside of their records, where their phases "
            f"are not known then: {some(outside)}"
        )


def _outside(row: Mapping[str, Any]) -> list[str]:
    """Say which arrivals of a row are outside of its record, as far as its length is known."""
    with suppress(FormatError):
        n_samples = samples_of_row(row) or math.inf
        return [
            f"{name_of_row(row)} {phase} at {sample:g}"
            for phase, sample in _samples_in(row)
            if not 0 <= sample <= n_samples - 1
        ]
    return []  # it gives no record at all


def metadata_row(name: str, record: LabelledWaveform) -> dict[str, Any]:
    """Return the row of a record in the table of a data set.

    Raises:
        ConfigError: for the name of a phase that could not be read back.
    """
    wave = record.waveform
    network, station, location, channel = seed_codes(wave.station)
    row: dict[str, Any] = {
        "trace_name": name,
        "split": record.split,
        "trace_sampling_rate_hz": wave.sampling_rate,
        "trace_npts": wave.n_samples,
        "trace_start_time": f"{iso_time(wave.start_time, wave.sampling_rate)}Z",
        "trace_unit": wave.units,
        "trace_labelled_phases": _phase_list(name, record.arrivals),
        "trace_gather": record.gather,
        "trace_source_file": wave.source,
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


def facts_of_row(row: Mapping[str, Any], digests: Iterable[str] = ()) -> RecordFacts:
    """Return what a row of the table says of a record.

    Raises:
        FormatError: if it says what cannot be.
    """
    n_samples = samples_of_row(row) or 0
    rate = number_in(row.get("trace_sampling_rate_hz")) or 0.0
    arrivals = arrivals_of_row(row, n_samples)
    if any(arrivals.values()) and not rate > 0:
        raise FormatError(f"its arrivals need a trace_sampling_rate_hz above 0, received {rate:g}")
    return RecordFacts(
        name=name_of_row(row),
        split=split_of_row(row),
        event=text_in(row.get("source_id")),
        gather=text_in(row.get("trace_gather")),
        station=station_of_row(row),
        arrivals=arrivals,
        sampling_rate=rate,
        channels=tuple(text_in(row.get("trace_component_order"))),
        digests=tuple(digests),
        start_s=float(start_of_row(row)),
        duration_s=n_samples / rate if rate else 0.0,
    )


def arrivals_of_row(row: Mapping[str, Any], n_samples: int) -> dict[str, tuple[float, ...]]:
    """Return the arrivals inside of a record: of the phases that were looked for, and P and S.

    A phase whose arrivals are all outside is not known: that it is not in the record is not said.

    Raises:
        FormatError: for an arrival that is not a number.
    """
    arrivals: dict[str, list[float]] = {phase: [] for phase in _phases_known(row)}
    outside = set()
    for phase, sample in _samples_in(row):
        if 0 <= sample <= n_samples - 1:
            arrivals.setdefault(phase, []).append(sample)
        else:
            outside.add(phase)
    return {
        phase: tuple(samples)
        for phase, samples in arrivals.items()
        if samples or phase not in outside
    }


def samples_of_row(row: Mapping[str, Any]) -> int | None:
    """Return the number of samples of a record, None where the row does not say it.

    Raises:
        FormatError: if it is none.
    """
    number = number_in(row.get("trace_npts")) or 0.0
    if not 0 <= number < math.inf:
        raise FormatError(f"trace_npts should be a number of samples, received {number:g}")
    return int(number) or None


def name_of_row(row: Mapping[str, Any]) -> str:
    """Return the name of a record; of one in a bucket that which it was given, as far as known.

    Example:
        >>> name_of_row({"trace_name": "bucket0$3,:3,:400", "trace_name_original": "shot/3"})
        'shot_3'
    """
    name = text_in(row["trace_name"])
    if "$" not in name:
        return name
    return NOT_IN_NAMES.sub("_", text_in(row.get("trace_name_original")) or name)


def start_of_row(row: Mapping[str, Any]) -> UTCDateTime:
    """Return the time of a record's first sample, 1970 where the row does not say it.

    Raises:
        FormatError: if it is no time.
    """
    return time_in(text_in(row.get("trace_start_time")) or NO_TIME, "trace_start_time")


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
    has_codes = network or location or channel
    return f"{network}.{station}.{location}.{channel}" if has_codes else station or "station"


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


def _samples_in(row: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the phase and the sample of each arrival in a row, wherever it is."""
    known = _phases_known(row)
    for column, value in row.items():
        name, direct = _phase_of_column(column)
        phase = name if name in known else direct
        if not phase:
            continue
        sample, text = number_in(value), text_in(value).strip()
        if sample is not None:
            yield phase, sample
        elif text and text.lower() not in NOT_A_NUMBER:
            raise FormatError(f"{column} should be a number of samples, received '{text}'")


def _phases_known(row: Mapping[str, Any]) -> Sequence[str]:
    """Return the phases that were looked for in a record, as far as the table says it."""
    if text_in(row.get("trace_category")).lower() == "noise":
        return ("P", "S")
    listed = text_in(row.get("trace_labelled_phases"))
    return [name for name in listed.split(",") if name] if "," in listed else tuple(listed)


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
