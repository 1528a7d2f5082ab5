"""Gathers of receivers of three components, a trace each: by their headers, and tables of them."""

from __future__ import annotations

import numpy as np
import pytest
from obspy import Stream, Trace
from obspy.core import AttribDict
from obspy.io.segy.segy import SEGYTraceHeader
from reading import noise
from row_tables import read, write_line

from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.waveforms import read_waveforms

RATE_HZ, DELAY_MS = 2000.0, -20
LEVELS = range(1, 5)
# Vertical, across and along the line; the order in the file, receiver by receiver or not.
CODES = {"Z": 12, "E": 13, "N": 14}
BY_LEVEL = [(level, letter) for level in LEVELS for letter in "NEZ"]
BY_COMPONENT = [(level, letter) for letter in "NEZ" for level in LEVELS]


def values_of(level, letter):
    return noise(400, 10 * level + CODES[letter])


def write_levels(folder, order, codes=CODES, shots=(7,), depth_m=10):
    """Write traces of (level, component), with a delay, as SEG-Y."""
    traces = []
    for shot in shots:
        for n, (level, letter) in enumerate(order, start=1):
            header = SEGYTraceHeader()
            header.trace_number_within_the_original_field_record = n
            header.original_field_record_number = shot
            header.delay_recording_time = DELAY_MS
            header.trace_identification_code = codes[letter]
            header.receiver_group_elevation = -depth_m * level
            trace = Trace(values_of(level, letter).astype("f4"), {"sampling_rate": RATE_HZ})
            trace.stats.segy = AttribDict(trace_header=header)
            traces.append(trace)
    folder.mkdir(exist_ok=True)
    Stream(traces).write(str(folder / "hit.sgy"), "SEGY", data_encoding=5)


def p_ms(level):
    return 3.0 + 2 * level


def are_of_levels(records):
    """Tell if each record has the three components of its level, and that level's P."""
    for record in records:
        level = int(record.name.rsplit("-", 1)[1])
        expected = np.stack([values_of(level, letter) for letter in "ENZ"], axis=1)
        assert record.waveform.channels == ("E", "N", "Z")
        assert np.allclose(record.waveform.data, expected, atol=1e-6)
        assert record.arrivals == {"P": (pytest.approx((p_ms(level) - DELAY_MS) * RATE_HZ / 1e3),)}
    return [record.name for record in records]


@pytest.mark.parametrize("order", [BY_LEVEL, BY_COMPONENT])
def test_traces_of_three_components_are_one_record_a_receiver(tmp_path, order):
    write_levels(tmp_path / "in", order)
    names = [f"hit-{level:04d}" for level in LEVELS]
    assert [wave.station for wave in read_waveforms(tmp_path / "in")] == names
    # A row a receiver, in order, by depth; and a row a trace, by its number.
    rows = [f"hit.sgy,{2 * level},{p_ms(level)}" for level in LEVELS]
    records, bad, [said] = read(tmp_path / "in", "fname,depth_m,p_after_trigger_ms", rows)
    assert (bad, are_of_levels(records)) == ([], names)
    assert said == ("rows of gathers of several components are taken in the order of the receivers")
    rows = [f"hit.sgy,{n},{p_ms(level)}" for n, (level, _) in enumerate(order, start=1)]
    records, bad, _ = read(tmp_path / "in", "fname,trace,p_after_trigger_ms", rows)
    assert (bad, sorted(are_of_levels(records))) == ([], names)


def test_receivers_without_places_have_their_components_side_by_side(tmp_path):
    write_levels(tmp_path / "in", BY_LEVEL, depth_m=0)
    assert [wave.channels for wave in read_waveforms(tmp_path / "in")] == [("E", "N", "Z")] * 4
    # Two lines, perhaps.
    write_levels(tmp_path / "in", BY_COMPONENT, depth_m=0)
    with pytest.warns(RecordWarning, match="not of receivers at one place each: each trace is"):
        waves = read_waveforms(tmp_path / "in")
    assert [wave.channels for wave in waves] == [("Z",)] * 12


@pytest.mark.parametrize("column", ["receiver", "trace", "geophone"])
def test_numbers_of_receivers_or_of_traces_are_refused(tmp_path, column):
    write_levels(tmp_path / "in", BY_LEVEL)
    rows = [f"hit.sgy,{level},{p_ms(level)}" for level in LEVELS]
    records, bad, _ = read(tmp_path / "in", f"fname,{column},p_after_trigger_ms", rows)
    assert (records, len(bad)) == ([], 4)
    assert f"or its 4 receivers of several components ({column})" in bad[0]
    rows = [f"hit.sgy,{3 * level - 2},{p_ms(level)}" for level in LEVELS]
    records, bad, _ = read(tmp_path / "in", "fname,trace_in_file,p_after_trigger_ms", rows)
    assert (bad, len(are_of_levels(records))) == ([], 4)


def test_receivers_are_counted_in_each_shot_of_a_file(tmp_path):
    write_levels(tmp_path / "in", BY_COMPONENT, shots=(7, 8))
    names = [wave.station for wave in read_waveforms(tmp_path / "in")]
    assert names == [f"hit-{shot:04d}-{level:04d}" for shot in (7, 8) for level in LEVELS]


@pytest.mark.parametrize("kind", ["a dead trace", "other places"])
def test_components_that_cannot_be_brought_together_are_said(tmp_path, kind):
    order = BY_COMPONENT if kind == "a dead trace" else [*BY_COMPONENT[:8], *BY_COMPONENT[:7:-1]]
    write_levels(tmp_path / "in", order[:-1] if kind == "a dead trace" else order)
    with pytest.warns(RecordWarning, match=r"hit.sgy: the headers name several components"):
        waves = read_waveforms(tmp_path / "in")
    assert {wave.channels for wave in waves} == {("Z",)}
    assert len(waves) == len(order) - (kind == "a dead trace")


def test_verticals_alone_are_a_gather_as_any(tmp_path):
    write_levels(tmp_path / "in", BY_COMPONENT, codes=dict.fromkeys("ENZ", 12))
    waves = read_waveforms(tmp_path / "in")
    assert [wave.station for wave in waves] == [f"hit-{n:04d}" for n in range(1, 13)]


@pytest.mark.parametrize(("columns", "said"), [
    ("level,component", "another order than its traces, by their column 'level' and 'component'"),
    ("receiver,component", "are told apart by 'receiver' and 'component' together"),
    ("level,channel", "another order than its traces, by their column 'level' and 'channel'"),
])  # fmt: skip
def test_rows_of_levels_and_components_are_in_no_order_that_is_known(tmp_path, columns, said):
    write_line(tmp_path / "in", shots=[1001])
    rows = [f"line.su,{level},{letter},{10 + level}" for level in (1, 2) for letter in "XZ"]
    records, bad, _ = read(tmp_path / "in", f"fname,{columns},itp", rows)
    assert (records, len(bad)) == ([], 4)
    assert said in bad[0]
