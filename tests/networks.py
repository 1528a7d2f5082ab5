"""Networks of random weights, what they are fed, and what the official graph makes of records."""

from __future__ import annotations

import numpy as np

from phasenet_keras import PhaseNet
from phasenet_keras.models.weights import expected_shapes

# Of probabilities against the official ones.
TOLERANCE = 1e-5


def random_weights(config, seed):
    """Weights, batch-norm statistics included; probabilities are neither all alike nor 0 or 1."""
    rng = np.random.default_rng(seed)
    weights = {}
    for name, shape in expected_shapes(config).items():
        if name.endswith("/kernel"):
            weights[name] = rng.normal(0, (2 / (shape[0] * min(shape[1:]))) ** 0.5, shape)
        elif name.endswith(("gamma", "moving_variance")):
            weights[name] = rng.uniform(0.5, 1.5, shape)
        else:
            weights[name] = rng.normal(0, 0.3, shape)
    return {name: array.astype("float32") for name, array in weights.items()}


def network(config, weights):
    net = PhaseNet(config)
    net.set_weight_set(weights)
    return net


def noise(n_samples, n_channels=3, batch=1):
    rng = np.random.default_rng(n_samples)
    return rng.standard_normal((batch, n_samples, n_channels)).astype("float32")


def official_cases(shared):
    """Yield records of many lengths, and the official graph's probabilities."""
    odd = np.load(shared / "fixtures/official_phasenet_odd_lengths.npz")
    for name in odd.files:
        if name != "x":
            n_samples = int(name.removeprefix("prob_"))
            yield odd["x"][None, :n_samples], odd[name][None]
    parity = np.load(shared / "fixtures/official_phasenet_parity.npz")
    for length in ("3000", "3001", "9000"):
        x, y = parity[f"x{length}"], parity[f"prob{length}"]
        yield (x, y) if x.ndim == 3 else (x[None], y[None])
