"""Which files without a time are channels of one record: by their names, and what is in them."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from archives import run
from obspy import Stream, Trace, UTCDateTime

from phasenet_keras import Picker
from phasenet_keras.cli import main
from phasenet_keras.io.blocks import blocks_of, read_block
from phasenet_keras.io.catalogs import Arrival, Span, numbers_inside, unmatched_arrivals
from phasenet_keras.io.channel_files import channel_files
from phasenet_keras.io.index import group_by_station
from phasenet_keras.io.labels.timed import scan_headers
from phasenet_keras.io.record_names import own_record, record_of_file
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.selection import Selection
from phasenet_keras.io.waveforms import read_waveforms
from phasenet_keras.picking.archive import StationSummary

N_SAMPLES = 3000


def trace_of(code, start=0.0, n_samples=N_SAMPLES, station="A"):
    data = np.random.default_rng(list(code.encode())).integers(-999, 999, n_samples, "int32")
    header = {"network": "XX", "station": station, "channel": code, "sampling_rate": 100.0}
    return Trace(data, {**header, "starttime": UTCDateTime(start)})


def write(folder, files):
    """Write files of the channels that are named, an integer a file for its content."""
    for name, codes in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        file_format = "SAC" if name.lower().endswith(".sac") else "MSEED"
        Stream(trace_of(code) for code in codes).write(str(path), format=file_format)
    return folder


def channels_of(folder):
    return sorted("".join(wave.channels) for wave in read_waveforms(folder))


@pytest.mark.parametrize(
    "pattern",
    [
        "ev/BH{}.sac",
        "IU.ANMO.00.BH{}.M.SAC",
        "XX.A..BH{}.D.1970.001",
        "{}_q1.sac",
        "AE01{}.sac",
        "q1.BH{}.sac",
        "q1-{}.sac",
        "site_e_{}.sac",
        "n.x_{}.v.mseed",
    ],
)
def test_files_of_a_channel_each_are_one_record_wherever_the_name_has_the_channel(
    pattern, tmp_path
):
    write(tmp_path, {pattern.format(letter): [f"BH{letter}"] for letter in "ENZ"})
    assert channels_of(tmp_path) == ["ENZ"]
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert group_by_station(files) == [files]


def test_a_file_of_several_channels_is_a_record_of_its_own(spike_net, tmp_path):
    write(tmp_path / "in", {f"site_{letter}.mseed": ["HHE", "HHN", "HHZ"] for letter in "enx"})
    assert channels_of(tmp_path / "in") == ["ENZ"] * 3
    picker = Picker(spike_net, chunk_samples=2048)
    _, events = run(picker, [tmp_path / "in"], tmp_path / "parts")
    assert [e.n_records for e in events if isinstance(e, StationSummary)] == [1, 1, 1]


def test_files_of_one_component_are_never_one_record(tmp_path):
    files = {"q.Z.sac": ["BHZ"], "q.z.sac": ["BHZ"], "p.E.sac": ["BHE"], "p.X.sac": ["BHE"]}
    write(tmp_path, {**files, "AE01.sac": ["BH1"], "AE02.sac": ["BH2"], "ev_2.sac": ["BH2"]})
    waves = read_waveforms(tmp_path)
    assert len(waves) == 7
    assert {(wave.n_samples, len(wave.channels)) for wave in waves} == {(N_SAMPLES, 1)}


def test_what_a_long_file_is_named_after_does_not_depend_on_its_blocks(tmp_path):
    path = tmp_path / "site_e.mseed"
    Stream(trace_of(code, n_samples=30_000) for code in ("HHE", "HHN")).write(
        str(path), format="MSEED", reclen=512
    )
    blocks = [block for block, _ in blocks_of(path, 1 << 13)]
    assert len(blocks) > 2
    assert {heard.key[1] for block in blocks for heard in block.codes} == {str(path)}
    assert {own_record(t) for block in blocks for t in read_block(block)} == {str(path)}
    alone = tmp_path / "q_e.mseed"
    trace_of("HHE", n_samples=30_000).write(str(alone), format="MSEED", reclen=512)
    found = {own_record(t) for block, _ in blocks_of(alone, 1 << 13) for t in read_block(block)}
    assert found == {str(tmp_path / "q_+.mseed")}


def test_records_before_1970_come_together_by_their_time(tmp_path):
    for day in range(2):
        for code in ("BHZ", "BHN"):
            trace = trace_of(code, start=-5 * 365 * 86_400 + 30 * day)
            trace.write(str(tmp_path / f"d{day}_{code}_x.mseed"), format="MSEED")
    [wave] = read_waveforms(tmp_path)
    assert (wave.channels, wave.n_samples) == (("N", "Z"), 2 * N_SAMPLES)
    # SAC without a reference time: B alone puts it before 1970.
    header = {"station": "A", "channel": "BHZ", "source_path": "/d/one.sac"}
    times = {-10.0: "/d/one.sac", 86_400.0 * 364: "/d/one.sac", -90_000.0: ""}
    found = {s: own_record(Trace(header={**header, "starttime": UTCDateTime(s)})) for s in times}
    assert found == times


def test_arrivals_in_headers_are_found_by_their_record_not_one_by_one():
    n_records = 3000
    spans = [Span(".A..BH", UTCDateTime(0), 100.0, 3000, f"/f{n}") for n in range(n_records)]
    arrivals = [
        Arrival(UTCDateTime(10 + n % 3), "P", "", "A", "", 0, f"/f{n}") for n in range(n_records)
    ]
    anywhere = Arrival(UTCDateTime(5), "P", "", "A")
    lines: list[int] = []

    class Counted(list):
        def __getitem__(self, item):
            lines.append(1)
            return super().__getitem__(item)

    found = list(numbers_inside(spans, Counted([*arrivals, anywhere])))
    assert found == [{n, n_records} for n in range(n_records)]
    assert len(lines) <= 4 * n_records
    assert unmatched_arrivals(spans, arrivals) == []


def test_channels_whose_names_say_nothing_stay_separate_which_is_said_once(
    preset, tmp_path, capsys
):
    names = {"first.mseed": ["BHE"], "second.mseed": ["BHN"], "third.mseed": ["BHZ"]}
    folder = write(tmp_path / "in", {**names, "q.BHE.mseed": ["BHE"], "q.BHN.mseed": ["BHN"]})
    said = "3 files without a date hold one channel of XX.A..BH each (BHE, BHN, BHZ)"
    with pytest.warns(RecordWarning) as caught:
        waves = read_waveforms(folder)
    assert sorted("".join(wave.channels) for wave in waves) == ["E", "EN", "N", "Z"]
    assert [str(w.message)[: len(said)] for w in caught] == [said]
    order = ["pick", str(folder), "--preset", str(preset), "--output", str(tmp_path / "p.csv")]
    for options in ([], ["--plot", str(tmp_path / "figures")]):
        assert main([*order, *options]) in (0, 2)  # noise need not have a pick
        assert " ".join(capsys.readouterr().out.split()).count(said) == 1
    with pytest.warns(RecordWarning, match=r"hold one channel of XX.A..BH each"):
        scan_headers(sorted(folder.iterdir()), Selection())
    # Events of one channel are what they are.
    write(tmp_path / "z", {"first.mseed": ["BHZ"], "second.mseed": ["BHZ"]})
    with warnings.catch_warnings(action="error"):
        assert len(read_waveforms(tmp_path / "z")) == 2


WORDS = [("BH{}", "BH{}"), ("BX{}", "BX{}"), ("{}", "BH{}"), ("q1{}", "HH{}"), ("U{}", "BX{}")]


@pytest.mark.parametrize("before", ["", "q1.", "XX.A..", "site_e-", "2024_"])
@pytest.mark.parametrize("after", ["", ".sac", ".D.1970.001", "_v.su"])
@pytest.mark.parametrize(("word", "code"), [*WORDS, ("{}", "{}")])
def test_names_alone_and_with_codes_tell_the_same_files(before, after, word, code):
    """Of the rows of a table the names are looked at before there are codes."""
    others = [["EW", "NS", "UD"]] if code == "{}" else ["12Z", "123"]
    for letters in ("ENZ", "enz", "RTZ", "UVZ", "XYZ", *others):
        names = [f"{before}{word.format(letter)}{after}" for letter in letters]
        codes = [code.format(letter.upper()) for letter in letters]
        records = [record_of_file(f"/d/{n}", [c]) for n, c in zip(names, codes, strict=True)]
        by_code = [Path(record).name for record in records]
        by_name = channel_files(Path("/d", name) for name in names)
        marked = {name for files in by_name for name in files.names}
        for name in by_code:
            is_one = by_code.count(name) > 1
            assert (name.replace("+", "*") in marked) == is_one, (names, by_code, by_name)
