"""Files of one record, a channel each: their names differ in the component, their headers agree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from phasenet_keras.io.instruments import Heard, RecordKeys, station_id
from phasenet_keras.io.record_names import has_date, own_record, places_of
from phasenet_keras.io.registry import headers_of

__all__ = ["ChannelFiles", "channel_files", "said_of_channels", "said_of_lone_channels"]


@dataclass(frozen=True)
class ChannelFiles:
    """Files whose names differ in the component.

    Attributes:
        names: what they have in common: ``m0.AA.S1``, ``m0.AA.S1.BX`` and ``m0.AA.S1.BX*.sac`` of
            ``m0.AA.S1.BXZ.sac``.
        files: of the channels.
    """

    names: frozenset[str]
    files: tuple[Path, ...]

    @property
    def all_names(self) -> set[str]:
        """What a table may call them: what they have in common, or one file, without its ending."""
        return {*self.names, *(name for path in self.files for name in (path.name, path.stem))}

    def are_one_record(self) -> bool:
        """Tell by the headers if these are channels of one station that begin and end together."""
        heads, channels = set(), set()
        for path in self.files:
            traces = headers_of(path)
            if not traces:
                return False
            for trace in traces:
                stats = trace.stats
                # What is named after its file may be a record of its own.
                own = own_record(trace) if stats.get("station_name") else None
                channels.add(stats.channel)
                heads.add((station_id(trace), stats.starttime.ns, stats.npts, stats.delta, own))
        return len(heads) == 1 and len(channels) == len(self.files)


def channel_files(paths: Iterable[Path]) -> list[ChannelFiles]:
    """Return the files that may be channels of one record, by their names.

    Example:
        >>> [found] = channel_files(map(Path, ("q1.A.BHZ.sac", "q1.A.BHN.sac", "q1.A.txt")))
        >>> [path.name for path in found.files], sorted(found.names)
        (['q1.A.BHZ.sac', 'q1.A.BHN.sac'], ['q1.A', 'q1.A.BH', 'q1.A.BH*.sac', 'q1.A.BH?.sac'])
    """
    found: dict[tuple[Path, str], list[Path]] = {}
    names: dict[tuple[Path, str], set[str]] = {}
    for path in paths:
        for before, prefix, mark, after in places_of(path.name):
            begin, key = before + prefix, (path.parent, before + prefix + mark + after)
            found.setdefault(key, []).append(path)
            names[key] = {f"{begin}{sign}{after}" for sign in "*?"}
            if before and after == Path(f"a{after}").suffix:
                names[key] |= {before[:-1], begin.rstrip("._-")}
    return [
        ChannelFiles(frozenset(names[key]), tuple(files))
        for key, files in found.items()
        if len(files) > 1
    ]


def said_of_lone_channels(heard: Iterable[Heard]) -> list[str]:
    """Return what there is to say of files without a time that may be channels of one record.

    Example:
        >>> items = [Heard((".A..BH", f"/d/{code}x", 9.0), code, 0, 1) for code in ("BHN", "BHZ")]
        >>> said_of_lone_channels(items)[0][:70]
        '2 files without a date hold one channel of .A..BH each (BHN, BHZ), and'
    """
    codes: dict[tuple[str, str], set[str]] = {}
    for item in heard:
        station, record, _ = item.key
        if record and station.count(".") == 3 and not has_date(item.start_ns / 1e9):
            codes.setdefault((station, record), set()).add(item.code)
    lone: dict[str, list[str]] = {}
    for (station, _), found in codes.items():
        if len(found) == 1:
            lone.setdefault(station, []).extend(found)
    several = {station: found for station, found in lone.items() if len(set(found)) > 1}
    if not several:
        return []
    station, of_first = next(iter(several.items()))
    return [
        f"{sum(map(len, several.values()))} files without a date hold one channel of "
        f"{station}{_and_others(several)} each ({', '.join(sorted(set(of_first)))}), and their "
        "names do not tell which are of one record: each is one of its own; name those of a record "
        "alike but for the channel (q1.BHZ.sac, q1.BHN.sac)"
    ]


def said_of_channels(heard: Iterable[Heard]) -> list[str]:
    """Return what there is to say of channels of one station that do not come together.

    These are files without a time (`said_of_lone_channels`) and different rates at one time.

    Example:
        >>> items = [Heard((".A..BH", "", rate), "BHZ", 0, 9) for rate in (50.0, 100.0)]
        >>> said_of_channels(items)[0][:64]
        '.A..BH has channels of different rates at one time (BHZ 50 Hz, B'
    """
    heard = list(heard)
    return said_of_lone_channels(heard) + _said_of_rates(heard)


def _said_of_rates(heard: Iterable[Heard]) -> list[str]:
    keys = RecordKeys()
    records: dict[tuple[str, str], list[tuple[int, int, float, str]]] = {}
    for item in heard:
        station, record, rate_hz = keys.of(item.key)
        found = records.setdefault((station, record), [])
        found.append((item.start_ns, item.end_ns, rate_hz, item.code))
    several = {record: spans for record, spans in records.items() if _meet_at_two_rates(spans)}
    if not several:
        return []
    (station, _), spans = next(iter(several.items()))
    others = _and_others(name for name, _ in several)
    codes = ", ".join(f"{code} {rate:g} Hz" for rate, code in sorted({s[2:] for s in spans}))
    return [
        f"{station}{others} has channels of different rates at one time ({codes}): those of each "
        "rate are a record of their own, with picks of its own; bring them to one rate, or choose "
        "some of them"
    ]


def _and_others(stations: Iterable[str]) -> str:
    """Return how many stations there are besides the first; empty if there is none."""
    n_more = len(set(stations)) - 1
    return f" and {n_more} more station{'s' * (n_more > 1)}" if n_more else ""


def _meet_at_two_rates(spans: Iterable[tuple[int, int, float, str]]) -> bool:
    latest_ns: dict[float, int] = {}
    for start_ns, end_ns, rate_hz, _ in sorted(spans):
        if any(end > start_ns for rate, end in latest_ns.items() if rate != rate_hz):
            return True
        latest_ns[rate_hz] = max(end_ns, latest_ns.get(rate_hz, end_ns))
    return False
