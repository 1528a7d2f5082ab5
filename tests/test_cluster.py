"""Picking by Dask: a real scheduler and worker processes, on loopback."""

from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import pytest
from archives import station, write_sds
from obspy import Stream
from records import past_headers

from phasenet_keras import PhaseNet, Picker
from phasenet_keras.cli import main
from phasenet_keras.io.selection import Selection
from phasenet_keras.picking.archive import StationSummary, pick_archive
from phasenet_keras.picking.cluster import check_dask_address, open_client, pick_over_dask
from phasenet_keras.picking.files import FileReport, Progress
from phasenet_keras.picking.parts import PartFolder
from phasenet_keras.types import ConfigError, PhaseNetKerasError

pytest.importorskip("distributed", reason="needs the extra 'cluster'")


@pytest.fixture(scope="module")
def client():
    with open_client("local:2") as client:
        yield client


@pytest.fixture
def archive(tmp_path):
    stream = Stream()
    for name in ("AA", "BBB", "CCCC"):
        stream += station(name)
    return write_sds(tmp_path / "sds", stream)


def test_workers_give_the_picks_of_one_process(client, archive, preset, tmp_path):
    (archive / "broken.mseed").write_bytes(b"not a record" * 99)
    picker = Picker(PhaseNet.from_preset(preset), chunk_samples=2048, thresholds={"P": 0.2})
    options = {"part_s": 120, "block_bytes": 4096}
    alone, both = PartFolder(tmp_path / "alone"), PartFolder(tmp_path / "both")
    told = [list(pick_archive(picker, [archive], alone, **options))]
    told.append(list(pick_over_dask(client, picker, [archive], both, **options)))
    assert len(alone.picks()) > 10
    assert both.picks() == alone.picks()
    summaries = [
        {event.station: event for event in events if isinstance(event, StationSummary)}
        for events in told
    ]
    assert summaries[0] == summaries[1]
    assert len(summaries[1]) == 3
    for events in told:
        assert [e.path.name for e in events if isinstance(e, FileReport)] == ["broken.mseed"]
    last = [event for event in told[1] if isinstance(event, Progress)][-1]
    assert last.done == last.total > 3
    # Each part was a task of its own: as many as a process alone writes.
    assert len(list((tmp_path / "both").glob("*.csv"))) >= 3 * 4
    again = list(pick_over_dask(client, picker, [archive], alone, **options))
    assert {e.station for e in again if isinstance(e, StationSummary)} == set(summaries[0])


