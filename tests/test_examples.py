"""The examples run as their readers run them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
