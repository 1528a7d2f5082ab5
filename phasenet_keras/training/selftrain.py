"""Self-training: predict on gathers without labels, correct, choose, retrain, as long as it helps.

Every round starts from the same parent, and the labelled records stay in. Rounds are judged by the
validation records; the test records are only reported on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phasenet_keras.io.tables import beside_then_rename
from phasenet_keras.models.phasenet import PhaseNet
from phasenet_keras.picking.picker import Picker
from phasenet_keras.training.config import TrainConfig
from phasenet_keras.training.correction import CorrectionConfig
from phasenet_keras.training.evaluate import PhaseScores, evaluate, markdown_table
from phasenet_keras.training.folds import spread
from phasenet_keras.training.learner import MAX_DEV_RECORDS, EpochReport
from phasenet_keras.training.pseudo_records import (
    GatherTrace,
    PseudoSettings,
    pseudo_labels,
    pseudo_records,
)
from phasenet_keras.training.splits import digest_of
from phasenet_keras.training.survey import HOW
from phasenet_keras.training.train import train
from phasenet_keras.training.transfer import TransferStrategy, strategy_of
from phasenet_keras.types import ConfigError, LabelledWaveform

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["SelfTrainResult", "SelfTrainRound", "self_train"]

SETTINGS, ROUNDS, REPORT, BEST = "settings.json", "rounds.json", "report.md", "best"
LABELS = "pseudo_labels.csv"


@dataclass(frozen=True)
class SelfTrainRound:
    """What a round came to; round 0 is the parent.

    Attributes:
        number: of the round.
        dev_f1: F1 on the validation records, mean of the phases; what rounds are judged by.
        scores: on the test records, by phase.
        counts: of pseudo labels: by phase those ``chosen`` and how all were got, and ``weight``,
            the mean of the chosen ones.
    """

    number: int
    dev_f1: float
    scores: Mapping[str, PhaseScores]
    counts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the round, as in tables."""
        return f"round {self.number}" if self.number else "before"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SelfTrainRound:
        """Build from what `to_dict` returned, from JSON or not."""
        scores = {
            phase: PhaseScores(**{**score, "f1_interval": tuple(score["f1_interval"])})
            for phase, score in values["scores"].items()
        }
        return cls(values["number"], values["dev_f1"], scores, values["counts"])


@dataclass(frozen=True)
class SelfTrainResult:
    """What self-training came to.

    Attributes:
        net: of the best round: the parent where no round helped.
        best: number of the best round, 0 is the parent.
        rounds: all that were run, the parent first.
        folder: the run folder; it serves as a preset.
    """

    net: PhaseNet
    best: int
    rounds: tuple[SelfTrainRound, ...]
    folder: Path

    @property
    def verdict(self) -> str:
        """Whether it helped, in a sentence."""
        before, last = self.rounds[0].dev_f1, self.rounds[-1]
        if not self.best:
            return (
                f"self-training did not help: validation F1 {before:.3f} before, "
                f"{last.dev_f1:.3f} after round {last.number}; the parent is kept"
            )
        best = self.rounds[self.best]
        text = f"validation F1 {best.dev_f1:.3f} after round {best.number}, {before:.3f} before"
        if last.number > best.number:
            text += f"; round {last.number} no longer helped ({last.dev_f1:.3f})"
        return text


