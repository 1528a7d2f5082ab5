"""What the rows of a table of picks call the records of a data set, and which these are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TypeVar

from phasenet_keras.io.arrival_formats import codes_of
from phasenet_keras.io.dataset_table import NOT_IN_NAMES
from phasenet_keras.io.record_names import is_dated, places_of
from phasenet_keras.types import LabelledWaveform, Pick

__all__ = ["TRACE_NAME", "Places", "RecordPicks", "places_of_records"]

# A trace of a gather: its file, its shot where that holds several, and its number.
TRACE_NAME = re.compile(r"(?P<file>.+?)(?:-(?P<shot>\d{4,}))?-(?P<trace>\d{4,})")
Numbers = tuple[int, ...]
Row = TypeVar("Row")


@dataclass
class RecordPicks:
    """Picks by the records that they are of.

    Attributes:
        picks: of each record, in the order of the records.
        phases: those that the table has a pick of, in a record or not.
        n_given: picks of the table.
        n_found: those of them that are in a record.
        called: what the table calls their records.
        bad: what of it cannot be used.
    """

    picks: list[list[Pick]]
    phases: set[str] = field(default_factory=set)
    n_given: int = 0
    n_found: int = 0
    called: Iterable[str] = ()
    bad: Sequence[str] = ()

    @property
    def text(self) -> str:
        """How many picks and records found each other."""
        n_records = sum(map(bool, self.picks))
        of_records = f"{n_records} of {len(self.picks)} records"
        return f"{self.n_found} of {self.n_given} picks are in {of_records}"


@dataclass(frozen=True)
class Places:
    """Where records are found.

    Attributes:
        records: of one data set.
        by_name: numbers of records by what names them.
        by_file: the same by what names the files that they came from.
        order: the names of all records of the data set.
    """

    records: Sequence[LabelledWaveform]
    by_name: Mapping[str, Numbers]
    by_file: Mapping[str, Numbers]
    order: Sequence[str]

    def named(self, cell: str) -> Numbers:
        """Return the records that a cell names; none where it names none."""
        files = [*_keys(cell), *_channel_keys(cell)]
        places = ((self.by_name, _keys(cell)), (self.by_file, files))
        return next((by[key] for by, keys in places for key in keys if key in by), ())

    def is_of_another(self, number: int, station: str) -> bool:
        """Tell if a pick that names a record's file is of another station, by the record's codes.

        What is the name of the record or of its file is no code.
        """
        own, code = self.records[number].waveform.station, codes_of(station)[1]
        return (
            "." in own and code not in ("", codes_of(own)[1]) and number not in self.named(station)
        )

    def grouped(
        self, rows: Iterable[tuple[str, Row]], *, have_times: bool
    ) -> Iterator[tuple[Numbers, bool, list[Row]]]:
        """Yield rows by the records that may be theirs, if any, and if a cell names these.

        A row without a name may be of any. One whose name is not known is of none, but its time
        tells: of any record with a date, or where no cell names a record, of any.
        """
        rows = list(rows)
        known = {cell: self.named(cell) for cell, _ in rows}
        everything = tuple(range(len(self.records)))
        dated = tuple(n for n in everything if is_dated(self.records[n].waveform.start_time))
        others = dated if any(known.values()) else everything
        others = others if have_times else ()
        groups: dict[tuple[Numbers, bool], list[Row]] = {}
        for cell, row in rows:
            key = known[cell] or (others if cell else everything)
            groups.setdefault((key, bool(known[cell])), []).append(row)
        yield from ((*key, of_group) for key, of_group in groups.items() if key[0])


def places_of_records(records: Sequence[LabelledWaveform], files: Mapping[str, str]) -> Places:
    """Return where records are found; files are those of all of the data set, by record's name."""
    by_name: dict[str, list[int]] = {}
    by_file: dict[str, list[int]] = {}
    for number, record in enumerate(records):
        # A number is no name to SeisBench.
        for key in {record.name, record.name.removeprefix("record_")} - {""}:
            by_name.setdefault(key, []).append(number)
        trace, file = TRACE_NAME.fullmatch(record.name), files.get(record.name, "")
        of_trace = [trace["file"]] if trace else []
        for key in {*_keys(file), *_channel_keys(file, are_all=True), *of_trace}:
            by_file.setdefault(key, []).append(number)
    order = [*files] or [record.name for record in records]
    return Places(records, _settled(by_name), _settled(by_file), order)


def _settled(by: Mapping[str, Sequence[int]]) -> dict[str, Numbers]:
    return {key: tuple(numbers) for key, numbers in by.items()}


def _keys(name: str) -> Iterator[str]:
    """Yield what a file's or a record's name may be in a data set, the longest first.

    That is with its folders and without, with its ending and without; ``a.h5/quake/A`` also as the
    record of one of several files.

    Example:
        >>> list(_keys("ev1/data.sac"))
        ['ev1_data.sac', 'ev1_data', 'ev1.data.sac', 'data.sac', 'data']
    """
    parts = PurePosixPath(name.replace("\\", "/").strip("/ ")).parts
    tails = [NOT_IN_NAMES.sub("_", "_".join(parts[n:])) for n in range(len(parts))]
    for part, tail, rest in zip(parts, tails, [*tails[1:], ""], strict=False):
        yield from dict.fromkeys((tail, PurePosixPath(tail).stem))
        if rest:
            yield f"{PurePosixPath(part).stem}.{rest}"


def _channel_keys(name: str, *, are_all: bool = False) -> Iterator[str]:
    """Yield what the names of files have in common that hold the channels of one record.

    Args:
        name: of one of them.
        are_all: also what else a table may call them.

    Example:
        >>> list(_channel_keys("q1.A.BHZ.sac"))
        ['q1.A.BH*.sac']
    """
    for before, prefix, mark, after in places_of(PurePosixPath(name).name):
        yield f"{before}{prefix}{mark}{after}"
        if are_all:
            yield from (f"{before}{prefix}{sign}{after}" for sign in "*?")
            yield from filter(None, (before[:-1], f"{before}{prefix}".rstrip("._-")))
