"""SPECFEM2D runs: the same numbers from ASCII, binary and SU; times, distances; what is refused."""

from __future__ import annotations

import shutil
import warnings

import numpy as np
import pytest
from obspy import UTCDateTime
from reading import read_quietly

from phasenet_keras import read_labelled, read_waveforms
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.specfem import is_specfem_run, read_specfem_run
from phasenet_keras.types import FormatError

DT_S, EVERY, N_STEPS, F0_HZ = 2.5e-5, 20, 2007, 60.0
N_SAMPLES = N_STEPS // EVERY
PAR = f"""# job
NSTEP   = {N_STEPS}   # = number of steps
DT      = 2.5d-05   # s
NTSTEP_BETWEEN_OUTPUT_SAMPLE = {EVERY}
USER_T0 = 0.0d0
save_ASCII_seismograms = .true.
1 1 1843.0d0 1250.00d0
"""
SOURCE = """# source 1
source_surf = .false.
xs = 1.0d1   # m
zs = -4.
f0 = 60.000
tshift = 0.0
"""
# The second station is 3, 4 m away: 5 m.
STATIONS = "G02 GD 10.0 0.0 0.0 0.0\nB01   GD  13.0 -8.0d0 0.0 0.0\n\nG01 GD 20.0 -4.0 0 0\n"
NAMES = ["GD.G02..BX", "GD.B01..BX", "GD.G01..BX"]
OFFSETS_M = [4.0, 5.0, 10.0]
T_START_S = -1.2 / F0_HZ
DATA = np.random.default_rng(3).standard_normal((3, N_SAMPLES, 2)) * 1e-6


def write_ascii(folder, data=DATA, quantity="d", axes="XZ", start_s=T_START_S):
    for name, record in zip(NAMES, data, strict=True):
        for axis, values in zip(axes, record.T, strict=True):
            times = start_s + DT_S * EVERY * np.arange(len(values))
            lines = (f"  {t:.16E}  {v:.16E}" for t, v in zip(times, values, strict=True))
            path = folder / "OUTPUT_FILES" / f"{name.replace('..BX', '.BX')}{axis}.sem{quantity}"
            path.write_text("\n".join(lines) + "\n")


def write_binary(folder, data=DATA, precision="single", quantity="d"):
    for axis, values in zip("xz", np.moveaxis(data, 2, 0), strict=True):
        path = folder / "OUTPUT_FILES" / f"U{axis}_file_{precision}_{quantity}.bin"
        values.astype("<f8" if precision == "double" else "<f4").tofile(path)


def write_su(folder, data=DATA):
    from obspy import Stream, Trace

    for axis, values in zip("xz", np.moveaxis(data, 2, 0), strict=True):
        traces = [Trace(row.astype(np.float32), header={"delta": DT_S * EVERY}) for row in values]
        path = folder / "OUTPUT_FILES" / f"U{axis}_file_single_d.su"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Stream(traces).write(str(path), format="SU", byteorder="<")


@pytest.fixture
def run(tmp_path):
    """The inputs of a run of three stations, and no output."""
    folder = tmp_path / "run"
    (folder / "DATA").mkdir(parents=True)
    (folder / "OUTPUT_FILES").mkdir()
    for name, text in (("Par_file", PAR), ("SOURCE", SOURCE), ("STATIONS", STATIONS)):
        (folder / "DATA" / name).write_text(text)
    return folder


def edit(folder, name, old, new):
    path = folder / "DATA" / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("kind", ["ascii", "single", "double", "su"])
def test_every_kind_of_file_gives_the_same_records(run, kind):
    if kind == "ascii":
        write_ascii(run)
    elif kind == "su":
        write_su(run)
    else:
        write_binary(run, precision=kind)
    waves = read_quietly(run)
    assert [wave.station for wave in waves] == NAMES
    for wave, record, offset_m in zip(waves, DATA, OFFSETS_M, strict=True):
        assert wave.channels == ("E", "Z")
        np.testing.assert_array_equal(wave.data, record.astype(np.float32))
        assert wave.sampling_rate == 2000.0
        assert wave.start_time == UTCDateTime(0) - 0.02
        assert wave.units == "m"
        assert wave.offset_m == pytest.approx(offset_m, abs=1e-12)
    assert waves[1].source == {
        "ascii": "GD.B01.BXZ.semd",
        "single": "Uz_file_single_d.bin",
        "double": "Uz_file_double_d.bin",
        "su": "Uz_file_single_d.su",
    }[kind]  # fmt: skip


