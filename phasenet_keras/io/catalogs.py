"""Arrivals with absolute times, from catalogues, marker files and tables, and their records."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.io.arrival_formats import codes_of, entries_of
from phasenet_keras.io.channels import sensor_of
from phasenet_keras.io.obspy_events import Entry
from phasenet_keras.io.parts import JoinedRecord, joint_event
from phasenet_keras.io.registry import say
from phasenet_keras.io.times import TIME_IN_WORDS, date_time
from phasenet_keras.types import FormatError, LabelledWaveform, Waveform

if TYPE_CHECKING:
    from obspy import UTCDateTime

__all__ = [
    "Arrival",
    "Span",
    "arrivals_of",
    "label_by_time",
    "listed",
    "numbers_inside",
    "phase_of",
    "probability_in",
    "read_arrivals",
    "unmatched_arrivals",
    "warn_of_left_out",
]

PHASES = ("P", "S")

# An onset letter, the wave, its path, first motion and weight: "P", "Sn", "Pdiff", "IPU0". With a
# second leg (pP, PcP, SKS) it is a later arrival, and no first onset to learn from.
_PHASE = re.compile(r"[IEQ]?([PS])(?:[GNB*]|DIFF?)?\s?[UDC+-]?\s?\d?", re.IGNORECASE)


@dataclass(frozen=True)
class Arrival:
    """One onset at one station.

    Attributes:
        time: UTC time of the onset.
        phase: ``"P"`` or ``"S"``.
        network: its code; empty where it is not known.
        station: its code, or the whole name of a station without codes.
        event: what it belongs to, where known.
        rank: of two of one onset the lower counts: of a catalogue the manual pick, then that of
            the preferred origin.
        record: as `Span.record`, of the trace in whose header it is; empty: of any.
        sensors: of its station, that it is of, as `sensor_of` names them; empty: of any.
        file: of its record, where the row of a table names it.
        probability: of a picker's pick, where the file has it: 0 to 1.
    """

    time: UTCDateTime
    phase: str
    network: str
    station: str
    event: str = ""
    rank: int = 0
    record: str = ""
    sensors: frozenset[str] = frozenset()
    file: str = ""
    probability: float = 1.0


@dataclass(frozen=True)
class Span:
    """The stretch of time of a record, as its headers tell; fields as in `Waveform`.

    Attributes:
        record: see `phasenet_keras.io.record_names.own_record`.
    """

    station: str
    start_time: UTCDateTime
    sampling_rate: float
    n_samples: int
    record: str = ""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.sampling_rate


def phase_of(name: str) -> str | None:
    """Return ``"P"`` or ``"S"`` for the name of a direct phase, None for any other name.

    Example:
        >>> [phase_of(name) for name in ("Pg", "Sn", "p", "IPU0", "pP", "PcP", "IAML", "")]
        ['P', 'S', 'P', 'P', None, None, None, None]
    """
    match = _PHASE.fullmatch(name.strip())
    return match[1].upper() if match else None


def read_arrivals(path: str | PathLike[str]) -> list[Arrival]:
    r"""Read P and S arrivals from a file; its format is recognised by its content.

    Accepted are catalogues that `obspy.read_events` reads (QuakeML, SeisComP, Nordic, NonLinLoc
    ``.hyp``, …), NonLinLoc observations (``.obs``), Snuffler marker files, and tables (CSV) with
    columns ``station_id``, or ``station`` and perhaps ``network``; ``phase`` or ``phase_type``;
    ``time`` or ``phase_time`` (UTC), as in `write_picks`' own. Of a Snuffler marker that spans
    some time its begin counts.

    Returns:
        The arrivals, in the order of the file. Pg, Pn, p, Sg, … are P and S.

    Raises:
        FormatError: if the file cannot be read, is of another format, is a catalogue without
            picks, or all of its rows are damaged.

    Warns:
        RecordWarning: for rows that are damaged, rejected picks, and other phases (pP, IAML, …),
            which are left out.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "picks.csv"
        ...     _ = path.write_text("network,station,phase,time\nXX,A,Pg,2020-01-01T00:00:10.5\n")
        ...     [arrival] = read_arrivals(path)
        >>> arrival.phase, arrival.station, str(arrival.time)
        ('P', 'A', '2020-01-01T00:00:10.500000Z')
    """
    found, damaged, others = arrivals_of(Path(path))
    said = []
    if damaged:
        said.append(f"{len(damaged)} damaged, the first is {damaged[0]}")
    warn_of_left_out(path, said, others)
    return found


def arrivals_of(path: Path) -> tuple[list[Arrival], list[str], Counter[str]]:
    """Return the arrivals of a file, what is wrong with each damaged row, and other phases.

    Raises:
        FormatError: as `read_arrivals`.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FormatError(f"{path} cannot be read: {error.strerror or error}") from error
    if not content.strip():
        raise FormatError(f"{path} is empty")
    return _checked(list(entries_of(content, path)), path)


