"""The examples run, and print and make what they say."""

from __future__ import annotations

import math
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import obspy
import pytest
from texts import unaligned

from phasenet_keras import prepare, read_labelled

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


@pytest.fixture
def run_example(monkeypatch, capsys):
    """Run a file as `python FILE` does, but in this process; return what it prints."""

    def run(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        status = None
        try:
            runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        except SystemExit as end:
            status = end.code
        printed = capsys.readouterr()
        assert not status, printed.err
        return printed.out

    return run


@pytest.mark.shared
def test_pick_example_record(use_ncedc, tmp_path):
    command = [sys.executable, str(EXAMPLES / "pick_example_record.py"), "--output", str(tmp_path)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "P  2009-08-24T00:20:07.710000Z  probability 0.98" in printed
    assert "S  2009-08-24T00:20:08.680000Z  probability 0.92" in printed
    assert (tmp_path / "BW.RJOB..EH.png").stat().st_size > 10_000
    assert len((tmp_path / "picks.csv").read_text().splitlines()) == 3


def test_pick_example_record_with_any_preset(run_example, spike_net, tmp_path):
    spike_net.save_preset(tmp_path / "spikes")
    options = ("--preset", tmp_path / "spikes", "--output", tmp_path)
    assert "BW.RJOB..EH, 30 s" in run_example("pick_example_record.py", *options)


@pytest.mark.shared
def test_adapt_to_one_channel(run_example, use_ncedc):
    printed = run_example("adapt_to_one_channel.py")
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


def test_finetune_near_surface(run_example, line, finder, tmp_path):
    printed = run_example(
        "finetune_near_surface.py", line / "raw", "--labels", line / "labels.csv",
        "--preset", finder, "--epochs", 1, "--output", tmp_path,
    )  # fmt: skip
    assert "P: F1 " in printed
    assert (tmp_path / "run" / "best" / "preset.json").is_file()


def test_compare_strategies_and_one_of_your_own(run_example, line, preset, finder, tmp_path):
    prepare(line / "raw", tmp_path / "set", line / "labels.csv")
    printed = run_example(
        "compare_strategies.py", tmp_path / "set", "--preset", finder, "--epochs", 1,
        "--strategies", "scratch,finetune", "--output", tmp_path / "comparison",
    )  # fmt: skip
    assert "| zero-shot | P |" in unaligned(printed)
    assert "| scratch | S |" in unaligned(printed)
    printed = run_example(
        "strategy_of_your_own.py", tmp_path / "set", "--preset", preset, "--epochs", 1,
        "--output", tmp_path / "own",
    )  # fmt: skip
    assert "from epoch 0: frozen input, down0, down1, down2, down3, down4" in printed
    assert "from epoch 10: frozen nothing" in printed
    assert '"name": "decoder_first"' in printed


@pytest.mark.shared
def test_finetune_on_specfem2d(run_example, shared, preset, tmp_path):
    printed = run_example(
        "finetune_on_specfem2d.py", shared / "data" / "specfem2d" / "native" / "run1_flat_ascii",
        "--preset", preset, "--epochs", 1, "--output", tmp_path,
    )  # fmt: skip
    assert "labels of untouched records" in printed


@pytest.mark.parametrize(("what", "shots"), [("line", 6), ("survey", 8)])
def test_made_shots_can_be_prepared(run_example, what, shots, tmp_path):
    run_example("make_example_data.py", what, tmp_path)
    records = list(read_labelled(tmp_path / what / "raw", tmp_path / what / "labels.csv"))
    assert len(records) == 24 * shots
    assert len({record.gather for record in records}) == shots
    assert all(set(record.arrivals) == {"P", "S"} for record in records)


def test_made_runs_have_their_onsets_where_they_say(run_example, tmp_path):
    run_example("make_example_data.py", "specfem2d", tmp_path)
    records = list(read_labelled(tmp_path / "specfem2d"))
    assert len(records) == 6 * 16
    assert {record.waveform.sampling_rate for record in records} == {2000.0}
    for record in records:
        p, s = (record.arrivals[phase][0] for phase in "PS")
        assert p < s
        for onset in (p, s):  # there is no noise: only at an onset does the slope change at once
            at = math.ceil(onset)
            bend = np.abs(np.diff(record.waveform.data, 2, axis=0)).max(axis=1)
            assert bend[at - 2 : at].max() > 3 * bend[at - 8 : at - 3].max()


def test_made_day_has_its_events_where_it_says(run_example, tmp_path):
    run_example("make_example_data.py", "day", tmp_path)
    stream = obspy.read(str(tmp_path / "day" / "day.mseed"))
    assert [trace.stats.npts for trace in stream] == [8_640_000] * 3
    rows = (tmp_path / "day" / "day_arrivals.csv").read_text().splitlines()[1:]
    assert len(rows) == 2 * 24
    onset = obspy.UTCDateTime(rows[0].split(",")[-1])
    [north] = [trace for trace in stream if trace.stats.channel[-1] == "N"]
    event = north.slice(onset, onset + 5).data.astype(float)
    assert np.abs(event).max() > 8 * north.data[:20_000].std()
