"""What lies among waveforms: metadata is passed over and said once; what is hidden is none."""

from __future__ import annotations

import bz2
import gzip
import lzma
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from obspy import read, read_inventory
from obspy.core.event import Catalog, Event
from records import START, write_station
from sources import by_name
from sources import run as prepare

from phasenet_keras.cli import main
from phasenet_keras.io.index import expand_paths
from phasenet_keras.io.no_waveforms import metadata_kind
from phasenet_keras.io.registry import (
    NoWaveformError,
    RecordWarning,
    UnknownFormatError,
    read_stream,
    reader_of,
)
from phasenet_keras.io.tables import read_picks
from phasenet_keras.io.waveforms import read_waveforms
from phasenet_keras.types import FormatError

DATALESS = b"000001V 010009402.3121970,001,00:00:00.0000~2038,001,00:00:00.0000~"
RESP = b"#\n# <station>\nB050F03     Station:     RJOB\nB050F16     Network:     BW\n"


def write_metadata(folder):
    folder.mkdir(exist_ok=True)
    read_inventory().write(str(folder / "inventory.xml"), format="STATIONXML")
    Catalog([Event()]).write(str(folder / "events"), format="QUAKEML")
    (folder / "dataless.BW").write_bytes(DATALESS.ljust(4096))
    (folder / "RESP.BW.RJOB..EHZ").write_bytes(RESP)
    (folder / "stations.csv").write_text("station,latitude,longitude\nRJOB,47.7,12.8\n")
    (folder / "README.txt").write_text("How these records were made.\n")
    return folder


def test_metadata_is_known_by_its_content(tmp_path):
    kinds = {}
    for path in write_metadata(tmp_path).iterdir():
        with pytest.raises(NoWaveformError, match="is no waveform") as caught:
            reader_of(path)
        kinds[path.name] = caught.value.kind
    assert kinds == {
        "inventory.xml": "StationXML",
        "events": "QuakeML",
        "dataless.BW": "dataless SEED",
        "RESP.BW.RJOB..EHZ": "a SEED response (RESP)",
        "stations.csv": "a table",
        "README.txt": "a note",
    }
    # An oscilloscope's table is a waveform of a form that is not known: no metadata.
    (tmp_path / "scope.csv").write_text("time,channel A\n(s),(V)\n0.0,0.1\n")
    with pytest.raises(FormatError, match="of no format known here") as caught:
        reader_of(tmp_path / "scope.csv")
    assert not isinstance(caught.value, NoWaveformError)
    assert metadata_kind(tmp_path / "README", b"\0\1") == ""


SPECFEM_INPUTS = {
    "Par_file": "# job\ntitle = run\nNSTEP = 8400\n",
    "SOURCE": "# source 1\nsource_surf = .true.   # moved\nxs = 14.0\n",
    "STATIONS": "S0001    AA   18.0   0.0   0.0   0.0\n",
    "interfaces_topo.dat": "# number of interfaces\n 2\n2\n0. -26.\n96. -26.\n",
    "for_information_SOURCE_actually_used": "   14.0     0.0\n   15.0     0.0\n",
    "for_information_STATIONS_actually_used": "S0001    AA   18.0   0.0   0.0   0.0\n",
    "output_list_stations.txt": "S0001      AA      18.000     -1.0e+00\n",
}


