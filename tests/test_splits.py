"""What is kept together when records are split, and in which shares."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sources import T0, labelled, noise, run, splits_of, write_text_files

from phasenet_keras import Waveform, assign_splits
from phasenet_keras.io.parts import RecordFacts
from phasenet_keras.io.seisbench import read_dataset, write_dataset
from phasenet_keras.training.checks_data import identical_records
from phasenet_keras.training.demands import check_no_leak, check_test
from phasenet_keras.training.grouping import event_length_s, groups_of, tied_groups
from phasenet_keras.training.splits import (
    check_leakage,
    choose_split_by,
    digests_of,
    facts_of,
    split_facts,
)
from phasenet_keras.types import ConfigError, LabelledWaveform


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


def windows_of(quakes, stations, length_s, lost=()):
    """Windows about each arrival: P and S of a quake a minute at stations 10 s of S-P each."""
    facts = []
    for quake in range(quakes):
        for n, station in enumerate(stations):
            for phase, at_s in (("P", 14 * n), ("S", 24 * n + 10)):
                if (quake, n, phase) in lost:
                    continue
                begin_s = T0.timestamp + 300 * quake + at_s - length_s / 2
                facts.append(
                    RecordFacts(
                        f"{quake}{station}{phase}",
                        station=station,
                        arrivals={phase: (100.0 * length_s / 2,)},
                        sampling_rate=100.0,
                        start_s=begin_s,
                        duration_s=length_s,
                    )
                )
    return facts


def test_windows_shorter_than_an_earthquake_stay_together():
    # S-P is 10 and 20 s; without names, windows of 4 s do not overlap.
    lost = {(q, n, "P") for q in (3, 9) for n in (0, 1)} | {(2, 1, "S")}
    facts = windows_of(20, "AB", 4.0, lost)
    assert event_length_s(facts) == pytest.approx(2.4 * 20.0)
    assert choose_split_by(facts) == "time"
    splits = split_facts(facts, "time")
    found = {}
    for fact, split in zip(facts, splits, strict=True):
        found.setdefault(fact.name.rstrip("PSAB"), set()).add(split)
    assert len(found) == 20
    assert all(len(of_quake) == 1 for of_quake in found.values())
    assert len(set(groups_of(facts, "time"))) == 20  # and no more than a quake's are tied
    # A swarm would be one span: there overlap alone counts, as without arrivals.
    swarm = [replace(fact, start_s=T0.timestamp + 20.0 * n) for n, fact in enumerate(facts)]
    assert len(set(groups_of(swarm, "time"))) == len(swarm)
    # Of P alone nothing says how long a quake takes: what overlaps is together.
    only_p = [fact for fact in facts if "P" in fact.arrivals]
    assert event_length_s(only_p) == 0.0
    assert len(set(groups_of(only_p, "time"))) == len(only_p)


def test_blocks_for_want_of_names_are_said(tmp_path, capsys):
    write_text_files(tmp_path / "raw", [f"e{n}.txt" for n in range(12)])
    for header, event in (("fname,itp", ""), ("fname,itp,event", ",q{}")):
        rows = [f"e{n}.txt,100{event.format(n // 2)}" for n in range(12)]
        (tmp_path / "l.csv").write_text(header + "\n" + "\n".join(rows) + "\n")
        out = ["--output", tmp_path / f"set{len(header)}"]
        assert run(tmp_path / "raw", "--labels", tmp_path / "l.csv", *out) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert ("name it (a column event in the table)" in said) == (not event)
        assert ("split by block" in said) == (not event)
    assert (
        run(
            tmp_path / "raw",
            "--labels",
            tmp_path / "l.csv",
            *out,
            "--overwrite",
            "--split-by",
            "block",
        )
        == 0
    )
    assert "a column event" not in capsys.readouterr().out  # it was asked for


def quakes_in_pairs(n_quakes=24, joint=True):
    """A record of one station with two earthquakes each, and records of others with each alone."""
    rows = [("A", 60 * n) for n in range(n_quakes // 2)]
    rows += [("BC"[n % 2], 60 * (n // 2) + 2 * (n % 2)) for n in range(n_quakes)]
    names = [f"e{2 * n} + e{2 * n + 1}" if joint else "" for n in range(n_quakes // 2)]
    names += [f"e{n}" for n in range(n_quakes)]
    return [replace(fact, event=name) for fact, name in zip(at_times(rows), names, strict=True)]


@pytest.mark.parametrize("joint", [True, False])
def test_records_of_several_events_and_of_none_stay_with_what_they_are_of(joint):
    facts = quakes_in_pairs(joint=joint)
    if joint:  # also where they do not overlap in time
        facts[:12] = [replace(fact, start_s=fact.start_s + 30) for fact in facts[:12]]
    assert choose_split_by(facts) == "event"
    for seed in range(5):
        splits = split_facts(facts, "event", seed)
        assert splits[:12] == splits[12::2] == splits[13::2]
        assert set(splits) == {"train", "dev", "test"}
    groups = tied_groups(facts, "event")
    assert groups[:12] == groups[12::2] == groups[13::2]
    assert len(set(groups)) == 12


def test_too_few_earthquakes_that_have_nothing_in_common_are_no_groups():
    facts = [RecordFacts(f"r{n}", "", f"e{n} + e{n + 1}") for n in range(20)]
    assert choose_split_by(facts) == "block"
    with pytest.raises(ConfigError, match=r"three events at least .* there is 1: label"):
        split_facts(facts, "event")


def test_what_overlaps_with_an_unnamed_record_in_another_split_is_told():
    facts = quakes_in_pairs(joint=False)
    said = check_leakage(with_splits(facts, ["test"] * 12 + ["train"] * 24))
    assert any("12 of 12 spans of overlapping records are in several splits" in s for s in said)
    facts = quakes_in_pairs(joint=True)
    said = check_leakage(with_splits(facts, ["test"] * 12 + ["train"] * 24))
    assert "24 of 24 events are in several splits: e0 (test, train)" in said[0]
    assert not any("spans" in text for text in said)  # names say better


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


def groups_in(split, groups, splits):
    return {group for group, own in zip(groups, splits, strict=True) if own == split}


@given(sizes=st.lists(st.integers(1, 30), min_size=3, max_size=30), seed=st.integers(0, 99))
@example(sizes=[30, 1, 1, 1, 1], seed=0)
@example(sizes=[1] * 5, seed=0)
def test_two_of_five_events_validate_and_nothing_else_changes(sizes, seed):
    """Split by station, dev may be of one group: splits by event differ in that alone."""
    groups = [f"g{n:02d}" for n, size in enumerate(sizes) for _ in range(size)]
    facts = [RecordFacts(f"r{n}", event=g, gather=g, station=g) for n, g in enumerate(groups)]
    plain = split_facts(facts, "station", seed)
    splits = split_facts(facts, "event", seed)
    assert split_facts(facts, "gather", seed) == splits
    before = groups_in("dev", groups, plain)
    if len(sizes) < 5 or len(before) > 1:
        assert splits == plain
        return
    [moved] = groups_in("dev", groups, splits) - before
    assert before < groups_in("dev", groups, splits)
    changed = {g for g, one, other in zip(groups, plain, splits, strict=True) if one != other}
    assert changed == {moved}
    source = "test" if len(groups_in("train", groups, plain)) == 1 else "train"
    given_up = groups_in(source, groups, plain)
    if source == "train":  # its largest stays
        given_up -= {max(given_up, key=groups.count)}
    assert groups.count(moved) == min(map(groups.count, given_up))
    assert all(groups_in(split, groups, splits) for split in ("train", "test"))


def test_two_of_five_times_validate():
    facts = at_times([(station, 60 * quake) for quake in range(5) for station in "AB"])
    for seed in range(9):
        splits = split_facts(facts, "time", seed)
        assert Counter(splits) == {"train": 4, "dev": 4, "test": 2}


def with_digest(record):
    return replace(facts_of(record), digests=digests_of(record))


def test_no_split_is_advised_that_training_refuses():
    """By station, the events of a network are on two sides."""
    records = []
    for n in range(50):
        start = T0 + 86400 * (n % 5)
        wave = Waveform(noise(n, 300, 1), 100.0, start, ("Z",), f"XX.S{n // 5}..HH")
        records.append(LabelledWaveform(wave, {"P": (100,)}, f"r{n}", event=f"e{n % 5}"))
    [said] = check_leakage([facts_of(record) for record in assign_splits(records, "event")])
    assert said.startswith("warning: 10 of 10 stations are in several splits")
    assert said.endswith(" (scores will be of known stations)")
    by_station = assign_splits(records, "station")
    train, dev = ([r for r in by_station if r.split == split] for split in ("train", "dev"))
    with pytest.raises(ConfigError, match="5 events are in training and validation"):
        check_no_leak(train, dev)


def test_a_channel_in_common_makes_a_copy_in_all_that_asks():
    """Splits, what is told of them, and training that would refuse them follow one rule."""
    records = []
    for n in range(60):
        data = noise(n, 300, 3)
        data[:, 2] = noise(n % 30, 300, 1)[:, 0]
        data[:, :2] *= n < 30
        wave = Waveform(data, 100.0, "1970-01-01", ("E", "N", "Z"), f"XX.S{n}..HH")
        records.append(LabelledWaveform(wave, {"P": (100,)}, f"r{n}", event=f"e{n // 30}-{n % 10}"))
    found = assign_splits(records, "event")
    assert {r.split for r in found} == {"train", "dev", "test"}
    assert [r.split for r in found[:30]] == [r.split for r in found[30:]]
    assert check_leakage([with_digest(record) for record in found]) == []
    mixed = [replace(r, split="test" if n < 2 else "train") for n, r in enumerate(found)]
    said, *_ = check_leakage([with_digest(record) for record in mixed])
    assert "2 pairs of records in two splits that have the same samples: r0 (test) and r30" in said
    with pytest.raises(ConfigError, match=r"2 test records with the same samples .*: r0 of r30"):
        check_test(mixed[30:], mixed[:2])


def test_leaks_are_told(tmp_path):
    def fact(number, split, **fields):
        return with_digest(labelled(number, split=split, **fields))

    clean = [fact(0, "train", event="a"), fact(1, "test", event="b")]
    assert check_leakage(clean) == []
    [said] = check_leakage([fact(0, "train", event="a"), fact(1, "test", event="a")])
    assert said == "warning: 1 of 1 events is in several splits: a (test, train)"
    [said] = check_leakage([fact(0, "train", gather="s"), fact(1, "test", gather="s")])
    assert said.startswith("warning: 1 of 1 gathers is in several splits: s")
    copy = with_digest(labelled(0, split="test"))
    said = check_leakage([fact(0, "train"), copy])
    assert said[0] == "error: 1 name used by several records: r0"
    assert said[1].startswith(
        "error: 1 pair of records in two splits that have the same samples: r0"
    )
    shifted = Waveform(noise(77, 300, 3), 100.0, T0 + 1001, tuple("ENZ"), "XX.A..HH")
    other = with_digest(LabelledWaveform(shifted, {}, name="shifted", split="test"))
    [said] = check_leakage([fact(1, "train"), other])
    assert said.startswith("warning: 1 pair of records in two splits that are of one station and o")
    elsewhere = Waveform(noise(78, 300, 3), 100.0, T0, tuple("ENZ"), "XX.B..HH")
    third = LabelledWaveform(elsewhere, {}, name="b", event="c", split="test")
    both = [*clean, with_digest(third)]
    [said] = check_leakage(both)  # several stations, one of them on two sides
    assert said.startswith("warning: 1 of 2 stations is in several splits: XX.A..HH (test, train)")


def test_copies_and_overlaps_stay_together_and_given_ones_are_refused(tmp_path, capsys):
    facts = [with_digest(labelled(n // 2, event=f"e{n}")) for n in range(40)]
    splits = split_facts(facts, "event")
    assert splits[::2] == splits[1::2]
    assert set(splits) == {"train", "dev", "test"}
    with pytest.raises(ConfigError, match="no record names its gather"):
        split_facts(facts, "gather")
    twice = [labelled(n, split="train") for n in range(3)]
    copy = LabelledWaveform(twice[0].waveform, {}, name="copy", split="test")
    write_dataset([*twice, copy], tmp_path / "in")
    assert run(tmp_path / "in", "--output", tmp_path / "set") == 2
    assert "have the same samples: r0 (train) and copy (test)" in capsys.readouterr().err
    assert not (tmp_path / "set").exists()
    assert run(tmp_path / "in", "--split-by", "block", "--output", tmp_path / "set") == 0


@pytest.mark.parametrize("kind", ["pulse", "padded", "spike"])
def test_records_that_have_but_a_few_steps_in_common_are_no_copies(kind):
    steps = np.zeros(3000, np.float32)
    steps[{"pulse": slice(100, 110), "padded": slice(2900), "spike": slice(1)}[kind]] = 3
    records = [labelled(n, event=f"e{n}") for n in range(8)]
    with_steps = []
    for record in records:
        e = record.waveform.data[:, 0]
        data = np.stack([np.resize(steps, len(e)), e], axis=1)
        wave = replace(record.waveform, data=data, channels=("N", "E"))
        with_steps.append(replace(record, waveform=wave))
    found = assign_splits(with_steps, "event")
    assert {record.split for record in found} == {"train", "dev", "test"}
    assert identical_records(with_steps[:4], with_steps[4:]) == []
    # What was taken out of a record is still a copy of it, and has the digest of its channel.
    assert identical_records(with_steps[:1], records[:1]) == [("r0", "r0")]
    assert digests_of(with_steps[0]) == digests_of(records[0])[:1]


@pytest.mark.parametrize("by", ["event", "shot", "station", "block"])
def test_splits_are_disjoint(tmp_path, by):
    write_text_files(tmp_path / "raw", [f"t{n}.txt" for n in range(36)])
    rows = [f"t{n}.txt,100,e{n % 9},{n % 6},S{n % 4}" for n in range(36)]
    (tmp_path / "l.csv").write_text("fname,itp,event,shot,station\n" + "\n".join(rows) + "\n")
    labels = ["--labels", tmp_path / "l.csv"]
    assert run(tmp_path / "raw", *labels, "--split-by", by, "--output", tmp_path / "set") == 0
    records = read_dataset(tmp_path / "set")
    assert {r.split for r in records} == {"train", "dev", "test"}
    keys = {"event": lambda r: r.event, "shot": lambda r: r.gather}
    keys |= {"station": lambda r: r.waveform.station, "block": lambda r: int(r.name[1:]) // 6}
    found = splits_of(records, keys[by])
    assert len(found) == {"event": 9, "shot": 6, "station": 4, "block": 6}[by]
    assert all(len(splits) == 1 for splits in found.values())
