"""Scores as numbers: rules, tolerances, curves, false picks an hour."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from obspy import UTCDateTime
from texts import unaligned

from phasenet_keras import Picker, Waveform
from phasenet_keras.training.evaluate import (
    choose_thresholds,
    evaluate,
    pick_records,
    score_curves,
    score_picked,
)
from phasenet_keras.training.matching import RULES, tolerance_of
from phasenet_keras.training.picked import PickedRecord, residuals_by_phase, worst_records
from phasenet_keras.training.score_table import markdown_table
from phasenet_keras.training.scores import (
    THRESHOLDS,
    RecordMatches,
    ScoreCurve,
    mean_f1,
    score_curve,
    score_matches,
)
from phasenet_keras.types import ConfigError, LabelledWaveform, Pick, ShapeError

NET_RATE = 100.0


def blank(n_samples=3000, sampling_rate=NET_RATE):
    return Waveform(
        np.ones((n_samples, 1)), sampling_rate, UTCDateTime(0), ("Z",), "XX.A..HH", source="made"
    )


def picked(arrivals, picks, *, n_samples=3000, sampling_rate=NET_RATE, name="r", event=""):
    """A record with picks ``(phase, seconds, probability)``, without a network."""
    wave = blank(n_samples, sampling_rate)
    made = tuple(
        Pick(UTCDateTime(0) + seconds, wave.station, phase, probability)
        for phase, seconds, probability in picks
    )
    return PickedRecord(LabelledWaveform(wave, arrivals, name=name, event=event), made, 0.05)


def spikes(*heights, seed=0):
    """A record of unit noise and spikes: the network's P is 0.27, 0.5, 0.94 at 4, 4.25, 4.75."""
    data = np.random.default_rng(seed).standard_normal((3000, 3))
    for sample, height in heights:
        data[sample] = height
    wave = Waveform(data, NET_RATE, UTCDateTime(0), ("E", "N", "Z"), "XX.A..HH")
    return wave


def test_the_papers_rule_is_a_tenth_of_a_second_and_residuals_within_half_a_second():
    """By hand: residuals of 0.02, -0.1 (just the tolerance), 0.3 and 0.7 s."""
    records = [
        picked({"P": (1000,)}, [("P", 10.0 + residual, 0.9)], name=f"r{n}")
        for n, residual in enumerate((0.02, -0.1, 0.3, 0.7))
    ]
    score = score_picked(records, {"P": 0.5}, tolerance_of("phasenet"))["P"]
    assert (score.n_true, score.n_pred, score.n_matched) == (4, 4, 2)
    assert score.precision == score.recall == score.f1 == 0.5
    assert score.residual_mean_s == pytest.approx((0.02 - 0.1 + 0.3) / 3)
    assert score.residual_std_s == pytest.approx(np.std([0.02, -0.1, 0.3]))
    assert score.mae_s == pytest.approx(0.14)
    assert (score.rule, score.tolerance_s, score.residual_window_s) == ("phasenet", 0.1, 0.5)
    assert (score.threshold, score.n_records, score.n_events) == (0.5, 4, 4)


def test_a_tolerance_overrides_the_rule_and_residuals_are_then_of_the_matches():
    records = [picked({"P": (1000,)}, [("P", 10.0 + dt, 0.9)]) for dt in (0.02, 0.3)]
    score = score_picked(records, {"P": 0.5}, tolerance_of(tolerance_s=0.05))["P"]
    assert (score.n_matched, score.residual_mean_s) == (1, pytest.approx(0.02))
    assert score.residual_window_s is None
    assert "Rule phasenet, with a tolerance of 0.05 s" in score.tolerance.text
    assert "of the matches" in score.tolerance.text
    assert "at most 0.5 s apart" in tolerance_of().text
    assert "tolerance of" not in tolerance_of().text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.05, "0.05 s"), (1 / 3000, "333 µs"), (0.0025, "2.5 ms"), (1e-5, "10 µs"), (0, "0 s")],
)
def test_a_tolerance_is_said_in_a_unit_that_shows_its_digits(seconds, words):
    assert f"if they are at most {words} apart" in tolerance_of(tolerance_s=seconds).text


