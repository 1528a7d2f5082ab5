"""miniSEED 3, written by pymseed: samples and times are those that were written."""

from __future__ import annotations

import struct
import warnings

import numpy as np
import pytest
from archives import run
from obspy import UTCDateTime

from phasenet_keras import Picker, read_waveforms
from phasenet_keras.io.blocks import blocks_of, read_block
from phasenet_keras.io.mseed3 import read_records_3
from phasenet_keras.io.registry import FormatNote, RecordWarning, noted, read_stream
from phasenet_keras.types import FormatError, TextOnlyError

pymseed = pytest.importorskip("pymseed", reason="needs the extra 'mseed3'")

START_NS = UTCDateTime("2022-03-04T05:06:07").ns + 123_456_789
Z = "FDSN:XX_AA_00_H_H_Z"
TYPES = {"i": "int32", "f": "float32", "d": "float64"}


def packed(*segments, encoding=11, record_bytes=512):
    """Return miniSEED 3 of segments: identifier, samples, rate (below 0: period), start in ns."""
    content = b""
    for source_id, samples, rate, start_ns in segments:
        traces = pymseed.MS3TraceList()
        is_text = isinstance(samples, bytes)
        kinds = {"int32": "i", "float32": "f", "float64": "d"}
        kind = "t" if is_text else kinds[str(samples.dtype)]
        traces.add_data(source_id, samples, kind, rate, starttime=start_ns)
        content += b"".join(
            bytes(record)
            for record in traces.generate(
                format_version=3, max_record_length=record_bytes, encoding=encoding
            )
        )
    return content


def noise(n_samples=3000, seed=0, dtype="int32"):
    return np.random.default_rng(seed).normal(0, 300, n_samples).astype(dtype)


