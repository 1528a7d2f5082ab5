"""Do memory and time grow with the length of an archive, with its gaps, and with workers?

Each question is an option; each run of the command line has a process of its own, and every answer
is a Markdown table. Records are noise in miniSEED, made in a temporary folder and removed.

    python benchmarks/archive.py --days 1 3 10 30 --gigabytes 3 --runs 3    # writes 5 GB
    python benchmarks/archive.py --gaps 144 --runs 5
    python benchmarks/archive.py --workers 2 --runs 3    # only where nothing else runs

Long files are the same day over and over, its records' times moved on. Memory is that of the
command line. Time a day is that of a running process, in which an hour was picked before: of the
command line's, starting up is three quarters at one day, and varies by as much as a day takes.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

RECORD_BYTES = 4096
RATE_HZ = 100
DAY_SAMPLES = 86_400 * RATE_HZ
SHORT_DAYS = 10 / 1440
# Longer than one piece that the network is given: all that a run makes once is made in it.
HOUR_DAYS = 1 / 24
GAP_SAMPLES = 50


class Network(NamedTuple):
    """What picks: a preset by name or folder, and the engine that runs it."""

    preset: str
    engine: str

    @property
    def options(self) -> list[str]:
        """As options of the command line."""
        return ["--preset", self.preset, "--engine", self.engine]


class Used(NamedTuple):
    """What a run took: peak resident memory, CPU and wall time."""

    memory_mb: float
    cpu_s: float
    wall_s: float


def write_days(path: Path, n_days: float, station: str = "AA", gaps: int = 0) -> None:
    """Write a day at a time: three channels one after the other, as a data centre's day files.

    Args:
        path: of the file.
        n_days: its length.
        station: its code.
        gaps: of half a second, evenly spread over each day.
    """
    from obspy import Stream, Trace, UTCDateTime

    rng = np.random.default_rng(0)
    start = UTCDateTime("2024-01-01")
    n_samples = round(min(1.0, n_days) * DAY_SAMPLES)
    noise = {c: (rng.standard_normal(n_samples) * 300).astype("int32") for c in "ENZ"}
    edges = np.linspace(0, n_samples, gaps + 2).astype(int)
    with path.open("wb") as file:
        for day in range(max(1, round(n_days))):
            traces = []
            for c in "ENZ":
                for number, (low, high) in enumerate(pairwise(edges)):
                    begin = int(low) + GAP_SAMPLES * (number > 0)
                    header = {"network": "XX", "station": station, "channel": f"HH{c}"}
                    header |= {"sampling_rate": float(RATE_HZ)}
                    header |= {"starttime": start + day * 86_400.0 + begin / RATE_HZ}
                    traces.append(Trace(noise[c][begin:high], header))
            Stream(traces).write(file, format="MSEED", reclen=RECORD_BYTES, encoding="STEIM2")


def pick(paths: list[Path], network: Network, *options: str, core: int | None = None) -> Used:
    """Run the command line on files.

    Args:
        paths: of the files; the picks go beside the first.
        network: that picks.
        options: more of them.
        core: the only one that may be used.
    """
    output = paths[0].with_suffix(".csv")
    command = ["pick", *map(str, paths), *network.options, "--output", str(output), *options]
    code = (
        "import sys\nfrom phasenet_keras.cli import main\nif __name__ == '__main__':\n"
        f"    code = main({command!r})\n"
        # Of this program alone: `getrusage` begins with what its parent had.
        "    lines = open('/proc/self/status').read().splitlines()\n"
        "    [most] = [line.split()[1] for line in lines if line.startswith('VmHWM')]\n"
        "    print(most, file=sys.stderr)\n"
        "    sys.exit(code)"
    )
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),
    )
    if result.returncode:
        raise SystemExit(result.stdout + result.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Used(int(result.stderr.split()[-1]) / 1024, cpu, time.perf_counter() - wall)


class Running:
    """A process that picks one file after the other.

    Args:
        network: that picks.
        warm_up: a file, for all that is made once.
    """

    def __init__(self, network: Network, warm_up: Path) -> None:
        from phasenet_keras import Picker

        self._picker = Picker.from_preset(network.preset, engine=network.engine)
        self.cpu_s(warm_up)

    def cpu_s(self, path: Path) -> float:
        """Return what a file takes, from reading it to the parts of picks."""
        from phasenet_keras.picking.archive import pick_archive
        from phasenet_keras.picking.parts import PartFolder

        begin = time.process_time()
        with tempfile.TemporaryDirectory() as parts:
            for _ in pick_archive(self._picker, [path], PartFolder(Path(parts) / "parts")):
                pass
        return time.process_time() - begin


def growth(folder: Path, network: Network, days: list[int], gigabytes: float, runs: int) -> None:
    """Print memory and time by length; medians of turns."""
    paths = {n_days: folder / f"{n_days:.2f}-days.mseed" for n_days in (HOUR_DAYS, *days)}
    for n_days, path in paths.items():
        write_days(path, n_days)
    if gigabytes:
        day_bytes = paths[days[0]].stat().st_size / days[0]
        n_days = round(gigabytes * 1e9 / day_bytes)
        paths[n_days] = folder / "large.mseed"
        write_days(paths[n_days], n_days)
    hour = paths.pop(HOUR_DAYS)
    running = Running(network, hour)
    # Medians of turns in which each length has its own: other work slows all of them alike.
    start = [pick([hour], network) for _ in range(runs)]
    turns = [
        {n_days: (pick([path], network), running.cpu_s(path)) for n_days, path in paths.items()}
        for _ in range(runs)
    ]
    print(
        f"Starting up, with an hour of record: {middle(u.cpu_s for u in start):.1f} CPU s, "
        f"{middle(u.wall_s for u in start):.1f} s, {middle(u.memory_mb for u in start):.0f} MB\n"
    )
    print("| record | file MB | peak memory MB | CPU s a day | whole command, CPU s |")
    print("|---|---|---|---|---|")
    for n_days, path in paths.items():
        commands, seconds = zip(*(turn[n_days] for turn in turns), strict=True)
        memory, whole = (middle(column) for column in list(zip(*commands, strict=True))[:2])
        cpu_s, size = middle(seconds) / n_days, path.stat().st_size / 1e6
        print(f"| {n_days} days | {size:.0f} | {memory:.0f} | {cpu_s:.3f} | {whole:.1f} |")


def middle(values: Iterable[float]) -> float:
    """Return the median."""
    return float(np.median(list(values)))


def gaps(folder: Path, network: Network, count: int, runs: int) -> None:
    """Print what an hour with gaps takes beside the same hour without, in turn."""
    whole, cut = folder / "whole.mseed", folder / "cut.mseed"
    write_days(whole, 1 / 24)
    write_days(cut, 1 / 24, gaps=count)
    running = Running(network, whole)

    def command(path: Path) -> float:
        return pick([path], network).cpu_s

    running.cpu_s(cut)  # lengths that the network has not seen
    print(f"| CPU s of an hour | without gaps | with {count} | ratio |\n|---|---|---|---|")
    for name, measure in (("in a running process", running.cpu_s), ("the command", command)):
        pairs = np.array([(measure(whole), measure(cut)) for _ in range(runs)])
        one, other = np.median(pairs, axis=0)
        ratio = np.median(pairs[:, 1] / pairs[:, 0])
        print(f"| {name} | {one:.3f} | {other:.3f} | {ratio:.2f} |", flush=True)


def workers(folder: Path, network: Network, count: int, runs: int) -> None:
    """Print how much faster Dask workers are than one on one core, starting up apart."""
    short, long = ([folder / f"{name}{n}.mseed" for n in range(2 * count)] for name in "sl")
    for n in range(2 * count):
        write_days(short[n], SHORT_DAYS, station=f"S{n}")
        write_days(long[n], 2, station=f"S{n}")
    print(
        f"| wall s of {4 * count} station-days | one worker, one core | {count} workers | ratio |"
    )
    print("|---|---|---|---|")
    for _ in range(runs):
        taken = []
        for options, core in ((["--dask", "local:1"], 0), (["--dask", f"local:{count}"], None)):
            start, full = (pick(paths, network, *options, core=core) for paths in (short, long))
            taken.append(full.wall_s - start.wall_s)
        print(f"| | {taken[0]:.1f} | {taken[1]:.1f} | {taken[0] / taken[1]:.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="ncedc", help="name or folder")
    parser.add_argument("--engine", default="keras", choices=("keras", "litert"))
    parser.add_argument("--days", type=int, nargs="*", default=[], help="lengths of records")
    parser.add_argument("--gigabytes", type=float, default=0.0, help="one more file of this size")
    parser.add_argument("--gaps", type=int, default=0, help="of an hour beside one without")
    parser.add_argument("--workers", type=int, default=0, help="of Dask, beside one on one core")
    parser.add_argument("--runs", type=int, default=5, help="turns, whose medians count")
    arguments = parser.parse_args()
    if arguments.gigabytes and not arguments.days:
        arguments.days = [1]
    if not (arguments.days or arguments.gaps or arguments.workers):
        parser.error("name --days, --gaps or --workers")
    network = Network(arguments.preset, arguments.engine)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.days:
            growth(folder, network, arguments.days, arguments.gigabytes, arguments.runs)
        if arguments.gaps:
            gaps(folder, network, arguments.gaps, arguments.runs)
        if arguments.workers:
            workers(folder, network, arguments.workers, arguments.runs)


if __name__ == "__main__":
    main()
