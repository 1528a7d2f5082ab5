"""Annotations (probabilities) as files: miniSEED for ObsPy and waveform viewers, or npz."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from phasenet_keras.io.tables import beside_then_rename
from phasenet_keras.types import Annotation, ConfigError

if TYPE_CHECKING:
    from obspy import Stream

__all__ = ["annotations_to_stream", "file_stem", "write_annotations"]

# Channel code of a probability: these letters and the phase's, e.g. PRP (no SEED band code is P).
CHANNEL_PREFIX = "PR"
CODE_LENGTHS = {"network": 2, "station": 5, "location": 2}


def annotations_to_stream(annotations: Sequence[Annotation]) -> Stream:
    """Return probabilities as ObsPy traces, one a phase; channels PRN, PRP, PRS."""
    from obspy import Stream, Trace

    stream = Stream()
    for annotation in annotations:
        parts = annotation.station.split(".")
        network, station, location = parts[:3] if len(parts) == 4 else ("", annotation.station, "")
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
            stream.append(Trace(data, header=header))
    return stream


def write_annotations(annotations: Sequence[Annotation], path: str | PathLike[str]) -> list[Path]:
    """Write probabilities.

    Args:
        annotations: one or more.
        path: ``….mseed`` takes all in one file; ``….npz`` takes one annotation; anything else is
            a folder, made if needed, with an npz file for each.

    Returns:
        The files written.

    Raises:
        ConfigError: for several annotations and one npz, or codes too long for miniSEED.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".mseed":
        stream = annotations_to_stream(annotations)
        _check_codes(stream)
        with beside_then_rename(path, "wb") as file:
            stream.write(file, format="MSEED", encoding="FLOAT32")
        return [path]
    if suffix == ".npz":
        if len(annotations) != 1:
            raise ConfigError(
                f"{path.name} holds one record, there are {len(annotations)}: name a folder or a "
                ".mseed file"
            )
        _write_npz(annotations[0], path)
        return [path]
    path.mkdir(parents=True, exist_ok=True)
    written = []
    for annotation in annotations:
        start = annotation.start_time.strftime("%Y%m%dT%H%M%S%f")
        target = path / f"{file_stem(annotation.station)}_{start}.npz"
        _write_npz(annotation, target)
        written.append(target)
    return written


def file_stem(station: str) -> str:
    """Return a station's name as a file name.

    Example:
        >>> file_stem("CX.PB01..HH"), file_stem("line 7/shot:3")
        ('CX.PB01..HH', 'line_7_shot_3')
    """
    stem = "".join(c if c.isalnum() or c in "._-#" else "_" for c in station)
    return stem.lstrip(".") or "record"


def _write_npz(annotation: Annotation, path: Path) -> None:
    with beside_then_rename(path, "wb") as file:
        np.savez_compressed(
            file,
            probabilities=annotation.probabilities,
            phases=np.array(annotation.phases),
            sampling_rate=annotation.sampling_rate,
            start_time=str(annotation.start_time),
            station=annotation.station,
        )


def _check_codes(stream: Stream) -> None:
    for trace in stream:
        for name, length in CODE_LENGTHS.items():
            code = trace.stats[name]
            if len(code) > length:
                raise ConfigError(
                    f"{name} code '{code}' is too long for miniSEED ({length} characters): write "
                    "to a folder of npz files instead"
                )
