"""Picks out: every format, read back by what reads it here; see test_peers.py for the others."""

from __future__ import annotations

import csv
import io
import re
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from obspy import UTCDateTime, read_events
from obspy.io.quakeml.core import _validate
from pick_files import FULL, NAMES, T0, times_and_stations, usual

from phasenet_keras import Pick, read_picks, write_picks
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.types import ConfigError, FormatError, MissingExtraError

BARE = Pick(T0 + 15, "station_7", "S", 0.5)

# -- all formats ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_no_picks_give_a_file_that_can_be_read(tmp_path, name):
    path = usual(name, tmp_path)
    assert write_picks([], path) == 0
    assert times_and_stations(path, name) == []
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "time",
    ["2020-01-01T00:00:59.999999", "1906-04-18T13:12:21.000501", "1969-12-31T23:59:59.999999"],
)
def test_times_come_back_to_the_microsecond(tmp_path, name, time):
    time = UTCDateTime(time)
    picks = [replace(FULL, time=time + shift) for shift in (0, 2e-6, 0.5)]
    write_picks(reversed(picks), usual(name, tmp_path))
    found = times_and_stations(usual(name, tmp_path), name)
    assert [at for at, _, _ in found] == [time, time + 2e-6, time + 0.5]
    assert {phase for _, _, phase in found} == {"P"}


@pytest.mark.parametrize("name", NAMES)
def test_numpy_numbers_are_numbers(tmp_path, name):
    kinds = [np.float32(0.25), np.float64(0.25), 0.25]
    contents = set()
    for kind in kinds:
        pick = replace(FULL, probability=kind, amplitude=type(kind)(2.0), snr_db=type(kind)(3.0))
        write_picks([replace(pick, sample=np.int64(5))], usual(name, tmp_path))
        contents.add(usual(name, tmp_path).read_bytes())
    assert len(contents) == 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "station",
    [".GEO7..", "XX.A", "XX.A..", "geophone", "line 7, (west)", "Ünïcødé", "a.b.c.d.e", "#1",
     "a\tb\x07\nc", "caf\udce9", "", "XX...HH", "*", "'quoted\"", "<&>", "XX.A B.?.H H"],
)  # fmt: skip
def test_odd_stations_cost_no_pick(tmp_path, name, station):
    picks = [replace(FULL, station=station), replace(BARE, station="other")]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert write_picks(picks, usual(name, tmp_path)) == 2
    assert {item.category for item in caught} <= {RecordWarning}
    found = times_and_stations(usual(name, tmp_path), name)
    assert [(time, phase) for time, _, phase in found] == [(FULL.time, "P"), (BARE.time, "S")]
    if name in ("csv", "parquet", "gamma") and station.isprintable():
        assert found[0][1] == station


