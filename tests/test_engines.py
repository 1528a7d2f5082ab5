"""Which engine runs a preset where none is named."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest
from fresh import FRAMEWORKS, run_without
from records import write_station

from phasenet_keras import PhaseNet, Picker
from phasenet_keras.cli import main
from phasenet_keras.io.tables import read_picks
from phasenet_keras.models import inference
from phasenet_keras.models.inference import engine_for
from phasenet_keras.models.presets import read_preset
from phasenet_keras.types import ConfigError, MissingExtraError, PresetError


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(inference, "GPU_DEVICES", ())


@pytest.fixture
def no_litert(monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)  # as if it were not installed
    monkeypatch.delitem(sys.modules, "ai_edge_litert.interpreter", raising=False)


def test_litert_where_it_is_installed(preset, no_gpu):
    assert engine_for(preset) == "litert"
    picker = Picker.from_preset(preset, engine="auto")
    assert picker.engine == "litert"
    assert not isinstance(picker.net, PhaseNet)


def test_keras_where_litert_is_not_installed(preset, no_gpu, no_litert, tmp_path):
    assert engine_for(preset) == "keras"
    record, picks = write_station(tmp_path / "a.mseed"), tmp_path / "picks.csv"
    assert main(["pick", record, "--preset", preset, "--output", str(picks)]) == 0
    assert len(read_picks(picks)) == 1


@pytest.mark.parametrize("error", ["RuntimeError", "OSError", "AttributeError", "ImportError"])
@pytest.mark.parametrize("module", ["__init__", "interpreter", "schema_py_generated"])
def test_keras_where_litert_is_broken(preset, no_gpu, monkeypatch, tmp_path, error, module):
    for name in [name for name in sys.modules if name.startswith("ai_edge_litert")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "phasenet_keras.models.litert_graph", raising=False)
    package = tmp_path / "ai_edge_litert"
    package.mkdir()
    for name in ("__init__", "interpreter", "schema_py_generated"):
        (package / f"{name}.py").write_text(f"raise {error}('wrong ABI')" * (name == module))
    monkeypatch.syspath_prepend(tmp_path)
    assert engine_for(preset) == "keras"
    with pytest.raises(MissingExtraError, match=r"ai-edge-litert, .* imported \(wrong ABI\)"):
        Picker.from_preset(preset, engine="litert")


def test_keras_where_there_is_a_gpu(preset, monkeypatch):
    monkeypatch.setattr(inference, "GPU_DEVICES", ("nvidia[0-9]*", "null"))
    assert engine_for(preset) == "keras"


def test_keras_for_networks_that_litert_does_not_run(tmp_path, preset, no_gpu):
    net = PhaseNet(kernel_size=5, depth=2)
    net.save_preset(tmp_path / "net", replace(read_preset(preset), config=net.config))
    assert engine_for(tmp_path / "net") == "keras"
    assert Picker.from_preset(tmp_path / "net", engine="auto").engine == "keras"


def test_keras_for_a_network_that_is_followed(preset, no_gpu):
    assert Picker.from_preset(preset, engine="auto", follow=True).engine == "keras"


def test_an_engine_that_there_is_not(preset):
    words = "an engine is one of auto, keras, litert, received 'tflite'"
    with pytest.raises(ConfigError, match=words):
        Picker.from_preset(preset, engine="tflite")


def test_a_backend_that_there_is_not_is_status_2(preset, tmp_path):
    command = [sys.executable, "-m", "phasenet_keras", "presets", "--check", preset]
    environment = {**os.environ, "KERAS_BACKEND": "nonsense"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 2
    [said] = done.stderr.splitlines()
    assert said.startswith(
        "phasenet-keras: error: Keras does not start with KERAS_BACKEND=nonsense"
    )


def test_a_preset_that_is_not_there(tmp_path):
    with pytest.raises(PresetError, match="nothing"):
        engine_for(tmp_path / "nothing")


def test_the_commands_load_no_tensorflow(preset, tmp_path):
    record = write_station(tmp_path / "a.mseed")
    for verb in ("pick", "annotate"):
        command = [verb, record, "--preset", preset, "--output", str(tmp_path / verb)]
        code = (
            "from phasenet_keras.models import inference\ninference.GPU_DEVICES = ()\n"
            f"from phasenet_keras.cli import main\nassert main({command}) == 0"
        )
        run_without(FRAMEWORKS, code)
