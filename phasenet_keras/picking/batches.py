"""Short inputs of one length go through the network together.

A call of the network costs about 4 ms beside its arithmetic, as much as 20,000 samples: 3000
samples in a call of their own cost four times what they cost among others. Inputs are not joined in
time: `same` padding puts zeros at the ends of every layer, and a neighbour, or zeros between the
two, would change what is found there.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

import numpy as np

__all__ = ["MOST_WAITING_SAMPLES", "BatchedSubmit", "Result", "Submit"]

# So many samples a call are as fast as any number.
BATCH_SAMPLES = 131_072
# Records wait for company on their way through the network, so long at most.
MOST_WAITING_SAMPLES = 1 << 20

Submit = Callable[[np.ndarray], "Future[np.ndarray] | Result"]


class Result:
    """What becomes of one input; the interface of a future."""

    def __init__(self, wait: Callable[[], None]) -> None:
        self._wait = wait
        self._batch: Future[np.ndarray] | Result | None = None
        self._row = 0

    def be_row_of(self, batch: Future[np.ndarray] | Result, row: int) -> None:
        """Say which batch the input is in, and where."""
        self._batch, self._row = batch, row

    def result(self) -> np.ndarray:
        """Return ``(1, samples, phases)``; inputs of the same length that still wait are run."""
        if self._batch is None:
            self._wait()
        assert self._batch is not None
        return self._batch.result()[self._row : self._row + 1]


class BatchedSubmit:
    """Collects inputs by length, and runs them as soon as there are enough, or one is wanted.

    The number of inputs a call is a power of two: a shape that has not been seen costs 10 ms or
    more.

    Args:
        submit: ``(batch, samples, channels)`` to the future of ``(batch, samples, phases)``.
        batch_samples: samples a call, at most; a longer input has a call of its own.

    Example:
        >>> from phasenet_keras.models.inference import NetworkThreads
        >>> submit = BatchedSubmit(NetworkThreads(lambda x: x + len(x)), batch_samples=8)
        >>> results = [submit(np.zeros((1, 4, 1))) for _ in range(3)]
        >>> [float(item.result()[0, 0, 0]) for item in results]
        [2.0, 2.0, 1.0]
    """

    def __init__(self, submit: Submit, batch_samples: int = BATCH_SAMPLES) -> None:
        self._submit = submit
        self._batch_samples = batch_samples
        self._waiting: dict[int, list[tuple[np.ndarray, Result]]] = {}

    def __call__(self, x: np.ndarray) -> Future[np.ndarray] | Result:
        """Take an input, ``(1, samples, channels)``."""
        n_samples = x.shape[1]
        if 2 * n_samples > self._batch_samples:
            return self._submit(x)
        result = Result(lambda: self._run(n_samples))
        group = self._waiting.setdefault(n_samples, [])
        group.append((x, result))
        if len(group) == _power_of_two(self._batch_samples // n_samples):
            self._run(n_samples)
        elif sum(n * len(items) for n, items in self._waiting.items()) > 4 * self._batch_samples:
            self._run(max(self._waiting, key=lambda n: n * len(self._waiting[n])))
        return result

    def _run(self, n_samples: int) -> None:
        """Run the inputs of a length that wait."""
        items = self._waiting.pop(n_samples)
        while items:
            count = _power_of_two(len(items))
            batch = self._submit(np.concatenate([x for x, _ in items[:count]]))
            for row, (_, result) in enumerate(items[:count]):
                result.be_row_of(batch, row)
            items = items[count:]


def _power_of_two(count: int) -> int:
    """Return the largest power of two that is not above a count."""
    return 1 << (count.bit_length() - 1)
