"""Whole records to probabilities: prepared one after the other, run by the network in company."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING

import numpy as np

from phasenet_keras.data.preprocess import Prepared, prepare
from phasenet_keras.data.windows import chunks, pad_to, padded_length
from phasenet_keras.picking.batches import MOST_WAITING_SAMPLES, BatchedSubmit, Result, Submit
from phasenet_keras.types import Annotation, PhaseNetKerasError, Waveform

if TYPE_CHECKING:
    from phasenet_keras.picking.picker import Picker

__all__ = ["WholeRun", "whole_runs"]


class WholeRun:
    """A record on its way through the network.

    Args:
        picker: what it is picked with.
        waveform: the record.
        submit: runs the network.

    Attributes:
        waveform: the record.
        prepared: it as the network takes it; None if it cannot be run.
        error: why it cannot be run.
    """

    def __init__(self, picker: Picker, waveform: Waveform, submit: Submit) -> None:
        self.waveform = waveform
        self.prepared: Prepared | None = None
        self.error: PhaseNetKerasError | None = None
        self._config = picker.preset.config
        # What the network was asked, from which sample on, and which are kept.
        self._parts: list[tuple[Future[np.ndarray] | Result, int, slice]] = []
        preset = picker.preset
        try:
            self.prepared = prepare(
                waveform,
                self._config.channels,
                preset.sampling_rate,
                preset.window_samples,
                sampling=picker.sampling,
                missing=picker.missing,
            )
        except PhaseNetKerasError as error:
            self.error = error
            return
        if not self.prepared.live_channels:
            return
        grid, halo = self._config.grid_samples, self._config.halo_samples
        n_samples = self.prepared.data.shape[0]
        n_padded = padded_length(n_samples, preset.window_samples, grid)
        x = pad_to(self.prepared.data, n_padded)
        for piece in chunks(n_padded, preset.window_samples, grid, halo, picker.chunk_samples):
            kept = slice(piece.keep_begin, min(piece.keep_end, n_samples))
            if kept.stop > kept.start:
                future = submit(x[None, piece.begin : piece.end])
                self._parts.append((future, piece.begin, kept))

    def annotation(self) -> Annotation:
        """Return the probabilities, when they are there.

        Raises:
            PhaseNetKerasError: if the record cannot be run.
        """
        if self.prepared is None:
            assert self.error is not None
            raise self.error
        shape = self.prepared.data.shape[0], len(self._config.phases)
        probabilities = np.zeros(shape, np.float32)
        if not self._parts:
            # Nothing to see: a network's answer to nothing is not an observation.
            probabilities[:, 0] = 1.0
        for future, begin, kept in self._parts:
            probabilities[kept] = future.result()[0, kept.start - begin : kept.stop - begin]
        return Annotation(
            probabilities=probabilities,
            phases=self._config.phases,
            sampling_rate=self.prepared.sampling_rate,
            start_time=self.waveform.start_time,
            station=self.waveform.station,
            source=self.waveform.source,
        )


def whole_runs(picker: Picker, waveforms: Iterable[Waveform]) -> Iterator[WholeRun]:
    """Yield a run for each record, in order; short ones go through the network together."""
    submit = BatchedSubmit(picker.submit)
    waiting: deque[WholeRun] = deque()
    n_samples = 0
    for waveform in waveforms:
        waiting.append(WholeRun(picker, waveform, submit))
        n_samples += waveform.n_samples
        while n_samples > MOST_WAITING_SAMPLES:
            n_samples -= waiting[0].waveform.n_samples
            yield waiting.popleft()
    yield from waiting
