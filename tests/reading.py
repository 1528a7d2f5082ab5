"""Traces and files that tests make, and how reading them may end."""

from __future__ import annotations

import struct
import warnings

import numpy as np
import pytest
from hypothesis import strategies as st
from obspy import Trace, UTCDateTime

from phasenet_keras import read_waveforms
from phasenet_keras.io.specfem import read_specfem_run
from phasenet_keras.types import FormatError

START = UTCDateTime("2022-03-04T05:06:07.89")


def noise(n_samples, seed=0, scale=1000.0):
    return scale * np.random.default_rng(seed).standard_normal(n_samples)


def trace(data, channel="HHZ", *, rate=100.0, start=START, **codes):
    codes = {"network": "XX", "station": "AA", **codes}
    header = {"channel": channel, "sampling_rate": rate, "starttime": start, **codes}
    return Trace(np.asarray(data), header)


def read_quietly(folder, **options):
    """Read a run of SPECFEM2D; any warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_specfem_run(folder, **options)


def refused(path, words=None):
    """Assert that reading fails with a FormatError that says the words and names the file."""
    with pytest.raises(FormatError, match=words) as error:
        read_waveforms(path)
    assert str(path) in str(error.value)


def read_or_refusal(path):
    """Return the waveforms, or none if a FormatError that names the file says why."""
    try:
        return read_waveforms(path)
    except FormatError as error:
        message = str(error)
    assert str(path) in message
    return None


def changes_of(header_bytes):
    """Draw some bytes to be changed, half of them in a header: positions and values."""
    position = st.one_of(st.integers(0, header_bytes), st.integers(0, 10**5))
    return st.lists(st.tuples(position, st.integers(0, 255)), min_size=1, max_size=4)


def damage(path, changes, keep):
    """Change bytes of a file, and cut it off after so many."""
    damaged = bytearray(path.read_bytes())[:keep]
    for position, value in changes:
        damaged[position % len(damaged)] = value
    path.write_bytes(damaged)


def write_seg2(path, traces, interval_s, delay_s=0.0):
    """Write SEG-2, revision 1: float32 traces that begin on 2022-03-04 at 05:06:07."""

    def strings(*pairs):
        texts = [f"{name} {value}".encode() + b"\0" for name, value in pairs]
        found = b"".join(struct.pack("<H", len(text) + 2) + text for text in texts)
        return found + bytes(2 + -len(found) % 4 + 2)

    when = strings(("ACQUISITION_DATE", "04/Mar/2022"), ("ACQUISITION_TIME", "05:06:07"))
    blocks = []
    for data in traces:
        text = strings(("DELAY", delay_s), ("SAMPLE_INTERVAL", interval_s))
        n_bytes = 4 * len(data)
        head = struct.pack("<HHLLB19x", 0x4422, 32 + len(text), n_bytes, len(data), 4)
        blocks.append(head + text + np.asarray(data, "<f4").tobytes())
    pointers, at = [], 32 + 4 * len(blocks) + len(when)
    for block in blocks:
        pointers.append(at)
        at += len(block)
    descriptor = struct.pack(
        "<HHHHBBBBBB18x", 0x3A55, 1, 4 * len(blocks), len(blocks), 1, 0, 0, 1, 10, 0
    )
    path.write_bytes(
        descriptor + struct.pack(f"<{len(blocks)}L", *pointers) + when + b"".join(blocks)
    )
