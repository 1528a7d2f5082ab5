"""Archives: runs that are stopped, killed or out of disk go on where they were."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from archives import MIDNIGHT, keys, run, station, write_sds
from records import past_headers, write_station

from phasenet_keras.cli import main
from phasenet_keras.io.tables import read_picks
from phasenet_keras.picking import parts as parts_module
from phasenet_keras.picking.archive import StationSummary, pick_archive
from phasenet_keras.picking.files import Progress
from phasenet_keras.picking.one_run import LOCK, only_run
from phasenet_keras.picking.parts import PartFolder
from phasenet_keras.types import ConfigError, PhaseNetKerasError


def test_the_headers_of_an_archive_are_told_of_as_they_are_read(picker, tmp_path):
    """It takes a minute for a year of a network."""
    root = write_sds(tmp_path / "sds", station())
    events = pick_archive(picker, [root], PartFolder(tmp_path / "parts"))
    told = [e for e in events if isinstance(e, Progress)]
    assert told[:6] == [Progress(number, 6, "reading headers") for number in range(6)]
    assert {event.what for event in told[6:]} == {"picking"}
    assert (told[6].done, told[-1].done) == (0, told[6].total)


def test_a_stopped_run_goes_on_where_it_was(picker, tmp_path):
    """Stopped after every block in turn, with its state: the same picks, and no block twice."""
    root = write_sds(tmp_path / "sds", station())
    options = {"block_bytes": 8192, "part_s": 30}
    undisturbed, events = run(picker, [root], tmp_path / "whole", **options)
    n_events = len(events)
    for _ in range(200):
        folder = PartFolder(tmp_path / "parts")
        run_now = pick_archive(picker, [root], folder, **options)
        done = [past_headers(run_now).done]
        for event in run_now:
            if isinstance(event, StationSummary):
                break
            done.append(event.done)
            if len(done) > 2 + len(list((tmp_path / "parts").glob("*.csv"))):
                break
        else:
            break
        is_over = isinstance(event, StationSummary)
        run_now.close()
        if is_over:
            break
    again, repeated = run(picker, [root], tmp_path / "parts", **options)
    assert keys(again) == keys(undisturbed)
    assert keys(again) == keys(picker.pick(station()))
    assert [p.amplitude for p in again] == [p.amplitude for p in undisturbed]
    assert len(repeated) == n_events
    assert not list((tmp_path / "parts").glob("*.state"))


def test_killed_after_any_block_a_run_ends_the_same(picker, tmp_path):
    """What lies on the disk after each block is all that a killed run leaves."""
    root = write_sds(tmp_path / "sds", station())
    options = {"block_bytes": 16_384, "part_s": 60}
    folder, seen = tmp_path / "parts", {}
    events = pick_archive(picker, [root], PartFolder(folder), **options)
    for event in events:
        content = {path.name: path.read_bytes() for path in folder.glob("*")}
        seen.setdefault(frozenset(content), content)
        last = event
    whole = PartFolder(folder)
    list(pick_archive(picker, [root], whole, **options))
    assert isinstance(last, StationSummary)
    assert len(seen) > 5
    assert max(len(data) for left in seen.values() for data in left.values()) < 3_000_000
    for number, left in enumerate(seen.values()):
        killed = tmp_path / f"killed{number}"
        killed.mkdir()
        for name, data in left.items():
            (killed / name).write_bytes(data)
        ours, _ = run(picker, [root], killed, **options)
        assert ours == whole.picks()


def test_a_run_of_other_code_is_begun_anew(picker, tmp_path, monkeypatch):
    """Its state may hold what this code has no more: with one of an earlier commit it crashed."""
    root = write_sds(tmp_path / "sds", station())
    options = {"block_bytes": 8192, "part_s": 30}
    whole, _ = run(picker, [root], tmp_path / "whole", **options)
    of_other = PartFolder(tmp_path / "parts")
    with monkeypatch.context() as patched:
        patched.setattr("phasenet_keras.picking.archive.digest_of_code", lambda: "other")
        stopped = pick_archive(picker, [root], of_other, **options)
        n_done = next(e.done for e in stopped if getattr(e, "done", 0) and e.what == "picking")
        stopped.close()
    assert n_done == 1
    [state] = (tmp_path / "parts").glob("*.state")
    state.write_bytes(b"of a class that is not there")
    picks, _ = run(picker, [root], tmp_path / "parts", **options)
    assert [(p.time, p.phase) for p in picks] == [(p.time, p.phase) for p in whole]


def test_code_of_another_commit_is_told_from_this(tmp_path):
    package = Path(parts_module.__file__).parents[1]
    copy = shutil.copytree(package, tmp_path / package.name)

    def digest():
        code = "from phasenet_keras.picking import parts; print(parts.digest_of_code())"
        order = [sys.executable, "-c", code]
        made = subprocess.run(order, cwd=tmp_path, capture_output=True, text=True, check=True)
        return made.stdout.strip()

    assert digest() == parts_module.digest_of_code()
    (copy / "io/assembly.py").write_text((copy / "io/assembly.py").read_text() + "# changed\n")
    assert digest() != parts_module.digest_of_code()


def test_finished_groups_are_not_read_again(picker, tmp_path, monkeypatch):
    write_sds(tmp_path / "sds", station() + station("BBB"))
    first, _ = run(picker, [tmp_path / "sds"], tmp_path / "p")
    monkeypatch.setattr("phasenet_keras.picking.archive.read_block", None)
    again, events = run(picker, [tmp_path / "sds"], tmp_path / "p")
    assert keys(again) == keys(first)
    assert len([e for e in events if isinstance(e, StationSummary)]) == 2


def test_a_state_cannot_run_commands(picker, tmp_path):
    import pickle

    parts = PartFolder(tmp_path).group("g")
    parts.save([], [], 1, {"a": np.arange(3)})
    assert parts.state(())["a"].tolist() == [0, 1, 2]

    class Bad:
        def __reduce__(self):
            return (os.system, ("true",))

    (tmp_path / "g-00001.state").write_bytes(pickle.dumps(Bad()))
    with pytest.raises(pickle.UnpicklingError, match="does not hold"):
        parts.state(())


def test_a_full_disk_is_one_clear_error_and_finished_parts_stay(
    preset, tmp_path, monkeypatch, capsys
):
    for name in ("AA", "BBB"):
        write_sds(tmp_path / "sds", station(name))
    out = tmp_path / "picks.csv"
    command = ["pick", str(tmp_path / "sds"), "--preset", preset, "--output", str(out)]
    original, calls = parts_module.beside_then_rename, []

    def full(path, mode="w"):
        calls.append(path)
        if len(calls) > 1:  # the first group's picks
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(path, mode)

    monkeypatch.setattr(parts_module, "beside_then_rename", full)
    assert main(command) == 2
    error = capsys.readouterr().err
    assert "No space left on device. The finished parts are kept" in error
    assert "Traceback" not in error
    assert len(list((tmp_path / "picks.csv.parts").glob("*.json"))) == 1
    monkeypatch.setattr(parts_module, "beside_then_rename", original)
    assert main(command) == 0
    assert {pick.station for pick in read_picks(out)} == {"XX.AA..HH", "XX.BBB..HH"}
    assert not (tmp_path / "picks.csv.parts").exists()


def test_a_file_that_cannot_grow_is_one_clear_error(preset, tmp_path, capsys):
    """The system itself says no: files may have 500 bytes, a part has more."""
    station(n_samples=9000).write(str(tmp_path / "a.mseed"), format="MSEED")
    later = station(start=MIDNIGHT + 2 * 86_400)
    later.write(str(tmp_path / "b.mseed"), format="MSEED", reclen=512)
    out = tmp_path / "picks.csv"
    command = ["pick", str(tmp_path / "*.mseed"), "--preset", preset, "--output", str(out)]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    try:
        assert main(command) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "a part cannot be written" in capsys.readouterr().err
    assert not out.exists()
    assert main(command) == 0
    assert len(read_picks(out)) >= 3


def test_a_killed_run_ends_with_the_same_file(preset, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(25):
        write_station(folder / f"{number:03d}.mseed", f"S{number:03d}", n_samples=100_000)
    base = [sys.executable, "-m", "phasenet_keras", "pick", str(folder), "--preset", preset]
    base += ["--engine", "litert"]  # the process starts in a tenth of the time
    killed, whole = tmp_path / "killed.csv", tmp_path / "whole.csv"
    process = subprocess.Popen([*base, "--output", str(killed)], stdout=subprocess.DEVNULL)
    parts = Path(f"{killed}.parts")
    deadline = time.monotonic() + 100
    while len(list(parts.glob("*.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    before = {path: path.stat().st_mtime_ns for path in parts.glob("*.json")}
    assert 3 <= len(before) < 25
    assert not killed.exists()
    assert main([*base[3:], "--output", str(whole)]) == 0
    folder_of = PartFolder.remove
    try:
        PartFolder.remove = lambda self: None
        assert main([*base[3:], "--output", str(killed)]) == 0
    finally:
        PartFolder.remove = folder_of
    assert killed.read_bytes() == whole.read_bytes()
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(read_picks(killed)) == 25


def test_a_second_run_with_the_same_output_is_refused(preset, tmp_path, capsys):
    station().write(str(tmp_path / "a.mseed"), format="MSEED")
    out, parts = tmp_path / "picks.csv", PartFolder(tmp_path / "picks.csv.parts")
    command = ["pick", str(tmp_path / "a.mseed"), "--preset", preset, "--output", str(out)]
    with parts.held():
        parts.group("first").save([], [], 1, None)
        assert main(command) == 2
        error = capsys.readouterr().err
        assert f"{out} is being written by another run" in error
        assert "name another --output" in error
        assert parts.group("first").is_done
        assert not out.exists()
    assert main(command) == 0
    assert not parts.folder.exists()


def test_a_lock_ends_with_its_process_however_that_ends(tmp_path):
    code = (
        "import sys, time\nfrom pathlib import Path\n"
        "from phasenet_keras.picking.one_run import only_run\n"
        "with only_run(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(100)\n"
    )
    folder = tmp_path / "parts"
    run = subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE)
    assert run.stdout.readline() == b"held\n"
    with pytest.raises(ConfigError, match="another run"), only_run(folder):
        pass
    assert (folder / LOCK).exists()
    run.kill()
    run.wait()
    run.stdout.close()
    with only_run(folder), pytest.raises(ConfigError, match="another run"), only_run(folder):
        pass
    assert not folder.exists()


def test_finished_parts_that_are_gone_are_an_error(picker, tmp_path):
    root = write_sds(tmp_path / "sds", station() + station("BBB"))
    parts = PartFolder(tmp_path / "parts")
    list(pick_archive(picker, [root], parts))
    assert parts.picks()
    next(parts.folder.glob("*.json")).unlink()
    with pytest.raises(PhaseNetKerasError, match="finished parts are gone"):
        parts.picks()