def test_a_run_is_a_par_file_and_output_files(run, tmp_path):
    assert is_specfem_run(run)
    assert is_specfem_run(str(run))
    assert not is_specfem_run(tmp_path)
    assert not is_specfem_run(run / "DATA" / "Par_file")
    write_binary(run)
    for path in (run / "DATA").iterdir():
        shutil.move(path, run / path.name)
    assert is_specfem_run(run)
    assert [wave.station for wave in read_quietly(run)] == NAMES
    (run / "Par_file").unlink()
    assert not is_specfem_run(run)


def test_ascii_comes_first_and_a_kind_can_be_asked_for(run):
    write_ascii(run, 2 * DATA)
    write_binary(run, 3 * DATA)
    write_binary(run, 4 * DATA, precision="double")
    write_su(run, 5 * DATA)
    for kind, factor in ((None, 2), ("ascii", 2), ("binary", 4), ("su", 5)):
        wave = read_quietly(run, kind=kind)[0]
        np.testing.assert_array_equal(wave.data, (factor * DATA[0]).astype(np.float32))
    with pytest.raises(FormatError, match="ascii, binary, su or None, received 'text'"):
        read_specfem_run(run, kind="text")


@pytest.mark.parametrize(("quantity", "units"), [("d", "m"), ("v", "m/s"), ("a", "m/s/s")])
def test_the_last_letter_tells_the_units(run, quantity, units):
    write_binary(run, quantity=quantity)
    assert {wave.units for wave in read_quietly(run)} == {units}


def test_displacement_is_preferred_and_that_is_said(run):
    write_ascii(run, 7 * DATA, quantity="v")
    write_ascii(run)
    with pytest.warns(RecordWarning, match="displacement and velocity: displacement is read"):
        waves = read_specfem_run(run)
    assert waves[0].units == "m"
    np.testing.assert_array_equal(waves[0].data, DATA[0].astype(np.float32))


def test_out_of_plane_motion_is_north(run):
    write_ascii(run, DATA[:, :, :1], axes="Y")
    assert {wave.channels for wave in read_quietly(run)} == {("N",)}
    write_ascii(run, np.concatenate([DATA, 2 * DATA[:, :, :1]], axis=2), axes="XZY")
    wave = read_quietly(run)[0]
    assert wave.channels == ("E", "N", "Z")
    np.testing.assert_array_equal(wave.data, DATA[0][:, [0, 0, 1]].astype("f4") * [1, 2, 1])


def test_records_are_those_that_read_waveforms_gives(run):
    write_ascii(run)
    by_station = {w.station: w for w in read_waveforms(sorted(run.glob("OUTPUT_FILES/*")))}
    for wave in read_quietly(run):
        other = by_station[wave.station]
        np.testing.assert_array_equal(wave.data, other.data)
        for name in ("channels", "sampling_rate", "start_time", "source"):
            assert getattr(wave, name) == getattr(other, name)


def test_su_files_of_a_run_are_read_with_what_its_inputs_say(run):
    write_su(run)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        by_station = {w.station: w for w in read_waveforms(run / "OUTPUT_FILES")}
    assert sorted(by_station) == sorted(NAMES)
    for wave in read_quietly(run):
        other = by_station[wave.station]
        np.testing.assert_array_equal(wave.data, other.data)
        for name in ("channels", "sampling_rate", "start_time", "zero_time", "source"):
            assert getattr(wave, name) == getattr(other, name)


def test_rows_may_number_the_traces_of_an_su_file_of_a_run(run, tmp_path):
    write_su(run)
    table = tmp_path / "labels.csv"
    name = "Uz_file_single_d.su"
    table.write_text(
        "fname,trace,p_sample\n" + "".join(f"{name},{n},{50 + n}\n" for n in (1, 2, 3))
    )
    records = list(read_labelled(run / "OUTPUT_FILES" / name, table))
    assert [r.arrivals for r in records] == [{"P": (50.0 + n,)} for n in (1, 2, 3)]
    assert {r.waveform.channels for r in records} == {("Z",)}
    assert records[2].name == "Uz_file_single_d-0003"


