"""Picks as QuakeML; `read_arrivals` reads them back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.io.catalogs import Arrival
from phasenet_keras.io.new_files import beside_then_rename
from phasenet_keras.io.obspy_events import NO_EVENT_ID, SCORE
from phasenet_keras.io.pick_formats import PickFormat, register_pick_format
from phasenet_keras.io.registry import say
from phasenet_keras.io.station_names import ANY, codes_of_pick, with_plain_stations
from phasenet_keras.io.times import time_decimals
from phasenet_keras.types import Pick

if TYPE_CHECKING:
    from obspy.core.event import Catalog, Comment, Event, ResourceIdentifier
    from obspy.core.event import Pick as QuakePick

__all__ = ["picks_to_catalog", "write_quakeml"]

AUTHORITY = "smi:local"
OURS = f"{AUTHORITY}/phasenet-keras"
# What a resource id may hold.
_NO_ID = re.compile(r"[^A-Za-z0-9_.-]")


def picks_to_catalog(
    picks: Iterable[Pick | Arrival], *, time_errors_s: Mapping[str, float] | None = None
) -> Catalog:
    """Return picks as an ObsPy catalogue: an event for each event named, one for all without any.

    A picker does not know events, so that its picks are all in one: an associator tells them apart.
    A `Pick` has its preset as ``method_id``, and probability, amplitude and signal-to-noise ratio
    as comments. Resource ids are made of what a pick is, so that the same picks have the same ids.

    Args:
        picks: any number, also none.
        time_errors_s: standard deviation of times by phase, where known.

    Raises:
        FormatError: for a station whose name is no code.

    Example:
        >>> from phasenet_keras import Picker, read_waveforms
        >>> picks = Picker.from_preset("regional").pick(read_waveforms())
        >>> [(pick.phase_hint, str(pick.time)) for pick in picks_to_catalog(picks)[0].picks]
        [('P', '2009-08-24T00:20:07.690000Z'), ('S', '2009-08-24T00:20:08.680000Z')]
    """
    from obspy.core.event import Catalog, Event

    events: dict[str, Event] = {}
    used: Counter[str] = Counter()
    for pick in picks:
        name = pick.event if isinstance(pick, Arrival) else ""
        if name not in events:
            event_id = f"{AUTHORITY}/{_safe(name)}" if name else NO_EVENT_ID
            events[name] = Event(resource_id=_id(event_id))
        error_s = (time_errors_s or {}).get(pick.phase)
        events[name].picks.append(_quake_pick(pick, error_s, used))
    return Catalog(events=list(events.values()), resource_id=_id(f"{OURS}/catalog"))


def write_quakeml(
    picks: Iterable[Pick | Arrival],
    path: str | PathLike[str],
    *,
    time_errors_s: Mapping[str, float] | None = None,
) -> int:
    """Write picks as QuakeML; see `picks_to_catalog`. The same picks give the same file.

    Station names stay whole, though the schema of QuakeML has no more than 8 characters for them.

    Args:
        picks: any number, also none.
        path: of the file; it appears when it is complete.
        time_errors_s: standard deviation of times by phase, where known.

    Returns:
        The number of picks written.

    Warns:
        RecordWarning: where a microsecond, which is all that ObsPy writes, is much of a sample.

    Raises:
        FormatError: for a station whose name is no code.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     write_quakeml([], Path(folder) / "picks.xml")
        0
    """
    picks = list(picks)
    _warn_of_lost_digits(picks)
    catalog = picks_to_catalog(picks, time_errors_s=time_errors_s)
    with beside_then_rename(Path(path), "wb") as file:
        catalog.write(file, format="QUAKEML")
    return len(picks)


def _warn_of_lost_digits(picks: Iterable[Pick | Arrival]) -> None:
    rates_hz = (pick.sampling_rate or 0.0 for pick in picks if isinstance(pick, Pick))
    highest_hz = max(rates_hz, default=0.0)
    if time_decimals(highest_hz) > 6:
        say(
            "times in QuakeML are whole microseconds, "
            f"{1e-6 * highest_hz:g} samples of these records: other formats keep nanoseconds"
        )


def _quake_pick(pick: Pick | Arrival, error_s: float | None, used: Counter[str]) -> QuakePick:
    from obspy.core.event import Pick as QuakePick
    from obspy.core.event import WaveformStreamID

    network, station, location, channel = codes_of_pick(pick)
    codes = ".".join(code.rstrip(ANY) for code in (network, station, location, channel))
    name = (
        f"{OURS}/pick/{pick.time.strftime('%Y%m%dT%H%M%S.%f')}_{_safe(codes)}_{_safe(pick.phase)}"
    )
    preset = "" if isinstance(pick, Arrival) else pick.preset
    used[name] += 1
    if used[name] > 1:
        name = f"{name}_{used[name]}"
    return QuakePick(
        resource_id=_id(name),
        time=pick.time,
        time_errors=None if error_s is None else {"uncertainty": float(error_s)},
        phase_hint=pick.phase,
        evaluation_mode="automatic",
        method_id=_id(f"{OURS}/preset/{_safe(preset)}") if preset else None,
        comments=_comments(pick),
        waveform_id=WaveformStreamID(
            network_code=network,
            station_code=station,
            location_code=None if location == ANY else location,
            channel_code=None if channel == ANY else channel.rstrip(ANY),
        ),
    )


def _comments(pick: Pick | Arrival) -> list[Comment]:
    from obspy.core.event import Comment

    if isinstance(pick, Arrival):
        return []
    texts = [f"{SCORE}{float(pick.probability):.4f}"]
    if pick.amplitude is not None:
        texts.append(f"amplitude={float(pick.amplitude):.6g} {pick.units or ''}".rstrip())
    if pick.snr_db is not None:
        texts.append(f"snr_db={float(pick.snr_db):.2f}")
    # An id of theirs would be another at every writing, and most of the time that writing takes.
    return [Comment(text=text, force_resource_id=False) for text in texts]


def _safe(name: str) -> str:
    return _NO_ID.sub("_", name)


def _id(name: str) -> ResourceIdentifier:
    from obspy.core.event import ResourceIdentifier

    return ResourceIdentifier(name)


def _write(picks: Iterable[Pick], path: Path, time_errors_s: Mapping[str, float]) -> None:
    write_quakeml(with_plain_stations(picks), path, time_errors_s=time_errors_s)


register_pick_format(
    PickFormat(
        name="quakeml",
        endings=(".xml", ".quakeml", ".qml"),
        content="QuakeML (ObsPy, SeisComP): preset as method, probability as a comment",
        write=_write,
        holds_time_errors=True,
    )
)
