"""The command line as a user meets it: real processes, real files, a preset made by hand."""

from __future__ import annotations

import csv
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from obspy import read
from records import START, write_station

from phasenet_keras.cli import main
from phasenet_keras.cli.parser import build_parser
from phasenet_keras.io.tables import read_picks


def rows_of(path):
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def test_pick_writes_csv_and_figures(preset, tmp_path, capsys):
    file = write_station(tmp_path / "day.mseed")
    out = tmp_path / "picks.csv"
    arguments = ["--preset", preset, "--output", str(out), "--plot", str(tmp_path / "figures")]
    assert main(["pick", file, *arguments]) == 0
    [row] = rows_of(out)
    assert row["station_id"] == "XX.AA..HH"
    assert row["phase_time"] == "2021-05-06T07:08:19.000000"
    assert (row["phase_index"], row["phase_type"], row["file_name"]) == ("1000", "P", "day.mseed")
    assert (tmp_path / "figures" / "XX.AA..HH.png").is_file()
    assert "1 station, 1 pick" in capsys.readouterr().out
    [pick] = read_picks(out)
    assert pick.time == START + 10


def test_picks_go_to_standard_output_alone(preset, tmp_path):
    file = write_station(tmp_path / "day.mseed")
    command = [sys.executable, "-m", "phasenet_keras", "pick", file, "--preset", preset]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    lines = result.stdout.splitlines()
    assert lines[0].startswith("station_id,begin_time,phase_index,phase_time,phase_score")
    assert len(lines) == 2
    assert "1 station, 1 pick" in result.stderr
    assert "oneDNN" not in result.stderr


def test_bad_files_are_reported_and_the_rest_is_picked(preset, tmp_path, capsys):
    good = write_station(tmp_path / "good.mseed")
    empty, text = tmp_path / "empty.mseed", tmp_path / "notes.txt"
    empty.touch()
    text.write_text("this is\nno waveform\n")
    out = tmp_path / "picks.csv"
    files = [good, str(empty), str(text), str(tmp_path / "missing.sac")]
    assert main(["pick", *files, "--preset", preset, "--output", str(out)]) == 1
    assert len(rows_of(out)) == 1
    said = " ".join(capsys.readouterr().out.split())
    for words in (
        "empty.mseed is empty",
        "notes.txt is of no format",
        "missing.sac cannot be read",
    ):
        assert words in said
    assert "3 failed" in said


def test_the_help_of_each_verb_says_its_exit_statuses():
    verbs = build_parser()._subparsers._group_actions[0].choices
    statuses = {
        name: re.findall(r"\b\d (?=[a-z])", verb.epilog.partition("exit status: ")[2])
        for name, verb in verbs.items()
    }
    of_two = {name for name, found in statuses.items() if found == ["0 ", "2 "]}
    assert of_two == {"demo", "convert", "evaluate", "compare"}
    assert {tuple(found) for name, found in statuses.items() if name not in of_two} == {
        ("0 ", "1 ", "2 ")
    }


def test_nothing_readable_is_status_2(preset, tmp_path):
    empty = tmp_path / "empty.mseed"
    empty.touch()
    out = str(tmp_path / "picks.csv")
    assert main(["pick", str(empty), "--preset", preset, "--output", out]) == 2


def test_truncated_miniseed_gives_what_is_left(preset, tmp_path, capsys):
    path = tmp_path / "cut.mseed"
    write_station(path, n_samples=6000, channels="Z")
    path.write_bytes(path.read_bytes()[:-700])
    out = tmp_path / "picks.csv"
    assert main(["pick", str(path), "--preset", preset, "--output", str(out)]) in (0, 1)
    assert [row["phase_index"] for row in rows_of(out)] == ["1000"]


def test_one_channel_per_file_and_two_stations_in_one(preset, tmp_path):
    for channel in "ENZ":
        write_station(tmp_path / f"AA.{channel}.mseed", channels=channel)
    both = read(write_station(tmp_path / "b.mseed", "BB", up=(2000,)))
    both += read(write_station(tmp_path / "c.mseed", "CC", up=(3000,)))
    both.write(str(tmp_path / "both.mseed"), format="MSEED")
    (tmp_path / "b.mseed").unlink()
    (tmp_path / "c.mseed").unlink()
    out = tmp_path / "out.csv"
    assert main(["pick", str(tmp_path), "--preset", preset, "--output", str(out)]) == 0
    found = {row["station_id"]: row["phase_index"] for row in rows_of(out)}
    assert found == {"XX.AA..HH": "1000", "XX.BB..HH": "2000", "XX.CC..HH": "3000"}


