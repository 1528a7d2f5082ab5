"""Picks out: which format it is, and `phasenet-keras pick` writing it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from obspy import UTCDateTime, read_events
from pick_files import FULL, NAMES, T0, times_and_stations, usual
from records import write_station

import phasenet_keras
from phasenet_keras import Pick, read_picks, write_picks
from phasenet_keras.cli import main
from phasenet_keras.io.pick_formats import (
    PickFormat,
    pick_format_of,
    pick_formats,
    register_pick_format,
)
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.station_names import with_plain_stations
from phasenet_keras.types import ConfigError, FormatError

ROOT = Path(phasenet_keras.__file__).parents[1]

# -- which format ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "name"),
    [
        *((f"a{ending}", item.name) for item in pick_formats() for ending in item.endings),
        ("A.XML", "quakeml"),
        ("a.b.csv", "csv"),
        ("gamma.csv", "csv"),
    ],
)
def test_the_ending_says_the_format(file, name):
    assert pick_format_of(Path(file)).name == name


@pytest.mark.parametrize(
    ("file", "name", "words"),
    [
        (
            "p.parqet",
            None,
            r"written as \.csv, \.parquet, .*'p\.parqet'\. Did you mean '\.parquet'",
        ),
        ("p", None, r"written as \.csv"),
        ("p.csv", "quakml", r"no format 'quakml'\. Did you mean 'quakeml'\? Known: csv, parquet"),
        ("p.csv", "", "no format ''"),
    ],
)
def test_unknown_formats_are_refused_before_any_work(tmp_path, file, name, words):
    with pytest.raises(ConfigError, match=words):
        write_picks(iter([1]), tmp_path / file, name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("given", [{"a": 1}, [FULL, "P"], None, 7])
@pytest.mark.parametrize("are_ordered", [True, False])
def test_what_is_no_pick_is_refused(tmp_path, given, are_ordered):
    with pytest.raises(ConfigError, match=r"to be written are Pick, received (str|NoneType|int): "):
        write_picks(given, tmp_path / "p.csv", are_ordered=are_ordered)
    assert list(tmp_path.iterdir()) == []


def test_time_errors_are_checked(tmp_path):
    with pytest.raises(ConfigError, match=r"'csv' has no time errors; .* do: .*nonlinloc"):
        write_picks([FULL], tmp_path / "p.csv", time_errors_s={"P": 0.1})
    for value in (0, -1.0, float("nan"), "0.1"):
        with pytest.raises(ConfigError, match="time error of P is above 0"):
            write_picks([FULL], tmp_path / "p.obs", time_errors_s={"P": value})
    assert list(tmp_path.iterdir()) == []


def test_time_errors_are_of_phases_that_are_there(tmp_path):
    with pytest.raises(ConfigError, match=r"these picks has no setting 'p'\. Did you|Known: P, S"):
        write_picks([FULL], tmp_path / "p.xml", time_errors_s={"p": 0.05})
    assert list(tmp_path.iterdir()) == []
    own = replace(FULL, phase="Pn")
    for picks, phase in (([FULL], "S"), (iter([own]), "Pn")):
        assert write_picks(picks, tmp_path / "p.xml", time_errors_s={phase: 0.05}) == 1
    [event] = read_events(tmp_path / "p.xml")
    assert event.picks[0].time_errors.uncertainty == 0.05


@pytest.mark.parametrize(
    ("column", "cell", "words"),
    [
        ("phase_time", "yesterday", "phase_time should be a time, ISO 8601 in UTC, received 'yest"),
        ("phase_index", "4.5", "phase_index should be a whole number, received '4.5'"),
        ("phase_score", "", "phase_score should be a number, received ''"),
        ("snr_db", "loud", "snr_db should be a number, received 'loud'"),
    ],
)
def test_a_cell_that_cannot_be_read_is_named(tmp_path, column, cell, words):
    write_picks([FULL, FULL], tmp_path / "p.csv")
    table = pd.read_csv(tmp_path / "p.csv", dtype=str)
    table.loc[1, column] = cell
    table.to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(FormatError, match=rf"p\.csv, line 3: {words}"):
        read_picks(tmp_path / "p.csv")


def test_times_as_pandas_writes_them_are_read(tmp_path):
    write_picks([FULL], tmp_path / "p.csv")
    table = pd.read_csv(tmp_path / "p.csv")
    table["phase_time"] = pd.to_datetime(table["phase_time"], utc=True)
    table.to_csv(tmp_path / "p.csv", index=False)
    assert "+00:00" in (tmp_path / "p.csv").read_text()
    assert read_picks(tmp_path / "p.csv")[0].time == FULL.time


def test_what_lost_a_part_of_its_picks_is_not_read_back(tmp_path):
    write_picks([FULL], tmp_path / "p.obs")
    with pytest.raises(ConfigError, match="can be read back: csv, parquet"):
        read_picks(tmp_path / "p.obs")


def test_two_stations_never_become_one():
    picks = [Pick(T0, name, "P", 0.5) for name in ("a b", "a_b", "a(b", "XX.A.00.HH")]
    with pytest.warns(RecordWarning, match=r"'a b' is 'a_b-2', 'a\(b' is 'a_b-3'$"):
        spelt = [pick.station for pick in with_plain_stations(picks)]
    assert spelt == ["a_b-2", "a_b", "a_b-3", "XX.A.00.HH"]


def test_the_readme_lists_the_formats():
    """The table is that of the registry; this prints the rows that it should have."""
    rows = []
    for item in pick_formats():
        endings = ", ".join(f"`{ending}`" for ending in item.endings)
        rows.append(f"| `{item.name}` | {endings} | {item.content} |")
    assert "\n".join(rows) in (ROOT / "README.md").read_text(encoding="utf-8"), "\n".join(rows)


# -- the command ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_pick_writes_any_format(preset, tmp_path, name):
    file = write_station(tmp_path / "a.mseed", up=[1000])
    arguments = ["pick", file, "--preset", preset, "--output"]
    assert main([*arguments, str(usual(name, tmp_path))]) == 0
    assert main([*arguments, str(tmp_path / "b"), "--format", name]) == 0
    assert (tmp_path / "b").read_bytes() == usual(name, tmp_path).read_bytes()
    assert main([*arguments, f"{tmp_path / 'c'}/", "--format", name]) == 0  # a folder
    [made] = (tmp_path / "c").iterdir()
    assert made.name.startswith("picks.")
    assert made.read_bytes() == (tmp_path / "b").read_bytes()
    [(time, _, phase)] = times_and_stations(tmp_path / "b", name)
    assert (time, phase) == (UTCDateTime("2021-05-06T07:08:19"), "P")


@pytest.mark.parametrize(
    ("output", "options", "file"),
    [
        ("new/", ["--format", "quakeml"], "new/picks.xml"),
        ("new.csv/", [], "new.csv/picks.csv"),
        ("there", ["--format", "gamma"], "there/picks.gamma.csv"),
        ("new", [], "new/picks.csv"),
        ("new", ["--format", "quakeml"], "new"),
    ],
)
def test_a_folder_gets_a_file_called_picks(preset, tmp_path, output, options, file):
    (tmp_path / "there").mkdir()
    mseed = write_station(tmp_path / "in.mseed")
    words = ["pick", mseed, "--preset", preset, "--output", f"{tmp_path}/{output}", *options]
    assert main(words) == 0
    assert (tmp_path / file).is_file()


def test_pick_takes_time_errors(preset, tmp_path):
    file = write_station(tmp_path / "a.mseed", up=[1000])
    arguments = ["pick", file, "--preset", preset, "--p-error-s", "0.03", "--output"]
    assert main([*arguments, str(tmp_path / "p.xml")]) == 0
    [event] = read_events(str(tmp_path / "p.xml"))
    [pick] = event.picks
    assert pick.time_errors.uncertainty == 0.03
    assert [text.text.partition("=")[0] for text in pick.comments] == [
        "probability", "amplitude", "snr_db"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--format", "gama", "--output", "p.csv"], "Did you mean 'gamma'?"),
        (["--output", "p.xmll"], "Did you mean '.xml'?"),
        (["--format", "gamma"], "name one with --output"),
        (["--output", "p.csv", "--s-error-s", "0.1"], "has no time errors"),
    ],
)
def test_a_wrong_output_stops_the_command_at_once(preset, tmp_path, capsys, arguments, words):
    file = write_station(tmp_path / "a.mseed")
    assert main(["pick", file, "--preset", preset, *arguments]) == 2
    assert words in capsys.readouterr().err


def test_names_that_were_changed_are_told(preset, tmp_path, capsys):
    file = write_station(tmp_path / "a 1.mseed", up=[1000], station="", network="")
    out = tmp_path / "p.obs"
    assert main(["pick", file, "--preset", preset, "--output", str(out)]) == 0
    assert "'a 1' is 'a_1'" in " ".join(capsys.readouterr().out.split())
    assert out.read_text().startswith("a_1 ")


def test_a_format_that_fails_costs_no_pick(preset, tmp_path, capsys):
    def fails(picks, path, time_errors_s):
        raise RuntimeError("the library is ill")

    from phasenet_keras.io import pick_formats as registry

    register_pick_format(PickFormat("ill", (".ill",), "nothing", fails))
    try:
        file = write_station(tmp_path / "a.mseed", up=[1000])
        out = tmp_path / "p.ill"
        assert main(["pick", file, "--preset", preset, "--output", str(out)]) == 2
    finally:
        del registry._FORMATS["ill"]
    error = " ".join(capsys.readouterr().err.split())
    assert "p.ill could not be written: the library is ill" in error
    assert len(read_picks(tmp_path / "p.ill.csv")) == 1
