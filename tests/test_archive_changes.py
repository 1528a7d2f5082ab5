"""Archives that change: codes, rates, record lengths, text among records, names that are none."""

from __future__ import annotations

import io
import tracemalloc
import warnings
from itertools import permutations

import numpy as np
import pytest
from archives import MIDNIGHT, keys, run, station
from obspy import Stream, Trace

from phasenet_keras import read_waveforms
from phasenet_keras.io.assembly import Assembler
from phasenet_keras.io.blocks import blocks_of, read_block
from phasenet_keras.io.channels import claims_of
from phasenet_keras.io.instruments import Company
from phasenet_keras.io.mseed_headers import bytes_of_whole_records
from phasenet_keras.picking.archive import StationSummary
from phasenet_keras.picking.files import FileReport


def encoded(stream, reclen=512, **options):
    file = io.BytesIO()
    stream.write(file, format="MSEED", reclen=reclen, **options)
    return file.getvalue()


def said(events):
    return [(event.text, event.failed) for event in events if isinstance(event, FileReport)]


def logger_record():
    """A record of text of rate 0, as loggers write it."""
    header = {"network": "XX", "station": "AA", "channel": "LOG", "starttime": MIDNIGHT - 300}
    text = Trace(np.frombuffer(b"clock locked " * 20, "|S1"), {**header, "sampling_rate": 1.0})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        record = bytearray(encoded(Stream([text]), encoding="ASCII"))
    record[32:36] = bytes(4)
    return bytes(record)


@pytest.mark.parametrize("block_bytes", [4096, 1 << 21])
def test_text_among_records_costs_no_sample(picker, tmp_path, block_bytes):
    stream = station()
    body = encoded(stream)
    pieces = [body[i : i + 2048] for i in range(0, len(body), 2048)]
    (tmp_path / "a.mseed").write_bytes(logger_record() + logger_record().join(pieces))
    ours, events = run(picker, [tmp_path / "a.mseed"], tmp_path / "p", block_bytes=block_bytes)
    assert keys(ours) == keys(picker.pick(stream))
    assert said(events) == []


@pytest.mark.parametrize("n_records", [1, 20])
def test_a_file_of_text_alone_is_no_failure(picker, tmp_path, n_records):
    (tmp_path / "XX.AA..LOG").write_bytes(n_records * logger_record())
    station().write(str(tmp_path / "a.mseed"), format="MSEED")
    ours, events = run(picker, [tmp_path], tmp_path / "p", block_bytes=4096)
    assert len(ours) >= 3
    [(text, failed)] = said(events)
    assert "a logger's messages" in text
    assert not failed


@pytest.mark.parametrize("lengths", permutations([256, 512, 4096]))
def test_records_of_several_lengths_are_all_read(picker, tmp_path, lengths):
    stream = station()
    path = tmp_path / "a.mseed"
    begins = [MIDNIGHT - 300 + 200 * number for number in range(len(lengths))]
    parts = [stream.slice(begin, begin + 199.999, nearest_sample=False) for begin in begins]
    path.write_bytes(b"".join(map(encoded, parts, lengths)))
    found = list(blocks_of(path, 9000))
    assert len(found) > 5
    assert [block.offset for block, _ in found[1:]] == [b.offset + b.size for b, _ in found[:-1]]
    assert sum(trace.stats.npts for block, _ in found for trace in read_block(block)) == 180_000
    ours, events = run(picker, [path], tmp_path / "p", block_bytes=9000)
    assert keys(ours) == keys(picker.pick(stream))
    assert said(events) == []


def test_where_records_end():
    records = [encoded(station(channels="Z", n_samples=100), n) for n in (512, 4096, 256)]
    content = b"".join(records)
    assert bytes_of_whole_records(content, 512) == 4864
    assert bytes_of_whole_records(content[:-1], 512) == 4608
    assert bytes_of_whole_records(content[:600], 512) == 512
    assert bytes_of_whole_records(content[512:600], 512) == 0
    # Neither what is damaged nor what is beyond it costs the rest.
    assert bytes_of_whole_records(content[:512] + bytes(512) + content[512:], 512) == 5376


TURNED = {"HHN": "HH1", "HHE": "HH2"}


def renamed(stream, codes, lag_s=0.0):
    stream = stream.copy()
    for trace in stream:
        trace.stats.channel = codes.get(trace.stats.channel, trace.stats.channel)
        trace.stats.starttime += lag_s
    return stream


