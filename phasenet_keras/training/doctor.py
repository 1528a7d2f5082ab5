"""The doctor: looks at a finished training run and says in words what is wrong with it.

Here is what can be told from numbers: losses, weights, answers. Records are judged in
`checks_data`, the layers of a network in `examination`, which calls all checks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from itertools import combinations
from typing import ParamSpec

import numpy as np

from phasenet_keras.io.wording import counted
from phasenet_keras.training.transfer import TransferStrategy

__all__ = [
    "Finding",
    "check_found",
    "check_history",
    "check_label_order",
    "check_losses",
    "check_outputs",
    "check_regularizer",
    "check_weights",
    "listed",
]

# A network that answers every phase alike everywhere has a loss of ln(n); a little more is luck.
INITIAL_LOSS_MARGIN = 1.2
LEAST_LEARNING_RATE = 1e-7
# Part of its highest value below which a learning rate counts as zero: the usual schedule ends at
# a hundredth, and is below a fiftieth in a few epochs only.
LEAST_RATE_PART = 0.02
# Largest step of a kernel, as a part of its size, that is no learning.
LEAST_STEP = 1e-4
# Outputs that differ by less than this between samples and records say nothing.
COLLAPSED_STD = 1e-4
# The lowest threshold that picks are commonly made at is above this.
NOISE_PROBABILITY = 0.1
EXPLODED = 1e4
# Correlations that differ by less are chance.
ORDER_MARGIN = 0.1
# Epochs after the best one, loss of training to that of validation, and its rise since the best.
OVERFITTING_EPOCHS, OVERFITTING_PART, OVERFITTING_RISE = 10, 0.5, 1.1


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: a short name, and a sentence that says what to do."""

    name: str
    text: str


Given = ParamSpec("Given")


def listed(check: Callable[Given, Iterator[Finding]]) -> Callable[Given, list[Finding]]:
    """Give as a list what a check yields."""

    @wraps(check)
    def run(*args: Given.args, **kwargs: Given.kwargs) -> list[Finding]:
        return list(check(*args, **kwargs))

    return run


@listed
def check_history(
    first_loss: float,
    learning_rates: Sequence[float],
    n_phases: int,
    ignorant_loss: float = 0.0,
) -> Iterator[Finding]:
    """Look at the first loss and at the learning rates.

    Args:
        first_loss: mean loss of the first epoch, in nats a sample.
        learning_rates: of each epoch.
        n_phases: of the network, noise included.
        ignorant_loss: loss of a network that answers every phase alike, in nats a sample, where
            class weights make it more than ``ln(n_phases)``.
    """
    bound = max(math.log(n_phases), ignorant_loss)
    if INITIAL_LOSS_MARGIN * bound < first_loss < math.inf:
        what = f"ln({n_phases})" if bound == math.log(n_phases) else "the weighted loss"
        yield Finding(
            "initial loss too high",
            f"the first loss is {first_loss:.2f}, above {what} = {bound:.2f} of a network that "
            "knows nothing: labels in another order than the network's phases, another "
            "normalisation, or a learning_rate too high; check these in this order",
        )
    highest = max(learning_rates)
    low = sum(rate < LEAST_RATE_PART * highest for rate in learning_rates)
    if highest < LEAST_LEARNING_RATE:
        yield Finding(
            "learning rate near zero",
            f"the learning rate never exceeded {highest:.1g}: raise it",
        )
    elif 2 * low > len(learning_rates):
        yield Finding(
            "learning rate near zero",
            f"in {low} of {len(learning_rates)} epochs the learning rate was below a fiftieth "
            f"of its highest, {highest:.1g}: let it fall later, or train fewer epochs",
        )


@listed
def check_losses(
    train_losses: Sequence[float], dev_losses: Sequence[float], kept_epoch: int | None = None
) -> Iterator[Finding]:
    """Look at how the losses went on; without an epoch that is kept, the parent is."""
    sick = [
        epoch
        for epoch, pair in enumerate(zip(train_losses, dev_losses, strict=True))
        if not np.isfinite(pair).all()
    ]
    if sick:
        yield Finding(
            "loss not finite",
            f"the loss is NaN or infinite in {counted(len(sick), 'epoch')}, first in epoch "
            f"{sick[0]}: lower learning_rate",
        )
        return
    best = int(np.argmin(dev_losses))
    kept = "the parent" if kept_epoch is None else f"epoch {kept_epoch}"
    after = len(dev_losses) - 1 - best
    last_train, last_dev = train_losses[-1], dev_losses[-1]
    if (
        after >= OVERFITTING_EPOCHS
        and last_train < OVERFITTING_PART * last_dev
        and last_dev > OVERFITTING_RISE * dev_losses[best]
    ):
        yield Finding(
            "overfitting",
            f"since epoch {best} the validation loss rose from {dev_losses[best]:.4f} to "
            f"{last_dev:.4f}, that of training is {last_train:.4f} (kept, by F1, is {kept}); "
            "label more records, augment more, or freeze more stages",
        )


def check_regularizer(data_loss: float, regularizer_loss: float) -> list[Finding]:
    """Compare what the regularizers add to the loss with the loss of the answers.

    Args:
        data_loss: of the answers, in nats a sample.
        regularizer_loss: sum of the regularizers' terms, as it is added to ``data_loss``.
    """
    if not regularizer_loss > data_loss:
        return []
    return [
        Finding(
            "regulariser larger than the data term",
            f"the regularisers add {regularizer_loss:.3g} to a loss of {data_loss:.3g}: training "
            "shrinks the weights instead of fitting the labels; divide the regularisers' factors "
            f"by {10 * regularizer_loss / max(data_loss, 1e-12):.0f} or more",
        )
    ]


