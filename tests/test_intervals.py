"""Intervals of scores: what is drawn together, how wide they are, and which are shown."""

from __future__ import annotations

import math

import numpy as np
import pytest
from obspy import UTCDateTime
from texts import unaligned

from phasenet_keras import Waveform
from phasenet_keras.io.parts import RecordFacts
from phasenet_keras.training.evaluate import score_picked
from phasenet_keras.training.grouping import drawn_with
from phasenet_keras.training.matching import tolerance_of
from phasenet_keras.training.picked import PickedRecord
from phasenet_keras.training.score_table import markdown_table
from phasenet_keras.training.scores import RecordMatches, score_matches
from phasenet_keras.types import ConfigError, LabelledWaveform, Pick


def test_what_names_and_times_tie_is_drawn_together():
    at = {"start_s": 1e9, "duration_s": 9.0}
    tied = [RecordFacts("a", event="q1 + q2", **at), RecordFacts("b", event="q1")]
    tied += [RecordFacts("c", event="q2"), RecordFacts("d", station="X", **at)]
    later = {"start_s": 1e9 + 3600, "duration_s": 4.0, "sampling_rate": 100.0}
    near = [RecordFacts("", arrivals={"P": (200,), "S": (390,)}, **later)]
    near += [RecordFacts("", **{**later, "start_s": later["start_s"] + 5})]  # before S may end
    assert len(set(drawn_with([*tied, *near]))) == 2
    alone = [RecordFacts("", station="X"), RecordFacts("", station="X")]
    groups = drawn_with([*tied, *alone])
    assert len(set(groups[:4])) == 1
    assert groups[4:] == ["record 4", "record 5"]


@pytest.mark.parametrize(
    ("step_s", "event", "gather", "n_events"),
    [
        (0.5, "", "", 1),  # ten records of one moment are one earthquake's
        (20.0, "", "", 1),  # its P and S windows do not overlap, and may still be of it
        (600.0, "", "", 10),
        (600.0, "quake", "", 1),
        (0.5, "e{}", "shot", 10),
        (0.5, "", "shot {}", 10),
    ],
)
def test_intervals_draw_what_is_of_one_event_gather_or_time(step_s, event, gather, n_events):
    """Windows of 4 s at stations whose S-P is 10 s; every other one has its P picked."""
    t0 = UTCDateTime("2014-08-24T00:00:00")
    found = []
    for n in range(10):
        names = {"event": event.format(n), "gather": gather.format(n)}
        for phase, start in (("P", t0 + n * step_s), ("S", t0 + n * step_s + 10.0)):
            wave = Waveform(np.ones((400, 1)), 100.0, start, ("Z",), f"S{n}")
            record = LabelledWaveform(wave, {phase: (200,)}, name=f"{phase}{n}", **names)
            picks = (Pick(start + 2.0, f"S{n}", phase, 0.9),) * (n % 2)
            found.append(PickedRecord(record, picks, 0.05))
    score = score_picked(found, {"P": 0.5}, tolerance_of("phasenet"))["P"]
    assert (score.n_records, score.n_events, score.recall) == (10, n_events, 0.5)
    low, high = score.recall_interval
    assert (low < 0.5 < high) if n_events == 10 else np.isnan([low, high]).all()


def test_intervals_are_as_wide_as_theory_says():
    """400 events of four records, 80 % found, residuals of 20 ms: 3.92 standard errors."""
    rng = np.random.default_rng(0)
    matches = [
        RecordMatches(1, 2, (float(r),) if rng.random() < 0.8 else (), f"e{n // 4}")
        for n, r in enumerate(rng.normal(0.01, 0.02, 1600))
    ]
    score = score_matches("P", matches, 0.1)
    assert score.n_events == 400
    binomial = math.sqrt(0.8 * 0.2 / 1600)
    for value, interval, error in (
        (score.recall, score.recall_interval, binomial),
        (score.precision, score.precision_interval, binomial / 2),
        (score.f1, score.f1_interval, 2 * binomial / 3),
        (score.residual_mean_s, score.residual_mean_interval_s, 0.02 / math.sqrt(1280)),
        (score.mae_s, score.mae_interval_s, np.std(np.abs(rng.normal(0.01, 0.02, 10**5))) / 35.8),
    ):
        assert interval[0] < value < interval[1]
        assert interval[1] - interval[0] == pytest.approx(3.92 * error, rel=0.12)


