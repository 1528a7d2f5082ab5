"""Huber lines and support vector curves through the picks of one gather; used by `robust`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from phasenet_keras.training.robust import PhaseCorrection

__all__ = ["GatherFit", "curve_errors", "fit_gather"]

# Part of a line's range of times by which a stiff line may miss the true moveout.
LINE_MISFIT = 0.1
# The same for a line with hinges, and the spread of what that leaves for the kernel.
HINGED_MISFIT = 0.025
LEFT_FOR_KERNEL = 0.05
HINGES = 4
# A residual beyond this many scales is an outlier.
CUT = 3.0
MAD_TO_SIGMA = 1.4826
ROUNDS = 5
# Penalty of the Huber line, far too small to show: it keeps an undetermined slope at zero.
RIDGE = 1e-4
# A mirrored time reaches this much farther than the other side's outermost inlier.
MIRROR_REACH = 1.1


@dataclass
class GatherFit:
    """Time, uncertainty and what became of the picks: arrays with one entry a receiver."""

    time: np.ndarray
    uncertainty: np.ndarray
    inlier: np.ndarray
    judged: np.ndarray
    mirrored: np.ndarray


@dataclass
class _Group:
    """What one curve is fitted to: its receivers, its picks, a baseline and the inliers."""

    receivers: np.ndarray
    picks: np.ndarray
    baseline: np.ndarray
    inliers: np.ndarray


class _Gather:
    """Offsets, times (NaN: no usable pick) and weights in order of offset, and the regressors."""

    def __init__(
        self, x: np.ndarray, t: np.ndarray, settings: PhaseCorrection, weights: np.ndarray
    ) -> None:
        self.x, self.t, self.settings, self.weights = x, t, settings, weights
        self.a, self.picked = np.abs(x), np.isfinite(t)
        steps = np.diff(np.unique(x))
        self.spacing = float(np.median(steps)) if steps.size else 1.0
        self.reach = max(float(self.a.max(initial=0.0)), self.spacing)
        log = np.log1p(self.a / self.spacing)
        columns = {"offset": self.a / self.reach, "log_offset": log / log.max(initial=1.0)}
        names = list(columns) if settings.axis == "both" else [settings.axis]
        self.line = np.stack([columns[name] for name in names], axis=1)

    def sides(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield receivers and picks of each side; a pick at the source serves in both fits."""
        for receivers, near in ((self.x >= 0, self.x >= 0), (self.x < 0, self.x <= 0)):
            if receivers.any():
                yield receivers, near & self.picked

    def enough(self, picks: np.ndarray) -> bool:
        return int(picks.sum()) >= self.settings.min_points and np.unique(self.a[picks]).size >= 4

    def hinged(self, inliers: np.ndarray) -> np.ndarray:
        """Add hinges to the line: evenly many inliers between them, at most one to five."""
        n = min(HINGES, int(inliers.sum()) // 5)
        log = np.log1p(self.a / self.spacing)
        at = np.quantile(log[inliers], np.linspace(0, 1, n + 2)[1:-1]) if n else np.empty(0)
        knots = np.expm1(at) * self.spacing
        return np.hstack([self.line, np.maximum(self.a[:, None] - knots, 0) / self.reach])

    def kernel_axis(self, inliers: np.ndarray) -> np.ndarray:
        root = self.settings.svr_axis == "root_offset"
        q = np.sign(self.x) * np.sqrt(self.a) if root else self.x
        spread = float(np.std(q[inliers]))
        return q / spread if spread > 0 else q


def fit_gather(
    x: np.ndarray, t: np.ndarray, settings: PhaseCorrection, weights: np.ndarray
) -> GatherFit:
    """Correct one gather whose offsets are finite and in ascending order; weights are above 0."""
    gather = _Gather(x, t, settings, weights)
    n = len(x)
    fit = GatherFit(np.full(n, np.nan), np.full(n, np.nan), *np.zeros((3, n), bool))
    for group in _groups(gather):
        curve, uncertainty, inliers = _curve(gather, group)
        fit.time[group.receivers] = curve[group.receivers]
        fit.uncertainty[group.receivers] = uncertainty[group.receivers]
        fit.inlier |= inliers & group.receivers
        fit.judged |= group.picks & group.receivers
    if settings.mirror:
        for receivers, picks in gather.sides():
            if not gather.enough(picks):
                _mirror(gather, fit, receivers)
    return fit


def curve_errors(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]],
    settings: PhaseCorrection,
    grid: Sequence[PhaseCorrection],
    folds: int,
) -> list[np.ndarray]:
    """Return the absolute residuals of held-out inliers for each candidate of the grid."""
    errors: list[list[np.ndarray]] = [[] for _ in grid]
    for x, t in pairs:
        order = np.lexsort((t, x))
        order = order[np.isfinite(x[order])]
        usable = (t > settings.earliest) & (t < settings.latest)
        wanted = np.where(usable, t, np.nan)[order]
        gather = _Gather(x[order], wanted, settings, np.ones(len(order)))
        for group in _groups(gather):
            inliers = np.flatnonzero(_curve(gather, group)[2])
            for fold in range(folds):
                held = inliers[fold::folds]
                rest = np.setdiff1d(inliers, held)
                for found, item in zip(errors, grid, strict=True):
                    axis = gather.kernel_axis(group.inliers)
                    misfit = gather.t - group.baseline
                    curve = _support_vectors(axis, misfit, rest, item, gather.weights)
                    found.append(np.abs(gather.t - group.baseline - curve)[held])
    return [np.concatenate(found) if found else np.empty(0) for found in errors]


