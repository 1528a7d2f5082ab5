"""Self-training on synthetic gathers: weights, choice, rounds that help, stop and resume."""

from __future__ import annotations

import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from obspy import UTCDateTime

from phasenet_keras import PhaseNet, Preset, Waveform
from phasenet_keras.cli import main
from phasenet_keras.data.examples import ExampleMaker
from phasenet_keras.io.geometry import Geometry
from phasenet_keras.io.seisbench import write_dataset
from phasenet_keras.training import selftrain
from phasenet_keras.training.config import TrainConfig
from phasenet_keras.training.correction import CorrectionConfig
from phasenet_keras.training.loss import masked_cross_entropy
from phasenet_keras.training.pseudo_records import (
    GatherTrace,
    PseudoSettings,
    pseudo_labels,
    pseudo_records,
)
from phasenet_keras.training.selftrain import self_train
from phasenet_keras.training.survey import record_offsets
from phasenet_keras.training.train import train
from phasenet_keras.types import ConfigError, LabelledWaveform

GIVEN = CorrectionConfig(choose="given")
SETTINGS = {
    "epochs": 6,
    "batch_size": 8,
    "windows_per_record": 4,
    "window_samples": 256,
    "learning_rate": 0.01,
    "shift_samples": 64,
    "tolerance_samples": 5.0,
    "augmentation": [],
}
CONFIG = TrainConfig(**SETTINGS)
N = 16


def gather(shot, noise=0.1, **fields):
    """Records of one shot at receiver 1: P grows with the distance, S is not labelled."""
    records = []
    for receiver in range(1, N + 1):
        rng = np.random.default_rng((shot, receiver))
        data = noise * rng.standard_normal((400, 1))
        at = 100 + 6 * (receiver - 1) + shot % 7
        t = np.arange(400 - at) / 100.0
        data[at:, 0] += np.exp(-2 * t) * np.cos(2 * np.pi * 10 * t)
        wave = Waveform(data, 100.0, UTCDateTime(0), ("Z",), str(receiver))
        records.append(
            LabelledWaveform(
                wave, {"P": (at,)}, name=f"{shot}_{receiver}", gather=f"shot {shot}", **fields
            )
        )
    return records


def traces_of(shots, **fields):
    return [
        GatherTrace(str(shot), record.waveform.station, float(number), record)
        for shot in shots
        for number, record in enumerate(gather(shot, **fields))
    ]


def labelled():
    few = [record for n, record in enumerate(gather(1, split="train")) if n % 4 == 0]
    return [*few, *gather(2, 0.3, split="dev"), *gather(3, 0.3, split="test")]


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    """A network that has seen a few clean records, and finds some onsets in noisy ones."""
    keras.utils.set_random_seed(1)
    net = PhaseNet(channels="Z", depth=3, filters_root=4)
    net = net.with_preset(
        Preset(name="small", config=net.config, sampling_rate=100.0, window_samples=256)
    )
    folder = tmp_path_factory.mktemp("parent") / "run"
    config = TrainConfig(**{**SETTINGS, "refit": False, "windows_per_record": 40})
    records = labelled()
    train(net, records[:4], gather(50), folder, strategy="scratch", config=config)
    return str(folder)


def load(parent):
    return PhaseNet.from_preset(parent, rebalance=True)


class FakePicker:
    """Picks P where the labels are, but for what ``wrong`` says: a sample, or none."""

    def __init__(self, traces, wrong):
        self.thresholds = {"P": 0.3}
        self.sampling = "resample"
        self.at = {}
        for number, trace in enumerate(traces):
            sample = wrong.get(number, trace.record.arrivals["P"][0])
            self.at[id(trace.record.waveform)] = sample

    def pick_record(self, wave):
        assert self.sampling == "reinterpret"
        sample = self.at[id(wave)]
        picks = [SimpleNamespace(phase="P", sample=3, probability=self.thresholds["P"])]
        if sample is not None:
            picks.append(SimpleNamespace(phase="P", sample=sample, probability=0.8))
        return SimpleNamespace(picks=picks if sample is not None else [])


# Weights


