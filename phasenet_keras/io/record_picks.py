"""Which records of a data set the picks of a table or a catalogue are of.

1. Rows that name a record, or the file that it came from, are of that (`file_name`, `fname`).
2. Of several records of one file, and where no file is named, picks by time are of the records of
   their station that hold the time, as labels are; picks in samples see `record_samples`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

from phasenet_keras.io.arrival_formats import codes_of
from phasenet_keras.io.catalogs import Arrival, Span, numbers_inside
from phasenet_keras.io.labels.files import Labels, label_files, said_of_files, scan_arrivals
from phasenet_keras.io.labels.row_columns import SAMPLE_COLUMNS_IN_WORDS, TIME_COLUMNS_IN_WORDS
from phasenet_keras.io.labels.timed import (
    of_sensors,
    refuse_ambiguous,
    warn_of_networks,
    with_networks,
)
from phasenet_keras.io.obspy_events import NoLabelsError
from phasenet_keras.io.record_names import is_dated
from phasenet_keras.io.record_places import Places, RecordPicks, places_of_records
from phasenet_keras.io.record_samples import picks_in_samples, sample_table
from phasenet_keras.io.registry import say
from phasenet_keras.io.seisbench import source_files
from phasenet_keras.io.wording import counted, first_of, some
from phasenet_keras.types import FormatError, LabelledWaveform, Pick, Waveform

__all__ = ["picks_of_records"]


def picks_of_records(
    table: Labels, records: Sequence[LabelledWaveform], dataset: str | PathLike[str] | None = None
) -> RecordPicks:
    r"""Read picks, of any format that labels may have, and find the records that they are of.

    Args:
        table: of picks, or a catalogue: a file, a folder, a pattern, or several files of one kind.
        records: of one data set.
        dataset: its folder, which says what files records came from, and if samples still count as
            in these.

    Raises:
        FormatError: for what cannot be read, without picks, and where none is in a record, or some
            may be in several without a date.
        ConfigError: for samples of a data set that was resampled, if they do not say their rate.

    Warns:
        RecordWarning: for what cannot be used, as labels do.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import numpy as np
        >>> wave = Waveform(np.ones((300, 1)), 100.0, "1970-01-01", ("Z",), "g1")
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "sta_lta.csv"
        ...     _ = path.write_text("fname,itp\ng1.txt,120\n")
        ...     found = picks_of_records(path, [LabelledWaveform(wave, {}, "g1")])
        >>> found.picks[0][0].time, found.text
        (UTCDateTime(1970, 1, 1, 0, 0, 1, 200000), '1 of 1 picks are in 1 of 1 records')
    """
    files = label_files(table)
    where = said_of_files(files)
    places = places_of_records(records, {} if dataset is None else source_files(dataset))
    if (of_samples := sample_table(files[0], table)) is None:
        found = _by_time(places, table, where)
    else:
        found = picks_in_samples(of_samples, places, Path(dataset or "the data set"))
    if not found.n_given:
        raise FormatError(f"{where} holds no picks of P or S: give a file of some")
    if not found.n_found:
        raise FormatError(_said_of_none(found, records, where))
    for text in found.bad:
        say(f"{where}: {text}")
    # Of two events, or of two rows, may be what is one pick.
    found.picks = [sorted({(p.phase, p.time.ns): p for p in of}.values()) for of in found.picks]
    return found


def _said_of_none(found: RecordPicks, records: Sequence[LabelledWaveform], where: str) -> str:
    waves = [record.waveform for record in records]
    times = [str(wave.start_time)[:19] for wave in waves]
    bad = f"; {first_of(found.bad)}" if found.bad else ""
    return (
        f"{where}: none of its {counted(found.n_given, 'pick')} is in a record. Records are called "
        f"{some(record.name for record in records)}, are of "
        f"{some(dict.fromkeys(wave.station for wave in waves))}, and begin from {min(times)} to "
        f"{max(times)}; picks are of {some(dict.fromkeys(found.called))}{bad}. A pick finds its "
        "record by that one's name or its file's (column file_name or fname), else by station and "
        "time"
    )


def _by_time(places: Places, table: Labels, where: str) -> RecordPicks:
    """Find the records of picks by time."""
    try:
        arrivals, bad = scan_arrivals(table)
    except NoLabelsError as error:
        raise FormatError(
            f"{error}. Or a table with a column of picks in samples ({SAMPLE_COLUMNS_IN_WORDS}) "
            f"or by time since the first sample ({TIME_COLUMNS_IN_WORDS}), and of files (fname)"
        ) from error
    records = places.records
    picks: list[list[Pick]] = [[] for _ in records]
    n_found = 0
    rows = [(arrival.file, arrival) for arrival in arrivals]
    for numbers, is_named, of_group in places.grouped(rows, have_times=True):
        spans = [_span(records[number]) for number in numbers]
        of_group = with_networks(spans, of_group, where)
        if is_named and len(spans) == 1:
            own = (a for a in of_group if not places.is_of_another(numbers[0], _station(a)))
            of_group = [_of_record(arrival, spans[0]) for arrival in own]
        of_group = of_sensors(spans, of_group)
        refuse_ambiguous(spans, of_group, where)
        warn_of_networks(spans, of_group, where)
        used = set()
        for number, inside in zip(numbers, numbers_inside(spans, of_group), strict=True):
            used |= inside
            picks[number] += [_pick(records[number].waveform, of_group[n]) for n in sorted(inside)]
        n_found += len(used)
    phases = {arrival.phase for arrival in arrivals}
    return RecordPicks(picks, phases, len(arrivals), n_found, map(_called, arrivals), bad)


def _span(record: LabelledWaveform) -> Span:
    wave = record.waveform
    return Span(wave.station, wave.start_time, wave.sampling_rate, wave.n_samples, record.name)


def _of_record(arrival: Arrival, span: Span) -> Arrival:
    """Return a pick that names its record as one of that record's station, and of its day.

    A picker that knows no dates counts from 1970.
    """
    network, station = codes_of(span.station)
    time = arrival.time
    if is_dated(span.start_time) and not is_dated(time):
        time = span.start_time + time.ns / 1e9
    return replace(arrival, network=network, station=station, time=time, sensors=frozenset())


def _pick(wave: Waveform, arrival: Arrival) -> Pick:
    about = (arrival.time, wave.station, arrival.phase, arrival.probability)
    return Pick(*about, start_time=wave.start_time, source=arrival.file)


def _station(arrival: Arrival) -> str:
    return ".".join(filter(None, (arrival.network, arrival.station)))


def _called(arrival: Arrival) -> str:
    file = f" ({arrival.file})" if arrival.file else ""
    return f"{_station(arrival)}{file} at {str(arrival.time)[:19]}"
