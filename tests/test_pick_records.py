"""`pick` and `annotate` of files of named records: HDF5, and SeisBench's data sets."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from obspy import Trace
from sources import T0, read_hdf5

from phasenet_keras import LabelledWaveform, Picker, Waveform, read_waveforms
from phasenet_keras.cli import main
from phasenet_keras.io.blocks import blocks_of, read_block
from phasenet_keras.io.registry import (
    FormatError,
    LostRecord,
    RecordWarning,
    headers_of,
    noted,
    read_stream,
)
from phasenet_keras.io.seisbench import write_dataset
from phasenet_keras.io.selection import Selection
from phasenet_keras.io.sources import read_labelled
from phasenet_keras.io.survey_waveforms import read_gather_records
from phasenet_keras.io.tables import read_picks
from phasenet_keras.picking.archive import by_group, pick_archive, plan_archive
from phasenet_keras.picking.cluster import _by_station
from phasenet_keras.picking.files import FileReport, Progress, StationResult, pick_files
from phasenet_keras.picking.parts import PartFolder

N_SAMPLES = 3000


def spiked(seed, sample, n_samples=N_SAMPLES, n_channels=3):
    """Noise with an upward spike, which the network of the fixtures picks as P."""
    data = np.random.default_rng(seed).standard_normal((n_samples, n_channels)).astype("f4")
    data[sample] = 60.0
    return data


def write_records(path, labels=True):
    """Windows of one station that overlap, two of no time, one of another rate."""
    arrivals = {"p_index": 5.0} if labels else {}
    records = {
        "quake/A1": (spiked(1, 900), 100.0, "XX.A..HH", str(T0)),
        "quake/A2": (spiked(2, 1200), 100.0, "XX.A..HH", str(T0 + 5)),
        "shot1": (spiked(3, 700, n_channels=1), 100.0, "REC", ""),
        "shot2": (spiked(4, 1700, n_channels=1), 100.0, "REC", ""),
        "fast": (spiked(5, 1000, 6000), 200.0, "XX.B..HH", str(T0)),
    }
    with h5py.File(path, "w") as file:
        for name, (data, rate, station, start) in records.items():
            group = file.create_group(name)
            group["data"] = data
            group.attrs.update(sampling_rate_hz=rate, station=station, start_time=start, **arrivals)
    return path


def row_of(pick):
    return pick.station, pick.source, pick.phase, round(pick.time.timestamp, 2)


def expected(file):
    return [
        ("REC", f"{file}/shot1", "P", 7.0),
        ("REC", f"{file}/shot2", "P", 17.0),
        ("XX.B..HH", f"{file}/fast", "P", round((T0 + 5).timestamp, 2)),
        ("XX.A..HH", f"{file}/quake/A1", "P", round((T0 + 9).timestamp, 2)),
        ("XX.A..HH", f"{file}/quake/A2", "P", round((T0 + 17).timestamp, 2)),
    ]


@pytest.mark.parametrize("labels", [True, False])
def test_every_record_is_picked_on_its_own(tmp_path, preset, capsys, labels):
    path = write_records(tmp_path / "a.h5", labels)
    output = tmp_path / "picks.csv"
    assert main(["pick", str(path), "--preset", preset, "--output", str(output)]) == 0
    picks = read_picks(output)
    assert list(map(row_of, picks)) == expected("a.h5")
    said = capsys.readouterr().out
    assert "3 stations, 5 picks" in said  # a row a station


def test_picks_are_those_of_labelled_records(tmp_path, spike_net):
    path = write_records(tmp_path / "a.h5")
    records, _ = read_hdf5(path)
    picker = Picker(spike_net)
    alone = {r.name: picker.pick(r.waveform) for r in records}
    parts = PartFolder(tmp_path / "parts")
    for _ in pick_archive(picker, path, parts):
        pass
    for pick in parts.picks():
        [other] = alone[pick.source.removeprefix("a.h5/")]
        assert (pick.time, pick.station, pick.sample) == (other.time, other.station, other.sample)
        assert pick.probability == pytest.approx(other.probability, abs=1e-5)
        assert pick.amplitude == pytest.approx(other.amplitude, rel=1e-5)


def test_python_reads_them_as_records(tmp_path):
    waves = read_waveforms(write_records(tmp_path / "a.h5"))
    assert [(w.station, w.source.split("/", 1)[1], w.n_samples) for w in waves] == [
        *(("REC", "shot1", 3000), ("REC", "shot2", 3000)),
        *(("XX.A..HH", "quake/A1", 3000), ("XX.A..HH", "quake/A2", 3000)),
        ("XX.B..HH", "fast", 6000),
    ]
    assert np.array_equal(waves[2].data, spiked(1, 900))
    heads = headers_of(tmp_path / "a.h5")
    assert [trace.stats.npts for trace in heads] == [6000] * 3 + [3000] * 8
    assert all(trace.data.size == 0 for trace in heads)


def test_codes_and_times_choose_records(tmp_path, spike_net):
    path = write_records(tmp_path / "a.h5")

    def chosen(**wanted):
        results = pick_files(Picker(spike_net), path, Selection(**wanted))
        return [result.name for result in results if isinstance(result, StationResult)]

    assert chosen(station="A") == ["quake/A1", "quake/A2"]
    assert chosen(network="XX", channel="HHZ") == ["quake/A1", "quake/A2", "fast"]
    assert chosen(start=T0 + 31) == ["quake/A2"]


def test_a_long_file_is_read_in_blocks(tmp_path, spike_net):
    path = write_records(tmp_path / "a.h5")
    bytes_of_two = 2 * 3 * N_SAMPLES * 4
    found = list(blocks_of(path, bytes_of_two))
    assert [(block.offset, block.size) for block, _ in found] == [(0, 1), (1, 2), (3, 2)]
    names = [{t.stats.record_name for t in read_block(block)} for block, _ in found]
    assert names == [{"fast"}, {"quake/A1", "quake/A2"}, {"shot1", "shot2"}]
    wholes = []
    for n_bytes in (bytes_of_two, 1, 1 << 30):
        parts = PartFolder(tmp_path / f"parts{n_bytes}")
        events = list(pick_archive(Picker(spike_net), path, parts, block_bytes=n_bytes))
        wholes.append(parts.picks())
        stations = [e.station for e in events if not isinstance(e, Progress)]
        assert stations == ["REC", "XX.A..HH", "XX.B..HH"]  # once each, of however many blocks
    assert wholes[0] == wholes[1] == wholes[2]


def test_a_run_that_was_stopped_goes_on(tmp_path, spike_net):
    path = write_records(tmp_path / "a.h5")
    picker = Picker(spike_net)
    events = pick_archive(picker, path, PartFolder(tmp_path / "parts"), block_bytes=1)
    for event in events:
        if event == Progress(2, 5):
            events.close()
            break
    done = {item: item.stat().st_mtime_ns for item in (tmp_path / "parts").glob("*.csv")}
    assert len(done) == 2
    parts = PartFolder(tmp_path / "parts")
    for _ in pick_archive(picker, path, parts, block_bytes=1):
        pass
    assert sorted(map(row_of, parts.picks())) == sorted(expected("a.h5"))
    assert {item: item.stat().st_mtime_ns for item in done} == done


def test_workers_share_blocks_not_stations(tmp_path, spike_net):
    path = write_records(tmp_path / "a.h5")
    jobs = []

    def plan():
        jobs.extend((yield from plan_archive(Picker(spike_net), [path], block_bytes=1)))

    assert [type(event) for event in plan()] == [Progress]
    assert [len(group) for group in by_group(jobs)] == [5]
    assert [_by_station(job) for job in jobs] == [[job] for job in jobs]
    assert len({job.name for job in jobs}) == 5


def damage(path):
    with h5py.File(path, "a") as file:
        bad = file.create_group("bad")
        bad["data"] = np.full((600, 3), np.nan)
        bad.attrs.update(sampling_rate_hz=100.0, station="X")
        file["note"] = np.arange(9.0)
    return path


@pytest.mark.parametrize("plot", [True, False])
def test_damaged_records_are_named_and_the_others_picked(tmp_path, preset, capsys, plot):
    path = damage(write_records(tmp_path / "a.h5"))
    options = ["--plot", str(tmp_path / "figures")] if plot else []
    output = tmp_path / "picks.csv"
    assert main(["pick", str(path), "--preset", preset, "--output", str(output), *options]) == 1
    assert sorted(map(row_of, read_picks(output))) == sorted(expected("a.h5"))
    said = " ".join(capsys.readouterr().out.split())
    assert f"failed {path}: record 'bad' is left out: the waveform of X holds NaN" in said
    assert f"failed {path}: record 'note' is left out: nothing says that it is a record" in said
    assert "5 picks, 2 failed" in said


def test_a_record_that_is_lost_between_blocks_is_said_once(tmp_path):
    path = damage(write_records(tmp_path / "a.h5"))
    with noted() as texts:
        read = [trace for block, _ in blocks_of(path, 1) for trace in read_block(block)]
    assert len({trace.stats.record_name for trace in read}) == 5
    assert [text.split("'")[1] for text in texts] == ["bad", "note"]
    with pytest.warns(LostRecord, match="'bad'"):
        assert len(read_stream(path)) == 11


def test_damage_that_only_the_samples_show(tmp_path, preset):
    """The headers are whole: nothing is known before the record is read."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for name, sample in (("a", 900), ("b", 1200)):
            data = spiked(7, sample, n_channels=1)
            node = file.create_dataset(name, data=data, chunks=data.shape, compression="gzip")
            node.attrs.update(sampling_rate_hz=100.0, station=name)
        place = file["a"].id.get_chunk_info(0).byte_offset
    with path.open("r+b") as raw:
        raw.seek(place)
        raw.write(b"\xff" * 64)
    output = tmp_path / "picks.csv"
    assert main(["pick", str(path), "--preset", preset, "--output", str(output)]) == 1
    assert [(pick.station, pick.sample) for pick in read_picks(output)] == [("b", 1200)]


