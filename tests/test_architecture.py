"""The house rules that a machine can check."""

from __future__ import annotations

import ast
import re
import time
from pathlib import Path

import pytest
from fresh import FRAMEWORKS, run_without

import phasenet_keras

PACKAGE = Path(phasenet_keras.__file__).parent
LAYERS = ["quiet", "short_repr", "values", "types", "io", "data", "models", "picking", "training"]
TOP = len(LAYERS)
MODULES = sorted(PACKAGE.rglob("*.py"))


def layer_of(dotted: str) -> int:
    parts = dotted.split(".")
    if parts[0] != "phasenet_keras" or len(parts) == 1:
        return -1
    if parts[1] == "quiet":
        return LAYERS.index("types")
    return LAYERS.index(parts[1]) if parts[1] in LAYERS else TOP


def imports_of(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_from_left_to_right(path):
    name = ".".join(("phasenet_keras", *path.relative_to(PACKAGE).with_suffix("").parts))
    if path.name == "__init__.py" and path.parent == PACKAGE:
        pytest.skip("the table of contents")
    back = [other for other in imports_of(path) if layer_of(other) > layer_of(name)]
    assert not back, f"{name} imports from its right: {back}"


def test_every_module_has_its_row():
    text = (PACKAGE.parent / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.+)", text, flags=re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([\w/]+\.py)`", row)]
    modules = [str(p.relative_to(PACKAGE)) for p in MODULES if p.name != "__init__.py"]
    assert sorted(named) == sorted(modules)


def test_only_plot_modules_import_matplotlib():
    users = {p.name for p in MODULES if any(n.startswith("matplotlib") for n in imports_of(p))}
    assert "plot.py" in users
    assert all(name.startswith("plot") for name in users)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_and_functions_stay_small(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno + 1 <= 80, node.name


@pytest.mark.parametrize(
    "code",
    [
        "import phasenet_keras; phasenet_keras.Waveform; phasenet_keras.Pick",
        "import phasenet_keras; phasenet_keras.read_waveforms()",
        "import phasenet_keras; phasenet_keras.detect_peaks([0, 1, 0])",
        "import phasenet_keras; phasenet_keras.list_presets()",
        "import phasenet_keras.picking.picker, phasenet_keras.cli.report, phasenet_keras.plot",
        "from phasenet_keras.cli import main\ntry: main(['pick', '--help'])\n"
        "except SystemExit: pass",
    ],
)
def test_costs_no_keras(code):
    run_without(FRAMEWORKS, code)


def test_help_loads_neither_obspy_nor_scipy():
    code = "from phasenet_keras.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass"
    started = time.perf_counter()
    run_without(("obspy", "scipy", "pandas", "matplotlib"), code)
    # Not a benchmark: TensorFlow alone takes several seconds, so this tells the two apart.
    assert time.perf_counter() - started < 5.0


def test_every_public_name_resolves():
    for name in phasenet_keras.__all__:
        assert getattr(phasenet_keras, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = phasenet_keras.nothing


def test_package_is_typed():
    assert (PACKAGE / "py.typed").is_file()
