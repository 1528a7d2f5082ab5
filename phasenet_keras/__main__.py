"""`python -m phasenet_keras`: the command line, where its folder is not among those of the shell."""

from __future__ import annotations

import sys

from phasenet_keras.cli import main

if __name__ == "__main__":
    sys.exit(main())
