"""Self-training: rounds that end, the best that is kept, and a kill in between.

Nothing here hangs on what a network learns: runs of few steps must obey rules that hold for any
outcome.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from obspy import UTCDateTime
from unlabelled import GIVEN, N, gather, labelled, load, traces_of

from phasenet_keras import PhaseNet, Picker, Waveform
from phasenet_keras.cli import main
from phasenet_keras.io.seisbench import write_dataset
from phasenet_keras.training.config import TrainConfig
from phasenet_keras.training.evaluate import evaluate
from phasenet_keras.training.learnt import read_learnt, write_learnt
from phasenet_keras.training.pseudo_records import GatherTrace
from phasenet_keras.training.rounds import best_round, goes_on
from phasenet_keras.training.selftrain import self_train
from phasenet_keras.training.train import train
from phasenet_keras.types import ConfigError, LabelledWaveform

SETTINGS = {
    "epochs": 2,
    "batch_size": 8,
    "windows_per_record": 1,
    "window_samples": 256,
    "learning_rate": 0.01,
    "shift_samples": 64,
    "tolerance_samples": 5.0,
    "augmentation": [],
}
CONFIG = TrainConfig(**SETTINGS)


@pytest.fixture(scope="module")
def learner(make_net, tmp_path_factory):
    """A preset with a part of that network's weights: what becomes of it, training decides."""
    net = make_net(("Z",), window_samples=256, depth=2)
    rng = np.random.default_rng(0)
    weights = {
        name: array + (0.05 * rng.standard_normal(array.shape) if "kernel" in name else 0.0)
        for name, array in net.get_weight_set().items()
    }
    weights["output_conv/bias"][0] += 2.0
    net.set_weight_set({name: array.astype("float32") for name, array in weights.items()})
    folder = tmp_path_factory.mktemp("learner") / "some"
    net.save_preset(folder, replace(net.preset, name="some"))
    return str(folder)


def predictions(net):
    x = np.random.default_rng(0).standard_normal((2, 256, 1)).astype("float32")
    return np.asarray(net(x, training=False))


def test_a_perfect_parent_is_kept(tmp_path, finder):
    said = []
    parent = shutil.copytree(finder, tmp_path / "parent")
    tmp_path = tmp_path / "run"
    write_learnt(parent, labelled()[:3])
    result = self_train(
        load(parent), labelled(), traces_of([11]), tmp_path, config=CONFIG, correction=GIVEN,
        on_round=said.append,
    )  # fmt: skip
    assert [item.number for item in said] == [0, 1]
    assert result.rounds[0].dev_f1 == 1.0
    assert result.rounds[0].scores["P"].f1 == 1.0
    assert result.rounds[1].counts["P"]["chosen"] == N
    assert result.best == 0
    assert "the parent is kept" in result.verdict
    np.testing.assert_allclose(
        predictions(PhaseNet.from_preset(tmp_path)), predictions(load(finder)), atol=1e-5
    )
    assert "did not help" in (tmp_path / "report.md").read_text()
    assert read_learnt(str(tmp_path)) == read_learnt(str(parent))


def test_rules_of_any_run_and_a_kill_in_between(tmp_path, learner):
    unlabelled = traces_of([11, 12], wrong={3: None})
    options = {"config": CONFIG, "correction": GIVEN, "rounds": 2}
    epochs, said = [], []

    def kill(report):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        self_train(load(learner), labelled(), unlabelled, tmp_path / "a", on_epoch=kill, **options)
    labels = (tmp_path / "a/round_1/pseudo_labels.csv").read_bytes()
    result = self_train(
        load(learner), labelled(), unlabelled, tmp_path / "a", on_round=said.append,
        on_epoch=lambda report: epochs.append(report.epoch), **options
    )  # fmt: skip
    assert epochs[0] == 1  # epoch 0 was done before the kill
    assert (tmp_path / "a/round_1/pseudo_labels.csv").read_bytes() == labels

    learnt = tmp_path / f"a/round_{result.best}/best/learnt.csv"
    assert learnt.is_file() == (tmp_path / "a/best/learnt.csv").is_file() == bool(result.best)
    # Rounds end as the rules say, and the best network is the one that is left.
    f1s = [item.dev_f1 for item in result.rounds]
    assert [item.number for item in said] == list(range(len(f1s)))
    assert all(goes_on(f1s[:n], 2) for n in range(1, len(f1s)))
    assert not goes_on(f1s, 2)
    assert result.best == best_round(f1s)
    best = tmp_path / f"a/round_{result.best}" if result.best else learner
    left = PhaseNet.from_preset(tmp_path / "a")
    np.testing.assert_allclose(predictions(left), predictions(load(best)), atol=1e-5)

    # What is said of it is its score on the held-out records.
    for split in ("dev", "test"):
        records = [record for record in labelled() if record.split == split]
        picker = Picker(load(best), sampling="reinterpret")
        f1 = evaluate(picker, records, tolerance_samples=5, bootstrap=0)["P"].f1
        told = result.rounds[result.best]
        assert f1 == pytest.approx(told.dev_f1 if split == "dev" else told.scores["P"].f1)

    # The same command again does nothing, and says the same.
    epochs.clear()
    said.clear()
    again = self_train(
        load(learner), labelled(), unlabelled, tmp_path / "a", on_round=said.append,
        on_epoch=lambda report: epochs.append(report.epoch), **options
    )  # fmt: skip
    assert epochs == []
    assert len(said) == len(f1s)
    assert again.verdict == result.verdict

    # A run in one go ends the same; labels of the unlabelled records are not looked at.
    blind = [
        replace(trace, record=replace(trace.record, arrivals={"P": (7.0,)})) for trace in unlabelled
    ]
    self_train(load(learner), labelled(), blind, tmp_path / "b", **options)
    for name in ("rounds.json", "report.md"):
        assert (tmp_path / "b" / name).read_bytes() == (tmp_path / "a" / name).read_bytes()
    with pytest.raises(ConfigError, match=r"other settings \(geometry, unlabelled\)"):
        self_train(load(learner), labelled(), unlabelled[1:], tmp_path / "a", **options)


