"""Inputs that go through the network together, against each alone."""

from __future__ import annotations

from concurrent.futures import Future

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import assert_same, cut, picker_of, record, run

from phasenet_keras.models.inference import compile_forward
from phasenet_keras.picking.batches import BatchedSubmit


class Counted:
    """Runs a function at once and notes the shapes that it was given."""

    def __init__(self, forward):
        self.forward, self.shapes = forward, []

    def __call__(self, x):
        self.shapes.append(x.shape[:2])
        future = Future()
        future.set_result(self.forward(x))
        return future


@settings(max_examples=60)
@given(
    lengths=st.lists(st.sampled_from([1, 4, 6, 12, 13, 24, 40]), max_size=40),
    wanted=st.lists(st.integers(0, 39), max_size=10),
)
def test_each_input_gets_its_own_result(lengths, wanted):
    counted = Counted(lambda x: 2 * x)
    submit = BatchedSubmit(counted, batch_samples=24)
    inputs = [np.full((1, n, 1), number) for number, n in enumerate(lengths)]
    results = []
    for number, x in enumerate(inputs):
        results.append(submit(x))
        waiting = sum(lengths[: number + 1]) - sum(k * n for k, n in counted.shapes)
        assert waiting <= 4 * 24
        if number in wanted:
            assert results[number].result().tolist() == (2 * x).tolist()
    for x, result in zip(inputs, results, strict=True):
        assert result.result().tolist() == (2 * x).tolist()
    assert sum(k for k, _ in counted.shapes) == len(inputs)
    for k, n in counted.shapes:
        assert k == 1 or (k * n <= 24 and k & (k - 1) == 0)


def test_an_hour_of_145_short_stretches_takes_six_calls():
    counted = Counted(lambda x: x)
    submit = BatchedSubmit(counted)
    results = [submit(np.zeros((1, 3000, 3), np.float32)) for _ in range(145)]
    assert all(item.result().shape == (1, 3000, 3) for item in results)
    assert counted.shapes == [(32, 3000)] * 4 + [(16, 3000), (1, 3000)]


@pytest.mark.parametrize("n_samples", [3000, 3512])
def test_a_networks_answer_is_that_to_each_alone(random_net, n_samples):
    rng = np.random.default_rng(0)
    forward = compile_forward(random_net)
    submit = BatchedSubmit(Counted(forward))
    inputs = [rng.standard_normal((1, n_samples, 3)).astype("float32") for _ in range(7)]
    results = [submit(x) for x in inputs]
    for x, result in zip(inputs, results, strict=True):
        assert np.abs(result.result() - forward(x)).max() < 1e-5


@pytest.mark.parametrize("per_feed", [1, 7, 500])
def test_a_record_of_many_stretches_has_the_picks_of_each(random_net, per_feed):
    options = {"thresholds": {"P": 0.55, "S": 0.55}}
    stream = record(40_000, 3)
    rng = np.random.default_rng(1)
    gaps = [(3, begin, int(rng.integers(1, 900))) for begin in range(500, 40_000, 1000)]
    gaps += [(3, 20_000, 5000)]
    ours, stretches = run(picker_of(random_net, **options), cut(stream, [], gaps), per_feed, 8)
    whole = picker_of(random_net, **options).pick(cut(stream, [], gaps))
    assert len(whole) > 5
    assert_same(ours, whole)
    assert [s.start_time for s in stretches] == sorted(s.start_time for s in stretches)
    assert sum(sum(s.counts.values()) for s in stretches) == len(ours)
