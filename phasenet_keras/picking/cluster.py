"""Picking by many processes or machines: Dask Distributed, one task a day of a group's record.

The parts of a run carry it from task to task: each task goes on where the last part of its group
ends, writes one more, and says how far it came. So the picks are those of one process
(probabilities within 1e-5), a worker that dies costs the time of its task, and a run that is ended
goes on like any other. All workers must see the files and the folder of the parts under the same
names.

The days of a station follow each other: what is picked after midnight depends on the record before.
Stations run side by side, also those of one file: each then reads the file for itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phasenet_keras.io.blocks import BLOCK_BYTES
from phasenet_keras.io.index import Paths
from phasenet_keras.io.selection import DAY_S, Selection
from phasenet_keras.picking.archive import (
    GroupJob,
    GroupRun,
    by_group,
    network_facts,
    options_of,
    plan_archive,
    said_of,
)
from phasenet_keras.picking.files import FileReport, Progress, StationSummary
from phasenet_keras.picking.parts import PartFolder, digest_of, room_wanted
from phasenet_keras.quiet import quiet_start
from phasenet_keras.types import ConfigError, MissingExtraError, PhaseNetKerasError

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

    from phasenet_keras.picking.picker import Picker

__all__ = ["check_dask_address", "open_client", "pick_over_dask"]

LOCAL = re.compile(r"local:(\d+)")
CONNECT_S = 30


@dataclass(frozen=True)
class _Recipe:
    """What a worker makes its picker of; the network is a preset folder among the parts."""

    preset: str
    engine: str
    options: tuple[tuple[str, Any], ...]


def check_dask_address(address: str) -> int:
    """Return the number of workers of ``local:N``, or 0 for the address of a scheduler.

    Raises:
        ConfigError: if it is neither.

    Example:
        >>> check_dask_address("local:4"), check_dask_address("tcp://10.0.0.1:8786")
        (4, 0)
    """
    found = LOCAL.fullmatch(address)
    if found and int(found[1]):
        return int(found[1])
    if found or not re.fullmatch(r"(\w+://)?[^\s/]+:\d+", address):
        raise ConfigError(
            f"Dask is 'local:N' with N workers on this machine, or the address of a scheduler like "
            f"'tcp://10.0.0.1:8786', received '{address}'"
        )
    return 0


@contextmanager
def open_client(address: str) -> Iterator[Client]:
    """Connect to a Dask scheduler, or start one with workers on this machine, for a while.

    Args:
        address: ``"local:N"``, or that of a scheduler, e.g. ``"tcp://10.0.0.1:8786"``.

    Raises:
        ConfigError: for an address that is none, or if nobody answers.
        MissingExtraError: without Dask.
        PhaseNetKerasError: if the workers on this machine do not start.
    """
    n_workers = check_dask_address(address)
    try:
        from distributed import Client
        from distributed.utils import silence_logging_cmgr
    except ImportError as error:
        raise MissingExtraError("picks over Dask", "distributed", "cluster", error) from error
    # What its log says with traces, of workers and schedulers that are gone, our errors say.
    with silence_logging_cmgr("CRITICAL"), ExitStack() as stack:
        if n_workers:
            cluster = stack.enter_context(_own_workers(n_workers))
            yield stack.enter_context(Client(cluster))
            return
        try:
            client = stack.enter_context(Client(address, timeout=CONNECT_S))
        except OSError as error:
            raise ConfigError(f"no Dask scheduler answers at {address}: {error}") from error
        yield client


def _own_workers(n_workers: int) -> LocalCluster:
    from distributed import LocalCluster

    n_threads = max(1, (os.cpu_count() or 1) // n_workers)
    try:
        return LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            dashboard_address=None,
            # A worker holds one network and some blocks of record; nothing is spilled to disk.
            memory_limit=0,
            silence_logs="CRITICAL",
            env={"TF_NUM_INTRAOP_THREADS": str(n_threads), "TF_NUM_INTEROP_THREADS": "1"},
        )
    except (RuntimeError, OSError) as error:
        raise PhaseNetKerasError(
            f"workers were killed, or ended by an error, while they started ({error}): give the "
            "same command again, with fewer workers if memory is short"
        ) from error


def pick_over_dask(
    client: Client,
    picker: Picker,
    sources: Paths,
    parts: PartFolder,
    *,
    selection: Selection | None = None,
    part_s: float = DAY_S,
    block_bytes: int = BLOCK_BYTES,
) -> Generator[StationSummary | FileReport | Progress, None, None]:
    """Pick files, folders and patterns on Dask workers; see `pick_archive`, which this equals.

    The arguments are the same, and a client that is connected to the scheduler, see `open_client`.
    The workers see the sources and the folder of the parts under the same names; each loads the
    network once, and a task writes one part.

    Yields:
        The same as `pick_archive`; groups of files that share a station in the order in which they
        end.

    Raises:
        PhaseNetKerasError: if a part cannot be written, workers are killed again and again, or the
            scheduler is gone.
    """
    from distributed import CancelledError, KilledWorker, as_completed

    parts.begin()
    planned = yield from plan_archive(picker, sources, selection, part_s, block_bytes)
    groups = [
        [one.absolute() for job in group for one in _by_station(job)] for group in by_group(planned)
    ]
    jobs = [job for group in groups for job in group]
    total = sum(len(job.blocks) for job in jobs)
    yield Progress(0, total)
    if not jobs:
        return
    recipe = _recipe_of(picker, parts)

    def submit(job: GroupJob) -> Any:
        folder = parts.folder_of(job.name).resolve()
        return client.submit(_pick_part, job, recipe, folder, pure=False)

    job_of = {submit(job): job for job in jobs}
    n_read = dict.fromkeys((job.name for job in jobs), 0)
    group_of = {job.name: group for group in groups for job in group}
    unfinished = set(n_read)
    running = as_completed(list(job_of))
    try:
        for future in running:
            job = job_of.pop(future)
            n_read[job.name], is_done = future.result()
            yield Progress(sum(n_read.values()), total)
            if is_done:
                unfinished.remove(job.name)
                if unfinished.isdisjoint(one.name for one in group_of[job.name]):
                    yield from said_of(group_of[job.name], parts)
            else:
                following = submit(job)
                job_of[following] = job
                running.add(following)
    except KilledWorker as error:
        raise PhaseNetKerasError(
            f"{error.allowed_failures + 1} workers were killed, one after the other, at the same "
            "task: most often memory ran out. Finished parts are kept: have fewer workers, or give "
            "them more memory, and give the same command again"
        ) from error
    except CancelledError as error:
        raise PhaseNetKerasError(
            "the Dask scheduler is gone, or has called off the tasks. Finished parts are kept: "
            "start it anew and give the same command again"
        ) from error
    finally:
        client.cancel(list(job_of))


def _by_station(group: GroupJob) -> list[GroupJob]:
    """Return a job for each station of a group; each reads the blocks that they share.

    Named records come with a job for each block already.
    """
    names = sorted({name for block in group.blocks for name in block.stations})
    if len(names) < 2 or group.blocks[0].is_of_records:
        return [group]
    jobs: list[GroupJob] = []
    for name in names:
        blocks = [block for block in group.blocks if name in block.stations]
        files = {block.path for block in blocks}
        job = replace(
            group,
            name=digest_of([group.name, name]),
            paths=tuple(path for path in group.paths if path in files),
            blocks=tuple(replace(block, stations=frozenset({name})) for block in blocks),
        )
        jobs.append(job)
    return jobs


def _recipe_of(picker: Picker, parts: PartFolder) -> _Recipe:
    """Save the network among the parts, and return what makes a picker of it."""
    folder = parts.folder.resolve() / f"network-{digest_of(network_facts(picker))}"
    with room_wanted(parts.folder):
        if not folder.is_dir():
            picker.net.save_preset(folder, picker.preset)
    return _Recipe(str(folder), picker.engine, options_of(picker))


def _pick_part(job: GroupJob, recipe: _Recipe, folder: Path) -> tuple[int, bool]:
    """Write the next part of a group; return how many blocks are read, and if that is all."""
    run = GroupRun(_picker_of(recipe), job, folder)
    for _ in run.run(n_parts=1):
        pass
    return run.parts.n_blocks, run.parts.is_done


@lru_cache(maxsize=2)
def _picker_of(recipe: _Recipe) -> Picker:
    """Load a picker, once a worker."""
    with quiet_start():
        from phasenet_keras.picking.picker import Picker

        options = dict(recipe.options)
        options["thresholds"] = dict(options["thresholds"])
        return Picker.from_preset(recipe.preset, engine=recipe.engine, **options)
