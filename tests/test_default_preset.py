"""The preset that is chosen when none is named, and the line that the package carries."""

from __future__ import annotations

import numpy as np
import obspy
import pytest
from records import write_station

from phasenet_keras.cli import main
from phasenet_keras.io.example import read_example_line
from phasenet_keras.io.selection import Selection
from phasenet_keras.io.tables import read_picks
from phasenet_keras.picking.default_preset import default_preset, first_rate_hz


@pytest.mark.parametrize(
    ("rate_hz", "name"),
    [
        (None, "regional"), (20.0, "regional"), (100.0, "regional"), (250.0, "regional"),
        (500.0, "near-surface"), (2000.0, "near-surface"), (1e6, "near-surface"),
    ],
)  # fmt: skip
def test_records_of_many_samples_a_second_take_the_near_surface_preset(rate_hz, name):
    assert default_preset(rate_hz) == name


def write_trace(path, rate_hz, **codes):
    header = {"network": "XX", "station": "A", "channel": "HHZ", "sampling_rate": rate_hz} | codes
    data = np.random.default_rng(0).integers(-99, 99, 3000, dtype=np.int32)
    obspy.Trace(data, header).write(str(path), "MSEED")
    return path


def test_the_first_wanted_record_that_can_be_read_has_the_word(tmp_path):
    (tmp_path / "0.mseed").touch()
    (tmp_path / "1.txt").write_text("no waveform\n")
    write_trace(tmp_path / "2.mseed", 500.0, station="FAST")
    write_trace(tmp_path / "3.mseed", 50.0, station="SLOW")
    assert first_rate_hz([tmp_path]) == 500.0
    assert first_rate_hz([tmp_path], Selection(station="SLOW")) == 50.0
    assert first_rate_hz([tmp_path / "3.mseed", tmp_path]) == 50.0
    assert first_rate_hz([tmp_path], Selection(station="NONE")) is None
    assert first_rate_hz([tmp_path / "missing.mseed", tmp_path / "0.mseed"]) is None


@pytest.fixture
def two_presets(make_net, tmp_path, monkeypatch):
    """Networks set by hand under the names of the shipped ones."""
    for name, rate_hz in (("regional", 100.0), ("near-surface", 2000.0)):
        make_net(channels=("Z",), sampling_rate=rate_hz).save_preset(tmp_path / "presets" / name)
    monkeypatch.setenv("PHASENET_KERAS_PRESETS", str(tmp_path / "presets"))


@pytest.mark.usefixtures("two_presets")
def test_pick_says_which_preset_it_took(preset, tmp_path, capsys):
    file = write_station(tmp_path / "day.mseed")
    out = tmp_path / "picks.csv"
    assert main(["pick", file, "--output", str(out)]) == 0
    said = capsys.readouterr().err
    assert "preset regional, the default for records of 100 Hz; --preset names another" in said
    assert len(read_picks(out)) == 1
    fast = write_trace(tmp_path / "fast.mseed", 2000.0)
    assert main(["pick", str(fast), "--output", str(out)]) == 0
    assert "preset near-surface, the default for records of 2000 Hz" in capsys.readouterr().err
    assert main(["annotate", str(fast), "--output", str(tmp_path / "out.mseed")]) == 0
    assert "preset near-surface, the default" in capsys.readouterr().err
    assert main(["pick", file, "--preset", preset, "--output", str(out)]) == 0
    assert "default" not in capsys.readouterr().err


@pytest.mark.usefixtures("two_presets")
def test_files_that_cannot_be_read_are_still_reported(tmp_path, capsys):
    (tmp_path / "empty.mseed").touch()
    out = str(tmp_path / "picks.csv")
    assert main(["pick", str(tmp_path / "empty.mseed"), "--output", out]) == 2
    told = capsys.readouterr()
    assert "preset regional, the default; --preset" in told.err
    assert "empty.mseed" in told.out


def test_the_example_line_breaks_at_its_onsets():
    line = read_example_line()
    assert len(line) == 48
    assert [r.waveform.offset_m for r in line] == sorted(r.waveform.offset_m for r in line)
    assert sum("S" in record.arrivals for record in line) == 38
    rises = []
    for record in line:
        data, [p] = record.waveform.data[:, 0].astype(float), record.arrivals["P"]
        at = round(p)
        rises.append(data[at : at + 50].std() / data[at - 50 : at].std())
    # Noise at 25 dB hides the far first breaks: half of the onsets raise the level fourfold.
    assert np.median(rises) > 4
    assert min(rises[:24]) > 2
