"""Simulated plane layers: arrivals at analytic times, symmetry, SPECFEM2D, labels that are seen."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
VP, VS, DENSITY = 900.0, 500.0, 1800.0
PEAK_HZ = 60.0


@pytest.fixture(scope="module", autouse=True)
def _benchmarks():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    yield
    sys.path.remove(str(ROOT / "benchmarks"))


@pytest.fixture(scope="module")
def layers(_benchmarks):
    import plane_layers

    return plane_layers


@pytest.fixture(scope="module")
def records_of(_benchmarks):
    import plane_layer_records

    return plane_layer_records


@pytest.fixture(scope="module")
def half_space(layers):
    """Two layers of one rock: a half-space with an interface that must not be seen."""
    return layers.PlaneLayers((7.0,), (VP, VP), (VS, VS), (DENSITY, DENSITY))


@pytest.fixture(scope="module")
def two_layers(layers):
    return layers.PlaneLayers((6.0,), (500.0, 1100.0), (260.0, 560.0), (1600.0, 1900.0))


def time_of_peak_s(trace, begin_s, end_s):
    begin, end = (int((t + 0.05) * 2000) for t in (begin_s, end_s))
    return (begin + np.argmax(np.abs(trace[begin:end]))) / 2000 - 0.05


def rayleigh_m_s():
    """The root of Rayleigh's equation between 0.8 and 1 times the velocity of S."""
    c = np.linspace(0.8, 0.999, 200_000) * VS
    left = (2 - (c / VS) ** 2) ** 2
    return c[np.argmin(np.abs(left - 4 * np.sqrt((1 - (c / VP) ** 2) * (1 - (c / VS) ** 2))))]


def test_a_half_space_moves_when_p_s_and_rayleighs_wave_come(layers, half_space):
    distances = np.array([60.0, 100.0])
    gather = layers.surface_gather(half_space, PEAK_HZ, distances)
    vertical = np.abs(gather[:, :, 1])
    for trace, distance in zip(vertical, distances, strict=True):
        onset = int((distance / VP - 0.9 / PEAK_HZ + 0.05) * 2000)
        assert trace[:onset].max() < 2e-3 * trace.max()
        assert trace[onset : onset + 40].max() > 5e-3 * trace.max()
    times = [
        time_of_peak_s(trace, x / VP, 0.9) for trace, x in zip(vertical, distances, strict=True)
    ]
    velocity = np.diff(distances)[0] / np.diff(times)[0]
    assert velocity == pytest.approx(rayleigh_m_s(), rel=0.01)


def test_in_a_line_source_body_waves_along_the_surface_decay_faster_than_rayleighs(
    layers, half_space
):
    """As distance to the power of -1.5 (Lamb 1904); Rayleigh's wave does not decay in 2-D."""
    distances = np.array([200.0, 300.0])
    gather = layers.surface_gather(half_space, PEAK_HZ, distances)
    p_end = [int((x / VP + 0.4 / PEAK_HZ + 0.05) * 2000) for x in distances]
    p = [np.abs(trace[:end, 0]).max() for trace, end in zip(gather, p_end, strict=True)]
    surface_wave = np.abs(gather[:, :, 0]).max(axis=1)
    assert p[1] / p[0] == pytest.approx(1.5**-1.5, rel=0.03)
    assert surface_wave[1] / surface_wave[0] == pytest.approx(1.0, rel=0.01)


def test_an_interface_of_nothing_changes_nothing(layers, half_space):
    other = layers.PlaneLayers((2.0, 9.0), (VP,) * 3, (VS,) * 3, (DENSITY,) * 3)
    one, two = (layers.surface_gather(g, PEAK_HZ, np.array([35.0])) for g in (half_space, other))
    assert np.abs(one - two).max() <= 1e-9 * np.abs(one).max()


def test_left_is_the_mirror_image_of_right(layers, two_layers):
    gather = layers.surface_gather(two_layers, PEAK_HZ, np.array([40.0, -40.0]), [15.0, -15.0])
    scale = np.abs(gather).max()
    np.testing.assert_allclose(gather[0, :, 0], -gather[1, :, 0], atol=1e-12 * scale)
    np.testing.assert_allclose(gather[0, :, 1], gather[1, :, 1], atol=1e-12 * scale)


def test_source_and_receiver_change_places(layers, two_layers):
    """Up by a force along the line is along the line, back, by a force up."""
    across, down = (
        layers.surface_gather(two_layers, PEAK_HZ, np.array([30.0, -30.0]), angle)
        for angle in (90.0, 0.0)
    )
    np.testing.assert_allclose(
        -across[0, :, 1], down[1, :, 0], atol=1e-9 * np.abs(down).max(), rtol=0
    )


def test_a_layer_without_its_velocity_is_refused(layers):
    with pytest.raises(ValueError, match="3 P velocities"):
        layers.PlaneLayers((5.0,), (500.0, 700.0, 900.0), (250.0, 350.0), (1500.0, 1600.0))


def test_first_arrivals_are_direct_then_refracted(layers):
    thickness, velocity = (5.0, 8.0), (300.0, 250.0, 900.0)
    times = layers.first_arrival_s(thickness, velocity, np.array([-6.0, 6.0, 100.0]))
    intercept = 2 * sum(
        h * np.sqrt(1 / v**2 - 1 / 900**2) for h, v in zip(thickness, velocity[:2], strict=True)
    )
    np.testing.assert_allclose(times, [0.02, 0.02, intercept + 100 / 900], rtol=1e-12)


