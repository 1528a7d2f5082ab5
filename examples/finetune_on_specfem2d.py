"""How do I fine-tune on my SPECFEM2D simulations?

A run folder of the program (DATA/ and OUTPUT_FILES/, as it wrote them) and a table of onsets in
samples are all it takes. Simulations have no noise: white noise at 10 to 40 dB is added to the
training windows, a part of the default recipe.

    python examples/finetune_on_specfem2d.py run1_flat_ascii --labels run1_flat_ascii/labels.csv
"""

from __future__ import annotations

import argparse
from pathlib import Path

from phasenet_keras import PhaseNet, Picker, TrainConfig, evaluate, prepare, read_dataset, train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="run folder, or a folder of run folders")
    parser.add_argument("--labels", type=Path, help="CSV; default: labels.csv in the run folder")
    parser.add_argument("--preset", default="ncedc", help="parent (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--output", type=Path, default=Path("specfem2d"))
    given = parser.parse_args()

    prepare(given.run, given.output / "data", given.labels or given.run / "labels.csv")
    learn, check, test = (read_dataset(given.output / "data", s) for s in ("train", "dev", "test"))
    # A vertical force at the surface: what a geophone line sees is Z.
    parent = PhaseNet.from_preset(given.preset, channels="Z", rebalance=True)
    config = TrainConfig(epochs=given.epochs)
    result = train(parent, learn, check, given.output / "run", config=config)
    print(result.verdict)
    for phase, score in evaluate(Picker(result.net), test, tolerance_samples=10).items():
        print(f"{phase}: F1 {score.f1:.3f} on {score.n_true} labels of untouched records")
    print(f"pick with it: phasenet-keras pick FILES --preset {given.output / 'run'}")


if __name__ == "__main__":
    main()
