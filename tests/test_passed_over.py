"""What lies among waveforms: metadata is passed over and said once; hidden waveforms are taken."""

from __future__ import annotations

import pytest
from obspy import read, read_inventory
from obspy.core.event import Catalog, Event
from records import write_station
from sources import by_name
from sources import run as prepare

from phasenet_keras.cli import main
from phasenet_keras.io.index import expand_paths
from phasenet_keras.io.metadata_files import metadata_kind
from phasenet_keras.io.registry import NoWaveformError, reader_of
from phasenet_keras.io.tables import read_picks
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


def test_hidden_files_are_taken_if_they_are_waveforms(preset, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "in"
    (folder / ".trash").mkdir(parents=True)
    for code in "ENZ":
        for name in (f".RJOB..EH{code}.sac", f".trash/RJOB.EH{code}.sac", f"._RJOB.EH{code}.sac"):
            read().select(component=code)[0].write(str(folder / name), format="SAC")
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
    assert "1 stations" in capsys.readouterr().out


def test_hidden_codes_give_picks(preset, tmp_path):
    write_station(tmp_path / ".AA..HHZ.mseed")
    out = tmp_path / "p.csv"
    assert main(["pick", str(tmp_path), "--preset", preset, "--output", str(out)]) == 0
    assert [pick.source for pick in read_picks(out)] == [".AA..HHZ.mseed"]
