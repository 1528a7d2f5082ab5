"""Sphinx configuration of the documentation: `make docs` builds it."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from docutils import nodes

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
    *(f"{generate.GENERATED}/{n}.md" for n in ("cli", "formats", "names", "pick_formats")),
]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
# Copy what a person types, not the prompts.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = "phasenet_keras"
html_copy_source = False

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
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
# "name, split: ..." under Attributes is taken for types, and two classes have a `name`.
suppress_warnings = ["ref.python"]
nitpick_ignore_regex = [(r"py:.*", r"(?!phasenet_keras\.).*"), (r"py:class", r".*\.Tensor")]
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


def setup(app: Sphinx) -> None:
    """Make the generated pages before any page is read."""
    app.connect("builder-inited", lambda app: generate.write_pages(Path(app.srcdir)))
    app.connect("missing-reference", find_target)
