"""The shipped preset `regional`: it works offline, is what its card says, and holds its bar."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from phasenet_keras import PhaseNet, Picker, read_waveforms
from phasenet_keras.models.presets import check_preset
from phasenet_keras.models.weights import weights_digest
from phasenet_keras.training.evaluate import evaluate

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "pretrained" / "regional"
STAGES = {"wide": "scratch", "wider": "finetune", "near": "finetune"}
# Of ObsPy's example record, by the official weights, in samples.
EXAMPLE = {"P": 471, "S": 568}


@pytest.fixture
def regional(monkeypatch, tmp_path):
    monkeypatch.setenv("PHASENET_KERAS_CACHE", str(tmp_path / "cache"))
    net = PhaseNet.from_preset("regional")
    assert not (tmp_path / "cache").exists()
    return net


def picks_of(net, wave):
    return {pick.phase: pick.sample for pick in Picker(net).pick(wave)}


def test_it_loads_without_a_cache_and_answers_as_it_did(regional):
    assert check_preset("regional") < 1e-5
    contract = regional.preset
    assert (contract.name, contract.config.channels) == ("regional", ("E", "N", "Z"))
    assert (contract.sampling_rate, contract.window_samples) == (100.0, 3072)
    assert contract.thresholds == {"P": 0.3, "S": 0.3}
    assert contract.license == "MIT"
    assert "url" not in contract.source


def test_it_is_small_and_carries_its_run_record():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 2.5e6
    for stage, strategy in STAGES.items():
        run = json.loads((FOLDER / f"{stage}-config.json").read_text())
        assert run["strategy"]["name"] == strategy
        assert run["teacher"]["preset"] == "ncedc"
        lines = (FOLDER / f"{stage}-history.csv").read_text().splitlines()
        assert len(lines) == run["config"]["epochs"] + 1
    assert "held out" in (FOLDER / "README.md").read_text()


def test_it_picks_the_example_record_as_the_official_weights_do(regional):
    picks = picks_of(regional, read_waveforms())
    assert picks.keys() == EXAMPLE.keys()
    for phase, sample in EXAMPLE.items():
        assert abs(picks[phase] - sample) <= 20, phase


def test_one_channel_is_enough_for_the_example_record(regional):
    [wave] = read_waveforms()
    alone = replace(wave, data=wave.data[:, 2:], channels=("Z",))
    picks = picks_of(regional, alone)
    assert abs(picks["P"] - EXAMPLE["P"]) <= 20


def held_out(shared):
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import regional_records
    finally:
        sys.path.pop(0)
    records = regional_records.ncedc(shared / "data" / "ncedc")
    p_only = regional_records.ncedc(shared / "data" / "ncedc_p_only")
    return records, p_only, [record for record in records if record.split == "test"]


@pytest.mark.shared
def test_a_station_is_held_out_everywhere_or_nowhere(shared):
    records, p_only, test = held_out(shared)
    split = {}
    for record in (*records, *p_only):
        assert split.setdefault(record.event, record.split) == record.split
    assert len({record.event for record in test}) >= len({r.event for r in records}) / 3


def f1_of(net, records, phase):
    picker = Picker(net, thresholds={"P": 0.3, "S": 0.3})
    score = evaluate(picker, records, bootstrap=0)[phase]
    assert score.n_true == len(records) == 41
    return score.f1


@pytest.mark.shared
def test_the_bar_of_p_on_stations_that_it_was_not_trained_on(regional, shared):
    _, _, test = held_out(shared)
    assert f1_of(regional, test, "P") >= 0.87


@pytest.mark.shared
def test_p_on_the_same_records_is_nearly_as_good_as_of_the_official_weights(
    regional, ncedc, shared
):
    _, _, test = held_out(shared)
    # The card says that the official weights are the better ones for P.
    assert 0.0 < f1_of(ncedc, test, "P") - f1_of(regional, test, "P") < 0.02


@pytest.mark.shared
def test_s_on_the_same_records_is_as_good_as_of_the_official_weights(regional, ncedc, shared):
    _, _, test = held_out(shared)
    assert f1_of(regional, test, "S") >= f1_of(ncedc, test, "S")


@pytest.mark.shared
def test_the_bar_of_s_on_stations_that_it_was_not_trained_on(regional, shared):
    _, _, test = held_out(shared)
    assert f1_of(regional, test, "S") >= 0.76


@pytest.mark.shared
def test_the_teacher_in_the_run_record_is_the_official_network(ncedc):
    run = json.loads((FOLDER / "near-config.json").read_text())
    assert run["teacher"]["weights"] == weights_digest(ncedc.get_weight_set())
