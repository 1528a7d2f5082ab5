"""Our side of `continuous.py`, a process for each contender and engine.

Each line on standard input is answered with a line of JSON: CPU and wall seconds, memory, picks.

    python benchmarks/continuous_ours.py day.mseed ncedc ours litert
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from obspy import Stream, Trace

sys.path.insert(0, str(Path(__file__).parent))
from continuous_day import RATE_HZ

THRESHOLD, MIN_DISTANCE_SAMPLES = 0.3, 50
MATRIX = 2048

Answer = dict[str, Any]


def serve(path: Path, preset: str, name: str, engine: str) -> None:
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


if __name__ == "__main__":
    serve(Path(sys.argv[1]), *sys.argv[2:])
