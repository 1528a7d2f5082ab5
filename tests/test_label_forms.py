"""Forms that tables of labels come in: which columns, which text, and what stands for no event."""

from __future__ import annotations

import numpy as np
import pytest
from obspy import Stream, Trace, UTCDateTime
from sources import T0, noise, write_stations, write_text_files

from phasenet_keras.io.catalogs import Arrival, read_arrivals
from phasenet_keras.io.quakeml import write_quakeml
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.sources import open_source, read_labelled
from phasenet_keras.types import FormatError

ROWS = "station,phase,time\nA,P,2020-01-01T00:00:10.25\nA,S,2020-01-01T00:00:14\n"


def facts(path):
    """Of SeisComP's events the last part of the name, before which each ObsPy puts its own."""
    return [
        (round(a.time - T0, 4), a.phase, a.network, a.station, a.event.rpartition("/")[2])
        for a in path
    ]


# --- tables of times --------------------------------------------------------------------------


@pytest.mark.parametrize("no_event", ["-1", "-1.0", "nan", "None", "<NA>", ""])
def test_what_associators_write_for_no_event_is_none(tmp_path, no_event):
    (tmp_path / "in").mkdir()
    trace = Trace(noise(1)[:, 0], {"station": "A", "channel": "HHZ", "sampling_rate": 100.0})
    trace.stats.starttime = T0
    trace.write(str(tmp_path / "in/a.mseed"), format="MSEED")
    labels = tmp_path / "gamma.csv"
    rows = f"A,P,{T0 + 1},{no_event}\nA,S,{T0 + 3},7\n"
    labels.write_text("station_id,phase_type,phase_time,event_index\n" + rows)
    assert [arrival.event for arrival in read_arrivals(labels)] == ["", "7"]
    labels.write_text(labels.read_text().replace("event_index", "event_idx"))  # PyOcto's
    assert [arrival.event for arrival in read_arrivals(labels)] == ["", "7"]
    labels.write_text(f"fname,itp,event\na.mseed,100,{no_event}\n")
    [record] = read_labelled(tmp_path / "in", labels)
    assert record.event == ""


def test_a_pick_of_no_event_may_be_the_one_that_an_event_lacks(tmp_path):
    write_stations(tmp_path / "in", stations="A")
    rows = [("P", 10, "-1"), ("S", 14, "3"), ("P", 30, "4"), ("S", 34, "4"), ("S", 50, "5")]
    text = "".join(f"XX.A,{phase},{T0 + at},{event}\n" for phase, at, event in rows)
    (tmp_path / "l.csv").write_text("station,phase,time,event_index\n" + text)
    one, two, three = read_labelled(tmp_path / "in", tmp_path / "l.csv", window_s=12.0)
    assert [sorted(r.arrivals) for r in (one, two, three)] == [["P", "S"], ["P", "S"], ["S"]]
    assert [r.event for r in (one, two, three)] == ["", "4", "5"]


@pytest.mark.parametrize(
    "content",
    [
        ("# picked by K.\n# in 2020\n" + ROWS).encode(),
        ROWS.encode("utf-16"),
        ROWS.replace(",", "\t").encode("utf-16-be").join([b"\xfe\xff", b""]),
        ROWS.replace(",", "   ").encode(),
        ROWS.replace(",", ";").encode(),
        ROWS.replace(",", " | ").encode(),
        ROWS.replace("time\n", "time,größe\n").encode("latin-1"),
    ],
)
def test_text_of_any_usual_form_is_a_table(tmp_path, content):
    (tmp_path / "a.csv").write_bytes(content)
    found = facts(read_arrivals(tmp_path / "a.csv"))
    assert found == [(10.25, "P", "", "A", ""), (14.0, "S", "", "A", "")]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        (
            "file_name,network,station,p_arrival_time,p_probability,s_arrival_time",
            "x,XX,A ,{},1,{}",
        ),
        ("event_id,station,p_time,s_time", "7,XX.A,{},{}"),
        ("trace_id,p_time,s_time", "XX.A.00,{},{}"),
    ],
)
def test_a_column_of_times_a_phase(tmp_path, header, row):
    rows = [row.format("2020-01-01 00:00:10.25", ""), row.format("NaT", "2020-01-01 00:00:14")]
    (tmp_path / "a.csv").write_text("\n".join([header, *rows]) + "\n")
    event = "7" if "event_id" in header else ""
    assert facts(read_arrivals(tmp_path / "a.csv")) == [
        (10.25, "P", "XX", "A", event),
        (14.0, "S", "XX", "A", event),
    ]


