"""A record picked as it comes in: pure state on arrays, the same picks however it is cut.

Samples go through four stages, each of which holds back what later samples may still change:
resampling, the moving normalisation (up to two half windows), the network in chunks on its grid
(the halo), and the peaks (the least distance). What is held does not grow with the record.

The network runs in threads of its own, a bounded number of chunks ahead of the search for peaks:
meanwhile the next samples are read and normalised. A record that has ended may wait for the network
in company of others. What is found does not depend on that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np

from phasenet_keras.data.moving import STEP_SAMPLES, MovingNormalizer
from phasenet_keras.data.preprocess import arranged
from phasenet_keras.data.resampling import Resampler
from phasenet_keras.data.windows import pad_to, padded_length
from phasenet_keras.models.config import PhaseNetConfig
from phasenet_keras.picking.batches import Result, Submit
from phasenet_keras.picking.search import Found, PickSearch

__all__ = ["ChunkRunner", "RecordState", "StreamSettings"]

# Chunks that may wait for the network or for the search; reading a block takes as long as some.
CHUNKS_AHEAD = 8


@dataclass(frozen=True)
class StreamSettings:
    """What is done to every record.

    Attributes:
        submit: ``(1, samples, channels)`` to the future of ``(1, samples, phases)``.
        config: of the network.
        window_samples: of its training.
        normalization: of records, as in `Preset`.
        chunk_samples: kept samples a chunk.
        thresholds: least probability by column of the output; other columns are not picked.
        mpd: least distance of two peaks, in samples of the network.
    """

    submit: Submit
    config: PhaseNetConfig
    window_samples: int
    chunk_samples: int
    thresholds: dict[int, float]
    mpd: int
    normalization: str = "std"


class ChunkRunner:
    """Runs a normalised record that comes in pieces, in chunks with a halo.

    A chunk begins at a multiple of the network's grid, its length is congruent to the training
    window, and it has the halo to each side of the samples that are kept of it, as far as the
    record goes: so it agrees with the whole record to rounding.

    Args:
        settings: of the run.
    """

    def __init__(self, settings: StreamSettings) -> None:
        self._settings = settings
        self._grid, self._halo = settings.config.grid_samples, settings.config.halo_samples
        self.core_samples = self._on_grid(settings.chunk_samples)
        self._held = np.empty((0, len(settings.config.channels)), np.float32)
        self._begin = 0  # of what is held
        self._kept = 0  # up to here the network was asked
        self._running: deque[tuple[Future[np.ndarray] | Result, slice]] = deque()

    def feed(self, x: np.ndarray, n_ahead: int = 0) -> np.ndarray:
        """Take the next samples; return the next probabilities, maybe none.

        Args:
            x: ``(n, channels)``.
            n_ahead: so many chunks may be left running; the next call gives what they come to.
        """
        self._held = np.concatenate([self._held, x])
        n_samples = self._begin + self._held.shape[0]
        parts: list[np.ndarray] = []
        while self._next_end <= n_samples:
            self._run(self._next_end, self._kept + self.core_samples)
            parts += self._finished(max(n_ahead, CHUNKS_AHEAD))
        return self._joined(parts + self._finished(n_ahead))

    def end(self) -> None:
        """Let the network run what is left, the record has ended; `taken` gives it."""
        n_samples = self._begin + self._held.shape[0]
        n_padded = padded_length(n_samples, self._settings.window_samples, self._grid)
        self._held = pad_to(self._held, n_padded - self._begin)
        while self._kept < n_samples:
            keep_end = min(self._kept + self.core_samples, n_samples)
            self._run(min(self._next_end, n_padded), keep_end)

    def finish(self) -> np.ndarray:
        """Return the probabilities that are left: the record has ended."""
        self.end()
        return self.taken()

    def taken(self, n_ahead: int = 0) -> np.ndarray:
        """Return what running chunks come to; so many may be left running."""
        return self._joined(self._finished(n_ahead))

    def _on_grid(self, n_samples: int) -> int:
        """Return a length rounded up to a multiple of the grid."""
        return -(-n_samples // self._grid) * self._grid

    @property
    def _next_end(self) -> int:
        """Where the next chunk ends, if the record goes on so far."""
        remainder = self._settings.window_samples % self._grid
        need = self._kept + self.core_samples + self._halo
        return self._on_grid(need - remainder) + remainder

    def _run(self, end: int, keep_end: int) -> None:
        begin = max(0, self._kept - self._halo)
        self._held = self._held[begin - self._begin :]
        self._begin = begin
        future = self._settings.submit(self._held[None, : end - begin])
        self._running.append((future, slice(self._kept - begin, keep_end - begin)))
        self._kept = keep_end

    def _finished(self, n_left: int) -> list[np.ndarray]:
        parts = []
        while len(self._running) > n_left:
            future, kept = self._running.popleft()
            parts.append(future.result()[0, kept])
        return parts

    def _joined(self, parts: list[np.ndarray]) -> np.ndarray:
        if not parts:
            return np.empty((0, len(self._settings.config.phases)), np.float32)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


class RecordState:
    """Picks one record without gaps that comes in pieces of any size.

    Args:
        settings: of the run.
        columns: for each of the network's channels the record's column, or None where it has none.
        old_hz: sampling rate of the record, in Hz.
        resampler: from it to the network's; None takes the samples as they are.

    Example:
        >>> config = PhaseNetConfig(channels="Z")
        >>> def submit(x):
        ...     future = Future()
        ...     future.set_result(np.concatenate([1 - x, x > 9, 0 * x], axis=-1))
        ...     return future
        >>> record = np.random.default_rng(0).standard_normal((5000, 1))
        >>> record[4000] = 50.0
        >>> state = RecordState(StreamSettings(submit, config, 3000, 4096, {1: 0.5}, 50), [0])
        >>> found = [*state.feed(record[:4321]), *state.feed(record[4321:]), *state.finish()]
        >>> [pick.sample for pick in found]
        [4000]
    """

    def __init__(
        self,
        settings: StreamSettings,
        columns: Sequence[int | None],
        old_hz: float = 1.0,
        resampler: Resampler | None = None,
    ) -> None:
        self._settings = settings
        self._columns = tuple(columns)
        self._resampler = resampler
        self._normalizer = MovingNormalizer(
            settings.window_samples, len(self._columns), settings.normalization
        )
        self._runner = ChunkRunner(settings)
        self._search = PickSearch(
            settings.thresholds,
            settings.mpd,
            settings.window_samples,
            old_hz / (resampler.reached_hz if resampler else old_hz),
        )
        self._found: list[Found] = []
        self._is_ended = False

    @property
    def n_samples(self) -> int:
        """Probabilities so far."""
        return self._search.n_samples

    @property
    def is_live(self) -> np.ndarray:
        """Which of the network's channels have held a signal so far."""
        return self._normalizer.is_live

    @property
    def highest(self) -> dict[int, float]:
        """The highest probability of each column so far; 0 where no channel has held a signal."""
        highest = self._search.highest
        return highest if self.is_live.any() else dict.fromkeys(highest, 0.0)

    def feed(self, data: np.ndarray, n_ahead: int = 0) -> list[Found]:
        """Take the next samples of the record; return the picks now certain.

        Args:
            data: ``(n, channels)``, not to be changed afterwards.
            n_ahead: so many chunks may be left running; later calls give what they come to.
        """
        self._search.add(data)
        step = max(STEP_SAMPLES, self._runner.core_samples)
        for begin in range(0, data.shape[0], step):
            x = arranged(data[begin : begin + step], self._columns)
            if self._resampler:
                x = self._resampler.feed(x)
            self._search.feed(self._runner.feed(self._normalizer.feed(x), CHUNKS_AHEAD))
        return self.wait(n_ahead)

    def wait(self, n_ahead: int = 0) -> list[Found]:
        """Return the picks that running chunks come to."""
        self._search.feed(self._runner.taken(n_ahead))
        self._found += self._search.settled()
        return self._certain()

    def end(self) -> None:
        """Let the network run what is left, the record has ended; `finish` gives what is found."""
        if self._resampler:
            x = self._resampler.finish(len(self._columns))
            self._search.feed(self._runner.feed(self._normalizer.feed(x), CHUNKS_AHEAD))
        self._search.feed(self._runner.feed(self._normalizer.finish(), CHUNKS_AHEAD))
        self._runner.end()
        self._is_ended = True

    def finish(self) -> list[Found]:
        """Return the picks that are left: the record has ended."""
        if not self._is_ended:
            self.end()
        self._search.feed(self._runner.taken())
        self._found += self._search.finish()
        return self._certain()

    def _certain(self) -> list[Found]:
        """Return what was found, none before a channel has held a signal.

        A network's answer to nothing is not an observation.
        """
        if not self.is_live.any():
            return []
        found, self._found = sorted(self._found), []
        return found
