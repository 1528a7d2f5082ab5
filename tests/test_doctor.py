"""Each illness is found in a run that has it, and not in one that is well."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from obspy import UTCDateTime

import phasenet_keras.training.learner as learner_module
from phasenet_keras import PhaseNet, Preset, Waveform
from phasenet_keras.training.checks_data import (
    check_channels,
    check_labels,
    check_places,
    check_split,
    identical_records,
)
from phasenet_keras.training.config import TrainConfig
from phasenet_keras.training.doctor import (
    check_history,
    check_label_order,
    check_losses,
    check_outputs,
    check_regularizer,
    check_weights,
)
from phasenet_keras.training.examination import check_batch_norms, check_filters
from phasenet_keras.training.freezing import StageAdam, apply_phase, build_optimizer
from phasenet_keras.training.train import train
from phasenet_keras.training.transfer import FreezePhase, strategy_of
from phasenet_keras.types import LabelledWaveform

UP_ONLY = strategy_of({"name": "up", "freeze": {"trainable": ["up*", "output"]}})


def names(findings):
    return [finding.name for finding in findings]


@pytest.fixture
def run():
    """Train for one epoch under a phase; return weights before and after, and the network."""

    def make(phase, learning_rate=1e-2, y=None):
        keras.utils.set_random_seed(0)
        net = PhaseNet(channels="Z", filters_root=2, depth=3)
        # One step: compiling it would take longer.
        net.compile(StageAdam(learning_rate), "categorical_crossentropy", run_eagerly=True)
        build_optimizer(net)
        apply_phase(net, phase)
        before = net.get_weight_set()
        x = np.random.default_rng(0).standard_normal((8, 128, 1)).astype("float32")
        if y is None:
            y = np.eye(3, dtype="float32")[np.random.default_rng(1).integers(0, 3, (8, 128))]
        loss = net.fit(x, y, epochs=1, verbose=0).history["loss"][0]
        return before, net.get_weight_set(), net, loss, x

    return make


def test_a_healthy_run_has_no_findings(run):
    before, after, net, loss, x = run(FreezePhase(trainable=("up*", "output")))
    assert check_history(loss, [1e-2], 3) == []
    assert check_weights(before, after, UP_ONLY, net.stages, 1) == []
    assert check_outputs(net.predict_on_batch(x), ("N", "P", "S")) == []


def test_weights_that_moved_though_frozen(run):
    before, after, net, _, _ = run(FreezePhase())
    [finding] = check_weights(before, after, UP_ONLY, net.stages, 1)
    assert finding.name == "frozen set not as asked"
    assert "input, down0, down1, down2, which moved" in finding.text


def test_weights_that_did_not_move_though_asked_to(run):
    before, after, net, _, _ = run(FreezePhase(trainable=("output",)))
    [finding] = check_weights(before, after, UP_ONLY, net.stages, 1)
    assert "trains up1, up0, which did not move" in finding.text


def test_nothing_moved(run):
    before, _, net, _, _ = run(FreezePhase())
    assert names(check_weights(before, before, UP_ONLY, net.stages, 1)) == ["no weight moved"]


def test_exploded_weights(run):
    before, after, net, _, _ = run(FreezePhase(), learning_rate=1e6)
    assert "weights exploded" in names(
        check_weights(before, after, strategy_of("finetune"), net.stages, 1)
    )


def test_learning_rate_near_zero_and_wrong_labels():
    assert names(check_history(1.0, [1e-9, 1e-10], 3)) == ["learning rate near zero"]
    assert names(check_history(2.5, [1e-3], 3)) == ["initial loss too high"]
    assert check_history(math.nan, [1e-3], 3) == check_history(math.inf, [1e-3], 3) == []
    assert check_history(math.log(3), [1e-3], 3) == []


def test_labels_in_another_order_start_with_a_high_loss(ncedc_like_output):
    """A network that knows its phases, scored on labels whose columns are exchanged."""
    y_pred, y_true = ncedc_like_output
    wrong = -np.mean(np.sum(y_true[..., [1, 0, 2]] * np.log(y_pred), axis=-1))
    right = -np.mean(np.sum(y_true * np.log(y_pred), axis=-1))
    assert names(check_history(float(wrong), [1e-3], 3)) == ["initial loss too high"]
    assert check_history(float(right), [1e-3], 3) == []


@pytest.fixture
def ncedc_like_output():
    y_true = np.zeros((4, 500, 3))
    y_true[..., 0] = 1.0
    y_true[:, 200] = (0.0, 1.0, 0.0)
    y_pred = 0.97 * y_true + 0.01
    return y_pred, y_true


def test_collapsed_output():
    flat = np.full((4, 100, 3), (0.98, 0.01, 0.01))
    assert names(check_outputs(flat, ("N", "P", "S"))) == ["output collapsed"] * 2
    flat[:, 50, 1] = 0.9
    [finding] = check_outputs(flat, ("N", "P", "S"))
    assert "probability of S is 0.010 everywhere" in finding.text
    noise = 0.05 * np.random.default_rng(0).random((4, 100, 3))
    assert names(check_outputs(noise, ("N", "P", "S"))) == ["output is all noise"] * 2
    assert names(check_outputs(noise, ("N", "P", "S"), {"P"})) == ["output is all noise"]
    flat[0, 0, 0] = np.nan
    assert names(check_outputs(flat, ("N", "P", "S"))) == ["output not finite"]


def test_a_schedule_that_is_over_at_once_and_weights_that_hardly_move(run):
    rates = [1e-3, 1e-3, *[1e-6] * 8]
    [finding] = check_history(1.0, rates, 3)
    assert finding.name == "learning rate near zero"
    assert "in 8 of 10 epochs" in finding.text
    before, after, net, _, _ = run(FreezePhase(), learning_rate=1e-6)
    found = check_weights(before, after, strategy_of("finetune"), net.stages, 1)
    assert names(found) == ["learning rate near zero"]


def test_class_weights_raise_the_loss_of_a_network_that_knows_nothing():
    assert names(check_history(2.5, [1e-3], 3, ignorant_loss=1.0)) == ["initial loss too high"]
    assert check_history(2.5, [1e-3], 3, ignorant_loss=2.4) == []


def test_losses_that_rise_again_or_are_not_finite():
    falling = [0.1 / (n + 1) for n in range(20)]
    rising = [0.05, *np.linspace(0.04, 0.09, 19)]
    assert names(check_losses(falling, rising)) == ["overfitting"]
    assert check_losses(falling[:5], rising[:5]) == []
    assert check_losses(falling, falling) == []
    [finding] = check_losses([0.1, math.nan], [0.1, 0.1])
    assert "first in epoch 1" in finding.text
    [finding] = check_losses([math.nan, math.inf], [0.1, 0.1])
    assert finding.name == "loss not finite"
    assert "in 2 epochs, first in epoch 0" in finding.text


def test_regulariser_larger_than_the_data_term():
    [finding] = check_regularizer(0.05, 5.0)
    assert finding.name == "regulariser larger than the data term"
    assert "divide the regularisers' factors by 1000" in finding.text
    assert check_regularizer(0.05, 0.0) == check_regularizer(0.05, 0.01) == []


def test_exchanged_answers_are_found_without_training(ncedc_like_output):
    y_pred, y_true = (array.copy() for array in ncedc_like_output)
    y_true[:, 300] = y_pred[:, 300] = (0.0, 0.0, 1.0)
    assert check_label_order(y_pred, y_true, "NPS") == []
    [finding] = check_label_order(y_pred[..., [0, 2, 1]], y_true, "NPS")
    assert finding.name == "labels look swapped"
    only_p = y_true.copy()
    only_p[..., 2] = 0.0
    assert check_label_order(y_pred[..., [0, 2, 1]], only_p, "NPS") == []
    # Both phases answer at P, as the official network does far from its own records.
    assert check_label_order(y_pred[..., [0, 1, 1]], y_true, "NPS") == []


# -- whole runs -----------------------------------------------------------------------------------

SETTINGS = {"batch_size": 8, "window_samples": 256, "shift_samples": 64, "learning_rate": 1e-3}


def shots(count, first=0, **fields):
    """Noise in which a P of 10 Hz sets in, and a stronger S of 3 Hz after it."""
    records = []
    for n in range(first, first + count):
        rng = np.random.default_rng(n)
        data = 0.1 * rng.standard_normal((400, 1))
        p = int(rng.integers(100, 200))
        s = p + int(rng.integers(50, 90))
        for at, size, hertz in ((p, 1.0, 10), (s, 3.0, 3)):
            t = np.arange(400 - at) / 100.0
            data[at:, 0] += size * np.exp(-3 * t) * np.cos(2 * np.pi * hertz * t)
        wave = Waveform(data, 100.0, UTCDateTime(0), ("Z",), f"S{n}")
        records.append(LabelledWaveform(wave, {"P": (p,), "S": (s,)}, name=f"r{n}", **fields))
    return records


def relabelled(records, arrivals):
    """The records with other arrivals."""
    return [LabelledWaveform(r.waveform, arrivals(r.arrivals), name=r.name) for r in records]


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    """A run that is well; its network is the parent of those that are not."""
    keras.utils.set_random_seed(1)
    net = PhaseNet(channels="Z", depth=3, filters_root=4)
    net = net.with_preset(
        Preset(name="small", config=net.config, sampling_rate=100.0, window_samples=256)
    )
    config = TrainConfig.from_dict({**SETTINGS, "epochs": 16, "learning_rate": 1e-2})
    folder = tmp_path_factory.mktemp("runs") / "healthy"
    return train(net, shots(40), shots(10, 100), folder, strategy="scratch", config=config)


@pytest.fixture
def tune(healthy, tmp_path):
    """Train the healthy network on, for an epoch; return the names and texts of the findings."""

    def make(parent=None, records=None, dev=None, **settings):
        result = train(
            parent or healthy.net,
            records or shots(16, 200),
            dev or shots(8, 100),
            tmp_path / "run",
            config=TrainConfig.from_dict({**SETTINGS, "epochs": 1, **settings}),
        )
        return {finding.name: finding.text for finding in result.findings}

    return make


def changed(net, change):
    """A copy of a network with changed weights."""
    other = PhaseNet(net.config)
    weights = {name: array.copy() for name, array in net.get_weight_set().items()}
    change(weights)
    other.set_weight_set(weights)
    return other.with_preset(net.preset)


def test_a_run_that_is_well_and_its_report(healthy, tune):
    assert healthy.findings == ()
    report = (healthy.folder / "report.md").read_text(encoding="utf-8")
    assert report.startswith("# Training run\n\nValidation F1 ")
    assert "The doctor found nothing wrong." in report
    assert "| strategy | scratch |" in report
    assert "| learning_rate | 0.01 |" in report
    assert "16 epochs" in report
    assert f"| {healthy.best_epoch} | " in report
    assert tune() == {}


def test_labels_of_p_and_s_are_exchanged(tune):
    def swap(at):
        return {"P": at["S"], "S": at["P"]}

    found = tune(records=relabelled(shots(16, 200), swap), dev=relabelled(shots(8, 100), swap))
    assert "exchange the columns" in found["labels look swapped"]
    assert "in 24 of 24 records" in found["S before P"]


def test_only_the_labels_of_validation_are_exchanged(tune):
    dev = relabelled(shots(8, 100), lambda at: {"P": at["S"], "S": at["P"]})
    found = tune(dev=dev)
    assert "labels look swapped" in found
    assert "S before P" not in found


def far_from_the_data(weights):
    weights["down1_bn/moving_variance"] *= 400.0
    weights["down1_bn/moving_mean"] += 3.0


def test_statistics_that_are_far_from_the_data(tune, healthy):
    found = tune(parent=changed(healthy.net, far_from_the_data))
    assert "farthest off are down1_bn" in found["batch-norm statistics stale"]


def test_frozen_statistics_are_not_judged(healthy):
    net = changed(healthy.net, far_from_the_data)
    x = np.stack([record.waveform.data[60:316] for record in shots(8, 100)])
    x = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
    y = healthy.net.predict_on_batch(x)
    loss = keras.losses.CategoricalCrossentropy()
    assert check_batch_norms(healthy.net, x, y, loss) == []
    assert names(check_batch_norms(net, x, y, loss)) == ["batch-norm statistics stale"]
    before = net.get_weight_set()
    for layer in net.layers:
        layer.trainable = False
    assert check_batch_norms(net, x, y, loss) == []
    assert all(np.array_equal(before[name], a) for name, a in net.get_weight_set().items())


def test_filters_that_are_dead_or_explode(tune, healthy):
    def kill(weights):
        weights["down2_bn/beta"][:-2] = -50.0

    found = tune(parent=changed(healthy.net, kill))
    n = len(healthy.net.get_weight_set()["down2_bn/beta"])
    assert f"{n - 2} of {n} in down2;" in found["dead filters"]
    x = np.random.default_rng(0).standard_normal((4, 256, 1)).astype("float32")
    flat = changed(healthy.net, lambda w: w["up0_bn/gamma"].__imul__(1e-6))
    assert check_filters(flat, x) == []  # half of the stage's filters: the transposed ones live
    loud = changed(healthy.net, lambda w: w["up1_bn/gamma"].__imul__(1e6))
    [finding] = check_filters(loud, x)
    assert finding.name == "exploding filters"
    assert "up1" in finding.text


def test_regularisers_that_outweigh_the_labels(tune, monkeypatch):
    class Regularized(PhaseNet):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            for layer in self.layers:
                if hasattr(layer, "kernel"):
                    layer.kernel.regularizer = keras.regularizers.L2(1.0)

    monkeypatch.setattr(learner_module, "PhaseNet", Regularized)
    assert "regulariser larger than the data term" in tune()


def test_a_learning_rate_of_next_to_nothing(tune):
    assert "learning rate near zero" in tune(learning_rate=1e-8)


def test_a_schedule_that_is_over_before_half_of_the_run(tune, monkeypatch):
    monkeypatch.setattr(
        learner_module.Learner, "learning_rate", lambda self, epoch: 1e-3 if not epoch else 1e-6
    )
    assert "in 2 of 3 epochs" in tune(epochs=3)["learning rate near zero"]


def test_labels_that_weigh_nothing_teach_noise(tune):
    found = tune(class_weights=(1.0, 0.0, 0.0), learning_rate=0.01, epochs=10)
    assert {"output is all noise", "output collapsed"} & set(found)
    answers = np.full((4, 256, 3), [0.98, 0.01, 0.01], np.float32)
    answers[:, ::2] += np.array([-0.05, 0.03, 0.02], np.float32)
    quiet = check_outputs(answers, "NPS", {"P"})
    assert [finding.name for finding in quiet] == ["output is all noise"]
    assert "also where P is labelled" in quiet[0].text


def test_a_dead_channel_and_copies_in_validation(tune, healthy):
    parent = PhaseNet.from_preset(healthy.folder, channels="NZ")
    dev = [LabelledWaveform(r.waveform, r.arrivals, name=f"copy {r.name}") for r in shots(8, 200)]
    found = tune(parent=parent, dev=dev)
    assert "channel N is missing or constant in 16 of 16" in found["dead channel"]
    assert "train with --channels Z" in found["dead channel"]
    assert "r200 and copy r200" in found["waveforms in two splits"]


def test_events_in_two_splits():
    ours, theirs = shots(4, event="e1", gather="g1"), shots(4, 50, event="e1", gather="g2")
    [finding] = check_split(ours, theirs)
    assert finding.name == "events in two splits"
    assert "1 events are in training and validation, e.g. e1" in finding.text
    assert finding.text.endswith(": label records of other events")
    [finding, *_] = check_split([*ours, *shots(1, 90, event="e2")], ours)
    assert finding.text.endswith(": split by event")
    assert names(check_split(ours, ours)) == [
        "events in two splits",
        "gathers in two splits",
        "names in two splits",
        "waveforms in two splits",
    ]
    assert check_split(shots(4), shots(4, 50)) == []


def test_constant_channels_are_no_copies_and_scale_is_harmless():
    def record(n, quiet=0.0):
        data = np.random.default_rng(n).standard_normal((50, 2)) * (1e6, quiet)
        wave = Waveform(data, 100.0, UTCDateTime(0), ("N", "Z"), f"S{n}")
        return LabelledWaveform(wave, {})

    assert identical_records([record(1)], [record(2)]) == []
    assert identical_records([record(1)], [record(1, 1.0)]) == [("S1", "S1")]
    assert check_channels([record(1, 1e-6), record(2)], "NZ") == []
    assert names(check_channels([record(1), record(2)], "NZ")) == ["dead channel"]


def test_labels_that_the_network_has_no_phase_for():
    records = relabelled(shots(3), lambda at: {"Pg": at["P"], "S": at["S"], "Sn": ()})
    [finding] = check_labels(records, "NPS")
    assert finding.name == "labels of unknown phases"
    assert "arrivals of Pg are ignored" in finding.text
    assert check_labels(shots(3), "NPS") == []


def test_rates_of_times_in_microseconds_are_asked_about():
    def records(rate_hz, *samples):
        wave = Waveform(np.ones((400, 1), "f4"), rate_hz, UTCDateTime(0), ("Z",), "S")
        return [LabelledWaveform(wave, {"P": (sample,)}) for sample in samples]

    for samples in ((120, 240, 130), (0.5, 0.6, 0.7)):  # right by chance, and of 10 MHz in us
        [finding] = check_labels(records(10.0, *samples), "NPS")
        assert (finding.name, finding.text[:72]) == (
            "rate looks like ms or µs",
            "records have 10 Hz: are the times, or the sampling interval, in their fi",
        )
    assert check_labels(records(20.0, 120, 240, 130), "NPS") == []
    few = [*records(10.0, 120), *records(100.0, *range(120, 130))]
    assert check_labels(few, "NPS") == []


def test_labels_in_seconds_are_asked_about():
    def places(*samples):
        wave = Waveform(np.ones((400, 1), "f4"), 100.0, UTCDateTime(0), ("Z",), "S")
        return [LabelledWaveform(wave, {"P": (sample,)}) for sample in samples]

    in_seconds = places(1.2, 2.4, 3.9)  # of 4 s
    [finding] = check_places(in_seconds)
    assert finding.name == "labels look like seconds"
    assert finding.text.startswith(
        "all 3 arrivals are where records begin, the latest at sample 3.9: are they in seconds? In "
    )
    assert "multiply by the sampling rate" in finding.text
    assert check_labels(in_seconds, "NPS") == [finding]
    [finding] = check_places(places(*[0.5] * 9, 200))
    assert finding.text.startswith("of 10 arrivals 9 are before sample 2: are they in seconds?")
    assert check_places(places(*[0.5] * 8, 200, 300)) == []
    assert check_places(places(1.2, 2.4, 4.1)) == []
    assert check_places(places(0.0, 1.0)) == []


def test_two_labels_of_one_onset_are_said():
    """Of a catalogue that has an earthquake twice, by two agencies."""
    wave = Waveform(np.ones((2000, 1)), 100.0, UTCDateTime(0), ("Z",), "A")
    at = [{"P": (200, 202), "S": (400,)}, {"P": (200, 900)}, {"S": (300, 349.0, 800)}, {"P": (7,)}]
    found = check_places([LabelledWaveform(wave, a, name=f"r{n}") for n, a in enumerate(at)])
    assert names(found) == ["labelled twice", "labelled twice"]
    assert found[0].text.startswith("1 records have two P less than 50 samples apart (r0)")
    assert found[1].text.startswith("1 records have two S less than 50 samples apart (r2)")
