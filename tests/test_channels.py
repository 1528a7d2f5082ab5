"""Channel codes of the world and the components that they stand for."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from obspy import Trace

from phasenet_keras.io.channels import channel_names, component_prefix, components_of
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.waveforms import waveforms_of
from phasenet_keras.types import ConfigError

FAMILIES = {
    "plain": ("E", "N", "Z"),
    "band": ("HHE", "HHN", "HHZ"),
    "lower": ("e", "n", "z"),
    "lower_band": ("hhe", "hhn", "hhz"),
    "borehole": ("EH2", "EH1", "EHZ"),
    "numbers_and_z": ("2", "1", "Z"),
    "numbers": ("3", "2", "1"),
    "numbers_band": ("BH3", "BH2", "BH1"),
    "oblique": ("BHU", "BHV", "BHZ"),
    "turned": ("HHT", "HHR", "HHZ"),
    "axes": ("BXX", "BXY", "BXZ"),
    "up": ("HNE", "HNN", "HNU"),
    "vertical": ("E", "N", "V"),
    "turned_vertical": ("T", "R", "V"),
    "japanese_up": ("EW", "NS", "U"),
    "japanese": ("EW", "NS", "UD"),
    "japanese_lower": ("ew", "ns", "ud"),
    "japanese_sensor": ("EW2", "NS2", "UD2"),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_components_of_a_family_in_every_order(family):
    expected = dict(zip(FAMILIES[family], "ENZ", strict=True))
    for codes in itertools.permutations(FAMILIES[family]):
        assert components_of(codes) == expected


@pytest.mark.parametrize(
    "family",
    [family for family in FAMILIES if family not in ("numbers", "numbers_band")],
)
def test_a_part_of_a_family_means_the_same(family):
    whole = dict(zip(FAMILIES[family], "ENZ", strict=True))
    for codes in itertools.combinations(FAMILIES[family], 2):
        assert components_of(codes) == {code: whole[code] for code in codes}


@pytest.mark.parametrize("family", FAMILIES)
def test_components_of_an_instrument_share_a_prefix(family):
    assert len({component_prefix(code) for code in FAMILIES[family]}) == 1


def test_one_and_two_are_horizontal_beside_a_vertical_only():
    assert components_of(["EH1", "EH2"]) == {"EH1": "N", "EH2": "E"}
    assert components_of(["EH1", "EH2", "EHZ"]) == {"EH1": "N", "EH2": "E", "EHZ": "Z"}
    assert components_of(["EH1", "EH2", "EH3"]) == {"EH1": "Z", "EH2": "N", "EH3": "E"}


@pytest.mark.parametrize("codes", [["S0", "S1", "S2"], ["S1", "S2", "S3", "S4"]])
def test_counted_sensors_of_one_station_are_not_its_components(codes):
    traces = [
        Trace(np.full(300, n), {"station": "LAB", "channel": code}) for n, code in enumerate(codes)
    ]
    with pytest.warns(RecordWarning) as caught:
        assert waveforms_of(traces) == []
    assert str(caught[0].message) == (
        f".LAB..S: channels {', '.join(codes)} left out: numbers but 1, 2 and 3 are of sensors, "
        "not of components: give each sensor a station code of its own (components codes that end "
        "in E, N, Z), or take one alone (--channel)"
    )
    named = [Trace(t.data, {"station": t.stats.channel, "channel": "Z"}) for t in traces]
    assert [wave.station for wave in waveforms_of(named)] == [f".{code}.." for code in codes]


@pytest.mark.parametrize("code", ["", "CH7", "HDH", "vertical", "?", "0"])
def test_a_single_channel_without_a_known_name_is_vertical(code):
    assert components_of([code]) == {code: "Z"}


@pytest.mark.parametrize(("code", "component"), [("HHE", "E"), ("bhn", "N"), ("UD", "Z")])
def test_a_single_channel_with_a_known_name_keeps_it(code, component):
    assert components_of([code]) == {code: component}


def test_unknown_channels_beside_known_ones_are_left_out():
    assert components_of(["HHQ", "HHZ", "HHW"]) == {"HHZ": "Z"}
    assert components_of(["CH7", "CH8"]) == {}
    assert components_of([]) == {}


@pytest.mark.parametrize(
    ("codes", "kept"),
    [
        (["HHE", "HH2", "HHZ"], {"HHE": "E", "HHZ": "Z"}),
        (["HH2", "HHE", "HHZ"], {"HHE": "E", "HHZ": "Z"}),
        (["HHR", "HHN", "HHT", "HHE", "HHZ"], {"HHN": "N", "HHE": "E", "HHZ": "Z"}),
        (["BHX", "BHU", "BHZ"], {"BHX": "E", "BHZ": "Z"}),
    ],
)
def test_of_two_codes_for_one_component_the_plainer_counts(codes, kept):
    assert components_of(codes) == kept


@pytest.mark.parametrize(
    ("code", "prefix"),
    [("HHZ", "HH"), ("Z", ""), ("", ""), ("EW1", "1"), ("ud", ""), ("BXZ", "BX"), ("LHZ", "LH")],
)
def test_prefixes(code, prefix):
    assert component_prefix(code) == prefix


@given(st.lists(st.text("ENZUVRTXY123eqDWS?", max_size=3), max_size=6, unique=True))
def test_no_component_is_given_twice(codes):
    found = components_of(codes)
    assert set(found) <= set(codes)
    assert set(found.values()) <= {"E", "N", "Z"}
    assert len(set(found.values())) == len(found)
    assert list(found) == [code for code in codes if code in found]


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("Z", ("Z",)),
        ("zn", ("Z", "N")),
        ("Z,N,E", ("Z", "N", "E")),
        ("12Z", ("N", "E", "Z")),
        ("XYZ", ("E", "N", "Z")),
        (("EW", "NS", "UD"), ("E", "N", "Z")),
        ("EW,NS,UD", ("E", "N", "Z")),
        ("Z,", ("Z",)),
    ],
)
def test_channels_that_a_person_names(wanted, names):
    assert channel_names(wanted, "ENZ") == names


@pytest.mark.parametrize("wanted", ["", "Q", "ENZH", "ZZ", (), "hydrophone"])
def test_channels_that_are_none_are_refused(wanted):
    with pytest.raises(ConfigError, match="components such as E,N,Z"):
        channel_names(wanted, "ENZ")


@pytest.mark.parametrize("wanted", [1, 3.0, True])
def test_a_number_of_channels_names_none(wanted):
    with pytest.raises(ConfigError, match=f'names, such as "Z" or "ENZ", received {wanted}$'):
        channel_names(wanted, "ENZ")


def test_a_networks_own_names_are_taken_as_they_are():
    assert channel_names("H", ("H", "Z")) == ("H",)
    assert channel_names(("DAS",), ("DAS",)) == ("DAS",)
    assert channel_names("DAS", ("DAS",)) == ("DAS",)
