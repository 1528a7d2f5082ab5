"""SeisBench's side of `continuous.py`, run by a Python that has SeisBench and PyTorch.

The official architecture with the weights that `continuous.py` hands over. A line
of JSON on standard input names a batch size and an overlap; a line of JSON comes back.

    python benchmarks/continuous_peer.py day.mseed weights.npz
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

import numpy as np
import obspy
import seisbench.models as sbm
import torch

STEPS_DOWN, DEPTH = 4, 5


def official(weights: dict[str, np.ndarray]) -> sbm.PhaseNet:
    """SeisBench's PhaseNet with our arrays: kernels turned round, channels Z, N, E."""
    model = sbm.PhaseNet(phases="NPS")
    state = {}

    def conv(ours: str, theirs: str) -> None:
        state[f"{theirs}.weight"] = weights[f"{ours}/kernel"].transpose(2, 1, 0)
        if f"{ours}/bias" in weights:
            state[f"{theirs}.bias"] = weights[f"{ours}/bias"]

    def norm(ours: str, theirs: str) -> None:
        names = {"gamma": "weight", "beta": "bias"}
        names |= {"moving_mean": "running_mean", "moving_variance": "running_var"}
        for name, other in names.items():
            state[f"{theirs}.{other}"] = weights[f"{ours}/{name}"]

    conv("input_conv", "inc")
    state["inc.weight"] = state["inc.weight"][:, ::-1]
    norm("input_bn", "in_bn")
    for level in range(DEPTH):
        conv(f"down{level}_conv", f"down_branch.{level}.0")
        norm(f"down{level}_bn", f"down_branch.{level}.1")
        if level < STEPS_DOWN:
            conv(f"down{level}_stride", f"down_branch.{level}.2")
            norm(f"down{level}_stride_bn", f"down_branch.{level}.3")
            number = STEPS_DOWN - 1 - level
            conv(f"up{level}_transpose", f"up_branch.{number}.0")
            norm(f"up{level}_transpose_bn", f"up_branch.{number}.1")
            conv(f"up{level}_conv", f"up_branch.{number}.2")
            norm(f"up{level}_bn", f"up_branch.{number}.3")
    conv("output_conv", "out")
    tensors = {name: torch.from_numpy(array.copy()) for name, array in state.items()}
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    if unexpected or any("num_batches_tracked" not in name for name in missing):
        raise SystemExit(f"weights do not fit: {missing}, {unexpected}")
    return model.eval()


def peak_mb() -> float:
    """Return the most memory of this program; `getrusage` begins with what its parent had."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024


def main() -> None:
    path, weights = sys.argv[1:3]
    with np.load(weights) as file:
        model = official(dict(file))
    begin = obspy.read(path, headonly=True)[0].stats.starttime
    model.classify(obspy.read(path, endtime=begin + 600))
    print("ready", flush=True)
    for line in sys.stdin:
        options = json.loads(line)
        cpu, wall = time.process_time(), time.perf_counter()
        picks = model.classify(obspy.read(path), **options).picks
        used = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        used["rss_mb"] = peak_mb()
        found = [(pick.phase, pick.peak_time - begin) for pick in picks]
        print(json.dumps(used | {"picks": found}), flush=True)


if __name__ == "__main__":
    main()
