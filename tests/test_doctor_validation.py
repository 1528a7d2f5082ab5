"""The doctor says where the validation records cannot judge: one moment, or no label found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from obspy import UTCDateTime

from phasenet_keras import Waveform
from phasenet_keras.training.checks_data import check_variety
from phasenet_keras.training.config import TrainConfig
from phasenet_keras.training.doctor import check_found
from phasenet_keras.training.learner import Learner
from phasenet_keras.training.train import train
from phasenet_keras.training.transfer import strategy_of
from phasenet_keras.types import LabelledWaveform

T0 = UTCDateTime("2021-05-06T07:08:09")
SETTINGS = {
    "batch_size": 4,
    "epochs": 1,
    "window_samples": 512,
    "shift_samples": 32,
    "learning_rate": 1e-6,
    "windows_per_record": 1,
    "augmentation": [],
    "refit": False,
}


def at_times(*starts_s, first=0, t0=T0, **fields):
    """Records of 5.12 s with a spike, labelled P, and an S with nothing at it."""
    records = []
    for number, start_s in enumerate(starts_s, start=first):
        data = 0.05 * np.random.default_rng(number).standard_normal((512, 1))
        data[200] = 2.0
        wave = Waveform(data, 100.0, t0 + start_s, ("Z",), f"S{number}")
        arrivals = {"P": (200,), "S": (400,)}
        records.append(LabelledWaveform(wave, arrivals, name=f"r{number}", **fields))
    return records


def test_records_that_overlap_are_one_moment():
    [finding] = check_variety(at_times(0, 1, 2.5))
    assert finding.name == "validation of one moment"
    # from the first beginning to the last end: 2.5 s and 512 samples
    assert (
        "all 3 validation records overlap in time, 7.62 s from 2021-05-06T07:08:09" in finding.text
    )
    [finding] = check_variety(at_times(0))
    assert "there is 1 validation record, 5.12 s from" in finding.text
    [finding] = check_variety(at_times(0, 1, event="one"))
    assert "say nothing of others" in finding.text


UNDATED = UTCDateTime(0)


@pytest.mark.parametrize(
    ("records", "kind", "said"),
    [
        (
            at_times(0, 0, t0=UNDATED, event="q7"),
            "event",
            "all 2 validation records are of 1 event, q7",
        ),
        (
            at_times(0, 0, t0=UNDATED, gather="s3"),
            "gather",
            "all 2 validation records are of 1 gather, s3",
        ),
        (at_times(0, 900, event="q7"), "event", "of 1 event, q7"),  # whatever the times
        (
            at_times(0, t0=UNDATED, event="q7"),
            "event",
            "there is 1 validation record, of 1 event, q7",
        ),
        (at_times(0, t0=UNDATED), "event", "there is 1 validation record, so that"),
    ],
)
def test_records_of_one_name_are_one_event_or_shot(records, kind, said):
    [finding] = check_variety(records)
    assert finding.name == f"validation of one {kind}"
    assert said in finding.text
    assert f"label records of other {kind}s" in finding.text
    assert f"phasenet-keras prepare --split-by {kind} takes two" in finding.text


@pytest.mark.parametrize(
    ("records", "why"),
    [
        (at_times(0, 1, 60), "two moments"),
        (at_times(0, 0, 0, t0=UTCDateTime(0)), "no times are known: as of simulations"),
        ([*at_times(0, 1), *at_times(0, t0=UTCDateTime(0))], "one of them without a time"),
        (at_times(0, event="a") + at_times(1, event="b"), "two events by name"),
        (at_times(0, gather="a") + at_times(1, gather="b"), "two shots by name"),
        ([], "none"),
        (at_times(0, 0, t0=UNDATED, event="a + b"), "two events in each"),
        (
            at_times(0, t0=UNDATED, event="a") + at_times(0, t0=UNDATED),
            "one of no event: perhaps of another",
        ),
    ],
)
def test_no_moment_is_made_up(records, why):
    assert check_variety(records) == [], why


def test_labels_that_nobody_finds_are_told_by_phase():
    labels = {"P": 12, "S": 7, "Pn": 0}
    [finding] = check_found(labels, {"P": 1, "S": 0}, 10.0)
    assert finding.name == "no label found"
    assert finding.text.startswith("of 7 labels of S in the validation records neither the parent")
    assert "within 10 samples" in finding.text
    assert len(check_found(labels, {}, 10.0)) == 2
    assert check_found(labels, {"P": 1, "S": 1}, 10.0) == []


@pytest.fixture
def parent(make_net):
    """It picks P at upward spikes, and S nowhere here."""
    return make_net(channels=("Z",), window_samples=512, depth=2)


@pytest.fixture
def settings():
    return TrainConfig.from_dict(SETTINGS)


def test_a_run_says_both(parent, settings, tmp_path):
    sets = at_times(*range(0, 480, 60)), at_times(1000, 1001, 1002, 1003, first=50)
    result = train(parent, *sets, tmp_path / "run", config=settings)
    found = {finding.name: finding.text for finding in result.findings}
    assert "all 4 validation records overlap in time" in found["validation of one moment"]
    assert "of 4 labels of S in the validation records" in found["no label found"]
    assert "labels of P" not in found["no label found"]
    report = (tmp_path / "run" / "report.md").read_text(encoding="utf-8")
    assert "- **validation of one moment**: " in report
    assert "- **no label found**: " in report


def test_a_run_of_several_moments_whose_labels_are_found_says_neither(parent, settings, tmp_path):
    sets = [
        [replace(record, arrivals={"P": record.arrivals["P"]}) for record in records]
        for records in (at_times(*range(0, 480, 60)), at_times(1000, 2000, first=50))
    ]
    result = train(parent, *sets, tmp_path / "run", config=settings)
    told = {finding.name for finding in result.findings}
    assert not told & {"validation of one moment", "no label found"}


def test_what_was_found_before_a_run_was_killed_counts(parent, settings, tmp_path):
    records = at_times(*range(0, 240, 60))

    def learner():
        return Learner(
            parent, records, records[:2], strategy_of("finetune"), settings, parent.preset
        )

    first = learner()
    first.dev_found = {"P": 0, "S": 2}
    first.save(tmp_path, [first.run_epoch(0)])
    again = learner()
    assert again.dev_found == {"P": 0, "S": 0}
    again.resume(tmp_path)
    assert again.dev_found == {"P": 2, "S": 2}
