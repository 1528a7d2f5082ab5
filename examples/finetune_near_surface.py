"""How do I fine-tune on a geophone line of my own, with one channel at some kHz?

    python examples/finetune_near_surface.py line/raw --labels line/labels.csv

The official weights see the samples as they are, as if 2 kHz were 100 Hz: the waveforms look alike
at that scale. The network that comes out knows its own sampling rate.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from phasenet_keras import PhaseNet, Picker, TrainConfig, evaluate, prepare, read_dataset, train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("waveforms", type=Path)
    parser.add_argument("--labels", type=Path, required=True, help="CSV of arrivals in samples")
    parser.add_argument("--preset", default="ncedc", help="parent (default: %(default)s)")
    parser.add_argument("--strategy", default="finetune")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--output", type=Path, default=Path("line"))
    given = parser.parse_args()

    prepare(given.waveforms, given.output / "data", given.labels)
    learn, check, test = (read_dataset(given.output / "data", s) for s in ("train", "dev", "test"))
    parent = PhaseNet.from_preset(given.preset, channels="Z", rebalance=True)
    before = evaluate(Picker(parent, sampling="reinterpret"), test, tolerance_samples=10)
    result = train(
        parent,
        learn,
        check,
        given.output / "run",
        strategy=given.strategy,
        config=TrainConfig(epochs=given.epochs),
    )
    after = evaluate(Picker(result.net, sampling="reinterpret"), test, tolerance_samples=10)
    print(result.verdict)
    for phase in after:
        print(f"{phase}: F1 {before[phase].f1:.3f} before, {after[phase].f1:.3f} after")


if __name__ == "__main__":
    main()
