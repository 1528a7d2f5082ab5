"""What strategies do to a Keras network: each trap fails without its remedy."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from packaging.version import Version

from phasenet_keras import PhaseNet
from phasenet_keras.models.stages import stage_names
from phasenet_keras.training.freezing import (
    FreezeCallback,
    StageAdam,
    apply_phase,
    build_optimizer,
    initial_weights,
)
from phasenet_keras.training.transfer import (
    FreezePhase,
    FreezeSchedule,
    TransferStrategy,
    strategy_of,
)
from phasenet_keras.types import ConfigError

STAGES = stage_names(5)


@pytest.fixture
def net():
    keras.utils.set_random_seed(0)
    return PhaseNet(channels="Z", filters_root=2, depth=3)


@pytest.fixture
def batch():
    x = np.random.default_rng(0).standard_normal((8, 128, 1)).astype("float32")
    y = np.eye(3, dtype="float32")[np.random.default_rng(1).integers(0, 3, (8, 128))]
    return x, y


def train(net, batch, epochs, callbacks=(), start=0):
    net.fit(*batch, epochs=epochs, initial_epoch=start, verbose=0, callbacks=list(callbacks))


def moved_stages(net, before):
    after = net.get_weight_set()
    moved = {name for name in after if not np.array_equal(after[name], before[name])}
    return {name.split("_")[0] for name in moved}


def two_phases(second):
    return TransferStrategy(
        "two",
        freeze=FreezeSchedule((FreezePhase(0, ("output",)), FreezePhase(2, second))),
    )


def test_only_what_may_learn_moves_statistics_included(net, batch):
    strategy = two_phases(("up0", "output"))
    net.compile(StageAdam(1e-2), "categorical_crossentropy")
    before = net.get_weight_set()
    train(net, batch, 2, [FreezeCallback(strategy)])
    assert moved_stages(net, before) == {"output"}
    before = net.get_weight_set()
    train(net, batch, 4, [FreezeCallback(strategy)], start=2)
    assert moved_stages(net, before) == {"up0", "output"}


def test_an_optimizer_has_a_state_for_frozen_layers_as_well(net):
    n_all = len(net.trainable_variables)
    frozen = list(net.stage_layers("down0"))
    for layer in frozen:
        layer.trainable = False
    assert len(net.trainable_variables) < n_all
    net.compile(StageAdam(1e-2), "categorical_crossentropy")
    build_optimizer(net)
    # Two moments each, the step's number and the learning rate.
    assert len(net.optimizer.variables) == 2 * n_all + 2
    assert [layer for layer in net.layers if not layer.trainable] == frozen


def test_a_callback_serves_a_second_fit(net, batch):
    callback = FreezeCallback(
        TransferStrategy("a", freeze=FreezeSchedule((FreezePhase(0, ("output",)),)))
    )
    net.compile(StageAdam(1e-2), "categorical_crossentropy")
    train(net, batch, 1, [callback])
    for layer in net.layers:
        layer.trainable = True
    net.compile(StageAdam(1e-2), "categorical_crossentropy")
    before = net.get_weight_set()
    train(net, batch, 1, [callback])
    assert moved_stages(net, before) == {"output"}


def test_factors_of_a_later_phase_need_that_optimizer_too(net, batch):
    phases = (FreezePhase(0, ("output",)), FreezePhase(1, lr_scale={"down*": 0.0001}))
    callback = FreezeCallback(TransferStrategy("late", freeze=FreezeSchedule(phases)))
    net.compile("adam", "categorical_crossentropy")
    with pytest.raises(ConfigError, match=r"'late' has factors .*StageAdam, not Adam"):
        train(net, batch, 2, [callback])
    net.compile(StageAdam(1e-2), "categorical_crossentropy")
    train(net, batch, 2, [callback])
    assert net.optimizer.stage_scales["down0_conv"] == 0.0001


def test_a_variable_of_no_layer_has_the_plain_rate():
    layer = keras.layers.Dense(3, name="up0", bias_initializer="ones")
    layer.build((None, 1))
    of_layer, alone = layer.bias, keras.Variable(np.ones(3), name="v")
    optimizer = StageAdam(0.1)
    optimizer.stage_scales = {"up0": 0.5}
    optimizer.apply([np.ones(3, "float32")] * 2, [of_layer, alone])
    assert np.allclose(np.array(alone), 0.9, atol=1e-5)
    assert np.allclose(np.array(of_layer), 0.95, atol=1e-5)


def fitted(weights, batch, strategy):
    net = PhaseNet(channels="Z", filters_root=2, depth=3)
    net.set_weight_set(weights)
    net.compile(StageAdam(1e-2), "categorical_crossentropy")
    callbacks = [FreezeCallback(strategy)]
    net.fit(*batch, batch_size=4, epochs=5, verbose=0, shuffle=False, callbacks=callbacks)
    return net


THREE = strategy_of(
    {
        "name": "three",
        "freeze": [
            {"trainable": ["output", "up0"]},
            {"start_epoch": 2, "trainable": ["*"], "lr_scale": {"down*": 0.25}},
            {"start_epoch": 4, "trainable": ["input"]},
        ],
    }
)


UNDER_JAX = """
import sys
sys.path.insert(0, sys.argv[1])
from test_freezing import *
given = np.load(sys.argv[2])
weights = {name[2:]: given[name] for name in given.files if name.startswith("w/")}
net = fitted(weights, (given["x"], given["y"]), THREE)
np.savez(sys.argv[3], **net.get_weight_set())
net.compile("adam", "categorical_crossentropy")
try:
    net.fit(given["x"], given["y"], verbose=0, callbacks=[FreezeCallback("freeze_encoder")])
