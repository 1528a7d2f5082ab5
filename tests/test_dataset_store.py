from __future__ import annotations

import warnings
from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest
from obspy import UTCDateTime

from phasenet_keras.io.parts import BadRow, RecordFacts
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.seisbench import dataset_parts, read_dataset, read_facts, write_dataset
from phasenet_keras.types import ConfigError, FormatError, LabelledWaveform, ShapeError, Waveform

START = UTCDateTime("2020-01-01T00:00:00.25")


def record(number, arrivals, channels=("E", "N", "Z"), **fields):
    data = np.random.default_rng(number).standard_normal((300, len(channels))).astype("float32")
    wave = Waveform(data, 2000.0, START + number, channels, "XX.A.00.HH", "M/S", offset_m=12.5)
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
        for field in ("sampling_rate", "start_time", "channels", "station", "offset_m", "units"):
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


@pytest.mark.parametrize("order", ["CW", "WC"])
def test_a_bucket_in_either_order_of_dimensions(tmp_path, order):
    """Without trace_npts, as SeisBench's writer leaves it; the second has one channel alone."""
    data = np.random.default_rng(0).standard_normal((2, 400, 3)).astype("float32")
    extents = [(400, 3), (350, 1)]
    if order == "CW":
        extents = [extent[::-1] for extent in extents]
    with h5py.File(tmp_path / "waveforms.hdf5", "w") as file:
        file["data/bucket0"] = data if order == "WC" else data.transpose(0, 2, 1)
        file["data_format/dimension_order"] = order
    pd.DataFrame(
        {
            "trace_name": [f"bucket0${n},:{a},:{b}" for n, (a, b) in enumerate(extents)],
            "trace_component_order": ["ZNE", "Z"],
            "trace_sampling_rate_hz": 100,
            "trace_P_arrival_sample": [100, 349],
            "trace_S_arrival_sample": [399, 350],
        }
    ).to_csv(tmp_path / "metadata.csv", index=False)
    with pytest.warns(RecordWarning, match=r"hdf5: 1 arrivals are outside .*1,.* S at 350$"):
        first, second = read_dataset(tmp_path)
    assert np.array_equal(first.waveform.data, data[0])
    assert np.array_equal(second.waveform.data, data[1, :350, :1])
    assert first.arrivals == {"P": (100.0,), "S": (399.0,)}
    assert second.arrivals == {"P": (349.0,)}


def test_records_of_buckets_can_be_written(tmp_path):
    """The name of a place in a bucket is none of a record: $ could not be read back."""
    with h5py.File(tmp_path / "waveforms.hdf5", "w") as file:
        file["data/bucket0"] = np.random.default_rng(0).standard_normal((3, 1, 300))
        file["data_format/component_order"] = "Z"
    table = pd.DataFrame(
        {
            "trace_name": [f"bucket0${n},:1,:300" for n in range(3)],
            "trace_name_original": ["007", "a/b$c", None],
            "trace_sampling_rate_hz": 100,
            "trace_P_arrival_sample": [10, 20, 30],
        }
    )
    table.to_csv(tmp_path / "metadata.csv", index=False)
    records = read_dataset(tmp_path)
    assert [record.name for record in records] == ["007", "a_b_c", "bucket0_2,:1,:300"]
    chosen = read_dataset(tmp_path, names=["bucket0$0,:1,:300", "a_b_c"])  # by place, by name
    assert [record.name for record in chosen] == ["007", "a_b_c"]
    with pytest.raises(ConfigError, match="no record 'a_b_d'"):
        read_dataset(tmp_path, names=["a_b_d"])
    assert read_dataset(tmp_path, names="007")[0].arrivals == {"P": (10.0,)}
    assert write_dataset(records, tmp_path / "again") == 3
    for before, after in zip(records, read_dataset(tmp_path / "again"), strict=True):
        assert (after.name, after.arrivals) == (before.name, before.arrivals)
        assert np.array_equal(after.waveform.data, before.waveform.data)


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
    with pytest.raises(ConfigError, match=r"received validation, which is dev: ask for this$"):
        read_dataset(tmp_path, ("train", "validation"))
    with pytest.raises(ConfigError, match=r"number 2 is a row that gave none \(row 7: its\)"):
        write_dataset([record(1, {}), BadRow(7, "its")], tmp_path / "other")


# -- what phases are ------------------------------------------------------------------------------

LATER = {"PcP": (250,), "sP": (120.5,), "pP": (100,), "PKIKP": (260,)}


def without_column(folder, name):
    table = pd.read_csv(folder / "metadata.csv", dtype={"trace_name": str})
    table.drop(columns=name).to_csv(folder / "metadata.csv", index=False)


