"""miniSEED records whose headers claim more samples than their bytes can hold, or no rate."""

from __future__ import annotations

import io
import struct
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import START, refused, trace

from phasenet_keras import read_waveforms
from phasenet_keras.io import mseed_headers
from phasenet_keras.io.blocks import blocks_of, read_block
from phasenet_keras.io.mseed_headers import whole_records
from phasenet_keras.io.registry import RecordWarning

DTYPES = {"INT16": "i2", "INT32": "i4", "FLOAT32": "f4", "FLOAT64": "f8", "STEIM2": "i4"}
N_SAMPLES_AT, RATE_AT, DATA_OFFSET_AT, ENCODING_AT = 30, 32, 44, 52


def records(encoding="FLOAT32", *, length=512, byteorder=1, n_samples=1500, start=START):
    """Return records of 0, 1, 2... and the numbers of samples in each."""
    data = np.arange(n_samples).astype(DTYPES[encoding])
    file = io.BytesIO()
    trace(data, start=start).write(
        file, format="MSEED", encoding=encoding, reclen=length, byteorder=byteorder
    )
    content = bytearray(file.getvalue())
    order = ">" if byteorder else "<"
    counts = [
        struct.unpack_from(f"{order}H", content, at + N_SAMPLES_AT)[0]
        for at in range(0, len(content), length)
    ]
    return content, counts


def claim(content, record, value, *, length=512, at=N_SAMPLES_AT, byteorder=1):
    struct.pack_into(f"{'>' if byteorder else '<'}H", content, record * length + at, value)


def written(tmp_path, content):
    path = tmp_path / "a.mseed"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("byteorder", [0, 1])
@pytest.mark.parametrize("encoding", ["INT16", "INT32", "FLOAT32", "FLOAT64"])
def test_a_record_that_claims_too_much_is_left_out(tmp_path, encoding, byteorder):
    content, counts = records(encoding, byteorder=byteorder)
    claim(content, 1, counts[1] + 9, byteorder=byteorder)  # nine more than the bytes give room for
    path = written(tmp_path, content)
    with pytest.warns(RecordWarning, match=r"a\.mseed.* samples than they hold: 1, from byte 512 "):
        before, after = read_waveforms(path)
    assert np.array_equal(before.data[:, 0], np.arange(counts[0]))
    assert np.array_equal(after.data[:, 0], np.arange(counts[0] + counts[1], 1500))
    assert after.start_time - before.start_time == pytest.approx((counts[0] + counts[1]) / 100)


def test_what_a_record_can_just_hold_is_read(tmp_path):
    content, counts = records("FLOAT32")
    assert counts[0] == (512 - 56) // 4  # a full one
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        [wave] = read_waveforms(written(tmp_path, content))
    assert np.array_equal(wave.data[:, 0], np.arange(1500))
    assert whole_records(bytes(content)) is None
    claim(content, 0, counts[0] + 1)
    with pytest.warns(RecordWarning):
        assert whole_records(bytes(content)) == content[512:]


# Text, GEOSCOPE, CDSN, SRO and DWWSSN beside those that ObsPy writes: SEED manual 2.4, appendix.
ROOM = {0: 456, 1: 228, 3: 114, 4: 114, 5: 57, 12: 152, 13: 228, 14: 228, 16: 228, 30: 228, 32: 228}


@pytest.mark.parametrize(("code", "n_samples"), ROOM.items())
@pytest.mark.parametrize("is_mixed", [False, True])
def test_how_many_samples_of_each_encoding_a_record_has_room_for(code, n_samples, is_mixed):
    content, _ = records("FLOAT32", n_samples=228)
    content[ENCODING_AT] = content[512 + ENCODING_AT] = code
    for record in (0, 1):
        claim(content, record, n_samples)
    if is_mixed:
        content += records("STEIM2", length=256)[0]
    assert whole_records(bytes(content)) is None
    claim(content, 1, n_samples + 1)
    with pytest.warns(RecordWarning, match=": 1, from byte 512 on"):
        assert whole_records(bytes(content)) == content[:512] + content[1024:]


@pytest.mark.parametrize("encoding", ["FLOAT32", "STEIM2"])
@pytest.mark.parametrize("data_offset", [0, 47, 512, 65535])
def test_a_record_whose_samples_are_outside_of_it_is_left_out(tmp_path, encoding, data_offset):
    content, counts = records(encoding)
    claim(content, 0, data_offset, at=DATA_OFFSET_AT)
    with pytest.warns(RecordWarning, match="1, from byte 0 on: left out"):
        [wave] = read_waveforms(written(tmp_path, content))
    assert np.array_equal(wave.data[:, 0], np.arange(counts[0], 1500))


