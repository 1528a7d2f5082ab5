"""Tables of parts put together: in order, whatever their number, without holding them all."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from archives import run, station
from hypothesis import given, settings
from hypothesis import strategies as st
from obspy import Stream, UTCDateTime
from records import write_station

from phasenet_keras import Picker
from phasenet_keras.io.pick_formats import pick_formats
from phasenet_keras.io.tables import write_picks
from phasenet_keras.picking.archive import StationSummary, pick_archive
from phasenet_keras.picking.parts import PartFolder, in_order
from phasenet_keras.types import PhaseNetKerasError, Pick

START = UTCDateTime("2021-05-07T23:59:00")


def pick(second, station="XX.AA..HH", phase="P", probability=0.5):
    return Pick(START + second, station, phase, probability, sample=0, sampling_rate=100.0)


PICKS = st.builds(
    pick,
    st.integers(0, 100),
    st.sampled_from(["XX.AA..HH", "XX.B..HH"]),
    st.sampled_from("PS"),
    st.sampled_from([0.25, 0.5]),
)


@settings(max_examples=60)
@given(st.lists(st.lists(PICKS, max_size=8), max_size=8))
def test_tables_that_overlap_in_any_way_come_out_by_time(tmp_path_factory, tables):
    folder = tmp_path_factory.mktemp("parts")
    paths = [folder / f"{number}.csv" for number in range(len(tables))]
    for path, picks in zip(paths, tables, strict=True):
        write_picks(picks, path)
    assert list(in_order(paths)) == sorted(pick for picks in tables for pick in picks)


def test_what_is_held_does_not_grow_with_the_number_of_days(tmp_path):
    """Two groups, a part a day; the second one's days begin at noon."""
    per_day = 300

    def peak_bytes(n_days):
        parts = PartFolder(tmp_path / str(n_days))
        for name, noon_s in (("a", 0), ("b", 43_200)):
            parts.folder_of(name)
            group = parts.group(name)
            for day in range(n_days):
                begin_s = 86_400 * day + noon_s
                group.save([pick(begin_s + 250.0 * n) for n in range(per_day)], [], day + 1, None)
        tracemalloc.start()
        written = write_picks(parts, tmp_path / "picks.csv", are_ordered=True)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert written == 2 * n_days * per_day
        assert len((tmp_path / "picks.csv").read_text().splitlines()) == 1 + written
        return peak

    few = peak_bytes(3)
    assert peak_bytes(40) < 1.5 * few


def test_parts_hold_numbers_as_they_were(tmp_path):
    probability, amplitude = float(np.float32(0.1)), 1234567.875
    exact = replace(pick(0, probability=probability), amplitude=amplitude, snr_db=1 / 3)
    parts = PartFolder(tmp_path / "parts")
    parts.folder_of("a")
    parts.group("a").save([exact], [], 1, None)
    [back] = parts
    assert (back.probability, back.amplitude, back.snr_db) == (probability, amplitude, 1 / 3)


def test_picks_are_those_of_the_last_run_of_the_object(make_net, tmp_path):
    """Not those of an earlier run as well, and not of nobody knows which run."""
    picker = Picker(make_net())
    sparser = Picker(make_net(), min_distance_s=60.0)
    one = write_station(tmp_path / "one.mseed", up=(700, 2000))
    other = write_station(tmp_path / "other.mseed", station="BBB", up=(900,))
    parts = PartFolder(str(tmp_path / "parts"))
    assert parts.picks() == []
    counts = []
    for of_run, source in ((picker, one), (sparser, one), (picker, one), (picker, Path(other))):
        list(pick_archive(of_run, source, parts))
        counts.append(len(parts.picks()))
    assert counts == [2, 1, 2, 1]
    again = PartFolder(tmp_path / "parts")
    with pytest.raises(PhaseNetKerasError, match="holds parts, but no run of this object: give"):
        again.picks()
    events = list(pick_archive(picker, [one, other], again))
    assert [pick.sample for pick in again.picks()] == [700, 900, 2000]
    assert events


@pytest.mark.parametrize("name", [item.name for item in pick_formats()])
def test_a_format_takes_picks_that_come_one_by_one(tmp_path, name):
    if name == "parquet":
        pytest.importorskip("pyarrow")
    picks = [pick(second, phase="PS"[second % 2]) for second in range(40)]
    whole, one_by_one = tmp_path / "whole", tmp_path / "one-by-one"
    assert write_picks(picks[::-1], whole, name) == 40
    assert write_picks(iter(picks), one_by_one, name, are_ordered=True) == 40
    assert one_by_one.read_bytes() == whole.read_bytes()


def test_parquet_is_written_in_groups_of_rows(tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("phasenet_keras.io.parquet.GROUP_ROWS", 16)
    picks = [pick(second) for second in range(40)]
    write_picks(picks, tmp_path / "picks.parquet")
    table = parquet.ParquetFile(tmp_path / "picks.parquet")
    assert (table.num_row_groups, table.metadata.num_rows) == (3, 40)
    write_picks([], tmp_path / "none.parquet")
    assert parquet.read_table(tmp_path / "none.parquet").num_rows == 0


def test_what_is_said_of_a_thousand_gaps_stays_small_and_is_the_same_in_parts(spike_net, tmp_path):
    picker = Picker(spike_net, chunk_samples=2048)
    pieces = [trace.slice(at, at + 0.9) for trace in station(channels="Z") for at in seconds(trace)]
    Stream([*pieces, *station("BBB", channels="Z")]).write(str(tmp_path / "a.mseed"), "MSEED")
    said, sizes = [], []
    for name, part_s in (("whole", 86_400), ("parts", 30)):
        options = {"part_s": part_s, "block_bytes": 20_000}
        _, events = run(picker, [tmp_path / "a.mseed"], tmp_path / name, **options)
        said.append([vars(event) for event in events if isinstance(event, StationSummary)])
        [facts] = (tmp_path / name).glob("*.json")
        sizes.append(facts.stat().st_size)
    assert len(list((tmp_path / "parts").glob("*.csv"))) > 10
    assert [fact["n_records"] for fact in said[0]] == [600, 1]
    assert said[1] == said[0]
    assert max(sizes) < 1000


def seconds(trace):
    return [trace.stats.starttime + number for number in range(trace.stats.npts // 100)]