except ConfigError as error:
    print(keras.backend.backend(), error, len(net.get_weight_set()))
"""


@pytest.mark.jax
def test_under_jax_a_strategy_does_what_it_does_under_tensorflow(net, batch, tmp_path):
    if importlib.util.find_spec("jax") is None:
        pytest.skip("JAX is not installed")
    if Version(keras.version()) < Version("3.12"):
        pytest.skip("Keras before 3.12 cannot thaw layers under JAX")
    weights, (x, y) = net.get_weight_set(), batch
    given, found = tmp_path / "given.npz", tmp_path / "found.npz"
    np.savez(given, x=x, y=y, **{f"w/{name}": array for name, array in weights.items()})
    result = subprocess.run(
        [sys.executable, "-c", UNDER_JAX, str(Path(__file__).parent), str(given), str(found)],
        env={**os.environ, "KERAS_BACKEND": "jax"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-2000:]
    said = result.stdout.splitlines()[-1]
    assert said.startswith("jax under JAX Keras's own optimizers cannot follow strategy")
    assert said.endswith(f"StageAdam, not Adam {len(weights)}")  # and the network is still there
    ours = fitted(weights, batch, THREE).get_weight_set()
    with np.load(found) as theirs:
        for name, array in ours.items():
            assert np.abs(array - theirs[name]).max() < 1e-3, name
    for name in ("input_conv/kernel", "output_conv/kernel"):
        assert np.abs(ours[name] - weights[name]).max() > 0.02


def test_factors_of_the_learning_rate_need_an_optimizer_that_knows_them(net, batch):
    net.compile("adam", "categorical_crossentropy")
    slow = TransferStrategy("slow", freeze=FreezeSchedule((FreezePhase(lr_scale={"down*": 0.1}),)))
    with pytest.raises(ConfigError, match=r"'slow' has factors .*StageAdam, not Adam"):
        train(net, batch, 1, [FreezeCallback(slow)])
    deep = [FreezeCallback("freeze_deepest")]
    with pytest.raises(ConfigError, match="'down3' matches no stage"):
        train(net, batch, 1, deep)
    before = net.get_weight_set()
    train(net, batch, 1, [FreezeCallback("freeze_encoder")])
    assert moved_stages(net, before) == {"up0", "up1", "output"}


def test_without_a_new_step_a_flipped_flag_does_nothing(net, batch):
    """Trap 1: why the callback makes the training step anew."""
    net.compile(StageAdam(1e-2), "categorical_crossentropy")
    build_optimizer(net)
    apply_phase(net, FreezePhase(trainable=("output",)))
    train(net, batch, 1)
    apply_phase(net, FreezePhase(trainable=("*",)))
    before = net.get_weight_set()
    train(net, batch, 1)
    assert moved_stages(net, before) == {"output"}
    net.make_train_function(force=True)
    train(net, batch, 1)
    assert moved_stages(net, before) == set(net.stages)


def test_an_optimizer_of_the_frozen_subset_knows_nothing_of_the_rest(net, batch):
    """Trap 1: why the optimizer is built before anything is frozen."""
    net.compile(StageAdam(1e-2), "categorical_crossentropy")
    apply_phase(net, FreezePhase(trainable=("output",)))
    train(net, batch, 1)
    apply_phase(net, FreezePhase(trainable=("*",)))
    net.make_train_function(force=True)
    with pytest.raises(Exception, match=r"[Uu]nknown variable|eager execution"):
        net.train_on_batch(*batch)


def test_an_optimizer_of_all_goes_on_where_it_was_when_all_is_thawed(net, batch):
    """Trap 1: the remedy, and the moments of what learnt before are kept."""
    net.compile(StageAdam(1e-2), "categorical_crossentropy")
    build_optimizer(net)
    apply_phase(net, FreezePhase(trainable=("output",)))
    train(net, batch, 1)
    moments = [np.asarray(v) for v in net.optimizer.variables if "output_conv" in v.path]
    assert any(array.any() for array in moments)
    apply_phase(net, FreezePhase(trainable=("*",)))
    net.make_train_function(force=True)
    kept = [np.asarray(v) for v in net.optimizer.variables if "output_conv" in v.path]
    assert all(np.array_equal(a, b) for a, b in zip(moments, kept, strict=True))
    before = net.get_weight_set()
    train(net, batch, 1)
    assert moved_stages(net, before) == set(net.stages)


def saved_while_frozen(model, frozen, batch, path):
    """Train, freeze, save and load; return the optimizers before and after."""
    model.compile(keras.optimizers.Adam(1e-2), "categorical_crossentropy")
    model.fit(*batch, epochs=2, verbose=0)
    for layer in frozen:
        layer.trainable = False
    model.save(path)
    return model.optimizer, keras.saving.load_model(path).optimizer


def test_a_functional_model_saved_while_frozen_loses_its_optimizer(batch, tmp_path):
    """Trap 2: why the network is a subclass whose configuration is its hyper-parameters."""
    inputs = keras.Input((128, 1))
    first = keras.layers.Conv1D(2, 7, padding="same")
    outputs = keras.layers.Conv1D(3, 1, activation="softmax")(first(inputs))
    model = keras.Model(inputs, outputs)
    with pytest.warns(UserWarning, match="optimizer"):
        ours, theirs = saved_while_frozen(model, [first], batch, tmp_path / "functional.keras")
    states = [[np.asarray(v) for v in o.variables[2:]] for o in (ours, theirs)]
    assert any(array.any() for array in states[0])
    assert not any(array.any() for array in states[1])


def test_the_network_saved_while_frozen_keeps_its_optimizer(net, batch, tmp_path):
    """Trap 2: the remedy."""
    frozen = [layer for stage in ("input", "down0") for layer in net.stage_layers(stage)]
    ours, theirs = saved_while_frozen(net, frozen, batch, tmp_path / "ours.keras")
    assert int(theirs.iterations) == int(ours.iterations) == 2
    assert len(ours.variables) == len(theirs.variables) > 10
    for mine, other in zip(ours.variables, theirs.variables, strict=True):
        assert np.array_equal(np.asarray(mine), np.asarray(other))


def test_frozen_statistics_stay_where_a_vanishing_learning_rate_moves_them(net, batch):
    """Trap 3: the remedy."""
    net.compile(StageAdam(1e-2), "categorical_crossentropy")
    build_optimizer(net)
    apply_phase(net, FreezePhase(trainable=("input", "up*", "output")))
    before = net.get_weight_set()
    train(net, batch, 1)
    after = net.get_weight_set()
    same = {name for name in before if np.array_equal(after[name], before[name])}
    assert {name for name in before if name.startswith("down")} <= same
    assert not {name for name in same if "moving" in name and not name.startswith("down")}


def test_a_vanishing_learning_rate_is_not_freezing(net, batch):
    """Trap 3: the statistics of a batch norm move all the same; frozen ones do not."""
    net.compile(StageAdam(1e-2), "categorical_crossentropy")
    build_optimizer(net)
    apply_phase(net, FreezePhase(lr_scale={"down*": 1e-30}))
    before = net.get_weight_set()
    train(net, batch, 1)
    after = net.get_weight_set()
    assert np.array_equal(after["down1_conv/kernel"], before["down1_conv/kernel"])
    assert not np.array_equal(after["down1_bn/moving_mean"], before["down1_bn/moving_mean"])


def test_steps_are_in_the_ratio_of_the_stages(batch):
    """Trap 4: Adam undoes scaled gradients; scaled steps keep the ratio exactly."""
    steps = []
    for scale in (1.0, 0.25):
        keras.utils.set_random_seed(0)
        net = PhaseNet(channels="Z", filters_root=2, depth=3)
        net.compile(StageAdam(1e-3), "categorical_crossentropy")
        build_optimizer(net)
        apply_phase(net, FreezePhase(lr_scale={"up*": scale}))
        before = net.get_weight_set()
        net.train_on_batch(*batch)
        after = net.get_weight_set()
        steps.append({name: after[name] - before[name] for name in after})
    full, quarter = steps
    assert np.allclose(
        quarter["up0_conv/kernel"], full["up0_conv/kernel"] / 4, rtol=1e-3, atol=1e-8
    )
    assert np.array_equal(quarter["down0_conv/kernel"], full["down0_conv/kernel"])


class ScaledGradients(keras.optimizers.Adam):
    """The naive way: a quarter of each gradient."""

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(0.25 * gradient, variable, learning_rate)


def test_scaled_gradients_do_nothing_under_adam(batch):
    """Trap 4: why the step is scaled, not the gradient."""
    steps = []
    for optimizer in (keras.optimizers.Adam, ScaledGradients):
        keras.utils.set_random_seed(0)
        net = PhaseNet(channels="Z", filters_root=2, depth=2)
        net.compile(optimizer(1e-3), "categorical_crossentropy")
        before = net.get_weight_set()["up0_conv/kernel"]
        net.train_on_batch(*batch)
        steps.append(net.get_weight_set()["up0_conv/kernel"] - before)
    # Not all are equal: where gradients are tiny, Adam's epsilon counts.
    assert np.median(steps[1] / steps[0]) == pytest.approx(1.0, abs=0.01)


def test_loaded_stages_have_the_parents_weights_and_the_others_not(net):
    keras.utils.set_random_seed(9)
    parent = PhaseNet(net.config).get_weight_set()
    start = initial_weights(net, parent, strategy_of({"name": "a", "load": ["down*"]}))
    for name, array in start.items():
        ours = parent if name.startswith("down") else net.get_weight_set()
        assert np.array_equal(array, ours[name])