def test_a_blank_in_a_time_between_blanks_moves_no_cell(tmp_path):
    (tmp_path / "a.csv").write_text("station phase time\nA P 2020-01-01 00:00:10\n")
    with pytest.raises(
        FormatError, match="4 cells, the header 3: quote those with a comma or blank"
    ):
        read_arrivals(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04[Content_Types].xml", "a workbook .* save the sheet as CSV"),
        (b"PAR1\x15\x04", "a Parquet table: write it as CSV"),
        (b"A03 IPU0 2403010800 0.20        0.25ES 1\n" * 3, "HYPO71, which is not read: write its"),
        (
            b"202203010312 61248 5580  7E5100  231 80\nBH01 GE  GLZ IPU0202203010312  852   0\n",
            "a phase file of HypoInverse, which is not read: .*, or as phases of hypoDD",
        ),
        (
            b"22 3 1  312  6.12 48.9300N   7.8500E   2.31   0.80\nBH01  P0  2.40BH01  S1  4.79\n",
            r"a phase file of VELEST \(CNV\), which is not read: write its arrivals as a table",
        ),
        (b"MATLAB 5.0 MAT-file, Platform: GLNXA64\0\1\2", "a MATLAB file: .*writetable in MATLAB"),
    ],
)
def test_files_of_other_kinds_are_named_with_what_to_do(tmp_path, content, words):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(FormatError, match=words):
        read_arrivals(tmp_path / "file")


def test_blank_lines_in_nonlinloc_observations_are_between_events(tmp_path):
    line = "A  ? ? ? {} ? 20200101 00{:02d} 10.25 GAU  1.0e-02 -1.0e+00 -1.0e+00 -1.0e+00"
    lines = [line.format(phase, minute) for minute in range(3) for phase in "PS"]
    (tmp_path / "a.obs").write_text("\n".join(lines) + "\n")
    assert {arrival.event for arrival in read_arrivals(tmp_path / "a.obs")} == {""}
    blocks = ["# of a station\n" + "\n".join(lines[n : n + 2]) for n in (0, 2, 4)]
    (tmp_path / "a.obs").write_text("\n\n \n".join(blocks) + "\n\n")
    found = [arrival.event for arrival in read_arrivals(tmp_path / "a.obs")]
    assert found == ["a-1", "a-1", "a-2", "a-2", "a-3", "a-3"]
    (tmp_path / "a.obs").write_text("\n\n".join(lines) + "\n")  # each line on its own
    assert {arrival.event for arrival in read_arrivals(tmp_path / "a.obs")} == {""}


def test_times_as_pandas_writes_them(tmp_path):
    times = ["2020-01-01 00:00:10.5", "2020-01-01 00:00:11.5+00:00", "2020-01-01 01:00:12.5+01:00"]
    rows = "".join(f"XX.A,P,{time}\n" for time in times)
    (tmp_path / "a.csv").write_text(f"station,phase,time\n{rows}")
    seconds = [arrival.time - T0 for arrival in read_arrivals(tmp_path / "a.csv")]
    assert seconds == pytest.approx([10.5, 11.5, 12.5])


def test_seconds_since_1970_are_times_where_they_have_decimals(tmp_path):
    (tmp_path / "a.csv").write_text("station,phase,time\nA,P,1577836810.123456789\n")
    [arrival] = read_arrivals(tmp_path / "a.csv")
    assert arrival.time.ns == 1577836810123456789
    for number in ("1577836810", "20200101000010.25", "200101.5"):
        (tmp_path / "a.csv").write_text(f"station,phase,time\nA,P,{number}\n")
        with pytest.raises(FormatError, match="should be a date and time"):
            read_arrivals(tmp_path / "a.csv")


SEISCOMP = """<?xml version="1.0" encoding="UTF-8"?>
<seiscomp xmlns="http://geofon.gfz-potsdam.de/ns/seiscomp3-schema/0.12" version="0.12">
<EventParameters>{}</EventParameters></seiscomp>
"""
PICK = """<pick publicID="p{n}"><time><value>2020-01-01T00:00:1{n}.5Z</value></time>
<waveformID networkCode="XX" stationCode="A" channelCode="HHZ"/><phaseHint>{phase}</phaseHint>
<evaluationMode>{mode}</evaluationMode></pick>"""
LOCATED = """<origin publicID="o"><time><value>2020-01-01T00:00:05Z</value></time>
<latitude><value>1</value></latitude><longitude><value>1</value></longitude>
<arrival><pickID>p0</pickID><phase>P</phase></arrival></origin>
<event publicID="e"><preferredOriginID>o</preferredOriginID><originReference>o</originReference>
</event>"""


