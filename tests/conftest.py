"""Fixtures. `shared` is the one place that knows where the project's shared data are."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
CHECKPOINT_FILES = ("model_95.ckpt.index", "model_95.ckpt.data-00000-of-00001")


def shared_folder() -> Path | None:
    folder = Path(os.environ.get("PHASENET_KERAS_SHARED", ROOT.parent / "shared"))
    return folder if (folder / "ARCHITECTURE.md").is_file() else None


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared data; skips where there are none."""
    folder = shared_folder()
    if folder is None:
        pytest.skip("no shared data: set PHASENET_KERAS_SHARED to its folder")
    return folder


@pytest.fixture(scope="session")
def ncedc_cache(shared, tmp_path_factory) -> Path:
    """A cache folder that holds the two official checkpoint files."""
    cache = tmp_path_factory.mktemp("cache")
    (cache / "ncedc").mkdir()
    for name in CHECKPOINT_FILES:
        shutil.copyfile(shared / "weights/ncedc-190703-214543" / name, cache / "ncedc" / name)
    return cache


@pytest.fixture(scope="session")
def ncedc(ncedc_cache):
    """The official network."""
    from phasenet_keras import PhaseNet

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PHASENET_KERAS_CACHE", str(ncedc_cache))
        return PhaseNet.from_preset("ncedc")


@pytest.fixture
def use_ncedc(ncedc_cache, monkeypatch):
    """Let `from_preset("ncedc")` and sub-processes find the official weights."""
    monkeypatch.setenv("PHASENET_KERAS_CACHE", str(ncedc_cache))


@pytest.fixture(scope="session")
def onset_net():
    """A small network set by hand, for tests without any shared data.

    It answers P where a signal sets in: the first convolution takes the difference of later and
    earlier samples, everything else passes it on. See `tests/onset.py`.
    """
    from onset import make_onset_net

    return make_onset_net()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(12345)
