"""`phasenet-keras evaluate` and what it writes: JSON, Markdown, figures."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.image import imread
from obspy import UTCDateTime
from records import records_with_spikes
from rich.console import Console
from texts import unaligned

from phasenet_keras import PhaseNet, Picker, Waveform
from phasenet_keras.cli import main
from phasenet_keras.cli.bars import CountBar
from phasenet_keras.io.seisbench import write_dataset
from phasenet_keras.plot_scores import GRID_COLOR, plot_curves, plot_residuals, plot_worst
from phasenet_keras.score_report import write_scores
from phasenet_keras.training.evaluate import (
    far_rates,
    pick_records,
    score_curves,
    score_picked,
    wide_tolerance,
)
from phasenet_keras.training.learnt import carry_learnt, read_learnt, write_learnt
from phasenet_keras.training.matching import tolerance_of
from phasenet_keras.training.picked import residuals_by_phase, worst_records
from phasenet_keras.training.score_table import markdown_table
from phasenet_keras.training.scores import ScoreCurve
from phasenet_keras.types import ConfigError, LabelledWaveform


@pytest.fixture
def dataset(tmp_path):
    write_dataset(records_with_spikes(), tmp_path / "set")
    return str(tmp_path / "set")


@pytest.fixture
def scored(spike_net):
    picker = Picker(spike_net)
    picked = pick_records(picker, records_with_spikes(), lowest=0.05)
    tolerance = tolerance_of(tolerance_samples=5)
    return SimpleNamespace(
        picker=picker,
        picked=picked,
        scores=score_picked(picked, picker.thresholds, tolerance, bootstrap=100),
        curves=score_curves(picked, picker.thresholds, tolerance),
    )


@pytest.mark.filterwarnings("error::UserWarning")  # of a layout that does not fit
def test_evaluate_writes_a_folder(dataset, preset, tmp_path, capsys):
    out = tmp_path / "scores"
    options = ["--tolerance-samples", "5", "--bootstrap", "200", "--output", str(out)]
    assert main(["evaluate", preset, dataset, *options]) == 0
    said = unaligned(capsys.readouterr().out)
    assert "| P | 0.900 (" in said
    assert "Rule phasenet, with a tolerance of 5 samples" in said
    assert sorted(path.name for path in out.iterdir()) == [
        "precision_recall.png",
        "residuals.png",
        "scores.json",
        "scores.md",
        "worst_records.png",
    ]
    text = (out / "scores.json").read_text()
    values = json.loads(text)
    assert text == json.dumps(values, indent=2, sort_keys=True) + "\n"
    assert values["P"]["f1"] == pytest.approx(0.9)
    assert values["P"]["residual_mean_s"] == pytest.approx(0.02 / 9, abs=1e-6)
    about = values["evaluation"]
    assert about["counts"]["P"] == {
        "n_records": 10, "n_events": 5, "n_true": 10, "n_pred": 10, "n_matched": 9
    }  # fmt: skip
    assert (about["preset"], about["split"], about["rule"]) == (preset, "test", "phasenet")
    assert (about["tolerance_samples"], about["tolerance_s"]) == (5, 0.05)
    assert about["thresholds"] == {"P": 0.3, "S": 0.3}
    assert values["S"]["noise_hours"] == pytest.approx(300 / 3600)
    assert values["S"]["false_picks_per_hour"] == 0
    assert values["curves"]["P"]["thresholds"][0] == 0.05
    assert max(values["curves"]["P"]["f1"]) == pytest.approx(18 / 19)
    page = unaligned((out / "scores.md").read_text())
    for words in (said.strip(), "10 labels, 10 picks, 9 matches in 10 records of 5 events",
                  "](residuals.png)", "](worst_records.png)"):  # fmt: skip
        assert words in page
    for name in ("residuals", "precision_recall", "worst_records"):
        assert imread(out / f"{name}.png").std() > 0.05


def test_few_records_give_neither_rates_nor_talk_of_intervals(scored, tmp_path):
    tolerance = tolerance_of(tolerance_samples=5)
    pages = []
    for chosen, bootstrap in ((scored.picked, 100), (scored.picked[4:6], 100), (scored.picked, 0)):
        scores = score_picked(chosen, scored.picker.thresholds, tolerance, bootstrap=bootstrap)
        write_scores(tmp_path, scores, {})
        pages.append(unaligned((tmp_path / "scores.md").read_text()))
    many, few, without = pages
    assert "| F1 (95 %) | precision (95 %) | recall (95 %) |" in many
    for page in (few, without):
        assert "| F1 | precision | recall |" in page
        assert "95 %" not in page
    assert "No interval" not in without
    assert "Intervals are 95 % bootstrap intervals by event." in many
    assert "12.0 false picks an hour between arrivals (0.0831 hours)" in many
    assert "| 0.0 | 0 |" in many
    assert "No interval is given for 1 event: it takes at least 5." in few
    assert "Intervals are" not in few
    assert "1 false pick in 59.8 s between arrivals" in few
    assert "no record with an arrival; 0 in 60 s of records without one" in few
    assert "| 0 in 60 s | 0 |" in few


def test_records_that_trained_the_network_are_counted(dataset, preset, tmp_path, capsys):
    """By their samples: a name may be another's; a network saved in its place forgets them."""
    mine, out = shutil.copytree(preset, tmp_path / "run/best"), tmp_path / "scores"
    records = records_with_spikes()
    wave = records[9].waveform
    other = replace(records[9], waveform=replace(wave, data=2 * wave.data))
    write_learnt(mine, [*records[:3], other])
    command = ["evaluate", str(tmp_path / "run"), dataset, "--output", str(out)]
    assert main(command) == 0
    words = "3 of 10 records trained this network or what it was made from: "
    words += "their scores say nothing of others."
    assert f"note {words}" in " ".join(capsys.readouterr().out.split())
    assert words in (out / "scores.md").read_text()
    (mine / "learnt.csv").write_text("these,are\nno,digests\n")
    assert main(command) == 2
    assert "learnt.csv cannot be read" in capsys.readouterr().err
    write_learnt(mine, records[:3])
    kept = tmp_path / "kept"
    shutil.copytree(preset, kept / "best")
    carry_learnt(read_learnt(str(tmp_path / "run")), kept)
    assert (kept / "best/learnt.csv").read_text() == (mine / "learnt.csv").read_text()
    for _ in range(2):  # the second time nothing is new
        carry_learnt([("of the parent", "0a"), ("of the parent", "1b")], kept)
    added = "of the parent,0a\nof the parent,1b\n"
    assert (kept / "best/learnt.csv").read_text() == (mine / "learnt.csv").read_text() + added
    PhaseNet.from_preset(mine).save_preset(mine)
    assert main(command) == 0
    assert "trained this network" not in capsys.readouterr().out