def test_picks_of_seiscomp_that_no_origin_refers_to(tmp_path):
    picks = [(0, "P", "manual"), (1, "S", "manual"), (2, "P", "automatic")]
    text = "".join(PICK.format(n=n, phase=phase, mode=mode) for n, phase, mode in picks)
    path = tmp_path / "a.sc3ml"
    path.write_text(SEISCOMP.format(text))
    found = read_arrivals(path)
    assert facts(found) == [
        (10.5, "P", "XX", "A", ""),
        (11.5, "S", "XX", "A", ""),
        (12.5, "P", "XX", "A", ""),
    ]
    assert [arrival.rank for arrival in found] == [1, 1, 3]
    path.write_text(SEISCOMP.format(text + LOCATED))
    assert sorted(facts(read_arrivals(path))) == [
        (10.5, "P", "XX", "A", "e"),
        (11.5, "S", "XX", "A", ""),
        (12.5, "P", "XX", "A", ""),
    ]


def test_picks_of_seiscomp_that_only_the_preferred_origin_refers_to(tmp_path):
    picks = "".join(PICK.format(n=n, phase="PS"[n], mode="manual") for n in range(2))
    located = LOCATED.replace("<originReference>o</originReference>", "")
    assert located != LOCATED
    path = tmp_path / "a.sc3ml"
    path.write_text(SEISCOMP.format(picks + located))
    found = read_arrivals(path)
    assert sorted(facts(found)) == [
        (10.5, "P", "XX", "A", "e"),
        (11.5, "S", "XX", "A", ""),
    ]
    assert sorted(arrival.rank for arrival in found) == [0, 1]


def test_our_quakeml_of_picks_of_no_event_names_none(tmp_path):
    arrivals = [Arrival(T0 + n, "P", "XX", "A", event) for n, event in ((1, ""), (2, "e"))]
    write_quakeml(arrivals, tmp_path / "a.xml")
    assert [a.event for a in read_arrivals(tmp_path / "a.xml")] == ["", "smi:local/e"]


# --- tables of samples ------------------------------------------------------------------------


def write_sensors(folder, stations=("XX.A..HH", "XX.A..HN", "XX.B.00.HH", ".C..GP")):
    """Two files of all sensors; the largest sample of each tells which it is."""
    folder.mkdir()
    for event in (1, 2):
        traces = []
        for number, name in enumerate(stations, start=1):
            codes = dict(zip(("network", "station", "location"), name.split("."), strict=False))
            header = {**codes, "channel": f"{name[-2:]}Z", "sampling_rate": 1000.0}
            header["starttime"] = T0 + 60 * event
            traces.append(Trace(np.full(400, 0.5, "f4"), header))
            traces[-1].data[::2] = 10 * event + number
        Stream(traces).write(str(folder / f"ev{event}.mseed"), format="MSEED")


@pytest.mark.parametrize(
    ("header", "row", "number"),
    [
        ("fname,station,p_sample", "ev2.mseed,B,50.5", 3),
        ("file,network,station,itp", "ev2,XX,C,50.5", 4),
        ("fname,station,channel,itp", "ev2,A,HNZ,50.5", 2),
        ("fname,station,channel,itp", "ev2,B,3,50.5", 3),  # a number of a digitiser's
        ("fname,station_id,itp", "ev2,XX.A..HH,50.5", 1),
        ("fname,station,instrument,p_time_s", "ev2,A,HH,0.0505", 1),
        ("fname,station,phase,sample", "ev2,B,Pg,50.5", 3),
        ("fname,station,phase,time_us", "ev2,B,P,50500", 3),
    ],
)
def test_a_row_names_its_record_among_those_of_a_file(tmp_path, header, row, number):
    write_sensors(tmp_path / "in")
    (tmp_path / "l.csv").write_text(f"{header}\n{row}\n")
    [record] = read_labelled(tmp_path / "in", tmp_path / "l.csv")
    assert record.waveform.data.max() == 20 + number
    assert record.arrivals == {"P": (50.5,)}


@pytest.mark.parametrize(
    ("header", "row", "words"),
    [
        ("fname,itp", "ev1.mseed,50", "holds 4 records; one is wanted: name the station of each"),
        ("fname,station,itp", "ev1.mseed,A,50", "holds 2 records of A, one is wanted; its 4 rec"),
        ("fname,station,itp", "ev1.mseed,D,50", "holds 0 records of D, one is wanted"),
    ],
)
def test_rows_that_name_no_single_record_say_what_to_name(tmp_path, header, row, words):
    write_sensors(tmp_path / "in")
    (tmp_path / "l.csv").write_text(f"{header}\n{row}\n")
    [bad] = read_labelled(tmp_path / "in", tmp_path / "l.csv")
    assert words in bad.text