@pytest.mark.parametrize("name", NAMES)
def test_the_same_picks_give_the_same_file(tmp_path, name):
    picks = [FULL, BARE, FULL, replace(FULL, phase="S")]
    write_picks(picks, tmp_path / "one", name)
    write_picks(picks[::-1], tmp_path / "two", name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_ten_thousand_picks(tmp_path, name):
    rng = np.random.default_rng(0)
    picks = [
        Pick(T0 + float(at), f"CX.PB{number % 99:02d}..HH", "PS"[number % 2], 0.9)
        for number, at in enumerate(np.sort(rng.uniform(0, 86_400, 10_000)))
    ]
    assert write_picks(picks, usual(name, tmp_path)) == 10_000
    assert len(times_and_stations(usual(name, tmp_path), name)) == 10_000


# -- each of them ---------------------------------------------------------------------------------


def test_parquet_has_types_and_brings_all_of_a_pick_back(tmp_path):
    import pyarrow.parquet

    path = tmp_path / "picks.parquet"
    assert write_picks([BARE, FULL], path) == 2
    first, second = read_picks(path)
    for found, pick in ((first, FULL), (second, BARE)):
        for field in pick.__dataclass_fields__:
            one, other = getattr(found, field), getattr(pick, field)
            assert one == other or (one != one and other != other), field
    schema = pyarrow.parquet.read_schema(path)
    types = {name: str(schema.field(name).type) for name in schema.names}
    assert types["phase_time"] == types["begin_time"] == "timestamp[us, tz=UTC]"
    assert (types["phase_index"], types["phase_score"]) == ("int64", "double")
    write_picks([FULL], tmp_path / "picks.csv")
    with (tmp_path / "picks.csv").open() as file:
        assert next(csv.reader(file)) == schema.names


@settings(max_examples=50)
@given(
    ns=st.integers(-(10**18), 4 * 10**18),
    station=st.text(max_size=8),
    amplitude=st.one_of(st.none(), st.floats(allow_nan=False)),
    units=st.one_of(st.none(), st.text(max_size=3)),
    sample=st.integers(0, 2**60),
    rate=st.floats(allow_nan=False),
    begin=st.one_of(st.none(), st.integers(-(10**15), 10**15)),
)
def test_any_pick_comes_back_from_parquet(
    tmp_path_factory, ns, station, amplitude, units, sample, rate, begin
):
    path = tmp_path_factory.mktemp("picks") / "p.parquet"
    start = None if begin is None else UTCDateTime(ns=1000 * begin)
    pick = Pick(
        UTCDateTime(ns=ns), station, "P", 0.7, amplitude, units, "p", sample, rate, start, "f", -1.5
    )
    write_picks([pick], path)
    [found] = read_picks(path)
    assert abs(found.time.ns - ns) <= 500
    for field in set(pick.__dataclass_fields__) - {"time"}:
        assert getattr(found, field) == getattr(pick, field), field


def test_bytes_that_are_no_text_are_spelt_out_in_parquet_too(tmp_path):
    write_picks([replace(FULL, source="caf\udce9.mseed")], tmp_path / "p.parquet")
    assert read_picks(tmp_path / "p.parquet")[0].source == "caf\\udce9.mseed"


@pytest.mark.parametrize("content", [b"", b"station_id,begin_time\n", b"PAR1"])
def test_what_is_no_parquet_is_refused(tmp_path, content):
    (tmp_path / "p.parquet").write_bytes(content)
    with pytest.raises(FormatError, match=r"p\.parquet is no readable table"):
        read_picks(tmp_path / "p.parquet")
    with pytest.raises(FormatError, match=r"none\.parquet"):
        read_picks(tmp_path / "none.parquet")


def test_parquet_of_other_columns_is_refused(tmp_path):
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table({"phase_time": [1]}), tmp_path / "p.parquet")
    with pytest.raises(FormatError, match=r"has no columns .*phase_index"):
        read_picks(tmp_path / "p.parquet")


def test_without_pyarrow_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for kind in (MissingExtraError, ImportError, ConfigError.__base__):
        with pytest.raises(kind, match=r"pip install 'phasenet-keras\[parquet\]'"):
            write_picks([FULL], tmp_path / "p.parquet")
    assert list(tmp_path.iterdir()) == []
    assert write_picks([FULL], tmp_path / "p.csv") == 1


def test_an_extra_that_is_there_but_broken_says_why():
    broken = ImportError("pyarrow requires NumPy 2.0 or newer, found 1.26.0")
    said = str(MissingExtraError("picks as Parquet", "pyarrow", "parquet", broken))
    assert "pyarrow, which cannot be imported (pyarrow requires NumPy 2.0" in said
    missing = ModuleNotFoundError("No module named 'pyarrow'")
    said = str(MissingExtraError("picks as Parquet", "pyarrow", "parquet", missing))
    assert "pyarrow, which is not installed: pip install" in said


def test_quakeml_says_all_and_is_valid(tmp_path):
    path = tmp_path / "picks.xml"
    bare = replace(BARE, station="GEO7")
    assert write_picks([bare, FULL], path, time_errors_s={"P": 0.02}) == 2
    assert _validate(str(path))
    [event] = read_events(str(path))
    p, s = event.picks
    assert (p.time, p.phase_hint, p.evaluation_mode) == (FULL.time, "P", "automatic")
    assert p.waveform_id.get_seed_string() == "CX.PB01..HH"
    assert p.method_id.id == "smi:local/phasenet-keras/preset/ncedc"
    assert p.time_errors.uncertainty == 0.02
    assert [comment.text for comment in p.comments] == [
        "probability=0.9877", "amplitude=1234.57 m/s", "snr_db=12.35"
    ]  # fmt: skip
    assert (s.waveform_id.network_code, s.waveform_id.station_code) == ("", "GEO7")
    assert (s.waveform_id.location_code, s.waveform_id.channel_code) == (None, None)
    assert (s.method_id, s.time_errors.uncertainty) == (None, None)
    assert [comment.text for comment in s.comments] == ["probability=0.5000"]