@pytest.mark.parametrize("is_turned_first", [True, False])
@pytest.mark.parametrize("days", [0, 5])
@pytest.mark.parametrize("block_bytes", [4096, 1 << 21])
def test_a_station_whose_horizontals_are_renamed(
    picker, tmp_path, is_turned_first, days, block_bytes
):
    stream = station()
    halves = [stream.slice(None, MIDNIGHT - 0.01), stream.slice(MIDNIGHT, None)]
    lags_s = [0.0, days * 86_400.0]
    parts = [
        renamed(half, TURNED if number != is_turned_first else {}, lag_s)
        for number, (half, lag_s) in enumerate(zip(halves, lags_s, strict=True))
    ]
    for name, part in zip("ab", parts, strict=True):
        (tmp_path / name).write_bytes(encoded(part))
    expected = Stream()
    for half, lag_s in zip(halves, lags_s, strict=True):
        expected += renamed(half, {}, lag_s)
    ours, events = run(
        picker, [tmp_path / "a", tmp_path / "b"], tmp_path / "p", block_bytes=block_bytes
    )
    assert len(ours) >= 4
    assert keys(ours) == keys(picker.pick(expected))
    assert said(events) == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert keys(picker.pick(parts[0] + parts[1])) == keys(ours)


def test_of_two_codes_of_one_component_at_one_time_the_plainer_counts(picker, tmp_path):
    stream = station()
    others = renamed(stream.select(channel="HHN"), TURNED)
    for trace in others:
        trace.data = trace.data + 10_000
    (tmp_path / "a").write_bytes(encoded(stream + others))
    with pytest.warns(match="channels HH1 left out"):
        [wave] = read_waveforms(tmp_path / "a")
    assert np.array_equal(wave.data[:, 1], stream.select(channel="HHN")[0].data)
    ours, events = run(picker, [tmp_path / "a"], tmp_path / "p")
    assert keys(ours) == keys(picker.pick(stream))
    [(text, failed)] = said(events)
    assert "channels HH1 left out" in text
    assert not failed


@pytest.mark.parametrize("names", list(permutations("ab")))
@pytest.mark.parametrize("block_bytes", [4096, 1 << 21])
def test_two_codes_of_one_component_in_files_of_their_own(picker, tmp_path, names, block_bytes):
    stream = station()
    others = renamed(stream.select(channel="HHN"), TURNED)
    for trace in others:
        trace.data = trace.data[::-1].copy()
    for name, part in zip(names, (stream, others), strict=True):
        (tmp_path / name).write_bytes(encoded(part))
    ours, events = run(
        picker, [tmp_path / "a", tmp_path / "b"], tmp_path / "p", block_bytes=block_bytes
    )
    assert keys(ours) == keys(picker.pick(stream))
    assert all("channels HH1 left out" in text and not failed for text, failed in said(events))
    assert all("HHN" in text.rpartition("(")[2] for text, _ in said(events))


def heard(company, code, day, days=1.0):
    header = {"channel": code, "starttime": MIDNIGHT + day * 86_400, "sampling_rate": 0.01}
    company.join([Trace(np.zeros(int(days * 864), "int32"), header)])
    return claims_of(sorted(company.spans))


def test_a_silent_channel_still_says_what_others_are_until_it_is_replaced():
    company = Company()
    heard(company, "HH3", 0)
    for day in range(20):
        heard(company, "HH2", day)
        found = heard(company, "HH1", day)
    assert found == {"HH1": "Z", "HH2": "N", "HH3": "E"}
    for code in ("HHE", "HHN", "HHZ"):
        found = heard(company, code, 30)
    assert set(company.spans) - {"HH3"} == {"HHE", "HHN", "HHZ"}
    assert {code: found[code] for code in ("HHE", "HHN", "HHZ")} == {
        "HHE": "E", "HHN": "N", "HHZ": "Z",
    }  # fmt: skip
    assert all(len(spans) <= 3 for spans in company.spans.values())


def test_packets_that_follow_one_another_are_one_span():
    company = Company()
    for second in range(1000):
        header = {"channel": "HHZ", "starttime": MIDNIGHT + second, "sampling_rate": 100.0}
        company.join([Trace(np.zeros(100, "int32"), header)])
    begin_ns = MIDNIGHT.ns
    assert company.spans == {"HHZ": [(begin_ns, begin_ns + 999_990_000_000)]}


