"""Waveforms of shot gathers: which shot and which receiver each record is of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path

from phasenet_keras.io.gathers import names_in, read_names
from phasenet_keras.io.geometry import name_key
from phasenet_keras.io.index import expand_paths
from phasenet_keras.io.seisbench import dataset_chunks, read_dataset
from phasenet_keras.io.waveforms import read_waveforms
from phasenet_keras.types import LabelledWaveform, Waveform

__all__ = ["GatherRecord", "read_gather_records"]

GatherRecord = tuple[str, str, LabelledWaveform]


def read_gather_records(
    sources: Sequence[str | PathLike[str]], names: str | None = None
) -> list[GatherRecord]:
    """Read the records of shot gathers, from a data set folder or from waveform files.

    In a data set ``gather`` is the shot; of files, all are of one shot. ``names`` says otherwise.

    Args:
        sources: one data set folder, or files, folders and patterns.
        names: as in `read_gather_picks`; searched in the name of a record or its file, then in
            its station's.

    Returns:
        Shot, receiver and record, in the order of the files. Files give records without labels.

    Raises:
        FormatError: for files that cannot be read.
        ConfigError: for a pattern without the groups.

    Example:
        >>> read_gather_records([])
        []
    """
    pattern = read_names(names)
    records: Iterable[LabelledWaveform]
    if len(sources) == 1 and dataset_chunks(Path(sources[0])):
        records = read_dataset(sources[0])
    else:
        records = map(_unlabelled, read_waveforms(expand_paths(sources)))
    found = []
    for record in records:
        wave = record.waveform
        named = names_in((record.name, wave.source, wave.station), pattern)
        shot = named.get("shot", record.gather or "1")
        receiver = named.get("receiver", wave.station)
        found.append((name_key(shot.removeprefix("shot ")), name_key(receiver), record))
    return found


def _unlabelled(wave: Waveform) -> LabelledWaveform:
    return LabelledWaveform(wave, {}, name=wave.source)