def test_inputs_of_specfem_are_passed_over_and_files_of_such_names_are_not(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for name, text in SPECFEM_INPUTS.items():
        (folder / name).write_text(text)
        with pytest.raises(NoWaveformError, match="is no waveform, but an input of SPECFEM2D"):
            reader_of(folder / name)
    write_station(folder / "a.mseed")
    with pytest.warns(RecordWarning, match="7 files are no waveforms, and passed over: Par_file"):
        assert {wave.station for wave in read_waveforms(folder)} == {"XX.AA..HH"}
    for name in SPECFEM_INPUTS:
        (folder / name).write_text("0.00 1.5\n0.01 1.7\n0.02 1.9\n")
    (folder / "for_information_SOURCE_actually_used").unlink()
    read = {wave.station for wave in read_waveforms(folder)}
    assert read == {Path(name).stem for name in SPECFEM_INPUTS if "SOURCE_" not in name} | {
        "XX.AA..HH"
    }


def test_warnings_are_shown_at_the_line_that_reads(tmp_path):
    write_station(tmp_path / "a.mseed")
    (tmp_path / "b.mseed").write_bytes((tmp_path / "a.mseed").read_bytes()[:-100])
    (tmp_path / "README.md").write_text("# notes\n")
    with pytest.warns(RecordWarning) as caught:
        read_waveforms(tmp_path)
    said = {str(item.message).partition(": ")[2].partition(":")[0] for item in caught}
    assert {"truncated", "README.md (a note)"} <= said
    assert {item.filename for item in caught} == {__file__}


def test_words_of_other_libraries_are_not_shown(tmp_path):
    # ObsPy takes any text of so many short lines for SACXY, and makes an array of them.
    lines = ["# interfaces", "6"] + ["# next", "2", "0.0 -30.0", "95.0 -30.0"] * 6 + ["# rest", "6"]
    (tmp_path / "layers.dat").write_text("\n".join(lines + ["3", "3", "2", "3"]))
    with pytest.raises(FormatError) as caught:
        read_stream(tmp_path / "layers.dat")
    assert str(caught.value) == f"{tmp_path / 'layers.dat'} is damaged or no SACXY"


def test_the_order_in_which_formats_are_tried_depends_on_no_import():
    """Blocks of archives may be of miniSEED 3: its reader came first where they were imported."""
    code = "from phasenet_keras.io import blocks, registry\n"
    code += "print(*[reader.name for reader in registry.readers()][:7], sep='; ')"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    wanted = "PhaseNet npz; text of columns; text of columns, a sensor each; SeisBench; HDF5; "
    wanted += "miniSEED 3; miniSEED"
    assert said.stdout.strip() == wanted


def test_a_file_of_no_known_format_is_said_in_a_line(tmp_path):
    (tmp_path / "obs.log").write_text("a b c\n")
    with pytest.raises(UnknownFormatError) as caught:
        reader_of(tmp_path / "obs.log")
    assert "SeisBench, HDF5, miniSEED, SAC, …; docs/reference/formats.md lists" in str(caught.value)
    assert len(str(caught.value)) < 140 + len(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "content", "packing"),
    [
        ("a.mseed.gz", gzip.compress(b"0" * 99, mtime=0), "gzip"),
        ("a.sac.bz2", bz2.compress(b"0" * 99), "bzip2"),
        ("a.xz", lzma.compress(b"0" * 99), "xz"),
        ("a.zip", b"PK\x03\x04" + bytes(99), "zip"),
        ("a.tar", tarfile.TarInfo("a.mseed").tobuf() + bytes(1024), "tar"),
    ],
    ids=["gzip", "bzip2", "xz", "zip", "tar"],  # and not bytes, in which a time may be
)
def test_an_archive_is_to_be_unpacked_first(tmp_path, name, content, packing):
    (tmp_path / name).write_bytes(content)
    words = rf"{name} is packed \({packing}\): unpack it first$"
    with pytest.raises(UnknownFormatError, match=words):
        read_stream(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "a.ms3",
            b"MS\x03\x04" + bytes(4096),
            r"miniSEED 3, .* pip install 'phasenet-keras\[mseed3\]', or make miniSEED 2 of it",
        ),
        ("a.tdms", b"TDSm" + bytes(99), "a TDMS file, which npTDMS reads"),
    ],
)
def test_of_a_known_format_that_is_not_read_it_is_said_what_to_do(
    monkeypatch, tmp_path, name, content, words
):
    monkeypatch.setitem(sys.modules, "pymseed", None)  # as if it were not installed
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnknownFormatError, match=words):
        read_stream(tmp_path / name)