def test_depth_core_and_reflected_phases_of_a_foreign_set_are_left_out_and_counted(tmp_path):
    first = {"P": (10,), "Pg": (12,), "p": (13,), "S": (60,), "Sn": (62.5,)}
    write_dataset([record(0, {**first, **LATER}), record(1, {"PcP": (9,)})], tmp_path / "set")
    without_column(tmp_path / "set", "trace_labelled_phases")
    said = r"metadata.csv: arrivals left out: 5 of other phases \(PcP 2, sP 1, pP 1, PKIKP 1\)"
    with pytest.warns(RecordWarning, match=said):
        records = read_dataset(tmp_path / "set")
    assert [r.arrivals for r in records] == [{"P": (10, 12, 13), "S": (60, 62.5)}, {}]
    with pytest.warns(RecordWarning, match=said):
        [part] = dataset_parts(tmp_path / "set")
    assert [r.arrivals for r in part()] == [r.arrivals for r in records]
    with pytest.warns(RecordWarning, match=r"left out: 1 of other phases \(PcP 1\)"):
        read_dataset(tmp_path / "set", names="r1")


@pytest.mark.parametrize(
    ("arrivals", "listed"),
    [
        ({"P": (3,), "S": ()}, "PS"),
        ({"p": (3,)}, "p"),
        ({"X": (3, 5.5)}, "X"),
        ({"Pg": (3,)}, "Pg,"),
        ({"P": (10,), "Pg": (12, 14), "S": (), **LATER}, "P,PKIKP,Pg,PcP,S,pP,sP,"),
    ],
)
def test_phases_of_any_name_come_back_as_they_were(tmp_path, arrivals, listed):
    write_dataset([record(0, arrivals)], tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        [after] = read_dataset(tmp_path)
    assert after.arrivals == {p: tuple(map(float, s)) for p, s in arrivals.items()}
    assert read_facts(tmp_path)[0].arrivals == after.arrivals
    table = pd.read_csv(tmp_path / "metadata.csv")
    assert sorted(table["trace_labelled_phases"][0]) == sorted(listed)


def test_phases_in_sets_of_earlier_versions_are_letters(tmp_path):
    write_dataset([record(0, {"Pg": (3,)})], tmp_path)
    table = pd.read_csv(tmp_path / "metadata.csv")
    table.assign(trace_labelled_phases="PS").to_csv(tmp_path / "metadata.csv", index=False)
    assert read_dataset(tmp_path)[0].arrivals == {"P": (3.0,), "S": ()}


def test_a_phase_is_no_part_of_a_list_of_letters(tmp_path):
    write_dataset([record(0, {"P": (3,), "S": ()})], tmp_path)
    table = pd.read_csv(tmp_path / "metadata.csv").assign(trace_PS_arrival_sample=9.0)
    table.to_csv(tmp_path / "metadata.csv", index=False)
    with pytest.warns(RecordWarning, match=r"left out: 1 of other phases \(PS 1\)"):
        [after] = read_dataset(tmp_path)
    assert after.arrivals == {"P": (3.0,), "S": ()}


@pytest.mark.parametrize("phase", ["P_2", "P,S", "P S", "", "P_123"])
def test_phases_that_would_not_come_back_are_refused(tmp_path, phase):
    with pytest.raises(ConfigError, match=r"record r0: phase .* could not be read back"):
        write_dataset([record(0, {phase: (3,)})], tmp_path)
    assert list(tmp_path.iterdir()) == []


# -- how records are found ------------------------------------------------------------------------


class CountedName(str):
    """A name that counts how often it is compared."""

    n_compared = 0
    __hash__ = str.__hash__

    def __eq__(self, other):
        CountedName.n_compared += 1
        return str.__eq__(self, other)


def test_names_are_not_compared_each_with_each(tmp_path):
    write_dataset([record(number, {"P": (3,)}) for number in range(30)], tmp_path)
    CountedName.n_compared = 0
    names = [CountedName(f"r{number}") for number in reversed(range(30))]
    assert len(read_dataset(tmp_path, names=names)) == 30
    assert CountedName.n_compared < 5 * 30
    with pytest.raises(ConfigError, match=r"no record 'x'.*"):
        read_dataset(tmp_path, names=[*names, "x"])


# -- what names are -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channels", "letters"),
    [
        (("HHE", "HHN", "HHZ"), ("E", "N", "Z")),
        (("HHZ",), ("Z",)),
        (("CH1", "CH2"), ("N", "E")),
        (("EW", "NS", "UD"), ("E", "N", "Z")),
        (("1", "2", "Z"), ("1", "2", "Z")),
        (("Q", "Z"), ("Q", "Z")),
    ],
)
def test_channels_are_written_by_one_letter(tmp_path, channels, letters):
    before = record(0, {}, channels)
    write_dataset([before], tmp_path)
    [after] = read_dataset(tmp_path)
    assert after.waveform.channels == letters
    assert np.array_equal(after.waveform.data, before.waveform.data)


