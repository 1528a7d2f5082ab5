from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from obspy import UTCDateTime
from texts import unaligned

from phasenet_keras import Picker, Waveform
from phasenet_keras.io.parts import BadRow
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.training.evaluate import choose_thresholds, evaluate
from phasenet_keras.training.matching import match_picks
from phasenet_keras.training.score_table import markdown_table
from phasenet_keras.training.scores import RecordMatches, score_matches
from phasenet_keras.types import ConfigError, LabelledWaveform


def test_closest_pairs_match_first_and_once():
    assert match_picks([10, 12], [11.5], 2) == [(1, 0)]
    assert match_picks([10, 12], [11, 13], 2) == [(0, 0), (1, 1)]
    assert match_picks([10], [9, 11], 2) == [(0, 0)]
    assert match_picks([0.1], [0.0], 0.1) == [(0, 0)]
    assert match_picks([0.1001], [0.0], 0.1) == []
    assert match_picks([], [1.0], 1) == match_picks([1.0], [], 1) == []


@given(
    picked=st.lists(st.floats(0, 100), max_size=12),
    labels=st.lists(st.floats(0, 100), max_size=12),
    tolerance=st.floats(0, 20),
)
def test_matches_are_one_to_one_and_within_the_tolerance(picked, labels, tolerance):
    pairs = match_picks(picked, labels, tolerance)
    assert len({p for p, _ in pairs}) == len({q for _, q in pairs}) == len(pairs)
    assert all(abs(picked[p] - labels[q]) <= tolerance + 1e-9 for p, q in pairs)
    # No pair is left that could still be matched.
    left_p = set(range(len(picked))) - {p for p, _ in pairs}
    left_q = set(range(len(labels))) - {q for _, q in pairs}
    assert all(abs(picked[p] - labels[q]) > tolerance for p in left_p for q in left_q)


def test_scores_of_a_case_worked_by_hand():
    matches = [
        RecordMatches(1, 2, (0.02,), "a"),
        RecordMatches(2, 1, (-0.04,), "b"),
        RecordMatches(1, 0, (), "c"),
    ]
    score = score_matches("P", matches, 0.1, bootstrap=200)
    assert (score.n_true, score.n_pred, score.n_matched) == (4, 3, 2)
    assert score.precision == pytest.approx(2 / 3)
    assert score.recall == pytest.approx(1 / 2)
    assert score.f1 == pytest.approx(4 / 7)
    assert score.residual_mean_s == pytest.approx(-0.01)
    assert score.residual_std_s == pytest.approx(0.03)
    assert score.mae_s == pytest.approx(0.03)
    assert 0.0 <= score.f1_interval[0] <= score.f1 <= score.f1_interval[1] <= 1.0
    assert "| mine | P | 0.571" in unaligned(markdown_table({"mine": {"P": score}}))


def test_copies_of_an_event_do_not_narrow_the_interval():
    """By event: ten records of one event are one observation."""
    rng = np.random.default_rng(0)
    hits = rng.random(20) < 0.5
    one = [RecordMatches(1, 1, (0.0,) * int(hit), f"e{n}") for n, hit in enumerate(hits)]
    copies = [match for match in one for _ in range(10)]
    alone = [RecordMatches(m.n_true, m.n_pred, m.residuals_s, str(n)) for n, m in enumerate(copies)]
    assert score_matches("P", copies, 1).f1_interval == score_matches("P", one, 1).f1_interval
    low, high = score_matches("P", alone, 1).f1_interval
    wide_low, wide_high = score_matches("P", copies, 1).f1_interval
    assert high - low < 0.5 * (wide_high - wide_low)


def test_the_chosen_threshold_is_the_middle_of_the_best(spike_net):
    """Spikes whose P is about 0.98, and decoys of about 0.4 to be kept out."""
    records = []
    for n in range(6):
        data = 0.05 * np.random.default_rng(n).standard_normal((3000, 3))
        data[1000], data[2000] = 0.25, 0.212
        wave = Waveform(data, 100.0, UTCDateTime(0), ("E", "N", "Z"), "A")
        records.append(LabelledWaveform(wave, {"P": (1000,)}, name=f"r{n}"))
    picker = Picker(spike_net)
    before = evaluate(picker, records, tolerance_samples=5)["P"].f1
    chosen = choose_thresholds(picker, records, tolerance_samples=5)
    after = Picker(spike_net, thresholds=chosen)
    assert before < evaluate(after, records, tolerance_samples=5)["P"].f1 == 1.0
    assert 0.3 < chosen["P"] < 0.9
    assert chosen["S"] == 0.3
    assert picker.thresholds == {"P": 0.3, "S": 0.3}


def test_picks_of_a_network_are_scored_in_seconds_or_samples(spike_net):
    records = []
    for n in range(4):
        data = 0.05 * np.random.default_rng(n).standard_normal((3000, 3))
        data[1000] += 30.0
        wave = Waveform(data, 100.0, UTCDateTime(0), ("E", "N", "Z"), "A")
        arrivals = {"P": (1000 + 4 * n,)} if n else {"P": (1000,), "S": ()}
        records.append(LabelledWaveform(wave, arrivals))
    scores = evaluate(Picker(spike_net), records, tolerance_samples=8)
    assert (scores["P"].n_true, scores["P"].n_pred, scores["P"].n_matched) == (4, 4, 3)
    assert scores["P"].residual_mean_s == pytest.approx(-0.04, abs=1e-6)
    assert scores["S"].n_true == 0
    assert evaluate(Picker(spike_net), records, tolerance_s=0.12)["P"].f1 == 1.0
    with pytest.raises(ConfigError, match="not both"):
        evaluate(Picker(spike_net), records, tolerance_s=1, tolerance_samples=1)
    with pytest.raises(ConfigError, match="no records"):
        evaluate(Picker(spike_net), [])


def test_labels_of_phases_that_are_not_picked_are_said(spike_net):
    wave = Waveform(
        np.random.default_rng(0).standard_normal((3000, 3)),
        100.0,
        UTCDateTime(0),
        ("E", "N", "Z"),
        "A",
    )
    other, usual = LabelledWaveform(wave, {"p": (500,)}), LabelledWaveform(wave, {"P": (500,)})
    picker = Picker(spike_net)
    words = "arrivals of p are ignored, the network's phases are P, S: rename them"
    with pytest.raises(ConfigError, match=f"no record has labels of P or S: {words}"):
        evaluate(picker, [other, other])
    with pytest.warns(RecordWarning, match=words):
        assert evaluate(picker, [other, usual], bootstrap=0)["P"].n_true == 1
    assert evaluate(picker, [LabelledWaveform(wave, {})]) == {}


def test_what_is_no_labelled_record_is_refused(spike_net):
    picker = Picker(spike_net)
    with pytest.raises(ConfigError, match=r"number 1 is a row that gave none \(row 3: why\)"):
        evaluate(picker, [BadRow(3, "why")])
    with pytest.raises(ConfigError, match="records are LabelledWaveform; number 1 is a str"):
        evaluate(picker, ["r1"])
