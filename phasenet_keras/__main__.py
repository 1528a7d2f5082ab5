"""`python -m phasenet_keras` is the command line, too."""

from __future__ import annotations

import sys

from phasenet_keras.cli import main

if __name__ == "__main__":
    sys.exit(main())
