"""Tables of labels whose columns and numbers can be taken in two ways."""

from __future__ import annotations

import warnings

import pytest
from sources import by_name, run, write_text_files

from phasenet_keras.io.labels.rows import read_label_table, warn_of_fillers
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.types import FormatError


def table_of(tmp_path, text):
    path = tmp_path / "labels.csv"
    path.write_text(text)
    return read_label_table(path)


def test_a_column_that_is_there_twice_is_refused(tmp_path, capsys):
    text = "fname,itp,ITP\nt0.txt,100,150\n"
    with pytest.raises(FormatError, match="column 'itp' is there twice: rename one"):
        table_of(tmp_path, text)
    write_text_files(tmp_path / "raw", ["t0.txt"])
    labels = ["--labels", tmp_path / "labels.csv"]
    assert run(tmp_path / "raw", *labels, "--output", tmp_path / "set") == 2
    assert "column 'itp' is there twice" in capsys.readouterr().err
    table_of(tmp_path, "fname,itp,,\nt0.txt,100,,\n")  # columns without a name


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


def test_quoted_decimal_commas_are_said(tmp_path, capsys):
    write_text_files(tmp_path / "raw", ["t0.txt", "t1.txt"])
    (tmp_path / "labels.csv").write_text(
        'fname,itp,split\nt0.txt,"62,5",train\nt1.txt,"88,25",dev\n'
    )
    labels = ["--labels", tmp_path / "labels.csv"]
    assert run(tmp_path / "raw", *labels, "--output", tmp_path / "set") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "itp is '62,5' and such in 2 of 2 rows, taken for two arrivals, 62 and 5" in out
    assert by_name(tmp_path / "set")["t0"].arrivals == {"P": (5.0, 62.0)}


@pytest.mark.parametrize(
    "text",
    [
        'itp\n"100,900"\n',  # two arrivals, in their order
        'itp\n"62,5"\n"100,900"\n',  # one of the cells cannot be a decimal number
        "itp\n62 5\n",
        "itp;its\n62,5;70\n",
    ],
)
def test_other_pairs_are_not(tmp_path, text):
    with warnings.catch_warnings():
        warnings.simplefilter("error", RecordWarning)
        warn_of_fillers(table_of(tmp_path, text))
