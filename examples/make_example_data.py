"""Where do I get data to try all this on?

Makes small data sets of its own, for the tutorials and for a first try. No download, seconds:

    python examples/make_example_data.py day example/        # a day, three components, 100 Hz
    python examples/make_example_data.py line example/       # labelled shots of a geophone line
    python examples/make_example_data.py survey example/     # further shots of it, without labels
    python examples/make_example_data.py specfem2d example/  # run folders as SPECFEM2D leaves them

The day is noise with ObsPy's example event in it, once an hour, smaller each time. The others are
pulses at the travel times of a two-layer ground: direct and refracted P, direct S, and a surface
wave that begins softly, near the source a little before its P even. They are made to try commands
on; scores on them say nothing about real records.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import obspy

RATE_HZ = 2000.0
N_SAMPLES = 1200
SOURCE_S = 0.05  # the source fires so long after the first sample
RECEIVERS_M = 2.0 * np.arange(24)
LINE_SHOTS_M = (-5.0, 7.0, 17.0, 29.0, 39.0, 51.0)
SURVEY_SHOTS_M = (-3.0, 3.0, 9.0, 15.0, 21.0, 27.0, 33.0, 43.0)
# In ObsPy's example record, as the official weights pick it: 0.98 and 0.92.
EXAMPLE_P_S, EXAMPLE_S_S = 4.71, 5.68


@dataclass(frozen=True)
class Ground:
    """A layer over a half-space: speeds in m/s, thickness in m."""

    vp: float = 500.0
    vs: float = 230.0
    vp_below: float = 1500.0
    thickness: float = 5.0

    def p_time_s(self, offset_m: float) -> float:
        """Return the first of the direct wave and the head wave."""
        delay_s = 2 * self.thickness * (1 / self.vp**2 - 1 / self.vp_below**2) ** 0.5
        return min(offset_m / self.vp, offset_m / self.vp_below + delay_s)

    def s_time_s(self, offset_m: float) -> float:
        """Return the time of the direct wave."""
        return offset_m / self.vs


def pulse(time_s: np.ndarray, onset_s: float, frequency_hz: float, decay_s: float) -> np.ndarray:
    """Return a damped oscillation that is 0 before its onset and at most about 1."""
    t = np.clip(time_s - onset_s, 0.0, None)
    return np.sin(2 * np.pi * frequency_hz * t) * np.exp(-t / decay_s)


def trace(
    ground: Ground,
    offset_m: float,
    noise: float,
    rng: np.random.Generator,
    horizontal: bool = False,
) -> tuple[np.ndarray, float, float]:
    """Return the samples of one receiver, and its P and S in samples."""
    time_s = np.arange(N_SAMPLES) / RATE_HZ - SOURCE_S
    static_s = rng.normal(0.0, 0.0007)  # no ground is the same under all receivers
    p_s, s_s = ground.p_time_s(offset_m) + static_s, ground.s_time_s(offset_m) + 2 * static_s
    size = rng.uniform(0.6, 1.4) / (4.0 + offset_m)
    p_size, s_size = (0.15, 1.0) if horizontal else (0.3, 0.7)
    data = p_size * pulse(time_s, p_s, rng.uniform(75, 95), 0.02)
    data += s_size * pulse(time_s, s_s, rng.uniform(40, 55), 0.03)
    envelope = np.exp(-(((time_s - 1.25 * s_s - 0.04) / (0.03 + 0.1 * s_s)) ** 2))
    data += 0.9 * envelope * np.sin(2 * np.pi * 28 * (time_s - s_s))
    data = size * data + noise * 0.7 / 25 * rng.standard_normal(N_SAMPLES)
    return data, (p_s + SOURCE_S) * RATE_HZ, (s_s + SOURCE_S) * RATE_HZ


def noise_like(data: np.ndarray, n_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Return random noise with the spectrum and the level of some samples."""
    level = np.abs(np.fft.rfft(data * np.hanning(len(data))))
    spectrum = np.fft.rfft(rng.standard_normal(n_samples))
    spectrum *= np.interp(np.linspace(0, 1, len(spectrum)), np.linspace(0, 1, len(level)), level)
    noise = np.fft.irfft(spectrum, n_samples)
    return noise * data.std() / noise.std()


