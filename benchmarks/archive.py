"""Does memory grow with the length of an archive?

Picks synthetic miniSEED of 1 day, of 30 days and of a number of gigabytes, each in a process of its
own, and prints a Markdown table: peak resident memory, CPU and wall seconds a station-day. The long
files are the same day over and over, its records' times moved on; they are made in a temporary
folder and removed.

    python benchmarks/archive.py --days 1 30 --gigabytes 3 --preset ncedc
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

RECORD_BYTES = 4096
RATE_HZ = 100
DAY_SAMPLES = 86_400 * RATE_HZ


def write_days(path: Path, n_days: int) -> None:
    """Write a day at a time: three channels one after the other, as a data centre's day files."""
    from obspy import Stream, Trace, UTCDateTime

    rng = np.random.default_rng(0)
    start = UTCDateTime("2024-01-01")
    noise = {c: (rng.standard_normal(DAY_SAMPLES) * 300).astype("int32") for c in "ENZ"}
    with path.open("wb") as file:
        for day in range(n_days):
            header = {"network": "XX", "station": "AA", "sampling_rate": float(RATE_HZ)}
            header["starttime"] = start + day * 86_400.0
            traces = [Trace(noise[c], {**header, "channel": f"HH{c}"}) for c in "ENZ"]
            Stream(traces).write(file, format="MSEED", reclen=RECORD_BYTES, encoding="STEIM2")


def pick(path: Path, preset: str) -> tuple[float, float, float]:
    """Return peak resident memory in MB, CPU seconds and wall seconds of a run."""
    code = (
        "import sys, resource\nfrom phasenet_keras.cli import main\n"
        f"code = main(['pick', {str(path)!r}, '--preset', {preset!r}, '--output', "
        f"{str(path.with_suffix('.csv'))!r}])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)\n"
        "sys.exit(code)"
    )
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if result.returncode:
        raise SystemExit(result.stdout + result.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return int(result.stderr.split()[-1]) / 1024, cpu, time.perf_counter() - wall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="ncedc", help="name or folder")
    parser.add_argument("--days", type=int, nargs="*", default=[1, 30])
    parser.add_argument("--gigabytes", type=float, default=0.0, help="one more file of this size")
    arguments = parser.parse_args()
    print("| record | file MB | peak memory MB | CPU s a day | wall s a day |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "archive.mseed"
        day_bytes = 0.0
        for n_days in [*arguments.days, -1]:
            if n_days < 0:
                if not arguments.gigabytes:
                    break
                n_days = round(arguments.gigabytes * 1e9 / day_bytes)
            write_days(path, n_days)
            day_bytes = path.stat().st_size / n_days
            memory, cpu, wall = pick(path, arguments.preset)
            size = path.stat().st_size / 1e6
            per_day = f"{cpu / n_days:.2f} | {wall / n_days:.2f}"
            print(f"| {n_days} days | {size:.0f} | {memory:.0f} | {per_day} |", flush=True)


if __name__ == "__main__":
    main()
