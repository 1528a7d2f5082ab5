"""What must not cost a run its picks: pipes, figures, odd names, signals, equal names."""

from __future__ import annotations

import errno
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from obspy import UTCDateTime, read
from records import write_station

from phasenet_keras.cli import main
from phasenet_keras.io.annotations import write_annotations
from phasenet_keras.io.tables import read_picks
from phasenet_keras.picking import archive
from phasenet_keras.types import Annotation

# A process of its own starts in a tenth of the time without TensorFlow.
PICK = [sys.executable, "-m", "phasenet_keras", "pick", "--engine", "litert"]


def run(*arguments):
    return subprocess.run([*PICK, *arguments], capture_output=True, timeout=120, check=False)


def test_a_reader_that_has_gone_costs_no_picks(preset, tmp_path):
    file, out = write_station(tmp_path / "a.mseed"), tmp_path / "picks.csv"
    command = shlex.join([*PICK, file, "--preset", preset, "--output", str(out)])
    subprocess.run(f"{command} | true", shell=True, check=True, timeout=120)
    assert len(read_picks(out)) == 1


def test_standard_output_that_takes_no_picks_is_named(preset, tmp_path):
    file = write_station(tmp_path / "a.mseed")
    command = [*PICK, file, "--preset", preset]
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=120)
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[-1] == (
        "phasenet-keras: error: standard output cannot be written: No space left on device. Name "
        "a file with --output"
    )
    reader, writer = os.pipe()
    os.close(reader)  # as of `| head` that has had its fill
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, timeout=120)
    os.close(writer)
    assert done.returncode == 0
    assert b"error" not in done.stderr


@pytest.mark.parametrize(
    "station", ["$\\frac{", "[red]x[/blue]", "s" * 300, "a/b", "ü€", "$5 and $6"]
)
def test_odd_station_names_cost_neither_picks_nor_figure(preset, tmp_path, station, capsys):
    rng = np.random.default_rng(0)
    data = 0.05 * rng.standard_normal((4000, 3))
    data[1000] += 30
    np.savez(tmp_path / "a.npz", data=data, station_id=station)
    out = tmp_path / "picks.csv"
    arguments = ["--preset", preset, "--output", str(out), "--plot", str(tmp_path / "f")]
    assert main(["pick", str(tmp_path / "a.npz"), *arguments]) == 0
    assert [pick.station for pick in read_picks(out)] == [station]
    assert len(list((tmp_path / "f").glob("*.png"))) == 1
    capsys.readouterr()


def test_a_failed_figure_is_reported_and_the_picks_are_kept(preset, tmp_path, capsys):
    file, out = write_station(tmp_path / "a.mseed"), tmp_path / "picks.csv"
    (tmp_path / "f" / "XX.AA..HH.png").mkdir(parents=True)
    arguments = ["--preset", preset, "--output", str(out), "--plot", str(tmp_path / "f")]
    assert main(["pick", file, *arguments]) == 1
    assert len(read_picks(out)) == 1
    assert "no figure of XX.AA..HH" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pick", "{file}", "--plot", "{file}"], "cannot be made"),
        (["pick", "{file}", "--min-distance-s", "inf"], "min_distance_s"),
        (["pick", "{file}", "--channels", "ENZH"], "channels are components"),
        (["pick", ""], "file name is empty"),
        (["annotate", "{file}", "--output", "{folder}/none/a.mseed"], "does not exist"),
        (["annotate", "{file}", "--output", "{file}"], "is a file"),
        (["annotate", "{file}", "--output", "/dev/null"], "/dev/null is a file; a folder, .mseed"),
        (["pick", "{file}", "--output", "/dev/null"], "/dev/null is a file or a device"),
        (["pick", "{file}", "--output", "{pipe}"], "pipe.csv is a device or a pipe, a file is"),
        (
            ["pick", "{file}", "--output", "/dev/none", "--format", "csv"],
            "/dev/none is a device or a pipe, a file is wanted",
        ),
    ],
)
def test_what_cannot_work_is_said_before_the_work(preset, tmp_path, capsys, arguments, words):
    file, pipe = write_station(tmp_path / "a"), tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    given = [item.format(file=file, folder=tmp_path, pipe=pipe) for item in arguments]
    assert main([*given, "--preset", preset]) == 2
    message = capsys.readouterr().err
    assert words in message
    assert "Traceback" not in message


