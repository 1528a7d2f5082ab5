"""Records and arrivals with absolute times, brought together a station and stretch at a time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.io.arrival_formats import codes_of
from phasenet_keras.io.catalogs import (
    Arrival,
    Span,
    label_by_time,
    numbers_inside,
    unmatched_arrivals,
)
from phasenet_keras.io.channel_files import said_of_lone_channels
from phasenet_keras.io.channels import sensor_of
from phasenet_keras.io.index import natural_key, tie_together
from phasenet_keras.io.instruments import Heard, RecordKey, record_key, station_id
from phasenet_keras.io.no_waveforms import said_of_metadata
from phasenet_keras.io.parts import BadRow, Item, Part
from phasenet_keras.io.pressure import heard_of, pressure_left_out
from phasenet_keras.io.record_names import is_dated, stems_of
from phasenet_keras.io.registry import NoWaveformError, gather_of, read_stream, say
from phasenet_keras.io.sac_markers import nameless_markers, sac_arrivals
from phasenet_keras.io.selection import Selection
from phasenet_keras.io.waveforms import waveforms_of
from phasenet_keras.io.wording import some
from phasenet_keras.types import FormatError, ShapeError

if TYPE_CHECKING:
    from obspy import Trace, UTCDateTime

__all__ = [
    "HeaderScan",
    "of_sensors",
    "refuse_ambiguous",
    "scan_headers",
    "timed_parts",
    "warn_of_networks",
    "with_networks",
]

# Files of one station that are this close are read together: they may be one record.
JOIN_SAMPLES = 2.0
# Picks of one phase are no closer (0.5 s at 100 Hz): nearer labels of one event are one onset.
ONE_ONSET_SAMPLES = 50
# Behind all names.
LAST = "\U0010ffff"
# So many are named of stations that labels and records do not share.
MOST_STATIONS = 5


@dataclass(frozen=True)
class HeaderScan:
    """What the headers of many files say.

    Attributes:
        groups: files that have to be read together, and the codes of their stations, with what
            `phasenet_keras.io.record_names.own_record` says of their traces.
        spans: of all traces.
        arrivals: in SAC headers.
        bad: files that cannot be read.
        selection: what is wanted of the files.
        left_out: files and stations of channels of pressure, where the station has a vertical.
        nameless: how many files have each SAC marker without a name.
    """

    groups: tuple[tuple[tuple[Path, ...], frozenset[tuple[str, str]]], ...]
    spans: tuple[Span, ...]
    arrivals: tuple[Arrival, ...]
    bad: tuple[BadRow, ...]
    selection: Selection
    left_out: frozenset[tuple[str, str]]
    nameless: Mapping[str, int]


def scan_headers(paths: Iterable[Path], selection: Selection) -> HeaderScan:
    """Read the headers of files, and find which of them make up one record.

    Warns:
        RecordWarning: for files that are no waveforms, for channels without a date that have a file
            each, and for channels of pressure, see `phasenet_keras.io.pressure.without_pressure`.
    """
    found: list[tuple[Path, Span, Heard]] = []
    # The files of a station's channels may all have its arrivals.
    arrivals: dict[tuple[int, str, str, str, str, frozenset[str]], Arrival] = {}
    bad = []
    passed_over: dict[Path, str] = {}
    nameless: Counter[str] = Counter()
    for path in paths:
        try:
            for trace in filter(selection.takes_channel, read_stream(path, headers_only=True)):
                found.append((path, _span(trace), heard_of(trace)))
                nameless.update(nameless_markers(trace))
                for arrival in sac_arrivals(trace):
                    codes = arrival.network, arrival.station, arrival.record, arrival.sensors
                    arrivals.setdefault((arrival.time.ns, arrival.phase, *codes), arrival)
        except NoWaveformError as error:
            passed_over[path] = error.kind
        except FormatError as error:
            bad.append(BadRow(None, str(error)))
    if passed_over and found:
        say(said_of_metadata(passed_over))
    elif passed_over:
        bad.append(BadRow(None, said_of_metadata(passed_over)))
    heard = [item for _, _, item in found]
    for text in said_of_lone_channels(heard):
        say(text)
    pressure = pressure_left_out(heard)
    left_out = {(str(path), span.station) for path, span, item in found if item in pressure}
    wanted = [of_trace for of_trace in found if of_trace[2] not in pressure]
    return HeaderScan(
        tuple(_groups(wanted)),
        tuple(span for _, span, _ in wanted),
        tuple(arrivals.values()),
        tuple(bad),
        selection,
        frozenset(left_out),
        nameless,
    )


def timed_parts(scan: HeaderScan, arrivals: Sequence[Arrival], where: str) -> list[Part]:
    """Plan the reading of files, each record with the arrivals of its station in its span.

    Of several arrivals of one station, phase and event, that are less than 50 samples apart, one
    counts: that of the lowest rank, then the earliest.

    Args:
        scan: of the files.
        arrivals: of any stations and times.
        where: the file of the arrivals, for messages.

    Raises:
        FormatError: if there is no arrival, or none in any record, or several records without a
            time could have one.

    Warns:
        RecordWarning: for arrivals that are in no record, and onsets with several of them.
    """
    if not arrivals:
        raise FormatError(f"{where} holds no arrivals: give a file of some")
    arrivals = of_sensors(scan.spans, with_networks(scan.spans, arrivals, where))
    refuse_ambiguous(scan.spans, arrivals, where)
    others = unmatched_arrivals(scan.spans, arrivals)
    if len(others) == len(arrivals):
        there = sorted({span.station for span in scan.spans})
        times = [t for s in scan.spans for t in (s.start_time, s.start_time + s.duration_s)]
        raise FormatError(
            f"{where}: none of its {len(arrivals)} arrivals is in a record; there are records of "
            f"{some(there)}, {_period(times)}, the arrivals are of {some(_names(others))}, "
            f"{_period([arrival.time for arrival in others])}: check codes and times"
        )
    if others:
        text = f"{where}: {len(others)} of {len(arrivals)} arrivals are in no record: "
        text += _said_of_stations(scan.spans, others) or some(map(_said, others))
        say(text)
    warn_of_networks(scan.spans, arrivals, where)
    by_record: dict[tuple[str, str], list[Arrival]] = {}
    for arrival in _one_an_onset(scan.spans, arrivals, where):
        by_record.setdefault((arrival.station, arrival.record), []).append(arrival)
    names = stems_of({path for files, _ in scan.groups for path in files})
    parts: list[Part] = []
    for files, records in scan.groups:
        wanted = sorted({*records, *((code, "") for code, _ in records)})
        of_group = [a for key in wanted for a in by_record.get(key, [])]
        own = {path: names[path] for path in files}
        parts.append(partial(_read, scan, own, of_group))
    return parts


def with_networks(spans: Iterable[Span], arrivals: Iterable[Arrival], where: str) -> list[Arrival]:
    """Take network and station in one word (hypoDD's NZWEL) apart, where one station is called so.

    Warns:
        RecordWarning: if there are such.
    """
    there = {codes_of(span.station) for span in spans}
    words: dict[str, set[tuple[str, str]]] = {}
    for network, station in there:
        for sign in ("", "_", "-") if network else ():
            words.setdefault(f"{network}{sign}{station}", set()).add((network, station))
    stations = {station for _, station in there}
    own = {w: [*of] for w, of in words.items() if len(of) == 1 and w not in stations}
    found = []
    for arrival in arrivals:
        for network, station in own.get(arrival.station, ()) if not arrival.network else ():
            arrival = replace(arrival, network=network, station=station)
        found.append(arrival)
    if taken := {a.station for a in arrivals if not a.network} & own.keys():
        said = some(f"{word} for {'.'.join(own[word][0])}" for word in sorted(taken))
        say(f"{where}: codes of network and station in one word are taken for these: {said}")
    return found


def of_sensors(spans: Iterable[Span], arrivals: Iterable[Arrival]) -> list[Arrival]:
    """Return arrivals of the sensors of records: where several have their own, each is of its own.

    Those of sensors that no record has are of all, and a sensor that no arrival of a phase and
    event names takes all of these: P may be picked on one sensor, S on another.
    """
    there: dict[str, set[str]] = {}
    for span in spans:
        there.setdefault(codes_of(span.station)[1], set()).add(sensor_of(span.station))
    arrivals = list(arrivals)
    named: dict[tuple[str, str, str], set[str]] = {}
    for arrival in arrivals:
        of_phase = arrival.station, arrival.phase, arrival.event
        named.setdefault(of_phase, set()).update(arrival.sensors)
    found = []
    for arrival in arrivals:
        of_records = there.get(arrival.station, set())
        own = arrival.sensors & of_records
        others = of_records - named[arrival.station, arrival.phase, arrival.event]
        found.append(replace(arrival, sensors=own | others if own else frozenset()))
    return found


def refuse_ambiguous(spans: Sequence[Span], arrivals: Sequence[Arrival], where: str) -> None:
    """Refuse times where several records of a station without a time could be meant."""
    undated = [span for span in spans if not is_dated(span.start_time)]
    records_of: dict[int, set[str]] = {}
    for span, numbers in zip(undated, numbers_inside(undated, arrivals), strict=True):
        for number in numbers:
            records_of.setdefault(number, set()).add(span.record)
    found = [number for number, records in records_of.items() if len(records) > 1]
    if found:
        arrival, records = arrivals[found[0]], sorted(records_of[found[0]])
        raise FormatError(
            f"{where}: {len(found)} of its {len(arrivals)} arrivals may be of several records, for "
            f"{len(records)} of {_names([arrival])[0]} have no date (they begin in "
            f"{undated[0].start_time.year}): {some(Path(record).name for record in records)}. "
            "Name the file of each arrival, in samples (a table with columns fname and p_sample), "
            "or give the files true times"
        )


def warn_of_networks(spans: Iterable[Span], arrivals: Iterable[Arrival], where: str) -> None:
    """Say where arrivals that name no network are of stations of several.

    Warns:
        RecordWarning: if there are such.
    """
    networks: dict[str, set[str]] = {}
    for span in spans:
        network, code = codes_of(span.station)
        networks.setdefault(code, set()).add(network)
    asked = {a.station for a in arrivals if not a.network and len(networks.get(a.station, ())) > 1}
    if asked:
        code = min(asked)
        more = f" (and {len(asked) - 1} more stations)" if len(asked) > 1 else ""
        text = f"{where}: arrivals of {code}{more} name no network, and are of all records "
        text += f"of {some(_joined((network, code) for network in networks[code]))}"
        say(text)


def _one_an_onset(
    spans: Iterable[Span], arrivals: Iterable[Arrival], where: str
) -> Iterator[Arrival]:
    """Yield the arrivals, of several of one onset but one."""
    rates_hz: dict[str, float] = {}
    for span in spans:
        code = codes_of(span.station)[1]
        rates_hz[code] = max(span.sampling_rate, rates_hz.get(code, 0.0))
    kept: dict[tuple[str, ...], list[tuple[float, str, frozenset[str]]]] = {}
    left_out = []
    for arrival in sorted(arrivals, key=lambda item: (item.rank, item.time.ns)):
        codes = arrival.network, arrival.station, arrival.record, arrival.phase
        others, time_ns = kept.setdefault(codes, []), arrival.time.ns
        reach_ns = ONE_ONSET_SAMPLES * 1e9 / rates_hz.get(arrival.station, float("inf"))
        begin = bisect_right(others, (time_ns - reach_ns, LAST, frozenset()))
        near = others[begin : bisect_left(others, (time_ns + reach_ns, "", frozenset()))]
        # What two files say of one instant is one arrival; a pick of no event may be of any.
        if any(
            other_ns != time_ns
            and (event == arrival.event or not (event and arrival.event))
            and (not sensors or not arrival.sensors or sensors & arrival.sensors)
            for other_ns, event, sensors in near
        ):
            left_out.append(arrival)
            continue
        insort(others, (time_ns, arrival.event, arrival.sensors))
        yield arrival
    if left_out:
        text = (
            f"{where}: {len(left_out)} arrivals have another of their station, phase and event "
            f"less than {ONE_ONSET_SAMPLES} samples away, and are left out (the manual one counts, "
            "that of the preferred origin, or the earliest)"
        )
        say(f"{text}: {some(map(_said, left_out))}")


def _read(
    scan: HeaderScan, names: Mapping[Path, str], arrivals: Sequence[Arrival]
) -> Iterator[Item]:
    """Yield the records of files that have arrivals; gathers are called by these names."""
    by_name = {path.name: path for path in names}
    try:
        traces = [
            trace
            for path in names
            for trace in scan.selection.wanted_of(read_stream(path))
            if (str(path), station_id(trace)) not in scan.left_out
        ]
        for record in label_by_time(waveforms_of(traces), arrivals):
            wave = record.waveform
            file = by_name[wave.source]
            gather = gather_of(file, wave.station)
            yield replace(record, gather=gather.replace(file.stem, names[file], 1))
    except (FormatError, ShapeError) as error:
        yield BadRow(None, str(error))


def _span(trace: Trace) -> Span:
    stats = trace.stats
    station, record, _ = record_key(trace)
    return Span(station, stats.starttime, stats.sampling_rate, stats.npts, record)


def _groups(
    found: Iterable[tuple[Path, Span, Heard]],
) -> Iterator[tuple[tuple[Path, ...], frozenset[tuple[str, str]]]]:
    """Yield files tied by traces of one station that touch or overlap, and their records."""
    by_key: dict[RecordKey, list[tuple[Path, Span]]] = {}
    stretches: dict[Path, set[tuple[RecordKey, int]]] = {}
    records: dict[Path, set[tuple[str, str]]] = {}
    for path, span, heard in found:
        by_key.setdefault(heard.key, []).append((path, span))
        stretches.setdefault(path, set())
        records.setdefault(path, set()).add((codes_of(span.station)[1], span.record))
    for key, members in by_key.items():
        members.sort(key=lambda member: member[1].start_time)
        number, end = 0, members[0][1].start_time
        for path, span in members:
            number += span.start_time > end + JOIN_SAMPLES / span.sampling_rate
            end = max(end, span.start_time + span.duration_s)
            stretches[path].add((key, number))
    paths = list(stretches)
    for group in tie_together(list(stretches.values())):
        tied = [paths[number] for number in group]
        yield tuple(tied), frozenset().union(*(records[path] for path in tied))


def _said_of_stations(spans: Iterable[Span], others: Sequence[Arrival]) -> str:
    """Say which stations of arrivals no record has, empty where it has all; times are another."""
    there = {codes_of(span.station) for span in spans}
    wanted = {(arrival.network, arrival.station) for arrival in others}
    anywhere = {("", station) for _, station in there}
    lacking = {(n, s) for n, s in wanted if not {(n, s), ("", s)} & (there if n else anywhere)}
    if not lacking:
        return ""
    count = sum((a.network, a.station) in lacking for a in others)
    rest = f"; the other {len(others) - count} are at other times" if count < len(others) else ""
    names = _joined(lacking)
    stations = f"the {len(names)} stations" if len(names) > 1 else "the station"
    have = some(_joined(there if any(n for n, _ in lacking) else anywhere), MOST_STATIONS)
    return f"no record has {stations} {some(names, MOST_STATIONS)} (records have {have}){rest}"


def _names(arrivals: Iterable[Arrival]) -> list[str]:
    return _joined((arrival.network, arrival.station) for arrival in arrivals)


def _joined(codes: Iterable[tuple[str, str]]) -> list[str]:
    """Return stations as messages call them, in their natural order."""
    return sorted({".".join(filter(None, pair)) for pair in codes}, key=natural_key)


def _said(arrival: Arrival) -> str:
    return f"{_names([arrival])[0]} {arrival.phase} {arrival.time}"


def _period(times: Sequence[UTCDateTime]) -> str:
    return f"from {str(min(times))[:19]} to {str(max(times))[:19]}"
