"""miniSEED records that cannot be decoded."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from obspy import Stream
from reading import START, noise, refused, trace

from phasenet_keras import read_waveforms
from phasenet_keras.io.blocks import blocks_of, read_block
from phasenet_keras.io.registry import RecordWarning

LENGTH = 512


def steim(codes=("HHZ",), n_samples=3000):
    """Return Steim2 records, and the number of samples in each."""
    file = io.BytesIO()
    traces = [trace(noise(n_samples).astype(np.int32) * 10, channel=code) for code in codes]
    Stream(traces).write(file, format="MSEED", encoding="STEIM2", reclen=LENGTH)
    content = bytearray(file.getvalue())
    counts = [
        struct.unpack_from(">H", content, at + 30)[0] for at in range(0, len(content), LENGTH)
    ]
    return content, counts


def damage(content, record):
    for at in range(record * LENGTH + 100, record * LENGTH + 160):
        content[at] ^= 0xA5


def claim_more(content, record):
    at = record * LENGTH + 30
    struct.pack_into(">H", content, at, struct.unpack_from(">H", content, at)[0] + 50)


def written(tmp_path, content):
    path = tmp_path / "a.mseed"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("spoil", [damage, claim_more])
def test_records_that_cannot_be_decoded_are_left_out(tmp_path, spoil):
    content, counts = steim()
    [whole] = read_waveforms(written(tmp_path, content))
    for record in (1, 4):
        spoil(content, record)
    said = r"a\.mseed: damaged records left out: 2 of XX\.AA\.\.HHZ, from 2\S+Z to 2\S+Z$"
    with pytest.warns(RecordWarning, match=said) as caught:
        parts = read_waveforms(written(tmp_path, content))
    edges = np.cumsum([0, *counts])
    wanted = [(0, 1), (2, 4), (5, len(counts))]
    assert len(parts) == len(wanted)
    for part, (begin, end) in zip(parts, wanted, strict=True):
        assert np.array_equal(part.data, whole.data[edges[begin] : edges[end]])
        assert part.start_time - START == pytest.approx(edges[begin] / 100)
    assert f"from {START + edges[1] / 100} to " in str(caught[0].message)
    assert len(caught) == 1


def test_damaged_records_are_said_by_channel(tmp_path):
    content, counts = steim(("HHE", "HHZ"))
    assert counts[: len(counts) // 2] == counts[len(counts) // 2 :]
    damage(content, 0)
    damage(content, len(counts) // 2 + 1)
    damage(content, len(counts) // 2 + 2)
    with pytest.warns(RecordWarning, match=r"1 of XX\.AA\.\.HHE, from .*; 2 of XX\.AA\.\.HHZ, "):
        read_waveforms(written(tmp_path, content))


def test_a_file_of_damaged_records_alone_is_refused(tmp_path):
    content, counts = steim()
    for record in range(len(counts)):
        damage(content, record)
    refused(written(tmp_path, content), "damaged or no miniSEED")


def test_a_damaged_record_costs_no_more_than_itself_of_a_block(tmp_path):
    content, counts = steim()
    whole = read_waveforms(written(tmp_path, content))[0].data[:, 0]
    damage(content, 5)
    path = written(tmp_path, content)
    blocks = [block for block, _ in blocks_of(path, block_bytes=4 * LENGTH)]
    with pytest.warns(RecordWarning, match=r"bytes 2048 to 4096: damaged records left out: 1 of"):
        parts = [item.data for block in blocks for item in read_block(block)]
    lost = np.arange(sum(counts[:5]), sum(counts[:6]))
    assert np.array_equal(np.concatenate(parts), np.delete(whole, lost))
