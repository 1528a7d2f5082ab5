from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pytest
from obspy import UTCDateTime

from phasenet_keras.io.seisbench import read_dataset, write_dataset
from phasenet_keras.types import ConfigError, FormatError, LabelledWaveform, ShapeError, Waveform

START = UTCDateTime("2020-01-01T00:00:00.25")


def record(number, arrivals, channels=("E", "N", "Z"), **fields):
    data = np.random.default_rng(number).standard_normal((300, len(channels))).astype("float32")
    wave = Waveform(data, 2000.0, START + number, channels, "XX.A.00.HH", offset_m=12.5)
    return LabelledWaveform(wave, arrivals, name=f"r{number}", **fields)


def test_round_trip_keeps_everything(tmp_path):
    records = [
        record(0, {"P": (10.25,), "S": (40.5, 90.0)}, event="e1", gather="shot1", split="train"),
        record(1, {"P": (12,), "S": ()}, split="dev"),
        record(2, {"P": (12,)}, split="test"),
        record(3, {"P": (), "S": ()}, split="test"),
    ]
    assert write_dataset(records, tmp_path / "set") == 4
    assert sorted(p.name for p in (tmp_path / "set").iterdir()) == [
        "metadata.csv",
        "waveforms.hdf5",
    ]
    for before, after in zip(records, read_dataset(tmp_path / "set"), strict=True):
        assert after.arrivals == before.arrivals
        assert np.array_equal(after.waveform.data, before.waveform.data)
        for field in ("name", "event", "gather", "split"):
            assert getattr(after, field) == getattr(before, field)
        for field in ("sampling_rate", "start_time", "channels", "station", "offset_m"):
            assert getattr(after.waveform, field) == getattr(before.waveform, field)
    assert [r.name for r in read_dataset(tmp_path / "set", "test")] == ["r2", "r3"]


def test_a_seisbench_folder_with_buckets_and_its_own_phase_names(tmp_path):
    """Laid out as SeisBench's writer does it: component first, several records in a bucket."""
    data = np.random.default_rng(0).standard_normal((2, 3, 400)).astype("float32")
    with h5py.File(tmp_path / "waveforms.hdf5", "w") as file:
        file["data/bucket0"] = data
        file["data_format/component_order"] = "ZNE"
        file["data_format/dimension_order"] = "CW"
        file["data_format/sampling_rate"] = 100
    pd.DataFrame(
        {
            "trace_name": ["bucket0$0,:3,:400", "bucket0$1,:3,:350"],
            "trace_Pg_arrival_sample": [100.0, np.nan],
            "trace_Sn_arrival_sample": [np.nan, np.nan],
            "trace_category": ["earthquake", "noise"],
            "trace_npts": [400, 350],
            "station_network_code": "CX",
            "station_code": "PB01",
            "split": "train",
        }
    ).to_csv(tmp_path / "metadata.csv", index=False)
    first, second = read_dataset(tmp_path)
    assert first.arrivals == {"P": (100.0,)}  # S was not labelled: unknown
    assert second.arrivals == {"P": (), "S": ()}
    assert first.waveform.channels == ("Z", "N", "E")
    assert np.array_equal(first.waveform.data, data[0].T)
    assert second.waveform.n_samples == 350
    assert first.waveform.sampling_rate == 100.0


def test_mistakes_are_named(tmp_path):
    with pytest.raises(FormatError, match="is no data set"):
        read_dataset(tmp_path)
    with pytest.raises(ConfigError, match="no records"):
        write_dataset([], tmp_path)
    with pytest.raises(ConfigError, match="two records are named 'r1'"):
        write_dataset([record(1, {}), record(1, {})], tmp_path)
    with pytest.raises(ConfigError, match="one set of channels: r2 has Z"):
        write_dataset([record(1, {}), record(2, {}, channels=("Z",))], tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ShapeError, match="P arrival at sample 300 is outside of its 300 samples"):
        record(1, {"P": (300,)})
    write_dataset([record(1, {})], tmp_path)
    with pytest.raises(ConfigError, match="splits are train, dev, test"):
        read_dataset(tmp_path, "validation")


@pytest.mark.parametrize(
    "station", [".7..GP", ".7.00.HN", "XX.7..HH", ".7..", "7", "7.8", "XX...", "line-0007"]
)
def test_a_station_comes_back_with_its_instrument(station, tmp_path):
    wave = Waveform(np.ones((300, 1)), 100.0, UTCDateTime(0), ("Z",), station)
    write_dataset([LabelledWaveform(wave, {"P": (3,)}, name="a")], tmp_path / "set")
    expected = "7" if station == ".7.." else station
    assert read_dataset(tmp_path / "set")[0].waveform.station == expected