def test_samples_are_samples_of_each_record():
    """Two samples off at 100 Hz and at 2 kHz: both within 3 samples, one within 3 ms."""
    records = [
        picked({"P": (100,)}, [("P", 102 / rate, 0.9)], sampling_rate=rate)
        for rate in (100.0, 2000.0)
    ]
    by_samples = score_picked(records, {"P": 0.5}, tolerance_of(tolerance_samples=3))["P"]
    assert by_samples.n_matched == 2
    assert by_samples.tolerance_s == pytest.approx(0.03)
    assert score_picked(records, {"P": 0.5}, tolerance_of(tolerance_s=0.003))["P"].n_matched == 1
    assert "3 samples" in by_samples.tolerance.text
    assert by_samples.tolerance == tolerance_of(tolerance_samples=3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rule": "phasnet"}, r"no rule 'phasnet'.*Did you mean 'phasenet'"),
        ({"tolerance_s": 0.1, "tolerance_samples": 3}, "not both"),
        ({"tolerance_s": -0.1}, r"tolerance_s is a number of 0 or more, received -0.1"),
        ({"tolerance_samples": math.nan}, "tolerance_samples is a number"),
        ({"tolerance_s": "0.1"}, "received '0.1'"),
    ],
)
def test_rules_and_tolerances_that_make_no_sense_are_refused(options, words):
    with pytest.raises(ConfigError, match=words):
        tolerance_of(**options)
    assert list(RULES) == ["phasenet"]


def test_nothing_picked_has_no_number_and_json_says_null():
    score = score_matches("P", [RecordMatches(1, 0, (), "a")], 0.1)
    assert score.precision == score.recall == score.f1 == 0.0
    values = score.to_dict()
    assert values["residual_mean_s"] is None
    assert values["mae_interval_s"] == values["precision_interval"] == [None, None]
    json.dumps(values, allow_nan=False)
    assert "nan" not in markdown_table({"x": {"P": score}})
    assert (score.noise_hours, score.hours_between) == (0.0, 0.0)
    empty = score_matches("P", [], 0.1)
    assert (empty.n_true, empty.precision, empty.recall, empty.f1) == (0, 0.0, 0.0, 0.0)
    assert math.isnan(score_curve("P", {}).best_threshold(0.3))


def test_a_mean_f1_is_of_the_phases_with_labels():
    scores = {
        "P": score_matches("P", [RecordMatches(3, 1, (0.0,), "a")], 0.1),
        "S": score_matches("S", [RecordMatches(1, 1, (0.0,), "a")], 0.1),
        "none": score_matches("none", [RecordMatches(0, 2, (), "a")], 0.1),
    }
    assert mean_f1(scores) == (0.5 + 1.0) / 2
    assert mean_f1({"none": scores["none"]}, without=-1.0) == -1.0
    assert math.isnan(mean_f1({}))


def test_thresholds_are_twentieths_between_0_and_1():
    assert [round(20 * threshold, 9) for threshold in THRESHOLDS] == list(range(1, 20))


def test_the_table_says_the_rule():
    score = score_picked([picked({"P": (1000,)}, [("P", 10.0, 0.9)])], {"P": 0.5}, tolerance_of())
    table = markdown_table({"one": score, "two": score})
    assert table.count("Rule phasenet: a pick and a label of one phase match if they are at") == 1
    assert "| one | P | 1.000 | 1.000 | 1.000 |" in unaligned(table)
    lines = [line for line in table.splitlines() if "|" in line]
    places = [[n for n, letter in enumerate(line) if letter == "|"] for line in lines]
    assert len(places[0]) == 9
    assert all(place == places[0] for place in places)


