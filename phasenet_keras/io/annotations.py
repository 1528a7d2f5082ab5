"""Annotations (probabilities) as files: miniSEED for ObsPy and waveform viewers, or npz."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from phasenet_keras.io.channels import seed_codes
from phasenet_keras.io.index import check_path, is_folder_name
from phasenet_keras.io.new_files import beside_then_rename, check_folder, folder_to_write
from phasenet_keras.io.record_names import is_dated
from phasenet_keras.io.registry import say
from phasenet_keras.io.wording import free_name
from phasenet_keras.types import Annotation, ConfigError

if TYPE_CHECKING:
    from obspy import Stream, Trace

__all__ = [
    "annotations_to_stream",
    "check_annotation_path",
    "file_stem",
    "files_at",
    "write_annotations",
]

# Channel code of a probability: these letters and the phase's, e.g. PRP (no SEED band code is P).
CHANNEL_PREFIX = "PR"
# File systems take 255; a time and an ending come after.
STEM_BYTES = 200
CODE_LENGTHS = {"network": 2, "station": 5, "location": 2}


def annotations_to_stream(annotations: Iterable[Annotation]) -> Stream:
    """Return probabilities as ObsPy traces, one a phase; channels PRN, PRP, PRS.

    Warns:
        RecordWarning: for a second instrument of a station (HH, HN), whose probabilities would
            have the same codes: it is left out.

    Example:
        >>> from phasenet_keras import Picker, read_waveforms
        >>> annotations = Picker.from_preset("regional").annotate(read_waveforms())
        >>> [trace.id for trace in annotations_to_stream(annotations)]
        ['BW.RJOB..PRN', 'BW.RJOB..PRP', 'BW.RJOB..PRS']
    """
    from obspy import Stream

    return Stream(list(_traces_of(annotations)))


def _traces_of(annotations: Iterable[Annotation]) -> Iterator[Trace]:
    from obspy import Trace

    owners: dict[tuple[str, str, str], tuple[str, str]] = {}
    for annotation in annotations:
        # Without times the files alone tell records of one station from each other.
        source = "" if is_dated(annotation.start_time) else annotation.source
        name = (annotation.station, source)
        network, station, location, _ = seed_codes(annotation.station)
        owner = owners.setdefault((network, station, location), name)
        if owner != name:
            say(
                f"{_said(name)} left out: its codes would be those of {_said(owner)}; a folder of "
                "npz files keeps both"
            )
            continue
        for column, phase in enumerate(annotation.phases):
            header = {
                "network": network,
                "station": station,
                "location": location,
                "channel": f"{CHANNEL_PREFIX}{phase}",
                "sampling_rate": annotation.sampling_rate,
                "starttime": annotation.start_time,
            }
            data = np.ascontiguousarray(annotation.probabilities[:, column], dtype=np.float32)
            yield Trace(data, header=header)


def write_annotations(annotations: Iterable[Annotation], path: str | PathLike[str]) -> list[Path]:
    """Write probabilities.

    Args:
        annotations: one or more; gone through once, so that a generator's are not held.
        path: ``….mseed`` takes all in one file; ``….npz`` takes one annotation; anything else, and
            what ends with a slash, is a folder, made if needed, with an npz file for each.

    Returns:
        The files written.

    Raises:
        ConfigError: for several annotations and one npz, codes too long for miniSEED, or a place
            that cannot be written to.
        OSError: naming the file, if there is no room for it.
    """
    check_annotation_path(path)
    ending, path = _ending_of(path), Path(path)
    if ending == ".mseed":
        with beside_then_rename(path, "wb") as file:
            for trace in _traces_of(annotations):
                _check_codes(trace)
                # To a file ObsPy writes in a callback from C, where its errors are lost.
                content = io.BytesIO()
                trace.write(content, format="MSEED", encoding="FLOAT32")
                file.write(content.getbuffer())
        return [path]
    if ending == ".npz":
        annotations = list(annotations)
        if len(annotations) != 1:
            raise ConfigError(
                f"{path.name} holds one record, there are {len(annotations)}: name a folder or a "
                ".mseed file"
            )
        _write_npz(annotations[0], path)
        return [path]
    path.mkdir(parents=True, exist_ok=True)
    taken: set[str] = set()
    written: list[Path] = []
    for annotation in annotations:
        start = annotation.start_time.strftime("%Y%m%dT%H%M%S%f")
        stem = f"{file_stem(annotation.station)}_{start}"
        name = free_name(stem, taken)
        taken.add(name)
        target = path / f"{name}.npz"
        try:
            _write_npz(annotation, target)
        except OSError as error:
            if written:
                error.add_note(f"The files before it, {len(written)}, are in {path}")
            raise
        written.append(target)
    return written


def check_annotation_path(given: str | PathLike[str]) -> None:
    """Refuse a path that annotations cannot be written to, before any work is done.

    Raises:
        ConfigError: for a folder that does not exist, or a file where a folder is meant.
    """
    path = check_path(given, "a file or a folder")
    if _ending_of(given):
        check_folder(path)
    elif path.exists() and not path.is_dir():
        raise ConfigError(f"{path} is a file; a folder, .mseed or .npz is wanted")
    else:
        folder_to_write(path)


def files_at(given: str | PathLike[str]) -> list[Path]:
    """Return the files that are there and that annotations could take the place of."""
    path = Path(given)
    if _ending_of(given):
        return [path] if path.is_file() else []
    return sorted(path.glob("*.npz"))


def _ending_of(given: str | PathLike[str]) -> str:
    """Return which kind of file a name stands for, or nothing for a folder."""
    ending = Path(given).suffix.lower()
    return ending if ending in (".mseed", ".npz") and not is_folder_name(given) else ""


def file_stem(station: str) -> str:
    """Return a station's name as a file name, of 200 bytes at most.

    Example:
        >>> file_stem("CX.PB01..HH"), file_stem("line 7/shot:3")
        ('CX.PB01..HH', 'line_7_shot_3')
    """
    stem = "".join(c if c.isalnum() or c in "._-#" else "_" for c in station)
    stem = stem.encode("utf-8", "replace")[:STEM_BYTES].decode("utf-8", "ignore")
    return stem.lstrip(".") or "record"


def _said(name: tuple[str, str]) -> str:
    station, source = name
    return f"{station} of {source}" if source else station


def _write_npz(annotation: Annotation, path: Path) -> None:
    with beside_then_rename(path, "wb") as file:
        np.savez_compressed(
            file,
            probabilities=annotation.probabilities,
            phases=np.array(annotation.phases),
            sampling_rate=annotation.sampling_rate,
            start_time=str(annotation.start_time),
            station=annotation.station,
            source=annotation.source,
        )


def _check_codes(trace: Trace) -> None:
    for name, length in CODE_LENGTHS.items():
        code = trace.stats[name]
        if len(code) > length:
            raise ConfigError(
                f"{name} code '{code}' is too long for miniSEED ({length} characters): write to "
                "a folder of npz files instead"
            )
