"""Records of several sampling rates in one data set."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from obspy import UTCDateTime

from phasenet_keras import Waveform, read_dataset
from phasenet_keras.cli import main
from phasenet_keras.data.resampling import resample_record
from phasenet_keras.io.seisbench import PREPARED, write_dataset
from phasenet_keras.training.demands import check_one_rate
from phasenet_keras.types import LabelledWaveform

ONSET_S = 12.0


def record(rate_hz, number, onset_s=ONSET_S):
    """Half a minute with a bump of a tenth of a second, whose middle is labelled P."""
    time_s = np.arange(round(30 * rate_hz)) / rate_hz
    data = np.exp(-0.5 * ((time_s - onset_s) / 0.05) ** 2)[:, None]
    data = data + 0.001 * np.random.default_rng(number).standard_normal(data.shape)
    wave = Waveform(data, rate_hz, UTCDateTime(10_000_000 + 100 * number), ("Z",), f"XX.S{number}.")
    return LabelledWaveform(wave, {"P": (onset_s * rate_hz,)}, f"r{number}", event=f"e{number}")


RATES_HZ = (100.0,) * 8 + (250.0,) * 4 + (40.0,) * 2


def write_labelled_hdf5(path, records):
    with h5py.File(path, "w") as file:
        for one in records:
            group = file.create_group(one.name)
            group["data"] = one.waveform.data
            group.attrs["sampling_rate_hz"] = one.waveform.sampling_rate
            group.attrs["p_index"] = one.arrivals["P"][0]
            group.attrs["channels"] = "Z"
            group.attrs["station"] = one.waveform.station
            group.attrs["start_time"] = str(one.waveform.start_time)


def test_what_prepare_takes_for_one_rate_training_does_too(tmp_path, capsys):
    """Rates within 0.5 % came into one data set, which `train` then refused."""
    rates_hz = (100.0,) * 8 + (100.2,) * 4 + (100.005,) * 2
    write_labelled_hdf5(tmp_path / "in.h5", [record(hz, n) for n, hz in enumerate(rates_hz)])
    command = ["prepare", str(tmp_path / "in.h5"), "--output", str(tmp_path / "set")]
    assert main(command) == 1
    said = capsys.readouterr().out
    assert "skipped 4 records of Z at 100.2 Hz: the data set holds Z at 100 Hz" in said
    assert "or bring all to one rate with --resample-hz" in said
    records = read_dataset(tmp_path / "set")
    assert len(records) == 10
    check_one_rate({"to train on": records[:5], "to validate on": records[5:]})


def test_rates_that_drift_to_both_sides_are_one_only_all_with_all(tmp_path, capsys):
    """Each is within 1e-4 of the commonest, but not all of each other, as `train` asks."""
    rates_hz = (100.0,) * 6 + (100.008,) * 2 + (99.995,) * 3 + (100.004,)
    write_labelled_hdf5(tmp_path / "in.h5", [record(hz, n) for n, hz in enumerate(rates_hz)])
    command = ["prepare", str(tmp_path / "in.h5"), "--output", str(tmp_path / "set")]
    assert main(command) == 1
    assert "skipped 2 records of Z at 100.008 Hz" in capsys.readouterr().out
    records = read_dataset(tmp_path / "set")
    assert sorted({one.waveform.sampling_rate for one in records}) == [99.995, 100.0, 100.004]
    check_one_rate({"to train on": records})
    assert main([*command, "--overwrite", "--resample-hz", "100"]) == 0
    records = read_dataset(tmp_path / "set")
    assert len(records) == 12
    check_one_rate({"to train on": records})


def test_all_are_brought_to_one_rate(tmp_path, capsys):
    source = tmp_path / "in.h5"
    write_labelled_hdf5(source, [record(hz, number) for number, hz in enumerate(RATES_HZ)])
    assert main(["prepare", str(source), "--output", str(tmp_path / "some")]) == 1
    said = capsys.readouterr().out
    assert "skipped 4 records of Z at 250 Hz" in said
    assert "or bring all to one rate with --resample-hz" in said
    options = ["--resample-hz", "100", "--output", str(tmp_path / "all")]
    assert main(["prepare", str(source), *options]) == 0
    records = read_dataset(tmp_path / "all")
    assert len(records) == 14
    for one in records:
        [at] = one.arrivals["P"]
        assert one.waveform.sampling_rate == pytest.approx(100.0, rel=1e-9)
        assert at == pytest.approx(100 * ONSET_S, abs=1e-6)
        assert abs(int(one.waveform.data[:, 0].argmax()) - at) <= 1
        assert len(one.waveform.data) == 3000


def test_both_ways_of_choosing_a_rate_are_one_too_many(tmp_path, capsys):
    rates = ["--resample-hz", "100", "--sampling-rate-hz", "100"]
    assert main(["prepare", str(tmp_path), *rates, "--output", str(tmp_path / "out")]) == 2
    assert "resample_hz brings all to one: give one of them" in capsys.readouterr().err


def test_a_set_of_an_earlier_version_is_not_taken_for_this_one(tmp_path, capsys):
    write_dataset([record(100.0, number) for number in range(8)], tmp_path / "in100")
    arguments = ["prepare", str(tmp_path / "in100"), "--output", str(tmp_path / "out")]
    assert main(arguments) == 0
    path = tmp_path / "out" / PREPARED
    content = json.loads(path.read_text())
    content["order"]["layout"] = 1
    path.write_text(json.dumps(content))
    assert main(arguments) == 2
    assert "made by another version of this program" in capsys.readouterr().err


@given(
    old_hz=st.sampled_from([20.0, 40.0, 80.0, 125.0, 250.0, 1000.0]),
    new_hz=st.sampled_from([50.0, 100.0, 200.0]),
    onset_s=st.floats(5, 25),
)
def test_arrivals_stay_at_their_times(old_hz, new_hz, onset_s):
    made = resample_record(record(old_hz, 1, onset_s), new_hz)
    [at] = made.arrivals["P"]
    assert at / made.waveform.sampling_rate == pytest.approx(onset_s, abs=1e-9)
    assert abs(int(made.waveform.data[:, 0].argmax()) - at) <= max(1.0, 1.5 * new_hz / old_hz)
