"""How messages count and list names, and how names that would be one are told apart."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import islice

__all__ = ["counted", "first_of", "free_name", "some"]


def counted(n: int, what: str) -> str:
    """Return how many there are of something.

    Example:
        >>> counted(1, "pick"), counted(0, "pick")
        ('1 pick', '0 picks')
    """
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def first_of(texts: Sequence[object]) -> str:
    """Return the first of some texts, and how many more there are; empty for none.

    Example:
        >>> first_of(["a.csv is empty", "b.csv is empty", "c.csv is empty"]), first_of([])
        ('a.csv is empty (and 2 more)', '')
    """
    more = f" (and {len(texts) - 1} more)" if len(texts) > 1 else ""
    return f"{texts[0]}{more}" if texts else ""


def some(names: Iterable[str], most: int = 3) -> str:
    """Return the first few names, and a mark that there are more.

    Example:
        >>> some(["a", "b"]), some("abcd")
        ('a, b', 'a, b, c, …')
    """
    names = list(islice(names, most + 1))  # of a million the others are not made
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def free_name(stem: str, taken: Collection[str]) -> str:
    """Return a name that is not taken: the stem, or the stem with -2, -3 and so on.

    Example:
        >>> free_name("a", ["a", "a-2"])
        'a-3'
    """
    number, name = 1, stem
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    return name
