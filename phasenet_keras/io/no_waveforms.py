"""What lies among waveforms and is none: metadata, catalogues, tables, notes; arrays of others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from phasenet_keras.io.wording import some
from phasenet_keras.types import FormatError

__all__ = [
    "CATALOGUES",
    "MOST_RECORDS",
    "NOTE",
    "OTHER_SHAPES",
    "array_kind",
    "check_are_channels",
    "metadata_kind",
    "packing_of",
    "said_of_metadata",
    "said_of_no_record",
    "specfem_kind",
]

ROOTS = {"FDSNStationXML": "StationXML", "quakeml": "QuakeML", "seiscomp": "SeisComP XML"}
CATALOGUES = ("QuakeML", "SeisComP XML")
NOTE = "a note"
_ROOT = re.compile(r"<(?:[\w.-]+:)?([A-Za-z_][\w.-]*)")
# A line of a SEED response as evalresp takes it: blockette 50, field 3, the station.
_RESP = re.compile(rb"^B05[0-9]F\d\d", re.MULTILINE)
# A control header of SEED, "V": what has waveforms as well is read as miniSEED, if it is whole.
_CONTROL = re.compile(rb"\d{6}V[ *]")
# What is in headers of data (the year is 0x07.. or 0x08..) and in no text.
_BINARY = re.compile(rb"[\x01-\x08\x0e-\x1f]")
CHUNK_BYTES = 1 << 20
# A table with such a column is of stations or of arrivals; others may be waveforms of some form.
COLUMNS = {"station", "station_id", "sta", "network", "latitude", "phase", "fname", "file_name"}
COLUMNS |= {"trace_name", "filename", "file"}
NOTES = (".md", ".rst")
# What lies beside the waveforms of a data set; SeisBench lists its parts in a file of this name.
PNG = b"\x89PNG\r\n"
CHUNKS = "chunks"
# What messages name for data that are no records.
OTHER_SHAPES = '"Arrays of another shape" in docs/how-to/labels.md shows how to make records of it'
# So many records are looked at; of fewer than this nothing is concluded.
MOST_RECORDS, LEAST_RECORDS = 100, 3
LEAST_SHARE = 0.9
# A line of names, and some of comment, may come first.
LOOKED_AT_LINES = 20
IF_NAMED = " (read where a line above says which is time, such as: Time (us), Channel A)"
_NUMBER = r"[-+]?[\d.]+(?:[eEdD][-+]?\d+)?"
_PLACE = rf"\S+\s+\S+\s+{_NUMBER}\s+{_NUMBER}"
# Inputs of SPECFEM2D and what it writes of them, by name, and the first line that is no comment: a
# trace may have such a name.
SPECFEM_FILES = {
    r"Par_file": r"\w+\s*=",
    r"SOURCE": r"(source_surf|xs)\s*=",
    r"STATIONS|for_information_STATIONS_actually_used|output_list_stations\.txt": _PLACE,
    r"for_information_SOURCE_actually_used": rf"{_NUMBER}\s+{_NUMBER}$",
    r"interfaces\w*\.dat": r"\d+$",
}
# Where the mark of an archive stands, and what it is called; an npz is a zip, too.
PACKED = (
    (0, b"\x1f\x8b", "gzip"),
    (0, b"\x1f\x9d", "compress"),
    (0, b"BZh", "bzip2"),
    (0, b"\xfd7zXZ", "xz"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"),
    (0, b"PK\x03\x04", "zip"),
    (0, b"7z\xbc\xaf", "7z"),
    (0, b"Rar!", "rar"),
    (257, b"ustar", "tar"),
)
MAGIC = {
    b"\x93NUMPY": "a NumPy array, which numpy.load reads",
    b"TDSm": "a TDMS file, which npTDMS reads",
}


def metadata_kind(path: Path, head: bytes) -> str:
    r"""Return what a file of no waveform format is by its first bytes, in words; empty if unknown.

    Example:
        >>> metadata_kind(Path("a"), b"<?xml version='1.0'?><FDSNStationXML xmlns='x'>")
        'StationXML'
        >>> metadata_kind(Path("a.csv"), b"station,latitude\nA,1\n")
        'a table'
        >>> metadata_kind(Path("a.csv"), b"time,volt\n0,1\n")
        ''
    """
    if _CONTROL.match(head):
        return "dataless SEED" if _is_text(path) else ""
    if _RESP.search(head):
        return "a SEED response (RESP)"
    if head.startswith(PNG):
        return "a figure"
    text = head.decode("utf-8-sig", "ignore").lstrip()
    if re.match(r'\{\s*"', text):
        return "JSON"
    if path.name == CHUNKS and (path.parent / f"metadata{text.split()[0]}.csv").is_file():
        return "a list of chunks"
    if text.startswith("<"):
        root = _ROOT.search(text)
        return ROOTS.get(root[1], "XML") if root else "XML"
    if path.name.upper().startswith("README") or path.suffix.lower() in NOTES:
        return NOTE if "\0" not in text else ""
    names = re.split(r"[,;|\t]", text.split("\n", 1)[0].lower().lstrip("# "))
    return "a table" if len(names) > 1 and COLUMNS & {name.strip(' \r"') for name in names} else ""


def specfem_kind(path: Path, head: bytes) -> str:
    r"""Return what an input of SPECFEM2D is, by its first bytes, in words; empty for other files.

    Example:
        >>> specfem_kind(Path("interfaces.dat"), b"# number of interfaces\n 4\n#\n2\n0 0\n")
        'an input of SPECFEM2D'
        >>> specfem_kind(Path("interfaces.dat"), b"0.0 1.5\n0.1 1.7\n")
        ''
    """
    for name, first in SPECFEM_FILES.items():
        if re.fullmatch(name, path.name):
            text = (line.split("#")[0].strip() for line in head.decode("latin-1").splitlines())
            line = next(filter(None, text), "")
            return "an input of SPECFEM2D" if re.match(first, line) else ""
    return ""


def _is_text(path: Path) -> bool:
    """Tell if all of a file is text, as control headers of SEED are; padding does not count."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            if _BINARY.search(chunk):
                return False
    return True


