"""The doctor: looks at a finished training run and says in words what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from phasenet_keras.training.transfer import TransferStrategy

__all__ = ["Finding", "check_history", "check_outputs", "check_weights"]

# A network that answers every phase alike everywhere has a loss of ln(n); a little more is luck.
INITIAL_LOSS_MARGIN = 1.2
LEAST_LEARNING_RATE = 1e-7
# Outputs that differ by less than this between samples and records say nothing.
COLLAPSED_STD = 1e-4
EXPLODED = 1e4


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: a short name, and a sentence that says what to do."""

    name: str
    text: str


def check_history(
    first_loss: float, learning_rates: Sequence[float], n_phases: int
) -> list[Finding]:
    """Look at losses and learning rates.

    Args:
        first_loss: mean loss of the first epoch, in nats a sample.
        learning_rates: of each epoch.
        n_phases: of the network, noise included.
    """
    found = []
    if not math.isfinite(first_loss):
        found.append(Finding("loss not finite", "the loss is NaN or infinite: lower learning_rate"))
    elif first_loss > INITIAL_LOSS_MARGIN * math.log(n_phases):
        found.append(
            Finding(
                "initial loss too high",
                f"the first loss is {first_loss:.2f}, above ln({n_phases}) = "
                f"{math.log(n_phases):.2f} of a network that knows nothing: labels in another "
                "order than the network's phases, or another normalisation",
            )
        )
    if learning_rates and max(learning_rates) < LEAST_LEARNING_RATE:
        found.append(
            Finding(
                "learning rate near zero",
                f"the learning rate never exceeded {max(learning_rates):.1g}: raise it",
            )
        )
    return found


def check_weights(
    before: Mapping[str, np.ndarray],
    after: Mapping[str, np.ndarray],
    strategy: TransferStrategy,
    stages: Sequence[str],
    n_epochs: int,
) -> list[Finding]:
    """Compare weights before and after training with what the strategy asked for.

    Args:
        before: the weights that training started from.
        after: the weights that it ended with.
        strategy: of the run.
        stages: of the network.
        n_epochs: that were run.
    """
    moved = {name.split("_")[0] for name in after if not np.array_equal(before[name], after[name])}
    frozen_always = set(stages)
    for epoch in range(n_epochs):
        frozen_always &= set(strategy.frozen_at(epoch, stages))
    found = []
    if not moved:
        found.append(
            Finding("no weight moved", "training changed nothing: learning rate, or all is frozen")
        )
    wrongly_moved = [stage for stage in stages if stage in moved & frozen_always]
    if wrongly_moved:
        found.append(
            Finding(
                "frozen set not as asked",
                f"strategy '{strategy.name}' freezes {', '.join(wrongly_moved)}, which moved",
            )
        )
    still = [stage for stage in stages if stage not in moved | frozen_always]
    if moved and still:
        found.append(
            Finding(
                "frozen set not as asked",
                f"strategy '{strategy.name}' trains {', '.join(still)}, which did not move",
            )
        )
    bad = [name for name, array in after.items() if not np.isfinite(array).all()]
    huge = [n for n in after if n not in bad and np.abs(after[n]).max(initial=0.0) > EXPLODED]
    if bad or huge:
        found.append(
            Finding(
                "weights exploded",
                f"{', '.join((bad + huge)[:3])} hold NaN or values above {EXPLODED:g}: lower "
                "learning_rate",
            )
        )
    return found


def check_outputs(probabilities: np.ndarray, phases: Sequence[str]) -> list[Finding]:
    """Look at a network's answers to validation records.

    Args:
        probabilities: ``(records, samples, phases)``.
        phases: the network's, noise first.
    """
    if not np.isfinite(probabilities).all():
        return [Finding("output not finite", "the network answers NaN: lower learning_rate")]
    found = []
    for column, phase in enumerate(phases[1:], start=1):
        if probabilities[..., column].std() < COLLAPSED_STD:
            mean = float(probabilities[..., column].mean())
            found.append(
                Finding(
                    "output collapsed",
                    f"the probability of {phase} is {mean:.3f} everywhere: no record teaches "
                    f"{phase}, or class_weights drown it",
                )
            )
    return found
