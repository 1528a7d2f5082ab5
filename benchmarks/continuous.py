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
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from obspy import Stream, Trace

sys.path.insert(0, str(Path(__file__).parent))
from continuous_day import RATE_HZ, TOLERANCES_S, build_day, recall

THRESHOLD, MIN_DISTANCE_SAMPLES = 0.3, 50
FLOP_A_SAMPLE = 12_928
MATRIX = 2048

Answer = dict[str, Any]


# -- what a process of its own does ---------------------------------------------------------------


def serve(name: str, path: Path, preset: str, engine: str) -> None:
    """Answer each line on standard input with a line of JSON, until there are no more."""
    makers = {"ours": ours, "stages": stages, "chunks": chunks_of_official_length}
    makers |= {"official": partial(whole, is_padded=False), "whole": partial(whole, is_padded=True)}
    do = makers[name](path, preset, engine)
    print("ready", flush=True)
    for _ in sys.stdin:
        cpu, wall = time.process_time(), time.perf_counter()
        answer = do()
        answer |= {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        answer["rss_mb"] = peak_mb()
        print(json.dumps(answer), flush=True)


def peak_mb() -> float:
    """Return the most memory of this program; `getrusage` begins with what its parent had."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024


def ours(path: Path, preset: str, engine: str) -> Any:
    """As the command line does it, parts of picks included."""
    from phasenet_keras import Picker
    from phasenet_keras.io.tables import write_picks
    from phasenet_keras.picking.archive import pick_archive
    from phasenet_keras.picking.parts import PartFolder

    picker = Picker.from_preset(preset, engine=engine)
    picker.pick(_short())

    def do() -> Answer:
        with tempfile.TemporaryDirectory() as folder:
            parts = PartFolder(Path(folder) / "parts")
            for _ in pick_archive(picker, [path], parts):
                pass
            picks = parts.picks()
            write_picks(picks, Path(folder) / "picks.csv")
        return {"picks": [(pick.phase, pick.sample / RATE_HZ) for pick in picks]}

    return do


def whole(path: Path, preset: str, engine: str, is_padded: bool) -> Any:
    """The record in one piece through the network as it is.

    Padded to a length congruent to the training window, as ours is, or as the official program
    does it. At another length modulo 256 another sample of each four is kept at each stride.
    """
    from phasenet_keras import PhaseNet, read_waveforms
    from phasenet_keras.data.preprocess import normalize_record
    from phasenet_keras.data.windows import pad_to, padded_length
    from phasenet_keras.models.inference import compile_forward
    from phasenet_keras.picking.peaks import detect_peaks

    net = PhaseNet.from_preset(preset)
    forward = compile_forward(net, follow=True)
    forward(np.zeros((1, 3000, 3), np.float32))

    def do() -> Answer:
        [wave] = read_waveforms(path)
        x, _ = normalize_record(wave.data, net.preset.window_samples)
        if is_padded:
            n_padded = padded_length(len(x), net.preset.window_samples, net.config.grid_samples)
            x = pad_to(x, n_padded)
        y = forward(x[None])[0]
        found = []
        for column, phase in ((1, "P"), (2, "S")):
            peaks = detect_peaks(y[:, column], mph=THRESHOLD, mpd=MIN_DISTANCE_SAMPLES)
            found += [(phase, sample / RATE_HZ) for sample in peaks.tolist()]
        return {"picks": found}

    return do


def chunks_of_official_length(path: Path, preset: str, engine: str) -> Any:
    """As ours, but the record is not padded: the official picks, where its length is 256 k."""
    from dataclasses import replace

    from phasenet_keras import Picker, read_waveforms
    from phasenet_keras.data.preprocess import normalize_record
    from phasenet_keras.models.inference import load_network
    from phasenet_keras.picking.peaks import PeakFinder
    from phasenet_keras.picking.stream_state import ChunkRunner

    net = load_network(preset, engine)
    window, grid = net.preset.window_samples, net.config.grid_samples
    at_grid = replace(net.preset, window_samples=-(-window // grid) * grid)
    settings = Picker(net, preset=at_grid, engine=engine).stream_settings(RATE_HZ)

    def do() -> Answer:
        [wave] = read_waveforms(path)
        x, _ = normalize_record(wave.data, window)
        runner = ChunkRunner(settings)
        y = np.concatenate([runner.feed(x), runner.finish()])
        found = []
        for column, phase in ((1, "P"), (2, "S")):
            finder = PeakFinder(THRESHOLD, MIN_DISTANCE_SAMPLES)
            peaks = [*finder.feed(y[:, column]), *finder.finish()]
            found += [(phase, sample / RATE_HZ) for sample, _ in peaks]
        return {"picks": found}

    return do


def stages(path: Path, preset: str, engine: str) -> Any:
    """Each stage alone, and the matrix product; CPU seconds, and wall seconds of the last two."""
    import tensorflow as tf

    from phasenet_keras import Picker
    from phasenet_keras.data.moving import MovingNormalizer
    from phasenet_keras.picking.peaks import PeakFinder

    def normalized(parts: list[np.ndarray]) -> Iterator[np.ndarray]:
        moving = MovingNormalizer(settings.window_samples, 3)
        for part in parts:
            yield moving.feed(part)
        yield moving.finish()

    picker = Picker.from_preset(preset, engine=engine)
    settings = picker.stream_settings(RATE_HZ)
    picker.pick(_short())
    # As long as what a full chunk is fed with.
    n_chunk = settings.chunk_samples + settings.window_samples % settings.config.grid_samples
    matrix = tf.random.normal((MATRIX, MATRIX))

    def do() -> Answer:
        seconds: Answer = {}
        pieces = _timed(seconds, "read", lambda: [np.asarray(x) for x in _pieces(path)])
        step = settings.chunk_samples
        slices = [x[i : i + step] for x in pieces for i in range(0, len(x), step)]
        # What is normalised is let go at once, as it is when a record is picked.
        _timed(seconds, "normalise", lambda: sum(len(x) for x in normalized(slices)))
        record = np.concatenate([*normalized(slices)])
        chunks = [record[None, i : i + n_chunk] for i in range(0, len(record) - n_chunk, n_chunk)]
        y = _timed(
            seconds, "network", lambda: [f.result() for f in [*map(settings.submit, chunks)]]
        )
        scale = len(record) / (len(chunks) * n_chunk)
        seconds["network"], seconds["network_wall"] = (
            value * scale for value in (seconds["network"], seconds["network_wall"])
        )

        def search() -> None:
            for column, threshold in settings.thresholds.items():
                finder = PeakFinder(threshold, settings.mpd)
                for part in y:
                    finder.feed(part[0, :, column])
                finder.finish()

        _timed(seconds, "peaks", search)
        for _ in range(3):  # the first one starts threads
            _timed(seconds, "matrix", lambda: [tf.linalg.matmul(matrix, matrix) for _ in range(20)])
        return seconds | {"samples": len(record)}

    return do


def _timed(seconds: Answer, name: str, do: Any) -> Any:
    cpu, wall = time.process_time(), time.perf_counter()
    result = do()
    seconds[name] = time.process_time() - cpu
    seconds[f"{name}_wall"] = time.perf_counter() - wall
    return result


def _pieces(path: Path) -> Iterator[np.ndarray]:
    from phasenet_keras.io.assembly import Assembler
    from phasenet_keras.io.blocks import blocks_of, read_block

    blocks = sorted((block for block, _ in blocks_of(path)), key=lambda b: (b.start, b.offset))
    assembler = Assembler("")
    for block, after in zip(blocks, [*blocks[1:], None], strict=True):
        pairs = [(trace, trace.stats.channel[-1]) for trace in read_block(block)]
        for piece in assembler.feed(pairs, after.start if after else None):
            yield piece.data
    for piece in assembler.finish():
        yield piece.data


def _short() -> Stream:
    noise = np.random.default_rng(0).standard_normal(60_000)
    header = {"station": "A", "sampling_rate": float(RATE_HZ)}
    return Stream([Trace(noise, {**header, "channel": f"HH{c}"}) for c in "ENZ"])


# -- taking turns ---------------------------------------------------------------------------------


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
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--engine", default="keras", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve, arguments.data, arguments.preset, arguments.engine)
        return
    with tempfile.TemporaryDirectory() as folder:
        day = Path(folder) / "day.mseed"
        arrivals = build_day(arguments.data, arguments.hours, day)
        print(f"{arguments.hours:g} h, {day.stat().st_size / 1e6:.0f} MB, {len(arrivals)} arrivals")
        run(arguments, day, arrivals)


def run(arguments: argparse.Namespace, day: Path, arrivals: list[tuple[str, float]]) -> None:
    """Measure and print."""
    me = [sys.executable, __file__, str(day), "--preset", arguments.preset, "--serve"]
    engines = ["keras"] + ["litert"] * (find_spec("ai_edge_litert") is not None)
    contenders, alone = (
        [Contender(f"{label}{engine}", [*me, name, "--engine", engine]) for engine in engines]
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
            references.append(Contender(label, [*me, name]))
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
