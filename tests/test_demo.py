"""The examples that come with the program, picked by the presets that do: no network, no cache."""

from __future__ import annotations

import re
import subprocess
import sys

from obspy import UTCDateTime

from phasenet_keras.io.tables import read_picks

# As the official weights pick ObsPy's example record.
OFFICIAL = {"P": UTCDateTime("2009-08-24T00:20:07.71"), "S": UTCDateTime("2009-08-24T00:20:08.68")}


def test_the_demo_finds_what_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("PHASENET_KERAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # a download would end here
    command = [sys.executable, "-m", "phasenet_keras", "demo", "--output", "results"]
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    picks = read_picks(tmp_path / "results" / "record.csv")
    assert sorted(pick.phase for pick in picks) == ["P", "S"]
    assert all(abs(pick.time - OFFICIAL[pick.phase]) < 0.05 for pick in picks)
    found = re.findall(r"([PS])  (\d+) picks; (\d+) of (\d+) onsets within", result.stdout)
    counts = {phase: [int(number) for number in numbers] for phase, *numbers in found}
    assert counts["P"][1] >= 44
    assert counts["P"][2] == 48
    assert counts["S"][1] >= 34
    assert counts["S"][2] == 38
    assert len(read_picks(tmp_path / "results" / "line.csv")) == counts["P"][0] + counts["S"][0]
    for name in ("record.png", "line.png"):
        assert (tmp_path / "results" / name).stat().st_size > 20_000
    assert not (tmp_path / "cache").exists()
