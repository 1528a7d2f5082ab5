"""Before and after: a parent and its child on records that neither has seen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_train import onsets, small_parent

from phasenet_keras import Picker
from phasenet_keras.cli.training import _untouched
from phasenet_keras.io.seisbench import write_dataset
from phasenet_keras.training.doctor import Finding, run_report
from phasenet_keras.training.evaluate import evaluate
from phasenet_keras.training.proof import TRAINED, before_and_after


def at_rate(net, rate_hz):
    return net.with_preset(replace(net.preset, sampling_rate=rate_hz))


def test_a_parent_of_another_rate_is_scored_both_ways():
    parent, child, records = at_rate(small_parent(), 80.0), small_parent(2), onsets(6)
    proof = before_and_after(parent, child, records, 20)
    assert dict(proof.scores) == {
        "small, resampled to 80 Hz": evaluate(Picker(parent), records, tolerance_samples=20),
        "small, samples as they are": evaluate(
            Picker(parent, sampling="reinterpret"), records, tolerance_samples=20
        ),
        TRAINED: evaluate(Picker(child), records, tolerance_samples=20),
    }
    assert proof.left_out == ()
    assert list(before_and_after(parent, None, records, 20).scores) == [*proof.scores][:2]


def test_a_parent_that_cannot_pick_such_records_costs_its_own_row_alone():
    parent, child, records = at_rate(small_parent(), 2000.0), small_parent(2), onsets(3)
    proof = before_and_after(parent, child, records, 10)
    assert list(proof.scores) == ["small, samples as they are", TRAINED]
    [why] = proof.left_out
    assert why.startswith("small, resampled to 2000 Hz has no scores: record r0")
    assert proof.text.endswith(f"{why}.\n")


@pytest.mark.parametrize(
    ("event", "rate_hz", "words"),
    [
        ("e1", 100.0, "1 events are in training and test, e.g. e1"),
        ("e9", 50.0, "records have different sampling rates"),
        ("e9", 100.0, "no test record has a label"),
        (None, 100.0, "there is no test record"),
    ],
)
def test_why_there_are_no_test_records(event, rate_hz, words, tmp_path):
    known = [r for n in (1, 2, 3) for r in onsets(2, 10 * n, event=f"e{n}", split="train")]
    test = [] if event is None else onsets(2, 90, event=event, split="test")
    test = [replace(r, waveform=replace(r.waveform, sampling_rate=rate_hz)) for r in test]
    write_dataset([*known, *test], tmp_path / "set")
    records, why = _untouched(tmp_path / "set", known)
    assert words in why
    assert [r.name for r in records] == (["r90", "r91"] if words.startswith("no ") else [])


def test_a_damaged_test_split_is_a_reason(tmp_path):
    write_dataset(onsets(2, split="test"), tmp_path / "set")
    (tmp_path / "set" / "waveforms.hdf5").write_bytes(b"no HDF5")
    records, why = _untouched(tmp_path / "set", onsets(2, 10))
    assert records == []
    assert "waveforms.hdf5" in why


def test_a_report_names_the_scores_and_each_finding():
    report = run_report("it helped", [Finding("x", "do y")], {"a": (), "b": {"c": 1}}, [], "| t |")
    assert "It helped." in report
    assert "- **x**: do y." in report
    assert "| a | none |\n| b | c 1 |" in report
    titles = [line for line in report.splitlines() if line.startswith("## ")]
    assert titles[:2] == ["## Before and after, on the test records", "## Findings"]
    assert "| t |" in report[: report.index("## Findings")]
    assert "Before and after" not in run_report("it helped", [], {}, [])
