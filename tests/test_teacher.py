"""Distillation: a teacher's answers as a part of the targets."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from training_runs import CONFIG, onsets, same, small_parent

from phasenet_keras import PhaseNet, Picker, Preset
from phasenet_keras.training.config import TrainConfig
from phasenet_keras.training.evaluate import evaluate
from phasenet_keras.training.teacher import Teacher, mix_targets
from phasenet_keras.training.train import train
from phasenet_keras.types import ConfigError


@pytest.mark.parametrize(
    ("label", "known", "answer", "share", "expected"),
    [
        # Both know: a weighted mean.
        ((0, 1, 0), (1, 1, 1), (0.2, 0.7, 0.1), 0.7, (0.14, 0.79, 0.07)),
        ((0, 1, 0), (1, 1, 1), (0.2, 0.7, 0.1), 0.0, (0, 1, 0)),
        # S was not labelled: the teacher's word, whatever its share.
        ((1, 0, 0), (1, 1, 0), (0.2, 0.0, 0.8), 0.1, (0.2, 0.0, 0.8)),
        # Nothing was labelled.
        ((1, 0, 0), (1, 0, 0), (0.5, 0.3, 0.2), 0.1, (0.5, 0.3, 0.2)),
        # Half of a label's trust is the teacher's.
        ((0, 1, 0), (1, 0.5, 1), (1, 0, 0), 0.0, (0.5, 0.5, 0.0)),
        # A label of P and the teacher's S share where they come to more than 1.
        ((0, 1, 0), (1, 1, 0), (0, 0, 1), 0.0, (0, 0.5, 0.5)),
    ],
)
def test_targets_by_hand(label, known, answer, share, expected):
    mixed = mix_targets(np.array([[*label, *known]]), np.array([answer]), share)
    assert mixed.dtype == np.float32
    assert mixed[0] == pytest.approx([*expected, 1, 1, 1], abs=1e-6)


def test_a_teacher_is_fed_by_its_own_length_rule():
    net = small_parent(depth=3)
    net.with_preset(replace(net.preset, window_samples=251))
    x = np.random.default_rng(0).standard_normal((2, 256, 1)).astype(np.float32)
    unknown = np.tile(np.float32([1, 0, 0, 1, 0, 0]), (2, 256, 1))
    padded = np.pad(x, ((0, 0), (0, 11), (0, 0)))  # 267 is 251 and one grid of 16
    expected = np.asarray(net(padded, training=False))[:, :256]
    answer = Teacher(net).targets(x, unknown)[..., :3]
    assert np.abs(answer - expected).max() < 1e-5
    assert np.abs(answer - np.asarray(net(x, training=False))).max() > 1e-3


def test_a_student_learns_from_records_that_nobody_labelled(tmp_path):
    config = TrainConfig(
        epochs=25, batch_size=8, window_samples=256, learning_rate=1e-2, shift_samples=64,
        refit=False,
    )  # fmt: skip
    teacher = train(
        small_parent(), onsets(40), onsets(10, 100), tmp_path / "teacher", strategy="scratch",
        config=config,
    ).net  # fmt: skip
    bare = [replace(record, arrivals={}) for record in onsets(40, 300)]
    student = train(
        small_parent(5), bare, onsets(10, 100), tmp_path / "student", strategy="scratch",
        config=config, teacher=Teacher(teacher),
    ).net  # fmt: skip
    assert evaluate(Picker(student), onsets(20, 200), tolerance_samples=5)["P"].f1 > 0.85


def test_a_run_belongs_to_its_teacher_and_goes_on_with_it(tmp_path):
    def run(folder, teacher):
        return train(
            small_parent(), onsets(8), onsets(4, 50), tmp_path / folder, strategy="scratch",
            config=CONFIG, teacher=teacher,
        )  # fmt: skip

    one = run("a", Teacher(small_parent(7), 0.6))
    facts = json.loads((tmp_path / "a" / "config.json").read_text())["teacher"]
    assert (facts["preset"], facts["share"]) == ("small", 0.6)
    assert len(facts["weights"]) == 64
    assert same(one.net, run("a", Teacher(small_parent(7), 0.6)).net)
    for other in (None, Teacher(small_parent(8), 0.6), Teacher(small_parent(7), 0.5)):
        with pytest.raises(ConfigError, match=r"other settings .*teacher"):
            run("a", other)
    alone = run("b", None)
    assert "teacher" not in json.loads((tmp_path / "b" / "config.json").read_text())
    # The refit has the teacher, too: it trains on labels that are not the others'.
    assert one.n_refitted == alone.n_refitted == 12
    assert not same(one.net, alone.net)
    of = [np.load(tmp_path / name / "refit" / "last.npz")["history"][0, 2] for name in "ab"]
    assert of[0] > of[1] + 0.05


def test_a_teacher_that_does_not_fit_is_refused(tmp_path):
    net = PhaseNet(channels="ENZ", depth=3, filters_root=4)
    net.with_preset(Preset("wide", net.config, 100.0, 256))
    with pytest.raises(ConfigError, match=r"teacher has channels E,N,Z, .* Z: they must"):
        train(
            small_parent(), onsets(8), onsets(4, 50), tmp_path / "run", config=CONFIG,
            teacher=Teacher(net),
        )  # fmt: skip
    for share in (-0.1, 1.5, True, "0.5", float("nan")):
        with pytest.raises(ConfigError, match="share is in"):
            Teacher(net, share)
    share = Teacher(net, np.float32(0.5)).share
    assert (share, type(share)) == (0.5, float)  # JSON takes it
    with pytest.raises(ConfigError, match=r"teacher's net is a PhaseNet, received str: PhaseNet\."):
        Teacher("ncedc")
    with pytest.raises(ConfigError, match="teacher is a Teacher, received PhaseNet"):
        train(small_parent(), onsets(8), onsets(4, 50), tmp_path / "run", teacher=net)
    assert not (tmp_path / "run").exists()
