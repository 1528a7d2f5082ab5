"""Windows a second in training: ours beside SeisBench's PhaseNet in PyTorch, taking turns.

The same batch (32 windows of 3000 samples, three channels), the same loss (cross entropy) and
optimizer (Adam), float32, all cores; data that are there already, so that no pipeline counts.
Prints each turn, medians and the ratio.

    python benchmarks/training.py --peer-python /path/to/python --turns 5
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np

BATCH, N_SAMPLES, N_CHANNELS = 32, 3000, 3


def batch() -> tuple[np.ndarray, np.ndarray]:
    """Return a batch ``(32, 3000, 3)`` of noise and of class probabilities."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((BATCH, N_SAMPLES, N_CHANNELS)).astype("float32")
    y = rng.dirichlet((8.0, 1.0, 1.0), (BATCH, N_SAMPLES)).astype("float32")
    return x, y


def our_step() -> Callable[[], object]:
    from phasenet_keras import PhaseNet
    from phasenet_keras.models.loss import MaskedCrossEntropy
    from phasenet_keras.quiet import quiet_start
    from phasenet_keras.training.freezing import StageAdam

    x, y = batch()
    y = np.concatenate([y, np.ones_like(y)], axis=-1)  # which phases are known: all
    with quiet_start():
        net = PhaseNet()
        net.compile(StageAdam(1e-3), MaskedCrossEntropy(3), jit_compile=False)
    return lambda: net.train_on_batch(x, y)


def peer_step() -> Callable[[], object]:
    import seisbench.models as sbm
    import torch

    x, y = (torch.from_numpy(array.transpose(0, 2, 1).copy()) for array in batch())
    model = sbm.PhaseNet(phases="NPS").train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step() -> float:
        optimizer.zero_grad()
        loss = -(y * torch.log(model(x) + 1e-5)).sum(1).mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def serve(step: Callable[[], object]) -> None:
    """Time so many seconds of steps for each line of standard input."""
    for _ in range(5):
        step()
    print("ready", flush=True)
    for line in sys.stdin:
        seconds, n_steps, begin = float(line), 0, time.perf_counter()
        cpu = time.process_time()
        while time.perf_counter() - begin < seconds:
            step()
            n_steps += 1
        wall, cpu = time.perf_counter() - begin, time.process_time() - cpu
        print(json.dumps([BATCH * n_steps / wall, BATCH * n_steps / cpu]), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer-python", help="a Python with SeisBench and PyTorch")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0, help="of a turn")
    parser.add_argument("--serve", choices=("ours", "peer"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(our_step() if given.serve == "ours" else peer_step())
        return
    pythons = {"ours": sys.executable}
    if given.peer_python:
        pythons["peer"] = given.peer_python
    running = {
        name: subprocess.Popen(
            [python, __file__, "--serve", name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        for name, python in pythons.items()
    }  # fmt: skip
    for process in running.values():
        assert process.stdout.readline() == "ready\n"
    rates: dict[str, list[list[float]]] = {name: [] for name in running}
    for _ in range(given.turns):
        for name, process in running.items():
            process.stdin.write(f"{given.seconds}\n")
            process.stdin.flush()
            rates[name].append(json.loads(process.stdout.readline()))
    for process in running.values():
        process.stdin.close()
        process.wait()
    print("| what | windows a second, by turn | median | windows a CPU second, median |")
    print("|---|---|---|---|")
    for name, turns in rates.items():
        walls, cpus = zip(*turns, strict=True)
        listed = " ".join(f"{value:.0f}" for value in walls)
        print(f"| {name} | {listed} | {median(walls):.0f} | {median(cpus):.0f} |")
    if "peer" in rates:
        pairs = zip(rates["ours"], rates["peer"], strict=True)
        ratios = sorted(ours[0] / peer[0] for ours, peer in pairs)
        print(f"\nours / peer: {median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
