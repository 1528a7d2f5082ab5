"""Tables of labels whose columns can be taken in two ways."""

from __future__ import annotations

import re

import pytest
from obspy import UTCDateTime
from row_tables import table_of
from sources import run, write_text_files
from traces import noise, trace

from phasenet_keras import read_labelled
from phasenet_keras.io.catalogs import read_arrivals
from phasenet_keras.io.geometry import read_geometry
from phasenet_keras.io.labels.rows import numbered_rows, read_label_table
from phasenet_keras.io.registry import RecordWarning, noted
from phasenet_keras.types import FormatError


def test_a_column_that_is_there_twice_is_refused(tmp_path, capsys):
    text = "fname,itp,ITP\nt0.txt,100,150\n"
    with pytest.raises(FormatError, match="column 'itp' is there twice: rename one"):
        table_of(tmp_path, text)
    write_text_files(tmp_path / "raw", ["t0.txt"])
    labels = ["--labels", tmp_path / "labels.csv"]
    assert run(tmp_path / "raw", *labels, "--output", tmp_path / "set") == 2
    assert "column 'itp' is there twice" in capsys.readouterr().err
    table_of(tmp_path, "fname,itp,,\nt0.txt,100,,\n")  # columns without a name


def test_numbers_in_the_first_line_are_no_names_of_columns(tmp_path):
    text = "1 2024 03 01 00:10:00 3 3 6 3 100\nXX AAA P 602.0 2.0 1e-3 0.01 0.9 120\n"
    (tmp_path / "phase_sel.txt").write_text(text)
    with pytest.raises(FormatError, match=r"its first line holds numbers, .* station, phase and"):
        read_arrivals(tmp_path / "phase_sel.txt")
    (tmp_path / "css.arrival").write_text("AAA 1709251802.0 1 2024061 -1 -1 HHZ P\n")
    with pytest.raises(FormatError, match="its first line holds numbers"):
        read_arrivals(tmp_path / "css.arrival")


def test_words_of_names_of_columns_are_joined(tmp_path):
    header = "Station,Phase,Modelled-Time,PickTime,Pick Error (ms),FName,eventIdx"
    table = table_of(tmp_path, f"{header}\nA,P,x,2024-03-01T00:00:01.25,9,a,\n")
    columns = ("station", "phase", "modelled_time", "pick_time", "pick_error_ms", "fname")
    assert table.columns == (*columns, "event_idx")
    [arrival] = read_arrivals(tmp_path / "labels.csv")  # QuakeMigrate calls the time so
    assert (arrival.phase, arrival.time) == ("P", UTCDateTime("2024-03-01T00:00:01.25"))
    table = table_of(tmp_path, "File Name,P Sample\na.txt,7\n")
    assert (table.file_column, table.sample_columns) == ("file_name", {"P": "p_sample"})
    table = table_of(tmp_path, "Event ID,event_id,P ms,P-S\nK,7,50,40\n")  # one is there already
    assert table.columns == ("event id", "event_id", "p_ms", "p-s")
    assert (table.rows[0]["event_id"], table.sample_columns) == ("7", {"P": "p_ms"})


def test_a_table_that_begins_with_an_event_is_no_catalogue(tmp_path):
    write_text_files(tmp_path / "raw", ["t0.txt"])
    (tmp_path / "labels.csv").write_text("Event ID,Station,P onset\n7,t0,100\n")
    with pytest.raises(FormatError, match="understood event_id, station; not understood p_onset"):
        list(read_labelled(tmp_path / "raw", tmp_path / "labels.csv"))


@pytest.mark.parametrize(
    ("header", "row", "n_cells"),
    [
        ("station,phase,time", "A,P,2024-03-01 00:00:01,25", 4),  # the decimals would be lost
        ("station,p_time,s_time", "A,2024-03-01 00:00:01,25,2024-03-01 00:00:02", 4),
        ("station\tphase\ttime", "1\tA\tP\t2024-03-01T00:00:01", 4),  # R's names of rows
    ],
)
def test_a_row_of_times_with_a_cell_too_many_is_damaged(tmp_path, header, row, n_cells):
    path = tmp_path / "t.csv"
    path.write_text(f"{header}\n{row}\n")
    with pytest.raises(FormatError, match=f"row 1 has {n_cells} cells, the header 3: quote those"):
        read_arrivals(path)
    good = row.replace(",25", "").removeprefix("1\t") + header[7] * 2  # empty ones do no harm
    path.write_text(f"{header}\n{row}\n{good}\n")
    with pytest.warns(RecordWarning, match="left out: 1 damaged, the first is row 1 has 4 cells"):
        arrivals = read_arrivals(path)
    assert arrivals[0].time == UTCDateTime("2024-03-01T00:00:01")


