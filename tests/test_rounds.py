"""Rounds of self-training: which is the best, and when another is worth it."""

from __future__ import annotations

import math

import pytest

from phasenet_keras.training.rounds import (
    SelfTrainRound,
    best_round,
    goes_on,
    read_rounds,
    write_rounds,
)
from phasenet_keras.training.scores import RecordMatches, score_matches


@pytest.mark.parametrize(
    ("f1s", "best"),
    [
        ([0.6], 0),
        ([0.6, 0.8, 0.7], 1),
        ([0.6, 0.6], 0),
        ([math.nan, 0.1], 1),
        ([0.6, math.nan], 0),
        ([math.nan, math.nan], 0),
    ],
)
def test_the_best_round_has_the_highest_validation_f1(f1s, best):
    assert best_round(f1s) == best


@pytest.mark.parametrize(
    ("f1s", "rounds", "on"),
    [
        ([0.6], 3, True),
        ([0.6, 0.7], 3, True),
        ([0.6, 0.7, 0.8, 0.9], 3, False),
        ([0.6, 0.6], 3, False),
        ([0.6, 0.5], 3, False),
        ([0.6, 0.7, 0.65], 3, False),
        ([0.6, math.nan], 3, False),
    ],
)
def test_another_round_is_worth_it_only_while_the_last_was_the_best(f1s, rounds, on):
    assert goes_on(f1s, rounds) is on


def test_rounds_that_are_read_are_those_that_were_written(tmp_path):
    """All intervals are tuples again, not that of F1 alone."""
    matches = [RecordMatches(1, 1, (0.01 * n,), f"e{n}") for n in range(6)]
    scores = {"P": score_matches("P", matches, 0.1, bootstrap=20)}
    rounds = [SelfTrainRound(1, 0.5, scores, {"P": {"chosen": 3}})]
    write_rounds(rounds, tmp_path / "rounds.json")
    [read] = read_rounds(tmp_path / "rounds.json")
    assert read.scores["P"].mae_interval_s == scores["P"].mae_interval_s != (0.0, 0.0)
    assert repr(read.scores["P"]).count("interval=(") == repr(scores["P"]).count("interval=(") == 3
