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
from dataclasses import dataclass, field

import numpy as np

from phasenet_keras.data.moving import STEP_SAMPLES, MovingNormalizer
from phasenet_keras.data.preprocess import arranged
from phasenet_keras.data.resampling import Resampler
from phasenet_keras.data.windows import pad_to, padded_length
from phasenet_keras.models.config import PhaseNetConfig
from phasenet_keras.picking.batches import Result, Submit
from phasenet_keras.picking.peaks import PeakFinder
from phasenet_keras.picking.ratio import snr_db_at

__all__ = [
    "ChunkRunner",
    "Found",
    "PickSearch",
    "RecordState",
    "StreamSettings",
]

# The amplitude is read in this many samples of the network's rate from the pick on: 3 s at 100 Hz;
# from the mean of the half window before and that after the pick, or of a record that is not longer
# than a window.
AMPLITUDE_WINDOW_SAMPLES = 300
# Chunks that may wait for the network or for the search; reading a block takes as long as some.
CHUNKS_AHEAD = 8


@dataclass(frozen=True)
class StreamSettings:
    """What is done to every record.

    Attributes:
        submit: ``(1, samples, channels)`` to the future of ``(1, samples, phases)``.
        config: of the network.
        window_samples: of its training.
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


@dataclass(frozen=True, order=True)
class Found:
    """A pick, in samples.

    Attributes:
        sample: of the probabilities, from the record's first.
        column: of the phase.
        probability: at the sample.
        amplitude, snr_db: as in `phasenet_keras.types.Pick`.
    """

    sample: int
    column: int
    probability: float
    amplitude: float
    snr_db: float | None = field(default=None, compare=False)


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


class _Tail:
    """The last samples of a record, in the pieces in which they came."""

    def __init__(self) -> None:
        self.n_samples = 0
        self._pieces: deque[tuple[int, np.ndarray]] = deque()

    def add(self, data: np.ndarray) -> None:
        self._pieces.append((self.n_samples, data))
        self.n_samples += data.shape[0]

    def between(self, low: int, high: int) -> np.ndarray:
        """Return the samples from ``low`` to ``high``, as far as they are there."""
        cut = [
            data[max(0, low - begin) : max(0, high - begin)]
            for begin, data in self._pieces
            if begin < high and begin + data.shape[0] > low
        ]
        return cut[0] if len(cut) == 1 else np.concatenate(cut)

    def forget(self, before: int) -> None:
        while self._pieces and self._pieces[0][0] < before:
            begin, data = self._pieces.popleft()
            if begin + data.shape[0] > before:
                self._pieces.appendleft((before, data[before - begin :]))


class PickSearch:
    """The peaks of a record's probabilities, measured on its samples; both may come in pieces.

    Args:
        settings: of the run.
        scale: samples of the record in one of the probabilities.
    """

    def __init__(self, settings: StreamSettings, scale: float) -> None:
        self._scale = scale
        self._reach = round(settings.window_samples // 2 * scale)
        self._length = max(1, round(AMPLITUDE_WINDOW_SAMPLES * scale))
        self._finders = {c: PeakFinder(t, settings.mpd) for c, t in settings.thresholds.items()}
        # The record's own samples, as far back as an amplitude may be wanted.
        self._raw = _Tail()
        self._waiting: list[tuple[int, int, float]] = []
        self.n_samples = 0  # of the probabilities

    @property
    def highest(self) -> dict[int, float]:
        """The highest probability of each column so far; 0 before the first."""
        return {column: max(0.0, finder.highest) for column, finder in self._finders.items()}

    def add(self, data: np.ndarray) -> None:
        """Take the next samples of the record, ``(n, channels)``, not to be changed afterwards."""
        self._raw.add(data)

    def feed(self, probabilities: np.ndarray) -> None:
        """Take the next probabilities, ``(n, phases)``."""
        self.n_samples += probabilities.shape[0]
        for column, finder in self._finders.items():
            self._wait(column, finder.feed(probabilities[:, column]))

    def settled(self) -> list[Found]:
        """Return the peaks that are certain and whose samples are there; drop old samples."""
        n_samples, ahead = self._raw.n_samples, max(self._reach, self._length)
        found, waiting = [], []
        for peak in self._waiting:
            begin = self._begin(peak[0])
            if begin + ahead <= n_samples and n_samples > 2 * self._reach:
                found.append(self._measured(*peak))
            else:
                waiting.append(peak)
        self._waiting = waiting
        self._forget()
        return found

    def finish(self) -> list[Found]:
        """Return the peaks that are left: the record has ended."""
        for column, finder in self._finders.items():
            self._wait(column, finder.finish())
        waiting, self._waiting = self._waiting, []
        return [self._measured(*peak) for peak in waiting]

    def _wait(self, column: int, peaks: list[tuple[int, float]]) -> None:
        self._waiting += [(sample, column, height) for sample, height in peaks]

    def _begin(self, sample: int) -> int:
        """Return the sample of the record at one of the probabilities."""
        return min(round(sample * self._scale), max(0, self._raw.n_samples - 1))

    def _measured(self, sample: int, column: int, height: float) -> Found:
        begin = self._begin(sample)
        return Found(sample, column, height, self._amplitude(begin), self._snr_db(begin))

    def _amplitude(self, begin: int) -> float:
        """Return the largest excursion, over all channels, from the mean about a sample."""
        n_samples = self._raw.n_samples
        low, high = max(0, begin - self._reach), begin + self._reach
        if n_samples <= 2 * self._reach:
            low, high = 0, n_samples
        mean = self._raw.between(low, high).mean(axis=0, dtype=np.float64)
        return float(np.abs(self._raw.between(begin, begin + self._length) - mean).max())

    def _snr_db(self, begin: int) -> float | None:
        low = max(0, begin - self._length)
        part = self._raw.between(low, begin + self._length)
        return snr_db_at(part, begin - low, self._length)

    def _forget(self) -> None:
        samples = [finder.oldest for finder in self._finders.values()]
        samples += [sample for sample, _, _ in self._waiting]
        oldest = round(min(samples, default=self.n_samples) * self._scale) - 1
        if self._raw.n_samples > 2 * self._reach:
            self._raw.forget(oldest - max(self._reach, self._length))


class RecordState:
    """Picks one record without gaps that comes in pieces of any size.

    Args:
        settings: of the run.
        columns: for each of the network's channels the record's column, or None where it has none.
        old_hz, new_hz: sampling rates of the record and wanted of the network, in Hz; equal ones
            are for records that are taken as they are.

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
        new_hz: float = 1.0,
    ) -> None:
        self._settings = settings
        self._columns = tuple(columns)
        self._resampler = Resampler(old_hz, new_hz) if old_hz != new_hz else None
        self.sampling_rate = self._resampler.reached_hz if self._resampler else old_hz
        self._normalizer = MovingNormalizer(settings.window_samples, len(self._columns))
        self._runner = ChunkRunner(settings)
        self._search = PickSearch(settings, old_hz / self.sampling_rate)
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
