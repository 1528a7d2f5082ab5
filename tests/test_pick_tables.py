"""Picks of gathers as tables: units, coordinates, settings, and what is wrong with them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from gathers import linear, survey

from phasenet_keras.io.geometry import read_geometry
from phasenet_keras.training.correction import REPORT, CorrectionConfig
from phasenet_keras.training.pseudolabels import correct_picks
from phasenet_keras.training.robust import correct_gather
from phasenet_keras.training.survey import signed_offsets
from phasenet_keras.types import ConfigError, ShapeError

GIVEN = CorrectionConfig(choose="given")


def test_seconds_need_and_use_a_sampling_rate():
    table = survey(shots=(1,), phases=("P",))
    seconds = table.assign(time_s=table["sample"] / 2000).drop(columns="sample")
    with pytest.raises(ConfigError, match="sampling_rate_hz"):
        correct_picks(seconds)
    config = CorrectionConfig(choose="given", sampling_rate_hz=2000.0)
    one, two = correct_picks(table, GIVEN), correct_picks(seconds, config)
    np.testing.assert_allclose(two["corrected_s"] * 2000, one["corrected_sample"], atol=1e-6)
    assert {"residual_s", "uncertainty_s"} <= set(two)


def test_coordinates_give_offsets():
    receivers = {r: (2.0 * r, 0.0, 0.1 * r) for r in range(1, 25)}
    sources = {1: (25.0, 0.0, 0.0)}
    table = survey(shots=(1,), phases=("P",))
    offsets = signed_offsets(sources[1], list(receivers.values()))
    assert (np.sign(offsets) == np.sign(np.arange(2, 50, 2) - 25.0)).all()
    assert offsets[0] == pytest.approx(-np.hypot(23, 0.1))
    table["sample"] = linear(offsets)
    result = correct_picks(table, GIVEN, sources=sources, receivers=receivers)
    np.testing.assert_allclose(result["corrected_sample"], table["sample"], atol=2)
    two = pd.concat([table, table.assign(shot=2)], ignore_index=True)
    unknown = correct_picks(two, GIVEN, sources=sources, receivers=receivers)
    assert set(unknown["note"][unknown["shot"] == 2]) == {"no offset"}
    assert set(unknown["note"][unknown["shot"] == 1]) == {""}


@pytest.mark.parametrize("form", [str, int, float, "{:03d}".format])
@pytest.mark.parametrize("has_all_shots", [True, False])
def test_coordinates_match_by_name_whether_text_or_number(tmp_path, form, has_all_shots):
    """Those of our own reader are by text, while columns of whole numbers are numbers."""
    shots = "*" if has_all_shots else "1"
    rows = [f",{r},{2 * r}" for r in range(1, 25)]
    if has_all_shots:
        (tmp_path / "g.csv").write_text(
            "\n".join(["shot,receiver,x,source_x", *(f"{row},25" for row in rows)])
        )
    else:
        (tmp_path / "g.csv").write_text("\n".join(["shot,receiver,x", *rows, "1,,25"]))
    geometry = read_geometry(tmp_path / "g.csv")
    assert list(geometry.sources) == [shots]
    table = survey(shots=(1,), phases=("P",))
    table["sample"] = linear(np.arange(2.0, 50.0, 2.0) - 25.0)
    for column in ("shot", "receiver"):
        table[column] = table[column].map(form)
    places = {"sources": geometry.sources, "receivers": geometry.receivers}
    result = correct_picks(table, GIVEN, **places)
    assert result["how"].tolist() == ["kept"] * 24
    np.testing.assert_allclose(result["corrected_sample"], table["sample"], atol=2)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"shot": 2}, r"no offset \(24 of 24 rows\).* shots 2, receivers 1, 2, 3, …"),
        ({"shot": 2}, r"coordinates of shots 1 and receivers 1, 2, 3, …$"),
        ({"phase": "p"}, r"no settings for this phase \(24 .* phases p; .* for phases P, S"),
        ({"receiver": "R"}, r"no offset \(24 of 24 rows\).* receivers R and"),
        ({"receiver": np.nan}, r"no receiver \(24 of 24 rows\)"),
    ],
)
def test_a_table_of_which_no_row_can_be_used_is_refused(changes, match):
    places = {"sources": {1: 25.0}, "receivers": {r: 2.0 * r for r in range(1, 25)}}
    table = survey(shots=(1,), phases=("P",)).assign(**changes)
    with pytest.raises(ConfigError, match=match):
        correct_picks(table, GIVEN, **places)


def test_where_offsets_come_from_is_said_where_there_are_none():
    table = survey(shots=(1,), phases=("P",)).assign(shot="A")
    with pytest.raises(ConfigError, match=r"offset_m, or coordinates of sources and receivers\.$"):
        correct_picks(table, GIVEN)
    with pytest.raises(ConfigError, match=r"and receivers\. Did you mean 'offset'\?$"):
        correct_picks(table.assign(offset=5.0), GIVEN)
    with pytest.raises(ConfigError, match=r"column offset_m, or coordinates"):
        correct_picks(table.assign(offset_m=np.nan), GIVEN)


def test_offsets_along_a_line_in_any_direction():
    along = np.arange(-5.0, 6.0)[:, None] * np.array([[3.0, -4.0]])
    offsets = signed_offsets((0.0, 0.0), along)
    np.testing.assert_allclose(np.abs(offsets), 5 * np.abs(np.arange(-5, 6)))
    assert (np.diff(offsets) < 0).all() or (np.diff(offsets) > 0).all()
    assert signed_offsets(3.0, [1.0, 7.0]).tolist() == [-2.0, 4.0]
    with pytest.raises(ShapeError, match="of the source and of every receiver"):
        signed_offsets((0.0, 0.0), [(1.0, 2.0, 3.0)])


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"chose": "given"}, "Did you mean 'choose'"),
        ({"phases": {"P": {"svr_cc": 1}}}, "Did you mean 'svr_c'"),
        ({"choose": "guess"}, "no setting 'guess'"),
        ({"phases": {"P": {"axis": "log_ofset"}}}, "Did you mean 'log_offset'"),
        ({"phases": {"P": {"huber_epsilon": 0.5}}}, "at least 1"),
        ({"phases": {"P": {"earliest": 9, "latest": 3}}}, "earliest is before latest"),
        ({"phases": {"P": {"min_points": 2}}}, "at least 4"),
        ({"phases": {}}, "at least one phase"),
        ({"sampling_rate_hz": 0}, "above 0"),
    ],
)
def test_impossible_settings_are_refused(values, match):
    with pytest.raises(ConfigError, match=match):
        CorrectionConfig.from_dict(values)


def test_settings_round_trip_and_names():
    assert CorrectionConfig.from_dict(REPORT.to_dict()) == REPORT
    assert CorrectionConfig.from_name("report") == REPORT
    with pytest.raises(ConfigError, match="Did you mean 'report'"):
        CorrectionConfig.from_name("reprot")


def test_errors_say_what_to_do():
    with pytest.raises(ShapeError, match="NaN where there is no pick"):
        correct_gather([1, 2], [3])
    with pytest.raises(ConfigError, match="receiver is missing"):
        correct_picks(survey().drop(columns="receiver"))
    with pytest.raises(ConfigError, match="sample or time_s"):
        correct_picks(survey().drop(columns="sample"))
    with pytest.raises(ConfigError, match="a pandas DataFrame, received list: columns are shot"):
        correct_picks([])
    with pytest.raises(ConfigError, match="config is a CorrectionConfig, received dict: Correc"):
        correct_picks(survey(), {"choose": "given"})
    with pytest.raises(ConfigError, match=r"no row .* no offset \(144 of 144 rows\)"):
        correct_picks(survey().assign(offset_m=np.nan), GIVEN)


def test_without_scikit_learn_the_error_says_what_to_install():
    code = (
        "import sys; sys.modules['sklearn'] = None; sys.modules['sklearn.exceptions'] = None\n"
        "from phasenet_keras.training.robust import correct_gather\n"
        "assert not {'keras', 'tensorflow', 'pandas'} & set(sys.modules)\n"
        "try: correct_gather([1], [2])\n"
        "except ValueError as error: print(type(error).__name__, error)"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert "MissingExtraError" in result.stdout
    assert "phasenet-keras[correct]" in result.stdout
