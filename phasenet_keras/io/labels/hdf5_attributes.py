"""What an attribute of HDF5 says, as text and as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from phasenet_keras.io.text_tables import NO_SAMPLES
from phasenet_keras.types import FormatError

__all__ = ["first_text", "number_in", "numbers_of", "text_of", "texts_of"]


def numbers_of(value: Any) -> list[float]:
    """Return the numbers of arrivals in an attribute; none for NaN, -1 and blank text.

    Raises:
        FormatError: for other text.
    """
    found = []
    for item in np.ravel(() if value is None else value).tolist():
        text = text_of(item)
        try:
            number = float(text) if text else np.nan
        except ValueError as error:
            raise FormatError(f"an arrival should be a number, received {text}") from error
        if number == number and number not in NO_SAMPLES:
            found.append(number)
    return found


def texts_of(value: Any) -> list[str]:
    """Return the texts in an attribute that say something, one or several."""
    items = np.ravel(() if value is None else value).tolist()
    return [text for text in map(text_of, items) if text]


def text_of(value: Any) -> str:
    """Return an attribute as text: none for NaN and nothing, whole numbers without a point."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace").strip()
    if isinstance(value, float | np.floating):
        return "" if value != value else str(int(value) if float(value).is_integer() else value)
    return "" if value is None else str(value).strip()


def first_text(attributes: Mapping[str, Any], *names: str) -> str:
    """Return the text of the first of these attributes that says one thing."""
    for name in names:
        texts = set(texts_of(attributes.get(name)))
        if len(texts) == 1:
            return texts.pop()
    return ""


def number_in(attributes: Mapping[str, Any], name: str) -> float | None:
    """Return the number in an attribute; None where it is not there, or says nothing.

    Raises:
        FormatError: for other text.
    """
    text = first_text(attributes, name)
    try:
        return float(text) if text else None
    except ValueError as error:
        raise FormatError(f"{name} should be a number, received {text}") from error
