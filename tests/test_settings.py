"""Settings of every kind: what is no number, no truth value or out of range is refused by name."""

from __future__ import annotations

import json

import numpy as np
import pytest

from phasenet_keras import FreezePhase, FreezeSchedule, PhaseNetConfig, Preset, TransferStrategy
from phasenet_keras.data.augment import Polarity
from phasenet_keras.data.mixing import RecordedNoise
from phasenet_keras.data.settings import SEED, number, optional, settled, whole
from phasenet_keras.training.config import TrainConfig, config_of, read_config
from phasenet_keras.training.correction import CorrectionConfig
from phasenet_keras.training.transfer import strategy_of
from phasenet_keras.types import ConfigError

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("kind", "words", "taken", "refused"),
    [
        (whole(1), "a whole number from 1 on", [1, 10**12], [0, 1.5, True, "1", None, NAN, INF]),
        (whole(0, 9), "a whole number from 0 to 9", [0, 9, 4.0], [-1, 10]),
        (SEED, "a whole number from 0 to 4294967295", [0, 2**32 - 1], [-1, 2**32]),
        (number(above=0), "above 0 and finite", [1e-9, 3], [0, -1, NAN, INF, "1", [1], 10**400]),
        (number(0, 1), r"in \[0, 1\]", [0, 1, 0.5], [-1e-9, 1.1, NAN, True]),
        (number(1), "at least 1 and finite", [1], [0.9, INF]),
        (number(0, below=1), "at least 0 and below 1", [0, 0.5], [-1e-9, 1, NAN]),
        (number(above=0, most=9), "above 0 and at most 9", [9], [0, 9.1]),
        (number(is_finite=False), "a number", [-INF, INF], [NAN, "x"]),
        (optional(whole(1)), "a whole number from 1 on, or None", [None, 2], [0, "None"]),
    ],
)
def test_kinds(kind, words, taken, refused):
    for value in taken:
        assert settled("it", kind, value) == value
    for value in refused:
        with pytest.raises(ConfigError, match=rf"^it is {words}, received "):
            settled("it", kind, value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"refit": "no"}, "refit is true or false, or None, received 'no'"),
        ({"mask_unknown": "no"}, "mask_unknown is true or false, received 'no'"),
        ({"tensorboard": 1}, "tensorboard is true or false, received 1"),
        ({"shift_samples": -5}, "shift_samples is a whole number from 0 on, received -5"),
        ({"learning_rate": INF}, "learning_rate is above 0 and finite, received inf"),
        ({"learning_rate": "1e-3"}, "learning_rate is above 0 and finite, received '1e-3'"),
        ({"learning_rate": None}, "learning_rate is above 0 and finite, received None"),
        ({"tolerance_samples": "x"}, "tolerance_samples is above 0 and finite, received 'x'"),
        ({"label_sigma_samples": 1e30}, "label_sigma_samples is above 0 and at most 3072"),
        ({"window_samples": 7}, "window_samples, where it is not 0, is a whole number from 16"),
        ({"alpha": 95}, r"alpha is in \[0, 1\], received 95"),
        ({"alpha": "0.9"}, r"alpha is in \[0, 1\], received '0\.9'"),
        ({"seed": None}, "seed is a whole number from 0 to 4294967295, received None"),
        ({"seed": -1}, "seed is a whole number from 0 to 4294967295, received -1"),
        ({"seed": 2**70}, "seed is a whole number from 0 to 4294967295"),
        ({"label_shape": ["a"]}, r"label_shape is a text, received \['a'\]"),
        ({"class_weights": 5}, "class_weights is a list of numbers, one a phase"),
        ({"class_weights": {"P": 1}}, "class_weights is a list of numbers, one a phase"),
        ({"class_weights": (1, -2, 1)}, "each of class_weights is at least 0 and finite"),
        ({"class_weights": (1, NAN, 1)}, "each of class_weights is at least 0 and finite"),
        ({"class_weights": (0, 0, 0)}, "class_weights are all 0"),
        ({"augmentation": "Polarity"}, "augmentation is a list of steps, each a mapping with a"),
        ({"augmentation": 5}, "augmentation is a list of steps, .*received 5"),
        ({"augmentation": ["Polarity"]}, "augmentation is a list of steps, .*received 'Polarity'"),
        ({"augmentation": (Polarity(),)}, r"augmentation is a list of steps, .*Polarity\("),
        ({"augmentation": [{"probability": 1}]}, "augmentation is a list of steps"),
        ({"augmentation": [{"name": 5}]}, "augmentation is a list of steps"),
    ],
)
def test_training_settings_are_refused_by_name(given, words, tmp_path):
    with pytest.raises(ConfigError, match=f"^{words}"):
        TrainConfig(**given)
    with pytest.raises(ConfigError, match=r"^a training configuration has settings by name, .*5$"):
        TrainConfig.from_dict(5)
    (tmp_path / "c.json").write_text('{"config": 5}')
    with pytest.raises(ConfigError, match="settings by name, received 5"):
        read_config(tmp_path / "c.json")
    with pytest.raises(ConfigError, match="config is a TrainConfig, received dict"):
        config_of({"epochs": 1})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_settings_are_read_in_any_encoding_of_json(tmp_path, encoding):
    path = tmp_path / "c.json"
    path.write_text('{"epochs": 3}', encoding=encoding)
    assert read_config(path).epochs == 3


