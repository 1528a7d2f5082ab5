"""Places that cannot be written to are refused, before any work is done."""

from __future__ import annotations

import os

import numpy as np
import pytest
from obspy import UTCDateTime
from records import write_station

from phasenet_keras import (
    Annotation,
    LabelledWaveform,
    Picker,
    Waveform,
    compare,
    evaluate,
    prepare,
    train,
    write_dataset,
    write_picks,
)
from phasenet_keras.cli import main
from phasenet_keras.io.annotations import write_annotations
from phasenet_keras.io.new_files import folder_to_write
from phasenet_keras.picking.files import StationResult
from phasenet_keras.plot import save_station_figure
from phasenet_keras.score_report import write_scores
from phasenet_keras.training.prepare import PrepareSettings
from phasenet_keras.training.pseudo_records import GatherTrace
from phasenet_keras.training.selftrain import self_train
from phasenet_keras.types import ConfigError

START = UTCDateTime(0)


def record(number, split):
    data = np.random.default_rng(number).standard_normal((600, 3))
    wave = Waveform(data, 100.0, START + 60 * number, ("E", "N", "Z"), f"XX.A{number}..HH")
    return LabelledWaveform(wave, {"P": 200}, f"r{number}", f"e{number}", split=split)


@pytest.fixture(scope="module")
def writers(spike_net, tmp_path_factory):
    """What writes to a place, by name; each would do its work before it finds out by itself."""
    records = [record(n, split) for n, split in enumerate(("train", "train", "dev", "test"))]
    data_set = tmp_path_factory.mktemp("in") / "set"
    write_dataset(records, data_set)
    picker = Picker(spike_net)
    picks, scores = picker.pick(records[0].waveform), evaluate(picker, records, bootstrap=0)
    station = StationResult("XX.A", [picker.pick_record(records[0].waveform)])
    probabilities = Annotation(np.zeros((9, 3)), ("N", "P", "S"), 100.0, START, "XX.A..HH")
    gathers = [GatherTrace("1", str(n), 10.0 * n, item) for n, item in enumerate(records)]
    return {
        "prepare": lambda place: prepare(data_set, place),
        "train": lambda place: train(spike_net, records[:2], records[2:3], place),
        "compare": lambda place: compare(spike_net, records, place),
        "self_train": lambda place: self_train(spike_net, records, gathers, place),
        "write_dataset": lambda place: write_dataset(records, place),
        "write_picks": lambda place: write_picks(picks, place, "csv"),
        "write_annotations": lambda place: write_annotations([probabilities], place),
        "write_scores": lambda place: write_scores(place, scores, {}),
        "save_station_figure": lambda place: save_station_figure(station, place),
        "save_preset": spike_net.save_preset,
    }  # fmt: skip


NAMES = (
    *("prepare", "train", "compare", "self_train", "write_dataset", "write_picks"),
    *("write_annotations", "write_scores", "save_station_figure", "save_preset"),
)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_place_is_refused(writers, name, tmp_path):
    (tmp_path / "file").write_text("mine")
    for place, text in (
        (None, "a text or a Path names a .*received NoneType"),
        (3, "a text or a Path names a .*received int"),
        ("", "a file name is empty; '.' names the working folder"),
        (tmp_path / "file" / "x", "file is a file, a folder|folder .*file does not exist"),
        (str(tmp_path / "file" / "x" / "y"), "file is a file, a folder|folder .*x does not exist"),
        (tmp_path / ("x" * 300), "a name of [0-9]+ bytes is too long for a "),
        (tmp_path / "new" / ("é" * 150) / "y", "a name of 300 bytes is too long for a .*é…"),
        (str(tmp_path / "a\0b"), "cannot be the name of a .*null"),
    ):
        with pytest.raises(ConfigError, match=text):
            writers[name](place)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "mine"


def test_a_link_that_leads_nowhere_is_no_file(tmp_path):
    (tmp_path / "link").symlink_to("gone")
    for place in (tmp_path / "link", tmp_path / "link" / "set"):
        with pytest.raises(ConfigError, match=r"link is a link to gone, which is not there, a fol"):
            folder_to_write(place)
    (tmp_path / "gone").mkdir()
    assert folder_to_write(tmp_path / "link" / "set") == tmp_path / "link" / "set"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_a_folder_without_permission_is_refused(tmp_path):
    (tmp_path / "closed").mkdir(mode=0o555)
    with pytest.raises(
        ConfigError, match=r"folder .*closed cannot be written to by user \d+: write elsewhere"
    ):
        folder_to_write(tmp_path / "closed" / "new" / "set")
    assert folder_to_write(tmp_path / "new" / "set") == tmp_path / "new" / "set"


