"""Lengths and chunks: any record is fed whole, on the grid, and only once."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from obspy import UTCDateTime

from phasenet_keras import Picker, Waveform
from phasenet_keras.data.windows import pad_to, padded_length
from phasenet_keras.picking.stream_state import ChunkRunner, StreamSettings
from phasenet_keras.types import ConfigError

GRIDS = st.sampled_from([1, 4, 16, 64, 256])


def make_waveform(n_samples, seed=0):
    data = np.random.default_rng(seed).standard_normal((n_samples, 3))
    return Waveform(data, 100.0, UTCDateTime(0), ("E", "N", "Z"), "XX.AA..HH")


# -- padded length --------------------------------------------------------------------------------


@given(n=st.integers(1, 10**8), window=st.integers(1, 20_000), grid=GRIDS)
def test_padded_lengths_are_congruent_sufficient_and_least(n, window, grid):
    length = padded_length(n, window, grid)
    assert length % grid == window % grid
    assert length >= n
    assert length >= window
    assert length == window or length - grid < n


@given(n=st.integers(1, 10**6), window=st.integers(1, 20_000), grid=GRIDS)
def test_padding_twice_changes_nothing(n, window, grid):
    length = padded_length(n, window, grid)
    assert padded_length(length, window, grid) == length
    assert length <= padded_length(n + 1, window, grid) <= length + grid


@pytest.mark.parametrize(
    ("n_samples", "expected"),
    [(1, 3000), (2999, 3000), (3000, 3000), (3001, 3256), (3256, 3256), (3257, 3512)],
)
def test_lengths_of_the_official_window(n_samples, expected):
    assert padded_length(n_samples, 3000, 256) == expected


def test_padding_appends_zeros_only():
    data = np.random.default_rng(0).standard_normal((300, 3)).astype("float32")
    padded = pad_to(data, 512)
    assert (padded.shape, padded.dtype) == ((512, 3), np.float32)
    assert np.array_equal(padded[:300], data)
    assert (padded[300:] == 0).all()
    assert pad_to(data, 300) is data


# -- chunks ---------------------------------------------------------------------------------------


def in_chunks(x, window, grid, halo, core, cuts=(), forward=lambda x: x):
    """Return what comes of a record that is fed in pieces, and begin and end of each chunk."""
    chunks, order = [], np.argsort(x[:, 0])

    def submit(chunk):
        begin = order[np.searchsorted(x[:, 0], chunk[0, 0, 0], sorter=order)]
        chunks.append((begin, begin + chunk.shape[1]))
        future = Future()
        future.set_result(forward(chunk))
        return future

    config = SimpleNamespace(
        grid_samples=grid, halo_samples=halo, channels="ENZ"[: x.shape[1]], phases="NPS"
    )
    runner = ChunkRunner(StreamSettings(submit, config, window, core, {}, 0))
    parts = [runner.feed(piece) for piece in np.split(x, sorted(cuts))]
    return np.concatenate([part for part in [*parts, runner.finish()] if len(part)]), chunks


@settings(max_examples=200)
@given(
    n=st.integers(1, 300_000),
    window=st.integers(1, 8000),
    core=st.integers(1, 100_000),
    halo=st.integers(0, 20),
    grid=GRIDS,
    cuts=st.lists(st.integers(0, 300_000), max_size=4),
)
def test_chunks_tile_the_record_on_the_grid_with_their_halo(n, window, core, halo, grid, cuts):
    assume(n / max(core, grid) < 2000)
    n_padded, halo = padded_length(n, window, grid), halo * grid
    x = np.arange(1.0, n + 1)[:, None]
    found, chunks = in_chunks(x, window, grid, halo, core, [cut for cut in cuts if cut < n])
    assert np.array_equal(found, x)
    core = -(-core // grid) * grid
    assert len(chunks) == -(-n // core)
    for number, (begin, end) in enumerate(chunks):
        keep_begin, keep_end = core * number, min(core * (number + 1), n)
        assert begin % grid == 0
        assert (end - begin) % grid == window % grid
        assert 0 <= begin <= keep_begin
        assert keep_end <= end <= n_padded
        assert begin == 0 or keep_begin - begin >= halo
        assert end == n_padded or end - keep_end >= halo
        assert end - begin < core + 2 * halo + 2 * grid


def test_a_record_of_one_chunk_is_fed_whole():
    for n_samples in (3000, 2999, 5):
        x = np.arange(1.0, n_samples + 1)[:, None]
        assert in_chunks(x, 3000, 256, 1792, 10**9)[1] == [(0, 3000)]


def test_a_remainder_shorter_than_the_grid_is_kept():
    found, chunks = in_chunks(np.arange(1.0, 3001)[:, None], 3000, 256, 1792, 256)
    assert len(found) == 3000
    assert len(chunks) == 12
    assert chunks[-1] == (1024, 3000)


# -- the network in chunks ------------------------------------------------------------------------


@settings(max_examples=20)
@given(n_samples=st.integers(1, 40_000), core=st.integers(256, 20_000), seed=st.integers(0, 1000))
def test_chunks_give_what_the_whole_record_gives(random_net, n_samples, core, seed):
    wave = make_waveform(n_samples, seed)
    [whole] = Picker(random_net, chunk_samples=10**9).annotate(wave)
    [cut] = Picker(random_net, chunk_samples=core).annotate(wave)
    assert whole.probabilities.shape == cut.probabilities.shape == (n_samples, 3)
    assert np.abs(whole.probabilities - cut.probabilities).max() < 1e-5
    assert np.abs(cut.probabilities.sum(axis=1) - 1).max() < 1e-5


@pytest.mark.parametrize("core", [257, 4096])
def test_chunks_of_chosen_sizes_at_an_awkward_length(random_net, core):
    wave = make_waveform(9001)
    [whole] = Picker(random_net, chunk_samples=10**9).annotate(wave)
    [cut] = Picker(random_net, chunk_samples=core).annotate(wave)
    assert np.ptp(whole.probabilities[:, 1]) > 0.1  # there is something to agree on
    assert np.abs(whole.probabilities - cut.probabilities).max() < 1e-5


def test_a_halo_that_is_too_short_would_show(random_net):
    """The halo is needed: the same pieces without one differ from the whole record."""
    x = np.random.default_rng(0).standard_normal((1, 3000 + 256 * 20, 3)).astype("float32")
    whole = random_net.predict_on_batch(x)[0]
    for halo, agrees in ((random_net.config.halo_samples, True), (0, False)):
        y, _ = in_chunks(x[0], 3000, 256, halo, 2048, forward=random_net.predict_on_batch)
        assert bool(np.abs(y - whole).max() < 1e-5) is agrees


@pytest.mark.parametrize("chunk_samples", [0, -1, -300])
def test_chunks_of_no_samples_are_refused(spike_net, chunk_samples):
    with pytest.raises(ConfigError, match="chunk_samples"):
        Picker(spike_net, chunk_samples=chunk_samples).annotate(make_waveform(5000))


@pytest.mark.shared
def test_the_official_network_in_chunks(shared, ncedc):
    x = np.load(shared / "fixtures/official_phasenet_parity.npz")
    data = x["x9000"]
    wave = Waveform(data, 100.0, UTCDateTime(0), ("E", "N", "Z"), "A")
    [whole] = Picker(ncedc, chunk_samples=10**9).annotate(wave)
    [cut] = Picker(ncedc, chunk_samples=1024).annotate(wave)
    assert whole.probabilities[:, 1].max() > 0.3
    assert np.abs(whole.probabilities - cut.probabilities).max() < 1e-5