def test_an_empty_folder_and_an_unmatched_pattern_say_so(preset, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    files = [str(tmp_path / "empty"), str(tmp_path / "*.sac")]
    out = ["--output", str(tmp_path / "picks.csv")]
    assert main(["pick", *files, "--preset", preset, *out]) == 2
    said = capsys.readouterr().out
    assert "folder without files" in said
    assert "no file matches" in said


def test_a_pipe_is_refused_not_waited_for(preset, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    started = time.monotonic()
    result = run(str(tmp_path / "pipe"), "--preset", preset)
    assert result.returncode == 2
    assert b"no regular file" in result.stderr
    assert time.monotonic() - started < 100


def test_file_names_that_are_no_text(preset, tmp_path):
    name = os.fsencode(tmp_path) + b"/caf\xe9.mseed"
    write_station(tmp_path / "a.mseed")
    os.rename(tmp_path / "a.mseed", name)  # noqa: PTH104 - the name is bytes
    result = run(str(tmp_path), "--preset", preset, "--output", str(tmp_path / "p.csv"))
    assert result.returncode == 0, result.stderr
    assert read_picks(tmp_path / "p.csv")[0].source == "caf\\udce9.mseed"


def test_a_carriage_return_in_a_name_costs_no_pick(preset, tmp_path):
    write_station(tmp_path / "cr\rx.mseed", station="", network="")
    write_station(tmp_path / "b.mseed")
    out = tmp_path / "p.csv"
    assert main(["pick", str(tmp_path), "--preset", preset, "--output", str(out)]) == 0
    assert sorted(pick.station for pick in read_picks(out)) == ["XX.AA..HH", "cr\rx"]


def test_equal_names_in_two_folders_are_told_apart(preset, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_station(tmp_path / folder / "day.mseed", station=folder.upper())
    out = tmp_path / "picks.csv"
    files = [str(tmp_path / folder / "day.mseed") for folder in ("a", "b")]
    assert main(["pick", *files, "--preset", preset, "--output", str(out)]) == 0
    assert sorted(pick.source for pick in read_picks(out)) == files


def test_two_instruments_of_a_station_are_not_mixed_in_miniseed(preset, tmp_path, capsys):
    broad, strong = (read(write_station(tmp_path / name)) for name in ("a", "b"))
    for trace in strong:
        trace.stats.channel = f"HN{trace.stats.channel[-1]}"
    (broad + strong).write(str(tmp_path / "both.mseed"), format="MSEED")
    both = str(tmp_path / "both.mseed")
    one = tmp_path / "one.mseed"
    assert main(["annotate", both, "--preset", preset, "--output", str(one)]) == 1
    assert "XX.AA..HN left out" in capsys.readouterr().out
    assert [trace.stats.channel for trace in read(str(one))] == ["PRN", "PRP", "PRS"]
    assert main(["annotate", both, "--preset", preset, "--output", str(tmp_path / "all")]) == 0
    assert len(list((tmp_path / "all").glob("*.npz"))) == 2


def annotations(numbers):
    for number in numbers:
        yield Annotation(
            probabilities=np.random.default_rng(number).random((40_000, 3), np.float32),
            phases=("N", "P", "S"),
            sampling_rate=100.0,
            start_time=UTCDateTime(2024, 1, 1),
            station=f"XX.A{number}..HH",
        )


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_probabilities_that_a_disk_does_not_take_are_an_error_and_no_hole(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))
    try:
        with pytest.raises(OSError, match=r"too large.*a\.mseed"):
            write_annotations(annotations([1]), tmp_path / "a.mseed")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_probabilities_that_a_full_disk_took_are_said(preset, tmp_path, monkeypatch, capsys):
    for name in ("AA", "BB", "CC"):
        write_station(tmp_path / f"{name}.mseed", station=name)
    save, n_saved = np.savez_compressed, []

    def fill(file, **arrays):
        n_saved.append(file)
        if len(n_saved) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(file, **arrays)

    monkeypatch.setattr(np, "savez_compressed", fill)
    out = tmp_path / "out"
    command = ["annotate", str(tmp_path / "*.mseed"), "--preset", preset, "--output", str(out)]
    assert main(command) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert re.fullmatch(
        rf"phasenet-keras: error: {out}/XX\.CC\.\.HH_\w+\.npz cannot be written, its disk is full "
        rf"\([\d.e+]+ MB were left for it\): make room and give the same command again\. The files "
        rf"before it, 2, are in {out}",
        error,
    )
    assert len(list(out.iterdir())) == 2


@pytest.mark.parametrize("name", ["x.npz", "x.mseed"])
def test_a_slash_makes_a_folder_of_any_name(preset, tmp_path, name):
    file, out = write_station(tmp_path / "a.mseed"), tmp_path / name
    for output in (f"{out}/", str(out)):  # a folder that is there is one without, too
        assert main(["annotate", file, "--preset", preset, "--output", output]) == 0
        assert [path.suffix for path in out.iterdir()] == [".npz"]
    written = write_annotations(annotations([1]), f"{tmp_path}/of-python.npz/")
    assert [path.parent.name for path in written] == ["of-python.npz"]


def test_probabilities_are_in_the_file_before_the_next_are_made(tmp_path):
    sizes = []

    def watched():
        for annotation in annotations([1, 2, 3]):
            sizes.append(sum(path.stat().st_size for path in tmp_path.iterdir()))
            yield annotation

    write_annotations(watched(), tmp_path / "a.mseed")
    whole = (tmp_path / "a.mseed").stat().st_size
    assert sizes == pytest.approx([0, whole / 3, 2 * whole / 3], abs=1 << 16)
    for annotation in annotations([1, 2, 3]):
        station = annotation.station.split(".")[1]
        found = [trace.data for trace in read(str(tmp_path / "a.mseed")).select(station=station)]
        assert np.array_equal(np.stack(found, axis=1), annotation.probabilities)


def test_stations_of_like_names_have_files_of_their_own(preset, tmp_path):
    """Text files have no date: all begin in 1970."""
    rows = "".join(f"{k / 100:.2f} {k % 7}\n" for k in range(400))
    (tmp_path / "in").mkdir()
    for name in ("a b", "a_b", "a+b"):
        (tmp_path / "in" / f"{name}.txt").write_text(rows)
    command = ["annotate", str(tmp_path / "in"), "--preset", preset]
    for _ in range(2):  # again: the files of the run before are written over
        assert main([*command, "--output", str(tmp_path / "out")]) == 0
        files = (tmp_path / "out").glob("*.npz")
        assert sorted(str(np.load(path)["station"]) for path in files) == ["a b", "a+b", "a_b"]


def test_a_damaged_preset_does_not_hide_the_others(preset, tmp_path, monkeypatch, capsys):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "preset.json").write_text("{")
    monkeypatch.setenv("PHASENET_KERAS_PRESETS", str(tmp_path))
    assert main(["presets"]) == 1
    said = capsys.readouterr().out
    assert "ncedc" in said
    assert "bad/preset.json cannot be read" in said


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        (["pick", "{root}/a.mseed", "--output", "{root}/a.mseed", "--format", "csv"], "a.mseed"),
        (["pick", "{root}", "--output", "{root}/a.mseed", "--format", "csv"], "a.mseed"),
        (["pick", "{root}/b.csv", "--output", "{root}/b.csv"], "b.csv"),
        (["pick", "{root}/../in/b.csv", "--output", "{root}/b.csv"], "b.csv"),
        (["pick", "{root}/link.csv", "--output", "{root}/b.csv"], "b.csv"),
        (["pick", "{root}/p.obs.csv", "--output", "{root}/p.obs"], "p.obs.csv"),
        (["annotate", "{root}/a.mseed", "--output", "{root}/a.mseed"], "a.mseed"),
        (["annotate", "{root}/c.npz", "--output", "{root}"], "c.npz"),
    ],
)
def test_no_file_that_is_read_is_written_over(preset, tmp_path, capsys, arguments, written):
    root = tmp_path / "in"
    root.mkdir()
    for name in ("a.mseed", "b.csv", "c.npz", "p.obs.csv"):
        write_station(root / name)
    (root / "link.csv").symlink_to(root / "b.csv")
    before = (root / written).read_bytes()
    given = [item.format(root=root) for item in arguments]
    assert main([*given, "--preset", preset]) == 2
    assert "would be written over" in capsys.readouterr().err
    assert (root / written).read_bytes() == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["{root}/typo.mseed"],
        ["{root}/typo.mseed", "--plot", "{root}/f"],
        ["{root}/a.mseed", "--station", "NOPE"],
        ["{root}/slow.mseed"],
        ["{root}/a.mseed", "--channel", "HHX"],
    ],
)
def test_picks_that_are_there_stay_where_nothing_could_be_done(preset, tmp_path, arguments):
    write_station(tmp_path / "a.mseed")
    write_station(tmp_path / "slow.mseed", sampling_rate=1.0)
    keep = tmp_path / "keep.csv"
    keep.write_text("mine")
    given = [item.format(root=tmp_path) for item in arguments]
    assert main(["pick", *given, "--preset", preset, "--output", str(keep)]) == 2
    assert keep.read_text() == "mine"


def test_picks_that_are_there_stay_where_headers_were_all_that_was_read(
    preset, tmp_path, monkeypatch
):
    for name in "ab":
        write_station(tmp_path / f"{name}.mseed")
    keep = tmp_path / "keep.csv"
    keep.write_text("mine")
    read_headers = archive._read_headers

    def asked_to_stop(*arguments):
        os.kill(os.getpid(), signal.SIGINT)
        return read_headers(*arguments)

    monkeypatch.setattr(archive, "_read_headers", asked_to_stop)
    arguments = ["--preset", preset, "--output", str(keep)]
    assert main(["pick", str(tmp_path / "*.mseed"), *arguments]) == 130
    assert keep.read_text() == "mine"
    assert not (tmp_path / "keep.csv.parts").exists()
