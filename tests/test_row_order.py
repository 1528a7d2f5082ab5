"""Rows that name their file in a column of any name, and rows that are in order alone."""

from __future__ import annotations

import pytest
from row_tables import SENSORS, SHUFFLED, label, read
from sources import write_text_files

from phasenet_keras.types import FormatError


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("filename,itp", "ev{}_{}.txt,{}"),
        ("Datei,itp", "ev{}_{}.txt,{}"),
        ("wave,quality,itp", r"C:\lab\ev{}_{},good,{}"),
        ("itp,record,event", "{2},ev{0}_{1},{0}"),
        ("path,stem,itp", "/lab/in/ev{0}_{1}.txt,ev{0}_{1},{2}"),  # two columns of the same files
        ("stem,windows,itp", r"ev{0}_{1},C:\lab\ev{0}_{1}.txt,{2}"),
    ],
)
def test_a_column_of_any_name_that_holds_names_of_files_is_theirs(tmp_path, header, row):
    write_text_files(tmp_path / "in", [f"ev{e}_{s}.txt" for e, s in SENSORS])
    rows = [row.format(e, s, label(e, s)) for e, s in SHUFFLED]
    records, bad, said = read(tmp_path / "in", header, rows)
    assert (bad, said) == ([], [])
    found = {record.name: record.arrivals["P"] for record in records}
    assert found == {f"ev{e}_{s}": (label(e, s),) for e, s in SENSORS}


def test_a_file_whose_name_has_no_ending_is_one_file(tmp_path):
    write_text_files(tmp_path / "in", ["q1", "q2"])
    records, bad, _ = read(tmp_path / "in", "fname,itp", ["q2,60", "q1,50"])
    assert bad == []
    assert {r.name: r.arrivals["P"] for r in records} == {"q1": (50.0,), "q2": (60.0,)}


@pytest.mark.parametrize(
    ("header", "row", "column"),
    [
        ("event,sensor,itp", "ev{0},{1},{3}", "event"),  # words of the names
        ("event,itp", "{0},{3}", "event"),  # numbers of the names
        ("source_id,geophone_code,itp", "{0}a,G{2},{3}", "geophone_code"),  # of no name
        ("datei,itp", "mes{0:02d}-{1}.sac,{3}", "datei"),  # names of other files
        ("nslc,itp", "XX.E{0:02d}{1}..HHZ,{3}", "nslc"),
    ],
)
def test_rows_that_a_column_puts_in_another_order_are_refused(tmp_path, header, row, column):
    write_text_files(tmp_path / "in", [f"ev{e}_{s}.txt" for e, s in SENSORS])
    rows = [row.format(e, s, s[1:], label(e, s)) for e, s in SHUFFLED]
    with pytest.raises(FormatError, match=f"by its column '{column}' the rows may be in another"):
        read(tmp_path / "in", header, rows)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("itp", "{3}"),
        ("event,sensor,itp", "ev{0},{1},{3}"),
        (",event,geophone_code,snr,quality,itp", "{3:.0f},{0},G{2},1.{3:.0f},fair,{3}"),
    ],
)
def test_rows_in_the_order_of_the_files_are_said_to_be(tmp_path, header, row):
    write_text_files(tmp_path / "in", [f"ev{e}_{s}.txt" for e, s in SENSORS])
    rows = [row.format(e, s, s[1:], label(e, s)) for e, s in SENSORS]
    records, bad, [said] = read(tmp_path / "in", header, rows)
    assert bad == []
    assert said.endswith("row 1 for ev2_S1.txt, row 6 for ev10_S3.txt")
    found = {record.name: record.arrivals["P"] for record in records}
    assert found == {f"ev{e}_{s}": (label(e, s),) for e, s in SENSORS}


@pytest.mark.parametrize("column", ["event", "quality", "depth_km", "itp_quality"])
@pytest.mark.parametrize("value", [lambda n: 1, lambda n: n % 3 + 1, lambda n: n + 1])
def test_numbers_that_are_names_of_files_by_chance_name_none(tmp_path, column, value):
    write_text_files(tmp_path / "in", [f"{n}.txt" for n in range(1, 7)])
    rows = [f"{value(n)},{50 + n}" for n in range(6)]
    records, bad, _ = read(tmp_path / "in", f"{column},itp", rows)
    assert bad == []
    assert {r.name: r.arrivals["P"] for r in records} == {str(n + 1): (50.0 + n,) for n in range(6)}
    with pytest.raises(FormatError, match=f"by its column '{column}'"):
        read(tmp_path / "in", f"{column},itp", [f"{6 - n},{50 + n}" for n in range(6)])


@pytest.mark.parametrize(
    "text",
    ["2024-03-01T10:00:{:02d}", "10:00:{:02d}", "seen {} times", "9f8e7d6c5b4a{:02d}", "word"],
)
def test_times_and_remarks_say_nothing_of_the_order_of_rows(tmp_path, text):
    write_text_files(tmp_path / "in", [f"a{n}.txt" for n in range(5)])
    words = ["zero", "good", "fair", "bad", "Ann"] if text == "word" else []
    cells = words or [text.format(40 - 7 * n) for n in range(5)]
    rows = [f"{cell},{50 + n}" for n, cell in enumerate(cells)]
    records, bad, _ = read(tmp_path / "in", "note,itp", rows)
    assert bad == []
    assert [record.arrivals["P"] for record in records] == [(50.0 + n,) for n in range(5)]


def test_one_name_in_two_folders_is_that_of_the_folder_that_is_there(tmp_path):
    (tmp_path / "in").mkdir()
    write_text_files(tmp_path / "in/d2", ["a.txt", "b.txt"])
    rows = ["d1/a.txt,50", "d2/a.txt,60", "/elsewhere/b.txt,70"]
    records, bad, _ = read(tmp_path / "in", "fname,itp", rows)
    assert bad == ["row 1: there is no file of this name or station (d1/a.txt)"]
    assert {r.name: r.arrivals["P"] for r in records} == {"a": (60.0,), "b": (70.0,)}


def test_a_file_that_is_not_in_its_folder_is_not_one_of_its_name_in_another(tmp_path):
    (tmp_path / "in").mkdir()
    write_text_files(tmp_path / "in/d1", ["b.txt"])
    write_text_files(tmp_path / "in/d2", ["a.txt", "c.txt"])
    rows = ["d1/a.txt,50", "/lab/d1/a,60", "/lab/a.txt,70", "/lab/x/c.txt,80", "d1/b.txt,90"]
    records, bad, _ = read(tmp_path / "in", "fname,itp", rows[:1] + rows[3:])
    assert bad == ["row 1: there is no file of this name or station (d1/a.txt)"]
    assert {r.name: r.arrivals["P"] for r in records} == {"b": (90.0,), "c": (80.0,)}
    records, bad, _ = read(tmp_path / "in", "fname,itp", rows[1:2])
    assert (records, bad) == ([], ["row 1: there is no file of this name or station (/lab/d1/a)"])
    [record], bad, _ = read(tmp_path / "in", "fname,itp", rows[2:3])
    assert (record.name, record.arrivals, bad) == ("a", {"P": (70.0,)}, [])