def test_a_file_of_no_record_is_refused(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.attrs["sampling_rate_hz"] = 2000.0
        file["data"] = np.ones((4, 300, 2))
        file["distance_m"] = np.arange(4.0)
    with pytest.raises(FormatError, match=r"no record that can be used, of 2: .*labels\.md"):
        read_stream(path)
    with h5py.File(path, "a") as file:
        file.attrs["file_format"] = "ASDF"
    with pytest.raises(FormatError, match="is ASDF: write its waveforms as miniSEED"):
        read_stream(path)
    with pytest.raises(FormatError, match="is ASDF"):
        next(blocks_of(path))


def write_set(folder):
    waves = {
        "r1": Waveform(spiked(1, 900), 100.0, T0, tuple("ENZ"), "XX.A..HH"),
        "r2": Waveform(spiked(2, 1200), 100.0, T0 + 5, tuple("ENZ"), "XX.A..HH"),
        "r3": Waveform(spiked(3, 1000, 6000), 200.0, T0 + 9, tuple("ENZ"), "B"),
    }
    write_dataset([LabelledWaveform(w, {"P": 5.0}, name=n) for n, w in waves.items()], folder)
    (folder / "prepare.json").write_text('{\n  "seed": 0}\n')
    return folder


@pytest.mark.parametrize("name", ["", "waveforms.hdf5"])
def test_a_data_set_is_picked(tmp_path, preset, capsys, name):
    folder = write_set(tmp_path / "set")
    output = tmp_path / "picks.csv"
    assert main(["pick", str(folder / name), "--preset", preset, "--output", str(output)]) == 0
    assert list(map(row_of, read_picks(output))) == [
        ("XX.A..HH", "waveforms.hdf5/r1", "P", round((T0 + 9).timestamp, 2)),
        ("B", "waveforms.hdf5/r3", "P", round((T0 + 14).timestamp, 2)),
        ("XX.A..HH", "waveforms.hdf5/r2", "P", round((T0 + 17).timestamp, 2)),
    ]
    said = " ".join(capsys.readouterr().out.split())
    assert ("metadata.csv (a table), prepare.json (JSON)" in said) == (not name)


def test_two_data_sets_are_told_apart(tmp_path, spike_net):
    folders = [write_set(tmp_path / name) for name in ("one", "two")]
    results = list(pick_files(Picker(spike_net), folders))
    sources = {pick.source for r in results if isinstance(r, StationResult) for pick in r.picks}
    assert sources == {f"{f}/waveforms.hdf5/r{n}" for f in folders for n in (1, 2, 3)}
    assert [r.name for r in results if isinstance(r, StationResult)] == ["r3", "r1", "r2"] * 2


def test_a_data_set_without_its_table(tmp_path):
    folder = write_set(tmp_path / "set")
    (folder / "metadata.csv").unlink()
    with pytest.raises(FormatError, match=r"whose table metadata\.csv is not beside it"):
        read_stream(folder / "waveforms.hdf5")


def test_a_record_that_a_data_set_lacks(tmp_path):
    folder = write_set(tmp_path / "set")
    with h5py.File(folder / "waveforms.hdf5", "a") as file:
        del file["data/r2"]
    with pytest.warns(LostRecord, match="record 'r2' is left out: the file has no such record"):
        assert len(read_stream(folder / "waveforms.hdf5")) == 6


def test_records_in_buckets_and_chunks(tmp_path, spike_net):
    for chunk, seed in (("_a", 0), ("_b", 5)):
        with h5py.File(tmp_path / f"waveforms{chunk}.hdf5", "w") as file:
            file["data/bucket0"] = np.stack([spiked(seed + k, 900 + k).T for k in range(2)])
            file["data_format/component_order"] = "ENZ"
        (tmp_path / f"metadata{chunk}.csv").write_text(
            "trace_name,trace_sampling_rate_hz,station_code\n"
            + "".join(f'"bucket0${k},:3,:2900",100,{chunk}{k}\n' for k in range(2))
        )
    (tmp_path / "chunks").write_text("_a\n_b\n")
    results = list(pick_files(Picker(spike_net), tmp_path))
    picks = [pick for r in results if isinstance(r, StationResult) for pick in r.picks]
    assert [(p.station, p.sample) for p in picks] == [
        *(("_a0", 900), ("_a1", 901), ("_b0", 900), ("_b1", 901))
    ]
    assert not any(r.failed for r in results if isinstance(r, FileReport))


def test_figures_and_probabilities_of_every_record(tmp_path, preset, capsys):
    path = write_records(tmp_path / "a.h5")
    command = ["pick", str(path), "--preset", preset, "--plot", str(tmp_path / "figures")]
    assert main(command) == 0
    assert sorted(item.stem for item in (tmp_path / "figures").iterdir()) == [
        *("fast", "quake_A1", "quake_A2", "shot1", "shot2")
    ]
    assert capsys.readouterr().out.count("a.h5/") == 5
    folder = tmp_path / "probabilities"
    assert main(["annotate", str(path), "--preset", preset, "--output", str(folder)]) == 0
    found = {}
    for item in folder.iterdir():
        with np.load(item) as file:
            found[str(file["source"])] = int(file["probabilities"][:, 1].argmax())
    assert found == {
        "a.h5/fast": 500,
        "a.h5/quake/A1": 900,
        "a.h5/quake/A2": 1200,
        "a.h5/shot1": 700,
        "a.h5/shot2": 1700,
    }


def test_what_picks_call_a_record_is_known_as_its_label(tmp_path):
    path = write_records(tmp_path / "a.h5", labels=False)
    (tmp_path / "labels.csv").write_text("fname,p_sample\na.h5/quake/A1,901\na.h5/fast,1001\n")
    found = {item.name: item.arrivals for item in read_labelled(path, tmp_path / "labels.csv")}
    assert found == {"quake/A1": {"P": (901.0,)}, "fast": {"P": (1001.0,)}}


def test_hdf5_beside_other_waveforms_is_no_record_of_theirs(tmp_path):
    """Its records hold their own labels, which those of the other files would take the place of."""
    trace = Trace(spiked(1, 900)[:, 2], {"network": "XX", "station": "A", "channel": "HHZ"})
    trace.stats.update({"sampling_rate": 100.0, "starttime": T0})
    (tmp_path / "in").mkdir()
    trace.write(str(tmp_path / "in/a.mseed"), format="MSEED")
    write_records(tmp_path / "in/a.h5")
    (tmp_path / "labels.csv").write_text(f"station,phase,time\nXX.A,P,{T0 + 9}\n")
    with pytest.warns(RecordWarning, match=r"a\.h5: HDF5 beside other waveforms is left out"):
        found = list(read_labelled(tmp_path / "in", tmp_path / "labels.csv"))
    assert [(r.waveform.source, r.arrivals) for r in found] == [("a.mseed", {"P": (900.0,)})]


def test_a_survey_of_hdf5_is_to_be_a_data_set(tmp_path):
    path = write_records(tmp_path / "a.h5")
    with pytest.raises(FormatError, match="make a data set of it by `phasenet-keras prepare`"):
        read_gather_records([path])


@pytest.mark.parametrize("name", ["eqt_stead50", "scdetect_switzerland"])
def test_shared_records_are_picked_as_they_are_evaluated(shared, tmp_path, spike_net, name):
    path = shared / f"data/records/{name}.h5"
    picker = Picker(spike_net, thresholds={"P": 0.05, "S": 0.05})
    records, bad = read_hdf5(path)
    assert not bad
    wanted = sorted(
        (f"{path.name}/{r.name}", p.station, p.phase, round(p.time.timestamp, 3))
        for r in records
        for p in picker.pick(r.waveform)
    )
    parts = PartFolder(tmp_path / "parts")
    for _ in pick_archive(picker, path, parts):
        pass
    found = [(p.source, p.station, p.phase, round(p.time.timestamp, 3)) for p in parts.picks()]
    assert len(wanted) > 5
    assert sorted(found) == wanted
