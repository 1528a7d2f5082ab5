"""Pages that are made from the package at build time, so that they cannot drift from it.

`conf.py` calls `write_pages`; nothing here needs Sphinx.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import math
import os
import pkgutil
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, fields
from importlib import import_module
from pathlib import Path

import phasenet_keras
from phasenet_keras.cli.parser import build_parser
from phasenet_keras.io.pick_formats import pick_formats
from phasenet_keras.io.registry import Reader, readers

__all__ = ["GENERATED", "MODULE_GROUPS", "pages", "verbs", "write_pages"]

GENERATED = "_generated"
HELP_COLUMNS = "82"
# The modules of the package in the order of its import line, with a title each.
MODULE_GROUPS: dict[str, str] = {
    "types": "The nouns and the errors",
    "io": "Files: waveforms, labels, picks, data sets",
    "data": "What a network sees",
    "models": "Networks, presets, weights",
    "picking": "From records to picks",
    "training": "Training, evaluation, comparison, correction",
    "figures": "Figures, pages of scores, the demo",
}
FIGURES = ("demo", "plot", "score_report")
# What files of settings hold, by the name of the page's part: module and class.
SETTINGS = {
    "train": ("training.config", "TrainConfig"),
    "correct": ("training.correction", "CorrectionConfig"),
    "correct_phase": ("training.robust", "PhaseCorrection"),
}


def verbs() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each verb of the command line, by its name."""
    parser = build_parser()
    [group] = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return dict(group.choices)


def pages() -> dict[str, str]:
    """Return the text of every generated page, by its path below the folder of generated pages."""
    found = {"cli.md": _cli_page(), "formats.md": _formats_page(), "names.md": _names_page()}
    found["pick_formats.md"] = _pick_formats_page()
    found |= {f"settings_{name}.md": _settings_table(*of) for name, of in SETTINGS.items()}
    found["augmentations.md"] = _augmentations_page()
    for number, (group, title) in enumerate(MODULE_GROUPS.items()):
        found[f"api/{number}_{group}.md"] = _api_page(title, _modules(group))
    return found


def write_pages(docs: Path) -> None:
    """Write the pages below a folder of documentation; files that do not change stay untouched."""
    for name, text in pages().items():
        path = docs / GENERATED / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


@contextmanager
def _columns(width: str) -> Iterator[None]:
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = width  # argparse wraps its help to it
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


def _cli_page() -> str:
    with _columns(HELP_COLUMNS):
        texts = {"phasenet-keras": build_parser().format_help()}
        texts |= {f"phasenet-keras {name}": verb.format_help() for name, verb in verbs().items()}
    return "\n".join(f"## {name}\n\n```text\n{text}```\n" for name, text in texts.items())


def _formats_page() -> str:
    lines = ["| format | usual endings | one trace is one receiver |", "|---|---|---|"]
    lines += [_format_row(reader) for reader in readers()]
    return "\n".join(lines) + "\n"


def _format_row(reader: Reader) -> str:
    endings = ", ".join(f"`{ending}`" for ending in reader.extensions)
    return f"| {reader.name} | {endings} | {'yes' if reader.one_trace_one_station else ''} |"


def _pick_formats_page() -> str:
    lines = ["| name | ending | what it holds |", "|---|---|---|"]
    lines += [f"| `{f.name}` | `{f.endings[0]}` | {f.content} |" for f in pick_formats()]
    return "\n".join(lines) + "\n"


def _names_page() -> str:
    lines = ["| name | what it is |", "|---|---|"]
    for name, home in sorted(phasenet_keras._HOMES.items()):
        module = f"phasenet_keras.{home}"
        lines.append(f"| {{py:obj}}`{name} <{module}.{name}>` | {_summary(module, name)} |")
    return "\n".join(lines) + "\n"


def _summary(module: str, name: str) -> str:
    """Return the first line of a docstring, read from the source: nothing is imported."""
    for node in ast.parse(_source(module)).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")
    raise LookupError(f"{module} defines no {name}: phasenet_keras.__init__ names another home")


def _settings_table(module: str, name: str) -> str:
    """Return the settings of a class as a table: what its docstring says of each, and defaults."""
    cls = getattr(import_module(f"phasenet_keras.{module}"), name)
    defaults = {item.name: item.default for item in fields(cls) if item.init}
    section = (inspect.getdoc(cls) or "").split("Attributes:\n")[1].split("\n\n")[0]
    lines = ["| key | default | what |", "|---|---|---|"]
    for entry in re.split(r"\n    (?=\S)", section.removeprefix("    ")):
        keys, text = " ".join(entry.split()).split(": ", 1)
        known = [key for key in keys.split(", ") if key in defaults]
        if known:
            shown = ", ".join(f"`{key}`" for key in known)
            lines.append(f"| {shown} | {_as_json(defaults[known[0]])} | {_in_json(text)} |")
    return "\n".join(lines) + "\n"


def _in_json(text: str) -> str:
    """Return what a docstring says of a setting as it reads where settings are JSON."""
    return re.sub(r"\bNone\b", "`null`", text.replace("``", "`"))


def _as_json(default: object) -> str:
    """Return a default as a file of settings has it; empty for what is made, or has no end."""
    is_plain = default is not MISSING and default not in (math.inf, -math.inf)
    return f"`{json.dumps(default)}`" if is_plain else ""


def _augmentations_page() -> str:
    from phasenet_keras.training.config import STEPS

    lines = ["| name | what it does | settings |", "|---|---|---|"]
    for name, step in sorted(STEPS.items()):
        summary = (step.__doc__ or "").split("\n\n")[0].replace("\n", " ").strip()
        settings = ", ".join(
            f"`{item.name}` {_as_json(item.default)}" for item in fields(step) if item.init
        )
        lines.append(f"| `{name}` | {' '.join(summary.split())} | {settings} |")
    return "\n".join(lines) + "\n"


def _source(module: str) -> str:
    path = Path(phasenet_keras.__file__).parent.joinpath(*module.split(".")[1:])
    return path.with_suffix(".py").read_text(encoding="utf-8")


def _modules(group: str) -> list[str]:
    root = Path(phasenet_keras.__file__).parent
    if group == "figures":
        names = [item.name for item in pkgutil.iter_modules([str(root)])]
        return [f"phasenet_keras.{n}" for n in names if n.startswith(FIGURES)]
    if (root / f"{group}.py").is_file():
        return [f"phasenet_keras.{group}"]
    found = pkgutil.walk_packages([str(root / group)], f"phasenet_keras.{group}.")
    return [item.name for item in found if not item.ispkg]


def _api_page(title: str, modules: list[str]) -> str:
    parts = [f"# {title}\n"]
    for module in modules:
        directive = f".. automodule:: {module}\n   :members:\n   :ignore-module-all:"
        parts.append(f"## {module}\n\n```{{eval-rst}}\n{directive}\n```\n")
    return "\n".join(parts)
