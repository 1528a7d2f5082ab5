"""Rows of gathers: which trace, and which shot of a file, each is of."""

from __future__ import annotations

import numpy as np
import pytest
from obspy import read as obspy_read
from row_tables import TRACES, are_right, read, write_line
from sources import noise


@pytest.mark.parametrize("column", ["channel", "chan", "geophone", "geo_nr", "kanal"])
def test_numbers_of_traces_are_theirs_whatever_the_column_is_called(tmp_path, column):
    write_line(tmp_path / "in", shots=[1001])
    rows = [f"line.su,{n},{10 + n}" for _, n in TRACES[4:]]
    records, bad, said = read(tmp_path / "in", f"fname,{column},itp", rows)
    assert (bad, are_right(records, 4)) == ([], True)
    assert [
        text for text in said if f"'{column}' is taken for the number of the trace" in text
    ] == (said if column in ("geo_nr", "kanal") else [])


def test_rows_of_a_gather_are_in_order_where_nothing_says_otherwise(tmp_path):
    write_line(tmp_path / "in", shots=[1001])
    records, bad, [said] = read(
        tmp_path / "in", "fname,itp", [f"line.su,{n}" for n in range(11, 15)]
    )
    assert (bad, are_right(records, 4)) == ([], True)
    assert "they are taken in the order of the traces" in said
    for cells in ((104, 103, 102, 101), ("D", "C", "B", "A")):
        rows = [f"line.su,{cell},{n}" for cell, n in zip(cells, range(11, 15), strict=True)]
        records, bad, _ = read(tmp_path / "in", "fname,stake,itp", rows)
        assert (records, len(bad)) == ([], 4)
        assert "in another order than its traces, by their column 'stake'" in bad[0]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("fname,ffid,trace", "line.su,{0},{1}"),
        ("shot,trace", "{0},{1}"),
        ("FFID,chan", "0{0},{1}"),
        ("ffid,station_no", "{0},{1}"),
        ("fname,shot,trace_in_file", "line.su,{0},{2}"),
        ("fname,fldr,trace", "line.su,{0},{2}"),  # numbers through the file, as it is a line
    ],
)
@pytest.mark.parametrize("first", [1, 0])
def test_traces_of_a_line_in_one_file_are_found_by_their_headers(tmp_path, header, row, first):
    if first == 0:  # no number in the headers: traces of a shot are counted
        write_line(tmp_path / "in", trace_number_within_the_original_field_record=0)
    else:
        write_line(tmp_path / "in")
    rows = [row.format(s, n, n + 4 * (s - 1001)) + f",{10 * (s % 100) + n}" for s, n in TRACES]
    records, bad, _ = read(tmp_path / "in", f"{header},itp", rows)
    assert (bad, are_right(records, 8)) == ([], True)
    assert {r.gather.lstrip("shot 0") for r in records} == {"1001", "1002"}


def test_traces_have_the_numbers_of_their_headers_and_shots_those_of_source_points(tmp_path):
    write_line(tmp_path / "in", first=13)
    rows = [f"{s},{n + 12},{10 * (s % 100) + n}" for s, n in TRACES]
    records, bad, _ = read(tmp_path / "in", "shot,trace,itp", rows)
    assert (bad, are_right(records, 8)) == ([], True)
    rows = ["1002,13,21", "1002,17,25", "1003,13,31"]
    records, bad, _ = read(tmp_path / "in", "fname,ffid,trace,itp", [f"line,{r}" for r in rows])
    assert are_right(records, 1)
    assert "by its headers line.su holds no trace 17 of shot 1002" in bad[0]
    assert "no trace 13 of shot 1003; its shots are 1001, 1002" in bad[1]


def test_a_shot_that_two_files_hold_is_not_taken_from_the_first(tmp_path):
    write_line(tmp_path / "in")
    (tmp_path / "in/line1002.su").write_bytes((tmp_path / "in/line.su").read_bytes())
    records, bad, _ = read(tmp_path / "in", "shot,trace,itp", [f"{s},{n},9" for s, n in TRACES])
    assert (records, len(bad)) == ([], 8)
    assert "2 files are named after shot '1002', or hold it: name the file" in bad[0]


