"""What was printed, as tests look for it."""

from __future__ import annotations

import re


def unaligned(text: str) -> str:
    """Return a text in which the cells of tables have no blanks but the one on either side."""
    return re.sub(r" +\|", " |", text)


def said(capsys) -> str:
    """Return what was printed, in one line."""
    return " ".join(capsys.readouterr().out.split())
