"""The examples run as their readers run them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from phasenet_keras import prepare

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run_example(name, *arguments, expect=0):
    result = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == expect, result.stderr
    return result


@pytest.mark.shared
def test_pick_example_record(use_ncedc, tmp_path):
    printed = run_example("pick_example_record.py", "--output", tmp_path).stdout
    assert "P  2009-08-24T00:20:07.710000Z  probability 0.98" in printed
    assert "S  2009-08-24T00:20:08.680000Z  probability 0.92" in printed
    assert (tmp_path / "BW.RJOB..EH.png").stat().st_size > 10_000
    assert len((tmp_path / "picks.csv").read_text().splitlines()) == 3


def test_pick_example_record_with_any_preset(spike_net, tmp_path):
    spike_net.save_preset(tmp_path / "spikes")
    options = ("--preset", tmp_path / "spikes", "--output", tmp_path)
    assert "BW.RJOB..EH, 30 s" in run_example("pick_example_record.py", *options).stdout


@pytest.mark.shared
def test_adapt_to_one_channel(use_ncedc):
    printed = run_example("adapt_to_one_channel.py").stdout
    difference = float(printed.splitlines()[0].rsplit(" ", 1)[1])
    assert difference < 1e-5
    assert "P  2009-08-24T00:20:07.710000Z" in printed


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """Twelve records of a line, as two-column text, and the table of their onsets."""
    folder = tmp_path_factory.mktemp("line")
    (folder / "raw").mkdir()
    rows = ["fname,itp,its"]
    for number in range(12):
        rng = np.random.default_rng(number)
        data = 0.05 * rng.standard_normal(1200)
        p, s = 200 + 10 * number, 320 + 25 * number
        for onset, size in ((p, 3.0), (s, 6.0)):
            t = np.arange(1200 - onset)
            data[onset:] += size * np.exp(-t / 60) * np.sin(t / 3)
        lines = (f"{n / 2000:.6f} {value:.6e}" for n, value in enumerate(data))
        (folder / "raw" / f"g{number:02d}.txt").write_text("\n".join(lines) + "\n")
        rows.append(f"g{number:02d}.txt,{p},{s}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_finetune_near_surface(line, preset, tmp_path):
    printed = run_example(
        "finetune_near_surface.py", line / "raw", "--labels", line / "labels.csv",
        "--preset", preset, "--epochs", 1, "--output", tmp_path,
    ).stdout  # fmt: skip
    assert "P: F1 " in printed
    assert (tmp_path / "run" / "best" / "preset.json").is_file()


def test_compare_strategies_and_one_of_your_own(line, preset, tmp_path):
    prepare(line / "raw", tmp_path / "set", line / "labels.csv")
    printed = run_example(
        "compare_strategies.py", tmp_path / "set", "--preset", preset, "--epochs", 1,
        "--strategies", "scratch,finetune", "--output", tmp_path / "comparison",
    ).stdout  # fmt: skip
    assert [name in printed for name in ("| zero-shot | P |", "| scratch | S |")] == [True, True]
    printed = run_example(
        "strategy_of_your_own.py", tmp_path / "set", "--preset", preset, "--epochs", 1,
        "--output", tmp_path / "own",
    ).stdout  # fmt: skip
    assert "from epoch 0: frozen input, down0, down1, down2, down3, down4" in printed
    assert "from epoch 10: frozen nothing" in printed
    assert '"name": "decoder_first"' in printed


@pytest.mark.shared
def test_finetune_on_specfem2d(shared, preset, tmp_path):
    printed = run_example(
        "finetune_on_specfem2d.py", shared / "data" / "specfem2d" / "native" / "run1_flat_ascii",
        "--preset", preset, "--epochs", 1, "--output", tmp_path,
    ).stdout  # fmt: skip
    assert "labels of untouched records" in printed