def _groups(gather: _Gather) -> list[_Group]:
    settings = gather.settings
    start = _start(gather) if settings.staged else None
    groups = []
    for receivers, picks in gather.sides():
        if not gather.enough(picks):
            continue
        if start is None:
            groups.append(_judged_by_one_line(gather, receivers, picks))
            continue
        near = start[1] & picks
        if gather.enough(near):
            groups.append(_judged_by_hinges(gather, receivers, picks, start[0], near))
    if settings.sides == "together" and len(groups) == 2:
        right, left = groups
        receivers = right.receivers | left.receivers
        baseline = np.where(right.receivers, right.baseline, left.baseline)
        inliers = np.where(right.receivers, right.inliers, left.inliers)
        groups = [_Group(receivers, right.picks | left.picks, baseline, inliers)]
    return groups


def _start(gather: _Gather) -> tuple[np.ndarray, np.ndarray] | None:
    """Fit one line to both sides and keep what lies near it: short sides need the other's help."""
    near = gather.picked.copy()
    if not gather.enough(near):
        return None
    line = np.zeros(len(near))
    for _ in range(ROUNDS):
        line, _ = _huber(gather, gather.line, near)
        residual = np.abs(gather.t - line)
        reach = CUT * _scale(residual[gather.picked], 0.0) + LINE_MISFIT * np.ptp(line)
        new = gather.picked & (residual <= max(reach, gather.settings.least_scatter))
        if (new == near).all() or not gather.enough(new):
            break
        near = new
    return line, near


def _judged_by_one_line(gather: _Gather, receivers: np.ndarray, picks: np.ndarray) -> _Group:
    epsilon = gather.settings.huber_epsilon
    line, scale = _huber(gather, gather.line, picks)
    inliers = picks & (np.abs(gather.t - line) <= epsilon * scale)
    return _Group(receivers, picks, np.zeros(len(line)), inliers)


def _judged_by_hinges(
    gather: _Gather,
    receivers: np.ndarray,
    picks: np.ndarray,
    line: np.ndarray,
    near: np.ndarray,
) -> _Group:
    settings = gather.settings
    regressors = gather.hinged(near)
    for _ in range(3):
        line, _ = _huber(gather, regressors, near)
        residual = np.abs(gather.t - line)
        reach = CUT * _scale(residual[near], settings.least_scatter)
        new = picks & (residual <= reach + HINGED_MISFIT * np.ptp(line[receivers]))
        if (new == near).all() or not gather.enough(new):
            break
        near = new
    return _Group(receivers, picks, line, near)


