"""Tables of arrivals in samples: their columns, and what a row says."""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.types import FormatError, LabelledWaveform, ShapeError, Waveform

__all__ = [
    "SAMPLE_COLUMNS",
    "LabelTable",
    "labelled_by_row",
    "merged",
    "read_label_table",
    "warn_of_fillers",
]

# Columns of an arrival in samples, by phase, in the order in which they are looked for.
SAMPLE_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "P": ("p_sample", "p_index", "itp", "p_idx"),
    "S": ("s_sample", "s_index", "its", "s_idx"),
}
FILE_COLUMNS = ("fname", "file_name", "file", "trace_name")
EVENT_COLUMNS = ("event", "event_id", "source_id")
SHOT_COLUMNS = ("shot", "source")
DISTANCE_COLUMNS = ("offset_m", "distance_m")
NUMBER_COLUMNS = {name for names in (*SAMPLE_COLUMNS.values(), DISTANCE_COLUMNS) for name in names}
NOT_A_NUMBER = {"nan", "na", "none", "null", "-", "<na>"}
SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("dev", "val", "valid", "validation"), "dev"),
    **dict.fromkeys(("test", "testing"), "test"),
}

_DECIMAL_COMMA = re.compile(r"(?<=\d),(?=\d)")


@dataclass(frozen=True)
class LabelTable:
    """A table of labels, all cells text.

    Attributes:
        path: of its file.
        rows: cells by lower-case column name; without the header.
        columns: names, lower case.
    """

    path: Path
    rows: tuple[Mapping[str, str], ...]
    columns: tuple[str, ...]

    @property
    def sample_columns(self) -> dict[str, str]:
        """The column of the arrivals of each phase that has one."""
        found = {p: self.first_of(names) for p, names in SAMPLE_COLUMNS.items()}
        return {phase: column for phase, column in found.items() if column}

    @property
    def file_column(self) -> str | None:
        """The column of file names."""
        return self.first_of(FILE_COLUMNS)

    def first_of(self, names: Sequence[str]) -> str | None:
        """Return the first of these columns that is there."""
        return next((name for name in names if name in self.columns), None)


def read_label_table(path: str | PathLike[str]) -> LabelTable:
    r"""Read a table separated by commas, semicolons or tabs.

    Where semicolons or tabs separate, a comma between two digits of a number is a decimal comma.

    Raises:
        FormatError: if it cannot be read as text, or a row has cells beyond the header's.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "labels.csv"
        ...     _ = path.write_text("fname,ITP\na.npz,100\n")
        ...     table = read_label_table(path)
        >>> table.sample_columns, table.rows[0]["itp"]
        ({'P': 'itp'}, '100')
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        lines = text.splitlines()
        delimiter = max(",;\t", key=lines[0].count) if lines else ","
        cells = [row for row in csv.reader(lines, delimiter=delimiter) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"{path} is no readable table: {error}") from error
    columns = tuple(name.strip().lower() for name in cells[0]) if cells else ()
    for number, row in enumerate(cells[1:], start=1):
        if any(cell.strip() for cell in row[len(columns) :]):
            raise FormatError(
                f"{path}: row {number} has {len(row)} cells, the header {len(columns)}: a comma in "
                "a number or a name? Quote such cells, or separate by semicolons"
            )
    rows = [
        dict(zip(columns, (*map(str.strip, row), *[""] * len(columns)), strict=False))
        for row in cells[1:]
    ]
    if delimiter != ",":
        rows = [{name: _with_point(cell, name) for name, cell in row.items()} for row in rows]
    return LabelTable(path, tuple(rows), columns)


def warn_of_fillers(table: LabelTable) -> None:
    """Say where one negative number, such as -1 or -999, may stand for no arrival.

    Warns:
        RecordWarning: for each column of arrivals whose negative numbers are all one and whole.
    """
    for phase, column in table.sample_columns.items():
        negative = []
        for row in table.rows:
            with suppress(FormatError):
                negative += [sample for sample in _samples(row[column], column) if sample < 0]
        if len(set(negative)) == 1 and negative[0].is_integer():
            warnings.warn(
                f"{table.path}: {column} is {negative[0]:g} in {len(negative)} of "
                f"{len(table.rows)} rows, which are skipped: if that stands for no {phase}, leave "
                "the cells empty",
                RecordWarning,
                stacklevel=3,
            )


def labelled_by_row(
    wave: Waveform, row: Mapping[str, str], columns: Mapping[str, str], name: str = ""
) -> LabelledWaveform:
    """Give a record the arrivals of a row, its event, gather, split and distance.

    Args:
        wave: the record.
        row: cells by column; an arrival is a number of samples, or several (``"100 900"``, or
            ``"100,900"``, which only a table separated by commas can hold).
        columns: the column of each phase. An empty cell is a phase that was looked for and not
            found; a phase without a column one that was not looked for.
        name: of the record; else its station's.

    Raises:
        FormatError: for a cell that is not a number.
        ShapeError: for an arrival outside of the record.
    """
    shot = _first(row, SHOT_COLUMNS)
    split = row.get("split", "").lower()
    if split and split not in SPLIT_NAMES:
        raise FormatError(f"split should be train, dev or test, received '{split}'")
    record = LabelledWaveform(
        wave,
        {phase: _samples(row[column], column) for phase, column in columns.items()},
        name=name or wave.station,
        event=_first(row, EVENT_COLUMNS),
        gather=f"shot {shot}" if shot else row.get("gather", ""),
        split=SPLIT_NAMES.get(split, ""),
    )
    offset = _first(row, DISTANCE_COLUMNS)
    station, network = row.get("station", ""), row.get("network", "")
    if offset:
        wave = replace(wave, offset_m=_number(offset, "distance_m"))
    if station and "." not in wave.station:
        wave = replace(wave, station=f"{network}.{station}.." if network else station)
    return replace(record, waveform=wave)


def merged(records: Sequence[LabelledWaveform]) -> LabelledWaveform:
    """Bring the arrivals of several rows of one record together.

    Raises:
        ShapeError: if they do not agree on the event or the gather.
    """
    first = records[0]
    arrivals: dict[str, set[float]] = {}
    for record in records:
        if (record.event, record.gather) != (first.event, first.gather):
            raise ShapeError(
                f"record {first.name}: its rows name different events or shots "
                f"({record.event or record.gather} and {first.event or first.gather}): "
                "give each a file of its own (column fname)"
            )
        for phase, samples in record.arrivals.items():
            arrivals.setdefault(phase, set()).update(samples)
    return replace(first, arrivals={phase: tuple(values) for phase, values in arrivals.items()})


def _with_point(cell: str, column: str) -> str:
    """Return a cell with decimal points for decimal commas, if it is one of numbers."""
    return _DECIMAL_COMMA.sub(".", cell) if column in NUMBER_COLUMNS else cell


def _samples(cell: str, column: str) -> tuple[float, ...]:
    """Return the numbers of a cell: one, several, or none."""
    texts = [text for text in re.split(r"[\s,;|]+", cell.strip("[]() ")) if text]
    return tuple(_number(text, column) for text in texts if text.lower() not in NOT_A_NUMBER)


def _number(text: str, column: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise FormatError(f"{column} should be a number, received '{text}'") from error


def _first(row: Mapping[str, str], names: Sequence[str]) -> str:
    return next((row[name] for name in names if row.get(name)), "")
