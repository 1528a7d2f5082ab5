"""What the labels of neighbouring records tell without a look at a waveform."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_runs import small_parent

from phasenet_keras.training.compare import compare
from phasenet_keras.training.config import TrainConfig
from phasenet_keras.training.neighbours import NEIGHBOURS, foretold
from phasenet_keras.training.proof import before_and_after
from phasenet_keras.training.recommendation import recommendation
from phasenet_keras.training.triggers import TRIGGER
from phasenet_keras.training.ways import TRAINED
from phasenet_keras.types import LabelledWaveform, Waveform

RATE_HZ = 100.0


def line(samples_by_name, start="1970-01-01", **also):
    """Records of noise whose P is where it is said to be."""
    rng = np.random.default_rng(1)
    return [
        LabelledWaveform(
            Waveform(rng.normal(size=(512, 1)), RATE_HZ, start, ("Z",), name),
            {"P": (sample,)}, name, **also,
        )
        for name, sample in samples_by_name.items()
    ]  # fmt: skip


def samples_of(picked):
    return [
        {p.phase: (p.time - one.record.waveform.start_time) * RATE_HZ for p in one.picks}
        for one in picked
    ]


def test_names_are_in_the_order_of_their_numbers_and_ends_have_the_nearest_label():
    known = line({"r8": 80.0, "r9": 90.0, "r12": 150.0})
    test = line({"r10": 0.0, "r11": 0.0, "r13": 0.0, "r7": 0.0})
    found = [one["P"] for one in samples_of(foretold(test, known))]
    assert found == pytest.approx([110.0, 130.0, 150.0, 80.0])


@given(
    slope=st.floats(-3, 3),
    known=st.sets(st.integers(0, 40), min_size=2, max_size=20),
    others=st.sets(st.integers(0, 40), min_size=1, max_size=20),
)
def test_times_that_grow_evenly_are_foretold_exactly_between_known_ones(slope, known, others):
    everything = line({f"r{n}": 200.0 + slope * n for n in range(41)})
    inside = [n for n in sorted(others - known) if min(known) < n < max(known)]
    found = foretold([everything[n] for n in range(41) if n not in known],
                     [everything[n] for n in sorted(known)])  # fmt: skip
    told = dict(zip((n for n in range(41) if n not in known), samples_of(found), strict=True))
    for n in inside:
        assert told[n]["P"] == pytest.approx(200.0 + slope * n, abs=1e-3)


@pytest.mark.parametrize("told_apart_by", ["event", "gather"])
def test_records_that_are_told_apart_have_no_neighbours(told_apart_by):
    known, test = line({"a1": 80.0, "a3": 90.0}), line({"a2": 85.0})
    assert len(foretold(test, known)) == 1
    known, test = ([replace(r, **{told_apart_by: r.name}) for r in of] for of in (known, test))
    assert foretold(test, known) == []
    assert foretold(test, []) == []


def test_neighbours_of_a_gather_are_its_own():
    known = [
        *line({"a1": 80.0, "a3": 90.0}, gather="one"),
        *line({"b1": 180.0, "b3": 160.0}, gather="two"),
    ]
    test = [*line({"b2": 0.0}, gather="two"), *line({"a2": 0.0}, gather="one")]
    found = foretold([*test, *line({"c1": 0.0}, gather="three")], known)
    assert samples_of(found) == [{"P": 170.0}, {"P": 85.0}, {}]


@pytest.mark.parametrize(("dates", "n_told"), [((1, 2, 3), 0), ((1, 1, 1), 1)])
def test_dated_records_have_those_of_their_moment_for_neighbours(dates, n_told):
    a1, a2, a3 = (
        line({f"a{n}": 80.0}, f"2024-01-0{date}")[0] for n, date in enumerate(dates, start=1)
    )
    assert len(foretold([a2], [a1, a3])) == n_told


def test_a_phase_that_nobody_has_and_a_time_behind_the_record_are_no_picks():
    known, test = line({"a1": 500.0, "a3": 510.0}), line({"a2": 100.0})
    known = [replace(one, arrivals={**one.arrivals, "S": ()}) for one in known]
    short = replace(test[0], waveform=replace(test[0].waveform, data=np.ones((400, 1))))
    assert set(samples_of(foretold(test, known))[0]) == {"P"}
    assert foretold([short], known)[0].picks == ()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("of 2019", "of 2019"),
        ("of 2019, moved",) * 2,
        (NEIGHBOURS, f"parent {NEIGHBOURS}"),
        (TRIGGER, f"parent {TRIGGER}"),
    ],
)
def test_what_neighbours_tell_is_a_row_before_the_trained_network_and_a_finding(name, shown):
    """Records of noise: no network finds what lies on a straight line, however it is called."""
    parent = small_parent()
    parent = parent.with_preset(replace(parent.preset, name=name))
    records = line({f"r{n}": 100.0 + 3 * n for n in range(20)})
    known, test = records[::2], records[1::2]
    proof = before_and_after(parent, small_parent(2), test, 5, known=known)
    assert list(proof.scores) == [shown, "regional", TRIGGER, NEIGHBOURS, TRAINED]
    assert proof.scores[NEIGHBOURS]["P"].f1 == 1.0
    assert "looks at no waveform" in proof.text
    assert f"F1 of '{TRAINED}' less that of '{NEIGHBOURS}': P " in proof.text
    [finding] = [f for f in proof.findings() if f.name == "neighbours say as much"]
    assert "mean F1 of 1.000 in the test records, the network that is kept 0.000" in finding.text


def test_what_neighbours_tell_is_no_row_where_a_network_finds_more():
    rng = np.random.default_rng(3)
    scattered = {f"r{n}": float(rng.integers(50, 450)) for n in range(20)}
    records = line(scattered)
    proof = before_and_after(small_parent(), None, records[1::2], 5, known=records[::2])
    assert NEIGHBOURS not in proof.scores
    assert proof.findings() == ()


@pytest.mark.parametrize(("event", "is_said"), [("", True), ("quake", False)])
def test_a_comparison_says_what_neighbours_tell_where_they_tell_as_much(event, is_said, tmp_path):
    """Every second record is a test: known on both sides, unless events tell them apart."""
    records = line({f"r{n}": 100.0 + 3 * n for n in range(20)})
    splits = ["train", "test", "dev", "test"] * 5
    records = [
        replace(r, split=split, event=event and f"{event} {n}")
        for n, (r, split) in enumerate(zip(records, splits, strict=True))
    ]
    config = TrainConfig(epochs=1, batch_size=8, window_samples=256, tolerance_samples=5)
    found = compare(small_parent(), records, tmp_path, strategies="finetune", config=config)
    said = (
        "The labels of neighbouring records alone, without a look at a waveform, come to P F1 1.000"
    )
    assert (said in recommendation(found)) == is_said
    assert set(found.neighbours) == ({"P"} if is_said else set())
