"""Pickers in other processes: forked, spawned, pickled, copied."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
import sys
from dataclasses import replace
from inspect import signature

import numpy as np
import pytest
from obspy import UTCDateTime

from phasenet_keras import Picker, Waveform
from phasenet_keras.io.selection import Selection
from phasenet_keras.picking.archive import _settings_of as settings_of
from phasenet_keras.picking.cluster import _picker_of as picker_of
from phasenet_keras.picking.cluster import _recipe_of as recipe_of
from phasenet_keras.picking.parts import PartFolder
from phasenet_keras.types import PhaseNetKerasError

LONGEST_S = 120


@pytest.fixture(scope="module")
def wave():
    data = np.random.default_rng(0).standard_normal((3000, 3))
    data[[700, 2000]] += 40.0
    return Waveform(data, 100.0, UTCDateTime(0), ("E", "N", "Z"), "XX.A..HH")


def counted(picker, wave):
    """Return how many picks there are, or what is wrong with it."""
    try:
        return len(picker.pick(wave))
    except PhaseNetKerasError as error:
        return str(error)


def counted_into(results, picker, wave):
    results.put(counted(picker, wave))


@pytest.mark.skipif(sys.platform != "linux", reason="processes are not forked here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize(
    ("engine", "expected"), [("litert", 2), ("keras", "does not work in a process that was forked")]
)
def test_a_picker_that_has_picked_in_a_forked_process(spike_net, wave, engine, expected):
    """It has none of its parent's threads: LiteRT gets others, Keras is refused, nothing hangs."""
    picker = Picker(spike_net, engine=engine)
    assert counted(picker, wave) == 2
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    worker = context.Process(target=counted_into, args=(results, picker, wave), daemon=True)
    worker.start()
    worker.join(LONGEST_S)
    hangs = worker.is_alive()
    worker.kill()
    assert not hangs
    found = results.get()
    assert expected in found if isinstance(expected, str) else found == expected
    assert counted(picker, wave) == 2


def test_a_picker_goes_to_a_spawned_process(spike_net, wave):
    picker = Picker(spike_net, thresholds={"P": 0.4})
    counted(picker, wave)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.map_async(picker.pick, [wave]).get(LONGEST_S)
    assert [[pick.sample for pick in picks] for picks in found] == [[700, 2000]]


CHANGED = {
    "thresholds": {"P": 0.4}, "min_distance_s": 2.0, "sampling": "reinterpret",
    "missing": "error", "chunk_samples": 4096, "follow": True, "engine": "litert",
}  # fmt: skip


@pytest.mark.parametrize("engine", ["keras", "litert"])
@pytest.mark.parametrize(
    "again",
    [copy.deepcopy, lambda picker: pickle.loads(pickle.dumps(picker))],
    ids=["copy", "pickle"],
)
def test_a_copy_has_the_network_and_the_options(spike_net, wave, engine, again):
    options = {**CHANGED, "follow": engine == "keras", "engine": engine}
    picker = Picker(spike_net, **options)
    new = again(picker)
    assert new.net is not picker.net
    assert {name: getattr(new, name) for name in options} == options | {
        "thresholds": {"P": 0.4, "S": 0.3}
    }
    [ours], [theirs] = picker.annotate(wave), new.annotate(wave)
    assert np.array_equal(ours.probabilities, theirs.probabilities)


@pytest.mark.parametrize("name", sorted({*signature(Picker).parameters} - {"net"}))
def test_no_option_is_forgotten_where_a_picker_is_taken_elsewhere(spike_net, tmp_path, name):
    """Each is copied; each that picks depend on tells runs apart, and is what workers are sent."""
    preset = replace(spike_net.preset, name="of another name")
    plain = Picker(spike_net)
    changed = Picker(spike_net, **{name: {**CHANGED, "preset": preset}[name]})
    assert getattr(changed, name) != getattr(plain, name)
    assert pickle.loads(pickle.dumps(changed)).options() == changed.options()
    settings = [settings_of(one, Selection(), 86400.0, 1) for one in (plain, changed)]
    assert (settings[0] == settings[1]) == (name in ("follow", "engine"))
    sent = picker_of(recipe_of(changed, PartFolder(tmp_path)))
    assert sent.options() == {**changed.options(), "follow": False}


def test_a_shallow_copy_shares_what_is_compiled(spike_net):
    picker = Picker(spike_net)
    low = copy.copy(picker)
    low.thresholds = {"P": 0.1, "S": 0.1}
    assert low.submit is picker.submit
    assert picker.thresholds == {"P": 0.3, "S": 0.3}
