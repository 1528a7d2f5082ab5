"""One gather, one phase: outliers by Huber regression, a curve by support vector regression.

Times are in samples and offsets in metres throughout (or in receiver spacings; only ratios count).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from phasenet_keras.data.settings import FLAG, choice, number, settle, whole
from phasenet_keras.short_repr import ShortRepr
from phasenet_keras.training.curves import curve_errors, fit_gather
from phasenet_keras.types import ConfigError, MissingExtraError, ShapeError

__all__ = ["GatherCorrection", "PhaseCorrection", "choose_settings", "correct_gather"]

Floats = np.ndarray
Flags = np.ndarray

AXES = ("both", "log_offset", "offset")
SVR_AXES = ("root_offset", "offset")
SIDES = ("apart", "together")

EPSILONS = (1.05, 1.2, 1.5)
CS = (10.0, 100.0)
WIDTHS = (1.5, 0.8, 0.4, 0.2)
FOLDS = 4

# What each setting may be; bounds may be infinite.
KINDS = {
    "earliest": number(is_finite=False),
    "latest": number(is_finite=False),
    "huber_epsilon": number(1),
    "svr_c": number(above=0),
    "svr_tube": number(0),
    "kernel_width": number(above=0),
    "axis": choice(AXES),
    "svr_axis": choice(SVR_AXES),
    "min_points": whole(),
    "mirror": FLAG,
    "sides": choice(SIDES),
    "staged": FLAG,
    "least_scatter": number(above=0),
}


@dataclass(frozen=True)
class PhaseCorrection:
    """Settings of the correction of one phase. Times are in samples.

    Attributes:
        earliest, latest: picks at or outside of these are outliers, curves outside are dropped.
        huber_epsilon: where Huber's loss turns from squares to absolute values, in scales, at
            least 1. The joint scale of scikit-learn's `HuberRegressor` stays finite while fewer
            than 1 / epsilon² of the picks are gross outliers: 0.33 at 1.75, 0.91 at 1.05.
        svr_c: bound of a pick's pull on the curve, in samples (C of support vector regression).
        svr_tube: residuals below this, in samples, cost nothing (its epsilon).
        kernel_width: of the RBF kernel exp(-(d / width)²), in standard deviations of the
            inliers' regressor; 1 is scikit-learn's ``gamma="scale"``.
        axis: regressors of the Huber line: ``"log_offset"``, ``"offset"`` or ``"both"``. The log
            is log(1 + offset / spacing), so that a receiver at the source has one.
        svr_axis: of the kernel, ``"offset"`` or ``"root_offset"``; the root resolves the quick
            changes of moveout near the source.
        min_points: fewest picks that a side is corrected from.
        mirror: whether a side with fewer takes the curve of the other side.
        sides: whether each side has its curve (``"apart"``) or both share one (``"together"``),
            as in the source report; that rounds off the kink at the source.
        staged: start from one line for both sides, add hinges, let the curve correct the line and
            judge the outliers again by the curve. Without it, one Huber line a side decides and
            the curve is fitted to the times themselves: the source report's way.
        least_scatter: picks are never taken to scatter less than this, in samples.

    Raises:
        ConfigError: for a value of another type or out of range, or an unknown choice.
    """

    earliest: float = -math.inf
    latest: float = math.inf
    huber_epsilon: float = 1.05
    svr_c: float = 100.0
    svr_tube: float = 0.5
    kernel_width: float = 0.4
    axis: str = "both"
    svr_axis: str = "root_offset"
    min_points: int = 6
    mirror: bool = True
    sides: str = "apart"
    staged: bool = True
    least_scatter: float = 1.5

    def __post_init__(self) -> None:
        settle(self, KINDS)
        if not self.earliest < self.latest:
            raise ConfigError(
                f"earliest is before latest, received {self.earliest!r} and {self.latest!r}"
            )
        if self.min_points < 4:
            raise ConfigError(
                f"a curve needs at least 4 picks: min_points is {self.min_points!r}, set it to 4"
            )


@dataclass(frozen=True, eq=False, repr=False)
class GatherCorrection(ShortRepr):
    """What `correct_gather` returns: arrays with one entry a receiver, in the order given.

    Attributes:
        time: corrected onset in samples: the curve. NaN where there is none.
        residual: pick minus curve in samples, NaN where either is missing.
        is_outlier: whether the pick was judged and refused.
        uncertainty: of ``time``, one standard deviation in samples.
        how: ``"kept"`` (the pick was an inlier, its time goes to the curve), ``"moved"`` (an
            outlier), ``"filled"`` (no pick here, or a side with too few and far from the other
            side's curve), ``"dropped"`` (no time).
        mirrored: whether ``time`` comes from the other side of the source.
    """

    time: Floats
    residual: Floats
    is_outlier: Flags
    uncertainty: Floats
    how: np.ndarray
    mirrored: Flags


def correct_gather(
    offsets_m: Sequence[float] | Floats,
    times: Sequence[float] | Floats,
    settings: PhaseCorrection | None = None,
    weights: Sequence[float] | Floats | None = None,
) -> GatherCorrection:
    """Correct the picks of one phase in one shot gather by its moveout.

    On each side of the source outliers are found by Huber regression (Huber 1964) on offset, log
    offset or both, a curve is laid through the rest by support vector regression (Drucker et al.
    1997), and read at every receiver. The uncertainty is the posterior standard deviation of a
    Gaussian process with the same kernel (Rasmussen and Williams 2006, eq. 2.26); a mirrored time
    has that of the other side and the misfit of the few picks that there are, in quadrature.

    Args:
        offsets_m: signed distance from the source, negative on one side; a receiver whose offset
            is not finite is dropped.
        times: picked onset of each receiver in samples; NaN where there is none.
        settings: default `PhaseCorrection()`, nothing chosen by cross-validation: for that, see
            `choose_settings`.
        weights: how far each pick is to be trusted beside the others, above 0 and up to 1, e.g. of
            `reciprocity_weights`; default 1.

    Raises:
        ShapeError: if these are not one-dimensional and of one length.
        ConfigError: for a weight out of range.
        MissingExtraError: without scikit-learn.

    Example:
        >>> import numpy as np
        >>> offset = np.arange(2.0, 50.0, 2.0)
        >>> times = 40 + 5 * offset
        >>> times[7] = 700
        >>> result = correct_gather(offset, times)
        >>> str(result.how[7]), round(float(result.time[7]))
        ('moved', 120)
    """
    with one_thread():
        offsets, picked = gather_arrays(offsets_m, times)
        trust = np.ones(len(picked)) if weights is None else np.asarray(weights, float)
        if trust.shape != picked.shape:
            raise ShapeError(f"received {picked.shape} times and {trust.shape} weights: one a time")
        if not ((trust > 0) & (trust <= 1)).all():
            raise ConfigError("weights of picks are above 0 and up to 1; another was received")
        return correct_one(offsets, picked, settings or PhaseCorrection(), trust)


def choose_settings(
    gathers: Sequence[tuple[Floats, Floats]], settings: PhaseCorrection
) -> PhaseCorrection:
    """Choose Huber's epsilon, then C and kernel width, by cross-validation within gathers.

    Every fourth pick along the line is held out in turn. The score is the mean absolute residual
    of the held-out picks, each counted up to five times the median of the first candidate: that
    keeps the outliers among them from deciding. Epsilon is judged by the whole correction, C and
    width by curves through the inliers of the chosen epsilon. Candidates go from stiff to pliant;
    the first within one standard error of the best is taken (Breiman et al. 1984), the error
    being that of the difference, pick by pick.

    Args:
        gathers: offsets and times (samples) of each gather, as `correct_gather` takes them.
        settings: where to start; what is not chosen is taken from it.

    Returns:
        ``settings`` with the chosen values; unchanged if no gather has enough picks.

    Raises:
        ShapeError: as `correct_gather`.
        ConfigError: if scikit-learn is missing.

    Example:
        >>> import numpy as np
        >>> offset = np.arange(1.0, 41.0)
        >>> chosen = choose_settings([(offset, 30 + 4 * offset)], PhaseCorrection())
        >>> chosen.huber_epsilon in (1.05, 1.2, 1.5)
        True
    """
    pairs = [gather_arrays(*gather) for gather in gathers]
    with one_thread():
        by_epsilon = [replace(settings, huber_epsilon=e) for e in EPSILONS]
        errors = [_held_out_errors(pairs, item) for item in by_epsilon]
        settings = _best(errors, by_epsilon, settings)
        grid = [replace(settings, svr_c=c, kernel_width=w) for w in WIDTHS for c in CS]
        return _best(curve_errors(pairs, settings, grid, FOLDS), grid, settings)


def _held_out_errors(pairs: list[tuple[Floats, Floats]], settings: PhaseCorrection) -> Floats:
    errors = []
    for offsets, times in pairs:
        picked = np.flatnonzero(np.isfinite(offsets) & np.isfinite(times))
        picked = picked[np.argsort(offsets[picked], kind="stable")]
        for fold in range(FOLDS):
            out = picked[fold::FOLDS]
            left = times.copy()
            left[out] = np.nan
            errors.append(np.abs(correct_one(offsets, left, settings).time - times)[out])
    return np.concatenate(errors) if errors else np.empty(0)


def _best(
    errors: list[Floats], candidates: list[PhaseCorrection], otherwise: PhaseCorrection
) -> PhaseCorrection:
    """Return the first candidate that is within one standard error of the best one."""
    finite = errors[0][np.isfinite(errors[0])]
    if not finite.size:
        return otherwise
    cap = 5 * max(float(np.median(finite)), candidates[0].least_scatter)
    capped = np.stack([np.minimum(np.nan_to_num(e, nan=cap), cap) for e in errors])
    scores = capped.mean(axis=1)
    above = capped - capped[np.argmin(scores)]
    within = above.mean(axis=1) <= above.std(axis=1) / math.sqrt(capped.shape[1])
    return candidates[int(np.argmax(within))]


def gather_arrays(offsets_m: Any, times: Any) -> tuple[Floats, Floats]:
    """Return both as float arrays; infinite times become NaN."""
    offsets, picked = (np.array(a, dtype=float) for a in (offsets_m, times))
    if offsets.ndim != 1 or offsets.shape != picked.shape:
        raise ShapeError(
            "a gather is one offset and one time a receiver, received arrays of shape "
            f"{offsets.shape} and {picked.shape}: give NaN where there is no pick"
        )
    picked[~np.isfinite(picked)] = np.nan
    return offsets, picked


def correct_one(
    offsets: Floats, times: Floats, settings: PhaseCorrection, weights: Floats | None = None
) -> GatherCorrection:
    """Do what `correct_gather` does, on checked arrays and with threads as they are."""
    order = np.lexsort((times, offsets))
    placed = order[np.isfinite(offsets[order])]
    usable = (times > settings.earliest) & (times < settings.latest)
    time, uncertainty = np.full((2, len(times)), np.nan)
    inlier, judged, mirrored = np.zeros((3, len(times)), bool)
    wanted = np.where(usable, times, np.nan)[placed]
    # From their median and rounded, so that a shift of all times changes no bit of what is fitted.
    middle = float(np.nanmedian(wanted)) if np.isfinite(wanted).any() else 0.0
    trust = np.ones(len(times)) if weights is None else weights
    fit = fit_gather(offsets[placed], np.round(wanted - middle, 6), settings, trust[placed])
    time[placed], uncertainty[placed] = fit.time + middle, fit.uncertainty
    inlier[placed], judged[placed], mirrored[placed] = fit.inlier, fit.judged, fit.mirrored
    outside = ~((time >= settings.earliest) & (time <= settings.latest))
    time[outside] = uncertainty[outside] = np.nan
    mirrored[outside] = False
    picked = np.isfinite(times)
    is_outlier = picked & (~usable | (judged & ~inlier))
    how = np.where(inlier, "kept", np.where(is_outlier, "moved", "filled")).astype("U7")
    how[mirrored & ~inlier] = "filled"
    how[outside] = "dropped"
    return GatherCorrection(time, times - time, is_outlier, uncertainty, how, mirrored)


@contextmanager
def one_thread() -> Iterator[None]:
    """Fit on one thread: for a hundred points, starting more costs twenty times the fit."""
    try:
        from sklearn.exceptions import ConvergenceWarning
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise MissingExtraError("corrections", "scikit-learn", "correct", error) from error
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
