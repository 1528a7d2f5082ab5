"""Labelled records of random plane layers, as many as one likes: 0.6 s a model.

Models are drawn from families as those of the SPECFEM2D data have; labels and their visibility
follow the rules of that data: P and S are the first rays, less 0.6 periods, which is where the
first cycle has reached 5 % of its peak; P is seen where it has 0.5 % of the trace's peak, S where
the energy rises by 6 dB and P is half a period or more before it, on either component.

    python benchmarks/plane_layer_records.py 2000 plane-layers.npz
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from plane_layers import PlaneLayers, Record, first_arrival_s, surface_gather

from phasenet_keras import Waveform
from phasenet_keras.types import LabelledWaveform

__all__ = ["FAMILIES", "Shot", "arrivals_of", "cached", "made", "random_shot"]

# Few of each: another model tells more than another receiver.
N_RECEIVERS = 4
# Of a force's peak, in periods: where its wave has left the zero line.
ONSET_BEFORE_PEAK_PERIODS = 0.6
LEAST_P_PART, LEAST_S_JUMP_DB, LEAST_S_AFTER_P_PERIODS = 0.005, 6.0, 0.5
# Beyond this part of the record too little is left to see S in.
LATEST_PART = 0.95


@dataclass(frozen=True)
class Shot:
    """Ground, source and receivers of one model.

    Attributes:
        family: of `FAMILIES`.
        ground: the layers.
        peak_hz: of the force, a Ricker wavelet.
        offsets_m, force_angles_degrees: for each receiver, as `surface_gather` takes them.
    """

    family: str
    ground: PlaneLayers
    peak_hz: float
    offsets_m: np.ndarray
    force_angles_degrees: np.ndarray


Layers = tuple[np.ndarray, np.ndarray, np.ndarray]


def _ratio(rng: np.random.Generator) -> float:
    return rng.uniform(1.65, 2.2)


def _mild(rng: np.random.Generator) -> Layers:
    """Two to five layers, each faster by 15 to 50 %."""
    n = int(rng.integers(2, 6))
    vs = rng.uniform(190, 390) * np.cumprod(np.append(1.0, rng.uniform(1.15, 1.5, n - 1)))
    thickness = np.append(rng.uniform(4, 16), rng.uniform(2.5, 6.5, n - 2))
    return thickness, vs * _ratio(rng) * rng.uniform(0.93, 1.07, n), vs


def _gradient(rng: np.random.Generator) -> Layers:
    """Nine to twelve thin layers, steadily faster."""
    n = int(rng.integers(9, 13))
    depth = np.linspace(0, 1, n) ** rng.uniform(0.7, 1.2)
    vs = rng.uniform(190, 310) * (1 + rng.uniform(0.6, 1.9) * depth)
    return rng.uniform(1.2, 2.0, n - 1), vs * _ratio(rng), vs


def _half(rng: np.random.Generator) -> Layers:
    """Nearly a half-space."""
    vs = rng.uniform(250, 480) * np.array([1.0, rng.uniform(1.08, 1.15)])
    return rng.uniform(9, 15, 1), vs * _ratio(rng), vs


def _slow_layer(rng: np.random.Generator) -> Layers:
    """Four layers, the second slower than the first."""
    below = np.append(rng.uniform(0.7, 0.9), np.cumprod(rng.uniform(1.2, 1.5, 2)))
    vs = rng.uniform(190, 390) * np.append(1.0, below)
    return np.append(rng.uniform(4, 16), rng.uniform(2.5, 6.5, 2)), vs * _ratio(rng), vs


def _report(rng: np.random.Generator) -> Layers:
    """Five layers down to rock."""
    vs = np.sort(rng.uniform([350, 600, 950, 1080, 1450], [490, 900, 1150, 1450, 2000]))
    return rng.uniform(2.5, 5.7, 4), vs * rng.uniform(1.7, 1.85, 5), vs


def _many(rng: np.random.Generator) -> Layers:
    """Fourteen to nineteen layers of a metre, down to rock."""
    n = int(rng.integers(14, 20))
    vs = np.linspace(rng.uniform(340, 420), rng.uniform(1800, 2100), n)
    return rng.uniform(1.0, 1.3, n - 1), vs * rng.uniform(1.7, 1.85), vs


def _wet(rng: np.random.Generator) -> Layers:
    """Soft ground with a water table: P is fast below the first layer, S is not."""
    vs = rng.uniform([140, 195, 340, 510], [190, 265, 490, 730])
    vp = np.array([rng.uniform(300, 365), rng.uniform(1350, 1600), 1650.0, 1900.0])
    return rng.uniform(3.3, 6, 3), vp, vs


# What is drawn how often. Strong layering more often than in the SPECFEM2D data: S is missed there.
FAMILIES: Mapping[str, tuple[float, Callable[[np.random.Generator], Layers]]] = {
    "mild": (0.30, _mild),
    "gradient": (0.20, _gradient),
    "half": (0.06, _half),
    "slow layer": (0.10, _slow_layer),
    "report": (0.14, _report),
    "many": (0.08, _many),
    "wet": (0.12, _wet),
}


def random_shot(rng: np.random.Generator, n_receivers: int = N_RECEIVERS) -> Shot:
    """Draw ground of a family, a source and where receivers are."""
    family = str(rng.choice(list(FAMILIES), p=[part for part, _ in FAMILIES.values()]))
    thickness, vp, vs = FAMILIES[family][1](rng)
    # Gardner's rule.
    ground = PlaneLayers(thickness, vp, vs, np.maximum(1500.0, 310.0 * vp**0.25))
    # Half of them evenly, half of them more of the near ones.
    near = np.exp(rng.uniform(np.log(4), np.log(110), n_receivers))
    distances = np.where(rng.random(n_receivers) < 0.5, near, rng.uniform(4, 110, n_receivers))
    offsets = distances * rng.choice([-1.0, 1.0], n_receivers)
    upright = rng.random(n_receivers) < 0.68
    angles = np.where(upright, 0.0, rng.uniform(-25, 25, n_receivers))
    return Shot(family, ground, rng.uniform(40, 78), offsets, angles)


def arrivals_of(
    gather: np.ndarray,
    shot: Shot,
    record: Record = Record(),  # noqa: B008
) -> list[dict[str, tuple[float, ...]]]:
    """Return the arrivals of each record, in samples; a phase that cannot be seen is unknown."""
    rate = record.sampling_rate_hz
    period_samples = rate / shot.peak_hz
    onset = -record.start_s * rate - ONSET_BEFORE_PEAK_PERIODS * period_samples
    first = {
        phase: onset + rate * first_arrival_s(shot.ground.thickness_m, velocity, shot.offsets_m)
        for phase, velocity in (("P", shot.ground.vp_m_s), ("S", shot.ground.vs_m_s))
    }
    found = []
    for data, p, s in zip(gather, first["P"], first["S"], strict=True):
        seen = {}
        if part_of_peak(data, p, min(p + period_samples, s)) >= LEAST_P_PART:
            seen["P"] = (float(p),)
        apart = s - p >= LEAST_S_AFTER_P_PERIODS * period_samples
        if apart and jump_db(data, s, period_samples) >= LEAST_S_JUMP_DB:
            seen["S"] = (float(s),)
        found.append(seen)
    return found


def part_of_peak(data: np.ndarray, begin: float, end: float) -> float:
    """Return the peak between two samples over that of the record, of the better component."""
    amplitude = np.abs(data)
    return float((amplitude[int(begin) : int(end) + 1].max(axis=0) / amplitude.max(axis=0)).max())


def jump_db(data: np.ndarray, at: float, width: float) -> float:
    """Return the energy after a sample over that before it, in dB, of the better component."""
    middle, n = int(at), int(width)
    before, after = data[max(0, int(at - width)) : middle], data[middle : middle + n]
    energies = [np.maximum(np.square(part).sum(axis=0), 1e-30) for part in (after, before)]
    return float((10 * np.log10(energies[0] / energies[1])).max())


def made(number: int, seed: int = 0) -> list[LabelledWaveform]:
    """Return the records of one random model; the same for the same number and seed."""
    shot = random_shot(np.random.default_rng((seed, number)))
    record = Record()
    gather = surface_gather(
        shot.ground, shot.peak_hz, shot.offsets_m, shot.force_angles_degrees, record
    )
    gather /= np.abs(gather).max(axis=(1, 2), keepdims=True)
    rows = zip(gather, arrivals_of(gather, shot, record), shot.offsets_m, strict=True)
    return [
        labelled(data, arrivals, f"plane {number}", receiver, float(offset_m))
        for receiver, (data, arrivals, offset_m) in enumerate(rows)
        if arrivals.get("S", (0.0,))[0] < LATEST_PART * record.n_samples
    ]


def labelled(
    data: np.ndarray,
    arrivals: Mapping[str, tuple[float, ...]],
    model: str,
    receiver: int,
    offset_m: float,
) -> LabelledWaveform:
    """Return one record; its components are X, as E, and Z."""
    from obspy import UTCDateTime

    wave = Waveform(
        data.astype(np.float32),
        Record().sampling_rate_hz,
        UTCDateTime(0),
        ("E", "Z"),
        f"{model}.{receiver}",
        offset_m=offset_m,
    )
    return LabelledWaveform(
        wave, dict(arrivals), f"{model}-{receiver}", event=model, gather=model, split="train"
    )


def cached(path: Path, n_models: int, seed: int = 0) -> list[LabelledWaveform]:
    """Return the records of so many random models, made once and kept in a file."""
    if not path.is_file():
        records = [record for number in range(n_models) for record in made(number, seed)]
        _write(path, records, (n_models, seed))
    with np.load(path) as file:
        if tuple(file["made"]) != (n_models, seed):
            raise SystemExit(f"{path} holds other models or another seed: delete it")
        table = {name: file[name] for name in ("data", "P", "S", "model", "receiver", "offset_m")}
    records = []
    for number, model in enumerate(table["model"]):
        times = {phase: float(table[phase][number]) for phase in "PS"}
        arrivals = {phase: (time,) for phase, time in times.items() if np.isfinite(time)}
        place = int(table["receiver"][number]), float(table["offset_m"][number])
        records.append(labelled(table["data"][number], arrivals, str(model), *place))
    return records


def _write(path: Path, records: list[LabelledWaveform], key: tuple[int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {p: [r.arrivals.get(p, (np.nan,))[0] for r in records] for p in "PS"}
    beside = path.with_name(f"part-{path.name}")
    np.savez(
        beside,
        made=key,
        data=np.stack([record.waveform.data for record in records]),
        model=[record.event for record in records],
        receiver=[int(record.name.rsplit("-", 1)[1]) for record in records],
        offset_m=[record.waveform.offset_m for record in records],
        **columns,
    )
    beside.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=int)
    parser.add_argument("output", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    records = cached(given.output, given.models, given.seed)
    print(f"{len(records)} records, {sum('S' in r.arrivals for r in records)} with S")


if __name__ == "__main__":
    main()
