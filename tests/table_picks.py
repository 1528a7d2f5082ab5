"""Tables of picks for the tests, and what the command says of them."""

from __future__ import annotations

from texts import unaligned

from phasenet_keras import (
    write_picks,
)
from phasenet_keras.cli import main
from phasenet_keras.types import Pick


def run(*arguments):
    assert main([*map(str, arguments)]) == 0


def scored(capsys, *arguments):
    """Evaluate by the command; return what it said, and the numbers in its table."""
    capsys.readouterr()
    run("evaluate", *arguments)
    said = unaligned(capsys.readouterr().out)
    rows = [line.split(" | ")[1:] for line in said.splitlines() if line.startswith("| ")]
    return said, rows[1:]


def samples_of(found, rate_hz=100.0):
    """Samples by phase of the picks of each record, with the probability where it is not 1."""
    return [
        {phase: [round((p.time - p.start_time) * rate_hz, 3) for p in of if p.phase == phase]
         for phase in sorted({p.phase for p in of})}
        for of in found.picks
    ]  # fmt: skip


def written(path, text):
    path.write_text(text)
    return path


def own_picks(records, path, by_samples=0, every=1):
    """Write picks that are so many samples after the P of records."""
    picks = [
        Pick(r.waveform.start_time + (r.arrivals["P"][0] + by_samples) / 100.0,
             r.waveform.station, "P", 0.5, sampling_rate=100.0)
        for r in records[::every]
    ]  # fmt: skip
    write_picks(picks, path)
    return path