def self_train(
    parent: PhaseNet,
    labelled: Sequence[LabelledWaveform],
    unlabelled: Sequence[GatherTrace],
    folder: str | PathLike[str],
    *,
    rounds: int = 3,
    strategy: str | TransferStrategy = "finetune",
    config: TrainConfig | None = None,
    correction: CorrectionConfig | None = None,
    pseudo: PseudoSettings | None = None,
    on_round: Callable[[SelfTrainRound], None] | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
) -> SelfTrainResult:
    """Train on labelled records and on pseudo labels of gathers without labels, round by round.

    In each round the best network so far picks ``unlabelled``, the picks are corrected by the
    moveout of their gathers and weighted (`pseudo_labels`), and the parent is trained on them and
    on the labelled training records. It ends after ``rounds``, or after a round that did not
    raise the F1 on the validation records. The parent should not have been trained on these, or
    no round can beat it; for the same reason no round trains on them, unless ``config.refit``.

    Args:
        parent: with weights and a preset; load it with ``rebalance=True``.
        labelled: records with splits ``train``, ``dev`` and ``test``.
        unlabelled: of the sampling rate of the labelled records; none of them may be among the
            validation and test records.
        folder: the run folder. If it holds an unfinished run of the same settings, that goes on.
        rounds: most rounds.
        strategy: as in `train`.
        config: as in `train`.
        correction: of the picks; bounds in samples.
        pseudo: how pseudo labels are chosen and weighted.
        on_round: called after each round, and first for the parent.
        on_epoch: called after each epoch of each round.

    Returns:
        The best network and all rounds. In ``folder``: ``round_1`` and so on, run folders of
        `train` with ``pseudo_labels.csv``; ``rounds.json``, ``best`` and ``report.md``.

    Raises:
        ConfigError: for a split without records, a record on both sides, or a folder of other
            settings.
    """
    config = config or TrainConfig()
    run = _Run(
        parent,
        {s: [r for r in labelled if r.split == s] for s in ("train", "dev", "test")},
        unlabelled,
        Path(folder),
        strategy_of(strategy),
        replace(config, refit=bool(config.refit)),
        correction or CorrectionConfig(),
        pseudo or PseudoSettings(),
    )
    _check(run, rounds)
    _claim(run)
    done = _finished(run.folder)
    if not done:
        done = [_before(run)]
        _keep(done, run.folder)
    if on_round:
        on_round(done[0])
    while len(done) <= rounds and _best(done) == len(done) - 1:
        done.append(_round(run, len(done), run.net(_best(done)), on_epoch))
        _keep(done, run.folder)
        if on_round:
            on_round(done[-1])
    best = _best(done)
    net = run.net(best)
    net.save_preset(run.folder / BEST, net.preset)
    found = SelfTrainResult(net, best, tuple(done), run.folder)
    with beside_then_rename(run.folder / REPORT) as file:
        file.write(_report(found))
    return found


@dataclass(frozen=True)
class _Run:
    """What all rounds have in common."""

    parent: PhaseNet
    splits: Mapping[str, Sequence[LabelledWaveform]]
    unlabelled: Sequence[GatherTrace]
    folder: Path
    strategy: TransferStrategy
    config: TrainConfig
    correction: CorrectionConfig
    pseudo: PseudoSettings

    def net(self, number: int) -> PhaseNet:
        """Return the network of a round."""
        return PhaseNet.from_preset(self.folder / f"round_{number}") if number else self.parent

    def scores(self, net: PhaseNet) -> dict[str, PhaseScores]:
        """Return the scores on the test records."""
        picker = Picker(net, sampling="reinterpret")
        tolerance = self.config.tolerance_samples
        return evaluate(picker, self.splits["test"], tolerance_samples=tolerance)


def _before(run: _Run) -> SelfTrainRound:
    """Score the parent as `train` does."""
    dev = evaluate(
        Picker(run.parent, sampling="reinterpret"),
        spread(run.splits["dev"], MAX_DEV_RECORDS),
        tolerance_samples=run.config.tolerance_samples,
        bootstrap=0,
    )
    values = [score.f1 for score in dev.values() if score.n_true]
    dev_f1 = sum(values) / len(values) if values else math.nan
    return SelfTrainRound(0, dev_f1, run.scores(run.parent))


def _round(
    run: _Run, number: int, best: PhaseNet, on_epoch: Callable[[EpochReport], None] | None
) -> SelfTrainRound:
    """Run one round, or go on with it."""
    place = run.folder / f"round_{number}"
    place.mkdir(exist_ok=True)
    table = _labels(place / LABELS, best, run)
    records, weights = pseudo_records(table, run.unlabelled, run.pseudo)
    result = train(
        run.parent,
        [*run.splits["train"], *records],
        run.splits["dev"],
        place,
        strategy=run.strategy,
        config=run.config,
        weights=weights,
        on_epoch=on_epoch,
    )
    dev_f1 = result.parent_dev_f1
    if result.best_epoch is not None:
        dev_f1 = result.history[result.best_epoch].dev_f1
    return SelfTrainRound(number, dev_f1, run.scores(result.net), _counts(table, weights))


def _labels(path: Path, net: PhaseNet, run: _Run) -> DataFrame:
    """Make the pseudo labels of a round, or read them where the round was begun before."""
    import pandas as pd

    if not path.is_file():
        table = pseudo_labels(Picker(net), run.unlabelled, run.correction, run.pseudo)
        with beside_then_rename(path) as file:
            table.to_csv(file, index=False, lineterminator="\n")
    # Also when just written: a round that goes on gets the same numbers.
    return pd.read_csv(path)


