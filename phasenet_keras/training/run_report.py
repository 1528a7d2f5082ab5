"""The page that a training run leaves: what came of it, of what, and what is wrong with it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras

import phasenet_keras
from phasenet_keras.io.times import span_text
from phasenet_keras.io.wording import counted
from phasenet_keras.models.weights import weights_digest
from phasenet_keras.short_repr import three_digits
from phasenet_keras.training.doctor import Finding
from phasenet_keras.training.splits import drawn_groups, is_lone
from phasenet_keras.types import LabelledWaveform

if TYPE_CHECKING:
    from phasenet_keras.models.contract import Preset
    from phasenet_keras.models.phasenet import PhaseNet

__all__ = ["facts_of_run", "run_report"]

KEPT = "the last one whose F1 is within one standard error of the highest"


def run_report(
    verdict: str,
    findings: Sequence[Finding],
    settings: Mapping[str, Any],
    epochs: Sequence[Mapping[str, float]],
    test_table: str = "",
    *,
    kept_epoch: int | None = None,
    facts: Mapping[str, str] | None = None,
) -> str:
    """Return the report of a run as Markdown; without an epoch that is kept, the parent is."""
    lines = ["# Training run", "", f"{verdict[:1].upper()}{verdict[1:]}.", ""]
    if test_table:
        lines += ["## Before and after, on the test records", "", test_table]
    lines += ["## Findings", ""]
    lines += [f"- **{finding.name}**: {' '.join(finding.text.split())}." for finding in findings]
    if not findings:
        lines.append("The doctor found nothing wrong.")
    if facts:
        lines += ["", "## What was trained, and on what", "", "| what | |", "|---|---|"]
        lines += [f"| {name} | {_plain(text)} |" for name, text in facts.items()]
    lines += ["", "## Settings", "", "| setting | value |", "|---|---|"]
    lines += [f"| {name} | {_plain(value)} |" for name, value in settings.items()]
    kept = "" if kept_epoch is None else f" Kept is epoch {kept_epoch}: {KEPT}."
    count = f"{len(epochs)} epochs, counted from 0; losses in nats a sample.{kept}"
    lines += ["", "## Losses", "", count, ""]
    marked = {0, len(epochs) - 1, len(epochs) // 2, _best(epochs)} if epochs else set()
    chosen = sorted(marked if kept_epoch is None else marked | {kept_epoch})
    if chosen:
        names = list(epochs[0])
        lines += [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for number in chosen:
        lines.append("| " + " | ".join(f"{value:.4g}" for value in epochs[number].values()) + " |")
    return "\n".join(lines) + "\n"


def _best(epochs: Sequence[Mapping[str, float]]) -> int:
    scores = [row.get("dev_f1", math.nan) for row in epochs]
    return max(range(len(scores)), key=lambda n: (-1.0 if math.isnan(scores[n]) else scores[n], n))


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(map(_plain, value)) or "none"
    return " ".join(str(value).replace("|", "\\|").split())


def facts_of_run(
    parent: PhaseNet, contract: Preset, sets: Sequence[Sequence[LabelledWaveform]]
) -> dict[str, str]:
    """Return what a reader wants to know of a run, to repeat it or to cite it.

    The sets are the records to train on, to validate on, and to test.
    """
    own = parent.preset
    window_s = contract.window_samples / contract.sampling_rate
    facts = {
        "software": f"phasenet_keras {phasenet_keras.__version__}, Keras {keras.__version__} on "
        f"{keras.backend.backend()}",
        **dict(zip(("training", "validation", "test"), map(_counts, sets), strict=True)),
        "records": f"{','.join(contract.config.channels)} at {contract.sampling_rate:g} Hz; "
        f"windows of {contract.window_samples} samples ({span_text(window_s)})",
        "thresholds": ", ".join(f"{p} {t:g}" for p, t in contract.thresholds.items()),
        "least distance of picks": f"{three_digits(contract.min_distance_s)} s",
    }
    if own is not None:
        digest = weights_digest(parent.get_weight_set())[:12]
        facts["parent"] = f"{own.name}, weights {digest}, licence {own.license}"
        facts["cite"] = own.citation
    return {name: text for name, text in facts.items() if text}


def _counts(records: Sequence[LabelledWaveform]) -> str:
    labels = Counter(p for r in records for p, at in r.arrivals.items() for _ in at)
    groups = drawn_groups(records)
    n_groups = len(set(groups))
    found = "".join(f", {n} {phase}" for phase, n in sorted(labels.items()))
    of = f" of {n_groups} events or shots" if n_groups > 1 else " of one event or shot"
    of = "" if is_lone(records, groups) else of
    return f"{counted(len(records), 'record')}{of}{found}" if records else ""
