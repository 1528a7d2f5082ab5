"""Picks that one used so far, scored as those of a picker."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
from table_picks import own_picks, run, scored, written
from training_runs import onsets

from phasenet_keras import (
    evaluate,
    read_picks,
)
from phasenet_keras.cli import main
from phasenet_keras.cli.common import read_tables
from phasenet_keras.cli.console import open_console
from phasenet_keras.io.example import EXAMPLE_FOLDER
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.seisbench import read_dataset, write_dataset
from phasenet_keras.picking.table_picker import TablePicker
from phasenet_keras.types import ConfigError


def forms(folder, rate_hz):
    """Write the picks of ``own.csv`` as tables of samples and of times since the first sample."""
    picks = read_picks(folder / "own.csv")
    names = sorted({(pick.source, pick.station) for pick in picks})
    with (folder / "samples.csv").open("w") as file:
        file.write("fname,station,itp,its\n")
        for source, station in names:
            own = [p for p in picks if (p.source, p.station) == (source, station)]
            samples = [
                " ".join(f"{(p.time - p.start_time) * rate_hz:g}" for p in own if p.phase == phase)
                for phase in "PS"
            ]
            file.write(f"{source},{station},{','.join(samples)}\n")
    with (folder / "times.csv").open("w") as file:
        file.write("fname,station,phase,time_s,probability\n")
        for p in picks:
            row = (p.source, p.station, p.phase, p.time - p.start_time, p.probability)
            file.write(",".join(map(str, row)) + "\n")


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """The line that the package carries, prepared, and the picks of `pick` in many forms."""
    folder = tmp_path_factory.mktemp("line")
    run("prepare", EXAMPLE_FOLDER / "line.mseed", "--labels", EXAMPLE_FOLDER / "line.csv",
        "--output", folder / "set", "--split-by", "block")  # fmt: skip
    for name in ("own.csv", "own.xml", "own.markers", "own.obs"):
        run("pick", EXAMPLE_FOLDER / "line.mseed", "--preset", "near-surface",
            "--output", folder / name)  # fmt: skip
    run("pick", folder / "set", "--preset", "near-surface", "--output", folder / "named.csv")
    forms(folder, 2000.0)
    return folder


@pytest.mark.parametrize(
    "name",
    ["own.csv", "own.xml", "own.markers", "own.obs", "named.csv", "samples.csv", "times.csv"],
)
def test_the_picks_of_a_preset_score_as_the_preset_does(line, name, capsys):
    rule = ("--tolerance-samples", 2)
    _, expected = scored(capsys, "near-surface", line / "set", *rule)
    said, rows = scored(capsys, line / name, line / "set", *rule)
    assert rows == expected
    assert 0.5 < float(expected[0][1].split(" ")[0]) < 1
    stem = name.partition(".")[0]
    assert f"'picks of {stem}': " in said
    assert "98 of 98 picks are in 48 of 48 records, " in said
    assert " of them in 16 of these 16." in said


def test_labels_are_right_and_moved_ones_are_not(line, tmp_path, capsys):
    said, rows = scored(capsys, EXAMPLE_FOLDER / "line.csv", line / "set", "--tolerance-samples", 0)
    assert [row[1].split(" ")[0] for row in rows] == ["1.000", "1.000"]
    late = written(tmp_path / "late.csv", "station,p_sample\n" + "".join(
        f"{r.waveform.station},{r.arrivals['P'][0] + 8}\n" for r in read_dataset(line / "set")
    ))  # fmt: skip
    said, rows = scored(capsys, late, line / "set", "--tolerance-samples", 3)
    assert [row[:2] for row in rows] == [["P", "0.000"]]
    assert "48 of 48 picks are in 48 of 48 records, 16 of them in 16 of these 16" in said
    assert "; the table has no S, which is left out." in said
    assert "P: 16 picks are 4 ms after their labels, all alike" in said


@pytest.mark.parametrize("kind", ["npz", "text"])
def test_picks_of_real_records_score_as_their_preset_does(kind, shared, tmp_path, capsys):
    waveforms = shared / "data/near_surface/raw"
    labels, preset, rate_hz = shared / "data/near_surface/labels_shot01.csv", "near-surface", 2000.0
    rule = ("--tolerance-samples", 10)
    if kind == "npz":
        waveforms, labels = shared / "data/ncedc/waveform", shared / "data/ncedc/waveform.csv"
        preset, rate_hz, rule = "regional", 100.0, ()
    assert main(["prepare", str(waveforms), "--labels", str(labels),
                 "--output", str(tmp_path / "set")]) in (0, 1)  # fmt: skip
    for name in ("own.csv", "own.xml"):
        run("pick", waveforms, "--preset", preset, "--output", tmp_path / name)
    forms(tmp_path, rate_hz)
    _, expected = scored(capsys, preset, tmp_path / "set", *rule)
    assert 0.5 < float(expected[0][1].split(" ")[0]) < 1
    for name in ("own.csv", "own.xml", "samples.csv", "times.csv"):
        assert scored(capsys, tmp_path / name, tmp_path / "set", *rule)[1] == expected


def test_a_pick_of_another_split_is_no_pick_of_the_one_that_is_scored(tmp_path, capsys):
    """Station A has a record in each: nothing says which of the two a sample is of."""
    dataset, splits = tmp_path / "set", ("train", "test", "test")
    records = [
        replace(r, split=split, waveform=replace(r.waveform, station=f"XX.{code}..HH"))
        for r, split, code in zip(onsets(3), splits, "AAB", strict=True)
    ]
    write_dataset(records, dataset)
    table = written(tmp_path / "p.csv", "station,itp\nA,100\nB,100\n")
    said, _ = scored(capsys, table, dataset)
    assert "'picks of p': 1 of 2 picks are in 1 of 3 records, 1 of them in 1 of these 2" in said
    table.write_text("fname,itp\nr0,100\n")
    assert main(["evaluate", str(table), str(dataset)]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "no pick is in split 'test'; 'picks of p': 1 of 1 picks are in 1 of 3 records" in error


def test_a_data_set_without_splits_is_said_to_be_prepared_first(tmp_path, capsys):
    write_dataset(onsets(2), tmp_path / "set")
    own = own_picks(onsets(2), tmp_path / "own.csv")
    assert main(["evaluate", str(own), str(tmp_path / "set")]) == 2
    error = " ".join(capsys.readouterr().err.split())
    words = "its records are in no split: `phasenet-keras prepare"
    assert words in error


def test_a_python_program_scores_a_table_as_a_picker(tmp_path):
    records = onsets(6)
    table = TablePicker(own_picks(records, tmp_path / "half.csv", every=2), records)
    with pytest.warns(RecordWarning, match="'picks of half': 3 of 3 picks are in 3 of 6 records$"):
        score = evaluate(table, records, tolerance_samples=5)["P"]
    assert (score.n_true, score.n_pred, score.recall, score.precision) == (6, 3, 0.5, 1.0)
    assert table.thresholds == {"P": 0.0}
    table.thresholds["P"] = 0.6
    assert evaluate(table, records, tolerance_samples=5)["P"].n_pred == 0
    with pytest.raises(ConfigError, match="record r9: picks of half were not looked up"):
        evaluate(table, onsets(1, 9), tolerance_samples=5)


def test_files_of_scores_have_the_figures_that_a_table_can_give(tmp_path, capsys):
    records = [replace(r, split="test", event=r.name) for r in onsets(6)]
    write_dataset(records, tmp_path / "set")
    plain = "fname,itp\n" + "".join(f"{r.name},{r.arrivals['P'][0] + 2}\n" for r in records)
    written(tmp_path / "plain.csv", plain)
    own_picks(records, tmp_path / "own.csv", 2)
    for name, has_curve in (("plain", False), ("own", True)):
        out = tmp_path / name
        scored(capsys, tmp_path / f"{name}.csv", tmp_path / "set", "--output", out)
        files = {path.name for path in out.iterdir()}
        assert files >= {"scores.json", "scores.md", "residuals.png", "worst_records.png"}
        assert ("precision_recall.png" in files) is has_curve
        values = json.loads((out / "scores.json").read_text())
        assert values["P"]["residual_mean_s"] == pytest.approx(0.02)
        assert (
            f"'picks of {name}': 6 of 6 picks are in 6 of 6 records"
            in (out / "scores.md").read_text()
        )


@pytest.mark.parametrize(
    ("tables", "names"),
    [
        (("a/p.csv", "a/p.csv"), ["picks of p"]),
        (("a/p.csv", "b/p.csv"), ["picks of a/p.csv", "picks of b/p.csv"]),
        (("a/*.csv", "a/p.csv"), ["picks of a/*.csv", "picks of p"]),
        (("a",), ["picks of a"]),
        (("b/q[1].csv",), ["picks of q[1]"]),
    ],
)
def test_tables_are_called_by_what_tells_them_apart(tables, names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        own_picks(onsets(2), tmp_path / folder / "p.csv")
    own_picks(onsets(2), tmp_path / "b" / "q[1].csv")
    found = read_tables(open_console(False), tables, onsets(2), tmp_path)
    assert [table.name for table in found] == names


def test_a_preset_whose_name_looks_like_a_pattern_is_a_preset(parent, tmp_path, capsys):
    """A folder with an ending, and with brackets."""
    write_dataset([replace(r, split="test") for r in onsets(6)], tmp_path / "set")
    shutil.copytree(parent, tmp_path / "run[1].csv")
    _, expected = scored(capsys, parent, tmp_path / "set")
    assert scored(capsys, tmp_path / "run[1].csv", tmp_path / "set")[1] == expected


def test_a_file_beside_does_not_hide_a_preset_of_its_name(tmp_path, capsys, monkeypatch):
    write_dataset([replace(r, split="test") for r in onsets(2)], tmp_path / "set")
    _, expected = scored(capsys, "regional", tmp_path / "set")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "regional").write_text("notes")
    assert scored(capsys, "regional", tmp_path / "set")[1] == expected


def test_options_of_networks_are_refused_beside_a_table(tmp_path, capsys):
    write_dataset([replace(r, split="test") for r in onsets(2)], tmp_path / "set")
    own_picks(onsets(2), tmp_path / "own.csv")
    assert (
        main(["evaluate", str(tmp_path / "own.csv"), str(tmp_path / "set"), "--channels", "Z"]) == 2
    )
    assert "holds picks, and --channels are for networks" in " ".join(
        capsys.readouterr().err.split()
    )
