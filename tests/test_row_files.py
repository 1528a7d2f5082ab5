"""Which files the rows of a table of samples are of: by names, folders, and headers of gathers."""

from __future__ import annotations

from pathlib import Path
from time import process_time
from unicodedata import normalize

import pytest
from obspy import Trace, UTCDateTime
from row_tables import SENSORS, are_right, read, write_line
from sources import noise, write_text_files

from phasenet_keras.io.labels.row_files import rows_by_files
from phasenet_keras.io.labels.rows import LabelTable
from phasenet_keras.io.selection import Selection
from phasenet_keras.types import FormatError


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ("template,wave,itp", ["ev2_S1.txt,ev2_S2.txt,9", "ev2_S1.txt,ev2_S3.txt,8"]),
        ("reference,record,itp", ["ev2_S1,ev2_S2,9", "ev2_S2,ev2_S1,8"]),
        ("wave,quality,noise,itp", ["ev2_S1,good,ev2_S3.txt,9", "ev2_S2,bad,ev2_S2.txt,8"]),
    ],
)
def test_two_columns_of_names_of_different_files_are_refused(tmp_path, header, rows):
    write_text_files(tmp_path / "in", [f"ev{e}_{s}.txt" for e, s in SENSORS])
    first, second = (name for name in header.split(",")[:-1] if name != "quality")
    with pytest.raises(FormatError, match=f"columns '{first}' and '{second}' both hold names of"):
        read(tmp_path / "in", header, rows)
    records, bad, _ = read(tmp_path / "in", header.replace(second, "fname"), rows)
    assert (len(records), bad) == (2, [])


def test_columns_of_the_channels_of_a_record_name_one(tmp_path):
    (tmp_path / "in").mkdir()
    for n in (1, 2):
        for channel in "ENZ":
            header = {"station": "A", "channel": f"BH{channel}", "sampling_rate": 100.0}
            trace = Trace(noise(n, 400)[:, 0], header)
            trace.write(str(tmp_path / f"in/q{n}.A.BH{channel}.sac"), format="SAC")
    rows = [f"q{n}.A.BHZ.sac,q{n}.A.BHN.sac,q{n}.A.BHE.sac,{50 + n}" for n in (2, 1)]
    records, bad, said = read(tmp_path / "in", "z,n,e,itp", rows)
    assert (bad, said) == ([], [])
    assert [r.arrivals["P"] for r in records] == [(52.0,), (51.0,)]
    assert [r.waveform.channels for r in records] == [("E", "N", "Z")] * 2


@pytest.mark.parametrize(("of_files", "of_table"), [("NFC", "NFD"), ("NFD", "NFC")])
@pytest.mark.parametrize("column", ["fname", "Datei"])
def test_letters_in_one_sign_or_two_are_the_same(tmp_path, of_files, of_table, column):
    """macOS writes names of files with two."""
    names = ["Höhe 1.txt", "Höhe 2.txt"]
    write_text_files(tmp_path / "in", [normalize(of_files, name) for name in names])
    rows = [normalize(of_table, f"C:\\Mär\\{name},{50 + n}") for n, name in enumerate(names)]
    records, bad, said = read(tmp_path / "in", f"{column},itp", rows[::-1])
    assert (bad, said) == ([], [])
    assert [record.arrivals["P"] for record in records] == [(51.0,), (50.0,)]


def test_letters_of_files_from_two_systems_are_each_spelt_as_there(tmp_path):
    names = {"Höhe.txt": "NFC", "Möhe.txt": "NFD"}
    write_text_files(tmp_path / "in", [normalize(form, name) for name, form in names.items()])
    rows = [f"{name},{50 + n}" for n, name in enumerate(names)]
    records, bad, said = read(tmp_path / "in", "fname,itp", rows)
    assert (bad, said) == ([], [])
    assert [record.arrivals["P"] for record in records] == [(50.0,), (51.0,)]


