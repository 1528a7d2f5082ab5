"""One earthquake that a catalogue has twice, by two names, is told where it is in two splits."""

from __future__ import annotations

import numpy as np
import pytest
from sources import T0, run

from phasenet_keras import LabelledWaveform, Waveform
from phasenet_keras.io.parts import RecordFacts
from phasenet_keras.io.seisbench import read_dataset, write_dataset
from phasenet_keras.training.grouping import twice_named
from phasenet_keras.training.splits import check_leakage

START_S = float(T0)
# Stations by their times from P to S, in s.
NEAR = {"XX.A": 1.0, "XX.B": 1.6, "XX.C": 2.1}
FAR = {"YY.D": 2.8, "YY.E": 1.1}


def quake(name, at_s, stations, phases="PS", vp_vs=1.73, channel=".HH", start_s=START_S, split=""):
    """Windows of 60 s of one earthquake, its origin 20 s after their begin."""
    records = []
    for station, s_minus_p in stations.items():
        origin_p_s = s_minus_p / (vp_vs - 1)
        sample = {"P": 100 * (20 + origin_p_s), "S": 100 * (20 + origin_p_s + s_minus_p)}
        records.append(
            RecordFacts(
                f"{name}_{station}{channel}",
                split=split,
                event=name,
                station=f"{station}.{channel}",
                arrivals={phase: (sample[phase],) for phase in phases},
                sampling_rate=100.0,
                start_s=start_s + at_s,
                duration_s=60.0,
            )
        )
    return records


@pytest.mark.parametrize("vp_vs", [1.66, 1.73, 1.8])
def test_the_same_origin_at_other_stations_is_one_earthquake(vp_vs):
    facts = [*quake("a", 0.0, NEAR, vp_vs=vp_vs), *quake("b", 0.05, FAR, vp_vs=vp_vs)]
    facts += quake("c", 30.0, NEAR) + quake("d", -30.0, FAR)
    assert twice_named(facts) == [("a", "b")]


def test_the_same_onsets_at_a_station_are_one_earthquake():
    one = quake("a", 0.0, NEAR, "P")
    assert twice_named([*one, *quake("b", 0.3, NEAR, "P", channel=".HN")]) == [("a", "b")]
    assert twice_named([*one, *quake("b", 0.3, NEAR, "S")]) == []  # nothing to compare
    assert twice_named([*one, *quake("b", 0.3, FAR, "P")]) == []
    three = [*one, *quake("b", 0.1, NEAR, "P"), *quake("c", 0.2, NEAR, "P")]
    assert twice_named(three) == [("a", "b"), ("b", "c")]


@pytest.mark.parametrize("stations", [NEAR, FAR, NEAR | FAR])
@pytest.mark.parametrize("phases", ["PS", "P"])
def test_a_swarm_is_of_as_many_earthquakes_as_it_has_names(stations, phases):
    """One each 0.6 s: windows hold arrivals of a hundred others."""
    facts = [fact for n in range(200) for fact in quake(f"e{n}", 0.6 * n, stations, phases)]
    assert twice_named(facts) == []
    # At other stations each, S-P of 2.8 s tell origins to 0.42 s.
    facts = [
        fact for n in range(200) for fact in quake(f"e{n}", 0.6 * n, (NEAR, FAR)[n % 2], phases)
    ]
    assert twice_named(facts) == []


def test_where_stations_are_in_common_they_say_more_than_origins():
    """The P of both are 3 s apart, and the S of one is wrong, so that its origin is that of a."""
    [one] = quake("a", 0.0, {"XX.A": 2.0})
    [other] = quake("b", 0.0, {"XX.A": 2.0})
    moved = {"P": (one.arrivals["P"][0] + 300.0,), "S": (one.arrivals["S"][0] + 519.0,)}
    other = RecordFacts(**{**vars(other), "arrivals": moved})
    assert twice_named([one, other]) == []


def test_nothing_is_said_of_records_without_a_date_or_of_several_events():
    undated = [f for name in "ab" for f in quake(name, 0.0, NEAR, start_s=0.0)]
    assert twice_named(undated) == []
    assert twice_named([*quake("a", 0.0, NEAR), *quake("a + b", 0.0, NEAR)]) == []
    assert twice_named([*quake("a", 0.0, NEAR), *quake("", 0.0, NEAR)]) == []


def test_it_is_told_with_names_and_splits_where_it_leaks():
    facts = [*quake("a", 0.0, NEAR, split="train"), *quake("b", 0.05, FAR, split="test")]
    [said] = check_leakage(facts)
    assert said == (
        "warning: 1 pair of events in two splits that seem to be one earthquake, by their "
        "arrivals: a (train) and b (test) (name them alike, or phasenet-keras prepare "
        "--split-by time keeps them together)"
    )
    both = [*quake("a", 0.0, NEAR, split="dev"), *quake("b", 0.05, FAR, split="dev")]
    assert check_leakage(both) == []


def test_what_is_advised_mends_it(tmp_path, capsys):
    facts = [
        fact
        for n in range(12)
        for twin, stations in (("a", NEAR), ("b", FAR))
        for fact in quake(f"q{n}{twin}", 600.0 * n, stations)
    ]
    rng = np.random.default_rng(0)
    records = [
        LabelledWaveform(
            Waveform(
                rng.standard_normal((6000, 1)).astype("f4"),
                100.0,
                T0 + fact.start_s - START_S,
                ("Z",),
                fact.station,
            ),
            fact.arrivals,
            name=fact.name,
            event=fact.event,
        )
        for fact in facts
    ]
    write_dataset(records, tmp_path / "in")
    assert run(tmp_path / "in", "--output", tmp_path / "event") == 0
    said = " ".join(capsys.readouterr().out.split())
    splits = {r.event: r.split for r in read_dataset(tmp_path / "event")}
    n_apart = sum(splits[f"q{n}a"] != splits[f"q{n}b"] for n in range(12))
    assert n_apart > 2
    assert f"leak {n_apart} pairs of events in two splits that seem to be one earthquake" in said
    assert run(tmp_path / "in", "--split-by", "time", "--output", tmp_path / "time") == 0
    assert "one earthquake" not in capsys.readouterr().out
    splits = {r.event: r.split for r in read_dataset(tmp_path / "time")}
    assert all(splits[f"q{n}a"] == splits[f"q{n}b"] for n in range(12))
