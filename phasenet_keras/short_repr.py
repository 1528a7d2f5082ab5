"""How nouns and numbers show themselves: on a line, without samples, with few digits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["ShortRepr", "three_digits"]

# So many values of a list or a mapping are shown; of more, their number and type.
MOST_VALUES = 6
MOST_LETTERS = 60


class ShortRepr:
    """A ``repr`` for dataclasses, with ``@dataclass(repr=False)``: what is set, arrays by shape.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(repr=False)
        ... class Gather(ShortRepr):
        ...     data: np.ndarray
        ...     offset_m: float = 0.0
        ...     units: str = ""
        >>> Gather(np.zeros((300, 24)), 12.5)
        Gather(data=float64 (300, 24), offset_m=12.5)
    """

    def __repr__(self) -> str:
        said = [
            f"{item.name}={_short(getattr(self, item.name))}"
            for item in fields(self)  # type: ignore[arg-type]
            if item.repr and not _is_default(getattr(self, item.name), item)
        ]
        return f"{type(self).__name__}({', '.join(said)})"


def three_digits(value: float) -> str:
    """Return a number as texts and figures have it: three digits that count, no power of ten.

    Example:
        >>> [three_digits(value) for value in (5 / 3, 0.5, 12.0, 25 / 3000, 12345.6, 5e-6)]
        ['1.67', '0.5', '12', '0.00833', '12300', '0.000005']
    """
    return np.format_float_positional(float(f"{value:.3g}"), trim="-")


def _is_default(value: Any, item: Any) -> bool:
    if item.default is not MISSING:
        return value is item.default or (
            type(value) is type(item.default) and value == item.default
        )
    return item.default_factory is not MISSING and isinstance(value, list | dict) and not value


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    if isinstance(value, float | np.floating):
        return f"{value:.6g}"
    if isinstance(value, str) and len(value) > MOST_LETTERS:
        return repr(f"{value[:MOST_LETTERS]}…")
    if isinstance(value, Path) or type(value).__name__ == "UTCDateTime":
        return str(value)
    if isinstance(value, Mapping):
        if len(value) > MOST_VALUES:
            return f"<{len(value)} names>"
        return "{" + ", ".join(f"{name!r}: {_short(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return _short_list(value)
    return repr(value)


def _short_list(values: list[Any] | tuple[Any, ...]) -> str:
    if len(values) > MOST_VALUES or any(map(is_dataclass, values)):
        kinds = {type(value).__name__ for value in values}
        return f"<{len(values)} {' or '.join(sorted(kinds))}>"
    said = ", ".join(map(_short, values))
    if isinstance(values, list):
        return f"[{said}]"
    return f"({said},)" if len(values) == 1 else f"({said})"
