"""Does self-training help on simulated gathers? Prints Markdown tables.

Labels of two SPECFEM2D models train a network; all other training models are without labels. F1 on
the test split before, after each round, and with the true labels of all; how good the pseudo labels
are; and how much of the gap is closed.

    python benchmarks/selftraining.py --data ../shared/data --output selftraining/
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import replace
from pathlib import Path

import h5py
import keras
import numpy as np
import pandas as pd
from obspy import UTCDateTime

from phasenet_keras import PhaseNet, Picker, Preset
from phasenet_keras.training.config import read_config
from phasenet_keras.training.evaluate import evaluate, markdown_table
from phasenet_keras.training.pseudo_records import GatherTrace
from phasenet_keras.training.pseudolabels import signed_offsets
from phasenet_keras.training.selftrain import self_train
from phasenet_keras.training.train import train
from phasenet_keras.types import LabelledWaveform, Waveform

RATE_HZ = 2000.0
SPLITS = ("train", "dev", "test")


def traces_of(folder: Path, name: str, noise: float, seed: int) -> list[tuple[str, GatherTrace]]:
    """Return model and trace of every record of a file; noise is a part of a trace's peak."""
    rng = np.random.default_rng(seed)
    found = []
    with h5py.File(folder / f"specfem2d/specfem2d_{name}.h5") as file:
        get = {k: file[k][:] for k in file if file[k].ndim == 1}
        models = file.attrs["model_names"].split(",")
        gathers = get["model_id"] * 10 + get["source"]
        for gather in np.unique(gathers):
            rows = np.flatnonzero(gathers == gather)
            rows = rows[np.argsort(get["receiver"][rows])]
            at = [
                np.stack([get[f"{k}_x"], 0 * get[f"{k}_z"], get[f"{k}_z"]], 1)[rows]
                for k in ("source", "receiver")
            ]
            offsets = signed_offsets(at[0][0], at[1])
            model = models[get["model_id"][rows[0]]]
            for row, offset in zip(rows, offsets, strict=True):
                data = file["data"][row]
                data = data + noise * np.abs(data).max() * rng.standard_normal(data.shape)
                shot, receiver = f"{model}_{get['source'][row]}", str(get["receiver"][row])
                wave = Waveform(data, RATE_HZ, UTCDateTime(0), ("E", "Z"), f"R{receiver}")
                arrivals = {p: (float(get[f"{p.lower()}_index"][row]),) for p in "PS"}
                record = LabelledWaveform(
                    wave,
                    arrivals,
                    name=f"{shot}_{receiver}",
                    event=model,
                    gather=shot,
                    split=SPLITS[int(get["split"][row])],
                )
                found.append((model, GatherTrace(shot, receiver, float(offset), record)))
    return found


def some_gathers(records: list[LabelledWaveform], every: int) -> list[LabelledWaveform]:
    taken = sorted({record.gather for record in records})[::every]
    return [record for record in records if record.gather in taken]


def new_parent(args: argparse.Namespace, window: int) -> PhaseNet:
    if args.preset:
        return PhaseNet.from_preset(args.preset, channels=("E", "Z"), rebalance=True)
    keras.utils.set_random_seed(args.seed)
    net = PhaseNet(channels=("E", "Z"))
    preset = Preset(
        name="untrained", config=net.config, sampling_rate=RATE_HZ, window_samples=window
    )
    return net.with_preset(preset)


def quality(folder: Path, traces: list[GatherTrace], least: float) -> None:
    """Print how far pseudo labels are from the true ones."""
    print("\n## Pseudo labels against the true labels\n")
    print("| round | phase | chosen of all | median (samples) | within 3 | within 10 | picks: 10 |")
    print("|---|---|---|---|---|---|---|")
    for path in sorted(folder.glob("round_*/pseudo_labels.csv")):
        table = pd.read_csv(path)
        for phase, rows in table.groupby("phase"):
            true = np.array([traces[n].record.arrivals[phase][0] for n in rows["trace"]])
            chosen = (rows["weight"] >= least).to_numpy()
            away = np.abs(rows["corrected_sample"].to_numpy() - true)[chosen]
            raw = np.abs(rows["sample"].to_numpy() - true)
            median = float(np.median(away)) if away.size else math.nan
            near = [float(np.mean(away <= n)) if away.size else math.nan for n in (3, 10)]
            print(
                f"| {path.parent.name[6:]} | {phase} | {chosen.sum()} of {len(true)} "
                f"| {median:.1f} | {near[0]:.3f} | {near[1]:.3f} | {np.mean(raw <= 10):.3f} |"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--preset", help="parent of the labelled run (default: from scratch)")
    parser.add_argument("--config", type=Path, help="training configuration")
    parser.add_argument("--models", type=int, default=2, help="with labels")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--noise", type=float, default=0.05, help="part of a trace's peak")
    parser.add_argument(
        "--every",
        type=int,
        default=1,
        help="for a quick look: every n-th other model, and gather to validate and test on",
    )
    parser.add_argument("--files", default="flat,topo")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    config = replace(read_config(args.config), refit=False, seed=args.seed)
    found = [
        item
        for n, name in enumerate(args.files.split(","))
        for item in traces_of(args.data, name, args.noise, args.seed + n)
    ]
    of = {s: [i for i in found if i[1].record.split == s] for s in SPLITS}
    models = sorted({model for model, _ in of["train"]})
    order = np.random.default_rng(args.seed).permutation(len(models))
    known = {models[n] for n in order[: args.models]}
    others = {models[n] for n in order[args.models :: args.every]}
    train_records = [t.record for model, t in of["train"] if model in known]
    unlabelled = [t for model, t in of["train"] if model in others]
    dev, test = (some_gathers([t.record for _, t in of[s]], args.every) for s in ("dev", "test"))
    print(
        f"labels of {', '.join(sorted(known))}: {len(train_records)} records; without labels: "
        f"{len(others)} models, {len(unlabelled)} records; {len(dev)} to validate, {len(test)} to "
        f"test; noise {args.noise:g} of the peak, tolerance {config.tolerance_samples:g} samples"
    )
    window = config.settled([*train_records, *dev]).window_samples
    strategy = "finetune" if args.preset else "scratch"
    base = new_parent(args, window)
    began = time.perf_counter()
    parent = train(
        base, train_records, dev, args.output / "labelled", strategy=strategy, config=config
    ).net
    result = self_train(
        parent,
        [*train_records, *dev, *test],
        unlabelled,
        args.output / "rounds",
        rounds=args.rounds,
        config=config,
    )
    everything = [*train_records, *(t.record for t in unlabelled)]
    full = train(base, everything, dev, args.output / "all", strategy=strategy, config=config).net
    scores = {item.name: item.scores for item in result.rounds}
    picker = Picker(full, sampling="reinterpret")
    top = evaluate(picker, test, tolerance_samples=config.tolerance_samples)
    print(f"\n## F1 on the test split, {time.perf_counter() - began:.0f} s\n")
    print(markdown_table({**scores, "true labels of all": top}))
    print(f"{result.verdict}\n")
    print("| phase | before | best round | true labels of all | part of the gap closed |")
    print("|---|---|---|---|---|")
    for phase, score in top.items():
        first, best = (result.rounds[n].scores[phase].f1 for n in (0, result.best))
        gap = score.f1 - first
        closed = f"{(best - first) / gap:.0%}" if gap > 0 else "no gap"
        print(f"| {phase} | {first:.3f} | {best:.3f} | {score.f1:.3f} | {closed} |")
    quality(args.output / "rounds", unlabelled, 0.3)


if __name__ == "__main__":
    main()
