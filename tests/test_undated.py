"""Records without a time (1970), one file an event: each is of its own file, whatever its codes."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from archives import keys, run
from obspy import Stream, Trace, UTCDateTime, read
from sources import by_name, splits_of
from sources import run as prepare

from phasenet_keras.cli import main
from phasenet_keras.io.annotations import write_annotations
from phasenet_keras.io.record_names import own_record
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.sources import read_labelled
from phasenet_keras.io.tables import read_picks
from phasenet_keras.io.waveforms import read_waveforms
from phasenet_keras.picking.archive import StationSummary, plan_archive
from phasenet_keras.types import Annotation

N_SAMPLES = 3000
# Of a P by event and sensor: no two are alike.
ONSETS = {
    (event, sensor): 600 + 130 * event + 31 * sensor for event in range(4) for sensor in (1, 2)
}
# Of clocks that were never set; one begins before its trigger.
BEGINS = [UTCDateTime(0), UTCDateTime(1979, 12, 31, 23, 59, 59.5), UTCDateTime(1980, 1, 6)]


def trace_of(event, sensor, channel="BHZ", at=None):
    data = np.random.default_rng([event, sensor]).normal(500, 20, N_SAMPLES).round().astype("int32")
    data[ONSETS[event, sensor] if at is None else at] += 1500
    header = {"network": "XX", "station": f"AE{sensor}", "channel": channel, "sampling_rate": 100.0}
    return Trace(data, header)


def jobs_of(picker, folder):
    plan = plan_archive(picker, [folder])
    while True:
        try:
            next(plan)
        except StopIteration as end:
            return end.value


def write_events(folder, file_format="MSEED", begin=BEGINS[0]):
    """One file an event, each of the same two sensors and the same time."""
    folder.mkdir()
    for event in range(4):
        stream = Stream(trace_of(event, sensor) for sensor in (1, 2))
        for trace in stream:
            trace.stats.starttime = begin
        stream.write(str(folder / f"event{event}.mseed"), format=file_format)
    return folder


def write_sac(folder, channels="Z"):
    """One file an event, sensor and channel, with the onset in its header."""
    for (event, sensor), onset in ONSETS.items():
        (folder / f"event{event}").mkdir(parents=True, exist_ok=True)
        for channel in channels:
            trace = trace_of(event, sensor, f"BH{channel}")
            trace.stats.sac = {"a": onset / 100.0, "b": 0.0}
            trace.write(str(folder / f"event{event}/AE{sensor}.BH{channel}.sac"), format="SAC")
    return folder


@pytest.mark.parametrize("begin", BEGINS, ids=["1970", "before_1980", "gps"])
def test_each_file_of_an_archive_is_picked_for_itself(begin, picker, tmp_path):
    folder = write_events(tmp_path / "in", begin=begin)
    picks, events = run(picker, [folder], tmp_path / "parts")
    found = {(p.source, p.station): p.sample for p in picks if p.phase == "P"}
    assert found == {
        (f"event{event}.mseed", f"XX.AE{sensor}..BH"): onset
        for (event, sensor), onset in ONSETS.items()
    }
    assert keys(picks) == keys(sorted(p for f in folder.iterdir() for p in picker.pick(read(f))))
    summaries = [e for e in events if isinstance(e, StationSummary)]
    assert [(e.n_records, e.counts["P"]) for e in summaries] == [(1, 1)] * len(ONSETS)


def test_the_command_picks_and_annotates_each_file(preset, tmp_path, capsys):
    folder, preset = write_events(tmp_path / "in"), str(preset)
    figures = ["--plot", str(tmp_path / "figures")]
    for number, options in enumerate(([], figures)):
        output = tmp_path / f"{number}.csv"
        order = ["pick", str(folder), "--preset", preset, "--output", str(output), *options]
        assert main(order) == 0
        assert "2 stations, " in capsys.readouterr().out
        picks = [p for p in read_picks(output) if p.phase == "P"]
        assert len(picks) == len(ONSETS)
        assert {ONSETS[int(p.source[5]), int(p.station[5])] - p.sample for p in picks} == {0}
    order = ["annotate", str(folder), "--preset", preset, "--output", str(tmp_path / "npz")]
    assert main(order) == 0
    found = [np.load(path) for path in (tmp_path / "npz").iterdir()]
    peaks = {
        (int(str(a["source"])[5]), int(str(a["station"])[5])): int(
            a["probabilities"][:, 1].argmax()
        )
        for a in found
    }
    assert peaks == ONSETS


@pytest.mark.parametrize("channels", ["Z", "ENZ"])
def test_labels_in_headers_are_of_their_own_file(channels, tmp_path, capsys):
    write_sac(tmp_path / "in", channels)
    assert prepare(tmp_path / "in", "--output", tmp_path / "set") == 0
    assert "left out" not in capsys.readouterr().out
    records = by_name(tmp_path / "set").values()
    assert len(records) == len(ONSETS)
    assert sorted(round(r.arrivals["P"][0]) for r in records) == sorted(ONSETS.values())
    for record in records:
        assert record.waveform.channels == tuple(channels)
        onset = pytest.approx(record.waveform.data[:, 0].argmax(), abs=1e-4)  # a float32 in s
        assert record.arrivals == {"P": (onset,)}


@pytest.mark.parametrize("begin", BEGINS, ids=["1970", "before_1980", "gps"])
@pytest.mark.parametrize("named", ["", "event"])
@pytest.mark.parametrize("station", ["station", "sensor"])
def test_records_of_one_file_stay_in_one_split(begin, named, station, tmp_path, capsys):
    folder = write_events(tmp_path / "in", begin=begin)
    (tmp_path / "labels.csv").write_text(
        f"fname,{station},p_sample{',event' if named else ''}\n"
        + "".join(
            f"event{event}.mseed,AE{sensor},{onset}{f',quake {event}' if named else ''}\n"
            for (event, sensor), onset in ONSETS.items()
        )
    )
    assert prepare(folder, "--labels", tmp_path / "labels.csv", "--output", tmp_path / "set") == 0
    assert "8 records (split by event)" in capsys.readouterr().out
    records = by_name(tmp_path / "set").values()
    assert {r.arrivals["P"]: r.event for r in records} == {
        (float(onset),): f"quake {event}" if named else f"event{event}"
        for (event, _), onset in ONSETS.items()
    }
    assert {len(splits) for splits in splits_of(records, lambda r: r.event).values()} == {1}


@pytest.mark.parametrize(("ending", "split"), [("mseed", "event"), ("su", "gather")])
def test_files_of_one_name_in_several_folders_are_several_events(ending, split, tmp_path, capsys):
    rows = ["fname,station,trace,p_sample"]
    for event in range(4):
        (tmp_path / f"in/e{event}").mkdir(parents=True)
        stream = Stream(trace_of(event, sensor) for sensor in (1, 2))
        for trace in stream:
            trace.data = trace.data.astype("float32" if ending == "su" else "int32")
        stream.write(str(tmp_path / f"in/e{event}/data.{ending}"), format=ending.upper())
        for sensor in (1, 2):
            station = f"AE{sensor}" if ending == "mseed" else ""
            rows.append(f"e{event}/data.{ending},{station},{sensor},{ONSETS[event, sensor]}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    args = ["--labels", tmp_path / "labels.csv", "--output", tmp_path / "set"]
    assert prepare(tmp_path / "in", *args) == 0
    assert f"8 records (split by {split})" in capsys.readouterr().out
    records = by_name(tmp_path / "set").values()
    assert {getattr(r, split) for r in records} == {f"e{event}/data" for event in range(4)}


def test_times_are_refused_where_they_could_be_of_several_files(tmp_path, capsys):
    folder = write_events(tmp_path / "in")
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("network", "station", "phase", "time"), ("XX", "AE1", "P", "1970-01-01T00:00:07")]
        )
    order = ["--labels", tmp_path / "labels.csv", "--output", tmp_path / "set"]
    assert prepare(folder, *order) == 2
    said = capsys.readouterr().err
    assert "4 of XX.AE1 have no date (they begin in 1970): event0.mseed, event1.mseed" in said
    assert "columns fname and p_sample" in said
    assert not (tmp_path / "set" / "metadata.csv").exists()
    # In one file there is no doubt.
    found = read_labelled(folder / "event1.mseed", tmp_path / "labels.csv")
    assert {r.waveform.station: r.arrivals for r in found} == {
        "XX.AE1..BH": {"P": (700.0,)},
        "XX.AE2..BH": {},
    }


def test_channels_in_files_of_their_own_come_together_by_their_names(picker, tmp_path):
    write_sac(tmp_path / "in", "ENZ")
    waves = read_waveforms(sorted((tmp_path / "in").rglob("*.sac")))
    assert len(waves) == len(ONSETS)
    assert {wave.channels for wave in waves} == {("E", "N", "Z")}
    _, events = run(picker, [tmp_path / "in"], tmp_path / "parts")
    assert [e.n_records for e in events if isinstance(e, StationSummary)] == [1] * len(ONSETS)
    assert {len(job.paths) for job in jobs_of(picker, tmp_path / "in")} == {3}
    # A name whose end is no channel of the file: two sensors of one code, each in its own file.
    for name in ("east_E.mseed", "north_N.mseed", "east_N.mseed"):
        trace_of(0, 1).write(str(tmp_path / name), format="MSEED")
    waves = read_waveforms(sorted(tmp_path.glob("*.mseed")))
    assert [(wave.channels, wave.n_samples) for wave in waves] == [(("Z",), N_SAMPLES)] * 3


def test_records_with_a_date_come_together_by_it():
    header = {"station": "A", "channel": "Z", "source_path": "/d/one.sac"}
    first, last = UTCDateTime(1970, 12, 31, 23, 59, 59), UTCDateTime(1971, 1, 1)
    assert own_record(Trace(header={**header, "starttime": first})) == "/d/one.sac"
    assert own_record(Trace(header={**header, "starttime": last})) == ""


def test_one_file_of_probabilities_holds_what_its_codes_and_times_can_tell(tmp_path):
    annotations = [
        Annotation(
            probabilities=np.full((10, 3), number / 10, np.float32),
            phases=("N", "P", "S"),
            sampling_rate=100.0,
            start_time=UTCDateTime(0),
            station=station,
            source=f"event{number}.mseed",
        )
        for number, station in enumerate(("XX.A..BH", "XX.A..BH", "text1", "text2"))
    ]
    with pytest.warns(RecordWarning, match=r"XX.A..BH of event1.mseed left out.*event0.mseed"):
        [path] = write_annotations(annotations, tmp_path / "all.mseed")
    values = {t.stats.station: round(float(t.data[0]), 3) for t in read(str(path))}
    assert values == {"A": 0.0, "text1": 0.2, "text2": 0.3}