def test_a_row_that_names_no_file_says_so(tmp_path):
    write_text_files(tmp_path / "in", ["Höhe.txt"])
    rows = [",samples", "Hהhe.txt,7", "other.txt,8", "Höhe.txt,9"]
    [record], bad, _ = read(tmp_path / "in", "fname,itp", rows)
    assert (record.arrivals, bad[0]) == ({"P": (9.0,)}, "row 1: it names no file")
    assert bad[1].endswith("name or station (Hהhe.txt): is the table in UTF-8?")
    assert bad[2].endswith("name or station (other.txt)")


@pytest.mark.parametrize("name", ["XX.A..HHE.D.2024.061", "XX.A..HH*.D.2024.061"])
def test_channel_files_of_an_archive_are_one_record(tmp_path, name):
    """PhaseNet writes the name of one of the files, QuakeFlow a pattern."""
    (tmp_path / "in").mkdir()
    for day in ("061", "062"):
        for channel in ("HHE", "HHN", "HHZ"):
            header = {"network": "XX", "station": "A", "channel": channel, "sampling_rate": 100.0}
            file = str(tmp_path / f"in/XX.A..{channel}.D.2024.{day}")
            header["starttime"] = UTCDateTime(f"2024-{day}")
            Trace(noise(1, 400)[:, 0], header).write(file, format="MSEED")
    rows = [f"{name},XX.A..HH,50", f"{name.replace('061', '062')},XX.A..HH,60"]
    records, bad, said = read(tmp_path / "in", "file_name,station_id,itp", rows)
    assert (bad, said) == ([], [])
    assert [r.waveform.channels for r in records] == [("E", "N", "Z")] * 2
    assert [r.arrivals["P"] for r in records] == [(50.0,), (60.0,)]


@pytest.mark.parametrize("name", ["{}_q1.sac", "BH{}.q1.sac", "AE01{}.sac", "q1.BH{}.sac", "q{}"])
def test_a_row_of_one_channel_is_of_all_files_that_are_one_record_when_picked(tmp_path, name):
    (tmp_path / "in").mkdir()
    for number, letter in enumerate("ENZ"):
        header = {"network": "XX", "station": "A", "channel": f"BH{letter}", "sampling_rate": 100.0}
        trace = Trace(noise(number, 400)[:, 0], header)
        trace.write(str(tmp_path / "in" / name.format(letter)), format="SAC")
    [record], bad, said = read(tmp_path / "in", "fname,itp", [f"{name.format('Z')},50"])
    assert (record.waveform.channels, record.arrivals, bad) == (("E", "N", "Z"), {"P": (50.0,)}, [])
    assert said == []


@pytest.mark.parametrize("root", ["/home/u/set/", "C:\\lab\\", "old/", ""])
def test_folders_of_another_machine_tell_files_of_one_name_apart(tmp_path, root):
    for event in (1, 2):
        (tmp_path / f"in/ev{event}").mkdir(parents=True)
        write_text_files(tmp_path / f"in/ev{event}/data", ["a.txt"])
    rows = [f"{root}ev{n}/data/a.txt,{50 + n}" for n in (2, 3, 1)]
    records, bad, _ = read(tmp_path / "in", "fname,itp", rows)
    assert [r.arrivals["P"] for r in records] == [(52.0,), (51.0,)]
    [text] = bad  # ev3/data is not ev1/data, the only one that is there
    assert text.startswith("row 2: there is no file of this name")
    (tmp_path / "in/ev1/data/a.txt").unlink()
    records, bad, _ = read(tmp_path / "in", "fname,itp", rows)
    assert ([r.arrivals["P"] for r in records], len(bad)) == ([(52.0,)], 2)