def test_false_picks_an_hour_of_noise_and_between_arrivals():
    """By hand, 0.1 s: 30 s of noise with two S picks; P and S parts as counted below."""
    records = [
        picked({"P": (1000,), "S": ()}, [("S", 5.0, 0.9), ("S", 10.05, 0.8), ("P", 20.0, 0.7)]),
        # Arrivals 0.1 s apart cover 0.3 s; the P pick at the S arrival is beside an arrival.
        picked({"P": (1000,), "S": (1010,)}, [("P", 10.15, 0.9), ("P", 3.0, 0.9)]),
        # An arrival at sample 0: half of its surroundings are outside of the record.
        picked({"P": (0,)}, []),
    ]
    scores = score_picked(records, {"P": 0.5, "S": 0.5}, tolerance_of())
    assert scores["S"].noise_hours == pytest.approx(30 / 3600)
    assert scores["S"].false_picks_per_hour == pytest.approx(2 / (30 / 3600))
    assert scores["S"].hours_between == pytest.approx(29.7 / 3600)
    assert scores["S"].false_picks_per_hour_between == 0.0
    assert math.isnan(scores["P"].false_picks_per_hour)
    assert scores["P"].hours_between == pytest.approx((29.8 + 29.7 + 29.9) / 3600)
    assert scores["P"].false_picks_per_hour_between == pytest.approx(2 / (89.4 / 3600))


def test_a_threshold_and_a_tolerance_are_inclusive():
    record = picked({"P": (1000,)}, [("P", 10.1, 0.5), ("P", 20.0, 0.499)])
    score = score_picked([record], {"P": 0.5}, tolerance_of(tolerance_s=0.1))["P"]
    assert (score.n_pred, score.n_matched) == (1, 1)
    assert score.false_picks_per_hour_between == 0.0


def test_what_several_arrivals_cover_counts_once():
    together = [0, 1000, 1000, 1005, 2999]  # 0.1, 0.2, nothing, 0.05 and, with 10 ms behind, 0.11
    record = picked({"P": tuple(together), "S": (1005,)}, [])
    score = score_picked([record], {"P": 0.5}, tolerance_of())["P"]
    assert score.hours_between == pytest.approx((30 - 0.46) / 3600, rel=1e-9)


def test_given_noise_counts_an_hour_but_not_for_precision(spike_net):
    labelled = LabelledWaveform(spikes((1000, 10.0)), {"P": (1000,)})
    noise = [spikes((500, 10.0), (2500, 10.0)), LabelledWaveform(spikes(), {}, name="still")]
    done = []
    score = evaluate(
        Picker(spike_net),
        [labelled],
        noise_records=noise,
        on_record=lambda n, m: done.append((n, m)),
    )["P"]
    assert (score.n_pred, score.n_matched, score.precision) == (1, 1, 1.0)
    assert score.noise_hours == pytest.approx(60 / 3600)
    assert score.false_picks_per_hour == pytest.approx(120.0)
    assert done == [(1, 3), (2, 3), (3, 3)]
    with pytest.raises(ConfigError, match="is no noise: it has arrivals of P"):
        evaluate(Picker(spike_net), [labelled], noise_records=[labelled])


def test_one_pass_gives_the_scores_of_every_threshold(spike_net):
    """As if picked anew at each threshold, with decoys closer than the least distance."""
    records = [
        LabelledWaveform(
            spikes((1000, 4.6), (1030, 4.4), (2000, 4.0 + 0.1 * n), (2020, 4.25), seed=n),
            {"P": (1000,), "S": ()},
            name=f"r{n}",
        )
        for n in range(8)
    ]
    picker = Picker(spike_net)
    tolerance = tolerance_of(tolerance_samples=5)
    once = pick_records(picker, records, lowest=0.05)
    curve = score_curves(once, ("P", "S"), tolerance)["P"]
    assert len(set(curve.n_pred)) > 3
    for number, threshold in enumerate(curve.thresholds):
        anew = Picker(spike_net, thresholds={"P": threshold, "S": threshold})
        score = evaluate(anew, records, tolerance_samples=5, bootstrap=0)["P"]
        assert (score.n_pred, score.n_matched) == (curve.n_pred[number], curve.n_matched[number])
        assert score.f1 == curve.f1[number]
        assert score_picked(once, anew.thresholds, tolerance, bootstrap=0)["P"].f1 == score.f1
    chosen = choose_thresholds(picker, records, 5)
    assert chosen["P"] == curve.best_threshold(0.3)
    assert picker.thresholds == {"P": 0.3, "S": 0.3}


