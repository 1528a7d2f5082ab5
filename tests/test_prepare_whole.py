"""`phasenet-keras prepare`: data sets that are whole or are none, whatever comes between."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from sources import labelled, run, write_text_files

from phasenet_keras.io.hdf5_files import _DiskFile, new_hdf5
from phasenet_keras.io.parts import BadRow
from phasenet_keras.io.seisbench import read_dataset, write_dataset
from phasenet_keras.picking.one_run import only_run
from phasenet_keras.training.prepare import PrepareSettings, prepare
from phasenet_keras.types import ConfigError, FormatError

N = 12
KILLED = 9
ROOT = str(Path(__file__).resolve().parents[1])


@pytest.fixture
def lines(tmp_path):
    write_text_files(tmp_path / "raw", [f"t{n}.txt" for n in range(N)])
    (tmp_path / "l.csv").write_text("itp\n" + "100\n" * N)
    return [tmp_path / "raw", "--labels", tmp_path / "l.csv", "--output", tmp_path / "set"]


def cut(path, n_bytes):
    path.write_bytes(path.read_bytes()[:n_bytes])


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: cut(folder / "waveforms.hdf5", 1000), "had 1000 bytes"),
        (lambda folder: (folder / "waveforms.hdf5").unlink(), "waveforms.hdf5 was not there"),
        (lambda folder: (folder / "metadata.csv").unlink(), "metadata.csv was not there"),
        (lambda folder: cut(folder / "metadata.csv", 700), "ended in the midst of a row"),
    ],
)
def test_a_damaged_data_set_is_built_anew(lines, tmp_path, damage, said, capsys):
    assert run(*lines) == 0
    damage(tmp_path / "set")
    capsys.readouterr()
    assert run(*lines) == 0
    out = capsys.readouterr().out
    assert f"{said}" in out
    assert "built anew" in out
    assert len(read_dataset(tmp_path / "set")) == N
    assert run(*lines) == 0
    assert f"is complete, nothing to do ({N} records" in capsys.readouterr().out


def test_a_table_edited_by_hand_is_kept(lines, tmp_path, capsys):
    assert run(*lines) == 0
    path = tmp_path / "set/metadata.csv"
    table = pd.read_csv(path)
    table.assign(split="train").to_csv(path, index=False)
    assert run(*lines) == 0
    assert {record.split for record in read_dataset(tmp_path / "set")} == {"train"}
    table[:8].to_csv(path, index=False)
    capsys.readouterr()
    assert run(*lines) == 2
    assert "holds 8 records, 12 were written" in " ".join(capsys.readouterr().err.split())
    assert len(read_dataset(tmp_path / "set")) == 8
    assert run(*lines, "--overwrite") == 0
    assert len(read_dataset(tmp_path / "set")) == N


def test_an_edited_table_without_its_last_newline_is_whole(lines, tmp_path, capsys):
    assert run(*lines) == 0
    path = tmp_path / "set/metadata.csv"
    edited = path.read_text().replace(",train,", ",dev,")
    path.write_text(edited.rstrip("\n"))
    capsys.readouterr()
    assert run(*lines) == 0
    assert "is complete, nothing to do" in capsys.readouterr().out
    assert path.read_text() == edited.rstrip("\n")
    assert "train" not in {record.split for record in read_dataset(tmp_path / "set")}


def test_the_table_of_a_damaged_data_set_is_kept(lines, tmp_path, capsys):
    assert run(*lines) == 0
    path = tmp_path / "set/metadata.csv"
    written = path.read_text()
    path.write_text(edited := written.replace(",train,", ",dev,"))
    cut(tmp_path / "set/waveforms.hdf5", 1000)
    capsys.readouterr()
    assert run(*lines) == 0
    assert "set/metadata.csv.old" in "".join(capsys.readouterr().out.split())
    assert (tmp_path / "set/metadata.csv.old").read_text() == edited
    assert path.read_text() == written
    assert len(read_dataset(tmp_path / "set")) == N


def killed_at(name, *arguments):
    """Run `prepare` in a process that ends, as if killed, where a file is to get this name."""
    code = (
        "import os, sys\nreplace = os.replace\n"
        "def until(source, target):\n"
        f"    if os.path.basename(target) == '{name}':\n        os._exit({KILLED})\n"
        "    replace(source, target)\n"
        "os.replace = until\n"
        "from phasenet_keras.cli import main\nmain(['prepare', *sys.argv[1:]])\n"
    )
    environment = {**os.environ, "PYTHONPATH": ROOT}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    assert subprocess.run(command, env=environment).returncode == KILLED


@pytest.mark.parametrize("name", ["waveforms.hdf5", "metadata.csv", "prepare.json"])
def test_killed_in_the_end_it_goes_on(lines, tmp_path, name, capsys):
    killed_at(name, *lines)
    assert not (tmp_path / "set/prepare.json").exists()
    capsys.readouterr()
    assert run(*lines) == 0
    assert f"{N} records (split by block) written" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "set").iterdir() if path.name[0] != "."} == {
        *("examples.png", "metadata.csv", "prepare.json", "waveforms.hdf5")
    }
    assert not (tmp_path / "set/.prepare").exists()


@pytest.mark.parametrize("name", ["waveforms.hdf5", "metadata.csv"])
def test_killed_amid_two_data_sets_there_is_none(lines, tmp_path, name):
    """Old labels beside new samples would be read without a word."""
    assert run(*lines) == 0
    anew = [*lines, "--resample-hz", 1000]
    killed_at(name, *anew, "--overwrite")
    with pytest.raises(FormatError, match="is no data set"):
        read_dataset(tmp_path / "set")
    assert run(*anew) == 0  # what was allowed to begin may go on
    assert [record.waveform.n_samples for record in read_dataset(tmp_path / "set")] == [200] * N


def test_two_runs_do_not_write_to_one_folder(lines, tmp_path, capsys):
    with only_run(tmp_path / "set"):
        assert run(*lines) == 2
    assert "set is being written by another run" in capsys.readouterr().err
    assert run(*lines) == 0


def test_inputs_in_the_output_are_refused(lines, tmp_path, capsys):
    assert run(*lines) == 0
    other = tmp_path / "other"
    write_dataset([labelled(1)], other)
    before = (other / "metadata.csv").read_bytes()
    (tmp_path / "link").symlink_to(other)
    for labels in (other / "metadata.csv", tmp_path / "link/metadata.csv"):
        arguments = [tmp_path / "raw", "--labels", labels, "--output", other, "--overwrite"]
        assert run(*arguments) == 2
        assert "name a folder of its own with --output" in capsys.readouterr().err
    (other / "raw").symlink_to(tmp_path / "raw")
    write_text_files(other / "rec", ["a.txt"])
    assert run(other / "rec", *lines[1:3], "--output", other, "--overwrite") == 2
    assert (other / "metadata.csv").read_bytes() == before


def test_an_output_that_is_a_file_is_refused(lines, tmp_path, capsys):
    (tmp_path / "afile").write_text("mine")
    for output in (tmp_path / "afile", tmp_path / "afile/set"):
        assert run(*lines[:3], "--output", output) == 2
        assert "afile is a file, a folder is wanted" in capsys.readouterr().err


def test_windows_of_a_few_samples_are_refused(tmp_path, capsys):
    write_dataset([labelled(n, split="train") for n in range(3)], tmp_path / "in")
    with pytest.raises(ConfigError, match="seed is a whole number from 0"):
        PrepareSettings(seed=-1)
    made = prepare(tmp_path / "in", tmp_path / "set", settings=PrepareSettings(window_s=0.001))
    assert made.facts == []
    assert made.bad[0] == BadRow(
        None, "r0: a window of 0.001 s has 0 samples at 100 Hz: give at least 0.16 s"
    )
    made = prepare(tmp_path / "in", tmp_path / "set", settings=PrepareSettings(window_s=0.16))
    assert len(made.facts) == 3


def test_a_disk_that_is_full_is_said_once(lines, tmp_path):
    """A limit on the size of files stands for it: HDF5 ends the process after a failed write."""
    code = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n"
        "from phasenet_keras.cli import main\nsys.exit(main(['prepare', *sys.argv[1:]]))\n"
    )
    environment = {**os.environ, "PYTHONPATH": ROOT}
    command = [sys.executable, "-c", code, *map(str, lines)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 2, result.stderr
    assert result.stderr.count("\n") == 1
    assert "File too large: " in result.stderr
    assert "part00000.hdf5" in result.stderr
    assert not (tmp_path / "set/.prepare/part00000.hdf5").exists()
    assert run(*lines) == 0
    assert len(read_dataset(tmp_path / "set")) == N


def test_what_a_full_disk_has_kept_is_said(lines, tmp_path, monkeypatch, capsys):
    """The first file is that of what was read, the second that of the data set."""
    write, files = _DiskFile.write, []

    def fill(self, data):
        if self.name not in files:
            files.append(self.name)
        if len(files) == 2:
            self.error = OSError(errno.ENOSPC, "No space left on device")
        return write(self, data)

    monkeypatch.setattr(_DiskFile, "write", fill)
    assert run(*lines) == 2
    folder = tmp_path / "set"
    [line] = capsys.readouterr().err.splitlines()
    unfinished = rf"{folder}/\.waveforms\.hdf5-part"
    assert re.fullmatch(
        rf"phasenet-keras: error: {unfinished} cannot be written, its disk is full "
        rf"\([\d.e+]+ MB were left for it\): make room and give the same command again\. What was "
        rf"read until then is kept in {folder}/\.prepare",
        line,
    )
    assert (folder / ".prepare/part00000.hdf5").is_file()
    monkeypatch.undo()
    assert run(*lines) == 0
    assert not (folder / ".prepare").exists()


def test_a_file_that_could_not_be_written_is_removed(tmp_path):
    path = tmp_path / "a.hdf5"
    with pytest.raises(KeyError, match="nowhere"), new_hdf5(path) as new:
        new.file["nowhere"]
    assert not path.exists()
    with new_hdf5(path) as new:
        new.file["x"] = [1.0]
    assert path.exists()
