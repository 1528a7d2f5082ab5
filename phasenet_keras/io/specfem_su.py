"""What the name of a SPECFEM2D SU file, and the run that it lies in, say of its traces."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.io.registry import FormatNote, say
from phasenet_keras.io.specfem_inputs import RunInputs, is_specfem_run, read_inputs
from phasenet_keras.types import FormatError

if TYPE_CHECKING:
    from obspy import Stream

__all__ = ["SU_NAME", "name_traces"]

SU_NAME = re.compile(r"^U(?P<axis>[xyz])_file_single_(?P<quantity>[dva])\.su$")


def name_traces(stream: Stream, path: Path) -> None:
    """Write into the headers of traces what is known of them; nothing, of other programs' files.

    The name says the channel. The inputs of the run, if they are there and fit, say stations,
    rate and time of the first sample.
    """
    from obspy import UTCDateTime

    match = SU_NAME.match(path.name)
    if not match:
        return
    for trace in stream:
        trace.stats.channel = f"BX{match['axis'].upper()}"
    run = _run_of(stream, path)
    if run is None:
        say(
            "SPECFEM2D's SU files: the inputs of their run (Par_file, SOURCE and STATIONS in DATA "
            "beside OUTPUT_FILES) are not there or do not fit: Ux and Uz of a station are records "
            "of their own, which begin at time 0",
            FormatNote,
        )
        return
    for trace, station in zip(stream, run.stations, strict=True):
        trace.stats.network, trace.stats.station = station.network, station.name
        trace.stats.sampling_rate, trace.stats.starttime = run.sampling_rate, run.start_time
        trace.stats.zero_time = UTCDateTime(0)
        trace.stats.is_named_by_run = True


def _run_of(stream: Stream, path: Path) -> RunInputs | None:
    """Return the inputs of the run that a file is of; None if they are not beside or do not fit."""
    folder = path.parent.parent
    if path.parent.name != "OUTPUT_FILES" or not is_specfem_run(folder):
        return None
    try:
        run = read_inputs(folder)
    except FormatError:  # said by what reads runs; the records are good without
        return None
    sizes = {trace.stats.npts for trace in stream}
    return run if len(stream) == len(run.stations) and sizes == {run.n_samples} else None
