"""The verbs `compare` and `train` on data sets: what they say, and what they train on."""

from __future__ import annotations

import argparse
import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sources import T0, write_stations
from texts import said, unaligned
from training_runs import onsets

from phasenet_keras import PhaseNet
from phasenet_keras.cli import main
from phasenet_keras.cli.console import open_console
from phasenet_keras.cli.dataset import settle_dataset
from phasenet_keras.io.seisbench import write_dataset
from phasenet_keras.training.checks_data import channels_there
from phasenet_keras.training.learnt import write_learnt

SETTINGS = {
    "window_samples": 256,
    "shift_samples": 64,
    "windows_per_record": 4,
    "refit": False,
}


def in_splits(n_train, n_dev, n_test):
    counts = (("train", 0, n_train), ("dev", 50, n_dev), ("test", 80, n_test))
    return [
        replace(record, split=split)
        for split, first, count in counts
        for record in onsets(count, first)
    ]


@pytest.mark.parametrize(("seconds", "is_long"), [(900, True), (200, False)])
def test_long_records_are_to_be_cut_before_they_train(tmp_path, parent, capsys, seconds, is_long):
    write_stations(tmp_path / "in", stations="ABC", seconds=seconds)
    labels = tmp_path / "picks.csv"
    begins = [(code, T0 + 1000 * n) for n, code in enumerate("ABC")]
    rows = [f"XX.{code},{begin + at}\n" for code, begin in begins for at in (30, 90, 150)]
    labels.write_text("station,p_time\n" + "".join(rows))
    records, output = str(tmp_path / "in"), tmp_path / "run"
    given = argparse.Namespace(
        records=records, labels=[str(labels)], output=output, preset=parent, channels=None
    )
    settle_dataset(given, open_console(False))
    order = f"phasenet-keras prepare {records} --output {output}-windows --window-s 30"
    assert (f"made by `{order} --labels {labels}`, to be given here" in said(capsys)) == is_long


def test_the_train_that_compare_names_learns_from_all_records(
    tmp_path, parent, capsys, monkeypatch
):
    records = [replace(record, event=f"e{record.name}") for record in in_splits(8, 4, 4)]
    data = tmp_path / "a set"
    write_dataset(records, data)
    config, out = tmp_path / "config.json", tmp_path / "out"
    config.write_text(json.dumps(SETTINGS))
    given = []

    def note(comparison, command):
        given.append(command)
        return command

    monkeypatch.setattr("phasenet_keras.training.recommendation.recommendation", note)
    options = ["--preset", parent, "--config", str(config), "--epochs", "1"]
    command = ["compare", str(data), *options, "--strategies", "finetune", "--folds", "2"]
    assert main([*command, "--output", str(out)]) == 0
    [train] = given
    assert train == (
        f"phasenet-keras train '{data}' --preset {parent} --channels Z --config {config} "
        f"--epochs 1 --output {out}/all"
    )
    capsys.readouterr()
    words = [*shlex.split(train)[1:], "--strategy", "scratch", "--all-records"]
    assert main(words) in (0, 1)
    printed = said(capsys)
    assert "note no record is left to test this network on: compare --folds is its test" in printed
    assert "then trained anew on all 16 records" in printed
    assert "on the test records" not in printed + (out / "all" / "report.md").read_text()
    assert len((out / "all" / "best" / "learnt.csv").read_text().splitlines()) == 17


def test_a_parent_is_adapted_to_the_channels_that_there_are(tmp_path, preset, capsys):
    write_dataset(in_splits(4, 2, 2), tmp_path / "set")
    config = tmp_path / "config.json"
    config.write_text(json.dumps({**SETTINGS, "epochs": 1}))
    command = ["train", str(tmp_path / "set"), "--preset", preset, "--config", str(config)]
    words = "note records have Z alone: the network is adapted to it (--channels ENZ pads them)"
    for name, options, channels in (
        ("z", [], ("Z",)),
        ("enz", ["--channels", "ENZ"], tuple("ENZ")),
    ):
        assert main([*command, "--output", str(tmp_path / name), *options]) in (0, 1)
        printed = said(capsys)
        assert (words in printed) == (not options)
        assert ("dead channel" in printed) == bool(options)
        assert PhaseNet.from_preset(tmp_path / name).config.channels == channels


def names_learnt(folder):
    rows = (folder / "best/learnt.csv").read_text().splitlines()
    assert rows[0] == "name,samples_sha256"
    return [row.partition(",")[0] for row in rows[1:]]


