"""miniSEED whose samples drift from the clock of its records: times are the records'."""

from __future__ import annotations

import io
import struct
import warnings

import numpy as np
import pytest
from archives import run
from hypothesis import given, settings
from hypothesis import strategies as st
from obspy import Stream, Trace, UTCDateTime, read

from phasenet_keras import Picker, read_waveforms
from phasenet_keras.io.drift import due_ns_of
from phasenet_keras.io.mseed_clock import follow_clock
from phasenet_keras.io.mseed_headers import record_times
from phasenet_keras.io.registry import FormatNote, read_stream
from phasenet_keras.io.selection import Selection
from phasenet_keras.io.waveforms import waveforms_of

START = UTCDateTime("2022-03-04T05:06:07.89")
N = 100  # samples of a record
RATE_HZ = 100.0
# Traces are cut at a quarter sample, and laid where they are due within three quarters of one; a
# record more is read until it is seen.
MOST_OFF_S = 1.1 / RATE_HZ


def packed(data, start, channel="HHZ", *, byteorder=1, length=512, rate=RATE_HZ):
    """Return a record of these samples."""
    header = {"network": "XX", "station": "AA", "channel": channel, "sampling_rate": rate}
    file = io.BytesIO()
    Trace(data.round().astype("int32"), {**header, "starttime": start}).write(
        file, format="MSEED", encoding="STEIM2", reclen=length, byteorder=byteorder
    )
    return file.getvalue()


def record(number, start, channel="HHZ", *, n_samples=N, **options):
    """Return a record whose samples are its number, but for the first, which has 100,000 more."""
    data = np.full(n_samples, number)
    data[0] += 100_000
    return packed(data, start, channel, **options)


def records(off_samples, channel="HHZ", **options):
    """Return records that begin so many samples later than the count of their samples says."""
    return [
        record(number, START + (number * N + off) / RATE_HZ, channel, **options)
        for number, off in enumerate(off_samples)
    ]