@pytest.mark.parametrize("sign", [",", "; ", " ", "\t"])
def test_a_sign_in_a_remark_at_the_end_costs_no_arrival(tmp_path, sign):
    rows = ["t0.txt,100,good,", "t1.txt,120,good,late, but, clear", "t2.txt,140,poor,see shot 3"]
    separated = [row.replace(",", sign.strip() or sign) for row in ["fname,itp,class,note", *rows]]
    table = table_of(tmp_path, "\n".join(separated))
    assert [row["itp"] for row in table.rows] == ["100", "120", "140"]
    assert [row["class"] for row in table.rows] == ["good", "good", "poor"]
    path = tmp_path / "t.csv"
    path.write_text("station,phase,time,note\n" + "".join(
        f"A,P,2024-03-01T00:00:0{second},{note}\n" for second, note in enumerate(("", "a, b"))
    ))  # fmt: skip
    assert [arrival.time.second for arrival in read_arrivals(path)] == [0, 1]


def test_a_sign_in_front_of_an_event_names_no_other_event(tmp_path):
    rows = ["t0.txt,100,Bari,e1,good", "t1.txt,120,Rome, Italy,e2,late"]
    with pytest.raises(FormatError, match="row 2 has 6 cells, the header 5"):
        table_of(tmp_path, "\n".join(["fname,itp,place,event,note", *rows]))
    rows = ["t0.txt,e1,100,good", "t1.txt,e2,120,late, clear"]
    table = table_of(tmp_path, "\n".join(["fname,event,itp,note", *rows]))
    assert [row["event"] for row in table.rows] == ["e1", "e2"]


@pytest.mark.parametrize(
    "row", ["t1.txt,12,5,good,late", "t1.txt,120,good,5,late", "t1.txt,120,50,1,2"]
)
def test_a_sign_elsewhere_in_a_row_moves_its_cells_and_is_refused(tmp_path, row):
    with pytest.raises(FormatError, match="row 2 has 5 cells, the header 4: a comma in a number"):
        table_of(tmp_path, f"fname,itp,class,note\nt0.txt,100,good,\n{row}\n")


def test_of_a_table_of_samples_that_cannot_be_read_it_is_said_why(tmp_path, capsys):
    write_text_files(tmp_path / "raw", ["t0.txt"])
    (tmp_path / "labels.csv").write_text("fname,itp,its\nt0.txt,100,50,120,25\n")
    labels = ["--labels", tmp_path / "labels.csv"]
    assert run(tmp_path / "raw", *labels, "--output", tmp_path / "set") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "labels.csv: row 1 has 5 cells, the header 3: a comma in a number or a name?" in said


@pytest.mark.parametrize(
    "first", ["sep=;\n", '"sep=;"\r\n', "\n", ";;\n", "sep=;;\n", "\n  \n# by K.\n\n"]
)
def test_lines_before_the_names_of_columns_are_left_out(tmp_path, first):
    table = table_of(tmp_path, f"{first}fname;itp\nt0.txt;62,5\n")
    assert table.rows == ({"fname": "t0.txt", "itp": "62.5"},)
    path = tmp_path / "times.csv"
    path.write_text(f"{first}station;p_time\nA;2020-01-01T00:00:10,25\n")
    [arrival] = read_arrivals(path)
    assert str(arrival.time) == "2020-01-01T00:00:10.250000Z"


@pytest.mark.parametrize("between", ["", ";;\n", " ; ;\n\n;;\n"])
def test_rows_of_empty_cells_are_left_out(tmp_path, between):
    table = table_of(tmp_path, f"fname;itp;its\nt0.txt;62,5;\n{between}t1.txt;70;80\n{between}")
    assert [row["its"] for row in table.rows] == ["", "80"]
    path = tmp_path / "times.csv"
    rows = "".join(f"A;P;2020-01-01T00:00:{second}\n{between}" for second in (10, 11))
    path.write_text(f"station;phase;time\n{rows}")
    assert [arrival.time.second for arrival in read_arrivals(path)] == [10, 11]


