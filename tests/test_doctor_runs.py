"""The doctor looks at whole runs: each illness is found in one that has it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from sick_runs import names, relabelled, shots
from training_runs import small_parent

import phasenet_keras.training.learner as learner_module
from phasenet_keras import PhaseNet
from phasenet_keras.training.config import TrainConfig
from phasenet_keras.training.doctor import check_outputs
from phasenet_keras.training.examination import check_batch_norms, check_filters
from phasenet_keras.training.train import train
from phasenet_keras.types import LabelledWaveform

SETTINGS = {
    "batch_size": 8,
    "window_samples": 256,
    "shift_samples": 64,
    "learning_rate": 1e-3,
    "refit": False,
}


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    """A run that is well; its network is the parent of those that are not."""
    config = TrainConfig.from_dict({**SETTINGS, "epochs": 16, "learning_rate": 1e-2})
    folder = tmp_path_factory.mktemp("runs") / "healthy"
    records = shots(40), shots(10, 100)
    return train(small_parent(depth=3), *records, folder, strategy="scratch", config=config)


@pytest.fixture
def tune(healthy, tmp_path):
    """Train the healthy network on, for an epoch; return the names and texts of the findings."""

    def make(parent=None, records=None, dev=None, strategy="finetune", **settings):
        result = train(
            parent or healthy.net,
            records or shots(16, 200),
            dev or shots(8, 100),
            tmp_path / "run",
            strategy=strategy,
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


def swap(at):
    return {"P": at["S"], "S": at["P"]}


def test_labels_of_p_and_s_are_exchanged(tune):
    """The parent says so: what was trained on such labels until it agrees with them does not."""
    records, dev = relabelled(shots(40, 200), swap), relabelled(shots(8, 100), swap)
    found = tune(records=records, dev=dev, epochs=16, learning_rate=1e-2)
    assert "exchange the columns" in found["labels look swapped"]
    assert "in 48 of 48 records" in found["S before P"]


@pytest.mark.parametrize(
    "settings",
    [{}, {"strategy": "scratch", "records": shots(40), "epochs": 16}],
    ids=["finetune", "scratch"],
)
def test_only_the_labels_of_validation_are_exchanged(tune, settings):
    """Where there is no parent, what was trained says so."""
    found = tune(dev=relabelled(shots(8, 100), swap), learning_rate=1e-2, **settings)
    assert "exchange the columns" in found["labels look swapped"]


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


def test_a_learning_rate_at_which_nothing_stays_finite(tune):
    found = tune(learning_rate=1e30)
    assert "in 1 epoch, first in epoch 0" in found["loss not finite"]
    assert "NaN" in found["output not finite"]
    assert "weights exploded" in found


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