def noisy(off_samples, spikes=()):
    """Return records of `records`' times, of noise; some have a spike in their middle."""
    rng, content = np.random.default_rng(1), []
    for number, off in enumerate(off_samples):
        data = rng.normal(0, 20, N)
        data[N // 2] += 1500 * (number in spikes)
        content.append(packed(data, START + (number * N + off) / RATE_HZ))
    return content


def drift(ppm, n_records):
    return ppm * 1e-6 * N * np.arange(n_records)


def written(tmp_path, content):
    path = tmp_path / "a.mseed"
    path.write_bytes(b"".join(content))
    return path


def joined(path):
    """Return the only waveform of a file; the note of the drift may be given."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", FormatNote)
        [wave] = read_waveforms(path)
    return wave


def errors_s(wave, off_samples, column=0):
    """Return how late the first sample of each record is in a waveform."""
    found = np.flatnonzero(wave.data[:, column] >= 100_000)
    found = found[np.diff(found, prepend=-N) > N // 2]  # where the first of them is there twice
    numbers = (wave.data[found, column] - 100_000).astype(int)
    due = START + 0.0
    times = [wave.start_time + float(sample) / RATE_HZ for sample in found]
    expected = [due + (n * N + off_samples[n]) / RATE_HZ for n in numbers]
    return numbers, np.array([a - b for a, b in zip(times, expected, strict=True)])


@pytest.mark.parametrize("ppm", [-1000, -100, -20, 20, 100, 1000])
def test_each_record_is_where_its_header_says(tmp_path, ppm):
    off = drift(ppm, 1500)
    path = written(tmp_path, records(off))
    with pytest.warns(FormatNote, match="times of records drift from the count of their samples"):
        [wave] = read_waveforms(path)
    numbers, late_s = errors_s(wave, off)
    # One that loses its first sample is not found.
    assert len(numbers) >= 1500 - abs(off[-1]) - 1
    assert np.abs(late_s).max() <= MOST_OFF_S
    assert abs(wave.n_samples - 1500 * N - off[-1]) <= 1.25
    # What ObsPy says of the last: the drift of 25 minutes.
    ends = read(str(path))[0].stats.endtime - (wave.start_time + (wave.n_samples - 1) / RATE_HZ)
    assert ends == pytest.approx(-off[-1] / RATE_HZ, abs=MOST_OFF_S)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-0.45, 0.45), min_size=1, max_size=60))
def test_a_clock_that_wanders_in_any_way_is_followed(tmp_path_factory, steps):
    off = np.cumsum([0.0, *steps])
    wave = joined(written(tmp_path_factory.mktemp("clock"), records(off)))
    _, late_s = errors_s(wave, off)
    assert np.abs(late_s).max() <= (1 + np.abs(steps).max()) / RATE_HZ + 1e-6


def test_without_drift_traces_are_obspys_and_nothing_is_said(tmp_path):
    off = np.random.default_rng(0).uniform(-0.12, 0.12, 300)
    off[0] = 0
    content = b"".join(records(off))
    stream, theirs = read(io.BytesIO(content)), read(io.BytesIO(content))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        follow_clock(stream, np.frombuffer(content, np.uint8))
    [ours], [theirs] = stream, theirs
    assert ours.stats.starttime == theirs.stats.starttime
    assert np.array_equal(ours.data, theirs.data)
    assert np.array_equal(joined(written(tmp_path, [content])).data[:, 0], theirs.data)


def jitter(n_records, seed=0):
    """Return what times of a regular clock are off by, up to 0.4 samples to either side."""
    return np.random.default_rng(seed).uniform(-0.4, 0.4, n_records)


def test_a_clock_that_jitters_cuts_nothing_and_no_sample_is_left_out(tmp_path):
    """ObsPy cuts where two records are off by half a sample from each other: in 1 of 7 here."""
    off = jitter(500)
    content = b"".join(records(off))
    stream = read(io.BytesIO(content))
    written_samples = np.concatenate([trace.data for trace in stream])
    assert len(stream) > 40
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing drifts, no samples differ
        follow_clock(stream, np.frombuffer(content, np.uint8))
        [wave] = read_waveforms(written(tmp_path, [content]))
    assert [trace.stats.npts for trace in stream] == [500 * N]
    assert wave.start_time == START + off[0] / RATE_HZ
    assert np.array_equal(wave.data[:, 0], written_samples)


@pytest.mark.parametrize("ppm", [-100, -10, 10, 100])
def test_a_clock_that_jitters_and_drifts_is_followed_in_one_record(tmp_path, ppm):
    off = drift(ppm, 3000) + jitter(3000)
    wave = joined(written(tmp_path, records(off)))
    assert abs(wave.n_samples - 3000 * N - 3000 * N * ppm * 1e-6) <= 1.5
    _, late_s = errors_s(wave, drift(ppm, 3000))
    assert np.abs(late_s).max() <= MOST_OFF_S


def test_a_missing_sample_is_a_gap_beside_a_clock_that_jitters_less(tmp_path):
    off = jitter(200) / 4
    off[100:] += 1.0
    before, after = read_waveforms(written(tmp_path, records(off)))
    assert (before.n_samples, after.n_samples) == (100 * N, 100 * N)


def test_records_that_are_not_in_order_stay_where_their_times_are(tmp_path):
    """As of two loggers of one name, whose records take turns: together they are off by nothing."""
    content = records(np.zeros(60))
    order = [n for pair in zip(range(30), range(30, 60), strict=True) for n in pair]
    wave = joined(written(tmp_path, [content[n] for n in order]))
    assert np.array_equal(wave.data, joined(written(tmp_path, content)).data)


@pytest.mark.parametrize("ppm", [-400, 400])
def test_a_copy_from_the_middle_of_a_drifting_trace_lies_where_that_does(tmp_path, ppm):
    once = noisy(drift(ppm, 300))
    wave = joined(written(tmp_path, once))
    again = joined(written(tmp_path, [*once, *once[50:]]))  # nothing said of samples
    assert np.array_equal(again.data, wave.data)


@pytest.mark.parametrize("ppm", [-2000, 2000])
def test_what_is_wanted_of_a_drifting_trace_is_cut_at_the_records_times(tmp_path, ppm):
    off = drift(ppm, 300)
    path = written(tmp_path, records(off))
    start = START + (200 * N + off[200]) / RATE_HZ
    selection = Selection(start=start, end=start + 20)
    with warnings.catch_warnings(action="ignore"):
        [trace] = read_stream(path)
    [part] = selection.cut([trace])
    [wave] = waveforms_of([part])
    assert abs(wave.start_time - start) <= MOST_OFF_S
    assert wave.n_samples == pytest.approx(20 * RATE_HZ, abs=1.1)
    _, late_s = errors_s(wave, off)
    assert np.abs(late_s).max() <= MOST_OFF_S
    assert due_ns_of(part) == pytest.approx((start + 20).ns, abs=MOST_OFF_S * 1e9)


def test_a_gap_and_an_overlap_stay_what_they_are_beside_a_drift(tmp_path):
    off = drift(1000, 300)
    off[100:] += 500.0  # five records are missing
    path = written(tmp_path, records(off))
    with pytest.warns(FormatNote):
        before, after = read_waveforms(path)
    assert abs(before.n_samples - 100 * N - 10) <= 1.25
    assert abs((after.start_time - START) - (100 * N + off[100]) / RATE_HZ) <= 1e-6
    assert abs(after.n_samples - 200 * N - 20) <= 1.25


@pytest.mark.parametrize("ppm", [-400, -110, 110, 400])
def test_a_copy_of_a_drifting_record_lies_where_it_does(tmp_path, ppm):
    """Else their samples would seem to differ, which was said of many stretches of a day."""
    once = noisy(drift(ppm, 300))
    wave = joined(written(tmp_path, once))
    twice = joined(written(tmp_path, once * 2))
    assert np.array_equal(twice.data, wave.data)


def test_records_of_one_sample_that_are_left_out_did_not_come_too_late(tmp_path):
    content = [record(n, START + 0.7 * n, rate=1.0, n_samples=1) for n in range(200)]
    assert abs(joined(written(tmp_path, content)).n_samples - 140) <= 1


def test_channels_of_one_file_drift_together(tmp_path):
    off = drift(200, 400)
    trios = zip(*(records(off, f"HH{channel}") for channel in "ENZ"), strict=True)
    content = [record for trio in trios for record in trio]
    wave = joined(written(tmp_path, content))
    assert wave.channels == ("E", "N", "Z")
    for column in range(3):
        assert np.abs(errors_s(wave, off, column)[1]).max() <= MOST_OFF_S


@pytest.mark.parametrize("odd", [{"byteorder": 0}, {"length": 1024}])
def test_records_of_other_lengths_and_byte_orders_among_them(tmp_path, odd):
    off = drift(200, 400)
    plain, other = records(off), records(off, **odd)
    wave = joined(written(tmp_path, [*plain[:150], *other[150:160], *plain[160:]]))
    assert np.abs(errors_s(wave, off)[1]).max() <= MOST_OFF_S
    assert abs(wave.n_samples - 400 * N - off[-1]) <= 1.25


def test_a_damaged_record_among_them_does_not_hide_the_drift(tmp_path):
    off = drift(500, 400)
    content = records(off)
    content[200] = content[200][:64] + b"\xff" * 448
    path = written(tmp_path, content)
    with warnings.catch_warnings(action="ignore"):
        waves = read_waveforms(path)
    late_s = np.concatenate([errors_s(wave, off)[1] for wave in waves])
    assert len(late_s) > 370
    assert np.abs(late_s).max() <= MOST_OFF_S


@pytest.mark.parametrize("block_bytes", [4096, 51_200])
def test_a_clock_that_jitters_cuts_no_archive(spike_net, tmp_path, block_bytes):
    off = drift(20, 600) + jitter(600)
    picker = Picker(spike_net, chunk_samples=2048)
    path = written(tmp_path, noisy(off))
    _, events = run(picker, [path], tmp_path / "parts", block_bytes=block_bytes)
    assert {event.n_records for event in events if hasattr(event, "hours")} == {1}


def test_copies_in_a_drifting_file_cut_no_archive(spike_net, tmp_path):
    """What comes after them follows on what is there, not on the last of them."""
    content = noisy(drift(600, 100))
    path = written(tmp_path, [*content, *content[30:60]])
    picker = Picker(spike_net, chunk_samples=2048)
    _, events = run(picker, [path], tmp_path / "parts", block_bytes=80 * 512)
    [summary] = [event for event in events if hasattr(event, "hours")]
    assert summary.n_records == 1
    assert summary.hours * 3600 == pytest.approx(100.06, abs=0.02)


@pytest.mark.parametrize("block_bytes", [4096, 51_200, 1 << 21])
def test_picks_of_an_archive_have_the_times_of_the_records(spike_net, tmp_path, block_bytes):
    """A spike each 50 s, read in blocks: no block cuts the record or its times."""
    off, spikes = drift(400, 600), range(25, 600, 50)
    path = written(tmp_path, noisy(off, spikes))
    picker = Picker(spike_net, chunk_samples=2048)
    picks, events = run(picker, [path], tmp_path / "parts", block_bytes=block_bytes)
    [hours] = {(e.n_records, round(e.hours * 3600, 1)) for e in events if hasattr(e, "hours")}
    assert hours == (1, pytest.approx(600.24, abs=0.05))
    times = sorted({pick.time.ns for pick in picks if pick.phase == "P"})
    due = [(START + (n * N + N // 2 + off[n]) / RATE_HZ).ns for n in spikes]
    assert len(times) == len(due) == 12
    late_s = (np.array(times) - due) / 1e9
    assert np.abs(late_s - late_s[0]).max() <= MOST_OFF_S


def test_corrections_and_microseconds_of_headers_are_in_the_times():
    """Of the time correction in steps of 0.1 ms, and of blockette 1001: SEED manual 2.4."""
    start = UTCDateTime(2020, 12, 31, 23, 59, 59, 123_456)
    one = bytearray(record(0, start))
    late = bytearray(one)
    struct.pack_into(">i", late, 40, 15_000)  # 1.5 s that are not in the time
    done = bytearray(late)
    done[36] |= 0x02  # now they are
    content = bytes(one + late + done)
    times = record_times(np.frombuffer(content, np.uint8))
    [(codes, (start_ns, n_samples))] = times.items()
    assert codes == ("D", "AA", "", "HHZ", "XX")
    assert n_samples.tolist() == [N, N, N]
    assert start_ns.tolist() == [start.ns, (start + 1.5).ns, start.ns]
    theirs = [read(io.BytesIO(bytes(item)))[0].stats.starttime.ns for item in (one, late, done)]
    assert theirs == start_ns.tolist()


def test_times_of_many_channels_are_in_the_order_of_their_records():
    codes = [f"{a}{b}{c}" for a in "EHS" for b in "HN" for c in "ENZ12"]
    content = b"".join(record(0, START + n, code) for n in (2, 0, 1) for code in codes)
    times = record_times(np.frombuffer(content, np.uint8))
    assert {key[3] for key in times} == set(codes)
    for start_ns, n_samples in times.values():
        assert ((start_ns - START.ns) // 10**9).tolist() == [2, 0, 1]
        assert n_samples.tolist() == [N, N, N]


def test_traces_that_follow_each_other_by_their_own_times_are_one_record():
    """As files of a minute whose rate is 20 ppm off: no format but miniSEED has records."""
    rng = np.random.default_rng(5)
    data = rng.normal(0, 100, (300, 6000)).astype("float32")
    header = {"network": "XX", "station": "AA", "channel": "HHZ", "sampling_rate": RATE_HZ}
    stream = Stream(
        Trace(part, {**header, "starttime": START + number * 60 * (1 + 20e-6)})
        for number, part in enumerate(data)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        [wave] = waveforms_of(stream)
    assert wave.n_samples == 300 * 6000 + 36
