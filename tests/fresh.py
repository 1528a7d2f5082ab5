"""A Python of its own, and what it may not have loaded."""

from __future__ import annotations

import subprocess
import sys

FRAMEWORKS = ("tensorflow", "keras", "jax", "torch")


def run_without(names, code):
    """Run code, assert that it ends well and loads none of these modules; return its errors."""
    code += f"\nimport sys\nloaded = {set(names)} & set(sys.modules)\nassert not loaded, loaded"
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stderr
    return run.stderr
