"""The loss as Keras sees it: targets that do not fit are refused, a saved network comes back."""

from __future__ import annotations

import subprocess
import sys

import keras
import numpy as np
import pytest

from phasenet_keras import PhaseNet
from phasenet_keras.models.loss import MaskedCrossEntropy
from phasenet_keras.types import ConfigError, ShapeError

LABELS = np.eye(3, dtype="float32")[np.random.default_rng(1).integers(0, 3, (4, 64))]
KNOWN = np.concatenate([LABELS, np.ones_like(LABELS)], axis=-1)
ALIKE = np.full((4, 64, 3), 1 / 3, "float32")


@pytest.mark.parametrize(
    "target",
    [
        LABELS,
        KNOWN[..., :4],
        KNOWN[:, :1],
        KNOWN[:1],
        KNOWN[0],
        KNOWN[..., :1],
        KNOWN[..., None],
        KNOWN[..., 0],
    ],
    ids=[
        "labels alone",
        "mask of one column",
        "one sample",
        "one record",
        "no batch",
        "one column",
        "one dimension more",
        "one dimension fewer",
    ],
)
def test_targets_that_would_be_broadcast_are_refused(target):
    with pytest.raises(ShapeError, match=r"target \(batch, samples, 6\): labels, then how far"):
        MaskedCrossEntropy(3)(target, ALIKE)


def test_a_prediction_of_other_phases_is_refused():
    with pytest.raises(ShapeError, match=r"received \(4, 64, 4\)"):
        MaskedCrossEntropy(3)(KNOWN, np.full((4, 64, 4), 0.25))


def test_a_fit_on_labels_alone_is_refused_in_words():
    net = PhaseNet(channels="Z", filters_root=2, depth=3)
    net.compile("adam", MaskedCrossEntropy(3))
    with pytest.raises(ShapeError, match="how far each phase is known"):
        net.fit(np.zeros((4, 64, 1)), LABELS, verbose=0)


@pytest.mark.parametrize(
    ("n_phases", "factors", "words"),
    [
        (3, (2.0,), r"for each of 3 phases, received 1: \(2\.0,\)"),
        (3, (1, 2), "received 2"),
        (3, (0, 0, 0), "class_weights are all 0: nothing would be learnt"),
        (3, (1, 2, -1), "at least 0"),
        (3, 1.0, "a list of numbers, one a phase, noise first; received 1.0"),
        (3, np.array(2), r"one a phase, noise first; received array\(2\)"),
        ("3", None, "n_phases is a whole number"),
        (1, None, "n_phases is a whole number from 2 on, received 1"),
    ],
)
def test_factors_are_one_a_phase(n_phases, factors, words):
    with pytest.raises(ConfigError, match=words):
        MaskedCrossEntropy(n_phases, factors)


def test_factors_and_sample_weights_count():
    y = np.array([[[0, 1, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1]]], "float32")
    p = np.array([[[0.3, 0.6, 0.1], [0.5, 0.1, 0.4]]], "float32")
    each = -np.log([0.6, 0.4])
    assert float(MaskedCrossEntropy(3)(y, p)) == pytest.approx(each.mean(), rel=1e-6)
    weighted = MaskedCrossEntropy(3, np.array([1, 2, 5]))
    assert float(weighted(y, p)) == pytest.approx((2 * each[0] + 5 * each[1]) / 2, rel=1e-6)
    rows = MaskedCrossEntropy(3)(np.repeat(y, 2, 0), np.repeat(p, 2, 0), [[1.0], [0.0]])
    assert float(rows) == pytest.approx(each.mean() / 2, rel=1e-6)


def test_a_saved_network_comes_back_with_loss_and_optimizer(tmp_path):
    """In a program that has imported nothing but the network."""
    from phasenet_keras.training.freezing import StageAdam

    net = PhaseNet(channels="Z", filters_root=2, depth=3)
    net.compile(StageAdam(1e-3), MaskedCrossEntropy(3, (1, 2, 3)))
    x = np.random.default_rng(0).standard_normal((4, 64, 1)).astype("float32")
    net.fit(x, KNOWN, verbose=0)
    net.save(tmp_path / "net.keras")
    np.savez(tmp_path / "data.npz", x=x, y=KNOWN)
    code = (
        "import sys, keras, numpy as np\nfrom phasenet_keras import PhaseNet\n"
        "net = keras.models.load_model(sys.argv[1] + '/net.keras')\n"
        "data = np.load(sys.argv[1] + '/data.npz')\n"
        "print(type(net.optimizer).__name__, net.loss.class_weights)\n"
        "print(int(net.optimizer.iterations))\n"
        "print(net.evaluate(data['x'], data['y'], verbose=0))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-2000:]
    *_, what, n_steps, value = result.stdout.splitlines()
    assert (what, n_steps) == ("StageAdam (1, 2, 3)", "1")
    assert float(value) == pytest.approx(net.evaluate(x, KNOWN, verbose=0), rel=1e-5)
    assert isinstance(keras.models.clone_model(net), PhaseNet)


@pytest.fixture
def float64():
    policy = keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy(policy)


def test_the_loss_does_not_depend_on_keras_s_floatx(float64):
    net = PhaseNet(channels="Z", filters_root=2, depth=3)
    net.compile("adam", MaskedCrossEntropy(3))
    x = np.random.default_rng(0).standard_normal((4, 64, 1))
    value = net.evaluate(x, KNOWN, verbose=0)
    assert value == pytest.approx(float(MaskedCrossEntropy(3)(KNOWN, net(x))), rel=1e-5)


def test_unknown_phases_teach_nothing():
    """The loss does not change when probability moves between noise and an unknown phase."""
    loss = MaskedCrossEntropy(3)
    target = np.array([[[1, 0, 0], [0.2, 0.8, 0]]], "float32")
    known, unknown = np.ones_like(target), np.ones_like(target)
    unknown[..., 2] = 0
    one = np.array([[[0.6, 0.1, 0.3], [0.1, 0.7, 0.2]]], "float32")
    other = np.array([[[0.8, 0.1, 0.1], [0.3, 0.7, 0.0]]], "float32")
    masked = [float(loss(np.concatenate([target, unknown], -1), y)) for y in (one, other)]
    plain = [float(loss(np.concatenate([target, known], -1), y)) for y in (one, other)]
    assert masked[0] == pytest.approx(masked[1], rel=1e-6)
    expected = -(np.log(0.9) + 0.2 * np.log(0.3) + 0.8 * np.log(0.7)) / 2
    assert masked[0] == pytest.approx(expected, rel=1e-5)
    assert plain[0] != pytest.approx(plain[1], rel=1e-2)


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
