"""S-files as SEISAN keeps them: one event each, written by hand."""

from __future__ import annotations

import warnings

import pytest
from obspy import UTCDateTime

from phasenet_keras.io.labels.files import scan_arrivals
from phasenet_keras.io.registry import noted
from phasenet_keras.types import FormatError

HEAD = " 2019  7 7 2359 55.0 LV 16.720 -62.180  2.3F MVO 13 0.2 1.2LMVO"
LINES = (
    " MBLG SZ IP     C 2359 56.00   45",
    " MBLG SN ES   2   2359 68.42",
    " MBRY BZ EP     D 24 0  1.37",
    " MBRY BN ES       24 0 14.35",
    " MBGH LZ EP   4   2359 58.10       123.4 0.35",
    " MBGH LZ EAML     2359 59.10       123.4 0.35",
)
COLUMNS = " STAT SP IPHASW D HRMM SECON CODA AMPLIT PERI AZIMU VELO AIN AR TRES W  DIS CAZ7"


def write_s_file(path, lines=LINES):
    path.parent.mkdir(exist_ok=True)
    text = [HEAD.ljust(79) + "1", COLUMNS, *(line.ljust(80) for line in lines), " " * 80]
    path.write_text("\n".join(text) + "\n")


def scanned(labels):
    with warnings.catch_warnings(action="error", category=UserWarning), noted() as said:
        arrivals, bad = scan_arrivals(labels)
    return arrivals, bad, " ".join(said)


def test_an_s_file_with_hour_24_seconds_above_59_and_weights(tmp_path):
    write_s_file(tmp_path / "REA/07-2359-55L.S201907")
    arrivals, bad, said = scanned(tmp_path / "REA")  # ObsPy warns of the depth that is fixed
    midnight = UTCDateTime(2019, 7, 8)
    found = {(a.station, a.phase): round(a.time - midnight, 3) for a in arrivals}
    assert found == {
        ("MBLG", "P"): -4.0,
        ("MBLG", "S"): 8.42,
        ("MBRY", "P"): 1.37,
        ("MBRY", "S"): 14.35,
    }
    assert not bad
    assert "2 of other phases (P of weight 0 1, AML 1)" in said


def test_s_files_without_picks_are_said_once_and_no_failure(tmp_path):
    write_s_file(tmp_path / "REA/07-2359-55L.S201907")
    for day in ("08", "09"):
        write_s_file(tmp_path / f"REA/{day}-0101-00L.S201907", ())
    arrivals, bad, said = scanned(tmp_path / "REA")
    assert len(arrivals) == 4
    assert not bad
    assert "2 files are of events without picks, and passed over: 08-0101" in said
    with pytest.raises(FormatError, match=r"of 2 files of labels can be used.* 1 event and no"):
        scan_arrivals(str(tmp_path / "REA/0[89]*"))


def test_an_s_file_that_cannot_be_read_is_no_note_but_a_failure(tmp_path):
    write_s_file(tmp_path / "REA/07-2359-55L.S201907")
    write_s_file(tmp_path / "REA/09-2359-55L.S201907", (LINES[0].replace("56.00", "*****"),))
    for name, text in {"hyp.out": "output\n", "motd": "\n by K.\n"}.items():
        (tmp_path / "REA" / name).write_text(text)
    _, [bad], said = scanned(tmp_path / "REA")
    assert "09-2359-55L.S201907 looks like a catalogue, and cannot be read: could not conv" in bad
    assert "2 files are no table or catalogue, and passed over: hyp.out, motd" in said
