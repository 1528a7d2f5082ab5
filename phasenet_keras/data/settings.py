"""What a setting may be: yes or no, a whole number, a number in a range, a name.

One table a class of settings says what each is; `settle` checks them, and brings NumPy's numbers to
Python's, so that JSON takes them.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

from phasenet_keras.types import ConfigError, PhaseNetKerasError, nearest_name, refuse_unknown

__all__ = [
    "FLAG",
    "FOLDER_NAME",
    "NAMES",
    "SEED",
    "TABLE",
    "TEXT",
    "Kind",
    "by_name",
    "checked_items",
    "checked_table",
    "checked_type",
    "choice",
    "class_factors",
    "number",
    "optional",
    "settle",
    "settled",
    "whole",
]

Wanted = TypeVar("Wanted")


@dataclass(frozen=True)
class Kind:
    """What a setting may be.

    Attributes:
        words: what is expected, for the error: "epochs is …".
        take: returns the plain value; raises TypeError, ValueError or OverflowError for another.
        known: names that it is one of, for a hint.
    """

    words: str
    take: Callable[[Any], Any]
    known: tuple[str, ...] = ()


def settled(
    name: str, kind: Kind, value: Any, error: type[PhaseNetKerasError] = ConfigError
) -> Any:
    """Return a setting as a plain value of its kind.

    Args:
        name: of the setting, for the error.
        kind: what it may be.
        value: what was given.
        error: that is raised.

    Raises:
        PhaseNetKerasError: the ``error``, with what is expected and what was received.

    Example:
        >>> settled("epochs", whole(1), np.int64(20))
        20
        >>> settled("epochs", whole(1), 0)
        Traceback (most recent call last):
        ...
        phasenet_keras.types.ConfigError: epochs is a whole number from 1 on, received 0
    """
    try:
        return kind.take(value)
    except (TypeError, ValueError, OverflowError):
        hint = nearest_name(str(value), kind.known)
        raise error(
            f"{name} is {kind.words}, received {value!r}{f'.{hint}' if hint else ''}"
        ) from None


def checked_type(value: Any, wanted: type[Wanted], name: str, hint: str = "") -> Wanted:
    """Return a value as it is, if it is of a class of ours.

    Args:
        value: what was given.
        wanted: the class.
        name: of the argument, for the error.
        hint: how to come by one.

    Raises:
        ConfigError: with what is expected, the type that was received, and the hint.

    Example:
        >>> checked_type({"P": 0.3}, Kind, "a kind", "whole(1) makes one")
        Traceback (most recent call last):
        ...
        phasenet_keras.types.ConfigError: a kind is a Kind, received dict: whole(1) makes one
    """
    if not isinstance(value, wanted):
        given = f"{name} is a {wanted.__name__}, received {type(value).__name__}"
        raise ConfigError(f"{given}: {hint}" if hint else given)
    return value


def checked_items(values: Any, wanted: type[Wanted], name: str, hint: str = "") -> list[Wanted]:
    """Return things of one class as a list, each as `checked_type`; one thing is a list of it.

    Raises:
        ConfigError: for the first that is none.

    Example:
        >>> checked_items([whole(1), 3], Kind, "kinds")
        Traceback (most recent call last):
        ...
        phasenet_keras.types.ConfigError: each of the kinds is a Kind, received int
    """
    is_one = isinstance(values, wanted) or not isinstance(values, Iterable)
    items = [values] if is_one else values
    return [checked_type(item, wanted, f"each of the {name}", hint) for item in items]


def checked_table(values: Any, wanted: type[Wanted], name: str, hint: str = "") -> None:
    """Refuse what is no mapping to things of one class, each as `checked_type`.

    Raises:
        ConfigError: saying so.

    Example:
        >>> checked_table([whole(1)], Kind, "kinds")
        Traceback (most recent call last):
        ...
        phasenet_keras.types.ConfigError: kinds are a mapping by name, received list
    """
    if not isinstance(values, Mapping):
        given = f"{name} are a mapping by name, received {type(values).__name__}"
        raise ConfigError(f"{given}: {hint}" if hint else given)
    checked_items(values.values(), wanted, name, hint)


def settle(
    settings: Any,
    kinds: Mapping[str, Kind],
    what: str = "",
    error: type[PhaseNetKerasError] = ConfigError,
) -> None:
    """Check fields of a frozen dataclass, and replace each by its plain value.

    Args:
        settings: an instance that is being made.
        kinds: by the name of a field.
        what: the settings are of, for the error.
        error: that is raised.

    Raises:
        PhaseNetKerasError: the ``error``, see `settled`.
    """
    for name, kind in kinds.items():
        plain = settled(f"{what}{name}", kind, getattr(settings, name), error)
        object.__setattr__(settings, name, plain)


def by_name(values: Any, settings: type, what: str) -> dict[str, Any]:
    """Return what was given for the fields of a class of settings.

    Args:
        values: a mapping.
        settings: the class.
        what: it is, for the error.

    Raises:
        ConfigError: for no mapping, or a name that is no field's, with the nearest that is.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{what} has settings by name, received {values!r}")
    refuse_unknown(values, [item.name for item in fields(settings) if item.init], what)
    return dict(values)


