"""Print the project's requirements with another TensorFlow package than the one it names.

    python tools/container_requirements.py tensorflow-cpu setup.cfg > requirements.txt

The package takes over the version limits of `tensorflow` and may add its own, as in
`tensorflow-cpu==2.20.*`. It needs nothing but Python's own library.
"""

from __future__ import annotations

import argparse
import configparser
import re
from collections.abc import Iterable
from pathlib import Path

REQUIREMENT = re.compile(
    r"(?P<package>[\w.-]+(?:\[[\w,. -]+\])?)\s*(?P<versions>(?:[<>=!~][^;]*)?)"
)


# Of the project's extras, those whose verbs and options the container serves.
EXTRAS = ("cluster", "correct", "fast", "mseed3", "parquet")


def requirements_of(setup_cfg: Path) -> list[str]:
    """Return what ``install_requires`` in a setup.cfg lists, and `EXTRAS`."""
    config = configparser.ConfigParser(interpolation=None)
    config.read_string(setup_cfg.read_text(encoding="utf-8"))
    lines = config["options"]["install_requires"].splitlines()
    for extra in EXTRAS:
        lines += config["options.extras_require"][extra].splitlines()
    return [line.strip() for line in lines if line.strip()]


def with_tensorflow(requirements: Iterable[str], tensorflow: str) -> list[str]:
    """Return the requirements with `tensorflow` in place of the one on TensorFlow.

    Raises:
        ValueError: if `tensorflow` is no requirement on TensorFlow, or the list has not exactly
            one.
    """
    wanted = REQUIREMENT.fullmatch(tensorflow.strip())
    if wanted is None or not wanted["package"].startswith("tensorflow"):
        raise ValueError(
            "expected a TensorFlow requirement such as tensorflow-cpu or tensorflow[and-cuda], "
            f"received {tensorflow!r}"
        )
    result, replaced = [], 0
    for requirement in requirements:
        found = REQUIREMENT.fullmatch(requirement)
        if found and found["package"] == "tensorflow":
            limits = [part.strip() for part in (found["versions"], wanted["versions"]) if part]
            requirement = wanted["package"] + ",".join(limits)
            replaced += 1
        result.append(requirement)
    if replaced != 1:
        raise ValueError(f"expected one requirement on tensorflow, found {replaced}")
    return result


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tensorflow", help="e.g. tensorflow-cpu or tensorflow[and-cuda]")
    parser.add_argument("setup_cfg", type=Path, help="the project's setup.cfg")
    arguments = parser.parse_args()
    try:
        lines = with_tensorflow(requirements_of(arguments.setup_cfg), arguments.tensorflow)
    except ValueError as error:
        parser.error(str(error))
    print("\n".join(lines))  # noqa: T201


if __name__ == "__main__":
    main()
