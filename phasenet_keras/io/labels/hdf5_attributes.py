"""What attributes of HDF5 say, as text, as numbers and as arrivals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from phasenet_keras.io.catalogs import phase_of
from phasenet_keras.io.labels.row_axes import samples_of_times
from phasenet_keras.io.labels.row_columns import ARRIVAL_COLUMNS, SAMPLE_COLUMNS, TIME_COLUMNS_S
from phasenet_keras.io.labels.row_labels import are_other_arrivals, warn_of_other_arrivals
from phasenet_keras.io.text_tables import NO_SAMPLES
from phasenet_keras.types import FormatError, Waveform

__all__ = [
    "INDICES",
    "arrivals_in",
    "first_text",
    "number_in",
    "text_of",
    "texts_of",
]

OTHERS = {"P": "other_p_indices", "S": "other_s_indices"}
TYPES, INDICES = "phase_type", "phase_index"


def arrivals_in(
    own: Mapping[str, Any], wave: Waveform | None = None
) -> dict[str, tuple[float, ...]]:
    """Return the arrivals of each phase in samples of a record; without one times stay as such.

    Raises:
        FormatError: for other text, as many names as not samples, or a time after a trigger that
            is not known.

    Warns:
        RecordWarning: if attributes of one phase have different arrivals.
    """
    by_type = _arrivals_by_type(own)
    arrivals: dict[str, tuple[float, ...]] = {}
    for phase, names in ARRIVAL_COLUMNS.items():
        name = next((name for name in SAMPLE_COLUMNS[phase] if name in own), "")
        found = _numbers_of(own.get(name))
        # Times count where no other attribute gives the phase.
        time = next((name for name in names if name in own and name in TIME_COLUMNS_S), "")
        if time and not found and not by_type[phase]:
            name, times = time, _numbers_of(own[time])
            found = times if wave is None else [*samples_of_times(times, time, wave)]
        if wave is not None and (found or by_type[phase]):
            _warn_of_others(
                own, phase, *((name, found) if found else (INDICES, by_type[phase])), wave
            )
        if found:
            # Further onsets alone would say that the main one, not labelled, is noise.
            found += _numbers_of(own.get(OTHERS[phase]))
        if found or by_type[phase]:
            arrivals[phase] = (*found, *by_type[phase])
    return arrivals


def _arrivals_by_type(own: Mapping[str, Any]) -> dict[str, list[float]]:
    """Return the samples of each phase among those that have a list of names beside them."""
    types, indices = texts_of(own.get(TYPES)), np.atleast_1d(own.get(INDICES, ()))
    if len(types) != len(indices):
        raise FormatError(
            f"it has {len(types)} names in {TYPES} and {len(indices)} samples in {INDICES}: "
            "they should be as many"
        )
    found: dict[str, list[float]] = {phase: [] for phase in SAMPLE_COLUMNS}
    for name, index in zip(types, indices, strict=True):
        if known := phase_of(name):
            found[known] += _numbers_of(index)
    return found


def _warn_of_others(
    own: Mapping[str, Any], phase: str, counts: str, arrivals: list[float], wave: Waveform
) -> None:
    """Say where another attribute has other arrivals of a phase than the one that counts."""
    for name in ARRIVAL_COLUMNS[phase]:
        if name == counts or name not in own:
            continue
        try:
            values = _numbers_of(own[name])
            others = samples_of_times(values, name, wave) if name in TIME_COLUMNS_S else values
        except FormatError:  # of no number, or after a trigger that is not known
            continue
        texts = [np.format_float_positional(value) for value in values]
        if values and are_other_arrivals(others, texts, name, arrivals, wave):
            warn_of_other_arrivals(f"attributes {counts} and {name}", counts, phase)


def _numbers_of(value: Any) -> list[float]:
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