@pytest.mark.parametrize("between", ["", ";;\n", "\n", " ; ;\n\n;;\n"])
def test_rows_are_called_by_their_place_in_the_file_also_behind_empty_ones(tmp_path, between):
    number = 2 + between.count("\n")
    table = table_of(tmp_path, f"fname;itp;its\nt0.txt;62,5;\n{between}t1.txt;70;80\n")
    assert [number for number, _ in numbered_rows(table)] == [1, number]
    path = tmp_path / "labels.csv"
    path.write_text(f"fname;itp;its\nt0.txt;62,5;\n{between}t1.txt;7 050;80\n")
    with pytest.raises(FormatError, match=f"itp of row {number} should be a number"):
        numbered_rows(read_label_table(path))
    path.write_text(f"fname;itp;its\nt0.txt;62,5;\n{between}t1.txt;70;80;9\n")
    with pytest.raises(FormatError, match=f"row {number} has 4 cells"):
        read_label_table(path)
    path.write_text(f"station;phase;time\nA;P;2020-01-01T00:00:01\n{between}A;P;soon\n")
    with pytest.warns(RecordWarning, match=f"the first is row {number}: "):
        assert len(read_arrivals(path)) == 1
    path.write_text(f"shot;receiver;x\n1;;0\n{between};A;4\n;B;far\n")
    assert [item.row for item in read_geometry(path).bad] == [number + 1]


@pytest.mark.parametrize("at_end", ["", ",\n,\n"])
def test_a_row_of_empty_cells_is_one_where_rows_are_in_order(tmp_path, at_end):
    write_text_files(tmp_path / "raw", ["t0.txt", "t1.txt", "t2.txt"])
    (tmp_path / "labels.csv").write_text(f"itp,its\n62,80\n,\n70,90\n{at_end}")
    with pytest.warns(RecordWarning, match="empty, or NaN and such, in 1 of 3 rows"):
        found = {
            r.name: r.arrivals for r in read_labelled(tmp_path / "raw", tmp_path / "labels.csv")
        }
    assert found == {
        "t0": {"P": (62.0,), "S": (80.0,)},
        "t1": {"P": (), "S": ()},
        "t2": {"P": (70.0,), "S": (90.0,)},
    }


@pytest.mark.parametrize(
    ("title", "line"),
    [
        ("Line of May;;;;\n", 2),
        ("Line of May\n\n;;;;\nnode;;onset;;\n", 5),
    ],
)
@pytest.mark.parametrize("names", ["fname;remark;p_ms", "station;phase;time;by"])
def test_a_title_before_the_names_of_columns_is_told(tmp_path, title, line, names, capsys):
    write_text_files(tmp_path / "raw", ["t0.txt"])
    labels = tmp_path / "labels.csv"
    labels.write_text(f"{title}{names}\nt0.txt;;9\n")
    assert run(tmp_path / "raw", "--labels", labels, "--output", tmp_path / "set") == 2
    err = " ".join(capsys.readouterr().err.split())
    said = f"the names of its columns ({', '.join(names.split(';'))}) are in line {line}: take out"
    assert said in err


