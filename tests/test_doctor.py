"""Each illness is found in a run that has it, and not in one that is well."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from obspy import UTCDateTime
from sick_runs import names, relabelled, shots

from phasenet_keras import PhaseNet, Waveform
from phasenet_keras.training.checks_arrivals import check_labels, check_places
from phasenet_keras.training.checks_data import (
    check_channels,
    check_split,
    identical_records,
)
from phasenet_keras.training.doctor import (
    check_history,
    check_label_order,
    check_losses,
    check_outputs,
    check_regularizer,
    check_weights,
)
from phasenet_keras.training.freezing import StageAdam, apply_phase, build_optimizer
from phasenet_keras.training.transfer import FreezePhase, strategy_of
from phasenet_keras.types import LabelledWaveform

UP_ONLY = strategy_of({"name": "up", "freeze": {"trainable": ["up*", "output"]}})


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


def test_events_in_two_splits():
    ours, theirs = shots(4, event="e1", gather="g1"), shots(4, 50, event="e1", gather="g2")
    [finding] = check_split(ours, theirs)
    assert finding.name == "events in two splits"
    assert "1 event in both training and validation, e.g. e1" in finding.text
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
    assert found[0].text.startswith("1 record with two P less than 50 samples apart (r0)")
    assert found[1].text.startswith("1 record with two S less than 50 samples apart (r2)")