def test_several_arrivals_on_most_traces_of_a_gather_are_asked_about(tmp_path):
    write_line(tmp_path / "in")
    rows = [f"line.su,{s},{n},{50 * (s % 100) + n}" for s, n in TRACES]
    records, _, [said] = read(tmp_path / "in", "fname,blast,trace,itp", rows)
    assert (
        "4 of 4 traces have several P, such as line-1001-0004: if they are of several shots" in said
    )
    assert {record.gather for record in records} == {"line-1001"}
    assert np.all([len(record.arrivals["P"]) == 2 for record in records])


def test_rows_of_one_shot_are_not_all_of_the_file_of_its_number(tmp_path):
    write_line(tmp_path / "one", shots=[1001], n_traces=1)
    (tmp_path / "in").mkdir()
    for n in range(1, 5):
        content = (tmp_path / "one/line.su").read_bytes()
        (tmp_path / f"in/r_{n}.su").write_bytes(content)
    rows = [f"1,{n},{50 + n}" for n in range(1, 5)]
    records, bad, _ = read(tmp_path / "in", "shot,receiver,itp", rows)
    assert bad == []
    assert {r.name: r.arrivals["P"] for r in records} == {
        f"r_{n}": (50.0 + n,) for n in range(1, 5)
    }


def test_rows_of_one_shot_are_not_all_of_the_one_trace_of_the_file_of_its_number(tmp_path):
    write_line(tmp_path / "one", shots=[1001], n_traces=1)
    (tmp_path / "in").mkdir()
    for n in range(1, 5):
        (tmp_path / f"in/r_{n}.su").write_bytes((tmp_path / "one/line.su").read_bytes())
    rows = [f"1,{n},{50 + n}" for n in (1, 2, 4)]
    records, bad, _ = read(tmp_path / "in", "shot,receiver,itp", rows)
    assert (records, len(bad)) == ([], 3)
    assert "r_1.su holds one trace, and 3 rows name its shot: name the file of each" in bad[0]
    rows = ["1,P,50", "1,S,70", "3,P,60", "4,P,65"]  # as many as files
    records, bad, _ = read(tmp_path / "in", "shot,phase,sample", rows)
    assert bad == []
    assert {r.name: r.arrivals for r in records} == {
        "r_1": {"P": (50.0,), "S": (70.0,)},
        "r_3": {"P": (60.0,)},
        "r_4": {"P": (65.0,)},
    }


@pytest.mark.parametrize(("rows", "n_said"), [((1, 3), 1), ((1, 7), 0)])
def test_numbers_in_a_file_of_several_shots_that_no_row_names_are_said(tmp_path, rows, n_said):
    write_line(tmp_path / "in")
    records, bad, said = read(tmp_path / "in", "fname,trace,itp", [f"line.su,{n},9" for n in rows])
    assert (len(records), bad) == (2, [])
    assert sum("holds several shots by its headers (1001, 1002)" in text for text in said) == n_said


@pytest.mark.parametrize("dot", ["", ".0"])
def test_numbers_with_a_decimal_as_tables_of_floats_have_them_are_whole(tmp_path, dot):
    write_line(tmp_path / "in")
    rows = [f"line.su,{s}{dot},{n}{dot},{10 * (s % 100) + n}" for s, n in TRACES]
    for column in ("trace", "channel", "geo_nr"):
        records, bad, _ = read(tmp_path / "in", f"fname,ffid,{column},itp", rows)
        assert (bad, are_right(records, 8)) == ([], True)
        assert {record.gather for record in records} == {"shot 1001", "shot 1002"}


