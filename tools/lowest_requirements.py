"""Print the lowest versions that the project allows, as pip's constraints.

    python tools/lowest_requirements.py setup.cfg > lowest.txt

It needs nothing but Python's own library.
"""

from __future__ import annotations

import argparse
import configparser
import re
from pathlib import Path

# The extras that are for users: those that the tests run with.
EXTRAS = re.compile(r"phasenet-keras\[(?P<names>[\w,]+)\]")
LEAST = re.compile(r"(?P<package>[\w.-]+)(?:\[[^]]*\])?\s*[>~]=\s*(?P<version>[\d.]+)")


def lowest_of(setup_cfg: Path) -> list[str]:
    """Return ``package==version`` for each requirement, and those of the extras.

    Raises:
        ValueError: for a requirement without a lowest version.
    """
    config = configparser.ConfigParser(interpolation=None)
    config.read_string(setup_cfg.read_text(encoding="utf-8"))
    extras = config["options.extras_require"]
    names = EXTRAS.search(extras["test"])["names"].split(",")
    wanted = [config["options"]["install_requires"], *(extras[name] for name in names)]
    lines = []
    for line in filter(None, map(str.strip, "\n".join(wanted).splitlines())):
        found = LEAST.match(line)
        if found is None:
            raise ValueError(f"expected a lowest version, as in numpy>=1.26, received {line!r}")
        lines.append(f"{found['package']}=={found['version']}")
    return lines


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("setup_cfg", type=Path, help="the project's setup.cfg")
    print("\n".join(lowest_of(parser.parse_args().setup_cfg)))  # noqa: T201


if __name__ == "__main__":
    main()
