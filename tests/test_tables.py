from __future__ import annotations

import csv
import io
from dataclasses import replace

import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from obspy import UTCDateTime

from phasenet_keras import Pick, write_picks
from phasenet_keras.io.new_files import beside_then_rename
from phasenet_keras.io.tables import print_picks, read_picks
from phasenet_keras.types import ConfigError, FormatError, PhaseNetKerasError

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
        "1234.5,m/s,100,ncedc,"
    )


def test_round_trip_in_order_of_time(tmp_path):
    later = Pick(START + 99, "XX.B", "S", 0.5)
    write_picks([later, PICK], tmp_path / "p.csv")
    first, second = read_picks(tmp_path / "p.csv")
    assert first.time == PICK.time
    assert (first.amplitude, first.units, first.sample) == (1234.5, "m/s", 1304)
    assert (second.amplitude, second.units, second.start_time) == (None, None, None)
    assert sorted([later, PICK]) == [PICK, later]


# -- the table, byte by byte ----------------------------------------------------------------------


def test_the_header_is_exactly_this(tmp_path):
    write_picks([], tmp_path / "p.csv")
    assert (tmp_path / "p.csv").read_bytes() == (
        b"station_id,begin_time,phase_index,phase_time,phase_score,phase_type,file_name,"
        b"phase_amplitude,amplitude_units,sampling_rate_hz,preset,snr_db\n"
    )


def test_a_plain_csv_reader_finds_phasenets_columns(tmp_path):
    write_picks([PICK], tmp_path / "p.csv")
    with (tmp_path / "p.csv").open(newline="") as file:
        [row] = csv.DictReader(file)
    begin, time = UTCDateTime(row["begin_time"]), UTCDateTime(row["phase_time"])
    index, rate = int(row["phase_index"]), float(row["sampling_rate_hz"])
    assert begin + index / rate == time == PICK.time
    assert (row["phase_type"], float(row["phase_score"])) == ("P", 0.9877)


def test_rows_are_ordered_by_time_then_station_then_phase(tmp_path):
    picks = [
        Pick(START + 2, "A", "P", 0.5),
        Pick(START + 1, "B", "P", 0.5),
        Pick(START + 1, "A", "S", 0.5),
        Pick(START + 1, "A", "P", 0.5),
        Pick(START + 0.000001, "Z", "S", 0.5),
    ]
    assert write_picks(iter(picks), tmp_path / "p.csv") == 5
    rows = (tmp_path / "p.csv").read_text().splitlines()[1:]
    found = [(row.split(",")[0], row.split(",")[5]) for row in rows]
    assert found == [("Z", "S"), ("A", "P"), ("A", "S"), ("B", "P"), ("A", "P")]


def test_printing_gives_the_same_table(tmp_path):
    write_picks([PICK], tmp_path / "p.csv")
    printed = io.StringIO()
    print_picks([PICK], printed)
    assert printed.getvalue() == (tmp_path / "p.csv").read_text()


names = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=8)


@settings(max_examples=100)
@given(
    microseconds=st.integers(0, 10**15),
    station=names,
    phase=st.sampled_from(["P", "S"]),
    probability=st.integers(0, 10_000),
    amplitude=st.one_of(st.none(), st.integers(-999_999, 999_999)),
    units=st.one_of(st.none(), names.filter(bool)),
    sample=st.integers(0, 10**9),
    rate=st.sampled_from([100.0, 40.0, 2000.0, 333.333333]),
    source=names,
    snr_db=st.one_of(st.none(), st.integers(-9999, 9999)),
)
def test_any_pick_comes_back(
    tmp_path_factory, microseconds, station, phase, probability, amplitude, units, sample, rate,
    source, snr_db,
):  # fmt: skip
    path = tmp_path_factory.mktemp("picks") / "p.csv"
    time = UTCDateTime(ns=1000 * microseconds)
    pick = Pick(
        time, station, phase, probability / 10_000, amplitude, units, "p", sample, rate, START,
        source, None if snr_db is None else snr_db / 100,
    )  # fmt: skip
    write_picks([pick], path)
    [found] = read_picks(path)
    assert (found.time, found.station, found.phase) == (time, station, phase)
    assert (found.probability, found.amplitude) == (probability / 10_000, amplitude)
    assert (found.units, found.sample, found.sampling_rate) == (units, sample, rate)
    assert (found.start_time, found.source, found.preset) == (START, source, "p")
    assert found.snr_db == pick.snr_db


