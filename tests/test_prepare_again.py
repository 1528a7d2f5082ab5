"""`phasenet-keras prepare` given again, after a kill, and into folders of others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from fresh import FRAMEWORKS, run_without
from sources import labelled, noise, run, write_text_files

from phasenet_keras.io.parts import BadRow
from phasenet_keras.io.seisbench import read_dataset, write_dataset
from phasenet_keras.training.prepare import PrepareSettings, prepare
from phasenet_keras.types import ConfigError


@pytest.fixture
def lines(tmp_path):
    write_text_files(tmp_path / "raw", [f"t{n}.txt" for n in range(12)])
    (tmp_path / "l.csv").write_text("itp\n" + "100\n" * 12)
    return [tmp_path / "raw", "--labels", tmp_path / "l.csv", "--output", tmp_path / "set"]


def test_the_same_command_again_does_nothing(lines, tmp_path, capsys):
    assert run(*lines) == 0
    files = [tmp_path / "set" / name for name in ("metadata.csv", "waveforms.hdf5")]
    before = [path.stat().st_mtime_ns for path in files]
    capsys.readouterr()
    assert run(*lines) == 0
    assert "is complete, nothing to do (12 records, split by block)" in capsys.readouterr().out
    assert [path.stat().st_mtime_ns for path in files] == before
    made = prepare(tmp_path / "raw", tmp_path / "set", tmp_path / "l.csv")
    assert not made.is_new
    assert [fact.name for fact in made.facts] == [f"t{n}" for n in range(12)]
    assert run(*lines, "--seed", 5) == 2
    assert "holds another data set (its seed is 0, not 5)" in capsys.readouterr().err
    assert run(*lines, "--seed", 5, "--overwrite") == 0
    order = json.loads((tmp_path / "set/prepare.json").read_text())["order"]
    assert order["settings"]["seed"] == 5
    path = tmp_path / "raw/t3.txt"
    assert order["inputs"][str(path)] == [path.stat().st_size, path.stat().st_mtime_ns]
    path.write_text(path.read_text() + "0.2000 1.0\n")
    assert run(*lines, "--seed", 5) == 2
    assert "1 of its inputs have changed: t3.txt" in capsys.readouterr().err


def test_data_sets_among_the_files_are_no_input(lines, tmp_path):
    inside = tmp_path / "raw/set"
    assert run(*lines[:3], "--output", inside) == 0
    assert run(*lines[:3], "--output", inside) == 0
    assert run(*lines) == 0
    assert len(read_dataset(tmp_path / "set")) == 12


def test_what_prepare_did_not_make_is_left_alone(lines, tmp_path, capsys):
    write_dataset([labelled(1)], tmp_path / "set")
    assert run(*lines) == 2
    assert "which was not made by prepare" in capsys.readouterr().err
    assert len(read_dataset(tmp_path / "set")) == 1
    assert run(*lines, "--overwrite") == 0
    assert len(read_dataset(tmp_path / "set")) == 12


def test_settings_that_cannot_be():
    for wrong in ({"window_s": 0.0}, {"sampling_rate_hz": -1.0}, {"channels": "Q"}):
        with pytest.raises(ConfigError):
            PrepareSettings(**wrong)
    with pytest.raises(ConfigError, match="need a length"):
        PrepareSettings(random_position=True)
    assert str(BadRow(3, "no")) == "row 3: no"


def wait_for(path, process):
    deadline = time.monotonic() + 90
    while not path.exists():
        assert process.poll() is None, "it ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_killed_in_mid_run_it_goes_on(tmp_path, capsys):
    count = 700
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for n in range(count):
            record = file.create_dataset(f"r{n}", data=noise(n, 3000, 3))
            record.attrs.update(p_index=float(n), shot=n // 50)
    command = [sys.executable, "-m", "phasenet_keras", "prepare", str(tmp_path / "a.h5")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    process = subprocess.Popen([*command, "--output", str(tmp_path / "set")], env=environment)
    stage = tmp_path / "set/.prepare"
    wait_for(stage / "part00000.json", process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "set/metadata.csv").exists()
    kept = (stage / "part00000.json").stat().st_mtime_ns
    made = []
    prepare(
        tmp_path / "a.h5",
        tmp_path / "set",
        on_progress=lambda *numbers: made.append(
            (*numbers, (stage / "part00000.json").stat().st_mtime_ns)
        ),
    )
    assert {moment for _, _, moment in made} == {kept}  # gone on with, not begun again
    assert made[0][0] > 1
    assert made[-1][:2] == (7, 7)
    assert not stage.exists()
    prepare(tmp_path / "a.h5", tmp_path / "whole")
    assert (tmp_path / "set/metadata.csv").read_bytes() == (
        tmp_path / "whole/metadata.csv"
    ).read_bytes()
    for one, other in zip(
        read_dataset(tmp_path / "set"), read_dataset(tmp_path / "whole"), strict=True
    ):
        assert np.array_equal(one.waveform.data, other.waveform.data)


def test_leftovers_of_another_command_are_cleared(lines, tmp_path):
    stage = tmp_path / "set/.prepare"
    stage.mkdir(parents=True)
    (stage / "order.json").write_text("{}\n")
    (stage / "part00000.hdf5").write_bytes(b"half")
    assert run(*lines) == 0
    assert not stage.exists()
    assert len(read_dataset(tmp_path / "set")) == 12


def test_prepare_loads_no_tensorflow(lines):
    command = ["prepare", *map(str, lines)]
    run_without(FRAMEWORKS, f"from phasenet_keras.cli import main\nassert main({command}) == 0")