@pytest.mark.parametrize("verb", ["pick", "plot", "annotate"])
def test_metadata_in_a_folder_is_no_failure(preset, verb, tmp_path, capsys):
    folder = write_metadata(tmp_path / "in")
    write_station(folder / "a.mseed")
    options = {
        "pick": ["pick", "--output", tmp_path / "p.csv"],
        "plot": ["pick", "--output", tmp_path / "p.csv", "--plot", tmp_path / "figures"],
        "annotate": ["annotate", "--output", tmp_path / "npz"],
    }[verb]
    order = [*map(str, options), "--preset", preset]
    for sources in ([folder], [folder / "*"], [folder, folder / "a.mseed"]):
        assert main([*order, *map(str, sources)]) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert said.count("note") == 1 + said.count("a note)")
        assert "note 6 files are no waveforms, and passed over: " in said
        assert "inventory.xml (StationXML)" in said
        assert "failed" not in said
    assert main([*order, str(folder), str(folder / "inventory.xml")]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert f"failed {folder / 'inventory.xml'} is no waveform, but StationXML" in said
    assert "note 5 files are no waveforms" in said
    assert main([*order, str(folder / "inventory.xml")]) == 2


def test_metadata_among_records_of_a_data_set(tmp_path, capsys):
    folder = write_metadata(tmp_path / "in")
    for number in range(3):
        stream = read()
        for trace in stream:
            trace.stats.starttime += 1000 * number
            trace.data = trace.data + number
        stream.write(str(folder / f"{number}.mseed"), format="MSEED")
    rows = [f"RJOB,P,{read()[0].stats.starttime + 1000 * n + 4.71}" for n in range(3)]
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join(["station,phase,time", *rows]) + "\n")
    assert prepare(folder, "--labels", labels, "--output", tmp_path / "set") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "note 6 files are no waveforms, and passed over: " in said
    assert [r.arrivals for r in by_name(tmp_path / "set").values()] == [{"P": (471.0,)}] * 3
    order = ["--labels", labels, "--output", tmp_path / "other"]
    assert prepare(folder / "inventory.xml", *order) == 2
    assert "a file is no waveform, and passed over: inventory.xml" in capsys.readouterr().err


def test_hidden_files_are_taken_if_an_empty_network_hides_them(
    preset, tmp_path, monkeypatch, capsys
):
    folder = tmp_path / "in"
    (folder / ".trash").mkdir(parents=True)
    for code in "ENZ":
        for name in (f".RJOB..EH{code}.sac", f".trash/RJOB.EH{code}.sac", f"._RJOB.EH{code}.sac"):
            trace = read().select(component=code)[0]
            trace.stats.network = ""
            trace.write(str(folder / name), format="SAC")
    read().write(str(folder / "a.mseed"), format="MSEED")
    content = (folder / "a.mseed").read_bytes()
    (folder / "a.mseed").unlink()
    # Copies on their way, of rsync, of our own, of NFS and others.
    for name in (".a.mseed.AbC123", ".a.mseed-x7fg_1", ".nfs0001", ".b.sac.filepart", ".a.mseed~"):
        (folder / name).write_bytes(content)
    (folder / ".x.mseed.swp").write_bytes(content)
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1" + bytes(6140))
    (folder / ".a.mseed.swp").write_bytes(b"b0VIM 9.0\0" + bytes(4086))
    (folder / ".notes").write_text("notes\n")
    names = [f".RJOB..EH{code}.sac" for code in "ENZ"]
    patterns = (folder, folder / "*", folder / "*.sac", folder / "**", tmp_path / "*", "i?/*Z.sac")
    monkeypatch.chdir(tmp_path)
    for source in patterns:
        found = [path.name for path in expand_paths([source])]
        assert found == (names[2:] if source == "i?/*Z.sac" else names)
    monkeypatch.chdir(folder)
    assert [str(path) for path in expand_paths(["*"])] == names
    assert main(["pick", ".", "--preset", preset, "--output", str(tmp_path / "p.csv")]) in (0, 2)
    assert "1 station, " in capsys.readouterr().out


def test_hidden_codes_give_picks(preset, tmp_path):
    write_station(tmp_path / ".AA..HHZ.mseed", network="")
    out = tmp_path / "p.csv"
    assert main(["pick", str(tmp_path), "--preset", preset, "--output", str(out)]) == 0
    assert [pick.source for pick in read_picks(out)] == [".AA..HHZ.mseed"]


