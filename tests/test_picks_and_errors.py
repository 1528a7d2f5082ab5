"""How picks are ordered, what an unknown name is told, how the nouns show themselves."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from obspy import UTCDateTime

from phasenet_keras import types
from phasenet_keras.picking.picker import RecordResult
from phasenet_keras.types import (
    Annotation,
    ConfigError,
    FormatError,
    LabelledWaveform,
    PhaseNetKerasError,
    Pick,
    PresetError,
    ShapeError,
    Waveform,
    nearest_name,
    refuse_unknown,
)

START = UTCDateTime("2022-03-04T05:06:07.89")


def make_pick(seconds=0.0, station="A", phase="P", probability=0.5, **fields):
    return Pick(START + seconds, station, phase, probability, **fields)


picks_strategy = st.builds(
    make_pick,
    seconds=st.sampled_from([0.0, 0.000001, 1.0]),
    station=st.sampled_from(["A", "B"]),
    phase=st.sampled_from(["P", "S"]),
    probability=st.sampled_from([0.3, 0.9]),
)


@given(a=picks_strategy, b=picks_strategy, c=picks_strategy)
def test_the_order_of_picks_is_total(a, b, c):
    assert [a < b, a == b, a > b].count(True) == 1
    assert (a <= b) is not (b < a)
    assert not (a < b and b < c) or a < c
    assert (a == b) == (b == a)
    assert a != b or hash(a) == hash(b)


def test_picks_are_ordered_by_time_then_station_then_phase():
    in_order = [
        make_pick(0.0, "A", "P"),
        make_pick(0.0, "A", "S"),
        make_pick(0.0, "B", "P"),
        make_pick(1e-6, "A", "P"),
        make_pick(5.0, "A", "P"),
    ]
    for shuffled in itertools.permutations(in_order):
        assert sorted(shuffled) == in_order


def test_equal_picks_are_one_in_a_set():
    assert len({make_pick(), make_pick(preset="ncedc"), make_pick(probability=0.6)}) == 2


def test_a_pick_is_not_compared_with_something_else():
    assert make_pick() != "A"
    with pytest.raises(TypeError):
        _ = make_pick() < 5


@pytest.mark.parametrize("kind", [FormatError, PresetError, ShapeError, ConfigError])
def test_every_error_is_ours_and_a_value_error(kind):
    assert issubclass(kind, PhaseNetKerasError)
    assert issubclass(kind, ValueError)


def test_an_unknown_setting_is_told_the_nearest_name():
    with pytest.raises(ConfigError) as error:
        refuse_unknown({"stride": 4, "filers": 8}, ["depth", "stride", "filters"], "a network")
    assert str(error.value) == "a network has no setting 'filers'. Did you mean 'filters'?"


def test_an_unknown_setting_without_a_near_name_is_told_all():
    with pytest.raises(ConfigError, match=r"no setting 'zzz'\. Known: depth, stride\."):
        refuse_unknown({"zzz": 1}, iter(["depth", "stride"]), "a network")


def test_a_name_that_is_no_text_is_refused_all_the_same():
    with pytest.raises(ConfigError, match="no setting '5'"):
        refuse_unknown({5: 1}, ["depth"], "a network")


def test_nearest_name():
    assert nearest_name("ncdec", ["ncedc", "stead"]) == " Did you mean 'ncedc'?"
    assert nearest_name("NCEDC", ["ncedc"]) == " Did you mean 'ncedc'?"
    assert nearest_name("pB1", ["PB1", "pb1"]) == " Did you mean 'PB1'?"
    assert nearest_name("zzz", ["ncedc"]) == nearest_name("", []) == ""


def test_every_public_noun_resolves():
    assert all(getattr(types, name) is not None for name in types.__all__)


def test_a_repr_is_a_line_without_samples():
    start = UTCDateTime("2024-02-29T01:02:03.5")
    wave = Waveform(np.ones((86_400, 3)), 100.0, start, ("E", "N", "Z"), "XX.A..HH", offset_m=2.5)
    assert repr(wave) == (
        "Waveform(data=float32 (86400, 3), sampling_rate=100, start_time=2024-02-29T01:02:03."
        "500000Z, channels=('E', 'N', 'Z'), station='XX.A..HH', offset_m=2.5)"
    )
    record = LabelledWaveform(wave, {"P": 498.25, "S": ()}, name="r1", split="dev")
    assert repr(record) == (
        f"LabelledWaveform(waveform={wave!r}, arrivals={{'P': (498.25,), 'S': ()}}, name='r1', "
        "split='dev')"
    )
    many = LabelledWaveform(wave, {"P": tuple(range(400))})
    assert "arrivals={'P': <400 float>})" in repr(many)
    pick = Pick(start, "XX.A..HH", "P", np.float32(0.93312345), snr_db=10.0)
    assert repr([pick]) == (
        "[Pick(time=2024-02-29T01:02:03.500000Z, station='XX.A..HH', phase='P', "
        "probability=0.933123, snr_db=10)]"
    )
    annotation = Annotation(np.zeros((9, 3), np.float32), ("N", "P", "S"), 100.0, start, "A")
    result = RecordResult(wave, annotation, [pick] * 7)
    assert "annotation=Annotation(probabilities=float32 (9, 3), phases=" in repr(result)
    assert repr(result).endswith("station='A'), picks=<7 Pick>)")
    assert "picks" not in repr(RecordResult(wave, None))