@pytest.mark.parametrize("column", ["trace", "geo_nr"])
def test_traces_of_shots_that_no_header_has_are_refused(tmp_path, column):
    write_line(tmp_path / "in")
    rows = [f"line.su,{s},{n},9" for s in ("S1001", "S1002") for n in range(1, 5)]
    records, bad, _ = read(tmp_path / "in", f"fname,shot,{column},itp", rows)
    assert (records, len(bad)) == ([], 8)
    assert "shots by its headers (1001, 1002), and rows name others (S1001, S1002)" in bad[0]
    # These count through the file, whatever the shots are called.
    rows = [f"line.su,{s - 100},{n + 4 * (s - 1001)},{10 * (s % 100) + n}" for s, n in TRACES]
    for name in ("trace", "trace_in_file"):
        records, bad, _ = read(tmp_path / "in", f"fname,shot,{name},itp", rows)
        assert (bad, are_right(records, 8)) == ([], True)
    rows = ["line.su,901,2,12", "line.su,901,3,13"]
    records, bad, _ = read(tmp_path / "in", "fname,shot,trace_in_file,itp", rows)
    assert (bad, are_right(records, 2)) == ([], True)


@pytest.mark.parametrize("shot", ["line", "7"])
def test_a_shot_that_is_all_of_its_file_has_the_traces_of_the_file(tmp_path, shot):
    write_line(tmp_path / "one", energy_source_point_number=7)
    (tmp_path / "in").mkdir()
    (tmp_path / "one/line.su").rename(tmp_path / "in/line.su")
    rows = [f"line.su,{shot},{n},{10 + n}" for n in (1, 3)]
    records, bad, [said] = read(tmp_path / "in", "fname,shot,trace,itp", rows)
    assert (bad, are_right(records, 2)) == ([], True)
    assert "holds several shots by its headers (1001, 1002)" in said


def test_rows_that_count_from_0_are_refused_in_all_shots(tmp_path):
    write_line(tmp_path / "in")
    rows = [f"{s},{n - 1},{10 * (s % 100) + n}" for s, n in TRACES if (s, n) != (1002, 1)]
    records, bad, _ = read(tmp_path / "in", "ffid,trace,itp", rows)
    assert (records, len(bad)) == ([], 7)


@pytest.mark.parametrize("column", ["channel", "trace"])
def test_numbers_that_may_count_from_0_are_said_or_refused_by_all_of_the_table(tmp_path, column):
    """Headers of a text with a column a sensor say nothing, and labels may be of few channels."""
    (tmp_path / "in").mkdir()
    for file in ("g1", "g2"):
        names = ",".join(f"Ch {n}" for n in range(8))
        rows = (
            f"{n / 2:.1f},{','.join(map(str, row))}\n" for n, row in enumerate(noise(0, 400, 8))
        )
        (tmp_path / f"in/{file}.csv").write_text(f"Time (ms),{names}\n{''.join(rows)}")
    few = ["g1.csv,2,50", "g1.csv,3,60", "g2.csv,7,70"]
    records, bad, said = read(tmp_path / "in", f"fname,{column},itp", few)
    assert [record.name for record in records] == ["g1-0002", "g1-0003", "g2-0007"]
    assert bad == []
    assert set(said) == {
        f"rows of gathers name neither trace 0 nor the last one: their numbers ({column}) are "
        "taken to count from 1; if they count from 0 add 1, else name them trace_in_file"
    }
    for more, n_records in ("g1.csv,8,40", 4), ("g1.csv,0,40", 0), ("g2.csv,0,40", 0):
        records, bad, said = read(tmp_path / "in", f"fname,{column},itp", [*few, more])
        assert (len(records), len(bad), said) == (n_records, 4 - n_records, [])
    assert read(tmp_path / "in", "fname,trace_in_file,itp", few)[2] == []


def test_numbers_of_a_larger_file_do_not_tell_that_those_of_a_smaller_one_count_from_1(tmp_path):
    (tmp_path / "in").mkdir()
    for file, n in ("g1", 5), ("g2", 3):
        values = np.column_stack([np.arange(400) / 2000, noise(0, 400, n)])
        names = "Time (s) " + " ".join(f"S{n}" for n in range(n))
        np.savetxt(tmp_path / f"in/{file}.txt", values, header=names)
    of_both = ["g1.txt,3,50", "g1.txt,4,60", "g2.txt,1,70", "g2.txt,2,80"]
    records, bad, _ = read(tmp_path / "in", "fname,trace,itp", [*of_both, "g1.txt,0,40"])
    assert (records, len(bad)) == ([], 5)
    records, bad, said = read(tmp_path / "in", "fname,trace,itp", [*of_both, "g1.txt,5,40"])
    assert (len(records), bad, said) == (5, [], [])


