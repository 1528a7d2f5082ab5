"""Labels at which traces do not grow, as those in a wrong unit, are asked about."""

from __future__ import annotations

import json

import h5py
import pytest
from sources import noise, run

from phasenet_keras.training import prepare as module

SAID = "labels at no onset: at only 0 of 12 labels of P does the trace grow"


def write(path, scale=1.0, count=12):
    """Records with an onset at sample 200 and later, labelled there times a scale."""
    with h5py.File(path, "w") as file:
        for number in range(count):
            data = noise(number, n_channels=3)
            data[200 + number :, number % 3] *= 4
            made = file.create_dataset(f"r{number}", data=data + 1e4)
            made.attrs.update({"itp": (200 + number) * scale, "sampling_rate_hz": 100.0})


@pytest.mark.parametrize(
    ("options", "is_said"),
    [
        ({}, False),
        ({"scale": 0.25}, True),
        ({"scale": 1.6}, True),
        ({"scale": 0.25, "count": 9}, False),
    ],
)
def test_labels_in_another_unit_are_asked_about(tmp_path, options, is_said, capsys):
    write(tmp_path / "in.h5", **options)
    assert run(tmp_path / "in.h5", "--output", tmp_path / "set") == 0
    assert (SAID in " ".join(capsys.readouterr().out.split())) == is_said


def test_a_stage_of_an_earlier_version_is_gone_on_with(tmp_path, monkeypatch, capsys):
    write(tmp_path / "in.h5", scale=0.25)
    finish = module._finish

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_finish", stop)
    with pytest.raises(KeyboardInterrupt):
        module.prepare(tmp_path / "in.h5", tmp_path / "set")
    [state] = (tmp_path / "set" / module.STAGE).glob("part*.json")
    content = json.loads(state.read_text())
    assert [row.pop("growth") for row in content["rows"]] == [[0, 1]] * 12
    state.write_text(json.dumps(content))
    monkeypatch.setattr(module, "_finish", finish)
    made = module.prepare(tmp_path / "in.h5", tmp_path / "set")
    assert len(made.facts) == 12
    assert not [text for text in made.notes if "onset" in text]