def test_labels_are_where_first_cycles_leave_the_zero_line(records_of, layers):
    """P: the first sample above 5 % of the first cycle's peak, on Z, in models that are drawn."""
    residuals = []
    for number in range(12):
        shot = records_of.random_shot(np.random.default_rng((3, number)), 6)
        if shot.family in ("report", "many", "wet"):  # P is emergent
            continue
        gather = layers.surface_gather(shot.ground, shot.peak_hz, shot.offsets_m)
        found = records_of.arrivals_of(gather, shot)
        period = 2000 / shot.peak_hz
        for trace, arrivals in zip(gather[:, :, 1], found, strict=True):
            if "S" not in arrivals or arrivals["S"][0] - arrivals["P"][0] < period:
                continue
            p = arrivals["P"][0]
            begin, end = int(p - period), int(p + period)
            cycle = np.abs(trace[begin:end])
            residuals.append(begin + np.argmax(cycle > 0.05 * cycle.max()) - p)
    assert len(residuals) >= 15
    assert abs(np.median(residuals)) <= 2.0
    assert np.quantile(np.abs(residuals), 0.9) <= 6.0


def test_what_cannot_be_seen_is_not_labelled(records_of, layers):
    ground = layers.PlaneLayers((10.0,), (500.0, 560.0), (250.0, 280.0), (1500.0, 1500.0))
    shot = records_of.Shot("half", ground, 50.0, np.array([4.0, 60.0]), np.zeros(2))
    p, s = (76.0 + 2000 * distance / velocity for distance, velocity in ((60, 500), (60, 250)))
    gather = np.zeros((2, 2000, 2))
    gather[:, 900] = 1.0
    gather[0, 95:110] = gather[1, int(p) + 4 : int(p) + 20] = 0.004  # of the peak: P needs 0.005
    assert records_of.arrivals_of(gather, shot) == [{}, {}]

    gather[1, int(p) + 4 : int(p) + 20, 0] = 0.006
    gather[:, 510:550, 1] = 0.05
    gather[:, 560:600, 1] = 0.08  # S: 4 dB more than before it
    near, far = records_of.arrivals_of(gather, shot)
    assert near == {}
    assert far == {"P": (pytest.approx(p),)}

    gather[:, 560:600, 1] = 0.12
    near, far = records_of.arrivals_of(gather, shot)
    assert near == {}  # 16 samples between P and S, half a period is 20
    assert far == {"P": (pytest.approx(p),), "S": (pytest.approx(s),)}


def test_records_are_the_same_each_time_and_kept(records_of, tmp_path, monkeypatch):
    first, again = records_of.made(4, seed=9), records_of.made(4, seed=9)
    assert len(first) >= 3
    for one, two in zip(first, again, strict=True):
        assert one.arrivals == two.arrivals
        assert np.array_equal(one.waveform.data, two.waveform.data)
    assert not np.array_equal(first[0].waveform.data, records_of.made(5, seed=9)[0].waveform.data)

    path = tmp_path / "planes.npz"
    kept = records_of.cached(path, 2, seed=9)
    monkeypatch.setattr(records_of, "made", None)
    once_more = records_of.cached(path, 2, seed=9)
    assert [record.name for record in kept] == [record.name for record in once_more]
    assert [r.arrivals for r in kept] == [r.arrivals for r in once_more]
    assert {record.waveform.channels for record in kept} == {("E", "Z")}
    assert {record.event for record in kept} == {"plane 0", "plane 1"}
    with pytest.raises(SystemExit, match="another seed"):
        records_of.cached(path, 2, seed=8)


@pytest.mark.shared
def test_a_gather_is_that_of_specfem2d(layers, shared):
    """F00: five layers, force upwards of 10 kN/m on the surface; amplitudes, too."""
    with h5py.File(shared / "data/specfem2d/specfem2d_flat.h5") as file:
        [model] = [m for m in json.loads(file.attrs["models_json"]) if m["name"] == "F00"]
        rows = (file["model_id"][()] == model["id"]) & (file["source"][()] == 0)
        chosen = np.flatnonzero(rows)[4::11]
        distances = (file["receiver_x"][()] - file["source_x"][()])[chosen].astype(float)
        expected = file["data"][()][chosen]
        p, s = (file[f"{phase}_index"][()][chosen] for phase in "ps")
    ground = layers.PlaneLayers(
        model["thickness_m"][:-1], model["vp_m_s"], model["vs_m_s"], model["rho_kg_m3"]
    )
    gather = -1e4 * layers.surface_gather(ground, model["f0_hz"], distances)
    for found, true in zip(gather, expected, strict=True):
        for axis in (0, 1):
            assert np.corrcoef(found[:, axis], true[:, axis])[0, 1] >= 0.99
        assert np.abs(found).max() == pytest.approx(np.abs(true).max(), rel=0.03)
    for label, velocity in ((p, ground.vp_m_s), (s, ground.vs_m_s)):
        times = layers.first_arrival_s(ground.thickness_m, velocity, distances)
        np.testing.assert_allclose((times - 0.6 / model["f0_hz"] + 0.05) * 2000, label, atol=0.5)
