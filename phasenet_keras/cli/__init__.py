"""The command line: a module a verb, argument parsing only; the library does the work."""

from __future__ import annotations

from phasenet_keras.cli.parser import main

__all__ = ["main"]