def whole(least: int = 0, most: int | None = None) -> Kind:
    """Return the kind of a whole number in a range, both ends included."""

    def take(value: Any) -> int:
        found = int(_number(value))
        if found != value or found < least or (most is not None and found > most):
            raise ValueError
        return found

    return Kind(f"a whole number from {least} {'on' if most is None else f'to {most}'}", take)


def number(
    least: float = -math.inf,
    most: float = math.inf,
    *,
    above: float = -math.inf,
    below: float = math.inf,
    is_finite: bool = True,
) -> Kind:
    """Return the kind of a number in a range.

    Args:
        least: of the range, which it belongs to.
        most: of the range, which it belongs to.
        above: it is larger than this.
        below: it is smaller than this.
        is_finite: without it infinity is a number, too.
    """

    def take(value: Any) -> float:
        found = float(_number(value))
        if is_finite and not math.isfinite(found):
            raise ValueError
        if not (least <= found <= most and (found > above or above == -math.inf)):
            raise ValueError
        if not (found < below or below == math.inf):
            raise ValueError
        return int(value) if isinstance(value, numbers.Integral) else found

    if -math.inf < least and most < math.inf:
        limits = [f"in [{least:g}, {most:g}]"]
    else:
        ends = (("above", above), ("at least", least), ("at most", most), ("below", below))
        limits = [f"{words} {end:g}" for words, end in ends if math.isfinite(end)]
        if limits and is_finite and min(most, below) == math.inf:
            limits.append("finite")
    return Kind(" and ".join(limits) or f"a {'finite ' if is_finite else ''}number", take)


def choice(known: Iterable[str]) -> Kind:
    """Return the kind of a name that is one of these."""
    names = tuple(known)

    def take(value: Any) -> str:
        if not isinstance(value, str) or value not in names:
            raise ValueError
        return value

    return Kind(f"one of {', '.join(names)}", take, names)


def optional(kind: Kind) -> Kind:
    """Return the same kind, or None."""
    return Kind(
        f"{kind.words}, or None",
        lambda value: None if value is None else kind.take(value),
        kind.known,
    )


def _number(value: Any) -> Any:
    """Return a number that is no truth value."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise TypeError
    return bool(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _folder_name(value: Any) -> str:
    if not _text(value).strip(" .") or not value.isprintable() or set(value) & set("/\\"):
        raise ValueError
    return str(value)


def _table(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError
    return value


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, str | Mapping):
        raise TypeError
    return tuple(map(_text, value))


FLAG = Kind("true or false", _flag)
TEXT = Kind("a text", _text)
FOLDER_NAME = Kind("what a folder can be called, without / and \\", _folder_name)
TABLE = Kind("a mapping by name", _table)
NAMES = Kind("a list of names", _names)
# What `numpy.random.seed` takes.
SEED = whole(0, 2**32 - 1)


def class_factors(given: Any, phases: Sequence[str] | int | None = None) -> tuple[float, ...]:
    """Return the factors of the phases' terms in a loss, noise first.

    Args:
        given: a list of them.
        phases: of the network, or how many it has; None: that is not known yet.

    Raises:
        ConfigError: for what is no list of numbers from 0 on, 0 for all, or another number of them
            than of phases.

    Example:
        >>> class_factors([1, 2, 0.5], "NPS")
        (1, 2, 0.5)
    """
    try:
        values = None if isinstance(given, str | Mapping) else [*given]
    except TypeError:
        values = None
    if values is None:
        raise ConfigError(
            f"class_weights is a list of numbers, one a phase, noise first; received {given!r}"
        )
    factors = tuple(settled("each of class_weights", number(0), value) for value in values)
    if factors and not any(factors):
        raise ConfigError("class_weights are all 0: nothing would be learnt")
    if phases is not None and len(factors) != (phases if isinstance(phases, int) else len(phases)):
        each = f"{phases} phases" if isinstance(phases, int) else ", ".join(phases)
        raise ConfigError(
            f"class_weights has a factor for each of {each}, received {len(factors)}: {factors}"
        )
    return factors