def test_stations_of_one_file_are_tasks_side_by_side(client, preset, tmp_path):
    """Interleaved records of three stations and of one without a number, and a torn one."""
    stream = Stream()
    for name in ("AA", "BBB", "CCCC"):
        stream += station(name)
    path = tmp_path / "network.mseed"
    stream.sort(["starttime", "station"]).write(str(path), "MSEED", reclen=512, encoding="STEIM2")
    records = [path.read_bytes()[n : n + 512] for n in range(0, path.stat().st_size, 512)]
    order = sorted(range(len(records)), key=lambda n: (n % (len(records) // 3), n))
    [empty] = station("NaN", 1000, "Z")
    empty.data = np.full(1000, np.nan, "float32")
    empty.write(str(path), "MSEED", reclen=512, encoding="FLOAT32")
    path.write_bytes(b"".join(records[n] for n in order) + path.read_bytes() + records[0][:99])
    picker = Picker(PhaseNet.from_preset(preset), chunk_samples=2048)
    options = {"part_s": 120, "block_bytes": 8192}
    alone, both = PartFolder(tmp_path / "alone"), PartFolder(tmp_path / "both")
    told = [list(pick_archive(picker, [path], alone, **options))]
    told.append(list(pick_over_dask(client, picker, [path], both, **options)))
    assert both.picks() == alone.picks()
    assert {pick.station for pick in both.picks()} == {"XX.AA..HH", "XX.BBB..HH", "XX.CCCC..HH"}
    kinds = (StationSummary, FileReport)
    said = [sorted((e for e in events if isinstance(e, kinds)), key=str) for events in told]
    assert said[0] == said[1]
    [report] = [e for e in said[1] if isinstance(e, FileReport)]
    assert "truncated: its last record has 99 bytes only" in report.text
    # A state or a last part for each station: chains of their own.
    assert len({item.name.split("-")[0] for item in both.folder.glob("*.csv")}) == 4


def test_one_station_of_a_file_is_all_that_is_picked(client, preset, tmp_path):
    path = tmp_path / "network.mseed"
    (station("AA") + station("BBB")).write(str(path), "MSEED", reclen=512)
    picker = Picker(PhaseNet.from_preset(preset), chunk_samples=2048)
    parts = PartFolder(tmp_path / "parts")
    events = list(
        pick_over_dask(
            client, picker, [path], parts, selection=Selection(station="BBB"), block_bytes=4096
        )
    )
    assert [e.station for e in events if isinstance(e, StationSummary)] == ["XX.BBB..HH"]
    assert not [e for e in events if isinstance(e, FileReport)]
    assert {pick.station for pick in parts.picks()} == {"XX.BBB..HH"}


def test_a_worker_that_dies_costs_nothing_but_time(client, archive, preset, tmp_path):
    picker = Picker(PhaseNet.from_preset(preset), chunk_samples=2048)
    options = {"part_s": 30, "block_bytes": 2048}
    alone, killed = PartFolder(tmp_path / "alone"), PartFolder(tmp_path / "killed")
    list(pick_archive(picker, [archive], alone, **options))
    victim = next(iter(client.run(os.getpid).values()))
    events = pick_over_dask(client, picker, [archive], killed, **options)
    past_headers(events)
    n_tasks = 1
    for event in events:
        n_tasks += isinstance(event, Progress)
        if n_tasks == 4:
            os.kill(victim, signal.SIGKILL)
            n_tasks += 1
    assert killed.picks() == alone.picks()
    for _ in range(100):
        now = set(client.run(os.getpid).values())
        if victim not in now and len(now) == 2:
            break
        time.sleep(0.1)
    assert victim not in now


def test_workers_that_are_killed_again_and_again_are_one_line(
    archive, preset, tmp_path, monkeypatch, capfd
):
    killed = lambda job, recipe, folder: os.kill(os.getpid(), signal.SIGKILL)  # noqa: E731
    monkeypatch.setattr("phasenet_keras.picking.cluster._pick_part", killed)
    output = tmp_path / "picks.csv"
    options = ["--preset", preset, "--dask", "local:1", "--output", str(output)]
    assert main(["pick", str(archive), *options]) == 2
    assert capfd.readouterr().err.splitlines() == [
        "phasenet-keras: error: 4 workers were killed, one after the other, at the same task: most "
        "often memory ran out. Finished parts are kept: have fewer workers, or give them more "
        "memory, and give the same command again"
    ]
    assert not output.exists()


def test_workers_that_do_not_start_are_an_error(monkeypatch):
    def fail(**options):
        raise RuntimeError("Nanny failed to start.")

    monkeypatch.setattr("distributed.LocalCluster", fail)
    words = r"^workers were killed, .*, while they started \(Nanny failed to start\.\): give the"
    with pytest.raises(PhaseNetKerasError, match=words), open_client("local:1"):
        pass


def test_tasks_that_are_called_off_are_said_so(client, archive, preset, tmp_path, monkeypatch):
    slow = lambda job, recipe, folder: time.sleep(3)  # noqa: E731
    monkeypatch.setattr("phasenet_keras.picking.cluster._pick_part", slow)
    picker = Picker(PhaseNet.from_preset(preset))
    events = pick_over_dask(client, picker, [archive], PartFolder(tmp_path / "parts"))
    past_headers(events)
    from distributed import Future

    call_off = threading.Timer(1.0, lambda: client.cancel([Future(k) for k in client.futures]))
    call_off.start()
    with pytest.raises(PhaseNetKerasError, match=r"^the Dask scheduler is gone, or has called off"):
        next(events)
    call_off.join()


def test_an_ended_run_goes_on_with_or_without_dask(client, archive, preset, tmp_path):
    picker = Picker(PhaseNet.from_preset(preset), chunk_samples=2048)
    options = {"part_s": 60, "block_bytes": 2048}
    whole, ended = PartFolder(tmp_path / "whole"), PartFolder(tmp_path / "ended")
    list(pick_archive(picker, [archive], whole, **options))
    events = pick_over_dask(client, picker, [archive], ended, **options)
    past_headers(events)
    for number, _ in enumerate(events, start=1):
        if number == 6:
            break
    events.close()
    time.sleep(1)  # a task that runs cannot be called back
    parts = len(list((tmp_path / "ended").glob("*.csv")))
    assert 0 < parts < len(list((tmp_path / "whole").glob("*.csv")))
    rest = PartFolder(tmp_path / "ended")
    list(pick_archive(picker, [archive], rest, **options))
    assert rest.picks() == whole.picks()


def test_an_error_of_a_task_is_the_run_s(client, archive, preset, tmp_path):
    picker = Picker(PhaseNet.from_preset(preset))
    parts = PartFolder(tmp_path / "parts")
    events = pick_over_dask(client, picker, [archive], parts)
    assert past_headers(events).done == 0
    for path in archive.rglob("*.D.*"):
        path.unlink()
    told = list(events)
    assert {event.failed for event in told if isinstance(event, FileReport)} == {True}
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PhaseNetKerasError, match="is a file, a folder is wanted"):
        list(pick_over_dask(client, picker, [station_file(tmp_path)], PartFolder(
            tmp_path / "file"
        )))  # fmt: skip


def station_file(folder):
    path = folder / "day.mseed"
    station(channels="Z").write(str(path), format="MSEED")
    return path


def test_the_command_line_writes_the_same_file(client, archive, preset, tmp_path, capsys):
    command = ["pick", str(archive), "--preset", preset, "--output"]
    assert main([*command, str(tmp_path / "one.csv")]) == 0
    assert main([*command, str(tmp_path / "two.csv"), "--dask", client.scheduler.address]) == 0
    assert "XX.CCCC..HH" in capsys.readouterr().out
    assert (tmp_path / "two.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()
    assert not (tmp_path / "two.csv.parts").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--dask", "lokal"], "received 'lokal'"),
        (["--dask", "local:0"], "received 'local:0'"),
        (["--dask", "local:2"], "name a file with --output"),
        (["--dask", "local:2", "--output", "p.csv", "--plot", "figures"], "draws in one process"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_starts(options, words, capsys, preset):
    assert main(["pick", "none.mseed", "--preset", preset, *options]) == 2
    assert words in capsys.readouterr().err


def test_a_scheduler_that_does_not_answer_is_an_error(monkeypatch):
    monkeypatch.setattr("phasenet_keras.picking.cluster.CONNECT_S", 0.5)
    with (
        pytest.raises(ConfigError, match=r"no Dask scheduler answers at 127\.0\.0\.1:9"),
        open_client("127.0.0.1:9"),
    ):
        pass
    assert check_dask_address("tls://node7:8786") == 0
