"""Labels: what an arrival is to a network."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasenet_keras.data.labels import LABEL_SHAPES, LabelShape, draw_labels, label_of
from phasenet_keras.types import ConfigError

PHASES = ("N", "P", "S")


@pytest.mark.shared
@pytest.mark.parametrize(
    ("case", "shape"),
    [
        ("basic", "official"),
        ("multi", "official"),
        ("nan", "official"),
        ("noise", "official"),
        ("triangle", "official_triangle"),
        ("width20", "official_20"),
    ],
)
def test_official_shapes(shared, case, shape):
    fixture = np.load(shared / "fixtures/official_labels.npz")
    origin = case if f"{case}_p" in fixture else "basic"
    arrivals = {"P": fixture[f"{origin}_p"], "S": fixture[f"{origin}_s"]}
    drawn = draw_labels(2000, arrivals, PHASES, LABEL_SHAPES[shape])
    assert np.abs(drawn - fixture[case]).max() < 1e-6


@pytest.mark.shared
def test_official_overlap_is_kept_where_it_is_a_distribution(shared):
    """The official noise column goes to -0.41 where P and S overlap; ours is a distribution."""
    fixture = np.load(shared / "fixtures/official_labels.npz")
    official = fixture["overlap"]
    arrivals = {"P": fixture["overlap_p"], "S": fixture["overlap_s"]}
    drawn = draw_labels(2000, arrivals, PHASES, LABEL_SHAPES["official"])
    fine = official[:, 0] >= 0
    assert (~fine).sum() == 15
    assert np.abs(drawn - official)[fine].max() < 1e-6
    ratio = official[~fine, 1] / official[~fine, 2]
    assert np.allclose(drawn[~fine, 1] / drawn[~fine, 2], ratio, rtol=1e-4)
    assert (drawn >= 0).all()


@pytest.mark.shared
def test_labels_at_the_edge_are_kept(shared):
    """The official code drops P at sample 5; here the part of its bump inside the window stays."""
    fixture = np.load(shared / "fixtures/official_labels.npz")
    arrivals = {"P": fixture["edge_p"], "S": fixture["edge_s"]}
    drawn = draw_labels(2000, arrivals, PHASES, LABEL_SHAPES["official"])
    assert drawn[5, 1] > 0.5
    assert fixture["edge"][:40, 1].max() == 0.0
    assert np.abs(drawn[40:] - fixture["edge"][40:])[fixture["edge"][40:, 0] >= 0].max() < 1e-6


@given(
    p=st.lists(st.floats(-50, 450), max_size=3),
    s=st.lists(st.floats(-50, 450), max_size=3),
    sigma=st.floats(0.5, 40),
)
def test_every_row_is_a_distribution(p, s, sigma):
    drawn = draw_labels(400, {"P": p, "S": s}, PHASES, LabelShape(sigma_samples=sigma))
    assert (drawn >= 0).all()
    assert np.allclose(drawn.sum(axis=1), 1.0, atol=1e-6)


def bump(shape, n_samples, arrival):
    part, piece = shape.piece(n_samples, arrival)
    values = np.zeros(n_samples)
    values[part] = piece
    return values


def test_fraction_of_a_sample_is_kept():
    drawn = draw_labels(100, {"P": [50.5]}, PHASES, LabelShape())
    assert drawn[50, 1] == drawn[51, 1] == drawn[:, 1].max()


@pytest.mark.parametrize(
    ("kernel", "reach", "on_grid", "support"),
    [
        ("gaussian", None, False, 12.0),
        ("triangle", None, False, 4.0),
        ("box", None, False, 4.0),
        ("gaussian", 15.0, False, 15.0),
        ("gaussian", 15.0, True, 16.0),
    ],
)
def test_how_far_a_bump_counts(kernel, reach, on_grid, support):
    assert LabelShape(kernel, 4.0, reach, on_grid).support_samples == support


@pytest.mark.parametrize("bad", [{"kernel": "gauss"}, {"sigma_samples": 0}, {"reach_samples": -1}])
def test_impossible_shapes_are_refused(bad):
    with pytest.raises(ConfigError):
        LabelShape(**bad)


def test_ancestor_label_scales_with_the_window():
    shape = LabelShape.ancestor(1500)
    assert (shape.sigma_samples, shape.reach_samples) == (15.0, 30.0)
    drawn = draw_labels(1500, {"P": (700,)}, PHASES, LABEL_SHAPES["ancestor"])
    assert np.array_equal(drawn, draw_labels(1500, {"P": (700,)}, PHASES, shape))
    assert np.flatnonzero(drawn[:, 1])[[0, -1]].tolist() == [670, 730]
    assert drawn[715, 1] == pytest.approx(np.exp(-0.5), abs=1e-6)


def test_ancestor_label_at_the_edge_is_kept():
    inside = draw_labels(3000, {"P": (0,)}, PHASES, LabelShape.ancestor(3000))
    assert inside[0, 1] == 1.0
    assert (inside[:61, 1] > 0).all()
    beyond = draw_labels(3000, {"P": (3020,)}, PHASES, LabelShape.ancestor(3000))
    assert np.flatnonzero(beyond[:, 1]).tolist() == list(range(2960, 3000))


@given(
    p=st.floats(-20, 420),
    distance=st.floats(0, 12),
    name=st.sampled_from(sorted(LABEL_SHAPES)),
)
def test_phases_closer_than_the_width_share_it(p, distance, name):
    drawn = draw_labels(400, {"P": (p,), "S": (p + distance,)}, PHASES, LABEL_SHAPES[name])
    assert (drawn >= 0).all()
    assert np.allclose(drawn.sum(axis=1), 1.0, atol=1e-6)
    shape = label_of(name, 400)
    ours, theirs = bump(shape, 400, p), bump(shape, 400, p + distance)
    both = ours + theirs > 1
    assert np.allclose(drawn[both, 1], (ours / np.maximum(ours + theirs, 1))[both], atol=1e-6)
    assert (drawn[both, 0] == 0).all()


@given(
    arrival=st.floats(-100, 500),
    reach=st.floats(0, 60) | st.none(),
    kernel=st.sampled_from(["gaussian", "triangle", "box"]),
    on_grid=st.booleans(),
)
def test_the_piece_of_a_bump_is_all_of_it(arrival, reach, kernel, on_grid):
    shape = LabelShape(kernel, 6.0, reach, on_grid)
    distance = np.abs(np.arange(400) - (np.floor(arrival) if on_grid else arrival))
    whole = {
        "gaussian": np.exp(-((distance / 6.0) ** 2) / 2),
        "triangle": np.maximum(0.0, 1.0 - distance / 6.0),
        "box": (distance <= 6.0) * 1.0,
    }[kernel]
    expected = whole if reach is None else np.where(distance > reach, 0.0, whole)
    assert np.array_equal(bump(shape, 400, arrival), expected)