def warn_of_left_out(path: str | PathLike[str], said: Sequence[str], others: Counter[str]) -> None:
    """Say how many arrivals of a file are left out, and why; nothing where there are none.

    Args:
        path: of the file.
        said: reasons other than the phase.
        others: number of arrivals of each phase that `phase_of` knows no direct one for.
    """
    if others:
        said = [*said, f"{others.total()} of other phases ({listed(others)})"]
    if said:
        say(f"{path}: arrivals left out: {'; '.join(said)}")


def listed(others: Counter[str]) -> str:
    """Return phases with their numbers, the most frequent first."""
    return ", ".join(f"{name or '(none)'} {count}" for name, count in others.most_common())


def label_by_time(
    waveforms: Iterable[Waveform], arrivals: Sequence[Arrival]
) -> list[LabelledWaveform]:
    """Give every record the arrivals of its station that fall in its span.

    Stations match by network and station code, and by sensor where an arrival has any; where either
    side has no network, by station.
    Arrivals of one phase at the same instant are one; a phase without an arrival is unknown.

    Args:
        waveforms: the records.
        arrivals: of any stations and times.

    Returns:
        One labelled record a waveform, in their order, also where there is no arrival. Names are
        made from station and start time; ``event`` names the events of all arrivals, and is
        empty where one of them is not known.

    Example:
        >>> import numpy as np
        >>> from obspy import UTCDateTime
        >>> wave = Waveform(np.ones((300, 1)), 100.0, UTCDateTime(0), ("Z",), "XX.A..HH")
        >>> [record] = label_by_time([wave], [Arrival(UTCDateTime(1.204), "P", "XX", "A", "quake")])
        >>> record.arrivals, record.event, record.name
        ({'P': (120.4,)}, 'quake', 'XX.A..HH_19700101T000000.000000')
    """
    index, given = _by_station(arrivals), _events_given(arrivals)
    names: Counter[str] = Counter()
    records = []
    for wave in waveforms:
        samples: dict[str, list[float]] = {}
        origins = []
        for number, sample in _inside(wave, arrivals, index):
            phase = arrivals[number].phase
            samples.setdefault(phase, []).append(sample)
            origins.append((phase, sample, arrivals[number].event))
        station = codes_of(wave.station)[1]
        events = frozenset(event for _, _, event in origins)
        name = f"{wave.station}_{wave.start_time.strftime('%Y%m%dT%H%M%S.%f')}"
        names[name] += 1
        record = LabelledWaveform(
            wave,
            {phase: tuple(values) for phase, values in samples.items()},
            name=name if names[name] == 1 else f"{name}_{names[name]}",
            event=joint_event(events),
        )
        if len(events) > 1:
            record = JoinedRecord(
                wave,
                record.arrivals,
                record.name,
                record.event,
                origins=tuple(origins),
                lacking={phase: events - given[station, phase] for phase in PHASES},
            )
        records.append(record)
    return records


def _events_given(arrivals: Iterable[Arrival]) -> Mapping[tuple[str, str], set[str]]:
    """Return the events that have an arrival by station and phase; of one without a name, any."""
    given: dict[tuple[str, str], set[str]] = defaultdict(lambda: {""})
    for arrival in arrivals:
        given[arrival.station, arrival.phase].add(arrival.event)
    return given


