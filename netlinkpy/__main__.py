"""python -m netlinkpy: the command line where no script is installed."""

from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":
    sys.argv[0] = "netlinkpy"
    sys.exit(main())