def test_many_files_of_one_name_are_found_in_their_folders_in_little_time():
    paths = [Path(f"/d/ev{n:05d}/a.txt") for n in range(20_000)]
    rows = tuple({"fname": f"ev{n:05d}/a.txt", "itp": "1"} for n in range(20_000))
    start_s = process_time()
    found = rows_by_files(LabelTable(Path("l.csv"), rows, ("fname", "itp")), paths, Selection())
    assert process_time() - start_s < 15  # 44 s where each row looks at all files
    assert [group.files for group in found] == [[path] for path in paths]


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ("station,itp", ["B,52", "A,51"]),
        ("station,itp", ["CX.B.00.HH,52", "CX.A,51"]),
        ("network,station,itp", [",B,52", "CX,CX.A..HHZ,51"]),
        ("network,station,itp", ["CX,B,52", "CX,A,51"]),
    ],
)
@pytest.mark.parametrize("network", ["CX", ""])
def test_stations_name_files_with_and_without_their_network(tmp_path, network, header, rows):
    write_station_files(tmp_path / "in", {"1": (network, "A"), "2": (network, "B")})
    records, bad, _ = read(tmp_path / "in", header, rows)
    assert bad == []
    found = {r.waveform.station.split(".")[1]: r.arrivals["P"] for r in records}
    assert found == {"A": (51.0,), "B": (52.0,)}


@pytest.mark.parametrize(
    ("column", "name"),
    [("trace_id", "XX.{}..HHZ"), ("id", "XX.{}..HH"), ("Station ID", "{}"), ("station_code", "{}")],
)
def test_stations_in_a_column_of_another_name_name_files(tmp_path, column, name):
    """In the order of the files all labels would be those of other stations."""
    (tmp_path / "in").mkdir()
    stations = ("AAA", "BBB", "CCC")
    for number, station in enumerate(stations):
        header = {"network": "XX", "station": station, "channel": "HHZ", "sampling_rate": 100.0}
        file = str(tmp_path / f"in/{number}.mseed")
        Trace(noise(number, 400)[:, 0], header).write(file, format="MSEED")
    wanted = {f"XX.{station}..HH": (50.0 + n,) for n, station in enumerate(("AAA", "BBB", "CCC"))}
    rows = [
        f"{name.format(station)},{50 + n}" for n, station in [(2, "CCC"), (0, "AAA"), (1, "BBB")]
    ]
    for header, of_phase in ((f"{column},itp", ""), (f"{column},phase,sample", "P,")):
        given = [row.replace(",", f",{of_phase}") for row in rows]
        records, bad, said = read(tmp_path / "in", header, given)
        assert (bad, said) == ([], [])
        assert {r.waveform.station: r.arrivals["P"] for r in records} == wanted
    # Numbers of rows are no stations.
    records, bad, [said] = read(tmp_path / "in", "id,itp", ["1,50", "2,51", "3,52"])
    assert (len(records), bad) == (3, [])
    assert "rows are taken in the order of these" in said


def test_numbers_of_rows_are_no_stations_that_are_numbers(tmp_path):
    """Counted from 0, all but the first row would be of the station before."""
    write_station_files(tmp_path / "in", {n: ("XX", n) for n in "1234"})
    records, bad, [said] = read(tmp_path / "in", "id,itp", [f"{n},{51 + n}" for n in range(4)])
    assert "row 1 for 1.mseed, row 4 for 4.mseed" in said
    assert [(r.waveform.station, r.arrivals["P"]) for r in records] == [
        (f"XX.{n}..HH", (50.0 + n,)) for n in range(1, 5)
    ]
    assert bad == []
    with pytest.raises(FormatError, match="by its column 'id' the rows may be in another order"):
        read(tmp_path / "in", "id,itp", ["2,52", "1,51", "4,54", "3,53"])
    for column in ("station", "station_code"):
        rows = ["2,52", "1,51", "4,54", "3,53"]
        records, bad, said = read(tmp_path / "in", f"{column},itp", rows)
        assert {r.waveform.station: r.arrivals["P"] for r in records} == {
            f"XX.{n}..HH": (50.0 + n,) for n in (1, 2, 3, 4)
        }
        assert (bad, said) == ([], [])
    _, _, [said] = read(tmp_path / "in", "station_id,itp", [f"{n},{51 + n}" for n in range(4)])
    assert "row 1 for 1.mseed, row 4 for 4.mseed" in said


