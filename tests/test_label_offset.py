"""Picks that are right but for a constant time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from obspy import UTCDateTime
from records import records_with_spikes

from phasenet_keras import Waveform, write_dataset
from phasenet_keras.cli import main
from phasenet_keras.score_report import write_scores
from phasenet_keras.training.evaluate import score_picked
from phasenet_keras.training.label_offset import label_offsets, moved
from phasenet_keras.training.matching import tolerance_of
from phasenet_keras.training.picked import PickedRecord
from phasenet_keras.types import LabelledWaveform, Pick

RATE_HZ = 2000.0


def picked_records(residuals_in_samples, rate_hz=RATE_HZ):
    """A record for each residual, with one label; None is a record without a pick."""
    records = []
    for number, residual in enumerate(residuals_in_samples):
        start = UTCDateTime(100 * number)
        wave = Waveform(np.zeros((2000, 1)), rate_hz, start, ("Z",), f"XX.R{number:02d}..HH")
        record = LabelledWaveform(wave, {"P": (500.0,)}, name=f"r{number}")
        picks = ()
        if residual is not None:
            picks = (Pick(start + (500 + residual) / rate_hz, wave.station, "P", 0.9),)
        records.append(PickedRecord(record, picks, 0.3))
    return records


def offsets_of(picked, tolerance_samples=5):
    tolerance = tolerance_of(tolerance_samples=tolerance_samples)
    scores = score_picked(picked, {"P": 0.3}, tolerance, bootstrap=0)
    return label_offsets(picked, scores), scores


def test_labels_of_another_definition_are_told():
    residuals = [-9, -8, -10, -9, -7, -9, -11, -9, -12, -9, 140, None]
    offsets, scores = offsets_of(picked_records(residuals))
    found = offsets["P"]
    assert scores["P"].f1 == 0.0
    assert found.offset_s == pytest.approx(-0.0045, abs=1e-6)
    assert (found.n_pairs, found.f1) == (10, 0.0)
    assert found.f1_moved == pytest.approx(2 * 10 / (12 + 11))
    for words in ("P: 10 picks are 4.5 ms before", "F1 would be 0.870 in place of 0.000"):
        assert words in found.text


def test_eight_pairs_are_enough_beside_records_without_the_label():
    picked = picked_records([-9] * 8)
    other = replace(picked[0], record=replace(picked[0].record, arrivals={"S": (500.0,)}))
    found = offsets_of([*picked, other])[0]["P"]
    assert (found.n_pairs, found.f1_moved) == (8, 1.0)
    assert found.offset_s == pytest.approx(-0.0045, abs=1e-6)


def test_picks_of_other_phases_are_not_moved():
    [one] = picked_records([0])
    [p] = one.picks
    both = replace(one, picks=(p, replace(p, phase="S")))
    found = moved(both, {"P": 0.25}).picks
    assert [(pick.phase, pick.time - p.time) for pick in found] == [("P", 0.25), ("S", 0.0)]


@pytest.mark.parametrize(
    ("residuals", "offset", "n_pairs"),
    [
        ([*np.arange(10.2, 19.9, 0.9), *[-10] * 8], 14.7, 11),  # half of them would be fewer
        ([*[12] * 8, *np.arange(-24, -8, 1.5)], 12, 8),  # those wider apart are more
    ],
)
def test_pairs_agree_within_twice_the_tolerance(residuals, offset, n_pairs):
    found = offsets_of(picked_records(residuals))[0]["P"]
    assert (found.n_pairs, found.f1) == (n_pairs, 0.0)
    assert found.offset_s == pytest.approx(offset / RATE_HZ, abs=1e-6)


@pytest.mark.parametrize(("n_late", "is_told"), [(30, True), (29, False)])
def test_a_fifth_more_is_worth_saying(n_late, is_told):
    offsets, _ = offsets_of(picked_records([14] * n_late + [0] * (49 - n_late)))
    assert ("P" in offsets) == is_told  # 11 or 9 of 49


def test_a_few_microseconds_are_said_so():
    found = offsets_of(picked_records([-9] * 10, 1e6))[0]["P"]
    assert "10 picks are 9 µs before their labels" in found.text


@pytest.mark.parametrize("rate_hz", [100.0, 4000.0])
def test_the_time_is_in_seconds_at_any_rate(rate_hz):
    offsets, _ = offsets_of(picked_records([14] * 10, rate_hz))
    assert offsets["P"].offset_s == pytest.approx(14 / rate_hz, abs=2e-6)
    assert "after their labels" in offsets["P"].text


@pytest.mark.parametrize(
    ("residuals", "why"),
    [
        ([0, 1, -1, 2, 0, 0, 1, -2, 0, 1], "they agree"),
        ([4, 4, 4, 5, 4, 4, 4, 4, 4, 4], "late, but within the tolerance"),
        ([-9] * 7, "too few"),
        ([-24, -18, -12, -6, 0, 6, 12, 18, 24, -21, -15, -9, -3, 3, 9], "no rule in it"),
        ([None] * 12, "no picks"),
        ([40] * 12, "out of reach: five times the tolerance"),
    ],
)
def test_nothing_is_told(residuals, why):
    offsets, _ = offsets_of(picked_records(residuals))
    assert offsets == {}, why


def test_chance_does_not_look_like_an_offset():
    for seed in range(200):
        rng = np.random.default_rng(seed)
        offsets, _ = offsets_of(picked_records(rng.integers(-400, 400, 96)))
        assert offsets == {}, seed


def test_the_command_says_it(preset, tmp_path, capsys):
    late = []
    for record in records_with_spikes():
        [sample] = record.arrivals["P"]
        arrivals = {"P": (sample + 15,), "S": ()}
        late.append(
            LabelledWaveform(record.waveform, arrivals, record.name, record.event, split="test")
        )
    write_dataset(late, tmp_path / "set")
    options = ["--tolerance-samples", "5", "--output", str(tmp_path / "scores")]
    assert main(["evaluate", preset, str(tmp_path / "set"), *options]) == 0
    said = capsys.readouterr().out
    words = "P: 9 picks are 150 ms before their labels"
    assert words in said
    assert words in (tmp_path / "scores" / "scores.md").read_text()
    assert "S: " not in said


def test_offsets_that_are_known_are_not_looked_for_again(tmp_path):
    picked = picked_records([-9] * 10)
    offsets, scores = offsets_of(picked)
    pages = []
    for name, known in (("looked for", None), ("known", offsets), ("known to be none", {})):
        write_scores(tmp_path / name, scores, {}, picked=picked, offsets=known, n_worst=0)
        pages.append((tmp_path / name / "scores.md").read_text())
    assert pages[0] == pages[1]
    assert offsets["P"].text in pages[0]
    assert pages[2] == pages[0].replace(f"{offsets['P'].text}.\n\n", "")
