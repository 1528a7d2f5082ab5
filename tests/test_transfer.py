"""Strategies as values."""

from __future__ import annotations

import json

import pytest

from phasenet_keras.models.stages import stage_names
from phasenet_keras.training.transfer import (
    STRATEGIES,
    FreezePhase,
    FreezeSchedule,
    TransferStrategy,
    strategy_of,
)
from phasenet_keras.types import ConfigError

STAGES = stage_names(5)
ALL = set(STAGES)
ENCODER = {"input", "down0", "down1", "down2", "down3", "down4"}


@pytest.mark.parametrize(
    ("name", "loaded", "frozen"),
    [
        ("scratch", set(), set()),
        ("finetune", ALL, set()),
        ("freeze_deepest", ALL, {"down4", "up3"}),
        ("reinit_ends", ALL - {"input", "output"}, {"down4", "up3"}),
        ("freeze_encoder", ENCODER, ENCODER),
        ("freeze_middle", ALL, {"down0", "down1", "down2", "up0", "up1", "up2"}),
    ],
)
def test_the_six_of_the_report(name, loaded, frozen):
    strategy = STRATEGIES[name]
    strategy.check(STAGES)
    assert set(strategy.loaded(STAGES)) == loaded
    for epoch in (0, 7, 1000):
        assert set(strategy.frozen_at(epoch, STAGES)) == frozen


def test_gradual_thaws_from_the_output_inwards():
    gradual = STRATEGIES["gradual"]
    gradual.check(STAGES)
    learning = [ALL - set(gradual.frozen_at(epoch, STAGES)) for epoch in range(0, 24, 3)]
    assert learning[0] == {"output"}
    assert learning[1] == {"output", "up0"}
    assert learning[4] == {"output", "up0", "up1", "up2", "up3"}
    assert learning[6] == learning[7] == ALL
    assert gradual.at(2) == gradual.at(0) != gradual.at(3)
    assert gradual.at(20).scale_of("down3") < gradual.at(20).scale_of("up0") == 1.0


def test_strategies_survive_json():
    for strategy in STRATEGIES.values():
        assert strategy_of(json.dumps(strategy.to_dict())) == strategy
    own = strategy_of('{"name": "mine", "freeze": {"trainable": ["up*", "output"]}}')
    assert set(own.frozen_at(0, STAGES)) == ENCODER


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("freeze_deepst", "Did you mean 'freeze_deepest'"),
        ('{"name": "a", "frezze": []}', "Did you mean 'freeze'"),
        ('{"name": "a", "freeze": {"trainabel": []}}', "Did you mean 'trainable'"),
        ('{"name": "a", "load": "up*"}', "load is a list"),
        ('{"name": ', "no valid JSON"),
        ('{"load": ["*"]}', "no strategy"),
        ('{"name": "a", "freeze": [{"start_epoch": 3}]}', "start at epoch 0"),
        ('{"name": "a", "freeze": {"lr_scale": {"up*": 0}}}', "0 is not freezing"),
    ],
)
def test_mistakes_are_named(given, words):
    with pytest.raises(ConfigError, match=words):
        strategy_of(given)


def test_a_glob_without_a_stage_lists_the_stages():
    wrong = TransferStrategy("mine", freeze=FreezeSchedule((FreezePhase(trainable=("dwn*",)),)))
    with pytest.raises(ConfigError, match=r"'dwn\*' matches no stage.*input, down0, down1"):
        wrong.check(STAGES)