def test_an_empty_column_of_ids_names_no_station(tmp_path):
    for shot in (1, 2):
        write_line(tmp_path / f"in{shot}", shots=(1001,))
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / f"in{shot}/line.su").rename(tmp_path / f"in/shot{shot}.su")
    records, bad, _ = read(tmp_path / "in", "shot,id,trace,itp", ["1,,2,12", "2,,1,21", "1,,1,11"])
    assert (bad, [r.name for r in records]) == ([], ["shot1-0002", "shot1-0001", "shot2-0001"])
    assert [r.arrivals["P"] for r in records] == [(12.0,), (11.0,), (21.0,)]


def test_rows_of_stations_in_the_order_of_their_files_stay_in_it(tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(4):
        header = {"station": "AB"[number % 2], "channel": "HHZ", "sampling_rate": 100.0}
        file = str(tmp_path / f"in/{number}.mseed")
        Trace(noise(number, 400)[:, 0], header).write(file, format="MSEED")
    rows = [f"{'AB'[n % 2]},{50 + n}" for n in range(4)]
    records, bad, [said] = read(tmp_path / "in", "station_id,itp", rows)
    assert "row 1 for 0.mseed, row 4 for 3.mseed" in said
    assert ([r.arrivals["P"][0] for r in records], bad) == ([50.0, 51.0, 52.0, 53.0], [])
    _, bad, _ = read(tmp_path / "in", "station_id,itp", [rows[1], *rows[:1], *rows[2:]])
    assert len(bad) == 4
    assert all("is wanted: name the file of each row" in text for text in bad)


def test_a_station_of_two_networks_is_asked_for_its_network(tmp_path):
    write_station_files(tmp_path / "in", {"1": ("CX", "A"), "2": ("XX", "A"), "3": ("", "")})
    rows = [",A,5", "CX,A,6", "YY,A,7", ",XX.A,8", "CX,,9"]
    records, bad, _ = read(tmp_path / "in", "network,station,itp", rows)
    assert [(r.waveform.station, r.arrivals["P"]) for r in records] == [
        ("CX.A..HH", (6.0,)),
        ("XX.A..HH", (8.0,)),
    ]
    assert bad == [
        "row 1: stations of CX, XX are called A: name the network",
        "row 3: there is no file of this station: name the file (column fname)",
        "row 5: there is no file of this station: name the file (column fname)",
    ]


def test_a_station_of_two_networks_is_told_apart_by_columns_of_codes(tmp_path):
    write_station_files(tmp_path / "in", {"1": ("CX", "A"), "2": ("XX", "A")})
    records, bad, _ = read(tmp_path / "in", "network_code,station_code,itp", ["XX,A,8", "CX,A,6"])
    assert [(r.waveform.station, r.arrivals["P"]) for r in records] == [
        ("XX.A..HH", (8.0,)),
        ("CX.A..HH", (6.0,)),
    ]
    assert bad == []


def write_station_files(folder, codes):
    folder.mkdir()
    for name, (network, station) in codes.items():
        header = {"network": network, "station": station, "channel": "HHZ", "sampling_rate": 100.0}
        trace = Trace(noise(int(name))[:, 0], header)
        trace.write(str(folder / f"{name}.mseed"), format="MSEED")


# --- gathers ----------------------------------------------------------------------------------


def write_shots(folder, ffids):
    """Files of one shot each; the largest sample of a trace is 10 * FFID + its number."""
    for n, (name, ffid) in enumerate(ffids.items()):
        write_line(folder.parent / f"l{n}", shots=[ffid])
        folder.mkdir(exist_ok=True)
        (folder.parent / f"l{n}/line.su").rename(folder / f"{name}.su")


@pytest.mark.parametrize("strays", [["obs.txt"], ["obs.txt", "geometry.xlsx", "log.pdf"]])
@pytest.mark.parametrize("column", ["ffid", "event"])
def test_files_of_no_known_format_do_not_count(tmp_path, strays, column):
    write_shots(tmp_path / "in", {"1": 1, "2": 2, "3": 3})
    for name in strays:
        (tmp_path / "in" / name).write_bytes(b"observer\n report\n1\n")
    rows = [f"{shot},{trace},{50 + shot}" for shot in (1, 2, 3) for trace in range(1, 5)]
    if column == "event":  # in the order of the files
        rows = ["1,1,51", "2,1,52", "3,1,53"]
    records, bad, said = read(tmp_path / "in", f"{column},trace,itp", rows)
    assert (len(records), bad) == (len(rows), [])
    [said] = [text for text in said if "passed over: " in text]
    for name in strays:
        assert name in said


def test_an_empty_file_counts_in_the_order_of_the_files(tmp_path):
    write_shots(tmp_path / "in", {"1": 1, "2": 2})
    (tmp_path / "in" / "3.su").touch()
    with pytest.raises(FormatError, match=r"2 rows .* there are 3 files"):
        read(tmp_path / "in", "trace,itp", ["1,51", "1,53"])


@pytest.mark.parametrize(
    ("ffids", "column", "shots"),
    [
        ({"shot1_rep2": 1, "shot2_rep1": 2}, "shot", (1, 2)),
        ({"shot1_rep2": 1, "shot2_rep1": 2, "shot3_rep3": 3}, "gather", (1, 2, 3)),
        ({"FFID0011_seg12": 11, "FFID0012_seg11": 12}, "ffid", (11, 12)),
        ({"2": 1, "3": 2, "4": 3}, "ffid", (2, 3)),
        ({"11": 12, "12": 13, "13": 14}, "shot", (12, 13, 14)),  # 14 is in no name
    ],
)
def test_shots_that_headers_and_names_give_to_different_files_are_refused(
    tmp_path, ffids, column, shots
):
    write_shots(tmp_path / "in", ffids)
    rows = [f"{shot},1,{10 * shot + 1}" for shot in shots]
    with pytest.raises(FormatError, match=r"by the headers .* by the name of the file"):
        read(tmp_path / "in", f"{column},trace,itp", rows)


@pytest.mark.parametrize("column", ["shot", "gather", "source", "ffid"])
@pytest.mark.parametrize(
    "ffid",
    [
        lambda n: 0,
        lambda n: 1,
        lambda n: 7,
        lambda n: n - 1,
        lambda n: n,
        lambda n: n + 1,
        lambda n: n + 100,
        lambda n: n // 7,
    ],
)
def test_headers_that_only_count_leave_files_to_their_names(tmp_path, ffid, column):
    write_shots(tmp_path / "in", {f"line1_shot{n:03d}": ffid(n) for n in range(5, 9)})
    for shots in (range(5, 9), range(6, 8)):
        if column == "ffid" and len(shots) == 2 and ffid(6) in (5, 7):
            continue  # they may be those of the headers: refused
        rows = [f"{shot},{n},{shot * 10 + n}" for shot in shots for n in (1, 3)]
        records, bad, _ = read(tmp_path / "in", f"{column},trace,itp", rows)
        assert bad == []
        wanted = {f"line1_shot{s:03d}-{n:04d}": (s * 10.0 + n,) for s in shots for n in (1, 3)}
        assert {r.name: r.arrivals["P"] for r in records} == wanted


def test_shots_that_are_in_no_name_are_those_of_headers(tmp_path):
    write_shots(tmp_path / "in", {"1001": 12, "1002": 11, "1003": 14})
    for shots in ((11, 12, 14), (11, 12)):
        rows = [f"{shot},{n},{10 * shot + n}" for shot in shots for n in (1, 3)][-3:]
        records, bad, _ = read(tmp_path / "in", "ffid,trace,itp", rows)
        assert (bad, are_right(records, 3)) == ([], True)


def test_the_only_gather_needs_no_name(tmp_path):
    write_line(tmp_path / "in", shots=[1001])
    (tmp_path / "in/README").write_text("one shot")
    rows = [f"{n},{10 + n}" for n in (4, 2)]
    records, bad, _ = read(tmp_path / "in", "channel,itp", rows)
    assert (bad, are_right(records, 2)) == ([], True)
    records, bad, _ = read(tmp_path / "in", "channel,itp", [f"{n},{11 + n}" for n in range(4)])
    assert (records, len(bad)) == ([], 4)
    assert "received '0'" in bad[0]