def test_quakeml_without_picks_is_valid(tmp_path):
    write_picks([], tmp_path / "picks.xml")
    assert _validate(str(tmp_path / "picks.xml"))


def test_long_names_stay_whole_in_quakeml(tmp_path):
    """Its schema allows a station 8 characters; ObsPy reads and writes more."""
    write_picks([replace(BARE, station="shot-0001-trace-0096")], tmp_path / "picks.xml")
    [event] = read_events(str(tmp_path / "picks.xml"))
    assert event.picks[0].waveform_id.station_code == "shot-0001-trace-0096"


def test_quakeml_ids_are_valid_unique_and_say_what_a_pick_is(tmp_path):
    odd = replace(FULL, station="Ünï cødé", preset="my preset/2", phase="Pn'")
    with pytest.warns(RecordWarning, match="'Ünï cødé' is 'Ünï_cødé'"):
        write_picks([FULL, FULL, replace(FULL, phase="S"), odd], tmp_path / "picks.xml")
    text = (tmp_path / "picks.xml").read_text(encoding="utf-8")
    ids = re.findall(r'(?:publicID|id)="([^"]*)"', text) + re.findall(r"<methodID>(.*?)<", text)
    # As QuakeML 1.2 defines them.
    syntax = r"(smi|quakeml):\w[\w.*()~'-]{2,}/[\w.*()~'-][\w.*()+?~'=,;#/&-]*"
    assert len(ids) == 2 + 4 + 4
    assert all(re.fullmatch(syntax, item, re.ASCII) for item in ids)
    [event] = read_events(str(tmp_path / "picks.xml"))
    names = [pick.resource_id.id.rpartition("/")[2] for pick in event.picks]
    assert len(set(names)) == 4
    assert names[0] == "20200101T000013.163000_CX.PB01..HH_P"
    assert names[1] == f"{names[0]}_2"
    plain = [FULL, FULL, replace(FULL, phase="S"), replace(odd, station="Ü 7")]
    with pytest.warns(RecordWarning, match="'Ü 7' is 'Ü_7'"):
        write_picks(plain, tmp_path / "picks.xml")
    assert _validate(str(tmp_path / "picks.xml"))


def hypocentre_of(path):
    """Put observations into a location of NonLinLoc, which is what ObsPy reads of its files."""
    phases = "\n".join(
        f"{line}  1.0000 >   3.1000    0.0100    1.0000  10 20 1  5.0 10.0  10.0 90.0 9 0.0 0.0"
        for line in path.read_text().splitlines()
    )
    return (
        'NLLOC "loc" "LOCATED" "Location completed."\n'
        'SIGNATURE "x   obs:x   NLLoc:v6.00.0   run:20Jan2020 00h00m00"\n'
        'COMMENT "x"\n'
        "GRID  2 2 2  0.0 0.0 0.0  1.0 1.0 1.0 PROB_DENSITY\n"
        "HYPOCENTER  x 1.0 y 1.0 z 1.0  OT 1.0  ix -1 iy -1 iz -1\n"
        "GEOGRAPHIC  OT 2020 01 01  00 00 01.000000  Lat 1.0 Long 1.0 Depth 1.0\n"
        "QUALITY  Pmax 1.0 MFmin 1.0 MFmax 1.0 RMS 0.01 Nphs 2 Gap 90 Dist 1.0 Mamp -9.9 0 "
        "Mdur -9.9 0\n"
        "STATISTICS  ExpectX 1.0 Y 1.0 Z 1.0  CovXX 1.0 XY 0.0 XZ 0.0 YY 1.0 YZ 0.0 ZZ 1.0 "
        "EllAz1  1.0 Dip1  1.0 Len1  1.0 Az2  1.0 Dip2  1.0 Len2  1.0 Len3  1.0\n"
        "STAT_GEOG  ExpectLat 1.0 Long 1.0 Depth 1.0\n"
        "TRANSFORM  SIMPLE LatOrig 0.0  LongOrig 0.0  RotCW 0.0\n"
        "QML_OriginQuality  assocPhCt 2  usedPhCt 2  assocStaCt -1  usedStaCt 2  "
        "depthPhCt -1  stdErr 0.01  azGap 90  secAzGap 90  gtLevel -  minDist 1 maxDist 2 "
        "medDist 1\n"
        "QML_OriginUncertainty  horUnc 1.0  minHorUnc 1.0  maxHorUnc 1.0  azMaxHorUnc 1.0\n"
        "PHASE ID Ins Cmp On Pha  FM Date     HrMn   Sec     Err  ErrMag    Coda      Amp       Per"
        "   PriorWt  >   TTpred    Res       Weight    StaLoc(X  Y         Z)        SDist    SAzim"
        "  RAz  RDip RQual    Tcorr   TTerr\n"
        f"{phases}\nEND_PHASE\nEND_NLLOC\n\n"
    )


