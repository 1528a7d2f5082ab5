"""Which record in its files each row of a table of samples is of.

1. In a gather (SEG-Y, SU, SEG-2 of several traces) its trace: see `row_traces`.
2. The only record of the files is that of all their rows, but of those that name another station
   than its codes do; a name from its file is no code.
3. Of several in one file the row's station chooses, which may be a SEED id; then, where there are
   several of it, network, location and channel, each where the row has it. An empty network fits
   any.
4. A row of another network or location than its record is refused, where both have one.
5. Otherwise the row is refused, and so are several records in several files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from phasenet_keras.io.arrival_formats import COLUMNS, LOCATION
from phasenet_keras.io.instruments import station_id
from phasenet_keras.io.labels.row_columns import TRACE_COLUMNS, TRACE_IN_FILE
from phasenet_keras.io.labels.row_order import against_order
from phasenet_keras.io.labels.row_traces import rows_by_trace
from phasenet_keras.io.labels.rows import Rows
from phasenet_keras.io.parts import BadRow
from phasenet_keras.io.registry import gather_of, read_stream, say
from phasenet_keras.io.selection import CODES, Selection
from phasenet_keras.io.text_tables import NOT_A_NUMBER, first_cell, name_key
from phasenet_keras.io.waveforms import waveforms_of
from phasenet_keras.io.wording import some
from phasenet_keras.types import FormatError, Waveform

if TYPE_CHECKING:
    from obspy import Trace

__all__ = ["STATION_COLUMNS", "rows_by_codes", "rows_by_record"]

STATION_COLUMNS = ("station_id", "station", "station_code", "seed_id")
CHANNEL_COLUMNS = ("channel", "channel_code", "instrument")


def rows_by_record(
    rows: Rows, files: Sequence[Path], selection: Selection, numbers: Mapping[str, Set[int]]
) -> tuple[list[tuple[Waveform, Rows]], list[BadRow], str]:
    """Read files, and return their records with the rows of each, the rows of none, and the gather.

    Args:
        rows: all of these files.
        files: one, or those of the channels of a station.
        selection: what is wanted of them.
        numbers: of traces, in the columns of the whole table.

    Raises:
        FormatError: if the files cannot be read, or none of the rows can be told which record it
            is of.
        ShapeError: for samples that are none.
    """
    first = files[0]
    traces = [trace for path in files for trace in read_stream(path)]
    if not any(first_cell(row, STATION_COLUMNS) for _, row in rows):
        for number, trace in enumerate(traces, start=1):
            if trace.stats.get("is_named_by_run"):  # rows are of traces, as of other gathers
                trace.stats.station_name = f"{first.stem}-{number:04d}"
    waves = waveforms_of(selection.wanted_of(traces))
    if not waves:
        raise FormatError(f"{first} holds no channel of the codes wanted")
    if len(waves) > 1 and len(files) > 1:
        raise FormatError(_said_of_several(files, waves))
    is_gather = all(wave.station.startswith(f"{first.stem}-") for wave in waves)
    gather = gather_of(first, waves[0].station) if is_gather else ""
    if gather:
        if len({wave.station for wave in waves}) < len(waves):
            raise FormatError(_said_of_several(files, waves))
        records, found, bad = _in_gather(rows, waves, traces, first, numbers)
    else:
        records = dict(enumerate(waves))
        found, bad = rows_by_codes(rows, waves, first)
    channels = traces[0].stats.get("file_channels", ())
    whole = [(_with_channels(records[n], channels), of_n) for n, of_n in found.items()]
    return whole, bad, gather


def _in_gather(
    rows: Rows,
    waves: Sequence[Waveform],
    traces: Sequence[Trace],
    file: Path,
    numbers: Mapping[str, Set[int]],
) -> tuple[dict[int, Waveform], dict[int, Rows], list[BadRow]]:
    """Return the records of a gather and their rows, by the number of a trace, and rows of none."""
    by_name = {wave.station: wave for wave in waves}
    names = [station_id(trace) for trace in traces]  # one for all components of a receiver
    first_of = {name: n for n, name in reversed([*enumerate(names, start=1)])}
    if len(first_of) < len(names):
        rows = _by_receiver(rows, sorted(first_of.values()), file)
    records = {n: by_name[name] for n, name in enumerate(names, start=1) if name in by_name}
    by_trace, bad = rows_by_trace(rows, sorted(records), traces, file, numbers)
    found: dict[int, Rows] = {}
    for place, of_place in by_trace.items():
        found.setdefault(first_of[names[place - 1]], []).extend(of_place)
    return records, found, bad


def _by_receiver(rows: Rows, firsts: Sequence[int], file: Path) -> Rows:
    """Give each row of a gather of several components the place of its receiver's first trace.

    That is where they are as many as receivers, in order, and without numbers; others stay, but for
    numbers that may be those of receivers or of traces: these are refused.
    """
    cells = [row for _, row in rows]
    column = next((name for name in TRACE_COLUMNS if any(row.get(name) for row in cells)), "")
    numbers = [name_key(row.get(column, "")) for row in cells]
    if column == TRACE_IN_FILE or (not column and len(cells) != len(firsts)):
        return rows
    if column and all(map(str.isdecimal, numbers)) and max(map(int, numbers)) <= len(firsts):
        raise FormatError(
            f"rows of {file.name} may number its traces, or its {len(firsts)} receivers of several "
            f"components ({column}): give the places of their traces in the file, from 1, in a "
            f"column {TRACE_IN_FILE}, or a row a receiver, in order, without numbers"
        )
    if column or against_order(cells, []):
        return rows
    say("rows of gathers of several components are taken in the order of the receivers")
    return [
        (number, {**row, TRACE_IN_FILE: str(first)})
        for (number, row), first in zip(rows, firsts, strict=True)
    ]


def _with_channels(wave: Waveform, channels: tuple[str, ...]) -> Waveform:
    """Give a record back the channels of its file that are zero, as PhaseNet does."""
    if not channels or wave.channels == channels:
        return wave
    data = np.zeros((wave.n_samples, len(channels)), np.float32)
    data[:, [channels.index(name) for name in wave.channels]] = wave.data
    return replace(wave, data=data, channels=channels)


def rows_by_codes(
    rows: Rows, waves: Sequence[Waveform], file: Path
) -> tuple[dict[int, Rows], list[BadRow]]:
    """Return the rows of each of the records of a file, by its place, and those of none.

    Args:
        rows: all of the file.
        waves: its records.
        file: it, or the folder of a run.
    """
    codes = [_codes_of(wave) for wave in waves]
    by_station: dict[str, list[int]] = {}
    for place, own in enumerate(codes):
        by_station.setdefault(own["station"], []).append(place)
    by_station.pop("", None)
    # What is named after its file has no code that a row may contradict.
    has_code = bool(by_station) and "network" in codes[0] and waves[0].station != file.stem
    there = some(sorted({wave.station for wave in waves}))
    found: dict[int, Rows] = {}
    bad = []
    for number, row in rows:
        wanted = _codes_in(row)
        places = by_station.get(wanted["station"], [])
        # Columns of other names, such as `id`, may hold numbers of rows.
        if len(waves) == 1 and not (has_code and first_cell(row, STATION_COLUMNS)):
            places = [0]
            wanted |= {"network": first_cell(row, COLUMNS["network"]), "location": ""}
        for part in CODES:
            # Tables have columns of other meaning, such as a number in `channel`: asked in need.
            if wanted[part] and len(places) > 1:
                places = [n for n in places if _fits(part, wanted[part], codes[n], waves[n])]
        places = [n for n in places if not _contradicts(wanted, codes[n])]
        if len(places) == 1:
            found.setdefault(places[0], []).append((number, row))
        elif wanted["station"] or len(waves) == 1:
            said = f"{len(places)} records of {'.'.join(filter(None, wanted.values()))}, one is"
            bad.append(
                BadRow(
                    number,
                    f"{file} holds {said} wanted; its {len(waves)} record"
                    f"{'s are' if len(waves) > 1 else ' is'} of {there}: name it by station, "
                    "network, location and channel, or give arrivals with date and time (station, "
                    "phase, time)",
                )
            )
        else:
            bad.append(BadRow(number, _said_of_several([file], waves)))
    return found, bad


def _codes_in(row: Mapping[str, str]) -> dict[str, str]:
    """Return what a row says of its record, by part of a SEED id."""
    columns = (COLUMNS["network"], COLUMNS["station"], COLUMNS["location"], CHANNEL_COLUMNS)
    found = {part: first_cell(row, names) for part, names in zip(CODES, columns, strict=True)}
    parts = found["station"].split(".")
    if 2 <= len(parts) <= len(CODES):
        found |= {part: code for part, code in zip(CODES, parts, strict=False) if code}
    return found


def _codes_of(wave: Waveform) -> dict[str, str]:
    """Return the parts of a record's SEED id; of one without, its name alone."""
    codes = wave.station.split(".")
    if len(codes) == len(CODES):
        return dict(zip(CODES, codes, strict=True))
    return {"station": wave.station}


def _fits(part: str, code: str, own: Mapping[str, str], wave: Waveform) -> bool:
    """Tell if a record is of a code; the channel may be whole, an instrument or a component."""
    if part == "channel" and part in own:
        return own[part] in (code, code[:-1]) if len(code) > 1 else code in wave.channels
    if part == "location":
        return name_key(own.get(part, code)) == name_key(code)
    return own.get(part, code) == code or (part == "network" and not own[part])


def _contradicts(wanted: Mapping[str, str], own: Mapping[str, str]) -> bool:
    """Tell if network or location of a row and of its record are two; words are no location."""
    network, location = wanted["network"].upper(), name_key(wanted["location"]).upper()
    other_network = own.get("network", "").upper() not in ("", network)
    other_location = name_key(own.get("location", "")).upper() not in ("", location)
    return (other_network and bool(network) and network.lower() not in NOT_A_NUMBER) or (
        other_location and LOCATION.fullmatch(location) is not None
    )


def _said_of_several(files: Sequence[Path], waves: Sequence[Waveform]) -> str:
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