@pytest.mark.parametrize("change", ["no inputs", "another number of stations"])
def test_su_files_without_their_run_have_the_component_of_their_name(run, change):
    write_su(run)
    if change == "no inputs":
        shutil.rmtree(run / "DATA")
    else:
        edit(run, "STATIONS", "G01 GD 20.0 -4.0 0 0\n", "")
    with pytest.warns(RecordWarning, match="Ux and Uz of a station are records of their own"):
        waves = read_waveforms(run / "OUTPUT_FILES")
    assert [(w.station, w.channels) for w in waves] == [
        (f"U{axis}_file_single_d-000{number}", (component,))
        for axis, component in (("x", "E"), ("z", "Z"))
        for number in (1, 2, 3)
    ]
    assert all(wave.start_time == UTCDateTime(0) for wave in waves)


@pytest.mark.parametrize(
    ("file", "old", "new", "start_s"),
    [
        ("Par_file", "0.0d0", "5.0d-02", -0.05),
        ("Par_file", "USER_T0", "#USER_T0", -0.02),
        ("SOURCE", "tshift = 0.0", "tshift = 1.0d-2", -0.03),
        ("SOURCE", "f0 =", "time_function_type = 5  # step\nf0 =", -2.0 / 60),
        ("SOURCE", "f0 =", "time_function_type = 10\nf0 =", 0.0),
    ],
)
def test_times_of_files_without_times(run, file, old, new, start_s):
    edit(run, file, old, new)
    write_binary(run)
    start = read_quietly(run)[0].start_time
    assert start - UTCDateTime(0) == pytest.approx(start_s, abs=1e-6)  # ObsPy's microseconds


def test_ascii_files_carry_their_own_times(run):
    write_ascii(run, start_s=-0.5)
    assert read_quietly(run)[0].start_time == UTCDateTime(0) - 0.5


def test_older_names_of_parameters(run):
    edit(run, "Par_file", "DT  ", "deltat")
    edit(run, "Par_file", "NTSTEP_BETWEEN_OUTPUT_SAMPLE", "subsamp_seismos")
    write_binary(run)
    assert read_quietly(run)[0].data.shape == (N_SAMPLES, 2)
    edit(run, "Par_file", "subsamp_seismos", "NSTEP_BETWEEN_OUTPUT_SAMPLE")
    assert read_quietly(run)[0].sampling_rate == 2000.0


def test_a_source_moved_to_the_surface_is_where_the_program_put_it(run):
    write_binary(run)
    used = run / "OUTPUT_FILES" / "for_information_SOURCE_actually_used"
    used.write_text("   10.0000000000000        2.0000000000000000     \n")
    assert read_quietly(run)[0].offset_m == 4.0
    edit(run, "SOURCE", ".false.", ".true.")
    assert read_quietly(run)[0].offset_m == 2.0
    used.write_text("nothing here\n")
    assert read_quietly(run)[0].offset_m == 4.0


def test_of_several_sources_the_first_counts(run):
    write_binary(run)
    path = run / "DATA" / "SOURCE"
    path.write_text(path.read_text() + "# source 2\nxs = 99.\nzs = 0.\nf0 = 1.\n")
    with pytest.warns(RecordWarning, match="has 2 sources: times and distances are of the first"):
        waves = read_specfem_run(run)
    assert waves[0].offset_m == 4.0
    assert waves[0].start_time == UTCDateTime(0) - 0.02


@pytest.mark.parametrize("write", [write_ascii, write_binary, write_su])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_unstable_station_is_left_out_by_name(run, write, value):
    data = DATA.copy()
    data[1, 50:, 1] = value
    write(run, data)
    with pytest.warns(RecordWarning, match=r"station GD.B01 left out: NaN or infinite .*[Z_z]"):
        waves = read_specfem_run(run)
    assert [wave.station for wave in waves] == [NAMES[0], NAMES[2]]
    data[:, 50:, 1] = value
    write(run, data)
    with (
        pytest.warns(RecordWarning, match="left out"),
        pytest.raises(FormatError, match="at least one of 3 stations; none is"),
    ):
        read_specfem_run(run)


def test_stations_and_files_that_do_not_match_are_named(run):
    write_ascii(run)
    output = run / "OUTPUT_FILES"
    (output / "GD.G02.BXX.semd").rename(output / "GD.G77.BXX.semd")
    (output / "GD.B01.BXX.semd").unlink()
    (output / "GD.B01.BXZ.semd").unlink()
    with pytest.warns(RecordWarning) as caught:
        waves = read_specfem_run(run)
    said = " ".join(str(warning.message) for warning in caught)
    assert "not in STATIONS and left out: GD.G77" in said
    assert "station GD.B01 left out: it has no file" in said
    assert [(wave.station, wave.channels) for wave in waves] == [
        ("GD.G02..BX", ("Z",)),
        ("GD.G01..BX", ("E", "Z")),
    ]


