"""Settings of training: JSON, mistakes, and what is chosen from the records."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from obspy import UTCDateTime
from training_runs import CONFIG, onsets

from phasenet_keras import Waveform
from phasenet_keras.training.config import TrainConfig, choose_window
from phasenet_keras.types import ConfigError, LabelledWaveform


def test_settings_survive_json_and_mistakes_are_named():
    assert TrainConfig.from_dict(json.loads(json.dumps(CONFIG.to_dict()))) == CONFIG
    for given, words in (
        ({"epoch": 3}, "Did you mean 'epochs'"),
        ({"epochs": 0}, "from 1 on"),
        ({"learning_rate": -1}, "above 0"),
        ({"augmentation": [{"name": "WhiteNois"}]}, "Did you mean 'WhiteNoise'"),
        ({"augmentation": [{"name": "Polarity", "chance": 1}]}, "has no setting 'chance'"),
    ):
        with pytest.raises(ConfigError, match=words):
            TrainConfig.from_dict(given)


def both(count):
    """Records with a P and an S."""
    return [replace(r, arrivals={"P": (50.0,), "S": (90.0,)}) for r in onsets(count)]


def test_what_is_left_open_is_chosen_from_the_records():
    settled = TrainConfig().settled(onsets(20))
    assert (settled.refit, settled.window_samples) == (True, 512)
    assert not TrainConfig().settled(onsets(300)).refit
    assert TrainConfig(refit=False, window_samples=512).settled(onsets(3)).window_samples == 512
    blending = ["BlendRecords", "Polarity", "WhiteNoise"]
    usual = blending[1:]
    for learn, check, expected in (
        (both(20), [], blending),
        (both(5) + onsets(15), [], blending),  # a quarter of them
        (both(4) + onsets(15), [], usual),
        (onsets(20), both(20), usual),  # none to learn from
        (both(100), both(50), usual),  # many
    ):
        settled = TrainConfig().settled(learn, check)
        assert [step["name"] for step in settled.augmentation] == expected
        assert TrainConfig.from_dict(json.loads(json.dumps(settled.to_dict()))) == settled
    own = TrainConfig(augmentation=({"name": "Gap"},)).settled(both(20))
    assert [step["name"] for step in own.augmentation] == ["Gap"]
    assert TrainConfig.from_dict(TrainConfig().to_dict()) == TrainConfig()
    assert [TrainConfig().windows_of(n) for n in (10, 64, 256, 5000)] == [26, 4, 1, 1]
    wave = Waveform(np.ones((4000, 1)), 2000.0, UTCDateTime(0), ("Z",), "S")
    assert choose_window([LabelledWaveform(wave, {"P": (100,)})]) == 3072


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schedule": "cosin"}, "Did you mean 'cosine'"),
        ({"precision": "float16"}, "precision is one of"),
        ({"window_samples": -1}, "from 0 on"),
        ({"epochs": 0}, "from 1 on"),
    ],
)
def test_impossible_settings_are_refused(change, words):
    with pytest.raises(ConfigError, match=words):
        TrainConfig(**change)