def test_a_damaged_volume_of_data_is_not_dataless(preset, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    read()[:1].slice(endtime=read()[0].stats.starttime + 2).write(
        str(tmp_path / "d.mseed"), format="MSEED", reclen=4096
    )
    data = (tmp_path / "d.mseed").read_bytes()
    volume = tmp_path / "in" / "full.seed"
    volume.write_bytes(DATALESS.ljust(4096) + data)
    assert reader_of(volume).name == "miniSEED"
    volume.write_bytes(DATALESS.ljust(4096) + bytes(60) + data[60:])
    with pytest.raises(FormatError, match="of no format known here") as caught:
        reader_of(volume)
    assert not isinstance(caught.value, NoWaveformError)
    write_station(tmp_path / "in" / "a.mseed")
    order = ["--preset", preset, "--output", str(tmp_path / "p.csv")]
    assert main(["pick", str(tmp_path / "in"), *order]) == 1
    assert "full.seed" in capsys.readouterr().out
    # Names of sites have letters of all languages.
    volume.write_bytes(DATALESS.ljust(4096) + b"000002S 050Sion, Vall\xe9e".ljust(4096))
    with pytest.raises(NoWaveformError, match="dataless SEED"):
        reader_of(volume)


def test_folders_with_metadata_are_read_and_named_metadata_is_refused(tmp_path):
    folder = write_metadata(tmp_path / "in")
    with pytest.raises(FormatError, match="6 files are no waveforms"):
        read_waveforms(folder)
    write_station(folder / "a.mseed")
    for source in (folder, folder / "*", [folder, folder / "a.mseed"]):
        with pytest.warns(RecordWarning, match="6 files are no waveforms") as caught:
            waves = read_waveforms(source)
        assert len(caught) == 1
        assert {wave.station for wave in waves} == {"XX.AA..HH"}
    with pytest.raises(NoWaveformError, match=r"inventory.xml is no waveform, but StationXML"):
        read_waveforms([folder / "a.mseed", folder / "inventory.xml"])


def test_a_damaged_file_of_a_folder_is_passed_over_and_a_named_one_refused(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    read()[:1].write(str(folder / "b.sac"), format="SAC")
    (folder / "0.mseed").touch()
    (folder / "a.sac").write_bytes((folder / "b.sac").read_bytes()[:2000])
    for source in (folder, folder / "*"):
        with pytest.warns(RecordWarning) as caught:
            [wave] = read_waveforms(source)
        assert wave.source == "b.sac"
        said = [str(item.message).partition(":")[0] for item in caught]
        assert said == [f"{folder}/0.mseed is empty", f"{folder}/a.sac is damaged or no SAC"]
    with pytest.raises(FormatError, match=r"a\.sac is damaged or no SAC"):
        read_waveforms([folder / "b.sac", folder / "a.sac"])
    (folder / "b.sac").unlink()
    with pytest.raises(FormatError, match=r"a\.sac is damaged or no SAC"):
        read_waveforms(folder)


def test_text_of_any_kind_in_a_folder_is_passed_over_and_named_text_refused(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("README.txt", "notes.csv", "LICENSE"):
        (folder / name).write_text("so and, so\nthis, that\n")
    with pytest.raises(FormatError, match=r"notes\.csv is of no format known here"):
        read_waveforms(folder)
    write_station(folder / "a.mseed")
    with pytest.warns(RecordWarning) as caught:
        [wave] = read_waveforms(folder)
    assert wave.station == "XX.AA..HH"
    said = [str(item.message) for item in caught]
    assert said[0] == "a file is no waveform, and passed over: README.txt (a note)"
    assert [text.partition(" (")[0] for text in said[1:]] == [
        f"{folder / name} is of no format known here" for name in ("LICENSE", "notes.csv")
    ]
    with pytest.raises(UnknownFormatError, match=r"notes\.csv is of no format known here"):
        read_waveforms([folder / "a.mseed", folder / "notes.csv"])


def test_metadata_has_no_row_in_a_table_in_the_order_of_the_files(tmp_path, capsys):
    folder = write_metadata(tmp_path / "in")
    for number in range(3):
        options = {"height": 30.0 + number, "starttime": START + 1000 * number}
        write_station(folder / f"{number}.mseed", station=f"A{number}", **options)
    table = tmp_path / "labels.csv"
    table.write_text("p_sample,event\n900,a\n1000,b\n1100,c\n")
    assert prepare(folder, "--labels", table, "--output", tmp_path / "set") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("6 files are no waveforms, and passed over: ") == 1
    found = {r.waveform.station: r.arrivals for r in by_name(tmp_path / "set").values()}
    assert found == {f"XX.A{n}..HH": {"P": (900.0 + 100 * n,)} for n in range(3)}