def test_rows_count_from_1_where_the_headers_count_from_0(tmp_path):
    write_line(tmp_path / "in", first=0)
    rows = [f"{s},{n},{10 * (s % 100) + n}" for s, n in TRACES]
    records, bad, _ = read(tmp_path / "in", "ffid,trace,itp", rows)
    assert (bad, are_right(records, 8)) == ([], True)
    rows = [f"{s},{n - 1},{10 * (s % 100) + n}" for s, n in TRACES]
    records, bad, _ = read(tmp_path / "in", "ffid,trace,itp", rows)
    assert (bad, are_right(records, 8)) == ([], True)
    records, bad, _ = read(tmp_path / "in", "ffid,trace,itp", [*rows[:-1], "1001,,11"])
    assert are_right(records, 7)
    assert "holds no trace None of shot 1001" in bad[0]


def write_renumbered(tmp_path, numbers):
    """Write one shot whose headers have these numbers of its traces."""
    write_line(tmp_path / "one", shots=[1001])
    stream = obspy_read(tmp_path / "one/line.su")
    for number, trace in zip(numbers, stream, strict=True):
        header = trace.stats.su.trace_header
        header.trace_number_within_the_original_field_record = number
    (tmp_path / "in").mkdir()
    stream.write(str(tmp_path / "in/line.su"), format="SU")


def test_numbers_are_refused_that_headers_give_to_other_traces_than_the_file_does(tmp_path):
    write_renumbered(tmp_path, (4, 3, 2, 1))
    rows = [f"line.su,{n},{10 + n}" for n in (1, 2, 3)]
    for column in ("trace", "channel", "geophone"):
        records, bad, _ = read(tmp_path / "in", f"fname,{column},itp", rows)
        assert (records, len(bad)) == ([], 3)
        assert "as their headers do, or count them, which differ" in bad[0]
    for number in ("", "9"):  # of no trace: says nothing of the others
        records, bad, _ = read(tmp_path / "in", "fname,trace,itp", [*rows, f"line.su,{number},14"])
        assert (records, len(bad)) == ([], 4)
    records, bad, _ = read(tmp_path / "in", "fname,trace_in_file,itp", rows)
    assert (bad, are_right(records, 3)) == ([], True)


@pytest.mark.parametrize("more", [[], ["1001,,11"], ["1001,9,11"]])
def test_numbers_are_refused_that_may_count_from_0_or_1(tmp_path, more):
    write_line(tmp_path / "in", first=0)
    rows = [f"{s},{n},{10 * (s % 100) + n}" for s, n in TRACES if n in (1, 2, 3)]
    records, bad, _ = read(tmp_path / "in", "ffid,trace,itp", [*rows, *more])
    assert (records, len(bad)) == ([], 6 + len(more))


@pytest.mark.parametrize("column", ["trace", "channel"])
def test_numbers_of_headers_are_theirs_in_a_file_of_one_shot(tmp_path, column):
    write_renumbered(tmp_path, (16, 15, 13, 14))
    rows = ["line.su,13,13", "line.su,14,14", "line.su,15,12", "line.su,16,11"]
    records, bad, said = read(tmp_path / "in", f"fname,{column},itp", rows)
    assert (bad, said, are_right(records, 4)) == ([], [], True)
    # 3 is not one of these, but counts the traces.
    records, bad, _ = read(tmp_path / "in", f"fname,{column},itp", [*rows[:3], "line.su,3,13"])
    assert (records, len(bad)) == ([], 4)


def test_two_columns_that_count_traces_in_different_orders_are_refused(tmp_path):
    write_line(tmp_path / "in", shots=[1001])
    rows = [f"line.su,{n},{5 - n},{10 + n}" for n in range(1, 5)]
    records, bad, _ = read(tmp_path / "in", "fname,no,quality,itp", rows)
    assert (records, len(bad)) == ([], 4)
    assert "in another order than its traces, by their column 'quality'" in bad[0]