def test_the_only_record_of_a_file_is_of_no_other_station(tmp_path):
    write_sensors(tmp_path / "in", ["XX.A..HH"])
    (tmp_path / "in/ev2.mseed").unlink()
    rows = "ev1.mseed,XX.A,50\nev1.mseed,B,90\nev1.mseed,,70\n"
    (tmp_path / "l.csv").write_text(f"fname,station,itp\n{rows}")
    bad, record = read_labelled(tmp_path / "in", tmp_path / "l.csv")
    assert bad.row == 2
    assert "holds 0 records of B, one is wanted; its 1 record is of XX.A..HH" in bad.text
    assert record.arrivals == {"P": (50.0, 70.0)}
    (tmp_path / "l.csv").write_text("id,fname,itp\n7,ev1.mseed,50\n")  # the number of a row
    [record] = read_labelled(tmp_path / "in", tmp_path / "l.csv")
    assert record.arrivals == {"P": (50.0,)}


@pytest.mark.parametrize("stations", [["XX.A.00.HH", "XX.C..HH"], ["XX.A.00.HH"]])
def test_a_row_of_another_network_or_location_than_its_record_is_refused(tmp_path, stations):
    write_sensors(tmp_path / "in", stations)
    header = "fname,network,station,location,itp"
    good = ["XX,A,00", "XX,A,0", "XX,A,0.0", "XX,A,", ",A,--", "xx,A,nan", "NA,A,NA", ",XX.A,Fuji"]
    good += [",XX.A.00.HHZ,"]
    wrong = ["YY,A,00", "XX,A,10", ",YY.A,", ",XX.A.10.HH,", "XX,A,10.0", "XX,A,NO"]
    rows = [f"ev1.mseed,{row},{n}" for n, row in enumerate(good + wrong, start=1)]
    (tmp_path / "l.csv").write_text("\n".join([header, *rows]))
    *bad, record = read_labelled(tmp_path / "in", tmp_path / "l.csv")
    assert [item.row for item in bad] == [*range(len(good) + 1, len(rows) + 1)]
    assert record.arrivals == {"P": tuple(float(n) for n in range(1, len(good) + 1))}
    assert "holds 0 records of YY.A.00, one is wanted; its" in bad[0].text


def test_a_row_that_names_its_file_and_another_network_is_refused(tmp_path):
    write_sensors(tmp_path / "in", ["XX.A.00.HH"])
    header, rows = "fname,network,location,id,itp", ("XX,3,7", "YY,,7", ",10,2.5", "XX,,8.5")
    text = [f"ev1.mseed,{row},{n}" for n, row in enumerate(rows, start=1)]
    (tmp_path / "l.csv").write_text("\n".join([header, *text]))
    bad, record = read_labelled(tmp_path / "in", tmp_path / "l.csv")
    assert (bad.row, record.arrivals) == (2, {"P": (1.0, 3.0, 4.0)})
    assert "its 1 record is of XX.A.00.HH" in bad.text


def test_a_record_without_network_is_of_any(tmp_path):
    write_sensors(tmp_path / "in", [".A..HH", "XX.B..HH"])
    rows = ["ev1.mseed,YY,A,10,50", "ev1.mseed,,YY.A.00,,60"]
    (tmp_path / "l.csv").write_text("\n".join(["fname,network,station,location,itp", *rows]))
    [record] = read_labelled(tmp_path / "in", tmp_path / "l.csv")
    assert record.arrivals == {"P": (50.0, 60.0)}


def test_a_file_is_read_once_for_the_rows_of_all_its_stations(tmp_path):
    write_sensors(tmp_path / "in", ["XX.A..HH", "XX.B..HH", "YY.A..HH"])
    (tmp_path / "in/ev2.mseed").unlink()
    (tmp_path / "l.csv").write_text("network,station,itp\nYY,A,30\nXX,B,20\nXX,A,10\nXX,C,5\n")
    source = open_source(tmp_path / "in", tmp_path / "l.csv")
    *records, bad = [item for part in source.parts for item in part()]
    assert len(source.parts) == 2  # that of the file, and of no file
    assert {r.waveform.data.max(): r.arrivals["P"] for r in records} == {
        11: (10.0,),
        12: (20.0,),
        13: (30.0,),
    }
    assert str(bad) == "row 4: there is no file of this station: name the file (column fname)"


