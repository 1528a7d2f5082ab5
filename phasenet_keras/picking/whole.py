"""Whole records to probabilities: prepared one after the other, run by the network in company."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from phasenet_keras.data.preprocess import Prepared, prepare
from phasenet_keras.picking.batches import MOST_WAITING_SAMPLES, BatchedSubmit, Submit
from phasenet_keras.picking.stream_state import ChunkRunner
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
        preset = picker.preset
        self._phases = preset.config.phases
        try:
            self.prepared = prepare(
                waveform,
                preset.config.channels,
                preset.sampling_rate,
                preset.window_samples,
                sampling=picker.sampling,
                missing=picker.missing,
                normalization=preset.normalization,
            )
        except PhaseNetKerasError as error:
            self.error = error
            return
        self._runner = ChunkRunner(picker.stream_settings(self.prepared.sampling_rate, submit))
        if self.prepared.live_channels:
            # All chunks are left running: other records are prepared meanwhile.
            self._runner.feed(self.prepared.data, n_ahead=len(self.prepared.data))
            self._runner.end()

    def annotation(self) -> Annotation:
        """Return the probabilities, when they are there.

        Raises:
            PhaseNetKerasError: if the record cannot be run.
        """
        if self.prepared is None:
            assert self.error is not None
            raise self.error
        if self.prepared.live_channels:
            probabilities = self._runner.taken()
        else:  # a network's answer to nothing is not an observation
            probabilities = np.zeros((len(self.prepared.data), len(self._phases)), np.float32)
            probabilities[:, 0] = 1.0
        return Annotation(
            probabilities=probabilities,
            phases=self._phases,
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