@pytest.mark.parametrize("channels", [("HHQ", "HHZ"), ("HHE", "BHE")])
def test_channels_of_no_letter_are_refused(tmp_path, channels):
    with pytest.raises(ConfigError, match=r"r0: channels .* has one letter a channel; name them E"):
        write_dataset([record(0, {}, channels)], tmp_path)


@pytest.mark.parametrize("name", ["shot$3", "a/b", ".", "..", "a\0b"])
def test_records_that_would_not_be_found_again_are_refused(tmp_path, name):
    with pytest.raises(ConfigError, match="could not be read back: a name has no / and no"):
        write_dataset([record(0, {}), replace(record(1, {}), name=name)], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_records_are_asked_for_by_their_whole_names(tmp_path):
    records = [replace(record(n, {}), name=f"r{n}", split="train") for n in (1, 2, 12)]
    write_dataset(records, tmp_path)
    assert [r.name for r in read_dataset(tmp_path, names="r12")] == ["r12"]
    assert [r.name for r in read_dataset(tmp_path, names=("r12", "r1"))] == ["r1", "r12"]
    with pytest.raises(ConfigError, match="has no record 'r13' and 1 more among those"):
        read_dataset(tmp_path, names=["r12", "r13", "zz"])
    with pytest.raises(ConfigError, match="has no record 'r12' among those that are wanted"):
        read_dataset(tmp_path, "dev", names="r12")


def test_arrivals_without_a_sampling_rate_are_no_facts(tmp_path):
    write_dataset([record(0, {"P": (3,)}), record(1, {"P": ()})], tmp_path)
    table = pd.read_csv(tmp_path / "metadata.csv")
    table["trace_sampling_rate_hz"] = [np.nan, 100.0]
    table.to_csv(tmp_path / "metadata.csv", index=False)
    with pytest.raises(FormatError, match=r"'r0': its arrivals need a trace_sampling_rate_hz"):
        read_facts(tmp_path)
    with pytest.raises(ConfigError, match=r"record a: arrivals .* sampling rate above 0 Hz.* 0\.0"):
        RecordFacts("a", arrivals={"P": (5.0,)})
    assert RecordFacts("a", arrivals={"P": ()}).sampling_rate == 0.0


def test_splits_of_other_names(tmp_path):
    write_dataset([record(n, {}) for n in range(3)], tmp_path)
    table = pd.read_csv(tmp_path / "metadata.csv")
    table["split"] = ["Training", "validation", "fold 3"]
    table.to_csv(tmp_path / "metadata.csv", index=False)
    with pytest.warns(RecordWarning, match="splits are train, dev and test; fold 3 are taken for"):
        assert [r.split for r in read_dataset(tmp_path)] == ["train", "dev", ""]
    assert [fact.split for fact in read_facts(tmp_path)] == ["train", "dev", ""]
    assert [r.name for r in read_dataset(tmp_path, "dev")] == ["r1"]


# -- another data set in the folder ---------------------------------------------------------------


def test_another_data_set_is_left_alone_unless_told(tmp_path):
    write_dataset([record(0, {}), record(1, {})], tmp_path)
    (tmp_path / "prepare.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"holds another data set: .* overwrite=True"):
        write_dataset([record(2, {})], tmp_path)
    assert [r.name for r in read_dataset(tmp_path)] == ["r0", "r1"]
    assert write_dataset([record(2, {})], tmp_path, overwrite=True) == 1
    assert [r.name for r in read_dataset(tmp_path)] == ["r2"]
    assert not (tmp_path / "prepare.json").exists()  # prepare would say it is done


@pytest.mark.parametrize("lists_chunks", [True, False])
def test_a_data_set_in_chunks_is_one(tmp_path, lists_chunks):
    write_dataset([record(0, {})], tmp_path)
    (tmp_path / "metadata.csv").rename(tmp_path / "metadata0.csv")
    (tmp_path / "waveforms.hdf5").rename(tmp_path / "waveforms0.hdf5")
    if lists_chunks:
        (tmp_path / "chunks").write_text("0\n")
    with pytest.raises(ConfigError, match="holds another data set"):
        write_dataset([record(1, {})], tmp_path)
    assert [r.name for r in read_dataset(tmp_path)] == ["r0"]
    write_dataset([record(1, {})], tmp_path, overwrite=True)
    assert [r.name for r in read_dataset(tmp_path)] == ["r1"]


@pytest.mark.parametrize(
    "station", [".7..GP", ".7.00.HN", "XX.7..HH", ".7..", "7", "7.8", "XX...", "line-0007"]
)
def test_a_station_comes_back_with_its_instrument(station, tmp_path):
    wave = Waveform(np.ones((300, 1)), 100.0, UTCDateTime(0), ("Z",), station)
    write_dataset([LabelledWaveform(wave, {"P": (3,)}, name="a")], tmp_path / "set")
    expected = "7" if station == ".7.." else station
    assert read_dataset(tmp_path / "set")[0].waveform.station == expected
