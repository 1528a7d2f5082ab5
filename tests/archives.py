"""Small archives about midnight, and how tests pick them."""

from __future__ import annotations

import numpy as np
import pytest
from obspy import Stream, Trace, UTCDateTime

from phasenet_keras.picking.archive import pick_archive
from phasenet_keras.picking.files import FileReport
from phasenet_keras.picking.parts import PartFolder

MIDNIGHT = UTCDateTime("2021-05-07")
SPIKES = (1000, 29_980, 30_010, 45_000, 59_000)


def failures(events):
    """Return the reports of files that failed."""
    return [e for e in events if isinstance(e, FileReport) and e.failed]


def station(name="AA", n_samples=60_000, channels="ENZ", start=MIDNIGHT - 300, rate=100.0):
    """Ten minutes about midnight with spikes, two of them at its two sides."""
    rng = np.random.default_rng(len(name))
    stream = Stream()
    for channel in channels:
        data = rng.normal(500, 20, n_samples)
        data[[s for s in SPIKES if s < n_samples]] += 1500
        stats = {"network": "XX", "station": name, "channel": f"HH{channel}"}
        header = {**stats, "sampling_rate": rate, "starttime": start}
        stream.append(Trace(data.round().astype("int32"), header))
    return stream


def write_sds(root, stream, day_split=MIDNIGHT):
    """One file a channel and day."""
    for trace in stream:
        for part in (
            trace.slice(None, day_split - 0.001, nearest_sample=False),
            trace.slice(day_split, None, nearest_sample=False),
        ):
            s = part.stats
            day = (s.starttime + 1).strftime("%Y.%j")
            folder = root / day[:4] / s.network / s.station / f"{s.channel}.D"
            folder.mkdir(parents=True, exist_ok=True)
            name = f"{s.network}.{s.station}.{s.location}.{s.channel}.D.{day}"
            part.write(str(folder / name), format="MSEED", reclen=512)
    return root


def run(picker, sources, folder, **options):
    folder = PartFolder(folder)
    events = list(pick_archive(picker, sources, folder, **options))
    return folder.picks(), events


def keys(picks):
    return [(p.time, p.station, p.phase, pytest.approx(p.probability, abs=2e-4)) for p in picks]