def test_a_json_file_alone_has_the_same_values(dataset, preset, tmp_path):
    folder, file = tmp_path / "scores", tmp_path / "alone.json"
    slash = tmp_path / "with-slash.json"
    for output in (folder, file, f"{slash}/"):
        assert main(["evaluate", preset, dataset, "--output", str(output)]) == 0
    assert (slash / "scores.json").read_text() == file.read_text()
    assert file.read_text() == (folder / "scores.json").read_text()
    assert json.loads(file.read_text())["P"]["rule"] == "phasenet"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("alone.json", "scores", "set", "with-slash.json"),
    ]


@pytest.mark.parametrize(
    ("rate", "n_samples", "words"),
    [
        (100.0, 3000, None),
        (500.0, 3000, None),  # 50 samples
        (100.0, 200, None),  # 5 % of the record
        (510.0, 3000, "the tolerance of 0.1 s is 51 samples of these records and 2% of"),
        (100.0, 190, "the tolerance of 0.1 s is 10 samples of these records and 5% of"),
        (6000.0, 1800, "is 600 samples of these records and 33% of their length, so that"),
    ],
)
def test_a_tolerance_too_wide_for_the_records_is_said(rate, n_samples, words):
    wave = Waveform(np.ones((n_samples, 1)), rate, UTCDateTime(0), ("Z",), "A")
    said = wide_tolerance(tolerance_of(), [LabelledWaveform(wave, {"P": (100,)})] * 3)
    assert (words in said and "--tolerance-samples" in said) if words else said == ""


