"""The groups and datasets of an HDF5 file that hold records, also where some are damaged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phasenet_keras.types import FormatError

if TYPE_CHECKING:
    import h5py

__all__ = ["DAMAGE", "attributes_of", "dataset_of", "nodes_of", "opened"]

# What h5py raises for files that are damaged, or are not what they should be.
DAMAGE = (OSError, RuntimeError, LookupError, TypeError, ValueError, AttributeError)
# Deeper than any layout; a link to a group above would have no end.
MAX_DEPTH = 6


def opened(path: Path) -> h5py.File:
    """Open a file for reading.

    Raises:
        FormatError: if it is no HDF5.
    """
    import h5py

    try:
        return h5py.File(path)
    except OSError as error:
        raise FormatError(f"{path} is no readable HDF5 file: {error}") from error


def nodes_of(
    group: h5py.Group, prefix: str, above: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Mapping[str, Any]]]:
    """Yield name, group or dataset, and the attributes of the groups above, of each record.

    In place of a group or dataset that is damaged comes what was raised for it.
    """
    import h5py

    try:
        attributes = {**above, **attributes_of(group)}
        keys = list(group)
    except DAMAGE as error:
        yield prefix.rstrip("/") or "/", error, above
        return
    for key in keys:
        name = f"{prefix}{key}"
        try:
            # None for a link to what is not there; the record is then bad, not the file.
            node = group.get(key)
            is_record = not isinstance(node, h5py.Group) or isinstance(
                node.get("data"), h5py.Dataset
            )
        except DAMAGE as error:
            node, is_record = error, True
        if not is_record:
            if name.count("/") < MAX_DEPTH:
                yield from nodes_of(node, f"{name}/", attributes)
        else:
            yield name, node, attributes


def dataset_of(node: Any) -> Any:
    """Return the dataset of a record, which is it itself or ``data`` in its group."""
    import h5py

    return node["data"] if isinstance(node, h5py.Group) else node


def attributes_of(node: Any) -> dict[str, Any]:
    """Return the attributes of a group or dataset; those of types unknown to h5py are left out.

    Raises:
        FormatError: if they are damaged.
    """
    found = {}
    try:
        keys = list(getattr(node, "attrs", ()))
    except DAMAGE as error:
        raise FormatError(f"its attributes cannot be read: {error}") from error
    for key in keys:
        try:
            value = node.attrs[key]
        except (OSError, TypeError, ValueError, KeyError):
            continue
        if getattr(value, "shape", ()) is not None:  # an attribute may be there and hold nothing
            found[key] = value
    return found
