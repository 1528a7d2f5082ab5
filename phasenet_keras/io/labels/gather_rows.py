"""Which trace of a gather a row of a table of samples is of."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from phasenet_keras.io.labels.field_records import FieldRecords, field_records
from phasenet_keras.io.labels.row_order import against_order, counting_column, plain
from phasenet_keras.io.labels.rows import SHOT_COLUMNS
from phasenet_keras.io.parts import BadRow
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.text_tables import first_cell
from phasenet_keras.io.wording import some
from phasenet_keras.types import FormatError

__all__ = ["TRACE_COLUMNS", "GatherRows", "Rows", "trace_column"]

# Rows of a table by number.
Rows = list[tuple[int, Mapping[str, str]]]
# Columns of the number of a trace in its file, or in its shot where the file holds several.
IN_FILE = "trace_in_file"
# A seismograph's channels, and what stands on the ground, may be numbered in another way.
RECEIVERS = ("channel_number", "receiver", "channel", "chan", "geophone")
TRACE_COLUMNS = ("trace", "trace_number", IN_FILE, *RECEIVERS)


def trace_column(rows: Sequence[Mapping[str, str]]) -> str | None:
    """Return the column of the numbers of traces; None without one.

    That is one of the known names, or else one that counts the rows of each shot from 1.

    Example:
        >>> trace_column([{"itp": "7", "geo": "2"}, {"itp": "9", "geo": "1"}])
        'geo'
    """
    for name in TRACE_COLUMNS:
        cells = [row[name] for row in rows if row.get(name)]
        # Channels of seismometers have codes.
        if cells and (name != "channel" or all(cell.isdecimal() for cell in cells)):
            return name
    return counting_column(rows)


class GatherRows:
    """Tells which of a gather's traces its rows are of.

    Args:
        rows: all of the file, by number.
        numbers: of the traces that the file holds, from 1.
        file: the gather.

    Raises:
        FormatError: if nothing says which trace a row is of, or its order may mean another.
    """

    def __init__(self, rows: Rows, numbers: Sequence[int], file: Path) -> None:
        self._rows = rows
        self._numbers = sorted(numbers)
        self._file = file
        cells = [row for _, row in rows]
        self._column = trace_column(cells)
        shots = {shot_in(row) for row in cells} - {""}
        records = field_records(file, shots) if shots else None
        self._shots = records.shots if records else ()
        if self._column in RECEIVERS and not records and self._are_names_in_order():
            self._column = None
        if self._column not in TRACE_COLUMNS and len(rows) != len(numbers):
            raise FormatError(
                f"{file.name} holds {len(numbers)} traces and has {len(rows)} rows: give one a "
                f"trace, or its number from 1 in a column ({', '.join(TRACE_COLUMNS)})"
            )
        if self._column is None:
            self._check_order()
        elif self._column not in TRACE_COLUMNS:
            warnings.warn(
                f"rows of gathers have no column trace: '{self._column}' is taken for the number "
                "of the trace, since it counts them",
                RecordWarning,
                stacklevel=2,
            )
        self._places = self._places_in_shots(records) if records else {}

    def by_trace(self) -> tuple[dict[int, Rows], list[BadRow]]:
        """Return the rows of each trace, by its number in the file, and those of none."""
        groups: dict[int, Rows] = {}
        bad: dict[str, list[BadRow]] = {}
        none = []
        for place, (number, row) in enumerate(self._rows):
            try:
                groups.setdefault(self._trace_of(row, place), []).append((number, row))
            except FormatError as error:
                bad.setdefault(shot_in(row), []).append(BadRow(number, str(error)))
                none.append(place)
        cells_of_none = [self._rows[place][1].get(self._column or "") for place in none]
        counts_from_0 = "0" in cells_of_none
        found = [item for of_shot in bad.values() for item in of_shot]
        if self._column in RECEIVERS or counts_from_0:
            # One of a number that no trace has: the others of its shot may be of other traces, too,
            # and where they count from 0, those of all shots.
            text = f"rows of {self._file.name} are not numbered as its traces are, from 1 on"
            for trace in [
                n for n, rows in groups.items() if counts_from_0 or shot_in(rows[0][1]) in bad
            ]:
                rows = groups.pop(trace)
                found += [BadRow(number, f"{text} ({self._column})") for number, _ in rows]
        return groups, found

    def _are_names_in_order(self) -> bool:
        """Tell if each trace has a row, with a number of what stands on the ground, from any."""
        found = [_number(row, self._column) for _, row in self._rows]
        numbers = [number for number in found if number is not None]
        return (
            len(numbers) == len(self._rows) == len(self._numbers)
            and max(numbers) > self._numbers[-1]
            and numbers == sorted(set(numbers))
        )

    def _check_order(self) -> None:
        column = against_order([row for _, row in self._rows], [])
        if column:
            raise FormatError(
                f"rows of {self._file.name} may be in another order than its traces, by their "
                f"column '{column}': give the number of the trace, from 1, in a column trace"
            )
        warnings.warn(
            "rows of gathers have no number of a trace (column trace): they are taken in the order "
            "of the traces, the first row of a file for its first trace",
            RecordWarning,
            stacklevel=2,
        )

    def _trace_of(self, row: Mapping[str, str], place: int) -> int:
        shot, number = shot_in(row), _number(row, self._column)
        if self._column is None:
            number = self._numbers[place]
        found = self._places.get((shot, number)) if self._places else number
        if found in self._numbers and (not self._shots or self._shots[found - 1] == shot):
            return found
        if self._shots:
            raise FormatError(
                f"by its headers {self._file.name} holds no trace {number} of shot "
                f"{shot or '(none named)'}; its shots are {some(dict.fromkeys(self._shots))}"
            )
        raise FormatError(
            f"{self._column} should be the number of a trace in {self._file.name}, "
            f"{self._numbers[0]} to {self._numbers[-1]}, received '{row[self._column or '']}'"
        )

    def _places_in_shots(self, records: FieldRecords) -> dict[tuple[str, int | None], int]:
        """Return the places of traces by shot and number; none where rows count through the file.

        Rows may also count the traces of a shot, or those of the file, whatever the headers say.
        """
        if self._column in (None, IN_FILE):
            return {}
        rows = {(shot_in(row), _number(row, self._column)) for _, row in self._rows}
        in_file = {(shot, place) for place, shot in enumerate(records.shots, start=1)}
        by_header: dict[tuple[str, int | None], int] = {}
        by_count: dict[tuple[str, int | None], int] = {}
        traces = zip(records.shots, records.numbers, records.counted, strict=True)
        for place, (shot, number, count) in enumerate(traces, start=1):
            by_header[shot, number] = by_count[shot, count] = place
        if rows <= by_header.keys():
            return by_header
        if rows <= in_file:
            return {}
        return by_count if rows <= by_count.keys() else by_header


def shot_in(row: Mapping[str, str]) -> str:
    """Return the shot that a row names, numbers without leading zeros; empty where it names none.

    Example:
        >>> shot_in({"ffid": "0012"}), shot_in({"trace": "3"})
        ('12', '')
    """
    return plain(first_cell(row, SHOT_COLUMNS))


def _number(row: Mapping[str, str], column: str | None) -> int | None:
    cell = row.get(column or "", "")
    return int(cell) if cell.isdecimal() else None