def written(tmp_path, content, name="a.mseed3"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def lengths_of(content):
    """Return how many bytes each record has, by its header."""
    found, offset = [], 0
    while offset < len(content):
        found.append(40 + sum(struct.unpack_from("<BHI", content, offset + 33)))
        offset += found[-1]
    return found


@pytest.mark.parametrize(("encoding", "kind"), [(10, "i"), (11, "i"), (3, "i"), (4, "f"), (5, "d")])
def test_samples_and_nanoseconds_are_as_written(tmp_path, encoding, kind):
    data = {code: noise(seed=seed, dtype=TYPES[kind]) for seed, code in enumerate("ENZ")}
    content = packed(
        *((f"FDSN:XX_AA_00_H_H_{code}", data[code], 100.0, START_NS) for code in "ENZ"),
        encoding=encoding,
    )
    path = written(tmp_path, content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stream = read_stream(path)
        [wave] = read_waveforms(path)
    assert [trace.id for trace in stream] == [f"XX.AA.00.HH{code}" for code in "ENZ"]
    for trace in stream:
        assert (trace.stats.starttime.ns, trace.stats.sampling_rate) == (START_NS, 100.0)
        assert trace.data.dtype == TYPES[kind]
        assert np.array_equal(trace.data, data[trace.stats.channel[-1]])
    assert (wave.station, wave.channels) == ("XX.AA.00.HH", ("E", "N", "Z"))
    heads = read_stream(path, headers_only=True)
    assert [(t.id, t.stats.npts, t.data.size) for t in heads] == [(t.id, 3000, 0) for t in stream]


def test_a_rate_below_zero_is_a_period_and_codes_may_be_long_or_of_another_agency(tmp_path):
    content = packed(
        (Z, noise(), -0.05, START_NS),
        ("FDSN:XX_LONGSTN1__B_HGE_Z", noise(), 100.0, START_NS),
        ("OTHER:a.b", noise(), 100.0, START_NS),
    )
    stream = read_stream(written(tmp_path, content))
    assert [trace.id for trace in stream] == [
        "XX.AA.00.HHZ",
        "XX.LONGSTN1..B_HGE_Z",
        ".OTHER:a_b..",
    ]
    assert [trace.stats.sampling_rate for trace in stream] == [20.0, 100.0, 100.0]
    assert stream[0].stats.endtime.ns - START_NS == 2999 * 50_000_000


def test_gaps_and_stations_are_waveforms_of_their_own(tmp_path):
    second = START_NS + 40 * 10**9
    content = packed(
        (Z, noise(2000), 100.0, START_NS),
        ("FDSN:XX_BB__E_H_Z", noise(2000, 1), 100.0, START_NS),
        (Z, noise(1500, 2), 100.0, second),
    )
    before, after, other = read_waveforms(written(tmp_path, content))
    assert (before.station, other.station) == ("XX.AA.00.HH", "XX.BB..EH")
    assert (before.n_samples, after.n_samples, other.n_samples) == (2000, 1500, 2000)
    assert (before.start_time.ns, after.start_time.ns) == (START_NS, second)
    assert np.array_equal(after.data[:, 0], noise(1500, 2))


def test_a_clock_that_drifts_is_followed_and_one_that_jitters_cuts_nothing(tmp_path):
    jitter = np.random.default_rng(3).uniform(-0.4, 0.4, 300)
    for off, n_samples, is_said in ((jitter, 30_000, False), (0.1 * np.arange(300), 30_030, True)):
        starts = START_NS + np.rint((100 * np.arange(300) + off) * 1e7).astype(int)
        segments = ((Z, noise(100, n), 100.0, int(ns)) for n, ns in enumerate(starts))
        path = written(tmp_path, packed(*segments))
        with warnings.catch_warnings(record=True, action="always") as caught:
            [wave] = read_waveforms(path)
        assert abs(wave.n_samples - n_samples) <= is_said
        assert [item.category for item in caught] == [FormatNote] * is_said
        assert len(read_stream(path)) == 1


def test_text_among_records_is_passed_over_and_alone_it_is_no_waveform(tmp_path):
    text = ("FDSN:XX_AA__L_O_G", b"clock locked\r\n" * 9, 0.0, START_NS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        [wave] = read_waveforms(written(tmp_path, packed(text, (Z, noise(), 100.0, START_NS))))
    assert np.array_equal(wave.data[:, 0], noise())
    with pytest.raises(TextOnlyError, match="holds no samples, but a logger's messages"):
        read_stream(written(tmp_path, packed(text)))


def test_a_record_that_is_damaged_is_left_out_by_its_checksum_and_said(tmp_path):
    content = bytearray(packed((Z, noise(), 100.0, START_NS)))
    lengths = lengths_of(content)
    at, n_records = sum(lengths[:4]), len(lengths)
    content[at + 200] ^= 1
    path = written(tmp_path, bytes(content))
    with pytest.warns(RecordWarning, match=f"records, or cut short: 1, from byte {at} on .*CRC"):
        before, after = read_waveforms(path)
    assert np.array_equal(before.data[:, 0], noise()[: before.n_samples])
    assert np.array_equal(after.data[:, 0], noise()[-after.n_samples :])
    n_lost = 3000 - before.n_samples - after.n_samples
    assert 0 < n_lost < 2 * 3000 / n_records
    late_ns = after.start_time.ns - START_NS
    assert late_ns == (before.n_samples + n_lost) * 10_000_000


@pytest.mark.parametrize("n_bytes", [1, 30, 300])
def test_what_is_before_a_cut_is_read(tmp_path, n_bytes):
    content = packed((Z, noise(), 100.0, START_NS))
    at = sum(lengths_of(content)[:5])
    with pytest.warns(RecordWarning, match=f"or cut short: 1, from byte {at} on"):
        [wave] = read_waveforms(written(tmp_path, content[: at + n_bytes]))
    assert np.array_equal(wave.data[:, 0], noise()[: wave.n_samples])
    assert wave.n_samples > 800


@pytest.mark.parametrize("content", [b"MS\x03\x04" + bytes(4096), b"MS\x03"])
def test_a_file_of_no_whole_record_is_refused_by_name(tmp_path, content):
    with pytest.raises(FormatError, match=r"a.mseed3 is damaged or no miniSEED 3: "):
        read_stream(written(tmp_path, content))


def test_random_bytes_in_files_end_in_records_or_a_typed_error(tmp_path):
    """Native code decodes them: an end of the process would end the tests."""
    plain = packed((Z, noise(), 100.0, START_NS))
    n_read = 0
    for seed in range(60):
        rng, content = np.random.default_rng(seed), bytearray(plain)
        for at in rng.integers(3, len(content), rng.integers(1, 9)):
            content[at] = rng.integers(256)
        path = written(tmp_path, bytes(content))
        with warnings.catch_warnings(action="ignore"):
            try:
                n_read += sum(wave.n_samples for wave in read_waveforms(path))
                assert len([read_block(block) for block, _ in blocks_of(path, 2048)]) > 0
            except FormatError:
                continue
    assert n_read > 20 * 3000


def test_blocks_hold_all_samples_and_those_of_a_station_alone(tmp_path):
    content = b""
    for n in range(12):  # of both stations by turns
        start_ns = START_NS + n * 5 * 10**9
        content += packed((Z, noise(500, n), 100.0, start_ns))
        content += packed(("FDSN:XX_BB__E_H_Z", noise(500, 99 - n), 100.0, start_ns))
    path = written(tmp_path, content)
    blocks = [block for block, _ in blocks_of(path, 4096)]
    assert len(blocks) > 3
    assert sum(block.size for block in blocks) == len(content)
    traces = [trace for block in blocks for trace in read_block(block)]
    for code, seeds in (("AA", range(12)), ("BB", range(99, 87, -1))):
        found = np.concatenate([trace.data for trace in traces if trace.stats.station == code])
        assert np.array_equal(found, np.concatenate([noise(500, seed) for seed in seeds]))
    of_one = read_records_3(content, sourcename="XX.BB..EH*")
    assert {trace.id for trace in of_one} == {"XX.BB..EHZ"}


@pytest.mark.parametrize("block_bytes", [2048, 1 << 21])
def test_picks_do_not_depend_on_how_a_file_is_cut(spike_net, tmp_path, block_bytes):
    data = noise(60_000, dtype="float64") / 15
    data[5000::6000] += 1500
    path = written(tmp_path, packed((Z, data.round().astype("int32"), 100.0, START_NS)))
    picker = Picker(spike_net, chunk_samples=2048)
    picks, events = run(picker, [path], tmp_path / "parts", block_bytes=block_bytes)
    assert {event.n_records for event in events if hasattr(event, "hours")} == {1}
    times = sorted({pick.time.ns for pick in picks if pick.phase == "P"})
    late_s = (np.array(times) - START_NS) / 1e9 - 60 * np.arange(10) - 50
    assert len(times) == 10
    assert np.ptp(late_s) < 1e-6


def test_damage_in_a_file_that_is_read_in_blocks_costs_its_record(tmp_path):
    content = bytearray(packed((Z, noise(20_000), 100.0, START_NS)))
    lengths = lengths_of(content)
    at = sum(lengths[: len(lengths) // 2])
    content[at : at + 60] = b"\xff" * 60
    path = written(tmp_path, bytes(content))
    with noted() as said:
        traces = [trace for block, _ in blocks_of(path, 4096) for trace in read_block(block)]
    n_samples = sum(trace.stats.npts for trace in traces)
    assert 20_000 - 2 * 20_000 / len(lengths) < n_samples < 20_000
    assert any("damaged records, or cut short: 1" in text for text in said)
