"""What SPECFEM2D itself wrote: labels, kinds of file, ObsPy's reading of the same."""

from __future__ import annotations

import math
import shutil

import numpy as np
import pytest
from obspy import UTCDateTime
from reading import read_quietly

from phasenet_keras.io.specfem import is_specfem_run

NATIVE = {
    "run1_flat_ascii": (16, "ascii", "m", 2000.0),
    "run2_topo_ascii": (16, "ascii", "m", 2000.0),
    "run3_flat_binary": (24, "binary", "m", 2000.0),
    "run4_topo_su": (24, "su", "m", 2000.0),
    "run5_flat_ascii_velocity": (12, "ascii", "m/s", 4000.0),
    "run6_topo_own_stations": (12, "ascii", "m", 2000.0),
}


@pytest.fixture(params=sorted(NATIVE))
def native(request, shared):
    return shared / "data/specfem2d/native" / request.param


def labels_of(folder):
    pd = pytest.importorskip("pandas")
    return pd.read_csv(folder / "labels.csv")


@pytest.mark.shared
def test_native_runs_agree_with_their_labels(native):
    n_stations, kind, units, rate_hz = NATIVE[native.name]
    assert is_specfem_run(native)
    waves, table = read_quietly(native), labels_of(native)
    assert len(waves) == len(table) == n_stations
    assert [w.station for w in read_quietly(native, kind=kind)] == [w.station for w in waves]
    for wave, row in zip(waves, table.to_dict("records"), strict=True):
        assert wave.station == f"{row['network']}.{row['station']}..BX"
        assert (wave.channels, wave.units, wave.sampling_rate) == (("E", "Z"), units, rate_hz)
        assert wave.offset_m == pytest.approx(row["distance_m"], abs=2e-3)
        for phase in "ps":
            index, time_s = row[f"{phase}_index"], row[f"{phase}_time_s"]
            if not math.isnan(index):
                at_s = wave.start_time - UTCDateTime(0) + index / wave.sampling_rate
                assert at_s == pytest.approx(time_s, abs=5.1e-3 / rate_hz + 1e-6)


@pytest.mark.shared
def test_native_runs_are_still_before_the_p_onset(native):
    for wave, row in zip(read_quietly(native), labels_of(native).to_dict("records"), strict=True):
        at, after = int(row["p_index"]), round(0.02 * wave.sampling_rate)
        before = np.abs(wave.data[:at]).max()
        # Measured: at most 0.032 of the peak, and 0.10 of the first 20 ms of the P wave.
        assert before < 0.05 * np.abs(wave.data).max(), wave.station
        assert before < 0.15 * np.abs(wave.data[at : at + after]).max(), wave.station


@pytest.mark.shared
def test_native_ascii_single_and_double_are_one_record(shared, tmp_path):
    folder = shared / "data/specfem2d/native/run6_topo_own_stations"
    ascii_, binary = read_quietly(folder, kind="ascii"), read_quietly(folder, kind="binary")
    shutil.copytree(folder, tmp_path / "run", ignore=shutil.ignore_patterns("*_double_*"))
    single = read_quietly(tmp_path / "run", kind="binary")
    assert single[0].source == "Uz_file_single_d.bin"
    for a, d, s in zip(ascii_, binary, single, strict=True):
        np.testing.assert_array_equal(a.data, d.data)
        assert np.abs(s.data - d.data).max() <= 2.0**-23 * np.abs(d.data).max()
        for name in ("station", "channels", "sampling_rate", "start_time", "offset_m", "units"):
            assert getattr(a, name) == getattr(d, name) == getattr(s, name)


@pytest.mark.shared
def test_native_su_is_what_obspy_reads(shared):
    from obspy import read

    folder = shared / "data/specfem2d/native/run4_topo_su"
    traces = read(folder / "OUTPUT_FILES/Uz_file_single_d.su", format="SU", byteorder="<")
    for wave, trace in zip(read_quietly(folder), traces, strict=True):
        np.testing.assert_array_equal(wave.data[:, 1], trace.data)
        assert trace.stats.sampling_rate == wave.sampling_rate