@listed
def check_weights(
    before: Mapping[str, np.ndarray],
    after: Mapping[str, np.ndarray],
    strategy: TransferStrategy,
    stages: Sequence[str],
    n_epochs: int,
) -> Iterator[Finding]:
    """Compare weights before and after training with what the strategy asked for."""
    moved = {name.split("_")[0] for name in after if not np.array_equal(before[name], after[name])}
    frozen_always = set(stages)
    for epoch in range(n_epochs):
        frozen_always &= set(strategy.frozen_at(epoch, stages))
    if not moved:
        yield Finding(
            "no weight moved", "training changed nothing: learning rate, or all is frozen"
        )
    steps = [
        np.linalg.norm(after[name] - before[name]) / max(float(np.linalg.norm(before[name])), 1e-12)
        for name in after
        if name.endswith("/kernel") and np.isfinite(after[name]).all()
    ]
    if moved and 0.0 < max(steps, default=0.0) < LEAST_STEP:
        yield Finding(
            "learning rate near zero",
            f"no kernel moved by more than {max(steps):.1g} of its size: raise learning_rate",
        )
    wrongly_moved = [stage for stage in stages if stage in moved & frozen_always]
    if wrongly_moved:
        yield Finding(
            "frozen set not as asked",
            f"strategy '{strategy.name}' freezes {', '.join(wrongly_moved)}, which moved",
        )
    still = [stage for stage in stages if stage not in moved | frozen_always]
    if moved and still:
        yield Finding(
            "frozen set not as asked",
            f"strategy '{strategy.name}' trains {', '.join(still)}, which did not move",
        )
    bad = [name for name, array in after.items() if not np.isfinite(array).all()]
    huge = [n for n in after if n not in bad and np.abs(after[n]).max(initial=0.0) > EXPLODED]
    if bad or huge:
        yield Finding(
            "weights exploded",
            f"{', '.join((bad + huge)[:3])} hold NaN or values above {EXPLODED:g}: lower "
            "learning_rate",
        )


@listed
def check_outputs(
    probabilities: np.ndarray, phases: Sequence[str], labelled: Collection[str] | None = None
) -> Iterator[Finding]:
    """Look at a network's answers to validation records.

    Args:
        probabilities: ``(records, samples, phases)``.
        phases: the network's, noise first.
        labelled: the phases that arrive in these records; None for all. The others may be noise
            everywhere.
    """
    if not np.isfinite(probabilities).all():
        yield Finding("output not finite", "the network answers NaN: lower learning_rate")
        return
    for column, phase in enumerate(phases[1:], start=1):
        answers = probabilities[..., column]
        if answers.std() < COLLAPSED_STD:
            yield Finding(
                "output collapsed",
                f"the probability of {phase} is {float(answers.mean()):.3f} everywhere: no "
                f"record teaches {phase}, or class_weights drown it",
            )
        elif answers.max() < NOISE_PROBABILITY and (labelled is None or phase in labelled):
            yield Finding(
                "output is all noise",
                f"the probability of {phase} is nowhere above {float(answers.max()):.3f}, also "
                f"where {phase} is labelled: train longer, raise learning_rate or the class "
                f"weight of {phase}, or widen label_sigma_samples",
            )


def check_found(
    n_labels: Mapping[str, int], n_found: Mapping[str, int], tolerance_samples: float
) -> list[Finding]:
    """Look for phases of which neither the parent nor the trained network found any label.

    Args:
        n_labels: in the validation records, by phase.
        n_found: the most of them that the parent, or the network after an epoch, found.
        tolerance_samples: greatest distance of a pick and its label.
    """
    return [
        Finding(
            "no label found",
            f"of {n} labels of {phase} in the validation records neither the parent nor the "
            f"network after any epoch found one within {tolerance_samples:g} samples, so that "
            f"validation says nothing of {phase}: plot records with their labels, and look at "
            "the labels (column, unit, time zero), the sampling rate, the channels and the units",
        )
        for phase, n in n_labels.items()
        if n and not n_found.get(phase, 0)
    ]


@listed
def check_label_order(
    probabilities: np.ndarray, targets: np.ndarray, phases: Sequence[str]
) -> Iterator[Finding]:
    """Look whether two phases are exchanged: each one's answers fit the other's labels.

    Judge the parent: a network that was trained on exchanged labels agrees with them.

    Args:
        probabilities: ``(records, samples, phases)``.
        targets: the same of the labels; a phase without labels is not judged.
        phases: the network's, noise first.
    """
    n = len(phases)
    columns = np.concatenate([probabilities.reshape(-1, n), targets[..., :n].reshape(-1, n)], 1)
    if not np.isfinite(columns).all():
        return
    with np.errstate(divide="ignore", invalid="ignore"):
        fit = np.nan_to_num(np.asarray(np.corrcoef(columns.T.astype(np.float64)))[:n, n:])
    for one, other in combinations(range(1, n), 2):
        if (
            targets[..., one].any()
            and targets[..., other].any()
            and fit[one, other] > fit[one, one] + ORDER_MARGIN
            and fit[other, one] > fit[other, other] + ORDER_MARGIN
        ):
            a, b = phases[one], phases[other]
            yield Finding(
                "labels look swapped",
                f"the network's {a} goes with the labels of {b} (correlation "
                f"{fit[one, other]:.2f}, with {a} {fit[one, one]:.2f}), its {b} with those of "
                f"{a} ({fit[other, one]:.2f}, with {b} {fit[other, other]:.2f}): exchange the "
                f"columns of the labels, or the network's phases ({', '.join(phases)})",
            )
