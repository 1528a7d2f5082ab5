"""`detect_peaks`: local maxima by height, distance, threshold and edge; `PeakFinder`, in pieces."""

from __future__ import annotations

import numpy as np

from phasenet_keras.types import ConfigError, ShapeError

__all__ = ["PeakFinder", "detect_peaks", "local_maxima"]

EDGES = (None, "rising", "falling", "both")


def detect_peaks(
    x: np.ndarray,
    mph: float | None = None,
    mpd: int = 1,
    threshold: float = 0.0,
    edge: str | None = "rising",
    kpsh: bool = False,
    valley: bool = False,
) -> np.ndarray:
    """Find peaks in a series, as the well-known function of this name defines them.

    Args:
        x: ``(n_samples,)``, NaN allowed: no peak is at a NaN or beside one.
        mph: least height of a peak; with ``valley``, the greatest of a valley.
        mpd: least distance in samples. Higher peaks go first, and each removes all others within
            ``mpd`` samples of it (inclusive). Peaks of exactly one height go in the order that
            `numpy.argsort` leaves them in, as in the original, which depends on the processor;
            ``kpsh`` keeps them all. 1 or less removes none.
        threshold: least difference to both neighbours.
        edge: which sample of a flat peak counts: the one at its ``"rising"`` edge, its
            ``"falling"`` edge, ``"both"``, or None for no flat peak at all.
        kpsh: keep peaks of the same height that are closer than ``mpd``.
        valley: find valleys in place of peaks.

    Returns:
        Indices of the peaks, ascending. The first and the last sample are never peaks.

    Raises:
        ShapeError: if ``x`` is not one-dimensional.
        ConfigError: for an unknown ``edge``.

    Example:
        >>> detect_peaks(np.array([0, 1, 0, 2, 0, 3, 0, 2, 0, 1, 0]), mph=2, mpd=1)
        array([3, 5, 7])
        >>> detect_peaks(np.array([0, 1, 1, 0]), edge="both")
        array([1, 2])

    Reference: the definition is that of M. Duarte's ``detect_peaks`` (BMC notebooks, 2014); this
    is another implementation, which looks only at samples that are high enough.
    """
    if edge not in EDGES:
        raise ConfigError(f"edge is one of {', '.join(map(str, EDGES))}; received {edge!r}")
    x = np.asarray(x)
    if x.ndim != 1:
        raise ShapeError(f"detect_peaks takes one dimension, received shape {x.shape}")
    if x.dtype.kind != "f":
        x = x.astype(np.float64)
    if valley:
        x = -x
        mph = None if mph is None else -mph
    peaks = local_maxima(x, mph, edge)
    if threshold > 0:
        drop = np.minimum(x[peaks] - x[peaks - 1], x[peaks] - x[peaks + 1])
        peaks = peaks[drop >= threshold]
    if mpd > 1:
        peaks = _thin_out(peaks, x[peaks], mpd, kpsh)
    return peaks


def local_maxima(x: np.ndarray, mph: float | None, edge: str | None) -> np.ndarray:
    """Return the indices of local maxima of height ``mph`` or more; see `detect_peaks`."""
    if mph is None:
        inner = np.arange(1, x.size - 1)
    else:
        inner = np.flatnonzero(x[1:-1] >= _least(mph, x.dtype)) + 1
    before, here, after = x[inner - 1], x[inner], x[inner + 1]
    # Each compares with both neighbours: with NaN all are false.
    is_peak = (here > before) & (here > after)
    if edge in ("rising", "both"):
        is_peak |= (here > before) & (here >= after)
    if edge in ("falling", "both"):
        is_peak |= (here >= before) & (here > after)
    return inner[is_peak]


def _least(height: float, dtype: np.dtype) -> np.floating:
    """Return the least number of a type that is not below a height: 0.3 is not a float32."""
    with np.errstate(over="ignore"):
        least = dtype.type(height)
    return least if float(least) >= height else np.nextafter(least, dtype.type(np.inf))


def _thin_out(peaks: np.ndarray, heights: np.ndarray, mpd: int, kpsh: bool) -> np.ndarray:
    """Let the highest peaks remove their neighbours; ``peaks`` ascend, so neighbours are slices."""
    first = np.searchsorted(peaks, peaks - mpd, side="left")
    last = np.searchsorted(peaks, peaks + mpd, side="right")
    removed = np.zeros(peaks.size, bool)
    for number in np.argsort(heights.astype(np.float64))[::-1]:
        if removed[number]:
            continue
        near = slice(first[number], last[number])
        removed[near] |= heights[near] < heights[number] if kpsh else True
        removed[number] = False
    return peaks[~removed]


class PeakFinder:
    """Finds the peaks of a series that comes in pieces, however it is cut.

    As `detect_peaks` with ``mph`` and ``mpd``, but of two peaks of exactly one height the later
    goes first, on every processor.

    Args:
        mph: least height of a peak.
        mpd: least distance in samples, inclusive; 1 or less removes none.

    Example:
        >>> finder = PeakFinder(mph=2, mpd=2)
        >>> finder.feed(np.array([0.0, 3, 0, 2])), finder.feed(np.array([0.0, 5, 0, 0]))
        ([], [(1, 3.0)])
        >>> finder.finish()
        [(5, 5.0)]
    """

    def __init__(self, mph: float, mpd: int) -> None:
        self._mph = mph
        self._mpd = mpd
        self._n_samples = 0
        self._tail = np.empty(0)
        self._found = np.empty(0, np.intp)
        self._heights = np.empty(0)
        self.highest = -np.inf  # of all samples so far

    @property
    def oldest(self) -> int:
        """No peak will be given from now on that is before this sample."""
        return int(self._found[0]) if self._found.size else self._n_samples - 1

    def feed(self, x: np.ndarray) -> list[tuple[int, float]]:
        """Take the next samples; return sample and height of the peaks that nothing can remove."""
        if not x.size:
            return []
        joined = np.concatenate([self._tail.astype(x.dtype), x])
        begin = self._n_samples - self._tail.size
        self._n_samples += x.size
        self._tail = joined[-2:].copy()
        self.highest = max(self.highest, float(x.max()))
        new = local_maxima(joined, self._mph, "rising")
        self._found = np.concatenate([self._found, new + begin])
        self._heights = np.concatenate([self._heights, joined[new].astype(np.float64)])
        # The last sample may yet be a peak.
        return self._settle(self._n_samples - 1)

    def finish(self) -> list[tuple[int, float]]:
        """Return the peaks that are left: the series has ended."""
        return self._settle(self._n_samples + self._mpd)

    def _settle(self, edge: int) -> list[tuple[int, float]]:
        """Let the highest go first; what depends on a peak at ``edge`` or later stays open."""
        found = self._found
        first = np.searchsorted(found, found - self._mpd, side="left")
        last = np.searchsorted(found, found + self._mpd, side="right")
        is_removed, is_open = np.zeros(found.size, bool), found + self._mpd >= edge
        is_kept = np.zeros(found.size, bool)
        for number in np.lexsort((found, self._heights))[::-1].tolist():
            if is_removed[number]:
                continue
            near = slice(first[number], last[number])
            if is_open[number]:  # those near it may yet be removed by it
                is_open[near] = True
            else:
                is_removed[near] = True
                is_kept[number] = True
        peaks = list(zip(found[is_kept].tolist(), self._heights[is_kept].tolist(), strict=True))
        is_left = ~(is_kept | is_removed)
        self._found, self._heights = found[is_left], self._heights[is_left]
        return peaks
