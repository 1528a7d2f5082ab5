"""Traces of stations as they come, in time order, to picks: `Picker.pick` without the whole."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from phasenet_keras.data.preprocess import channel_columns, wanted_rate
from phasenet_keras.data.resampling import Resampler
from phasenet_keras.io.assembly import Assembler
from phasenet_keras.io.instruments import (
    Company,
    Heard,
    RecordKey,
    RecordKeys,
    record_key,
    with_components,
)
from phasenet_keras.io.pieces import Piece
from phasenet_keras.io.registry import check_header, with_numbers
from phasenet_keras.picking.batches import MOST_WAITING_SAMPLES, BatchedSubmit, Submit
from phasenet_keras.picking.no_picks import why_no_picks
from phasenet_keras.picking.search import Found
from phasenet_keras.picking.stream_state import RecordState
from phasenet_keras.types import Annotation, PhaseNetKerasError, Pick

if TYPE_CHECKING:
    from obspy import Trace, UTCDateTime

    from phasenet_keras.picking.picker import Picker

__all__ = ["Stretch", "TraceStream"]


class TraceStream:
    """Picks traces that come in time order, in pieces of any size.

    The picks are those of `Picker.pick` on the whole: times equal, probabilities within 1e-5.
    A pick is given when nothing that is yet to come can change it. Channels of pressure are picked
    like others: whether their station has a vertical is for the caller to know.

    Args:
        picker: what they are picked with.

    Example:
        >>> from phasenet_keras import PhaseNet, Picker
        >>> from obspy import read
        >>> picker = Picker(PhaseNet.from_preset("ncedc"))  # doctest: +SKIP
        >>> stream = TraceStream(picker)  # doctest: +SKIP
        >>> picks = stream.feed(read())  # doctest: +SKIP
        >>> [(p.phase, p.sample) for p in picks + stream.finish()]  # doctest: +SKIP
        [('P', 471), ('S', 568)]
    """

    def __init__(self, picker: Picker) -> None:
        self._picker = picker
        self._assemblers: dict[RecordKey, Assembler] = {}
        self._keys = RecordKeys()
        self._companies: dict[RecordKey, Company] = {}
        self._open: dict[RecordKey, Stretch] = {}
        self._submit = BatchedSubmit(picker.submit)
        self._stretches: list[Stretch] = []

    def feed(
        self,
        traces: Iterable[Trace],
        until: UTCDateTime | None = None,
        codes: Iterable[Heard] = (),
        n_ahead: int = 0,
    ) -> list[Pick]:
        """Take traces; return the picks that have become certain, by time.

        Args:
            traces: of any stations; none starts before those of earlier calls.
            until: no trace that is yet to come starts before. None stands for the last start of
                these traces: what starts then waits for the next call.
            codes: of traces that are yet to come, and of these: which component a code is may
                depend on its company (1 with Z is north, with 2 and 3 up).
            n_ahead: the network may be left working on so many chunks; later calls give the picks.

        Raises:
            FormatError: for a trace without a sampling rate or a time.
        """
        groups: dict[RecordKey, list[Trace]] = {}
        for trace in with_numbers(traces):
            check_header(trace)
            key = self._keys.of(record_key(trace), trace.stats.npts)
            groups.setdefault(key, []).append(trace)
        starts = [trace.stats.starttime for group in groups.values() for trace in group]
        if until is None and starts:
            until = max(starts)
        for key, code, start_ns, end_ns in codes:
            company = self._companies.setdefault(self._keys.of(key), Company())
            company.announce(code, start_ns, end_ns)
        picks = []
        keys = list(dict.fromkeys([*self._assemblers, *groups]))
        for key in keys:
            group = groups.get(key, [])
            company = self._companies.setdefault(key, Company())
            assembler = self._assemblers.setdefault(key, Assembler(key[0]))
            company.join(group)
            pairs = with_components(key[0], group, company.spans)
            # One record runs ahead: what is held does not grow with their number.
            ahead = n_ahead if key == keys[-1] else 0
            picks += self._take(key, assembler.feed(pairs, until), ahead)
        return sorted(picks)

    def finish(self) -> list[Pick]:
        """Return the picks that are left: there are no more traces."""
        picks = []
        for key, assembler in self._assemblers.items():
            picks += self._take(key, assembler.finish())
        return sorted(picks)

    def wait(self) -> list[Pick]:
        """Return the picks that running chunks come to: the network is then at rest."""
        return sorted(pick for stretch in self._open.values() for pick in stretch.wait())

    def take_stretches(self) -> list[Stretch]:
        """Return what became of the stretches that have ended since the last call."""
        stretches, self._stretches = self._stretches, []
        return stretches

    def _take(self, key: RecordKey, pieces: list[Piece], n_ahead: int = 0) -> list[Pick]:
        picks = self._open[key].wait() if key in self._open and not n_ahead else []
        ended: deque[Stretch] = deque()
        n_samples = 0  # of those that have ended
        for piece in pieces:
            if piece.is_begin:
                self._open[key] = Stretch(self._picker, self._submit, key[0], piece)
            picks += self._open[key].feed(piece, n_ahead)
            if piece.is_end:
                ended.append(self._open.pop(key))
                n_samples += ended[-1].n_samples
            while ended and n_samples > MOST_WAITING_SAMPLES:
                n_samples -= ended[0].n_samples
                picks += self._finish(ended.popleft())
        for stretch in ended:
            picks += self._finish(stretch)
        return picks

    def _finish(self, stretch: Stretch) -> list[Pick]:
        self._stretches.append(stretch)
        return stretch.finish()


class Stretch:
    """A stretch of record without gaps that is picked; one that cannot be run is only counted.

    Attributes:
        station: SEED id without component.
        start_time: UTC time of its first sample.
        sampling_rate: of the record, in Hz.
        n_samples: of the record, taken so far.
        counts: picks by phase.
        reason: why there are none, or why it could not be run.
        failed: True if it could not be run at all.
    """

    def __init__(self, picker: Picker, submit: Submit, station: str, piece: Piece) -> None:
        self._picker = picker
        self._units = piece.units
        self.station, self.start_time = station, piece.start_time
        self.sampling_rate, self.n_samples = piece.sampling_rate, 0
        self.counts: dict[str, int] = {}
        self.reason, self.failed = "", False
        self._state: RecordState | None = None
        preset = picker.preset
        try:
            columns = channel_columns(
                piece.channels, preset.config.channels, picker.missing, station
            )
            new_hz = wanted_rate(
                piece.sampling_rate, preset.sampling_rate, picker.sampling, station
            )
            is_left = new_hz == piece.sampling_rate
            resampler = None if is_left else Resampler(piece.sampling_rate, new_hz)
        except PhaseNetKerasError as error:
            self.reason, self.failed = str(error), True
            return
        reached_hz = resampler.reached_hz if resampler else piece.sampling_rate
        self._annotation = Annotation(
            probabilities=np.empty((0, len(preset.config.phases)), np.float32),
            phases=preset.config.phases,
            sampling_rate=reached_hz,
            start_time=piece.start_time,
            station=station,
            source=piece.source,
        )
        settings = picker.stream_settings(reached_hz, submit)
        self._state = RecordState(settings, columns, piece.sampling_rate, resampler)

    @property
    def duration_s(self) -> float:
        """Length in seconds, samples over sampling rate."""
        return self.n_samples / self.sampling_rate

    def feed(self, piece: Piece, n_ahead: int = 0) -> list[Pick]:
        """Take the next piece; return the picks that have become certain."""
        self.n_samples += piece.data.shape[0]
        if self._state is None:
            return []
        found = self._state.feed(piece.data, n_ahead) if piece.data.shape[0] else []
        if piece.is_end:
            self._state.end()
        return self._picks_of(found)

    def finish(self) -> list[Pick]:
        """Return the picks that are left of a stretch that has ended, and say if there are none."""
        if self._state is None:
            return []
        state, self._state = self._state, None
        picks = self._picks_of(state.finish())
        if not self.counts:
            self.reason = why_no_picks(
                self._picker.preset,
                state.highest,
                state.n_samples,
                bool(state.is_live.any()),
                self.n_samples,
                self.sampling_rate,
            )
        return picks

    def wait(self) -> list[Pick]:
        """Return the picks that running chunks come to."""
        return self._picks_of(self._state.wait()) if self._state else []

    def _picks_of(self, found: list[Found]) -> list[Pick]:
        picks = [self._picker.pick_of(item, self._annotation, self._units) for item in found]
        for pick in picks:
            self.counts[pick.phase] = self.counts.get(pick.phase, 0) + 1
        return picks