@pytest.mark.parametrize("n_samples", [20, 400])
def test_stations_without_picks_say_why(preset, tmp_path, capsys, n_samples):
    file = write_station(tmp_path / "short.mseed", up=(), n_samples=n_samples)
    assert main(["pick", file, "--preset", preset, "--p-threshold", "0.99"]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "too short" in said
    assert "highest was P 0." in said


def test_thresholds_distance_channels_and_sampling_reach_the_picker(preset, tmp_path):
    file = write_station(tmp_path / "a.mseed", up=(1000, 1030), sampling_rate=1000.0)
    out = tmp_path / "picks.csv"
    base = ["pick", file, "--preset", preset, "--output", str(out), "--sampling", "reinterpret"]
    assert main(base) == 0
    assert len(rows_of(out)) == 1
    assert main([*base, "--min-distance-s", "0.01", "--channels", "Z"]) == 0
    assert [row["phase_index"] for row in rows_of(out)] == ["1000", "1030"]
    assert rows_of(out)[0]["sampling_rate_hz"] == "1000"
    file = write_station(tmp_path / "b.mseed", height=0.25)
    base = ["pick", file, "--preset", preset, "--output", str(out)]
    assert main([*base, "--p-threshold", "0.5"]) == 0
    assert len(rows_of(out)) == 1
    assert main([*base, "--p-threshold", "0.999"]) == 0
    assert rows_of(out) == []


def test_a_phase_that_the_preset_was_not_taught_is_noted(preset, tmp_path, capsys):
    file, said = write_station(tmp_path / "a.mseed"), "note S is not picked: its threshold is 1"
    mine = shutil.copytree(preset, tmp_path / "mine")
    contract = json.loads((mine / "preset.json").read_text())
    contract["thresholds"]["S"] = 1.0
    (mine / "preset.json").write_text(json.dumps(contract))
    out = ["--preset", str(mine), "--output"]
    assert main(["pick", file, *out, str(tmp_path / "picks.csv")]) == 0
    assert capsys.readouterr().out.count(said) == 1
    assert main(["annotate", file, *out, str(tmp_path / "p.npz")]) == 0
    assert said in capsys.readouterr().out
    assert main(["pick", file, *out, str(tmp_path / "picks.csv"), "--s-threshold", "0.3"]) == 0
    assert "is not picked" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--preset", "ncedx"], "Did you mean 'ncedc'?"),
        (["--output", "picks.xlsx"], "written as .csv"),
        (["--output", "no/such/folder/picks.csv"], "does not exist"),
        (["--channels", "Q"], "channels are components"),
        (["--p-threshold", "30"], "in [0, 1]"),
    ],
)
def test_mistakes_are_one_clear_line(preset, tmp_path, capsys, arguments, words):
    file = write_station(tmp_path / "a.mseed")
    assert main(["pick", file, "--preset", preset, *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error


def test_annotate_writes_miniseed_and_npz(preset, tmp_path):
    file = write_station(tmp_path / "a.mseed")
    out = tmp_path / "probabilities.mseed"
    assert main(["annotate", file, "--preset", preset, "--output", str(out)]) == 0
    stream = read(str(out))
    assert [trace.id for trace in stream] == ["XX.AA..PRN", "XX.AA..PRP", "XX.AA..PRS"]
    assert int(stream.select(channel="PRP")[0].data.argmax()) == 1000
    assert np.allclose(sum(trace.data for trace in stream), 1.0, atol=1e-6)
    assert main(["annotate", file, "--preset", preset, "--output", str(tmp_path / "p.npz")]) == 0
    with np.load(tmp_path / "p.npz") as saved:
        assert saved["probabilities"].shape == (4000, 3)
        assert list(saved["phases"]) == ["N", "P", "S"]
        assert float(saved["sampling_rate"]) == 100.0
    assert main(["annotate", file, "--preset", preset, "--output", str(tmp_path / "many")]) == 0
    assert len(list((tmp_path / "many").glob("*.npz"))) == 1


def test_presets_lists_and_checks(preset, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PHASENET_KERAS_PRESETS", str(Path(preset).parent))
    monkeypatch.setenv("PHASENET_KERAS_CACHE", str(tmp_path))
    assert main(["presets"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "spikes" in said
    assert "ncedc" in said
    assert "fetched on first use" in said
    assert main(["presets", "--check", "spikes"]) == 0
    assert "reproduced within" in capsys.readouterr().out


@pytest.mark.shared
def test_convert_as_the_readme_says(shared, tmp_path, capsys):
    weights = shared / "weights/ancestor-near-surface-1c/model.h5"
    folder = tmp_path / "my-preset"
    options = ["--sampling-rate-hz", "2000", "--channels", "Z", "--window", "1500"]
    assert main(["convert", str(weights), str(folder), *options]) == 0
    assert {p.name for p in folder.iterdir()} == {
        "preset.json",
        "model.weights.h5",
        "golden.npz",
        "README.md",
    }
    assert main(["presets", "--check", str(folder)]) == 0
    line = shared / "data/near_surface/raw/NON_FILTERED_Uz_time_01_01_.txt"
    out = tmp_path / "picks.csv"
    assert main(["pick", str(line), "--preset", str(folder), "--output", str(out)]) == 0
    first = next(row for row in rows_of(out) if row["phase_type"] == "P")
    assert abs(int(first["phase_index"]) - 62) <= 5


def test_interrupted_run_keeps_its_picks(preset, tmp_path):
    for number in range(60):
        write_station(tmp_path / f"{number:03d}.mseed", f"S{number:03d}", n_samples=200_000)
    out = tmp_path / "picks.csv"
    command = [sys.executable, "-m", "phasenet_keras", "pick", str(tmp_path), "--preset", preset]
    options = ["--output", str(out), "--plot", str(tmp_path / "figures")]
    process = subprocess.Popen(
        [*command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 100
    while not list(tmp_path.glob("figures/*.png")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "stopping after this station" in said
    assert 1 <= len(rows_of(out)) < 60
    assert "Traceback" not in said


def test_help_of_every_verb(capsys):
    for verb in ([], ["pick"], ["annotate"], ["presets"], ["convert"]):
        with pytest.raises(SystemExit) as stop:
            main([*verb, "--help"])
        assert stop.value.code == 0
        assert "usage: phasenet-keras" in capsys.readouterr().out