@pytest.mark.parametrize(
    "text",
    [
        "station,phase,date,time\nA,P,2020-01-01,00:00:10.25\n",
        "station;phase;date;time\nA;P;2020-01-01;00:00:10,25\n",
        "station,Date,P_time\nA,2020-01-01,00:00:10.25\n",
        "station,date,p_time\nA,1999-09-09,2020-01-01T00:00:10.25\n",
    ],
)
def test_date_and_time_in_two_columns(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    [arrival] = read_arrivals(tmp_path / "a.csv")
    assert str(arrival.time) == "2020-01-01T00:00:10.250000Z"


def test_a_sensor_is_a_station_where_no_column_is_called_so(tmp_path):
    path = tmp_path / "times.csv"
    for text, station in (("sensor", "A"), ("station,sensor", "B")):
        cells = "B,A" if "station" in text else "A"
        path.write_text(f"{text},phase,time\n{cells},P,2020-01-01T00:00:10\n")
        assert [arrival.station for arrival in read_arrivals(path)] == [station]


@pytest.mark.parametrize("column", ["phase_time", "arrival_time", "pick_time", "peak_time"])
def test_the_time_of_an_origin_is_not_taken_for_that_of_an_arrival(tmp_path, column):
    row = f"e0,{UTCDateTime(5.13)},XX.ST0,P,{UTCDateTime(15.21)}\n"
    (tmp_path / "a.csv").write_text(f"event,time,station,phase,{column}\n{row}")
    [arrival] = read_arrivals(tmp_path / "a.csv")
    assert arrival.time == UTCDateTime(15.21)


@pytest.mark.parametrize(
    ("header", "row", "said"),
    [
        (
            "p_index,itp",
            "62,90",
            "columns p_index and itp of the table have different arrivals of P",
        ),
        ("itp,p_idx", "62,62 90", "columns itp and p_idx"),
        ("itp,p_idx", "62,900", "columns itp and p_idx"),  # outside of the record
        ("p_index,p_time_s", "62,0.035", "columns p_index and p_time_s"),
        ("p_index,p_ms", ",31", "columns p_index and p_ms"),
        ("p_index,itp", "62,63", ""),  # counted from 1
        ("p_index,p_time_s", "62,0.031", ""),
        ("p_index,p_time_s", "62,0.03", ""),  # no more decimals
        ("p_index,itp", "62,", ""),
        ("p_index,p_after_trigger_ms", "62,31", ""),
    ],
)
def test_columns_of_one_phase_that_disagree_are_said(tmp_path, header, row, said):
    write_text_files(tmp_path / "raw", ["t0.txt"])  # 2 kHz
    (tmp_path / "l.csv").write_text(f"fname,{header}\nt0.txt,{row}\n")
    with noted() as texts:
        [record] = read_labelled(tmp_path / "raw", tmp_path / "l.csv")
    counts = header.partition(",")[0]
    assert record.arrivals == {"P": () if row[0] == "," else (62.0,)}
    found = [text for text in texts if text.startswith("columns")]
    assert len(found) == bool(said)
    for text in found:
        assert text.startswith(said)
        assert f": {counts} counts; leave out the one that is wrong" in text


@pytest.mark.parametrize(
    ("header", "cells", "said"),
    [
        ("sample,time_s", "62,0.035", "columns p_sample and p_time_s of the table"),
        ("time_ms,sample", "35,62", "columns p_sample and p_time_ms of the table"),
        ("sample,time_s", "62,0.031", ""),
        ("sample,time_s", "62,", ""),
    ],
)
def test_columns_of_one_arrival_a_row_that_disagree_are_said(tmp_path, header, cells, said):
    write_text_files(tmp_path / "raw", ["t0.txt"])  # 2 kHz
    (tmp_path / "l.csv").write_text(f"fname,phase,{header}\nt0.txt,P,{cells}\n")
    with noted() as texts:
        [record] = read_labelled(tmp_path / "raw", tmp_path / "l.csv")
    assert record.arrivals == {"P": (62.0,)}
    found = [text for text in texts if "different arrivals" in text]
    assert found == (
        [f"{said} have different arrivals of P: p_sample counts; leave out the one that is wrong"]
        if said
        else []
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("station,P,S\n5,{t},\n", "understood station; not understood p, s. A row is"),
        ("Station,Phase,Arrival\n5,P,{t}\n", "phase; not understood arrival (arrival_time?)."),
        ("ffid,channel,fb_ms\n1,1,12\n", "understood ffid, channel; not understood fb_ms (p_ms?)."),
        (
            "FFID;CHAN;p_arrival_ms\n1;1;12,0\n",
            "ffid, chan; not understood p_arrival_ms (p_time_ms?)",
        ),
        (
            "ffid," + ",".join(f"r{n}" for n in range(9)) + "\n1\n",
            "r0, r1, r2, r3, r4, …. A row is",
        ),
        ("station,date,time\n5,{t},{t}\n", "understood station, date, time. A row is"),
        ("station,start_s,distance_km\n5,0,1\n", "not understood start_s, distance_km. A row"),
        ("station,phase,dt_s\n5,P,0.1\n", "understood station, phase; not understood dt_s. A row"),
        ("station,p_pick_sample\n5,0\n", "not understood p_pick_sample (p_sample?). A row"),
        ("fname,onset_us\nt0.txt,9\n", "fname; not understood onset_us (time_us?). A row"),
        ("fname,p_ns,s_us2\nt0.txt,9,9\n", "fname; not understood p_ns, s_us2 (s_us?). A row"),
        ("file,p_time\nt0.txt,{t}\n", "understood file, p_time. Times (UTC) go to the records of"),
        (
            "sta,p_arrival_sample,p_arrival_time\n" + 2 * "A,7,{t}\n",
            "p_arrival_time; not understood sta (station?). Times (UTC) go to the records of their",
        ),
    ],
)
def test_columns_that_are_nearly_those_wanted_are_named(tmp_path, text, said, capsys):
    write_text_files(tmp_path / "raw", ["t0.txt"])
    labels = tmp_path / "labels.csv"
    labels.write_text(text.replace("{t}", "2020-01-01T00:00:00"))
    assert run(tmp_path / "raw", "--labels", labels, "--output", tmp_path / "set") == 2
    err = " ".join(capsys.readouterr().err.split())
    assert re.search(r"labels.csv(:| has 2 rows .* Of its columns are) understood ", err)
    assert said in err
    assert "p_time" in err
    assert len(err) < 500 + len(str(tmp_path))
    assert "b'" not in err


