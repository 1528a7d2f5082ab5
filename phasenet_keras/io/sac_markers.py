"""Arrivals in the headers of SAC files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from phasenet_keras.io.arrival_formats import codes_of
from phasenet_keras.io.catalogs import Arrival, phase_of
from phasenet_keras.io.channels import sensor_of
from phasenet_keras.io.instruments import station_id
from phasenet_keras.io.record_names import own_record
from phasenet_keras.io.unsafe_headers import SAC_UNDEFINED

if TYPE_CHECKING:
    from obspy import Trace, UTCDateTime

__all__ = ["nameless_markers", "sac_arrivals"]

SAC_MARKERS = ("a", *(f"t{number}" for number in range(10)))


def sac_arrivals(trace: Trace) -> list[Arrival]:
    """Read the arrivals in the SAC headers of a trace: ``a`` and ``t0`` to ``t9``.

    A marker's name (``ka``, ``kt0``, …) says its phase; ``a`` without a name is P, the others
    without a name are left out, see `nameless_markers`. Times count from the reference time of the
    headers ``nz…``, so that a trace may have been cut since; where they are unset, from its start
    less ``b`` seconds.

    Returns:
        The arrivals by time; none for a trace without SAC headers.

    Example:
        >>> from obspy import Trace
        >>> trace = Trace(header={"network": "XX", "station": "A", "sac": {"b": -5.0, "a": 1.5}})
        >>> [arrival] = sac_arrivals(trace)
        >>> arrival.phase, arrival.time - trace.stats.starttime
        ('P', 6.5)
    """
    headers = trace.stats.get("sac", {})
    network, station = codes_of(station_id(trace))
    sensors = frozenset(filter(None, [sensor_of(station_id(trace))]))
    event, record = _sac_text(headers, "kevnm"), own_record(trace)
    found = []
    for _, name, offset_s in _sac_markers(headers):
        phase = phase_of(name)
        if phase:
            time = _sac_reference(trace, headers) + offset_s
            found.append(
                Arrival(time, phase, network, station, event, record=record, sensors=sensors)
            )
    return sorted(found, key=lambda arrival: arrival.time)


def nameless_markers(trace: Trace) -> list[str]:
    """Return the arrivals in the SAC headers of a trace whose phase nothing says.

    Example:
        >>> from obspy import Trace
        >>> nameless_markers(Trace(header={"sac": {"a": 1.5, "t0": 2.5, "t1": 3.5, "kt1": "S"}}))
        ['T0']
    """
    markers = _sac_markers(trace.stats.get("sac", {}))
    return [marker.upper() for marker, name, _ in markers if not name]


def _sac_markers(headers: Mapping[str, Any]) -> Iterator[tuple[str, str, float]]:
    """Yield each marker that is set, its name and its time in seconds."""
    for marker in SAC_MARKERS:
        offset_s = float(headers.get(marker, SAC_UNDEFINED))
        if offset_s == offset_s and offset_s != SAC_UNDEFINED:
            name = _sac_text(headers, f"k{marker}") or ("P" if marker == "a" else "")
            yield marker, name, offset_s


def _sac_text(headers: Mapping[str, object], name: str) -> str:
    text = str(headers.get(name, "")).strip()
    return "" if text.startswith(f"{SAC_UNDEFINED:.0f}") else text


def _sac_reference(trace: Trace, headers: Mapping[str, object]) -> UTCDateTime:
    from obspy.io.sac.util import SacHeaderTimeError, get_sac_reftime

    try:
        return get_sac_reftime(headers)
    except SacHeaderTimeError:
        begin_s = float(str(headers.get("b", SAC_UNDEFINED)))
        return trace.stats.starttime - (0.0 if begin_s == SAC_UNDEFINED else begin_s)
