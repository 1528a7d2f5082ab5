"""Sphinx configuration of the documentation: `make docs` builds it."""

from __future__ import annotations

import inspect
import os
import re
import sys
from itertools import chain, takewhile
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from docutils import nodes
from sphinx.util.inspect import stringify_signature

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import generate

import phasenet_keras

if TYPE_CHECKING:
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

project = "phasenet_keras"
author = "the phasenet_keras authors"
release = version = phasenet_keras.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.doctest",
    "sphinx_copybutton",
]
exclude_patterns = [
    "_build",
    f"{generate.GENERATED}/*.md",  # parts of other pages
]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
highlight_language = "none"  # the README does not say what its commands and their output are
# Copy what a person types, not the prompts.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = "phasenet_keras"
html_copy_source = False
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["site.css"]

autodoc_typehints = "signature"
autodoc_preserve_defaults = True
# A section is headed by its module; of a long signature each argument has a line.
add_module_names = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
# What is before a colon under Returns is no type: annotations say that.
napoleon_use_rtype = False
# Single backticks in docstrings name something; what it is, `find_target` tells.
default_role = "py:obj"
# The examples of docstrings are run by pytest, those of the pages by `sphinx-build -b doctest`.
doctest_test_doctest_blocks = ""
doctest_global_setup = """
import os, tempfile
_folder = tempfile.TemporaryDirectory()
os.chdir(_folder.name)
"""

# What is not ours has its own documentation; what is ours has to be found.
nitpick_ignore_regex = [
    (r"py:.*", r"(?!phasenet_keras\.).*"),
    (r"py:class", r".*\.(Item|Row|Tensor|Wanted)"),  # type variables
]
SEVERAL = re.compile(r":ivar (\w+(?:, \w+)+):(.*)")
OURS = re.compile(r"\.?[A-Za-z_][\w.]*")


def find_target(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element
) -> nodes.Element | None:
    """Resolve a name without its module, as the docstrings have it: `Picker`, `train`.

    The name may be the end of one that is documented; of several, a public one counts, then the
    shortest.
    """
    if node.get("refdomain") != "py" or not OURS.fullmatch(node["reftarget"]):
        return None
    domain = env.domains["py"]
    target = node["reftarget"].lstrip(".").removeprefix("phasenet_keras.")
    ends = [name for name in domain.objects if name == target or name.endswith(f".{target}")]
    if not ends:
        return None
    public = {f"phasenet_keras.{home}.{n}" for n, home in phasenet_keras._HOMES.items()}
    best = min(ends, key=lambda name: (name not in public, name.count("."), name))
    entry = domain.objects[best]
    reference = nodes.reference("", "", internal=True)
    reference["refuri"] = app.builder.get_relative_uri(node["refdoc"], entry.docname)
    reference["refuri"] += f"#{entry.node_id}"
    reference += content
    return reference


def split_attributes(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Give each attribute of "event, gather: ..." an entry: "event," would be taken for a type."""
    for at in reversed(range(len(lines))):
        if together := SEVERAL.fullmatch(lines[at]):
            size = 1 + sum(1 for _ in takewhile(lambda line: line.startswith(" "), lines[at + 1 :]))
            entries = (
                [f":ivar {one}:{together[2]}", *lines[at + 1 : at + size]]
                for one in together[1].split(", ")
            )
            lines[at : at + size] = chain.from_iterable(entries)


def plain_defaults(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str, returns: str
) -> tuple[str, str] | None:
    """Write defaults so that they can be parsed: the name of a function, "..." for a factory."""
    if not signature:
        return None
    if what == "class" and signature == "(*args, **kwargs)":  # Keras's __new__, not what is ours
        signature = stringify_signature(inspect.signature(obj), unqualified_typehints=True)
    signature = signature.replace("<factory>", "...")
    return re.sub(r"<function (\w+)[^>]*>", r"\1", signature), returns


def setup(app: Sphinx) -> None:
    """Make the generated pages before any page is read."""
    app.connect("builder-inited", lambda app: generate.write_pages(Path(app.srcdir)))
    app.connect("missing-reference", find_target)
    app.connect("autodoc-process-signature", plain_defaults)
    app.connect("autodoc-process-docstring", split_attributes, priority=600)  # after napoleon
