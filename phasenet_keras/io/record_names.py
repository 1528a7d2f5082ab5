"""Which record a trace without a time is of: that of its file, or of files of its channels."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet_keras.io.channels import (
    KNOWN_LETTERS,
    WORDS,
    component_letter,
    component_prefix,
    is_pressure,
)
from phasenet_keras.io.times import exact_time, seconds_after, step_of_time

if TYPE_CHECKING:
    from obspy import Trace, UTCDateTime

__all__ = [
    "has_date",
    "is_dated",
    "name_source",
    "note_source",
    "own_record",
    "places_of",
    "record_of_file",
    "shown_names",
    "stems_of",
]

# Without a clock a record begins with 1970, less what SAC's B puts before the origin; or where the
# clocks of PCs (1980-01-01) and of GPS (1980-01-06) do, less what is kept of before a trigger.
UNDATED_S = (
    (-86_400.0, 365 * 86_400.0),
    (315_532_740.0, 315_532_860.0),
    (315_964_740.0, 315_964_860.0),
)
# SEED's band and instrument before a component, as names have them: HHZ, BH1.
BAND_AND_INSTRUMENT = r"[A-HLMRSUVX][AEGHLNPS]"
# Of a node's file by serial number: 453000123.1.2024.01.02.00.00.00.000.Z.miniseed.
_DAY = re.compile(
    r"(?<=.)[._-](?:19|20)\d\d([._-])\d\d\1\d\d(?!\d)"
    r"(?:[._T-]\d\d[._-]?\d\d(?:[._-]?\d\d(?:[._]\d{3,6})?)?(?!\d))?"
)
# So near the time that a name has, in some time zone, the samples begin.
NEAR_S, ZONE_STEP_S, FARTHEST_ZONE_S = 1.0, 900.0, 14 * 3600.0
# What is shorter is no day of a node, or hour: it may be an event, which is a record of its own.
LEAST_OF_NODE_S = 600.0
# What stands for the component in `_without_component`, which no file's name holds.
MARK = "\0"
_MARK = re.compile(rf"^[._-]*{MARK}[._-]*|[._-]*{MARK}")
_LAST_LETTER = re.compile(r"(?<=[._-])[ENXYZ]$")


def has_date(start_s: float) -> bool:
    """Tell if a record that begins so many seconds after 1970-01-01 has a true time.

    Example:
        >>> has_date(-6e7), has_date(0.0), has_date(315_532_799.9), has_date(1.7e9)
        (True, False, False, True)
    """
    return not any(first_s <= start_s < end_s for first_s, end_s in UNDATED_S)


def is_dated(time: UTCDateTime) -> bool:
    """Tell if a record that begins then has a true time.

    Example:
        >>> from obspy import UTCDateTime
        >>> [is_dated(UTCDateTime(day)) for day in ("1965-02-28", "1970-01-01", "1980-01-06")]
        [True, False, False]
    """
    return has_date(time.ns / 1e9)


def note_source(
    traces: Collection[Trace], path: Path, every: Collection[Trace] | None = None
) -> None:
    """Write into the headers of traces which file they are of; see `own_record`.

    Traces without a station are called after it, without its component, and the day that it is of.

    Args:
        traces: of the file.
        path: of the file.
        every: the headers of all of its traces; None: these are all.
    """
    for trace in traces:
        if not (trace.stats.channel or trace.stats.station or trace.stats.get("station_name")):
            trace.stats.channel = _component_in(path)
    every = traces if every is None else every
    codes = {trace.stats.channel for trace in every}
    record = Path(record_of_file(path, codes))
    name_source(traces, path.name)
    nameless = []
    for trace in traces:
        stats = trace.stats
        stats.source_path = str(path)
        stats.source_record = str(record)
        if not stats.station and stats.get("station_name", "") == stats.get("file_station", ""):
            nameless.append(stats)
    if not nameless:
        return
    station = Path(_without_day(_without_component(path, codes), every)).stem
    record = record.with_name(_without_day(record.name, every))
    for stats in nameless:
        stats.station_name = stats.file_station = _MARK.sub("", station) or record.parent.name
        if is_dated(stats.starttime):
            stats.source_record = str(record)


def _without_component(path: Path, codes: Collection[str]) -> str:
    """Return a file's name with a mark in the place of the code of its only channel.

    A letter at the end of another word is one only where there is a file of another component:
    PFZ.sac may be of a station PFZ.
    """
    [code] = codes if len(codes) == 1 else ["?"]
    for before, prefix, mark, after in places_of(path.name, code or "?")[:1]:
        if prefix.lower() in ("", component_prefix(code).lower()):
            return f"{before}{prefix if prefix.isdecimal() else ''}{MARK}{after}"
        letters = "".join(KNOWN_LETTERS).lower() if mark == "+" else KNOWN_LETTERS
        names = (f"{before}{prefix}{letter}{after}" for letter in letters)
        if sum(path.with_name(name).exists() for name in names) > 1:
            return f"{before}{prefix}{MARK}{after}"
    return path.name


def _without_day(name: str, traces: Collection[Trace]) -> str:
    """Return a file's name without the day and time in it, if its traces are long and begin then.

    Else they may be those of an event, or numbers of sensors, or the clock is wrong.
    """
    begin = min((trace.stats.starttime for trace in traces), default=None)
    if begin is None or max(t.stats.endtime for t in traces) - begin < LEAST_OF_NODE_S:
        return name

    def rest(found: re.Match[str]) -> str:
        digits = re.sub(r"\D", "", found[0])
        text = "T".join(filter(None, (digits[:8], digits[8:14])))
        with suppress(ValueError):
            after_s, step_s = seconds_after(begin, exact_time(text)), step_of_time(text)
            zone_s = (after_s + NEAR_S) // ZONE_STEP_S * ZONE_STEP_S
            after_s -= max(-FARTHEST_ZONE_S, min(FARTHEST_ZONE_S, zone_s))
            return "" if -NEAR_S <= after_s < step_s + NEAR_S else found[0]
        return found[0]

    return _DAY.sub(rest, name)


def _component_in(path: Path) -> str:
    """Return the letter at the end of a name of which there are files of all three components."""
    found = _LAST_LETTER.search(path.stem)
    for trio in ("ENZ", "XYZ") if found else ():
        names = (f"{path.stem[:-1]}{letter}{path.suffix}" for letter in trio)
        if found and found[0] in trio and all(path.with_name(name).exists() for name in names):
            return found[0]
    return ""


def name_source(traces: Iterable[Trace], name: str) -> None:
    """Write into the headers of traces what their file is called; a record in it has its own name.

    Example:
        >>> from obspy import Trace
        >>> traces = Trace(), Trace(header={"record_name": "quake/A"})
        >>> name_source(traces, "a.h5")
        >>> [trace.stats.source_file for trace in traces]
        ['a.h5', 'a.h5/quake/A']
    """
    for trace in traces:
        record = trace.stats.get("record_name", "")
        trace.stats.source_file = f"{name}/{record}" if record else name


def shown_names(paths: Collection[Path]) -> dict[Path, str]:
    """Return the whole names of those files whose last part alone would not tell them.

    Example:
        >>> list(shown_names([Path("1/line.sgy"), Path("2/line.sgy"), Path("2/x.sgy")]).values())
        ['1/line.sgy', '2/line.sgy']
    """
    counts = Counter(path.name for path in paths)
    return {path: str(path) for path in paths if counts[path.name] > 1}


def stems_of(paths: Collection[Path]) -> dict[Path, str]:
    """Return the names of files without their endings; with folders, where others have such names.

    Example:
        >>> list(stems_of([Path("s/1/line.sgy"), Path("s/2/line.sgy"), Path("s/2/x.sgy")]).values())
        ['1/line', '2/line', 'x']
    """
    counts = Counter(stem for _, stem in {(path.parent, path.stem) for path in paths})
    found = {path: path.stem for path in paths}
    if several := [path for path in paths if counts[path.stem] > 1]:
        top = os.path.commonpath([path.parent for path in several])
        found |= {p: (p.parent / p.stem).relative_to(top).as_posix() for p in several}
    return found


def own_record(trace: Trace) -> str:
    """Return the file whose record a trace is of, where nothing else tells its record from others.

    That is so of what is named after its file, and of what has no time: equal names, and equal
    times, are chance. Of channels that have a file each it is what their names have in common.
    Empty is a record that its station and its time tell from others. What is named in its file
    (HDF5, data sets) is a record of its own, also where others overlap with it.

    Example:
        >>> from obspy import Trace
        >>> trace = Trace(header={"station": "A", "channel": "BHZ", "source_path": "/d/q1.BHZ.sac"})
        >>> own_record(trace)
        '/d/q1.BH*.sac'
        >>> trace.stats.starttime += 50 * 365 * 86400
        >>> own_record(trace)
        ''
    """
    stats = trace.stats
    path = stats.get("source_path", "")
    if stats.get("record_name"):
        return f"{_absolute(path)}/{stats.record_name}"
    if not path or (is_dated(stats.starttime) and not stats.get("station_name")):
        return ""
    if stats.get("station_name") and stats.station_name != stats.get("file_station"):
        return _absolute(path)
    return stats.get("source_record") or record_of_file(path, [stats.channel])


def record_of_file(path: str | os.PathLike[str], codes: Iterable[str]) -> str:
    """Return what files of one record have in common: the name without the one of these codes.

    A file of several channels is a record of its own, and so is one whose name does not tell which
    channel it holds.

    Example:
        >>> record_of_file("/d/XX.A..BHZ.D.1970.001", ["BHZ"]), record_of_file("/d/Z_q1.sac", ["Z"])
        ('/d/XX.A..BH*.D.1970.001', '/d/*_q1.sac')
        >>> record_of_file("/d/site_e.mseed", ["HHE", "HHN"])
        '/d/site_e.mseed'
    """
    path, codes = Path(_absolute(path)), set(codes)
    places = places_of(path.name, codes.pop() or "?") if len(codes) == 1 else []
    return str(path.with_name("".join(places[0])) if places else path)


def _absolute(path: str | os.PathLike[str]) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - what links lead to is not asked for


def places_of(name: str, code: str = "") -> list[tuple[str, str, str, str]]:
    """Return where the component of a channel may be in a file's name, the likeliest place first.

    It is looked for as the whole code, as its letter alone, as the end of another code, and at the
    end of the first word: ``BHZ.M.sac``, ``Z_q1.sac``, ``q1.HHZ.sac``, ``AE01Z.sac``.

    Args:
        name: without folders.
        code: of the channel; empty if it is not known.

    Returns:
        Of each place what is before the word, the word without the component, a mark for the
        component, and the rest.

    Example:
        >>> places_of("Z_q1.sac"), places_of("q1.HHZ.sac", "BHZ"), places_of("Z_q1.sac", "BHN")
        ([('', '', '*', '_q1.sac')], [('q1.', 'HH', '*', '.sac')], [])
    """
    known = component_letter(code) if code else "".join(KNOWN_LETTERS)
    if code and (known not in KNOWN_LETTERS or is_pressure(code)):
        return []
    # Numbers in a name are of events or sensors, but within a code.
    letter = rf"(?!\d)[{known}]"
    any_code = rf"[a-z]{{2}}[{known}]|(?:{'|'.join(WORDS)})\d*"
    patterns = [
        rf"(?i:{re.escape(code) or any_code})",
        rf"(?i:{letter})",
        rf"(?i:{BAND_AND_INSTRUMENT}[{known}])",
        # SPECFEM2D's Ux_file_single_d.su.
        rf"U(?=[xyz])(?i:{letter})",
        # Not the last letter of a word.
        rf".+(?:{letter}|(?<=\d)(?i:{letter}))",
    ]
    parts = re.split(r"([._-])", name)
    found: dict[tuple[str, str, str, str], None] = {}
    for pattern in patterns:
        words = range(1) if pattern is patterns[-1] else range(0, len(parts), 2)
        for place in reversed(words):
            text = parts[place]
            if re.fullmatch(pattern, text):
                # Names that differ in capitals alone may be two files of one component.
                mark = "+" if text[-1].islower() else "*"
                before, after = "".join(parts[:place]), "".join(parts[place + 1 :])
                found[before, component_prefix(text), mark, after] = None
    return list(found)