def test_picks_below_the_lowest_are_not_made_up(spike_net):
    once = pick_records(Picker(spike_net), [LabelledWaveform(spikes(), {"P": ()})], lowest=0.2)
    with pytest.raises(ConfigError, match=r"picked from probability 0.2 up, P is wanted from 0.1"):
        score_picked(once, {"P": 0.1}, tolerance_of())


def test_a_record_that_cannot_be_run_is_named(spike_net):
    wave = Waveform(np.ones((300, 1)), 1.0, UTCDateTime(0), ("Z",), "XX.A..HH")
    with pytest.raises((ConfigError, ShapeError), match="record slow: "):
        pick_records(Picker(spike_net), [LabelledWaveform(wave, {"P": ()}, name="slow")])


SOME_PICKS = st.lists(
    st.tuples(st.sampled_from("PS"), st.floats(0, 29), st.floats(0.05, 1.0)), max_size=12
)


SOME_LABELS = st.lists(st.floats(0, 2900), max_size=4).map(tuple)


@given(
    rows=st.lists(
        st.tuples(SOME_LABELS, st.none() | SOME_LABELS, SOME_PICKS), min_size=1, max_size=5
    ),
    tolerance_s=st.floats(0, 5),
)
def test_curves_are_monotonous_and_counts_add_up(rows, tolerance_s):
    records = [
        picked({"P": p} if s is None else {"P": p, "S": s}, picks, name=str(n))
        for n, (p, s, picks) in enumerate(rows)
    ]
    tolerance = tolerance_of(tolerance_s=tolerance_s)
    for phase, curve in score_curves(records, "PS", tolerance).items():
        known = [one for one in records if phase in one.record.arrivals]
        assert curve.n_true == sum(len(one.record.arrivals[phase]) for one in known)
        assert (np.diff(curve.recall) <= 0).all()
        assert (np.diff(curve.n_pred) <= 0).all()
        assert (np.diff(curve.n_matched) <= 0).all()
        for n, threshold in enumerate(curve.thresholds):
            n_pred = sum(
                p.phase == phase and p.probability >= threshold for one in known for p in one.picks
            )
            assert curve.n_pred[n] == n_pred
            assert curve.n_matched[n] <= min(n_pred, curve.n_true)
            assert 0.0 <= curve.f1[n] <= 1.0
        if max(curve.f1) > 0:
            highest, chosen = max(curve.f1), curve.best_threshold(0.3)
            error = math.sqrt(highest * (1 - highest) / curve.n_true)
            good = [t for t, f1 in zip(curve.thresholds, curve.f1, strict=True)
                    if f1 >= highest - error]  # fmt: skip
            assert chosen in good
            assert all(abs(chosen - 0.3) <= abs(other - 0.3) for other in good)
        else:
            assert math.isnan(curve.best_threshold(0.3))
        score = score_picked(records, {phase: 0.5}, tolerance, bootstrap=0)[phase]
        assert (score.n_pred, score.n_matched) == (
            curve.n_pred[curve.thresholds.index(0.5)],
            curve.n_matched[curve.thresholds.index(0.5)],
        )
        errors = worst_records(records, {phase: score}, len(records))
        assert sum(e.n_missed for e in errors) == score.n_true - score.n_matched
        assert sum(e.n_false for e in errors) == score.n_pred - score.n_matched
        total_s = 3600 * (score.noise_hours + score.hours_between)
        assert 0.0 <= total_s <= 30.0 * len(known) + 1e-6


