"""How fast are continuous records picked, beside SeisBench with the same weights?

Builds a three-component day at 100 Hz: noise with the labelled records of the shared data put in
at known times, each as loud as its own noise is to the day's. Prints Markdown tables: CPU and wall
seconds from miniSEED to picks, peak resident memory, recall of the inserted arrivals; CPU seconds
by stage, each alone; the network's GFLOP/s against the machine's matrix product; with Keras, and
with LiteRT where it is installed. The contenders
have a process each and take turns, so that a machine that is busy is so for all of them; ratios
are of one turn, and their median counts. Starting up (imports, one short record) is not counted.

    pip install torch --index-url https://download.pytorch.org/whl/cpu && pip install '.[bench]'
    python benchmarks/continuous.py ../shared/data --peer-python /path/to/python --runs 5
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from continuous_day import RATE_HZ, TOLERANCES_S, build_day, recall
from continuous_ours import MATRIX, Answer

FLOP_A_SAMPLE = 12_928


class Contender:
    """A process that is asked for one run at a time."""

    def __init__(self, name: str, command: list[str], options: Answer | None = None) -> None:
        self.name, self._options = name, options or {}
        self.answers: list[Answer] = []
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
        )
        self._line("ready")

    def run(self, **options: Any) -> Answer:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(self._options | options) + "\n")
        self._process.stdin.flush()
        self.answers.append(json.loads(self._line("{")))
        return self.answers[-1]

    def median(self, name: str) -> float:
        return float(np.median([answer[name] for answer in self.answers]))

    def close(self) -> None:
        self._process.communicate()

    def _line(self, begins: str) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(begins):
                return line
        raise SystemExit(f"{self.name} has ended: run {' '.join(map(str, self._process.args))}")


def table(
    contenders: list[Contender], ours: list[Contender], arrivals: list[tuple[str, float]]
) -> None:
    tolerances = " / ".join(f"{value:g}" for value in TOLERANCES_S)
    columns = [
        "pipeline",
        "CPU s",
        *(f"times {item.name}" for item in ours),
        "wall s",
        "peak MB",
        f"recall P, S within {tolerances} s",
    ]
    print(f"\n| {' | '.join(columns)} |")
    print("|---" * len(columns) + "|")
    for item in contenders:
        ratios = []
        for one in ours:
            pairs = zip(item.answers, one.answers, strict=False)
            ratios.append(float(np.median([a["cpu"] / b["cpu"] for a, b in pairs])))
        picks = [tuple(pick) for pick in item.answers[-1]["picks"]]
        cells = [
            item.name,
            f"{item.median('cpu'):.2f}",
            *(f"{ratio:.2f}" for ratio in ratios),
            f"{item.median('wall'):.2f}",
            f"{item.median('rss_mb'):.0f}",
            ", ".join(recall(picks, arrivals, phase) for phase in "PS"),
        ]
        print(f"| {' | '.join(cells)} |")


def compare_picks(one: Contender, other: Contender) -> None:
    """Say how many picks of another contender one has too, within some samples."""
    for phase in "PS":
        a, b = (
            np.array([round(t * RATE_HZ) for of, t in item.answers[-1]["picks"] if of == phase])
            for item in (one, other)
        )
        if a.size and b.size:
            near = np.abs(a[:, None] - b).min(axis=0)
            shares = ", ".join(f"{(near <= n).sum()} within {n}" for n in (0, 1, 3))
            print(f"{phase}: of the {len(b)} of '{other.name}', '{one.name}' has {shares} samples")


def stage_table(item: Contender) -> None:
    print(f"\n{item.name}")
    gflop = FLOP_A_SAMPLE * item.answers[0]["samples"] / 1e9
    product = 20 * 2 * MATRIX**3 / 1e9
    print("| stage, alone | CPU s | wall s |\n|---|---|---|")
    for name in ("read", "normalise", "network", "peaks"):
        print(f"| {name} | {item.median(name):.3f} | {item.median(f'{name}_wall'):.3f} |")
    print("\n| | GFLOP / CPU s | GFLOP/s |\n|---|---|---|")
    for name, flop in (("network", gflop), ("matrix", product)):
        rates = [flop / item.median(clock) for clock in (name, f"{name}_wall")]
        print(f"| {name} | {rates[0]:.0f} | {rates[1]:.0f} |")
    for clock in ("", "_wall"):
        shares = [
            a[f"matrix{clock}"] / product / (a[f"network{clock}"] / gflop) for a in item.answers
        ]
        print(f"network / matrix product, {clock[1:] or 'cpu'}: {np.median(shares):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="the shared data folder")
    parser.add_argument("--preset", default="ncedc", help="name or folder")
    parser.add_argument("--peer-python", help="a Python with SeisBench; without one, ours alone")
    parser.add_argument("--batches", type=int, nargs="*", default=[32, 64, 128])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument(
        "--whole", action="store_true", help="also the record in one piece, once (4 GB)"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        day = Path(folder) / "day.mseed"
        arrivals = build_day(arguments.data, arguments.hours, day)
        print(f"{arguments.hours:g} h, {day.stat().st_size / 1e6:.0f} MB, {len(arrivals)} arrivals")
        run(arguments, day, arrivals)


def run(arguments: argparse.Namespace, day: Path, arrivals: list[tuple[str, float]]) -> None:
    """Measure and print."""
    me = [sys.executable, str(Path(__file__).with_name("continuous_ours.py")), str(day)]
    me += [arguments.preset]
    engines = ["keras"] + ["litert"] * (find_spec("ai_edge_litert") is not None)
    contenders, alone = (
        [Contender(f"{label}{engine}", [*me, name, engine]) for engine in engines]
        for label, name in (("ours, ", "ours"), ("stages of ", "stages"))
    )
    if arguments.peer_python:
        contenders += peers(arguments, day)
    for _ in range(arguments.runs):
        for contender in [*contenders, *alone]:
            contender.run()
    for contender in alone:
        contender.close()
    references = []
    if arguments.whole:
        for name, label in (
            ("chunks", "chunks, not padded"),
            ("official", "in one piece, not padded"),
            ("whole", "in one piece, padded as ours"),
        ):
            references.append(Contender(label, [*me, name, "keras"]))
            references[-1].run()
            references[-1].close()  # 4 GB
    table([*contenders, *references], contenders[: len(engines)], arrivals)
    if references:
        compare_picks(references[0], references[1])
        compare_picks(contenders[0], references[1])
        compare_picks(contenders[0], references[2])
    for stages_of in alone:
        stage_table(stages_of)
    for contender in contenders:
        contender.close()


def peers(arguments: argparse.Namespace, day: Path) -> list[Contender]:
    """Start SeisBench: by default, with its best batch, and that without overlap."""
    from phasenet_keras.models.presets import load_preset

    weights = day.with_name("weights.npz")
    np.savez(weights, **load_preset(arguments.preset)[1])
    script = str(Path(__file__).with_name("continuous_peer.py"))
    command = [arguments.peer_python, script, str(day), str(weights)]
    trial = Contender("trial", command)
    best = min(arguments.batches, key=lambda size: trial.run(batch_size=size)["cpu"])
    trial.close()
    return [
        Contender("SeisBench, as it comes", command),
        Contender(f"SeisBench, batch {best}", command, {"batch_size": best}),
        Contender(
            f"SeisBench, batch {best}, overlap 0", command, {"batch_size": best, "overlap": 0}
        ),
    ]


if __name__ == "__main__":
    main()