def test_advice_is_for_python_too(tmp_path):
    records = [record(n, split) for n, split in enumerate(("train", "dev", "test"))]
    for name in ("one", "two"):
        write_dataset(records, tmp_path / name)
    with pytest.raises(ConfigError, match=r"--overwrite \(in Python overwrite=True\)$"):
        prepare(tmp_path / "one", tmp_path / "two")
    with pytest.raises(ConfigError, match=r"leave out --labels a\.csv \(in Python labels=\)$"):
        prepare(tmp_path / "one", tmp_path / "three", "a.csv")
    with pytest.raises(ConfigError, match=r"give --window-s \(in Python window_s=\)$"):
        PrepareSettings(random_position=True)
    with pytest.raises(ConfigError, match=r"settings is a PrepareSettings, received dict: Prepare"):
        prepare(tmp_path / "one", tmp_path / "three", settings={"seed": 1})


SPLIT = ("train", "dev", "test")
OTHERS = {
    "thesis": {"thesis.tex": "mine", "data.csv": "a,b\n"},
    "table": {"metadata.csv": "sample,age\n1,2\n"},
    "waveforms": {"waveforms.hdf5": "no HDF5"},
    "chunks": {"chunks": "of wood"},
    "stage": {".prepare/mine.txt": "mine"},
    "settings": {"config.json": '{"model_type": "bert"}', "settings.json": "[]"},
    "note": {"prepare.json": '{"mine": 1}', "examples.png": "mine"},
    "run": {"report.md": "mine", "best/preset.json": "{}", "round_1/notes.txt": "mine"},
}


def held(folder):
    return {path: path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", OTHERS)
def test_a_folder_of_somebody_else_is_left_as_it_is(kind, tmp_path, parent, capsys):
    write_dataset([record(n, SPLIT[n % 3]) for n in range(9)], tmp_path / "set")
    write_station(tmp_path / "day.mseed")
    labels = tmp_path / "labels.csv"
    labels.write_text("fname,p_time_s\nday.mseed,10\n")
    folder = tmp_path / "folder"
    for name, text in OTHERS[kind].items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    before = held(folder)
    data, output = str(tmp_path / "set"), ["--output", str(folder)]
    preset = ["--preset", parent, "--epochs", "1"]
    orders = [["prepare", data, *output], ["prepare", data, *output, "--overwrite"]]
    if kind != "stage":  # hidden: it is in nobody's way
        waveforms = [str(tmp_path / "day.mseed"), "--labels", str(labels)]
        orders += [["train", data, *output, *preset], ["train", *waveforms, *output, *preset]]
        orders += [["compare", data, *output, *preset, "--strategies", "finetune"]]
    for order in orders:
        assert main(order) == 2, order
        said = " ".join(capsys.readouterr().err.split())
        assert "name another folder" in said or "name an empty or a new folder" in said
        assert held(folder) == before


def test_what_others_put_beside_a_data_set_or_into_a_run_is_no_reason_to_refuse(tmp_path, parent):
    write_dataset([record(n, SPLIT[n % 3]) for n in range(9)], tmp_path / "set")
    config = tmp_path / "config.json"
    config.write_text(
        '{"window_samples": 256, "windows_per_record": 4, "refit": false, "epochs": 1}'
    )
    run, made = tmp_path / "run", tmp_path / "made"
    train = ["train", str(tmp_path / "set"), "--preset", parent, "--config", str(config)]
    prepare = ["prepare", str(tmp_path / "set"), "--output", str(made), "--overwrite"]
    train += ["--output", str(run)]
    for folder, orders in (
        (run, [train, train]),
        (made, [prepare, prepare, [*prepare, "--seed", "5"]]),
    ):
        assert main(orders[0]) in (0, 1)
        (folder / "notes.txt").write_text("mine")
        for order in orders[1:]:
            assert main(order) in (0, 1)
            assert (folder / "notes.txt").read_text() == "mine"
