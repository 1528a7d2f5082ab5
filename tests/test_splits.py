"""What is kept together when records are split, and in which shares."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from obspy import UTCDateTime

from phasenet_keras import Waveform
from phasenet_keras.io.parts import RecordFacts
from phasenet_keras.training.splits import check_leakage, choose_split_by, facts_of, split_facts
from phasenet_keras.types import LabelledWaveform

T0 = UTCDateTime("2020-01-01T00:00:00")


def at_times(rows):
    """Records of 3 s: (station, start in seconds after T0) each."""
    facts = []
    for number, (station, start_s) in enumerate(rows):
        data = np.full((300, 1), number, "f4")
        wave = Waveform(data, 100.0, T0 + start_s, ("Z",), station)
        facts.append(facts_of(LabelledWaveform(wave, {}, name=f"r{number}")))
    return facts


def with_splits(facts, splits):
    return [replace(fact, split=split) for fact, split in zip(facts, splits, strict=True)]


def test_one_earthquake_at_several_stations_is_never_split():
    # Ordered by station: blocks of neighbours would put each earthquake on all sides.
    rows = [(station, 60 * quake) for station in "ABCDE" for quake in range(20)]
    rows += [("F", 60 * quake + 2.5) for quake in range(20)]  # overlaps the others a little
    facts = at_times(rows)
    assert choose_split_by(facts) == "time"
    splits = split_facts(facts, "time")
    of_quake = {}
    for (_, start_s), split in zip(rows, splits, strict=True):
        of_quake.setdefault(start_s // 60, set()).add(split)
    assert all(len(found) == 1 for found in of_quake.values())
    assert Counter(splits) == {"train": 72, "dev": 12, "test": 36}
    told = check_leakage(with_splits(facts, split_facts(facts, "block")))
    assert any("20 of 20 spans of overlapping records are in several splits" in s for s in told)
    assert not any("spans" in said for said in check_leakage(with_splits(facts, splits)))


@pytest.mark.parametrize(
    ("rows", "by"),
    [
        ([("A", 60 * n) for n in range(20)], "block"),  # one station: neighbours in time
        ([(s, 0.1 * n) for n in range(20) for s in "AB"], "block"),  # all at one time
        ([(s, 60 * n - T0.timestamp) for n in range(20) for s in "AB"], "block"),  # no times
        ([("A", 0), ("B", 60), ("A", 120)], "time"),
    ],
)
def test_times_say_what_belongs_together_only_where_they_can(rows, by):
    assert choose_split_by(at_times(rows)) == by


def test_shares_are_of_records_and_the_largest_group_trains():
    for seed in range(20):
        facts = [RecordFacts(f"r{n}", "", "swarm" if n < 80 else f"e{n % 4}") for n in range(100)]
        splits = split_facts(facts, "event", seed)
        assert set(splits[:80]) == {"train"}
        assert set(splits) == {"train", "dev", "test"}
        sizes = [1, 1, 30, 1]  # the largest trains, though no other then has a share of it
        names = [f"e{n}" for n, size in enumerate(sizes) for _ in range(size)]
        facts = [RecordFacts(f"r{n}", "", name) for n, name in enumerate(names)]
        assert Counter(split_facts(facts, "event", seed)) == {"train": 30, "test": 2, "dev": 1}
