"""Picks read by the programs that they are written for.

Pyrocko, PyOcto and GaMMA want older versions of NumPy and scikit-learn than we do, so that they are
no part of the tests' environment: `make test-peers` runs this file in one of its own.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from obspy import UTCDateTime

from phasenet_keras.io.tables import write_picks
from phasenet_keras.types import Pick

WHY = "{} is not installed here: `make test-peers` runs this test in an environment of its own"
VP_KM_S, VS_KM_S = 6.0, 6.0 / 1.75
ORIGINS = [  # time, x, y, z in km
    (UTCDateTime("2024-01-01T00:00:05.25"), 20.0, 30.0, 10.0),
    (UTCDateTime("2024-01-01T00:01:40.5"), 70.0, 55.0, 8.0),
    (UTCDateTime("1968-12-31T23:59:59.999"), 45.0, 40.0, 12.0),
]
STATIONS = {
    f"CX.PB{number:02d}..HH": place
    for number, place in enumerate(itertools.product((5.0, 35.0, 65.0, 95.0), (10.0, 45.0, 80.0)))
}


def picks_of(origins):
    picks = []
    for time, x, y, z in origins:
        for station, place in STATIONS.items():
            distance = np.hypot(np.hypot(place[0] - x, place[1] - y), z)
            for phase, speed in (("P", VP_KM_S), ("S", VS_KM_S)):
                probability = np.float32(0.9)
                picks.append(Pick(time + distance / speed, station, phase, probability))
    return picks


def assert_located(found, origins):
    """Compare rows of time in s, x, y with origins."""
    assert len(found) == len(origins)
    for row, (time, x, y, _) in zip(sorted(found), sorted(origins), strict=True):
        assert row[0] == pytest.approx(time.timestamp, abs=1.0)
        assert row[1:3] == pytest.approx((x, y), abs=5.0)


def test_pyrocko_reads_the_markers(tmp_path):
    marker = pytest.importorskip("pyrocko.gui.marker", reason=WHY.format("pyrocko"))
    picks = [
        Pick(UTCDateTime("2024-01-01T00:00:05.250125"), "CX.PB01..HH", "P", 0.9),
        Pick(UTCDateTime("1968-12-31T23:59:59.9995"), ".GEO7..", "S", np.float32(0.5)),
        Pick(UTCDateTime("2024-01-01T00:00:07"), "station_7", "S", 0.5),
    ]
    path = tmp_path / "picks.markers"
    assert write_picks(picks, path) == 3
    old, first, last = marker.load_markers(str(path))
    assert [item.get_phasename() for item in (old, first, last)] == ["S", "P", "S"]
    assert [item.kind for item in (old, first, last)] == [2, 1, 2]
    for item, pick in zip((old, first, last), sorted(picks), strict=True):
        assert item.tmin == item.tmax == pytest.approx(pick.time.timestamp, abs=1e-6)
    assert first.match_nslc(("CX", "PB01", "", "HHZ"))
    assert not first.match_nslc(("CX", "PB01", "", "BHZ"))
    assert not first.match_nslc(("CX", "PB02", "", "HHZ"))
    assert old.match_nslc(("", "GEO7", "", "Z"))
    assert last.match_nslc(("", "station_7", "00", "Z"))


def test_pyrocko_reads_markers_of_no_picks(tmp_path):
    marker = pytest.importorskip("pyrocko.gui.marker", reason=WHY.format("pyrocko"))
    write_picks([], tmp_path / "picks.markers")
    assert marker.load_markers(str(tmp_path / "picks.markers")) == []


@pytest.mark.parametrize("origins", [ORIGINS, ORIGINS[:1], []])
def test_pyocto_associates_the_picks(tmp_path, origins):
    pyocto = pytest.importorskip("pyocto", reason=WHY.format("PyOcto"))
    import pandas as pd

    path = tmp_path / "picks.pyocto.csv"
    write_picks(picks_of(origins), path)
    picks = pd.read_csv(path)
    assert list(picks.columns) == ["station", "phase", "time"]
    stations = pd.DataFrame(
        [(name.removesuffix(".HH"), x, y, 0.0) for name, (x, y) in STATIONS.items()],
        columns=["id", "x", "y", "z"],
    )
    velocities = pyocto.VelocityModel0D(VP_KM_S, VS_KM_S, tolerance=1.0)
    associator = pyocto.OctoAssociator(
        xlim=(0.0, 100.0), ylim=(0.0, 90.0), zlim=(0.0, 30.0), time_before=60.0,
        velocity_model=velocities, n_threads=1,
    )  # fmt: skip
    events, assignments = associator.associate(picks, stations)
    assert len(assignments) == len(picks)
    if origins:
        assert_located(events[["time", "x", "y"]].to_numpy().tolist(), origins)


def test_pyocto_knows_the_stations_by_the_names_of_an_inventory(tmp_path):
    pyocto = pytest.importorskip("pyocto", reason=WHY.format("PyOcto"))
    import pandas as pd
    from obspy.core.inventory import Channel, Inventory, Network, Station

    places = {"latitude": -20.0, "longitude": -70.0, "elevation": 900.0}
    channels = [Channel("HHZ", location, depth=0.0, **places) for location in ("", "10")]
    inventory = Inventory([Network("CX", [Station("PB01", channels=channels, **places)])])
    associator = pyocto.OctoAssociator.from_area(
        (-21.0, -19.0), (-71.0, -69.0), (0.0, 30.0), 60.0,
        pyocto.VelocityModel0D(VP_KM_S, VS_KM_S, tolerance=1.0),
    )  # fmt: skip
    known = set(associator.inventory_to_df(inventory)["id"])
    time = UTCDateTime(0)
    picks = [Pick(time, name, "P", 0.9) for name in ("CX.PB01..HH", "CX.PB01.10.HH")]
    write_picks(picks, tmp_path / "picks.pyocto.csv")
    assert set(pd.read_csv(tmp_path / "picks.pyocto.csv")["station"]) == known


@pytest.mark.parametrize("origins", [ORIGINS[:2], ORIGINS[2:]])
def test_gamma_associates_the_picks(tmp_path, origins):
    gamma = pytest.importorskip("gamma.utils", reason=WHY.format("GaMMA"))
    import pandas as pd

    path = tmp_path / "picks.gamma.csv"
    write_picks(picks_of(origins), path)
    picks = pd.read_csv(path)
    assert list(picks.columns) == ["id", "timestamp", "prob", "type"]
    assert set(picks["type"]) == {"p", "s"}
    stations = pd.DataFrame(
        [(name, x, y, 0.0) for name, (x, y) in STATIONS.items()],
        columns=["id", "x(km)", "y(km)", "z(km)"],
    )
    picks["timestamp"] = pd.to_datetime(picks["timestamp"])
    config = {
        "dims": ["x(km)", "y(km)", "z(km)"],
        "use_dbscan": True, "dbscan_eps": 20.0, "dbscan_min_samples": 3,
        "use_amplitude": False, "method": "BGMM", "oversample_factor": 4, "ncpu": 1,
        "x(km)": (0.0, 100.0), "y(km)": (0.0, 90.0), "z(km)": (0.0, 30.0),
        "bfgs_bounds": ((-1, 101), (-1, 91), (0, 31), (None, None)),
        "vel": {"p": VP_KM_S, "s": VS_KM_S},
        "covariance_prior": [5.0], "initial_points": [1, 1, 1],
        "min_picks_per_eq": 5, "min_p_picks_per_eq": 0, "min_s_picks_per_eq": 0,
        "max_sigma11": 2.0, "max_sigma22": 1.0, "max_sigma12": 1.0,
    }  # fmt: skip
    events, assignments = gamma.association(picks, stations, config, method="BGMM")
    assert len(assignments) == len(picks)
    found = [(UTCDateTime(e["time"]).timestamp, e["x(km)"], e["y(km)"]) for e in events]
    assert_located(found, origins)


def test_gamma_reads_a_table_of_no_picks(tmp_path):
    pd = pytest.importorskip("pandas")
    write_picks([], tmp_path / "picks.gamma.csv")
    picks = pd.read_csv(tmp_path / "picks.gamma.csv")
    assert list(picks.columns) == ["id", "timestamp", "prob", "type"]
    assert len(picks) == 0