@pytest.mark.parametrize("record", [0, 1])
def test_a_record_that_names_two_encodings_is_left_out(tmp_path, record):
    """Compressed by the first, and of any number of samples; ObsPy would decode by the second."""
    content, counts = records("FLOAT32")
    begin = 512 * record
    first = bytearray(content[begin + 48 : begin + 56])
    struct.pack_into(">H", first, 2, 56)
    first[4] = 11
    content[begin + 56 : begin + 64] = content[begin + 48 : begin + 56]
    content[begin + 48 : begin + 56] = first
    claim(content, record, 64, at=DATA_OFFSET_AT)
    claim(content, record, 65_000)
    with pytest.warns(RecordWarning, match=f": 1, from byte {begin} on"):
        waves = read_waveforms(written(tmp_path, content))
    assert sum(wave.n_samples for wave in waves) == 1500 - counts[record]


def test_a_file_of_such_records_alone_is_refused(tmp_path):
    content, _ = records("FLOAT64", n_samples=50)
    claim(content, 0, 60_000)
    refused(written(tmp_path, content), "more samples than they hold: 1, from byte 0")


@pytest.mark.parametrize("longer_first", [False, True])
def test_records_of_two_lengths(tmp_path, longer_first):
    parts = [(*records(length=512), 512), (*records(length=4096, start=START + 100), 4096)]
    if longer_first:
        parts.reverse()
    (first, _, _), (second, counts, length) = parts
    claim(second, 1, 50_000, length=length)
    with pytest.warns(RecordWarning, match=f": 1, from byte {len(first) + length} on"):
        waves = read_waveforms(written(tmp_path, first + second))
    assert sum(wave.n_samples for wave in waves) == 3000 - counts[1]


def test_long_files_read_in_blocks(tmp_path):
    content, counts = records("INT32", n_samples=5000)
    claim(content, 9, 20_000)
    blocks = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for block, headers in blocks_of(written(tmp_path, content), block_bytes=4096):
            blocks.append(block)
            assert sum(item.stats.npts for item in headers) == sum(
                item.stats.npts for item in read_block(block)
            )
    with pytest.warns(RecordWarning, match=r"bytes 4096 to 8192: .* 1, from byte 512 on"):
        parts = [item.data for block in blocks for item in read_block(block)]
    lost = np.arange(sum(counts[:9]), sum(counts[:10]))
    assert np.array_equal(np.concatenate(parts), np.delete(np.arange(5000), lost))


@pytest.mark.parametrize("block_bytes", [4096, 1 << 21])
def test_records_of_no_sampling_rate_are_left_out(tmp_path, block_bytes):
    content, counts = records("INT32", n_samples=5000)
    claim(content, 9, 0, at=RATE_AT)
    path = written(tmp_path, content)
    said = rf"HHZ has a sampling rate of 0\.0 Hz: {counts[9]} samples left out$"
    with pytest.warns(RecordWarning, match=said) as caught:
        parts = [
            item.data for block, _ in blocks_of(path, block_bytes) for item in read_block(block)
        ]
    assert len(caught) == 1
    lost = np.arange(sum(counts[:9]), sum(counts[:10]))
    assert np.array_equal(np.concatenate(parts), np.delete(np.arange(5000), lost))


def test_a_channel_of_no_sampling_rate_is_left_out(tmp_path):
    content, _ = records("INT32")
    other, _ = records("INT32", n_samples=50)
    other[15:18] = b"ACE"
    claim(other, 0, 0, at=RATE_AT)
    with pytest.warns(RecordWarning, match=r"a\.mseed: XX\.AA\.\.ACE has a .* 0\.0 Hz: 50 samples"):
        [wave] = read_waveforms(written(tmp_path, other + content))
    assert np.array_equal(wave.data[:, 0], np.arange(1500))
    refused(written(tmp_path, other), "ACE has a sampling rate of 0.0 Hz")


@settings(max_examples=200)
@given(
    encoding=st.sampled_from(list(DTYPES)),
    length=st.sampled_from([256, 512, 1024]),
    byteorder=st.sampled_from([0, 1]),
    changes=st.lists(
        st.tuples(
            st.integers(0, 10),
            st.one_of(st.sampled_from([30, 31, 44, 45, 52, 54]), st.integers(6, 60)),
            st.integers(0, 255),
        ),
        max_size=4,
    ),
    cut=st.integers(0, 700),
)
def test_records_looked_at_together_are_judged_as_one_by_one(
    encoding, length, byteorder, changes, cut
):
    content, _ = records(encoding, length=length, byteorder=byteorder)
    for record, place, value in changes:
        content[(record * length + place) % len(content)] = value
    data = np.frombuffer(bytes(content[: len(content) - cut]), np.uint8)
    together = mseed_headers._bad_of_one_form(data)
    if not changes and len(data) >= length:
        assert together == []
    if together is not None:
        assert together == list(mseed_headers._bad_of_any_form(data))