def test_ascii_files_of_a_run_that_was_stopped(run):
    write_ascii(run, DATA[:, :40])
    with pytest.warns(RecordWarning, match="6 files have fewer than the 100 samples"):
        waves = read_specfem_run(run)
    assert waves[0].n_samples == 40
    path = run / "OUTPUT_FILES" / "GD.G01.BXX.semd"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:30]))
    with (
        pytest.warns(RecordWarning),
        pytest.raises(FormatError, match=r"G01 .* one length .*BXX.semd \(30 .*BXZ.semd \(40"),
    ):
        read_specfem_run(run)


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (write_binary, 3 * N_SAMPLES * 4),
        (lambda run: write_binary(run, precision="double"), 3 * N_SAMPLES * 8),
        (write_su, 3 * (240 + N_SAMPLES * 4)),
    ],
    ids=["single", "double", "su"],
)
@pytest.mark.parametrize("change", [-1, 1])
def test_a_file_of_another_size_is_refused(run, write, expected, change):
    write(run)
    [path] = (run / "OUTPUT_FILES").glob("Uz*")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] if change < 0 else whole + b"\0")
    said = rf"should have {expected} bytes .*received {expected + change} bytes: check"
    with pytest.raises(FormatError, match=said):
        read_specfem_run(run)


@pytest.mark.parametrize("name", ["Par_file", "SOURCE", "STATIONS"])
def test_a_missing_input_is_named(run, name):
    write_ascii(run)
    (run / "DATA" / name).unlink()
    with pytest.raises(FormatError, match=f"it lacks DATA/{name}: copy"):
        read_specfem_run(run)


def test_what_is_no_run_or_has_no_seismograms_is_refused(run, tmp_path):
    with pytest.raises(FormatError, match=r"it lacks DATA/Par_file, .*STATIONS, OUTPUT_FILES: "):
        read_specfem_run(tmp_path / "none")
    with pytest.raises(FormatError, match=r"should hold seismograms .*it holds nothing: run"):
        read_specfem_run(run)
    (run / "OUTPUT_FILES" / "GD.G01.PRE.semp").write_text("0 0\n")
    with pytest.raises(FormatError, match=r"it holds GD.G01.PRE.semp: "):
        read_specfem_run(run)
    write_binary(run)
    with pytest.raises(FormatError, match="seismograms of kind su"):
        read_specfem_run(run, kind="su")


def test_a_damaged_ascii_file_is_refused_by_name(run):
    write_ascii(run)
    (run / "OUTPUT_FILES" / "GD.G01.BXX.semd").write_text("")
    with pytest.raises(FormatError, match=r"GD.G01.BXX.semd is empty"):
        read_specfem_run(run)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("Par_file", "DT  ", "# DT", "set DT or deltat to a number, received nothing: use"),
        ("Par_file", "2.5d-05", "fast", "set DT or deltat to a number, received 'fast'"),
        ("Par_file", "2.5d-05", "inf", "received 'inf'"),
        ("Par_file", "2.5d-05", "-1", "time step above 0 .*received DT -1"),
        ("Par_file", "2.5d-05", "1d-320", "time step above 0"),
        ("Par_file", "NSTEP  ", "MSTEP", "set NSTEP to a number"),
        ("Par_file", str(N_STEPS), "19", "at least one sample; received .*NSTEP 19"),
        ("Par_file", str(N_STEPS), "1e300", "received 1200 bytes"),
        ("Par_file", "0.0d0", "1d30", "should start near time 0"),
        ("SOURCE", "60.000", "0.", "f0 above 0 Hz, received 0: .*set USER_T0"),
        ("SOURCE", "xs", "ys", "set xs to a number"),
        ("STATIONS", "13.0", "", "line 2: a line should name"),
        ("STATIONS", "-8.0d0", "deep", "line 2: .*received 'B01 "),
        ("STATIONS", "B01", "G02", "line 2: a line should name a station of its own"),
        ("STATIONS", STATIONS, "# none\n", "at least one station, received none"),
    ],
)
def test_inputs_that_cannot_be_used_are_refused(run, file, old, new, said):
    write_binary(run)
    edit(run, file, old, new)
    if file == "STATIONS" and new == "":
        (run / "DATA" / file).write_text("G02 GD 10.0 0.0\nB01 GD 13.0\n")
    with pytest.raises(FormatError, match=said):
        read_specfem_run(run)