def test_evaluate_says_so_only_of_the_rule_s_own_tolerance(preset, tmp_path, capsys):
    records = [
        replace(record, waveform=replace(record.waveform, sampling_rate=2000.0))
        for record in records_with_spikes()
    ]
    write_dataset(records, tmp_path / "set")
    command = ["evaluate", preset, str(tmp_path / "set"), "--sampling", "reinterpret"]
    for options, is_said in (([], True), (["--tolerance-samples", "200"], False)):
        assert main([*command, *options]) == 0
        assert ("note the tolerance of 0.1 s is 200" in capsys.readouterr().out) is is_said


@pytest.mark.parametrize(
    ("rates", "sampling", "words"),
    [
        ((50.0, 100.0, 200.0), "resample", ""),  # up to a factor of two
        ((100.0, 201.0, 6000.0), "resample", "records of 201, 6000 Hz were resampled to the 100"),
        ((40.0,), "resample", "records of 40 Hz were resampled to the 100 Hz of 'spikes'; --samp"),
        ((6000.0,), "reinterpret", ""),
    ],
)
def test_records_of_far_other_rates_are_said(spike_net, rates, sampling, words):
    waves = [Waveform(np.ones((99, 1)), rate, UTCDateTime(0), ("Z",), "A") for rate in rates]
    records = [LabelledWaveform(wave, {"P": (10,)}) for wave in waves]
    said = far_rates(Picker(spike_net, sampling=sampling), records)
    assert said.startswith(words) if words else said == ""


