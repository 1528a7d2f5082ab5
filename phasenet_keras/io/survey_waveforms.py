"""Waveforms of shot gathers: which shot and which receiver each record is of."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from phasenet_keras.io.gather_names import (
    OwnNames,
    names_in,
    own_names,
    own_names_of_record,
    read_names,
    shots_of_gathers,
)
from phasenet_keras.io.geometry import Geometry
from phasenet_keras.io.index import expand_paths
from phasenet_keras.io.registry import holds_records
from phasenet_keras.io.seisbench import dataset_chunks, read_dataset
from phasenet_keras.io.text_tables import name_key
from phasenet_keras.io.waveforms import read_waveforms
from phasenet_keras.types import FormatError, LabelledWaveform

__all__ = ["GatherRecord", "read_gather_records"]

GatherRecord = tuple[str, str, LabelledWaveform]


def read_gather_records(
    sources: Sequence[str | PathLike[str]],
    names: str | None = None,
    geometry: Geometry | None = None,
) -> list[GatherRecord]:
    """Read the records of shot gathers, from a data set folder or from waveform files.

    In a data set ``gather`` is the shot; files are all of one shot, but with a geometry each that
    is a gather (SEG-Y, SU, SEG-2) is one, whose receivers are the numbers of its traces. ``names``
    says otherwise.

    Args:
        sources: one data set folder, or files, folders and patterns.
        names: as in `read_gather_picks`; searched in the name of a record or its file, then in
            its station's.
        geometry: whose names of shots and receivers files are called by, where it has them.

    Returns:
        Shot, receiver and record, in the order of the files. Files give records without labels.

    Raises:
        FormatError: for files that are named and cannot be read, or where none can.
        ConfigError: for a pattern without the groups.

    Warns:
        RecordWarning: for files of folders and patterns that are passed over, as `read_waveforms`.

    Example:
        >>> read_gather_records([])
        []
    """
    pattern = read_names(names)
    if len(sources) == 1 and dataset_chunks(Path(sources[0])):
        records = read_dataset(sources[0])
    else:
        for path in filter(holds_records, expand_paths(sources)):
            raise FormatError(
                f"{path} holds records of its own labels and shots: make a data set of it by "
                "`phasenet-keras prepare`, and give that folder alone"
            )
        waves = read_waveforms(sources)
        records = [LabelledWaveform(wave, {}, name=wave.source) for wave in waves]
    own = [_own_names(record, geometry) if pattern is None else None for record in records]
    gathers = [record.gather.removeprefix("shot ") for record in records]
    shots = shots_of_gathers(
        {
            names_of.gather: names_of.shot
            for names_of, gather in zip(own, gathers, strict=True)
            if names_of and gather in ("", names_of.gather)
        },
        geometry,
    )
    found = []
    for record, names_of, gather in zip(records, own, gathers, strict=True):
        wave = record.waveform
        named = names_in((record.name, wave.source, wave.station), pattern)
        shot = shots.get(gather or (names_of.gather if names_of else ""), gather)
        if gather and geometry and not geometry.source_of(shot):
            shot = gather
        receiver = names_of.trace if names_of else wave.station
        shot, receiver = named.get("shot", shot or "1"), named.get("receiver", receiver)
        found.append((name_key(shot), name_key(receiver), record))
    return found


def _own_names(record: LabelledWaveform, geometry: Geometry | None) -> OwnNames | None:
    wave = record.waveform
    if record.gather:  # of a data set, which does not say what file it is from
        return own_names_of_record(wave.station, geometry)
    return own_names(wave.source, wave.station, geometry)