def _best(done: Sequence[SelfTrainRound]) -> int:
    """Return the number of the round with the highest validation F1, of equals the first."""
    values = [-math.inf if math.isnan(item.dev_f1) else item.dev_f1 for item in done]
    return values.index(max(values))


def _counts(
    table: DataFrame, weights: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    counts: dict[str, dict[str, float]] = {}
    for phase, rows in table.groupby("phase"):
        chosen = [of_record[phase] for of_record in weights.values() if phase in of_record]
        counts[str(phase)] = {
            "chosen": len(chosen),
            "weight": sum(chosen) / len(chosen) if chosen else math.nan,
            **{how: int((rows["how"] == how).sum()) for how in HOW},
        }
    return counts


def _check(run: _Run, rounds: int) -> None:
    if rounds < 1:
        raise ConfigError(f"rounds is from 1 on, received {rounds}")
    if run.parent.preset is None:
        raise ConfigError("self-training needs a parent with a preset: PhaseNet.from_preset")
    for split, records in run.splits.items():
        if not records:
            raise ConfigError(
                f"the labelled data set has no {split} records: self-training learns from train, "
                "chooses by dev and is scored on test"
            )
    if not run.unlabelled:
        raise ConfigError("there are no records without labels")
    rate = run.splits["train"][0].waveform.sampling_rate
    others = {trace.record.waveform.sampling_rate for trace in run.unlabelled} - {rate}
    if others:
        listed = ", ".join(f"{value:g}" for value in sorted(others))
        raise ConfigError(
            f"records without labels have {listed} Hz, the labelled ones {rate:g} Hz: bring them "
            "to one rate"
        )
    held_out = {digest_of(r): r.name for split in ("dev", "test") for r in run.splits[split]}
    held_out.pop("", None)
    digests = [digest_of(trace.record) for trace in run.unlabelled]
    both = [held_out[digest] for digest in digests if digest in held_out]
    if both:
        raise ConfigError(
            f"{len(both)} records are without labels and in the hold-out, e.g. "
            f"{', '.join(both[:3])}: leave them out of either"
        )


def _claim(run: _Run) -> None:
    """Write the settings of a run, or refuse a folder that holds a run of other settings."""
    settings = {
        "strategy": run.strategy.to_dict(),
        "config": run.config.to_dict(),
        "correction": run.correction.to_dict(),
        "pseudo": asdict(run.pseudo),
        "network": run.parent.config.to_dict(),
        "parent": None if run.parent.preset is None else run.parent.preset.name,
        "labelled": {split: [r.name for r in records] for split, records in run.splits.items()},
        "unlabelled": [[t.shot, t.receiver, t.offset] for t in run.unlabelled],
    }
    text = json.dumps(settings, indent=1, sort_keys=True) + "\n"
    path = run.folder / SETTINGS
    if path.is_file() and path.read_text(encoding="utf-8") != text:
        raise ConfigError(
            f"{run.folder} holds a run of other settings or records: name another folder, or "
            "remove it"
        )
    run.folder.mkdir(parents=True, exist_ok=True)
    with beside_then_rename(path) as file:
        file.write(text)


def _finished(folder: Path) -> list[SelfTrainRound]:
    try:
        values = json.loads((folder / ROUNDS).read_text(encoding="utf-8"))
        return [SelfTrainRound.from_dict(item) for item in values]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _keep(done: Sequence[SelfTrainRound], folder: Path) -> None:
    with beside_then_rename(folder / ROUNDS) as file:
        json.dump([item.to_dict() for item in done], file, indent=1, sort_keys=True)
        file.write("\n")


def _report(result: SelfTrainResult) -> str:
    lines = [
        "# Self-training",
        "",
        f"{result.verdict[0].upper()}{result.verdict[1:]}.",
        "",
        "Scores on the labelled test records:",
        "",
        markdown_table({item.name: item.scores for item in result.rounds}),
        "| round | validation F1 | phase | pseudo labels | mean weight | " + " | ".join(HOW) + " |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for item in result.rounds[1:]:
        for phase, counts in item.counts.items():
            got = " | ".join(f"{counts[how]:.0f}" for how in HOW)
            lines.append(
                f"| {item.number} | {item.dev_f1:.3f} | {phase} | {counts['chosen']:.0f} | "
                f"{counts['weight']:.2f} | {got} |"
            )
    return "\n".join(lines) + "\n"
