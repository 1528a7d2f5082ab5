"""Numbers in tables of labels that can be taken in two ways: commas, points, blanks, lists."""

from __future__ import annotations

import re

import pytest
from row_tables import table_of
from sources import run, write_text_files

from phasenet_keras import read_labelled
from phasenet_keras.io.geometry import rows_of_csv
from phasenet_keras.io.labels.rows import numbered_rows
from phasenet_keras.io.registry import noted
from phasenet_keras.types import FormatError


def test_decimal_commas_among_several_arrivals(tmp_path):
    cells = {
        "62,5": "62.5",
        "62,5 70,25": "62.5 70.25",
        "[62,5 70,25]": "[62.5 70.25]",
        "62,5, 70": "62.5, 70",
        "[62, 70]": "[62, 70]",
        "[62,70]": "[62,70]",  # a list as Python writes it
        "62,70,80": "62.70.80",  # whatever is meant: no number
    }
    for given, read in cells.items():
        [row] = table_of(tmp_path, f"fname\titp\na,1.txt\t{given}\n").rows
        assert row == {"fname": "a,1.txt", "itp": read}


def test_decimal_commas_are_so_in_columns_of_all_names_and_in_no_name(tmp_path):
    """Tables that had an empty cell in a column write its whole numbers with a decimal."""
    text = "event;trace;x;fname;itp;its\n1,0;12,0;2,5;shot 1,5;62,5;\n"
    [row] = table_of(tmp_path, text).rows
    assert [*row.values()] == ["1.0", "12.0", "2.5", "shot 1,5", "62.5", ""]
    _, [(_, of_geometry)], _ = rows_of_csv(tmp_path / "labels.csv")
    assert of_geometry == row


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'fname,itp\nt0.txt,100\nt1.txt,"62,5"\n',
            r"itp of row 2 .* '62,5': write decimals with a point",
        ),
        (
            'fname,p_us\nt0.txt,"313,000"\n',
            "p_us of row 1 .* '313,000': .* thousands without a sign",
        ),
        ('fname,phase,time_ms\nt0.txt,P,"12,0"\n', "time_ms of row 1 .* '12,0': write decimals"),
        ("fname,itp\nt0.txt,1 050\n", r"itp of row 1 .* '1 050': .* thousands without a sign"),
        ('fname,itp\nt0.txt,"62,5 88"\n', "itp of row 1 .* several arrivals with blanks"),
        (
            'fname,itp,offset_m\nt0.txt,62,"2,5"\n',
            r"offset_m of row 1 .* '2,5': .*without a sign \(1234\)$",
        ),
        *(
            (
                f"fname{sep}itp{sep}its\nt0.txt{sep}1{blank}500\n",
                r"itp of row 1 .* '1\\.*500': .*thous",
            )
            for sep in ",\t "
            for blank in "\u00a0\u202f\u2009"
        ),
    ],
)
def test_signs_in_numbers_are_refused(tmp_path, text, said, capsys):
    write_text_files(tmp_path / "raw", ["t0.txt", "t1.txt"])
    (tmp_path / "labels.csv").write_text(text)
    labels = ["--labels", tmp_path / "labels.csv"]
    assert run(tmp_path / "raw", *labels, "--output", tmp_path / "set") == 2
    assert re.search(said, " ".join(capsys.readouterr().err.split()))
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("cell", ["62, 90", "[62,90]", "62 90", "[62,\u00a090]"])
def test_lists_in_a_cell_are_several_arrivals(tmp_path, cell):
    write_text_files(tmp_path / "raw", ["t0.txt"])
    (tmp_path / "labels.csv").write_text(f'fname,itp\nt0.txt,"{cell}"\n')
    [record] = read_labelled(tmp_path / "raw", tmp_path / "labels.csv")
    assert record.arrivals == {"P": (62.0, 90.0)}


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["1 50", "90"], ""),
        (["1 120", "980"], "itp has several arrivals, with blanks between them, in 1 of 2 rows, "),
        (["120 300", "1100"], ""),  # thousands without a sign
        (["120 300", "20 40"], ""),
    ],
)
def test_blanks_that_may_be_of_thousands_are_said(tmp_path, cells, said):
    rows = "".join(f"t{n}.txt,{cell}\n" for n, cell in enumerate(cells))
    with noted() as texts:
        numbered_rows(table_of(tmp_path, f"fname,itp\n{rows}"))
    assert [said in text for text in texts] == [True] * bool(said)
    assert not said or texts[0].endswith("such as '1 120': if the blank is a sign of thousands, "
                                         "take it out")  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "is_refused"),
    [
        (("866", "1.023", "2.366", "904"), True),
        (("866", "1.023", "", "12.366", "904"), True),
        (("866", "1.023", "904"), False),  # may be chance
        (("866.0", "1.023", "2.366", "904"), False),
        (("2", "1.023", "2.366", "904"), False),
        (("1.023", "2.366"), False),
        (("866", "1.02", "2.366", "904"), False),
        (("866", "0.023", "2.366", "904"), False),
    ],
)
def test_points_of_thousands_are_refused(tmp_path, cells, is_refused):
    rows = "".join(f"t{n}.txt;{cell}\n" for n, cell in enumerate(cells))
    table = table_of(tmp_path, f"fname;p_ms\n{rows}")
    if is_refused:
        with pytest.raises(
            FormatError, match=r"p_ms has numbers such as 1.023 beside greater ones"
        ):
            numbered_rows(table)
    else:
        assert [row["p_ms"] for _, row in numbered_rows(table)] == [*cells]
