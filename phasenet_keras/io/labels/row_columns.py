"""Names of columns in tables of arrivals in samples, and what each is."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = [
    "AFTER_TRIGGER",
    "ARRIVAL_COLUMNS",
    "DISTANCE_COLUMNS",
    "FIELD_RECORD_COLUMNS",
    "FILE_COLUMNS",
    "FIRST_BREAK",
    "GATHER_COLUMNS",
    "NUMBER_COLUMNS",
    "RECEIVER_COLUMNS",
    "SAMPLE_COLUMNS",
    "SAMPLE_COLUMNS_IN_WORDS",
    "SHOT_COLUMNS",
    "SPLIT_NAMES",
    "TIME_COLUMNS_IN_WORDS",
    "TIME_COLUMNS_S",
    "TIME_NAMES_S",
    "TRACE_COLUMNS",
    "TRACE_IN_FILE",
    "UNITS_S",
    "VALUE_COLUMNS",
]

# A first break is a P; nothing says what its time counts from, but for that since the trigger.
FIRST_BREAK = "first_break_"
# What the column of a phase begins with.
PREFIXES: Mapping[str, tuple[str, ...]] = {"P": ("p_", FIRST_BREAK), "S": ("s_",)}
# Columns of an arrival in samples, by phase, in the order in which they are looked for.
SAMPLE_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "P": (
        *("p_sample", "p_index", "itp", "p_idx", "p_arrival_sample", "trace_p_arrival_sample"),
        f"{FIRST_BREAK}sample",
    ),
    "S": ("s_sample", "s_index", "its", "s_idx", "s_arrival_sample", "trace_s_arrival_sample"),
}
MOST_NAMED = 4
SAMPLE_COLUMNS_IN_WORDS = "; ".join(
    f"{phase}: {', '.join(names[:MOST_NAMED])}" for phase, names in SAMPLE_COLUMNS.items()
)
TIME_COLUMNS_IN_WORDS = (
    "p_time_s, p_ms, p_us and so for S, or phase with sample, time_s, time_ms or time_us"
)
# Before the unit in the name of a column whose times count from the file's own time 0.
AFTER_TRIGGER = "after_trigger_"
UNITS_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
# What follows the phase in a column's name, and its unit in seconds; time_ may be left out.
TIME_NAMES_S: Mapping[str, float] = {
    f"time_{since}{unit}": unit_s
    for since in ("", AFTER_TRIGGER)
    for unit, unit_s in UNITS_S.items()
}
# By column, in the order in which they are looked for.
TIME_COLUMNS_S: Mapping[str, float] = {
    f"{prefix}{name.removeprefix(left_out)}": unit_s
    for prefix in (prefix for of_phase in PREFIXES.values() for prefix in of_phase)
    for left_out in ("", "time_")
    for name, unit_s in TIME_NAMES_S.items()
}
# All columns of an arrival, in the order in which they are looked for: samples come before times.
ARRIVAL_COLUMNS: Mapping[str, tuple[str, ...]] = {
    phase: (*names, *(name for name in TIME_COLUMNS_S if name.startswith(PREFIXES[phase])))
    for phase, names in SAMPLE_COLUMNS.items()
}
# Columns of tables with one arrival a row, beside that of its phase, and what they are by phase.
VALUE_COLUMNS: Mapping[str, str] = {
    **dict.fromkeys(("sample", "phase_sample", "phase_index"), "sample"),
    **{name: name for name in TIME_NAMES_S},
}
FILE_COLUMNS = ("fname", "file_name", "filename", "file", "trace_name")
# A shot by its name or number, or by the field record of its traces' headers.
FIELD_RECORD_COLUMNS = ("ffid", "fldr", "field_record")
SHOT_COLUMNS = ("shot", *FIELD_RECORD_COLUMNS, "source")
GATHER_COLUMNS = (*SHOT_COLUMNS, "gather")
# The number of a trace in its file, or in its shot where the file holds several.
TRACE_IN_FILE = "trace_in_file"
# A seismograph's channels, and what stands on the ground, may be numbered in another way.
RECEIVER_COLUMNS = ("channel_number", "receiver", "channel", "chan", "geophone", "sensor")
TRACE_COLUMNS = ("trace", "trace_number", TRACE_IN_FILE, *RECEIVER_COLUMNS)
DISTANCE_COLUMNS = ("offset_m", "distance_m")
NUMBER_COLUMNS = {
    name for names in (*ARRIVAL_COLUMNS.values(), DISTANCE_COLUMNS, VALUE_COLUMNS) for name in names
}
SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("dev", "val", "valid", "validation"), "dev"),
    **dict.fromkeys(("test", "testing"), "test"),
}
