"""Self-training: weights, choice, rounds that end, the best that is kept, and a kill in between.

Nothing here hangs on what a network learns: decisions are pure functions, pseudo labels come from a
network set by hand, and runs of few steps must obey rules that hold for any outcome.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from obspy import UTCDateTime

from phasenet_keras import PhaseNet, Picker, Waveform
from phasenet_keras.cli import main
from phasenet_keras.data.examples import ExampleMaker
from phasenet_keras.io.geometry import Geometry
from phasenet_keras.io.seisbench import write_dataset
from phasenet_keras.models.loss import MaskedCrossEntropy
from phasenet_keras.training.config import TrainConfig
from phasenet_keras.training.correction import CorrectionConfig
from phasenet_keras.training.evaluate import evaluate
from phasenet_keras.training.learnt import read_learnt, write_learnt
from phasenet_keras.training.physics import reciprocity_weights
from phasenet_keras.training.pseudo_records import (
    GatherTrace,
    PseudoSettings,
    pseudo_labels,
    pseudo_records,
)
from phasenet_keras.training.rounds import best_round, goes_on
from phasenet_keras.training.selftrain import self_train
from phasenet_keras.training.survey import record_offsets
from phasenet_keras.training.train import train
from phasenet_keras.types import ConfigError, LabelledWaveform

GIVEN = CorrectionConfig(choose="given")
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
N, LENGTH = 16, 400


def spike(at, receiver, seed, height=50.0):
    """A record with an upward spike, which the network set by hand picks as P; none without at."""
    data = 0.5 * np.random.default_rng(seed).standard_normal((LENGTH, 1))
    if at is not None:
        data[at] = height
    return Waveform(data, 100.0, UTCDateTime(0), ("Z",), str(receiver))


def onset(shot, receiver):
    return 100 + 6 * (receiver - 1) + shot % 7


def gather(shot, wrong=None, **fields):
    """Records of one shot at receiver 1: P grows with the distance, S is not labelled.

    ``wrong`` says of a receiver where its spike is in place of the onset.
    """
    records = []
    for receiver in range(1, N + 1):
        at = onset(shot, receiver)
        wave = spike((wrong or {}).get(receiver, at), receiver, (shot, receiver))
        records.append(
            LabelledWaveform(
                wave, {"P": (at,)}, name=f"{shot}_{receiver}", gather=f"shot {shot}", **fields
            )
        )
    return records


def traces_of(shots, wrong=None):
    return [
        GatherTrace(str(shot), record.waveform.station, float(number), record)
        for shot in shots
        for number, record in enumerate(gather(shot, wrong))
    ]


def labelled():
    return [*gather(1, split="train")[::4], *gather(2, split="dev"), *gather(3, split="test")]


@pytest.fixture(scope="module")
def finder(make_net, tmp_path_factory):
    """A preset that finds every spike: no training can do better."""
    folder = tmp_path_factory.mktemp("finder") / "spikes"
    make_net(("Z",), window_samples=256, depth=2).save_preset(folder)
    return str(folder)


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


def load(preset):
    return PhaseNet.from_preset(preset, rebalance=True)


def predictions(net):
    x = np.random.default_rng(0).standard_normal((2, 256, 1)).astype("float32")
    return np.asarray(net(x, training=False))


# Weights


def test_the_loss_takes_part_of_a_label():
    target = np.zeros((1, 1, 6), np.float32)
    target[0, 0, [1, 3, 5]] = 1
    predicted = np.array([[[0.3, 0.6, 0.1]]], np.float32)
    values = []
    for weight in (0.0, 0.5, 1.0):
        target[0, 0, 4] = weight
        values.append(float(MaskedCrossEntropy(3)(target, predicted)))
    np.testing.assert_allclose(values, [0, -0.5 * np.log(0.6), -np.log(0.6)], atol=1e-6)
    target[0, 0, :2] = 1, 0  # where noise is said to be, P is blamed in part
    for weight, expected in ((0.0, 0.9), (0.5, 0.6), (1.0, 0.3)):
        target[0, 0, 4] = weight
        assert float(MaskedCrossEntropy(3)(target, predicted)) == pytest.approx(-np.log(expected))


def test_examples_carry_the_weights_of_their_records():
    records = gather(1)[:2]
    maker = ExampleMaker(records, ("Z",), ("N", "P", "S"), 256, weights={"1_1": {"P": 0.4}})
    np.testing.assert_allclose(maker.example(0, 0)[1][0, 3:], [1, 0.4, 0])
    np.testing.assert_allclose(maker.example(0, 1)[1][0, 3:], [1, 1, 0])
    with pytest.raises(ConfigError, match="from 0 to 1"):
        ExampleMaker(records, ("Z",), ("N", "P", "S"), 256, weights={"1_1": {"P": 1.5}})


# Choice


def around(n):
    """The nine of N records that are nearest to the n-th; of two as near, the left one."""
    return sorted(range(N), key=lambda m: (abs(m - n), m))[:9]


def test_pseudo_labels_are_corrected_weighted_and_chosen(finder):
    traces = traces_of([1], wrong={6: 300, 10: None})
    table = pseudo_labels(Picker(load(finder)), traces, GIVEN)
    p = table[table["phase"] == "P"].reset_index(drop=True)
    assert p["how"].value_counts().to_dict() == {"kept": 14, "moved": 1, "filled": 1}
    assert (p["how"][5], p["how"][9]) == ("moved", "filled")
    kept = p["how"] == "kept"
    probability = np.where(kept, p["probability"], 0.0)
    support = [probability[around(n)].mean() for n in range(N)]
    expected = np.where(kept, p["probability"], support) * support
    expected = expected / (1 + (p["uncertainty_samples"] / 6) ** 2)
    np.testing.assert_allclose(p["weight"], expected)
    assert p["weight"][[5, 9]].max() < p["weight"][kept].min()
    assert table[table["phase"] == "S"]["weight"].max() < PseudoSettings().least_weight
    records, weights = pseudo_records(table, traces, PseudoSettings(least_weight=0.3))
    assert len(records) == N
    found = [record.arrivals["P"][0] for record in records]
    np.testing.assert_allclose(found, [onset(1, n + 1) for n in range(N)], atol=2.5)
    assert (records[5].name, records[5].gather) == ("unlabelled/5", "unlabelled/1")
    assert "S" not in records[5].arrivals
    assert weights["unlabelled/5"] == {"P": pytest.approx(p["weight"][5])}


def test_only_labels_of_enough_weight_are_chosen(finder):
    traces = traces_of([1])
    table = pseudo_labels(Picker(load(finder)), traces, GIVEN)
    at = np.flatnonzero(table["phase"] == "P")
    table.loc[at, "weight"] = np.linspace(0.1, 0.85, N)
    records, weights = pseudo_records(table, traces, PseudoSettings(least_weight=0.5))
    chosen = [n for n in range(N) if table["weight"][at[n]] >= 0.5]
    assert 0 < len(chosen) < N
    assert [record.name for record in records] == [f"unlabelled/{n}" for n in chosen]
    assert list(weights) == [record.name for record in records]
    assert pseudo_records(table, traces, PseudoSettings(least_weight=0.9)) == ([], {})


def test_mirrored_and_hopeless_gathers_give_no_labels(finder):
    hopeless = traces_of([2], wrong=dict.fromkeys(range(1, N + 1)))
    left = [GatherTrace("1", f"l{n}", -float(n + 1), gather(4)[n]) for n in range(3)]
    both = [*traces_of([1]), *left, *hopeless]
    table = pseudo_labels(Picker(load(finder)), both, GIVEN)
    mirrored = table[table["mirrored"] & (table["phase"] == "P")]
    assert len(mirrored) == 3
    assert (mirrored["weight"] == 0).all()
    assert (table[table["shot"] == "2"]["weight"] == 0).all()
    assert len(pseudo_records(table, both, PseudoSettings(least_weight=0.3))[0]) == N


def test_reciprocity_weighs_labels(finder):
    shots = (1, 6, 11, N)
    traces = [
        GatherTrace(
            str(shot), str(r), float(r - shot), LabelledWaveform(spike(at, r, (shot, r)), {})
        )
        for shot in shots
        for r in range(1, N + 1)
        # Shot 1 is late: its curve is as smooth as the others', but disagrees with them.
        for at in [100 + 6 * abs(r - shot) + 12 * (shot == 1)]
    ]
    weights = {}
    for correction in (GIVEN, replace(GIVEN, reciprocity=True)):
        table = pseudo_labels(Picker(load(finder)), traces, correction)
        weights[correction.reciprocity] = table["weight"].to_numpy()
    agreement = reciprocity_weights(table, least_spread=1.5)
    paired = np.isfinite(agreement)
    assert (paired & (table["phase"] == "P")).sum() == 12
    # Of the six pairs three are of shot 1 and 12 samples apart: less than 3 sigma, to a median.
    sigma = 1.4826 * np.median([12, 12, 12, 0, 0, 0])
    worst = 1 / (1 + (12 / (3 * sigma)) ** 2)
    assert agreement[paired].min() == pytest.approx(worst, abs=0.05)
    ratio = weights[True][paired] / weights[False][paired]
    np.testing.assert_allclose(ratio, agreement[paired], atol=0.02)


@pytest.mark.parametrize(
    "wrong", [{"least_weight": 1.5}, {"least_probability": -1}, {"half_weight_samples": 0}]
)
def test_settings_are_checked(wrong):
    with pytest.raises(ConfigError):
        PseudoSettings(**wrong)


def test_offsets_of_records():
    geometry = Geometry({"A": (3.0, 0.0, 0.0)}, {"1": (5.0, 0.0, 0.0)})
    assert record_offsets(["1"], ["A"], geometry) == [-2.0]
    assert record_offsets(["1"], ["A"], known=[7.0]) == [7.0]
    with pytest.raises(ConfigError, match="need offsets"):
        record_offsets(["1"], ["A"], known=[None])
    with pytest.raises(ConfigError, match="no record is of a shot"):
        record_offsets(["1"], ["B"], geometry)


# Rounds


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
