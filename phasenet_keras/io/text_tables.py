"""Tables as text: how bytes become cells, and what stands for no event or no arrival."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path

from phasenet_keras.io.mat_files import MAGIC
from phasenet_keras.io.registry import say
from phasenet_keras.types import FormatError

__all__ = [
    "EVENT_COLUMNS",
    "NOT_A_NUMBER",
    "NO_SAMPLES",
    "are_fillers",
    "binary_kind",
    "decoded",
    "event_in",
    "first_cell",
    "first_words",
    "has_sign_in_number",
    "name_key",
    "number_of",
    "read_table",
    "split_table",
    "warn_of_weights",
    "with_point",
]

# Columns of an event's name, in the order in which they are looked for.
EVENT_COLUMNS = ("event", "event_id", "event_index", "event_idx", "source_id")
NOT_A_NUMBER = {"nan", "na", "n/a", "#n/a", "none", "null", "-", "<na>"}
# Samples that stand for no arrival where a label is of one record alone (SAC: -12345).
NO_SAMPLES = {-1.0, -9.0, -99.0, -999.0, -9999.0, -12345.0}
# So many zeros among arrivals stand for none, where fewer lie within this part of the median. On a
# line of a few geophones with its shots on it, those beside the shot's do.
LEAST_FILLERS, NEAR_ZERO = 2, 0.5
# What associators and pandas write for a pick of no event (GaMMA: -1).
NO_EVENT = {"", "-1", "-1.0", *NOT_A_NUMBER}
# Columns that may say which arrivals are to be trusted.
_WEIGHTS = re.compile(r"(?:(?:p|s|pick|phase|evaluation)_)?(?:weight|quality|status)")
# So many of their values are said.
MOST_SAID = 3
DELIMITERS = ",;\t|"
NO_NAMES = (
    "its first line holds numbers, and no names of columns: write these above it, such as fname, "
    "trace and p_ms"
)
# What tables are kept in that are no text, by their first bytes, and what to do with them.
WORKBOOK = "a workbook (Excel, LibreOffice) or an archive: save the sheet as CSV, and give that"
MATLAB = (
    "a MATLAB file: write its arrivals as a table (writetable in MATLAB, or in Python "
    "scipy.io.loadmat and numpy.savetxt), and give that"
)
BINARY = {
    b"PK\x03\x04": WORKBOOK,
    b"\xd0\xcf\x11\xe0": WORKBOOK,
    b"PAR1": "a Parquet table: write it as CSV, and give that",
    **dict.fromkeys(MAGIC, MATLAB),
}
# A number with a decimal comma, alone or among others; [43,60] is two. With two commas it is none.
_NUMBER = r"[+-]?\d+(?:,\d+)+(?:[eE][+-]?\d+)?"
_WITH_COMMA = re.compile(
    rf"(?<![^\s;|]){_NUMBER}(?=[\s;|\])]|,\s|$)|(?<![^\s;|\[(]){_NUMBER}(?=[\s;|]|,\s|$)"
)
_NUMBERS = re.compile(r"[-+\d.,eE\s;|\[\]()]+")
_COMMA_IN_NUMBER = re.compile(r"\d,\d")
# Blanks that no keyboard has, no-break and thin ones: spreadsheets write thousands with them. Of a
# plain one a zero at the head of three digits tells it.
_BLANK_IN_NUMBER = re.compile(r"\d[^\S \t-\r]\d|\b\d{1,3} 0\d\d\b")
_CELL_BETWEEN_BLANKS = re.compile(r"[^ \t-\r]+")
_ONE_NUMBER = re.compile(r"[+-]?[\d.]+(?:e[+-]?\d+)?")
_WHOLE = re.compile(r"(-?\d+)(?:\.0*)?")
# Lines of comment, Excel's of the separator, and blank ones may come before the names of columns.
_BEFORE_NAMES = re.compile(r"#|\"?sep=.\"?[\s,;]*$|[\s,;]*$", re.IGNORECASE)
# A unit in brackets behind a column's name, "P (us)" or "time [ms]"; micro has two signs.
_UNIT = re.compile(r"(.*[^\s_])[\s_]*[(\[]\s*(samples?|[mu\u00b5\u03bc]?s)\s*[)\]]")
_MICRO = str.maketrans("\u00b5\u03bc", "uu")
# Where a word of a column's name ends and another begins: PickTime, Pick Time, pick-time; P-S is a
# difference.
_NEXT_WORD = re.compile(r"(?<=[a-z]{2})(?=[A-Z])|(?<=\w)[ -]+(?=[A-Za-z]{2})")
# The end of a name such as Trace No. or Shot #.
_NUMBER_OF = re.compile(r"(?<=\w)(?:[_ ]n[or]\.|[_ ]?#)$")


def decoded(content: bytes) -> str:
    r"""Return text in UTF-8, in UTF-16 with its mark (Excel's "Unicode text"), else in Latin-1.

    Example:
        >>> decoded("é".encode("utf-16")), decoded("é".encode()), decoded(b"\xe9")
        ('é', 'é', 'é')
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def binary_kind(content: bytes) -> str:
    """Say in what other form than text a table may be, and what to do; empty where it is none.

    Example:
        >>> binary_kind(b"PAR1"), binary_kind(b"fname,itp")
        ('a Parquet table: write it as CSV, and give that', '')
    """
    return next((kind for magic, kind in BINARY.items() if content.startswith(magic)), "")


def read_table(path: str | PathLike[str]) -> tuple[tuple[str, ...], list[list[str]]]:
    """Return what `split_table` does of a file.

    Raises:
        FormatError: if it cannot be read as a table.
    """
    try:
        content = Path(path).read_bytes()
        text, kind = decoded(content), binary_kind(content)
        if kind or "\0" in text:
            raise FormatError(f"{path} is {kind or 'no text, as a table should be'}")
        return split_table(text)
    except FileNotFoundError as error:
        raise FormatError(f"{path} cannot be read: no such file") from error
    except (OSError, csv.Error) as error:
        raise FormatError(f"{path} is no readable table: {error}") from error


def split_table(text: str) -> tuple[tuple[str, ...], list[list[str]]]:
    r"""Return the names of the columns, lower case, and the cells of each row.

    A unit in brackets becomes the end of a column's name, ``P (us)`` is ``p_us``, and words are
    joined, ``PickTime`` and ``Pick Time`` are ``pick_time``, ``Trace No.`` is ``trace``, where no
    other column is called so.
    Commas, semicolons, tabs or | separate, else blanks; where commas do not, a comma between two
    digits of a number is a decimal comma, and becomes a point. Before the names of the columns
    lines of comment (``#``), Excel's ``sep=;`` and blank ones are left out, and what is empty at
    the end; between others a blank line is a row without cells, so that rows count as in the file.

    Raises:
        csv.Error: for what cannot be told apart into cells, and a column that is there twice.

    Example:
        >>> split_table("# by K.\nStation  phase  time_s\nA  P  2,5\n")
        (('station', 'phase', 'time_s'), [['A', 'P', '2.5']])
    """
    lines = list(io.StringIO(text, newline=""))  # a cell in quotes may hold ends of lines
    while lines and _BEFORE_NAMES.match(lines[0]):
        del lines[0]
    header = lines[0].strip() if lines else ""
    delimiter = max(DELIMITERS, key=header.count)
    if delimiter not in header and " " in header:
        delimiter, lines = " ", [" ".join(_CELL_BETWEEN_BLANKS.findall(line)) for line in lines]
    cells = csv.reader(lines, delimiter=delimiter)
    rows = [[cell.strip() for cell in row] for row in cells]
    filled = [number for number, row in enumerate(rows) if any(row)]
    rows = rows[filled[0] : filled[-1] + 1] if filled else []
    columns = _column_names(rows[0]) if rows else ()
    twice = [name for name, count in Counter(columns).items() if name and count > 1]
    are_numbers = len(columns) > 1 and all(map(_ONE_NUMBER.fullmatch, columns))
    if are_numbers or any(map(_ONE_NUMBER.fullmatch, twice)):
        raise csv.Error(NO_NAMES)
    if twice:
        blanks = "; names of several words are several, for blanks separate" * (delimiter == " ")
        raise csv.Error(f"column '{twice[0]}' is there twice: rename one, or take it out{blanks}")
    rows = rows[1:] if delimiter == "," else [[*map(with_point, row)] for row in rows[1:]]
    return columns, _with_ends_joined(rows, columns, delimiter)


def _with_ends_joined(
    rows: list[list[str]], columns: Sequence[str], delimiter: str
) -> list[list[str]]:
    """Join the cells that a row has too many, where they are the rest of words in the last column.

    A comma elsewhere, as in a number, moves what is behind it: a number is then where other rows
    have none. Where there is no number behind it an event would get another name: such rows stay.
    Where all rows have too many, it is the names of columns that are too few.
    """
    n_cells = len(columns)
    last = n_cells - 1
    wide = [n for n, row in enumerate(rows) if any(row[n_cells:]) and row[last][:1].isalpha()]
    kinds = {kind for row in rows if wide and len(row) <= n_cells for kind in _kinds(row)}
    n_before = max((place + 1 for place, is_number in kinds if is_number), default=0)
    for n in wide if {*columns[n_before:last]}.isdisjoint(EVENT_COLUMNS) else ():
        if kinds and kinds.issuperset(_kinds(rows[n][:last])):
            rows[n][last:] = [delimiter.join(rows[n][last:])]
    return rows


def _kinds(row: Sequence[str]) -> Iterator[tuple[int, bool]]:
    """Yield for each filled cell its place, and if it is a number."""
    for place, cell in enumerate(row):
        if cell and cell.lower() not in NOT_A_NUMBER:
            yield place, bool(_ONE_NUMBER.fullmatch(cell.lower()))


def first_words(content: bytes) -> set[str]:
    r"""Return the words of the first line: which names of columns a damaged table may have.

    Example:
        >>> sorted(first_words(b"Station,P_time,x y\nA"))
        ['p_time', 'station', 'x', 'y']
    """
    return set(re.findall(r"\w+", decoded(content).partition("\n")[0].lower()))


def _column_names(cells: Iterable[str]) -> tuple[str, ...]:
    names = [cell.strip() for cell in cells]
    joined = [_with_unit(_NUMBER_OF.sub("", _NEXT_WORD.sub("_", name).lower())) for name in names]
    counts = Counter(joined)
    plain = (_with_unit(name.lower()) for name in names)
    return tuple(j if counts[j] == 1 else p for j, p in zip(joined, plain, strict=True))


def _with_unit(name: str) -> str:
    unit = _UNIT.fullmatch(name)
    return f"{unit[1]}_{unit[2].translate(_MICRO).replace('samples', 'sample')}" if unit else name


def with_point(cell: str) -> str:
    """Return a cell of numbers with points for their decimal commas; another as it is.

    Example:
        >>> with_point("62,5 1e3"), with_point("[43,60]"), with_point("shot 1,5")
        ('62.5 1e3', '[43,60]', 'shot 1,5')
    """
    if "," not in cell or not _NUMBERS.fullmatch(cell):
        return cell
    return _WITH_COMMA.sub(lambda number: number[0].replace(",", "."), cell)


def has_sign_in_number(cell: str) -> bool:
    r"""Tell if a comma, which may be that of a decimal, or a no-break blank stands between digits.

    A blank does before a zero that leads three digits. The comma of a list does not count.

    Example:
        >>> [has_sign_in_number(cell) for cell in ("12,0", "12,5 13", "12, 40", "[12,40]")]
        [True, True, False, False]
        >>> [has_sign_in_number(cell) for cell in ("1\u00a0500", "1 050", "1 500")]
        [True, True, False]
    """
    if _BLANK_IN_NUMBER.search(cell):
        return True
    return bool(_COMMA_IN_NUMBER.search(cell)) and not cell.startswith(("[", "("))


def first_cell(row: Mapping[str, str], columns: Iterable[str]) -> str:
    """Return the first cell of these columns that holds something; empty where none does."""
    return next((row[column] for column in columns if row.get(column)), "")


def name_key(name: str) -> str:
    """Return a name as it is compared: whole numbers without zeros in front, and decimals.

    Tables that had an empty cell anywhere in a column write its whole numbers with a decimal.

    Example:
        >>> [name_key(text) for text in ("007", " 11.0", "S07", "XX.A", "")]
        ['7', '11', 'S07', 'XX.A', '']
    """
    name = name.strip()
    whole = _WHOLE.fullmatch(name)
    return str(int(whole[1])) if whole else name


def number_of(name: str, text: str) -> float:
    """Return the number in a cell, NaN for an empty one.

    Raises:
        FormatError: if it is no finite number.
    """
    text = text.strip()
    try:
        number = float(text or "nan")
    except ValueError:
        number = float("inf")
    if abs(number) == float("inf"):
        raise FormatError(f"{name} should be a number, received '{text}'")
    return number


def are_fillers(zeros_and_others: Sequence[float]) -> bool:
    """Tell if the zeros among arrivals stand for none: more are 0 than anywhere near it.

    Else they may be true, as at the geophone beside each shot.

    Example:
        >>> are_fillers([0, 900, 0, 740, 812]), are_fillers([0, 3, 7, 0, 9, 60, 50, 90, 80])
        (True, False)
    """
    others = sorted(value for value in zeros_and_others if value > 0)
    n_zeros = sum(value == 0 for value in zeros_and_others)
    if n_zeros < LEAST_FILLERS or not others:
        return False
    near = NEAR_ZERO * others[len(others) // 2]
    return n_zeros > sum(value <= near for value in others)


def event_in(row: Mapping[str, str], columns: Sequence[str] = EVENT_COLUMNS) -> str:
    """Return the event that a row names; empty where it names none, as -1, nan and none do.

    Example:
        >>> event_in({"event": "quake"}), event_in({"event_index": "-1"}), event_in({})
        ('quake', '', '')
    """
    name = first_cell(row, columns)
    return "" if name.lower() in NO_EVENT else name


def warn_of_weights(
    path: str | PathLike[str], columns: Sequence[str], rows: Iterable[Sequence[str]]
) -> None:
    """Say that a column of weights, or of what is rejected, is not used where it tells rows apart.

    What a number in it means nothing says: 0 is the best in HYPO71, and no pick elsewhere.

    Warns:
        RecordWarning: for each such column.
    """
    rows = list(rows)
    for at, name in enumerate(columns):
        cells = Counter(row[at].strip() for row in rows if at < len(row))
        if not _WEIGHTS.fullmatch(name) or len(cells) < 2:
            continue
        counts = ", ".join(f"{cell or 'empty'} in {n}" for cell, n in cells.most_common(MOST_SAID))
        say(
            f"{path}: column {name} is not used ({counts} of {len(rows)} rows): all rows are "
            "labels; leave those out that are to be none"
        )