def test_the_worst_come_first_and_are_put_in_words():
    records = [
        picked({"P": (1000,), "S": (2000,)}, [("P", 10.01, 0.9), ("S", 20.0, 0.9)], name="good"),
        picked({"P": (1000,)}, [("P", 10.05, 0.9)], name="late"),
        picked({"P": (1000,)}, [("P", 11.0, 0.9)], name="wrong"),
        picked({"P": (1000,)}, [("P", 10.0, 0.2)], name="missed"),
        picked({}, [("P", 10.0, 0.2)], name="unknown"),
    ]
    scores = score_picked(records, {"P": 0.5, "S": 0.5}, tolerance_of())
    errors = worst_records(records, scores)
    assert [e.picked.record.name for e in errors] == ["wrong", "missed", "late", "good"]
    assert [e.text for e in errors] == [
        "P 1 missed, 1 false",
        "P 1 missed",
        "P +50 ms",
        "P +10 ms; S +0 ms",
    ]
    shown = [[(pick.phase, pick.time) for pick in e.picked.picks] for e in errors]
    assert shown[:2] == [[("P", UTCDateTime(11))], []]
    assert shown[3] == [("P", UTCDateTime(10.01)), ("S", UTCDateTime(20))]
    close = picked({"P": (1000,), "S": (2000,)}, [("P", 10.00005, 0.9), ("S", 20.02, 0.9)])
    assert worst_records([close], scores)[0].text == "P +0.05 ms; S +20 ms"  # one unit
    assert worst_records([records[2], close], scores)[1].text == "P +0.05 ms; S +20 ms"
    alone = picked({"P": (1000,)}, [("P", 10.00005, 0.9)])
    assert worst_records([alone], scores)[0].text == "P +50 µs"
    assert worst_records([picked({"P": ()}, [])], scores)[0].text == "nothing to find"
    early = picked({"P": (1000,)}, [("P", 9.92, 0.9)], name="early")
    late = picked({"P": (1000,)}, [("P", 10.07, 0.9)], name="late")
    first = worst_records([late, early], scores)[0]
    assert (first.picked.record.name, first.text) == ("early", "P -80 ms")
    assert first.largest_residual_s == pytest.approx(0.08)
    assert len(worst_records(records, scores, 2)) == 2


def test_residuals_beyond_the_tolerance_are_for_the_histogram():
    records = [picked({"P": (1000,)}, [("P", 10.0 + dt, 0.9)]) for dt in (0.05, 0.45, 0.6)]
    scores = score_picked(records, {"P": 0.5}, tolerance_of())
    assert residuals_by_phase(records, scores)["P"] == pytest.approx([0.05, 0.45])
    scores = score_picked(records, {"P": 0.5}, tolerance_of(tolerance_samples=12))
    assert residuals_by_phase(records, scores)["P"] == pytest.approx([0.05, 0.45, 0.6])


@pytest.mark.parametrize(
    ("n_true", "f1", "chosen"),
    [
        (16, (0.20, 0.15, 0.10), 0.3),  # 16 labels cannot tell 0.20 from 0.15
        (10_000, (0.20, 0.15, 0.10), 0.05),
        (10_000, (0.60, 0.60, 0.60), 0.3),
        (50, (0.10, 0.40, 0.90), 0.8),
    ],
)
def test_few_labels_do_not_move_a_threshold_far(n_true, f1, chosen):
    zeros = (0,) * 3
    curve = ScoreCurve("S", n_true, (0.05, 0.3, 0.8), zeros, zeros, f1, f1, f1)
    assert curve.best_threshold(0.3) == chosen


def test_scores_without_a_value_are_like_themselves():
    """To Python 3.13 the fields of two instances differ where both are NaN."""
    [one] = score_picked([picked({"P": (100.0,)}, [])], {"P": 0.3}, tolerance_of()).values()
    assert math.isnan(one.mae_s)
    assert math.isnan(one.false_picks_per_hour)
    other = replace(one, mae_s=np.float64("nan"), f1_interval=(float("nan"), float("nan")))
    assert one == other
    assert len({one, other}) == 1
    assert one != replace(one, mae_s=0.0)
    assert one != one.to_dict()