def make_day(folder: Path, seed: int) -> None:
    """Write a day of noise with 24 events, and when they are."""
    rng = np.random.default_rng(seed)
    event = obspy.read().sort().detrend("demean")
    start = obspy.UTCDateTime(2024, 3, 1)
    n_samples, lines = 24 * 360_000, ["number,size,phase,station,time"]
    begins = [360_000 * hour + int(rng.integers(30_000, 320_000)) for hour in range(24)]
    sizes = np.geomspace(1.0, 0.02, 24)
    stream = obspy.Stream()
    for part in event:
        data = noise_like(part.data[:440], n_samples, rng)
        # The event without what is before it, and without a jump at either end.
        event_data = part.data * np.interp(np.arange(3000), (400, 465, 2400, 2999), (0, 1, 1, 0))
        for begin, size in zip(begins, sizes, strict=True):
            data[begin : begin + 3000] += size * event_data
        header = {"network": "XX", "station": "DAY", "channel": part.stats.channel}
        header |= {"sampling_rate": 100.0, "starttime": start}
        stream.append(obspy.Trace(np.round(data).astype(np.int32), header))
    for number, (begin, size) in enumerate(zip(begins, sizes, strict=True), start=1):
        for phase, delay_s in (("P", EXAMPLE_P_S), ("S", EXAMPLE_S_S)):
            lines.append(f"{number},{size:.3f},{phase},XX.DAY,{start + begin / 100 + delay_s}")
    folder.mkdir(parents=True, exist_ok=True)
    stream.write(str(folder / "day.mseed"), format="MSEED", encoding="STEIM2")
    (folder / "day_arrivals.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def make_shots(
    folder: Path, shots_m: tuple[float, ...], first: int, noise: float, seed: int
) -> None:
    """Write shots as two-column text, their arrivals in samples, and where things stand."""
    rng = np.random.default_rng(seed)
    (folder / "raw").mkdir(parents=True, exist_ok=True)
    rows, places = ["fname,shot,receiver,offset_m,itp,its"], ["receiver,shot,x,y,z"]
    places += [f"{number},,{x:g},0,0" for number, x in enumerate(RECEIVERS_M, start=1)]
    for shot, shot_m in enumerate(shots_m, start=first):
        places.append(f",{shot},{shot_m:g},0,0")
        for receiver, x in enumerate(RECEIVERS_M, start=1):
            data, p, s = trace(Ground(), abs(x - shot_m), noise, rng)
            name = f"shot{shot:02d}_rec{receiver:02d}.txt"
            lines = (f"{n / RATE_HZ:.6f} {value:.5e}" for n, value in enumerate(data))
            (folder / "raw" / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
            rows.append(f"{name},{shot},{receiver},{abs(x - shot_m):g},{p:.1f},{s:.1f}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "stations.csv").write_text("\n".join(places) + "\n", encoding="utf-8")


def make_runs(folder: Path, seed: int, n_runs: int = 6, n_receivers: int = 16) -> None:
    """Write folders with the inputs and ASCII seismograms of SPECFEM2D, and a labels.csv each."""
    rng = np.random.default_rng(seed)
    for number in range(1, n_runs + 1):
        run = folder / f"run{number}"
        for name in ("DATA", "OUTPUT_FILES"):
            (run / name).mkdir(parents=True, exist_ok=True)
        vs = rng.uniform(180, 300)
        ground = Ground(vs * rng.uniform(1.9, 2.4), vs, rng.uniform(1200, 2000), rng.uniform(3, 8))
        par = (
            f"NSTEP = {N_SAMPLES}\nDT = {1 / RATE_HZ:.1e}\nNTSTEP_BETWEEN_OUTPUT_SAMPLE = 1\n"
            f"USER_T0 = {SOURCE_S}d0\nsave_ASCII_seismograms = .true.\n"
        )
        (run / "DATA" / "Par_file").write_text(par, encoding="utf-8")
        source = "source_surf = .true.\nxs = 0.0\nzs = 0.0\nf0 = 60.0\ntshift = 0.0\n"
        (run / "DATA" / "SOURCE").write_text(source, encoding="utf-8")
        stations, rows = [], ["network,station,distance_m,p_index,s_index"]
        for receiver in range(1, n_receivers + 1):
            x, name = 4.0 + 2.5 * receiver, f"S{receiver:04d}"
            stations.append(f"{name} AA {x:.2f} 0.0 0.0 0.0")
            for axis in "XZ":
                same = np.random.default_rng((seed, number, receiver))  # one time for both axes
                data, p, s = trace(ground, x, 0.0, same, horizontal=axis == "X")
                times = np.arange(N_SAMPLES) / RATE_HZ - SOURCE_S
                lines = (f"{t:.16E} {1e-6 * v:.8E}" for t, v in zip(times, data, strict=True))
                path = run / "OUTPUT_FILES" / f"AA.{name}.BX{axis}.semd"
                path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            rows.append(f"AA,{name},{x:.2f},{p:.1f},{s:.1f}")
        (run / "DATA" / "STATIONS").write_text("\n".join(stations) + "\n", encoding="utf-8")
        (run / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("day", "line", "survey", "specfem2d"))
    parser.add_argument("output", type=Path, help="folder; a folder of the name goes into it")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    folder = given.output / given.what
    if given.what == "day":
        make_day(folder, given.seed)
    elif given.what == "line":
        make_shots(folder, LINE_SHOTS_M, 1, 0.05, given.seed)
    elif given.what == "survey":
        make_shots(folder, SURVEY_SHOTS_M, 7, 0.15, given.seed + 1)
    else:
        make_runs(folder, given.seed)
    print(f"written to {folder}")


if __name__ == "__main__":
    main()