def test_evaluate_says_that_training_takes_samples_as_they_are(preset, tmp_path, capsys):
    """The scores of the same weights on the same samples are 0.95 and nothing."""
    records = [
        replace(record, waveform=replace(record.waveform, sampling_rate=2000.0))
        for record in records_with_spikes()
    ]
    write_dataset(records, tmp_path / "set")
    command = ["evaluate", preset, str(tmp_path / "set"), "--tolerance-samples", "5"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "note records of 2000 Hz were resampled to the 100 Hz of 'spikes'" in said
    assert "P | 0.000" in unaligned(said)
    assert main([*command, "--sampling", "reinterpret"]) == 0
    said = capsys.readouterr().out
    assert "resampled" not in said
    assert "P | 0.900" in unaligned(said)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--split", "dev"], "no record in split 'dev'; its records are in test: name another"),
        (["--rule", "phasenit"], "no rule 'phasenit'; known: phasenet. Did you mean 'phasenet'?"),
        (["--tolerance-s", "-1"], "tolerance_s is a number of 0 or more, received -1.0"),
        (["--bootstrap", "-5"], "--bootstrap is 0 or more, received -5"),
        (["--output", "no/such/file.json"], "folder no/such does not exist"),
        (["--output", "setup.cfg"], "folder setup.cfg cannot be made"),
    ],
)
def test_errors_are_one_line(options, words, dataset, preset, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "setup.cfg").write_text("")
    assert main(["evaluate", preset, dataset, *options]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert words in said.err
    assert said.err.count("\n") == 1


def test_labels_of_other_phases_only_are_an_error(preset, tmp_path, capsys):
    [record, *_] = records_with_spikes()
    write_dataset(
        [LabelledWaveform(record.waveform, {}, name="r", split="test")], tmp_path / "unknown"
    )
    assert main(["evaluate", preset, str(tmp_path / "unknown")]) == 2
    assert "has labels of P or S, the phases of" in capsys.readouterr().err


def test_figures_have_a_panel_a_phase_and_two_a_record(scored):
    residuals = residuals_by_phase(scored.picked, scored.scores)
    figure = plot_residuals(residuals, scored.scores)
    assert len(figure.axes) == 2
    assert "9 of 10 labels found within 50 ms" in figure.axes[0].get_title()
    assert "no pick near a label" in figure.axes[1].get_title()
    assert sum(bar.get_height() for bar in figure.axes[0].containers[0]) == 9
    figure = plot_curves(scored.curves, scored.scores)
    assert len(figure.axes) == 1
    [legend] = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == ["P at the threshold used, 0.3: F1 0.900"]
    errors = worst_records(scored.picked, scored.scores, 5)
    assert [e.picked.record.name for e in errors][:3] == ["r4", "r5", "r3"]
    figure = plot_worst(errors, scored.scores, scored.picker)
    assert len(figure.axes) == 10
    assert figure.axes[0].get_title(loc="left") == "r4: P 1 missed"
    assert figure.axes[2].get_title(loc="left") == "r5: P 1 false, +0 ms"
    left, right = figure.axes[4].get_xlim()
    assert left < 10.3 < right
    assert right - left < 3.0
    assert len(plot_worst(errors[:1], scored.scores, scored.picker).axes) == 2
    # No S is labelled or picked.
    [legend] = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == ["P label", "P pick", "threshold"]


def test_phases_of_one_score_are_both_seen(scored):
    score, curve = scored.scores["P"], scored.curves["P"]
    [axis] = plot_curves({"P": curve, "S": curve}, {"P": score, "S": score}).axes
    rings = [line.get_markersize() for line in axis.lines if line.get_marker() == "o"]
    assert rings[0] >= rings[1] + 4  # the second is drawn upon the first


def test_a_tolerance_has_three_digits(scored):
    scores = {"P": replace(scored.scores["P"], tolerance_s=5 / 3000)}
    [axis] = plot_residuals({}, scores).axes
    assert "labels found within 1.67 ms\n" in axis.get_title()


def test_the_rules_of_a_table_name_their_phases_where_they_are_several(scored):
    p = replace(scored.scores["P"], rule="phasenet", tolerance_s=0.0025, tolerance_samples=None)
    s = replace(p, phase="S", tolerance_s=0.005)
    assert "\n\nRule phasenet, with a tolerance of 2.5 ms: " in markdown_table({"a": {"P": p}})
    table = markdown_table({"a": {"P": p, "S": s}, "b": {"P": p}})
    assert "\n\nP: Rule phasenet, with a tolerance of 2.5 ms: " in table
    assert "\n\nS: Rule phasenet, with a tolerance of 5 ms: " in table


def test_records_without_errors_are_not_called_the_worst(scored, tmp_path):
    right = [one for one in scored.picked if one.record.name in ("r1", "r2")]
    for picked, heading in (
        (scored.picked, "Records with the most missed and false picks"),
        (right, "Records with the largest residuals: no pick is missed or false"),
    ):
        write_scores(
            tmp_path, scored.scores, scored.curves, picked=picked, offsets={}, picker=scored.picker
        )
        assert f"## {heading}\n\n![{heading}](worst_records.png)" in (
            tmp_path / "scores.md"
        ).read_text(encoding="utf-8")


def test_lines_of_equal_f1_are_whole_where_all_precision_is_1(scored):
    found = (10, 9, 3)
    recall, f1 = ([n / 10 for n in found], [2 * n / (10 + n) for n in found])
    curve = ScoreCurve("P", 10, (0.05, 0.5, 0.95), found, found, (1.0,) * 3, recall, f1)
    [axis] = plot_curves({"P": curve}, scored.scores).axes
    assert axis.get_xlim() == axis.get_ylim() == pytest.approx((0.25, 1.015))
    lines = [line.get_xydata() for line in axis.lines if line.get_color() == GRID_COLOR]
    assert len(lines) == 7
    for line in lines:
        recall, precision = line.T
        f1 = 2 * precision * recall / (precision + recall)
        np.testing.assert_allclose(f1, f1[0])
        ends = [precision[0], recall[-1]] if f1[0] > 0.4 else [recall[0], precision[-1]]
        np.testing.assert_allclose(ends, 1.0 if f1[0] > 0.4 else 0.25)


def test_the_marked_threshold_is_on_the_curve(scored):
    figure = plot_curves(scored.curves, scored.scores)
    curve, marked = (line.get_xydata() for line in figure.axes[0].lines[:2])
    assert len(marked) == 1
    assert any(np.allclose(marked[0], point) for point in curve)


def test_without_picked_records_there_are_numbers_and_the_curve(scored, tmp_path):
    paths = write_scores(tmp_path / "new", scored.scores, scored.curves)
    assert [path.name for path in paths] == ["scores.json", "scores.md", "precision_recall.png"]
    assert all(path.is_file() for path in paths)
    with pytest.raises(ConfigError, match="no phase was labelled"):
        write_scores(tmp_path / "other", {}, {})
    assert not (tmp_path / "other").exists()


def test_a_bar_shows_on_terminals_only():
    for terminal in (True, False):
        console = Console(file=io.StringIO(), force_terminal=terminal, width=80)
        with CountBar(console, "picking") as bar:
            bar.take(3, 3)
        assert ("3/3" in console.file.getvalue()) is terminal
