"""Files that lie among waveforms and are none: station metadata, catalogues, tables, notes."""

from __future__ import annotations

import re
from pathlib import Path

from phasenet_keras.io.wording import some

__all__ = ["CATALOGUES", "NOTE", "metadata_kind", "said_of_metadata"]

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
NOTES = (".md", ".rst")


def metadata_kind(path: Path, head: bytes) -> str:
    r"""Return what a file is that is known to be no waveform, in words; empty for all others.

    Args:
        path: of a file of no waveform format.
        head: its first bytes.

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
    text = head.decode("utf-8-sig", "ignore").lstrip()
    if text.startswith("<"):
        root = _ROOT.search(text)
        return ROOTS.get(root[1], "XML") if root else "XML"
    if path.name.upper().startswith("README") or path.suffix.lower() in NOTES:
        return NOTE if "\0" not in text else ""
    names = re.split(r"[,;|\t]", text.split("\n", 1)[0].lower().lstrip("# "))
    return "a table" if len(names) > 1 and COLUMNS & {name.strip(' \r"') for name in names} else ""


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
