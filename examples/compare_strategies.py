"""Which strategy is best for my records, and would more labels help?

The same as `phasenet-keras compare`, in Python: every strategy on the same untouched records.

    phasenet-keras prepare near_surface/raw --labels near_surface/labels_shot01.csv --output lines/
    python examples/compare_strategies.py lines/
"""

from __future__ import annotations

import argparse
from pathlib import Path

from phasenet_keras import PhaseNet, TrainConfig, compare, read_dataset
from phasenet_keras.training.recommendation import recommendation
from phasenet_keras.training.score_table import markdown_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path, help="of phasenet-keras prepare")
    parser.add_argument("--preset", default="ncedc", help="parent (default: %(default)s)")
    parser.add_argument("--strategies", default="scratch,finetune,freeze_deepest")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--output", type=Path, default=Path("comparison"))
    given = parser.parse_args()

    comparison = compare(
        PhaseNet.from_preset(given.preset, channels="Z", rebalance=True),
        read_dataset(given.dataset),
        given.output,
        strategies=given.strategies.split(","),
        config=TrainConfig(epochs=given.epochs),
    )
    print(markdown_table(comparison.rows))
    print(recommendation(comparison))


if __name__ == "__main__":
    main()