def test_a_row_names_the_station_of_a_record_without_codes(tmp_path):
    (tmp_path / "in").mkdir()
    np.savez(tmp_path / "in/NC.BUL..EH.npz", data=np.random.default_rng(0).normal(size=(400, 3)))
    (tmp_path / "l.csv").write_text("fname,station,itp\nNC.BUL..EH.npz,OTHER,50\n")
    [record] = read_labelled(tmp_path / "in", tmp_path / "l.csv")
    assert record.arrivals == {"P": (50.0,)}


def test_times_since_the_first_sample_and_rows_of_one_arrival(tmp_path):
    write_text_files(tmp_path / "in", ["a.txt", "b.txt"])  # 2 kHz
    tables = {
        "fname,p_ms,s_us\na.txt,50.25,150000\nb.txt,60,\n": {"P": (100.5,), "S": (300.0,)},
        "fname;p_time_s;s_s\na.txt;0,05025;0.15\nb.txt;0.06;\n": {"P": (100.5,), "S": (300.0,)},
        "fname,phase,sample\nb.txt,P,120\na.txt,P,100.5\na.txt,Sg,300\n": {
            "P": (100.5,),
            "S": (300.0,),
        },
    }
    for text, arrivals in tables.items():
        (tmp_path / "l.csv").write_text(text)
        found = {r.name: r.arrivals for r in read_labelled(tmp_path / "in", tmp_path / "l.csv")}
        assert found["a"] == arrivals
        # An empty cell was looked for; without a row nobody did.
        assert found["b"] == {"P": (120.0,), **({} if "phase" in text else {"S": ()})}
    (tmp_path / "l.csv").write_text("fname,phase,sample\na.txt,IAML,100\na.txt,P,100\n")
    with pytest.warns(RecordWarning, match=r"left out: 1 of other phases \(IAML 1\)"):
        [record] = read_labelled(tmp_path / "in", tmp_path / "l.csv")
    assert record.arrivals == {"P": (100.0,)}
    (tmp_path / "l.csv").write_text("fname,phase,sample\na.txt,pP,100\na.txt,P,x\n")
    with pytest.warns(RecordWarning, match=r"left out: 1 of other phases \(pP 1\)"):
        [bad] = read_labelled(tmp_path / "in", tmp_path / "l.csv")
    assert str(bad) == "row 2: p_sample should be a number, received 'x'"
    (tmp_path / "l.csv").write_text("fname,phase,sample\na.txt,pP,100\n")
    with pytest.raises(FormatError, match=r"none of its arrivals is a P or an S, .* pP 1"):
        list(read_labelled(tmp_path / "in", tmp_path / "l.csv"))


@pytest.mark.parametrize(
    "header",
    ["P (us);S [ms]", "p(\N{MICRO SIGN}s);s_[ms]", "P (\N{GREEK SMALL LETTER MU}s);S ( ms )"],
)
def test_units_in_brackets_are_those_of_columns(tmp_path, header):
    write_text_files(tmp_path / "in", ["a.txt"])  # 2 kHz
    (tmp_path / "l.csv").write_text(f"fname;{header}\na.txt;50250;150\n", encoding="utf-8")
    [record] = read_labelled(tmp_path / "in", tmp_path / "l.csv")
    assert record.arrivals == {"P": (100.5,), "S": (300.0,)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "FFID TRACE TIME\n1001 1 199.8\n",
            r"understood ffid, trace, time\. .* first sample are in p_time_s, p_ms",
        ),
    ],
)
def test_tables_that_are_refused_are_told_the_columns_that_are_wanted(tmp_path, text, words):
    write_text_files(tmp_path / "in", ["ev0_S1.txt", "ev0_S2.txt"])
    (tmp_path / "l.csv").write_text(text)
    with pytest.raises(FormatError, match=words):
        read_labelled(tmp_path / "in", tmp_path / "l.csv").__next__()


def test_a_table_with_times_beside_samples_of_picks_is_read_by_time(tmp_path):
    write_stations(tmp_path / "in", stations="A")
    text = f"station_id,phase_index,phase_time,phase_type\nXX.A..HH,3,{T0 + 12.5},P\n"
    (tmp_path / "l.csv").write_text(text)
    [record] = read_labelled(tmp_path / "in", tmp_path / "l.csv")
    assert record.arrivals == {"P": (1250.0,)}
    assert record.waveform.start_time == UTCDateTime(T0)