def test_the_loss_takes_part_of_a_label():
    target = np.zeros((1, 1, 6), np.float32)
    target[0, 0, [1, 3, 5]] = 1
    predicted = np.array([[[0.3, 0.6, 0.1]]], np.float32)
    values = []
    for weight in (0.0, 0.5, 1.0):
        target[0, 0, 4] = weight
        values.append(float(masked_cross_entropy(3)(target, predicted)))
    np.testing.assert_allclose(values, [0, -0.5 * np.log(0.6), -np.log(0.6)], atol=1e-6)
    target[0, 0, :2] = 1, 0  # where noise is said to be, P is blamed in part
    for weight, expected in ((0.0, 0.9), (0.5, 0.6), (1.0, 0.3)):
        target[0, 0, 4] = weight
        assert float(masked_cross_entropy(3)(target, predicted)) == pytest.approx(-np.log(expected))


def test_examples_carry_the_weights_of_their_records():
    records = gather(1)[:2]
    maker = ExampleMaker(records, ("Z",), ("N", "P", "S"), 256, weights={"1_1": {"P": 0.4}})
    np.testing.assert_allclose(maker.example(0, 0)[1][0, 3:], [1, 0.4, 0])
    np.testing.assert_allclose(maker.example(0, 1)[1][0, 3:], [1, 1, 0])
    with pytest.raises(ConfigError, match="from 0 to 1"):
        ExampleMaker(records, ("Z",), ("N", "P", "S"), 256, weights={"1_1": {"P": 1.5}})


# Choice


def test_pseudo_labels_are_corrected_weighted_and_chosen():
    traces = traces_of([1])
    table = pseudo_labels(FakePicker(traces, {5: 390, 9: None}), traces, GIVEN)
    assert table["how"].value_counts().to_dict() == {"kept": 14, "moved": 1, "filled": 1}
    support = 0.8 * 14 / 16
    expected = np.where(table["how"] == "kept", 0.8, support)
    expected = expected / (1 + (table["uncertainty_samples"] / 6) ** 2)
    np.testing.assert_allclose(table["weight"], expected)
    records, weights = pseudo_records(table, traces)
    assert len(records) == 16
    truth = [trace.record.arrivals["P"][0] for trace in traces]
    found = [record.arrivals["P"][0] for record in records]
    np.testing.assert_allclose(found, truth, atol=2.5)
    assert records[5].name == "unlabelled/5"
    assert records[5].gather == "unlabelled/1"
    assert "S" not in records[5].arrivals
    assert weights["unlabelled/5"]["P"] == pytest.approx(table["weight"][5])
    assert pseudo_records(table, traces, PseudoSettings(least_weight=0.9)) == ([], {})


def test_mirrored_and_hopeless_gathers_give_no_labels():
    traces = traces_of([1, 2])
    left = [GatherTrace("1", f"l{n}", -float(n + 1), gather(4)[n]) for n in range(3)]
    both = [*traces[:N], *left, *traces[N:]]
    picker = FakePicker(both, dict.fromkeys(range(N + 3, 2 * N + 3)))
    table = pseudo_labels(picker, both, GIVEN)
    mirrored = table[table["mirrored"]]
    assert len(mirrored) == 3
    assert (mirrored["weight"] == 0).all()
    assert (table[table["shot"] == "2"]["weight"] == 0).all()
    assert len(pseudo_records(table, both)[0]) == N


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


def test_it_helps_stops_and_goes_on_after_a_kill(tmp_path, parent):
    unlabelled = traces_of([11, 12], noise=0.3)
    options = {"config": CONFIG, "correction": GIVEN, "rounds": 1}
    epochs = []

    def kill(report):
        epochs.append(report.epoch)
        if len(epochs) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        self_train(load(parent), labelled(), unlabelled, tmp_path / "a", on_epoch=kill, **options)
    labels = (tmp_path / "a/round_1/pseudo_labels.csv").read_text()
    said = []
    result = self_train(
        load(parent), labelled(), unlabelled, tmp_path / "a", on_round=said.append,
        on_epoch=lambda report: epochs.append(report.epoch), **options
    )  # fmt: skip
    assert epochs == [0, 1, 2, 3, 4, 5]
    assert (tmp_path / "a/round_1/pseudo_labels.csv").read_text() == labels
    before, best = result.rounds[0], result.rounds[result.best]
    assert best.dev_f1 > before.dev_f1
    assert best.scores["P"].f1 > before.scores["P"].f1 + 0.1
    assert [item.number for item in said] == list(range(len(result.rounds)))
    # The same command again does nothing, and says the same.
    epochs.clear()
    again = self_train(
        load(parent), labelled(), unlabelled, tmp_path / "a",
        on_epoch=lambda report: epochs.append(report.epoch), **options
    )  # fmt: skip
    assert epochs == []
    assert again.verdict == result.verdict
    assert PhaseNet.from_preset(tmp_path / "a").preset.name == f"round_{result.best}"
    report = (tmp_path / "a/report.md").read_text()
    assert "| before | P |" in report
    assert "| round 1 | P |" in report
    # Another run in one go ends the same.
    whole = self_train(load(parent), labelled(), unlabelled, tmp_path / "b", **options)
    assert [item.dev_f1 for item in whole.rounds] == [item.dev_f1 for item in result.rounds]
    with pytest.raises(ConfigError, match="other settings or records"):
        self_train(load(parent), labelled(), unlabelled[1:], tmp_path / "a", **options)