@pytest.mark.parametrize("odd", ["cr\rx", "\r", "a\r\nb", "\n", '"\r"', "a\\r", "tab\tbell\a"])
def test_control_characters_come_back_in_every_cell(tmp_path, odd):
    pick = replace(PICK, station=odd, units=odd, preset=odd, source=odd)
    write_picks([pick, PICK], tmp_path / "p.csv")
    assert {(p.station, p.units, p.preset, p.source) for p in read_picks(tmp_path / "p.csv")} == {
        (odd, odd, odd, odd),
        (PICK.station, PICK.units, PICK.preset, PICK.source),
    }
    for name, column in (("p.gamma.csv", "id"), ("p.pyocto.csv", "station")):
        write_picks([pick, pick], tmp_path / name)
        assert pandas.read_csv(tmp_path / name)[column].tolist() == [odd, odd]


def test_a_table_of_an_earlier_version_is_read(tmp_path):
    path = tmp_path / "p.csv"
    write_picks([replace(PICK, snr_db=3.0)], path)
    lines = [line.rpartition(",")[0] for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines) + "\n")
    [pick] = read_picks(path)
    assert (pick.time, pick.preset, pick.snr_db) == (PICK.time, "ncedc", None)


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("p.xlsx", r"written as \.csv, \.parquet, .*, received 'p\.xlsx'"),
        ("p.cvs", r"Did you mean '\.csv'\?"),
        ("p", r"written as \.csv"),
        ("none/p.csv", "none does not exist: make it"),
        ("folder.csv", "is a folder"),
    ],
)
def test_unusable_paths_are_refused_before_anything_is_written(tmp_path, name, words):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ConfigError, match=words):
        write_picks([PICK], tmp_path / name)
    assert [item.name for item in tmp_path.iterdir()] == ["folder.csv"]
    assert not any((tmp_path / "folder.csv").iterdir())


def test_the_ending_may_be_in_capitals(tmp_path):
    assert write_picks([PICK], str(tmp_path / "P.CSV")) == 1
    assert len(read_picks(str(tmp_path / "P.CSV"))) == 1


def test_picks_that_end_in_an_error_leave_the_old_file_and_nothing_else(tmp_path):
    def broken():
        yield PICK
        raise RuntimeError("the disk is on fire")

    path = tmp_path / "p.csv"
    with pytest.raises(RuntimeError):
        write_picks(broken(), path)
    assert list(tmp_path.iterdir()) == []
    write_picks([PICK], path)
    before = path.read_bytes()
    with pytest.raises(RuntimeError):
        write_picks(broken(), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_half_written_files_do_not_show(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("old")

    def write_until_interrupted():
        with beside_then_rename(path) as file:
            file.write("new")
            file.flush()
            assert path.read_text() == "old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_until_interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    with beside_then_rename(path) as file:
        file.write("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_table_without_our_columns_is_refused(tmp_path):
    for text in ("", "station_id,phase_time\nA,2020-01-01\n"):
        (tmp_path / "p.csv").write_text(text)
        with pytest.raises(FormatError, match=r"has no columns .*phase_index"):
            read_picks(tmp_path / "p.csv")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("phase_time", "yesterday"),
        ("begin_time", "never"),
        ("phase_score", "high"),
        ("phase_index", "1.5"),
        ("phase_amplitude", "loud"),
        ("sampling_rate_hz", ""),
    ],
)
def test_a_cell_that_is_no_value_is_refused_with_the_files_name(tmp_path, column, value):
    path = tmp_path / "p.csv"
    write_picks([PICK], path)
    with path.open(newline="") as file:
        [row] = csv.DictReader(file)
    row[column] = value
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, row)
        writer.writeheader()
        writer.writerow(row)
    with pytest.raises(PhaseNetKerasError, match=r"p\.csv"):
        read_picks(path)


def test_a_missing_table_is_refused_as_ours(tmp_path):
    with pytest.raises(PhaseNetKerasError, match=r"none\.csv"):
        read_picks(tmp_path / "none.csv")