def test_obspy_reads_what_nonlinloc_is_told(tmp_path):
    path = tmp_path / "picks.obs"
    late = replace(FULL, time=UTCDateTime("2020-12-31T23:59:59.999999"), phase="S")
    assert write_picks([late, FULL], path, time_errors_s={"P": 0.0125}) == 2
    [event] = read_events(io.BytesIO(hypocentre_of(path).encode()), format="NLLOC_HYP")
    p, s = event.picks
    assert (p.time, p.phase_hint, p.waveform_id.station_code) == (FULL.time, "P", "PB01")
    assert p.time_errors.uncertainty == 0.0125
    assert (s.time, s.phase_hint) == (late.time, "S")
    assert s.time_errors.uncertainty == pytest.approx(0.08)  # 8 samples at 100 Hz


def test_nonlinlocs_line_is_exactly_this(tmp_path):
    write_picks([replace(FULL, sampling_rate=2000.0)], tmp_path / "p.obs")
    assert (tmp_path / "p.obs").read_text() == (
        "PB01   ?    ?    ? P      ? 20200101 0000 13.163000 GAU  2.50e-03 "
        "-1.00e+00 -1.00e+00 -1.00e+00\n"
    )


def test_nonlinloc_is_told_stations_of_several_networks_apart(tmp_path):
    path = tmp_path / "p.obs"
    ids = ["AA.S1..HH", "BB.S1..HH", "BB.S1.10.HN", "S1", "AA_S1", "CC.S2..HH", "CC.S3"]
    ids += ["CC.S3..HH"]
    with pytest.warns(RecordWarning, match="AA.S1 is AA_S1-2, BB.S1 is BB_S1; name them so"):
        write_picks([replace(FULL, station=name) for name in ids], path)
    assert sorted(tuple(line.split()[:2]) for line in path.read_text().splitlines()) == [
        ("AA_S1", "?"),
        ("AA_S1-2", "?"),
        ("BB_S1", "10HN"),
        ("BB_S1", "HH"),
        ("S1", "?"),
        ("S2", "?"),
        ("S3", "?"),
        ("S3", "HH"),
    ]
    with warnings.catch_warnings(action="error"):
        write_picks([FULL, replace(FULL, station="CX.PB01.10.HN")], path)


def test_gamma_and_pyocto_columns(tmp_path):
    write_picks([FULL, replace(FULL, station="XX.A.10.BH", phase="S")], tmp_path / "p.gamma.csv")
    assert (tmp_path / "p.gamma.csv").read_text() == (
        "id,timestamp,prob,type\n"
        "CX.PB01..HH,2020-01-01T00:00:13.163000,0.9877,p\n"
        "XX.A.10.BH,2020-01-01T00:00:13.163000,0.9877,s\n"
    )
    write_picks([FULL, replace(FULL, time=UTCDateTime(-1.25))], tmp_path / "p.pyocto.csv")
    assert (tmp_path / "p.pyocto.csv").read_text() == (
        "station,phase,time\nCX.PB01.,P,-1.250000\nCX.PB01.,P,1577836813.163000\n"
    )