def test_weights_reach_the_training(tmp_path, learner):
    records = gather(11, split="train")
    dev = [record for record in labelled() if record.split == "dev"]

    def trained(name, weight):
        weights = {record.name: {"P": weight} for record in records} if weight else None
        config = replace(CONFIG, epochs=1, refit=False)
        train(load(learner), records, dev, tmp_path / name, config=config, weights=weights)
        with np.load(tmp_path / name / "last.npz") as state:
            return state["net/output_conv/kernel"]

    without = trained("without", None)
    np.testing.assert_array_equal(trained("whole", 1.0), without)
    assert not np.array_equal(trained("half", 0.5), without)


def test_labelled_records_among_the_unlabelled_get_no_pseudo_labels(tmp_path, finder):
    unlabelled = traces_of([2, 11])
    result = self_train(
        load(finder), labelled(), unlabelled, tmp_path, rounds=1, config=CONFIG, correction=GIVEN
    )
    counts = result.rounds[1].counts["P"]
    assert (counts["chosen"], counts["kept"]) == (N, 2 * N)


def test_a_survey_whose_clock_drifts_has_the_rate_of_the_labelled_records(tmp_path, finder):
    drifting = [
        replace(trace, record=replace(r, waveform=replace(r.waveform, sampling_rate=100.001)))
        for trace in traces_of([11])
        for r in (trace.record,)
    ]
    config = replace(CONFIG, epochs=1, refit=False)
    result = self_train(
        load(finder), labelled(), drifting, tmp_path, rounds=1, config=config, correction=GIVEN
    )
    assert result.rounds[1].counts["P"]["chosen"] == N


def test_impossible_runs_are_refused(tmp_path, finder):
    net, unlabelled = load(finder), traces_of([11])

    def refused(match, records=None, traces=unlabelled, **options):
        with pytest.raises(ConfigError, match=match):
            self_train(net, records or labelled(), traces, tmp_path / "x", **options)

    refused("no dev records", [r for r in labelled() if r.split != "dev"])
    refused("no records without labels", traces=[])
    for rounds in (0, 2.5, "2", True):
        refused("rounds is a whole number from 1", rounds=rounds)
    refused("without labels is a GatherTrace, received LabelledWaveform", traces=gather(11))
    refused("are a list of GatherTrace, received GatherTrace", traces=unlabelled[0])
    refused("correction is a CorrectionConfig, received dict", correction={"reciprocity": True})
    refused("pseudo is a PseudoSettings, received dict", pseudo={"least_weight": 0.5})
    nowhere = (GatherTrace(t.shot, t.receiver, None, t.record) for t in unlabelled)
    refused("none of the records without labels has an offset", traces=nowhere)
    with pytest.raises(ConfigError, match="offset is a number, or None, received 'left'"):
        GatherTrace("1", "1", "left", gather(11)[0])
    with pytest.raises(ConfigError, match="is a LabelledWaveform, received Waveform"):
        GatherTrace("1", "1", 0.0, gather(11)[0].waveform)
    refused("all 16 records without labels are in the labelled", traces=traces_of([3]))
    wave = Waveform(np.ones((400, 1)), 50.0, UTCDateTime(0), ("Z",), "1")
    refused(
        "labelled 100 Hz; without labels 50 Hz",
        traces=[GatherTrace("1", "1", 0.0, LabelledWaveform(wave, {}))],
    )
    assert not (tmp_path / "x").exists()


def test_on_the_command_line(tmp_path, finder, capsys):
    write_dataset(labelled(), tmp_path / "labelled")
    write_dataset([*gather(11), *gather(12)], tmp_path / "unlabelled")
    config = tmp_path / "config.json"
    config.write_text(json.dumps(SETTINGS))
    correction = tmp_path / "correction.json"
    correction.write_text('{"choose": "given"}')
    # Receiver numbers serve: shot 11 at receiver 11.
    geometry = tmp_path / "line.csv"
    rows = [f"{n},{2 * n},0\n" for n in range(1, N + 1)]
    geometry.write_text("receiver,x,source_x\n" + "".join(rows))
    command = [
        *("selftrain", str(tmp_path / "unlabelled"), "--parent", finder),
        *("--labelled", str(tmp_path / "labelled"), "--rounds", "1", "--config", str(config)),
        *("--settings", str(correction), "--geometry", str(geometry)),
        *("--output", str(tmp_path / "run")),
    ]
    assert main(command) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "before: validation F1 1.000; test F1 P 1.000" in said
    assert "pseudo labels 0 S" not in said
    assert "the parent is kept" in said
    assert PhaseNet.from_preset(tmp_path / "run").config.channels == ("Z",)
    assert main([*command, "--least-weight", "0.5"]) == 2
    assert main([*command, "--names", "("]) == 2
