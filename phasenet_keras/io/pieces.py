"""Pieces of a record: settled samples, cut where the set of channels changes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from phasenet_keras.io.channels import COMPONENTS

if TYPE_CHECKING:
    from obspy import Trace, UTCDateTime

__all__ = ["Piece", "Runs"]

# Channels start and end a little apart: so short a stretch of some of them is cut off.
MIN_PARTIAL_SAMPLES = 256


@dataclass(frozen=True, eq=False)
class Piece:
    """Some samples of a stretch of record without gaps; the next piece follows on.

    Attributes:
        data: ``(n_samples, n_channels)``, in the record's own units: int32 as most files hold it,
            which is half as much to move about, else float64; maybe no samples. In memory each
            channel is contiguous, since most of what is done to it is.
        channels: of the columns.
        start_time: of the stretch, not of the piece.
        sampling_rate: in Hz.
        units: of ``data``, where known.
        source: name of the file in which the stretch begins.
        zero_time: that the times of that file count from, where it has any.
        is_begin, is_end: the stretch begins, or ends, with this piece.
    """

    data: np.ndarray
    channels: tuple[str, ...]
    start_time: UTCDateTime
    sampling_rate: float
    units: str | None
    source: str
    zero_time: UTCDateTime | None
    is_begin: bool
    is_end: bool


class Runs:
    """Cuts settled samples where the set of channels changes.

    A stretch of less than `MIN_PARTIAL_SAMPLES` with some channels, beside one with more of them,
    is dropped: so short a stretch waits until it is known what follows.
    """

    def __init__(self, start: UTCDateTime, rate: float, zero_time: UTCDateTime | None) -> None:
        self._start = start
        self._rate = rate
        self._zero_time = zero_time
        self._sources: dict[int, str] = {}
        self._units: set[str] = set()
        self._pattern = np.zeros(3, bool)
        self._count_before = 0
        self._n_seen = 0
        self._begin = 0
        self._held: list[np.ndarray] = []
        self._is_open = False

    def note(self, trace: Trace, column: int) -> None:
        """Note where a channel comes from, and its units."""
        self._sources.setdefault(column, trace.stats.get("source_file", ""))
        if trace.stats.get("units"):
            self._units.add(trace.stats.units)

    def feed(self, values: np.ndarray, is_present: np.ndarray) -> list[Piece]:
        """Take the next samples, ``(3, n)``, and which of them are there."""
        pieces = []
        n_samples = values.shape[1]
        edges = [0, n_samples] if n_samples else []
        if not is_present.all():
            changes = np.flatnonzero(np.any(is_present[:, 1:] != is_present[:, :-1], axis=0)) + 1
            edges[1:1] = changes.tolist()
        for begin, end in pairwise(edges):
            if not np.array_equal(is_present[:, begin], self._pattern):
                pieces += self._close(int(is_present[:, begin].sum()))
                self._pattern = is_present[:, begin].copy()
                self._begin = self._n_seen
            self._n_seen += end - begin
            if self._pattern.any():
                rows = values[:, begin:end]
                self._held.append((rows if self._pattern.all() else rows[self._pattern]).T)
                if self._is_open or self._n_seen - self._begin >= MIN_PARTIAL_SAMPLES:
                    pieces.append(self._piece(is_end=False))
        return pieces

    def finish(self) -> list[Piece]:
        """Return the last piece, if any."""
        return self._close(0)

    def _close(self, count_after: int) -> list[Piece]:
        count = int(self._pattern.sum())
        beside = max(self._count_before, count_after)
        is_short = self._n_seen - self._begin < MIN_PARTIAL_SAMPLES and count < beside
        pieces = []
        if count and (self._is_open or not is_short):
            pieces.append(self._piece(is_end=True))
        if self._n_seen > 0:
            self._count_before = count
        self._held, self._is_open = [], False
        return pieces

    def _piece(self, is_end: bool) -> Piece:
        columns = np.flatnonzero(self._pattern).tolist()
        held = self._held or [np.empty((0, len(columns)))]
        piece = Piece(
            data=held[0] if len(held) == 1 else np.concatenate(held),
            channels=tuple(COMPONENTS[column] for column in columns),
            start_time=self._start + self._begin / self._rate,
            sampling_rate=self._rate,
            units=next(iter(self._units)) if len(self._units) == 1 else None,
            source=self._sources[columns[-1]],
            zero_time=self._zero_time,
            is_begin=not self._is_open,
            is_end=is_end,
        )
        self._held, self._is_open = [], not is_end
        return piece