def unmatched_arrivals(
    waveforms: Iterable[Waveform | Span], arrivals: Sequence[Arrival]
) -> list[Arrival]:
    """Return the arrivals that are in none of the records, in their order.

    Example:
        >>> from obspy import UTCDateTime
        >>> unmatched_arrivals([], [Arrival(UTCDateTime(0), "P", "XX", "A")])[0].station
        'A'
    """
    used = set().union(*numbers_inside(waveforms, arrivals))
    return [arrival for number, arrival in enumerate(arrivals) if number not in used]


def numbers_inside(
    waveforms: Iterable[Waveform | Span], arrivals: Sequence[Arrival]
) -> Iterator[set[int]]:
    """Yield for each record the numbers of the arrivals that `label_by_time` puts in it."""
    index = _by_station(arrivals)
    for wave in waveforms:
        yield {number for number, _ in _inside(wave, arrivals, index)}


_Index = Mapping[tuple[str, str | None], Sequence[tuple[int, int]]]


def _by_station(arrivals: Sequence[Arrival]) -> _Index:
    """Return time in ns and number of arrivals by station and record (None: all), by time."""
    index: dict[tuple[str, str | None], list[tuple[int, int]]] = {}
    for number, arrival in enumerate(arrivals):
        for record in (None, arrival.record):
            index.setdefault((arrival.station, record), []).append((arrival.time.ns, number))
    return {key: sorted(times) for key, times in index.items()}


def _inside(
    wave: Waveform | Span, arrivals: Sequence[Arrival], index: _Index
) -> Iterator[tuple[int, float]]:
    """Yield the number and the sample of each arrival in a record."""
    (network, station), start_ns = codes_of(wave.station), wave.start_time.ns
    end_ns = start_ns + round(wave.duration_s * 1e9)
    record = wave.record if isinstance(wave, Span) else ""
    found: list[tuple[int, int]] = []
    for key in ("", record) if record else (None,):
        times = index.get((station, key), ())
        begin = bisect_left(times, (start_ns, 0))
        found += times[begin : bisect_right(times, (end_ns, len(arrivals)))]
    sensor = sensor_of(wave.station)
    for time_ns, number in found:
        other, sensors = arrivals[number].network, arrivals[number].sensors
        if sensors and sensor not in sensors:
            continue
        # Times are whole microseconds, samples are not: rounded, the last sample is inside.
        sample = round((time_ns - start_ns) * wave.sampling_rate / 1e9, 6)
        if sample <= wave.n_samples - 1 and (not other or not network or other == network):
            yield number, sample


def _checked(entries: Sequence[Entry], path: Path) -> tuple[list[Arrival], list[str], Counter[str]]:
    """Turn entries into arrivals; return them, the damaged entries and the other phases."""
    found: list[Arrival] = []
    others: Counter[str] = Counter()
    damaged: list[str] = []
    for entry in entries:
        if entry.problem:
            damaged.append(f"{entry.where}: {entry.problem}")
            continue
        phase = phase_of(entry.phase)
        try:
            time = _time(entry.time)
        except FormatError as error:
            damaged.append(f"{entry.where}: {error}")
            continue
        if phase is None:
            others[entry.phase] += 1
        elif not entry.station:
            damaged.append(f"{entry.where}: it names no station")
        else:
            network, station = codes_of(entry.station)  # some have NET.STA for the station
            network = entry.network or network
            sensors = frozenset(filter(None, [entry.sensor]))
            codes = (network, station, entry.event, entry.rank)
            arrival = Arrival(time, phase, *codes, sensors=sensors, file=entry.file)
            found.append(replace(arrival, probability=probability_in(entry.score)))
    if damaged and len(damaged) == len(entries):
        raise FormatError(f"{path}: none of its {len(entries)} rows can be used; {damaged[0]}")
    return found, damaged, others


def probability_in(text: str) -> float:
    """Return a probability; 1 for an empty cell and for what is none, such as a score of 87.

    Example:
        >>> [probability_in(text) for text in ("0.25", "", "87", "good")]
        [0.25, 1.0, 1.0, 1.0]
    """
    with suppress(ValueError):
        return number if 0 <= (number := float(text or "nan")) <= 1 else 1.0
    return 1.0


def _time(value: UTCDateTime | str) -> UTCDateTime:
    try:
        return date_time(value) if isinstance(value, str) else value
    except ValueError as error:
        raise FormatError(f"the time '{value}' should be {TIME_IN_WORDS}") from error