def _curve(gather: _Gather, group: _Group) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the curve, its uncertainty and the inliers; staged, judge them by the curve."""
    settings, inliers = gather.settings, group.inliers
    axis = gather.kernel_axis(group.inliers)
    rest = gather.t - group.baseline
    spread = LEFT_FOR_KERNEL * float(np.ptp(group.baseline[group.receivers]))
    if not settings.staged:
        spread = float(np.std(rest[inliers]))
    for _ in range(ROUNDS if settings.staged else 1):
        curve = _support_vectors(axis, rest, np.flatnonzero(inliers), settings, gather.weights)
        scale = _scale(np.abs(rest - curve)[inliers], settings.least_scatter)
        noise = scale / np.sqrt(gather.weights)
        posterior = _posterior(axis, inliers, settings.kernel_width, max(spread, scale), noise)
        new = group.picks & (np.abs(rest - curve) <= CUT * np.hypot(scale, posterior))
        if not settings.staged or (new == inliers).all() or not gather.enough(new):
            break
        inliers = new
    return group.baseline + curve, posterior, inliers


def _mirror(gather: _Gather, fit: GatherFit, receivers: np.ndarray) -> None:
    """Give a side with too few picks the curve of the other, where that one has inliers."""
    other = (gather.x < 0) if gather.x[receivers][0] >= 0 else (gather.x >= 0)
    known = other & np.isfinite(fit.time)
    if not known.any():
        return
    order = np.argsort(gather.a[known], kind="stable")
    at, side = gather.a[known][order], gather.a[receivers]
    limit = MIRROR_REACH * gather.a[fit.inlier & other].max(initial=0.0)
    time = np.interp(side, at, fit.time[known][order])
    time[side > max(limit, at[-1])] = np.nan
    misfit = np.abs(gather.t[receivers] - time)
    misfit = misfit[np.isfinite(misfit)]
    spread = float(np.median(misfit)) * MAD_TO_SIGMA if misfit.size else 0.0
    uncertainty = np.interp(side, at, fit.uncertainty[known][order])
    # The sides differ by no more than a stiff line may miss: such picks are better than the mirror.
    reach = CUT * np.hypot(uncertainty, gather.settings.least_scatter)
    reach += LINE_MISFIT * np.ptp(fit.time[known])
    fit.inlier[receivers] = np.abs(gather.t[receivers] - time) <= reach
    fit.time[receivers] = time
    fit.uncertainty[receivers] = np.hypot(uncertainty, spread)
    fit.mirrored[receivers] = np.isfinite(time)


def _huber(gather: _Gather, regressors: np.ndarray, fit: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the line at all receivers and the scale of its residuals."""
    from sklearn.linear_model import HuberRegressor

    t, weights, epsilon = gather.t, gather.weights, gather.settings.huber_epsilon
    middle = float(np.median(t[fit]))
    unit = float(np.median(np.abs(t[fit] - middle))) or 1.0
    columns = _uncorrelated(regressors, fit)
    model = HuberRegressor(epsilon=epsilon, alpha=RIDGE, max_iter=300, tol=1e-4)
    try:
        model.fit(columns[fit], (t[fit] - middle) / unit, sample_weight=weights[fit])
    except ValueError:
        # Its minimiser gives up where the picks lie exactly on a line: the scale goes to zero.
        columns = np.column_stack([columns, np.ones(len(t))])
        line = columns @ np.linalg.lstsq(columns[fit], t[fit], rcond=None)[0]
        return line, _scale(np.abs(t - line)[fit], 1e-6)
    return model.predict(columns) * unit + middle, float(model.scale_) * unit


def _uncorrelated(regressors: np.ndarray, fit: np.ndarray) -> np.ndarray:
    """Turn the regressors into uncorrelated ones: the minimiser then needs a fifth of the steps."""
    centred = regressors - regressors[fit].mean(axis=0)
    _, spread, axes = np.linalg.svd(centred[fit], full_matrices=False)
    known = spread > 1e-6 * spread[0]
    return centred @ (axes[known].T / spread[known]) * np.sqrt(fit.sum())


def _support_vectors(
    axis: np.ndarray,
    t: np.ndarray,
    inliers: np.ndarray,
    settings: PhaseCorrection,
    weights: np.ndarray,
) -> np.ndarray:
    """Return the curve at all receivers."""
    from sklearn.svm import SVR

    model = SVR(
        C=settings.svr_c,
        gamma=1 / settings.kernel_width**2,
        epsilon=settings.svr_tube,
    )
    model.fit(axis[inliers, None], t[inliers], sample_weight=weights[inliers])
    return model.predict(axis[:, None])


def _posterior(
    axis: np.ndarray, inliers: np.ndarray, width: float, spread: float, noise: np.ndarray
) -> np.ndarray:
    """Return the posterior standard deviation of a Gaussian process with the curve's kernel."""
    known = axis[inliers]
    between = spread**2 * np.exp(-(((axis[:, None] - known) / width) ** 2))
    within = between[inliers] + np.diag(noise[inliers] ** 2)
    explained = np.einsum("ij,ji->i", between, np.linalg.solve(within, between.T))
    return np.sqrt(np.maximum(spread**2 - explained, 0))


def _scale(residuals: np.ndarray, least: float) -> float:
    return max(MAD_TO_SIGMA * float(np.median(residuals)), least)
