"""Files that appear when they are complete; JSON, written and read."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import IO, Any

from phasenet_keras.io.index import check_path
from phasenet_keras.types import ConfigError

__all__ = [
    "NO_TEXT",
    "beside_then_rename",
    "check_folder",
    "folder_to_write",
    "json_of",
    "others_in",
    "read_json",
    "read_settings",
    "write_json",
]

# File names may hold bytes that are no text; they are spelt out.
NO_TEXT = "backslashreplace"
# Names there are the system's, such as stdout, which may be a file's.
DEVICES = Path("/dev")


@contextmanager
def beside_then_rename(path: Path, mode: str = "w") -> Iterator[IO]:
    """Open a temporary sibling for writing and give it the name when it is complete."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    text: dict[str, Any] = {"encoding": "utf-8", "newline": "", "errors": NO_TEXT}
    try:
        with os.fdopen(handle, mode, **({} if "b" in mode else text)) as file:
            yield file
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except OSError as error:
        if error.filename is None:  # a full disk says no name
            error.filename = os.fspath(path)
        raise
    finally:
        Path(name).unlink(missing_ok=True)


def check_folder(path: Path) -> None:
    """Refuse a file that cannot be written where it is to be, before any work is done.

    Raises:
        ConfigError: for a folder that does not exist or cannot be written to, or in its place; and
            for what is no file (``/dev/null``), which a file would take the place of.
    """
    check_path(path, "a file")
    if not path.parent.is_dir():
        raise ConfigError(f"folder {path.parent} does not exist: make it, or write elsewhere")
    if path.is_dir():
        raise ConfigError(f"{path} is a folder, a file is wanted")
    if path.parent == DEVICES or (path.exists() and not path.is_file()):
        raise ConfigError(f"{path} is a device or a pipe, a file is wanted")
    if not os.access(path.parent, os.W_OK):
        raise ConfigError(_said_of_closed(path.parent))


def folder_to_write(given: str | PathLike[str]) -> Path:
    """Return where a folder is, or can be made, and filled; else refuse it before any work is done.

    Raises:
        ConfigError: for what is no name, a file in its place or in that of a folder above it, and
            a folder that cannot be written to.

    Example:
        >>> folder_to_write(None)
        Traceback (most recent call last):
        ...
        phasenet_keras.types.ConfigError: a text or a Path names a folder, received NoneType
    """
    path = check_path(given, "a folder")
    there = next((item for item in (path, *path.parents) if os.path.lexists(item)), Path())
    if not there.is_dir():
        what = "a file" if there.exists() else f"a link to {there.readlink()}, which is not there"
        raise ConfigError(f"{path} cannot be written to: {there} is {what}, a folder is wanted")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(_said_of_closed(there))
    return path


def _said_of_closed(folder: Path) -> str:
    user = f" by user {os.getuid()}" if hasattr(os, "getuid") else ""  # not on Windows
    return f"folder {folder.absolute()} cannot be written to{user}: write elsewhere"


def others_in(folder: Path, own: Collection[str] = ()) -> list[str]:
    """Return what is in a folder, but for hidden files and those of names that are its own."""
    if not folder.is_dir():
        return []
    return sorted(
        path.name
        for path in folder.iterdir()
        if path.name not in own and not path.name.startswith(".")
    )


def write_json(content: Any, path: Path, **options: Any) -> None:
    """Write a JSON file with sorted keys, unless the options of `json.dump` say otherwise."""
    with beside_then_rename(path) as file:
        json.dump(content, file, **{"sort_keys": True, **options})
        file.write("\n")


def json_of(content: str | bytes) -> Any:
    """Return what JSON says; bytes are of UTF-8, UTF-16 or UTF-32, with their mark or without.

    Raises:
        ValueError: for what is no JSON, or nested too deeply.

    Example:
        >>> json_of('{"epochs": 5}'.encode("utf-16"))
        {'epochs': 5}
    """
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError("its brackets are nested too deeply") from error


def read_json(path: Path) -> Any:
    """Return what a JSON file holds; None if it cannot be read."""
    try:
        return json_of(path.read_bytes())
    except (OSError, ValueError):
        return None


def read_settings(path: str | PathLike[str]) -> dict[str, Any]:
    """Return the settings in a JSON file, by name.

    Raises:
        ConfigError: if it cannot be read, or holds anything else.
    """
    named = check_path(path, "a file of settings")
    try:
        values = json_of(named.read_bytes())
    except FileNotFoundError as error:
        raise ConfigError(f"{path} cannot be read: no such file") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} is no readable JSON: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} should hold a JSON object, it holds a {type(values).__name__}")
    return values
