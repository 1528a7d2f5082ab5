"""What a run says of records of far another rate than the network's."""

from __future__ import annotations

import numpy as np
import pytest
from obspy import Trace

from phasenet_keras import Picker
from phasenet_keras.cli import main
from phasenet_keras.picking.far_rates import said_of_far_rates
from phasenet_keras.picking.files import FileReport, pick_files


@pytest.mark.parametrize(
    ("network_hz", "quiet", "far"),
    [
        (100.0, (20.0, 40.0, 99.9, 200.0, 250.0, 400.0), (10.0, 19.0, 500.0, 2000.0)),
        (2000.0, (400.0, 500.0, 4000.0, 8000.04), (200.0, 250.0, 10_000.0, 1e6)),
    ],
)
def test_what_a_preset_is_made_for_is_not_far(network_hz, quiet, far):
    assert said_of_far_rates(quiet, network_hz, "resample") == ""
    said = said_of_far_rates((*quiet, *far), network_hz, "resample")
    assert said.startswith(f"records of {', '.join(f'{rate:g}' for rate in far)} Hz are resampled")
    assert said_of_far_rates(far, network_hz, "reinterpret") == ""


def test_what_is_refused_says_so_itself():
    assert said_of_far_rates((100.0, 199.0), 2000.0, "resample") == ""


def write(folder, rate):
    folder.mkdir()
    for name in "AB":
        data = np.random.default_rng(0).standard_normal(8000).astype("f4")
        trace = Trace(data, {"station": name, "channel": "Z", "sampling_rate": rate})
        trace.write(str(folder / f"{name}.mseed"), format="MSEED")
    return str(folder)


@pytest.mark.parametrize("plot", [True, False])
def test_a_run_says_it_once(tmp_path, preset, capsys, plot):
    options = ["--preset", preset, "--output", str(tmp_path / "picks.csv")]
    options += ["--plot", str(tmp_path / "figures")] if plot else []
    assert main(["pick", write(tmp_path / "khz", 2000.0), *options]) == 0
    said = capsys.readouterr()
    text = " ".join((said.out + said.err).split())
    assert text.count("note records of 2000 Hz are resampled to the 100 Hz of the preset") == 1
    assert main(["pick", write(tmp_path / "hz", 200.0), *options]) == 0
    said = capsys.readouterr()
    assert "resampled" not in said.out + said.err
    assert main(["pick", str(tmp_path / "khz"), *options, "--sampling", "reinterpret"]) == 0
    said = capsys.readouterr()
    assert "are resampled to" not in said.out + said.err


def test_it_is_an_event_in_python(tmp_path, spike_net):
    events = list(pick_files(Picker(spike_net), write(tmp_path / "khz", 2000.0)))
    assert [e.failed for e in events if isinstance(e, FileReport)] == [False]
