"""Picks that one used so far, beside a network in the table of a run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from table_picks import own_picks, written
from training_runs import onsets, small_parent

from phasenet_keras import (
    TrainConfig,
    train,
)
from phasenet_keras.cli import main
from phasenet_keras.io.seisbench import write_dataset
from phasenet_keras.picking.table_picker import TablePicker
from phasenet_keras.training.proof import Proof, before_and_after
from phasenet_keras.training.scores import RecordMatches, score_matches
from phasenet_keras.training.triggers import TRIGGER
from phasenet_keras.training.ways import TRAINED, Way

CONFIG = TrainConfig(
    epochs=12, batch_size=8, windows_per_record=16, window_samples=256, learning_rate=1e-2
)


def test_a_run_has_them_in_its_table_as_they_are_and_moved(tmp_path):
    sets = onsets(24), onsets(8, 50), onsets(8, 90)
    records = [record for of_set in sets for record in of_set]
    late = TablePicker(own_picks(records, tmp_path / "late.csv", 20), records)
    known = TablePicker(own_picks(sets[0], tmp_path / "known.csv"), records)
    config = replace(CONFIG, epochs=1, learning_rate=1e-6)
    strangers = TablePicker(tmp_path / "late.csv", records[:1])
    strangers.name = "picks of strangers"
    result = train(
        small_parent(), *sets[:2], tmp_path / "run", config=config,
        test_records=sets[2], baselines=[late, known],
    )  # fmt: skip
    scores = result.proof.scores
    assert list(scores)[:4] == ["small", "regional", "picks of late", "picks of late, moved"]
    assert (scores["picks of late"]["P"].f1, scores["picks of late, moved"]["P"].f1) == (0.0, 1.0)
    assert {*scores} - {*list(scores)[:4]} <= {
        TRIGGER,
        f"{TRIGGER}, moved",
        TRAINED,
        "trained, not kept",
    }
    report = (tmp_path / "run" / "report.md").read_text()
    assert "'picks of late, moved': P by -200 ms" in report
    assert (
        "'picks of late': 40 of 40 picks are in 40 of 40 records, 8 of them in 8 of these 8."
        in report
    )
    assert (
        "'picks of known': 24 of 24 picks are in 24 of 40 records, 0 of them in 0 of these 8."
        in report
    )
    [finding] = [f for f in result.findings if f.name == "what you had is better"]
    words = "'picks of late, moved' (P by -200 ms): more is found in the test records than by the "
    assert finding.text.startswith(words)
    assert f"- **what you had is better**: {finding.text}." in report
    proof = before_and_after(small_parent(), small_parent(2), sets[2], 10, tables=[strangers])
    assert "picks of strangers" not in proof.scores
    assert "'picks of strangers': 1 of 40 picks are in 1 of 1 records" in proof.text


def ways(f1_of, phases="P"):
    found = []
    for name, (whose, f1) in f1_of.items():
        matches = [RecordMatches(1, 1, (0.0,) * (n < 10 * f1), f"e{n}") for n in range(10)]
        of = "PS" if whose in ("ours", "parent") else phases
        scores = {p: score_matches(p, matches, 0.1, bootstrap=0) for p in of}
        shift = "P by +1 s" if "moved" in name else ""
        found.append(Way(name, whose, scores, dict.fromkeys(of, matches), shift))
    return tuple(found)


@pytest.mark.parametrize(
    ("ours", "table", "words"),
    [
        (0.9, 0.8, None),
        (0.8, 0.8, None),
        (0.3, 0.9, "(mean F1 0.900, 0.300; F1 of the network less that of these: P -0.600 (-0.900 "
         "to -0.300)): keep to these picks, and label more records; look again"),
        (0.8, 0.9, "P -0.100 (-0.300 to +0.000, may be chance)): too few records to tell"),
    ],
)  # fmt: skip
def test_a_network_that_finds_less_than_what_there_was_is_said_to(ours, table, words):
    f1_of = {"a": ("parent", 0.2), "picks of x": ("table", table), TRAINED: ("ours", ours)}
    found = Proof(ways(f1_of), advice="look again").findings()
    assert [finding.name for finding in found] == ["what you had is better"] * (words is not None)
    assert (words or "") in " ".join(finding.text for finding in found)
    f1_of["a"], f1_of[TRAINED] = f1_of[TRAINED], ("ours", 0.1)
    kept = Proof(ways({**f1_of, "a": ("parent", ours)}), is_kept=False, advice="x").findings()
    assert [finding.name for finding in kept] == [finding.name for finding in found]
    assert ("than by the parent, which is kept" in " ".join(f.text for f in kept)) == bool(found)
    lone = Proof(ways({"picks of x": ("table", table), TRAINED: ("ours", ours)})).findings()
    assert [finding.name for finding in lone] == [finding.name for finding in found]


def test_a_table_of_p_alone_is_compared_by_p_alone():
    [before, table, ours] = ways(
        {"a": ("parent", 0.2), "picks of x": ("table", 0.6), TRAINED: ("ours", 0.5)}
    )
    worse_s = ways({"x": ("ours", 0.1)})[0]
    ours = replace(ours, scores={**ours.scores, "S": worse_s.scores["S"]})
    words = "than by the trained network (mean F1 0.600, 0.500; F1 of"
    assert words in Proof((before, table, ours)).findings()[0].text
    better = replace(ours, scores={**ours.scores, "P": ways({"x": ("ours", 0.7)})[0].scores["P"]})
    assert Proof((before, table, better)).findings() == ()


def started(*arguments):
    return subprocess.Popen([sys.executable, "-m", "phasenet_keras", *map(str, arguments)])


def test_a_killed_run_comes_to_the_same_report_and_another_table_trains_nothing_anew(
    parent, tmp_path
):
    records = [
        replace(r, split=split)
        for split, count, first in (("train", 16, 0), ("dev", 8, 50), ("test", 8, 90))
        for r in onsets(count, first)
    ]
    write_dataset(records, tmp_path / "set")
    own_picks(records, tmp_path / "own.csv", 3)
    own_picks(records, tmp_path / "other.csv", every=2)
    written(
        tmp_path / "config.json",
        json.dumps({"window_samples": 256, "epochs": 15, "windows_per_record": 2}),
    )
    command = ["train", tmp_path / "set", "--preset", parent, "--config", tmp_path / "config.json"]
    command += ["--baseline", tmp_path / "own.csv", "--output"]
    process = started(*command, tmp_path / "run")
    while not (tmp_path / "run" / "last.npz").exists() and process.poll() is None:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "run" / "report.md").exists()
    assert main([*map(str, command), str(tmp_path / "run")]) in (0, 1)
    assert main([*map(str, command), str(tmp_path / "whole")]) in (0, 1)
    report = (tmp_path / "run" / "report.md").read_text()
    assert report == (tmp_path / "whole" / "report.md").read_text()
    assert "| picks of own " in report
    last = tmp_path / "run" / "last.npz"
    before = last.stat().st_mtime_ns, last.read_bytes()
    command[command.index(tmp_path / "own.csv")] = tmp_path / "other.csv"
    assert main([*map(str, command), str(tmp_path / "run")]) in (0, 1)
    assert (last.stat().st_mtime_ns, last.read_bytes()) == before
    other = (tmp_path / "run" / "report.md").read_text()
    assert "| picks of other " in other
    assert "picks of own" not in other


def test_tables_that_cannot_be_scored_are_refused_before_any_work(parent, tmp_path, capsys):
    write_dataset([replace(r, split="train") for r in onsets(3)], tmp_path / "set")
    command = [
        "train",
        str(tmp_path / "set"),
        "--preset",
        parent,
        "--output",
        str(tmp_path / "run"),
    ]
    assert main([*command, "--baseline", str(tmp_path / "none.csv")]) == 2
    assert "none.csv: there is no such file of picks" in " ".join(capsys.readouterr().err.split())
    own = str(own_picks(onsets(3), tmp_path / "own.csv"))
    assert main([*command, "--baseline", own, "--all-records"]) == 2
    assert "of which --all-records leaves none" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run").exists()