@pytest.mark.parametrize("name", ["weight", "Quality", "p_weight", "evaluation_status"])
def test_a_column_of_weights_is_said_not_to_be_used(tmp_path, name):
    """A 0 is the best weight in HYPO71, and no pick elsewhere."""
    words = rf"column {name.lower()} is not used \(1 in 2, 0 in 1 of 3 rows\): all rows are labels"
    of_samples = "".join(f"t{n}.txt,100,{n > 0:d}\n" for n in range(3))
    with pytest.warns(RecordWarning, match=words):
        numbered_rows(table_of(tmp_path, f"fname,itp,{name}\n{of_samples}"))
    path = tmp_path / "times.csv"
    of_times = "".join(f"A{n},P,2020-01-01T00:00:0{n},{n > 0:d}\n" for n in range(3))
    path.write_text(f"station,phase,time,{name}\n{of_times}")
    with pytest.warns(RecordWarning, match=words):
        assert len(read_arrivals(path)) == 3


@pytest.mark.parametrize(
    "text",
    [
        "fname,p_sample,weight\nr0.mseed,100,1\nr1.mseed,110,2\n",
        "station,p_time,weight\nR0,2022-03-04T05:06:09,1\nR1,2022-03-04T05:06:10,2\n",
    ],
)
def test_a_column_of_weights_is_said_once(tmp_path, text):
    (tmp_path / "raw").mkdir()
    for n in range(2):
        part = trace(noise(600), station=f"R{n}")
        part.write(str(tmp_path / f"raw/r{n}.mseed"), format="MSEED")
    (tmp_path / "labels.csv").write_text(text)
    with noted() as notes:
        assert len(list(read_labelled(tmp_path / "raw", tmp_path / "labels.csv"))) == 2
    assert sum("column weight is not used" in note for note in notes) == 1


def test_weights_that_are_all_alike_tell_nothing_apart(tmp_path, recwarn):
    numbered_rows(table_of(tmp_path, "fname,itp,weight\nt0.txt,100,1\nt1.txt,100,1\n"))
    assert not [one for one in recwarn if "not used" in str(one.message)]


def test_what_is_no_text_is_no_table(tmp_path):
    (tmp_path / "picks.mat").write_bytes(b"MATLAB 5.0 MAT-file".ljust(128) + b"\0\1,\0\2,\0")
    with pytest.raises(FormatError, match=r"picks\.mat is a MATLAB file: write its arrivals as a"):
        read_label_table(tmp_path / "picks.mat")
    (tmp_path / "picks.xlsx").write_bytes(b"PK\3\4\0\0,  ,  \n1,2,3\n")
    with pytest.raises(FormatError, match=r"picks\.xlsx is a workbook .*: save the sheet as CSV"):
        read_label_table(tmp_path / "picks.xlsx")
    (tmp_path / "picks.bin").write_bytes(b"\0\1,\0\1,\0\1\n")
    with pytest.raises(FormatError, match=r"picks\.bin is no text, as a table should be"):
        read_label_table(tmp_path / "picks.bin")