def test_what_a_parent_had_learnt_its_child_has_learnt(tmp_path, parent, capsys):
    first, second = (in_splits(4, 2, 2) for _ in range(2))
    second = [replace(r, waveform=replace(r.waveform, data=2 * r.waveform.data)) for r in second]
    second = [replace(r, name=f"other {r.name}") for r in second]
    write_dataset(first, tmp_path / "first")
    write_dataset(second, tmp_path / "second")
    config = tmp_path / "config.json"
    config.write_text(json.dumps({**SETTINGS, "epochs": 1}))
    write_learnt(Path(parent), first[:4])
    options = ["--preset", parent, "--config", str(config), "--output"]
    own, others = [f"other r{n}" for n in range(4)], [f"r{n}" for n in range(4)]
    for strategy, learnt in (("finetune", [*own, *others]), ("scratch", own)):
        run = tmp_path / strategy
        words = ["train", str(tmp_path / "second"), *options, str(run), "--strategy", strategy]
        assert main(words) in (0, 1)
        if "the parent is kept" in said(capsys):
            learnt = others
        assert names_learnt(run) == learnt
        assert main(words) in (0, 1)  # nothing twice
        assert names_learnt(run) == learnt
    words = ["compare", str(tmp_path / "second"), *options, str(tmp_path / "compared")]
    assert main([*words, "--strategies", "finetune,scratch"]) == 0
    for strategy, learnt in (("finetune", others), ("scratch", own)):
        run = tmp_path / f"compared/runs/{strategy}-n4-fold0-seed0"
        assert set(names_learnt(run)) >= set(learnt)
    capsys.readouterr()
    assert (
        main(["evaluate", str(tmp_path / "finetune"), str(tmp_path / "first"), "--split", "train"])
        == 0
    )
    assert "note 4 of 4 records trained this network" in said(capsys)


def in_channels(wave, names):
    return replace(wave, data=np.repeat(wave.data, len(names), axis=1), channels=tuple(names))


def test_the_channels_that_some_record_has():
    [record] = onsets(1)
    few = [replace(record, waveform=in_channels(record.waveform, n)) for n in ("2Z", "Z")]
    assert channels_there(few, "ENZ") == ("E", "Z")
    assert channels_there(few[1:], "ENZ") == ("Z",)
    assert channels_there(few, "Z") == ("Z",)  # others than the network's
    assert channels_there(few, "NZ") == ("N", "Z")
    data = few[0].waveform.data * np.float32([0, 1])
    dead = replace(few[0], waveform=replace(few[0].waveform, data=data))
    assert channels_there([dead], "ENZ") == ("Z",)


def test_compare_writes_a_table_figures_and_a_sentence(tmp_path, finder, capsys):
    write_dataset(in_splits(8, 4, 4), tmp_path / "set")
    command = ["compare", str(tmp_path / "set"), "--preset", finder]
    command += ["--strategies", "scratch,finetune", "--sizes", "4", "--epochs", "1"]
    command += ["--output", str(tmp_path / "out")]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "run 1 of 5: zero-shot" in printed
    assert "| finetune | P |" in unaligned(printed)
    table = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert set(table["scores"]) == {"STA/LTA", "zero-shot", "scratch", "finetune"}
    assert "| STA/LTA | P |" in unaligned(printed)
    assert table["recommendation"] in " ".join(printed.split())
    page = (tmp_path / "out" / "comparison.md").read_text()
    assert table["recommendation"] in page
    # Of the configuration: 10 samples at 100 Hz.
    assert "a pick and a label of one phase match if they are at most 0.1 s apart" in page
    for name in ("scores", "losses", "learning_curve"):
        assert (tmp_path / "out" / f"{name}.png").stat().st_size > 10_000
    results = sorted((tmp_path / "out" / "runs").glob("*/*"))
    before = [path.stat().st_mtime_ns for path in results]
    assert len(results) > 5
    assert main(command) == 0  # nothing is run again
    assert [path.stat().st_mtime_ns for path in results] == before
    fewer = [*command, "--strategies", "finetune", "--sizes", "8"]
    words = "left out of this table: 3 finished runs in the folder, of finetune, scratch: "
    assert words not in said(capsys)
    assert main(fewer) == 0
    assert f"note {words}" in said(capsys)
    assert words in (tmp_path / "out" / "comparison.md").read_text()
    with pytest.raises(SystemExit, match="2"):
        main([*command, "--seeds", "0,x"])
    assert "whole numbers with commas, received '0,x'" in capsys.readouterr().err
    for options, words in (
        (["--sizes", "-3"], "argument --sizes: a whole number from 1 on, received '-3'"),
        (["--sizes", "8,0"], "argument --sizes: a whole number from 1 on, received '0'"),
        (["--seeds", "0,-1"], "--seeds: a whole number from 0 to 4294967295, received '-1'"),
    ):
        with pytest.raises(SystemExit, match="2"):
            main([*command, *options])
        assert words in capsys.readouterr().err
    assert main([*command[:-2], "--folds", "40", "--output", str(tmp_path / "folds")]) == 2
    assert "40 folds need 42 groups at least" in capsys.readouterr().err
