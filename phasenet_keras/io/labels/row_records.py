"""Which of the records in a file a row of a table of samples is of, by its codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from phasenet_keras.io.arrival_formats import COLUMNS
from phasenet_keras.io.text_tables import first_cell
from phasenet_keras.io.wording import some
from phasenet_keras.types import FormatError, Waveform

__all__ = ["record_of_row", "several_records"]

SEED_PARTS = ("network", "station", "location", "channel")
STATION_COLUMNS = ("station_id", "station", "station_code")
LOCATION_COLUMNS = ("location", "location_code")
CHANNEL_COLUMNS = ("channel", "channel_code", "instrument")


def record_of_row(row: Mapping[str, str], waves: Sequence[Waveform], file: Path) -> int:
    """Return the place of the record that a row is of, among those of its file.

    Its station chooses, which may be a SEED id; then, where there are several of it, network,
    location and channel, each where the row has it. An empty network fits any. The only record of
    a file is that of all its rows, but those that name another station than its codes do.

    Raises:
        FormatError: if the row names no station, or not one record is of its codes.

    Example:
        >>> import numpy as np
        >>> from obspy import UTCDateTime
        >>> names = ("XX.A..HH", "XX.A..BH", "XX.B..HH")
        >>> waves = [Waveform(np.ones((9, 1)), 1.0, UTCDateTime(0), ("Z",), n) for n in names]
        >>> rows = {"station": "B"}, {"station": "A", "channel": "BHZ"}, {"station": "XX.A..HHZ"}
        >>> [record_of_row(row, waves, Path("a.mseed")) for row in rows]
        [2, 1, 0]
    """
    wanted = _codes(row)
    if len(waves) == 1 and not _is_of_another(row, waves[0]):
        return 0
    if not wanted["station"]:
        raise FormatError(several_records([file], waves))
    places = [n for n, wave in enumerate(waves) if _fits("station", wanted["station"], wave)]
    for part in ("network", "location", "channel"):
        # Tables have columns of other meaning, such as a number in `channel`: asked only in need.
        if wanted[part] and len(places) > 1:
            places = [n for n in places if _fits(part, wanted[part], waves[n])]
    if len(places) == 1:
        return places[0]
    said = ".".join(filter(None, wanted.values()))
    there = sorted({wave.station for wave in waves})
    raise FormatError(
        f"{file} holds {len(places)} records of {said}, one is wanted; its {len(waves)} "
        f"record{'s are' if len(waves) > 1 else ' is'} of {some(there)}: name it by "
        "station, network, location and channel, or give arrivals with date and time (station, "
        "phase, time)"
    )


def several_records(files: Sequence[Path], waves: Sequence[Waveform]) -> str:
    """Say what to do where several records are in files that should hold one."""
    if len(files) == 1:
        return (
            f"{files[0]} holds {len(waves)} records; one is wanted: name the station of each row "
            "(column station, and network, location, channel where needed)"
        )
    stations = some(sorted({wave.station for wave in waves}))
    return (
        f"{len(files)} files of {stations} hold {len(waves)} records, such as {files[0].name}; one "
        "is wanted: name the file of each row (column fname)"
    )


def _codes(row: Mapping[str, str]) -> dict[str, str]:
    """Return what a row says of its record, by part of a SEED id."""
    columns = (COLUMNS["network"], COLUMNS["station"], LOCATION_COLUMNS, CHANNEL_COLUMNS)
    found = {part: first_cell(row, names) for part, names in zip(SEED_PARTS, columns, strict=True)}
    parts = found["station"].split(".")
    if 2 <= len(parts) <= len(SEED_PARTS):
        found |= {part: code for part, code in zip(SEED_PARTS, parts, strict=False) if code}
    return found


def _is_of_another(row: Mapping[str, str], wave: Waveform) -> bool:
    """Tell if a row names another station than a record's codes; a name from its file is none."""
    codes = wave.station.split(".")
    is_named_by_file = wave.station == Path(wave.source).stem
    has_codes = len(codes) == len(SEED_PARTS) and codes[1] and not is_named_by_file
    # Columns of other names, such as `id`, may hold numbers of rows.
    if not has_codes or not any(row.get(name) for name in STATION_COLUMNS):
        return False
    return not _fits("station", _codes(row)["station"], wave)


def _fits(part: str, code: str, wave: Waveform) -> bool:
    """Tell if a record is of a code; the channel may be whole, an instrument or a component."""
    codes = wave.station.split(".")
    if len(codes) != len(SEED_PARTS):
        return part != "station" or code == wave.station
    own = codes[SEED_PARTS.index(part)]
    if part == "channel":
        return own in (code, code[:-1]) if len(code) > 1 else code in wave.channels
    return own == code or (part == "network" and not own)
