"""Each illness is found in a run that has it, and not in one that is well."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest

from phasenet_keras import PhaseNet
from phasenet_keras.training.doctor import check_history, check_outputs, check_weights
from phasenet_keras.training.freezing import StageAdam, apply_phase, build_optimizer
from phasenet_keras.training.transfer import FreezePhase, strategy_of

UP_ONLY = strategy_of({"name": "up", "freeze": {"trainable": ["up*", "output"]}})


def names(findings):
    return [finding.name for finding in findings]


@pytest.fixture
def run():
    """Train for one epoch under a phase; return weights before and after, and the network."""

    def make(phase, learning_rate=1e-2, y=None):
        keras.utils.set_random_seed(0)
        net = PhaseNet(channels="Z", filters_root=2, depth=3)
        net.compile(StageAdam(learning_rate), "categorical_crossentropy")
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
    assert names(check_history(math.nan, [1e-3], 3)) == ["loss not finite"]
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
    flat[0, 0, 0] = np.nan
    assert names(check_outputs(flat, ("N", "P", "S"))) == ["output not finite"]
