"""How good is `near-surface`, or another preset, on records that it was not trained on?

Prints a Markdown table of F1 with 95 % intervals. `val` are the simulations of the models that
choose, as they are, in noise and like the field; `test` those of the test models; `line` and
`breaks` real records, of which no network here has learnt.

    python benchmarks/near_surface_scores.py near-surface ncedc --data ../shared/data
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from datasets import near_surface, pyrefra, with_noise
from preset_near_surface import FACTORS, like_the_field, padded, simulated, tilted

from phasenet_keras import PhaseNet, Picker
from phasenet_keras.quiet import quiet_start
from phasenet_keras.training.evaluate import pick_records, score_picked
from phasenet_keras.training.matching import tolerance_of
from phasenet_keras.training.scores import PhaseScores
from phasenet_keras.types import LabelledWaveform

LINE_SAMPLES = 4000


@dataclass(frozen=True)
class Case:
    """Records, and how near a pick must be to each phase's label, in samples of the record."""

    make: Callable[[Path], Sequence[LabelledWaveform]]
    tolerances: Mapping[str, float]
    sampling: str = "reinterpret"
    channels: str = "Z"


SIMULATED = {"P": 10, "S": 10}


def vertical(data: Path, split: str) -> list[LabelledWaveform]:
    return [tilted(record, 0.0) for record in simulated(data, split)]


def at_rate(factor: float) -> Callable[[Path], list[LabelledWaveform]]:
    def make(data: Path) -> list[LabelledWaveform]:
        records = [padded(r) for r in vertical(data, "dev")[::4] if "P" in r.arrivals]
        return like_the_field(records, factor, LINE_SAMPLES, 100)

    return make


CASES: Mapping[str, Case] = {
    "val": Case(lambda data: vertical(data, "dev"), SIMULATED),
    "val-30db": Case(lambda data: with_noise(vertical(data, "dev"), 30.0, 1), SIMULATED),
    **{f"val-x{factor:g}": Case(at_rate(factor), SIMULATED) for factor in FACTORS},
    "test": Case(lambda data: vertical(data, "test"), SIMULATED),
    "test-30db": Case(lambda data: with_noise(vertical(data, "test"), 30.0), SIMULATED),
    "val-xz-30db": Case(
        lambda data: with_noise(simulated(data, "dev"), 30.0, 1), SIMULATED, channels="EZ"
    ),
    "test-xz": Case(lambda data: simulated(data, "test"), SIMULATED, channels="EZ"),
    "test-xz-30db": Case(
        lambda data: with_noise(simulated(data, "test"), 30.0), SIMULATED, channels="EZ"
    ),
    "line": Case(near_surface, {"P": 5, "S": 10}),
    "breaks": Case(pyrefra, {"P": 8}),
    "breaks-resampled": Case(pyrefra, {"P": 8}, "resample"),
}


def scores_of(
    preset: str, name: str, data: Path, window_samples: int = 0
) -> dict[str, PhaseScores]:
    """Return the scores of a preset in a case, by phase."""
    case = CASES[name]
    net = PhaseNet.from_preset(preset, channels=case.channels)
    contract = replace(net.preset, window_samples=window_samples or net.preset.window_samples)
    picker = Picker(net, preset=contract, sampling=case.sampling)
    picked = pick_records(picker, case.make(data))
    found = {}
    for phase, samples in case.tolerances.items():
        tolerance = tolerance_of(tolerance_samples=samples)
        found |= score_picked(picked, {phase: picker.thresholds[phase]}, tolerance)
    return found


def rows(preset: str, name: str, scores: Mapping[str, PhaseScores]) -> list[str]:
    """Return a line of the table for each phase of a case."""
    return [
        f"| {name} | {Path(preset).name} | {phase}, {CASES[name].tolerances[phase]:g} samples | "
        f"{score.f1:.3f} [{score.f1_interval[0]:.3f}, {score.f1_interval[1]:.3f}] | "
        f"{score.precision:.3f} | {score.recall:.3f} | {score.n_true} | "
        f"{1e3 * score.residual_mean_s:+.2f} |"
        for phase, score in scores.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("presets", nargs="+", help="names or folders")
    parser.add_argument("--cases", default="val,val-30db", help=", ".join(CASES))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--window", type=int, default=0, help="samples; 0: the preset's own")
    given = parser.parse_args()
    names = "records, preset, phase and tolerance, F1 [95 %], precision, recall, labels, bias (ms)"
    print(f"| {' | '.join(names.split(', '))} |")
    print("|---|---|---|---|---|---|---|---|")
    for name in given.cases.split(","):
        for preset in given.presets:
            with quiet_start():
                scores = scores_of(preset, name, given.data, given.window)
            print("\n".join(rows(preset, name, scores)), flush=True)


if __name__ == "__main__":
    main()