@pytest.mark.parametrize(
    ("f1", "best", "said"),
    [
        ((0.1, 0.99), 0, "the parent is kept"),
        ((0.97, 0.99, 0.98, 1.0), 2, "round 3 no longer helped (0.980)"),
        ((0.97, 0.98, 0.99, 0.995, 1.0), 4, "validation F1 0.995 after round 4"),
    ],
)
def test_rounds_end_when_they_no_longer_help(tmp_path, parent, monkeypatch, f1, best, said):
    def fake_round(run, number, net, on_epoch):
        net.save_preset(run.folder / f"round_{number}/best", net.preset)
        return selftrain.SelfTrainRound(number, f1[number - 1], {})

    monkeypatch.setattr(selftrain, "_round", fake_round)
    result = self_train(load(parent), labelled(), traces_of([11]), tmp_path, rounds=4)
    assert result.best == best
    assert said in result.verdict
    assert len(result.rounds) == 1 + min(best + 1, 4)
    x = np.random.default_rng(0).standard_normal((1, 256, 1)).astype("float32")
    kept = PhaseNet.from_preset(tmp_path)
    np.testing.assert_allclose(kept(x), load(parent)(x), atol=1e-5)


def test_impossible_runs_are_refused(tmp_path, parent):
    net, unlabelled = load(parent), traces_of([11])

    def refused(match, records=None, traces=unlabelled, **options):
        with pytest.raises(ConfigError, match=match):
            self_train(net, records or labelled(), traces, tmp_path / "x", **options)

    refused("no dev records", [r for r in labelled() if r.split != "dev"])
    refused("no records without labels", traces=[])
    refused("rounds is from 1", rounds=0)
    refused("in the hold-out, e.g. 3_1, 3_2", traces=traces_of([3], noise=0.3))
    wave = Waveform(np.ones((400, 1)), 50.0, UTCDateTime(0), ("Z",), "1")
    refused("have 50 Hz", traces=[GatherTrace("1", "1", 0.0, LabelledWaveform(wave, {}))])
    assert not (tmp_path / "x").exists()


def test_on_the_command_line(tmp_path, parent, capsys):
    write_dataset(labelled(), tmp_path / "labelled")
    write_dataset([*gather(11, 0.3), *gather(12, 0.3)], tmp_path / "unlabelled")
    config = tmp_path / "config.json"
    config.write_text(json.dumps(SETTINGS))
    correction = tmp_path / "correction.json"
    correction.write_text('{"choose": "given"}')
    # Receiver numbers serve: shot 11 at receiver 11.
    geometry = tmp_path / "line.csv"
    rows = [f"{n},{2 * n},0\n" for n in range(1, N + 1)]
    geometry.write_text("receiver,x,source_x\n" + "".join(rows))
    command = [
        *("selftrain", str(tmp_path / "unlabelled"), "--parent", parent),
        *("--labelled", str(tmp_path / "labelled"), "--rounds", "1", "--config", str(config)),
        *("--settings", str(correction), "--geometry", str(geometry)),
        *("--output", str(tmp_path / "run")),
    ]
    assert main(command) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "before: validation F1" in said
    assert "pseudo labels" in said
    assert PhaseNet.from_preset(tmp_path / "run").config.channels == ("Z",)
    assert main([*command, "--least-weight", "0.5"]) == 2
    assert main([*command, "--names", "("]) == 2
