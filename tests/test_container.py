"""What can be checked of the container without building it."""

from __future__ import annotations

import configparser
import importlib.util
import re
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from conftest import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
SETUP = configparser.ConfigParser(interpolation=None)
SETUP.read(ROOT / "setup.cfg", encoding="utf-8")
# The container serves --dask and correct, too.
REQUIREMENTS = [
    *SETUP["options"]["install_requires"].split(),
    *SETUP["options.extras_require"]["cluster"].split(),
    *SETUP["options.extras_require"]["correct"].split(),
    *SETUP["options.extras_require"]["fast"].split(),
    *SETUP["options.extras_require"]["mseed3"].split(),
    *SETUP["options.extras_require"]["parquet"].split(),
]


def instructions(word):
    return re.findall(rf"^{word} +(.+)$", DOCKERFILE, re.MULTILINE)


def default_of(argument):
    [value] = [a.split("=", 1)[1] for a in instructions("ARG") if a.startswith(argument + "=")]
    return value


def copied():
    """Paths in the checkout that the Dockerfile copies."""
    sources = []
    for line in instructions("COPY"):
        words = line.split()
        if not words[0].startswith("--from="):
            sources += words[:-1]
    return sources


def is_sent(path):
    """Tell if .dockerignore lets a path through: the last pattern that fits it or a parent."""
    sent = True
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    parts = path.split("/")
    for line in (line.strip() for line in lines):
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!").split("/")
        deep = pattern[0] == "**"
        pattern = pattern[deep:]
        starts = range(len(parts)) if deep else [0]
        n = len(pattern)
        if any(
            len(parts[start : start + n]) == n
            and all(map(fnmatchcase, parts[start : start + n], pattern))
            for start in starts
        ):
            sent = line.startswith("!")
    return sent


@pytest.fixture(scope="module")
def tool():
    path = ROOT / "tools/container_requirements.py"
    spec = importlib.util.spec_from_file_location("container_requirements", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_base_is_pinned_and_its_python_is_supported():
    pin = r"docker\.io/library/python:(\d+)\.(\d+)\.\d+-slim-\w+@sha256:[0-9a-f]{64}"
    found = re.fullmatch(pin, default_of("BASE_IMAGE"))
    assert found, default_of("BASE_IMAGE")
    assert DOCKERFILE.index("ARG BASE_IMAGE") < DOCKERFILE.index("FROM")
    assert all(line.split()[0] == "${BASE_IMAGE}" for line in instructions("FROM"))
    version = f"{found[1]}.{found[2]}"
    assert f"Programming Language :: Python :: {version}" in SETUP["metadata"]["classifiers"]
    least = SETUP["options"]["python_requires"].removeprefix(">=")
    assert tuple(map(int, found.groups())) >= tuple(map(int, least.split(".")))


@pytest.mark.parametrize("tensorflow", ["tensorflow[and-cuda]", None])
def test_requirements_differ_from_setup_cfg_in_the_tensorflow_package_only(tool, tensorflow):
    tensorflow = tensorflow or default_of("TENSORFLOW")
    lines = tool.with_tensorflow(tool.requirements_of(ROOT / "setup.cfg"), tensorflow)
    [wanted] = [r for r in REQUIREMENTS if re.match(r"tensorflow\b", r)]
    limits = wanted.removeprefix("tensorflow")
    assert re.match(r">=\d", limits)
    assert lines == [tensorflow + limits if r == wanted else r for r in REQUIREMENTS]


def test_the_default_is_for_the_cpu_and_the_project_pulls_no_other_tensorflow():
    assert default_of("TENSORFLOW") == "tensorflow-cpu"
    installs = [line for line in instructions("RUN") if "phasenet-keras/wheels" in line]
    assert installs
    assert all("--no-deps" in line for line in installs)


def test_limits_of_ones_own_are_added(tool):
    lines = tool.with_tensorflow(["numpy>=1", "tensorflow>=2.18"], "tensorflow-cpu==2.20.*")
    assert lines == ["numpy>=1", "tensorflow-cpu>=2.18,==2.20.*"]


@pytest.mark.parametrize("bad", ["jax", "", "tensorflow-cpu; rm -r /", "tensorflow cpu"])
def test_what_is_no_tensorflow_is_refused(tool, bad):
    with pytest.raises(ValueError, match="TensorFlow requirement"):
        tool.with_tensorflow(["tensorflow>=2.18"], bad)


def test_a_list_without_tensorflow_is_refused(tool):
    with pytest.raises(ValueError, match="found 0"):
        tool.with_tensorflow(["tensorflow-probability>=1"], "tensorflow-cpu")


def test_what_is_copied_exists_and_reaches_the_builder():
    assert len(copied()) >= 6
    for path in copied():
        assert (ROOT / path).exists(), path
        assert is_sent(path), path
    for folder in ("phasenet_keras", "pretrained"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert is_sent(path.relative_to(ROOT).as_posix()), path


def test_every_folder_of_modules_is_a_package_of_setup_cfg():
    found = {path.parent for path in (ROOT / "phasenet_keras").rglob("*.py")}
    named = {".".join(folder.relative_to(ROOT).parts) for folder in found}
    assert len(named) >= 7
    assert named <= set(SETUP["options"]["packages"].split())


def test_every_package_of_setup_cfg_is_copied():
    for package in SETUP["options"]["packages"].split():
        folder = package.replace("phasenet_keras.pretrained", "pretrained").replace(".", "/")
        assert any(Path(folder).is_relative_to(path) for path in copied()), package


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".venv/bin/python",
        ".venv-3.12/bin/python",
        "shared/data/ncedc/a.npz",
        "data/day.mseed",
        "build/lib/x.py",
        "demo/picks.csv",
        "tests/conftest.py",
        "pip.conf",
        "phasenet_keras/__pycache__/cli.cpython-313.pyc",
        "examples/pick_example_record.py",
    ],
)
def test_what_the_builder_must_not_see(path):
    assert not is_sent(path)


def test_the_program_is_process_1_and_not_root():
    assert instructions("ENTRYPOINT") == ['["phasenet-keras"]']  # a shell would keep SIGTERM
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", instructions("USER")[-1])
    assert DOCKERFILE.index("\nUSER") < DOCKERFILE.index("\nENTRYPOINT")


def test_process_1_obeys_sigterm():
    code = (
        "import os, signal\nfrom phasenet_keras.cli import parser\n"
        "own, os.getpid = os.getpid(), lambda: 1\n"
        "parser._obey_sigterm_as_process_1()\nos.kill(own, signal.SIGTERM)\nprint('still here')"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (ended.returncode, ended.stdout) == (143, b""), ended.stderr  # by default it is -15
