"""Labelled records in HDF5: PhaseNet's layout, its relatives, and what is wrong with some."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from obspy import UTCDateTime
from sources import read_hdf5

from phasenet_keras import read_waveforms
from phasenet_keras.io.labels.hdf5 import holds_labels
from phasenet_keras.io.registry import noted
from phasenet_keras.types import FormatError

ONES = np.ones((600, 3), "f4")


def write(path, name="a", data=ONES, as_group=True, **attributes):
    with h5py.File(path, "a") as file:
        node = file.create_group(name) if as_group else file.create_dataset(name, data=data)
        if as_group:
            node["data"] = data
        node.attrs.update(attributes)
    return path


def read_one(path):
    [record], bad = read_hdf5(path)
    assert bad == []
    return record


def test_groups_of_our_layout(tmp_path):
    path = write(
        tmp_path / "a.h5",
        data=np.stack([np.full(600, column) for column in (1, 2, 3)], axis=1),
        **{"p_index": 120.25, "s_index": np.nan, "sampling_rate_hz": 200.0, "channels": "12Z"},
        **{"station": "REC01", "start_time": "2019-11-05T04:22:50.475000Z", "shot": 3},
        **{"offset_m": 12.5, "split": "Validation"},  # as tables have it: dev
    )
    record = read_one(path)
    wave = record.waveform
    assert record.arrivals == {"P": (120.25,)}
    assert (record.name, record.event, record.gather, record.split) == ("a", "", "shot 3", "dev")
    assert (wave.sampling_rate, wave.station, wave.offset_m) == (200.0, "REC01", 12.5)
    assert wave.start_time == UTCDateTime("2019-11-05T04:22:50.475")
    assert (wave.channels, wave.data[0].tolist()) == (("E", "N", "Z"), [2.0, 1.0, 3.0])
    assert wave.source == "a.h5"


def test_datasets_of_quakeflow(tmp_path):
    path = tmp_path / "a.h5"
    write(
        path,
        "nc7/NC.MCB..HH",
        np.arange(1800, dtype="f4").reshape(3, 600),
        as_group=False,
        phase_type=["P", "S", "Pn", "pP"],
        phase_index=[100, 250, 400, 500],
        component=["E", "N", "Z"],
        event_id=["nc7", "nc8", "nc7", "nc7"],
        **{"dt_s": np.float32(0.005), "network": "NC", "station": "MCB", "location": ""},
        **{"instrument": "HH", "distance_km": 1.9, "unit": "m/s"},
    )
    write(path, "nc7/NC.P..HH", ONES.T, as_group=False, phase_type="P", phase_index=7)
    with h5py.File(path, "a") as file:
        file["nc7"].attrs.update(begin_time="2020-01-02T07:01:19.620", event_id="nc7")
    records, bad = read_hdf5(path)
    assert bad == []
    assert records[0].arrivals == {"P": (100.0, 400.0), "S": (250.0,)}
    assert [record.event for record in records] == ["nc7", "nc7"]
    wave = records[0].waveform
    assert (wave.station, wave.sampling_rate, wave.units) == ("NC.MCB..HH", 200.0, "m/s")
    assert (wave.data.shape, wave.data[0].tolist()) == ((600, 3), [0.0, 600.0, 1200.0])
    assert wave.start_time == UTCDateTime("2020-01-02T07:01:19.62")
    assert wave.offset_m == pytest.approx(1900.0)
    assert records[1].arrivals == {"P": (7.0,)}
    assert (records[1].waveform.station, records[1].waveform.sampling_rate) == ("NC.P..HH", 100.0)


def test_noise_of_stead_is_absent_not_unknown(tmp_path):
    path = tmp_path / "a.h5"
    common = {"as_group": False, "network_code": "TA", "receiver_code": "109C"}
    write(path, "data/n", trace_category="noise", p_arrival_sample="", **common)
    write(path, "data/q", p_arrival_sample=70.0, s_arrival_sample="", source_id="q1", **common)
    [noise, quake], _ = read_hdf5(path)
    assert (noise.arrivals, noise.event) == ({"P": (), "S": ()}, "")
    assert (quake.arrivals, quake.event) == ({"P": (70.0,)}, "q1")
    assert quake.waveform.station == "TA.109C.."


@pytest.mark.parametrize("names", [("p_idx", "s_idx"), ("itp", "its"), ("p_index", "s_index")])
def test_names_of_arrivals_one_or_several(tmp_path, names):
    path = write(tmp_path / "a.h5", **{names[0]: [300, 20], names[1]: np.array([np.nan, 5.0])})
    assert read_one(path).arrivals == {"P": (20.0, 300.0), "S": (5.0,)}


@pytest.mark.parametrize(
    ("attributes", "arrivals"),
    [
        ({"p_us": 52.586266637370876, "s_us": [12, 40.5]}, {"P": (525.862666,), "S": (120.0, 405)}),
        ({"p_time_s": 1e-5, "s_ms": "0.02"}, {"P": (100.0,), "S": (200.0,)}),
        ({"p_us": -1, "s_time_us": np.nan, "p_sample": 7}, {"P": (7.0,)}),
        ({"p_us": 12, "p_sample": np.nan}, {"P": (120.0,)}),
        (
            {"p_us": 12, "s_us": 40, "phase_type": ["P"], "phase_index": [9]},
            {"P": (9,), "S": (400,)},
        ),
    ],
)
def test_arrivals_by_time_since_the_first_sample(tmp_path, attributes, arrivals):
    record = read_one(write(tmp_path / "a.h5", sampling_rate_mhz=10.0, **attributes))
    assert (record.waveform.sampling_rate, record.arrivals) == (1e7, arrivals)


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"p_sample": 120, "p_time_s": 0.9}, ["p_sample and p_time_s"]),
        ({"p_index": 120, "itp": [120, 300], "p_ms": 1200.0}, ["p_index and itp"]),
        (
            {"phase_type": ["P"], "phase_index": [120], "p_time_s": 3.0},
            ["phase_index and p_time_s"],
        ),
        ({"p_time_s": 1.2, "p_ms": 900}, ["p_time_s and p_ms"]),
        ({"p_sample": 120, "p_time_s": 1.204}, []),
        ({"p_sample": 120, "p_time_s": np.nan, "p_ms": "late", "p_after_trigger_ms": 3.0}, []),
    ],
)
def test_attributes_of_one_phase_that_disagree_are_said(tmp_path, attributes, said):
    path = write(tmp_path / "a.h5", sampling_rate_hz=100.0, **attributes)
    with noted() as texts:
        assert read_one(path).arrivals == {"P": (120.0,)}
    assert texts == [
        f"attributes {both} have different arrivals of P: {both.split()[0]} counts; leave out the "
        "one that is wrong"
        for both in said
    ]


def test_arrivals_by_time_outside_of_a_record_or_after_an_unknown_trigger_are_refused(tmp_path):
    path = write(tmp_path / "a.h5", "a", sampling_rate_mhz=10.0, p_us=10)
    write(path, "b", sampling_rate_mhz=10.0, p_us=60.0)
    write(path, "c", sampling_rate_mhz=10.0, p_after_trigger_us=10.0)
    records, bad = read_hdf5(path)
    assert [record.arrivals for record in records] == [{"P": (100.0,)}]
    assert "outside of its 600 samples" in bad[0].text
    assert "give times since the first sample, p_us" in bad[1].text


def test_further_arrivals_count_where_the_first_is_labelled(tmp_path):
    path = write(
        tmp_path / "a.h5",
        **{"p_index": 20, "other_p_indices": [90.5], "s_index": np.nan, "other_s_indices": [99.0]},
    )
    assert read_one(path).arrivals == {"P": (20.0, 90.5)}


@pytest.mark.parametrize(
    ("shape", "channels", "expected"),
    [
        ((600,), None, ((600, 1), ("Z",))),
        ((600, 1), "Z", ((600, 1), ("Z",))),
        ((1, 600), None, ((600, 1), ("Z",))),
        ((600, 2), "23", ((600, 2), ("E", "N"))),
        ((2, 600), ["HHN", "HHZ"], ((600, 2), ("N", "Z"))),
        ((600, 3), "HHE,HHN,HHZ", ((600, 3), ("E", "N", "Z"))),
        ((600, 3), b"Z N E", ((600, 3), ("E", "N", "Z"))),
        ((2, 3), None, ((3, 2), None)),
        ((600, 500), None, ((600, 500), None)),  # of a fibre
    ],
)
def test_shapes_and_channels(tmp_path, shape, channels, expected):
    attributes = {} if channels is None else {"channels": channels}
    path = write(tmp_path / "a.h5", data=np.ones(shape), p_index=1, **attributes)
    if expected[1] is None:
        _, [bad] = read_hdf5(path)
        assert "do not fit channels" in bad.text
        assert ('"Arrays of another shape" in docs' in bad.text) == (shape == (600, 500))
        return
    wave = read_one(path).waveform
    assert (wave.data.shape, wave.channels) == expected


def test_bad_records_are_named_and_the_others_kept(tmp_path):
    path = tmp_path / "a.h5"
    not_finite = ONES.copy()
    not_finite[7] = np.nan
    write(path, "r1", p_index=10)
    write(path, "r2", not_finite, p_index=10)
    write(path, "r3", p_index=600)
    write(path, "r4", np.ones((600, 2)), p_index=10)
    write(path, "r5", np.ones((5, 600, 3)), p_index=10)
    write(path, "r6", station="no labels")
    write(path, "r7", p_index="early")
    write(path, "r8", p_index=10, start_time="yesterday")
    write(path, "r9", p_index=10, dt=0.0)
    write(path, "s1", p_index=10, channels="EEZ")
    write(path, "s2", phase_type=["P"], phase_index=[1, 2])
    write(path, "s3", p_index=10, sampling_rate="fast")
    write(path, "s4", p_index=h5py.Empty("f"), s_index=h5py.Empty("f"))
    with h5py.File(path, "a") as file:
        file["s5"] = h5py.SoftLink("/nowhere")
        file["s6"] = np.array([b"text"])
        file["s7"] = h5py.SoftLink("/")
    write(path, "t", p_index=20)
    records, bad = read_hdf5(path)
    # The link to the file itself leads to the same records once more, but not without end.
    assert {"r1", "t"} <= {record.name for record in records}
    bad = [row for row in bad if "/" not in row.text.split(":")[0]]
    assert [row.row for row in bad] == list(range(2, 16))
    reasons = [
        ("r2", "NaN or infinite"),
        ("r3", "outside of its 600 samples"),
        ("r4", "do not fit channels (none named)"),
        ("r5", "received float64 of shape (5, 600, 3)"),
        ("r6", "no attribute of arrivals"),
        ("r7", "an arrival should be a number, received early"),
        ("r8", "ISO 8601, received yesterday"),
        ("r9", "above 0 s"),
        ("s1", "do not fit channels E,E,Z"),
        ("s2", "1 names in phase_type and 2 samples"),
        ("s3", "should be a number, received fast"),
        ("s4", "no attribute of arrivals"),
        ("s5", "link to nothing"),
        ("s6", "no attribute of arrivals"),
    ]
    for row, (name, reason) in zip(bad, reasons, strict=True):
        assert row.text.startswith(f"{name}: ")
        assert reason in row.text


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "a.h5"
    with pytest.raises(FormatError, match="no readable HDF5"):
        read_hdf5(path)
    path.write_bytes(b"text")
    with pytest.raises(FormatError, match="no readable HDF5"):
        read_hdf5(path)
    h5py.File(path, "w").close()
    with pytest.raises(FormatError, match="no labelled record, but nothing"):
        read_hdf5(path)
    write(path, "data/bucket0", np.ones((5, 3, 600)), as_group=False)
    with pytest.raises(FormatError, match=r"no labelled record, but data/bucket0 \(5, 3, 600\)"):
        read_hdf5(path)


@pytest.mark.parametrize(
    ("name", "n_records", "n_p", "n_s", "rates"),
    [
        ("pyrefra_first_breaks", 1259, 1259, 0, {4000.0}),
        ("eqt_stead50", 50, 50, 50, {100.0}),
        ("quakemigrate_vt_iceland", 290, 199, 261, {100.0}),
        ("eqcorrscan_nz_alpine", 282, 205, 180, None),
        ("scdetect_switzerland", 9, 9, 9, None),
    ],
)
def test_shared_records(shared, name, n_records, n_p, n_s, rates):
    path = shared / f"data/records/{name}.h5"
    records, bad = read_hdf5(path)
    assert bad == []
    assert len(records) == len({record.name for record in records}) == n_records
    assert sum("P" in record.arrivals for record in records) == n_p
    assert sum("S" in record.arrivals for record in records) == n_s
    assert all(samples for record in records for samples in record.arrivals.values())
    assert rates is None or {record.waveform.sampling_rate for record in records} == rates
    with h5py.File(path) as file:
        for record in records[:20]:
            attributes = file[record.name].attrs
            for phase, samples in record.arrivals.items():
                assert attributes[f"{phase.lower()}_index"] in samples
    if name.startswith("pyrefra"):
        assert records[0].gather == "shot 1"
        assert len({record.gather for record in records}) > 1
        assert all(record.waveform.offset_m is not None for record in records)


def test_damaged_attributes_and_groups_are_one_record_each(tmp_path):
    path = tmp_path / "a.h5"
    for name in ("quake/a", "quake/b", "sound"):
        write(path, name, p_index=10, as_group=False)
    with h5py.File(path, "a") as file:
        file.create_group("later/deeper")
        place = h5py.h5o.get_info(file["quake/b"].id).addr
    content = bytearray(path.read_bytes())
    at = content.index(b"p_index", place)
    content[at - 8 : at] = b"\xff" * 8  # version and sizes of the attribute
    path.write_bytes(content)
    records, bad = read_hdf5(path)
    assert [record.name for record in records] == ["quake/a", "sound"]
    assert [(item.row, item.text[:40]) for item in bad] == [
        (2, "quake/b: its attributes cannot be read: ")
    ]
    assert holds_labels(path)


@pytest.mark.parametrize(
    ("attributes", "rate_hz"),
    [
        ({"sample_rate": 1e7}, 1e7),
        ({"fs": 4000.0}, 4000.0),
        ({"SamplingRate": 500}, 500.0),
        ({"dt_us": 0.1}, 1e7),
        ({"sampling_rate_mhz": 10.0}, 1e7),
        ({"Sampling_Interval_ms": 0.25}, 4000.0),
        ({"dt_s": 0.0083, "sampling_rate": 120.0}, 120.0),
    ],
)
def test_names_of_the_sampling_rate(tmp_path, attributes, rate_hz):
    path = write(tmp_path / "a.h5", p_index=10, **attributes)
    with noted() as notes:
        assert read_one(path).waveform.sampling_rate == pytest.approx(rate_hz, rel=1e-9)
    assert notes == []


@pytest.mark.parametrize("name", ["start_time", "starttime", "begin_time", "trace_start_time"])
def test_names_of_the_start_and_of_the_distance(tmp_path, name):
    own = {name: "2024-01-01T08:00:00+08:00", "distance_m": 40.0}
    wave = read_one(write(tmp_path / "a.h5", p_index=10, fs=200.0, **own)).waveform
    assert (wave.start_time, wave.offset_m) == (UTCDateTime(2024, 1, 1), 40.0)


def test_what_a_record_says_counts_before_what_a_group_above_says_by_another_name(tmp_path):
    write(tmp_path / "a.h5", "ev/a", p_index=10, begin_time="2024-05-05", station="S7", fs=200.0)
    write(tmp_path / "a.h5", "ev/b", p_index=10, station="")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file.attrs.update(start_time="2020-01-01", station_id="ALL", dt_s=0.001)
    records, bad = read_hdf5(tmp_path / "a.h5")
    waves = [record.waveform for record in records]
    assert bad == []
    assert [(w.station, w.sampling_rate, w.start_time.year) for w in waves] == [
        ("S7", 200.0, 2024),
        ("ALL", 1000.0, 2020),
    ]
    assert {wave.sampling_rate for wave in read_waveforms(tmp_path / "a.h5")} == {200.0, 1000.0}


def test_rates_that_differ_are_refused_but_dt_may_be_a_residual(tmp_path):
    path = tmp_path / "a.h5"
    write(path, "a", p_index=10, dt_s=0.01, sampling_rate=200.0)
    write(path, "b", p_index=10, dt=-0.25, sampling_rate=200.0)
    write(path, "c", p_index=10, dt=-0.25)
    with noted() as notes:
        [record], bad = read_hdf5(path)
    assert (record.name, record.waveform.sampling_rate) == ("b", 200.0)
    assert [item.text for item in bad] == [
        "a: it is of 200 Hz by sampling_rate, 100 Hz by dt_s: keep what is right alone, times in s",
        "c: dt should be above 0 s, received -0.25",
    ]
    said = "a.h5: dt is no step of 200 Hz, which another attribute says, and is not used"
    assert set(notes) == {said}


def test_a_sampling_rate_that_is_assumed_is_said(tmp_path):
    path = tmp_path / "a.h5"
    for name in "ab":
        write(path, name, p_index=10, df_hz=1e7)
    with noted() as notes:
        records, _ = read_hdf5(path)
    assert [record.waveform.sampling_rate for record in records] == [100.0, 100.0]
    [note] = set(notes)
    assert note == (
        "a.h5: no sampling rate (sampling_rate_hz, dt_s), 100 Hz is assumed: is it df_hz?"
    )