def said_of_metadata(kinds: dict[Path, str]) -> str:
    """Return one sentence on the files that were passed over, by what they are.

    Example:
        >>> said_of_metadata({Path("in/a.xml"): "StationXML", Path("in/b.xml"): "StationXML"})
        '2 files are no waveforms, and passed over: a.xml, b.xml (StationXML)'
    """
    by_kind: dict[str, list[str]] = {}
    for path, kind in kinds.items():
        by_kind.setdefault(kind, []).append(path.name)
    listed = [f"{some(names)} ({kind})" for kind, names in by_kind.items()]
    count = f"{len(kinds)} files are no waveforms" if len(kinds) > 1 else "a file is no waveform"
    return f"{count}, and passed over: {', '.join(listed)}"


def array_kind(head: bytes) -> str:
    r"""Return what arrays of no known layout a file holds, by its first bytes; empty for others.

    Example:
        >>> array_kind(b"time;S1;S2\n0,1;5,0;6\n")[:17], array_kind(b"\x93NUMPY"), array_kind(b"")
        ('text of 3 columns', 'a NumPy array, which numpy.load reads', '')
    """
    for magic, kind in MAGIC.items():
        if head.startswith(magic):
            return kind
    for line in head.decode("latin-1").splitlines()[:LOOKED_AT_LINES]:
        cells = re.split(r"\s*[;\t]\s*" if re.search(r"[;\t]", line) else r"[,\s]+", line.strip())
        if len(cells) > 1 and all(re.fullmatch(r"[-+\d.,eE]+", cell) for cell in cells):
            return f"text of {len(cells)} columns{IF_NAMED}"
    return ""


def packing_of(head: bytes) -> str:
    r"""Return what a file is packed by, by its first bytes; empty for all that is no archive.

    Example:
        >>> packing_of(b"\x1f\x8b\x08"), packing_of(b"0 0.5")
        ('gzip', '')
    """
    return next((name for at, mark, name in PACKED if head[at:].startswith(mark)), "")


def said_of_no_record(path: Path, lost: Sequence[str]) -> str:
    """Say that none of the records of a file can be used, for these reasons."""
    why = f", of {len(lost)}: {lost[0]}" if lost else ""
    return (
        f"{path} holds no record that can be used{why}. In HDF5 a record is a dataset of (samples, "
        "channels), or a group with such a one called data, with the attributes sampling_rate_hz, "
        f"channels, station and start_time. If an array is of several events or sensors: "
        f"{OTHER_SHAPES}"
    )


def check_are_channels(
    records: Iterable[tuple[int, Mapping[str, Sequence[float]]]], where: str
) -> None:
    """Refuse records of which nearly each has as many arrivals of a phase as nameless channels.

    Args:
        records: number of channels and arrivals by phase; of channels that have no names.
        where: they are, for the error.

    Raises:
        FormatError: if each channel seems to be a sensor, with its own arrival.

    Example:
        >>> check_are_channels([(3, {"P": (410.0,)})] * 5, "a.h5")
        >>> check_are_channels([(3, {"P": (410.0, 415.0, 422.0)})] * 5, "a.h5")
        Traceback (most recent call last):
        ...
        phasenet_keras.types.FormatError: a.h5: 5 of 5 records have 3 channels without names and 3 \
arrivals of P: are these 3 sensors? A record is of one sensor; "Arrays of another shape" in \
docs/how-to/labels.md shows how to make records of it
    """
    found = list(records)
    for phase in sorted({phase for _, arrivals in found for phase in arrivals}):
        alike = [n for n, arrivals in found if n > 1 and len(arrivals.get(phase, ())) == n]
        if len(alike) >= max(LEAST_RECORDS, LEAST_SHARE * len(found)):
            raise FormatError(
                f"{where}: {len(alike)} of {len(found)} records have {alike[0]} channels without "
                f"names and {alike[0]} arrivals of {phase}: are these {alike[0]} sensors? A record "
                f"is of one sensor; {OTHER_SHAPES}"
            )
