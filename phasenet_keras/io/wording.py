"""How messages list names."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["some"]


def some(names: Iterable[str], most: int = 3) -> str:
    """Return the first few names, and a mark that there are more.

    Example:
        >>> some(["a", "b"]), some("abcd")
        ('a, b', 'a, b, c, …')
    """
    names = list(names)
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")
