"""Archives: blocks of files, day files, filters, parts, runs that are killed."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from obspy import Stream, Trace, UTCDateTime, read
from records import past_headers, write_station

from phasenet_keras import Picker
from phasenet_keras.cli import main
from phasenet_keras.io.blocks import blocks_of, read_block
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.selection import Selection
from phasenet_keras.io.tables import read_picks
from phasenet_keras.picking import parts as parts_module
from phasenet_keras.picking.archive import StationSummary, pick_archive
from phasenet_keras.picking.files import FileReport, Progress
from phasenet_keras.picking.parts import PartFolder

MIDNIGHT = UTCDateTime("2021-05-07")
SPIKES = (1000, 29_980, 30_010, 45_000, 59_000)


def station(name="AA", n_samples=60_000, channels="ENZ", start=MIDNIGHT - 300, rate=100.0):
    """Ten minutes about midnight with spikes, two of them at its two sides."""
    rng = np.random.default_rng(len(name))
    stream = Stream()
    for channel in channels:
        data = rng.normal(500, 20, n_samples)
        data[[s for s in SPIKES if s < n_samples]] += 1500
        stats = {"network": "XX", "station": name, "channel": f"HH{channel}"}
        header = {**stats, "sampling_rate": rate, "starttime": start}
        stream.append(Trace(data.round().astype("int32"), header))
    return stream


def write_sds(root, stream, day_split=MIDNIGHT):
    """One file a channel and day."""
    for trace in stream:
        for part in (
            trace.slice(None, day_split - 0.001, nearest_sample=False),
            trace.slice(day_split, None, nearest_sample=False),
        ):
            s = part.stats
            day = (s.starttime + 1).strftime("%Y.%j")
            folder = root / day[:4] / s.network / s.station / f"{s.channel}.D"
            folder.mkdir(parents=True, exist_ok=True)
            name = f"{s.network}.{s.station}.{s.location}.{s.channel}.D.{day}"
            part.write(str(folder / name), format="MSEED", reclen=512)
    return root


@pytest.fixture(scope="module")
def picker(spike_net):
    return Picker(spike_net, chunk_samples=2048)


def run(picker, sources, folder, **options):
    folder = PartFolder(folder)
    events = list(pick_archive(picker, sources, folder, **options))
    return folder.picks(), events


def keys(picks):
    return [(p.time, p.station, p.phase, pytest.approx(p.probability, abs=2e-4)) for p in picks]


def failures(events):
    return [e for e in events if isinstance(e, FileReport) and e.failed]


@pytest.mark.parametrize("block_bytes", [2048, 9000, 1 << 21])
def test_day_files_in_blocks_give_the_picks_of_the_whole(picker, tmp_path, block_bytes):
    stream = station() + station("BBB", channels="Z")
    root = write_sds(tmp_path / "sds", stream)
    ours, events = run(picker, [root], tmp_path / "parts", block_bytes=block_bytes, part_s=60)
    whole = picker.pick(stream)
    assert len(whole) >= 6
    assert keys(ours) == keys(whole)
    assert [p.sample for p in ours] == [p.sample for p in whole]
    found = {e.station: e for e in events if isinstance(e, StationSummary)}
    assert {name: e.n_records for name, e in found.items()} == {"XX.AA..HH": 1, "XX.BBB..HH": 1}
    assert found["XX.AA..HH"].hours == pytest.approx(1 / 6)
    assert not failures(events)


def test_one_long_file_channel_after_channel_or_multiplexed(picker, tmp_path):
    stream = station()
    stream.write(str(tmp_path / "serial.mseed"), format="MSEED", reclen=512)
    parts = [
        trace.slice(begin, begin + 29.99)
        for begin in (MIDNIGHT - 300 + 30 * n for n in range(20))
        for trace in stream
    ]
    Stream(parts).write(str(tmp_path / "mixed.mseed"), format="MSEED", reclen=512)
    for name in ("serial.mseed", "mixed.mseed"):
        ours, _ = run(picker, [tmp_path / name], tmp_path / "p", block_bytes=4096, part_s=100)
        assert keys(ours) == keys(picker.pick(stream))


def test_overlapping_files_count_once(picker, tmp_path):
    stream = station()
    stream.slice(None, MIDNIGHT + 60).write(str(tmp_path / "a.mseed"), format="MSEED")
    stream.slice(MIDNIGHT - 30, None).write(str(tmp_path / "b.mseed"), format="MSEED")
    ours, events = run(picker, [tmp_path], tmp_path.parent / "parts_o", block_bytes=4096)
    assert keys(ours) == keys(picker.pick(stream))
    assert not [e for e in events if isinstance(e, FileReport)]


def test_rates_and_channels_that_change_in_mid_archive(picker, tmp_path):
    station(channels="Z").write(str(tmp_path / "a.mseed"), format="MSEED")
    second = station(channels="12Z", start=MIDNIGHT + 86_400)
    second.write(str(tmp_path / "b.mseed"), format="MSEED")
    third = station(start=MIDNIGHT + 2 * 86_400, rate=200.0, n_samples=30_000)
    third.write(str(tmp_path / "c.mseed"), format="MSEED")
    ours, events = run(picker, [tmp_path], tmp_path.parent / "parts_r", block_bytes=4096)
    whole = keys(picker.pick(station(channels="Z"))) + keys(picker.pick(second))
    assert keys(ours) == whole + keys(picker.pick(third))
    [summary] = [e for e in events if isinstance(e, StationSummary)]
    assert summary.n_records == 3


def test_files_that_conflict_are_noted_and_the_later_counts(picker, tmp_path):
    early, late = station(), station().slice(MIDNIGHT - 30, None).copy()
    late[2].data[5000] += 2000
    early.slice(None, MIDNIGHT + 60).write(str(tmp_path / "a.mseed"), format="MSEED", reclen=512)
    late.write(str(tmp_path / "b.mseed"), format="MSEED", reclen=512)
    ours, events = run(picker, [tmp_path], tmp_path.parent / "parts_c", block_bytes=4096)
    with pytest.warns(RecordWarning, match="overlapping samples differ"):
        whole = picker.pick(early.slice(None, MIDNIGHT + 60) + late)
    assert keys(ours) == keys(whole)
    assert MIDNIGHT + 20 in [pick.time for pick in ours]
    notes = [e for e in events if isinstance(e, FileReport)]
    assert len(notes) == 1
    assert "Z: from" in notes[0].text
    assert "overlapping samples differ" in notes[0].text
    assert not failures(events)


def test_location_codes_are_records_of_their_own(picker, tmp_path):
    stream = station()
    for trace, location in zip(station(channels="ZZ"), ("00", "10"), strict=True):
        trace.stats.location = location
        stream.append(trace)
    stream[-1].data[20_000] += 3000
    stream.write(str(tmp_path / "a.mseed"), format="MSEED", reclen=512)
    ours, events = run(picker, [tmp_path / "a.mseed"], tmp_path / "p", block_bytes=4096)
    assert keys(ours) == keys(picker.pick(stream))
    stations = [e.station for e in events if isinstance(e, StationSummary)]
    assert stations == ["XX.AA..HH", "XX.AA.00.HH", "XX.AA.10.HH"]
    assert [pick.station for pick in ours if pick.sample == 20_000] == ["XX.AA.10.HH"]


@pytest.mark.parametrize("codes", [("EW", "NS", "UD"), ("hhe", "hhn", "hhz")])
def test_nan_is_a_gap_and_odd_channel_codes_work(picker, tmp_path, codes):
    stream = station(n_samples=40_000)
    for trace, code in zip(stream, codes, strict=True):
        trace.data = trace.data.astype("float32")
        trace.data[10_000:10_100] = np.nan
        trace.stats.channel = code
    stream.write(str(tmp_path / "a.mseed"), format="MSEED", reclen=512)
    ours, events = run(picker, [tmp_path / "a.mseed"], tmp_path / "p", block_bytes=4096)
    assert keys(ours) == keys(picker.pick(stream))
    assert [round((pick.time - MIDNIGHT + 300) * 100) for pick in ours] == [1000, 30_010]
    [summary] = [e for e in events if isinstance(e, StationSummary)]
    assert summary.n_records == 2
    assert summary.hours == pytest.approx(399 / 3600)


def test_a_damaged_block_costs_only_itself(picker, tmp_path):
    path = tmp_path / "a.mseed"
    station(channels="Z").write(str(path), format="MSEED", reclen=512)
    content = bytearray(path.read_bytes())
    content[8192:12_288] = b"\xff" * 4096
    path.write_bytes(bytes(content) + b"123")
    ours, events = run(picker, [path], tmp_path / "parts", block_bytes=4096)
    assert len(failures(events)) == 1
    assert "bytes 8192 to 12288" in failures(events)[0].text
    assert any("truncated" in e.text for e in events if isinstance(e, FileReport))
    assert len(ours) >= 3


def test_blocks_hold_every_sample_once(tmp_path):
    path = tmp_path / "a.mseed"
    station().write(str(path), format="MSEED", reclen=512)
    found = list(blocks_of(path, 4096))
    traces = [trace for block, _ in found for trace in read_block(block)]
    assert len(found) > 5
    assert sum(trace.stats.npts for trace in traces) == 180_000
    [(whole, _)] = blocks_of(path)
    assert whole.size is None
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.warns(RecordWarning, match="truncated: its last record has 412 bytes"):
        list(blocks_of(path, 4096))


# -- filters --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "stations"),
    [
        ({"station": "A*"}, {"AA"}),
        ({"station": "AA,BB?"}, {"AA", "BBB"}),
        ({"network": "YY"}, set()),
        ({"channel": "??Z", "station": "b*"}, {"BBB"}),
        ({"location": "--"}, {"AA", "BBB"}),
        ({"location": "00"}, set()),
        ({"end": MIDNIGHT - 301}, set()),
    ],
)
def test_filters_on_sds_and_on_plain_files(picker, tmp_path, options, stations):
    stream = station(n_samples=40_000) + station("BBB", channels="Z", n_samples=40_000)
    root = write_sds(tmp_path / "sds", stream)
    stream.write(str(tmp_path / "all.mseed"), format="MSEED")
    for source in (root, tmp_path / "all.mseed"):
        ours, events = run(
            picker, [source], tmp_path / f"p{source.name}", selection=Selection(**options)
        )
        assert {pick.station.split(".")[1] for pick in ours} == stations
        assert len([e for e in events if isinstance(e, StationSummary)]) == len(stations)


def test_a_span_of_time_is_cut_out(picker, tmp_path):
    root = write_sds(tmp_path / "sds", station())
    span = Selection(start=MIDNIGHT - 10, end=MIDNIGHT + 200)
    ours, [*_, summary] = run(picker, [root], tmp_path / "p", selection=span)
    assert keys(ours) == keys(picker.pick(station().slice(MIDNIGHT - 10, MIDNIGHT + 199.99)))
    assert summary.hours == pytest.approx(210 / 3600)


def test_filters_on_the_command_line(preset, tmp_path, capsys):
    root = str(write_sds(tmp_path / "sds", station() + station("BBB", channels="Z")))
    out = tmp_path / "out"
    base = ["pick", root, "--preset", preset, "--output", str(out)]
    assert main([*base, "--station", "B*", "--start", "2021-05-07"]) == 0
    picks = read_picks(out / "picks.csv")
    assert {pick.station for pick in picks} == {"XX.BBB..HH"}
    assert min(pick.time for pick in picks) > MIDNIGHT
    assert [path.name for path in out.iterdir()] == ["picks.csv"]
    said = capsys.readouterr().out
    assert "hours read" in said
    assert "gaps" in said
    assert main([*base, "--network", "ZZ"]) == 2
    assert "no record has such codes" in capsys.readouterr().err
    assert main([*base, "--start", "yesterday"]) == 2
    assert "--start is a time such as" in capsys.readouterr().err
    assert main([*base, "--start", "2021-05-07", "--end", "2021-05-06"]) == 2
    assert "--end is after --start" in capsys.readouterr().err


# -- parts ----------------------------------------------------------------------------------------


def test_the_headers_of_an_archive_are_told_of_as_they_are_read(picker, tmp_path):
    """It takes a minute for a year of a network."""
    root = write_sds(tmp_path / "sds", station())
    events = pick_archive(picker, [root], PartFolder(tmp_path / "parts"))
    told = [e for e in events if isinstance(e, Progress)]
    assert told[:6] == [Progress(number, 6, "reading headers") for number in range(6)]
    assert {event.what for event in told[6:]} == {"picking"}
    assert (told[6].done, told[-1].done) == (0, told[6].total)


def test_a_stopped_run_goes_on_where_it_was(picker, tmp_path):
    """Stopped after every block in turn, with its state: the same picks, and no block twice."""
    root = write_sds(tmp_path / "sds", station())
    options = {"block_bytes": 8192, "part_s": 30}
    undisturbed, events = run(picker, [root], tmp_path / "whole", **options)
    n_events = len(events)
    for _ in range(200):
        folder = PartFolder(tmp_path / "parts")
        run_now = pick_archive(picker, [root], folder, **options)
        done = [past_headers(run_now).done]
        for event in run_now:
            if isinstance(event, StationSummary):
                break
            done.append(event.done)
            if len(done) > 2 + len(list((tmp_path / "parts").glob("*.csv"))):
                break
        else:
            break
        is_over = isinstance(event, StationSummary)
        run_now.close()
        if is_over:
            break
    again, repeated = run(picker, [root], tmp_path / "parts", **options)
    assert keys(again) == keys(undisturbed)
    assert keys(again) == keys(picker.pick(station()))
    assert [p.amplitude for p in again] == [p.amplitude for p in undisturbed]
    assert len(repeated) == n_events
    assert not list((tmp_path / "parts").glob("*.state"))


def test_killed_after_any_block_a_run_ends_the_same(picker, tmp_path):
    """What lies on the disk after each block is all that a killed run leaves."""
    root = write_sds(tmp_path / "sds", station())
    options = {"block_bytes": 16_384, "part_s": 60}
    folder, seen = tmp_path / "parts", {}
    events = pick_archive(picker, [root], PartFolder(folder), **options)
    for event in events:
        content = {path.name: path.read_bytes() for path in folder.glob("*")}
        seen.setdefault(frozenset(content), content)
        last = event
    whole = PartFolder(folder)
    list(pick_archive(picker, [root], whole, **options))
    assert isinstance(last, StationSummary)
    assert len(seen) > 5
    assert max(len(data) for left in seen.values() for data in left.values()) < 3_000_000
    for number, left in enumerate(seen.values()):
        killed = tmp_path / f"killed{number}"
        killed.mkdir()
        for name, data in left.items():
            (killed / name).write_bytes(data)
        ours, _ = run(picker, [root], killed, **options)
        assert ours == whole.picks()


def test_finished_groups_are_not_read_again(picker, tmp_path, monkeypatch):
    write_sds(tmp_path / "sds", station() + station("BBB"))
    first, _ = run(picker, [tmp_path / "sds"], tmp_path / "p")
    monkeypatch.setattr("phasenet_keras.picking.archive.read_block", None)
    again, events = run(picker, [tmp_path / "sds"], tmp_path / "p")
    assert keys(again) == keys(first)
    assert len([e for e in events if isinstance(e, StationSummary)]) == 2


def test_a_state_cannot_run_commands(picker, tmp_path):
    import pickle

    parts = PartFolder(tmp_path).group("g")
    parts.save([], [], 1, {"a": np.arange(3)})
    assert parts.state(())["a"].tolist() == [0, 1, 2]

    class Bad:
        def __reduce__(self):
            return (os.system, ("true",))

    (tmp_path / "g-00001.state").write_bytes(pickle.dumps(Bad()))
    with pytest.raises(pickle.UnpicklingError, match="does not hold"):
        parts.state(())


def test_a_full_disk_is_one_clear_error_and_finished_parts_stay(
    preset, tmp_path, monkeypatch, capsys
):
    for name in ("AA", "BBB"):
        write_sds(tmp_path / "sds", station(name))
    out = tmp_path / "picks.csv"
    command = ["pick", str(tmp_path / "sds"), "--preset", preset, "--output", str(out)]
    original, calls = parts_module.beside_then_rename, []

    def full(path, mode="w"):
        calls.append(path)
        if len(calls) > 2:  # the first group's picks and facts
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(path, mode)

    monkeypatch.setattr(parts_module, "beside_then_rename", full)
    assert main(command) == 2
    error = capsys.readouterr().err
    assert "No space left on device. The finished parts are kept" in error
    assert "Traceback" not in error
    assert len(list((tmp_path / "picks.csv.parts").glob("*.json"))) == 1
    monkeypatch.setattr(parts_module, "beside_then_rename", original)
    assert main(command) == 0
    assert {pick.station for pick in read_picks(out)} == {"XX.AA..HH", "XX.BBB..HH"}
    assert not (tmp_path / "picks.csv.parts").exists()


def test_a_file_that_cannot_grow_is_one_clear_error(preset, tmp_path, capsys):
    """The system itself says no: files may have 500 bytes, a part has more."""
    station(n_samples=9000).write(str(tmp_path / "a.mseed"), format="MSEED")
    later = station(start=MIDNIGHT + 2 * 86_400)
    later.write(str(tmp_path / "b.mseed"), format="MSEED", reclen=512)
    out = tmp_path / "picks.csv"
    command = ["pick", str(tmp_path / "*.mseed"), "--preset", preset, "--output", str(out)]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    try:
        assert main(command) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "a part cannot be written" in capsys.readouterr().err
    assert not out.exists()
    assert main(command) == 0
    assert len(read_picks(out)) >= 3


def test_a_killed_run_ends_with_the_same_file(preset, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(25):
        write_station(folder / f"{number:03d}.mseed", f"S{number:03d}", n_samples=100_000)
    base = [sys.executable, "-m", "phasenet_keras.cli", "pick", str(folder), "--preset", preset]
    killed, whole = tmp_path / "killed.csv", tmp_path / "whole.csv"
    process = subprocess.Popen([*base, "--output", str(killed)], stdout=subprocess.DEVNULL)
    parts = Path(f"{killed}.parts")
    deadline = time.monotonic() + 100
    while len(list(parts.glob("*.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    before = {path: path.stat().st_mtime_ns for path in parts.glob("*.json")}
    assert 3 <= len(before) < 25
    assert not killed.exists()
    assert main([*base[3:], "--output", str(whole)]) == 0
    folder_of = PartFolder.remove
    try:
        PartFolder.remove = lambda self: None
        assert main([*base[3:], "--output", str(killed)]) == 0
    finally:
        PartFolder.remove = folder_of
    assert killed.read_bytes() == whole.read_bytes()
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(read_picks(killed)) == 25


def test_reading_a_copy_of_a_long_file_gives_the_same_traces(tmp_path):
    path = tmp_path / "a.mseed"
    station().write(str(path), format="MSEED", reclen=512)
    joined = Stream([t for block, _ in blocks_of(path, 4096) for t in read_block(block)]).merge()
    for ours, whole in zip(joined.sort(), read(str(path)).sort(), strict=True):
        assert np.array_equal(ours.data, whole.data)