def test_rates_are_not_taken_for_one_where_times_would_be_off():
    header = {"network": "XX", "station": "AA", "channel": "HHZ"}
    parts = [
        Trace(np.arange(1000, dtype="int32"), {**header, "starttime": MIDNIGHT}),
        Trace(np.arange(360_000, dtype="int32"), {**header, "starttime": MIDNIGHT + 10}),
    ]
    parts[0].stats.sampling_rate, parts[1].stats.sampling_rate = 100.0, 99.991
    waves = read_waveforms(parts)
    assert [wave.sampling_rate for wave in waves] == [100.0, 99.991]
    assert [wave.n_samples for wave in waves] == [1000, 360_000]


@pytest.mark.parametrize("n_gaps", [0, 1, 2, 4])
@pytest.mark.parametrize("block_bytes", [2048, 1 << 21])
def test_records_without_codes_are_one_component_between_gaps(
    picker, tmp_path, n_gaps, block_bytes
):
    [trace] = station(channels="Z")
    step = 600 / (n_gaps + 1)
    start = trace.stats.starttime
    parts = Stream(
        [trace.slice(start + n * step + 2, start + (n + 1) * step) for n in range(n_gaps + 1)]
    )
    expected = picker.pick(parts)
    for part in parts:
        part.stats.update({"network": "", "station": "", "channel": ""})
    (tmp_path / "a.mseed").write_bytes(encoded(parts))
    ours, events = run(picker, [tmp_path / "a.mseed"], tmp_path / "p", block_bytes=block_bytes)
    assert len(ours) >= 3
    assert [(pick.time, pick.phase) for pick in ours] == [(p.time, p.phase) for p in expected]
    assert said(events) == []
    [summary] = [event for event in events if isinstance(event, StationSummary)]
    assert summary.n_records == n_gaps + 1


def test_of_two_traces_of_one_start_the_longer_counts_in_any_order(picker, tmp_path):
    long = station(channels="Z")
    short = long.slice(None, MIDNIGHT - 100).copy()
    short[0].data = short[0].data[::-1].copy()
    (tmp_path / "long").write_bytes(encoded(long))
    (tmp_path / "short").write_bytes(encoded(short))
    found = {}
    for block_bytes in (2048, 1 << 21):
        for names in permutations(["long", "short"]):
            paths = [tmp_path / name for name in names]
            folder = tmp_path / f"{names[0]}{block_bytes}"
            ours, _ = run(picker, paths, folder, block_bytes=block_bytes)
            found.setdefault(block_bytes, []).append(keys(ours))
        assert found[block_bytes][0] == found[block_bytes][1]
    with pytest.warns(match="overlapping samples differ"):
        assert found[1 << 21][0] == keys(picker.pick(long + short))


@pytest.mark.parametrize("block_bytes", [2048, 9000, 1 << 21])
def test_rates_that_differ_by_the_drift_of_a_clock_are_one(picker, tmp_path, block_bytes):
    [trace] = station(channels="Z")
    rates = [100.0, 99.9987, 100.0008]
    content = b""
    for number, begin in enumerate(range(0, 60_000, 1000)):
        part = trace.copy()
        part.data = trace.data[begin : begin + 1000]
        part.stats.starttime += begin / 100
        part.stats.sampling_rate = rates[number % 3]
        content += encoded(Stream([part]))
    (tmp_path / "a.mseed").write_bytes(content)
    ours, events = run(picker, [tmp_path / "a.mseed"], tmp_path / "p", block_bytes=block_bytes)
    assert [(p.time, p.sample) for p in ours] == [
        (p.time, p.sample) for p in picker.pick(station(channels="Z"))
    ]
    [summary] = [event for event in events if isinstance(event, StationSummary)]
    assert summary.n_records == 1


def test_many_short_stretches_are_not_copies_of_all():
    n_samples = 100_000
    data = np.random.default_rng(0).standard_normal(n_samples)
    data[::100] = np.nan
    header = {"network": "XX", "station": "AA", "channel": "HHZ", "starttime": MIDNIGHT}
    pairs = [(Trace(data, {**header, "sampling_rate": 100.0}), "Z")]
    assembler = Assembler("XX.AA..HH")
    tracemalloc.start()
    pieces = assembler.feed(pairs, None) + assembler.finish()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(len(piece.data) for piece in pieces) == n_samples - 1000
    assert peak < 20 * data.nbytes
