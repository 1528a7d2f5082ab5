"""`phasenet-keras correct`: what it reads in which forms, and what it must not write over."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
from gathers import LINE, table_of

from phasenet_keras.cli import main
from phasenet_keras.io.gathers import read_gather_picks
from phasenet_keras.io.geometry import read_geometry, rows_of_csv
from phasenet_keras.io.new_files import read_settings
from phasenet_keras.io.tables import read_picks
from phasenet_keras.training.pseudolabels import correct_picks
from phasenet_keras.types import ConfigError, FormatError, PhaseNetKerasError

GEOMETRY = "receiver;x;z;source_x;shot\n" + "".join(
    f"{r};{4 * r},5;0,25;4,0;1\n" for r in range(1, LINE + 1)
)


@pytest.fixture
def folder(tmp_path):
    """Picks of one phase of one shot, a geometry, and settings that take the least time."""
    picks = table_of(shots=(1,))
    picks[picks["phase"] == "P"].to_csv(tmp_path / "q.csv", index=False)
    (tmp_path / "g.csv").write_text(GEOMETRY)
    (tmp_path / "s.json").write_text(json.dumps({"choose": "given"}))
    return tmp_path


def correct(folder, *arguments, picks="q.csv"):
    given = [str(folder / item) if "." in item else item for item in arguments]
    return main(["correct", str(folder / picks), "--settings", str(folder / "s.json"), *given])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--output", "out.csv", "--rules", "q.csv"], "q.csv is one of the files to be read"),
        (["--output", "q.csv"], "q.csv is one of the files to be read"),
        (["--output", "link.csv"], "link.csv is one of the files to be read"),
        (["--geometry", "g.csv", "--output", "g.csv"], "g.csv is one of the files to be read"),
        (["--output", "o.csv", "--markers", "s.json"], "s.json is one of the files to be read"),
        (["--output", "o.csv", "--quakeml", "g.csv", "--geometry", "g.csv"], "g.csv is one of"),
        (["--output", "o.csv", "--rules", "o.csv"], "o.csv would be written twice"),
        (["--output", "o.csv", "--waveforms", "w.csv", "--rules", "w.csv"], "w.csv is one of"),
    ],
)
def test_nothing_is_written_over(folder, capsys, arguments, said):
    (folder / "link.csv").symlink_to(folder / "q.csv")
    (folder / "w.csv").write_text("a waveform\n")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert correct(folder, *arguments) == 2
    assert said in capsys.readouterr().err
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_result_without_a_pick_replaces_nothing(folder, capsys):
    assert correct(folder, "--output", "keep.csv") == 0
    before = (folder / "keep.csv").read_bytes()
    table = pd.read_csv(folder / "q.csv")
    table.assign(phase="pP").to_csv(folder / "other.csv", index=False)
    assert correct(folder, "--output", "keep.csv", "--rules", "r.csv", picks="other.csv") == 2
    said = capsys.readouterr().err
    assert f"can be used: no settings for this phase ({LINE} of {LINE} rows)" in said
    table[:3].to_csv(folder / "few.csv", index=False)
    assert correct(folder, "--output", "keep.csv", picks="few.csv") == 2
    assert "no curve here: too few picks" in capsys.readouterr().err
    assert (folder / "keep.csv").read_bytes() == before
    assert not (folder / "r.csv").exists()


def test_no_table_is_left_where_times_are_asked_for_and_not_known(folder, capsys):
    table = pd.read_csv(folder / "q.csv")
    pd.concat([table, table.assign(shot=2)]).to_csv(folder / "two.csv", index=False)
    assert correct(folder, "--output", "o.csv", "--markers", "m.txt", picks="two.csv") == 2
    assert "absolute times of several shots" in capsys.readouterr().err
    assert not (folder / "o.csv").exists()


def test_no_digit_is_lost_of_a_day_at_10_mhz(tmp_path):
    receiver = np.arange(1, 25)
    samples = 10_000_000 * 86_400 + 0.123 + 7 * receiver
    for column, values, places in (("sample", samples, 3), ("time_s", samples / 1e7, 9)):
        texts = [f"1,{r},P,{v:.{places}f}" for r, v in zip(receiver, values, strict=True)]
        (tmp_path / "p.csv").write_text("\n".join([f"shot,receiver,phase,{column}", *texts]) + "\n")
        arguments = ["--sampling-rate-hz", "1e7", "--output", str(tmp_path / "out.csv")]
        assert main(["correct", str(tmp_path / "p.csv"), *arguments]) == 0
        table = pd.read_csv(tmp_path / "out.csv")
        step = 10.0**-places
        np.testing.assert_allclose(table[column], values, rtol=0, atol=step)
        corrected = table[f"corrected_{column.removeprefix('time_')}"]
        np.testing.assert_allclose(corrected, values, rtol=0, atol=2 if places == 3 else 2e-7)
        residual = table.filter(like="residual").iloc[:, 0]
        np.testing.assert_allclose(table[column] - corrected, residual, rtol=0, atol=2 * step)


@pytest.mark.parametrize("name", ["p", "Pg", "Pn"])
def test_phases_have_the_names_of_catalogues(folder, name):
    assert correct(folder, "--output", "a.csv") == 0
    table = pd.read_csv(folder / "q.csv")
    table.assign(phase=name).to_csv(folder / "named.csv", index=False)
    assert correct(folder, "--output", "b.csv", picks="named.csv") == 0
    assert (folder / "b.csv").read_text() == (folder / "a.csv").read_text()


@pytest.mark.parametrize(("separator", "encoding"), [(";", "utf-8"), ("\t", "utf-16")])
def test_tables_as_spreadsheets_write_them(folder, separator, encoding):
    assert correct(folder, "--output", "a.csv") == 0
    table = pd.read_csv(folder / "q.csv")
    text = table.assign(sample=table["sample"].map("{:.2f}".format))
    text = text.to_csv(index=False, sep=separator).replace(".", ",")
    (folder / "sheet.csv").write_bytes(text.encode(encoding))
    assert correct(folder, "--output", "b.csv", picks="sheet.csv") == 0
    assert (folder / "b.csv").read_text() == (folder / "a.csv").read_text()
    geometry = read_geometry(folder / "g.csv")
    assert geometry.receivers["3"] == (12.5, 0.0, 0.25)
    assert geometry.sources["1"] == (4.0, 0.0, 0.0)


def test_a_column_that_is_there_twice_is_refused(tmp_path):
    path = tmp_path / "q.csv"
    path.write_text("shot,receiver,phase,sample,Sample\n1,1,P,10,510\n")
    with pytest.raises(FormatError, match="column 'sample' is there twice"):
        rows_of_csv(path)
    path.write_text("receiver,x,,\n1,2,,\n")  # columns without a name are no names
    assert rows_of_csv(path)[1] == [(1, {"receiver": "1", "x": "2", "": ""})]
    path.write_text('station_id,x\n"a\rb",2\n')
    assert rows_of_csv(path)[1] == [(1, {"station_id": "a\rb", "x": "2"})]


@pytest.mark.parametrize("read", [read_picks, read_settings, read_geometry])
def test_a_table_or_settings_that_are_not_there_are_said_so(tmp_path, read):
    with pytest.raises(PhaseNetKerasError) as refused:
        read(tmp_path / "nosuch.csv")
    assert str(refused.value) == f"{tmp_path / 'nosuch.csv'} cannot be read: no such file"


def test_a_table_without_columns_is_said_to_have_none():
    with pytest.raises(ConfigError, match="is missing, received no columns"):
        correct_picks(pd.DataFrame())


def test_seconds_show_digits_and_phases_without_picks_are_not_spoken_of(tmp_path, capsys):
    table = table_of(shots=(1,), outlier=(1, 10, "P", 400.0))
    table = table[table["phase"] == "P"]
    times = 1e-7 * (table["sample"] + (table["receiver"] % 3))
    table.drop(columns="sample").assign(time_s=times).to_csv(tmp_path / "p.csv", index=False)
    options = ["--sampling-rate-hz", "1e7", "--output", str(tmp_path / "o.csv")]
    assert main(["correct", str(tmp_path / "p.csv"), *options]) == 0
    said = capsys.readouterr().out
    [line] = [line for line in said.splitlines() if line.startswith("median |residual|")]
    assert 1e-9 < float(line.split()[-1]) < 5e-7
    assert "P: Huber" in said
    assert "S: Huber" not in said


HEADERS = [
    "shot,receiver,phase,time_s",
    "shot,channel,phase,time_ms",
    "FFID,trace,type,time_us",
    "field_record,Chan,phase,time (ms)",
]


@pytest.mark.parametrize("header", HEADERS)
def test_columns_have_the_names_that_tables_of_labels_have(tmp_path, header):
    per_s = {"s": 1.0, "ms": 1e3, "us": 1e6}[header.rstrip(")")[-2:].lstrip("_(")]
    rows = [f"7,{n},P,{per_s * (0.06 + 0.003 * n):.6f}" for n in (1, 2)]
    (tmp_path / "p.csv").write_text("\n".join([header, *rows, "7,3,S,", ""]))
    table = read_gather_picks(tmp_path / "p.csv").table
    assert table[["shot", "receiver", "phase"]].to_numpy().tolist() == [
        [7, 1, "P"], [7, 2, "P"], [7, 3, "S"]
    ]  # fmt: skip
    np.testing.assert_allclose(table["time_s"], [0.063, 0.066, np.nan], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("header", "name", "scale"),
    [
        ("p_ms,s_ms", "time_s", 1e-3),
        ("p_time_s,s_us", "time_s", (1.0, 1e-6)),
        ("itp,s_sample", "sample", 1.0),
    ],
)
def test_both_phases_of_a_trace_may_be_in_a_row(tmp_path, header, name, scale):
    (tmp_path / "p.csv").write_text(f"ffid,channel,{header}\n7,1,63,90\n7,2,x,\n7,3,66,95\n")
    found = read_gather_picks(tmp_path / "p.csv")
    np.testing.assert_allclose(
        found.table.pivot(index="receiver", columns="phase", values=name),
        np.array([[63, 90], [66, 95]]) * scale,
    )
    assert found.rows.tolist() == [1, 1, 3, 3]
    assert [item.row for item in found.bad] == [2]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (
            "shot,channel,p_sample,s_ms",
            "picks of a table are samples, or times, received p_sample and s_ms",
        ),
        ("shot,channel,p_after_trigger_ms", "sample or time_s, time_ms, time_us; or shot, rec"),
        ("shot,trace_in_file,p_ms", "no table of picks: columns shot, receiver (or channel, tr"),
    ],
)
def test_tables_of_picks_that_are_not_understood_say_what_is(tmp_path, header, said):
    (tmp_path / "p.csv").write_text(f"{header}\n" + ",".join("1" * len(header.split(","))) + "\n")
    with pytest.raises(FormatError, match=re.escape(said)):
        read_gather_picks(tmp_path / "p.csv")


def test_a_column_of_the_sampling_rate_counts_and_has_one(tmp_path):
    path = tmp_path / "p.csv"
    head = "shot,receiver,phase,sample,sampling_rate_hz\n1,1,P,100,1000\n"
    path.write_text(f"{head}1,2,P,110,\n")
    assert read_gather_picks(path).sampling_rate == 1000.0
    path.write_text(f"{head}1,2,P,110,2000\n")
    with pytest.raises(FormatError, match="have one sampling rate, not 1000, 2000 Hz"):
        read_gather_picks(path)


def test_rows_of_several_gathers_are_of_the_shots_that_their_files_are(tmp_path):
    rows = [f"line_{shot}.sgy,{n},{60 + n}" for shot in (7, 12) for n in (1, 2)]
    (tmp_path / "p.csv").write_text("\n".join(["fname,trace,p_ms", *rows]) + "\n")
    table = read_gather_picks(tmp_path / "p.csv").table
    assert table[["shot", "receiver"]].to_numpy().tolist() == [[7, 1], [7, 2], [12, 1], [12, 2]]
    # A file a trace is no gather.
    rows = [f"line_{n}.npz,{n},{60 + n}" for n in (1, 2)]
    (tmp_path / "p.csv").write_text("\n".join(["fname,trace,p_ms", *rows]) + "\n")
    assert read_gather_picks(tmp_path / "p.csv").table["shot"].tolist() == [1, 1]


@pytest.mark.parametrize("has_geometry", [True, False])
@pytest.mark.parametrize(("column", "is_said"), [("time_s", True), ("time_ms", False)])
def test_times_in_ms_under_the_name_of_seconds_are_said(
    folder, capsys, column, is_said, has_geometry
):
    # 4 m take 3 ms. One pick is far off.
    table = pd.read_csv(folder / "q.csv").rename(columns={"sample": column})
    table.to_csv(folder / "t.csv", index=False)
    options = ["--geometry", "g.csv"] if has_geometry else []
    options += ["--sampling-rate-hz", "1000", "--output", "o.csv"]
    assert correct(folder, *options, picks="t.csv") == 0
    said = " ".join(capsys.readouterr().out.split())
    speed = "1.2 m/s" if has_geometry else "0.31 receivers a second"
    text = f"note times in s look like ms: arrivals would travel at {speed}; if they are, name the"
    assert (text in said, "look like" in said) == (is_said, is_said)
