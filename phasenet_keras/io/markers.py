"""Picks as marker files of Snuffler, pyrocko's trace viewer; `read_arrivals` reads them back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path

from phasenet_keras.io.arrival_formats import SNUFFLER_MAGIC
from phasenet_keras.io.catalogs import Arrival
from phasenet_keras.io.new_files import beside_then_rename
from phasenet_keras.io.pick_formats import PickFormat, register_pick_format
from phasenet_keras.io.station_names import codes_of_pick, with_plain_stations
from phasenet_keras.io.times import iso_time
from phasenet_keras.types import ConfigError, FormatError, Pick

__all__ = ["write_markers"]

VERSION = "0.2"
NO_VALUE = "None"
# Snuffler's colours go round after six kinds.
KINDS = range(6)
PHASE_KINDS = {"P": 1, "S": 2}


def write_markers(
    picks: Iterable[Pick | Arrival], path: str | PathLike[str], *, kinds: Sequence[int] = ()
) -> int:
    r"""Write picks as phase markers of Snuffler, pyrocko's trace viewer.

    A marker shows on all channels of its station: location and channel, where a station id does
    not say them, are patterns. Times have microseconds (those of
    picks above 100 kHz nanoseconds), the order is that of the picks.

    Args:
        picks: any number, also none. The event of an `Arrival` is written as its event's hash.
        path: of the file; it appears when it is complete.
        kinds: Snuffler's kind (colour) of each pick, 0 to 5; default 0 for all.

    Returns:
        The number of markers written.

    Raises:
        FormatError: for a station or an event whose name a marker file cannot hold.
        ConfigError: if there are not as many kinds as picks, or one is out of range.

    Example:
        >>> from obspy import UTCDateTime
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "a.markers"
        ...     _ = write_markers([Arrival(UTCDateTime(1.5), "P", "XX", "A")], path)
        ...     path.read_text().splitlines()[1].split()[:5]
        ['phase:', '1970-01-01', '00:00:01.500000', '0', 'XX.A.*.*']
    """
    picks = list(picks)
    kinds = list(kinds) or [0] * len(picks)
    if len(kinds) != len(picks) or not set(kinds) <= set(KINDS):
        raise ConfigError(
            f"kinds are whole numbers from 0 to {KINDS[-1]}, one a pick: received {len(kinds)} "
            f"for {len(picks)} picks"
        )
    lines = [_line(pick, kind) for pick, kind in zip(picks, kinds, strict=True)]
    with beside_then_rename(Path(path)) as file:
        file.write("\n".join([f"{SNUFFLER_MAGIC} {VERSION}", *lines]) + "\n")
    return len(lines)


def _line(pick: Pick | Arrival, kind: int) -> str:
    name = pick.event if isinstance(pick, Arrival) else ""
    ids, event = ".".join(codes_of_pick(pick)), name.replace(" ", "_") or NO_VALUE
    if re.search(r"\s", event):
        raise FormatError(f"an event's name in a marker file has no blanks, received {event!r}")
    # Event's hash and time, phase, polarity, and whether it was picked automatically.
    rest = f"{event:<14} {NO_VALUE} {NO_VALUE} {pick.phase:<8} {NO_VALUE} True"
    return f"phase: {_time(pick)}  {kind} {ids:<15} {rest}"


def _time(pick: Pick | Arrival) -> str:
    rate_hz = 0.0 if isinstance(pick, Arrival) else pick.sampling_rate
    return iso_time(pick.time, rate_hz).replace("T", " ")


def _write(picks: Iterable[Pick], path: Path, time_errors_s: Mapping[str, float]) -> None:
    plain = with_plain_stations(picks)
    write_markers(plain, path, kinds=[PHASE_KINDS.get(pick.phase, 0) for pick in plain])


register_pick_format(
    PickFormat(
        name="snuffler",
        endings=(".markers",),
        content="markers of Snuffler, pyrocko's trace viewer",
        write=_write,
    )
)
