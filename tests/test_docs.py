"""The documentation says all that there is, and nothing that is not."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
from pathlib import Path

import pytest

import phasenet_keras
from phasenet_keras.cli.parser import build_parser
from phasenet_keras.io.registry import readers

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(p for p in DOCS.rglob("*.md") if "_" not in p.relative_to(DOCS).parts[0]),
    ]
)
FENCE = re.compile(r"^```(\S*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def generated(generate):
    return generate.pages()


def prose():
    return "\n".join(path.read_text(encoding="utf-8") for path in PAGES)


def test_every_verb_is_documented(generate, generated):
    text = prose()
    assert {"pick", "train", "correct"} <= set(generate.verbs())
    for verb in generate.verbs():
        assert f"## phasenet-keras {verb}\n" in generated["cli.md"]
        assert f"usage: phasenet-keras {verb} " in generated["cli.md"]
        assert f"phasenet-keras {verb}" in text, f"no page tells what '{verb}' is for"


def test_every_public_name_is_documented(generated):
    modules = "\n".join(text for name, text in generated.items() if name.startswith("api/"))
    for name in set(phasenet_keras.__all__) - {"__version__"}:
        home = f"phasenet_keras.{phasenet_keras._HOMES[name]}"
        row = re.escape(f"`{name} <{home}.{name}>` | ")
        assert re.search(rf"{row}\S.+ \|\n", generated["names.md"]), f"{name} has no docstring"
        assert f".. automodule:: {home}\n" in modules


def test_every_module_and_format_is_listed(generated):
    package = Path(phasenet_keras.__file__).parent
    listed = set(re.findall(r"automodule:: (\S+)", "\n".join(generated.values())))
    for path in package.rglob("*.py"):
        name = ".".join(path.relative_to(package.parent).with_suffix("").parts)
        inner = ("quiet.py", "short_repr.py", "values.py")
        shown = path.parent != package / "cli" and path.name not in inner
        if shown and not path.name.startswith("__"):
            assert name in listed, f"no page shows {name}: add it to docs/generate.py"
    for reader in readers():
        assert f"| {reader.name} |" in generated["formats.md"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        file, _, anchor = target.partition("#")
        if "://" in file:
            continue
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), f"{target} leads nowhere"
        assert not anchor or anchor in anchors(there), f"{target}: there is no such heading"


def anchors(path):
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_and_imports_are_those_of_the_package(path):
    for language, text in FENCE.findall(path.read_text(encoding="utf-8")):
        if language in ("", "sh"):
            for line in text.replace("\\\n", " ").splitlines():
                if line.startswith("phasenet-keras ") and line.count("'") % 2 == 0:
                    build_parser().parse_args(shlex.split(line, comments=True)[1:])
        if language == "python":
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.ImportFrom) and node.module.startswith("phasenet_keras"):
                    missing = {alias.name for alias in node.names} - names_in(node.module)
                    assert not missing, f"{node.module} has no {missing}"


def names_in(module):
    """Names at the top of a module, read from its source: no page costs TensorFlow."""
    if module == "phasenet_keras":
        return set(phasenet_keras.__all__)
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            found |= {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}
    return found


def test_pages_are_in_the_table_of_contents():
    listed = set(
        re.findall(r"^[a-z\-]+/[a-z0-9\-]+$", (DOCS / "index.md").read_text(), re.MULTILINE)
    )
    found = {p.relative_to(DOCS).with_suffix("").as_posix() for p in PAGES if DOCS in p.parents}
    assert found - {"index"} == listed