@pytest.mark.parametrize("column", ["geophone", "chan", "channel", "receiver"])
def test_numbers_on_the_ground_may_begin_anywhere_where_they_are_in_order(tmp_path, column):
    write_line(tmp_path / "in", shots=[1001])
    stakes = (101, 102, 103, 105)
    rows = [f"line.su,{stake},{n}" for n, stake in enumerate(stakes, start=11)]
    records, bad, [said] = read(tmp_path / "in", f"fname,{column},itp", rows)
    assert (bad, are_right(records, 4)) == ([], True)
    assert "they are taken in the order of the traces" in said
    records, bad, _ = read(tmp_path / "in", f"fname,{column},itp", [rows[1], rows[0], *rows[2:]])
    assert (records, len(bad)) == ([], 4)


def test_shots_of_several_files_are_those_of_headers_not_of_the_names_of_files(tmp_path):
    for n, shots in ((1, (1, 2)), (2, (3, 4))):
        write_line(tmp_path / f"l{n}", shots=shots)
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / f"l{n}/line.su").rename(tmp_path / f"in/line{n}.su")
    rows = [f"{shot},{n},{10 * shot + n}" for shot in (2, 1) for n in (3, 1)]
    records, bad, _ = read(tmp_path / "in", "shot,trace,itp", rows)
    assert (bad, are_right(records, 4)) == ([], True)
    assert {record.waveform.source for record in records} == {"line1.su"}


@pytest.mark.parametrize("n_alike", [1, 4])
def test_files_are_those_of_their_names_where_a_header_is_alike_in_all(tmp_path, n_alike):
    for shot in (1, 2):
        write_line(tmp_path / f"l{shot}", shots=(1, 2), original_field_record_number=10 * shot)
        stream = obspy_read(tmp_path / f"l{shot}/line.su")
        for n, trace in enumerate(stream):
            trace.stats.su.trace_header.energy_source_point_number = n // n_alike % 2 + 1
        (tmp_path / "in").mkdir(exist_ok=True)
        stream.write(str(tmp_path / f"in/shot_{shot}.su"), format="SU")
    records, bad, _ = read(tmp_path / "in", "shot,trace,itp", ["1,2,52", "2,7,67"])
    assert bad == []
    assert {(r.name, r.arrivals["P"]) for r in records} == {
        ("shot_1-0002", (52.0,)),
        ("shot_2-0007", (67.0,)),
    }


def test_rows_in_order_are_refused_where_shots_of_some_contradict_it(tmp_path):
    write_line(tmp_path / "in")
    rows = [f"line.su,{shot},{10 * (shot % 100) + n}" for n in range(1, 5) for shot in (1001, 1002)]
    records, bad, _ = read(tmp_path / "in", "fname,ffid,itp", rows)
    assert (records, len(bad)) == ([], 8)
    assert "holds no trace 2 of shot 1002" in bad[0]


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (2, "as their headers do, or count them, which differ (receiver)"),  # 5 is of the file
        (11, "not numbered as its traces are, from 1 on (receiver)"),
    ],
)
def test_receivers_of_all_shots_are_refused_where_those_of_one_are_no_numbers_of_traces(
    tmp_path, second, said
):
    write_line(tmp_path / "in")  # at stakes from 2 on, and for the second shot from another
    rows = [f"{shot},{n + first},{n}" for shot, first, last in ((1001, 1, 3), (1002, second, 4))
            for n in range(1, last + 1)]  # fmt: skip
    records, bad, _ = read(tmp_path / "in", "ffid,receiver,itp", rows)
    assert (records, len(bad)) == ([], 7)
    assert said in bad[-1]


def test_a_gather_in_a_file_of_several_shots_is_one_of_these(tmp_path):
    write_line(tmp_path / "in")
    rows = [f"1002,{n},{20 + n}" for n in range(1, 5)]
    records, bad, _ = read(tmp_path / "in", "gather,trace,itp", rows)
    assert (bad, are_right(records, 4)) == ([], True)