def test_what_is_no_json_is_said_so(tmp_path):
    path = tmp_path / "c.json"
    for content, words in (
        (b'{"epochs": "\xe9"}', r"c\.json is no readable JSON: 'utf-8' codec can't decode"),
        (b"[" * 100_000, r"c\.json is no readable JSON: its brackets are nested too deeply$"),
        (b'{"loss": ' * 100_000, "its brackets are nested too deeply$"),
    ):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=words):
            read_config(path)
    with pytest.raises(ConfigError, match=r"^a text or a Path names a file of settings, .* int$"):
        read_config(3)
    with pytest.raises(ConfigError, match=r"^the strategy is no valid JSON: its brackets are"):
        strategy_of('{"a":' * 100_000)


def test_numbers_of_numpy_are_numbers_and_json_takes_them():
    config = TrainConfig(
        epochs=np.int64(2),
        learning_rate=np.float32(0.5),
        refit=np.bool_(False),
        class_weights=np.array([1, 0.5, 2]),
        augmentation=[{"name": "Polarity", "probability": np.float32(0.25)}],
    )
    plain = {
        "epochs": 2, "learning_rate": 0.5, "refit": False, "class_weights": [1.0, 0.5, 2.0],
        "augmentation": [{"name": "Polarity", "probability": 0.25}],
    }  # fmt: skip
    assert json.loads(json.dumps(config.to_dict())) == TrainConfig().to_dict() | plain
    assert config == TrainConfig.from_dict(plain)
    config = PhaseNetConfig(filters_root=np.int64(16), dropout_rate=np.float32(0.5))
    assert json.loads(json.dumps(config.to_dict())) == config.to_dict()
    assert (type(config.filters_root), config.dropout_rate) == (int, 0.5)
    preset = Preset("m", PhaseNetConfig(), np.float32(2000), np.int32(3000), thresholds={
        "P": np.float32(0.5)
    })  # fmt: skip
    assert (preset.sampling_rate, preset.window_samples) == (2000.0, 3000)
    assert json.loads(json.dumps(preset.to_dict()))["thresholds"] == {"P": 0.5, "S": 0.3}
    # A whole number stays one: steps count samples by it.
    assert repr(RecordedNoise(least_samples=np.int64(64)).least_samples) == "64"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"name": "../../evil"},
            r"name is what a folder can be called, .*received '\.\./\.\./evil'",
        ),
        ({"name": ".."}, "name is what a folder can be called"),
        ({"name": "a\\b"}, "name is what a folder can be called"),
        ({"name": ""}, "name is what a folder can be called"),
        ({"name": 5}, "name is what a folder can be called, .*received 5"),
        ({"name": "a", "freeze": 5}, "freeze is a list of phases with settings, received 5"),
        ({"name": "a", "freeze": [5]}, r"freeze is a list of phases with settings, received \[5\]"),
        ({"name": "a", "load": [5]}, r"load is a list of globs, received \[5\]"),
        ({"name": "a", "load": 5}, "load is a list of globs, received 5"),
        ({"name": "a", "freeze": {"lr_scale": {"up*": "x"}}}, r"lr_scale of 'up\*' is above 0"),
        ({"name": "a", "freeze": {"lr_scale": 2}}, "lr_scale has a factor by glob, received 2"),
        ({"name": "a", "freeze": {"start_epoch": 0.5}}, "start_epoch is a whole number from 0 on"),
        (None, "a strategy is a name, JSON or a TransferStrategy, received None"),
        ("[1]", r"no strategy '\[1\]'"),
        ("{", "the strategy is no valid JSON"),
    ],
)
def test_strategies_are_refused_by_name(given, words):
    with pytest.raises(ConfigError, match=f"^{words}"):
        strategy_of(given)


def test_a_strategy_takes_a_list_of_phases():
    phases = [FreezePhase(trainable=("output",)), FreezePhase(5)]
    assert TransferStrategy("x", freeze=phases).freeze == FreezeSchedule(tuple(phases))
    with pytest.raises(ConfigError, match="phases are a list of FreezePhase, received FreezePhase"):
        FreezeSchedule(FreezePhase())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"phases": 5}, "phases have settings by name, received 5"),
        ({"phases": {"P": 5}}, "the correction of phase P has settings by name, received 5"),
        ({"phases": {"P": {"earliest": "a"}}}, "earliest is a number, received 'a'"),
        ({"phases": {"P": {"mirror": "no"}}}, "mirror is true or false, received 'no'"),
        ({"phases": {"P": {"min_points": "8"}}}, "min_points is a whole number from 0 on"),
        ({"sampling_rate_hz": "x"}, "sampling_rate_hz is above 0 and finite, or None"),
        ({"reciprocity": "no"}, "reciprocity is true or false, received 'no'"),
        ({"gathers_to_choose": 1.5}, "gathers_to_choose is a whole number from 1 on"),
        ([], r"a correction has settings by name, received \[\]"),
    ],
)
def test_correction_settings_are_refused_by_name(given, words):
    with pytest.raises(ConfigError, match=f"^{words}"):
        CorrectionConfig.from_dict(given)
