"""Archives: blocks of files, day files, what is left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from archives import MIDNIGHT, failures, keys, run, station, write_sds
from obspy import Stream, UTCDateTime, read

from phasenet_keras.cli import main
from phasenet_keras.io.blocks import blocks_of, read_block
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.selection import Selection
from phasenet_keras.picking.archive import StationSummary
from phasenet_keras.picking.files import FileReport


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


@pytest.mark.parametrize(("wanted", "n_said"), [(None, 1), ("HHN,HHE", 0)])
def test_channels_of_two_rates_at_one_time_are_said(picker, tmp_path, wanted, n_said):
    stream = station(channels="EN") + station(channels="Z", rate=50.0, n_samples=30_000)
    stream.write(str(tmp_path / "a.mseed"), format="MSEED")
    selection = Selection(channel=wanted)
    _, events = run(picker, [tmp_path], tmp_path.parent / "parts", selection=selection)
    said = [event.text for event in events if isinstance(event, FileReport)]
    assert len(said) == n_said
    assert all("XX.AA..HH has channels of different rates" in text for text in said)
    assert all("(HHZ 50 Hz, HHE 100 Hz, HHN 100 Hz)" in text for text in said)


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
    assert "XX.AA..HH Z: " in notes[0].text
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
    """It is a failure, whatever words the names of its folders have."""
    path = tmp_path / "truncated" / "a.mseed"
    path.parent.mkdir()
    station(channels="Z").write(str(path), format="MSEED", reclen=512)
    content = bytearray(path.read_bytes())
    content[8192:12_288] = b"\xff" * 4096
    path.write_bytes(bytes(content) + b"123")
    ours, events = run(picker, [path], tmp_path / "parts", block_bytes=4096)
    assert len(failures(events)) == 1
    assert "bytes 8192 to 12288" in failures(events)[0].text
    assert any("truncated: its last" in e.text for e in events if isinstance(e, FileReport))
    assert len(ours) >= 3


@pytest.mark.parametrize("block_bytes", [4096, 1 << 21])
@pytest.mark.parametrize(
    ("at", "value", "words"),
    [(32, 0, "sampling rate of 0.0 Hz"), (30, 4000, "1 of XX.AA..HHZ, from ")],
    ids=["no_rate", "too_many_samples"],
)
def test_a_damaged_record_costs_only_itself(picker, tmp_path, block_bytes, at, value, words):
    path = tmp_path / "a.mseed"
    station(channels="Z").write(str(path), format="MSEED", reclen=512)
    content = bytearray(path.read_bytes())
    content[20 * 512 + at : 20 * 512 + at + 2] = value.to_bytes(2)
    path.write_bytes(content)
    ours, events = run(picker, [path], tmp_path / "parts", block_bytes=block_bytes)
    [said] = [e for e in events if isinstance(e, FileReport)]
    assert words in said.text
    assert not said.failed
    assert len(ours) >= 3


def test_blocks_hold_every_sample_once(tmp_path):
    path = tmp_path / "a.mseed"
    station().write(str(path), format="MSEED", reclen=512)
    found = list(blocks_of(path, 4096))
    traces = [trace for block, _ in found for trace in read_block(block)]
    assert len(found) > 5
    assert sum(trace.stats.npts for trace in traces) == 180_000
    for ours, same in zip(Stream(traces).merge().sort(), read(str(path)).sort(), strict=True):
        assert np.array_equal(ours.data, same.data)
    [(whole, _)] = blocks_of(path)
    assert whole.size is None
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.warns(RecordWarning, match="truncated: its last record has 412 bytes"):
        list(blocks_of(path, 4096))


def test_a_file_of_several_days_is_found_by_its_first_and_what_is_left_out_is_said(
    picker, tmp_path
):
    root = tmp_path / "sds"
    root.mkdir()
    day_s = 86_400
    days = [
        trace for day in range(4) for trace in station(channels="Z", start=MIDNIGHT + day * day_s)
    ]
    Stream(days).write(str(root / "XX.AA..HHZ.D.2021.127"), format="MSEED")
    for name, wrong in (("BBB", "2021.001"), ("CC", "2021.040"), ("DDDD", "2021.130")):
        file = root / f"XX.{name}..HHZ.D.{wrong}"
        station(name, channels="Z", start=MIDNIGHT + 3 * day_s).write(str(file), format="MSEED")
    (root / "XX.CC..HHZ.D.2021.041").write_bytes((root / "XX.CC..HHZ.D.2021.040").read_bytes())
    selection = Selection(station="AA,BBB,CC", start=MIDNIGHT + 2.5 * day_s)
    ours, events = run(picker, [root], tmp_path / "parts", selection=selection)
    whole = picker.pick(Stream(days[3:])) + picker.pick(
        station("BBB", channels="Z", start=MIDNIGHT + 3 * day_s)
        + station("CC", channels="Z", start=MIDNIGHT + 3 * day_s)
    )
    assert len(ours) > 10
    assert keys(ours) == keys(sorted(whole))
    notes = [event for event in events if isinstance(event, FileReport)]
    assert [(note.text[:33], note.failed) for note in notes] == [
        ("2 of 5 files left out unread: by ", False)
    ]
    assert not any(isinstance(e, FileReport) for e in run(picker, [root], tmp_path / "all")[1])


@pytest.mark.parametrize("options", [[], ["--plot", "figures"]])
def test_channels_that_seed_says_are_not_for_picks_are_no_failure(
    preset, tmp_path, capsys, monkeypatch, options
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    station(channels="Z", n_samples=6000).write("in/HHZ.mseed", format="MSEED")
    for code, rate in (("LHZ", 1.0), ("LHN", 1.0), ("LCE", 1.0), ("VM1", 0.1), ("VM2", 0.1)):
        [trace] = station(channels="Z", n_samples=3000, rate=rate)
        trace.stats.channel = code
        trace.write(f"in/{code}.mseed", format="MSEED")
    command = ["pick", "in", "--preset", preset, "--output", "picks.csv", *options]
    assert main(command) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "4 stations, 1 pick" in said
    assert "failed" not in said
    assert "XX.AA..LH has 1 Hz, the network was trained at 100 Hz: too low" in said
    assert "--channel chooses others" in said
    station("CC", channels="Z", n_samples=300, rate=1.0).write("in/slow.mseed", format="MSEED")
    assert main(command) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "5 stations, 1 pick, 1 failed" in said
    assert "A preset of a lower rate is wanted" in said


def test_files_of_one_name_in_two_folders_are_taken_both_or_neither():
    names = ["a/XX.A..HHZ.D.2024.001", "b/XX.A..HHZ.D.2024.001", "b/XX.A..HHZ.D.2023.001"]
    paths = [Path(name) for name in names]
    assert Selection(start=UTCDateTime(2024, 1, 20)).by_name(paths) == paths[:2]
    assert Selection(start=UTCDateTime(2023, 12, 1)).by_name(reversed(paths)) == paths[::-1]
    assert Selection(station="B").by_name(paths) == []


@pytest.mark.parametrize(("n", "others"), [(2, "1 more record"), (3, "2 more records")])
def test_a_reason_is_the_longest_record_s_and_the_others_are_counted(n, others):
    summary = StationSummary("XX.A..HH")
    for _ in range(n):
        summary.add(60.0, {}, failed=False, reason="dead")
    assert summary.closed().reason == f"dead (and {others})"
