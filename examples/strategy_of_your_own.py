"""How do I define a strategy of my own?

A strategy is a value: which stages take over the parent's weights, and what learns from which epoch
on, at which rate. Stages are addressed by name or pattern; a pattern that fits none is an error.
The same as JSON serves on the command line: `phasenet-keras train … --strategy '{"name": …}'`.

    python examples/strategy_of_your_own.py lines/
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from phasenet_keras import (
    FreezePhase,
    FreezeSchedule,
    PhaseNet,
    TrainConfig,
    TransferStrategy,
    read_dataset,
    train,
)

# The decoder first; from epoch 10 on everything, the encoder at a fifth of the rate.
DECODER_FIRST = TransferStrategy(
    name="decoder_first",
    load=("*",),
    freeze=FreezeSchedule(
        (
            FreezePhase(0, trainable=("up*", "output")),
            FreezePhase(10, trainable=("*",), lr_scale={"input": 0.2, "down*": 0.2}),
        )
    ),
    description="the decoder first, then everything",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path, help="of phasenet-keras prepare")
    parser.add_argument("--preset", default="ncedc", help="parent (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--output", type=Path, default=Path("decoder-first"))
    given = parser.parse_args()

    parent = PhaseNet.from_preset(given.preset, channels="Z", rebalance=True)
    for phase in DECODER_FIRST.freeze.phases:
        frozen = DECODER_FIRST.frozen_at(phase.start_epoch, parent.stages)
        print(f"from epoch {phase.start_epoch}: frozen {', '.join(frozen) or 'nothing'}")
    print("as JSON:", json.dumps(DECODER_FIRST.to_dict()))
    result = train(
        parent,
        read_dataset(given.dataset, "train"),
        read_dataset(given.dataset, "dev"),
        given.output,
        strategy=DECODER_FIRST,
        config=TrainConfig(epochs=given.epochs),
    )
    print(result.verdict)


if __name__ == "__main__":
    main()
