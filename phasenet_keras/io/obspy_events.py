"""Catalogues of events as ObsPy reads them: what they say of arrivals, not yet checked."""

from __future__ import annotations

import io
import re
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.io.channels import sensor_of
from phasenet_keras.io.no_waveforms import CATALOGUES, metadata_kind
from phasenet_keras.io.seiscomp import loose_picks, seiscomp_root, with_origin_references
from phasenet_keras.io.text_tables import binary_kind, decoded
from phasenet_keras.io.wording import counted
from phasenet_keras.types import FormatError

if TYPE_CHECKING:
    from obspy import Catalog, UTCDateTime
    from obspy.core.event import Event, Pick

__all__ = ["ACCEPTED", "Entry", "NoLabelsError", "NoPicksError", "catalogue_entries", "no_picks"]

# In our QuakeML the event that holds the picks of none.
NO_EVENT_ID = "smi:local/picks"
# In our QuakeML the comment that holds a pick's probability.
SCORE = "probability="
ACCEPTED = (
    "Accepted are catalogues that ObsPy reads (QuakeML, SeisComP, Nordic, NonLinLoc, …), NonLinLoc "
    "observations, Snuffler marker files, and tables with columns station, phase and time (UTC)"
)

_GENERATED_ID = re.compile(r"smi:local/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# How lines of phase files of other programs begin. Station, onset, P, first motion, weight, date,
# hour, minute and second (HYPO71, and HYPOELLIPSE); the same with network and channel; of an event
# date, hour, minute, second, latitude and longitude.
_LINES = {
    "HYPO71": re.compile(r".{4}[IE ]P.[ 0-4] \d{10}[ \d]{2}\d?\.\d"),
    "HypoInverse": re.compile(r"[\w ]{7} [\w ]{4} ...[ \d]\d{12}[ \d]{5}"),
    "VELEST (CNV)": re.compile(
        r"[ \d]{6} [ \d]{4} [ \d]{2}\.\d\d [ \d]{2}\.\d{4}[NS] [ \d]{3}\.\d{4}[EW]"
    ),
}


class NoLabelsError(FormatError):
    """A file is neither a table nor a catalogue of arrivals, as far as can be told."""


class NoPicksError(FormatError):
    """A catalogue holds events, and no picks of them."""


@dataclass(frozen=True)
class Entry:
    """What a file says of one arrival, before it is checked, or its problem; see `Arrival`."""

    where: str
    time: UTCDateTime | str
    phase: str = ""
    network: str = ""
    station: str = ""
    event: str = ""
    rank: int = 0
    sensor: str = ""
    problem: str = ""
    file: str = ""
    score: str = ""


def catalogue_entries(content: bytes, path: Path) -> Iterator[Entry]:
    """Yield what a catalogue in any format of ObsPy's says of each arrival.

    Arguments and errors are those of `phasenet_keras.io.arrival_formats.entries_of`.
    """
    from obspy import read_events

    seiscomp = seiscomp_root(content)
    readable = content if seiscomp is None else with_origin_references(seiscomp)
    try:
        with warnings.catch_warnings(action="ignore"):  # of magnitudes, depths and the like
            # As a file object: a path would be a pattern to ObsPy.
            catalogue = read_events(io.BytesIO(readable))
    except Exception as error:  # a damaged file may make any library raise anything
        raise _unreadable(content, path, error) from error
    if not catalogue.events and metadata_kind(path, content[:1000]) not in CATALOGUES:
        raise _unknown(content, path)  # ObsPy takes any text that begins with "Event ID" for one
    loose = [] if seiscomp is None else [Entry(*item) for item in loose_picks(seiscomp)]
    yield from loose
    if not loose and not any(event.picks for event in catalogue):
        raise no_picks(path, len(catalogue))
    unused = _unused_picks(catalogue)
    for number, event in enumerate(catalogue, start=1):
        # ObsPy invents another id at every reading where the file has none.
        name = str(event.resource_id)
        for generated in _GENERATED_ID.findall(name):
            name = name.replace(generated, f"{path.stem}-{number}")
        name = "" if name == NO_EVENT_ID else name
        located = {
            str(arrival.pick_id): arrival.phase
            for origin in event.origins
            for arrival in origin.arrivals
        }
        preferred = _preferred(event)
        for count, pick in enumerate(event.picks, start=1):
            phase = pick.phase_hint or located.get(str(pick.resource_id)) or ""
            if pick.evaluation_status == "rejected":
                phase = f"{phase} rejected"
            elif str(pick.resource_id) in unused:
                phase = f"{phase} of weight 0"
            seed, where = pick.waveform_id, f"event {number}, pick {count}"
            network, station = (seed.network_code, seed.station_code) if seed else ("", "")
            # Some formats write blanks for a code that is not known, ObsPy's GSE2 reader XX.
            network = (network or "").strip()
            if network == "XX" and getattr(event, "_format", "") == "GSE2":
                network = ""
            station = (station or "").strip()
            sensor = "" if seed is None or seed.location_code is None else sensor_of(seed.id)
            rank = _rank(pick, preferred)
            entry = Entry(where, pick.time or "", phase, network, station, name, rank, sensor)
            yield replace(entry, score=_score_in(pick))


def _score_in(pick: Pick) -> str:
    """Return the probability that our QuakeML has of a pick; empty where a comment has none."""
    texts = [comment.text or "" for comment in pick.comments]
    return next((t.removeprefix(SCORE) for t in texts if t.startswith(SCORE)), "")


def _unreadable(content: bytes, path: Path, error: Exception) -> FormatError:
    """Return the error for what ObsPy takes for no catalogue, or takes for one and cannot read."""
    # Text that is not in UTF-8, or begins with a blank line, ends the search for its format.
    names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    is_of_search = any(name.startswith(("_is_", "is_")) for name in names)
    if is_of_search or str(error).startswith("Unknown format"):
        return _unknown(content, path)
    return FormatError(f"{path} looks like a catalogue, and cannot be read: {error}")


def _unknown(content: bytes, path: Path) -> FormatError:
    """Return the error for what is no catalogue, or a damaged one."""
    if kind := _other_kind(content):
        return FormatError(f"{path} is {kind}")
    is_damaged = metadata_kind(path, content[:1000]) in CATALOGUES
    return (FormatError if is_damaged else NoLabelsError)(
        f"{path} is no file of arrivals known here. {ACCEPTED}. It begins with "
        f"{decoded(content[:40])!r}"
    )


def no_picks(path: Path, n_events: int) -> NoPicksError:
    """Return the error for a catalogue of so many events and no picks."""
    return NoPicksError(
        f"{path} holds {counted(n_events, 'event')} and no picks: ask for them when you download a "
        "catalogue (QuakeML, includearrivals=true)"
    )


def _unused_picks(catalogue: Catalog) -> set[str]:
    """Return the ids of picks that have the weight 0 in every location, if others have more."""
    weights: dict[str, float] = {}
    for event in catalogue:
        unused = {str(pick.resource_id) for pick in event.picks if _is_of_no_weight(pick)}
        for arrival in (item for origin in event.origins for item in origin.arrivals):
            weight = 1.0 if arrival.time_weight is None else arrival.time_weight
            pick = str(arrival.pick_id)
            weights[pick] = max(0.0 if pick in unused else weight, weights.get(pick, 0.0))
        for pick in unused:  # ObsPy gives one with an amplitude in its line no arrival
            weights.setdefault(pick, 0.0)
    if not any(weights.values()):
        return set()
    return {pick for pick, weight in weights.items() if not weight}


def _is_of_no_weight(pick: Pick) -> bool:
    """Tell if a reader gave a pick SEISAN's weight 4, before any location: it has none."""
    weight = getattr(pick, "extra", {}).get("nordic_pick_weight", {})
    return str(weight.get("value", "")) == "4"


def _other_kind(content: bytes) -> str:
    """Say what a file is that is often given and not read, and what to do with it."""
    if kind := binary_kind(content):
        return kind
    lines = decoded(content[:1000]).splitlines()[:5]
    for program, pattern in _LINES.items():
        if any(map(pattern.match, lines)):
            return (
                f"a phase file of {program}, which is not read: write its arrivals as a table with "
                "columns station, phase, time (UTC) and event, as QuakeML, or as phases of hypoDD"
            )
    return ""


def _preferred(event: Event) -> set[str]:
    """Return the picks of the preferred origin, or of the only one."""
    wanted = str(event.preferred_origin_id)
    origins = [origin for origin in event.origins if str(origin.resource_id) == wanted]
    if not origins and len(event.origins) == 1:
        origins = event.origins
    return {str(arrival.pick_id) for origin in origins for arrival in origin.arrivals}


def _rank(pick: Pick, preferred: set[str]) -> int:
    """Count a manual pick before others, then one of the preferred origin."""
    return 2 * (pick.evaluation_mode != "manual") + (str(pick.resource_id) not in preferred)
