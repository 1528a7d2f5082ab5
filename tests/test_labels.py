from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasenet_keras.data.labels import LABEL_SHAPES, LabelShape, draw_labels
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


def test_fraction_of_a_sample_is_kept():
    drawn = draw_labels(100, {"P": [50.5]}, PHASES, LabelShape())
    assert drawn[50, 1] == drawn[51, 1] == drawn[:, 1].max()


def test_seconds_and_samples_agree():
    assert LabelShape.of_seconds(0.003, 2000.0) == LabelShape(sigma_samples=6, reach_samples=15)


@pytest.mark.parametrize("bad", [{"kernel": "gauss"}, {"sigma_samples": 0}, {"reach_samples": -1}])
def test_impossible_shapes_are_refused(bad):
    with pytest.raises(ConfigError):
        LabelShape(**bad)
