"""Does the pipeline of windows starve training?

Prints a Markdown table: windows per CPU second made by `ExampleMaker.batch` (it runs on one core),
without augmentation and with all of it, and windows per second of wall time of `train_on_batch`
alone and with the pipeline in turn, as `train` runs them. Records are random numbers; the best of
several rounds counts.

    python benchmarks/pipeline.py
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from obspy import UTCDateTime

from phasenet_keras.data.augment import (
    Clip,
    DropChannels,
    Gap,
    Polarity,
    TimeStretch,
    WhiteNoise,
    recipe,
)
from phasenet_keras.data.examples import ExampleMaker
from phasenet_keras.data.mixing import BlendRecords, RecordedNoise, StackEvents
from phasenet_keras.quiet import quiet_start
from phasenet_keras.types import LabelledWaveform, Waveform

BATCH = 32
PHASES = ("N", "P", "S")
CASES = ((3000, ("E", "N", "Z")), (1536, ("Z",)))
FULL = (
    TimeStretch(),
    StackEvents(),
    BlendRecords(),
    Polarity(),
    RecordedNoise(),
    WhiteNoise(),
    DropChannels(),
    Gap(),
    Clip(),
)


def records(n_samples: int, channels: tuple[str, ...]) -> list[LabelledWaveform]:
    rng = np.random.default_rng(0)
    made = []
    for _ in range(64):
        data = rng.standard_normal((2 * n_samples, len(channels)))
        wave = Waveform(data, 100.0, UTCDateTime(0), channels, "XX.A..HH")
        p = rng.uniform(0.6, 1.0) * n_samples
        made.append(LabelledWaveform(wave, {"P": (p,), "S": (p + 0.2 * n_samples,)}))
    return made


def rate_of(
    step: Callable[[int], Any],
    n_batches: int,
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Windows per second, by a clock, of the best of several rounds."""
    step(0)
    best = np.inf
    for round_number in range(rounds):
        begin = clock()
        for number in range(n_batches):
            step(1 + round_number * n_batches + number)
        best = min(best, clock() - begin)
    return BATCH * n_batches / best


def trained(channels: tuple[str, ...]) -> Any:
    from phasenet_keras import PhaseNet
    from phasenet_keras.models.config import PhaseNetConfig
    from phasenet_keras.models.loss import MaskedCrossEntropy
    from phasenet_keras.training.freezing import StageAdam, build_optimizer

    net = PhaseNet(PhaseNetConfig(channels=channels))
    net.compile(StageAdam(1e-3), MaskedCrossEntropy(len(PHASES)), jit_compile=False)
    build_optimizer(net)
    return net


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=20, help="batches of 32 in a round")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with quiet_start():
        import phasenet_keras.models.phasenet  # noqa: F401
    print(f"Full augmentation:\n\n{recipe(FULL)}\n")
    print("| window | augmentation | made / CPU s | trained / s | made and trained / s |")
    print("|---|---|---|---|---|")
    for n_samples, channels in CASES:
        source = records(n_samples, channels)
        net = trained(channels)
        for name, steps in (("none", ()), ("full", FULL)):
            maker = ExampleMaker(source, channels, PHASES, n_samples, steps=steps)
            x, y = maker.batch(0, range(BATCH))

            def make(number: int, maker: ExampleMaker = maker) -> tuple[np.ndarray, np.ndarray]:
                return maker.batch(number, range(BATCH))

            def both(number: int, make: Any = make, net: Any = net) -> None:
                net.train_on_batch(*make(number))

            def train(number: int, x: Any = x, y: Any = y, net: Any = net) -> None:
                net.train_on_batch(x, y)

            n_batches, rounds = arguments.batches, arguments.rounds
            rates = [rate_of(make, n_batches, rounds, time.process_time)]
            rates += [rate_of(do, n_batches, rounds) for do in (train, both)]
            numbers = " | ".join(f"{rate:.0f}" for rate in rates)
            print(f"| {n_samples} x {len(channels)} | {name} | {numbers} |", flush=True)


if __name__ == "__main__":
    main()