def test_intervals_of_two_events_are_those_counted_by_hand():
    """Events a (1 label, 1 pick, 1 match) and b (1 label, 1 pick, none): 0, 1/2 or 1."""
    matches = [RecordMatches(1, 1, (0.02,), "a"), RecordMatches(1, 1, (), "b")]
    score = score_matches("P", matches, 0.1, bootstrap=500)
    assert score.precision_interval == score.recall_interval == score.f1_interval == (0.0, 1.0)
    # Draws without a match have no residual and are left out.
    assert score.mae_interval_s == pytest.approx((0.02, 0.02))
    off = score_matches("P", matches, 0.1, bootstrap=0)
    assert all(math.isnan(v) for v in (*off.precision_interval, *off.mae_interval_s))
    with pytest.raises(ConfigError, match="0 or more; received -1"):
        score_matches("P", matches, 0.1, bootstrap=-1)


def found_and_missed(n_found, n_missed, n_false=0):
    """Scores of events of one label each; the false picks are in the first event."""
    matches = [RecordMatches(1, 1, (0.01,), f"found {n}") for n in range(n_found)]
    matches += [RecordMatches(1, 0, (), f"missed {n}") for n in range(n_missed)]
    matches += [RecordMatches(0, n_false, (), "found 0")] * bool(n_false)
    return score_matches("P", matches, 0.1)


def test_one_event_has_no_interval_and_few_have_one_for_machines_only():
    one = found_and_missed(1, 0, n_false=1)
    assert one.n_events == 1
    intervals = [value for name, value in one.to_dict().items() if "interval" in name]
    assert intervals == [[None, None]] * 5
    four = found_and_missed(3, 1)
    assert four.to_dict()["recall_interval"] == [0.25, 1.0]
    five = found_and_missed(4, 1)
    table = unaligned(markdown_table({"one": {"P": one}, "four": {"P": four}, "five": {"P": five}}))
    assert "| one | P | 0.667 | 0.500 | 1.000 |" in table
    assert "| four | P | 0.857 | 1.000 | 0.750 |" in table
    low, high = five.f1_interval
    assert f"| five | P | 0.889 ({low:.3f}-{high:.3f}) | 1.000 | 0.800 (0.400-1.000) |" in table
    assert table.count("No interval") == 2
    assert "No interval is given for 1 event or 4 events: it takes at least 5.\n" in table
    # the precision of five events
    assert "No interval is given where all draws of events score alike" in table


def test_draws_that_all_agree_do_not_look_like_certainty():
    table = unaligned(markdown_table({"all right": {"P": found_and_missed(6, 0)}}))
    assert "| all right | P | 1.000 | 1.000 | 1.000 |" in table
    assert "all draws of events score alike: others may not." in table
    assert "it takes at least" not in table
    off = score_matches("P", [RecordMatches(1, 1, (), "a"), RecordMatches(1, 1, (), "b")], 0.1, 0)
    assert "No interval" not in markdown_table({"none asked for": {"P": off}})
    no_labels = score_matches("S", [RecordMatches(0, 0, (), str(n)) for n in range(6)], 0.1)
    assert "No interval" not in markdown_table({"nothing to find": {"S": no_labels}})
    some = markdown_table({"some": {"P": found_and_missed(6, 4, n_false=2)}})
    assert "No interval" not in some
    assert some.count(" (0.") == 3
