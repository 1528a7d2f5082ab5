"""What is said of a table in which no arrivals are found: which columns are understood."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import repeat

from phasenet_keras.io.arrival_formats import COLUMNS, has_times
from phasenet_keras.io.labels.row_columns import (
    AFTER_TRIGGER,
    ARRIVAL_COLUMNS,
    DISTANCE_COLUMNS,
    FILE_COLUMNS,
    GATHER_COLUMNS,
    TRACE_COLUMNS,
    UNITS_S,
    VALUE_COLUMNS,
)
from phasenet_keras.io.text_tables import split_table
from phasenet_keras.io.wording import some

__all__ = ["said_of_columns", "said_of_later_names"]

# Those of P come first: of two that are as near as each other it is the first.
ARRIVALS = (
    *(name for names in ARRIVAL_COLUMNS.values() for name in names),
    *VALUE_COLUMNS,
    *(name for role in ("time", "P", "S") for name in COLUMNS[role]),
)
OTHERS = (
    *(name for role in ("station", "network", "phase", "event", "date") for name in COLUMNS[role]),
    *(*FILE_COLUMNS, *GATHER_COLUMNS, *TRACE_COLUMNS, *DISTANCE_COLUMNS, "location", "split"),
)
# Ends of names that another column has to share, and what else may be so long or then.
UNITS = {*UNITS_S, "ns", "sample", "index", "m", "km"}
NO_ARRIVALS = {"start", "begin", "end", "origin", "duration", "length", "depth", "dt"}
# Words that say S: s, ts, its. Others, such as onset, are no S, which comes second.
SAYS_S = re.compile(r"(?:^|[^a-z])(?:i?t)?s")
SAYS_TRIGGER = re.compile("trigger|shot")
# How alike a name is to the one that may be meant; of the same unit less will do.
ALIKE, ALIKE_IN_UNIT = 0.6, 0.5
# Of a table no column of which is understood, so many have to be like one that is.
LEAST_ALIKE = 2
# So many lines of title may come before the names.
LINES_OF_TITLE = 20


def said_of_columns(columns: Sequence[str]) -> str:
    """Say which columns of a table are understood and which not; empty where none is.

    Example:
        >>> print(said_of_columns(["station", "p", "s"]).partition(". ")[0])
        understood station; not understood p, s
        >>> print(said_of_columns(["ffid", "channel", "fb_ms"]).partition(". ")[0])
        understood ffid, channel; not understood fb_ms (p_ms?)
        >>> print(said_of_columns(["shots", "traces", "pck_ms"]).partition(". A")[0])
        not understood shots (shot?), traces (trace?), pck_ms (p_ms?)
        >>> said_of_columns(["colour", "shape"])
        ''
    """
    understood = [name for name in columns if name in (*ARRIVALS, *OTHERS)]
    others = [name for name in columns if name and name not in understood]
    guessed = [_with_nearest(name) for name in others]
    if not understood and sum(map(str.endswith, guessed, repeat("?)"))) < LEAST_ALIKE:
        return ""
    parts = {"understood": understood, "not understood": guessed}
    said = "; ".join(f"{what} {some(names, 5)}" for what, names in parts.items() if names)
    if has_times(columns) and not set(columns) & set(COLUMNS["station"]):
        return (
            f"{said}. Times (UTC) go to the records of their station: a column station is wanted; "
            "those since the record's first sample are in p_time_s, p_ms and such"
        )
    return (
        f"{said}. A row is of one record, with its arrivals in columns such as p_sample, p_ms or "
        "p_time_s (since the record's first sample) or p_time (UTC, with station), and so for S; "
        "or of one arrival, in phase and sample, time_ms, time_s or time (UTC)"
    )


def said_of_later_names(text: str) -> str:
    r"""Say which line of a table has the names of columns, where it is not the first; else empty.

    Example:
        >>> said_of_later_names("Survey of May;;\nNode;Onset;\nfname;p_ms;remark\na;1;\n")
        'the names of its columns (fname, p_ms, remark) are in line 3: take out the lines before it'
        >>> said_of_later_names("one\ntwo\n")
        ''
    """
    lines = text.splitlines()
    for number in range(1, min(len(lines), LINES_OF_TITLE)):
        try:
            columns = split_table(lines[number])[0]
        except csv.Error:
            continue
        if len(columns) > 1 and set(columns) & {*ARRIVALS}:
            names = some([name for name in columns if name], 5)
            place = f"are in line {number + 1}: take out the lines before it"
            return f"the names of its columns ({names}) {place}"
    return ""


def _with_nearest(name: str) -> str:
    """Return a name, and in brackets that which may be meant."""
    stem, separator, unit = name.rpartition("_")
    has_unit = bool(separator) and unit in UNITS
    if stem in NO_ARRIVALS:
        return name
    known = [
        other
        for other in (ARRIVALS if has_unit else (*ARRIVALS, *OTHERS))
        if not has_unit or other.endswith(f"_{unit}")
        if AFTER_TRIGGER not in other or SAYS_TRIGGER.search(name)
        if not other.startswith(("s_", "its")) or SAYS_S.search(stem or name)
    ]
    ratios = [SequenceMatcher(None, name, other).ratio() for other in known]
    is_alike = max(ratios, default=0.0) >= (ALIKE_IN_UNIT if has_unit else ALIKE)
    return f"{name} ({known[ratios.index(max(ratios))]}?)" if is_alike else name
