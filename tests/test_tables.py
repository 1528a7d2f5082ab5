from __future__ import annotations

import pytest
from obspy import UTCDateTime

from phasenet_keras import Pick, write_picks
from phasenet_keras.io.tables import read_picks
from phasenet_keras.types import ConfigError

START = UTCDateTime("2020-01-01T00:00:00.123")
PICK = Pick(
    START + 13.04, "XX.A..HH", "P", 0.98765, 1234.5, "m/s", "ncedc", 1304, 100.0, START, "f"
)


def test_columns_are_phasenets_then_ours(tmp_path):
    assert write_picks([PICK], tmp_path / "p.csv") == 1
    head, row = (tmp_path / "p.csv").read_text().splitlines()
    assert head.startswith(
        "station_id,begin_time,phase_index,phase_time,phase_score,phase_type,file_name,"
    )
    assert row == (
        "XX.A..HH,2020-01-01T00:00:00.123000,1304,2020-01-01T00:00:13.163000,0.9877,P,f,"
        "1234.5,m/s,100,ncedc"
    )


def test_round_trip_in_order_of_time(tmp_path):
    later = Pick(START + 99, "XX.B", "S", 0.5)
    write_picks([later, PICK], tmp_path / "p.csv")
    first, second = read_picks(tmp_path / "p.csv")
    assert first.time == PICK.time
    assert (first.amplitude, first.units, first.sample) == (1234.5, "m/s", 1304)
    assert (second.amplitude, second.units, second.start_time) == (None, None, None)
    assert sorted([later, PICK]) == [PICK, later]


def test_no_picks_leave_a_table_without_rows(tmp_path):
    assert write_picks([], tmp_path / "p.csv") == 0
    assert read_picks(tmp_path / "p.csv") == []


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "p.csv"
    write_picks([PICK], path)
    before = path.read_text()
    with pytest.raises(AttributeError):
        write_picks([Pick("no time", "A", "P", 0.5)], path)
    assert path.read_text() == before
    assert [item.name for item in tmp_path.iterdir()] == ["p.csv"]


@pytest.mark.parametrize("name", ["p.xlsx", "p", "none/p.csv"])
def test_unusable_paths_are_refused(tmp_path, name):
    with pytest.raises(ConfigError):
        write_picks([PICK], tmp_path / name)
